"""How experiments run, in cells and in panels: bars and Stop, one run at a time, errors that are told, nothing left."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import ipywidgets as widgets
import pytest
from leftovers import nothing_left
from patience import until

from socketlab.experiments.running import Steps, run
from socketlab.measure import measure, progress
from socketlab.panels import experiment
from socketlab.panels.drawing.chart import Series, chart
from socketlab.panels.drawing.scale import Axis
from socketlab.panels.experiment import ExperimentPanel


class Count:
    """An experiment in a test's hands: it goes on when it is let go, and says when it has closed."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.asked: list[int] = []
        self.closed: list[int] = []
        self.open = 0
        self.most = 0

    def steps(self, n: int, endless: bool = False) -> Steps[int]:
        if n < 0:
            raise ValueError(f"n wanted 0 or more, but got {n}")
        return self._steps(n, endless)

    def _steps(self, n: int, endless: bool) -> Steps[int]:
        self.asked.append(n)
        self.open += 1
        self.most = max(self.most, self.open)
        done = 0
        try:
            while endless or done < n:
                assert self.go.acquire(timeout=10)
                done += 1
                yield (None if endless else done / n), done
            if n == 13:
                raise ConnectionResetError(104, "Connection reset by peer")
        finally:
            self.open -= 1
            self.closed.append(done)


class TestRun:
    """What a cell does."""

    def test_gives_the_last_result_and_closes(self) -> None:
        count = Count()
        count.go.release(3)
        assert run(count.steps(3), "counting") == 3
        assert count.closed == [3]

    def test_an_exception_passes_through_and_closes(self) -> None:
        count = Count()
        count.go.release(13)
        with pytest.raises(ConnectionResetError):
            run(count.steps(13), "counting")
        assert count.closed == [13]

    def test_an_interrupt_closes(self) -> None:
        count = Count()

        def interrupted() -> Steps[int]:
            yield from count.steps(2)
            raise KeyboardInterrupt

        count.go.release(2)
        with pytest.raises(KeyboardInterrupt):
            run(interrupted(), "counting")
        assert count.open == 0

    def test_one_without_end_is_for_panels(self) -> None:
        count = Count()
        count.go.release(1)
        with pytest.raises(ValueError, match="counting has no end"):
            run(count.steps(1, endless=True), "counting")
        assert count.open == 0

    def test_one_without_result(self) -> None:
        with pytest.raises(ValueError, match="without a result"):
            run(Count().steps(0), "counting")


