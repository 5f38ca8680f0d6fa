"""Notebook files as text: reading, naming a cell to a person, the stored form. Runs nothing.

The stored form holds nothing that changes from machine to machine: no widget state, no times, no Python version, no
folders in tracebacks; ids stay, and are derived from the text where they are missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from tools.kernels import skip_the_slow_parser

skip_the_slow_parser()

import nbformat  # noqa: E402
from nbformat import NotebookNode  # noqa: E402

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
SOLUTIONS = "solutions"  # the folder below FOLDER
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

# What nbval 0.11 leaves out of its comparison (IPyNbFile.skip_compare).
NOT_COMPARED = {"metadata", "traceback", "prompt_number", "output_type", "name", "execution_count"}
NOT_COMPARED |= {WIDGET_VIEW, "image/png", "image/jpeg"}


class Refused(Exception):
    """The notebook cannot be stored; the message says which cell, and why."""


def all_notebooks() -> list[Path]:
    """Every notebook of the course in reading order, the solutions last."""
    return sorted(FOLDER.glob("*.ipynb")) + sorted((FOLDER / SOLUTIONS).glob("*.ipynb"))


def is_solution(path: Path) -> bool:
    """Whether it is the notebook of worked solutions to the lesson of the same name in the folder above."""
    return path.parent.name == SOLUTIONS


def read(path: Path) -> NotebookNode:
    """The notebook at `path`, every cell with an id: its own, or one derived from the file's name and the cell's text.

    nbformat would invent random ids, and each recording would differ from the last. Raises Refused where the file
    is no notebook of format 4.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["nbformat"] != 4:
            raise Refused(f"{shown(path)}: wanted notebook format 4, got {raw['nbformat']}: save it anew in JupyterLab")
        taken: set[str] = set()
        for cell in raw["cells"]:
            attempt, cell_id = 0, cell.get("id")
            while not cell_id or cell_id in taken:
                seed = f"{path.stem}\0{attempt}\0{''.join(cell['source'])}"
                attempt, cell_id = attempt + 1, hashlib.sha256(seed.encode()).hexdigest()[:8]
            cell["id"] = cell_id
            taken.add(cell_id)
    except (ValueError, KeyError, TypeError) as exc:
        raise Refused(f"{shown(path)}: wanted a Jupyter notebook, got something else ({exc!r})") from exc
    raw["nbformat_minor"] = max(raw.get("nbformat_minor", 0), 5)  # the first version that has cell ids
    return nbformat.reads(json.dumps(raw), as_version=4)


def dump(notebook: NotebookNode) -> str:
    """The text of the file, as JupyterLab would write it."""
    return str(nbformat.writes(notebook)).rstrip("\n") + "\n"


def replace_file(path: Path, text: str) -> bool:
    """Write `text` to `path` in one step, or leave the file alone if it has that text already; True if written."""
    data = text.encode("utf-8")
    if path.exists() and path.read_bytes() == data:
        return False
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return True


# --- naming a cell to a person ------------------------------------------------------------------------------


def shown(path: Path) -> str:
    """`path` as the person at the prompt would type it."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def describe(path: Path, notebook: NotebookNode, cell: NotebookNode) -> str:
    """Where `cell` stands: file, number, the heading above it, and its text."""
    number = next(n for n, other in enumerate(code_cells(notebook), 1) if other.id == cell.id)
    source = "\n".join("    " + line for line in cell.source.splitlines())
    return f"{shown(path)}: code cell [{number}], under “{heading_above(notebook, cell)}”\n{source}\n"


def heading_above(notebook: NotebookNode, cell: NotebookNode) -> str:
    heading = "the top"
    for other in notebook.cells:
        if other.id == cell.id:
            break
        if other.cell_type == "markdown":
            heading = (re.findall(r"^#{1,6} +(.+)$", other.source, re.MULTILINE) or [heading])[-1]
    return heading


def title(notebook: NotebookNode) -> str:
    """The text of the first H1."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := re.search(r"^# +(.+)$", cell.source, re.MULTILINE)):
            return found[1].strip()
    return "Untitled"


