"""The loss panel without a browser: its sliders, the cells of its picture, and the same picture for the same seed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from patience import until

from socketlab.experiments.datagrams.fates import (
    CORRUPTED,
    FATES,
    LATE,
    LOST,
    ONCE,
    OVERFLOWED,
    TWICE,
    Arrival,
    DatagramLoss,
)
from socketlab.panels.loss import DATAGRAMS, LOOKS, LossPanel, loss_picture

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")


@pytest.fixture
def panel() -> Iterator[LossPanel]:
    panel = LossPanel()
    yield panel
    panel.close()


def run(panel: LossPanel) -> DatagramLoss:
    panel.run()
    assert panel.wait(20), "the run goes on"
    result: DatagramLoss = panel.result
    return result


def cells(picture: str, strip: int) -> list[tuple[str, str]]:
    """Number and mark of each cell of the first or second strip."""
    part = picture.split('class="sl-strip')[strip + 1]
    return re.findall(r'<span class="sl-cell"[^>]*>([^<]*)<b>([^<]*)</b>', part)


class TestPanel:
    """From a slider to a result."""

    def test_at_first_the_link_loses_some(self, panel: LossPanel) -> None:
        result = run(panel)
        assert result.sent == DATAGRAMS
        assert result.counts[LOST] > 0
        assert result.counts[ONCE] + result.counts[LOST] == DATAGRAMS

    def test_with_nothing_wrong_all_arrive(self, panel: LossPanel) -> None:
        panel.loss.value = 0.0
        assert run(panel).fates == (ONCE,) * DATAGRAMS
        assert panel.result.link is None

    @pytest.mark.parametrize(
        ("control", "fate"),
        [("loss", LOST), ("duplication", TWICE), ("reordering", LATE), ("corruption", CORRUPTED)],
    )
    def test_each_chance(self, panel: LossPanel, control: str, fate: str) -> None:
        panel.loss.value = 0.0
        getattr(panel, control).value = 0.3
        counts = run(panel).counts
        assert {name for name, number in counts.items() if number} == {ONCE, fate}

    def test_jitter_changes_the_order(self, panel: LossPanel) -> None:
        panel.loss.value, panel.jitter.value, panel.burst.value = 0.0, 0.05, 100
        result = run(panel)
        assert result.lost == 0
        assert result.counts[LATE] > 0

    def test_latency(self, panel: LossPanel) -> None:
        panel.loss.value, panel.latency.value, panel.burst.value = 0.0, 0.05, 50
        result = run(panel)
        assert result.took >= 0.1  # two bursts
        assert result.fates == (ONCE,) * DATAGRAMS

    def test_a_small_buffer_and_a_large_burst(self, panel: LossPanel) -> None:
        panel.loss.value, panel.buffer.value, panel.burst.value = 0.0, 2048, 100
        result = run(panel)
        assert {fate for fate, number in result.counts.items() if number} == {ONCE, OVERFLOWED}
        panel.burst.value = 5
        lost = result.lost
        assert panel.wait(20)
        assert panel.result.lost < lost

    def test_the_same_seed_gives_the_same_picture(self, panel: LossPanel) -> None:
        for control in (panel.duplication, panel.reordering, panel.corruption):
            control.value = 0.1
        panel.buffer.value, panel.seed.value = 8192, 5
        first = panel.picture(run(panel))
        assert panel.picture(run(panel)) == first
        assert "The same seed" in panel.finding(panel.result)
        panel.seed.value = 6
        assert panel.wait(20)
        assert panel.picture(panel.result) != first

    def test_a_moved_slider_measures_anew(self, panel: LossPanel) -> None:
        assert panel.result is None
        panel.loss.value = 0.5
        assert panel.wait(20)
        assert panel.result.counts[LOST] > 20
        until(lambda: "In order of arrival" in panel._picture.value, "the picture stands in the panel")

    def test_stopped_in_the_middle(self, panel: LossPanel) -> None:
        panel.latency.value, panel.burst.value = 0.05, 5
        until(lambda: panel.result is not None and panel.result.sent, "the first burst")
        panel.stop()
        assert 0 < panel.result.sent < DATAGRAMS
        assert not panel.running


class TestPicture:
    """Cells, marks and the legend."""

    def result(self) -> DatagramLoss:
        arrivals = (
            Arrival(1, True, 0.0), Arrival(3, True, 0.0), Arrival(2, True, 0.0, late=True), Arrival(4, True, 0.0),
            Arrival(4, True, 0.0), Arrival(5, False, 0.0),
        )  # fmt: skip
        return DatagramLoss((ONCE, LATE, ONCE, TWICE, CORRUPTED, LOST, OVERFLOWED), arrivals, 4096, 7, 0.0)

    def test_in_order_of_sending(self) -> None:
        assert cells(loss_picture(self.result()), 0) == [
            ("1", "ok"), ("2", "late"), ("3", "ok"), ("4", "×2"), ("5", "bad"), ("6", "lost"), ("7", "full"),
        ]  # fmt: skip

    def test_in_order_of_arrival(self) -> None:
        assert cells(loss_picture(self.result()), 1) == [
            ("1", "ok"), ("3", "ok"), ("2", "late"), ("4", "ok"), ("4", "×2"), ("5", "bad"),
        ]  # fmt: skip

    def test_each_fate_has_a_colour_a_mark_and_a_place_in_the_legend(self) -> None:
        assert tuple(LOOKS) == (ONCE, LATE, TWICE, CORRUPTED, LOST, OVERFLOWED)
        assert set(LOOKS) == set(FATES)
        assert len({colour for colour, _ in LOOKS.values()}) == len({mark for _, mark in LOOKS.values()}) == 6
        picture = loss_picture(self.result())
        for fate, number in self.result().counts.items():
            assert f"{fate}: {number}" in picture

    def test_before_the_first_burst_is_over(self) -> None:
        picture = loss_picture(DatagramLoss((), (), 4096, 7, 0.0))
        assert "0 datagrams" in picture
        assert cells(picture, 0) == []
