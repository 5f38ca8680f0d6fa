"""The parts of a notebook that nobody writes: contents, navigation, recap, index. They are made of the other files."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from socketlab.lookup import Entry, Place, entries
from tools.notebooks import FOLDER, SOLUTIONS, Refused, code_cells, is_solution, read, title_at
from tools.recap import set_recap

NAVIGATION_ID = "navigation"
CONTENTS_ID = "contents"


def set_generated(path: Path, notebook: NotebookNode) -> None:
    """Bring the generated parts of the notebook up to date. Raises Refused where its recap cannot be made."""
    set_navigation(path, notebook)
    if path.name == "index.ipynb":
        set_contents(path, notebook)
    set_recap(path, notebook)
    set_index(notebook)


def set_contents(path: Path, notebook: NotebookNode) -> None:
    """Fill the cell `contents` with a table of the lessons beside `path`: title, minutes, exercises, needs."""
    rows = ["| | minutes | exercises | needs |", "|---|---|---|---|"]
    for lesson in sorted(path.parent.glob("[0-9][0-9]_*.ipynb")):
        minutes, needs = head_at(lesson)
        rows.append(f"| [{title_at(lesson)}]({lesson.name}) | {minutes} | {exercises_at(lesson)} | {needs} |")
    for cell in notebook.cells:
        if cell.id == CONTENTS_ID:
            cell.source = "## The notebooks\n\n" + "\n".join(rows)


def exercises_in(notebook: NotebookNode) -> list[str]:
    """The names of the exercises that its cells answer, or leave to the reader, from top to bottom."""
    sources = [cell.source for cell in code_cells(notebook)]
    return [name for source in sources for name in re.findall(r"""^@exercise\(["'](\w+)["']\)""", source, re.MULTILINE)]


def exercises_at(path: Path) -> str:
    """How many exercises a lesson has, with a link to the solutions where there are some; "" without exercises."""
    try:
        number = len(exercises_in(read(path)))
    except Refused:
        return ""
    solutions = f"{SOLUTIONS}/{path.name}"
    worked = f" · [solutions]({solutions})" if (path.parent / solutions).exists() else ""
    return f"{number}{worked}" if number else ""


def head_at(path: Path) -> tuple[str, str]:
    """The minutes and the needs that a lesson states under its title; empty where it does not."""
    try:
        text = " ".join(read(path).cells[0].source.split())
    except (Refused, IndexError):
        return "", ""
    found = re.search(r"\*\*(\d+) minutes\*\* · needs: (.+?)\.(?: |$)", text)
    return (found[1], found[2]) if found else ("", "")


def set_navigation(path: Path, notebook: NotebookNode) -> None:
    """Make the last cell of a numbered notebook a line of links, with the titles that the others have.

    That is `previous · contents · next`; and from worked solutions the way back, `lesson · contents`.
    """
    numbered = sorted(path.parent.glob("[0-9][0-9]_*.ipynb"))
    if path not in numbered:
        return
    if is_solution(path):
        lesson = path.parent.parent / path.name
        links = [f"← [{title_at(lesson)}](../{lesson.name})"] if lesson.exists() else []
        links.append("[Contents](../index.ipynb)")
    else:
        here = numbered.index(path)
        links = ["[Contents](index.ipynb)"]
        if here > 0:
            links.insert(0, f"← [{title_at(numbered[here - 1])}]({numbered[here - 1].name})")
        if here + 1 < len(numbered):
            links.append(f"[{title_at(numbered[here + 1])}]({numbered[here + 1].name}) →")
    notebook.cells = [cell for cell in notebook.cells if cell.id != NAVIGATION_ID]
    cell = nbformat.v4.new_markdown_cell(" · ".join(links), id=NAVIGATION_ID)
    notebook.cells.append(cell)


# -- the pages of the index --------------------------------------------------------------------------------------------

MOST_EXERCISES = 6  # named beside an operation
_MODULES = {
    "socket.socket": "Methods of `socket.socket`",
    "socket": "Functions, classes and exceptions of `socket`",
    "select": "`select`",
    "selectors": "`selectors`",
    "socketserver": "`socketserver`",
    "ssl": "`ssl`",
    "asyncio": "asyncio: streams, protocols, transports, and a loop's methods for sockets",
}


def set_index(notebook: NotebookNode) -> None:
    """Fill the cells `operations`, `constants`, `errors` and `questions` of the pages that have them."""
    for cell in notebook.cells:
        if cell.id == "operations":
            cell.source = "\n\n".join(_table_of(module, title) for module, title in _MODULES.items())
        elif cell.id == "constants":
            cell.source = _tables_of_constants()
        elif cell.id == "errors":
            cell.source = _table_of_errors()
        elif cell.id == "questions":
            cell.source = _table_of_questions()


def _table_of(module: str, title: str) -> str:
    head = ["| operation | what it does | beneath it | taught in, and exercises |", "|---|---|---|---|"]
    return "\n".join([f"## {title}", "", *head, *map(_operation, _of_module(module))])


def _of_module(module: str) -> list[Entry]:
    """Methods of sockets stand apart: there are many, and they are what one looks up most."""
    found = [entry for entry in entries("operations") if entry.name.startswith(f"{module}.")]
    return [entry for entry in found if module != "socket" or not entry.name.startswith("socket.socket.")]


def _operation(entry: Entry) -> str:
    first, more = entry.exercises[:MOST_EXERCISES], ", …" if len(entry.exercises) > MOST_EXERCISES else ""
    exercises = f"<br>exercises: {', '.join(f'`{name}`' for name in first)}{more}" if first else ""
    places = "<br>".join(map(_link, entry.places))
    return f"| `{entry.name}` | {entry.what} | {entry.beneath} | {places}{exercises} |"


def _tables_of_constants() -> str:
    head = ["| constant | what it is for | its page | used in, or about its kind |", "|---|---|---|---|"]
    rows: dict[str, list[str]] = {}
    for entry in entries("constants"):
        links = "<br>".join(map(_link, entry.places))
        row = f"| `{entry.name}` | {entry.what} | {entry.beneath} | {links} |"
        rows.setdefault(entry.name.partition(".")[0], []).append(row)
    return "\n\n".join("\n".join([f"## Constants of `{module}`", "", *head, *rows[module]]) for module in rows)


def _table_of_errors() -> str:
    rows = ["| the last line of the traceback | what it means | shown in | cured in |", "|---|---|---|---|"]
    for entry in entries("errors"):
        shown_in, cured_in = ("<br>".join(map(_link, places)) for places in (entry.places, entry.cures))
        known_as = f"<br>`{entry.name}`" if entry.name.startswith("E") else ""
        rows.append(f"| `{entry.beneath}`{known_as} | {entry.what} | {shown_in} | {cured_in} |")
    return "\n".join(["## All of them", "", *rows])


def _table_of_questions() -> str:
    """What stands in bold under "Questions people ask", and where."""
    lines = ["## All questions of the lessons", "", "| lesson | question |", "|---|---|"]
    for lesson in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb")):
        for cell in read(lesson).cells:
            _, asked, answers = cell.source.partition("## Questions people ask")
            if cell.cell_type == "markdown" and asked:
                questions = re.findall(r"^\*\*(.+?)\*\*", answers, re.MULTILINE | re.DOTALL)
                link = f"[{title_at(lesson)}]({lesson.name}#cell-id={cell.id})"
                lines += [f"| {link} | {' '.join(question.split())} |" for question in questions]
    return "\n".join(lines)


def _link(place: Place) -> str:
    heading = place.heading.replace("|", "\\|").replace("[", "\\[").replace("]", "\\]")
    return f"[{place.number} {heading}]({place.link})"
