"""The methods that stand in for those of `socket.socket` while a trace is open.

Each calls the original with what it was given and returns what that returned, so a program behaves as without it. It
takes ``*args`` because the original's complaint about wrong arguments is the one that people know, and because a call
written like this is also the cheapest: the arguments are handed on as they came. `functools.wraps` lets `inspect` and
`help` see the original's signature and text. An exception passes through with one frame more in its traceback, which
carries ``__tracebackhide__``, so that IPython and pytest do not show it.

`send`, `sendall` and `recv` with one argument are what programs spend their time in: for them the row is written here,
without another call. Everything else goes through `Operation` descriptions.
"""

from __future__ import annotations

import functools
import select as select_module
import selectors
import socket
import sys
from time import perf_counter
from types import CodeType, TracebackType
from typing import Any

from . import descriptions
from .descriptions import FUNCTIONS, METHODS, SELECTORS, TLS_METHODS, Describe
from .events import IN, OUT, words_of
from .operations import Operation, special
from .panels import MEETINGS, note
from .recorder import SMALL, Recorder, is_helper
from .sight import End, calling_frame, is_not_the_program, module_of, on_whose_behalf

Socket = socket.socket  # the class itself: a learner may bind the name to something else

# What a server does that belongs to the story; all else that it calls is its own business.
_STORY = frozenset(("accept", "close", "do_handshake", "recvfrom", "sendto"))
_SERVING = ("recvfrom", "sendto")  # by which a server for datagrams is known that was there before the trace
# Of what their handlers do, this is no part of the lesson.
_SETTINGS = frozenset(("settimeout", "setblocking", "setsockopt"))

_Patch = tuple[Any, str, bool, Any, Any]  # owner, name, was it in the owner's own dict, the original, the replacement
_patches: list[_Patch] = []
#: The code of all replacements, by which `waiting` knows their frames. Local names there: args, operation, start.
CODES: set[CodeType] = set()


def _sending(base: Any, operation: Operation, recorder: Recorder) -> Any:
    """send and sendall."""
    clock, local, ends = perf_counter, recorder.local, recorder.ends.known
    keep, others = recorder.keep, _other(recorder)
    describe, small, chunk = descriptions.send, SMALL, recorder.chunk
    takes_all = operation.name == "sendall"
    __tracebackhide__ = True

    def method(*args: Any, **named: Any) -> Any:
        start = clock()
        try:
            result = base(*args, **named) if named else base(*args)
        except BaseException as error:
            assert __tracebackhide__
            others(start, clock(), operation, describe, args, named, None, error)
            raise
        end = clock()
        try:
            sock, data = args if not named else ()  # anything but one plain argument: the slow way
            log = local.log
            who = ends[id(sock)]
            if data.__class__ is not bytes or (len(data) if takes_all else result) > small:
                data = keep(data)
            log += start, end, who, operation, data, result
            if len(log) >= chunk:
                recorder.put_aside()
        except (KeyError, AttributeError, ValueError, TypeError):  # first call of a thread or of a socket; flags
            others(start, end, operation, describe, args, named, result, None)
        return result

    return method


def _receiving(base: Any, operation: Operation, recorder: Recorder) -> Any:
    """recv."""
    clock, local, ends = perf_counter, recorder.local, recorder.ends.known
    keep, others = recorder.keep, _other(recorder)
    describe, small, chunk = descriptions.recv, SMALL, recorder.chunk
    __tracebackhide__ = True

    def method(*args: Any, **named: Any) -> Any:
        start = clock()
        try:
            result = base(*args, **named) if named else base(*args)
        except BaseException as error:
            assert __tracebackhide__
            others(start, clock(), operation, describe, args, named, None, error)
            raise
        end = clock()
        try:
            sock, asked = args if not named else ()
            log = local.log
            log += start, end, ends[id(sock)], operation, asked, result if len(result) <= small else keep(result)
            if len(log) >= chunk:
                recorder.put_aside()
        except (KeyError, AttributeError, ValueError, TypeError):
            others(start, end, operation, describe, args, named, result, None)
        return result

    return method


