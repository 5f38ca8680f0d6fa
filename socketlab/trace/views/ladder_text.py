"""The ladder as text: both ends side by side, an arrow for what went from one to the other, one row after another.

    client                       tcp                         server
    ────────────────────────────────────────────────────────────────────────────────────
    connect() ─────────────────────────────────────────────► accept() → <server>
    sendall(b'hello') ───────── 5 bytes ───────────────────► recv(100) → b'hello'

It is what a notebook stores and what its validation compares, so it is made of what is the same on each run: order,
calls, names of ends, bytes; never of times, addresses or descriptors. It is meant to be read without a legend:

* A call and its consequence at the other end share a row where one directly follows the other. Where they do not, the
  bytes get a letter: "A: 11 bytes" on their way out, "first 5 bytes of A" where they arrive.
* Who called and was let in (listened, accepted) stands on the right. Where several ends share a side, each row says
  whose call it is.
* A faulty link is named in the heading, and what it did by itself ("reset by the link"); its own calls are not shown.
* Up to `lines` rows are shown as they are, except that the very same row four times or more is shown once, with its
  number. A longer trace is folded, as little as is needed: first what repeats but for its payload, then what repeats
  but for how often, then what many ends do one like the other. What is still too long loses its middle, and says so.

Signs are those that every monospaced font has (Windows Glyph List 4), so that columns stay columns.
"""

from __future__ import annotations

import gc
from collections.abc import Hashable, Iterable, Sequence
from textwrap import fill

from ..events import OUT, Event
from .folding import Fold, fold
from .ladder_plan import role, shown_calls
from .rows import BYTES, Row, Traffic, absorbed, ended, rows
from .text_page import Page
from .text_sides import Sides

WIDTH = 100
LINES = 40

NOTHING = (
    "Nothing was recorded: no socket call came back while the trace was open. "
    "Put the calls between its opening and its closing."
)


def ladder_text(events: Sequence[Event], *, width: int = WIDTH, lines: int = LINES) -> str:
    """The ladder of `events` in lines of at most `width` characters; more than `lines` rows are folded (see above).

    Raises ValueError for width < 60 or lines < 10: no two columns fit, no beginning and end.
    """
    if width < 60 or lines < 10:
        raise ValueError(f"ladder_text wanted width >= 60 and lines >= 10, but got {width!r} and {lines!r}")
    # A million calls become several million objects, none of them garbage: looking for some takes as long.
    collects = gc.isenabled()
    gc.disable()
    try:
        return _text(list(events), width, lines)  # a trace makes its events anew each time that they are asked for
    finally:
        if collects:
            gc.enable()


def _text(events: list[Event], width: int, lines: int) -> str:
    calls = shown_calls(events)
    if not calls:
        return fill(_nothing(events), width)
    calls = absorbed(events, calls)
    traffic = Traffic(events, calls)
    sides = Sides(calls, traffic)
    made = rows(calls, traffic)
    made = [row for pair in made for row in sides.on_one_row(pair)]
    made, blocks = _folded(made, traffic, lines)
    page = Page(made, traffic, sides, width)
    return "\n".join(line.rstrip() for line in page.lay_out(*_cut(blocks, lines)))


def _nothing(events: Sequence[Event]) -> str:
    if not events:
        return NOTHING
    count = f"{len(events):,} calls were" if len(events) > 1 else "1 call was"
    return f"{count} recorded, but none that changes anything at the other end: looks, or socketlab's own housekeeping."


# -- folding and shortening ------------------------------------------------------------------------------------------


def _folded(paired: list[Row], traffic: Traffic, lines: int) -> tuple[list[Row], list[Fold]]:
    """The rows with the least folding that gets them into `lines`; where none does, with the one that goes furthest."""
    apart = [one for row in paired for one in (map(Row, row.calls) if row.tie == BYTES else [row])]
    best: tuple[list[Row], list[Fold]] = [], []
    for level, loose, least, made in (
        (0, False, 4, paired),
        (1, False, 3, paired),
        (1, True, 3, paired),
        (2, False, 3, paired),
        (2, True, 3, paired),
        (1, True, 3, apart),  # of bulk traffic some of it arrives as it was sent, and that would hide the pattern
        (2, True, 3, apart),
    ):
        if level == 0 and len(paired) > 50 * lines:  # a long trace is never short enough at once
            continue
        blocks = fold([_sameness(row, traffic, level) for row in made], least=least, loose=loose)
        if not best[1] or _lines(blocks) < _lines(best[1]):
            best = made, blocks
        if _lines(best[1]) <= lines:
            break
    return best


def _lines(blocks: Iterable[Fold]) -> int:
    return sum(block.lines for block in blocks)


def _sameness(row: Row, traffic: Traffic, level: int) -> Hashable:
    """What rows must share to be folded: 0 all that is shown of them, 1 not the payload, 2 not which of many ends."""
    key: list[Hashable] = [row.tie]
    for event in row.calls:
        name = event.end.name if event.end is not None else ""
        shares = traffic.got.get(event.number, ())
        key += (
            event.call,
            event.asked,
            event.failure and str(event.failure),
            event.size == 0,
            event.peek,
            bool(shares),
        )
        key += (event.direction == OUT and event.number in traffic.took, ended(event), event.by_link, event.layer)
        if level == 0:
            key += (event.data, event.size, event.result, tuple((s.start, s.stop) for s in shares))
        key.append(name if level < 2 else role(name))
    return tuple(key)


def _cut(blocks: list[Fold], lines: int) -> tuple[list[Fold], list[Fold], list[Fold]]:
    """The beginning, what is left out, and the end."""
    if _lines(blocks) <= lines:
        return blocks, [], []
    head = _fitting(blocks, lines * 2 // 3)
    tail = _fitting(blocks[: head - 1 if head else None : -1], lines - lines * 2 // 3 - 1)
    return blocks[:head], blocks[head : len(blocks) - tail], blocks[len(blocks) - tail :]


def _fitting(blocks: Iterable[Fold], lines: int) -> int:
    """How many of the blocks fit into so many lines, at least one."""
    count = 0
    for block in blocks:
        lines -= block.lines
        if lines < 0 and count:
            break
        count += 1
    return count
