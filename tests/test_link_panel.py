"""The link panel without a browser: sliders and link, in both directions; bad values and bad luck; a real kernel."""

from __future__ import annotations

import errno
import gc
import html
import math
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import patience
import psutil
import pytest
from kernel_driver import Kernel

from socketlab import faulty_link, tcp_server, udp_server
from socketlab.experiments.through_link.probe import LinkProbe
from socketlab.experiments.through_link.talk import Event, Exchange
from socketlab.handlers import daytime, echo
from socketlab.links import PRESETS, Bytes, DatagramFaults, StreamFaults, StreamStats
from socketlab.panels import LinkPanel
from socketlab.panels.links.faders import DATAGRAM, STREAM, Range
from socketlab.panels.links.pictures import link_picture

until = partial(patience.until, seconds=8.0)

KINDS = {"TCP": (STREAM, StreamFaults), "UDP": (DATAGRAM, DatagramFaults)}
FADERS = [pytest.param(kind, one, id=f"{kind}-{one.name}") for kind, (ranges, _) in KINDS.items() for one in ranges]


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> None:
    if "kernel" not in request.fixturenames:  # ZeroMQ keeps descriptors from its first use on
        request.getfixturevalue("nothing_left")


@pytest.fixture
def make() -> Iterator[Any]:
    """Makes panels, and closes them whatever becomes of the test."""
    made: list[LinkPanel] = []

    def make(*target: Any, **settings: Any) -> LinkPanel:
        made.append(LinkPanel(*target, **settings))
        return made[-1]

    yield make
    for panel in made:
        panel.close()
        assert panel._painter.fault is None


@pytest.fixture
def panel(make: Any) -> LinkPanel:
    panel: LinkPanel = make()
    return panel


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def shows(panel: LinkPanel, *words: str) -> None:
    for text in words:
        until(lambda text=text: text in panel._finding.value + panel._picture.value, f"{text!r} is shown")


def from_browser(widget: Any, **state: Any) -> None:
    """A message as JupyterLab sends it, dealt with as it comes out of the comm."""
    data = {"method": "update", "state": state, "buffer_paths": []}
    widget._handle_msg({"content": {"comm_id": widget.model_id, "data": data}, "buffers": []})


def talk(panel: LinkPanel, data: bytes = b"hello") -> bytes:
    with socket.create_connection(panel.address, 10) as client:
        client.sendall(data)
        return client.recv(100)


