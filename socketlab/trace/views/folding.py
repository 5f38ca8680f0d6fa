"""Fold what repeats: 1,000 calls that are one exchange of four, 250 times over, become four rows and "250 ×".

A repetition is a *tandem repeat*: a block of rows that follows itself, at least `least` times. First single rows are
folded, then blocks, from left to right, at each place the shortest that repeats, and then once more among what came of
that, so that "send, three recvs" a hundred times over becomes a fold within a fold. (Finding all repetitions of a word
is a classic of the theory of strings: Main and Lorentz, Journal of Algorithms 5, 1984. A reader needs only one way of
folding, so greedy will do.)

Two rows are the same when their keys are equal; what makes a key is the caller's choice, and so the text, the picture
and the table fold alike by asking for like keys. *Loose* folding overlooks how often a row came in a row: "send, two
recvs, send, three recvs" is twice a send and two to three recvs, which is what bulk traffic looks like.

Each key becomes one character of a string, because a regular expression with a back reference is a search for tandem
repeats that runs in C. A character can stand for 1,114,112 keys; where there are more, nothing is folded.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["LONGEST", "Fold", "fold"]

T = TypeVar("T")

#: Rows of a block that repeats, at most: an exchange of more has to be read row by row anyway.
LONGEST = 48


@dataclass(frozen=True)
class Fold:
    """Rows that are shown as one (`parts` is empty), or a block of such that is repeated (`parts` is the block).

    `rows` are the indices of all rows that it stands for, ascending: the first is the one to show. It comes `low` to
    `high` times in a row, each time it is met; the two differ in loose folding only.
    """

    rows: tuple[int, ...]
    parts: tuple[Fold, ...] = ()
    low: int = 1
    high: int = 1

    @property
    def lines(self) -> int:
        """How many lines it takes to show it, one for each row of the block."""
        return sum(part.lines for part in self.parts) if self.parts else 1

    @property
    def times(self) -> str:
        """How often, in figures: "250", "2–5"; "" for once."""
        if self.low == self.high:
            return "" if self.low == 1 else f"{self.low:,}"
        return f"{self.low:,}–{self.high:,}"

    def leaves(self) -> Iterator[Fold]:
        """The rows to show, in order, each with the indices that it stands for."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


def fold(
    rows: Sequence[T], key: Callable[[T], Hashable] | None = None, *, least: int = 3, loose: bool = False
) -> list[Fold]:
    """The rows with their repetitions folded, in order: every index stands in exactly one leaf.

    `key` tells which rows are the same (None: the rows themselves); `least` is how often something must come in a row
    to be folded. Takes time in proportion to the number of rows, apart from rows that nearly repeat.

    Raises ValueError for least < 2.
    """
    if least < 2:
        raise ValueError(f"fold wanted least to be 2 or more, but got {least!r}: once is no repetition")
    folds = [Fold((i,)) for i in range(len(rows))]
    keys: list[Hashable] = list(rows) if key is None else [key(row) for row in rows]
    # First what comes several times in a row: "3 × recv" within a block reads better than three rows of it.
    folds, keys = _pass(folds, keys, 2 if loose else least, 1, loose)
    for _ in range(4):  # deeper nesting than this helps nobody
        before = len(folds)
        folds, keys = _pass(folds, keys, least, LONGEST, loose)
        if len(folds) == before:
            break
    return folds


def _pass(
    folds: list[Fold], keys: list[Hashable], least: int, longest: int, loose: bool
) -> tuple[list[Fold], list[Hashable]]:
    """Fold once: the new folds and their keys."""
    after: list[Fold] = []
    keys_after: list[Hashable] = []
    end = 0
    for start, period, times in _repeats(keys, least, longest):
        after += folds[end:start]
        keys_after += keys[end:start]
        end = start + period * times
        block = tuple(_merged(folds[start + i : end : period]) for i in range(period))
        if period == 1 and block[0].low == block[0].high == 1:
            folded = Fold(block[0].rows, (), times, times)
        else:
            folded = Fold(tuple(sorted(i for part in block for i in part.rows)), block, times, times)
        after.append(folded)
        one = tuple(keys[start : start + period])
        # In loose folding a row met once, or ten times in a row, has the same key.
        keys_after.append((one[0] if period == 1 else one) if loose else (Fold, times, one))
    return after + folds[end:], keys_after + keys[end:]


def _merged(folds: list[Fold]) -> Fold:
    """One for all: what came in each round of a repetition at the same place."""
    first = folds[0]
    parts = tuple(_merged([fold.parts[i] for fold in folds]) for i in range(len(first.parts)))
    rows = tuple(i for fold in folds for i in fold.rows)
    return Fold(rows, parts, min(fold.low for fold in folds), max(fold.high for fold in folds))


def _repeats(keys: list[Hashable], least: int, longest: int) -> Iterator[tuple[int, int, int]]:
    """Where something repeats, from left to right, without overlap: start, rows of one round, rounds."""
    codes: dict[Hashable, int] = {}
    numbers = [codes.setdefault(key, len(codes)) for key in keys]
    if len(codes) > sys.maxunicode + 1:
        return
    text = "".join(map(chr, numbers))
    pattern = re.compile(rf"(.{{1,{longest}}}?)\1{{{least - 1}}}", re.DOTALL)
    near = _near(numbers, longest)
    at = 0
    while (at := near.find(1, at)) >= 0:
        found = pattern.match(text, at)
        if found is None:
            at += 1
            continue
        block = found[1]
        period, end = len(block), found.end()
        while text.startswith(block, end):
            end += period
        yield at, period, (end - at) // period
        at = end


def _near(numbers: list[int], longest: int) -> bytearray:
    """For each place 1 where its number comes again within `longest` places, so that a block may begin there."""
    near = bytearray(len(numbers))
    last: dict[int, int] = {}
    for place, number in enumerate(numbers):
        before = last.get(number)
        if before is not None and place - before <= longest:
            near[before] = 1
        last[number] = place
    return near
