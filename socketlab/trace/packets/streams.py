"""Which call sent which bytes of a stream, and which bytes they were, as far as the calls at both ends tell.

The sender's calls say it best. Where they do not (nobody traced that end, `os.write` on the descriptor, bytes sent
before the trace opened), what the receiver got says that there were bytes, and what they were. The trace keeps only the
beginning of a payload that is beyond its limit: of the rest, the other end's call may have kept more.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple, TypeVar

from ..events import IN, OUT, Event

What = TypeVar("What")
Interval = tuple[int, int, What]  # start, stop, what is there

_START = attrgetter("start")


class Span(NamedTuple):
    """Bytes `start` to `stop` of one direction, which one call sent. On the wire they begin `at` bytes after the first.

    Urgent data is a byte beside the stream for `recv`, and in the middle of it for TCP: a span from a place to itself.
    """

    at: int
    start: int
    stop: int
    event: Event
    urgent: bool

    @property
    def width(self) -> int:
        return 1 if self.urgent else self.stop - self.start


class Direction:
    """What one side sent to the other: `spans`, in the order of the stream."""

    def __init__(self, sent: list[Interval[Event]], got: list[Interval[Event]]) -> None:
        urgent = [(stop, stop, event) for _, stop, event in sent if _is_urgent(event)]
        self.spans: list[Span] = []
        at = 0
        for start, stop, event in sorted(overlay(sent, got) + urgent, key=lambda item: item[:2]):
            self.spans.append(Span(at, start, stop, event, start == stop))
            at += self.spans[-1].width
        self._known = overlay(_kept(sent), _kept(got))
        self._starts = [start for start, _, _ in self._known]

    def holder(self, position: int) -> int:
        """The index of the span that brings the byte before `position`."""
        return max(0, bisect_left(self.spans, position, key=_START) - 1)

    def width_upto(self, position: int) -> int:
        """How many bytes are on the wire when the receiver has taken the stream up to `position`."""
        span = self.spans[self.holder(position)]
        return span.at + (1 if span.urgent else max(0, min(position, span.stop) - span.start))

    def segments(self, span: Span, most: int) -> Iterator[tuple[int, bytes]]:
        """A span cut into segments of at most `most` bytes: the length of each, and what is known of its beginning."""
        if span.urgent:
            data = span.event.data or b""
            yield 1, data[-1:] if len(data) == span.event.size else b""
            return
        at = span.start
        while at < span.stop:
            data, end = self._beginning(at, min(span.stop, at + most))
            yield end - at, data
            at = end

    def _beginning(self, at: int, end: int) -> tuple[bytes, int]:
        """The known bytes from `at` on, and where the segment ends: where bytes are known after some that are not."""
        data = b""
        for index in range(max(0, bisect_right(self._starts, at) - 1), len(self._known)):
            start, stop, (begin, kept) = self._known[index]
            upto = at + len(data)
            if start > upto:
                return data, min(start, end)
            if upto >= end:
                break
            data += kept[upto - begin : max(0, min(stop, end) - begin)]
        return data, end


def moved(events: Iterable[Event], direction: str) -> Iterator[Interval[Event]]:
    """The calls of one end that moved bytes of its stream, and where in it; TLS after what was sent in the clear."""
    ends: dict[str, int] = {}
    base: dict[str, int] = {}
    for event in events:
        if event.direction != direction or event.peek:
            continue
        size = event.size
        if event.failure is not None:  # how much of it went out before it failed, only the peer can tell
            size = max((piece.stop for piece in event.pieces if piece.sent == event.number), default=0)
        if not size or (direction == IN and (_is_urgent(event) or "MSG_ERRQUEUE" in event.asked)):
            continue
        start = base.setdefault(event.layer, max(ends.values(), default=0))
        known = event.offset if direction == OUT else None
        at = ends.get(event.layer, start) if known is None else start + known
        ends[event.layer] = at + size - _is_urgent(event)  # the last byte of urgent data is beside the stream
        yield at, ends[event.layer], event


def _is_urgent(event: Event) -> bool:
    return "MSG_OOB" in event.asked


def anchored(got: list[Interval[Event]], sent: list[Interval[Event]]) -> list[Interval[Event]]:
    """What a side got, counted from the first byte that the other one was seen to send: bytes before it are below 0.

    The first call that got some of those bytes says where it stands. If there is none, all that was got is older.
    """
    places = {event.number: start for start, _, event in sent}
    shift = -got[-1][1] if got and sent else 0
    for start, _, event in got:
        piece = next((piece for piece in event.pieces if piece.sent in places), None)
        if piece is not None:
            shift = places[piece.sent] + piece.start - piece.at - start
            break
    return [(start + shift, stop + shift, event) for start, stop, event in got] if shift else got


def overlay(above: Iterable[Interval[What]], below: Iterable[Interval[What]]) -> list[Interval[What]]:
    """The intervals of `above`, and those of `below` where `above` has none, in order and without overlap."""
    covered = _apart(above)
    found, index = list(covered), 0
    for start, stop, what in _apart(below):
        while index < len(covered) and covered[index][1] <= start:
            index += 1
        look, at = index, start
        while at < stop:
            upto = min(stop, covered[look][0]) if look < len(covered) else stop
            if upto > at:
                found.append((at, upto, what))
            at = max(at, covered[look][1]) if look < len(covered) else stop
            look += 1
    return sorted(found, key=lambda item: item[0])


def _apart(intervals: Iterable[Interval[What]]) -> list[Interval[What]]:
    found: list[Interval[What]] = []
    for start, stop, what in sorted(intervals, key=lambda item: item[:2]):
        start = max(start, found[-1][1]) if found else start
        if stop > start:
            found.append((start, stop, what))
    return found


def _kept(intervals: list[Interval[Event]]) -> list[Interval[tuple[int, bytes]]]:
    """Where bytes are known, and which: where they begin, and the bytes from there on."""
    return [
        (start, min(stop, start + len(event.data)), (start, event.data))
        for start, stop, event in intervals
        if event.data
    ]
