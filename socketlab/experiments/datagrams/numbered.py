"""Numbered datagrams: sent in bursts, and read when a burst is over.

Each consists of its number, over and over, so that it tells which it is even where a bit is wrong. UDP's checksum
(RFC 768) does not find such a bit: the link computes the checksum anew, as a router with bad memory does. What became
of those that were not received is known from both sides: the link's chances can be computed again from its seed, and
Linux counts what it dropped because a receiver's buffer was full.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter, sleep
from typing import Any

from ...links import faulty_link
from ...links.chance import draw, seed_of
from ...links.datagram import Datagrams
from ...links.faults import DatagramFaults
from ..running import Steps
from .fates import Arrival, DatagramLoss, fates_of

_FIELD = 7  # bytes of a number and a space
_LIMIT = 10.0  # s beyond what the faults ask for, after which a link has failed
_STEP = 0.04  # s between two yields
_AHEAD = 32  # datagrams that the sender may be ahead of the link: they fit into any buffer of the link's kernel
_SETTLE = 0.02  # s that the kernel has to deliver, where it does not count what it dropped

# Not in Python's socket module; linux/sock_diag.h. An array of 32 bits each, the last of which counts drops.
_SO_MEMINFO, _DROPS = 55, 8


class Post:
    """The sockets, what has been sent, and what has come."""

    def __init__(
        self, opened: ExitStack, burst: int, size: int, buffer: int | None, seed: int, faults: DatagramFaults | None
    ) -> None:
        self.burst, self.size = burst, size
        self.receiver = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        if buffer is not None:
            self.receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.granted = self.receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        self.receiver.bind(("127.0.0.1", 0))
        self.receiver.setblocking(False)
        address = self.receiver.getsockname()
        self.link: Any = None
        self.patience, self.loss = _LIMIT, 0.0
        if faults is not None:
            self.link = opened.enter_context(faulty_link(address, datagrams=True, up=faults.as_dict(), seed=seed))
            address = self.link.address
            self.patience += faults.latency + faults.jitter
            self.loss = faults.loss
        # What the link will draw for its first client's datagrams: see links/datagram.py.
        self.chance = seed_of(seed_of(seed_of(seed, 1), "up"), "loss")
        self.sender = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sender.settimeout(_LIMIT)
        self.sender.connect(address)
        self.sent = self.finished = self.returned = 0
        self.lost: set[int] = set()
        self.arrivals: list[Arrival] = []
        self.highest = 0
        self.began = self.shown = perf_counter()
        self.last = 0.0

    def is_time(self) -> bool:
        """Whether somebody wants to see something again."""
        due = perf_counter() >= self.shown + _STEP
        if due:
            self.shown = perf_counter()
        return due

    def send(self, burst: int) -> Steps[None]:
        """Send a burst, and wait until all of it is where it will stay: in the receiver's kernel, or nowhere."""
        if not self.sent:
            self.began = perf_counter()
        for _ in range(burst):
            self.sent += 1
            if draw(self.chance, self.sent - 1) < self.loss:
                self.lost.add(self.sent)
            self.sender.send(datagram(self.sent, self.size))
            # Faster than the link reads, they would be lost in its own kernel buffer, and their numbers slip.
            if self.link is not None and self.sent % _AHEAD == 0:
                yield from self._until(lambda: self.counted().taken == self.sent)
            if self.is_time():
                yield None, None
        if self.link is not None:
            yield from self._until(lambda: self.counted().taken == self.sent and not self.counted().pending)

    def counted(self) -> Datagrams:
        up: Datagrams = self.link.stats.up
        return up

    def read(self) -> Steps[None]:
        """Read what the kernel has kept, until every datagram of the burst is accounted for."""
        coming = self.sent if self.link is None else self.counted().passed
        quiet = perf_counter()
        while True:
            try:
                self._came(self.receiver.recv(65535))
                quiet = perf_counter()
                continue
            except BlockingIOError:
                dropped = _dropped(self.receiver)
            settled = _LIMIT if dropped is not None else _SETTLE
            if self.returned + (dropped or 0) >= coming or perf_counter() > quiet + settled:
                break
            sleep(0.0005)  # delivered by another CPU, in a moment
            if self.is_time():
                yield None, None
        self.finished = self.sent
        self.last = perf_counter() - self.began

    def _came(self, data: bytes) -> None:
        self.returned += 1
        number = number_of(data)
        if 1 <= number <= self.sent:  # or it is a stranger's
            intact = data == datagram(number, self.size)
            at = perf_counter() - self.began
            self.arrivals.append(Arrival(number, intact, at, number < self.highest))
            self.highest = max(self.highest, number)

    def _until(self, condition: Callable[[], bool]) -> Steps[None]:
        end = perf_counter() + self.patience
        while not condition():
            if perf_counter() > end:
                raise OSError(
                    f"the link wanted to pass on {self.sent:,} datagrams, but after {self.patience:g} s "
                    f"it has {self.counted()}; the machine may be overloaded: try again"
                )
            sleep(0.0005)
            if self.is_time():
                yield None, None

    def result(self) -> DatagramLoss:
        """Of the bursts that are over."""
        fates = fates_of(self.finished, self.lost, self.arrivals)
        link = None if self.link is None else self.counted()
        return DatagramLoss(fates, tuple(self.arrivals), self.granted, self.burst, self.last, link)


def datagram(number: int, size: int) -> bytes:
    """Its number, over and over: whichever bit is flipped, most of the numbers are right."""
    field = b"%06d " % number
    return (field * (size // _FIELD + 1))[:size]


def number_of(data: bytes) -> int:
    """The number that most of the fields have, 0 where none can be read."""
    fields = [data[start : start + _FIELD - 1] for start in range(0, len(data) - _FIELD + 1, _FIELD)]
    ((number, _),) = Counter(int(field) for field in fields if field.isdigit()).most_common(1) or [(0, 0)]
    return number


def _dropped(sock: socket.socket) -> int | None:
    """How many datagrams the kernel has dropped because the buffer of `sock` was full; None where it does not say."""
    if sys.platform != "linux":
        return None
    try:
        table = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * (_DROPS + 1))
    except OSError:
        return None
    return int(struct.unpack_from("=I", table, 4 * _DROPS)[0]) if len(table) >= 4 * (_DROPS + 1) else None
