"""A trace of what goes through a `faulty_link`: one conversation, byte by byte, in the same words on every run."""

from __future__ import annotations

import re
import socket
import time

import pytest
from needs import server_of

from socketlab import faulty_link, tcp_server, udp_server
from socketlab.handlers import discard, echo, echo_datagram
from socketlab.trace import recorder, trace
from socketlab.trace.views.ladder_picture import ladder
from socketlab.trace.views.ladder_planning import plan

LIMIT = 10.0

kinds = pytest.mark.parametrize("kind", ["ipv4", "ipv6", "unix"])


def connect(link) -> socket.socket:
    sock = socket.socket(link.family)
    sock.settimeout(LIMIT)
    sock.connect(link.address)
    return sock


def everything(sock) -> bytes:
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


def traced(program):
    """The trace of `program`, in which nothing went wrong unnoticed."""
    with trace() as t:
        faults = recorder.current().faults
        program()
    assert not faults, list(faults)
    return t


def ties(t) -> dict[str, str]:
    """For each end what it sent, and what of it arrived, put together from the pieces that say so."""
    sent = {event.number: event for event in t.events if event.direction == "out"}
    found: dict[str, bytes] = {}
    for event in t.events:
        for piece in event.pieces if event.direction == "in" else ():
            source = sent[piece.sent]
            found[source.end.name] = found.get(source.end.name, b"") + source.data[piece.start : piece.stop]
            assert event.data[piece.at : piece.at + len(piece)] == source.data[piece.start : piece.stop]
    return found


@kinds
class TestStreams:
    def test_one_conversation_without_the_links_own_calls(self, kind):
        with server_of(kind, echo) as server, faulty_link(server, latency=0.005) as link:

            def program():
                with connect(link) as client:
                    client.sendall(b"hello")
                    client.recv(100)

            t = traced(program)
        assert {end.name for end in t.ends} == {"client", "server", "listener"}
        assert {end.name: end.other for end in t.ends if end.link} == {"client": "server", "server": "client"}
        assert {event.thread for event in t.events if "link" in event.thread} == set()
        text = repr(t)
        assert "through a link" in text.splitlines()[0]
        assert re.search(r"sendall\(b'hello'\) ─+ 5 bytes ─+► recv\(65536\) → b'hello'", text)
        assert re.search(r"recv\(100\) → b'hello' ◄─+ 5 bytes ─+ sendall\(b'hello'\)", text)
        assert re.search(r"close\(\) ─+ end of stream ─+► recv\(65536\) → b''", text)

    def test_a_sliced_send_is_several_recvs(self, kind):
        faults = {"slice_size": 4, "slice_delay": 0.02}
        with server_of(kind, echo) as server, faulty_link(server, down=faults) as link:

            def program():
                with connect(link) as client:
                    client.sendall(b"abcdefgh")
                    client.shutdown(socket.SHUT_WR)
                    everything(client)

            t = traced(program)
        assert ties(t) == {"client": b"abcdefgh", "server": b"abcdefgh"}
        assert re.search(r"◄─+ first 4 bytes of [AB] ─", repr(t))
        assert re.search(r"◄─+ last 4 bytes of [AB] ─", repr(t))

    def test_what_is_under_way_when_the_trace_closes_is_waited_for(self, kind):
        with server_of(kind, discard) as server, faulty_link(server, latency=0.15) as link:

            def program():
                with connect(link) as client:
                    client.sendall(b"late")

            texts = {repr(traced(program)) for _ in range(3)}
        assert len(texts) == 1, "\n".join(texts)
        assert re.search(r"recv\(65536\) → b'late'", texts.pop())

    def test_a_connection_older_than_the_trace(self, kind):
        with server_of(kind, echo) as server, faulty_link(server) as link, connect(link) as client:
            client.sendall(b"before")
            client.recv(100)

            def program():
                client.sendall(b"hello")
                client.recv(100)

            t = traced(program)
        assert ties(t) == {"client": b"hello", "server": b"hello"}

    def test_two_links_in_a_row(self, kind):
        with (
            server_of(kind, echo) as server,
            faulty_link(server, latency=0.005) as far,
            faulty_link(far, latency=0.005) as near,
        ):

            def program():
                with connect(near) as client:
                    client.sendall(b"hello")
                    client.recv(100)

            t = traced(program)
        assert {end.name for end in t.ends} == {"client", "server", "listener"}
        assert ties(t) == {"client": b"hello", "server": b"hello"}

    def test_a_link_made_in_the_trace(self, kind):
        def program():
            with server_of(kind, echo) as server, faulty_link(server) as link, connect(link) as client:
                client.sendall(b"hello")
                client.recv(100)

        t = traced(program)
        assert {end.name for end in t.ends} == {"client", "server", "listener"}
        assert ties(t) == {"client": b"hello", "server": b"hello"}

    def test_several_clients(self, kind):
        with server_of(kind, echo) as server, faulty_link(server, latency=0.005) as link:

            def program():
                for number in range(3):
                    with connect(link) as client:
                        client.sendall(b"%d" % number)
                        client.recv(100)

            t = traced(program)
        assert {end.name: end.other for end in t.ends if end.link} == {
            **{f"client {n}": f"server {n}" for n in (1, 2, 3)},
            **{f"server {n}": f"client {n}" for n in (1, 2, 3)},
        }
        assert ties(t) == {f"{who} {n + 1}": b"%d" % n for n in range(3) for who in ("client", "server")}


