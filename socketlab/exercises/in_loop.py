"""Answers that are coroutines: a scenario runs an event loop, awaits the answer in it, and looks at what it leaves.

    @ask.scenario("the server answers at once")
    def at_once(attempt: Attempt) -> None:
        async def talk(answer: Awaited) -> None:
            ...  # somebody to talk to, in the same loop
            attempt.equal(await answer.call(address, b"?"), b"!")

        in_loop(attempt, talk)

Whoever the answer talks to has its turns in the same loop, so an answer that blocks its thread stands still for good.
What `facts` of `Seen` has afterwards: `stuck`, where its time was up; `plain`, where it returned what nobody can await;
`never_awaited`, names of coroutines that it called and did not await; `loop_errors`, exceptions that nobody caught, in
callbacks and in tasks; `tasks`, how many tasks it has left running.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..trace.own_lines import is_library
from .attempt import Attempt, Raised, Unmet, open_sockets, told
from .definition import Exercise
from .seen import Seen
from .trial import line_of
from .words import shown

LIMIT = 1.0  # seconds after which an answer is stuck
_TURNS = 10  # of the loop, in which transports close what they were told to close
_NEVER = re.compile(r"coroutine '([\w.<>]+)' was never awaited")


class Awaited:
    """The answer, in the loop that runs."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.ours: set[int] = set()  #: descriptors of the scenario's own sockets that came after `begin`
        self._before: set[int] = set()
        self._others: set[asyncio.Task[Any]] = set()

    def begin(self, *arguments: Any) -> asyncio.Task[Any]:
        """Start the answer as a task."""
        self._before = open_sockets()
        self._others = asyncio.all_tasks()
        return asyncio.ensure_future(self._answer(arguments))

    async def call(self, *arguments: Any) -> Any:
        """Await the answer, and return what it returns. What it raises ends the scenario."""
        task = self.begin(*arguments)
        await self.over(task)
        return self.result(task)

    async def raises(self, kinds: type[BaseException] | tuple[type[BaseException], ...], *arguments: Any) -> None:
        """Await the answer, which has to raise one of `kinds`."""
        task = self.begin(*arguments)
        await self.over(task)
        self.raised(task, kinds)

    async def over(self, task: asyncio.Task[Any], seconds: float = LIMIT) -> None:
        """Wait until a task of `begin` is over, and look what it has left. Raises Unmet where that takes too long."""
        seen = self.attempt.seen
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            seen.facts["stuck"] = True
            seen.line = _stands(task)
            task.cancel()
            raise Unmet(seen.expected or f"{self.attempt.wants} returns", f"nothing within {seconds:g} s")
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self.look()

    def look(self) -> None:
        """Note which tasks and sockets are left of those that came since `begin`."""
        seen = self.attempt.seen
        seen.facts["tasks"] = len([one for one in asyncio.all_tasks() - self._others if not one.done()])
        seen.left_open = len(open_sockets() - self._before - self.ours)

    def result(self, task: asyncio.Task[Any]) -> Any:
        """What the answer has returned."""
        error = _error_of(task)
        if isinstance(error, Unmet):
            raise error
        if error is not None:
            seen = self.attempt.seen
            seen.expected = seen.expected or f"{self.attempt.wants} returns"
            seen.came = told(error)
            raise Raised from error
        return task.result()

    def raised(self, task: asyncio.Task[Any], kinds: type[BaseException] | tuple[type[BaseException], ...]) -> None:
        """The answer has to have raised one of `kinds`."""
        seen, error = self.attempt.seen, _error_of(task)
        if isinstance(error, Unmet):
            raise error
        names = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
        if error is None:
            raise Unmet(f"it raises {names}", f"it returned {shown(task.result())}")
        if not isinstance(error, kinds):
            seen.expected, seen.came = f"it raises {names}", told(error)
            raise Raised from error
        seen.error = None

    async def _answer(self, arguments: tuple[Any, ...]) -> Any:
        attempt, seen = self.attempt, self.attempt.seen
        seen.returned, seen.result, seen.error = False, None, None
        attempt.spans.append((attempt.clock(), None))
        try:
            result = attempt.function(*arguments)
            if not inspect.isawaitable(result):
                seen.facts["plain"] = True
                raise Unmet(f"{attempt.wants} returns something that can be awaited", f"it returned {shown(result)}")
            result = await result
        except Unmet:
            raise
        except BaseException as exc:
            seen.error = exc
            raise
        finally:
            attempt.spans[-1] = (attempt.spans[-1][0], attempt.clock())
        seen.returned, seen.result = True, result
        return result


def in_loop(attempt: Attempt, talk: Callable[[Awaited], Awaitable[None]]) -> None:
    """Run a scenario's coroutine in an event loop of its own; what it raises ends the scenario."""
    facts = attempt.seen.facts
    errors: list[BaseException] = facts.setdefault("loop_errors", [])

    def keep(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), BaseException):
            errors.append(context["exception"])

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(keep)
        await talk(Awaited(attempt))

    with _never_awaited(facts.setdefault("never_awaited", [])):
        asyncio.run(main())


def common(exercise: Exercise) -> None:
    """The misconceptions of every coroutine; to be called before or after those of the exercise."""

    @exercise.misconception("not-async", advice="Write `async def`, and await in it.")
    def plain(seen: Seen) -> str | None:
        if not seen.facts.get("plain"):
            return None
        return "It is an ordinary function: it returns when it has begun, and nobody can await its end."

    @exercise.misconception("never-awaited", advice="Write `await` before the call.")
    def never(seen: Seen) -> str | None:
        names = seen.facts.get("never_awaited")
        if not names:
            return None
        return (
            f"It called {names[0].rpartition('.')[2]}() and did not await it: that makes a coroutine and runs nothing."
        )


@contextmanager
def _never_awaited(names: list[str]) -> Iterator[None]:
    usual = warnings.showwarning

    def noted(message: Any, category: Any, *rest: Any, **more: Any) -> None:
        found = _NEVER.match(str(message))
        if found is None:
            usual(message, category, *rest, **more)
        else:
            names.append(found[1])

    with warnings.catch_warnings():
        warnings.filterwarnings("always", _NEVER.pattern, RuntimeWarning)
        warnings.showwarning = noted
        yield


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()


def _stands(task: asyncio.Task[Any]) -> str:
    """The innermost line of the learner's in the chain of coroutines that await one another."""
    thing: Any = task.get_coro()
    found = ""
    while thing is not None:
        frame = getattr(thing, "cr_frame", None) or getattr(thing, "gi_frame", None)
        if frame is not None and not is_library(frame.f_code.co_filename):
            found = line_of(frame.f_code.co_filename, frame.f_lineno or 0)
        thing = getattr(thing, "cr_await", None) or getattr(thing, "gi_yieldfrom", None)
    return found
