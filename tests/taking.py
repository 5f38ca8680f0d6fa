"""An exercise of the tests' own: `take(sock, size)` returns that many bytes. In a kernel: `import taking`."""

from __future__ import annotations

import socket
from typing import Any

from socketlab.exercises.attempt import Attempt
from socketlab.exercises.definition import DEADLINE, Exercise
from socketlab.exercises.seen import Seen


def exercise(deadline: float = DEADLINE) -> Exercise:
    """One that is registered nowhere."""
    made = Exercise(
        "take",
        lesson="00_tests",
        wants="take(sock, size)",
        task="Return `size` bytes.",
        hints=("Ask <again>.", "Until `size` bytes are here."),
        deadline=deadline,
    )

    @made.scenario("all at once")
    def at_once(attempt: Attempt) -> None:
        sock, peer = attempt.connection()
        peer.sendall(b"abcd")
        attempt.equal(attempt.call(sock, 4), b"abcd")

    @made.scenario("from a thread")
    def from_a_thread(attempt: Attempt) -> None:
        sock, peer = attempt.connection()
        attempt.beside(peer.sendall, b"efgh")
        attempt.equal(attempt.call(sock, 4), b"efgh")

    @made.misconception("short", advice="Ask again.")
    def short(seen: Seen) -> str | None:
        if isinstance(seen.result, bytes) and 0 < len(seen.result) < 4:
            return f"It returned {len(seen.result)} of 4 bytes."
        return None

    return made


def register() -> Exercise:
    """Among all others, so that `check("take", …)` and `@exercise("take")` find it."""
    from socketlab.exercises import definition

    definition.all_exercises()
    return definition._found.setdefault("take", exercise())


def right(sock: socket.socket, size: int) -> Any:
    """An answer that passes."""
    data = b""
    while len(data) < size:
        data += sock.recv(size - len(data))
    return data
