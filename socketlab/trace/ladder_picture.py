"""Draw a ladder: a line for each end, time runs down, an arrow for whatever travels from one end to the other.

The rows are evenly spaced, in the order of the trace, so that a burst of calls can be read as well as a pause; the
clock stands beside them. All lengths are points (1/72 in) from the top left of the paper, and text is measured before
it is placed, so that no two texts can meet. What the program sent is drawn literally, never as markup.

A hatched bar is the time in which a call waited. Data travels along arrows, with the bytes on them; a peek leaves the
bytes where they are, so its arrow is hollow; a dashed arrow is a datagram; one that ends in × reached nobody; a padlock
stands beside plaintext that travelled encrypted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .events import Event
from .ladder_layout import CALL, HEADING, PAPER, PITCH, SMALL, Layout
from .ladder_plan import Arrow, Plan, Row, number_of, plan
from .ladder_words import GOES_ON, MONO, SANS, cut, finding, literal, on_arrow, width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..measure.plots import Picture

ROWS = 60  # more calls than this on one picture are no longer read; the beginning and the end are shown
_TITLE, _FOOT = 28.0, 9.0
_BAR = 9.0
_INK, _FADED, _ERROR, _GREY, _CARD = "#1c2127", "#4a525b", "#a61b1b", "#6b737c", "#fdfdfb"
# The style sheet's colours, vermillion left out: it is too near to the colour of errors.
_COLORS = ("#0072B2", "#007D5C", "#9A6700", "#A8507F", "#3a424b")
_GHOST = {"boxstyle": "square,pad=0.1", "fc": _CARD, "ec": "none"}
_DASHES: dict[str, Any] = {
    "datagram": (0, (4, 2.2)), "connection": (0, (1, 1.5)), "end of stream": (0, (6, 1.5, 1, 1.5))
}  # fmt: skip
_LONG_NS = 1_000_000  # a wait that is no mere switch from one thread to another


def ladder(events: Iterable[Event], *, title: str = "", rows: int = ROWS) -> Picture:
    """The picture of a trace: who called what, who waited for whom, and which call got which call's bytes.

    `title` replaces the finding that is stated above it. Calls that repeat are drawn once with "× 37" beside them; of
    what is still longer than `rows` rows, the beginning and the end are drawn. Which calls are shown: see
    `ladder_plan.shown_calls`; where there are none, the picture says so. Its height depends on the number of rows
    alone. Raises ValueError for rows < 3.
    """
    from ..measure.plots import figure

    if rows < 3:
        raise ValueError(f"ladder wanted room for at least 3 rows, but got {rows}")
    what = plan(events, rows)
    tall = _TITLE + Layout.y(len(what.rows) - 0.5) + 4 + _FOOT
    picture = figure(height=-(-tall // 7.2) / 10)  # tenths of an inch: whole pixels in the figure's repr
    (ax,) = picture.axes
    picture.set_layout_engine("none")
    full = picture.get_size_inches()[1] * 72
    ax.set_position((10 / 540, _FOOT / full, PAPER / 540, 1 - (_TITLE + _FOOT) / full))
    ax.set(xlim=(0, PAPER), ylim=(full - _TITLE - _FOOT, 0), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(False)
    words = cut(literal(title or (finding(what) if what.rows else "Nothing to draw yet")), PAPER, SANS, 11, "bold")
    ax.set_title(words, loc="left", fontsize=11, fontweight="bold", color=_INK, parse_math=False)
    if what.rows:
        _Drawing(ax, what).draw()
    else:
        words = "No socket call came back while the trace was open."
        ax.text(PAPER / 2, (full - _TITLE - _FOOT) / 2, words, ha="center", va="center", color=_FADED, fontsize=HEADING)
    return picture


@dataclass(frozen=True)
class _Box:
    """Paper that is taken."""

    x0: float
    y0: float
    x1: float
    y1: float

    def meets(self, other: _Box) -> bool:
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1


@dataclass(frozen=True)
class _Path:
    """An arrow's way over the paper."""

    arrow: Arrow
    a: tuple[float, float]
    b: tuple[float, float]

    def crosses(self, box: _Box) -> bool:
        """Whether it runs through `box` (Liang and Barsky's clipping)."""
        (x0, y0), (x1, y1) = self.a, self.b
        enters, leaves = 0.0, 1.0
        for d, low, high in ((x1 - x0, box.x0 - x0, box.x1 - x0), (y1 - y0, box.y0 - y0, box.y1 - y0)):
            if d == 0:
                if low > 0 or high < 0:
                    return False
                continue
            near, far = sorted((low / d, high / d))
            enters, leaves = max(enters, near), min(leaves, far)
        return enters < leaves


