"""A trace while fifty threads use sockets as fast as they can: nothing is lost, nothing is torn, nothing grows.

Each thread counts for itself what it has sent and received, and what the trace says is held against that: calls and
bytes of each thread, and each byte of each `recv`, which must be the byte that the trace says it was in a `send`.

Two seconds in each run of the tests, ten with SOCKETLAB_THOROUGH=1.
"""

from __future__ import annotations

import gc
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from share import THOROUGH

import socketlab.trace
from socketlab.trace import Event, Trace, trace
from socketlab.trace.recorder import CHUNK, SLOTS, current

SECONDS = 10.0 if THOROUGH else 2.0
MOST = 40_000 if THOROUGH else 4_000  # calls of one thread: fifty of them are to be looked at one by one
DEADLINE = 30.0  # s, of every blocking call; on a busy machine a thread may wait long for its turn
ALL = 1 << 30  # bytes of payload: as much as there is


@dataclass
class Count:
    """What a thread has done, by its own account."""

    sends: int = 0
    receives: int = 0
    sent: int = 0
    received: int = 0
    connections: int = 0
    errors: list[str] = field(default_factory=list)


class Crowd:
    """Threads with names, an account for each, and a time at which they stop."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.counts: dict[str, Count] = {}
        self.threads: list[threading.Thread] = []
        self.stop = threading.Event()
        self.seconds = seconds

    def add(self, name: str, work: Callable[..., None], *args: object) -> None:
        count = self.counts[name] = Count()

        def run() -> None:
            try:
                work(self, count, random.Random(name), *args)
            except BaseException as error:
                count.errors.append(f"{name}: {error!r}")
                self.stop.set()

        self.threads.append(threading.Thread(target=run, name=name))

    def run(self) -> None:
        for thread in self.threads:
            thread.start()
        self.stop.wait(self.seconds)
        self.stop.set()
        for thread in self.threads:
            thread.join(DEADLINE * 2)
        assert not [thread.name for thread in self.threads if thread.is_alive()]
        assert not [error for count in self.counts.values() for error in count.errors]


BLOCK = random.Random(0).randbytes(100_000)


def send(crowd: Crowd, count: Count, dice: random.Random, sock: socket.socket) -> None:
    """Send slices of one well-known block, in pieces of all sizes, until it is time; then close."""
    at = 0
    with sock:
        while not crowd.stop.is_set() and count.sends < MOST:
            size = dice.choice((1, 2, 7, 63, 64, 65, 300))
            piece = BLOCK[at : at + size]
            at = (at + len(piece)) % len(BLOCK)
            if dice.random() < 0.5:
                sock.sendall(piece)
                count.sent += len(piece)
            else:
                took = sock.send(bytearray(piece) if dice.random() < 0.2 else piece)
                at = (at - len(piece) + took) % len(BLOCK)
                count.sent += took
            count.sends += 1


def receive(crowd: Crowd, count: Count, dice: random.Random, sock: socket.socket) -> None:
    """Receive in pieces of all sizes until the end, and check what comes."""
    at = 0
    room = bytearray(500)
    with sock:
        while True:
            size = dice.choice((1, 3, 64, 100, 500))
            data = sock.recv(size) if dice.random() < 0.7 else bytes(room[: sock.recv_into(room, size)])
            count.receives += 1
            if not data:
                break
            expected = (
                (BLOCK + BLOCK[:1000])[at : at + len(data)]
                if at + len(data) > len(BLOCK)
                else BLOCK[at : at + len(data)]
            )
            if data != expected:
                count.errors.append("the bytes themselves are wrong")
                break
            at = (at + len(data)) % len(BLOCK)
            count.received += len(data)


def connect(crowd: Crowd, count: Count, dice: random.Random, address: tuple[str, int]) -> None:
    """Connections, one after the other: something is sent, an echo read, both ends closed."""
    while not crowd.stop.is_set() and count.connections < MOST // 10:
        with socket.create_connection(address, timeout=DEADLINE) as sock:
            count.connections += 1
            size = dice.choice((1, 65, 300))
            sock.sendall(BLOCK[:size])
            count.sends += 1
            count.sent += size
            sock.shutdown(socket.SHUT_WR)
            got = 0
            while data := sock.recv(100):
                count.receives += 1
                got += len(data)
            count.receives += 1
            count.received += got
            if got != size:
                count.errors.append(f"{got} of {size} bytes came back")


def serve(crowd: Crowd, count: Count, dice: random.Random, listener: socket.socket) -> None:
    """Accept and echo, until the listener is shut."""
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            return
        with conn:
            conn.settimeout(DEADLINE)
            count.connections += 1
            while data := conn.recv(70):
                count.receives += 1
                count.received += len(data)
                conn.sendall(data)
                count.sends += 1
                count.sent += len(data)
            count.receives += 1


def pairs(crowd: Crowd, number: int) -> None:
    """`number` pairs of threads with a connection between them, of three kinds in turn."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for n in range(number):
            if n % 3:
                left, right = socket.socketpair()
            else:
                left = socket.create_connection(listener.getsockname())
                right, _ = listener.accept()
            for sock in (left, right):
                sock.settimeout(DEADLINE)
            crowd.add(f"sender {n}", send, left)
            crowd.add(f"receiver {n}", receive, right)


