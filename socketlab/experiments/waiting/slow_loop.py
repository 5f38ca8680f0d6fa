"""An echo server with a loop, a few clients, and one handler that takes its time: who waits for whom?

Each client sends, waits for its echo, rests, and sends again, until the first one has done so as often as it is to.
What that one says is expensive: its handler sleeps, which is what a loop must never do, and meanwhile the words of the
others lie in the kernel's buffers, unheard. The loop itself notes when it waited in select and for whom it worked, and
each client when it waited: no trace is opened, so that a panel can run this beside the cells.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from ...interrupts import Uninterrupted
from ...measure.spans import Span
from ...measure.timing import Timing
from ..running import Steps, run
from ..wanted import seconds, whole
from .loop_turns import WAITING, LoopGantt

THREAD = "the loop"
LISTENER = "listener"
SLOW = "client 1"  # the one whose words are expensive
REST = 0.015  # seconds between an echo and the client's next message
LONG_REST = 0.06  # the same of the slow one, so that the loop is seen without it
LIMIT = 10.0  # seconds: every call of a client ends by then
_LOOK = 0.03  # seconds between two yields


@dataclass(frozen=True, repr=False)
class SlowLoop:
    """`gantt` is what the loop did, `trips` the round trips of each client that has finished, the slow one first.

    `waits` is when each client waited for an echo, from its send to the return of its recv: a lane for each client, in
    seconds on the same axis as `gantt`. Client 1 is the slow one.
    """

    slow: float
    gantt: LoopGantt
    trips: tuple[Timing, ...] = ()
    waits: tuple[Span, ...] = ()

    @property
    def others(self) -> tuple[float, ...]:
        """Seconds that the quick clients waited, each time that one of them did."""
        return tuple(wait.duration for wait in self.waits if wait.lane != SLOW)

    def __repr__(self) -> str:
        return f"<SlowLoop, {len(self.gantt.rows)} rows>"


@dataclass
class Notes:
    """What the loop and the clients write down; lists, to which threads may append. Seconds since the beginning."""

    slow: float
    began: float = field(default_factory=time.perf_counter)
    over: threading.Event = field(default_factory=threading.Event)  #: ends a sleeping handler at once
    names: dict[Any, str] = field(default_factory=dict)  #: of the clients, by the addresses of their ends
    work: list[tuple[Any, float, float]] = field(default_factory=list)  #: for whom, from when, to when
    waits: list[Span] = field(default_factory=list)

    def now(self) -> float:
        return time.perf_counter() - self.began

    def result(self, trips: tuple[Timing, ...] = ()) -> SlowLoop:
        """All that has been written down until now."""
        work = tuple(self.work)
        spans = tuple(Span(self.names.get(who, str(who)), "", a, b, who == WAITING) for who, a, b in work)
        turns = sum(span.lane == WAITING for span in spans)
        return SlowLoop(self.slow, LoopGantt(spans, turns), trips, tuple(self.waits))


def serve_in_a_loop(listener: socket.socket, bell: socket.socket, notes: Notes) -> None:
    """Echo to everybody, one turn after the other, until a byte comes from `bell`; b"slow" takes its time."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(bell, selectors.EVENT_READ)
        began = notes.now()
        try:
            while True:
                ready = selector.select()
                began, before = notes.now(), began
                notes.work.append((WAITING, before, began))
                for key, _ in ready:
                    if key.fileobj is bell:
                        return
                    if key.fileobj is listener:
                        conn, _ = listener.accept()
                        selector.register(conn, selectors.EVENT_READ, conn.getpeername())
                    else:
                        conn = key.fileobj  # type: ignore[assignment]
                        data = conn.recv(100)
                        if data == b"slow":
                            notes.over.wait(notes.slow)  # a sleep; nobody wakes it but Stop
                        if data:
                            conn.sendall(data)
                        else:
                            selector.unregister(conn)
                            conn.close()
                    began, before = notes.now(), began
                    notes.work.append((key.data or LISTENER, before, began))
        finally:
            for key in selector.get_map().values():
                if key.fileobj not in (listener, bell):
                    key.fileobj.close()  # type: ignore[union-attr]


def slow_loop(clients: int = 4, messages: int = 3, slow: float = 0.05) -> SlowLoop:
    """Let `clients` talk to a loop whose handler takes `slow` seconds for each of the first one's `messages`.

    Raises ValueError for clients out of 1 to 20, messages out of 1 to 100, or slow out of 0 to 1 second.
    """
    return run(slow_loop_steps(clients, messages, slow), "a loop with a slow handler")


def slow_loop_steps(clients: int = 4, messages: int = 3, slow: float = 0.05) -> Steps[SlowLoop]:
    """`slow_loop` step by step: what the loop has done so far."""
    whole("clients", clients, 1, 20, "clients")
    whole("messages", messages, 1, 100, "messages")
    return _steps(clients, messages, seconds("slow", slow, 1.0))


def _steps(clients: int, messages: int, slow: float) -> Steps[SlowLoop]:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        button, bell = socket.socketpair()
        stack.enter_context(button)
        stack.enter_context(bell)
        notes = Notes(slow)
        loop = _start(serve_in_a_loop, listener, bell, notes, name=THREAD)
        # Backwards: the clients leave, then the bell rings, then the loop ends, and then the sockets close.
        stack.callback(loop.join)
        stack.callback(button.send, b"!")
        stack.callback(notes.over.set)
        address = listener.getsockname()
        ends = [stack.enter_context(socket.create_connection(address, timeout=LIMIT)) for _ in range(clients)]
        notes.names |= {end.getsockname(): f"client {n}" for n, end in enumerate(ends, 1)}
        leaving = threading.Event()
        trips: dict[int, Timing] = {}
        threads: list[threading.Thread] = []
        stack.callback(_all_leave, leaving, ends, threads)
        for n, end in enumerate(ends):
            threads.append(_start(_converse, n, end, messages, leaving, trips, notes, name=f"client {n + 1}"))
        length = messages * (slow + LONG_REST)
        began = time.perf_counter()
        while threads[0].is_alive():
            threads[0].join(_LOOK)
            share = (time.perf_counter() - began) / length
            yield min(0.99, share), notes.result()
        leaving.set()  # the others end after the echo that they wait for
        for thread in threads:
            thread.join()
        yield 1.0, notes.result(tuple(trips[number] for number in sorted(trips)))


def _start(target: Callable[..., None], *args: Any, name: str) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, name=name, daemon=True)
    with Uninterrupted():
        thread.start()
    return thread


def _all_leave(leaving: threading.Event, ends: list[socket.socket], threads: list[threading.Thread]) -> None:
    leaving.set()
    for end in ends:
        try:
            end.shutdown(socket.SHUT_RDWR)  # wakes the client that waits for its echo
        except OSError:  # the other end has left already
            pass
    for thread in threads:
        thread.join()


def _converse(
    number: int,
    end: socket.socket,
    messages: int,
    leaving: threading.Event,
    trips: dict[int, Timing],
    notes: Notes,
) -> None:
    """What a client does: say something, wait for the echo, rest. Number 0 is the slow one."""
    name = f"client {number + 1}"
    say, rest = (b"slow", LONG_REST) if number == 0 else (b"quick", REST)
    samples: list[float] = []
    try:
        while number or len(samples) < messages:
            began = notes.now()
            end.sendall(say)
            if not end.recv(100):
                break
            answered = notes.now()
            samples.append(answered - began)
            notes.waits.append(Span(name, "", began, answered))
            if leaving.wait(rest):
                break
    except OSError:  # shut down, when the experiment is stopped
        pass
    if samples:
        trips[number] = Timing(tuple(samples), name)
