"""Following the two ends of one connection, and their listener, from state to state, as the kernel has them.

While an end has a descriptor, TCP_INFO tells its state; when it has none any more, or none yet, the kernel's table
does, in which the connection is found by its pair of addresses.
"""

from __future__ import annotations

import socket
import sys
from collections import deque
from typing import Any, NamedTuple

from . import wire
from .transitions import CLOSED, ONLY, Step, steps

SIDES = ("listener", "client", "server")
KEPT = 100  # steps of a side that are remembered; a connection's whole life has seven


class End(NamedTuple):
    """What the kernel says of one end."""

    state: str | None  #: "" before there is such an end; None: this system does not tell
    held: bool  #: the panel has its descriptor
    timer: str  #: as in `kernel_table.Entry`, like the two that follow
    left: float  #: seconds until the timer fires
    retransmits: int
    waiting: int | None  #: bytes to be received, or connections in a listener's queue
    elsewhere: bool = False  #: somebody else has the descriptor: a cell, a duplicate
    unacked: int = 0  #: bytes that were sent, or wait to be sent, and are not acknowledged


class Follower:
    """Where each side is and how it came there. `finished` are the sides that have called shutdown() or close()."""

    def __init__(self, family: int) -> None:
        self.family = family
        self.pairs: dict[str, tuple[Any, Any]] = {}  #: own address and the peer's
        self.paths: dict[str, deque[Step]] = {side: deque(maxlen=KEPT) for side in SIDES}
        self.finished: set[str] = set()
        self._last = {"listener": CLOSED, "client": CLOSED, "server": ""}

    def follow(self, side: str, pair: tuple[Any, Any]) -> None:
        """`side` has a connection from now on, the one between these addresses."""
        self.pairs[side] = pair
        self.finished.discard(side)

    def forget(self, side: str) -> None:
        """`side` begins anew: it has no connection, and none of the steps counts any more."""
        self.pairs.pop(side, None)
        self.paths[side].clear()
        self.finished.discard(side)
        self._last[side] = "" if side == "server" else CLOSED

    def refused(self, side: str) -> None:
        """Its SYN was answered with an RST: it has been in SYN_SENT, too short to be seen."""
        if self._last[side] == CLOSED:
            self.paths[side] += [Step(CLOSED, "SYN_SENT", ONLY), Step("SYN_SENT", CLOSED, ONLY)]

    def look(self, sockets: dict[str, socket.socket | None]) -> dict[str, End]:
        """Ask the kernel, and note the steps."""
        client = sockets["client"]
        if "client" not in self.pairs and client is not None and (peer := wire.peer_of(client)) is not None:
            self.follow("client", (wire.name_of(client), peer))  # a cell has connected it
        if "client" in self.pairs and "server" not in self.pairs:
            here, there = self.pairs["client"]
            if wire.in_the_table(self.family, (there, here)) is not None:
                self.pairs["server"] = there, here  # in the listener's queue, or on the way to it
        ends = {side: self._end(sockets[side], self.pairs.get(side), side) for side in SIDES}
        for side, end in ends.items():
            if end.state and end.state != self._last[side]:
                before = self._last[side] or "LISTEN"  # a server's connection begins at its listener
                self.paths[side] += steps(before, end.state, side in self.finished)
                self._last[side] = end.state
        return ends

    def _end(self, sock: socket.socket | None, pair: tuple[Any, Any] | None, side: str) -> End:
        return end_of(self.family, sock, pair, listener=side == "listener")


def end_of(family: int, sock: socket.socket | None, pair: tuple[Any, Any] | None, *, listener: bool = False) -> End:
    """Where one end is: `sock` where there is a descriptor, `pair` its own address and the peer's where it has both."""
    if sock is None and pair is None:
        return End("", False, "", 0.0, 0, None)
    held = sock is not None and wire.is_open(sock)
    state: str | None = CLOSED
    waiting = None
    if held and sock is not None:
        state = wire.state_of(sock)
        waiting = wire.queued(sock) if listener else wire.readable(sock)
    elif pair is not None and sys.platform != "linux":
        state = None
    entry = wire.in_the_table(family, pair)
    if entry is None:
        return End(state, held, "", 0.0, 0, waiting)
    # A descriptor knows nothing of TIME_WAIT, it says CLOSE then; and timers stand in the table alone.
    state = entry.state if not held or state == CLOSED else state
    elsewhere = not held and entry.inode != 0
    return End(state, held, entry.timer, entry.left, entry.retransmits, waiting, elsewhere, entry.send_q or 0)
