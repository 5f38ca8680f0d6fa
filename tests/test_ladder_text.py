"""The ladder as text: traces written by hand, and real ones, against the text that a reader sees."""

from __future__ import annotations

import random
import re
import socket
import struct
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stories import AGAIN, PIPE, REFUSED, RESET, TIMEOUT, Story, echo, elsewhere

from socketlab import handlers as served
from socketlab import tcp_server, tls_server, udp_server
from socketlab.trace import trace
from socketlab.trace.events import IN, OUT, Endpoint, Event
from socketlab.trace.views.ladder_planning import plan
from socketlab.trace.views.ladder_text import NOTHING, ladder_text


def ladder(story: Story | Sequence[Event], **settings: int) -> str:
    """The rows below the heading and its rule."""
    text = ladder_text(story.events if isinstance(story, Story) else story, **settings)
    return text.split("\n", 2)[2]


def heading(story: Story) -> str:
    return " ".join(ladder_text(story.events).splitlines()[0].split())


def expected(text: str) -> str:
    return dedent(text).strip("\n")


class TestOneConversation:
    def test_an_echo(self) -> None:
        assert ladder_text(echo().events) == expected("""
            client                              tcp          server
            ──────────────────────────────────────────────────────────────────────────────
            connect() ─────────────────────────────────────► listener: accept() → <server>
            sendall(b'hello') ─────────────── 5 bytes ─────► recv(100) → b'hello'
            recv(100) → b'HELLO' ◄─────────── 5 bytes ────── sendall(b'HELLO')
            sendall(b'and goodbye') ──────── 11 bytes ─────► recv(100) → b'and goodbye'
            recv(100) → b'AND GOODBYE' ◄──── 11 bytes ────── sendall(b'AND GOODBYE')
            close() ────────────────────── end of stream ──► recv(100) → b''
                                                             close()
            """)

    def test_one_send_as_three_recvs(self) -> None:
        story = Story()
        client, server = story.connected()
        story.send(client, b"hello world")
        for _ in range(3):
            story.recv(server, 5)
        assert ladder(story) == expected("""
            connect() ───────────────────────────────────────► listener: accept() → <server>
            sendall(b'hello world') ────── A: 11 bytes ──────►
                                    ─── first 5 bytes of A ──► recv(5) → b'hello'
                                    ─── next 5 bytes of A ───► recv(5) → b' worl'
                                    ───── last byte of A ────► recv(5) → b'd'
            """)

    def test_three_sends_as_two_recvs(self) -> None:
        story = Story()
        client, server = story.connected()
        for word in (b"one ", b"two ", b"three"):
            story.send(server, word)
        story.recv(client, 6)
        story.recv(client)
        assert ladder(story) == expected("""
            connect() ──────────────────────────────────────────► listener: accept() → <server>
                                   ◄──────── A: 4 bytes ───────── sendall(b'one ')
                                   ◄──────── B: 4 bytes ───────── sendall(b'two ')
                                   ◄──────── C: 5 bytes ───────── sendall(b'three')
            recv(6) → b'one tw' ◄───── A + first 2 bytes of B ───
            recv(100) → b'o three' ◄── last 2 bytes of B + C ────
            """)

    def test_a_half_close(self) -> None:
        story = Story()
        client, server = story.connected()
        story.send(client, b"stressed")
        story.close(client, "shutdown", "SHUT_WR")
        story.recv(server)
        story.recv(server)
        story.send(server, b"desserts")
        story.recv(client)
        assert ladder(story) == expected("""
            connect() ──────────────────────────────────► listener: accept() → <server>
            sendall(b'stressed') ─────── A: 8 bytes ────►
            shutdown(SHUT_WR)
                                    ───────── A ────────► recv(100) → b'stressed'
                                    ─── end of stream ──► recv(100) → b''
            recv(100) → b'desserts' ◄───── 8 bytes ────── sendall(b'desserts')
            """)

    def test_a_reset(self) -> None:
        story = Story()
        client, server = story.connected()
        story.send(client, b"unread")
        story.close(server)
        story.fail(client, "recv", RESET, "100")
        story.fail(client, "sendall", PIPE, direction=OUT, data=b"more")
        assert ladder(story) == expected("""
            connect() ─────────────────────────────────────────────────► listener: accept() → <server>
            sendall(b'unread') ──────────────────────────── 6 bytes ───► (nobody read it)
            recv(100) ✗ ConnectionResetError ECONNRESET ◄─── reset ───── close()
            sendall(b'more') ✗ BrokenPipeError EPIPE
            """)

    def test_bytes_that_were_only_looked_at(self) -> None:
        story = Story()
        left, right = story.pair()
        story.send(left, b"ping")
        story.recv(right, 2, peek=True)
        story.recv(right)
        assert ladder(story) == expected("""
            socketpair() → <left>, <right>
            sendall(b'ping') ───────────────── A: 4 bytes ────────────────►
                             · · looks at first 2 bytes of A, leaves it · ► recv(2, MSG_PEEK) → b'pi'
                             ───────────────────── A ─────────────────────► recv(100) → b'ping'
            """)

    def test_bytes_that_were_never_read(self) -> None:
        story = Story()
        client, server = story.connected()
        story.send(client, b"0123456789")
        story.recv(server, 4)
        rows = ladder(story).splitlines()
        assert "A: 10 bytes, 6 not read" in rows[1]
        assert "first 4 bytes of A" in rows[2]

    def test_a_send_that_took_less_than_it_was_offered(self) -> None:
        story = Story()
        client, _ = story.connected()
        story.send(client, b"x" * 4096, "send", "MSG_DONTWAIT")
        story.events[-1] = replace(story.events[-1], size=10)
        assert "send(b'xxxxxxxxxxxxxxxx'…, MSG_DONTWAIT) → 10 of 4,096 ─── 10 bytes ──►" in ladder(story)

    def test_bytes_that_a_call_inside_moved(self) -> None:
        story = Story()
        left, right = story.pair()
        story.call(left, "send_fds")
        story.send(left, b"take this", "sendmsg", "SCM_RIGHTS with 1 descriptor", inside=2)
        story.call(right, "recv_fds")
        story.recv(right, call="recvmsg", inside=4)
        assert ladder(story).splitlines()[1:] == [
            "send_fds(b'take this', SCM_RIGHTS with 1 descriptor) ─── 9 bytes ───► recv_fds(100) → b'take this'"
        ]

    @pytest.mark.parametrize(
        ("failure", "words"),
        [
            (REFUSED, "✗ ConnectionRefusedError ECONNREFUSED"),
            (TIMEOUT, "✗ TimeoutError"),
            (AGAIN, "✗ BlockingIOError EAGAIN"),
        ],
    )
    def test_errors_are_marked(self, failure: object, words: str) -> None:
        story = Story()
        client = Endpoint("client", "tcp")
        story.call(client, "connect", failure=failure)
        assert ladder_text(story.events).splitlines()[0] == "client (tcp)"
        assert ladder(story) == f"connect() {words}"

    def test_a_send_that_failed_when_some_had_been_sent(self) -> None:
        story = Story()
        client, server = story.connected()
        story.send(client, b"x" * 5000)
        story.recv(server, 4000)
        story.events[2] = replace(story.events[2], size=None, failure=TIMEOUT)
        rows = ladder(story).splitlines()
        assert re.match(r"sendall\(b'x+'…\) ✗ TimeoutError ─+ A: at least 4,000 bytes ─+►$", rows[1])
        assert "first 4,000 bytes of A" in rows[2]

    def test_the_other_end_is_in_another_process(self) -> None:
        story = Story()
        client = Endpoint("client", "tcp")
        story.call(client, "connect")
        story.send(client, b"GET /")
        story.call(client, "recv", "100", size=3, data=b"200", direction=IN)
        story.call(client, "recv", "100", size=0, data=b"", direction=IN)
        assert ladder_text(story.events) == expected("""
            client                      tcp          not in this trace
            ──────────────────────────────────────────────────────────
            connect() ─────────────────────────────►
            sendall(b'GET /') ─────── 5 bytes ─────►
            recv(100) → b'200' ◄───── 3 bytes ──────
            recv(100) → b'' ◄───── end of stream ───
            """)

    def test_recv_of_no_bytes_is_not_the_end(self) -> None:
        story = Story()
        client, _ = story.connected()
        story.call(client, "recv", "0", size=0, data=b"", direction=IN)
        assert ladder(story).splitlines()[-1] == "recv(0) → b''"

    def test_bytes_of_before_the_trace(self) -> None:
        story = Story()
        client, server = story.connected()
        sent = story.send(client, b"new")
        story.recv(server)
        got = replace(story.events[-1], size=7, data=b"old new", pieces=(replace(story.events[-1].pieces[0], at=4),))
        assert "4 earlier + 3 bytes ──► recv(100) → b'old new'" in ladder([*story.events[:sent], got])

    def test_a_connection_in_progress(self) -> None:
        story = Story()
        client = Endpoint("client", "tcp", other="server")
        connect = story.call(client, "connect", failure=replace(AGAIN, code=115))
        story.call(Endpoint("listener", "tcp", listening=True), "accept", result="<server>", after=(connect,))
        assert ladder(story).startswith("connect() ✗ BlockingIOError EINPROGRESS ──")
        assert ladder(story).endswith("► accept() → <server>")

    def test_what_it_is_encrypted_with_stands_in_the_heading(self) -> None:
        story = Story()
        client, server = story.connected(kind="tls")
        story.send(client, b"secret", layer="tls")
        story.recv(server, layer="tls")
        assert heading(story) == "client tls: encrypted on the wire server"

    def test_calls_inside_a_call_count_as_its_own(self) -> None:
        story = Story()
        client, server = story.connected()
        outer = len(story.events) + 1
        story.send(client, b"first ", "send", inside=outer + 2)
        story.send(client, b"second", "send", inside=outer + 2)
        story.call(client, "sendfile", size=12, data=b"first second", direction=OUT)
        story.recv(server)
        assert "sendfile(b'first second') ─── 12 bytes ──► recv(100) → b'first second'" in ladder(story)

    def test_what_does_not_fit_is_shown_shorter(self) -> None:
        story = Story()
        client, server = story.connected()
        story.send(client, b"short")
        story.recv(server)
        story.send(client, b"\xff" * 24)
        story.recv(server)
        assert ladder(story, width=80).splitlines()[1:] == [
            "sendall(b'short') ─────── 5 bytes ───► recv(100) → b'short'",
            "sendall(b'\\xff\\xff'…) ─── 24 bytes ──► recv(100) → b'\\xff\\xff\\xff\\xff'…",
        ]


