"""Which constants of this Python name options, and what is known of each before anybody asks the kernel.

The list is made at run time from `dir(socket)`: a name belongs here by its prefix. A name of a future Python, which the
texts do not know, comes with its number and "not described yet". On Linux there follow those that the kernel has and
this Python does not name: they are used by number, and the table is the same on each Python.
"""

import socket
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

from socketlab.probe.families import names
from socketlab.probe.options import EXCEPTIONS, KINDS, LITERALS, VALUES_NOT_OPTIONS

from .texts import PYTHON, TEXTS, Text
from .types import KINDS as TYPES
from .types import Kind

__all__ = ["SECTIONS", "Entry", "catalogue", "section_of"]

SECTIONS = {
    "SOL_SOCKET": "any socket",
    "IPPROTO_IP": "IPv4",
    "IPPROTO_IPV6": "IPv6",
    "IPPROTO_TCP": "TCP",
    "IPPROTO_UDP": "UDP",
    "IPPROTO_UDPLITE": "UDP-Lite",
    "AF_VSOCK": "virtual machines",
    "SOL_CAN_RAW": "the CAN bus",
    "SOL_CAN_J1939": "J1939, on the CAN bus",
    "SOL_TIPC": "TIPC, in clusters",
    "SOL_ALG": "the kernel's cryptography",
    "SOL_LOCAL": "Unix sockets of BSD and macOS",
    "HV_PROTOCOL_RAW": "Hyper-V",
    "levels": "the levels themselves",
    "values": "values for options",
}
"""The levels by name, in the order of the table, and what they are for; `levels` and `values` are no options."""

# Prefix: (the level's name, its number). The first match counts.
_LEVELS = {
    "SO_J1939_": ("SOL_CAN_J1939", 107),
    "SO_VM_SOCKETS_": ("AF_VSOCK", 40),
    "SO_": ("SOL_SOCKET", socket.SOL_SOCKET),
    "IPV6_": ("IPPROTO_IPV6", 41),
    "IP_": ("IPPROTO_IP", 0),
    "TCP_": ("IPPROTO_TCP", 6),
    "UDPLITE_": ("IPPROTO_UDPLITE", 136),
    "UDP_": ("IPPROTO_UDP", 17),
    "CAN_RAW_": ("SOL_CAN_RAW", 101),
    "TIPC_": ("SOL_TIPC", 271),
    "ALG_SET_": ("SOL_ALG", 279),
    "LOCAL_": ("SOL_LOCAL", 0),
    "HVSOCKET_": ("HV_PROTOCOL_RAW", 1),
}
_MORE_SOCKETS = {"UDP_": "udp", "ALG_SET_": "alg", "HVSOCKET_": "hyperv"}  # besides those of `probe.options.KINDS`
_MORE_EXCEPTIONS = {"IP_MTU": "udp connected", "IPV6_MTU": "udp6 connected", "SO_PEERCRED": "unix pair",
                    "SO_PEERSEC": "unix pair", "SO_PEEK_OFF": "unix"}  # fmt: skip

_UNNAMED = {  # <linux/in.h>, <linux/in6.h>, <linux/tcp.h>, <linux/udp.h>, <asm-generic/socket.h>
    **LITERALS,
    "SO_BINDTOIFINDEX": 62,
    "SO_BUSY_POLL": 46,
    "SO_COOKIE": 57,
    "SO_INCOMING_CPU": 49,
    "SO_PEEK_OFF": 42,
    "SO_RCVBUFFORCE": 33,
    "SO_SNDBUFFORCE": 32,
    "SO_TIMESTAMP": 29,
    "IP_ADD_SOURCE_MEMBERSHIP": 39,
    "IP_BIND_ADDRESS_NO_PORT": 24,
    "IP_BLOCK_SOURCE": 38,
    "IP_DROP_SOURCE_MEMBERSHIP": 40,
    "IP_FREEBIND": 15,
    "IP_MTU": 14,
    "IP_RECVORIGDSTADDR": 20,
    "IP_UNBLOCK_SOURCE": 37,
    "IPV6_MTU": 24,
    "IPV6_MTU_DISCOVER": 23,
    "IPV6_RECVERR": 25,
    "TCP_CC_INFO": 26,
    "TCP_FASTOPEN_CONNECT": 30,
    "TCP_FASTOPEN_KEY": 33,
    "TCP_FASTOPEN_NO_COOKIE": 34,
    "TCP_INQ": 36,
    "TCP_MD5SIG": 14,
    "TCP_MD5SIG_EXT": 32,
    "TCP_QUEUE_SEQ": 21,
    "TCP_REPAIR": 19,
    "TCP_REPAIR_OPTIONS": 22,
    "TCP_REPAIR_QUEUE": 20,
    "TCP_REPAIR_WINDOW": 29,
    "TCP_SAVED_SYN": 28,
    "TCP_SAVE_SYN": 27,
    "TCP_THIN_DUPACK": 17,
    "TCP_THIN_LINEAR_TIMEOUTS": 16,
    "TCP_TIMESTAMP": 24,
    "TCP_TX_DELAY": 37,
    "TCP_ULP": 31,
    "TCP_ZEROCOPY_RECEIVE": 35,
    "UDP_CORK": 1,
    "UDP_GRO": 104,
    "UDP_SEGMENT": 103,
}

