"""netstat(): every socket of this process is in it, with the state and the queues that it really has, and no other."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from patience import until

from socketlab.measure import SocketRow, Sockets, kernel_table, netstat, socket_rows, socket_table
from socketlab.measure.foreign import jupyter_places, self_pipes
from socketlab.measure.socket_table import place

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's table is read in Linux's way")


def row_of(sock: socket.socket, **settings: Any) -> SocketRow:
    (row,) = [row for row in netstat(**settings) if row.fd == sock.fileno()]
    return row


def loose(*pair: Any, **settings: Any) -> list[SocketRow]:
    """The rows without a descriptor of the connection between these two addresses.

    The port of a listener alone would not do: it may have been that of somebody's client half a minute ago.
    """
    return [row for row in netstat(**settings) if row.fd is None and {row.local, row.peer} == set(pair)]


def ends(client: socket.socket) -> tuple[Any, Any]:
    return client.getsockname()[:2], client.getpeername()[:2]


def no_netlink(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a sandbox that has no such netlink."""

    def refuse(*arguments: object) -> list[bytes]:
        raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))

    monkeypatch.setattr(kernel_table, "_ask", refuse)


@pytest.fixture(params=["netlink", "proc"])
def table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to the kernel's table."""
    if request.param == "proc":
        no_netlink(monkeypatch)
    return str(request.param)