class TestManyEnds:
    def sequential(self, count: int) -> Story:
        story = Story()
        for i in range(1, count + 1):
            client, server = story.connected(f"client {i}", f"server {i}", helper=True)
            story.send(client, b"%d" % i)
            story.recv(server)
            story.close(client)
            story.recv(server)
            story.close(server)
        return story

    def test_each_row_says_whose_it_is(self) -> None:
        assert ladder_text(self.sequential(3).events) == expected("""
            3 clients                        tcp          3 servers
            ─────────────────────────────────────────────────────────────────────────────
            client 1: connect() ────────────────────────► server 1: accept() → <server 1>
            client 1: sendall(b'1') ────── 1 byte ──────► server 1: recv(100) → b'1'
            client 1: close() ───────── end of stream ──► server 1: recv(100) → b''
                                                          server 1: close()
            client 2: connect() ────────────────────────► server 2: accept() → <server 2>
            client 2: sendall(b'2') ────── 1 byte ──────► server 2: recv(100) → b'2'
            client 2: close() ───────── end of stream ──► server 2: recv(100) → b''
                                                          server 2: close()
            client 3: connect() ────────────────────────► server 3: accept() → <server 3>
            client 3: sendall(b'3') ────── 1 byte ──────► server 3: recv(100) → b'3'
            client 3: close() ───────── end of stream ──► server 3: recv(100) → b''
                                                          server 3: close()
            """)

    def test_many_that_do_the_same_are_shown_once(self) -> None:
        assert ladder_text(self.sequential(50).events) == expected("""
                   50 clients                 tcp           50 servers
                   ─────────────────────────────────────────────────────────────────
            50 × ┌ connect() ─────────────────────────────► accept() → <server 1>, …
                 │ sendall(b'1', …) ─── 91 bytes in all ──► recv(100) → b'1', …
                 │ close() ───────────── end of stream ───► recv(100) → b''
                 └                                          close()
            """)

    def test_connections_that_wait_in_the_queue(self) -> None:
        story = Story()
        clients = [Endpoint(f"client {i}", "tcp", other=f"server {i}") for i in (1, 2)]
        door = Endpoint("listener", "tcp", listening=True)
        numbers = [story.call(client, "connect") for client in clients]
        for i, number in enumerate(numbers, 1):
            story.call(door, "accept", result=f"<server {i}>", after=(number,))
        assert ladder_text(story.events) == expected("""
            client 1, client 2           tcp          listener
            ───────────────────────────────────────────────────────────────
            client 1: connect() ────────────────────►
            client 2: connect() ────────────────────►
                                ─── from client 1 ──► accept() → <server 1>
                                ─── from client 2 ──► accept() → <server 2>
            """)

    def test_a_call_over_several_sockets_stands_with_its_thread(self) -> None:
        story = Story()
        client, server = story.connected()
        story.send(client, b"x")
        story.call(None, "select", "1 watched", result="1 ready", thread="echo server")
        story.recv(server, thread="echo server")
        assert ladder(story).splitlines()[2].startswith(" " * 20)
        assert ladder(story).splitlines()[2].strip() == "select(1 watched) → 1 ready"

    def test_both_ends_on_the_same_side_do_not_share_a_row(self) -> None:
        story = Story()
        alone = Endpoint("client", "udp")
        story.send(alone, b"to myself", "sendto", to="client")
        story.recvfrom(alone)
        rows = ladder(story).splitlines()
        assert "A: 9 bytes" in rows[0]
        assert rows[1].startswith("recvfrom(100) → b'to myself' ◄")


