"""What every panel promises: three forms, one end, nothing left behind; and those of experiments, run and stopped.

Panels are found by themselves: a new one is tested here without a line.
"""

from __future__ import annotations

import gc
import inspect
import os
import re
import subprocess
import sys
import weakref
from functools import partial
from typing import Any

import ipywidgets
import patience
import pytest
from leftovers import walk

import socketlab.panels
from socketlab.panels import base
from socketlab.panels.experiment import ExperimentPanel

pytestmark = pytest.mark.usefixtures("nothing_left")
until = partial(patience.until, seconds=20.0)

PANELS = [getattr(socketlab.panels, name) for name in socketlab.panels.__all__]
EXPERIMENTS = [panel for panel in PANELS if issubclass(panel, ExperimentPanel)]

every_panel = pytest.mark.parametrize("make", PANELS, ids=lambda panel: panel.__name__)
every_experiment = pytest.mark.parametrize("make", EXPERIMENTS, ids=lambda panel: panel.__name__)


class Cells:
    """A notebook that says which cell runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs = 0
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(base.Panel, "_made", {})

    def run(self, cell: str) -> None:
        self.runs += 1
        place = cell, f"run {self.runs}"
        self._monkeypatch.setattr(base, "current_run", lambda: place)


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> Cells:
    return Cells(monkeypatch)


@every_panel
class TestEveryPanel:
    def test_closing_leaves_nothing(self, make: Any) -> None:
        for _ in range(5):
            panel = make()
            panel.close()
            panel.close()
            assert panel.closed

    def test_running_the_cell_again_closes_the_one_before(self, make: Any, cells: Cells) -> None:
        cells.run("a")
        first = make()
        cells.run("b")
        other = make()
        cells.run("a")
        second = make()
        assert first.closed
        assert not other.closed
        assert not second.closed
        second.close()
        other.close()

    def test_the_one_before_is_gone_before_the_new_one_is_built(self, make: Any, cells: Cells) -> None:
        cells.run("a")
        first = make()
        cells.run("a")
        with pytest.raises(TypeError) as failure:
            make(no_such_setting=True)
        assert first.closed
        cells.run("a")
        make().close()  # the unfinished one, which the traceback still holds, is nothing to close
        assert failure

    def test_two_in_one_cell(self, make: Any, cells: Cells) -> None:
        cells.run("a")
        left, right = make(), make()
        assert not left.closed
        cells.run("a")
        third = make()
        assert left.closed
        assert right.closed
        third.close()

    def test_one_that_is_forgotten(self, make: Any) -> None:
        panel = make()
        gone = weakref.ref(panel)
        del panel
        gc.collect()
        until(lambda: gc.collect() is None or gone() is None, "nobody holds it")

    def test_one_that_was_shown_stays(self, make: Any) -> None:
        panel = make()
        panel._repr_mimebundle_()
        del panel
        gc.collect()
        (shown,) = base.Panel._shown
        assert not shown.closed
        shown.close()
        assert not base.Panel._shown

    def test_three_forms(self, make: Any) -> None:
        panel = make()
        bundle = panel._repr_mimebundle_()
        panel.close()
        assert set(bundle) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
        assert bundle["text/plain"] == repr(panel) == f"<{panel.title} panel>"
        text = re.sub(r"<[^>]*>", " ", bundle["text/html"])
        assert "Run this cell to bring the panel to life." in text
        assert len(text.split()) > 20, "a reader without a kernel sees what it is about"

    def test_a_closed_one_can_still_be_looked_at(self, make: Any) -> None:
        panel = make()
        panel.close()
        assert set(panel._repr_mimebundle_()) == {"text/plain", "text/html"}

    def test_stored_forms_are_the_same_in_each_process(self, make: Any) -> None:
        source = (
            f"from socketlab.panels import {make.__name__} as P\n"
            "p = P(); b = p._repr_mimebundle_(); p.close(); print(b['text/plain'], b['text/html'])"
        )
        first, second = (
            subprocess.run(
                [sys.executable, "-c", source],
                capture_output=True, text=True, timeout=60, check=True, env={**os.environ, "PYTHONHASHSEED": seed},
            ).stdout
            for seed in "12"
        )  # fmt: skip
        assert first == second
        assert not re.search(r"127\.0\.0\.1:\d|\b0x[0-9a-f]{6,}|:\d{5}\b", first)

    def test_every_control_has_a_label(self, make: Any) -> None:
        panel = make()
        for part in walk(panel.widget):
            if part.has_trait("description") and not isinstance(part, (ipywidgets.HTML, ipywidgets.FloatProgress)):
                assert part.description or part.tooltip, part
        panel.close()

    def test_no_output_and_no_interact(self, make: Any) -> None:
        panel = make()
        assert not [part for part in walk(panel.widget) if isinstance(part, ipywidgets.Output)]
        panel.close()

    def test_is_explained(self, make: Any) -> None:
        assert len(inspect.getdoc(make) or "") > 40
        assert make.title != base.Panel.title


@every_experiment
class TestEveryExperiment:
    """Run and stopped with the controls as they stand at first."""

    def run(self, panel: Any) -> None:
        """Until there is a picture."""
        panel.run()
        until(lambda: panel._picture.value or not panel.running, "a picture")
        assert panel.result is not None, panel._finding.value

    def test_a_run_has_a_picture_and_a_finding(self, make: Any) -> None:
        panel = make()
        self.run(panel)
        until(lambda: re.sub(r"<[^>]*>", "", panel._finding.value).strip(), "a finding")
        panel.close()
        assert panel._painter.fault is None, panel._painter.fault

    def test_stopped_and_run_again(self, make: Any) -> None:
        panel = make()
        for _ in range(3):
            self.run(panel)
            panel.stop()
            assert not panel.running
        panel.close()
        assert panel._painter.fault is None, panel._painter.fault

    def test_the_cell_is_run_again_meanwhile(self, make: Any, cells: Cells) -> None:
        cells.run("a")
        first = make()
        self.run(first)
        cells.run("a")
        second = make()
        assert first.closed
        assert not first.running
        second.close()

    def test_forgotten_meanwhile(self, make: Any) -> None:
        panel = make()
        self.run(panel)
        gone = weakref.ref(panel)
        del panel
        until(lambda: gc.collect() is None or gone() is None, "nobody holds it")

    def test_says_what_to_try(self, make: Any) -> None:
        assert make.about
        assert make.hint.endswith((".", "?"))
        assert make.regions