class TestSliders:
    def test_every_fault_has_one(self, kind: str) -> None:
        ranges, faults = KINDS[kind]
        assert sorted(one.name for one in ranges) == sorted(faults.CHECKS)
        assert {one.name for one in ranges if one.off} == {n for n, (_, off) in faults.CHECKS.items() if off is None}

    @pytest.mark.parametrize(("kind", "one"), FADERS)
    def test_moves_the_link(self, make: Any, kind: str, one: Range) -> None:
        panel = make(datagrams=kind == "UDP")
        fader = panel.faders[kind][one.name]
        low, high = (10**one.low, 10**one.high) if one.log else (one.low, one.high)
        for shown in (high, (low + high) / 2, low):  # both ends: what can be reached, the link takes
            from_browser(fader.slider, value=shown)
            assert getattr(panel.link, one.name) == pytest.approx(one.to_link(shown))
            assert fader.slider.value == pytest.approx(shown)
        assert panel.running
        panel.close()

    @pytest.mark.parametrize(("kind", "one"), FADERS)
    def test_follows_the_link(self, make: Any, kind: str, one: Range) -> None:
        panel = make(datagrams=kind == "UDP")
        fader = panel.faders[kind][one.name]
        shown = 1000.0 if one.log else one.high / 4
        setattr(panel.link, one.name, one.to_link(shown))
        assert fader.slider.value == pytest.approx(shown)
        panel.link.clear()
        nothing = KINDS[kind][1].CHECKS[one.name][1]
        assert getattr(panel.link, one.name) == nothing
        assert fader.value == nothing
        assert not panel.running, "what a cell sets begins no run"
        panel.close()

    @pytest.mark.parametrize(("kind", "one"), FADERS)
    def test_cannot_reach_what_is_absurd(self, make: Any, kind: str, one: Range) -> None:
        panel = make(datagrams=kind == "UDP")
        slider = panel.faders[kind][one.name].slider
        for absurd in (1e12, -1e12, math.inf, -math.inf):
            from_browser(slider, value=absurd)
            assert slider.min <= (math.log10(slider.value) if one.log else slider.value) <= slider.max
            assert math.isfinite(getattr(panel.link, one.name))
        panel.close()

    def test_a_value_that_no_slider_has_stands_in_the_panel(self, panel: LinkPanel) -> None:
        from_browser(panel.faders["TCP"]["latency"].slider, value=math.nan)
        shows(panel, "latency must be a number from 0 to 3600 seconds, not nan")
        assert panel.link.latency == panel.faders["TCP"]["latency"].slider.value == 0
        from_browser(panel.faders["TCP"]["limit_data"].slider, value=math.nan)
        shows(panel, "limit_data must be a whole number of bytes from 0 to 2**40, or None, not float nan")
        assert panel.link.limit_data is None
        from_browser(panel.faders["TCP"]["latency"].slider, value=50)
        until(lambda: "must be" not in panel._finding.value, "the next value is good")
        assert panel.link.latency == 0.05

    def test_what_a_cell_sets_beyond_the_end(self, panel: LinkPanel) -> None:
        panel.link.latency = 3600
        slider = panel.faders["TCP"]["latency"].slider
        assert slider.value == slider.max
        assert panel.link.latency == 3600
        panel.link.jitter = 0.1
        assert panel.link.latency == 3600

    @pytest.mark.parametrize(("name", "value"), [("bandwidth", 375_000.0), ("latency", 0.10026), ("slice_size", 1377)])
    def test_the_browser_moves_it_to_a_step_and_that_is_nobodys_wish(
        self, panel: LinkPanel, name: str, value: float
    ) -> None:
        setattr(panel.link, name, value)
        slider = panel.faders["TCP"][name].slider
        if name == "latency":
            step, nearest = slider.step, round(slider.value / slider.step) * slider.step
        else:
            step, nearest = 0, 10 ** (round(math.log10(slider.value) / slider.step) * slider.step)
        assert nearest != slider.value
        from_browser(slider, value=nearest)
        assert getattr(panel.link, name) == value
        assert not panel.preset.value
        from_browser(slider, value=nearest + step if step else nearest * 10**slider.step)  # and this is somebody's
        assert getattr(panel.link, name) != value

    def test_one_message_there_and_none_back(self, panel: LinkPanel, monkeypatch: pytest.MonkeyPatch) -> None:
        """No loop: a slider that was moved is not moved again by its own effect."""
        sent: list[Any] = []
        slider = panel.faders["TCP"]["latency"].slider
        monkeypatch.setattr(type(slider), "send_state", lambda self, key=None: sent.append((self, key)))
        heard = []
        slider.observe(lambda change: heard.append(change["new"]), names="value")
        from_browser(slider, value=123.0)
        assert heard == [123.0]
        assert not [key for widget, key in sent if widget is slider]

    def test_a_switch(self, panel: LinkPanel) -> None:
        fader = panel.faders["TCP"]["timeout"]
        assert panel.link.timeout is None
        from_browser(fader.switch, value=True)
        assert panel.link.timeout == fader.slider.value == 3
        from_browser(fader.slider, value=0)  # never closes, but nothing passes: not the same as off
        assert panel.link.timeout == 0
        from_browser(fader.switch, value=False)
        assert panel.link.timeout is None
        from_browser(fader.slider, value=5)
        assert panel.link.timeout == 5
        assert fader.switch.value

    def test_directions(self, panel: LinkPanel) -> None:
        slider = panel.faders["TCP"]["latency"].slider
        panel.direction.value = "down"
        from_browser(slider, value=80)
        assert (panel.link.up.latency, panel.link.down.latency) == (0, 0.08)
        panel.direction.value = "up"
        assert slider.value == 0
        from_browser(slider, value=40)
        assert panel.link.latency == (0.04, 0.08)
        panel.link.down.latency = 0.3
        assert slider.value == 40
        panel.direction.value = "down"
        assert slider.value == 300
        panel.direction.value = "both"
        from_browser(slider, value=10)
        assert panel.link.latency == 0.01

    def test_from_many_threads(self, panel: LinkPanel) -> None:
        """A browser drags while a cell sets: at the end all three say the same."""
        fader = panel.faders["TCP"]["latency"]

        def cell() -> None:
            for n in range(200):
                panel.link.latency = n / 1000

        thread = threading.Thread(target=cell)
        thread.start()
        for n in range(200):
            from_browser(fader.slider, value=float(n))
        thread.join(10)
        assert not thread.is_alive()
        panel.link.latency = 0.7
        assert fader.slider.value == 700


