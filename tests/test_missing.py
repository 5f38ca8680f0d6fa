"""A cell that lacks a name: the note under it tells which cell of the notebook makes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_ipython import Notebook

from socketlab.ipython.missing import Maker, maker


def page(*cells: str) -> dict[str, Any]:
    """A notebook: text where a cell begins with #, else code."""
    kinds = ["markdown" if cell.startswith("# ") else "code" for cell in cells]
    return {"cells": [{"cell_type": kind, "source": cell} for kind, cell in zip(kinds, cells, strict=True)]}


class TestMaker:
    @pytest.mark.parametrize(
        ("source", "name"),
        [
            ("import socket", "socket"),
            ("import os.path", "os"),
            ("import numpy as np", "np"),
            ("from socketlab import trace as t", "t"),
            ("def ask(address): ...", "ask"),
            ("async def ask(): ...", "ask"),
            ("class Peer: ...", "Peer"),
            ("left, (right, *rest) = pairs", "rest"),
            ("with open('x') as file: data = file.read()", "data"),
            ("for n in range(3): last = n", "last"),
            ("if True:\n    found = 1", "found"),
            ("try:\n    found = 1\nexcept OSError as error: pass", "found"),
            ("(n := 3)", "n"),
            ("%%trace\nanswer = 1", "answer"),
            ("%load_ext socketlab\nanswer = 1", "answer"),
        ],
    )
    def test_what_a_cell_makes(self, source, name):
        assert maker(name, "", page("1", source)) == Maker(source.splitlines()[0], "", False)

    @pytest.mark.parametrize(
        "source", ["def f():\n    x = 1", "[x for x in y]", "lambda x: x", "print(x)", "x.y = 1", "x = = 1", "x[0] = 1"]
    )
    def test_what_it_does_not(self, source):
        assert maker("x", "", page(source)) is None

    def test_the_first_one_and_the_heading_above(self):
        notebook = page("# A course", "import os", "# Waiting\n## `ask()` — how?", "ask = 1", "ask = 2")
        assert maker("ask", "", notebook) == Maker("ask = 1", "ask() — how?", False)
        assert maker("os", "", notebook) == Maker("import os", "A course", True)

    def test_not_the_cell_that_lacks_it(self):
        notebook = page("1", "n = n + 1", "n = 0")
        assert maker("n", "n = n + 1\n", notebook) == Maker("n = 0", "", False)
        assert maker("n", "n = 0", page("n = 0")) is None


NOTEBOOK = page(
    "# A course",
    "import errno\nimport socket\n%load_ext socketlab",
    "# Waiting",
    "ask = None  # run this before the next cell",
    "answer = 4",
    "ask()",
)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    folder = tmp_path_factory.mktemp("missing")
    (folder / "31 lesson.ipynb").write_text(json.dumps(NOTEBOOK))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SOCKETLAB_QUIET", "CI"):
            patch.delenv(name, raising=False)
        patch.setenv("JPY_SESSION_NAME", "notebooks/31 lesson.ipynb")
        kernel = Notebook(folder)
    kernel.cell("%load_ext socketlab")
    yield kernel
    kernel.close()


class TestNote:
    def notes(self, kernel: Notebook, source: str) -> list[str]:
        outputs = kernel.cell(source, ok=False)
        return [output["data"]["text/plain"] for output in outputs if output["kind"] == "display_data"]

    def test_the_first_cell(self, kernel):
        assert self.notes(kernel, "socket.socket()") == [
            "socket comes from the first cell of this notebook: run that one, then this one again."
        ]

    def test_another_cell(self, kernel):
        (note,) = self.notes(kernel, "ask()")
        assert note == (
            "ask comes from the cell that begins with “ask = None  # run this before the next cell”, under “Waiting”: "
            "run that one, then this one again."
        )

    def test_in_a_function_of_a_cell(self, kernel):
        (note,) = self.notes(kernel, "def f():\n    return answer\nf()")
        assert note.startswith("answer comes from the cell that begins with “answer = 4”")

    def test_in_a_traced_cell(self, kernel):
        (*_, note) = self.notes(kernel, "%%trace\nask()")
        assert note.startswith("ask comes from the cell")

    @pytest.mark.parametrize(
        "source",
        [
            "no_such_name",
            "def f():\n    errno\n    errno = 1\nf()",  # UnboundLocalError
            "raise OSError('socket')",
            "exec(compile('socket', 'a_library.py', 'exec'))",
            "SOCKET = 1",
        ],
    )
    def test_nothing_to_say(self, kernel, source):
        assert self.notes(kernel, source) == []

    def test_a_folder_without_the_notebook(self, kernel):
        kernel.cell("import os\nos.chdir('/')")
        try:
            assert self.notes(kernel, "socket.socket()") == []
        finally:
            kernel.cell(f"os.chdir({str(Path(kernel.folder))!r})")

    def test_a_file_that_is_no_notebook(self, kernel):
        path = Path(kernel.folder, "31 lesson.ipynb")
        text = path.read_text()
        try:
            for broken in ("", "[1]", '{"cells": [{"cell_type": "code"}]}', text[:40]):
                path.write_text(broken)
                assert self.notes(kernel, "socket.socket()") == []
        finally:
            path.write_text(text)

    def test_quiet(self, kernel):
        kernel.cell("import os\nos.environ['SOCKETLAB_QUIET'] = '1'")
        try:
            assert self.notes(kernel, "socket.socket()") == []
        finally:
            kernel.cell("del os.environ['SOCKETLAB_QUIET']")

    def test_unloaded(self, kernel):
        kernel.cell("%unload_ext socketlab")
        try:
            assert self.notes(kernel, "socket.socket()") == []
        finally:
            kernel.cell("%load_ext socketlab")
