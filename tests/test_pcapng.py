"""A trace as a capture file: what tshark, which has never heard of us, makes of it.

Real sockets talk under a real trace; tshark reads the file, checks every checksum, follows the streams, and says what
it finds odd. Where a call is hard to bring about, its `Event` is written by hand.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from needs import missing

from socketlab import tcp_server, tls_server
from socketlab.handlers import echo, http
from socketlab.trace import trace
from socketlab.trace.events import IN, OUT, Endpoint, Event, Failure, Piece
from socketlab.trace.packets.pcapng import Capture, to_pcapng

TIMEOUT = 10  # seconds; of every blocking socket here

COLUMNS = """
    frame.number frame.time_epoch frame.len frame.cap_len frame.comment frame.interface_name
    frame.interface_description ip.src ip.dst ip.checksum.status ipv6.src ipv6.dst
    tcp.stream tcp.srcport tcp.dstport tcp.flags.str tcp.flags.reset tcp.len tcp.seq tcp.ack tcp.payload
    tcp.checksum.status tcp.analysis.flags tcp.completeness
    udp.srcport udp.dstport udp.payload udp.checksum.status
    _ws.malformed _ws.expert.severity _ws.expert.message
""".split()  # noqa: SIM905 - a list of 31 quoted words would hide them
CHECKS = ("tcp.check_checksum:TRUE", "ip.check_checksum:TRUE", "udp.check_checksum:TRUE")
# Bytes are bytes: now and then random ones look like a protocol to one of tshark's guessers, which warns of its faults.
NO_GUESSING = ("tcp.port==1-65535,data", "udp.port==1-65535,data")
GOOD, UNVERIFIED = "1", "2"  # what tshark calls a checksum
WARNING = 0x00600000  # and from where on something is odd (PI_WARN, epan/proto.h)


@pytest.fixture(scope="session")
def tshark(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run tshark with these arguments, free of anybody's own settings; its output."""
    program = shutil.which("tshark")
    if program is None:
        missing("tshark", "sudo apt install tshark (Debian)")
    assert program is not None
    folder = tmp_path_factory.mktemp("wireshark")
    environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(folder), "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    options = [word for check in CHECKS for word in ("-o", check)]
    options += [word for ports in NO_GUESSING for word in ("-d", ports)]

    def run(path: Path, *arguments: str) -> str:
        command = [program, "-n", "-r", str(path), *options, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@dataclass
class Reading:
    """What tshark reads in a capture file."""

    path: Path
    capture: Capture
    run: Callable[..., str]

    @cached_property
    def packets(self) -> list[dict[str, str]]:
        """A dict for each packet, of the columns above; "" where it has no such field."""
        fields = [word for column in COLUMNS for word in ("-e", column)]
        text = self.run(self.path, "-T", "fields", "-E", "separator=/t", "-E", "aggregator=|", *fields)
        return [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in text.splitlines()]

    def column(self, name: str) -> list[str]:
        return [packet[name] for packet in self.packets]

    def flags(self, stream: int = 0) -> list[str]:
        """For each packet of a TCP stream, who sent it ("c" for the first one's sender) and its flags: "c S"."""
        mine = [packet for packet in self.packets if packet["tcp.stream"] == str(stream)]
        names = {".": "", "·": ""}
        first = mine[0]["tcp.srcport"]
        return [
            f"{'c' if packet['tcp.srcport'] == first else 's'} "
            + "".join(names.get(letter, letter) for letter in packet["tcp.flags.str"])
            for packet in mine
        ]

    def bytes_of(self, stream: int = 0) -> tuple[bytes, bytes]:
        """What tshark's "follow TCP stream" shows: the bytes of both directions."""
        text = self.run(self.path, "-q", "-z", f"follow,tcp,raw,{stream}")
        lines = text.split("Node 1:")[1].splitlines()[1:]
        lines = [line for line in lines if line and not line.startswith("=")]
        ours = b"".join(bytes.fromhex(line) for line in lines if not line.startswith("\t"))
        return ours, b"".join(bytes.fromhex(line) for line in lines if line.startswith("\t"))

    def assert_clean(self, reset: bool = False, cut: bool = False) -> None:
        """Every checksum is right, nothing is odd (but a reset, where there was one), time never goes back."""
        assert len(self.packets) == self.capture.packets
        for packet in self.packets:
            good = {GOOD, UNVERIFIED, ""} if cut else {GOOD, ""}
            for name in ("ip.checksum.status", "tcp.checksum.status", "udp.checksum.status"):
                assert packet[name] in good, (name, packet)
            assert packet["tcp.analysis.flags"] == "", packet
            assert packet["_ws.malformed"] == "", packet
            severities = [int(word) for word in packet["_ws.expert.severity"].split("|") if word]
            if packet["tcp.flags.reset"] != "1":
                assert not [severity for severity in severities if severity >= WARNING], packet
        resets = [packet for packet in self.packets if packet["tcp.flags.reset"] == "1"]
        assert bool(resets) == reset
        times = [float(time) for time in self.column("frame.time_epoch")]
        assert times == sorted(times)


@pytest.fixture
def read(tshark: Callable[..., str], tmp_path: Path) -> Callable[..., Reading]:
    """Write events to a file and have tshark read it."""

    def write(events: Sequence[Event], **named: Any) -> Reading:
        path = tmp_path / "trace.pcapng"
        return Reading(path, to_pcapng(events, path, **named), tshark)

    return write


FAMILIES = [pytest.param(socket.AF_INET, id="ipv4"), pytest.param(socket.AF_INET6, id="ipv6")]


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, has_ipv6: bool) -> int:
    if request.param == socket.AF_INET6 and not has_ipv6:
        missing("IPv6", "bring up the address ::1 on the loopback interface")
    return int(request.param)


