"""WriteBufferPanel: an asyncio writer, a slow reader, and the buffer in between that only `drain` keeps small.

Below is `experiments.buffers.write_buffer`, which keeps a real transport at work; here are the controls and the
picture. All of them act on the connection that there is.
"""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..experiments.buffers.write_buffer import FULL, HIGH, KEPT, Pour, PourState, pour_steps
from ..experiments.running import Steps
from ..measure.timing import bytes_text, seconds_text
from .base import weakly
from .drawing.chart import Level, Series, chart
from .drawing.look import BLUE, FITS, ORANGE, count
from .drawing.scale import Axis
from .experiment import ExperimentPanel

RATES = (0, *(2**n for n in range(13, 22)))  # bytes per second: 8 KiB to 2 MiB
MARKS = tuple(4**n for n in range(6, 11))  # bytes, 4 KiB to 1 MiB

_LONG = 0.3  # seconds of a pause from which on it is worth a word
_HEIGHT = 220  # pixels
_TIME = Axis("seconds ago", lambda t: f"{-t:g}" if t else "now", low=-KEPT, high=0.0)


class WriteBufferPanel(ExperimentPanel):
    """Backpressure in asyncio, under your hands: the write buffer, its marks, and whether the writer heeds them."""

    title = "Write buffer"
    about = "how full the write buffer of an asyncio transport is, while its reader is slow, with drain and without"
    hint = "Stop the reader: who waits? Then untick drain, and watch the buffer."
    regions = (
        "what lies in the write buffer over the last 15 seconds, both marks, and when writing is asked to pause",
    )

    def __init__(self) -> None:
        self.write_rate = _slider("Writer", 256 * 1024, "How fast the program calls write()")
        self.read_rate = _slider("Reader", 64 * 1024, "How fast the other end reads")
        self.high = widgets.Dropdown(
            options=[(bytes_text(size), size) for size in MARKS], value=HIGH, description="High-water mark",
            tooltip="set_write_buffer_limits(high=…); the low mark is a quarter of it",
            layout=widgets.Layout(width="240px", max_width=FITS), style={"description_width": "110px"},
        )  # fmt: skip
        self.drain = widgets.Checkbox(
            value=True, description="await drain()", tooltip="After each write(), as one should", indent=False,
            layout=widgets.Layout(width="150px", max_width=FITS),
        )  # fmt: skip
        self._pour: Pour | None = None
        live = [self.write_rate, self.read_rate, self.high, self.drain]
        for control in live:  # before the base's own: a run that begins with this event begins with the new value
            control.observe(weakly(self._changed), names="value")
        super().__init__(live, live=live)

    def steps(self) -> Steps[PourState]:
        self._pour = Pour(self.write_rate.value, self.read_rate.value, drain=self.drain.value, high=self.high.value)
        return pour_steps(self._pour)

    def _changed(self) -> None:
        """The connection has it with its next turn, within 10 ms."""
        if (pour := self._pour) is not None:
            pour.write_rate, pour.read_rate = self.write_rate.value, self.read_rate.value
            pour.high, pour.drain = self.high.value, self.drain.value

    def picture(self, result: PourState) -> str:
        most = max([result.marks[1], *(look.size for look in result.looks)])
        unit, size = ("MiB", 2**20) if most >= 2**20 else ("KiB", 2**10)
        top = (most or size) / size * 1.3
        now = result.looks[-1].t if result.looks else 0.0
        sizes = [(look.t - now, look.size / size) for look in result.looks]
        paused = [(look.t - now, top * 0.97 if look.paused else None) for look in result.looks]
        return chart(
            [
                Series("between pause_writing() and resume_writing()", paused, "line", ORANGE),
                Series("in the write buffer", sizes, "area", BLUE),
            ],
            x=_TIME,
            y=Axis(f"in the write buffer ({unit})", low=0, high=top),
            levels=_levels(result.marks, size, top),
            newest_first=True,
            height=_HEIGHT,
        )

    def finding(self, result: PourState) -> str:
        size, largest = count(result.size, "byte"), bytes_text(result.largest)
        if result.full:
            return f"{bytes_text(FULL)} wait in your memory, and here the panel stops writing; a program would go on."
        if result.paused_for > _LONG:
            since = seconds_text(round(result.paused_for, 1), 2)
            if result.draining:
                return f"drain() has been waiting for {since}: {size} in the write buffer, at most {largest} so far."
            return f"pause_writing() came {since} ago, and nobody heeds it: {size} in the write buffer."
        pauses = count(result.pauses, "pause")
        return f"{size} in the write buffer, at most {largest} so far; {pauses}."


def _levels(marks: tuple[int, int], size: int, top: float) -> list[Level]:
    """Both marks, or one line for both where they lie too close together to be told apart."""
    low, high = marks
    if (high - low) / size < top / 9:
        return [Level(high / size, f"high-water mark: {high:,} bytes, low: {low:,}")]
    return [Level(low / size, f"low-water mark: {low:,} bytes"), Level(high / size, f"high-water mark: {high:,} bytes")]


def _slider(name: str, value: int, tip: str) -> Any:
    options = [(f"{bytes_text(rate)}/s" if rate else "stopped", rate) for rate in RATES]
    layout = widgets.Layout(width="400px", max_width=FITS)
    return widgets.SelectionSlider(options=options, value=value, description=name, tooltip=tip, layout=layout)
