"""Runs inside a notebook's kernel: notes which socket operations its cells execute, and which hosts they contact.

An operation counts when a frame of a cell executes it: the profile function of the interpreter reports every call of a
function, in C or in Python, with the frame it comes from. What socketlab or the standard library call on their own
does not count; what a function defined in a cell calls does, in whichever thread it runs, and whether a trace is open
or not.

Exceptions count when they arise in a cell or arrive there; a class when a cell makes an instance of it (SocketIO, which
nobody makes by hand: when a cell calls a method of one).
"""

from __future__ import annotations

import socket
import sys
import threading
from enum import EnumMeta
from ipaddress import ip_address
from types import CodeType, FrameType
from typing import Any

SEEN: set[str] = set()
CONTACTED: set[str] = set()  # hosts other than this machine, that the process asked for or sent to


def public_names() -> dict[str, Any]:
    """Every operation of the `socket` module of this Python: functions, classes, exceptions, and what sockets have.

    Constants are not operations, nor are modules and classes that `socket` imported for its own use.
    """
    names: dict[str, Any] = {}
    for name, value in vars(socket).items():
        of_this_module = getattr(value, "__module__", None) in ("socket", "_socket")
        is_exception = isinstance(value, type) and issubclass(value, OSError)  # error, timeout: builtins since 3.10
        if not name.startswith("_") and callable(value) and (of_this_module or is_exception):
            names[f"socket.{name}"] = value
    for name in dir(socket.socket):
        if not name.startswith("_"):
            names[f"socket.socket.{name}"] = getattr(socket.socket, name)
    return names


NAMES = public_names()
CLASSES = {name: value for name, value in NAMES.items() if isinstance(value, type)}
BY_CODE: dict[CodeType, str] = {}
for _name, _value in NAMES.items():
    _function = _value.fget if isinstance(_value, property) else _value
    if hasattr(_function, "__code__"):
        BY_CODE[_function.__code__] = _name
METHODS_OF_SOCKETIO = {value.__code__ for value in vars(socket.SocketIO).values() if hasattr(value, "__code__")}
THREAD = threading.local()


