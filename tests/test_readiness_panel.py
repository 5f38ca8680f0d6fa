"""The readiness panel without a browser: what its controls measure, what it says, and its end."""

from __future__ import annotations

import os
import select

import pytest

from socketlab.experiments.waiting.mechanisms import EDGE, EPOLL, POLL, SELECT, has, most_watched
from socketlab.experiments.waiting.readiness import Cost, ReadinessCost, Refusal
from socketlab.panels import ReadinessPanel

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")

needs_epoll = pytest.mark.skipif(not has(EPOLL), reason="epoll is Linux's")
needs_many = pytest.mark.skipif(most_watched() < 2000, reason="this process may not open 2,000 descriptors")


@pytest.fixture
def panel():
    panel = ReadinessPanel()
    yield panel
    panel.close()


def measured(panel) -> ReadinessCost:
    assert panel.wait(20), "the run goes on"
    return panel.result


class TestControls:
    def test_nothing_runs_before_somebody_asks(self, panel):
        assert panel.result is None
        assert not panel.running

    @needs_epoll
    def test_run_measures_with_all_that_are_ticked(self, panel):
        panel.watched.value = 100
        result = measured(panel)
        assert result.mechanisms == (SELECT, POLL, EPOLL)
        assert [cost.watched for cost in result.of(POLL)] == [10, 20, 50, 100]

    @needs_epoll
    def test_a_tick_less(self, panel):
        panel.watched.value = 20
        panel.mechanisms[SELECT].value = False
        assert measured(panel).mechanisms == (POLL, EPOLL)

    @needs_epoll
    def test_edge_and_level(self, panel):
        panel.watched.value = 20
        panel.ready.value = 10
        assert {cost.named_again for cost in measured(panel).of(EPOLL)} == {10}
        panel.edge.value = True
        result = measured(panel)
        assert {(cost.named, cost.named_again) for cost in result.of(EDGE)} == {(10, 0)}
        assert "10 in the first call, 0 from then on" in panel.picture(result)

    def test_no_tick_is_told_in_the_panel(self, panel):
        for box in panel.mechanisms.values():
            box.value = False
        panel.run()
        assert not panel.running
        panel._draw()
        assert "Tick at least one" in panel._finding.value

    @needs_many
    def test_select_refuses_two_thousand(self, panel):
        panel.watched.value = 2000
        result = measured(panel)
        assert [refusal.mechanism for refusal in result.refusals] == [SELECT]
        assert "select refuses" in panel.picture(result)
        assert "ValueError" in panel.picture(result)

    def test_every_control_has_a_label_and_a_tooltip(self, panel):
        for control in (*panel.mechanisms.values(), panel.edge, panel.watched, panel.ready):
            assert control.description
            assert control.tooltip

    def test_a_platform_without_epoll(self, monkeypatch):
        monkeypatch.delattr(select, "epoll", raising=False)
        monkeypatch.delattr(select, "kqueue", raising=False)
        panel = ReadinessPanel()
        try:
            assert panel.mechanisms[EPOLL].disabled
            assert panel.edge.disabled
            panel.watched.value = 20
            assert EPOLL not in measured(panel).mechanisms
        finally:
            panel.close()

    def test_the_slider_offers_what_the_process_may_open(self):
        resource = pytest.importorskip("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 330, hard))
        try:
            panel = ReadinessPanel()
            panel.close()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert max(value for _, value in panel.watched.options) <= 200


KNOWN = ReadinessCost(
    3,
    (Cost(POLL, 10, 1e-6, 9, 3, 3), Cost(POLL, 2000, 1.2e-4, 9, 3, 3), Cost(EDGE, 2000, 1e-6, 9, 3, 0)),
    (Refusal(SELECT, 2000, "<out of range>"),),
    lacking=(EPOLL,),
    left_out=(5000,),
    most=4000,
)


class TestWords:
    """Pure functions of a result."""

    def test_the_finding(self, panel):
        words = panel.finding(KNOWN)
        assert words.startswith("2,000 watched, 3 ready: poll 120 µs, edge-triggered epoll 1 µs.")
        assert "With 200 × as many a call takes longer: poll 120 ×." in words
        assert "This system has no epoll." in words
        assert "no more than 4,000 descriptors" in words

    def test_before_the_first_cost(self, panel):
        assert panel.finding(ReadinessCost(1)) == "Opening sockets."
        assert "nothing measured yet" in panel.picture(ReadinessCost(1))

    def test_too_few_descriptors_for_the_first_count(self, panel):
        words = panel.finding(ReadinessCost(1, left_out=(10,), most=0))
        assert words == "This process may open no more than 0 descriptors for this, which is too few."

    def test_the_picture_is_safe(self, panel):
        picture = panel.picture(KNOWN)
        assert "<out" not in picture
        assert "&lt;out of range&gt;" in picture
        assert picture.count("<svg") == picture.count("</svg>")

    def test_the_static_picture(self, panel):
        assert "edge-triggered" in panel.snapshot()
        assert repr(panel) == "<Readiness panel>"
