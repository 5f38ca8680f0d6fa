"""The states of both ends after each line: the kernel's own, the same on each run, and from a recording elsewhere."""

from __future__ import annotations

import ast
import socket
import sys

import pytest
from leftovers import nothing_left

from socketlab.experiments import draw_states, follow_states
from socketlab.experiments.doors import states as room
from socketlab.experiments.doors import wire
from socketlab.experiments.doors.recorded import RECORDED
from socketlab.experiments.doors.states import Moment, States
from tools import notebooks

linux = pytest.mark.skipif(sys.platform != "linux", reason="states without a descriptor are in Linux's table")
pytestmark = pytest.mark.usefixtures("nothing_left")

EST, FW, CW, TW, END = "ESTABLISHED", "FIN_WAIT2", "CLOSE_WAIT", "TIME_WAIT", "CLOSE"
LINGER = 'struct.pack("ii", 1, 0)'

# A program, the states of client and server after each line, and what was sent in each line.
PROGRAMS = {
    "the client closes first": (
        "client.close()\nserver.close()", [(FW, CW), (TW, END)], [("FIN", "client"), ("FIN", "server")],
    ),
    "the server closes first": (
        "server.close()\nclient.close()", [(CW, FW), (END, TW)], [("FIN", "server"), ("FIN", "client")],
    ),
    "half-closed by both": (
        "client.shutdown(socket.SHUT_WR)\nserver.shutdown(socket.SHUT_WR)",
        [(FW, CW), (TW, END)], [("FIN", "client"), ("FIN", "server")],
    ),
    "shut for reading": ("client.shutdown(socket.SHUT_RD)", [(EST, EST)], [("", "")]),
    "a copy is left": ("copy = client.dup()\nclient.close()\ncopy.close()", [(EST, EST), (EST, EST), (FW, CW)],
                       [("", ""), ("", ""), ("FIN", "client")]),
    "a reset by linger": (
        f"client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, {LINGER})\nclient.close()",
        [(EST, EST), (END, END)], [("", ""), ("RST", "client")],
    ),
    "a reset by unread bytes": (
        "client.sendall(b'x')\nserver.close()", [(EST, EST), (END, END)], [("", ""), ("RST", "server")],
    ),
    "bytes for nobody": (
        "server.close()\nclient.send(b'x')", [(CW, FW), (END, END)], [("FIN", "server"), ("RST", "server")],
    ),
    "closed with bytes unread, by the second": (
        "client.sendall(b'x')\nclient.shutdown(socket.SHUT_WR)\nserver.close()",
        [(EST, EST), (FW, CW), (END, END)], [("", ""), ("FIN", "client"), ("RST", "server")],
    ),
}  # fmt: skip


@pytest.fixture(params=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest, has_ipv6: bool) -> int:
    if request.param == "ipv6" and not has_ipv6:
        pytest.skip("this machine has no ::1")
    return socket.AF_INET if request.param == "ipv4" else socket.AF_INET6


@linux
class TestFollowed:
    @pytest.mark.parametrize(("program", "wanted", "sent"), PROGRAMS.values(), ids=PROGRAMS)
    def test_states_and_what_was_sent(self, program, wanted, sent, family) -> None:
        found = follow_states(program, family=family)
        assert [(m.client, m.server) for m in found.moments] == [(EST, EST), *wanted]
        assert [found.sent(number) for number in range(1, len(found.moments))] == sent
        assert not found.recorded

    def test_an_error_is_noted_and_the_next_line_runs(self) -> None:
        found = follow_states("server.close()\n1 / 0\nclient.send(b'x')\nclient.send(b'x')\nclient.recv(1)")
        assert [moment.error for moment in found.moments] == [
            "", "", "ZeroDivisionError division by zero", "", "BrokenPipeError EPIPE", "",
        ]  # fmt: skip

    def test_a_call_that_waits_ends(self, monkeypatch) -> None:
        monkeypatch.setattr(room, "_PATIENCE", 0.05)
        assert follow_states("server.recv(1)").moments[1].error == "TimeoutError"

    def test_the_way_led_through(self) -> None:
        found = follow_states("client.close()\nserver.close()")
        assert [step.after for step in found.way("client", 1)] == ["FIN_WAIT1", "FIN_WAIT2"]
        assert [step.after for step in found.way("server", 2)] == ["LAST_ACK", "CLOSE"]

    def test_what_the_program_leaves_open_is_closed(self) -> None:
        with nothing_left():
            follow_states("copy = client.dup()\nanother = socket.socket()")

    def test_interrupted(self) -> None:
        with nothing_left(), pytest.raises(KeyboardInterrupt):
            follow_states("client.send(b'x')\nraise KeyboardInterrupt")

    def test_the_same_text_each_time(self) -> None:
        (program, *_) = PROGRAMS["bytes for nobody"]
        assert len({repr(follow_states(program)) for _ in range(10)}) == 1

    @pytest.mark.parametrize("program", RECORDED, ids=range(len(RECORDED)))
    def test_the_recorded_ones_are_as_here(self, program: str) -> None:
        assert follow_states(program) == States(tuple(Moment(*row) for row in RECORDED[program]))


