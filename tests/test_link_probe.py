"""A conversation through a faulty link: what each fault looks like to the program at its end."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from socketlab import faulty_link, tcp_server, udp_server, unix_server
from socketlab.experiments.through_link.probe import LinkProbe, draw_link_probe, link_probe, link_probe_steps
from socketlab.experiments.through_link.talk import CHANGED, CLOSED, KEPT, LOST, RESET, WAITING
from socketlab.experiments.through_link.words import changes_in_words, fault_text
from socketlab.handlers import daytime, discard, echo
from socketlab.links import DatagramFaults, StreamFaults

pytestmark = pytest.mark.usefixtures("nothing_left")

KINDS = ("ipv4", "ipv6", "unix", "udp")
LIMIT = 20.0  # s for what takes a tenth of a second


@pytest.fixture(params=KINDS)
def link(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A link with nothing wrong in front of an echo server of each kind."""
    if request.param == "ipv6" and not request.getfixturevalue("has_ipv6"):
        pytest.skip("no IPv6 here")
    if request.param == "unix" and not hasattr(socket, "AF_UNIX"):
        pytest.skip("no Unix sockets here")
    family = socket.AF_INET6 if request.param == "ipv6" else socket.AF_INET
    with (
        {
            "unix": lambda: unix_server(echo),
            "udp": lambda: udp_server(echo),
        }.get(request.param, lambda: tcp_server(echo, family=family))() as server,
        faulty_link(server) as link,
    ):
        yield link


@pytest.fixture
def tcp() -> Iterator[Any]:
    with tcp_server(echo) as server, faulty_link(server) as link:
        yield link


@pytest.fixture
def udp() -> Iterator[Any]:
    with udp_server(echo) as server, faulty_link(server) as link:
        yield link


def watch(steps: Any, *milestones: Callable[[LinkProbe], Any]) -> LinkProbe:
    """Go through `steps` until each of `milestones` has been met, one after the other; the last result."""
    deadline = time.monotonic() + LIMIT
    left = list(milestones)
    for _, result in steps:
        while left and left[0](result):
            left.pop(0)
        if not left:
            return result
        assert time.monotonic() < deadline, f"waited in vain: {result.finding()} {result.events}"
    raise AssertionError("the conversation ended")


def settled(count: int) -> Callable[[LinkProbe], bool]:
    return lambda probe: len(probe.answered) >= count


