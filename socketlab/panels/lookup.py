"""LookupPanel: find an operation, a constant or an error by name or by what it does, and open the section about it.

The model is `socketlab.lookup`; a key in the search field only filters it. A link opens the notebook at the section's
heading, by JupyterLab's own command for links, which wants the path as its server has it. The server that started this
kernel has written down its folder (jpserver-PID.json); where it has not, the link opens the notebook at its top, in a
tab of the browser. JupyterLab 4.6 scrolls to a heading only in a notebook that is open already: else click twice.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from functools import cache
from html import escape
from pathlib import Path
from typing import ClassVar

import ipywidgets as widgets

from ..lookup import Entry, Place, entries, matching
from .base import Panel, weakly
from .drawing.look import FITS, STYLE, code, count, static_picture

MOST = 30  # rows shown: who sees more than that wants another word
MOST_EXERCISES = 6  # named beside an operation
_OPEN = "rendermime:handle-local-link"  # JupyterLab's command for a link in a text
_STYLE = """<style>
.socketlab-panel .sl-lookup { max-height: 420px; overflow: auto; border: 1px solid var(--jp-border-color2, #bdbdbd);
  border-radius: 3px; padding: 0 8px; }
.socketlab-panel .sl-lookup table.sl { table-layout: fixed; width: 100%; }
.socketlab-panel .sl-lookup thead th { position: sticky; top: 0; background: var(--jp-layout-color0, Canvas); }
.socketlab-panel .sl-lookup td { overflow-wrap: break-word; padding-bottom: 4px; }
.socketlab-panel .sl-lookup th:nth-child(1) { width: 30%; }
.socketlab-panel .sl-lookup th:nth-child(2) { width: 32%; }
.socketlab-panel .sl-lookup a { color: var(--jp-content-link-color, LinkText); }
@container (max-width: 600px) {
  .socketlab-panel .sl-lookup thead { display: none; }
  .socketlab-panel .sl-lookup table.sl :is(tbody, tr, td:nth-child(n)) { display: block; width: auto; padding: 0; }
  .socketlab-panel .sl-lookup table.sl td { border-top: none; }
  .socketlab-panel .sl-lookup table.sl tr { padding: 4px 0; border-top: 1px solid var(--jp-border-color3, #e0e0e0); }
  .socketlab-panel .sl-lookup table.sl tr:first-child { border-top: none; }
}
</style>"""
_WORDS = {
    "operations": ("Operations", "operation", "recv, epoll, unix stream, getaddrinfo(3)", "taught in"),
    "constants": ("Constants", "constant", "MSG_, multicast, EPOLL edge, tcp(7)", "used in, or about its kind"),
    "errors": ("Errors", "error", "98, refused, EPIPE, timed out", "shown in, and cured in"),
}


def row(entry: Entry) -> str:
    """One line of the table; everything is escaped."""
    name = code(entry.name).replace(".", ".<wbr>").replace("_", "_<wbr>")  # where a long one may be broken
    places = [_link(place) for place in entry.places]
    places += [f"<b>cured:</b> {_link(place)}" for place in entry.cures]
    if entry.exercises:
        more = ", …" if len(entry.exercises) > MOST_EXERCISES else ""
        places.append("exercises: " + ", ".join(map(code, entry.exercises[:MOST_EXERCISES])) + more)
    return (
        f"<tr><td>{name}<br>{escape(entry.beneath)}</td><td>{_markdown(entry.what)}</td>"
        f"<td>{'<br>'.join(places)}</td></tr>"
    )


def table(rows: Iterable[str], last_head: str) -> str:
    """The rows under their heads, in a box that scrolls; a sentence where there are none."""
    body = "".join(rows)
    if not body:
        return "<p>Nothing has all of these words. A shorter search finds more.</p>"
    heads = "".join(f"<th scope='col'>{head}</th>" for head in ("name, and what is beneath", "what it is", last_head))
    # tabindex: who has no mouse scrolls the box with the arrow keys.
    return (
        "<div class='sl-lookup' tabindex='0' role='region' aria-label='What was found'>"
        f"<table class='sl'><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _link(place: Place) -> str:
    folder, command = _folder_on_the_server(), ""
    if folder is not None:
        where = json.dumps({"path": f"{folder}{place.notebook}", "id": f"#cell-id={place.cell}"})
        command = f" data-commandlinker-command='{_OPEN}' data-commandlinker-args='{escape(where)}'"
    words = escape(f"{place.number} {place.heading}")
    return f"<a href='{escape(place.link)}' target='_blank'{command}>{words}</a>"


@cache
def _folder_on_the_server() -> str | None:
    """This notebook's folder as seen from the server's root, with a slash behind it; "" for the root itself.

    None where there is no server, or the notebook lies elsewhere.
    """
    try:
        from jupyter_core.paths import jupyter_runtime_dir

        told = Path(jupyter_runtime_dir(), f"jpserver-{os.getppid()}.json").read_text(encoding="utf-8")
        here = Path(os.environ["JPY_SESSION_NAME"]).parent
        folder = here.relative_to(Path(json.loads(told)["root_dir"])).as_posix()
    except (ImportError, OSError, KeyError, ValueError):
        return None
    return "" if folder == "." else f"{folder}/"


def _markdown(text: str) -> str:
    """A line of a table as it is shown: only code is marked there."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False).replace("\\|", "|"))


class LookupPanel(Panel):
    """Search the index of `kind`, "operations", "constants" or "errors".

    Raises ValueError for another kind. `found` is what the search leaves, the best first; 30 of them are shown.
    """

    title: ClassVar[str] = "Look it up"

    def __init__(self, kind: str = "operations") -> None:
        self.kind, self.entries = kind, entries(kind)
        self.found: list[Entry] = []
        title, self._noun, examples, self._last_head = _WORDS[kind]
        self.search = widgets.Text(
            description="Search", placeholder=examples, continuous_update=True,
            tooltip="Filters while you type: all words must occur", layout={"width": "32em", "max_width": FITS},
        )  # fmt: skip
        self.count, self.table = widgets.HTML(), widgets.HTML()
        heading = f"{STYLE}{_STYLE}<div class='sl-title'>{self.title}: {title.lower()}</div>"
        box = widgets.VBox([widgets.HTML(heading), self.search, self.count, self.table])
        box.add_class("socketlab-panel")
        self._filter()
        self.search.observe(weakly(self._filter), "value")
        super().__init__(box)

    def _filter(self) -> None:
        self.found = matching(self.entries, self.search.value)
        more = f", the first {MOST} of them are shown" if len(self.found) > MOST else ""
        self.count.value = f"<div role='status'>{count(len(self.found), self._noun)} found{more}</div>"
        self.table.value = table(map(row, self.found[:MOST]), self._last_head)

    def snapshot(self) -> str:
        return static_picture(
            f"{self.title}: {self.kind}",
            f"every one of the {len(self.entries)} {self.kind} of the course, with the section that teaches it.",
            ["Search"],
            ["what was found: its name, the C call or the message beneath, what it is, and links to its sections"],
        )
