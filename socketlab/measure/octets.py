"""The byte grid: rows of bytes, a cell each, and under them the numbers that somebody reads in them.

What a row of bytes means depends on who reads it. So each row has a `struct` format of its own, and the same bytes may
stand in several rows. `fields` finds where each field lies by asking `struct` itself, which also tells the bytes that
belong to none: a native format (no prefix, or ``@``) puts padding where the machine's C compiler would
(https://docs.python.org/3/library/struct.html#byte-order-size-and-alignment).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .plots import Picture, figure, style

MOST = 24  #: bytes in a row: more cannot be told apart on a page
_CELL, _ROW = 1.0, 2.5  # units of the picture: a byte is one wide, a row with its numbers two and a half high
_FILL = ("#cfe3f2", "#f9dcc4", "#cdeadf", "#ead3e2", "#efe3c0", "#e3e6e8")  # pale, in the order of the style's lines
_EDGE = ("#0072B2", "#D55E00", "#007D5C", "#A8507F", "#9A6700", "#1C2127")


class Field(NamedTuple):
    """One value in a row of bytes: the bytes from `start` to `end`, and what they are read as."""

    start: int
    end: int
    value: Any


class Row(NamedTuple):
    """A row of the grid: whose bytes, the bytes, and the `struct` format in which somebody reads them."""

    label: str
    data: bytes
    format: str = ""


def fields(data: bytes, format: str) -> tuple[Field, ...]:
    """The values of `format` in `data`, in order, without padding. Raises struct.error where the sizes differ."""
    prefix, rest = (format[0], format[1:]) if format[:1] in ("@", "=", "<", ">", "!") else ("@", format)
    values = iter(struct.unpack(prefix + rest, data))
    return tuple(Field(start, end, next(values)) for start, end in _places(prefix, rest))


def _places(prefix: str, rest: str) -> Iterator[tuple[int, int]]:
    before = prefix
    for count, code in re.findall(r"(\d*)([a-zA-Z?])", rest):
        if code in "sp":  # the number is a length, and the field is one
            before += count + code
            yield struct.calcsize(before) - int(count or 1), struct.calcsize(before)
            continue
        for _ in range(int(count or 1)):
            before += code
            if code != "x":  # ends where it ends; what lies before its start and after the last one's end is padding
                yield struct.calcsize(before) - struct.calcsize(prefix + code), struct.calcsize(before)


def byte_grid(*rows: Row | Sequence[Any], names: Sequence[str] = (), title: str = "") -> Picture:
    """A cell for each byte, in hexadecimal, row under row; under each field its name and what it is read as.

    A row is `(label, data, format)`, or `(label, data)` for bytes that nobody reads: see `Row`. `names` are those of
    the fields, the same in all rows. Bytes of no field are hatched. Nothing is drawn to a scale but the bytes, so that
    the picture depends on them alone. Raises ValueError without rows or for a row of more than 24 bytes, struct.error
    where a format has another size than its bytes.
    """
    grid = [Row(*row) for row in rows]
    if not grid:
        raise ValueError("byte_grid wanted at least one row of bytes, but got none")
    longest = max(len(row.data) for row in grid)
    if longest > MOST:
        raise ValueError(f"byte_grid wanted at most {MOST} bytes in a row, but one has {longest}: show a part of it")
    picture = figure(height=0.55 + 0.72 * len(grid))
    (ax,) = picture.axes
    with style():
        for number, row in enumerate(grid):
            _draw(ax, -number * _ROW, row, names)
        ax.set_xlim(-0.1, max(longest, 8) + 0.1)
        ax.set_ylim(-(len(grid) - 1) * _ROW - 1.35, 1.15)
        ax.set_yticks([0.5 - number * _ROW for number in range(len(grid))], [row.label for row in grid])
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.grid(False)
        for spine in ax.spines.values():
            spine.set_visible(False)
        ax.set_title(title)
    return picture


def _draw(ax: Any, bottom: float, row: Row, names: Sequence[str]) -> None:
    from matplotlib.patches import Rectangle

    found = fields(row.data, row.format) if row.format else ()
    owner = {at: number for number, field in enumerate(found) for at in range(field.start, field.end)}
    for at, byte in enumerate(row.data):
        fill = _FILL[owner[at] % len(_FILL)] if at in owner else "#fdfdfb"
        hatch = "////" if row.format and at not in owner else None
        cell = Rectangle((at, bottom), _CELL, 1, facecolor=fill, edgecolor="#6b737c", linewidth=0.8, hatch=hatch)
        ax.add_patch(cell)
        ax.text(
            at + 0.5, bottom + 0.5, f"{byte:02x}", ha="center", va="center", family="DejaVu Sans Mono", fontsize=11,
            color="#1c2127", bbox={"fc": fill, "ec": "none", "pad": 0.5} if hatch else None,
        )  # fmt: skip
    for number, field in enumerate(found):
        colour = _EDGE[number % len(_EDGE)]
        ax.plot([field.start + 0.08, field.end - 0.08], [bottom - 0.16] * 2, color=colour, linewidth=2.4, linestyle="-")
        words = f"{field.value:,}" if isinstance(field.value, int) else str(field.value)
        name = names[number] if number < len(names) else ""
        middle = (field.start + field.end) / 2
        ax.text(middle, bottom - 0.3, "\n".join(filter(None, (name, words))), ha="center", va="top", fontsize=9)
