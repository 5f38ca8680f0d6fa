"""The paper of a ladder: text that takes its place, arrows, bars, marks. All lengths are points from the top left.

Nothing here knows what a socket is. Text is measured before it is placed, and what is placed takes room, so that what
comes later can look for a place that is free.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .ladder_words import SANS, width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, FADED, ERROR, GREY, CARD = "#1c2127", "#4a525b", "#a61b1b", "#6b737c", "#fdfdfb"
GHOST = {"boxstyle": "square,pad=0.1", "fc": CARD, "ec": "none"}
_BAR = 9.0
CROSS = 4.5  # from the middle of the cross of what was lost to its tips

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """Paper that is taken."""

    x0: float
    y0: float
    x1: float
    y1: float

    def meets(self, other: Box) -> bool:
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1


@dataclass(frozen=True)
class Path:
    """An arrow's way over the paper."""

    a: Point
    b: Point

    def spots(self, long: float, row: float, tail: float = 12, tip: float = 12) -> Iterable[Point]:
        """Places on it for words that are `long`, best first: half a row from one of its ends, then the middle.

        At least `tail` of it stays in sight where it begins, and `tip` where it ends.
        """
        (x0, y0), (x1, y1) = self.a, self.b
        whole = abs(x1 - x0)
        if long > whole - tail - tip or not whole:
            return
        rows = max(abs(y1 - y0) / row, 1)
        shares = [0.5, 0.42, 0.58, 0.54, 0.62, 0.35, 0.66, 0.7, 0.28, 0.74, 0.2, 0.8]
        if rows > 1.5:
            shares = [1 - 0.5 / rows, 0.5 / rows, *shares]
        low, high = (tail + long / 2) / whole, 1 - (tip + long / 2) / whole
        for share in dict.fromkeys(min(max(share, low), high) for share in shares):
            yield x0 + (x1 - x0) * share, y0 + (y1 - y0) * share

    def shortened(self, share: float) -> Path:
        """The first part of it."""
        (x0, y0), (x1, y1) = self.a, self.b
        return Path(self.a, (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share))

    def meets(self, other: Path) -> bool:
        """Whether the two have a point in common, other than where both begin or both end."""
        if self.a == other.a or self.b == other.b:
            return False

        def side(path: Path, point: Point) -> float:
            (x0, y0), (x1, y1), (x, y) = path.a, path.b, point
            return (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)

        apart = side(self, other.a) * side(self, other.b) > 0
        return not apart and side(other, self.a) * side(other, self.b) <= 0

    def crosses(self, box: Box) -> bool:
        """Whether it runs through `box` (Liang and Barsky's clipping)."""
        (x0, y0), (x1, y1) = self.a, self.b
        enters, leaves = 0.0, 1.0
        for d, low, high in ((x1 - x0, box.x0 - x0, box.x1 - x0), (y1 - y0, box.y0 - y0, box.y1 - y0)):
            if d == 0:
                if low > 0 or high < 0:
                    return False
                continue
            near, far = sorted((low / d, high / d))
            enters, leaves = max(enters, near), min(leaves, far)
        return enters < leaves


class Paper:
    """Axes whose data are points, and the room on them that is taken by text."""

    def __init__(self, ax: Axes) -> None:
        self.ax = ax
        self.taken: list[Box] = []

    def is_free(self, box: Box) -> bool:
        """Whether no text stands there."""
        return not any(box.meets(other) for other in self.taken)

    def text(self, x: float, y: float, words: str, font: str = SANS, size: float = 7.5, **look: Any) -> None:
        """Write `words` at a place that is free, and take it."""
        look = {"color": INK, "va": "center", "zorder": 5, **look}
        self.ax.text(x, y, words, family=font, fontsize=size, parse_math=False, **look)
        long = width(words, font, size, look.get("fontweight", "normal"))
        left = x - {"left": 0.0, "center": 0.5, "right": 1.0}[look.get("ha", "left")] * long
        self.taken.append(Box(left, y - size * 0.68, left + long, y + size * 0.68))

    def arrow(
        self,
        a: Point,
        b: Point,
        rims: Point,
        color: str,
        style: Any,
        gid: str,
        hollow: bool = False,
        lost: bool = False,
    ) -> None:
        """From `a` to `b`, less the `rims` of the marks there; with a head, or a cross where it leads nowhere."""
        (x0, y0), (x1, y1) = a, b
        long = math.hypot(x1 - x0, y1 - y0) or 1.0
        ux, uy = (x1 - x0) / long, (y1 - y0) / long
        x0, y0, x1, y1 = x0 + ux * rims[0], y0 + uy * rims[0], x1 - ux * rims[1], y1 - uy * rims[1]
        head = 0.0 if lost else 9.0
        self.ax.plot(
            [x0, x1 - ux * head * 0.8], [y0, y1 - uy * head * 0.8], color=color, linewidth=1.4,
            linestyle=style, zorder=3, gid=gid, solid_capstyle="butt",
        )  # fmt: skip
        if lost:
            look: dict[str, Any] = {"markeredgewidth": 2, "color": ERROR, "linestyle": "", "zorder": 4}
            self.ax.plot([x1], [y1], marker="x", markersize=7, gid="lost", **look)
            return
        bx, by, half = x1 - ux * head, y1 - uy * head, 3.6
        self.ax.fill(
            [x1, bx - uy * half, bx + uy * half], [y1, by + ux * half, by - ux * half], edgecolor=color, linewidth=1.1,
            facecolor=CARD if hollow else color, zorder=3.5, joinstyle="miter", linestyle="-", gid="head",
        )  # fmt: skip

    def bar(self, x: float, top: float, bottom: float, color: str) -> None:
        """A hatched bar on a line."""
        from matplotlib.colors import to_rgb
        from matplotlib.patches import FancyBboxPatch

        pale = tuple(1 - (1 - part) * 0.22 for part in to_rgb(color))
        bar = FancyBboxPatch(
            (x - _BAR / 2, top), _BAR, bottom - top, boxstyle="round,pad=0,rounding_size=2.5", facecolor=pale,
            edgecolor=color, linewidth=0.8, hatch="//////", zorder=2, gid="wait",
        )  # fmt: skip
        self.ax.add_patch(bar)

    def lock(self, x: float, y: float) -> None:
        """A padlock: these bytes are plaintext here, and travel encrypted."""
        from matplotlib.path import Path as Outline

        arc: Any = Outline.arc(0, 180)
        rim = [*(arc.vertices * (0.62, 0.8)), *(arc.vertices[::-1] * (0.36, 0.5))]
        ring = Outline(rim, [*arc.codes, Outline.LINETO, *arc.codes[1:]])
        body = Outline([(-0.95, 0.05), (0.95, 0.05), (0.95, -1.25), (-0.95, -1.25), (-0.95, 0.05)], closed=True)
        self.ax.plot(
            [x], [y], marker=Outline.make_compound_path(body, ring), markersize=8.5, color="#7a4b00", linestyle="",
            zorder=6, markeredgewidth=0, gid="tls",
        )  # fmt: skip

    def mark(self, x: float, y: float, marker: str, size: float, face: str, edge: str) -> None:
        """A mark on a line."""
        self.ax.plot(
            [x], [y], marker=marker, markersize=size, markerfacecolor=face, markeredgecolor=edge,
            markeredgewidth=0.9, linestyle="", zorder=4, gid="call",
        )  # fmt: skip
