"""Which call a thread is blocked in, where that call stands in somebody's program, and what it is waiting for.

Two sources are put together. Linux tells the system call and its descriptors (`system_call`); Python's frames tell
the line. The line that people want is not the innermost one: `accept` stands in socket.py, `do_handshake` in ssl.py.
So the frames of the standard library, of installed packages and of socketlab are passed over, and the call is named
as it is written in the first line that is left. Where Linux does not tell, the frames have to do: the call is then
named by what is written at the instruction where the frame stands, and its socket is found by the name before the dot.

A thread that waits for another thread (`join`, `Event.wait`, a lock) is explained by what that one is blocked in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple

from ..frames import frame_of
from . import reasons, twins
from .own_lines import KINDS, is_anothers, is_jupyters, own_line, socket_in, within, written
from .system_call import IN, OUT, RUNNING, SystemCall, system_call

_MOST_THREADS = 5  # how far a chain of threads that wait for one another is followed


class Waiting(NamedTuple):
    """A call that has not returned.

    `call` is its name as written; `file`, `line` and `function` say where; `kind` is accept, connect, recv, send,
    handshake, select or thread; `fd` is its descriptor, None where there is no single one. `words` say what it is
    waiting for, as the end of a sentence. `limit` is after how many seconds it gives up (None: never, or not known).
    `same` changes whenever the thread has run in between: two answers with the same one saw the same wait. `other` is
    what the other thread is blocked in, where that is what it waits for; `words` lead up to it then.
    """

    call: str
    file: str
    line: int
    function: str
    kind: str
    fd: int | None
    words: str
    limit: float | None
    same: object
    other: Waiting | None = None

    def __str__(self) -> str:
        """``accept() at line 3: nobody has connected to 127.0.0.1:8080 yet``."""
        return f"{self.call}() at line {self.line}: {self.words}{f' {self.other}' if self.other else ''}"


def waiting(
    thread: threading.Thread | None = None, *, explain: bool = True, most: int = _MOST_THREADS
) -> Waiting | None:
    """What `thread` (the main thread unless given) is blocked in, if it is a socket call or waits for another thread.

    None where it runs, sleeps, or waits for something else. Without `explain` the words stay empty, and a look costs
    some tens of microseconds; with them it may cost a millisecond, and more in a process with thousands of descriptors.
    On platforms other than Linux, None also where the line does not tell that it is a socket call, and a call that has
    just returned may be taken for one that is blocked: look twice. Raises nothing that the other thread could cause.
    """
    thread = thread or threading.main_thread()
    call = system_call(thread.native_id)
    frame = frame_of(thread)
    if call is RUNNING or frame is None:
        return None
    own, above = own_line(frame)
    if any(is_jupyters(f) for f in above):
        return None
    place, above = (own, above) if own is not None else (frame, [])
    names = [written(place), *(f.f_code.co_name for f in reversed(above))]
    kind, fd = _kind(call, names, [*above, place])
    if kind == "":
        return None
    name = next((name for name in names if KINDS.get(name) == kind), "")
    name = name or (names[0] if kind == "thread" else "") or (names[-1] if above else "") or kind
    # It may have gone on while we looked at its frames.
    if call is not None and system_call(thread.native_id) != call:
        return None
    words, other = _explained(kind, fd, call, above, most) if explain else ("", None)
    same = (call.sleeps, kind, fd) if call is not None else (id(frame), frame.f_lasti, kind)
    where = place.f_code
    limit = call.limit if call is not None else None
    line = place.f_lineno or 0
    return Waiting(name, where.co_filename, line, where.co_name, kind, fd, words, limit, same, other)


# -- what kind of wait -------------------------------------------------------------------------------------------------


def _kind(call: SystemCall | None, names: list[str], frames: list[FrameType]) -> tuple[str, int | None]:
    """The kind of wait and the descriptor; "" for what is no business of ours."""
    written_as = next((KINDS[name] for name in names if name in KINDS), "")
    if call is None:  # no help from the kernel
        if _thread_waited_for(frames) is not None or within(frames, "threading", "wait"):
            return "thread", None
        sock = socket_in(frames) if written_as else None
        return (written_as, sock.fileno()) if sock is not None and sock.fileno() >= 0 else ("", None)
    if call.name == "futex":
        waits = within(frames, "threading", "join", "wait", "acquire") or names[0] in ("acquire", "join", "wait", "get")
        return ("thread" if waits else ""), None
    sockets = [(fd, direction) for fd, direction in call.watched if twins.is_socket(fd)]
    if not sockets:
        return "", None
    fd, direction = sockets[0]
    if call.name == "epoll" or call.name == "select" or within(frames, "selectors", "select"):
        return "select", None
    if call.name == "poll" and (len(call.watched) > 1 or written_as == "select"):
        return "select", None
    if call.name in ("accept", "connect"):
        return call.name, fd
    if within(frames, "ssl", "do_handshake"):
        return "handshake", fd
    if call.name == "poll":  # a socket with a timeout: Python waits for readiness, and asks for nothing before
        if direction == IN and twins.is_listening(fd):
            return "accept", fd
        if direction == OUT and twins.is_connecting(fd):
            return "connect", fd
    return ("recv" if direction == IN else "send"), fd


def _explained(
    kind: str, fd: int | None, call: SystemCall | None, above: list[FrameType], most: int
) -> tuple[str, Waiting | None]:
    if kind == "thread":
        return _other_thread(above, most)
    try:
        if kind == "select":
            return reasons.selecting(call.watched if call is not None else ()), None
        assert fd is not None
        if kind == "connect":
            return reasons.connecting(fd, call.address if call is not None else b""), None
        simple: dict[str, Callable[[int], str]] = {
            "accept": reasons.accepting,
            "recv": reasons.receiving,
            "send": reasons.sending,
            "handshake": reasons.shaking_hands,
        }
        return simple[kind](fd), None
    except (OSError, ValueError):  # closed, or given to somebody else, while we looked
        return "its socket is being closed", None


def _other_thread(above: list[FrameType], most: int) -> tuple[str, Waiting | None]:
    """What the thread that is waited for is doing."""
    thread = _thread_waited_for(above)
    if thread is not None:
        theirs = waiting(thread, most=most - 1) if most else None
        words = f"thread {thread.name!r} has not ended"
        return (words, None) if theirs is None else (f"{words}; it waits in", theirs)
    found = []
    for other in threading.enumerate() if most else ():
        if other not in (threading.current_thread(), threading.main_thread()):
            theirs = waiting(other, most=0)
            if theirs is not None and theirs.kind != "thread" and not is_anothers(theirs.file):
                found.append((f"another thread has to act; thread {other.name!r} waits in", theirs))
    return found[0] if len(found) == 1 else ("another thread has to act", None)


def _thread_waited_for(frames: list[FrameType]) -> threading.Thread | None:
    for frame in frames:
        if frame.f_code.co_name == "join" and frame.f_globals.get("__name__") == "threading":
            thread = frame.f_locals.get("self")
            return thread if isinstance(thread, threading.Thread) else None
    return None
