"""Lesson 27, rungs 1 to 3: echo, a calculator of lines, requests in JSON."""

from __future__ import annotations

import asyncio
import json
import operator
import select
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from mutants import mutant, unusual

Talk = Callable[[socket.socket], Any]
Serve = Callable[[socket.socket, socket.socket], None]


def arrivals(listener: socket.socket, stop: socket.socket) -> Iterator[socket.socket]:
    while stop not in select.select([listener, stop], [], [])[0]:
        yield listener.accept()[0]


def served(listener: socket.socket, stop: socket.socket, talk: Talk) -> None:
    """A thread for each client; what the answers below have in common."""

    def attend(conn: socket.socket) -> None:
        with conn, suppress(ConnectionError):
            talk(conn)

    with ThreadPoolExecutor(60) as pool:
        for conn in arrivals(listener, stop):
            pool.submit(attend, conn)


# -- serve_echo --------------------------------------------------------------------------------------------------------


def echo(conn: socket.socket) -> None:
    while data := conn.recv(4096):
        conn.sendall(data)


@mutant("serve_echo", "one-thread-for-all")
def one_by_one(listener: socket.socket, stop: socket.socket) -> None:
    for conn in arrivals(listener, stop):
        with conn, suppress(ConnectionError):
            echo(conn)


@mutant("serve_echo", "one-breaks-all")
def without_suppress(listener: socket.socket, stop: socket.socket) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(stop, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                sock: Any = key.fileobj
                if sock is stop:
                    return
                if sock is listener:
                    selector.register(listener.accept()[0], selectors.EVENT_READ)
                elif data := sock.recv(4096):
                    sock.sendall(data)
                else:
                    selector.unregister(sock)
                    sock.close()


@mutant("serve_echo", "rest-dropped")
def closes_too_soon(listener: socket.socket, stop: socket.socket) -> None:
    """A loop with a buffer for each client, as in lesson 20, that closes at once at the end."""
    waiting: dict[Any, bytes] = {}
    try:
        while True:
            writers = [sock for sock, data in waiting.items() if data]
            readable, writable, _ = select.select([listener, stop, *waiting], writers, [])
            if stop in readable:
                return
            for sock in readable:
                if sock is listener:
                    conn = listener.accept()[0]
                    conn.setblocking(False)
                    waiting[conn] = b""
                elif data := received(sock):
                    waiting[sock] += data
                else:
                    sock.close()
                    del waiting[sock]
            for sock in writable:
                if sock in waiting:
                    waiting[sock] = waiting[sock][sock.send(waiting[sock]) :]
    finally:
        for sock in waiting:
            sock.close()


def received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except ConnectionError:
        return b""


@mutant("serve_echo", "one-message")
def echo_once(listener: socket.socket, stop: socket.socket) -> None:
    served(listener, stop, lambda conn: conn.sendall(conn.recv(4096)))


@mutant("serve_echo", "answers-at-the-end")
def echo_late(listener: socket.socket, stop: socket.socket) -> None:
    def talk(conn: socket.socket) -> None:
        data = b""
        while piece := conn.recv(4096):
            data += piece
        conn.sendall(data)

    served(listener, stop, talk)


@mutant("serve_echo", "never-stops")
def for_ever(listener: socket.socket, stop: socket.socket) -> None:
    with ThreadPoolExecutor(60) as pool:
        while True:
            pool.submit(in_a_with, listener.accept()[0])


def in_a_with(conn: socket.socket) -> None:
    with conn, suppress(ConnectionError):
        echo(conn)


@mutant("serve_echo", "gone-before-stop")
def one_client(listener: socket.socket, stop: socket.socket) -> None:
    with listener.accept()[0] as conn:
        echo(conn)


@mutant("serve_echo", "listener-closed")
def tidies_up(listener: socket.socket, stop: socket.socket) -> None:
    with listener:
        served(listener, stop, echo)


@mutant("serve_echo", "threads-left")
def accepts_for_ever(listener: socket.socket, stop: socket.socket) -> None:
    """It does hear `stop`; the thread that accepts does not."""

    def accept() -> None:
        while True:
            threading.Thread(target=in_a_with, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    stop.recv(1)


@unusual("serve_echo")
def with_asyncio(listener: socket.socket, stop: socket.socket) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                writer.write(data)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def serve() -> None:
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(stop, ended.set)
        server = await asyncio.start_server(talk, sock=listener.dup())
        await ended.wait()
        asyncio.get_running_loop().remove_reader(stop)
        server.close()
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.001)

    listener.setblocking(False)
    asyncio.run(serve())


# -- serve_calculator --------------------------------------------------------------------------------------------------

OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}


def result(line: bytes) -> bytes:
    try:
        left, sign, right = line.decode("ascii").split()
        return b"%d\n" % OPERATIONS[sign](int(left), int(right))
    except (ValueError, KeyError, ArithmeticError) as error:
        return f"error: {error}\n".encode("ascii", "replace")


def by_lines(conn: socket.socket, answer: Callable[[bytes], bytes], most: int = 1000) -> None:
    rest = b""
    while piece := conn.recv(4096):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            conn.sendall(answer(line))
        if len(rest) > most:
            conn.sendall(b"error: too long\n")
            return


