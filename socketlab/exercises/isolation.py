"""Where an answer runs: in a process of its own, so that nothing it does can hurt the kernel or the next check.

A thread that blocks, spins or allocates cannot be stopped from outside; a process can. So wherever a process can be
forked, every check runs in a child: the fork knows the learner's function with all it refers to, which could not be
sent anywhere, and costs some milliseconds. The rule is one line, `_CAN_FORK`: Linux, and not elsewhere. (macOS has
fork, but its frameworks may crash in a child of a process with threads; Windows has none.) There the answer runs in a
thread: one that hangs is told so at its deadline, asked to end by an exception, and left behind where that is not
heard; one that ends the process, or eats its memory, does so to the kernel.

This module is the parent's side: it listens for the verdict, gives one where the child cannot, and ends the child with
all its family. The main thread of the child (module `child`) watches the answer; if even that one cannot run, because
the answer is inside a long call into C, the child writes down where it stands when SIGUSR1 comes: `faulthandler` does
that in the signal's handler, in C. What is not caught: a process that an answer has sent into a session of its own
(setsid) before it killed its own process.
"""

from __future__ import annotations

import builtins
import json
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..interrupts import Uninterrupted
from ..trace.own_lines import is_library
from . import child
from .attempt import Attempt
from .clock import Clock
from .definition import TOTAL, Exercise
from .trial import Trial, line_of
from .verdict import FAILED, Verdict

_CAN_FORK = sys.platform.startswith("linux") and hasattr(os, "pidfd_open")  # Linux 5.3, Python 3.9

GRACE = 0.15  # seconds after the deadline in which the child puts its verdict together
SILENCE = 0.04  # seconds without a word after which a child has no more to say of where it stands
STEP = 0.02  # seconds between two looks whether an interrupt has come
MOST = 1 << 20  # bytes that are kept of what comes from the child: a verdict has some thousand


def check(exercise: Exercise, answer: Callable[..., Any]) -> Verdict:
    """Try `answer` and say what came of it, within TOTAL + GRACE seconds as `Clock` counts. An interrupt ends it."""
    return _in_a_child(exercise, answer) if _CAN_FORK else _in_a_thread(exercise, answer)


# -- a process of its own ----------------------------------------------------------------------------------------------


def _in_a_child(exercise: Exercise, answer: Callable[..., Any]) -> Verdict:
    began = time.monotonic()
    with Uninterrupted() as guard:  # an interrupt is looked for, so that it cannot come between fork and kill
        read, write = os.pipe()
        dump, dumped = os.pipe()
        try:
            pid = _fork()
            if pid == 0:
                child.run(exercise, answer, write, dumped)
            try:
                with suppress(OSError):  # both sides do it: whoever comes first
                    os.setpgid(pid, pid)
                os.close(write)
                os.close(dumped)
                told = _listen(read, pid, TOTAL + GRACE, guard)
                if guard.came:
                    raise KeyboardInterrupt
                return _verdict(exercise, told, pid, dump, time.monotonic() - began)
            finally:
                _end(pid)
        finally:
            os.close(read)
            os.close(dump)


def _fork() -> int:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # whatever a program has put there
            stream.flush()
    with warnings.catch_warnings():
        # Python 3.12 warns of locks that other threads may hold. The child takes none of theirs: it has no output of
        # theirs, imports nothing that is not there yet, and ends without cleaning up.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _listen(read: int, pid: int, limit: float, guard: Uninterrupted) -> list[dict[str, Any]]:
    """What the child tells, up to its verdict, its end, the end of its time, or an interrupt.

    An answer may write into the pipe as well: what is no message is passed over.
    """
    told: list[dict[str, Any]] = []
    clock = Clock(pid)
    try:
        end = os.pidfd_open(pid)  # an answer may have forked children, which keep the pipe open
    except ProcessLookupError:  # over, and collected by somebody else in this process
        end = os.open(os.devnull, os.O_RDONLY)  # always ready
    try:
        poll = select.poll()
        poll.register(read, select.POLLIN)
        poll.register(end, select.POLLIN)
        rest = b""
        while (left := limit - clock.seconds()) > 0 and not guard.came:
            ready = [fd for fd, _ in poll.poll(min(left, STEP) * 1000)]
            if read in ready:
                chunk = os.read(read, 65536)
                if not chunk:  # nobody can tell anything more: wait for its end
                    poll.unregister(read)
                *lines, rest = (rest + chunk)[-MOST:].split(b"\n")
                told += filter(None, map(_message, lines))
                if told and "began" not in told[-1]:
                    break
            elif end in ready:
                break
    finally:
        os.close(end)
    return told


