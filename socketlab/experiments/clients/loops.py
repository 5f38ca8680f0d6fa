"""Many clients in one thread, which never waits for one of them: two loops by hand, and asyncio's.

Whoever computes in a loop holds up everybody. And a loop must not sleep: it makes a note of when to go on, in the heap
of `SelectorsLoop` and `EpollLoop`, or at an `await` in `Asyncio`, and turns to the next one meanwhile.
"""

from __future__ import annotations

import heapq
import select
import selectors
import socket
from contextlib import suppress
from time import perf_counter, perf_counter_ns
from typing import Any

from ...servers.door import close
from .serving import BACKLOG, SLEEPS, Model, reply

Note = tuple[float, int, socket.socket, int]  #: when to answer, a number that is its own, whom, since when (ns)


class SelectorsLoop(Model):
    """One thread, and never a call that waits, except `select`: it waits for all connections at once."""

    name = "selectors loop"

    def _open(self) -> None:
        self._bell, self._button = socket.socketpair()
        self._start(self.run)

    def run(self) -> None:
        self.listener.setblocking(False)
        notes: list[Note] = []  # a heap: when to answer whom
        with selectors.DefaultSelector() as selector:
            for waited_for in (self.listener, self._bell):
                selector.register(waited_for, selectors.EVENT_READ)
            try:
                while self.turn(selector, notes):
                    pass
            finally:
                for conn in [*(note[2] for note in notes), *(key.fileobj for key in selector.get_map().values())]:
                    close(conn)  # type: ignore[arg-type]

    def turn(self, selector: selectors.BaseSelector, notes: list[Note]) -> bool:
        """Wait, then do for each socket what can be done without waiting; False when somebody has rung the bell."""
        left = max(0.0, notes[0][0] - perf_counter()) if notes else None
        for key, _ in selector.select(left):
            conn: Any = key.fileobj
            if conn is self._bell:
                return False
            if conn is self.listener:
                conn = self.listener.accept()[0]
                conn.setblocking(False)
                selector.register(conn, selectors.EVENT_READ)
                continue
            selector.unregister(conn)
            self._attend(conn, notes)
        _answer_who_is_due(notes)
        return True

    def _attend(self, conn: socket.socket, notes: list[Note]) -> None:
        """Hear who has something to say; answer now, or make a note of it."""
        began = perf_counter_ns()
        if not _heard(conn):
            close(conn)
        elif self.work.kind == SLEEPS:
            heapq.heappush(notes, (perf_counter() + self.work.seconds, conn.fileno(), conn, began))
        else:
            self.work()
            _answer(conn, began)

    def _wake(self) -> None:
        with suppress(OSError):  # closed before
            self._button.send(b"!")

    def close(self) -> None:
        super().close()
        close(self._bell)
        close(self._button)


class EpollLoop(SelectorsLoop):
    """The same without `selectors` in between: numbers of descriptors, and a table of who has which."""

    name = "epoll loop"

    @classmethod
    def lacking(cls) -> str:
        return "" if hasattr(select, "epoll") else "epoll is a system call of Linux"

    def run(self) -> None:
        self.listener.setblocking(False)
        notes: list[Note] = []
        here: dict[int, socket.socket] = {}
        with select.epoll() as epoll:
            for waited_for in (self.listener, self._bell):
                epoll.register(waited_for.fileno(), select.EPOLLIN)
            try:
                while self.look(epoll, here, notes):
                    pass
            finally:
                for conn in [*(note[2] for note in notes), *here.values()]:
                    close(conn)

    def look(self, epoll: select.epoll, here: dict[int, socket.socket], notes: list[Note]) -> bool:
        """What `turn` does: wait once, then do what can be done; False when somebody has rung the bell."""
        left = max(0.0, notes[0][0] - perf_counter()) if notes else None
        for fd, _ in epoll.poll(left):
            if fd == self._bell.fileno():
                return False
            if fd == self.listener.fileno():
                conn = self.listener.accept()[0]
                conn.setblocking(False)
                here[conn.fileno()] = conn
                epoll.register(conn.fileno(), select.EPOLLIN)
                continue
            epoll.unregister(fd)
            self._attend(here.pop(fd), notes)
        _answer_who_is_due(notes)
        return True


def _answer_who_is_due(notes: list[Note]) -> None:
    while notes and notes[0][0] <= perf_counter():
        _, _, conn, began = heapq.heappop(notes)
        _answer(conn, began)


def _heard(conn: socket.socket) -> bytes:
    try:
        return conn.recv(100)
    except OSError:  # reset
        return b""


def _answer(conn: socket.socket, began: int) -> None:
    with suppress(OSError):  # the client has left; a line always fits into an empty buffer
        conn.sendall(reply("the loop", began))
    close(conn)


class Asyncio(SelectorsLoop):
    """The same loop, written by somebody else: a coroutine for each connection, which stops at each `await`."""

    name = "asyncio"

    def run(self) -> None:
        import asyncio

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                if await reader.readline():
                    began = perf_counter_ns()
                    if self.work.kind == SLEEPS:
                        await asyncio.sleep(self.work.seconds)
                    else:
                        self.work()
                    writer.write(reply("the loop", began))
                    await writer.drain()
            except (OSError, asyncio.CancelledError):
                pass  # the client has left, or the loop ends, which asyncio until 3.12 would print as an error
            finally:
                writer.close()

        async def main() -> None:
            server = await asyncio.start_server(handle, sock=self.listener, backlog=BACKLOG)
            self._bell.setblocking(False)
            await asyncio.get_running_loop().sock_recv(self._bell, 1)
            server.close()

        asyncio.run(main())  # cancels the coroutines that are left
