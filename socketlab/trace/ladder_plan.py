"""What a ladder shows, before anything is drawn: the rows, the columns, the arrows, and who waited since when.

A row is a call, in the order of the trace. A column is an end, or all ends of one role where there are several: ten
clients stand side by side as ten thin lines. An arrow is what had to happen before something else could: bytes on their
way, a connection, the end of a stream. This module knows nothing of paper; `ladder_picture` draws the plan.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from .events import IN, OUT, Endpoint, Event, Piece
from .folding import Fold, fold

LOOKS = frozenset(("getsockname", "getpeername", "getsockopt", "fileno", "gettimeout", "getblocking", "get_inheritable"))
#: A call that took longer has waited: on loopback the work of one call is done in 10 to 50 µs.
WAITED_NS = 100_000
_LAST = ("close", "shutdown", "detach")
_RANKS = {"client": 0, "left": 0, "server": 2, "right": 2, "listener": 3}


@dataclass(frozen=True)
class Row:
    """One call; or, without `event`, the `left_out` calls that stand here and are not shown."""

    event: Event | None
    column: int = -1
    line: int = 0  #: which of the column's ends
    left_out: int = 0
    since: float | None = None  #: the row (with its fraction) at which a call that waited began


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
    kind: str  #: "bytes", "datagram", "connection", "end" or "reset"
    data: bytes | None = None
    size: int = 0
    pieces: int = 1
    lost: bool = False  #: nobody received it before the trace ended
    peek: bool = False
    tls: bool = False


@dataclass
class Plan:
    """All of it. `blocks` are calls that repeat, drawn once: first row, last row, how often in figures, at most."""

    rows: list[Row] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    blocks: list[tuple[int, int, str, int]] = field(default_factory=list)
    calls: list[Event] = field(default_factory=list)


def plan(events: Iterable[Event], most: int) -> Plan:
    """The plan of a ladder with at most `most` rows."""
    everything = list(events)
    calls = shown_calls(everything)
    made = Plan(calls=calls)
    if not calls:
        return made
    row_of = [-1] * (max(event.number for event in everything) + 1)
    kept = _rows(calls, most, row_of, made)
    for event in everything:  # what a shown call did inside stands in its row
        if event.inside is not None and row_of[event.number] < 0 and event.inside < len(row_of):
            row_of[event.number] = row_of[event.inside]
    _columns(kept, made)
    made.arrows = list(_arrows(everything, row_of, made))
    return made


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
    folds = _folded(calls, most)
    total = sum(fold.lines for fold in folds)
    head = total if total <= most else most * 2 // 3
    tail = total if total <= most else total - (most - head - 1)
    kept: list[Event | int] = []

    def place(line: int) -> int:
        """The row of a line, were all of them drawn."""
        return line if line < head else head if line < tail else line - tail + head + 1

    def walk(some: Iterable[Fold], line: int) -> int:
        for part in some:
            first = line
            if part.parts:
                line = walk(part.parts, line)
            else:
                if head <= line < tail:
                    if not kept or not isinstance(kept[-1], int):
                        kept.append(0)
                    kept[-1] += len(part.rows)  # type: ignore[operator]
                else:
                    kept.append(calls[part.rows[0]])
                    y = place(line)
                    for i in part.rows:
                        row_of[calls[i].number] = y
                line += 1
            top, bottom = (first, line - 1) if first < head else (max(first, tail), line - 1)
            if part.high > 1 and top <= bottom and not head <= top < tail:
                made.blocks.append((place(top), min(place(bottom), len(kept) - 1), part.times, part.high))
        return line

    walk(folds, 0)
    return kept


def _folded(calls: list[Event], most: int) -> list[Fold]:
    """Fold no more than it takes: first only what is the same to the byte, at last whatever has the same role."""

    def exact(e: Event) -> tuple[object, ...]:
        return e.call, e.end and e.end.name, e.asked, e.result, e.failure, e.size, e.data

    def alike(e: Event) -> tuple[object, ...]:
        return e.call, e.end and e.end.name, e.asked, e.result, e.failure, e.size == 0

    def cast(e: Event) -> tuple[object, ...]:
        return e.call, e.end and role(e.end.name), e.asked, role(e.result[:-1]), e.failure, e.size == 0

    folds: list[Fold] = []
    for key, loose in ((exact, False), (alike, False), (alike, True), (cast, True)):
        if key is exact and len(calls) > most * 20:
            continue  # bytes that repeat are calls that repeat, and this is long enough to fold by those
        folds = fold(calls, key, loose=loose)
        if sum(one.lines for one in folds) <= most:
            break
    return folds


# -- columns ---------------------------------------------------------------------------------------------------------


def _columns(kept: list[Event | int], made: Plan) -> None:
    calls = [event for event in kept if isinstance(event, Event)]
    ends = {id(event): _whose(event, calls) for event in calls}
    appear = {end.name: end for event in calls if (end := ends[id(event)]) is not None}
    talking = {name for name, end in appear.items() if end.other in appear and role(end.other) == role(name)}
    roles: dict[str, list[Endpoint]] = {}
    for name, end in appear.items():
        roles.setdefault(name if name in talking else role(name), []).append(end)
    order = sorted(roles, key=lambda r: _RANKS.get(role(r), 1))
    everybody = {e.end.name for e in made.calls if e.end is not None} | set(appear)
    made.columns = [
        Column(r, tuple(sorted(roles[r], key=lambda end: _number(end.name))), sum(r in (n, role(n)) for n in everybody))
        for r in order
    ]
    if not made.columns:
        made.columns = [Column("", (Endpoint("", ""),))]
    where = {end.name: (c, i) for c, column in enumerate(made.columns) for i, end in enumerate(column.ends)}
    clock: list[int] = []
    for event in kept:
        if isinstance(event, int):
            made.rows.append(Row(None, left_out=event))
            clock.append(clock[-1] if clock else 0)
            continue
        end = ends[id(event)]
        column, line = where[end.name] if end else _of_thread(event, calls, ends, where)
        since = _since(event, len(clock), clock, made.rows, (column, line))
        made.rows.append(Row(event, column, line, since=since))
        clock.append(max(moment(event), clock[-1] if clock else 0))


def _whose(event: Event, calls: list[Event]) -> Endpoint | None:
    """The end in whose column a call stands: its own, but for a helper's `accept`, which begins the accepted end."""
    end = event.end
    if end is not None and end.listening and end.helper:
        name = accepted(event)
        return next((e.end for e in calls if e.end is not None and e.end.name == name), end)
    return end


