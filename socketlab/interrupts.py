"""Keeping an interrupt away from the few steps that must not be left half done.

Such steps: `threading.Thread.start` waits for the new thread with an `Event`, in Python, and a KeyboardInterrupt
in there can leave that event's lock taken, so that the new thread stands at its first step for ever (seen once in
some five hundred interrupts on CPython 3.11). `tempfile` has a lock that can be lost in the same way. And a finalizer
that is interrupted is not called again before the interpreter exits.

Masking the signal would not help: any other thread may receive it, and the main thread runs its handler all the
same. So for those microseconds SIGINT has a handler that only remembers.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Uninterrupted:
    """A ``with`` block in which no KeyboardInterrupt is raised; one that came is raised when the block ends."""

    _late: list[FrameType | None]

    @property
    def came(self) -> bool:
        """Whether an interrupt is waiting for the end of the block: whoever waits in it should come to an end."""
        return bool(self._late)

    def __enter__(self) -> Uninterrupted:
        self._late = []
        # Only the main thread runs signal handlers. One that was not set from Python cannot be put back, so it stays.
        main = threading.get_ident() == threading.main_thread().ident
        self._active = main and bool(signal.getsignal(signal.SIGINT))
        if self._active:
            self._before: Any = signal.signal(signal.SIGINT, lambda number, frame: self._late.append(frame))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._active:
            signal.signal(signal.SIGINT, self._before)
            if self._late and callable(self._before):
                self._before(signal.SIGINT, self._late[0])
