"""The server panel and the request panel without a browser: what they record, show, refuse, and leave behind."""

from __future__ import annotations

import gc
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import pytest
from patience import until

from socketlab import tcp_server, unix_server
from socketlab.handlers import chargen, daytime, discard, echo, reverse
from socketlab.handlers.web import http
from socketlab.panels import PassportPanel, RequestPanel, ServerPanel, base
from socketlab.panels.drawing.look import SHOWN, count, literal, static_picture
from socketlab.panels.drawing.painter import Painter
from socketlab.panels.talks.conversation import Conversation, families, place
from socketlab.panels.talks.exchange import PHASES, Exchange, request_bytes, resolve
from socketlab.panels.talks.pictures import (
    client_picture,
    duration,
    record_picture,
    reply_picture,
    status_picture,
    timing_picture,
)
from socketlab.panels.talks.recording import CAME, EVENT, WENT, Record, RecordedSocket
from socketlab.panels.talks.visitor import READ_LIMIT, Visitor, typed

pytestmark = pytest.mark.usefixtures("nothing_left")

FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6", "unix": "Unix"}
HOSTILE = b"<script>alert('1')</script>&amp;\x00\xff"


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> int:
    here = families()
    if FAMILIES[request.param] not in here:
        pytest.skip(f"this machine has no {FAMILIES[request.param]}")
    return here[FAMILIES[request.param]]


def serve(handler: Any, family: int) -> Any:
    return tcp_server(handler, family=family) if family in (socket.AF_INET, socket.AF_INET6) else unix_server(handler)


def client(server: Any) -> socket.socket:
    sock = socket.socket(server.family, socket.SOCK_STREAM)
    sock.settimeout(10)
    sock.connect(server.address)
    return sock


class TestRecord:
    """What a handler hears and says, in each family."""

    def test_notes_each_call_in_order(self, family: int) -> None:
        record = Record(lambda: None)
        with serve(record.watch(echo), family) as server:
            with client(server) as sock:
                for text in (b"one", b"two"):
                    sock.sendall(text)
                    assert sock.recv(100) == text
            until(lambda: not record.live(), "the handler returns")
        assert [(row.call, row.direction, row.data) for row in record.rows()] == [
            ("client connected", EVENT, b""),
            ("recv", CAME, b"one"),
            ("sendall", WENT, b"one"),
            ("recv", CAME, b"two"),
            ("sendall", WENT, b"two"),
            ("recv", CAME, b""),
            ("handler returned", EVENT, b""),
        ]
        assert (record.came, record.went) == (6, 6)

    def test_notes_every_way_to_move_bytes(self, family: int) -> None:
        def many(conn: socket.socket) -> None:
            conn.recv_into(bytearray(1))
            conn.recvfrom(1)
            if hasattr(conn, "recvmsg"):
                conn.recvmsg(1)
            with conn.makefile("rb", buffering=0) as stream:
                stream.read(1)
            conn.send(memoryview(b"A"))
            if hasattr(socket, "SO_PEERCRED"):
                conn.sendmsg(iter([b"B", b"C"]))
            conn.shutdown(socket.SHUT_WR)

        record = Record(lambda: None)
        with serve(record.watch(many), family) as server, client(server) as sock:
            sock.sendall(b"abcd")
            while sock.recv(100):
                pass
            until(lambda: not record.live(), "the handler returns")
        calls = [(row.call, row.data) for row in record.rows()[1:-1]]
        assert ("recv_into", b"a") in calls
        assert ("recvfrom", b"b") in calls
        assert ("recv_into", b"d") in calls  # that is what a file made by makefile() calls
        assert ("send", b"A") in calls
        assert calls[-1] == ("shutdown(SHUT_WR)", b"")
        if hasattr(socket, "SO_PEERCRED"):
            assert ("recvmsg", b"c") in calls
            assert ("sendmsg", b"BC") in calls

    def test_the_handler_has_the_accepted_socket_itself(self, family: int) -> None:
        seen: list[Any] = []
        go_on = threading.Event()

        def look(conn: socket.socket) -> None:
            seen.append(conn)
            go_on.wait(10)

        record = Record(lambda: None)
        with serve(record.watch(look), family) as server, client(server):
            until(lambda: seen, "the handler is called")
            assert server.connections == (seen[0],)
            assert isinstance(seen[0], RecordedSocket)
            assert isinstance(seen[0], socket.socket)
            with seen[0].dup() as twin:  # of the same class, with nothing to note in
                twin.settimeout(0)
                with pytest.raises(BlockingIOError):
                    twin.recv(1)
            go_on.set()
            seen.clear()

    def test_an_exception_passes_through_and_is_noted(self, family: int) -> None:
        def fail(conn: socket.socket) -> None:
            conn.recv(1)
            raise ValueError("<b>no</b>")

        talk = Conversation([fail])
        talk.start("fail", family)
        with client(talk.server) as sock:
            sock.sendall(b"x")
            assert sock.recv(1) == b""
        until(lambda: not talk.record.live(), "the handler ends")
        raised = [row for row in talk.record.rows() if row.error]
        assert [(row.call, row.error) for row in raised] == [("handler raised", "ValueError: <b>no</b>")]
        assert "&lt;b&gt;no&lt;/b&gt;" in record_picture(talk)
        assert [type(error) for error in talk.server.errors] == [ValueError]
        talk.stop()
        assert "handler 'fail' raised ValueError" in talk.problem

    def test_a_reset_is_noted_and_is_nobodys_fault(self, family: int) -> None:
        if family not in (socket.AF_INET, socket.AF_INET6):
            pytest.skip("a Unix socket knows no RST")
        talk = Conversation()
        talk.start("discard", family)
        sock = client(talk.server)
        until(talk.record.live, "the handler is called")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        until(lambda: not talk.record.live(), "the handler ends")
        assert [row.error.partition(":")[0] for row in talk.record.rows() if row.error] == ["ConnectionResetError"]
        talk.stop()
        assert talk.problem == ""

    def test_says_where_a_handler_waits(self, family: int) -> None:
        record = Record(lambda: None)
        with serve(record.watch(discard), family) as server, client(server):
            until(lambda: [c.waits_in for c in record.live()] == ["recv"], "the handler waits in recv")

    def test_keeps_the_last_rows_and_the_beginning_of_their_bytes(self, family: int) -> None:
        record = Record(lambda: None, kept=4)

        def talkative(conn: socket.socket) -> None:
            for _ in range(10):
                conn.sendall(b"x" * 1000)

        with serve(record.watch(talkative), family) as server, client(server) as sock:
            got = 0
            while data := sock.recv(65536):
                got += len(data)
        rows = record.rows()
        assert len(rows) == 4
        assert record.dropped == 12 - 4
        assert rows[0].data == b"x" * SHOWN
        assert rows[0].size == 1000
        assert record.went == got == 10_000

    @pytest.mark.parametrize(
        ("error", "end"),
        [
            (ValueError("x" * 10_000), ("handler raised", f"ValueError: {'x' * 500}…")),
            (SystemExit("bye"), ("handler raised", "SystemExit: bye")),
            (BrokenPipeError(), ("handler ended", "")),  # its peer has gone: nothing to blame it for
        ],
        ids=["exception", "exit", "peer gone"],
    )
    def test_a_handler_that_raises_has_not_returned(self, error: BaseException, end: tuple[str, str]) -> None:
        def fail(conn: socket.socket) -> None:
            raise error

        record = Record(lambda: None)
        with pytest.raises(type(error)), socket.socket() as sock:
            record.watch(fail)(sock)
        assert [(row.call, row.error) for row in record.rows()] == [("client connected", ""), end]
        assert not record.live()

    def test_a_callable_object_is_watched_like_a_function(self) -> None:
        class Shout:
            def __call__(self, conn: socket.socket) -> None:
                conn.sendall(conn.recv(10).upper())

        watched = Record(lambda: None).watch(Shout())
        with tcp_server(watched) as server, client(server) as sock:
            assert repr(server) == "<tcp_server Shout, listening>"
            sock.sendall(b"hey")
            assert sock.recv(10) == b"HEY"


