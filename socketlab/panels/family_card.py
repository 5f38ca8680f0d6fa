"""FamilyCardPanel: choose a family; its card says what it is for, how its address looks, and what this kernel says.

The words are `socketlab.experiments.families.cards`; the kernel is asked by making one socket of the kind and closing
it (`ask`, of the family panel). Below stands a cell to copy, which tries it.
"""

from __future__ import annotations

import os
from html import escape

import ipywidgets as widgets

from ..experiments.families.cards import CARDS, Card
from .base import Panel, weakly
from .drawing.look import FITS, GREEN, ORANGE, STYLE, code, dot, static_picture
from .family import Answer, ask, remark


def words(answer: Answer) -> str:
    """What the kernel said, in a sentence."""
    if answer.works:
        return "It made a socket."
    meaning = remark(answer)
    if answer.errno is None:
        return meaning
    said = f"{answer.verdict}: {os.strerror(answer.errno)}."
    return said if said.endswith(meaning) else f"{said} {meaning}"


def as_html(card: Card, answer: Answer) -> str:
    """The card, and what the kernel answered; no number of a socket in it."""
    said = f"{dot(GREEN if answer.works else ORANGE)}{escape(words(answer))}"
    rows = [
        ("what for", escape(card.what)),
        ("address", f"{escape(card.address)}: {code(card.example)}"),
        ("read on", escape(card.page)),
        ("kernel", said),
    ]
    table = "".join(f"<tr><td class='sl-tight'>{name}</td><td class='sl-wide'>{what}</td></tr>" for name, what in rows)
    program = f"<pre class='sl-copy' style='white-space: pre-wrap; margin: 4px 0 0'>{escape(card.program)}</pre>"
    return (
        f"<div class='sl-head'>{code(card.call)}</div><table class='sl'>{table}</table>"
        f"<div class='sl-head'>A cell to copy</div>{program}"
    )


class FamilyCardPanel(Panel):
    """Choose a family and read its card. `answer` is what the kernel said last. Nothing stays open."""

    title = "Family card"

    def __init__(self) -> None:
        self.card = widgets.Dropdown(
            options=list(CARDS), description="family", style={"description_width": "4em"},
            layout={"width": "260px", "max_width": FITS},
        )  # fmt: skip
        self.card.observe(weakly(self._show), names="value")
        self.shown = widgets.HTML()
        self._show()
        heading = widgets.HTML(f"{STYLE}<div class='sl-title'>{self.title}</div>")
        box = widgets.VBox([heading, self.card, self.shown])
        box.add_class("socketlab-panel")
        super().__init__(box)

    def _show(self) -> None:
        card = CARDS[self.card.value]
        self.answer = ask(card.family, card.type, card.protocol)
        self.shown.value = as_html(card, self.answer)

    def snapshot(self) -> str:
        card = CARDS["raw ICMP"]
        return static_picture(
            self.title,
            "choose a family: what it is for, and what this kernel says",
            ["family: raw ICMP"],
            [card.call, f"what for: {card.what}", f"address: {card.address}"],
        )