def hold_against(crowd: Crowd, t: Trace) -> None:
    """What the trace says must be what the threads say."""
    events = list(t.events)
    seen: dict[str, Count] = {name: Count() for name in crowd.counts}
    for event in events:
        if event.thread in seen and event.inside is None:
            assert event.failure is None or event.call == "accept", event
            count = seen[event.thread]
            if event.direction == "out":
                count.sends += 1
                count.sent += event.size or 0
            elif event.direction == "in":
                count.receives += 1
                count.received += event.size or 0
            elif event.call in ("create_connection", "accept") and event.failure is None:
                count.connections += 1
    for name, count in crowd.counts.items():
        assert seen[name] == count, name
    every_byte(events)


def every_byte(events: list[Event]) -> None:
    """Each received byte was sent, in the call and at the place where the trace says; none is told twice."""
    by_number = {event.number: event for event in events}
    used: Counter[int] = Counter()
    for event in events:
        if event.direction != "in" or not event.size or event.inside is not None:
            continue
        data = event.data
        assert data is not None
        at = 0
        for piece in event.pieces:
            source = by_number[piece.sent]
            assert source.number < event.number
            assert source.end is not None
            assert event.end is not None
            assert source.end.other == event.end.name
            assert piece.received == event.number
            assert piece.at == at
            assert source.data is not None
            assert source.data[piece.start : piece.stop] == data[at : at + len(piece)], event
            at += len(piece)
            used[piece.sent] += len(piece)
        assert at == event.size == len(data), f"{event} has bytes that nobody sent"
    for number, size in used.items():
        sent = by_number[number].size
        assert sent is not None
        assert size <= sent


def looks() -> list[tuple[str, int]]:
    return [(name, id(value)) for name, value in vars(socket.socket).items()]


