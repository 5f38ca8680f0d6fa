"""BufferPanel: a sender, a reader, and the two kernel buffers between them, while you change who is the slow one.

Below is `experiments.flow`, which keeps a real connection at work; here are the controls and the two pictures. The
speeds act on the connection that there is; a buffer is asked for before a connection exists, so another size makes
another connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from ..experiments.buffers.flow import KEPT, Flow, FlowState, flow_steps
from ..experiments.running import Steps
from ..measure.timing import bytes_text, seconds_text
from .base import weakly
from .drawing.chart import Level, Series, chart
from .drawing.look import BLUE, FITS, GREEN, ORANGE, count
from .drawing.scale import Axis
from .experiment import ExperimentPanel

RATES = (0, *(2**n for n in range(10, 22)))  # bytes per second: 1 KiB to 2 MiB
BUFFERS = (
    0,
    *(4**n for n in range(6, 11)),
)  # bytes, 4 KiB to 1 MiB; 0: not asked for (None would mean: no choice made)

_BLOCKED = 0.6  # seconds after which a sender is called blocked, and not only refused now and then
_HEIGHT = 176  # pixels of each picture
_TIME = Axis("seconds ago", lambda t: f"{-t:g}" if t else "now", low=-KEPT, high=0.0)

_Points = Sequence[tuple[float, int | None]]


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
        sndbuf, rcvbuf = self.sndbuf.value or None, self.rcvbuf.value or None
        self._flow = Flow(self.send_rate.value, self.read_rate.value, sndbuf=sndbuf, rcvbuf=rcvbuf)
        return flow_steps(self._flow)

    def _changed(self) -> None:
        """A speed: the connection has it with its next turn, within 10 ms."""
        if self._flow is not None:
            self._flow.send_rate, self._flow.read_rate = self.send_rate.value, self.read_rate.value

    def picture(self, result: FlowState) -> str:
        sender = [(look.t - result.now, look.sender) for look in result.looks]
        receiver = [(look.t - result.now, look.receiver) for look in result.looks]
        y, size, top = _axis("at the sender", result.granted[0], sender, 1.4)
        stops = [(look.t - result.now, top * 0.97 if look.refused else None) for look in result.looks]
        upper = chart(
            [
                Series("send() would block", stops, "line", ORANGE),
                Series("in its send queue: not acknowledged yet", _in(size, sender), "area", BLUE),
            ],
            x=_TIME,
            y=y,
            levels=[Level(result.granted[0] / size, f"SO_SNDBUF, as granted: {result.granted[0]:,} bytes")],
            newest_first=True,
            height=_HEIGHT,
        )
        y, size, _ = _axis("at the receiver", result.granted[1], receiver, 1.3)
        lower = chart(
            [Series("in its receive queue: not read yet", _in(size, receiver), "area", GREEN)],
            x=_TIME,
            y=y,
            levels=[Level(result.granted[1] / size, f"SO_RCVBUF, as granted: {result.granted[1]:,} bytes")],
            newest_first=True,
            height=_HEIGHT,
        )
        return upper + lower

    def finding(self, result: FlowState) -> str:
        if result.blocked > _BLOCKED:
            words = (
                f"The sender has been blocked for {seconds_text(round(result.blocked, 1), 2)}: {_bytes(result)} wait"
            )
            if result.at_receiver is not None:
                words += f", {result.at_receiver:,} of them in the receiver's buffer"
            return f"{words}, and the window is {result.window:,}." if result.window is not None else f"{words}."
        words = f"send() is refused {result.refused:.0%} of the time" if result.refused else "The sender is not held up"
        words += f": {bytes_text(round(result.send_rate))}/s in, {bytes_text(round(result.read_rate))}/s out"
        if not result.waiting:
            return f"{words}; nothing waits."
        words += f"; {_bytes(result)} wait"
        return f"{words}, {result.at_receiver:,} at the receiver." if result.at_receiver is not None else f"{words}."


def _bytes(result: FlowState) -> str:
    return count(result.waiting, "byte")


def _axis(label: str, limit: int, points: _Points, room: float) -> tuple[Axis, int, float]:
    """An axis with room above the limit, which what waits may exceed a little; its unit in bytes; its end."""
    most = max([limit, *(value for _, value in points if value is not None)])
    unit, size = ("MiB", 2**20) if most >= 2**20 else ("KiB", 2**10)
    return Axis(f"{label} ({unit})", low=0, high=most / size * room), size, most / size * room


def _in(size: int, points: _Points) -> list[tuple[float, float | None]]:
    return [(t, None if value is None else value / size) for t, value in points]


def _speed(rate: int) -> str:
    return f"{bytes_text(rate)}/s" if rate else "stopped"


def _slider(name: str, value: int, tip: str) -> Any:
    options = [(_speed(rate), rate) for rate in RATES]
    layout = widgets.Layout(width="400px", max_width=FITS)
    return widgets.SelectionSlider(options=options, value=value, description=name, tooltip=tip, layout=layout)


def _menu(name: str, tip: str) -> Any:
    options = [(bytes_text(size) if size else "the kernel's choice", size) for size in BUFFERS]
    layout, style = widgets.Layout(width="260px", max_width=FITS), {"description_width": "92px"}
    return widgets.Dropdown(options=options, value=16384, description=name, tooltip=tip, layout=layout, style=style)
