"""Draw a ladder: a line for each end, time runs down, an arrow for whatever travels from one end to the other.

The rows are evenly spaced, in the order of the trace, so that a burst of calls can be read as well as a pause; the
clock stands beside them. All lengths are points (1/72 in) from the top left of the paper, and text is measured before
it is placed, so that no two texts can meet. What the program sent is drawn literally, never as markup.

A hatched bar is the time in which a call waited. Data travels along arrows, with the bytes on them; a peek leaves the
bytes where they are, so its arrow is hollow; a dashed arrow is a datagram, and one that ends in × reached nobody.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .events import Event, outcome, shown
from .ladder_plan import Arrow, Plan, Row, accepted, moment, plan
from .ladder_words import MONO, SANS, finding, literal, width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..measure.plots import Picture

ROWS = 60  # more calls than this on one picture are no longer read; the beginning and the end are shown
_PITCH = 19.5  # points between rows
_HEAD = 30.0  # above the first row: the headings
_PAPER = (7.5 * 72) - 20  # between the margins
_TITLE, _FOOT = 28.0, 10.0
_SIZE, _SMALL = 8.5, 7.5
_BAR = 9.0
_INK, _FADED, _ERROR, _CARD = "#1c2127", "#4a525b", "#a61b1b", "#fdfdfb"
# The style sheet's colours, vermillion left out: it is too near to the colour of errors.
_COLORS = ("#0072B2", "#007D5C", "#9A6700", "#A8507F", "#3a424b")
_GHOST = {"boxstyle": "square,pad=0.1", "fc": _CARD, "ec": "none"}
_DASHES: dict[str, Any] = {"datagram": (0, (4, 2.2)), "connection": (0, (1, 1.5)), "end": (0, (6, 1.5, 1, 1.5))}
_LONG_NS = 1_000_000  # a wait that is no mere switch from one thread to another


def ladder(events: Iterable[Event], *, title: str = "", rows: int = ROWS) -> Picture:
    """The picture of a trace: who called what, who waited for whom, and which call got which call's bytes.

    `title` replaces the finding that is stated above it. Calls that repeat are drawn once with "× 37" beside them; of
    what is still longer than `rows` rows, the beginning and the end are drawn. Which calls are shown: see
    `ladder_plan.shown_calls`. The height depends on the number of rows alone. Raises ValueError where there is no call
    to show.
    """
    from ..measure.plots import figure

    if rows < 3:
        raise ValueError(f"ladder wanted room for at least 3 rows, but got {rows}")
    what = plan(events, rows)
    if not what.rows:
        raise ValueError("ladder wanted at least one socket call, but got none; has any call returned yet?")
    tall = _TITLE + _HEAD + len(what.rows) * _PITCH + _FOOT
    picture = figure(height=-(-tall // 7.2) / 10)  # tenths of an inch: whole pixels in the figure's repr
    (ax,) = picture.axes
    picture.set_layout_engine("none")
    full = picture.get_size_inches()[1] * 72
    ax.set_position((10 / 540, _FOOT * 0.9 / full, 520 / 540, 1 - (_TITLE + _FOOT * 0.9) / full))
    ax.set(xlim=(0, _PAPER), ylim=(full - _TITLE - _FOOT * 0.9, 0), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(False)
    words = literal(title or finding(what))
    ax.set_title(words, loc="left", fontsize=11, fontweight="bold", color=_INK, parse_math=False)
    _Drawing(ax, what).draw()
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
        self.taken: list[_Box] = []
        self.clock = _clock(what.rows)
        self._place_columns()
        order = sorted(what.arrows, key=lambda a: (a.kind in ("connection", "end"), _span(a)))
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
            self._shaft(path)
        for y, row in enumerate(self.plan.rows):
            self._how_long(y, row)
        for path in self.paths:
            self._on_arrow(path)

    # -- where things stand ------------------------------------------------------------------------------------------

    def _place_columns(self) -> None:
        """Give the paper's width to the columns: what their labels need, and the rest to the arrows between them."""
        columns, rows = self.plan.columns, self.plan.rows
        gutter = 6 + max((width(words, SANS, _SMALL) for words in self.clock), default=0) + 10
        right = 34.0 if self.plan.blocks else 6.0
        want = [0.0] * len(columns)
        for row in rows:
            if row.event is not None:
                words = next(iter(_labels(row.event)))
                want[row.column] = max(want[row.column], width(words, MONO, _SIZE) + 14)
        for c, column in enumerate(columns):  # a heading is centred on its column, and must not leave the paper
            want[c] = max(want[c], width(_heading(column.role, column.members), SANS, 9.5) / 2 + 10)
        lines = [(len(c.ends) - 1) * self._pitch(len(c.ends)) for c in columns]
        free = _PAPER - gutter - right - sum(lines)
        shares = self._shares()
        budget = free - min(190.0 * sum(shares), free * 0.55) if len(columns) > 1 else free - 150
        if sum(want) > budget:  # long labels give way first
            cap = max(want)
            while sum(min(cap, w) for w in want) > budget and cap > 40:
                cap -= 2
            want = [min(cap, w) for w in want]
        spare = free - sum(want)
        self.room = want
        self.x: list[list[float]] = []
        x = gutter + want[0]
        for c, column in enumerate(columns):
            if c > 0:
                x += spare * shares[c - 1] / sum(shares) + (want[c - 1] if c > 1 else 0)
            self.x.append([x + i * self._pitch(len(column.ends)) for i in range(len(column.ends))])
            x = self.x[-1][-1]
        self.gutter = gutter

    def _shares(self) -> list[float]:
        """How the room for arrows is divided among the gaps: bytes need it, a listener next to its server does not."""
        shares = [0.2] * max(len(self.plan.columns) - 1, 1)
        for arrow in self.plan.arrows:
            if arrow.kind in ("bytes", "datagram"):
                known = [self.plan.rows[y].column for y in (arrow.start, arrow.stop) if y is not None]
                low = min(known) if len(known) == 2 else max(known[0] - 1, 0)
                high = max(known) if len(known) == 2 else low + 1
                for gap in range(low, min(high, len(shares))):
                    shares[gap] = max(shares[gap], 1 / (high - low))
        return shares

    @staticmethod
    def _pitch(ends: int) -> float:
        return max(3.0, min(22.0, 90 / max(ends - 1, 1)))

    @staticmethod
    def _y(row: float) -> float:
        return _HEAD + (row + 0.5) * _PITCH

    def _at(self, y: int) -> float:
        row = self.plan.rows[y]
        return self.x[row.column][row.line]

    def _color(self, column: int, line: int) -> str:
        ends = self.plan.columns[column].ends
        return _COLORS[(line if len(ends) > 1 else column) % len(_COLORS)]

    def _text(self, x: float, y: float, words: str, font: Any = SANS, size: float = _SMALL, **look: Any) -> None:
        look = {"color": _INK, "va": "center", "zorder": 5, **look}
        self.ax.text(x, y, words, family=font, fontsize=size, parse_math=False, **look)
        long, align = width(words, font, size), look.get("ha", "left")
        left = x - {"left": 0.0, "center": 0.5, "right": 1.0}[align] * long
        self.taken.append(_Box(left, y - size * 0.68, left + long, y + size * 0.68))

    # -- lines and headings ------------------------------------------------------------------------------------------

    def _lifelines(self) -> None:
        rows, ax = self.plan.rows, self.ax
        bottom = self._y(len(rows) - 0.5)
        for c, column in enumerate(self.plan.columns):
            several = len(column.ends) > 1
            color = _INK if several else self._color(c, 0)
            words = literal(_heading(column.role, column.members))
            middle = (self.x[c][0] + self.x[c][-1]) / 2
            look = {"boxstyle": "round,pad=0.35,rounding_size=0.5", "fc": _CARD, "ec": color, "lw": 1.3}
            self._text(middle, 15, words, size=9.5, ha="center", fontweight="bold", bbox=look)
            for i, x in enumerate(self.x[c]):
                color = self._color(c, i)
                mine = [y for y, row in enumerate(rows) if row.event is not None and (row.column, row.line) == (c, i)]
                first, last = (mine[0], mine[-1]) if mine else (0, len(rows) - 1)
                made = rows[first].event
                born = made is not None and (made.call in ("accept", "socket", "connect", "socketpair"))
                closed = rows[last].event
                ended = closed is not None and closed.call in ("close", "detach")
                ax.vlines(x, 26, bottom, color="#d5d9d6", linewidth=0.9, linestyle=(0, (1.5, 2)), zorder=1)
                top = self._y(first) if born else 26
                end = self._y(last) if ended else bottom
                ax.vlines(x, top, end, color=color, linewidth=1.5, zorder=1.2, alpha=0.75 if several else 1)
                if ended:
                    ax.hlines(end + 6, x - 5, x + 5, color=color, linewidth=1.5, zorder=1.3)
                    ax.vlines(x, end, end + 6, color=color, linewidth=1.5, zorder=1.2)

    def _left_out(self, y: int, row: Row) -> None:
        self.ax.axhspan(self._y(y - 0.42), self._y(y + 0.42), color="#eceeea", zorder=1.4, lw=0)
        words = f"… {row.left_out:,} {'call' if row.left_out == 1 else 'calls'} more …"
        self._text(_PAPER / 2, self._y(y), words, size=_SIZE, ha="center", fontstyle="italic", color=_FADED)

    def _blocks(self) -> None:
        """A bracket at the right edge of calls that repeat."""
        for first, last, times, _ in self.plan.blocks:
            x, top, bottom = _PAPER - 36, self._y(first - 0.32), self._y(last + 0.32)
            self.ax.plot([x - 4, x, x, x - 4], [top, top, bottom, bottom], color=_FADED, linewidth=1.1, linestyle="-", zorder=3)
            self._text(x + 4, (top + bottom) / 2, f"× {times}", size=_SIZE, fontweight="bold")

    # -- calls -------------------------------------------------------------------------------------------------------

    def _call(self, y: int, row: Row, event: Event) -> None:
        x, color, failed = self._at(y), self._color(row.column, row.line), event.failure is not None
        if self.clock[y]:
            self._text(self.gutter - 10, self._y(y), self.clock[y], ha="right", color=_FADED)
        if row.since is not None:
            self._wait(x, self._y(row.since), self._y(y), color)
        several = len(self.plan.columns[row.column].ends) > 1
        mark: dict[str, Any] = {"marker": "o", "markersize": 6.5, "markerfacecolor": color}
        if failed:
            mark = {"marker": "X", "markersize": 8.5, "markerfacecolor": _ERROR}
        elif event.peek:
            mark["markerfacecolor"] = _CARD
        elif several:
            mark = {"marker": "o", "markersize": 11.5, "markerfacecolor": _CARD}
        edge = _CARD if mark["markerfacecolor"] != _CARD else color
        self.ax.plot([x], [self._y(y)], markeredgecolor=edge, markeredgewidth=0.9, linestyle="", zorder=4, **mark)
        if several and not failed:
            self._text(x, self._y(y), str(row.line + 1), size=6.8, ha="center", fontweight="bold")
        self._words(y, row, event)
        if event.call == "accept" and not failed:
            self._birth(y, row, event)

    def _words(self, y: int, row: Row, event: Event) -> None:
        """The call beside its line: left of the first column, right of all others."""
        lines = self.x[row.column]
        words = _fitting(_labels(event), self.room[row.column] - 14)
        x, ha = (lines[0] - 9, "right") if row.column == 0 else (lines[-1] + 9, "left")
        color = _ERROR if event.failure is not None else _INK
        self._text(x, self._y(y), words, MONO, _SIZE, ha=ha, color=color, bbox=_GHOST, gid="call")

    def _how_long(self, y: int, row: Row) -> None:
        """How long a call waited, beside the bar, on the side of the arrows; only where there is room."""
        if row.since is None or row.event is None or len(self.plan.columns[row.column].ends) > 1:
            return
        words = f"waits {_duration(row.event.duration_ns)}"
        long, top, bottom = width(words, SANS, _SMALL), self._y(row.since), self._y(y)
        left = self._at(y) + 9 if row.column == 0 else self._at(y) - 9 - long
        for middle in ((top + bottom) / 2, top + 5, (top * 2 + bottom) / 3, bottom - 5):
            box = _Box(left - 2, middle - 5.5, left + long + 2, middle + 5.5)
            if not any(box.meets(other) for other in self.taken) and not any(p.crosses(box) for p in self.paths):
                heavy = row.event.duration_ns >= _LONG_NS
                color, weight = (_INK, "bold") if heavy else (_FADED, "normal")
                self._text(left, middle, words, color=color, gid="waits", fontweight=weight)
                return

    def _wait(self, x: float, top: float, bottom: float, color: str) -> None:
        from matplotlib.colors import to_rgb
        from matplotlib.patches import FancyBboxPatch

        pale = tuple(1 - (1 - part) * 0.22 for part in to_rgb(color))
        bar = FancyBboxPatch(
            (x - _BAR / 2, top), _BAR, bottom - top, boxstyle="round,pad=0,rounding_size=2.5", facecolor=pale,
            edgecolor=color, linewidth=0.8, hatch="//////", zorder=2, gid="wait",
        )  # fmt: skip
        self.ax.add_patch(bar)

    def _birth(self, y: int, row: Row, event: Event) -> None:
        """From a listener's accept to the line of the end that it made."""
        name = accepted(event)
        for c, column in enumerate(self.plan.columns):
            for i, end in enumerate(column.ends):
                if end.name == name and (c, i) != (row.column, row.line):
                    self.ax.plot(
                        [self._at(y), self.x[c][i]], [self._y(y)] * 2, color=self._color(c, i), linewidth=1.2,
                        linestyle=(0, (1, 1.6)), zorder=1.5, marker="o", markevery=[1], markersize=5.5,
                        markerfacecolor=_CARD,
                    )  # fmt: skip

    # -- arrows ------------------------------------------------------------------------------------------------------

    def _shaft(self, path: _Path) -> None:
        """The arrow itself, from rim to rim of the two marks."""
        arrow = path.arrow
        known = arrow.start if arrow.start is not None else arrow.stop
        assert known is not None
        row = self.plan.rows[known]
        color = self._color(row.column, row.line)
        if arrow.kind in ("connection", "end"):
            color = "#6b737c"
        if arrow.kind == "reset" or (arrow.lost and arrow.kind == "connection"):
            color = _ERROR
        (x0, y0), (x1, y1) = path.a, path.b
        long = math.hypot(x1 - x0, y1 - y0) or 1.0
        ux, uy = (x1 - x0) / long, (y1 - y0) / long
        rim0, rim1 = self._rim(arrow.start), self._rim(arrow.stop)
        x0, y0, x1, y1 = x0 + ux * rim0, y0 + uy * rim0, x1 - ux * rim1, y1 - uy * rim1
        head = 0.0 if arrow.lost else 9.0
        style = _DASHES.get(arrow.kind, "-")
        xs, ys = [x0, x1 - ux * head * 0.8], [y0, y1 - uy * head * 0.8]
        self.ax.plot(xs, ys, color=color, linewidth=1.4, linestyle=style, zorder=3, gid=arrow.kind, marker="",
                     solid_capstyle="butt")  # fmt: skip
        if arrow.lost:
            look = {"markersize": 7, "markeredgewidth": 2, "color": _ERROR, "linestyle": "", "zorder": 4}
            self.ax.plot([x1], [y1], marker="x", gid="lost", **look)
            return
        bx, by, half = x1 - ux * head, y1 - uy * head, 3.6
        self.ax.fill(
            [x1, bx - uy * half, bx + uy * half], [y1, by + ux * half, by - ux * half], edgecolor=color, linewidth=1.1,
            facecolor=_CARD if arrow.peek else color, zorder=3.5, joinstyle="miter", linestyle="-", gid="head",
        )  # fmt: skip

    def _rim(self, y: int | None) -> float:
        """From the middle of a row's mark to its rim."""
        if y is None:
            return 0.0
        return 7.0 if len(self.plan.columns[self.plan.rows[y].column].ends) > 1 else 4.5

    def _ends(self, arrow: Arrow) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where an arrow begins and ends; one with an end out of sight stops half way to the neighbouring column."""
        if arrow.start is not None and arrow.stop is not None:
            return (self._at(arrow.start), self._y(arrow.start)), (self._at(arrow.stop), self._y(arrow.stop))
        known = arrow.start if arrow.start is not None else arrow.stop
        assert known is not None
        row, x, y = self.plan.rows[known], self._at(known), self._y(known)
        if row.column == 0:
            reach = (self.x[1][0] if len(self.x) > 1 else _PAPER) - x
        else:
            reach = self.x[row.column - 1][-1] - x
        reach *= 0.62
        if arrow.start is not None:
            return (x, y), (x + reach, y + _PITCH * 0.3)
        return (x + reach, y - _PITCH * 0.3), (x, y)

    def _on_arrow(self, path: _Path) -> None:
        """Write what travels on the arrow, where nothing else stands; shorter where there is no room."""
        arrow, (x0, y0), (x1, y1) = path.arrow, path.a, path.b
        rows = max(abs(y1 - y0) / _PITCH, 1)
        font, size = (MONO, _SIZE) if arrow.kind in ("bytes", "datagram") else (SANS, 8)
        lock = "  " if arrow.tls else ""
        spots = [0.5, 1 - 0.5 / rows, 0.5 / rows, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72, 0.2, 0.8]
        if rows > 1.5:
            spots = [1 - 0.5 / rows, 0.5 / rows, *spots]
        others = [other for other in self.paths if other is not path]
        for apart in (True, False):  # rather shorter words than words on another arrow
            for words in _on(arrow, self.plan):
                words = lock + words
                long = width(words, font, size)
                if long > abs(x1 - x0) - 28:
                    continue
                for spot in spots:
                    low, high = min(x0, x1) + 12 + long / 2, max(x0, x1) - 12 - long / 2
                    x = min(max(x0 + (x1 - x0) * spot, low), high)
                    y = y0 + (y1 - y0) * ((x - x0) / (x1 - x0) if x1 != x0 else spot)
                    box = _Box(x - long / 2 - 2, y - size * 0.68, x + long / 2 + 2, y + size * 0.68)
                    if any(box.meets(other) for other in self.taken):
                        continue
                    if apart and any(other.crosses(box) for other in others):
                        continue
                    color = _ERROR if arrow.kind == "reset" else _FADED if font == SANS else _INK
                    self._text(x, y, words, font, size, ha="center", color=color, bbox=_GHOST, gid="on arrow")
                    if lock:
                        self._lock(x - long / 2 + 4, y)
                    return

    def _lock(self, x: float, y: float) -> None:
        """A padlock: these bytes are plaintext here, and travel encrypted."""
        from matplotlib.path import Path

        arc: Any = Path.arc(0, 180)
        ring = Path([*(arc.vertices * (0.62, 0.8)), *(arc.vertices[::-1] * (0.36, 0.5))], [*arc.codes, 2, *arc.codes[1:]])
        body = Path([(-0.95, 0.05), (0.95, 0.05), (0.95, -1.25), (-0.95, -1.25), (-0.95, 0.05)], closed=True)
        self.ax.plot(
            [x], [y], marker=Path.make_compound_path(body, ring), markersize=8.5, color="#7a4b00", linestyle="", zorder=6,
            markeredgewidth=0, gid="tls",
        )  # fmt: skip


# -- words -----------------------------------------------------------------------------------------------------------


def _heading(role: str, ends: int) -> str:
    return role if ends == 1 else f"{ends} {role}s"


def _labels(event: Event) -> Iterable[str]:
    """The call in words, the fullest first."""
    asked = literal(event.asked)
    name = literal(event.call)
    if event.direction == "out" and event.failure is None:
        head = name if not asked else f"{name}({asked})"
        came = outcome(event)
    else:
        head = f"{name}({asked})"
        came = outcome(event)
        if event.failure is not None:
            came = f" ✗ {event.failure}"
        elif (event.direction == "in" and event.size) or accepted(event):
            came = ""
    came = literal(came)
    yield head + came
    if event.failure is not None:
        yield f"{head} ✗ {event.failure.kind}"
        yield f"{name} ✗ {event.failure.kind}"
        yield f"{name} ✗ {str(event.failure).split()[-1]}"
        yield f"✗ {str(event.failure).split()[-1]}"
    yield head
    yield f"{name}(…)" if asked else name


def _fitting(choices: Iterable[str], room: float) -> str:
    """The fullest of some words that fits into `room` points; the last one cut, if none does."""
    words = ""
    for words in choices:
        if width(words, MONO, _SIZE) <= room + 0.5:
            return words
    return words[: max(1, int(room / width("x", MONO, _SIZE)) - 1)] + "…"


def _duration(ns: int) -> str:
    from ..measure.timing import seconds_text

    return seconds_text(ns / 1e9, 2)


def _on(arrow: Arrow, what: Plan) -> Iterable[str]:
    """What stands on an arrow, the fullest words first."""
    if arrow.kind == "connection":
        yield from ("connection",) if not arrow.lost else ()
    elif arrow.kind == "end":
        yield from ("end of stream", "end")
    elif arrow.kind == "reset":
        yield "reset"
    elif arrow.pieces > 1 and not _repeats(arrow, what):
        yield f"{arrow.pieces:,} pieces, {arrow.size:,} bytes"
        yield f"{arrow.size:,} bytes"
    else:
        size = arrow.size // arrow.pieces
        if arrow.data is not None:
            for most in (24, 20, 16, 12, 10):
                yield shown(arrow.data, size, most)
        yield f"{size:,} bytes" if size != 1 else "1 byte"
        yield f"{size:,} B"


def _repeats(arrow: Arrow, what: Plan) -> bool:
    """Whether an arrow of many pieces stands within calls that are drawn once for all times."""
    return any(
        first <= y <= last and arrow.pieces <= most
        for first, last, _, most in what.blocks
        for y in (arrow.start, arrow.stop)
        if y is not None
    )


def _span(arrow: Arrow) -> int:
    return 0 if arrow.start is None or arrow.stop is None else arrow.stop - arrow.start


def _clock(rows: list[Row]) -> list[str]:
    """The reading beside each row; "" where it would repeat the one above."""
    times = [moment(row.event) if row.event is not None else None for row in rows]
    known = [t for t in times if t is not None]
    if not any(known):
        return [""] * len(rows)
    total = max(known)
    unit, size = next(((u, s) for u, s in (("s", 10**9), ("ms", 10**6)) if total >= s), ("µs", 10**3))
    places = 0 if total >= 100 * size else 1 if total >= 10 * size else 2
    if unit == "µs":
        places = 0
    said: list[str] = []
    last = ""
    for t in times:
        words = f"{t / size:,.{places}f} {unit}" if t is not None else ""
        said.append(words if words != last else "")
        last = words or last
    return said

