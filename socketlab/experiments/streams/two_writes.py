"""A request in two pieces, and its reply: one conversation over TCP, written in one of several ways, and timed.

The client writes a header and a body; the server answers with one byte when it has both. Client and server note when
each step was over, by the same clock, and the kernel is asked what left at once (TCP_INFO, tcp(7)).
"""

from __future__ import annotations

import socket
from _socket import socket as _Socket  # looking at a connection does not show up in a trace
from time import perf_counter_ns
from typing import NamedTuple

from ...measure.pump import PeerError
from ...measure.tcp_fields import TcpInfo, decode

TWO_WRITES, ONE_WRITE = "two writes", "one write"
#: What can be done about the wait.
REMEDIES = ("TCP_NODELAY", "TCP_QUICKACK", "TCP_CORK", "MSG_MORE", ONE_WRITE)

PATIENCE = 5.0  # seconds for each call
_INFO = 512  # bytes of TCP_INFO: all that Linux has


class Exchange(NamedTuple):
    """One request and its reply; times in seconds since the first write began. None: this system does not tell."""

    latency: float  #: until the client had the reply
    first: float  #: until the first write returned
    written: float  #: until the last write returned, and the cork was out
    heard: float  #: until the server had something
    complete: float  #: until the server had header and body
    segments: int | None  #: with data, that the client sent
    held: int | None  #: bytes that were still in the client's send queue, unsent, after the last write


def missing(remedies: frozenset[str]) -> list[str]:
    """Those of `remedies` that this system has no constant for: macOS and Windows have none of Linux's three."""
    return sorted(name for name in remedies if name != ONE_WRITE and not hasattr(socket, name))


class Conversation:
    """A client that writes in one way, and the server's handler, `answer`; `exchange` needs `use` before."""

    def __init__(self, remedies: frozenset[str], header: int, body: int) -> None:
        self.header, self.body = b"h" * header, b"b" * body
        self.both = self.header + self.body
        self.one, self.cork = ONE_WRITE in remedies, "TCP_CORK" in remedies
        self.flags: int = getattr(socket, "MSG_MORE", 0) if "MSG_MORE" in remedies else 0
        self.nodelay, self.quickack = "TCP_NODELAY" in remedies, "TCP_QUICKACK" in remedies
        self.mss: int | None = None  #: bytes in a full segment, after the latest exchange
        self._marks: list[tuple[int, int]] = []  # when the server had something, and when everything

    def use(self, client: socket.socket) -> None:
        """Take this connection to a server with our handler. Nagle's algorithm is on, unless it is to be off."""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, self.nodelay)
        self.client = client

    def answer(self, conn: socket.socket) -> None:
        """One byte for each complete request."""
        size = len(self.both)
        buffer = bytearray(min(size, 65536))
        while True:
            left, heard = size, 0
            while left:
                if self.quickack:  # anew before each recv: the kernel leaves the mode by itself (tcp(7))
                    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                count = conn.recv_into(buffer, min(left, len(buffer)))
                if not count:
                    return
                heard = heard or perf_counter_ns()
                left -= count
            self._marks.append((heard, perf_counter_ns()))
            conn.sendall(b"r")

    def exchange(self) -> Exchange:
        """Write a request, wait for the reply. Raises PeerError where none comes within 5 s."""
        sock, header, body = self.client, self.header, self.body
        before = self._info()
        try:
            began = perf_counter_ns()
            if self.cork:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            if self.one:
                sock.sendall(self.both)
                first = perf_counter_ns()
            else:
                sock.sendall(header, self.flags)
                first = perf_counter_ns()
                sock.sendall(body)
            if self.cork:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            written = perf_counter_ns()
            between = self._look()
            reply = sock.recv(1)
            ended = perf_counter_ns()
        except (TimeoutError, BlockingIOError) as exc:  # SO_RCVTIMEO ends a recv with EAGAIN
            raise PeerError(f"an exchange wanted its reply within {PATIENCE:g} s, but none came") from exc
        if not reply:
            raise PeerError("an exchange wanted a reply, but the server closed")
        after = self._info()
        held = None if between is None else decode(between).notsent_bytes
        segments = None
        if before.data_segs_out is not None and after.data_segs_out is not None:
            segments = after.data_segs_out - before.data_segs_out
        self.mss = after.snd_mss
        heard, complete = self._marks.pop()
        moments = (ended, first, written, heard, complete)
        latency, first_s, written_s, heard_s, complete_s = ((moment - began) / 1e9 for moment in moments)
        return Exchange(latency, first_s, written_s, heard_s, complete_s, segments, held)

    def _look(self) -> bytes | None:
        """TCP_INFO, raw: reading it is quick, and understanding it can wait until the exchange is over."""
        if not hasattr(socket, "TCP_INFO"):
            return None
        return _Socket.getsockopt(self.client, socket.IPPROTO_TCP, socket.TCP_INFO, _INFO)

    def _info(self) -> TcpInfo:
        data = self._look()
        return TcpInfo() if data is None else decode(data)
