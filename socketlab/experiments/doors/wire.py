"""One TCP socket, seen and handled below Python: its state, what waits in it, and ears that can be shut.

Everything here goes through `_socket.socket`, the class below `socket.socket`, so that looking at the kernel, and
holding up the wire, never show up in a trace of the program.
"""

from __future__ import annotations

import socket
import struct
import sys
from _socket import socket as _Socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ...measure.kernel_table import STATES, Entry, find
from ...measure.socket_table import netstat

# Python has no names for them: linux/in.h, linux/in6.h.
_MIN_TTL = {socket.AF_INET: (socket.IPPROTO_IP, 21), socket.AF_INET6: (socket.IPPROTO_IPV6, 73)}
_RTO_MAX_MS = 44  # linux/tcp.h, since Linux 6.15


def deafen(sock: socket.socket, deaf: bool) -> None:
    """Have the kernel throw away each segment that arrives at `sock`, or no longer.

    It asks for packets that have passed no router (IP_MINTTL, IPV6_MINHOPCOUNT: RFC 5082), which a sender shows by
    the highest time to live, 255. This machine's packets have 64. No privilege is needed, as it is for a filter
    (SO_ATTACH_FILTER, on TCP sockets of newer kernels). A handshake that is half done is not asked for it.
    Raises OSError where a sandbox knows no such option, NotImplementedError on another system than Linux.
    """
    if sys.platform == "linux":
        level, option = _MIN_TTL[sock.family]
        _Socket.setsockopt(sock, level, option, 255 if deaf else 0)
    elif deaf:
        raise NotImplementedError(f"only Linux lets a socket throw away what arrives, and this is {sys.platform}")


def impatient(sock: socket.socket) -> None:
    """Have the kernel send again after a second at most, where it can (Linux 6.15): else it doubles up to 120 s."""
    _send_again(sock, 1)


def patient_once_closed(sock: socket.socket) -> None:
    """The same, for a socket that will be closed next: 16 s at most.

    A closed socket whose FIN nobody acknowledges is given up as soon as the time has come to this limit (tcp(7),
    tcp_orphan_retries): after two seconds with a limit of one, and nobody would see LAST-ACK or CLOSING.
    """
    _send_again(sock, 16)


def _send_again(sock: socket.socket, most: int) -> None:
    """TCP_RTO_MAX_MS: the longest time in seconds after which something is sent again."""
    with suppress(OSError):
        _Socket.setsockopt(sock, socket.IPPROTO_TCP, _RTO_MAX_MS, 1000 * most)


@contextmanager
def bounded(sock: socket.socket, seconds: float) -> Iterator[None]:
    """No call on `sock` takes longer than that meanwhile; afterwards it has the timeout that it had."""
    before = _Socket.gettimeout(sock)
    with suppress(OSError):  # closed: the call itself shall say so
        _Socket.settimeout(sock, seconds)
    try:
        yield
    finally:
        with suppress(OSError):  # closed meanwhile
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
