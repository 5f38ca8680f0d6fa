"""Options: for each option constant of this Python, getsockopt on the right kind of socket, and the value set back.

Writing back what was read changes nothing and shows whether it may be set at all: SO_TYPE may not (ENOPROTOOPT),
SO_MARK may not without a privilege (EPERM). The membership options cannot be read; they are tried by joining a group on
the loopback interface. Which socket is the right kind follows from the name; where a name would mislead, `KINDS` and
`EXCEPTIONS` say it. Sources: socket(7), ip(7), ipv6(7), tcp(7), udplite(7).
"""

import errno
import socket
import struct
import sys
from collections.abc import Iterator
from functools import partial

from socketlab.probe.attempts import Trial, new_socket
from socketlab.probe.families import names

LITERALS = {  # what the course uses, Linux has, and this Python may not name: <linux/in.h>, <asm-generic/socket.h>
    "IP_MTU_DISCOVER": 10,
    "IP_PKTINFO": 8,
    "IP_RECVERR": 11,
    "IP_RECVTTL": 12,
    "SO_MAX_PACING_RATE": 47,
    "SO_TIMESTAMPNS": 35,
}

# kind of socket: family, type, protocol
SOCKETS = {
    "tcp": ("AF_INET", "SOCK_STREAM", 0),
    "udp": ("AF_INET", "SOCK_DGRAM", 0),
    "udp6": ("AF_INET6", "SOCK_DGRAM", 0),
    "udplite": ("AF_INET", "SOCK_DGRAM", 136),
    "raw": ("AF_INET", "SOCK_RAW", 1),
    "udp6 connected": ("AF_INET6", "SOCK_DGRAM", 0),
    "raw6": ("AF_INET6", "SOCK_RAW", 253),  # for experiments (RFC 3692); ICMPv6 has a fixed IPV6_CHECKSUM
    "unix": ("AF_UNIX", "SOCK_STREAM", 0),
    "vsock": ("AF_VSOCK", "SOCK_STREAM", 0),
    "can": ("AF_CAN", "SOCK_RAW", 1),
    "j1939": ("AF_CAN", "SOCK_DGRAM", 7),
    "tipc": ("AF_TIPC", "SOCK_STREAM", 0),
}

# prefix: level, kind of socket. Levels as numbers, for Pythons that lack the SOL_ name; the first match counts.
KINDS = {
    "SO_J1939_": (107, "j1939"),
    "SO_VM_SOCKETS_": (40, "vsock"),
    "SO_": (socket.SOL_SOCKET, "tcp"),
    "IPV6_": (41, "udp6"),
    "IP_": (0, "udp"),
    "TCP_": (6, "tcp"),
    "UDPLITE_": (136, "udplite"),
    "CAN_RAW_": (101, "can"),
    "TIPC_": (271, "tipc"),
    "LOCAL_": (0, "unix"),
}
EXCEPTIONS = {
    "SO_BROADCAST": "udp",
    "SO_PASSCRED": "unix",
    "SO_PASSSEC": "unix",
    "SO_PEERCRED": "unix",
    "SO_PEERSEC": "unix",
    "IP_HDRINCL": "raw",
    "IPV6_CHECKSUM": "raw6",
    "IPV6_PATHMTU": "udp6 connected",
}

VALUES_NOT_OPTIONS = ("IP_DEFAULT_", "IP_MAX_", "IP_PMTUDISC_", "IP_PORTRANGE_", "IPV6_PMTUDISC_", "IPV6_RTHDR_TYPE_")
TIPC_OPTIONS = ("TIPC_CONN_TIMEOUT", "TIPC_DEST_DROPPABLE", "TIPC_IMPORTANCE", "TIPC_SRC_DROPPABLE")

# What must have been set before a membership option can be; 239/8 is for private use (RFC 2365), and ff11 reaches no
# further than the interface (RFC 4291, 2.7).
MEMBERSHIPS: dict[str, tuple[str, ...]] = {
    "IP_ADD_MEMBERSHIP": (),
    "IP_DROP_MEMBERSHIP": ("IP_ADD_MEMBERSHIP",),
    "IP_ADD_SOURCE_MEMBERSHIP": (),
    "IP_DROP_SOURCE_MEMBERSHIP": ("IP_ADD_SOURCE_MEMBERSHIP",),
    "IP_BLOCK_SOURCE": ("IP_ADD_MEMBERSHIP",),
    "IP_UNBLOCK_SOURCE": ("IP_ADD_MEMBERSHIP", "IP_BLOCK_SOURCE"),
    "IPV6_JOIN_GROUP": (),
    "IPV6_LEAVE_GROUP": ("IPV6_JOIN_GROUP",),
}
GROUP, GROUP6 = "239.255.76.67", "ff11::4c43"