def _of_thread(
    event: Event, calls: list[Event], ends: dict[int, Endpoint | None], where: dict[str, tuple[int, int]]
) -> tuple[int, int]:
    """A call over several sockets (select) stands with what its thread does next, else with what it did last."""
    mine = [e for e in calls if e.thread == event.thread and ends[id(e)] is not None]
    near = next((e for e in mine if e.number > event.number), mine[-1] if mine else None)
    end = ends[id(near)] if near is not None else None
    return where[end.name] if end is not None else (0, 0)


def role(name: str) -> str:
    """`role("server 2")` is "server"."""
    return re.sub(r" \d+$", "", name)


def accepted(event: Event) -> str:
    """The name of the end that an accept made, "" where it made none."""
    found = re.search("<([^<>]+)>", event.result) if event.call == "accept" else None
    return found[1] if found else ""


def _number(name: str) -> int:
    found = re.search(r" (\d+)$", name)
    return int(found[1]) if found else 0


# -- waiting ---------------------------------------------------------------------------------------------------------


def moment(event: Event) -> int:
    """The clock reading that belongs to a row: what sends acts when it begins, what receives when it has ended."""
    acts = event.direction == OUT or event.call in _LAST
    return event.start_ns if acts else event.end_ns


def _since(event: Event, y: int, clock: list[int], rows: list[Row], place: tuple[int, int]) -> float | None:
    """Where on the ladder a call began to wait; None for one that did not wait."""
    if event.duration_ns <= 0:
        return None
    k = bisect_right(clock, event.start_ns) - 1
    if k < 0:
        since = -0.5
    elif k + 1 < len(clock):
        since = k + min(0.85, max(0.15, (event.start_ns - clock[k]) / max(1, clock[k + 1] - clock[k])))
    else:
        since = y - 0.45
    for at in range(y - 1, -1, -1):
        before = rows[at]
        if before.event is None or ((before.column, before.line) == place and before.event.thread == event.thread):
            since = max(since, at + 0.4)
            break
    long = event.duration_ns >= WAITED_NS
    if not long and (since > y - 0.6 or event.direction == OUT or event.call in _LAST):
        return None
    return min(since, y - 0.45)


