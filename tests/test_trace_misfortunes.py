"""What can go wrong around a trace: whatever it is, the class is as it was before, and the message says what happened.

What might hang, die, or leave the class changed runs in a process of its own.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import select
import selectors
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from share import THOROUGH

import socketlab.trace
from socketlab import tcp_server
from socketlab.handlers import echo
from socketlab.trace import Trace, trace
from socketlab.trace.recorder import current

DEADLINE = 10.0  # s, of every blocking call
ROOT = Path(socketlab.trace.__file__).parent.parent.parent

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork is missing")
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks into a process through /proc")


def looks() -> list[tuple[str, int]]:
    return [(name, id(value)) for place in (socket.socket, select, socket) for name, value in vars(place).items()]


@pytest.fixture(autouse=True)
def the_class_is_restored() -> Iterator[None]:
    """Whatever a test here does, everything is as before it."""
    before = [entry for entry in looks() if entry[0] != "__warningregistry__"]
    yield
    gc.collect()
    assert current() is None
    assert [entry for entry in looks() if entry[0] != "__warningregistry__"] == before


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(DEADLINE)
        right.settimeout(DEADLINE)
        yield left, right


def child(program: str, *, limit: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run a program; it finds socketlab where this process does."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", BEGINNING + program],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )


BEGINNING = """
import faulthandler, gc, os, select, signal, socket, sys, threading, time, warnings
from socketlab.trace import trace
from socketlab.trace.recorder import current
faulthandler.dump_traceback_later(40, exit=True)
signal.signal(signal.SIGINT, signal.default_int_handler)
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: fork beside threads
ORIGINAL = [(name, id(value)) for name, value in vars(socket.socket).items()]

def restored():
    return current() is None and [(name, id(value)) for name, value in vars(socket.socket).items()] == ORIGINAL

left, right = socket.socketpair()
for sock in (left, right):
    sock.settimeout(10)
"""


def said(program: str, **more: Any) -> list[str]:
    done = child(program, **more)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


def moved(t: Trace) -> list[tuple[str, bytes | None]]:
    return [(event.call, event.data) for event in t.events if event.direction]


# -- opening and closing -----------------------------------------------------------------------------------------------


class TestItsLife:
    def test_the_cell_raises(self, pair):
        with pytest.raises(ZeroDivisionError), trace() as t:
            pair[0].send(b"x")
            1 / 0  # noqa: B018
        assert not t.is_open
        assert moved(t) == [("send", b"x")]

    def test_left_open_by_a_cell_that_raised(self, pair):
        """Opened by hand, never closed: the next trace works, and closing the first one restores the class."""
        left, right = pair
        t = trace()
        t.open()
        left.send(b"one")
        with trace() as other:
            right.recv(9)
        assert other.events[0].call == "recv"
        assert "recv" in vars(socket.socket)
        t.close()
        assert "recv" not in vars(socket.socket)
        assert moved(t) == [("send", b"one"), ("recv", b"one")]

    def test_forgotten_while_open(self, pair):
        t = trace()
        t.open()
        pair[0].send(b"x")
        del t
        gc.collect()
        assert "recv" not in vars(socket.socket)

    def test_opened_twice(self):
        t = trace()
        t.open()
        with pytest.raises(RuntimeError, match=r"make another one"):
            t.open()
        assert t.is_open
        t.close()
        with pytest.raises(RuntimeError, match=r"records once"), t:
            pass

    def test_closed_twice_and_unopened(self, pair):
        t = trace()
        t.close()
        with t:
            pair[0].send(b"x")
            t.close()
            t.close()
            pair[0].send(b"not recorded")
        t.close()
        assert moved(t) == [("send", b"x")]

    def test_closed_in_another_order(self, pair):
        left, right = pair
        outer, inner = trace(), trace()
        outer.open()
        left.send(b"1")
        inner.open()
        left.send(b"2")
        outer.close()
        left.send(b"3")
        assert "send" in vars(socket.socket)
        inner.close()
        assert "send" not in vars(socket.socket)
        right.recv(9)
        assert moved(outer) == [("send", b"1"), ("send", b"2")]
        assert moved(inner) == [("send", b"2"), ("send", b"3")]

    def test_opened_in_one_thread_closed_in_another(self, pair):
        left, right = pair
        t = trace()
        opener = threading.Thread(target=t.open)
        opener.start()
        opener.join(DEADLINE)
        left.send(b"hello")
        right.recv(9)
        closer = threading.Thread(target=t.close)
        closer.start()
        closer.join(DEADLINE)
        assert moved(t) == [("send", b"hello"), ("recv", b"hello")]

    @pytest.mark.parametrize("limits", [{"events": -1}, {"payload": -1}, {"events": "many"}, {"payload": 1.5}], ids=str)
    def test_wrong_limits(self, limits):
        with pytest.raises(ValueError, match=rf"{next(iter(limits))} must be a number from 0 up, not "):
            trace(**limits)

    def test_an_error_while_it_closes(self, pair, monkeypatch):
        """Whatever goes wrong in there, the class is restored, and the error of the cell itself is not lost."""
        from socketlab.trace.recorder import Lane

        def broken(*args: Any) -> Any:
            raise MemoryError("no room")

        with pytest.raises(MemoryError) as caught, trace():
            monkeypatch.setattr(Lane, "between", broken)
            pair[0].send(b"x")
            raise KeyError("the cell's own")
        monkeypatch.undo()
        assert isinstance(caught.value.__context__, KeyError)
        assert "recv" not in vars(socket.socket)

    def test_the_interpreter_exits_with_a_trace_open(self):
        assert said("t = trace(); t.open(); left.send(b'x'); print(len(t.events))") == ["1"]

    def test_the_interpreter_exits_inside_a_with_block(self):
        done = child("with trace() as t:\n    left.send(b'x')\n    sys.exit('over')")
        assert done.returncode == 1
        assert done.stderr == "over\n"

    def test_the_interpreter_exits_while_daemons_use_sockets(self):
        """Daemon threads go on while the modules are taken down around them, and so does the trace."""
        program = """