class TestStopButton:
    """The button beside the bar of a measurement, pressed between two samples."""

    @pytest.fixture(autouse=True)
    def _watched(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """As in a notebook that somebody watches, with the bar due at once."""
        pytest.importorskip("IPython")
        shown: list[Any] = []
        monkeypatch.setattr(progress, "_watched", lambda: True)
        monkeypatch.setattr(progress, "_FIRST_NS", 0)
        monkeypatch.setattr(progress, "_EVERY_NS", 0)

        class Place:
            def update(self, *_: Any, **__: Any) -> None:
                pass

        def display(box: Any, display_id: bool) -> Place:
            shown.append(box)
            return Place()

        monkeypatch.setattr("IPython.display.display", display)
        self.shown = shown
        yield
        for box in shown:
            assert box.comm is None, "the bar is closed when the measurement is over"

    def button(self) -> Any:
        (box,) = self.shown
        return next(part for part in box.children if isinstance(part, widgets.Button))

    def test_ends_an_experiment_with_the_result_so_far(self) -> None:
        def steps() -> Steps[int]:
            for n in range(1, 100):
                if n == 5:
                    self.button().click()
                yield n / 100, n

        assert run(steps(), "counting") == 5

    def test_ends_measure_with_the_samples_so_far(self) -> None:
        calls = 0

        def call() -> None:
            nonlocal calls
            calls += 1
            if calls == 7:
                self.button().click()

        timing = measure(call, rounds=1000, warmup=2)
        assert 1 <= len(timing) <= 6
        assert calls <= 8

    def test_is_not_there_where_nothing_can_be_stopped(self) -> None:
        with progress.Progress("reading") as bar:
            bar.show(0.5)
            (box,) = self.shown
            assert not [part for part in box.children if isinstance(part, widgets.Button)]


class Toy(ExperimentPanel):
    """As small as a panel of an experiment can be."""

    title = "Toy"
    about = "counts"
    hint = "Count <far>."
    regions = ("a number",)

    def __init__(self, count: Count, endless: bool = False) -> None:
        self.count, self.endless = count, endless
        self.n = widgets.IntSlider(description="n", value=3, min=-1, max=100)
        self.gain = widgets.FloatSlider(description="gain", value=1.0)
        super().__init__([widgets.HBox([self.n]), self.gain], live=[self.gain])

    def steps(self) -> Steps[Any]:
        return self.count.steps(self.n.value, self.endless)

    def picture(self, result: Any) -> str:
        return chart([Series("n", [(0, 0), (1, result)])], x=Axis("x"), y=Axis("n"))

    def finding(self, result: Any) -> str:
        return f"counted <{result}>"


class TestExperimentPanel:
    @pytest.fixture
    def count(self) -> Iterator[Count]:
        gc.collect()
        threads = set(threading.enumerate())
        count = Count()
        yield count
        count.go.release(1000)
        gc.collect()
        until(lambda: set(threading.enumerate()) <= threads, "no thread left")
        assert count.open == 0

    @pytest.fixture
    def panel(self, count: Count) -> Iterator[Toy]:
        panel = Toy(count)
        yield panel
        count.go.release(1000)
        assert panel._painter.fault is None
        panel.close()

    def words(self, panel: Toy) -> str:
        return str(panel._finding.value)

    def test_measures_nothing_before_it_is_asked(self, panel: Toy, count: Count) -> None:
        assert not panel.running
        assert not count.asked
        assert "Press Run, or move a control" in self.words(panel)
        assert panel.stop_button.disabled
        assert not panel.run_button.disabled

    def test_a_run(self, panel: Toy, count: Count) -> None:
        panel.run_button.click()
        until(lambda: not panel.stop_button.disabled, "Stop can be pressed")
        count.go.release(3)
        assert panel.wait()
        assert panel.result == 3
        until(lambda: "counted &lt;3&gt;" in self.words(panel), "the finding stands there, escaped")
        until(lambda: panel.stop_button.disabled, "nothing is left to stop")
        assert "<svg" in panel._picture.value

    def test_each_step_is_drawn(self, panel: Toy, count: Count) -> None:
        panel.run()
        for n in (1, 2, 3):
            count.go.release()
            until(lambda n=n: f"counted &lt;{n}&gt;" in self.words(panel), f"step {n} is drawn")  # type: ignore[misc]

    def test_stop_keeps_what_there_is_and_closes(self, panel: Toy, count: Count) -> None:
        panel.run()
        count.go.release(2)
        until(lambda: panel.result == 2, "two steps")
        threading.Timer(0.01, count.go.release).start()  # the step under way ends, and no other begins
        panel.stop_button.click()
        assert not panel.running
        assert count.open == 0
        assert panel.result == 2

    def test_a_moved_control_begins_anew_and_never_two_at_once(self, panel: Toy, count: Count) -> None:
        count.go.release(1000)
        for n in range(4, 30):
            panel.n.value = n
        assert panel.wait()
        assert panel.result == 29
        assert count.asked[-1] == 29
        assert count.most == 1

    def test_a_live_control_does_not_begin_anew(self, panel: Toy, count: Count) -> None:
        panel.run()
        until(lambda: count.asked == [3], "it runs")
        panel.gain.value = 2.0
        assert count.asked == [3]
        assert panel.running
        count.go.release(3)
        assert panel.wait()

    def test_without_auto_a_moved_control_asks_for_run(self, count: Count, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Toy, "auto", False)
        panel = Toy(count)
        assert "Press Run." in self.words(panel)
        panel.n.value = 5
        until(lambda: "have moved" in self.words(panel), "it says so")
        assert not count.asked
        count.go.release(5)
        panel.run()
        assert panel.wait()
        assert panel.result == 5
        until(lambda: "have moved" not in self.words(panel), "it does not say so any more")
        panel.close()

    def test_what_makes_no_sense_is_told_in_the_panel(self, panel: Toy) -> None:
        panel.n.value = -1
        until(lambda: "n wanted 0 or more, but got -1" in self.words(panel), "the error's words")
        assert not panel.running

    def test_what_breaks_is_told_in_the_panel(
        self, panel: Toy, count: Count, capfd: pytest.CaptureFixture[str]
    ) -> None:
        count.go.release(13)
        panel.n.value = 13
        assert panel.wait()
        until(lambda: "ConnectionResetError: Connection reset by peer" in self.words(panel), "the error's words")
        assert panel.result == 13
        assert capfd.readouterr() == ("", "")
        count.go.release(3)
        panel.n.value = 3
        assert panel.wait()
        until(lambda: "Reset" not in self.words(panel), "the next run makes it good")

    def test_pauses_when_nobody_looks(self, count: Count, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(experiment, "PATIENCE", -1.0)
        panel = Toy(count, endless=True)
        count.go.release(2)
        panel.run()
        assert panel.wait()
        until(lambda: "Paused" in self.words(panel), "it says so")
        assert "Run starts it again." in self.words(panel)
        panel.close()

    def test_runs_on_while_somebody_does(self, count: Count) -> None:
        panel = Toy(count, endless=True)
        panel.run()
        count.go.release(5)
        until(lambda: panel.result == 5, "five steps")
        assert panel._bar.layout.visibility == "hidden", "there is no share of what has no end"
        count.go.release(1)
        panel.close()

    def test_closed_in_the_middle(self, panel: Toy, count: Count) -> None:
        panel.run()
        until(lambda: count.open == 1, "it runs")
        threading.Timer(0.01, count.go.release).start()
        panel.close()
        assert count.open == 0
        assert not panel.running
        panel.run()
        assert not panel.running, "a closed panel begins nothing"

    def test_forgotten_in_the_middle(self, count: Count) -> None:
        panel = Toy(count, endless=True)
        panel.run()
        until(lambda: count.open == 1, "it runs")
        gone = weakref.ref(panel)
        del panel
        gc.collect()
        assert gone() is None
        count.go.release(1)
        until(lambda: count.open == 0, "what it opened is closed")


def test_nothing_is_left() -> None:
    with nothing_left():
        count = Count()
        count.go.release(3)
        panel = Toy(count)
        panel.run()
        assert panel.wait()
        panel.close()
