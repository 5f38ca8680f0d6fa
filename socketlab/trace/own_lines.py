"""Whose line it is: the frames of a thread, the line of somebody's own program among them, and what is written there.

The line that people want is not the innermost one: `accept` stands in socket.py, `do_handshake` in ssl.py. So frames of
the standard library, of installed packages and of socketlab are passed over.
"""

from __future__ import annotations

import ast
import linecache
import os
import re
import socket
import sysconfig
from itertools import islice
from types import FrameType
from typing import Any

_LIBRARY = tuple(
    {os.path.join(sysconfig.get_paths()[name], "") for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_OWN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_LESSON = os.path.join(_OWN, "handlers", "")  # handlers are lesson material: their lines are worth showing

_READS = ("recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into", "read", "readinto", "readline",
          "readlines", "sock_recv")  # fmt: skip
_WRITES = ("send", "sendall", "sendto", "sendmsg", "sendfile", "write", "flush", "sock_sendall")
_CONNECTS = ("connect", "connect_ex", "create_connection")
_SELECTS = ("select", "poll", "epoll", "control")
#: What people call, and what kind of wait that is.
KINDS = {
    **dict.fromkeys(_READS, "recv"),
    **dict.fromkeys(_WRITES, "send"),
    **dict.fromkeys(_CONNECTS, "connect"),
    **dict.fromkeys(_SELECTS, "select"),
    "accept": "accept",
    "do_handshake": "handshake",
    "wrap_socket": "handshake",
}


def own_line(frame: FrameType) -> tuple[FrameType | None, list[FrameType]]:
    """The innermost frame of somebody's own code, None without one; and the frames above it, innermost first."""
    above: list[FrameType] = []
    at: FrameType | None = frame
    while at is not None:
        if not is_library(at.f_code.co_filename):
            return at, above
        above.append(at)
        at = at.f_back
    return None, above


def is_library(file: str) -> bool:
    """Whether a file belongs to Python, to an installed package, or to socketlab (handlers are lesson material)."""
    return (file.startswith((*_LIBRARY, "<frozen")) or file.startswith(_OWN)) and not file.startswith(_LESSON)


def is_anothers(file: str) -> bool:
    """Whether a file is a library's or a handler of socketlab's: nothing that stands in the notebook."""
    return is_library(file) or file.startswith(_LESSON)


def is_jupyters(frame: FrameType) -> bool:
    """The notebook's own waits: input(), a debugger's prompt."""
    return str(frame.f_globals.get("__name__")).partition(".")[0] in ("ipykernel", "zmq", "IPython", "debugpy")


def within(frames: list[FrameType], module: str, *functions: str) -> bool:
    """Whether one of these functions of `module` is at work in one of the frames."""
    return any(f.f_globals.get("__name__") == module and f.f_code.co_name in functions for f in frames)


def written(frame: FrameType) -> str:
    """The name of the function that is called where `frame` stands, as written there; "" where nobody can tell."""
    text = _segment(frame)
    if text:
        call = _parsed_call(text)
        return _last_name(call.func) if call is not None else ""
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno or 0)
    return next((name for name in re.findall(r"\b(\w+)\s*\(", line) if name in KINDS), "")


def _segment(frame: FrameType) -> str:
    """The text of the expression that `frame` evaluates now; "" before Python 3.11, or without the source."""
    if not hasattr(frame.f_code, "co_positions") or frame.f_lasti < 0:
        return ""
    at = frame.f_lasti // 2  # an instruction takes two bytes, and has one position
    first, last, start, stop = next(islice(frame.f_code.co_positions(), at, None), (None,) * 4)
    if first is None or last is None or start is None or stop is None:
        return ""
    lines = [linecache.getline(frame.f_code.co_filename, n).encode() for n in range(first, last + 1)]
    if not all(lines):
        return ""
    lines[-1] = lines[-1][:stop]  # columns count bytes of UTF-8
    lines[0] = lines[0][start:]
    return b"".join(lines).decode(errors="replace")


def _parsed_call(text: str) -> ast.Call | None:
    try:
        tree: ast.expr = ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if isinstance(tree, ast.Await):
        tree = tree.value
    return tree if isinstance(tree, ast.Call) else None


def _last_name(function: ast.expr) -> str:
    return str(getattr(function, "attr", None) or getattr(function, "id", ""))


def socket_in(frames: list[FrameType]) -> socket.socket | None:
    """The socket of a call, from Python alone: the `self` of a method of the library, or the name before the dot."""
    for frame in frames[:-1]:
        found = frame.f_locals.get("self", frame.f_locals.get("sock"))
        if isinstance(found, socket.socket):
            return found
    frame = frames[-1]
    call = _parsed_call(_segment(frame))
    found = _value(call.func.value, frame) if call is not None and isinstance(call.func, ast.Attribute) else None
    return found if isinstance(found, socket.socket) else None


def _value(name: ast.expr, frame: FrameType) -> Any:
    """What ``sock``, ``self.sock`` or ``a.b.sock`` stands for, without running any code of theirs."""
    if isinstance(name, ast.Name):
        return frame.f_locals.get(name.id, frame.f_globals.get(name.id))
    if isinstance(name, ast.Attribute):
        return getattr(_value(name.value, frame), "__dict__", {}).get(name.attr)
    return None
