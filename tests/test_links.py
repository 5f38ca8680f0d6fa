"""Links against real sockets: each fault as a client and a server see it, bad luck of every kind, and nothing left."""

from __future__ import annotations

import errno
import gc
import math
import os
import queue
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import ExitStack

import pytest
from leftovers import descriptors, nothing_left
from patience import eventually

import socketlab
from socketlab import tcp_server, tls_server, udp_server, unix_server
from socketlab.handlers import chargen, discard, echo, reverse
from socketlab.links import PRESETS, DatagramLink, StreamLink, faulty_link
from socketlab.links import datagram as datagram_module
from socketlab.links import relay as relay_module
from socketlab.links.pipe import BUFFER

pytestmark = pytest.mark.usefixtures("nothing_left")

LIMIT = 10  # s: every blocking call of these tests ends by then, with an error
EARLY = 0.0001  # s: two clocks are read, the link's and ours, one after the other

SERVERS = {
    "ipv4": lambda handler: tcp_server(handler),
    "ipv6": lambda handler: tcp_server(handler, "::1"),
    "unix": lambda handler: unix_server(handler),
}


@pytest.fixture(params=[*SERVERS, "elsewhere"])
def start(request, has_ipv6, monkeypatch):
    """What starts a server of one kind; "elsewhere" is IPv4 where there is no epoll."""
    if request.param == "ipv6" and not has_ipv6:
        pytest.skip("this machine cannot bind ::1")
    if request.param == "unix" and not hasattr(socket, "AF_UNIX"):
        pytest.skip("this platform has no Unix sockets")
    if request.param == "elsewhere":

        class Platform:
            platform = "darwin"

        monkeypatch.setattr(relay_module, "sys", Platform)
    return SERVERS.get(request.param, SERVERS["ipv4"])


@pytest.fixture(params=["ipv4", "ipv6"])
def start_udp(request, has_ipv6):
    if request.param == "ipv6" and not has_ipv6:
        pytest.skip("this machine cannot bind ::1")
    return lambda handler: udp_server(handler, {"ipv4": "127.0.0.1", "ipv6": "::1"}[request.param])


def connect(link, family=None) -> socket.socket:
    sock = socket.socket(family or link.family)
    sock.settimeout(LIMIT)
    try:
        sock.connect(link.address)
    except BaseException:
        sock.close()
        raise
    return sock


def refused(link) -> bool:
    """Whether a client is reset, which may be before its connect() has returned."""
    try:
        with connect(link) as client:
            return gone(client)
    except ConnectionError:
        return True


def client_of(link) -> socket.socket:
    """A client for datagrams."""
    sock = socket.socket(link.family, socket.SOCK_DGRAM)
    sock.settimeout(LIMIT)
    sock.connect(link.address)
    return sock


def read_to_end(sock) -> bytes:
    parts = []
    while part := sock.recv(65536):
        parts.append(part)
    return b"".join(parts)