class TestElsewhere:
    """Where the kernel shows no table."""

    @pytest.fixture(autouse=True)
    def no_table(self, monkeypatch) -> None:
        monkeypatch.setattr(wire, "in_the_table", lambda family, pair: None)

    @pytest.mark.parametrize("program", RECORDED, ids=range(len(RECORDED)))
    def test_as_recorded(self, program: str) -> None:
        found = follow_states(f"\n{program}\n")
        assert found.recorded
        assert repr(found).count("\n") == len(found.moments)
        assert "as recorded on Linux" in draw_states(found).axes[0].get_xlabel()

    def test_a_program_of_ones_own(self) -> None:
        with pytest.raises(NotImplementedError, match="does not tell"):
            follow_states("client.close(); server.close()")


def test_the_course_is_recorded() -> None:
    """Each program of a lesson, word for word."""
    found = set()
    for path in notebooks.all_notebooks():
        for cell in notebooks.code_cells(notebooks.read(path)):
            if "follow_states(" in cell.source and not cell.source.startswith("%%"):
                calls = [node for node in ast.walk(ast.parse(cell.source.replace("%load", "#"))) if is_call(node)]
                found |= {call.args[0].value.strip() for call in calls}
    assert found == set(RECORDED)


def is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "follow_states"


@pytest.mark.parametrize(("program", "error"), [("", ValueError), ("# nothing", ValueError), ("client.", SyntaxError)])
def test_no_program(program: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        follow_states(program)


RESET = States((Moment("", "", EST, EST), Moment("client.close()", "", END, END, "client")))
PEACE = States((Moment("", "", EST, EST), Moment("server.close()", "", CW, FW), Moment("client.close()", "", END, TW)))


class TestPicture:
    def test_text(self) -> None:
        assert repr(PEACE).splitlines() == [
            "after           client                 server",
            "(connected)     ESTABLISHED            ESTABLISHED",
            "server.close()  CLOSE-WAIT   ◄─ FIN ─  FIN-WAIT-2",
            "client.close()  CLOSED       ─ FIN ─►  TIME-WAIT",
        ]

    @pytest.mark.parametrize(
        ("states", "title"),
        [
            (PEACE, "TIME-WAIT is at the server's end, which sent its FIN first"),
            (RESET, "The client's end sent an RST: both are closed, and TIME-WAIT is at neither"),
            (States(PEACE.moments[:2]), "Where the kernel has the two ends after each line"),
        ],
    )
    def test_the_title_says_what_was_found(self, states: States, title: str) -> None:
        assert draw_states(states).axes[0].get_title(loc="left") == title

    def test_a_title_of_yours(self) -> None:
        assert draw_states(PEACE, title="Mine").axes[0].get_title(loc="left") == "Mine"

    def test_what_is_in_it(self) -> None:
        texts = [text.get_text() for text in draw_states(PEACE).axes[0].texts]
        for words in ("FIN-WAIT-2", "through FIN-WAIT-1", "through LAST-ACK", "TIME-WAIT", "server.close()"):
            assert words in texts
        assert texts.count("FIN") == 2

    def test_a_long_line_is_cut(self) -> None:
        assert Moment("x = " + "1 + " * 40 + "1", "", EST, EST).line.endswith("…")
        assert Moment("if client:\n    client.close()", "", EST, EST).line == "if client: …"

    def test_shows_itself(self) -> None:
        data, _ = PEACE._repr_mimebundle_()
        assert data["text/plain"] == repr(PEACE)
        assert data["image/png"]

    def test_nothing_to_draw(self) -> None:
        with pytest.raises(ValueError, match="got none"):
            draw_states(States(()))
