"""Time as an answer has it: on a busy machine, the time in which it was ready and no processor was free does not count.

A deadline in seconds would call an answer wrong because others compute beside it. Linux notes for each thread how long
it was runnable and waited for its turn (/proc/pid/task/tid/schedstat, sched-stats in the kernel's documentation). That
is taken off; an answer that is blocked, sleeps or spins on a machine of its own waits for no turn, and gains nothing.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

# An answer may replace these in their modules, and go on running.
_open, _listdir, _monotonic = open, os.listdir, time.monotonic
SLOWEST = 4.0  # an answer has at most so many times the seconds that it is granted, however busy the machine is


class Clock:
    """Counts the seconds that the process `pid`, this one if it is 0, has had since the clock was made.

    `slowest` times as many seconds may pass, not more.
    """

    def __init__(self, pid: int = 0, slowest: float = SLOWEST) -> None:
        self._slowest = slowest
        self._tasks = f"/proc/{pid or 'self'}/task"
        self._seen, self._waited = self._queued(), 0
        self._began = _monotonic()

    def seconds(self) -> float:
        """Elapsed time less what was spent waiting for a processor; where the system does not tell, elapsed time.

        What a thread waited is known as long as it lives: whoever watches a process that has many asks now and then.
        """
        elapsed = _monotonic() - self._began
        queued = self._queued()
        self._waited += sum(ns - self._seen.get(task, 0) for task, ns in queued.items())
        self._seen |= queued
        return max(elapsed - self._waited / 1e9, elapsed / self._slowest)

    def left(self, limit: float) -> float:
        """How much of `limit` seconds is left; below zero when it is over. Costs nothing while nobody is late."""
        elapsed = _monotonic() - self._began
        return limit - elapsed if elapsed < limit else limit - self.seconds()

    def _queued(self) -> dict[str, int]:
        """Nanoseconds that each thread has been ready and not running."""
        found: dict[str, int] = {}
        with suppress(OSError, MemoryError):
            for task in _listdir(self._tasks):
                with suppress(OSError, ValueError, IndexError), _open(f"{self._tasks}/{task}/schedstat") as file:
                    found[task] = int(file.read().split()[1])
        return found
