"""What one question "which of these is ready?" costs, against the number of descriptors that are watched.

`select` and `poll` keep nothing between two calls: the whole list goes into the kernel each time, and the kernel asks
every one of its sockets. `epoll` and `kqueue` keep the list in the kernel (epoll_ctl(2), kqueue(2)), a socket that
becomes ready puts itself on a second, short list, and a call reads that one: it costs what is ready, not what is
watched. `select` has a limit besides, FD_SETSIZE: its sets are bits numbered by descriptor, 1,024 of them on Linux,
so it refuses a descriptor above 1023, however few are watched (select(2)).

Measured with a timeout of 0, so that no call waits, on pairs of connected sockets (socketpair(2)), both ends watched;
no two descriptors share a socket. At each count the mechanisms take turns, call by call, and the median is kept.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING, NamedTuple, overload

from ...measure.timing import seconds_text
from ..running import Steps, run
from ..wanted import whole
from .mechanisms import EDGE, EPOLL, KQUEUE, MECHANISMS, MOST, POLL, SELECT, Call, has, most_watched, watching

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

COUNTS = (10, 20, 50, 100, 200, 500, 1000, 2000)
_SLICE_NS = 30_000_000  # of measuring between two yields
_COUNT_NS = 250_000_000  # at one count; on a slow machine there are fewer calls instead of a longer wait
_RECORDED = {  # seconds at COUNTS, on Linux 6.18
    SELECT: (1.5e-06, 2.1e-06, 4e-06, 7.2e-06, 1.3e-05, 3.2e-05, 6.5e-05),
    POLL: (9.8e-07, 1.5e-06, 3.4e-06, 6.2e-06, 1.2e-05, 2.8e-05, 5.8e-05, 1.4e-04),
    EPOLL: (8.9e-07, 8.8e-07, 8.9e-07, 8.9e-07, 9e-07, 9.2e-07, 1.2e-06, 1.4e-06),
}
_OPENED = 200  # pairs opened between two yields: some milliseconds


class Cost(NamedTuple):
    """One mechanism at one count: `seconds` is the median of `calls` calls.

    `named` descriptors were ready in the first call, `named_again` in the last one, though nobody had read anything.
    """

    mechanism: str
    watched: int
    seconds: float
    calls: int
    named: int
    named_again: int


class Refusal(NamedTuple):
    """A mechanism that would not watch so many; `words` are the error's."""

    mechanism: str
    watched: int
    words: str


