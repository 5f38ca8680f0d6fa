"""How panels look, as text: bytes that are safe to show, JupyterLab's colours, and the static picture.

Payloads come from a network, so they are never put into HTML as they are. They are shown as Python bytes literals,
which turns whatever is not printable ASCII into escapes, and then escaped for HTML.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

# Colours and fonts are JupyterLab's variables, which follow its theme; after the comma stands what holds elsewhere.
# Text has --jp-ui-font-color1 everywhere: the paler ones fall below a contrast of 4.5 on some grounds. States are
# told apart by words first, and by the colour of a mark beside them second (Okabe and Ito's colours). The arrow of a
# menu is drawn in the text's colour: ipywidgets has a black one, which the dark theme swallows.
STYLE = """<style>
.socketlab-panel { border: 1px solid var(--jp-border-color2, #bdbdbd); border-radius: 4px; padding: 8px 12px 12px;
  max-width: 960px; color: var(--jp-ui-font-color1, inherit); overflow: hidden; }
.socketlab-panel .widget-html-content, .socketlab-panel .widget-html-content * { line-height: 1.5;
  color: var(--jp-ui-font-color1, inherit); }
.socketlab-panel .widget-html, .socketlab-panel .widget-html-content { height: auto; min-width: 0; }
.socketlab-panel .widget-html-content { font-size: var(--jp-ui-font-size1, 13px); overflow-wrap: anywhere;
  width: 100%; }
.socketlab-panel :is(button, select, input, textarea, summary, .sl-copy):focus-visible {
  outline: 2px solid var(--jp-brand-color1, #1976d2) !important; outline-offset: 1px; }
.socketlab-panel .jupyter-button:disabled { color: var(--jp-ui-font-color1, inherit); opacity: 0.55; }
.socketlab-panel .widget-dropdown > select { padding-right: 22px; background-repeat: no-repeat;
  background-image: linear-gradient(45deg, transparent 50%, currentcolor 50%),
    linear-gradient(135deg, currentcolor 50%, transparent 50%);
  background-position: right 12px center, right 7px center; background-size: 5px 5px; }
.socketlab-panel .sl-title { font-weight: 600; font-size: var(--jp-ui-font-size2, 15px); }
.socketlab-panel .sl-head { font-weight: 600; margin-top: 6px; }
.socketlab-panel code { font-family: var(--jp-code-font-family, monospace); font-size: var(--jp-code-font-size, 13px);
  background: transparent; padding: 0; }
.socketlab-panel .sl-copy { user-select: all; border: 1px solid var(--jp-border-color2, #bdbdbd); border-radius: 3px;
  padding: 1px 6px; cursor: copy; }
.socketlab-panel table.sl { border-collapse: collapse; width: 100%; margin: 0; table-layout: auto; }
.socketlab-panel table.sl th, .socketlab-panel table.sl td { text-align: left; padding: 1px 12px 1px 0; border: none;
  border-top: 1px solid var(--jp-border-color3, #e0e0e0); vertical-align: top; background: transparent; }
.socketlab-panel table.sl thead th { border-top: none; font-weight: 600; white-space: nowrap; }
.socketlab-panel table.sl td.sl-wide { width: 99%; overflow-wrap: anywhere; }
.socketlab-panel table.sl td.sl-tight { white-space: nowrap; }
.socketlab-panel { container-type: inline-size; }
@container (max-width: 440px) {
  .socketlab-panel .sl-long { flex-wrap: wrap; height: auto; }
  .socketlab-panel .sl-long > * { flex: 1 1 100%; min-height: 28px; height: auto; white-space: normal;
    text-align: left; line-height: 1.5; }
  .socketlab-panel table.sl thead { display: none; }
  .socketlab-panel table.sl tr { display: flex; flex-wrap: wrap;
    border-top: 1px solid var(--jp-border-color3, #e0e0e0); }
  .socketlab-panel table.sl td { border-top: none; }
  .socketlab-panel table.sl td.sl-wide { flex: 1 1 100%; padding-left: 16px; }
}
.socketlab-panel .sl-dot { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 6px; }
</style>"""

GREEN, BLUE, ORANGE, RED, GREY = "#009e73", "#0072b2", "#e69f00", "#d55e00", "#8c8c8c"

FITS = "calc(100% - 4px)"  # the most that a control may take of a narrow panel: ipywidgets has 2 px around each

SHOWN = 60  # bytes of one call that are kept to be shown: a line of the panel


def literal(data: bytes, size: int | None = None) -> str:
    """`data` as a Python bytes literal; where it is only the beginning of `size` bytes, that is said."""
    if size is None or size <= len(data):
        return repr(data)
    return f"{data!r}… of {size:,} bytes"


def brief(text: str) -> str:
    """`text`, cut after 500 characters: what a handler raises may quote all that it received."""
    return text if len(text) <= 500 else f"{text[:500]}…"


def code(text: str) -> str:
    """`text`, whatever is in it, as HTML in the font of code."""
    return f"<code>{html.escape(text)}</code>"


def dot(colour: str) -> str:
    return f'<span class="sl-dot" style="background:{colour}"></span>'


def count(number: int, singular: str, plural: str | None = None) -> str:
    """``1 byte``, ``2 bytes``, ``65,536 bytes``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def static_picture(title: str, about: str, controls: Iterable[str], regions: Iterable[str]) -> str:
    """A panel at rest, for readers without a kernel: its controls as outlines, its empty regions by name.

    The styles stand in the tags because GitHub, nbviewer and JupyterLab each keep a different part of a style sheet,
    and what they drop must not be needed: without any style it is a paragraph and two lists of words.
    """
    edge = "border:1px solid #8c8c8c;border-radius:4px"
    outlines = " ".join(
        f'<span style="{edge};display:inline-block;padding:2px 10px;margin:2px 4px 2px 0">{html.escape(control)}</span>'
        for control in controls
    )
    places = "".join(f"<li>{html.escape(region)}</li>" for region in regions)
    return (
        f'<div style="{edge};padding:8px 12px;max-width:960px">'
        f"<p><b>{html.escape(title)}</b> — {html.escape(about)}</p>"
        f"<p>{outlines}</p>"
        f"<ul>{places}</ul>"
        f"<p><i>Run this cell to bring the panel to life.</i></p></div>"
    )
