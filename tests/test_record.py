"""tools/record.py: what it stores, what it refuses, and what it leaves alone."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_output

from tools import generated, notebooks

ROOT = Path(__file__).resolve().parent.parent
PANEL = """\
import ipywidgets

class Panel(ipywidgets.HTML):
    def __repr__(self):
        return "<panel>"
    def _repr_mimebundle_(self, **kwargs):
        return {**super()._repr_mimebundle_(**kwargs), "text/html": "<b>a still picture</b>"}

Panel()"""

GOOD = [
    "import socket, sys",
    'print("one"); print("err", file=sys.stderr); print("two")\nsocket.AF_INET',
    "# raises\nsocket.create_connection(('127.0.0.1', 1))",
    "import random\nimport matplotlib.pyplot as plt\nlines = plt.plot([random.random() for _ in range(9)])",
    PANEL,
    "# NBVAL_IGNORE_OUTPUT\n# the clock\nimport time\ntime.perf_counter_ns()",
]
ENVIRONMENT = [
    "import os\nos.environ['SOCKETLAB_QUIET'], os.environ.get('MPLBACKEND'), os.listdir(os.environ['IPYTHONDIR'])",
    "os.path.basename(os.getcwd())",
]
# The text of a cell that shows something else each time → what the refusal must say of it.
DIFFERS = {
    "import time, random\nprint('same')\nprint(random.random())": "[stdout]\n same\n-0.",
    "time.perf_counter_ns()": "[text/plain]\n-",
    "from IPython.display import HTML\nHTML(f'<i>{time.perf_counter_ns()}</i>')": "[text/html]\n-<i>",
    "from IPython.display import SVG\nSVG(f'<svg><a>{time.perf_counter_ns()}</a></svg>')": "[image/svg+xml]\n-<svg>",
    "# raises\nraise OSError(time.perf_counter_ns())": "[evalue]\n-",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2]);": "+[<matplotlib.lines.Line2D",
    "from IPython.display import display\nshown = display('a', display_id=True)\nshown.update('b')": "-'b'\n+'a'",
}
# Other reasons to refuse: name → (cells, words of the refusal)
REFUSED = {
    "04_error": (["1", "1 / 0"], ["code cell [2], under “04_error”", "ZeroDivisionError", "tag the cell"]),
    "05_no_error": (["# raises\n1"], ["raised nothing"]),
    "06_kernel_dies": (["import os\nos._exit(3)"], ["ended the kernel"]),
    "07_empty": (["1", "  "], ["empty code cell"]),
}
CASES = {
    "01_good": GOOD,
    "02_environment": ENVIRONMENT,
    "03_differs": list(DIFFERS),
    **{name: sources for name, (sources, _) in REFUSED.items()},
}


def write(path: Path, sources: list[str]) -> None:
    """A notebook as a careless editor leaves it: no ids, times and folded cells in the metadata, state of widgets."""
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "metadata": {}, "source": f"# {path.stem}"}]
    for source in sources:
        metadata: dict[str, Any] = {"collapsed": False, "execution": {"iopub.execute_input": "2026-01-01T00:00:00Z"}}
        if source.startswith("# raises\n"):
            metadata["tags"] = ["raises-exception"]
        cells.append(
            {"cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": None}
        )
    metadata = {"widgets": {"state": {}}, "language_info": {"name": "python", "version": "3.1.4"}}
    path.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}))


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "record.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@dataclass
class Recorded:
    folder: Path
    status: int
    said: str
    refusals: dict[str, str]  # by the notebook's name

    def read(self, name: str) -> NotebookNode:
        return notebooks.read(self.folder / f"{name}.ipynb")

    def outputs(self, name: str, number: int) -> list[NotebookNode]:
        return notebooks.code_cells(self.read(name))[number - 1].outputs


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """All cases in one run: starting kernels is what takes the time."""
    folder = tmp_path_factory.mktemp("course")
    paths = [folder / f"{name}.ipynb" for name in CASES]
    for path in paths:
        write(path, CASES[path.stem])
    done = run(*paths, paths[0])
    refusals = {part.split(".ipynb")[0].rsplit("/", 1)[-1]: part for part in done.stderr.split("refused: ")[1:]}
    return Recorded(folder, done.returncode, done.stdout, refusals)


class TestRefusing:
    @pytest.mark.parametrize("name", REFUSED)
    def test_says_where_and_why(self, recorded: Recorded, name: str) -> None:
        for word in REFUSED[name][1]:
            assert word in recorded.refusals[name]

    @pytest.mark.parametrize(("source", "diff"), DIFFERS.items())
    def test_shows_the_difference(self, recorded: Recorded, source: str, diff: str) -> None:
        number = list(DIFFERS).index(source) + 1
        parts = recorded.refusals["03_differs"].split("code cell [")
        (part,) = [part for part in parts if part.startswith(f"{number}]")]
        assert source.splitlines()[-1] in part
        assert "--- first execution\n+++ second execution" in part
        assert diff in part

    @pytest.mark.parametrize("name", ["03_differs", *REFUSED])
    def test_writes_no_outputs(self, recorded: Recorded, name: str) -> None:
        cells = notebooks.code_cells(recorded.read(name))
        assert [cell.source for cell in cells] == CASES[name]
        assert all(cell.execution_count is None and not cell.outputs for cell in cells)

    def test_records_the_others(self, recorded: Recorded) -> None:
        assert set(recorded.refusals) == {"03_differs", *REFUSED}

    def test_exit_status(self, recorded: Recorded) -> None:
        assert recorded.status == 1

    def test_not_a_notebook(self, tmp_path: Path) -> None:
        (tmp_path / "x.ipynb").write_text("{}")
        done = run(tmp_path / "x.ipynb", tmp_path / "y.ipynb")
        assert done.returncode == 1
        assert "wanted a Jupyter notebook" in done.stderr
        assert "no such notebook" in done.stderr


class TestStored:
    def test_counts(self, recorded: Recorded) -> None:
        cells = notebooks.code_cells(recorded.read("01_good"))
        assert [cell.execution_count for cell in cells] == [1, 2, 3, 4, 5, 6]
        assert [o.execution_count for cell in cells for o in cell.outputs if "execution_count" in o] == [2, 5, 6]

    def test_streams_are_merged(self, recorded: Recorded) -> None:
        outputs = recorded.outputs("01_good", 2)
        assert [(o.name, o.text) for o in outputs if o.output_type == "stream"] == [
            ("stdout", "one\ntwo\n"),
            ("stderr", "err\n"),
        ]

    def test_announced_error_names_no_folder(self, recorded: Recorded) -> None:
        (error,) = recorded.outputs("01_good", 3)
        assert error.ename == "ConnectionRefusedError"
        frames = notebooks.ANSI.sub("", "\n".join(error.traceback))
        assert "File socket.py:" in frames
        assert "/" not in frames

    def test_panel_leaves_a_still_picture(self, recorded: Recorded) -> None:
        (output,) = recorded.outputs("01_good", 5)
        assert dict(output.data) == {"text/html": "<b>a still picture</b>", "text/plain": "<panel>"}

    def test_kernel_is_quiet_and_in_the_folder(self, recorded: Recorded) -> None:
        assert (
            recorded.outputs("02_environment", 1)[0].data["text/plain"].startswith("('1', 'module://matplotlib_inline")
        )
        assert recorded.outputs("02_environment", 2)[0].data["text/plain"] == repr(recorded.folder.name)

    def test_metadata(self, recorded: Recorded) -> None:
        notebook = recorded.read("01_good")
        assert notebook.metadata == {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        assert [cell.metadata for cell in notebook.cells if cell.metadata] == [{"tags": ["raises-exception"]}]

    def test_navigation(self, recorded: Recorded) -> None:
        assert recorded.read("02_environment").cells[-1].source == (
            "← [01_good](01_good.ipynb) · [Contents](index.ipynb) · [03_differs](03_differs.ipynb) →"
        )

    def test_navigation_of_neighbours(self, recorded: Recorded) -> None:
        assert recorded.read("07_empty").cells[-1].source == (
            "← [06_kernel_dies](06_kernel_dies.ipynb) · [Contents](index.ipynb)"
        )

    def test_second_recording_changes_nothing(self, recorded: Recorded) -> None:
        """Its picture differs each time; the notebook was named twice on the command line."""
        lines = [line.rsplit("/", 1)[-1] for line in recorded.said.splitlines() if "01_good" in line]
        assert lines == ["01_good.ipynb: recorded", "01_good.ipynb: unchanged"]

    def test_new_pictures_on_request_only(self, recorded: Recorded) -> None:
        before = recorded.read("01_good")
        after = copy.deepcopy(before)
        picture = notebooks.code_cells(after)[3].outputs[0].data
        picture["image/png"] = "another"
        notebooks.keep_unchanged(after, before)
        assert picture["image/png"] == "another"
        assert notebooks.code_cells(after)[3].outputs == notebooks.code_cells(before)[3].outputs

    def test_below_an_edited_cell_everything_is_new(self, recorded: Recorded) -> None:
        before = recorded.read("01_good")
        after = copy.deepcopy(before)
        cells = notebooks.code_cells(after)
        cells[0].source += "  # edited"
        cells[3].outputs[0].data["image/png"] = "another"
        notebooks.keep_unchanged(after, before)
        assert cells[3].outputs[0].data["image/png"] == "another"

    def test_check(self, recorded: Recorded, tmp_path: Path) -> None:
        folder = tmp_path / recorded.folder.name  # its last cell shows the folder's name
        folder.mkdir()
        good = (recorded.folder / "02_environment.ipynb").read_text()
        stored = {
            "good": good,
            "stale": good.replace("('1', ", "('2', "),
            "dirty": good.replace('"metadata": {}', '"metadata": {"scrolled": true}', 1),
            "not_run": good.replace('"execution_count": 2', '"execution_count": null'),
        }
        assert len(set(stored.values())) == 4
        for name, text in stored.items():
            (folder / f"{name}.ipynb").write_text(text)
        done = run("--check", *(folder / f"{name}.ipynb" for name in stored))
        assert done.returncode == 1
        assert "good.ipynb: as stored" in done.stdout
        assert "-('2', " in done.stderr
        assert "dirty.ipynb: not stored clean" in done.stderr
        assert "without having been executed" in done.stderr
        assert done.stderr.count("refused:") == 3
        assert {name: (folder / f"{name}.ipynb").read_text() for name in stored} == stored


class TestText:
    """Rules that need no kernel."""

    def test_ids_are_kept_or_derived(self, tmp_path: Path) -> None:
        path = tmp_path / "ids.ipynb"
        write(path, ["1", "1", "2"])
        raw = json.loads(path.read_text())
        raw["cells"][3]["id"] = "mine"
        path.write_text(json.dumps(raw))
        ids = [cell.id for cell in notebooks.read(path).cells]
        assert ids == [cell.id for cell in notebooks.read(path).cells]
        assert len(set(ids)) == 4
        assert ids[3] == "mine"

    def test_doubled_id_is_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "ids.ipynb"
        write(path, ["1", "2"])
        raw = json.loads(path.read_text())
        raw["cells"][1]["id"] = raw["cells"][2]["id"] = "copied"
        path.write_text(json.dumps(raw))
        ids = [cell.id for cell in notebooks.read(path).cells]
        assert ids[1] == "copied" != ids[2]

    @pytest.mark.parametrize(
        ("frame", "clean"),
        [
            ("File ~/.pyenv/lib/python3.11/socket.py:851, in f", "File socket.py:851, in f"),
            ("File \x1b[39m\x1b[32m/usr/lib/a b/socket.py:8\x1b[39m", "File \x1b[39m\x1b[32msocket.py:8\x1b[39m"),
            (r"File C:\Python\lib\socket.py:851", "File socket.py:851"),
            ("Cell In[3], line 2\n----> 2 open('/etc/x.py')", "Cell In[3], line 2\n----> 2 open('/etc/x.py')"),
        ],
    )
    def test_frames_lose_their_folder(self, frame: str, clean: str) -> None:
        assert notebooks.FOLDER_OF_A_FRAME.sub(r"\1", frame) == clean

    def test_interrupted_write_leaves_the_old_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "x.ipynb"
        path.write_text("old")

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("os.replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            notebooks.replace_file(path, "new")
        assert [p.name for p in tmp_path.iterdir()] == ["x.ipynb"]
        assert path.read_text() == "old"

    PAIRS = (
        ([new_output("stream", name="stdout", text="a")], [new_output("stream", name="stdout", text="a")], True),
        ([new_output("stream", name="stdout", text="a")], [new_output("stream", name="stderr", text="a")], False),
        ([new_output("error", evalue="b", traceback=["x"])], [new_output("error", evalue="b")], True),
        ([new_output("error", evalue="b")], [new_output("error", evalue="c")], False),
        (
            [new_output("display_data", data={"text/plain": "a", "image/png": "x"})],
            [new_output("display_data", data={"text/plain": "a", "image/png": "y"})],
            True,
        ),
        (
            [new_output("display_data", data={"text/plain": "a"})],
            [new_output("display_data", data={"text/plain": "a", "text/html": "b"})],
            False,
        ),
        ([], [new_output("display_data", data={"text/plain": "a"})], False),
    )

    @pytest.mark.parametrize(("new", "old", "same"), PAIRS)
    def test_compares_as_nbval_does(
        self, new: list[NotebookNode], old: list[NotebookNode], same: bool, request: pytest.FixtureRequest
    ) -> None:
        from nbval.plugin import IPyNbCell, IPyNbFile

        file = IPyNbFile.from_parent(request.session, path=ROOT / "none.ipynb")
        cell = IPyNbCell.from_parent(file, name="Cell 0", cell_num=0, cell=None, options={})
        assert cell.compare_outputs(new, old) == same
        assert (notebooks.compared(new) == notebooks.compared(old)) == same


class TestGenerated:
    """The parts that are made from other notebooks."""

    @pytest.fixture
    def course(self, tmp_path: Path) -> Path:
        (tmp_path / "solutions").mkdir()
        write(tmp_path / "01_one.ipynb", ["import socket", '@exercise("first")\ndef first(): ...'])
        write(tmp_path / "02_two.ipynb", ['@exercise("a")\ndef a(): ...', "@exercise('b')\ndef b(): ..."])
        write(tmp_path / "03_three.ipynb", ["1"])
        write(tmp_path / "solutions" / "01_one.ipynb", ['@exercise("first")\ndef first(): ...'])
        contents = {"cell_type": "markdown", "id": generated.CONTENTS_ID, "metadata": {}, "source": ""}
        index = {"cells": [contents], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (tmp_path / "index.ipynb").write_text(json.dumps(index))
        return tmp_path

    def generated(self, path: Path) -> str:
        notebook = notebooks.read(path)
        generated.set_generated(path, notebook)
        return str(notebook.cells[-1].source)

    def test_contents_count_the_exercises(self, course: Path) -> None:
        assert self.generated(course / "index.ipynb").splitlines()[4:] == [
            "| [01_one](01_one.ipynb) |  | 1 · [solutions](solutions/01_one.ipynb) |  |",
            "| [02_two](02_two.ipynb) |  | 2 |  |",
            "| [03_three](03_three.ipynb) |  |  |  |",
        ]

    def test_solutions_lead_back(self, course: Path) -> None:
        line = self.generated(course / "solutions" / "01_one.ipynb")
        assert line == "← [01_one](../01_one.ipynb) · [Contents](../index.ipynb)"

    def test_solutions_without_a_lesson(self, course: Path) -> None:
        (course / "01_one.ipynb").unlink()
        assert self.generated(course / "solutions" / "01_one.ipynb") == "[Contents](../index.ipynb)"

    def test_lessons_do_not_count_solutions_as_neighbours(self, course: Path) -> None:
        assert self.generated(course / "02_two.ipynb") == (
            "← [01_one](01_one.ipynb) · [Contents](index.ipynb) · [03_three](03_three.ipynb) →"
        )

    def test_recording_solutions_brings_the_contents_up_to_date(self, course: Path) -> None:
        write(course / "solutions" / "02_two.ipynb", ["2"])
        done = run(course / "solutions" / "02_two.ipynb")
        assert done.returncode == 0, done.stderr
        assert "2 · [solutions](solutions/02_two.ipynb)" in notebooks.read(course / "index.ipynb").cells[0].source
