"""The verdicts on given answers, several at a time: a check mostly waits, for a deadline or for a peer's silence."""

from __future__ import annotations

from collections.abc import Container, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from mutants import Given, all_given

from socketlab.exercises import check
from socketlab.exercises.verdict import Verdict

AT_ONCE = 4  # checks, each a process that does little


class Verdicts:
    """Ask for one, and all on the same exercise are on their way: mutants of exercises in `twice` two times."""

    def __init__(self, pool: ProcessPoolExecutor, twice: Container[str]) -> None:
        self._pool, self._twice = pool, twice
        self._futures: dict[tuple[str, int], Future[Verdict]] = {}

    def on(self, given: Given, time: int = 0) -> Verdict:
        """The verdict on this answer, when it was checked for the first time (0) or the second (1)."""
        if (given.id, time) not in self._futures:
            for one in all_given():
                if one.exercise == given.exercise:
                    for n in range(2 if one.key and one.exercise in self._twice else 1):
                        self._futures[one.id, n] = self._pool.submit(verdict, one.id)
        return self._futures[given.id, time].result()


def verdict(given_id: str) -> Verdict:
    """Runs in a process of the pool, which finds the answer again by its id."""
    (given,) = (one for one in all_given() if one.id == given_id)
    return check(given.exercise, given.answer)


@contextmanager
def verdicts(twice: Container[str]) -> Iterator[Verdicts]:
    # Spawned: a check forks, and whoever forks had better have no threads, such as those of pytest-xdist.
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        try:
            yield Verdicts(pool, twice)
        finally:
            pool.shutdown(cancel_futures=True)
