"""BufferPanel: a sender, a reader, and the two kernel buffers between them, while you change who is the slow one.

Below is `experiments.flow`, which keeps a real connection at work; here are the controls and the two pictures. The
speeds act on the connection that there is; a buffer is asked for before a connection exists, so another size makes
another connection.
"""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..experiments.flow import KEPT, Flow, FlowState, flow_steps
from ..experiments.running import Steps
from ..measure.timing import bytes_text, seconds_text
from .base import weakly
from .chart import Level, Series, chart
from .experiment import ExperimentPanel
from .look import BLUE, FITS, GREEN, ORANGE
from .scale import Axis

RATES = (0, *(2**n for n in range(10, 22)))  # bytes per second: 1 KiB to 2 MiB
BUFFERS = (None, *(4**n for n in range(6, 11)))  # bytes: 4 KiB to 1 MiB

_BLOCKED = 0.15  # seconds after which a sender that waits is called blocked, and not only stopped now and then
_HEIGHT = 168  # pixels of each picture


class BufferPanel(ExperimentPanel):
    """Backpressure under your hands: the fill levels of both kernel buffers, and when send() would block."""

    title = "Buffers"
    about = "how full the kernel's buffers at both ends of a connection are, while the reader is faster or slower"
    hint = "Stop the reader: which buffer fills first, and when does send() block? Then let it read again, a little."
    regions = (
        "what waits in the sender's kernel buffer over the last 15 seconds, its limit, and when send() would block",
        "what waits in the receiver's kernel buffer, and its limit",
    )

    def __init__(self) -> None:
        self.send_rate = _slider("Sender", 256 * 1024, "How fast the program at the sender's end calls send()")
        self.read_rate = _slider("Reader", 64 * 1024, "How fast the program at the receiver's end calls recv()")
        self.sndbuf = _menu("SO_SNDBUF", "What the sender asks for before it connects: a new connection")
        self.rcvbuf = _menu("SO_RCVBUF", "What the receiver asks for before it listens: a new connection")
        self._flow: Flow | None = None
        rates = [self.send_rate, self.read_rate]
        for slider in rates:  # before the base's own: a run that begins with this event begins with the new speed
            slider.observe(weakly(self._changed), names="value")
        super().__init__([*rates, self.sndbuf, self.rcvbuf], live=rates)

    def steps(self) -> Steps[FlowState]:
        self._flow = Flow(
            self.send_rate.value, self.read_rate.value, sndbuf=self.sndbuf.value, rcvbuf=self.rcvbuf.value
        )
        return flow_steps(self._flow)

    def _changed(self) -> None:
        """A speed: the connection has it with its next turn, within 10 ms."""
        if self._flow is not None:
            self._flow.send_rate, self._flow.read_rate = self.send_rate.value, self.read_rate.value

    def picture(self, result: FlowState) -> str:
        sender = [(t - result.now, ours) for t, ours, _, _ in result.looks]
        receiver = [(t - result.now, theirs) for t, _, theirs, _ in result.looks]
        top = max([result.granted[0], *(size for _, size in sender if size is not None)])
        stops = [(t - result.now, float(top) if refused else None) for t, _, _, refused in result.looks]
        time = Axis("seconds ago", _ago, low=-KEPT, high=0.0)
        upper = chart(
            [
                Series("send() would block", stops, "line", ORANGE),
                Series("waiting at the sender", sender, "area", BLUE),
            ],
            x=time,
            y=Axis("at the sender", bytes_text, low=0, high=top * 1.12),
            levels=[Level(result.granted[0], f"SO_SNDBUF, as granted: {result.granted[0]:,} bytes")],
            height=_HEIGHT,
        )
        lower = chart(
            [Series("waiting at the receiver", receiver, "area", GREEN)],
            x=time,
            y=Axis("at the receiver", bytes_text, low=0, high=result.granted[1] * 1.12),
            levels=[Level(result.granted[1], f"SO_RCVBUF, as granted: {result.granted[1]:,} bytes")],
            height=_HEIGHT,
        )
        return upper + lower

    def finding(self, result: FlowState) -> str:
        ours, theirs = result.waiting
        if ours is None or theirs is None:
            waits = "this system does not tell how much waits"
        elif ours + theirs:
            waits = f"{ours + theirs:,} bytes wait, {theirs:,} of them in the receiver's buffer"
            if result.window is not None:
                waits += f", and the window is {result.window:,}"
        else:
            waits = "nothing waits"
        if result.blocked > _BLOCKED:
            return f"The sender has been blocked for {seconds_text(round(result.blocked, 1), 2)}: {waits}."
        speeds = f"{bytes_text(round(result.send_rate))}/s go in, {bytes_text(round(result.read_rate))}/s are read"
        if result.refused > 0:
            return f"send() is refused {result.refused:.0%} of the time: {speeds}; {waits}."
        return f"The sender is not held up: {speeds}; {waits}."


def _ago(t: float) -> str:
    return f"{-t:g}" if t else "now"


def _speed(rate: int) -> str:
    return f"{bytes_text(rate)}/s" if rate else "stopped"


def _slider(name: str, value: int, tip: str) -> Any:
    options = [(_speed(rate), rate) for rate in RATES]
    layout = widgets.Layout(width="400px", max_width=FITS)
    return widgets.SelectionSlider(options=options, value=value, description=name, tooltip=tip, layout=layout)


def _menu(name: str, tip: str) -> Any:
    options = [("the kernel's choice" if size is None else bytes_text(size), size) for size in BUFFERS]
    layout, style = widgets.Layout(width="260px", max_width=FITS), {"description_width": "92px"}
    return widgets.Dropdown(options=options, value=16384, description=name, tooltip=tip, layout=layout, style=style)
