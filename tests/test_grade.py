"""Grading many notebooks, some of them hostile: each has its row, and nobody pays for another.

SOCKETLAB_THOROUGH=1 grades a hundred of them.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psutil
import pytest
from share import THOROUGH

from socketlab.exercises.definition import all_exercises
from socketlab.grading import Grade, grade, notebooks_in, report
from socketlab.grading.cells import exercises_in, pieces, sources
from socketlab.grading.grade import Mark

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ends families of processes through /proc")

SOLUTIONS = Path(__file__).resolve().parent.parent / "notebooks" / "solutions"
SECONDS = 20.0  # that a notebook may take: a good one takes two, and four times that on a busy machine


def write(path: Path, *cells: str) -> Path:
    found = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    path.write_text(json.dumps({"cells": found, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    return path


def solution(lesson: str) -> list[str]:
    """The cells of a worked solution that answer an exercise, and what they need."""
    cells = sources(SOLUTIONS / f"{lesson}.ipynb")
    return [piece.source for piece in pieces(cells)]


LESSON = "01_what_a_socket_is"
RIGHT = solution(LESSON)
NAMES = [one.name for one in all_exercises().values() if one.lesson == LESSON]
STUB = f"from socketlab.exercises import exercise\n@exercise({NAMES[0]!r})\ndef answer(*arguments):\n    "

#: Code of a cell before the good answers, and whether those keep their marks (None: that is the system's to say).
HOSTILE = {
    "hangs_at_import": ("import time\nclass Slow:\n    time.sleep(1000)", False),
    "loops_in_a_cell": (STUB + "pass\nwhile True:\n    pass", False),
    "prints_for_ever": (STUB + "pass\nwhile True:\n    print('x' * 1000)", False),
    "exits_hard": (STUB + "pass\nimport os\nos._exit(0)", False),
    "kills_itself": (STUB + "pass\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)", False),
    "eats_memory": (STUB + "pass\nhoard = []\nwhile True:\n    hoard.append(bytearray(1 << 20))", None),
    "forks": (STUB + "pass\nimport os\nfor _ in range(4):\n    os.fork()", True),
    "closes_all": (STUB + "pass\nimport os\nos.closerange(3, 500)", False),
    "rubbish_in_the_pipe": (
        STUB + "pass\nimport os\nfor fd in range(3, 50):\n    try: os.write(fd, b'[' * 20000 + b'\\n{\"done\"')\n"
        "    except OSError: pass",
        True,
    ),
    "escapes": (
        STUB + "pass\nimport os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        time.sleep(1000)\n    os._exit(0)",
        True,
    ),
    "answer_loops": (STUB + "while True:\n        pass", True),
    "answer_exits": (STUB + "import os\n    os._exit(0)", True),
    "renamed": (STUB.replace(NAMES[0], "no_such_exercise") + "return 1", True),
    "raises": (STUB + "pass\nraise BaseException('\\x00\\ud800 <&>')", True),
    "deep": (STUB + "pass\nx = " + "(" * 5000 + ")" * 5000, True),
}  # fmt: skip
BROKEN = {
    "no_json.ipynb": b'{"cells": [',
    "empty.ipynb": b"",
    "deep_json.ipynb": b"[" * 100_000,
    "no_cells.ipynb": b'{"cells": 5}',
    "not_utf8.ipynb": b"\xff\xfe\x00",
    "odd_source.ipynb": b'{"cells": [{"cell_type": "code", "source": [1]}]}',
    "=cmd|'calc'!A0.ipynb": b"{}",
    "control\x01\x1b[2J.ipynb": b"{}",
    "bytes_\udcff.ipynb": b"{}",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("submitted")
    for name, (cell, _) in HOSTILE.items():
        write(folder / f"{name}.ipynb", cell, *RIGHT)
    for name, content in BROKEN.items():
        (folder / name).write_bytes(content)
    os.mkfifo(folder / "pipe.ipynb")
    count = 100 - len(list(folder.iterdir())) if THOROUGH else 6
    for n in range(count):
        write(folder / f"student_{n:02}.ipynb", *RIGHT)
    checkpoints = folder / ".ipynb_checkpoints"
    checkpoints.mkdir()
    write(checkpoints / "student_00-checkpoint.ipynb", *RIGHT)
    return folder


class Run:
    """`python -m socketlab grade` over a folder, once for all tests of this module."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.csv, self.junit = out / "marks.csv", out / "marks.xml"
        self.mark = f"graded-{os.getpid()}"
        begin = time.monotonic()
        done = subprocess.run(
            [
                sys.executable, "-m", "socketlab", "grade", str(folder), "--jobs", "4", "--seconds", str(SECONDS),
                "--csv", str(self.csv), "--junit", str(self.junit),
            ],
            capture_output=True, timeout=1200, env={**os.environ, "SOCKETLAB_TEST_MARK": self.mark},
        )  # fmt: skip
        self.seconds = time.monotonic() - begin
        self.status, self.table = done.returncode, done.stdout.decode()
        self.errors = done.stderr.decode()
        self.left = marked(self.mark)


