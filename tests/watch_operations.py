"""Runs inside a notebook's kernel: notes which socket operations its cells execute.

An operation counts when a frame of a cell executes it: the profile function of the interpreter reports every call of a
function, in C or in Python, with the frame it comes from. What socketlab or the standard library call on their own
does not count; what a function defined in a cell calls does, in whichever thread it runs.

Exceptions count when they arise in a cell or arrive there; a class when a cell makes an instance of it (SocketIO, which
nobody makes by hand: when a cell calls a method of one).
"""

from __future__ import annotations

import socket
import sys
import threading
from enum import EnumMeta
from types import CodeType, FrameType
from typing import Any

SEEN: set[str] = set()


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
        elif frame.f_code is socket.socket.__init__.__code__:
            SEEN.update(name for name, value in CLASSES.items() if isinstance(frame.f_locals["self"], value))
        elif frame.f_code in METHODS_OF_SOCKETIO:
            SEEN.add("socket.SocketIO")
        elif frame.f_code is EnumMeta.__call__.__code__:
            SEEN.update(name for name, value in CLASSES.items() if value is frame.f_locals["cls"])


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


def start() -> None:
    """Watch this thread from now on, and every thread that starts later."""
    watch_attributes()
    threading.setprofile(watch_calls)
    threading.settrace(watch_frames)
    sys.setprofile(watch_calls)
    sys.settrace(watch_frames)


def stop() -> list[str]:
    for undo in (sys.settrace, sys.setprofile, threading.settrace, threading.setprofile):
        undo(None)
    return sorted(SEEN)


def _folder_of_cells() -> str:
    try:
        from ipykernel.compiler import get_tmp_directory
    except ImportError:
        return "<cell"
    return str(get_tmp_directory())


CELLS = _folder_of_cells()
