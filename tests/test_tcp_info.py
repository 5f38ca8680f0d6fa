"""tcp_info(): what the kernel says, decoded; compared with what was done, with `ss`, and with structs of any length."""

from __future__ import annotations

import dataclasses
import re
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest
from patience import until

from socketlab.measure import TcpInfo, tcp_info
from socketlab.measure.tcp_fields import decode

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux's TCP_INFO")
NAMES = [kept.name for kept in dataclasses.fields(TcpInfo) if kept.metadata]

# Where each field begins, written down from linux/tcp.h and not computed by the decoder.
OFFSETS = {"state": 0, "options": 5, "rto": 8, "snd_mss": 16, "unacked": 24, "pmtu": 60, "rtt": 68,
           "total_retrans": 100, "pacing_rate": 104, "bytes_acked": 120, "segs_out": 136, "min_rtt": 148,
           "delivery_rate": 160, "sndbuf_limited": 184, "delivered": 192, "bytes_sent": 200, "dsack_dups": 216,
           "rcv_ooopack": 224, "snd_wnd": 228, "rcv_wnd": 232, "rehash": 236, "total_rto": 240,
           "total_rto_recoveries": 242, "total_rto_time": 244, "received_ce": 248,
           "received_ce_bytes": 272}  # fmt: skip
LAST = {104: "total_retrans", 136: "bytes_received", 144: "segs_in", 168: "delivery_rate", 192: "sndbuf_limited",
        232: "snd_wnd", 240: "rehash", 248: "total_rto_time", 276: "received_ce_bytes"}  # fmt: skip


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
def pair(listener: socket.socket) -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_connection(listener.getsockname()[:2], 10) as client:
        server, _ = listener.accept()
        with server:
            server.settimeout(10)
            yield client, server


