"""What waits in the kernel, over time: bytes in the two queues of a connection, connections at a listener's door.

Both ends of a queue are fast and what lies between them is not seen, so the queue tells which end is the slow one: a
receive queue that grows belongs to a program that does not read, a send queue to a peer that does not, a listener's
queue to a program that does not call accept().

Looking is two ioctl() or one getsockopt() for each socket, and never shows up in a trace. A queue that fills and
empties between two looks is not seen.
"""

from __future__ import annotations

import os
import socket
import threading
from _socket import socket as _Socket  # see above
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

from ...interrupts import Uninterrupted
from ...measure.kernel_table import unix_table
from ...measure.tcp_fields import tcp_info
from ...measure.timing import _want
from .pairs import waiting

__all__ = ["Depth", "Depths", "QueueDepth", "watching"]

SHORTEST = 0.001  # seconds between two looks: more often, and the looking would take the interpreter from the others
_KEPT = 20_000  # looks; of more, every second one is dropped


class Depth(NamedTuple):
    """One look at one socket. None: it has no such queue, it is closed, or this system does not tell.

    Of a stream socket: bytes in both queues (of a Unix socket's send queue: the memory that they take), and the memory
    that the kernel grants (SO_SNDBUF, SO_RCVBUF), its own records included. Of a listener: connections that wait for
    accept(), and how many can; the sending side is None.
    """

    t: float  #: seconds since the first look
    send: int | None
    receive: int | None
    send_limit: int | None
    receive_limit: int | None


@dataclass(frozen=True, repr=False)
class QueueDepth:
    """What was seen of several sockets, in the order in which they were given."""

    names: tuple[str, ...]
    listeners: tuple[bool, ...]  #: which of them count connections and not bytes
    samples: tuple[tuple[Depth, ...], ...]  #: of each socket, the oldest first

    def summary(self) -> str:
        """One line for people: the most that was seen in each queue."""
        words = []
        for name, listener, samples in zip(self.names, self.listeners, self.samples, strict=True):
            most = [max((n for n in side if n is not None), default=None) for side in sides(samples)]
            if listener:
                words.append(f"{name}: at most {_number(most[1])} waiting")
            else:
                words.append(f"{name}: at most {_number(most[0])} bytes to send, {_number(most[1])} to be read")
        return "; ".join(words)

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<QueueDepth {', '.join(self.names)}>"


class Depths:
    """Looks at sockets whenever `step` is called. For who has a loop already; `watching` brings a thread of its own.

    `names` are for pictures, by default "socket 1" and so on, "listener" for those. With `last`, only the looks of so
    many seconds are kept. Raises ValueError for what is no open stream socket, or where names and sockets differ in
    number.
    """

    def __init__(self, *socks: socket.socket, names: Sequence[str] = (), last: float | None = None) -> None:
        _want("Depths", len(socks), bool(socks), "at least one socket")
        _want("names", names, len(names) in (0, len(socks)), f"{len(socks)}, one for each socket, or none")
        for sock in socks:
            good = isinstance(sock, _Socket) and sock.fileno() >= 0 and sock.type == socket.SOCK_STREAM
            _want("Depths", sock, good, "open stream sockets: connections and listeners")
        self.listeners = tuple(map(_listens, socks))
        numbered = [f"socket {n}" for n in range(1, len(socks) + 1)]
        if len(socks) == 1:
            numbered = ["listener" if self.listeners[0] else "socket"]
        self.names = tuple(names) or tuple(numbered)
        self._socks, self._last = socks, last
        self._looks: list[deque[Depth]] = [deque() for _ in socks]
        self._began: float | None = None
        self.stride = 1  #: of so many looks one is kept
        self._count = 0

    def step(self) -> tuple[Depth, ...]:
        """Look once at every socket, and return what was seen. A closed socket shows None."""
        now = perf_counter()
        if self._began is None:
            self._began = now
        seen = tuple(
            _look(sock, listener, now - self._began) for sock, listener in zip(self._socks, self.listeners, strict=True)
        )
        self._count += 1
        if self._count % self.stride == 0:
            for kept, depth in zip(self._looks, seen, strict=True):
                kept.append(depth)
                while self._last is not None and kept[0].t < depth.t - self._last:
                    kept.popleft()
            if len(self._looks[0]) > _KEPT:
                self._looks = [deque(list(kept)[::2]) for kept in self._looks]
                self.stride *= 2
        return seen

    def result(self) -> QueueDepth:
        """What has been seen until now."""
        return QueueDepth(self.names, self.listeners, tuple(map(tuple, self._looks)))


@contextmanager
def watching(*socks: socket.socket, names: Sequence[str] = (), every: float = 0.005) -> Iterator[Depths]:
    """Look at `socks` every `every` seconds from a thread beside the block, and once more at its end.

        with watching(client, server) as depths:
            ...
        draw_queue_depth(depths.result())

    Sockets may be closed within the block. Raises ValueError as `Depths`, and for `every` below 1 ms.
    """
    want_every(every)
    depths, ending = Depths(*socks, names=names), threading.Event()
    depths.step()

    def look() -> None:
        while not ending.wait(every * depths.stride):
            depths.step()

    thread = threading.Thread(target=look, name="queue depths", daemon=True)
    try:
        with Uninterrupted():
            thread.start()
        yield depths
    finally:  # an interrupt that came meanwhile is raised where that block ends
        ending.set()
        if thread.ident is not None:
            thread.join()
        depths.step()


def want_every(every: float) -> None:
    _want("every", every, SHORTEST <= every <= 60, f"{SHORTEST:g} to 60 seconds")


def _listens(sock: socket.socket) -> bool:
    with suppress(OSError, AttributeError):
        return bool(_Socket.getsockopt(sock, socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    try:  # macOS and Windows know no such option in every version: a listener has a name and no peer
        _Socket.getpeername(sock)
    except OSError:
        return True
    return False


def _look(sock: socket.socket, listener: bool, t: float) -> Depth:
    try:
        if not listener:
            receive, send = waiting(sock)
            limits = [
                _Socket.getsockopt(sock, socket.SOL_SOCKET, which) for which in (socket.SO_SNDBUF, socket.SO_RCVBUF)
            ]
            return Depth(t, send, receive, *limits)
        queue, backlog = _queue(sock)
    except OSError:
        return Depth(t, None, None, None, None)
    return Depth(t, None, queue, None, None if backlog is None else backlog + 1)


def _queue(sock: socket.socket) -> tuple[int | None, int | None]:
    """How many wait at a listener, and its backlog, which admits one more (sk_acceptq_is_full() in net/sock.h)."""
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        info = tcp_info(sock)
        return info.queue, info.backlog
    inode = os.fstat(sock.fileno()).st_ino
    with suppress(NotImplementedError):
        return next(((one.recv_q, one.send_q) for one in unix_table() if one.inode == inode), (None, None))
    return None, None


def sides(samples: Sequence[Depth]) -> tuple[list[int | None], list[int | None]]:
    return [depth.send for depth in samples], [depth.receive for depth in samples]


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