class TestVisitor:
    """The client that a person drives, in each family."""

    @pytest.fixture
    def visit(self, family: int) -> Iterator[Callable[[Any], tuple[Any, Visitor]]]:
        made: list[Any] = []

        def visit(handler: Any) -> tuple[Any, Visitor]:
            made.append(serve(handler, family))
            made.append(Visitor(family, made[-1].address, lambda: None))
            return made[-2], made[-1]

        yield visit
        for thing in reversed(made):
            thing.close()

    def test_sends_and_hears(self, visit: Any) -> None:
        _, visitor = visit(echo)
        visitor.send(b"hello")
        until(lambda: visitor.received == 5, "the echo")
        assert (visitor.beginning, visitor.sent, visitor.state, visitor.end) == (b"hello", 5, "connected", "")

    def test_half_close_and_the_answer_to_it(self, visit: Any) -> None:
        _, visitor = visit(reverse)
        visitor.send(b"stressed")
        visitor.half_close()
        until(lambda: visitor.end, "the server finishes")
        assert visitor.beginning == b"desserts"
        assert "recv returned b''" in visitor.end
        assert visitor.state == "connected, finished sending"

    def test_reset(self, visit: Any, family: int) -> None:
        server, visitor = visit(discard)
        until(lambda: server.connections, "the server accepts")
        visitor.reset()
        until(lambda: not server.connections, "the handler ends")
        assert visitor.state == "reset"
        if family in (socket.AF_INET, socket.AF_INET6):
            assert [type(error) for error in server.errors] == [ConnectionResetError]

    def test_close_is_an_ordinary_end(self, visit: Any) -> None:
        server, visitor = visit(discard)
        until(lambda: server.connections, "the server accepts")
        visitor.close()
        visitor.close()
        until(lambda: not server.connections, "the handler ends")
        assert not server.errors
        assert (visitor.state, visitor.present) == ("closed", False)

    def test_reads_so_much_and_no_more(self, visit: Any) -> None:
        server, visitor = visit(chargen)
        until(lambda: visitor.end, "the bound")
        assert visitor.received == READ_LIMIT
        assert "it reads no more after 65,536 bytes" in visitor.end
        visitor.close()
        until(lambda: not server.connections, "chargen ends with its client")

    def test_a_server_that_closes_under_it(self, visit: Any) -> None:
        server, visitor = visit(discard)
        server.close()
        until(lambda: visitor.end, "the end")
        assert "recv returned b''" in visitor.end

    def test_nobody_there(self) -> None:
        with tcp_server(echo) as server:
            address = server.address
        with pytest.raises(ConnectionRefusedError):
            Visitor(socket.AF_INET, address, lambda: None)

    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("hello", b"hello"),
            (r"a\r\nb\t\0", b"a\r\nb\t\0"),
            (r"\x00\xfF", b"\x00\xff"),
            (r"\\n", b"\\n"),
            (r"\q \x4 \ ", rb"\q \x4 \ "),
            ("é", "é".encode()),
            ("", b""),
            ("\ud800", b"\xed\xa0\x80"),
        ],
    )
    def test_what_was_typed(self, text: str, meant: bytes) -> None:
        assert typed(text) == meant