def _calling(base: Any, operation: Operation, recorder: Recorder, describe: Describe, bound: bool = True) -> Any:
    """Any other method, or a function of a module (`bound` is false: its first argument is no socket)."""
    clock, others, ends = perf_counter, _other(recorder), recorder.ends
    closes, silent = operation.name in ("close", "detach"), operation.name == "select"
    __tracebackhide__ = True

    def method(*args: Any, **named: Any) -> Any:
        who = None
        if closes and args:  # afterwards nobody can say any more who it was
            who = ends.of(args[0], sys._getframe(1)) if bound else ends.at(args[0])
            if who is not None and who.peer is None and bound:
                who.look(args[0])
        start = clock()
        try:
            result = base(*args, **named)
        except BaseException as error:
            assert __tracebackhide__
            others(start, clock(), operation, describe, args, named, None, error, bound, who)
            raise
        if not silent or (_watches_sockets(args) and not _is_a_loops_own(sys._getframe(1))):
            others(start, clock(), operation, describe, args, named, result, None, bound, who)
        return result

    return method


def _watches_sockets(args: tuple[Any, ...]) -> bool:
    """Whether a selector, or the lists given to `select.select`, hold a socket: others wait for pipes with them."""
    if isinstance(args[0], selectors.BaseSelector):
        watched = [key.fileobj for key in (args[0].get_map() or {}).values()]
    else:
        watched = [one for part in args[:3] if hasattr(part, "__len__") for one in part]
    return any(isinstance(one, Socket) for one in watched)


def _is_a_loops_own(frame: Any) -> bool:
    """An event loop waits all the time, and so does a server at its door; that is no call of the program."""
    while frame is not None and module_of(frame) in ("selectors", "select"):
        frame = frame.f_back
    if frame is None or module_of(frame).startswith(("asyncio", "socketserver", "socketlab.servers")):
        return True
    return is_not_the_program(frame)


def _other(recorder: Recorder) -> Any:
    """The function that writes down a call at leisure, and lets no exception of its own reach the program."""
    ends = recorder.ends

    def write(
        start: float,
        finish: float,
        operation: Operation,
        describe: Describe,
        args: tuple[Any, ...],
        named: dict[str, Any],
        result: Any,
        error: BaseException | None,
        bound: bool = True,
        who: End | None = None,
    ) -> None:
        try:
            caller = on_whose_behalf(calling_frame(2))
            if operation.name == "socket" and args:
                ends.forget(args[0])
            if who is None:
                if bound and args:
                    who = ends.of(args[0], caller)
                elif not bound and isinstance(result, Socket):
                    who = ends.of(result, caller)
                elif operation.name in ("send_fds", "recv_fds") and args:
                    who = ends.of(args[0], caller)
            if who is not None and who.family == -1:
                who = None  # a socket that could not be made, or none at all
            if recorder.lane().panel:
                note(recorder.links, args[0] if bound and args else None, who, operation)
                if operation.name not in MEETINGS:
                    return
            if operation.tls and who is not None:
                who.tls = True
            failure = None if error is None else words_of(error)
            if who is None and bound and not operation.direction:
                asked, moved, where = "", "", None
            else:
                asked, moved, where = describe(recorder, who, args, named, result)
            helper = caller is not None and is_helper(caller)
            link = caller is not None and module_of(caller).startswith("socketlab.links.")
            if caller is not None and operation.name in _SETTINGS and module_of(caller).startswith("socketlab."):
                operation = operation.quiet
            if operation.name == "socketpair" and where is not None and (helper or link or is_not_the_program(caller)):
                for end in where.ends:  # the bell of a server's door, or that of an event loop
                    end.hidden = True
                return
            if link and who is not None:
                who.hidden = who.link = True
            if helper and who is not None and (operation.name == "socket" or operation.name in _SERVING):
                who.helper = True
            if helper and (failure is not None or operation.name not in _STORY or _own_affair(who, operation, where)):
                operation = operation.quiet
            what = operation if where is None else special(operation, where)
            recorder.put(start, finish, who, what, asked, moved if failure is None else failure)
        except Exception as fault:  # the program must not notice; the tests do
            recorder.faults.append(fault)

    return write


