"""What a link costs, and how well it keeps what it is asked for: each figure of `faulty_link` with its bar."""

from __future__ import annotations

import asyncio
import math
import os
import selectors
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from time import perf_counter
from typing import Any

from socketlab import faulty_link, tcp_server, udp_server
from socketlab.handlers import discard, echo

from .pairing import Paired, paired, percentile
from .servers import round_trip_block


class Relay:
    """A relay as a person writes it by hand: two threads for each connection, blocking calls."""

    def __init__(self, target: Any) -> None:
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        try:
            while True:
                client, _ = self.listener.accept()
                target = socket.create_connection(self.target)
                for one, other in ((client, target), (target, client)):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self.carry, args=(one, other), daemon=True).start()
        except OSError:
            pass

    def carry(self, one: socket.socket, other: socket.socket) -> None:
        buffer = bytearray(1 << 17)
        view = memoryview(buffer)
        try:
            while size := one.recv_into(buffer):
                other.sendall(view[:size])
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class AsyncioRelay:
    """The same with asyncio's streams, in a thread of its own."""

    def __init__(self, target: Any) -> None:
        self.target = target
        started = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.listen(started)), daemon=True)
        self.thread.start()
        started.wait(10)

    async def listen(self, started: threading.Event) -> None:
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = server.sockets[0].getsockname()
        started.set()
        await self.over.wait()
        server.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self.target)
        try:
            await asyncio.gather(self.carry(reader, back), self.carry(there, writer), return_exceptions=True)
        except asyncio.CancelledError:
            pass  # the bench is over

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join()


class Socat:
    """socat(1), a relay in C, a process for each connection."""

    def __init__(self, target: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = free.getsockname()
        listen = f"TCP4-LISTEN:{self.address[1]},bind=127.0.0.1,fork,reuseaddr,nodelay"
        connect = f"TCP4:{target[0]}:{target[1]},nodelay"
        self.process = subprocess.Popen(["socat", "-b", "65536", listen, connect], start_new_session=True)
        for _ in range(1000):
            try:
                socket.create_connection(self.address).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.005)
        raise TimeoutError("socat does not listen")

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()


def relays() -> dict[str, Callable[[Any], Any]]:
    """Ours, and the peers that are here."""
    found: dict[str, Callable[[Any], Any]] = {
        "socketlab.faulty_link": faulty_link,
        "two blocking threads": Relay,
        "asyncio streams": AsyncioRelay,
    }
    if shutil.which("socat"):
        found["socat (C, a process for each connection)"] = Socat
    return found


