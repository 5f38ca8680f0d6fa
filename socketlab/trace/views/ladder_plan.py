"""What a ladder consists of, before anything is drawn: rows, columns, arrows.

A row is a call, in the order of the trace. A column is an end, or all ends of one role where there are several: ten
clients stand side by side as ten thin lines. An arrow is what had to happen before something else could: bytes on their
way, a connection, the end of a stream. `ladder_planning` makes such a plan, and
`ladder_picture` draws it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..events import Endpoint, Event

#: Calls that look and change nothing.
LOOKS = frozenset(
    ("getsockname", "getpeername", "getsockopt", "fileno", "gettimeout", "getblocking", "get_inheritable")
)
#: The heading where no call belongs to any one end: socketpair(), select().
NOBODY = "program"
#: Calls by which an end takes its leave.
CLOSING = ("close", "shutdown", "detach")


@dataclass
class Row:
    """One call; or, without `event`, the `left_out` calls that stand here and are not shown."""

    event: Event | None
    column: int = -1
    line: int = 0  #: which of the column's ends
    left_out: int = 0
    wait: tuple[float, float] | None = None  #: from which row to which, with fractions, the call waited


@dataclass(frozen=True)
class Column:
    """Ends that share a heading; each has a line of its own."""

    role: str
    ends: tuple[Endpoint, ...]
    members: int = 1  #: how many ends have this role, shown or folded away


@dataclass
class Arrow:
    """From row `start` to row `stop`; None where that end is not in the picture."""

    start: int | None
    stop: int | None
    kind: str  #: "bytes", "datagram", "connection", "end of stream" or "reset"
    data: bytes | None = None
    size: int = 0
    pieces: int = 1
    lost: bool = False  #: nobody received it before the trace ended
    peek: bool = False
    tls: bool = False
    cut: int = 0  #: bytes of a datagram for which the receiver had no room
    came: bytes | None = None  #: what arrived, where a bit of a datagram was changed on the way
    away: tuple[int, int] | None = None  #: column and line of the end out of sight, if another process holds it


@dataclass
class Plan:
    """All of it. `blocks` are calls that repeat, drawn once: first row, last row, how often in figures, at most."""

    rows: list[Row] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    blocks: list[tuple[int, int, str, int]] = field(default_factory=list)
    calls: list[Event] = field(default_factory=list)
    cut: bool = False  #: whether a stretch of the trace is missing


def shown_calls(events: Iterable[Event]) -> list[Event]:
    """What a ladder shows: what the program itself called, without looks that change nothing.

    A listener of socketlab's own only accepts; its `accept` is shown, as the beginning of the accepted end.
    """
    shown = []
    for event in events:
        if event.inside is not None or event.housekeeping or event.call in LOOKS:
            continue
        end = event.end
        if end is not None and end.helper and end.listening and (event.call != "accept" or event.failure):
            continue
        shown.append(event)
    return shown


def role(name: str) -> str:
    """`role("server 2")` is "server"."""
    return re.sub(r" \d+$", "", name)


def number_of(name: str) -> int:
    """`number_of("server 2")` is 2; 0 for a name without a number."""
    found = re.search(r" (\d+)$", name)
    return int(found[1]) if found else 0


def accepted(event: Event) -> str:
    """The name of the end that an accept made, "" where it made none."""
    found = re.search("<([^<>]+)>", event.result) if event.call == "accept" else None
    return found[1] if found else ""
