"""Every public operation of Python's network modules, derived from the interpreter at hand.

`socket`, `select`, `selectors`, `socketserver` and `ssl` whole; of asyncio the streams, protocols and transports, the
servers, and those methods of a loop that concern sockets. An operation is a function, a class, an exception, or what a
class offers: it stands with the public class that had it first, as in the documentation
(`selectors.BaseSelector.register`). What a module imported for its own use is none. Numbers, texts
and sets of them that have a public name are constants, of which the same holds: `public_constants`.
"""

from __future__ import annotations

import asyncio
import errno
import re
import select
import selectors
import socket
import socketserver
import ssl
from enum import Enum
from types import ModuleType
from typing import Any

MODULES = (socket, select, selectors, socketserver, ssl)
NETWORK = {*(module.__name__ for module in MODULES), "asyncio"}
C_TWINS = {"_socket": "socket", "_ssl": "ssl"}  # what is written in C says so in __module__

# Of asyncio's names, those about the network: the rest schedules tasks, runs programs, or passes things between tasks.
ASYNCIO = re.compile(
    r"Stream\w+|(open|start)_\w*(connection|server)|(Base|Buffered|Datagram)?Protocol"
    r"|(Base|Read|Write|Datagram)?Transport|(Abstract)?Server|AbstractEventLoop"
    r"|IncompleteReadError|LimitOverrunError|SendfileNotAvailableError"
)
OF_A_LOOP = re.compile(
    r"sock_\w+|create_(connection|server|datagram_endpoint|unix_\w+)|connect_accepted_socket|sendfile|start_tls"
    r"|get(addr|name)info|(add|remove)_(reader|writer)"
)

FUNCTIONS: dict[str, Any] = {}
EXCEPTIONS: dict[str, type[BaseException]] = {}
CLASSES: dict[str, type] = {}
OWNERS: dict[str, type] = {}  # the classes that members stand with
MEMBERS: dict[str, tuple[type, str]] = {}  # operation → such a class, and the member's name


def public_names() -> list[str]:
    """The names of all operations."""
    return [*FUNCTIONS, *EXCEPTIONS, *CLASSES, *MEMBERS]


def public_constants() -> list[str]:
    """The names of all constants, ``"socket.AF_INET"``: what is neither called nor a module."""
    found = []
    for module in MODULES:
        imported = {*vars(errno), *(vars(socket) if module is not socket else ())}
        for short, value in sorted(vars(module).items()):
            is_plain = isinstance(value, (int, str, bytes, tuple, list, set, frozenset))
            if is_plain and short not in imported and not short.startswith("_"):
                found.append(f"{module.__name__}.{short}")
    return found


def home(value: Any) -> str:
    """The public module that a class or function is from."""
    module = getattr(value, "__module__", "") or ""
    return C_TWINS.get(module, module).partition(".")[0]


def _sort(name: str, value: Any, module: ModuleType) -> None:
    if isinstance(value, type) and issubclass(value, BaseException):
        EXCEPTIONS[name] = value  # `error`, `timeout`: builtins since 3.10
    elif home(value) != module.__name__:
        pass
    elif isinstance(value, type):
        CLASSES[name] = value
    elif callable(value):
        FUNCTIONS[name] = value


def _has_first(owner: type, short: str) -> bool:
    """Whether `owner` offers this, and no public class above it does."""
    above = [base for base in owner.__mro__[1:] if base in OWNERS.values()]
    ours = any(short in vars(base) and home(base) in NETWORK for base in owner.__mro__)
    return ours and not any(hasattr(base, short) for base in above)


def _collect() -> None:
    for module in MODULES:
        for short, value in vars(module).items():
            if not short.startswith("_"):
                _sort(f"{module.__name__}.{short}", value, module)
    for short in asyncio.__all__:
        if ASYNCIO.fullmatch(short):
            _sort(f"asyncio.{short}", getattr(asyncio, short), asyncio)
    OWNERS.update(CLASSES)
    del OWNERS["socket.SocketType"]  # what socket.socket is made from: nobody calls a method by that name
    del OWNERS["socket.SocketIO"]  # its methods are those of io.RawIOBase
    if hasattr(select, "poll"):
        OWNERS["select.poll"] = type(select.poll())  # `select.poll` is a function, and its class has no public name
    for name, owner in OWNERS.items():
        for short in [] if issubclass(owner, (Enum, tuple)) else sorted(dir(owner)):
            is_a_loops = name == "asyncio.AbstractEventLoop"
            if (
                not short.startswith("_")
                and _has_first(owner, short)
                and (not is_a_loops or OF_A_LOOP.fullmatch(short))
            ):
                MEMBERS[f"{name}.{short}"] = (owner, short)


_collect()
