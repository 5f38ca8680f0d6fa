"""Round trips against payload: what a byte more costs, and from which size on it does.

A small message costs what the calls cost: two sends, two recvs, two wake-ups, whatever is in it. From some size on the
copying counts, into the kernel and out of it at both ends, and time grows with the bytes. Where one turns into the
other is the machine's; that there is such a place is what the picture shows.

The sizes take turns on one connection, forwards in one round and backwards in the next, so that drift hits all alike.
Messages above 64 KiB are sent and received by turns (`measure.pump`): an echo of more than the buffers hold would stop
a sender who does not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, overload

from ..measure.dialing import Address, dial
from ..measure.timing import Timing, bytes_text, seconds_text
from ..measure.traffic import _Exchange, _payload
from .running import Steps, run
from .wanted import seconds, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..measure.plots import Picture

__all__ = [
    "RoundTripsByPayload",
    "draw_round_trips_by_payload",
    "round_trips_by_payload",
    "round_trips_by_payload_steps",
]

SIZES = (1, 64, 1024, 16384, 65536, 262144)
LARGEST = 16 * 1024 * 1024  # bytes of one message
_YIELD = 0.04  # seconds between two yields at most, unless one exchange takes longer


@dataclass(frozen=True, repr=False)
class RoundTripsByPayload:
    """`timings[i]` are the round trips, in seconds, of messages of `sizes[i]` bytes; sizes ascend."""

    sizes: tuple[int, ...] = ()
    timings: tuple[Timing, ...] = ()
    label: str = ""

    def of(self, size: int) -> Timing:
        """The round trips of one size. Raises KeyError where it has not been measured."""
        if size not in self.sizes:
            raise KeyError(f"no round trips of {size!r} bytes; there are {', '.join(map(str, self.sizes)) or 'none'}")
        return self.timings[self.sizes.index(size)]

    def growth(self, size: int | None = None) -> float:
        """How many times as long as the smallest message one of `size` takes, at the median; the largest unless told.

        Raises KeyError where `size` has not been measured or nothing has.
        """
        first, last = (self.sizes[0], self.sizes[-1]) if self.sizes else (0, 0)
        return self.of(last if size is None else size).ratio(self.of(first))

    def summary(self) -> str:
        """A line for each size."""
        return "\n".join(timing.summary() for timing in self.timings) or "nothing measured yet"

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        sizes = f"{bytes_text(self.sizes[0])} to {bytes_text(self.sizes[-1])}" if self.sizes else "nothing measured"
        return f"<RoundTripsByPayload {self.label + ', ' if self.label else ''}{sizes}>"


def round_trips_by_payload(
    address: Address,
    sizes: Sequence[int] = SIZES,
    *,
    rounds: int = 100,
    warmup: int = 10,
    timeout: float = 5.0,
    label: str = "",
) -> RoundTripsByPayload:
    """Send messages of each of `sizes` bytes to the echo server at `address`, `rounds` times; time each exchange.

    One connection, with TCP_NODELAY. The first `warmup` rounds are not counted; the bytes that come back are compared,
    outside the timed part. `timeout` bounds each exchange, in seconds.

    Raises ValueError for sizes outside 1 to 16 MiB, rounds outside 1 to 100,000, warmup outside 0 to 10,000, a timeout
    outside 0.01 to 600; PeerError where the peer does not echo; OSError as `connect` does.
    """
    steps = round_trips_by_payload_steps(address, sizes, rounds=rounds, warmup=warmup, timeout=timeout, label=label)
    return run(steps, "round trips by payload")


def round_trips_by_payload_steps(
    address: Address,
    sizes: Sequence[int] = SIZES,
    *,
    rounds: int = 100,
    warmup: int = 10,
    timeout: float = 5.0,
    label: str = "",
) -> Steps[RoundTripsByPayload]:
    """The same step by step: see `running`. A size is in the result as soon as it has a sample."""
    wanted = tuple(sorted({whole("a size", size, 1, LARGEST, "bytes") for size in sizes}))
    if not wanted:
        raise ValueError("round_trips_by_payload wanted at least one size, but got none")
    whole("rounds", rounds, 1, 100_000, "rounds")
    whole("warmup", warmup, 0, 10_000, "rounds")
    return _steps(address, wanted, rounds, warmup, seconds("timeout", timeout, 600, 0.01), label)


def _steps(
    address: Address, sizes: tuple[int, ...], rounds: int, warmup: int, timeout: float, label: str
) -> Steps[RoundTripsByPayload]:
    samples: dict[int, list[float]] = {size: [] for size in sizes}
    clock = perf_counter_ns

    def so_far() -> RoundTripsByPayload:
        there = tuple(size for size in sizes if samples[size])
        return RoundTripsByPayload(
            there, tuple(Timing(tuple(samples[size]), bytes_text(size)) for size in there), label
        )  # fmt: skip

    with dial(address, timeout) as sock:
        exchanges = [
            (samples[size], _Exchange(sock, _payload(size), timeout, f"round trip {bytes_text(size)}"))
            for size in sizes
        ]
        yielded = perf_counter()
        for turn in range(-warmup, rounds):
            for kept, exchange in exchanges if turn % 2 == 0 else reversed(exchanges):
                began = clock()
                reply = exchange()
                ended = clock()
                exchange.check(reply)
                if turn >= 0:
                    kept.append((ended - began) / 1e9)
                if perf_counter() - yielded > _YIELD:
                    yield (turn + warmup) / (rounds + warmup), so_far()
                    yielded = perf_counter()
    yield 1.0, so_far()


# -- the picture -------------------------------------------------------------------------------------------------------


@overload
def draw_round_trips_by_payload(*results: RoundTripsByPayload, title: str = "", ax: None = None) -> Picture: ...
@overload
def draw_round_trips_by_payload(*results: RoundTripsByPayload, title: str = "", ax: Axes) -> Axes: ...
def draw_round_trips_by_payload(
    *results: RoundTripsByPayload, title: str = "", ax: Axes | None = None
) -> Picture | Axes:
    """The median round trip against the payload, with a band up to the p90; both axes logarithmic, y in seconds.

    Without a `title` the picture says what it found. Raises ValueError without results, for more than six, and where
    one of them has nothing measured.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    from ..measure.plots import series, style
    from .paper import legend_above, one_axes

    picture, ax = one_axes(results, "draw_round_trips_by_payload", ax)
    if not all(found.sizes for found in results):
        raise ValueError("draw_round_trips_by_payload wanted a measurement, but a result has none")
    sizes = sorted({size for found in results for size in found.sizes})
    with style():
        for n, (found, stroke) in enumerate(zip(results, series(), strict=False)):
            middle, high = [t.p50 for t in found.timings], [t.p90 for t in found.timings]
            ax.plot(found.sizes, middle, marker="os^Dvp"[n % 6], label=_row(found), **stroke)
            ax.fill_between(found.sizes, middle, high, color=stroke["color"], alpha=0.2, linewidth=0)
        ax.set(xscale="log", yscale="log", xlabel="payload, logarithmic", ylabel="round trip, logarithmic")
        every = sizes if len(sizes) <= 8 else sizes[:: -(-len(sizes) // 8)]
        ax.set_xticks(every, [bytes_text(size) for size in every])
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xticks([], minor=True)
        ax.yaxis.set_major_locator(LogLocator(10, subs=(1, 3), numticks=12))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds_text(value)))
        ax.yaxis.set_minor_formatter(NullFormatter())
        legend_above(ax, len(results), title or finding(*results))
    return ax if picture is None else picture