class TestConversation:
    """Start, stop, connect, send, in each family."""

    @pytest.fixture
    def talk(self) -> Iterator[Conversation]:
        talk = Conversation()
        yield talk
        talk.end()

    def test_start_twenty_times(self, talk: Conversation, family: int) -> None:
        for name in ("echo", "http") * 10:
            talk.start(name, family)
            talk.connect()
            talk.send(b"hello")
            assert talk.problem == ""
        assert talk.serving == "http"

    def test_stop_twenty_times(self, talk: Conversation, family: int) -> None:
        for _ in range(20):
            talk.start("echo", family)
            address = talk.server.address
            talk.stop()
            talk.stop()
            assert not talk.running
            with socket.socket(family, socket.SOCK_STREAM) as sock, pytest.raises(OSError, match=r"."):
                sock.connect(address)
        assert talk.problem == ""

    def test_a_conversation(self, talk: Conversation, family: int) -> None:
        talk.start("echo", family)
        talk.connect()
        talk.send(b"hello")
        until(lambda: talk.visitor.received == 5, "the echo")
        until(lambda: [c.waits_in for c in talk.record.live()] == ["recv"], "the handler waits again")
        assert "1 connected, 1 accepted" in status_picture(talk)
        assert "recv()" in status_picture(talk)
        assert "sent 5 bytes, received" in client_picture(talk)
        assert "b&#x27;hello&#x27;" in record_picture(talk)
        assert "<code>recv</code>" in record_picture(talk)
        assert "<code>client connected" not in record_picture(talk)  # it is no call
        talk.half_close()
        until(lambda: talk.visitor.end, "the end")
        talk.hang_up()
        assert "0 connected, 1 accepted" in status_picture(talk)

    def test_connecting_again_hangs_up_first(self, talk: Conversation, family: int) -> None:
        talk.start("discard", family)
        talk.connect()
        first = talk.visitor
        talk.connect()
        assert not first.present
        assert talk.visitor.present
        until(lambda: talk.server.accepted == 2 and len(talk.record.live()) == 1, "the second is served alone")

    def test_stopping_under_a_client_that_does_not_read(self, talk: Conversation, family: int) -> None:
        talk.start("chargen", family)
        talk.connect()
        until(lambda: talk.visitor.end, "the client has read enough")
        talk.stop()
        assert talk.problem == ""

    def test_asked_for_what_cannot_be_done(self, talk: Conversation) -> None:
        talk.connect()
        assert "start it first" in talk.problem
        for action in (lambda: talk.send(b"x"), talk.half_close, talk.reset):
            action()
            assert "connect one first" in talk.problem
        talk.start("echo")
        assert talk.problem == ""
        talk.server.close()
        talk.connect()
        assert talk.problem == (
            "The client could not connect: ConnectionRefusedError: Connection refused. Does the server run? Start it."
        )

    def test_a_new_server_has_a_record_of_its_own(self, talk: Conversation, family: int) -> None:
        talk.start("echo", family)
        talk.connect()
        talk.send(b"to the first")
        until(lambda: talk.visitor.received, "the echo")
        talk.stop()
        assert "to the first" in record_picture(talk)  # what is over can still be read
        talk.start("discard", family)
        assert talk.visitor is None
        assert "nothing yet" in record_picture(talk)
        talk.connect()
        until(talk.record.live, "the handler is called")
        assert [connection.number for connection in talk.record.live()] == [1]

    def test_a_server_that_a_cell_closes(self, family: int) -> None:
        changes: list[bool] = []
        talk = Conversation(changed=lambda: changes.append(talk.running))
        talk.start("echo", family)
        with talk.server:
            changes.clear()
        assert changes[-1:] == [False]
        assert "stopped; " in status_picture(talk)
        assert repr(talk.server).endswith("_server echo, closed>")

    def test_sending_to_a_server_that_does_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("socketlab.panels.talks.visitor.PATIENCE", 0.2)
        release = threading.Event()
        talk = Conversation([lambda conn: release.wait(10)])
        talk.start("<lambda>")
        talk.connect()
        talk.send(b"x" * 20_000_000)
        release.set()
        assert talk.problem.startswith("The client could not send everything: the server does not read")
        talk.end()

    def test_sending_to_a_server_that_has_gone(self, talk: Conversation, family: int) -> None:
        talk.start("daytime", family)
        talk.connect()
        until(lambda: talk.visitor.end, "the server closes")
        until(lambda: (talk.send(b"x"), talk.problem)[1], "the second send at the latest fails")
        assert re.match(r"The client could not send: (BrokenPipe|ConnectionReset)Error", talk.problem)

    def test_a_handler_that_does_not_return(self) -> None:
        release = threading.Event()

        def stubborn(conn: socket.socket) -> None:
            while not release.wait(0.01):
                pass

        talk = Conversation([stubborn])
        talk.start("stubborn")
        talk.connect()
        until(talk.record.live, "the handler is called")
        talk.stop()
        release.set()
        assert "handler 'stubborn' did not return" in talk.problem
        assert "while not release.wait" in talk.problem  # where it stood, through the wrapper

    def test_a_family_that_cannot_be_had(self, talk: Conversation) -> None:
        talk.start("echo", 9999)
        assert talk.problem.startswith("The server could not start")
        assert talk.server is None

    def test_nothing_starts_after_the_end(self, talk: Conversation) -> None:
        talk.end()
        talk.start("echo")
        assert talk.server is None

    def test_many_clients_at_once(self, talk: Conversation, family: int) -> None:
        talk.start("discard", family)
        clients = [client(talk.server) for _ in range(12)]
        until(lambda: len(talk.record.live()) == 12, "all are served")
        assert "12 connected" in status_picture(talk)
        assert "and 4 more" in status_picture(talk)
        for sock in clients:
            sock.close()

    def test_a_handler_that_is_none(self) -> None:
        with pytest.raises(TypeError, match="function of one connected socket"):
            Conversation([b"echo"])  # type: ignore[list-item]


