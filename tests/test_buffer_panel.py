"""The buffer panel and the flow below it: speeds that act at once, what waits where, words, pictures, and the end."""

from __future__ import annotations

import gc
import re
import statistics
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from xml.etree import ElementTree

import patience
import pytest

from socketlab.experiments.buffers.flow import FASTEST, KEPT, Flow, FlowState, Look, flow_steps
from socketlab.panels.buffer import BUFFERS, RATES, BufferPanel

pytestmark = pytest.mark.usefixtures("nothing_left")
until = partial(patience.until, seconds=20.0)
linux = pytest.mark.skipif(sys.platform != "linux", reason="queues are read in Linux's way")


class TestFlow:
    def states(self, enough: Callable[[FlowState], bool], change: Callable[[], object]) -> FlowState:
        """Let it flow until a state is as wanted, change something, and return the state."""
        end = time.monotonic() + 20
        for share, state in self.steps:
            assert share is None
            if enough(state):
                change()
                return state
            assert time.monotonic() < end, "waited 20 s in vain"
        raise AssertionError("it has no end")

    @pytest.fixture
    def flow(self) -> Iterator[Flow]:
        flow = Flow(FASTEST, FASTEST, sndbuf=16384, rcvbuf=16384)
        self.steps = flow_steps(flow)
        yield flow
        self.steps.close()

    def stop_reading(self, flow: Flow) -> None:
        flow.read_rate = 0

    def test_a_stopped_reader_blocks_the_sender_and_a_reader_frees_it(self, flow: Flow) -> None:
        self.states(lambda state: state.read > 100_000, lambda: self.stop_reading(flow))
        blocked = self.states(lambda state: state.blocked > 0.5, lambda: setattr(flow, "read_rate", FASTEST))
        assert blocked.sent - blocked.read > 4096, "the kernel's buffers hold what was sent and not read"
        assert blocked.looks[-1].refused
        assert blocked.refused > 0
        if sys.platform == "linux":
            assert blocked.window == 0
            assert sum(size or 0 for size in blocked.looks[-1][1:3]) == blocked.waiting, "all is acknowledged"
        after = self.states(lambda state: state.read > blocked.read + 200_000, lambda: None)
        assert after.sent > blocked.sent

    def test_a_sender_that_stops_is_not_blocked(self, flow: Flow) -> None:
        flow.read_rate = 0
        self.states(lambda state: state.blocked > 0.1, lambda: setattr(flow, "send_rate", 0))
        state = self.states(lambda state: state.blocked == 0, lambda: None)
        later = self.states(lambda state: state.now > 0.2 + state.looks[0].t, lambda: None)
        assert later.sent == state.sent

    def test_a_quick_reader_leaves_nothing(self, flow: Flow) -> None:
        flow.send_rate = 64 * 1024
        state = self.states(lambda state: state.sent > 32_000, lambda: None)
        assert state.read <= state.sent
        assert state.blocked == 0

    def test_remembers_so_many_seconds(self, flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("socketlab.experiments.buffers.flow.KEPT", 0.2)
        state = self.states(lambda state: state.now > 0.6, lambda: None)
        assert state.now - state.looks[0].t <= 0.3
        times = [look.t for look in state.looks]
        assert times == sorted(times)

    @pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), FASTEST + 1, "fast", None, True])
    def test_absurd_speeds_are_told(self, value: Any) -> None:
        flow = Flow(1, 1)
        for name in ("send_rate", "read_rate"):
            with pytest.raises(ValueError, match=f"{name} wanted 0 to 2,097,152 bytes per second, but got"):
                setattr(flow, name, value)
        assert (flow.send_rate, flow.read_rate) == (1, 1)

    def test_absurd_buffers_are_told(self) -> None:
        with pytest.raises(ValueError, match="rcvbuf wanted 1 to"):
            Flow(1, 1, rcvbuf=-1)


