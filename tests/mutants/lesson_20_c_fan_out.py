"""What people answer to `fan_out` of lesson 20."""

from __future__ import annotations

import asyncio
import contextlib
import select
import selectors
import socket
from typing import Any

from . import mutant, unusual

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


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
