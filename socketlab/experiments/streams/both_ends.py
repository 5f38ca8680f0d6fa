"""Both ends of a TCP connection in one hand: write at one, read at the other, and ask the kernel in between.

A new connection is no fair example: it acknowledges what comes at once, at most 16 times (TCP_MAX_QUICKACKS in Linux's
include/net/tcp.h), until the kernel has seen that its end answers what it is asked. From then on acknowledgements are
delayed, so that they can travel with an answer (RFC 1122, 4.2.3.2). So the two ends talk a little first.
"""

from __future__ import annotations

import socket
from _socket import socket as _Socket  # looking at an option does not show up in a trace
from collections.abc import Iterator
from contextlib import contextmanager

_EXCHANGES = 50  # at most; one to three are enough, unless the machine stands still in between
_PATIENCE = 2.0  # seconds


@contextmanager
def both_ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's socket and the server's, connected over loopback; both close at the end of the block.

    They have talked for a while: the server's end delays its acknowledgements, and nothing is on its way. Each call on
    them waits 2 s at most.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), _PATIENCE) as client,
    ):
        listener.settimeout(_PATIENCE)
        server, peer = listener.accept()
        while peer != client.getsockname():  # another program of this machine was here first
            server.close()
            server, peer = listener.accept()
        with server:
            server.settimeout(_PATIENCE)
            for _ in range(_EXCHANGES):
                client.sendall(b"?")
                server.sendall(server.recv(1))
                client.recv(1)
                if not _in_a_hurry(server):
                    break
            yield client, server


def _in_a_hurry(sock: socket.socket) -> bool:
    """Whether the kernel acknowledges at once (tcp(7), TCP_QUICKACK); on other systems nobody can say."""
    if not hasattr(socket, "TCP_QUICKACK"):
        return False
    return bool(_Socket.getsockopt(sock, socket.IPPROTO_TCP, socket.TCP_QUICKACK))
