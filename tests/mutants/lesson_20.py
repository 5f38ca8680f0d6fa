"""What people answer to the exercises of lesson 20."""

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


# -- chat_loop ---------------------------------------------------------------------------------------------------------


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
                with contextlib.suppress(ConnectionError):
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
                halves[listener.accept()[0]] = b""
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
                    with contextlib.suppress(ConnectionError):
                        other.sendall(whole + end)


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


# -- flush -------------------------------------------------------------------------------------------------------------


def want(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    selector.modify(sock, READ | WRITE if unsent else READ, selector.get_key(sock).data)


@unusual("flush")
class Flush:
    """A class, whose making is the call; and sendmsg."""

    def __init__(self, selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
        try:
            del unsent[: sock.sendmsg([unsent])]
        except BlockingIOError:
            pass
        finally:
            want(selector, sock, unsent)


@unusual("flush")
def until_it_is_refused(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    """Small pieces, until there is no room."""
    while unsent:
        try:
            sent = sock.send(bytes(unsent[:4096]))
        except BlockingIOError:
            break
        unsent[:] = unsent[sent:]
    key = selector.unregister(sock)
    selector.register(sock, READ | (WRITE if unsent else 0), key.data)


@unusual("flush")
def asks_before(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    if unsent and select.select([], [sock], [], 0)[1]:
        del unsent[: sock.send(memoryview(bytes(unsent)))]
    want(selector, sock, unsent)


@mutant("flush", "always-write")
def always_both(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    selector.modify(sock, READ | WRITE, selector.get_key(sock).data)


@mutant("flush", "always-write")
def nothing_to_do(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    if not unsent:
        return
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    want(selector, sock, unsent)


@mutant("flush", "never-write")
def never(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    selector.modify(sock, READ, selector.get_key(sock).data)


@mutant("flush", "notes-lost")
def without_data(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    selector.modify(sock, READ | WRITE if unsent else READ)


@mutant("flush", "registers-again")
def registers(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    selector.register(sock, READ | WRITE if unsent else READ, selector.get_key(sock).data)


@mutant("flush", "sent-twice")
def a_name_of_its_own(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        unsent = unsent[sock.send(unsent) :]
    want(selector, sock, unsent)


@mutant("flush", "rest-lost")
def forgets_the_rest(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        sock.send(unsent)
    unsent.clear()
    want(selector, sock, unsent)


@mutant("flush", "no-room-raised")
def without_a_catch(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    if unsent:
        del unsent[: sock.send(unsent)]
    want(selector, sock, unsent)


@mutant("flush", "no-room-raised")
def all_of_it(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    sock.sendall(unsent)
    unsent.clear()
    want(selector, sock, unsent)


@mutant("flush", "waits-for-room")
def made_blocking(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    sock.setblocking(True)
    sock.sendall(unsent)
    unsent.clear()
    sock.setblocking(False)
    want(selector, sock, unsent)


@mutant("flush", "spins-for-room")
def again_and_again(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    while unsent:
        with contextlib.suppress(BlockingIOError):
            del unsent[: sock.send(unsent)]
    want(selector, sock, unsent)


@mutant("flush", "waits-in-select")
def waits_itself(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    while unsent:
        select.select([], [sock], [])
        del unsent[: sock.send(unsent)]
    want(selector, sock, unsent)


@mutant("flush", "off-the-list")
def takes_it_off(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    if unsent:
        want(selector, sock, unsent)
    else:
        selector.unregister(sock)


@mutant("flush", "read-forgotten")
def write_alone(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    selector.modify(sock, WRITE if unsent else READ, selector.get_key(sock).data)


@mutant("flush", "error-swallowed")
def catches_all(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(OSError):
        del unsent[: sock.send(unsent)]
    want(selector, sock, unsent)


# -- fan_out -----------------------------------------------------------------------------------------------------------


class Fan:
    """The right answer in parts."""

    def __init__(self, source: socket.socket, readers: list[socket.socket], limit: int) -> None:
        self.selector = selectors.DefaultSelector()
        self.source, self.limit, self.dropped, self.ended = source, limit, 0, False
        self.unsent = {reader: bytearray() for reader in readers}

    def run(self) -> int:
        with self.selector as selector:
            selector.register(self.source, READ)
            for reader in self.unsent:
                reader.setblocking(False)
                selector.register(reader, READ)
            while self.unsent or not self.ended:
                for key, events in selector.select():
                    if key.fileobj is self.source:
                        self.piece()
                    elif key.fileobj in self.unsent:
                        self.step(key.fileobj, events)
        return self.dropped

    def piece(self) -> None:
        data = self.source.recv(16384)
        if not data:
            self.end()
        for reader in list(self.unsent):
            if data:
                self.unsent[reader] += data
            self.flush(reader)

    def end(self) -> None:
        self.ended = True
        self.selector.unregister(self.source)

    def step(self, reader: Any, events: int) -> None:
        if events & READ:
            try:
                gone = not reader.recv(4096)
            except ConnectionError:
                gone = True
            if gone:
                self.leaves(reader)
                return
        self.flush(reader)

    def flush(self, reader: socket.socket) -> None:
        unsent = self.unsent[reader]
        try:
            if unsent:
                self.send(reader, unsent)
        except BlockingIOError:
            pass
        except ConnectionError:
            self.leaves(reader)
            return
        if len(unsent) > self.limit:
            self.dropped += 1
            self.leaves(reader)
        elif self.done(reader):
            self.leaves(reader)
        else:
            self.want(reader)

    def send(self, reader: socket.socket, unsent: bytearray) -> None:
        del unsent[: reader.send(unsent)]

    def done(self, reader: socket.socket) -> bool:
        return self.ended and not self.unsent[reader]

    def want(self, reader: socket.socket) -> None:
        self.selector.modify(reader, READ | WRITE if self.unsent[reader] else READ)

    def leaves(self, reader: socket.socket) -> None:
        del self.unsent[reader]
        self.selector.unregister(reader)
        reader.close()


@unusual("fan_out")
def fan_in_a_class(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    return Fan(source, readers, limit).run()


@unusual("fan_out")
def fan_with_plain_select(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    """Three lists; who leaves is found by sending."""
    unsent = {reader: b"" for reader in readers}
    dropped, ended = 0, False
    for reader in readers:
        reader.setblocking(False)
    while unsent or not ended:
        ready, room, _ = select.select([] if ended else [source], [r for r in unsent if unsent[r]], [])
        data = source.recv(16384) if ready else b""
        ended = ended or (bool(ready) and not data)
        for reader in list(unsent):
            unsent[reader] += data
            try:
                if unsent[reader] and (data or reader in room):
                    unsent[reader] = unsent[reader][reader.send(unsent[reader]) :]
            except BlockingIOError:
                pass
            except ConnectionError:
                unsent.pop(reader)
                reader.close()
                continue
            too_slow = len(unsent[reader]) > limit
            dropped += too_slow
            if too_slow or (ended and not unsent[reader]):
                unsent.pop(reader)
                reader.close()
    return dropped


@unusual("fan_out")
def fan_with_asyncio(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    """A task for each reader, with a buffer that the one who reads looks at."""

    async def fan() -> int:
        loop = asyncio.get_running_loop()
        unsent = {reader: bytearray() for reader in readers}
        news = {reader: asyncio.Event() for reader in readers}
        dropped, ended = 0, False

        def room(reader: socket.socket) -> asyncio.Future[None]:
            future = loop.create_future()

            def there_is() -> None:
                if not future.done():
                    future.set_result(None)

            loop.add_writer(reader, there_is)
            return future

        async def serve(reader: socket.socket) -> None:
            with reader, contextlib.suppress(ConnectionError):
                try:
                    while True:
                        while unsent.get(reader):
                            try:
                                del unsent[reader][: reader.send(unsent[reader])]
                            except BlockingIOError:
                                try:
                                    await room(reader)
                                finally:
                                    loop.remove_writer(reader)
                        if ended:
                            break
                        news[reader].clear()
                        await news[reader].wait()
                finally:
                    unsent.pop(reader, None)

        for sock in (source, *readers):
            sock.setblocking(False)
        tasks = {reader: asyncio.ensure_future(serve(reader)) for reader in readers}
        while data := await loop.sock_recv(source, 16384):
            for reader in list(unsent):
                unsent[reader] += data
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    del unsent[reader][: reader.send(unsent[reader])]
                if len(unsent[reader]) > limit:
                    dropped += 1
                    del unsent[reader]
                    tasks[reader].cancel()
                news[reader].set()
        ended = True
        for event in news.values():
            event.set()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        return dropped

    return asyncio.run(fan())


@mutant("fan_out", "waits-for-the-slow")
def one_after_another(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    while data := source.recv(16384):
        for reader in readers:
            reader.sendall(data)
    for reader in readers:
        reader.close()
    return 0


@mutant("fan_out", "no-room-raised")
def all_at_once(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    class All(Fan):
        def flush(self, reader: socket.socket) -> None:
            reader.sendall(self.unsent[reader])
            self.unsent[reader].clear()
            if self.ended:
                self.leaves(reader)

    return All(source, readers, limit).run()


@mutant("fan_out", "keeps-without-limit")
def keeps_all(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    return Fan(source, readers, 1 << 40).run()


@mutant("fan_out", "hangs-up-early")
def at_the_first_refusal(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    return Fan(source, readers, 0).run()


@mutant("fan_out", "hangs-up-early")
def looks_at_the_kernel(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    class Impatient(Fan):
        def send(self, reader: socket.socket, unsent: bytearray) -> None:
            try:
                super().send(reader, unsent)
            except BlockingIOError:
                self.dropped += 1
                raise ConnectionError from None

    return Impatient(source, readers, limit).run()


@mutant("fan_out", "leaver-ends-it")
def nobody_leaves(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    class Trusting(Fan):
        def step(self, reader: Any, events: int) -> None:
            if events & READ and not reader.recv(4096):
                self.leaves(reader)
            else:
                self.flush(reader)

    return Trusting(source, readers, limit).run()


@mutant("fan_out", "counts-leavers")
def whoever_is_missing(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    class Counting(Fan):
        gone = 0

        def leaves(self, reader: socket.socket) -> None:
            self.gone += not self.ended
            super().leaves(reader)

    fan = Counting(source, readers, limit)
    fan.run()
    return fan.gone


@mutant("fan_out", "cut-off-at-the-end")
def the_end_is_the_end(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    class Cut(Fan):
        def end(self) -> None:
            super().end()
            for reader in list(self.unsent):
                self.leaves(reader)

    return Cut(source, readers, limit).run()


@mutant("fan_out", "all-at-the-end")
def together(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    class Together(Fan):
        def done(self, reader: socket.socket) -> bool:
            return False

        def run(self) -> int:
            with self.selector as selector:
                selector.register(self.source, READ)
                for reader in self.unsent:
                    reader.setblocking(False)
                    selector.register(reader, READ)
                while not self.ended or any(self.unsent.values()):
                    for key, events in selector.select():
                        if key.fileobj is self.source:
                            self.piece()
                        elif key.fileobj in self.unsent:
                            self.step(key.fileobj, events)
                for reader in list(self.unsent):
                    self.leaves(reader)
            return self.dropped

    return Together(source, readers, limit).run()


@mutant("fan_out", "never-write")
def only_with_the_next_piece(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    class Never(Fan):
        def want(self, reader: socket.socket) -> None:
            pass

    return Never(source, readers, limit).run()


@mutant("fan_out", "spins")
def always_room(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    class Always(Fan):
        def want(self, reader: socket.socket) -> None:
            self.selector.modify(reader, READ | WRITE)

    return Always(source, readers, limit).run()


@mutant("fan_out", "rest-lost")
def what_goes_goes(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    class Losing(Fan):
        def flush(self, reader: socket.socket) -> None:
            with contextlib.suppress(BlockingIOError):
                reader.send(self.unsent[reader])
            self.unsent[reader].clear()
            if self.ended:
                self.leaves(reader)

    return Losing(source, readers, limit).run()


@mutant("fan_out", "rest-lost")
def loses_and_counts(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    lost = dict.fromkeys(readers, 0)

    class Counting(Fan):
        def send(self, reader: socket.socket, unsent: bytearray) -> None:
            lost[reader] += len(unsent)
            with contextlib.suppress(BlockingIOError):
                lost[reader] -= reader.send(unsent)
            unsent.clear()
            if lost[reader] > self.limit:
                unsent.extend(bytes(self.limit + 1))

    return Counting(source, readers, limit).run()


@mutant("fan_out", "readers-open")
def never_closes(source: socket.socket, readers: list[socket.socket], limit: int) -> int:
    class Open(Fan):
        def leaves(self, reader: socket.socket) -> None:
            del self.unsent[reader]
            self.selector.unregister(reader)
            if self.ended:
                reader.shutdown(socket.SHUT_WR)

    return Open(source, readers, limit).run()
