"""A server that is started and stopped, the record of what it heard and said, and one client to talk to it with.

This is the server panel without its face: no widgets, every method callable from any thread, sentences instead of
exceptions where something that a person pressed cannot be done.
"""

from __future__ import annotations

import functools
import os
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from ...handlers import StreamHandler, chargen, daytime, discard, echo, reverse
from ...handlers.web import http
from ...servers import ServerError, tcp_server, unix_server
from ...servers.endings import check_plain
from ...servers.stream import StreamServer
from ..drawing.look import brief
from .recording import Record, describe
from .visitor import Visitor

HANDLERS: tuple[StreamHandler, ...] = (echo, discard, chargen, daytime, reverse, http)


class WatchedServer(StreamServer):
    """A `StreamServer` that tells when it is closed, also by a cell; one that runs becomes one by its class alone."""

    changed: Callable[[], None]

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.changed()


class Conversation:
    """`handlers` are offered beside the six of `socketlab.handlers`; `changed` is called, from any thread, at a change.

    Raises TypeError for a handler that cannot be called, or is a coroutine or generator function.
    """

    def __init__(self, handlers: Iterable[StreamHandler] = (), changed: Callable[[], None] = lambda: None) -> None:
        self.handlers: dict[str, StreamHandler] = {}
        for handler in (*HANDLERS, *handlers):
            if not callable(handler):
                raise TypeError(f"a handler is a function of one connected socket, such as echo, not {handler!r}")
            check_plain(handler)
            self.handlers[getattr(handler, "__name__", type(handler).__name__)] = handler
        self.record = Record(changed)  #: of the server that was started last
        self.server: StreamServer | None = None  #: the one that was started last, closed or not
        self.visitor: Visitor | None = None
        self.serving = ""  #: the name of the handler of `server`
        self.problem = ""  #: what could not be done, as a sentence; "" after something that could
        self._ended = False
        self._changed = changed
        # One thing at a time: JupyterLab delivers clicks in a thread of their own while a cell may use the panel too.
        self._lock = threading.RLock()

    @property
    def running(self) -> bool:
        return self.server is not None and not self.server.closed

    def start(self, handler: str, family: int = socket.AF_INET) -> None:
        """Stop what runs and start `handler`, named as in `handlers`. A family that fails is told in `problem`."""
        with self._lock:
            if self._ended:
                return
            self.stop()
            record = Record(self._changed)
            watched = record.watch(self.handlers[handler])
            try:
                server = unix_server(watched) if _is_unix(family) else tcp_server(watched, family=family)
                server.__class__ = WatchedServer
                assert isinstance(server, WatchedServer)
                server.changed = self._changed
                self.server, self.record, self.visitor = server, record, None
                self.serving, self.problem = handler, ""
            except (OSError, NotImplementedError, ValueError) as exc:
                self.problem = f"The server could not start: {exc}"
            self._changed()

    def stop(self) -> None:
        """Close client and server. An exception that the server's handlers left is told in `problem`."""
        with self._lock:
            self.problem = ""
            if self.visitor is not None:
                self.visitor.close()
            if self.server is not None:
                try:
                    self.server.close()
                except ServerError as exc:
                    self.problem = brief(str(exc))
            self._changed()

    def end(self) -> None:
        """Stop, and start nothing any more. Idempotent."""
        with self._lock:
            self._ended = True
            self.stop()

    def connect(self) -> None:
        """Make the client; one that is there hangs up first."""
        with self._lock:
            self.hang_up()
            if self.server is None:
                self.problem = "There is no server to connect to yet: start it first."
            else:
                try:
                    self.visitor = Visitor(self.server.family, self.server.address, self._changed)
                except OSError as exc:
                    self.problem = f"The client could not connect: {describe(exc)}. Does the server run? Start it."
            self._changed()

    def send(self, data: bytes) -> None:
        self._drive(lambda visitor: visitor.send(data), "send")

    def half_close(self) -> None:
        self._drive(Visitor.half_close, "finish sending")

    def reset(self) -> None:
        self._drive(Visitor.reset, "reset")

    def hang_up(self) -> None:
        """Close the client, if there is one."""
        with self._lock:
            self.problem = ""
            if self.visitor is not None:
                self.visitor.close()
            self._changed()

    def _drive(self, action: Callable[[Visitor], object], what: str) -> None:
        with self._lock:
            if self.visitor is None or not self.visitor.present:
                self.problem = "There is no client: connect one first."
            else:
                try:
                    action(self.visitor)
                    self.problem = ""
                except TimeoutError:
                    self.problem = f"The client could not {what} everything: the server does not read, and what waits "
                    self.problem += "between them has reached its limit."
                except OSError as exc:
                    self.problem = f"The client could not {what}: {describe(exc)}. Connect makes a new client."
            self._changed()


def families() -> dict[str, int]:
    """The families in which this machine can run a loopback server, by the name that a person picks."""
    from ...probe import WITHOUT

    return dict(_families(os.environ.get(WITHOUT, "")))


@functools.cache  # a probe takes 50 ms and would say the same again, unless it is told to pretend otherwise
def _families(without: str) -> tuple[tuple[str, int], ...]:
    from ...probe import probe

    passport = probe()
    offered = (
        ("IPv4", "ipv4", socket.AF_INET),
        ("IPv6", "ipv6", socket.AF_INET6),
        ("Unix", "unix", getattr(socket, "AF_UNIX", -1)),
    )
    return tuple((name, int(family)) for name, key, family in offered if passport.works(key))


def place(address: Any) -> str:
    """An address as a person reads it: 127.0.0.1:8080, [::1]:8080, or the path of a Unix socket."""
    if not isinstance(address, tuple):
        return str(address) if address else "an unnamed Unix socket"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_unix(family: int) -> bool:
    return family == getattr(socket, "AF_UNIX", None)