class TestPresets:
    @pytest.mark.parametrize("name", PRESETS)
    def test_sets_all_and_says_its_source(self, make: Any, name: str, kind: str) -> None:
        panel = make(datagrams=kind == "UDP")
        panel.link.jitter = 0.777
        panel.preset.value = name
        wanted = PRESETS[name].datagrams if kind == "UDP" else dict(PRESETS[name])
        up, down = wanted.pop("up", {}), wanted.pop("down", {})
        with faulty_link(panel._server, **wanted, up=up, down=down) as other:
            assert panel.link.up.as_dict() == other.up.as_dict()
            assert panel.link.down.as_dict() == other.down.as_dict()
        assert panel.preset.value == name
        assert html.escape(PRESETS[name].source) in panel.source.value
        from_browser(panel.faders[kind]["jitter"].slider, value=500)
        assert (panel.preset.value, "sl-plain" in panel.source.value) == ("", True)
        panel.close()

    def test_knows_one_that_a_cell_has_set(self, panel: LinkPanel) -> None:
        panel.link.latency = PRESETS["another_continent"]["latency"]
        assert panel.preset.value == "another_continent"
        assert html.escape(PRESETS["another_continent"].source) in panel.source.value

    def test_what_waits_does_not_slip_through_between_two(self, panel: LinkPanel) -> None:
        panel.preset.value = "another_continent"
        seen: list[float] = []
        panel.link.up.heard_by(lambda: seen.append(panel.link.up.latency))
        panel.preset.value = "satellite"
        assert seen == [0.3]

    def test_nothing_wrong(self, panel: LinkPanel) -> None:
        panel.preset.value = "train_ride"
        panel.clear_button.click()
        assert panel.link.up.perfect
        assert panel.link.down.perfect
        assert panel.preset.value == "loopback"


