"""Trying an answer: one scenario after the other, each in a thread that is watched and traced, under a deadline.

The first scenario that fails ends the trial. What was seen of it is put together, and the misconceptions are asked in
turn, the exercise's own before those that any answer can have. All this happens in the process of the answer; where
that is, and who makes sure that it ends, is for `isolation` to say.
"""

from __future__ import annotations

import errno
import linecache
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

from ..frames import frame_of
from ..trace import trace
from ..trace.events import Event
from ..trace.own_lines import is_library, own_line
from ..trace.system_call import RUNNING, system_call
from ..trace.waiting import waiting
from . import known
from .attempt import ANSWER, PEER, Attempt, Raised, Skipped, Unmet
from .clock import Clock
from .definition import TOTAL, Exercise, Scenario
from .seen import LOOKS, NO_THREAD, Seen
from .surface import of_all_others, of_sockets
from .verdict import FAILED, NOT_ATTEMPTED, PASSED, Verdict
from .words import words_of

ROOM = 1 << 24  # bytes that have to be there for a scenario to begin
EVIDENCE = 0.3  # seconds of the total that are left to put together what was seen, beside an answer that spins
CROWD = 50  # threads that fill a good part of the memory that an answer may take
EVENTS = 2000  # calls of a scenario that are recorded: an answer that spins makes a million a second


class Trial:
    """One run of all scenarios. `began` is called with the number of each scenario before it begins, `short` where
    memory, threads or descriptors have come to an end: it may provide what it takes to tell of that. `after` is called
    with each `Attempt` that is over."""

    def __init__(
        self,
        exercise: Exercise,
        function: Callable[..., Any],
        *,
        began: Callable[[int], object] = lambda number: None,
        printed: Callable[[], str] = lambda: "",
        short: Callable[[], object] = lambda: None,
        after: Callable[[Attempt], object] = lambda attempt: None,
    ) -> None:
        self.exercise, self.function = exercise, function
        self.began, self.printed, self.short, self.after = began, printed, short, after
        self.seen = Seen()
        self._others = of_all_others()
        self._skipped: list[tuple[str, str]] = []

    def run(self) -> Verdict:
        """Raises what a scenario raises that is itself in error; whatever the answer does becomes a verdict."""
        start, clock = time.monotonic(), Clock()
        names = tuple(self.exercise.scenarios)
        for number, (name, scenario) in enumerate(self.exercise.scenarios.items()):
            limit = min(self.exercise.deadline, TOTAL - EVIDENCE - clock.seconds())
            self.seen = Seen(scenario=name)
            self.began(number)
            try:
                bytearray(ROOM)  # without memory, Thread.start would wait for ever for a thread that never begins
                failed = self._try(scenario, max(limit, 0.05))
            except Exception as exc:
                if not self._is_of_the_answer(exc):
                    raise
                failed = True
            seen = self.seen
            took = time.monotonic() - start
            if failed and number == 0 and isinstance(seen.error, NotImplementedError) and not seen.calls:
                return Verdict(self.exercise.name, NOT_ATTEMPTED, names, seconds=took)
            if failed:
                key, cause, advice = diagnose(self.exercise, seen)
                return Verdict(
                    self.exercise.name, FAILED, names, number, seen.expected, seen.came, seen.line, key, cause, advice,
                    self.printed(), took,
                )  # fmt: skip
        return Verdict(
            self.exercise.name, PASSED, names, len(names), seconds=time.monotonic() - start,
            skipped=tuple(self._skipped),
        )  # fmt: skip

    def _try(self, scenario: Scenario, limit: float) -> bool:
        """One scenario: whether it failed. What was seen of it is in `seen`."""
        seen = self.seen
        attempt = Attempt(self.function, self.exercise.wants, seen)
        trouble: list[BaseException] = []
        seen_trace = trace(events=EVENTS)
        attempt.clock = lambda: seen_trace.now_ns
        attempt.recorded = lambda: seen_trace.events

        def body() -> None:
            try:
                scenario(attempt)
                attempt.end()
                attempt.nothing_left_open()
            except Skipped as exc:
                self._skipped.append((seen.scenario, str(exc)))
            except BaseException as exc:
                trouble.append(exc)

        others = set(threading.enumerate())
        thread = threading.Thread(target=body, name=ANSWER, daemon=True)
        with _unclosed_sockets(seen), seen_trace:
            sockets = of_sockets()
            try:
                clock = Clock()
                thread.start()
                while thread.is_alive() and (left := clock.left(limit)) > 0:
                    thread.join(left)
                if thread.is_alive():
                    _look_at(thread, seen)
                    self.seen = seen = replace(seen)  # what it does from now on does not count
                    _ask_to_end(thread)  # or it would take the interpreter from those who look at what was seen
            finally:
                seen.patched = (*sockets.put_back(), *self._others.put_back())
                self.after(attempt)
            seen.events = tuple(seen_trace.events)
        new = [one for one in threading.enumerate() if one not in others and one is not thread]
        seen.threads = tuple(one.name for one in new if not one.name.startswith(PEER))
        seen.calls = tuple(_of_the_answer(seen.events, attempt.spans))
        seen.printed = self.printed()
        if seen.timed_out:
            seen.expected = seen.expected or f"{self.exercise.wants} returns"
            seen.came = "nothing in time"  # how much that was depends on what other scenarios have left of TOTAL
            return True
        return self._failed(trouble, seen)

    def _failed(self, trouble: list[BaseException], seen: Seen) -> bool:
        for problem in trouble:
            if isinstance(problem, Unmet):
                seen.expected, seen.came = problem.expected, problem.came
            elif isinstance(problem, Raised):
                assert seen.error is not None
                seen.line = seen.line or raised_at(seen.error)
            else:
                raise problem
        if not trouble and seen.unclosed:
            seen.expected, seen.came = "every socket is closed by the answer", "the garbage collector closed one"
        if not trouble and seen.patched:
            module = seen.patched[0].partition(".")[0]
            seen.expected, seen.came = f"the module {module} as it was", "it was changed"
        return bool(trouble or seen.unclosed or seen.patched)

    def _is_of_the_answer(self, exc: Exception) -> bool:
        """Whether the check could not go on because of what the answer has done to its process."""
        self.short()
        if isinstance(exc, MemoryError) and threading.active_count() > CROWD:
            exc = RuntimeError(NO_THREAD)  # their stacks are what has filled it
        seen = self.seen
        seen.patched = (*seen.patched, *self._others.put_back())
        taken = isinstance(exc, OSError) and exc.errno in (errno.EMFILE, errno.EBADF, errno.ENOMEM)
        ours = not (taken or seen.patched or isinstance(exc, MemoryError) or str(exc) == NO_THREAD)
        if not ours:
            seen.accident = exc
            seen.expected = seen.expected or f"{self.exercise.wants} returns"
            seen.came = seen.came or f"what the check did next raised {words_of(exc)}"
            if seen.error is not None:
                seen.line = seen.line or raised_at(seen.error)
        return not ours


