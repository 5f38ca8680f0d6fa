"""What had begun before the trace, and what it left behind: the two edges of a recording.

A thread that stood in `accept` or `recv` when the trace was opened is in the original method, and comes back unseen. So
the trace asks, when it opens, who stands where (`waiting`). The call is added when the thread is seen again: an accept
when it then handles a connection of that listener, a recv with the bytes that nobody else can have got.

Bytes that were sent before, and read now, would shift all that follows by their number. How many there were follows
from a sum: what came into an end's queue is what was read from it and what is still there when the trace closes.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, NamedTuple

from ..servers.datagram import LARGEST
from .events import IN
from .operations import Extra, Operation, special
from .recorder import Recorder
from .relays import look
from .sight import End, Plain

_ACCEPT, _RECV, _RECVFROM = Operation("accept"), Operation("recv", IN), Operation("recvfrom", IN)


class _Unknown:
    """Stands for the bytes of a recv that began before the trace, until they have been found."""


UNKNOWN = _Unknown()


class UnderWay(NamedTuple):
    """A call that began before the trace."""

    kind: str  #: accept or recv
    end: End


def calls_under_way(recorder: Recorder) -> dict[int, UnderWay]:
    """By thread: the accept or recv in which each other thread stands."""
    from .waiting import waiting

    found = {}
    for thread in threading.enumerate():
        if thread is threading.current_thread() or thread.ident is None:
            continue
        try:
            stands = waiting(thread, explain=False)
        except Exception as fault:  # a thread that ends meanwhile; what is not found is missing, nothing more
            recorder.faults.append(fault)
            continue
        if stands is not None and stands.kind in ("accept", "recv") and stands.fd is not None:
            end = recorder.ends.behind(stands.fd)
            if end is not None:
                found[thread.ident] = UnderWay(stands.kind, end)
    return found


def came_back(call: UnderWay | None, opened: float, seen: float, who: End | None) -> tuple[Any, ...]:
    """The slots of `call`, which a thread had begun before, now that it is `seen` again with a call of `who`."""
    if call is None:
        return ()
    if call.kind == "recv" and call.end.helper and not call.end.stream:
        return opened, seen, call.end, _RECVFROM, LARGEST, UNKNOWN  # as a server for datagrams does it, always
    if call.kind == "recv":
        return opened, seen, call.end, _RECV, None, UNKNOWN
    if who is None or who is call.end or not who.stream or who.local != call.end.local:
        return ()
    who.origin, who.helper = who.origin or "accept", who.helper or call.end.helper
    return opened, seen, call.end, special(_ACCEPT, Extra(ends=(who,))), "", ""


def bytes_in_queues(recorder: Recorder) -> dict[End, int]:
    """How many bytes each end has not read yet; for a socket of a link, those that wait in the link as well."""
    found = look(recorder)
    for sock, end in recorder.ends.alive():
        if end.stream and not end.listening:
            found[end] = found.get(end, 0) + _unread(sock)
    return found


def _unread(sock: Any) -> int:
    if sys.platform == "win32":
        return 0
    import array
    import fcntl
    import termios

    size = array.array("i", [0])
    try:
        fcntl.ioctl(Plain.fileno(sock), termios.FIONREAD, size)
    except (OSError, ValueError):  # closed
        return 0
    return size[0]
