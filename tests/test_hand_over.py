"""Descriptors handed to another process: who holds what at each stage, the words, and the panel."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import product

import pytest
from leftovers import nothing_left

from socketlab.experiments.passing import handing
from socketlab.experiments.passing.handing import STAGES, Handing, Held, Stage, hand_over, hand_over_steps
from socketlab.panels.hand_over import HandOverPanel, hand_over_picture

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")
passes = pytest.mark.skipif(not hasattr(socket, "SCM_RIGHTS"), reason="this platform passes no descriptors")


@passes
class TestMeasured:
    @pytest.mark.parametrize("closes", [True, False], ids=["closed", "kept"])
    def test_where_each_is(self, closes: bool) -> None:
        result = hand_over(2, closes=closes)
        assert tuple(stage.name for stage in result.stages) == STAGES
        before, sent, received, after = (stage.held for stage in result.stages)
        assert all(one.here is not None and one.there is None and not one.under_way for one in before)
        assert all(one.under_way and (one.here is None) == closes for one in sent)
        assert all(one.there is not None and (one.here is None) == closes for one in received)
        assert all(one.ended == closes and one.nobody == closes for one in after)
        assert not any(one.ended for one in (*before, *sent, *received)), "it lives on in the message"
        assert (result.received, result.truncated) == (2, False)

    @pytest.mark.parametrize(("sent", "room"), [(3, 1), (4, 3), (2, 0), (1, 1), (1, 4)])
    def test_room(self, sent: int, room: int) -> None:
        result = hand_over(sent, room=room)
        assert result.received == min(sent, room), "CMSG_LEN is exact"
        assert result.truncated == (sent > room)
        assert [one.ended for one in result.stages[2].held] == [n >= room for n in range(sent)]

    def test_an_ordinary_recv(self) -> None:
        result = hand_over(2, call="recv")
        assert (result.received, result.truncated, result.inheritable) == (0, False, None)
        assert all(one.ended for one in result.stages[2].held)

    @pytest.mark.skipif(sys.platform != "linux", reason="MSG_CMSG_CLOEXEC is Linux's")
    def test_inheritable_unless_asked(self) -> None:
        assert [hand_over(1, cloexec=asked).inheritable for asked in (False, True)] == [True, False]

    def test_stopped_at_each_stage(self) -> None:
        for stage in range(len(STAGES)):
            with nothing_left(), closing(hand_over_steps(3)) as steps:
                for _, result in steps:
                    if len(result.stages) > stage:
                        break

    def test_the_other_process_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(handing, "_OTHER", "import os; os.read(0, 1)")
        with nothing_left(), pytest.raises(RuntimeError, match="ended without an answer"):
            hand_over()

    def test_no_process_can_be_started(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        monkeypatch.setattr(subprocess, "Popen", refuse)
        with nothing_left(), pytest.raises(BlockingIOError):
            hand_over()


class TestArguments:
    def test_refused_when_called(self) -> None:
        with pytest.raises(ValueError, match="sent wanted a whole number of descriptors from 1 to 4, but got 5"):
            hand_over_steps(5)
        with pytest.raises(ValueError, match="room wanted"):
            hand_over_steps(room=-1)
        with pytest.raises(ValueError, match="call wanted one of recvmsg, recv, but got 'read'"):
            hand_over_steps(call="read")

    def test_a_system_that_passes_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(socket, "SCM_RIGHTS", raising=False)
        with pytest.raises(NotImplementedError, match="passes no descriptors"):
            hand_over_steps()


HERE, WAY, THERE, ENDED = (
    Held(7, False, None, False),
    Held(None, True, None, False),
    Held(None, False, 3, False),
    Held(None, False, None, True),
)


def given(*stages: tuple[Held, ...], room: int = 2, closes: bool = True, call: str = "recvmsg") -> Handing:
    """As if it had happened so."""
    named = tuple(Stage(name, held) for name, held in zip(STAGES, stages, strict=False))
    sent = len(stages[0])
    truncated = call == "recvmsg" and sent > room
    return Handing(sent, room, closes, call, False, named, truncated, True if room and call == "recvmsg" else None)


class TestWords:
    @pytest.mark.parametrize(
        ("result", "words"),
        [
            (given((HERE, HERE)), "This process holds 2 sockets; the other one knows nothing of them."),
            (given((HERE,), (WAY,)), "Sent, and not received by now: the socket is in the message alone."),
            (given((HERE,), (HERE,), closes=False), "the socket is here, and in the message."),
            (
                given((HERE,), (WAY,), (THERE,)),
                "recvmsg() returned a number, inherited by the programs that it starts.",
            ),
            (given((HERE,) * 3, (WAY,) * 3, (THERE, THERE, ENDED)), "and the kernel has closed one of the 3 sockets"),
            (
                given((HERE,) * 3, (HERE,) * 3, (HERE,) * 3, room=0, closes=False),
                "all of the 3 sockets stay here alone",
            ),
            (given((HERE,), (WAY,), (ENDED,), call="recv"), "the kernel has closed the socket for good, since nobody"),
            (given((HERE,), (HERE,), (HERE,), closes=False, call="recv"), "the socket stays here alone."),
        ],
    )
    def test_what_has_happened(self, result: Handing, words: str) -> None:
        assert words in result.sentence()

    def test_repr_has_no_number(self) -> None:
        result = given((HERE,) * 3, (WAY,) * 3, (THERE, THERE, ENDED))
        assert repr(result) == "<Handing: 3 sent, recvmsg, room for 2: 2 received, MSG_CTRUNC>"

    def test_picture(self) -> None:
        picture = hand_over_picture(given((HERE,) * 3, (WAY,) * 3, (THERE, THERE, ENDED)))
        rows = [re.sub(r"<[^>]*>", " ", row).split() for row in picture.split("<tr>")[2:]]
        assert rows[0][:4] == ["this", "process", "A", "="]
        assert rows[1] == ["on", "the", "way", "A", "B", "C"]
        assert rows[2] == ["the", "other", "process", "A", "=", "3", "B", "=", "3"]
        assert rows[3] == ["closed", "C"]


@pytest.fixture
def panel() -> Iterator[HandOverPanel]:
    panel = HandOverPanel()
    yield panel
    panel.close()


@passes
class TestPanel:
    def test_a_moved_control_hands_over_again(self, panel: HandOverPanel) -> None:
        panel.run()
        assert panel.wait()
        assert panel.result.received == 2
        panel.room.value = 1
        assert panel.wait()
        assert (panel.result.received, panel.result.truncated) == (1, True)
        assert "MSG_CTRUNC" in panel.finding(panel.result)

    def test_every_value_of_the_controls_makes_sense(self, panel: HandOverPanel) -> None:
        for sent, room, call in product((1, 4), (0, 4), ("recvmsg", "recv")):
            panel.sent.value, panel.room.value, panel.call.value = sent, room, call
            with closing(panel.steps()) as steps:
                assert next(steps)
        assert panel.wait()
