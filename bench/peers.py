"""The servers that are compared: each starts an echo server on loopback, tells its address, and stops.

`Plain` is what everything is measured against: one accepting thread, one thread per connection, blocking calls,
about what a careful person writes by hand. The others are ours, the standard library's, uvloop where it is
installed, and two bounds: a bare epoll loop, and an accept loop that serves one client after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any

from socketlab import tcp_server
from socketlab.handlers import echo

BACKLOG = 4096


def listening() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)
    return listener


class Plain:
    """A hand-written blocking server: a thread for each connection."""

    def __init__(self) -> None:
        self.listener = listening()
        self.address = self.listener.getsockname()
        self.live: dict[socket.socket, threading.Thread] = {}
        self.acceptor = threading.Thread(target=self.accept, daemon=True)
        self.acceptor.start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.listener.accept()
                thread = threading.Thread(target=self.serve, args=(conn,), daemon=True)
                self.live[conn] = thread
                thread.start()

    def serve(self, conn: socket.socket) -> None:
        with conn, contextlib.suppress(ConnectionError):
            echo(conn)
        self.live.pop(conn, None)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.acceptor.join()
        self.listener.close()
        left = list(self.live.items())
        for conn, _ in left:
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
        for _, thread in left:
            thread.join()


def socketlab() -> Any:
    return tcp_server(echo)


class ThreadingServer:
    """socketserver.ThreadingTCPServer as its documentation shows it."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                echo(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        request_queue_size = BACKLOG

    def __init__(self) -> None:
        self.server = self.Server(("127.0.0.1", 0), self.Handler)
        self.address = self.server.server_address
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()  # returns at the next poll, 0.5 s apart
        self.server.server_close()
        self.thread.join()


class Streams:
    """asyncio.start_server, its loop in a thread."""

    def __init__(self, new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop) -> None:
        self.loop = new_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.ready.wait()

    def run(self) -> None:
        self.loop.run_until_complete(self.main())
        self.loop.close()

    async def main(self) -> None:
        self.stop = asyncio.Event()
        self.writers: set[asyncio.StreamWriter] = set()
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=BACKLOG)
        self.address = server.sockets[0].getsockname()
        self.ready.set()
        await self.stop.wait()
        server.close()
        for writer in self.writers:
            writer.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        self.writers.discard(writer)
        writer.close()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join()


def uvloop_streams() -> Streams:
    import uvloop

    return Streams(uvloop.new_event_loop)


class Epoll:
    """A hand-written loop over epoll(7) in one thread: how little a server in Python can cost."""

    def __init__(self) -> None:
        self.listener = listening()
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()
        self.wake, self.waker = socket.socketpair()
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def loop(self) -> None:
        live: dict[int, socket.socket] = {}
        door, alarm = self.listener.fileno(), self.wake.fileno()
        with select.epoll() as poll:
            poll.register(door, select.EPOLLIN)
            poll.register(alarm, select.EPOLLIN)
            while True:
                for fd, _ in poll.poll():
                    if fd == door:
                        with contextlib.suppress(BlockingIOError):
                            conn, _ = self.listener.accept()
                            live[conn.fileno()] = conn
                            poll.register(conn.fileno(), select.EPOLLIN)
                    elif fd == alarm:
                        for conn in live.values():
                            conn.close()
                        return
                    else:
                        try:
                            data = live[fd].recv(65536)
                            live[fd].sendall(data)  # blocks when the client does not read: a bound, not a server
                        except ConnectionError:
                            data = b""
                        if not data:
                            poll.unregister(fd)
                            live.pop(fd).close()

    def close(self) -> None:
        self.waker.send(b"x")
        self.thread.join()
        for sock in (self.listener, self.wake, self.waker):
            sock.close()


class OneByOne:
    """A bare accept loop that serves one client at a time: no thread to start, nothing to hand over."""

    def __init__(self) -> None:
        self.listener = listening()
        self.address = self.listener.getsockname()
        self.conn: socket.socket | None = None
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def loop(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.conn, _ = self.listener.accept()
                with self.conn, contextlib.suppress(ConnectionError):
                    echo(self.conn)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        if self.conn is not None:
            with contextlib.suppress(OSError):
                self.conn.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


def peers() -> dict[str, Callable[[], Any]]:
    """Everything that runs on this machine, by the name in the tables; `Plain` is not among them."""
    found: dict[str, Callable[[], Any]] = {
        "socketlab": socketlab,
        "socketserver.ThreadingTCPServer": ThreadingServer,
        "asyncio streams": Streams,
    }
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: F401

        found["uvloop streams"] = uvloop_streams
    if hasattr(select, "epoll"):
        found["bare epoll loop"] = Epoll
    return found
