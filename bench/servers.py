"""What is measured of the servers: round trips, connections, start and stop, and a thousand clients at once."""

from __future__ import annotations

import gc
import os
import select
import socket
import statistics
import struct
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from time import perf_counter
from typing import Any

from socketlab import tcp_server
from socketlab.handlers import echo

from .pairing import Paired, paired, percentile
from .peers import Epoll, OneByOne, Plain, peers

Make = Callable[[], Any]


def talk(sock: socket.socket, payload: bytes, buffer: bytearray) -> None:
    """One round trip: send all, receive as much."""
    sock.sendall(payload)
    left = memoryview(buffer)[: len(payload)]
    while left:
        left = left[sock.recv_into(left) :]


def round_trip_block(sock: socket.socket, size: int, count: int, share: float) -> float:
    payload, buffer, samples = b"x" * size, bytearray(size), []
    for _ in range(count):
        begin = perf_counter()
        talk(sock, payload, buffer)
        samples.append(perf_counter() - begin)
    return percentile(samples, share)


def round_trips(make: Make, size: int, share: float, rounds: int, count: int = 300) -> Paired:
    """The percentile `share` of `count` round trips of `size` bytes, ours against the plain thread, in seconds."""
    with ExitStack() as stack:
        socks = []
        for build in (Plain, make):
            server = stack.enter_context(closing(build()))
            socks.append(stack.enter_context(socket.create_connection(server.address)))
            round_trip_block(socks[-1], size, 50, share)
        blocks = [lambda sock=sock: round_trip_block(sock, size, count, share) for sock in socks]
        return paired(*blocks, rounds)


def connections(make: Make, rounds: int, count: int = 200) -> Paired:
    """Connections per second: connect, one echo, close, and again."""

    def block(address: Any) -> float:
        begin = perf_counter()
        for _ in range(count):
            with socket.create_connection(address) as sock:
                sock.sendall(b"x")
                sock.recv(1)
        return count / (perf_counter() - begin)

    with closing(Plain()) as plain, closing(make()) as server:
        return paired(lambda: block(plain.address), lambda: block(server.address), rounds)


def start(make: Make, rounds: int, count: int = 10) -> Paired:
    """Seconds from the call that makes the server to the first echoed byte; the median of `count`."""

    def block(build: Make) -> float:
        samples = []
        for _ in range(count):
            begin = perf_counter()
            server = build()
            with socket.create_connection(server.address) as sock:
                sock.sendall(b"x")
                sock.recv(1)
                samples.append(perf_counter() - begin)
            server.close()
        return statistics.median(samples)

    return paired(lambda: block(Plain), lambda: block(make), rounds)


def stop(make: Make, clients: int, rounds: int, count: int = 10) -> Paired:
    """Seconds that close() takes with `clients` idle connections, each served once before; the median of `count`."""

    def block(build: Make) -> float:
        samples = []
        for _ in range(count):
            server = build()
            with ExitStack() as stack:
                for _ in range(clients):
                    sock = stack.enter_context(socket.create_connection(server.address))
                    sock.sendall(b"x")
                    sock.recv(1)
                begin = perf_counter()
                server.close()
                samples.append(perf_counter() - begin)
        return statistics.median(samples)

    return paired(lambda: block(Plain), lambda: block(make), rounds)


def crowd(make: Make, clients: int = 1000, sweeps: int = 10, late: int = 100) -> dict[str, float]:
    """`clients` connections, each with one echo under way at all times: round trips in seconds, and late comers.

    The clients are one epoll loop in the main thread. While they are busy another thread connects `late` more,
    one after the other, and gets an echo for each.
    """
    served: list[float] = []
    waits: list[float] = []

    def come_late(address: Any) -> None:
        for _ in range(late):
            begin = perf_counter()
            with socket.create_connection(address, 30) as sock:
                sock.sendall(b"x")
                sock.recv(1)
            waits.append(perf_counter() - begin)

    with closing(make()) as server, ExitStack() as stack, select.epoll() as poll:
        socks = {}
        begin = perf_counter()
        for _ in range(clients):
            sock = stack.enter_context(socket.create_connection(server.address, 30))
            socks[sock.fileno()] = sock
            poll.register(sock.fileno(), select.EPOLLIN)
        all_connected = perf_counter() - begin
        late_comers = threading.Thread(target=come_late, args=(server.address,))
        late_comers.start()
        left, sent = dict.fromkeys(socks, sweeps), {}
        begin = perf_counter()
        for fd, sock in socks.items():
            sent[fd] = perf_counter()
            sock.sendall(b"x")
        while left:
            for fd, _ in poll.poll(30):
                assert socks[fd].recv(1) == b"x"
                served.append(perf_counter() - sent[fd])
                left[fd] -= 1
                if left[fd]:
                    sent[fd] = perf_counter()
                    socks[fd].sendall(b"x")
                else:
                    del left[fd]
        took = perf_counter() - begin
        late_comers.join()
    return {
        "served": len(served),
        "connect all": all_connected,
        "echoes/s": len(served) / took,
        "p50": percentile(served, 0.5),
        "p99": percentile(served, 0.99),
        "late served": len(waits),
        "late worst": max(waits),
    }


def leftovers(cycles: int = 1000) -> dict[str, int]:
    """Threads and descriptors that `cycles` servers leave, with clients connected, half-closed and reset meanwhile."""

    def now() -> tuple[int, int]:
        gc.collect()
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    with closing(tcp_server(echo)):  # whatever is loaded on first use
        pass
    before = now()
    for n in range(cycles):
        with tcp_server(echo) as server:
            client = socket.create_connection(server.address)
            if n % 3 == 1:
                client.shutdown(socket.SHUT_WR)
            elif n % 3 == 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
        client.close()
    after = now()
    return {"cycles": cycles, "threads": after[0] - before[0], "descriptors": after[1] - before[1]}


def everybody() -> dict[str, Make]:
    """The columns of the tables, the control first: the plain thread against itself must read 1.00."""
    return {"control (plain against plain)": Plain, **peers()}


BOUNDS: dict[str, Make] = {"bare accept loop, one client at a time": OneByOne}

__all__ = ["BOUNDS", "Epoll", "connections", "crowd", "everybody", "leftovers", "round_trips", "start", "stop"]