@dataclass(frozen=True, repr=False)
class ReadinessCost:
    """`costs` and `refusals` in the order in which they came. `ready` descriptors had a byte to read.

    `lacking` are the mechanisms that this platform does not have, `left_out` the counts for which the process may
    not open enough descriptors, of which it may watch `most`.
    """

    ready: int
    costs: tuple[Cost, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    lacking: tuple[str, ...] = ()
    left_out: tuple[int, ...] = ()
    most: int = MOST
    recorded: bool = False  #: this process may open too few descriptors: so it was on Linux

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """Those that answered or refused."""
        answered, refused = (c.mechanism for c in self.costs), (r.mechanism for r in self.refusals)
        return tuple(dict.fromkeys((*answered, *refused)))

    def of(self, mechanism: str) -> tuple[Cost, ...]:
        """The costs of one mechanism, by count."""
        return tuple(sorted((cost for cost in self.costs if cost.mechanism == mechanism), key=lambda c: c.watched))

    def growth(self, mechanism: str) -> float:
        """How many times as long a call took at the largest count as at the smallest. Raises ValueError below two."""
        costs = self.of(mechanism)
        if len(costs) < 2:
            raise ValueError(f"growth wanted {mechanism} at two counts or more, but there are {len(costs)}")
        return costs[-1].seconds / costs[0].seconds

    def __repr__(self) -> str:
        return f"<ReadinessCost, {self.ready} ready>"


def readiness_cost(
    counts: Sequence[int] = COUNTS,
    mechanisms: Sequence[str] = (SELECT, POLL, EPOLL),
    ready: int = 1,
    *,
    rounds: int = 200,
) -> ReadinessCost:
    """Ask `rounds` times with each mechanism at each count of watched descriptors which are ready, and time each call.

    `mechanisms` are of 'select', 'poll', 'epoll', 'edge-triggered epoll' and 'kqueue', which is measured in the place
    of an epoll that the platform lacks. `ready` descriptors have a byte to read (all, where fewer are watched); nobody
    reads it. Counts above what RLIMIT_NOFILE allows this process are left out and named in the result; where it allows
    less than two of several, a recorded run is returned instead.

    Raises ValueError for a count out of 1 to 100,000, another mechanism, ready out of 0 to 100,000, rounds < 1.
    """
    steps = readiness_cost_steps(counts, mechanisms, ready, rounds=rounds)
    result = run(steps, "cost of asking who is ready")
    asked = len(set(counts))
    return recorded_run() if asked > 2 and asked - len(result.left_out) < 2 else result


def recorded_run() -> ReadinessCost:
    """`readiness_cost()` as Linux 6.18 measured it."""
    costs = tuple(
        Cost(mechanism, watched, seconds, 200, 1, 1)
        for mechanism, times in _RECORDED.items()
        for watched, seconds in zip(COUNTS, times, strict=False)
    )
    refusal = Refusal(SELECT, COUNTS[-1], "filedescriptor out of range in select()")
    return ReadinessCost(1, costs, (refusal,), recorded=True)


def readiness_cost_steps(
    counts: Sequence[int] = COUNTS,
    mechanisms: Sequence[str] = (SELECT, POLL, EPOLL),
    ready: int = 1,
    *,
    rounds: int = 200,
) -> Steps[ReadinessCost]:
    """`readiness_cost` step by step: the result so far after each slice of a count."""
    counts, mechanisms = sorted(set(counts)), tuple(dict.fromkeys(mechanisms))
    for count in counts:
        whole("counts", count, 1, MOST, "descriptors")
    for mechanism in mechanisms:
        if mechanism not in MECHANISMS:
            raise ValueError(f"mechanisms wanted some of {', '.join(map(repr, MECHANISMS))}, but got {mechanism!r}")
    whole("ready", ready, 0, MOST, "descriptors")
    whole("rounds", rounds, 1, 100_000, "calls")
    if not counts or not mechanisms:
        raise ValueError("readiness_cost wanted at least one count and one mechanism")
    return _steps(counts, mechanisms, ready, rounds)


def _steps(counts: list[int], mechanisms: tuple[str, ...], ready: int, rounds: int) -> Steps[ReadinessCost]:
    here = tuple(dict.fromkeys(KQUEUE if m in (EPOLL, EDGE) and not has(m) and has(KQUEUE) else m for m in mechanisms))
    most = most_watched()
    within = [count for count in counts if count <= most]
    costs: list[Cost] = []
    refusals: list[Refusal] = []

    def so_far() -> ReadinessCost:
        lacking, left_out = (m for m in mechanisms if not has(m)), counts[len(within) :]
        return ReadinessCost(ready, tuple(costs), tuple(refusals), tuple(lacking), tuple(left_out), most)

    total = sum(within) or 1
    done = 0
    with ExitStack() as opened:
        ends: list[tuple[socket.socket, socket.socket]] = []  # an end that is watched, and its peer
        told = 0
        for count in within:
            while len(ends) < count:
                for _ in range(_OPENED):
                    left, right = socket.socketpair()
                    opened.enter_context(left)
                    opened.enter_context(right)
                    ends += ((left, right), (right, left))
                    if len(ends) >= count:
                        break
                yield done / total, so_far()
            while told < min(ready, count):
                ends[told][1].send(b"!")
                told += 1
            fds = [end.fileno() for end, _ in ends[:count]]
            with ExitStack() as watched:
                calls: dict[str, Call] = {}
                named: dict[str, int] = {}
                for mechanism in filter(has, here):
                    call = watched.enter_context(watching(mechanism, fds, min(ready, count)))
                    try:
                        named[mechanism] = call()
                        calls[mechanism] = call
                    except ValueError as exc:  # only select has a limit of its own
                        refusals.append(Refusal(mechanism, count, str(exc)))
                yield done / total, so_far()
                for samples in _take_turns(calls, rounds):
                    yield (done + count * min(_calls(samples) / rounds, 0.99)) / total, so_far()
                again = {mechanism: call() for mechanism, call in calls.items()}
            for mechanism, times in samples.items():
                median = sorted(times)[(len(times) - 1) // 2] / 1e9
                costs.append(Cost(mechanism, count, median, len(times), named[mechanism], again[mechanism]))
            done += count
            yield done / total, so_far()
        if not within:
            yield 1.0, so_far()


def _calls(samples: dict[str, list[int]]) -> int:
    return min(map(len, samples.values()), default=0)


def _take_turns(calls: dict[str, Call], rounds: int) -> Iterator[dict[str, list[int]]]:
    """Time each call in turn, `rounds` times or until the time of a count is over; the samples (ns) now and then."""
    clock = perf_counter_ns
    samples: dict[str, list[int]] = {mechanism: [] for mechanism in calls}
    for call in calls.values():  # the first calls bring lists and sockets into the caches
        call()
    spent = 0
    while calls and _calls(samples) < rounds and (spent < _COUNT_NS or _calls(samples) < 3):
        began = clock()
        while _calls(samples) < rounds and clock() - began < _SLICE_NS:
            for mechanism, call in calls.items():
                start = clock()
                call()
                samples[mechanism].append(clock() - start)
        spent += clock() - began
        yield samples
    if not calls:
        yield samples


# -- the picture -------------------------------------------------------------------------------------------------------


@overload
def draw_readiness_cost(result: ReadinessCost, *, title: str = "", ax: None = None) -> Picture: ...
@overload
def draw_readiness_cost(result: ReadinessCost, *, title: str = "", ax: Axes) -> Axes: ...
def draw_readiness_cost(result: ReadinessCost, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """Seconds of one call against descriptors watched, both axes logarithmic; a cross where a mechanism refused.

    The y values are seconds. Raises ValueError where nothing was measured.
    """
    from matplotlib.ticker import FuncFormatter, NullFormatter

    from ...measure.plots import series, sheet, style

    if not result.costs:
        raise ValueError("draw_readiness_cost wanted a measurement, but this result has none")
    picture, ax = sheet(ax, 3.4)
    top = max(cost.seconds for cost in result.costs)
    with style():
        for mechanism, stroke in zip(result.mechanisms, series(), strict=False):
            costs = result.of(mechanism)
            refused = [refusal.watched for refusal in result.refusals if refusal.mechanism == mechanism]
            ax.plot([c.watched for c in costs], [c.seconds for c in costs], marker="o", label=mechanism, **stroke)
            if refused:
                ax.plot(
                    refused, [top * 3] * len(refused), "x", color=stroke["color"], markersize=9, markeredgewidth=2.2
                )
                words = f"{mechanism} refuses: a descriptor above 1023"
                ax.annotate(words, (refused[0], top * 3), (-9, 0), textcoords="offset points", ha="right", va="center")
        ax.set(xscale="log", yscale="log", xlabel="descriptors watched, logarithmic", ylabel="one call, logarithmic")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: seconds_text(y)))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.yaxis.set_minor_formatter(NullFormatter())
        low = min(cost.seconds for cost in result.costs)
        ax.set_ylim(
            10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(top * (6 if result.refusals else 1.2)))
        )
        ax.legend(loc="upper left")
        ax.set_title(title or finding(result))
    return ax if picture is None else picture


def finding(result: ReadinessCost) -> str:
    """What the measurement shows, in a line: how the cost of each mechanism grew."""
    grown = [(m, result.of(m)) for m in result.mechanisms if len(result.of(m)) >= 2]
    if not grown:
        return "One call, one question: who is ready?"
    few, many = grown[0][1][0].watched, max(costs[-1].watched for _, costs in grown)
    last = [(m, costs) for m, costs in grown if costs[-1].watched == many]
    words = ", ".join(f"{m} {times_text(result.growth(m))}" for m, _ in last if m != EDGE)
    words = f"{many // few:,} × as many watched, and a call takes: {words}"
    return f"{words} (recorded)" if result.recorded else words


def times_text(ratio: float) -> str:
    """A ratio for people: '1.4 ×', '120 ×'."""
    return f"{ratio:,.0f} ×" if ratio >= 9.5 else f"{ratio:.1f} ×"
