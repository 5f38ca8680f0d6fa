"""Where an answer runs: in a process of its own, so that nothing it does can hurt the kernel or the next check.

A thread that blocks, spins or allocates cannot be stopped from outside; a process can. So wherever a process can be
forked, every check runs in a child: the fork knows the learner's function with all it refers to, which could not be
sent anywhere, and costs some milliseconds. The rule is one line, `_CAN_FORK`: Linux, and not elsewhere. (macOS has
fork, but its frameworks may crash in a child of a process with threads; Windows has none.) There the answer runs in a
thread: one that hangs is told so at its deadline, asked to end by an exception, and left behind where that is not
heard.

In the child nothing of the parent's conversations must stay alive: a copy of a connection's descriptor would keep the
connection open after the parent has closed it. So every descriptor is turned over to /dev/null; the numbers stay taken,
and a copied socket object that closes one closes nothing that belongs to the answer. Output is caught, there is no
keyboard, memory has a limit, and signals for the kernel do not reach it (a process group of its own). Its main thread
watches; if even that one cannot run, because the answer is inside a long call into C, the C thread of `faulthandler`
writes down where it stands, and the parent ends the whole group.
"""

from __future__ import annotations

import builtins
import faulthandler
import json
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from ..interrupts import Uninterrupted
from .definition import TOTAL, Exercise
from .trial import Trial, line_of
from .verdict import FAILED, Verdict

_CAN_FORK = sys.platform.startswith("linux") and hasattr(os, "pidfd_open")  # Linux 5.3, Python 3.9

GRACE = 0.15  # seconds after the deadline in which the child puts its verdict together
MEMORY = 512 * 1024 * 1024  # bytes that an answer may take beyond what the kernel has
PRINTED, LINES = 400, 6  # characters and lines of what it printed that are kept


def check(exercise: Exercise, answer: Callable[..., Any]) -> Verdict:
    """Try `answer` and say what came of it, within TOTAL + GRACE seconds. An interrupt ends the check."""
    return _in_a_child(exercise, answer) if _CAN_FORK else _in_a_thread(exercise, answer)


# -- a process of its own ----------------------------------------------------------------------------------------------


def _in_a_child(exercise: Exercise, answer: Callable[..., Any]) -> Verdict:
    began = time.monotonic()
    with Uninterrupted():
        read, write = os.pipe()
        stalled, dump = os.pipe()
        pid = _fork()
        if pid == 0:
            _be_the_child(exercise, answer, write, dump)
        os.close(write)
        os.close(dump)
        with suppress(OSError):  # both sides do it: whoever comes first
            os.setpgid(pid, pid)
    status: int | None = None
    try:
        lines = _listen(read, pid, began + TOTAL + GRACE)
        for line in lines:
            told = json.loads(line)
            if "outcome" in told:
                return Verdict.from_json(line)
            if "broken" in told:
                raise RuntimeError(f"the check of {exercise.name} failed itself:\n{told['broken']}")
        done, ended = os.waitpid(pid, os.WNOHANG)
        status = ended if done else None
        where = "" if done else _stood_at(stalled, answer)
        return _lost(exercise, max(len(lines) - 1, 0), status, where, time.monotonic() - began)
    finally:
        with Uninterrupted():
            for kill in (os.killpg, os.kill):
                with suppress(ProcessLookupError, PermissionError):
                    if status is None or kill is os.killpg:
                        kill(pid, signal.SIGKILL)
            if status is None:
                os.waitpid(pid, 0)
            os.close(read)
            os.close(stalled)


def _fork() -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # Python 3.12 warns of locks that other threads may hold. The child takes none of theirs: it has no output of
        # theirs, imports nothing that is not there yet, and ends without cleaning up.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _listen(read: int, pid: int, until: float) -> list[str]:
    """The child's lines, up to its verdict, its end, or the end of its time."""
    end = os.pidfd_open(pid)  # an answer may have forked children, which keep the pipe open
    try:
        poll = select.poll()
        poll.register(read, select.POLLIN)
        poll.register(end, select.POLLIN)
        data = b""
        while (left := until - time.monotonic()) > 0:
            ready = [fd for fd, _ in poll.poll(left * 1000)]
            if read in ready:
                chunk = os.read(read, 65536)
                data += chunk
                if not chunk:  # nobody can tell anything more: wait for its end
                    poll.unregister(read)
                elif data.endswith(b"\n") and not data.splitlines()[-1].startswith(b'{"began"'):
                    break
            elif end in ready:
                break
    finally:
        os.close(end)
    return data.decode(errors="replace").splitlines()


