"""Lesson 03: echo to many at once, a listener at any port, a server that can be stopped."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import selectors
import socket
import socketserver
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mutants import mutant, unusual

# A port that stays the same is told apart from other test processes' by its number; those that the kernel gives away
# begin at 32,768.
PORT = 12_000 + os.getpid() % 20_000


def talk(conn: socket.socket) -> None:
    with conn:
        while data := conn.recv(1024):
            conn.sendall(data)


def thread(target: Any, *arguments: Any) -> threading.Thread:
    started = threading.Thread(target=target, args=arguments, daemon=True)
    started.start()
    return started


# -- serve_many --------------------------------------------------------------------------------------------------------


@mutant("serve_many", "one-after-another")
def in_turn(listener: socket.socket, n: int) -> None:
    for _ in range(n):
        talk(listener.accept()[0])


@mutant("serve_many", "one-after-another")
def target_called(listener: socket.socket, n: int) -> None:
    threads = [threading.Thread(target=talk(listener.accept()[0])) for _ in range(n)]  # type: ignore[func-returns-value]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


@mutant("serve_many", "one-after-another")
def run_for_start(listener: socket.socket, n: int) -> None:
    for _ in range(n):
        threading.Thread(target=talk, args=listener.accept()[:1]).run()


@mutant("serve_many", "joins-at-once")
def start_and_join(listener: socket.socket, n: int) -> None:
    for _ in range(n):
        thread(talk, listener.accept()[0]).join()


@mutant("serve_many", "pool-too-small")
def pool_as_it_comes(listener: socket.socket, n: int) -> None:
    with ThreadPoolExecutor() as pool:
        for _ in range(n):
            pool.submit(talk, listener.accept()[0])


@mutant("serve_many", "returns-early")
def nobody_joins(listener: socket.socket, n: int) -> None:
    for _ in range(n):
        thread(talk, listener.accept()[0])


@mutant("serve_many", "one-message")
def one_answer(listener: socket.socket, n: int) -> None:
    def answer(conn: socket.socket) -> None:
        with conn:
            conn.sendall(conn.recv(1024))

    with ThreadPoolExecutor(n) as pool:
        for _ in range(n):
            pool.submit(answer, listener.accept()[0])


@mutant("serve_many", "answers-at-the-end")
def hears_all_first(listener: socket.socket, n: int) -> None:
    def answer(conn: socket.socket) -> None:
        with conn:
            heard = b""
            while data := conn.recv(1024):
                heard += data
            conn.sendall(heard)

    with ThreadPoolExecutor(n) as pool:
        for _ in range(n):
            pool.submit(answer, listener.accept()[0])


@mutant("serve_many", "one-breaks-all")
def asks_for_results(listener: socket.socket, n: int) -> None:
    with ThreadPoolExecutor(n) as pool:
        futures = [pool.submit(talk, listener.accept()[0]) for _ in range(n)]
    for future in futures:
        future.result()


@mutant("serve_many", "one-breaks-all")
def one_loop_for_all(listener: socket.socket, n: int) -> None:
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        for _ in range(n):
            selector.register(stack.enter_context(listener.accept()[0]), selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                conn: Any = key.fileobj
                data = conn.recv(1024)
                if data:
                    conn.sendall(data)
                else:
                    selector.unregister(conn)
                    conn.close()


@mutant("serve_many", "dies-in-thread")
def a_name_misspelt(listener: socket.socket, n: int) -> None:
    def answer(conn: socket.socket) -> None:
        with conn:
            while data := conn.recv(1024):
                conn.sendall(dta)  # type: ignore[name-defined]  # noqa: F821
                del data

    for one in [thread(answer, listener.accept()[0]) for _ in range(n)]:
        one.join()


@mutant("serve_many", "not-the-echo")
def in_capitals(listener: socket.socket, n: int) -> None:
    def shout(conn: socket.socket) -> None:
        with conn:
            while data := conn.recv(1024):
                conn.sendall(data.upper())

    with ThreadPoolExecutor(n) as pool:
        for _ in range(n):
            pool.submit(shout, listener.accept()[0])


@mutant("serve_many", "str-for-bytes")
def text_back(listener: socket.socket, n: int) -> None:
    def answer(conn: Any) -> None:
        with conn:
            while data := conn.recv(1024):
                conn.sendall(data.decode())

    with ThreadPoolExecutor(n) as pool:
        for _ in range(n):
            pool.submit(answer, listener.accept()[0])


@mutant("serve_many", "end-ignored")
def never_ends(listener: socket.socket, n: int) -> None:
    def answer(conn: socket.socket) -> None:
        while True:
            conn.sendall(conn.recv(1024))

    for one in [thread(answer, listener.accept()[0]) for _ in range(n)]:
        one.join()


@mutant("serve_many", "left-open")
def keeps_them_all(listener: socket.socket, n: int) -> None:
    def answer(conn: socket.socket) -> None:
        while data := conn.recv(1024):
            conn.sendall(data)

    keeps_them_all.conns = conns = [listener.accept()[0] for _ in range(n)]  # type: ignore[attr-defined]
    for one in [thread(answer, conn) for conn in conns]:
        one.join()


@unusual("serve_many")
def with_asyncio(listener: socket.socket, n: int) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1024):
                writer.write(data)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        left -= 1
        if left == 0:
            everybody_left.set()

    async def serve() -> None:
        async with await asyncio.start_server(echo, sock=listener):
            await everybody_left.wait()

    left, everybody_left = n, asyncio.Event()
    asyncio.run(serve())


@unusual("serve_many")
def with_selectors(listener: socket.socket, n: int) -> None:
    def accept() -> None:
        conn, _ = listener.accept()
        conn.setblocking(False)
        selector.register(conn, selectors.EVENT_READ, lambda: answer(conn))

    def answer(conn: socket.socket) -> None:
        nonlocal here
        try:
            data = conn.recv(1024)
            conn.sendall(data)
        except ConnectionError:
            data = b""
        if not data:
            selector.unregister(conn)
            conn.close()
            here -= 1

    here = n
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ, accept)
        while here:
            for key, _ in selector.select():
                key.data()


class ServeMany:
    """An object that can be called; each client's thread accepts for itself."""

    def __call__(self, listener: socket.socket, n: int) -> None:
        threads = [thread(self.one, listener) for _ in range(n)]
        for one in threads:
            one.join()

    def one(self, listener: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            talk(listener.accept()[0])


an_object = ServeMany()
an_object.__name__ = "an_object"  # type: ignore[attr-defined]
unusual("serve_many")(an_object)


# -- any_port ----------------------------------------------------------------------------------------------------------


@mutant("any_port", "fixed-port")
def as_in_the_books() -> Any:
    return socket.create_server(("127.0.0.1", PORT))


@mutant("any_port", "fixed-port")
def with_reuseaddr() -> Any:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", PORT))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


@mutant("any_port", "port-shared")
def with_reuseport() -> Any:
    return socket.create_server(("127.0.0.1", PORT), reuse_port=True)


@mutant("any_port", "random-port")
def drawn() -> Any:
    return socket.create_server(("127.0.0.1", random.randint(12_000, 32_000)))


@mutant("any_port", "everybody")
def empty_host() -> Any:
    return socket.create_server(("", 0))


@mutant("any_port", "everybody")
def never_bound() -> Any:
    listener = socket.socket()
    listener.listen()
    return listener


@mutant("any_port", "not-listening")
def bound_only() -> Any:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


@mutant("any_port", "closed-on-return")
def always_with() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener


@mutant("any_port", "returns-address")
def the_address_only() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()


@mutant("any_port", "same-listener")
@functools.cache
def remembered() -> Any:
    return socket.create_server(("127.0.0.1", 0))


@mutant("any_port", "short-queue")
def five_as_in_the_books() -> Any:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(5)
    return listener


@mutant("any_port", "returns-nothing")
def no_return() -> Any:
    socket.create_server(("127.0.0.1", 0)).close()


@unusual("any_port")
def the_first_that_is_free() -> Any:
    for port in range(PORT, PORT + 500):
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            continue
    raise AssertionError("500 ports are taken")


class Listener(socket.socket):
    """A class is called as well."""

    def __init__(self) -> None:
        super().__init__()
        self.bind(("127.0.0.1", 0))
        self.listen()


unusual("any_port")(Listener)


# -- start_greeter -----------------------------------------------------------------------------------------------------


def greet(listener: socket.socket, stopping: threading.Event) -> None:
    while True:
        conn, _ = listener.accept()
        with conn:
            if stopping.is_set():
                return
            conn.sendall(b"welcome")


def new_listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def ring(listener: socket.socket) -> None:
    socket.create_connection(listener.getsockname(), timeout=2).close()


@mutant("start_greeter", "close-wakes-nobody")
def only_closes() -> Any:
    listener = new_listener()
    thread(greet, listener, threading.Event())
    return listener.getsockname(), listener.close


@mutant("start_greeter", "close-wakes-nobody")
def closes_and_joins() -> Any:
    def stop() -> None:
        stopping.set()
        listener.close()
        server.join()

    listener, stopping = new_listener(), threading.Event()
    address = listener.getsockname()
    server = thread(greet, listener, stopping)
    return address, stop


@mutant("start_greeter", "nobody-rings")
def only_a_flag() -> Any:
    listener, stopping = new_listener(), threading.Event()
    thread(greet, listener, stopping)
    return listener.getsockname(), stopping.set


@mutant("start_greeter", "nobody-rings")
def a_flag_and_join() -> Any:
    def stop() -> None:
        stopping.set()
        server.join()
        listener.close()

    listener, stopping = new_listener(), threading.Event()
    server = thread(greet, listener, stopping)
    return listener.getsockname(), stop


@mutant("start_greeter", "still-open")
def listener_forgotten() -> Any:
    def stop() -> None:
        if not stopping.is_set():
            stopping.set()
            ring(listener)
            server.join()

    listener, stopping = new_listener(), threading.Event()
    server = thread(greet, listener, stopping)
    return listener.getsockname(), stop


@mutant("start_greeter", "stops-once")
def once_only() -> Any:
    def stop() -> None:
        stopping.set()
        socket.create_connection(address, timeout=2).close()
        server.join()
        listener.close()

    listener, stopping = new_listener(), threading.Event()
    address = listener.getsockname()
    server = thread(greet, listener, stopping)
    return address, stop


@mutant("start_greeter", "never-returns")
def serves_itself() -> Any:
    with new_listener() as listener:
        greet(listener, threading.Event())
        return listener.getsockname(), listener.close


@mutant("start_greeter", "never-returns")
def leaves_the_pool() -> Any:
    listener, stopping = new_listener(), threading.Event()
    with ThreadPoolExecutor() as pool:
        pool.submit(greet, listener, stopping)
        return listener.getsockname(), stopping.set


everybodys_flag = threading.Event()


@mutant("start_greeter", "shared")
def one_flag_for_all() -> Any:
    def stop() -> None:
        everybodys_flag.set()
        if listener.fileno() >= 0:
            ring(listener)
            server.join()
            listener.close()

    everybodys_flag.clear()
    listener = new_listener()
    server = thread(greet, listener, everybodys_flag)
    return listener.getsockname(), stop


@mutant("start_greeter", "no-pair")
def calls_stop() -> Any:
    def stop() -> None:
        stopping.set()
        ring(listener)
        server.join()
        listener.close()

    listener, stopping = new_listener(), threading.Event()
    server = thread(greet, listener, stopping)
    return listener.getsockname(), stop()  # type: ignore[func-returns-value]


@mutant("start_greeter", "one-client")
def for_one_client() -> Any:
    def serve() -> None:
        conn, _ = listener.accept()
        with conn:
            conn.sendall(b"welcome")

    listener = new_listener()
    thread(serve)
    return listener.getsockname(), listener.close


@mutant("start_greeter", "no-hang-up")
def does_not_close() -> Any:
    def serve() -> None:
        conns = []
        while True:
            conns.append(listener.accept()[0])
            conns[-1].sendall(b"welcome")

    listener = new_listener()
    thread(serve)
    return listener.getsockname(), listener.close


@mutant("start_greeter", "no-greeting")
def only_echoes() -> Any:
    def serve() -> None:
        while True:
            talk(listener.accept()[0])

    listener = new_listener()
    thread(serve)
    return listener.getsockname(), listener.close


@mutant("start_greeter", "dies-in-thread")
def shut_down_under_it() -> Any:
    def stop() -> None:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        server.join()
        listener.close()

    listener = new_listener()
    server = thread(greet, listener, threading.Event())
    return listener.getsockname(), stop


@mutant("start_greeter", "thread-left")
def pool_is_left() -> Any:
    def stop() -> None:
        stopping.set()
        ring(listener)
        serving.result()
        listener.close()

    listener, stopping = new_listener(), threading.Event()
    pool_is_left.pool = pool = ThreadPoolExecutor()  # type: ignore[attr-defined]  # as a name in a cell keeps it
    serving = pool.submit(greet, listener, stopping)
    return listener.getsockname(), stop


@mutant("start_greeter", "fixed-port")
def always_the_same_port() -> Any:
    def stop() -> None:
        if not stopping.is_set():
            stopping.set()
            ring(listener)
            server.join()
            listener.close()

    listener, stopping = socket.create_server(("127.0.0.1", PORT)), threading.Event()
    server = thread(greet, listener, stopping)
    return listener.getsockname(), stop


@mutant("start_greeter", "str-for-bytes")
def says_text() -> Any:
    def serve(listener: Any) -> None:
        while True:
            conn, _ = listener.accept()
            with conn:
                conn.sendall("welcome")

    listener = new_listener()
    thread(serve, listener)
    return listener.getsockname(), listener.close


@unusual("start_greeter")
def polls() -> Any:
    def serve() -> None:
        with listener:
            while not stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    conn, _ = listener.accept()
                    with conn:
                        conn.sendall(b"welcome")

    def stop() -> None:
        stopping.set()
        server.join()

    listener, stopping = new_listener(), threading.Event()
    listener.settimeout(0.1)
    server = thread(serve)
    return listener.getsockname(), stop


@unusual("start_greeter")
def with_socketserver() -> Any:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"welcome")

    def stop() -> None:
        server.shutdown()
        server.server_close()
        serving.join()

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    serving = thread(server.serve_forever)
    return server.server_address, stop


@unusual("start_greeter")
def a_loop_in_a_thread() -> Any:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"welcome")
        writer.close()
        await writer.wait_closed()

    async def serve() -> None:
        nonlocal address, loop
        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            address, loop = server.sockets[0].getsockname(), asyncio.get_running_loop()
            ready.set()
            await ending.wait()

    def stop() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(ending.set)
        serving.join()

    address: Any = None
    loop: Any = None
    ready, ending = threading.Event(), asyncio.Event()
    serving = thread(lambda: asyncio.run(serve()))
    ready.wait()
    return address, stop


@unusual("start_greeter")
def a_byte_wakes_it() -> Any:
    """The self-pipe trick: the selector watches the listener and one end of a pair."""

    def serve() -> None:
        with listener, asleep, selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(asleep, selectors.EVENT_READ)
            while asleep not in [key.fileobj for key, _ in selector.select()]:
                conn, _ = listener.accept()
                with conn:
                    conn.sendall(b"welcome")

    def stop() -> None:
        awake.close()
        serving.join()

    listener = new_listener()
    asleep, awake = socket.socketpair()
    address = listener.getsockname()
    serving = thread(serve)
    return address, stop
