"""Where the columns of a ladder stand, and how much room the words beside them get. All lengths are points (1/72 in).

The width of the paper is given, so everything shares it: readings of the clock, labels, arrows with bytes on them.
What has too little room is said in fewer words, arguments first and the names of errors last.
"""

from __future__ import annotations

from ..events import Event
from .ladder_plan import Plan
from .ladder_words import MONO, SANS, clock, cut, heading, labels, on_arrow, width

PAPER = 520.0  # between the margins of 7.5 in
CALL, SMALL, HEADING = 8.5, 7.5, 9.5  # font sizes
PITCH = 19.5  # between rows
HEAD = 30.0  # above the first row: the headings
_ARROW = 110.0, 190.0  # room for an arrow, at least, and at most: some twenty bytes on it
# How far words are shortened, for calls and for calls that failed, until all fit.
_SHORTER = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 3))


class Layout:
    """The places of a plan's columns, lines and rows."""

    def __init__(self, what: Plan) -> None:
        self.plan = what
        self.clock = clock(what.rows)
        self.gutter = 16 + max((width(words, SANS, SMALL) for words in self.clock), default=0)
        self.brackets, self.right = self._brackets()
        self._columns()

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
        here = self.middle(column)
        near = [2 * here, 2 * (PAPER - here)]
        near += [abs(self.middle(other) - here) for other in range(len(self.x)) if other != column]
        return cut(heading(self.plan.columns[column]), max(min(near) - 18, 20), SANS, HEADING, "bold")

    def label(self, event: Event, column: int) -> str:
        """The fullest words for a call that fit beside its column; the last resort may still have to be cut."""
        words = ""
        for words in labels(event):
            if width(words, MONO, CALL) <= self.room[column] - 13.5:
                break
        return words

    def _brackets(self) -> tuple[dict[tuple[int, int, str, int], float], float]:
        """Where the bracket of each block stands, one within another further left; and what is left of the paper."""
        blocks = self.plan.blocks
        depth = {one: sum(a[0] <= one[0] and one[1] <= a[1] for a in blocks if a is not one) for one in blocks}
        x, places = PAPER - 4, {}
        for level in range(max(depth.values(), default=-1) + 1):
            mine = [one for one in blocks if depth[one] == level]
            x -= max((width(f"× {one[2]}", SANS, CALL, "bold") for one in mine), default=0) + 7
            places.update(dict.fromkeys(mine, x))
            x -= 6
        return places, x - 2

    def _columns(self) -> None:
        columns, shares = self.plan.columns, self._shares()
        lines = [(len(column.ends) - 1) * self._pitch(len(column.ends)) for column in columns]
        free = self.right - self.gutter - sum(lines)
        budget = free - (min(self._arrow() * sum(shares), free * 0.45) if len(columns) > 1 else 150)
        self.room = self._rooms(budget * 1.03)
        cap = max(self.room)
        while sum(min(cap, room) for room in self.room) > budget and cap > 40:
            cap -= 2
        self.room = [min(cap, room) for room in self.room]
        spare = max(free - sum(self.room), 0.0)
        x = self.gutter + self.room[0]
        self.x: list[list[float]] = []
        for c, column in enumerate(columns):
            if c > 0:
                x += spare * shares[c - 1] / sum(shares) + (self.room[c - 1] if c > 1 else 0)
            self.x.append([x + i * self._pitch(len(column.ends)) for i in range(len(column.ends))])
            x = self.x[-1][-1]

    def _rooms(self, budget: float) -> list[float]:
        """What each column gets of the budget: all are shortened alike, then what is left makes some fuller again."""
        wants = [self._wants(usual, failed) for usual, failed in _SHORTER]
        level = next((i for i, rooms in enumerate(wants) if sum(rooms) <= budget), len(wants) - 1)
        rooms = wants[level]
        for fuller in wants[:level]:
            for c in sorted(range(len(rooms)), key=lambda c: fuller[c] - rooms[c]):
                if sum(rooms) + fuller[c] - rooms[c] <= budget:
                    rooms[c] = fuller[c]
        return rooms

    def _wants(self, usual: int, failed: int) -> list[float]:
        """The room that each column's words need, shortened so far; its heading, centred, must stay on the paper."""
        wants = [width(heading(column), SANS, HEADING, "bold") / 2 + 10 for column in self.plan.columns]
        for row in self.plan.rows:
            if row.event is not None:
                words = labels(row.event)
                chosen = words[min(usual if row.event.failure is None else failed, len(words) - 1)]
                wants[row.column] = max(wants[row.column], width(chosen, MONO, CALL) + 14)
        return wants

    def _arrow(self) -> float:
        """The room for an arrow with the fullest words on it; one that leads nowhere is shorter than others."""
        needs = [_ARROW[0]]
        for arrow in self.plan.arrows:
            for words in on_arrow(arrow, self.plan):
                whole = arrow.start is not None and arrow.stop is not None
                needs.append((width(words, MONO, CALL) + 28) / (1 if whole else 0.62))
                break
        return min(max(needs), _ARROW[1])

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
