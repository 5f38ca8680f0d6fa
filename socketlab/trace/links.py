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

import select
import sys
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Any

from .calls import Call, ended, name_of
from .events import IN, OUT, Failure
from .recorder import Recorder
from .sight import End, module_of

#: Seconds that a trace which closes waits, at most, for what is under way in a link.
PATIENCE = 1.0


class Known:
    """What the links themselves have told a recorder: pairs of sockets, who had ended before, clients of datagrams."""

    def __init__(self) -> None:
        self.mate: dict[End, End] = {}
        self.heard: set[End] = set()  # ends whose peers had finished when the link was asked first
        self.client: dict[End, Any] = {}  # of each socket towards a target: the address of the client behind it
        self.door: dict[End, End] = {}  # and the socket that clients send to


# -- asking the links --------------------------------------------------------------------------------------------------


def relays() -> Iterator[Any]:
    """What runs in the threads of all links."""
    if "socketlab.links.relay" not in sys.modules:
        return
    for frame in list(sys._current_frames().values()):
        outermost, below = None, frame
        while below is not None:
            if module_of(below) != "threading":
                outermost = below
            below = below.f_back  # type: ignore[assignment]
        if outermost is not None and module_of(outermost) == "socketlab.links.relay":
            relay = outermost.f_locals.get("self")
            if relay is not None:
                yield relay


def look(recorder: Recorder) -> dict[End, int]:
    """Learn what the links that run now have joined; for each of their sockets, what came from it and waits."""
    known, waiting = recorder.links, {}

    def end_of(sock: Any) -> End | None:
        end = recorder.ends.of(sock)
        if end.family == -1:  # closed, and never seen
            return None
        end.hidden = end.link = True
        return end

    for relay in relays():
        end_of(relay.listener)
        for one, other, up, down, heard in relay.look_inside(lambda relay=relay: _pairs(relay)):
            client, target = end_of(one), end_of(other)
            for end, mate, pending, at_end in ((client, target, up, heard[0]), (target, client, down, heard[1])):
                if end is None or mate is None:
                    continue
                waiting[end] = pending
                if at_end and end not in known.mate:
                    known.heard.add(end)
            if client is not None and target is not None:
                known.mate[client], known.mate[target] = target, client
        for address, sock in relay.look_inside(lambda relay=relay: _ways(relay)):
            way, door = end_of(sock), end_of(relay.listener)
            if way is not None and door is not None:
                known.client[way], known.door[way] = address, door
    return waiting


def _pairs(relay: Any) -> list[Any]:
    return [
        (p.client.sock, p.target.sock, p.up.pending, p.down.pending, (p.client.heard_end, p.target.heard_end))
        for p in getattr(relay, "pairs", {}).values()
    ]


def _ways(relay: Any) -> list[Any]:
    return [(client, up.sock) for client, (up, _) in getattr(relay, "ways", {}).items()]


def carry() -> bool:
    """Whether something is under way in a link that will arrive soon."""
    return any(relay.look_inside(lambda relay=relay: _carries(relay)) for relay in relays())


def _carries(relay: Any) -> bool:
    if relay.closing:
        return False
    if hasattr(relay.poll, "fileno") and select.select([relay.poll.fileno()], [], [], 0)[0]:
        return True  # its thread is about to wake
    soon = perf_counter() + PATIENCE
    if hasattr(relay, "ways"):
        return bool(relay.up.count["pending"] + relay.down.count["pending"]) and relay.due[0][0] < soon
    for pair in relay.pairs.values():
        for pipe, receiver in ((pair.up, pair.target), (pair.down, pair.client)):
            waits = pipe.pending or (pipe.ended and not pipe.over and not pipe.swallowed)
            if waits and not receiver.blocked and pipe.wake_at() < soon:
                return True
    return False


# -- telling -----------------------------------------------------------------------------------------------------------


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

    def origin(self, call: Call) -> tuple[Any, Any] | None:
        """From where to where a datagram was sent that `call` got through links; None where it came without one."""
        if not self.client or call.who is None:
            return None
        mine = _port(call.who.local)
        sender = _port(call.address if call.address is not None else call.who.peer)
        found = None
        for _ in range(len(self.client) + 1):
            step = self._before(sender, mine)
            if step is None:
                break
            found = sender, mine = step
        return found

    def _before(self, sender: Any, receiver: Any) -> tuple[Any, Any] | None:
        """A hop that ended at `receiver`, coming from a link's `sender`: where it began."""
        for way, client in self.client.items():
            door = _port(self.door[way].local)
            if sender == _port(way.local) and receiver == _port(way.peer):
                return _port(client), door
            if sender == door and receiver == _port(client):
                return _port(way.peer), _port(way.local)
        return None

    def follow(self, posted: Iterable[Call], delivered: Iterable[Call]) -> list[Call]:
        """Tie datagrams that came through a link to their sends; returns those that came without one."""
        delivered = list(delivered)
        if not self.client:
            return delivered
        under_way: dict[Any, deque[Call]] = defaultdict(deque)
        for call in posted:
            if not call.failed and call.who is not None:
                target = call.address if call.address is not None else call.who.peer
                under_way[_port(call.who.local), _port(target)].append(call)
                if any(_port(target) in (_port(self.door[way].local), _port(way.local)) for way in self.client):
                    self.joined.setdefault(call.who, next(iter(self.client)))
        left, used = [], set()
        for call in delivered:
            way = self.origin(call) if not call.failed and call.data is not None else None
            if way is None or call.who is None:
                left.append(call)
                continue
            self.joined.setdefault(call.who, next(iter(self.client)))
            sends = [sent for sent in under_way.get(way, ()) if sent.start <= call.end]
            found = _same(call, [sent for sent in sends if sent not in used], sends)
            if found is not None:
                used.add(found)
                call.got(found, 0, call.size or 0, 0)
        return left


def _same(got: Call, fresh: list[Call], every: list[Call]) -> Call | None:
    """Which of these datagrams `got` received: one just like it, a duplicate, one with a bit changed, one cut short."""
    data = got.data or b""
    for some in (fresh, every):
        for sent in some:
            if sent.size == got.size and sent.data == got.data:
                return sent
    for some in (fresh, every):
        for sent in some:
            if sent.size == got.size and _bits_apart(sent.data or b"", data) == 1:
                return sent
    cut = (sent for sent in fresh if got.asked == got.size and (sent.data or b"").startswith(data))
    return next(cut, None)


def _bits_apart(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def _port(address: Any) -> Any:
    """What is compared of an address on loopback: the port; an end that is not bound to a host says 0.0.0.0."""
    name = name_of(address)
    return name[1] if isinstance(name, tuple) else name