class _Drawing:
    """One ladder on its paper."""

    def __init__(self, ax: Axes, what: Plan) -> None:
        self.ax, self.plan = ax, what
        self.on = Layout(what)
        self.taken: list[_Box] = []
        order = sorted(what.arrows, key=lambda a: (a.kind in ("connection", "end of stream"), _rows(a)))
        self.paths = [_Path(arrow, *self._ends(arrow)) for arrow in order]

    def draw(self) -> None:
        self._lifelines()
        for y, row in enumerate(self.plan.rows):
            if row.event is None:
                self._left_out(y, row)
            else:
                self._call(y, row, row.event)
        self._blocks()
        for path in self.paths:
            self._arrow(path)
        for y, row in enumerate(self.plan.rows):
            if row.event is not None and row.wait is not None and not self.on.several(row.column):
                self._how_long(y, row.column, row.wait, row.event.duration_ns)
        for path in self.paths:
            self._on_arrow(path)

    def _color(self, column: int, line: int) -> str:
        """Each column has a colour; of several lines in one, each has its conversation's."""
        if self.on.several(column):
            column = (number_of(self.plan.columns[column].ends[line].name) or line + 1) - 1
        return _COLORS[column % len(_COLORS)]

    def _text(self, x: float, y: float, words: str, font: str = SANS, size: float = SMALL, **look: Any) -> None:
        """Write `words` at a place that is free, and take it."""
        look = {"color": _INK, "va": "center", "zorder": 5, **look}
        self.ax.text(x, y, words, family=font, fontsize=size, parse_math=False, **look)
        long = width(words, font, size, look.get("fontweight", "normal"))
        left = x - {"left": 0.0, "center": 0.5, "right": 1.0}[look.get("ha", "left")] * long
        self.taken.append(_Box(left, y - size * 0.68, left + long, y + size * 0.68))

    # -- lines and headings ------------------------------------------------------------------------------------------

    def _lifelines(self) -> None:
        for c, column in enumerate(self.plan.columns):
            color = _INK if self.on.several(c) else self._color(c, 0)
            look = {"boxstyle": "round,pad=0.35,rounding_size=0.5", "fc": _CARD, "ec": color, "lw": 1.3}
            self._text(
                self.on.middle(c), 15, self.on.heading(c), size=HEADING, ha="center", fontweight="bold", bbox=look
            )
            for i, end in enumerate(column.ends):
                self._lifeline(c, i, end.name)

    def _lifeline(self, c: int, i: int, name: str) -> None:
        """Strong while the end exists, as far as the trace tells; pale before and after."""
        rows, x, color, ax = self.plan.rows, self.on.x[c][i], self._color(c, i), self.ax
        mine = [y for y, row in enumerate(rows) if row.event is not None and (row.column, row.line) == (c, i)]
        births = [y for y, row in enumerate(rows) if row.event is not None and f"<{name}>" in row.event.result]
        first, last = rows[mine[0]].event if mine else None, rows[mine[-1]].event if mine else None
        top, bottom = 26.0, self.on.y(len(rows) - 0.5)
        ax.vlines(x, top, bottom, color="#d5d9d6", linewidth=0.9, linestyle=(0, (1.5, 2)), zorder=1)
        if births:
            top = self.on.y(births[0])
            if births[0] not in mine:
                self._birth(births[0], x, color)
        elif first is not None and first.call in ("socket", "connect", "create_connection", "create_server"):
            top = self.on.y(mine[0])
        if last is not None and last.call in ("close", "detach") and last.failure is None:
            bottom = self.on.y(mine[-1])
            ax.plot([x, x, x, x - 5, x + 5], [bottom, bottom + 6, bottom + 6, bottom + 6, bottom + 6],
                    color=color, linewidth=1.5, linestyle="-", zorder=1.3, gid="closed")  # fmt: skip
        ax.vlines(x, top, bottom, color=color, linewidth=1.5, zorder=1.2, alpha=0.75 if self.on.several(c) else 1)

    def _birth(self, y: int, x: float, color: str) -> None:
        """From the call that made an end to the beginning of its line."""
        xs, ys = [self.on.at(y), x], [self.on.y(y)] * 2
        dots: Any = (0, (1, 1.6))
        self.ax.plot(xs, ys, color=color, linewidth=1.2, linestyle=dots, zorder=1.5, gid="birth")
        self.ax.plot(xs[1:], ys[1:], marker="o", markersize=5.5, color=color, markerfacecolor=_CARD, zorder=1.6)

    def _left_out(self, y: int, row: Row) -> None:
        self.ax.axhspan(self.on.y(y - 0.42), self.on.y(y + 0.42), color="#eceeea", zorder=1.4, lw=0)
        words = f"… {row.left_out:,} {'call' if row.left_out == 1 else 'calls'} more …"
        self._text(PAPER / 2, self.on.y(y), words, size=CALL, ha="center", fontstyle="italic", color=_FADED)

    def _blocks(self) -> None:
        """A bracket at the right edge of calls that repeat."""
        for (first, last, times, _), x in self.on.brackets.items():
            top, bottom = self.on.y(first - 0.32), self.on.y(last + 0.32)
            xs, ys = [x - 4, x, x, x - 4], [top, top, bottom, bottom]
            self.ax.plot(xs, ys, color=_FADED, linewidth=1.1, linestyle="-", zorder=3, gid="block")
            self._text(x + 4, (top + bottom) / 2, f"× {times}", size=CALL, fontweight="bold", gid="times")

    # -- calls -------------------------------------------------------------------------------------------------------

    def _call(self, y: int, row: Row, event: Event) -> None:
        x, color, several = self.on.at(y), self._color(row.column, row.line), self.on.several(row.column)
        if self.on.clock[y]:
            self._text(self.on.gutter - 10, self.on.y(y), self.on.clock[y], ha="right", color=_FADED, gid="clock")
        if row.wait is not None:
            self._wait(x, self.on.y(row.wait[0]), self.on.y(row.wait[1]), color)
        marker, size, face = "o", 6.5, color
        if event.failure is not None:
            marker, size, face = "X", 8.5, _failed(event)
        elif several or event.peek:
            size, face = 11.5 if several else 6.5, _CARD
        edge = color if face == _CARD else _CARD
        self.ax.plot(
            [x], [self.on.y(y)], marker=marker, markersize=size, markerfacecolor=face, markeredgecolor=edge,
            markeredgewidth=0.9, linestyle="", zorder=4, gid="call",
        )  # fmt: skip
        if several and event.failure is None:
            name = self.plan.columns[row.column].ends[row.line].name
            number = str(number_of(name) or row.line + 1)
            size = 6.8 if len(number) < 3 else 5.0
            self._text(x, self.on.y(y), number, size=size, ha="center", fontweight="bold")
        lines, left = self.on.x[row.column], row.column == 0
        words = cut(self.on.label(event, row.column), self.on.room[row.column] - 13, MONO, CALL)
        color = _failed(event) if event.failure is not None else _INK
        x, side = (lines[0] - 9, "right") if left else (lines[-1] + 9, "left")
        self._text(x, self.on.y(y), words, MONO, CALL, ha=side, color=color, bbox=_GHOST, gid="words")

    def _wait(self, x: float, top: float, bottom: float, color: str) -> None:
        from matplotlib.colors import to_rgb
        from matplotlib.patches import FancyBboxPatch

        pale = tuple(1 - (1 - part) * 0.22 for part in to_rgb(color))
        bar = FancyBboxPatch(
            (x - _BAR / 2, top), _BAR, bottom - top, boxstyle="round,pad=0,rounding_size=2.5", facecolor=pale,
            edgecolor=color, linewidth=0.8, hatch="//////", zorder=2, gid="wait",
        )  # fmt: skip
        self.ax.add_patch(bar)

    def _how_long(self, y: int, column: int, wait: tuple[float, float], ns: int) -> None:
        """How long a call waited, beside the bar, on the side of the arrows; only where there is room."""
        from ..measure.timing import seconds_text

        words, weight, color = f"waits {seconds_text(ns / 1e9, 2)}", "normal", _FADED
        if ns >= _LONG_NS:
            weight, color = "bold", _INK
        long, top, bottom = width(words, SANS, SMALL, weight), self.on.y(wait[0]), self.on.y(wait[1])
        x, side = (self.on.at(y) + 9, "left") if column == 0 else (self.on.at(y) - 9, "right")
        left = x if side == "left" else x - long
        for middle in ((top + bottom) / 2, top + 5, (top * 2 + bottom) / 3, bottom - 5):
            box = _Box(left - 2, middle - 5.5, left + long + 2, middle + 5.5)
            if not any(box.meets(other) for other in self.taken) and not any(p.crosses(box) for p in self.paths):
                self._text(x, middle, words, ha=side, color=color, gid="waits", fontweight=weight)
                return

    # -- arrows ------------------------------------------------------------------------------------------------------

    def _ends(self, arrow: Arrow) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where an arrow begins and ends; one with an end out of sight stops half way to the neighbouring column."""
        if arrow.start is not None and arrow.stop is not None:
            a, b = arrow.start, arrow.stop
            return (self.on.at(a), self.on.y(a)), (self.on.at(b), self.on.y(b))
        known = arrow.start if arrow.start is not None else arrow.stop
        assert known is not None
        x, y, column, lines = self.on.at(known), self.on.y(known), self.plan.rows[known].column, self.on.x
        there = lines[column - 1][-1] if column else lines[1][0] if len(lines) > 1 else self.on.right
        away = x + (there - x) * 0.62
        if arrow.start is not None:
            return (x, y), (away, y + PITCH * 0.3)
        return (away, y - PITCH * 0.3), (x, y)

    def _arrow(self, path: _Path) -> None:
        """The arrow itself, from rim to rim of the two marks."""
        arrow, (x0, y0), (x1, y1) = path.arrow, path.a, path.b
        color = _GREY
        if arrow.kind == "reset" or (arrow.lost and arrow.kind == "connection"):
            color = _ERROR
        elif arrow.kind in ("bytes", "datagram") and arrow.start is not None:
            row = self.plan.rows[arrow.start]
            color = self._color(row.column, row.line)
        long = math.hypot(x1 - x0, y1 - y0) or 1.0
        ux, uy = (x1 - x0) / long, (y1 - y0) / long
        rim0, rim1 = self._rim(arrow.start), self._rim(arrow.stop)
        x0, y0, x1, y1 = x0 + ux * rim0, y0 + uy * rim0, x1 - ux * rim1, y1 - uy * rim1
        head = 0.0 if arrow.lost else 9.0
        self.ax.plot(
            [x0, x1 - ux * head * 0.8], [y0, y1 - uy * head * 0.8], color=color, linewidth=1.4,
            linestyle=_DASHES.get(arrow.kind, "-"), zorder=3, gid=arrow.kind, solid_capstyle="butt",
        )  # fmt: skip
        if arrow.lost:
            look: dict[str, Any] = {"markeredgewidth": 2, "color": _ERROR, "linestyle": "", "zorder": 4}
            self.ax.plot([x1], [y1], marker="x", markersize=7, gid="lost", **look)
            return
        bx, by, half = x1 - ux * head, y1 - uy * head, 3.6
        self.ax.fill(
            [x1, bx - uy * half, bx + uy * half], [y1, by + ux * half, by - ux * half], edgecolor=color, linewidth=1.1,
            facecolor=_CARD if arrow.peek else color, zorder=3.5, joinstyle="miter", linestyle="-", gid="head",
        )  # fmt: skip

    def _rim(self, y: int | None) -> float:
        """From the middle of a row's mark to its rim."""
        return 0.0 if y is None else 7.0 if self.on.several(self.plan.rows[y].column) else 4.5

    def _on_arrow(self, path: _Path) -> None:
        """Write what travels on the arrow, where nothing else stands; shorter where there is no room."""
        arrow = path.arrow
        font, size = (MONO, CALL) if arrow.kind in ("bytes", "datagram") else (SANS, 8.0)
        lock = "  " if arrow.tls else ""
        others = [other for other in self.paths if other is not path]
        for apart in (True, False):  # rather shorter words than words on another arrow
            for words in on_arrow(arrow, self.plan):
                long = width(lock + words, font, size)
                for x, y in _spots(path, long):
                    box = _Box(x - long / 2 - 2, y - size * 0.68, x + long / 2 + 2, y + size * 0.68)
                    if any(box.meets(other) for other in self.taken):
                        continue
                    if apart and any(other.crosses(box) for other in others):
                        continue
                    color = _ERROR if arrow.kind == "reset" else _FADED if font == SANS else _INK
                    look = {"ha": "center", "color": color, "bbox": _GHOST, "gid": "on arrow"}
                    self._text(x, y, lock + words, font, size, **look)
                    if lock:
                        self._lock(x - long / 2 + 4, y)
                    return

    def _lock(self, x: float, y: float) -> None:
        """A padlock: these bytes are plaintext here, and travel encrypted."""
        from matplotlib.path import Path

        arc: Any = Path.arc(0, 180)
        rim = [*(arc.vertices * (0.62, 0.8)), *(arc.vertices[::-1] * (0.36, 0.5))]
        ring = Path(rim, [*arc.codes, Path.LINETO, *arc.codes[1:]])
        body = Path([(-0.95, 0.05), (0.95, 0.05), (0.95, -1.25), (-0.95, -1.25), (-0.95, 0.05)], closed=True)
        self.ax.plot(
            [x], [y], marker=Path.make_compound_path(body, ring), markersize=8.5, color="#7a4b00", linestyle="",
            zorder=6, markeredgewidth=0, gid="tls",
        )  # fmt: skip


def _failed(event: Event) -> str:
    """The colour of a failure: "not now" is an answer, and no reason to worry."""
    return _FADED if event.failure is not None and event.failure.kind in GOES_ON else _ERROR


def _rows(arrow: Arrow) -> int:
    """Over how many rows an arrow runs."""
    return 0 if arrow.start is None or arrow.stop is None else arrow.stop - arrow.start


def _spots(path: _Path, long: float) -> Iterable[tuple[float, float]]:
    """Places on an arrow for words that are `long`, best first: half a row from one of its ends, then the middle."""
    (x0, y0), (x1, y1) = path.a, path.b
    if long > abs(x1 - x0) - 28:
        return
    rows = max(abs(y1 - y0) / PITCH, 1)
    shares = [0.5, 1 - 0.5 / rows, 0.5 / rows, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72, 0.2, 0.8]
    if rows > 1.5:
        shares = [1 - 0.5 / rows, 0.5 / rows, *shares]
    low, high = min(x0, x1) + 12 + long / 2, max(x0, x1) - 12 - long / 2
    for share in shares:
        x = min(max(x0 + (x1 - x0) * share, low), high)
        yield x, y0 + (y1 - y0) * (x - x0) / (x1 - x0)
