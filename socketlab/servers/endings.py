"""How a server ends: its threads joined, or named when they will not go, and its handlers' exceptions handed over.

A Python thread cannot be killed. What can be done, in this order, each step only when the one before was not enough:

1. Shut the connection's reading half. `recv` returns what had arrived and then ``b""``, so a handler that waits for
   its client finishes its answer and returns. (Another thread's `close` would not wake it; `shutdown` does.)
2. Shut both halves. A handler that is blocked in `send`, because its client does not read, gets EPIPE.
3. Raise `CutOff` inside the thread. It arrives between two bytecodes, so it ends ``while True: pass`` and the loop
   that ignores ``b""``, but not a call into C that never returns, such as ``time.sleep(1000)``.

A handler that needs step 3 is reported, with the line where it stood. One that survives step 3 is a daemon thread:
it holds neither the notebook nor the exit of the interpreter, and it ends as soon as that one call returns.
"""

from __future__ import annotations

import ctypes
import linecache
import sys
import threading
from collections.abc import Iterable, Sequence
from time import monotonic
from types import FrameType

GRACE = 0.05  # s for step 1: a hundred times what a woken handler needs to finish an answer, too short to be felt
PATIENCE = 0.5  # s for step 2, and once more for step 3: a loaded machine may take that long to run a thread

KEPT_ERRORS = 1000  # of the newest; a client that connects and resets in a loop must not fill the memory


class ServerError(Exception):
    """A handler of a loopback server raised an exception (its ``__cause__``), or did not return when it had to."""


class CutOff(BaseException):
    """Raised inside a handler's thread that did not return by itself; not an `Exception`, so that few catch it."""


def join(threads: Iterable[threading.Thread], seconds: float) -> list[threading.Thread]:
    """Wait up to `seconds` in all for `threads` to end; return those that still run.

    The calling thread is passed over: a handler that closes its own server would otherwise wait for itself.
    """
    deadline = monotonic() + seconds
    me = threading.current_thread()
    left = []
    for thread in threads:
        if thread is me or thread.ident is None:  # None: its start() was interrupted, or has not come to it yet
            continue
        thread.join(max(0.0, deadline - monotonic()))
        if thread.is_alive():
            left.append(thread)
    return left


def cut_off(threads: Sequence[threading.Thread], handler: object) -> ServerError:
    """Step 3 for `threads`, all of them running `handler`; return the error that tells where the first one stood."""
    place = where(threads[0], handler)
    for thread in threads:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(CutOff))
    fate = "still stands" if join(threads, PATIENCE) else "was stopped"
    return ServerError(
        f"handler {name_of(handler)!r} did not return when its server closed; it {fate} at {place}. "
        'A handler returns when its client has finished: when recv() returns b"".'
    )


def first_of(faults: Sequence[BaseException], handler: object) -> ServerError:
    """The error that hands over what `handler` raised; its ``__cause__`` is the first of `faults`."""
    first = faults[0]
    more = f" (and {len(faults) - 1} more, see .errors)" if len(faults) > 1 else ""
    error = ServerError(f"handler {name_of(handler)!r} raised {type(first).__name__}: {first}{more}")
    error.__cause__ = first
    return error


def where(thread: threading.Thread, handler: object) -> str:
    """The line at which `thread` stands, as near to the person's own code as can be told: ``line 3: conn.recv(1)``."""
    frame: FrameType | None = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return "a line that is not known any more"
    file = _file_of(handler)
    own: FrameType | None = frame
    while own is not None and own.f_code.co_filename != file:
        own = own.f_back
    frame = own or frame
    source = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f"line {frame.f_lineno}: {source}" if source else f"line {frame.f_lineno} of {frame.f_code.co_filename}"


def name_of(handler: object) -> str:
    """What people call this handler: a function's name, or the class of a callable object."""
    return getattr(handler, "__name__", None) or type(handler).__name__


def _file_of(handler: object) -> str | None:
    handler = getattr(handler, "__wrapped__", handler)  # functools.wraps
    handler = getattr(handler, "func", handler)  # functools.partial
    method = vars(type(handler)).get("__call__")  # an object that can be called
    code = getattr(handler, "__code__", None) or getattr(method, "__code__", None)
    return getattr(code, "co_filename", None)
