"""`serving`: a server of socketserver in a background thread, from its first turn to its last."""

from __future__ import annotations

import socket
import socketserver

import pytest

from socketlab.servers import serving

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")

LIMIT = 20  # s: every wait of these tests ends by then, with an error


class Upper(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(self.request.recv(100).upper())


def ask(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, LIMIT) as client:
        client.sendall(b"hello")
        return client.recv(100)


@pytest.mark.parametrize("kind", [socketserver.TCPServer, socketserver.ThreadingTCPServer])
def test_serves_while_the_block_runs(kind: type[socketserver.TCPServer]) -> None:
    with serving(kind(("127.0.0.1", 0), Upper)) as server:
        assert [ask(server.server_address) for _ in range(3)] == [b"HELLO"] * 3
    assert server.fileno() == -1
    with pytest.raises(ConnectionRefusedError):
        ask(server.server_address)


def test_an_error_in_the_block_ends_it() -> None:
    server = socketserver.TCPServer(("127.0.0.1", 0), Upper)
    with pytest.raises(KeyError), serving(server):
        raise KeyError
    assert server.fileno() == -1


def test_what_ends_the_loop_is_told() -> None:
    class Broken(socketserver.TCPServer):
        def service_actions(self) -> None:
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"), serving(Broken(("127.0.0.1", 0), Upper)) as server:
        ask(server.server_address)