_LEVEL_NAMES = {  # what socket.SOL_… or socket.IPPROTO_… to write where this Python lacks the obvious one
    "SOL_CAN_J1939": "socket.SOL_CAN_BASE + socket.CAN_J1939",
}


@dataclass(frozen=True)
class Entry:
    """One constant, before the kernel is asked. `level` is a key of `SECTIONS`, `kind` one of `types.KINDS`."""

    name: str
    number: int
    level: str
    level_number: int
    socket: str  #: the kind of socket that it is asked on: "tcp", "udp6 connected"
    text: Text
    named: bool = True  #: whether this Python has the name

    @property
    def section(self) -> str:
        """Where it stands in the table: its level, "levels" or "values"."""
        return {"level": "levels", "value": "values"}.get(self.text.kind, self.level)

    @property
    def kind(self) -> Kind:
        return TYPES[self.text.kind]

    @property
    def since(self) -> str:
        """The first kernel and the first Python that had it: "Linux 4.2, Python 3.11"; "" where both are old."""
        python = f"Python {PYTHON[self.name]}" if self.name in PYTHON else ""
        if not self.named and not python:
            python = "no name in Python"
        return ", ".join(filter(None, (self.text.since, python)))

    @property
    def arguments(self) -> str:
        """The first two arguments of getsockopt() and setsockopt(), as Python code."""
        level = _LEVEL_NAMES.get(self.level, f"socket.{self.level}")
        if not all(hasattr(socket, part.removeprefix("socket.")) for part in level.split(" + ")):
            level = str(self.level_number)
        return f"{level}, {f'socket.{self.name}' if self.named else self.number}"

    @property
    def reading(self) -> str:
        """How to read it, as Python code; "" where it cannot be read."""
        if self.section in ("levels", "values") or "only be set" in self.text.unread or "group" in self.text.kind:
            return ""
        size = f", {self.kind.size}" if self.kind.size else ""
        return self.kind.get.format(f"sock.getsockopt({self.arguments}{size})")

    def setting(self, value: Any) -> str:
        """How to set it to `value`, as Python code."""
        return f"sock.setsockopt({self.arguments}, {self.kind.code(value)})"

    @property
    def why_not(self) -> str:
        """Why nothing can be asked for: it would do harm, or it can only be read; "" where one may try."""
        text = self.text
        if text.kind in ("value", "level"):
            return f"a {text.kind}, not an option"
        if text.ask is None and text.mind:
            return f"not asked here: {text.mind}"
        if text.kind == "unknown":
            return "not asked here: what it would do is not described yet"
        return "" if self.kind.pattern else "read only"


def section_of(word: str | int) -> str:
    """The key of `SECTIONS` that somebody means by "SOL_TCP", "TCP", "tcp" or 6; "" means all of them.

    Raises ValueError, with what there is.
    """
    for prefix in ("", "IPPROTO_", "SOL_", "AF_"):
        if (name := f"{prefix}{word}".upper()) in SECTIONS:
            return name
    lower = str(word).lower()
    if lower in SECTIONS or not lower:
        return lower
    numbers = {str(number): name for name, number in reversed(_LEVELS.values())}
    number = str(getattr(socket, str(word).upper(), word) if isinstance(word, str) else int(word))
    if number in numbers:
        return numbers[number]
    raise ValueError(f"wanted a level, but got {word!r}; there are {', '.join(SECTIONS)}")


@cache
def catalogue() -> tuple[Entry, ...]:
    """Every constant that names an option, a level or a value of an option, by section and name."""
    found = [_entry(name, getattr(socket, name)) for prefix in ("SOL_", *_LEVELS) for name in names(prefix)]
    known = {entry.name for entry in found}
    if sys.platform == "linux":
        # Alpha, MIPS, PA-RISC and SPARC number the SO_ options in their own way.
        usual = socket.SO_RCVBUF == 8
        found += [
            _entry(name, number, named=False)
            for name, number in _UNNAMED.items()
            if name not in known and (usual or not name.startswith("SO_"))
        ]
    order = list(SECTIONS)
    unique = {entry.name: entry for entry in found if not _is_left_out(entry.name)}
    return tuple(sorted(unique.values(), key=lambda entry: (order.index(entry.section), entry.name)))


def _is_left_out(name: str) -> bool:
    """TIPC_ is also the prefix of addresses and events: of those only what the texts know is an option."""
    return name.startswith("TIPC_") and name not in TEXTS


def _entry(name: str, number: int, named: bool = True) -> Entry:
    prefix = next((prefix for prefix in _LEVELS if name.startswith(prefix)), "SO_")
    level, level_number = _LEVELS[prefix]
    kind = _MORE_SOCKETS.get(prefix) or KINDS[prefix][1]
    kind = _MORE_EXCEPTIONS.get(name) or EXCEPTIONS.get(name) or kind
    text = TEXTS.get(name)
    if name.startswith("SOL_"):
        level, level_number = name, number
    if text is None:
        form = "level" if name.startswith("SOL_") else "value" if name.startswith(VALUES_NOT_OPTIONS) else "unknown"
        text = Text(form, "Not described yet.")
    return Entry(name, int(number), level, level_number, kind, text, named)
