"""An answer that is a server: it serves in the scenario's thread while clients talk beside it, until it is told to end.

The contract of lesson 27: ``serve(sock, stop, …)`` serves at a socket that is listening, or bound for datagrams, until
`stop` can be read, and then returns, with its connections closed and its threads ended. The socket is the caller's.
`stop` comes when every client has left.

No clock decides: a client that hears nothing waits longer than the scenario has, and what should have come next is
what the verdict says was expected.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading
import time
from _socket import socket as _Socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..experiments.doors.wire import abort
from .attempt import PATIENCE, PEER, Attempt, Raised, Unmet, until
from .threads import errors_in_threads
from .words import shown

LISTENER_CLOSED = "it was closed"
ENDS = "it returns when stop can be read"
SERVES = f"it serves, and {ENDS.removeprefix('it ')}"
GONE = "the end of the connection"
SMALL = 4096  # bytes of a send buffer: the kernel takes some 12,000 then for a client that does not read
AT_ONCE = 0.05  # seconds in which an answer that waits for nobody has returned
SOON = 0.3  # seconds in which a thread that has nothing left to do has ended
LOOK = 0.0005  # seconds between two looks at what the server has taken


class Service:
    """One server, and its clients."""

    def __init__(self, attempt: Attempt, *, small: bool = False, datagrams: bool = False) -> None:
        self.attempt, self.facts, self.clients = attempt, attempt.seen.facts, list[Any]()
        self.wanted, self.over = "", False
        self.lock = threading.Lock()  # of `over` and of what is expected: the answer may end at any moment
        if datagrams:
            self.sock = attempt.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            self.sock.bind(("127.0.0.1", 0))
        else:
            self.sock = attempt.listener(backlog=64)
        if small:  # who is accepted has what the listener has
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        self.address = self.sock.getsockname()
        self.stop, self.ring = map(attempt.keep, socket.socketpair())
        self.facts["service"] = True

    def client(self, name: str = "the client") -> Client:
        """A client that is connected."""
        return Client(self, name)

    def now(self, wanted: str) -> None:
        """From now on that is what has to come next."""
        with self.lock:
            if not self.over:
                self.wanted = self.attempt.seen.expected = wanted

    def run(self, talk: Callable[[], object], *more: Any, watch: bool = False) -> None:
        """Let the answer serve while `talk` goes on. All clients leave when it ends, and the server is told to end.

        `more` are the answer's further arguments; with `watch` it is seen whether it goes on without being told to end.
        """
        attempt, facts = self.attempt, self.facts
        others = threading.enumerate()

        def talk_and_leave() -> None:
            try:
                talk()
            except Unmet as exc:
                facts["wrong"] = exc.expected, exc.came
            except OSError as exc:
                facts["wrong"] = self.wanted, type(exc).__name__
            finally:
                facts["early"] = until(lambda: attempt.seen.returned, AT_ONCE if watch else 0.0)
                for client in self.clients:
                    client.sock.close()
                self.now(ENDS)
                facts["stopped"] = True
                self.ring.close()

        with errors_in_threads(attempt):
            beside = attempt.beside(talk_and_leave)
            try:
                attempt.call(self.sock, self.stop, *more)
            except Raised:
                with self.lock:  # how far the clients were by then is chance
                    self.over, attempt.seen.expected = True, SERVES
                raise
            finally:
                self.over = True
            facts["early"] = facts.get("early") or not facts.get("stopped")
            attempt.want(not facts["early"], "it serves until stop can be read", "it returned before")
            beside.join(1.0)
            left = [
                one
                for one in threading.enumerate()
                if one not in others and not one.name.startswith(PEER) and not one.name.endswith(" server")
            ]
            facts["threads left"] = not until(lambda: not any(one.is_alive() for one in left), SOON)
        if "wrong" in facts:
            raise Unmet(*facts["wrong"])
        attempt.want(not facts["threads left"], "no thread is left when it returns", "one is")
        attempt.want(self.sock.fileno() >= 0, "the socket that it was given is open when it returns", LISTENER_CLOSED)
        self.stop.close()


class Client:
    """One client of a stream server: what it says, and what it has to hear."""

    def __init__(self, service: Service, name: str) -> None:
        self.service, self.name, self.facts = service, name, service.facts
        self.sock = service.attempt.keep(socket.create_connection(service.address, PATIENCE))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each piece of `slowly` leaves at once
        self.address = self.sock.getsockname()
        self._rest = b""
        service.clients.append(self)

    def says(self, data: bytes) -> None:
        self.sock.sendall(data)

    def slowly(self, data: bytes, size: int = 1) -> None:
        """Say it in pieces, each when the server has taken the one before."""
        for start in range(0, len(data), size):
            self.sock.sendall(data[start : start + size])
            self.is_taken()

    def is_taken(self) -> None:
        """Wait until the server has taken what was said."""
        self.service.now(f"the server reads what {self.name} says")
        end = time.monotonic() + PATIENCE
        while (unread := unread_from(self.address)) != 0 and not (unread is None and self._is_over()):
            if time.monotonic() > end:
                raise TimeoutError("nobody reads")
            time.sleep(LOOK)

    def hears(self, wanted: bytes) -> None:
        """What comes next has to be that: so many bytes, or a line where a line is wanted."""
        expected = f"{self.name} hears {shown(wanted)}"
        if wanted.endswith(b"\n") and wanted.count(b"\n") == 1:
            heard = self.hears_line(shown(wanted)) + b"\n"
            if heard != wanted:
                self.facts["heard"] = heard
                raise Unmet(expected, shown(heard))
            return
        self.service.now(expected)
        heard = self._take(len(wanted))
        if heard != wanted:
            self.facts["heard"] = heard
            raise Unmet(expected, shown(heard) if heard else GONE)

    def hears_line(self, what: str) -> bytes:
        """A line, its end taken off; `what` it should be, in words."""
        self.service.now(f"{self.name} hears {what}")
        line = b""
        while not line.endswith(b"\n"):
            piece = self._take(1)
            if not piece:
                self.facts["heard"] = line
                raise Unmet(f"{self.name} hears {what}", shown(line) if line else GONE)
            line += piece
        return line[:-1]

    def hears_end(self) -> None:
        """Nothing more, and the end."""
        expected = f"{self.name} hears the end of the connection"
        self.service.now(expected)
        heard = self._take(1)
        if heard:
            self.facts["heard"] = heard
            raise Unmet(expected, shown(heard + self._rest))

    def finishes(self) -> None:
        """Say that nothing more will come, and go on listening."""
        self.sock.shutdown(socket.SHUT_WR)

    def leaves(self) -> None:
        self.sock.close()

    def vanishes(self) -> None:
        """Leave with a reset."""
        abort(self.sock)

    def _take(self, size: int) -> bytes:
        while len(self._rest) < size:
            try:
                piece = self.sock.recv(65536)
            except ConnectionError:
                piece = b""
            if not piece:
                break
            self._rest += piece
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def _is_over(self) -> bool:
        """Whether the server has said something, or hung up: then an end that is not there has been closed."""
        with suppress(BlockingIOError):
            try:
                _Socket.settimeout(self.sock, 0)
                _Socket.recv(self.sock, 1, socket.MSG_PEEK)
                return True
            except ConnectionError:
                return True
            finally:
                _Socket.settimeout(self.sock, PATIENCE)
        return False


def unread_from(address: Any) -> int | None:
    """Bytes that lie unread at the end of this process that is connected to `address`; None where there is no such.

    Where the system does not list descriptors, a moment is waited, and 0 returned.
    """
    if not sys.platform.startswith("linux"):
        time.sleep(0.01)
        return 0
    import fcntl
    import termios

    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            sock = _Socket(fileno=int(name))
            try:
                if sock.getpeername() == address:
                    return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)
            finally:
                sock.detach()
    return None
