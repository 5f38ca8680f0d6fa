"""Worker threads that take turns at one listener: whoever accepts a connection serves it, then comes back.

A thread per connection spends more time on starting threads than on talking, and one acceptor that hands
connections to a pool pays two context switches for each. So all idle workers wait in `accept` itself. The kernel
wakes exactly one of them per connection (waiters on a listening socket are exclusive and woken in the order in which
they came), and that one keeps the connection. Two rules hold it together:

* **One worker is always at the door.** A worker that accepted and leaves nobody behind hires another thread before
  it serves, because its handler may take for ever. So there are as many threads as there are clients at once, plus
  one; short connections in a row are served by two or three threads that never end.
* **The last one out closes the door.** Whoever ends the crew only sets a flag and shuts sockets down (a thread that
  is blocked in `accept` is woken by `shutdown`, with EINVAL, and not by `close`); the workers leave by themselves and
  the last one closes the listener. That needs no waiting, so a garbage collector can do it, in any thread;
  `Crew.close` does the same and then joins.

A connection that the kernel completed before the end began is served as well: for the client, connect() has
returned and its bytes may be sent already, so its answer must not depend on how fast a thread woke up.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections import deque
from collections.abc import Callable

from ..handlers import StreamHandler
from .endings import GRACE, KEPT_ERRORS, PATIENCE, CutOff, cut_off, first_of, join, name_of
from .interrupts import Uninterrupted

# Idle workers beyond this many go home after their connection. A worker costs about 40 KiB while it waits; a class
# of thirty clients that comes back should find thirty threads waiting.
MOST_IDLE = 32

# Out of descriptors or memory: accept(2) fails at once and would go on failing, until a connection ends.
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def _nothing() -> None:
    pass


class PeerVanished(Exception):
    """Raised by a layer between crew and handler; its ``__cause__`` is recorded and not held against the handler."""


class Crew:
    """The threads, live connections and errors of one listening socket; an `Engine`.

    `dress` is applied to an accepted socket before it is registered (TLS wraps it, without I/O); `clean_up` runs
    once, when nobody is let in any more.
    """

    def __init__(
        self,
        listener: socket.socket,
        handler: StreamHandler,
        *,
        dress: Callable[[socket.socket], socket.socket] | None = None,
        clean_up: Callable[[], object] = _nothing,
    ) -> None:
        self.handler = handler
        self.accepted = 0
        self.errors: deque[BaseException] = deque(maxlen=KEPT_ERRORS)
        self.closing = False
        self._listener = listener
        self._dress = dress
        self._clean_up = clean_up
        # Re-entrant, because the garbage collector may call dismiss() in a thread that holds it.
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)  # a connection ended: descriptors may be free again
        self._live: dict[socket.socket, None] = {}  # a set that keeps the order of acceptance
        self._threads: set[threading.Thread] = set()
        self._gone: list[threading.Thread] = []  # left by themselves, to be joined by whoever comes by
        self._idle = 0
        self._faults: list[BaseException] = []  # what handlers raised, to be handed over once
        self._owner = os.getpid()

    @property
    def live(self) -> tuple[socket.socket, ...]:
        """The connections being served, in the order of acceptance."""
        with self._lock:
            return tuple(self._live)

    def start(self) -> None:
        """Send the first worker to the door. Raises RuntimeError where the machine starts no thread any more."""
        self._hire()
        if not self._threads:
            raise self.errors[-1]

    # -- working ---------------------------------------------------------------------------------------------------

    def _hire(self, conn: socket.socket | None = None) -> None:
        """Start a thread that waits at the door, or one that serves `conn` and ends."""
        thread = threading.Thread(target=self._work, args=(conn,), name=f"{name_of(self.handler)} server", daemon=True)
        with Uninterrupted():
            with self._lock:
                self._threads.add(thread)
                self._idle += conn is None
                gone, self._gone = self._gone, []
            join(gone, PATIENCE)  # they have nothing left to do but end
            try:
                thread.start()
            except RuntimeError as exc:  # no more threads; those that there are will come back to the door
                with self._lock:
                    self._threads.discard(thread)
                    self._idle -= conn is None
                    self.errors.append(exc)
                if conn is not None:
                    conn.close()

    def _work(self, conn: socket.socket | None) -> None:
        try:
            if conn is not None:
                self._serve(conn)
            else:
                self._take_turns()
        except CutOff:
            pass  # it was meant for a handler that had just returned
        finally:
            me = threading.current_thread()
            with self._lock:
                self._threads.discard(me)
                self._gone.append(me)
                last = self.closing and not self._threads
            if last:
                self._listener.close()

    def _take_turns(self) -> None:
        surplus = False
        while not surplus and (conn := self._accept()) is not None:
            with self._lock:
                self._idle -= 1
                nobody_waits = not self._idle and not self.closing
            if nobody_waits:
                self._hire()
            self._serve(conn)
            del conn  # or this worker would hold the object while it waits for the next one
            with self._lock:
                self._idle += 1
                surplus = self._idle > MOST_IDLE
        with self._lock:
            self._idle -= 1

    def _accept(self) -> socket.socket | None:
        """Wait for the next connection; None when the crew has been dismissed."""
        while not self.closing:
            try:
                conn, _ = self._listener.accept()
            except OSError as exc:
                if self.closing:
                    break
                self.errors.append(exc.with_traceback(None))
                if exc.errno in EXHAUSTED:
                    with self._room:
                        self._room.wait(0.1)  # bounded: a descriptor may also be freed by code that we do not see
                elif exc.errno != errno.ECONNABORTED:  # somebody took the listener away from under us
                    break
            else:
                if conn.gettimeout() is not None:  # a learner's socket.setdefaulttimeout() is not meant for us
                    conn.settimeout(None)
                return conn
        return None

    def _serve(self, conn: socket.socket) -> None:
        if self._dress is not None:
            try:
                conn = self._dress(conn)
            except OSError as exc:  # gone before it began
                self.errors.append(exc.with_traceback(None))
                conn.close()
                return
        with self._lock:
            self.accepted += 1
            self._live[conn] = None
            if self.closing:
                _shut(conn, socket.SHUT_RD)
        try:
            self.handler(conn)
        except PeerVanished as exc:
            self._vanished(exc.__cause__ or exc)
        except ConnectionError as exc:
            self._vanished(exc)
        except CutOff:
            pass  # close() knows, and reports it
        except BaseException as exc:
            if not (self.closing and isinstance(exc, OSError)):  # OSError: our own cutting, seen from the handler
                self._faults.append(exc)
            self.errors.append(exc)
        finally:
            with self._lock:  # from here on nobody shuts it down: its number may be another socket's in a moment
                self._live.pop(conn, None)
                self._room.notify()
            conn.close()

    def _vanished(self, error: BaseException) -> None:
        self.errors.append(error.with_traceback(None))  # without its frames, which would keep the handler's sockets

    # -- ending ----------------------------------------------------------------------------------------------------

    def dismiss(self) -> None:
        """Begin the end: nobody is let in any more, everybody inside hears ``b""``."""
        if self._in_a_child():
            return
        with Uninterrupted(), self._lock:
            if not self.closing:
                self._serve_queue()
            self.closing = True
            self._room.notify_all()
            _shut(self._listener, socket.SHUT_RDWR)
            self._clean_up()
            self._clean_up = _nothing  # a later call must not unlink the path of a later server
            for conn in self._live:
                _shut(conn, socket.SHUT_RD)
            if not self._threads:
                self._listener.close()

    def close(self) -> None:
        """Dismiss the crew and wait for it. Raises `ServerError` for a handler that raised or would not return."""
        if self._in_a_child():
            return
        self.dismiss()
        stuck = self._wait()
        error = cut_off(stuck, self.handler) if stuck else None
        with self._lock:
            for conn in self._live:  # held by a thread that stands in a call that does not return
                conn.close()
            self._live.clear()
            faults, self._faults = self._faults, []
        self._listener.close()
        if error is None and faults:
            error = first_of(faults, self.handler)
        if error is not None:
            raise error

    def _in_a_child(self) -> bool:
        """True in a forked child, where the threads are not: shutdown() there would end the parent's connections."""
        if os.getpid() == self._owner:
            return False
        for sock in (self._listener, *self._live):
            sock.close()
        self.closing = True
        return True

    def _serve_queue(self) -> None:
        """Take in those whose connect() has returned already and give each a thread."""
        try:
            self._listener.settimeout(0)
            for _ in range(socket.SOMAXCONN):
                conn, _ = self._listener.accept()
                conn.settimeout(None)
                self._hire(conn)
        except OSError:  # BlockingIOError: the queue is empty; anything else: there is no listener any more
            pass

    def _wait(self) -> list[threading.Thread]:
        """Join the workers by the first two steps of `endings`; return those that need the third."""
        if not self._join(GRACE):
            return []
        with self._lock:
            for conn in self._live:
                _shut(conn, socket.SHUT_RDWR)
        return self._join(PATIENCE)

    def _join(self, seconds: float) -> list[threading.Thread]:
        with self._lock:
            threads = [*self._threads, *self._gone]
            self._gone = []
        return join(threads, seconds)


def _shut(sock: socket.socket, how: int) -> None:
    """Shut `sock` down, at the descriptor: SSLSocket.shutdown would forget its encryption under a thread that reads."""
    try:
        socket.socket.shutdown(sock, how)
    except OSError:  # ENOTCONN: the peer was faster; EBADF: the handler closed or detached it
        pass