def diagnose(exercise: Exercise, seen: Seen) -> tuple[str, str, str]:
    """Key, cause and advice of the first misconception that fits."""
    for misconception in (*exercise.misconceptions, *known.KNOWN):
        cause = misconception.diagnose(seen)
        if cause:
            return misconception.key, cause, misconception.advice
    raise LookupError("no misconception fits, and the last one fits always")


def _of_the_answer(events: Sequence[Event], spans: Sequence[tuple[int, int | None]]) -> Iterator[Event]:
    """The calls of the answer: made in its thread while it was called, or in threads that it has started."""
    for event in events:
        if event.inside is not None or event.housekeeping or event.call in LOOKS:
            continue
        if event.thread == ANSWER:
            if any(begin <= event.start_ns and (end is None or event.start_ns <= end) for begin, end in spans):
                yield event
        elif not event.thread.startswith((PEER, "main")) and not event.thread.endswith(" server"):
            yield event


# -- where an answer stands --------------------------------------------------------------------------------------------


def _look_at(thread: threading.Thread, seen: Seen) -> None:
    """Its time is up: is it blocked, does it sleep, or does it run; and in which line?"""
    seen.timed_out = True
    seen.waiting = waiting(thread)
    frame = frame_of(thread)
    if seen.waiting is not None:
        seen.line = line_of(seen.waiting.file, seen.waiting.line)
    elif frame is not None:
        call = system_call(thread.native_id)
        seen.asleep = call is not None and call is not RUNNING
        own, _ = own_line(frame)
        while own is not None and own.f_code.co_filename == "<string>" and own.f_back is not None:
            own, _ = own_line(own.f_back)  # what dataclasses and namedtuples make has no file: it is a library's too
        seen.line = line_of(own.f_code.co_filename, own.f_lineno or 0) if own is not None else ""


def _ask_to_end(thread: threading.Thread) -> None:
    """Raise SystemExit in a thread; it hears of that at its next line of Python, if it ever comes to one."""
    import ctypes

    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))


def raised_at(error: BaseException) -> str:
    """The learner's innermost line among those that the exception came through; "" where there is none."""
    own: FrameType | None = None
    number = 0
    for frame, line in traceback.walk_tb(error.__traceback__):
        if not is_library(frame.f_code.co_filename):
            own, number = frame, line
    return line_of(own.f_code.co_filename, number) if own is not None else ""


def line_of(file: str, number: int) -> str:
    """``line 3: data = sock.recv(size)``; a cell's lines are counted from its first."""
    text = linecache.getline(file, number).strip()
    return f"line {number}: {text}" if text else f"line {number}"


# -- what it leaves behind ---------------------------------------------------------------------------------------------


@contextmanager
def _unclosed_sockets(seen: Seen) -> Iterator[None]:
    """Count the sockets that nobody closed but the garbage collector: Python says so in a ResourceWarning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* while a trace was open", RuntimeWarning)  # `patched` tells
        warnings.simplefilter("always", ResourceWarning)
        usual = warnings.showwarning

        def noted(message: Any, category: Any, *rest: Any, **more: Any) -> None:
            if issubclass(category, ResourceWarning) and str(message).startswith("unclosed <socket"):
                seen.unclosed += 1
            elif not str(message).startswith("unclosed transport"):  # asyncio's words have a descriptor in them
                usual(message, category, *rest, **more)

        warnings.showwarning = noted
        yield