def work(a, b):
    while True:
        a.send(b"x")
        b.recv(1)

t = trace()
t.open()
for n in range(5):
    threading.Thread(target=work, args=socket.socketpair(), daemon=True).start()
while len(t.events) < 1000:
    time.sleep(0.01)
print("enough")
"""
        for _ in range(3):
            done = child(program)
            assert (done.returncode, done.stdout, done.stderr) == (0, "enough\n", "")


# -- interrupts --------------------------------------------------------------------------------------------------------

RAIN = """
main, begun, over = threading.get_ident(), threading.Event(), threading.Event()
dice = __import__("random").Random(SEED)

def rain():
    begun.wait()
    while not over.wait(dice.uniform(0.0001, 0.003)):
        signal.pthread_kill(main, signal.SIGINT)

def here():
    return sys._getframe(1).f_lineno

def ring(number, frame):
    '''An interrupt, wherever the lines that are tried have led; what comes in the others would end the program.'''
    while frame.f_back is not None:
        frame = frame.f_back
    if first <= frame.f_lineno <= last:
        raise KeyboardInterrupt

def drain():
    '''What was sent before an interrupt and not received after it; a few hundred bytes would fill the queue.'''
    while select.select([right], [], [], 0)[0]:
        right.recv(1000)

rounds = arrived = first = last = 0
signal.signal(signal.SIGINT, ring)
drops = threading.Thread(target=rain)
drops.start()
end = time.monotonic() + SECONDS
try:
    begun.set()
    while time.monotonic() < end:
        first, last = here() + 2, here() + 9
        try:
            while time.monotonic() < end:
                rounds += 1
                with trace() as outer, trace() as inner:
                    left.send(b"x")
                    right.recv(1)
                t = trace()
                t.open()
                t.close()
        except KeyboardInterrupt:
            arrived += 1
            t = outer = inner = None
        drain()
finally:
    over.set()
    drops.join()
t = outer = inner = None
gc.collect()
drain()
print(restored(), arrived > 20, rounds > 20, rounds, arrived)
with trace() as t:
    left.send(b"y")
