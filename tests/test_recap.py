"""The recap of a lesson, made of its table and of the lesson's sections."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tools import recap
from tools.notebooks import Refused

LESSON = """
# 31 · A lesson
## `shutdown(SHUT_WR)` — may I still listen?
```
# not a heading
## nor this
```
> sock.shutdown(socket.SHUT_WR); errno.errorcode[1]
### `SHUT_RD` — and the other way?
> sock.shutdown(socket.SHUT_RD)
## RST — how does a conversation break?
An `ECONNRESET`, says the kernel.
### Your turn: `drain`
## Recap
"""


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recap, "TABLES", tmp_path)
    return tmp_path / "31_a_lesson.ipynb"


@pytest.fixture
def notebook() -> NotebookNode:
    cells = []
    for part in LESSON.split("\n> "):
        code, _, prose = part.partition("\n") if cells else ("", "", part)
        cells += [nbformat.v4.new_code_cell(code)] * bool(code) + [nbformat.v4.new_markdown_cell(prose)]
    cells.append(nbformat.v4.new_markdown_cell("", id=recap.RECAP_ID))
    return nbformat.v4.new_notebook(cells=cells)


def table(lesson: Path, *rows: str) -> None:
    text = "\n".join(["| call | what it does | how it fails |", "|---|---|---|", *rows])
    (lesson.parent / f"{lesson.stem}.md").write_text(text + "\n")


@pytest.mark.parametrize(
    ("call", "about"),
    [
        ("`s.shutdown(SHUT_WR)`", {"shutdown": 1, "SHUT_WR": 2}),
        ("`s.family` `s.type`", {"family": 1, "type": 1}),
        ("`socket.create_connection(address, timeout)`", {"create_connection": 1}),
        ("`close()`, `with`", {"close": 1, "with": 1}),
        ("ECONNRESET, EPIPE", {"ECONNRESET": 1, "EPIPE": 1}),
        ("`(host, port)`", {}),
    ],
)
def test_what_a_row_is_about(call, about):
    assert recap.names(call) == about


class TestSections:
    @pytest.mark.parametrize(
        ("call", "heading"),
        [
            ("`s.shutdown(SHUT_WR)`", "`shutdown(SHUT_WR)` — may I still listen?"),
            ("`s.shutdown(SHUT_RD)`", "`SHUT_RD` — and the other way?"),
            ("`errno.errorcode`", "`shutdown(SHUT_WR)` — may I still listen?"),
            ("`ECONNRESET`", "RST — how does a conversation break?"),
            ("[`s.shutdown(SHUT_WR)`](how does a conversation)", "RST — how does a conversation break?"),
            ("[`s.shutdown()`](SHUT_RD — and)", "`SHUT_RD` — and the other way?"),
            ("`drain()`", None),
            ("`accept()`", None),
            ("[`s.shutdown()`](no such words)", None),
        ],
    )
    def test_found(self, notebook, call, heading):
        found = recap.section_of(call, recap.sections(notebook))
        assert (found and found.heading) == heading

    def test_only_those_that_teach(self, notebook):
        assert [section.heading for section in recap.sections(notebook)] == [
            "`shutdown(SHUT_WR)` — may I still listen?",
            "`SHUT_RD` — and the other way?",
            "RST — how does a conversation break?",
        ]


class TestTheCell:
    def test_rows_lead_to_their_sections(self, lesson, notebook):
        table(lesson, "| `s.shutdown(SHUT_RD)` | stops | ENOTCONN |", "| [`RST`](how does) | breaks \\| ends | |")
        recap.set_recap(lesson, notebook)
        assert notebook.cells[-1].source.splitlines() == [
            "## Recap",
            "",
            "| call | what it does | how it fails |",
            "|---|---|---|",
            f"| [`s.shutdown(SHUT_RD)`](#cell-id={notebook.cells[2].id}) | stops | ENOTCONN |",
            f"| [`RST`](#cell-id={notebook.cells[4].id}) | breaks \\| ends |  |",
        ]

    def test_a_notebook_without_the_cell_stays(self, lesson, notebook):
        del notebook.cells[-1]
        before = nbformat.writes(notebook)
        recap.set_recap(lesson, notebook)
        assert nbformat.writes(notebook) == before

    def test_no_table(self, lesson, notebook):
        with pytest.raises(Refused, match=r"31_a_lesson.ipynb: wanted its recap in .*31_a_lesson.md"):
            recap.set_recap(lesson, notebook)

    def test_a_row_that_no_section_teaches(self, lesson, notebook):
        table(lesson, "| `accept()` | waits | |")
        with pytest.raises(Refused, match=r"its recap names `accept\(\)`, which no section teaches"):
            recap.set_recap(lesson, notebook)

    def test_a_row_with_a_cell_too_few(self, lesson, notebook):
        table(lesson, "| `shutdown()` | stops |")
        with pytest.raises(Refused, match="wanted three cells in a row, got 2"):
            recap.set_recap(lesson, notebook)
