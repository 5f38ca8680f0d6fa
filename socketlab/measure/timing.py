"""Time a call many times and keep every sample.

A latency is not a number but a distribution: most calls are quick, a few meet a scheduler, a timer or a full buffer,
and the mean tells of neither. So a `Timing` keeps all samples and answers with percentiles.

Percentiles are by *nearest rank*: the q-th is the smallest sample that at least q % of the samples do not exceed.
It is always a sample that happened, never a value between two. (Hyndman and Fan, "Sample Quantiles in Statistical
Packages", The American Statistician 50, 1996, definition 1; numpy calls it "inverted_cdf".) With fewer than 100
samples the 99th percentile is therefore their maximum: ten samples know nothing about one call in a hundred.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter_ns
from typing import TypeVar

from .progress import Progress

T = TypeVar("T")
_CO_COROUTINE = 0x80  # inspect.CO_COROUTINE, without importing inspect


def seconds_text(seconds: float, digits: int = 3) -> str:
    """A duration for people: `seconds_text(2.13e-05)` is '21.3 µs'. Units: ns, µs, ms, s."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        rounded = float(f"{abs(seconds) / size:.{digits - 1}e}")  # 0.9996 ms must read 1 ms, not 1e+03 µs
        if rounded >= 1 or unit == "ns":
            break
    places = max(0, digits - 1 - math.floor(math.log10(rounded))) if rounded else 0
    number = f"{rounded:,.{places}f}"
    sign = "-" if seconds < 0 else ""
    return f"{sign}{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"


def bytes_text(count: float) -> str:
    """A size for people, in powers of 1024: `bytes_text(65536)` is '64 KiB'."""
    size, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.1f}".removesuffix(".0") + f" {units[0]}" if size < 100 else f"{size:.0f} {units[0]}"


