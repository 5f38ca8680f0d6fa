"""Runs in a process of its own: the code cells of a notebook, those that are traced again and again.

It is imported once, by the process that the others are forked from (test_traced_cells.py says why there are others),
so it imports what the setup cells of the course need, and what draws.
"""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections import Counter
from contextlib import redirect_stdout
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets  # noqa: F401 (see above)
import matplotlib.pyplot  # noqa: F401
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import socketlab.ipython
import socketlab.measure.plots
import socketlab.trace.views.ladder_text
import socketlab.trace.views.timeline  # noqa: F401
from socketlab.trace import trace

FEWEST = 2  # runs of each cell, however late it is


class Step(NamedTuple):
    """A code cell on the way. `views` is empty for one that is not traced; `texts` is what the notebook has stored.

    `below` are the sources of the cells that show something of this cell's trace by its name.
    """

    source: str
    where: str
    may_raise: bool
    views: tuple[str, ...] = ()
    name: str = ""
    below: tuple[str, ...] = ()
    texts: tuple[str | None, ...] = ()


class CellRaised(Exception):
    """A traced cell has raised what it does not announce; the words include its ladder up to there."""


class Seen(NamedTuple):
    """What the runs of a traced cell have shown: how often which texts; and what went wrong, if anything did."""

    where: str
    stored: tuple[str | None, ...]
    shown: Counter[tuple[str, ...]]
    others: int  #: ladders that differ although the cell does not show one
    trouble: str
    seconds: float


def run(steps: list[Step], folder: Path, times: int, seconds: float, results: Connection) -> None:
    """Run the steps in an IPython of this process, the traced ones `times` times, or fewer where `seconds` are short.

    Sends where a traced cell stands before it runs and `Seen` thereafter, and None at the end.
    """
    os.chdir(folder)
    asyncio.set_event_loop(asyncio.new_event_loop())
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}), colors="NoColor")
    to_come = sum(bool(step.views) for step in steps)
    for step in steps:
        with redirect_stdout(io.StringIO()) as printed:
            if step.views:
                results.send(step.where)
                seen = _again_and_again(shell, step, times, seconds / to_come, printed)
                seconds, to_come = seconds - seen.seconds, to_come - 1
                results.send(seen)
            elif _failed(shell.run_cell(step.source, silent=True), step):
                results.send(Seen(step.where, (), Counter(), 0, f"it raised, once:\n{printed.getvalue()}", 0.0))
                return
    results.send(None)


def _again_and_again(shell: Any, step: Step, times: int, seconds: float, printed: io.StringIO) -> Seen:
    shown: Counter[tuple[str, ...]] = Counter()
    ladders: set[str] = set()
    trouble = ""
    begun = time.monotonic()
    while shown.total() < times and (shown.total() < FEWEST or time.monotonic() - begun < seconds):
        try:
            ladder, texts = _once(shell, step)
        except Exception as error:
            words = str(error) if isinstance(error, CellRaised) else repr(error)
            trouble = f"run {shown.total() + 1} ended in {words}\n{printed.getvalue()}"
            break
        ladders.add(ladder)
        shown[texts] += 1
        printed.truncate(0)
    return Seen(step.where, step.texts, shown, max(0, len(ladders) - 1), trouble, time.monotonic() - begun)


def _once(shell: Any, step: Step) -> tuple[str, tuple[str, ...]]:
    """The ladder of one run as text, and the texts of what the notebook shows of it. Raises CellRaised."""
    with trace(step.name) as t:
        result = shell.run_cell(step.source, silent=True)
    if _failed(result, step):
        raise CellRaised(f"{result.error_before_exec or result.error_in_exec!r}, after\n{t.text()}")
    shell.user_ns["_trace"] = t
    if step.name:
        shell.user_ns[step.name] = t
    texts = [repr(t if view == "ladder" else getattr(t, view)()) for view in step.views]
    for source in step.below:
        value = shell.run_cell(source, store_history=False)
        value.raise_error()
        if value.result is not None:
            texts.append(shell.display_formatter.format(value.result, include={"text/plain"})[0]["text/plain"])
    return t.text(), tuple(texts)


def _failed(result: Any, step: Step) -> bool:
    return not result.success and not (step.may_raise and result.error_before_exec is None)
