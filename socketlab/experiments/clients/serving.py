"""What all models of concurrency share: the work of a handler, one conversation, and the life of a server.

A client connects, sends a line, and gets one back after the handler has done its work. The line names who worked, and
from when to when by the machine's clock, so that somebody outside can draw it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from time import perf_counter_ns, thread_time
from typing import Any, ClassVar

from ...interrupts import Uninterrupted
from ...servers.door import close

SLEEPS, COMPUTES = "sleeps", "computes"
BACKLOG = 1024  # clients that may knock at once without one of them waiting for its SYN to be sent again


class Work:
    """What a handler does for each request: it `sleeps`, as if for a database, or `computes`, for `seconds`."""

    def __init__(self, seconds: float, kind: str) -> None:
        self.seconds, self.kind = seconds, kind
        self._stopped = threading.Event()

    def __call__(self) -> None:
        if self.kind == SLEEPS:
            self._stopped.wait(self.seconds)
            return
        # Of this thread's own time on a CPU: by the clock on the wall, a thread that has to wait would do less work.
        end = thread_time() + self.seconds
        while thread_time() < end and not self._stopped.is_set():
            pass

    def stop(self) -> None:
        """End it wherever it is being done, now and from now on."""
        self._stopped.set()


def reply(who: str, began_ns: int) -> bytes:
    """The line that a client gets: who worked for it, and from when to when."""
    return f"{began_ns} {perf_counter_ns()} {who}\n".encode()


def serve(conn: socket.socket, work: Work, who: str) -> None:
    """One conversation: hear a line, work, answer. The handler of all models that block."""
    if conn.recv(100):
        began = perf_counter_ns()
        work()
        conn.sendall(reply(who, began))


class Model:
    """A listening server at `address`, until `close`. Context manager."""

    name: ClassVar[str] = ""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.errors: list[BaseException] = []  #: what ended a thread; nothing is printed from one
        self._threads: list[threading.Thread] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.address: tuple[str, int] = self.listener.getsockname()
        try:
            self._open()
        except BaseException:  # no more threads or processes
            self.close()
            raise

    @classmethod
    def lacking(cls) -> str:
        """Why it cannot run on this platform; "" where it can."""
        return ""

    def ready(self) -> bool:
        """Whether everybody who is to serve has come up."""
        return True

    def close(self) -> None:
        """Stop serving: whoever waits is woken, and threads and processes have ended on return. Idempotent."""
        self.work.stop()
        self._wake()
        while alive := [thread for thread in self._threads if thread.is_alive()]:  # one may start another meanwhile
            alive[0].join()
        close(self.listener)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def _open(self) -> None:
        raise NotImplementedError

    def _wake(self) -> None:
        raise NotImplementedError

    def _start(self, target: Callable[..., object], *args: Any) -> None:
        def run() -> None:
            try:
                target(*args)
            except Exception as exc:
                self.errors.append(exc.with_traceback(None))

        thread = threading.Thread(target=run, name=self.name, daemon=True)
        with Uninterrupted():
            self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
            thread.start()