def _row(found: RoundTripsByPayload) -> str:
    first, last = found.timings[0], found.timings[-1]
    words = f"p50 {seconds_text(first.p50)} at {bytes_text(found.sizes[0])}"
    if len(found.sizes) > 1:
        words += f", {seconds_text(last.p50)} at {bytes_text(found.sizes[-1])}"
    return f"{found.label + ': ' if found.label else ''}{words}; band up to p90"


def finding(*results: RoundTripsByPayload) -> str:
    """What the measurement shows, in a line: up to which size a round trip costs the same, and what comes then."""
    grown = [found for found in results if len(found.sizes) > 1]
    if not grown:
        return "One size there and back"
    first, last = min(f.sizes[0] for f in grown), max(f.sizes[-1] for f in grown)
    if len(grown) > 1:
        ratios = [f"{found.label or f'the {n}.'} {_times(found.growth())}" for n, found in enumerate(grown, 1)]
        return f"{last // first:,} × the bytes, and a round trip takes: {', '.join(ratios)}"
    found = grown[0]
    *_, flat = takewhile(lambda size: found.growth(size) < 2, found.sizes)
    if flat == first:
        return f"{last // first:,} × the bytes take {_times(found.growth())} as long"
    words = f"Up to {bytes_text(flat)}, the size matters little"
    return (
        words
        if flat == last
        else f"{words}; {bytes_text(last)} take {_times(found.growth())} as long as {bytes_text(first)}"
    )


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} ×" if ratio >= 9.5 else f"{ratio:.1f} ×"
