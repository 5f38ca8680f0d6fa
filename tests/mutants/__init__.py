"""Answers that people give: common wrong ones, each with the misconception behind it, and right ones of another style.

One file per notebook, found by itself. `@mutant("recv_exactly", "one-recv")` says that the function below must fail
with that key; `@unusual("recv_exactly")` that it must pass.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

Answer = TypeVar("Answer")


class Given(NamedTuple):
    """An answer to an exercise. `key` is the misconception that must be named, "" where it must pass."""

    exercise: str
    key: str
    answer: Any

    @property
    def id(self) -> str:
        return f"{self.exercise}-{self.answer.__name__}"


_given: list[Given] = []


def mutant(exercise: str, key: str) -> Callable[[Answer], Answer]:
    """The function below is a wrong answer to `exercise`, and `key` is the misconception behind it."""

    def add(answer: Answer) -> Answer:
        _given.append(Given(exercise, key, answer))
        return answer

    return add


def unusual(exercise: str) -> Callable[[Answer], Answer]:
    """The function (or class) below is a right answer to `exercise`, in a style that the solution does not have."""
    return mutant(exercise, "")


def all_given() -> list[Given]:
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        import_module(f"{__name__}.{module.name}")
    return list(_given)