class TestEveryKind:
    def test_answers_come_whole(self, link: Any) -> None:
        with closing(link_probe_steps(link, every=0.01)) as steps:
            probe = watch(steps, settled(40))
        assert {one.end for one in probe.exchanges} <= {"", WAITING}
        assert all(sum(one.sizes) == one.size == 512 for one in probe.answered)
        assert all(one.sent <= one.first <= one.last for one in probe.answered)
        assert probe.stats.up.taken >= 40 * (1 if probe.datagrams else 512)
        assert not probe.failed
        assert not probe.events

    def test_a_latency_is_in_both_directions(self, link: Any) -> None:
        link.latency = 0.1
        with closing(link_probe_steps(link)) as steps:
            probe = watch(steps, settled(5))
        assert all(one.took >= 0.2 for one in probe.answered)

    def test_messages_do_not_wait_for_one_another(self, link: Any) -> None:
        link.latency = 0.3
        with closing(link_probe_steps(link, every=0.05)) as steps:
            probe = watch(steps, lambda probe: len(probe.waiting) > 3)
        assert len(probe.waiting) <= 16 or probe.datagrams

    def test_a_change_lets_go_what_waits(self, link: Any) -> None:
        link.latency = 1000
        with closing(link_probe_steps(link)) as steps:
            watch(steps, lambda probe: len(probe.waiting) > 3)
            link.clear()
            probe = watch(steps, lambda probe: len(probe.answered) > 5)
        assert [(event.what, event.words) for event in probe.events] == [("fault", "latency 0 ms")]

    def test_a_dragged_slider_is_one_change(self, link: Any) -> None:
        with closing(link_probe_steps(link)) as steps:
            for n in range(1, 11):
                link.latency = n / 1000
                next(steps)
            link.down.jitter = 0.001
            _, probe = next(steps)
        assert [event.words for event in probe.events] == ["latency 10 ms", "down jitter 1 ms"]

    def test_a_closed_link_ends_it(self, link: Any) -> None:
        with closing(link_probe_steps(link)) as steps:
            watch(steps, settled(3))
            link.close()
            *_, (_, probe) = steps
        assert probe.closed
        assert "The link is closed" in probe.finding()
        with pytest.raises(ValueError, match="this link is closed"):
            link_probe_steps(link)

    def test_closing_it_at_any_step_leaves_nothing(self, link: Any) -> None:
        for count in range(4):
            with closing(link_probe_steps(link)) as steps:
                for _ in range(count):
                    next(steps)

    def test_answers_at_once_to_stop(self, link: Any) -> None:
        link.latency = 3600
        with closing(link_probe_steps(link)) as steps:
            next(steps)
            begin = time.perf_counter()
            for _ in range(5):
                share, _ = next(steps)
                assert share is None
        assert time.perf_counter() - begin < 5  # 0.2 s on an idle machine

    def test_remembers_fifteen_seconds(self, link: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("socketlab.experiments.through_link.talk.KEPT", 0.2)
        with closing(link_probe_steps(link, every=0.01)) as steps:
            probe = watch(steps, lambda probe: probe.seconds > 0.6)
        assert min(one.sent for one in probe.exchanges) > 0.2
        assert KEPT == 15

    def test_a_function_for_cells(self, link: Any) -> None:
        probe = link_probe(link, seconds=0.5, size=64)
        assert probe.seconds >= 0.5
        assert len(probe.answered) >= 3
        assert repr(probe) == f"<LinkProbe over {'UDP' if probe.datagrams else 'TCP'}>"


class TestConnections:
    def test_slices_come_in_several_recvs(self, tcp: Any) -> None:
        tcp.down.set(slice_size=100, slice_delay=0.005)
        with closing(link_probe_steps(tcp)) as steps:
            probe = watch(steps, settled(5))
        assert all(len(one.sizes) > 1 for one in probe.answered)
        assert f"comes in {sorted(len(one.sizes) for one in probe.answered)[2]} recvs" in probe.finding()

    def test_a_limit_closes_and_it_goes_on(self, tcp: Any) -> None:
        tcp.down.limit_data = 2000
        with closing(link_probe_steps(tcp)) as steps:
            probe = watch(steps, lambda probe: [e.what for e in probe.events][:2] == ["closed", "again"])
        assert {one.end for one in probe.failed} <= {CLOSED}
        assert "recv returned b''" in probe.events[0].words

    def test_a_timeout_swallows_and_then_resets(self, tcp: Any) -> None:
        with closing(link_probe_steps(tcp)) as steps:
            watch(steps, settled(2))
            tcp.timeout = 0
            probe = watch(steps, lambda probe: len(probe.waiting) > 3, lambda probe: probe.stats.up.swallowed > 1000)
            assert not probe.lately or all(one.last is None for one in probe.lately)
            tcp.timeout = None
            probe = watch(steps, lambda probe: [e.what for e in probe.events][-2:] == ["reset", "again"])
        assert [e.words for e in probe.events if e.what == "fault"] == ["timeout 0 ms", "timeout off"]
        assert {one.end for one in probe.failed} == {RESET}

    def test_what_waits_is_said(self, tcp: Any) -> None:
        with closing(link_probe_steps(tcp)) as steps:
            watch(steps, settled(2))
            tcp.timeout = 0
            watch(steps, lambda probe: "wait for an answer, the oldest for" in probe.finding())

    def test_a_reset_and_it_goes_on(self, tcp: Any) -> None:
        with closing(link_probe_steps(tcp)) as steps:
            watch(steps, settled(2))
            tcp.reset_peer = 0
            watch(steps, lambda probe: any(e.what == "reset" for e in probe.events))
            tcp.clear()
            probe = watch(steps, lambda probe: probe.events[-1].what == "again")
        assert [e.what for e in probe.events if e.what != "reset"] == ["fault", "fault", "again"]

    def test_slow_close_delays_the_end(self, tcp: Any) -> None:
        tcp.up.slow_close = 0.3
        with closing(link_probe_steps(tcp, every=0.01)) as steps:
            probe = watch(steps, lambda probe: probe.ends)
        assert probe.ends[0][1] >= 0.3
        assert not probe.failed

    def test_a_slow_link_bounds_what_is_under_way(self, tcp: Any) -> None:
        tcp.bandwidth = 1
        with closing(link_probe_steps(tcp, every=0.01)) as steps:
            probe = watch(steps, lambda probe: len(probe.waiting) == 16, lambda probe: probe.seconds > 1)
        assert len(probe.exchanges) == 16

    def test_nobody_at_the_target(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            address = nobody.getsockname()
        with faulty_link(address) as link, closing(link_probe_steps(link)) as steps:
            probe = watch(steps, lambda probe: len(probe.events) == 2)
        assert {(e.what, e.words) for e in probe.events} == {("refused", "the target refused: Connection refused")}
        assert "The target refused" in probe.finding()

    def test_the_target_dies(self) -> None:
        with tcp_server(echo) as server, faulty_link(server) as link, closing(link_probe_steps(link)) as steps:
            watch(steps, settled(2))
            server.close()
            probe = watch(steps, lambda probe: probe.events and probe.events[-1].what == "refused")
        assert probe.events[0].what in ("closed", "reset")

    @pytest.mark.parametrize(("handler", "what"), [(daytime, "other"), (discard, "waits")])
    def test_a_target_that_does_not_echo(self, handler: Any, what: str) -> None:
        with tcp_server(handler) as server, faulty_link(server) as link, closing(link_probe_steps(link)) as steps:
            if what == "other":
                probe = watch(steps, lambda probe: probe.events)
                assert "does not echo" in probe.events[0].words
            else:
                probe = watch(steps, lambda probe: "wait for an answer" in probe.finding())
            assert not probe.answered


class TestDatagrams:
    def test_loss(self, udp: Any) -> None:
        udp.up.loss = 1
        with closing(link_probe_steps(udp)) as steps:
            probe = watch(steps, lambda probe: len(probe.failed) > 3)
        assert {one.end for one in probe.failed} == {LOST}
        assert not probe.answered

    def test_duplication(self, udp: Any) -> None:
        udp.duplication = 1
        with closing(link_probe_steps(udp)) as steps:
            probe = watch(steps, lambda probe: any(len(one.sizes) == 4 for one in probe.exchanges))
        assert "came more than once" in probe.finding()

    def test_corruption_is_noticed_and_the_datagram_known(self, udp: Any) -> None:
        udp.corruption = 1  # a bit in either direction
        with closing(link_probe_steps(udp)) as steps:
            probe = watch(steps, settled(5))
        assert {one.end for one in probe.answered} <= {CHANGED, ""}  # both may have flipped the same one
        assert any(one.end == CHANGED for one in probe.answered)

    def test_reordering(self, udp: Any) -> None:
        udp.up.reordering = 0.5
        with closing(link_probe_steps(udp)) as steps:
            probe = watch(steps, lambda probe: any(one.overtaken for one in probe.answered))
        assert "behind a later one" in probe.finding()

    def test_a_late_answer_is_not_lost(self, udp: Any) -> None:
        udp.latency = 0.4
        with closing(link_probe_steps(udp)) as steps:
            probe = watch(steps, settled(3))
        assert not probe.failed

    def test_the_target_dies(self) -> None:
        with udp_server(echo) as server, faulty_link(server) as link, closing(link_probe_steps(link)) as steps:
            watch(steps, settled(2))
            server.close()
            probe = watch(steps, lambda probe: probe.events)
        assert "the target refused a datagram" in probe.events[0].words


class TestArguments:
    @pytest.mark.parametrize("link", [None, ("127.0.0.1", 80), "link"])
    def test_no_link(self, link: Any) -> None:
        with pytest.raises(TypeError, match="wanted a link"):
            link_probe_steps(link)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("seconds", 0), ("seconds", 601), ("seconds", float("nan")), ("seconds", "5"), ("size", 0), ("size", True),
         ("size", 20000), ("size", -1), ("every", 0), ("every", float("inf"))],
    )  # fmt: skip
    def test_absurd_values(self, tcp: Any, name: str, value: Any) -> None:
        with pytest.raises(ValueError, match=f"{name} wanted a number from .* (seconds|bytes), but got {value!r}"):
            link_probe_steps(tcp, **{name: value})

    def test_a_size_that_is_no_datagram(self, udp: Any) -> None:
        with pytest.raises(ValueError, match="size wanted a number from 4 to 1,400 bytes"):
            link_probe_steps(udp, size=1500)

    def test_no_end(self, tcp: Any) -> None:
        with pytest.raises(ValueError, match="that would never end"):
            link_probe(tcp, seconds=None)  # type: ignore[arg-type]


