"""Who talked with whom: the TCP connections and UDP datagrams of a trace, with their addresses on the wire.

A connection has two sides, and a trace may have seen the calls of one of them only. Addresses come from `getsockname()`
and `getpeername()` at either side. Where neither knows (where a datagram went that nobody received, the port of the
first of two attempts to connect), an address is made up, and the packet's comment says so: 127.0.0.1 or ::1, and the
next free one of the ports that nobody assigns (49152 to 65535, RFC 6335).

Sockets of other kinds (AF_UNIX and the like) have no packets; their calls are counted, and left out.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..events import IN, OUT, Endpoint, Event
from .attempts import NONE, REFUSED, YES, Attempt, attempts
from .endings import Side
from .headers import Address, packed
from .streams import anchored

_LOOPBACK = {4: b"\x7f\0\0\x01", 16: bytes(15) + b"\x01"}
_WILDCARD = (bytes(4), bytes(16))


@dataclass
class Connection:
    """A TCP connection, or the attempt at one. The first side is the one that connected, where that was seen.

    `accept` is the call that took it out of the backlog. Without it and without an attempt it is older than the trace.
    """

    sides: tuple[Side, Side]
    attempt: Attempt | None = None
    accept: Event | None = None
    encrypted: bool = False

    def __post_init__(self) -> None:
        one, two = self.sides
        for side, other in (one, two), (two, one):
            if side.name and other.has_plaintext and not side.has_plaintext:
                side.forget_records()
        one.got, two.got = anchored(one.got, two.sent), anchored(two.got, one.sent)

    @property
    def answer(self) -> str:
        """What became of it: YES, REFUSED or NONE."""
        return self.attempt.answer if self.attempt is not None else YES


@dataclass
class Datagram:
    """A UDP datagram, from the call that sent it, or the one that received it where the sender was not seen."""

    event: Event
    source: Address
    target: Address
    made_up: bool


class Conversations:
    """The `connections` and `datagrams` of a trace, and how many calls were `left_out`, by kind of socket."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._ends: dict[str, Endpoint] = {}
        self._calls: dict[str, list[Event]] = defaultdict(list)
        self._accepts: dict[str, Event] = {}
        self._moving: dict[int, Event] = {}
        self.left_out: Counter[str] = Counter()
        self.calls = 0
        for event in events:
            self.calls += 1
            if event.end is not None:
                self._add(event, event.end)
        addresses = (packed(address) for end in self._ends.values() for address in (end.local, end.peer))
        used = {address[1] for address in addresses if address is not None}
        self._free_ports = (port for port in range(49152, 65536) if port not in used)
        self.connections = list(self._connections())
        self.datagrams = list(self._datagrams())

    def _add(self, event: Event, end: Endpoint) -> None:
        if end.kind not in ("tcp", "udp", "tls") or isinstance(end.local, str) or isinstance(end.peer, str):
            self.left_out[end.kind] += 1
            return
        if event.direction:
            around = self._moving.get(event.inside or 0)
            if around is not None and around.end is not None and around.end.name == end.name:
                return  # sendfile called send, recv called read: the call around tells of the bytes
            self._moving[event.number] = event
        known = self._ends.get(end.name)
        if known is None or known != end:
            self._ends[end.name] = end if known is None else _together(known, end)
        self._calls[end.name].append(event)
        if event.call == "accept" and not event.failure:
            self._accepts.update(dict.fromkeys(re.findall(r"<(.+?)>", event.result), event))

    # -- TCP -------------------------------------------------------------------------------------------------------

    def _connections(self) -> Iterator[Connection]:
        streams = [end for end in self._ends.values() if end.kind != "udp" and not end.listening]
        unpaired: dict[Any, list[str]] = defaultdict(list)
        for end in streams:
            if not end.other and packed(end.peer) is not None:
                unpaired[packed(end.local), packed(end.peer)].append(end.name)
        done: set[str] = set()
        for end in streams:
            if end.name in done:
                continue
            matching = unpaired[packed(end.peer), packed(end.local)] if not end.other else []
            other = end.other or next((name for name in matching if name not in done and name != end.name), "")
            if other not in self._ends or other == end.name:  # TCP can connect a socket to itself; that is one side
                other = ""
            done |= {end.name, other}
            yield from self._between(end.name, other)

    def _between(self, name: str, other: str) -> Iterator[Connection]:
        """The connections of one socket of the kernel: attempts that were refused, and the one that came about."""
        tries = list(attempts(self._calls[name]))
        if name in self._accepts or (other and not tries and other not in self._accepts):
            name, other, tries = other, name, list(attempts(self._calls[other]))  # who connected comes first
        for attempt in tries:
            if attempt.answer == REFUSED:
                yield Connection(self._sides(name, "", attempt, last=attempt is tries[-1]), attempt)
        calls = [*self._calls[name], *self._calls[other]]
        accept = self._accepts.get(other)
        begun = next((attempt for attempt in tries if attempt.answer != REFUSED), None)
        met = bool(accept or (name and other) or any(event.size for event in calls))
        if begun is None and not met:
            left = any(event.call in ("shutdown", "close") and not event.failure for event in calls)
            if tries or not left or packed(self._ends[name or other].peer) is None:
                return  # it never was connected, or nothing happened to it
        if begun is not None and met:
            begun = begun._replace(answer=YES)
        encrypted = any(event.layer == "tls" and event.size for event in calls)
        silent = begun is not None and begun.answer == NONE
        yield Connection(self._sides(name, other, begun if silent else None), begun, accept, encrypted)

    def _sides(self, name: str, other: str, alone: Attempt | None = None, last: bool = True) -> tuple[Side, Side]:
        """Both sides with their addresses; without calls for an attempt that led to nothing.

        Of several attempts, only the `last` one's port is still known.
        """
        nobody = Endpoint("", "tcp")
        one, two = self._ends.get(name, nobody), self._ends.get(other, nobody)
        mine = _whole(one.local if last else None, two.peer)
        theirs = _whole(two.local, one.peer)
        size = len((theirs or mine or (_LOOPBACK[4], 0))[0])
        if mine is not None and len(mine[0]) != size:
            mine = _LOOPBACK[size], mine[1]  # the wildcard of IPv6, on a socket that talks IPv4
        calls = ([], []) if alone is not None else (self._calls[name], self._calls[other])
        return (
            Side(name, mine or self._made_up(size), mine is None, calls[0]),
            Side(other, theirs or self._made_up(size), theirs is None, calls[1]),
        )

    def _made_up(self, size: int) -> Address:
        return _LOOPBACK[size], next(self._free_ports, 65535)

    # -- UDP -------------------------------------------------------------------------------------------------------

    def _datagrams(self) -> Iterator[Datagram]:
        strangers: dict[tuple[str, int], Address] = {}
        for end in [end for end in self._ends.values() if end.kind == "udp"]:
            for event in self._calls[end.name]:
                if not event.direction or event.size is None or event.peek or "MSG_ERRQUEUE" in event.asked:
                    continue
                if event.direction == IN and any(piece.received == event.number for piece in event.pieces):
                    continue  # the call that sent it tells
                far = _whole(event.address, end.peer, *self._receivers(event))
                near = _whole(end.local)
                size = len((far or near or (_LOOPBACK[4], 0))[0])
                if near is not None and len(near[0]) != size:
                    near = _LOOPBACK[size], near[1]
                made_up = far is None or near is None
                far = far or strangers.get((end.name, size)) or self._made_up(size)
                strangers.setdefault((end.name, size), far)
                ends = (near or self._made_up(size), far)
                source, target = ends if event.direction == OUT else ends[::-1]
                yield Datagram(event, source, target, made_up)

    def _receivers(self, event: Event) -> Iterator[Any]:
        for piece in event.pieces:
            receiver = self._moving.get(piece.received)
            if piece.sent == event.number and receiver is not None and receiver.end is not None:
                yield receiver.end.local


def _together(known: Endpoint, new: Endpoint) -> Endpoint:
    """An end of which earlier calls may have known more, or less."""
    return replace(
        new,
        local=new.local if new.local is not None else known.local,
        peer=new.peer if new.peer is not None else known.peer,
        other=new.other or known.other,
        listening=new.listening or known.listening,
    )


def _whole(*candidates: Any) -> Address | None:
    """The first of these addresses that says host and port."""
    for candidate in map(packed, candidates):
        if candidate is not None and candidate[1]:
            host, port = candidate
            return _LOOPBACK[len(host)] if host in _WILDCARD else host, port
    return None