_CLOCKS = ("TCP_TIMESTAMP",)  # shown without their value, which would make two passports of one machine differ

LONGEST = 512  # bytes; TCP_INFO is the longest option that the course reads: 280 bytes on Linux 6.18


def option_trials() -> Iterator[Trial]:
    """One trial for each option that this Python names, and for those of `LITERALS` on Linux."""
    known = {name: getattr(socket, name) for prefix in KINDS for name in names(prefix)}
    if sys.platform == "linux":
        known = {**LITERALS, **known}
    for name in sorted(known, key=lambda name: (list(KINDS).index(_prefix(name)), name)):
        if name.startswith(VALUES_NOT_OPTIONS) or (name.startswith("TIPC_") and name not in TIPC_OPTIONS):
            continue
        level, kind = KINDS[_prefix(name)]
        kind = EXCEPTIONS.get(name, kind)
        family = SOCKETS[kind][0]
        if name in MEMBERSHIPS:
            tried = f"setsockopt({name}) for a group on loopback"
            run = partial(_membership, name, level, kind)
        else:
            tried = f"getsockopt({name}) on a {kind} socket, and setsockopt of what was read"
            run = partial(_read_and_write_back, name, known[name], level, kind)
        needs = (family, f"{family} {SOCKETS[kind][1]}")
        yield Trial("options", name, tried, run, needs)


def _prefix(name: str) -> str:
    return next(prefix for prefix in KINDS if name.startswith(prefix))


def _open(kind: str) -> socket.socket:
    family, type_, protocol = SOCKETS[kind]
    sock = new_socket(getattr(socket, family), getattr(socket, type_), protocol)
    if kind == "udp6 connected":
        try:
            sock.connect(("::1", 9))  # sends nothing (udp(7))
        except OSError:
            sock.close()
            raise
    return sock


def _read_and_write_back(name: str, option: int, level: int, kind: str) -> str:
    with _open(kind) as sock:
        if kind == "vsock":  # Python reads and writes its options as 64-bit integers, and only so
            number = sock.getsockopt(level, option)
            sock.setsockopt(level, option, number)
            return f"{number}, read and written back"
        value = sock.getsockopt(level, option, LONGEST)
        shown = f"{len(value)} bytes"
        if name in _CLOCKS:
            shown = "a clock"
        elif len(value) in (1, 4):
            shown = str(int.from_bytes(value, sys.byteorder, signed=True))
        try:
            sock.setsockopt(level, option, value)
        except OSError as exc:
            return f"{shown}, read only ({errno.errorcode.get(exc.errno or 0, exc.errno)})"
        return f"{shown}, read and written back"


def _membership(name: str, level: int, kind: str) -> str:
    with _open(kind) as sock:
        for option in (*MEMBERSHIPS[name], name):
            sock.setsockopt(level, getattr(socket, option), request_of(option))
    return "set only"


def request_of(option: str) -> bytes:
    """The argument of a membership option: struct ip_mreq, ip_mreq_source (ip(7)) or ipv6_mreq (ipv6(7))."""
    if option.startswith("IPV6_"):
        return socket.inet_pton(socket.AF_INET6, GROUP6) + struct.pack("@I", loopback_index())
    request = socket.inet_aton(GROUP) + socket.inet_aton("127.0.0.1")
    return request + socket.inet_aton("127.0.0.1") if "SOURCE" in option else request


def loopback_index() -> int:
    """The number of the loopback interface. Raises OSError where there is none of a usual name."""
    for index, name in socket.if_nameindex():
        if name in ("lo", "lo0", "Loopback Pseudo-Interface 1", "loopback_0"):
            return index
    raise OSError(errno.ENODEV, "no loopback interface among " + ", ".join(n for _, n in socket.if_nameindex()))
