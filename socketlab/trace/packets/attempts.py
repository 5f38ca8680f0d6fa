"""What became of each `connect`: the SYN that it sent, and the answer, whichever call heard of it.

A connect that does not wait (a non-blocking socket, a timeout) leaves the answer to later calls: another connect, the
option SO_ERROR, or the first send or recv (connect(2), EINPROGRESS).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..events import Event

YES, REFUSED, NONE = "yes", "refused", "none"
_LATER = "later"

_BY_NAME = {
    **dict.fromkeys(("", "0", "EISCONN"), YES),
    **dict.fromkeys(("ECONNREFUSED", "ECONNRESET"), REFUSED),
    **dict.fromkeys(("EINPROGRESS", "EAGAIN", "EWOULDBLOCK", "WSAEWOULDBLOCK", "EALREADY", "EINTR"), _LATER),
    "ETIMEDOUT": _LATER,
}
_BY_FAILURE = {
    **dict.fromkeys(("ConnectionRefusedError", "ConnectionResetError"), REFUSED),
    **dict.fromkeys(("BlockingIOError", "TimeoutError", "timeout", "InterruptedError", "KeyboardInterrupt"), _LATER),
}


class Attempt(NamedTuple):
    """A connect: the call that sent the SYN, the one that heard what became of it (often the same), and the answer."""

    call: Event
    heard: Event
    answer: str  #: YES, REFUSED, or NONE as far as was heard


def attempts(events: Iterable[Event]) -> Iterator[Attempt]:
    """The attempts to connect among the calls of one end, in turn. A connect that sent nothing (EINVAL) is none."""
    pending: Event | None = None
    for event in events:
        if event.call in ("connect", "connect_ex"):
            answer = _answer(event)
            if answer == _LATER:
                pending = pending or event
            elif answer:
                yield Attempt(pending or event, event, answer)
                pending = None
        elif pending is not None and (_answer(event) == REFUSED or event.size):
            yield Attempt(pending, event, YES if event.size else REFUSED)
            pending = None
    if pending is not None:
        yield Attempt(pending, pending, NONE)


def _answer(event: Event) -> str:
    if event.failure is not None:
        return _BY_FAILURE.get(event.failure.kind, "")
    if event.call == "connect":
        return YES
    if event.call == "connect_ex":
        return _BY_NAME.get(event.result, "")
    if event.call == "getsockopt" and event.asked.startswith("SO_ERROR") and event.result.isdigit():
        return _BY_NAME.get(errno.errorcode.get(int(event.result), ""), "")
    return ""
