"""The concurrency panel without a browser: its controls, what it draws and says, and its end in the middle of a run."""

from __future__ import annotations

import re
import threading

import pytest
from patience import until

from socketlab.experiments.clients.by_clients import Ask, LatencyByClients, Load
from socketlab.experiments.clients.models import MODELS
from socketlab.experiments.clients.serving import COMPUTES, SLEEPS
from socketlab.panels import ConcurrencyPanel
from socketlab.panels.concurrency import CLIENTS, COSTS
from socketlab.panels.drawing.served import clients_picture

pytestmark = pytest.mark.usefixtures("nothing_left_at_once", "no_process_left")


@pytest.fixture
def panel():
    panel = ConcurrencyPanel()
    yield panel
    panel.close()


def choose(panel, *names: str) -> None:
    """Tick these models alone, with little work, and measure."""
    panel.cost.value, panel.clients.value = 0.001, 4
    for name, box in panel.models.items():
        box.value = name in names


def measured(panel) -> LatencyByClients:
    assert panel.wait(30), "the run goes on"
    assert panel.result is not None, panel._words
    return panel.result


class TestControls:
    def test_nothing_runs_before_somebody_asks(self, panel):
        assert panel.result is None
        assert not panel.running

    @pytest.mark.parametrize("name", [name for name, model in MODELS.items() if not model.lacking()])
    def test_each_model_is_measured(self, panel, name):
        choose(panel, name)
        panel.run()
        (load,) = measured(panel).loads
        assert (load.model, load.clients, len(load.asks)) == (name, 4, 4)

    def test_two_models_side_by_side(self, panel):
        choose(panel, "one at a time", "selectors loop")
        panel.run()
        assert measured(panel).models == ("one at a time", "selectors loop")

    def test_clients_and_handler(self, panel):
        choose(panel, "one at a time")
        panel.clients.value, panel.cost.value, panel.kind.value = 2, 0.01, COMPUTES
        result = measured(panel)
        assert (result.cost, result.kind, result.loads[0].clients) == (0.01, COMPUTES, 2)

    def test_no_tick_is_told_in_the_panel(self, panel):
        choose(panel)
        panel.run()
        assert not panel.running
        panel._draw()
        assert "Tick at least one model." in panel._finding.value

    def test_the_sliders_reach_only_what_takes_seconds(self):
        assert max(COSTS) * max(CLIENTS) < 5

    def test_every_control_has_a_label_and_a_tooltip(self, panel):
        for control in (*panel.models.values(), panel.clients, panel.cost, panel.kind):
            assert control.description
            assert control.tooltip

    def test_a_model_that_the_platform_lacks(self, monkeypatch):
        monkeypatch.setattr(MODELS["4 processes"], "lacking", classmethod(lambda cls: "no fork here"))
        panel = ConcurrencyPanel()
        try:
            assert panel.models["4 processes"].disabled
            assert panel.models["4 processes"].tooltip == "no fork here"
        finally:
            panel.close()


class TestEnd:
    def test_stop_in_the_middle_leaves_the_result_so_far_and_nothing_else(self, panel):
        choose(panel, "selectors loop", "one at a time")
        panel.clients.value, panel.cost.value = 64, 0.05
        until(lambda: panel.result is not None, "a result so far", seconds=20)
        panel.stop()
        assert not panel.running
        assert len(panel.result.loads) <= 2
        assert not [thread for thread in threading.enumerate() if thread.name in MODELS]

    def test_a_new_run_ends_the_one_before(self, panel):
        choose(panel, "one at a time")
        panel.clients.value, panel.cost.value = 64, 0.05
        panel.clients.value = 2
        assert measured(panel).loads[0].clients == 2

    def test_close_in_the_middle(self, panel):
        panel.run()
        panel.close()
        assert not panel.running


def known(model: str, servers: list[str]) -> Load:
    rows = enumerate(servers, 1)
    return Load(
        model, len(servers), tuple(Ask(n, who, 0.0, 0.01 * n, 0.01 * n + 0.01, 0.01 * n + 0.01) for n, who in rows)
    )


ONE, POOL = known("one at a time", ["thread 1"] * 3), known("pool of 8 threads", ["thread 1", "thread 2", "thread 1"])
KNOWN = LatencyByClients(0.01, SLEEPS, (ONE, POOL), (("4 processes", "no <fork> here"),))


class TestWords:
    """Pure functions of a result."""

    def test_the_finding(self, panel):
        assert panel.finding(KNOWN) == (
            "3 clients at once, the handler sleeps 10 ms. The last has its answer after: "
            "one at a time 40 ms (3 × 10 ms of work), pool of 8 threads 40 ms (1 × 10 ms of work). "
            "No 4 processes: no <fork> here."
        )

    def test_without_work(self, panel):
        assert "the handler does nothing" in panel.finding(LatencyByClients(0.0, SLEEPS, (ONE,)))
        assert "of work" not in panel.finding(LatencyByClients(0.0, SLEEPS, (ONE,)))

    def test_before_the_first_model_has_answered(self, panel):
        nothing = LatencyByClients(0.01, SLEEPS)
        assert "Starting the clients" in panel.finding(nothing)
        assert panel.picture(nothing) == ""

    def test_a_row_for_each_client_and_a_block_for_each_model(self):
        picture = clients_picture(KNOWN)
        words = re.findall('font-weight="600">([^<]+)</tspan>([^<]+)<', picture)
        assert words == [
            ("one at a time", ": p50 30 ms, p99 40 ms, served by 1 thread"),
            ("pool of 8 threads", ": p50 30 ms, p99 40 ms, served by 2 threads"),
        ]
        waits, works, *_ = [path.count("M") for path in re.findall(r'<path d="(M[^V"]+H[^V"]+)"', picture)][2:]
        assert (waits, works) == (3, 3)

    def test_bars_of_different_threads_differ(self):
        colours = set(
            re.findall('stroke="(#[0-9a-f]{6})" stroke-width', clients_picture(KNOWN).partition('viewBox="0 0 900')[2])
        )
        assert len(colours) == 2

    def test_what_it_shows_is_inside(self):
        picture = clients_picture(KNOWN)
        width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)" role', picture).groups())
        moves = re.findall(r"M([\d.]+) ([\d.]+)H([\d.]+)", picture)
        assert moves
        assert all(float(x) <= float(to) <= width and float(y) <= height for x, y, to in moves)

    def test_a_reader_without_eyes(self):
        assert 'aria-label="one at a time: p50 30 ms, p99 40 ms, served by 1 thread; pool' in clients_picture(KNOWN)

    def test_the_static_picture(self, panel):
        assert all(name in panel.snapshot() for name in MODELS)
        assert repr(panel) == "<Concurrency panel>"
