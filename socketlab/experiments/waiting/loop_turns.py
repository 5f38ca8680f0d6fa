"""What an event loop did, turn by turn: when it waited in select, and for which connection it worked.

A loop is one thread, so what it does for one connection keeps all others waiting: a slow handler is seen as a long
bar, with everybody else's row empty under it. Nothing stands between program and kernel: a `trace` notes when each
`select` returned and when each socket was used. From the return of one `select` to the beginning of the next the loop
worked; that time is split where it turns to another socket. A handler begins with a call on its own socket (`accept`,
`recv`, `send`), so the time from there to the first such call on another socket, or to the next `select`, is taken to
be spent for it. Of loops that use no socket in their thread there is nothing to split by.

That sees loops written with `selectors` or `select.select`. A trace leaves out the waiting of asyncio's own loop, and
`select.poll` and `select.epoll` used by hand: nothing of theirs can be replaced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from ...measure.spans import Span
from ...measure.timing import seconds_text
from ...trace.events import Event

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture
    from ...trace import Trace

WAITING = "waiting in select"
_SELECTING = ("select", "poll", "epoll")
_TURNS_TO = {
    "accept", "connect", "connect_ex", "recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into",
    "read", "write", "send", "sendall", "sendto", "sendmsg", "sendfile", "shutdown", "close", "do_handshake",
}  # fmt: skip
_ROW, _BAR = 21.0, 14.0  # heights in points
_AROUND = 76.0  # title and axis
_NAMED = 0.1  # of the width: bars from here on have their duration written on them


@dataclass(frozen=True, repr=False)
class LoopGantt:
    """`spans`: one for each stay in select (lane "waiting in select"), one for each time the loop worked for a row.

    Times are seconds from the first select on. `turns` is how often `select` returned.
    """

    spans: tuple[Span, ...] = ()
    turns: int = 0

    @cached_property
    def rows(self) -> tuple[str, ...]:
        """For whom the loop worked: the listener, and each connection by its peer, in the order of their first turn."""
        return tuple(dict.fromkeys(span.lane for span in self.spans if span.lane != WAITING))

    @property
    def seconds(self) -> float:
        """From the first select to the end of the last turn."""
        return max((span.end for span in self.spans), default=0.0)

    @property
    def waited(self) -> float:
        """Seconds in select."""
        return self.busy(WAITING)

    def busy(self, row: str) -> float:
        """Seconds in which the loop worked for `row`."""
        return sum(span.duration for span in self.spans if span.lane == row)

    @property
    def longest(self) -> Span | None:
        """The longest time that the loop worked for one row at a stretch; None where it has not worked yet."""
        work = [span for span in self.spans if span.lane != WAITING]
        return max(work, key=lambda span: span.duration, default=None)

    def __repr__(self) -> str:
        return f"<LoopGantt: {', '.join(self.rows) or 'no turn yet'}>"


def loop_gantt(traced: Trace | Iterable[Event], *, thread: str = "") -> LoopGantt:
    """Read from a trace what the event loop in it did: ``with trace() as t: ...``, then ``loop_gantt(t)``.

    `thread` names the loop's thread as the trace does; unless given it is the one that called select most often.
    Raises ValueError where no thread, or not this one, called select while the trace was open.
    """
    own = [event for event in _events(traced) if event.inside is None]
    selects = Counter(event.thread for event in own if event.call in _SELECTING)
    if not selects:
        raise ValueError(
            "loop_gantt wanted a trace of a loop, but nobody called select while it was open "
            "(selectors and select.select are seen, asyncio's own loop is not)"
        )
    if thread and thread not in selects:
        raise ValueError(f"loop_gantt wanted calls of select in thread {thread!r}, but they are in {list(selects)}")
    name = thread or selects.most_common(1)[0][0]
    return _turns(sorted((event for event in own if event.thread == name), key=lambda event: event.start_ns))


def _events(traced: Any) -> Iterable[Event]:
    return getattr(traced, "events", traced)  # type: ignore[no-any-return]


def _turns(calls: list[Event]) -> LoopGantt:
    first = next(i for i, call in enumerate(calls) if call.call in _SELECTING)
    origin = calls[first].start_ns
    spans: list[Span] = []
    turns = 0
    row, since = "", 0  # for whom the loop works now, and since when; "" before the first call of a turn

    def work(until: int) -> None:
        if row:
            spans.append(Span(row, "", (since - origin) / 1e9, (max(until, since) - origin) / 1e9))

    for call in calls[first:]:
        if call.call in _SELECTING:
            work(call.start_ns)
            spans.append(Span(WAITING, "", (call.start_ns - origin) / 1e9, (call.end_ns - origin) / 1e9, True))
            row, since, turns = "", call.end_ns, turns + 1
        elif call.call in _TURNS_TO and call.end is not None:
            whose = call.end.other or call.end.name
            if whose != row:
                work(call.start_ns)
                # What came before the first call, taking the keys apart, belongs to it.
                row, since = whose, call.start_ns if row else since
    work(calls[-1].end_ns)
    return LoopGantt(tuple(spans), turns)


# -- the picture -------------------------------------------------------------------------------------------------------


@overload
def draw_loop_gantt(result: LoopGantt, *, title: str = "", ax: None = None) -> Picture: ...
@overload
def draw_loop_gantt(result: LoopGantt, *, title: str = "", ax: Axes) -> Axes: ...
def draw_loop_gantt(result: LoopGantt, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """A row for each connection, a bar each time the loop worked for it; on top, pale and hatched, when it waited.

    The x values are seconds. The height depends on the number of rows alone. Raises ValueError for a result without
    a turn.
    """
    from ...measure.gantt import bar
    from ...measure.plots import series, sheet, style, time_axis

    if not result.spans:
        raise ValueError("draw_loop_gantt wanted at least one turn of a loop, but this result has none")
    rows = (WAITING, *result.rows)
    picture, ax = sheet(ax, -(-(_AROUND + _ROW * len(rows)) // 7.2) / 10)
    with style():
        colours = ["#6b737c"]
        for stroke, _ in zip(series(), result.rows, strict=False):
            colours.append(stroke["color"])
        end = result.seconds or 1e-9
        for n, (row, colour) in enumerate(zip(rows, colours, strict=True)):
            y = n * _ROW + (_ROW - _BAR) / 2
            for span in (span for span in result.spans if span.lane == row):
                bar(ax, span, 0.0, y, colour)
                if row != WAITING and span.duration >= _NAMED * end:
                    ax.annotate(
                        seconds_text(span.duration, 2), ((span.start + span.end) / 2, y + _BAR / 2), ha="center",
                        va="center", fontsize=8.5, bbox={"boxstyle": "square,pad=0.15", "fc": "#fdfdfb", "ec": "none"},
                    )  # fmt: skip
        ax.set_ylim(len(rows) * _ROW, 0)
        ax.set_yticks([(n + 0.5) * _ROW for n in range(len(rows))], list(rows))
        ax.tick_params(axis="y", length=0)
        ax.grid(False, axis="y")
        time_axis(ax, 0, end, False, "time", margins=False)
        ax.set_xlim(0, end)
        ax.set_title(title or finding(result))
    return ax if picture is None else picture


def finding(result: LoopGantt) -> str:
    """What is to be seen, in a line: who held the loop longest, or that it mostly waited."""
    longest = result.longest
    if longest is None or not result.seconds:
        return "The loop waits, and nobody wants anything"
    if longest.duration < 0.05 * result.seconds and result.waited > 0.5 * result.seconds:
        return f"The loop waits for {100 * result.waited / result.seconds:.0f} % of the time, and keeps nobody waiting"
    others = len([row for row in result.rows if not row.startswith("listener")]) - 1
    wait = {0: "", 1: ", and another one waits"}.get(others, f", and {others} others wait")
    return f"{longest.lane} holds the loop for {seconds_text(longest.duration, 2)}{wait}"
