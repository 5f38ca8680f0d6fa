"""LadderPanel: a rung of lesson 27, a number of clients, a fault on the way, and how long the clients wait.

The measuring is in `experiments.ladder.load`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets

from ..experiments.ladder.load import DATAGRAMS, FAULTS, NONE, LadderLoad, ladder_load_steps, ladder_servers
from ..experiments.running import Steps
from ..measure.timing import seconds_text
from .drawing.chart import Mark, Series, chart
from .drawing.look import BLUE, FITS, ORANGE, RED, count
from .drawing.scale import Axis
from .experiment import ExperimentPanel

CLIENTS = (1, 2, 4, 8, 16, 32)
QUESTIONS = 100  # of all clients together, at least: fewer know nothing of a p99


class LadderPanel(ExperimentPanel):
    """Any rung under load: socketlab's own servers, or those that you give, by the names of their exercises."""

    title = "The ladder"
    about = "how long the clients of a server wait for its answers, many at once, with a fault on the way"
    hint = "Ask echo, then the job queue; then let datagrams get lost. What moves the median, and what the p99 alone?"
    regions = ("how many of the answers had come after so long; the median and the p99",)

    def __init__(self, servers: Mapping[str, Callable[..., Any]] | None = None) -> None:
        self.servers = {**ladder_servers(), **(servers or {})}
        self.rung = widgets.Dropdown(
            options=[(name.removeprefix("serve_"), name) for name in self.servers], description="Rung",
            tooltip="Which of the ten protocols is served", layout=widgets.Layout(width="240px", max_width=FITS),
        )  # fmt: skip
        self.clients = widgets.SelectionSlider(
            options=[(str(n), n) for n in CLIENTS], value=8, description="Clients", continuous_update=False,
            tooltip="How many ask at once, each again when it has its answer",
            layout=widgets.Layout(width="340px", max_width=FITS),
        )  # fmt: skip
        self.fault = widgets.Dropdown(
            options=list(FAULTS), value=NONE, description="Fault", tooltip="What is wrong on the way to the server",
            layout=widgets.Layout(width="260px", max_width=FITS),
        )  # fmt: skip
        super().__init__([self.rung, self.clients, self.fault])

    def steps(self) -> Steps[LadderLoad]:
        rung, clients, fault = self.rung.value, self.clients.value, self.fault.value
        if FAULTS[fault][rung in DATAGRAMS] is None:
            kind = "datagrams" if rung in DATAGRAMS else "streams"
            raise ValueError(f"“{fault}” is nothing that happens to {kind}: choose another fault.")
        rounds = -(-QUESTIONS // clients)
        return ladder_load_steps({rung: self.servers[rung]}, (clients,), fault, rounds=rounds)

    def picture(self, result: LadderLoad) -> str:
        return waits_picture(result)

    def finding(self, result: LadderLoad) -> str:
        if not result.loads:
            return "The clients, in a process of their own, ask."
        load = result.loads[0]
        name = load.rung.removeprefix("serve_")
        if not load.waits:
            return f"{name}, {count(load.clients, 'client')}: {load.failure}."
        timing = load.timing
        return (
            f"{name}, {count(load.clients, 'client')}: half of the answers within {seconds_text(timing.p50, 2)}, "
            f"p99 {seconds_text(timing.p99, 2)}; {load.per_second:,.0f} answers per second."
        )


def waits_picture(result: LadderLoad) -> str:
    """Which share of the answers had come after so long; nothing where there are none."""
    if not result.loads or not result.loads[0].waits:
        return ""
    load = result.loads[0]
    waits = sorted(load.waits)
    points = [(wait, (n + 1) / len(waits)) for n, wait in enumerate(waits)]
    marks = [Mark(load.timing.p50, "median", ORANGE), Mark(load.timing.p99, "p99", RED)]
    return chart(
        [Series("answers that had come", points, "step", BLUE)],
        x=Axis("from the question to its answer", seconds_text, log=True),
        y=Axis("share of all answers", lambda share: f"{share:.0%}", low=0.0, high=1.05),
        marks=marks,
    )
