"""How one side of a TCP connection left it: with FIN, with RST, with both, or not at all.

FIN says "no more from me" and follows from `shutdown(SHUT_WR)` or the last `close`. RST says "this connection is no
more" and follows from a `close` while bytes lie unread (RFC 2525, section 2.17), from SO_LINGER with 0 seconds
(socket(7)), and from data that arrives for a socket that is closed already. A trace may have seen that call, or only
its effect at the other end: a recv that returned b"", an ECONNRESET, an EPIPE.
"""

from __future__ import annotations

import ast
import re
import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from ..events import IN, OUT, Event
from .headers import Address
from .streams import Interval, moved


@dataclass
class Side:
    """One side of a connection: its calls, and its address on the wire.

    Without a name it is one whose calls the trace did not see. `made_up` is true where nobody knew the address.
    """

    name: str
    address: Address
    made_up: bool = False
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sent: list[Interval[Event]] = list(moved(self.events, OUT))
        self.got: list[Interval[Event]] = list(moved(self.events, IN))
        #: Whether its calls tell which bytes it took.
        self.tells = bool(self.name)
        self.shut = next((event for event in self.events if _shuts(event, "SHUT_WR", "SHUT_RDWR")), None)
        self.deaf = next((event for event in self.events if _shuts(event, "SHUT_RDWR")), None)
        self.closed = self._last_close()
        self.heard_the_end = self._first_end()
        self.told_of_reset = next((event for event in self.events if self._is_told(event)), None)

    @property
    def has_plaintext(self) -> bool:
        return any(event.layer == "tls" for *_, event in (*self.sent, *self.got))

    def forget_records(self) -> None:
        """Forget bytes that went to or came from no call of the other side: TLS records of which it told the plaintext.

        Where one end uses `ssl.SSLSocket`, its calls move plaintext; where the other one encrypts by itself (asyncio
        does, with `ssl.MemoryBIO`), its calls move records. One stream cannot show both.
        """
        self.sent = [each for each in self.sent if each[2].pieces]
        self.got = [each for each in self.got if each[2].pieces]
        self.tells = False

    def _last_close(self) -> Event | None:
        """A socket of the kernel is closed with the last object that holds it, and not used after that."""
        closes = [event for event in self.events if event.call == "close" and not event.failure]
        used = max((event.number for *_, event in (*self.sent, *self.got)), default=0)
        return closes[-1] if closes and closes[-1].number > used else None

    def _first_end(self) -> Event | None:
        """The first recv that returned b"" because the peer ended, and not because nobody wants to hear any more."""
        last = self.got[-1][2].number if self.got else 0
        for event in self.events:
            if _shuts(event, "SHUT_RD", "SHUT_RDWR"):
                return None
            if event.direction == IN and event.size == 0 and event.number > last and not re.match(r"0\b", event.asked):
                return event
        return None

    def _is_told(self, event: Event) -> bool:
        if event.failure is None or event.call.startswith("connect"):
            return False
        if event.failure.kind == "BrokenPipeError":  # or else it has itself said that it sends no more
            return self.shut is None or self.shut.number > event.number
        return event.failure.kind in ("ConnectionResetError", "ConnectionAbortedError")


class Ending(NamedTuple):
    """By which call a side left and when; or which call at the other side was the first to tell, and when."""

    event: Event
    at_ns: int
    words: str = ""


def endings(me: Side, other: Side) -> tuple[Ending | None, Ending | None]:
    """The FIN and the RST of side `me`."""
    close, heard = me.closed, other.heard_the_end
    reset = _reset(me, other)
    last = me.shut or (None if reset is not None and reset.event is close else close)
    if heard is not None and (last is None or last.number > heard.number):
        return Ending(heard, heard.end_ns, "heard the end"), reset
    return (Ending(last, last.start_ns) if last is not None else None), reset


def _reset(me: Side, other: Side) -> Ending | None:
    close, heard, told = me.closed, other.heard_the_end, other.told_of_reset
    in_peace = me.shut is None and heard is not None and (told is None or heard.number < told.number)
    late = _too_late(other, me)
    if close is not None and not in_peace and not _was_over(me, other):
        if any(event.number < close.number and _lingers_not(event) for event in me.events):
            return Ending(close, close.start_ns, "SO_LINGER with 0 seconds")
        if me.tells and _left_unread(me, other, close):
            return Ending(close, close.start_ns, "bytes were left unread")
        if told is not None and late is None:
            return Ending(close, close.start_ns, "the peer was told of a reset")
    if late is not None:
        return Ending(late, late.start_ns, "the peer had closed already")
    if told is not None and _too_late(me, other) is None:  # a send is told of a reset that came before it
        return Ending(told, 0 if told.direction == OUT else told.end_ns, "was told of a reset")
    return None


def _was_over(me: Side, other: Side) -> bool:
    """Whether both sides had sent their FIN when `me` closed: then that sends nothing any more."""
    theirs = other.shut or other.closed
    return bool(me.shut and me.closed and theirs and _is_after(me.closed, theirs))


def _left_unread(me: Side, other: Side, close: Event) -> bool:
    """Whether bytes had arrived and were not taken: of sends that had ended, or of which others bytes were taken."""
    taken = max((stop for _, stop, _ in me.got), default=0)
    return any(stop > taken and (_is_after(close, event) or taken > start) for start, stop, event in other.sent)


def _too_late(sender: Side, receiver: Side) -> Event | None:
    """The first send of data that found nobody: the receiver had closed, or had shut both ways.

    The second case is how Linux does it (tcp_rcv_state_process), so it takes an error at either side to believe it.
    """
    error = sender.told_of_reset or receiver.told_of_reset
    for *_, event in sender.sent:
        if receiver.closed is not None and _is_after(event, receiver.closed):
            return event
        if receiver.deaf is not None and _is_after(event, receiver.deaf) and error is not None:
            return event
    return None


def _is_after(event: Event, other: Event) -> bool:
    """Whether `event` began when `other` had ended: by the clock, for the order of events need not relate them."""
    return event.start_ns >= other.end_ns and (event.start_ns > other.start_ns or event.number > other.number)


def _shuts(event: Event, *ways: str) -> bool:
    return event.call == "shutdown" and not event.failure and event.asked in ways


def _lingers_not(event: Event) -> bool:
    """Whether this is setsockopt(SOL_SOCKET, SO_LINGER, on, 0 seconds)."""
    name, _, value = event.asked.partition(", ")
    if event.call != "setsockopt" or name != "SO_LINGER" or event.failure:
        return False
    try:
        linger = ast.literal_eval(value)
        return bool((struct.unpack("ii", linger) if isinstance(linger, bytes) else linger) == (1, 0))
    except (ValueError, SyntaxError, struct.error):
        return False
