"""Every notebook reads the same way: what a page must have, how long its cells are, that its links lead somewhere."""

from __future__ import annotations

import ast
import json
import re
import statistics
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from nbformat import NotebookNode

from socketlab.exercises import definition
from tools import generated, notebooks, recap, record

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = notebooks.all_notebooks()
LESSONS = [path for path in NOTEBOOKS if re.match(r"\d\d_", path.name) and not notebooks.is_solution(path)]
SOLUTIONS = [path for path in NOTEBOOKS if notebooks.is_solution(path)]

LONGEST_CELL = 18  # lines of code, blank lines and comments not counted: about fifteen, and no function cut in two
MEDIAN_CELL = 8
MEDIAN_PARAGRAPH = 60  # words
IGNORED_AT_MOST = 1 / 50  # of all code cells of the course

FOLDERS = re.compile(r"(?:/home/|/root/|/Users/|[A-Z]:\\+Users|/tmp/|/var/folders/|site-packages/)[^\s\"']*")

for_each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(notebooks.FOLDER)))
for_each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
for_each_solution = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.name)


@cache
def read(path: Path) -> NotebookNode:
    return notebooks.read(path)


def code(path: Path) -> list[NotebookNode]:
    return notebooks.code_cells(read(path))


def markdown(path: Path) -> list[str]:
    return [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]


