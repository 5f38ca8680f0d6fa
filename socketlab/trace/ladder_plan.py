"""What a ladder shows, before anything is drawn: the rows, the columns, the arrows, and who waited since when.

A row is a call, in the order of the trace. A column is an end, or all ends of one role where there are several: ten
clients stand side by side as ten thin lines. An arrow is what had to happen before something else could: bytes on their
way, a connection, the end of a stream. This module knows nothing of paper; `ladder_picture` draws the plan.
"""

from __future__ import annotations

import gc
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .events import OUT, Endpoint, Event
from .folding import Fold, fold

#: Calls that look and change nothing.
LOOKS = frozenset(
    ("getsockname", "getpeername", "getsockopt", "fileno", "gettimeout", "getblocking", "get_inheritable")
)
#: A call that took longer has waited: on loopback the work of one call is done in 10 to 50 µs.
WAITED_NS = 100_000
#: Calls that are no receiving, and wait for the other end all the same.
_WAITERS = frozenset(
    ("accept", "connect", "create_connection", "do_handshake", "wrap_socket", "unwrap", "select", "poll", "wait")
)
#: For a send it takes more to be sure: a thread that has lost its turn looks like one that waits.
_SURELY_NS = 1_000_000
#: Calls in a row that are missing, from which on the picture says so: fewer may just be calls that are never shown.
_GAP = 1000
CLOSING = ("close", "shutdown", "detach")
_RANKS = {"client": 0, "left": 0, "server": 2, "right": 2, "listener": 3}


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


@dataclass
class Plan:
    """All of it. `blocks` are calls that repeat, drawn once: first row, last row, how often in figures, at most."""

    rows: list[Row] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    blocks: list[tuple[int, int, str, int]] = field(default_factory=list)
    calls: list[Event] = field(default_factory=list)
    cut: bool = False  #: whether a stretch of the trace is missing


def plan(events: Iterable[Event], most: int) -> Plan:
    """The plan of a ladder with at most `most` rows."""
    from .ladder_arrows import arrows

    everything = list(events)
    calls = shown_calls(everything)
    made = Plan(calls=calls)
    if not calls:
        return made
    row_of = [-1] * (max(event.number for event in everything) + 1)
    with _without_collections(len(everything)):
        kept = _rows(calls, most, row_of, made)
        _columns(kept, made)
        _waits(made.rows)
        made.arrows = arrows(everything, row_of, made)
    return made


@contextmanager
def _without_collections(size: int) -> Iterator[None]:
    """Spare the garbage collector a million events, which it would look at again and again: no cycles are made here."""
    pause = size > 20_000 and gc.isenabled()
    if pause:
        gc.disable()
    try:
        yield
    finally:
        if pause:
            gc.enable()


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


# -- rows ------------------------------------------------------------------------------------------------------------


def _rows(calls: list[Event], most: int, row_of: list[int], made: Plan) -> list[Event | int]:
    """Fold and shorten `calls`: the calls that get a row, or how many are left out; `row_of` is filled in."""
    items = _with_gaps(calls, made)
    folds = _folded(items, most)
    total = sum(fold.lines for fold in folds)
    head = total if total <= most else most * 2 // 3
    tail = total if total <= most else total - (most - head - 1)
    kept: list[Event | int] = []
    more = 0  # left out in the middle

    def place(line: int) -> int:
        """The row of a line, were all of them drawn."""
        return line if line < head else head if line < tail else line - tail + head + 1

    def walk(some: Iterable[Fold], line: int) -> int:
        nonlocal more
        for part in some:
            first = line
            if part.parts:
                line = walk(part.parts, line)
            else:
                if not head <= line < tail:
                    kept.append(items[part.rows[0]])
                elif line == head:
                    kept.append(0)
                for i in part.rows:
                    item = items[i]
                    if head <= line < tail:
                        more += item if isinstance(item, int) else 1
                    elif isinstance(item, Event):
                        row_of[item.number] = place(line)
                line += 1
            top, bottom = (first, line - 1) if first < head else (max(first, tail), line - 1)
            if part.high > 1 and top <= bottom and not head <= top < tail:
                made.blocks.append((place(top), min(place(bottom), len(kept) - 1), part.times, part.high))
        return line

    walk(folds, 0)
    if total > most:
        kept[head] = more
    return kept


def _with_gaps(calls: list[Event], made: Plan) -> list[Event | int]:
    """The calls, and where a long stretch of the trace was not handed over, how many that were."""
    items: list[Event | int] = []
    last = calls[0].number - 1
    for event in calls:
        if event.number - last > _GAP:
            items.append(event.number - last - 1)
            made.cut = True
        items.append(event)
        last = event.number
    return items


