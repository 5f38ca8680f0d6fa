"""Lesson 14: a server that comes back on its port and never beside itself; four workers at one port."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import selectors
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mutants import mutant, unusual

Serve = Callable[[socket.socket], object]
Address = tuple[str, int]


# -- come_back ---------------------------------------------------------------------------------------------------------


def listener_with(address: Address, *options: int) -> socket.socket:
    sock = socket.socket()
    try:
        for option in options:
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        sock.bind(address)
        sock.listen()
    except OSError:
        sock.close()
        raise
    return sock


@mutant("come_back", "no-reuse")
def plain(address: Address) -> socket.socket:
    return listener_with(address)


@mutant("come_back", "set-too-late")
def option_after_bind(address: Address) -> socket.socket:
    sock = socket.socket()
    try:
        sock.bind(address)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.listen()
    except OSError:
        sock.close()
        raise
    return sock


@mutant("come_back", "stands-beside")
def with_reuse_port(address: Address) -> socket.socket:
    return listener_with(address, socket.SO_REUSEPORT)


@mutant("come_back", "stands-beside")
def both_to_be_safe(address: Address) -> socket.socket:
    return socket.create_server(address, reuse_port=True)


@mutant("come_back", "takes-another-port")
def falls_back(address: Address) -> socket.socket:
    try:
        return socket.create_server(address)
    except OSError:
        return socket.create_server((address[0], 0))


@mutant("come_back", "another-place")
def any_port_at_all(address: Address) -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@mutant("come_back", "another-place")
def every_interface(address: Address) -> socket.socket:
    return socket.create_server(("0.0.0.0", address[1]))


@mutant("come_back", "swallowed")
def returns_none(address: Address) -> socket.socket | None:
    try:
        return socket.create_server(address)
    except OSError:
        return None


@mutant("come_back", "waits-for-the-port")
def tries_until_it_works(address: Address) -> socket.socket:
    while True:
        try:
            return listener_with(address)
        except OSError:
            time.sleep(0.05)


@mutant("come_back", "waits-for-the-port")
def waits_a_minute(address: Address) -> socket.socket:
    try:
        return listener_with(address)
    except OSError:
        time.sleep(60)
        return listener_with(address)


@mutant("come_back", "does-not-listen")
def only_binds(address: Address) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    return sock


@mutant("come_back", "another-error")
def words_of_its_own(address: Address) -> socket.socket:
    try:
        return socket.create_server(address)
    except OSError:
        raise OSError("the server is running already") from None


@mutant("come_back", "left-after-failure")
def forgets_the_socket(address: Address) -> socket.socket:
    sock = socket.socket()
    kept.append(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    sock.listen()
    return sock


kept: list[socket.socket] = []


@mutant("come_back", "closed-by-luck")
def makes_and_forgets(address: Address) -> None:
    socket.create_server(address)


@unusual("come_back")
def by_hand(address: Address) -> socket.socket:
    return listener_with(address, socket.SO_REUSEADDR)


@unusual("come_back")
def looks_at_the_errno(address: Address) -> socket.socket:
    """Closes by an ExitStack, and raises what it has got."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        for step in (functools.partial(sock.bind, address), sock.listen):
            try:
                step()
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise RuntimeError("what is this?") from error
                raise
        stack.pop_all()
    return sock


@unusual("come_back")
def with_asyncio(address: Address) -> socket.socket:
    """asyncio sets the option by itself."""

    async def start() -> socket.socket:
        server = await asyncio.start_server(lambda reader, writer: None, *address)
        sock = server.sockets[0].dup()
        server.close()
        sock.listen()
        return sock

    return asyncio.run(start())


# -- start_workers -----------------------------------------------------------------------------------------------------

HOME = ("127.0.0.1", 0)


def four(**options: Any) -> list[socket.socket]:
    first = socket.create_server(HOME, **{"reuse_port": True, **options})
    return [first, *(socket.create_server(first.getsockname(), **{"reuse_port": True, **options}) for _ in range(3))]


def work(listener: socket.socket, serve: Serve, stopping: threading.Event) -> None:
    """As it should be."""
    with listener:
        while True:
            try:
                conn, _ = listener.accept()
            except TimeoutError:
                if stopping.is_set():
                    return
                continue
            with conn:
                serve(conn)


def started(target: Callable[..., object], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


def run(
    listeners: list[socket.socket],
    serve: Serve,
    target: Callable[..., object] = work,
    end: Callable[[], object] = lambda: None,
    timeout: float | None = 0.05,
) -> tuple[Address, Callable[[], None]]:
    def stop() -> None:
        stopping.set()
        end()
        for thread in threads:
            thread.join()

    stopping = threading.Event()
    address = listeners[0].getsockname()
    for listener in listeners:
        listener.settimeout(timeout)
    threads = [started(target, listener, serve, stopping) for listener in listeners]
    return address, stop


def shut_all(listeners: list[socket.socket]) -> None:
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)


def close_all(listeners: list[socket.socket]) -> None:
    for listener in listeners:
        listener.close()


@mutant("start_workers", "not-all-share")
def without_the_option(serve: Serve) -> Any:
    return run(four(reuse_port=False), serve)


@mutant("start_workers", "not-all-share")
def first_without(serve: Serve) -> Any:
    with socket.create_server(HOME) as first:
        others = [socket.create_server(first.getsockname(), reuse_port=True) for _ in range(3)]
        return run([first, *others], serve)


@mutant("start_workers", "four-ports")
def port_0_for_all(serve: Serve) -> Any:
    return run([socket.create_server(HOME, reuse_port=True) for _ in range(4)], serve)