def is_cell(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_code.co_filename.startswith(CELLS)


def watch_calls(frame: FrameType, event: str, argument: Any) -> None:
    """The profile function. For a call of C the frame is the caller's, for a call of Python it is the new one."""
    if event == "c_call":
        inside_c().append(frame)
        if is_cell(frame):
            owner = argument.__self__
            if isinstance(owner, socket.SocketType):
                name = f"socket.socket.{argument.__name__}"
            else:
                name = f"{getattr(owner, '__name__', '')}.{argument.__name__}".removeprefix("_")
            if name in NAMES:
                SEEN.add(name)
    elif event in ("c_return", "c_exception"):
        if inside_c():
            inside_c().pop()
    elif event == "call" and is_cell(frame.f_back):
        # Between the cell and this function there may be C, a buffered reader's for one: then that called it.
        if inside_c() and inside_c()[-1] is frame.f_back:
            return
        if frame.f_code in BY_CODE:
            SEEN.add(BY_CODE[frame.f_code])
        elif (original := replaced(frame)) is not None:  # a trace is open
            if original is socket.socket.__init__ or getattr(original, "__name__", "") == "__init__":
                made = frame.f_locals["args"][0]
                SEEN.update(name for name, value in CLASSES.items() if isinstance(made, value))
            else:
                SEEN.update(name for name, value in NAMES.items() if value is original)
        elif frame.f_code is socket.socket.__init__.__code__:
            SEEN.update(name for name, value in CLASSES.items() if isinstance(frame.f_locals["self"], value))
        elif frame.f_code in METHODS_OF_SOCKETIO:
            SEEN.add("socket.SocketIO")
        elif frame.f_code is EnumMeta.__call__.__code__:
            SEEN.update(name for name, value in CLASSES.items() if value is frame.f_locals["cls"])


def replaced(frame: FrameType) -> Any:
    """What the method of an open trace, of which this is a frame, stands in for; None for any other frame."""
    methods = sys.modules.get("socketlab.trace.methods")
    return frame.f_locals.get("base") if methods is not None and frame.f_code in methods.CODES else None


def inside_c() -> list[FrameType]:
    """This thread's frames that wait for a function in C to return."""
    if not hasattr(THREAD, "inside_c"):
        THREAD.inside_c = []
    return THREAD.inside_c  # type: ignore[no-any-return]


def watch_frames(frame: FrameType, event: str, argument: Any) -> Any:
    """The trace function: exceptions that arise in a cell or arrive there, caught or not."""
    if not is_cell(frame):
        return None
    frame.f_trace_lines = False
    return watch_exceptions


def watch_exceptions(frame: FrameType, event: str, argument: Any) -> Any:
    if event == "exception":
        kind = argument[0]
        for name, value in CLASSES.items():
            # The operating system's errors come as subclasses of OSError, which socket calls `error`.
            if issubclass(value, OSError) and (kind is value or (value is OSError and issubclass(kind, value))):
                SEEN.add(name)
    return watch_exceptions


def watch_attributes() -> None:
    """`proto` and `timeout` are read in C without a call, so the class gets properties that note who reads them."""
    for name, value in NAMES.items():
        short = name.rpartition(".")[2]
        if name.startswith("socket.socket.") and not callable(value) and not isinstance(value, property):

            def read(self: socket.socket, name: str = name, value: Any = value) -> Any:
                if is_cell(sys._getframe(1)):
                    SEEN.add(name)
                return value.__get__(self)

            setattr(socket.socket, short, property(read))


def watch_hosts(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: connections, datagrams and look-ups that leave this machine, whoever makes them."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[-1]
        host = address[0] if isinstance(address, tuple) and arguments[0].family in INTERNET else None
        if host and stays_on_loopback(arguments[0], host):
            return
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if isinstance(host, str) and not is_this_machine(host):
        CONTACTED.add(host)


INTERNET = (socket.AF_INET, socket.AF_INET6)


def is_this_machine(host: str) -> bool:
    if host.lower() in ("", "localhost", "<broadcast>", socket.gethostname().lower()):
        return True
    host, _, interface = host.partition("%")
    try:
        address = ip_address(host)
    except ValueError:
        return False  # a name: looking it up asks a server elsewhere
    address = getattr(address, "ipv4_mapped", None) or address  # ::ffff:127.0.0.1 is loopback from Python 3.13 on
    return address.is_loopback or address.is_unspecified or (address.is_link_local and interface in ("lo", "lo0"))


def stays_on_loopback(sock: socket.socket, host: str) -> bool:
    """Whether `host` is a multicast group to which this socket sends through the loopback interface, or not at all far.

    A multicast address says nothing about where a datagram goes: the socket's interface and its hop limit do.
    """
    try:
        if not ip_address(host.partition("%")[0]).is_multicast:
            return False
        if sock.family == socket.AF_INET:
            through = sock.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4)
            return through[0] == 127 or sock.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 0
        interface = sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF)
        hops = sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS)
        return hops == 0 or (interface != 0 and socket.if_indextoname(interface).startswith("lo"))
    except (ValueError, OSError):
        return False


def start() -> None:
    """Watch this thread from now on, and every thread that starts later."""
    watch_attributes()
    sys.addaudithook(watch_hosts)
    threading.setprofile(watch_calls)
    threading.settrace(watch_frames)
    sys.setprofile(watch_calls)
    sys.settrace(watch_frames)


def stop() -> dict[str, list[str]]:
    for undo in (sys.settrace, sys.setprofile, threading.settrace, threading.setprofile):
        undo(None)
    return {"operations": sorted(SEEN), "hosts": sorted(CONTACTED)}


def _folder_of_cells() -> str:
    try:
        from ipykernel.compiler import get_tmp_directory
    except ImportError:
        return "<cell"
    return str(get_tmp_directory())


CELLS = _folder_of_cells()