def marked(mark: str) -> list[int]:
    """The processes that have this word in their environment."""
    found = []
    for pid in psutil.pids():
        try:
            if mark.encode() in Path(f"/proc/{pid}/environ").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(folder, tmp_path_factory.mktemp("out"))
    print(f"{len(list(folder.glob('*.ipynb')))} notebooks in {run.seconds:.0f} s")
    return run


class TestMany:
    def test_each_has_a_row(self, run: Run, folder: Path) -> None:
        assert run.status == 0, run.errors
        with run.csv.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(list(folder.glob("*.ipynb")))
        assert all(row["of"] == str(len(NAMES)) or "renamed" in row["notebook"] for row in rows), rows
        assert len(run.table.splitlines()) == len(rows) + 2

    def test_the_good_ones_have_full_marks(self, run: Run) -> None:
        with run.csv.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["notebook"].startswith("student")]
        assert rows
        assert [row for row in rows if row["points"] != str(len(NAMES)) or row["remark"]] == []

    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_hostile_one_loses_its_own_points(self, run: Run, name: str) -> None:
        row = self.row(run, f"{name}.ipynb")
        keeps = HOSTILE[name][1]
        if keeps is not None:
            assert int(row["points"]) in ((len(NAMES),) if keeps else range(len(NAMES))), row
            assert keeps or row["remark"], row

    @pytest.mark.parametrize("name", ["hangs_at_import", "loops_in_a_cell", "prints_for_ever"])
    def test_one_that_hangs_is_told_so(self, run: Run, name: str) -> None:
        assert self.row(run, f"{name}.ipynb")["remark"] == "took more than 20 s"

    @pytest.mark.parametrize("name", BROKEN)
    def test_what_is_no_notebook_is_told_so(self, run: Run, name: str) -> None:
        shown = name.encode(errors="surrogateescape").decode(errors="replace")
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
        row = self.row(run, f"'{shown}" if shown.startswith("=") else shown)
        assert row["points"] == "0"
        assert row["remark"], row

    def test_a_pipe_is_not_waited_for(self, run: Run) -> None:
        assert self.row(run, "pipe.ipynb")["remark"] == "this is not a file"

    def test_no_process_is_left(self, run: Run) -> None:
        assert run.left == []

    def test_junit_can_be_read(self, run: Run, folder: Path) -> None:
        root = ElementTree.parse(run.junit).getroot()
        suites = root.findall("testsuite")
        assert len(suites) == len(list(folder.glob("*.ipynb")))
        for suite in suites:
            cases = suite.findall("testcase")
            assert len(cases) == int(suite.attrib["tests"])
            for kind, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                assert sum(case.find(element) is not None for case in cases) == int(suite.attrib[kind])
        good = [suite for suite in suites if suite.attrib["name"].startswith("student")]
        assert good
        assert all(not list(case) for suite in good for case in suite.findall("testcase"))

    @staticmethod
    def row(run: Run, name: str) -> dict[str, str]:
        with run.csv.open(encoding="utf-8", newline="") as file:
            (found,) = [row for row in csv.DictReader(file) if row["notebook"] == name]
        return found


def command(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "socketlab", "grade", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, **more)


class TestCommand:
    def test_no_such_place(self, tmp_path: Path) -> None:
        done = command(tmp_path / "nowhere")
        assert done.returncode == 2
        assert "there is no" in done.stderr

    def test_no_notebook_in_it(self, tmp_path: Path) -> None:
        assert command(tmp_path).returncode == 1

    @pytest.mark.parametrize("limit", [("--jobs", "-1"), ("--seconds", "0"), ("--memory", "1")], ids=lambda x: x[0])
    def test_limits_that_make_no_sense(self, tmp_path: Path, limit: tuple[str, str]) -> None:
        done = command(write(tmp_path / "a.ipynb"), *limit)
        assert done.returncode == 2
        assert "wanted" in done.stderr

    def test_a_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        done = command(write(tmp_path / "a.ipynb"), "--csv", tmp_path / "no" / "such.csv")
        assert done.returncode == 2
        assert "a.ipynb" in done.stdout  # the table is there all the same

    def test_where_the_terminal_knows_no_signs(self, tmp_path: Path) -> None:
        done = command(write(tmp_path / "a.ipynb", "1"), env={**os.environ, "PYTHONIOENCODING": "ascii"})
        assert done.returncode == 0, done.stderr

    def test_one_after_the_other(self, tmp_path: Path) -> None:
        """With --jobs 1 no two notebooks run at the same time."""
        note = f"""
import os, time
class Noted:
    with open({str(tmp_path / "log")!r}, "a") as log:
        log.write("begin\\n"); log.flush(); time.sleep(0.2); log.write("end\\n")
"""
        for n in range(3):
            write(tmp_path / f"{n}.ipynb", note, STUB + "pass")
        assert command(tmp_path, "--jobs", "1").returncode == 0
        assert (tmp_path / "log").read_text().split() == ["begin", "end"] * 3

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
    def test_ended_in_the_middle_it_leaves_nothing(self, tmp_path: Path, number: signal.Signals) -> None:
        log = tmp_path / "log"
        for n in range(4):
            begun = f"import time\nclass Slow:\n    open({str(log)!r}, 'a').write('x')\n    time.sleep(1000)"
            write(tmp_path / f"{n}.ipynb", begun, STUB + "pass")
        mark = f"ended-{number.name}-{os.getpid()}"
        process = subprocess.Popen(
            [sys.executable, "-m", "socketlab", "grade", str(tmp_path), "--jobs", "2"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "SOCKETLAB_TEST_MARK": mark},
        )  # fmt: skip
        wait_for(lambda: log.exists() and log.stat().st_size == 2)
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
        if number == signal.SIGINT:
            assert process.returncode == 130
            assert errors.decode().strip() == "grade: stopped; nothing was written"
        wait_for(lambda: not marked(mark))

    def test_a_bar_on_a_terminal(self, tmp_path: Path) -> None:
        import pty

        for n in range(2):
            write(tmp_path / f"{n}.ipynb", "1")
        mine, theirs = pty.openpty()
        line = [sys.executable, "-m", "socketlab", "grade", str(tmp_path)]
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=theirs, timeout=60)
        os.close(theirs)
        shown = os.read(mine, 65536).decode()
        os.close(mine)
        assert done.returncode == 0
        assert f"[{'#' * 15}{'.' * 15}] 1 of 2 notebooks" in shown
        assert shown.endswith(f"\r[{'#' * 30}] 2 of 2 notebooks\r\n")


