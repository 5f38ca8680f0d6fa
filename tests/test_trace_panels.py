"""A panel that measures while a trace is open: what it says by itself is left out, what a program says is told."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, closing

import pytest
from needs import server_of

pytest.importorskip("ipywidgets")

from socketlab import faulty_link, tcp_server, udp_server
from socketlab.experiments import recv_sizes, small_writes
from socketlab.handlers import echo, echo_datagram
from socketlab.panels import (
    BacklogPanel,
    BufferPanel,
    ConcurrencyPanel,
    FramingPanel,
    LinkPanel,
    LossPanel,
    NaglePanel,
    ReadinessPanel,
    RequestPanel,
)
from socketlab.panels.experiment import ExperimentPanel
from socketlab.trace import recorder, trace
from socketlab.trace.panels import at_the_other_end
from socketlab.trace.relays import carry

LIMIT = 10.0
TIMES = 6  # traces of the same conversation, each at another moment of the panel's own

kinds = pytest.mark.parametrize("kind", ["ipv4", "ipv6", "unix"])
every_panel = pytest.mark.parametrize(
    "make",
    [BacklogPanel, BufferPanel, ConcurrencyPanel, FramingPanel, LinkPanel, LossPanel, NaglePanel, ReadinessPanel],
)


def wait_until(condition, what):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.005)


def begin(panel):
    """A panel whose experiment is well under way."""
    panel.run()
    wait_until(lambda: panel.result is not None or not panel.running, "the panel has a result")
    return panel


class OneProbe(ExperimentPanel):
    """Sends one message through a link, and says nothing more until it is told to go on."""

    title, regions, auto = "One probe", ("nothing",), False

    def __init__(self, link):
        self.link, self.go_on = link, threading.Event()
        super().__init__([])

    def steps(self):
        return _one_probe(self.link, self.go_on)

    def picture(self, result):
        return ""

    def finding(self, result):
        return result


def _one_probe(link, go_on):
    with socket.socket(link.family) as sock:
        sock.settimeout(LIMIT)
        sock.connect(link.address)
        sock.sendall(b"probe")
        yield 0.5, "sent"
        go_on.wait(LIMIT)
        yield 1.0, sock.recv(100).decode()


def ask(family, address):
    with socket.socket(family) as client:
        client.settimeout(LIMIT)
        client.connect(address)
        client.sendall(b"hello")
        client.recv(100)
        client.shutdown(socket.SHUT_WR)
        client.recv(100)


def traced(program, *args):
    """The trace of `program`, in which nothing went wrong unnoticed."""
    with trace() as t:
        faults = recorder.current().faults
        program(*args)
    assert not faults, list(faults)
    return t


def texts_meanwhile(panels, program, *args):
    """What traces of `program` say at different moments of what the panels do."""
    found = set()
    for n in range(TIMES):
        for panel in panels:
            if not panel.running:
                panel.run()
        found.add(repr(traced(program, *args)))
        time.sleep(0.003 * n)  # no wait for anything: the next one begins at another moment
    return found


@kinds
class TestALinkUnderAPanel:
    def test_only_the_programs_own_conversation(self, kind):
        with server_of(kind, echo) as server:
            with faulty_link(server, latency=0.02) as link:
                alone = repr(traced(ask, link.family, link.address))
            with closing(begin(LinkPanel(server, latency=0.02))) as panel:
                meanwhile = texts_meanwhile([panel], ask, panel.link.family, panel.address)
                probes = panel.result.exchanges
        assert probes
        assert meanwhile == {alone}
        assert "through a link" in alone

    def test_two_panels_and_two_links_in_a_row(self, kind):
        with server_of(kind, echo) as server:
            with faulty_link(server, latency=0.01) as far, faulty_link(far, latency=0.01) as near:
                alone = repr(traced(ask, near.family, near.address))
            with (
                closing(begin(LinkPanel(server, latency=0.01))) as far,
                closing(begin(LinkPanel(far.link, latency=0.01))) as near,
            ):
                meanwhile = texts_meanwhile([far, near], ask, near.link.family, near.address)
        assert meanwhile == {alone}

    def test_nothing_where_the_program_says_nothing(self, kind):
        with server_of(kind, echo) as server, closing(begin(LinkPanel(server, latency=0.03))) as panel:
            for _ in range(TIMES):
                before = len(panel.result.exchanges)
                t = traced(wait_until, lambda n=before: len(panel.result.exchanges) > n, "the panel has said more")
                assert [(event.call, event.thread) for event in t.events] == []
                assert t.ends == ()

    def test_a_conversation_of_the_program_older_than_the_trace(self, kind):
        with server_of(kind, echo) as server, closing(begin(LinkPanel(server))) as panel:
            with socket.socket(panel.link.family) as client:
                client.settimeout(LIMIT)
                client.connect(panel.address)

                def program():
                    client.sendall(b"hello")
                    client.recv(100)

                program()
                t = traced(program)
        assert {end.name for end in t.ends} == {"client", "server"}
        assert [event.data for event in t.events if event.direction] == [b"hello"] * 4

    def test_the_program_only_begins_it(self, kind):
        with server_of(kind, echo) as server, closing(LinkPanel(server)) as panel:
            t = traced(begin, panel)
        assert list(t.events) == []

    def test_what_it_sent_before_the_trace(self, kind):
        """Its thread stands still while the trace is open; only the server is heard, and its peer was never seen."""
        with server_of(kind, echo) as server, faulty_link(server, latency=0.3) as link:
            with closing(begin(OneProbe(link))) as panel:
                t = traced(wait_until, lambda: link.stats.down.taken == 5, "the server has answered")
                panel.go_on.set()
                assert panel.wait(LIMIT)
        assert list(t.events) == []

    def test_a_panel_that_begins_and_ends_in_the_trace(self, kind):
        with server_of(kind, echo) as server, closing(LinkPanel(server)) as panel:

            def program():
                begin(panel)
                ask(panel.link.family, panel.address)
                panel.stop()

            t = traced(program)
        assert {end.name for end in t.ends} == {"client", "server", "listener"}

    def test_a_trace_does_not_wait_for_what_is_under_way_for_a_panel(self, kind):
        with server_of(kind, echo) as server, closing(begin(LinkPanel(server, latency=0.4))):
            with trace():
                known = recorder.current()
                wait_until(lambda: carry(known, set()), "a probe is under way in the link")
                wait_until(
                    lambda: carry(known, set()) and not carry(known, at_the_other_end(known.links)),
                    "nothing else is under way than what a panel has sent, or will get",
                )


class TestDatagrams:
    def test_only_the_programs_own_datagrams(self):
        def program(address):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(LIMIT)
                client.sendto(b"hello", address)
                client.recvfrom(100)

        with udp_server(echo_datagram) as server:
            with faulty_link(server, latency=0.02) as link:
                alone = repr(traced(program, link.address))
            with closing(begin(LinkPanel(server, latency=0.02))) as panel:
                meanwhile = texts_meanwhile([panel], program, panel.address)
                directly = traced(program, server.address)
        assert meanwhile == {alone}
        assert "hello" in alone
        assert "through a link" in alone
        assert {end.name for end in directly.ends if not end.link} == {"client", "server"}
        assert [event.data for event in directly.events if event.direction and not event.housekeeping] == [b"hello"] * 4


@every_panel
class TestEveryPanelThatMeasures:
    def test_a_trace_of_something_else_does_not_know_of_it(self, make):
        with tcp_server(echo) as server:
            alone = repr(traced(ask, socket.AF_INET, server.address))
            with closing(begin(make())) as panel:
                assert texts_meanwhile([panel], ask, socket.AF_INET, server.address) == {alone}

    def test_it_measures_nevertheless(self, make):
        with closing(make()) as panel:
            t = traced(lambda: begin(panel))
            assert panel.result is not None
            assert not panel._words
        assert [event for event in t.events if not event.housekeeping] == []
        assert all("panel" not in event.thread for event in t.events)


class TestThreadsOfAnExperiment:
    def test_they_are_known_where_they_are_older_than_the_trace(self):
        with closing(ConcurrencyPanel()) as panel:

            def threads_known():
                if not panel.running:
                    panel.run()
                with trace():
                    return recorder.current().links.panels_threads

            wait_until(threads_known, "a server of the experiment is met at work")


class TestManyAtOnce:
    def test_all_panels_at_once(self):
        with tcp_server(echo) as server, ExitStack() as stack:
            alone = repr(traced(ask, socket.AF_INET, server.address))
            panels = [begin(stack.enter_context(closing(make()))) for make in (LinkPanel, BufferPanel, LossPanel)]
            assert texts_meanwhile(panels, ask, socket.AF_INET, server.address) == {alone}

    def test_a_trace_within_a_trace(self):
        with tcp_server(echo) as server, closing(begin(LinkPanel(server))) as panel:
            with trace() as outer:
                inner = traced(ask, socket.AF_INET, server.address)
                ask(socket.AF_INET, panel.address)
        assert {end.name for end in inner.ends} == {"client", "server", "listener"}
        assert {end.name for end in outer.ends} == {"client 1", "server 1", "client 2", "server 2", "listener"}

    def test_a_panels_payload_does_not_use_up_the_limits(self):
        left, right = socket.socketpair()
        with left, right, closing(begin(BufferPanel())) as panel:
            with trace(events=64, payload=1000) as t:
                before = panel.result.sent
                wait_until(lambda: panel.result.sent > before + 100_000, "the panel has sent a lot")
                left.sendall(b"x" * 500)
        assert not t.stopped
        assert t.events[-1].data == b"x" * 500


class TestWhatIsNotThePanelsOwn:
    def test_a_persons_button_is_told(self):
        with closing(RequestPanel()) as panel:

            def program():
                panel.send_button.click()
                assert panel.wait()

            t = traced(program)
        assert {end.name for end in t.ends} >= {"client", "server"}
        assert any(event.thread == "panel request" for event in t.events)

    def test_an_experiment_in_a_cell_is_told_as_both_ends(self):
        t = traced(lambda: small_writes("two writes", exchanges=3))
        assert {"client", "server"} <= {end.name for end in t.ends}
        with closing(begin(NaglePanel())):
            meanwhile = traced(lambda: small_writes("two writes", exchanges=3))
        assert {end.name for end in meanwhile.ends} == {end.name for end in t.ends}
        assert [event.call for event in meanwhile.events].count("connect") == 1

    def test_and_one_with_a_link(self):
        t = traced(lambda: recv_sizes([10, 20], slice_size=4))
        assert {"client", "server"} <= {end.name for end in t.ends}
        assert any(end.link for end in t.ends)
