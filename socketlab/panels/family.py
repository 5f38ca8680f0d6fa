"""FamilyPanel: choose an AF_ and a SOCK_, and the call is made for real; the kernel's answer is put into words.

Below the controls lies `ask`, which calls socket(2) once, closes what it got and returns an `Answer`. Nothing is
bound or connected, so nothing is sent. Families and types are those that this Python has and those that the course
names (`socketlab.probe.families`); the words for them follow the man pages: socket(2), address_families(7), ip(7),
unix(7), netlink(7), packet(7), vsock(7).

The three arguments are checked in order, and the errno tells which one did not fit: EAFNOSUPPORT, ESOCKTNOSUPPORT,
EPROTONOSUPPORT. Protocol 0 asks for the family's usual one for the type; SO_PROTOCOL (socket(7)) tells which that is.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

import ipywidgets as widgets

from ..probe.families import family_names, type_names
from .base import Panel, weakly
from .drawing.look import FITS, GREEN, ORANGE, STYLE, code, dot, static_picture

PROTOCOLS = {"0": 0, "IPPROTO_TCP": 6, "IPPROTO_UDP": 17, "IPPROTO_ICMP": 1}
"""What the panel offers as the third argument: the names and the numbers that IANA gave them."""

_USUAL_FIRST = ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK")
_PROTOCOL_NAMES = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP", 136: "UDP-Lite", 262: "MPTCP"}

_FAMILY_WORDS = {
    "AF_INET": "IPv4: an address is a host and a port",
    "AF_INET6": "IPv6: an address is a host, a port, a flow and a scope",
    "AF_UNIX": "this machine only: an address is a path in the file system, or none",
    "AF_NETLINK": "the kernel itself is the other end",
    "AF_ROUTE": "the kernel's table of routes is the other end",
    "AF_PACKET": "whole frames of a network card",
    "AF_VSOCK": "a virtual machine and its host",
    "AF_ALG": "the kernel's cryptography",
    "AF_CAN": "the bus that connects a car's controllers",
    "AF_BLUETOOTH": "Bluetooth devices nearby",
    "AF_TIPC": "the nodes of a cluster, by service instead of host",
    "AF_RDS": "datagrams that arrive, between the nodes of a cluster",
    "AF_QIPCRTR": "the processors inside a telephone's chip",
    "AF_SYSTEM": "the macOS kernel is the other end",
    "AF_HYPERV": "a Hyper-V virtual machine and its host",
    "AF_UNSPEC": "no family: getaddrinfo() takes it as “any”, socket() does not",
}
_TYPE_WORDS = {
    "SOCK_STREAM": "a stream of bytes in order, with a connection and without marks between messages",
    "SOCK_DGRAM": "single messages, each kept whole, without a promise that they arrive",
    "SOCK_RAW": "packets as they are, headers included",
    "SOCK_SEQPACKET": "a connection, in order, that keeps messages apart",
    "SOCK_RDM": "messages that arrive, in any order",
}
_PURPOSES = {
    ("AF_INET", "SOCK_STREAM"): "Web pages, mail, databases, ssh: nearly all that must arrive whole travels so.",
    ("AF_INET", "SOCK_DGRAM"): "Names (DNS), time (NTP), calls and games: one question, or news that ages fast.",
    ("AF_INET", "SOCK_RAW"): "What ping does: protocols beside TCP and UDP, built by hand.",
    ("AF_UNIX", "SOCK_STREAM"): "Programs of one machine: a database and its client, a desktop and its windows.",
    ("AF_UNIX", "SOCK_DGRAM"): "Short notes between programs of one machine, such as lines for the system log.",
    ("AF_UNIX", "SOCK_SEQPACKET"): "Commands between programs of one machine, one message each.",
    ("AF_UNIX", "SOCK_RAW"): "The same as SOCK_DGRAM: Linux takes the word and means the other.",
    ("AF_NETLINK", "SOCK_RAW"): "Asking the kernel for interfaces and routes, as the command ip does.",
    ("AF_NETLINK", "SOCK_DGRAM"): "The same as SOCK_RAW: netlink makes no difference between them.",
    ("AF_PACKET", "SOCK_RAW"): "Seeing and sending every frame, as tcpdump and Wireshark do.",
    ("AF_PACKET", "SOCK_DGRAM"): "The same frames without the link's header.",
    ("AF_VSOCK", "SOCK_STREAM"): "A virtual machine talks to its host without any network set up.",
}  # fmt: skip
_PURPOSES |= {("AF_INET6", kind): words for (family, kind), words in _PURPOSES.items() if family == "AF_INET"}

_MEANINGS = {
    "EAFNOSUPPORT": "This kernel has no such family.",
    "ESOCKTNOSUPPORT": "The family is there, but this type is not among its types.",
    "EPROTONOSUPPORT": "Family and type are there, but this protocol does not go with them.",
    "EPROTOTYPE": "The protocol is there, but it is of another type.",
    "EPERM": "The kernel could, but this process may not: it takes a privilege (CAP_NET_RAW, or root).",
    "EACCES": "The kernel could, but this process may not: it takes a privilege, or a group (icmp(7)), or no sandbox.",
    "ENODEV": "The family is there, but this machine has no device for it.",
    "EINVAL": "The kernel does not know this type.",
    "EMFILE": "This process has used up its descriptor numbers: close some sockets.",
    "ENFILE": "The whole machine has used up its descriptors.",
    "ENOBUFS": "The kernel has no memory for it now.",
    "ENOMEM": "The kernel has no memory for it now.",
}


class Answer(NamedTuple):
    """What came of one socket(2) call: a socket (`errno` None, `missing` empty), or a refusal.

    `asked` is the protocol number in the call, `chosen` the one that the kernel took (None where it does not tell).
    """

    family: str
    type: str
    asked: int = 0
    chosen: int | None = None
    errno: int | None = None
    missing: str = ""  # the name that this Python's socket module lacks; then nobody was asked

    @property
    def works(self) -> bool:
        return self.errno is None and not self.missing

    @property
    def call(self) -> str:
        """The call, as you would type it."""
        names = [f"socket.{self.family}", f"socket.{self.type}"]
        if self.asked:
            named = {number: f"socket.{name}" for name, number in PROTOCOLS.items()}
            names.append(named.get(self.asked, str(self.asked)))
        return f"socket.socket({', '.join(names)})"

    @property
    def verdict(self) -> str:
        """What came in a word: "a socket", the errno by name, or "absent" where this Python lacks the name."""
        if self.missing:
            return "absent"
        return "a socket" if self.errno is None else errno.errorcode.get(self.errno, f"errno {self.errno}")


def ask(family: str, kind: str, protocol: int = 0) -> Answer:
    """Make one socket, see what it is, close it. Never raises OSError: a refusal is an answer."""
    for name in (family, kind):
        if not hasattr(socket, name):
            return Answer(family, kind, protocol, missing=name)
    try:
        with socket.socket(getattr(socket, family), getattr(socket, kind), protocol) as sock:
            return Answer(family, kind, protocol, chosen=_chosen(sock))
    except OSError as exc:
        return Answer(family, kind, protocol, errno=exc.errno)


def _chosen(sock: socket.socket) -> int | None:
    try:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)
    except (OSError, AttributeError):  # macOS and Windows have no SO_PROTOCOL
        return None


def protocol_words(answer: Answer) -> str:
    """The third field in words: "0, the usual one: the kernel took 6, TCP"."""
    if answer.asked:
        return _named(answer.asked, answer.family)
    if not answer.works:
        return "0, the usual one"
    if not answer.chosen:
        return "0: there is nothing to choose"
    return f"0, the usual one: the kernel took {_named(answer.chosen, answer.family)}"


def _named(number: int, family: str) -> str:
    name = _PROTOCOL_NAMES.get(number) if family in ("AF_INET", "AF_INET6") else None
    return f"{number}, {name}" if name else str(number)


def remark(answer: Answer) -> str:
    """One sentence: what such a socket is for, or what the refusal means."""
    if answer.missing:
        return f"This Python's socket module has no {answer.missing}, so there was nothing to ask the kernel."
    if answer.errno is not None:
        if answer.verdict == "EPROTONOSUPPORT" and answer.type == "SOCK_RAW" and not answer.asked:
            return "A raw socket has no usual protocol: name one, such as IPPROTO_ICMP."
        return _MEANINGS.get(answer.verdict, f"{os.strerror(answer.errno)}.")
    return _PURPOSES.get((answer.family, answer.type), "The kernel has it; few programs use it.")


def as_html(answer: Answer, others: Sequence[Answer] = ()) -> str:
    """The answer as a headline and a table, without a socket's number; `others` are the same family's other types."""
    headline = f"{dot(GREEN if answer.works else ORANGE)}<b>{answer.verdict}</b>"
    if answer.errno is not None:
        headline += f": {escape(os.strerror(answer.errno))}"
    rows = "".join(
        f"<tr><td class='sl-tight'>{name}</td><td class='sl-wide'>{words}</td></tr>"
        for name, words in _rows(answer, others)
    )
    return f"<div class='sl-head'>{code(answer.call)}</div><div>{headline}</div><table class='sl'>{rows}</table>"


def _rows(answer: Answer, others: Sequence[Answer]) -> Iterator[tuple[str, str]]:
    family = _FAMILY_WORDS.get(answer.family, "a family that few machines use")
    kind = _TYPE_WORDS.get(answer.type, "a type that only this system has")
    yield "family", f"{code(answer.family)} {escape(family)}"
    yield "type", f"{code(answer.type)} {escape(kind)}"
    yield "proto", escape(protocol_words(answer))
    yield "use" if answer.works else "meaning", escape(remark(answer))
    if others:
        yield "other types", ", ".join(f"{code(o.type)} {'works' if o.works else o.verdict}" for o in others)


class FamilyPanel(Panel):
    """Choose family, type and protocol; the panel makes the call and says what the kernel answers.

    `answer` is the latest. It needs no server and leaves nothing open.
    """

    title = "Family and type"

    def __init__(self) -> None:
        known = family_names()
        families = [*(n for n in _USUAL_FIRST if n in known), *(n for n in known if n not in _USUAL_FIRST)]
        style = {"description_width": "4em"}
        self.family = widgets.Dropdown(options=families, description="family", style=style)
        self.type = widgets.Dropdown(options=type_names(), description="type", style=style)
        self.protocol = widgets.Dropdown(options=list(PROTOCOLS), description="proto", style=style)
        controls = [self.family, self.type, self.protocol]
        for control in controls:
            control.layout.width, control.layout.max_width = "230px", FITS
            control.observe(weakly(self._ask), names="value")
        self.shown = widgets.HTML()
        self._ask()
        heading = widgets.HTML(f"{STYLE}<div class='sl-title'>{self.title}</div>")
        row = widgets.HBox(controls, layout={"flex_flow": "row wrap"})
        box = widgets.VBox([heading, row, self.shown])
        box.add_class("socketlab-panel")
        super().__init__(box)

    def _ask(self) -> None:
        family, kind = self.family.value, self.type.value
        self.answer = ask(family, kind, PROTOCOLS[self.protocol.value])
        others = []
        # Where the family is unknown its other types are as well, and Linux would look for a module at each call.
        if self.answer.verdict not in ("EAFNOSUPPORT", "absent"):
            others = [ask(family, other) for other in self.type.options if other != kind]
        self.shown.value = as_html(self.answer, others)

    def snapshot(self) -> str:
        usual = Answer("AF_INET", "SOCK_STREAM", chosen=6)  # written down, not asked: the same on every machine
        return static_picture(
            self.title,
            "you choose, the panel makes the call and says what the kernel answers",
            ["family: AF_INET", "type: SOCK_STREAM", "proto: 0"],
            [f"{usual.call}: {usual.verdict}", f"proto: {protocol_words(usual)}", f"use: {remark(usual)}"],
        )
