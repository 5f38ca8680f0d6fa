"""What a blocked thread is blocked in: real sockets, real threads, the line, the descriptor, and the words."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import selectors
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from socketlab import tcp_server, udp_server
from socketlab.handlers import discard, echo
from socketlab.trace import reasons
from socketlab.trace.awaiting import awaiting
from socketlab.trace.system_call import RUNNING, system_call
from socketlab.trace.waiting import Waiting, waiting

TIMEOUT = 20  # s, a bound for what takes milliseconds

linux = pytest.mark.skipif(system_call(threading.get_native_id()) is None, reason="the kernel tells it on Linux only")


@contextlib.contextmanager
def blocked(function: Callable[[], object], release: Callable[[], object]) -> Iterator[threading.Thread]:
    """`function` in a thread; `release` is what makes it return."""
    done = []

    def run() -> None:
        with contextlib.suppress(OSError, ValueError):
            done.append(function())

    thread = threading.Thread(target=run, name="the blocked one", daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        release()
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def seen(thread: threading.Thread) -> Waiting:
    """What `thread` waits for, once it does."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if (found := waiting(thread)) is not None:
            return found
        time.sleep(0.001)
    raise AssertionError("it was never seen waiting")


def line_of(text: str) -> int:
    """The number of the line of this file that has `text` behind a `# HERE:`."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.rstrip().endswith(f"# HERE: {text}"))


@pytest.fixture(params=["ipv4", "ipv6", "unix"])
def family(request: pytest.FixtureRequest, has_ipv6: bool) -> int:
    if request.param == "unix":
        if not hasattr(socket, "AF_UNIX"):
            pytest.skip("this platform has no Unix sockets")
        return socket.AF_UNIX
    if request.param == "ipv6" and not has_ipv6:
        pytest.skip("::1 cannot be bound here")
    return socket.AF_INET6 if request.param == "ipv6" else socket.AF_INET


@pytest.fixture
def listener(family: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    with socket.socket(family) as sock:
        where: Any = ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0)
        folder = tmp_path_factory.mktemp("s", numbered=True)
        if family == getattr(socket, "AF_UNIX", None):
            where = os.path.relpath(folder / "s")  # shorter than the 107 bytes of sun_path
        sock.bind(where)
        sock.listen(1)
        yield sock


@pytest.fixture
def pair(family: int, listener: socket.socket) -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.socket(family) as client:
        client.settimeout(TIMEOUT)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            yield client, server


def shut(sock: socket.socket) -> Callable[[], object]:
    def release() -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    return release


@linux
class TestAccept:
    def test_blocking(self, listener: socket.socket) -> None:
        listener.settimeout(None)
        with blocked(lambda: listener.accept(), shut(listener)) as thread:  # HERE: accept
            found = seen(thread)
        assert found.call == "accept"
        assert found.kind == "accept"
        assert found.fd == listener.fileno()
        assert (found.file, found.line) == (__file__, line_of("accept"))
        assert found.words == f"nobody has connected to {reasons.place(listener.getsockname())} yet"
        assert found.limit is None

    def test_with_a_timeout(self, listener: socket.socket) -> None:
        listener.settimeout(TIMEOUT)
        with blocked(lambda: listener.accept()[0].close(), lambda: poke(listener)) as thread:
            found = seen(thread)
        assert (found.call, found.kind, found.fd) == ("accept", "accept", listener.fileno())
        assert found.limit == TIMEOUT
        assert found.words.startswith("nobody has connected to ")

    def test_after_another_one(self, listener: socket.socket, pair: tuple[socket.socket, socket.socket]) -> None:
        with blocked(lambda: listener.accept(), shut(listener)) as thread:
            assert seen(thread).words.startswith("nobody else has connected to ")

    def test_a_name_that_nobody_can_read(self) -> None:
        name = b"\0\xff<b>\n" + os.urandom(8).hex().encode()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)
            listener.listen()
            with blocked(lambda: listener.accept(), shut(listener)) as thread:
                words = seen(thread).words
        assert words.startswith(r"nobody has connected to @\udcff<b>\n")
        assert words.isprintable()


@linux
class TestRecv:
    def test_blocking(self, pair: tuple[socket.socket, socket.socket], family: int) -> None:
        client, _ = pair
        client.settimeout(None)
        with blocked(lambda: client.recv(9), shut(client)) as thread:  # HERE: recv
            found = seen(thread)
        assert (found.call, found.kind, found.fd, found.line) == ("recv", "recv", client.fileno(), line_of("recv"))
        told = "the peer sends nothing, and" if family == socket.AF_UNIX else "the peer has sent nothing yet, and"
        assert found.words.startswith(f"{told} has not closed")

    def test_with_a_timeout(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, _ = pair
        with blocked(lambda: client.recv_into(bytearray(9)), shut(client)) as thread:
            found = seen(thread)
        assert (found.call, found.kind, found.fd, found.limit) == ("recv_into", "recv", client.fileno(), TIMEOUT)

    def test_after_some_bytes(self, pair: tuple[socket.socket, socket.socket], family: int) -> None:
        client, server = pair
        server.sendall(b"abc")
        assert client.recv(9) == b"abc"
        with blocked(lambda: client.recv(9), shut(client)) as thread:
            words = seen(thread).words
        if family != socket.AF_UNIX:
            assert words.startswith("the peer has sent nothing more after 3 bytes, and has not closed")

    def test_some_are_there_but_too_few(self, pair: tuple[socket.socket, socket.socket], family: int) -> None:
        client, server = pair
        client.settimeout(None)
        with blocked(lambda: client.recv(9, socket.MSG_WAITALL), shut(client)) as thread:
            seen(thread)
            server.sendall(b"abc")
            deadline = time.monotonic() + TIMEOUT
            while family != socket.AF_UNIX and "nothing more after 3 bytes" not in (words := seen(thread).words):
                assert time.monotonic() < deadline, words

    def test_makefile(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, _ = pair
        client.settimeout(None)
        with client.makefile("rb") as lines:
            with blocked(lambda: lines.readline(), shut(client)) as thread:
                found = seen(thread)
        assert (found.call, found.kind, found.fd) == ("readline", "recv", client.fileno())

    def test_in_a_function_of_the_program(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, _ = pair
        client.settimeout(None)

        def recv_exactly(sock: socket.socket, size: int) -> bytes:
            data = b""
            while len(data) < size:
                data += sock.recv(size - len(data))  # HERE: inner recv
            return data

        with blocked(lambda: recv_exactly(client, 4), shut_for_good(client)) as thread:
            found = seen(thread)
        assert (found.function, found.line) == ("recv_exactly", line_of("inner recv"))

    def test_both_ends_wait_for_each_other(self, family: int) -> None:
        if family == getattr(socket, "AF_UNIX", None):
            pytest.skip("a client of a Unix server has no name of its own")
        with tcp_server(discard, family=family) as server, socket.create_connection(server.address[:2]) as client:
            with blocked(lambda: client.recv(1), shut(client)) as thread:
                deadline = time.monotonic() + TIMEOUT  # until the server's thread has come to its recv
                while "thread 'discard server' reads from it and waits as well" not in (words := seen(thread).words):
                    assert time.monotonic() < deadline, words


def shut_for_good(sock: socket.socket) -> Callable[[], object]:
    """recv() would return b"" for ever, and its loop never end."""

    def release() -> None:
        sock.settimeout(0)
        shut(sock)()
        os.dup2(os.open(os.devnull, os.O_RDONLY), sock.fileno())  # ENOTSOCK

    return release


@linux
class TestSend:
    def test_blocking(self, pair: tuple[socket.socket, socket.socket], family: int) -> None:
        client, _ = pair
        client.settimeout(None)
        with blocked(lambda: client.sendall(bytes(2**26)), shut(client)) as thread:
            found = seen(thread)
            deadline = time.monotonic() + TIMEOUT  # until the buffers have filled up
            while found.words == "" or waiting(thread) is None or waiting(thread).same != found.same:  # type: ignore[union-attr]
                found = seen(thread)
                assert time.monotonic() < deadline
        assert (found.call, found.kind, found.fd) == ("sendall", "send", client.fileno())
        assert found.words.startswith("the peer does not read: ")
        assert ("B wait in its receive buffer and " in found.words) == (family != socket.AF_UNIX)

    def test_with_a_timeout(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, _ = pair
        with blocked(lambda: client.sendall(bytes(2**26)), shut(client)) as thread:
            found = seen(thread)
        assert (found.call, found.kind) == ("sendall", "send")


@linux
class TestConnect:
    @pytest.fixture
    def full(self, family: int, listener: socket.socket) -> Iterator[socket.socket]:
        """A listener whose queue is full: it admits one connection more than it was asked for."""
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                client = stack.enter_context(socket.socket(family))
                client.settimeout(TIMEOUT)
                client.connect(listener.getsockname())
            yield listener

    @pytest.mark.parametrize("timeout", [None, TIMEOUT], ids=["blocking", "with a timeout"])
    def test_full_queue(self, full: socket.socket, family: int, timeout: float | None) -> None:
        if family == getattr(socket, "AF_UNIX", None) and timeout is not None:
            pytest.skip("Unix sockets with a timeout get EAGAIN instead")
        with socket.socket(family) as client:
            client.settimeout(timeout)

            def release() -> None:
                full.close()  # a Unix client gets ECONNREFUSED
                shut(client)()

            with blocked(lambda: client.connect(full.getsockname()), release) as thread:
                found = seen(thread)
                where = reasons.place(full.getsockname())
        assert (found.call, found.kind) == ("connect", "connect")
        assert found.words.startswith(f"the queue of the listener at {where} is full")
        assert found.words.endswith("nobody calls accept()")
        assert ("2 connections wait there" in found.words) == (family != getattr(socket, "AF_UNIX", None))


@linux
class TestDatagrams:
    def test_recvfrom(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            with blocked(lambda: sock.recvfrom(9), shut(sock)) as thread:
                found = seen(thread)
                assert found.words == f"no datagram has come to 127.0.0.1:{sock.getsockname()[1]}"
        assert (found.call, found.kind) == ("recvfrom", "recv")

    def test_without_an_address(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            with blocked(lambda: sock.recvfrom(9), shut(sock)) as thread:
                assert "has no address yet" in seen(thread).words

    def test_connected(self) -> None:
        with udp_server(lambda data, peer: None) as server, socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.connect(server.address)
            with blocked(lambda: sock.recv(9), shut(sock)) as thread:
                assert seen(thread).words == f"no datagram has come from 127.0.0.1:{server.address[1]}"


@linux
class TestReadiness:
    @pytest.fixture
    def ends(self) -> Iterator[tuple[socket.socket, socket.socket]]:
        left, right = socket.socketpair()
        with left, right:
            yield left, right

    def test_select(self, ends: tuple[socket.socket, socket.socket]) -> None:
        left, right = ends
        with blocked(lambda: select.select([left, right], [], [], TIMEOUT), shut(left)) as thread:
            found = seen(thread)
        assert (found.call, found.kind, found.fd, found.limit) == ("select", "select", None, TIMEOUT)
        assert found.words.startswith("none of its 2 sockets is ready")

    def test_poll(self, ends: tuple[socket.socket, socket.socket]) -> None:
        poll = select.poll()
        poll.register(ends[0], select.POLLIN)
        with blocked(lambda: poll.poll(TIMEOUT * 1000), shut(ends[0])) as thread:
            found = seen(thread)
        assert (found.call, found.kind, found.limit) == ("poll", "select", TIMEOUT)
        assert found.words.startswith("its one socket is not ready")

    def test_selectors(self, ends: tuple[socket.socket, socket.socket]) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(ends[0], selectors.EVENT_READ)
            with blocked(lambda: selector.select(), shut(ends[0])) as thread:  # HERE: selectors
                found = seen(thread)
        assert (found.call, found.kind, found.line) == ("select", "select", line_of("selectors"))
        assert "to be readable" in found.words


@linux
class TestHandshake:
    @pytest.mark.parametrize("timeout", [None, TIMEOUT], ids=["blocking", "with a timeout"])
    def test_a_peer_that_does_not_speak_tls(self, timeout: float | None) -> None:
        context = ssl.create_default_context()
        with tcp_server(discard) as server, socket.create_connection(server.address) as plain:
            plain.settimeout(timeout)
            with blocked(lambda: context.wrap_socket(plain, server_hostname="localhost"), server.close) as thread:
                found = seen(thread)
        assert (found.call, found.kind) == ("wrap_socket", "handshake")
        assert found.words == "the peer has not answered the TLS handshake; does it speak TLS?"


@linux
class TestThreads:
    def test_join(self) -> None:
        left, right = socket.socketpair()
        left_number = left.fileno()
        with left, right, blocked(lambda: left.recv(1), shut(left)) as reader:
            with blocked(lambda: reader.join(), shut(left)) as thread:
                deadline = time.monotonic() + TIMEOUT
                while (found := seen(thread)).other is None:
                    assert time.monotonic() < deadline, found
        assert (found.call, found.kind) == ("join", "thread")
        assert found.words == "thread 'the blocked one' has not ended; it waits in"
        assert found.other is not None
        assert (found.other.call, found.other.fd) == ("recv", left_number)
        assert str(found).endswith(f"it waits in {found.other}")

    def test_event(self) -> None:
        event = threading.Event()
        with blocked(lambda: event.wait(), event.set) as thread:
            found = seen(thread)
        assert (found.call, found.kind) == ("wait", "thread")
        assert found.words.startswith("another thread has to act")

    def test_threads_that_wait_for_one_another(self) -> None:
        """The chain is followed for so many threads and no further."""
        threads: list[threading.Thread] = []
        event = threading.Event()
        begun = threading.Barrier(3)

        def first() -> None:
            begun.wait(TIMEOUT)
            threads[1].join(TIMEOUT) if not event.is_set() else None

        def second() -> None:
            begun.wait(TIMEOUT)
            event.wait(TIMEOUT)

        threads += [threading.Thread(target=first), threading.Thread(target=second)]
        for thread in threads:
            thread.start()
        begun.wait(TIMEOUT)
        found = seen(threads[0])
        event.set()
        for thread in threads:
            thread.join(TIMEOUT)
        assert len(str(found)) < 1000


class TestNothing:
    def test_a_thread_that_computes(self) -> None:
        stop = threading.Event()

        def compute() -> None:
            while not stop.is_set():
                sum(range(1000))

        with blocked(compute, stop.set) as thread:
            looks = [waiting(thread) for _ in range(50)]
        assert looks == [None] * 50

    @linux
    def test_a_thread_that_sleeps(self) -> None:
        wake, woken = os.pipe()
        with blocked(lambda: os.read(wake, 1), lambda: os.write(woken, b"!")) as thread:
            wait_until_blocked(thread)
            assert waiting(thread) is None  # a pipe is no socket
        os.close(wake)
        os.close(woken)

    def test_a_thread_that_has_ended(self) -> None:
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        assert waiting(thread) is None

    @linux
    def test_itself(self) -> None:
        assert system_call(threading.get_native_id()) == RUNNING
        assert waiting(threading.current_thread()) is None


def wait_until_blocked(thread: threading.Thread) -> None:
    deadline = time.monotonic() + TIMEOUT
    while system_call(thread.native_id) is RUNNING:
        assert time.monotonic() < deadline


@linux
class TestLooking:
    def test_the_same_wait(self, pair: tuple[socket.socket, socket.socket]) -> None:
        """`same` changes when the call has returned and another one like it has begun."""
        client, server = pair
        client.settimeout(None)
        with blocked(lambda: [client.recv(1), client.recv(1)], shut(client)) as thread:
            first = seen(thread)
            assert seen(thread).same == first.same
            server.sendall(b"a")
            deadline = time.monotonic() + TIMEOUT
            while seen(thread).same == first.same:
                assert time.monotonic() < deadline

    def test_changes_nothing(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, server = pair
        client.settimeout(None)
        got: list[bytes] = []
        with blocked(lambda: got.append(client.recv(9)), lambda: server.sendall(b"here")) as thread:
            before = sorted(os.listdir("/proc/self/fd"))
            for _ in range(20):
                seen(thread)
            assert sorted(os.listdir("/proc/self/fd")) == before
            assert os.get_blocking(client.fileno())
        assert got == [b"here"]

    def test_a_default_timeout_is_not_forced_on_the_socket(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, _ = pair
        client.settimeout(None)
        with blocked(lambda: client.recv(9), shut(client)) as thread:
            socket.setdefaulttimeout(3)
            try:
                assert seen(thread).words == "nothing has come yet"
            finally:
                socket.setdefaulttimeout(None)
            assert os.get_blocking(client.fileno())

    def test_a_socket_that_goes_away(self) -> None:
        """Descriptors come and go under our eyes, in another thread; every look answers or says nothing."""
        stop = threading.Event()

        def come_and_go() -> None:
            with tcp_server(echo) as server:
                while not stop.is_set():
                    with socket.create_connection(server.address, TIMEOUT) as client:
                        client.sendall(b"x")
                        client.recv(1)

        with blocked(come_and_go, stop.set) as thread:
            for _ in range(300):
                found = waiting(thread)
                assert found is None or str(found)

    def test_cheap(self, pair: tuple[socket.socket, socket.socket]) -> None:
        """A wide margin: a look without words costs some 50 µs."""
        client, _ = pair
        with blocked(lambda: client.recv(9), shut(client)) as thread:
            seen(thread)
            costs = []
            for _ in range(20):
                start = time.perf_counter()
                waiting(thread, explain=False)
                costs.append(time.perf_counter() - start)
        assert min(costs) < 0.005


class TestAwait:
    """Coroutines: no thread is blocked in their stead."""

    def seen(self, main: Callable[[], Any]) -> Waiting | None:
        """What a task waits for, seen from the loop that runs it, when it has come to rest."""

        async def look() -> Waiting | None:
            task = asyncio.ensure_future(main())
            for _ in range(100):  # turns of the loop
                await asyncio.sleep(0)
            found = awaiting(task)
            if found is not None:
                assert awaiting(task, explain=False) == found._replace(words="")
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return found

        return asyncio.run(look())

    @pytest.fixture
    def listener(self) -> Iterator[socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            sock.setblocking(False)
            yield sock

    @pytest.fixture
    def ends(self) -> Iterator[tuple[socket.socket, socket.socket]]:
        left, right = socket.socketpair()
        with left, right:
            left.setblocking(False)
            yield left, right

    def test_accept(self, listener: socket.socket) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            await loop.sock_accept(listener)  # HERE: sock_accept

        found = self.seen(main)
        assert found is not None
        assert (found.kind, found.fd, found.line) == ("accept", listener.fileno(), line_of("sock_accept"))
        assert found.words.startswith("nobody has connected to 127.0.0.1:")
        if sys.version_info >= (3, 11):
            assert found.call == "sock_accept"

    def test_recv(self, ends: tuple[socket.socket, socket.socket]) -> None:
        async def main() -> None:
            await asyncio.get_running_loop().sock_recv(ends[0], 9)

        found = self.seen(main)
        assert found is not None
        assert (found.kind, found.fd) == ("recv", ends[0].fileno())

    def test_stream(self, ends: tuple[socket.socket, socket.socket]) -> None:
        async def inner(reader: asyncio.StreamReader) -> bytes:
            return await reader.readline()  # HERE: readline

        async def main() -> None:
            reader, writer = await asyncio.open_connection(sock=ends[0])
            try:
                await inner(reader)
            finally:
                writer.close()

        found = self.seen(main)
        assert found is not None
        assert (found.kind, found.function, found.line) == ("recv", "inner", line_of("readline"))

    def test_drain(self, ends: tuple[socket.socket, socket.socket]) -> None:
        async def main() -> None:
            _, writer = await asyncio.open_connection(sock=ends[0])
            writer.write(bytes(2**24))
            try:
                await writer.drain()
            finally:
                writer.transport.abort()

        found = self.seen(main)
        assert found is not None
        assert found.kind == "send"
        assert found.words.startswith("the peer does not read: ")

    def test_another_task(self, ends: tuple[socket.socket, socket.socket]) -> None:
        async def inner() -> None:
            await asyncio.get_running_loop().sock_recv(ends[0], 9)  # HERE: in a task

        async def main() -> None:
            await asyncio.ensure_future(inner())

        found = self.seen(main)
        assert found is not None
        assert (found.function, found.line) == ("inner", line_of("in a task"))

    def test_what_is_no_socket(self) -> None:
        async def sleeping() -> None:
            await asyncio.sleep(TIMEOUT)

        async def waiting_for_an_event() -> None:
            await asyncio.Event().wait()

        assert self.seen(sleeping) is None
        assert self.seen(waiting_for_an_event) is None

    @linux
    def test_the_thread_of_the_loop(self, listener: socket.socket) -> None:
        """It stands in epoll_wait, below a line of the program: that is a wait for readiness."""
        loop = asyncio.new_event_loop()

        def run() -> None:
            asyncio.set_event_loop(loop)
            loop.run_forever()

        with blocked(run, lambda: loop.call_soon_threadsafe(loop.stop)) as thread:
            found = seen(thread)
            assert (found.kind, found.fd, found.function) == ("select", None, "run")
        loop.close()


class TestWithoutTheKernelsHelp:
    """As on platforms other than Linux: from Python's frames alone."""

    @pytest.fixture(autouse=True)
    def alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("socketlab.trace.waiting.system_call", lambda native_id: None)

    def test_accept(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            with blocked(lambda: listener.accept()[0].close(), lambda: poke(listener)) as thread:
                found = seen(thread)
            assert (found.call, found.kind, found.fd) == ("accept", "accept", listener.fileno())

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="frames tell no columns before Python 3.11")
    def test_recv(self) -> None:
        left, right = socket.socketpair()
        with left, right, blocked(lambda: left.recv(9), lambda: right.sendall(b"x")) as thread:
            found = seen(thread)
            assert (found.call, found.kind, found.fd) == ("recv", "recv", left.fileno())

    def test_join(self) -> None:
        event = threading.Event()
        with blocked(lambda: event.wait(), event.set) as thread:
            assert seen(thread).kind == "thread"

    def test_a_thread_that_computes(self) -> None:
        stop = False

        def compute() -> None:
            while not stop:
                sum(range(1000))

        def release() -> None:
            nonlocal stop
            stop = True

        with blocked(compute, release) as thread:
            assert [waiting(thread) for _ in range(20)] == [None] * 20


def poke(listener: socket.socket) -> None:
    with socket.socket(listener.family) as client:
        client.settimeout(TIMEOUT)
        client.connect(listener.getsockname())
