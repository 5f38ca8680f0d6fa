"""The panel of the listen queue without a browser: sliders, the picture of the door, the words, the end."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import partial

import patience
import pytest

from socketlab.experiments.doors.door import ACCEPTED, HALF_IN, OUTSIDE, QUEUED, Client, ListenQueue
from socketlab.panels.backlog import BacklogPanel
from socketlab.panels.drawing.door import door_picture

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")
until = partial(patience.until, seconds=20.0)  # a SYN is sent again after 1, 2 and 4 s

linux = pytest.mark.skipif(sys.platform != "linux", reason="a full queue drops SYNs, and is told, on Linux")

CLIENTS = (
    Client(1, (0.0,), 0.0, 0.0, 2.0),
    Client(2, (0.0,), 0.0, 0.0),
    Client(3, (0.0, 1.0), 1.0, 2.5),
    Client(4, (0.0, 1.0), 1.0, next_try=0.7),
    Client(5, (0.0, 1.0, 2.0, 3.0), next_try=0.4),
    Client(6, (0.0, 1.0), error="ETIMEDOUT", ended=3.0),
)
MIXED = ListenQueue(1, "ipv4", 3.5, CLIENTS, ((0.0, 2), (2.0, 1), (2.5, 2), (3.5, 2)), 2)


@pytest.fixture
def panel() -> Iterator[BacklogPanel]:
    panel = BacklogPanel()
    yield panel
    panel.close()


class TestSliders:
    @linux
    def test_a_run_goes_on_with_nobody_accepting(self, panel):
        panel.run()
        until(lambda: panel.result is not None and panel.result.count(QUEUED) == 3, "the seats are taken")
        assert panel.running
        assert panel.result.count(OUTSIDE) + panel.result.count(HALF_IN) == 3

    @linux
    def test_the_accept_slider_acts_on_the_run_under_way(self, panel):
        panel.clients.value = 3
        until(lambda: panel.result is not None and panel.result.count(QUEUED) == 3, "three in the queue")
        door = panel._door
        panel.rate.value = 10.0
        until(lambda: panel.result.count(ACCEPTED) == 3, "all are accepted")
        assert panel._door is door, "a new run began"
        assert panel.wait(20)

    def test_the_accept_slider_begins_a_run_where_there_is_none(self, panel):
        panel.rate.value = 10.0
        until(lambda: panel.result is not None and panel.result.count(ACCEPTED) > 0, "somebody is accepted")

    @linux
    @pytest.mark.parametrize("backlog", [0, 5])
    def test_backlog_and_clients_begin_anew(self, panel, backlog):
        panel.clients.value = 8
        panel.backlog.value = backlog
        until(lambda: panel.result is not None and panel.result.backlog == backlog, "the new run")
        until(lambda: panel.result.count(QUEUED) == backlog + 1, "the seats are taken")
        assert len(panel.result.clients) == 8

    @linux
    def test_unix_clients_fail_at_once(self, panel):
        panel.family.value = "unix"
        until(lambda: panel.result is not None, "a look")
        assert "EAGAIN" in panel.finding(panel.result)
        assert "EAGAIN" in panel.picture(panel.result)

    def test_the_model_takes_all_that_the_sliders_reach(self, panel):
        for slider in (panel.backlog, panel.clients, panel.rate, panel.retries):
            for value in (slider.min, slider.max):
                slider.value = value
        until(lambda: panel.result is not None, "a look")
        assert "wanted" not in panel._finding.value


class TestPicture:
    def test_everybody_stands_somewhere_once(self):
        svg = door_picture(MIXED)
        assert re.findall(r"<title>client (\d+)", svg) == ["4", "5", "6", "2", "3", "1"]
        assert svg.count("<circle") == 6

    def test_outside_left_of_the_queue_left_of_the_accepted(self):
        found = re.findall(r'<title>client (\d+).*?<circle cx="([\d.]+)"', door_picture(MIXED))
        places = {int(number): float(x) for number, x in found}
        assert max(places[n] for n in (4, 5, 6)) < min(places[n] for n in (2, 3))
        assert max(places[n] for n in (2, 3)) < places[1]

    @pytest.mark.parametrize("backlog", [0, 1, 10])
    def test_a_seat_more_than_the_backlog(self, backlog):
        result = ListenQueue(backlog, "ipv4", 1.0, CLIENTS[:1], ((1.0, 0),), backlog + 1)
        assert door_picture(result).count("<rect") == backlog + 1

    def test_the_clock_and_the_words_below_it(self):
        svg = door_picture(MIXED)
        assert "SYN 0.4 s" in svg
        assert "data 0.7 s" in svg
        assert "ETIMEDOUT" in svg
        assert svg.count("A19 19") == 1  # only for a SYN it is known since when it waits

    @pytest.mark.parametrize(("left", "large"), [(0.9, 1), (0.1, 0)])
    def test_the_clock_runs_down(self, left, large):
        client = Client(1, (0.0,), next_try=left)
        svg = door_picture(ListenQueue(0, "ipv4", 1.0 - left, (client,), ((0.0, 1),), 1))
        assert f"A19 19 0 {large} 1" in svg

    def test_nobody_stands_beside_the_picture(self):
        crowd = tuple(Client(n, (0.0,), next_try=0.5) for n in range(1, 21))
        svg = door_picture(ListenQueue(10, "ipv4", 0.5, crowd, ((0.0, 0),), 11))
        width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
        for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg):
            assert 20 < float(x) < width - 20
            assert 20 < float(y) < height - 30
        where = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
        assert len(set(where)) == 20

    def test_what_the_picture_says_is_said_in_words_too(self):
        label = re.search('aria-label="(.*?)"', door_picture(MIXED)).group(1)
        assert label == "1 outside, 1 half in, 1 failed, 2 of 2 seats taken, 1 accepted"

    def test_a_narrow_page_begins_at_the_present(self, panel):
        assert '<div style="direction:rtl;overflow-x:auto' in panel.picture(MIXED)


class TestWords:
    def test_all_there_is_to_say(self, panel):
        words = panel.finding(MIXED)
        assert words.startswith("listen(1) has 2 seats, 2 taken; 6 clients came. 1 outside")
        assert "the next SYN comes in 0.4 s" in words
        assert "comes again in 0.7 s" in words
        assert "1 failed: ETIMEDOUT" in words

    def test_all_are_in(self, panel):
        result = ListenQueue(1, "ipv4", 4.0, CLIENTS[:1], ((4.0, 0),), 2)
        assert panel.finding(result).endswith("All are accepted; the last found a seat after 0.00 s.")

    def test_where_the_kernel_does_not_tell(self, panel):
        result = ListenQueue(1, "ipv4", 4.0, (Client(1, (0.0,)), Client(2, (0.0,), 1.0)), ((4.0, 0),), None)
        words = panel.finding(result)
        assert words.startswith("listen(1), 0 taken")
        assert "comes in" not in words
        assert result.count(HALF_IN) == 1
        assert "<svg" in panel.picture(result)
