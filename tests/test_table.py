"""The table of a trace: what its text and its HTML say, and that neither says what differs from run to run."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stories import RESET, Story, echo, elsewhere

from socketlab import tcp_server
from socketlab.handlers import echo as echo_handler
from socketlab.trace import trace
from socketlab.trace.events import IN, Endpoint, Event
from socketlab.trace.views.table import Table, table


class Cells(HTMLParser):
    """The cells of the rows of an HTML table, and every tag in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self._in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


def html(shown: Table) -> Cells:
    return Cells(shown._repr_html_())


class TestText:
    def test_an_echo(self) -> None:
        assert repr(table(echo([b"hello"]).events)) == dedent("""\
               end       call               outcome   bytes  from or after
            1  client    connect()
            2  listener  accept()           <server>         1
            3  client    sendall(b'hello')                5
            4  server    recv(100)          b'hello'      5  3
            5  server    sendall(b'HELLO')                5
            6  client    recv(100)          b'HELLO'      5  5
            7  client    close()
            8  server    recv(100)          b''           0  7
            9  server    close()""")

    def test_which_bytes_of_which_call(self) -> None:
        story = Story()
        client, server = story.connected()
        for word in (b"one ", b"two ", b"three"):
            story.send(client, word)
        story.recv(server, 6)
        story.recv(server)
        assert [row[-1] for row in table(story.events).rows[-2:]] == ["3, 4[0:2]", "4[2:4], 5"]

    def test_errors_are_marked(self) -> None:
        story = Story()
        client, server = story.connected()
        story.close(server)
        story.fail(client, "recv", RESET, "100")
        assert table(story.events).rows[-1][2:4] == ("recv(100)", "✗ ConnectionResetError ECONNRESET")

    def test_a_send_that_took_less_than_it_was_offered(self) -> None:
        story = Story()
        client, _ = story.connected()
        story.send(client, b"0123456789", "send")
        story.events[-1] = replace(story.events[-1], size=4)
        assert table(story.events).rows[-1][2:5] == ("send(b'0123456789')", "4 of 10", "4")

    def test_calls_inside_a_call_stand_below_it(self) -> None:
        story = Story()
        client = Endpoint("client", "tcp")
        story.call(client, "create_connection", result="<client>")
        story.call(client, "connect", inside=1)
        assert [row[2] for row in table(story.events).rows] == ["create_connection()", "  connect()"]

    def test_housekeeping_is_left_out_and_not_counted(self) -> None:
        door = Endpoint("listener", "tcp", listening=True, helper=True)
        quiet = Event(1, "bind", door, housekeeping=True)
        story = echo()
        events = [quiet, *(replace(event, number=event.number + 1, after=(), pieces=()) for event in story.events)]
        assert len(table(events)) == len(story.events)
        assert table(events).rows[0][:3] == ("1", "client", "connect()")
        assert repr(table(events)).endswith("(socketlab's own calls are left out; everything=True shows them)")
        assert [row[0] for row in table(events, everything=True).rows][:2] == ["1", "2"]
        assert "left out" not in repr(table(events, everything=True))

    def test_nothing_was_called(self) -> None:
        assert repr(table([])) == "no calls"
        assert len(table([])) == 0
        assert html(table([])).rows[1:] == []

    def test_wide_cells_are_cut(self) -> None:
        event = Event(1, "recv", Endpoint("server", "tcp"), size=5000, data=b"\x00" * 5000, direction=IN)
        assert max(map(len, repr(table([replace(event, asked="x" * 1000, result="y" * 1000)])).splitlines())) < 120


