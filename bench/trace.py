"""What a trace costs: nanoseconds of a call, a ping-pong with both ends traced, bytes of memory, and nothing at all.

The added time of a call is a difference, not a ratio: it is the same 0.5 µs whether `send` takes one microsecond or a
hundred. So it is measured as one: batches of a hundred calls on a socket pair, with a trace and without in turn, and
the median of the differences of neighbours. Draining the other end is not timed.
"""

from __future__ import annotations

import _socket
import gc
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any

from socketlab.trace import trace

from .pairing import Paired, paired, percentile

ROOT = Path(__file__).resolve().parent.parent
BATCH = 100
MOST = 200_000_000  # bytes of payload: it must not be the limit that makes it cheap


class Added(tuple[float, ...]):
    """Seconds that ours took more than the base, round by round."""

    @property
    def median(self) -> float:
        return statistics.median(self)

    def __str__(self) -> str:
        low, _, high = statistics.quantiles(self, n=4, method="inclusive")
        return f"{self.median * 1e9:.0f} ns ({low * 1e9:.0f} to {high * 1e9:.0f})"


def added(base: Callable[[], float], ours: Callable[[], float], rounds: int) -> tuple[Paired, Added]:
    """Both in turn, as `paired` does it, with the differences besides the ratios."""
    took: dict[str, list[float]] = {"base": [], "ours": []}

    def noted(name: str, measure: Callable[[], float]) -> Callable[[], float]:
        def run() -> float:
            took[name].append(measure())
            return took[name][-1]

        return run

    pair = paired(noted("base", base), noted("ours", ours), rounds)
    differences = [b - a for a, b in zip(took["base"], took["ours"], strict=True)]
    return pair, Added(differences[1:])  # the first of each was to warm up


