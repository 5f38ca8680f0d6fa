"""In which order the calls are told: what must have happened before what, and nothing else.

Two threads on two CPUs have no common order. Clocks suggest one, but it changes from run to run, and it can be wrong:
a thread that has returned from `send` may be stopped for a millisecond before it reads the clock, and meanwhile the
peer has received, answered and noted the time of both. Leslie Lamport's way out (Time, Clocks, and the Ordering of
Events in a Distributed System, Communications of the ACM 21(7), 1978) is to ask what can be *known* about order:

1. The calls of one thread happened one after the other.
2. Who received something received it after it was sent.

From these two rules follows a partial order, *happens-before*: a before b if a chain of such steps leads from a to b.
Where there is no chain, neither knows of the other, and to say that one was first would say nothing about the program.

Sockets give us the second rule byte by byte. A stream neither loses, repeats nor reorders, so the n-th byte that one
end sent is the n-th byte that the other end got: to count them at both ends ties each `recv` to the `send` calls whose
bytes it returned. Which two ends belong together follows from their addresses: each one's name is the other's peer. So:

* a `recv` comes after every `send` of which it got a byte; datagrams likewise, by sender, receiver and content;
* ``b""`` comes after the `shutdown` or `close` at the other end, and so does a reset;
* an `accept` comes after the `connect` that it let in, and a `connect` after the `listen` that made it possible;
* a call that fails because another thread has shut or closed its socket comes after that.

A partial order can be written down in many ways. For a text that is the same on every run we need one, chosen by
nothing but the program: start with the thread that opened the trace; whenever a call makes another one possible, tell
that next (a message is followed to where it arrives); go on in a thread until it has to wait. Among threads that
nothing else tells apart, the texts of their calls decide, and where these are equal it does not matter who is first.

One rule is loosened: a worker of socketlab's own servers begins anew with each connection that it accepts. Which of the
idle workers gets a connection is the scheduler's choice, and says nothing about the program.
"""

from __future__ import annotations

import socket
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .events import IN, OUT, Failure
from .operations import Extra, Operation, Special
from .recorder import SLOTS, Cut, Lane
from .sight import End
from .under_way import UNKNOWN

MSG_PEEK, MSG_OOB = int(socket.MSG_PEEK), int(socket.MSG_OOB)
NOT_DATA = int(getattr(socket, "MSG_ERRQUEUE", 0))  # error reports, not bytes of the stream

Bytes = tuple[int, int, int, int, int]  # sent, received, start, stop, at: a `Piece`, with rows instead of numbers


class Row:
    """One call as it was recorded, and its place among the others."""

    __slots__ = (
        "after",
        "asked",
        "end",
        "first",
        "inside",
        "lane",
        "moved",
        "number",
        "offset",
        "operation",
        "pieces",
        "start",
        "where",
        "who",
    )

    def __init__(self, lane: int, slots: Sequence[Any]) -> None:
        self.lane = lane
        operation: Any
        self.start, self.end, self.who, operation, self.asked, self.moved = slots
        self.where: Extra | None = None
        self.operation: Operation = operation
        if isinstance(operation, Special):
            self.operation, self.where = operation.operation, operation.extra
        self.inside: Row | None = None
        self.number = 0
        self.offset: int | None = None
        self.pieces: list[Bytes] | None = None
        self.after: list[Row] | None = None

    @property
    def name(self) -> str:
        return self.operation.name

    @property
    def failed(self) -> bool:
        return isinstance(self.moved, Failure)

    @property
    def flags(self) -> int:
        return 0 if self.where is None else self.where.flags

    @property
    def data(self) -> bytes | None:
        """The payload, as far as it was kept."""
        kept = self.asked if self.operation.direction == OUT else self.moved
        return kept.data if isinstance(kept, Cut) else kept if isinstance(kept, bytes) else None

    @property
    def size(self) -> int | None:
        """How many bytes were moved; None where nobody knows."""
        if self.operation.direction == OUT:
            if self.failed:
                return None
            if isinstance(self.moved, int):
                return self.moved
            return _length(self.asked)
        return None if self.failed else _length(self.moved)


