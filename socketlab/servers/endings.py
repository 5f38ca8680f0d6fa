"""How a server ends: its threads joined, or named when they will not go, and its handlers' exceptions handed over.

A Python thread cannot be killed. What can be done, in this order, each step only when the one before was not enough:

1. Shut the connection's reading half. `recv` returns what had arrived and then ``b""``, so a handler that waits for
   its client finishes its answer and returns. (Another thread's `close` would not wake it; `shutdown` does.)
2. Shut the writing half too. A handler that is blocked in `send`, because its client does not read, gets EPIPE.
3. Close the connection, and raise `CutOff` inside the thread. It arrives between two bytecodes, so it ends
   ``while True: pass`` and the loop that ignores ``b""``, but not a call into C that never returns, such as
   ``time.sleep(1000)``.

A handler that needs step 3 is reported, with the line where it stood. One that survives step 3 is a daemon thread:
it holds neither the notebook nor the exit of the interpreter, and it ends as soon as that one call returns.
"""

from __future__ import annotations

import ctypes
import linecache
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from types import CodeType, FrameType

from ..frames import frame_of

# Patience is counted in turns, not in seconds. A turn is the interpreter's switch interval, and whoever waits has had
# it when it runs again: it stood in the same queues, for a CPU and for the interpreter, as the handlers for which it
# waits. So on a loaded machine turns get longer by themselves; a thousand handlers beside two threads that compute
# are given the twenty seconds that they need, and a single one that does not return is named in half a second.
TURN = 0.005  # s, when nobody else wants to run
GRACE = 40  # turns for step 1; up to 8 went by with no thread ending where two others computed (40 clients, measured)
PATIENCE = 100  # turns for step 2, and once more for step 3

# Bits of a code object's co_flags, as `inspect` names them (importing that takes longer than starting a server).
GENERATOR = 0x20  # CO_GENERATOR
ASYNC = 0x80 | 0x200  # CO_COROUTINE, CO_ASYNC_GENERATOR

KEPT_ERRORS = 1000  # of the newest; a client that connects and resets in a loop must not fill the memory


class ServerError(Exception):
    """A handler of a loopback server raised an exception (its ``__cause__``), or did not return when it had to."""


class CutOff(BaseException):
    """Raised inside a handler's thread that did not return by itself; not an `Exception`, so that few catch it."""


def join(
    threads: Iterable[threading.Thread], turns: int, sign: Callable[[], object] = lambda: None
) -> list[threading.Thread]:
    """Wait for `threads` to end; return those that still run when in `turns` turns nothing has happened.

    What counts as happening: one of them ended, or `sign()` changed.
    """
    left = [thread for thread in threads if thread.is_alive()]
    patience, last = turns, sign()
    while left and patience:
        left[-1].join(TURN)
        if not left[-1].is_alive():
            left.pop()
            patience = turns
            continue
        before = len(left), last
        left, last = [thread for thread in left if thread.is_alive()], sign()
        patience = patience - 1 if before == (len(left), last) else turns
    return left


def cut_off(
    standing: Callable[[], list[threading.Thread]],
    lock: AbstractContextManager[object],
    handler: object,
    take_away: Callable[[], object] = lambda: None,
) -> ServerError | None:
    """Step 3 for the threads that stand in `handler` (while `lock` is held, none of them can leave it).

    Returns the error that tells where the first of them stood; None where there is none. `take_away` is called first,
    to close what they use. A handler may catch what is raised in it, as ``except:`` in a loop does, so that is done
    ten times.
    """
    with lock:
        threads = standing()
        if not threads:
            return None
        place = where(threads[0], handler)
        take_away()
    for _ in range(10):
        with lock:
            for thread in standing():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(CutOff))
        if not (left := join(threads, PATIENCE // 10)):
            break
    return ServerError(
        f"handler {name_of(handler)!r} did not return when its server closed; "
        f"it {'still stands' if left else 'was stopped'} at {place}. "
        'A handler returns when its client has finished: when recv() returns b"".'
    )


def first_of(faults: Sequence[BaseException], handler: object) -> ServerError:
    """The error that hands over what `handler` raised; its ``__cause__`` is the first of `faults`."""
    first = faults[0]
    more = f" (and {len(faults) - 1} more, see .errors)" if len(faults) > 1 else ""
    try:
        text = str(first)
    except Exception:
        text = "(its __str__ raised an exception as well)"
    raised = f"{type(first).__name__}: {text}" if text else type(first).__name__
    error = ServerError(f"handler {name_of(handler)!r} raised {raised}{more}")
    error.__cause__ = first
    return error


def where(thread: threading.Thread, handler: object) -> str:
    """The line at which `thread` stands, as near to the person's own code as can be told: ``line 3: conn.recv(1)``."""
    frame: FrameType | None = frame_of(thread)
    if frame is None:
        return "a line that is not known any more"
    file = getattr(code_of(handler), "co_filename", None)
    own: FrameType | None = frame
    while own is not None and own.f_code.co_filename != file:
        own = own.f_back
    frame = own or frame
    source = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f"line {frame.f_lineno}: {source}" if source else f"line {frame.f_lineno} of {frame.f_code.co_filename}"


def name_of(handler: object) -> str:
    """What people call this handler: a function's name, or the class of a callable object."""
    return getattr(handler, "__name__", None) or type(handler).__name__


def check_plain(handler: object) -> None:
    """Raise TypeError for a coroutine or generator function: calling one runs nothing of it."""
    flags = getattr(code_of(handler), "co_flags", 0)
    if flags & ASYNC:
        wrong, cure = "is defined with `async def`", "write `def`, and blocking calls: it runs in a thread of its own"
    elif flags & GENERATOR:
        wrong, cure = "contains `yield`", "send answers with conn.sendall(), or return them where datagrams are served"
    else:
        return
    raise TypeError(f"handler {name_of(handler)!r} {wrong}, so calling it would run nothing of it: {cure}")


def code_of(handler: object) -> CodeType | None:
    """The code that runs when `handler` is called, where it is Python's."""
    handler = getattr(handler, "__wrapped__", handler)  # functools.wraps
    handler = getattr(handler, "func", handler)  # functools.partial
    method = vars(type(handler)).get("__call__")  # an object that can be called
    return getattr(handler, "__code__", None) or getattr(method, "__code__", None)
