"""`serving`: a server of lesson 27's contract at work in a thread, for as long as a `with` block lasts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ...interrupts import Uninterrupted

ENDS = 2.0  # seconds that a server has to end when it is told to


@contextmanager
def serving(serve: Callable[..., Any], *more: Any, datagrams: bool = False) -> Iterator[Any]:
    """Run ``serve(sock, stop, *more)`` in a thread and yield the address of `sock`; then tell it to end, and wait.

    `sock` listens at 127.0.0.1, or is bound there for datagrams. `more` are the server's further arguments. What the
    server raises is raised at the end of the block; TimeoutError where it does not end within two seconds.
    """
    errors: list[BaseException] = []

    def body() -> None:
        try:
            serve(sock, stop, *more)
        except Exception as exc:
            errors.append(exc)

    kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
    stop, ring = socket.socketpair()
    with stop, ring, socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        if not datagrams:
            sock.listen(128)
        thread = threading.Thread(target=body, name="serving", daemon=True)
        with Uninterrupted():
            thread.start()
        try:
            yield sock.getsockname()
        finally:
            ring.close()
            thread.join(ENDS)
    if errors:
        raise errors[0]
    if thread.is_alive():
        raise TimeoutError(f"{getattr(serve, '__name__', serve)} wanted to end when stop can be read, but serves on")
