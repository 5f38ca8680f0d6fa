"""Draw a timeline: a lane for each thread, a bar for each call, over time.

A call that took long has waited; its bar is pale and hatched, those that did their work are solid. Up to some hundreds
of calls each has a bar. Of more, no eye could tell one from the next: then time is cut into steps, and the height of a
colour is its share of the step, so that a lane is full where its thread did nothing but socket calls. Shares are
calculated from all calls, by running sums, none by sampling.

The x values of every artist are seconds since the trace was opened; only the axis chooses a unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..events import OUT, Event
from .ladder_plan import CLOSING, LOOKS
from .ladder_waits import WAITED_NS
from .ladder_words import MONO, SANS, cut, literal, width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

BARS = 600  # calls with a bar each; beyond, shares of steps
STEPS = 400  # of the time axis, about a point each
LANES = 60  # threads with a lane each
# Heights in points: a lane with its row of words, one without, a bar, the space around it.
_TALL, _SLIM, _BAR, _GAP = 36.0, 14.0, 14.0, 2.5
_TITLE, _FOOT, _SMALL = 30.0, 56.0, 8.0
_INK, _FADED, _CARD = "#1c2127", "#4a525b", "#fdfdfb"

# The kinds of call, and their colours: the style sheet's, darkened or lightened so that neighbours differ in grey too.
KINDS = {
    "connect, accept": "#9A6700",
    "send": "#0072B2",
    "receive": "#007D5C",
    "close, shutdown": "#A8507F",
    "select": "#D55E00",
    "other": "#3a424b",
    "looks": "#aab0b5",
}
_CONNECTING = ("connect", "connect_ex", "accept", "create_connection", "do_handshake")
_SELECTING = ("select", "poll", "wait", "epoll")


def kind_of(event: Event) -> str:
    """Which kind of call it is, for its colour."""
    if event.call in LOOKS:
        return "looks"
    if event.direction:
        return "send" if event.direction == OUT else "receive"
    if event.call in _CONNECTING:
        return "connect, accept"
    if event.call in CLOSING:
        return "close, shutdown"
    return "select" if event.call in _SELECTING else "other"


def timeline(events: Iterable[Event], *, title: str = "", bars: int = BARS) -> Picture:
    """The picture of where each thread's time went: in which calls, and which of them waited.

    `title` replaces the finding that is stated above it. More than `bars` calls are drawn as shares of steps of time.
    What calls make for themselves (`send` inside `sendfile`) is part of their bar; calls that only
    look are small and grey, and socketlab's own housekeeping is not drawn. Where there are no calls, the picture says
    so. Its height depends on the number of threads alone.
    """
    from ...measure.plots import figure

    every = _lanes(events)
    lanes = dict(list(every.items())[:LANES])
    tall = _TALL if len(lanes) <= 12 else _SLIM
    picture = figure(height=-(-(max(1, len(lanes)) * tall + _TITLE + _FOOT) // 7.2) / 10)
    (ax,) = picture.axes
    picture.set_layout_engine("none")
    words = cut(literal(title or _finding(every)), 510, SANS, 11, "bold")
    ax.set_title(words, loc="left", fontsize=11, fontweight="bold", color=_INK, parse_math=False)
    full = picture.get_size_inches()[1] * 72
    size = 9.5 if tall == _TALL else 8.0
    names = [cut(literal(name) or "(no name)", 120, SANS, size) for name in lanes]
    left = 20 + max((width(name, SANS, size) for name in names), default=0)
    ax.set_position((left / 540, _FOOT / full, (530 - left) / 540, 1 - (_TITLE + _FOOT) / full))
    if not lanes:
        ax.set(xticks=[], yticks=[])
        words = "No socket call came back while the trace was open."
        ax.text(0.5, 0.5, words, ha="center", va="center", color=_FADED, fontsize=9.5, transform=ax.transAxes)
        return picture
    end = max(event.end_ns for calls in lanes.values() for event in calls) / 1e9 or 1e-6
    ax.set(xlim=(0, end), ylim=(len(lanes) * tall, 0))
    places = [(i + 1) * tall - _GAP - (_BAR if tall == _TALL else tall - 2 * _GAP) / 2 for i in range(len(lanes))]
    ax.set_yticks(places, names, parse_math=False)
    ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=_INK)
    ax.grid(False, axis="y")
    few = sum(map(len, lanes.values())) <= bars
    for i, calls in enumerate(lanes.values()):
        bottom = (i + 1) * tall - _GAP
        if few:
            high = _BAR if tall == _TALL else tall - 2 * _GAP
            _bars(ax, calls, bottom, high)
            if tall == _TALL:
                _words(ax, calls, bottom - high, (530 - left) / end)
        else:
            _shares(ax, calls, bottom, tall - 2 * _GAP, end)
    _axis(ax, end, len(every) - len(lanes))
    _legend(picture, [event for calls in lanes.values() for event in calls], few, end)
    return picture


def _lanes(events: Iterable[Event]) -> dict[str, list[Event]]:
    """What the program itself called, thread by thread, in the order of the trace."""
    lanes: dict[str, list[Event]] = {}
    for event in events:
        if event.inside is None and not event.housekeeping:
            lanes.setdefault(event.thread, []).append(event)
    return {name: calls for name, calls in lanes.items() if any(kind_of(event) != "looks" for event in calls)}


def _finding(lanes: dict[str, list[Event]]) -> str:
    """Who waited most."""
    from ...measure.timing import seconds_text

    end = max((event.end_ns for calls in lanes.values() for event in calls), default=0)
    if not lanes:
        return "Nothing to draw yet"
    waits = {
        name: sum(e.duration_ns for e in calls if e.duration_ns >= WAITED_NS and kind_of(e) != "looks")
        for name, calls in lanes.items()
    }
    most = max(waits, key=lambda name: waits[name])
    if waits[most]:
        share = min(100, round(waits[most] / end * 100))
        return f"{most} spends {share} % of {seconds_text(end / 1e9, 2)} waiting"
    return f"{sum(map(len, lanes.values())):,} calls, and none takes {seconds_text(WAITED_NS / 1e9)}"


# -- a bar for each call ---------------------------------------------------------------------------------------------


def _look(kind: str, waits: bool) -> dict[str, Any]:
    """How calls of a kind are drawn; an edge shows calls that are shorter than a pixel."""
    from matplotlib.colors import to_rgb

    color = to_rgb(KINDS[kind])
    if kind == "looks":
        return {"facecolor": color, "edgecolor": color, "linewidth": 0.6, "gid": kind}
    dark, pale = tuple(part * 0.6 for part in color), tuple(1 - (1 - part) * 0.25 for part in color)
    if waits:
        return {"facecolor": pale, "edgecolor": dark, "linewidth": 0.7, "hatch": "////", "gid": f"{kind}, waits"}
    return {"facecolor": color, "edgecolor": dark, "linewidth": 0.7, "gid": kind}


def _waits(event: Event, kind: str) -> bool:
    return event.duration_ns >= WAITED_NS and kind != "looks"


def _bars(ax: Axes, calls: Sequence[Event], bottom: float, high: float) -> None:
    from matplotlib.collections import PolyCollection

    boxes: dict[tuple[str, bool], list[list[tuple[float, float]]]] = {}
    for event in calls:
        kind = kind_of(event)
        top = bottom - (high if kind != "looks" else high * 0.4)
        x0, x1 = event.start_ns / 1e9, event.end_ns / 1e9
        box = [(x0, top), (x1, top), (x1, bottom), (x0, bottom)]
        boxes.setdefault((kind, _waits(event, kind)), []).append(box)
    for (kind, waits), several in boxes.items():
        ax.add_collection(PolyCollection(several, zorder=2 if waits or kind == "looks" else 2.5, **_look(kind, waits)))


def _words(ax: Axes, calls: Sequence[Event], y: float, scale: float) -> None:
    """Names above the bars, each beginning at its bar; without room they share one. `scale` is points a second."""
    placed: list[tuple[float, list[str]]] = []  # x in points, names

    def long(names: list[str]) -> float:
        return width(_joined(names), MONO, _SMALL) + 8

    right = ax.get_xlim()[1] * scale
    for event in sorted(calls, key=lambda e: e.start_ns):
        if kind_of(event) == "looks":
            continue
        x, names = event.start_ns / 1e9 * scale, [literal(event.call)]
        while placed and placed[-1][0] + long(placed[-1][1]) > min(x, right - long(names)):
            before = placed.pop()
            x, names = before[0], before[1] + names
        placed.append((x, names))
    for x, names in placed:
        at = max(0.0, min(x, right - long(names)))
        words = cut(_joined(names), right - at, MONO, _SMALL)
        if at == x:
            ax.vlines(x / scale, y - 9, y, color="#6b737c", linewidth=0.8, zorder=1.5)
        ax.text(
            (at + 3) / scale, y - 3, words, family=MONO, fontsize=_SMALL, color=_INK, va="baseline", parse_math=False,
            zorder=5, gid="words",
        )  # fmt: skip


def _joined(names: list[str]) -> str:
    if len(names) <= 2:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]} ({len(names)} calls)"


# -- shares of steps -------------------------------------------------------------------------------------------------


def _shares(ax: Axes, calls: Sequence[Event], bottom: float, high: float, end: float) -> None:
    """For each kind of call its share of each step of time, piled up."""
    import numpy as np

    edges = np.linspace(0, end, STEPS + 1)
    start = np.fromiter((event.start_ns for event in calls), float, len(calls)) / 1e9
    took = np.fromiter((event.duration_ns for event in calls), float, len(calls)) / 1e9
    names = {name: i for i, name in enumerate(KINDS)}
    kinds = np.fromiter((names[kind_of(event)] for event in calls), int, len(calls))
    kinds = 2 * kinds + ((took >= WAITED_NS / 1e9) & (kinds != names["looks"]))
    piled = np.zeros(STEPS)
    for code in sorted(set(kinds.tolist()), key=lambda code: (code % 2 == 0, code)):
        mine = kinds == code
        order = np.argsort(start[mine], kind="stable")
        begins, lasts = start[mine][order], took[mine][order]
        before = np.concatenate(([0.0], np.cumsum(lasts)))
        # A thread is in one call at a time, so what is done by an edge is all that began before, less the last's rest.
        last = np.searchsorted(begins, edges, side="right") - 1
        done = before[last + 1] - np.where(last >= 0, np.maximum(begins[last] + lasts[last] - edges, 0), 0)
        above = np.minimum(piled + np.diff(done) / (end / STEPS), 1.0)
        kind = list(KINDS)[code // 2]
        look = {**_look(kind, bool(code % 2)), "linewidth": 0.0}
        low, top = (np.append(each, each[-1]) for each in (bottom - piled * high, bottom - above * high))
        ax.fill_between(edges, low, top, step="post", **look)
        piled = above
    ax.hlines(bottom, 0, end, color="#6b737c", linewidth=0.8)


# -- axis and legend -------------------------------------------------------------------------------------------------


def _axis(ax: Axes, end: float, more: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    unit, size = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3)) if end >= s), ("µs", 1e-6))
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / size:,.10g}"))
    left_out = f"; {more:,} threads more are not drawn" if more else ""
    ax.set_xlabel(f"time ({unit}){left_out}", loc="left", fontsize=9.5, color=_INK)


def _legend(picture: Picture, calls: Sequence[Event], few: bool, end: float) -> None:
    from matplotlib.patches import Patch

    from ...measure.timing import seconds_text

    seen = {kind_of(event) for event in calls}
    handles = [Patch(**_look(kind, False), label=kind) for kind in KINDS if kind in seen]
    if any(_waits(event, kind_of(event)) for event in calls):
        look: dict[str, Any] = {"facecolor": "#dfe1e4", "edgecolor": "#3a424b", "linewidth": 0.7, "hatch": "////"}
        handles.append(Patch(**look, label="waiting"))
    columns = len(handles) if len(handles) <= 5 else -(-len(handles) // 2)
    picture.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1, 0), ncols=columns, fontsize=8.5, frameon=False,
        labelcolor=_INK, columnspacing=1.3, handlelength=1.6, handletextpad=0.5, labelspacing=0.35,
    )  # fmt: skip
    if not few:
        words = f"{len(calls):,} calls; height: share of each {seconds_text(end / STEPS, 2)}"
        picture.axes[0].set_title(words, loc="right", fontsize=8.5, color=_FADED)
