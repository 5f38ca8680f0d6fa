"""What the panels of experiments have in common: controls, Run and Stop, a bar, a finding in words, and a picture.

Three threads meet here. Controls are moved in the kernel's (a subshell's). The experiment runs in one of its own, and
never two of a panel at once: a new run begins when the one before has closed what it opened. The painter draws what
the experiment yielded last; so a quick experiment waits for no picture, and a slow picture skips results.
"""

from __future__ import annotations

import html
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import closing
from typing import Any, ClassVar

import ipywidgets as widgets

from ..experiments.running import Steps
from .base import Panel, weakly
from .drawing.look import STYLE, brief, static_picture
from .drawing.painter import Painter
from .talks.recording import describe

PERIOD = 0.06  # seconds between two pictures of a run: with the painter's GATHER a change shows within 0.1 s
PATIENCE = 60.0  # seconds after which a run without end pauses, where nobody touches the panel: it costs a slow core


class ExperimentPanel(Panel):
    """Base of the panels that measure. A subclass makes its controls, then calls ``super().__init__([...])``.

    It says in `about`, `hint` and `regions` what is to be seen, and gives `steps`, `picture` and `finding`. Nothing
    is measured before somebody presses Run or moves a control.
    """

    about: ClassVar[str] = ""  #: what is measured, in one sentence
    hint: ClassVar[str] = ""  #: what to try, in one sentence
    regions: ClassVar[Sequence[str]] = ()  #: what the picture shows, for those who only read
    run_label: ClassVar[str] = "Run"  #: what its first button says
    auto: ClassVar[bool] = True  #: a moved control measures anew at once; otherwise Run is asked for

    def __init__(self, controls: Sequence[Any], *, live: Sequence[Any] = ()) -> None:
        """`controls` in order; those that are also in `live` act on a run under way and do not begin a new one."""
        self.controls = tuple(controls)
        self.result: Any = None  #: what the last run, or the one under way, has found so far; None before
        self._share: float | None = 0.0
        self._words = ""  #: what went wrong, or why there is nothing to see
        self._settled = True  #: the result belongs to the controls as they stand
        self._touched = time.monotonic()
        self._run_lock = threading.RLock()
        self._worker: _Worker | None = None
        self._painter = Painter(self._draw, PERIOD)

        wide = widgets.Layout(width="auto")
        self.run_button = widgets.Button(description=self.run_label, icon="play", tooltip="Measure", layout=wide)
        self.stop_button = widgets.Button(
            description="Stop", icon="stop", tooltip="End here, with what was measured until now", disabled=True,
            layout=widgets.Layout(width="auto"),
        )  # fmt: skip
        self._bar = widgets.FloatProgress(min=0, max=1, layout=widgets.Layout(width="160px", visibility="hidden"))
        self._finding, self._picture = widgets.HTML(), widgets.HTML()
        self._picture.add_class("sl-picture")
        self.run_button.on_click(weakly(self.run))
        self.stop_button.on_click(weakly(self.stop))
        for control in self.controls:
            for part in _inputs(control):
                moved = self._touch if part in live or control in live else self._moved
                part.observe(weakly(moved), names="value")

        row = widgets.Layout(flex_flow="row wrap", align_items="center", width="100%")
        head = f'{STYLE}<span class="sl-title">{html.escape(self.title)}</span><div>{html.escape(self.hint)}</div>'
        box = widgets.VBox(
            [
                widgets.HTML(head),
                widgets.HBox(list(self.controls), layout=row),
                widgets.HBox([self.run_button, self.stop_button, self._bar], layout=row),
                self._finding,
                self._picture,
            ]
        )
        box.add_class("socketlab-panel")
        super().__init__(box)
        self._draw()
        self._painter.start()

    # -- what a subclass gives -------------------------------------------------------------------------------------

    def steps(self) -> Steps[Any]:
        """The experiment with the controls as they stand: see `socketlab.experiments.running`.

        An ordinary method that reads the controls and returns a generator: one that is itself a generator would keep
        a forgotten panel alive. Raises ValueError for controls that make no sense; the panel shows its words.
        """
        raise NotImplementedError

    def picture(self, result: Any) -> str:
        """The result so far as HTML, whatever is in it made safe; called by the painter."""
        raise NotImplementedError

    def finding(self, result: Any) -> str:
        """The result so far as a sentence of plain text."""
        raise NotImplementedError

    # -- what the buttons do ---------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether an experiment is under way."""
        worker = self._worker
        return worker is not None and worker.is_alive()

    def run(self) -> None:
        """Begin a new run with the controls as they stand, as the button does; one under way ends first."""
        with self._run_lock:
            if self.closed:
                return
            self.stop()
            self._touched = time.monotonic()
            self._settled, self._share = True, 0.0
            try:
                steps = self.steps()
            except (ValueError, OSError, NotImplementedError) as exc:
                self._words = str(exc)
                self.result = None  # what was found before belongs to other settings
            else:
                self._words = ""
                self._worker = _Worker(self, steps)
                self._worker.start()
            self._painter.touch()

    def stop(self) -> None:
        """End the run, as the button does; the result so far stays. When this returns, all it opened is closed."""
        with self._run_lock:
            worker, self._worker = self._worker, None
            if worker is not None:
                worker.end()
            self._painter.touch()

    def close(self) -> None:
        """End the run and the painter, and take the controls away. Idempotent."""
        if hasattr(self, "_run_lock"):
            self.stop()
            self._painter.close()
        super().close()

    def wait(self, seconds: float = 30.0) -> bool:
        """Wait until the run is over, at most so long; whether it is. For cells and tests."""
        worker = self._worker
        if worker is not None and worker is not threading.current_thread():
            worker.join(seconds)
        return not self.running

    def snapshot(self) -> str:
        names = [str(part.description) for control in self.controls for part in _inputs(control)]
        return static_picture(self.title, self.about, [*filter(None, names), self.run_label, "Stop"], self.regions)

    # -- what happens meanwhile ------------------------------------------------------------------------------------

    def _moved(self) -> None:
        """A control has another value."""
        if self.auto:
            self.run()
        else:
            self._settled = False
            self._painter.touch()

    def _touch(self) -> None:
        """A control acts on the run under way by itself; where there is none, one begins."""
        self._touched = time.monotonic()
        if not self.running:
            self.run()
        self._painter.touch()

    def _stepped(self, share: float | None, result: Any) -> bool:
        """Called by the worker after each step; whether it shall go on."""
        self._share, self.result = share, result
        self._painter.touch()
        if share is None and time.monotonic() > self._touched + PATIENCE:
            self._words = (
                f"Paused: nobody has touched this panel for {PATIENCE:.0f} s. {self.run_label} starts it again."
            )
            return False
        return True

    def _ended(self, error: BaseException | None) -> None:
        if error is not None:
            self._words = str(error) if isinstance(error, (ValueError, NotImplementedError)) else describe(error)
        self._painter.touch()

    def _draw(self) -> None:
        """Write what has changed into the page; called by the painter's thread alone, once the panel stands."""
        result, running, share = self.result, self.running, self._share
        words = [brief(text) for text in (self._words,) if text]
        if result is not None:
            words.append(self.finding(result))
        if not self._settled:
            words.append(f"The controls have moved since: press {self.run_label}.")
        elif not running and result is None and not words:
            words.append(f"Press {self.run_label}, or move a control." if self.auto else f"Press {self.run_label}.")
        lines = "".join(f"<div>{html.escape(line)}</div>" for line in words)
        for widget, value in ((self._finding, lines), (self._picture, "" if result is None else self.picture(result))):
            if widget.value != value:
                widget.value = value
        if running and share is not None:
            self._bar.value = share
        self._bar.layout.visibility = "visible" if running and share is not None else "hidden"
        self.run_button.disabled = running and self.auto
        self.stop_button.disabled = not running