@kinds
class TestEndings:
    def by_link(self, t) -> dict[str, set[bool]]:
        found: dict[str, set[bool]] = {}
        for event in t.events:
            if event.failure is not None or (event.direction == "in" and event.size == 0):
                found.setdefault(event.end.name, set()).add(event.by_link)
        return found

    def talk(self, kind, **faults):
        with server_of(kind, echo) as server, faulty_link(server, **faults) as link:

            def program():
                with connect(link) as client:
                    try:
                        client.sendall(b"hello there")
                        client.shutdown(socket.SHUT_WR)
                        everything(client)
                    except ConnectionError:
                        pass

            return traced(program)

    def test_an_ordinary_end_is_the_peers(self, kind):
        assert self.by_link(self.talk(kind, latency=0.01)) == {"client": {False}, "server": {False}}

    def test_a_limit_is_the_links_end(self, kind):
        t = self.talk(kind, up={"limit_data": 5})
        assert self.by_link(t) == {"client": {True}, "server": {True}}
        assert "end of stream by the link" in repr(t)
        assert ties(t)["client"] == b"hello"

    def test_a_reset_is_the_links(self, kind):
        t = self.talk(kind, latency=0.5, reset_peer=0.05)
        assert self.by_link(t)["client"] == {True}

    def test_a_reset_that_was_passed_on_is_the_peers(self, kind):
        if kind == "unix":
            pytest.skip("a Unix socket knows no reset after everything was read")

        def program(link):
            with connect(link) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.sendall(b"hello")
                client.recv(100)

        with server_of(kind, echo) as server, faulty_link(server) as link:
            t = traced(lambda: program(link))
        assert self.by_link(t)["server"] == {False}


def udp_talk(seed, count=12, **faults):
    with (
        udp_server(echo_datagram) as server,
        faulty_link(server, up=faults, seed=seed) as link,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(LIMIT)

        def program():
            for number in range(count):
                client.sendto(b"datagram %d" % number, link.address)
            deadline = time.monotonic() + LIMIT
            while (up := link.stats.up).taken < count or up.pending or link.stats.down.taken < up.passed:
                assert time.monotonic() < deadline, link.stats
            for _ in range(link.stats.down.passed):
                client.recvfrom(100)

        return traced(program), link.stats


class TestDatagrams:
    def fates(self, t) -> list[int]:
        """How often each datagram of the client was received."""
        received = [piece.sent for e in t.events if e.direction == "in" and not e.failure for piece in e.pieces]
        return [received.count(e.number) for e in t.events if e.direction == "out" and e.end.name == "client"]

    @pytest.mark.parametrize("seed", range(3))
    def test_every_loss_and_every_duplicate(self, seed):
        t, stats = udp_talk(seed, loss=0.3, duplication=0.3)
        assert stats.up.lost
        assert stats.up.duplicated
        fates = self.fates(t)
        assert (fates.count(0), fates.count(2), len(fates)) == (stats.up.lost, stats.up.duplicated, 12)
        assert repr(t).count("nobody received it") == stats.up.lost
        assert {end.name for end in t.ends} == {"client", "server"}

    def test_a_changed_bit_is_tied_to_what_it_was(self):
        t, stats = udp_talk(1, corruption=0.5)
        assert stats.up.corrupted
        assert self.fates(t) == [1] * 12
        changed = [e for e in t.events if e.end.name == "server" and e.direction == "in" and e.pieces]
        sent = {e.number: e.data for e in t.events if e.direction == "out"}
        assert sum(e.data != sent[e.pieces[0].sent] for e in changed) == stats.up.corrupted

    def test_reordering(self):
        t, stats = udp_talk(2, reordering=0.4)
        assert stats.up.reordered
        assert self.fates(t) == [1] * 12
        order = [e.pieces[0].sent for e in t.events if e.end.name == "server" and e.direction == "in" and e.pieces]
        assert order != sorted(order)


class TestPictures:
    def test_the_link_stands_between_the_columns(self):
        with tcp_server(echo) as server, faulty_link(server, latency=0.005) as link, trace() as t:
            with connect(link) as client:
                client.sendall(b"hello")
                client.recv(100)
        (heading,) = (text for text in ladder(t.events).axes[0].texts if text.get_gid() == "link")
        places = {text.get_text(): text.get_position()[0] for text in ladder(t.events).axes[0].texts}
        assert heading.get_text() == "link"
        assert places["client"] < heading.get_position()[0] < places["server"]
        whole = [arrow for arrow in plan(t.events, 60).arrows if arrow.kind == "bytes"]
        assert all(arrow.start is not None and arrow.stop is not None for arrow in whole)
        assert len(whole) == 2

    def test_without_a_link_there_is_none(self):
        with tcp_server(echo) as server, trace() as t, connect(server) as client:
            client.sendall(b"hello")
            client.recv(100)
        assert not [text for text in ladder(t.events).axes[0].texts if text.get_gid() == "link"]

    def test_an_end_by_the_link_comes_from_it(self):
        with tcp_server(echo) as server, faulty_link(server, up={"limit_data": 3}) as link, trace() as t:
            with connect(link) as client:
                client.sendall(b"hello")
                everything(client)
        ends = [arrow for arrow in plan(t.events, 60).arrows if arrow.kind == "end of stream"]
        assert ends
        assert all(arrow.start is None for arrow in ends)

    def test_lost_datagrams_end_before_they_meet_another_arrow(self):
        t, stats = udp_talk(3, loss=0.4)
        assert stats.up.lost
        ax = ladder(t.events).axes[0]
        crosses = [line for line in ax.get_lines() if line.get_gid() == "lost"]
        assert len(crosses) == stats.up.lost
        labels = [text for text in ax.texts if text.get_gid() in ("on arrow", "waits")]
        figure = ax.figure
        figure.draw_without_rendering()
        for cross in crosses:
            x, y = ax.transData.transform((cross.get_xdata()[0], cross.get_ydata()[0]))
            assert not [text.get_text() for text in labels if text.get_window_extent().contains(x, y)]
