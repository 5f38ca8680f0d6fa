"""OptionsPanel: every socket option by name or by what it does, what this kernel says, and what it grants you.

The model is `socketlab.options`: its table is made once, in some 10 ms; a key in the search field only filters it. What
is asked for goes to a fresh socket that is thrown away, or, with ``OptionsPanel(sock)``, to that socket, and stays set.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from html import escape
from typing import ClassVar

import ipywidgets as widgets

from ..options import SECTIONS, Grant, Kernel, Option, cell, matching, survey
from .base import Panel, weakly
from .drawing.look import FITS, GREEN, GREY, ORANGE, STYLE, brief, code, count, dot, static_picture

_ALL = "all levels"
_FIRST = "SO_RCVBUF"  # what is shown before anybody has searched: the one whose answer surprises
_STYLE = """<style>
.socketlab-panel .sl-options { max-height: 340px; overflow: auto; border: 1px solid var(--jp-border-color2, #bdbdbd);
  border-radius: 3px; padding: 0 8px; }
.socketlab-panel .sl-options thead th { position: sticky; top: 0; background: var(--jp-layout-color0, Canvas); }
.socketlab-panel .sl-options td { padding-bottom: 3px; }
.socketlab-panel .sl-options td { overflow-wrap: break-word; }
.socketlab-panel .sl-options summary { cursor: pointer; }
.socketlab-panel pre.sl-copy { margin: 3px 0; padding: 3px 6px; white-space: pre; overflow-x: auto;
  line-height: 1.35; }
.socketlab-panel .sl-detail pre.sl-copy { white-space: pre-wrap; overflow-wrap: anywhere; }
.socketlab-panel .sl-options table.sl { table-layout: fixed; width: 100%; }
.socketlab-panel .sl-options th:nth-child(1) { width: 24%; }
.socketlab-panel .sl-options th:nth-child(2) { width: 38%; }
.socketlab-panel .sl-options th:nth-child(3) { width: 15%; }
.socketlab-panel .sl-detail table.sl tr { display: table-row; }
.socketlab-panel .sl-detail table.sl td { display: table-cell; }
.socketlab-panel .sl-detail table.sl td:first-child { white-space: nowrap; width: 1%; }
@container (max-width: 600px) {
  .socketlab-panel .sl-options thead { display: none; }
  .socketlab-panel .sl-options table.sl :is(tbody, tr, td:nth-child(n)) { display: block; width: auto; padding: 0; }
  .socketlab-panel .sl-options table.sl td { border-top: none; }
  .socketlab-panel .sl-options table.sl tr { padding: 4px 0; border-top: 1px solid var(--jp-border-color3, #e0e0e0); }
  .socketlab-panel .sl-options table.sl tr:first-child { border-top: none; }
  .socketlab-panel .sl-options td[data-head]::before { content: attr(data-head) ": "; font-weight: 600; }
}
</style>"""


def table_row(option: Option) -> str:
    """One option as a row of the table, whose sentence opens on a click; everything is escaped."""
    mark = dot(GREEN if option.works else GREY)
    name = code(option.name).replace("_", "_<wbr>")  # where a long one may be broken
    place = escape(f"{option.number}, {option.level}")
    return (
        f"<tr><td>{mark}{name}<br>{place}</td><td>{_sentence(option)}</td>"
        f"<td data-head='now'>{escape(str(option.now))}</td>"
        f"<td data-head='asked → granted'>{escape(option.asked)}</td></tr>"
    )


def _sentence(option: Option) -> str:
    """What it is; behind it, for who clicks, its form, since when, where to read on, and a cell to copy."""
    known = (f"value: {option.type}", option.since and f"since: {option.since}", f"read on in: {option.source}")
    more = "<br>".join(escape(words) for words in known if words)
    return f"<details><summary>{escape(option.what)}</summary>{more}{_cell(option)}</details>"


def table_picture(rows: Iterable[str]) -> str:
    """The rows that `table_row` made, under their heads, in a box that scrolls; a sentence where there are none."""
    body = "".join(rows)
    if not body:
        return "<p>No option has these words. A shorter search finds more.</p>"
    heads = "".join(f"<th scope='col'>{head}</th>" for head in ("option", "what it is", "now", "asked → granted"))
    # tabindex: who has no mouse scrolls the box with the arrow keys.
    return (
        "<div class='sl-options' tabindex='0' role='region' aria-label='Options'>"
        f"<table class='sl'><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def detail_picture(option: Option) -> str:
    """Everything about one option: its sentence, its form, the Python lines that read and set it, and the answers."""
    entry = option.entry
    example = entry.text.ask
    rows = [
        ("level, number", f"{code(option.level)}, {option.number}"),
        ("name", "" if entry.named else "this Python has none for it: write the number"),
        ("value", escape(option.type)),
        ("read it", _line(entry.reading) if entry.reading else "cannot be read"),
        ("set it", _line(entry.setting(example)) if example is not None else escape(entry.why_not or "read only")),
        ("now", f"{dot(GREEN if option.now.works else ORANGE)}{escape(str(option.now))}"),
        ("an example", escape(option.asked)),
        ("a cell to copy", _cell(option)),
        ("since", escape(option.since)),
        ("read on in", escape(option.source)),
    ]
    if entry.section in ("levels", "values"):
        rows = [row for row in rows if row[0] in ("level, number", "since", "read on in")]
    cells = "".join(f"<tr><td>{head}</td><td>{words}</td></tr>" for head, words in rows if words)
    return (
        f"<div class='sl-detail'><div class='sl-head'>{code(option.name)}</div><div>{escape(option.what)}</div>"
        f"<table class='sl'><tbody>{cells}</tbody></table></div>"
    )


def answer_picture(option: Option, grant: Grant) -> str:
    """What came of asking, as one sentence."""
    mark = dot(GREEN if grant.works else ORANGE)
    return f"<div role='status'>{mark}{code(option.name)}: {escape(brief(str(grant)))}</div>"


def _cell(option: Option) -> str:
    """A whole cell that asks for the example and reads what was granted; "" where there is nothing to ask or read."""
    entry = option.entry
    text = cell(entry, None if entry.why_not else entry.text.ask)
    return f"<pre class='sl-copy' tabindex='0' title='a click selects it'>{escape(text)}</pre>" if text else ""


def _line(text: str) -> str:
    return f"<code class='sl-copy' tabindex='0' title='a click selects it'>{escape(text)}</code>"


def _face(sock: socket.socket | None) -> str:
    if sock is None:
        return "Each question is put to a fresh socket, which is thrown away afterwards."
    family, kind = getattr(sock.family, "name", sock.family), getattr(sock.type, "name", sock.type)
    return f"All questions are put to your socket ({family}, {kind}), and what is granted stays set on it."


class OptionsPanel(Panel):
    """Search the options, choose one, ask for a value. With `sock`, on that socket; it is never closed by the panel.

    Raises ValueError for what is no socket. `rows` are all options, `found` those that the search leaves, `chosen` the
    one whose details are shown, `granted` the latest answer.
    """

    title: ClassVar[str] = "Options"

    def __init__(self, sock: socket.socket | None = None) -> None:
        self.kernel = Kernel(sock)
        self.rows = survey(sock)
        self.found: list[Option] = []
        self.chosen: Option | None = None
        self.granted: Grant | None = None
        self._searched: str | None = None
        self._filtering = False
        fits = {"max_width": FITS}
        self.search = widgets.Text(
            description="Search", placeholder="a name, a number, or words: buffer, timeout, multicast",
            tooltip="Filters while you type: all words must occur", layout={"width": "26em", **fits},
        )  # fmt: skip
        present = [section for section in SECTIONS if any(row.entry.section == section for row in self.rows)]
        self.level = widgets.Dropdown(
            options=[(_ALL, ""), *((_level_words(section), section) for section in present)],
            value="", description="Level", tooltip="Whose options: the first argument of getsockopt()",
            layout={"width": "20em", **fits},
        )  # fmt: skip
        self.works = widgets.Checkbox(
            description="only those that work here", indent=False, tooltip="Leave out what this kernel refuses",
            layout={"width": "15em", **fits},
        )  # fmt: skip
        self.option = widgets.Dropdown(
            description="Option", tooltip="Choose one of those found", layout={"width": "24em", **fits}
        )
        self.value = widgets.Text(
            description="Ask for", tooltip="A value in the form that is shown", layout={"width": "20em", **fits}
        )
        self.button = widgets.Button(
            description="Ask the kernel", button_style="primary", tooltip="Set it, and look what was granted",
            layout={"max_width": FITS},
        )  # fmt: skip
        self.again = widgets.Button(
            description="Read all again", tooltip="Ask for all current values once more", layout={"max_width": FITS}
        )
        self.count, self.table, self.detail, self.answer = (widgets.HTML() for _ in range(4))
        wrapped = {"flex_flow": "row wrap", "align_items": "center"}
        heading = f"{STYLE}{_STYLE}<div class='sl-title'>{self.title}</div><div>{escape(_face(sock))}</div>"
        box = widgets.VBox([
            widgets.HTML(heading),
            widgets.HBox([self.search, self.level, self.works], layout=wrapped),
            self.count, self.table,
            widgets.HBox([self.option, self.again], layout=wrapped),
            self.detail,
            widgets.HBox([self.value, self.button], layout=wrapped),
            self.answer,
        ])  # fmt: skip
        box.add_class("socketlab-panel")
        self._html = {row.name: table_row(row) for row in self.rows}
        self._filter()
        for control in (self.search, self.level, self.works):
            control.observe(weakly(self._filter), "value")
        self.option.observe(weakly(self._choose), "value")
        self.button.on_click(weakly(self.ask))
        self.again.on_click(weakly(self.read_again))
        super().__init__(box)

    def read_again(self) -> None:
        """Ask the kernel for every value once more, and show what it says."""
        self.rows = survey(self.kernel.sock)
        self._html = {row.name: table_row(row) for row in self.rows}
        self._filter()

    def ask(self) -> None:
        """What the button does: ask for the value in the field, and show in words what was granted."""
        option = self.chosen
        if option is None:
            return
        entry = option.entry
        self.granted = None
        if entry.why_not:
            self._complain(entry.why_not)
            return
        try:
            value = entry.kind.parse(self.value.value)
            self.granted = self.kernel.grant(entry, value)
        except ValueError as exc:
            self._complain(str(exc))
            return
        self.answer.value = answer_picture(option, self.granted)
        if self.kernel.sock is not None:
            self.read_again()

    def _complain(self, words: str) -> None:
        self.answer.value = f"<div role='status'>{dot(ORANGE)}{escape(brief(words))}</div>"

    def _filter(self) -> None:
        """Show what the controls leave of the table. A new search goes to its best match."""
        self.found = matching(self.rows, self.search.value, self.level.value or "", self.works.value)
        names = [row.name for row in self.found]
        kept = self.option.value if self._searched == self.search.value and self.option.value in names else None
        self._searched = self.search.value
        self._filtering = True  # or each step of what follows would be taken for the learner's choice
        try:
            if list(self.option.options) != names:
                self.option.options = names
            best = _FIRST if not self.search.value.strip() and _FIRST in names else next(iter(names), None)
            self.option.value = kept or best
        finally:
            self._filtering = False
        works = sum(row.works for row in self.found)
        self.count.value = f"<div role='status'>{count(len(names), 'option')} found, {works} work here</div>"
        self.table.value = table_picture(self._html[name] for name in names)
        self._choose()

    def _choose(self) -> None:
        if self._filtering:
            return
        before = self.chosen.name if self.chosen else ""
        self.chosen = next((row for row in self.found if row.name == self.option.value), None)
        if self.chosen is None:
            self.detail.value = self.answer.value = self.value.value = ""
            self.value.disabled = self.button.disabled = True
            return
        self.detail.value = detail_picture(self.chosen)
        if self.chosen.name != before:
            entry = self.chosen.entry
            self.answer.value = ""
            self.value.disabled = self.button.disabled = bool(entry.why_not)
            self.value.placeholder = entry.why_not or f"such as {entry.kind.pattern}"
            self.value.value = _typed(entry.text.ask)

    def snapshot(self) -> str:
        return static_picture(
            self.title,
            "every option of the socket module: what it is, what this kernel says, and what it grants you.",
            ["Search", "Level ▾", "☐ only those that work here", "Option ▾", "Ask for", "Ask the kernel"],
            [
                "the options found: what each is, what a fresh socket has, and what an example was granted",
                "the one chosen, with the Python lines that read it and set it",
                "what you asked for and what was granted: the kernel doubles the size of a buffer, say",
            ],
        )


def _level_words(section: str) -> str:
    return SECTIONS[section] if section.islower() else f"{section}: {SECTIONS[section]}"


def _typed(value: object) -> str:
    """A value as one would type it into the field."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value)
