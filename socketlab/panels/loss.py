"""LossPanel: datagrams through a bad link into a small buffer, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from ..experiments.datagrams.fates import CORRUPTED, FATES, LATE, LOST, ONCE, OVERFLOWED, TWICE, DatagramLoss
from ..experiments.datagrams.loss import datagram_loss_steps
from ..experiments.running import Steps
from .drawing.look import FITS, count
from .drawing.strips import GREY, ORANGE, PURPLE, SKY, STYLE, VERMILION, YELLOW, cells, legend
from .experiment import ExperimentPanel

DATAGRAMS = 100  # as many as can be told apart, and a percentage of them is a number of them
BURSTS = (5, 10, 20, 25, 50, 100)
BUFFERS = (0, *(1 << n for n in range(11, 18)))  # bytes that are asked for; 0: what the system gives

#: Of each fate, its colour and its mark.
LOOKS = {
    ONCE: (SKY, "ok"),
    LATE: (ORANGE, "late"),
    TWICE: (PURPLE, "×2"),
    CORRUPTED: (YELLOW, "bad"),
    LOST: (VERMILION, "lost"),
    OVERFLOWED: (GREY, "full"),
}


class LossPanel(ExperimentPanel):
    """A hundred numbered datagrams over UDP on loopback, and what became of each of them."""

    title = "Loss"
    about = "what becomes of a hundred UDP datagrams on a bad link and in a receiver that reads too late"
    hint = "See what jitter does to the order. Then set all chances to 0, and lose most in the receiver's own kernel."
    regions = (
        "the datagrams in order of sending, each with its fate",
        "those that were received, in order of arrival",
    )

    def __init__(self) -> None:
        self.loss = _percent("Loss", 0.1, "The chance that the link loses a datagram")
        self.duplication = _percent("Duplication", 0.0, "The chance that the link passes a datagram on twice")
        self.reordering = _percent("Reordering", 0.0, "The chance that a datagram arrives behind the one after it")
        self.corruption = _percent("Corruption", 0.0, "The chance that the link flips one bit of a datagram")
        times = [(f"{n} ms", n / 1000) for n in range(0, 51)]
        self.latency = _slider("Latency", 0.0, times, "How much later everything arrives")
        self.jitter = _slider("Jitter", 0.0, times, "By how much that varies, up and down, at random")
        self.burst = _slider(
            "Burst", 20, [(str(n), n) for n in BURSTS], "How many are sent before the receiver reads again"
        )
        self.buffer = _slider(
            "SO_RCVBUF", 0, [(f"{n:,} B" if n else "system's", n) for n in BUFFERS],
            "What the receiver asks for as the size of its buffer in the kernel",
        )  # fmt: skip
        self.seed = _slider("Seed", 0, [(str(n), n) for n in range(100)], "Other chances; the same seed, the same ones")
        self._faults = (
            self.loss, self.duplication, self.reordering, self.corruption, self.latency, self.jitter,
        )  # fmt: skip
        super().__init__([*self._faults, self.burst, self.buffer, self.seed])

    def steps(self) -> Steps[DatagramLoss]:
        faults = {control.description.lower(): control.value for control in self._faults}
        return datagram_loss_steps(
            DATAGRAMS, burst=self.burst.value, receive_buffer=self.buffer.value or None, seed=self.seed.value, **faults
        )

    def picture(self, result: DatagramLoss) -> str:
        return loss_picture(result)

    def finding(self, result: DatagramLoss) -> str:
        again = " The same seed loses, doubles and changes the same ones again." if result.link is not None else ""
        return result.sentence() + again


def loss_picture(result: DatagramLoss) -> str:
    """The legend and the two strips as HTML."""
    counts = result.counts
    keys = [(*LOOKS[fate], f"{fate}: {counts[fate]:,}") for fate in FATES]
    sent = [
        (*_cell(number, fate), f"datagram {number} {_verb(fate)}{fate}") for number, fate in enumerate(result.fates, 1)
    ]
    seen: set[int] = set()
    came = []
    for arrival in result.arrivals:
        again = arrival.number in seen
        seen.add(arrival.number)
        fate = CORRUPTED if not arrival.intact else TWICE if again else LATE if arrival.late else ONCE
        words = {CORRUPTED: "one bit is wrong", TWICE: "for the second time", LATE: "behind a later one"}.get(fate, "")
        came.append((*_cell(arrival.number, fate), f"datagram {arrival.number}{words and ', '}{words}"))
    return (
        f"{STYLE}{legend(keys)}"
        f"<div class='sl-head'>In order of sending: {count(result.sent, 'datagram')}</div>"
        f"{cells(sent, result.sentence())}"
        f"<div class='sl-head'>In order of arrival: {len(result.arrivals):,} came, into a buffer of "
        f"{count(result.receive_buffer, 'byte')}</div>"
        f"{cells(came, f'{len(result.arrivals)} datagrams in order of arrival')}"
    )


def _cell(number: int, fate: str) -> tuple[str, str, str]:
    colour, mark = LOOKS[fate]
    return colour, str(number), mark


def _verb(fate: str) -> str:
    return "was " if fate.startswith("lost") else ""


def _percent(name: str, value: float, tooltip: str) -> Any:
    return _slider(name, value, [(f"{n} %", n / 100) for n in range(0, 51)], tooltip)


def _slider(name: str, value: float, options: Sequence[tuple[str, Any]], tooltip: str) -> Any:
    """A slider that reports where it was left."""
    return widgets.SelectionSlider(
        description=name, value=value, options=options, tooltip=tooltip, continuous_update=False,
        layout=widgets.Layout(width="290px", max_width=FITS),
    )  # fmt: skip
