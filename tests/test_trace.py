"""The trace: what is recorded, in which order it is told, and that the order is the same on every run."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from socketlab import tcp_server, tls_server, udp_server, unix_server
from socketlab.handlers import discard, echo, echo_datagram, http, reverse
from socketlab.trace import Trace, recorder, trace

unix_only = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this platform has no AF_UNIX")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="what threads are blocked in is read from /proc")


def story(t: Trace) -> list[str]:
    """What a learner is shown, one line a call: no time, no thread, no port."""
    lines = []
    for event in t.events:
        if event.inside is None and not event.housekeeping:
            who = event.end.name if event.end is not None else "-"
            sent = f" {event.data!r}" if event.direction == "out" else ""
            got = [f"{p.start}:{p.stop} of {p.sent}" for p in event.pieces if p.received == event.number]
            lines.append(f"{who}: {event}{sent}" + (f" [{', '.join(got)}]" if got else ""))
    numbers = {str(e.number): n for n, e in enumerate((e for e in t.events if not e.inside and not e.housekeeping), 1)}
    return [_renumbered(line, numbers) for line in lines]


def _renumbered(line: str, numbers: dict[str, int]) -> str:
    head, bracket, tail = line.partition(" [")
    for word in tail.rstrip("]").split(", "):
        before, of, number = word.rpartition(" of ")
        if of:
            tail = tail.replace(word, f"{before} of {numbers.get(number, 0)}")
    return head + bracket + tail


def recorded(program: Callable[[], object], **limits: int) -> Trace:
    with trace(**limits) as t:
        faults = recorder.current().faults  # type: ignore[union-attr]
        program()
    assert not faults, list(faults)
    assert recorder.current() is None
    return t


def receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := sock.recv(size - len(data))):
        data += more
    return data


def connect(address: object) -> socket.socket:
    return socket.create_connection(address, timeout=10)  # type: ignore[arg-type]


# -- programs, and what is told of them --------------------------------------------------------------------------------


def an_echo() -> None:
    with tcp_server(echo) as server, connect(server.address) as client:
        client.sendall(b"hello")
        client.recv(100)


def one_send_in_three_pieces() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"abcdef")
        right.recv(1), right.recv(2), right.recv(100)


def two_sends_in_one_piece() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.send(b"abc")
        left.send(b"def")
        right.recv(100, socket.MSG_PEEK)
        right.recv(100)


def a_half_close() -> None:
    with tcp_server(reverse) as server, connect(server.address) as client:
        client.sendall(b"stressed")
        client.shutdown(socket.SHUT_WR)
        client.recv(100)
        client.recv(100)


def a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, connect(listener.getsockname()) as client:
        conn, _ = listener.accept()
        client.sendall(b"unread")
        conn.recv(1)
        conn.close()
        with pytest.raises(ConnectionResetError):
            client.recv(10)


def a_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with pytest.raises(ConnectionRefusedError):
        connect(address)


def datagrams() -> None:
    with udp_server(echo_datagram) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        for text in (b"one", b"two"):
            client.sendto(text, server.address)
            client.recvfrom(100)


def a_datagram_cut_short() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        one.bind(("127.0.0.1", 0))
        other.sendto(b"a long one", one.getsockname())
        one.recv(3)


def unix() -> None:
    with unix_server(echo) as server, socket.socket(socket.AF_UNIX) as client:
        client.connect(server.address)
        client.sendall(b"x")
        client.recv(10)


def tls() -> None:
    with tls_server(echo) as server, connect(server.address) as raw:
        with server.client_context.wrap_socket(raw, server_hostname="localhost") as client:
            client.sendall(b"secret")
            client.recv(100)


def a_file() -> None:
    left, right = socket.socketpair()
    with left, right, left.makefile("wb") as writer, right.makefile("rb") as reader:
        writer.write(b"line 1\nline 2\n")
        writer.flush()
        reader.readline(), reader.readline()


def sequence() -> None:
    with tcp_server(echo) as server:
        for text in (b"first", b"second", b"third"):
            with connect(server.address) as client:
                client.sendall(text)
                client.recv(100)


def threads() -> None:
    with tcp_server(echo) as server:

        def client(text: bytes) -> None:
            with connect(server.address) as sock:
                sock.sendall(text)
                sock.recv(100)

        several = [threading.Thread(target=client, args=(b"client %d" % n,)) for n in range(4)]
        for one in several:
            one.start()
        for one in several:
            one.join()


def a_server_of_ones_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(2):
                conn, _ = listener.accept()
                with conn:
                    while data := conn.recv(10):
                        conn.sendall(data.upper())

        thread = threading.Thread(target=serve)
        thread.start()
        for text in (b"abc", b"def"):
            with connect(listener.getsockname()) as client:
                client.sendall(text)
                receive(client, 3)
        thread.join()


def gone_before_it_was_let_in() -> None:
    with tcp_server(discard) as server:
        with connect(server.address) as client:
            client.sendall(b"hello")


def the_web() -> None:
    with tcp_server(http) as server, connect(server.address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while client.recv(65536):
            pass


def coroutines() -> None:
    async def main() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.read(100)).upper())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"abc")
            await reader.read()
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())


TOLD = {
    an_echo: [
        "client: create_connection() → <client>",
        "listener: accept() → <server>",
        "client: sendall() b'hello'",
        "server: recv(65536) → b'hello' [0:5 of 3]",
        "server: sendall() b'hello'",
        "client: recv(100) → b'hello' [0:5 of 5]",
        "client: close()",
        "server: recv(65536) → b''",
        "server: close()",
    ],
    one_send_in_three_pieces: [
        "-: socketpair() → <left>, <right>",
        "left: sendall() b'abcdef'",
        "right: recv(1) → b'a' [0:1 of 2]",
        "right: recv(2) → b'bc' [1:3 of 2]",
        "right: recv(100) → b'def' [3:6 of 2]",
        "right: close()",
        "left: close()",
    ],
    two_sends_in_one_piece: [
        "-: socketpair() → <left>, <right>",
        "left: send() b'abc'",
        "left: send() b'def'",
        "right: recv(100, MSG_PEEK) → b'abcdef' [0:3 of 2, 0:3 of 3]",
        "right: recv(100) → b'abcdef' [0:3 of 2, 0:3 of 3]",
        "right: close()",
        "left: close()",
    ],
    a_half_close: [
        "client: create_connection() → <client>",
        "listener: accept() → <server>",
        "client: sendall() b'stressed'",
        "server: recv(65536) → b'stressed' [0:8 of 3]",
        "client: shutdown(SHUT_WR)",
        "server: recv(65536) → b''",
        "server: sendall() b'desserts'",
        "client: recv(100) → b'desserts' [0:8 of 7]",
        "server: close()",
        "client: recv(100) → b''",
        "client: close()",
    ],
    a_reset: [
        "listener: create_server() → <listener>",
        "listener: getsockname()",
        "client: create_connection() → <client>",
        "listener: accept() → <server>",
        "client: sendall() b'unread'",
        "server: recv(1) → b'u' [0:1 of 5]",
        "server: close()",
        "client: recv(10) → ConnectionResetError ECONNRESET",
        "client: close()",
        "listener: close()",
    ],
    a_refusal: [
        "listener: create_server() → <listener>",
        "listener: getsockname()",
        "listener: close()",
        "client: create_connection() → ConnectionRefusedError ECONNREFUSED",
    ],
    datagrams: [
        "client: socket(AF_INET, SOCK_DGRAM)",
        "client: sendto() b'one'",
        "server: recvfrom(65535) → b'one' [0:3 of 2]",
        "server: sendto() b'one'",
        "client: recvfrom(100) → b'one' [0:3 of 4]",
        "client: sendto() b'two'",
        "server: recvfrom(65535) → b'two' [0:3 of 6]",
        "server: sendto() b'two'",
        "client: recvfrom(100) → b'two' [0:3 of 8]",
        "client: close()",
    ],
    a_datagram_cut_short: [
        "server: socket(AF_INET, SOCK_DGRAM)",
        "client: socket(AF_INET, SOCK_DGRAM)",
        "server: bind()",
        "server: getsockname()",
        "client: sendto() b'a long one'",
        "server: recv(3) → b'a l' [0:3 of 5]",
        "client: close()",
        "server: close()",
    ],
    a_file: [
        "-: socketpair() → <left>, <right>",
        "left: makefile('wb')",
        "right: makefile('rb')",
        "left: send() b'line 1\\nline 2\\n'",
        "right: recv_into(8192) → b'line 1\\nline 2\\n' [0:14 of 4]",
        "right: close()",
        "left: close()",
    ],
}
ALSO = [gone_before_it_was_let_in, sequence, threads, a_server_of_ones_own, the_web, tls, coroutines]
UNIX = [unix] if hasattr(socket, "AF_UNIX") else []


class TestOrder:
    @pytest.mark.parametrize("program", TOLD, ids=lambda program: program.__name__)
    def test_what_is_told(self, program: Callable[[], None]) -> None:
        assert [line.replace("recv_into(131072)", "recv_into(8192)") for line in story(recorded(program))] == TOLD[
            program
        ]

    @pytest.mark.parametrize("program", [*TOLD, *ALSO, *UNIX], ids=lambda program: program.__name__)
    def test_is_the_same_on_each_run(self, program: Callable[[], None], hogs: None) -> None:
        runs = 200 if os.environ.get("SOCKETLAB_THOROUGH") else 15
        told = Counter("\n".join(story(recorded(program))) for _ in range(runs))
        assert len(told) == 1, "\n\n".join(f"{times} times:\n{text}" for text, times in told.most_common(2))

    @pytest.mark.parametrize("program", [*TOLD, *ALSO, *UNIX], ids=lambda program: program.__name__)
    def test_nothing_comes_before_its_cause(self, program: Callable[[], None]) -> None:
        t = recorded(program)
        assert [event.number for event in t.events] == list(range(1, len(t.events) + 1))
        for event in t.events:
            inside = t.events[event.inside - 1] if event.inside is not None else event
            assert all(t.events[cause - 1].start_ns <= event.end_ns for cause in event.after)
            assert all(cause < event.number or cause < inside.number for cause in event.after)
            assert event.start_ns <= event.end_ns

    def test_the_readme_shows_what_is_shown(self) -> None:
        readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
        assert recorded(an_echo).text() in readme

    def test_program_order_is_kept(self) -> None:
        t = recorded(an_echo)
        lanes: dict[str, int] = {}
        for event in t.events:
            if event.inside is None and event.thread == "main":
                assert lanes.get(event.thread, 0) <= event.start_ns
                lanes[event.thread] = event.end_ns


@pytest.fixture(scope="module")
def hogs() -> Iterator[None]:
    """Two processes that compute, so that threads are stopped at any place."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


