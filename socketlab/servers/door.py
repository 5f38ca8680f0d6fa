"""Where workers wait for a connection, and how they are called away from it.

A thread that is blocked in `accept` does not notice that another thread closes the listener; on macOS that `close` may
even wait for it. On Linux `shutdown` of the listener wakes it, with EINVAL. Elsewhere `shutdown` refuses a socket that
has no peer (ENOTCONN: the BSDs and macOS, Windows), so there the door has a bell: a pair of sockets, one of which is
waited for together with the listener.
"""

from __future__ import annotations

import selectors
import socket
import sys
import threading

# More than a queue holds (net.core.somaxconn is 4096) and less than for ever: clients may come as fast as they go in.
MOST_WAITING = 5000

SHUTDOWN_WAKES = sys.platform.startswith("linux")

_Socket = socket.socket  # kept, for a learner may put something else in its place


class Door:
    """A listening socket at which threads wait, and from which another thread can call them all away."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener

    def accept(self) -> socket.socket | None:
        """Wait for the next connection; None, or an OSError, for those who were called away."""
        return _blocking(self._listener.accept()[0])

    def shut(self) -> list[socket.socket]:
        """Call everybody away, now and from now on; return the connections that were waiting. May be repeated."""
        waiting: list[socket.socket] = []
        try:
            self._listener.settimeout(0)
            while len(waiting) < MOST_WAITING:
                waiting.append(_blocking(self._listener.accept()[0]))
        except Exception:  # BlockingIOError: there are no more; anything else: there is no listener any more
            pass
        self._call_away()
        return waiting

    def _call_away(self) -> None:
        shut(self._listener, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptors back, when nobody stands here any more. May be repeated."""
        close(self._listener)


class DoorWithBell(Door):
    """One thread waits for listener and bell; the others wait for its place, so that one knock wakes one of them."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener)
        listener.settimeout(0)
        self._place = threading.Lock()
        self._button, self._bell = socket.socketpair()
        # poll, or select on Windows: they need no descriptor of their own.
        self._both: selectors.BaseSelector = getattr(selectors, "PollSelector", selectors.SelectSelector)()
        self._both.register(listener, selectors.EVENT_READ)
        self._both.register(self._bell, selectors.EVENT_READ)

    def accept(self) -> socket.socket | None:
        with self._place:
            if any(key.fileobj is self._bell for key, _ in self._both.select()):
                return None  # nobody reads the bell's byte, so that everybody hears it
            try:
                return super().accept()
            except BlockingIOError:  # the client left in between
                return None

    def _call_away(self) -> None:
        try:
            self._button.send(b"!")
        except OSError:  # closed already
            pass

    def close(self) -> None:
        super().close()
        close(self._button)
        close(self._bell)


def open_door(listener: socket.socket) -> Door:
    """The door that this platform needs."""
    return Door(listener) if SHUTDOWN_WAKES else DoorWithBell(listener)


def shut(sock: socket.socket, how: int) -> None:
    """Shut `sock` down, at the descriptor: SSLSocket.shutdown would forget its encryption under a thread that reads."""
    try:
        _Socket.shutdown(sock, how)
    except OSError:  # ENOTCONN: the peer was faster; EBADF: the handler closed or detached it
        pass


def close(sock: socket.socket) -> None:
    """Close `sock` really: a file that `makefile` made, kept alive by a traceback, would hold it open."""
    try:
        sock.close()
        if sock.fileno() != -1:
            socket.close(sock.detach())
    except OSError:  # EBADF: somebody closed its descriptor
        pass


def _blocking(conn: socket.socket) -> socket.socket:
    # Where O_NONBLOCK is inherited from the listener (BSD), or a learner has called socket.setdefaulttimeout().
    conn.settimeout(None)
    return conn
