"""The servers' contract: listening when the call returns, many clients at once, and nothing left after close()."""

from __future__ import annotations

import errno
import functools
import gc
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import pytest
from patience import eventually

from socketlab import ServerError, tcp_server, tls_server, udp_server, unix_server
from socketlab.handlers import chargen, daytime, discard, echo, reverse
from socketlab.servers import crew as crew_module
from socketlab.servers import door as door_module

pytestmark = pytest.mark.usefixtures("nothing_left")

LIMIT = 10  # s: every blocking call of these tests ends by then, with an error


class Kind:
    """One kind of server, and how a client reaches it."""

    def __init__(self, start, family, secure=False):
        self.start, self.family, self.secure = start, family, secure

    def connect(self, server) -> socket.socket:
        sock = socket.socket(self.family)
        sock.settimeout(LIMIT)
        sock.connect(server.address)
        if self.secure:
            return server.client_context.wrap_socket(sock, server_hostname="localhost")
        return sock


KINDS = {
    "ipv4": Kind(tcp_server, socket.AF_INET),
    "ipv6": Kind(lambda *a, **k: tcp_server(*a, **{"host": "::1", **k}), socket.AF_INET6),
    "unix": Kind(unix_server, getattr(socket, "AF_UNIX", None)),
    "tls": Kind(tls_server, socket.AF_INET, secure=True),
    "bell": Kind(tcp_server, socket.AF_INET),  # as on a platform where shutdown() does not wake accept()
}


@pytest.fixture(params=KINDS)
def kind(request, has_ipv6, monkeypatch):
    if request.param == "ipv6" and not has_ipv6:
        pytest.skip("this machine cannot bind ::1")
    if request.param == "unix" and not hasattr(socket, "AF_UNIX"):
        pytest.skip("this platform has no Unix sockets")
    if request.param == "bell":
        monkeypatch.setattr(door_module, "SHUTDOWN_WAKES", False)
    return KINDS[request.param]


