"""SlowHandlerPanel: one handler of a loop takes its time, and the others' answers wait for it: how long?

Below is `experiments.waiting.slow_loop`: an echo server in one thread, whose first client says what is expensive.
"""

from __future__ import annotations

import ipywidgets as widgets

from ..experiments.running import Steps
from ..experiments.waiting.slow_loop import SlowLoop, slow_loop_steps
from ..measure.timing import seconds_text
from .drawing.look import FITS, count
from .drawing.looped import loop_picture
from .experiment import ExperimentPanel

MESSAGES = 3  # of the slow client: three long bars tell that it was no accident
SLOW = (0, 1, 5, 10, 20, 50, 100, 200, 300)  # ms; three times the longest is a second
CLIENTS = (2, 3, 4, 6, 8)


class SlowHandlerPanel(ExperimentPanel):
    """A loop with one slow handler under your hands, and everybody who waits for it."""

    title = "Slow handler"
    about = "for whom a loop works, and how long its clients wait, while the handler of one of them takes its time"
    hint = "Make the slow handler slower: whose answers come later? Then make it take no time at all."
    regions = (
        "a row for each client: when it waited for its answer, when the loop worked for it",
        "how long the slow handler takes, and how long the quick clients waited at most",
    )

    def __init__(self) -> None:
        self.slow = widgets.SelectionSlider(
            options=[(f"{ms} ms" if ms else "no time", ms) for ms in SLOW], value=50, description="It takes",
            tooltip="How long the handler of the first client sleeps before it answers", continuous_update=False,
            layout=widgets.Layout(width="340px", max_width=FITS),
        )  # fmt: skip
        self.clients = widgets.SelectionSlider(
            options=[(str(n), n) for n in CLIENTS], value=4, description="Clients",
            tooltip="How many talk to the loop: the first is the slow one", continuous_update=False,
            layout=widgets.Layout(width="340px", max_width=FITS),
        )  # fmt: skip
        super().__init__([self.slow, self.clients])

    def steps(self) -> Steps[SlowLoop]:
        return slow_loop_steps(self.clients.value, MESSAGES, self.slow.value / 1000)

    def picture(self, result: SlowLoop) -> str:
        return loop_picture(result)

    def finding(self, result: SlowLoop) -> str:
        others = sorted(result.others)
        if not others:
            return "The clients connect."
        takes = f"takes {seconds_text(result.slow)}" if result.slow else "takes no time"
        half, longest = seconds_text(others[len(others) // 2], 2), seconds_text(others[-1], 2)
        return (
            f"The slow handler {takes}. The others had {count(len(others), 'answer')}: "
            f"half of them within {half}, the last one after {longest}."
        )
