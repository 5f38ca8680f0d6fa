"""What is said of an answer before it is tried: the stub, and what is no such function as is wanted."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import taking

from socketlab.exercises import FAILED, NOT_ATTEMPTED, check, definition, exercise
from socketlab.exercises.examine import examine

TAKE = taking.exercise()


class Repr:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


def one(sock: Any) -> Any:
    return sock


def named(sock: Any, *, size: int) -> Any:
    return sock


async def coroutine(sock: Any, size: int) -> Any:
    return sock


async def async_generator(sock: Any, size: int) -> AsyncIterator[Any]:
    yield sock


def generator(sock: Any, size: int) -> Iterator[Any]:
    yield sock


class Coroutine:
    async def __call__(self, sock: Any, size: int) -> Any:
        return sock


class Generator:
    def __call__(self, sock: Any, size: int) -> Iterator[Any]:
        yield sock


class Method:
    def take(self, sock: Any, size: int) -> Any:
        return sock

    async def later(self, sock: Any, size: int) -> Any:
        return sock


class Called:
    def __call__(self, sock: Any, size: int, *more: Any) -> Any:
        return sock


class Made:
    def __init__(self, sock: Any, size: int) -> None:
        self.sock = sock


def stub_with_docstring(sock: Any, size: int) -> Any:
    """What is wanted."""


def stub_with_dots(sock: Any, size: int) -> Any: ...


def stub_with_pass(sock: Any, size: int) -> Any:
    pass


def stub_with_none(sock: Any, size: int) -> Any:
    return None


def stub_of_no_arguments() -> None:
    """What is wanted."""


WRONG = {
    "a number": (5, "no-function"),
    "nothing": (None, "no-function"),
    "one without words": (Repr(), "no-function"),
    "one argument": (one, "signature"),
    "only by name": (named, "signature"),
    "a method without its self": (Method.take, "signature"),
    "a lambda of three": (lambda a, b, c: a, "signature"),
    "a partial too many": (functools.partial(one, 1), "signature"),
    "coroutine": (coroutine, "coroutine"),
    "coroutine of an object": (Coroutine(), "coroutine"),
    "coroutine of a method": (Method().later, "coroutine"),
    "coroutine of a partial": (functools.partial(coroutine), "coroutine"),
    "async generator": (async_generator, "coroutine"),
    "generator": (generator, "generator"),
    "generator of an object": (Generator(), "generator"),
}

CAN_BE_TRIED = [
    taking.right, Method().take, Called(), Made, functools.partial(lambda a, b, c: a, 1), functools.partial(Called()),
    functools.lru_cache(taking.right), lambda *arguments: None or arguments, divmod,
]  # fmt: skip


class TestExamine:
    @pytest.mark.parametrize("what", WRONG)
    def test_what_is_wrong_is_told(self, what: str) -> None:
        answer, key = WRONG[what]
        verdict = examine(TAKE, answer)
        assert verdict is not None
        assert (verdict.outcome, verdict.key, verdict.done) == (FAILED, key, 0)
        assert verdict.expected == "take(sock, size)"
        assert verdict.cause
        assert verdict.advice
        assert " at 0x" not in verdict.text()

    def test_a_signature_says_which_is_wanted_and_which_came(self) -> None:
        text = check_text(one)
        assert "take(sock, size)" in text
        assert "one(sock" in text
        assert "2 arguments" in text

    @pytest.mark.parametrize(
        "stub",
        [stub_with_docstring, stub_with_dots, stub_with_pass, stub_with_none, stub_of_no_arguments],
        ids=lambda f: f.__name__,
    )
    def test_a_stub_is_not_attempted(self, stub: Any) -> None:
        verdict = examine(TAKE, stub)
        assert verdict is not None
        assert verdict.outcome == NOT_ATTEMPTED

    @pytest.mark.parametrize("answer", CAN_BE_TRIED, ids=lambda a: type(a).__name__)
    def test_what_can_be_called_so_is_tried(self, answer: Any) -> None:
        assert examine(TAKE, answer) is None


def check_text(answer: Any) -> str:
    verdict = examine(TAKE, answer)
    assert verdict is not None
    return verdict.text()


class TestNames:
    @pytest.fixture(autouse=True)
    def registered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        definition.all_exercises()
        monkeypatch.setitem(definition._found, "recv_as_told", TAKE)

    @pytest.mark.parametrize("name", ["recv_as_tald", "Recv_as_told", "recv_as"])
    def test_an_unknown_name_suggests_the_near_one(self, name: str) -> None:
        with pytest.raises(LookupError, match=f"no exercise '{name}'; did you mean 'recv_as_told'"):
            exercise(name)
        with pytest.raises(LookupError, match="did you mean 'recv_as_told'"):
            check(name, one)

    def test_one_that_is_like_none_lists_all(self) -> None:
        with pytest.raises(LookupError, match="there are: .*recv_as_told"):
            exercise("qqqqqqqqqqq")

    def test_a_decorator_without_its_name(self) -> None:
        with pytest.raises(TypeError, match="wants the name of its exercise: @exercise"):
            exercise(one)  # type: ignore[arg-type]

    def test_a_notebook_may_have_any_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An exercise is known by its own name, and by nothing of the place where the answer stands."""
        names = {"__name__": "renamed", "exercise": exercise}
        exec("@exercise('recv_as_told')\ndef other_name(sock, size): ...", names)
        assert capsys.readouterr().out == "take: not attempted\n"
        assert callable(names["other_name"])