def _length(kept: Any) -> int | None:
    return kept.size if isinstance(kept, Cut) else len(kept) if isinstance(kept, bytes) else None


class Told:
    """The calls of a trace in the order in which they are told, and what ties them together."""

    def __init__(self, lanes: Sequence[tuple[Lane, Sequence[Any]]], opener: int | None) -> None:
        self.lanes = [lane for lane, _ in lanes]
        self._partner: dict[End, End] = {}
        chains: list[list[Row]] = []
        self._rows: list[Row] = []
        for index, (lane, slots) in enumerate(lanes):
            top = list(self._nested(index, slots))
            chains += self._chains(lane, top)
        self._units = [row for chain in chains for row in chain]
        self._pair_ends()
        edges = _Edges()
        self._connections(edges)
        self._bytes(edges)
        self._endings(edges)
        first = [lane.ident == opener for lane in self.lanes]
        chains.sort(key=lambda chain: (not first[chain[0].lane], chain[0].start))
        self.rows = self._with_children(_schedule(_ranked(chains, first, self._partner), edges))
        for number, row in enumerate(self.rows, 1):
            row.number = number

    def partner(self, end: End) -> End | None:
        """The other end of a stream, where both are known."""
        return self._partner.get(end)

    # -- rows and chains -------------------------------------------------------------------------------------------

    def _nested(self, lane: int, slots: Sequence[Any]) -> Iterator[Row]:
        """The outermost calls of a lane; a call that began before others ended and ended after them made them."""
        top: list[Row] = []
        for at in range(0, len(slots), SLOTS):
            who = slots[at + 2]
            if who is not None and who.hidden:
                continue
            row = Row(lane, slots[at : at + SLOTS])
            while top and top[-1].start >= row.start:
                top.pop().inside = row
            top.append(row)
            self._rows.append(row)
        return iter(top)

    @staticmethod
    def _chains(lane: Lane, top: list[Row]) -> list[list[Row]]:
        chains: list[list[Row]] = []
        for row in top:
            if not chains or (lane.helper and row.name == "accept" and not row.operation.housekeeping):
                chains.append([])
            chains[-1].append(row)
        return chains

    def _with_children(self, units: Iterable[Row]) -> list[Row]:
        children: dict[Row, list[Row]] = defaultdict(list)
        for row in self._rows:
            if row.inside is not None:
                children[row.inside].append(row)
        if not children:
            return list(units)
        told: list[Row] = []
        for unit in units:
            waiting = [unit]
            while waiting:
                row = waiting.pop()
                told.append(row)
                waiting += sorted(children.get(row, ()), key=lambda child: child.start, reverse=True)
        return told

    # -- which two ends belong together ----------------------------------------------------------------------------

    def _pair_ends(self) -> None:
        ends: dict[End, None] = {}
        for row in self._rows:
            made = row.where.ends if row.where is not None else ()
            for end in (row.who, *made):
                if end is not None and not end.hidden:
                    ends[end] = None
            if row.name == "socketpair" and len(made) == 2:
                self._marry(*made)
        waiting: dict[Any, deque[End]] = defaultdict(deque)
        for end in ends:
            if end.stream and end not in self._partner and end.local and end.peer and not isinstance(end.local, str):
                mine, theirs = _name(end.local), _name(end.peer)
                if mine == theirs:
                    self._partner[end] = end  # TCP can connect a socket to itself
                elif waiting[theirs, mine]:
                    self._marry(end, waiting[theirs, mine].popleft())
                else:
                    waiting[mine, theirs].append(end)
        self._pair_unix_ends()
        self.ends = tuple(ends)

    def _pair_unix_ends(self) -> None:
        """Clients of a Unix socket have no name, but its queue is first in, first out: connects and accepts in turn."""
        knocking: dict[Any, list[Row]] = defaultdict(list)
        let_in: dict[Any, list[Row]] = defaultdict(list)
        for row in self._rows:
            who = row.who
            if row.failed or who is None or who.family != getattr(socket, "AF_UNIX", None) or not who.stream:
                continue
            if row.name in ("connect", "connect_ex") and row.where is not None and row.moved in ("", "0"):
                knocking[row.where.address].append(row)
            elif row.name == "accept" and row.where is not None:
                let_in[who.local].append(row)
        for path, connects in knocking.items():
            accepts = sorted(let_in.get(path, ()), key=lambda row: row.end)
            for connect, accept in zip(sorted(connects, key=lambda row: row.end), accepts, strict=False):
                if connect.who is not None and accept.where is not None and connect.who not in self._partner:
                    self._marry(connect.who, accept.where.ends[0])

    def _marry(self, one: End, other: End) -> None:
        self._partner[one], self._partner[other] = other, one

    # -- what came before what -------------------------------------------------------------------------------------

    def _connections(self, edges: _Edges) -> None:
        listening: dict[Any, Row] = {}
        connecting: dict[End, Row] = {}
        for row in self._rows:
            if row.name == "listen" and row.who is not None:
                listening.setdefault(_name(row.who.local), row)
            elif row.name in ("connect", "connect_ex") and row.who is not None:
                connecting.setdefault(row.who, row)
        for row in connecting.values():
            target = listening.get(_name(row.where.address if row.where is not None else None))
            if target is not None and target.start <= row.end and not row.failed:
                edges.add(target, row)
        for row in self._rows:
            if row.name == "accept" and row.where is not None and row.where.ends:
                partner = self._partner.get(row.where.ends[0])
                cause = connecting.get(partner) if partner is not None else None
                if cause is not None:
                    edges.add(cause, row)

    def _bytes(self, edges: _Edges) -> None:
        """Tie each receive to the sends of its bytes."""
        sent: dict[tuple[End, bool], list[Row]] = defaultdict(list)
        got: dict[tuple[End, bool], list[Row]] = defaultdict(list)
        posted: list[Row] = []
        delivered: list[Row] = []
        for row in self._rows:
            direction = row.operation.direction
            if not direction or row.who is None or row.flags & NOT_DATA:
                continue
            if row.inside is not None and row.inside.operation.direction:
                continue  # the call around it tells
            if not row.who.stream:
                (posted if direction == OUT else delivered).append(row)
            else:
                (sent if direction == OUT else got)[row.who, row.operation.tls].append(row)
        for (end, tls), sends in sent.items():
            partner = self._partner.get(end)
            receives = got.get((partner, tls), []) if partner is not None else []
            unread = partner.unread if partner is not None else 0
            _find_unseen(sends, receives, unread)
            _tie(sorted(sends, key=_ended), sorted(receives, key=_ended), unread, edges)
        for (end, tls), receives in got.items():
            partner = self._partner.get(end)
            if partner is None or (partner, tls) not in sent:
                _find_unseen([], receives, end.unread)
                _tie([], sorted(receives, key=_ended), end.unread, edges)
        _tie_datagrams(sorted(posted, key=_ended), sorted(delivered, key=_ended), self._partner, edges)

    def _endings(self, edges: _Edges) -> None:
        """``b""`` and resets come after what the other end did; a call on a shut socket after the shutting."""
        closing: dict[End, list[Row]] = defaultdict(list)
        for row in self._rows:
            if row.who is not None and row.name in ("shutdown", "close") and not row.failed:
                closing[row.who].append(row)
        for rows in closing.values():
            rows.sort(key=_ended)
        for row in self._rows:
            who = row.who
            if who is None or not _is_an_ending(row):
                continue
            partner = self._partner.get(who)
            theirs = [cause for cause in closing.get(partner, ()) if cause.asked != "SHUT_RD"] if partner else []
            causes = [cause for cause in theirs if cause.start <= row.end]
            if row.failed and causes:
                edges.add(causes[-1], row)  # an error comes of the close, not of the half-close before it
            elif causes:
                edges.add(causes[0], row)
            else:
                for cause in closing.get(who, ()):
                    if cause.lane != row.lane and cause.start <= row.end:
                        edges.add(cause, row)
                        break


