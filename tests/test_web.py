"""The `http` handler against real clients: http.client, urllib, curl, and h11 as an independent reader and writer."""

from __future__ import annotations

import functools
import http.client
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from socketlab import handlers, tcp_server, tls_server, unix_server
from socketlab.handlers import web
from socketlab.handlers.http_request import BODY_LIMIT, FIELDS_LIMIT, LINE_LIMIT
from socketlab.handlers.web import PAGES

PATIENCE = 20  # seconds; only a hang takes that long
CHUNKED = "Transfer-Encoding: chunked"
HELLO = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
HELLO_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 15\r\n\r\n"
HELLO_REPLY = HELLO_HEAD + b"Hello, socket.\n"


def start(kind: str) -> Any:
    if kind == "unix":
        if not hasattr(socket, "AF_UNIX"):
            pytest.skip("this platform has no Unix sockets")
        return unix_server(web.http)
    if kind == "ipv6":
        try:
            with socket.socket(socket.AF_INET6) as sock:
                sock.bind(("::1", 0))
        except OSError as exc:
            pytest.skip(f"::1 cannot be bound here: {exc}")
        return tcp_server(web.http, family=socket.AF_INET6)
    return tcp_server(web.http)


@pytest.fixture(params=["ipv4", "ipv6", "unix"])
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    with start(request.param) as running:
        yield running


def connect(server: Any) -> socket.socket:
    sock = socket.socket(server.family)
    sock.settimeout(PATIENCE)
    sock.connect(server.address)
    return sock