print([e.data for e in t.events if e.call == "send"], restored())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs signals")
@pytest.mark.parametrize("seed", range(6 if THOROUGH else 2))
def test_interrupts_rain(seed):
    """Ctrl-C at any moment of opening and closing: afterwards the class is the original, and the next trace works."""
    done = child(RAIN.replace("SEED", str(seed)).replace("SECONDS", "4" if THOROUGH else "1.5"))
    assert done.returncode == 0, done.stderr
    found = done.stdout.split()  # in stderr Python may tell of an interrupt that hit a finalizer; that is its own
    assert found[:3] == ["True", "True", "True"], found
    assert found[-2:] == ["[b'y']", "True"]


# -- sockets that change their minds -----------------------------------------------------------------------------------


class TestSockets:
    def test_closed_by_another_thread(self):
        """shutdown() wakes a blocked recv; the trace tells it after the call that woke it, and by the right end."""
        with trace() as t:
            left, right = socket.socketpair()
            got: list[bytes] = []
            thread = threading.Thread(target=lambda: got.append(left.recv(9)))
            thread.start()
            wait_until_blocked(thread)
            left.shutdown(socket.SHUT_RDWR)
            left.close()
            thread.join(DEADLINE)
            right.close()
        assert got == [b""]
        calls = [(e.call, e.end.name if e.end else None) for e in t.events]
        assert calls.index(("shutdown", "left")) < calls.index(("recv", "left"))

    def test_accept_on_a_listener_that_another_thread_closes(self):
        errors: list[OSError] = []

        def serve(listener: socket.socket) -> None:
            try:
                listener.accept()
            except OSError as error:
                errors.append(error)

        with trace() as t, socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve, args=(listener,))
            thread.start()
            wait_until_blocked(thread)
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(DEADLINE)
        (failed,) = [event for event in t.events if event.call == "accept"]
        assert failed.failure is not None
        assert failed.failure.code == errors[0].errno
        assert failed.end is not None
        assert failed.end.name == "listener"

    def test_a_descriptor_that_is_used_again(self):
        """The number comes back with the next socket; the two are different ends."""
        with trace() as t:
            numbers = set()
            for n in range(5):
                left, right = socket.socketpair()
                with left, right:
                    numbers.add(left.fileno())
                    left.send(str(n).encode())
                    right.recv(9)
        assert len(numbers) == 1, "the number did not come back: this tested nothing"
        assert len(t.ends) == 10
        sends = [event.end for event in t.events if event.call == "send"]
        assert len(set(sends)) == 5
        assert [e.data for e in t.events if e.call == "recv"] == [b"0", b"1", b"2", b"3", b"4"]

    def test_an_identity_that_is_used_again(self):
        """id() of a dead object comes back with the next one, which is another socket."""
        identities, count = set(), 300
        with trace() as t:
            for n in range(count):
                left, right = socket.socketpair()
                identities.add(id(left))
                left.send(n.to_bytes(2, "big"))
                right.recv(9)
                left.close()
                right.close()
                del left, right
        assert len(identities) < count / 2, "no identity came back: this tested nothing"
        assert len(t.ends) == 2 * count
        for event in t.events:
            if event.call == "recv":
                (piece,) = event.pieces
                assert t.events[piece.sent - 1].data == event.data

    def test_two_objects_for_one_socket(self, pair):
        left, right = pair
        with trace() as t:
            with left.dup() as twin, socket.socket(fileno=os.dup(left.fileno())) as third:
                left.send(b"1")
                twin.send(b"2")
                third.send(b"3")
            right.recv(9)
        ends = {event.end.name for event in t.events if event.call == "send" and event.end}
        assert len(ends) == 1
        (received,) = [event for event in t.events if event.call == "recv"]
        assert [len(piece) for piece in received.pieces] == [1, 1, 1]

    def test_one_object_for_two_sockets(self):
        """detach(), then __init__ again."""
        with trace() as t:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("127.0.0.1", 0))
            os.close(sock.detach())
            sock.__init__(socket.AF_INET, socket.SOCK_DGRAM)  # type: ignore[misc]
            sock.bind(("127.0.0.1", 0))
            sock.close()
        assert len({event.end for event in t.events if event.call == "bind"}) == 2

    def test_closed_behind_its_back(self):
        """os.close() of a socket's descriptor, and another socket that gets the number."""
        with trace() as t:
            left, right = socket.socketpair()
            os.close(left.fileno())
            with pytest.raises(OSError, match="Bad file descriptor"):
                left.send(b"x")
            other, peer = socket.socketpair()  # has left's number now
            other.send(b"y")
            assert peer.recv(9) == b"y"
            left.detach()
            for sock in (right, other, peer):
                sock.close()
        assert ("recv", b"y") in moved(t)
        assert t.text()

    def test_a_port_that_is_used_again(self):
        """Two connections with the same two addresses, one after the other: each keeps its own bytes."""
        with socket.create_server(("127.0.0.1", 0)) as listener, trace() as t:
            address: tuple[str, int] | None = None

            def connect(data: bytes) -> None:
                nonlocal address
                with socket.socket() as sock:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ONE_SHOT)  # a reset, no TIME_WAIT
                    sock.bind(address or ("127.0.0.1", 0))
                    address = sock.getsockname()
                    sock.connect(listener.getsockname())
                    sock.sendall(data)
                    with listener.accept()[0] as conn:
                        assert conn.recv(9) == data

            # In threads, because each has a log of its own, and nothing tells by itself which was before which.
            started = [threading.Thread(target=connect, args=(b"%d" % n,)) for n in range(6)]
            ready = threading.Thread(target=lambda: listener.getsockname(), name="last")
            for thread in (ready, *started):
                thread.start()
                thread.join(DEADLINE)
        received = [event for event in t.events if event.call == "recv"]
        assert sorted(event.data or b"" for event in received) == [b"%d" % n for n in range(6)]
        for event in received:
            (piece,) = event.pieces
            assert t.events[piece.sent - 1].data == event.data
            assert piece.sent < event.number

    def test_nothing_to_receive_is_no_piece(self, pair):
        left, right = pair
        with trace() as t:
            left.send(b"12345")
            right.recv(2)
            right.recv(0)
            right.recv(3)
        assert [len(piece) for event in t.events for piece in event.pieces if event.call == "recv"] == [2, 3]

    def test_calls_from_a_destructor(self):
        """__del__ may run at any allocation, also while something is written down, and may use sockets."""
        program = """
busy = False
def collected(phase, info):
    global busy
    if not busy and phase == "stop":
        busy = True
        left.send(b"c")
        busy = False

a, b = socket.socketpair()
with trace() as t:
    recorder = current()
    gc.callbacks.append(collected)
    gc.set_threshold(1)
    for _ in range(12_000):
        a.send(b"x")
        b.recv(1)
        right.setblocking(False)
        try:
            right.recv(1000)
        except BlockingIOError:
            pass
    gc.set_threshold(700)
    gc.callbacks.clear()
print(restored(), len(recorder.faults), sum(e.call == "send" and e.data == b"x" for e in t.events))
"""
        assert said(program) == ["True", "0", "12000"]

    def test_calls_from_a_signal_handler(self):
        """A handler runs between any two steps of the main thread, also of the trace's own."""
        program = """
a, b = socket.socketpair()
right.setblocking(False)
count = 0
busy = False
def handler(number, frame):
    global count, busy
    if busy:  # it may come again while it is at it
        return
    busy = True
    left.send(b"s")
    count += 1
    busy = False
    while True:
        try:
            right.recv(1000)
        except BlockingIOError:
            break

signal.signal(signal.SIGALRM, handler)
with trace() as t:
    recorder = current()
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    for _ in range(40_000):
        a.send(b"x")
        b.recv(1)
    signal.setitimer(signal.ITIMER_REAL, 0)
seen = [e.data for e in t.events if e.call == "send"]
print(restored(), len(recorder.faults), count > 20, seen.count(b"s") == count, seen.count(b"x"))
"""
        assert said(program) == ["True", "0", "True", "True", "40000"]


