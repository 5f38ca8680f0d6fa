"""Comparing two things on a machine that is never quiet: in turn, in one process, on one CPU, ratio by ratio.

A machine that others use changes its speed from second to second, and whether the scheduler puts client and server
on one CPU or on two decides a round trip by a factor of five. Both hit A and B alike when they run pinned to one CPU
and in turn, A B, B A, A B …, so the ratio of neighbours is steady where neither time is. What stands in the tables is
the median of those ratios, and how far half of them lie around it.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Paired:
    """`ours` and `base` are the medians of the rounds, in their own unit; `ratios` are ours / base, round by round."""

    ours: float
    base: float
    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """First and third quartile of the ratios."""
        low, _, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return low, high

    def __str__(self) -> str:
        low, high = self.spread
        return f"{self.ratio:5.2f} ({low:.2f} to {high:.2f})"


def paired(base: Callable[[], float], ours: Callable[[], float], rounds: int) -> Paired:
    """Call both in turn, `rounds` times each and once more to warm up; each call returns what it measured."""
    base(), ours()
    pairs: list[tuple[float, float]] = []
    for n in range(rounds):
        if n % 2:
            b = ours()
            a = base()
        else:
            a = base()
            b = ours()
        pairs.append((a, b))
    return Paired(
        statistics.median(b for _, b in pairs), statistics.median(a for a, _ in pairs), tuple(b / a for a, b in pairs)
    )


def percentile(samples: Sequence[float], share: float) -> float:
    """Nearest rank: the smallest sample that is not below `share` of them."""
    ordered = sorted(samples)
    return ordered[max(1, math.ceil(len(ordered) * share)) - 1]


def pin() -> str:
    """Keep this process on one CPU; say which, or that it could not be done."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned (this platform cannot)"
    cpu = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    return f"pinned to CPU {cpu}"
