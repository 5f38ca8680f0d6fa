"""A connection with both ends in this process, kernel buffers of the sizes that were asked for, and what is in them.

Sizes are asked for before the connection exists: what the receiver has offers itself as a window in the handshake, and
the factor by which that window is scaled is fixed there (RFC 7323, 2.2; tcp(7)). A listener's SO_RCVBUF is inherited by
what it accepts. Linux grants twice what it was asked for, because half of it is for its own records (socket(7)).
"""

from __future__ import annotations

import os
import socket
import sys
from _socket import socket as _Socket  # the class below socket.socket: looking does not show up in a trace

from ...measure.socket_rows import _waiting
from ...measure.timing import _want
from ...servers.loopback import HOME

#: What a pair may be made of. In a Unix pair the bytes of both ends are of one buffer: see `Stall`.
FAMILIES = ("tcp4", "tcp6", "unix")
#: The most that a buffer may be asked to have: beyond it the kernel's doubling would leave the range of a C int.
MOST = 2**30 - 1
_PATIENCE = 5.0  # seconds for a handshake on loopback, which takes microseconds


def stream_pair(
    family: str = "tcp4", *, sndbuf: int | None = None, rcvbuf: int | None = None, mss: int | None = None
) -> tuple[socket.socket, socket.socket]:
    """A sender that asked for `sndbuf` bytes (SO_SNDBUF) and the receiver that asked for `rcvbuf` (SO_RCVBUF).

    None asks for nothing: the kernel chooses, and changes its choice as it sees fit (tcp_wmem and tcp_rmem, tcp(7)).
    With `mss` the segments of a TCP connection are no larger than that (TCP_MAXSEG, bytes). Both ends block and are the
    caller's to close. Raises ValueError as `check_buffers`, OSError where this machine lacks the family.
    """
    check_buffers(family, sndbuf, rcvbuf)
    if family == "unix":
        if not hasattr(socket, "AF_UNIX"):
            raise OSError("this Python has no Unix sockets: take 'tcp4'")
        sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        _ask(sender, socket.SO_SNDBUF, sndbuf)
        _ask(receiver, socket.SO_RCVBUF, rcvbuf)
        return sender, receiver
    kind = socket.AF_INET6 if family == "tcp6" else socket.AF_INET
    with socket.socket(kind, socket.SOCK_STREAM) as listener:
        listener.settimeout(_PATIENCE)
        listener.bind((HOME[kind], 0))
        _ask(listener, socket.SO_RCVBUF, rcvbuf)
        listener.listen(1)
        sender = socket.socket(kind, socket.SOCK_STREAM)
        try:
            sender.settimeout(_PATIENCE)
            _ask(sender, socket.SO_SNDBUF, sndbuf)
            if mss is not None:
                sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
            sender.connect(listener.getsockname())
            while True:  # the port is open to every program of this machine: only our own end is taken
                receiver, name = listener.accept()
                if name == sender.getsockname():
                    break
                receiver.close()
        except BaseException:
            sender.close()
            raise
        for sock in (sender, receiver):  # the receiver has socket.getdefaulttimeout()
            sock.settimeout(None)
        return sender, receiver


def check_buffers(family: str, sndbuf: int | None, rcvbuf: int | None) -> None:
    """Raise ValueError for an unknown family or for sizes that no buffer has."""
    _want("family", family, family in FAMILIES, " or ".join(map(repr, FAMILIES)))
    for name, size in (("sndbuf", sndbuf), ("rcvbuf", rcvbuf)):
        whole = isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= MOST
        _want(name, size, size is None or whole, f"1 to {MOST:,} bytes, or None for what the kernel chooses")


def granted(sender: socket.socket, receiver: socket.socket) -> tuple[int, int]:
    """What the kernel allows for now, in bytes of its memory: the sender's SO_SNDBUF, the receiver's SO_RCVBUF."""
    return (
        _Socket.getsockopt(sender, socket.SOL_SOCKET, socket.SO_SNDBUF),
        _Socket.getsockopt(receiver, socket.SOL_SOCKET, socket.SO_RCVBUF),
    )


def waiting(sock: socket.socket) -> tuple[int | None, int | None]:
    """Of a connected socket: bytes that recv() would find, and bytes in its send queue (SIOCINQ, SIOCOUTQ, tcp(7)).

    A Unix socket's send queue is the memory that its unread bytes take, the kernel's records included. None: this
    system does not tell, or the socket is closed.
    """
    fd = sock.fileno()
    if fd < 0 or sys.platform == "win32":
        return None, None
    try:
        return _waiting(fd, os.fstat(fd).st_ino)
    except OSError:
        return None, None


def _ask(sock: socket.socket, option: int, size: int | None) -> None:
    if size is not None:
        sock.setsockopt(socket.SOL_SOCKET, option, size)
