"""Datagrams through a link: one socket for all clients, and for each client one that is connected to the target.

What happens to a datagram is decided when it comes, from the seed and its number; when it leaves is computed anew
whenever the faults change. What waits is bounded, and what comes when the queue is full is dropped, as in a router.
"""

from __future__ import annotations

import errno
import heapq
import os
import socket
from collections import OrderedDict
from time import perf_counter
from typing import Any, NamedTuple

from .chance import draw, seed_of
from .faults import DatagramFaults
from .relay import IN, Relay

LARGEST = 65535  # a UDP length field has 16 bits (RFC 768)
#: Datagrams that wait in a link before more are dropped: txqueuelen, a Linux interface's own queue (ip-link(8)).
QUEUE = 1000
#: Clients that are known at a time; who has been silent longest is forgotten, as by the router that does NAT at home.
CLIENTS = 256
#: Seconds that a datagram that is to arrive late waits for one to overtake it.
OVERTAKE = 0.05


class Datagrams(NamedTuple):
    """One direction. taken + duplicated = passed + pending + lost + dropped + discarded."""

    taken: int = 0  #: came from the sender
    passed: int = 0  #: handed to the receiver's kernel
    pending: int = 0  #: wait in the link
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    corrupted: int = 0
    dropped: int = 0  #: came while the queue was full, here or in the kernel
    discarded: int = 0  #: waited when the link ended


class DatagramStats(NamedTuple):
    """What has passed through a link for datagrams so far."""

    clients: int  #: ever
    up: Datagrams
    down: Datagrams


class Way:
    """One direction of one client's datagrams."""

    def __init__(self, traffic: Traffic, seed: int, sock: socket.socket, to: Any) -> None:
        self.traffic, self.sock, self.to = traffic, sock, to
        self.seeds = {name: seed_of(seed, name) for name in (*DatagramFaults.CHECKS, "bit")}
        self.number = 0  # of the datagram that comes next
        self.late: Letter | None = None  # waits for one to overtake it

    def chance(self, name: str, number: int) -> float:
        return draw(self.seeds[name], number)


class Letter:
    """A datagram that waits."""

    def __init__(self, way: Way, data: bytes, arrived: float, swing: float) -> None:
        self.way, self.data, self.arrived, self.swing = way, data, arrived, swing
        self.late = 0.0  # seconds that it waits to be overtaken
        self.due = 0.0
        self.sent = False


class Traffic:
    """One direction of all clients: its faults, as they are now, and its counts."""

    def __init__(self, faults: DatagramFaults) -> None:
        self.faults = faults
        self.count = dict.fromkeys(Datagrams._fields, 0)
        self.look()

    def look(self) -> None:
        faults = self.faults
        self.clear = faults.perfect
        self.loss, self.duplication = faults.loss, faults.duplication
        self.reordering, self.corruption = faults.reordering, faults.corruption
        self.latency, self.jitter = faults.latency, faults.jitter

    def delay(self, swing: float) -> float:
        return max(0.0, float(self.latency + self.jitter * swing))