def loopback(family: int) -> str:
    return "::1" if family == socket.AF_INET6 else "127.0.0.1"


@pytest.fixture
def listener(family: int) -> Iterator[socket.socket]:
    with socket.create_server((loopback(family), 0), family=family) as sock:
        sock.settimeout(TIMEOUT)
        yield sock


def connected(listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    client = socket.create_connection(listener.getsockname()[:2], timeout=TIMEOUT)
    server, _ = listener.accept()
    server.settimeout(TIMEOUT)
    return client, server


def receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        assert part, f"wanted {size} bytes, got {len(data)}"
        data += part
    return data


def pump(source: socket.socket, target: socket.socket, data: bytes) -> None:
    """Send what may be more than buffers hold: the receiver takes it at the same time."""
    sending = threading.Thread(target=source.sendall, args=(data,))
    sending.start()
    assert receive(target, len(data)) == data
    sending.join()


class TestTCP:
    def test_a_whole_conversation_is_clean(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        with trace() as t:
            client, server = connected(listener)
            with client, server:
                client.sendall(b"ping")
                assert server.recv(100) == b"ping"
                server.sendall(b"pong!")
                assert client.recv(100) == b"pong!"
                client.close()
                assert server.recv(100) == b""
        reading = read(t.events)
        reading.assert_clean()
        assert reading.bytes_of() == (b"ping", b"pong!")
        assert reading.flags() == ["c S", "s AS", "c A", "c AP", "s A", "s AP", "c A", "c AF", "s A", "s AF", "c A"]
        assert reading.column("tcp.completeness")[-1] == "31"  # SYN, SYN-ACK, ACK, data, FIN
        assert reading.column("tcp.dstport")[0] == str(listener.getsockname()[1])
        assert (reading.capture.connections, reading.capture.datagrams) == (1, 0)

    def test_a_megabyte_each_way(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        up, down = os.urandom(1_000_001), os.urandom(1_300_000)
        with trace() as t:
            client, server = connected(listener)
            with client, server:
                pump(client, server, up)
                pump(server, client, down)
        reading = read(t.events)
        reading.assert_clean()
        assert reading.bytes_of() == (up, down)
        assert max(int(size) for size in reading.column("frame.len")) <= 65_535 + 20

    def test_half_close(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        with trace() as t:
            client, server = connected(listener)
            with client, server:
                client.sendall(b"question")
                client.shutdown(socket.SHUT_WR)
                assert receive(server, 8) == b"question"
                assert server.recv(1) == b""
                server.sendall(b"answer")
                server.close()
                assert receive(client, 6) == b"answer"
                assert client.recv(1) == b""
        reading = read(t.events)
        reading.assert_clean()
        assert reading.bytes_of() == (b"question", b"answer")
        sent = [flags for flags in reading.flags() if flags not in ("c A", "s A")]
        assert sent == ["c S", "s AS", "c AP", "c AF", "s AP", "s AF"]

    def test_both_close_without_a_word(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        with trace() as t:
            client, server = connected(listener)
            client.close()
            server.close()
        reading = read(t.events)
        reading.assert_clean()
        assert reading.flags() == ["c S", "s AS", "c A", "c AF", "s AF", "c A"]

    def test_left_open(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        with trace() as t:
            client, server = connected(listener)
            client.sendall(b"never read")
        reading = read(t.events)
        client.close()
        server.close()
        reading.assert_clean()
        assert reading.flags() == ["c S", "s AS", "c A", "c AP"]

    def test_close_with_unread_bytes_resets(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        with trace() as t:
            client, server = connected(listener)
            with client:
                client.sendall(b"nobody reads this")
                server.close()
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
        reading = read(t.events)
        reading.assert_clean(reset=True)
        assert reading.flags() == ["c S", "s AS", "c A", "c AP", "s AR"]
        assert "bytes were left unread" in reading.column("frame.comment")[-1]

    def test_linger_0_resets(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        with trace() as t:
            client, server = connected(listener)
            with client:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                server.close()
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
        reading = read(t.events)
        reading.assert_clean(reset=True)
        assert reading.flags() == ["c S", "s AS", "c A", "s AR"]
        assert "SO_LINGER" in reading.column("frame.comment")[-1]

    def test_data_for_a_closed_socket_resets(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        with trace() as t:
            client, server = connected(listener)
            with client:
                server.close()
                client.sendall(b"first: succeeds")
                with pytest.raises((BrokenPipeError, ConnectionResetError)):
                    client.sendall(b"second: does not")
        reading = read(t.events)
        reading.assert_clean(reset=True)
        assert reading.flags() == ["c S", "s AS", "c A", "s AF", "c AP", "s AR"]
        assert reading.bytes_of()[0] == b"first: succeeds"

    def test_reset_of_what_was_never_accepted(self, family: int, read: Callable[..., Reading]) -> None:
        with trace() as t:
            with socket.create_server((loopback(family), 0), family=family) as listener:
                client = socket.create_connection(listener.getsockname()[:2], timeout=TIMEOUT)
            with client, pytest.raises(ConnectionResetError):
                client.recv(1)
        reading = read(t.events)
        reading.assert_clean(reset=True)
        assert reading.flags() == ["c S", "s AS", "c A", "s AR"]

    def test_refused(self, family: int, read: Callable[..., Reading]) -> None:
        with socket.socket(family) as nobody:
            nobody.bind((loopback(family), 0))  # and does not listen
            address = nobody.getsockname()[:2]
            with trace() as t:
                for _ in range(2):
                    with pytest.raises(ConnectionRefusedError):
                        socket.create_connection(address, timeout=TIMEOUT)
                with socket.socket(family) as client:
                    assert client.connect_ex(address) != 0
        reading = read(t.events)
        reading.assert_clean(reset=True)
        assert [reading.flags(stream) for stream in range(3)] == [["c S", "s AR"]] * 3
        assert reading.column("tcp.dstport")[0] == str(address[1])
        assert len(set(reading.column("tcp.srcport"))) == 4

    def test_nobody_answers(self, family: int, read: Callable[..., Reading]) -> None:
        with socket.create_server((loopback(family), 0), family=family, backlog=0) as full:
            with socket.create_connection(full.getsockname()[:2], timeout=TIMEOUT):
                with trace() as t:
                    with socket.socket(family) as client:
                        client.settimeout(0.05)
                        with pytest.raises(TimeoutError):
                            client.connect(full.getsockname()[:2])
        reading = read(t.events)
        reading.assert_clean()
        assert reading.flags() == ["c S"]

    def test_connect_that_does_not_wait(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        with trace() as t:
            client = socket.socket(listener.family)
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            server, _ = listener.accept()
            with client, server:
                client.settimeout(TIMEOUT)
                server.sendall(b"welcome")
                assert receive(client, 7) == b"welcome"
        reading = read(t.events)
        reading.assert_clean()
        assert reading.flags()[:4] == ["c S", "s AS", "c A", "s AP"]
        assert reading.bytes_of() == (b"", b"welcome")

    def test_older_than_the_trace(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        client, server = connected(listener)
        with trace() as t, client, server:
            pump(client, server, b"a" * 100_000)
            server.sendall(b"thanks")
            assert receive(client, 6) == b"thanks"
        reading = read(t.events)
        reading.assert_clean()
        assert reading.bytes_of() == (b"a" * 100_000, b"thanks")
        assert "S" not in "".join(reading.flags())

    def test_sent_before_the_trace(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        client, server = connected(listener)
        client.sendall(b"before")
        with trace() as t, client, server:
            client.sendall(b"during")
            assert receive(server, 12) == b"beforeduring"
            server.sendall(b"after")
            assert receive(client, 5) == b"after"
        reading = read(t.events)
        reading.assert_clean()
        assert reading.bytes_of() == (b"beforeduring", b"after")
        assert "not seen" in reading.column("frame.comment")[0]

    def test_sent_before_the_trace_and_read_alone(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        client, server = connected(listener)
        client.sendall(b"before")
        with trace() as t:
            client.sendall(b"during")
            assert receive(server, 6) == b"before"
        client.close()
        server.close()
        reading = read(t.events)
        reading.assert_clean()
        assert reading.bytes_of() == (b"beforeduring", b"")

    @pytest.mark.parametrize("traced", ["client", "server"])
    def test_the_other_end_elsewhere(self, traced: str, family: int, read: Callable[..., Reading]) -> None:
        """The peer is another process, so its calls are unknown."""
        if traced == "server":
            peer = "s = socket.create_connection((host, port)); s.sendall(b'knock'); print(s.recv(9)); s.close()"
        else:
            peer = "s = listener.accept()[0]; s.sendall(b'knock'); print(s.recv(9)); s.close()"
        with socket.create_server((loopback(family), 0), family=family) as listener:
            listener.settimeout(TIMEOUT)
            host, port = listener.getsockname()[:2]
            start = f"import socket; host, port, listener = {host!r}, {port}, None\n"
            if traced == "client":
                start += f"listener = socket.socket(fileno={listener.fileno()})\n"
            command = [sys.executable, "-c", start + peer]
            with trace() as t:
                with subprocess.Popen(command, pass_fds=[listener.fileno()], stdout=subprocess.PIPE) as process:
                    if traced == "server":
                        sock, _ = listener.accept()
                        sock.settimeout(TIMEOUT)
                    else:
                        sock = socket.create_connection((host, port), timeout=TIMEOUT)
                    with sock:
                        assert receive(sock, 5) == b"knock"
                        sock.sendall(b"come in")
                        assert sock.recv(1) == b""
                    process.communicate(timeout=TIMEOUT)
        reading = read(t.events)
        reading.assert_clean()
        both = (b"knock", b"come in") if traced == "server" else (b"come in", b"knock")
        assert reading.bytes_of() == both
        assert reading.flags()[:3] == ["c S", "s AS", "c A"]
        assert [flags for flags in reading.flags() if "F" in flags] == (
            ["c AF", "s AF"] if traced == "server" else ["s AF", "c AF"]
        )

    def test_payload_beyond_the_limit_is_cut_not_invented(
        self, listener: socket.socket, read: Callable[..., Reading]
    ) -> None:
        with trace(payload=0) as t:
            client, server = connected(listener)
            with client, server:
                pump(client, server, b"x" * 200_000)
                client.sendall(b"short")
                assert receive(server, 5) == b"short"
        reading = read(t.events)
        reading.assert_clean(cut=True)
        lengths = [int(packet["tcp.len"]) for packet in reading.packets if packet["tcp.len"]]
        assert sum(lengths) == 200_005
        cut = [packet for packet in reading.packets if packet["frame.len"] != packet["frame.cap_len"]]
        assert cut
        assert all("bytes kept" in packet["frame.comment"] for packet in cut)
        assert sum(int(packet["frame.cap_len"]) for packet in reading.packets) < 20_000
        assert b"x" * 64 in bytes.fromhex(reading.packets[3]["tcp.payload"])

    def test_http_is_seen_as_http(self, read: Callable[..., Reading]) -> None:
        with trace() as t, tcp_server(http) as server:
            with socket.create_connection(server.address, timeout=TIMEOUT) as client:
                client.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                while client.recv(4096):
                    pass
            port = server.address[1]
        reading = read(t.events)
        reading.assert_clean()
        columns = ("-T", "fields", "-e", "http.request.uri", "-e", "http.response.code", "-d", f"tcp.port=={port},http")
        seen = reading.run(reading.path, "-Y", "http", *columns).split()
        assert seen[0] == "/hello"
        assert seen[1] in ("200", "404")

    def test_urgent_data(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        with trace() as t:
            client, server = connected(listener)
            with client, server:
                client.sendall(b"before")
                client.send(b"!", socket.MSG_OOB)
                client.sendall(b"after")
                assert receive(server, 6) == b"before"
                assert server.recv(1, socket.MSG_OOB) == b"!"
                assert receive(server, 5) == b"after"
        reading = read(t.events)
        reading.assert_clean()
        assert reading.bytes_of()[0] == b"before!after"
        assert [packet["tcp.payload"] for packet in reading.packets if "U" in packet["tcp.flags.str"]] == [b"!".hex()]

    def test_peeking_takes_nothing(self, listener: socket.socket, read: Callable[..., Reading]) -> None:
        with trace() as t:
            client, server = connected(listener)
            with client, server:
                client.sendall(b"look")
                assert server.recv(4, socket.MSG_PEEK) == b"look"
                assert receive(server, 4) == b"look"
        reading = read(t.events)
        reading.assert_clean()
        assert reading.flags()[3:5] == ["c AP", "s A"]

    def test_files_in_and_out(self, listener: socket.socket, read: Callable[..., Reading], tmp_path: Path) -> None:
        """sendfile and makefile call other methods; the bytes are told once."""
        file = tmp_path / "file"
        file.write_bytes(b"line 1\nline 2\n")
        with trace() as t:
            client, server = connected(listener)
            with client, server, file.open("rb") as source, server.makefile("rb") as lines:
                client.sendfile(source)
                assert lines.readline() == b"line 1\n"
                assert lines.readline() == b"line 2\n"
        reading = read(t.events)
        reading.assert_clean()
        assert reading.bytes_of()[0] == b"line 1\nline 2\n"

    def test_many_at_once(self, read: Callable[..., Reading]) -> None:
        def talk(number: int) -> None:
            with socket.create_connection(server.address, timeout=TIMEOUT) as client:
                for turn in range(5):
                    client.sendall(bytes([number]) * (turn + 1))
                    receive(client, turn + 1)

        with trace() as t, tcp_server(echo) as server:
            threads = [threading.Thread(target=talk, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        reading = read(t.events)
        reading.assert_clean()
        assert reading.capture.connections == 8
        seen = sorted(reading.bytes_of(stream) for stream in range(8))
        assert seen == [(bytes([number]) * 15,) * 2 for number in range(8)]


class TestUDP:
    def test_a_whole_conversation_is_clean(self, family: int, read: Callable[..., Reading]) -> None:
        with (
            trace() as t,
            socket.socket(family, socket.SOCK_DGRAM) as one,
            socket.socket(family, socket.SOCK_DGRAM) as two,
        ):
            two.bind((loopback(family), 0))
            two.settimeout(TIMEOUT)
            one.sendto(b"ping", two.getsockname())
            _, address = two.recvfrom(100)
            two.sendto(b"", address)
            one.settimeout(TIMEOUT)
            assert one.recv(100) == b""
            ports = str(address[1]), str(two.getsockname()[1])
        reading = read(t.events)
        reading.assert_clean()
        assert [(p["udp.srcport"], p["udp.dstport"], p["udp.payload"]) for p in reading.packets] == [
            (*ports, b"ping".hex()),
            (*ports[::-1], ""),
        ]
        assert (reading.capture.connections, reading.capture.datagrams) == (0, 2)

    def test_nobody_receives(self, family: int, read: Callable[..., Reading]) -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as deaf, socket.socket(family, socket.SOCK_DGRAM) as sock:
            deaf.bind((loopback(family), 0))
            with trace() as t:
                sock.sendto(b"to nobody", deaf.getsockname())
                sock.connect(deaf.getsockname())
                sock.send(b"to nobody either")
        reading = read(t.events)
        reading.assert_clean()
        assert [bytes.fromhex(data) for data in reading.column("udp.payload")] == [b"to nobody", b"to nobody either"]
        assert reading.column("udp.dstport")[1] == str(deaf_port(t.events))

    def test_the_largest_datagram(self, family: int, read: Callable[..., Reading]) -> None:
        size = 65_507 if family == socket.AF_INET else 65_527
        data = os.urandom(size)
        with (
            trace() as t,
            socket.socket(family, socket.SOCK_DGRAM) as one,
            socket.socket(family, socket.SOCK_DGRAM) as two,
        ):
            two.bind((loopback(family), 0))
            two.settimeout(TIMEOUT)
            one.sendto(data, two.getsockname())
            assert two.recv(70_000) == data
        reading = read(t.events)
        reading.assert_clean()
        assert bytes.fromhex(reading.packets[0]["udp.payload"]) == data


def deaf_port(events: Sequence[Event]) -> int:
    return int(next(event.end.peer[1] for event in events if event.end is not None and event.end.peer is not None))


def unix_talk() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"no packets")
        assert receive(right, 10) == b"no packets"


class TestOthers:
    @pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")
    def test_unix_sockets_are_left_out_and_counted(self, read: Callable[..., Reading]) -> None:
        with trace() as t, tcp_server(echo) as server:
            unix_talk()
            with socket.create_connection(server.address, timeout=TIMEOUT) as client:
                client.sendall(b"packets")
                receive(client, 7)
        calls = sum(event.end is not None and event.end.kind == "unix stream" for event in t.events)
        reading = read(t.events)
        reading.assert_clean()
        assert reading.capture.left_out == (("unix stream", calls),)
        assert b"no packets" not in b"".join(reading.bytes_of())
        assert f"{calls} on unix stream" in section_comment(reading)

    def test_tls_is_plaintext_and_says_so(self, read: Callable[..., Reading]) -> None:
        with trace() as t, tls_server(echo) as server:
            with socket.create_connection(server.address, timeout=TIMEOUT) as plain:
                with server.client_context.wrap_socket(plain, server_hostname="localhost") as client:
                    client.sendall(b"secret")
                    assert receive(client, 6) == b"secret"
        reading = read(t.events)
        reading.assert_clean(reset="1" in reading.column("tcp.flags.reset"))
        assert reading.bytes_of() == (b"secret", b"secret")
        assert all("encrypted on the wire" in words for words in reading.column("frame.comment"))
        assert "TLS is shown as plaintext" in section_comment(reading)

    def test_ipv4_in_ipv6_clothes_travels_as_ipv4(self, has_ipv6: bool, read: Callable[..., Reading]) -> None:
        if not has_ipv6 or not socket.has_dualstack_ipv6():
            missing("a dual-stack socket", "bring up ::1 on the loopback interface, and allow net.ipv6.bindv6only=0")
        with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
            listener.settimeout(TIMEOUT)
            with trace() as t:
                client = socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=TIMEOUT)
                server, _ = listener.accept()
                with client, server:
                    client.sendall(b"hello")
                    assert receive(server, 5) == b"hello"
        reading = read(t.events)
        reading.assert_clean()
        assert set(reading.column("ip.src")) == {"127.0.0.1"}
        assert reading.bytes_of() == (b"hello", b"")

    def test_tls_of_which_one_end_shows_records(self, read: Callable[..., Reading]) -> None:
        """asyncio encrypts by itself, so its sockets move records; the other end's calls move plaintext."""
        import asyncio

        async def ask(server: Any) -> bytes:
            reader, writer = await asyncio.open_connection(
                *server.address, ssl=server.client_context, server_hostname="localhost"
            )
            writer.write(b"secret")
            reply = await reader.readexactly(6)
            writer.close()
            await writer.wait_closed()
            return reply

        with trace() as t, tls_server(echo) as server:
            assert asyncio.run(asyncio.wait_for(ask(server), TIMEOUT)) == b"secret"
        reading = read(t.events)
        reading.assert_clean(reset="1" in reading.column("tcp.flags.reset"))
        assert reading.bytes_of() == (b"secret", b"secret")

    def test_asyncio(self, read: Callable[..., Reading]) -> None:
        import asyncio

        async def talk() -> bytes:
            async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write((await reader.readline()).upper())
                await writer.drain()
                writer.close()

            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(b"hello\n")
                reply = await reader.read()
                writer.close()
                await writer.wait_closed()
                return reply

        with trace() as t:
            assert asyncio.run(asyncio.wait_for(talk(), TIMEOUT)) == b"HELLO\n"
        reading = read(t.events)
        reading.assert_clean()
        assert reading.bytes_of() == (b"hello\n", b"HELLO\n")
        assert reading.flags()[:3] == ["c S", "s AS", "c A"]


def section_comment(reading: Reading) -> str:
    return reading.path.read_bytes()[:2000].decode("utf-8", "replace")


@pytest.fixture
def capturing(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """What really passes over the loopback interface from here on; call it for the file. Skips where that is denied."""
    program = shutil.which("dumpcap")
    if program is None:
        missing("dumpcap", "sudo apt install tshark (Debian)")
    assert program is not None
    path = tmp_path / "real.pcapng"
    command = [program, "-q", "-i", "lo", "-B", "16", "-w", str(path)]
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf,
        subprocess.Popen(command, stderr=subprocess.PIPE) as process,
    ):
        deaf.bind(("127.0.0.1", 0))

        def wait_for(mark: bytes) -> None:
            """Until the capture has a datagram with these bytes, which shows that it is running, or has all."""
            deadline = time.monotonic() + TIMEOUT
            while not (path.exists() and mark in path.read_bytes()):
                if process.poll() is not None:
                    assert process.stderr is not None
                    pytest.skip(f"nobody may capture here: {process.stderr.read().decode().strip()[:200]}")
                assert time.monotonic() < deadline, "dumpcap shows nothing"
                deaf.sendto(mark, deaf.getsockname())
                time.sleep(0.05)

        def finish() -> Path:
            wait_for(b"the end of it")
            process.terminate()
            process.wait(TIMEOUT)
            return path

        try:
            wait_for(b"is it running?")
            yield finish
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="how the kernel of Linux does it")
class TestTruth:
    """The packets that are made up, beside those that the kernel really sent."""

    @staticmethod
    def shapes(text: str, port: int) -> list[tuple[str, ...]]:
        """For each connection to this port, in their order, its packets but for pure ACKs: "c S", "s P5", "s R"."""
        found: dict[str, list[str]] = {}
        for line in text.splitlines():
            source, target, flags, size = line.split("\t")
            side, stream = ("s", target) if source == str(port) else ("c", source)
            letters = "".join(letter for letter in flags if letter in "SFR")
            if letters or size != "0":
                found.setdefault(stream, []).append(f"{side} {letters}{size if size != '0' else ''}")
        return list(map(tuple, found.values()))

    def test_connections_end_as_they_really_did(
        self, capturing: Callable[[], Path], tmp_path: Path, tshark: Callable[..., str]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener, trace() as t:
            listener.settimeout(TIMEOUT)
            port = listener.getsockname()[1]
            for way in ("in turn", "half-close", "unread", "linger", "late", "silent", "both unread", "shut both ways"):
                client, server = connected(listener)
                with client, server:
                    end_by(way, client, server)
            listener.close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        real = capturing()
        to_pcapng(t.events, tmp_path / "ours.pcapng")
        columns = [word for name in ("tcp.srcport", "tcp.dstport", "tcp.flags.str", "tcp.len") for word in ("-e", name)]
        theirs, ours = (
            self.shapes(tshark(path, "-Y", f"tcp.port=={port}", "-T", "fields", *columns), port)
            for path in (real, tmp_path / "ours.pcapng")
        )
        assert ours == theirs


def end_by(way: str, client: socket.socket, server: socket.socket) -> None:
    """Talk, and end the connection in one of these ways."""
    if way == "in turn":
        client.sendall(b"hello")
        assert receive(server, 5) == b"hello"
        client.close()
        assert server.recv(1) == b""
    elif way == "half-close":
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
        server.sendall(b"goodbye")
        server.shutdown(socket.SHUT_WR)
        assert receive(client, 7) == b"goodbye"
        assert client.recv(1) == b""
    elif way == "unread":
        client.sendall(b"hello")
        server.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    elif way == "linger":
        server.sendall(b"hello")
        assert receive(client, 5) == b"hello"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    elif way == "late":
        server.close()
        client.sendall(b"hello")
        with pytest.raises(BrokenPipeError):
            client.sendall(b"hello?")
    elif way == "both unread":
        client.sendall(b"hello")
        server.sendall(b"welcome")
        client.close()
        server.close()
    elif way == "shut both ways":
        client.sendall(b"hello")
        assert receive(server, 5) == b"hello"
        server.shutdown(socket.SHUT_RDWR)
        client.sendall(b"anybody?")
        with pytest.raises(BrokenPipeError):
            client.sendall(b"hello?")
        server.close()


class TestMarks:
    """Nobody shall take the file for a capture."""

    @pytest.fixture
    def talk(self) -> Sequence[Event]:
        with trace() as t, tcp_server(echo) as server:
            with socket.create_connection(server.address, timeout=TIMEOUT) as client:
                client.sendall(b"hello")
                receive(client, 5)
        return t.events

    def test_the_file_says_that_it_was_not_captured(self, talk: Sequence[Event], read: Callable[..., Reading]) -> None:
        reading = read(talk)
        assert "No packet was captured" in section_comment(reading)
        assert set(reading.column("frame.interface_name")) == {"socketlab"}
        assert set(reading.column("frame.interface_description")) == {"synthesised from socket calls by socketlab"}

    def test_each_packet_names_its_call(self, talk: Sequence[Event], read: Callable[..., Reading]) -> None:
        comments = read(talk).column("frame.comment")
        numbers = {f"#{event.number} {event.end.name} {event.call}" for event in talk if event.end is not None}
        assert all(any(comment.startswith(name) for name in numbers) for comment in comments)
        data = next(event for event in talk if event.data == b"hello" and event.direction == OUT)
        assert f"#{data.number} client sendall" in comments

    def test_times_are_those_of_the_calls(self, talk: Sequence[Event], read: Callable[..., Reading]) -> None:
        opened = 1_800_000_000_123_456_789
        reading = read(talk, opened_ns=opened)
        data = next(event for event in talk if event.data == b"hello" and event.direction == OUT)
        packet = next(packet for packet in reading.packets if packet["tcp.payload"] == b"hello".hex())
        seconds, nanoseconds = divmod(opened + data.start_ns, 10**9)
        assert packet["frame.time_epoch"] == f"{seconds}.{nanoseconds:09}"

    def test_a_wrong_byte_would_be_noticed(self, talk: Sequence[Event], read: Callable[..., Reading]) -> None:
        reading = read(talk)
        data = reading.path.read_bytes()
        reading.path.write_bytes(data.replace(b"hello", b"jello", 1))
        with pytest.raises(AssertionError, match="tcp.checksum.status"):
            reading.assert_clean()

    def test_the_same_calls_make_the_same_file(self, talk: Sequence[Event], tmp_path: Path) -> None:
        one, two = tmp_path / "one", tmp_path / "two"
        to_pcapng(talk, one)
        to_pcapng(talk, two)
        assert one.read_bytes() == two.read_bytes()

    def test_the_trace_has_a_method_for_it(self, tmp_path: Path) -> None:
        with trace() as t, tcp_server(echo) as server:
            socket.create_connection(server.address, timeout=TIMEOUT).close()
        assert t.to_pcapng(tmp_path / "trace.pcapng").connections == 1
        assert (tmp_path / "trace.pcapng").stat().st_size > 0


class TestBadInput:
    @pytest.fixture
    def talk(self) -> Sequence[Event]:
        return conversation([("client", "sent", 5), ("server", "got", 5)])

    def test_nothing_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="wanted TCP or UDP traffic, but this trace has no calls at all; open it"):
            to_pcapng([], tmp_path / "file")
        assert not list(tmp_path.iterdir())

    @pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")
    def test_no_packets(self, tmp_path: Path) -> None:
        with trace() as t:
            unix_talk()
        with pytest.raises(ValueError, match=r"no packets \(\d+ on unix stream sockets\); look at its ladder\(\)"):
            to_pcapng(t.events, tmp_path / "file")

    def test_a_socket_that_never_connected(self, tmp_path: Path) -> None:
        with trace() as t:
            socket.socket().close()
            socket.create_server(("127.0.0.1", 0)).close()
        with pytest.raises(ValueError, match="none that connected or moved bytes"):
            to_pcapng(t.events, tmp_path / "file")

    def test_a_directory(self, talk: Sequence[Event], tmp_path: Path) -> None:
        with pytest.raises(IsADirectoryError, match="wanted a file to write but this is a directory; add a name"):
            to_pcapng(talk, tmp_path)
        assert not list(tmp_path.iterdir())

    def test_a_folder_that_is_not_there(self, talk: Sequence[Event], tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="could not write the capture: No such file.*folder that exists"):
            to_pcapng(talk, tmp_path / "nowhere" / "file")

    def test_a_file_for_a_folder(self, talk: Sequence[Event], tmp_path: Path) -> None:
        (tmp_path / "file").write_text("text")
        with pytest.raises(NotADirectoryError, match="could not write the capture"):
            to_pcapng(talk, tmp_path / "file" / "trace.pcapng")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
    def test_a_pipe_is_not_replaced(self, talk: Sequence[Event], tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="a file that it can replace, and this is a device or a pipe"):
            to_pcapng(talk, tmp_path / "pipe")
        assert (tmp_path / "pipe").is_fifo()

    @pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits here")
    def test_a_full_disk_leaves_what_was_there(self, tmp_path: Path) -> None:
        """A limit on the size of files stands for the disk; it belongs to a process, so another one has it."""
        (tmp_path / "file").write_text("as it was")
        program = (
            "import resource, sys; sys.path.insert(0, sys.argv[2]); import test_pcapng as t\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
            "talk = t.conversation([('client', 'sent', 9999), ('server', 'got', 9999)])\n"
            "try: t.to_pcapng(talk, sys.argv[1])\n"
            "except OSError as error: print(error)\n"
        )
        command = [sys.executable, "-c", program, str(tmp_path / "file"), str(Path(__file__).parent)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert "could not write the capture: File too large; name a file" in done.stdout, done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        assert (tmp_path / "file").read_text() == "as it was"

    def test_an_error_on_the_way_leaves_what_was_there(self, talk: Sequence[Event], tmp_path: Path) -> None:
        broken = [replace(event, data="no bytes") if event.data else event for event in talk]  # type: ignore[arg-type]
        (tmp_path / "file").write_text("as it was")
        with pytest.raises(TypeError):
            to_pcapng(broken, tmp_path / "file")
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        assert (tmp_path / "file").read_text() == "as it was"

    def test_a_link_is_followed(self, talk: Sequence[Event], tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("file")
        to_pcapng(talk, tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "file").stat().st_size > 0

    def test_without_the_library(self, talk: Sequence[Event], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pcapng", None)
        with pytest.raises(ImportError, match="pip install python-pcapng"):
            to_pcapng(talk, tmp_path / "file")

    def test_the_library_is_imported_when_it_is_needed(self) -> None:
        program = "import sys, socketlab.trace.packets.pcapng; print('pcapng' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert done.stdout.strip() == "False", done.stderr


# -- events by hand ---------------------------------------------------------------------------------------------------

CLIENT = Endpoint("client", "tcp", ("127.0.0.1", 40000), ("127.0.0.1", 50007), other="server")
SERVER = Endpoint("server", "tcp", ("127.0.0.1", 50007), ("127.0.0.1", 40000), other="client")
Step = tuple[str, str, int]  # who, "sent", "got", "shut" or "closed", and how many bytes


def content(who: str, start: int, size: int) -> bytes:
    """What `who` says: each byte differs from its neighbours, and from the other one's at that place."""
    return bytes((index * 7 + (128 if who == "server" else 0)) % 256 for index in range(start, start + size))


def conversation(
    steps: Sequence[Step], clock: Callable[[int], int] = lambda number: 0, kept: int = 10**9
) -> list[Event]:
    """The events of a connection: a connect, an accept, and these steps, each at the time that the clock says."""
    events = [
        Event(1, "connect", CLIENT, start_ns=clock(1), end_ns=clock(1)),
        Event(2, "accept", Endpoint("listener", "tcp", listening=True), result="<server>", after=(1,)),
    ]
    sends: dict[str, list[Event]] = {"client": [], "server": []}
    at = {("client", "sent"): 0, ("server", "sent"): 0, ("client", "got"): 0, ("server", "got"): 0}
    for number, (who, what, size) in enumerate(steps, 3):
        end, other = (CLIENT, "server") if who == "client" else (SERVER, "client")
        times = {"start_ns": clock(number), "end_ns": clock(number)}
        if what in ("shut", "closed"):
            asked = "SHUT_WR" if what == "shut" else ""
            events.append(Event(number, {"shut": "shutdown", "closed": "close"}[what], end, asked, **times))
            continue
        start = at[who, what]
        at[who, what] += size
        data = content(who if what == "sent" else other, start, size)[:kept]
        if what == "sent":
            event = Event(number, "send", end, size=size, data=data, direction=OUT, offset=start, **times)
            sends[who].append(event)
        else:
            pieces = []
            for sent in sends[other]:
                assert sent.offset is not None
                assert sent.size is not None
                low, high = max(start, sent.offset), min(start + size, sent.offset + sent.size)
                if low < high:
                    pieces.append(Piece(sent.number, number, low - sent.offset, high - sent.offset, low - start))
            event = Event(
                number,
                "recv",
                end,
                str(size),
                size=size,
                data=data,
                direction=IN,
                offset=start,
                pieces=tuple(pieces),
                **times,
            )
        events.append(event)
    return events


@st.composite
def interleavings(draw: st.DrawFn) -> list[Step]:
    """What two ends may do: send at any time, receive no more than has been sent, then end in one of several ways."""
    steps: list[Step] = []
    waiting = {"client": 0, "server": 0}
    for who, send, size in draw(
        st.lists(st.tuples(st.sampled_from(sorted(waiting)), st.booleans(), st.integers(1, 3000)), max_size=25)
    ):
        other = "server" if who == "client" else "client"
        if send:
            steps.append((who, "sent", size))
            waiting[other] += size
        elif waiting[who]:
            size = min(size, waiting[who])
            steps.append((who, "got", size))
            waiting[who] -= size
    steps += [(who, "got", size) for who, size in waiting.items() if size and draw(st.booleans())]
    ends = draw(
        st.permutations(
            [("client", "shut", 0), ("client", "closed", 0), ("server", "shut", 0), ("server", "closed", 0)]
        )
    )
    return steps + ends[: draw(st.integers(0, 4))]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=interleavings(),
    times=st.sampled_from(["zero", "apart", "together", "backwards"]),
    kept=st.sampled_from([10**9, 0, 64]),
)
def test_any_interleaving_makes_clean_streams(
    steps: list[Step], times: str, kept: int, tshark: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    clock = {
        "zero": lambda number: 0,
        "apart": lambda number: number * 1000,
        "together": lambda number: number // 5 * 1000,
        "backwards": lambda number: 10**6 - number * 1000,  # clocks that contradict the order of events
    }[times]
    path = tmp_path_factory.mktemp("any") / "trace.pcapng"
    events = conversation(steps, clock, kept)
    reading = Reading(path, to_pcapng(events, path), tshark)
    resets = "1" in reading.column("tcp.flags.reset")
    reading.assert_clean(reset=resets, cut=kept < 10**9)
    sent = {
        who: sum(size for name, what, size in steps if (name, what) == (who, "sent")) for who in ("client", "server")
    }
    lengths = {"40000": 0, "50007": 0}
    for packet in reading.packets:
        lengths[packet["tcp.srcport"]] += int(packet["tcp.len"])
    assert lengths == {"40000": sent["client"], "50007": sent["server"]}
    if kept == 10**9:
        assert reading.bytes_of() == (content("client", 0, sent["client"]), content("server", 0, sent["server"]))


class TestByHand:
    """What real sockets do only now and then."""

    def test_an_end_without_addresses(self, read: Callable[..., Reading]) -> None:
        bare = {
            "client": Endpoint("client", "tcp", other="server"),
            "server": Endpoint("server", "tcp", other="client"),
        }
        talk = conversation([("client", "sent", 5), ("server", "got", 5)])
        talk = [replace(event, end=bare.get(event.end.name, event.end)) for event in talk if event.end is not None]
        reading = read(talk)
        reading.assert_clean()
        assert reading.bytes_of() == (content("client", 0, 5), b"")
        assert all("an address is made up" in words for words in reading.column("frame.comment"))

    def test_ends_that_only_their_addresses_bring_together(self, read: Callable[..., Reading]) -> None:
        talk = conversation([("client", "sent", 5), ("server", "got", 5), ("server", "sent", 6)])
        reading = read([replace(event, end=replace(event.end, other="")) for event in talk if event.end is not None])
        reading.assert_clean()
        assert reading.capture.connections == 1
        assert reading.bytes_of() == (content("client", 0, 5), content("server", 0, 6))

    def test_what_one_end_kept_completes_what_the_other_did_not(self, read: Callable[..., Reading]) -> None:
        talk = conversation([("client", "sent", 500), ("server", "got", 200), ("server", "got", 300)])
        talk[2] = replace(talk[2], data=content("client", 0, 100))
        talk[3] = replace(talk[3], data=None)
        reading = read(talk)
        reading.assert_clean(cut=True)
        data = [(bytes.fromhex(packet["tcp.payload"]), int(packet["tcp.len"])) for packet in reading.packets]
        assert [pair for pair in data if pair[1]] == [
            (content("client", 0, 100), 200),
            (content("client", 200, 300), 300),
        ]

    def test_a_sendall_that_failed_half_way(self, read: Callable[..., Reading]) -> None:
        talk = conversation([("client", "sent", 500), ("server", "got", 200)])
        talk[2] = replace(talk[2], size=None, failure=Failure("TimeoutError", None, "timed out"), pieces=talk[3].pieces)
        reading = read(talk)
        reading.assert_clean()
        assert reading.bytes_of() == (content("client", 0, 200), b"")

    def test_two_threads_send_and_the_later_call_comes_first(self, read: Callable[..., Reading]) -> None:
        talk = conversation([("client", "sent", 5), ("client", "sent", 6), ("server", "got", 11)])
        talk[2], talk[3] = replace(talk[3], number=3), replace(talk[2], number=4)
        talk[4] = replace(talk[4], pieces=(Piece(4, 5, 0, 5, 0), Piece(3, 5, 0, 6, 5)))
        reading = read(talk)
        reading.assert_clean()
        assert reading.bytes_of() == (content("client", 0, 11), b"")

    def test_a_socket_connected_to_itself(self, read: Callable[..., Reading]) -> None:
        me = Endpoint("client", "tcp", ("127.0.0.1", 40000), ("127.0.0.1", 40000), other="client")
        reading = read(
            [
                Event(1, "connect", me),
                Event(2, "send", me, size=5, data=b"hello", direction=OUT, offset=0),
                Event(
                    3, "recv", me, "5", size=5, data=b"hello", direction=IN, offset=0, pieces=(Piece(2, 3, 0, 5, 0),)
                ),
            ]
        )
        assert reading.capture.connections == 1

    def test_more_on_its_way_than_fits_any_window(self, read: Callable[..., Reading]) -> None:
        """One call that sends 1.5 GiB while the peer takes it in small pieces; the payload was not kept."""
        size = 3 * 2**29
        talk = conversation([("client", "sent", 0), ("server", "got", 0)])
        piece = Piece(3, 4, 0, size, 0)
        talk[2] = replace(talk[2], size=size, data=b"", pieces=(piece,))
        talk[3] = replace(talk[3], size=size, data=b"", pieces=(piece,))
        reading = read(talk)
        assert reading.run(reading.path, "-Y", "tcp.analysis.flags") == ""
        assert sum(map(int, reading.run(reading.path, "-T", "fields", "-e", "tcp.len").split())) == size