@dataclass(frozen=True, repr=False)
class Timing:
    """How long each of many calls took. Frozen; every duration is in seconds.

    `samples` are in the order in which they were measured, so that a warm-up or a drift can be seen.
    `repr` holds no time (a notebook's validation compares it as text); `str` and `summary()` do.

    Raises ValueError without samples, or where one is negative or not finite.
    """

    samples: tuple[float, ...]
    label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", tuple(map(float, self.samples)))
        if not self.samples:
            raise ValueError("a Timing wanted at least one sample, but got none")
        for sample in self.samples:
            if not (math.isfinite(sample) and sample >= 0):
                raise ValueError(f"a Timing wanted durations in seconds, 0 or more, but got {sample!r}")

    def percentile(self, q: float) -> float:
        """The smallest sample that at least q % of the samples do not exceed (nearest rank; q from 0 to 100)."""
        if not 0 <= q <= 100:
            raise ValueError(f"a percentile wanted a q from 0 to 100, but got {q!r}")
        # The rounding takes back what binary floating point adds: 99.9 % of 1,000 samples is rank 999, not 1,000.
        rank = math.ceil(round(q * len(self._ordered) / 100, 9))
        return self._ordered[max(rank, 1) - 1]

    @property
    def p50(self) -> float:
        """The median: half of the calls took at most this long."""
        return self.percentile(50)

    @property
    def p90(self) -> float:
        return self.percentile(90)

    @property
    def p99(self) -> float:
        """One call in a hundred took longer. With fewer than 100 samples this is `max`."""
        return self.percentile(99)

    @property
    def min(self) -> float:
        return self._ordered[0]

    @property
    def max(self) -> float:
        return self._ordered[-1]

    @property
    def total(self) -> float:
        """The sum of the samples: the time spent inside the calls."""
        return math.fsum(self.samples)

    @property
    def mean(self) -> float:
        return self.total / len(self.samples)

    def ecdf(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The empirical distribution (x, y): a share y[i] of the samples is at most x[i]. Both ascend; y ends at 1."""
        n = len(self.samples)
        return self._ordered, tuple((i + 1) / n for i in range(n))

    def ratio(self, other: "Timing", q: float = 50) -> float:
        """How many times as long as `other` this took, at the q-th percentile (the median unless told).

        Raises ZeroDivisionError where the other's percentile is 0: the clock could not see it.
        """
        return self.percentile(q) / other.percentile(q)

    def faster_than(self, other: "Timing", times: float = 1.0, q: float = 50) -> bool:
        """Whether `other` took more than `times` as long, at the q-th percentile.

        Made for asserts that must hold on every machine: leave a wide margin, `assert a.faster_than(b, times=2)`.
        """
        return self.percentile(q) * times < other.percentile(q)

    def summary(self) -> str:
        """One line for people, units chosen; says so where there are too few samples for a p99."""
        n = len(self.samples)
        tail = f"p99 {seconds_text(self.p99)}, max {seconds_text(self.max)}"
        if n < 100:
            tail = f"max {seconds_text(self.max)}"
        text = f"p50 {seconds_text(self.p50)}, p90 {seconds_text(self.p90)}, {tail} ({_plural(n, 'sample')}"
        text += ")" if n >= 100 else "; p99 needs 100)"
        return f"{self.label}: {text}" if self.label else text

    def __len__(self) -> int:
        return len(self.samples)

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<Timing {self.label + ', ' if self.label else ''}{_plural(len(self.samples), 'sample')}>"

    @cached_property
    def _ordered(self) -> tuple[float, ...]:
        return tuple(sorted(self.samples))


def measure(
    fn: Callable[[], T],
    *,
    rounds: int = 200,
    warmup: int = 10,
    at_most: float | None = None,
    label: str = "",
    check: Callable[[T], object] | None = None,
) -> Timing:
    """Call `fn` `warmup` + `rounds` times and return how long each of the last `rounds` calls took.

    The first calls of anything are slow for reasons of their own (caches, imports, a connection's quick-ack start),
    so the warm-up is not counted. `at_most` bounds the whole in seconds, the warm-up included: no call *begins* after
    it, except that one sample is always taken (a call that hangs is not cut off; give it a timeout). `check` is called
    with each result outside the timed part; what it raises ends the measurement, as does what `fn` raises.

    A sample includes two readings of the clock and one call, about 0.1 µs. The garbage collector stays on: its
    pauses belong to what a program sees. A progress bar appears in a notebook after the first second, with a Stop
    button that ends the measurement as `at_most` would.

    Raises TypeError where `fn` is not callable or is an `async def`, ValueError for rounds < 1, warmup < 0 or
    at_most <= 0.
    """
    if not callable(fn):
        raise TypeError(f"measure wanted a function to call, but got {fn!r}; pass the function, not its result")
    if getattr(getattr(fn, "__code__", None), "co_flags", 0) & _CO_COROUTINE:
        raise TypeError("measure wanted an ordinary function, but got an async one: calling it would run nothing")
    _want("rounds", rounds, rounds >= 1, "1 or more")
    _want("warmup", warmup, warmup >= 0, "0 or more")
    _want("at_most", at_most, at_most is None or at_most > 0, "more than 0 seconds, or None")

    clock, samples = perf_counter_ns, []
    start = clock()
    end = math.inf if at_most is None else start + at_most * 1e9
    with Progress(label or "measuring", can_stop=True) as bar:
        round_ = -warmup
        while round_ < rounds:
            began = clock()
            result = fn()
            ended = clock()
            if check is not None:
                check(result)
            del result  # or the old result would be freed inside the next timed call
            if round_ >= 0:
                samples.append((ended - began) / 1e9)
            if ended >= bar.due_ns:
                bar.show(max((round_ + warmup + 1) / (rounds + warmup), (ended - start) / (end - start)))
            # Out of time: what is left of the warm-up is skipped, and one sample is taken whatever it costs.
            round_ = round_ + 1 if ended < end and not bar.stopped else (rounds if samples else max(round_ + 1, 0))
    return Timing(tuple(samples), label)


def _want(name: str, value: object, good: bool, wanted: str) -> None:
    if not good:
        raise ValueError(f"{name} wanted {wanted}, but got {value!r}")


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
