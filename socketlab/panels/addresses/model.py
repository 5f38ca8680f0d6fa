"""What getaddrinfo(3) is asked, what it answers, and what its answer is good for; no widgets, no threads.

`ask` makes the call. `try_out` then sees, for one row, whether this machine could use it, with calls that send nothing:
``socket()``; ``bind()``, for loopback addresses alone; and ``connect()`` of a datagram socket, which only chooses a
route (udp(7); that is how getaddrinfo itself sorts its rows, RFC 6724). `name_of` is the way back, getnameinfo(3).

Sources of the words: RFC 3493 (6.1, 6.2), RFC 6724, getaddrinfo(3), getnameinfo(3), and Modules/socketmodule.c for
what Python does before the C library is asked.
"""

from __future__ import annotations

import ast
import ipaddress
import os
import socket
from _socket import socket as _Socket  # the class below socket.socket: trying does not show up in a trace
from contextlib import closing
from errno import errorcode
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

from .errors import explain
from .hosts import host_leaves, service_leaves

Service: TypeAlias = "str | bytes | int | None"


class Question(NamedTuple):
    """The arguments of one getaddrinfo call; family, type, proto and flags by name, "any" for 0."""

    host: str | bytes | None = "localhost"
    service: Service = 80
    family: str = "AF_UNSPEC"
    type: str = "SOCK_STREAM"
    proto: str = "any"
    flags: tuple[str, ...] = ()

    @property
    def call(self) -> str:
        """The call as you would type it."""
        named = [("family", self.family, "AF_UNSPEC"), ("type", self.type, "any"), ("proto", self.proto, "any")]
        arguments = [f"{self.host!r}, {self.service!r}"]
        arguments += [f"{name}=socket.{value}" for name, value, usual in named if value != usual]
        if self.flags:
            arguments.append("flags=" + " | ".join(f"socket.{flag}" for flag in self.flags))
        return f"socket.getaddrinfo({', '.join(arguments)})"

    @property
    def leaves(self) -> str:
        """Why the call might ask another machine, as a sentence; "" where it cannot."""
        family = number(self.family)
        return host_leaves(self.host, family, number(*self.flags)) or service_leaves(
            self.service, "AI_NUMERICSERV" in self.flags
        )


class Row(NamedTuple):
    """One row of the answer; `family`, `type` and `proto` by name, or as a number where Python has none."""

    family: str
    type: str
    proto: str
    canonname: str
    sockaddr: tuple[Any, ...]

    @property
    def host(self) -> str:
        """With its scope, as it would be typed."""
        host = str(self.sockaddr[0])
        scope = self.sockaddr[3] if len(self.sockaddr) == 4 else 0
        return f"{host}%{interface(scope)}" if scope and "%" not in host else host

    @property
    def port(self) -> int:
        return int(self.sockaddr[1])

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        return ipaddress.ip_address(str(self.sockaddr[0]).partition("%")[0])

    @property
    def is_loopback(self) -> bool:
        mapped = getattr(self.address, "ipv4_mapped", None)  # which Python counts from 3.13 on
        return self.address.is_loopback or (mapped is not None and mapped.is_loopback)

    @property
    def kind(self) -> str:
        """What sort of address it is: loopback, wildcard, link-local and so on."""
        address = self.address
        mapped = getattr(address, "ipv4_mapped", None)
        if mapped is not None:
            return f"IPv4-mapped: {mapped}, spoken to through an IPv6 socket"
        for name, is_so in (
            ("wildcard: for bind(), every address of this machine", address.is_unspecified),
            ("loopback: this machine itself", address.is_loopback),
            ("link-local: this cable only, so the scope id names the interface", address.is_link_local),
            ("multicast: a group", address.is_multicast),
            ("private or reserved: not routed on the internet", address.is_private),
        ):
            if is_so:
                return name
        return "global: anywhere on the internet"


class Trial(NamedTuple):
    """Whether this machine could use a row: each the errno by name ("" for yes), or None where it was not tried.

    `source` is the address from which it would send.
    """

    socket: str
    bind: str | None = None
    route: str | None = None
    source: str = ""

    @property
    def usable(self) -> bool:
        return not (self.socket or self.route)


class Answer(NamedTuple):
    """Rows in their order with a trial of each, or the error: its kind (EAI_ name or exception), words, meaning."""

    question: Question
    rows: tuple[Row, ...] = ()
    trials: tuple[Trial, ...] = ()
    error: tuple[str, str, str] = ("", "", "")
    seconds: float = 0.0


class Name(NamedTuple):
    """What getnameinfo answered: host and service, or the error as in `Answer`."""

    call: str
    host: str = ""
    service: str = ""
    error: tuple[str, str, str] = ("", "", "")


