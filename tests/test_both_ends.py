"""Both ends of a connection in one hand: connected, past the hurry of the beginning, bounded, and closed at the end."""

from __future__ import annotations

import socket
import sys

import pytest

from socketlab import tcp_info
from socketlab.experiments import both_ends

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when it delays acknowledgements")


class TestBothEnds:
    def test_they_are_connected(self) -> None:
        with both_ends() as (client, server):
            assert client.getpeername() == server.getsockname()
            client.sendall(b"hello")
            assert server.recv(100) == b"hello"

    def test_they_are_plain_sockets_as_python_makes_them(self) -> None:
        with both_ends() as (client, server):
            for sock in (client, server):
                assert type(sock) is socket.socket
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
                assert sock.gettimeout() == 2.0

    @on_linux
    def test_acknowledgements_are_delayed(self) -> None:
        """One that is not comes back within the send: of ten first writes, none may have been seen on its way."""
        seen = []
        for _ in range(10):
            with both_ends() as (client, server):
                assert server.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 0
                client.sendall(b"header")
                seen.append(tcp_info(client).unacked)
        assert 1 in seen

    def test_they_close_also_after_an_error(self) -> None:
        with pytest.raises(KeyError), both_ends() as (client, server):
            raise KeyError
        assert (client.fileno(), server.fileno()) == (-1, -1)