class DatagramRelay(Relay):
    """The thread, the sockets and the counts of a link for datagrams."""

    def __init__(
        self, listener: socket.socket, target: Any, seed: int, up: DatagramFaults, down: DatagramFaults
    ) -> None:
        super().__init__(listener)
        self.target, self.seed = target, seed
        self.up, self.down = Traffic(up), Traffic(down)
        self.ways: OrderedDict[Any, tuple[Way, Way]] = OrderedDict()  # by client
        self.buffer = bytearray(LARGEST)
        self.view = memoryview(self.buffer)

    # -- coming ------------------------------------------------------------------------------------------------------

    def knock(self, events: int) -> None:
        try:
            size, client = self.listener.recvfrom_into(self.buffer)
        except BlockingIOError:
            return
        except ConnectionError as exc:  # Windows tells of an answer that nobody wanted
            self.errors.append(exc.with_traceback(None))
            return
        ways = self.ways.get(client) or self.let_in(client)
        if ways is not None:
            self.ways.move_to_end(client)
            self.come(ways[0], bytes(self.view[:size]))

    def let_in(self, client: Any) -> tuple[Way, Way] | None:
        sock: socket.socket | None = None
        try:
            sock = socket.socket(self.listener.family, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.connect(self.target)
        except OSError as exc:  # no descriptors: this datagram is lost, as one is in a router without memory
            self.errors.append(exc.with_traceback(None))
            self.up.count["taken"] += 1
            self.up.count["dropped"] += 1
            if sock is not None:
                sock.close()
            return None
        if len(self.ways) >= CLIENTS:
            self.forget_client(next(iter(self.ways)))
        self.accepted += 1
        seed = seed_of(self.seed, self.accepted)
        up = Way(self.up, seed_of(seed, "up"), sock, None)
        down = Way(self.down, seed_of(seed, "down"), self.listener, client)
        self.ways[client] = up, down
        self.watch(sock, IN, lambda events: self.answer(sock, down))
        return up, down

    def forget_client(self, client: Any) -> None:
        up, _ = self.ways.pop(client)
        self.forget(up.sock)
        up.sock.close()  # what still waits for it is discarded when it is due

    def answer(self, sock: socket.socket, way: Way) -> None:
        try:
            size = sock.recv_into(self.buffer)
        except BlockingIOError:
            return
        except OSError as exc:  # ECONNREFUSED: nobody is at the target; its machine has said so (ICMP)
            self.refused(exc)
            return
        self.come(way, bytes(self.view[:size]))

    def refused(self, error: OSError) -> None:
        self.errors.append(OSError(error.errno, f"the target refused a datagram: {os.strerror(error.errno or 0)}"))

    def come(self, way: Way, data: bytes) -> None:
        """A datagram has come; what becomes of it is decided here."""
        traffic, count = way.traffic, way.traffic.count
        number, way.number = way.number, way.number + 1
        count["taken"] += 1
        if traffic.clear and not self.due:
            self.send(way, data)
            return
        if way.chance("loss", number) < traffic.loss:
            count["lost"] += 1
            return
        if data and way.chance("corruption", number) < traffic.corruption:
            bit = int(way.chance("bit", number) * len(data) * 8)
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            data = bytes(changed)
            count["corrupted"] += 1
        letter = Letter(way, data, perf_counter(), 2 * way.chance("jitter", number) - 1)
        before, way.late = way.late, None
        if way.chance("reordering", number) < traffic.reordering:
            letter.late = OVERTAKE
            way.late = letter
            count["reordered"] += 1
        self.post(letter)
        if way.chance("duplication", number) < traffic.duplication:
            count["duplicated"] += 1
            self.post(Letter(way, data, letter.arrived, letter.swing))
        if before is not None and not before.sent:  # it has been overtaken, and may follow
            before.late = 0.0
            before.due = max(letter.due if way.late is None else 0.0, before.arrived + traffic.delay(before.swing))
            self.at(before.due, before)
        self.serve_due_now()

    def post(self, letter: Letter) -> None:
        count = letter.way.traffic.count
        if count["pending"] >= QUEUE:
            count["dropped"] += 1
            return
        count["pending"] += 1
        letter.due = letter.arrived + letter.way.traffic.delay(letter.swing) + letter.late
        self.at(letter.due, letter)

    # -- leaving -----------------------------------------------------------------------------------------------------

    def serve_due_now(self) -> None:
        if self.due[0][0] <= perf_counter():
            self._serve_due()

    def serve(self, what: Letter, now: float) -> None:
        if what.sent or what.due > now:  # it is in the heap a second time, for when it is due now
            return
        what.sent = True
        if what.way.late is what:
            what.way.late = None
        what.way.traffic.count["pending"] -= 1
        self.send(what.way, what.data)

    def send(self, way: Way, data: bytes) -> None:
        count = way.traffic.count
        try:
            if way.to is None:
                way.sock.send(data)
            else:
                way.sock.sendto(data, way.to)
            count["passed"] += 1
        except (BlockingIOError, ConnectionRefusedError) as exc:
            # Refused is what the one before was: the kernel tells it now, and has not sent this one.
            if isinstance(exc, ConnectionRefusedError):
                self.refused(exc)
            count["dropped"] += 1
        except OSError as exc:
            if exc.errno != errno.EBADF:  # its client has been forgotten
                self.errors.append(exc.with_traceback(None))
            count["discarded"] += 1

    def look(self, now: float) -> None:
        self.up.look()
        self.down.look()
        entries = []
        for when, order, letter in self.due:
            if letter is None:
                entries.append((when, order, letter))
            elif not letter.sent:
                letter.due = letter.arrived + letter.way.traffic.delay(letter.swing) + letter.late
                entries.append((letter.due, order, letter))
        self.due[:] = entries
        heapq.heapify(self.due)

    def end_all(self, abroad: bool) -> None:
        for traffic in (self.up, self.down):
            traffic.count["discarded"] += traffic.count["pending"]
            traffic.count["pending"] = 0
        for up, _ in self.ways.values():
            up.sock.close()
        self.ways.clear()

    def stats(self) -> DatagramStats:
        return DatagramStats(self.accepted, Datagrams(**self.up.count), Datagrams(**self.down.count))