def title_at(path: Path) -> str:
    try:
        return title(read(path))
    except Refused:
        return path.stem  # a neighbour that somebody is writing just now


def is_announced_error(cell: NotebookNode) -> bool:
    return "raises-exception" in cell.metadata.get("tags", [])


def is_ignored(cell: NotebookNode) -> bool:
    """Whether nbval runs the cell without comparing what it shows."""
    marked = re.search(r"^\s*#+\s*NBVAL_IGNORE_OUTPUT\s*$", cell.source, re.MULTILINE)
    return bool(marked) or "nbval-ignore-output" in cell.metadata.get("tags", [])


# --- the stored form ----------------------------------------------------------------------------------------

COLOUR = r"\x1b\[[0-9;]*m"
ANSI = re.compile(COLOUR)
FOLDER_OF_A_FRAME = re.compile(rf"(File (?:{COLOUR})*\"?)(?:[A-Za-z]:)?[^\"\x1b\n:]*[/\\](?=[^/\\\"\x1b\n:]+\.py)")


def clean(notebook: NotebookNode) -> None:
    """Leave in `notebook` only what another machine would have stored as well; number the code cells 1 to n."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = NotebookNode(
        kernelspec=NotebookNode(display_name="Python 3", language="python", name="python3"),
        language_info=NotebookNode(name="python"),  # no version, or the file would change with each Python
    )
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = NotebookNode(tags=tags) if tags else NotebookNode()
        cell.source = "\n".join(line.rstrip() for line in cell.source.rstrip().split("\n"))
    for number, cell in enumerate(code_cells(notebook), 1):
        if cell.execution_count is not None:
            cell.execution_count = number
        for output in cell.outputs:
            clean_output(output, number)


def clean_output(output: NotebookNode, number: int) -> None:
    output.pop("transient", None)
    if output.output_type == "execute_result":
        output.execution_count = number
    if output.output_type == "error":
        # The folder of a frame says where somebody's Python lives; the file's name is what the reader needs.
        output.traceback = [FOLDER_OF_A_FRAME.sub(r"\1", line) for line in output.traceback]
    data = output.get("data", {})
    if WIDGET_VIEW in data and len(data) > 1:
        # Without a kernel a page cannot show the widget and says "Error displaying widget" in its place. The panel's
        # picture and text, stored beside it, can be read anywhere.
        del data[WIDGET_VIEW]


def same_outputs(new: list[NotebookNode], old: list[NotebookNode]) -> bool:
    """Whether nbval would call them equal, and they hold the same kinds of representation."""
    return compared(new) == compared(old) and kinds(new) == kinds(old)


def compared(outputs: list[NotebookNode]) -> dict[str, list[Any]]:
    """What nbval compares, and how: per key or MIME type, the values in their order."""
    values: dict[str, list[Any]] = {}
    for output in outputs:
        flat = {**output, **output.get("data", {})}
        flat.pop("data", None)
        if output.output_type == "stream":
            flat[output.name] = flat.pop("text")
        for key, value in flat.items():
            if key not in NOT_COMPARED:
                values.setdefault(key, []).append(value)
    return values


def kinds(outputs: list[NotebookNode]) -> list[Any]:
    return [(output.output_type, sorted(output.get("data", {}))) for output in outputs]


def keep_unchanged(notebook: NotebookNode, stored: NotebookNode) -> None:
    """Give each cell its stored outputs back while the same text prints the same; stop at the first edited cell.

    Only pictures and tracebacks can differ then. A picture of measured times differs in every run: rewriting it
    would bury the real changes and fill the history. Below an edited cell a picture may show other data, so
    everything there is new.
    """
    before = {cell.id: cell for cell in code_cells(stored)}
    for cell in code_cells(notebook):
        old = before.get(cell.id)
        if old is None or old.source != cell.source or old.execution_count is None:
            return
        if is_ignored(cell) or same_outputs(cell.outputs, old.outputs):
            cell.outputs = old.outputs
