"""The index of the course: every operation, constant and error, where it is taught. Made of the notebooks.

An operation's line is the row of a recap (tools/recaps/) that names it, in the first lesson that has one; where no row
does, or not in words that stand alone, the line is in tools/operations.md. What it uses beneath is in tools/beneath.py;
its exercises are those whose worked answers call it. What is said of a constant, tools/constants.py finds. An error's
line is in tools/errors.md, with the sections that cure it; those that provoke it are found: their stored outputs show
its number, its name, or its text, or they catch it.

    python tools/index.py        writes socketlab/lookup/index.json
"""

from __future__ import annotations

import ast
import builtins
import errno
import json
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `python tools/index.py` puts only tools/ there

from socketlab.lookup.index import KINDS, Entry, Place
from socketlab.lookup.names import public_names
from tools.beneath import beneath
from tools.constants import all_constants, page_of, section_about, used_in, what_of
from tools.notebooks import FOLDER, SOLUTIONS, Refused, code_cells, read, replace_file, shown
from tools.recap import Section, names, plain, rows, section_of, sections

INDEX = Path(__file__).resolve().parent.parent / "socketlab" / "lookup" / "index.json"
ERRORS = Path(__file__).resolve().parent / "errors.md"
WRITTEN = Path(__file__).resolve().parent / "operations.md"
MOST_PLACES = 4  # that provoke an error: it is the first ones that explain it

# Modules that one lesson is about; the others are about `socket`.
LESSON_OF = {"select": "19", "selectors": "20", "socketserver": "21", "ssl": "24", "asyncio": "25"}


