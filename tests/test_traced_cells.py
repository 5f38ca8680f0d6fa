"""Every cell of the course that begins with `%%trace`, again and again beside two CPU hogs: its text never changes.

nbval runs each cell once, mostly on an idle machine. A trace promises more: the same text in whichever order the
scheduler lets threads run. So the code of each traced cell is run many times under `trace()`, in a process of its own,
after the setup cell and the cells of its section that stand above it, while two processes keep the processors busy.
What its views show as text must be what is stored in the notebook, each time; and what the cells right below it show
of a trace that has a name.

A cell belongs here because its first line is `%%trace`: nothing has to be added for a new notebook.
SOCKETLAB_THOROUGH=1 takes 200 runs of each cell, otherwise it is 10, or as many as there is time for.
"""

from __future__ import annotations

import difflib
import multiprocessing
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from rerun_cells import FEWEST, Seen, Step, run
from share import THOROUGH

from socketlab.ipython.options import wanted
from socketlab.trace import Trace, trace
from tools import notebooks
from tools.kernels import CELL_TIMEOUT

TIMES = 200 if THOROUGH else 10
FOR_ALL = float("inf") if THOROUGH else 12.0  # s for the runs of all traced cells of the course, fairly divided
HOGS = 2
FIRST_LINE = re.compile(r"%%trace(?=\s|$)")


# --- which cells --------------------------------------------------------------------------------------------


def steps_of(path: Path) -> list[Step]:
    """The setup cell, and of each `##` section with a traced cell the code cells down to the last one."""
    notebook = notebooks.read(path)
    sections: list[list[Any]] = [[]]
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.search(r"^## ", cell.source, re.MULTILINE):
            sections.append([])
        elif cell.cell_type == "code":
            sections[-1].append(cell)
    setup = next(cell for cells in sections for cell in cells)
    found = []
    for cells in sections:
        last = max((at for at, cell in enumerate(cells) if FIRST_LINE.match(cell.source)), default=-1)
        for at, cell in enumerate(cells[: last + 1]):
            if cell is not setup:
                found.append(_step(path, notebook, cell, cells[at + 1 :]))
    return [_step(path, notebook, setup, []), *found] if found else []


def _step(path: Path, notebook: Any, cell: Any, following: list[Any]) -> Step:
    first, _, rest = cell.source.partition("\n")
    where, may_raise = notebooks.describe(path, notebook, cell), notebooks.is_announced_error(cell)
    if not FIRST_LINE.match(first):
        return Step(cell.source, where, may_raise)
    views, name = wanted(first)
    displayed = [output.data.get("text/plain") for output in cell.outputs if output.output_type == "display_data"]
    texts = [None] * (len(views) - len(displayed)) + displayed[-len(views) :]  # the cell itself may show things first
    below = []
    for other in following:
        if not name or not re.search(rf"\b{name}\b", other.source) or FIRST_LINE.match(other.source):
            break
        below.append(other.source)
        texts += [output.data.get("text/plain") for output in other.outputs if output.output_type == "execute_result"]
    return Step(f"\n{rest}", where, may_raise, views, name, tuple(below), tuple(texts))


def traced_notebooks() -> dict[Path, int]:
    """The notebooks that have traced cells, and how many."""
    found = {path: sum(bool(step.views) for step in steps_of(path)) for path in notebooks.all_notebooks()}
    return {path: number for path, number in found.items() if number}


# --- what the tests ask of it -------------------------------------------------------------------------------


def look(path: Path, times: int, seconds: float, patience: float = CELL_TIMEOUT) -> tuple[list[Seen], list[str]]:
    """Run the traced cells of the notebook at `path`; what was seen, and what is to be complained of.

    `seconds` are for all runs of all cells, `patience` is for one run; then the process is ended.
    """
    ours, theirs = _processes().Pipe(duplex=False)
    child = _processes().Process(target=run, args=(steps_of(path), path.parent, times, seconds, theirs), daemon=True)
    child.start()
    theirs.close()  # or its end would not be seen
    every: list[Seen] = []
    try:
        under_way, limit = f"{path.name}, before its traced cells: ", 2.0 * CELL_TIMEOUT
        while (message := _next(ours, under_way, limit)) is not None:
            if isinstance(message, Seen):
                every.append(message)
                if message.trouble:
                    break
            else:
                under_way, limit = message, min(seconds, times * patience) + FEWEST * patience
    finally:
        child.kill()
        child.join()
        ours.close()
    return every, [words for seen in every if (words := complaint(seen))]


def _next(results: Connection, under_way: str, limit: float) -> Seen | str | None:
    try:
        if results.poll(limit):
            return results.recv()  # type: ignore[no-any-return]
        trouble = "it hangs"
    except EOFError:
        trouble = "its process has died"
    return Seen(under_way, (), Counter(), 0, trouble, limit)


def complaint(seen: Seen) -> str:
    """What is wrong with the cell, for a person to read; "" where nothing is."""
    if seen.trouble:
        return f"{seen.where}{seen.trouble}"
    runs = seen.shown.total()
    for texts, times in seen.shown.most_common():
        if texts == seen.stored:
            continue
        stored = "\n".join(str(text) for text in seen.stored).splitlines()
        came = "\n".join(texts).splitlines()
        diff = "\n".join(difflib.unified_diff(stored, came, "stored in the notebook", "shown", lineterm="", n=99))
        return f"{seen.where}{times} of {runs} runs showed something else than the notebook has stored:\n{diff}"
    if seen.others:
        return f"{seen.where}{runs} runs had {seen.others + 1} different ladders, which the cell does not show"
    return ""


