"""Worker threads that take turns at one listener: whoever accepts a connection serves it, then comes back.

A thread per connection spends more time on starting threads than on talking, and one acceptor that hands
connections to a pool pays two context switches for each. So all idle workers wait in `accept` itself. The kernel
wakes exactly one of them per connection (waiters on a listening socket are exclusive and woken in the order in which
they came), and that one keeps the connection. Two rules hold it together:

* **One worker is always at the door.** A worker that accepted and leaves nobody behind hires another thread before
  it serves, because its handler may take for ever. So there are as many threads as there are clients at once, plus
  one; short connections in a row are served by two or three threads that never end.
* **The last one out closes the door.** Whoever ends the crew only sets a flag and shuts sockets down (a thread that
  is blocked in `accept` is woken by `shutdown`, with EINVAL, not by `close`: accept(2)); the workers leave by
  themselves and the last one closes the listener. That needs no waiting, so a garbage collector can do it, in any
  thread; `Crew.close` is the same and then joins.

A connection that the kernel completed before the end began is served as well: for the client, connect() has
returned and its bytes may be sent already, so an answer must not depend on how fast a thread woke up.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections import deque
from collections.abc import Callable

from ..handlers import StreamHandler
from .endings import GRACE, PATIENCE, CutOff, ServerError, cut_off, join, name_of, where

# Idle workers beyond this many go home after their connection. A worker costs about 40 KiB while it waits; a class
# of thirty clients that comes back should find thirty threads waiting.
MOST_IDLE = 32

KEPT_ERRORS = 1000  # of the newest; a client that connects and resets in a loop must not fill the memory

# Out of descriptors or memory: accept(2) fails at once and would go on failing, until a connection ends.
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Crew:
    """The threads, live connections and errors of one listening socket.

    `dress` is applied to an accepted socket before it is registered (TLS wraps it, without I/O); `vanished` are the
    exceptions that mean "the peer went away", recorded and not held against the handler; `clean_up` runs once, after
    the listener is closed.
    """

    def __init__(
        self,
        listener: socket.socket,
        handler: StreamHandler,
        *,
        dress: Callable[[socket.socket], socket.socket] | None = None,
        vanished: tuple[type[BaseException], ...] = (ConnectionError,),
        clean_up: Callable[[], object] | None = None,
    ) -> None:
        self.handler = handler
        self.accepted = 0
        self.errors: deque[BaseException] = deque(maxlen=KEPT_ERRORS)
        self.closing = False
        self._listener = listener
        self._dress = dress
        self._vanished = vanished
        self._clean_up = clean_up
        self._name = name_of(handler)
        # Re-entrant, because the garbage collector may call dismiss() in a thread that holds it.
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)  # a connection ended: descriptors may be free again
        self._live: dict[socket.socket, None] = {}  # a set that keeps the order of acceptance
        self._threads: set[threading.Thread] = set()
        self._gone: list[threading.Thread] = []  # left by themselves, to be joined by whoever comes by
        self._idle = 0
        self._faults: list[BaseException] = []  # what handlers raised, to be handed over once
        self._owner = os.getpid()
        self._hire()

    @property
    def live(self) -> tuple[socket.socket, ...]:
        with self._lock:
            return tuple(self._live)

    # -- working ---------------------------------------------------------------------------------------------------

    def _hire(self, conn: socket.socket | None = None) -> None:
        """Start a thread that waits at the door, or serves `conn` first."""
        thread = threading.Thread(target=self._work, args=(conn,), name=f"{self._name} server", daemon=True)
        with self._lock:
            self._threads.add(thread)
            if conn is None:
                self._idle += 1
            left, self._gone = self._gone, []
        for old in left:
            old.join()  # it has nothing left to do but end
        try:
            thread.start()
        except RuntimeError as exc:  # no more threads: those that there are will come back to the door
            with self._lock:
                self._threads.discard(thread)
                if conn is None:
                    self._idle -= 1
                self.errors.append(exc)
            if conn is not None:
                conn.close()

    def _work(self, conn: socket.socket | None) -> None:
        try:
            if conn is not None:
                self._serve(conn)
            else:
                while (conn := self._accept()) is not None:
                    with self._lock:
                        self._idle -= 1
                        nobody_waits = not self._idle and not self.closing
                    if nobody_waits:
                        self._hire()
                    self._serve(conn)
                    del conn
                    with self._lock:
                        self._idle += 1
                        if self._idle > MOST_IDLE:
                            break
                with self._lock:
                    self._idle -= 1
        except CutOff:
            pass  # it was meant for a handler that had just returned
        finally:
            me = threading.current_thread()
            with self._lock:
                self._threads.discard(me)
                self._gone.append(me)
                last = self.closing and not self._threads
            if last:
                self._shut_door()

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
                        self._room.wait(0.1)  # somebody else of this process may free a descriptor unseen by us
                elif exc.errno != errno.ECONNABORTED:  # somebody took the listener away from under us
                    break
            else:
                if conn.gettimeout() is not None:  # a learner's socket.setdefaulttimeout() is not meant for us
                    conn.settimeout(None)
                return conn
        return None

    def _serve(self, conn: socket.socket) -> None:
        if self._dress is not None:
            conn = self._dress(conn)
        with self._lock:
            self.accepted += 1
            self._live[conn] = None
            if self.closing:
                _shut(conn, socket.SHUT_RD)
        try:
            self.handler(conn)
        except self._vanished as exc:
            self.errors.append(exc.with_traceback(None))  # without its frames, which would keep sockets alive
        except CutOff:
            pass  # close() knows, and reports it
        except BaseException as exc:
            if not (self.closing and isinstance(exc, OSError)):  # OSError: our own cutting, seen from the handler
                self._faults.append(exc)
            self.errors.append(exc)
        finally:
            with self._lock:  # from here on nobody shuts this descriptor down: its number may be somebody else's soon
                self._live.pop(conn, None)
                self._room.notify()
            conn.close()

    # -- ending ----------------------------------------------------------------------------------------------------

    def dismiss(self) -> None:
        """Begin the end: nobody is let in any more, everybody inside hears ``b""``. Does not wait; may be repeated."""
        if os.getpid() != self._owner:
            # A forked child: the threads are not here, and shutdown() would end the parent's connections as well.
            self._listener.close()
            return
        with self._lock:
            if not self.closing:
                self._serve_queue()
                self.closing = True
                self._room.notify_all()
                _shut(self._listener, socket.SHUT_RDWR)
            for conn in self._live:
                _shut(conn, socket.SHUT_RD)
            nobody = not self._threads
        if nobody:
            self._shut_door()

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

    def close(self) -> None:
        """Dismiss the crew and wait for it. Raises `ServerError` for a handler that raised or would not return."""
        self.dismiss()
        if os.getpid() != self._owner:
            return
        stuck = self._wait()
        self._shut_door()
        with self._lock:
            faults, self._faults = self._faults, []
        if stuck:
            raise ServerError(stuck)
        if faults:
            first = faults[0]
            more = f" (and {len(faults) - 1} more, see .errors)" if len(faults) > 1 else ""
            raise ServerError(f"handler {self._name!r} raised {type(first).__name__}: {first}{more}") from first

    def _wait(self) -> str:
        """Join the workers by the three steps of `endings`; return what to say of those that needed the third."""
        if not self._join(GRACE):
            return ""
        with self._lock:
            for conn in self._live:
                _shut(conn, socket.SHUT_RDWR)
        stubborn = self._join(PATIENCE)
        if not stubborn:
            return ""
        place = where(stubborn[0], self.handler)
        for thread in stubborn:
            cut_off(thread)
        ended = "was stopped" if not self._join(PATIENCE) else "still stands"
        return (
            f"handler {self._name!r} did not return after its connection was shut down; it {ended} at {place}. "
            'A handler must return when recv() returns b"": the client has finished.'
        )

    def _join(self, seconds: float) -> list[threading.Thread]:
        with self._lock:
            threads = [*self._threads, *self._gone]
            self._gone = []
        return join(threads, seconds)

    def _shut_door(self) -> None:
        self._listener.close()
        clean_up, self._clean_up = self._clean_up, None
        if clean_up is not None:
            clean_up()


def _shut(sock: socket.socket, how: int) -> None:
    """Shut `sock` down, at the descriptor: SSLSocket.shutdown would forget its encryption under a thread that reads."""
    try:
        socket.socket.shutdown(sock, how)
    except OSError:  # ENOTCONN: the peer was faster; EBADF: the handler closed or detached it
        pass
