"""What faulty links that run now tell a trace: which sockets they have joined, and what is under way in them.

Links are found by their threads, as a server's are. A trace asks when it opens, for connections that are older, and
when it closes, for what has been sent and has not arrived.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any

from ..frames import frames
from .calls import name_of
from .recorder import Recorder
from .sight import End, module_of

#: Seconds that a trace which closes waits, at most, for what is under way in a link.
PATIENCE = 1.0


class Known:
    """What links and panels themselves have told a recorder: which sockets are theirs, and what a link has joined."""

    def __init__(self) -> None:
        self.mate: dict[End, End] = {}
        self.heard: set[End] = set()  # ends whose peers had finished when the link was asked first
        self.client: dict[End, Any] = {}  # of each socket towards a target: the address of the client behind it
        self.door: dict[End, End] = {}  # and the socket that clients send to
        self.panels: set[End] = set()  # ends of the conversations that panels have by themselves: see that module
        self.panels_threads: set[int | None] = set()  # and threads of their experiments, by `ident`


def relays() -> Iterator[Any]:
    """What runs in the threads of all links."""
    if "socketlab.links.relay" not in sys.modules:
        return
    for frame in list(frames().values()):
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


def carry(recorder: Recorder, others: set[Any]) -> bool:
    """Whether something is under way in a link that will arrive soon, beside what is sent by, or to, these `others`.

    They are given by the names of their sockets, or by the inode of a link's socket that is connected to them.
    """
    found = list(relays())
    strangers: dict[int, set[Any]] = {id(relay): set() for relay in found}
    names = set(others)
    size = -1 if others else 0
    while size != len(names):  # a link's socket speaks for somebody else to the next link
        size = len(names)
        for relay in found:
            relay.look_inside(lambda relay=relay: _learn(relay, recorder, names, strangers[id(relay)]))
    return any(relay.look_inside(lambda relay=relay: _carries(relay, strangers[id(relay)])) for relay in found)


def _learn(relay: Any, recorder: Recorder, names: set[Any], strangers: set[Any]) -> None:
    """Add to `strangers` the pairs, or the ways, behind which stands one of `names`, and to these their sockets."""
    for pair in getattr(relay, "pairs", {}).values():
        client = recorder.ends.of(pair.client.sock)
        if client.inode in names or name_of(client.peer) in names:
            strangers.add(pair)
            target = recorder.ends.of(pair.target.sock)
            names.add(name_of(target.local) if isinstance(target.local, tuple) else target.other)
    for client, ways in getattr(relay, "ways", {}).items():
        if name_of(client) in names:
            strangers.update(ways)
            names.add(name_of(recorder.ends.of(ways[0].sock).local))


def _carries(relay: Any, strangers: set[Any]) -> bool:
    if relay.closing:
        return False
    if hasattr(relay.poll, "fileno") and select.select([relay.poll.fileno()], [], [], 0)[0]:
        return True  # its thread is about to wake
    soon = perf_counter() + PATIENCE
    if hasattr(relay, "ways"):
        if strangers:
            letters = [letter for when, _, letter in relay.due if letter is not None and when < soon]
            return any(not letter.sent and letter.way not in strangers for letter in letters)
        return bool(relay.up.count["pending"] + relay.down.count["pending"]) and relay.due[0][0] < soon
    for pair in relay.pairs.values():
        if pair in strangers:
            continue
        for pipe, receiver in ((pair.up, pair.target), (pair.down, pair.client)):
            waits = pipe.pending or (pipe.ended and not pipe.over and not pipe.swallowed)
            if waits and not receiver.blocked and pipe.wake_at() < soon:
                return True
    return False
