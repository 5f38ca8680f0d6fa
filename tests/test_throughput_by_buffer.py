"""Throughput by buffer size: orderings with wide margins, sizes by turns, and nothing left."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from socketlab.experiments.buffers import sizes as buffer_sizes
from socketlab.experiments.buffers.sizes import (
    VARIED,
    ThroughputByBuffer,
    draw_throughput_by_buffer,
    throughput_by_buffer,
    throughput_by_buffer_steps,
)
from socketlab.measure import figure

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")


@pytest.fixture
def family(stream_kind: str) -> str:
    return {"ipv4": "tcp4", "ipv6": "tcp6", "unix": "unix"}[stream_kind]


class TestMeasuring:
    def test_small_calls_are_slow(self, family: str) -> None:
        """A send of 16 bytes costs nearly as much as one of 16 KiB, a thousand times as many bytes."""
        found = throughput_by_buffer((16, 16384), vary="send", rounds=3, seconds=0.02, family=family)
        small, large = found.rates
        assert small is not None
        assert large is not None
        assert small * 3 < large
        assert found.best == 16384

    @pytest.mark.parametrize("vary", VARIED)
    def test_every_kind(self, vary: str) -> None:
        found = throughput_by_buffer((4096, 65536), vary=vary, rounds=2, seconds=0.005)
        assert [len(some) for some in found.samples] == [2, 2]
        assert all(rate >= 0 for some in found.samples for rate in some)
        assert any(rate > 0 for some in found.samples for rate in some)
        assert repr(found) == f"<ThroughputByBuffer {vary}, 2 sizes>"
        assert str(found).startswith(f"{VARIED[vary]}: 4 KiB: ")

    def test_the_sizes_take_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        order: list[int] = []

        def sample(size: int, *_: object) -> float:
            order.append(size)
            return float(size)

        monkeypatch.setattr(buffer_sizes, "_sample", sample)
        found = throughput_by_buffer([3, 1, 2, 3], rounds=3)
        assert order == [3, 1, 2, 2, 1, 3, 3, 1, 2]
        assert found.sizes == (3, 1, 2)
        assert found.rates == (3.0, 1.0, 2.0)

    def test_what_arrived_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With a reader that only ever takes one byte, a full send buffer does not make a rate."""
        started = threading.Event()

        def lazy(self: Any) -> None:
            self.got += len(self._sock.recv(1))
            started.set()

        def init(self: Any, sock: socket.socket, size: int) -> None:
            threading.Thread.__init__(self, daemon=True)
            self.got, self._sock = 0, sock

        monkeypatch.setattr(buffer_sizes._Reader, "__init__", init)
        monkeypatch.setattr(buffer_sizes._Reader, "run", lazy)
        monkeypatch.setattr(buffer_sizes, "_PATIENCE", 0.2)
        with pytest.raises(TimeoutError, match="wanted room for one more byte, but none came in 0.2 s"):
            throughput_by_buffer((65536,), vary="buffers", rounds=1, seconds=10)
        assert started.wait(10)

    def test_steps_can_be_left_at_any_yield(self) -> None:
        shares = []
        steps = throughput_by_buffer_steps((1024, 4096), rounds=2, seconds=0.002)
        for share, found in steps:
            shares.append(share)
            assert found.sizes == (1024, 4096)
        assert shares == [0.0, 0.25, 0.5, 0.75, 1.0]
        for n in range(4):
            steps = throughput_by_buffer_steps((1024, 4096), rounds=2, seconds=0.002)
            found = [next(steps)[1] for _ in range(n)]
            steps.close()
            assert sum(map(len, found[-1].samples)) == n - 1 if n else not found


class TestBadValues:
    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"vary": "SO_LINGER"}, "vary wanted 'send' or"),
            ({"sizes": ()}, "sizes wanted one or more"),
            ({"sizes": (0,)}, "sizes wanted one or more of 1 to 16,777,216 bytes"),
            ({"sizes": (2**25,)}, "sizes wanted one or more of 1 to 16,777,216 bytes"),
            ({"sizes": (2**31,), "vary": "buffers"}, "sizes wanted one or more of 1 to 1,073,741,823 bytes"),
            ({"sizes": (1.5,)}, "sizes wanted one or more"),
            ({"rounds": 0}, "rounds wanted 1 to 1,000"),
            ({"seconds": 0}, "seconds wanted 0.001 to 10"),
            ({"seconds": float("nan")}, "seconds wanted 0.001 to 10"),
            ({"family": "udp"}, "family wanted 'tcp4'"),
        ],
    )
    def test_are_told(self, settings: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            throughput_by_buffer_steps(**settings)


PARTLY = ThroughputByBuffer("send", (64, 4096, 65536), ((1e6, 3e6, 2e6), (1e9, 8e8, 9e8), ()))


class TestPicture:
    def test_has_what_was_measured(self) -> None:
        assert PARTLY.rates == (2e6, 9e8, None)
        (ax,) = draw_throughput_by_buffer(PARTLY).axes
        curve, dots = ax.lines
        assert list(curve.get_xdata()) == [64, 4096]
        assert list(curve.get_ydata()) == [2e6, 9e8]
        assert sorted(dots.get_ydata()) == [1e6, 2e6, 3e6, 8e8, 9e8, 1e9]
        assert ax.get_title(loc="left") == "4 KiB is 450 times as fast as the slowest size"
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")

    def test_several_on_axes_of_yours(self) -> None:
        (ax,) = figure().axes
        assert draw_throughput_by_buffer(PARTLY, PARTLY, title="Mine", ax=ax) is ax
        assert ax.get_title(loc="left") == "Mine"

    def test_nothing_measured(self) -> None:
        nothing = ThroughputByBuffer("recv", (64,), ((),))
        assert nothing.best is None
        assert str(nothing).endswith("nothing measured yet")
        for results in ((nothing,), ()):
            with pytest.raises(ValueError, match="draw_throughput_by_buffer wanted"):
                draw_throughput_by_buffer(*results)
