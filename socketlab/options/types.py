"""What the bytes of an option mean: each `Kind` turns them into a value and back, and says how to write both in Python.

getsockopt(2) and setsockopt(2) move bytes and do not say what is in them: a C int for most options, a structure for
some. The sizes are those of this machine's C compiler. Knows the kernel's structures, and nothing of single options.
"""

import socket
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from socketlab.probe.options import GROUP, loopback_index

from . import forms

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


def _number(words: str, unit: str = "", grouped: bool = True) -> Kind:
    show = "{:,}".format if grouped else str
    return Kind(words, forms.integer, int, forms.whole(*forms.INT, unit), show, unit, pattern="a whole number")


def _unsigned_number(words: str, unit: str = "") -> Kind:
    """Numbers up to 2**32 - 1 have to be packed: setsockopt() takes a C int, and refuses more with OverflowError."""
    pack = 'struct.pack("=I", {})'.format
    return Kind(
        words,
        forms.unsigned,
        lambda value: struct.pack("=I", value),
        forms.whole(*forms.UINT, unit),
        "{:,}".format,
        unit,
        'struct.unpack("=I", {})[0]',
        4,
        pack,
        "a whole number",
    )


def _large_number(words: str, unit: str = "") -> Kind:
    pack = 'struct.pack("=Q", {})'.format
    return Kind(
        words,
        forms.unsigned,
        lambda value: struct.pack("=Q", value),
        forms.whole(0, 2**64 - 1, unit),
        "{:,}".format,
        unit,
        'struct.unpack("=Q", {})[0]',
        8,
        pack,
        "a whole number",
    )


KINDS = {
    "flag": Kind(
        "0 or 1",
        forms.integer,
        int,
        forms.parse_flag,
        lambda v: f"{v} ({'on' if v else 'off'})" if v in (0, 1) else f"{v:,}",
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
    "vsock": _number("bytes, 64 bits", "bytes")._replace(
        decode=forms.unsigned, parse=forms.whole(0, 2**63 - 1, "bytes")
    ),
    "rate": _large_number("bytes per second")._replace(show=forms.rate_text),
    "clock": _unsigned_number("ticks of a clock")._replace(show="a clock".format, parse=forms.refuse, pattern=""),
    "family": _number("a family, AF_")._replace(show=forms.named(("AF_",)), parse=forms.refuse, pattern=""),
    "type": _number("a type, SOCK_")._replace(show=forms.named(("SOCK_",)), parse=forms.refuse, pattern=""),
    "protocol": _number("a protocol, IPPROTO_")._replace(
        show=forms.named(("IPPROTO_",)), parse=forms.refuse, pattern=""
    ),
    "error": _number("an errno")._replace(show=forms.error_text, parse=forms.refuse, pattern=""),
    "linger": Kind(
        "struct linger: on or off, seconds",
        lambda data: struct.unpack(forms.LINGER, data),
        forms.encode_linger,
        forms.parse_linger,
        lambda v: f"{'on' if v[0] else 'off'}, {v[1]:,} seconds",
        get=f'struct.unpack("{forms.LINGER}", {{}})',
        size=struct.calcsize(forms.LINGER),
        code=lambda v: f'struct.pack("{forms.LINGER}", {v[0]}, {v[1]})',
        pattern="1, 5",
    ),
    "time": Kind(
        "struct timeval: seconds, microseconds",
        forms.decode_time,
        forms.encode_time,
        forms.parse_time,
        lambda v: f"{v:,.6g}",
        "seconds",
        f'struct.unpack("{forms.TIMEVAL}", {{}})',
        struct.calcsize(forms.TIMEVAL),
        forms.time_code,
        "2.5",
    ),
    "raw": Kind("bytes of a structure", bytes, bytes, forms.parse_bytes, forms.show_bytes, size=256, pattern="01 ff"),
    "string": Kind(
        "a name",
        forms.decode_string,
        str.encode,
        forms.parse_string,
        forms.show_string,
        size=64,
        code=lambda v: repr(v.encode()),
        pattern="a name",
        get='{}.partition(b"\\0")[0]',
    ),
    "interface name": Kind(
        "an interface's name",
        forms.decode_string,
        str.encode,
        forms.parse_string,
        forms.show_string,
        size=16,
        code=lambda v: repr(v.encode()),
        pattern="lo",
        get='{}.partition(b"\\0")[0]',
    ),
    "interface": Kind(
        "an interface's number",
        forms.integer,
        forms.interface,
        forms.parse_interface,
        code=lambda v: str(v) if isinstance(v, int) else f'socket.if_nametoindex("{v}")',
        pattern="lo or 1",
    ),
    "address": Kind(
        "struct in_addr: an IPv4 address",
        lambda data: socket.inet_ntoa(data[:4]),
        socket.inet_aton,
        forms.parse_address,
        get="socket.inet_ntoa({})",
        size=4,
        code='socket.inet_aton("{}")'.format,
        pattern="127.0.0.1",
    ),
    "credentials": Kind(
        "struct ucred: process, user, group",
        lambda data: struct.unpack("3i", data),
        forms.unwritable,
        forms.refuse,
        forms.show_credentials,
        get='struct.unpack("3i", {})',
        size=12,
    ),
    "tcp_info": Kind(
        "struct tcp_info",
        forms.decode_info,
        forms.unwritable,
        forms.refuse,
        lambda v: f"{v.size} bytes, state {v.state}",
        size=512,
    ),
    "path mtu": Kind(
        "struct ip6_mtuinfo: bytes",
        forms.path_mtu,
        forms.unwritable,
        forms.refuse,
        "{:,}".format,
        "bytes",
        'struct.unpack_from("=I", {}, 28)[0]',
        32,
    ),
    "group": Kind(
        "struct ip_mreq: a group, an interface",
        bytes,
        lambda v: socket.inet_aton(v) + forms.LOOPBACK,
        forms.group,
        code=forms.GROUP_CODE,
        pattern=GROUP,
    ),
    "source group": Kind(
        "struct ip_mreq_source: a group, an interface, a sender",
        bytes,
        lambda v: socket.inet_aton(v) + 2 * forms.LOOPBACK,
        forms.group,
        code=forms.SOURCE_CODE,
        pattern=GROUP,
    ),
    "group6": Kind(
        "struct ipv6_mreq: a group, an interface",
        bytes,
        lambda v: socket.inet_pton(socket.AF_INET6, v) + struct.pack("@I", loopback_index()),
        forms.group6,
        code=forms.GROUP6_CODE,
        pattern="ff11::4c43",
    ),
    "level": Kind("a level", bytes, forms.unwritable, forms.refuse),
    "value": Kind("a value", bytes, forms.unwritable, forms.refuse),
    "unknown": Kind("not described yet", bytes, forms.unwritable, forms.refuse, forms.show_bytes, size=256),
}
