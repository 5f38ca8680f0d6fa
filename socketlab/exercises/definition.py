"""What an exercise consists of, and where to find one by name.

An exercise is made in a file of `checks`, one file per notebook; the file is found by itself:

    recv_exactly = Exercise(
        "recv_exactly",
        lesson="07_streams_and_framing",
        wants="recv_exactly(sock, size)",
        task="Return exactly `size` bytes; raise EOFError where the peer closes before.",
        hints=("A recv returns what has arrived.", "Keep asking for what is still missing."),
    )

    @recv_exactly.scenario("16 bytes that come one at a time")
    def dribble(attempt: Attempt) -> None:
        sock, peer = attempt.connection()
        attempt.beside(send_slowly, peer, b"0123456789abcdef")
        attempt.equal(attempt.call(sock, 16), b"0123456789abcdef")

    @recv_exactly.misconception("one-recv", advice="Call recv until all of them are here.")
    def one_recv(seen: Seen) -> str | None:
        ...  # a sentence of cause, where it is that what happened; None otherwise
"""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .attempt import Attempt
    from .seen import Seen

Scenario = Callable[["Attempt"], None]
Diagnosis = Callable[["Seen"], "str | None"]

#: Seconds that one scenario may take, and all of them together; a correct answer takes a tenth of one.
DEADLINE, TOTAL = 2.0, 3.0


class Misconception(NamedTuple):
    """A way to be wrong. `diagnose` gives a sentence of cause, or None where what was seen is something else."""

    key: str
    advice: str
    diagnose: Diagnosis


class Exercise:
    """One exercise: what is wanted, how it is tried, and which mistakes are known.

    `wants` is the call as the learner has to define it, `task` the exercise in a sentence, `lesson` the notebook's
    name without its ending, `yields` whether a generator is an answer, `awaits` whether a coroutine is (see `in_loop`).
    Raises ValueError for a signature that is none.
    """

    def __init__(
        self,
        name: str,
        *,
        lesson: str,
        wants: str,
        task: str,
        hints: tuple[str, ...],
        deadline: float = DEADLINE,
        yields: bool = False,
        awaits: bool = False,
    ) -> None:
        function, bracket, inside = wants.partition("(")
        if not bracket or not inside.endswith(")") or not function.isidentifier():
            raise ValueError(f"wants should be a call such as 'recv_exactly(sock, size)', not {wants!r}")
        self.name, self.lesson, self.wants, self.task, self.hints = name, lesson, wants, task, hints
        self.parameters = tuple(part.strip() for part in inside[:-1].split(",") if part.strip())
        self.deadline, self.yields, self.awaits = deadline, yields, awaits
        self.scenarios: dict[str, Scenario] = {}
        self.misconceptions: list[Misconception] = []

    @property
    def solution(self) -> str:
        """The worked solution, as a link from the notebook."""
        return f"solutions/{self.lesson}.ipynb#{self.name}"

    def scenario(self, name: str) -> Callable[[Scenario], Scenario]:
        """What follows is one way to try an answer; `name` says in a few words what happens in it."""

        def add(function: Scenario) -> Scenario:
            if name in self.scenarios:
                raise ValueError(f"{self.name} has a scenario {name!r} already")
            self.scenarios[name] = function
            return function

        return add

    def misconception(self, key: str, *, advice: str) -> Callable[[Diagnosis], Diagnosis]:
        """What follows tells whether this is the mistake. The first one that says so, in order of definition, is it."""

        def add(function: Diagnosis) -> Diagnosis:
            if any(known.key == key for known in self.misconceptions):
                raise ValueError(f"{self.name} has a misconception {key!r} already")
            self.misconceptions.append(Misconception(key, advice, function))
            return function

        return add

    def __repr__(self) -> str:
        return f"<exercise {self.name}: {self.wants}>"


def all_exercises() -> dict[str, Exercise]:
    """Every exercise by name, in the order of the lessons. Raises ValueError where two have the same name."""
    from . import checks

    if not _found:
        for module in sorted(pkgutil.iter_modules(checks.__path__), key=lambda info: info.name):
            for value in vars(import_module(f"{checks.__name__}.{module.name}")).values():
                if isinstance(value, Exercise) and _found.setdefault(value.name, value) is not value:
                    raise ValueError(f"two exercises are called {value.name!r}")
    return dict(_found)


_found: dict[str, Exercise] = {}


def find(name: str) -> Exercise:
    """The exercise with that name. Raises LookupError with the nearest name otherwise."""
    exercises = all_exercises()
    if name in exercises:
        return exercises[name]
    near = difflib.get_close_matches(str(name), exercises, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(exercises)}"
    raise LookupError(f"there is no exercise {name!r}; {advice}")