def without_code(text: str) -> str:
    """Markdown without fenced blocks, code spans and the hidden parts of HTML."""
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(`+).+?\1|<!--.*?-->", "", text, flags=re.DOTALL)


def without_fences(text: str) -> str:
    return re.sub(r"(?ms)^```.*?^```", "", text)


def headings(texts: list[str], level: int | None = None) -> list[str]:
    found = [pair for text in texts for pair in re.findall(r"(?m)^(#{1,6}) +(.+?) *#*$", without_fences(text))]
    return [title for marks, title in found if level in (None, len(marks))]


def paragraphs(texts: list[str]) -> list[str]:
    """Running text: no headings, lists, tables, quotations or HTML."""
    blocks = [block.strip() for text in texts for block in re.split(r"\n\s*\n", without_fences(text))]
    return [block for block in blocks if block and not re.match(r"#|[-*+] |\d+\. |\||>|<", block)]


def code_lines(source: str) -> int:
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in source.splitlines())


def as_python(source: str) -> str:
    """A cell's text with IPython's magics and shell lines taken out."""
    return re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE)


@for_each_notebook
class TestStored:
    def test_clean(self, path: Path) -> None:
        """Metadata, widget state, ids, counts, folders in tracebacks, navigation: as `make record` leaves them."""
        assert path.read_text(encoding="utf-8") == record.stored_form(path, read(path)), "run make record"

    def test_every_code_cell_was_executed(self, path: Path) -> None:
        assert [cell.execution_count for cell in code(path)] == list(range(1, len(code(path)) + 1))

    def test_ids_are_unique(self, path: Path) -> None:
        ids = [cell.get("id") for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
        assert None not in ids
        assert len(ids) == len(set(ids))

    def test_errors_are_announced(self, path: Path) -> None:
        for cell in code(path):
            raised = any(output.output_type == "error" for output in cell.outputs)
            assert raised == notebooks.is_announced_error(cell), cell.source

    def test_no_folder_of_this_machine(self, path: Path) -> None:
        for cell in read(path).cells:
            assert not FOLDERS.findall(cell.source), cell.source
            for output in cell.get("outputs", []):
                for kind, value in {**output, **output.get("data", {})}.items():
                    if kind != "data" and not kind.startswith(("image/png", "image/jpeg")):
                        assert not FOLDERS.findall(str(value)), cell.source


@for_each_notebook
class TestText:
    def test_one_h1_at_the_top(self, path: Path) -> None:
        assert len(headings(markdown(path), level=1)) == 1
        assert read(path).cells[0].source.startswith("# ")

    def test_paragraphs_are_short(self, path: Path) -> None:
        words = [len(block.split()) for block in paragraphs(markdown(path))]
        assert statistics.median(words) <= MEDIAN_PARAGRAPH

    def test_no_exclamation_marks(self, path: Path) -> None:
        for text in markdown(path):
            loud = re.findall(r".*!(?!\[).*", without_code(text))
            assert not loud, loud

    def test_links_lead_somewhere(self, path: Path) -> None:
        broken = [link for text in markdown(path) for link in links(text) if not resolves(link, path)]
        assert not broken


@for_each_notebook
class TestCode:
    def test_no_trailing_semicolon(self, path: Path) -> None:
        """nbval runs cells in a way that shows what the semicolon hides: assign the value instead."""
        for cell in code(path):
            assert not cell.source.rstrip().endswith(";"), cell.source

    def test_cells_are_short(self, path: Path) -> None:
        long = {
            f"[{cell.execution_count}] under “{notebooks.heading_above(read(path), cell)}”": lines
            for cell in code(path)
            if (lines := code_lines(cell.source)) > LONGEST_CELL
        }
        assert not long, f"cells of more than {LONGEST_CELL} lines of code: {long}"

    def test_median_cell_is_short(self, path: Path) -> None:
        assert statistics.median([code_lines(cell.source) for cell in code(path)] or [0]) <= MEDIAN_CELL

    def test_nothing_is_skipped(self, path: Path) -> None:
        for cell in code(path):
            assert "NBVAL_SKIP" not in cell.source
            assert "nbval-skip" not in cell.metadata.get("tags", [])

    def test_ignored_output_has_its_reason(self, path: Path) -> None:
        for cell in code(path):
            if notebooks.is_ignored(cell):
                comments = re.findall(r"^\s*# *(.+)$", cell.source, re.MULTILINE)
                assert [c for c in comments if "NBVAL" not in c], f"say in a comment why:\n{cell.source}"


@pytest.mark.parametrize("path", [*LESSONS, *SOLUTIONS], ids=lambda path: str(path.relative_to(notebooks.FOLDER)))
def test_first_code_cell_is_the_setup(path: Path) -> None:
    """Imports, magics, and lines that name something, with `import socket`: nothing is hidden in it."""
    setup = ast.parse(as_python(code(path)[0].source)).body
    more = [s for s in setup if not isinstance(s, (ast.Import, ast.ImportFrom))]
    assert [ast.unparse(s) for s in more if not isinstance(s, ast.Assign) or s.end_lineno != s.lineno] == []
    assert "%load_ext socketlab" in code(path)[0].source.splitlines()
    assert "socket" in [alias.name for s in setup if isinstance(s, ast.Import) for alias in s.names]


@for_each_lesson
class TestLesson:
    def test_says_what_you_will_be_able_to_do(self, path: Path) -> None:
        assert re.search(r"you will be able to", read(path).cells[0].source, re.IGNORECASE)

    def test_says_minutes_and_needs(self, path: Path) -> None:
        assert re.search(r"\d+ minutes.*needs", read(path).cells[0].source, re.IGNORECASE)

    def test_title_has_its_number(self, path: Path) -> None:
        assert headings(markdown(path), level=1)[0].startswith(path.name[:2])

    def test_recap_table(self, path: Path) -> None:
        sources = {cell.id: cell.source for cell in read(path).cells}
        assert recap.RECAP_ID in sources, f"no cell with the id {recap.RECAP_ID!r}"
        assert sources[recap.RECAP_ID].count("\n| [") >= 3, "no table in the recap"

    def test_reading_on(self, path: Path) -> None:
        assert any(re.search(r"^## (Where to read|Read) on", text, re.MULTILINE) for text in markdown(path))


@for_each_lesson
class TestExercises:
    """Exercises in a lesson: a task, a stub that is not attempted, a solution that can be reached."""

    def test_stubs_are_stored_unsolved(self, path: Path) -> None:
        for name, cell in exercise_cells(path):
            assert "raise NotImplementedError" in cell.source, cell.source
            assert [plain_text(output) for output in cell.outputs] == [f"{name}: not attempted"]

    def test_the_cards_lead_to_the_solutions(self, path: Path) -> None:
        for name, cell in exercise_cells(path):
            link = definition.find(name).solution
            assert resolves(link, path), link
            assert f'href="{link}"' in cell.outputs[0].data["text/html"]

    def test_the_task_stands_above(self, path: Path) -> None:
        above = dict(zip((cell.id for cell in read(path).cells[1:]), read(path).cells, strict=False))
        for name, cell in exercise_cells(path):
            task = above[cell.id]
            assert task.cell_type == "markdown"
            assert "**Your turn.**" in task.source
            assert f"`{name}(" in task.source, f"{name}: the task names the call that is wanted"


@for_each_solution
class TestSolutions:
    def test_the_lesson_has_these_exercises(self, path: Path) -> None:
        lesson = path.parent.parent / path.name
        assert [name for name, _ in exercise_cells(path)] == [name for name, _ in exercise_cells(lesson)]

    def test_title(self, path: Path) -> None:
        assert re.match(rf"{path.name[:2]} · Solutions: ", headings(markdown(path), level=1)[0])

    def test_a_section_for_each(self, path: Path) -> None:
        """Its heading is the exercise's name: that is what the links end in."""
        assert [plain(title) for title in headings(markdown(path), level=2)] == [n for n, _ in exercise_cells(path)]

    def test_they_are_stored_passed(self, path: Path) -> None:
        for name, cell in exercise_cells(path):
            scenarios = definition.find(name).scenarios
            (output,) = cell.outputs
            assert plain_text(output).startswith(f"{name}: passed {len(scenarios)} of {len(scenarios)}\n")

    def test_a_wrong_way_beside_the_right_one(self, path: Path) -> None:
        """In each section two ladders."""
        traced = [notebooks.heading_above(read(path), c) for c in code(path) if c.source.startswith("%%trace")]
        assert [name for name, _ in exercise_cells(path) if traced.count(f"{name}") < 2] == []

    def test_the_way_back(self, path: Path) -> None:
        assert read(path).cells[-1].id == generated.NAVIGATION_ID
        assert f"../{path.name}" in links(read(path).cells[-1].source)
        assert f"../{path.name}" in links(read(path).cells[0].source)


def exercise_cells(path: Path) -> list[tuple[str, NotebookNode]]:
    """The cells that answer an exercise, or leave it to the reader."""
    one_each = [generated.exercises_in(NotebookNode(cells=[cell])) for cell in code(path)]
    assert all(len(names) <= 1 for names in one_each), f"{path.name}: two exercises in one cell"
    return [(names[0], cell) for names, cell in zip(one_each, code(path), strict=True) if names]


def plain_text(output: NotebookNode) -> str:
    return str(output.get("data", {}).get("text/plain", ""))


def test_few_outputs_are_ignored() -> None:
    cells = [cell for path in NOTEBOOKS for cell in code(path)]
    ignored = [cell.source for cell in cells if notebooks.is_ignored(cell)]
    assert len(ignored) < max(1, len(cells) * IGNORED_AT_MOST), ignored


def test_solutions_stand_beside_their_lessons() -> None:
    assert {path.name for path in SOLUTIONS} == {path.name for path in LESSONS if exercise_cells(path)}


def test_navigation_of_every_lesson() -> None:
    for path in LESSONS:
        assert read(path).cells[-1].id == generated.NAVIGATION_ID


# --- links --------------------------------------------------------------------------------------------------


def links(text: str) -> list[str]:
    text = without_code(text)
    in_markdown = re.findall(r"\]\(([^()]*(?:\([^()]*\)[^()]*)*)\)", text)
    in_html = re.findall(r"""(?:href|src)=["']([^"']*)["']""", text)
    return [target.split()[0].strip("<>") for target in in_markdown] + in_html


def resolves(link: str, page: Path) -> bool:
    """A file of the repository, a heading in one, or a well-formed address elsewhere (which nothing here contacts)."""
    parts = urlsplit(link)
    if parts.scheme in ("https", "http", "mailto"):
        return bool(parts.netloc or parts.scheme == "mailto") and " " not in link
    if parts.scheme == "attachment":
        return True
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    if parts.fragment.startswith("cell-id="):
        return target.suffix == ".ipynb" and parts.fragment[8:] in [cell.id for cell in read(target).cells]
    return not parts.fragment or unquote(parts.fragment) in anchors(target)


@cache
def anchors(target: Path) -> frozenset[str]:
    """The fragments that lead to a heading: JupyterLab's (blanks become hyphens), and GitHub's for .md files."""
    if target.suffix == ".ipynb":
        return frozenset(plain(title).replace(" ", "-") for title in headings(markdown(target)))
    if target.suffix == ".md":
        titles = [plain(title).lower() for title in headings([target.read_text(encoding="utf-8")])]
        return frozenset(re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles)
    return frozenset()


def plain(title: str) -> str:
    """A heading as it is shown: without the marks of Markdown."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "").replace("*", "")


@for_each_lesson
def test_readme_names_every_lesson(path: Path) -> None:
    minutes, _ = generated.head_at(path)
    row = rf"\| \[{re.escape(notebooks.title_at(path))}\]\(notebooks/{path.name}\) \|.*\| {minutes} \|"
    assert re.search(row, (ROOT / "README.md").read_text()), f"wanted a row in README.md that matches {row}"


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "bench/README.md"])
def test_links_of_pages(name: str) -> None:
    page = ROOT / name
    assert [link for link in links(page.read_text()) if not resolves(link, page)] == []


def test_the_questions_that_the_contents_page_quotes_are_there() -> None:
    """The table for readers of a first article: ``[01](01_….ipynb), *question* and *question*``."""
    text = markdown(notebooks.FOLDER / "index.ipynb")[-1]
    quoted = re.findall(r"\]\((\d\d_[^)]*)\), ([^|\n]*)", text)
    assert len(quoted) > 8
    for name, rest in quoted:
        for question in re.findall(r"\*(.+?)\*", rest):
            titles = [plain(title) for title in headings(markdown(notebooks.FOLDER / name))]
            assert any(plain(question).lower() in title.lower() for title in titles), (
                f"{name} has no heading with {question!r}"
            )


class TestTheRules:
    """The rules can fail."""

    @pytest.mark.parametrize(
        ("link", "good"),
        [
            ("https://docs.python.org/3/library/socket.html", True),
            ("https://", False),
            ("no_such.ipynb", False),
            ("#no-such-heading", False),
            ("#cell-id=no-such-cell", False),
            ("#Recap", True),
            ("page.ipynb#Recap", True),
            ("page.ipynb#recap", False),
            ("../../../../../../etc/passwd", False),
        ],
    )
    def test_links(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str, good: bool) -> None:
        page = tmp_path / "page.ipynb"
        cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Page\n\n## Recap"}
        page.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        monkeypatch.setitem(globals(), "ROOT", tmp_path)
        assert resolves(link, page) == good

    def test_links_are_found(self) -> None:
        text = "[a](b.md) and [c](https://x.org/y_(z)), `[no](code)` <a href='d.md'>d</a> ![p](q.png)"
        assert links(text) == ["b.md", "https://x.org/y_(z)", "q.png", "d.md"]

    def test_code_is_not_prose(self) -> None:
        assert "!" not in without_code("`a != b`\n```python\nprint('!')\n```\n<!-- ! -->")
        assert "!" in without_code("Done!")

    def test_paragraphs(self) -> None:
        text = "# T\n\none two\nthree\n\n- a list\n\n| a | table |\n\n```\ncode\n\ncode\n```\n\nfour"
        assert paragraphs([text]) == ["one two\nthree", "four"]

    def test_lines_of_code(self) -> None:
        assert code_lines("# why\n\nx = 1  # one\n    # more\ny = 2") == 2
