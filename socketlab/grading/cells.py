"""What of a notebook is run when it is graded: the cells with exercises whole, of the others what they define.

A notebook takes minutes to run, and its panels and servers have nothing to do with the marks. An answer needs the
imports, functions, classes and constants that stand around it; so of a cell without an exercise only those are run.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_EXERCISE = re.compile(r"""^\s*@(?:\w+\.)*exercise\(\s*["'](\w+)["']\s*\)""", re.MULTILINE)
_MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)
_DEFINE = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Piece(NamedTuple):
    """A piece of a notebook to run: its place, "cell 7", its text, and the exercises that it answers."""

    place: str
    source: str
    exercises: tuple[str, ...]


def sources(path: Path) -> list[str]:
    """The code cells of a notebook. Raises ValueError for a file that is none, OSError for one that cannot be read."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
        return ["".join(cell["source"]) for cell in cells]
    except (ValueError, KeyError, TypeError) as exc:
        raise ValueError(f"this is not a notebook: {type(exc).__name__}: {exc}") from exc


def exercises_in(cells: list[str]) -> list[str]:
    """The names of the exercises that are answered, in order."""
    return [name for cell in cells for name in _EXERCISE.findall(cell)]


def pieces(cells: list[str]) -> Iterator[Piece]:
    """What is to be run, in order. A cell that is no Python (a %%magic, an unfinished line) is left out."""
    for number, cell in enumerate(cells, 1):
        names = tuple(_EXERCISE.findall(cell))
        text = "" if cell.lstrip().startswith("%%") else _MAGIC.sub("", cell)
        if names:
            yield Piece(f"cell {number}", text, names)
            continue
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        for node in tree.body:
            if isinstance(node, _DEFINE) or _is_constant(node):
                yield Piece(f"cell {number}", ast.unparse(node), ())


def _is_constant(node: ast.stmt) -> bool:
    """``SIZE = 4 * 1024``: an assignment in which nothing is called."""
    if not isinstance(node, (ast.Assign, ast.AnnAssign)):
        return False
    return not any(isinstance(part, (ast.Call, ast.Await, ast.Yield, ast.YieldFrom)) for part in ast.walk(node))
