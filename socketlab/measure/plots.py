"""Draw what was measured: samples in, a picture out. Nothing here measures or waits.

Pictures are `Picture` objects, figures made without pyplot. So pyplot does not know of them: none stays open, nothing
is drawn a second time at the end of a cell, and no global setting changes. A picture shows where a cell ends with
it; `picture = distribution(...)` shows nothing until a later line says `picture`. Given `ax`, a function draws
there and returns that Axes: make them with `figure(columns=2)` and end the cell with the figure.

The x values of every artist are seconds; only the labels on the axes choose a unit.
"""

import math
import os
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from itertools import cycle, islice
from typing import Any, overload

from ..interrupts import Uninterrupted
from .spans import Span
from .timing import Timing, seconds_text

with Uninterrupted():  # numpy and matplotlib cannot be imported again once they are half imported
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

WIDTH, HEIGHT = 7.5, 3.0  # inches at 100 dpi: 750 pixels fit the output area of JupyterLab and of GitHub
#: Largest / smallest value from which a linear axis would squeeze the bulk into a twentieth.
LOG_FROM = 20
#: By which areas are told apart without colours; more series than these are not.
HATCHES = ("", "////", "....", "xxxx", "----", "oo")


#: In a stored picture: a dozen of the style's, and the shades between them at the edges of letters and lines.
COLOURS = 128


class Picture(Figure):
    """A figure in the course's style, which shows itself at the end of a cell, once, at a constant size."""

    def draw(self, renderer: Any) -> None:
        with style():  # ticks are made while drawing, and take their colours from the settings of that moment
            super().draw(renderer)

    def png(self, scale: float = 2.0) -> bytes:
        """The picture as PNG, `scale` pixels for each of its own (2: sharp on dense screens)."""
        out = BytesIO()
        with style():
            self.savefig(out, format="png", dpi=self.dpi * scale, metadata={"Software": None})
        return _with_few_colours(out)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[Any, Any]:
        width, height = (round(inches * self.dpi) for inches in self.get_size_inches())
        data = {"image/png": b64encode(self.png()).decode(), "text/plain": repr(self)}
        return data, {"image/png": {"width": width, "height": height}}


def _with_few_colours(png: BytesIO) -> bytes:
    """The same picture with a palette: a third of the size, in notebooks that store dozens of them."""
    from PIL import Image  # comes with matplotlib

    small = BytesIO()
    with Image.open(png) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()


def figure(rows: int = 1, columns: int = 1, *, height: float = HEIGHT, **subplots: Any) -> Picture:
    """An empty picture, 7.5 in wide and `height` in high, with rows x columns axes in `.axes` (see `subplots`)."""
    with style():
        picture = Picture(figsize=(WIDTH, height))
        FigureCanvasAgg(picture)
        picture.subplots(rows, columns, **subplots)
    return picture


def sheet(ax: Axes | None, height: float = HEIGHT) -> tuple[Picture | None, Axes]:
    """Where a function draws that may have been given `ax`: no picture and `ax`, or a new picture and its only axes."""
    if ax is not None:
        return None, ax
    picture = figure(height=height)
    return picture, picture.axes[0]


