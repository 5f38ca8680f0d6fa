"""What the bytes of an option mean: each `Kind` turns them into a value and back, and says how to write both in Python.

getsockopt(2) and setsockopt(2) move bytes and do not say what is in them: a C int for most options, a structure for
some. The sizes are those of this machine's C compiler. Knows the kernel's structures, and nothing of single options.
"""

import ipaddress
import math
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from socketlab.probe.options import GROUP, loopback_index

__all__ = ["KINDS", "Kind"]


class Kind(NamedTuple):
    """One form that the value of an option can have."""

    words: str  #: for people: "seconds", "0 or 1"
    decode: Callable[[bytes], Any]  #: raises struct.error or ValueError where the bytes are something else
    encode: Callable[[Any], "int | bytes"]
    parse: Callable[[str], Any]  #: from what somebody typed; ValueError says what was wanted
    show: Callable[[Any], str] = str
    unit: str = ""
    get: str = "{}"  #: how to read it in Python, {} being the call of getsockopt
    size: int = 0  #: the third argument of getsockopt: 0 is none, and an int comes back
    code: Callable[[Any], str] = repr  #: the value as Python code for setsockopt
    pattern: str = ""  #: what to type, as an example

    def text(self, value: Any) -> str:
        """A value for people: ``5,000 bytes``."""
        shown = self.show(value)
        unit = self.unit.removesuffix("s") if shown == "1" and len(self.unit) > 2 else self.unit
        return f"{shown} {unit}".rstrip()


def _integer(data: bytes) -> int:
    return int.from_bytes(data, sys.byteorder, signed=True)


def _unsigned(data: bytes) -> int:
    return int.from_bytes(data, sys.byteorder)


def _whole(low: int, high: int, unit: str) -> Callable[[str], int]:
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


_INT = (-(2**31), 2**31 - 1)  # a C int
_UINT = (0, 2**32 - 1)


def _number(words: str, unit: str = "", grouped: bool = True) -> Kind:
    show = "{:,}".format if grouped else str
    return Kind(words, _integer, int, _whole(*_INT, unit), show, unit, pattern="a whole number")


def _unsigned_number(words: str, unit: str = "") -> Kind:
    """Numbers up to 2**32 - 1 have to be packed: setsockopt() takes a C int, and refuses more with OverflowError."""
    pack = 'struct.pack("=I", {})'.format
    return Kind(
        words, _unsigned, lambda value: struct.pack("=I", value), _whole(*_UINT, unit), "{:,}".format, unit,
        'struct.unpack("=I", {})[0]', 4, pack, "a whole number",
    )  # fmt: skip


def _large_number(words: str, unit: str = "") -> Kind:
    pack = 'struct.pack("=Q", {})'.format
    return Kind(
        words, _unsigned, lambda value: struct.pack("=Q", value), _whole(0, 2**64 - 1, unit), "{:,}".format, unit,
        'struct.unpack("=Q", {})[0]', 8, pack, "a whole number",
    )  # fmt: skip


def _rate_text(value: int) -> str:
    return "no limit" if value in (2**32 - 1, 2**64 - 1) else f"{value:,} bytes per second"


def _named(prefixes: tuple[str, ...]) -> Callable[[int], str]:
    """Numbers of families, types and protocols, with the name that this Python has for them."""

    def show(value: int) -> str:
        for prefix in prefixes:
            for name in sorted(dir(socket)):
                if name.startswith(prefix) and getattr(socket, name) == value:
                    return f"{value}, {name}"
        return str(value)

    return show


def _error_text(value: int) -> str:
    import errno
    import os

    return f"{value}, {errno.errorcode.get(value, '?')}: {os.strerror(value)}" if value else "0, no error"


# -- structures --------------------------------------------------------------------------------------------------------

_LINGER = "HH" if sys.platform == "win32" else "ii"  # struct linger; Windows has unsigned shorts
_TIMEVAL = "ll"  # struct timeval


def _parse_flag(text: str) -> int:
    words = {"0": 0, "false": 0, "off": 0, "no": 0, "1": 1, "true": 1, "on": 1, "yes": 1}
    if (word := text.strip().lower()) in words:
        return words[word]
    return _whole(*_INT, "")(text)  # the kernel takes any number for true, and a few options take more than two values


def _parse_linger(text: str) -> tuple[int, int]:
    on, _, seconds = text.strip(" ()").partition(",")
    try:
        return int(on), int(seconds)
    except ValueError:
        raise ValueError(f"wanted on or off and seconds, such as 1, 5, but got {text.strip()!r}") from None


