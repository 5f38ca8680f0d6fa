"""Widgets whose events are heard while a cell runs, and which end whole: what `measure` and `panels` both need.

Nothing here imports ipywidgets: whoever calls has done so already.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def parts_of(widget: Any) -> Iterator[Any]:
    """`widget` and what belongs to it: what a box contains, layouts and styles."""
    parts = [getattr(widget, name, None) for name in ("layout", "style")]
    for part in (*getattr(widget, "children", ()), *parts):
        if hasattr(part, "comm"):
            yield from parts_of(part)
    yield widget


def close_widget(widget: Any) -> None:
    """Close `widget` and what belongs to it, which ipywidgets would leave open."""
    for part in parts_of(widget):
        part.close()


def hear_at_any_time(widget: Any) -> None:
    """Let `widget` hear the browser while a cell runs, which is when somebody wants to press Stop.

    JupyterLab sends the events of widgets to a subshell, a thread beside the one that runs cells. ipykernel 7.4 sends
    them on to where the widget spoke last, and that is the cell that made it: they would wait until no cell runs, or
    be dealt with in two threads at once. Where ipykernel has no such rule, nothing is done.
    """
    for part in parts_of(widget):
        if hasattr(part.comm, "_reply_subshell_for"):
            part.comm._reply_subshell_for = _as_addressed


def _as_addressed(data: object, subshell: str | None) -> str | None:
    return subshell
