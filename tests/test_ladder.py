"""The load rung and its panel: real servers, real clients, a fault on the way, and servers that fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import NoReturn

import pytest

from socketlab.exercises import check
from socketlab.experiments import LadderLoad, RungLoad, draw_ladder, ladder_load, ladder_servers
from socketlab.experiments.ladder.load import DELAY, FAULTS, LOSS, NONE, PIECES, SILENT, finding, ladder_load_steps
from socketlab.panels import LadderPanel
from socketlab.panels.ladder import waits_picture

pytestmark = pytest.mark.usefixtures("nothing_left_at_once", "no_process_left")

SERVERS = ladder_servers()


def raises(listener: socket.socket, stop: socket.socket) -> NoReturn:
    raise LookupError("nothing here")


def returns(listener: socket.socket, stop: socket.socket) -> None:
    pass


def stub(listener: socket.socket, stop: socket.socket) -> NoReturn:
    raise NotImplementedError


def deaf(listener: socket.socket, stop: socket.socket) -> NoReturn:
    while True:
        with listener.accept()[0] as conn:
            while data := conn.recv(100):
                conn.sendall(data)


class TestServers:
    @pytest.mark.parametrize("name", SERVERS)
    def test_passes_its_own_check(self, name: str) -> None:
        verdict = check(name, SERVERS[name])
        assert verdict.passed, verdict.text()


class TestLoad:
    @pytest.mark.parametrize("name", SERVERS)
    def test_each_rung_answers(self, name: str) -> None:
        (load,) = ladder_load({name: SERVERS[name]}, (2,), rounds=3).loads
        assert (load.rung, load.clients, len(load.waits), load.failure) == (name, 2, 6, "")
        assert load.per_second > 0

    @pytest.mark.parametrize(
        ("name", "fault"),
        [
            ("serve_echo", SILENT),
            ("serve_echo", DELAY),
            ("serve_json", PIECES),
            ("serve_kv", LOSS),
            ("serve_blocks", LOSS),
        ],
    )
    def test_a_fault_on_the_way(self, name: str, fault: str) -> None:
        (load,) = ladder_load({name: SERVERS[name]}, (2,), fault, rounds=3).loads
        assert len(load.waits) == 6
        if fault == DELAY:
            assert load.timing.min > 0.019

    def test_a_fault_without_meaning_leaves_the_rung_out(self) -> None:
        assert ladder_load({"serve_kv": SERVERS["serve_kv"]}, (2,), PIECES, rounds=3).loads == ()

    @pytest.mark.parametrize(
        ("serve", "words"),
        [(raises, "it raised LookupError"), (returns, "it returned before"), (stub, "not attempted")],
    )
    def test_a_server_that_fails_is_told(self, serve: object, words: str) -> None:
        loads = ladder_load({"serve_echo": serve}, (1, 2), rounds=3).loads  # type: ignore[dict-item]
        assert len(loads) == 2
        assert all(words in load.failure and not load.waits for load in loads)

    def test_a_server_that_does_not_end_is_told(self) -> None:
        (load,) = ladder_load({"serve_echo": deaf}, (1,), rounds=3).loads
        assert (len(load.waits), load.failure) == (3, "it did not end when it was told to")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (({"serve_tea": stub},), "serve_tea"),
            (({"serve_echo": stub}, (0,)), "clients"),
            (({"serve_echo": stub}, (1,), "rain"), "rain"),
            (({},), "at least one"),
        ],
    )
    def test_what_makes_no_sense(self, arguments: tuple[object, ...], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            ladder_load(*arguments)  # type: ignore[arg-type]

    def test_closed_in_the_middle(self) -> None:
        steps = ladder_load_steps({"serve_echo": SERVERS["serve_echo"]}, (4,), DELAY, rounds=10_000)
        for _ in range(5):
            next(steps)
        steps.close()
        assert not [one for one in threading.enumerate() if one.name == "load rung"]


KNOWN = LadderLoad(NONE, (RungLoad("serve_echo", 4, tuple(n / 1000 for n in range(1, 101)), 2.0),))
FAILED = LadderLoad(NONE, (RungLoad("serve_echo", 4, failure="it raised LookupError"),))


class TestWords:
    def test_the_finding(self) -> None:
        assert finding(KNOWN) == "4 clients, no fault: longest p99 99 ms, echo"
        assert finding(FAILED) == "serve_echo: it raised LookupError"
        assert finding(LadderLoad(NONE)) == "Nothing has been measured yet"

    def test_the_picture(self) -> None:
        picture = draw_ladder(KNOWN, {"serve_echo": (3, 4)})
        (ax,) = picture.axes
        assert [label.get_text() for label in ax.get_yticklabels()] == ["echo  ✗ 3/4"]
        assert draw_ladder(FAILED).axes
        with pytest.raises(ValueError, match="none"):
            draw_ladder(LadderLoad(NONE))

    def test_what_has_not_been_measured(self) -> None:
        with pytest.raises(KeyError):
            KNOWN.of("serve_echo", 5)


@pytest.fixture
def panel() -> Iterator[LadderPanel]:
    panel = LadderPanel()
    yield panel
    panel.close()


class TestPanel:
    def test_a_run(self, panel: LadderPanel) -> None:
        panel.clients.value = 2
        panel.run()
        assert panel.wait(30)
        assert "echo, 2 clients: half of the answers" in panel.finding(panel.result)

    def test_a_fault_that_is_none(self, panel: LadderPanel) -> None:
        panel.fault.value = LOSS
        panel.run()
        panel._draw()
        assert "nothing that happens to streams" in panel._finding.value

    def test_stop_in_the_middle(self, panel: LadderPanel) -> None:
        panel.fault.value = DELAY
        panel.run()
        panel.stop()
        assert not panel.running

    def test_own_servers(self) -> None:
        panel = LadderPanel({"serve_echo": raises})
        try:
            panel.run()
            assert panel.wait(30)
            assert panel.finding(panel.result) == "echo, 8 clients: it raised LookupError."
            assert panel.picture(panel.result) == ""
        finally:
            panel.close()

    def test_words_and_picture(self, panel: LadderPanel) -> None:
        assert "p99 99 ms; 50 answers per second" in panel.finding(KNOWN)
        assert "p99" in waits_picture(KNOWN)
        assert all(name in panel.snapshot() for name in ("Rung", "Clients", "Fault"))
        assert set(FAULTS) >= {NONE, SILENT}
