"""Where the columns of a ladder stand, and how much room the words beside them get. All lengths are points (1/72 in).

The width of the paper is given, so everything shares it: readings of the clock, labels, arrows with bytes on them.
What has too little room is said in fewer words, arguments first and the names of errors last.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from ..events import Event
from .ladder_plan import Plan
from .ladder_words import ELSEWHERE, MONO, SANS, clock, cut, heading, labels, on_arrow, width, with_spare

PAPER = 520.0  # between the margins of 7.5 in
CALL, SMALL, HEADING = 8.5, 7.5, 9.5  # font sizes
PITCH = 19.5  # between rows
HEAD = 30.0  # above the first row: the headings
_ARROW = 110.0, 190.0  # room for an arrow, at least, and at most: some twenty bytes on it
_TIGHT = 64.0  # room for an arrow where words would have to be cut
LINK = "link"  # the heading of what stands between two columns
_SPARE = 24.0  # what words on an arrow need beside their length to stand wherever other arrows leave room
_APART = 18.0  # between two headings, their frames included
# How far words are shortened, for calls and for calls that failed, until all fit.
_SHORTER = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 3))

Block = tuple[int, int, str, int]


class Layout:
    """The places of a plan's columns, lines and rows."""

    def __init__(self, what: Plan) -> None:
        self.plan = what
        self.clock = clock(what.rows)
        self.gutter = 16 + max((width(words, SANS, SMALL) for words in self.clock), default=0)
        self.beside = [0.0] * len(what.rows)  # room that brackets take beside a row's label
        self.brackets, self.right = self._brackets()
        #: The column at whose right a faulty link stands, if there is one between two columns.
        linked = (c for c, column in enumerate(what.columns[:-1]) if any(end.link for end in column.ends))
        self.link = next(linked, None)
        self._columns()
        self.link_x: float | None = None
        if self.link is not None:
            self.link_x = (self.x[self.link][-1] + self.x[self.link + 1][0]) / 2

    @staticmethod
    def y(row: float) -> float:
        """The height of a row, or of a place between two."""
        return HEAD + (row + 0.5) * PITCH

    def at(self, row: int) -> float:
        """Where the line is on which the call of a row stands."""
        found = self.plan.rows[row]
        return self.x[found.column][found.line]

    def several(self, column: int) -> bool:
        """Whether a column has several lines."""
        return len(self.plan.columns[column].ends) > 1

    def middle(self, column: int) -> float:
        """Where the heading of a column is centred."""
        return (self.x[column][0] + self.x[column][-1]) / 2

    def heading(self, column: int) -> str:
        """The heading of a column, cut where it would meet its neighbour's or the edge of the paper."""
        here, mine = self.middle(column), self._head(column)
        room = 2 * min(here, PAPER - here) - _APART
        for other in (column - 1, column + 1):
            if 0 <= other < len(self.x):
                apart = abs(self.middle(other) - here) - _APART
                room = min(room, apart if (mine + self._head(other)) / 2 > apart else mine)
        return cut(heading(self.plan.columns[column]), max(room, 20), SANS, HEADING, "bold")

    def _head(self, column: int) -> float:
        return width(heading(self.plan.columns[column]), SANS, HEADING, "bold")

    def label(self, y: int, is_free: Callable[[float, float], bool]) -> str:
        """The fullest words for the call of a row that fit beside its column; the last resort may have to be cut.

        They may go on into the room for arrows, up to the next column, where `is_free(x0, x1)` says that none is.
        """
        row = self.plan.rows[y]
        assert row.event is not None
        column, lines = row.column, self.x[row.column]
        room = reach = self.room[column] - 13 - self.beside[y]
        if column:
            end = self.x[column + 1][0] - 12 if column + 1 < len(self.x) else self.right
            reach = max(end - lines[-1] - 9 - self.beside[y], room)
        words = ""
        for words in with_spare(row.event):
            long = width(words, MONO, CALL)
            if long <= room + 0.5 or (long <= reach and is_free(lines[-1] + 9 + room, lines[-1] + 9 + long)):
                return words
        return cut(words, reach, MONO, CALL)

    def _brackets(self) -> tuple[dict[Block, float], float]:
        """Where the bracket of each block stands, one within another further left; and what is left of the paper.

        What one end repeats has its bracket beside its own labels, unless that end is the last: see `beside_labels`.
        """
        last = len(self.plan.columns) - 1
        own: list[Block] = []
        blocks: list[Block] = []
        for one in self.plan.blocks:
            columns = {row.column for row in self.plan.rows[one[0] : one[1] + 1] if row.event is not None}
            (own if len(columns) == 1 and columns != {last} else blocks).append(one)
        self._own = sorted(own, key=lambda one: one[1] - one[0])  # what is inside stands nearer
        for one in self._own:
            for y in range(one[0], one[1] + 1):
                self.beside[y] += width(f"{one[2]} ×", SANS, CALL, "bold") + 16
        depth = {one: sum(a[0] <= one[0] and one[1] <= a[1] for a in blocks if a is not one) for one in blocks}
        x, places = PAPER - 4, {}
        for level in range(max(depth.values(), default=-1) + 1):
            mine = [one for one in blocks if depth[one] == level]
            x -= max((width(f"× {one[2]}", SANS, CALL, "bold") for one in mine), default=0) + 7
            places.update(dict.fromkeys(mine, x))
            x -= 6
        return places, x - 2

    def beside_labels(self, words: list[str]) -> dict[Block, tuple[float, int]]:
        """The brackets that stand beside one column's labels: where, and on which side (-1: at their left)."""
        taken = [width(label, MONO, CALL) for label in words]
        places: dict[Block, tuple[float, int]] = {}
        for one in self._own:
            mine = [y for y in range(one[0], one[1] + 1) if self.plan.rows[y].event is not None]
            column = self.plan.rows[mine[0]].column
            long = max(taken[y] for y in mine) + 7
            places[one] = (self.x[0][0] - 9 - long, -1) if column == 0 else (self.x[column][-1] + 9 + long, 1)
            for y in mine:
                taken[y] = long + width(f"{one[2]} ×", SANS, CALL, "bold") + 6
        return places

    def _columns(self) -> None:
        columns, shares = self.plan.columns, self._shares()
        lines = [(len(column.ends) - 1) * self._pitch(len(column.ends)) for column in columns]
        free = self.right - self.gutter - sum(lines)
        wide, tight = self._arrow()
        needs = self._needs(free, lines)
        comfort, least = (
            free - (max(min(arrow * sum(shares), free * 0.45), sum(needs)) if len(columns) > 1 else 150)
            for arrow in (wide, tight)
        )
        self.room = self._rooms(comfort * 1.03, least)
        budget = max(comfort, min(least, sum(self.room)))
        cap = max(self.room)
        while sum(min(cap, room) for room in self.room) > budget and cap > 40:
            cap -= 2
        self.room = [min(cap, room) for room in self.room]
        spare = max(free - sum(self.room), 0.0)
        gaps = _shared(spare, shares, needs)
        x = self.gutter + self.room[0]
        self.x: list[list[float]] = []
        for c, column in enumerate(columns):
            if c > 0:
                x += gaps[c - 1] + (self.room[c - 1] if c > 1 else 0)
            self.x.append([x + i * self._pitch(len(column.ends)) for i in range(len(column.ends))])
            x = self.x[-1][-1]

    def _needs(self, free: float, lines: list[float]) -> list[float]:
        """How far columns must be apart, beside the room for words, for their headings to be whole."""
        heads, least = [min(self._head(c), 90.0) for c in range(len(lines))], self._wants(*_SHORTER[-1])
        needs = []
        for c, (one, other) in enumerate(pairwise(heads)):
            words = 0.0 if c == 0 else min(least[c], 90.0)  # those of the first column stand at its left
            if c == self.link:
                words -= width(LINK, SANS, HEADING, "bold") + _APART
            needs.append(max((one + other) / 2 + _APART + 2 - words - (lines[c] + lines[c + 1]) / 2, 0.0))
        return [need * min(free * 0.4 / max(sum(needs), 1.0), 1.0) for need in needs]

    def _rooms(self, comfort: float, least: float) -> list[float]:
        """What each column gets of the budget: all are shortened alike, then what is left makes some fuller again.

        The budget leaves room for arrows in `comfort`, or, where words would have to be cut, the `least`.
        """
        wants = [self._wants(usual, failed) for usual, failed in _SHORTER]
        budget = comfort if any(sum(rooms) <= comfort for rooms in wants) else max(comfort, least)
        level = next((i for i, rooms in enumerate(wants) if sum(rooms) <= budget), len(wants) - 1)
        rooms = wants[level]
        for fuller in wants[:level]:
            for c in sorted(range(len(rooms)), key=lambda c: fuller[c] - rooms[c]):
                if sum(rooms) + fuller[c] - rooms[c] <= budget:
                    rooms[c] = fuller[c]
        for c, most in enumerate(self._wants(1, 3, with_spare)):
            if 0 < most - rooms[c] <= comfort - sum(rooms) - _SPARE:
                rooms[c] = most
        return rooms

    def _wants(self, usual: int, failed: int, words_of: Callable[[Event], list[str]] = labels) -> list[float]:
        """The room that each column's words need, shortened so far; its heading, centred, must stay on the paper."""
        wants = [self._head(c) / 2 + 10 for c in range(len(self.plan.columns))]
        for y, row in enumerate(self.plan.rows):
            if row.event is not None:
                words = words_of(row.event)
                chosen = words[min(usual if row.event.failure is None else failed, len(words) - 1)]
                wants[row.column] = max(wants[row.column], width(chosen, MONO, CALL) + 14 + self.beside[y])
        for arrow in self.plan.arrows:
            if arrow.away is not None and arrow.start is not None:
                column = arrow.away[0]
                wants[column] = max(wants[column], width(ELSEWHERE, SANS, SMALL) + 14)
        return wants

    def _arrow(self) -> tuple[float, float]:
        """The room for an arrow with the fullest words on it, and with the fewest; what leads nowhere is shorter."""
        wide, tight = [_ARROW[0]], [_TIGHT]
        for arrow in self.plan.arrows:
            words = [width(words, MONO, CALL) + 28 for words in on_arrow(arrow, self.plan)]
            whole = arrow.start is not None and arrow.stop is not None
            if words:
                wide.append(words[0] / (1 if whole else 0.62))
                tight.append(min(words) / (1 if whole else 0.62))
        return min(max(wide), _ARROW[1]), min(max(tight), _ARROW[0])

    def _shares(self) -> list[float]:
        """How the room for arrows is divided among the gaps: bytes need it, a listener next to its server does not."""
        shares = [0.2] * max(len(self.plan.columns) - 1, 1)
        for arrow in self.plan.arrows:
            if arrow.kind not in ("bytes", "datagram"):
                continue
            known = [self.plan.rows[y].column for y in (arrow.start, arrow.stop) if y is not None]
            low = min(known) if len(known) == 2 else max(known[0] - 1, 0)
            high = max(known) if len(known) == 2 else low + 1
            for gap in range(low, min(high, len(shares))):
                shares[gap] = max(shares[gap], 1 / (high - low))
        return shares

    @staticmethod
    def _pitch(ends: int) -> float:
        """Between the lines of one column."""
        return max(3.0, min(22.0, 90 / max(ends - 1, 1)))


def _shared(spare: float, shares: list[float], needs: list[float]) -> list[float]:
    """`spare` divided by `shares`, but each gets what it needs as long as there is enough."""
    if sum(needs) >= spare:
        return [spare * need / max(sum(needs), 1.0) for need in needs]
    got = list(needs)
    open_gaps = list(range(len(needs)))
    while open_gaps:  # those that need more than their share get just that, and the others share the rest
        rest = spare - sum(got[gap] for gap in range(len(got)) if gap not in open_gaps)
        whole = sum(shares[gap] for gap in open_gaps)
        short = [gap for gap in open_gaps if rest * shares[gap] / whole < needs[gap]]
        if not short:
            for gap in open_gaps:
                got[gap] = rest * shares[gap] / whole
            break
        open_gaps = [gap for gap in open_gaps if gap not in short]
    return got