ONE_SHOT = b"\1\0\0\0\0\0\0\0"  # struct linger: on, 0 s


def wait_until_blocked(thread: threading.Thread) -> None:
    """Return when `thread` sleeps in the kernel (or after a while, where nobody can tell)."""
    import time

    path = Path(f"/proc/self/task/{thread.native_id}/stat")
    deadline = time.monotonic() + (DEADLINE if path.exists() else 0.2)
    calm = 0
    while time.monotonic() < deadline and calm < 5:
        calm = calm + 1 if path.exists() and path.read_text().rpartition(")")[2].split()[0] == "S" else 0
        time.sleep(0.005)


# -- processes ---------------------------------------------------------------------------------------------------------


def in_a_child(connection: Any) -> None:
    """Says whether the class is the original and no trace is open, then uses sockets."""
    left, right = socket.socketpair()
    with left, right:
        left.send(b"of the child")
        connection.send(("recv" in vars(socket.socket), current() is None, right.recv(99)))
    connection.close()


class TestProcesses:
    @forks
    def test_fork(self):
        """The child has the original class, and records nothing; the parent goes on."""
        program = """
with trace() as t:
    left.send(b"before")
    pid = os.fork()
    if pid == 0:
        here = restored()
        a, b = socket.socketpair()
        a.send(b"in the child")
        ok = here and b.recv(99) == b"in the child" and right.recv(6) == b"before"
        t.close()
        with trace() as own:
            a.send(b"traced by the child")
        ok = ok and [e.data for e in own.events] == [b"traced by the child"] and restored()
        os._exit(0 if ok else 1)
    _, status = os.waitpid(pid, 0)
    left.send(b"after")
    right.recv(99)
print(status, restored(), *[e.data.decode() for e in t.events if e.data])
"""
        assert said(program) == ["0", "True", "before", "after", "after"]

    @forks
    def test_fork_at_the_end_of_the_block(self):
        """The child leaves the ``with`` block as the parent does, and may look at the trace."""
        program = """
with trace() as outer, trace() as inner:
    left.send(b"x")
    pid = os.fork()
if pid == 0:
    os._exit(0 if restored() and len(inner.text()) > 0 and outer.is_open is False else 1)
print(os.waitpid(pid, 0)[1], restored(), len(inner))
"""
        assert said(program) == ["0", "True", "1"]

    @forks
    def test_fork_while_threads_are_busy(self):
        """Locks that others hold at that moment are not held in the child for ever."""
        program = """
over = threading.Event()
def work(a, b):
    while not over.is_set():
        a.send(b"x")
        b.recv(1)
        socket.socket().close()

def come_and_go():
    while not over.is_set():
        with trace():
            pass

threads = [threading.Thread(target=work, args=socket.socketpair()) for _ in range(4)]
threads += [threading.Thread(target=come_and_go) for _ in range(2)]
statuses = []
for thread in threads:
    thread.start()
for n in range(30):
    with trace() as t:
        pid = os.fork()
        if pid == 0:
            signal.alarm(10)
            with trace() as own:
                left.send(b"x")
                right.recv(1)
            os._exit(0 if len(own) >= 2 and restored() else 1)
    statuses.append(os.waitpid(pid, 0)[1])
over.set()
for thread in threads:
    thread.join()
print(set(statuses), restored())
"""
        assert said(program) == ["{0}", "True"]

    @pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
    def test_multiprocessing(self, method, pair):
        context = multiprocessing.get_context(method)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: fork beside threads
            with trace() as t:
                pair[0].send(b"before")
                here, there = context.Pipe()
                process = context.Process(target=in_a_child, args=(there,))
                process.start()
                there.close()
                try:
                    assert here.poll(DEADLINE * 3)
                    replaced, no_trace, data = here.recv()
                finally:
                    process.join(DEADLINE)
                pair[1].recv(9)
        here.close()
        assert (replaced, no_trace, data) == (False, True, b"of the child")
        assert process.exitcode == 0
        process.close()
        assert [data for _, data in moved(t) if data and b"child" in data] == []
        assert moved(t)[0] == ("send", b"before")
        assert ("recv", b"before") in moved(t)

    def test_subprocess(self, pair):
        with trace() as t:
            found = subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, text=True, check=True)
            pair[0].send(b"x")
        assert found.stdout == "1\n"
        assert moved(t) == [("send", b"x")]


