"""Who waited, and from which row of a ladder to which.

A call has one row and yet lasts a while. What receives has its row where it came back, and waited above it; what sends
has its row where it began, and waited below it, until the peer had made room. Where between two rows a wait began or
ended is read from the clock.
"""

from __future__ import annotations

from bisect import bisect_right

from ..events import OUT, Event
from .ladder_plan import CLOSING, Row

#: A call that took longer has waited: on loopback the work of one call is done in 10 to 50 µs.
WAITED_NS = 100_000
#: Calls that are no receiving, and wait for the other end all the same.
_WAITERS = frozenset(
    ("accept", "connect", "create_connection", "do_handshake", "wrap_socket", "unwrap", "select", "poll", "wait")
)
#: For a send it takes more to be sure: a thread that has lost its turn looks like one that waits.
_SURELY_NS = 1_000_000


def acts(event: Event) -> bool:
    """Whether a call does something to the other end: then its row is where it begins, else where it has come back."""
    return event.direction == OUT or event.call in CLOSING


def moment(event: Event) -> int:
    """The clock reading that belongs to a row."""
    return event.start_ns if acts(event) else event.end_ns


def find_waits(rows: list[Row]) -> None:
    """Find out from which row to which each call waited. One that receives waits above its row, a send below it."""
    clock: list[int] = []
    for row in rows:
        last = clock[-1] if clock else 0
        clock.append(last if row.event is None else max(last, moment(row.event)))
    for y, row in enumerate(rows):
        event = row.event
        if event is None or event.duration_ns <= 0:
            continue
        if not event.direction and event.call not in _WAITERS:
            continue
        if event.direction == OUT:
            if event.duration_ns >= _SURELY_NS:
                bottom = min(_place(event.end_ns, clock, y), _neighbour(rows, y, +1) - 0.4)
                row.wait = (float(y), max(bottom, y + 0.45))
            continue
        top = min(_place(event.start_ns, clock[:y], -1), y - 0.45)
        top = max(top, min(_neighbour(rows, y, -1) + 0.4, y - 0.45))
        if event.duration_ns >= WAITED_NS or top < y - 1:
            row.wait = (top, float(y))


def _place(ns: int, clock: list[int], at_least: int) -> float:
    """The place of a moment among rows of which the clock is known."""
    k = bisect_right(clock, ns) - 1
    if k < 0:
        return -0.5
    if k + 1 >= len(clock):
        return max(k, at_least) + 0.45
    return max(k + min(0.85, max(0.15, (ns - clock[k]) / max(1, clock[k + 1] - clock[k]))), float(at_least))


def _neighbour(rows: list[Row], y: int, step: int) -> int:
    """The row before or after `y` that the same thread has at the same end: it cannot have waited in both."""
    row = rows[y]
    assert row.event is not None
    at = y + step
    while 0 <= at < len(rows):
        other = rows[at]
        if other.event is None:
            break
        if (other.column, other.line) == (row.column, row.line) and other.event.thread == row.event.thread:
            break
        at += step
    return at if at >= 0 else -1
