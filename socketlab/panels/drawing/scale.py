"""The axes of a chart: from values to pixels, and the numbers that stand beside them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple


def plain(value: float) -> str:
    """A number as a tick: 0.25, 10, 1,500."""
    return f"{value:,.6g}"


class Axis(NamedTuple):
    """What an axis measures. Without `low` and `high` it reaches as far as the points do, and to 0 where not `log`."""

    label: str  #: with the unit, unless `text` writes it at every tick
    text: Callable[[float], str] = plain  #: how a value reads
    low: float | None = None
    high: float | None = None
    log: bool = False  #: values of 0 or less are left out


class Scale:
    """From values to pixels, and the ticks."""

    def __init__(self, axis: Axis, values: list[float], start: float, end: float, ticks: int) -> None:
        self.log, self.start, self.end = axis.log, start, end
        values = [value for value in values if math.isfinite(value) and (value > 0 or not axis.log)]
        low = axis.low if axis.low is not None else min(values, default=1.0 if axis.log else 0.0)
        high = axis.high if axis.high is not None else max(values, default=low * 10 if axis.log else 1.0)
        if not axis.log and axis.low is None:
            low = min(low, 0.0)
        if axis.log:
            # A little more than the values need, and never less than a factor of four: one value has a middle too.
            middle, factor = math.sqrt(low * high), max(high / low, 4.0) ** 0.5
            low = axis.low if axis.low is not None else middle / factor / 1.15
            high = axis.high if axis.high is not None else middle * factor * 1.15
            self.ticks = _decades(low, high, ticks)
        else:
            high = high if high > low else low + 1.0
            step = _step((high - low) / max(ticks, 2))
            if axis.high is None:
                high = math.ceil(high / step - 1e-9) * step
            first = math.ceil(low / step - 1e-9)
            self.ticks = [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]
        self.low, self.high = low, high

    def sees(self, value: float) -> bool:
        return math.isfinite(value) and (value > 0 or not self.log)

    def __call__(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def _step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= least * (1 - 1e-9))


def _decades(low: float, high: float, most: int) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [f * 10.0**n for n in powers for f in factors if low <= f * 10.0**n <= high]
        if len(ticks) <= max(most, 2):
            return ticks
    return ticks[:: math.ceil(len(ticks) / max(most, 2))]
