"""Answers that are coroutines: stubs, what is no coroutine, and those that hang."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from socketlab.exercises import NOT_ATTEMPTED, check


async def does_nothing(writer: Any, chunks: Any) -> None:
    pass


async def only_a_docstring(writer: Any, chunks: Any) -> None:
    """Nothing yet."""


async def a_generator(writer: Any, chunks: Any) -> Any:
    yield 1


async def waits_for_nobody(writer: Any, chunks: Any) -> int:
    await asyncio.get_running_loop().create_future()
    return 0


async def blocks(writer: Any, chunks: Any) -> int:
    time.sleep(10)
    return 0


async def too_few() -> None:
    await asyncio.sleep(0)


def test_stubs_are_not_attempted() -> None:
    for stub in (does_nothing, only_a_docstring):
        assert check("send_chunks", stub).outcome == NOT_ATTEMPTED


def test_a_generator_cannot_be_awaited() -> None:
    assert check("send_chunks", a_generator).key == "generator"


def test_the_signature_counts() -> None:
    assert check("send_chunks", too_few).key == "signature"


def test_a_coroutine_is_no_answer_to_an_ordinary_exercise() -> None:
    assert check("recv_exactly", waits_for_nobody).key == "coroutine"


def test_an_answer_that_hangs_is_told_with_its_line() -> None:
    verdict = check("send_chunks", waits_for_nobody)
    assert verdict.came == "nothing within 1 s"
    assert "create_future()" in verdict.text()


def test_an_answer_that_blocks_the_loop_ends_with_its_time() -> None:
    verdict = check("send_chunks", blocks)
    assert verdict.key == "asleep"
    assert "time.sleep(10)" in verdict.text()
