"""Faulty links in a trace: their own calls are left out, and what they join is told as one conversation.

A link has two sockets for each connection, so the kernel knows two conversations; a program knows one, which takes
longer and may break. What a link passes on is a prefix of what came, so the n-th byte that the client sent is still the
n-th that the server gets, and streams can be counted across it. Datagrams are followed by address: who sends to the
link, and from which of its sockets it sends on. A duplicate is the same datagram once more; one with a single bit
changed is tied to what it was.

Which two sockets belong together is learned from the calls (an accept, then the socket made for it), and for
connections older than the trace from the link itself. An end, or a reset, is the link's own doing where the socket at
its other side has not heard of one, or where bytes are missing.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from functools import cached_property
from itertools import islice
from typing import Any

from .calls import Call, ended, name_of
from .events import IN, OUT, Failure
from .relays import Known
from .sight import End

_LOOKED_AT = 1000  # datagrams among which one with a changed bit is looked for


class Links:
    """The links of one trace. `calls` are their own, in the order of each thread."""

    def __init__(self, calls: Iterable[Call], known: Known) -> None:
        self.calls = sorted(calls, key=ended)
        self.known = known
        self.mate, self.client, self.door = dict(known.mate), dict(known.client), dict(known.door)
        self.joined: dict[End, End] = {}  # ends that are no link's: the socket of the link that they talk to
        self.cut: set[End] = set()  # of these, those whose stream the link itself has ended
        self._of: dict[End, list[Call]] = defaultdict(list)
        if self.calls:
            self._learn()

    def _learn(self) -> None:
        let_in: dict[int, End] = {}  # by lane: whom the last accept let in
        heard_of: dict[int, tuple[Any, End]] = {}  # and from whom the last datagram came, at which socket
        for call in self.calls:
            if call.who is None:
                continue
            self._of[call.who].append(call)
            if call.name == "accept" and call.made:
                let_in[call.lane] = call.made[0]
            elif call.name.startswith("recvfrom") and not call.failed:
                heard_of[call.lane] = call.address, call.who
            elif call.name == "socket" and call.asked != "fileno" and not call.failed:
                if call.who.stream and call.lane in let_in:
                    other = let_in.pop(call.lane)
                    self.mate[call.who], self.mate[other] = other, call.who
                elif not call.who.stream and call.lane in heard_of:
                    self.client[call.who], self.door[call.who] = heard_of[call.lane]

    def join(self, partner: dict[End, End], unread: dict[End, int]) -> dict[End, int]:
        """Make ends partners that talk to each other across links; returns what has not been read, links included."""
        if not self.mate:
            return unread
        unread, direct = dict(unread), dict(partner)
        for end, first in direct.items():
            if end.link or not first.link:
                continue
            self.joined[end] = first
            there: End | None = first
            while there is not None and there.link:
                mate = self.mate.get(there)
                if self._ended_here(there, mate):
                    self.cut.add(end)
                if mate is not None:
                    unread[end] = unread.get(end, 0) + unread.get(mate, 0)
                there = direct.get(mate) if mate is not None else None
            if there is None:
                del partner[end]
            else:
                partner[end] = there
        return unread

    def _ended_here(self, end: End, mate: End | None) -> bool:
        """Whether an end that came from `end` was the link's own doing."""
        if mate is None:
            return False
        asked = 0
        heard = mate in self.known.heard
        taken = passed = 0
        for call in self._of.get(mate, ()):
            if call.operation.direction == IN:
                taken += call.size or 0
                heard = heard or call.size == 0
            if call.name == "getsockopt":  # the first one at a target asks whether it has accepted
                asked += 1
                heard = heard or asked > (mate.origin != "accept") or call.moved not in ("", "0")
            if isinstance(call.moved, Failure) and call.moved.kind != "BlockingIOError":
                heard = True
        for call in self._of.get(end, ()):
            if call.operation.direction == OUT:
                passed += call.size or 0
        return not heard or passed < taken

    def sends_to(self, end: End) -> list[Call]:
        """The sends by which a link passed on to `end` what it got."""
        there = self.joined.get(end)
        return [] if there is None else [call for call in self._of[there] if call.operation.direction == OUT]

    # -- datagrams -----------------------------------------------------------------------------------------------------

    @cached_property
    def _hops(self) -> dict[tuple[Any, Any], tuple[Any, Any]]:
        """For a datagram's sender and receiver, the first being a link: from where to where it came before."""
        found: dict[tuple[Any, Any], tuple[Any, Any]] = {}
        for way, client in self.client.items():
            here, target, door = port_of(way.local), port_of(way.peer), port_of(self.door[way].local)
            found[here, target] = port_of(client), door
            found[door, port_of(client)] = target, here
        return found

    def _origin(self, call: Call) -> tuple[Any, Any] | None:
        """From where to where a datagram was sent that `call` got through links; None where it came without one."""
        if call.failed or call.data is None or call.who is None:
            return None
        came = port_of(call.address if call.address is not None else call.who.peer), port_of(call.who.local)
        found = None
        for _ in range(len(self._hops)):
            if came not in self._hops:
                break
            found = came = self._hops[came]
        return found

    def follow(self, posted: Iterable[Call], delivered: list[Call]) -> list[Call]:
        """Tie datagrams that came through a link to their sends; returns those that came without one."""
        if not self.client:
            return delivered
        any_link = next(iter(self.client))
        links = {receiver for _, receiver in self._hops.values()}
        under_way: dict[Any, _Datagrams] = defaultdict(_Datagrams)
        for call in posted:
            if not call.failed and call.who is not None:
                target = port_of(call.address if call.address is not None else call.who.peer)
                if target in links:
                    under_way[port_of(call.who.local), target].add(call)
                    self.joined.setdefault(call.who, any_link)
        left = []
        for call in delivered:
            way = self._origin(call)
            if way is None or call.who is None:
                left.append(call)
                continue
            self.joined.setdefault(call.who, any_link)
            found = under_way[way].take(call)
            if found is not None:
                call.got(found, 0, call.size or 0, 0)
        return left


class _Datagrams:
    """What one end sent to another through links."""

    def __init__(self) -> None:
        self._fresh: dict[Call, None] = {}  # nobody has received these
        self._same: dict[Any, deque[Call]] = defaultdict(deque)  # fresh ones, by what is in them
        self._used: dict[Any, Call] = {}  # for each content the last one that was received

    def add(self, call: Call) -> None:
        self._fresh[call] = None
        self._same[call.size, call.data].append(call)

    def take(self, got: Call) -> Call | None:
        """Which one `got` received: one just like it, the same once more, one with a bit changed, one cut short."""
        same = self._same[got.size, got.data]
        while same and same[0] not in self._fresh:
            same.popleft()
        found = same[0] if same else self._used.get((got.size, got.data))
        if found is None or found.start > got.end:
            found = self._changed(got)
        if found is not None:
            self._fresh.pop(found, None)
            self._used[found.size, found.data] = found
        return found

    def _changed(self, got: Call) -> Call | None:
        data = got.data or b""
        for some in (self._fresh, self._used.values()):
            for sent in islice(some, _LOOKED_AT):
                if sent.start <= got.end and sent.size == got.size and _bits_apart(sent.data or b"", data) == 1:
                    return sent
        cut = (sent for sent in islice(self._fresh, _LOOKED_AT) if (sent.data or b"").startswith(data))
        return next(cut, None) if got.asked == got.size else None


def _bits_apart(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def port_of(address: Any) -> Any:
    """What is compared of an address on loopback: the port; an end that is not bound to a host says 0.0.0.0."""
    name = name_of(address)
    return name[1] if isinstance(name, tuple) else name