def _folded(items: list[Event | int], most: int) -> list[Fold]:
    """Fold no more than it takes: first only what is the same to the byte, at last whatever has the same role."""

    def exact(e: Event) -> tuple[object, ...]:
        return e.call, e.end and e.end.name, e.asked, e.result, e.failure, e.size, e.data

    def alike(e: Event) -> tuple[object, ...]:
        return e.call, e.end and e.end.name, e.asked, e.result, e.failure, e.size == 0

    def cast(e: Event) -> tuple[object, ...]:
        return e.call, e.end and role(e.end.name), e.asked, role(e.result[:-1]), e.failure, e.size == 0

    best: list[Fold] = []
    fewest = 0
    for key, loose in ((exact, False), (alike, False), (alike, True), (cast, True)):
        if key is exact and len(items) > most * 20:
            continue  # bytes that repeat are calls that repeat, and this is long enough to fold by those
        codes: dict[object, int] = {}  # small numbers: a million tuples would keep the garbage collector busy
        names = (key(item) if isinstance(item, Event) else item for item in items)
        folds = fold([codes.setdefault(name, len(codes)) for name in names], loose=loose)
        lines = sum(one.lines for one in folds)
        if lines <= most:
            return folds
        if not best or lines < fewest / 4:  # where nothing helps, the calls as they were are the most to the point
            best, fewest = folds, lines
    return best


# -- columns ---------------------------------------------------------------------------------------------------------


def _columns(kept: list[Event | int], made: Plan) -> None:
    """Give every row its place, and make the columns."""
    calls = [event for event in kept if isinstance(event, Event)]
    busy = {event.end.name for event in made.calls if event.end is not None and event.call != "accept"}
    ends = {event.number: _whose(event, calls, busy) for event in calls}
    appear = {end.name: end for event in calls if (end := ends[event.number]) is not None}
    # Two clients that talk to each other should not share a column, as long as there are few.
    talking = {name for name, end in appear.items() if end.other in appear and role(end.other) == role(name)}
    talking = talking if len(talking) <= 4 else set()
    roles: dict[str, list[Endpoint]] = {}
    for name, end in appear.items():
        roles.setdefault(name if name in talking else role(name), []).append(end)
    everybody = {e.end.name for e in made.calls if e.end is not None} | set(appear)
    for heading in sorted(roles, key=lambda r: _RANKS.get(role(r), 1)):
        members = tuple(sorted(roles[heading], key=lambda end: number_of(end.name)))
        made.columns.append(Column(heading, members, sum(heading in (name, role(name)) for name in everybody)))
    if not made.columns:
        made.columns.append(Column("", (Endpoint("", ""),)))
    where = {end.name: (c, i) for c, column in enumerate(made.columns) for i, end in enumerate(column.ends)}
    for event in kept:
        if isinstance(event, int):
            made.rows.append(Row(None, left_out=event))
            continue
        end = ends[event.number]
        column, line = where[end.name] if end is not None else _of_thread(event, calls, ends, where)
        made.rows.append(Row(event, column, line))


def _whose(event: Event, calls: list[Event], busy: set[str]) -> Endpoint | None:
    """The end in whose column a call stands: its own; but a listener that only accepts needs no column."""
    end = event.end
    if end is not None and end.listening and end.name not in busy:
        name = accepted(event)
        return next((e.end for e in calls if e.end is not None and e.end.name == name), end)
    return end


def _of_thread(
    event: Event, calls: list[Event], ends: dict[int, Endpoint | None], where: dict[str, tuple[int, int]]
) -> tuple[int, int]:
    """A call over several sockets (select) stands with what its thread does next, else with what it did last."""
    mine = [e for e in calls if e.thread == event.thread and ends[e.number] is not None]
    near = next((e for e in mine if e.number > event.number), mine[-1] if mine else None)
    end = ends[near.number] if near is not None else None
    return where[end.name] if end is not None else (0, 0)


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


# -- waiting ---------------------------------------------------------------------------------------------------------


def acts(event: Event) -> bool:
    """Whether a call does something to the other end: then its row is where it begins, else where it has come back."""
    return event.direction == OUT or event.call in CLOSING


def moment(event: Event) -> int:
    """The clock reading that belongs to a row."""
    return event.start_ns if acts(event) else event.end_ns


def _waits(rows: list[Row]) -> None:
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