def _encode_linger(value: tuple[int, int]) -> bytes:
    try:
        return struct.pack(_LINGER, *value)
    except struct.error:
        raise ValueError(f"wanted two whole numbers that fit a C int, but got {value!r}") from None


def _decode_time(data: bytes) -> float:
    if len(data) == 4:  # Windows: milliseconds
        return _unsigned(data) / 1000
    seconds, microseconds = struct.unpack(_TIMEVAL, data)
    return float(seconds + microseconds / 1e6)


def _encode_time(value: float) -> bytes:
    if sys.platform == "win32":
        return struct.pack("=I", round(value * 1000))
    microseconds = round(value * 1_000_000)
    return struct.pack(_TIMEVAL, microseconds // 1_000_000, microseconds % 1_000_000)


def _time_code(value: float) -> str:
    return f'struct.pack("{_TIMEVAL}", {int(value // 1)}, {round(value % 1 * 1e6)})'


def _parse_time(text: str) -> float:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        raise ValueError(f"wanted seconds, such as 2.5, but got {text.strip()!r}") from None
    if not (math.isfinite(value) and 0 <= value <= 10**9):
        raise ValueError(f"wanted seconds from 0 to a billion, but got {text.strip()}")
    return value


def _parse_bytes(text: str) -> bytes:
    import ast

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


def _show_bytes(value: bytes) -> str:
    if not value:
        return "empty"
    return f"{len(value)} bytes: {value[:16].hex(' ')}" + (" …" if len(value) > 16 else "")


def _decode_string(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def _parse_string(text: str) -> str:
    if "\0" in text:
        raise ValueError("wanted a name without a NUL character, but got one")
    return text.strip()


def _show_string(value: str) -> str:
    return value if value else "empty"


def _parse_address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text.strip()))
    except ValueError:
        raise ValueError(f"wanted an IPv4 address, such as 127.0.0.1, but got {text.strip()!r}") from None


def _show_credentials(value: tuple[int, int, int]) -> str:
    process, user, group = value
    return f"process {process}, user {user}, group {group}"


def _decode_info(data: bytes) -> Any:
    from socketlab.measure.tcp_fields import decode

    return decode(data)


def _path_mtu(data: bytes) -> int:
    return int(struct.unpack_from("=I", data, 28)[0])  # struct ip6_mtuinfo: behind a struct sockaddr_in6


def _group(text: str) -> str:
    try:
        group = ipaddress.IPv4Address(text.strip())
    except ValueError:
        group = None
    if group is None or not group.is_multicast:
        raise ValueError(f"wanted a multicast group, such as {GROUP}, but got {text.strip()!r}")
    return str(group)


def _group6(text: str) -> str:
    try:
        group = ipaddress.IPv6Address(text.strip())
    except ValueError:
        group = None
    if group is None or not group.is_multicast:
        raise ValueError(f"wanted a multicast group, such as ff11::4c43, but got {text.strip()!r}")
    return str(group)


_LOOPBACK = b"\x7f\0\0\1"


def _interface(value: "str | int") -> int:
    """The number of an interface; "lo" is the loopback interface, whatever it is called here."""
    if isinstance(value, int):
        return value
    if value == "lo":
        return loopback_index()
    return socket.if_nametoindex(value)


def _parse_interface(text: str) -> "str | int":
    text = text.strip()
    return int(text) if text.isdigit() else _parse_string(text)


def _unwritable(value: Any) -> bytes:
    raise ValueError("this option is read only")


def _refuse(text: str) -> Any:
    raise ValueError("this option is read only, or its value is a structure that has to be built by hand")


_GROUP_CODE = 'socket.inet_aton("{}") + socket.inet_aton("127.0.0.1")'.format
_SOURCE_CODE = 'socket.inet_aton("{}") + 2 * socket.inet_aton("127.0.0.1")'.format
_GROUP6_CODE = 'socket.inet_pton(socket.AF_INET6, "{}") + struct.pack("@I", socket.if_nametoindex("lo"))'.format