def receive(sock, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        assert part, f"wanted {size} bytes, had {len(data)} when the peer closed"
        data += part
    return data


def numbered(size: int) -> bytes:
    """Bytes whose order shows."""
    return bytes((n * 7 + n // 251) % 256 for n in range(size))


def reset(sock: socket.socket) -> None:
    """Close with a RST instead of a FIN (SO_LINGER with zero seconds, socket(7))."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def gone(sock) -> bool:
    """Whether the peer has reset `sock`, rather than ended or still there."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        return True
    return False


class Heard:
    """A handler that notes what it received, and how that ended."""

    def __init__(self):
        self.data, self.ends = queue.Queue(), queue.Queue()

    def __call__(self, conn):
        conn.settimeout(LIMIT)
        try:
            while part := conn.recv(65536):
                self.data.put(part)
        except OSError as exc:
            self.ends.put(type(exc))
        else:
            self.ends.put("end")

    def all(self) -> bytes:
        data = b""
        while not self.data.empty():
            data += self.data.get()
        return data


def balanced(way) -> bool:
    return way.taken == way.passed + way.pending + way.swallowed + way.discarded


class TestNothingWrong:
    def test_what_is_sent_arrives(self, start):
        with start(echo) as server, faulty_link(server) as link, connect(link) as client:
            client.sendall(b"hello")
            assert receive(client, 5) == b"hello"
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
        assert link.stats.up == link.stats.down == (5, 5, 0, 0, 0)

    def test_half_close_passes_through(self, start):
        with start(reverse) as server, faulty_link(server) as link, connect(link) as client:
            client.sendall(b"stressed")
            client.shutdown(socket.SHUT_WR)
            assert read_to_end(client) == b"desserts"

    def test_the_server_ends_first(self, start):
        heard = queue.Queue()

        def greet(conn):
            conn.sendall(b"hello")
            conn.shutdown(socket.SHUT_WR)
            conn.settimeout(LIMIT)
            heard.put(read_to_end(conn))

        with start(greet) as server, faulty_link(server) as link, connect(link) as client:
            assert read_to_end(client) == b"hello"
            client.sendall(b"goodbye")
            client.shutdown(socket.SHUT_WR)
            assert heard.get(timeout=LIMIT) == b"goodbye"

    def test_many_bytes_both_ways_at_once(self, start):
        data = numbered(3_000_000)
        with start(echo) as server, faulty_link(server) as link, connect(link) as client:
            sender = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
            sender.start()
            assert read_to_end(client) == data
            sender.join()
        assert link.stats.up[:2] == link.stats.down[:2] == (len(data), len(data))

    def test_a_slow_reader_stops_the_sender(self, start):
        go_on, done = threading.Event(), queue.Queue()

        def lazy(conn):
            conn.settimeout(LIMIT)
            assert go_on.wait(LIMIT)
            done.put(len(read_to_end(conn)))

        with start(lazy) as server, faulty_link(server) as link, connect(link) as client:
            client.settimeout(0.3)
            sent = 0
            with pytest.raises(TimeoutError):
                for _ in range(1000):
                    sent += client.send(bytes(65536))
            assert sent < 40_000_000
            assert link.stats.up.pending <= BUFFER
            client.settimeout(LIMIT)
            go_on.set()
            client.shutdown(socket.SHUT_WR)
            assert done.get(timeout=LIMIT) == sent

    def test_tls_passes_through(self):
        with tls_server(echo) as server, faulty_link(server) as link:
            with server.client_context.wrap_socket(connect(link), server_hostname="localhost") as client:
                client.sendall(b"hello")
                assert receive(client, 5) == b"hello"

    def test_a_link_behind_a_link(self, start):
        with start(echo) as server, faulty_link(server) as near, faulty_link(near) as far, connect(far) as client:
            client.sendall(b"hello")
            assert receive(client, 5) == b"hello"
            assert near.stats.up.passed == 5

    def test_many_clients_one_thread(self, start):
        with start(echo) as server, faulty_link(server) as link, ExitStack() as stack:
            before = threading.active_count()
            clients = [stack.enter_context(connect(link)) for _ in range(50)]
            for n, client in enumerate(clients):
                client.sendall(b"%03d" % n)
            assert [receive(client, 3) for client in clients] == [b"%03d" % n for n in range(50)]
            assert sum(thread.name == "faulty link" for thread in threading.enumerate()) == 1
            assert threading.active_count() - before <= 51  # the server's own, one for each


class TestStreamFaults:
    def test_latency_is_never_less(self, start):
        with start(echo) as server, faulty_link(server, latency=0.05) as link, connect(link) as client:
            for _ in range(3):
                begin = time.perf_counter()
                client.sendall(b"x")
                assert client.recv(1) == b"x"
                assert time.perf_counter() - begin >= 0.1 - EARLY

    def test_each_direction_apart(self, start):
        heard = Heard()
        with start(heard) as server, faulty_link(server, down={"latency": 60}) as link, connect(link) as client:
            client.sendall(b"x")
            assert heard.data.get(timeout=LIMIT) == b"x"
            assert (link.up.latency, link.down.latency, link.latency) == (0, 60, (0, 60))

    def test_the_end_is_late_as_well(self, start):
        with start(discard) as server, faulty_link(server, latency=0.05) as link, connect(link) as client:
            begin = time.perf_counter()
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
            assert time.perf_counter() - begin >= 0.1 - EARLY

    def test_jitter_stays_within_its_bounds(self, start):
        with start(echo) as server, faulty_link(server, latency=0.02, jitter=0.01) as link, connect(link) as client:
            for _ in range(5):
                begin = time.perf_counter()
                client.sendall(bytes(2000))
                receive(client, 2000)
                assert time.perf_counter() - begin >= 0.02 - EARLY

    def test_bandwidth_is_never_more(self, start):
        size, rate = 50_000, 200_000
        with start(echo) as server, faulty_link(server, down={"bandwidth": rate}) as link, connect(link) as client:
            begin = time.perf_counter()
            client.sendall(bytes(size))
            receive(client, size)
            assert time.perf_counter() - begin >= 0.95 * size / rate

    def test_slices_with_a_pause_are_received_one_by_one(self, start):
        heard = Heard()
        with start(heard) as server, connect_through(server, slice_size=4, slice_delay=0.05) as client:
            client.sendall(b"abcdefghij")
            client.shutdown(socket.SHUT_WR)
            assert heard.ends.get(timeout=LIMIT) == "end"
            parts = list(heard.data.queue)
        assert b"".join(parts) == b"abcdefghij"
        if len(parts) > 1:  # a server that slept meanwhile finds several at once; it never finds one cut elsewhere
            ends = [sum(map(len, parts[: n + 1])) for n in range(len(parts))]
            assert set(ends) <= {4, 8, 10}

    def test_slow_close(self, start):
        heard = Heard()
        with start(heard) as server, connect_through(server, up={"slow_close": 0.1}) as client:
            begin = time.perf_counter()
            client.sendall(b"x")
            client.shutdown(socket.SHUT_WR)
            assert heard.data.get(timeout=LIMIT) == b"x"
            assert heard.ends.get(timeout=LIMIT) == "end"
            assert time.perf_counter() - begin >= 0.1 - EARLY

    def test_limit_data_up(self, start):
        heard = Heard()
        with start(heard) as server, faulty_link(server, up={"limit_data": 10}) as link, connect(link) as client:
            client.sendall(bytes(10))
            assert client.recv(1) == b""  # an end, not a reset
            assert heard.ends.get(timeout=LIMIT) == "end"
            assert len(heard.all()) == 10
            assert eventually(lambda: not link.connections)

    def test_limit_data_down(self, start):
        with start(chargen) as server, faulty_link(server, down={"limit_data": 1000}) as link, connect(link) as client:
            got = 0
            try:
                while part := client.recv(300):
                    got += len(part)
            except ConnectionResetError:
                pass  # the server had sent more than the link read
            assert got == 1000
            assert eventually(lambda: not link.connections)
            assert balanced(link.stats.down)

    def test_timeout_swallows_and_then_closes(self, start):
        heard = Heard()
        with start(heard) as server, faulty_link(server, up={"timeout": 0.1}) as link, connect(link) as client:
            begin = time.perf_counter()
            client.sendall(b"into the void")
            assert client.recv(1) == b""
            assert time.perf_counter() - begin >= 0.05  # it counts from when the link let the client in
            assert heard.ends.get(timeout=LIMIT) == "end"
            assert heard.all() == b""
            assert link.stats.up.swallowed == 13

    def test_timeout_of_zero_holds_for_ever(self, start):
        with start(echo) as server, faulty_link(server, up={"timeout": 0}) as link, connect(link) as client:
            client.sendall(b"into the void")
            assert eventually(lambda: link.stats.up.swallowed == 13)
            client.settimeout(0.1)
            with pytest.raises(TimeoutError):
                client.recv(1)
            client.settimeout(LIMIT)
            link.up.timeout = None  # bytes are missing now, so the connection cannot go on
            if link.family != getattr(socket, "AF_UNIX", None):
                assert gone(client)

    @pytest.mark.parametrize("way", ["up", "down"])
    def test_reset_peer_resets_both_sides(self, way):
        heard = Heard()
        with tcp_server(heard) as server, faulty_link(server) as link, connect(link) as client:
            client.sendall(b"x")
            assert heard.data.get(timeout=LIMIT) == b"x"
            getattr(link, way).reset_peer = 0
            assert gone(client)
            assert heard.ends.get(timeout=LIMIT) is ConnectionResetError
            assert eventually(lambda: not link.connections)

    def test_reset_peer_after_a_while(self):
        with tcp_server(echo) as server, faulty_link(server, reset_peer=0.1) as link, connect(link) as client:
            begin = time.perf_counter()
            client.sendall(b"x")
            assert receive(client, 1) == b"x"
            assert gone(client)
            assert time.perf_counter() - begin >= 0.05

    @pytest.mark.parametrize("name", PRESETS)
    def test_ready_made(self, name):
        with tcp_server(echo) as server, faulty_link(server, **PRESETS[name]) as link, connect(link) as client:
            client.sendall(b"x")
            assert receive(client, 1) == b"x"
        with udp_server(echo) as server, faulty_link(server, **PRESETS[name].datagrams) as link:
            assert isinstance(link, DatagramLink)


def connect_through(server, **faults):
    """A client of a link that lives as long as the client."""
    stack = ExitStack()
    link = stack.enter_context(faulty_link(server, **faults))
    stack.enter_context(client := connect(link))

    class Both:
        def __enter__(self):
            return client

        def __exit__(self, *error):
            return stack.__exit__(*error)

    return Both()


class TestChanges:
    def test_a_change_counts_for_what_is_under_way(self, start):
        with start(echo) as server, faulty_link(server, latency=600) as link, connect(link) as client:
            client.sendall(b"x")
            assert eventually(lambda: link.stats.up.pending == 1)
            link.latency = 0
            assert receive(client, 1) == b"x"

    def test_a_connection_has_its_own(self, start):
        with start(echo) as server, faulty_link(server) as link, connect(link) as one, connect(link) as other:
            assert eventually(lambda: len(link.connections) == 2)
            link.connections[0].latency = 600
            one.sendall(b"x")
            assert eventually(lambda: link.stats.up.pending == 1)
            other.sendall(b"y")
            assert receive(other, 1) == b"y"
            link.connections[0].clear()
            assert receive(one, 1) == b"x"

    def test_which_client_a_connection_is(self):
        with tcp_server(echo) as server, faulty_link(server) as link, connect(link) as client:
            client.sendall(b"x")
            receive(client, 1)
            (connection,) = link.connections
            assert (connection.number, connection.client) == (1, client.getsockname())
            assert repr(connection) == "<connection 1: up <nothing wrong>, down <nothing wrong>>"

    def test_two_hundred_with_faults_of_their_own(self):
        with tcp_server(echo) as server, faulty_link(server) as link, ExitStack() as stack:
            clients = [stack.enter_context(connect(link)) for _ in range(200)]
            assert eventually(lambda: len(link.connections) == 200)
            own = {connection.client: connection for connection in link.connections}
            for n, client in enumerate(clients):
                own[client.getsockname()].latency = n / 10_000
            begin = time.perf_counter()
            for client in clients:
                client.sendall(b"x")
            for n, client in enumerate(clients):
                receive(client, 1)
                assert time.perf_counter() - begin >= 2 * n / 10_000 - EARLY
            assert sum(thread.name == "faulty link" for thread in threading.enumerate()) == 1

    def test_faults_come_and_go_while_data_flows(self, start):
        data = numbered(300_000)
        changes = [
            {"latency": 0.01},
            {"jitter": 0.01},
            {"slice_size": 700, "slice_variation": 300},
            {"bandwidth": 5e6},
            {"latency": 0, "jitter": 0},
            {"slice_size": None},
            {"bandwidth": None},
        ]
        with start(echo) as server, faulty_link(server) as link, connect(link) as client:
            sender = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
            sender.start()
            got, step = b"", len(data) // len(changes)
            while part := client.recv(20_000):
                got += part
                if changes and len(got) > step * (7 - len(changes)):
                    change = changes.pop(0)
                    link.up.set(**change)
                    link.down.set(**change)
            sender.join()
        assert got == data


class TestBadInput:
    @pytest.mark.parametrize("bad", [-1, math.nan, math.inf, "0.2", True, 1e13])
    def test_a_value_that_no_link_can_have(self, bad):
        with tcp_server(echo) as server:
            with pytest.raises(ValueError, match="^latency must be a number from 0 to 3600 seconds, not "):
                faulty_link(server, latency=bad)
            with faulty_link(server) as link, pytest.raises(ValueError, match="^latency must be"):
                link.latency = bad
            assert link.latency == 0

    def test_a_fault_that_does_not_exist(self):
        with tcp_server(echo) as server, udp_server(echo) as udp:
            with pytest.raises(TypeError, match="a link for connections has no fault 'loss'; there are: latency"):
                faulty_link(server, loss=0.1)
            with pytest.raises(TypeError, match="a link for datagrams has no fault 'bandwidth'"):
                faulty_link(udp, bandwidth=100)
            with faulty_link(server) as link, pytest.raises(AttributeError, match="no fault 'latencey'"):
                link.latencey = 0.1

    def test_directions_that_are_no_dicts(self):
        with tcp_server(echo) as server, pytest.raises(TypeError, match="up must be a dict of faults"):
            faulty_link(server, up=0.2)

    @pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "example.com", "::", ""])
    def test_a_target_that_is_not_on_loopback(self, host):
        with pytest.raises(ValueError, match="not a loopback address"):
            faulty_link((host, 80))

    @pytest.mark.parametrize("target", [None, 80, ("127.0.0.1",), ["127.0.0.1", 80], object(), (), ("127.0.0.1", "80")])
    def test_a_target_that_is_no_address(self, target):
        with pytest.raises(TypeError):
            faulty_link(target)

    def test_port_zero(self):
        with pytest.raises(ValueError, match="port 0 is nobody's"):
            faulty_link(("127.0.0.1", 0))

    @pytest.mark.parametrize("seed", [None, "x", 1.5, True])
    def test_seeds(self, seed):
        with tcp_server(echo) as server, pytest.raises(TypeError, match="seed must be an int"):
            faulty_link(server, seed=seed)

    def test_datagrams_where_there_are_connections(self):
        with tcp_server(echo) as server, pytest.raises(ValueError, match="takes connections"):
            faulty_link(server, datagrams=True)
        with udp_server(echo) as server, pytest.raises(ValueError, match="takes datagrams"):
            faulty_link(server, datagrams=False)

    def test_refused_links_leave_nothing(self):
        with nothing_left():
            for _ in range(20):
                with pytest.raises(ValueError, match="jitter"):
                    faulty_link(("127.0.0.1", 9), jitter=-1)


class TestBadLuck:
    def test_the_target_is_not_there(self):
        with tcp_server(echo) as server:
            address = server.address
        with faulty_link(address) as link:
            assert refused(link)
            assert eventually(lambda: link.errors)
            assert link.errors[0].errno == errno.ECONNREFUSED
            assert "the target refused" in str(link.errors[0])
            assert link.connections == ()

    def test_the_path_is_not_there(self, tmp_path):
        if not hasattr(socket, "AF_UNIX"):
            pytest.skip("this platform has no Unix sockets")
        with faulty_link(tmp_path / "nobody") as link, connect(link) as client:
            assert client.recv(1) == b""
            assert eventually(lambda: link.errors)
            assert link.errors[0].errno == errno.ENOENT

    def test_the_target_dies_in_mid_stream(self):
        def die(conn):
            conn.settimeout(LIMIT)
            conn.sendall(b"almost d")
            conn.recv(1)
            reset(conn)

        with tcp_server(die) as server, faulty_link(server) as link, connect(link) as client:
            assert receive(client, 8) == b"almost d"
            client.sendall(b"x")
            assert gone(client)
            assert eventually(lambda: not link.connections)
            assert isinstance(link.errors[0], ConnectionResetError)

    def test_the_client_dies_in_mid_stream(self):
        heard = Heard()
        with tcp_server(heard) as server, faulty_link(server) as link:
            client = connect(link)
            client.sendall(b"almost d")
            assert heard.data.get(timeout=LIMIT) == b"almost d"
            reset(client)
            assert heard.ends.get(timeout=LIMIT) is ConnectionResetError
            assert eventually(lambda: not link.connections)

    def test_what_was_sent_before_a_reset_comes_before_it(self):
        heard = Heard()
        with tcp_server(heard) as server, faulty_link(server, latency=0.05) as link:
            client = connect(link)
            client.sendall(b"last words")
            assert eventually(lambda: link.stats.up.pending == 10)
            reset(client)
            assert heard.ends.get(timeout=LIMIT) is ConnectionResetError
            assert heard.all() == b"last words"

    def test_the_client_dies_after_it_has_finished_sending(self):
        waiting, ended = threading.Event(), queue.Queue()

        def slow(conn):
            conn.settimeout(LIMIT)
            read_to_end(conn)
            waiting.set()
            try:
                for _ in range(10_000):
                    conn.send(b"x")
                    time.sleep(0.001)
            except OSError as exc:
                ended.put(type(exc))

        with tcp_server(slow) as server, faulty_link(server) as link:
            client = connect(link)
            client.shutdown(socket.SHUT_WR)
            assert waiting.wait(LIMIT)
            reset(client)
            assert issubclass(ended.get(timeout=LIMIT), ConnectionError)
            assert eventually(lambda: not link.connections)

    def test_a_slow_reader_dies(self):
        with tcp_server(chargen) as server, faulty_link(server) as link:
            client = connect(link)
            receive(client, 100)
            assert eventually(lambda: link.stats.down.pending > 0)
            reset(client)
            assert eventually(lambda: not link.connections)
            assert balanced(link.stats.down)
            assert link.stats.down.discarded > 0

    def test_the_link_is_closed_while_data_waits(self, start):
        heard = Heard()
        with start(heard) as server, connect(link := faulty_link(server, latency=600)) as client:
            client.sendall(b"0123456789")
            assert eventually(lambda: link.stats.up.pending == 10)
            link.close()
            assert link.stats.up == (10, 0, 0, 0, 10)
            if link.family != getattr(socket, "AF_UNIX", None):
                assert heard.ends.get(timeout=LIMIT) is ConnectionResetError
            assert client.recv(1) == b""  # nothing of the other direction is missing
            link.close()

    def test_the_link_is_closed_while_a_sender_is_blocked(self):
        stop = threading.Event()
        with tcp_server(lambda conn: stop.wait(LIMIT)) as server, connect(link := faulty_link(server)) as client:
            ended = queue.Queue()

            def send():
                try:
                    client.sendall(bytes(100_000_000))
                except OSError as exc:
                    ended.put(exc)

            sender = threading.Thread(target=send)
            sender.start()
            assert eventually(lambda: link.stats.up.pending > 0)
            link.close()
            assert isinstance(ended.get(timeout=LIMIT), ConnectionError)
            sender.join()
            stop.set()
            assert balanced(link.stats.up)

    def test_the_server_closes_while_clients_wait(self, start):
        with start(echo) as server, faulty_link(server) as link, connect(link) as client:
            client.sendall(b"x")
            receive(client, 1)
            server.close()
            assert client.recv(1) == b""

    def test_no_descriptor_for_a_connection(self, monkeypatch):
        with tcp_server(echo) as server, faulty_link(server) as link:
            real = socket.socket
            failed = threading.Event()

            class Scarce(real):
                def __init__(self, *args, **kwargs):
                    if threading.current_thread().name == "faulty link" and not failed.is_set() and len(args) == 2:
                        failed.set()
                        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
                    super().__init__(*args, **kwargs)

            monkeypatch.setattr(socket, "socket", Scarce)
            assert refused(link)
            with connect(link) as client:
                client.sendall(b"x")
                assert receive(client, 1) == b"x"
            assert link.errors[0].errno == errno.EMFILE

    def test_accept_fails_for_a_while(self, monkeypatch):
        with tcp_server(echo) as server, faulty_link(server) as link:
            fails = [OSError(errno.EMFILE, os.strerror(errno.EMFILE))] * 2
            real = socket.socket.accept

            def accept(sock):
                if sock is link._relay.listener and fails:
                    raise fails.pop()
                return real(sock)

            monkeypatch.setattr(socket.socket, "accept", accept)
            with connect(link) as client:
                client.sendall(b"x")
                assert receive(client, 1) == b"x"
            assert [error.errno for error in link.errors] == [errno.EMFILE] * 2


class TestReplay:
    def cuts(self, seed: int, number: int = 1) -> list[int]:
        """Where the link cuts a stream, as a server sees it that reads slice by slice."""
        heard = Heard()
        faults = {"slice_size": 40, "slice_variation": 30, "slice_delay": 0.005}
        with tcp_server(heard) as server, faulty_link(server, up=faults, seed=seed) as link, connect(link) as client:
            client.sendall(bytes(400))
            client.shutdown(socket.SHUT_WR)
            assert heard.ends.get(timeout=LIMIT) == "end"
        parts = [len(part) for part in heard.data.queue]
        return [sum(parts[: n + 1]) for n in range(len(parts))]

    def test_the_same_seed_cuts_at_the_same_places(self):
        one, two = set(self.cuts(7)), set(self.cuts(7))
        # A server that was not quick enough has seen two slices as one, so some cuts may be missing; none is elsewhere.
        union = one | two | set(self.cuts(7))
        assert len(union) <= len(set(self.cuts_planned(7)))
        assert union <= set(self.cuts_planned(7))

    def cuts_planned(self, seed: int) -> list[int]:
        from socketlab.links.chance import seed_of
        from socketlab.links.faults import StreamFaults
        from socketlab.links.pipe import Pipe

        faults = StreamFaults()
        faults.set(slice_size=40, slice_variation=30)
        pipe = Pipe(faults, seed_of(seed, 1, "up"), 0.0)
        pipe.take(bytes(400), 0.0)
        cuts = []
        while (data := pipe.leaving(0.0)) is not None:
            pipe.left(len(data), 0.0)
            cuts.append(pipe.passed)
        return cuts

    def test_the_same_seed_loses_the_same_datagrams(self, start_udp):
        def fate(seed: int) -> list[bytes]:
            faults = {"loss": 0.3, "duplication": 0.2, "corruption": 0.2}
            with start_udp(echo) as server, faulty_link(server, up=faults, seed=seed) as link:
                with client_of(link) as client:
                    return exchange(client, link, 200)

        assert fate(1) == fate(1)
        assert fate(1) != fate(2)


def exchange(client, link, count: int) -> list[bytes]:
    """Send numbered datagrams, one after the other, and receive what comes back; no queue on the way overflows."""
    came = []
    for n in range(count):
        client.send(b"%06d" % n)
        assert eventually(lambda n=n: link.stats.up.taken == n + 1 and not link.stats.up.pending)
        passed = link.stats.up.passed
        assert eventually(lambda passed=passed: link.stats.down.taken == passed and not link.stats.down.pending)
        while len(came) < link.stats.down.passed:
            came.append(client.recv(65536))
    return came


class TestDatagrams:
    def test_nothing_wrong(self, start_udp):
        with start_udp(echo) as server, faulty_link(server) as link, client_of(link) as client:
            assert isinstance(link, DatagramLink)
            for size in (0, 1, 1000, 60_000):
                client.send(bytes(size))
                assert client.recv(65536) == bytes(size)
            assert link.stats.up == link.stats.down == (4, 4, 0, 0, 0, 0, 0, 0, 0)

    def test_by_address(self, start_udp):
        with start_udp(echo) as server, faulty_link(server.address, datagrams=True) as link, client_of(link) as client:
            client.send(b"x")
            assert client.recv(10) == b"x"

    def test_clients_have_their_own_answers(self, start_udp):
        with start_udp(echo) as server, faulty_link(server) as link, ExitStack() as stack:
            clients = [stack.enter_context(client_of(link)) for _ in range(20)]
            for n, client in enumerate(clients):
                client.send(b"%d" % n)
            assert [client.recv(10) for client in clients] == [b"%d" % n for n in range(20)]
            assert link.stats.clients == link.accepted == 20

    def test_latency_is_never_less(self, start_udp):
        with start_udp(echo) as server, faulty_link(server, latency=0.03) as link, client_of(link) as client:
            for _ in range(3):
                begin = time.perf_counter()
                client.send(b"x")
                client.recv(10)
                assert time.perf_counter() - begin >= 0.06 - EARLY

    def test_loss_is_binomial(self):
        count, share = 2000, 0.1
        with udp_server(discard) as server, faulty_link(server, up={"loss": share}) as link, client_of(link) as client:
            for n in range(count):
                client.send(b"x")
                if n % 50 == 49:
                    assert eventually(lambda n=n: link.stats.up.taken == n + 1)
            up = link.stats.up
        assert up.taken == count == up.passed + up.lost
        # 99.9 %: 3.29 standard deviations. The seed is the link's own, so this is the same on each run.
        assert abs(up.lost - count * share) < 3.29 * math.sqrt(count * share * (1 - share))

    def test_loss_of_everything(self, start_udp):
        with start_udp(echo) as server, faulty_link(server, up={"loss": 1}) as link, client_of(link) as client:
            for _ in range(10):
                client.send(b"x")
            assert eventually(lambda: link.stats.up.lost == 10)
            assert link.stats.up.passed == 0

    def test_duplication(self, start_udp):
        with start_udp(echo) as server, faulty_link(server, up={"duplication": 1}) as link, client_of(link) as client:
            client.send(b"x")
            assert (client.recv(10), client.recv(10)) == (b"x", b"x")
            assert link.stats.up[:2] == (1, 2)
            assert link.stats.up.duplicated == 1

    def test_corruption_flips_one_bit(self, start_udp):
        with start_udp(echo) as server, faulty_link(server, up={"corruption": 1}) as link, client_of(link) as client:
            places = set()
            for _ in range(20):
                client.send(bytes(8))
                bits = int.from_bytes(client.recv(10), "big")
                assert bits.bit_count() == 1
                places.add(bits)
            assert len(places) > 5
            client.send(b"")  # has no bits
            assert client.recv(10) == b""
            assert link.stats.up.corrupted == 20

    def test_reordering(self, start_udp, monkeypatch):
        monkeypatch.setattr(datagram_module, "OVERTAKE", 600)  # so that it comes because it has been overtaken
        with start_udp(echo) as server, faulty_link(server) as link, client_of(link) as client:
            link.up.reordering = 1
            client.send(b"first")
            assert eventually(lambda: link.stats.up.pending == 1)
            link.up.reordering = 0
            client.send(b"second")
            assert (client.recv(10), client.recv(10)) == (b"second", b"first")
            assert link.stats.up.reordered == 1

    def test_a_late_one_that_nobody_overtakes_comes_all_the_same(self, start_udp):
        with start_udp(echo) as server, faulty_link(server, up={"reordering": 1}) as link, client_of(link) as client:
            begin = time.perf_counter()
            client.send(b"alone")
            assert client.recv(10) == b"alone"
            assert time.perf_counter() - begin >= datagram_module.OVERTAKE - EARLY

    def test_a_change_counts_for_what_is_under_way(self, start_udp):
        with start_udp(echo) as server, faulty_link(server, latency=600) as link, client_of(link) as client:
            client.send(b"1")
            client.send(b"2")
            assert eventually(lambda: link.stats.up.pending == 2)
            link.latency = 0
            assert (client.recv(10), client.recv(10)) == (b"1", b"2")

    def test_the_queue_is_bounded(self, monkeypatch):
        monkeypatch.setattr(datagram_module, "QUEUE", 10)
        with udp_server(discard) as server, faulty_link(server, latency=600) as link, client_of(link) as client:
            for _ in range(15):
                client.send(b"x")
            assert eventually(lambda: link.stats.up.taken == 15)
            assert (link.stats.up.pending, link.stats.up.dropped) == (10, 5)
        assert (link.stats.up.pending, link.stats.up.discarded) == (0, 10)

    def test_clients_are_bounded(self, monkeypatch):
        monkeypatch.setattr(datagram_module, "CLIENTS", 3)
        with udp_server(echo) as server, faulty_link(server) as link, ExitStack() as stack:
            clients = [stack.enter_context(client_of(link)) for _ in range(5)]
            for client in clients:
                client.send(b"x")
                assert client.recv(10) == b"x"
            clients[0].send(b"again")  # it is let in once more
            assert clients[0].recv(10) == b"again"

    def test_the_target_is_not_there(self, start_udp):
        with start_udp(echo) as server:
            address = server.address
        with faulty_link(address, datagrams=True) as link, client_of(link) as client:
            client.send(b"x")
            assert eventually(lambda: link.errors)
            assert link.errors[0].errno == errno.ECONNREFUSED

    def test_closed_while_datagrams_wait(self, start_udp):
        with start_udp(echo) as server, client_of(link := faulty_link(server, latency=600)) as client:
            client.send(b"x")
            assert eventually(lambda: link.stats.up.pending == 1)
            link.close()
            assert (link.stats.up.pending, link.stats.up.discarded) == (0, 1)


KINDS = {
    "stream": lambda **faults: (server := tcp_server(echo), faulty_link(server, **faults)),
    "datagram": lambda **faults: (server := udp_server(echo), faulty_link(server, **faults)),
}


@pytest.fixture(params=KINDS)
def both(request):
    """A server and a link to it."""
    server, link = KINDS[request.param]()
    yield server, link
    link.close()
    server.close()


class TestLife:
    def test_the_name_at_the_top(self):
        assert socketlab.faulty_link is faulty_link

    def test_close_is_idempotent(self, both):
        _, link = both
        assert not link.closed
        link.close()
        link.close()
        assert link.closed
        with pytest.raises(RuntimeError, match="closed and cannot be opened again"), link:
            pass

    def test_repr_has_no_port(self, both):
        _, link = both
        assert repr(link) == "<faulty_link: nothing wrong; listening>"
        link.latency = 0.2
        assert repr(link) == "<faulty_link: latency=0.2; listening>"
        link.up.latency = 0
        assert repr(link) == "<faulty_link: up nothing wrong; down latency=0.2; listening>"
        link.close()
        assert repr(link).endswith("; closed>")

    def test_faults_may_be_set_after_the_end(self, both):
        _, link = both
        link.close()
        link.latency = 0.1
        assert link.latency == 0.1

    def test_an_exception_in_the_with_block_is_not_replaced(self, both):
        _, link = both
        with pytest.raises(ZeroDivisionError), link:
            _ = 1 / 0
        assert link.closed

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_forgotten_link_closes_itself(self, kind):
        server, link = KINDS[kind](latency=600)
        engine = link._relay
        faults = link.up  # who holds the faults does not hold the link
        del link
        gc.collect()
        assert engine.closing
        engine._thread.join(LIMIT)
        assert not engine._thread.is_alive()
        faults.latency = 0
        server.close()

    def test_a_hundred_leave_nothing(self):
        with tcp_server(echo) as server, udp_server(echo) as udp:
            with faulty_link(server):
                pass
            fds = descriptors()
            for n in range(100):
                with faulty_link(server, latency=n % 2 * 60.0) as link, connect(link) as client:
                    client.sendall(b"x")
                    if n % 4 == 1:
                        client.shutdown(socket.SHUT_WR)
                    elif n % 4 == 3:
                        reset(client)
                with faulty_link(udp, latency=60) as link, client_of(link) as client:
                    client.send(b"x")
            # The server keeps some of its own threads for the next clients, but no descriptor for them.
            assert not any(thread.name == "faulty link" for thread in threading.enumerate())
            assert eventually(lambda: descriptors() <= fds)

    def test_closing_from_another_thread_wakes_at_once(self, both):
        _, link = both
        closer = threading.Thread(target=link.close)
        closer.start()
        closer.join(LIMIT)
        assert not closer.is_alive()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    @pytest.mark.parametrize("end", ["link.close()", "gc.collect()", "link.latency = 0"])
    def test_a_forked_child_does_not_disturb_the_parents_link(self, end):
        with tcp_server(echo) as server, faulty_link(server) as link, connect(link) as client:
            client.sendall(b"before")
            assert receive(client, 6) == b"before"
            pid = os.fork()
            if pid == 0:
                try:
                    _ = link.stats, link.connections
                    before = descriptors()
                    exec(end, {"link": link, "gc": gc})
                    os._exit(0 if end != "link.close()" or not before or len(descriptors()) < len(before) - 2 else 2)
                finally:
                    os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            client.sendall(b"after")
            assert receive(client, 5) == b"after"
            with connect(link) as late:
                late.sendall(b"x")
                assert receive(late, 1) == b"x"

    @pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="no /proc here to count descriptors in")
    def test_an_interrupt_leaves_nothing(self):
        program = """
            import gc, os, random, signal, socket, tempfile, threading, time, warnings
            warnings.simplefilter("ignore", ResourceWarning)  # of clients that were interrupted while being made
            from socketlab import faulty_link, tcp_server, udp_server, unix_server
            from socketlab.handlers import echo
            tempfile.gettempdir()  # tries directories out the first time, and an interrupt leaves its trial file open
            signal.signal(signal.SIGINT, signal.default_int_handler)
            rain = random.Random(7)
            caught = completed = 0
            servers = [tcp_server(echo), unix_server(echo), udp_server(echo)]
            for server in servers:
                with faulty_link(server):
                    pass

            def once(server):
                with faulty_link(server, latency=0.0001) as link:
                    if server is not servers[2]:
                        with socket.socket(link.family) as client:
                            client.settimeout(10)
                            client.connect(link.address)

            before = len(os.listdir("/proc/self/fd"))
            signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
            for n in range(600):
                try:
                    signal.setitimer(signal.ITIMER_REAL, rain.uniform(1e-6, 1.5e-3))
                    once(servers[n % 3])
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    completed += 1
                except KeyboardInterrupt:
                    caught += 1
                gc.collect()  # what was interrupted ends before the next interrupt: one at a time is the promise
            for server in servers:
                server.close()
            def left():
                gc.collect()
                names = [thread.name for thread in threading.enumerate()]
                return names.count("faulty link"), max(0, len(os.listdir("/proc/self/fd")) - before)
            end = time.monotonic() + 10
            while left() != (0, 0) and time.monotonic() < end:
                time.sleep(0.01)
            print(left(), caught > 50, completed + caught)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.stdout == "(0, 0) True 600\n", done.stdout + done.stderr[-2000:]

    def test_the_interpreter_ends_with_a_link_open(self):
        program = """
            import socket
            from socketlab import faulty_link, tcp_server
            from socketlab.handlers import echo
            server = tcp_server(echo)
            link = faulty_link(server, latency=60)
            client = socket.create_connection(link.address)
            client.sendall(b"x")
            print(link)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=True
        )
        assert (done.stdout, done.stderr) == ("<faulty_link: latency=60.0; listening>\n", "")

    def test_a_unix_links_path_is_gone(self):
        if not hasattr(socket, "AF_UNIX"):
            pytest.skip("this platform has no Unix sockets")
        with unix_server(echo) as server, faulty_link(server) as link:
            path = link.address
            assert os.path.exists(path)
        assert not os.path.exists(os.path.dirname(path))

    def test_stats_are_a_snapshot(self, both):
        _, link = both
        before = link.stats
        with pytest.raises(AttributeError):
            before.up = None
        assert link.stats == before

    def test_kinds(self):
        with tcp_server(echo) as server, faulty_link(server) as link:
            assert isinstance(link, StreamLink)
            assert link.errors == ()
