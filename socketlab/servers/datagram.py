"""A server for datagrams: one socket, one thread, one answer at most for each datagram that comes.

There are no connections to end. To stop, the socket becomes non-blocking, so that the thread serves what is queued
and then leaves; and because a thread that is already blocked in `recvfrom` does not notice, the socket sends itself
an empty datagram, which also ends the service where clients send without a pause. (Should the queue be full, that
datagram is lost, but then the thread is not blocked, and sends itself another one when it has made room.)
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from typing import Any

from ..handlers import DATAGRAM_FORM, DatagramHandler, StreamHandler
from ..interrupts import Uninterrupted
from .endings import KEPT_ERRORS, PATIENCE, CutOff, check_plain, cut_off, first_of, join, name_of
from .life import Server
from .loopback import explain_bind, internet_address

LARGEST = 65535  # a UDP length field has 16 bits (RFC 768), so no datagram can be longer


class _Post:
    """The thread, the socket and the counts; an `Engine`."""

    def __init__(self, sock: socket.socket, handler: DatagramHandler) -> None:
        self.sock = sock
        self.handler = handler
        self.own = sock.getsockname()
        self.accepted = 0
        self.errors: deque[BaseException] = deque(maxlen=KEPT_ERRORS)
        self.faults: deque[BaseException] = deque(maxlen=KEPT_ERRORS)
        self.closing = False
        self.owner = os.getpid()
        self.lock = threading.RLock()
        self.inside = False  # whether the thread stands in the handler
        self.thread = threading.Thread(target=self._work, name=f"{name_of(handler)} server", daemon=True)

    def start(self) -> None:
        """Raises RuntimeError where the machine starts no thread any more."""
        try:
            with Uninterrupted():
                self.thread.start()
        except RuntimeError:
            self.sock.close()
            raise

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
                if peer == self.own:  # from dismiss(): what follows was sent after the end began
                    break
                self._answer(data, peer)
                if self.closing:  # there is room in the queue now, if there was none before
                    self._write_to_myself()
        except CutOff:
            pass
        finally:
            self.sock.close()

    def _answer(self, data: bytes, peer: Any) -> None:
        self.accepted += 1
        try:
            with self.lock:
                self.inside = True
            try:
                reply = self.handler(data, peer)
            finally:
                with self.lock:
                    self.inside = False
            if reply is not None:
                if not isinstance(reply, (bytes, bytearray, memoryview)):
                    raise TypeError(
                        f"a datagram handler returns bytes, which are sent back, or None; {name_of(self.handler)!r} "
                        f"returned {type(reply).__name__}"
                    )
                self.sock.sendto(reply, peer)
        except ConnectionResetError as exc:  # Windows again
            self.errors.append(exc.with_traceback(None))
        except CutOff:
            raise
        except BaseException as exc:
            self.faults.append(exc)
            self.errors.append(exc)

    def _write_to_myself(self) -> None:
        try:
            self.sock.sendto(b"", self.own)
        except OSError:  # EBADF: it has ended already; EAGAIN, ENOBUFS: the queue is full, so nobody is blocked
            pass

    def dismiss(self) -> None:
        """Begin the end without waiting for it; may be repeated."""
        if os.getpid() != self.owner:  # a forked child: the socket is shared, the thread is not here
            self.closing = True
            self.sock.close()
            return
        with Uninterrupted():
            self.closing = True
            try:
                self.sock.settimeout(0)
            except OSError:  # EBADF: it has ended already
                return
            self._write_to_myself()

    def close(self) -> None:
        self.dismiss()
        if os.getpid() != self.owner or threading.current_thread() is self.thread:
            return
        join([self.thread], PATIENCE, lambda: self.accepted)
        error = cut_off(lambda: [self.thread] if self.inside else [], self.lock, self.handler)
        faults, self.faults = list(self.faults), deque(maxlen=KEPT_ERRORS)
        if error is None and faults:
            error = first_of(faults, self.handler)
        if error is not None:
            raise error


class DatagramServer(Server):
    """A `Server` for datagrams, which have no connections; made by `udp_server`."""


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
    check_plain(handler)
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
    return DatagramServer("udp_server", sock, _Post(sock, answer))
