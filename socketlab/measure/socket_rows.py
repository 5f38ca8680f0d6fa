"""This process's sockets, one row each: gathered from /proc/self/fd and the kernel's table, elsewhere from psutil.

On Linux a descriptor's inode is looked up in the table (kernel_table.py). What is in no table (a socket that was
neither bound nor connected, one that was reset, one of another family) is asked through a twin of its descriptor:
that keeps it alive for some microseconds longer, should another thread close it just then.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from _socket import socket as _Socket  # the class below socket.socket: looking does not show up in a trace
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, TypeAlias

from .kernel_table import STATES, Entry, UnixEntry, inet_table, unix_table

Address: TypeAlias = tuple[Any, ...] | str | bytes

_FAMILIES: dict[int, str] = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}
_TABLES = [(family, protocol) for protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP) for family in _FAMILIES]
_PROTOCOLS: dict[int, str] = {socket.IPPROTO_TCP: "TCP", socket.IPPROTO_UDP: "UDP", 136: "UDP-Lite", 262: "MPTCP"}
_TYPES: dict[int, str] = {socket.SOCK_STREAM: "stream", socket.SOCK_DGRAM: "datagram"}
if hasattr(socket, "AF_UNIX"):
    _FAMILIES[socket.AF_UNIX] = "Unix"
if hasattr(socket, "SOCK_SEQPACKET"):
    _TYPES[socket.SOCK_SEQPACKET] = "seqpacket"


@dataclass(frozen=True)
class SocketRow:
    """One socket. None: not told, or there is no such thing (a listener has no bytes, a datagram socket no peer)."""

    family: str  #: "IPv4", "IPv6", "Unix", or a name as in the socket module
    type: str  #: "TCP", "UDP"; of a Unix socket "stream", "datagram", "seqpacket"
    state: str | None  #: as in `TcpInfo.state`; UDP and Unix: ESTABLISHED once connected, LISTEN, else UNCONNECTED
    local: Address | None  #: (host, port), or the name of a Unix socket, "" for none
    peer: Address | None
    recv_q: int | None = None  #: bytes to be received; UDP: memory that the waiting datagrams take, headers included
    send_q: int | None = None  #: TCP: bytes not acknowledged yet; UDP, Unix: memory of what waits, headers included
    fd: int | None = None  #: the lowest descriptor of this socket; None: it has none any more, or none yet
    twins: tuple[int, ...] = ()  #: its other descriptors (dup)
    peer_fd: int | None = None  #: the descriptor of the other end, where this process has that as well
    queue: int | None = None  #: of a listener: connections that wait for accept()
    backlog: int | None = None  #: of a listener: limit of the queue, which admits one more (Unix: one more as well)


# -- Linux -----------------------------------------------------------------------------------------------------------


def from_linux() -> tuple[list[SocketRow], list[Entry]]:
    """This process's sockets, and TCP connections of anybody that have no descriptor: of these there may be thousands,
    so they are not made into rows yet."""
    own = _own_descriptors()  # before the tables: the socket that reads those is none of the author's
    mine: list[SocketRow] = []
    loose: list[Entry] = []
    for family, protocol in _TABLES:
        for entry in inet_table(family, protocol):
            if entry.inode in own:
                mine.append(inet_row(entry, own.pop(entry.inode)))
            elif entry.inode == 0 and protocol == socket.IPPROTO_TCP:
                loose.append(entry)
    by_inode = {entry.inode: entry for entry in unix_table()}
    numbers = {inode: fds[0] for inode, fds in own.items()}
    for inode in [inode for inode in own if inode in by_inode]:
        mine.append(_unix_row(by_inode[inode], own.pop(inode), by_inode, numbers))
    mine += [row for inode, fds in own.items() if (row := _ask(fds, inode)) is not None]
    return mine, loose


def _own_descriptors() -> dict[int, list[int]]:
    """The inodes of this process's sockets, each with its descriptors, ascending."""
    found: dict[int, list[int]] = {}
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        with suppress(OSError):  # closed meanwhile
            status = os.fstat(number)
            if stat.S_ISSOCK(status.st_mode):
                found.setdefault(status.st_ino, []).append(number)
    return found


def inet_row(entry: Entry, fds: list[int]) -> SocketRow:
    type_ = _PROTOCOLS[entry.protocol]
    state = "UNCONNECTED" if type_ == "UDP" and entry.state != "ESTABLISHED" else entry.state
    row = SocketRow(
        _FAMILIES[entry.family], type_, state, entry.local,
        entry.peer if entry.peer[1] else None, fd=fds[0] if fds else None, twins=tuple(fds[1:]),
    )  # fmt: skip
    if state == "LISTEN":
        return replace(row, queue=entry.recv_q, backlog=entry.send_q)
    waiting: int | None = entry.recv_q
    if fds and type_ == "TCP":  # the table counts a FIN that waits behind the bytes as one more (tcp_inq())
        waiting = _waiting(fds[0], entry.inode)[0]
    return replace(row, recv_q=waiting, send_q=entry.send_q)