@overload
def distribution(
    *timings: Timing, kind: str = "ecdf", title: str = "", xlabel: str = "", ax: None = None
) -> Picture: ...
@overload
def distribution(*timings: Timing, kind: str = "ecdf", title: str = "", xlabel: str = "", ax: Axes) -> Axes: ...
def distribution(
    *timings: Timing, kind: str = "ecdf", title: str = "", xlabel: str = "", ax: Axes | None = None
) -> Picture | Axes:
    """How the samples of each timing are spread, with p50 and p99 marked and named.

    `kind` "ecdf": the share of calls that took at most so long; "histogram": how many took about so long. The time
    axis is logarithmic where the largest sample is 20 times the smallest or more. The title should state what is
    to be seen. Raises ValueError without timings, for another kind, or for more than six timings (too many to tell
    apart: draw two pictures).
    """
    if not 1 <= len(timings) <= len(HATCHES):
        raise ValueError(f"distribution wanted 1 to {len(HATCHES)} timings, but got {len(timings)}")
    if kind not in ("ecdf", "histogram"):
        raise ValueError(f"distribution wanted kind 'ecdf' or 'histogram', but got {kind!r}")
    picture, ax = sheet(ax, HEIGHT + 0.19 * (len(timings) - 1))
    with style():
        low, high = min(t.min for t in timings), max(t.max for t in timings)
        log = low > 0 and high / low >= LOG_FROM
        wide = _width(ax) > 5
        (_ecdf if kind == "ecdf" else _histogram)(ax, timings, low, high, log, wide)
        time_axis(ax, low, high, log, xlabel or "time of one call")
        # The rows of the legend stand between title and axes, where no line can run through them. The title's pad
        # makes their room; left in the layout, a long row would squeeze the axes instead.
        legend = ax.legend(
            loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, labelspacing=0.25, handletextpad=0.6
        )
        legend.set_in_layout(False)
        ax.set_title(title, pad=10 + (13.5 if wide else 25) * len(timings))
    return ax if picture is None else picture


def _ecdf(ax: Axes, timings: Sequence[Timing], low: float, high: float, log: bool, wide: bool) -> None:
    for timing, stroke in zip(timings, series(), strict=False):
        x, y = timing.ecdf()
        ax.step((x[0], *x), (0, *y), where="post", label=_legend(timing, wide), **stroke)
        for q, marker in ((0.5, "o"), (0.99, "D")):
            ax.plot(
                timing.percentile(q * 100),
                q,
                marker,
                color=stroke["color"],
                markeredgecolor="white",
                zorder=4,
                clip_on=False,
            )
    ax.set_ylim(0, 1.03)
    ax.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 0.99]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _SHARES[round(y, 2)]))
    ax.set_ylabel("calls done within")


_SHARES = {0.0: "0 %", 0.25: "25 %", 0.5: "p50  50 %", 0.75: "75 %", 0.99: "p99  99 %"}


def _histogram(ax: Axes, timings: Sequence[Timing], low: float, high: float, log: bool, wide: bool) -> None:
    bins = 40
    if high <= low:  # one value: a bar of some width around it
        low, high = low * 0.95, high * 1.05 or 1e-9
    steps = [i / bins for i in range(bins + 1)]
    edges = [low * (high / low) ** s if log else low + (high - low) * s for s in steps]
    edges[-1] = high
    tallest = 0.0
    for i, (timing, stroke) in enumerate(zip(timings, series(), strict=False)):
        counts, _, _ = ax.hist(
            timing.samples, edges, histtype="stepfilled", facecolor=(stroke["color"], 0.3), edgecolor=stroke["color"],
            linestyle=stroke["linestyle"], linewidth=1.3, hatch=HATCHES[i], label=_legend(timing, wide),
        )  # fmt: skip
        tallest = max(tallest, float(max(counts)))
    room = 0.14 * len(timings)  # the rows of percentile labels, above all bars
    top = tallest * (1 + room) * 1.03
    for i, (timing, stroke) in enumerate(zip(timings, series(), strict=False)):
        y = top - (i + 0.5) * tallest * room / len(timings)
        for q, align in ((50, "right"), (99, "left")):
            x = timing.percentile(q)
            ax.vlines(x, 0, y, color=stroke["color"], linestyle="-" if q == 50 else (0, (4, 2)), linewidth=1.6)
            ax.annotate(
                f"p{q}", (x, y), (-3 if q == 50 else 3, 0), textcoords="offset points", ha=align, va="center", zorder=5,
                fontsize=9, bbox={"boxstyle": "square,pad=0.1", "fc": ax.get_facecolor(), "ec": "none"},
            )  # fmt: skip
    ax.set_ylim(0, top)
    ax.set_ylabel("calls")


