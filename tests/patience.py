"""Waiting, with an end, for what another thread, another process or the kernel does without telling us."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def outcome(condition: Callable[[], T], seconds: float) -> T:
    """What `condition` gives as soon as that is true, or what it gave last when `seconds` are over."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.002)
    return found


def eventually(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    """Whether it comes true within `seconds`."""
    return bool(outcome(condition, seconds))


def until(condition: Callable[[], T], what: str, seconds: float = 10.0) -> T:
    """Wait for something true and return it; the test fails, and says `what` was waited for, after `seconds`."""
    found = outcome(condition, seconds)
    assert found, f"waited {seconds} s in vain: {what}"
    return found
