"""Sending at the pace of the reader: the next piece goes out when the one before has been taken.

A pause between two pieces says "probably apart": on a busy machine they arrive together, and the same answer passes or
fails, and fails with other words. Here the reader's queue is looked at instead: it is empty before each piece, so a
recv never finds more than one.
"""

from __future__ import annotations

import sys
import time
from _socket import socket as _Socket  # the calls of `socket.socket` are traced, and these looks are nobody's business
from socket import socket

LOOK = 0.0002  # seconds between two looks at the queue
PATIENCE = 5.0  # seconds after which a piece was not taken: later than any deadline


def dribble(peer: socket, reader: socket, data: bytes, size: int = 1) -> None:
    """Send `data` through `peer`, `size` bytes at a time, each piece when `reader`, its other end, has none left.

    The last piece is waited for as well. Raises TimeoutError where a piece is not taken, ConnectionError where the
    reader is closed.
    """
    for start in range(0, len(data), size):
        peer.sendall(data[start : start + size])
        taken(reader)


def taken(reader: socket) -> None:
    """Wait until `reader` has taken everything that has arrived for it. Raises as `dribble` does."""
    end = time.monotonic() + PATIENCE
    while unread(reader):
        if time.monotonic() > end:
            raise TimeoutError(f"nobody reads: {unread(reader)} bytes lie there since {PATIENCE} s")
        time.sleep(LOOK)


def arrived(reader: socket, size: int) -> None:
    """Wait until `size` bytes lie there for `reader`: send() returns before. Raises as `dribble` does."""
    end = time.monotonic() + PATIENCE
    while unread(reader) < size and sys.platform != "win32":
        if time.monotonic() > end:
            raise TimeoutError(f"wanted {size} bytes, {unread(reader)} came within {PATIENCE} s")
        time.sleep(LOOK)


def unread(reader: socket) -> int:
    """Bytes that a recv would find (tcp(7), SIOCINQ). Raises ConnectionError where `reader` is closed."""
    if sys.platform == "win32":
        time.sleep(0.01)  # it does not tell
        return 0
    import fcntl
    import termios

    try:
        return int.from_bytes(fcntl.ioctl(_Socket.fileno(reader), termios.FIONREAD, bytes(4)), sys.byteorder)
    except (OSError, ValueError):
        raise ConnectionError("the reader has closed its end") from None