class TestWords:
    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("latency", 0.2, "latency 200 ms"), ("latency", 0.0, "latency 0 ms"), ("bandwidth", None, "bandwidth off"),
            ("bandwidth", 93750.0, "bandwidth 93.8 kB/s"), ("bandwidth", 12.0, "bandwidth 12 B/s"),
            ("slice_size", 1, "slice size 1 byte"), ("limit_data", 65536, "limit data 65,536 bytes"),
            ("loss", 0.125, "loss 12.5 %"), ("reset_peer", 2.0, "reset peer 2 s"), ("timeout", None, "timeout off"),
        ],
    )  # fmt: skip
    def test_a_fault(self, name: str, value: Any, words: str) -> None:
        assert fault_text(name, value) == words

    @pytest.mark.parametrize("faults", [StreamFaults, DatagramFaults])
    def test_every_fault_has_words(self, faults: Any) -> None:
        up, down = faults(), faults()
        before = up.as_dict(), down.as_dict()
        for name in faults.CHECKS:
            up.set(**{name: 1})
        words = changes_in_words(before, (up.as_dict(), down.as_dict()))
        assert set(words) == {f"up {name}" for name in faults.CHECKS}
        assert all(text.startswith("up ") for text in words.values())


class TestPicture:
    def test_draws_what_there_is(self, tcp: Any) -> None:
        with closing(link_probe_steps(tcp)) as steps:
            watch(steps, settled(3))
            tcp.reset_peer = 0
            probe = watch(steps, lambda probe: any(e.what == "reset" for e in probe.events))
        (ax,) = draw_link_probe(probe, title="Reset").axes  # type: ignore[union-attr]
        assert ax.get_title() == "Reset"
        assert {text.get_text() for text in ax.texts} >= {"reset"}
        drawn = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
        assert drawn["answered"] == [one.took for one in probe.answered]

    def test_the_title_is_the_finding(self, udp: Any) -> None:
        probe = link_probe(udp, seconds=0.4)
        (ax,) = draw_link_probe(probe).axes  # type: ignore[union-attr]
        assert ax.get_title().replace("\n", " ") == probe.finding()

    def test_nothing_to_draw(self, tcp: Any) -> None:
        tcp.timeout = 0
        with closing(link_probe_steps(tcp)) as steps:
            probe = LinkProbe(False, 0.0, (), (), (), (), tcp.up.as_dict(), tcp.down.as_dict(), tcp.stats)
            with pytest.raises(ValueError, match="nothing has been sent yet"):
                draw_link_probe(probe)
            assert probe.finding() == "Nothing has come back yet."
            next(steps)
