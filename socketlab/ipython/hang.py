"""A cell that hangs says so: which call, which line, what it is waiting for. The note goes when the call returns.

One daemon thread watches. It sleeps, without a timeout, while no cell runs; while one does, it looks once a second
where that cell stands (some 0.1 ms), twice a second while a note is up. A note appears when two looks that far apart
have seen the same call, not just the same line: Linux tells whether the thread has run in between.

The note is a display of its own, sent with the header of the cell's request, so that it lands under that cell whatever
else runs. When the call returns it is emptied; when the cell ends it is taken out of the outputs (`outputs` says how),
so that nothing of it is saved.

No note where runs are not counted (nbval, ``store_history=False``), where nobody is looking (`quiet`), and outside of
Jupyter: a terminal has no place for it.
"""

from __future__ import annotations

import sys
import threading
import uuid
from contextlib import suppress
from html import escape
from time import monotonic
from typing import Any

from ..interrupts import Uninterrupted
from ..trace.awaiting import awaiting
from ..trace.waiting import Waiting, waiting
from .outputs import Outputs
from .quiet import is_quiet
from .sockets import REGISTER

PATIENCE = 3.0  # s; a cell that waits as long as this makes people wonder
LOOK = 1.0  # s between two looks at a cell that runs
LOOK_AGAIN = 0.5  # s between two looks at a cell under which a note stands

_REMEDY = {
    "accept": "interrupt with ■, or connect from another notebook",
    "datagram": "interrupt with ■, or send one from another notebook",
}
_STYLE = (
    "border-left:3px solid var(--jp-warn-color1, #b35900);padding:4px 10px;margin:2px 0;"
    "color:var(--jp-content-font-color1, inherit);font-family:var(--jp-content-font-family, sans-serif)"
)


class Run:
    """One run of a cell, and the note under it."""

    def __init__(self, info: Any, shell: Any, outputs: Outputs) -> None:
        self.info = info
        self.thread = threading.current_thread()
        self.task = _current_task()  # a cell with `await` at the top is a task of Jupyter's event loop
        self.publisher = shell.display_pub
        self.header = shell.display_pub.parent_header
        self.request = str(self.header.get("msg_id", ""))
        self.outputs = outputs
        outputs.watch(self.request)
        self.same: object = None  # the wait that the last look saw,
        self.since = 0.0  # and when it was first seen
        self.note = ""  # the display id of the note; "" where there is none
        self.shown = False

    def waits_for(self, explain: bool = True) -> Waiting | None:
        """What the thread is blocked in, or else the cell's own `await`."""
        found = waiting(self.thread, explain=explain)
        return awaiting(self.task, explain=explain) if found is None and self.task is not None else found

    def show(self, text: str) -> None:
        """Put up the note."""
        html = f'<div class="socketlab-note" style="{_STYLE}">{escape(text, quote=False)}</div>'
        self._display({"text/plain": text, "text/html": html})
        self.shown = True

    def empty(self) -> None:
        """The call has returned: nothing is to be seen of the note."""
        if self.shown:
            self.shown = False
            self._display({})

    def clear(self) -> None:
        """Take the note out of the outputs: clear them, and send again what else is there."""
        if not self.note:
            return
        self.empty()
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # somebody may have put something else there
                stream.flush()
        others = self.outputs.of(self.request)
        if others is None:
            return
        self._send("clear_output", {"wait": bool(others)})  # with the next output, so that nothing flickers
        for kind, content in others:
            self._send(kind, content)
        self.note = ""

    def _display(self, data: dict[str, str]) -> None:
        kind = "update_display_data" if self.note else "display_data"
        self.note = self.note or uuid.uuid4().hex
        self._send(kind, {"data": data, "metadata": {}, "transient": {"display_id": self.note}})

    def _send(self, kind: str, content: dict[str, Any]) -> None:
        self.outputs.send(kind, content, self.header, self.publisher)


