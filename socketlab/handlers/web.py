"""`http`: a small web server over one connected socket, with a page for each way of saying where a message ends.

TCP keeps no message boundaries. RFC 9112 section 6.3 has three ways to say where a response ends, and each has a page:
a Content-Length (/hello), a size before each piece (/chunked), or the end of the connection (/close). Reading requests
is the other room, http_request.py; what it refuses is answered with the reason, and the connection closed.

Read it from the bottom: `http` is the loop; above it are what writes a response, what chooses it, and the pages.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator

from .http_request import BODY_LIMIT, Inbox, Refusal, Request, read_body, read_head

LINGER = 1.0  # seconds that a closing connection waits for the peer to close its side
NAMES = ("www.codedamn.com", "localhost", "127.0.0.1", "[::1]")
REASONS = {
    200: "OK", 204: "No Content", 302: "Found", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    413: "Content Too Large", 414: "URI Too Long", 421: "Misdirected Request", 431: "Request Header Fields Too Large",
    501: "Not Implemented", 505: "HTTP Version Not Supported",
}  # fmt: skip


class Reply:
    """A response. A `body` in one piece goes with its Content-Length, and so do pieces whose `length` (bytes) is known
    beforehand; pieces without it are chunked, or end with the connection. `pause`: seconds before each piece."""

    def __init__(self, status: int, body: str | bytes | Iterable[bytes] = b"", *fields: str, media: str = "text/plain",
                 length: int | None = None, until_close: bool = False, pause: float = 0) -> None:  # fmt: skip
        if isinstance(body, str):
            body, media = body.encode(), media + "; charset=utf-8"
        self.pieces: Iterable[bytes] = [body] if isinstance(body, bytes) else body
        self.length = len(body) if isinstance(body, bytes) else length
        self.status, self.fields, self.media, self.until_close, self.pause = status, fields, media, until_close, pause


def home(request: Request) -> Reply:
    if request.host == "www.codedamn.com":
        title = "Standing in for www.codedamn.com"
        text = "This page is not theirs: socketlab sends it, on this machine, to whoever asks for that name in Host."
        lines = [f"Line {n:02} of 48; one recv(1024) does not bring the last of them." for n in range(1, 49)]
    else:
        title, text = "A web server in one function", "Each page is a lesson in where a message ends."
        lines = [f'<a href="{path}">{path}</a>: {purpose}' for path, (purpose, _) in PAGES.items()]
    items = "\n".join(f"<li>{line}</li>" for line in lines)
    head = f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
    return Reply(200, f"{head}<h1>{title}</h1>\n<p>{text}</p>\n<ol>\n{items}\n</ol>\n</html>\n", media="text/html")


def big(request: Request) -> Reply:
    match = re.fullmatch("bytes=([0-9]{1,8})", request.query or "bytes=1048576")
    size = int(match[1]) if match else -1
    if not 0 <= size <= BODY_LIMIT:
        return Reply(400, f"Ask for /big?bytes=N, with N from 0 to {BODY_LIMIT}.\n")

    def pieces() -> Iterator[bytes]:
        for start in range(0, size, 65536):
            yield b"".join(b"%015d\n" % offset for offset in range(start, start + 65536, 16))[: size - start]

    return Reply(200, pieces(), length=size)


CHUNKS = b"T", b"he size comes first", b", then as many bytes:\r\n", b"also these", b" two in the middle.\n"
WORDS = [word + b" " for word in b"This page comes slowly, a word with each send.".split()]
PAGES: dict[str, tuple[str, Callable[[Request], Reply]]] = {
    "/": ("this page", home),
    "/hello": ("a short text; Content-Length says where it ends", lambda _: Reply(200, "Hello, socket.\n")),
    "/chunked": ("five chunks, sizes in hexadecimal; one holds a CR LF of its own", lambda _: Reply(200, CHUNKS)),
    "/close": ("no length: the body ends with the connection, as in HTTP/1.0",
               lambda _: Reply(200, [b"Read until recv() returns b''.\n"], until_close=True)),
    "/slow": ("one word at a time, a quarter of a second in all",
              lambda _: Reply(200, WORDS, length=sum(map(len, WORDS)), pause=0.03)),
    "/big": ("/big?bytes=N gives N bytes, each line of 16 being its own offset, so that a lost one shows", big),
    "/echo": ("POST a body here and it comes back",
              lambda asked: Reply(200, asked.body, media="application/octet-stream")),
    "/headers": ("the head of your request, as it came",
                 lambda asked: Reply(200, re.sub(b"^HEAD", b"GET", asked.head))),  # HEAD tells the length of GET
    "/redirect": ("302: go to /hello", lambda _: Reply(302, "See /hello.\n", "Location: /hello")),
    "/nothing": ("204: a response that cannot have a body", lambda _: Reply(204)),
}  # fmt: skip


def answer(request: Request) -> Reply:
    if request.host not in NAMES:  # RFC 9110 section 7.4; also keeps out web sites whose name was made to point here
        return Reply(421, f"This server answers for {', '.join(NAMES)} and for no other name.\n")
    if request.path == "*":
        return Reply(204, b"", "Allow: GET, HEAD, POST, OPTIONS")
    if request.path not in PAGES:
        return Reply(404, "There is no such page here; / lists those that there are.\n")
    allow = "POST, OPTIONS" if request.path == "/echo" else "GET, HEAD, OPTIONS"
    if request.method == "OPTIONS":
        return Reply(204, b"", f"Allow: {allow}")
    if request.method not in allow.split(", "):
        return Reply(405, f"This page allows {allow}.\n", f"Allow: {allow}")
    return PAGES[request.path][1](request)


def send_reply(conn: socket.socket, request: Request, reply: Reply, keep: bool) -> None:
    lines = [f"HTTP/1.1 {reply.status} {REASONS[reply.status]}", *reply.fields]
    # No Date: RFC 9110 section 6.6.1 asks it of servers with a clock, forbids it to those without one, and this server
    # claims none, so that the same request gets the same bytes in every run.
    chunks = reply.length is None and not reply.until_close and request.minor > 0  # an HTTP/1.0 client knows no chunks
    if reply.status != 204:  # which has no body, and may not have a Content-Length either (RFC 9110 section 8.6)
        lines.append(f"Content-Type: {reply.media}")
        if chunks:
            lines.append("Transfer-Encoding: chunked")
        elif reply.length is not None:
            lines.append(f"Content-Length: {reply.length}")
    if not keep:
        lines.append("Connection: close")
    out = bytearray("\r\n".join([*lines, "", ""]).encode("latin-1"))
    if request.method != "HEAD":  # the same head as for GET, and no body (RFC 9110 section 9.3.2)
        for piece in reply.pieces:
            if reply.pause or len(out) > 65536:  # otherwise head and body leave in one send
                conn.sendall(out)
                out.clear()
                time.sleep(reply.pause)
            out += b"%x\r\n%b\r\n" % (len(piece), piece) if chunks else piece
        if chunks:
            out += b"0\r\n\r\n"
    conn.sendall(out)


def linger(conn: socket.socket) -> None:
    """Close in two steps (RFC 9112 section 9.6): a close() with bytes unread sends RST, and an RST makes the peer throw
    away the response that it has not read yet. So say that we are done, then read until the peer is done too."""
    if hasattr(conn, "unwrap"):
        return  # TLS says its own goodbye, which a bare FIN would cut off; that is up to whoever wrapped the socket
    deadline = time.monotonic() + LINGER
    with contextlib.suppress(OSError):  # the peer is gone, or takes longer than LINGER
        conn.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            conn.settimeout(left)
            if not conn.recv(65536):
                break


def http(conn: socket.socket) -> None:
    """Answer the HTTP requests that arrive on `conn`, in order, until either side has had enough.

    Returns when the peer closes (in the middle of a request too: nobody is left to tell), asks for the last response
    with `Connection: close`, or sends what cannot be read. Raises ConnectionError when the peer vanishes: its reset, or
    a broken pipe while we send.
    """
    if conn.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):  # macOS: EINVAL once the peer has reset
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # /slow would else wait for delayed ACKs
    inbox = Inbox(conn)
    keep = True
    while keep:
        request = Request()
        try:
            read_head(inbox, request)
            read_body(inbox, request)
            reply = answer(request)
            # Section 9.3: HTTP/1.1 connections persist unless one side says otherwise; here, HTTP/1.0 ones never do.
            keep = request.minor > 0 and "close" not in request.items("connection") and not reply.until_close
        except EOFError:
            return
        except Refusal as refusal:  # we cannot know where the next request begins
            reply, keep = Reply(refusal.status, f"{refusal}\n"), False
        send_reply(conn, request, reply, keep)
    linger(conn)
