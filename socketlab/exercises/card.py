"""A verdict as a card: what JupyterLab shows under the cell, the same on each run of the same answer.

The styles stand in the tags and use JupyterLab's colours where they are there, so that the card can be read in a
stored notebook too, on light and on dark ground. Outcomes are told apart by words and signs first.
"""

from __future__ import annotations

import os
from html import escape

from .definition import Exercise
from .verdict import FAILED, NOT_ATTEMPTED, Verdict

_COLOURS = {"passed": "#009e73", "failed": "#d55e00", "not attempted": "#8c8c8c"}
_CODE = "font-family:var(--jp-code-font-family,monospace)"


def card(verdict: Verdict, exercise: Exercise | None, words: str = "") -> str:
    """The verdict as HTML; with the exercise's hints and its worked solution, unless it was passed."""
    colour = _COLOURS[verdict.outcome]
    parts = [f"<div><b>{escape(verdict.headline)}</b></div>"]
    if exercise is not None and verdict.outcome == NOT_ATTEMPTED:
        parts.append(f"<div>{_with_code(exercise.task)}</div>")
    if verdict.outcome != NOT_ATTEMPTED:
        marks = verdict.marks()
        marks += [("✗", verdict.failed_scenario)] if verdict.failed_scenario else []
        marks += [("–", name) for name in verdict.scenarios[verdict.done + 1 :]] if verdict.outcome == FAILED else []
        parts += [f'<div style="padding-left:8px">{sign} {escape(name)}</div>' for sign, name in marks]
    if verdict.outcome == FAILED:
        rows = "".join(
            f'<tr><td style="text-align:left;padding:1px 10px 1px 0;vertical-align:top">{label}</td>'
            f'<td style="text-align:left;{_CODE};white-space:pre-wrap">{escape(text)}</td></tr>'
            for label, text in verdict.details()
        )
        parts.append(f'<table style="margin:6px 0;border-collapse:collapse">{rows}</table>')
        parts.append(f"<div><b>{_with_code(verdict.cause)}</b></div><div>{_with_code(verdict.advice)}</div>")
    if exercise is not None and verdict.outcome != "passed":
        parts.append(_hints(exercise.hints))
    if exercise is not None and not _among_the_solutions():
        parts.append(f'<div style="margin-top:4px"><a href="{escape(exercise.solution)}">A worked solution</a></div>')
    if words:
        parts.append(f"<div>{escape(words)}</div>")
    style = f"border:1px solid var(--jp-border-color2,#bdbdbd);border-left:5px solid {colour};border-radius:4px"
    return f'<div style="{style};padding:6px 12px;max-width:960px">{"".join(parts)}</div>'


def _among_the_solutions() -> bool:
    """Whether the page is the worked solution itself: a kernel works in its notebook's folder."""
    try:
        return os.path.basename(os.getcwd()) == "solutions"
    except OSError:  # somebody has removed the folder
        return False


def _hints(hints: tuple[str, ...]) -> str:
    """Each hint opens the way to the next one."""
    inside = ""
    for number, hint in reversed(list(enumerate(hints, 1))):
        inside = f"<details><summary>Hint {number}</summary><div>{_with_code(hint)}</div>{inside}</details>"
    return f'<div style="margin-top:4px">{inside}</div>' if hints else ""


def _with_code(text: str) -> str:
    """Text in which `backquotes` stand around code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if n % 2 else piece for n, piece in enumerate(pieces))
