"""The TCP panel without a browser: each state is reached for real, is the kernel's own, and nothing is left behind."""

from __future__ import annotations

import errno
import gc
import os
import random
import re
import socket
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from typing import Any, ClassVar

import patience
import psutil  # before a test says that this is another system
import pytest
from leftovers import descriptors

from socketlab.experiments.doors.following import SIDES, End
from socketlab.experiments.doors.transitions import CLOSED, JUMP, ONLY, SEEN, WAYS, WORDS, Step, rfc, steps
from socketlab.measure import kernel_table, tcp_info
from socketlab.panels import TcpStatesPanel, base, tcp_states
from socketlab.panels.drawing.look import GREY
from socketlab.panels.tcp import connection as connection_model
from socketlab.panels.tcp.calls import CALLS, Call
from socketlab.panels.tcp.connection import ConnectionModel
from socketlab.panels.tcp.diagram import COLOURS, diagram
from socketlab.panels.tcp.pictures import calls_picture, status_picture

pytestmark = pytest.mark.usefixtures("nothing_left")
until = partial(patience.until, seconds=20.0)

linux = pytest.mark.skipif(sys.platform != "linux", reason="states without a descriptor are in Linux's table")


@pytest.fixture(params=["ipv4", "ipv6"])
def model(request: pytest.FixtureRequest, has_ipv6: bool) -> Iterator[ConnectionModel]:
    if request.param == "ipv6" and not has_ipv6:
        pytest.skip("this machine has no ::1")
    model = ConnectionModel({"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[request.param])
    yield model
    model.close()


def do(model: ConnectionModel, *calls: str) -> Call | None:
    """Calls such as "client connect", "client deaf", "client hears"; "client FIN_WAIT2" waits until it is so."""
    done = None
    for side, action in map(str.split, calls):
        if action in WORDS:
            until(lambda side=side, state=action: model.look()[side].state == state, f"{side} {action}")
        elif action in ("deaf", "hears"):
            done = model.deafen(side, action == "deaf")
        else:
            done = model.press(side, action)
    return done


def connect(model: ConnectionModel) -> None:
    do(model, "listener listen", "client connect", "listener accept")


def states(model: ConnectionModel) -> tuple[str | None, ...]:
    """Of client and server."""
    ends = model.look()
    return ends["client"].state, ends["server"].state


def settle(model: ConnectionModel, client: str, server: str) -> None:
    until(lambda: states(model) == (client, server), f"{client}, {server}; it is {states(model)}")


def way(model: ConnectionModel, side: str) -> list[str]:
    path = list(model.paths[side])
    return [path[0].before, *(step.after for step in path)] if path else []


CONNECTED = ("listener listen", "client connect", "listener accept")

REACHED = {
    "nothing yet": ((), "CLOSE", ""),
    "nobody listens": (("client connect",), "CLOSE", ""),
    "in the queue": (("listener listen", "client connect"), "ESTABLISHED", "ESTABLISHED"),
    "accepted": (CONNECTED, "ESTABLISHED", "ESTABLISHED"),
    "the SYN is lost": (("listener listen", "server deaf", "client connect"), "SYN_SENT", ""),
    "the answer to the SYN is lost": (("listener listen", "client deaf", "client connect"), "SYN_SENT", "SYN_RECV"),
    "the FIN is lost": ((*CONNECTED, "server deaf", "client shutdown"), "FIN_WAIT1", "ESTABLISHED"),
    "half-closed": ((*CONNECTED, "client shutdown"), "FIN_WAIT2", "CLOSE_WAIT"),
    "closed by the client": ((*CONNECTED, "client close"), "FIN_WAIT2", "CLOSE_WAIT"),
    "closed by the server": ((*CONNECTED, "server close"), "CLOSE_WAIT", "FIN_WAIT2"),
    "the last FIN is lost": (
        (*CONNECTED, "client shutdown", "client FIN_WAIT2", "client deaf", "server close"), "FIN_WAIT2", "LAST_ACK",
    ),
    "the last FIN and an acknowledgement are lost": (
        (*CONNECTED, "server deaf", "client shutdown", "client deaf", "server hears", "server CLOSE_WAIT",
         "server close"),
        "FIN_WAIT1", "LAST_ACK",
    ),
    "closed by both": ((*CONNECTED, "client close", "server close"), "TIME_WAIT", "CLOSE"),
    "closed by both, the server first": ((*CONNECTED, "server close", "client close"), "CLOSE", "TIME_WAIT"),
    "both FINs cross": (
        (*CONNECTED, "client deaf", "server deaf", "client shutdown", "server shutdown", "client hears"),
        "CLOSING", "FIN_WAIT1",
    ),
    "both FINs crossed": (
        (*CONNECTED, "client deaf", "server deaf", "client shutdown", "server shutdown", "client hears",
         "server hears"),
        "TIME_WAIT", "TIME_WAIT",
    ),
    "reset by the client": ((*CONNECTED, "client reset"), "CLOSE", "CLOSE"),
    "reset by the server": ((*CONNECTED, "server reset"), "CLOSE", "CLOSE"),
    "closed with bytes unread": ((*CONNECTED, "server send", "client close"), "CLOSE", "CLOSE"),
    "closed before the accept": (("listener listen", "client connect", "client close"), "FIN_WAIT2", "CLOSE_WAIT"),
    "the listener goes": (("listener listen", "client connect", "listener close"), "CLOSE", "CLOSE"),
    "given up": (("listener listen", "server deaf", "client connect", "client close"), "CLOSE", ""),
}  # fmt: skip


@linux
class TestStates:
    @pytest.mark.parametrize(("calls", "client", "server"), REACHED.values(), ids=REACHED)
    def test_reached(self, model: ConnectionModel, calls: tuple[str, ...], client: str, server: str) -> None:
        do(model, *calls)
        settle(model, client, server)

    @pytest.mark.parametrize(("calls", "client", "server"), REACHED.values(), ids=REACHED)
    def test_reached_without_netlink(
        self, calls: tuple[str, ...], client: str, server: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*arguments: object) -> list[bytes]:
            raise OSError(errno.EPROTONOSUPPORT, "no such netlink")

        monkeypatch.setattr(kernel_table, "_ask", refuse)
        model = ConnectionModel()
        try:
            do(model, *calls)
            settle(model, client, server)
        finally:
            model.close()

    def test_a_lost_segment_is_sent_again(self, model: ConnectionModel) -> None:
        do(model, "listener listen", "server deaf", "client connect")
        until(lambda: model.look()["client"].retransmits >= 1, "the SYN is sent again")
        assert model.look()["client"].timer == "retransmit"
        do(model, "server hears")
        settle(model, "ESTABLISHED", "ESTABLISHED")
        assert way(model, "client") == ["CLOSE", "SYN_SENT", "ESTABLISHED"]

    def test_a_closed_end_is_not_given_up_at_once(self, model: ConnectionModel) -> None:
        connect(model)
        do(model, "client shutdown", "client FIN_WAIT2", "client deaf", "server close")
        until(lambda: model.look()["server"].retransmits >= 4, "the last FIN is sent again and again")
        assert states(model) == ("FIN_WAIT2", "LAST_ACK")
        do(model, "client hears")
        settle(model, "TIME_WAIT", "CLOSE")

    def test_time_wait_counts_down(self, model: ConnectionModel) -> None:
        connect(model)
        do(model, "client shutdown", "server close")
        settle(model, "TIME_WAIT", "CLOSE")
        end = model.look()["client"]
        assert end.held  # the descriptor is open, and knows nothing of it
        assert tcp_info(model.client).state == "CLOSE"
        assert end.timer == "time wait"
        assert 50 < end.left <= 60
        until(lambda: model.look()["client"].left < end.left, "it counts down")
        do(model, "client close")
        assert states(model) == ("TIME_WAIT", "CLOSE")

    def test_the_ends_say_who_has_a_descriptor(self, model: ConnectionModel) -> None:
        do(model, "listener listen", "client connect")
        ends = model.look()
        assert (ends["client"].held, ends["server"].held, ends["listener"].waiting) == (True, False, 1)
        do(model, "listener accept", "client send")
        ends = model.look()
        assert (ends["server"].held, ends["listener"].waiting, ends["server"].waiting) == (True, 0, 5)

    def test_a_client_of_a_cell(self, model: ConnectionModel) -> None:
        do(model, "listener listen")
        with socket.create_connection(model.address[:2], 10) as stranger:
            do(model, "listener accept")
            assert model.server is not None
            assert model.server.getpeername() == stranger.getsockname()
            assert states(model) == ("CLOSE", "ESTABLISHED")
        settle(model, "CLOSE", "CLOSE_WAIT")

    def test_a_cell_connects_and_accepts(self, model: ConnectionModel) -> None:
        model.listener.listen()
        model.client.connect(model.address)
        settle(model, "ESTABLISHED", "ESTABLISHED")
        assert not model.look()["server"].elsewhere
        with model.listener.accept()[0]:
            assert model.look()["server"].elsewhere
            assert "a cell has its descriptor" in status_picture(model.look())
        settle(model, "CLOSE_WAIT", "FIN_WAIT2")
        do(model, "client close")
        settle(model, "CLOSE", "TIME_WAIT")

    def test_a_cell_has_another_patience(self, model: ConnectionModel) -> None:
        """The panel's calls are bounded even so, and leave the cell's timeout as it was."""
        connect(model)
        for timeout in (None, 60, 0):
            model.client.settimeout(timeout)
            call = do(model, "client recv")
            assert call is not None
            assert call.kind == "waits"
            assert model.client.gettimeout() == timeout
        assert model.server is not None
        assert model.server.gettimeout() is None

    def test_what_a_cell_does_is_seen(self, model: ConnectionModel) -> None:
        connect(model)
        model.client.close()
        settle(model, "FIN_WAIT2", "CLOSE_WAIT")
        assert model.press("client", "send").outcome == "OSError: Bad file descriptor"


@linux
class TestWays:
    def test_connect_and_close(self, model: ConnectionModel) -> None:
        connect(model)
        do(model, "client shutdown")
        settle(model, "FIN_WAIT2", "CLOSE_WAIT")
        do(model, "server close")
        settle(model, "TIME_WAIT", "CLOSE")
        assert way(model, "client") == ["CLOSE", "SYN_SENT", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"]
        assert way(model, "server") == ["LISTEN", "SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSE"]
        assert [step.known for step in model.paths["server"]] == [ONLY, ONLY, SEEN, ONLY, ONLY]
        assert list(model.paths["listener"]) == [Step("CLOSE", "LISTEN", SEEN)]

    @pytest.mark.parametrize("calls", ["client reset", "server reset", "listener close"])
    def test_a_reset_is_a_jump(self, model: ConnectionModel, calls: str) -> None:
        do(model, "listener listen", "client connect", *(() if "listener" in calls else ("listener accept",)), calls)
        settle(model, "CLOSE", "CLOSE")
        assert model.paths["client"][-1] == Step("ESTABLISHED", "CLOSE", JUMP)
        assert model.paths["server"][-1] == Step("ESTABLISHED", "CLOSE", JUMP)

    def test_bytes_unread_make_a_reset(self, model: ConnectionModel) -> None:
        connect(model)
        call = do(model, "server send", "client close")
        assert call is not None
        assert call.outcome == "with an RST: 7 bytes were never received"
        settle(model, "CLOSE", "CLOSE")
        assert model.paths["client"][-1].known == JUMP

    def test_refused(self, model: ConnectionModel) -> None:
        do(model, "client connect")
        assert list(model.paths["client"]) == [Step("CLOSE", "SYN_SENT", ONLY), Step("SYN_SENT", "CLOSE", ONLY)]

    def test_a_new_socket_begins_anew(self, model: ConnectionModel) -> None:
        connect(model)
        do(model, "client socket")
        assert way(model, "client") == []
        settle(model, "CLOSE", "CLOSE_WAIT")
        do(model, "client connect", "server close", "listener accept")
        settle(model, "ESTABLISHED", "ESTABLISHED")
        assert way(model, "client") == ["CLOSE", "SYN_SENT", "ESTABLISHED"]
        assert way(model, "server") == ["LISTEN", "SYN_RECV", "ESTABLISHED"]

    def test_every_way_of_the_rfc_can_be_stepped(self) -> None:
        # More than one way leads from FIN_WAIT1 to TIME_WAIT, and nobody crosses SYNs or closes in SYN_RECV here.
        unsure = {("FIN_WAIT1", "TIME_WAIT"), ("SYN_SENT", "SYN_RECV"), ("SYN_RECV", "FIN_WAIT1")}
        for before, after in WAYS:
            if (before, after) not in unsure:
                assert steps(before, after, finished=True) == [Step(before, after, SEEN)]

    @pytest.mark.parametrize(
        ("before", "after", "between"),
        [
            ("CLOSE", "ESTABLISHED", ["SYN_SENT"]),
            ("CLOSE", "CLOSE_WAIT", ["SYN_SENT", "ESTABLISHED"]),
            ("LISTEN", "ESTABLISHED", ["SYN_RECV"]),
            ("ESTABLISHED", "FIN_WAIT2", ["FIN_WAIT1"]),
            ("ESTABLISHED", "LAST_ACK", ["CLOSE_WAIT"]),
            ("FIN_WAIT1", "TIME_WAIT", None),
            ("ESTABLISHED", "TIME_WAIT", None),
            ("ESTABLISHED", "CLOSE", None),
            ("TIME_WAIT", "ESTABLISHED", None),
        ],
    )
    def test_what_was_not_seen(self, before: str, after: str, between: list[str] | None) -> None:
        found = steps(before, after)
        if between is None:
            assert found == [Step(before, after, JUMP)]
        else:
            assert [step.after for step in found] == [*between, after]
            assert {step.known for step in found} == {ONLY}
        assert steps(before, before) == []

    def test_states_are_the_kernels_and_the_rfcs(self) -> None:
        assert set(WORDS) == set(kernel_table.STATES[1:])
        assert {rfc(state) for state in WORDS} == {
            "CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",
            "CLOSING", "LAST-ACK", "TIME-WAIT",
        }  # fmt: skip
        assert {state for pair in WAYS for state in pair} == set(WORDS)


class TestCalls:
    def test_errors_are_the_kernels(self, model: ConnectionModel) -> None:
        for call, outcome in {
            "client connect": "ConnectionRefusedError: ",
            "client send": "BrokenPipeError: ",
            "client shutdown": "OSError: ",
            "listener accept": "OSError: ",
        }.items():
            done = do(model, call)
            assert done is not None
            assert done.outcome.startswith(outcome)
            assert done.kind == "failed"

    def test_a_call_that_waits_is_cut_off_and_says_so(self, model: ConnectionModel) -> None:
        connect(model)
        for call, words in {"client recv": "nothing has come", "listener accept": "nobody is in the queue"}.items():
            began = time.monotonic()
            done = do(model, call)
            assert done is not None
            assert (done.outcome, done.kind) == (f"waits: {words}", "waits")
            assert time.monotonic() - began >= connection_model.PATIENCE * 0.9

    def test_the_record(self, model: ConnectionModel) -> None:
        connect(model)
        do(model, "client send", "server recv", "client close", "server recv")
        assert [(call.number, call.side, call.text, call.outcome) for call in model.calls] == [
            (1, "listener", "listen(1)", "done"),
            (2, "client", "connect(address)", "connected"),
            (3, "listener", "accept()", "a socket: the server's"),
            (4, "client", "send(b'hello')", "5"),
            (5, "server", "recv(1000)", "b'hello'"),
            (6, "client", "close()", "done"),
            (7, "server", "recv(1000)", "b''"),
        ]

    def test_what_can_be_pressed(self, model: ConnectionModel) -> None:
        assert not model.can("server", "send")
        assert model.can("client", "send")  # the kernel's error is worth seeing
        connect(model)
        assert model.can("server", "send")
        assert not model.can("listener", "accept")
        do(model, "server close", "client close")
        assert [action for action in ("send", "connect", "socket") if model.can("client", action)] == ["socket"]
        assert model.can("listener", "accept")

    def test_begin_again(self, model: ConnectionModel) -> None:
        connect(model)
        before = model.address
        model.reset()
        assert model.address != before
        assert states(model) == ("CLOSE", "")
        assert not model.calls
        assert not any(model.paths.values())
        connect(model)
        settle(model, "ESTABLISHED", "ESTABLISHED")

    def test_after_the_end(self, model: ConnectionModel) -> None:
        connect(model)
        model.close()
        model.close()
        model.reset()
        assert model.press("client", "connect") == Call(0, "client", "connect()", "there is no socket", "failed")
        assert model.deafen("client").kind == "failed"
        assert not model.calls or model.calls[-1].number == 3

    @pytest.mark.parametrize("call", ["client tea", "listener send", "client accept", "server connect", "nobody send"])
    def test_no_such_call(self, model: ConnectionModel, call: str) -> None:
        with pytest.raises(ValueError, match=f"no such call of a panel: {call}"):
            model.press(*call.split())

    @pytest.mark.parametrize("side", ["listener", "nobody"])
    def test_no_such_ears(self, model: ConnectionModel, side: str) -> None:
        with pytest.raises(ValueError, match=f"'client' or 'server', not '{side}'"):
            model.deafen(side)

    def test_every_call_has_a_button(self, panel: TcpStatesPanel) -> None:
        assert set(panel.buttons) == {(side, call) for side, calls in CALLS.items() for call in calls}

    def test_no_such_family(self) -> None:
        with pytest.raises(ValueError, match="only these have TCP"):
            ConnectionModel(getattr(socket, "AF_UNIX", -1))

    def test_out_of_descriptors(self) -> None:
        """Neither half a model nor half a client stays behind."""
        resource = pytest.importorskip("resource")
        model = ConnectionModel()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(fd for fd, *_ in descriptors())
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
            held = []
            with pytest.raises(OSError, match="Too many open files"):
                while True:
                    held.append(os.dup(0))
            done = model.press("client", "socket")
            assert done.outcome == "OSError: Too many open files"
            with pytest.raises(OSError, match="Too many open files"):
                ConnectionModel()
            for number in held:
                os.close(number)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        model.close()

    def test_elsewhere_states_come_from_psutil(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert psutil.Process().pid == os.getpid()
        monkeypatch.setattr(sys, "platform", "darwin")
        model = ConnectionModel()
        try:
            connect(model)
            assert states(model) == ("ESTABLISHED", "ESTABLISHED")
            call = model.deafen("client")
            assert (call.kind, model.deaf) == ("failed", set())
            assert "only Linux lets a socket throw away what arrives" in call.outcome
            do(model, "client close")
            assert model.look()["client"].state is None
            assert "this system does not tell" in status_picture(model.look())
        finally:
            model.close()


@linux
class TestAnything:
    """Two thousand presses in any order."""

    ACTIONS: ClassVar = [
        *(("listener", action) for action in ("listen", "accept", "accept", "close")),
        *(
            ("client", action)
            for action in ("socket", "connect", "connect", "send", "recv", "shutdown", "close", "reset")
        ),
        *(("server", action) for action in ("send", "recv", "shutdown", "close", "reset")),
        *((side, action) for side in ("client", "server") for action in ("deaf", "hears", "hears")),
    ]

    @pytest.mark.parametrize("seed", range(4))
    def test_five_hundred_presses(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection_model, "PATIENCE", 0.002)
        dice = random.Random(seed)
        model = ConnectionModel()
        seen: set[str | None] = set()
        before = len(descriptors())
        try:
            for turn in range(500):
                side, action = dice.choice(self.ACTIONS)
                # A listener that is closed ends the game, so it is rare, and so is the beginning of a new one.
                if dice.random() < 0.02:
                    model.reset()
                elif action in ("deaf", "hears"):
                    model.deafen(side, action == "deaf")
                elif (side, action) != ("listener", "close") or dice.random() < 0.1:
                    model.press(side, action)
                ends = self.check(model, by_proc=turn % 25 == 0)
                seen |= {end.state for end in ends.values()}
                assert len(descriptors()) <= before + 1  # the server's
                for path in model.paths.values():
                    assert all(known == JUMP or (a, b) in WAYS for a, b, known in path)
                assert diagram(ends, model.paths)
                assert status_picture(ends)
        finally:
            model.close()
        assert {"LISTEN", "ESTABLISHED", "CLOSE"} <= seen
        assert len(seen) >= 5

    def check(self, model: ConnectionModel, by_proc: bool) -> dict[str, End]:
        """What the model says is what the kernel says, asked in another way, now or at the next try."""
        for _ in range(100):
            first = model.look()
            asked = {side: self.ask(model, side, by_proc) for side in SIDES}
            ends = model.look()
            said = [{side: end.state for side, end in look.items()} for look in (first, ends)]
            if asked in said:
                return ends
        raise AssertionError(f"the model says {said}, the kernel {asked}")

    def ask(self, model: ConnectionModel, side: str, by_proc: bool) -> str | None:
        sock = {"listener": model.listener, "client": model.client, "server": model.server}[side]
        pair = model._follower.pairs.get(side)
        if sock is None and pair is None:
            return ""
        said = tcp_info(sock).state if sock is not None and sock.fileno() >= 0 else "CLOSE"
        if said != "CLOSE" or pair is None:
            return said
        way = kernel_table._from_proc if by_proc else kernel_table.inet_table
        return next((e.state for e in way(socket.AF_INET, 6) if (e.local, e.peer) == pair), "CLOSE")

    def test_from_several_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection_model, "PATIENCE", 0.001)
        model = ConnectionModel()
        failures: list[BaseException] = []

        def play(seed: int) -> None:
            dice = random.Random(seed)
            try:
                for _ in range(150):
                    side, action = dice.choice(self.ACTIONS)
                    if action in ("deaf", "hears"):
                        model.deafen(side, action == "deaf")
                    else:
                        model.press(side, action)
                    model.look()
                    if dice.random() < 0.02:
                        model.reset()
            except BaseException as exc:
                failures.append(exc)

        threads = [threading.Thread(target=play, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        model.close()
        assert failures == []


class Checker(HTMLParser):
    """Whether each tag is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def end(state: str | None, **settings: Any) -> End:
    values = {"held": True, "timer": "", "left": 0.0, "retransmits": 0, "waiting": None, **settings}
    return End(state, **values)


class TestPictures:
    def test_every_state_has_its_place(self) -> None:
        for state in WORDS:
            shown = diagram({"client": end(state)}, {"client": []})
            words = Checker(shown).words
            assert words.count("client") == 1
            assert f"client in {rfc(state)}" in shown
            assert words.count(rfc(state)) == (2 if state == CLOSED else 1)

    def test_closed_before_and_after(self) -> None:
        before = diagram({"client": end("CLOSE")}, {"client": []})
        refused = diagram({"client": end("CLOSE")}, {"client": [Step("SYN_SENT", "CLOSE", ONLY)]})
        after = diagram({"client": end("CLOSE")}, {"client": [Step("LAST_ACK", "CLOSE", SEEN)]})

        def place(shown: str) -> str:
            return re.search(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>client<', shown).group(1, 2)  # type: ignore

        assert place(before) == place(refused) != place(after)

    def test_each_kind_of_step_looks_different(self) -> None:
        drawn = set()
        for known in (SEEN, ONLY, JUMP):
            drawn.add(diagram({}, {}) + diagram({"client": end("")}, {"client": [Step("LAST_ACK", "CLOSE", known)]}))
        assert len(drawn) == 3

    def test_every_jump_can_be_drawn(self) -> None:
        for before in WORDS:
            for after in WORDS:
                shown = diagram({"server": end(after)}, {"server": [Step(before, after, JUMP)]})
                assert not re.search(r"nan|inf\b|e\+", shown.replace("infty", ""))
                Checker(shown)

    def test_colours_of_sides_are_told_apart_and_readable(self) -> None:
        assert len({colour for colour, _ in COLOURS.values()}) == 3
        assert GREY not in [colour for colour, _ in COLOURS.values()]
        for colour, ink in COLOURS.values():
            assert contrast(colour, ink) >= 4.5

    def test_status(self) -> None:
        shown = status_picture(
            {
                "listener": end("LISTEN", waiting=2),
                "client": end("SYN_SENT", timer="retransmit", left=0.75, retransmits=1),
                "server": end("TIME_WAIT", held=False, timer="time wait", left=41.2),
            }
        )
        words = " ".join(Checker(shown).words)
        assert "2 in its queue" in words
        assert re.search(r"sends again in 0\.[78] s, has sent it again 1 time\b", words)
        assert "42 s left" in words
        assert "it has no descriptor" in words
        shown = status_picture({"listener": end("CLOSE"), "client": end("CLOSE"), "server": end("", held=False)})
        assert "nobody has connected yet" in shown

    def test_calls_are_escaped_and_cut(self) -> None:
        assert "none yet" in calls_picture(())
        calls = tuple(Call(n, "client", "recv(1000)", "<b>&\x00", "done") for n in range(1, 31))
        shown = calls_picture(calls)
        assert "&lt;b&gt;&amp;" in shown
        assert "18 earlier ones not shown" in shown
        assert shown.count("<tr>") == 12 + 1


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture
def panel() -> Iterator[TcpStatesPanel]:
    panel = TcpStatesPanel()
    yield panel
    panel.close()


class TestPanel:
    @linux
    def test_by_its_buttons(self, panel: TcpStatesPanel) -> None:
        for key in (("listener", "listen"), ("client", "connect"), ("listener", "accept"), ("client", "shutdown")):
            panel.buttons[key].click()
        until(lambda: "client in FIN-WAIT-2; server in CLOSE-WAIT" in panel._diagram.value, "the states show")
        until(lambda: "shutdown(SHUT_WR)" in panel._calls.value, "the call shows")
        until(lambda: panel.buttons["listener", "accept"].disabled, "there is a server already")
        panel.deaf_buttons["client"].click()
        until(lambda: panel.deaf_buttons["client"].description == "Client hears again", "the button turns")
        panel.buttons["server", "close"].click()
        until(lambda: "server in LAST-ACK" in panel._diagram.value, "the last FIN is lost")
        panel.deaf_buttons["client"].click()
        until(lambda: "client in TIME-WAIT; server in CLOSED" in panel._diagram.value, "it is sent again")
        until(lambda: panel.buttons["server", "send"].disabled, "the server's descriptor is closed")
        panel.reset_button.click()
        until(lambda: "none yet" in panel._calls.value, "all is as in the beginning")
        assert panel._painter.fault is None

    @linux
    def test_clicks_in_any_order(self, panel: TcpStatesPanel, monkeypatch: pytest.MonkeyPatch) -> None:
        """JupyterLab delivers them in a thread of its own, while a cell may press as well and the painter looks."""
        monkeypatch.setattr(connection_model, "PATIENCE", 0.002)
        buttons = [*panel.buttons.values(), *panel.deaf_buttons.values(), panel.reset_button]

        def click(seed: int) -> None:
            dice = random.Random(seed)
            for _ in range(150):
                dice.choice(buttons).click()

        threads = [threading.Thread(target=click, args=(seed,)) for seed in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pictures = panel._painter.pictures
        until(lambda: panel._painter.pictures > pictures + 1, "the painter still looks")
        assert panel._painter.fault is None

    @linux
    def test_what_happens_by_itself_shows(self, panel: TcpStatesPanel) -> None:
        """A cell uses the panel's sockets; nobody presses anything."""
        panel.listener.listen()
        until(lambda: "listener in LISTEN" in panel._diagram.value, "the painter looks")
        with socket.create_connection(panel.listener.getsockname(), 10):
            until(lambda: "1 in its queue" in panel._status.value, "the queue shows")

    @linux
    def test_after_a_long_silence(self, panel: TcpStatesPanel, monkeypatch: pytest.MonkeyPatch) -> None:
        """It looks less often, and misses nothing; what is pressed shows at once."""
        monkeypatch.setattr(tcp_states, "QUIET", -1.0)
        pictures = panel._painter.pictures
        until(lambda: panel._timer is not None, "it waits longer")
        until(lambda: panel._painter.pictures > pictures + 2, "it goes on")
        panel.listener.listen()
        until(lambda: "listener in LISTEN" in panel._diagram.value, "the painter looks in the end")
        monkeypatch.setattr(tcp_states, "SELDOM", 1000.0)
        panel.press("client", "connect")
        until(lambda: "client in ESTABLISHED" in panel._diagram.value, "a call is reason enough")
        panel.reset()
        until(lambda: "listener in CLOSED" in panel._diagram.value, "and so is a new beginning")

    def test_costs_little(self, panel: TcpStatesPanel) -> None:
        panel.press("listener", "listen")
        panel.press("client", "connect")
        spent = []
        for _ in range(20):
            began = time.thread_time()  # of this thread: other programs do not count
            panel._draw()
            spent.append(time.thread_time() - began)
        assert min(spent) < 0.01  # of the 0.1 s between two looks

    def test_looking_is_none_of_the_programs_calls(
        self, panel: TcpStatesPanel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A trace replaces the methods of socket.socket; the painter's looks must not appear in it."""
        panel.press("listener", "listen")
        panel.press("client", "connect")
        panel.press("listener", "accept")
        calls: list[str] = []
        for name in ("fileno", "getsockopt", "getsockname", "getpeername", "setsockopt", "settimeout", "close", "recv"):
            real = getattr(socket.socket, name)

            def note(self: socket.socket, *args: Any, name: str = name, real: Any = real) -> Any:
                calls.append(name)
                return real(self, *args)

            monkeypatch.setattr(socket.socket, name, note, raising=False)
        pictures = panel._painter.pictures
        until(lambda: panel._painter.pictures > pictures + 2, "the painter looks")
        panel._draw()
        if sys.platform == "linux":
            assert calls == []

    def test_stored_forms(self, panel: TcpStatesPanel) -> None:
        before = panel._repr_mimebundle_()
        panel.press("listener", "listen")
        panel.press("client", "connect")
        after = panel._repr_mimebundle_()
        for kind in ("text/plain", "text/html"):
            assert before[kind] == after[kind]
        assert set(after) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
        assert before["text/plain"] == repr(panel) == "<TCP states panel>"
        assert "Run this cell to bring the panel to life." in before["text/html"]
        plain = before["text/html"].replace("max-width:960px", "").replace("#8c8c8c", "")
        assert not re.search(r"127\.0\.0\.1|0x|\d{5,}", plain)
        assert not re.search(r":\d{4,}", plain)

    def test_closing_leaves_nothing(self) -> None:
        for _ in range(5):
            panel = TcpStatesPanel()
            for key in (("listener", "listen"), ("client", "connect"), ("listener", "accept")):
                panel.press(*key)
            panel.close()
            panel.close()
            assert panel.client.fileno() == panel.listener.fileno() == -1
            panel.press("client", "send")  # a click that was under way
            panel.reset()

    def test_running_the_cell_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(base.Panel, "_made", {})
        monkeypatch.setattr(base, "current_run", lambda: ("cell", "1"))
        first = TcpStatesPanel()
        monkeypatch.setattr(base, "current_run", lambda: ("cell", "2"))
        second = TcpStatesPanel()
        assert first.closed
        assert first.client.fileno() == -1
        assert not second.closed
        second.close()

    def test_one_that_is_forgotten(self) -> None:
        panel = TcpStatesPanel()
        panel.press("listener", "listen")
        client, reference = weakref.ref(panel.client), weakref.ref(panel)
        del panel
        gc.collect()
        until(lambda: reference() is None, "the painter lets go of it")
        gc.collect()
        assert client() is None

    def test_an_unknown_family(self) -> None:
        with pytest.raises(ValueError, match="only these have TCP"):
            TcpStatesPanel(family=-1)

    def test_every_control_has_a_label(self, panel: TcpStatesPanel) -> None:
        buttons = [*panel.buttons.values(), *panel.deaf_buttons.values(), panel.reset_button]
        labels = [button.description for button in buttons]
        assert all(labels)
        assert len(set(labels)) == len(labels)
        assert all(button.tooltip for button in buttons)