@contextmanager
def one_warning(words: str) -> Iterator[list[warnings.WarningMessage]]:
    """In here there must be one warning, a RuntimeWarning that says these words."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
    assert [warning.category for warning in caught] == [RuntimeWarning]
    assert words in str(caught[0].message)


# -- others who replace methods ----------------------------------------------------------------------------------------


class TestReplacedByTheLearner:
    def test_inside_a_trace(self, pair):
        """His method stays, and a warning says what is what."""
        left, right = pair

        def recv(self: socket.socket, size: int) -> bytes:
            return b"his"

        try:
            with one_warning("recv was replaced while a trace was open") as caught:
                with trace() as t:
                    left.send(b"hello")
                    socket.socket.recv = recv  # type: ignore[method-assign,assignment]
                    assert right.recv(9) == b"his"
            assert caught[0].filename == __file__, "the warning points into our own code"
            assert vars(socket.socket)["recv"] is recv
            assert "send" not in vars(socket.socket)
        finally:
            del socket.socket.recv
        assert right.recv(9) == b"hello"
        assert moved(t) == [("send", b"hello")]

    def test_around_ours(self, pair):
        """He wraps what he finds, which is ours: it goes on working when the trace is closed, and in the next one."""
        left, right = pair
        seen: list[bytes] = []
        try:
            with one_warning("recv"), trace() as t:
                found = socket.socket.recv

                def recv(self: socket.socket, size: int) -> bytes:
                    seen.append(found(self, size))
                    return seen[-1]

                socket.socket.recv = recv  # type: ignore[method-assign,assignment]
                left.send(b"one")
                right.recv(9)
            left.send(b"two")
            assert right.recv(9) == b"two"
            with trace() as later:
                left.send(b"three")
                assert right.recv(9) == b"three"
            assert vars(socket.socket)["recv"] is recv
        finally:
            del socket.socket.recv
        assert seen == [b"one", b"two", b"three"]
        assert moved(t) == [("send", b"one"), ("recv", b"one")]
        assert moved(later) == [("send", b"three"), ("recv", b"three")]

    def test_before_a_trace(self, pair):
        left, right = pair

        def recv(self: socket.socket, size: int) -> bytes:
            return original(self, size).upper()

        original = socket.socket.recv
        socket.socket.recv = recv  # type: ignore[method-assign,assignment]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with trace() as t:
                    left.send(b"hello")
                    assert right.recv(9) == b"HELLO"
            assert vars(socket.socket)["recv"] is recv
        finally:
            del socket.socket.recv
        assert [call for call, _ in moved(t)] == ["send", "recv"]

    def test_taken_away_inside_a_trace(self, pair):
        """He undoes what he thinks is his own; there is nothing to put back then."""
        left, right = pair
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            with trace():
                del socket.socket.recv
                left.send(b"hello")
                assert right.recv(9) == b"hello"

    def test_replaced_and_put_back_inside(self, pair):
        left, right = pair
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with trace() as t:
                with mock.patch.object(socket.socket, "recv", return_value=b"mock"):
                    assert right.recv(9) == b"mock"
                left.send(b"hello")
                assert right.recv(9) == b"hello"
        assert moved(t) == [("send", b"hello"), ("recv", b"hello")]

    def test_put_back_too_late(self, pair):
        """A patch that began in a trace ends after it and puts our method back: that passes on and records nothing."""
        left, right = pair
        patch = mock.patch.object(socket.socket, "recv", return_value=b"mock")
        try:
            with one_warning("recv"), trace() as t:
                patch.start()
            patch.stop()
            left.send(b"hello")
            assert right.recv(9) == b"hello"
            with trace() as later:
                left.send(b"again")
                assert right.recv(9) == b"again"
        finally:
            if "recv" in vars(socket.socket):
                del socket.socket.recv
        assert moved(t) == []
        assert moved(later) == [("send", b"again"), ("recv", b"again")]

    def test_a_function_of_the_module(self):
        def create_connection(*args: Any, **named: Any) -> Any:
            raise OSError("his")

        original = socket.create_connection
        try:
            with one_warning("create_connection was replaced"), trace():
                socket.create_connection = create_connection
                with pytest.raises(OSError, match="his"):
                    socket.create_connection(("127.0.0.1", 9))
            assert socket.create_connection is create_connection
        finally:
            socket.create_connection = original

    def test_the_name_socket_itself(self, pair):
        """`socket.socket = Mine`: the trace knows the class, not the name."""
        original = socket.socket

        class Mine(socket.socket):
            pass

        try:
            with trace() as t:
                socket.socket = Mine  # type: ignore[misc]
                left, right = socket.socketpair()
                left.send(b"hello")
                right.recv(9)
                left.close()
                right.close()
            assert "recv" not in vars(original)
            assert "recv" not in vars(Mine)
        finally:
            socket.socket = original  # type: ignore[misc]
        assert ("recv", b"hello") in moved(t)

    def test_warnings_are_errors(self, pair):
        """With `-W error` the warning is raised; the class has been restored by then."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with pytest.raises(RuntimeWarning, match="recv"), trace() as t:
                    pair[0].send(b"x")
                    socket.socket.recv = lambda self, size: b""  # type: ignore[method-assign,assignment]
        finally:
            del socket.socket.recv
        assert not t.is_open
        assert moved(t) == [("send", b"x")]
        assert "send" not in vars(socket.socket)