class TestConversation:
    def test_nothing_runs_before_it_is_asked(self, panel: LinkPanel) -> None:
        assert not panel.running
        assert panel.link.accepted == 0
        shows(panel, "Press Run")

    def test_a_slider_is_seen_before_the_first_answer_that_it_delays(self, panel: LinkPanel) -> None:
        panel.run()
        until(lambda: panel.result is not None and panel.result.answered, "it runs")
        panel.link.latency = 1000
        shows(panel, "<b>latency 1,000 s</b>", "latency asked for, both ways: 2,000 s")

    def test_cells_talk_through_the_same_sliders(self, panel: LinkPanel) -> None:
        assert panel.address == panel.link.address
        assert talk(panel) == b"hello"
        until(lambda: panel.link.stats.down.passed == 5, "counted")
        from_browser(panel.faders["TCP"]["latency"].slider, value=100)
        begin = time.monotonic()
        assert talk(panel) == b"hello"
        assert time.monotonic() - begin >= 0.2
        shows(panel, "bytes taken")

    def test_another_protocol(self, panel: LinkPanel) -> None:
        first, server = panel.link, panel._server
        first.latency = 0.05
        panel.protocol.value = "UDP"
        assert panel.running
        assert (first.closed, server.closed) == (True, True)
        assert panel.link.latency == 0.05
        assert panel.faders["UDP"]["latency"].slider.value == 50
        until(lambda: panel.result is not None and panel.result.datagrams and panel.result.answered, "datagrams")
        shows(panel, "datagrams taken")
        from_browser(panel.faders["UDP"]["loss"].slider, value=100)
        shows(panel, "<b>loss 100 %, latency 50 ms</b>", "were lost")
        panel.protocol.value = "TCP"
        until(lambda: panel.result is not None and not panel.result.datagrams and panel.result.answered, "connections")

    def test_buttons_of_which_none_is_pressed(self, panel: LinkPanel) -> None:
        """No page sends that, but a message may: what was chosen before goes on, and sliders act."""
        for buttons in (panel.protocol, panel.direction):
            from_browser(buttons, index=None)
        from_browser(panel.faders["TCP"]["latency"].slider, value=50)
        assert (panel.link.up.latency, panel.link.down.latency) == (0.05, 0.05)
        panel.seed.value = 7
        assert (panel.link.closed, panel.link.latency) == (False, 0.05)

    def test_another_seed_is_another_link_with_the_same_faults(self, panel: LinkPanel) -> None:
        first, panel.link.jitter = panel.link, 0.25
        panel.seed.value = 7
        assert first.closed
        assert panel.link._relay.seed == 7
        assert panel.link.jitter == 0.25
        assert panel.faders["TCP"]["jitter"].slider.value == 250
        panel.link.jitter = 0.1
        assert panel.faders["TCP"]["jitter"].slider.value == 100
        assert talk(panel) == b"hello"

    def test_it_begins_with_faults(self, make: Any) -> None:
        panel = make(latency=0.1, down={"bandwidth": 1e5}, seed=3)
        assert panel.faders["TCP"]["latency"].slider.value == 100
        assert not panel.faders["TCP"]["bandwidth"].switch.value
        panel.direction.value = "down"
        assert panel.faders["TCP"]["bandwidth"].slider.value == 100
        assert panel.faders["TCP"]["bandwidth"].switch.value
        assert panel.seed.value == 3
        panel.close()

    def test_stop_and_run_again(self, panel: LinkPanel) -> None:
        for _ in range(3):
            panel.run()
            until(lambda: panel.result is not None and panel.result.answered, "it runs")
            panel.stop()
            assert not panel.running
        until(lambda: panel.link.stats.live == 0, "its connections are closed")

    def test_forgotten_while_it_runs(self) -> None:
        panel = LinkPanel()
        panel.run()
        link, found = panel.link, weakref.ref(panel)
        until(lambda: (one := found()) is not None and one.result is not None, "it runs")
        del panel
        until(lambda: gc.collect() is None or not any(t.name == "panel Link" for t in threading.enumerate()), "it ends")
        until(lambda: link.stats.live == 0, "its connections are closed")
        link.close()


class TestTargets:
    def test_a_server(self, make: Any) -> None:
        with tcp_server(echo) as server:
            panel = make(server, latency=0.01)
            assert talk(panel) == b"hello"
            assert panel.protocol.disabled
            panel.close()
            assert not server.closed
            assert server.accepted == 1

    def test_an_address(self, make: Any) -> None:
        with tcp_server(echo) as server:
            panel = make(server.address)
            assert talk(panel) == b"hello"
            panel.close()

    @pytest.mark.parametrize("by_address", [True, False])
    def test_datagrams(self, make: Any, by_address: bool) -> None:
        with udp_server(echo) as server:
            panel = make(server.address, datagrams=True) if by_address else make(server)
            assert panel.protocol.value == "UDP"
            panel.run()
            until(lambda: panel.result is not None and panel.result.answered, "datagrams come back")
            panel.seed.value = 5
            until(lambda: panel.running and panel.result is not None and panel.result.answered, "and again")
            panel.close()

    def test_another_panels_link(self, make: Any, panel: LinkPanel) -> None:
        second = make(panel.link)
        panel.link.latency = 0.03
        second.link.latency = 0.04
        begin = time.monotonic()
        assert talk(second) == b"hello"
        assert time.monotonic() - begin >= 0.14
        second.close()

    def test_two_on_one_server(self, make: Any) -> None:
        with tcp_server(echo) as server:
            left, right = make(server), make(server)
            for panel in (left, right):
                panel.run()
            from_browser(left.faders["TCP"]["timeout"].slider, value=0)
            until(lambda: left.result is not None and len(left.result.waiting) > 3, "the left one stalls")
            until(lambda: right.result is not None and right.result.answered, "the right one does not")
            assert right.link.up.perfect
            left.close()
            assert talk(right) == b"hello"
            right.close()

    @pytest.mark.parametrize(
        ("faults", "error", "words"),
        [
            ({"latency": -1}, ValueError, "latency must be a number from 0 to 3600 seconds, not -1"),
            ({"latency": math.nan}, ValueError, "latency must be a number from 0 to 3600 seconds, not nan"),
            ({"bandwidth": 0}, ValueError, "bandwidth must be a number from 1 to .* bytes per second, or None, not 0"),
            ({"slice_size": "big"}, ValueError, "slice_size must be a whole number of bytes .*, not str 'big'"),
            ({"loss": 0.5}, TypeError, "a link for connections has no fault 'loss'"),
            ({"datagrams": True, "loss": 1.5}, ValueError, "loss must be a number from 0 to 1, not 1.5"),
            ({"seed": "x"}, TypeError, "seed must be an int"),
            ({"target": ("192.0.2.1", 80)}, ValueError, "not a loopback address"),
            ({"target": 8000}, TypeError, "the target of a link is a server, or the address of one"),
        ],
    )
    def test_bad_arguments(self, faults: Any, error: Any, words: str) -> None:
        with pytest.raises(error, match=words):
            LinkPanel(**faults)


