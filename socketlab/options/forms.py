"""How each form of an option's value is read from bytes, packed, typed by a person, and shown: functions for `types`.

`parse_…` take what somebody typed and raise ValueError with what was wanted; `decode_…` and `encode_…` follow the
structures of this machine's C compiler: struct linger and struct timeval (socket(7)), struct ip_mreq (ip(7)), struct
ipv6_mreq (ipv6(7)), struct ip6_mtuinfo (RFC 3542).
"""

import ast
import errno
import ipaddress
import math
import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from socketlab.probe.options import GROUP, loopback_index


def integer(data: bytes) -> int:
    return int.from_bytes(data, sys.byteorder, signed=True)


def unsigned(data: bytes) -> int:
    return int.from_bytes(data, sys.byteorder)


def whole(low: int, high: int, unit: str) -> Callable[[str], int]:
    of = f" of {unit}" if unit else ""

    def parse(text: str) -> int:
        try:
            number = int(text.strip().replace(",", ""), 0)
        except ValueError:
            raise ValueError(f"wanted a whole number{of}, such as {max(low, 1)}, but got {text.strip()!r}") from None
        if not low <= number <= high:
            raise ValueError(f"wanted a whole number{of} from {low:,} to {high:,}, but got {number:,}")
        return number

    return parse


INT = (-(2**31), 2**31 - 1)  # a C int
UINT = (0, 2**32 - 1)


def rate_text(value: int) -> str:
    return "no limit" if value in (2**32 - 1, 2**64 - 1) else f"{value:,} bytes per second"


def named(prefixes: tuple[str, ...]) -> Callable[[int], str]:
    """Numbers of families, types and protocols, with the name that this Python has for them."""

    def show(value: int) -> str:
        for prefix in prefixes:
            for name in sorted(dir(socket)):
                if name.startswith(prefix) and getattr(socket, name) == value:
                    return f"{value}, {name}"
        return str(value)

    return show


def error_text(value: int) -> str:
    return f"{value}, {errno.errorcode.get(value, '?')}: {os.strerror(value)}" if value else "0, no error"


LINGER = "HH" if sys.platform == "win32" else "ii"  # struct linger; Windows has unsigned shorts
TIMEVAL = "ll"  # struct timeval


def parse_flag(text: str) -> int:
    words = {"0": 0, "false": 0, "off": 0, "no": 0, "1": 1, "true": 1, "on": 1, "yes": 1}
    if (word := text.strip().lower()) in words:
        return words[word]
    return whole(*INT, "")(text)  # the kernel takes any number for true, and a few options take more than two values


def parse_linger(text: str) -> tuple[int, int]:
    on, _, seconds = text.strip(" ()").partition(",")
    try:
        return int(on), int(seconds)
    except ValueError:
        raise ValueError(f"wanted on or off and seconds, such as 1, 5, but got {text.strip()!r}") from None


def encode_linger(value: tuple[int, int]) -> bytes:
    return struct.pack(LINGER, *value)


def decode_time(data: bytes) -> float:
    if len(data) == 4:  # Windows: milliseconds
        return unsigned(data) / 1000
    seconds, microseconds = struct.unpack(TIMEVAL, data)
    return float(seconds + microseconds / 1e6)


def encode_time(value: float) -> bytes:
    if sys.platform == "win32":
        return struct.pack("=I", round(value * 1000))
    microseconds = round(value * 1_000_000)
    return struct.pack(TIMEVAL, microseconds // 1_000_000, microseconds % 1_000_000)


def time_code(value: float) -> str:
    return f'struct.pack("{TIMEVAL}", {int(value // 1)}, {round(value % 1 * 1e6)})'


def parse_time(text: str) -> float:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        raise ValueError(f"wanted seconds, such as 2.5, but got {text.strip()!r}") from None
    if not (math.isfinite(value) and 0 <= value <= 10**9):
        raise ValueError(f"wanted seconds from 0 to a billion, but got {text.strip()}")
    return value


def parse_bytes(text: str) -> bytes:
    text = text.strip()
    if text[:2] in ('b"', "b'"):
        try:
            value = ast.literal_eval(text)
        except (SyntaxError, ValueError):
            value = None
        if isinstance(value, bytes):
            return value
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"wanted bytes as hexadecimal digits, such as 01 ff, but got {text!r}") from None


def show_bytes(value: bytes) -> str:
    if not value:
        return "empty"
    return f"{len(value)} bytes: {value[:16].hex(' ')}" + (" …" if len(value) > 16 else "")


def decode_string(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def parse_string(text: str) -> str:
    if "\0" in text:
        raise ValueError("wanted a name without a NUL character, but got one")
    return text.strip()


def show_string(value: str) -> str:
    return value if value else "empty"


def parse_address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text.strip()))
    except ValueError:
        raise ValueError(f"wanted an IPv4 address, such as 127.0.0.1, but got {text.strip()!r}") from None


def show_credentials(value: tuple[int, int, int]) -> str:
    process, user, group = value
    return f"process {process}, user {user}, group {group}"


def decode_info(data: bytes) -> Any:
    from socketlab.measure.tcp_fields import decode

    return decode(data)


def path_mtu(data: bytes) -> int:
    return int(struct.unpack_from("=I", data, 28)[0])  # struct ip6_mtuinfo: behind a struct sockaddr_in6


def group(text: str) -> str:
    try:
        group = ipaddress.IPv4Address(text.strip())
    except ValueError:
        group = None
    if group is None or not group.is_multicast:
        raise ValueError(f"wanted a multicast group, such as {GROUP}, but got {text.strip()!r}")
    return str(group)


def group6(text: str) -> str:
    try:
        group = ipaddress.IPv6Address(text.strip())
    except ValueError:
        group = None
    if group is None or not group.is_multicast:
        raise ValueError(f"wanted a multicast group, such as ff11::4c43, but got {text.strip()!r}")
    return str(group)


LOOPBACK = b"\x7f\0\0\1"


def interface(value: "str | int") -> int:
    """The number of an interface; "lo" is the loopback interface, whatever it is called here."""
    if isinstance(value, int):
        return value
    if value == "lo":
        return loopback_index()
    return socket.if_nametoindex(value)


def parse_interface(text: str) -> "str | int":
    text = text.strip()
    return int(text) if text.isdigit() else parse_string(text)


def unwritable(value: Any) -> bytes:
    raise ValueError("this option is read only")


def refuse(text: str) -> Any:
    raise ValueError("this option is read only, or its value is a structure that has to be built by hand")


GROUP_CODE = 'socket.inet_aton("{}") + socket.inet_aton("127.0.0.1")'.format
SOURCE_CODE = 'socket.inet_aton("{}") + 2 * socket.inet_aton("127.0.0.1")'.format
GROUP6_CODE = 'socket.inet_pton(socket.AF_INET6, "{}") + struct.pack("@I", socket.if_nametoindex("lo"))'.format