def _message(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b'{"'):
        return None
    try:
        told = json.loads(line)
        if "exercise" in told:
            return {"verdict": Verdict.from_json(line.decode())}
        return told if {"began", "broken", "forks"} & set(told) else None
    except (ValueError, RecursionError):
        return None


def _verdict(exercise: Exercise, told: list[dict[str, Any]], pid: int, dump: int, seconds: float) -> Verdict:
    """What the child has said, or what is to be said of an answer that kept it from saying anything."""
    last = told[-1] if told else {}
    if "verdict" in last:
        return last["verdict"]  # type: ignore[no-any-return]
    if "broken" in last:
        raise RuntimeError(f"the check of {exercise.name} failed itself:\n{last['broken']}")
    came, where = "", ""
    if "forks" in last:
        came = f"it had forked {child.FORKS} processes"
        key, cause = "forks-on", "It forks without end: each child goes on in the same loop, and forks as well."
        advice = "Let the child leave, with os._exit, where its own work is done."
    elif (ended := _end_of(pid)) is None:
        came, where = f"nothing within {TOTAL:.1f} s", _stood_at(pid, dump)
        key = "holds-everything"
        cause = "It is inside one long computation or call, in which no other thread of the process can run."
        advice = "Do the work in pieces, and look at what ends it."
    elif ended == child.LOST:
        came = "the pipe to the check was closed"
        key, cause = "closes-others", "It closed descriptors that it did not open; others are using those numbers."
        advice = "Close what you have opened, through the object that it belongs to: sock.close()."
    else:
        name = signal.Signals(-ended).name if -ended in set(signal.Signals) else f"status {ended}"
        verb = "was stopped by" if name in ("SIGSTOP", "SIGTSTP") else "was ended by" if ended < 0 else "ended with"
        came = f"the process {verb} {name}"
        key = "ends-process"
        cause = "It ended the process that it ran in: in a notebook that would have been the kernel."
        advice = "Return a value or raise an exception."
    number = int(next((one["began"] for one in reversed(told) if "began" in one), 0))
    return Verdict(
        exercise.name, FAILED, tuple(exercise.scenarios), number, f"{exercise.wants} returns", came, where, key, cause,
        advice, seconds=seconds,
    )  # fmt: skip


def _end_of(pid: int) -> int | None:
    """The exit status of a child, minus the signal's number where one ended or stopped it, None while it runs.

    It is only looked at: as long as nobody has collected it, its number is not given to somebody else.
    """
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # collected already: this process ignores SIGCHLD, or waits for any child
        return 0
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _stood_at(pid: int, dump: int) -> str:
    """The innermost line of the answer in what faulthandler writes down; "" where it does not."""
    os.kill(pid, signal.SIGUSR1)
    poll = select.poll()
    poll.register(dump, select.POLLIN)
    text = ""
    clock = Clock(pid, slowest=25)
    while clock.seconds() < SILENCE:
        if not poll.poll(SILENCE * 1000):
            continue
        clock = Clock(pid, slowest=25)
        text += os.read(dump, 65536).decode(errors="replace")
        for line in text.splitlines()[: text.count("\n")]:
            file, _, rest = line.strip().removeprefix('File "').partition('", line ')
            if rest and not is_library(file):
                return line_of(file, int(rest.split()[0]))
    return ""


def _end(pid: int) -> None:
    """End a child with all its family, and collect it."""
    with suppress(ProcessLookupError, PermissionError):
        if _end_of(pid) is None:
            os.kill(pid, signal.SIGSTOP)  # it forks no more, and what its children leave behind becomes its own
            seen: set[int] = set()
            while family := set(_children(pid)) - seen:
                for one in family:
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(one, signal.SIGKILL)
                seen |= family
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _children(pid: int) -> Iterator[int]:
    """The descendants of a process, children first (proc(5), /proc/pid/task/tid/children)."""
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                for one in map(int, file.read().split()):
                    yield one
                    yield from _children(one)


# -- a thread, where there is no fork ----------------------------------------------------------------------------------


def _in_a_thread(exercise: Exercise, answer: Callable[..., Any]) -> Verdict:
    with _without_keyboard():
        return Trial(exercise, answer, after=Attempt.abandon).run()


@contextmanager
def _without_keyboard() -> Iterator[None]:
    """While a check runs nobody can type: `input` would wait for a line that is never asked for."""
    usual = builtins.input
    builtins.input = child.no_keyboard
    try:
        yield
    finally:
        builtins.input = usual
