"""A server for each rung of lesson 27, as its contract wants them: `serve(sock, stop, …)`, until `stop` can be read.

Threads, where there are connections; one loop where there are datagrams. They are there to be measured and compared
with; the lesson's solutions take other ways in places.
"""

from __future__ import annotations

import json
import operator
import queue
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    import ssl

LONGEST = 1_000  # bytes of a calculator's line
LARGEST = 1 << 20  # bytes of a value, or of a line of JSON
BEHIND = 1_000  # lines that a member of the chat may be behind
BLOCK = 512  # bytes
AGAIN, TRIES = 0.05, 40  # seconds after which a block is sent again, and how often
WORD, INSTEAD = b"colour", b"color"


def each_client(listener: socket.socket, stop: socket.socket, talk: Callable[[socket.socket], object]) -> None:
    """A thread for each connection, until `stop`; then wait for those that are there."""

    def attend(conn: socket.socket) -> None:
        with conn, suppress(ConnectionError, EOFError):
            talk(conn)

    threads: list[threading.Thread] = []
    while stop not in select.select([listener, stop], [], [])[0]:
        conn, _ = listener.accept()
        conn.settimeout(None)
        threads = [*(one for one in threads if one.is_alive()), threading.Thread(target=attend, args=(conn,))]
        threads[-1].start()
    for thread in threads:
        thread.join()


# -- 1 to 3: bytes, lines, JSON ----------------------------------------------------------------------------------------


def serve_echo(listener: socket.socket, stop: socket.socket) -> None:
    def talk(conn: socket.socket) -> None:
        while data := conn.recv(65536):
            conn.sendall(data)

    each_client(listener, stop, talk)


def by_lines(conn: socket.socket, most: int, answer: Callable[[bytes], bytes]) -> None:
    """Answer line by line; one that is longer than `most` with an error, and then no more."""
    with conn.makefile("rb") as lines:
        while line := lines.readline(most + 1):
            if not line.endswith(b"\n"):
                conn.sendall(b"error: no line end\n")
                return
            conn.sendall(answer(line[:-1]) + b"\n")


_SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}


def _calculated(line: bytes) -> bytes:
    try:
        left, sign, right = line.decode("ascii").split()
        return b"%d" % _SIGNS[sign](int(left), int(right))
    except (ValueError, KeyError, ArithmeticError) as exc:
        return f"error: {type(exc).__name__}".encode()


def serve_calculator(listener: socket.socket, stop: socket.socket) -> None:
    each_client(listener, stop, lambda conn: by_lines(conn, LONGEST, _calculated))


_METHODS: dict[str, Callable[[Any], Any]] = {"upper": str.upper, "sum": sum}


def _json_answered(line: bytes) -> bytes:
    number = None
    try:
        asked = json.loads(line)
        if not isinstance(asked, dict):
            raise TypeError("wanted an object")
        number = asked.get("id")
        told = {"id": number, "result": _METHODS[asked["method"]](asked["value"])}
    except (ValueError, KeyError, TypeError) as exc:
        told = {"id": number, "error": type(exc).__name__}
    return json.dumps(told).encode()


def serve_json(listener: socket.socket, stop: socket.socket) -> None:
    each_client(listener, stop, lambda conn: by_lines(conn, LARGEST, _json_answered))


# -- 4 and 5: something that is shared ---------------------------------------------------------------------------------