def sends(sock: socket.socket, peer: socket.socket, count: int) -> float:
    """Seconds of one ``send(b"x")``: of the median batch, for the others were interrupted by somebody."""
    took = []
    for _ in range(count // BATCH):
        begin = perf_counter()
        for _ in range(BATCH):
            sock.send(b"x")
        took.append(perf_counter() - begin)
        _socket.socket.recv(peer, BATCH)  # the C class's own method, which no trace replaces
    return statistics.median(took) / BATCH


def receives(sock: socket.socket, peer: socket.socket, count: int) -> float:
    """Seconds of one ``recv(1)`` with a byte waiting, of the median batch."""
    took = []
    for _ in range(count // BATCH):
        _socket.socket.send(peer, b"x" * BATCH)
        begin = perf_counter()
        for _ in range(BATCH):
            sock.recv(1)
        took.append(perf_counter() - begin)
    return statistics.median(took) / BATCH


@contextmanager
def quiet_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def calls(rounds: int, count: int = 10_000) -> list[tuple[str, Paired, Added]]:
    """send and recv of one byte, traced and not, and as a control untraced against untraced."""
    rows = []
    with quiet_pair() as (left, right):
        for name, work in (("send", sends), ("recv", receives)):

            def block(traced: bool, work: Any = work) -> float:
                gc.collect()
                with trace(payload=MOST) if traced else nullcontext():
                    work(left, right, BATCH)  # who they are is found out once; not timed
                    return float(work(left, right, count))

            rows.append((f"{name}, control (untraced)", *added(lambda: block(False), lambda: block(False), rounds)))
            rows.append((f"{name}, traced", *added(lambda: block(False), lambda: block(True), rounds)))
    return rows


# -- both ends traced --------------------------------------------------------------------------------------------------


def answer(sock: socket.socket) -> None:
    """The other end of a ping-pong: what comes is sent back, until the end."""
    with sock:
        while data := sock.recv(65536):
            sock.sendall(data)


@contextmanager
def ping_pong() -> Iterator[socket.socket]:
    """A client whose peer answers in a thread, over TCP on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        conn, _ = listener.accept()
    for sock in (client, conn):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    thread = threading.Thread(target=answer, args=(conn,))
    thread.start()
    with closing(client):
        yield client
        client.shutdown(socket.SHUT_WR)
        client.recv(1)
    thread.join()


def rounds_of(client: socket.socket, size: int, count: int) -> float:
    """The median of `count` round trips of `size` bytes, in seconds."""
    payload, samples = b"x" * size, []
    for _ in range(count):
        begin = perf_counter()
        client.sendall(payload)
        client.recv(65536)
        samples.append(perf_counter() - begin)
    return percentile(samples, 0.5)


def round_trips(size: int, rounds: int, count: int = 3000) -> tuple[Paired, Paired]:
    """A ping-pong traced at both ends against the same one untraced; and untraced against untraced."""
    with ping_pong() as client:

        def block(traced: bool) -> float:
            gc.collect()
            with trace(payload=MOST) if traced else nullcontext():
                rounds_of(client, size, 20)  # the thread's first recv began before the trace
                return rounds_of(client, size, count)

        control = paired(lambda: block(False), lambda: block(False), rounds)
        return control, paired(lambda: block(False), lambda: block(True), rounds)


# -- no trace open -----------------------------------------------------------------------------------------------------


def untouched(rounds: int, traces: int = 30) -> Paired:
    """A send before any trace and after `traces` of them, in processes of their own; asserts that nothing is left."""
    program = """
import os, socket, sys, _socket
from bench.trace import sends
from socketlab.trace import trace
before = [(name, id(value)) for name, value in vars(socket.socket).items()]
left, right = socket.socketpair()
for _ in range(int(sys.argv[1])):
    with trace():
        left.send(b"x")
        right.recv(1)
assert [(name, id(value)) for name, value in vars(socket.socket).items()] == before
assert socket.socket.send is _socket.socket.send and socket.socket.recv is _socket.socket.recv
sends(left, right, 1000)
print(min(sends(left, right, 5000) for _ in range(5)))
"""

    def block(times: int) -> float:
        command = [sys.executable, "-c", program, str(times)]
        return float(subprocess.check_output(command, cwd=ROOT, text=True))

    return paired(lambda: block(0), lambda: block(traces), rounds)


# -- beside it: strace -------------------------------------------------------------------------------------------------

ALONE = """
from bench.trace import ping_pong, rounds_of
with ping_pong() as client:
    rounds_of(client, 1, 50)
    print(rounds_of(client, 1, {}))
"""


def under_strace(rounds: int, count: int = 1000) -> Paired | str:
    """The same ping-pong in a process of its own, under ``strace -f -e trace=network`` and without; or why not."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed (Debian: apt install strace)"
    program = [sys.executable, "-c", ALONE.format(count)]
    around = [strace, "-f", "-qq", "-e", "trace=network", "-o", os.devnull]

    def block(command: list[str]) -> float:
        return float(subprocess.check_output(command, cwd=ROOT, text=True, stderr=subprocess.PIPE))

    try:
        block(around + program)
    except subprocess.CalledProcessError as error:
        return f"strace cannot attach here: {error.stderr.strip()[:100]}"
    return paired(lambda: block(program), lambda: block(around + program), rounds)


# -- memory, and a million calls ---------------------------------------------------------------------------------------


def bytes_an_event(count: int = 1_000_000) -> float:
    """Bytes that a trace grows by for each call of one byte, by tracemalloc, in a process of its own."""
    program = f"""
import gc, socket, tracemalloc
from socketlab.trace import trace
left, right = socket.socketpair()
with trace(events={2 * count}) as t:
    left.send(b"x"), right.recv(1)
    gc.collect()
    tracemalloc.start()
    for _ in range({count // 2}):
        left.send(b"x")
        right.recv(1)
    print(tracemalloc.get_traced_memory()[0] / {count})
"""
    return float(subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True))


def shown(count: int = 1_000_000) -> dict[str, float]:
    """Seconds for each view of a trace of `count` calls, the first included, which puts them in order."""
    found: dict[str, float] = {}
    with quiet_pair() as (left, right), trace(events=2 * count) as t:
        begin = time.perf_counter()
        for _ in range(count // 2):
            left.send(b"x")
            right.recv(1)
        found["recorded"] = time.perf_counter() - begin
    assert len(t.events) == count
    t._told = None  # what has been put in order for the line above is to be timed as well
    views: dict[str, Callable[[], object]] = {
        "put in order": lambda: t.events,
        "text": t.text,
        "ladder": lambda: t.ladder()._repr_mimebundle_(),
        "timeline": lambda: t.timeline()._repr_mimebundle_(),
        "table": lambda: t.table()._repr_html_(),
    }
    for name, view in views.items():
        begin = time.perf_counter()
        view()
        found[name] = time.perf_counter() - begin
    return found