class TestDatagrams:
    client = Endpoint("client", "udp")
    server = Endpoint("server", "udp")

    def test_lost_cut_off_and_empty_ones(self) -> None:
        story = Story()
        for i in range(3):
            story.send(self.client, b"ping %d" % i, "sendto", to="server")
        story.recvfrom(self.server)
        story.lose(self.server)
        story.recvfrom(self.server, 4)
        story.send(self.client, b"", "sendto", to="server")
        story.recvfrom(self.server)
        story.send(self.client, b"a long one", "sendto", to="server")
        story.recvfrom(self.server, 4)
        assert ladder_text(story.events) == expected("""
            client                            udp             server
            ───────────────────────────────────────────────────────────────────────────
            sendto(b'ping 0') - - - - - - A: 6 bytes - - - -►
            sendto(b'ping 1') - - - - - - - 6 bytes - - - - ✗ (nobody received it)
            sendto(b'ping 2') - - - - - - B: 6 bytes - - - -►
                                  -- - - - - - A - - - - - -► recvfrom(100) → b'ping 0'
                                  -- - - B, 2 cut off - - - ► recvfrom(4) → b'ping'
            sendto(b'') - - - - - - - - - - 0 bytes - - - - ► recvfrom(100) → b''
            sendto(b'a long one') - - 10 bytes, 6 cut off - ► recvfrom(4) → b'a lo'
            """)

    def test_none_is_called_lost_where_one_came_from_nowhere(self) -> None:
        story = Story()
        story.send(self.client, b"ping", "sendto", to="server")
        story.call(self.server, "recvfrom", "100", size=4, data=b"ping", direction=IN)
        assert "nobody" not in ladder(story)

    def test_how_many_of_a_burst_were_lost(self) -> None:
        story = Story()
        for _ in range(200):
            story.send(self.client, b"x" * 1000, "sendto", to="server")
        for _ in range(6):
            story.recvfrom(self.server, 2000)
        assert "1,000 bytes each" in ladder(story)
        assert "194 × " in ladder(story)
        assert "✗ (nobody received them)" in ladder(story)

    def test_among_equals_who_is_heard_first_is_left(self) -> None:
        story = Story()
        one, two = Endpoint("server 1", "unix datagram"), Endpoint("server 2", "unix datagram")
        story.call(one, "bind")
        story.send(one, b"hello", "sendto", to="server 2")
        story.recvfrom(two)
        assert heading(story) == "server 1 unix datagram server 2"


