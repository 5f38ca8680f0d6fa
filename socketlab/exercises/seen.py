"""What was seen of a learner's answer in one scenario: the evidence from which a misconception is told.

Nothing of the source is looked at. What counts is what the answer did: the calls that it made and what came of them
(from the trace), what it returned or raised, where it stood when its time was up, and what it left behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..trace.events import IN, OUT, Event
from ..trace.waiting import Waiting

#: Looks at a socket: they tell nothing about what an answer does with it.
LOOKS = frozenset(("fileno", "getsockname", "getpeername", "getsockopt", "gettimeout", "getblocking"))

NO_THREAD = "can't start new thread"  #: what the RuntimeError says where the system gives no thread


@dataclass
class Seen:
    """The evidence of one scenario, filled while it goes on.

    `events` are the calls of everybody, `calls` those of the answer, in the order in which they happened, looks and
    calls inside other calls left out. `facts` is for the scenario: what only it knows (how much was sent, say).
    """

    scenario: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    events: Sequence[Event] = ()
    calls: Sequence[Event] = ()
    returned: bool = False  #: the answer returned, the last time that it was called
    result: Any = None
    error: BaseException | None = None  #: what it raised, the last time
    expected: str = ""
    came: str = ""
    timed_out: bool = False
    waiting: Waiting | None = None  #: the call in which it stood when its time was up
    asleep: bool = False  #: it stood still then, but not in a call on a socket
    line: str = ""  #: where it stood, or where it raised
    left_open: int = 0  #: sockets that it opened, and neither closed nor returned
    unclosed: int = 0  #: sockets that were closed by the garbage collector alone
    threads: tuple[str, ...] = ()  #: that it started and left running
    patched: tuple[str, ...] = ()  #: names of the module socket, its class, or of builtins, … that it has replaced
    accident: Exception | None = None  #: what the check itself ran into afterwards: no memory, no descriptor left
    printed: str = ""

    def made(self, *names: str) -> list[Event]:
        """The answer's calls with these names; all of them without any."""
        return [event for event in self.calls if not names or event.call in names]

    def failed(self, *kinds: str) -> list[Event]:
        """The answer's calls that raised, of these exceptions' names where any are given."""
        return [event for event in self.calls if event.failure and (not kinds or event.failure.kind in kinds)]

    @property
    def received(self) -> int:
        """Bytes that the answer received."""
        return sum(event.size or 0 for event in self.calls if event.direction == IN and not event.peek)

    @property
    def sent(self) -> int:
        """Bytes that the kernel took from the answer."""
        return sum(event.size or 0 for event in self.calls if event.direction == OUT)

    def short_sends(self) -> list[Event]:
        """Sends of which the kernel took less than was offered."""
        return [
            event
            for event in self.calls
            if event.direction == OUT and event.data is not None and event.size is not None
            if event.size < len(event.data)
        ]

    def ends_of_stream(self) -> list[Event]:
        """Receives that returned ``b""``."""
        return [event for event in self.calls if event.direction == IN and event.size == 0 and event.failure is None]

    def blocked_in(self, *kinds: str) -> bool:
        """Whether its time was up while it stood in a call of such a kind: accept, connect, recv, send, select …"""
        return self.timed_out and self.waiting is not None and (not kinds or self.waiting.kind in kinds)

    def raised(self, *kinds: type[BaseException]) -> bool:
        """Whether the answer raised one of these, the last time that it was called."""
        return isinstance(self.error, kinds or (BaseException,))

    def raised_number(self, *errors: int) -> bool:
        """Whether the answer raised an OSError with one of these numbers, the last time that it was called."""
        return isinstance(self.error, OSError) and self.error.errno in errors

    def lacked(self, *errors: int) -> bool:
        """Whether the answer, or the check after it, met an OSError with one of these numbers."""
        return any(isinstance(one, OSError) and one.errno in errors for one in (self.error, self.accident))
