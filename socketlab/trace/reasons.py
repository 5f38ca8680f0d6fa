"""Why a blocked call does not return: what the kernel knows about its socket, in the words of somebody who learns.

Nothing is changed by looking. A second descriptor of the same socket (dup(2)) is asked for its names, its queues and
its state, and closed again. What cannot be found out is left out of the sentence.
"""

from __future__ import annotations

import _socket
import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .system_call import IN, system_call

_UNIX = getattr(socket, "AF_UNIX", None)
_TCP_INFO = getattr(socket, "TCP_INFO", 11)
_SYN_SENT, _LISTEN = 2, 10  # include/net/tcp_states.h
_FIONREAD, _SIOCOUTQ = 0x541B, 0x5411  # tcp(7): bytes to read; bytes that the peer has not taken yet
_MOST_SEARCHED = 4096  # descriptors of this process among which the other end is looked for


def accepting(fd: int) -> str:
    with _second(fd) as sock:
        if sock is None:
            return "nobody has connected yet"
        own = sock.getsockname()
        before = any(_name(other) == own and _peer(other) is not None for _, other in _sockets())
        return f"nobody{' else' if before else ''} has connected to {place(own)} yet"


def connecting(fd: int, address: bytes) -> str:
    with _second(fd) as sock:
        where = _wanted(sock, fd, address) if sock is not None else None
        if where is None:
            return "nobody answers there"
        if sock.family == _UNIX:  # such a connect() waits for nothing else (unix(7))
            return f"the queue of the listener at {place(where)} is full, and nobody calls accept()"
        for _, listener in _sockets():
            waiting, limit = _backlog(listener)
            own = _name(listener) if limit is not None else None
            if own and own[1] == where[1] and own[0] in (where[0], "0.0.0.0", "::") and waiting >= limit:
                wait = "1 connection waits" if waiting == 1 else f"{waiting} connections wait"
                return f"the queue of the listener at {place(where)} is full: {wait} there, and nobody calls accept()"
        return f"{place(where)} does not answer: its listener's queue is full, or what is sent there gets lost"


def receiving(fd: int) -> str:
    with _second(fd) as sock:
        if sock is None:
            return "nothing has come yet"
        if sock.type == socket.SOCK_DGRAM:
            return _no_datagram(sock)
        came = _received(sock)
        if came:
            words = f"the peer has sent nothing more after {_bytes(came)}, and has not closed"
        elif came == 0:
            words = "the peer has sent nothing yet, and has not closed"
        else:
            words = "the peer sends nothing, and has not closed"
        return words + _other_side(sock)


def sending(fd: int) -> str:
    with _second(fd) as sock:
        if sock is None:
            return "the peer does not read"
        if sock.type == socket.SOCK_DGRAM:
            return "the receiver does not read: its queue is full"
        here = queued(fd, _SIOCOUTQ) or 0
        if sock.family == _UNIX:  # what was sent stands in the peer's queue, and is counted on this side until read
            return f"the peer does not read: {_bytes(here)} wait for it" + _other_side(sock)
        at_peer = 0
        for number, other in _sockets():
            if _name(other) == _peer(sock) and _peer(other) == _name(sock):
                at_peer = queued(number, _FIONREAD) or 0
        if at_peer:
            words = f"the peer does not read: {_bytes(at_peer)} wait in its receive buffer and {_bytes(here)} here"
        else:
            words = f"the peer does not read: its receive buffer is full, and {_bytes(here)} wait here"
        return words + _other_side(sock)


def shaking_hands(fd: int) -> str:
    with _second(fd) as sock:
        came = None if sock is None else _received(sock)
        if came == 0:
            return "the peer has not answered the TLS handshake; does it speak TLS?"
        return "the peer has begun the TLS handshake and does not go on"


def selecting(watched: tuple[tuple[int, str], ...]) -> str:
    found = []
    for fd, direction in watched:
        with _second(fd) as sock:
            if sock is not None:
                found.append(f"{place(_name(sock))} {'to be readable' if direction == IN else 'to be writable'}")
    if not found:
        return "nothing that it watches is ready"
    count = "its one socket is not" if len(found) == 1 else f"none of its {len(found)} sockets is"
    listed = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
    return f"{count} ready (it waits for {listed})"


def is_socket(fd: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except OSError:
        return not sys.platform.startswith("linux")


def is_listening(fd: int) -> bool:
    with _second(fd) as sock:
        return sock is not None and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def is_connecting(fd: int) -> bool:
    with _second(fd) as sock:
        return sock is not None and (_tcp_info(sock) or b"\0")[0] == _SYN_SENT


def place(address: Any) -> str:
    """An address as people write it: ``127.0.0.1:8080``, ``[::1]:8080``, a path, ``@name`` for an abstract one.

    A name of a Unix socket may hold any byte: what is not printable is written as Python writes it.
    """
    if isinstance(address, tuple) and len(address) > 1:
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    text = os.fsdecode(address) if isinstance(address, bytes) else str(address)
    text = f"@{text[1:]}" if text[:1] == "\0" else text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text) or "a socket without a name"


