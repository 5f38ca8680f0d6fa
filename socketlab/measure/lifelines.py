"""Draw the life of descriptors: the program's lines down the left, one column per number, a box where it is open.

A life in, a picture out; nothing here runs the program. The name in a box is its holder's. Boxes of one socket join
and share a colour, so that the eye sees what the kernel keeps, and the names what Python's objects hold.
"""

from typing import Any

from .descriptors import Life
from .plots import WIDTH, Picture, figure

_INK, _ERROR, _PALE = "#1c2127", "#9c3d00", "#5c646d"
_TINTS = ("#a9cfe8", "#f6c3a0", "#a3d8c6", "#e3bcd2", "#e5d3a0", "#ccd0d4")  # the style sheet's colours, paler
# Lengths along the x axis are in inches, on the paper between its margins.
_PAPER = WIDTH - 0.3
_CODE = 0.0725  # one character of the program
_LONGEST = 46  # characters of a line; what is longer is cut
_COLUMN = 0.9  # at most, so that one column does not become a wall
_SIZE = 9.5  # points


def draw_life(life: Life) -> Picture:
    """The picture of `life`. Its height depends on the number of steps alone."""
    rows, numbers = len(life.steps), life.numbers
    lines = [_cut(step.line, _LONGEST) for step in life.steps]
    left = max(map(len, lines)) * _CODE + 0.2
    wide = min(_COLUMN, (_PAPER - left) / max(len(numbers), 1))
    middle = {number: left + (i + 0.5) * wide for i, number in enumerate(numbers)}
    # A character is about 0.6 of the font's size wide.
    most = max([3, *(len(held.words) for step in life.steps for held in step.open)])
    size = min(_SIZE, max(6.0, wide * 0.9 * 72 / (0.6 * most)))
    fit = int(wide * 0.86 * 72 / (0.6 * size))
    look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": size, "color": _INK}

    picture = figure(height=round(0.95 + 0.27 * rows, 1))
    (ax,) = picture.axes
    for y, (step, line) in enumerate(zip(life.steps, lines, strict=True)):
        ax.text(0, y, line, va="center", family="DejaVu Sans Mono", fontsize=8.5, color=_INK)
        after = {held.number: held.behind for held in life.steps[y + 1].open} if y + 1 < rows else {}
        for held in step.open:
            x, tall = middle[held.number], 1.0 if after.get(held.number) == held.behind else 0.9
            tint = _TINTS[(held.behind - 1) % len(_TINTS)]
            ax.barh(y - 0.45, wide * 0.88, tall, left=x - wide * 0.44, color=tint, align="edge")
            ax.text(x, y, _cut(held.words, fit), fontstyle="normal" if held.holders else "italic", **look)
        if step.error:
            x = max((middle[held.number] + wide / 2 for held in step.open), default=left)
            fits = int((_PAPER - x) * 72 / (0.55 * 8.5))
            ax.text(x + 0.06, y, _cut(step.error, fits), va="center", fontsize=8.5, color=_ERROR)
    ax.set(xlim=(0, _PAPER), ylim=(rows - 0.45, -0.55), yticks=[])
    heads = [f"number {number}" if size == _SIZE else str(number) for number in numbers]
    ax.set_xticks(list(middle.values()), heads, fontsize=size, color=_INK)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(False)
    ax.set_facecolor("none")
    ax.spines[:].set_visible(False)
    ax.hlines([y + 0.5 for y in range(rows - 1)], 0, _PAPER, color="#dfe2de", linewidth=0.8, zorder=0)
    title = "Which numbers are open after each line, and who holds them"
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold", color=_INK)
    ax.set_xlabel("one colour: one socket in the kernel", loc="left", fontsize=_SIZE, color=_PALE)
    return picture


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: max(longest - 1, 0)] + "…"
