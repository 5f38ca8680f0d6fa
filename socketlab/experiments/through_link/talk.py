"""A conversation through a faulty link, as its client lives it: what was sent, what came back, when, in which pieces.

Non-blocking sockets on one selector: a link may delay, stall or reset, and whoever watches must not wait with it.
Here is what is remembered, and the round of the loop; who talks is in stream_talk.py and datagram_talk.py.
"""

from __future__ import annotations

from collections import deque
from selectors import DefaultSelector
from time import perf_counter
from typing import Any, NamedTuple

from .words import changes_in_words

KEPT = 15.0  # s of the conversation that are remembered
RECEIVE = 65536  # bytes that one recv takes at most
DRAG = 1.0  # s within which changes of one fault are one: a slider on its way

#: How an exchange stands; "" is one whose answer has come whole.
WAITING, LOST, RESET, CLOSED, CHANGED = "waiting", "lost", "reset", "closed", "changed"


class Exchange(NamedTuple):
    """One message and its answer. Times are seconds since the conversation began."""

    sent: float
    size: int  #: bytes that were sent
    first: float | None  #: when the first byte came back
    last: float | None  #: when the last one did
    sizes: tuple[int, ...]  #: how many of its bytes each recv brought; over UDP, one for each copy
    end: str  #: "" when answered; else waiting, lost, reset, closed, or changed: a datagram with other bytes in it
    overtaken: bool = False  #: a later datagram came before it

    @property
    def took(self) -> float:
        """From the sending to the last byte of the answer. Raises ValueError while it has not come."""
        if self.last is None:
            raise ValueError(f"this message has no answer: {self.end}")
        return self.last - self.sent


class Event(NamedTuple):
    """Something to be marked: `what` is reset, closed, refused, again (it goes on), other (bytes) or fault."""

    at: float  #: seconds since the conversation began
    what: str
    words: str


class Message:
    """An `Exchange` that is still under way."""

    def __init__(self, sent: float, size: int) -> None:
        self.sent, self.missing, self.size = sent, size, size
        self.first: float | None = None
        self.last: float | None = None
        self.sizes: list[int] = []
        self.end = WAITING
        self.overtaken = False

    def frozen(self) -> Exchange:
        return Exchange(self.sent, self.size, self.first, self.last, tuple(self.sizes), self.end, self.overtaken)


class Talk:
    """What both kinds have in common: the clock, the selector, and what is remembered."""

    def __init__(self, link: Any, size: int, every: float) -> None:
        self.link, self.size, self.every = link, size, every
        self.began = perf_counter()
        self.next = 0.0  # when the next message is due
        self.messages: deque[Message] = deque()
        self.events: deque[Event] = deque(maxlen=200)
        self.recvs: deque[tuple[float, int]] = deque(maxlen=400)
        self.ends: deque[tuple[float, float]] = deque(maxlen=50)  # when b"" came, and how long after the half-close
        self.faults = link.up.as_dict(), link.down.as_dict()
        self._moved: set[str] = set()  # by the last change
        self.ready = DefaultSelector()

    def now(self) -> float:
        return perf_counter() - self.began

    def note(self, what: str, words: str) -> None:
        self.look_at_faults()  # what somebody changed comes before what came of it
        self.events.append(Event(self.now(), what, words))

    def look_at_faults(self) -> None:
        """Note what has been changed since the last look, by whomever."""
        before, self.faults = self.faults, (self.link.up.as_dict(), self.link.down.as_dict())
        if changes := changes_in_words(before, self.faults):
            now, last = self.now(), self.events[-1] if self.events else None
            words = ", ".join(changes.values())
            moving = last is not None and last.what == "fault" and now - last.at < DRAG and self._moved == set(changes)
            if moving and last is not None and " off" not in last.words + words:  # a switch is not dragged
                self.events.pop()
            self.events.append(Event(now, "fault", words))
            self._moved = set(changes)

    def go_on(self, seconds: float) -> None:
        """Talk and listen for so long."""
        until = self.now() + seconds
        while (now := self.now()) < until:
            due = min(until, self.do_what_is_due(now))
            for key, events in self.ready.select(max(0.0, due - now)):
                key.data(events)
        self.look_at_faults()
        self.forget(until - KEPT)

    def do_what_is_due(self, now: float) -> float:
        """Send, connect, give up; returns when to ask again."""
        raise NotImplementedError

    def forget(self, before: float) -> None:
        kept: tuple[deque[Any], ...] = (self.events, self.recvs, self.ends)
        for things in kept:
            while things and things[0][0] < before:
                things.popleft()
        while self.messages and self.messages[0].sent < before and self.messages[0].end != WAITING:
            self.messages.popleft()

    def close(self) -> None:
        self.ready.close()
