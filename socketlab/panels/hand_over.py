"""HandOverPanel: sockets on their way to another process, and what each of the two holds.

Below is `experiments.passing.handing`, which starts the other process for real at each move of a control.
"""

from __future__ import annotations

from html import escape

import ipywidgets as widgets

from ..experiments.passing.handing import CALLS, MOST, STAGES, Handing, Held, hand_over_steps
from ..experiments.running import Steps
from .drawing.look import FITS
from .drawing.strips import BLUE, GREEN, ORANGE, PURPLE, ground
from .experiment import ExperimentPanel

_COLOURS = (ORANGE, GREEN, PURPLE, BLUE)  # one for each of MOST sockets
_PLACES = ("this process", "on the way", "the other process", "closed")


class HandOverPanel(ExperimentPanel):
    """Descriptors from one process to another: how many are sent, how many find room, and who has what afterwards."""

    title = "Handing over"
    about = "sockets handed to another process: what each of the two holds before, on the way, and after"
    hint = "Lose a socket in three ways. Which of them does the receiver hear of?"
    regions = ("what was received, and what became of the rest", "who has which socket, under which number, when")

    def __init__(self) -> None:
        slim, wide = widgets.Layout(width="240px", max_width=FITS), widgets.Layout(width="330px", max_width=FITS)
        self.sent = widgets.IntSlider(
            value=2, min=1, max=MOST, description="Send", layout=slim, continuous_update=False,
            tooltip="How many sockets are sent in one message",
        )  # fmt: skip
        self.room = widgets.IntSlider(
            value=2, min=0, max=MOST, description="Room for", layout=slim, continuous_update=False,
            tooltip="recvmsg(100, CMSG_LEN(4 * n)): how many descriptors find room",
        )  # fmt: skip
        self.call = widgets.Dropdown(
            options=[(f"{name}()", name) for name in CALLS], value="recvmsg", description="Received by", layout=slim,
            tooltip="The call with which the other process receives", style={"description_width": "80px"},
        )  # fmt: skip
        self.closes = widgets.Checkbox(
            value=True, description="this process closes its own, once sent", indent=False, layout=wide,
        )  # fmt: skip
        self.cloexec = widgets.Checkbox(
            value=False, description="the other asks for MSG_CMSG_CLOEXEC", indent=False, layout=wide,
        )  # fmt: skip
        super().__init__([self.sent, self.room, self.call, self.closes, self.cloexec])

    def steps(self) -> Steps[Handing]:
        return hand_over_steps(
            self.sent.value, room=self.room.value, closes=self.closes.value, call=self.call.value,
            cloexec=self.cloexec.value,
        )  # fmt: skip

    def picture(self, result: Handing) -> str:
        return hand_over_picture(result)

    def finding(self, result: Handing) -> str:
        return result.sentence()


def hand_over_picture(result: Handing) -> str:
    """A column for each stage, a row for each place; in it the sockets that are there, with their numbers."""
    stages = {stage.name: stage.held for stage in result.stages}
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *STAGES))
    rows = []
    for place in _PLACES:
        cells = "".join(f"<td>{_chips(stages.get(name, ()), place)}</td>" for name in STAGES)
        rows.append(f"<tr><td class='sl-tight'><b>{place}</b></td>{cells}</tr>")
    return f"<table class='sl'><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _chips(held: tuple[Held, ...], place: str) -> str:
    return " ".join(_chip(n, words) for n, one in enumerate(held) if (words := _words(one, place)) is not None)


def _words(one: Held, place: str) -> str | None:
    """What stands beside the socket's letter in that place; None where it is not there."""
    if place == "closed":
        return "" if one.ended else None
    if place == "on the way":
        return "" if one.under_way else None
    number = one.here if place == "this process" else one.there
    return None if number is None else str(number)


def _chip(n: int, words: str) -> str:
    letter = "ABCD"[n]
    said = f"socket {letter}" + (f" is number {words}" if words else "")
    style = (
        f"{ground(_COLOURS[n])};display:inline-block;border-radius:3px;padding:0 6px;margin:1px 0;white-space:nowrap"
    )
    return f'<span style="{style}" title="{said}">{letter}{f" = {words}" if words else ""}</span>'