def value(text: str) -> str | bytes | None:
    """What was typed into a field: text as it stands, None, or a Python literal in quotes such as b'127.0.0.1'."""
    typed = text.strip()
    if typed == "None" or typed[:1] in ("'", '"') or typed[:2] in ("b'", 'b"'):
        try:
            literal = ast.literal_eval(typed)
        except (ValueError, SyntaxError):
            return text
        if literal is None or isinstance(literal, (str, bytes)):
            return literal
    return text


def service(text: str) -> Service:
    """As `value`, but digits without quotes are an int."""
    digits = text.strip().removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) < 30 else value(text)


def number(*names: str) -> int:
    """The constants of the socket module by name, or-ed; "any" is 0."""
    total = 0
    for name in names:
        total |= 0 if name == "any" else getattr(socket, name)
    return total


def interface(index: int) -> str:
    """The name of an interface, or its number where there is none of that number."""
    try:
        return socket.if_indextoname(index)
    except (OSError, AttributeError, OverflowError):
        return str(index)


def ask(question: Question) -> Answer:
    """Make the call. It may wait for a name server, see `Question.leaves`; every error is an answer."""
    began = perf_counter()
    try:
        found = socket.getaddrinfo(
            question.host, question.service, number(question.family), number(question.type), number(question.proto),
            number(*question.flags),
        )  # fmt: skip
    except (OSError, ValueError, OverflowError, TypeError) as exc:
        return Answer(question, error=explain(exc), seconds=perf_counter() - began)
    seconds = perf_counter() - began
    rows = tuple(
        Row(_named(f), _named(t), _protocol(p), str(name), tuple(sockaddr)) for f, t, p, name, sockaddr in found
    )
    return Answer(question, rows, tuple(map(try_out, rows)), seconds=seconds)


def try_out(row: Row) -> Trial:
    """Try the row without sending anything: socket(), then bind() on loopback, then a datagram socket's connect()."""
    family = getattr(socket, row.family, None)
    kind = getattr(socket, row.type, None)
    if family is None or kind is None:
        return Trial("EAFNOSUPPORT")
    try:
        sock = _Socket(family, kind, _protocol_number(row.proto))
    except OSError as exc:
        return Trial(_errno(exc))
    bound = None
    with closing(sock):
        if row.is_loopback:
            bound = _tried(sock.bind, row.sockaddr)
    if row.address.is_unspecified:
        return Trial("", bound)
    try:
        with closing(_Socket(family, socket.SOCK_DGRAM)) as scout:
            # Port 9 (discard, RFC 863) where none was asked for: macOS refuses 0. No packet goes to any port.
            host, port, *rest = row.sockaddr
            scout.connect((host, port or 9, *rest))
            return Trial("", bound, "", str(scout.getsockname()[0]))
    except OSError as exc:
        return Trial("", bound, _errno(exc))


def name_of(sockaddr: tuple[Any, ...], flags: tuple[str, ...]) -> Name:
    """getnameinfo of `sockaddr`. It may wait for a name server (`address_hosts.name_leaves`)."""
    call = name_call(sockaddr, flags)
    try:
        return Name(call, *socket.getnameinfo(sockaddr, number(*flags)))
    except (OSError, ValueError, OverflowError) as exc:
        return Name(call, error=explain(exc))


def name_call(sockaddr: tuple[Any, ...], flags: tuple[str, ...]) -> str:
    """The getnameinfo call as you would type it."""
    return f"socket.getnameinfo({sockaddr!r}, {' | '.join(f'socket.{flag}' for flag in flags) or '0'})"


def _tried(call: Any, address: tuple[Any, ...]) -> str:
    try:
        call(address)
    except OSError as exc:
        return _errno(exc)
    return ""


def _errno(error: OSError) -> str:
    return errorcode.get(error.errno or 0, os.strerror(error.errno) if error.errno else str(error))


def _named(value: Any) -> str:
    return str(getattr(value, "name", value))


_PROTOCOL_NAMES = {getattr(socket, name): name for name in reversed(dir(socket)) if name in (
    "IPPROTO_TCP", "IPPROTO_UDP", "IPPROTO_ICMP", "IPPROTO_ICMPV6", "IPPROTO_SCTP", "IPPROTO_UDPLITE", "IPPROTO_MPTCP",
)}  # fmt: skip


def _protocol(proto: int) -> str:
    return _PROTOCOL_NAMES.get(proto, str(proto))


def _protocol_number(name: str) -> int:
    return int(name) if name.isdecimal() else int(getattr(socket, name))
