"""A note under a cell that wants a name nobody has made yet: which cell of this notebook makes it.

People run the last cell first, or come back the next day to a new kernel. Python then says that a name is not defined;
the notebook's file says where it would have been. Jupyter's server tells the kernel what the file is called
(``JPY_SESSION_NAME``), and starts the kernel in its folder. Where there is no such file, nothing is said.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from .quiet import is_quiet
from .sockets import REGISTER

_MOST = 32 * 1024 * 1024  # bytes of a notebook that is looked through


class Maker(NamedTuple):
    """The cell that makes a name: its first line, the heading above it, and whether it is the notebook's first one."""

    line: str
    heading: str
    first: bool


def note(result: Any) -> None:
    """The hook after each run: put a note under a cell that has failed for want of a name."""
    error = result.error_in_exec
    if is_quiet() or not result.info.store_history or type(error) is not NameError or not _in_a_cell(error):
        return
    try:
        text = sentence(error.name or "", result.info.raw_cell)
    except Exception:  # whatever the file holds: a note is a courtesy
        return
    if text:
        from IPython.display import publish_display_data

        html = f'<div class="socketlab-note">{escape(text, quote=False)}</div>'
        publish_display_data({"text/plain": text, "text/html": html})  # type: ignore[no-untyped-call]


def sentence(name: str, running: str) -> str:
    """What to run before the cell `running`, which has no `name`; "" where this notebook does not tell."""
    found = maker(name, running, _notebook())
    if found is None:
        return ""
    if found.first:
        return f"{name} comes from the first cell of this notebook: run that one, then this one again."
    under = f", under “{found.heading}”" if found.heading else ""
    return f"{name} comes from the cell that begins with “{found.line}”{under}: run that one, then this one again."


def maker(name: str, running: str, notebook: dict[str, Any]) -> Maker | None:
    """The first code cell of `notebook`, other than the one that is `running`, which binds `name` at its top level."""
    heading, first = "", True
    for cell in notebook.get("cells", ()):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            titles = re.findall(r"^#{1,6} +(.+)$", source, re.MULTILINE)
            heading = titles[-1].replace("`", "") if titles else heading
        elif cell["cell_type"] == "code":
            if source.strip() != running.strip() and name in set(_bound(source)):
                return Maker(source.strip().splitlines()[0], heading, first)
            first = False
    return None


def _bound(source: str) -> Iterator[str]:
    """The names that a cell binds at its top level: what it imports, defines, and assigns to."""
    lines = ["pass" if re.match(r"[%!]", line) else line for line in source.splitlines()]
    try:
        waiting: list[ast.AST] = list(ast.parse("\n".join(lines)).body)
    except SyntaxError:
        return
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            waiting += ast.iter_child_nodes(node)


def _in_a_cell(error: NameError) -> bool:
    """Whether the name was wanted by a cell, and not by something that it has called."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and REGISTER.number(place.tb_frame.f_code.co_filename) is not None


def _notebook() -> dict[str, Any]:
    """The file that this kernel works for; empty where it is not known, or too large to look through."""
    path = Path(os.environ.get("JPY_SESSION_NAME", "")).name
    if not path.endswith(".ipynb") or not os.path.isfile(path) or os.path.getsize(path) > _MOST:
        return {}
    found = json.loads(Path(path).read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}
