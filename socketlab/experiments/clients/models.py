"""Seven ways to serve many clients, each in a few lines: who waits for whom is decided by who calls `accept`, and when.

Here are those that block, each connection in a thread while it is served; `loops` has those with one thread for all,
`processes` the one with several processes.

A thread that sleeps, or waits for a socket, lets others run. One that computes in Python holds the global lock
(GIL), which one thread of a process can have at a time: of computing threads, no matter how many, one gets on. Only
other processes compute at the same time.

All listen on 127.0.0.1, and `close` wakes whoever waits, ends what is being worked on, and joins.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

from ...servers.door import close, open_door, shut
from .loops import Asyncio, EpollLoop, SelectorsLoop
from .processes import Processes
from .serving import Model, serve


class OneAtATime(Model):
    """Accept, serve to the end, and only then accept the next one. All others wait in the listener's queue."""

    name = "one at a time"
    threads = 1

    def _open(self) -> None:
        self._live: dict[socket.socket, str] = {}
        self._lock = threading.Lock()
        self._ending = False
        self._door = open_door(self.listener)
        for n in range(1, self.threads + 1):
            self._start(self.run, f"thread {n}")

    def run(self, who: str) -> None:
        for conn in self.visitors():
            self.attend(conn, who)

    def visitors(self) -> Iterator[socket.socket]:
        """Each connection that `accept` returns, until the end."""
        with suppress(OSError):  # the listener is shut
            while (conn := self._door.accept()) is not None:
                yield conn

    def attend(self, conn: socket.socket, who: str) -> None:
        """Serve one connection and close it; `close` may shut it meanwhile."""
        with self._lock:
            self._live[conn] = who
            if self._ending:
                shut(conn, socket.SHUT_RDWR)
        try:
            serve(conn, self.work, who)
        except OSError:  # the client has left
            pass
        finally:
            with self._lock:
                del self._live[conn]
            close(conn)

    def _wake(self) -> None:
        for conn in self._door.shut():
            close(conn)
        with self._lock:
            self._ending = True
            for conn in self._live:
                shut(conn, socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        self._door.close()


class PoolOfThreads(OneAtATime):
    """Eight threads at one listener: whoever is free calls `accept`, and the ninth client waits in the queue."""

    name = "pool of 8 threads"
    threads = 8


class ThreadPerConnection(OneAtATime):
    """One thread accepts, and starts a thread for each connection."""

    name = "thread per connection"

    def run(self, who: str) -> None:
        for n, conn in enumerate(self.visitors(), 1):
            self._start(self.attend, conn, f"thread {n}")


MODELS: dict[str, type[Model]] = {
    model.name: model
    for model in (OneAtATime, ThreadPerConnection, PoolOfThreads, SelectorsLoop, EpollLoop, Asyncio, Processes)
}  # fmt: skip