class TestLongTraces:
    def ping_pong(self, rounds: int) -> Story:
        story = Story()
        client, server = story.connected()
        for i in range(rounds):
            story.send(client, b"ping %d" % i)
            story.recv(server)
            story.send(server, b"pong %d" % i)
            story.recv(client)
        story.close(client)
        story.recv(server)
        return story

    def test_five_thousand_calls_that_repeat(self) -> None:
        assert ladder_text(self.ping_pong(1250).events) == expected("""
                      client                               tcp             server
                      ──────────────────────────────────────────────────────────────────────────────────
                      connect() ─────────────────────────────────────────► listener: accept() → <server>
            1,250 × ┌ sendall(b'ping 0', …) ────── 10,140 bytes in all ──► recv(100) → b'ping 0', …
                    └ recv(100) → b'pong 0', … ◄── 10,140 bytes in all ─── sendall(b'pong 0', …)
                      close() ─────────────────────── end of stream ─────► recv(100) → b''
            """)

    def test_what_fits_is_not_folded(self) -> None:
        assert len(ladder(self.ping_pong(19)).splitlines()) == 40
        assert len(ladder(self.ping_pong(20)).splitlines()) == 4
        assert len(ladder(self.ping_pong(20), lines=42).splitlines()) == 42

    def test_the_very_same_row_is_shown_once_even_where_there_is_room(self) -> None:
        story = Story()
        client, server = story.connected()
        for _ in range(37):
            story.send(client, b"x")
            story.recv(server)
        assert ladder(story).splitlines()[1] == "37 × sendall(b'x') ─── 1 byte each ──► recv(100) → b'x'"

    def test_bulk_traffic_whose_recvs_vary(self) -> None:
        rng = random.Random(1)
        story = Story()
        client, server = story.connected()
        for _ in range(100):
            parts = rng.randint(2, 5)
            story.send(client, bytes(10_000 * parts))
            for _ in range(parts):
                story.recv(server, 10_000)
        rows = ladder(story).splitlines()
        assert len(rows) == 3
        assert re.match(r"100 × ┌ +sendall\(b'.*'…\) ─+ [\d,]+ bytes in all ─+►", rows[1])
        assert re.match(r" +└ 2–5 × +─+ 10,000 bytes each ─+► recv\(10000\) → b'.*'…", rows[2])

    def test_bulk_traffic_some_of_which_arrives_as_it_was_sent(self) -> None:
        rng = random.Random(2)
        story = Story()
        client, server = story.connected()
        for _ in range(1000):
            story.send(client, bytes(10_000))
            for _ in range(rng.randint(0, 2)):
                if story.queues["server"]:
                    story.recv(server, 15_000)
        rows = ladder(story).splitlines()
        assert len(rows) <= 6
        assert rows[0].endswith("► listener: accept() → <server>")

    @pytest.mark.parametrize("lines", [10, 40, 100])
    def test_noise_loses_its_middle(self, lines: int) -> None:
        rng = random.Random(3)
        story = Story()
        client, server = story.connected()
        for _ in range(5000):
            story.call(rng.choice([client, server]), rng.choice(["send", "settimeout"]), str(rng.randrange(1000)))
        rows = ladder(story, lines=lines).splitlines()
        (gap,) = [row for row in rows if "calls more" in row]
        assert len(rows) <= lines
        assert counted(rows) == 5002
        assert "listener: accept()" in rows[0]
        assert gap not in (rows[0], rows[-1])

    def test_a_recv_says_how_much_it_got_of_sends_that_are_not_shown(self) -> None:
        story = Story()
        client, server = story.connected()
        for i in range(100):
            story.send(client, b"%02d" % i)
        story.recv(server, 4096)
        assert "200 bytes of 100 sends" in ladder(story)

    def test_a_hundred_thousand_calls_take_seconds(self) -> None:
        story = self.ping_pong(25_000)
        start = time.process_time()
        assert len(ladder(story).splitlines()) == 4
        assert time.process_time() - start < 30  # about one second; what is quadratic takes minutes


