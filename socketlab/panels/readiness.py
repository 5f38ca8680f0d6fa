"""ReadinessPanel: who is ready? Asked with select, poll and epoll, of as many descriptors as the sliders say.

What is measured, and why it grows or does not, is in `experiments.readiness`.
"""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from ..experiments.running import Steps
from ..experiments.waiting.mechanisms import EDGE, EPOLL, KQUEUE, POLL, SELECT, handed_over, has, most_watched
from ..experiments.waiting.readiness import Cost, ReadinessCost, readiness_cost_steps, times_text
from ..measure.timing import seconds_text
from .drawing.chart import Mark, Series, chart
from .drawing.look import BLUE, FITS, GREEN, RED, count
from .drawing.scale import Axis
from .experiment import ExperimentPanel

COUNTS = (10, 20, 50, 100, 200, 500, 1000, 2000)
READY = (0, 1, 3, 10, 30, 100, 300, 1000)

_COLOURS = {SELECT: BLUE, POLL: RED, EPOLL: GREEN, KQUEUE: GREEN, EDGE: "#cc79a7"}
_TIPS = {
    SELECT: "Hands over three sets of descriptors in each call; refuses those from 1,024 on",
    POLL: "Hands over a list of descriptors in each call",
    EPOLL: "The kernel keeps the list; a call hands over nothing (kqueue on macOS and BSD)",
}


class ReadinessPanel(ExperimentPanel):
    """The cost of one readiness call against the number of descriptors watched, under your hands."""

    title = "Readiness"
    about = "how long one call takes that asks which descriptors are ready, against how many are watched"
    hint = "Which curve does not rise? Have all be ready, and look again. Then see what select says to 2,000."
    regions = (
        "the cost of one call against the number of descriptors watched, for each mechanism",
        "what each call handed to the kernel, and what the kernel answered",
    )

    def __init__(self) -> None:
        self.mechanisms = {name: _tick(name) for name in (SELECT, POLL, EPOLL)}
        self.edge = _box("edge-triggered", "epoll names a descriptor once for each arrival, not as long as it is ready")
        self.edge.disabled = not has(EDGE)
        here = [n for n in COUNTS if n <= most_watched()] or [COUNTS[0]]
        self.watched = _slider("Watched", here, min(1000, here[-1]), "Descriptors that are watched, at most")
        self.ready = _slider("Ready", READY, 1, "Descriptors that have something to read; all, if fewer are watched")
        super().__init__([widgets.HBox([*self.mechanisms.values(), self.edge]), self.watched, self.ready])
        self.controls[0].layout.flex_flow = "row wrap"

    def steps(self) -> Steps[ReadinessCost]:
        ticked = [name for name, box in self.mechanisms.items() if box.value and not box.disabled]
        if not ticked:
            raise ValueError("Tick at least one of select, poll and epoll.")
        if self.edge.value and EPOLL in ticked:
            ticked[ticked.index(EPOLL)] = EDGE
        counts = [n for n in COUNTS if n <= self.watched.value]
        return readiness_cost_steps(counts, ticked, self.ready.value)

    def picture(self, result: ReadinessCost) -> str:
        series = [
            Series(name, [(cost.watched, cost.seconds) for cost in result.of(name)], colour=_COLOURS[name])
            for name in result.mechanisms
        ]
        marks = [
            Mark(refusal.watched, f"{refusal.mechanism} refuses", _COLOURS[refusal.mechanism])
            for refusal in result.refusals[:1]
        ]
        picture = chart(
            series,
            x=Axis("descriptors watched", lambda n: f"{n:,.0f}", low=9, high=2200, log=True),
            y=Axis("one call", seconds_text, low=2e-7, high=2e-3, log=True),
            marks=marks,
        )
        return picture + _exchange(result)

    def finding(self, result: ReadinessCost) -> str:
        if not result.costs:
            if result.left_out and result.most < COUNTS[0]:
                return f"This process may open no more than {result.most:,} descriptors for this, which is too few."
            return "Opening sockets."
        most = max(cost.watched for cost in result.costs)
        few = min(cost.watched for cost in result.costs)
        times = ", ".join(f"{c.mechanism} {seconds_text(c.seconds, 2)}" for c in result.costs if c.watched == most)
        words = [f"{most:,} watched, {min(result.ready, most):,} ready: {times}."]
        grown = [(name, result.growth(name)) for name in result.mechanisms if len(result.of(name)) > 1]
        grown = [(name, ratio) for name, ratio in grown if result.of(name)[-1].watched == most]
        if grown:
            ratios = ", ".join(f"{name} {times_text(ratio)}" for name, ratio in grown)
            words.append(f"With {most // few:,} × as many a call takes longer: {ratios}.")
        for name in result.lacking:
            words.append(f"This system has no {name}.")
        if result.left_out:
            words.append(f"This process may open no more than {result.most:,} descriptors for this.")
        return " ".join(words)


def _exchange(result: ReadinessCost) -> str:
    """What went over at the last count: handed to the kernel, and answered."""
    rows = []
    for name in result.mechanisms:
        refused = [refusal for refusal in result.refusals if refusal.mechanism == name]
        costs = result.of(name)
        if refused:
            last = f"ValueError: {refused[-1].words}. One of these descriptors has a number above 1023"
            rows.append((name, handed_over(name, refused[-1].watched), last))
        elif costs:
            rows.append((name, handed_over(name, costs[-1].watched), _answered(costs[-1])))
    if not rows:
        return ""
    cells = "".join(
        f'<tr><td class="sl-tight">{escape(name)}</td><td>{escape(handed)}</td><td>{escape(said)}</td></tr>'
        for name, handed, said in rows
    )
    head = "<tr><th></th><th>Each call hands over</th><th>What comes back as ready</th></tr>"
    return f'<table class="sl"><thead>{head}</thead><tbody>{cells}</tbody></table>'


def _answered(cost: Cost) -> str:
    if cost.named == cost.named_again:
        again = " each time" if cost.named else ""
        return f"{cost.named:,}{again}"
    unread = f", though nobody has read the {count(cost.named, 'byte')}"
    return f"{cost.named:,} in the first call, {cost.named_again:,} from then on{unread}"


def _box(name: str, tip: str, value: bool = False) -> Any:
    layout = widgets.Layout(width="auto", max_width=FITS, margin="2px 16px 2px 2px")
    return widgets.Checkbox(value, description=name, tooltip=tip, indent=False, layout=layout)


def _tick(name: str) -> Any:
    box = _box(name, _TIPS[name], True)
    if not (has(name) or (name == EPOLL and has(KQUEUE))):
        box.value, box.disabled, box.tooltip = False, True, f"This system has no {name}"
    return box


def _slider(name: str, values: Any, value: int, tip: str) -> Any:
    return widgets.SelectionSlider(
        options=[(f"{n:,}", n) for n in values], value=value, description=name, tooltip=tip, continuous_update=False,
        layout=widgets.Layout(width="380px", max_width=FITS),
    )  # fmt: skip
