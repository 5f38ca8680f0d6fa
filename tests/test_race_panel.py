"""The panel of Happy Eyeballs without a browser: sliders, the lanes, the words, the end."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from test_eyeballs_race import EVERY, ipv6

from socketlab.experiments.addresses.race import FAILED, REFUSED, SILENT, WON, Attempt, Race, last_words
from socketlab.panels.drawing.eyeballs import WIDTH, race_picture
from socketlab.panels.race import ANSWERS, RacePanel

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")


@pytest.fixture
def panel() -> Iterator[RacePanel]:
    panel = RacePanel()
    yield panel
    panel.close()


class TestSliders:
    @ipv6
    def test_each_is_measured_at_once(self, panel):
        panel.head_start.value = 1000
        panel.v6.value = REFUSED
        assert panel.wait(20)
        assert panel.result.attempts[0].error == "ECONNREFUSED"
        assert panel.result.winner == "IPv4"
        assert "began at once" in panel.finding(panel.result)
        panel.v6.value = 0.0
        assert panel.wait(20)
        assert (panel.result.v6, panel.result.head_start) == (0.0, 1.0)
        panel.v4.value = REFUSED
        assert panel.wait(20)
        assert panel.result.v4 == REFUSED

    @ipv6
    @pytest.mark.skipif(sys.platform != "linux", reason="silence is a full queue of Linux")
    def test_a_silent_ipv6(self, panel):
        panel.v6.value = SILENT
        assert panel.wait(20)
        assert panel.result.winner == "IPv4"
        assert "Two connections were begun for one" in panel.finding(panel.result)

    def test_stop_ends_a_race_that_goes_on(self, panel):
        panel.v6.value = panel.v4.value = 2.0
        panel.run()
        panel.stop()
        assert not panel.running

    def test_the_model_takes_all_that_the_sliders_reach(self, panel):
        for _, answer in ANSWERS:
            panel.v6.value = panel.v4.value = answer
            panel.steps().close()
        for value in (panel.head_start.min, panel.head_start.max):
            panel.head_start.value = value
            panel.steps().close()


class TestFinding:
    def test_a_machine_without_ipv6_says_so(self, panel):
        attempts = Attempt("IPv6", FAILED, 0.0, None, 0.0, "EADDRNOTAVAIL"), Attempt("IPv4", WON, 0.0, 0.001, 0.05)
        assert "has no ::1" in panel.finding(Race(0.0, 0.05, 0.25, attempts, 0.05))

    @pytest.mark.parametrize("race", EVERY.values(), ids=EVERY)
    def test_who_has_the_connection(self, panel, race):
        words = panel.finding(race)
        assert (f"from {race.winner} after" in words) == bool(race.winner)


@pytest.mark.parametrize("race", EVERY.values(), ids=EVERY)
class TestPicture:
    def test_lanes_with_how_they_ended(self, race):
        svg = race_picture(race)
        assert svg.count("<svg") == svg.count("</svg>") == 1
        assert svg.count("<rect") == sum(one.began is not None for one in race.attempts)
        texts = re.findall(">([^<]+)</text>", svg)
        for one in race.attempts:
            assert one.family in texts
            assert last_words(one) in texts

    def test_spoken(self, race):
        (spoken,) = re.findall('aria-label="([^"]+)"', race_picture(race))
        assert all(last_words(one) in spoken for one in race.attempts)

    def test_words_and_bars_stay_inside(self, race):
        svg = race_picture(race)
        for x, width in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg):
            assert 0 < float(x) <= float(x) + float(width) < WIDTH
        for x in re.findall(r'<text x="([\d.]+)"', svg):
            assert 0 < float(x) < WIDTH - 100 or 'text-anchor="end"' in svg