def counted(rows: Sequence[str]) -> int:
    """How many calls these rows stand for, where none of them is in a nested fold."""
    total, times = 0, 1
    for row in rows:
        if gap := re.fullmatch(r" *… ([\d,]+) calls more …", row):
            total += int(gap[1].replace(",", ""))
            continue
        several = re.match(r" *([\d,]+) × ([┌─] )?", row)
        if several:
            times = int(several[1].replace(",", ""))
        elif not re.match(r" *[│└] ", row):
            times = 1
        total += times * len(re.findall(r"\b[a-z_]+\(", re.sub(r"b'.*?'", "", row)))
    return total


class TestAnyText:
    NASTY = (
        "<script>alert(1)</script>",
        "two\nlines\r\n",
        "\x1b[31mred\x1b[0m\x07",
        "漢字 عربي é \u202e",
        "\ud800",
        "x" * 500,
    )

    @pytest.mark.parametrize("nasty", NASTY, ids=["html", "newlines", "escapes", "wide", "surrogate", "long"])
    @pytest.mark.parametrize("where", ["asked", "result", "name", "call", "kind", "failure", "data"])
    def test_cannot_break_a_line(self, nasty: str, where: str) -> None:
        payload = nasty.encode("utf-8", "surrogatepass")
        client = Endpoint(nasty if where == "name" else "client", nasty if where == "kind" else "tcp")
        fields = {where: nasty} if where in ("asked", "result") else {}
        event = Event(1, nasty if where == "call" else "recv", client, size=3, data=b"abc", direction=IN, **fields)
        if where == "data":
            event = replace(event, data=payload, size=len(payload))
        if where == "failure":
            event = replace(event, failure=replace(RESET, kind=nasty, code=None), data=None, size=None)
        lines = ladder_text([event]).split("\n")
        assert len(lines) == 3
        assert all(line.isprintable() and len(line) <= 100 for line in lines)
        assert not any(unicodedata.east_asian_width(c) in "WF" or unicodedata.combining(c) for c in "".join(lines))

    def test_nothing_was_recorded(self) -> None:
        assert ladder_text([]).replace("\n", " ") == NOTHING

    def test_nothing_of_it_is_to_be_shown(self) -> None:
        client = Endpoint("client", "tcp")
        assert ladder_text([Event(1, "getsockname", client)]).startswith("1 call was recorded, but none that")
        assert ladder_text([Event(1, "bind", client, housekeeping=True)] * 2).startswith("2 calls were recorded")

    @pytest.mark.parametrize("wrong", [{"width": 59}, {"lines": 9}])
    def test_a_page_that_is_too_small(self, wrong: dict[str, int]) -> None:
        with pytest.raises(ValueError, match="wanted width >= 60 and lines >= 10"):
            ladder_text(echo().events, **wrong)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "recv", "peek", "option", "fail", "select"]),
        st.integers(0, 3),  # which end
        st.integers(0, 40),  # how many bytes
    ),
    max_size=80,
)


