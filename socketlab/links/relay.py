"""The thread behind a link: one for all connections, waiting in the kernel for what comes and for what is due.

Times of a link have to be better than a millisecond, but epoll and poll are given whole milliseconds (Python rounds
them up, so as not to wake early). `select` takes microseconds and can wait for the epoll descriptor itself, so while
something is due, that is how the thread waits. Nothing is polled: a link with nothing to do does not wake.
"""

from __future__ import annotations

import heapq
import os
import select
import selectors
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

from ..interrupts import Uninterrupted
from ..servers.endings import KEPT_ERRORS

NEVER = float("inf")
IN, OUT, BROKEN = 1, 4, 8 | 16  # EPOLLIN, EPOLLOUT, EPOLLERR | EPOLLHUP; `Anywhere` speaks the same
EVENTS = 64  # that one wait returns at most: Python allocates room for them each time
_LONGEST = 3600.0  # s; select() does not take infinity
_PAUSE = 0.1  # s without accepting after accept() failed: for want of descriptors it would fail at once, and again

Heard = Callable[[int], object]  # called with the events of its socket


class Anywhere:
    """What of `select.epoll` a relay needs, where there is none."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, fd: int, events: int) -> None:
        if wanted := self._wanted(events):
            self._selector.register(fd, wanted)

    def modify(self, fd: int, events: int) -> None:
        self.unregister(fd)
        self.register(fd, events)

    def unregister(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def poll(self, timeout: float | None = None, most: int = -1) -> list[tuple[int, int]]:
        found = self._selector.select(timeout)
        return [
            (key.fd, (IN if events & selectors.EVENT_READ else 0) | (OUT if events & selectors.EVENT_WRITE else 0))
            for key, events in found
        ]

    def close(self) -> None:
        self._selector.close()

    @staticmethod
    def _wanted(events: int) -> int:
        return (selectors.EVENT_READ if events & IN else 0) | (selectors.EVENT_WRITE if events & OUT else 0)


class Relay:
    """An `Engine` (see servers.life): what `StreamRelay` and `DatagramRelay` have in common.

    Everything that changes is changed under `lock`, by the thread; whoever wants to look takes it as well.
    """

    handler: Any = None

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.clean_up: Callable[[], object] = lambda: None  # called once, when the listener is closed
        self.accepted = 0
        self.errors: deque[BaseException] = deque(maxlen=KEPT_ERRORS)
        self.closing = False
        self.lock = threading.Lock()
        self.heard: dict[int, Heard] = {}  # by descriptor
        self.due: list[tuple[float, int, Any]] = []  # a heap: when, in which order, what
        self._order = 0
        self._changed = False
        self._owner = os.getpid()
        self._thread = threading.Thread(target=self._work, name="faulty link", daemon=True)
        self._bell, self._button = socket.socketpair()
        for sock in (listener, self._bell, self._button):
            sock.setblocking(False)
        self._fine = False
        if sys.platform == "linux":
            self.poll: Any = select.epoll()
            # select() cannot wait for descriptors from FD_SETSIZE on (select(2)); waits are whole milliseconds then.
            self._fine = self.poll.fileno() < 1024
        else:
            self.poll = Anywhere()
        self.watch(listener, IN, self.knock)
        self.watch(self._bell, IN, self._rung)

    # -- for subclasses ----------------------------------------------------------------------------------------------

    def knock(self, events: int) -> None:
        """Somebody is at the listener."""
        raise NotImplementedError

    def serve(self, what: Any, now: float) -> None:
        """Do what is due."""
        raise NotImplementedError

    def look(self, now: float) -> None:
        """The faults have been changed."""
        raise NotImplementedError

    def end_all(self, abroad: bool) -> None:
        """Close every socket; in a forked child (`abroad`) without a word to their peers."""
        raise NotImplementedError

    # -- waiting -----------------------------------------------------------------------------------------------------

    def watch(self, sock: socket.socket, events: int, heard: Heard) -> None:
        """Call `heard` for these events of `sock`."""
        self.heard[sock.fileno()] = heard
        self.poll.register(sock.fileno(), events)

    def forget(self, sock: socket.socket) -> None:
        """Hear nothing more of `sock`."""
        if self.heard.pop(sock.fileno(), None) is not None:
            self.poll.unregister(sock.fileno())

    def at(self, when: float, what: Any) -> None:
        """Have `serve` called with `what` at that time, or a little later."""
        self._order += 1
        heapq.heappush(self.due, (when, self._order, what))

    def pause(self, error: OSError) -> None:
        """Nobody can be let in for the moment."""
        self.errors.append(error.with_traceback(None))
        self.poll.modify(self.listener.fileno(), 0)
        self.at(perf_counter() + _PAUSE, None)

    def _work(self) -> None:
        poll, heard, due, lock, wait = self.poll.poll, self.heard, self.due, self.lock, self._wait
        try:
            while not self.closing:
                ready = wait() if due else poll(None, EVENTS)
                with lock:
                    if self._changed:  # first, so that what is sent after a change meets it
                        self._changed = False
                        self.look(perf_counter())
                    for fd, events in ready:
                        # One that was forgotten while this round was served is not there any more.
                        if (call := heard.get(fd)) is not None:
                            call(events)
                    if due:
                        self._serve_due()
        finally:
            with lock:
                self._shut(False)

    def _serve_due(self) -> None:
        now = perf_counter()
        ready = []
        while self.due and self.due[0][0] <= now:
            ready.append(heapq.heappop(self.due)[2])
        for what in ready:  # what they put into the heap has its turn when the sockets have had theirs
            if what is None:
                self.poll.modify(self.listener.fileno(), IN)
            else:
                self.serve(what, now)

    def _wait(self) -> list[tuple[int, int]]:
        left = min(self.due[0][0] - perf_counter(), _LONGEST)
        if left > 0:
            if not self._fine:
                found: list[tuple[int, int]] = self.poll.poll(left)
                return found
            select.select([self.poll.fileno()], [], [], left)
        found = self.poll.poll(0)
        return found

    # -- its life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Raises RuntimeError where the machine starts no thread any more."""
        try:
            with Uninterrupted():
                self._thread.start()
        except RuntimeError:
            self._shut(False)
            raise

    def call(self) -> None:
        """Let the thread look at the faults again. May be called from any thread."""
        self._changed = True
        self._ring()

    def dismiss(self) -> None:
        """Begin the end without waiting for it; may be repeated."""
        self.closing = True
        if os.getpid() == self._owner:
            self._ring()
        else:  # a forked child has copies of the sockets, and no thread
            self._shut(True)

    def close(self) -> None:
        """End, and wait for it."""
        self.dismiss()
        if os.getpid() == self._owner and threading.current_thread() is not self._thread:
            self._thread.join()

    def look_inside(self, what: Callable[[], Any]) -> Any:
        """The result of `what`, called while nothing changes."""
        if os.getpid() != self._owner or threading.current_thread() is self._thread:
            return what()  # in a child nobody gives the lock back; in the thread, a garbage collector may be asking
        with Uninterrupted(), self.lock:  # an interrupt between taking the lock and the block would never give it back
            return what()

    def _ring(self) -> None:
        try:
            self._button.send(b"!")
        except OSError:  # it has ended; or the bell rings already
            pass

    def _rung(self, events: int) -> None:
        try:
            self._bell.recv(4096)
        except OSError:
            pass

    def _shut(self, abroad: bool) -> None:
        self.poll.close()
        self.heard.clear()
        self.due.clear()
        self.end_all(abroad)
        for sock in (self.listener, self._bell, self._button):
            sock.close()
        if not abroad:
            self.clean_up()