def until_eof(sock: socket.socket) -> bytes:
    pieces = []
    while piece := sock.recv(1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        assert piece, f"wanted {size} bytes, the server closed after {data!r}"
        data += piece
    return data


def exchange(server: Any, request: bytes) -> bytes:
    """Send `request`, say that this is all, and return everything that comes back."""
    with connect(server) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        return until_eof(sock)


def ask(target: str, *fields: str, method: str = "GET", body: bytes = b"", version: str = "HTTP/1.1") -> bytes:
    lines = [f"{method} {target} {version}", *(fields or ["Host: localhost"]), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def post(body: bytes, *fields: str, version: str = "HTTP/1.1") -> bytes:
    return ask("/echo", "Host: localhost", *fields, method="POST", body=body, version=version)


def parse(reply: bytes, *methods: str) -> list[tuple[int, dict[str, str], bytes]]:
    """All of `reply` as (status, fields, body), read by h11, which raises on whatever is not HTTP.

    `methods` are those of the requests, GET where they are not given: no body follows the answer to HEAD.
    """
    peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    peer.receive_data(reply)
    peer.receive_data(b"")
    expected = list(methods)
    answers = []
    while peer.trailing_data[0]:
        if answers:
            peer.start_next_cycle()  # raises when bytes follow an answer that says Connection: close
        peer.send(h11.Request(method=expected.pop(0) if expected else "GET", target="/", headers=[("Host", "x")]))
        peer.send(h11.EndOfMessage())
        event = peer.next_event()
        while isinstance(event, h11.InformationalResponse):
            event = peer.next_event()
        assert isinstance(event, h11.Response), event
        assert event.reason == web.REASONS[event.status_code].encode()
        fields = {name.decode(): value.decode("latin-1") for name, value in event.headers}
        assert len(fields) == len(list(event.headers)), "a field was sent twice"
        body, status = b"", event.status_code
        while isinstance(event := peer.next_event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage), event
        answers.append((status, fields, body))
    assert not expected, f"{len(answers)} answers, and none to {expected}"
    return answers


def statuses(reply: bytes, *methods: str) -> list[int]:
    return [status for status, _, _ in parse(reply, *methods)]


def converse(segments: Iterable[bytes]) -> bytes:
    """Run the handler on one end of a socket pair, so that each of its recv() calls gets one of `segments`.

    SOCK_SEQPACKET keeps the boundaries; where it lacks, the kernel may join some. Fails when the handler raises, or
    has not returned after we have closed.
    """
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except (AttributeError, OSError):
        ours, theirs = socket.socketpair()
    outcome: list[BaseException | None] = []

    def serve() -> None:
        try:
            with theirs:
                web.http(theirs)
            outcome.append(None)
        except BaseException as exc:
            outcome.append(exc)

    thread = threading.Thread(target=serve, daemon=True)
    with ours:
        ours.settimeout(PATIENCE)
        thread.start()
        for segment in segments:
            ours.sendall(segment)
        ours.shutdown(socket.SHUT_WR)
        reply = until_eof(ours)
    thread.join(PATIENCE)
    assert not thread.is_alive(), "the handler did not return"
    assert outcome == [None]
    return reply


class TestTheArticlesRequest:
    """The request of the article, byte for byte."""

    REQUEST = b"GET / HTTP/1.1\r\nHost: www.codedamn.com\r\n\r\n"

    def test_one_recv_1024_does_not_bring_the_page(self, server: Any) -> None:
        with connect(server) as sock:
            sock.send(self.REQUEST)
            first = exactly(sock, 1024)
            head, _, begun = first.partition(b"\r\n\r\n")
            length = re.search(rb"Content-Length: ([0-9]+)", head)
            assert length
            size = int(length[1])
            assert size > 2 * 1024
            body = begun + exactly(sock, size - len(begun))
            sock.sendall(HELLO)  # the connection is still there, and nothing of the page is left in it
            assert exactly(sock, len(HELLO_REPLY)) == HELLO_REPLY
        assert b"Standing in for www.codedamn.com" in begun
        assert b"Line 48 of 48" in body
        assert b"Line 48 of 48" not in begun
        assert body.endswith(b"</html>\n")

    def test_http_is_what_socketlab_handlers_offers(self) -> None:
        assert handlers.http is web.http

    def test_the_same_bytes_every_time(self, server: Any) -> None:
        first, second = exchange(server, self.REQUEST), exchange(server, self.REQUEST)
        assert first == second == converse([self.REQUEST])
        assert b"date:" not in first.lower()


class TestPages:
    def test_home_lists_every_page(self, server: Any) -> None:
        [(status, fields, body)] = parse(exchange(server, ask("/")))
        assert (status, fields["content-type"]) == (200, "text/html; charset=utf-8")
        assert re.findall(rb'<a href="([^"]+)">', body) == [path.encode() for path in PAGES]

    def test_hello(self, server: Any) -> None:
        assert exchange(server, HELLO) == HELLO_REPLY

    def test_chunked(self, server: Any) -> None:
        reply = exchange(server, ask("/chunked"))
        [(status, fields, body)] = parse(reply)
        assert status == 200
        assert fields == {"content-type": "text/plain", "transfer-encoding": "chunked"}
        raw, sizes = reply.partition(b"\r\n\r\n")[2], []
        while raw:
            size, _, raw = raw.partition(b"\r\n")
            sizes.append(int(size, 16))
            raw = raw[sizes[-1] + 2 :]
        assert sizes[-1] == 0
        assert len(set(sizes)) == len(sizes) == 6
        assert max(sizes) > 15, "no size has two hexadecimal digits"
        assert body.count(b"\r\n") == 1, "no chunk holds a CR LF of its own"

    def test_chunked_is_not_sent_to_http_1_0(self, server: Any) -> None:
        [(_, fields, body)] = parse(exchange(server, ask("/chunked", version="HTTP/1.0")))
        assert "transfer-encoding" not in fields
        assert body == parse(exchange(server, ask("/chunked")))[0][2]

    def test_close_ends_with_the_connection(self, server: Any) -> None:
        with connect(server) as sock:
            sock.sendall(ask("/close") + HELLO)  # what follows is not answered
            reply = until_eof(sock)
        [(status, fields, body)] = parse(reply)
        assert (status, body) == (200, b"Read until recv() returns b''.\n")
        assert fields == {"content-type": "text/plain", "connection": "close"}

    def test_slow_dribbles(self, server: Any) -> None:
        [(status, fields, body)] = parse(exchange(server, ask("/slow")))
        assert (status, len(body)) == (200, int(fields["content-length"]))
        assert body == b"This page comes slowly, a word with each send. "

    @pytest.mark.parametrize("size", [0, 1, 16, 100, 65535, 65536, 65537, 1 << 20])
    def test_big(self, server: Any, size: int) -> None:
        [(status, fields, body)] = parse(exchange(server, ask(f"/big?bytes={size}")))
        assert (status, fields["content-length"], len(body)) == (200, str(size), size)
        assert all(int(body[at : at + 15]) == at for at in range(0, size - 15, 16))

    def test_big_at_its_bounds(self, server: Any) -> None:
        assert len(parse(exchange(server, ask("/big")))[0][2]) == 1 << 20
        reply = exchange(server, ask(f"/big?bytes={BODY_LIMIT}"))
        assert len(reply.partition(b"\r\n\r\n")[2]) == BODY_LIMIT
        wrong = ["bytes=16777217", "bytes=-1", "bytes=", "bytes=1e3", "bytes=999999999", "size=3"]
        reply = exchange(server, b"".join(ask(f"/big?{query}") for query in wrong) + HELLO)
        assert statuses(reply) == [400] * len(wrong) + [200]

    @pytest.mark.parametrize("body", [b"", b"x", b"\r\n\r\n", bytes(range(256)) * 1000], ids=len)
    def test_echo(self, server: Any, body: bytes) -> None:
        reply = exchange(server, post(body, f"Content-Length: {len(body)}") + HELLO)
        assert [(status, got) for status, _, got in parse(reply)] == [(200, body), (200, b"Hello, socket.\n")]

    def test_echo_of_a_chunked_body(self, server: Any) -> None:
        body = b'1\r\na\r\n00A;x="y"\r\n0123456789\r\nb ; x\r\n\r\n0\r\n\r\nabcd\r\n0\r\nTrailer: dropped\r\n\r\n'
        reply = exchange(server, post(body, "Transfer-Encoding: Chunked") + HELLO)
        assert [got for _, _, got in parse(reply)] == [b"a0123456789\r\n0\r\n\r\nabcd", b"Hello, socket.\n"]

    def test_headers(self, server: Any) -> None:
        request = ask("/headers?x=%20", "hOsT:localhost", "X-Odd: \t two  spaces\xe9\t", "Empty:", "Empty: again")
        assert parse(exchange(server, b"\r\n\r\n" + request))[0][2] == request

    def test_redirect(self, server: Any) -> None:
        [(status, fields, _)] = parse(exchange(server, ask("/redirect")))
        assert (status, fields["location"]) == (302, "/hello")

    def test_nothing(self, server: Any) -> None:
        assert exchange(server, ask("/nothing") + HELLO) == b"HTTP/1.1 204 No Content\r\n\r\n" + HELLO_REPLY

    def test_unknown(self, server: Any) -> None:
        assert statuses(exchange(server, ask("/no/such/page") + ask("/Hello") + HELLO)) == [404, 404, 200]


class TestMethods:
    @pytest.mark.parametrize("path", [path for path in PAGES if path != "/echo"] + ["/unknown", "/big?bytes=x"])
    def test_head_has_the_head_of_get(self, server: Any, path: str) -> None:
        expected = exchange(server, ask(path)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        assert exchange(server, ask(path, method="HEAD")) == expected
        if path != "/close":
            assert exchange(server, ask(path, method="HEAD") + HELLO) == expected + HELLO_REPLY

    @pytest.mark.parametrize("path", [*PAGES, "*"])
    def test_options(self, server: Any, path: str) -> None:
        allow = {"/echo": "POST, OPTIONS", "*": "GET, HEAD, POST, OPTIONS"}.get(path, "GET, HEAD, OPTIONS")
        expected = f"HTTP/1.1 204 No Content\r\nAllow: {allow}\r\n\r\n".encode()
        assert exchange(server, ask(path, method="OPTIONS") + HELLO) == expected + HELLO_REPLY

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"])
    @pytest.mark.parametrize("path", ["/hello", "/echo"])
    def test_405_says_what_is_allowed(self, server: Any, path: str, method: str) -> None:
        request = ask(path, "Host: localhost", "Content-Length: 4", method=method, body=b"body")
        (status, fields, body), (after, _, _) = parse(exchange(server, request + HELLO), method, "GET")
        assert after == 200
        if method in (["POST"] if path == "/echo" else ["GET", "HEAD"]):
            assert status == 200
        else:
            assert (status, fields["allow"]) == (405, "POST, OPTIONS" if path == "/echo" else "GET, HEAD, OPTIONS")
            assert bool(body) == (method != "HEAD")


class TestNames:
    @pytest.mark.parametrize(
        "host", ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:", "[::1]:80", "WWW.codedamn.com:12345"]
    )
    def test_served(self, server: Any, host: str) -> None:
        assert exchange(server, ask("/hello", f"Host: {host}")) == HELLO_REPLY
        home = exchange(server, ask("/", f"Host: {host}"))
        assert (b"Standing in" in home) == ("codedamn" in host)

    @pytest.mark.parametrize("host", ["codedamn.com", "example.org", "localhost.example.org", "127.0.0.2", "[::2]"])
    def test_other_names_are_misdirected(self, server: Any, host: str) -> None:
        first, second = parse(exchange(server, ask("/hello", f"Host: {host}") + HELLO))
        assert first[0] == 421
        assert first[2].startswith(b"This server answers for www.codedamn.com, localhost,")
        assert second[0] == 200

    @pytest.mark.parametrize(
        ("target", "found"),
        [("http://www.codedamn.com", b"Standing in"), ("HTTP://localhost:80/hello", b"Hello, socket."),
         ("http://localhost?x", b"A web server"), ("http://example.org/", b"This server answers for")],
    )  # fmt: skip
    def test_absolute_form_overrides_host(self, server: Any, target: str, found: bytes) -> None:
        assert found in exchange(server, ask(target, "Host: 127.0.0.1"))

    def test_http_1_0_needs_no_host(self, server: Any) -> None:
        with connect(server) as sock:
            sock.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
            reply = until_eof(sock)  # and the server closes, without being asked
        [(status, fields, body)] = parse(reply)
        assert (status, fields["connection"], body) == (200, "close", b"Hello, socket.\n")


class TestConnection:
    def test_pipelined_requests_are_answered_in_order(self, server: Any) -> None:
        requests = [
            ("GET", 200, HELLO), ("HEAD", 200, ask("/hello", method="HEAD")),
            ("POST", 200, post(b"one", "Content-Length: 3")), ("GET", 404, ask("/none")),
            ("POST", 200, post(b"3\r\ntwo\r\n0\r\n\r\n", CHUNKED)), ("GET", 204, ask("/nothing")),
            ("GET", 200, ask("/chunked")), ("OPTIONS", 204, ask("*", method="OPTIONS")),
            ("HEAD", 200, ask("/chunked", method="HEAD")), ("GET", 200, ask("/big?bytes=300000")),
            ("GET", 200, ask("/headers", "Host: localhost", "Connection: X, Close")),
        ]  # fmt: skip
        reply = exchange(server, b"".join(request for _, _, request in requests) + HELLO)
        assert statuses(reply, *(method for method, _, _ in requests)) == [status for _, status, _ in requests]
        assert server.errors == ()

    def test_persists_until_asked_to_close(self, server: Any) -> None:
        with connect(server) as sock:
            for _ in range(5):
                sock.sendall(HELLO)
                assert exactly(sock, len(HELLO_REPLY)) == HELLO_REPLY
            sock.sendall(ask("/hello", "Host: localhost", "connection: Close"))
            [(_, fields, body)] = parse(until_eof(sock))
        assert (fields["connection"], body) == ("close", b"Hello, socket.\n")
        assert server.accepted == 1

    def test_a_request_byte_by_byte(self, server: Any) -> None:
        request = post(b"3\r\nabc\r\n0\r\n\r\n", CHUNKED) + HELLO
        with connect(server) as sock:
            if server.family != getattr(socket, "AF_UNIX", None):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request:
                sock.sendall(bytes([byte]))
            sock.shutdown(socket.SHUT_WR)
            assert until_eof(sock) == exchange(server, request)

    def test_100_continue_comes_before_the_body_is_sent(self, server: Any) -> None:
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        with connect(server) as sock:
            for framing, body in [("Content-Length: 4", b"body"), (CHUNKED, b"4\r\nbody\r\n0\r\n\r\n")]:
                sock.sendall(post(b"", framing, "Expect: 100-Continue"))
                assert exactly(sock, len(interim)) == interim
                sock.sendall(body)
                expected = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 4\r\n\r\nbody"
                assert exactly(sock, len(expected)) == expected

    @pytest.mark.parametrize(
        "request_",
        [post(b"body", "Content-Length: 4"), post(b"", "Content-Length: 0", "Expect: 100-continue"),
         post(b"body", "Content-Length: 4", "Expect: 100-continue", version="HTTP/1.0"),
         post(b"", f"Content-Length: {BODY_LIMIT + 1}", "Expect: 100-continue")],
        ids=["unasked", "no body", "http-1.0", "too large"],
    )  # fmt: skip
    def test_no_100_continue_otherwise(self, server: Any, request_: bytes) -> None:
        assert b"100 Continue" not in exchange(server, request_)

    @pytest.mark.parametrize("sent", [b"", b"G", HELLO[:-1], post(b"hal", "Content-Length: 4"),
                                      post(b"4\r\nhal", CHUNKED)],
                             ids=["nothing", "line", "head", "body", "chunk"])  # fmt: skip
    def test_eof_in_the_middle_ends_quietly(self, server: Any, sent: bytes) -> None:
        assert exchange(server, HELLO + sent) == HELLO_REPLY
        assert server.errors == ()

    @pytest.mark.parametrize("sent", [b"", HELLO[:20], post(b"hal", "Content-Length: 4")], ids=["idle", "head", "body"])
    def test_close_of_the_server_cuts_waiting_clients(self, server: Any, sent: bytes) -> None:
        with connect(server) as sock:
            sock.sendall(HELLO + sent)
            assert exactly(sock, len(HELLO_REPLY)) == HELLO_REPLY
            server.close()  # raises when the handler does not return
            assert sock.recv(1) == b""
        assert server.errors == ()

    def test_a_client_that_vanishes_is_not_the_handlers_fault(self, server: Any) -> None:
        with connect(server) as sock:
            sock.sendall(ask(f"/big?bytes={BODY_LIMIT}"))
            exactly(sock, 1024)
            at_once = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)  # close() sends RST
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        deadline = time.monotonic() + PATIENCE
        while not server.errors and time.monotonic() < deadline:
            time.sleep(0.01)
        assert isinstance(server.errors[0], (ConnectionResetError, BrokenPipeError))
        assert exchange(server, HELLO) == HELLO_REPLY


REFUSED: dict[str, tuple[int, bytes]] = {
    "no request line": (400, b"junk\r\n"),
    "http-0.9": (400, b"GET /\r\n"),
    "two spaces": (400, b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "space after": (400, b"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n"),
    "space before": (400, b" GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "lower-case version": (400, b"GET / http/1.1\r\nHost: localhost\r\n\r\n"),
    "line feeds alone": (400, b"GET / HTTP/1.1\nHost: localhost\n\n"),
    "fields with line feeds alone": (400, b"GET / HTTP/1.1\r\nHost: localhost\n\n"),
    "carriage return inside": (400, ask("/", "Host: local\rhost")),
    "NUL": (400, ask("/", "Host: localhost", "X: a\0b")),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"),
    "no slash": (400, ask("hello")),
    "asterisk for GET": (400, ask("*")),
    "fragment": (400, ask("/hello#there")),
    "not ASCII": (400, ask("/hell\xf6")),
    "https target": (400, ask("https://localhost/")),
    "space before colon": (400, ask("/", "Host : localhost")),
    "no colon": (400, ask("/", "Host localhost")),
    "no name": (400, ask("/", "Host: localhost", ": value")),
    "folded field": (400, ask("/", "Host: localhost", "X: a", " b")),
    "no Host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, ask("/", "Host: localhost", "Host: localhost")),
    "empty Host": (400, ask("/", "Host:")),
    "Host with a path": (400, ask("/", "Host: localhost/hello")),
    "Host with a user": (400, ask("/", "Host: me@localhost")),
    "two names in Host": (400, ask("/", "Host: localhost, 127.0.0.1")),
    "Host beside absolute form": (400, ask("http://localhost/", "Host: a b")),
    "user in absolute form": (400, ask("http://me@localhost/")),
    "two lengths": (400, post(b"body", "Content-Length: 4", "Content-Length: 4")),
    "length and chunked": (400, post(b"0\r\n\r\n", "Content-Length: 5", CHUNKED)),
    "chunked in http-1.0": (400, post(b"0\r\n\r\n", CHUNKED, version="HTTP/1.0")),
    "chunked not last": (400, post(b"0\r\n\r\n", "Transfer-Encoding: chunked, gzip")),
    "unknown coding": (400, post(b"0\r\n\r\n", "Transfer-Encoding: xchunked")),
    "vertical tab in coding": (400, post(b"0\r\n\r\n", "Transfer-Encoding: \x0bchunked")),
    "coding beneath chunked": (501, post(b"0\r\n\r\n", "Transfer-Encoding: gzip", CHUNKED)),
    "no line end after chunk": (400, post(b"1\r\nabc0\r\n\r\n", CHUNKED)),
    "space after chunk size": (400, post(b"1 \r\na\r\n0\r\n\r\n", CHUNKED)),
    "control in chunk extension": (400, post(b"1;\0\r\na\r\n0\r\n\r\n", CHUNKED)),
    "bad trailer": (400, post(b"0\r\nnonsense\r\n\r\n", CHUNKED)),
    "long chunk line": (400, post(b"1;" + b"x" * LINE_LIMIT, CHUNKED)),
    "length too large": (413, post(b"", f"Content-Length: {BODY_LIMIT + 1}")),
    "length of 5000 digits": (413, post(b"", f"Content-Length: {'9' * 5000}")),
    "chunk too large": (413, post(b"%x\r\n" % (BODY_LIMIT + 1), CHUNKED)),
    "chunk size of 5000 digits": (413, post(b"f" * 5000 + b"\r\n", CHUNKED)),
    "chunks too large together": (413, post(b"1\r\na\r\n%x\r\n" % BODY_LIMIT, CHUNKED)),
    "long request line": (414, ask("/" + "x" * LINE_LIMIT)),
    "long field": (431, ask("/", "Host: localhost", "X: " + "x" * FIELDS_LIMIT)),
    "many fields": (431, ask("/", "Host: localhost", *["X: y"] * (FIELDS_LIMIT // 6))),
    "long trailer": (431, post(b"0\r\n" + b"X: y\r\n" * (FIELDS_LIMIT // 6 + 1) + b"\r\n", CHUNKED)),
    "unknown method": (501, ask("/", method="BREW")),
    "lower-case method": (501, ask("/", method="get")),
    "CONNECT": (501, ask("localhost:80", method="CONNECT")),
    "http-2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "http-0.9 by number": (505, ask("/", version="HTTP/0.9")),
    **{f"length {text!r}": (400, post(b"body", f"Content-Length: {text}"))
       for text in ["", "-1", "+4", "4,4", "0x4", "4.0", "four", "4 4", "1_0", "\xb2"]},
    **{f"chunk size {text!r}": (400, post(text + b"\r\nbody\r\n0\r\n\r\n", CHUNKED))
       for text in [b"", b"g", b"-4", b"+4", b"0x4", b" 4", b"4,", b"1_0", b"\xb2"]},
}  # fmt: skip


class TestRefusals:
    @pytest.mark.parametrize("name", REFUSED)
    def test_answered_with_a_sentence_and_closed(self, server: Any, name: str) -> None:
        status, request = REFUSED[name]
        with connect(server) as sock:
            sock.sendall(HELLO + request + HELLO)  # what follows may be a body or a request: it is not answered
            reply = until_eof(sock)  # the server closes though we have not
        assert reply.startswith(HELLO_REPLY)
        [(got, fields, body)] = parse(reply.removeprefix(HELLO_REPLY))
        assert (got, fields["connection"]) == (status, "close"), body
        assert re.fullmatch(r"[A-Z][^\n]+\.\n", body.decode())
        assert server.errors == ()

    def test_nothing_at_the_limit_is_refused(self, server: Any) -> None:
        line = LINE_LIMIT - len("GET / HTTP/1.1\r\n")
        fields = FIELDS_LIMIT - len("Host: localhost\r\nX: \r\n\r\n")
        reply = exchange(server, ask("/" + "x" * line) + ask("/hello", "Host: localhost", "X: " + "y" * fields))
        assert statuses(reply) == [404, 200]
        body = bytes(BODY_LIMIT)
        assert exchange(server, post(body, f"Content-Length: {BODY_LIMIT}")).endswith(b"\r\n\r\n" + body)

    def test_head_is_refused_without_a_body(self, server: Any) -> None:
        reply = exchange(server, ask("/", "Host: localhost", "Host: localhost", method="HEAD"))
        assert statuses(reply, "HEAD") == [400]
        assert reply.endswith(b"\r\n\r\n")

    @pytest.mark.parametrize("request_", [b"junk\r\n", post(b"", f"Content-Length: {BODY_LIMIT + 1}"),
                                          ask("/close"), ask("/hello", "Host: localhost", "Connection: close")],
                             ids=["400", "413", "until close", "asked to close"])  # fmt: skip
    def test_the_last_response_survives_bytes_that_nobody_wants(self, server: Any, request_: bytes) -> None:
        with connect(server) as sock:
            sock.sendall(request_ + bytes(4 << 20))  # close() over unread bytes would reset: RFC 9112 section 9.6
            assert len(statuses(until_eof(sock))) == 1

    @pytest.mark.parametrize("flood", [False, True], ids=["silent", "flooding"])
    def test_a_client_that_never_closes_is_left(self, flood: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(web, "LINGER", 0.2)
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)

        def serve() -> None:
            with theirs:
                web.http(theirs)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with ours:
            ours.sendall(b"junk\r\n")
            assert statuses(until_eof(ours)) == [400]
            deadline = time.monotonic() + PATIENCE
            while flood and time.monotonic() < deadline:
                try:
                    ours.sendall(bytes(65536))
                except OSError:  # EPIPE: it has closed
                    break
            thread.join(max(0, deadline - time.monotonic()))
            assert not thread.is_alive()


STREAMS = [
    b"\r\n" + HELLO + ask("/headers", "Host: www.codedamn.com", "X: \xe9") + ask("/none", method="HEAD") + HELLO,
    post(b"4\r\n\r\n\r\n\r\n1e;x\r\n" + b"y" * 30 + b"\r\n0\r\nA: b\r\n\r\n", CHUNKED, "Expect: 100-continue") + HELLO,
    post(b"\r\n\r\n", "Content-Length: 4", "Expect: 100-continue") + ask("/chunked") + ask("/nothing") + b"GET /hel",
    ask("/chunked", version="HTTP/1.0") + HELLO,
    HELLO + post(b"0\r\n\r\n", "Content-Length: 5", CHUNKED) + HELLO,
    HELLO + post(b"2\r\nabc\r\n", CHUNKED) + HELLO,
    HELLO + b"GET /hello HTTP/1.1\nHost: localhost\r\n\r\n" + HELLO,
    ask("/" + "x" * LINE_LIMIT) + HELLO,
    ask("/", "Host: localhost", *["X: y"] * (FIELDS_LIMIT // 6)) + HELLO,
]
whole = functools.cache(lambda stream: converse([stream]))

PIECES = [
    b"GET", b"POST", b"OPTIONS", b" ", b"/", b"/hello", b"/echo", b"*", b"?", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9",
    b"\r\n", b"\r\n", b"\r", b"\n", b"\r\n\r\n", b":", b"Host: localhost\r\n", b"Host: x\r\n", b"Content-Length: ",
    b"5", b"0", b"-", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"\0", b"\xff", b"\t", b";",
    b"f" * 20, b"9" * 5000, b"POST /echo HTTP/1.1\r\nHost: localhost\r\n", HELLO,
]  # fmt: skip


def cuts(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` cut at `places` (taken modulo its length)."""
    marks = sorted({place % len(data) for place in places} - {0}) if data else []
    return [data[a:b] for a, b in zip([0, *marks], [*marks, len(data)], strict=True) if a < b]


class TestAnyBytes:
    @pytest.mark.parametrize("number", range(7))
    def test_a_byte_at_a_time(self, number: int) -> None:
        stream = STREAMS[number]
        assert whole(stream), "a stream without an answer proves nothing"
        assert converse(stream[at : at + 1] for at in range(len(stream))) == whole(stream)

    @settings(max_examples=150, deadline=None)
    @given(stream=st.sampled_from(STREAMS), places=st.lists(st.integers(0, 1 << 16), max_size=40))
    def test_any_segmentation_gets_the_same_answer(self, stream: bytes, places: list[int]) -> None:
        assert converse(cuts(stream, places)) == whole(stream)

    @settings(max_examples=150, deadline=None)
    @given(garbage=st.binary(max_size=2000), places=st.lists(st.integers(0, 1 << 16), max_size=5))
    @example(garbage=b"\n", places=[])
    @example(garbage=b"\r\n" * 1000, places=[])
    @example(garbage=b"\xff" * LINE_LIMIT, places=[])
    def test_garbage_gets_400_or_the_end(self, garbage: bytes, places: list[int]) -> None:
        reply = converse(cuts(garbage, places))
        if b"\n" in garbage.replace(b"\r\n", b""):
            assert statuses(reply) == [400]
        assert statuses(reply) in ([], [400], [414])

    @settings(max_examples=300, deadline=None)
    @given(pieces=st.lists(st.sampled_from(PIECES), max_size=30), places=st.lists(st.integers(0, 1 << 16), max_size=5))
    def test_almost_http_gets_answers_that_are_http(self, pieces: list[bytes], places: list[int]) -> None:
        stream = b"".join(pieces)
        reply = converse(cuts(stream, places))
        parse(reply)
        if places:
            assert reply == converse([stream] if stream else [])

    @settings(max_examples=100, deadline=None)
    @given(
        bodies=st.lists(st.tuples(st.booleans(), st.lists(st.binary(min_size=1, max_size=300))), max_size=4),
        places=st.lists(st.integers(0, 1 << 16), max_size=20),
    )
    def test_what_h11_writes_is_read_as_meant(self, bodies: list[tuple[bool, list[bytes]]], places: list[int]) -> None:
        stream = b""
        for chunked, pieces in bodies:
            framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(sum(map(len, pieces))))
            writer = h11.Connection(h11.CLIENT)
            events = [h11.Request(method="POST", target="/echo", headers=[("Host", "localhost"), framing]),
                      *(h11.Data(data=piece) for piece in pieces), h11.EndOfMessage()]  # fmt: skip
            stream += b"".join(writer.send(event) or b"" for event in events)
        reply = converse(cuts(stream, places))
        assert [body for _, _, body in parse(reply)] == [b"".join(pieces) for _, pieces in bodies]


class TestSends:
    """What leaves in which send(): SOCK_SEQPACKET shows it, one recv() for each."""

    @pytest.fixture
    def conn(self) -> Iterator[socket.socket]:
        if not hasattr(socket, "AF_UNIX") or not hasattr(socket, "SOCK_SEQPACKET"):
            pytest.skip("this platform has no SOCK_SEQPACKET")
        try:
            server = unix_server(web.http, type=socket.SOCK_SEQPACKET)
        except OSError as exc:
            pytest.skip(f"SOCK_SEQPACKET cannot be used here: {exc}")
        with server, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(server.address)
            yield sock

    @pytest.mark.parametrize("path", ["/", "/hello", "/chunked", "/nothing", "/none"])
    def test_head_and_body_leave_together(self, conn: socket.socket, path: str) -> None:
        for _ in range(2):
            conn.sendall(ask(path))
            assert len(statuses(conn.recv(1 << 20))) == 1

    def test_slow_sends_word_by_word(self, conn: socket.socket) -> None:
        conn.sendall(ask("/slow"))
        assert conn.recv(1 << 20).endswith(b"Content-Length: 47\r\n\r\n")
        words = b"This page comes slowly, a word with each send.".split()
        assert [conn.recv(1 << 20) for _ in words] == [word + b" " for word in words]


class TestHttpClient:
    def open(self, server: Any) -> http.client.HTTPConnection:
        client = http.client.HTTPConnection("localhost", timeout=PATIENCE)
        client.sock = connect(server)
        return client

    def test_pages_over_one_connection(self, server: Any) -> None:
        client = self.open(server)
        for path, status in [("/", 200), ("/hello", 200), ("/chunked", 200), ("/big?bytes=70000", 200), ("/slow", 200),
                             ("/redirect", 302), ("/nothing", 204), ("/none", 404), ("/close", 200)]:  # fmt: skip
            for method in ("HEAD", "GET") if path != "/close" else ("GET",):
                client.request(method, path)
                reply = client.getresponse()
                assert reply.status == status
                body = reply.read()
                assert bool(body) == (method == "GET" and status != 204)
                assert reply.will_close == (path == "/close")
        client.close()
        assert server.accepted == 1

    def test_bodies(self, server: Any) -> None:
        client = self.open(server)
        client.request("POST", "/echo", body=b"with a length")
        assert client.getresponse().read() == b"with a length"
        client.request("POST", "/echo", body=iter([b"in ", b"chunks"]), encode_chunked=True)
        assert client.getresponse().read() == b"in chunks"
        client.close()


class TestUrllib:
    @pytest.fixture(params=["ipv4", "ipv6"])
    def fetch(self, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with start(request.param) as server:
            host, port = server.address[:2]
            base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            yield lambda path, **kw: opener.open(urllib.request.Request(base + path, **kw), timeout=PATIENCE)

    def test_pages(self, fetch: Callable[..., Any]) -> None:
        assert fetch("/hello").read() == b"Hello, socket.\n"
        assert fetch("/redirect").read() == b"Hello, socket.\n"
        assert fetch("/close").read() == b"Read until recv() returns b''.\n"
        assert b"middle" in fetch("/chunked").read()
        assert fetch("/echo", data=b"posted").read() == b"posted"
        assert b"Standing in" in fetch("/", headers={"Host": "www.codedamn.com"}).read()

    @pytest.mark.parametrize(("path", "status"), [("/none", 404), ("/echo", 405)])
    def test_errors(self, fetch: Callable[..., Any], path: str, status: int) -> None:
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(path)
        with caught.value as reply:
            assert reply.code == status


class TestCurl:
    @pytest.fixture
    def curl(self, server: Any) -> Callable[..., str]:
        program = shutil.which("curl")
        if program is None:
            if os.environ.get("CI") == "true":
                pytest.fail("curl is not installed, and this is CI: install it there")
            pytest.skip("curl is not installed")
        if isinstance(server.address, tuple):
            host, port = server.address[:2]
            there = ["--connect-to", f"::[{host}]:{port}" if ":" in host else f"::{host}:{port}"]
        else:
            there = ["--unix-socket", server.address]

        def run(*args: str) -> str:
            command = [program, "-q", "-sS", "--noproxy", "*", "--max-time", str(PATIENCE), *there, *args]
            done = subprocess.run(command, capture_output=True, timeout=2 * PATIENCE, check=False)
            assert done.returncode == 0, done.stderr.decode()
            return done.stdout.decode()

        return run

    def test_pages(self, curl: Callable[..., str]) -> None:
        assert curl("http://localhost/hello") == "Hello, socket.\n"
        assert "Standing in" in curl("http://www.codedamn.com/")
        assert "Standing in" in curl("--http1.0", "http://www.codedamn.com:8080/")
        assert curl("-L", "http://127.0.0.1/redirect", "http://[::1]/hello", "-g") == "Hello, socket.\n" * 2
        assert curl("http://localhost/close") == "Read until recv() returns b''.\n"
        assert curl("http://localhost/chunked").endswith("also these two in the middle.\n")
        assert len(curl("http://localhost/big?bytes=3000000")) == 3000000
        assert curl("-w", "%{http_code}", "-I", "http://localhost/none").endswith("404")
        assert "no other name" in curl("http://example.org/")

    def test_bodies(self, curl: Callable[..., str]) -> None:
        url = "http://localhost/echo"
        assert curl("-d", "posted", url) == "posted"
        assert curl("-d", "posted", "-H", "Transfer-Encoding: chunked", url) == "posted"
        assert curl("-d", "posted", "-H", "Expect: 100-continue", "--expect100-timeout", str(PATIENCE), url) == "posted"

    def test_upload_that_is_too_large(self, curl: Callable[..., str], tmp_path: Any) -> None:
        (tmp_path / "large").write_bytes(bytes(BODY_LIMIT + 1))
        upload = ["--data-binary", f"@{tmp_path / 'large'}", "-H", "Expect:", "http://localhost/echo"]
        assert curl("-w", "%{http_code}", *upload) == f"A body may have {BODY_LIMIT} bytes.\n413"


class TestTLS:
    def test_ends_with_a_close_notify(self) -> None:
        with tls_server(web.http) as server:
            for request, status in [(ask("/close"), 200), (b"junk\r\n", 400), (ask("/", version="HTTP/1.0"), 200)]:
                raw = socket.create_connection(server.address[:2], timeout=PATIENCE)
                wrap = functools.partial(server.client_context.wrap_socket, suppress_ragged_eofs=False)
                with wrap(raw, server_hostname="localhost") as sock:
                    sock.sendall(request)
                    assert statuses(until_eof(sock)) == [status]  # raises SSLEOFError when cut off
        assert server.errors == ()
