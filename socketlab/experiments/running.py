"""How an experiment runs: step by step, so that it can be watched, and stopped between two steps.

An experiment is a generator. It yields how far it has come, from 0 to 1 (None where it has no end), and the result so
far; closing it, at any yield, closes what it opened. So one and the same experiment serves a cell, which wants the
result (`run`), and a panel, which draws each step.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import TypeVar

from ..measure.progress import Progress

T = TypeVar("T")

Steps = Generator[tuple[float | None, T], None, None]


def run(steps: Steps[T], label: str) -> T:
    """Go through `steps` and return the last result; after a second, a bar named `label` and a Stop button appear.

    Stop ends the experiment between two steps, and the result is what was measured until then. Raises what the
    experiment raises, ValueError for one that has no end or no result.
    """
    with closing(steps), Progress(label, can_stop=True) as bar:
        last: list[T] = []
        for share, result in steps:
            if share is None:
                raise ValueError(f"{label} has no end: it is for a panel, which somebody stops")
            last[:] = [result]
            bar.show_if_due(share)
            if bar.stopped:
                break
    if not last:
        raise ValueError(f"{label} ended without a result")
    return last[0]
