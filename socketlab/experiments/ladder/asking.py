"""Clients of the ten protocols, in a process of their own: each asks again as soon as it has its answer.

`clients.load` says why they are another process. Here each is a thread with a connection of its own, since the
protocols differ in how they talk; what a client waits includes its turn among the others' threads.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from time import perf_counter_ns
from typing import Any

CHILD = "from socketlab.experiments.ladder.asking import main; main()"
AGAIN = 0.1  # seconds after which a datagram is sent again
FILE = "page.bin"  # what files and blocks are asked for, and its bytes
CONTENT = bytes(range(200)) * 8
Ask = Callable[[], object]


def _line(sock: Any) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        piece = sock.recv(4096)
        if not piece:
            raise ConnectionError("a client wanted an answer, but the server closed the connection")
        line += piece
    return line


def _exactly(sock: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError("a client wanted an answer, but the server closed the connection")
        data += piece
    return data


def _hang_up(sock: socket.socket) -> None:
    """End a connection on which a thread still reads: close() alone waits until the file of that thread is closed."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class Talks:
    """How a client of each rung asks: a method gives the function that asks once and waits for the answer."""

    def __init__(self, address: Any, patience: float, stack: ExitStack, given: dict[str, Any]) -> None:
        self.address, self.patience, self.stack, self.given = tuple(address), patience, stack, given
        self.lock = threading.Lock()
        self.heard: dict[bytes, threading.Event] = {}

    def connected(self) -> socket.socket:
        return self.stack.enter_context(socket.create_connection(self.address, self.patience))

    def datagrams(self) -> socket.socket:
        sock = self.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.settimeout(AGAIN)
        sock.connect(self.address)
        return sock

    def serve_echo(self, client: int) -> Ask:
        sock, data = self.connected(), b"x" * 64

        def ask() -> None:
            sock.sendall(data)
            _exactly(sock, len(data))

        return ask

    def _lines(self, question: bytes) -> Ask:
        sock = self.connected()

        def ask() -> None:
            sock.sendall(question)
            _line(sock)

        return ask

    def serve_calculator(self, client: int) -> Ask:
        return self._lines(b"20 + 22\n")

    def serve_json(self, client: int) -> Ask:
        return self._lines(b'{"id": 1, "method": "sum", "value": [1, 2, 3]}\n')

    def serve_values(self, client: int) -> Ask:
        sock, key = self.connected(), b"key %d" % client
        request = struct.pack("!cHI", b"P", len(key), 100) + key + bytes(100)

        def ask() -> None:
            sock.sendall(request)
            _exactly(sock, 5)

        return ask

    def serve_chat(self, client: int) -> Ask:
        """Say a line, and wait until one who only listens has heard it."""
        if not self.heard:
            ear = self.connected()
            self.stack.callback(_hang_up, ear)
            ear.sendall(b"ear\n")
            _line(ear)
            threading.Thread(target=self._listen, args=(ear,), daemon=True).start()
        sock, event = self.connected(), threading.Event()
        self.heard[b"c%d" % client] = event
        sock.sendall(b"c%d\n" % client)
        _line(sock)

        def ask() -> None:
            event.clear()
            sock.sendall(b"hello\n")
            if not event.wait(self.patience):
                raise TimeoutError("a line of the chat was not heard")

        return ask

    def _listen(self, ear: socket.socket) -> None:
        with ear.makefile("rb") as lines:
            for line in lines:
                if (event := self.heard.get(line.partition(b":")[0])) is not None:
                    event.set()

    def serve_kv(self, client: int) -> Ask:
        sock, number = self.datagrams(), iter(range(1 << 30))

        def ask() -> None:
            request = b"%d ADD hits 1" % next(number)
            wanted = request.split()[0] + b" "
            for _ in range(round(self.patience / AGAIN)):
                sock.send(request)
                try:
                    while not sock.recv(2048).startswith(wanted):
                        pass
                    return
                except TimeoutError:
                    continue
            raise TimeoutError("a datagram was never answered")

        return ask

    def serve_proxy(self, client: int) -> Ask:
        sock = self.connected()

        def ask() -> None:
            sock.sendall(b"the colour of it\n")
            _exactly(sock, 16)

        return ask

    def serve_files(self, client: int) -> Ask:
        import http.client

        def ask() -> None:
            conn = http.client.HTTPConnection(self.address[0], self.address[1], timeout=self.patience)
            try:
                conn.request("GET", f"/{FILE}")
                if conn.getresponse().read() != CONTENT:
                    raise ConnectionError("the server sent another file")
            finally:
                conn.close()

        return ask

    def serve_blocks(self, client: int) -> Ask:
        """Fetch the file, from the same port each time: a link keeps a descriptor for every port that it hears of."""
        sock = self.datagrams()

        def ask() -> None:
            wanted, last, tries = 0, b"G" + FILE.encode(), round(self.patience / AGAIN)
            sock.send(last)
            while tries:
                try:
                    data = sock.recv(2048)
                except TimeoutError:
                    tries -= 1
                    sock.send(last)
                    continue
                if data[:1] != b"D":
                    continue
                # Also a block of the file before: the server waits for that, where the last acknowledgement was lost.
                sock.send(b"A" + data[1:5])
                if struct.unpack("!I", data[1:5])[0] == wanted:
                    wanted, last = wanted + 1, b"A" + data[1:5]
                    if len(data) < 517:
                        return
            raise TimeoutError("a block never came")

        return ask

    def serve_jobs(self, client: int) -> Ask:
        import ssl

        context = ssl.create_default_context(cadata=self.given["authority"])
        sock = self.stack.enter_context(context.wrap_socket(self.connected(), server_hostname="localhost"))

        def ask() -> None:
            sock.sendall(b"PUT work\n")
            _line(sock)
            sock.sendall(b"TAKE\n")
            job = _line(sock).split()
            if len(job) > 1:
                sock.sendall(b"DONE %s\n" % job[1])
                _line(sock)

        return ask


def ask_all(rung: str, address: Any, clients: int, rounds: int, patience: float, given: dict[str, Any]) -> list[Any]:
    """Let `clients` ask `rounds` times each, all at once; rows of client, asked and answered (ns).

    Raises OSError for what went wrong first.
    """
    rows: list[tuple[int, int, int]] = []
    errors: list[BaseException] = []
    begin = threading.Event()

    def body(client: int, ask: Ask) -> None:
        begin.wait()
        try:
            for _ in range(rounds):
                asked = perf_counter_ns()
                ask()
                rows.append((client, asked, perf_counter_ns()))
        except Exception as exc:
            errors.append(exc)

    with ExitStack() as stack:
        talks = Talks(address, patience, stack, given)
        asks = [getattr(talks, rung)(client) for client in range(1, clients + 1)]
        threads = [threading.Thread(target=body, args=pair, daemon=True) for pair in enumerate(asks, 1)]
        for thread in threads:
            thread.start()
        begin.set()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return rows


def main() -> None:
    """In the process of its own: a question per line of input, answered by a line of output, both JSON."""
    sys.setswitchinterval(0.0005)
    for line in sys.stdin:
        try:
            said: dict[str, Any] = {"rows": [(*row, "") for row in ask_all(*json.loads(line))]}
        except Exception as exc:
            said = {"error": f"{type(exc).__name__}: {exc}"}
        print(json.dumps(said), flush=True)
