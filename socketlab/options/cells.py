"""A cell to copy: the lines of Python that make a socket, ask for an option, and read what was granted.

Plain `socket`, as one would write it; what the catalogue knows of the option stands in the lines.
"""

from __future__ import annotations

from typing import Any

from socketlab.probe.options import MEMBERSHIPS

from .ask import CONNECTED, SOCKETS_TO_ASK
from .catalogue import Entry, catalogue

__all__ = ["cell"]


def cell(entry: Entry, value: Any = None) -> str:
    """Python that asks for `value`, and prints what it became; without `value` it only reads.

    "" for what is no option, and for what can neither be set nor read.
    """
    if entry.section in ("levels", "values"):
        return ""
    lines = [_connecting(entry.socket)] if entry.socket in CONNECTED else []
    if value is not None:
        asked = [*(_known(name) for name in MEMBERSHIPS.get(entry.name, ())), entry]
        lines += [one.setting(value) + ("" if one.named else f"  # {one.name}") for one in asked]
    if reading := _reading(entry):
        lines.append(f"print({reading})")
    if not lines or lines == [_connecting(entry.socket)]:
        return ""
    body = "\n".join(f"    {line}" for line in lines)
    struct = "import struct\n" if "struct." in body else ""
    return f"import socket\n{struct}\n{_opening(entry.socket)}\n{body}"


def _reading(entry: Entry) -> str:
    """How to look what was granted: an option with FORCE in its name is read by the name without it."""
    plain = entry.name.removesuffix("FORCE")
    return (entry if plain == entry.name else _known(plain)).reading


def _opening(kind: str) -> str:
    if kind == "unix pair":
        return "sock, other = socket.socketpair()\nwith sock, other:"
    family, type_, protocol = SOCKETS_TO_ASK[kind]
    arguments = [f"socket.{family}", f"socket.{type_}", *([str(protocol)] if protocol else [])]
    usual = kind == "tcp"
    return f"with socket.socket({'' if usual else ', '.join(arguments)}) as sock:"


def _connecting(kind: str) -> str:
    if kind not in CONNECTED:
        return ""
    host, port = CONNECTED[kind]
    return f'sock.connect(("{host}", {port}))  # a datagram socket sends nothing by that'


def _known(name: str) -> Entry:
    return next(entry for entry in catalogue() if entry.name == name)
