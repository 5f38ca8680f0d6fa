"""Progress is kept in a file that survives, loses nothing, and never gets in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from socketlab.exercises import FAILED, PASSED, Verdict, progress, records
from socketlab.exercises.definition import all_exercises


def verdict(name: str, outcome: str = PASSED) -> Verdict:
    return Verdict(name, outcome, ("one",), 1)


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "deep" / "down" / "progress.jsonl"
    monkeypatch.setenv("SOCKETLAB_PROGRESS", str(path))
    monkeypatch.delenv("SOCKETLAB_QUIET", raising=False)
    monkeypatch.setattr(records, "_said", False)
    return path


class TestKept:
    def test_what_is_passed_is_kept_once(self, file: Path) -> None:
        assert records.passed() == set()
        for _ in range(3):
            assert records.note(verdict("a")) == ""
        records.note(verdict("b", FAILED))
        assert records.passed() == {"a"}
        assert len(file.read_text().splitlines()) == 1

    def test_it_survives_the_process(self, file: Path) -> None:
        code = "from socketlab.exercises import records, Verdict; records.note(Verdict('a', 'passed'))"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
        assert records.passed() == {"a"}

    def test_progress_shows_it(self) -> None:
        name, found = next(iter(all_exercises().items()))
        records.note(verdict(name))
        shown = progress()
        assert f"  ✓ {name}" in repr(shown).splitlines()
        assert repr(shown).startswith(f"1 of {len(all_exercises())} exercises passed\n{found.lesson}\n")
        assert f"✓ {name}" in shown._repr_html_()

    def test_quiet_keeps_nothing(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SOCKETLAB_QUIET", "1")
        records.note(verdict("a"))
        assert not file.exists()

    def test_many_processes_at_once_lose_nothing(self, file: Path) -> None:
        file.parent.mkdir(parents=True)
        file.write_text('{"exercise": "begun", "outc')  # and a line that somebody has not finished
        code = (
            "import sys; from socketlab.exercises import records, Verdict; sys.stdin.read(1)\n"
            "for n in range(50): records.note(Verdict(f'{sys.argv[1]}-{n}', 'passed'))"
        )
        line = [sys.executable, "-c", code]
        writers = [subprocess.Popen([*line, str(n)], stdin=subprocess.PIPE) for n in range(4)]
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write(b"x")
            writer.stdin.flush()
        for writer in writers:
            writer.communicate(timeout=60)
        assert records.passed() == {f"{who}-{n}" for who in range(4) for n in range(50)}


BROKEN = [
    b"", b"\n\n", b"{", b"[]", b"5\nnull\n\"x\"", b'{"outcome": "passed"}', b'{"exercise": "x", "outcome": 5}',
    b"\xff\xfe\x00", b"[" * 100_000, b'{"exercise": "half", "outcome": "pass', b"\x00" * 5000,
]  # fmt: skip


class TestBadLuck:
    @pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
    def test_a_broken_file(self, file: Path, content: bytes) -> None:
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        assert records.passed() == set()
        assert records.note(verdict("a")) == ""
        assert records.passed() == {"a"}
        assert file.read_bytes().startswith(content)  # what somebody else has written stays

    def test_lines_around_a_broken_one_count(self, file: Path) -> None:
        records.note(verdict("a"))
        with file.open("ab") as out:
            out.write(b"\xff{{\n")
        records.note(verdict("b"))
        assert records.passed() == {"a", "b"}

    @pytest.mark.parametrize("place", ["a folder", "below a file", "a device", "no such name", "a pipe"])
    def test_where_it_cannot_be_written_that_is_said_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        (tmp_path / "file").write_text("x")
        paths = {
            "a folder": tmp_path,
            "below a file": tmp_path / "file" / "progress.jsonl",
            "a device": Path(os.devnull),
            "a pipe": tmp_path / "pipe",
            "no such name": tmp_path / ("x" * 300),
        }
        if place == "a pipe":
            if not hasattr(os, "mkfifo"):
                pytest.skip("this system has no named pipes")
            os.mkfifo(paths[place])
        monkeypatch.setenv("SOCKETLAB_PROGRESS", str(paths[place]))
        said = [records.note(verdict(name)) for name in "abc"]
        assert said[0].startswith(f"Your progress cannot be kept in {paths[place]}: ")
        assert said[0].endswith("The exercises work.")
        assert said[1:] == ["", ""]
        assert records.passed() == set()

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to root")
    def test_a_folder_that_may_not_be_written(self, tmp_path: Path, file: Path) -> None:
        tmp_path.chmod(0o500)
        try:
            assert "Permission denied" in records.note(verdict("a"))
        finally:
            tmp_path.chmod(0o700)

    def test_where_there_is_no_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def homeless() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("SOCKETLAB_PROGRESS")
        for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(Path, "home", homeless)
        assert records.passed() == set()
        assert "Could not determine home directory" in records.note(verdict("a"))

    def test_the_place_that_systems_have_for_it(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("SOCKETLAB_PROGRESS")
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        assert records.place() == tmp_path / "socketlab" / "progress.jsonl"
        records.note(verdict("a"))
        assert json.loads(records.place().read_text())["exercise"] == "a"
