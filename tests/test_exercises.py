"""Every exercise: its stub is not attempted, its solution passes, common wrong answers are told by name.

Exercises, stubs, solutions and mutants are found by themselves; one that lacks any of them fails here.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from mutants import Given, all_given
from share import share_of
from verdicts import Verdicts, verdicts

from socketlab.exercises import NOT_ATTEMPTED, PASSED, check
from socketlab.exercises.definition import DEADLINE, TOTAL, all_exercises
from socketlab.exercises.known import KNOWN

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
EXERCISES = all_exercises()
GIVEN = all_given()
MUTANTS = [one for one in GIVEN if one.key]
TWICE = share_of(list(EXERCISES))  # whose wrong answers are checked a second time, to compare the words
UNUSUAL = [one for one in GIVEN if not one.key]
LESSONS = sorted({one.lesson for one in EXERCISES.values()})

LADDER = "27_the_ladder"  # ten rungs, and nothing else
LEAST_MUTANTS = 3  # common wrong answers to each exercise


def cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def is_exercise(source: str) -> list[str]:
    """The names of the exercises that a cell answers."""
    return re.findall(r"""^@exercise\(["'](\w+)["']\)""", source, flags=re.MULTILINE)


@cache
def answers(path: Path) -> dict[str, Any]:
    """The answers in a notebook by name: its imports and definitions are run, and nothing else."""
    found: dict[str, Any] = {}
    names: dict[str, Any] = {"__name__": "answers"}

    def exercise(name: str) -> Any:
        def keep(answer: Any) -> Any:
            found[name] = answer
            return answer

        return keep

    for cell in cells(path):
        source = re.sub(r"^\s*(\w+ *= *)?[%!].*$", "", "".join(cell["source"]), flags=re.MULTILINE)
        if "".join(cell["source"]).startswith("%%"):
            continue
        kept = [
            node
            for node in ast.parse(source).body
            if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        ]
        names["exercise"] = exercise
        exec(compile(ast.Module(kept, []), str(path.name), "exec"), names)
    return found


def ids(given: Given) -> str:
    return given.id


class TestComplete:
    """A new exercise without its stub, its solution or its mutants fails here."""

    @pytest.mark.parametrize("name", EXERCISES)
    def test_has_a_stub_in_its_lesson(self, name: str) -> None:
        assert name in answers(NOTEBOOKS / f"{EXERCISES[name].lesson}.ipynb")

    @pytest.mark.parametrize("name", EXERCISES)
    def test_has_a_worked_solution(self, name: str) -> None:
        assert name in answers(NOTEBOOKS / "solutions" / f"{EXERCISES[name].lesson}.ipynb")

    @pytest.mark.parametrize("name", EXERCISES)
    def test_has_mutants(self, name: str) -> None:
        keys = [one.key for one in MUTANTS if one.exercise == name]
        assert len(keys) >= LEAST_MUTANTS, keys
        assert len(set(keys)) >= 2, "all of them are the same mistake"

    @pytest.mark.parametrize("name", EXERCISES)
    def test_every_misconception_has_a_mutant(self, name: str) -> None:
        keys = {one.key for one in MUTANTS if one.exercise == name}
        assert not [known.key for known in EXERCISES[name].misconceptions if known.key not in keys]

    @pytest.mark.parametrize("name", EXERCISES)
    def test_says_what_is_wanted(self, name: str) -> None:
        found = EXERCISES[name]
        assert found.task.endswith(".")
        assert len(found.hints) >= 2
        assert len(found.scenarios) >= 2
        assert 0 < found.deadline <= DEADLINE <= TOTAL <= 3.0
        for words in (found.task, *found.hints, *(known.advice for known in found.misconceptions)):
            assert "!" not in re.sub(r"`[^`]*`|!=", "", words)

    @pytest.mark.parametrize("lesson", LESSONS)
    def test_a_lesson_has_an_unusual_answer(self, lesson: str) -> None:
        assert [one for one in UNUSUAL if EXERCISES[one.exercise].lesson == lesson]

    @pytest.mark.parametrize("lesson", LESSONS)
    def test_a_lesson_has_two_to_four(self, lesson: str) -> None:
        most = 10 if lesson == LADDER else 4
        assert 2 <= sum(one.lesson == lesson for one in EXERCISES.values()) <= most

    def test_every_answer_is_to_an_exercise(self) -> None:
        for one in GIVEN:
            assert one.exercise in EXERCISES, one
        for path in sorted([*NOTEBOOKS.glob("[0-9]*.ipynb"), *NOTEBOOKS.glob("solutions/*.ipynb")]):
            lesson = [name for cell in cells(path) for name in is_exercise("".join(cell["source"]))]
            assert not [name for name in lesson if EXERCISES[name].lesson != path.stem]
            assert not [name for name, times in Counter(lesson).items() if times > 1]

    def test_keys_are_told_apart(self) -> None:
        common = {one.key for one in KNOWN}
        for found in EXERCISES.values():
            assert not common & {one.key for one in found.misconceptions}


@pytest.fixture(scope="module")
def given_verdicts() -> Iterator[Verdicts]:
    with verdicts(TWICE) as found:
        yield found


def lasting(words: str) -> str:
    """What must not change: how often a loop has turned when its time was over may, and in which line it was then."""
    words = re.sub(r"[\d,]+ times", "n times", words)
    return re.sub(r"line \d+: .*", "line n", words) if "nothing in time" in words else words


class TestAnswers:
    @pytest.mark.parametrize("name", EXERCISES)
    def test_the_stub_is_not_attempted(self, name: str) -> None:
        stub = answers(NOTEBOOKS / f"{EXERCISES[name].lesson}.ipynb")[name]
        assert check(name, stub).outcome == NOT_ATTEMPTED

    @pytest.mark.parametrize("name", EXERCISES)
    def test_the_solution_passes(self, name: str) -> None:
        verdict = check(name, answers(NOTEBOOKS / "solutions" / f"{EXERCISES[name].lesson}.ipynb")[name])
        assert verdict.outcome == PASSED, verdict.text()
        assert verdict.done == len(EXERCISES[name].scenarios)

    @pytest.mark.parametrize("given", UNUSUAL, ids=ids)
    def test_an_unusual_answer_passes(self, given_verdicts: Verdicts, given: Given) -> None:
        verdict = given_verdicts.on(given)
        assert verdict.outcome == PASSED, verdict.text()

    @pytest.mark.parametrize("given", MUTANTS, ids=ids)
    def test_a_mutant_fails_with_its_misconception(self, given_verdicts: Verdicts, given: Given) -> None:
        verdict = given_verdicts.on(given)
        assert (verdict.outcome, verdict.key) == ("failed", given.key), verdict.text()
        assert verdict.cause
        assert verdict.advice
        assert verdict.expected
        # No port, no address, no descriptor: notebooks store these words.
        assert not re.search(r"127\.0\.0\.1:\d|fd=\d|0x[0-9a-f]{6}", verdict.text()), verdict.text()

    @pytest.mark.parametrize("given", [one for one in MUTANTS if one.exercise in TWICE], ids=ids)
    def test_a_mutant_fails_with_the_same_words_each_time(self, given_verdicts: Verdicts, given: Given) -> None:
        first, second = (given_verdicts.on(given, time).text() for time in (0, 1))
        assert lasting(first) == lasting(second)
