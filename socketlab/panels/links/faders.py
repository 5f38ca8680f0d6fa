"""A slider for each fault of a link: its unit, how far it reaches, and an off position where "nothing wrong" is None.

A slider cannot be moved to what makes no sense; a cell may set more than it shows (``link.latency = 10``), and then it
stands at its end. The scale is logarithmic where the sensible values are: bytes per second, bytes.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import ipywidgets as widgets

from ..drawing.look import FITS

WIDE = "400px"  # two of them side by side in a panel of 960 px
#: Names stand in a column, whether they have a switch before them or not.
STYLE = "<style>.socketlab-panel .sl-plain > .widget-label { text-align: left; padding-left: 21px; }</style>"


class Range(NamedTuple):
    """How a fault is shown: value on the slider x `unit` = value of the link."""

    name: str
    label: str  #: with its unit
    low: float
    high: float
    step: float
    tooltip: str
    unit: float = 1.0
    log: bool = False  #: then `low` and `high` are powers of ten, and `step` is part of one
    whole: bool = False
    off: bool = False  #: it can be None
    first: float = 0.0  #: where the slider of one that is off stands at first

    def to_link(self, shown: float) -> Any:
        """The link's value for a slider's."""
        return round(shown * self.unit) if self.whole and math.isfinite(shown) else shown * self.unit

    def to_slider(self, value: Any) -> float:
        """Where the slider stands for a value of the link: at its end, where that is beyond."""
        low, high = (10**self.low, 10**self.high) if self.log else (self.low, self.high)
        return float(min(max(round(value / self.unit, 9), low), high))

    def is_at(self, shown: float, value: Any) -> bool:
        """Whether a slider that stands at `shown` shows `value`; the browser moves it to the nearest step."""
        place = self.to_slider(value)
        return abs(math.log10(shown / place) if self.log else shown - place) <= 0.51 * self.step


_MS, _PERCENT, _KB = 1e-3, 0.01, 1e3
_DELAYS = (
    Range("latency", "latency, ms", 0, 2000, 0.5, "Every byte arrives so much later, in one direction", _MS),
    Range("jitter", "jitter, ms", 0, 1000, 0.5, "Moves the latency up or down, at random", _MS),
)
STREAM = (
    *_DELAYS,
    Range("bandwidth", "bandwidth, kB/s", 0, 5, 0.01, "At most so many thousand bytes a second", _KB, log=True,
          off=True, first=100),
    Range("slice_size", "slice size, bytes", 0, 4, 0.01, "Data is cut into slices of about so many bytes", log=True,
          whole=True, off=True, first=100),
    Range("slice_variation", "variation, bytes", 0, 1000, 1, "By how many bytes a slice may differ, at random",
          whole=True),
    Range("slice_delay", "slice delay, ms", 0, 500, 1, "The pause between two slices", _MS),
    Range("limit_data", "limit data, bytes", 2, 7, 0.01, "The connection is closed when so many bytes have passed",
          log=True, whole=True, off=True, first=10_000),
    Range("slow_close", "slow close, ms", 0, 5000, 10, "The end of the stream comes so much later", _MS),
    Range("timeout", "timeout, s", 0, 10, 0.1, "Nothing passes; the connection is closed after so long, 0: never",
          off=True, first=3),
    Range("reset_peer", "reset peer, s", 0, 10, 0.1, "Both sides are reset (RST) after so long", off=True, first=2),
)  # fmt: skip
DATAGRAM = (
    *_DELAYS,
    Range("loss", "loss, %", 0, 100, 0.1, "The probability that a datagram does not arrive", _PERCENT),
    Range("duplication", "duplication, %", 0, 100, 0.1, "That it arrives twice", _PERCENT),
    Range("reordering", "reordering, %", 0, 100, 0.1, "That it arrives behind the one that follows it", _PERCENT),
    Range("corruption", "corruption, %", 0, 100, 0.1, "That one of its bits is flipped", _PERCENT),
)


class Fader:
    """One fault's slider, and its switch where it can be off. `box` is what goes into the panel."""

    def __init__(self, range_: Range) -> None:
        self.range = range_
        slider = widgets.FloatLogSlider if range_.log else widgets.FloatSlider
        self.slider = slider(
            description="" if range_.off else range_.label,
            value=range_.first, min=range_.low, max=range_.high, step=range_.step, tooltip=range_.tooltip,
            readout_format=",.0f" if range_.whole else ",.1f",
            layout=widgets.Layout(flex="1 1 0", min_width="0", width="auto"),
            style={"description_width": "134px"},
        )  # fmt: skip
        self.switch: Any = None
        parts = [self.slider]
        if range_.off:
            self.switch = widgets.Checkbox(
                description=range_.label, value=False, indent=False, tooltip=f"{range_.tooltip}; off: no such fault",
                layout=widgets.Layout(width="140px", min_width="140px"),
            )  # fmt: skip
            parts.insert(0, self.switch)
        else:
            self.slider.add_class("sl-plain")
        self.box = widgets.HBox(parts, layout=widgets.Layout(width=WIDE, max_width=FITS, align_items="center"))

    @property
    def inputs(self) -> list[Any]:
        return [self.slider] if self.switch is None else [self.switch, self.slider]

    @property
    def value(self) -> Any:
        """What the link is to have."""
        if self.switch is not None and not self.switch.value:
            return None
        return self.range.to_link(self.slider.value)

    def show(self, value: Any) -> None:
        """Stand where the link is, or at the step that is next to it."""
        if self.switch is not None:
            self.switch.value = value is not None
        if value is not None and not self.range.is_at(self.slider.value, value):
            self.slider.value = self.range.to_slider(value)
