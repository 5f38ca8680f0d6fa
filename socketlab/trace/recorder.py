"""Records calls: what the replaced methods of `socket.socket` write down, and where.

**The log.** Each thread has a list of its own, its lane, and each call that comes back adds six slots to it:

    start, end, who, operation, asked, moved

`start` and `end` are seconds of `time.perf_counter`, a float each (24 bytes, where an int would take 32); `who` is the
`End` behind the socket; `operation` says how the other two are to be read. Nothing is computed here that can be
computed later: this runs inside the calls of a program whose timing somebody wants to see. A flat list costs less than
a tuple for each call, because the garbage collector does not look at floats and strings, and adding six slots is one
step that no other thread can see half done.

**Memory.** A lane's list is put aside when it has grown to `CHUNK` slots, and that is when the limits are looked at:
beyond `events` calls nothing more is recorded, and the trace says so. Payload is kept as the program's own bytes
objects, without a copy where it is immutable; beyond `payload` bytes only its size and beginning are kept.

**One recorder for all.** Traces may be nested or open side by side; they share one recorder, and each takes what
happened between its own opening and closing. The last one to close gives the class back its methods.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from _thread import get_ident
from collections import deque
from time import perf_counter
from types import FrameType
from typing import Any

from ..interrupts import Uninterrupted
from .sight import End, Ends, calling_frame, module_of

SLOTS = 6
CHUNK = SLOTS * 8192  # at most; the limit of events is looked at once a chunk
#: Payloads up to this many bytes are always kept while recording: to count them would cost more than to keep them.
SMALL = 64
#: The module whose threads are a panel's, at work on an experiment.
PANEL = "socketlab.panels.experiment"


class Cut:
    """A payload of which only the beginning was kept."""

    __slots__ = ("data", "size")

    def __init__(self, data: bytes, size: int) -> None:
        self.data = data
        self.size = size


class Lane:
    """What one thread did: its label, and its log."""

    def __init__(self, thread: threading.Thread, outermost: str) -> None:
        self.main = thread is threading.main_thread()
        self.name = thread.name
        self.ident = thread.ident
        self.helper = outermost.startswith("socketlab.servers")  # a thread of socketlab's own servers
        self.link = outermost.startswith("socketlab.links")  # or of a link
        self.panel = outermost == PANEL  # or of a panel that measures: see `panels`
        self.experiment = outermost.startswith("socketlab.experiments")
        self.put_aside: list[list[Any]] = []
        self.log: list[Any] = []

    def between(self, opened: float, closed: float) -> list[list[Any]]:
        """The slots of the calls that came back between these two moments, in one or more lists."""
        found = []
        for log in (*self.put_aside, self.log[: len(self.log) // SLOTS * SLOTS]):
            if not log or log[1 - SLOTS] < opened or log[1] > closed:  # ends never go back in a lane
                continue
            if log[1] < opened or log[1 - SLOTS] > closed:
                inside = (at for at in range(0, len(log), SLOTS) if opened <= log[at + 1] <= closed)
                log = [slot for at in inside for slot in log[at : at + SLOTS]]
            found.append(log)
        return found


class Recorder:
    """The lanes, the ends, and the limits, of all traces that are open at the same time."""

    def __init__(self, events: int) -> None:
        self.chunk = min(CHUNK, SLOTS * max(16, events // 16))
        self.ends = Ends()
        self.lanes: list[Lane] = []
        self.local = threading.local()
        self.opened = perf_counter()
        self.events_left = self.payload_left = 0
        self.stopped_at: float | None = None  # when the limit of events was reached
        self.closed = False
        self.faults: deque[Exception] = deque(maxlen=100)  # our own, while something was written down
        self.under_way: dict[int, Any] = {}  # see the module of that name
        self.links: Any = None  # what they, and panels, have told: see `relays`
        self._lock = threading.Lock()

    # -- called from the methods in `methods` ----------------------------------------------------------------------

    def put(self, start: float, end: float, who: End | None, operation: Any, asked: Any, moved: Any) -> None:
        """Add one call to this thread's lane."""
        try:
            log = self.local.log
        except AttributeError:
            log = self._first_log(start, who)
        log += (start, end, who, operation, asked, moved)
        if len(log) >= self.chunk:
            self.put_aside()

    def keep(self, data: Any) -> bytes | Cut | None:
        """The payload `data` as it is now, whole or as much of it as the limit lets in; None for what is no payload."""
        if type(data) is not bytes:
            try:
                with memoryview(data) as view:
                    size = view.nbytes
                    if size > SMALL and size > self.payload_left:
                        return Cut(bytes(view.cast("B")[:SMALL]), size)
                    data = bytes(view)
            except (TypeError, ValueError, BufferError):
                return None
        size = len(data)
        if size > SMALL:
            if size > self.payload_left:
                return Cut(data[:SMALL], size)
            self.payload_left -= size  # two threads at once may lose a step; the trace looks again when it closes
        return data  # type: ignore[no-any-return]

    def put_aside(self) -> None:
        """This thread's list has grown long: begin another, if the limit allows it."""
        lane: Lane = self.local.lane
        with self._lock:
            log, lane.log = lane.log, []
            if not lane.panel:
                self.local.log = lane.log
            if self.closed or self.stopped_at is not None:
                return  # somebody kept a method of a trace that is closed: forget what it wrote
            lane.put_aside.append(log)
            self.events_left -= len(log) // SLOTS
            if self.events_left <= 0:
                self.stopped_at = perf_counter()

    def lane(self) -> Lane:
        """This thread's lane."""
        try:
            lane: Lane = self.local.lane
        except AttributeError:
            lane = self.local.lane = Lane(threading.current_thread(), outermost_module(calling_frame(1)))
            with self._lock:
                self.lanes.append(lane)
        return lane

    def _first_log(self, start: float, who: End | None) -> list[Any]:
        """This thread's list, to which its methods add by themselves from now on; not so a panel's: see `panels`."""
        from .under_way import came_back

        lane = self.lane()
        if not lane.panel:
            self.local.log = lane.log
            lane.log += came_back(self.under_way.get(get_ident()), self.opened, start, who)
        return lane.log

    def allow(self, events: int, payload: int) -> None:
        """Another trace wants this much: what is there is raised, never lowered."""
        with self._lock:
            self.events_left = max(self.events_left, events)
            self.payload_left = max(self.payload_left, payload)