class TestBefore:
    """Servers and connections that are older than the trace."""

    @linux_only
    def test_a_worker_that_stood_in_accept(self) -> None:
        with tcp_server(echo) as server:

            def program() -> None:
                with connect(server.address) as client:
                    client.sendall(b"hello")
                    client.recv(100)

            for _ in range(5):
                assert story(recorded(program)) == TOLD[an_echo]

    @linux_only
    def test_a_handler_that_stood_in_recv(self) -> None:
        with tcp_server(echo) as server, connect(server.address) as client:
            client.sendall(b"before")
            receive(client, 6)

            def program() -> None:
                client.sendall(b"hello")
                client.recv(100)

            assert story(recorded(program)) == [
                "client: sendall() b'hello'",
                "server: recv() → b'hello' [0:5 of 1]",
                "server: sendall() b'hello'",
                "client: recv(100) → b'hello' [0:5 of 3]",
            ]

    def test_bytes_that_were_sent_before(self) -> None:
        left, right = socket.socketpair()
        with left, right:
            left.sendall(b"early")

            def program() -> None:
                left.sendall(b"late")
                receive(right, 7)

            assert story(recorded(program))[1].endswith("recv(7) → b'earlyla' [0:2 of 1]")
        with socket.create_server(("127.0.0.1", 0)) as listener, connect(listener.getsockname()) as client:
            conn, _ = listener.accept()
            with conn:
                client.sendall(b"early")

                def program() -> None:
                    client.sendall(b"late")
                    receive(conn, 7)
                    receive(conn, 2)

                assert [line.partition("recv")[2] for line in story(recorded(program))[1:]] == [
                    "(7) → b'earlyla' [0:2 of 1]",
                    "(2) → b'te' [2:4 of 1]",
                ]


