"""A server that starts again: what bind() says by who closed first and by options; the words, and the panel."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from itertools import product

import pytest
from leftovers import nothing_left

from socketlab.experiments.doors.rebinding import (
    ENDINGS,
    OPTIONS,
    Holder,
    Rebind,
    rebind,
    rebind_steps,
    state_in_words,
)
from socketlab.panels.rebind import RebindPanel, rebind_picture

linux = pytest.mark.skipif(sys.platform != "linux", reason="these are Linux's rules")

ADDR, PORT = OPTIONS
FLAGS = ((), (ADDR,), (PORT,), OPTIONS)


def granted(ending: str, old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """The rule, as man pages and kernel have it."""
    if ending in ("client", "reset") or (PORT in old and PORT in new):
        return True
    return ending != "living" and ADDR in old and ADDR in new


@linux
class TestRules:
    @pytest.mark.parametrize("ending", ENDINGS)
    def test_every_pair_of_options(self, ending: str) -> None:
        for old, new in product(FLAGS, FLAGS):
            result = rebind(ending, old=old, new=new)
            assert (result.said == "") == granted(ending, old, new), result
            assert result.said in ("", "EADDRINUSE")
            assert (result.call == "") == (result.said == "")

    @pytest.mark.parametrize(
        ("ending", "states"),
        [
            ("server", ("CLOSE", "TIME_WAIT", "CLOSE")),
            ("client", ("CLOSE", "CLOSE", "TIME_WAIT")),
            ("reset", ("CLOSE", "CLOSE", "CLOSE")),
            ("talking", ("CLOSE", "ESTABLISHED", "ESTABLISHED")),
            ("living", ("LISTEN", "ESTABLISHED", "ESTABLISHED")),
        ],
    )
    def test_who_is_left(self, ending: str, states: tuple[str, ...]) -> None:
        holders = rebind(ending).holders
        assert tuple(one.state for one in holders) == states
        assert [one.at_port for one in holders] == [True, True, False]

    def test_nothing_is_left(self) -> None:
        with nothing_left():
            for ending in ENDINGS:
                rebind(ending, old=(ADDR,), new=(PORT,))
                rebind_steps(ending).close()

    def test_a_system_that_does_not_tell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("socketlab.experiments.doors.wire.find", lambda *_: (_ for _ in ()).throw(OSError()))
        result = rebind("server", old=(ADDR,), new=(ADDR,))
        assert {one.state for one in result.holders} == {""}
        assert state_in_words(result.holders[0]) == "not told"
        assert result.sentence().startswith("This system does not tell who is at the port.")


class TestArguments:
    def test_refused_when_called(self) -> None:
        with pytest.raises(
            ValueError, match="ending wanted one of server, client, reset, talking, living, but got 'x'"
        ):
            rebind_steps("x")
        with pytest.raises(ValueError, match="old wanted names among SO_REUSEADDR, SO_REUSEPORT, but got 'SO_LINGER'"):
            rebind_steps(old=("SO_LINGER",))
        with pytest.raises(ValueError, match="new wanted"):
            rebind_steps(new=("",))

    def test_an_option_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)
        with pytest.raises(NotImplementedError, match="no SO_REUSEPORT"):
            rebind_steps(new=(PORT,))


def given(ending: str, old: tuple[str, ...], new: tuple[str, ...], said: str, *states: str) -> Rebind:
    names = ("listener", "server", "client")
    holders = tuple(Holder(who, state, who != "client") for who, state in zip(names, states, strict=True))
    return Rebind(ending, old, new, holders, "bind" if said else "", said)


class TestWords:
    @pytest.mark.parametrize(
        ("result", "words"),
        [
            (given("server", (), (), "EADDRINUSE", "CLOSE", "TIME_WAIT", "CLOSE"), "neither of the two has an option"),
            (given("server", (), (ADDR,), "EADDRINUSE", "CLOSE", "TIME_WAIT", "CLOSE"), "counts where both have it"),
            (
                given("server", (ADDR,), (ADDR,), "", "CLOSE", "TIME_WAIT", "CLOSE"),
                "and nobody listens: the new server",
            ),
            (given("client", (), (), "", "CLOSE", "CLOSE", "TIME_WAIT"), "a port of its own. So the new server needs"),
            (given("client", (), (), "EADDRINUSE", "CLOSE", "CLOSE", "TIME_WAIT"), "another program has taken"),
            (given("reset", (), (), "", "CLOSE", "CLOSE", "CLOSE"), "a reset leaves no TIME-WAIT. So"),
            (given("living", (ADDR,), (ADDR,), "EADDRINUSE", "LISTEN", "ESTABLISHED", "ESTABLISHED"), "this one lives"),
            (given("living", (PORT,), (PORT,), "", "LISTEN", "ESTABLISHED", "ESTABLISHED"), "shares the port with it"),
        ],
    )
    def test_what_was_said_and_why(self, result: Rebind, words: str) -> None:
        assert words in result.sentence()

    def test_repr_has_no_port(self) -> None:
        result = given("server", (ADDR,), (), "EADDRINUSE", "CLOSE", "TIME_WAIT", "CLOSE")
        assert repr(result) == (
            "<Rebind: the old server has closed its connection first; "
            "old with SO_REUSEADDR, new with neither: EADDRINUSE>"
        )


@pytest.fixture
def panel() -> Iterator[RebindPanel]:
    panel = RebindPanel()
    yield panel
    panel.close()


@linux
class TestPanel:
    def test_two_options_are_a_cure(self, panel: RebindPanel) -> None:
        panel.run()
        assert panel.wait()
        assert panel.result.said == "EADDRINUSE"
        panel.options["old", ADDR].value = True
        panel.options["new", ADDR].value = True
        assert panel.wait()
        assert (panel.result.old, panel.result.new, panel.result.said) == ((ADDR,), (ADDR,), "")
        panel.ending.value = "living"
        assert panel.wait()
        assert "this one lives" in panel.finding(panel.result)

    def test_picture(self) -> None:
        words = re.sub(r"<[^>]*>", " ", rebind_picture(rebind("server", old=(ADDR,))))
        assert "SO_REUSEADDR (inherited)" in words
        assert "TIME-WAIT" in words
        assert "EADDRINUSE" in words
        assert "granted" in rebind_picture(rebind("client"))