# -- payloads ----------------------------------------------------------------------------------------------------------

NASTY = {
    "html": b"<script>alert(1)</script><img src=x onerror=alert(1)>&amp;\"'",
    "html in a header": b"GET /<b>x</b> HTTP/1.1\r\nHost: </pre><h1>x</h1>\r\n\r\n",
    "svg": b"]]></text><script>alert(1)</script><!--",
    "binary": bytes(range(256)),
    "zeros": bytes(300),
    "not utf-8": b"\xff\xfe\xed\xa0\x80caf\xe9",
    "dollars": rb"$\frac{1}{0}$ $x^2$ \alpha_{",
    "terminal": b"\x1b[31mred\x1b[0m\x07\r\n\t\x9b",
    "right to left": "\u202eabc\u202c \u2028 \ufeff 💣".encode(),
    "markdown": b"# heading\n```\n| a | b |\n",
    "percent": b"%s %d {} {0} %(x)s",
    "long": b"<b>" * 50_000,
}


@pytest.mark.parametrize("name", NASTY)
class TestPayloads:
    @pytest.fixture
    def recorded(self, name, pair) -> Trace:
        left, right = pair
        with trace() as t:
            left.sendall(NASTY[name][:60_000])
            left.shutdown(socket.SHUT_WR)
            while right.recv(100_000):
                pass
        return t

    def test_recorded_as_it_is(self, recorded, name):
        assert recorded.events[0].data == NASTY[name][:60_000]
        assert b"".join(e.data or b"" for e in recorded.events if e.call == "recv") == NASTY[name][:60_000]

    def test_text(self, recorded):
        text = recorded.text()
        assert not re.search(r"[^\x20-\x7e\n─│┼►◄→←×…▶◀├┤┬┴╌║•–“”✗✓╴╶]", text), "a payload got into the text unescaped"
        assert max(map(len, text.splitlines())) < 200

    def test_table(self, recorded):
        html = recorded.table()._repr_html_()
        assert_escaped(html)

    def test_pictures(self, recorded):
        for shown in (recorded, recorded.ladder(), recorded.timeline(), recorded.table()):
            for text in texts(shown):
                assert_escaped(text)