class TestExchange:
    """One request, timed."""

    @pytest.fixture(params=["ipv4", "ipv6"])
    def inet(self, request: pytest.FixtureRequest) -> int:
        if FAMILIES[request.param] not in families():
            pytest.skip(f"this machine has no {FAMILIES[request.param]}")
        return families()[FAMILIES[request.param]]

    def ask(self, server: Any, request: bytes = b"", **limits: Any) -> Exchange:
        exchange = Exchange(server.address, request, **limits)
        exchange.run()
        assert exchange.over
        return exchange

    def test_three_phases_in_order(self, inet: int) -> None:
        request = request_bytes("GET /slow HTTP/1.1\nHost: localhost\nConnection: close\n\n")
        with tcp_server(http, family=inet) as server:
            exchange = self.ask(server, request)
        assert exchange.response.startswith(b"HTTP/1.1 200 OK\r\n")
        assert exchange.response.endswith(b"a word with each send. ")
        assert exchange.complete
        assert exchange.outcome == ""
        assert exchange.receives > 1
        assert [name for name, _ in exchange.phases] == list(PHASES)
        assert exchange.marks == sorted(exchange.marks)
        assert dict(exchange.phases)["last byte"] > 0.1  # nine pauses of 30 ms

    def test_one_recv_brings_first_and_last_byte(self, inet: int) -> None:
        with tcp_server(daytime, family=inet) as server:
            exchange = self.ask(server)
        assert exchange.receives == 1
        assert exchange.phases[2] == ("last byte", 0.0)
        assert "it came with the first" in timing_picture(exchange)

    def test_a_connection_that_is_kept(self, inet: int) -> None:
        with tcp_server(http, family=inet) as server:
            exchange = self.ask(server, request_bytes("GET /hello HTTP/1.1\nHost: localhost\n\n"), silence=0.2)
        assert exchange.response.endswith(b"Hello, socket.\n")
        assert not exchange.complete
        assert exchange.outcome.startswith("The server keeps the connection open")

    def test_a_request_without_its_empty_line(self, inet: int) -> None:
        with tcp_server(http, family=inet) as server:
            exchange = self.ask(server, request_bytes("GET /hello HTTP/1.1\n"), silence=0.2)
        assert exchange.response == b""
        assert "ends with an empty line" in exchange.outcome
        assert [name for name, _ in exchange.phases] == ["connect"]

    def test_a_response_without_end(self, inet: int) -> None:
        with tcp_server(chargen, family=inet) as server:
            exchange = self.ask(server, most=10_000)
        assert len(exchange.response) == 10_000
        assert "Stopped reading after 10,000 bytes" in exchange.outcome

    def test_a_response_that_drips(self, inet: int) -> None:
        def drip(conn: socket.socket) -> None:
            conn.settimeout(0.02)
            while True:
                conn.sendall(b".")
                try:
                    if not conn.recv(1):
                        return
                except TimeoutError:
                    pass

        with tcp_server(drip, family=inet) as server:
            exchange = self.ask(server, silence=5, longest=0.3)
        assert exchange.response.strip(b".") == b""
        assert "bytes were still coming" in exchange.outcome

    def test_a_server_that_closes_at_once(self, inet: int) -> None:
        with tcp_server(lambda conn: None, family=inet) as server:
            exchange = self.ask(server)
        assert exchange.outcome == "The server closed without sending a byte."

    def test_refused(self, inet: int) -> None:
        with tcp_server(echo, family=inet) as server:
            pass
        exchange = self.ask(server)
        assert exchange.outcome.startswith("Refused: nobody listens at ")
        assert exchange.phases == ()

    def test_reset(self, inet: int) -> None:
        def slam(conn: socket.socket) -> None:
            conn.recv(1)
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        with tcp_server(slam, family=inet) as server:
            exchange = self.ask(server, b"x")
        assert exchange.outcome.startswith("Reset: ")

    def test_a_server_that_does_not_read(self, inet: int) -> None:
        done = threading.Event()
        with tcp_server(lambda conn: done.wait(10), family=inet) as server:
            exchange = self.ask(server, b"x" * 20_000_000, silence=0.2)
            done.set()
        assert "The server stopped reading" in exchange.outcome

    @pytest.mark.skipif(sys.platform != "linux", reason="a full backlog is silent on Linux; elsewhere it may refuse")
    def test_nobody_answers_the_connect(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            with socket.create_connection(listener.getsockname(), 10):  # takes the only place
                exchange = Exchange(listener.getsockname(), b"", silence=0.2)
                exchange.run()
        assert exchange.outcome.startswith("Timed out: ")

    def test_stopped_while_it_waits(self, inet: int) -> None:
        with tcp_server(discard, family=inet) as server:
            exchange = Exchange(server.address, b"x", silence=60, longest=60)
            thread = threading.Thread(target=exchange.run)
            thread.start()
            until(lambda: server.connections, "the exchange is under way")
            exchange.stop()
            exchange.stop()
            thread.join(10)
        assert exchange.over
        assert exchange.outcome == "Stopped."

    def test_stopped_before_it_began_and_after_it_ended(self) -> None:
        with tcp_server(discard) as server:
            exchange = Exchange(server.address, b"x")
            exchange.stop()
            exchange.run()
            exchange.stop()
        assert exchange.outcome == "Stopped."

    @pytest.mark.parametrize(
        "host",
        ["example.org", "www.codedamn.com", "192.168.1.1", "0.0.0.0", "", "::", "fe80::1%lo", "::ffff:127.0.0.1x"],
    )
    def test_other_machines_are_refused(self, host: str) -> None:
        with pytest.raises(ValueError, match=r"this panel talks to 127\.0\.0\.1, ::1 and localhost"):
            resolve(host, 80)

    @pytest.mark.parametrize(
        ("host", "address"),
        [
            ("127.0.0.1", ("127.0.0.1", 80)),
            (" localhost ", ("127.0.0.1", 80)),
            ("127.9.9.9", ("127.9.9.9", 80)),
            ("::1", ("::1", 80, 0, 0)),
            ("[::1]", ("::1", 80, 0, 0)),
        ],
    )
    def test_this_machine(self, host: str, address: tuple[Any, ...]) -> None:
        assert resolve(host, 80)[1] == address

    @pytest.mark.parametrize("port", [0, -1, 65536])
    def test_a_port_that_is_none(self, port: int) -> None:
        with pytest.raises(ValueError, match="from 1 to 65535"):
            resolve("127.0.0.1", port)

    @pytest.mark.parametrize(
        ("text", "crlf", "request_"),
        [
            ("a\nb\n", True, b"a\r\nb\r\n"),
            ("a\nb\n", False, b"a\nb\n"),
            ("a\r\n\r\n", True, b"a\r\n\r\n"),
            ("", True, b""),
        ],
    )
    def test_line_ends(self, text: str, crlf: bool, request_: bytes) -> None:
        assert request_bytes(text, crlf) == request_


class TestPictures:
    """What came from outside is never HTML."""

    def test_payloads_of_the_server_panel(self) -> None:
        talk = Conversation()
        talk.start("echo")
        talk.connect()
        talk.send(HOSTILE)
        until(lambda: talk.visitor.received == len(HOSTILE), "the echo")
        talk.problem = "<img src=x>"
        page = status_picture(talk) + client_picture(talk) + record_picture(talk)
        talk.end()
        assert "<script" not in page
        assert "<img" not in page
        assert r"&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&amp;amp;\x00\xff" in page

    def test_payloads_of_the_request_panel(self) -> None:
        with tcp_server(echo) as server:
            exchange = Exchange(server.address, HOSTILE + b"\nrest", silence=0.2)
            exchange.run()
        page = reply_picture(exchange) + timing_picture(exchange) + timing_picture(None, "<img src=x>")
        assert "<script" not in page
        assert "<img" not in page
        assert r"\x00\xff\n" in page
        assert "b&#x27;rest&#x27;" in page

    def test_a_name_of_a_handler(self) -> None:
        def handler(conn: socket.socket) -> None: ...

        handler.__name__ = "<img src=x>"
        talk = Conversation([handler])
        talk.start("<img src=x>")
        page = status_picture(talk) + static_picture("Server", "<img src=x>", ["<img>"], ["<img>"])
        talk.end()
        assert "<img" not in page

    def test_a_long_response_is_cut_and_says_so(self) -> None:
        exchange = Exchange(("127.0.0.1", 80), b"")
        exchange.stop()
        exchange.run()
        exchange.marks = [0.1, 0.2, 0.3]
        exchange.response = b"x" * 500 + b"\n" + b"y\n" * 100
        page = reply_picture(exchange)
        assert "… of 501 bytes" in page
        assert page.count("<br>") == 24
        assert f"and {2 * 100 - 2 * 23} more bytes" in page

    def test_lengths_and_durations(self) -> None:
        assert literal(b"abc") == "b'abc'"
        assert literal(b"abc", 1234) == "b'abc'… of 1,234 bytes"
        assert (count(1, "byte"), count(2000, "byte")) == ("1 byte", "2,000 bytes")
        assert [duration(s) for s in (0, 0.0000854, 0.00124, 0.25, 2)] == [
            "0 µs",
            "85 µs",
            "1.24 ms",
            "250 ms",
            "2.00 s",
        ]

    def test_addresses(self) -> None:
        assert place(("127.0.0.1", 80)) == "127.0.0.1:80"
        assert place(("::1", 80, 0, 0)) == "[::1]:80"
        assert place("/tmp/s") == "/tmp/s"
        assert place("") == "an unnamed Unix socket"


class Canvas:
    """Something to paint."""

    def __init__(self) -> None:
        self.drawn = threading.Semaphore(0)
        self.by: set[str] = set()

    def draw(self) -> None:
        self.by.add(threading.current_thread().name)
        self.drawn.release()

    def fail(self) -> None:
        self.drawn.release()
        raise ValueError("no brush")


class TestPainter:
    def test_draws_after_a_touch_and_only_then(self) -> None:
        canvas = Canvas()
        painter = Painter(canvas.draw, period=0.01)
        painter.touch()
        assert not canvas.drawn.acquire(timeout=0.1)  # not before it was started
        painter.start()
        assert canvas.drawn.acquire(timeout=10)
        assert not canvas.drawn.acquire(timeout=0.1)
        painter.touch()
        assert canvas.drawn.acquire(timeout=10)
        painter.close()
        painter.close()
        assert canvas.by == {"panel painter"}

    def test_many_touches_make_few_pictures(self) -> None:
        canvas = Canvas()
        painter = Painter(canvas.draw)
        painter.start()
        begin = time.monotonic()
        touches = 0
        while time.monotonic() < begin + 0.5:
            painter.touch()
            touches += 1
        painter.close()
        took = time.monotonic() - begin
        assert touches > 100
        assert 1 <= painter.pictures <= took / 0.08 + 1

    def test_a_fault_is_kept_and_not_printed(self, capfd: pytest.CaptureFixture[str]) -> None:
        canvas = Canvas()
        painter = Painter(canvas.fail, period=0.01)
        painter.start()
        for _ in range(2):  # it goes on
            painter.touch()
            assert canvas.drawn.acquire(timeout=10)
        painter.close()
        assert repr(painter.fault) == "ValueError('no brush')"
        assert capfd.readouterr() == ("", "")

    def test_ends_with_what_it_paints(self) -> None:
        canvas = Canvas()
        painter = Painter(canvas.draw)
        painter.start()
        del canvas
        until(lambda: not painter._thread.is_alive(), "the thread ends")


class TestEvents:
    def test_of_one_panel_come_one_at_a_time(self) -> None:
        """JupyterLab may deliver two events in two threads."""
        inside, most, done = [], [], threading.Semaphore(0)

        class Slow(base.Panel):
            def event(self) -> None:
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.01)
                inside.pop()
                done.release()

        panel = Slow(ipywidgets.HTML())
        callback = base.weakly(panel.event)
        for _ in range(4):
            threading.Thread(target=callback, args=("event",)).start()
        for _ in range(4):
            assert done.acquire(timeout=10)
        panel.close()
        assert most == [1, 1, 1, 1]

    def test_of_a_forgotten_panel_do_nothing(self) -> None:
        panel = ServerPanel(start=False)
        callback = base.weakly(panel.start)
        del panel
        gc.collect()
        callback("click")


