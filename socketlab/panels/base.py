"""What every panel has: controls around a pure model, a static picture for readers, and an end.

A panel is shown three times over, and whoever shows it takes the richest form it knows: the live widget in
JupyterLab; ``text/html``, a picture of the panel at rest, on GitHub and in a notebook that has not been run yet; and
``text/plain``, its `repr`. The last two are stored in notebooks and compared on each validation, so they contain
nothing that differs between two runs or two machines: no port, no address, no time.

A panel holds servers and threads. `Panel.close` ends them; so does running its cell again, because the new panel
takes the place of the one that the same cell made before.
"""

from __future__ import annotations

from typing import Any, ClassVar

import ipywidgets as widgets


class Panel:
    """Base of all panels. A subclass builds `widget` in its ``__init__`` and calls ``super().__init__(widget)`` last."""

    title: ClassVar[str] = "Panel"  #: stands in the repr and above the static picture

    # The panel that each cell made last, by class and cell id.
    _latest: ClassVar[dict[tuple[type, str], Panel]] = {}

    def __init__(self, widget: widgets.Widget) -> None:
        self.widget = widget
        self.closed = False
        cell = current_cell()
        if cell is not None:
            before = Panel._latest.get((type(self), cell))
            Panel._latest[type(self), cell] = self
            if before is not None:
                before.close()

    def snapshot(self) -> str:
        """The panel at rest as static HTML, the same on every machine."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop what the panel started and take its controls away. Idempotent. Subclasses stop their servers first."""
        if not self.closed:
            self.closed = True
            _close(self.widget)

    def __repr__(self) -> str:
        return f"<{self.title} panel>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = dict(self.widget._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = repr(self)
        bundle["text/html"] = self.snapshot()
        return bundle


def _close(widget: widgets.Widget) -> None:
    for child in getattr(widget, "children", ()):
        _close(child)
    widget.close()


def current_cell() -> str | None:
    """The id of the notebook cell that runs now, as JupyterLab tells it; None outside Jupyter or where it does not."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    shell = get_ipython()
    header = getattr(shell, "parent_header", None) or {}
    cell = header.get("metadata", {}).get("cellId")
    return cell if isinstance(cell, str) else None