def _ended(row: Row) -> float:
    return float(row.end)


def _name(address: Any) -> Any:
    """An address in the form in which both ends give it: host and port, IPv4 also where IPv6 wrote it."""
    if isinstance(address, tuple) and len(address) >= 2:
        host = address[0].removeprefix("::ffff:") if isinstance(address[0], str) else address[0]
        return host, address[1]
    return address


def _is_an_ending(row: Row) -> bool:
    if row.failed:
        return row.moved.kind in (
            "ConnectionResetError",
            "BrokenPipeError",
            "ConnectionAbortedError",
            "OSError",
            "SSLEOFError",
            "SSLZeroReturnError",
        )
    return row.operation.direction == IN and row.size == 0 and row.asked != 0 and row.who is not None and row.who.stream


class _Edges:
    """Steps of the happens-before order between outermost calls, other than program order."""

    def __init__(self) -> None:
        self.causes: dict[Row, set[Row]] = defaultdict(set)

    def add(self, cause: Row, effect: Row) -> None:
        if cause is effect:
            return
        if effect.after is None:
            effect.after = []
        if cause not in effect.after:
            effect.after.append(cause)
        top, upper = _outermost(cause), _outermost(effect)
        if top is not upper:
            self.causes[upper].add(top)


def _outermost(row: Row) -> Row:
    while row.inside is not None:
        row = row.inside
    return row