class TestLife:
    def test_the_class_is_restored_exactly(self) -> None:
        import select
        import selectors
        import ssl

        owners = (socket, socket.socket, ssl.SSLSocket, ssl.SSLContext, select, selectors.DefaultSelector)
        before = [list(vars(owner).items()) for owner in owners]
        with trace():
            assert vars(socket.socket)["recv"] is not before
            with trace():
                pass
            assert "recv" in vars(socket.socket)
        assert [list(vars(owner).items()) for owner in owners] == before

    def test_nested_traces_see_their_own_part(self) -> None:
        left, right = socket.socketpair()
        with left, right:
            with trace() as outer:
                left.send(b"1")
                with trace() as inner:
                    left.send(b"2")
                left.send(b"3")
                right.recv(3)
        assert [event.data for event in inner.events] == [b"2"]
        assert [event.data for event in outer.events] == [b"1", b"2", b"3", b"123"]

    def test_side_by_side(self) -> None:
        left, right = socket.socketpair()
        with left, right:
            first, second = trace(), trace()
            first.open()
            left.send(b"1")
            second.open()
            left.send(b"2")
            first.close()
            left.send(b"3")
            second.close()
            left.send(b"4")
        assert [event.data for event in first.events] == [b"1", b"2"]
        assert [event.data for event in second.events] == [b"2", b"3"]
        assert "send" not in vars(socket.socket)

    def test_an_exception_closes_it(self) -> None:
        with pytest.raises(ZeroDivisionError):
            with trace() as t:
                raise ZeroDivisionError
        assert not t.is_open
        assert "recv" not in vars(socket.socket)

    def test_a_traceback_ends_in_the_program(self) -> None:
        def fails() -> None:
            with socket.socket() as sock:
                sock.send(b"x")

        with pytest.raises(OSError, match=r"Errno") as caught, trace():
            fails()
        assert caught.traceback[-1].name == "fails"

    def test_a_forgotten_trace_closes_itself(self) -> None:
        gc.collect()  # what an earlier test has forgotten, in a generator for example, is not this one's
        assert "recv" not in vars(socket.socket)
        over = threading.Event()
        other = threading.Thread(target=over.wait)  # whoever looks where it stands must not keep the trace
        other.start()
        try:
            t = trace().open()
            assert "recv" in vars(socket.socket)
            del t
            assert "recv" not in vars(socket.socket)
        finally:
            over.set()
            other.join()

    def test_a_trace_is_used_once(self) -> None:
        with trace() as t:
            pass
        with pytest.raises(RuntimeError, match=r"make another"):
            t.open()

    @pytest.mark.parametrize(("limits", "wanted"), [({"events": -1}, "events"), ({"payload": "x"}, "payload")])
    def test_bad_limits(self, limits: dict[str, int], wanted: str) -> None:
        with pytest.raises(ValueError, match=f"{wanted} must be a number from 0 up"):
            trace(**limits)

    def test_bad_name(self) -> None:
        with pytest.raises(TypeError, match=r"must be a str"):
            trace(5)  # type: ignore[arg-type]


