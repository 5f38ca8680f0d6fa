"""Side by side: several ways to do a thing, timed by turns, so that what drifts hits all of them alike.

A machine is not the same a second later: its clock changes, caches fill, somebody else runs. Who measures all of A and
then all of B compares two moments as well. Here A and B take turns, and the order of the turns is turned round each
time (A B, B A, A B …), so that neither always comes first after the other. The whole distributions are compared, not
two numbers: one way may be quicker in the middle and slower at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, Any, overload

from ..measure.timing import _CO_COROUTINE, Timing, seconds_text
from .running import Steps, run
from .wanted import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..measure.plots import Picture

__all__ = ["draw_side_by_side", "side_by_side", "side_by_side_steps"]

_MOST = 6  # functions: so many lines can be told apart in one picture
_YIELD = 0.04  # seconds between two yields at most, unless one call takes longer
_ALIKE = 1.1  # medians whose ratio is below this are called alike: a busy machine makes as much difference


def side_by_side(
    functions: Mapping[str, Callable[[], Any]], *, rounds: int = 200, warmup: int = 10
) -> tuple[Timing, ...]:
    """Call each function `rounds` times, by turns, and return their timings (seconds), labelled, in the order given.

    The first `warmup` rounds are not counted. What a call returns is let go outside the timed part; what it raises
    ends the measurement. Stop, between two calls, gives the timings so far; a call that hangs is not cut off.

    Raises ValueError without functions or for more than six, for rounds outside 1 to 1,000,000, warmup outside 0 to
    100,000; TypeError for what cannot be called, or is an `async def`.
    """
    return run(side_by_side_steps(functions, rounds=rounds, warmup=warmup), "side by side")


def side_by_side_steps(
    functions: Mapping[str, Callable[[], Any]], *, rounds: int = 200, warmup: int = 10
) -> Steps[tuple[Timing, ...]]:
    """The same step by step: see `running`. The result is empty until each function has a sample."""
    if not 1 <= len(functions) <= _MOST:
        raise ValueError(f"side_by_side wanted 1 to {_MOST} functions, but got {len(functions)}")
    for name, function in functions.items():
        if not callable(function):
            raise TypeError(f"side_by_side wanted a function for {name!r}, but got {function!r}")
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & _CO_COROUTINE:
            raise TypeError(f"side_by_side wanted an ordinary function for {name!r}: calling an async one runs nothing")
    whole("rounds", rounds, 1, 1_000_000, "rounds")
    whole("warmup", warmup, 0, 100_000, "rounds")
    return _steps(dict(functions), rounds, warmup)


def _steps(functions: dict[str, Callable[[], Any]], rounds: int, warmup: int) -> Steps[tuple[Timing, ...]]:
    turns = [(function, list[float]()) for function in functions.values()]
    clock = perf_counter_ns

    def so_far() -> tuple[Timing, ...]:
        if not all(samples for _, samples in turns):
            return ()
        return tuple(Timing(tuple(samples), str(name)) for name, (_, samples) in zip(functions, turns, strict=True))

    yielded = perf_counter()
    for turn in range(-warmup, rounds):
        for function, samples in turns if turn % 2 == 0 else reversed(turns):
            began = clock()
            result = function()
            ended = clock()
            del result  # or it would be freed inside the next timed call, which may be somebody else's
            if turn >= 0:
                samples.append((ended - began) / 1e9)
            if perf_counter() - yielded > _YIELD:
                yield (turn + warmup) / (rounds + warmup), so_far()
                yielded = perf_counter()
    yield 1.0, so_far()


@overload
def draw_side_by_side(*timings: Timing, title: str = "", ax: None = None) -> Picture: ...
@overload
def draw_side_by_side(*timings: Timing, title: str = "", ax: Axes) -> Axes: ...
def draw_side_by_side(*timings: Timing, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """The timings' distributions (`measure.plots.distribution`); without a `title` the picture says what it found.

    Raises ValueError without timings, or for more than six.
    """
    from ..measure.plots import distribution

    return distribution(*timings, title=title or (finding(*timings) if timings else ""), ax=ax)


def finding(*timings: Timing) -> str:
    """What the comparison shows, in a line: the quickest against the slowest at the median, and the p99 if it differs.

    The p99 is spoken of where both have the hundred samples that it takes.
    """
    named = [(timing.label or f"{n}.", timing) for n, timing in enumerate(timings, 1)]
    (name, quick), (other, slow) = min(named, key=lambda one: one[1].p50), max(named, key=lambda one: one[1].p50)
    if len(timings) == 1 or not slow.p50:
        return f"{name}: half of the calls within {seconds_text(quick.p50)}"
    if slow.p50 < quick.p50 * _ALIKE:
        return f"{', '.join(label for label, _ in named[:-1])} and {named[-1][0]}: alike, within {_ALIKE - 1:.0%}"
    words = f"{name}: half of the calls take {_times(quick.ratio(slow))} those of {other}"
    if min(len(quick), len(slow)) >= 100 and slow.p99 and quick.p99 > slow.p99 * _ALIKE:
        words += f", but its p99 is {_times(quick.ratio(slow, 99))}"
    return words


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} ×" if ratio >= 9.5 else f"{ratio:.2g} ×"