class _Worker(threading.Thread):
    """Runs one experiment. Holds its panel only between two steps, so that a forgotten panel can go."""

    def __init__(self, panel: ExperimentPanel, steps: Steps[Any]) -> None:
        super().__init__(name=f"panel {panel.title}", daemon=True)
        self._panel = weakref.ref(panel)
        self._steps = steps
        self._ending = threading.Event()

    def end(self) -> None:
        """Have it end after the step that it is in, and wait for that."""
        self._ending.set()
        if self is not threading.current_thread():
            self.join()

    def run(self) -> None:
        error: BaseException | None = None
        try:
            with closing(self._steps) as steps:
                for share, result in steps:
                    panel = self._panel()
                    if panel is None or self._ending.is_set() or not panel._stepped(share, result):
                        break
                    del panel
        except Exception as exc:
            error = exc.with_traceback(None)
        panel = self._panel()
        if panel is not None and not self._ending.is_set():
            panel._worker = None
            panel._ended(error)


def _inputs(control: Any) -> list[Any]:
    """The widgets of `control` that have a value: itself, or those in a box."""
    children = getattr(control, "children", None)
    if children is None:
        return [control] if control.has_trait("value") and not isinstance(control, widgets.HTML) else []
    return [part for child in children for part in _inputs(child)]