def _exactly(conn: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = conn.recv(size - len(data))
        if not piece:
            raise EOFError(f"wanted {size} bytes, {len(data)} came before the end")
        data += piece
    return bytes(data)


def serve_values(listener: socket.socket, stop: socket.socket) -> None:
    store: dict[bytes, bytes] = {}

    def talk(conn: socket.socket) -> None:
        while True:
            kind, key_size, size = struct.unpack("!cHI", _exactly(conn, 7))
            if size > LARGEST:
                conn.sendall(struct.pack("!cI", b"!", 0))
                return
            key, value = _exactly(conn, key_size), _exactly(conn, size)
            if kind == b"P":
                store[key] = value
            found = b"" if kind == b"P" else store.get(key)
            conn.sendall(struct.pack("!cI", b"-" if found is None else b"+", len(found or b"")) + (found or b""))

    each_client(listener, stop, talk)


def serve_chat(listener: socket.socket, stop: socket.socket) -> None:
    members: dict[str, tuple[socket.socket, queue.Queue[bytes]]] = {}
    lock = threading.Lock()

    def post(name: str, line: bytes) -> None:
        with lock:
            for other, (conn, letters) in members.items():
                if other != name:
                    try:
                        letters.put_nowait(line)
                    except queue.Full:
                        with suppress(OSError):
                            conn.shutdown(socket.SHUT_RDWR)

    def deliver(conn: socket.socket, letters: queue.Queue[bytes]) -> None:
        with suppress(OSError):
            while line := letters.get():
                conn.sendall(line)

    def talk(conn: socket.socket) -> None:
        letters: queue.Queue[bytes] = queue.Queue(BEHIND)
        with conn.makefile("rb") as lines:
            name = lines.readline(LONGEST).decode(errors="replace").strip()
            letters.put(b"welcome\n")
            with lock:
                members[name] = conn, letters
            sender = threading.Thread(target=deliver, args=(conn, letters))
            sender.start()
            try:
                for line in lines:
                    post(name, name.encode() + b": " + line)
            finally:
                with lock:
                    del members[name]
                with suppress(OSError):
                    conn.shutdown(socket.SHUT_RDWR)
                with suppress(queue.Full):
                    letters.put_nowait(b"")
                sender.join()
                post(name, f"* {name} has left\n".encode())

    each_client(listener, stop, talk)


# -- 6: datagrams ------------------------------------------------------------------------------------------------------


def serve_kv(sock: socket.socket, stop: socket.socket) -> None:
    values: dict[str, str] = {}
    last: dict[Any, tuple[bytes, bytes]] = {}

    def answer(command: str, key: str, value: str) -> str:
        if command == "SET" and key:
            values[key] = value
            return "OK"
        if command == "GET" and key:
            return f"VALUE {values[key]}" if key in values else "NONE"
        if command == "ADD" and key:
            values[key] = str(int(values.get(key, "0")) + int(value))
            return f"VALUE {values[key]}"
        return "ERROR"

    while stop not in select.select([sock, stop], [], [])[0]:
        data, sender = sock.recvfrom(65535)
        if sender in last and last[sender][0] == data:
            sock.sendto(last[sender][1], sender)
            continue
        try:
            number, _, rest = data.decode().partition(" ")
            command, _, rest = rest.partition(" ")
            key, _, value = rest.partition(" ")
        except UnicodeDecodeError:
            continue
        if not number:
            continue
        try:
            told = answer(command, key, value)
        except ValueError:
            told = "ERROR"
        last[sender] = data, f"{number} {told}".encode()
        sock.sendto(last[sender][1], sender)


# -- 7 and 8: proxy, files ---------------------------------------------------------------------------------------------


def serve_proxy(listener: socket.socket, stop: socket.socket, upstream: Any) -> None:
    def forward(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def rewrite(source: socket.socket, target: socket.socket) -> None:
        rest = b""
        while data := source.recv(65536):
            data = (rest + data).replace(WORD, INSTEAD)
            held = next((n for n in range(len(WORD) - 1, 0, -1) if data.endswith(WORD[:n])), 0)
            data, rest = data[: len(data) - held], data[len(data) - held :]
            target.sendall(data)
        target.sendall(rest)
        target.shutdown(socket.SHUT_WR)

    def talk(conn: socket.socket) -> None:
        with socket.create_connection(upstream) as far:
            there = threading.Thread(target=forward, args=(conn, far))
            there.start()
            try:
                rewrite(far, conn)
            finally:
                there.join()

    each_client(listener, stop, talk)


def serve_files(listener: socket.socket, stop: socket.socket, folder: str) -> None:
    root = Path(folder).resolve()

    def found(target: str) -> bytes | None:
        try:
            path = (root / unquote(target.partition("?")[0]).lstrip("/")).resolve()
            return path.read_bytes() if path.is_relative_to(root) and path.is_file() else None
        except (OSError, ValueError):
            return None

    def talk(conn: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = conn.recv(4096)
            if not piece:
                return
            head += piece
            if len(head) > 8192:
                conn.sendall(_response("431 Request Header Fields Too Large", b""))
                return
        words = head.split(b"\r\n")[0].decode("latin-1").split()
        if len(words) != 3:
            conn.sendall(_response("400 Bad Request", b""))
        elif words[0] not in ("GET", "HEAD"):
            conn.sendall(_response("405 Method Not Allowed", b""))
        else:
            body = found(words[1])
            whole = _response("404 Not Found", b"") if body is None else _response("200 OK", body)
            conn.sendall(whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if words[0] == "HEAD" else whole)

    each_client(listener, stop, talk)


def _response(status: str, body: bytes) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", "", "")
    return "\r\n".join(lines).encode() + body


# -- 9 and 10: reliable transfer, TLS ----------------------------------------------------------------------------------


def serve_blocks(sock: socket.socket, stop: socket.socket, files: Mapping[str, bytes]) -> None:
    under_way: dict[Any, list[Any]] = {}  # of each client: name, number, when to send again, tries left

    def send(client: Any) -> None:
        name, number, _, tries = under_way[client]
        if not tries:
            del under_way[client]
            return
        under_way[client][2:] = time.monotonic() + AGAIN, tries - 1
        sock.sendto(struct.pack("!cI", b"D", number) + files[name][number * BLOCK :][:BLOCK], client)

    def hear(data: bytes, client: Any) -> None:
        if data[:1] == b"G":
            name = data[1:].decode(errors="replace")
            if name not in files:
                sock.sendto(b"E", client)
            elif client not in under_way or under_way[client][0] != name:
                under_way[client] = [name, 0, 0.0, TRIES]
                send(client)
        elif client in under_way and len(data) == 5 and data[:1] == b"A":
            name, number, _, _ = under_way[client]
            if struct.unpack("!I", data[1:])[0] == number:
                if len(files[name]) < (number + 1) * BLOCK:
                    del under_way[client]
                else:
                    under_way[client] = [name, number + 1, 0.0, TRIES]
                    send(client)

    while True:
        due = min((one[2] for one in under_way.values()), default=None)
        left = None if due is None else max(0.0, due - time.monotonic())
        ready = select.select([sock, stop], [], [], left)[0]
        if stop in ready:
            return
        if sock in ready:
            hear(*sock.recvfrom(65535))
        for client in [client for client, one in under_way.items() if one[2] <= time.monotonic()]:
            send(client)


def serve_jobs(listener: socket.socket, stop: socket.socket, context: ssl.SSLContext) -> None:
    import ssl

    waiting: deque[tuple[int, bytes]] = deque()
    numbers = iter(range(1, 1 << 30))
    lock = threading.Lock()

    def talk(conn: socket.socket) -> None:
        taken: dict[int, bytes] = {}
        with suppress(OSError), context.wrap_socket(conn, server_side=True) as secure:
            try:
                by_lines(secure, LONGEST, lambda line: answer(line, taken))
            finally:  # before the connection is closed: who has seen its end finds the jobs
                with lock:
                    waiting.extendleft(sorted(taken.items(), reverse=True))

    def answer(line: bytes, taken: dict[int, bytes]) -> bytes:
        command, _, rest = line.partition(b" ")
        with lock:
            if command == b"PUT" and rest:
                waiting.append((next(numbers), rest))
                return b"OK %d" % waiting[-1][0]
            if command == b"TAKE":
                if not waiting:
                    return b"NONE"
                number, text = waiting.popleft()
                taken[number] = text
                return b"JOB %d %s" % (number, text)
            if command == b"DONE" and rest.isdigit() and taken.pop(int(rest), None) is not None:
                return b"OK"
        return b"ERROR"

    assert issubclass(ssl.SSLError, OSError)  # a handshake that fails ends that client alone
    each_client(listener, stop, talk)


SERVERS: dict[str, Callable[..., None]] = {
    serve.__name__: serve
    for serve in (
        serve_echo, serve_calculator, serve_json, serve_values, serve_chat, serve_kv, serve_proxy, serve_files,
        serve_blocks, serve_jobs,
    )
}  # fmt: skip


def ladder_servers() -> dict[str, Callable[..., None]]:
    """A server for each rung, by the name of its exercise, from the first to the last."""
    return dict(SERVERS)
