"""One thread that holds many clients: who stays is answered, who leaves is forgotten, and nothing is left."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from socketlab.exercises import check
from socketlab.experiments import hold_clients

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")

LIMIT = 10  # s: every wait of these tests ends by then, with an error


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    stop, ring = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener, stop:
        thread = threading.Thread(target=hold_clients, args=(listener, stop))
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            ring.close()
            thread.join(LIMIT)
        assert not thread.is_alive()
        assert listener.fileno() >= 0
        assert stop.fileno() >= 0


def asks(client: socket.socket, words: bytes) -> bytes:
    client.sendall(words)
    return client.recv(100)


def test_who_is_silent_holds_up_nobody(address) -> None:
    with socket.create_connection(address, LIMIT), socket.create_connection(address, LIMIT) as client:
        assert asks(client, b"hello") == b"hello"


def test_others_leave(address) -> None:
    with socket.create_connection(address, LIMIT) as stays:
        for linger in (False, True):
            with socket.create_connection(address, LIMIT) as leaves:
                assert asks(leaves, b"?") == b"?"
                if linger:  # close() is a reset
                    leaves.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert asks(stays, b"who is left?") == b"who is left?"


def test_hangs_up_at_the_end() -> None:
    stop, ring = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener, stop:
        thread = threading.Thread(target=hold_clients, args=(listener, stop))
        thread.start()
        with socket.create_connection(listener.getsockname(), LIMIT) as client:
            assert asks(client, b"hello") == b"hello"
            ring.close()
            assert client.recv(1) == b""
        thread.join(LIMIT)
        assert not thread.is_alive()


def test_is_an_answer_to_the_exercise() -> None:
    assert check("hold_many", hold_clients).passed