@linux
class TestConnection:
    def test_bytes_are_counted_exactly(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, server = pair
        client.sendall(b"x" * 12_345)
        got = 0
        while got < 12_345:
            got += len(server.recv(1000))
        until(lambda: tcp_info(client).bytes_acked == 12_345 + 1, "the acknowledgement")  # 1 for the SYN
        assert tcp_info(client).bytes_sent == 12_345
        assert tcp_info(client).bytes_received == 0
        assert tcp_info(server).bytes_received == 12_345
        assert tcp_info(server).bytes_sent == 0
        assert tcp_info(client).unacked == tcp_info(client).notsent_bytes == tcp_info(client).bytes_retrans == 0

    def test_unread_bytes_close_the_window(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, server = pair
        before = tcp_info(server).rcv_wnd
        assert before
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                client.send(b"x" * 65536)
        until(lambda: tcp_info(client).snd_wnd < before, "the window closes")  # type: ignore[operator]
        assert tcp_info(client).notsent_bytes > 0  # type: ignore[operator]

    def test_states(self, listener: socket.socket, pair: tuple[socket.socket, socket.socket]) -> None:
        client, server = pair
        with socket.socket(client.family) as fresh:
            assert tcp_info(fresh).state == "CLOSE"
        assert [tcp_info(s).state for s in (listener, client, server)] == ["LISTEN", "ESTABLISHED", "ESTABLISHED"]
        client.shutdown(socket.SHUT_WR)
        assert tcp_info(client).state in ("FIN_WAIT1", "FIN_WAIT2")  # the acknowledgement may be delayed
        until(lambda: tcp_info(server).state == "CLOSE_WAIT", "the FIN arrives")
        until(lambda: tcp_info(client).state == "FIN_WAIT2", "the FIN is acknowledged")
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        until(lambda: tcp_info(client).state == "CLOSE", "the RST arrives")

    def test_constants_of_the_connection(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, _ = pair
        info = tcp_info(client)
        assert info.snd_mss == client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        assert info.pmtu >= info.advmss + 40  # type: ignore[operator]
        assert 0 < info.rtt < 10_000_000  # type: ignore[operator]
        assert 0 <= info.rcv_wscale <= 14  # type: ignore[operator]
        assert (info.queue, info.backlog) == (None, None)

    def test_agrees_with_ss(self, pair: tuple[socket.socket, socket.socket]) -> None:
        ss = shutil.which("ss")
        if ss is None:
            pytest.skip("this machine has no ss: sudo apt install iproute2")
        client, server = pair
        client.sendall(b"x" * 5000)
        server.recv(65536)
        until(lambda: tcp_info(client).unacked == 0, "the acknowledgement")
        command = [ss, "-tinHO", "sport", "=", f":{client.getsockname()[1]}"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        info = tcp_info(client)
        words = {
            "mss": info.snd_mss, "pmtu": info.pmtu, "rcvmss": info.rcv_mss, "advmss": info.advmss,
            "cwnd": info.snd_cwnd, "bytes_sent": info.bytes_sent, "bytes_acked": info.bytes_acked,
            "segs_out": info.segs_out, "segs_in": info.segs_in, "data_segs_out": info.data_segs_out,
            "rcv_space": info.rcv_space, "rcv_ssthresh": info.rcv_ssthresh, "delivered": info.delivered,
            "wscale": f"{info.snd_wscale},{info.rcv_wscale}", "snd_wnd": info.snd_wnd,
        }  # fmt: skip
        found = {word: str(value) for word, value in words.items() if f" {word}:" in said}
        assert len(found) > 8
        assert {word: re.search(rf" {word}:(\S+)", said)[1] for word in found} == found  # type: ignore[index]
        assert f"rtt:{info.rtt / 1000:g}/{info.rttvar / 1000:g}" in said  # type: ignore[operator]
        assert f"rto:{info.rto / 1000:g}" in said  # type: ignore[operator]
        assert ("app_limited" in said) == info.delivery_rate_app_limited


@linux
class TestListener:
    def test_queue_and_limit(self, listener: socket.socket) -> None:
        address = listener.getsockname()[:2]
        with socket.create_connection(address, 10), socket.create_connection(address, 10):
            until(lambda: tcp_info(listener).queue == 2, "both wait")
            info = tcp_info(listener)
            assert (info.state, info.backlog) == ("LISTEN", 7)
            listener.accept()[0].close()
            assert tcp_info(listener).queue == 1

    def test_what_the_kernel_does_not_tell_of_a_listener_is_none(self, listener: socket.socket) -> None:
        info = tcp_info(listener)
        assert info.rtt is info.bytes_sent is info.options is info.ca_state is None
        assert "7 connections" in repr(info)
        assert "for a listener the kernel tells no more" in repr(info)


class TestDecode:
    """Structs made by hand: the layout, whatever this machine's kernel is."""

    @pytest.mark.parametrize("name", OFFSETS)
    @pytest.mark.parametrize("byteorder", ["little", "big"])
    def test_offsets(self, name: str, byteorder: str) -> None:
        size = 2 if name.startswith("total_rto") and name != "total_rto_time" else 4
        size = 1 if name in ("state", "options") else 8 if OFFSETS[name] % 8 == 0 and name in EIGHTS else size
        data = bytearray(280)
        data[OFFSETS[name] : OFFSETS[name] + size] = (1).to_bytes(size, byteorder)  # type: ignore[arg-type]
        info = decode(bytes(data), "6.18", byteorder)
        expected = {"state": "ESTABLISHED", "options": ("TIMESTAMPS",)}.get(name, 1)
        assert getattr(info, name) == expected
        others = [other for other in NAMES if other != name and getattr(info, other) not in (0, None, (), False)]
        assert [other for other in others if other not in ("state", "ca_state")] == []

    @pytest.mark.parametrize(("length", "last"), LAST.items())
    def test_beyond_the_end_is_none(self, length: int, last: str) -> None:
        info = decode(b"\x01" * length, "6.18")
        told = [name for name in NAMES if getattr(info, name) is not None]
        told = [name for name in told if name not in ("delivery_rate_app_limited", "fastopen_client_fail")]
        assert told[-1] == last
        assert info.size == length

    @pytest.mark.parametrize("length", range(290))
    def test_any_length(self, length: int) -> None:
        info = decode(b"\xff" * length, "6.18")
        assert info.size == length
        assert repr(info)
        assert info._repr_html_()

    def test_a_field_that_was_cut_is_none(self) -> None:
        assert decode(bytes(71)).rtt is None
        assert decode(bytes(72)).rtt == 0

    def test_bit_fields(self) -> None:
        data = bytes([1, 0, 0, 0, 0, 0, 0x7A, 0b101, *bytes(272)])
        info = decode(data, "6.18", "little")
        assert (info.snd_wscale, info.rcv_wscale) == (10, 7)
        assert (info.delivery_rate_app_limited, info.fastopen_client_fail) == (True, 2)
        data = bytes([1, 0, 0, 0, 0, 0, 0x7A, 0b1_10_00000, *bytes(272)])
        info = decode(data, "6.18", "big")
        assert (info.snd_wscale, info.rcv_wscale) == (7, 10)
        assert (info.delivery_rate_app_limited, info.fastopen_client_fail) == (True, 2)

    def test_what_was_padding_is_none(self) -> None:
        assert decode(bytes(160)).delivery_rate_app_limited is None
        assert decode(bytes(192)).delivery_rate_app_limited is False
        assert decode(bytes(192)).fastopen_client_fail is None
        assert decode(bytes(232)).fastopen_client_fail == 0

    @pytest.mark.parametrize(
        ("release", "byteorder", "word", "told"),
        [
            ("6.18.44-generic", "little", b"\x05\x00\x02\x00", (None, 2, 5)),
            ("6.19", "big", b"\x00\x05\x00\x02", (None, 2, 5)),
            ("7.0.0-rc1", "little", bytes([0b0101_10_01, 0, 0, 0]), (1, 2, 5)),
            ("7.0", "big", bytes([0b01_10_0101, 0, 0, 0]), (1, 2, 5)),
            ("6.12.0-55.el10", "little", b"\x05\x00\x02\x00", (None, None, None)),
            ("unheard of", "little", b"\x05\x00\x02\x00", (None, None, None)),
        ],
    )
    def test_the_word_that_changed_its_meaning(
        self, release: str, byteorder: str, word: bytes, told: tuple[int | None, ...]
    ) -> None:
        info = decode(b"\x01" + bytes(275) + word, release, byteorder)
        assert (info.ecn_mode, info.accecn_opt_seen, info.accecn_fail_mode) == told

    def test_a_longer_struct_of_a_newer_kernel(self) -> None:
        info = decode(b"\x01" + bytes(399), "9.0")
        assert info.size == 400
        assert info.ecn_mode == 0

    def test_unknown_numbers_are_said_to_be_unknown(self) -> None:
        info = decode(bytes([99, 99, *bytes(6)]))
        assert (info.state, info.ca_state) == ("unknown (99)", "unknown (99)")
        assert decode(bytes(8)).state == "unknown (0)"

    def test_options(self) -> None:
        info = decode(b"\x01\x00\x00\x00\x00\x27\x00\x00")
        assert info.options == ("TIMESTAMPS", "SACK", "WSCALE", "SYN_DATA")


EIGHTS = ("pacing_rate", "bytes_acked", "delivery_rate", "sndbuf_limited", "bytes_sent")


class TestWords:
    def test_every_field_has_a_meaning(self) -> None:
        for name in NAMES:
            assert TcpInfo.meaning(name)
            assert f"\n{name}: {TcpInfo.meaning(name)}" in (TcpInfo.__doc__ or "")
        assert TcpInfo.meaning("rtt") == "round trip, smoothed, in µs"
        with pytest.raises(KeyError):
            TcpInfo.meaning("tea")

    def test_numbers_that_are_no_measurements(self) -> None:
        data = bytearray(280)
        data[0] = 1
        struct.pack_into("=I", data, 148, 2**32 - 1)
        struct.pack_into("=Q", data, 112, 2**64 - 1)
        struct.pack_into("=I", data, 76, 2**31 - 1)
        info = decode(bytes(data), "6.18")
        assert info.notes == {
            "rtt": "not measured yet", "rcv_rtt": "not measured yet", "min_rtt": "not measured yet",
            "snd_ssthresh": "no limit", "max_pacing_rate": "no limit",
        }  # fmt: skip
        assert info.min_rtt == 2**32 - 1  # as the kernel has it
        assert re.search(r"^min_rtt +not measured yet", repr(info), re.MULTILINE)

    def test_text_and_html_say_the_same(self) -> None:
        info = decode(bytes([1, *bytes(247)]), "6.7")
        assert info._repr_html_().count("<tr>") == repr(info).count("\n")  # a head less a caption
        assert "this kernel does not tell: received_ce," in repr(info)
        assert "this kernel does not tell: received_ce," in info._repr_html_()

    def test_frozen(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            decode(bytes(8)).rtt = 1  # type: ignore[misc]


class TestRefusals:
    def test_no_tcp(self) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            with pytest.raises(ValueError, match="wanted a TCP socket, but this one is AF_INET, SOCK_DGRAM"):
                tcp_info(datagrams)
        if hasattr(socket, "AF_UNIX"):
            with socket.socket(socket.AF_UNIX) as unix, pytest.raises(ValueError, match="AF_UNIX, SOCK_STREAM"):
                tcp_info(unix)

    def test_closed(self) -> None:
        sock = socket.socket()
        sock.close()
        with pytest.raises(OSError, match=r"\[Errno 9\] tcp_info wanted an open socket") as refusal:
            tcp_info(sock)
        assert refusal.value.errno == 9

    @pytest.mark.parametrize("thing", [5, None, "127.0.0.1"])
    def test_no_socket(self, thing: object) -> None:
        with pytest.raises(ValueError, match="wanted a socket"):
            tcp_info(thing)  # type: ignore[arg-type]

    def test_another_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        with socket.socket() as sock:
            info = tcp_info(sock)
        assert all(getattr(info, name) is None for name in NAMES)
        assert "so nothing is known" in repr(info)
        with socket.socket(type=socket.SOCK_DGRAM) as datagrams, pytest.raises(ValueError, match="a TCP socket"):
            tcp_info(datagrams)

    @linux
    def test_is_not_seen_by_who_watches_the_methods(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A trace replaces methods of socket.socket; looking is none of the program's calls."""
        calls = []
        monkeypatch.setattr(socket.socket, "getsockopt", lambda self, *a: calls.append(a), raising=False)
        with socket.socket() as sock:
            assert tcp_info(sock).state == "CLOSE"
        assert calls == []
