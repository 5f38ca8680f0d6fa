"""How fast a connection is, by the size of its buffers: the program's own, or the kernel's.

Each send() and each recv() is a trip into the kernel that costs about the same for 64 bytes as for a kilobyte, so
small buffers of the program spend their time on calls, and large ones on copying; beyond the processor's cache they
are no faster. Small buffers of the *kernel* make the ends wait for each other: every few kilobytes one of them
sleeps until the other has run. The worst is a small SO_SNDBUF before a large window: the receiver, which waits for
more before it acknowledges, acknowledges after 40 ms (the delayed ACK, RFC 1122, 4.2.3.2), and the sender has no room
for more before it does. That begins some milliseconds after the first byte, when the receiver's quick-ack start is
over: so a sample is a section of a conversation that goes on, not the moving of so many bytes.

Both ends are threads of this process, so the sizes can be compared, and the figures are below those of two processes.
All sizes take turns, forwards and then backwards, because a machine is not equally busy all the time.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from ...interrupts import Uninterrupted
from ...measure.dialing import borrowed
from ...measure.timing import _want, bytes_text
from ..running import Steps, run
from .pairs import MOST, check_buffers, stream_pair

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = ["ThroughputByBuffer", "draw_throughput_by_buffer", "throughput_by_buffer", "throughput_by_buffer_steps"]

LARGEST = 16 * 1024 * 1024  # bytes of one call
_CALL = 65536  # bytes of a call whose size is not what is varied
_CALLS = tuple(4**n for n in range(3, 11))  # 64 bytes to 1 MiB
_BUFFERS = tuple(4**n for n in range(6, 11))  # 4 KiB to 1 MiB
#: What may be varied, and how an axis calls it.
VARIED = {
    "send": "bytes given to each send()",
    "recv": "bytes asked for by each recv()",
    "calls": "bytes of each send() and each recv()",
    "SO_SNDBUF": "SO_SNDBUF that the sender asked for",
    "SO_RCVBUF": "SO_RCVBUF that the receiver asked for",
    "buffers": "SO_SNDBUF and SO_RCVBUF, as asked for",
}
_PATIENCE = 10.0  # seconds for one call


@dataclass(frozen=True, repr=False)
class ThroughputByBuffer:
    """Bytes per second that arrived, for each size of a buffer."""

    vary: str  #: a key of `VARIED`
    sizes: tuple[int, ...]  #: bytes
    samples: tuple[tuple[float, ...], ...]  #: bytes per second, one sample a round, by size
    family: str = "tcp4"

    @property
    def rates(self) -> tuple[float | None, ...]:
        """Bytes per second for each size, the median of its rounds; None: not measured yet."""
        return tuple(median(some) if some else None for some in self.samples)

    @property
    def best(self) -> int | None:
        """The size with the highest rate."""
        known = [(rate, size) for rate, size in zip(self.rates, self.sizes, strict=True) if rate is not None]
        return max(known)[1] if known else None

    def summary(self) -> str:
        """One line for people."""
        words = [
            f"{bytes_text(size)}: {bytes_text(rate)}/s"
            for size, rate in zip(self.sizes, self.rates, strict=True)
            if rate is not None
        ]
        return f"{VARIED[self.vary]}: {', '.join(words) or 'nothing measured yet'}"

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<ThroughputByBuffer {self.vary}, {len(self.sizes)} sizes>"


def throughput_by_buffer(
    sizes: Sequence[int] | None = None,
    *,
    vary: str = "calls",
    rounds: int = 5,
    seconds: float = 0.05,
    family: str = "tcp4",
) -> ThroughputByBuffer:
    """Move bytes through a new connection for each size in turn, and `rounds` times over.

    `vary` says what has these sizes: "send", "recv" or both "calls"; "SO_SNDBUF", "SO_RCVBUF" or both "buffers", the
    kernel's, which grants twice what is asked for, within its limits. The others have 64 KiB a call and the kernel's
    choice. A sample counts what the receiver has had in `seconds`, after as long that does not count. Raises
    ValueError for values out of range, OSError where this machine lacks the `family`.
    """
    steps = throughput_by_buffer_steps(sizes, vary=vary, rounds=rounds, seconds=seconds, family=family)
    return run(steps, "throughput by buffer size")


def throughput_by_buffer_steps(
    sizes: Sequence[int] | None = None,
    *,
    vary: str = "calls",
    rounds: int = 5,
    seconds: float = 0.05,
    family: str = "tcp4",
) -> Steps[ThroughputByBuffer]:
    """The same step by step: see `running`. A step is one sample, which takes twice `seconds`."""
    _want("vary", vary, vary in VARIED, " or ".join(map(repr, VARIED)))
    calls = vary in ("send", "recv", "calls")
    chosen = tuple((_CALLS if calls else _BUFFERS) if sizes is None else sizes)
    most = LARGEST if calls else MOST
    whole = all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= most for n in chosen)
    _want("sizes", chosen, bool(chosen) and whole, f"one or more of 1 to {most:,} bytes")
    _want("rounds", rounds, 1 <= rounds <= 1000, "1 to 1,000")
    _want("seconds", seconds, 0.001 <= seconds <= 10, "0.001 to 10 seconds")
    check_buffers(family, None, None)
    return _steps(tuple(dict.fromkeys(chosen)), vary, rounds, seconds, family)


def _steps(
    sizes: tuple[int, ...], vary: str, rounds: int, seconds: float, family: str
) -> Generator[tuple[float | None, ThroughputByBuffer], None, None]:
    samples: dict[int, list[float]] = {size: [] for size in sizes}

    def result() -> ThroughputByBuffer:
        return ThroughputByBuffer(vary, sizes, tuple(tuple(samples[size]) for size in sizes), family)

    yield 0.0, result()
    for round_ in range(rounds):
        for n, size in enumerate(sizes if round_ % 2 == 0 else reversed(sizes)):
            samples[size].append(_sample(size, vary, seconds, family))
            yield (round_ + (n + 1) / len(sizes)) / rounds, result()


def _sample(size: int, vary: str, seconds: float, family: str) -> float:
    """Bytes per second that arrived, in the second half of twice `seconds`."""
    sender, receiver = stream_pair(
        family,
        sndbuf=size if vary in ("SO_SNDBUF", "buffers") else None,
        rcvbuf=size if vary in ("SO_RCVBUF", "buffers") else None,
    )
    with sender, receiver:
        reader = _Reader(receiver, size if vary in ("recv", "calls") else _CALL)
        try:
            with borrowed(sender, _PATIENCE):
                with Uninterrupted():
                    reader.start()
                data = bytes(size if vary in ("send", "calls") else _CALL)
                began, before = _send(sender, data, seconds), reader.got
                ended = _send(sender, data, seconds)
                return (reader.got - before) / (ended - began)
        finally:
            with suppress(OSError):
                receiver.shutdown(socket.SHUT_RDWR)  # wakes the reader
            reader.join()


def _send(sender: socket.socket, data: bytes, seconds: float) -> float:
    """Send for so long, and say what time it is then."""
    send, clock = sender.send, perf_counter
    now = clock()
    end = now + seconds
    try:
        while now < end:
            send(data)
            now = clock()
    except (BlockingIOError, TimeoutError) as exc:
        raise TimeoutError(f"send() wanted room for one more byte, but none came in {_PATIENCE:g} s") from exc
    return now


class _Reader(threading.Thread):
    """Receives as fast as it can, and counts."""

    def __init__(self, sock: socket.socket, size: int) -> None:
        super().__init__(name="receiver", daemon=True)
        self.got = 0
        self._receive, self._place = sock.recv_into, bytearray(size)

    def run(self) -> None:
        receive, place = self._receive, self._place
        with suppress(OSError):
            while count := receive(place):
                self.got += count


def draw_throughput_by_buffer(*results: ThroughputByBuffer, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """The median of each size as a line, every sample as a small dot. Sizes and rates have their units at the ticks.

    Without a `title` the picture says where it was fastest. Raises ValueError without results, for more than six, or
    for one in which nothing was measured.
    """
    from ...measure.plots import series, style
    from ..paper import bytes_axis, legend_above, one_axes

    for found in results:
        if found.best is None:
            raise ValueError("draw_throughput_by_buffer wanted measurements, but got a result without any")
    picture, ax = one_axes(results, "draw_throughput_by_buffer", ax)
    with style():
        rates: list[float] = []
        for found, stroke in zip(results, series(), strict=False):
            known = [(size, rate) for size, rate in zip(found.sizes, found.rates, strict=True) if rate is not None]
            known.sort()
            dots = [(size, rate) for size, some in zip(found.sizes, found.samples, strict=True) for rate in some]
            rounds = max(map(len, found.samples))
            label = f"{VARIED[found.vary]}, {found.family}, median of {rounds}"
            ax.plot([size for size, _ in known], [rate for _, rate in known], marker="o", label=label, **stroke)
            ax.plot(
                [size for size, _ in dots],
                [rate for _, rate in dots],
                "o",
                color=stroke["color"],
                alpha=0.45,
                markersize=3,
            )
            rates += [rate for _, rate in (*known, *dots)]
        bytes_axis(ax, [size for found in results for size in found.sizes], "size of the buffer", across=True)
        bytes_axis(ax, rates, "throughput", per="/s")
        legend_above(ax, len(results), title or _finding(results))
    return ax if picture is None else picture


def _finding(results: tuple[ThroughputByBuffer, ...]) -> str:
    found = results[0]
    known = [rate for rate in found.rates if rate is not None]
    if len(results) > 1 or len(known) < 2 or found.best is None:
        return "How fast a connection is depends on its buffers"
    times = max(known) / max(min(known), 1.0)
    return f"{bytes_text(found.best)} is {times:,.0f} times as fast as the slowest size"