def texts(shown: Any) -> list[str]:
    """What a browser would take for HTML or SVG, of all that JupyterLab is given."""
    from IPython.core.interactiveshell import InteractiveShell

    bundle, _ = InteractiveShell.instance().display_formatter.format(shown)
    assert set(bundle) - {"text/plain"}, "nothing to look at"
    return [
        text for kind, text in bundle.items() if kind in ("text/html", "image/svg+xml", "text/markdown", "text/latex")
    ]


def assert_escaped(html: str) -> None:
    bare = re.sub(r"<(style|svg)\b.*?</\1>", "", html, flags=re.DOTALL)
    for tag in ("<script", "<img src=x", "<h1>", "<b>", "</pre><h1", "onerror=alert(1)>"):
        assert tag not in bare, tag


def test_names_that_look_like_html(pair):
    """A thread's name, a path and an abstract address are payload too."""
    left, right = pair
    with trace() as t:
        thread = threading.Thread(target=left.send, args=(b"x",), name="<script>alert(2)</script>")
        thread.start()
        thread.join(DEADLINE)
        right.recv(1)
        if sys.platform == "linux":
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(b"\0<script>alert(3)</script>")
                sock.listen()
    for shown in (t, t.table(), t.timeline(), t.ladder()):
        for text in texts(shown):
            assert "<script" not in text