def wait_for(condition: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


class TestInAProgram:
    def test_children_of_others_are_spared(self, tmp_path: Path) -> None:
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        try:
            (found,) = grade([write(tmp_path / "a.ipynb", STUB + "pass")])
            assert found.marks[0].outcome == "not attempted"
            assert other.poll() is None
        finally:
            other.kill()
            other.wait()

    def test_each_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write(tmp_path / "a.ipynb")
        monkeypatch.chdir(tmp_path)
        assert notebooks_in(["a.ipynb", path, tmp_path]) == [Path("a.ipynb")]

    def test_what_is_owed(self, tmp_path: Path) -> None:
        (found,) = grade([write(tmp_path / "a.ipynb", STUB + "pass")])
        assert [mark.exercise for mark in found.marks] == NAMES
        assert [mark.outcome for mark in found.marks] == ["not attempted"] + ["missing"] * (len(NAMES) - 1)


class TestCells:
    def test_names_are_found(self) -> None:
        cells = ["@exercise('a')\ndef a(): ...", '@exercises.exercise( "b" )\ndef b(): ...', "# @exercise('c')"]
        assert exercises_in([*cells, "@exercise(name='d')\nclass D: ..."]) == ["a", "b", "d"]

    def test_magic_is_left_out(self) -> None:
        (piece,) = pieces(["%%trace\n%load_ext socketlab\n!ls\n@exercise('a')\ndef a():\n    return 1"])
        compile(piece.source, "cell", "exec")

    def test_a_sum_that_goes_on_with_a_percent_sign_is_no_magic(self) -> None:
        cell = "@exercise('a')\ndef a():\n    return ('%d'\n        % 5)"
        (piece,) = pieces([cell])
        assert piece.source == cell

    def test_of_other_cells_only_what_they_define(self) -> None:
        found = pieces(["import os\nSIZE = 4 * 2\nprint(SIZE)\nwhile True: pass\nx = input()\ndef f(): ...", "1 +"])
        assert [piece.source.split()[0] for piece in found] == ["import", "SIZE", "def"]


class TestReports:
    GRADES = (
        Grade(Path("/in/=1+1.ipynb"), (Mark("a", "passed"), Mark("b", "failed", "x\x00\x1b <&>", "s", "one")), "@sum"),
        Grade(Path("/in/\t-2\n,\".ipynb"), (Mark("a", "error", "\ud800"), Mark("b", "missing")), "line\nline\r\n\x08"),
        Grade(Path("/in/ü.ipynb"), (Mark("b", "not attempted"), Mark("c", "what?")), "+1"),
    )  # fmt: skip

    def test_no_cell_is_a_formula(self) -> None:
        rows = list(csv.reader(StringIO(report.as_csv(self.GRADES))))
        assert [len(row) for row in rows] == [len(rows[0])] * 4
        assert not [cell for row in rows for cell in row if cell[:1] and cell[0] in "=+-@\t\r\n"]

    def test_a_row_is_a_line_of_the_table(self) -> None:
        lines = report.table(self.GRADES).splitlines()
        assert len(lines) == 5
        assert all(line.isprintable() for line in lines)

    def test_junit_has_no_control_characters(self) -> None:
        text = report.as_junit(self.GRADES)
        root = ElementTree.fromstring(text.encode())
        assert [suite.attrib["failures"] for suite in root] == ["1", "0", "0"]
        assert [suite.attrib["errors"] for suite in root] == ["0", "1", "1"]
        assert "<&>" in root[0][1][0].attrib["message"]

    def test_nothing_to_report(self) -> None:
        assert report.table([]).startswith("notebook")
        assert report.as_csv([]) == "notebook,points,of,remark\n"
        ElementTree.fromstring(report.as_junit([]).encode())
