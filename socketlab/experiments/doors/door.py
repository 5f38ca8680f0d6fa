"""A listener and the clients at its door: who sits in its queue, who stands outside, who has been let in.

listen(n) gives the queue of complete connections n + 1 seats (sk_acceptq_is_full() in Linux's include/net/sock.h; n is
capped at net.core.somaxconn, listen(2)). While it is full, Linux drops SYNs: the client's kernel sends its own again,
at first after a second. Its program sees a connect() that takes long, or ends with ETIMEDOUT after TCP_SYNCNT more
SYNs (tcp(7)), and some on top where net.ipv4.tcp_syn_linear_timeouts is not 0: 2 for 1, 5 for 2 on Linux 6.18.

Several SYNs that come while one seat is free are all answered, and one of them gets it. The others' connect() returns
too, for the client's side of the handshake is complete; the listener drops its last step and, where it has answered
with SYN cookies, forgets them (net.ipv4.tcp_syncookies). What brings them in later is their data, sent again and again:
so each client here sends a byte as soon as its connect() has returned, as clients do.

A Unix socket has no SYNs: a client that finds the queue full gets EAGAIN (connect(2)).
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
from _socket import socket as _Socket  # looking at a connection does not show up in a trace
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from ...interrupts import Uninterrupted
from ...measure.kernel_table import Entry, find
from ...measure.tcp_fields import tcp_info
from ..buffers.queues import Depths
from ..wanted import whole

OUTSIDE, HALF_IN, QUEUED, ACCEPTED, FAILED = "outside", "half in", "queued", "accepted", "failed"

MOST_CLIENTS, MOST_BACKLOG, FASTEST = 64, 64, 200.0  # clients; listen(n); accepts a second
_MOMENT = 0.0005  # seconds: a handshake on loopback takes a tenth of it
_AGAIN = {errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK, errno.EAGAIN}
_THERE = {0, errno.EISCONN}
_FAMILIES = {"ipv4": "AF_INET", "ipv6": "AF_INET6", "unix": "AF_UNIX"}


@dataclass(frozen=True)
class Client:
    """One client, as it was seen at the latest look. Times in seconds since the first connect."""

    number: int  #: from 1, in the order in which they connected
    tries: tuple[float, ...]  #: when its SYN was sent, the first and again; only the first where that is not told
    connected: float | None = None  #: when connect() had succeeded
    queued: float | None = None  #: when it had a seat in the queue
    accepted: float | None = None  #: when accept() returned it
    error: str = ""  #: the errno with which connect() failed
    ended: float | None = None  #: when it failed
    next_try: float | None = None  #: seconds until its kernel sends again: the SYN, or for "half in" its byte

    @property
    def state(self) -> str:
        """OUTSIDE, HALF_IN (connect() has returned, and there is no seat for it), QUEUED, ACCEPTED or FAILED."""
        if self.error:
            return FAILED
        if self.accepted is not None:
            return ACCEPTED
        if self.queued is not None:
            return QUEUED
        return OUTSIDE if self.connected is None else HALF_IN


@dataclass(frozen=True, repr=False)
class ListenQueue:
    """A listener and its clients, from the first connect to the latest look, `seconds` later."""

    backlog: int  #: what listen() was asked for
    family: str  #: ipv4, ipv6 or unix
    seconds: float
    clients: tuple[Client, ...]
    depths: tuple[tuple[float, int], ...]  #: (seconds, connections in the queue), at each change and at the end
    seats: int | None  #: of the queue, as the kernel says; None where it does not

    def count(self, state: str) -> int:
        """How many clients are in this state."""
        return sum(client.state == state for client in self.clients)

    @property
    def settled(self) -> bool:
        """Whether nothing more can happen: everybody is let in or has given up."""
        return all(client.state in (ACCEPTED, FAILED) for client in self.clients)

    def __repr__(self) -> str:
        return f"<ListenQueue listen({self.backlog}), {len(self.clients)} {self.family} clients>"


class Door:
    """A listener and clients that all connect at once, in a ``with`` block; `look` accepts who is due, and looks.

    `accept_rate` is in accepts a second, 0 for never, and may be changed at any time. `syn_retries` is TCP_SYNCNT of
    the clients, None for the system's own. Raises ValueError for what is out of range or a system that lacks it.
    """

    def __init__(
        self, backlog: int, clients: int, accept_rate: float, family: str = "ipv4", syn_retries: int | None = None
    ) -> None:
        self.backlog = whole("backlog", backlog, 0, MOST_BACKLOG, "connections")
        self.wanted = whole("clients", clients, 1, MOST_CLIENTS, "clients")
        self.accept_rate = accept_rate
        families = {name: getattr(socket, kind) for name, kind in _FAMILIES.items() if hasattr(socket, kind)}
        if family not in families:
            raise ValueError(f"family wanted one of {', '.join(families)}, but got {family!r}")
        self.family, self._family = family, families[family]
        if syn_retries is not None:
            whole("syn_retries", syn_retries, 1, 127, "SYNs")
            if not hasattr(socket, "TCP_SYNCNT"):
                raise ValueError("syn_retries needs TCP_SYNCNT, which this system lacks")
        self.syn_retries = None if family == "unix" else syn_retries
        self._clients: list[Client] = []
        self._socks: list[socket.socket] = []
        self._depths: list[tuple[float, int]] = []
        self._seats: int | None = None

    @property
    def accept_rate(self) -> float:
        return self._rate

    @accept_rate.setter
    def accept_rate(self, rate: float) -> None:
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= FASTEST:
            raise ValueError(f"accept_rate wanted 0 to {FASTEST:g} accepts a second, but got {rate!r}")
        self._rate = float(rate)

    # -- its life ------------------------------------------------------------------------------------------------

    def __enter__(self) -> Door:
        self._stack = ExitStack()
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _open(self) -> None:
        self._listener = self._stack.enter_context(socket.socket(self._family, socket.SOCK_STREAM))
        self._listener.bind(self._place())
        self._listener.listen(self.backlog)
        self._listener.setblocking(False)
        self._address: Any = self._listener.getsockname()
        self._watch = Depths(self._listener)
        self._began = self._last_accept = perf_counter()
        self._idle = False  # whoever accepts would stand in accept(), with nobody to take
        for n in range(1, self.wanted + 1):
            sock = self._stack.enter_context(socket.socket(self._family, socket.SOCK_STREAM))
            sock.setblocking(False)
            if self.syn_retries is not None:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, self.syn_retries)
            self._socks.append(sock)
            client = Client(n, (self._now(),))
            code = sock.connect_ex(self._address)
            if code in _AGAIN and self.family != "unix":
                # On a busy machine the handshake is over a moment later; without it, the next SYN would overtake it.
                code = self._in_order(sock)
            if code in _AGAIN and self.family == "unix":  # full: there is nothing that would be tried again
                client = replace(client, error="EAGAIN", ended=self._now())
            self._clients.append(self._answered(client, sock, code) if not client.error else client)

    def _in_order(self, sock: socket.socket) -> int:
        """Wait a moment for the handshake; what connect() says then."""
        with selectors.DefaultSelector() as ready:
            ready.register(sock, selectors.EVENT_WRITE)
            ready.select(_MOMENT)
        return _Socket.connect_ex(sock, self._address)

    def _place(self) -> Any:
        if self.family != "unix":
            return ("127.0.0.1" if self.family == "ipv4" else "::1", 0)
        import tempfile

        with Uninterrupted():  # a lock in there can be lost to an interrupt
            directory = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="socketlab-"))
        return os.path.join(directory, "socket")

    def _now(self) -> float:
        return perf_counter() - self._began

    # -- a look ----------------------------------------------------------------------------------------------------

    def look(self) -> ListenQueue:
        """Accept whoever is due, ask the kernel about everybody else, and tell."""
        self._see()
        self._accept()
        depth = self._watch.step()[0]
        now = self._now()
        waiting = depth.receive
        if waiting is None:  # not told: who is connected and not accepted
            waiting = sum(client.state == QUEUED for client in self._clients)
        self._seats = depth.receive_limit if depth.receive_limit is not None else self._seats
        if not self._depths or self._depths[-1][1] != waiting:
            self._depths.append((now, waiting))
        depths = (*self._depths, (now, waiting))
        return ListenQueue(self.backlog, self.family, now, tuple(self._clients), depths, self._seats)

    def _accept(self) -> None:
        """Accept at the rate that is asked for. Who would block in accept() takes the next client at once."""
        while self._rate > 0 and (now := perf_counter()) >= self._last_accept + 1 / self._rate:
            try:
                conn, peer = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                self._idle = True
                return
            self._stack.enter_context(conn)
            self._last_accept = now if self._idle else self._last_accept + 1 / self._rate
            self._idle = False
            for n, client in enumerate(self._clients):
                mine = self.family == "unix" or self._socks[n].getsockname()[:2] == peer[:2]
                if mine and client.accepted is None and not client.error:
                    at = self._now()
                    client = replace(client, connected=client.connected or at, queued=client.queued or at)
                    self._clients[n] = replace(client, accepted=at, next_try=None)
                    break

    def _see(self) -> None:
        for n, (client, sock) in enumerate(zip(self._clients, self._socks, strict=True)):
            if client.state == OUTSIDE:
                self._clients[n] = self._answered(client, sock, _Socket.connect_ex(sock, self._address))
            elif client.state == HALF_IN:
                self._clients[n] = self._seated(client, sock)

    def _answered(self, client: Client, sock: socket.socket, code: int) -> Client:
        """`client` after its connect() has said `code`."""
        now = self._now()
        if code not in _AGAIN | _THERE:
            return replace(client, error=errno.errorcode.get(code, str(code)), ended=now, next_try=None)
        if self.family == "unix":
            return replace(client, connected=now, queued=now)
        if code in _AGAIN:
            entry = self._sending(sock)
            again = 0 if entry is None else entry.retransmits + 1 - len(client.tries)
            left = entry.left if entry is not None and entry.timer else None
            return replace(client, tries=(*client.tries, *(now,) * again), next_try=left)
        again = (tcp_info(sock).total_retrans or 0) + 1 - len(client.tries)  # one may have come since the last look
        client = replace(client, tries=(*client.tries, *(now,) * again))
        with suppress(OSError):
            _Socket.send(sock, b"!")
        return self._seated(replace(client, connected=now), sock)

    def _seated(self, client: Client, sock: socket.socket) -> Client:
        """`client`, whose connect() has succeeded, with or without a seat in the queue."""
        if code := _Socket.getsockopt(sock, socket.SOL_SOCKET, socket.SO_ERROR):
            return replace(client, error=errno.errorcode.get(code, str(code)), ended=self._now(), next_try=None)
        try:
            entry = find(self._family, self._address[:2], sock.getsockname()[:2])
            seated = entry is not None and entry.state != "SYN_RECV"
        except (OSError, NotImplementedError):  # this system does not tell
            seated = True
        if not seated:
            entry = self._sending(sock)
            return replace(client, next_try=entry.left if entry is not None and entry.timer else None)
        return replace(client, queued=self._now(), next_try=None)

    def _sending(self, sock: socket.socket) -> Entry | None:
        """What the kernel knows of the client's end; None where it does not tell. (TCP_INFO has no clock.)"""
        with suppress(OSError, NotImplementedError):
            return find(self._family, sock.getsockname()[:2], self._address[:2])
        return None
