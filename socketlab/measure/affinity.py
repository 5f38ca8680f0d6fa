"""Put both ends of a conversation on one CPU while it is measured.

The scheduler decides whether client and server share a CPU or sit on two, and that decides a round trip: on two,
each message wakes an idle CPU (an inter-processor interrupt and the way out of its sleep), which costs several times
what the message does. Unpinned, the same server compared with itself can differ fivefold; pinned, within a percent.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_lock = threading.Lock()
_depth = 0
_cpu: int | None = None
_before: dict[int, set[int]] = {}
_default: set[int] = set()


@contextmanager
def one_cpu() -> Iterator[int | None]:
    """Run every thread of this process on one CPU until the block ends; yields its number.

    All threads: the caller, the threads that it starts meanwhile, and those that run already, because the server
    that answers usually started before the measuring. Child processes started inside inherit the pin and keep it.
    May be nested and used from several threads at once; the outermost end gives each thread the CPUs that it had
    (a thread that was born meanwhile gets those of the thread that opened the block), also after an exception.

    Where the platform cannot pin (macOS, Windows) or forbids it, nothing changes and None is yielded.
    sched_setaffinity(2); the CPU is one that the caller may use, chosen by process id so that two measuring
    processes are likely to sit apart.
    """
    global _depth
    with _lock:
        _depth += 1
        try:
            if _depth == 1:
                _pin()
        except BaseException:
            _unpin()
            _depth -= 1
            raise
    try:
        yield _cpu
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _unpin()


def _pin() -> None:
    global _cpu, _default
    if not hasattr(os, "sched_setaffinity") or not os.path.isdir("/proc/self/task"):
        return
    try:
        _default = os.sched_getaffinity(0)
        cpu = sorted(_default)[os.getpid() % len(_default)]
        os.sched_setaffinity(0, {cpu})
    except OSError:  # forbidden by a sandbox
        return
    _cpu = cpu
    _before[threading.get_native_id()] = _default

    def pin(thread: int) -> bool:
        if thread in _before:
            return False
        _before[thread] = os.sched_getaffinity(thread)
        os.sched_setaffinity(thread, {cpu})
        return True

    _each_thread(pin)


def _unpin() -> None:
    global _cpu
    if _cpu is None:
        return
    pinned, done = {_cpu}, set[int]()

    def unpin(thread: int) -> bool:
        if thread in done:
            return False
        done.add(thread)
        if thread in _before or os.sched_getaffinity(thread) == pinned:
            os.sched_setaffinity(thread, _before.get(thread, _default))
        return True

    _each_thread(unpin)
    _before.clear()
    _cpu = None


def _each_thread(act: Callable[[int], bool]) -> None:
    """Call `act` for each thread of the process until a pass finds nobody new.

    A thread inherits the CPUs of the one that starts it, so one pass can miss a thread that is born during it.
    """
    for _ in range(10):
        news = False
        for name in os.listdir("/proc/self/task"):
            with suppress(ProcessLookupError):  # it ended meanwhile
                news |= act(int(name))
        if not news:
            return
