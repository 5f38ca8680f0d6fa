"""The panel of small writes without a browser: switches, what is measured, the drawing and the cause, the end."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest

from socketlab.experiments.streams.nagle import SmallWrites, Way
from socketlab.experiments.streams.two_writes import ONE_WRITE, REMEDIES, TWO_WRITES, Exchange
from socketlab.panels.drawing.held_back import cause, conversation_picture
from socketlab.panels.nagle import EXCHANGES, SIZES, NaglePanel

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")

linux = pytest.mark.skipif(sys.platform != "linux", reason="the delay of 40 ms and four of the switches are Linux's")
SLOW = Exchange(0.044, 1e-5, 2e-5, 3e-5, 0.0439, 2, 100)
EARLY = SLOW._replace(latency=5e-5, complete=4e-5, held=0)
APART = EARLY._replace(segments=2)
TOGETHER = EARLY._replace(segments=1)


@pytest.fixture
def panel() -> Iterator[NaglePanel]:
    panel = NaglePanel()
    yield panel
    panel.close()


def measured(panel: NaglePanel) -> Way:
    assert panel.wait(20), "the run goes on"
    return panel.result.ways[0]


class TestSwitches:
    @linux
    def test_nothing_ticked_waits_and_a_tick_ends_the_wait(self, panel):
        panel.run()
        before = measured(panel)
        assert before.label == TWO_WRITES
        assert before.waits
        panel.remedies["TCP_NODELAY"].value = True
        after = measured(panel)
        assert after.label == "TCP_NODELAY"
        assert after.timing.faster_than(before.timing, times=3)
        assert f"before: {TWO_WRITES}" in panel.picture(panel.result)

    @linux
    @pytest.mark.parametrize("remedy", REMEDIES)
    def test_each_switch_is_measured_at_once(self, panel, remedy):
        panel.remedies[remedy].value = True
        way = measured(panel)
        assert way.label == remedy
        assert len(way.exchanges) == EXCHANGES

    @linux
    def test_switches_together_and_one_write_without_more(self, panel):
        panel.remedies["TCP_QUICKACK"].value = True
        panel.remedies["MSG_MORE"].value = True
        assert panel.way == "TCP_QUICKACK + MSG_MORE"
        panel.remedies[ONE_WRITE].value = True
        assert panel.way == f"TCP_QUICKACK + {ONE_WRITE}"
        assert measured(panel).label == f"TCP_QUICKACK + {ONE_WRITE}"

    def test_sizes(self, panel):
        panel.remedies[ONE_WRITE].value = True
        panel.header.value, panel.body.value = 40, 65_536
        assert panel.wait(20)
        assert (panel.result.header, panel.result.body) == (40, 65_536)

    def test_the_sliders_offer_only_what_the_model_takes(self):
        assert SIZES[0] == 1
        assert SIZES[-1] <= 1_000_000

    def test_a_switch_that_the_system_lacks_says_so(self, monkeypatch):
        monkeypatch.delattr("socket.TCP_CORK", raising=False)
        panel = NaglePanel()
        try:
            box = panel.remedies["TCP_CORK"]
            assert box.disabled
            assert "no TCP_CORK" in box.tooltip
            box.value = True
            assert panel.way == TWO_WRITES
        finally:
            panel.close()


WAYS = {
    TWO_WRITES: (Way(TWO_WRITES, (EARLY,), (SLOW,)), "Nagle's algorithm", "new connection acknowledges at once"),
    "TCP_NODELAY": (Way("TCP_NODELAY", (), (APART,)), "left at once", "segment of its own"),
    "TCP_QUICKACK": (Way("TCP_QUICKACK", (), (APART,)), "acknowledged the header at once", "let the body go"),
    "TCP_CORK": (Way("TCP_CORK", (), (TOGETHER,)), "one segment", "the cork held both"),
    "MSG_MORE": (Way("MSG_MORE", (), (TOGETHER,)), "one segment", "MSG_MORE held the header"),
    ONE_WRITE: (Way(ONE_WRITE, (), (TOGETHER,)), "one segment", "(one write)"),
    "full": (Way(TWO_WRITES, (), (APART._replace(segments=3),), 100), "full segment", "100 bytes"),
    "acknowledged": (Way(TWO_WRITES, (), (APART,), 32768), "acknowledged before", "did not have to wait"),
}


@pytest.mark.parametrize("name", WAYS)
class TestCause:
    def test_in_words(self, name):
        way, *words = WAYS[name]
        assert all(word in cause(way, 12, 100) for word in words)

    def test_in_a_drawing_with_its_own_times(self, name):
        way, *_ = WAYS[name]
        svg = _svg(way)
        assert svg.count("<svg") == svg.count("</svg>") == 1
        words = " ".join(re.findall(">([^<]+)</text>", svg))
        assert ("held back" in words) == way.waits
        assert ("ACK" in words) == (way.waits or "TCP_QUICKACK" in way.label)
        assert ("44 ms" if way.waits else "50 µs") in words

    def test_arrows_end_in_the_picture(self, name):
        way, *_ = WAYS[name]
        for x, y in re.findall(r"([\d.]+),([\d.]+)", " ".join(re.findall('points="(.*?)"', _svg(way)))):
            assert 0 < float(x) < 900
            assert 0 < float(y) < 176


def _svg(way: Way) -> str:
    return conversation_picture(way, 12, 100)


class TestWords:
    def test_before_the_first_exchange(self, panel):
        assert conversation_picture(Way(TWO_WRITES, (), ()), 12, 100) == ""
        assert "Warming up" in panel.finding(SmallWrites(12, 100, ()))
        assert panel.picture(SmallWrites(12, 100, ())) == ""

    def test_the_finding_has_the_numbers(self, panel):
        words = panel.finding(SmallWrites(12, 100, (Way(TWO_WRITES, (), (SLOW,)),)))
        assert words.startswith("two writes, 12 B + 100 B in 2 segments: 44 ms in the median.")

    def test_a_system_that_lacks_the_option(self, panel):
        assert panel.finding(SmallWrites(12, 100, (), ("TCP_CORK",))) == "This system lacks what TCP_CORK needs."
