"""Datagrams that do not arrive: lost on the way, or in the receiver's own kernel because it read too late.

The sender sends bursts. While a burst travels the receiver does not read; then it reads all that the kernel has kept
for it. So what does not fit into SO_RCVBUF is lost, on a slow machine as on a fast one. What the link does to a
datagram hangs on its seed and the datagram's number alone, so that the same seed gives the same fates; only with
jitter, which is a matter of microseconds, the order of arrival may differ.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from time import perf_counter, sleep
from typing import Any

from ..links import faulty_link
from ..links.chance import draw, seed_of
from ..links.datagram import QUEUE, Datagrams
from ..links.faults import DatagramFaults
from .fates import Arrival, BufferLoss, DatagramLoss, fates_of
from .running import Steps, run
from .wanted import whole

MOST = 10_000  # datagrams
SMALLEST, LARGEST = 21, 1400  # bytes of one: three times its number; what fits into a frame of Ethernet beside headers
BUFFERS = (1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16, 1 << 17)  # asked for in a sweep
_LARGEST_BUFFER = 1 << 30
_FIELD = 7  # bytes of a number and a space
_LIMIT = 10.0  # s beyond what the faults ask for, after which a link has failed
_STEP = 0.04  # s between two yields
_AHEAD = 32  # datagrams that the sender may be ahead of the link: they fit into any buffer of the link's kernel
_SETTLE = 0.02  # s that the kernel has to deliver, where it does not count what it dropped

# Not in Python's socket module; linux/sock_diag.h. An array of 32 bits each, the last of which counts drops.
_SO_MEMINFO, _DROPS = 55, 8


def datagram_loss(
    datagrams: int = 100,
    *,
    burst: int = 20,
    size: int = 100,
    receive_buffer: int | None = None,
    seed: int = 0,
    **faults: Any,
) -> DatagramLoss:
    """Send numbered `datagrams` of `size` bytes over UDP on loopback, and find out what became of each.

    They are sent in bursts of `burst`, while nobody reads. `receive_buffer` is asked for as the receiver's SO_RCVBUF,
    in bytes; None leaves the system's (net.core.rmem_default). `faults` put a faulty link in between: loss,
    duplication, reordering, corruption (probabilities), latency, jitter (seconds), as in `socketlab.faulty_link`;
    `seed` is its. "Late" is what was returned behind a datagram that was sent after it.

    Raises ValueError for numbers out of range, TypeError for a fault that does not exist, OSError where the machine
    lacks sockets.
    """
    steps = datagram_loss_steps(datagrams, burst=burst, size=size, receive_buffer=receive_buffer, seed=seed, **faults)
    return run(steps, "what became of datagrams")


def datagram_loss_steps(
    datagrams: int = 100,
    *,
    burst: int = 20,
    size: int = 100,
    receive_buffer: int | None = None,
    seed: int = 0,
    **faults: Any,
) -> Steps[DatagramLoss]:
    """`datagram_loss`, step by step: a result after each burst."""
    whole("datagrams", datagrams, 1, MOST, "datagrams")
    whole("size", size, SMALLEST, LARGEST, "bytes")
    whole("seed", seed, 0, 2**63, "any kind")
    if receive_buffer is not None:
        whole("receive_buffer", receive_buffer, 1, _LARGEST_BUFFER, "bytes")
    for name in faults:
        if name not in DatagramFaults.CHECKS:
            known = ", ".join(DatagramFaults.CHECKS)
            raise TypeError(f"a link for datagrams has no fault {name!r}; there are: {known}")
    wrong = DatagramFaults()
    wrong.set(**faults)
    # A link keeps 1,000 datagrams at most, and may double each.
    whole("burst", burst, 1, MOST if wrong.perfect else QUEUE // 2, "datagrams")
    return _steps(datagrams, burst, size, receive_buffer, seed, None if wrong.perfect else wrong)


def loss_by_receive_buffer(
    buffers: Sequence[int] = BUFFERS, *, datagrams: int = 200, size: int = 100, rounds: int = 3
) -> BufferLoss:
    """How many of a burst of `datagrams` are lost while nobody reads, for each SO_RCVBUF that is asked for.

    `buffers` and `size` in bytes. Raises ValueError for numbers out of range, OSError where the machine lacks sockets.
    """
    return run(
        loss_by_receive_buffer_steps(buffers, datagrams=datagrams, size=size, rounds=rounds),
        "loss by receive buffer",
    )


def loss_by_receive_buffer_steps(
    buffers: Sequence[int] = BUFFERS, *, datagrams: int = 200, size: int = 100, rounds: int = 3
) -> Steps[BufferLoss]:
    """`loss_by_receive_buffer`, step by step: a result after each size of the buffer."""
    if not 1 <= len(buffers) <= 100:
        raise ValueError(f"buffers wanted 1 to 100 sizes, but got {len(buffers):,}")
    for buffer in buffers:
        whole("a buffer", buffer, 1, _LARGEST_BUFFER, "bytes")
    whole("datagrams", datagrams, 1, MOST, "datagrams")
    whole("size", size, SMALLEST, LARGEST, "bytes")
    whole("rounds", rounds, 1, 100, "rounds")
    return _sweep(tuple(buffers), datagrams, size, rounds)


def _sweep(buffers: tuple[int, ...], datagrams: int, size: int, rounds: int) -> Steps[BufferLoss]:
    granted: list[int] = []
    lost: list[tuple[int, ...]] = []
    for buffer in buffers:
        found: list[int] = []
        for _ in range(rounds):
            for _, one in _steps(datagrams, datagrams, size, buffer, 0, None):
                result = one
                share = (len(granted) + len(found) / rounds) / len(buffers)
                yield share, BufferLoss(buffers[: len(granted)], tuple(granted), tuple(lost), datagrams, size)
            found.append(result.lost)
        granted.append(result.receive_buffer)
        lost.append(tuple(found))
    yield 1.0, BufferLoss(buffers, tuple(granted), tuple(lost), datagrams, size)


def _steps(
    datagrams: int, burst: int, size: int, buffer: int | None, seed: int, faults: DatagramFaults | None
) -> Steps[DatagramLoss]:
    with ExitStack() as opened:
        post = _Post(opened, burst, size, buffer, seed, faults)
        yield 0.0, post.result()
        while post.sent < datagrams:
            share = post.sent / datagrams
            for _ in post.send(min(burst, datagrams - post.sent)):
                yield share, post.result()
            for _ in post.read():
                yield share, post.result()
            if post.is_time():
                yield post.sent / datagrams, post.result()
        yield 1.0, post.result()


class _Post:
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
