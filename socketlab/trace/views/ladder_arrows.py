"""The arrows of a ladder: bytes on their way, and what else one end did that the other one noticed.

Which call got which call's bytes is known from `rows.Traffic`. Here that becomes arrows between rows: calls that are
drawn as one have one arrow, and where one end of an arrow is not in the picture, the arrow comes out of nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..events import IN, OUT, Event
from .ladder_plan import CLOSING, Arrow, Plan
from .rows import CONNECTION, RESET, Share, Traffic, datagram, ended, held_elsewhere


def arrows(everything: Sequence[Event], row_of: Sequence[int], made: Plan) -> list[Arrow]:
    """The arrows of a plan whose rows are made; `row_of` tells the row of each call by its number, -1 for none."""
    return _Arrows(everything, row_of, made).all()


class _Arrows:
    """The arrows of a plan whose rows are made."""

    def __init__(self, everything: Sequence[Event], row_of: Sequence[int], made: Plan) -> None:
        self.row_of, self.plan = row_of, made
        self.traffic = Traffic(everything, made.calls)
        elsewhere = held_elsewhere(self.traffic.by_number.values(), self.traffic)
        lines = ((c, i, end) for c, column in enumerate(made.columns) for i, end in enumerate(column.ends))
        self.elsewhere = {end.name: (c, i) for c, i, end in lines if end.name in elsewhere}
        self.found: dict[tuple[int, int], Arrow] = {}
        for event in made.calls:
            for share in self.traffic.got.get(event.number, ()):
                self._bytes(share, event)
        self.lost: dict[int, Arrow] = {}
        for event in made.calls:
            if event.direction == OUT and event.failure is None and row_of[event.number] >= 0:
                self._unread(event)

    def all(self) -> list[Arrow]:
        """All arrows, those with bytes first."""
        others = [one for y, row in enumerate(self.plan.rows) if row.event for one in self._others(row.event, y)]
        return [*self.found.values(), *self.lost.values(), *others]

    def _row(self, number: int) -> int:
        return self.row_of[number] if number < len(self.row_of) else -1

    def _bytes(self, share: Share, receiver: Event) -> None:
        start, stop = self._row(share.sent), self._row(receiver.number)
        if (start < 0 and stop < 0) or 0 <= stop <= start:
            return  # within what is left out; or from one time round to the next
        size = share.stop - share.start
        arrow = self.found.get((start, stop))
        if arrow is not None:
            arrow.pieces += 1
            arrow.size += size
            return
        sender = self.traffic.by_number.get(share.sent)
        kind = "datagram" if datagram(receiver) else "bytes"
        data = None
        if sender is not None and sender.data is not None:
            data = sender.data[share.start : share.stop]
        elif receiver.data is not None and len(self.traffic.got[receiver.number]) == 1:
            data = receiver.data
        arrow = Arrow(start if start >= 0 else None, stop if stop >= 0 else None, kind, data, size)
        arrow.peek, arrow.tls = receiver.peek, _encrypted(receiver)
        if kind == "datagram" and sender is not None:
            arrow.cut = (sender.size or 0) - size
            if data is not None and receiver.data is not None and data != receiver.data:
                arrow.came = receiver.data
        self.found[start, stop] = arrow

    def _unread(self, event: Event) -> None:
        """Bytes that nobody received while the trace was open, or that left for where it cannot see."""
        left = (event.size or 0) - self.traffic.read.get(event.number, 0)
        y, whole = self.row_of[event.number], datagram(event)
        if self.traffic.took.get(event.number) if whole else left <= 0:
            return
        if event.size is None:
            return
        arrow = self.lost.get(y)
        if arrow is not None:
            arrow.pieces += 1
            arrow.size += left
            return
        data = event.data[event.size - left :] if event.data is not None else None
        away = self._away(event)
        known = away is None and (whole or (event.end is not None and event.end.other != ""))
        kind = "datagram" if whole else "bytes"
        self.lost[y] = Arrow(y, None, kind, data, left, lost=known, tls=_encrypted(event), away=away)

    def _away(self, event: Event) -> tuple[int, int] | None:
        """Where the other end's line is, if another process goes on with that end."""
        return self.elsewhere.get(event.end.other) if event.end is not None else None

    def _others(self, event: Event, y: int) -> Iterator[Arrow]:
        """Bytes out of nowhere; connections, ends of streams, resets."""
        kind = ended(event)
        if event.call == "accept" and event.failure is None:
            kind = CONNECTION
        elif event.failure is not None and event.failure.kind == "BrokenPipeError":
            kind = RESET
        elif event.failure is not None and event.call in ("connect", "create_connection"):
            if event.failure.kind != "BlockingIOError":  # else it goes on in the background
                yield Arrow(y, None, CONNECTION, lost=True)
        elif event.direction == IN and event.size and event.number not in self.traffic.got:
            whole = "datagram" if datagram(event) else "bytes"
            tls, away = _encrypted(event), self._away(event)
            yield Arrow(None, y, whole, event.data, event.size, peek=event.peek, tls=tls, away=away)
        rows = self.plan.rows
        if kind and event.by_link:
            yield Arrow(None, y, kind)
        for start in {self._row(number) for number in self.traffic.causes(event)} if kind else ():
            cause = rows[start].event if 0 <= start < y else None
            if cause is None or (rows[start].column, rows[start].line) == (rows[y].column, rows[y].line):
                continue
            if kind == CONNECTION or cause.call in CLOSING:
                yield Arrow(start, y, kind)


def _encrypted(event: Event) -> bool:
    return event.layer == "tls"