# -- loops and servers -------------------------------------------------------------------------------------------------


class TestLoops:
    def test_a_loop_with_selectors(self):
        """A server in one thread, as notebook after notebook builds it: its calls and its waits are all there."""
        with trace() as t, socket.create_server(("127.0.0.1", 0)) as listener, selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            with socket.create_connection(listener.getsockname(), timeout=DEADLINE) as client:
                client.sendall(b"hello")
                client.shutdown(socket.SHUT_WR)
                while len(selector.get_map()):
                    for key, _ in selector.select(DEADLINE):
                        sock = key.fileobj
                        assert isinstance(sock, socket.socket)
                        if sock is listener:
                            selector.register(sock.accept()[0], selectors.EVENT_READ)
                            selector.unregister(listener)
                        elif data := sock.recv(3):
                            sock.sendall(data)
                        else:
                            selector.unregister(sock)
                            sock.close()
                assert client.recv(9) == b"hello"
        calls = [event.call for event in t.events if event.inside is None]
        assert calls.count("select") >= 3
        assert {end.name for end in t.ends} == {"listener", "client", "server"}

    def test_a_server_of_ours(self):
        with trace() as t, tcp_server(echo) as server, socket.create_connection(server.address) as client:
            client.settimeout(DEADLINE)
            client.sendall(b"hello")
            assert client.recv(9) == b"hello"
        assert {end.name for end in t.ends if not end.helper or end.other} == {"client", "server"}
        assert t.text().count("hello") >= 2

    def test_a_server_that_was_there_before(self):
        with tcp_server(echo) as server:
            for _ in range(3):
                with trace() as t, socket.create_connection(server.address) as client:
                    client.settimeout(DEADLINE)
                    client.sendall(b"hello")
                    assert client.recv(9) == b"hello"
                received = [event for event in t.events if event.call == "recv" and event.size]
                assert [len(event.pieces) for event in received] == [1, 1]


# -- a real Jupyter kernel ---------------------------------------------------------------------------------------------

IN_A_KERNEL = """
import asyncio, socket, threading
from socketlab.trace import trace
t = trace()
t.open()
left, right = socket.socketpair()
"""
MORE = """
left.send(b"hello")
await asyncio.sleep(0.01)
asyncio.get_running_loop().call_soon_threadsafe(print, "from the loop")
threading.Thread(target=print, args=("from a thread",)).start()
right.recv(9)
print("some output", flush=True)
"""
RAISES = "1 / 0"
ENDS = """
t.close()
ends = {end.name for end in t.ends}
assert ends == {"left", "right"}, t.ends
assert [e.data for e in t.events if e.direction] == [b"hello", b"hello"] * 3, t.events[:]
assert "recv" not in vars(socket.socket)
left.close(); right.close()
t
"""


@needs_proc
def test_in_a_kernel(tmp_path):
    """Opened in one cell, closed in another, errors and output between: only the program's own sockets are seen."""
    from kernel_driver import Kernel

    kernel = Kernel(tmp_path)
    try:
        for source, expected in [
            (IN_A_KERNEL, ""),
            (MORE, ""),
            (RAISES, "ZeroDivisionError"),
            *[(MORE, "")] * 2,
            (ENDS, ""),
        ]:
            outcome = kernel.finish(kernel.send(source))
            assert outcome.error.startswith(expected) if expected else outcome.error == "", outcome.error
    finally:
        kernel.close()
