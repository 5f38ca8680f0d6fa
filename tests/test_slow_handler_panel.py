"""The panel of the slow handler without a browser: its controls, what it draws and says, its end in a long handler."""

from __future__ import annotations

import re
import threading
import time

import pytest
from patience import until

from socketlab.experiments.waiting.loop_turns import WAITING, LoopGantt
from socketlab.experiments.waiting.slow_loop import SlowLoop
from socketlab.measure import Span
from socketlab.panels import SlowHandlerPanel
from socketlab.panels.drawing.looped import loop_picture
from socketlab.panels.slow_handler import CLIENTS, MESSAGES, SLOW

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")


@pytest.fixture
def panel():
    panel = SlowHandlerPanel()
    yield panel
    panel.close()


def measured(panel) -> SlowLoop:
    assert panel.wait(30), "the run goes on"
    assert panel.result is not None, panel._words
    return panel.result


class TestControls:
    def test_nothing_runs_before_somebody_asks(self, panel):
        assert panel.result is None
        assert not panel.running

    def test_the_slider_is_what_the_handler_takes(self, panel):
        panel.clients.value = 2
        panel.slow.value = 100
        result = measured(panel)
        assert result.slow == 0.1
        assert result.gantt.busy("client 1") >= MESSAGES * 0.1
        assert {wait.lane for wait in result.waits} == {"client 1", "client 2"}

    def test_so_many_clients(self, panel):
        panel.slow.value = 1
        panel.clients.value = 6
        assert len([row for row in measured(panel).gantt.rows if row != "listener"]) == 6

    def test_the_sliders_reach_only_what_takes_a_second(self):
        assert max(SLOW) / 1000 * MESSAGES < 1
        assert max(CLIENTS) <= 20

    def test_every_control_has_a_label_and_a_tooltip(self, panel):
        for control in (panel.slow, panel.clients):
            assert control.description
            assert control.tooltip


class TestEnd:
    def test_stop_does_not_wait_for_the_slow_handler(self, panel):
        panel.slow.value = max(SLOW)
        until(lambda: panel.result is not None and panel.result.gantt.turns > 3, "the slow one is served", seconds=20)
        began = time.monotonic()
        panel.stop()
        assert time.monotonic() - began < MESSAGES * max(SLOW) / 1000
        assert not panel.running
        assert not [thread for thread in threading.enumerate() if thread.name.startswith(("the loop", "client "))]

    def test_a_new_run_ends_the_one_before(self, panel):
        panel.slow.value = max(SLOW)
        panel.slow.value = 0
        assert measured(panel).slow == 0

    def test_close_in_the_middle(self, panel):
        panel.run()
        panel.close()
        assert not panel.running


KNOWN = SlowLoop(
    0.05,
    LoopGantt(
        (
            Span(WAITING, "", 0, 0.01, True), Span("listener", "", 0.01, 0.011), Span("client 1", "", 0.011, 0.061),
            Span("client 2", "", 0.061, 0.062), Span(WAITING, "", 0.062, 0.07, True),
        ),
        2,
    ),
    waits=(Span("client 1", "", 0.01, 0.062), Span("client 2", "", 0.02, 0.062), Span("client 2", "", 0.064, 0.065)),
)  # fmt: skip


class TestWords:
    """Pure functions of a result."""

    def test_the_finding(self, panel):
        assert panel.finding(KNOWN) == (
            "The slow handler takes 50 ms. The others had 2 answers: half of them within 42 ms, "
            "the last one after 42 ms."
        )

    def test_a_handler_that_takes_no_time(self, panel):
        assert "takes no time" in panel.finding(SlowLoop(0.0, KNOWN.gantt, waits=KNOWN.waits))

    def test_before_the_first_answer(self, panel):
        assert panel.finding(SlowLoop(0.05, LoopGantt())) == "The clients connect."
        assert loop_picture(SlowLoop(0.05, LoopGantt())) == ""

    def test_a_row_for_each_and_none_for_the_listener(self):
        names = re.findall(r'text-anchor="end"[^>]*>([^<]+)</text>', loop_picture(KNOWN))
        assert [name for name in names if not re.match("[0-9]", name)] == [
            "waiting in select",
            "client 1, the slow one",
            "client 2",
        ]

    def test_a_line_for_each_wait_and_a_bar_for_each_time(self):
        svg = loop_picture(KNOWN).partition('viewBox="0 0 900')[2]
        paths = re.findall(r'<path d="([^"V]+)" stroke="([^"]+)" stroke-width="([\d.]+)"', svg)
        assert [(d.count("M"), width) for d, _, width in paths] == [
            (2, "14"),  # waiting in select
            (1, "1.4"), (1, "14"),
            (2, "1.4"), (1, "14"),
        ]  # fmt: skip

    def test_what_it_shows_is_inside(self):
        picture = loop_picture(KNOWN)
        width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)" role', picture).groups())
        moves = re.findall(r"M([\d.]+) ([\d.]+)H([\d.]+)", picture.partition("aria-label")[2])
        assert moves
        assert all(float(x) <= float(to) <= width and float(y) <= height for x, y, to in moves)

    def test_a_reader_without_eyes(self):
        assert 'aria-label="waiting in select: 2 times; client 1, the slow one: 1 times' in loop_picture(KNOWN)

    def test_the_static_picture(self, panel):
        assert "Slow handler" in panel.snapshot()
        assert repr(panel) == "<Slow handler panel>"