class TestManyCalls:
    def ping_pong(self, rounds: int) -> list[Event]:
        story = Story()
        client, server = story.connected()
        for i in range(rounds):
            story.send(client, b"ping %d" % i)
            story.recv(server)
        return story.events

    def test_what_repeats_is_folded(self) -> None:
        rows = table(self.ping_pong(250)).rows
        assert rows[2:] == [
            ("3 … × 250", "client", "sendall(b'ping 0', …)", "", "1,890", ""),
            ("4 … × 250", "server", "recv(100)", "b'ping 0', …", "1,890", ""),
        ]

    def test_what_fits_is_not(self) -> None:
        assert len(table(self.ping_pong(99)).rows) == 200
        assert len(table(self.ping_pong(100)).rows) == 4

    def test_noise_loses_its_middle(self) -> None:
        story = Story()
        client, _ = story.connected()
        for i in range(5000):
            story.call(client, "settimeout", str(i))
        shown = table(story.events, rows=50)
        assert len(shown.rows) == 50
        assert "\n… 4,952 calls more …\n" in repr(shown)
        assert ["… 4,952 calls more …"] in html(shown).rows
        assert shown.rows[-1][2] == "settimeout(4999)"

    def test_refuses_a_table_of_no_rows(self) -> None:
        with pytest.raises(ValueError, match="wanted rows >= 10, but got 0"):
            table([], rows=0)

    @given(st.lists(st.sampled_from("abc"), max_size=80))
    def test_every_call_is_counted_once(self, calls: list[str]) -> None:
        client = Endpoint("client", "tcp")
        events = [Event(i, call, client) for i, call in enumerate(calls, 1)]
        shown = table(events, rows=10)
        text = repr(shown)
        total = sum(int(m[1]) if (m := re.search(r"× (\d+)", row[0])) else 1 for row in shown.rows)
        total += sum(int(count) for count in re.findall(r"… (\d+) calls more …", text))
        assert total == len(calls)


class TestHtml:
    def test_says_what_the_text_says(self) -> None:
        shown = table(echo().events)
        assert html(shown).rows == [list(shown.heads), *map(list, shown.rows)]

    def test_no_times_unless_asked_for(self) -> None:
        events = echo().events
        page = table(events)._repr_html_()
        assert all(table(elsewhere(events, seed))._repr_html_() == page for seed in range(3))
        assert table(elsewhere(events, 1), times=True)._repr_html_() != table(events, times=True)._repr_html_()

    def test_times_have_units(self) -> None:
        event = replace(echo().events[0], start_ns=1_234_567, end_ns=1_734_567, thread="echo server")
        rows = html(table([event], times=True)).rows
        assert rows[0][-3:] == ["start, ms", "took", "thread"]
        assert rows[1][-3:] == ["1.235", "500 µs", "echo server"]
        assert repr(table([event], times=True)) == repr(table([event]))

    @pytest.mark.parametrize(
        "nasty", ["<script>alert(1)</script>", "'\" onload=x", "&lt;b&gt;", "two\nlines", "\x1b[31m"]
    )
    @pytest.mark.parametrize("where", ["asked", "result", "call", "thread", "name", "failure", "data"])
    def test_whatever_a_call_says_is_text(self, nasty: str, where: str) -> None:
        event = Event(
            1, "recv", Endpoint(nasty if where == "name" else "client", "tcp"), size=1, data=b"x", direction=IN
        )
        if where in ("asked", "result", "call", "thread"):
            event = replace(event, **{where: nasty})
        if where == "failure":
            event = replace(event, failure=replace(RESET, kind=nasty, code=None))
        if where == "data":
            event = replace(event, data=nasty.encode(), size=len(nasty))
        plain, page = html(table([replace(event, call="recv")], times=True)), html(table([event], times=True))
        known = {"class", "scope", "tabindex", "role", "aria-label"}
        assert page.tags == plain.tags == {"style", "div", "table", "thead", "tbody", "tr", "th", "td"}
        assert page.attributes <= known
        assert all(cell.isprintable() for row in page.rows for cell in row)
        assert repr(table([event])).count("\n") == 1

    def test_failed_and_quiet_calls_look_so(self) -> None:
        story = echo()
        quiet = [replace(story.events[0], housekeeping=True), replace(story.events[1], failure=RESET)]
        page = table(quiet, everything=True)._repr_html_()
        assert "<tr class='sl-quiet'>" in page
        assert "<tr class='sl-failed'>" in page


class TestRealTraces:
    def test_an_echo(self) -> None:
        def recorded() -> Table:
            with trace() as t:
                with tcp_server(echo_handler) as server:
                    with socket.create_connection(server.address, timeout=5) as client:
                        client.sendall(b"<b>hello</b>")
                        client.recv(5)
                        client.recv(100)
            return table(t.events)

        shown = recorded()
        assert repr(shown) == repr(recorded())
        sent = next(row[0] for row in shown.rows if row[1] == "server" and row[2].startswith("sendall"))
        assert [row[-1] for row in shown.rows if row[1] == "client" and row[2].startswith("recv")] == [
            f"{sent}[0:5]",
            f"{sent}[5:12]",
        ]
        assert "&lt;b&gt;hello&lt;/b&gt;" in shown._repr_html_()
