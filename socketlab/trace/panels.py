"""Panels that measure while a trace is open: their own conversations are left out, as if they did not run.

An experiment of a panel runs in a thread of the panel, by which it is known. What such a thread calls is not written
down, save how it came by its connections, and its sockets are its own. So is whoever talks to one of these, directly
or through links: the calls of a server's handler for a panel's probe, and the accept that let it in, are left out too;
and so is a thread of an experiment that touches one of these sockets, or was there when the trace was opened.

What a panel's button does for a person is not done in that thread, and is told.

Conversations older than the trace are learned from the panel itself: its sockets are what can be reached from where
its thread stands, through objects of experiments. Datagrams are known by who sent them, or will get them.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from types import CellType, FunctionType, GeneratorType, MethodType
from typing import Any

from ..frames import frame_of
from .calls import Call, name_of
from .links import Links, port_of
from .operations import Operation
from .recorder import PANEL, Lane, Recorder
from .relays import Known
from .sight import End, inode_at_the_other_end

#: Of what a panel's thread calls, this is written down: two connections to one path are told apart by their order.
MEETINGS = frozenset(("connect", "connect_ex", "accept", "socketpair"))
_OPENINGS = frozenset(("socket", "bind", "listen"))
# Classes whose objects may hold an experiment's sockets: links and servers may be the learner's own.
_THEIRS = ("socketlab.experiments", "socketlab.measure", "contextlib")
_LOOKED_AT = 20_000  # objects that are looked through for sockets; some milliseconds
_EMPTY = CellType()


def note(known: Known, sock: Any, who: End | None, operation: Operation) -> None:
    """A panel's thread has called `operation` on `sock`: from now on that end is known to be the panel's.

    To shut and close is no sign of that: a collector of garbage, at work in any thread, does it to anybody's sockets.
    """
    if who is not None and (operation.direction or operation.name in _OPENINGS or operation.name in MEETINGS):
        if operation.name == "accept":
            return  # whom it let in is the panel's, and will be noted
        if who.peer is None:
            who.look(sock)
        known.panels.add(who)


def look(recorder: Recorder) -> None:
    """Learn which sockets and threads panels have now."""
    known: Known = recorder.links
    for worker in _workers():
        for thing in _belongings(worker):
            if isinstance(thing, threading.Thread):
                known.panels_threads.add(thing.ident)
            else:
                end = recorder.ends.of(thing)
                if end.family != -1 and not end.link:
                    known.panels.add(end)


def at_the_other_end(known: Known) -> set[Any]:
    """Names of panels' ends, and inodes of those who talk to the ones without a name: what a link sees of them."""
    found: set[Any] = set()
    for end in known.panels:
        if isinstance(end.local, tuple):
            found.add(name_of(end.local))
        elif end.stream and end.inode and not end.listening:
            end.other = end.other or inode_at_the_other_end(end.inode)  # it has none before it is accepted
            if end.other:
                found.add(end.other)
    return found


def _workers() -> Iterator[Any]:
    if PANEL in sys.modules:
        yield from (thread for thread in threading.enumerate() if type(thread).__module__ == PANEL)


def _belongings(worker: Any) -> Iterator[Any]:
    """The sockets and threads that can be reached from where `worker` stands."""
    waiting: deque[Any] = deque([worker._steps])
    frame = frame_of(worker)
    while frame is not None:
        waiting += frame.f_locals.values()
        frame = frame.f_back
    seen = {id(worker)}
    keep = []  # an object that is freed would leave its id to another one
    while waiting and len(seen) < _LOOKED_AT:
        thing = waiting.popleft()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        keep.append(thing)
        if isinstance(thing, (socket.socket, threading.Thread)):
            yield thing
        else:
            waiting += _within(thing)


def _within(thing: Any) -> Iterable[Any]:
    kind = type(thing)
    if kind is dict:
        return [*thing, *thing.values()]
    if kind in (list, tuple, set, deque):
        return list(thing)
    if kind is GeneratorType:
        frame = thing.gi_frame
        return [thing.gi_yieldfrom, *(frame.f_locals.values() if frame is not None else ())]
    if kind is MethodType:
        return [thing.__self__]
    if kind is FunctionType:
        return [cell.cell_contents for cell in thing.__closure__ or () if cell != _EMPTY]
    if kind.__module__.startswith(_THEIRS) and not isinstance(thing, tuple):
        return list(getattr(thing, "__dict__", {}).values())
    return ()


# -- when a trace is read ----------------------------------------------------------------------------------------------


def left_out(
    every: Sequence[Call], lanes: Sequence[Lane], known: Known, links: Links, partner: dict[End, End]
) -> set[Call]:
    """Of the calls of a trace, those that belong to panels; `every` has them in the order of each lane."""
    of_panels = _OfPanels(every, lanes, known, links, partner)
    found: set[Call] = set()
    before: Call | None = None
    for call in every if of_panels else ():
        # Python's accept() asks its listener for a timeout once the connection is there.
        after = before in found and before is not None and before.lane == call.lane
        asks = call.operation.housekeeping and call.who is not None and call.who.listening
        if of_panels(call) or (after and asks):
            found.add(call)
        before = call
    return found


class _OfPanels:
    """Whether a call was made by a panel, or to talk to one. False where there are no panels."""

    def __init__(
        self, every: Sequence[Call], lanes: Sequence[Lane], known: Known, links: Links, partner: dict[End, End]
    ) -> None:
        self._ends = known.panels | {partner[end] for end in known.panels if end in partner}
        self._lanes = {n for n, lane in enumerate(lanes) if lane.panel or lane.ident in known.panels_threads}
        self._ports = {port_of(end.local) for end in known.panels if not end.stream and end.local}
        self._client = {port_of(way.local): port_of(client) for way, client in links.client.items()}
        size = -1
        while self and size != (size := len(self._ends) + len(self._lanes)):
            for call in every:
                if call.who in self._ends and lanes[call.lane].experiment:
                    self._lanes.add(call.lane)
                if call.made and (call.who in self._ends or call.lane in self._lanes):
                    self._ends.update(call.made)

    def __bool__(self) -> bool:
        return bool(self._ends or self._lanes)

    def __call__(self, call: Call) -> bool:
        if call.lane in self._lanes or call.who in self._ends or not self._ends.isdisjoint(call.made):
            return True
        if not self._ports or call.who is None or call.who.stream or not call.operation.direction:
            return False
        port = port_of(call.address if call.address is not None else call.who.peer)
        for _ in range(len(self._client)):  # each link on the way
            port = self._client.get(port, port)
        return port in self._ports
