"""The packets of a TCP connection, as the calls at its ends make them likely.

Calls show what each side handed over, what it took, and how it left; they do not show segments. So these are rules,
not observations:

* SYN when `connect` began, SYN-ACK and ACK when it came back. A connection older than the trace begins in the middle.
* Data when the call that sent it began, a segment for each call, split where it is longer than loopback lets through.
* ACK when the peer's `recv` took the bytes. The kernel does this by itself and earlier, but of that nothing is known.
  Data for a side that was not traced is acknowledged at once.
* FIN and RST when the call that caused them began (see `endings`). RST ends a connection: it comes after all data.

What no call tells is not there: retransmissions, the pace of a long send, the true windows. Bytes that the kernel had
taken and a reset overtook are shown as sent.

All of it is put in order by time, and by the happens-before order where times are equal. Sequence and acknowledgment
numbers are counted in that order, so they fit by construction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..events import OUT, Event
from .attempts import REFUSED, YES
from .conversations import Connection
from .endings import Ending, endings
from .headers import ACK, FIN, PSH, RST, SYN, URG, largest_segment, tcp
from .streams import Direction

# What happens at one moment, in the order in which effects of one call must come.
_SYN, _ANSWER, _DONE, _DATA, _FIN, _TAKEN, _RST = range(7)


class Packet(NamedTuple):
    """A packet for the file: when, of which call, the bytes that are known, how many it has, and a comment."""

    when_ns: int
    number: int
    data: bytes
    size: int
    comment: str


class _Moment(NamedTuple):
    when: int
    number: int
    rank: int
    at: int  # of _DATA: which span; of _TAKEN: how many bytes have been taken
    side: int
    event: Event
    words: str = ""


#: The most bytes that are on their way unacknowledged: half of the largest window (RFC 7323, section 2.3).
_IN_FLIGHT = 2**29
#: For `_Moment.at`: all bytes that are on the wire by then.
_ALL = 2**63


def packets(connection: Connection, seed: int) -> Iterator[Packet]:
    """The packets of a connection, in their order. Its first sequence numbers are made from `seed`."""
    one, two = connection.sides
    directions = Direction(one.sent, two.got), Direction(two.sent, one.got)
    moments = _moments(connection, directions) if connection.answer == YES else _attempt(connection)
    moments.sort(key=lambda moment: moment[:5])
    return _numbered(connection, directions, moments, seed)


def _moments(connection: Connection, directions: tuple[Direction, Direction]) -> list[_Moment]:
    data = [_data(direction, side) for side, direction in enumerate(directions)]
    moments = data[0] + data[1]
    for side, me in enumerate(connection.sides):
        if not me.tells:
            unseen = ": the kernel answers"
            moments += [
                each._replace(rank=_TAKEN, at=_ALL, side=side, words=each.words + unseen) for each in data[1 - side]
            ]
        for _, stop, event in me.got:
            direction = directions[1 - side]
            sent = data[1 - side][direction.holder(stop)]
            when, number = max(event.end_ns, sent.when), max(event.number, sent.number)
            moments.append(_Moment(when, number, _TAKEN, direction.width_upto(stop), side, event))
        # What lies in the queue is acknowledged at the latest when its socket goes.
        if me.heard_the_end is not None:
            moments.append(
                _Moment(me.heard_the_end.end_ns, me.heard_the_end.number, _TAKEN, _ALL, side, me.heard_the_end)
            )
        if me.shut is not None and me.closed is not None:
            moments.append(_Moment(me.closed.start_ns, me.closed.number, _TAKEN, _ALL, side, me.closed))
        fin, reset = endings(me, connection.sides[1 - side])
        if fin is not None:
            moments.append(_after(data[side][-1:], fin, _FIN, side))
        if reset is not None:
            moments.append(_after(data[0][-1:] + data[1][-1:], reset, _RST, side))
    return _greeting(connection, moments) + moments


def _after(others: list[_Moment], ending: Ending, rank: int, side: int) -> _Moment:
    event = ending.event
    when = max([ending.at_ns, *(other.when for other in others)])
    number = max([event.number, *(other.number for other in others)])
    return _Moment(when, number, rank, 0, side, event, f": {ending.words}" if ending.words else "")


def _data(direction: Direction, side: int) -> list[_Moment]:
    """When the spans of a direction are sent: never before those that come before them."""
    before: list[Event | None] = []  # for each span, the next call that was seen to send
    for span in reversed(direction.spans):
        before.append(span.event if span.event.direction == OUT else before[-1] if before else None)
    moments: list[_Moment] = []
    when = number = 0
    for index, (span, later) in enumerate(zip(direction.spans, reversed(before), strict=True)):
        event, words = span.event, ""
        at = event.start_ns, event.number
        if event.direction != OUT:  # before it was received, and before what the sender was seen to send after it
            words = ": who sent this was not seen"
            at = event.end_ns, event.number
            if later is not None:
                at = min(at[0], later.start_ns), min(at[1], later.number)
        when, number = max(when, at[0]), max(number, at[1])
        moments.append(_Moment(when, number, _DATA, index, side, event, words))
    return moments


def _greeting(connection: Connection, moments: list[_Moment]) -> list[_Moment]:
    """SYN, SYN-ACK, ACK, before everything else; nothing for a connection that is older than the trace."""
    if connection.attempt is not None:
        event = connection.attempt.call
        began, ended = event.start_ns, connection.attempt.heard.end_ns
    elif connection.accept is not None:
        event = connection.accept
        began = ended = event.end_ns
    else:
        return []
    ended = min([ended, *(moment.when for moment in moments)])
    number = min([event.number, *(moment.number for moment in moments)])
    return [
        _Moment(min(began, ended), number, _SYN, 0, 0, event),
        _Moment(ended, number, _ANSWER, 0, 1, event, ": the kernel answers"),
        _Moment(ended, number, _DONE, 0, 0, event),
    ]


def _attempt(connection: Connection) -> list[_Moment]:
    """A connect that was refused: SYN and RST; one that nobody answered: SYN alone."""
    assert connection.attempt is not None
    call, heard, answer = connection.attempt
    moments = [_Moment(call.start_ns, call.number, _SYN, 0, 0, call)]
    if answer == REFUSED:
        moments.append(_Moment(heard.end_ns, heard.number, _RST, 0, 1, heard, ": nobody listens there"))
    return moments


def called(event: Event) -> str:
    """How a comment names a call: ``#5 client sendall``."""
    return f"#{event.number} {event.end.name if event.end is not None else ''} {event.call}"


