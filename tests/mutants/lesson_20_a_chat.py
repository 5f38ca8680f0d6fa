"""What people answer to the chat of lesson 20."""

from __future__ import annotations

import asyncio
import contextlib
import select
import selectors
import socket
import threading
from typing import Any

from . import mutant, unusual

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Chat:
    """The right answer in parts; each of those below changes one."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.halves: dict[socket.socket, bytes] = {}
        self.came = 0

    def run(self, listener: socket.socket, n: int) -> None:
        with self.selector as selector:
            selector.register(listener, READ)
            while not self.over(n):
                for key, _ in selector.select():
                    conn: Any = key.fileobj
                    if conn is listener:
                        self.comes(listener.accept()[0])
                    elif conn in self.halves:
                        self.step(conn)

    def over(self, n: int) -> bool:
        return self.came == n and not self.halves

    def comes(self, conn: socket.socket) -> None:
        self.came += 1
        conn.setblocking(False)
        self.selector.register(conn, READ)
        self.halves[conn] = b""

    def step(self, conn: socket.socket) -> None:
        data = self.hear(conn)
        if not data:
            self.leaves(conn)
            return
        *lines, self.halves[conn] = (self.halves[conn] + data).split(b"\n")
        for line in lines:
            self.say(conn, line + b"\n")

    def hear(self, conn: socket.socket) -> bytes:
        try:
            return conn.recv(4096)
        except ConnectionError:
            return b""

    def say(self, speaker: socket.socket, words: bytes) -> None:
        for other in self.halves:
            if other is not speaker:
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    other.send(words)

    def leaves(self, conn: socket.socket) -> None:
        del self.halves[conn]
        self.selector.unregister(conn)
        conn.close()


@unusual("chat_loop")
def in_a_class(listener: socket.socket, n: int) -> None:
    Chat().run(listener, n)


@unusual("chat_loop")
def with_plain_select(listener: socket.socket, n: int) -> None:
    halves: dict[socket.socket, bytes] = {}
    while n or halves:
        ready, _, _ = select.select([*halves, listener] if n else [*halves], [], [])
        for sock in ready:
            if sock is listener:
                conn, _ = listener.accept()
                conn.setblocking(False)
                halves[conn] = b""
                n -= 1
                continue
            try:
                data = sock.recv(1024)
            except ConnectionResetError:
                data = b""
            if not data:
                del halves[sock]
                sock.close()
                continue
            whole, end, halves[sock] = (halves[sock] + data).rpartition(b"\n")
            for other in halves:
                if other is not sock and end:
                    with contextlib.suppress(BlockingIOError, ConnectionError):
                        other.sendall(whole + end)


@unusual("chat_loop")
def without_waiting(listener: socket.socket, n: int) -> None:
    """Sockets as they are, and a flag for each call."""

    class Flags(Chat):
        def comes(self, conn: socket.socket) -> None:
            super().comes(conn)
            conn.setblocking(True)

        def say(self, speaker: socket.socket, words: bytes) -> None:
            for other in self.halves:
                if other is not speaker:
                    with contextlib.suppress(BlockingIOError, ConnectionError):
                        other.send(words, socket.MSG_DONTWAIT)

    Flags().run(listener, n)


@unusual("chat_loop")
def hangs_up_on_the_slow(listener: socket.socket, n: int) -> None:
    """Who has no room for a line has to go."""

    class Strict(Chat):
        def say(self, speaker: socket.socket, words: bytes) -> None:
            for other in list(self.halves):
                if other is not speaker:
                    try:
                        if other.send(words) < len(words):
                            self.leaves(other)
                    except BlockingIOError:
                        self.leaves(other)
                    except ConnectionError:
                        pass

    Strict().run(listener, n)


@unusual("chat_loop")
def with_asyncio(listener: socket.socket, n: int) -> None:
    """Streams: a coroutine for each client, and one thread."""

    async def chat() -> None:
        writers: set[asyncio.StreamWriter] = set()
        left, all_left = n, asyncio.Event()

        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal left
            writers.add(writer)
            with contextlib.suppress(ConnectionError):
                while (line := await reader.readline()).endswith(b"\n"):
                    for other in writers - {writer}:
                        other.write(line)
            writers.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            left -= 1
            if not left:
                all_left.set()

        server = await asyncio.start_server(client, sock=listener.dup())
        await all_left.wait()
        server.close()

    asyncio.run(chat())


@mutant("chat_loop", "to-oneself")
def to_everybody(listener: socket.socket, n: int) -> None:
    class Echoing(Chat):
        def say(self, speaker: socket.socket, words: bytes) -> None:
            for other in self.halves:
                with contextlib.suppress(ConnectionError):
                    other.send(words)

    Echoing().run(listener, n)


@mutant("chat_loop", "half-lines")
def as_it_comes(listener: socket.socket, n: int) -> None:
    class Pieces(Chat):
        def step(self, conn: socket.socket) -> None:
            data = self.hear(conn)
            if data:
                self.say(conn, data)
            else:
                self.leaves(conn)

    Pieces().run(listener, n)


@mutant("chat_loop", "mixed-lines")
def one_half_for_all(listener: socket.socket, n: int) -> None:
    class Mixed(Chat):
        half = b""

        def step(self, conn: socket.socket) -> None:
            data = self.hear(conn)
            if not data:
                self.leaves(conn)
                return
            *lines, self.half = (self.half + data).split(b"\n")
            for line in lines:
                self.say(conn, line + b"\n")

    Mixed().run(listener, n)


@mutant("chat_loop", "one-line-each-time")
def one_line_a_turn(listener: socket.socket, n: int) -> None:
    class One(Chat):
        def step(self, conn: socket.socket) -> None:
            data = self.hear(conn)
            if not data:
                self.leaves(conn)
                return
            self.halves[conn] += data
            if b"\n" in self.halves[conn]:
                line, _, self.halves[conn] = self.halves[conn].partition(b"\n")
                self.say(conn, line + b"\n")

    One().run(listener, n)


@mutant("chat_loop", "leavers-half")
def with_what_is_left(listener: socket.socket, n: int) -> None:
    class Rest(Chat):
        def leaves(self, conn: socket.socket) -> None:
            half = self.halves[conn]
            super().leaves(conn)
            if half:
                self.say(conn, half)

    Rest().run(listener, n)


@mutant("chat_loop", "reset-ends-it")
def without_except(listener: socket.socket, n: int) -> None:
    class Fragile(Chat):
        def hear(self, conn: socket.socket) -> bytes:
            return conn.recv(4096)

    chat = Fragile()
    try:
        chat.run(listener, n)
    finally:
        for conn in chat.halves:
            conn.close()


@mutant("chat_loop", "stays")
def for_ever(listener: socket.socket, n: int) -> None:
    class Staying(Chat):
        def over(self, n: int) -> bool:
            return False

    Staying().run(listener, n)


@mutant("chat_loop", "returns-early")
def until_nobody_is_there(listener: socket.socket, n: int) -> None:
    class Early(Chat):
        def over(self, n: int) -> bool:
            return self.came > 0 and not self.halves

    Early().run(listener, n)


@mutant("chat_loop", "waits-for-all")
def accepts_first(listener: socket.socket, n: int) -> None:
    chat = Chat()
    for _ in range(n):
        chat.comes(listener.accept()[0])
    chat.run(listener, n)


@mutant("chat_loop", "one-after-another")
def each_to_the_end(listener: socket.socket, n: int) -> None:
    clients = [listener.accept()[0] for _ in range(2)]
    while clients:
        for conn in list(clients):
            data = conn.recv(1024)
            if not data:
                clients.remove(conn)
                conn.close()
            for other in clients:
                if other is not conn:
                    other.sendall(data)


@mutant("chat_loop", "waits-for-room")
def blocking_connections(listener: socket.socket, n: int) -> None:
    class Blocking(Chat):
        def comes(self, conn: socket.socket) -> None:
            super().comes(conn)
            conn.setblocking(True)

    Blocking().run(listener, n)


@mutant("chat_loop", "waits-for-room")
def all_of_it(listener: socket.socket, n: int) -> None:
    class All(Chat):
        def comes(self, conn: socket.socket) -> None:
            super().comes(conn)
            conn.setblocking(True)

        def say(self, speaker: socket.socket, words: bytes) -> None:
            for other in self.halves.keys() - {speaker}:
                with contextlib.suppress(ConnectionError):
                    other.sendall(words)

    All().run(listener, n)


@mutant("chat_loop", "no-room-raised")
def there_is_always_room(listener: socket.socket, n: int) -> None:
    class Trusting(Chat):
        def say(self, speaker: socket.socket, words: bytes) -> None:
            for other in self.halves.keys() - {speaker}:
                with contextlib.suppress(ConnectionError):
                    other.send(words)

    chat = Trusting()
    try:
        chat.run(listener, n)
    finally:
        for conn in chat.halves:
            conn.close()


@mutant("chat_loop", "threads")
def a_thread_each(listener: socket.socket, n: int) -> None:
    conns: list[socket.socket] = []

    def serve(conn: socket.socket) -> None:
        with conn, conn.makefile("rb") as file:
            for line in file:
                for other in conns:
                    if other is not conn:
                        other.sendall(line)
            conns.remove(conn)

    threads = []
    for _ in range(n):
        conns.append(listener.accept()[0])
        threads.append(threading.Thread(target=serve, args=(conns[-1],)))
        threads[-1].start()
    for thread in threads:
        thread.join()


@mutant("chat_loop", "spins")
def asks_and_asks(listener: socket.socket, n: int) -> None:
    class Asking(Chat):
        def comes(self, conn: socket.socket) -> None:
            super().comes(conn)
            self.selector.modify(conn, READ | WRITE)

        def hear(self, conn: socket.socket) -> bytes:
            try:
                return conn.recv(4096)
            except ConnectionError:
                return b""

        def step(self, conn: socket.socket) -> None:
            with contextlib.suppress(BlockingIOError):
                super().step(conn)

    Asking().run(listener, n)


@mutant("chat_loop", "spins")
def without_any_wait(listener: socket.socket, n: int) -> None:
    chat = Chat()
    listener.setblocking(False)
    with chat.selector:
        while not chat.over(n):
            with contextlib.suppress(BlockingIOError):
                chat.comes(listener.accept()[0])
            for conn in list(chat.halves):
                with contextlib.suppress(BlockingIOError):
                    chat.step(conn)


@mutant("chat_loop", "left-open")
def forgets_to_close(listener: socket.socket, n: int) -> None:
    kept = []

    class Open(Chat):
        def leaves(self, conn: socket.socket) -> None:
            del self.halves[conn]
            self.selector.unregister(conn)
            kept.append(conn)

    Open().run(listener, n)