KINDS = {
    "flag": Kind(
        "0 or 1", _integer, int, _parse_flag, lambda v: f"{v}, {'on' if v else 'off'}" if v in (0, 1) else f"{v:,}",
        pattern="0 or 1",
    ),
    "count": _number("a number"),
    "bytes": _number("bytes", "bytes"),
    "seconds": _number("seconds", "seconds"),
    "milliseconds": _number("milliseconds", "ms"),
    "microseconds": _number("microseconds", "µs"),
    "hops": _number("hops", "hops"),
    "unsigned": _unsigned_number("a number, 32 bits"),
    "bytes unsigned": _unsigned_number("bytes", "bytes"),
    "large": _large_number("a number, 64 bits"),
    "vsock": _number("bytes, 64 bits", "bytes")._replace(decode=_unsigned, parse=_whole(0, 2**63 - 1, "bytes")),
    "rate": _large_number("bytes per second")._replace(show=_rate_text),
    "clock": _unsigned_number("ticks of a clock")._replace(show=lambda value: "a clock that runs", parse=_refuse, pattern=""),
    "family": _number("a family, AF_")._replace(show=_named(("AF_",)), parse=_refuse, pattern=""),
    "type": _number("a type, SOCK_")._replace(show=_named(("SOCK_",)), parse=_refuse, pattern=""),
    "protocol": _number("a protocol, IPPROTO_")._replace(show=_named(("IPPROTO_",)), parse=_refuse, pattern=""),
    "error": _number("an errno")._replace(show=_error_text, parse=_refuse, pattern=""),
    "linger": Kind(
        "struct linger: on or off, seconds", lambda data: struct.unpack(_LINGER, data), _encode_linger, _parse_linger,
        lambda v: f"{'on' if v[0] else 'off'}, {v[1]:,} seconds", get=f'struct.unpack("{_LINGER}", {{}})',
        size=struct.calcsize(_LINGER), code=lambda v: f'struct.pack("{_LINGER}", {v[0]}, {v[1]})', pattern="1, 5",
    ),
    "time": Kind(
        "struct timeval: seconds, microseconds", _decode_time, _encode_time, _parse_time, lambda v: f"{v:,.6g}",
        "seconds", f'struct.unpack("{_TIMEVAL}", {{}})', struct.calcsize(_TIMEVAL), _time_code, "2.5",
    ),
    "raw": Kind("bytes of a structure", bytes, bytes, _parse_bytes, _show_bytes, size=256, pattern="01 ff"),
    "string": Kind(
        "a name", _decode_string, str.encode, _parse_string, _show_string, size=64,
        code=lambda v: repr(v.encode()), pattern="a name", get='{}.partition(b"\\0")[0]',
    ),
    "interface name": Kind(
        "an interface's name", _decode_string, str.encode, _parse_string, _show_string, size=16,
        code=lambda v: repr(v.encode()), pattern="lo", get='{}.partition(b"\\0")[0]',
    ),
    "interface": Kind(
        "an interface's number", _integer, _interface, _parse_interface,
        code=lambda v: str(v) if isinstance(v, int) else f'socket.if_nametoindex("{v}")', pattern="lo or 1",
    ),
    "address": Kind(
        "struct in_addr: an IPv4 address", lambda data: socket.inet_ntoa(data[:4]), socket.inet_aton, _parse_address,
        get="socket.inet_ntoa({})", size=4, code='socket.inet_aton("{}")'.format, pattern="127.0.0.1",
    ),
    "credentials": Kind(
        "struct ucred: process, user, group", lambda data: struct.unpack("3i", data), _unwritable, _refuse,
        _show_credentials, get='struct.unpack("3i", {})', size=12,
    ),
    "tcp_info": Kind(
        "struct tcp_info", _decode_info, _unwritable, _refuse, lambda v: f"{v.size} bytes, state {v.state}", size=512
    ),
    "path mtu": Kind(
        "struct ip6_mtuinfo: bytes", _path_mtu, _unwritable, _refuse, "{:,}".format, "bytes",
        'struct.unpack_from("=I", {}, 28)[0]', 32,
    ),
    "group": Kind(
        "struct ip_mreq: a group, an interface", bytes, lambda v: socket.inet_aton(v) + _LOOPBACK, _group,
        code=_GROUP_CODE, pattern=GROUP,
    ),
    "source group": Kind(
        "struct ip_mreq_source: a group, an interface, a sender", bytes,
        lambda v: socket.inet_aton(v) + 2 * _LOOPBACK, _group, code=_SOURCE_CODE, pattern=GROUP,
    ),
    "group6": Kind(
        "struct ipv6_mreq: a group, an interface", bytes,
        lambda v: socket.inet_pton(socket.AF_INET6, v) + struct.pack("@I", loopback_index()), _group6,
        code=_GROUP6_CODE, pattern="ff11::4c43",
    ),
    "level": Kind("a level", bytes, _unwritable, _refuse),
    "value": Kind("a value", bytes, _unwritable, _refuse),
    "unknown": Kind("not described yet", bytes, _unwritable, _refuse, _show_bytes, size=256),
}  # fmt: skip
