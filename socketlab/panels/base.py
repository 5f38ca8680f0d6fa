"""What every panel has: controls around a pure model, a static picture for readers, and an end.

A panel is shown three times over, and whoever shows it takes the richest form it knows: the live widget in
JupyterLab; ``text/html``, a picture of the panel at rest, on GitHub and in a notebook that has not been run yet; and
``text/plain``, its `repr`. The last two are stored in notebooks and compared on each validation, so they contain
nothing that differs between two runs or two machines: no port, no address, no time.

A panel holds servers and threads. They end, whichever comes first:

* when `Panel.close` is called;
* when the cell that made the panel runs again, before the new panel is built: the port is free by then. Panels made
  in the same run of a cell live side by side;
* when nobody knows the panel any more and it has never been shown. One that has been shown stays, even if the
  notebook keeps no name for it: its buttons are on the page;
* with the kernel.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import ipywidgets as widgets

from ..live_widgets import close_widget, hear_at_any_time


class Panel:
    """Base of all panels. A subclass builds `widget` in its ``__init__``, then calls ``super().__init__(widget)``."""

    title: ClassVar[str] = "Panel"  #: stands in the repr and above the static picture

    # By cell id: the run of the cell, and the panels that it made.
    _made: ClassVar[dict[str, tuple[str, weakref.WeakSet[Panel]]]] = {}
    _shown: ClassVar[set[Panel]] = set()

    def __new__(cls, *args: Any, **settings: Any) -> Any:
        # The one before goes first: a subclass starts its servers, and only then calls our __init__.
        panel = super().__new__(cls)
        panel.__dict__["_turn"] = threading.RLock()  # held while an event is dealt with
        cell, run = current_run()
        before, panels = Panel._made.get(cell, (run, ()))
        if before != run:
            for old in tuple(panels):
                old.close()
            del Panel._made[cell]
        return panel

    def __init__(self, widget: widgets.Widget) -> None:
        self.widget = widget
        self.closed = False
        hear_at_any_time(widget)
        cell, run = current_run()
        if cell:
            Panel._made.setdefault(cell, (run, weakref.WeakSet()))[1].add(self)
        # ipywidgets keeps every open widget for good, so a forgotten panel has to take its own along.
        weakref.finalize(self, close_widget, widget).atexit = False

    def snapshot(self) -> str:
        """The panel at rest as static HTML, the same on every machine."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop what the panel started and take its controls away. Idempotent. Subclasses stop their servers first."""
        if not getattr(self, "closed", True):
            self.closed = True
            close_widget(self.widget)
        Panel._shown.discard(self)

    def __repr__(self) -> str:
        return f"<{self.title} panel>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self.snapshot()}
        if not self.closed:  # a closed widget has no face left, and its _repr_mimebundle_ is None
            Panel._shown.add(self)
            bundle = {**(self.widget._repr_mimebundle_(**kwargs) or {}), **bundle}
        return bundle


def current_run() -> tuple[str, str]:
    """The id of the notebook cell that runs now, and that of this run of it; empty where nobody says."""
    try:
        from IPython import get_ipython
    except ImportError:
        return "", ""
    request = getattr(get_ipython(), "parent_header", None) or {}
    cell = request.get("metadata", {}).get("cellId")
    run = request.get("header", {}).get("msg_id")
    return (cell, run) if isinstance(cell, str) and isinstance(run, str) else ("", "")


def weakly(method: Callable[..., Any], with_event: bool = False) -> Callable[..., None]:
    """`method` as a callback for a widget's event, without keeping its panel alive.

    It is called without arguments, or with those of the event where it asks for them, and never while another event
    of the same panel is dealt with: JupyterLab delivers events to threads (subshells) that are not the cells' own.
    """
    reference = weakref.WeakMethod(method)

    def callback(*event: object) -> None:
        if (bound := reference()) is not None:
            with getattr(getattr(bound, "__self__", None), "_turn", None) or contextlib.nullcontext():
                bound(*(event if with_event else ()))

    return callback
