"""Round trips against payload, over each kind of stream: what is measured, refused, cut short, drawn, left behind."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from socketlab import tcp_server, unix_server
from socketlab.experiments.payload import (
    SIZES,
    RoundTripsByPayload,
    draw_round_trips_by_payload,
    finding,
    round_trips_by_payload,
    round_trips_by_payload_steps,
)
from socketlab.handlers import discard, echo, reverse
from socketlab.measure import PeerError, Timing
from socketlab.panels.talks.conversation import families

pytestmark = pytest.mark.usefixtures("nothing_left")

FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6", "unix": "Unix"}


@pytest.fixture(params=FAMILIES)
def serve(request: pytest.FixtureRequest) -> Callable[..., Any]:
    here = families()
    if FAMILIES[request.param] not in here:
        pytest.skip(f"this machine has no {FAMILIES[request.param]}")
    family = here[FAMILIES[request.param]]
    if request.param == "unix":
        return unix_server
    return lambda handler: tcp_server(handler, family=family)


def made(*medians: float, label: str = "") -> RoundTripsByPayload:
    """A result with these medians, in seconds."""
    sizes = SIZES[: len(medians)]
    return RoundTripsByPayload(
        sizes, tuple(Timing((m, m, 2 * m), str(s)) for m, s in zip(medians, sizes, strict=True)), label
    )


class TestMeasuring:
    def test_every_size_is_timed_so_often(self, serve: Any) -> None:
        with serve(echo) as server:
            found = round_trips_by_payload(server.address, (70000, 1, 1024, 1), rounds=7, warmup=2)
            assert server.accepted == 1
        assert found.sizes == (1, 1024, 70000)
        assert [len(timing) for timing in found.timings] == [7, 7, 7]
        assert [timing.label for timing in found.timings] == ["1 B", "1 KiB", "68.4 KiB"]
        assert all(sample > 0 for timing in found.timings for sample in timing.samples)

    def test_a_megabyte_takes_longer_than_a_byte(self, serve: Any) -> None:
        """Two copies of a megabyte each way cost more than the calls: with a margin of a hundred or so."""
        with serve(echo) as server:
            found = round_trips_by_payload(server.address, (1, 4 * 1024 * 1024), rounds=9, warmup=1)
        assert found.growth() > 3

    def test_step_by_step(self, serve: Any) -> None:
        with serve(echo) as server:
            steps = round_trips_by_payload_steps(server.address, (1, 65536), rounds=200, warmup=5)
            seen = list(steps)
        shares = [share for share, _ in seen]
        assert shares == sorted(shares)  # type: ignore[type-var]
        assert shares[-1] == 1.0
        assert [len(timing) for timing in seen[-1][1].timings] == [200, 200]

    def test_stopped_in_the_middle(self, serve: Any) -> None:
        """Its connection is closed, so the handler comes to its end; the result so far is a result."""
        with serve(echo) as server:
            steps = round_trips_by_payload_steps(server.address, (1, 65536), rounds=100_000, warmup=0)
            share, found = next(steps)
            assert share is not None
            assert 0 <= share < 1
            assert {*found.sizes} <= {1, 65536}
            assert 1 in found.sizes
            assert server.connections
            steps.close()
            deadline = time.monotonic() + 10
            while server.connections:
                assert time.monotonic() < deadline
                time.sleep(0.002)

    @pytest.mark.parametrize(
        ("handler", "words"),
        [(discard, "no more came"), (reverse, "no more came"), (lambda conn: None, "closed|broke")],
    )
    def test_a_peer_that_does_not_echo(self, serve: Any, handler: Any, words: str) -> None:
        with serve(handler) as server, pytest.raises(PeerError, match=words):
            round_trips_by_payload(server.address, (64,), rounds=3, timeout=0.05)

    def test_other_bytes(self, serve: Any) -> None:
        def shout(conn: socket.socket) -> None:
            while data := conn.recv(100):
                conn.sendall(bytes(byte ^ 1 for byte in data))

        with serve(shout) as server, pytest.raises(PeerError, match="byte 0 of 8 differs"):
            round_trips_by_payload(server.address, (8,), rounds=3)

    def test_nobody_there(self) -> None:
        with tcp_server(echo) as server:
            address = server.address
        with pytest.raises(ConnectionRefusedError):
            round_trips_by_payload(address)


class TestArguments:
    """Checked when it is called, before anything is opened."""

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"sizes": ()}, "at least one size"),
            ({"sizes": (0,)}, "a size wanted a whole number of bytes from 1 to 16,777,216, but got 0"),
            ({"sizes": (1, 2.5)}, "but got 2.5"),
            ({"sizes": (True,)}, "but got True"),
            ({"sizes": ("1",)}, "but got '1'"),
            ({"sizes": (2**30,)}, "a size wanted"),
            ({"rounds": 0}, "rounds wanted"),
            ({"rounds": 1e3}, "rounds wanted"),
            ({"warmup": -1}, "warmup wanted"),
            ({"timeout": 0}, "timeout wanted a number of seconds"),
            ({"timeout": float("nan")}, "timeout wanted"),
        ],
    )
    def test_bad_ones(self, wrong: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            round_trips_by_payload_steps(("127.0.0.1", 9), **wrong)


class TestResult:
    def test_repr_is_the_same_each_time(self) -> None:
        assert repr(made(0.1, 0.2, label="tcp")) == "<RoundTripsByPayload tcp, 1 B to 64 B>"
        assert repr(RoundTripsByPayload()) == "<RoundTripsByPayload nothing measured>"

    def test_of_and_growth(self) -> None:
        found = made(1e-5, 2e-5, 5e-5)
        assert found.of(64).p50 == 2e-5
        assert found.growth() == 5
        assert found.growth(64) == 2
        for nothing in (lambda: found.of(7), RoundTripsByPayload().growth):
            with pytest.raises(KeyError, match="no round trips of"):
                nothing()

    def test_in_words(self) -> None:
        assert str(made(1e-5, 2e-5)).count("\n") == 1
        assert "p50 10 µs" in str(made(1e-5))
        assert str(RoundTripsByPayload()) == "nothing measured yet"

    @pytest.mark.parametrize(
        ("results", "words"),
        [
            (
                [made(1e-5, 1.1e-5, 1.5e-5, 4e-5)],
                "Up to 1 KiB, the size matters little; 16 KiB take 4.0 × as long as 1 B",
            ),
            ([made(1e-5, 3e-5, 1e-5)], "1,024 × the bytes take 1.0 × as long"),
            ([made(1e-5, 1e-5)], "Up to 64 B, the size matters little"),
            ([made(1e-5)], "One size there and back"),
            (
                [made(1e-5, 2e-5, label="tcp"), made(1e-5, 3e-4, label="unix")],
                "64 × the bytes, and a round trip takes: tcp 2.0 ×, unix 30 ×",
            ),
        ],
    )
    def test_the_finding(self, results: list[RoundTripsByPayload], words: str) -> None:
        assert finding(*results) == words


class TestDrawing:
    def test_medians_and_bands(self) -> None:
        found = made(1e-5, 2e-5, 4e-5)
        (axes,) = draw_round_trips_by_payload(found).axes
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        (line,) = axes.get_lines()
        assert list(line.get_xdata()) == [1, 64, 1024]
        assert list(line.get_ydata()) == [1e-5, 2e-5, 4e-5]
        (band,) = axes.collections
        heights = {y for x, y in band.get_paths()[0].vertices if x == 1024}
        assert heights == {4e-5, 8e-5}
        assert axes.get_title("left").startswith("Up to 1 B" if found.growth(64) < 2 else "1,024 ×")
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1 B", "64 B", "1 KiB"]

    def test_several_and_a_title(self) -> None:
        picture = draw_round_trips_by_payload(made(1e-5, 2e-5, label="a"), made(1e-5, label="b"), title="Mine")
        (axes,) = picture.axes
        assert axes.get_title("left") == "Mine"
        assert [text.get_text().partition(":")[0] for text in axes.get_legend().get_texts()] == ["a", "b"]
        assert picture.png().startswith(b"\x89PNG")

    def test_into_given_axes(self) -> None:
        from socketlab.measure import figure

        axes = figure(columns=2).axes[1]
        assert draw_round_trips_by_payload(made(1e-5), ax=axes) is axes
        assert axes.get_lines()

    def test_nothing_to_draw(self) -> None:
        with pytest.raises(ValueError, match="wanted 1 to 6 results, but got 0"):
            draw_round_trips_by_payload()
        with pytest.raises(ValueError, match="a result has none"):
            draw_round_trips_by_payload(RoundTripsByPayload())
