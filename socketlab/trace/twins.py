"""Looking at a socket of this process without changing it: a twin of its descriptor, its queues, its TCP state.

A second descriptor of the same socket (dup(2)) is asked, and closed again, so nobody needs to have the object at hand.
"""

from __future__ import annotations

import _socket
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

UNIX = getattr(socket, "AF_UNIX", None)
FIONREAD, SIOCOUTQ = 0x541B, 0x5411  # tcp(7): bytes to read; bytes that the peer has not taken yet

_TCP_INFO = getattr(socket, "TCP_INFO", 11)
_SYN_SENT, _LISTEN = 2, 10  # include/net/tcp_states.h
_MOST_SEARCHED = 4096  # descriptors of this process among which the other end is looked for


@contextmanager
def twin(fd: int) -> Iterator[Any]:
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


def all_sockets() -> Iterator[tuple[int, Any]]:
    """The sockets of this process, as `twin` gives them."""
    try:
        numbers = sorted(map(int, os.listdir("/proc/self/fd")))
    except OSError:
        return
    for fd in numbers[:_MOST_SEARCHED]:
        if is_socket(fd):
            with twin(fd) as sock:
                if sock is not None:
                    yield fd, sock


def name_of(sock: Any) -> Any:
    try:
        return sock.getsockname()
    except OSError:
        return None


def peer_of(sock: Any) -> Any:
    """Its peer's address, "" for a peer without a name, None without a peer."""
    try:
        return sock.getpeername()
    except OSError:
        return None


def queued(fd: int, request: int) -> int | None:
    """The number of bytes that an ioctl of sockets tells; None where it tells none."""
    try:
        import fcntl

        return int(struct.unpack("i", fcntl.ioctl(fd, request, b"\0\0\0\0"))[0])
    except (ImportError, OSError):
        return None


def is_socket(fd: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except OSError:
        return not sys.platform.startswith("linux")


def is_listening(fd: int) -> bool:
    with twin(fd) as sock:
        return sock is not None and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def is_connecting(fd: int) -> bool:
    with twin(fd) as sock:
        return sock is not None and (_tcp_info(sock) or b"\0")[0] == _SYN_SENT


def _tcp_info(sock: Any) -> bytes:
    """struct tcp_info (linux/tcp.h), as much of it as this kernel has; empty where there is none."""
    try:
        return bytes(sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)) if sock.family != UNIX else b""
    except (OSError, ValueError):
        return b""


def bytes_received(sock: Any) -> int | None:
    """tcpi_bytes_received: since the connection was made, read or not (Linux 4.1)."""
    info = _tcp_info(sock)
    return int(struct.unpack_from("Q", info, 128)[0]) if len(info) >= 136 else None


def backlog_of(sock: Any) -> tuple[Any, Any]:
    """How many connections wait to be accepted, and when the queue is full; (None, None) for what is no TCP listener.

    On a listener tcpi_unacked is the queue and tcpi_sacked its limit; the kernel admits one more than the limit.
    """
    info = _tcp_info(sock)
    return struct.unpack_from("II", info, 24) if len(info) >= 32 and info[0] == _LISTEN else (None, None)


def wanted_address(sock: Any, fd: int, address: bytes) -> Any:
    """Where a socket wants to connect to: from the argument of `connect`, or from the kernel's table."""
    if sock.family == UNIX and len(address) > 2:
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
