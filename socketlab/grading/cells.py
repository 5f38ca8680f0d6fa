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

_EXERCISE = re.compile(r"""^\s*@(?:\w+\.)*exercise\(\s*(?:name\s*=\s*)?["'](\w+)["']\s*,?\s*\)""", re.MULTILINE)
_MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)
_TOO_MUCH = (SyntaxError, ValueError, RecursionError, MemoryError)  # what the parser says of no Python, or too deep
_LARGEST = 1 << 26  # bytes of a notebook that is read
_DEFINE = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Piece(NamedTuple):
    """A piece of a notebook to run: its place, "cell 7", its text, and the exercises that it answers."""

    place: str
    source: str
    exercises: tuple[str, ...]


def sources(path: Path) -> list[str]:
    """The code cells of a notebook. Raises ValueError for a file that is none, OSError for one that cannot be read."""
    if not path.is_file():  # a pipe, say, in which nothing ever comes
        raise ValueError("this is not a file")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"this is not a notebook: it has more than {_LARGEST >> 20} MiB")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
        return ["".join(cell["source"]) for cell in cells]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise ValueError(f"this is not a notebook: {type(exc).__name__}: {exc}") from exc


def exercises_in(cells: list[str]) -> list[str]:
    """The names of the exercises that are answered, in order."""
    return [name for cell in cells for name in _EXERCISE.findall(cell)]


def pieces(cells: list[str]) -> Iterator[Piece]:
    """What is to be run, in order. Lines of magic are left out, and cells that are no Python even so."""
    for number, cell in enumerate(cells, 1):
        names = tuple(_EXERCISE.findall(cell))
        if names:
            yield Piece(f"cell {number}", cell if _is_python(cell) else _MAGIC.sub("", cell), names)
            continue
        try:
            tree = ast.parse(cell if _is_python(cell) else _MAGIC.sub("", cell))
        except _TOO_MUCH:
            continue
        for node in tree.body:
            if isinstance(node, _DEFINE) or _is_constant(node):
                yield Piece(f"cell {number}", ast.unparse(node), ())


def _is_python(cell: str) -> bool:
    """Whether a cell can be taken as it stands: a line that begins with % may belong to a sum that began above."""
    try:
        ast.parse(cell)
    except _TOO_MUCH:
        return False
    return True


def _is_constant(node: ast.stmt) -> bool:
    """``SIZE = 4 * 1024``: an assignment in which nothing is called."""
    if not isinstance(node, (ast.Assign, ast.AnnAssign)):
        return False
    return not any(isinstance(part, (ast.Call, ast.Await, ast.Yield, ast.YieldFrom)) for part in ast.walk(node))
