"""See every socket call of a program, at both ends, and which bytes went where.

``from socketlab import trace``, then ``with trace() as t: ...``. Rooms within, imports going down only: `trace` (its
life) → `roles` → `order` (happens-before) → `streams`, `pairing` → `calls` → `settling`, `methods` (what stands in for
the class's own) → `under_way`, `descriptions` → `operations` → `recorder` → `sight` (who is who). `links` and
`panels` know what is left out. `events` is what comes out, and `views` (ladder, timeline, table) and `packets` (the
capture file) know nothing else. `waiting` tells what a thread is blocked in, with or without a trace.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from .events import Endpoint, Event, Failure, Piece
from .trace import Trace, trace

__all__ = ["Endpoint", "Event", "Failure", "Piece", "Trace", "trace"]


class _Room(ModuleType):
    """This package can be called: ``from socketlab import trace`` finds the package, and people mean the function."""

    def __call__(self, *args: Any, **settings: Any) -> Trace:
        return trace(*args, **settings)


sys.modules[__name__].__class__ = _Room