def story_of(steps: Sequence[tuple[str, int, int]]) -> Story:
    """Two conversations, as the steps say; nothing is received that was not sent."""
    story = Story()
    ends = [*story.connected("client 1", "server 1"), *story.connected("client 2", "server 2")]
    for step, which, size in steps:
        end = ends[which]
        if step == "send":
            story.send(end, bytes(range(65, 65 + size)))
        elif step in ("recv", "peek") and story.queues.get(end.name):
            story.recv(end, size + 1, peek=step == "peek")
        elif step == "option":
            story.call(end, "setsockopt", f"SO_RCVBUF, {size}")
        elif step == "fail":
            story.fail(end, "recv", AGAIN, str(size))
        elif step == "select":
            story.call(None, "select", f"{size} watched")
    return story


class TestEveryTrace:
    @settings(deadline=None)
    @given(STEPS, st.sampled_from([10, 20, 1000]), st.sampled_from([60, 80, 100, 110]))
    def test_keeps_to_its_width_and_its_lines(self, steps: list[tuple[str, int, int]], lines: int, width: int) -> None:
        text = ladder_text(story_of(steps).events, width=width, lines=lines).split("\n")
        assert len(text) <= lines + 2
        assert all(len(line) <= width and line == line.rstrip() and line.isprintable() for line in text)

    @settings(deadline=None)
    @given(STEPS)
    def test_shows_every_call_once_or_counts_it(self, steps: list[tuple[str, int, int]]) -> None:
        story = story_of(steps)
        assert counted(ladder(story, lines=1000, width=110).splitlines()) == len(story.events)

    @settings(deadline=None)
    @given(STEPS, st.integers())
    def test_is_the_same_on_another_day(self, steps: list[tuple[str, int, int]], seed: int) -> None:
        story = story_of(steps)
        assert ladder_text(elsewhere(story.events, seed)) == ladder_text(story.events)


