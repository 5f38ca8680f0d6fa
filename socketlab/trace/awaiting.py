"""What a coroutine is waiting for: `waiting` for cells and tasks that `await`, where no thread is blocked.

A task that does not run holds a chain: its coroutine awaits another one, that one the next, and at the end stands a
future. The line that people want is the last one of their own in that chain; what comes after it is asyncio's, and
its local names tell the socket: the `sock` of ``loop.sock_recv``, the transport of a stream. Private names of asyncio
are read here and nothing is called; where they are missing the answer is None.
"""

from __future__ import annotations

from types import FrameType
from typing import Any

from . import reasons
from .own_lines import is_library, written
from .waiting import Waiting

_KINDS = {
    "sock_accept": "accept",
    "sock_connect": "connect",
    "sock_recv": "recv",
    "sock_recv_into": "recv",
    "sock_recvfrom": "recv",
    "sock_recvfrom_into": "recv",
    "sock_sendall": "send",
    "sock_sendto": "send",
    "_wait_for_data": "recv",  # of a StreamReader
    "readexactly": "recv",
    "drain": "send",  # of a StreamWriter
}
_MOST_TASKS = 5  # how far a chain of tasks that await one another is followed
_MOST_AWAITS = 100


def awaiting(task: Any, *, explain: bool = True, most: int = _MOST_TASKS) -> Waiting | None:
    """What an `asyncio.Task` waits for, if that is a socket or a stream; None where it runs or waits for another thing.

    `Waiting.same` is the future at the end of the chain. May be called in any thread. Raises nothing that the task
    could cause.
    """
    future = getattr(task, "_fut_waiter", None)
    if future is None:
        return None
    frames = _frames(task)
    own = [at for at, frame in enumerate(frames) if not is_library(frame.f_code.co_filename)]
    if not own:
        return None
    place, beyond = frames[own[-1]], frames[own[-1] + 1 :]
    if hasattr(future, "get_coro") and not beyond:  # another task
        return awaiting(future, explain=explain, most=most - 1) if most else None
    for frame in beyond:
        kind = _KINDS.get(frame.f_code.co_name, "")
        fd = _descriptor(frame) if kind else None
        if fd is not None:
            break
    else:
        return None
    words = _words(kind, fd) if explain else ""
    code = place.f_code
    call = written(place) or beyond[0].f_code.co_name
    return Waiting(call, code.co_filename, place.f_lineno or 0, code.co_name, kind, fd, words, None, future)


def _frames(task: Any) -> list[FrameType]:
    """The frames of the chain, outermost first."""
    found: list[FrameType] = []
    thing = task.get_coro()
    while thing is not None and len(found) < _MOST_AWAITS:
        frame = getattr(thing, "cr_frame", None) or getattr(thing, "gi_frame", None)
        if frame is None:
            break
        found.append(frame)
        thing = getattr(thing, "cr_await", None) or getattr(thing, "gi_yieldfrom", None)
    return found


def _descriptor(frame: FrameType) -> int | None:
    """The descriptor of the socket in the local names of one of asyncio's coroutines."""
    sock = frame.f_locals.get("sock")
    if sock is None:
        stream = frame.f_locals.get("self")
        transport = getattr(stream, "_transport", None)
        sock = getattr(transport, "_extra", {}).get("socket")
    number = sock.fileno() if sock is not None and hasattr(sock, "fileno") else -1
    return number if isinstance(number, int) and number >= 0 else None


def _words(kind: str, fd: int) -> str:
    try:
        if kind == "connect":
            return reasons.connecting(fd, b"")
        if kind == "accept":
            return reasons.accepting(fd)
        return reasons.receiving(fd) if kind == "recv" else reasons.sending(fd)
    except (OSError, ValueError):  # closed, or given to somebody else, while we looked
        return "its socket is being closed"
