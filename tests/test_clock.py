"""The clock of a deadline: waiting for a processor does not count, and nothing else is given."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
from patience import until

from socketlab.exercises.clock import SLOWEST, Clock

linux = pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="the kernel does not tell")

SPIN = "import time\nend = time.monotonic() + 20\nprint(flush=True)\nwhile time.monotonic() < end: pass"


def test_who_waits_for_nobody_is_given_nothing():
    began = time.monotonic()
    clock = Clock()
    threading.Event().wait(0.1)
    had, elapsed = clock.seconds(), time.monotonic() - began
    assert elapsed / SLOWEST <= had <= elapsed
    assert clock.left(1000) <= 1000 - 0.1 / SLOWEST
    assert clock.left(0.1 / SLOWEST) <= 0


@linux
def test_a_processor_that_is_shared_counts_less():
    """Two processes on one processor, which both want it all the time, have about half of it each."""
    processor = min(os.sched_getaffinity(0))
    clocks, processes = [], []
    try:
        for _ in range(2):
            process = subprocess.Popen([sys.executable, "-c", SPIN], stdout=subprocess.PIPE)
            processes.append(process)
            os.sched_setaffinity(process.pid, {processor})
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        began = time.monotonic()
        clocks = [Clock(process.pid) for process in processes]
        begun = time.monotonic()
        until(lambda: time.monotonic() - began > 1, "a second")
        least = time.monotonic() - begun
        had = [clock.seconds() for clock in clocks]
        most = time.monotonic() - began
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert all(seconds >= least / SLOWEST for seconds in had)
    assert min(had) < most * 0.75  # others may take the processor as well, nobody can give more of it


def test_where_nothing_is_told():
    clock = Clock(2**22)  # more than any process has: the largest is 4,194,303 (proc(5), pid_max)
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 0.01, "a moment")
    assert clock.seconds() >= 0.01