class TestBadLuck:
    def test_nobody_at_the_target(self, make: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            address = nobody.getsockname()
        panel = make(address)
        panel.run()
        shows(panel, "The target refused: Connection refused.", "refused</text>")
        assert panel.running
        panel.close()

    def test_the_target_dies(self, make: Any) -> None:
        with tcp_server(echo) as server:
            panel = make(server)
            panel.run()
            until(lambda: panel.result is not None and panel.result.answered, "it runs")
            server.close()
            shows(panel, "The target refused: Connection refused.")
            panel.close()

    def test_a_target_that_does_not_echo(self, make: Any) -> None:
        with tcp_server(daytime) as server:
            panel = make(server)
            panel.run()
            shows(panel, "the target does not echo")
            panel.close()

    def test_the_link_is_closed_under_it(self, panel: LinkPanel) -> None:
        panel.run()
        until(lambda: panel.result is not None and panel.result.answered, "it runs")
        panel.link.close()
        shows(panel, "The link is closed: whoever connects there is refused.")
        until(lambda: not panel.running, "it ends")
        panel.run()  # that makes another one
        until(lambda: panel.running and panel.result is not None and panel.result.answered, "it runs again")
        from_browser(panel.faders["TCP"]["latency"].slider, value=20)
        assert panel.link.latency == 0.02
        assert talk(panel) == b"hello"

    def test_a_slider_of_a_closed_link(self, panel: LinkPanel) -> None:
        panel.link.close()
        from_browser(panel.faders["TCP"]["latency"].slider, value=20)
        until(lambda: panel.running, "moving it makes another link, with that fault")
        assert not panel.link.closed
        assert panel.link.latency == 0.02

    def test_its_own_server_is_closed_under_it(self, panel: LinkPanel) -> None:
        panel._server.close()
        panel.run()
        until(lambda: panel.result is not None and panel.result.answered, "there is another one")

    def test_closed_with_bytes_in_the_link(self, panel: LinkPanel) -> None:
        panel.run()
        panel.link.latency = 3600
        until(lambda: panel.link.stats.up.pending > 0, "bytes wait")
        link = panel.link
        panel.close()
        stats = link.stats.up
        assert (stats.pending, stats.taken) == (0, stats.passed + stats.swallowed + stats.discarded)

    def test_closed_while_sliders_move(self, make: Any) -> None:
        panel = make()
        panel.run()
        thread = threading.Thread(target=panel.close)
        thread.start()
        for n in range(100):
            panel.link.latency = n / 1000
        thread.join(10)
        assert not thread.is_alive()
        assert panel.link.closed
        assert not panel.running


class TestPicture:
    """Pure: a result in, HTML out."""

    def probe(self, **given: Any) -> LinkProbe:
        faults = StreamFaults().as_dict()
        nothing: dict[str, Any] = {"exchanges": (), "events": (), "recvs": (), "ends": ()}
        stats = StreamStats(1, 1, Bytes(9000, 5000, 400, 3000, 600), Bytes(1, 1))
        return LinkProbe(
            **{"datagrams": False, "seconds": 20.0, **nothing, "up": faults, "down": faults, "stats": stats, **given}
        )

    def test_the_bytes_of_both_directions(self) -> None:
        probe = self.probe()
        page = link_picture(probe, probe.up, probe.down)
        for words in ("up: <b>9,000</b> bytes taken", "<b>5,000</b> passed", "<b>400</b> pending",
                      "<b>3,000</b> swallowed", "<b>600</b> discarded", "down: <b>1</b> bytes taken"):  # fmt: skip
            assert words in page

    def test_events_have_words_and_what_broke_comes_first(self) -> None:
        events = [Event(19.0 + n / 100, "fault", f"latency {n} ms") for n in range(50)]
        events.append(Event(19.6, "reset", "recv: Connection reset by peer"))
        probe = self.probe(events=tuple(events))
        page = link_picture(probe, probe.up, probe.down)
        assert ">reset</text>" in page
        assert page.count("latency ") < 5, "words stand one over the other"

    def test_what_will_never_be_answered(self) -> None:
        lost = Exchange(15.0, 512, None, None, (), "reset")
        probe = self.probe(exchanges=(lost, Exchange(16.0, 512, 16.1, 16.2, (500, 12), "")))
        page = link_picture(probe, probe.up, probe.down)
        assert "never answered" in page
        assert probe.finding() == (
            "An answer takes 200 ms and comes in 2 recvs (median). 1 message of the last 15 s will never be answered."
        )

    def test_the_faults_of_this_moment(self) -> None:
        probe = self.probe()
        page = link_picture(probe, {**probe.up, "timeout": 0.0, "latency": 0.25}, probe.down)
        assert "Wrong on the way up: <b>latency 250 ms, timeout 0 ms</b>; down: <b>nothing</b>" in page
        assert "latency asked for, both ways: 250 ms" in page
        assert "latency asked for, both ways: none" in link_picture(probe, probe.up, probe.down)
        assert "up latency 250 ms …" in page  # at the right edge, where the present is

    def test_it_fits_into_a_message_at_five_a_second(self) -> None:
        exchanges = tuple(Exchange(5 + n / 10, 512, 5.1 + n / 10, 5.2 + n / 10, (512,), "") for n in range(150))
        recvs = tuple((5 + n / 40, 30) for n in range(400))
        probe = self.probe(exchanges=exchanges, recvs=recvs)
        assert len(link_picture(probe, probe.up, probe.down)) < 100_000


CELL = """
from socketlab.panels import LinkPanel
panel = LinkPanel()
panel.run()
panel
"""

ANSWERS = """
import time
limit = time.monotonic() + 10
before = panel.result.seconds if panel.result else 0
while not (panel.running and panel.result and panel.result.seconds > before and panel.result.answered):
    assert time.monotonic() < limit, panel.result
    time.sleep(0.01)
"""


class TestKernel:
    """With a conversation under way in a real kernel."""

    @pytest.fixture
    def kernel(self, tmp_path: Path) -> Iterator[Kernel]:
        kernel = Kernel(tmp_path)
        yield kernel
        kernel.close()

    def start(self, kernel: Kernel) -> set[tuple[str, int]]:
        own = kernel.listening()
        assert kernel.finish(kernel.send(CELL, "cell")).status == "ok"
        return kernel.listening() - own

    def test_the_cell_again(self, kernel: Kernel) -> None:
        first = self.start(kernel)
        assert len(first) == 2  # the link and its server
        assert kernel.finish(kernel.send("import gc; gc.collect()")).status == "ok"
        kernel.mark()
        for outcome in [kernel.finish(kernel.send(CELL, "cell")) for _ in range(5)]:
            assert (outcome.status, outcome.stderr) == ("ok", "")
        assert not kernel.listening() & first
        assert kernel.panels() == ["<Link panel>"]
        assert not kernel.growth()

    def test_interrupted_it_goes_on(self, kernel: Kernel) -> None:
        self.start(kernel)
        running = kernel.send("print(1, flush=True)\nwhile True: pass")
        kernel.wait_for_print(running)
        kernel.interrupt()
        assert kernel.finish(running).interrupted
        assert kernel.finish(kernel.send(ANSWERS)).status == "ok"

    @pytest.mark.parametrize("now", [False, True], ids=["as JupyterLab does", "killed"])
    def test_restarted(self, kernel: Kernel, now: bool) -> None:
        ports = self.start(kernel)
        old = psutil.Process(kernel.pid)
        kernel.restart(now=now)
        assert not old.is_running()
        for address in ports:
            with socket.socket() as again:
                assert again.connect_ex(address) == errno.ECONNREFUSED  # not bind(): its connections are in TIME_WAIT
        assert len(self.start(kernel)) == 2
