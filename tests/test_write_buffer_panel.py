"""The write buffer and its panel: what drain bounds, what pausing says, controls that act at once, and the end."""

from __future__ import annotations

import gc
import re
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any
from xml.etree import ElementTree

import patience
import pytest

from socketlab.experiments.buffers.write_buffer import (
    FASTEST,
    HIGH,
    KEPT,
    PIECE,
    Curve,
    Look,
    Pour,
    PourState,
    WriteBuffer,
    draw_write_buffer,
    pour_steps,
    write_buffer,
)
from socketlab.panels.write_buffer import MARKS, RATES, WriteBufferPanel

pytestmark = pytest.mark.usefixtures("nothing_left")
until = partial(patience.until, seconds=20.0)


@pytest.fixture(scope="module", autouse=True)
def _fonts() -> None:
    """matplotlib keeps the files of its fonts open."""
    draw_write_buffer(KNOWN).png()


KNOWN = WriteBuffer(Curve((0.0, 0.1), (0, 9), 9, 2), Curve((0.0, 0.1), (0, 999), 999, 1), (16, 64))


class TestPour:
    def first(self, pour: Pour, enough: Callable[[PourState], object]) -> PourState:
        end = time.monotonic() + 20
        with closing(pour_steps(pour)) as steps:
            for share, state in steps:
                assert share is None
                if enough(state):
                    return state
                assert time.monotonic() < end, "waited 20 s in vain"
        raise AssertionError("it has no end")

    def test_drain_waits_for_a_stopped_reader(self) -> None:
        state = self.first(Pour(FASTEST, 0, drain=True), lambda state: state.draining and state.paused_for > 0.1)
        assert HIGH < state.size <= HIGH + PIECE
        assert state.largest <= HIGH + PIECE
        assert state.pauses == 1
        assert state.looks[-1].paused

    def test_without_drain_it_grows(self) -> None:
        state = self.first(Pour(FASTEST, 0, drain=False), lambda state: state.size > 4 * HIGH)
        assert state.pauses == 1
        assert not state.draining

    def test_somebody_may_stop_draining(self) -> None:
        pour = Pour(FASTEST, 0, drain=True)

        def grown(state: PourState) -> bool:
            if state.draining:
                pour.drain = False
            return state.size > 2 * HIGH

        assert not self.first(pour, grown).draining

    def test_a_quick_reader_leaves_nothing(self) -> None:
        state = self.first(Pour(64 * 1024, 1 << 30, drain=True), lambda state: state.read > 20_000)
        assert state.pauses == 0

    def test_another_mark(self) -> None:
        state = self.first(Pour(FASTEST, 0, drain=True, high=4096), lambda state: state.draining)
        assert state.marks == (1024, 4096)
        assert state.largest <= 4096 + PIECE

    def test_both(self) -> None:
        result = write_buffer(total=400_000)
        assert result.with_drain.largest <= HIGH + PIECE < result.without.largest
        assert result.with_drain.pauses > result.without.pauses == 1
        assert len(result.without.times) == len(result.without.sizes)

    @pytest.mark.parametrize("value", [-1, 1.5, "fast", True, FASTEST + 1])
    def test_absurd_values_are_told(self, value: Any) -> None:
        with pytest.raises(ValueError, match="write_rate wanted a whole number of bytes"):
            Pour(value, 1, drain=True)

    def test_the_picture(self) -> None:
        (ax,) = draw_write_buffer(KNOWN).axes
        assert len(ax.get_lines()) == 4, "two curves, two marks"
        with pytest.raises(ValueError, match="at least one moment"):
            draw_write_buffer(WriteBuffer())


def state(*looks: tuple[float, int, bool], **settings: Any) -> PourState:
    values = {
        "now": looks[-1][0] if looks else 0.0, "marks": (16384, 65536), "written": 20_000, "read": 7712,
        "largest": 73_728, "pauses": 1, "paused_for": 0.0, "draining": False, "full": False, **settings,
    }  # fmt: skip
    return PourState(looks=tuple(Look(*look) for look in looks), **values)


class TestPanel:
    @pytest.fixture
    def panel(self) -> Iterator[WriteBufferPanel]:
        panel = WriteBufferPanel()
        yield panel
        panel.close()

    def shows(self, panel: WriteBufferPanel, words: str) -> None:
        until(lambda: re.search(words, panel._finding.value), f"{words!r} is shown; {panel._finding.value!r} is")
        assert panel._painter.fault is None

    def test_words(self, panel: WriteBufferPanel) -> None:
        at_rest = panel.finding(state((9.0, 4096, False)))
        assert at_rest == "4,096 bytes in the write buffer, at most 72 KiB so far; 1 pause."
        waits = panel.finding(state((9.0, 70_000, True), paused_for=1.23, draining=True))
        assert waits == "drain() has been waiting for 1.2 s: 70,000 bytes in the write buffer, at most 72 KiB so far."
        grows = panel.finding(state((9.0, 300_000, True), paused_for=2.0))
        assert grows == "pause_writing() came 2 s ago, and nobody heeds it: 300,000 bytes in the write buffer."
        full = panel.finding(state((9.0, 1 << 25, True), paused_for=9.0, full=True))
        assert full == "32 MiB wait in your memory, and here the panel stops writing; a program would go on."

    @pytest.mark.parametrize(
        "result",
        [state(), state((0.0, 0, False)), state(*((n / 40, n * 9000, n % 3 == 0) for n in range(600)))],
        ids=["nothing", "a moment", "many"],
    )
    def test_pictures_are_whole(self, panel: WriteBufferPanel, result: PourState) -> None:
        picture = panel.picture(result)
        whole = ElementTree.fromstring(f"<div>{picture.replace('&nbsp;', ' ')}</div>")
        assert len([svg for svg in whole.iter("svg") if svg.get("role") == "img"]) == 1
        assert "high-water mark: 65,536 bytes" in picture

    def test_a_stopped_reader_and_a_box_unticked(self, panel: WriteBufferPanel) -> None:
        panel.write_rate.value = RATES[-1]
        panel.read_rate.value = 0
        self.shows(panel, r"drain\(\) has been waiting")
        worker = panel._worker
        panel.drain.value = False
        self.shows(panel, "nobody heeds it")
        panel.drain.value = True
        panel.read_rate.value = RATES[-1]
        until(lambda: panel.result.read > 200_000, "bytes flow again")
        assert panel._worker is worker, "controls act on the connection that there is"

    def test_stop_answers_at_once(self, panel: WriteBufferPanel) -> None:
        panel.run()
        until(lambda: panel.result is not None, "a first state")
        panel.stop()
        assert not panel.running
        assert panel.result.now < KEPT

    def test_controls_cannot_reach_absurd_values(self, panel: WriteBufferPanel) -> None:
        for rate in RATES:
            for mark in MARKS:
                Pour(rate, rate, drain=True, high=mark)
        assert all(control.description and control.tooltip for control in panel.controls)

    def test_forgotten_while_it_runs(self) -> None:
        def forgotten() -> weakref.ref[WriteBufferPanel]:
            panel = WriteBufferPanel()
            panel.run()
            until(lambda: panel.result is not None, "a first state")
            return weakref.ref(panel)

        reference = forgotten()
        until(lambda: gc.collect() is not None and reference() is None, "nobody holds it")
