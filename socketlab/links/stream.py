"""The link for connections: who is let in, when which connection has its turn, and the counts."""

from __future__ import annotations

import errno
import heapq
import os
import socket
from time import perf_counter
from typing import Any, NamedTuple

from .faults import StreamFaults
from .pair import READ, Connection, Pair, set_abort
from .pipe import NEVER, Pipe
from .relay import Relay


class Bytes(NamedTuple):
    """One direction, in bytes. taken = passed + pending + swallowed + discarded."""

    taken: int = 0  #: came from the sender
    passed: int = 0  #: handed to the receiver's kernel
    pending: int = 0  #: wait in the link
    swallowed: int = 0  #: by `timeout`
    discarded: int = 0  #: waited when their connection, or the link, ended


class StreamStats(NamedTuple):
    """What has passed through a link for connections so far."""

    connections: int  #: ever
    live: int
    up: Bytes
    down: Bytes


class StreamRelay(Relay):
    """The thread, the sockets and the counts of a link for connections."""

    def __init__(self, listener: socket.socket, target: Any, seed: int, up: StreamFaults, down: StreamFaults) -> None:
        super().__init__(listener)
        self.target, self.seed = target, seed
        self.up, self.down = up, down
        self.buffer = bytearray(READ)
        self.view = memoryview(self.buffer)
        self.pairs: dict[int, Pair] = {}
        self.touched: set[int] = set()  # connections whose own faults have been changed
        self.all_touched = False  # the link's have been
        self.before = {"up": Bytes(), "down": Bytes()}  # of connections that are over

    def knock(self, events: int) -> None:
        try:
            client, address = self.listener.accept()
        except BlockingIOError:
            return
        except OSError as exc:
            if exc.errno != errno.ECONNABORTED:  # that one has left already
                self.pause(exc)
            return
        self.accepted += 1
        self.let_in(client, address)

    def let_in(self, client: socket.socket, address: Any) -> None:
        target: socket.socket | None = None
        try:
            target = socket.socket(client.family, socket.SOCK_STREAM)
            for sock in (client, target):
                sock.setblocking(False)
                if sock.family in (socket.AF_INET, socket.AF_INET6):
                    # A link must not wait for more bytes before it sends: that would be a fault nobody asked for.
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            error = target.connect_ex(self.target)
            if error not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
                raise OSError(error, f"the target refused: {os.strerror(error)}")
        except OSError as exc:
            self.errors.append(exc.with_traceback(None))
            set_abort(client)
            client.close()
            if target is not None:
                target.close()
            return
        number = self.accepted

        def changed() -> None:  # of this connection only: with hundreds, to look at all of them takes milliseconds
            self.touched.add(number)
            super(StreamRelay, self).call()

        handle = Connection(number, address, StreamFaults(self.up, changed), StreamFaults(self.down, changed))
        pair = self.pairs[number] = Pair(self, client, target, handle)
        pair.connected = not error
        pair.settle(perf_counter())

    def at_time(self, when: float, pair: Pair) -> None:
        if len(self.due) > 4 * len(self.pairs) + 64:  # most of them are not when anything is due any more
            self.due[:] = [entry for entry in self.due if entry[2] is None or entry[2].due == entry[0]]
            heapq.heapify(self.due)
        self.at(when, pair)

    def serve(self, what: Pair, now: float) -> None:
        if what.due <= now and what.handle.number in self.pairs:
            what.due = NEVER
            what.settle(now)

    def call(self) -> None:
        self.all_touched = True
        super().call()

    def look(self, now: float) -> None:
        everybody, self.all_touched = self.all_touched, False
        numbers = [self.touched.pop() for _ in range(len(self.touched))]
        for number in tuple(self.pairs) if everybody else numbers:
            if (pair := self.pairs.get(number)) is not None:
                pair.up.look(now)
                pair.down.look(now)
                pair.due = NEVER
                pair.settle(now)

    def gone(self, pair: Pair) -> None:
        """A connection is over."""
        if self.pairs.pop(pair.handle.number, None) is not None:
            pair.due = NEVER
            self.account(pair)

    def account(self, pair: Pair) -> None:
        for name, pipe in (("up", pair.up), ("down", pair.down)):
            pipe.discard()
            self.before[name] = _sum(self.before[name], pipe)

    def end_all(self, abroad: bool) -> None:
        for pair in self.pairs.values():
            pair.cut(abroad)
            self.account(pair)
        self.pairs.clear()

    def connections(self) -> tuple[Connection, ...]:
        return tuple(pair.handle for pair in self.pairs.values())

    def stats(self) -> StreamStats:
        up, down = self.before["up"], self.before["down"]
        for pair in self.pairs.values():
            up, down = _sum(up, pair.up), _sum(down, pair.down)
        return StreamStats(self.accepted, len(self.pairs), up, down)


def _sum(before: Bytes, pipe: Pipe) -> Bytes:
    now = pipe.taken, pipe.passed, pipe.pending, pipe.swallowed, pipe.discarded
    return Bytes(*(a + b for a, b in zip(before, now, strict=True)))
