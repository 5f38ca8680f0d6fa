"""Somebody else's server in a background thread: one that has `serve_forever` and `shutdown`, as socketserver's have.

`shutdown` waits for ever where `serve_forever` was never called, and where it is called in the thread that serves; and
a server that is closed while its thread still polls leaves a thread at a descriptor of somebody else. So the order is
fixed here: start, serve, shut down, join, close.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..interrupts import Uninterrupted

POLL = 0.05  # seconds between two looks at whether to stop; socketserver's own half a second makes a page wait


@contextmanager
def serving(server: Any, poll_interval: float = POLL) -> Iterator[Any]:
    """Run `server.serve_forever(poll_interval)` in a thread while the block runs; then shut it down and close it.

    The value is the server. What ends `serve_forever` is raised when the block ends; `server_close` comes in any case.
    """
    errors: list[BaseException] = []

    def serve() -> None:
        try:
            server.serve_forever(poll_interval)
        except BaseException as exc:
            errors.append(exc)

    thread = threading.Thread(target=serve, name=f"serving {type(server).__name__}", daemon=True)
    with server:
        try:
            with Uninterrupted():
                thread.start()
            yield server
        finally:
            if thread.ident is not None:
                server.shutdown()
                thread.join()
    if errors:
        raise errors[0]
