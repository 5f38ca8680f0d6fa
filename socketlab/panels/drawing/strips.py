"""Strips of small cells, one for each byte or datagram: they flow like words, so that any width of page will do.

A cell's colour never stands alone: a letter, a number or a mark is in it, and a legend says what that means. The
colours are Okabe and Ito's, each with black or white letters, whichever is easier to read on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

#: Grounds that can be told apart, on a light page and on a dark one, with the colour of letters on them.
INKS = {
    "#56b4e9": "#000", "#e69f00": "#000", "#009e73": "#000", "#cc79a7": "#000", "#f0e442": "#000", "#0072b2": "#fff",
    "#d55e00": "#000", "#8c8c8c": "#000",
}  # fmt: skip
SKY, ORANGE, GREEN, PURPLE, YELLOW, BLUE, VERMILION, GREY = INKS

STYLE = """<style>
.socketlab-panel .sl-strip { display: flex; flex-wrap: wrap; row-gap: 8px; margin: 4px 0 2px; line-height: 1; }
.socketlab-panel .sl-strip .sl-cell { display: inline-block; box-sizing: border-box; text-align: center;
  border-radius: 2px; font-family: var(--jp-code-font-family, monospace); white-space: nowrap; overflow: hidden; }
.socketlab-panel .sl-bytes { padding-right: 24px; }
.socketlab-panel .sl-bytes .sl-byte { width: 19px; }
.socketlab-panel .sl-bytes .sl-cell { display: block; height: 22px; font-size: 14px; line-height: 22px;
  border-radius: 0; }
.socketlab-panel .sl-bytes .sl-first { margin-left: 3px; border-radius: 4px 0 0 4px; }
.socketlab-panel .sl-bytes .sl-name { display: block; height: 16px; line-height: 16px; width: 0; margin-left: 3px;
  font-size: 11px; white-space: nowrap; overflow: visible; }
.socketlab-panel .sl-bytes .sl-void { border-bottom: 2px dotted var(--jp-border-color0, #8c8c8c); }
.socketlab-panel .sl-bytes .sl-gap { height: 4px; }
.socketlab-panel .sl-grams { gap: 3px; }
.socketlab-panel .sl-grams .sl-cell { width: 34px; height: 30px; padding-top: 3px; font-size: 11px; line-height: 12px;
  border-radius: 3px; }
.socketlab-panel .sl-grams .sl-cell b { display: block; color: inherit; font-size: 12px; line-height: 13px; }
.socketlab-panel .sl-legend { margin: 2px 0 4px; }
.socketlab-panel .sl-legend > span { display: inline-block; white-space: nowrap; margin: 1px 16px 1px 0; }
.socketlab-panel .sl-legend .sl-key { display: inline-block; min-width: 18px; text-align: center; border-radius: 3px;
  margin-right: 6px; padding: 0 2px; font-weight: 600; }
</style>"""


class Block(NamedTuple):
    """Bytes that went together: what one send sent, or one recv returned."""

    name: str  #: stands beside its first byte where there is room
    short: str  #: stands there where there is little
    colours: Sequence[str]  #: one for each byte


def ground(colour: str) -> str:
    """As the value of a style attribute: this ground, and letters that can be read on it."""
    return f"background:{colour};color:{INKS[colour]}"


def legend(keys: Iterable[tuple[str, str, str]]) -> str:
    """What the cells mean: for each kind its colour, its mark, and the words."""
    parts = [
        f'<span><span class="sl-key" style="{ground(colour)}">{escape(mark) or "&nbsp;"}</span>{escape(words)}</span>'
        for colour, mark, words in keys
    ]
    return f'<div class="sl-legend">{"".join(parts)}</div>'


def cells(items: Iterable[tuple[str, str, str, str]], spoken: str) -> str:
    """A strip of cells: for each its colour, its text, its mark below that, and what is said when one points at it."""
    parts = [
        f'<span class="sl-cell" style="{ground(colour)}" title="{escape(words)}">'
        f"{escape(text)}<b>{escape(mark)}</b></span>"
        for colour, text, mark, words in items
    ]
    return f'<div class="sl-strip sl-grams" role="img" aria-label="{escape(spoken)}">{"".join(parts)}</div>'


def two_rows(letters: Sequence[str], above: Sequence[Block], below: Sequence[Block], spoken: str) -> str:
    """The bytes of a stream in two rows, the blocks of one above those of the other, byte over byte.

    Where the blocks below end before the letters do, the rest of their row is empty.
    """
    up, down = _row(above), _row(below)
    columns = []
    for place, letter in enumerate(letters):
        name, top = up[place]
        lower_name, bottom = down[place] if place < len(down) else ("", "")
        columns.append(
            f'<span class="sl-byte" title="byte {place:,}"><span class="sl-name">{name}</span>{_cell(top, letter)}'
            f'<span class="sl-cell sl-gap"></span>{_cell(bottom, letter)}'
            f'<span class="sl-name">{lower_name}</span></span>'
        )
    return f'<div class="sl-strip sl-bytes" role="img" aria-label="{escape(spoken)}">{"".join(columns)}</div>'


_ROOM = 3  # bytes wide must a block be for its full name


def _row(blocks: Sequence[Block]) -> list[tuple[str, str]]:
    """For each byte: the name that begins there, or "", and what its cell's tag says."""
    found = []
    for block in blocks:
        for n, colour in enumerate(block.colours):
            name = "" if n else block.name if len(block.colours) >= _ROOM else block.short
            first = " sl-first" if not n else ""
            found.append((escape(name), f'class="sl-cell{first}" style="{ground(colour)}"'))
    return found


def _cell(tag: str, letter: str) -> str:
    return f"<span {tag}>{escape(letter)}</span>" if tag else '<span class="sl-cell sl-void"></span>'
