"""The recap of a lesson: a row for each call, with a link to the section that teaches it. Made of `tools/recaps/`.

`tools/recaps/NN_name.md` is the table of lesson NN as its author writes it: call, what it does, how it fails. It fills
the cell with the id `recap`, and there its first column becomes a link: to the section whose heading names most of what
the row names, or else to the first whose cells, or else whose words do. Where that is the wrong one, the author writes
which: ``[`recv` at the end](how does a conversation)``, with some words of its heading. A row that no section teaches
is refused. The link is to the heading's cell, by its id: JupyterLab 4.6 finds no heading with a letter beyond ASCII.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from tools.notebooks import Refused, shown

TABLES = Path(__file__).resolve().parent / "recaps"
RECAP_ID = "recap"
TITLE = "## Recap"
_TEACHES_NOTHING = re.compile(r"Your turn|Recap|Questions people ask|(Where to r|R)ead on")


def rows(path: Path) -> list[list[str]]:
    """The cells of each row of the table for the lesson at `path`, its head included. Raises Refused without one."""
    table = TABLES / f"{path.stem}.md"
    if not table.exists():
        raise Refused(f"{shown(path)}: wanted its recap in {shown(table)}, a table: call, what it does, how it fails")
    lines = [line for line in table.read_text(encoding="utf-8").splitlines() if line.strip()]
    found = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines]
    for line, row in zip(lines, found, strict=True):
        if len(row) != 3:
            raise Refused(f"{shown(table)}: wanted three cells in a row, got {len(row)}: {line}")
    return [row for row in found if not re.fullmatch(r":?-+:?", row[0])]


def names(call: str) -> dict[str, int]:
    """What a row is about: the identifiers that its first cell calls or gives alone, and what each one weighs.

    ``s.shutdown(SHUT_WR)`` is about ``shutdown``, and twice as much about ``SHUT_WR``.
    """
    found: dict[str, int] = {}
    for code in re.findall(r"`([^`]+)`", call) or re.findall(r"\w+", call):
        head, _, arguments = code.partition("(")
        found[head.rpartition(".")[2].strip(" )…")] = 1
        found |= dict.fromkeys(re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b", arguments), 2)
    return {name: weight for name, weight in found.items() if re.fullmatch(r"\w+", name)}


class Section(NamedTuple):
    """A part of a lesson that teaches something."""

    heading: str
    code: str
    prose: str
    cell: str  #: the id of the cell that has the heading


def sections(notebook: NotebookNode) -> list[Section]:
    """The parts of a lesson under a heading each, in reading order, without those that only ask, sum up or point on."""
    found: list[Section] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"^```.*?^```", "", cell.source, flags=re.MULTILINE | re.DOTALL)
            before, *parts = re.split(r"^#{2,6} +(.+)$", prose, flags=re.MULTILINE)
            if found:
                found[-1] = found[-1]._replace(prose=found[-1].prose + before)
            titles = zip(parts[::2], parts[1::2], strict=True)
            found += [Section(title.strip(), "", text, cell.id) for title, text in titles]
        elif found:
            found[-1] = found[-1]._replace(code=f"{found[-1].code}{cell.source}\n")
    return [section for section in found if not _TEACHES_NOTHING.match(plain(section.heading))]


def section_of(call: str, parts: list[Section]) -> Section | None:
    """The section that teaches `call`; None where none does."""
    if written := re.fullmatch(r"\[(.+)\]\((.+)\)", call):
        fitting = [part for part in parts if written[2] in plain(part.heading)]
        return fitting[0] if fitting else None
    wanted = names(call)

    def said(text: str) -> int:
        return sum(w for name, w in wanted.items() if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text))

    for texts in list(zip(*parts, strict=True))[:3]:
        best = max(texts, key=said)
        if said(best):
            return parts[texts.index(best)]
    return None


def plain(heading: str) -> str:
    """A heading as it is shown: without the marks of Markdown."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")


def recap(path: Path, notebook: NotebookNode) -> str:
    """The source of the cell. Raises Refused for a missing table, and for a row that the lesson does not teach."""
    head, *others = rows(path)
    parts = sections(notebook)
    lines = [TITLE, "", f"| {' | '.join(head)} |", "|---|---|---|"]
    for call, does, fails in others:
        section = section_of(call, parts)
        call = re.sub(r"^\[(.+)\]\(.+\)$", r"\1", call)
        if section is None:
            raise Refused(f"{shown(path)}: its recap names {call}, which no section teaches")
        lines.append(f"| [{call}](#cell-id={section.cell}) | {does} | {fails} |")
    return "\n".join(lines)


def set_recap(path: Path, notebook: NotebookNode) -> None:
    """Fill the cell `recap` of a lesson. Raises Refused as `recap` does."""
    for cell in notebook.cells:
        if cell.id == RECAP_ID:
            cell.source = recap(path, notebook)
