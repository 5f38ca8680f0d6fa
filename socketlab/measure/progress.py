"""A progress bar and a Stop button for measurements that take more than a second, in a notebook that is watched.

It shows nothing in the first second, nothing outside a Jupyter kernel, nothing from a background thread (its output
would land in whichever cell runs then), and nothing where SOCKETLAB_QUIET is set: recorded and validated notebooks
compare what a cell shows, and a bar that comes only on slow machines would fail them.

The bar is moved between two samples, never by a thread of its own: a second thread would take the GIL from the
call that is being measured. Whether Stop was pressed is looked at between two samples as well. The press comes in a
subshell of the kernel (ipykernel 7, JupyterLab 4.4); where there is none it is heard when the cell has ended, and
Interrupt is the way.
"""

import os
import sys
import threading
from contextlib import suppress
from importlib import import_module
from time import perf_counter_ns
from typing import Any

from ..live_widgets import close_widget, hear_at_any_time

_FIRST_NS = 1_000_000_000
_EVERY_NS = 200_000_000


class Progress:
    """Show how far a measurement has come; `with Progress(label) as bar: … if now >= bar.due_ns: bar.show(0.4)`."""

    def __init__(self, label: str, *, can_stop: bool = False) -> None:
        self.label, self._can_stop = label, can_stop
        self.stopped = False  #: somebody pressed Stop: return what there is
        self.due_ns: float = perf_counter_ns() + _FIRST_NS if _watched() else float("inf")
        self._bar: Any = None
        self._box: Any = None
        self._place: Any = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exc: object) -> None:
        """The bar disappears, whatever ended the measurement."""
        self.due_ns = float("inf")
        box, place, self._bar, self._box, self._place = self._box, self._place, None, None, None
        # A front end that is gone must not turn a finished measurement into an error.
        with suppress(Exception):
            if box is not None:
                close_widget(box)
            if place is not None:
                place.update({"text/plain": ""}, raw=True)

    def show(self, share: float) -> None:
        """Show the bar at `share` (0 to 1) and say in `due_ns` when to call again."""
        try:
            if self._bar is None:
                self._open()
            self._bar.value = min(share, 1.0)
            self.due_ns = perf_counter_ns() + _EVERY_NS
        except Exception:  # no ipywidgets, no front end: a bar is a courtesy, the measurement goes on without
            self.due_ns = float("inf")

    def show_if_due(self, share: float) -> None:
        """`show`, if enough time has passed."""
        if perf_counter_ns() >= self.due_ns:
            self.show(share)

    def _open(self) -> None:
        widgets: Any = import_module("ipywidgets")
        ipython: Any = import_module("IPython.display")
        style, layout = {"description_width": "initial"}, {"width": "60%"}
        bar = widgets.FloatProgress(min=0, max=1, description=self.label, style=style, layout=layout)
        box = widgets.HBox([bar, *([self._button(widgets)] if self._can_stop else [])])
        hear_at_any_time(box)
        self._bar, self._box, self._place = bar, box, ipython.display(box, display_id=True)

    def _button(self, widgets: Any) -> Any:
        layout, tooltip = {"width": "auto"}, "End here, with what was measured until now"
        button = widgets.Button(description="Stop", icon="stop", tooltip=tooltip, layout=layout)
        button.on_click(self._stop)
        return button

    def _stop(self, button: Any) -> None:
        self.stopped = True
        button.disabled = True


def _watched() -> bool:
    """Whether this code runs in the main thread of a Jupyter kernel that may show a widget."""
    if os.environ.get("SOCKETLAB_QUIET") or threading.current_thread() is not threading.main_thread():
        return False
    ipython = sys.modules.get("IPython")  # never import it: outside IPython nobody has
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
