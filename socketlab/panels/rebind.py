"""RebindPanel: an old server and a new one at the same port, their options, and what bind() says.

Below is `experiments.doors.rebinding`, which runs both servers for real at each move of a control.
"""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from ..experiments.doors.rebinding import ENDINGS, OPTIONS, Holder, Rebind, rebind_steps, state_in_words
from ..experiments.running import Steps
from .drawing.look import FITS, GREEN, RED, code, dot
from .experiment import ExperimentPanel

_WHO = {"listener": "old listener", "server": "server's end of its connection", "client": "client's end"}


class RebindPanel(ExperimentPanel):
    """A server that starts again: who closed first, and which options either has."""

    title = "Starting again"
    about = "what bind() says to a new server at the port of an old one: by who closed first, and by their options"
    hint = "Make EADDRINUSE go away in four ways. Which of them let two servers listen at once?"
    regions = ("what is left of the old server, and in which state", "what bind() and listen() say, and why")

    def __init__(self) -> None:
        wide = widgets.Layout(width="420px", max_width=FITS)
        self.ending = widgets.Dropdown(
            options=[(words, ending) for ending, words in ENDINGS.items()], value="server", layout=wide,
            description="Old server", tooltip="What has become of the old server",
        )  # fmt: skip
        self.options = {(side, name): _box(side, name) for side in ("old", "new") for name in OPTIONS}
        row = widgets.Layout(flex_flow="row wrap", width="100%")
        rows = [
            widgets.HBox([self.options[side, name] for name in OPTIONS], layout=row) for side in ("old", "new")
        ]  # a row each: what counts is whether both have the same
        super().__init__([widgets.VBox([self.ending, *rows], layout=widgets.Layout(width="100%"))])

    def steps(self) -> Steps[Rebind]:
        chosen = {
            side: [n for (s, n), box in self.options.items() if s == side and box.value] for side in ("old", "new")
        }
        return rebind_steps(self.ending.value, old=chosen["old"], new=chosen["new"])

    def picture(self, result: Rebind) -> str:
        return rebind_picture(result)

    def finding(self, result: Rebind) -> str:
        return result.sentence()


def rebind_picture(result: Rebind) -> str:
    """A row for each socket: its options, whether it has the port, and its state; the last one is the new server's."""
    rows = [_row(_WHO[one.who], _options(one, result), _port(one), state_in_words(one)) for one in result.holders]
    if result.said:
        verdict = f"{dot(RED)}{code(f'{result.call}()')} {escape(result.said)}"
    else:
        verdict = f"{dot(GREEN)}{code('bind()')} and {code('listen()')} granted"
    rows.append(_row("new server", ", ".join(result.new) or "none", "asks for it", verdict, safe=True))
    head = "".join(f"<th>{name}</th>" for name in ("socket", "options", "the port", "now"))
    return f"<table class='sl'><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _options(one: Holder, result: Rebind) -> str:
    if one.who == "client":
        return "none"
    names = ", ".join(result.old) or "none"
    return f"{names} (inherited)" if one.who == "server" and result.old else names


def _port(one: Holder) -> str:
    if not one.at_port:
        return "has one of its own"
    return "has given it back" if one.state == "CLOSE" else "has it"


def _row(who: str, options: str, port: str, state: str, safe: bool = False) -> str:
    cells = [escape(who), escape(options), escape(port), state if safe else escape(state)]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _box(side: str, name: str) -> Any:
    return widgets.Checkbox(
        value=False, description=f"{side}: {name}", indent=False, layout=widgets.Layout(width="200px", max_width=FITS),
        tooltip=f"setsockopt(SOL_SOCKET, {name}, 1) on the {side} server before it binds",
    )  # fmt: skip
