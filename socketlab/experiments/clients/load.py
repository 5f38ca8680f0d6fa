"""Many clients at once, in a process of their own: each connects, asks, waits for the answer, and asks again.

One thread plays them all with a selector. In the server's process it would have to share the global lock with handlers
that compute: 64 clients that ask a server which computes 10 ms for each, one at a time, were to ask at once. A thread
of the same process got to the last of them after 657 ms in two runs of three, and found a median of 15 ms; a process of
its own had asked all within 6 ms each time, and found 326 to 338 ms (2 CPUs).

`perf_counter_ns` reads one clock for all processes (CLOCK_MONOTONIC on Linux), so times of both sides can be compared.
"""

from __future__ import annotations

import json
import queue
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from time import perf_counter, perf_counter_ns
from typing import Any

from ...interrupts import Uninterrupted
from ...measure.pump import PeerError

#: Of one client: its number, when it asked, when it had its answer (ns), and the answer.
Row = tuple[int, int, int, str]
_CHILD = "from socketlab.experiments.clients.load import main; main()"


def ask_all(address: Any, clients: int, rounds: int, patience: float) -> list[Row]:
    """Let `clients` ask at once, each `rounds` times on a connection for each; `patience` in seconds for the whole.

    Raises PeerError for an answer that does not come in time or not at all.
    """
    rows: list[Row] = []
    asked = dict.fromkeys(range(1, clients + 1), 0)
    deadline = perf_counter() + patience
    with selectors.DefaultSelector() as selector:
        try:

            def ask(client: int) -> None:
                asked[client] += 1
                began = perf_counter_ns()
                sock = socket.create_connection(tuple(address), timeout=patience)
                selector.register(sock, selectors.EVENT_READ, (client, began))
                sock.sendall(b"?\n")

            def listen(timeout: float) -> None:
                ready = selector.select(timeout)
                ended = perf_counter_ns()
                for key, _ in ready:
                    (client, began), sock = key.data, key.fileobj
                    answer = sock.recv(200)  # type: ignore[union-attr]
                    selector.unregister(sock)
                    sock.close()  # type: ignore[union-attr]
                    if not answer:
                        raise PeerError("a client wanted an answer, but the server closed the connection without one")
                    rows.append((client, began, ended, answer.decode().strip()))
                    if asked[client] < rounds:
                        ask(client)

            for client in asked:
                ask(client)
                listen(0)  # or the first would seem to wait until the last has asked
            while selector.get_map():
                if perf_counter() > deadline:
                    raise PeerError(f"after {patience:g} s only {len(rows)} of {clients * rounds} answers had come")
                listen(max(0.0, deadline - perf_counter()))
        finally:
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]
    return rows


def main() -> None:
    """In the process of its own: a question per line of input, answered by a line of output, both JSON."""
    for line in sys.stdin:
        try:
            said: dict[str, Any] = {"rows": ask_all(*json.loads(line))}
        except OSError as exc:
            said = {"error": str(exc)}
        print(json.dumps(said), flush=True)


class Clients:
    """The process with the clients. `ask` begins, `answers` tells whether they have finished; `close` ends it."""

    def __init__(self, child: str = _CHILD) -> None:
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, encoding="utf-8", start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=_read, args=(self._process.stdout, self._said.put), daemon=True)
        with Uninterrupted():
            self._reader.start()

    def ask(self, address: Any, clients: int, rounds: int, patience: float) -> None:
        """Begin, as `ask_all` does."""
        self.say(address, clients, rounds, patience)

    def say(self, *question: Any) -> None:
        """Begin, as the process's own `main` understands it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()

    def answers(self, timeout: float) -> list[Row] | None:
        """What came of it, waiting at most `timeout` seconds; None if it goes on. Raises PeerError as `ask_all`."""
        try:
            line = self._said.get(timeout=timeout)
        except queue.Empty:
            return None
        if not line:
            raise PeerError("the process with the clients wanted to go on, but it has ended")
        said = json.loads(line)
        if "error" in said:
            raise PeerError(said["error"])
        return [(client, began, ended, answer) for client, began, ended, answer in said["rows"]]

    def close(self) -> None:
        """End the process, whatever it does. Idempotent."""
        self._process.kill()  # it holds sockets only, and the kernel closes those
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was to be written found nobody
                    pass

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _read(lines: Any, said: Callable[[str], None]) -> None:
    for line in lines:
        said(line)
    said("")
