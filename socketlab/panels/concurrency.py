"""ConcurrencyPanel: so many clients ask at once, and servers of several models answer: who waits for whom?

The models are in `experiments.models`, the measuring in `experiments.by_clients`, the drawing in concurrency_picture.
"""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..experiments.clients.by_clients import LatencyByClients, in_a_row, latency_by_clients_steps
from ..experiments.clients.models import MODELS
from ..experiments.clients.serving import COMPUTES, SLEEPS
from ..experiments.running import Steps
from ..measure.timing import seconds_text
from .drawing.look import FITS, count
from .drawing.served import clients_picture
from .experiment import ExperimentPanel

COSTS = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)  # s; 64 clients of 50 ms, one at a time, take 3.2 s
CLIENTS = (1, 2, 4, 8, 16, 32, 64)

_TIPS = {
    "one at a time": "One thread: accept, serve to the end, accept the next",
    "thread per connection": "One thread accepts, and starts a thread for each connection",
    "pool of 8 threads": "Eight threads; the ninth client waits in the listener's queue",
    "selectors loop": "One thread that waits for all connections at once in select",
    "epoll loop": "The same with the system call itself, which only Linux has",
    "asyncio": "The same with a coroutine for each connection",
    "4 processes": "Four processes at one listener, each with a global lock of its own",
}
_FIRST = ("one at a time", "thread per connection", "pool of 8 threads", "selectors loop")


class ConcurrencyPanel(ExperimentPanel):
    """Models of concurrency side by side, under the load that you choose."""

    title = "Concurrency"
    about = "how long each of many clients waits that all ask at once, for each model of serving them"
    hint = "Let the handler sleep, then compute: which models lose what they had won, and which one keeps it?"
    regions = (
        "a row for each client: when it waited, when its handler worked; median and p99 of each model",
        "what the last client had to wait for",
    )

    def __init__(self) -> None:
        self.models = {name: _tick(name) for name in MODELS}
        self.clients = _slider("Clients", [(str(n), n) for n in CLIENTS], 32, "How many ask at once, each of them once")
        costs = [(seconds_text(cost) if cost else "nothing", cost) for cost in COSTS]
        self.cost = _slider("for", costs, 0.01, "How long a handler sleeps or computes for one request")
        self.kind = widgets.Dropdown(
            options=[("sleeps, as for a database", SLEEPS), ("computes, in Python", COMPUTES)], value=SLEEPS,
            description="Handler", tooltip="Who sleeps lets others run; who computes holds Python's global lock",
            layout=widgets.Layout(width="290px", max_width=FITS),
        )  # fmt: skip
        ticks = widgets.HBox(list(self.models.values()), layout=widgets.Layout(flex_flow="row wrap", max_width="100%"))
        super().__init__([ticks, self.clients, self.kind, self.cost])

    def steps(self) -> Steps[LatencyByClients]:
        ticked = [name for name, box in self.models.items() if box.value and not box.disabled]
        if not ticked:
            raise ValueError("Tick at least one model.")
        return latency_by_clients_steps(ticked, (self.clients.value,), self.cost.value, self.kind.value, rounds=1)

    def picture(self, result: LatencyByClients) -> str:
        return clients_picture(result)

    def finding(self, result: LatencyByClients) -> str:
        if not result.loads:
            return "Starting the clients, in a process of their own."
        clients = result.loads[0].clients
        work = f"the handler {result.kind} {seconds_text(result.cost)}" if result.cost else "the handler does nothing"
        words = [f"{count(clients, 'client')} at once, {work}. The last has its answer after:"]
        last = []
        for load in result.loads:
            turns = in_a_row(load.model, load.clients, result.kind)
            asked_for = f" ({turns} × {seconds_text(result.cost)} of work)" if result.cost else ""
            last.append(f"{load.model} {seconds_text(load.timing.max, 2)}{asked_for}")
        words.append(", ".join(last) + ".")
        words += [f"No {model}: {why}." for model, why in result.lacking]
        return " ".join(words)


def _tick(name: str) -> Any:
    lacks = MODELS[name].lacking()
    layout = widgets.Layout(width="auto", max_width=FITS, margin="2px 16px 2px 2px")
    return widgets.Checkbox(
        name in _FIRST,
        description=name,
        tooltip=lacks or _TIPS[name],
        disabled=bool(lacks),
        indent=False,
        layout=layout,
    )


def _slider(name: str, options: Any, value: float, tip: str) -> Any:
    return widgets.SelectionSlider(
        options=options, value=value, description=name, tooltip=tip, continuous_update=False,
        layout=widgets.Layout(width="340px", max_width=FITS),
    )  # fmt: skip