@mutant("serve_calculator", "one-recv-one-line")
def calc_recv(listener: socket.socket, stop: socket.socket) -> None:
    def talk(conn: socket.socket) -> None:
        while line := conn.recv(4096):
            conn.sendall(result(line))

    served(listener, stop, talk)


@mutant("serve_calculator", "rest-of-recv-lost")
def calc_first_line(listener: socket.socket, stop: socket.socket) -> None:
    def talk(conn: socket.socket) -> None:
        data = b""
        while piece := conn.recv(4096):
            data += piece
            if b"\n" in data:
                conn.sendall(result(data.split(b"\n")[0]))
                data = b""

    served(listener, stop, talk)


@mutant("serve_calculator", "evaluates")
def calc_eval(listener: socket.socket, stop: socket.socket) -> None:
    def answer(line: bytes) -> bytes:
        try:
            return b"%d\n" % int(eval(line.decode()))
        except Exception as error:
            return f"error: {type(error).__name__}\n".encode()

    served(listener, stop, lambda conn: by_lines(conn, answer))


@mutant("serve_calculator", "error-ends-it")
def calc_raises(listener: socket.socket, stop: socket.socket) -> None:
    def answer(line: bytes) -> bytes:
        left, sign, right = line.decode().split()
        return b"%d\n" % OPERATIONS[sign](int(left), int(right))

    served(listener, stop, lambda conn: by_lines(conn, answer))


@mutant("serve_calculator", "line-without-limit")
def calc_endless(listener: socket.socket, stop: socket.socket) -> None:
    served(listener, stop, lambda conn: by_lines(conn, result, most=1 << 30))


@mutant("serve_calculator", "one-thread-for-all")
def calc_in_turn(listener: socket.socket, stop: socket.socket) -> None:
    for conn in arrivals(listener, stop):
        with conn, suppress(ConnectionError):
            by_lines(conn, result)


@mutant("serve_calculator", "no-answer")
def calc_skips(listener: socket.socket, stop: socket.socket) -> None:
    """An empty line is no sum, so it says nothing."""
    served(listener, stop, lambda conn: by_lines(conn, lambda line: result(line) if line.strip() else b""))


@unusual("serve_calculator")
def calc_with_a_file(listener: socket.socket, stop: socket.socket) -> None:
    def talk(conn: socket.socket) -> None:
        with conn.makefile("rb") as lines:
            while line := lines.readline(1001):
                if not line.endswith(b"\n"):
                    conn.sendall(b"error: no line end\n")
                    return
                conn.sendall(result(line))

    served(listener, stop, talk)


# -- serve_json --------------------------------------------------------------------------------------------------------

METHODS: dict[str, Callable[[Any], Any]] = {"upper": str.upper, "sum": sum}


def json_answer(line: bytes, **form: Any) -> bytes:
    number = None
    try:
        asked = json.loads(line)
        if not isinstance(asked, dict):
            raise ValueError("wanted an object")
        number = asked.get("id")
        answer = {"id": number, "result": METHODS[asked["method"]](asked["value"])}
    except (ValueError, KeyError, TypeError) as error:
        answer = {"id": number, "error": repr(error)}
    return json.dumps(answer, **form).encode() + b"\n"


@mutant("serve_json", "answer-of-several-lines")
def json_pretty(listener: socket.socket, stop: socket.socket) -> None:
    served(listener, stop, lambda conn: by_lines(conn, lambda line: json_answer(line, indent=2), 1 << 20))


@mutant("serve_json", "decodes-pieces")
def json_decodes(listener: socket.socket, stop: socket.socket) -> None:
    def talk(conn: socket.socket) -> None:
        rest = ""
        while piece := conn.recv(4096):
            *lines, rest = (rest + piece.decode(errors="replace")).split("\n")
            for line in lines:
                conn.sendall(json_answer(line.encode()))

    served(listener, stop, talk)


@mutant("serve_json", "decodes-pieces")
def json_recv(listener: socket.socket, stop: socket.socket) -> None:
    def talk(conn: socket.socket) -> None:
        while piece := conn.recv(4096):
            for line in piece.splitlines():
                conn.sendall(json_answer(line))

    served(listener, stop, talk)


@mutant("serve_json", "json-error-ends-it")
def json_raises(listener: socket.socket, stop: socket.socket) -> None:
    def answer(line: bytes) -> bytes:
        asked = json.loads(line)
        return json.dumps({"id": asked["id"], "result": METHODS[asked["method"]](asked["value"])}).encode() + b"\n"

    served(listener, stop, lambda conn: by_lines(conn, answer, 1 << 20))


@mutant("serve_json", "id-lost")
def json_without_id(listener: socket.socket, stop: socket.socket) -> None:
    def answer(line: bytes) -> bytes:
        told = json.loads(json_answer(line))
        if "error" in told:
            told["id"] = None
        return json.dumps(told).encode() + b"\n"

    served(listener, stop, lambda conn: by_lines(conn, answer, 1 << 20))


@unusual("serve_json")
class JsonServer:
    """A class whose making is the service."""

    def __init__(self, listener: socket.socket, stop: socket.socket) -> None:
        served(listener, stop, self.talk)

    def talk(self, conn: socket.socket) -> None:
        with conn.makefile("rb") as lines:
            for line in lines:
                conn.sendall(json_answer(line))
