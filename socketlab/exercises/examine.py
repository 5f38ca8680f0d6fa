"""What can be said of an answer before it is tried: that it is still the stub, or no such function as is wanted."""

from __future__ import annotations

import dis
import functools
import inspect
from typing import Any

from .definition import Exercise
from .verdict import FAILED, NOT_ATTEMPTED, Verdict
from .words import shown

_NOTHING = {"RESUME", "NOP", "POP_TOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "LOAD_SMALL_INT", "NOT_TAKEN"}
_OF_COROUTINES = {"RETURN_GENERATOR", "GEN_START", "CALL_INTRINSIC_1", "RERAISE"}  # every one of them has these


def examine(exercise: Exercise, answer: Any) -> Verdict | None:
    """A verdict, where there is nothing to try; None where the answer can be tried."""
    names = tuple(exercise.scenarios)

    def wrong(key: str, came: str, cause: str, advice: str) -> Verdict:
        return Verdict(exercise.name, FAILED, names, 0, exercise.wants, came, "", key, cause, advice)

    if not callable(answer):
        came = f"{type(answer).__name__} {shown(answer)}"
        return wrong("no-function", came, "This is nothing that can be called.", f"Define {exercise.wants}.")
    if inspect.isfunction(answer) and _is_stub(answer):
        return Verdict(exercise.name, NOT_ATTEMPTED, names)
    runs = answer if inspect.isroutine(answer) or isinstance(answer, (type, functools.partial)) else answer.__call__
    if exercise.awaits and inspect.isasyncgenfunction(runs):
        cause = "An `async def` with a `yield` makes a generator, which nobody can await."
        return wrong("generator", "an asynchronous generator", cause, "Use `return` for what it has found.")
    if not exercise.awaits and (inspect.iscoroutinefunction(runs) or inspect.isasyncgenfunction(runs)):
        cause = "An `async def` returns a coroutine when it is called, and runs nothing."
        return wrong("coroutine", "a coroutine function", cause, "Write an ordinary `def`; it may call asyncio.run().")
    if inspect.isgeneratorfunction(runs) and not exercise.yields:
        cause = "A function with a `yield` returns a generator when it is called, and runs nothing."
        return wrong("generator", "a generator function", cause, "Use `return` for what it has found.")
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):
        return None  # a builtin: it will show what it takes
    try:
        signature.bind(*exercise.parameters)
    except TypeError as exc:
        name = getattr(answer, "__name__", type(answer).__name__)
        count = len(exercise.parameters)
        cause = f"It cannot be called with {count} {'argument' if count == 1 else 'arguments'}: {exc}."
        return wrong("signature", f"{name}{signature}", cause, f"Define {exercise.wants}.")
    return None


def _is_stub(function: Any) -> bool:
    """Whether its body does nothing: `pass`, `...` or a docstring."""
    nothing = _NOTHING | _OF_COROUTINES if inspect.iscoroutinefunction(function) else _NOTHING
    for instruction in dis.get_instructions(function):
        if instruction.opname not in nothing:
            return False
        constant = instruction.opname in ("LOAD_CONST", "RETURN_CONST")
        if constant and instruction.argval is not None and instruction.argval is not Ellipsis:
            return False
    return True
