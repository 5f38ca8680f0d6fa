"""Read one HTTP/1.1 request off a connected socket: where does it end, and where does the next one begin?

A message is lines of text, an empty line, then a body (syntax: RFC 9112; meaning: RFC 9110). TCP keeps no message
boundaries, so both ends have to work out the same end from the text. For a request, RFC 9112 section 6.3 has three
answers: a Content-Length; a size before each piece (chunked); neither, and then there is no body. Two readers who
answer differently read a body as a request, which is how requests are smuggled past a proxy. Hence the rules:

- whatever is ambiguous is refused, with a status and a sentence that says why, and nothing more is read;
- each line, head and body has a limit, so that no client can fill the memory;
- where a body ends is decided before any of it is read.

`Inbox` holds what has arrived and is not used yet; `read_head`, then `read_body`, fill in a `Request`.
"""

from __future__ import annotations

import re
import socket

LINE_LIMIT = 8192  # bytes; RFC 9112 section 3: request lines of at least 8000 should be supported
FIELDS_LIMIT = 32 * 1024  # bytes; without a limit one client could fill the memory with a single head
BODY_LIMIT = 16 * 1024 * 1024  # bytes
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")  # known; few pages allow them

# Each pattern has one way to match, so hostile input costs linear time. Text is decoded as Latin-1: never fails.
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110 section 5.6.2
REQUEST_LINE = re.compile(rf'({TOKEN}) ([!"$-~]+) HTTP/([0-9])\.([0-9])\r\n')  # RFC 9112 section 3
FIELD_LINE = re.compile(rf"({TOKEN}):([\t -~\x80-\xff]*)\r\n")  # section 5.1: no space before the colon
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~%!$&'()*+,;=-]+)(:[0-9]*)?")  # RFC 9110 section 7.2
CHUNK_LINE = re.compile(r"([0-9A-Fa-f]+)([ \t]*;[\t -~\x80-\xff]*)?\r\n")  # section 7.1: extensions are ignored


