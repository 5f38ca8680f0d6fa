"""The index: complete, true to the notebooks, and found by the words that people type."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from needs import pythons

import socketlab.lookup.names as names_module
from socketlab.lookup import KINDS, Entry, Place, entries, matching
from socketlab.lookup.names import public_constants, public_names
from socketlab.panels.lookup import MOST, LookupPanel, row, table
from tools import constants, index
from tools.beneath import beneath
from tools.notebooks import FOLDER, Refused, read


class TestIndex:
    """socketlab/lookup/index.json, which is generated."""

    def test_is_up_to_date(self) -> None:
        assert index.INDEX.read_text(encoding="utf-8") == index.index(), "run: python tools/index.py"

    def test_has_every_operation_of_this_python(self) -> None:
        assert not set(public_names()) - {entry.name for entry in entries("operations")}

    def test_has_every_constant_of_this_python(self) -> None:
        assert not set(public_constants()) - {entry.name for entry in entries("constants")}

    @pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
    def test_has_every_name_of_other_pythons(self, version: str) -> None:
        python = pythons().get(version)
        if python is None:
            pytest.skip(f"this machine has no Python {version}")
        print_names = "from names import *; print(*public_names(), *public_constants())"
        folder = Path(names_module.__file__).parent  # without the package, which that Python need not have
        done = subprocess.run([python, "-c", print_names], cwd=folder, capture_output=True, text=True, timeout=60)
        told = done.stdout.split()
        assert len(told) > 700, done.stderr
        assert not set(told) - {entry.name for kind in ("operations", "constants") for entry in entries(kind)}

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_line_is_whole(self, kind: str) -> None:
        for entry in entries(kind):
            assert entry.name, entry
            assert entry.beneath, entry
            assert "\n" not in entry.what
        assert all(entry.what.endswith(".") and entry.places + entry.cures for entry in entries("errors"))

    def test_links_lead_to_headings(self) -> None:
        for place in {*chain.from_iterable((*entry.places, *entry.cures) for kind in KINDS for entry in entries(kind))}:
            (cell,) = (cell for cell in read(FOLDER / place.notebook).cells if cell.id == place.cell)
            assert place.heading in re.sub(r"[`*]", "", cell.source)

    def test_a_constant_leads_to_a_cell_that_uses_it(self) -> None:
        used = index.uses()
        assert len(used) > 150
        for entry in entries("constants"):
            if entry.name in used:
                (place,) = entry.places
                (part,) = (p for p in index.parts_of(FOLDER / place.notebook) if p.cell == place.cell)
                assert entry.name.rpartition(".")[2] in part.code

    def test_exercises_exist(self) -> None:
        from socketlab.exercises.definition import all_exercises

        assert {*chain.from_iterable(entry.exercises for entry in entries("operations"))} <= set(all_exercises())

    def test_a_kind_that_is_none(self) -> None:
        with pytest.raises(ValueError, match="'operations' or 'constants' or 'errors', but got 'options'"):
            entries("options")


class TestGenerator:
    """Tables and notebooks that do not fit together are refused."""

    def test_an_error_that_no_cell_shows(self) -> None:
        with pytest.raises(Refused, match="EXDEV .* no stored output"):
            index._error("EXDEV", "Invalid cross-device link", "?", "01 `close()`")

    def test_a_cure_that_no_lesson_has(self) -> None:
        with pytest.raises(Refused, match="no such words"):
            index._error("EPIPE", "Broken pipe", "?", "08 no such words")

    def test_a_row_of_another_length(self, tmp_path: Path) -> None:
        (tmp_path / "t.md").write_text("| a | b |\n|---|---|\n| 1 | 2 | 3 |\n")
        with pytest.raises(Refused, match="wanted 2 cells in a row, got 3"):
            index._table(tmp_path / "t.md", 2)

    def test_a_constant_that_nothing_describes(self) -> None:
        with pytest.raises(LookupError, match="wanted a line for socket.AF_NEW"):
            constants.what_of("socket.AF_NEW")
        with pytest.raises(LookupError, match="wanted a kind for select.NEW"):
            constants.page_of("select.NEW")

    def test_an_operation_without_anything_beneath(self) -> None:
        with pytest.raises(LookupError, match="socket.new_thing"):
            beneath("socket.new_thing")


def names(found: list[Entry]) -> list[str]:
    return [entry.name for entry in found]


class TestSearch:
    @pytest.mark.parametrize(
        ("words", "first"),
        [
            ("recv", "socket.socket.recv"),
            ("RECV_INTO", "socket.socket.recv_into"),
            ("getaddrinfo(3)", "socket.getaddrinfo"),
            ("htons", "socket.htons"),
        ],
    )
    def test_operations(self, words: str, first: str) -> None:
        found = [name for name in names(matching(entries("operations"), words)) if name.startswith("socket.")]
        assert found[0] == first

    @pytest.mark.parametrize(
        ("words", "first"),
        [
            ("MSG_PEEK", "socket.MSG_PEEK"),
            ("edge-triggered epoll", "select.EPOLLET"),
            ("keepidle", "socket.TCP_KEEPIDLE"),
        ],
    )
    def test_constants(self, words: str, first: str) -> None:
        assert names(matching(entries("constants"), words))[0] == first

    @pytest.mark.parametrize(
        ("words", "first"),
        [
            ("98", "EADDRINUSE"),
            ("OSError: [Errno 98] Address already in use", "EADDRINUSE"),
            ("[Errno 111] Connection refused", "ECONNREFUSED"),
            ("broken pipe", "EPIPE"),
            ("TimeoutError: timed out", "timed out"),
        ],
    )
    def test_errors_as_people_paste_them(self, words: str, first: str) -> None:
        assert names(matching(entries("errors"), words))[0] == first

    def test_all_words_must_occur(self) -> None:
        assert not matching(entries("errors"), "refused elephant")

    def test_no_words_leave_all(self) -> None:
        assert len(matching(entries("errors"), "  ")) == len(entries("errors"))


@pytest.fixture(params=KINDS)
def panel(request: pytest.FixtureRequest) -> Iterator[LookupPanel]:
    panel = LookupPanel(request.param)
    yield panel
    panel.close()


class TestPanel:
    def test_shows_the_first_of_all(self, panel: LookupPanel) -> None:
        assert len(panel.found) == len(panel.entries)
        assert panel.table.value.count("<tr>") == 1 + min(MOST, len(panel.entries))

    def test_filters(self, panel: LookupPanel) -> None:
        panel.search.value = "refused"
        assert all("refused" in str(entry).lower() for entry in panel.found)
        panel.search.value = "no such elephant"
        assert "Nothing has all of these words" in panel.table.value
        assert "0 " in panel.count.value

    def test_what_is_shown_is_escaped(self) -> None:
        entry = Entry("<a.b>", "a `<b>` & c", "<c>", (Place("01_x.ipynb", "id", "<i>"),), exercises=("<e>",))
        text = row(entry).replace("<wbr>", "")
        assert "<code>&lt;a.b&gt;</code>" in text
        assert "<code>&lt;b&gt;</code> &amp; c" in text
        assert "href='01_x.ipynb#cell-id=id'" in text
        assert not re.search(r"<(i|b|c|e)>", text)
        assert "<table" in table([text], "taught in")

    def test_snapshot_without_a_kernel(self, panel: LookupPanel) -> None:
        assert panel.kind in panel.snapshot()