@pytest.fixture(params=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest, has_ipv6: bool) -> int:
    if request.param == "ipv6" and not has_ipv6:
        pytest.skip("this machine has no ::1")
    return {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[request.param]


@pytest.fixture
def listener(family: int) -> Iterator[socket.socket]:
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with socket.create_server((host, 0), family=family, backlog=7) as listener:
        listener.settimeout(10)
        yield listener


@pytest.fixture
def client(listener: socket.socket) -> Iterator[socket.socket]:
    with socket.create_connection(listener.getsockname()[:2], 10) as client:
        yield client


@linux
@pytest.mark.usefixtures("table")
class TestTCP:
    def test_a_listener_and_its_queue(self, listener: socket.socket, client: socket.socket, table: str) -> None:
        until(lambda: row_of(listener).queue == 1, "the connection is in the queue")
        row = row_of(listener)
        assert (row.type, row.state, row.local) == ("TCP", "LISTEN", listener.getsockname()[:2])
        assert (row.peer, row.recv_q, row.send_q) == (None, None, None)
        assert row.backlog == (7 if table == "netlink" else None)  # /proc/net/tcp has no place for it
        assert row.family == {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}[listener.family]

    def test_one_that_waits_for_accept_has_no_descriptor(self, listener: socket.socket, client: socket.socket) -> None:
        (row,) = until(lambda: loose(*ends(client)), "the other end")
        assert (row.state, row.local, row.peer) == (
            "ESTABLISHED", listener.getsockname()[:2], client.getsockname()[:2],
        )  # fmt: skip
        assert row.peer_fd == client.fileno()

    def test_queues(self, listener: socket.socket, client: socket.socket) -> None:
        server, _ = listener.accept()
        with server:
            client.sendall(b"x" * 1234)
            until(lambda: row_of(server).recv_q == 1234, "the bytes arrive")
            server.recv(234)
            assert row_of(server).recv_q == 1000
            client.shutdown(socket.SHUT_WR)
            until(lambda: row_of(server).state == "CLOSE_WAIT", "the FIN arrives")
            assert row_of(server).recv_q == 1000  # the FIN is no byte
            until(lambda: row_of(client).state == "FIN_WAIT2", "the FIN is acknowledged")
            assert row_of(client).send_q == 0

    def test_a_full_pipe(self, listener: socket.socket, client: socket.socket) -> None:
        server, _ = listener.accept()
        with server:
            client.setblocking(False)
            sent = 0
            with pytest.raises(BlockingIOError):
                while True:
                    sent += client.send(b"x" * 65536)
            rows = until(lambda: settled(client, server, sent), "all bytes are in one of the queues")
            assert rows[0] > 0
            assert rows[1] > 0

    def test_both_ends_know_each_other(self, listener: socket.socket, client: socket.socket) -> None:
        server, _ = listener.accept()
        with server:
            assert row_of(server).peer_fd == client.fileno()
            assert row_of(client).peer_fd == server.fileno()
            assert row_of(client).peer == row_of(server).local == listener.getsockname()[:2]

    def test_what_is_left_of_a_closed_connection(self, listener: socket.socket) -> None:
        client = socket.create_connection(listener.getsockname()[:2], 10)
        pair = ends(client)
        server, _ = listener.accept()
        client.close()
        until(lambda: [row.state for row in loose(*pair)] == ["FIN_WAIT2"], "the FIN is acknowledged")
        assert row_of(server).state == "CLOSE_WAIT"
        server.close()
        until(lambda: [row.state for row in loose(*pair)] == ["TIME_WAIT"], "the last FIN arrives")
        assert loose(*pair, time_wait=False) == []
        assert netstat().counts()["TIME_WAIT"] >= 1

    def test_closed_connections_that_were_seen_before(self, listener: socket.socket) -> None:
        """Once the listener is closed, only an earlier call can know whose they were."""
        pairs = []
        for look in (False, True):
            with socket.create_connection(listener.getsockname()[:2], 10) as client, listener.accept()[0] as server:
                pairs.append(ends(client))
                if look:
                    netstat()
                client.shutdown(socket.SHUT_WR)
                assert server.recv(1) == b""
        listener.close()
        until(lambda: [len(loose(*pair, time_wait="all")) for pair in pairs] == [1, 1], "both are in TIME_WAIT")
        assert [len(loose(*pair)) for pair in pairs] == [0, 1]

    def test_not_connected_yet_and_reset(self, listener: socket.socket, client: socket.socket) -> None:
        with socket.socket(listener.family) as fresh:
            row = row_of(fresh)
            assert (row.type, row.state, row.peer) == ("TCP", "CLOSE", None)
        server, _ = listener.accept()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        until(lambda: row_of(client).state == "CLOSE", "the RST arrives")

    def test_agrees_with_ss(self, listener: socket.socket, client: socket.socket) -> None:
        ss = shutil.which("ss")
        if ss is None:
            pytest.skip("this machine has no ss: sudo apt install iproute2")
        client.sendall(b"x" * 100)
        until(lambda: [row.recv_q for row in loose(*ends(client))] == [100], "the bytes arrive")
        port = listener.getsockname()[1]
        command = [ss, "-tanH", "state", "listening", "state", "established",
                   "(", "sport", "=", f":{port}", "or", "dport", "=", f":{port}", ")"]  # fmt: skip
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        names = {"LISTEN": "LISTEN", "ESTABLISHED": "ESTAB"}
        ours = [row for row in netstat() if port in [end[1] for end in (row.local, row.peer) if isinstance(end, tuple)]]
        ours = [row for row in ours if row.state in names]
        lines = [
            [names[row.state or ""], str(row.recv_q if row.queue is None else row.queue), place(row.local)]
            for row in ours
        ]
        assert sorted(lines) == sorted([word[0], word[1], word[3]] for word in map(str.split, said.splitlines()))


def settled(client: socket.socket, server: socket.socket, sent: int) -> tuple[int, int] | None:
    left, right = row_of(client).send_q, row_of(server).recv_q
    return (left, right) if left is not None and right is not None and left + right == sent else None


@linux
@pytest.mark.usefixtures("table")
class TestUDP:
    def test_bound_and_connected(self, family: int) -> None:
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        with socket.socket(family, socket.SOCK_DGRAM) as server, socket.socket(family, socket.SOCK_DGRAM) as client:
            server.bind((host, 0))
            client.connect(server.getsockname())
            row = row_of(server)
            assert (row.type, row.state, row.local, row.peer) == ("UDP", "UNCONNECTED", server.getsockname()[:2], None)
            row = row_of(client)
            assert (row.state, row.peer) == ("ESTABLISHED", server.getsockname()[:2])
            assert row_of(server).recv_q == 0
            client.send(b"x" * 100)
            until(lambda: (row_of(server).recv_q or 0) > 100, "the datagram and its headers are in memory")

    def test_neither_bound_nor_connected(self, family: int) -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            row = row_of(sock)
            assert (row.type, row.state, row.peer) == ("UDP", "UNCONNECTED", None)


@linux
class TestUnix:
    def test_a_pair(self) -> None:
        left, right = socket.socketpair()
        with left, right:
            left.send(b"x" * 100)
            row = row_of(right)
            assert (row.family, row.type, row.state, row.local, row.recv_q) == (
                "Unix",
                "stream",
                "ESTABLISHED",
                "",
                100,
            )
            assert (row.peer_fd, row_of(left).peer_fd) == (left.fileno(), right.fileno())
            assert (row_of(left).send_q or 0) >= 100

    @pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
    def test_a_listener(self, abstract: bool, tmp_path: Any) -> None:
        name = f"\0socketlab {random.random()}" if abstract else str(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
            listener.bind(name)
            listener.listen(3)
            client.connect(name)
            row = row_of(listener)
            assert (row.state, row.local, row.queue, row.backlog) == ("LISTEN", listener.getsockname(), 1, 3)
            server, _ = listener.accept()
            with server:
                assert row_of(client).peer == client.getpeername() == listener.getsockname()
                assert row_of(client).peer_fd == server.fileno()

    def test_datagrams(self) -> None:
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with left, right, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as alone:
            assert (row_of(left).type, row_of(left).state) == ("datagram", "ESTABLISHED")
            assert row_of(alone).state == "UNCONNECTED"

    def test_without_netlink_less_is_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        no_netlink(monkeypatch)
        left, right = socket.socketpair()
        with left, right, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"\0socketlab {random.random()}")
            listener.listen(3)
            row = row_of(left)
            assert (row.state, row.local, row.recv_q, row.peer, row.peer_fd) == ("ESTABLISHED", "", None, None, None)
            row = row_of(listener)
            assert (row.state, row.local, row.queue) == ("LISTEN", listener.getsockname(), None)
            assert "queue ?  of ?" in repr(netstat())


class TestWhose:
    def test_a_descriptor_that_no_object_has(self) -> None:
        """A lost socket is what somebody calls netstat for."""
        number = socket.socket().detach()
        try:
            assert [row for row in netstat() if row.fd == number]
        finally:
            socket.close(number)

    @linux
    def test_twins_are_one_socket(self) -> None:
        with socket.socket() as sock, sock.dup() as twin:
            row = row_of(sock)
            assert (row.fd, row.twins) == (sock.fileno(), (twin.fileno(),))
            assert f"{row.fd}, {row.twins[0]} " in repr(netstat())

    @linux
    def test_other_families(self) -> None:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
            assert row_of(sock).family == "AF_NETLINK"

    def test_of_another_process_none(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            source = (
                "import socket, sys; from socketlab.measure import netstat\n"
                "with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as s:\n"
                "    print(netstat(time_wait=False).counts())"
            )
            command = [sys.executable, "-c", source, str(listener.getsockname()[1])]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == "{'ESTABLISHED': 1}\n"

    def test_self_pipes_of_event_loops(self) -> None:
        others = self_pipes()  # a browser that another test drives has a loop in this process as well
        before = {row.fd for row in netstat(all=True)}
        loop = asyncio.new_event_loop()
        try:
            with socket.socket() as sock:
                assert {row.fd for row in netstat()} - before == {sock.fileno()}
                assert len({row.fd for row in netstat(all=True)} - before) >= 2
                assert netstat().hidden >= 1
                assert "of Jupyter and event loops not shown: netstat(all=True)" in repr(netstat())
                assert netstat(all=True).hidden == 0
        finally:
            loop.close()
        assert self_pipes() == others

    @linux
    def test_in_a_kernel_jupyters_own_are_left_out(self) -> None:
        client = pytest.importorskip("jupyter_client")
        manager, kernel = client.manager.start_new_kernel(kernel_name="python3")
        printed: list[str] = []
        source = (
            "import socket\nfrom socketlab.measure import netstat\n"
            "before = len(netstat())\n"
            "pair = socket.socketpair()\n"
            "lost = socket.create_server(('127.0.0.1', 0)).detach()\n"
            "print(before, netstat().counts(), netstat().hidden >= 5, len(netstat(all=True)) >= 8)\n"
            "netstat()"
        )

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            printed.append(content.get("text") or str(content.get("data") or content.get("traceback") or ""))

        try:
            kernel.execute_interactive(source, timeout=60, output_hook=hear)
        finally:
            kernel.stop_channels()
            manager.shutdown_kernel(now=True)
        assert "0 {'ESTABLISHED': 2, 'LISTEN': 1} True True" in "".join(printed)
        assert "text/html" in "".join(printed)

    def test_outside_of_a_kernel_there_is_nothing_of_jupyters(self) -> None:
        assert jupyter_places() == (frozenset(), frozenset())


class TestResult:
    def test_counts_are_in_the_order_of_a_connections_life(self) -> None:
        states = ["TIME_WAIT", None, "LISTEN", "UNCONNECTED", "ESTABLISHED", "LISTEN"]
        rows = Sockets(SocketRow("IPv4", "TCP", state, ("127.0.0.1", 1), None) for state in states)
        assert list(rows.counts().items()) == [
            ("ESTABLISHED", 1), ("TIME_WAIT", 1), ("LISTEN", 2), ("UNCONNECTED", 1), ("unknown", 1),
        ]  # fmt: skip

    def test_is_a_tuple(self) -> None:
        with socket.socket():
            found = netstat()
        assert isinstance(found, tuple)
        assert all(isinstance(row, SocketRow) for row in found)

    def test_text(self) -> None:
        rows = Sockets(
            [
                SocketRow("IPv4", "TCP", "LISTEN", ("127.0.0.1", 80), None, fd=3, queue=1, backlog=1000),
                SocketRow("IPv6", "TCP", "ESTABLISHED", ("::1", 80), ("::1", 90), 5, 0, fd=4, twins=(9,), peer_fd=5),
                SocketRow("Unix", "stream", None, b"\0name", "", fd=7),
            ]
        )
        assert repr(rows) == (
            "fd    family  type    state        recv-q   send-q    local         peer\n"
            "3     IPv4    TCP     LISTEN       queue 1  of 1,000  127.0.0.1:80\n"
            "4, 9  IPv6    TCP     ESTABLISHED  5        0         [::1]:80      [::1]:90 (fd 5)\n"
            "7     Unix    stream  ?            ?        ?         @name"
        )

    def test_empty(self) -> None:
        assert repr(Sockets()) == "this process has no sockets"
        assert Sockets().counts() == {}

    def test_html_is_escaped(self) -> None:
        rows = Sockets([SocketRow("Unix", "stream", "LISTEN", b"\0<script>&\n\x1b[31m", None, fd=3)])
        shown = rows._repr_html_()
        assert "&lt;script&gt;&amp;\\n\\x1b[31m" in shown
        assert "<script>" not in shown
        assert "\x1b" not in repr(rows)
        assert "color" not in shown  # it takes the theme's

    def test_no_such_choice(self) -> None:
        with pytest.raises(ValueError, match="time_wait must be True, False or 'all', not 'none'"):
            netstat(time_wait="none")  # type: ignore[arg-type]


class TestElsewhere:
    """The way by psutil, taken here as well."""

    def test_states_without_queues(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket_table.sys, "platform", "darwin")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            with socket.create_connection(listener.getsockname(), 10) as client:
                row = row_of(client)
                assert (row.state, row.recv_q, row.send_q) == ("ESTABLISHED", None, None)
                assert (row.local, row.peer) == (client.getsockname(), client.getpeername())
                row = row_of(listener)
                assert (row.state, row.local, row.peer, row.queue) == ("LISTEN", listener.getsockname(), None, None)

    def test_the_table_says_whose_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "win32")
        for call in (kernel_table.unix_table, lambda: kernel_table.inet_table(socket.AF_INET, 6)):
            with pytest.raises(NotImplementedError, match="Linux's way, and this is win32"):
                call()


@linux
class TestTable:
    def test_find(self, listener: socket.socket, client: socket.socket, table: str) -> None:
        here, there = client.getsockname()[:2], client.getpeername()[:2]
        for local, peer in ((here, there), (there, here)):
            entry = kernel_table.find(client.family, local, peer)
            assert entry is not None
            assert (entry.state, entry.local, entry.peer) == ("ESTABLISHED", local, peer)
        # The kernel would answer with the listener.
        assert kernel_table.find(client.family, there, (here[0], 1)) is None
        assert kernel_table.find(client.family, (here[0], 1), (here[0], 2)) is None

    def test_both_ways_say_the_same(self, listener: socket.socket, client: socket.socket) -> None:
        here = {*ends(client), ("0.0.0.0", 0), ("::", 0)}
        for protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
            mine = {
                way: {
                    entry._replace(left=0.0, send_q=None if entry.state == "LISTEN" else entry.send_q)
                    for entry in entries
                    if {entry.local, entry.peer} < here
                }
                for way, entries in (
                    ("netlink", kernel_table.inet_table(listener.family, protocol)),
                    ("proc", kernel_table._from_proc(listener.family, protocol)),
                )
            }
            assert mine["netlink"] == mine["proc"]
            assert len(mine["proc"]) == (3 if protocol == socket.IPPROTO_TCP else 0)

    def test_time_wait_says_how_long(self, listener: socket.socket, table: str) -> None:
        with socket.create_connection(listener.getsockname()[:2], 10) as client:
            server, _ = listener.accept()
            pair = client.getsockname()[:2], client.getpeername()[:2]
        server.close()
        entry = until(lambda: kernel_table.find(listener.family, *pair), "it stays")
        assert entry.timer == "time wait"
        assert 0 < entry.left <= 60

    def test_a_kernel_without_ipv6(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*arguments: object) -> list[bytes]:
            raise OSError(errno.ENOENT, "no such family")

        monkeypatch.setattr(kernel_table, "_ask", refuse)
        assert kernel_table.inet_table(socket.AF_INET6, socket.IPPROTO_TCP) == []

    def test_leaves_no_descriptor(self, table: str) -> None:
        before = os.listdir("/proc/self/fd")
        for _ in range(5):
            netstat()
            kernel_table.find(socket.AF_INET, ("127.0.0.1", 1), ("127.0.0.1", 2))
        assert os.listdir("/proc/self/fd") == before


@linux
class TestUnrest:
    def test_while_other_threads_open_and_close(self) -> None:
        """Nothing that vanishes in the middle becomes an error, a wrong row or a socket that stays open."""
        stop = threading.Event()
        failures: list[BaseException] = []

        def work() -> None:
            try:
                while not stop.is_set():
                    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as fresh:
                        with socket.create_connection(listener.getsockname(), 10) as client:
                            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                            fresh.fileno()
            except BaseException as exc:
                failures.append(exc)

        threads = [threading.Thread(target=work) for _ in range(3)]
        before = len(os.listdir("/proc/self/fd"))
        for thread in threads:
            thread.start()
        try:
            found = [netstat() for _ in range(100)]
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert failures == []
        assert any(found)
        assert all(row.state for rows in found for row in rows)
        assert len(os.listdir("/proc/self/fd")) == before

    def test_a_number_that_went_to_another_socket(self) -> None:
        """Between the list of descriptors and the question a number may get another owner."""
        with socket.socket() as sock:
            inode = os.fstat(sock.fileno()).st_ino
            assert socket_rows._waiting(sock.fileno(), inode + 1) == (None, None)
            assert socket_rows._ask([sock.fileno()], inode + 1) is None
            assert socket_rows._ask([sock.fileno()], inode) is not None
        assert socket_rows._ask([sock.fileno()], inode) is None


def test_the_functions_are_not_hidden_by_modules() -> None:
    source = (
        "import socketlab.measure.socket_table, socketlab.measure.tcp_fields\n"
        "from socketlab.measure import netstat, tcp_info; print(callable(netstat), callable(tcp_info))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True True\n"