@cache
def _processes() -> Any:
    """Forks of one process that has imported what all of them need; on Windows each imports it anew."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "rerun_cells"])
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):  # where Python < 3.12.4 looks for these
        forkserver.ensure_running()
    return context


HOG = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@pytest.fixture(scope="class")
def _hogs() -> Iterator[None]:
    """Two processes that do nothing but compute; they end with the tests, or with the process that runs them."""
    hogs = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(HOGS)]
    try:
        yield
        assert [hog.poll() for hog in hogs] == [None] * HOGS, "a hog has ended early: the runs had the machine alone"
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


NOTEBOOKS = traced_notebooks()


def test_there_are_traced_cells() -> None:
    assert NOTEBOOKS, f"no cell in {notebooks.FOLDER} begins with %%trace: the tests below would all be skipped"


@pytest.mark.usefixtures("_hogs")
class TestTheCourse:
    @pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(notebooks.FOLDER)))
    def test_the_same_text_each_time(self, path: Path, record_property: Any) -> None:
        seen, complaints = look(path, TIMES, FOR_ALL * NOTEBOOKS[path] / sum(NOTEBOOKS.values()))
        for cell in seen:
            where = cell.where.partition("\n")[0]
            figures = f"{cell.shown.total()} runs, {len(cell.shown)} texts, {cell.seconds:.1f} s"
            record_property(where, figures)
            print(where, figures, sep=": ")
        assert not complaints, "\n".join(complaints)
        assert len(seen) == NOTEBOOKS[path]


@pytest.fixture
def pair() -> Trace:
    """The trace of a pair of sockets, of which one tells the other a word."""
    with trace() as t:
        exec(TestTheTest.PAIR, {"socket": socket, "word": b"word"})
    return t


class TestTheTest:
    """It can fail."""

    PAIR = "left, right = socket.socketpair()\nwith left, right:\n    left.sendall(word)\n    right.recv(100)"

    def complaints(self, folder: Path, *cells: str, stored: str = "", below: str = "") -> str:
        """What is said of a notebook with these cells, the last of which is traced and has shown `stored`."""
        *others, traced = [new_code_cell(source) for source in cells]
        traced.outputs = [new_output("display_data", {"text/plain": stored})]
        tail = [new_code_cell(below, outputs=[new_output("execute_result", {"text/plain": "1"})])] if below else []
        page = folder / "page.ipynb"
        setup = new_code_cell("import socket\n\n%load_ext socketlab")
        notebook = new_notebook(cells=[setup, new_markdown_cell("## Section"), *others, traced, *tail])
        nbformat.write(notebook, page)
        _, complaints = look(page, times=3, seconds=60, patience=1)
        return "\n".join(complaints)

    def test_the_same_each_time(self, tmp_path: Path, pair: Trace) -> None:
        said = self.complaints(tmp_path, 'word = b"word"', f"%%trace\n{self.PAIR}", stored=pair.text())
        assert said == ""

    def test_another_text_than_stored(self, tmp_path: Path, pair: Trace) -> None:
        said = self.complaints(tmp_path, 'word = b"other"', f"%%trace\n{self.PAIR}", stored=pair.text())
        assert "3 of 3 runs" in said
        assert "b'other'" in said

    def test_another_text_now_and_then(self, tmp_path: Path, pair: Trace) -> None:
        words = 'words = iter([b"word", b"word", b"other"])'
        said = self.complaints(tmp_path, words, f"%%trace\nword = next(words)\n{self.PAIR}", stored=pair.text())
        assert "1 of 3 runs" in said

    def test_an_error_that_is_not_announced(self, tmp_path: Path) -> None:
        assert "NameError" in self.complaints(tmp_path, f"%%trace\n{self.PAIR}")

    def test_an_error_above(self, tmp_path: Path) -> None:
        assert "ZeroDivisionError" in self.complaints(tmp_path, "1 / 0", f"%%trace\n{self.PAIR}")

    def test_a_cell_that_hangs(self, tmp_path: Path) -> None:
        assert "it hangs" in self.complaints(tmp_path, '%%trace\nsocket.create_server(("127.0.0.1", 0)).accept()')

    def test_a_cell_that_ends_its_process(self, tmp_path: Path) -> None:
        assert "has died" in self.complaints(tmp_path, "%%trace\nimport os\nos._exit(1)")

    def test_a_timeline_of_calls_that_change(self, tmp_path: Path, pair: Trace) -> None:
        words = 'words = iter([b"word", b"word", b"other"])'
        cell = f"%%trace --timeline\nword = next(words)\n{self.PAIR}"
        assert "2 different ladders" in self.complaints(tmp_path, words, cell, stored=repr(pair.timeline()))

    def test_a_cell_below_that_shows_the_trace(self, tmp_path: Path, pair: Trace) -> None:
        cell = f"%%trace t\n{self.PAIR}"
        said = self.complaints(tmp_path, 'word = b"word"', cell, stored=pair.text(), below="len(t.events)")
        assert f"+{len(pair.events)}" in said
