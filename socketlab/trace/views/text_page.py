"""The page of a ladder of text: what is written left and right, how wide the columns are, and the lines themselves.

A line is a gutter (how often), the left column, a lane for the arrows, and the right column. Columns are as wide as
what stands in them; where that is too much, the wider one gives way: less is shown of the payloads that do not fit, and
in the end texts are clipped. A call without an arrow may reach over the lane: there is nothing that it could hide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..events import IN, OUT, Event
from .folding import Fold
from .rows import Row, Traffic
from .text_arrows import Arrow, Arrows
from .text_sides import LEFT, RIGHT, Sides
from .text_words import clip, payload, printable, result

_KINDS = {"tls": "tls: encrypted on the wire"}
_SHORTER = (16, 12, 10, 8, 6, 4, 2)  # bytes of a payload, where there is no room for more
_ARGUMENTS = 48  # characters of the arguments, and of a result, at most


class _Said(NamedTuple):
    """A call of one side, before it is known how much of its payload there is room for."""

    event: Event
    prefix: str  #: whose call it is, where the heading does not say so
    varied: bool  #: it stands for several, with different payloads
    more: bool  #: it stands for several, with different results


class _Line(NamedTuple):
    """A line, before it is known how wide the columns are."""

    gutter: str
    calls: tuple[_Said | str, _Said | str]
    arrow: Arrow


class Page:
    """Rows become lines of at most `width` characters."""

    def __init__(self, made: Sequence[Row], traffic: Traffic, sides: Sides, width: int) -> None:
        self.made, self.traffic, self.sides, self.width = made, traffic, sides, width

    def lay_out(self, head: Sequence[Fold], left_out: Sequence[Fold], tail: Sequence[Fold]) -> list[str]:
        """All lines: the heading, `head`, how many calls are left out, `tail`."""
        arrows = Arrows(self.made, [*head, *tail], self.traffic, self.sides)
        before = [line for block in head for line in self._lines(block, arrows)]
        lines = before + [line for block in tail for line in self._lines(block, arrows)]
        heading = self._heading(any(line.arrow.way is not None for line in lines))
        gutter = max(len(line.gutter) for line in lines)
        left, lane, right = self._widths(lines, heading, gutter)
        cells = [
            tuple(
                _fitted(said, most if line.arrow.way is not None else self.width, line.arrow.way is not None)
                for said, most in zip(line.calls, (left, right), strict=True)
            )
            for line in lines
        ]
        crossed = [words for line, words in zip(lines, cells, strict=True) if line.arrow.way is not None]
        left = max([len(words[LEFT]) for words in crossed] + [len(heading[0])] * bool(heading[2]), default=0)
        place = _Place(gutter, left, lane, self.width)
        texts = [place.line(line.gutter, words, line.arrow) for line, words in zip(lines, cells, strict=True)]
        if left_out:
            count = sum(len(self.made[i].calls) for block in left_out for i in block.rows)
            texts.insert(len(before), " " * gutter + f"… {count:,} calls more …")
        title = " " * gutter + heading[0].ljust(left + 1) + heading[1].center(lane) + " " + heading[2]
        title = clip(title.rstrip(), self.width)
        rule = " " * gutter + "─" * (max(map(len, [title, *texts])) - gutter)
        return [title, rule, *texts]

    def _heading(self, arrows: bool) -> tuple[str, str, str]:
        """What stands above the left column, the arrows, and the right column."""
        left, right = self.sides.heading(LEFT), self.sides.heading(RIGHT)
        kinds = dict.fromkeys(_KINDS.get(kind, printable(kind)) for kind in self.sides.kinds if kind)
        if "tls" in self.sides.kinds:
            kinds.pop("tcp", None)  # the listener of TLS ends, and what they were before
        words = ", ".join(kinds) + self.sides.link
        if right or arrows:
            return left, words, right or "not in this trace"
        return f"{left} ({words})" if left and words else left, "", ""

    def _lines(self, block: Fold, arrows: Arrows) -> list[_Line]:
        """The lines of a block, with what stands before them: ``250 × ┌``."""
        times = f"{block.times} × " if block.times else ""
        if not block.parts:
            every = [self.made[i] for i in block.rows]
            arrow = arrows.of(every)
            calls: list[_Said | str] = [arrow.note, arrow.note]
            side = self.sides.of(every[0].first)
            calls[side] = self._said([row.first for row in every])
            if every[0].second is not None:
                calls[1 - side] = self._said([row.second for row in every if row.second is not None])
            return [_Line(times, (calls[LEFT], calls[RIGHT]), arrow)]
        inner = [line for part in block.parts for line in self._lines(part, arrows)]
        bars = ["┌ ", *["│ "] * (len(inner) - 2), "└ "] if len(inner) > 1 else ["─ "]
        wide = max(len(line.gutter) for line in inner)
        return [
            line._replace(gutter=(times if i == 0 else " " * len(times)) + bar + line.gutter.rjust(wide))
            for i, (line, bar) in enumerate(zip(inner, bars, strict=True))
        ]

    def _widths(self, lines: Sequence[_Line], heading: tuple[str, str, str], gutter: int) -> tuple[int, int, int]:
        """What the left column, the lane and the right column get; a call without an arrow needs none of them."""
        crossed = [line for line in lines if line.arrow.way is not None]
        lane = max([len(line.arrow.label) for line in crossed], default=0) + 8
        if heading[2]:
            lane = max(lane, len(heading[1]) + 2, 16)
        lane = min(lane, self.width // 2)

        def wanted(side: int, most: int | None = None) -> int:
            words = [_text(line.calls[side], most, True) for line in crossed]
            return max(map(len, [*words, heading[2 * side] if heading[2] else ""]))

        left, right = wanted(LEFT), wanted(RIGHT)
        room = self.width - gutter - lane - 2
        if left + right > room:
            least_left, least_right = wanted(LEFT, _SHORTER[-1]), wanted(RIGHT, _SHORTER[-1])
            spare = room - least_left - least_right
            if spare < 0:  # not even the shortest fit
                least_left, spare = min(least_left, max(room // 2, room - least_right)), 0
                least_right = room - least_left
            right = min(right, max(least_right + spare // 2, room - left))
            left = min(left, room - right)
        return left, lane, right

    def _said(self, events: Sequence[Event]) -> _Said:
        event = events[0]
        varied = any(other.data != event.data for other in events)
        return _Said(event, self.sides.prefix(events), varied, any(other.result != event.result for other in events))


def _text(said: _Said | str, most: int | None, counted: bool) -> str:
    """``client 2: recv(100) → b'hello'``, with at most `most` bytes; their number, unless the arrow says it."""
    if isinstance(said, str):
        return said
    event, asked, data = said.event, clip(printable(said.event.asked), _ARGUMENTS), payload(said.event, most)
    if counted and data.endswith(" bytes"):
        data = data.rpartition("… ")[0] + "…"
    elif data and said.varied:
        data += ", …"
    if event.direction == OUT:
        asked = ", ".join(filter(None, (data, asked)))
    text = f"{said.prefix}{printable(event.call)}({asked})"
    if event.failure is not None:
        return f"{text} ✗ {printable(str(event.failure))}"
    returned = ""
    if event.end is None or event.result != f"<{event.end.name}>":  # else it has been said whose call it is
        returned = clip(result(event), _ARGUMENTS)
        returned += ", …" if returned and said.more else ""
    answer = ", ".join(filter(None, (data if event.direction == IN else "", returned)))
    return f"{text} → {answer}" if answer else text


def _fitted(said: _Said | str, width: int, counted: bool) -> str:
    """The same with as many bytes as there is room for in `width` characters."""
    text = _text(said, None, counted)
    for most in _SHORTER:
        if len(text) <= width:
            break
        text = _text(said, most, counted)
    return clip(text, width)


class _Place(NamedTuple):
    """Where things stand on a line: widths, in characters."""

    gutter: int
    left: int
    lane: int
    width: int

    def line(self, gutter: str, words: Sequence[str], arrow: Arrow) -> str:
        """One line, drawn."""
        text = gutter.rjust(self.gutter) if gutter.endswith("× ") else gutter.ljust(self.gutter)
        left, right = words
        lane = self.gutter + self.left + 1
        begin = lane + self.lane + 1  # of the right column
        if arrow.way is None:
            if left:
                return clip(text + left, self.width)
            begin = max(self.gutter, min(begin, self.width - len(right)))
            return clip(text.ljust(begin) + right, self.width)
        text += left
        start = len(text) + 1 if left else lane
        label = f" {clip(arrow.label, self.lane - 6)} " if arrow.label else ""
        before = lane + (self.lane - len(label)) // 2 - start
        after = begin - 1 - start - before - len(label)
        shaft = (arrow.shaft * before)[:before][::-1] + label + (arrow.shaft * after)[:after]
        if arrow.way == RIGHT:
            shaft = arrow.shaft[0] + shaft[1:-1] + ("✗" if arrow.lost else "►")
        else:
            shaft = ("✗" if arrow.lost else "◄") + shaft[1:-1] + arrow.shaft[0]
        return clip(f"{text.ljust(start)}{shaft} {right}", self.width)
