"""BacklogPanel: a listener with a short queue, clients that all come at once, and a slider for who accepts them.

Below are `experiments.door`, the listener and the clients, and door_picture.py, which draws where they stand.
"""

from __future__ import annotations

import socket
from typing import Any

import ipywidgets as widgets

from ..experiments.doors.door import FAILED, HALF_IN, OUTSIDE, QUEUED, Door, ListenQueue
from ..experiments.doors.listening import watch
from ..experiments.running import Steps
from .base import weakly
from .drawing.chart import Level, Series, chart
from .drawing.door import door_picture
from .drawing.look import BLUE, FITS, RED, count
from .drawing.scale import Axis
from .experiment import ExperimentPanel
from .talks.conversation import families


class BacklogPanel(ExperimentPanel):
    """A listen queue under your hands: its seats, who stands outside and sends SYNs, who has been accepted."""

    title = "Listen queue"
    about = "what becomes of clients that connect while a listener's queue is full"
    hint = "How many get in with a backlog of 0? Let clients wait outside, then accept: who gets in, and when?"
    regions = (
        "the door: who stands outside and when each knocks again, the seats of the queue, who has been accepted",
        "connections in the queue, and SYNs sent again, over time",
    )

    def __init__(self) -> None:
        self.backlog = _slider(widgets.IntSlider, "Backlog", 2, 0, 10, 1, "The number given to listen()")
        self.clients = _slider(widgets.IntSlider, "Clients", 6, 1, 20, 1, "They all connect at once")
        self.rate = _slider(
            widgets.FloatSlider, "Accepts/s", 0.0, 0.0, 10.0, 0.5, "How often accept() is called; 0: nobody does. Live"
        )
        self.rate.continuous_update = True
        tip = "TCP_SYNCNT: how often a client's kernel sends its SYN again before connect() fails; more on new kernels"
        self.retries = _slider(widgets.IntSlider, "SYN retries", 6, 1, 6, 1, tip)
        self.retries.disabled = not hasattr(socket, "TCP_SYNCNT")
        choices = {name: name.lower() for name in families()}
        wide = widgets.Layout(width="210px", max_width=FITS)
        self.family = widgets.Dropdown(
            description="Family", options=choices, tooltip="Of listener and clients", layout=wide
        )
        self._door: Door | None = None
        self.rate.observe(weakly(self._pace), names="value")
        super().__init__([self.backlog, self.clients, self.rate, self.retries, self.family], live=[self.rate])

    def steps(self) -> Steps[ListenQueue]:
        retries = None if self.retries.disabled else self.retries.value
        self._door = Door(self.backlog.value, self.clients.value, self.rate.value, self.family.value, retries)
        return watch(self._door, None)

    def _pace(self) -> None:
        """The slider acts on the run under way."""
        if self._door is not None:
            self._door.accept_rate = self.rate.value

    def picture(self, result: ListenQueue) -> str:
        series = [Series("in the queue", result.depths, "step", BLUE)]
        again = sorted(at for client in result.clients for at in client.tries[1:])
        if again:
            steps = [
                (0.0, 0.0),
                *((at, float(n)) for n, at in enumerate(again, 1)),
                (result.seconds, float(len(again))),
            ]
            series.append(Series("SYNs sent again", steps, "step", RED))
        levels = [] if result.seats is None else [Level(float(result.seats), f"full: {count(result.seats, 'seat')}")]
        picture = chart(
            series,
            x=Axis("seconds", low=0.0, high=max(result.seconds, 1.0)),
            y=Axis("how many"),
            levels=levels,
            newest_first=True,
            height=170,
        )
        return door_picture(result) + picture

    def finding(self, result: ListenQueue) -> str:
        outside, half, failed = (result.count(state) for state in (OUTSIDE, HALF_IN, FAILED))
        seats, queued = result.seats, result.count(QUEUED)
        room = (
            f"listen({result.backlog}) has {count(seats, 'seat')}" if seats is not None else f"listen({result.backlog})"
        )
        words = [f"{room}, {queued} taken; {count(len(result.clients), 'client')} came."]
        if outside:
            soonest = _soonest(result, OUTSIDE)
            when = soonest and f"; the next SYN comes in {soonest}"
            words.append(f"{outside} outside: their SYNs were dropped. connect() is not refused, it takes long{when}.")
        if half:
            soonest = _soonest(result, HALF_IN)
            words.append(
                f"{half} half in: SYNs that came together were all answered, so connect() returned, but there was no "
                f"seat; what they send is dropped until there is one{soonest and f', and comes again in {soonest}'}."
            )
        if failed:
            words.append(_why_failed(result))
        if not outside and not half and not failed and result.settled:
            longest = max(client.queued or 0.0 for client in result.clients)
            words.append(f"All are accepted; the last found a seat after {longest:.2f} s.")
        return " ".join(words)


def _soonest(result: ListenQueue, state: str) -> str:
    """How long until the first of those in `state` sends again; "" where that is not told."""
    times = [client.next_try for client in result.clients if client.state == state and client.next_try is not None]
    return f"{min(times):.1f} s" if times else ""


def _why_failed(result: ListenQueue) -> str:
    errors = sorted({client.error for client in result.clients if client.error})
    why = {
        "EAGAIN": "a Unix socket has no SYN to send again, so the program has to try again",
        "ETIMEDOUT": "their kernels have sent their last SYN",
    }
    reasons = [f"{error} ({why[error]})" if error in why else error for error in errors]
    return f"{result.count(FAILED)} failed: {', '.join(reasons)}."


def _slider(kind: Any, name: str, value: float, low: float, high: float, step: float, tip: str) -> Any:
    layout = widgets.Layout(width="330px", max_width=FITS)
    return kind(
        value=value, min=low, max=high, step=step, description=name, tooltip=tip, continuous_update=False, layout=layout
    )
