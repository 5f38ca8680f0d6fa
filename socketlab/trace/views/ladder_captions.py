"""What is written on a ladder where there is room for it: how long a call waited, and what travels on an arrow.

Words never stand on words, nor on the cross of what was lost; how long a call waited is left out rather than written on
an arrow. What travels is written on its own arrow, and on others only where there is no other place. Of an arrow enough
must stay in sight at both of its ends for the eye to follow it: rather than hide it, the words are shortened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..events import Event
from .ladder_layout import CALL, PITCH, SMALL, Layout
from .ladder_paper import CROSS, ERROR, FADED, GHOST, INK, Box, Paper, Path
from .ladder_plan import Arrow, Row, number_of
from .ladder_waits import WAITED_NS
from .ladder_words import ELSEWHERE, MONO, SANS, on_arrow, width

LONG_NS = 1_000_000  # a wait that is no mere switch from one thread to another
_LONGEST = 2  # waits that are written beside a column of several ends
# What must stay in sight of an arrow at its beginning and at its tip, whether other arrows must too: best first.
_STRICT = ((18.0, 34.0, True), (12.0, 16.0, True), (18.0, 34.0, False), (12.0, 12.0, False))


class Captions:
    """The words on the arrows, and beside the bars, of one ladder."""

    def __init__(self, paper: Paper, on: Layout, paths: Sequence[tuple[Arrow, Path]]) -> None:
        self.paper, self.on, self.paths, self.plan = paper, on, paths, on.plan

    def write(self) -> None:
        """All of them, the waits first. What hides a cross would hide that something was lost."""
        for arrow, (_, (x, y)) in ((arrow, (path.a, path.b)) for arrow, path in self.paths):
            if arrow.lost:
                self.paper.taken.append(Box(x - CROSS, y - CROSS, x + CROSS, y + CROSS))
        for arrow, path in self.paths:
            if arrow.away is not None and arrow.start is not None:
                self._elsewhere(arrow.away[0], path)
        for y, row in self._waits():
            if row.event is not None and row.wait is not None:
                self._how_long(y, row, row.event, row.wait)
        for arrow, path in self.paths:
            self._on_arrow(arrow, path)

    def _elsewhere(self, column: int, path: Path) -> None:
        """Beside the tip of an arrow to an end that another process holds."""
        lines, y = self.on.x[column], path.b[1]
        x, side = (lines[0] - 9, "right") if column == 0 else (lines[-1] + 9, "left")
        long = width(ELSEWHERE, SANS, SMALL)
        left = x - long if column == 0 else x
        if self.paper.is_free(Box(left, y - 5, left + long, y + 5)):
            self.paper.text(x, y, ELSEWHERE, size=SMALL, ha=side, color=FADED, bbox=GHOST, gid="elsewhere")

    def _waits(self) -> list[tuple[int, Row]]:
        """The rows whose waiting time is written; where several ends share a column, the longest only."""
        every = ((y, row) for y, row in enumerate(self.plan.rows) if row.event is not None and row.wait is not None)
        rows = [(y, row) for y, row in every if row.event and row.event.duration_ns >= WAITED_NS]
        shown = [(y, row) for y, row in rows if not self.on.several(row.column)]
        for column in filter(self.on.several, range(len(self.on.x))):
            mine = [(row.event.duration_ns, y, row) for y, row in rows if row.event and row.column == column]
            longest = sorted((one for one in mine if one[0] >= LONG_NS), key=lambda one: -one[0])[:_LONGEST]
            shown += [(y, row) for _, y, row in longest]
        return shown

    def _how_long(self, y: int, row: Row, event: Event, wait: tuple[float, float]) -> None:
        """How long a call waited, beside the bar, on the side of the arrows; only where there is room."""
        from ...measure.timing import seconds_text

        ns, column, lines = event.duration_ns, row.column, self.on.x[row.column]
        words, weight, color = f"waits {seconds_text(ns / 1e9, 2)}", "normal", FADED
        if ns >= LONG_NS:
            weight, color = "bold", INK
        edge = lines[-1] if column == 0 else lines[0]
        if edge != self.on.at(y):  # other ends' lines are between the bar and the words
            words = f"{number_of(self.plan.columns[column].ends[row.line].name) or row.line + 1} {words}"
        long, top, bottom = width(words, SANS, SMALL, weight), self.on.y(wait[0]), self.on.y(wait[1])
        x, side = (edge + 9, "left") if column == 0 else (edge - 9, "right")
        left = x if side == "left" else x - long
        places = [(top + bottom) / 2, top + 5, (top * 2 + bottom) / 3, bottom - 5]
        if self.on.several(column):
            x, left = (x + 3, left + 3) if side == "left" else (x - 3, left - 3)  # the marks there are larger
            places += [bottom + 4]
        for middle in places:
            box = Box(left - 2, middle - 5.5, left + long + 2, middle + 5.5)
            if self.paper.is_free(box) and not any(path.crosses(box) for _, path in self.paths):
                look: dict[str, Any] = {"ha": side, "color": color, "gid": "waits", "fontweight": weight}
                self.paper.text(x, middle, words, **look)
                return

    def _on_arrow(self, arrow: Arrow, path: Path) -> None:
        """Write what travels on the arrow, where nothing else stands; shorter where there is no room."""
        font, size = (MONO, CALL) if arrow.kind in ("bytes", "datagram") else (SANS, 8.0)
        lock = "  " if arrow.tls else ""
        others = [other for _, other in self.paths if other is not path]
        for tail, tip, apart in _STRICT:  # rather shorter words than words on another arrow
            for words in on_arrow(arrow, self.plan):
                long = width(lock + words, font, size)
                for x, y in path.spots(long, PITCH, tail, min(tip, 14.0) if arrow.lost else tip):
                    box = Box(x - long / 2 - 4, y - size * 0.68, x + long / 2 + 4, y + size * 0.68)
                    if not self.paper.is_free(box) or (apart and any(other.crosses(box) for other in others)):
                        continue
                    color = ERROR if arrow.kind == "reset" else FADED if font == SANS else INK
                    look = {"ha": "center", "color": color, "bbox": GHOST, "gid": "on arrow"}
                    self.paper.text(x, y, lock + words, font, size, **look)
                    if lock:
                        self.paper.lock(x - long / 2 + 4, y)
                    return
