"""InsideTcpPanel: a congestion control, a pace, a reader's speed and an outage, and what TCP_INFO says meanwhile.

Below is `experiments.streams.inside_tcp`, which sends for as long as `LASTS` says.
"""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..experiments.running import Steps
from ..experiments.streams.inside_tcp import TcpOverTime, algorithms, tcp_over_time_steps
from ..measure.timing import seconds_text
from .drawing.chart import Mark, Series, chart
from .drawing.look import BLUE, FITS, GREEN, GREY, ORANGE
from .drawing.scale import Axis
from .experiment import ExperimentPanel

LASTS = 2.0  # seconds of a run
RATES = (None, 100_000, 250_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000)  # bytes per second
OUTAGES = (0, 10, 50, 100, 200, 300, 500, 1000)  # ms
_NO_LIMIT = 0  # of a menu: ipywidgets takes None for no choice at all


class InsideTcpPanel(ExperimentPanel):
    """A sender under your hands, and its round trip, its window and what is under way."""

    title = "Inside TCP"
    about = "round trip, congestion window and what is under way, while a sender sends, with an outage in the middle"
    hint = "Make the outage shorter, then 0; choose another algorithm; take the pace away. What moves the window?"
    regions = (
        "segments: the congestion window, and what is under way, against time; when something was sent again",
        "the smoothed round trip against time",
    )

    def __init__(self) -> None:
        names = algorithms() or ("reno",)
        self.algorithm = widgets.Dropdown(
            options=names, value="reno" if "reno" in names else names[0], description="Algorithm",
            tooltip="TCP_CONGESTION: one of those that this machine has and allows",
            layout=widgets.Layout(width="220px", max_width=FITS),
        )  # fmt: skip
        self.rate = _slider("Pace", [(_speed(rate), rate or _NO_LIMIT) for rate in RATES], 2_000_000,
                            "SO_MAX_PACING_RATE: the most that TCP may send")  # fmt: skip
        self.reader = _slider("Reader", [(_speed(rate), rate or _NO_LIMIT) for rate in RATES], _NO_LIMIT,
                              "How fast the program at the other end calls recv()")  # fmt: skip
        self.outage = _slider("Outage", [(f"{ms:,} ms", ms) for ms in OUTAGES], 300,
                              "For so long, from 0.4 s on, nothing arrives at the other end")  # fmt: skip
        super().__init__([self.algorithm, self.rate, self.reader, self.outage])

    def steps(self) -> Steps[TcpOverTime]:
        return tcp_over_time_steps(
            self.algorithm.value, self.rate.value or None, reader=self.reader.value or None,
            outage=self.outage.value / 1000, lasts=LASTS,
        )  # fmt: skip

    def picture(self, result: TcpOverTime) -> str:
        return tcp_picture(result)

    def finding(self, result: TcpOverTime) -> str:
        words = result.sentence()
        return f"Recorded on Linux: this system has no TCP_INFO. {words}" if result.recorded else words


def tcp_picture(result: TcpOverTime) -> str:
    """The window and what is under way against time, and below them the round trip."""
    end = max(LASTS, result.lasts)
    looks = result.looks
    high = max((max(look.cwnd, look.unacked) for look in looks), default=10) * 1.1
    marks = []
    if result.outage is not None:
        marks.append(Mark(result.outage[0], "nothing arrives", GREY))
        if result.outage[1] > result.outage[0] and (not looks or result.outage[1] < looks[-1].t):
            marks.append(Mark(result.outage[1], "it arrives again", GREY))
    upper = chart(
        [
            Series("unacked: under way", [(look.t, float(look.unacked)) for look in looks], "area", ORANGE),
            Series("cwnd: may be under way", [(look.t, float(look.cwnd)) for look in looks], "step", BLUE),
            Series("sent again", [(at, 0.0) for at in result.resent], "dots", GREY),
        ],
        x=Axis("seconds since the start", low=0.0, high=end),
        y=Axis("segments", low=0.0, high=high),
        marks=marks,
    )
    lower = chart(
        [Series("rtt", [(look.t, look.rtt) for look in looks if look.rtt > 0], "line", GREEN)],
        x=Axis("seconds since the start", low=0.0, high=end),
        y=Axis("round trip", seconds_text, log=True),
        height=150,
    )
    return upper + lower


def _speed(rate: int | None) -> str:
    return "no limit" if rate is None else f"{rate / 1e6:g} MB/s"


def _slider(name: str, options: list[tuple[str, int]], value: int, tip: str) -> Any:
    return widgets.SelectionSlider(
        options=options, value=value, description=name, tooltip=tip, continuous_update=False,
        layout=widgets.Layout(width="340px", max_width=FITS),
    )  # fmt: skip
