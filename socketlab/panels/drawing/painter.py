"""When a panel is redrawn: soon after something happened, not more often than eyes can follow, and never otherwise.

Events come from many threads, thousands in a second when a server talks to itself, and at any time: while the
kernel is idle, and while a cell runs and keeps the kernel's own loop busy. So neither the event's thread draws (it
would slow the conversation that it shows), nor the kernel's loop (it would show a blocked `accept()` only after it
returned), but one thread per panel that sleeps until it is told.

That is safe in ipykernel: a comm message of any thread is handed to the one thread that owns the ZeroMQ socket
(``ipykernel.iostream.IOPubThread``). It is safe in ipywidgets as long as a trait has one writer: the painter writes
only traits that the browser never does, such as ``HTML.value`` and ``Button.disabled``.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

# Seconds between two pictures: 12 a second look continuous in a table, and a tenth of a second is the most that
# somebody waits for an effect without noticing (Miller, 1968).
PERIOD = 0.08

# Seconds between an event and the picture of it. On loopback a conversation is over in this time, and drawing during
# it would take the interpreter (one thread at a time) away from those who talk: round trips would read 5 ms longer.
GATHER = 0.02


class Painter:
    """Calls `draw`, a method of the panel, in one background thread, at most once per `period` seconds after `touch`.

    What is touched before `start` is drawn then. `draw` is called by that one thread and by nobody else.
    The panel is not kept alive; the thread ends with it or at `close`. An exception of `draw` is kept in `fault`
    and not printed: a print of a thread lands in whichever cell runs then.
    """

    def __init__(self, draw: Callable[[], None], period: float = PERIOD) -> None:
        self.fault: BaseException | None = None
        self.pictures = 0
        self._draw = weakref.WeakMethod(draw, self._forgotten)
        self._period = period
        self._dirty = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="panel painter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def touch(self) -> None:
        """Something changed: have it drawn, at once or as soon as the period is over."""
        if not self._dirty.is_set():  # cheaper than set(), and called for every recv
            self._dirty.set()

    def close(self) -> None:
        """End the thread; nothing is drawn after this. Idempotent."""
        self._forgotten()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _forgotten(self, reference: object = None) -> None:
        self._ending.set()
        self._dirty.set()

    def _run(self) -> None:
        while True:
            self._dirty.wait()
            if self._ending.wait(GATHER):
                return
            self._dirty.clear()  # before drawing: what happens meanwhile is drawn the next time
            draw = self._draw()
            if draw is None or self._ending.is_set():
                return
            try:
                draw()
            except Exception as exc:
                self.fault = exc.with_traceback(None)
            self.pictures += 1
            del draw  # or the panel would live on in this thread while it waits
            if self._ending.wait(self._period):
                return