def _find_unseen(sends: list[Row], receives: list[Row], unread: int) -> None:
    """Fill in what a recv returned that began before the trace: all that was sent and that nobody else got."""
    for row in receives:
        if row.moved is UNKNOWN:
            got = sum(other.size or 0 for other in receives if other is not row and not other.flags & MSG_PEEK)
            size = sum(sent.size or 0 for sent in sends) - unread - got
            before = b""
            for sent in sorted(sends, key=_ended):
                before += sent.data or b""
                if len(before) >= size:
                    break
            row.moved = Cut(before[: max(size, 0)], size) if 0 <= len(before) < size else before[: max(size, 0)]


def _tie(sends: list[Row], receives: list[Row], unread: int, edges: _Edges) -> None:
    """One direction of a stream: the n-th byte out is the n-th byte in."""
    urgent: deque[Row] = deque()
    stream: list[tuple[Row, int, int]] = []  # a send, where its bytes begin in the stream, where they end
    position = 0
    for row in sends:
        row.offset = position
        size = row.size
        if size is None:
            size = _length(row.asked) or 0 if row.failed and row.name == "sendall" else 0
        if row.flags & MSG_OOB and size:
            urgent.append(row)
            size -= 1  # its last byte travels beside the stream
        if size:
            stream.append((row, position, position + size))
        position += size
    # What was read beyond all that was sent and is not in the queue had been sent before the trace.
    read = sum(row.size or 0 for row in receives if not row.flags & (MSG_PEEK | MSG_OOB))
    early = max(0, read + unread - position) if sends and receives and not (sends[0].who and sends[0].who.origin) else 0
    position, at = -early, 0
    for row in receives:
        size = row.size or 0
        if row.flags & MSG_OOB:
            if size and urgent:
                source = urgent.popleft()
                whole = source.size or 1
                _piece(source, row, whole - 1, whole, 0, edges)
            continue
        row.offset = position
        here, upto = position, position + size
        while at < len(stream) and stream[at][2] <= here:
            at += 1
        look = at
        while look < len(stream) and stream[look][1] < upto:
            source, begin, finish = stream[look]
            low, high = max(here, begin), min(upto, finish)
            _piece(source, row, low - begin, high - begin, low - here, edges)
            look += 1
        if not row.flags & MSG_PEEK:
            position = upto


def _piece(source: Row, target: Row, start: int, stop: int, at: int, edges: _Edges) -> None:
    piece = source, target, start, stop, at
    for row in (source, target):
        if row.pieces is None:
            row.pieces = []
        row.pieces.append(piece)  # type: ignore[arg-type]
    edges.add(source, target)


