"""Round trip, window and what is under way while a sender sends: the outage, the picture, and the panel."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from patience import until

from socketlab.experiments import TcpOverTime, draw_tcp_over_time, tcp_over_time
from socketlab.experiments.streams import inside_tcp
from socketlab.experiments.streams.inside_tcp import Look, algorithms, recorded_run, tcp_over_time_steps
from socketlab.panels.inside_tcp import OUTAGES, RATES, InsideTcpPanel, tcp_picture

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


@linux
class TestMeasured:
    """On this kernel. Times are only compared with what cannot be shorter."""

    def test_an_outage_closes_the_window(self) -> None:
        result = tcp_over_time()
        assert result.outage is not None
        assert result.outage[0] >= inside_tcp.OUTAGE_AT
        assert result.outage[1] - result.outage[0] >= 0.3
        assert result.again > 0
        assert result.resent
        assert min(result.resent) > result.outage[0] + 0.19, "no timeout is shorter than 0.2 s"
        assert result.looks[0].ssthresh is None
        assert result.looks[-1].ssthresh is not None, "the kernel remembers that it took the silence for a loss"
        assert "The outage:" in result.sentence()

    def test_no_outage(self) -> None:
        result = tcp_over_time(outage=0, lasts=0.5)
        assert result.outage is None
        assert result.looks[-1].t >= 0.5
        assert result.looks[-1].acked > 0
        assert [look.t for look in result.looks] == sorted(look.t for look in result.looks)
        assert "outage" not in result.sentence()

    def test_a_pace_is_kept(self) -> None:
        result = tcp_over_time(rate=200_000, outage=0, lasts=0.6)
        assert result.looks[-1].acked < 0.6 * 200_000 * 1.5 + 12 * 1448 or result.looks[-1].t > 0.7

    def test_a_slow_reader_is_no_loss(self) -> None:
        result = tcp_over_time(rate=None, reader=100_000, outage=0, lasts=0.4)
        assert result.looks[-1].acked < 5_000_000, "what both ends' buffers hold, at most"

    def test_stopped_in_the_middle(self) -> None:
        with closing(tcp_over_time_steps(outage=5, lasts=10)) as steps:
            for _, result in steps:
                if result.outage is not None:
                    break
        assert result.outage is not None
        assert result.outage[1] < 5

    def test_interrupted_at_once(self) -> None:
        steps = tcp_over_time_steps()
        next(steps)
        with pytest.raises(KeyboardInterrupt):
            steps.throw(KeyboardInterrupt())

    def test_a_sandbox_without_the_option(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(sock: socket.socket, deaf: bool) -> None:
            raise OSError(92, "Protocol not available")

        monkeypatch.setattr(inside_tcp, "deafen", refuse)
        assert tcp_over_time(lasts=0.5).outage is None

    def test_every_algorithm_of_this_machine(self) -> None:
        assert "reno" in algorithms()
        for name in algorithms():
            assert tcp_over_time(name, None, outage=0, lasts=0.06).looks


class TestAnywhere:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"rate": 0},
            {"rate": 1.5e6},
            {"rate": 10**12},
            {"reader": -1},
            {"outage": -0.1},
            {"outage": float("nan")},
            {"lasts": 0},
            {"lasts": 1000},
        ],
        ids=str,
    )
    def test_refuses(self, wrong: dict[str, float]) -> None:
        (name,) = wrong
        with pytest.raises(ValueError, match=f"{name} wanted a"):
            tcp_over_time_steps(**wrong)  # type: ignore[arg-type]

    @linux
    def test_refuses_an_unknown_algorithm(self) -> None:
        with pytest.raises(ValueError, match="algorithm wanted one of .*reno.*, but got 'warp'"):
            tcp_over_time_steps("warp")

    def test_another_system_has_the_recorded_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        result = tcp_over_time("cubic")
        assert result.recorded
        assert result.algorithm == "reno"
        assert result.again > 0
        assert min(look.cwnd for look in result.looks) == 1
        assert "recorded on Linux" in draw_tcp_over_time(result).axes[0].get_title("left")

    def test_repr_has_nothing_measured(self) -> None:
        assert repr(recorded_run()) == "<TcpOverTime: reno>"


GIVEN = TcpOverTime(
    "reno", 1_000_000, None, 0.5,
    (Look(0.0, 3e-5, 10, 0, None, 0, 100), Look(0.2, 4e-5, 12, 12, None, 0, 5000), Look(0.4, 4e-5, 1, 12, 6, 1, 5000)),
    (0.1, 0.3),
)  # fmt: skip


class TestPicture:
    """Of given numbers."""

    def test_drawn(self) -> None:
        picture = draw_tcp_over_time(GIVEN)
        upper, lower = picture.axes
        lines = {str(line.get_label()): list(line.get_ydata()) for line in upper.lines}  # type: ignore[arg-type]
        assert lines["cwnd"] == [10, 12, 1]
        assert lines["unacked: under way"] == [0, 12, 12]
        assert len(lines["sent again"]) == 1
        assert list(lower.lines[0].get_ydata()) == [3e-5, 4e-5, 4e-5]  # type: ignore[arg-type]
        assert upper.get_title("left").startswith("reno: silence closes the window")
        assert draw_tcp_over_time(GIVEN, title="mine").axes[0].get_title("left") == "mine"

    def test_nothing_to_draw(self) -> None:
        with pytest.raises(ValueError, match="there is none yet"):
            draw_tcp_over_time(TcpOverTime("reno", None, None, 1.0))

    def test_in_words(self) -> None:
        assert GIVEN.resent == (0.4,)
        words = GIVEN.sentence()
        assert words.startswith("reno: 0.01 MB/s, round trip 40 µs, window 1 segment,")
        assert words.endswith("The outage: 1 segment sent again, the window at 1 at least.")
        assert TcpOverTime("reno", None, None, 1.0).sentence() == "Nothing measured yet."


@pytest.fixture
def panel() -> Iterator[InsideTcpPanel]:
    panel = InsideTcpPanel()
    yield panel
    panel.close()


class TestPanel:
    def test_an_outage_is_seen(self, panel: InsideTcpPanel) -> None:
        panel.run()
        until(lambda: panel.result is not None and panel.result.again > 0, "something sent again")
        assert "The outage:" in panel.finding(panel.result)
        panel.stop()
        assert not panel.running

    def test_a_moved_control_begins_a_new_run(self, panel: InsideTcpPanel) -> None:
        panel.outage.value = 0
        until(lambda: panel.result is not None and len(panel.result.looks) > 3, "some looks")
        assert panel.result.outage is None
        panel.rate.value = 100_000
        until(lambda: panel.result.rate == 100_000, "the new run")

    def test_every_value_of_the_controls_makes_sense(self, panel: InsideTcpPanel) -> None:
        for name, _ in [(name, name) for name in panel.algorithm.options]:
            for rate in RATES:
                for outage in OUTAGES:
                    tcp_over_time_steps(name, rate, reader=rate, outage=outage / 1000).close()

    def test_picture(self) -> None:
        picture = tcp_picture(GIVEN)
        words = re.sub(r"<[^>]*>", " ", picture)
        for word in ("nothing arrives", "it arrives again", "cwnd", "unacked", "segments", "round trip"):
            assert word in words
        assert "nothing measured yet" in tcp_picture(TcpOverTime("reno", None, None, 1.0))
