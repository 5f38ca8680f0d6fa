"""What all servers have in common: an address, counts, and a life that ends, asked for or forgotten."""

from __future__ import annotations

import socket
import weakref
from collections import deque
from types import TracebackType
from typing import Any, Protocol, TypeVar

from .endings import ServerError, name_of

AnyServer = TypeVar("AnyServer", bound="Server")


class Engine(Protocol):
    """The threads behind a server. It does not know the `Server`, so that forgetting that one can be noticed."""

    handler: Any
    accepted: int
    errors: deque[BaseException]
    closing: bool

    def start(self) -> None:
        """Start the first thread."""

    def dismiss(self) -> None:
        """Begin the end without waiting for it, in any thread; may be repeated."""

    def close(self) -> None:
        """Begin the end and wait for it; raise what is to be told."""


class Server:
    """A loopback server in background threads.

    Use it in a ``with`` statement, or call `close` when done; a server that is forgotten closes itself, when the
    garbage collector finds it or when the interpreter exits.
    """

    def __init__(self, kind: str, sock: socket.socket, engine: Engine) -> None:
        self._kind = kind
        self._address: Any = sock.getsockname()
        self._family = socket.AddressFamily(sock.family)
        self._engine = engine
        # First the promise to clean up, then the first thread: an interrupt in between finds everything in order.
        self._forgotten = weakref.finalize(self, engine.dismiss)
        engine.start()

    @property
    def address(self) -> Any:
        """Where it listens, as `connect` wants it: (host, port), for IPv6 with flow and scope, for Unix the path."""
        return self._address

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET, AF_INET6 or AF_UNIX."""
        return self._family

    @property
    def connections(self) -> tuple[socket.socket, ...]:
        """The server's side of each connection that is being served now, in the order of acceptance."""
        return ()

    @property
    def accepted(self) -> int:
        """How many connections, or datagrams, the handler has been given so far."""
        return self._engine.accepted

    @property
    def errors(self) -> tuple[BaseException, ...]:
        """What went wrong so far, oldest first: peers that vanished, and exceptions of the handler."""
        return tuple(self._engine.errors)

    @property
    def closed(self) -> bool:
        """True once `close` has begun."""
        return self._engine.closing

    def close(self) -> None:
        """Stop listening, end every connection, join every thread; when it returns nothing is left.

        A client that had connected before is still served: its handler reads what has arrived, then ``b""``, and what
        it answers within 0.2 s reaches the client. Idempotent. Raises `ServerError` once: from the exception of a
        handler that raised one, or naming the line of a handler that had not returned after half a second. (Both
        times are longer on a machine with much else to do.) A handler that closes its own server does not wait.
        """
        self._engine.close()
        self._forgotten.detach()

    def __enter__(self: AnyServer) -> AnyServer:
        if self.closed:
            raise RuntimeError(f"this server is closed and cannot be opened again: start another {self._kind}(...)")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except ServerError:
            # The handler's exception is the likely cause of an Exception here, so both are shown; an interrupt is
            # what the person asked for and is not replaced by anything.
            if kind is None or issubclass(kind, Exception):
                raise

    def __repr__(self) -> str:
        # Without port and address: they differ from run to run, and a notebook's outputs are compared.
        return f"<{self._kind} {name_of(self._engine.handler)}, {'closed' if self.closed else 'listening'}>"