def outermost_module(frame: FrameType | None) -> str:
    """Whose thread this is: the module of its outermost code, below `threading`."""
    outermost = None
    while frame is not None:
        if module_of(frame) != "threading":
            outermost = frame
        frame = frame.f_back
    return module_of(outermost) if outermost is not None else ""


def is_helper(frame: FrameType) -> bool:
    """Whether `frame` is code of socketlab's own servers (their handlers are lesson material and are not meant)."""
    return module_of(frame).startswith("socketlab.servers")


# -- one recorder for the process ------------------------------------------------------------------------------------

_lock = threading.RLock()
_current: Recorder | None = None
_open: dict[int, object] = {}


def current() -> Recorder | None:
    """The recorder that runs now, if any trace is open."""
    return _current


def begin(token: object, events: int, payload: int) -> Recorder:
    """A trace opens: the recorder that it shares, at work."""
    global _current
    from .methods import install
    from .relays import Known
    from .settling import wait_for_servers
    from .under_way import calls_under_way

    if _current is None:
        wait_for_servers()
    with Uninterrupted(), _lock:
        if _current is None:
            recorder = Recorder(events)
            recorder.links = Known()
            recorder.allow(events, payload)
            install(recorder)
            _current = recorder
            recorder.under_way = calls_under_way(recorder)
        else:
            _current.allow(events, payload)
        _open[id(token)] = None
        return _current


def end(key: int) -> None:
    """A trace closes; the last one gives the class back its methods. May be repeated."""
    global _current
    from .methods import restore

    with Uninterrupted(), _lock:
        if key not in _open:
            return
        del _open[key]
        if _open or _current is None:
            return
        recorder, _current = _current, None
        recorder.closed = True
        theirs = restore()
    if theirs:
        depth = 2
        frame = sys._getframe(1)
        while frame.f_back is not None and module_of(frame).startswith(("socketlab.trace", "weakref")):
            frame, depth = frame.f_back, depth + 1
        warnings.warn(
            f"{', '.join(theirs)} was replaced while a trace was open, by something else than the trace; it stays as "
            "it is now. To undo it, put back what was there before (a trace restores only its own methods).",
            RuntimeWarning,
            stacklevel=depth,
        )


def _in_a_child() -> None:
    """After a fork: the child has nobody who looks at the trace, and its parent keeps the one that there is."""
    global _current, _lock
    _lock = threading.RLock()
    if _current is not None:
        from .methods import restore

        _current.closed = True
        _current = None
        _open.clear()
        restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
