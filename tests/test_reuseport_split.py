"""Connections over listeners at one port: every one is counted once, and drawn."""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest
from leftovers import nothing_left

from socketlab.experiments import ReuseportSplit, draw_reuseport_split, recorded_split, reuseport_split
from socketlab.experiments.doors.closers import CLOSERS, draw_time_wait, recorded_time_wait
from socketlab.experiments.doors.splitting import reuseport_split_steps
from socketlab.measure import figure

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux splits; others do not")


def axes_of(picture: Any) -> Any:
    (axes,) = picture.axes
    return axes


@linux
class TestSplit:
    def test_every_connection_is_somebodys(self) -> None:
        result = reuseport_split(4, 200)
        assert sum(result.counts) == 200
        assert len(result.counts) == 4
        assert min(result.counts) > 0, "chance would need 0.75 ** 200"
        assert result.even == 50
        assert not result.recorded

    def test_one_worker_has_them_all(self) -> None:
        assert reuseport_split(1, 7).counts == (7,)

    def test_step_by_step(self) -> None:
        steps = list(reuseport_split_steps(2, 50))
        assert [share for share, _ in steps] == [0.0, 0.4, 0.8, 1.0]
        assert [sum(result.counts) for _, result in steps] == [0, 20, 40, 50]

    def test_strangers_are_not_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody else connects before each client."""
        connect, others = socket.create_connection, []

        def with_a_stranger(*arguments: object) -> socket.socket:
            others.append(connect(*arguments))  # type: ignore[arg-type]
            return connect(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "create_connection", with_a_stranger)
        assert sum(reuseport_split(3, 20).counts) == 20
        assert len(others) == 20
        for other in others:
            other.close()

    @pytest.mark.parametrize("after", [1, 2])
    def test_closed_at_any_step_nothing_is_left(self, after: int) -> None:
        with nothing_left():
            steps = reuseport_split_steps(4, 100)
            for _ in range(after):
                next(steps)
            steps.close()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"workers": 0}, "workers wanted a whole number of listeners from 1 to 16, but got 0"),
            ({"connections": 10_000}, "connections wanted a whole number of connections from 1 to 1,000"),
            ({"connections": 2.5}, "connections wanted"),
        ],
    )
    def test_bad_arguments_are_refused_when_called(self, arguments: dict[str, int], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            reuseport_split_steps(**arguments)


class TestElsewhere:
    def test_another_system_says_what_it_lacks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(NotImplementedError, match="darwin"):
            reuseport_split()

    def test_recorded(self) -> None:
        result = recorded_split()
        assert sum(result.counts) == result.connections == 200
        ax = axes_of(draw_reuseport_split(result))
        assert "as recorded on Linux" in ax.get_xlabel()

    @pytest.mark.parametrize("closer", CLOSERS)
    @linux
    def test_time_wait_is_recorded_as_it_is(self, closer: str) -> None:
        from socketlab.experiments import time_wait

        recorded, now = recorded_time_wait(closer), time_wait(closer, 20, seconds=0.0)
        assert recorded.most[1:] == now.most[1:]
        assert (recorded.rebind, len(recorded.over)) == (now.rebind, len(now.over))
        assert repr(draw_time_wait(recorded)) == repr(draw_time_wait(now))

    def test_another_closer(self) -> None:
        with pytest.raises(ValueError, match="closer wanted"):
            recorded_time_wait("nobody")


class TestPicture:
    def test_a_bar_for_each(self) -> None:
        ax = axes_of(draw_reuseport_split(ReuseportSplit(10, (7, 3))))
        assert [bar.get_width() for bar in ax.patches] == [7, 3]
        assert [label.get_text() for label in ax.get_yticklabels()] == ["worker 1", "worker 2"]
        assert ax.get_title(loc="left") == "The kernel spreads connections over the listeners, as chance will have it"
        assert "recorded" not in ax.get_xlabel()

    def test_somebody_got_nothing(self) -> None:
        ax = axes_of(draw_reuseport_split(ReuseportSplit(10, (10, 0))))
        assert ax.get_title(loc="left") == "1 of 2 listeners got nothing"

    def test_into_axes_of_yours_under_a_title_of_yours(self) -> None:
        (ax,) = figure().axes
        assert draw_reuseport_split(ReuseportSplit(2, (1, 1)), title="Mine", ax=ax) is ax
        assert ax.get_title(loc="left") == "Mine"

    def test_nothing_to_draw(self) -> None:
        with pytest.raises(ValueError, match="there is none yet"):
            draw_reuseport_split(ReuseportSplit(10, (0, 0)))

    def test_repr_tells_no_counts(self) -> None:
        assert repr(recorded_split()) == "<ReuseportSplit of 200 connections over 4 listeners>"