# -- arrows ----------------------------------------------------------------------------------------------------------


def _arrows(everything: list[Event], row_of: list[int], made: Plan) -> Iterable[Arrow]:
    found: dict[tuple[object, ...], Arrow] = {}
    tied: dict[int, int] = {}  # bytes of each call at the other end
    seen: set[Piece] = set()
    for event in everything:
        if event.inside is not None and event.layer == "socket" and _outer_has_pieces(event, row_of, made):
            continue
        for piece in event.pieces:
            if piece in seen:
                continue
            seen.add(piece)
            start, stop = (row_of[n] if n < len(row_of) else -1 for n in (piece.sent, piece.received))
            tied[start] = tied.get(start, 0) + len(piece)
            tied[-2 - stop] = tied.get(-2 - stop, 0) + len(piece)
            if (start < 0 and stop < 0) or (0 <= stop <= start):
                continue  # within what is left out; or of another time round
            _add(found, start, stop, _data(event, piece), len(piece), made)
    yield from found.values()
    for y, row in enumerate(made.rows):
        if row.event is not None:
            yield from _loose(row.event, y, tied, row_of, made)


def _add(found: dict[tuple[object, ...], Arrow], start: int, stop: int, data: bytes | None, n: int, made: Plan) -> None:
    known = found.get((start, stop))
    if known is not None:
        known.pieces += 1
        known.size += n
        return
    source = made.rows[start].event if start >= 0 else None
    target = made.rows[stop].event if stop >= 0 else None
    if source is None and target is None:
        return
    either = target or source
    assert either is not None
    found[start, stop] = Arrow(
        start if source is not None else None,
        stop if target is not None else None,
        "datagram" if _datagrams(either) else "bytes",
        data,
        n,
        peek=target is not None and target.peek,
        tls=either.layer == "tls" or (either.end is not None and either.end.kind == "tls"),
    )


def _data(event: Event, piece: Piece) -> bytes | None:
    """The bytes of a piece, as far as `event`, one of its two calls, kept them."""
    if event.data is None:
        return None
    start = piece.start if event.number == piece.sent else piece.at
    return event.data[start : start + len(piece)]


def _outer_has_pieces(event: Event, row_of: list[int], made: Plan) -> bool:
    y = row_of[event.number] if event.number < len(row_of) else -1
    outer = made.rows[y].event if y >= 0 else None
    return outer is not None and bool(outer.pieces)


def _loose(event: Event, y: int, tied: dict[int, int], row_of: list[int], made: Plan) -> Iterable[Arrow]:
    """Arrows with one end only, and those that carry no bytes."""
    tls = event.layer == "tls"
    size = event.size or 0
    if event.direction == OUT and event.failure is None:
        left = size - tied.get(y, 0)
        if left > 0 or (size == 0 and _datagrams(event) and event.size == 0 and not event.pieces):
            kind = "datagram" if _datagrams(event) else "bytes"
            known = kind == "datagram" or (event.end is not None and event.end.other != "")
            data = event.data[size - left :] if event.data is not None else None
            yield Arrow(y, None, kind, data, left, lost=known, tls=tls)
    elif event.direction == IN and size > tied.get(-2 - y, 0) and not event.pieces:
        yield Arrow(None, y, "datagram" if _datagrams(event) else "bytes", event.data, size, peek=event.peek, tls=tls)
    kind = ""
    if event.call == "accept" and event.failure is None:
        kind = "connection"
    elif event.failure is not None and event.failure.kind in ("ConnectionResetError", "BrokenPipeError"):
        kind = "reset"
    elif event.direction == IN and size == 0 and event.failure is None and not _datagrams(event):
        kind = "end"
    elif event.failure is not None and event.call.startswith("connect"):
        yield Arrow(y, None, "connection", lost=True)
    for number in event.after if kind else ():
        start = row_of[number] if number < len(row_of) else -1
        cause = made.rows[start].event if 0 <= start < y else None
        if cause is not None and (made.rows[start].column, made.rows[start].line) != (made.rows[y].column, made.rows[y].line):
            if kind == "connection" or cause.call in _LAST:
                yield Arrow(start, y, kind)


def _datagrams(event: Event) -> bool:
    return event.end is not None and ("udp" in event.end.kind.lower() or "dgram" in event.end.kind.lower() or "datagram" in event.end.kind)