class TestRealTraces:
    def recorded(self, program: Callable[[], object]) -> str:
        with trace() as t:
            program()
        return ladder_text(t.events)

    def test_an_echo(self) -> None:
        def program() -> None:
            with tcp_server(served.echo) as server, socket.create_connection(server.address, timeout=5) as client:
                client.sendall(b"hello")
                client.recv(100)

        text = self.recorded(program)
        assert text == self.recorded(program)
        assert "sendall(b'hello') ─" in text
        assert "► recv(65536) → b'hello'" in text
        assert text.endswith("close()")

    def test_a_listener_of_the_programs_own(self) -> None:
        def program() -> None:
            with socket.socket() as server, socket.socket() as client:
                server.bind(("127.0.0.1", 0))
                server.listen()
                client.connect(server.getsockname())
                conn, _ = server.accept()
                with conn:
                    client.sendall(b"Is anybody in?")
                    conn.recv(1024)

        assert self.recorded(program) == expected("""
            client                           tcp        server
            ──────────────────────────────────────────────────────────────────────────────────
                                                        listener: socket(AF_INET, SOCK_STREAM)
            socket(AF_INET, SOCK_STREAM)
                                                        listener: bind()
                                                        listener: listen()
            connect() ────────────────────────────────► listener: accept() → <server>
            sendall(b'Is anybody in?') ─── 14 bytes ──► recv(1024) → b'Is anybody in?'
                                                        close()
            close()
                                                        listener: close()
            """)

    def test_pieces_of_one_send(self) -> None:
        def program() -> None:
            left, right = socket.socketpair()
            with left, right:
                left.sendall(b"hello world")
                assert right.recv(5, socket.MSG_PEEK) == b"hello"
                while len(right.recv(5)) == 5:
                    pass

        text = self.recorded(program)
        for words in ("A: 11 bytes", "looks at first 5 bytes of A", "next 5 bytes of A", "last byte of A"):
            assert words in text

    @pytest.mark.skipif(not hasattr(socket, "SO_LINGER"), reason="needs SO_LINGER")
    def test_a_reset(self) -> None:
        def program() -> None:
            with (
                socket.create_server(("127.0.0.1", 0)) as listener,
                socket.create_connection(listener.getsockname(), timeout=5) as client,
            ):
                server, _ = listener.accept()
                server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                server.close()
                with pytest.raises(ConnectionResetError):
                    client.recv(10)

        assert "recv(10) ✗ ConnectionResetError ECONNRESET ◄─── reset ───── close()" in self.recorded(program)

    def test_datagrams(self) -> None:
        def program() -> None:
            with udp_server(served.echo_datagram) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
                client.settimeout(5)
                client.sendto(b"ping", server.address)
                client.recvfrom(100)

        text = self.recorded(program)
        assert re.search(r"sendto\(b'ping'\) [- ]+ 4 bytes [- ]+► recvfrom\(65535\) → b'ping'", text)
        assert re.search(r"recvfrom\(100\) → b'ping' ◄[- ]+ 4 bytes [- ]+ sendto\(b'ping'\)", text)

    def test_tls(self) -> None:
        def program() -> None:
            with tls_server(served.echo) as server:
                with socket.create_connection(server.address, timeout=5) as raw:
                    with server.client_context.wrap_socket(raw, server_hostname="localhost") as client:
                        client.sendall(b"secret")
                        client.recv(100)

        text = self.recorded(program)
        assert "tls: encrypted on the wire" in text.splitlines()[0]
        assert re.search(r"sendall\(b'secret'\) ─+ 6 bytes ─+► recv\(65536\) → b'secret'", text)

    def test_an_exchange_repeated(self) -> None:
        def program() -> None:
            with tcp_server(served.echo) as server, socket.create_connection(server.address, timeout=5) as client:
                for i in range(300):
                    client.sendall(b"%d" % i)
                    client.recv(100)

        text = self.recorded(program)
        assert len(text.splitlines()) == 7
        assert "300 × ┌ sendall(b'0', …) ─" in text


def test_calls_of_no_end_have_a_heading():
    """A pair that nobody uses: its one call is that of neither end."""
    with trace() as t:
        pair = socket.socketpair()
    for end in pair:
        end.close()
    assert t.text().splitlines()[0].strip() == "program"
    assert [column.role for column in plan(t.events, 100).columns] == ["program"]
