"""who_waits: the two queues of a listener, as the kernel has them."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack

import pytest

from socketlab.experiments.doors import queues
from socketlab.experiments.doors.queues import Waiting, queues_are_told, who_waits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells its queues")

HOME = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def listener(request: pytest.FixtureRequest):
    try:
        sock = socket.create_server((HOME[request.param], 0), family=request.param, backlog=5)
    except OSError:
        pytest.skip("this machine has no ::1")
    with sock:
        sock.settimeout(2)
        yield sock


def connect(stack: ExitStack, listener: socket.socket) -> socket.socket:
    return stack.enter_context(socket.create_connection(listener.getsockname()[:2], 2))


class TestQueues:
    def test_nobody(self, listener: socket.socket) -> None:
        assert who_waits(listener) == Waiting(0, 0)

    def test_connections_wait_for_accept(self, listener: socket.socket) -> None:
        with ExitStack() as stack:
            for _ in range(3):
                connect(stack, listener)
            assert who_waits(listener) == Waiting(0, 3)
            listener.accept()[0].close()
            assert who_waits(listener) == Waiting(0, 2)

    def test_deferred_handshakes_wait_in_the_syn_queue(self, listener: socket.socket) -> None:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
        with ExitStack() as stack:
            clients = [connect(stack, listener) for _ in range(2)]
            assert who_waits(listener) == Waiting(2, 0)
            clients[0].sendall(b"hello")
            until = time.monotonic() + 2
            while who_waits(listener) != Waiting(1, 1) and time.monotonic() < until:
                pass
            assert who_waits(listener) == Waiting(1, 1)

    def test_others_are_not_counted(self, listener: socket.socket) -> None:
        with ExitStack() as stack:
            other = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            other.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
            connect(stack, other)
            assert who_waits(listener) == Waiting(0, 0)


class TestNotTold:
    def test_linux_tells(self) -> None:
        assert queues_are_told()

    def test_a_system_that_hides_its_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*arguments: object) -> None:
            raise PermissionError

        monkeypatch.setattr(queues, "inet_table", refused)
        assert not queues_are_told()

    def test_no_table(self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*arguments: object) -> None:
            raise PermissionError

        monkeypatch.setattr(queues, "inet_table", refused)
        assert who_waits(listener) == Waiting(None, 0)

    def test_closed(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            pass
        with pytest.raises(OSError, match="Bad file descriptor"):
            who_waits(sock)
