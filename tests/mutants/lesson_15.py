"""Lesson 15: a sender that holds little and gives up in time, an exchange that cannot lock up."""

from __future__ import annotations

import asyncio
import queue
import select
import selectors
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from mutants import mutant, unusual

# -- feed --------------------------------------------------------------------------------------------------------------


def left_until(end: float) -> float:
    return max(end - time.monotonic(), 0.001)


@mutant("feed", "rest-dropped")
def one_send_each(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    end, sent = time.monotonic() + seconds, 0
    while piece := source.read(most):
        sock.settimeout(left_until(end))
        try:
            sent += sock.send(piece)
        except TimeoutError:
            break
    return sent


@mutant("feed", "sent-twice")
def again_from_the_start(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    end, sent = time.monotonic() + seconds, 0
    while piece := source.read(most):
        taken = 0
        while taken < len(piece):
            sock.settimeout(left_until(end))
            try:
                taken += sock.send(piece)
            except TimeoutError:
                return sent + taken
        sent += taken
    return sent


@mutant("feed", "reads-ahead")
def the_whole_file(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    end, sent, data = time.monotonic() + seconds, 0, source.read()
    while sent < len(data) and time.monotonic() < end:
        sock.settimeout(left_until(end))
        try:
            sent += sock.send(data[sent : sent + most])
        except TimeoutError:
            break
    return sent


@mutant("feed", "reads-ahead")
def larger_pieces(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    end, sent = time.monotonic() + seconds, 0
    while piece := source.read(65536):
        while piece:
            sock.settimeout(left_until(end))
            try:
                n = sock.send(piece)
            except TimeoutError:
                return sent
            sent, piece = sent + n, piece[n:]
    return sent


@mutant("feed", "reads-ahead")
def an_endless_backlog(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    end, sent, backlog = time.monotonic() + seconds, 0, bytearray()
    sock.setblocking(False)
    while time.monotonic() < end:
        piece = source.read(1000)
        backlog += piece
        if not piece and not backlog:
            break
        with suppress(BlockingIOError):
            n = sock.send(backlog)
            sent += n
            del backlog[:n]
        select.select([], [sock], [], 0.001)
    return sent


@mutant("feed", "deadline-escapes")
def raises_it(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    end, sent = time.monotonic() + seconds, 0
    while piece := source.read(most):
        while piece:
            sock.settimeout(left_until(end))
            n = sock.send(piece)
            sent, piece = sent + n, piece[n:]
    return sent


@mutant("feed", "gives-up-at-once")
def full_is_the_end(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    sock.setblocking(False)
    sent = 0
    while piece := source.read(most):
        while piece:
            try:
                n = sock.send(piece)
            except BlockingIOError:
                return sent
            sent, piece = sent + n, piece[n:]
    return sent


@mutant("feed", "gives-up-at-once")
def never_waits(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    sock.setblocking(False)
    sent = 0
    while piece := source.read(most):
        sock.sendall(piece)
        sent += len(piece)
    return sent


@mutant("feed", "busy-loop")
def asks_and_asks(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    sock.setblocking(False)
    end, sent, piece = time.monotonic() + seconds, 0, b""
    while time.monotonic() < end:
        piece = piece or source.read(most)
        if not piece:
            break
        with suppress(BlockingIOError):
            n = sock.send(piece)
            sent, piece = sent + n, piece[n:]
    return sent


@mutant("feed", "each-its-own-time")
def a_timeout_each(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    sock.settimeout(seconds)
    sent = 0
    while piece := source.read(most):
        while piece:
            try:
                n = sock.send(piece)
            except TimeoutError:
                return sent
            sent, piece = sent + n, piece[n:]
    return sent


@mutant("feed", "sendall-counts-nothing")
def whole_pieces(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    end, sent = time.monotonic() + seconds, 0
    while piece := source.read(most):
        sock.settimeout(left_until(end))
        try:
            sock.sendall(piece)
        except TimeoutError:
            break
        sent += len(piece)
    return sent


@mutant("feed", "counts-what-it-read")
def counts_too_early(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    end, count = time.monotonic() + seconds, 0
    while piece := source.read(most):
        count += len(piece)
        while piece:
            sock.settimeout(left_until(end))
            try:
                piece = piece[sock.send(piece) :]
            except TimeoutError:
                return count
    return count


@mutant("feed", "no-deadline")
def waits_for_room(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    sent = 0
    while piece := source.read(most):
        sock.sendall(piece)
        sent += len(piece)
    return sent


@mutant("feed", "error-swallowed")
def any_error_is_late(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    end, sent = time.monotonic() + seconds, 0
    while piece := source.read(most):
        while piece:
            sock.settimeout(left_until(end))
            try:
                n = sock.send(piece)
            except OSError:
                return sent
            sent, piece = sent + n, piece[n:]
    return sent


@mutant("feed", "returns-nothing")
def keeps_the_count(sock: socket.socket, source: Any, most: int, seconds: float) -> None:
    sock.settimeout(seconds)
    while piece := source.read(most):
        sock.sendall(piece)


@unusual("feed")
def with_select(sock: socket.socket, source: Any, most: int, seconds: float) -> int:
    """Waits by itself; a buffer that is filled up again."""
    sock.setblocking(False)
    end, sent, held = time.monotonic() + seconds, 0, bytearray()
    while True:
        held += source.read(most - len(held)) if len(held) < most else b""
        if not held or not select.select([], [sock], [], max(end - time.monotonic(), 0))[1]:
            return sent
        with suppress(BlockingIOError):
            n = sock.send(held)
            sent += n
            del held[:n]


@unusual("feed")
class Feeder:
    """Byte-sized steps, a view instead of copies, and one place for what is left."""

    def __init__(self) -> None:
        self.sent = 0

    def __new__(cls, sock: socket.socket, source: Any, most: int, seconds: float) -> int:  # type: ignore[misc]
        self = super().__new__(cls)
        self.sent = 0
        end = time.monotonic() + seconds
        with suppress(TimeoutError):
            while piece := source.read(min(most, 512)):
                view = memoryview(piece)
                while view:
                    if (left := end - time.monotonic()) <= 0:
                        raise TimeoutError
                    sock.settimeout(left)
                    n = sock.send(view)
                    self.sent += n
                    view = view[n:]
        return self.sent


# -- exchange ----------------------------------------------------------------------------------------------------------


def to_the_end(sock: socket.socket) -> bytes:
    heard = b""
    while piece := sock.recv(65536):
        heard += piece
    return heard


def say(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


@mutant("exchange", "both-talk")
def first_talk(sock: socket.socket, data: bytes) -> bytes:
    say(sock, data)
    return to_the_end(sock)


@mutant("exchange", "both-listen")
def first_listen(sock: socket.socket, data: bytes) -> bytes:
    heard = to_the_end(sock)
    say(sock, data)
    return heard


@mutant("exchange", "takes-turns")
def piece_for_piece(sock: socket.socket, data: bytes) -> bytes:
    heard = b""
    for start in range(0, len(data), 4096):
        sock.sendall(data[start : start + 4096])
        heard += sock.recv(4096)
    sock.shutdown(socket.SHUT_WR)
    return heard + to_the_end(sock)


@mutant("exchange", "no-end")
def never_finishes(sock: socket.socket, data: bytes) -> bytes:
    with ThreadPoolExecutor() as pool:
        talking = pool.submit(sock.sendall, data)
        heard = to_the_end(sock)
        talking.result()
    return heard


@mutant("exchange", "ended-too-early")
def ends_beside(sock: socket.socket, data: bytes) -> bytes:
    with ThreadPoolExecutor() as pool:
        pool.submit(sock.sendall, data)
        sock.shutdown(socket.SHUT_WR)
        return to_the_end(sock)


@mutant("exchange", "ends-both-ways")
def ends_it_all(sock: socket.socket, data: bytes) -> bytes:
    def talk() -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_RDWR)

    with ThreadPoolExecutor() as pool:
        talking = pool.submit(talk)
        heard = to_the_end(sock)
        talking.result()
    return heard


@mutant("exchange", "one-recv")
def one_large_recv(sock: socket.socket, data: bytes) -> bytes:
    threading.Thread(target=say, args=(sock, data), daemon=True).start()
    return sock.recv(10_000_000)


@mutant("exchange", "error-lost")
def nobody_asks(sock: socket.socket, data: bytes) -> bytes:
    with ThreadPoolExecutor() as pool:
        pool.submit(say, sock, data)
        return to_the_end(sock)


@mutant("exchange", "closed-it")
def closes_for_others(sock: socket.socket, data: bytes) -> bytes:
    with sock, ThreadPoolExecutor() as pool:
        talking = pool.submit(say, sock, data)
        heard = to_the_end(sock)
        talking.result()
    return heard


@mutant("exchange", "returns-nothing")
def listens_and_forgets(sock: socket.socket, data: bytes) -> None:
    with ThreadPoolExecutor() as pool:
        talking = pool.submit(say, sock, data)
        to_the_end(sock)
        talking.result()


@unusual("exchange")
def with_a_selector(sock: socket.socket, data: bytes) -> bytes:
    """One thread, which asks the kernel which of the two it can do now."""
    view, heard, before = memoryview(data), bytearray(), sock.gettimeout()
    sock.setblocking(False)
    with selectors.DefaultSelector() as selector:
        if not view:
            sock.shutdown(socket.SHUT_WR)
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        selector.register(sock, both if view else selectors.EVENT_READ)
        ended = False
        while view or not ended:
            for _, events in selector.select(before):
                if events & selectors.EVENT_READ:
                    piece = sock.recv(65536)
                    heard += piece
                    ended = not piece
                if view and events & selectors.EVENT_WRITE:
                    view = view[sock.send(view[:65536]) :]
                    if not view:
                        sock.shutdown(socket.SHUT_WR)
                if ended and view:
                    selector.modify(sock, selectors.EVENT_WRITE)
                elif not view:
                    selector.modify(sock, selectors.EVENT_READ)
    sock.settimeout(before)
    return bytes(heard)


@unusual("exchange")
def with_asyncio(sock: socket.socket, data: bytes) -> bytes:
    copy = sock.dup()  # the loop closes what it was given

    async def talk_and_listen() -> bytes:
        reader, writer = await asyncio.open_connection(sock=copy)

        async def talk() -> None:
            writer.transport.set_write_buffer_limits(0)  # drain until all is out: close() would forget the end
            writer.write(data)
            await writer.drain()
            writer.write_eof()

        try:
            heard, _ = await asyncio.gather(reader.read(), talk())
            return heard
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    return asyncio.run(talk_and_listen())


@unusual("exchange")
def listens_in_a_thread(sock: socket.socket, data: bytes) -> bytes:
    """The other way around, with a queue."""
    results: queue.Queue[Any] = queue.Queue()

    def listen() -> None:
        try:
            results.put(to_the_end(sock))
        except OSError as error:
            results.put(error)

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        say(sock, data)
    finally:
        thread.join()
    heard = results.get()
    if isinstance(heard, OSError):
        raise heard
    assert isinstance(heard, bytes)
    return heard