def state(*looks: tuple[float, int | None, int | None, bool], **settings: Any) -> FlowState:
    values = {
        "now": looks[-1][0] if looks else 0.0, "granted": (8192, 8192), "sent": 20_000, "read": 7712,
        "send_rate": 0.0, "read_rate": 0.0, "blocked": 0.0, "window": 0, "unsent": 8192, **settings,
    }  # fmt: skip
    return FlowState(looks=tuple(Look(*look) for look in looks), **values)


class TestWords:
    """What the panel says; no connection is made for it."""

    @pytest.fixture
    def panel(self) -> Iterator[BufferPanel]:
        panel = BufferPanel()
        yield panel
        panel.close()

    def test_blocked(self, panel: BufferPanel) -> None:
        assert panel.finding(state((9.0, 8192, 4096, True), blocked=1.23)) == (
            "The sender has been blocked for 1.2 s: 12,288 bytes wait, 4,096 of them in the receiver's buffer, "
            "and the window is 0."
        )

    def test_now_and_then(self, panel: BufferPanel) -> None:
        looks = [(9 + n / 10, 8192, 4096, n == 5) for n in range(10)]
        words = panel.finding(state(*looks, send_rate=65536.0, read_rate=1024.0))
        assert words == (
            "send() is refused 10% of the time: 64 KiB/s in, 1 KiB/s out; 12,288 bytes wait, 4,096 at the receiver."
        )

    def test_nothing_waits(self, panel: BufferPanel) -> None:
        assert panel.finding(state((9.0, 0, 0, False), read=20_000, send_rate=1024.0, read_rate=1024.0)) == (
            "The sender is not held up: 1 KiB/s in, 1 KiB/s out; nothing waits."
        )

    def test_elsewhere(self, panel: BufferPanel) -> None:
        words = panel.finding(state((9.0, None, None, True), blocked=2.0, window=None, unsent=None))
        assert words == "The sender has been blocked for 2 s: 12,288 bytes wait."

    @pytest.mark.parametrize(
        "result",
        [
            state(),
            state((0.0, 0, 0, False)),
            state((8.0, 8192, 4096, True), (9.0, None, None, True), (10.0, 9000, 0, False)),
            state((9.0, None, None, True), window=None, unsent=None),
            state(*((n / 40, 4_000_000, 100_000, n % 3 == 0) for n in range(600)), granted=(4_194_304, 131_072)),
        ],
    )
    def test_pictures_are_whole(self, panel: BufferPanel, result: FlowState) -> None:
        picture = panel.picture(result)
        whole = ElementTree.fromstring(f"<div>{picture.replace('&nbsp;', ' ')}</div>")
        assert len([svg for svg in whole.iter("svg") if svg.get("role") == "img"]) == 2
        assert "nan" not in picture
        for limit in result.granted:
            assert f"as granted: {limit:,} bytes" in picture

    def test_a_narrow_page_begins_at_the_present(self, panel: BufferPanel) -> None:
        """What somebody has scrolled is undone by the next picture, twelve times a second."""
        assert panel.picture(state((0.0, 0, 0, False))).count('<div style="direction:rtl;overflow-x:auto') == 2

    def test_stalls_are_marked(self, panel: BufferPanel) -> None:
        """A line above the limit, over those looks at which send() had been refused."""

        def marked(*refused: bool) -> str:
            picture = panel.picture(state(*((n / 10, 8192, 4096, stop) for n, stop in enumerate(refused))))
            (path,) = re.findall(r'<path d="([^"]*)" fill="none" stroke="#e69f00"', picture)
            return path

        assert marked(False, False, False, False) == ""
        assert marked(True, True, True, True).count("M") == 1
        assert marked(True, True, False, True).count("M") == 2


