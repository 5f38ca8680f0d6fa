"""GroupPanel: three receivers at one port that join a group and leave it, one button that sends, and who got what."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from ..experiments.datagrams.groups import NAMES, Group, Sent, send_to_group_steps
from ..experiments.running import Steps
from .drawing.look import BLUE, FITS, GREY, dot
from .experiment import ExperimentPanel


class GroupPanel(ExperimentPanel):
    """Members of a multicast group under your hands. Each press of Send is one datagram, and one row of the table."""

    title = "Join and leave"
    about = "which of three receivers gets a datagram to a group that some of them have joined"
    hint = "Send, let one leave, and send again. Then switch IP_MULTICAST_ALL on: who hears it now?"
    regions = ("a row for each message: its TTL, and of each receiver whether it was a member, and whether it got it",)
    auto = False
    run_label = "Send"

    def __init__(self) -> None:
        self.members = [
            _toggle(f"{name} is a member", on=name != "C", tooltip="IP_ADD_MEMBERSHIP, on the interface 127.0.0.1")
            for name in NAMES
        ]
        self.ttl = widgets.Dropdown(
            options=[("0: this machine", 0), ("1: its network", 1)], value=1, description="TTL",
            tooltip="IP_MULTICAST_TTL", style={"description_width": "30px"},
            layout=widgets.Layout(width="180px", max_width=FITS),
        )  # fmt: skip
        self.loop = _toggle("IP_MULTICAST_LOOP", on=True, tooltip="Whether receivers of the sender's machine hear it")
        self.all_groups = _toggle("IP_MULTICAST_ALL", on=False, tooltip="Of the receivers: hear groups of others, too")
        super().__init__([*self.members, self.ttl, self.loop, self.all_groups])

    def steps(self) -> Steps[Group]:
        return send_to_group_steps(
            [control.value for control in self.members], ttl=self.ttl.value, loop=self.loop.value,
            all_groups=self.all_groups.value, after=self.result,
        )  # fmt: skip

    def picture(self, result: Group) -> str:
        return group_picture(result)

    def finding(self, result: Group) -> str:
        return result.sentence()


def group_picture(result: Group) -> str:
    """The messages that `result` knows, the latest first, as a table."""
    if not result.sent:
        return ""
    heads = "".join(f"<th>{escape(head)}</th>" for head in ("message", "TTL", "LOOP", "ALL", *NAMES))
    rows = "".join(_row(result.count - back, sent) for back, sent in enumerate(reversed(result.sent)))
    return f'<table class="sl"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _row(number: int, sent: Sent) -> str:
    cells = [str(number), str(sent.ttl), str(int(sent.loop)), str(int(sent.all_groups))]
    for member, got in zip(sent.members, sent.got, strict=True):
        words = f"{'member' if member else 'outside'}, {'got it' if got else 'nothing'}"
        cells.append(dot(BLUE if got else GREY) + words)
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _toggle(name: str, *, on: bool, tooltip: str) -> Any:
    return widgets.Checkbox(
        value=on, description=name, tooltip=tooltip, indent=False,
        layout=widgets.Layout(width="170px", max_width=FITS),
    )  # fmt: skip
