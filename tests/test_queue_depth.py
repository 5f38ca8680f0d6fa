"""Queue depth over time: what waits at connections and listeners, seen while others use them."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from patience import until

from socketlab import trace
from socketlab.experiments.buffers import depths as looking
from socketlab.experiments.buffers.pairs import stream_pair
from socketlab.experiments.buffers.queues import (
    Depth,
    Depths,
    QueueDepth,
    draw_queue_depth,
    queue_depth,
    queue_depth_steps,
    watching,
)

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="queues are read in Linux's way"),
    pytest.mark.usefixtures("nothing_left_at_once"),
]


@pytest.fixture
def family(stream_kind: str) -> str:
    return {"ipv4": "tcp4", "ipv6": "tcp6", "unix": "unix"}[stream_kind]


@pytest.fixture
def pair(family: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    sender, receiver = stream_pair(family)
    for sock in (sender, receiver):
        sock.settimeout(10)
    with sender, receiver:
        yield sender, receiver


@pytest.fixture
def listener(family: str, tmp_path: Path) -> Iterator[socket.socket]:
    kind = {"tcp4": socket.AF_INET, "tcp6": socket.AF_INET6, "unix": socket.AF_UNIX}[family]
    address: Any = {"tcp4": ("127.0.0.1", 0), "tcp6": ("::1", 0), "unix": str(tmp_path / "door")}[family]
    with socket.socket(kind) as sock:
        sock.settimeout(10)
        sock.bind(address)
        sock.listen(3)
        yield sock


class TestConnection:
    def test_bytes_that_nobody_has_read(self, pair: tuple[socket.socket, socket.socket]) -> None:
        sender, receiver = pair
        depths = Depths(sender, receiver, names=("client", "server"))
        assert [depth[1:3] for depth in depths.step()] == [(0, 0), (0, 0)]
        sender.sendall(bytes(5000))
        until(lambda: depths.step()[1].receive == 5000, "the bytes have arrived")
        assert receiver.recv(2000) == bytes(2000)
        assert depths.step()[1].receive == 3000
        assert len(receiver.recv(3000)) == 3000
        until(lambda: depths.step()[0].send == 0, "everything is acknowledged")
        found = depths.result()
        assert found.names == ("client", "server")
        assert found.listeners == (False, False)
        assert [depth.t for depth in found.samples[0]] == [depth.t for depth in found.samples[1]]
        assert found.samples[1][0].t == 0
        assert "server: at most 0 bytes to send, 5,000 to be read" in str(found)

    def test_limits_are_those_of_the_kernel(self, pair: tuple[socket.socket, socket.socket]) -> None:
        (depth,) = Depths(pair[0]).step()
        assert depth.send_limit == pair[0].getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert depth.receive_limit == pair[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def test_in_a_block(self, pair: tuple[socket.socket, socket.socket]) -> None:
        sender, receiver = pair
        with watching(sender, receiver, every=0.001) as depths:
            sender.sendall(bytes(700))
            until(lambda: depths.result().samples[1][-1].receive == 700, "the thread has seen them")
            receiver.recv(700)
            receiver.close()
        last = depths.result().samples[1][-1]
        assert last[1:] == (None, None, None, None), "a closed socket has no queue"

    def test_an_exception_in_the_block_ends_the_thread(self, pair: tuple[socket.socket, socket.socket]) -> None:
        before = threading.active_count()
        with pytest.raises(KeyError), watching(*pair):
            raise KeyError
        assert threading.active_count() == before

    def test_does_not_show_up_in_a_trace(self, pair: tuple[socket.socket, socket.socket]) -> None:
        depths = Depths(*pair)
        with trace() as seen:
            depths.step()
            pair[0].send(b"x")
        assert [event.call for event in seen.events] == ["send"]


class TestListener:
    def test_connections_that_nobody_has_accepted(self, listener: socket.socket) -> None:
        depths = Depths(listener)
        assert depths.names == ("listener",)
        assert depths.step() == (Depth(0.0, None, 0, None, 4),), "listen(3) lets four wait"
        with ExitStack() as stack:
            for n in range(1, 5):
                client = stack.enter_context(socket.socket(listener.family))
                client.settimeout(10)
                client.connect(listener.getsockname())
                until(lambda n=n: depths.step()[0].receive == n, f"{n} wait")
            for n in range(3, -1, -1):
                listener.accept()[0].close()
                assert depths.step()[0].receive == n
        assert str(depths.result()) == "listener: at most 4 waiting"

    def test_in_a_block(self, listener: socket.socket) -> None:
        with socket.socket(listener.family) as client, watching(listener, every=0.001) as depths:
            client.settimeout(10)
            client.connect(listener.getsockname())
            until(lambda: depths.result().samples[0][-1].receive == 1, "the thread has seen it")
            listener.close()
        assert depths.result().samples[0][-1].receive is None


class TestMany:
    """Looks without end take no room without end."""

    @pytest.fixture
    def sock(self) -> Iterator[socket.socket]:
        ends = stream_pair()
        with ends[0], ends[1]:
            yield ends[0]

    def test_every_second_one_is_dropped(self, sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(looking, "_KEPT", 100)
        depths = Depths(sock)
        for _ in range(1000):
            depths.step()
        times = [depth.t for depth in depths.result().samples[0]]
        assert 50 <= len(times) <= 101
        assert times[0] == 0
        assert times == sorted(set(times))
        assert depths.stride == 16

    def test_only_the_last(self, sock: socket.socket) -> None:
        depths = Depths(sock, last=0.01)
        until(lambda: depths.step()[0].t > 0.05, "time passes")
        (samples,) = depths.result().samples
        assert samples[0].t >= samples[-1].t - 0.01


class TestExperiment:
    @pytest.fixture
    def sock(self) -> Iterator[socket.socket]:
        ends = stream_pair()
        with ends[0], ends[1]:
            yield ends[0]

    def test_takes_its_time(self, sock: socket.socket) -> None:
        began = time.monotonic()
        found = queue_depth(sock, seconds=0.2, every=0.01, names=["client"])
        assert time.monotonic() - began >= 0.2
        assert found.samples[0][-1].t >= 0.19
        assert 2 < len(found.samples[0]) <= 22
        assert repr(found) == "<QueueDepth client>"

    def test_says_how_far_it_is(self, sock: socket.socket) -> None:
        shares = [share for share, _ in queue_depth_steps(sock, seconds=0.2, every=60)]
        assert len(shares) >= 2, "it yields while it waits"
        assert shares == sorted(shares)
        assert shares[-1] == 1.0

    def test_without_end(self, sock: socket.socket) -> None:
        steps = queue_depth_steps(sock, seconds=None)
        for _ in range(3):
            share, _ = next(steps)
            assert share is None
        steps.close()

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"every": 0}, "every wanted 0.001 to 60 seconds"),
            ({"every": float("nan")}, "every wanted 0.001 to 60 seconds"),
            ({"seconds": 0}, "seconds wanted more than 0"),
            ({"seconds": float("inf")}, "seconds wanted more than 0"),
            ({"names": ("a", "b")}, "names wanted 1, one for each socket"),
        ],
    )
    def test_bad_values_are_told(self, sock: socket.socket, settings: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            queue_depth_steps(sock, **settings)

    def test_what_is_no_stream(self) -> None:
        with pytest.raises(ValueError, match="at least one socket"):
            Depths()
        with pytest.raises(ValueError, match="open stream sockets"):
            Depths("127.0.0.1")  # type: ignore[arg-type]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(ValueError, match="stream"):
            Depths(sock)
        with pytest.raises(ValueError, match="open stream sockets"):
            Depths(sock)


def made(*depths: tuple[int | None, int | None], listener: bool = False, limit: int = 4, count: int = 1) -> QueueDepth:
    samples = tuple(Depth(n / 10, *depth, None if listener else limit, limit) for n, depth in enumerate(depths))
    return QueueDepth(tuple(f"socket {n}" for n in range(count)), (listener,) * count, (samples,) * count)


class TestPicture:
    def test_empty_queues_are_left_out(self) -> None:
        (ax,) = draw_queue_depth(made((100, 0), (200, 0), (None, None))).axes
        (curve,) = ax.lines
        assert list(curve.get_xdata()) == [0, 0.1, 0.2]
        assert list(curve.get_ydata())[:2] == [100, 200]
        assert ax.get_title(loc="left") == "At most 200 bytes waited in one queue"

    def test_the_limit_of_a_listener(self) -> None:
        (ax,) = draw_queue_depth(made((None, 0), (None, 3), listener=True)).axes
        assert [list(line.get_ydata()) for line in ax.lines] == [[0, 3], [4, 4]]
        (ax,) = draw_queue_depth(made((None, 0), (None, 3), listener=True, limit=4097)).axes
        assert len(ax.lines) == 1, "a limit far above would press the curve to the ground"

    def test_one_that_was_closed(self) -> None:
        assert draw_queue_depth(made((0, 5), (None, None))).png(1).startswith(b"\x89PNG")

    def test_nothing_waits(self) -> None:
        assert len(draw_queue_depth(made((0, 0), (0, 0))).axes[0].lines) == 2

    def test_of_both_kinds_or_too_many(self) -> None:
        one, other = made((0, 0)), made((None, 1), listener=True)
        both = QueueDepth(("a", "b"), (False, True), one.samples + other.samples)
        with pytest.raises(ValueError, match="watch them one by one"):
            draw_queue_depth(both)
        with pytest.raises(ValueError, match="wanted 1 to 6 results, but got 8"):
            draw_queue_depth(made((1, 1), count=4))
