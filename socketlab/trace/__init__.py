"""See every socket call of a program, at both ends, and which bytes went where.

``from socketlab.trace import trace``, then ``with trace() as t: ...``. Rooms within, imports going down only:
`trace` (its life) → `roles` → `order` (happens-before) → `methods` (what stands in for the class's own) → `operations` →
`recorder` → `sight` (who is who); `events` is what comes out, and the views (`ladder_text`, `ladder_picture`, `timeline`,
`table`, `pcapng`) know nothing else.
"""

from __future__ import annotations

from .events import Endpoint, Event, Failure, Piece
from .trace import Trace, trace

__all__ = ["Endpoint", "Event", "Failure", "Piece", "Trace", "trace"]
