"""Asking where threads stand, while others begin and the garbage collector has work."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref

import pytest

from socketlab.frames import frame_of, frames


def test_every_thread_has_one():
    begun, over = threading.Event(), threading.Event()

    def stand() -> None:
        begun.set()
        over.wait()

    thread = threading.Thread(target=stand)
    assert frame_of(thread) is None
    thread.start()
    try:
        begun.wait()
        found, frame = frames(), frame_of(thread)
        names = []
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
        assert "stand" in names
        assert thread.ident in found
        assert threading.get_ident() not in found
    finally:
        over.set()
        thread.join()
    assert frame_of(thread) is None


def test_what_the_caller_holds_goes_when_it_returns():
    class Held:
        pass

    def ask() -> weakref.ref[Held]:
        held = Held()
        frames()
        return weakref.ref(held)

    assert ask()() is None


@pytest.mark.parametrize("on", [True, False])
def test_the_collector_stays_as_it_was(on):
    before = gc.isenabled()
    (gc.enable if on else gc.disable)()
    try:
        frames()
        assert gc.isenabled() is on
    finally:
        (gc.enable if before else gc.disable)()


# Each object that is collected gives the other threads a turn; they begin threads, which takes the interpreter's lock.
PROGRAM = """
import gc, threading, time
from socketlab.frames import frames

class Slow:
    def __init__(self):
        self.me = self
    def __del__(self):
        time.sleep(0)

def begin():
    while not over.is_set():
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()

over = threading.Event()
threads = [threading.Thread(target=begin) for _ in range(3)]
for thread in threads:
    thread.start()
gc.set_threshold(1)
end = time.monotonic() + 1
while time.monotonic() < end:
    for _ in range(20):
        Slow()
        frames()
over.set()
for thread in threads:
    thread.join()
print("done")
"""


def test_it_does_not_stand_still():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == ("done\n", "")
