"""Exercises: a decorator that checks an answer at once, and names the mistake behind it.

    from socketlab.exercises import exercise

    @exercise("recv_exactly")
    def recv_exactly(sock, size):
        ...

Running the cell tries the function in named scenarios, over real sockets, under a deadline, in a process of its own;
what came of it is shown as a card. The function itself stays as it was written. `check` does the same without showing.
This room knows `trace`, `servers`, `links` and what is below them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .verdict import FAILED, NOT_ATTEMPTED, PASSED, Verdict

Answer = TypeVar("Answer", bound=Callable[..., Any])

__all__ = ["FAILED", "NOT_ATTEMPTED", "PASSED", "Verdict", "check", "exercise", "progress"]


def exercise(name: str) -> Callable[[Answer], Answer]:
    """Check what follows as the answer to the exercise `name`, show the verdict, and leave the function as it is.

    Raises LookupError for an unknown name, with the nearest one; TypeError where the name was left out.
    """
    if not isinstance(name, str):
        raise TypeError('the decorator wants the name of its exercise: @exercise("recv_exactly")')
    from .definition import find

    found = find(name)

    def answered(answer: Answer) -> Answer:
        from .records import note
        from .showing import show

        verdict = check(name, answer)
        show(verdict, found, note(verdict))
        return answer

    return answered


def check(name: str, answer: Any) -> Verdict:
    """The verdict on `answer` for the exercise `name`; nothing is shown or kept. Takes 3.2 s at most.

    Raises LookupError for an unknown name, RuntimeError where the check itself is broken.
    """
    from .definition import find
    from .examine import examine
    from .isolation import check as isolated

    found = find(name)
    return examine(found, answer) or isolated(found, answer)


def progress() -> Any:
    """A table of the exercises by lesson: which of them you have passed."""
    from .definition import all_exercises
    from .records import passed
    from .showing import Progress

    return Progress(tuple(all_exercises().values()), frozenset(passed()))
