"""FastPathsPanel: bytes of each call under a slider, and how fast each way is with them, copy by copy.

Below is `experiments.copies`. What was measured at one size stays in the picture while the slider goes on, so that the
curves of the lesson come to be point by point.
"""

from __future__ import annotations

import math

import ipywidgets as widgets

from ..experiments.buffers.copies import RECEIVING, SENDING, FastPaths, WayOfBytes, fast_paths_steps
from ..experiments.running import Steps
from ..measure.timing import bytes_text
from .drawing.chart import Mark, Series, chart
from .drawing.look import FITS
from .drawing.scale import Axis
from .experiment import ExperimentPanel

ROUNDS = 7  # samples of a way, by turns; the median of them is a point
_SIDES = {"sending a file": SENDING, "receiving": RECEIVING}
_SLIDER = tuple(2**n for n in range(6, 21))  # bytes: 64 to 1 MiB
# Powers of two: a logarithmic axis of the chart has its ticks at powers of ten, where bytes have no round names.
_X = Axis("bytes of each call", lambda power: bytes_text(2**power), low=5.5, high=20.5)
_Y = Axis("bytes per second of work", lambda power: f"{bytes_text(2**power)}/s", low=22.0, high=36.0)


class FastPathsPanel(ExperimentPanel):
    """What a copy costs, by the size of each call: a slider, and a point for each way."""

    title = "Copies"
    about = "how fast a file is sent, and a stream received, with fewer copies and with larger calls"
    hint = (
        "Move the slider from end to end: first the calls decide, then the copies. Where does sendfile pass the others?"
    )
    regions = ("bytes per second of work against the bytes of each call, a line for each way",)

    def __init__(self) -> None:
        layout = widgets.Layout(width="360px", max_width=FITS)
        self.size = widgets.SelectionSlider(
            options=[(bytes_text(size), size) for size in _SLIDER], value=65536, description="Bytes a call",
            tooltip="How many bytes each call is given, or asks for", continuous_update=False, layout=layout,
            style={"description_width": "92px"},
        )  # fmt: skip
        self.side = widgets.Dropdown(
            options=list(_SIDES), value="sending a file", description="Way", layout=widgets.Layout(width="240px"),
            tooltip="Which end is measured", style={"description_width": "48px"},
        )  # fmt: skip
        self._before: dict[tuple[str, int], float] = {}
        super().__init__([self.size, self.side])

    def steps(self) -> Steps[FastPaths]:
        if self.result is not None:
            self._before = self._points(self.result)
        return fast_paths_steps(*_SIDES[self.side.value], sizes=(self.size.value,), rounds=ROUNDS)

    def _points(self, result: FastPaths) -> dict[tuple[str, int], float]:
        """What was measured until now, of both ends; the latest of each size counts."""
        return self._before | {(way.name, size): rate for way in result.ways for size, rate in way.points}

    def picture(self, result: FastPaths) -> str:
        if not result.ways:
            return ""
        known = self._points(result)
        series = [Series(way.label, _line(known, way), "line") for way in result.ways]
        dots = [(size, rate) for way in result.ways for size, rate in _line(known, way)]
        series.append(Series("measured", dots, "dots", "#8c8c8c"))
        (size,) = result.sizes
        return chart(series, x=_X, y=_Y, marks=[Mark(math.log2(size), bytes_text(size))], height=280)

    def finding(self, result: FastPaths) -> str:
        if not any(way.points for way in result.ways):
            return "Nothing measured yet."
        (size,) = result.sizes
        words = [f"{way.label}, {bytes_text(rate)}/s" for way in result.ways for _, rate in way.points]
        lacks = f" This system lacks {' and '.join(result.lacking)}." if result.lacking else ""
        return f"{bytes_text(size)} a call. {'; '.join(words)}.{lacks}"


def _line(known: dict[tuple[str, int], float], way: WayOfBytes) -> list[tuple[float, float | None]]:
    found = sorted((size, rate) for (name, size), rate in known.items() if name == way.name and rate > 0)
    return [(math.log2(size), math.log2(rate)) for size, rate in found]
