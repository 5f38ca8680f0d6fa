"""Families, types and protocols: which sockets can be had, found by calling socket(2) for each combination.

The families and types are those that `dir(socket)` lists here, so that a new Python's new families are probed without
a change; to them come the few that the course names and this Python may lack, so that asking for them is never an
error. A family exists where any of its types does; AF_INET and AF_INET6 must also bind their loopback address, since
`socket.has_ipv6` is true on machines where ::1 cannot be bound.

socket(2) is all that is called: on Linux it may load the family's module, as it would for any program (socket(2),
request_module); connecting (AF_VSOCK) or binding (AF_ALG) could take seconds or load more.
"""

import errno
import socket
from collections.abc import Iterator
from functools import partial

from socketlab.probe.attempts import Trial, new_socket

TAUGHT = (
    *("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_ALG", "AF_VSOCK", "AF_CAN", "AF_TIPC"),
    *("AF_RDS", "AF_QIPCRTR", "AF_BLUETOOTH"),
)
TYPES = ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_SEQPACKET", "SOCK_RDM")

LOOPBACK = {"AF_INET": "127.0.0.1", "AF_INET6": "::1"}

FIRST_PROTOCOL = {  # where protocol 0 is not a protocol: inet_create() and can_create() answer EPROTONOSUPPORT
    ("AF_INET", "SOCK_RAW"): 1,  # IPPROTO_ICMP
    ("AF_INET6", "SOCK_RAW"): 58,  # IPPROTO_ICMPV6
    ("AF_CAN", "SOCK_RAW"): 1,  # CAN_RAW
    ("AF_CAN", "SOCK_DGRAM"): 2,  # CAN_BCM
    ("AF_BLUETOOTH", "SOCK_STREAM"): 3,  # BTPROTO_RFCOMM
    ("AF_BLUETOOTH", "SOCK_RAW"): 1,  # BTPROTO_HCI
    ("AF_SYSTEM", "SOCK_DGRAM"): 2,  # SYSPROTO_CONTROL (macOS)
}

PRIVILEGE = {("AF_INET", "SOCK_RAW"): "raw_ipv4", ("AF_INET6", "SOCK_RAW"): "raw_ipv6"}
"""What a simulated machine without privileges lacks besides; AF_PACKET is a privilege whatever the type."""

PROTOCOLS = {  # name: family, type, number. socket(2) takes the number; whether Python has the name does not matter.
    "IPPROTO_MPTCP": ("AF_INET", "SOCK_STREAM", 262),
    "IPPROTO_SCTP": ("AF_INET", "SOCK_STREAM", 132),
    "IPPROTO_UDPLITE": ("AF_INET", "SOCK_DGRAM", 136),
    "CAN_RAW": ("AF_CAN", "SOCK_RAW", 1),
    "CAN_BCM": ("AF_CAN", "SOCK_DGRAM", 2),
    "CAN_ISOTP": ("AF_CAN", "SOCK_DGRAM", 6),
    "CAN_J1939": ("AF_CAN", "SOCK_DGRAM", 7),
    "BTPROTO_L2CAP": ("AF_BLUETOOTH", "SOCK_SEQPACKET", 0),
    "BTPROTO_SCO": ("AF_BLUETOOTH", "SOCK_SEQPACKET", 2),
    "BTPROTO_RFCOMM": ("AF_BLUETOOTH", "SOCK_STREAM", 3),
    "BTPROTO_HCI": ("AF_BLUETOOTH", "SOCK_RAW", 1),
}


def names(prefix: str) -> list[str]:
    """The integer constants of this Python's socket module that begin with `prefix`, in alphabetical order."""
    return sorted(n for n in dir(socket) if n.startswith(prefix) and isinstance(getattr(socket, n), int))


def family_names() -> list[str]:
    """Every AF_ of this Python, and those that the course teaches."""
    return sorted({*names("AF_"), *TAUGHT})


def type_names() -> list[str]:
    """Every SOCK_ of this Python that is a type, STREAM first; SOCK_CLOEXEC and SOCK_NONBLOCK are flags."""
    here = [name for name in names("SOCK_") if name not in ("SOCK_CLOEXEC", "SOCK_NONBLOCK")]
    return [*TYPES, *(name for name in here if name not in TYPES)]


class _Sockets:
    """Asks socket(2) once for each family and type.

    A refusal with EAFNOSUPPORT is the family's, whatever the type; asking again would make Linux start modprobe again.
    """

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], OSError | None] = {}
        self._unknown: dict[str, OSError] = {}

    def ask(self, family: str, kind: str) -> str:
        """Returns "" where the socket could be made, raises the kernel's refusal where not."""
        if (family, kind) not in self._answers:
            self._answers[family, kind] = self._unknown.get(family) or self._create(family, kind)
        refusal = self._answers[family, kind]
        if refusal is not None:
            raise refusal
        return ""

    def _create(self, family: str, kind: str) -> OSError | None:
        protocol = FIRST_PROTOCOL.get((family, kind), 0)
        try:
            new_socket(getattr(socket, family), getattr(socket, kind), protocol).close()
        except OSError as exc:
            if exc.errno == errno.EAFNOSUPPORT:
                self._unknown[family] = exc
            return exc.with_traceback(None)
        return None

    def family(self, family: str) -> str:
        """Returns the types that work; raises the most telling refusal where none does."""
        if family in LOOPBACK:
            with new_socket(getattr(socket, family)) as sock:
                sock.bind((LOOPBACK[family], 0))
        working, refusals = [], []
        for kind in type_names():
            try:
                self.ask(family, kind)
                working.append(kind.removeprefix("SOCK_"))
            except OSError as exc:
                refusals.append(exc)
        if not working:
            # "You may not" tells more than "no such type": the family is there.
            raise min(refusals, key=lambda exc: exc.errno not in (errno.EPERM, errno.EACCES))
        return ", ".join(working)


def family_trials() -> Iterator[Trial]:
    """The trials of the groups families, types and protocols."""
    sockets = _Sockets()
    for family in family_names():
        tried = f"socket({family}, any type)" + (f" and bind to {LOOPBACK[family]}" if family in LOOPBACK else "")
        privilege = ("packet_sockets",) if family == "AF_PACKET" else ()
        yield Trial("families", family, tried, partial(sockets.family, family), privilege)
    for family in family_names():
        for kind in type_names():
            tried = f"socket({family}, {kind})"
            needs = (family, PRIVILEGE[family, kind]) if (family, kind) in PRIVILEGE else (family,)
            yield Trial("types", f"{family} {kind}", tried, partial(sockets.ask, family, kind), needs)
    protocols = dict(PROTOCOLS)
    for name in names("NETLINK_"):
        protocols[name] = ("AF_NETLINK", "SOCK_RAW", getattr(socket, name))
    for name, (family, kind, number) in protocols.items():
        tried = f"socket({family}, {kind}, {number})"
        yield Trial("protocols", name, tried, partial(_protocol, family, kind, number), (family,))


def _protocol(family: str, kind: str, number: int) -> str:
    new_socket(getattr(socket, family), getattr(socket, kind), number).close()
    return ""