def round_trips(size: int, make: Callable[[Any], Any], rounds: int, count: int = 300) -> Paired:
    """The median round trip through a link with nothing wrong, against the direct one, in seconds."""
    with ExitStack() as stack:
        server = stack.enter_context(tcp_server(echo))
        link = stack.enter_context(closing(make(server.address)))
        socks = []
        for address in (server.address, link.address):
            socks.append(stack.enter_context(socket.create_connection(address)))
            socks[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            round_trip_block(socks[-1], size, 50, 0.5)
        return paired(*[lambda sock=sock: round_trip_block(sock, size, count, 0.5) for sock in socks], rounds)


def throughput(make: Callable[[Any], Any], rounds: int, size: int = 1 << 16, count: int = 1500) -> Paired:
    """Bytes per second in writes of `size`, up to where the server has read the last one."""

    def block(address: Any) -> float:
        payload = bytes(size)
        with socket.create_connection(address) as sock:
            begin = perf_counter()
            for _ in range(count):
                sock.sendall(payload)
            sock.shutdown(socket.SHUT_WR)
            sock.recv(1)
            return size * count / (perf_counter() - begin)

    with tcp_server(discard) as server:
        with closing(make(server.address)) as link:
            return paired(lambda: block(server.address), lambda: block(link.address), rounds)


def latency(asked: float, count: int) -> tuple[float, float]:
    """By how many seconds a latency is missed, median and p99, in one direction of a stream."""
    late = []
    with tcp_server(echo) as server, faulty_link(server) as link:
        with socket.create_connection(link.address) as sock:
            bare = round_trip_block(sock, 1, 200, 0.5)
            link.down.latency = asked
            for _ in range(count):
                begin = perf_counter()
                sock.sendall(b"x")
                sock.recv(1)
                late.append(abs(perf_counter() - begin - bare - asked))
    return percentile(late, 0.5), percentile(late, 0.99)


def bandwidth(asked: float) -> float:
    """Bytes per second that a receiver had during one second, of those asked for."""
    with tcp_server(discard) as server, faulty_link(server, bandwidth=asked) as link:
        with socket.create_connection(link.address) as sock:
            stop = threading.Event()

            def send() -> None:
                try:
                    while not stop.is_set():
                        sock.sendall(bytes(16384))
                except OSError:
                    pass

            sender = threading.Thread(target=send, daemon=True)
            sender.start()
            time.sleep(0.1)
            first, begin = link.stats.up.passed, perf_counter()
            time.sleep(1)
            passed, took = link.stats.up.passed - first, perf_counter() - begin
            stop.set()
            link.up.bandwidth = None
            sender.join()
    return passed / took / asked


def loss(share: float = 0.1, count: int = 10_000) -> tuple[int, float, float]:
    """How many of `count` datagrams were lost, and the binomial 99.9 % interval (normal approximation)."""
    with udp_server(discard) as server, faulty_link(server, up={"loss": share}, seed=2) as link:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(link.address)
            for n in range(count):
                sock.send(b"x")
                if n % 50 == 49:
                    while link.stats.up.taken <= n:
                        time.sleep(0.0005)
        lost = link.stats.up.lost
    reach = 3.2905 * math.sqrt(count * share * (1 - share))
    return lost, count * share - reach, count * share + reach


def change(count: int = 100) -> tuple[float, float]:
    """Seconds from setting an attribute to the arrival of the byte that it lets go, median and p99."""
    took = []
    with tcp_server(echo) as server, faulty_link(server, up={"latency": 3600}) as link:
        with socket.create_connection(link.address) as sock:
            for _ in range(count):
                sock.sendall(b"x")
                while link.stats.up.pending != 1:
                    time.sleep(0.0005)
                begin = perf_counter()
                link.up.latency = 0
                sock.recv(1)
                took.append(perf_counter() - begin)
                link.up.latency = 3600
    return percentile(took, 0.5), percentile(took, 0.99)


def crowd(clients: int = 200, most: float = 0.05) -> dict[str, float]:
    """`clients` connections, the n-th with a latency of n / clients x `most` in one direction.

    They send a millisecond apart: two hundred handlers that wake at once would first of all wait for one another.
    """
    with tcp_server(echo) as server, faulty_link(server) as link, ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection(link.address)) for _ in range(clients)]
        while len(link.connections) < clients:
            time.sleep(0.001)
        own = {connection.client: connection for connection in link.connections}
        asked = [most * n / clients for n in range(clients)]
        for sock, seconds in zip(socks, asked, strict=True):
            own[sock.getsockname()].down.latency = seconds
        threads = sum(thread.name == "faulty link" for thread in threading.enumerate())
        sent: dict[socket.socket, float] = {}
        came: dict[socket.socket, float] = {}

        def receive() -> None:
            with selectors.DefaultSelector() as selector:
                for sock in socks:
                    selector.register(sock, selectors.EVENT_READ)
                while len(came) < clients:
                    for key, _ in selector.select():
                        came[key.fileobj] = perf_counter()  # type: ignore[index]
                        selector.unregister(key.fileobj)

        receiver = threading.Thread(target=receive)
        receiver.start()
        for sock in socks:
            sent[sock] = perf_counter()
            sock.sendall(b"x")
            time.sleep(0.001)
        receiver.join()
        late = [came[sock] - sent[sock] - seconds for sock, seconds in zip(socks, asked, strict=True)]
    return {"threads": threads, "p50": percentile(late, 0.5), "p99": percentile(late, 0.99)}
