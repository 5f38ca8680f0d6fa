"""What is recorded, call by call: which arguments and results matter, and in which words.

The slots `asked` and `moved` of a row (see `recorder`) depend on the direction of the call:

    out     the payload as kept                     how many bytes were taken, None for all
    in      how many bytes were asked for           the payload as kept
    others  the arguments that matter, as text      the result as text

In each of them `moved` is a `Failure` where the call raised. What few calls have besides is in an `Extra`; then the
slot `operation` holds a `Special`, which is the operation with it.
"""

from __future__ import annotations

import socket
import sys
from functools import lru_cache
from typing import Any

from .sight import End


class Operation:
    """One kind of call. `quiet` is its twin for calls that socketlab's servers make for themselves."""

    __slots__ = ("direction", "name", "quiet", "tls")

    def __init__(self, name: str, direction: str = "", tls: bool = False, is_quiet: bool = False) -> None:
        self.name = name
        self.direction = direction
        self.tls = tls
        self.quiet = self if is_quiet else Operation(name, direction, tls, is_quiet=True)

    @property
    def housekeeping(self) -> bool:
        return self.quiet is self


class Extra:
    """What few calls have: flags, an address, sockets that came of it, words to be shown with the arguments."""

    __slots__ = ("address", "ends", "flags", "result", "words")

    def __init__(
        self, flags: int = 0, address: Any = None, ends: tuple[End, ...] = (), words: str = "", result: str = ""
    ) -> None:
        self.flags = flags
        self.address = address
        self.ends = ends
        self.words = words
        self.result = result


class Special:
    """An operation and its `Extra`."""

    __slots__ = ("extra", "operation")

    def __init__(self, operation: Operation, extra: Extra) -> None:
        self.operation = operation
        self.extra = extra


@lru_cache(maxsize=1024)
def marked(flags: int, address: Any) -> Extra | None:
    """The `Extra` for these flags and this address, the same one each time: datagrams come by the million."""
    return Extra(flags, address) if flags or address is not None else None


@lru_cache(maxsize=1024)
def special(operation: Operation, extra: Extra) -> Special:
    """The `Special` for these two, the same one each time."""
    return Special(operation, extra)


#: Digits of a number that somebody typed; a deadline's remainder has more, and others on each run.
TYPED = 6


def short(value: Any, most: int = 40) -> str:
    """The repr of an argument, in one line and not longer than `most`."""
    if isinstance(value, float) and len(repr(value)) > TYPED:
        text = "…"  # computed, from a clock as likely as not
    elif isinstance(value, (bool, int, float, str, bytes, tuple, type(None))):
        text = repr(value)
    else:
        text = f"<{type(value).__name__}>"  # the repr of an object may contain its address
    return text if len(text) <= most else f"{text[: most - 1]}…"


#: An option of Linux for IPv4 that not each Python has a name for: a ladder reads the same on all of them.
_UNNAMED = {8: "IP_PKTINFO"} if sys.platform == "linux" else {}
_OF_OTHERS = ("SO_J1939_", "SO_VM_", "SO_BTH_", "SO_HCI_", "SO_L2CAP_", "SO_RFCOMM_")  # of levels of their own


@lru_cache(maxsize=256)
def _option_name(level: int, number: int) -> str:
    prefixes = {
        socket.SOL_SOCKET: ("SO_",),
        socket.IPPROTO_TCP: ("TCP_",),
        socket.IPPROTO_UDP: ("UDP_", "UDPLITE_"),
        getattr(socket, "IPPROTO_IP", 0): ("IP_",),
        getattr(socket, "IPPROTO_IPV6", 41): ("IPV6_",),
    }.get(level, ())
    for prefix in prefixes:
        for name in sorted(vars(socket)):
            if name.startswith(prefix) and not name.startswith(_OF_OTHERS) and getattr(socket, name) == number:
                return name
    if level == getattr(socket, "IPPROTO_IP", 0) and number in _UNNAMED:
        return _UNNAMED[number]
    return f"level {level}, option {number}"


def option_name(level: Any = None, number: Any = None) -> str:
    """SO_REUSEADDR for (SOL_SOCKET, SO_REUSEADDR)."""
    try:
        return _option_name(int(level), int(number))
    except (TypeError, ValueError):
        return f"{short(level)}, {short(number)}"


@lru_cache(maxsize=64)
def flag_names(flags: int) -> str:
    """MSG_PEEK | MSG_DONTWAIT."""
    names = []
    for name in sorted(vars(socket)):
        value = getattr(socket, name)
        if name.startswith("MSG_") and isinstance(value, int) and value.bit_count() == 1 and flags & value:
            names.append(name)
            flags &= ~value
    return " | ".join([*names, *([hex(flags)] if flags else [])])
