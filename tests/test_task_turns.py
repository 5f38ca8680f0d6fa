"""Turns of tasks: what the clock around each coroutine sees, what it passes on, and the picture."""

from __future__ import annotations

import asyncio
import time

import pytest

from socketlab.experiments.waiting.task_turns import TaskTurns, draw_task_turns, finding, task_turns
from socketlab.measure import Span

pytestmark = pytest.mark.usefixtures("nothing_left")


async def naps(times: int) -> str:
    for _ in range(times):
        await asyncio.sleep(0)
    return "awake"


async def keeps_its_turn(seconds: float) -> None:
    await asyncio.sleep(0)
    time.sleep(seconds)


class TestTurns:
    def test_one_turn_more_than_waits(self) -> None:
        turns = asyncio.run(task_turns({"three": naps(2), "one": naps(0)}))
        assert [span.lane for span in turns.spans] == ["three", "one", "three", "three"]
        assert turns.results == {"three": "awake", "one": "awake"}

    def test_the_longest_is_the_one_that_blocks(self) -> None:
        turns = asyncio.run(task_turns({"polite": naps(3), "rude": keeps_its_turn(0.05)}))
        assert turns.longest is not None
        assert turns.longest.lane == "rude"
        assert turns.busy("rude") >= 0.05
        assert turns.seconds >= turns.busy("rude") + turns.busy("polite")

    def test_times_go_on(self) -> None:
        turns = asyncio.run(task_turns({"a": naps(5), "b": naps(5)}))
        for name in turns.names:
            spans = [span for span in turns.spans if span.lane == name]
            assert [span.start for span in spans] == [0.0, *(span.end for span in spans[:-1])]

    def test_an_exception_comes_out_and_the_others_end(self) -> None:
        ended = []

        async def long() -> None:
            try:
                await asyncio.sleep(10)
            finally:
                ended.append("long")

        async def broken() -> None:
            await asyncio.sleep(0)
            raise LookupError("broken")

        with pytest.raises(LookupError, match="broken"):
            asyncio.run(task_turns({"long": long(), "broken": broken()}))
        assert ended == ["long"]

    def test_a_timeout_goes_through(self) -> None:
        async def patient() -> str:
            try:
                await asyncio.wait_for(asyncio.sleep(10), 0.01)
            except asyncio.TimeoutError:
                return "caught"
            return "not reached"

        assert asyncio.run(task_turns({"patient": patient()})).results == {"patient": "caught"}

    def test_absurd_arguments_are_told(self) -> None:
        with pytest.raises(ValueError, match="at least one coroutine"):
            asyncio.run(task_turns({}))
        with pytest.raises(TypeError, match="wanted a coroutine for 'a', but got 1"):
            asyncio.run(task_turns({"a": 1}))  # type: ignore[dict-item]


KNOWN = TaskTurns(
    ("a", "b"), (Span("a", "", 0.0, 0.001, 0.0), Span("b", "", 0.0, 0.5, 0.1), Span("a", "", 0.001, 0.6, 0.55)), {}
)


class TestPicture:
    def test_words(self) -> None:
        assert finding(KNOWN) == "b keeps its turn for 400 ms, and another one waits"
        assert finding(TaskTurns((), (), {})) == "No task had a turn"

    def test_a_row_for_each(self) -> None:
        (ax,) = draw_task_turns(KNOWN).axes
        assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
        assert "400 ms" in [text.get_text() for text in ax.texts]

    def test_nothing_to_draw(self) -> None:
        with pytest.raises(ValueError, match="at least one turn"):
            draw_task_turns(TaskTurns(("a",), (), {}))
