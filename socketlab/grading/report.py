"""Grades as a table for the screen, as CSV for a spreadsheet, and as JUnit XML for a CI server."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

from ..exercises import FAILED, NOT_ATTEMPTED, PASSED
from .grade import Grade

SIGNS = {PASSED: "✓", FAILED: "✗", NOT_ATTEMPTED: "–", "missing": "–", "error": "!"}

# What JUnit calls the outcomes; any other is an error.
_KINDS = {PASSED: "", FAILED: "failure", NOT_ATTEMPTED: "skipped", "missing": "skipped"}


def names(grades: Sequence[Grade]) -> list[str]:
    """What each notebook is called: its path, without what all have in common."""
    paths = [one.path.resolve() for one in grades]
    if len(paths) < 2:
        return [_in_a_line(path.name) for path in paths]
    common = Path(os.path.commonpath([str(path.parent) for path in paths]))
    return [_in_a_line(str(path.relative_to(common))) for path in paths]


def columns(grades: Sequence[Grade]) -> list[str]:
    """The exercises of all notebooks, each once, in order."""
    return list(dict.fromkeys(mark.exercise for one in grades for mark in one.marks))


def table(grades: Sequence[Grade]) -> str:
    """One row a notebook: its points, a sign for each exercise, and the remark."""
    exercises = columns(grades)
    called = names(grades)
    wide = max([len(name) for name in called], default=8)
    rows = [f"{'notebook':<{wide}}  points  " + "  ".join(exercises)]
    for one, name in zip(grades, called, strict=True):
        signs = {mark.exercise: SIGNS.get(mark.outcome, "!") for mark in one.marks}
        marks = "  ".join(f"{signs.get(exercise, ' '):<{len(exercise)}}" for exercise in exercises)
        points = f"{one.points} of {len(one.marks)}"
        rows.append(f"{name:<{wide}}  {points:<6}  {marks}  {_in_a_line(one.remark)}".rstrip())
    rows.append("✓ passed   ✗ not yet   – not attempted   ! could not be checked")
    return "\n".join(rows)


def as_csv(grades: Sequence[Grade]) -> str:
    """A line a notebook: points, outcome of each exercise, remark."""
    exercises = columns(grades)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["notebook", "points", "of", *exercises, "remark"])
    for one, name in zip(grades, names(grades), strict=True):
        outcome = {mark.exercise: mark.outcome for mark in one.marks}
        marks = (outcome.get(exercise, "") for exercise in exercises)
        cells = [name, one.points, len(one.marks), *marks, _printable(one.remark)]
        writer.writerow([_plain(cell) for cell in cells])
    return out.getvalue()


def as_junit(grades: Sequence[Grade]) -> str:
    """A test suite a notebook, a test case an exercise."""
    root = ElementTree.Element("testsuites", name="socketlab")
    for one, name in zip(grades, names(grades), strict=True):
        kinds = [_KINDS.get(mark.outcome, "error") for mark in one.marks]
        suite = ElementTree.SubElement(
            root, "testsuite", name=name, tests=str(len(kinds)), failures=str(kinds.count("failure")),
            errors=str(kinds.count("error")), skipped=str(kinds.count("skipped")), time=f"{one.seconds:.3f}",
        )  # fmt: skip
        for mark, kind in zip(one.marks, kinds, strict=True):
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=mark.exercise)
            if kind:
                said = _printable(mark.words or mark.outcome)
                ElementTree.SubElement(case, kind, message=said, type=_printable(mark.key))
        if one.remark:
            ElementTree.SubElement(suite, "system-out").text = _printable(one.remark)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _plain(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in tuple("=+-@\t\r\n") else cell


def _in_a_line(text: str) -> str:
    return _printable(" ".join(text.split()))


def _printable(text: str) -> str:
    """Without the control characters that XML 1.0 has no way to write."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
