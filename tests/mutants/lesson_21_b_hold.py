"""What people answer to `hold_many` of lesson 21."""

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


class Holder:
    """The right answer in parts; each of those below changes one."""

    events = READ

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.clients: set[socket.socket] = set()

    def run(self, listener: socket.socket, stop: socket.socket) -> None:
        with self.selector as selector:
            for sock in (listener, stop):
                selector.register(sock, READ)
            try:
                while self.goes_on(stop, ready := [key.fileobj for key, _ in selector.select()]):
                    for sock in ready:
                        if sock is listener:
                            self.comes(listener.accept()[0])
                        elif sock in self.clients:
                            self.step(sock)
            finally:
                for client in self.clients:
                    client.close()

    def goes_on(self, stop: socket.socket, ready: list[Any]) -> bool:
        return stop not in ready

    def comes(self, conn: socket.socket) -> None:
        conn.setblocking(False)
        self.selector.register(conn, self.events)
        self.clients.add(conn)

    def step(self, conn: Any) -> None:
        with contextlib.suppress(BlockingIOError):
            data = self.hear(conn)
            if data:
                conn.send(data)
            else:
                self.leaves(conn)

    def hear(self, conn: socket.socket) -> bytes:
        try:
            return conn.recv(100)
        except ConnectionError:
            return b""

    def leaves(self, conn: socket.socket) -> None:
        self.clients.remove(conn)
        self.selector.unregister(conn)
        conn.close()


@unusual("hold_many")
def in_a_class(listener: socket.socket, stop: socket.socket) -> None:
    Holder().run(listener, stop)


@unusual("hold_many")
def with_poll(listener: socket.socket, stop: socket.socket) -> None:
    """Descriptors, and a dict from them to sockets."""
    socks = {sock.fileno(): sock for sock in (listener, stop)}
    poller = select.poll()
    for fd in socks:
        poller.register(fd, select.POLLIN)
    while True:
        for fd, _ in poller.poll():
            sock = socks[fd]
            if sock is stop:
                for conn in socks.values():
                    if conn not in (listener, stop):
                        conn.close()
                return
            if sock is listener:
                conn, _ = listener.accept()
                socks[conn.fileno()] = conn
                poller.register(conn, select.POLLIN)
                continue
            data = b""
            with contextlib.suppress(ConnectionError):
                data = sock.recv(100)
                sock.sendall(data)
            if not data:
                poller.unregister(fd)
                socks.pop(fd).close()


@unusual("hold_many")
def with_asyncio(listener: socket.socket, stop: socket.socket) -> None:
    """A protocol, and no coroutine for each client."""

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            open_ones.add(transport)

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

        def connection_lost(self, exc: Exception | None) -> None:
            open_ones.discard(self.transport)

    open_ones: set[Any] = set()

    async def hold() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        server = await loop.create_server(Echo, sock=listener.dup())
        loop.add_reader(stop, ended.set)
        await ended.wait()
        loop.remove_reader(stop)
        server.close()
        for transport in open_ones:
            transport.abort()
        while open_ones:
            await asyncio.sleep(0)

    asyncio.run(hold())


@mutant("hold_many", "threads")
def a_thread_each(listener: socket.socket, stop: socket.socket) -> None:
    def echo(conn: socket.socket) -> None:
        with conn, contextlib.suppress(ConnectionError):
            while data := conn.recv(100):
                conn.sendall(data)

    threads = []
    while stop not in select.select([listener, stop], [], [])[0]:
        threads.append(threading.Thread(target=echo, args=(listener.accept()[0],)))
        threads[-1].start()
    for thread in threads:
        thread.join()


@mutant("hold_many", "much-memory")
def a_buffer_each(listener: socket.socket, stop: socket.socket) -> None:
    buffers = {}

    class Generous(Holder):
        def comes(self, conn: socket.socket) -> None:
            super().comes(conn)
            buffers[conn] = bytearray(65_536)

        def hear(self, conn: socket.socket) -> bytes:
            try:
                return bytes(buffers[conn][: conn.recv_into(buffers[conn])])
            except ConnectionError:
                return b""

    Generous().run(listener, stop)


@mutant("hold_many", "leaver-ends-it")
def without_except(listener: socket.socket, stop: socket.socket) -> None:
    class Fragile(Holder):
        def hear(self, conn: socket.socket) -> bytes:
            return conn.recv(100)

    Fragile().run(listener, stop)


@mutant("hold_many", "leaver-stays")
def never_unregisters(listener: socket.socket, stop: socket.socket) -> None:
    class Keeping(Holder):
        def leaves(self, conn: socket.socket) -> None:
            pass

    Keeping().run(listener, stop)


@mutant("hold_many", "spins")
def always_room(listener: socket.socket, stop: socket.socket) -> None:
    class Asking(Holder):
        events = READ | WRITE

    Asking().run(listener, stop)


@mutant("hold_many", "never-stops")
def for_ever(listener: socket.socket, stop: socket.socket) -> None:
    class Staying(Holder):
        def goes_on(self, stop: socket.socket, ready: list[Any]) -> bool:
            if stop in ready:
                self.selector.unregister(stop)
            return True

    Staying().run(listener, stop)


@mutant("hold_many", "one-thread-for-all")
def one_after_another(listener: socket.socket, stop: socket.socket) -> None:
    while stop not in select.select([listener, stop], [], [])[0]:
        conn, _ = listener.accept()
        with conn, contextlib.suppress(ConnectionError):
            while data := conn.recv(100):
                conn.sendall(data)


@mutant("hold_many", "left-open")
def forgets_to_close(listener: socket.socket, stop: socket.socket) -> None:
    kept: list[socket.socket] = []

    class Open(Holder):
        def leaves(self, conn: socket.socket) -> None:
            self.clients.remove(conn)
            self.selector.unregister(conn)
            kept.append(conn)

        def goes_on(self, stop: socket.socket, ready: list[Any]) -> bool:
            if stop in ready:  # who has left in this turn is among them
                kept.extend(self.clients)
                self.clients.clear()
            return stop not in ready

    Open().run(listener, stop)