class TestLimits:
    def test_payload_beyond_the_limit_keeps_size_and_beginning(self) -> None:
        left, right = socket.socketpair()
        with left, right:
            with trace(payload=1000) as t:
                for _ in range(3):
                    left.sendall(b"x" * 600)
                    receive(right, 600)
        sends = [event for event in t.events if event.call == "sendall"]
        assert [event.size for event in sends] == [600] * 3
        assert [event.cut for event in sends] == [False, True, True]
        assert all(event.data == b"x" * len(event.data or b"") for event in sends)

    def test_recording_stops_at_the_limit_of_events(self) -> None:
        left, right = socket.socketpair()
        with left, right:
            with trace(events=10_000) as t:
                for _ in range(20_000):
                    left.send(b"x")
                    right.recv(1)
        assert 10_000 <= len(t) < 30_000
        assert t.stopped

    def test_a_mutable_payload_is_kept_as_it_was(self) -> None:
        left, right = socket.socketpair()
        with left, right, trace() as t:
            data = bytearray(b"before")
            left.sendall(data)
            data[:] = b"after!"
            right.recv_into(memoryview(data))
        assert [event.data for event in t.events] == [b"before", b"before"]


class TestEachCall:
    """Each method that moves bytes, or fails, is recorded with what matters."""

    def test_ways_to_send(self) -> None:
        left, right = socket.socketpair()
        with left, right, open(__file__, "rb") as file:
            size = len(file.read())
            with trace() as t:
                left.send(b"a")
                left.send(b"b", 0)
                left.sendmsg([b"c", b"d"])
                file.seek(0)
                right.settimeout(10)
                done = threading.Thread(target=lambda: receive(right, 4 + size))
                done.start()
                left.sendfile(file)
                done.join()
        sent = [event for event in t.events if event.direction == "out" and event.inside is None]
        sizes = [("send", 1), ("send", 1), ("sendmsg", 2), ("sendfile", size)]
        assert [(event.call, event.size) for event in sent] == sizes
        assert sum(len(p) for event in sent for p in event.pieces) == 4 + size
        with open(__file__, "rb") as file:
            assert sent[-1].data == file.read()

    def test_ways_to_receive(self) -> None:
        left, right = socket.socketpair()
        with left, right:
            left.sendall(b"0123456789")
            with trace() as t:
                right.recv(1)
                right.recv_into(bytearray(1))
                right.recvfrom(1)
                right.recvfrom_into(bytearray(5), 1)
                right.recvmsg(1)
                right.recvmsg_into([bytearray(1), bytearray(1)])
                right.recv(1, socket.MSG_PEEK)
        assert [event.data for event in t.events] == [b"0", b"1", b"2", b"3", b"4", b"56", b"7"]
        assert [event.peek for event in t.events] == [False] * 6 + [True]

    def test_settings_are_named(self) -> None:
        with socket.socket() as sock, trace() as t:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            sock.settimeout(0.5)
        assert [str(event) for event in t.events] == [
            "setsockopt(SO_REUSEADDR, 1)",
            "getsockopt(TCP_NODELAY) → 0",
            "settimeout(0.5)",
        ]

    def test_the_address_of_a_group_is_not_shown(self) -> None:
        """As no address is."""
        request = socket.inet_aton("239.255.1.2") + socket.inet_aton("127.0.0.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, trace() as t:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, request)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        assert [event.asked for event in t.events] == [
            "IP_ADD_MEMBERSHIP",
            "IP_DROP_MEMBERSHIP",
            "IP_MULTICAST_TTL, 0",
        ]

    def test_what_is_left_until_a_deadline_is_not_shown(self) -> None:
        """It differs on each run, and a ladder does not."""
        with socket.socket() as sock, trace() as t:
            for value in (0.1 + 0.2, 0.498713, 0.25, 1e-5, None, 2):
                sock.settimeout(value)
        assert [event.asked for event in t.events] == ["…", "…", "0.25", "…", "None", "2"]

    def test_failures(self) -> None:
        with socket.socket() as sock, trace() as t:
            sock.settimeout(0)
            with pytest.raises(OSError, match=r"not connected|ENOTCONN|Errno"):
                sock.send(b"x")
            with pytest.raises(TypeError):
                sock.recv()  # type: ignore[call-arg]
        failures = [event.failure for event in t.events if event.failure is not None]
        assert [(f.kind, f.code) for f in failures] == [("BrokenPipeError", errno.EPIPE), ("TypeError", None)]

    def test_a_repr_has_no_port_and_no_time(self) -> None:
        t = recorded(an_echo)
        ports = {str(end.local[1]) for end in t.ends if end.local}
        text = repr(list(t.events)) + repr(t.ends)
        assert not [port for port in ports if port in text]

    @pytest.mark.skipif(not hasattr(socket, "send_fds"), reason="this platform passes no descriptors")
    def test_a_descriptor_that_is_passed_is_the_same_end(self) -> None:
        left, right = socket.socketpair()
        with left, right, tcp_server(echo) as server:
            with trace() as t:
                with connect(server.address) as client:
                    socket.send_fds(left, [b"!"], [client.fileno()])
                    _, (fd,), _, _ = socket.recv_fds(right, 1, 1)
                    with socket.socket(fileno=fd) as passed:
                        client.sendall(b"hel")
                        passed.sendall(b"lo")
                        receive(client, 5)
        assert len([end for end in t.ends if end.kind == "tcp" and end.other == "server"]) == 1
        sent = [e.data or b"" for e in t.events if e.end and e.end.name == "client" and e.direction == "out"]
        assert b"".join(sent) == b"hello"
        assert any("SCM_RIGHTS with 1 descriptor" in event.asked for event in t.events)

    def test_an_end_that_two_objects_hold_comes_with_the_last_close(self) -> None:
        with trace() as t:
            left, right = socket.socketpair()
            with right:
                copy = left.dup()
                left.close()
                copy.sendall(b"still here")
                copy.close()
                receive(right, 10)
                assert right.recv(1) == b""
        first, last = (event.number for event in t.events if event.call == "close" and event.end.name == "left")
        (end,) = (event for event in t.events if event.direction == "in" and event.size == 0)
        assert last in end.after
        assert first not in end.after


class TestWhatIsLeftOut:
    def test_a_loops_wake_up(self) -> None:
        async def main() -> None:
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)

        t = recorded(lambda: asyncio.run(main()))
        assert not [str(event) for event in t.events]

    def test_what_servers_do_for_themselves(self) -> None:
        t = recorded(an_echo)
        quiet = {event.call for event in t.events if event.housekeeping}
        assert {"bind", "listen", "settimeout"} <= quiet
        assert not any(event.housekeeping for event in t.events if event.call in ("recv", "sendall"))