def lessons() -> list[Path]:
    """The numbered lessons in reading order."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))


@cache
def parts_of(lesson: Path) -> list[Section]:
    return sections(read(lesson))


def lessons_of(operation: str) -> list[Path]:
    """The lessons that may teach it."""
    number = LESSON_OF.get(operation.partition(".")[0])
    passport, *others = lessons()  # the passport tries things, and teaches few: it comes last
    about_others = tuple(LESSON_OF.values())
    if number:
        return [path for path in others if path.name[:2] == number]
    return [*(path for path in others if path.name[:2] not in about_others), passport]


# -- operations --------------------------------------------------------------------------------------------------------


def operations() -> list[Entry]:
    """One for each operation of this Python, and for those of others that operations.md has: the index is for all."""
    return [operation(name) for name in sorted({*public_names(), *_written()}, key=_place_in_line)]


def _place_in_line(operation: str) -> tuple[int, bool, str]:
    """`socket` first, its methods before its functions; then the modules in the order of their lessons."""
    module = operation.partition(".")[0]
    return int(LESSON_OF.get(module, 0)), not operation.startswith("socket.socket."), operation


def operation(name: str) -> Entry:
    found = _in_a_recap(name)
    what, place = found if found else ("", _in_a_section(name))
    if written := _written().get(name):
        what, place = written[0], _place(written[1]) if written[1] else place
    return Entry(name, what, beneath(name), (place,) if place else (), exercises=tuple(_exercises(name)))


def _in_a_recap(operation: str) -> tuple[str, Place] | None:
    """What the row says that is most about it, and its section."""
    fitting = []
    for lesson in lessons_of(operation):
        for call, does, _ in rows(lesson)[1:]:
            if rank := _about(operation, re.sub(r"^\[(.+)\]\(.+\)$", r"\1", call)):
                fitting.append((rank, lesson, call, does))
    for _, lesson, call, does in sorted(fitting, key=lambda row: row[0]):
        if section := section_of(call, parts_of(lesson)):
            return does, Place(lesson.name, section.cell, plain(section.heading))
    return None


def _about(operation: str, call: str) -> tuple[bool, bool, int] | None:
    """How well a row's first cell names the operation, the best first: by its owner's name, without a constant that
    the row is about instead, before others. None where it does not name it."""
    owner, short = operation.split(".")[-2:]
    for position, code in enumerate(re.findall(r"`([^`]+)`", call) or [call]):
        if short in names(f"`{code}`"):
            before = code.partition("(")[0].rpartition(".")[0]
            is_function = operation.count(".") == 1
            another = before not in ("", owner) if is_function or before[:1].isupper() else before == "socket"
            return another, len(names(f"`{code}`")) > 1, position
    return None


def _in_a_section(operation: str) -> Place | None:
    short = operation.rpartition(".")[2]
    for lesson in lessons_of(operation):
        if section := section_of(f"`{short}`", parts_of(lesson)):
            return Place(lesson.name, section.cell, plain(section.heading))
    return None


@cache
def _written() -> dict[str, list[str]]:
    return {name: others for name, *others in _table(WRITTEN, 3)}


def _exercises(operation: str) -> Iterator[str]:
    """The exercises whose worked answer calls it, or reads it."""
    short, allowed = operation.rpartition(".")[2], {lesson.name for lesson in lessons_of(operation)}
    for lesson, exercise, used in _answers():
        if short in used and lesson in allowed:
            yield exercise


@cache
def _answers() -> list[tuple[str, str, set[str]]]:
    """Lesson, exercise, and the names that its worked answer uses."""
    found = []
    for path in sorted((FOLDER / SOLUTIONS).glob("*.ipynb")):
        for cell in code_cells(read(path)):
            if name := re.search(r"""^@exercise\(["'](\w+)["']\)""", cell.source, re.MULTILINE):
                tree = [*ast.walk(ast.parse(cell.source))]
                used = {node.attr for node in tree if isinstance(node, ast.Attribute)}
                found.append((path.name, name[1], used | {node.id for node in tree if isinstance(node, ast.Name)}))
    return found


# -- constants ---------------------------------------------------------------------------------------------------------


def constants() -> list[Entry]:
    """One for each constant of this Python and of others. Raises LookupError for one that no text describes."""
    return [
        Entry(name, what_of(name), page_of(name), (uses().get(name) or _place(section_about(name)),))
        for name in all_constants()
    ]


@cache
def uses() -> dict[str, Place]:
    """Constant → the section whose cells use it: one whose heading names it, or else the first in reading order."""
    found: dict[str, tuple[bool, Place]] = {}
    passport, *others = lessons()
    for lesson in (*others, passport):
        for part in parts_of(lesson):
            for name in used_in(part.code, all_constants()):
                in_heading = re.search(rf"\b{name.rpartition('.')[2]}\b", part.heading) is not None
                if name not in found or (in_heading and not found[name][0]):
                    found[name] = in_heading, Place(lesson.name, part.cell, plain(part.heading))
    return {name: place for name, (_, place) in found.items()}


# -- errors ------------------------------------------------------------------------------------------------------------


def errors() -> list[Entry]:
    """One for each row of errors.md. Raises Refused for one that no cell shows, or that is cured nowhere."""
    return [_error(*row) for row in _table(ERRORS, 4)]


def _error(name: str, said: str, what: str, cures: str) -> Entry:
    number = getattr(errno, name, None)
    pattern = rf"(?<!\w){re.escape(said.partition(': ')[2])}"
    if not hasattr(builtins, name):  # a name that says it all, while the texts are a library's
        pattern = rf"{pattern}|\b{name}\b"
    if number is not None:
        pattern = rf"\b{name}\b|\[Errno {number}\]|{re.escape(os.strerror(number))}"
        said = f"{type(OSError(number, said)).__name__}: [Errno {number}] {said}"
    provoked = [place for place, text in _shown() if re.search(pattern, text)]
    if not provoked:
        raise Refused(f"{shown(ERRORS)}: {name} ({said}) wanted a cell that shows it, but no stored output does")
    cured = tuple(_place(words.strip()) for words in cures.split(";"))
    return Entry(name, what, said, tuple(place for place in provoked if place not in cured)[:MOST_PLACES], cured)


def _place(words: str) -> Place:
    """``03 How bind() fails``: a lesson, and some words of the heading."""
    number, _, heading = words.partition(" ")
    for lesson in lessons():
        if lesson.name.startswith(number):
            for part in parts_of(lesson):
                if plain(heading) in plain(part.heading):
                    return Place(lesson.name, part.cell, plain(part.heading))
    raise Refused(f"wanted a lesson and words of one of its headings, got {words!r}, which no lesson has")


@cache
def _shown() -> list[tuple[Place, str]]:
    """Each section, and the text that its cells show as they are stored, with the exceptions that they catch."""
    found = []
    for lesson in lessons():
        notebook, parts = read(lesson), {part.cell: part for part in parts_of(lesson)}
        here, text = None, ""
        for cell in [*notebook.cells, None]:
            if cell is None or cell.id in parts:
                if here:
                    found.append((here, text))
                here, text = (Place(lesson.name, cell.id, plain(parts[cell.id].heading)) if cell else None), ""
            elif cell.cell_type == "code":
                text += "".join(map(_text_of, cell.outputs))
                text += "\n".join(re.findall(r"except \(?asyncio\.\w+.*|except \(?ssl\.\w+.*", cell.source))
    return found


def _text_of(output: Any) -> str:
    if output.output_type == "stream":
        return f"{output.text}\n"
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}\n"
    return f"{output.get('data', {}).get('text/plain', '')}\n"


# -- all ---------------------------------------------------------------------------------------------------------------


def _table(path: Path, columns: int) -> list[list[str]]:
    """The rows of a table in Markdown, without its head, the marks of code taken off what is in the first column."""
    lines = [line.strip().strip("|") for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines[2:]]
    for row in found:
        if len(row) != columns:
            raise Refused(f"{shown(path)}: wanted {columns} cells in a row, got {len(row)}: {row}")
        row[0] = row[0].strip("`")
    return found


def index() -> str:
    """The text of index.json. Raises Refused where a table and the notebooks do not fit together."""
    found = dict(zip(KINDS, (operations(), constants(), errors()), strict=True))
    lists = {kind: ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in found[kind]) for kind in KINDS}
    return "{\n" + ",\n".join(f' "{kind}": [\n{lines}\n ]' for kind, lines in lists.items()) + "\n}\n"


if __name__ == "__main__":
    try:
        print(f"{shown(INDEX)}: {'written' if replace_file(INDEX, index()) else 'is up to date'}")
    except (Refused, LookupError) as exc:
        sys.exit(str(exc))