def _lost(exercise: Exercise, number: int, status: int | None, where: str, seconds: float) -> Verdict:
    """The verdict on an answer that took the whole process with it, or kept it from running."""
    names = tuple(exercise.scenarios)
    expected = f"{exercise.wants} returns"
    if status is None:
        cause = "It is inside one long computation or call, in which no other thread of the process can run."
        advice = "Do the work in pieces, and look at what ends it."
        return Verdict(
            exercise.name, FAILED, names, number, expected, f"nothing within {TOTAL:.1f} s", where, "holds-everything",
            cause, advice, seconds=seconds,
        )  # fmt: skip
    if os.WIFSIGNALED(status):
        came = f"the process was ended by {signal.Signals(os.WTERMSIG(status)).name}"
    else:
        came = f"the process ended with status {os.waitstatus_to_exitcode(status)}"
    return Verdict(
        exercise.name, FAILED, names, number, expected, came, "", "ends-process",
        "It ended the process that it ran in: in a notebook that would have been the kernel.",
        "Return a value or raise an exception.", seconds=seconds,
    )  # fmt: skip


def _stood_at(stalled: int, answer: Callable[..., Any]) -> str:
    """The answer's line in what faulthandler wrote down; "" where it did not."""
    poll = select.poll()
    poll.register(stalled, select.POLLIN)
    text = os.read(stalled, 65536).decode(errors="replace") if poll.poll(50) else ""
    code = getattr(answer, "__code__", None)
    for line in text.splitlines():
        file, _, rest = line.strip().removeprefix('File "').partition('", line ')
        if code is not None and file == code.co_filename and rest:
            return line_of(file, int(rest.split()[0]))
    return ""


# -- in the child ------------------------------------------------------------------------------------------------------


def _be_the_child(exercise: Exercise, answer: Callable[..., Any], write: int, dump: int) -> NoReturn:
    try:
        own = os.getpid()

        def tell(line: str) -> None:
            if os.getpid() == own:  # a child that the answer forked has nothing to tell
                os.write(write, line.encode() + b"\n")

        _leave_the_kernel(write, dump)
        printed = _Printed()
        sys.stdout = sys.stderr = printed
        builtins.input = _no_keyboard
        faulthandler.dump_traceback_later(TOTAL + GRACE / 2, file=dump)
        trial = Trial(
            exercise, answer, began=lambda number: tell(json.dumps({"began": number})), printed=lambda: printed.kept
        )
        tell(trial.run().to_json())
    except BaseException:
        import traceback

        with suppress(BaseException):
            os.write(write, json.dumps({"broken": traceback.format_exc()}).encode() + b"\n")
    finally:
        os._exit(0)


def _leave_the_kernel(*keep: int) -> None:
    """A process group of its own, no descriptor of the parent's, no signal meant for it, and a limit to memory."""
    import resource

    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in (*keep, nothing):
            with suppress(OSError):
                os.dup2(nothing, int(name), inheritable=int(name) <= 2)
    with open("/proc/self/statm", encoding="ascii") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Printed:
    """Where the answer's output goes: the beginning is kept."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self._kept, self._size = "", 0

    def write(self, text: str) -> int:
        if len(self._kept) < PRINTED:
            self._kept += text[: PRINTED - len(self._kept)]
        self._size += len(text)
        return len(text)

    @property
    def kept(self) -> str:
        """What is shown of it."""
        lines = self._kept.splitlines()
        text = "\n".join(lines[:LINES])
        more = len(self._kept) < self._size or len(lines) > LINES
        return f"{text}\n… {self._size:,} characters" if more else text

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def _no_keyboard(prompt: object = "") -> str:
    raise EOFError("a check has no keyboard: use the arguments that the function is given")


# -- a thread, where there is no fork ----------------------------------------------------------------------------------


def _in_a_thread(exercise: Exercise, answer: Callable[..., Any]) -> Verdict:
    return Trial(exercise, answer).run()
