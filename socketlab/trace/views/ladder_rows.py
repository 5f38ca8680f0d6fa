"""Which calls of a long trace get a row of the ladder: what repeats is folded, and of the rest the middle is left out.

No more is folded than it takes to make the rows fit: first only what is the same to the byte, then what differs in its
payload, at last what many ends did one like the other.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..events import Event
from .folding import Fold, fold
from .ladder_plan import Plan, role

#: Calls in a row that are missing, from which on the picture says so: fewer may just be calls that are never shown.
_GAP = 1000


def rows(calls: list[Event], most: int, row_of: list[int], made: Plan) -> list[Event | int]:
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


@contextmanager
def without_collections(size: int) -> Iterator[None]:
    """Spare the garbage collector a million events, which it would look at again and again: no cycles are made here."""
    pause = size > 20_000 and gc.isenabled()
    if pause:
        gc.disable()
    try:
        yield
    finally:
        if pause:
            gc.enable()
