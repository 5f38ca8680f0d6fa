"""When tasks of an event loop have their turns: each runs from one `await` to the next, and nobody else does meanwhile.

A coroutine is run by its `send`: the task calls it, it runs to its next `await` that has to wait, and returns what it
waits for. So a coroutine in a wrapper with a clock tells when its turns begin and end, and nothing is changed in the
loop. Turns of tasks that such a coroutine starts belong to these, and are not seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, overload

from ...measure.spans import Span
from ...measure.timing import seconds_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = ["TaskTurns", "draw_task_turns", "task_turns"]

_MOST = 20_000  # turns that are kept: a task that never waits for long has a hundred thousand in a second
_ROW, _BAR = 24.0, 15.0  # heights in points: of a row, and of the bar in it
_AROUND = 76.0  # title and axis
_NAMED = 0.06  # of the width: turns from here on have their duration written on them


@dataclass(frozen=True, repr=False)
class TaskTurns:
    """A span for each turn, by its end: from the end of the turn before, `blocked` until it began.

    Times are seconds since the tasks were started. `results` is what the coroutines returned, by name.
    """

    names: tuple[str, ...]
    spans: tuple[Span, ...]
    results: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """From the start to the end of the last turn."""
        return max((span.end for span in self.spans), default=0.0)

    @property
    def longest(self) -> Span | None:
        """The span with the longest turn."""
        return max(self.spans, key=_worked, default=None)

    def busy(self, name: str) -> float:
        """Seconds in which the task of that name had its turns."""
        return sum(_worked(span) for span in self.spans if span.lane == name)

    def __repr__(self) -> str:
        return f"<TaskTurns: {', '.join(self.names)}>"


async def task_turns(coroutines: Mapping[str, Coroutine[Any, Any, Any]]) -> TaskTurns:
    """Run `coroutines`, each as a task of the running loop, to their ends, and note when they have their turns.

    The first exception of one of them is raised, and the others are cancelled, as they are where this is cancelled.
    Raises ValueError without a coroutine, TypeError for something else.
    """
    if not coroutines:
        raise ValueError("task_turns wanted at least one coroutine by name")
    for name, coroutine in coroutines.items():
        if not asyncio.iscoroutine(coroutine):
            raise TypeError(f"task_turns wanted a coroutine for {name!r}, but got {coroutine!r}")
    spans: list[Span] = []
    began = perf_counter()
    timed = [_Timed(name, coroutine, spans, began) for name, coroutine in coroutines.items()]
    tasks = [asyncio.ensure_future(one) for one in timed]
    try:
        results = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return TaskTurns(tuple(coroutines), tuple(spans), dict(zip(coroutines, results, strict=True)))


class _Timed(Coroutine[Any, Any, Any]):
    """A coroutine that notes its turns."""

    def __init__(self, name: str, coroutine: Coroutine[Any, Any, Any], spans: list[Span], origin: float) -> None:
        self._name, self._coroutine, self._spans, self._origin = name, coroutine, spans, origin
        self._before = 0.0  # the end of the turn before, or the start

    def send(self, value: Any) -> Any:
        began = perf_counter() - self._origin
        try:
            return self._coroutine.send(value)
        finally:
            self._note(began)

    def throw(self, *error: Any) -> Any:
        began = perf_counter() - self._origin
        try:
            return self._coroutine.throw(*error)
        finally:
            self._note(began)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Any:
        return self._coroutine.__await__()

    def _note(self, began: float) -> None:
        end = perf_counter() - self._origin
        if len(self._spans) < _MOST:
            self._spans.append(Span(self._name, "", self._before, end, began - self._before))
        self._before = end


def _worked(span: Span) -> float:
    return span.duration - span.blocked


@overload
def draw_task_turns(result: TaskTurns, *, title: str = "", ax: None = None) -> Picture: ...
@overload
def draw_task_turns(result: TaskTurns, *, title: str = "", ax: Axes) -> Axes: ...
def draw_task_turns(result: TaskTurns, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """A row for each task: full where it had its turn, pale and hatched where it waited.

    The x values are seconds. The height depends on the number of tasks alone. Raises ValueError for a result without
    a turn.
    """
    from ...measure.gantt import bar
    from ...measure.plots import series, sheet, style, time_axis

    if not result.spans:
        raise ValueError("draw_task_turns wanted at least one turn of a task, but this result has none")
    rows = result.names
    picture, ax = sheet(ax, -(-(_AROUND + _ROW * len(rows)) // 7.2) / 10)
    with style():
        end = result.seconds or 1e-9
        for n, (row, stroke) in enumerate(zip(rows, series(), strict=False)):
            y = n * _ROW + (_ROW - _BAR) / 2
            for span in (span for span in result.spans if span.lane == row):
                bar(ax, span, 0.0, y, stroke["color"])
                if _worked(span) >= _NAMED * end:
                    middle = (span.start + span.blocked + span.end) / 2
                    ax.annotate(
                        seconds_text(_worked(span), 2), (middle, y + _BAR / 2), ha="center", va="center", fontsize=8.5,
                        bbox={"boxstyle": "square,pad=0.15", "fc": "#fdfdfb", "ec": "none"},
                    )  # fmt: skip
        ax.set_ylim(len(rows) * _ROW, 0)
        ax.set_yticks([(n + 0.5) * _ROW for n in range(len(rows))], list(rows))
        ax.tick_params(axis="y", length=0)
        ax.grid(False, axis="y")
        time_axis(ax, 0, end, False, "full: it has its turn, hatched: it waits; time", margins=False)
        ax.set_xlim(0, end)
        ax.set_title(title or finding(result))
    return ax if picture is None else picture


def finding(result: TaskTurns) -> str:
    """What is to be seen, in a line: the longest turn, and whom it kept waiting."""
    longest = result.longest
    if longest is None:
        return "No task had a turn"
    others = len(result.names) - 1
    wait = {0: "", 1: ", and another one waits"}.get(others, f", and {others} others wait")
    return f"{longest.lane} keeps its turn for {seconds_text(_worked(longest), 2)}{wait}"
