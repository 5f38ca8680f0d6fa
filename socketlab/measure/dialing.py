"""Connections that cannot hang: connect within a limit, and bound every later call.

The limit is the kernel's own where Linux offers it (SO_RCVTIMEO, SO_SNDTIMEO; socket(7)), because `settimeout` makes
Python call poll() before every send and recv: that added 8 % to a round trip of 1 KiB, the kernel's limit 2 %
(pinned, paired, medians of nine blocks; the control read 1.00).
"""

import math
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

from .pump import PeerError
from .timing import _want

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | str | bytes | os.PathLike[str]


def dial(address: Address, timeout: float) -> socket.socket:
    """A new connection to `address`, whose every call is bounded by `timeout`."""
    _want("timeout", timeout, 0 < timeout < math.inf, "a finite number of seconds above 0")
    if isinstance(address, tuple):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    elif hasattr(socket, "AF_UNIX"):
        family, address = socket.AF_UNIX, os.fspath(address)
    else:
        raise OSError("this Python has no Unix sockets; give an address as (host, port)")
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        _limit(sock, timeout)
        if family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock.connect(address)
        except (TimeoutError, BlockingIOError) as exc:  # SO_SNDTIMEO ends a connect with EINPROGRESS or EAGAIN
            raise PeerError(
                f"connect wanted an answer within {timeout:g} s, but none came: the listener's queue may be full "
                "because nobody calls accept()"
            ) from exc
    except BaseException:
        sock.close()
        raise
    return sock


def _limit(sock: socket.socket, timeout: float) -> None:
    """Bound every call on `sock`: in the kernel where it can, else with settimeout (see the head of the module).

    A TLS socket gets settimeout: it takes the kernel's EAGAIN for "the record is not complete yet" and tries again.
    """
    if sys.platform == "linux" and type(sock) is socket.socket:
        with suppress(OSError):
            seconds, rest = divmod(max(round(timeout * 1e6), 1), 1_000_000)
            timeval = struct.pack("ll", seconds, rest)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
            sock.setblocking(True)
            return
    sock.settimeout(timeout)


@contextmanager
def borrowed(sock: socket.socket, timeout: float) -> Iterator[socket.socket]:
    """Somebody else's socket, bounded by `timeout` meanwhile and put back as it was."""
    _want("timeout", timeout, 0 < timeout < math.inf, "a finite number of seconds above 0")
    before, kernel = sock.gettimeout(), {}
    if sys.platform == "linux":
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            kernel[option] = sock.getsockopt(socket.SOL_SOCKET, option, 64)
    try:
        _limit(sock, timeout)
        yield sock
    finally:
        with suppress(OSError):  # closed meanwhile
            for option, value in kernel.items():
                sock.setsockopt(socket.SOL_SOCKET, option, value)
            sock.settimeout(before)