class Watch:
    """The hooks around each run, and the thread that looks. `patience` in seconds may be changed; None: no notes."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.patience: float | None = PATIENCE
        self._runs: dict[threading.Thread, Run] = {}  # JupyterLab's subshells run cells in threads of their own
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._stopped = False
        session = getattr(shell.display_pub, "session", None)  # None in a terminal
        self._outputs = Outputs(session) if session is not None else None

    def start(self) -> None:
        """Watch from the next cell on."""
        self._stopped = False
        if self._outputs is not None:
            self._outputs.start()
        self._shell.events.register("pre_run_cell", self.begin)
        self._shell.events.register("post_run_cell", self.end)

    def stop(self) -> None:
        """Watch no more, and take a note away that is there."""
        for event, hook in (("pre_run_cell", self.begin), ("post_run_cell", self.end)):
            if hook in self._shell.events.callbacks[event]:
                self._shell.events.unregister(event, hook)
        with Uninterrupted(), self._changed:
            self._stopped = True
            for run in self._runs.values():
                run.clear()
            self._runs.clear()
            if self._outputs is not None:
                self._outputs.stop()
            self._changed.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(LOOK)

    # -- around each run -------------------------------------------------------------------------------------------

    def begin(self, info: Any) -> None:
        """A cell is about to run."""
        if self.patience is None or not info.store_history or is_quiet() or self._outputs is None:
            return
        with Uninterrupted(), self._changed:
            idle = not self._runs
            self._runs[threading.current_thread()] = Run(info, self._shell, self._outputs)
            if self._thread is None or not self._thread.is_alive():  # not yet; or not in this process, after a fork
                self._thread = threading.Thread(target=self._watch, name="socketlab watch", daemon=True)
                self._thread.start()
            elif idle:
                self._changed.notify()

    def end(self, result: Any) -> None:
        """A cell has run; a cell within a cell (`%%capture`) may also have."""
        run = self._runs.get(threading.current_thread())
        if run is None or (result is not None and result.info.raw_cell != run.info.raw_cell):
            return
        with Uninterrupted(), self._changed:
            self._runs.pop(threading.current_thread(), None)
            run.clear()
            run.outputs.forget(run.request)

    def clear(self) -> None:
        """The cell of this thread is about to put something out: take the note away first."""
        with Uninterrupted(), self._changed:
            run = self._runs.get(threading.current_thread())
            if run is not None:
                run.clear()

    # -- the thread ------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while True:
            with self._changed:
                while not self._runs and not self._stopped:
                    self._changed.wait()
                self._changed.wait(self._pause())
                if self._stopped:
                    return
                runs = list(self._runs.values())
            for run in runs:
                try:
                    self._look(run)
                except Exception:  # a note is a courtesy: nothing that goes wrong with it may show
                    pass

    def _pause(self) -> float:
        if any(run.shown for run in self._runs.values()):
            return LOOK_AGAIN
        return min(LOOK, (self.patience or PATIENCE) / 3)

    def _look(self, run: Run) -> None:
        patience = self.patience
        if patience is None:
            return
        now, found = monotonic(), run.waits_for(explain=False)
        same = None if found is None else found.same
        if same is None or same != run.same:
            run.same, run.since = same, now
            with self._changed:
                if run in self._runs.values():
                    run.empty()
            return
        if run.shown and run.task is not None:
            # ipykernel 7.4 notes an interrupt, and cancels the cell when its loop has the next thing to do.
            run.task.get_loop().call_soon_threadsafe(int)
        if run.shown or now - run.since < patience - self._pause() - 0.01:
            return
        found = run.waits_for()
        if found is None or found.same != same:
            return
        text = sentence(found)
        with self._changed:
            if run in self._runs.values() and self.patience is not None:
                run.show(text)


def _current_task() -> Any:
    asyncio = sys.modules.get("asyncio")
    try:
        return None if asyncio is None else asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        return None


def sentence(found: Waiting) -> str:
    """The note: ``accept() at line 3: nobody has connected to 127.0.0.1:8080 yet; interrupt with ■, or …``."""
    words = _told(found)
    if found.limit is not None:
        words += f" (it gives up after {found.limit:g} s)"
    kind = "datagram" if found.words.startswith("no datagram has come to") else found.kind
    return f"{words}; {_REMEDY.get(kind, 'interrupt with ■')}"


def _told(found: Waiting) -> str:
    cell = REGISTER.number(found.file)
    if cell is None:
        where = f"line {found.line} of {found.file}"
    elif found.function == "<module>":  # of the cell that runs, or of the thread that it waits for
        where = f"line {found.line}"
    else:
        where = f"line {found.line}, in {found.function}() of cell [{cell}]"
    return f"{found.call}() at {where}: {found.words}{f' {_told(found.other)}' if found.other is not None else ''}"
