"""How long the check of an answer takes, how soon a hanging one is over, and what many checks leave behind."""

from __future__ import annotations

import gc
import socket
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from socketlab.exercises import check
from socketlab.exercises.definition import TOTAL, all_exercises
from socketlab.exercises.isolation import GRACE
from socketlab.grading.cells import pieces, sources

from .pairing import percentile

SOLUTIONS = Path(__file__).resolve().parent.parent / "notebooks" / "solutions"


def solutions() -> dict[str, Any]:
    """The worked solutions by the name of their exercise."""
    found: dict[str, Any] = {}
    for path in sorted(SOLUTIONS.glob("*.ipynb")):
        names: dict[str, Any] = {"__name__": "solutions"}
        for piece in pieces(sources(path)):
            names["exercise"] = lambda name: lambda answer: found.setdefault(name, answer)
            exec(compile(piece.source, path.name, "exec"), names)
    return found


def checks_of_solutions(rounds: int = 5) -> dict[str, float]:
    """Seconds that the check of each worked solution takes, the median of `rounds`."""
    took = {}
    for name, answer in solutions().items():
        times = []
        for _ in range(rounds):
            begin = time.perf_counter()
            verdict = check(name, answer)
            times.append(time.perf_counter() - begin)
            assert verdict.passed, verdict.text()
        took[name] = percentile(times, 0.5)
    return took


def hanging() -> list[tuple[str, float, float]]:
    """Of answers that do not end, in four ways: name, seconds until the verdict, and the seconds that it may take."""

    def blocks(*arguments: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.accept()

    def sleeps(*arguments: Any) -> None:
        time.sleep(1000)

    def spins(*arguments: Any) -> None:
        while True:
            pass

    def computes(*arguments: Any) -> None:
        sum(range(10**12))

    name, found = next(iter(all_exercises().items()))
    results = []
    for answer in (blocks, sleeps, spins, computes):
        begin = time.perf_counter()
        assert not check(name, answer).passed
        limit = TOTAL if answer is computes else found.deadline
        results.append((f"one that {answer.__name__}", time.perf_counter() - begin, limit + max(GRACE, 0.2)))
    return results


def many(count: int) -> tuple[int, int, int, int]:
    """What `count` checks in a row leave: threads, descriptors, child processes, bytes of memory."""
    everything = list(solutions().items())

    def state() -> tuple[int, int, int, int]:
        gc.collect()
        me = psutil.Process()
        return threading.active_count(), me.num_fds(), len(me.children()), me.memory_info().rss

    for n in range(20):
        check(*everything[n % len(everything)])
    before = state()
    for n in range(count):
        check(*everything[n % len(everything)])
    threads, descriptors, children, memory = (now - then for now, then in zip(state(), before, strict=True))
    return threads, descriptors, children, memory