def answers(address: Any) -> bool:
    try:
        socket.create_connection(address, 10).close()
    except OSError:
        return False
    return True


class TestServerPanel:
    @pytest.fixture
    def panel(self) -> Iterator[ServerPanel]:
        panel = ServerPanel()
        yield panel
        panel.close()

    def shows(self, panel: ServerPanel, *words: str) -> None:
        for text in words:
            until(
                lambda text=text: text in panel._status.value + panel._client.value + panel._log.value,
                f"{text!r} is shown",
            )
        assert panel._painter.fault is None

    def test_serves_the_cells_below(self, panel: ServerPanel) -> None:
        with socket.create_connection(panel.server.address, 10) as sock:
            sock.sendall(b"hello")
            assert sock.recv(10) == b"hello"
            self.shows(panel, "1 connected", "b&#x27;hello&#x27;")
        self.shows(panel, "0 connected", "handler returned")

    def test_buttons(self, panel: ServerPanel) -> None:
        panel.connect_button.click()
        self.shows(panel, "1 connected")
        panel.text.value = r"<b>\xff"
        panel.send_button.click()
        self.shows(panel, r"b&#x27;&lt;b&gt;\xff&#x27;", "sent 4 bytes, received")
        panel.half_close_button.click()
        self.shows(panel, "finished sending", "handler returned")
        panel.hang_up_button.click()
        until(lambda: panel.hang_up_button.disabled, "the button is off")
        panel.stop_button.click()
        self.shows(panel, "stopped; echo was at")
        until(lambda: panel.stop_button.disabled and panel.connect_button.disabled, "the buttons are off")
        panel.start_button.click()
        self.shows(panel, "listening: echo at")
        panel.connect_button.click()
        self.shows(panel, "1 connected")
        panel.reset_button.click()
        self.shows(panel, "reset: sent 0 bytes", "0 connected")

    def test_send_connects_first(self, panel: ServerPanel) -> None:
        panel.text._handle_custom_msg({"event": "submit"}, [])  # the Enter key
        self.shows(panel, "1 connected", "b&#x27;hello&#x27;")

    def test_another_handler_and_family(self, panel: ServerPanel, family: int) -> None:
        panel.handler.value = "http"
        panel.family.value = family
        assert panel.text.value.startswith("GET /hello")
        panel.start_button.click()
        panel.send_button.click()
        self.shows(panel, "listening: http at", "HTTP/1.1 200 OK")

    def test_a_choice_takes_effect_at_the_start(self, panel: ServerPanel) -> None:
        self.shows(panel, "no client yet: Send connects one and sends the text")
        panel.handler.value = "http"
        self.shows(panel, "listening: echo at", "to serve http over IPv4 instead, press Start")
        panel.start_button.click()
        self.shows(panel, "listening: http at")
        until(lambda: "instead" not in panel._status.value, "the hint is gone")

    def test_a_cell_closes_its_server(self, panel: ServerPanel) -> None:
        panel.server.close()
        self.shows(panel, "stopped; echo was at")
        until(lambda: panel.stop_button.disabled, "the button is off")

    def test_what_was_typed_is_kept(self, panel: ServerPanel) -> None:
        panel.text.value = "mine"
        panel.handler.value = "http"
        assert panel.text.value == "mine"

    def test_a_handler_of_yours(self) -> None:
        def shout(conn: socket.socket) -> None:
            while data := conn.recv(100):
                conn.sendall(data.upper())

        panel = ServerPanel(shout, handlers=[lambda conn: None])
        assert panel.handler.value == "shout"
        assert repr(panel.server) == "<tcp_server shout, listening>"
        panel.send_button.click()
        self.shows(panel, "b&#x27;HELLO&#x27;")
        panel.close()

    def test_not_started_yet(self) -> None:
        panel = ServerPanel(start=False)
        with pytest.raises(RuntimeError, match="press Start"):
            panel.server  # noqa: B018
        assert "not started yet: press Start" in panel._status.value
        panel.start()
        assert repr(panel.server) == "<tcp_server echo, listening>"
        panel.close()
        panel.start()
        assert panel.server.closed

    def test_a_family_that_this_machine_lacks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SOCKETLAB_WITHOUT", "ipv6")
        with pytest.raises(ValueError, match="not one of those that work here: IPv4"):
            ServerPanel(family=socket.AF_INET6)
        panel = ServerPanel()
        assert "IPv6" not in panel.family.options
        panel.close()

    def test_a_handler_that_would_run_nothing(self) -> None:
        """Refused where it is passed, not when somebody presses Start."""

        async def coroutine(conn: socket.socket) -> None: ...

        with pytest.raises(TypeError, match="is defined with `async def`"):
            ServerPanel(handlers=[coroutine])

    def test_no_handler(self) -> None:
        with pytest.raises(TypeError, match="function of one connected socket"):
            ServerPanel("echo")  # type: ignore[arg-type]

    def test_a_burst_keeps_the_page_quiet(self, panel: ServerPanel) -> None:
        """Thousands of events are a few pictures."""
        panel.handler.value = "chargen"
        panel.start_button.click()
        panel.connect_button.click()
        begin, before = time.monotonic(), panel._painter.pictures
        self.shows(panel, "it reads no more after 65,536 bytes")
        assert panel._painter.pictures - before <= (time.monotonic() - begin) / 0.08 + 2


