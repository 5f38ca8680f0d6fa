"""Worker threads that take turns at one listener: whoever accepts a connection serves it, then comes back.

A thread per connection spends more time on starting threads than on talking, and one acceptor that hands
connections to a pool pays two context switches for each. So all idle workers wait at the door itself. The kernel
wakes exactly one of them per connection (waiters on a listening socket are exclusive and woken in the order in which
they came), and that one keeps the connection. Three rules hold it together:

* **One worker is always at the door.** A worker that accepted and leaves nobody behind hires another thread before
  it serves, because its handler may take for ever. So there are as many threads as there are clients at once, plus
  one; short connections in a row are served by two or three threads that never end.
* **The last one out closes the door.** Whoever ends the crew only sets a flag and shuts door and connections; the
  workers leave by themselves and the last one closes the door. That needs neither waiting nor a new thread, so a
  garbage collector can do it, in any thread, whatever locks of `threading` that one holds; `Crew.close` does the
  same and then joins.
* **A handler's connection is shut, closed and cut off only under the lock, while it is in `_live`.** Afterwards its
  descriptor's number may be another socket's, and its thread at work for somebody else.

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
from ..interrupts import Uninterrupted
from .door import close, open_door, shut
from .endings import GRACE, KEPT_ERRORS, PATIENCE, CutOff, cut_off, first_of, join, name_of

# Idle workers beyond this many go home after their connection. A worker costs about 40 KiB while it waits; a class
# of thirty clients that comes back should find thirty threads waiting.
MOST_IDLE = 32

# What the kernel tells a handler whose peer has left. ECONNREFUSED is not among them: that handler was a client.
VANISHED = {errno.EPIPE, errno.ESHUTDOWN, errno.ECONNRESET, errno.ECONNABORTED, errno.ENOTCONN}

# What it tells a worker at the door whose listener somebody else has closed.
TAKEN_AWAY = {errno.EBADF, errno.EINVAL, errno.ENOTSOCK}


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
        self._door = open_door(listener)
        self._dress = dress
        self._clean_up = clean_up
        # Re-entrant, because the garbage collector may call dismiss() in a thread that holds it.
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)  # a connection ended: descriptors may be free again
        self._waiting: deque[socket.socket] = deque()  # let in by dismiss(), for the next worker who comes by
        self._live: dict[socket.socket, threading.Thread] = {}  # in the order of acceptance
        self._threads: set[threading.Thread] = set()
        self._gone: list[threading.Thread] = []  # have nothing left to do but end
        self._idle = 0
        self._faults: deque[BaseException] = deque(maxlen=KEPT_ERRORS)  # what handlers raised, to be handed over once
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
            self.dismiss()
            raise self.errors[-1]

    # -- working ---------------------------------------------------------------------------------------------------

    def _hire(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{name_of(self.handler)} server", daemon=True)
        with Uninterrupted():
            with self._lock:
                self._threads.add(thread)
                self._idle += 1
                self._gone = [gone for gone in self._gone if gone.is_alive()]
            try:
                thread.start()
            except RuntimeError as exc:  # no more threads; those that there are will come back to the door
                with self._lock:
                    self._threads.discard(thread)
                    self._idle -= 1
                    self.errors.append(exc)

    def _work(self) -> None:
        try:
            self._take_turns()
        except CutOff:
            pass
        finally:
            me = threading.current_thread()
            with self._lock:
                self._threads.discard(me)
                self._gone.append(me)
                self._last_one_out()

    def _last_one_out(self) -> None:
        if self.closing and not self._threads:
            self._door.close()
            while self._waiting:
                close(self._waiting.popleft())

    def _take_turns(self) -> None:
        surplus = False
        while not surplus and (conn := self._next()) is not None:
            with self._lock:
                self._idle -= 1
                nobody_waits = not self._idle and (not self.closing or bool(self._waiting))
            if nobody_waits:
                self._hire()
            self._serve(conn)
            del conn  # or this worker would hold the object while it waits for the next one
            with self._lock:
                self._idle += 1
                surplus = self._idle > MOST_IDLE
        with self._lock:
            self._idle -= 1

    def _next(self) -> socket.socket | None:
        """Wait for the next connection; None when the crew has been dismissed and nobody waits any more."""
        while True:
            with self._lock:
                if self._waiting:
                    return self._waiting.popleft()
                if self.closing:
                    return None
            try:
                if (conn := self._door.accept()) is not None:
                    return conn
            except Exception as exc:
                with self._room:
                    if self.closing:
                        continue
                    self.errors.append(exc.with_traceback(None))
                    code = getattr(exc, "errno", None)
                    if code in TAKEN_AWAY:
                        return None
                    if code != errno.ECONNABORTED:  # out of descriptors or memory: it fails at once and would go on
                        self._room.wait(0.1)  # bounded: a descriptor may also be freed by code that we do not see

    def _serve(self, conn: socket.socket) -> None:
        if self._dress is not None:
            try:
                conn = self._dress(conn)
            except Exception as exc:  # gone before it began
                self.errors.append(exc.with_traceback(None))
                close(conn)
                return
        with self._lock:
            self.accepted += 1
            self._live[conn] = threading.current_thread()
            if self.closing:
                shut(conn, socket.SHUT_RD)
        try:
            self.handler(conn)
        except CutOff:
            pass  # close() knows, and reports it
        except PeerVanished as exc:
            self._vanished(exc.__cause__ or exc)
        except OSError as exc:
            closed = self.closing and exc.errno == errno.EBADF  # by close(), which has reported this handler
            if closed or exc.errno in VANISHED:
                self._vanished(exc)
            else:
                self._failed(exc)
        except BaseException as exc:
            self._failed(exc)
        finally:
            with self._lock:
                self._live.pop(conn, None)
                self._room.notify()
            close(conn)

    def _vanished(self, error: BaseException) -> None:
        self.errors.append(error.with_traceback(None))  # without its frames, which would keep the handler's sockets

    def _failed(self, error: BaseException) -> None:
        self._faults.append(error)
        self.errors.append(error)

    # -- ending ----------------------------------------------------------------------------------------------------

    def dismiss(self) -> None:
        """Begin the end: nobody is let in any more, everybody inside hears ``b""``."""
        if self._in_a_child():
            return
        with Uninterrupted(), self._lock:
            self.closing = True
            self._waiting.extend(self._door.shut())
            self._room.notify_all()
            for conn in self._live:
                shut(conn, socket.SHUT_RD)
            self._last_one_out()
            self._clean_up()
            self._clean_up = _nothing  # a later call must not unlink the path of a later server

    def close(self) -> None:
        """Dismiss the crew and wait for it. Raises `ServerError` for a handler that raised or would not return."""
        if self._in_a_child():
            return
        inside = self._is_inside()
        self.dismiss()
        if inside:
            return
        if self._join(GRACE):
            with self._lock:
                for conn in self._live:
                    shut(conn, socket.SHUT_WR)  # not both halves: macOS refuses to shut the first one twice
            self._join(PATIENCE)
        error = cut_off(lambda: list(self._live.values()), self._lock, self.handler, self._close_live)
        with self._lock:
            self._live.clear()
            faults, self._faults = list(self._faults), deque(maxlen=KEPT_ERRORS)
            self._door.close()
        if error is None and faults:
            error = first_of(faults, self.handler)
        if error is not None:
            raise error

    def _close_live(self) -> None:
        for conn in self._live:
            close(conn)

    def _is_inside(self) -> bool:
        """True for a handler that closes its own server, and for a signal handler that came in the middle of one of
        our steps: the others would wait for the caller as the caller waits for them. To begin the end is enough."""
        return threading.current_thread() in self._threads or self._room._is_owned()  # type: ignore[attr-defined]

    def _in_a_child(self) -> bool:
        """True in a forked child, where the threads are not: shutdown() there would end the parent's connections."""
        if os.getpid() == self._owner:
            return False
        self._door.close()
        self._close_live()
        self.closing = True
        return True

    def _join(self, turns: int) -> list[threading.Thread]:
        """Wait for all workers, those too who are hired meanwhile; return those that stay longer than `turns` turns."""
        left: list[threading.Thread] = []
        while not left and (threads := self._working()):
            left = join(threads, turns, lambda: self.accepted)
        return left

    def _working(self) -> list[threading.Thread]:
        with self._lock:
            return [thread for thread in (*self._threads, *self._gone) if thread.is_alive()]
