"""One socket of the TCP panel, seen and handled below Python: its state, what waits in it, and ears that can be shut.

Everything here goes through `_socket.socket`, the class below `socket.socket`, so that looking at the kernel, and
holding up the wire, never show up in a trace of the program.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from _socket import socket as _Socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..measure.kernel_table import STATES, Entry, find
from ..measure.socket_table import netstat

_ATTACH_FILTER, _DETACH_FILTER = 26, 27  # asm-generic/socket.h; Python has no names for them
_RTO_MAX_MS = 44  # linux/tcp.h, since Linux 6.15
_NOTHING = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0), 8)  # BPF_RET | BPF_K: keep 0 bytes
_DEAF = struct.pack("@HP", 1, ctypes.addressof(_NOTHING))  # struct sock_fprog: one instruction


def deafen(sock: socket.socket, deaf: bool) -> None:
    """Throw away each segment that arrives at `sock`, or no longer (SO_ATTACH_FILTER, socket(7)).

    Any process may do that with its own sockets. Raises OSError where a sandbox forbids it, NotImplementedError on
    another system than Linux.
    """
    if sys.platform != "linux":
        if deaf:
            raise NotImplementedError(f"only Linux lets a socket throw away what arrives, and this is {sys.platform}")
    elif deaf:
        _Socket.setsockopt(sock, socket.SOL_SOCKET, _ATTACH_FILTER, _DEAF)
    else:
        with suppress(FileNotFoundError):  # ENOENT: it has none
            _Socket.setsockopt(sock, socket.SOL_SOCKET, _DETACH_FILTER, 0)


def impatient(sock: socket.socket) -> None:
    """Have the kernel send again after a second at most, where it can (Linux 6.15): else it doubles up to 120 s."""
    with suppress(OSError):
        _Socket.setsockopt(sock, socket.IPPROTO_TCP, _RTO_MAX_MS, 1000)


@contextmanager
def bounded(sock: socket.socket, seconds: float) -> Iterator[None]:
    """No call on `sock` takes longer than that meanwhile; afterwards it has the timeout that it had."""
    before = _Socket.gettimeout(sock)
    if is_open(sock):
        _Socket.settimeout(sock, seconds)
    try:
        yield
    finally:
        if is_open(sock):
            _Socket.settimeout(sock, before)


def abort(sock: socket.socket) -> None:
    """Close with an RST instead of a FIN (SO_LINGER with 0 seconds, socket(7)). Idempotent."""
    form = "hh" if sys.platform == "win32" else "ii"  # two u_short there, two int here
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
    sock.close()


def is_open(sock: socket.socket) -> bool:
    return _Socket.fileno(sock) >= 0


def name_of(sock: socket.socket) -> Any:
    return _Socket.getsockname(sock)


def peer_of(sock: socket.socket) -> Any:
    """The peer's address; None where there is none, or none yet."""
    with suppress(OSError):
        return _Socket.getpeername(sock)
    return None


def state_of(sock: socket.socket) -> str | None:
    """The kernel's word for the state of an open socket; None where the system does not tell."""
    if sys.platform != "linux":
        return next((row.state for row in netstat(all=True) if row.fd == _Socket.fileno(sock)), None)
    try:
        return STATES[_Socket.getsockopt(sock, socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]
    except OSError:  # closed by a cell, just now
        return "CLOSE"


def in_the_table(family: int, pair: tuple[Any, Any] | None) -> Entry | None:
    """The connection between these addresses as the kernel's table has it; None: there is none, or no such table."""
    if pair is not None:
        with suppress(OSError, NotImplementedError):
            return find(family, pair[0][:2], pair[1][:2])
    return None


def readable(sock: socket.socket) -> int:
    """Bytes that recv() could return now; 0 where this system has no such question."""
    try:
        import fcntl
        import termios

        return int.from_bytes(fcntl.ioctl(_Socket.fileno(sock), termios.FIONREAD, bytes(4)), sys.byteorder)
    except (ImportError, OSError, ValueError):
        return 0


def queued(sock: socket.socket) -> int | None:
    """Connections that wait in a listener's queue: tcpi_unacked; None where there is no such thing."""
    with suppress(OSError, AttributeError):
        data = _Socket.getsockopt(sock, socket.IPPROTO_TCP, socket.TCP_INFO, 28)
        if STATES[data[0]] == "LISTEN" and sys.platform == "linux":
            return int.from_bytes(data[24:28], sys.byteorder)
    return None
