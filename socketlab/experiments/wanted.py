"""The arguments of an experiment, checked before it begins: what was wanted, in which unit, and what came."""

from __future__ import annotations

from typing import Any


def whole(name: str, value: Any, low: int, high: int, unit: str) -> int:
    """`value` as an int. Raises ValueError for anything but a whole number of `unit` from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} wanted a whole number of {unit} from {low:,} to {high:,}, but got {value!r}")
    return value


def seconds(name: str, value: Any, high: float, low: float = 0.0) -> float:
    """`value` as a float. Raises ValueError for anything but a number from `low` to `high`; NaN is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{name} wanted a number of seconds from {low:g} to {high:g}, but got {value!r}")
    return float(value)
