"""How much of the long tests one run takes: SOCKETLAB_SEED chooses, SOCKETLAB_ALL=1 leaves nothing out.

In each run every cell of every notebook is run and compared, every exercise meets all its right and wrong answers, and
every operation is looked for. What is done to notebooks beyond that (kernels that are interrupted and restarted, lesser
machines, a browser) takes a minute for each of them: one run does it to a sixth, and six seeds do it to all.
SOCKETLAB_THOROUGH=1 takes all of them and far larger samples: hours.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

SHARES = 6


def _is_set(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


def _number(name: str) -> int:
    given = os.environ.get(name, "") or "0"
    if not given.isdecimal():
        raise ValueError(f"{name} wanted a number from 0 on, or nothing, but is {given!r}")
    return int(given)


THOROUGH = _is_set("SOCKETLAB_THOROUGH")
ALL = THOROUGH or _is_set("SOCKETLAB_ALL")
SEED = _number("SOCKETLAB_SEED")


def share_of(items: Sequence[T]) -> list[T]:
    """Every sixth of `items`, in their order, the seed says which; all of them with SOCKETLAB_ALL."""
    return list(items) if ALL else list(items[SEED % SHARES :: SHARES])