class TestPanel:
    @pytest.fixture
    def panel(self) -> Iterator[BufferPanel]:
        panel = BufferPanel()
        yield panel
        panel.close()

    def shows(self, panel: BufferPanel, words: str) -> None:
        until(lambda: re.search(words, panel._finding.value), f"{words!r} is shown; {panel._finding.value!r} is")
        assert panel._painter.fault is None

    def test_nothing_is_open_before_run(self, panel: BufferPanel) -> None:
        assert not panel.running
        assert panel.result is None
        self.shows(panel, "Press Run, or move a control")

    def test_a_slider_begins_a_run(self, panel: BufferPanel) -> None:
        panel.read_rate.value = RATES[-1]
        until(lambda: panel.result is not None and panel.result.read > 10_000, "bytes flow")
        assert panel.running

    @linux
    def test_the_reader_stops_and_goes_on(self, panel: BufferPanel) -> None:
        panel.run()
        until(lambda: panel.result is not None and panel.result.read > 10_000, "bytes flow")
        worker = panel._worker
        panel.read_rate.value = 0
        self.shows(panel, r"The sender has been blocked for .* bytes wait, .* of them in the receiver&#x27;s buffer")
        assert "send() would block" in panel._picture.value
        read = panel.result.read
        panel.read_rate.value = RATES[-1]
        until(lambda: panel.result.read > read + 10_000, "bytes flow again")
        self.shows(panel, "/s out; ")
        assert panel._worker is worker, "a speed changes the connection that there is"

    def test_a_buffer_is_asked_for_by_a_new_connection(self, panel: BufferPanel) -> None:
        panel.run()
        until(lambda: panel.result is not None, "a first state")
        worker, before = panel._worker, panel.result.granted
        panel.sndbuf.value = 262144
        until(lambda: panel.result.granted[0] > before[0], "more is granted")
        assert panel.result.granted[1] == before[1]
        assert panel._worker is not worker
        assert worker is not None
        assert not worker.is_alive()

    def test_a_slider_reaches_the_wire_within_20_ms(self, panel: BufferPanel) -> None:
        """In the median, beside what this machine's sleep(0.01) takes too long at the moment."""
        panel.send_rate.value = RATES[-1]
        panel.read_rate.value = 0
        took, late = [], []
        for _ in range(15):
            until(lambda: panel.result is not None and panel.result.blocked > 0.02, "the reader has stopped")
            flow = panel._flow
            assert flow is not None
            before, began = flow.read, time.perf_counter()
            panel.read_rate.value = RATES[-1]
            while flow.read == before and time.perf_counter() < began + 5:
                time.sleep(0.0005)
            took.append(time.perf_counter() - began)
            panel.read_rate.value = 0
            began = time.perf_counter()
            time.sleep(0.01)
            late.append(time.perf_counter() - began - 0.01)
        assert statistics.median(took) < 0.02 + 2 * statistics.median(late)

    def test_stop_keeps_what_was_found(self, panel: BufferPanel) -> None:
        panel.run()
        until(lambda: panel.result is not None, "a first state")
        panel.stop()
        assert not panel.running
        result = panel.result
        panel.run()
        until(lambda: panel.result is not result, "another run")
        assert panel.result.now < KEPT

    def test_controls_cannot_reach_absurd_values(self, panel: BufferPanel) -> None:
        for rate in RATES:
            for size in BUFFERS:
                Flow(rate, rate, sndbuf=size or None, rcvbuf=size or None)
        assert [value for _, value in panel.send_rate.options] == list(RATES)
        assert [value for _, value in panel.rcvbuf.options] == list(BUFFERS)
        panel.sndbuf.value = 0
        assert panel.sndbuf.label == "the kernel's choice"
        assert all(control.description and control.tooltip for control in panel.controls)

    def test_at_rest_it_names_what_it_shows(self, panel: BufferPanel) -> None:
        for words in ("Sender", "Reader", "SO_SNDBUF", "SO_RCVBUF", "Run", "its limit"):
            assert words in panel.snapshot()
        assert repr(panel) == "<Buffers panel>"

    def test_forgotten_while_it_runs(self) -> None:
        def forgotten() -> weakref.ref[BufferPanel]:
            panel = BufferPanel()
            panel.run()
            until(lambda: panel.result is not None, "a first state")
            return weakref.ref(panel)

        reference = forgotten()
        until(lambda: gc.collect() is not None and reference() is None, "nobody holds it")