def _tie_datagrams(posted: list[Row], delivered: list[Row], partner: dict[End, End], edges: _Edges) -> None:
    """Datagrams have no numbers: the same sender, receiver and bytes are taken to be the same datagram, in turn."""
    under_way: dict[Any, deque[Row]] = defaultdict(deque)
    for row in posted:
        if row.failed or row.who is None:
            continue
        target = partner.get(row.who)
        address = row.where.address if row.where is not None and row.where.address is not None else row.who.peer
        under_way["end" if target else "address", target or _name(address), row.data].append(row)
    for row in delivered:
        if row.failed or row.who is None or row.data is None:
            continue
        source = partner.get(row.who)
        queues = [under_way.get(("end", row.who, row.data))] if source else []
        if not queues:
            queues = [queue for key, queue in under_way.items() if key[0] == "address" and key[2] == row.data]
            queues = [queue for queue in queues if queue and _meant_for(queue[0], row)]
        sender = _name(row.where.address) if row.where is not None and row.where.address is not None else None
        for queue in queues:
            found = next((sent for sent in queue or () if _may_be(sent, row, sender)), None)
            if found is not None and queue is not None:
                if not row.flags & MSG_PEEK and not _is_for_many(found):
                    queue.remove(found)
                _piece(found, row, 0, row.size or 0, 0, edges)
                break


def _meant_for(sent: Row, got: Row) -> bool:
    """Whether a datagram went to the address of this receiver, or to a group or a wildcard that may include it."""
    address = sent.where.address if sent.where is not None and sent.where.address is not None else None
    address = _name(address if address is not None else sent.who.peer if sent.who is not None else None)
    mine = _name(got.who.local) if got.who is not None else None
    if not isinstance(address, tuple) or not isinstance(mine, tuple):
        return bool(address == mine)
    return bool(address[1] == mine[1])


def _is_for_many(sent: Row) -> bool:
    address = sent.where.address if sent.where is not None else None
    if not isinstance(address, tuple) or not isinstance(address[0], str):
        return False
    first = address[0].partition(".")[0]
    group = address[0].lower().startswith("ff") or (first.isdigit() and int(first) >= 224)
    return group or address[0] == "<broadcast>"


def _may_be(sent: Row, got: Row, sender: Any) -> bool:
    if sent.start > got.end:
        return False
    mine = _name(sent.who.local) if sent.who is not None else None
    if not isinstance(sender, tuple) or not isinstance(mine, tuple):
        return True
    return bool(mine[1] == sender[1])


# -- one order out of the partial order -------------------------------------------------------------------------------


def _signature(row: Row) -> tuple[str, ...]:
    moved = (
        row.moved.kind if isinstance(row.moved, Failure) else repr(row.data) if row.operation.direction else row.moved
    )
    return row.name, str(row.asked if row.operation.direction != OUT else ""), str(moved)


def _ranked(chains: list[list[Row]], first: list[bool], partner: dict[End, End]) -> list[list[Row]]:
    """The thread that opened the trace, then the others in an order that does not depend on time."""

    def key(chain: list[Row]) -> Any:
        return (
            not first[chain[0].lane],
            [_signature(row) for row in chain[:50] if not row.operation.housekeeping],
            chain[0].start,
        )

    return sorted(chains, key=key)


def _schedule(chains: list[list[Row]], edges: _Edges) -> Iterator[Row]:
    chain_of = {row: index for index, chain in enumerate(chains) for row in chain}
    effects: dict[Row, list[Row]] = defaultdict(list)
    missing: dict[Row, int] = {}
    for effect, causes in edges.causes.items():
        known = [cause for cause in causes if cause in chain_of]
        missing[effect] = len(known)
        for cause in known:
            effects[cause].append(effect)
    head = [0] * len(chains)
    told = 0
    stack = list(range(len(chains) - 1, -1, -1))
    while told < len(chain_of):
        if not stack:  # clocks and pairings contradict each other: take the earliest, whatever it waits for
            left = [chain[head[index]] for index, chain in enumerate(chains) if head[index] < len(chain)]
            row = min(left, key=_ended)
            missing[row] = 0
            stack.append(chain_of[row])
        index = stack.pop()
        chain = chains[index]
        if head[index] == len(chain) or missing.get(chain[head[index]], 0):
            continue
        row = chain[head[index]]
        head[index] += 1
        told += 1
        yield row
        stack.append(index)
        enabled = []
        for effect in effects.get(row, ()):
            missing[effect] -= 1
            other = chain_of[effect]
            if not missing[effect] and head[other] < len(chains[other]) and chains[other][head[other]] is effect:
                enabled.append(other)
        stack += sorted(enabled, reverse=True)
