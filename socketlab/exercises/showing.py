"""Where a verdict is seen: a card in a notebook, text anywhere else; and the table of what has been passed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any

from .card import card
from .definition import Exercise
from .verdict import Verdict


def show(verdict: Verdict, exercise: Exercise, words: str = "") -> None:
    """Show the verdict under the cell that runs, or print it. `words` are a remark that does not belong to it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    text = "\n".join(filter(None, (verdict.text(), words)))
    if shell is None:
        print(text)
        return
    from IPython import display

    display.display({"text/plain": text, "text/html": card(verdict, exercise, words)}, raw=True)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Progress:
    """The exercises and which of them have been passed; shows itself at the end of a cell."""

    exercises: tuple[Exercise, ...]
    passed: frozenset[str]

    def _rows(self) -> list[tuple[str, list[tuple[str, bool]]]]:
        by_lesson = groupby(self.exercises, key=lambda exercise: exercise.lesson)
        return [(lesson, [(one.name, one.name in self.passed) for one in group]) for lesson, group in by_lesson]

    def __repr__(self) -> str:
        done = sum(one.name in self.passed for one in self.exercises)
        lines = [f"{done} of {len(self.exercises)} exercises passed"]
        for lesson, exercises in self._rows():
            lines.append(lesson)
            lines += [f"  {'✓' if has else '–'} {name}" for name, has in exercises]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        done = sum(one.name in self.passed for one in self.exercises)
        rows = "".join(
            f'<tr><td style="text-align:left;padding-right:16px"><a href="{escape(lesson)}.ipynb">{escape(lesson)}</a>'
            f'</td><td style="text-align:left">'
            + " &nbsp; ".join(f"{'✓' if has else '–'} {escape(name)}" for name, has in exercises)
            + "</td></tr>"
            for lesson, exercises in self._rows()
        )
        return f"<div><b>{done} of {len(self.exercises)} exercises passed</b><table>{rows}</table></div>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}