@pytest.mark.slow
class TestFiftyThreads:
    def test_streams_and_connections(self):
        """Fifteen pairs that talk, twelve threads that connect, eight that accept."""
        before = looks()
        crowd = Crowd()
        with trace(events=20_000_000, payload=ALL) as t:
            recorder = current()
            pairs(crowd, 15)
            with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
                for n in range(12):
                    crowd.add(f"client {n}", connect, listener.getsockname())
                served = Crowd()
                for n in range(8):
                    served.add(f"server {n}", serve, listener)
                for thread in served.threads:
                    thread.start()
                crowd.run()
                listener.shutdown(socket.SHUT_RDWR)  # close() alone would wake nobody
                for thread in served.threads:
                    thread.join(DEADLINE)
                    assert not thread.is_alive()
        assert looks() == before
        assert recorder is not None
        assert not recorder.faults
        crowd.counts |= served.counts
        assert len(crowd.counts) == 50
        hold_against(crowd, t)
        assert len(t) > 5_000  # else nobody was in a hurry
        accepted = [e.call for e in t.events if e.call == "accept" and e.thread.startswith("server") and not e.failure]
        assert len(accepted) == sum(c.connections for name, c in crowd.counts.items() if name.startswith("client"))

    def test_traces_that_come_and_go(self):
        """Three threads open and close traces, nested ones too; each trace has exactly what its thread did inside."""
        before = looks()
        crowd = Crowd(SECONDS / 2)
        rounds: Counter[str] = Counter()

        def visitor(crowd: Crowd, count: Count, dice: random.Random, name: str) -> None:
            left, right = socket.socketpair()
            with left, right:

                def talk(times: int) -> list[tuple[str, bytes | None]]:
                    done: list[tuple[str, bytes | None]] = []
                    for n in range(times):
                        data = f"{name} {rounds[name]} {n}".encode()
                        left.sendall(data)
                        done += [("sendall", data), ("recv", right.recv(99))]
                    return done

                def mine(t: Trace) -> list[tuple[str, bytes | None]]:
                    return [
                        (e.call, e.data)
                        for e in t.events
                        if e.thread in (name, "main") and e.data and name.encode() in e.data
                    ]

                while not crowd.stop.is_set() and rounds[name] < 200:
                    talk(dice.randrange(3))
                    with trace(payload=1 << 16) as outer:
                        first = talk(dice.randrange(9))
                        with trace() as inner:
                            second = talk(dice.randrange(9))
                        third = talk(dice.randrange(9))
                        assert mine(inner) == second, name
                    talk(dice.randrange(3))
                    assert mine(outer) == first + second + third, name
                    every_byte([e for e in inner.events if e.end is not None and e.data and name.encode() in e.data])
                    rounds[name] += 1

        pairs(crowd, 3 if not THOROUGH else 20)
        for n in range(3):
            crowd.add(f"visitor {n}", visitor, f"visitor {n}")
        crowd.run()
        assert looks() == before
        assert current() is None
        assert min(rounds.values()) > 0
        assert len(rounds) == 3

    def test_one_socket_for_many_threads(self):
        """All send into one socket and all receive from its peer: who got whose bytes is still known to the byte."""
        crowd = Crowd(SECONDS / 2)
        left, right = socket.socketpair()
        left.settimeout(DEADLINE)
        right.settimeout(DEADLINE)

        def shout(crowd: Crowd, count: Count, dice: random.Random) -> None:
            while not crowd.stop.is_set() and count.sends < MOST:
                count.sent += left.send(BLOCK[: dice.choice((1, 5, 64))])
                count.sends += 1

        def listen(crowd: Crowd, count: Count, dice: random.Random) -> None:
            while True:
                data = right.recv(dice.choice((1, 10, 100)))
                count.receives += 1
                count.received += len(data)
                if not data:
                    return

        ears = Crowd()
        for n in range(25):
            crowd.add(f"sender {n}", shout)
            ears.add(f"receiver {n}", listen)
        with left, right, trace(payload=ALL, events=20_000_000) as t:
            for thread in ears.threads:
                thread.start()
            crowd.run()
            left.shutdown(socket.SHUT_WR)
            for thread in ears.threads:
                thread.join(DEADLINE)
                assert not thread.is_alive()
        assert len(t.ends) == 2, "two threads that saw a socket for the first time made two of it"
        seen: Counter[str] = Counter()
        for event in t.events:
            if event.direction:
                seen[event.thread] += event.size or 0
        for name, count in {**crowd.counts, **ears.counts}.items():
            assert seen[name] == count.sent + count.received, name
        received = [event for event in t.events if event.direction == "in"]
        assert sum(map(len, (piece for event in received for piece in event.pieces))) == sum(
            event.size or 0 for event in received
        )


