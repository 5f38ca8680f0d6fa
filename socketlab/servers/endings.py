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
from collections.abc import Iterable
from time import monotonic
from types import FrameType

GRACE = 0.05  # s for step 1: a hundred times what a woken handler needs to finish an answer, too short to be felt
PATIENCE = 0.5  # s for step 2, and once more for step 3: a loaded machine may take that long to run a thread


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


def cut_off(thread: threading.Thread) -> None:
    """Have `CutOff` raised in `thread` at its next bytecode (CPython's PyThreadState_SetAsyncExc)."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(CutOff))


def where(thread: threading.Thread, handler: object) -> str:
    """The line at which `thread` stands, as near to the person's own code as can be told: ``line 3: conn.recv(1)``."""
    frame: FrameType | None = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return "a line that is not known any more"
    file = getattr(getattr(handler, "__code__", None), "co_filename", None)
    own: FrameType | None = frame
    while own is not None and own.f_code.co_filename != file:
        own = own.f_back
    frame = own or frame
    source = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f"line {frame.f_lineno}: {source}" if source else f"line {frame.f_lineno} of {frame.f_code.co_filename}"


def name_of(handler: object) -> str:
    """What people call this handler: a function's name, or the class of a callable object."""
    return getattr(handler, "__name__", None) or type(handler).__name__
