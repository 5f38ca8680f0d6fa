"""What drawings of experiments share: one pair of axes, bytes with their units, and a legend above them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..measure.plots import HATCHES, HEIGHT, LOG_FROM, sheet
from ..measure.timing import bytes_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..measure.plots import Picture

MOST = len(HATCHES)  # series that can be told apart


def one_axes(results: Sequence[object], name: str, ax: Axes | None, rows: int = 0) -> tuple[Picture | None, Axes]:
    """`ax`, or the axes of a new picture with room for a legend of `rows`, by default one for each result.

    Raises ValueError without results and for more than six.
    """
    if not 1 <= len(results) <= MOST:
        raise ValueError(f"{name} wanted 1 to {MOST} results, but got {len(results)}")
    return sheet(ax, HEIGHT + 0.19 * ((rows or len(results)) - 1))


def legend_above(ax: Axes, rows: int, title: str) -> None:
    """The legend between title and axes, where no line can run through it, as `plots.distribution` has it."""
    legend = ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, labelspacing=0.25, handletextpad=0.6)
    legend.set_in_layout(False)
    ax.set_title(title, pad=10 + 13.5 * rows)


def bytes_axis(ax: Axes, values: Iterable[float], label: str, *, per: str = "", across: bool = False) -> None:
    """Bytes with their units at the ticks, which are powers of two; logarithmic where the values ask for it."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MultipleLocator, NullFormatter, NullLocator

    axis: Any = ax.xaxis if across else ax.yaxis
    some = [value for value in values if value > 0] or [1.0]
    if max(some) / min(some) >= LOG_FROM:
        (ax.set_xscale if across else ax.set_yscale)("log", base=2)
        axis.set_major_locator(LogLocator(2, numticks=8))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MultipleLocator(2 ** max(0, math.ceil(math.log2(max(some) / 6)))))
        (ax.set_xlim if across else ax.set_ylim)(0, max(some) * 1.08)
    axis.set_major_formatter(FuncFormatter(lambda value, _: bytes_text(value) + per))
    axis.set_label_text(label)