class Refusal(Exception):
    """A request that cannot be read on: the status to answer with, and the sentence that explains it."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Inbox:
    """The bytes that have arrived and are not used yet: one recv() may bring half a line, or three requests."""

    def __init__(self, conn: socket.socket) -> None:
        self.conn = conn
        self.arrived = bytearray()

    def receive(self) -> None:
        data = self.conn.recv(65536)
        if not data:
            raise EOFError("the peer closed")
        self.arrived += data

    def take(self, size: int) -> bytes:
        """Return exactly `size` bytes; raises EOFError when the peer closes first."""
        while len(self.arrived) < size:
            self.receive()
        taken = bytes(self.arrived[:size])
        del self.arrived[:size]
        return taken

    def line(self, limit: int, too_long: int) -> bytes:
        """Return one line with its line feed; raises Refusal(too_long) when it is over `limit` bytes."""
        while (end := self.arrived.find(b"\n", 0, limit)) < 0:
            if len(self.arrived) >= limit:
                raise Refusal(too_long, f"A line may have {LINE_LIMIT} bytes here, all fields {FIELDS_LIMIT}.")
            self.receive()
        return self.take(end + 1)


class Request:
    """What has been read of a request so far; the defaults stand when it is refused at the first line."""

    method, host, path, query = "", "", "", ""
    minor = 1  # HTTP/1.minor
    head = b""  # as it came
    body = b""

    def __init__(self) -> None:
        self.fields: list[tuple[str, str]] = []  # names in lower case: they are case-insensitive

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    def items(self, name: str) -> list[str]:
        """The elements of a list field, in lower case; two lines of one name are one list (RFC 9110 section 5.3)."""
        return [item.strip(" \t").lower() for value in self.values(name) for item in value.split(",")]


def read_fields(inbox: Inbox) -> tuple[bytes, list[tuple[str, str]]]:
    """Read field lines up to the empty line: all bytes as they came, and the (name, value) pairs."""
    raw, fields = bytearray(), []
    while (line := inbox.line(FIELDS_LIMIT - len(raw), 431)) != b"\r\n":
        match = FIELD_LINE.fullmatch(line.decode("latin-1"))
        if not match:  # a folded line too: section 5.2 lets a server refuse it
            raise Refusal(400, "Each field line must read like 'Name: value' and end in CR LF.")
        fields.append((match[1].lower(), match[2].strip(" \t")))
        raw += line
    return bytes(raw + line), fields


def read_head(inbox: Inbox, request: Request) -> None:
    """Read the request line and the fields; raises Refusal, and EOFError when the peer closes first."""
    while (line := inbox.line(LINE_LIMIT, 414)) == b"\r\n":
        pass  # section 2.2: some clients send an empty line after a body, which belongs to nothing
    match = REQUEST_LINE.fullmatch(line.decode("latin-1"))
    if not match:
        raise Refusal(400, "A request begins with a line like 'GET / HTTP/1.1', and each line ends in CR LF.")
    request.method, target, request.minor = match[1], match[2], int(match[4])
    if match[3] != "1":
        raise Refusal(505, "This server speaks HTTP/1.1 and HTTP/1.0.")
    if request.method not in METHODS:
        raise Refusal(501, f"This server knows the methods {', '.join(METHODS)}.")
    raw, request.fields = read_fields(inbox)
    request.head = line + raw

    hosts = request.values("host")  # section 3.2: exactly one in HTTP/1.1, so that nobody can guess differently
    if len(hosts) > 1 or (request.minor > 0 and not hosts):
        raise Refusal(400, f"An HTTP/1.1 request has one Host field; this one has {len(hosts)}.")
    authority = hosts[0] if hosts else "localhost"
    if absolute := re.fullmatch(r"http://([^/?]*)(.*)", target, re.IGNORECASE):
        authority, target = absolute[1], absolute[2]  # section 3.2.2: as sent to proxies; overrides Host
        target = target if target.startswith("/") else "/" + target
    names = [HOST.fullmatch(name) for name in (authority, *hosts)]
    if not names[0] or not all(names):
        raise Refusal(400, "Host must be a name or an address, with a port or without.")
    if not target.startswith("/") and (request.method, target) != ("OPTIONS", "*"):
        raise Refusal(400, "The target of a request begins with a slash.")
    request.host = names[0][1].lower()  # with any port: ours changes with every run
    request.path, _, request.query = target.partition("?")


def read_body(inbox: Inbox, request: Request) -> None:
    """Decide where the body ends (RFC 9112 section 6.3) before reading any of it."""
    codings, lengths = request.items("transfer-encoding"), request.values("content-length")
    if codings and (lengths or request.minor == 0):  # section 6.1: how requests are smuggled past a proxy
        raise Refusal(400, "Transfer-Encoding goes with HTTP/1.1 and without Content-Length.")
    if codings and codings != ["chunked"]:
        raise Refusal(501 if codings[-1] == "chunked" else 400, "This server reads one transfer coding: chunked.")
    if len(lengths) > 1 or not all(re.fullmatch("[0-9]+", text) for text in lengths):
        raise Refusal(400, "Content-Length must be given once, in decimal digits.")
    if lengths and (len(lengths[0]) > 19 or int(lengths[0]) > BODY_LIMIT):  # int() refuses thousands of digits
        raise Refusal(413, f"A body may have {BODY_LIMIT} bytes.")
    length = int(lengths[0]) if lengths else 0
    # A client that expects this holds the body back until it knows that it is wanted (RFC 9110 section 10.1.1).
    if request.minor > 0 and (codings or length) and "100-continue" in request.items("expect"):
        inbox.conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.body = read_chunks(inbox) if codings else inbox.take(length)


def read_chunks(inbox: Inbox) -> bytes:
    """Return the chunks joined (RFC 9112 section 7.1); extensions and trailer fields are dropped."""
    body = bytearray()
    while True:
        match = CHUNK_LINE.fullmatch(inbox.line(LINE_LIMIT, 400).decode("latin-1"))
        if not match:
            raise Refusal(400, "A chunk begins with its size in hexadecimal digits and CR LF.")
        size = int(match[1], 16)
        if len(body) + size > BODY_LIMIT:
            raise Refusal(413, f"A body may have {BODY_LIMIT} bytes.")
        if size == 0:
            read_fields(inbox)  # the trailer, usually just the empty line; section 7.1.2 lets us drop it
            return bytes(body)
        body += inbox.take(size)
        if inbox.take(2) != b"\r\n":
            raise Refusal(400, "A chunk ends in CR LF after as many bytes as its size says.")
