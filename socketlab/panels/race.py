"""RacePanel: two addresses of one server, a slider for how soon each answers, and one for the head start of IPv6.

Below are `experiments.addresses`, the listeners and the race, and drawing/eyeballs.py, which draws the lanes.
"""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..experiments.addresses.race import FAILED, REFUSED, SILENT, Race, eyeballs_race_steps
from ..experiments.addresses.race import finding as in_a_line
from ..experiments.running import Steps
from ..measure.timing import seconds_text
from .drawing.eyeballs import race_picture
from .drawing.look import FITS
from .experiment import ExperimentPanel

#: Milliseconds until an answer; then what is worse than any of them.
ANSWERS: tuple[tuple[str, float | str], ...] = (
    *((f"{ms:,} ms", ms / 1000) for ms in (0, 50, 100, 150, 200, 250, 300, 400, 500, 700, 1000, 2000)),
    (REFUSED, REFUSED),
    (SILENT, SILENT),
)


class RacePanel(ExperimentPanel):
    """Happy Eyeballs under your hands: how soon each family answers, and who gets the connection."""

    title = "Happy Eyeballs"
    about = "which of two addresses a client ends up with, IPv6 or IPv4, and after how long"
    hint = "Make IPv6 refuse, then make it silent: how long does the client wait? And what does a head start of 0 cost?"
    regions = ("a lane for each of the two attempts: when it began, what it waited for, how it ended",)

    def __init__(self) -> None:
        self.v6 = _answers("IPv6 answers", 0.5, "After how long, or not at all")
        self.v4 = _answers("IPv4 answers", 0.05, "After how long, or not at all")
        wide = widgets.Layout(width="340px", max_width=FITS)
        self.head_start = widgets.IntSlider(
            value=250, min=0, max=1000, step=50, description="Head start (ms)", readout_format="d", layout=wide,
            tooltip="Milliseconds that IPv6 has before IPv4 is tried as well", continuous_update=False,
            style={"description_width": "105px"},
        )  # fmt: skip
        super().__init__([self.v6, self.v4, self.head_start])

    def steps(self) -> Steps[Race]:
        return eyeballs_race_steps(self.v6.value, self.v4.value, head_start=self.head_start.value / 1000)

    def picture(self, result: Race) -> str:
        return race_picture(result)

    def finding(self, result: Race) -> str:
        words = [f"{in_a_line(result)}."]
        winner = next((one for one in result.attempts if one.family == result.winner), None)
        if winner is not None:
            words.append(
                f"The client has its first byte from {winner.family} after {seconds_text(winner.ended or 0, 2)}."
            )
        v6 = result.attempts[0]
        if v6.state == FAILED and v6.error != "ECONNREFUSED":
            words.append("This machine has no ::1, so the attempt failed before anything was sent.")
        if result.over and all(one.began is not None for one in result.attempts) and v6.state != FAILED:
            words.append("Two connections were begun for one; the other is closed.")
        return " ".join(words)


def _answers(name: str, value: float, tip: str) -> Any:
    layout = widgets.Layout(width="340px", max_width=FITS)
    return widgets.SelectionSlider(
        options=ANSWERS, value=value, description=name, tooltip=tip, continuous_update=False, layout=layout,
        style={"description_width": "105px"},
    )  # fmt: skip
