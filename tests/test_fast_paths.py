"""What a copy costs: ways and sizes by turns, orderings with wide margins, the picture; and the panel on top of it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from socketlab.experiments.buffers import copies
from socketlab.experiments.buffers.copies import (
    COPIES,
    RECEIVING,
    SENDING,
    FastPaths,
    WayOfBytes,
    draw_fast_paths,
    fast_paths,
    fast_paths_steps,
    missing,
)
from socketlab.panels.fast_paths import ROUNDS, FastPathsPanel

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")

HERE = [name for name in COPIES if not missing(name)]


class TestMeasuring:
    @pytest.mark.parametrize("name", HERE)
    def test_small_calls_are_slow(self, name: str) -> None:
        """A call with 64 bytes costs nearly as much as one with 16 KiB, 256 times as many bytes."""
        way = fast_paths(name, sizes=(64, 16384), rounds=3)[name]
        small, large = way.rate(64), way.rate(16384)
        assert small is not None
        assert large is not None
        assert small * 3 < large
        assert [len(some) for some in way.samples] == [3, 3]

    def test_all_of_them(self) -> None:
        found = fast_paths(sizes=(4096, 65536), rounds=1, seconds=0.0005)
        assert [way.name for way in found.ways] == HERE
        assert all(rate > 0 for way in found.ways for _, rate in way.points)
        assert repr(found) == f"<FastPaths {len(HERE)} ways, 2 sizes>"
        assert str(found).startswith("at best: read + send ")
        assert found["recv_into"].rate(1) is None
        with pytest.raises(KeyError):
            found["telepathy"]

    @pytest.mark.parametrize("name", [name for name in SENDING if not missing(name)])
    def test_a_sender_sends_the_file(self, name: str, tmp_path: Any) -> None:
        """What is timed moves these bytes, from this place."""
        data = bytes(range(256)) * 16
        left, right = socket.socketpair()
        with left, right, open(tmp_path / "file", "wb+", buffering=0) as file:
            file.write(data)
            file.seek(100)
            with memoryview(data) as view:
                assert copies._SENDERS[name](left, file, view, 50)(100) == 50
            assert right.recv(100) == data[100:150]

    @pytest.mark.parametrize("name", [name for name in RECEIVING if not missing(name)])
    def test_a_receiver_takes_as_many(self, name: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as a:
            with listener.accept()[0] as b:
                b.settimeout(5)
                a.sendall(bytes(100))
                assert copies._RECEIVERS[name](b, 60)(0) == 60
                assert copies._RECEIVERS[name](b, 60)(0) == 40

    def test_the_ways_take_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        order: list[tuple[str, int]] = []

        def sample(name: str, size: int, *_: object) -> float:
            order.append((name, size))
            return float(len(order))

        monkeypatch.setattr(copies, "_received", sample)
        found = fast_paths("recv", "recv_into", sizes=[2, 1, 2], rounds=2)
        there = [("recv", 2), ("recv_into", 2), ("recv", 1), ("recv_into", 1)]
        assert order == there + there[::-1]
        assert found["recv"].points == [(1, 4.5), (2, 4.5)]

    def test_steps_can_be_left_at_any_yield(self) -> None:
        for n in range(4):
            steps = fast_paths_steps("read + send", "recv", sizes=(4096,), rounds=2, seconds=0.0002)
            shares = [next(steps)[0] for _ in range(n)]
            steps.close()
            assert shares == [0.0, 0.25, 0.5][:n]

    def test_a_way_that_the_system_lacks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "sendfile", raising=False)
        found = fast_paths("sendfile", "recv", sizes=(4096,), rounds=1, seconds=0.0002)
        assert found.lacking == ("sendfile",)
        assert [way.name for way in found.ways] == ["recv"]
        assert fast_paths("sendfile", rounds=1).ways == ()


class TestBadValues:
    @pytest.mark.parametrize(
        ("ways", "settings", "words"),
        [
            (("teleport",), {}, "way wanted 'read \\+ send' or"),
            ((), {"sizes": ()}, "sizes wanted one or more"),
            ((), {"sizes": (0,)}, "sizes wanted one or more of 1 to 4,194,304 bytes"),
            ((), {"sizes": (1.5,)}, "sizes wanted one or more"),
            ((), {"rounds": 0}, "rounds wanted 1 to 1,000"),
            ((), {"seconds": 0}, "seconds wanted 0.0001 to 1"),
        ],
    )
    def test_are_told(self, ways: tuple[str, ...], settings: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            fast_paths_steps(*ways, **settings)


SENT = WayOfBytes("read + send", 2, (64, 4096), ((1e6, 3e6, 2e6), (1e9,)))
TAKEN = WayOfBytes("recv_into", 1, (64, 4096), ((2e6,), ()))


class TestPicture:
    def test_has_what_was_measured(self) -> None:
        left, right = draw_fast_paths(FastPaths((64, 4096), (SENT, TAKEN))).axes
        curve, dots = left.lines
        assert list(curve.get_ydata()) == [2e6, 1e9]
        assert sorted(dots.get_ydata()) == [1e6, 2e6, 3e6, 1e9]
        assert curve.get_label() == "read + send: 2 copies"
        assert [line.get_label() for line in right.lines[:1]] == ["recv_into: 1 copy"]
        assert (left.get_xscale(), left.get_yscale()) == ("log", "log")

    def test_one_side_alone(self) -> None:
        (ax,) = draw_fast_paths(FastPaths((64, 4096), (TAKEN,))).axes
        assert ax.get_title(loc="left") == "Receiving"

    def test_nothing_measured(self) -> None:
        with pytest.raises(ValueError, match="draw_fast_paths wanted measurements"):
            draw_fast_paths(FastPaths((64,), (WayOfBytes("recv", 1, (64,), ((),)),)))


@pytest.fixture
def panel() -> Iterator[FastPathsPanel]:
    panel = FastPathsPanel()
    yield panel
    panel.close()


class TestPanel:
    def test_the_slider_measures_and_keeps_what_was_before(self, panel: FastPathsPanel) -> None:
        panel.size.value = 64
        assert panel.wait(30)
        panel.size.value = 16384
        assert panel.wait(30)
        assert [way.name for way in panel.result.ways] == [name for name in SENDING if name in HERE]
        assert {size for _, size in panel._points(panel.result)} == {64, 16384}
        assert all(len(some) == ROUNDS for way in panel.result.ways for some in way.samples)
        assert "read + send: 2 copies" in panel.picture(panel.result)
        assert panel.finding(panel.result).startswith("16 KiB a call. read + send: 2 copies, ")

    def test_the_other_end(self, panel: FastPathsPanel) -> None:
        panel.side.value = "receiving"
        assert panel.wait(30)
        assert [way.name for way in panel.result.ways] == [name for name in RECEIVING if name in HERE]

    @pytest.mark.skipif(sys.platform == "win32", reason="there a way is lacking already")
    def test_a_way_that_the_system_lacks(self, panel: FastPathsPanel, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "sendfile")
        panel.run()
        assert panel.wait(30)
        assert panel.finding(panel.result).endswith(" This system lacks sendfile.")

    def test_nothing_yet(self, panel: FastPathsPanel) -> None:
        empty = FastPaths((64,), (WayOfBytes("recv", 1, (64,), ((),)),))
        assert panel.finding(empty) == "Nothing measured yet."
        assert panel.picture(FastPaths((64,), ())) == ""
