"""Functions side by side: who is called when, what is timed, what the picture says."""

from __future__ import annotations

import socket
import time
import weakref
from typing import Any

import pytest

from socketlab.experiments.compare import draw_side_by_side, finding, side_by_side, side_by_side_steps
from socketlab.measure import Timing


def timing(median: float, label: str = "", last: float | None = None, count: int = 100) -> Timing:
    """So many samples with this median; the slowest two are `last`."""
    return Timing((median,) * (count - 2) + (last or median,) * 2, label)


class TestTurns:
    def test_the_order_is_turned_round_each_time(self) -> None:
        called: list[str] = []
        found = side_by_side({name: lambda name=name: called.append(name) for name in "ABC"}, rounds=4, warmup=2)
        assert "".join(called) == "ABCCBA" + "ABCCBAABCCBA"[:12]
        assert [one.label for one in found] == ["A", "B", "C"]
        assert [len(one) for one in found] == [4, 4, 4]

    def test_the_warm_up_is_not_counted(self) -> None:
        """The first call alone is slow, as a first import is."""
        first = [0.05]
        (found,) = side_by_side({"once": lambda: time.sleep(first.pop() if first else 0)}, rounds=3, warmup=1)
        assert found.p50 < 0.05
        first.append(0.05)
        (found,) = side_by_side({"once": lambda: time.sleep(first.pop() if first else 0)}, rounds=3, warmup=0)
        assert found.samples[0] >= 0.05

    def test_what_takes_longer_is_seen_to(self) -> None:
        quick, slow = side_by_side({"quick": lambda: None, "slow": lambda: time.sleep(0.005)}, rounds=15)
        assert quick.faster_than(slow, times=3)

    def test_a_drift_hits_all_alike(self) -> None:
        """A machine that gets slower and slower: one after the other would be a factor of three, by turns is none."""
        calls: list[None] = []

        def slower() -> None:
            calls.append(None)
            time.sleep(0.0005 * len(calls))

        one, other = side_by_side({"one": slower, "other": slower}, rounds=20, warmup=0)
        assert 0.5 < one.ratio(other) < 2

    def test_results_are_let_go(self) -> None:
        class Thing:
            pass

        made: list[weakref.ref[Thing]] = []

        def make() -> Thing:
            assert not [reference for reference in made if reference() is not None]
            thing = Thing()
            made.append(weakref.ref(thing))
            return thing

        side_by_side({"one": make, "other": make}, rounds=3, warmup=1)
        assert len(made) == 8

    def test_sockets(self) -> None:
        """What it is for: the same exchange over two kinds of sockets."""
        pairs = {"one": socket.socketpair(), "two": socket.socketpair()}

        def exchange(here: socket.socket, there: socket.socket) -> bytes:
            here.sendall(b"x")
            return there.recv(1)

        try:
            functions = {name: lambda pair=pair: exchange(*pair) for name, pair in pairs.items()}
            assert [len(one) for one in side_by_side(functions, rounds=20)] == [20, 20]
        finally:
            for pair in pairs.values():
                for sock in pair:
                    sock.close()


class TestSteps:
    def test_it_can_be_stopped_between_two_calls(self) -> None:
        called: list[str] = []
        functions = {name: lambda name=name: (called.append(name), time.sleep(0.02)) for name in "AB"}
        steps = side_by_side_steps(functions, rounds=1000, warmup=0)
        share, found = next(steps)
        assert share is not None
        assert 0 <= share < 1
        assert found == () or [one.label for one in found] == ["A", "B"]
        count = len(called)
        assert count <= 10
        steps.close()
        assert len(called) == count

    def test_the_share_grows_to_one(self) -> None:
        seen = list(side_by_side_steps({"a": lambda: time.sleep(0.01)}, rounds=20, warmup=2))
        shares = [share for share, _ in seen]
        assert len(shares) > 2
        assert shares == sorted(shares)  # type: ignore[type-var]
        assert shares[-1] == 1.0
        assert len(seen[-1][1][0]) == 20

    def test_what_a_function_raises_ends_it(self) -> None:
        def fail() -> None:
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            side_by_side({"fine": lambda: None, "fails": fail})

    @pytest.mark.parametrize(
        ("functions", "settings", "kind", "words"),
        [
            ({}, {}, ValueError, "wanted 1 to 6 functions, but got 0"),
            ({str(n): int for n in range(7)}, {}, ValueError, "but got 7"),
            ({"a": 5}, {}, TypeError, "wanted a function for 'a', but got 5"),
            ({"a": int}, {"rounds": 0}, ValueError, "rounds wanted"),
            ({"a": int}, {"rounds": True}, ValueError, "rounds wanted"),
            ({"a": int}, {"warmup": -1}, ValueError, "warmup wanted"),
            ({"a": int}, {"warmup": 1.5}, ValueError, "but got 1.5"),
        ],
    )
    def test_arguments_are_checked_at_once(self, functions: Any, settings: Any, kind: Any, words: str) -> None:
        with pytest.raises(kind, match=words):
            side_by_side_steps(functions, **settings)

    def test_an_async_function_would_run_nothing(self) -> None:
        async def coroutine() -> None: ...

        with pytest.raises(TypeError, match="calling an async one runs nothing"):
            side_by_side_steps({"a": coroutine})


class TestDrawing:
    @pytest.mark.parametrize(
        ("timings", "words"),
        [
            ((timing(1e-5, "tcp"), timing(6e-6, "unix")), "unix: half of the calls take 0.6 × those of tcp"),
            ((timing(6e-6, "unix"), timing(1e-5, "tcp")), "unix: half of the calls take 0.6 × those of tcp"),
            (
                (timing(1e-5, "tcp", 2e-5), timing(5e-6, "unix", 4e-5)),
                "unix: half of the calls take 0.5 × those of tcp, but its p99 is 2 ×",
            ),
            (
                (timing(1e-5, "tcp", 2e-5, 50), timing(5e-6, "unix", 4e-5, 50)),
                "unix: half of the calls take 0.5 × those of tcp",
            ),
            ((timing(1e-5, "a"), timing(1.05e-5, "b"), timing(1e-5, "c")), "a, b and c: alike, within 10%"),
            ((timing(1e-5, "a"),), "a: half of the calls within 10 µs"),
            ((timing(1e-5), timing(1e-4)), "1.: half of the calls take 0.1 × those of 2."),
            ((timing(0.0, "a"), timing(0.0, "b")), "a: half of the calls within 0 ns"),
        ],
    )
    def test_the_finding(self, timings: tuple[Timing, ...], words: str) -> None:
        assert finding(*timings) == words

    def test_the_picture_says_it(self) -> None:
        (axes,) = draw_side_by_side(timing(1e-5, "tcp"), timing(6e-6, "unix")).axes
        assert axes.get_title("left") == "unix: half of the calls take 0.6 × those of tcp"
        assert [text.get_text().split()[0] for text in axes.get_legend().get_texts()] == ["tcp", "unix"]

    def test_a_title_of_yours_and_axes_of_yours(self) -> None:
        from socketlab.measure import figure

        axes = figure(columns=2).axes[0]
        assert draw_side_by_side(timing(1e-5, "a"), title="Mine", ax=axes) is axes
        assert axes.get_title("left") == "Mine"

    def test_nothing_to_draw(self) -> None:
        with pytest.raises(ValueError, match="but got 0"):
            draw_side_by_side()