class TestRequestPanel:
    @pytest.fixture
    def panel(self) -> Iterator[RequestPanel]:
        panel = RequestPanel()
        yield panel
        panel.close()

    def shows(self, panel: RequestPanel, *words: str) -> None:
        for text in words:
            until(
                lambda text=text: text in panel._preview.value + panel._timing.value + panel._reply.value,
                f"{text!r} is shown",
            )
        assert panel._painter.fault is None

    def test_works_at_once(self, panel: RequestPanel) -> None:
        assert "not sent yet" in panel._timing.value
        panel.send_button.click()
        assert panel.wait().endswith(b"\r\n\r\nHello, socket.\n")
        assert panel.response == panel.wait()
        self.shows(panel, *PHASES, "complete", "b&#x27;Hello, socket.\\n&#x27;")
        until(lambda: panel.stop_button.disabled and not panel.send_button.disabled, "it can be sent again")

    def test_what_will_be_sent_is_shown(self, panel: RequestPanel) -> None:
        self.shows(panel, r"b&#x27;Host: www.codedamn.com\r\n&#x27;", "66 bytes to send")
        panel.crlf.value = False
        self.shows(panel, r"b&#x27;Host: www.codedamn.com\n&#x27;", "62 bytes to send")
        panel.text.value = "<b>"
        self.shows(panel, "b&#x27;&lt;b&gt;&#x27;", "3 bytes to send")

    def test_another_server(self) -> None:
        with tcp_server(daytime) as server:
            panel = RequestPanel(server.address, "")
            assert panel.server is None
            panel.send()
            assert panel.wait().endswith(b"\r\n")
            panel.close()

    def test_can_be_stopped(self) -> None:
        panel = RequestPanel(handler=discard)
        panel.send_button.click()
        until(lambda: not panel.stop_button.disabled, "it can be stopped")
        self.shows(panel, "waiting for the first byte")
        exchange = panel._exchange
        panel.send_button.click()  # does nothing while one is under way
        assert panel._exchange is exchange
        panel.stop_button.click()
        panel.wait()
        self.shows(panel, "Stopped.")
        panel.close()

    def test_a_handler_that_raises(self) -> None:
        def fail(conn: socket.socket) -> None:
            conn.recv(1000)
            raise ValueError("<b>no</b>")

        panel = RequestPanel(handler=fail)
        panel.send_button.click()
        assert panel.wait() == b""
        self.shows(panel, "The server's handler raised ValueError: &lt;b&gt;no&lt;/b&gt;")
        panel.host.value = "0.0.0.0"
        panel.send_button.click()
        self.shows(panel, "is not an address of this machine itself")
        assert "raised" not in panel._timing.value
        panel.close()

    def test_closed_while_it_waits(self) -> None:
        panel = RequestPanel(handler=discard)
        panel.send()
        panel.close()
        assert panel._exchange is not None
        assert panel._exchange.over
        panel.send()
        assert panel.wait() == b""

    def test_other_machines_are_refused(self, panel: RequestPanel) -> None:
        panel.host.value = "www.codedamn.com"
        panel.send_button.click()
        self.shows(panel, "&#x27;www.codedamn.com&#x27; is not an address of this machine itself")
        with pytest.raises(ValueError, match="not an address of this machine"):
            RequestPanel(("www.codedamn.com", 80))

    def test_nobody_listens(self, panel: RequestPanel) -> None:
        panel.server.close()  # type: ignore[union-attr]
        panel.send_button.click()
        self.shows(panel, "Refused: nobody listens at 127.0.0.1:")


