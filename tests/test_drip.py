"""A drip against a timeout and a deadline: who gives up, when, with how many bytes; the picture, and the panel."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from patience import until

from socketlab.experiments import Drip, draw_drip, drip
from socketlab.experiments.waiting.drip import Reader, Wait, drip_steps
from socketlab.panels.drip import LASTS, TIMES, DripPanel, drip_picture

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")


@pytest.fixture(scope="module")
def kept_alive() -> Drip:
    """A gap of 50 ms against a timeout of 500: the deadline is over long before the drip."""
    return drip(interval=0.05, timeout=0.5, deadline=0.2, lasts=0.8)


class TestDrip:
    """What is measured. Times are only compared with what cannot be shorter."""

    def test_each_byte_gives_the_next_recv_its_whole_time(self, kept_alive: Drip) -> None:
        assert kept_alive.per_call.gave_up
        assert {wait.timeout for wait in kept_alive.per_call.waits} == {0.5}
        assert kept_alive.per_call.received == len(kept_alive.drops) == 16
        assert kept_alive.per_call.took > 0.8 + 0.49
        assert kept_alive.per_call.waits[-1].end - kept_alive.per_call.waits[-1].start > 0.49

    def test_no_byte_moves_the_deadline(self, kept_alive: Drip) -> None:
        total = kept_alive.total
        assert total.gave_up
        assert total.took > 0.19
        assert total.received < kept_alive.per_call.received
        assert [wait.timeout for wait in total.waits] == sorted((w.timeout for w in total.waits), reverse=True)
        assert all(wait.start - total.waits[0].start + wait.timeout < 0.21 for wait in total.waits[:-1])

    def test_a_gap_that_is_too_long_for_one_recv(self) -> None:
        result = drip(interval=0.4, timeout=0.05, deadline=0.5, lasts=0.4)
        assert result.per_call.gave_up
        assert result.per_call.received == 0
        assert result.total.gave_up
        assert "in a gap that was too long" in result.sentence()

    def test_no_drip(self) -> None:
        result = drip(interval=1, timeout=0.02, deadline=0.03, lasts=0)
        assert result.drops == ()
        assert result.per_call.gave_up
        assert result.total.gave_up
        assert result.per_call.received == result.total.received == 0

    def test_bytes_are_sent_by_a_timetable(self, kept_alive: Drip) -> None:
        assert all(at >= 0.05 * n - 1e-9 for n, at in enumerate(kept_alive.drops, 1))

    def test_stopped_in_the_middle(self) -> None:
        with closing(drip_steps(0.05, 10.0, 20.0, 30.0)) as steps:
            for _, result in steps:
                if len(result.drops) >= 2:
                    break
            assert [thread.name for thread in threading.enumerate()].count("reader of a drip") == 2
        assert not result.per_call.gave_up
        assert not result.total.gave_up
        assert "waits on" in result.sentence()
        assert "yet to come" in result.sentence()

    def test_interrupted_at_once(self) -> None:
        steps = drip_steps()
        next(steps)
        with pytest.raises(KeyboardInterrupt):
            steps.throw(KeyboardInterrupt())

    @pytest.mark.parametrize(
        "wrong",
        [
            {"interval": 0},
            {"interval": 0.001},
            {"timeout": 0},
            {"timeout": -1},
            {"timeout": None},
            {"deadline": 0},
            {"deadline": float("nan")},
            {"lasts": 1000},
            {"lasts": "2"},
        ],
        ids=str,
    )
    def test_refuses(self, wrong: dict[str, float]) -> None:
        (name,) = wrong
        with pytest.raises(ValueError, match=f"{name} wanted a number of seconds"):
            drip_steps(**wrong)

    def test_repr_has_no_measured_time(self, kept_alive: Drip) -> None:
        assert repr(kept_alive) == "<Drip of a byte every 0.05 s: settimeout(0.5) against a deadline of 0.2 s>"


GIVEN = Drip(
    0.2, 0.5, 0.3, 0.4, (0.2, 0.4),
    Reader((Wait(0.0, 0.2, 0.5, True), Wait(0.2, 0.4, 0.5, True), Wait(0.4, 0.9, 0.5, False)), True),
    Reader((Wait(0.0, 0.2, 0.3, True), Wait(0.2, 0.3, 0.1, False)), True),
)  # fmt: skip


class TestPicture:
    """Of given numbers."""

    def test_how_long_either_would_wait(self) -> None:
        corners = [(round(at, 3), round(left, 3)) for at, left in GIVEN.per_call.left]
        assert corners == [(0.0, 0.5), (0.2, 0.3), (0.2, 0.5), (0.4, 0.3), (0.4, 0.5), (0.9, 0.0)]
        corners = [(round(at, 3), round(left, 3)) for at, left in GIVEN.total.left]
        assert corners == [(0.0, 0.3), (0.2, 0.1), (0.2, 0.1), (0.3, 0.0)]

    def test_drawn(self) -> None:
        picture = draw_drip(GIVEN)
        (axes,) = picture.axes
        lines: dict[Any, Any] = {line.get_label(): line for line in axes.lines}
        assert list(lines["settimeout(0.5)"].get_ydata()) == [left for _, left in GIVEN.per_call.left]
        assert list(lines["a byte arrives"].get_xdata()) == [0.2, 0.4]
        assert axes.get_title("left") == "Each byte starts settimeout(0.5) again; a deadline only runs out"
        assert [text.get_text() for text in axes.texts] == ["TimeoutError"] * 2
        assert repr(picture) == repr(draw_drip(drip(timeout=0.02, deadline=0.02, lasts=0)))

    def test_drawn_on_given_axes(self) -> None:
        (axes,) = draw_drip(GIVEN).axes
        assert draw_drip(GIVEN, title="mine", ax=axes) is axes
        assert axes.get_title("left") == "mine"

    def test_nothing_to_draw(self) -> None:
        with pytest.raises(ValueError, match="there is none yet"):
            draw_drip(Drip(0.1, 0.5, 0.5, 1.0))

    def test_in_words(self) -> None:
        words = GIVEN.sentence()
        assert words.startswith("A byte every 200 ms for 400 ms. settimeout(0.5) waited until the drip ended")
        assert words.endswith("The deadline of 300 ms was kept: 300 ms, 1 byte.")


@pytest.fixture
def panel() -> Iterator[DripPanel]:
    panel = DripPanel()
    yield panel
    panel.close()


class TestPanel:
    def test_a_deadline_is_kept_while_the_drip_goes_on(self, panel: DripPanel) -> None:
        panel.deadline.value = 300
        until(lambda: panel.result is not None and panel.result.total.gave_up, "the deadline")
        assert panel.running, "the other reader goes on"
        assert not panel.result.per_call.gave_up
        assert "was kept" in panel.finding(panel.result)
        panel.stop()
        assert not panel.running

    def test_a_timeout_shorter_than_the_gap(self, panel: DripPanel) -> None:
        panel.auto = False  # type: ignore[misc]
        panel.interval.value, panel.timeout.value, panel.deadline.value = 3000, 50, 100
        panel.run()
        assert panel.wait(20)
        assert panel.result.per_call.received == 0
        assert "gave up in a gap" in panel.finding(panel.result)

    def test_every_value_of_the_sliders_makes_sense(self) -> None:
        for ms in TIMES:
            drip_steps(ms / 1e3, ms / 1e3, ms / 1e3, LASTS).close()

    def test_picture(self) -> None:
        picture = drip_picture(GIVEN)
        words = re.sub(r"<[^>]*>", " ", picture)
        assert "TimeoutError: settimeout(0.5)" in words
        assert "TimeoutError: deadline 0.3 s" in words
        assert picture.count("<circle") == 3, "two bytes, and the key"
        assert "nothing measured yet" in drip_picture(Drip(0.1, 0.5, 0.5, 1.0))
