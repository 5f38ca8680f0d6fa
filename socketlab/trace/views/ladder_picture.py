"""Draw a ladder: a line for each end, time runs down, an arrow for whatever travels from one end to the other.

The rows are evenly spaced, in the order of the trace, so that a burst of calls can be read as well as a pause; the
clock stands beside them. All lengths are points (1/72 in) from the top left of the paper, and text is measured before
it is placed, so that no two texts can meet. What the program sent is drawn literally, never as markup.

A hatched bar is the time in which a call waited. Data travels along arrows, with the bytes on them; a peek leaves the
bytes where they are, so its arrow is hollow; a dashed arrow is a datagram; one that ends in × reached nobody; a padlock
stands beside plaintext that travelled encrypted. A grey band between two columns is a faulty link: arrows run
through it, and what it lost, or ended by itself, ends or begins there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..events import Event
from .ladder_captions import Captions
from .ladder_layout import CALL, HEADING, LINK, PAPER, PITCH, Layout
from .ladder_paper import CARD, CROSS, ERROR, FADED, GHOST, GREY, INK, Box, Paper, Path, Point
from .ladder_plan import Arrow, Plan, Row, number_of
from .ladder_planning import plan
from .ladder_words import GOES_ON, MONO, SANS, cut, finding, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

ROWS = 60  # more calls than this on one picture are no longer read; the beginning and the end are shown
_TITLE, _FOOT = 28.0, 9.0
# The style sheet's colours, vermillion left out: it is too near to the colour of errors.
_COLORS = ("#0072B2", "#007D5C", "#9A6700", "#A8507F", "#3a424b")
_DASHES: dict[str, Any] = {
    "datagram": (0, (4, 2.2)), "connection": (0, (1, 1.5)), "end of stream": (0, (6, 1.5, 1, 1.5))
}  # fmt: skip


def ladder(events: Iterable[Event], *, title: str = "", rows: int = ROWS) -> Picture:
    """The picture of a trace: who called what, who waited for whom, and which call got which call's bytes.

    `title` replaces the finding that is stated above it. Calls that repeat are drawn once with "× 37" beside them; of
    what is still longer than `rows` rows, the beginning and the end are drawn. Which calls are shown: see
    `ladder_plan.shown_calls`; where there are none, the picture says so. Its height depends on the number of rows
    alone. Raises ValueError for rows < 3.
    """
    from ...measure.plots import figure

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
    ax.set_title(words, loc="left", fontsize=11, fontweight="bold", color=INK, parse_math=False)
    if what.rows:
        _Drawing(ax, what).draw()
    else:
        words = "No socket call came back while the trace was open."
        ax.text(PAPER / 2, (full - _TITLE - _FOOT) / 2, words, ha="center", va="center", color=FADED, fontsize=HEADING)
    return picture


class _Drawing:
    """One ladder on its paper."""

    def __init__(self, ax: Axes, what: Plan) -> None:
        self.ax, self.plan = ax, what
        self.on = Layout(what)
        self.paper = Paper(ax)
        order = sorted(what.arrows, key=lambda a: (a.kind in ("connection", "end of stream"), _rows(a)))
        self.paths = [(arrow, Path(*self._ends(arrow))) for arrow in order]
        others, bottom = [path for arrow, path in self.paths if not arrow.lost], self.on.y(len(what.rows) - 0.5)
        for i, (arrow, path) in enumerate(self.paths):
            if arrow.lost:
                self.paths[i] = arrow, _alone(others, path, bottom)
                others.append(self.paths[i][1])
        self.labels = [self._label(y, row) for y, row in enumerate(what.rows)]

    def draw(self) -> None:
        self._link()
        self._lifelines()
        for y, row in enumerate(self.plan.rows):
            if row.event is None:
                self._left_out(y, row)
            else:
                self._call(y, row, row.event)
        self._blocks()
        for arrow, path in self.paths:
            self._arrow(arrow, path)
        Captions(self.paper, self.on, self.paths).write()

    def _color(self, column: int, line: int) -> str:
        """Each column has a colour; of several lines in one, each has its conversation's."""
        if self.on.several(column):
            column = (number_of(self.plan.columns[column].ends[line].name) or line + 1) - 1
        return _COLORS[column % len(_COLORS)]

    # -- lines and headings ------------------------------------------------------------------------------------------

    def _link(self) -> None:
        """The faulty link between two columns, through which their arrows run."""
        x = self.on.link_x
        if x is None:
            return
        bottom = self.on.y(len(self.plan.rows) - 0.5)
        self.ax.axvspan(x - 7, x + 7, ymin=0, ymax=1, color="#eceeea", zorder=0.5, lw=0)
        self.ax.vlines([x - 7, x + 7], 26, bottom, color="#b9bfba", linewidth=0.9, linestyle=(0, (1.5, 2)), zorder=0.6)
        look = {"boxstyle": "round,pad=0.35,rounding_size=0.5", "fc": CARD, "ec": GREY, "lw": 1.3, "ls": (0, (2, 1.5))}
        words = {"ha": "center", "fontweight": "bold", "color": FADED, "gid": "link"}
        self.paper.text(x, 15, LINK, size=HEADING, bbox=look, **words)

    def _lifelines(self) -> None:
        for c, column in enumerate(self.plan.columns):
            color = INK if self.on.several(c) else self._color(c, 0)
            look = {"boxstyle": "round,pad=0.35,rounding_size=0.5", "fc": CARD, "ec": color, "lw": 1.3}
            self.paper.text(
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
        self.ax.plot(xs[1:], ys[1:], marker="o", markersize=5.5, color=color, markerfacecolor=CARD, zorder=1.6)

    def _left_out(self, y: int, row: Row) -> None:
        self.ax.axhspan(self.on.y(y - 0.42), self.on.y(y + 0.42), color="#eceeea", zorder=1.4, lw=0)
        words = f"… {row.left_out:,} {'call' if row.left_out == 1 else 'calls'} more …"
        self.paper.text(PAPER / 2, self.on.y(y), words, size=CALL, ha="center", fontstyle="italic", color=FADED)

    def _blocks(self) -> None:
        """A bracket beside calls that repeat: at the right edge, or, where one end alone repeats, at its labels."""
        places = {one: (x, 1) for one, x in self.on.brackets.items()}
        for (first, last, times, _), (x, side) in {**places, **self.on.beside_labels(self.labels)}.items():
            top, bottom = self.on.y(first - 0.32), self.on.y(last + 0.32)
            xs, ys = [x - 4 * side, x, x, x - 4 * side], [top, top, bottom, bottom]
            self.ax.plot(xs, ys, color=FADED, linewidth=1.1, linestyle="-", zorder=3, gid="block")
            words, align = (f"× {times}", "left") if side > 0 else (f"{times} ×", "right")
            look = {"ha": align, "fontweight": "bold", "gid": "times"}
            self.paper.text(x + 4 * side, (top + bottom) / 2, words, size=CALL, **look)

    # -- calls -------------------------------------------------------------------------------------------------------

    def _call(self, y: int, row: Row, event: Event) -> None:
        x, color, several = self.on.at(y), self._color(row.column, row.line), self.on.several(row.column)
        if self.on.clock[y]:
            self.paper.text(self.on.gutter - 10, self.on.y(y), self.on.clock[y], ha="right", color=FADED, gid="clock")
        if row.wait is not None:
            self.paper.bar(x, self.on.y(row.wait[0]), self.on.y(row.wait[1]), color)
        marker, size, face = "o", 6.5, color
        if event.failure is not None:
            marker, size, face = "X", 8.5, _failed(event)
        elif several or event.peek:
            size, face = 11.5 if several else 6.5, CARD
        edge = color if face == CARD else CARD
        self.paper.mark(x, self.on.y(y), marker, size, face, edge)
        if several and event.failure is None:
            name = self.plan.columns[row.column].ends[row.line].name
            number = str(number_of(name) or row.line + 1)
            size = 6.8 if len(number) < 3 else 5.0
            self.paper.text(x, self.on.y(y), number, size=size, ha="center", fontweight="bold")
        lines, left = self.on.x[row.column], row.column == 0
        color = _failed(event) if event.failure is not None else INK
        x, side = (lines[0] - 9, "right") if left else (lines[-1] + 9, "left")
        self.paper.text(x, self.on.y(y), self.labels[y], MONO, CALL, ha=side, color=color, bbox=GHOST, gid="words")

    def _label(self, y: int, row: Row) -> str:
        """The words for a call, which may stand where arrows run elsewhere, but on none of them."""

        def is_free(x0: float, x1: float) -> bool:
            box = Box(x0, self.on.y(y) - 6, x1 + 4, self.on.y(y) + 6)
            return not any(path.crosses(box) for _, path in self.paths)

        return self.on.label(y, is_free) if row.event is not None else ""

    # -- arrows ------------------------------------------------------------------------------------------------------

    def _ends(self, arrow: Arrow) -> tuple[Point, Point]:
        """Where an arrow begins and ends; one with an end out of sight stops half way to the neighbouring column."""
        if arrow.start is not None and arrow.stop is not None:
            a, b = arrow.start, arrow.stop
            return (self.on.at(a), self.on.y(a)), (self.on.at(b), self.on.y(b))
        known = arrow.start if arrow.start is not None else arrow.stop
        assert known is not None
        x, y, column, lines = self.on.at(known), self.on.y(known), self.plan.rows[known].column, self.on.x
        there = lines[column - 1][-1] if column else lines[1][0] if len(lines) > 1 else self.on.right
        share, down = 0.62, 0.3
        if arrow.away is not None:
            share, there = 1.0, lines[arrow.away[0]][arrow.away[1]]
        elif arrow.start is not None and arrow.kind == "bytes":
            share, down = self._beside_others(arrow.start)
        elif self.on.link_x is not None and (arrow.lost or arrow.start is None):  # it was the link's doing
            share, there = 1.0, self.on.link_x
        away = x + (there - x) * share
        if arrow.start is not None:
            return (x, y), (away, y + PITCH * down)
        return (away, y - PITCH * down), (x, y)

    def _beside_others(self, y: int) -> tuple[float, float]:
        """How far an arrow that reaches nobody goes, in shares of the way and in rows: below those that arrive.

        The bytes that arrived are the earlier ones. Far below there is room enough above an arrow.
        """
        near = [a.stop - y for a in self.plan.arrows if a.start == y and a.stop is not None and a.stop - y <= 4]
        return (0.45, 0.45 * max(near) + 0.75) if near else (0.62, 0.3)

    def _arrow(self, arrow: Arrow, path: Path) -> None:
        """The arrow itself, from rim to rim of the two marks."""
        color = GREY
        if arrow.kind == "reset" or (arrow.lost and arrow.kind == "connection"):
            color = ERROR
        elif arrow.kind in ("bytes", "datagram") and arrow.start is not None and arrow.away is None:
            row = self.plan.rows[arrow.start]
            color = self._color(row.column, row.line)
        rims, style = (self._rim(arrow.start), self._rim(arrow.stop)), _DASHES.get(arrow.kind, "-")
        self.paper.arrow(path.a, path.b, rims, color, style, arrow.kind, arrow.peek, arrow.lost)

    def _rim(self, y: int | None) -> float:
        """From the middle of a row's mark to its rim."""
        return 0.0 if y is None else 7.0 if self.on.several(self.plan.rows[y].column) else 4.5


def _alone(others: list[Path], path: Path, bottom: float) -> Path:
    """An arrow that reaches nobody, so that it ends, its cross included, before it meets another.

    It is shortened, or runs steeper, beside the other; where neither helps it stays as it was.
    """
    (x0, y0), (x1, y1) = path.a, path.b
    for down in (0.0, 0.5, 1.0, 1.5, -0.3):
        for share in range(100, 48, -4):
            short = Path((x0, y0), (x1, min(y1 + down * PITCH, bottom))).shortened(share / 100)
            x, y = short.b
            box = Box(x - CROSS - 3, y - CROSS - 3, x + CROSS + 3, y + CROSS + 3)
            if not any(short.meets(other) or other.crosses(box) for other in others):
                return short
    return path


def _failed(event: Event) -> str:
    """The colour of a failure: "not now" is an answer, and no reason to worry."""
    return FADED if event.failure is not None and event.failure.kind in GOES_ON else ERROR


def _rows(arrow: Arrow) -> int:
    """Over how many rows an arrow runs."""
    return 0 if arrow.start is None or arrow.stop is None else arrow.stop - arrow.start