def child(program: str) -> list[str]:
    """Run a program in a process of its own, whose memory nobody else uses; the words that it printed."""
    root = str(Path(socketlab.trace.__file__).parent.parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


BYTES_AN_EVENT = """
import gc, socket, tracemalloc
from socketlab.trace import trace
left, right = socket.socketpair()
with trace(events=2_000_000) as t:
    left.send(b"x"), right.recv(1)
    gc.collect()
    tracemalloc.start()
    for _ in range(COUNT // 2):
        left.send(b"x")
        right.recv(1)
    print(tracemalloc.get_traced_memory()[0] / COUNT)
    tracemalloc.stop()
print(len(t))
"""

BOUNDED_PAYLOAD = """
import gc, socket, tracemalloc
from socketlab.trace import trace
left, right = socket.socketpair()
with trace(payload=1_000_000) as t:
    left.send(b"x"), right.recv(1)
    gc.collect()
    tracemalloc.start()
    for n in range(1000):
        left.sendall(n.to_bytes(4, "big") * 10_000)
        while right.recv_into(bytearray(40_000)) == 40_000 // 7:
            pass
    print(tracemalloc.get_traced_memory()[0])
events = list(t.events)
print(sum(len(e.data) for e in events if e.data), sum(e.size for e in events if e.direction == "out"))
print(sum(e.cut for e in events), len(events[-1].data), events[-2].size)
"""


@pytest.mark.slow
class TestMemory:
    def test_bytes_an_event(self):
        """At most 150 for a call of one byte, all that the trace needs for it included."""
        count = 1_000_000 if THOROUGH else 200_000
        size, number = child(BYTES_AN_EVENT.replace("COUNT", str(count)))
        assert float(size) <= 150
        assert int(number) == count + 2

    def test_payload_is_bounded(self):
        """40 MB go through; a megabyte is kept, and of the rest the size and the beginning."""
        grown, kept, sent, cut, beginning, size = map(int, child(BOUNDED_PAYLOAD))
        assert sent == 40_000_001
        assert size == 40_000
        assert kept <= 1_000_000 + 64 * 3_000
        assert grown <= 1_000_000 + 64 * 3_000 + 400 * 3_000
        assert cut > 1_900
        assert beginning == 64

    def test_calls_are_bounded(self):
        """Beyond the limit nothing more is recorded, memory does not grow, and the trace says so."""
        program = BYTES_AN_EVENT.replace("events=2_000_000", "events=10_000").replace("COUNT", "100_000")
        said = child(program + "\nprint(t.text())")
        recorded = int(said[1])
        assert 10_000 <= recorded <= 10_000 + CHUNK // SLOTS  # it counts when a list is put aside
        assert float(said[0]) * 100_000 <= 150 * (recorded + CHUNK // SLOTS)
        assert "stopped" in said, "the text does not say that recording stopped"

    def test_nothing_is_left(self):
        """A trace that is dropped takes all that it held along."""
        left, right = socket.socketpair()

        def look_and_drop(times: int) -> int:
            for _ in range(times):
                with trace() as t:
                    left.send(b"x" * 100)
                    right.recv(100)
                assert len(t.events) == 2
                t.text()
            del t
            gc.collect()
            return len(gc.get_objects())

        with left, right:
            look_and_drop(5)
            before = look_and_drop(5)
            assert look_and_drop(50) <= before + 50
        assert current() is None


def test_a_long_trace_can_be_looked_at_while_it_runs():
    """Somebody who looks every moment neither stops the threads nor sees half a call."""
    crowd = Crowd(SECONDS / 2)
    pairs(crowd, 3)
    with trace(payload=ALL) as t:
        deadline = time.monotonic() + DEADLINE
        for thread in crowd.threads:
            thread.start()
        last = 0
        stopper = threading.Timer(crowd.seconds, crowd.stop.set)
        stopper.start()
        while not crowd.stop.is_set() and time.monotonic() < deadline:
            events = list(t.events)
            assert len(events) >= last
            last = len(events)
        stopper.join()
        for thread in crowd.threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()
    hold_against(crowd, t)