class TestPassportPanel:
    def test_one_that_is_forgotten(self) -> None:
        panel = PassportPanel()
        panel.button.click()
        assert "Nothing changed" in panel.changes.value
        reference = weakref.ref(panel)
        del panel
        gc.collect()
        assert reference() is None  # nor is a widget of it left open


class TestImports:
    def run(self, source: str) -> str:
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_ipywidgets_comes_with_the_first_panel(self) -> None:
        source = "import sys, socketlab, socketlab.panels; print('ipywidgets' in sys.modules); "
        assert self.run(source + "socketlab.ServerPanel; print('ipywidgets' in sys.modules)").split() == [
            "False",
            "True",
        ]

    def test_every_name_is_there(self) -> None:
        self.run("import socketlab.panels as p; assert dir(p) == p.__all__; [getattr(p, name) for name in p.__all__]")

    def test_without_ipywidgets_it_says_what_to_install(self) -> None:
        source = (
            "import sys; sys.modules['ipywidgets'] = None\n"
            "try:\n    from socketlab.panels import ServerPanel\n"
            "except ImportError as exc:\n    print(exc)"
        )
        assert "needs ipywidgets: python -m pip install ipywidgets" in self.run(source)

    def test_no_such_panel(self) -> None:
        with pytest.raises(AttributeError, match="TeaPanel"):
            getattr(__import__("socketlab.panels").panels, "TeaPanel")  # noqa: B009
