"""Answers to the exercises of lesson 21."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import selectors
import socket
import socketserver
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import mutant, unusual

Store = dict[bytes, int]
Answer = Callable[[bytes], bytes]
Handler = Callable[[socket.socket], object]


def answer_of(store: Store, lock: contextlib.AbstractContextManager[Any]) -> Answer:
    """What is said to a line, right where `lock` is one for all."""

    def answer(line: bytes) -> bytes:
        word, name, *number = line.split()
        with lock:
            if word == b"ADD":
                store[name] = store.get(name, 0) + int(number[0])
            return b"%d\n" % store.get(name, 0)

    return answer


def lines_of(conn: socket.socket, answer: Answer) -> None:
    """One client, to the end."""
    with conn, conn.makefile("rb") as lines, contextlib.suppress(ConnectionError):
        while (line := lines.readline()).endswith(b"\n"):
            conn.sendall(answer(line))


def all_at_once(listener: socket.socket, n: int, talk: Handler) -> None:
    with ThreadPoolExecutor(n) as pool:
        for _ in range(n):
            pool.submit(talk, listener.accept()[0])


def thread(function: Callable[..., object], *arguments: Any) -> threading.Thread:
    started = threading.Thread(target=function, args=arguments, daemon=True)
    started.start()
    return started


# -- serve_store -------------------------------------------------------------------------------------------------------


@mutant("serve_store", "race")
def without_a_lock(listener: socket.socket, n: int, store: Store) -> None:
    answer = answer_of(store, contextlib.nullcontext())
    all_at_once(listener, n, lambda conn: lines_of(conn, answer))


@mutant("serve_store", "race")
def a_lock_for_each_client(listener: socket.socket, n: int, store: Store) -> None:
    all_at_once(listener, n, lambda conn: lines_of(conn, answer_of(store, threading.Lock())))


@mutant("serve_store", "race")
def locks_the_write_alone(listener: socket.socket, n: int, store: Store) -> None:
    lock = threading.Lock()

    def answer(line: bytes) -> bytes:
        word, name, *number = line.split()
        value = store.get(name, 0)
        if word == b"ADD":
            value += int(number[0])
            with lock:
                store[name] = value
        return b"%d\n" % value

    all_at_once(listener, n, lambda conn: lines_of(conn, answer))


@mutant("serve_store", "own-copy")
def copies_it(listener: socket.socket, n: int, store: Store) -> None:
    answer = answer_of(dict(store), threading.Lock())
    all_at_once(listener, n, lambda conn: lines_of(conn, answer))


@mutant("serve_store", "one-recv")
def a_recv_is_a_line(listener: socket.socket, n: int, store: Store) -> None:
    answer = answer_of(store, threading.Lock())

    def talk(conn: socket.socket) -> None:
        with conn:
            while data := conn.recv(1024):
                conn.sendall(answer(data))

    all_at_once(listener, n, talk)


@mutant("serve_store", "lost-line")
def until_a_line_ends(listener: socket.socket, n: int, store: Store) -> None:
    answer = answer_of(store, threading.Lock())

    def talk(conn: socket.socket) -> None:
        with conn:
            data = b""
            while piece := conn.recv(1024):
                data += piece
                if data.endswith(b"\n"):
                    conn.sendall(answer(data.splitlines()[0]))
                    data = b""

    all_at_once(listener, n, talk)


@mutant("serve_store", "lock-while-waiting")
def locks_too_much(listener: socket.socket, n: int, store: Store) -> None:
    lock, answer = threading.Lock(), answer_of(store, contextlib.nullcontext())

    def talk(conn: socket.socket) -> None:
        with lock:
            lines_of(conn, answer)

    all_at_once(listener, n, talk)


@mutant("serve_store", "lock-while-waiting")
def locks_the_line(listener: socket.socket, n: int, store: Store) -> None:
    lock, answer = threading.Lock(), answer_of(store, contextlib.nullcontext())

    def talk(conn: socket.socket) -> None:
        with conn, conn.makefile("rb") as lines:
            while True:
                with lock:
                    line = lines.readline()
                    if not line:
                        return
                    conn.sendall(answer(line))

    all_at_once(listener, n, talk)


@mutant("serve_store", "one-after-another")
def in_turn(listener: socket.socket, n: int, store: Store) -> None:
    answer = answer_of(store, contextlib.nullcontext())
    for _ in range(n):
        lines_of(listener.accept()[0], answer)


@mutant("serve_store", "one-after-another")
def runs_for_starts(listener: socket.socket, n: int, store: Store) -> None:
    answer = answer_of(store, threading.Lock())
    for _ in range(n):
        threading.Thread(target=lines_of, args=(listener.accept()[0], answer)).run()


@mutant("serve_store", "torn-line")
def whatever_a_file_gives(listener: socket.socket, n: int, store: Store) -> None:
    answer = answer_of(store, threading.Lock())

    def talk(conn: socket.socket) -> None:
        with conn, conn.makefile("rb") as lines, contextlib.suppress(ConnectionError):
            for line in lines:
                conn.sendall(answer(line))

    all_at_once(listener, n, talk)


@mutant("serve_store", "one-breaks-all")
def a_loop_that_breaks(listener: socket.socket, n: int, store: Store) -> None:
    answer, here = answer_of(store, contextlib.nullcontext()), n
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        selector.register(listener, selectors.EVENT_READ)
        while here:
            for key, _ in selector.select():
                conn: Any = key.fileobj
                if conn is listener:
                    selector.register(stack.enter_context(listener.accept()[0]), selectors.EVENT_READ, bytearray())
                    continue
                data = conn.recv(1024)
                key.data.extend(data)
                while b"\n" in key.data:
                    line, _, rest = key.data.partition(b"\n")
                    key.data[:] = rest
                    conn.sendall(answer(bytes(line)))
                if not data:
                    selector.unregister(conn)
                    conn.close()
                    here -= 1


@mutant("serve_store", "returns-early")
def starts_and_returns(listener: socket.socket, n: int, store: Store) -> None:
    answer = answer_of(store, threading.Lock())
    for _ in range(n):
        thread(lines_of, listener.accept()[0], answer)


@mutant("serve_store", "dies-in-thread")
def a_typing_error(listener: socket.socket, n: int, store: Store) -> None:
    def talk(conn: socket.socket) -> None:
        with conn, conn.makefile("rb") as lines:
            for line in lines:
                conn.sendall(anser(line))  # type: ignore[name-defined]  # noqa: F821

    for one in [thread(talk, listener.accept()[0]) for _ in range(n)]:
        one.join()


@mutant("serve_store", "str-for-bytes")
def answers_text(listener: socket.socket, n: int, store: Store) -> None:
    answer = answer_of(store, threading.Lock())

    def talk(conn: Any) -> None:
        with conn, conn.makefile("rb") as lines:
            for line in lines:
                conn.sendall(answer(line).decode())

    all_at_once(listener, n, talk)


@unusual("serve_store")
def with_asyncio(listener: socket.socket, n: int, store: Store) -> None:
    """One thread, so nothing to lock."""
    answer = answer_of(store, contextlib.nullcontext())

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal here
        with contextlib.suppress(ConnectionError):
            while (line := await reader.readline()).endswith(b"\n"):
                writer.write(answer(line))
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        here -= 1
        if here == 0:
            all_left.set()

    async def serve() -> None:
        async with await asyncio.start_server(talk, sock=listener):
            await all_left.wait()

    here, all_left = n, asyncio.Event()
    asyncio.run(serve())


@unusual("serve_store")
def one_thread_owns_it(listener: socket.socket, n: int, store: Store) -> None:
    """Nobody else touches the store: questions are put into a queue."""
    answer, questions = answer_of(store, contextlib.nullcontext()), queue.SimpleQueue[Any]()

    def own() -> None:
        while (question := questions.get()) is not None:
            line, reply = question
            reply.put(answer(line))

    def ask(line: bytes) -> bytes:
        reply: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        questions.put((line, reply))
        return reply.get()

    owner = thread(own)
    all_at_once(listener, n, lambda conn: lines_of(conn, ask))
    questions.put(None)
    owner.join()


@unusual("serve_store")
def with_socketserver(listener: socket.socket, n: int, store: Store) -> None:
    answer = answer_of(store, threading.Lock())

    class Lines(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                while (line := self.rfile.readline()).endswith(b"\n"):
                    self.wfile.write(answer(line))

    server = socketserver.ThreadingTCPServer(listener.getsockname(), Lines, bind_and_activate=False)
    server.socket.close()
    server.socket = listener.dup()
    with server:
        for _ in range(n):
            server.handle_request()


# -- start_pool --------------------------------------------------------------------------------------------------------


def take(conn: socket.socket, handler: Handler) -> None:
    with conn, contextlib.suppress(Exception):
        handler(conn)


def wakes(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def serves(listener: socket.socket, one: Handler) -> None:
    """Accept, and have it served, until the listener is shut."""
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            return
        one(conn)


def workers(listener: socket.socket, handler: Handler, n: int) -> list[threading.Thread]:
    return [thread(serves, listener, lambda conn: take(conn, handler)) for _ in range(n)]


def stop_of(listener: socket.socket, threads: list[threading.Thread]) -> Callable[[], object]:
    def stop() -> None:
        wakes(listener)
        for one in threads:
            one.join()
        listener.close()

    return stop


@mutant("start_pool", "more-than-n")
def a_thread_each(listener: socket.socket, handler: Handler, n: int) -> Any:
    threads: list[threading.Thread] = []
    threads.append(thread(serves, listener, lambda conn: threads.append(thread(take, conn, handler))))
    return stop_of(listener, threads)


@mutant("start_pool", "more-than-n")
def a_pool_without_a_number(listener: socket.socket, handler: Handler, n: int) -> Any:
    pool = ThreadPoolExecutor()
    serving = thread(serves, listener, lambda conn: pool.submit(take, conn, handler))

    def stop() -> None:
        stop_of(listener, [serving])()
        pool.shutdown()

    return stop


@mutant("start_pool", "fewer-than-n")
def one_for_all(listener: socket.socket, handler: Handler, n: int) -> Any:
    return stop_of(listener, workers(listener, handler, 1))


@mutant("start_pool", "fewer-than-n")
def waits_for_each(listener: socket.socket, handler: Handler, n: int) -> Any:
    pool = ThreadPoolExecutor(n)
    serving = thread(serves, listener, lambda conn: pool.submit(take, conn, handler).result())

    def stop() -> None:
        stop_of(listener, [serving])()
        pool.shutdown()

    return stop


@mutant("start_pool", "slot-lost")
def dies_of_a_handler(listener: socket.socket, handler: Handler, n: int) -> Any:
    def one(conn: socket.socket) -> None:
        with conn:
            handler(conn)

    return stop_of(listener, [thread(serves, listener, one) for _ in range(n)])


@mutant("start_pool", "slot-lost")
def never_given_back(listener: socket.socket, handler: Handler, n: int) -> Any:
    places = threading.Semaphore(n)

    def one(conn: socket.socket) -> None:
        with conn:
            handler(conn)
        places.release()

    def accept(conn: socket.socket) -> None:
        places.acquire()
        thread(one, conn)

    return stop_of(listener, [thread(serves, listener, accept)])


@mutant("start_pool", "conn-left-open")
def does_not_close(listener: socket.socket, handler: Handler, n: int) -> Any:
    kept: list[socket.socket] = []

    def one(conn: socket.socket) -> None:
        kept.append(conn)
        with contextlib.suppress(Exception):
            handler(conn)

    return stop_of(listener, [thread(serves, listener, one) for _ in range(n)])


@mutant("start_pool", "conn-left-open")
def closes_when_all_is_well(listener: socket.socket, handler: Handler, n: int) -> Any:
    kept: list[socket.socket] = []

    def one(conn: socket.socket) -> None:
        kept.append(conn)
        with contextlib.suppress(Exception):
            handler(conn)
            conn.close()

    return stop_of(listener, [thread(serves, listener, one) for _ in range(n)])


@mutant("start_pool", "close-wakes-nobody")
def closes_and_joins(listener: socket.socket, handler: Handler, n: int) -> Any:
    threads = workers(listener, handler, n)

    def stop() -> None:
        listener.close()
        for one in threads:
            one.join()

    return stop


@mutant("start_pool", "close-wakes-nobody")
def only_closes(listener: socket.socket, handler: Handler, n: int) -> Any:
    workers(listener, handler, n)
    return listener.close


@mutant("start_pool", "nobody-wakes")
def a_flag_and_join(listener: socket.socket, handler: Handler, n: int) -> Any:
    threads, stopping = workers(listener, handler, n), threading.Event()

    def stop() -> None:
        stopping.set()
        for one in threads:
            one.join()
        listener.close()

    return stop


@mutant("start_pool", "abandons")
def does_not_wait(listener: socket.socket, handler: Handler, n: int) -> Any:
    workers(listener, handler, n)

    def stop() -> None:
        wakes(listener)
        listener.close()

    return stop


@mutant("start_pool", "forgets-who-waits")
def cancels(listener: socket.socket, handler: Handler, n: int) -> Any:
    pool = ThreadPoolExecutor(n)
    cancels.accepted = accepted = list[socket.socket]()  # type: ignore[attr-defined]  # as a name in a cell keeps it

    def one(conn: socket.socket) -> None:
        accepted.append(conn)
        pool.submit(take, conn, handler)

    serving = thread(serves, listener, one)

    def stop() -> None:
        stop_of(listener, [serving])()
        pool.shutdown(cancel_futures=True)

    return stop


@mutant("start_pool", "thread-left")
def leaves_the_pool(listener: socket.socket, handler: Handler, n: int) -> Any:
    leaves_the_pool.pool = pool = ThreadPoolExecutor(n)  # type: ignore[attr-defined]  # as a name in a cell keeps it
    return stop_of(listener, [thread(serves, listener, lambda conn: pool.submit(take, conn, handler))])


@mutant("start_pool", "still-listens")
def listener_forgotten(listener: socket.socket, handler: Handler, n: int) -> Any:
    threads = workers(listener, handler, n)

    def stop() -> None:
        wakes(listener)
        for one in threads:
            one.join()

    return stop


@mutant("start_pool", "stops-once")
def once_only(listener: socket.socket, handler: Handler, n: int) -> Any:
    threads = workers(listener, handler, n)

    def stop() -> None:
        listener.shutdown(socket.SHUT_RDWR)
        for one in threads:
            one.join()
        listener.close()

    return stop


@mutant("start_pool", "dies-in-thread")
def shut_down_under_it(listener: socket.socket, handler: Handler, n: int) -> Any:
    def serve() -> None:
        while True:
            take(listener.accept()[0], handler)

    return stop_of(listener, [thread(serve) for _ in range(n)])


@mutant("start_pool", "never-returns")
def serves_itself(listener: socket.socket, handler: Handler, n: int) -> Any:
    with ThreadPoolExecutor(n) as pool:
        serves(listener, lambda conn: pool.submit(take, conn, handler))
    return listener.close


@mutant("start_pool", "no-stop")
def calls_stop(listener: socket.socket, handler: Handler, n: int) -> Any:
    stop_of(listener, workers(listener, handler, n))()
    return "stopped"


@mutant("start_pool", "returns-nothing")
def no_return(listener: socket.socket, handler: Handler, n: int) -> Any:
    stop_of(listener, workers(listener, handler, n))()


@unusual("start_pool")
def with_an_executor(listener: socket.socket, handler: Handler, n: int) -> Any:
    """Accepts at once and serves all who were accepted, also after stop()."""
    pool = ThreadPoolExecutor(n)
    serving = thread(serves, listener, lambda conn: pool.submit(take, conn, handler))

    def stop() -> None:
        stop_of(listener, [serving])()
        pool.shutdown()

    return stop


@unusual("start_pool")
def with_a_semaphore(listener: socket.socket, handler: Handler, n: int) -> Any:
    """A thread for each client, and none begins before there is a place."""
    places, threads = threading.Semaphore(n), list[threading.Thread]()

    def one(conn: socket.socket) -> None:
        take(conn, handler)
        places.release()

    def serve() -> None:
        while places.acquire():
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            threads.append(thread(one, conn))

    serving = thread(serve)

    def stop() -> None:
        wakes(listener)
        serving.join()
        for one in threads:
            one.join()
        listener.close()

    return stop


@unusual("start_pool")
class Stopping:
    """An object that can be called; its threads look at a flag now and then."""

    def __init__(self, listener: socket.socket, handler: Handler, n: int) -> None:
        self.listener, self.handler, self.stopping = listener, handler, threading.Event()
        listener.settimeout(0.02)
        self.threads = [thread(self.serve) for _ in range(n)]

    def serve(self) -> None:
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                conn, _ = self.listener.accept()
                conn.settimeout(None)
                take(conn, self.handler)

    def __call__(self) -> None:
        self.stopping.set()
        for one in self.threads:
            one.join()
        self.listener.close()
