"""The index: complete, true to the notebooks, and found by the words that people type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from socketlab.lookup import KINDS, Entry, Place, entries, matching
from socketlab.lookup.names import public_names
from socketlab.panels.lookup import MOST, LookupPanel, row, table
from tools import index
from tools.beneath import beneath
from tools.notebooks import FOLDER, Refused, read


class TestIndex:
    """socketlab/lookup/index.json, which is generated."""

    def test_is_up_to_date(self) -> None:
        assert index.INDEX.read_text(encoding="utf-8") == index.index(), "run: python tools/index.py"

    def test_has_every_operation_of_this_python(self) -> None:
        assert not set(public_names()) - {entry.name for entry in entries("operations")}

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

    def test_exercises_exist(self) -> None:
        from socketlab.exercises.definition import all_exercises

        assert {*chain.from_iterable(entry.exercises for entry in entries("operations"))} <= set(all_exercises())

    def test_a_kind_that_is_none(self) -> None:
        with pytest.raises(ValueError, match="'operations' or 'errors', but got 'options'"):
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
