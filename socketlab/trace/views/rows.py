"""What stands on a row of a text: a call, or a call and the one that it set free at the other end.

`sendall` and the `recv` that took exactly its bytes, `connect` and the `accept` that let it in, `close` and the ``b""``
that it became: where one directly follows the other, the two are one row with an arrow. All else has a row of its own,
and the arrow then has one end on each of two rows; `Traffic` knows which call got which bytes of which.

Calls that a shown call made for itself (`send` inside `sendfile`) are not shown; what they moved counts as its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..events import IN, OUT, Event, Piece

#: What a pair of calls on one row has between them.
BYTES, DATAGRAM, CONNECTION, END, RESET = "bytes", "datagram", "connection", "end of stream", "reset"

_CONNECTING = ("connect", "connect_ex", "create_connection")
_CLOSING = ("close", "shutdown", "detach")


class Row(NamedTuple):
    """One call, or two of which the second is what the first brought about; `tie` says how (see above)."""

    first: Event
    second: Event | None = None
    tie: str = ""

    @property
    def calls(self) -> tuple[Event, ...]:
        return (self.first,) if self.second is None else (self.first, self.second)


class Share(NamedTuple):
    """Bytes that a call got: ``[start:stop]`` of what call number `sent` sent."""

    sent: int
    start: int
    stop: int


def datagram(event: Event) -> bool:
    """Whether the end keeps message boundaries, so that zero bytes are a message and not the end."""
    kind = event.end.kind.lower() if event.end is not None else ""
    return kind == "udp" or kind.endswith(("datagram", "sock_dgram", "sock_raw", "sock_rdm"))


class Traffic:
    """Who got whose bytes, among the calls that are shown. `got` and `took` are keyed by the numbers of calls.

    `got[number]` are the shares of a receiving call, in the order in which it got them; `took[number]` the calls that
    got bytes of a sending one; `read[number]` how many of its bytes were taken out of the queue.
    """

    def __init__(self, events: Iterable[Event], shown: Sequence[Event]) -> None:
        events = list(events)
        self.by_number = {event.number: event for event in shown}
        self.got: dict[int, list[Share]] = {}
        self.took: dict[int, list[int]] = {}
        self.read: dict[int, int] = {}
        self._outer, self._base = _outer_calls(events, self.by_number)
        pieces: dict[int, tuple[Piece, ...]] = {}
        for event in events:
            if event.direction == IN and event.pieces:
                received = self.shown_as(event.number)  # a call and those inside it are one
                pieces[received] = pieces[received] + event.pieces if received in pieces else event.pieces
        for received, got in pieces.items():
            self._add(received, got)

    def shown_as(self, number: int) -> int:
        """The number of the call that stands for this one: itself, or the shown one that made it."""
        return self._outer.get(number, number)

    def causes(self, event: Event) -> list[int]:
        """The shown calls that had to happen before this one."""
        return [self.shown_as(number) for number in event.after]

    def _add(self, received: int, pieces: Sequence[Piece]) -> None:
        shares = self._shares(pieces)
        self.got[received] = shares
        receiver = self.by_number.get(received)
        for share in shares:
            self.took.setdefault(share.sent, []).append(received)
            if receiver is None or not receiver.peek:
                self.read[share.sent] = self.read.get(share.sent, 0) + share.stop - share.start

    def _shares(self, pieces: Sequence[Piece]) -> list[Share]:
        base = self._base
        if len(pieces) == 1 and not base:
            return [Share(self.shown_as(pieces[0].sent), pieces[0].start, pieces[0].stop)]
        # Where both the outer and the inner call have them, each byte counts once.
        pieces = sorted(pieces, key=lambda piece: (base.get(piece.received, 0) + piece.at, piece.sent in self._outer))
        shares: list[Share] = []
        end = 0
        for piece in pieces:
            size = piece.stop - piece.start
            at = base.get(piece.received, 0) + piece.at
            if at < end and size:
                continue
            end = at + size
            start = base.get(piece.sent, 0) + piece.start
            sent = self._outer.get(piece.sent, piece.sent)
            if shares and size and shares[-1].sent == sent and shares[-1].stop == start:
                start = shares.pop().start
            shares.append(Share(sent, start, base.get(piece.sent, 0) + piece.stop))
        return shares


def _outer_calls(events: list[Event], shown: dict[int, Event]) -> tuple[dict[int, int], dict[int, int]]:
    """For each call made inside a shown one: that one's number, and how many bytes its siblings moved before."""
    inside = {event.number: event.inside for event in events if event.inside is not None}
    outer: dict[int, int] = {}
    base: dict[int, int] = {}
    moved: dict[int, int] = {}
    if not inside:
        return outer, base
    for event in events:
        number: int | None = event.number
        seen = set()
        while number is not None and number not in shown and number not in seen:
            seen.add(number)
            number = inside.get(number)
        if number is None or number not in shown or number == event.number:
            continue
        outer[event.number] = number
        if event.direction and shown[number].direction == event.direction:
            base[event.number] = moved.get(number, 0)
            moved[number] = base[event.number] + (event.size or 0)
    return outer, base