@mutant("start_workers", "not-four-listeners")
def one_for_four(serve: Serve) -> Any:
    def stop() -> None:
        stopping.set()
        for thread in threads:
            thread.join()
        listener.close()

    def take() -> None:
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                conn, _ = listener.accept()
                with conn:
                    serve(conn)

    stopping, listener = threading.Event(), socket.create_server(HOME)
    listener.settimeout(0.05)
    threads = [started(take) for _ in range(4)]
    return listener.getsockname(), stop


@mutant("start_workers", "never-returns")
def serves_by_itself(serve: Serve) -> Any:
    listeners = four()
    with ThreadPoolExecutor() as pool:
        for listener in listeners:
            listener.settimeout(0.05)
            pool.submit(work, listener, serve, threading.Event())
    return listeners[0].getsockname(), lambda: None


@mutant("start_workers", "no-pair")
def calls_stop(serve: Serve) -> Any:
    address, stop = run(four(), serve)
    return address, stop()


@mutant("start_workers", "still-in-accept")
def flag_and_join(serve: Serve) -> Any:
    return run(four(), serve, timeout=None)


@mutant("start_workers", "still-in-accept")
def close_and_hope(serve: Serve) -> Any:
    listeners = four()
    address = listeners[0].getsockname()
    for listener in listeners:
        started(work, listener, serve, threading.Event())
    return address, functools.partial(close_all, listeners)


@mutant("start_workers", "queue-thrown-away")
def flag_first(serve: Serve) -> Any:
    def until_told(listener: socket.socket, serve: Serve, stopping: threading.Event) -> None:
        with listener:
            while not stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    conn, _ = listener.accept()
                    with conn:
                        serve(conn)

    return run(four(), serve, until_told)


@mutant("start_workers", "queue-thrown-away")
def shuts_the_doors(serve: Serve) -> Any:
    def until_shut(listener: socket.socket, serve: Serve, stopping: threading.Event) -> None:
        with listener, contextlib.suppress(OSError):
            while True:
                conn, _ = listener.accept()
                with conn:
                    serve(conn)

    listeners = four()
    return run(listeners, serve, until_shut, functools.partial(shut_all, listeners), timeout=None)


@mutant("start_workers", "dies-in-thread")
def no_except(serve: Serve) -> Any:
    def until_timeout(listener: socket.socket, serve: Serve, stopping: threading.Event) -> None:
        with listener:
            while True:
                conn, _ = listener.accept()
                with conn:
                    serve(conn)

    return run(four(), serve, until_timeout, timeout=0.02)


@mutant("start_workers", "one-client-each")
def takes_one(serve: Serve) -> Any:
    def once(listener: socket.socket, serve: Serve, stopping: threading.Event) -> None:
        with listener:
            while not stopping.is_set():
                try:
                    conn, _ = listener.accept()
                except TimeoutError:
                    continue
                with conn:
                    serve(conn)
                stopping.wait()

    return run(four(), serve, once)


@mutant("start_workers", "no-hang-up")
def keeps_them(serve: Serve) -> Any:
    conns = []

    def keep(conn: socket.socket) -> None:
        conns.append(conn.dup())
        serve(conn)

    return run(four(), keep)


@mutant("start_workers", "not-joined")
def only_tells_them(serve: Serve) -> Any:
    def slowly(listener: socket.socket, serve: Serve, stopping: threading.Event) -> None:
        work(listener, serve, stopping)
        time.sleep(1)

    stopping, listeners = threading.Event(), four()
    address = listeners[0].getsockname()
    for listener in listeners:
        listener.settimeout(0.05)
        started(slowly, listener, serve, stopping)
    return address, stopping.set


@mutant("start_workers", "still-open")
def leaves_the_doors(serve: Serve) -> Any:
    def until_told(listener: socket.socket, serve: Serve, stopping: threading.Event) -> None:
        kept.append(listener)
        while True:
            try:
                conn, _ = listener.accept()
            except TimeoutError:
                if stopping.is_set():
                    return
                continue
            with conn:
                serve(conn)

    return run(four(), serve, until_told)


@mutant("start_workers", "left-open")
def prints_the_address(serve: Serve) -> None:
    run(four(), serve)


@unusual("start_workers")
def with_a_pool(serve: Serve) -> Any:
    def stop() -> None:
        stopping.set()
        pool.shutdown()

    stopping, pool, listeners = threading.Event(), ThreadPoolExecutor(4), four()
    address = listeners[0].getsockname()
    for listener in listeners:
        listener.settimeout(0.05)
        pool.submit(work, listener, serve, stopping)
    return address, stop


@unusual("start_workers")
def with_selectors(serve: Serve) -> Any:
    """Waits for a client or for the bell, and empties the queue at the end."""

    def watch(listener: socket.socket, serve: Serve, stopping: threading.Event) -> None:
        with listener, selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(bell, selectors.EVENT_READ)
            over = False
            while not over:
                over = any(key.fileobj is bell for key, _ in selector.select(1))
                with contextlib.suppress(BlockingIOError):
                    while True:
                        conn, _ = listener.accept()
                        conn.setblocking(True)
                        with conn:
                            serve(conn)

    def end() -> None:
        rope.send(b"!")

    bell, rope = socket.socketpair()
    address, stop = run(four(), serve, watch, end, timeout=0.0)

    def stop_all() -> None:
        stop()
        bell.close()
        rope.close()

    return address, stop_all


@unusual("start_workers")
class Workers:
    """A class that is a pair: an address, and itself to be called."""

    def __new__(cls, serve: Serve) -> Any:
        return run(four(backlog=64), serve)
