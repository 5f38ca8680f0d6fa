"""Where the bars and labels of `plots.lanes` go.

The y axis counts points (1/72 in) from the top. A lane is a bar with rows of labels above it. A label begins at its
bar's start, and a thin line leads from there down to the bar. Labels are placed from the last call to the first: a
label then needs to be higher than every label that begins under it, and no line can cross a label. Where that takes
more rows than there are, the label is joined to the next one, so that a burst of calls reads "bind() … accept() (5)".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from .spans import Span

_ROWS = 3
_ROW, _BAR, _GAP = 13.0, 15.0, 10.0  # heights in points
_FONT = {"fontsize": 8.5, "family": "DejaVu Sans Mono"}
_AROUND = 70.0  # title, ticks and the line with unit and legend below, in points


@dataclass
class _Label:
    """One or several calls that share a label; `x` in seconds, `width` in pixels."""

    calls: list[str]
    x: float
    width: float = 0.0
    row: int = 0
    text: Any = field(default=None, repr=False)

    @property
    def words(self) -> str:
        if len(self.calls) <= 2:
            return ", ".join(self.calls)
        return f"{self.calls[0]} … {self.calls[-1]} ({len(self.calls)} calls)"


def height(spans: Sequence[Span]) -> float:
    """Inches for these lanes; depends on the numbers of lanes and calls only, so that a figure's size is constant."""
    points = _AROUND + sum(_lane_height(calls) for calls in _lanes(spans).values())
    return math.ceil(points / 7.2) / 10  # tenths of an inch: whole pixels in the figure's repr


def draw(ax: Axes, spans: Sequence[Span], colors: Sequence[str]) -> None:
    """Draw the lanes on `ax`, each in its colour; the x axis gets seconds since the first span."""
    by_lane = _lanes(spans)
    origin = min(span.start for span in spans)
    total = sum(_lane_height(calls) for calls in by_lane.values())
    ax.set_ylim(total, 0)
    ax.set_yticks(_middles(by_lane), list(by_lane))
    ax.tick_params(axis="y", length=0, labelsize=10, labelcolor="#1c2127")
    ax.grid(False, axis="y")

    labels = {name: [_Label([s.label], s.start - origin) for s in calls] for name, calls in by_lane.items()}
    for line in labels.values():
        for label in line:
            _write(ax, label)
    assert ax.figure is not None
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]  # lays the axes out, so that pixels are known
    pixels = ax.get_window_extent().width - 4
    end = max(span.end for span in spans) - origin or 1e-9
    # As much time on the axis as lets the last label end inside it.
    every = [label for line in labels.values() for label in line]
    scale = min([pixels / end, *((pixels - b.width) / b.x for b in every if b.x > 0 and b.width < pixels * 0.6)])
    ax.set_xlim(0, (pixels + 4) / scale)

    top = 0.0
    for (name, calls), color in zip(by_lane.items(), colors, strict=True):
        bottom = top + _lane_height(calls) - _GAP / 2
        y = bottom - _BAR
        for call in calls:
            bar(ax, call, origin, y, color)
        for label in _arrange(ax, labels[name], scale, min(_ROWS, len(calls))):
            text_y = y - 2 - label.row * _ROW
            ax.vlines(label.x, text_y - _ROW * 0.75, y, color="#6b737c", linewidth=0.8, zorder=1.5)
            label.text.set(position=(label.x + 3 / scale, text_y - 1.5))
        top += _lane_height(calls)


def bar(ax: Axes, call: Span, origin: float, y: float, color: str) -> None:
    """The bar of `call`, in two parts, blocked and working, `y` points from the top; times count from `origin` seconds.

    The dark edge parts neighbours and shows calls that are shorter than a pixel.
    """
    start, blocked = call.start - origin, call.blocked
    pale = tuple(1 - (1 - part) * 0.25 for part in to_rgb(color))
    dark = tuple(part * 0.55 for part in to_rgb(color))
    if blocked > 0:
        ax.broken_barh([(start, blocked)], (y, _BAR), facecolor=pale, edgecolor=dark, hatch="////", linewidth=0.8)
    if blocked < call.duration or not call.duration:
        ax.broken_barh(
            [(start + blocked, call.duration - blocked)], (y, _BAR), facecolor=color, edgecolor=dark, linewidth=0.8
        )


def _arrange(ax: Axes, labels: list[_Label], scale: float, rows: int) -> list[_Label]:
    """Give each label its row, joining neighbours where there are too few; from the last call to the first."""
    placed: list[_Label] = []  # by x, ascending
    for label in reversed(labels):
        while True:
            reach = label.x * scale + label.width + 8
            label.row = max((other.row + 1 for other in placed if other.x * scale < reach), default=0)
            if label.row < rows or not placed:
                break
            follower = placed.pop(0)
            follower.text.remove()
            label.calls += follower.calls
            _write(ax, label)
        placed.insert(0, label)
    return placed


def _write(ax: Axes, label: _Label) -> None:
    """(Re)make the label's text, and measure it."""
    if label.text is not None:
        label.text.remove()
    label.text = ax.text(0, 0, label.words, va="bottom", ha="left", color="#1c2127", zorder=3, **_FONT)  # type: ignore[arg-type]
    label.width = math.ceil(label.text.get_window_extent().width) + 4


def _lanes(spans: Sequence[Span]) -> dict[str, list[Span]]:
    lanes: dict[str, list[Span]] = {}
    for span in spans:
        lanes.setdefault(span.lane, []).append(span)
    return {name: sorted(calls, key=lambda span: span.start) for name, calls in lanes.items()}


def _lane_height(calls: Sequence[Span]) -> float:
    return min(_ROWS, len(calls)) * _ROW + _BAR + _GAP


def _middles(by_lane: dict[str, list[Span]]) -> list[float]:
    """The y of each bar's middle, where the lane's name stands."""
    middles, top = [], 0.0
    for calls in by_lane.values():
        top += _lane_height(calls)
        middles.append(top - _GAP / 2 - _BAR / 2)
    return middles