def _waiting(fd: int, inode: int) -> tuple[int | None, int | None]:
    """What recv() could return now, and what is not acknowledged yet (tcp(7): SIOCINQ, SIOCOUTQ); in bytes."""
    import fcntl
    import termios

    found: list[int | None] = []
    for request in (termios.FIONREAD, termios.TIOCOUTQ):  # the same numbers
        try:
            found.append(int.from_bytes(fcntl.ioctl(fd, request, bytes(4)), sys.byteorder))
        except OSError:
            found.append(None)
    with suppress(OSError):
        if os.fstat(fd).st_ino == inode:  # else the number has gone to another socket meanwhile
            return found[0], found[1]
    return None, None


def _unix_row(entry: UnixEntry, fds: list[int], others: dict[int, UnixEntry], numbers: dict[int, int]) -> SocketRow:
    other = others.get(entry.peer) if entry.peer else None
    state = "UNCONNECTED" if entry.state == "CLOSE" else entry.state
    if entry.peer and entry.state == "CLOSE":  # datagrams: connect() has set a peer, and the kernel has no word for it
        state = "ESTABLISHED"
    row = SocketRow(
        "Unix", _TYPES.get(entry.type, f"type {entry.type}"), state, _name(entry.name),
        _name(other.name) if other is not None else None,
        fd=fds[0], twins=tuple(fds[1:]), peer_fd=numbers.get(entry.peer or 0),
    )  # fmt: skip
    if state == "LISTEN":
        return replace(row, queue=entry.recv_q, backlog=entry.send_q)
    return replace(row, recv_q=entry.recv_q, send_q=entry.send_q)


def _name(name: str) -> str | bytes:
    """As getsockname() has it: abstract names are bytes."""
    return os.fsencode(name) if name.startswith("\0") else name


def _ask(fds: list[int], inode: int) -> SocketRow | None:
    """A socket that no table has: not bound or connected yet, reset, or of another family. Asked through a twin."""
    with suppress(OSError):
        twin = os.dup(fds[0])
        try:
            if os.fstat(twin).st_ino == inode:  # else the number has gone to another one meanwhile
                sock = _Socket(-1, -1, -1, twin)
                try:
                    recv_q, send_q = _waiting(twin, inode)
                    row = _described(sock)
                finally:
                    sock.detach()
                return replace(row, recv_q=recv_q, send_q=send_q, fd=fds[0], twins=tuple(fds[1:]))
        finally:
            os.close(twin)
    return None


def _described(sock: _Socket) -> SocketRow:
    family, protocol = sock.family, sock.proto
    name = _FAMILIES.get(family) or _constant("AF_", family)
    state = "UNCONNECTED"
    local = peer = None
    with suppress(OSError):
        local = sock.getsockname()
    with suppress(OSError):
        peer = sock.getpeername()
        state = "ESTABLISHED"
    if name in ("IPv4", "IPv6"):
        type_ = _PROTOCOLS.get(protocol) or _constant("SOCK_", sock.type)
        if type_ in ("TCP", "MPTCP"):
            with suppress(OSError):
                state = STATES[sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]
        local, peer = (end[:2] if isinstance(end, tuple) else end for end in (local, peer))
    else:
        type_ = _TYPES.get(sock.type) or _constant("SOCK_", sock.type)
    return SocketRow(name, type_, state, local, peer)


def _constant(prefix: str, number: int) -> str:
    names = (name for name in sorted(vars(socket)) if name.startswith(prefix) and getattr(socket, name) == number)
    return next(names, f"{prefix}{number}")


# -- elsewhere -------------------------------------------------------------------------------------------------------


def from_psutil() -> Iterator[SocketRow]:
    psutil: Any = import_module("psutil")
    process = psutil.Process()
    ask = getattr(process, "net_connections", None) or process.connections  # its name before psutil 6
    for found in ask("all"):
        internet = found.family in (socket.AF_INET, socket.AF_INET6)
        stream = found.type == socket.SOCK_STREAM
        type_ = ("TCP" if stream else "UDP") if internet else _TYPES.get(found.type, str(found.type))
        local, peer = (tuple(end) if isinstance(end, tuple) and end else end or None for end in found[3:5])
        state = None if found.status == "NONE" else str(found.status)
        family = _FAMILIES.get(found.family) or _constant("AF_", found.family)
        yield SocketRow(family, type_, state, local, peer, fd=found.fd if found.fd >= 0 else None)