def queued(fd: int, request: int) -> int | None:
    """The number of bytes that an ioctl of sockets tells; None where it tells none."""
    try:
        import fcntl

        return int(struct.unpack("i", fcntl.ioctl(fd, request, b"\0\0\0\0"))[0])
    except (ImportError, OSError):
        return None


# -- looking -----------------------------------------------------------------------------------------------------------


@contextmanager
def _second(fd: int) -> Iterator[Any]:
    """A socket object of our own for the kernel's socket behind `fd`; None where that would not be safe.

    Where socket.setdefaulttimeout() has been called, making a socket object switches the descriptor to non-blocking,
    for everybody who uses it.
    """
    sock = None
    if _socket.getdefaulttimeout() is None:
        try:
            copy = os.dup(fd)
            try:
                sock = _socket.socket(fileno=copy)  # the plain class: no trace records it, no audit counts it
            except (OSError, ValueError):
                os.close(copy)
        except OSError:
            pass
    try:
        yield sock
    finally:
        if sock is not None:
            sock.close()


def _sockets() -> Iterator[tuple[int, Any]]:
    """The sockets of this process, as `_second` gives them."""
    try:
        numbers = sorted(map(int, os.listdir("/proc/self/fd")))
    except OSError:
        return
    for fd in numbers[:_MOST_SEARCHED]:
        if is_socket(fd):
            with _second(fd) as sock:
                if sock is not None:
                    yield fd, sock


def _name(sock: Any) -> Any:
    try:
        return sock.getsockname()
    except OSError:
        return None


def _peer(sock: Any) -> Any:
    """Its peer's address, "" for a peer without a name, None without a peer."""
    try:
        return sock.getpeername()
    except OSError:
        return None


def _other_side(sock: Any) -> str:
    """Who has the other end, where that is this process: the deadlocks that everybody writes once."""
    own, peer = _name(sock), _peer(sock)
    if not own or not peer or sock.type == socket.SOCK_DGRAM:
        return ""
    for fd, other in _sockets():
        if _name(other) == peer and _peer(other) == own:
            for thread in threading.enumerate():
                call = system_call(thread.native_id)
                if call is not None and call.watched and fd in [number for number, _ in call.watched]:
                    does = "reads from" if call.watched[0][1] == IN else "writes to"
                    return f". The other end is in this notebook: thread {thread.name!r} {does} it and waits as well"
            return ". The other end is in this notebook too, and no thread waits at it"
    return ""


def _no_datagram(sock: Any) -> str:
    own, peer = _name(sock), _peer(sock)
    if peer:
        return f"no datagram has come from {place(peer)}"
    if not own or (isinstance(own, tuple) and own[1] == 0):
        return "no datagram can come: this socket has no address yet, which bind() or a first sendto() gives it"
    return f"no datagram has come to {place(own)}"


def _tcp_info(sock: Any) -> bytes:
    """struct tcp_info (linux/tcp.h), as much of it as this kernel has; empty where there is none."""
    try:
        return bytes(sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)) if sock.family != _UNIX else b""
    except (OSError, ValueError):
        return b""


def _received(sock: Any) -> int | None:
    """tcpi_bytes_received: since the connection was made, read or not (Linux 4.1)."""
    info = _tcp_info(sock)
    return int(struct.unpack_from("Q", info, 128)[0]) if len(info) >= 136 else None


def _backlog(sock: Any) -> tuple[Any, Any]:
    """How many connections wait to be accepted, and when the queue is full; (None, None) for what is no TCP listener.

    On a listener tcpi_unacked is the queue and tcpi_sacked its limit; the kernel admits one more than the limit.
    """
    info = _tcp_info(sock)
    return struct.unpack_from("II", info, 24) if len(info) >= 32 and info[0] == _LISTEN else (None, None)


def _wanted(sock: Any, fd: int, address: bytes) -> Any:
    """Where a socket wants to connect to: from the argument of `connect`, or from the kernel's table."""
    if sock.family == _UNIX and len(address) > 2:
        raw = address[2:]
        return raw if raw[:1] == b"\0" else os.fsdecode(raw.split(b"\0")[0])
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        inode = str(os.fstat(fd).st_ino)
        table = "tcp6" if sock.family == socket.AF_INET6 else "tcp"
        try:
            with open(f"/proc/self/net/{table}") as lines:
                rows = [fields for line in lines if len(fields := line.split()) > 9 and fields[9] == inode]
        except OSError:
            return None
        for fields in rows:
            return _address(sock.family, fields[2])
    return None


def _address(family: int, text: str) -> Any:
    """``0100007F:1F90`` as in /proc/net/tcp: words of 32 bits in the machine's order, the port in hexadecimal."""
    words, port = text.split(":")
    raw = b"".join(struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8))
    host = socket.inet_ntop(family, raw)
    return (host, int(port, 16), 0, 0) if family == socket.AF_INET6 else (host, int(port, 16))


def _bytes(count: int) -> str:
    for unit, size in (("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} byte{'' if count == 1 else 's'}"
