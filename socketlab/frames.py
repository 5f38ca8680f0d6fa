"""Where the threads of this process stand, asked without the risk of standing still oneself.

Before Python 3.12, `sys._current_frames` makes objects while it holds a lock of the interpreter. If the garbage
collector sets in for one of them, and finds something that lets another thread go on, that thread may want the same
lock, and then nobody goes on any more (https://github.com/python/cpython/issues/106883; mended in 3.11.9).
"""

from __future__ import annotations

import gc
import sys
import threading
from operator import methodcaller
from types import FrameType
from typing import Any

_called = methodcaller("__call__")


def frames() -> dict[int, FrameType]:
    """The topmost frame of each other thread, by `threading.get_ident`.

    The caller's own is left out: a frame that outlives its call, in a dict among its own variables, would keep itself,
    and all that its callers hold, until the garbage collector comes by.
    """
    if sys.version_info >= (3, 12) or not gc.isenabled():
        found = sys._current_frames()
    else:
        # All three are called from C: no other thread has a turn in between, and no interrupt leaves the collector off.
        answers: tuple[Any, ...] = tuple(map(_called, (gc.disable, sys._current_frames, gc.enable)))
        found = answers[1]
    del found[threading.get_ident()]
    return found


def frame_of(thread: threading.Thread) -> FrameType | None:
    """The topmost frame of `thread`, another one; None before it has begun and after it has ended."""
    return frames().get(thread.ident or 0)