def absorbed(events: Iterable[Event], shown: Sequence[Event]) -> list[Event]:
    """The calls that are shown; what moved bytes only by a call inside it (`send_fds`) as if by itself."""
    numbers = {event.number for event in shown if not event.direction}
    inner: dict[int, list[Event]] = {}
    for event in events:
        if event.inside in numbers and event.direction and event.failure is None:
            inner.setdefault(event.inside, []).append(event)
    if not inner:
        return list(shown)
    return [_with(event, inner[event.number]) if event.number in inner else event for event in shown]


def _with(event: Event, inner: list[Event]) -> Event:
    first = inner[0]
    inner = [one for one in inner if one.direction == first.direction]
    return replace(
        event,
        asked=event.asked or first.asked,
        direction=first.direction,
        size=sum(one.size or 0 for one in inner),
        data=b"".join(one.data or b"" for one in inner),
        layer=first.layer,
    )


def rows(shown: Sequence[Event], traffic: Traffic) -> list[Row]:
    """The rows, in the order of the calls; every call stands in exactly one."""
    made: list[Row] = []
    waiting: Event | None = None  # the call before, while it is alone on its row
    for event in shown:
        tie = _tie(waiting, event, traffic) if waiting is not None else ""
        if tie and waiting is not None:
            made[-1] = Row(waiting, event, tie)
            waiting = None
        else:
            made.append(Row(event))
            waiting = event
    return made


def _tie(first: Event, second: Event, traffic: Traffic) -> str:
    """What makes `second` the direct consequence of `first`; "" where it is not."""
    if first.end is None or second.end is None or first.end.name == second.end.name:
        return ""
    if second.direction == IN and first.direction == OUT and second.failure is None:
        shares = traffic.got.get(second.number, ())
        if len(shares) != 1 or second.peek or shares[0].sent != first.number:
            return ""
        if traffic.took[first.number] != [second.number]:
            return ""
        if datagram(second):
            return DATAGRAM
        return BYTES if shares[0].stop - shares[0].start == first.size == second.size else ""
    if first.number not in traffic.causes(second):
        return ""
    if second.call == "accept" and first.call in _CONNECTING and second.failure is None:
        return CONNECTION  # whether connect returned or raised EINPROGRESS
    return ended(second) if first.call in _CLOSING and first.failure is None else ""


def ended(event: Event) -> str:
    """END where a call found the end of the stream, RESET where it found the connection broken off, else ""."""
    if event.failure is not None:
        return RESET if event.failure.kind == "ConnectionResetError" else ""
    if event.direction == IN and event.size == 0 and not datagram(event) and event.asked.split(",")[0] != "0":
        return END
    return ""


def held_elsewhere(calls: Iterable[Event], traffic: Traffic) -> set[str]:
    """The ends that were closed here and went on sending: a child process holds them as well."""
    closed: set[str] = set()
    found: set[str] = set()
    for event in calls:
        if event.end is None:
            continue
        if event.call == "close" and event.failure is None:
            closed.add(event.end.name)
        elif event.direction == IN and event.size and event.number not in traffic.got and event.end.other in closed:
            found.add(event.end.other)
    return found
