"""Connections that stay: one thread that echoes to as many clients as come, and keeps no more than their sockets."""

from __future__ import annotations

import selectors
import socket
from contextlib import suppress

from ...servers.door import close


def hold_clients(listener: socket.socket, stop: socket.socket) -> None:
    """Echo what each client says, less than a send buffer at a time, until `stop` can be read; then hang up on all.

    `listener` is made non-blocking; it and `stop` stay open.
    """
    listener.setblocking(False)
    clients: set[socket.socket] = set()
    with selectors.DefaultSelector() as selector:
        for sock in (listener, stop):
            selector.register(sock, selectors.EVENT_READ)
        try:
            while stop not in (ready := [key.fileobj for key, _ in selector.select()]):
                for sock in ready:  # type: ignore[assignment]  # what was registered is what comes back
                    if sock is listener:
                        _accept(selector, listener, clients)
                    elif not _echo(sock):
                        selector.unregister(sock)
                        clients.remove(sock)
                        close(sock)
        finally:
            for conn in clients:
                close(conn)


def _accept(selector: selectors.BaseSelector, listener: socket.socket, clients: set[socket.socket]) -> None:
    with suppress(BlockingIOError):  # another process was quicker
        conn, _ = listener.accept()
        conn.setblocking(False)
        selector.register(conn, selectors.EVENT_READ)
        clients.add(conn)


def _echo(conn: socket.socket) -> bool:
    """Whether the client is still there."""
    try:
        data = conn.recv(4096)
        if data:
            conn.send(data)
    except BlockingIOError:
        return True  # nothing was there after all, or there is no room
    except ConnectionError:
        return False
    return bool(data)