def _legend(timing: Timing, wide: bool) -> str:
    n = len(timing)
    values = f"p50 {seconds_text(timing.p50)}   p99 {seconds_text(timing.p99)}"
    if not wide:
        return f"{timing.label or f'{n:,} samples'}\n{values}"
    count = f"{n:,} samples" if n >= 100 else f"{n} samples: p99 is the slowest"
    return "   ".join(filter(None, (timing.label, values, count)))


@overload
def lanes(spans: Sequence[Span], *, title: str = "", ax: None = None) -> Picture: ...
@overload
def lanes(spans: Sequence[Span], *, title: str = "", ax: Axes) -> Axes: ...
def lanes(spans: Sequence[Span], *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """One lane per participant, a bar per call: solid where the thread worked, pale and hatched where it was blocked.

    Within a bar the blocked part is drawn first: a call that waits does its work after it has been woken. Time
    counts from the first span. Lanes stand in the order in which their names first appear in `spans`. The
    height depends only on how many lanes and calls there are, never on their times. Labels that find no room are
    joined to their neighbour's. Raises ValueError without spans.
    """
    from .gantt import draw, height

    if not spans:
        raise ValueError("lanes wanted at least one span, but got none; has any call returned yet?")
    picture, ax = sheet(ax, height(spans))
    with style():
        ax.set_title(title)
        colors = [stroke["color"] for stroke in islice(series(), len({span.lane for span in spans}))]
        ax.legend(
            handles=[
                Patch(facecolor="#6b737c", edgecolor="#3a424b", label="working"),
                Patch(facecolor="#d9dcdf", edgecolor="#6b737c", hatch="////", label="blocked: waiting"),
            ],
            loc="upper right", bbox_to_anchor=(1, 0), borderaxespad=1.9, ncols=2, columnspacing=1.4,
        )  # fmt: skip
        draw(ax, spans, colors)
        end = ax.get_xlim()[1]
        time_axis(ax, 0, end, False, "time", margins=False)
        ax.xaxis.set_label_coords(0, -20 / (ax.get_window_extent().height * 72 / ax.figure.dpi))
        ax.xaxis.label.set(ha="left", va="top")
    return ax if picture is None else picture


def time_axis(ax: Axes, low: float, high: float, log: bool, label: str, margins: bool = True) -> None:
    """Units on the x axis, whose data are seconds: one unit for a linear axis, one at each tick of a log axis.

    `low` and `high` are the smallest and the largest value; without `margins` the limits of a linear axis are the
    caller's. A logarithmic one (`log`) needs `low` above 0.
    """
    if log:
        ax.set_xscale("log")
        ax.set_xlim(low / (high / low) ** 0.04, high * (high / low) ** 0.06)
        decades, ticks = math.log10(high / low), _width(ax) * 1.7
        subs = next((s for s in ((1, 2, 5), (1, 3)) if decades * len(s) <= ticks), (1,))
        ax.xaxis.set_major_locator(LogLocator(10, subs=subs, numticks=max(3, int(ticks))))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: seconds_text(x)))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel(f"{label}, logarithmic")
        return
    unit, size = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)) if high >= s), ("ns", 1e-9))
    if margins:
        room = (high - low or high or 1e-9) * 0.08
        ax.set_xlim(max(low - room, 0), high + room)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / size:,.10g}"))
    ax.set_xlabel(f"{label} ({unit})")


def _width(ax: Axes) -> float:
    """Inches, before the layout has given the edges to ticks and labels."""
    assert ax.figure is not None
    return float(ax.get_window_extent().width / ax.figure.dpi)


def series() -> Iterator[dict[str, Any]]:
    """Colour and line style of each series in turn, without end; as keywords for `plot`. Asked within `style`."""
    return cycle(matplotlib.rcParams["axes.prop_cycle"])


@cache
def _settings() -> Any:
    path = os.path.join(os.path.dirname(__file__), "socketlab.mplstyle")
    return matplotlib.rc_params_from_file(path, use_default_template=False)


@contextmanager
def style() -> Iterator[None]:
    """While a ``with`` block runs, matplotlib draws in the course's style (its settings are the whole process's)."""
    with matplotlib.rc_context(_settings()):
        yield