@pytest.fixture(params=["ipv4", "ipv6"])
def internet(request, has_ipv6):
    if request.param == "ipv6" and not has_ipv6:
        pytest.skip("this machine cannot bind ::1")
    return {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[request.param]


def read_to_end(sock) -> bytes:
    parts = []
    while part := sock.recv(65536):
        parts.append(part)
    return b"".join(parts)


def ask(kind, server, data: bytes) -> bytes:
    """Send `data`, receive as many bytes."""
    with kind.connect(server) as client:
        client.sendall(data)
        answer = b""
        while len(answer) < len(data):
            answer += (part := client.recv(65536))
            assert part, f"wanted {len(data)} bytes, had {len(answer)} when the server closed"
        return answer


def reset(client: socket.socket) -> None:
    """Close with a RST instead of a FIN (SO_LINGER with zero seconds, socket(7))."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


class TestHandlers:
    def test_echo(self, kind):
        with kind.start(echo) as server:
            assert ask(kind, server, b"hello " * 50_000) == b"hello " * 50_000

    def test_discard(self, kind):
        with kind.start(discard) as server, kind.connect(server) as client:
            client.sendall(b"x" * 300_000)
            if kind.secure:
                client = client.unwrap()
                client.settimeout(LIMIT)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
            client.close()

    def test_chargen(self, kind):
        with kind.start(chargen) as server, kind.connect(server) as client:
            text = b""
            while len(text) < 74 * 96:
                text += client.recv(65536)
        lines = text.split(b"\r\n")
        assert lines[0] == bytes(range(32, 104))
        assert lines[1] == bytes(range(33, 105))
        assert {len(line) for line in lines[:95]} == {72}
        assert lines[95] == lines[0]

    def test_daytime(self, kind):
        with kind.start(daytime) as server, kind.connect(server) as client:
            line = read_to_end(client).decode("ascii")
        assert re.fullmatch(r"[A-Z][a-z]+day, [A-Z][a-z]+ \d{1,2}, \d{4} \d\d:\d\d:\d\d-\S+\r\n", line)

    def test_reverse(self, kind):
        if kind.secure:
            pytest.skip("TLS has no half-close: reverse waits for an end that only closing can tell")
        with kind.start(reverse) as server, kind.connect(server) as client:
            client.sendall(b"stressed")
            client.shutdown(socket.SHUT_WR)
            assert read_to_end(client) == b"desserts"

    def test_own_handler_gets_a_plain_blocking_socket(self, kind):
        seen = []

        def look(conn):
            seen.append((isinstance(conn, socket.socket), conn.gettimeout(), conn.family))

        socket.setdefaulttimeout(0.5)  # the learner's business, not the handler's
        try:
            with kind.start(look) as server, kind.connect(server) as client:
                read_to_end(client)
        finally:
            socket.setdefaulttimeout(None)
        assert seen == [(True, None, kind.family)]

    def test_callable_objects_serve_too(self, kind):
        class Greeter:
            def __call__(self, conn):
                conn.sendall(b"hello")

        with kind.start(Greeter()) as server, kind.connect(server) as client:
            assert read_to_end(client) == b"hello"
            assert "Greeter" in repr(server)

    def test_so_do_partials_methods_and_classes(self, kind):
        class Greeter:
            def __init__(self, conn=None):
                if conn:
                    self.greet(b"hello", conn)

            def greet(self, what, conn):
                conn.sendall(what)

        for handler in (Greeter, functools.partial(Greeter().greet, b"hello")):
            with kind.start(handler) as server, kind.connect(server) as client:
                assert read_to_end(client) == b"hello"


class TestLife:
    def test_listening_when_the_call_returns(self, kind):
        for _ in range(50):
            with kind.start(echo) as server:
                assert ask(kind, server, b"x") == b"x"

    def test_facts_about_itself(self, kind):
        arrived = threading.Event()

        def hold(conn):
            arrived.set()
            conn.recv(1)

        server = kind.start(hold)
        assert server.family == kind.family
        assert (server.accepted, server.connections, server.errors, server.closed) == (0, (), (), False)
        with kind.connect(server) as client:
            client.settimeout(LIMIT)
            assert arrived.wait(LIMIT)
            assert server.accepted == 1
            (conn,) = server.connections
            assert conn.getpeername() == client.getsockname()
        assert eventually(lambda: not server.connections)
        server.close()
        assert server.closed

    def test_repr_is_the_same_on_every_run(self, kind):
        with kind.start(echo) as server:
            before = repr(server)
        assert re.fullmatch(r"<(tcp|unix|tls)_server echo, listening>", before)
        assert repr(server) == before.replace("listening", "closed")

    def test_close_is_idempotent(self, kind):
        server = kind.start(echo)
        for _ in range(3):
            server.close()

    def test_close_from_several_threads(self, kind):
        server = kind.start(echo)
        with kind.connect(server), ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(server.close) for _ in range(8)]:
                done.result(LIMIT)

    def test_close_ends_idle_clients(self, kind):
        server = kind.start(echo)
        clients = [kind.connect(server) for _ in range(10)]
        for client in clients:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        server.close()
        for client in clients:
            assert client.recv(1) == b""
            client.close()

    def test_what_was_sent_before_close_is_served(self, kind):
        """Ordered by the kernel, not by luck: connect() and sendall() have returned when close() begins."""
        if kind.secure:
            pytest.skip("a TLS handshake needs the server's thread anyway")
        for _ in range(100):
            heard = []

            def listen(conn, heard=heard):
                heard.append(read_to_end(conn))

            with kind.start(listen) as server:
                clients = [kind.connect(server) for _ in range(5)]
                for client in clients:
                    client.sendall(b"x")
                    client.close()
            assert heard == [b"x"] * 5

    def test_an_answer_on_its_way_arrives(self, kind):
        for _ in range(50):
            with kind.start(echo) as server:
                client = kind.connect(server)
                client.sendall(b"last words")
            assert read_to_end(client) == b"last words"
            client.close()

    def test_close_with_clients_half_closed_and_reset(self, kind):
        for _ in range(30):
            with kind.start(echo) as server:
                idle, half, gone = (kind.connect(server) for _ in range(3))
                socket.socket.shutdown(half, socket.SHUT_WR)
                reset(gone)
            idle.close()
            half.close()

    def test_close_frees_a_handler_that_is_stuck_in_send(self, kind):
        with kind.start(chargen) as server:
            client = kind.connect(server)
            client.recv(1)  # and never again
        client.close()

    def test_a_forgotten_server_ends(self, kind):
        server = kind.start(echo)
        client = kind.connect(server)
        del server
        gc.collect()
        assert client.recv(1) == b""
        client.close()

    def test_a_thousand_cycles(self, kind):
        """The fixture `nothing_left` looks for what they leave; here is what they do."""
        rounds = 100 if kind.secure else 1000  # a certificate takes a few milliseconds
        for n in range(rounds):
            with kind.start(echo) as server:
                client = kind.connect(server)
                if n % 4 == 1:
                    socket.socket.shutdown(client, socket.SHUT_WR)
                elif n % 4 == 2:
                    reset(client)
                elif n % 4 == 3:
                    client.sendall(b"x")
            client.close()

    def test_a_handler_may_close_its_own_server(self, kind):
        server = kind.start(lambda conn: server.close())
        with kind.connect(server) as client:
            client.settimeout(LIMIT)
            assert client.recv(1) == b""
        assert server.closed
        server.close()

    def test_two_handlers_may_close_it_at_once(self, kind):
        if kind.secure:
            pytest.skip("a client that waits for its handshake cannot come with another one")
        together = threading.Barrier(2)

        def end(conn):
            together.wait(LIMIT)
            server.close()

        server = kind.start(end)
        with kind.connect(server) as one, kind.connect(server) as two:
            assert (one.recv(1), two.recv(1)) == (b"", b"")
        server.close()
        assert server.errors == ()

    def test_a_signal_handler_may_close_it(self, kind):
        """One that came while its thread held the lock: the workers need that lock to end."""
        with kind.start(echo) as server, kind.connect(server) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            with server._engine._lock:
                server.close()

    def test_it_cannot_be_opened_again(self, kind):
        with kind.start(echo) as server:
            pass
        with pytest.raises(RuntimeError, match=r"closed.*start another (tcp|unix|tls)_server"), server:
            pass

    def test_two_threads_that_compute_do_not_cut_answers_off(self, kind):
        """Beside them every step of every handler waits for the interpreter, 5 ms each time."""
        count, done = 40, threading.Event()

        def compute():
            while not done.is_set():
                pass

        def slow(conn):
            heard = read_to_end(conn)
            for _ in range(4):
                time.sleep(0)  # gives the interpreter to somebody else
            conn.sendall(heard)

        hogs = [threading.Thread(target=compute) for _ in range(2)]
        server = kind.start(slow)
        clients = [kind.connect(server) for _ in range(count)]
        for client in clients:
            client.sendall(b"x")
        try:
            for hog in hogs:
                hog.start()
            server.close()
        finally:
            done.set()
            for hog in hogs:
                hog.join()
        for client in clients:
            assert client.recv(1) == b"x"
            client.close()
        assert server.errors == ()

    def test_those_who_wait_are_served_where_no_thread_can_be_started(self, kind, monkeypatch):
        if kind.secure:
            pytest.skip("a TLS handshake needs the server's thread anyway")
        started = [threading.Event()]

        def hold(conn):
            started[0].set()
            echo(conn)

        def refuse(self):
            raise RuntimeError("can't start new thread")

        server = kind.start(hold)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with kind.connect(server) as first:
            assert started[0].wait(LIMIT)
            with kind.connect(server) as second:
                second.sendall(b"x")
                server.close()
                assert (first.recv(1), second.recv(1)) == (b"", b"x")

    @pytest.mark.parametrize("start", [tcp_server, unix_server, udp_server])
    def test_no_thread_no_server(self, start, monkeypatch):
        def refuse(self):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            start(echo)

    def test_restart_on_the_same_port(self, internet):
        with tcp_server(echo, family=internet) as server:
            port = server.address[1]
            with socket.create_connection(server.address[:2], LIMIT) as client:
                client.sendall(b"x")
                client.recv(1)
        for _ in range(20):  # the server closed first, so its side of the connection is in TIME_WAIT
            with tcp_server(echo, port=port, family=internet) as server:
                client = socket.create_connection(server.address[:2], LIMIT)
                client.sendall(b"x")
                client.recv(1)
            client.close()


class TestManyClients:
    def test_a_hundred_at_once(self, kind):
        together = threading.Barrier(20)
        with kind.start(echo) as server, ThreadPoolExecutor(20) as pool:

            def one(n):
                together.wait(LIMIT)
                return [ask(kind, server, b"%d" % n) for _ in range(5)]

            answers = list(pool.map(one, range(20)))
        assert answers == [[b"%d" % n] * 5 for n in range(20)]

    def test_a_slow_client_holds_nobody_up(self, kind):
        with kind.start(echo) as server, ExitStack() as stack:
            for _ in range(50):  # connected, silent
                stack.enter_context(kind.connect(server))
            assert ask(kind, server, b"x") == b"x"

    def test_threads_are_reused(self, kind):
        seen = set()

        def who(conn):
            seen.add(threading.get_ident())
            conn.recv(1)
            conn.sendall(b"y")

        with kind.start(who) as server:
            for _ in range(200):
                ask(kind, server, b"x")
        assert len(seen) <= 20  # two or three as a rule; a machine that stalls may need some more

    def test_idle_threads_go_home_after_a_crowd(self, kind):
        crowd = 3 * crew_module.MOST_IDLE if not kind.secure else 2 * crew_module.MOST_IDLE
        before = threading.active_count()
        with kind.start(echo) as server:
            with ExitStack() as stack:
                for _ in range(crowd):
                    client = stack.enter_context(kind.connect(server))
                    client.sendall(b"x")
                    assert client.recv(1) == b"x"
                assert threading.active_count() > before + crowd
            assert eventually(lambda: threading.active_count() <= before + crew_module.MOST_IDLE)
            assert ask(kind, server, b"still here") == b"still here"

    def test_two_thousand_connects_in_a_burst(self, internet):
        """None of them may be turned away, or have to send its SYN again after a second."""
        with tcp_server(echo, family=internet) as server:
            clients = []
            try:
                for _ in range(2000):
                    client = socket.socket(internet)
                    client.setblocking(False)
                    clients.append(client)
                    client.connect_ex(server.address)
                for n, client in enumerate(clients):
                    client.settimeout(LIMIT)
                    client.sendall(b"%4d" % n)
                assert [int(client.recv(4)) for client in clients] == list(range(2000))
            finally:
                for client in clients:
                    client.close()


class TestBadInput:
    @pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.168.1.1", "example.com", "8.8.8.8", "127.1", "::1%lo"])
    def test_a_host_that_is_not_loopback(self, host):
        for start in (tcp_server, udp_server, tls_server):
            with pytest.raises(ValueError, match="not a loopback address.*127.0.0.1"):
                start(echo, host)

    def test_a_family_that_does_not_fit(self):
        with pytest.raises(ValueError, match="AF_INET6 address, but family says AF_INET"):
            tcp_server(echo, "::1", family=socket.AF_INET)
        with pytest.raises(ValueError, match="unix_server"):
            tcp_server(echo, family=socket.AF_UNIX)

    @pytest.mark.parametrize("port", [-1, 65536, 1 << 40])
    def test_a_port_out_of_range(self, port):
        with pytest.raises(ValueError, match="0 to 65535"):
            tcp_server(echo, port=port)

    @pytest.mark.parametrize("port", ["8080", 80.0, True, None])
    def test_a_port_of_the_wrong_type(self, port):
        with pytest.raises(TypeError, match=f"not {type(port).__name__}"):
            tcp_server(echo, port=port)

    def test_a_host_of_the_wrong_type(self):
        with pytest.raises(TypeError, match="not bytes"):
            tcp_server(echo, b"127.0.0.1")

    def test_a_port_that_is_taken(self, internet):
        with tcp_server(echo, family=internet) as server:
            with pytest.raises(OSError, match="taken.*port=0") as caught:
                tcp_server(echo, port=server.address[1], family=internet)
            assert caught.value.errno == errno.EADDRINUSE
            with udp_server(echo, family=internet) as other:
                with pytest.raises(OSError, match="taken") as caught:
                    udp_server(echo, port=other.address[1], family=internet)
                assert caught.value.errno == errno.EADDRINUSE

    @pytest.mark.parametrize("start", [tcp_server, unix_server, tls_server, udp_server])
    @pytest.mark.parametrize("handler", [None, "echo", 7])
    def test_a_handler_that_cannot_be_called(self, start, handler):
        with pytest.raises(TypeError, match=f"handler must be a function.*not {type(handler).__name__}"):
            start(handler)

    @pytest.mark.parametrize("start", [tcp_server, unix_server, tls_server, udp_server])
    def test_a_handler_that_would_not_run(self, start):
        async def late(*args):
            pass

        async def late_parts(*args):
            yield

        def parts(*args):
            yield

        class Object:
            async def __call__(self, *args):
                pass

            async def method(self, *args):
                pass

        for handler in (late, late_parts, Object(), Object().method, functools.partial(late, 1)):
            with pytest.raises(TypeError, match="async def"):
                start(handler)
        with pytest.raises(TypeError, match="'parts' contains `yield`"):
            start(parts)

    def test_a_datagram_handler_on_a_stream(self):
        from socketlab.handlers import echo_datagram

        with pytest.raises(TypeError, match="udp_server"):
            tcp_server(echo_datagram)

    def test_a_path_that_is_taken(self, tmp_path):
        with unix_server(echo, tmp_path / "s"), pytest.raises(OSError, match="exists already") as caught:
            unix_server(echo, tmp_path / "s")
        assert caught.value.errno == errno.EADDRINUSE
        assert not os.listdir(tmp_path)

    @pytest.mark.parametrize("path", ["", "x" * 108, "a\0b"])
    def test_a_path_that_cannot_be(self, path):
        with pytest.raises(ValueError, match="path"):
            unix_server(echo, path)

    def test_a_path_in_no_directory(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            unix_server(echo, tmp_path / "no" / "s")

    def test_a_type_without_connections(self):
        with pytest.raises(ValueError, match="SOCK_STREAM"):
            unix_server(echo, type=socket.SOCK_DGRAM)

    def test_no_names_for_a_certificate(self):
        for names in ((), "localhost"):
            with pytest.raises(ValueError, match="names"):
                tls_server(echo, names=names)

    @pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
    def test_an_abstract_name(self):
        with unix_server(echo, f"\0socketlab-test-{os.getpid()}") as server:
            assert ask(KINDS["unix"], server, b"x") == b"x"

    @pytest.mark.skipif(sys.platform != "linux", reason="SEQPACKET on Unix sockets is Linux's")
    def test_packets_keep_their_borders(self):
        with unix_server(echo, type=socket.SOCK_SEQPACKET) as server:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                client.settimeout(LIMIT)
                client.connect(server.address)
                client.send(b"one")
                client.send(b"two")
                assert [client.recv(99), client.recv(99)] == [b"one", b"two"]

    def test_a_temporary_directory_with_a_long_name(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 100)))
        os.mkdir(tempfile.tempdir)
        with pytest.raises(ValueError, match="may have 10. bytes"):
            unix_server(echo)
        assert os.listdir(tempfile.tempdir) == []

    def test_a_file_of_the_learners_beside_the_socket(self):
        server = unix_server(echo)
        directory = os.path.dirname(server.address)
        own = os.path.join(directory, "mine")
        with open(own, "w"):
            server.close()
        assert os.listdir(directory) == ["mine"]
        os.unlink(own)
        os.rmdir(directory)

    def test_close_in_another_directory(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with unix_server(echo, "s"):
            os.mkdir("other")
            os.chdir("other")
            with open("s", "w"):
                pass
        assert (os.listdir(tmp_path), os.listdir(".")) == (["other"], ["s"])

    def test_close_removes_the_path(self):
        server = unix_server(echo)
        assert os.path.exists(server.address)
        server.close()
        assert not os.path.exists(os.path.dirname(server.address))


class TestFaults:
    def test_a_handler_that_raises(self, kind):
        def broken(conn):
            raise ZeroDivisionError("by design")

        server = kind.start(broken)
        with kind.connect(server) as client:
            assert client.recv(1) == b""
        with pytest.raises(ServerError, match="handler 'broken' raised ZeroDivisionError: by design") as caught:
            server.close()
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert caught.value.__cause__.__traceback__ is not None
        assert server.errors == (caught.value.__cause__,)
        server.close()  # told once

    def test_the_error_reaches_the_with_statement(self, kind):
        def broken(conn):
            raise SystemExit("a handler cannot end the notebook")

        with pytest.raises(ServerError, match="SystemExit"), kind.start(broken) as server:
            with kind.connect(server) as client:
                client.recv(1)

    def test_an_exception_without_words(self, kind):
        class Silent(Exception):
            def __str__(self):
                raise ZeroDivisionError

        for raised, told in ((Silent(), "Silent: .its __str__"), (GeneratorExit(), "raised GeneratorExit$")):

            def broken(conn, raised=raised):
                raise raised

            with pytest.raises(ServerError, match=told), kind.start(broken) as server:
                with kind.connect(server) as client:
                    client.recv(1)

    def test_what_is_no_vanished_peer(self, kind):
        """Each of these is an OSError, and two of them a ConnectionError: but they come from the handler."""

        def proxy(conn):
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))  # and does not listen
                socket.create_connection(taken.getsockname(), LIMIT)

        def strict(conn):
            raise ConnectionError("wanted 16 bytes")

        def missing(conn):
            read_to_end(conn)
            open("/nowhere/at/all")

        for handler, told in ((proxy, "Refused"), (strict, "wanted 16"), (missing, "FileNotFoundError")):
            client = None
            with pytest.raises(ServerError, match=told), kind.start(handler) as server:
                client = kind.connect(server)
                assert eventually(lambda server=server: server.accepted)
            client.close()

    def test_a_peer_that_vanished_has_no_name(self, kind):
        if kind.family == getattr(socket, "AF_UNIX", None):
            pytest.skip("a Unix socket remembers its peer")
        gone = threading.Event()

        def ask_name(conn):
            assert gone.wait(LIMIT)
            conn.getpeername()

        with kind.start(ask_name) as server:
            client = kind.connect(server)
            assert eventually(lambda: server.connections)
            reset(client)
            gone.set()
            assert eventually(lambda: server.errors)
        assert server.errors[0].errno == errno.ENOTCONN

    def test_a_file_kept_by_a_traceback_does_not_hold_the_connection(self, kind):
        def broken(conn):
            lines = conn.makefile("rb")
            raise ValueError(lines.readline())

        server = kind.start(broken)
        with kind.connect(server) as client:
            client.sendall(b"one\n")
            assert client.recv(1) == b""
        with pytest.raises(ServerError, match="one"):
            server.close()

    def test_a_handler_that_gives_its_descriptor_away(self, kind):
        kept = []

        def detach(conn):
            kept.append(conn.detach())

        with kind.start(detach) as server, kind.connect(server):
            assert eventually(lambda: kept)
        os.close(kept[0])

    def test_a_handler_that_closes_its_descriptor(self, kind):
        if kind.secure:
            pytest.skip("the client would not be told good-bye")
        for _ in range(3):
            # One client for each server: until its worker is joined, the number that the handler freed could be given
            # to a second client, and closed under it. That is what such a handler does to people.
            with kind.start(lambda conn: os.close(conn.fileno())) as server, kind.connect(server) as client:
                assert client.recv(1) == b""

    def test_a_handler_that_catches_everything_is_stopped(self, kind):
        def stubborn(conn):
            while True:
                try:
                    conn.recv(1)
                except:  # noqa: E722
                    pass

        server = kind.start(stubborn)
        with kind.connect(server):
            assert eventually(lambda: server.connections)
            with pytest.raises(ServerError, match="'stubborn' did not return"):
                server.close()

    def test_a_socket_class_of_the_learners(self, monkeypatch):
        class Loud(socket.socket):
            pass

        with tcp_server(echo) as server:
            monkeypatch.setattr(socket, "socket", Loud)
            assert ask(KINDS["ipv4"], server, b"x") == b"x"
            monkeypatch.setattr(socket, "socket", lambda *args, **options: Loud(*args, **options))
            assert ask(KINDS["ipv4"], server, b"x") == b"x"
            server.close()

    def test_several_errors_are_counted(self, kind):
        def broken(conn):
            raise KeyError("again")

        with pytest.raises(ServerError, match="and 2 more"), kind.start(broken) as server:
            for _ in range(3):
                with kind.connect(server) as client:
                    client.recv(1)

    def test_the_exception_of_the_body_is_shown_as_well(self, kind):
        def broken(conn):
            raise KeyError("the cause")

        with pytest.raises(ServerError) as caught, kind.start(broken) as server:
            with kind.connect(server) as client:
                assert client.recv(1) == b"?", "the body"
        assert "the body" in str(caught.value.__context__)

    def test_an_interrupt_is_not_replaced(self, kind):
        def broken(conn):
            raise KeyError("not now")

        with pytest.raises(KeyboardInterrupt), kind.start(broken) as server:
            with kind.connect(server) as client:
                client.recv(1)
            raise KeyboardInterrupt

    def test_a_server_survives_its_handlers_errors(self, kind):
        def picky(conn):
            if (data := conn.recv(1)) == b"!":
                raise ValueError("!")
            conn.sendall(data)

        server = kind.start(picky)
        for _ in range(3):
            with kind.connect(server) as client:
                client.sendall(b"!")
                assert client.recv(1) == b""
        assert ask(kind, server, b"x") == b"x"
        with pytest.raises(ServerError, match="and 2 more"):
            server.close()

    def test_a_peer_that_resets_is_recorded_and_not_raised(self, kind):
        ready, gone = threading.Event(), threading.Event()

        def talk(conn):
            ready.set()
            assert gone.wait(LIMIT)
            conn.recv(1)
            while True:
                conn.sendall(b"anyone?" * 10_000)

        with kind.start(talk) as server:
            client = kind.connect(server)
            assert ready.wait(LIMIT)
            reset(client)
            gone.set()
            assert eventually(lambda: server.errors)
        assert isinstance(server.errors[0], (ConnectionResetError, BrokenPipeError, ssl.SSLError))

    def test_a_handler_that_ignores_the_end_is_stopped_and_named(self, kind):
        def deaf(conn):
            while True:
                conn.recv(1)  # b"" for ever

        server = kind.start(deaf)
        with kind.connect(server):
            assert eventually(lambda: server.connections)
            with pytest.raises(ServerError, match=r"'deaf' did not return.*was stopped at line \d+: .*recv"):
                server.close()

    def test_a_handler_that_loops_for_ever(self, kind):
        def spin(conn):
            while True:
                pass

        server = kind.start(spin)
        with kind.connect(server):
            assert eventually(lambda: server.connections)
            with pytest.raises(ServerError, match=r"'spin'.*was stopped at line \d+: "):
                server.close()

    def test_a_handler_that_sleeps_too_long_is_left_alone(self, kind):
        wake = threading.Event()
        inside = threading.Event()

        def asleep(conn):
            inside.set()
            wake.wait()  # no bytecode runs in here, so nothing can be raised in here

        server = kind.start(asleep)
        with kind.connect(server):
            assert inside.wait(LIMIT)
            begin = time.monotonic()
            with pytest.raises(ServerError, match=r"'asleep'.*still stands at line \d+: wake.wait"):
                server.close()
            assert time.monotonic() - begin < LIMIT
        wake.set()

    def test_out_of_descriptors_waits_and_recovers(self):
        import resource

        with tcp_server(echo) as server:
            client = socket.socket()
            client.settimeout(LIMIT)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            filler = os.dup(0)
            resource.setrlimit(resource.RLIMIT_NOFILE, (filler + 1, hard))
            hoard = []
            try:
                with pytest.raises(OSError, match="Too many open files"):
                    while True:
                        hoard.append(os.dup(filler))
                client.connect(server.address)
                client.sendall(b"x")
                assert eventually(lambda: any(getattr(e, "errno", 0) == errno.EMFILE for e in server.errors))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for fd in (*hoard, filler):
                    os.close(fd)
            assert client.recv(1) == b"x"
            client.close()
            assert len(server.errors) < 200  # it waited, it did not spin

    def test_errors_do_not_pile_up(self):
        with tcp_server(echo) as server:
            server._engine.errors.extend(OSError(n) for n in range(5000))
            server._engine._faults.extend(OSError(n) for n in range(5000))
            assert len(server.errors) == 1000
            with pytest.raises(ServerError, match="and 999 more"):
                server.close()


class TestTLS:
    def test_a_client_that_does_not_trust_us(self):
        with tls_server(echo) as server:
            context = ssl.create_default_context()
            with socket.create_connection(server.address, LIMIT) as raw:
                with pytest.raises(ssl.SSLCertVerificationError):
                    context.wrap_socket(raw, server_hostname="localhost")
            assert eventually(lambda: server.errors)
        assert isinstance(server.errors[0], ssl.SSLError)

    def test_a_client_that_speaks_no_tls(self):
        with tls_server(echo) as server:
            with socket.create_connection(server.address, LIMIT) as raw:
                raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
                with suppress(ConnectionResetError):  # it may leave without having read all of this
                    read_to_end(raw)
            assert eventually(lambda: server.errors)
        assert isinstance(server.errors[0], ssl.SSLError)

    def test_a_name_that_is_not_in_the_certificate(self):
        with tls_server(echo, names=("alpha.test",)) as server:
            with socket.create_connection(server.address, LIMIT) as raw:
                with pytest.raises(ssl.SSLCertVerificationError, match="alpha|localhost"):
                    server.client_context.wrap_socket(raw, server_hostname="localhost")
            with socket.create_connection(server.address, LIMIT) as raw:
                with server.client_context.wrap_socket(raw, server_hostname="alpha.test") as client:
                    client.sendall(b"x")
                    assert client.recv(1) == b"x"

    def test_the_end_is_not_a_truncation(self):
        with tls_server(daytime) as server, socket.create_connection(server.address, LIMIT) as raw:
            wrap = server.client_context.wrap_socket
            with wrap(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client:
                assert read_to_end(client).endswith(b"\r\n")  # SSLEOFError, had close_notify not been said

    def test_the_authority_issues_more(self):
        with tls_server(echo) as server:
            assert server.authority.issue_cert("other.test").cert_chain_pems

    def test_openssl_agrees(self, tmp_path):
        with tls_server(echo) as server:
            ca = tmp_path / "ca.pem"
            server.authority.cert_pem.write_to_path(str(ca))
            where = f"127.0.0.1:{server.address[1]}"
            trust = ["-CAfile", ca, "-verify_return_error", "-verify_hostname", "localhost"]
            command = ["openssl", "s_client", "-connect", where, "-servername", "localhost", *trust]
            done = subprocess.run(command, input=b"Q\n", capture_output=True, timeout=LIMIT, check=False)
        assert b"Verify return code: 0 (ok)" in done.stdout, done.stdout[-500:] + done.stderr[-500:]


class TestDatagrams:
    @contextmanager
    def client(self, internet):
        with socket.socket(internet, socket.SOCK_DGRAM) as sock:
            sock.settimeout(LIMIT)
            yield sock

    def test_echo(self, internet):
        with udp_server(echo, family=internet) as server, self.client(internet) as client:
            for data in (b"x", b"", b"y" * 8000):
                client.sendto(data, server.address)
                assert client.recvfrom(65535) == (data, server.address)
            assert (server.accepted, server.connections, server.family) == (3, (), internet)

    @pytest.mark.parametrize(
        ("handler", "answer"), [(chargen, rb"[ -~]{72}\r\n"), (daytime, rb"\w+day, .*\r\n"), (reverse, rb"olleh")]
    )
    def test_the_other_services(self, internet, handler, answer):
        with udp_server(handler, family=internet) as server, self.client(internet) as client:
            client.sendto(b"hello", server.address)
            assert re.fullmatch(answer, client.recv(65535))

    def test_discard(self, internet):
        with udp_server(discard, family=internet) as server, self.client(internet) as client:
            client.sendto(b"hello", server.address)
            assert eventually(lambda: server.accepted == 1)
            client.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.recv(1)

    def test_what_was_sent_before_close_is_served(self, internet):
        heard = []
        for n in range(100):
            with udp_server(lambda data, peer: heard.append(data), family=internet) as server:
                with self.client(internet) as client:
                    client.sendto(b"%d" % n, server.address)
        assert heard == [b"%d" % n for n in range(100)]

    def test_a_handler_that_raises(self, internet):
        def broken(data, peer):
            raise ZeroDivisionError(data.decode())

        server = udp_server(broken, family=internet)
        with self.client(internet) as client:
            client.sendto(b"one", server.address)
            client.sendto(b"two", server.address)
        with pytest.raises(ServerError, match=r"'broken' raised ZeroDivisionError: one \(and 1 more"):
            server.close()
        server.close()

    def test_a_handler_that_returns_text(self, internet):
        with pytest.raises(ServerError, match="returns bytes.*returned str"):
            with udp_server(lambda data, peer: "text", family=internet) as server, self.client(internet) as client:
                client.sendto(b"x", server.address)

    def test_a_handler_that_loops_for_ever(self, internet):
        def spin(data, peer):
            while True:
                pass

        server = udp_server(spin, family=internet)
        with self.client(internet) as client:
            client.sendto(b"x", server.address)
            assert eventually(lambda: server.accepted)
            with pytest.raises(ServerError, match=r"'spin'.*was stopped at line \d+: "):
                server.close()

    def test_a_slow_handler_is_given_the_time_it_needs(self, internet):
        heard = []

        def slow(data, peer):
            time.sleep(0.01)
            heard.append(data)

        with udp_server(slow, family=internet) as server, self.client(internet) as client:
            for n in range(80):
                client.sendto(b"%d" % n, server.address)
        assert heard == [b"%d" % n for n in range(80)]

    def test_clients_that_never_pause_do_not_stop_the_end(self, internet):
        done = threading.Event()

        def flood():
            with self.client(internet) as client:
                while not done.is_set():
                    client.sendto(b"x", server.address)

        server = udp_server(lambda data, peer: time.sleep(0.0005), family=internet)
        server._engine.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)  # a dozen datagrams
        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            assert eventually(lambda: server.accepted > 100)
            server.close()
        finally:
            done.set()
            flooding.join()

    def test_a_full_queue_does_not_stop_the_end(self, internet):
        go = threading.Event()
        with udp_server(lambda data, peer: go.wait(LIMIT) and None, family=internet) as server:
            with self.client(internet) as client:
                for _ in range(2000):
                    client.sendto(b"x" * 1000, server.address)
            go.set()

    def test_life(self, internet):
        for _ in range(300):
            server = udp_server(echo, family=internet)
            assert repr(server) == "<udp_server echo_datagram, listening>"
            server.close()
            server.close()
            assert repr(server) == "<udp_server echo_datagram, closed>"

    def test_a_forgotten_server_ends(self, internet):
        server = udp_server(echo, family=internet)
        address = server.address
        del server
        gc.collect()
        with socket.socket(internet, socket.SOCK_DGRAM) as again:

            def free() -> bool:
                try:
                    again.bind(address)
                except OSError:
                    return False
                return True

            assert eventually(free)


class TestProcesses:
    """What happens to servers when the process is interrupted, forked, or ends."""

    def run(self, program: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(program)],
            capture_output=True, text=True, timeout=60, check=False, **options,
        )  # fmt: skip

    def test_interpreter_exit_with_a_server_open(self):
        done = self.run("""
            import socket
            from socketlab import tcp_server, udp_server, unix_server
            from socketlab.handlers import echo
            servers = [tcp_server(echo), udp_server(echo), unix_server(echo)]
            client = socket.create_connection(servers[0].address)
            client.sendall(b"x")
            client.recv(1)
            client.close()
            print(servers[2].address)
        """)
        assert (done.returncode, done.stderr) == (0, "")
        assert not os.path.exists(done.stdout.strip())

    def test_interpreter_exit_with_a_handler_that_never_returns(self):
        begin = time.monotonic()
        done = self.run("""
            import socket, time
            from socketlab import tcp_server
            server = tcp_server(lambda conn: time.sleep(1000))
            client = socket.create_connection(server.address)
            while not server.connections:
                time.sleep(0.001)
            client.close()
        """)
        assert (done.returncode, done.stderr) == (0, "")
        assert time.monotonic() - begin < 30

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_a_forked_child_does_not_end_the_parents_server(self):
        done = self.run("""
            import os, socket, sys, warnings
            warnings.simplefilter("ignore", DeprecationWarning)
            from socketlab import tcp_server, udp_server
            from socketlab.handlers import echo
            with tcp_server(echo) as server, udp_server(echo) as post:
                client = socket.create_connection(server.address)
                client.sendall(b"1")
                client.recv(1)
                pid = os.fork()
                if not pid:
                    server.close()
                    post.close()
                    sys.exit()  # runs the exit handlers too
                os.waitpid(pid, 0)
                client.sendall(b"2")
                print(client.recv(1))
                client.close()
        """)
        assert (done.stdout, done.returncode) == ("b'2'\n", 0), done.stderr

    @pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
    def test_interrupts_at_any_time(self):
        """A thousand servers made, used and closed under a rain of SIGINT: no hang, no thread, no descriptor left."""
        done = self.run(
            """
            import gc, os, random, signal, socket, tempfile, threading, time, warnings
            warnings.simplefilter("ignore", ResourceWarning)  # of sockets that were interrupted while being made
            from socketlab import tcp_server, udp_server, unix_server
            from socketlab.handlers import echo
            tempfile.gettempdir()  # tries directories out the first time, and an interrupt leaves its trial file open
            rain = random.Random(7)
            caught = completed = 0
            started = threading.active_count(), len(os.listdir("/proc/self/fd"))

            def once(start):
                with start(echo) as server:
                    if start is not udp_server:
                        with socket.socket(server.family) as client:
                            client.settimeout(10)
                            client.connect(server.address)
                            client.sendall(b"x")
                            assert client.recv(1) == b"x"

            signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
            for n in range(1000):
                start = (tcp_server, unix_server, udp_server)[n % 3]
                try:
                    signal.setitimer(signal.ITIMER_REAL, rain.uniform(1e-6, 1.5e-3))
                    once(start)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    completed += 1
                except KeyboardInterrupt:
                    caught += 1
                gc.collect()  # what was interrupted ends before the next interrupt: one at a time is the promise
            end = time.monotonic() + 10
            while (threading.active_count(), len(os.listdir("/proc/self/fd"))) != started and time.monotonic() < end:
                time.sleep(0.01)
            left = threading.active_count() - started[0], len(os.listdir("/proc/self/fd")) - started[1]
            print(left, caught > 50, completed + caught)
        """.replace("\n            ", "\n")
        )
        assert done.stdout == "(0, 0) True 1000\n", done.stdout + done.stderr[-2000:]

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
    def test_a_killed_process_leaves_the_port_free(self):
        program = "from socketlab import tcp_server; from socketlab.handlers import echo; import time\n"
        program += "s = tcp_server(echo); print(s.address[1], flush=True); time.sleep(60)"
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
            port = int(process.stdout.readline())
            client = socket.create_connection(("127.0.0.1", port), LIMIT)
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            process.kill()
            process.wait(LIMIT)
            assert client.recv(1) == b""
            client.close()
        with tcp_server(echo, port=port) as server:
            assert ask(KINDS["ipv4"], server, b"x") == b"x"
