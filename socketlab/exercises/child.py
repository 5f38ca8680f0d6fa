"""The process in which an answer runs: cut off from the kernel that it was forked from, limited, and quiet.

In the child nothing of the parent's conversations must stay alive: a copy of a connection's descriptor would keep the
connection open after the parent has closed it. So every descriptor is turned over to /dev/null; the numbers stay taken,
and a copied socket object that closes one closes nothing that belongs to the answer. Output is caught, there is no
keyboard, memory, files and processes have a limit, and signals for the kernel do not come here (a process group of its
own). When it has told its verdict it waits to be ended, so that what it has started can be found and ended as well;
where the parent dies, the kernel of the system ends it.
"""

from __future__ import annotations

import builtins
import ctypes
import faulthandler
import gc
import io
import json
import mmap
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from .definition import Exercise
from .trial import Trial

if sys.platform != "win32":  # now, and not when there is no descriptor or memory left to import them with
    import fcntl  # noqa: F401
    import resource
    import termios  # noqa: F401

MEMORY = 256 * 1024 * 1024  # bytes that an answer may take beyond what the kernel has
ADDRESSES = 1 << 32  # bytes of address space: malloc reserves 64 MiB, and takes hardly any, for each of some threads
RESERVE = 64 * 1024 * 1024  # bytes beyond that, in which the verdict on an answer that took all is put together
STACK = 2 * 1024 * 1024  # bytes for the stack of a thread: room for 100 threads, and a thousand calls deep
FILE = 64 * 1024 * 1024  # bytes that it may write into a file
OPEN = 1024  # descriptors that it may have beyond what the kernel has
FORKS = 64  # processes that it may fork, counted with those that they fork
LOST = 112  # exit status: the pipe to the parent is gone
PRINTED, LINES = 400, 6  # characters and lines of what it printed that are kept

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
# An answer may replace these in their modules; what is needed to tell of it stands here.
_write, _exit, _getpid, _fstat = os.write, os._exit, os.getpid, os.fstat


def run(exercise: Exercise, answer: Callable[..., Any], write: int, dump: int) -> NoReturn:
    """Try the answer and tell the verdict on the descriptor `write`, a line of JSON. Stacks are written to `dump`."""
    try:
        own, pipe = _getpid(), _fstat(write).st_ino
        enlarge = _leave_the_kernel(write, dump)

        def tell(line: str) -> None:
            if _getpid() != own:  # a child that the answer forked has nothing to tell
                return
            try:
                if _fstat(write).st_ino != pipe:
                    _exit(LOST)
                # An answer may have written into it, and left its line without an end.
                _write(write, b"\n" + line.encode() + b"\n")
            except OSError:
                _exit(LOST)

        printed = _Printed()
        for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
            setattr(sys, name, printed)
        builtins.input = no_keyboard
        faulthandler.register(signal.SIGUSR1, file=dump, all_threads=True)
        _count_forks(write)
        trial = Trial(
            exercise, answer, began=lambda number: tell(json.dumps({"began": number})), printed=lambda: printed.kept,
            short=enlarge,
        )  # fmt: skip
        tell(trial.run().to_json())
        while True:
            signal.pause()
    except BaseException:
        with suppress(BaseException):
            _write(write, b"\n" + json.dumps({"broken": traceback.format_exc()}).encode() + b"\n")
    finally:
        _exit(0)


def _leave_the_kernel(*keep: int) -> Callable[[], None]:
    """A process group of its own, no descriptor of the parent's, no signal meant for it, and limits.

    Returns a function that raises the limits a little, for the verdict on an answer that has used up what there was.
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.setitimer(signal.ITIMER_REAL, 0)
    with suppress(AttributeError):
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    threading.stack_size(STACK)  # usually 8 MiB, of which each counts
    nothing = os.open(os.devnull, os.O_RDWR)
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    for number in numbers:
        if number not in (*keep, nothing):
            with suppress(OSError):
                os.dup2(nothing, number, inheritable=number <= 2)
    with open("/proc/self/statm", encoding="ascii") as file:
        sizes = [int(pages) * resource.getpagesize() for pages in file.read().split()]
    gc.freeze()  # a socket that the learner lost in another cell is not collected here and now

    def limit(kind: int, most: int, more: int) -> None:
        soft, hard = resource.getrlimit(kind)
        most = min(n for n in (most, soft, hard) if n != resource.RLIM_INFINITY)
        more = most + more if hard == resource.RLIM_INFINITY else min(most + more, hard)
        resource.setrlimit(kind, (most, more))

    limit(resource.RLIMIT_DATA, sizes[5] + MEMORY, RESERVE)  # proc(5), statm: 0 all addresses, 5 data and stacks
    limit(resource.RLIMIT_AS, sizes[0] + ADDRESSES, RESERVE)
    limit(resource.RLIMIT_NOFILE, max(numbers) + OPEN, 64)
    limit(resource.RLIMIT_FSIZE, FILE, 0)
    limit(resource.RLIMIT_CORE, 0, 0)

    def enlarge() -> None:
        for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS, resource.RLIMIT_NOFILE):
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (hard, hard))

    return enlarge


def _count_forks(write: int) -> None:
    """Every process of this family is counted when it begins; one too many, and all of them end."""
    count = mmap.mmap(-1, 4)  # shared by those who are forked

    def begun() -> None:
        number = int.from_bytes(count[:4], "little") + 1  # two at once may count as one
        count[:4] = number.to_bytes(4, "little")
        if number > FORKS:
            with suppress(OSError):
                _write(write, b'\n{"forks": %d}\n' % number)
            os.killpg(0, signal.SIGKILL)

    os.register_at_fork(after_in_child=begun)


class _Printed(io.TextIOBase):
    """Where the answer's output goes: the beginning is kept."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self._kept, self._size = "", 0

    def write(self, text: str) -> int:
        if len(self._kept) < PRINTED:
            self._kept += text[: PRINTED - len(self._kept)]
        self._size += len(text)
        return len(text)

    def close(self) -> None:
        pass

    @property
    def kept(self) -> str:
        """What is shown of it."""
        lines = self._kept.splitlines()
        text = "\n".join(lines[:LINES])
        more = len(self._kept) < self._size or len(lines) > LINES
        return f"{text}\n… {self._size:,} characters" if more else text


def no_keyboard(prompt: object = "") -> str:
    raise EOFError("a check has no keyboard: use the arguments that the function is given")