def _own_affair(who: End | None, operation: Operation, where: Any) -> bool:
    """Of the calls of `_STORY`, those that are a server's own affair: its listener's close, a wake-up to itself."""
    if who is None:
        return True
    if operation.name == "close":
        return who.listening or who.origin == "new"
    if operation.name in ("sendto", "recvfrom"):
        return bool(getattr(where, "address", None) == who.local)
    return False


def install(recorder: Recorder) -> None:
    """Put the replacements in place.

    First everything is looked up, then everything is set: each look-up on a class whose attributes have been set gives
    it a new version tag, and CPython 3.13 gives a class no more than 1,000 of them; then its methods are slow for good.
    """
    wanted: list[tuple[Any, str, Any]] = []
    for name, (direction, describe) in METHODS.items():
        if hasattr(Socket, name):
            wanted.append((Socket, name, _method(Socket, name, direction, describe, recorder, tls=False)))
    ssl = _ssl()
    if ssl is not None:
        for name, (direction, describe) in {**METHODS, **TLS_METHODS}.items():
            if name in vars(ssl.SSLSocket) and name != "__init__":
                wanted.append((ssl.SSLSocket, name, _method(ssl.SSLSocket, name, direction, describe, recorder, True)))
        wrap = _calling(ssl.SSLContext.wrap_socket, Operation("wrap_socket"), recorder, descriptions.wrap_socket, False)
        wanted.append((ssl.SSLContext, "wrap_socket", wrap))
    for name, describe in FUNCTIONS.items():
        if hasattr(socket, name):
            wanted.append((socket, name, _calling(getattr(socket, name), Operation(name), recorder, describe, False)))
    for name in SELECTORS:
        if hasattr(selectors, name):
            cls = getattr(selectors, name)
            method = _calling(cls.select, Operation("select"), recorder, descriptions.select, bound=False)
            wanted.append((cls, "select", method))
    waiting = _calling(select_module.select, Operation("select"), recorder, descriptions.select_select, bound=False)
    wanted.append((select_module, "select", waiting))

    prepared = [(owner, name, name in vars(owner), getattr(owner, name), method) for owner, name, method in wanted]
    for _, _, _, original, method in prepared:
        functools.update_wrapper(method, original)
        if not hasattr(original, "__module__"):
            method.__module__ = "socket"  # a method of the C class has none; pickle looks a function up by it
        CODES.add(method.__code__)
    for patch in prepared:
        _patches.append(patch)
        setattr(patch[0], patch[1], patch[4])


def _ssl() -> Any:
    """The module `ssl`, where Python was built with it. A program that imports it later could not be traced."""
    try:
        import ssl
    except ImportError:
        return None
    return ssl


def _method(cls: Any, name: str, direction: str, describe: Describe, recorder: Recorder, tls: bool) -> Any:
    base = getattr(cls, name)
    operation = Operation("socket" if name == "__init__" else name, direction, tls)
    if name in ("send", "sendall") and direction == OUT:
        return _sending(base, operation, recorder)
    if name == "recv" and direction == IN:
        return _receiving(base, operation, recorder)
    return _calling(base, operation, recorder, describe)


def without_our_frames(traceback: TracebackType | None) -> None:
    """Take the frames of our methods out of a traceback, in place: the line that failed is the program's own."""
    while traceback is not None:
        below = traceback.tb_next
        while below is not None and below.tb_frame.f_code in CODES:
            below = below.tb_next
        traceback.tb_next = below
        traceback = below


def restore() -> list[str]:
    """Take the replacements away; return the names of those that somebody else has replaced meanwhile."""
    theirs = []
    while _patches:
        owner, name, own, original, method = _patches.pop()
        if vars(owner).get(name) is not method:
            theirs.append(f"{getattr(owner, '__qualname__', owner.__name__)}.{name}")
        elif own:
            setattr(owner, name, original)
        else:
            delattr(owner, name)
    return theirs
