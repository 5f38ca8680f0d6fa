"""A server for datagrams: one socket, one thread, one answer at most for each datagram that comes.

There are no connections to end. To stop, the socket becomes non-blocking, so that the thread serves what is queued
and then leaves; and because a thread that is already blocked in `recvfrom` does not notice, the socket sends itself
an empty datagram. (Should the queue be full, that datagram is lost, but then the thread is not blocked.)
"""

from __future__ import annotations

import os
import socket
import threading
import weakref
from collections import deque
from types import TracebackType
from typing import Any

from ..handlers import DATAGRAM_FORM, DatagramHandler, StreamHandler
from .crew import KEPT_ERRORS
from .endings import PATIENCE, CutOff, ServerError, cut_off, join, name_of, where
from .loopback import explain_bind, internet_address

LARGEST = 65535  # a UDP length field has 16 bits (RFC 768), so no datagram can be longer


class _Post:
    """The thread, the socket and the counts; it does not know the `DatagramServer`, so that one can be forgotten."""

    def __init__(self, sock: socket.socket, handler: DatagramHandler) -> None:
        self.sock = sock
        self.handler = handler
        self.own = sock.getsockname()
        self.accepted = 0
        self.errors: deque[BaseException] = deque(maxlen=KEPT_ERRORS)
        self.faults: list[BaseException] = []
        self.closing = False
        self.owner = os.getpid()
        self.thread = threading.Thread(target=self._work, name=f"{name_of(handler)} server", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        try:
            while True:
                try:
                    data, peer = self.sock.recvfrom(LARGEST)
                except BlockingIOError:  # only after dismiss(): the queue is empty
                    break
                except ConnectionError as exc:  # Windows tells of an answer that nobody wanted; Linux does not
                    self.errors.append(exc.with_traceback(None))
                    continue
                except OSError as exc:
                    if not self.closing:
                        self.errors.append(exc)
                    break
                if peer != self.own:  # our own: the datagram of dismiss()
                    self._answer(data, peer)
        except CutOff:
            pass
        finally:
            self.sock.close()

    def _answer(self, data: bytes, peer: Any) -> None:
        self.accepted += 1
        try:
            reply = self.handler(data, peer)
            if reply is not None:
                if not isinstance(reply, (bytes, bytearray, memoryview)):
                    raise TypeError(
                        f"a datagram handler returns bytes, which are sent back, or None; {name_of(self.handler)!r} "
                        f"returned {type(reply).__name__}"
                    )
                self.sock.sendto(reply, peer)
        except ConnectionError as exc:
            self.errors.append(exc.with_traceback(None))
        except CutOff:
            raise
        except BaseException as exc:
            self.faults.append(exc)
            self.errors.append(exc)

    def dismiss(self) -> None:
        """Begin the end without waiting for it; may be repeated."""
        if os.getpid() != self.owner:  # a forked child: the socket is shared, the thread is not here
            self.sock.close()
            return
        self.closing = True
        try:
            self.sock.settimeout(0)
            self.sock.sendto(b"", self.own)
        except OSError:  # EBADF: it has ended already; EAGAIN: the queue is full, so nobody is blocked
            pass

    def close(self) -> None:
        self.dismiss()
        if os.getpid() != self.owner:
            return
        if join([self.thread], PATIENCE):
            place = where(self.thread, self.handler)
            cut_off(self.thread)
            ended = "was stopped" if not join([self.thread], PATIENCE) else "still stands"
            raise ServerError(f"handler {name_of(self.handler)!r} did not return; it {ended} at {place}")
        faults, self.faults = self.faults, []
        if faults:
            more = f" (and {len(faults) - 1} more, see .errors)" if len(faults) > 1 else ""
            raise ServerError(
                f"handler {name_of(self.handler)!r} raised {type(faults[0]).__name__}: {faults[0]}{more}"
            ) from faults[0]


class DatagramServer:
    """A loopback UDP server in a background thread; made by `udp_server`. The life cycle is `StreamServer`'s."""

    def __init__(self, post: _Post) -> None:
        self._post = post
        self._address: Any = post.own
        self._forgotten = weakref.finalize(self, post.dismiss)

    @property
    def address(self) -> Any:
        """Where it listens, as `sendto` wants it."""
        return self._address

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6."""
        return socket.AddressFamily(self._post.sock.family)

    @property
    def connections(self) -> tuple[socket.socket, ...]:
        """Always empty: datagrams have no connections."""
        return ()

    @property
    def accepted(self) -> int:
        """How many datagrams the handler has been given so far."""
        return self._post.accepted

    @property
    def errors(self) -> tuple[BaseException, ...]:
        """What went wrong so far, oldest first."""
        return tuple(self._post.errors)

    @property
    def closed(self) -> bool:
        """True once `close` has begun."""
        return self._post.closing

    def close(self) -> None:
        """Answer what has arrived, then stop and join. Idempotent. Raises `ServerError` like `StreamServer.close`."""
        self._post.close()
        self._forgotten.detach()

    def __enter__(self) -> DatagramServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except ServerError:
            if kind is None or issubclass(kind, Exception):  # as in StreamServer.__exit__
                raise

    def __repr__(self) -> str:
        return f"<udp_server {name_of(self._post.handler)}, {'closed' if self.closed else 'listening'}>"


def udp_server(
    handler: DatagramHandler | StreamHandler,
    host: str | None = None,
    port: int = 0,
    *,
    family: int | None = None,
) -> DatagramServer:
    """Start a UDP server on loopback; a datagram sent when this has returned will be received.

    `handler` is called with each datagram's bytes and its sender's address, and what it returns is sent back; None
    sends nothing. The stream handlers of the RFCs stand for their UDP forms: ``udp_server(echo)`` is RFC 862's.
    Raises what `tcp_server` raises.
    """
    if not callable(handler):
        raise TypeError(
            "handler must be a function of a datagram and its sender, such as socketlab.handlers.echo_datagram, "
            f"not {type(handler).__name__} {handler!r}"
        )
    try:
        answer: Any = DATAGRAM_FORM.get(handler, handler)  # type: ignore[arg-type]
    except TypeError:  # a callable that cannot be hashed is nobody's stream form
        answer = handler
    settled, host, port = internet_address(host, port, family)
    sock = socket.socket(settled, socket.SOCK_DGRAM)
    try:
        sock.settimeout(None)
        try:
            sock.bind((host, port))
        except OSError as exc:
            raise explain_bind(exc, (host, port)) from None
    except BaseException:
        sock.close()
        raise
    return DatagramServer(_Post(sock, answer))