def _numbered(
    connection: Connection, directions: tuple[Direction, Direction], moments: list[_Moment], seed: int
) -> Iterator[Packet]:
    """Segments for the moments, with sequence and acknowledgment numbers counted on the way."""
    sides = connection.sides
    first = [seed * 1_000_003, -seed * 500_009]  # modulo 2**32, which answers pass soon: one more thing that must work
    sent, taken = [0, 0], [0, 0]
    if connection.attempt is None and connection.accept is None:
        sent, taken = [1, 1], [1, 1]  # it is long since that the SYN was sent, which counts as one byte
    gone = [not side.name for side in sides]  # nobody there to read, but the kernel answers
    most = largest_segment(sides[0].address[0])
    hints = "; plaintext here, encrypted on the wire" if connection.encrypted else ""
    hints += "; an address is made up" if sides[0].made_up or sides[1].made_up else ""

    def segment(moment: _Moment, flags: int, data: bytes = b"", size: int = 0, words: str = "") -> Packet:
        side, other = moment.side, 1 - moment.side
        ack = first[other] + taken[side] if flags & ACK else 0
        raw = tcp(sides[side].address, sides[other].address, first[side] + sent[side], ack, flags, data, size)
        sent[side] += size + (1 if flags & (SYN | FIN) else 0)
        comment = f"{called(moment.event)}{moment.words}{words}{hints}"
        return Packet(moment.when, moment.number, raw, len(raw) - len(data) + size, comment)

    for moment in moments:
        _, number, rank, at, side, _, _ = moment
        other, close = 1 - side, sides[side].closed
        gone[side] = gone[side] or (close is not None and close.number <= number)
        if rank != _DATA:
            before = taken[side]
            taken[side] = min(1 + at, sent[other]) if rank == _TAKEN else sent[other]
            taken[side] = max(before, taken[side])
        if rank == _SYN:
            yield segment(moment, SYN)
        elif rank == _ANSWER:
            yield segment(moment, SYN | ACK)
        elif rank == _DATA:
            span = directions[side].spans[at]
            for size, data in directions[side].segments(span, most):
                cut = f"; {len(data):,} of {size:,} bytes kept" if len(data) < size else ""
                yield segment(moment, PSH | ACK | (URG if span.urgent else 0), data, size, cut)
                if sent[side] - taken[other] > _IN_FLIGHT:
                    taken[other] = sent[side]
                    yield segment(moment._replace(side=other, words=": the kernel answers"), ACK)
        elif rank == _FIN:
            yield segment(moment, FIN | ACK)
            if gone[other]:
                taken[other] = sent[side]
                yield segment(moment._replace(side=other, words=moment.words + ": the kernel answers"), ACK)
        elif rank == _RST:
            if connection.answer == REFUSED:
                first[side] = 0  # there is no connection that could have numbers (RFC 9293, section 3.10.7.1)
            yield segment(moment, RST | ACK)
            return
        elif rank == _DONE or taken[side] > before:
            yield segment(moment, ACK)
