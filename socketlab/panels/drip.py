"""DripPanel: one byte now and then, a timeout for each recv, and a deadline for all of them.

Below is `experiments.drip`, for as long as `LASTS` says: a peer that dripped for ever would keep one of the readers
for ever.
"""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..experiments.running import Steps
from ..experiments.waiting.drip import Drip, Reader, drip_steps
from .drawing.chart import Mark, Series, chart
from .drawing.look import BLUE, FITS, GREEN, RED
from .drawing.scale import Axis
from .experiment import ExperimentPanel

LASTS = 4.0  # s of drip
TIMES = (50, 100, 150, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1200, 1500, 2000, 3000)  # ms


class DripPanel(ExperimentPanel):
    """A reader with a timeout for each recv, and one with a deadline, at the same drip."""

    title = "Drip"
    about = "how long a reader waits for a peer that sends one byte now and then: with a timeout, and with a deadline"
    hint = "Make settimeout() wait as long as the drip lasts; then make it give up first. What moves the deadline?"
    regions = (
        "how long each reader would still wait, against time, with each byte that arrives",
        "how long either waited, and how many bytes it got",
    )

    def __init__(self) -> None:
        self.interval = _slider("Drip every", 200, "How long the peer waits before each byte")
        self.timeout = _slider("Timeout", 500, "settimeout(): what each recv may wait")
        self.deadline = _slider("Deadline", 900, "What all recvs together may wait")
        super().__init__([self.interval, self.timeout, self.deadline])

    def steps(self) -> Steps[Drip]:
        return drip_steps(self.interval.value / 1e3, self.timeout.value / 1e3, self.deadline.value / 1e3, LASTS)

    def picture(self, result: Drip) -> str:
        return drip_picture(result)

    def finding(self, result: Drip) -> str:
        return result.sentence()


def drip_picture(result: Drip) -> str:
    """The time that either reader has left, against time, and the bytes on the ground."""
    readers = (
        (f"settimeout({result.timeout:g})", result.per_call, BLUE),
        (f"deadline {result.deadline:g} s", result.total, RED),
    )
    lines = [Series(label, reader.left, "line", colour) for label, reader, colour in readers]
    longest = max(result.lasts + result.timeout, result.deadline)
    drops = Series("a byte arrives", [(at, 0.0) for at in result.drops], "dots", GREEN)
    return chart(
        [*lines, drops],
        x=Axis("seconds since the drip began", low=0.0, high=longest * 1.02),
        y=Axis("seconds left", low=0.0, high=max(result.timeout, result.deadline) * 1.1),
        marks=[mark for label, reader, colour in readers for mark in _end(label, reader, colour)],
    )


def _end(label: str, reader: Reader, colour: str) -> list[Mark]:
    return [Mark(reader.waits[-1].end, f"TimeoutError: {label}", colour)] if reader.gave_up else []


def _slider(name: str, value: int, tooltip: str) -> Any:
    options = [(f"{ms:,} ms", ms) for ms in TIMES]
    return widgets.SelectionSlider(
        options=options, value=value, description=name, tooltip=tooltip, continuous_update=False,
        layout=widgets.Layout(width="340px", max_width=FITS),
    )  # fmt: skip
