"""The rarer families: constants have lines, the cards' programs run, the map has a mark for each, the panel asks."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import socket
import struct
import warnings

import pytest

from socketlab.experiments import constants, recorded_answer, undescribed
from socketlab.experiments.families import catalogue
from socketlab.experiments.families.cards import CARDS
from socketlab.measure.support import COLOURS, DENIED, LACKS, NAMELESS, ROWS, WORKS, column, draw_support, support
from socketlab.panels import FamilyCardPanel
from socketlab.panels.family import Answer
from socketlab.panels.family_card import as_html, words
from socketlab.probe import Finding, Passport, probe

NO_FAMILY = f"EAFNOSUPPORT: {os.strerror(errno.EAFNOSUPPORT)}. This kernel has no such family."


class TestConstants:
    def test_every_name_of_this_python_has_a_line(self) -> None:
        assert undescribed() == []

    def test_a_name_without_a_line_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "AF_TELEPATHY", 99, raising=False)
        monkeypatch.setattr(socket, "BT_TELEPATHY", 99, raising=False)  # BT_* has a line for all of them
        assert undescribed() == ["AF_TELEPATHY"]

    @pytest.mark.parametrize("group", catalogue.GROUPS)
    def test_a_group_is_a_table(self, group: str) -> None:
        table = constants(group)
        assert len(table) >= 1
        assert [name for name, _ in table] == sorted(name for name, _ in table)
        assert all(what for _, what in table)
        assert table[table[0][0]] == table[0][1]
        html = table._repr_html_()
        assert html.count("<tr>") == len(table) + 1
        assert all(f'<td style="text-align:left">{name}</td>' in html for name, _ in table)
        assert repr(table).splitlines()[0].split() == ["name", "what", "it", "is", "for"]

    def test_no_line_belongs_to_no_group(self) -> None:
        shown = {name for group in catalogue.GROUPS for name, _ in constants(group)}
        assert set(catalogue.WORDS) == shown & set(catalogue.WORDS)

    def test_another_word_is_refused(self) -> None:
        with pytest.raises(LookupError, match="there are AF_, PF_"):
            constants("XX_")

    def test_the_numbers_in_the_words_are_right(self) -> None:
        for name, what in constants("IPPROTO_"):
            told = re.match(r"(\d+):", what)
            if told and hasattr(socket, name):
                assert int(told[1]) == getattr(socket, name), name


class TestRecorded:
    def test_icmp(self) -> None:
        packet = recorded_answer("icmp reply")
        assert packet[9] == socket.IPPROTO_ICMP
        assert packet[20:] == struct.pack("!BBHHH", 0, 0, 0xFB2D, 0x2600, 1) + b"ping"

    def test_icmpv6(self) -> None:
        assert recorded_answer("icmpv6 reply")[:1] + recorded_answer("icmpv6 reply")[8:] == b"\x81ping"

    def test_links(self) -> None:
        data = recorded_answer("links")
        first, kind = struct.unpack_from("=IH", data)
        assert (kind, data[first + 4], len(data) - first) == (16, 3, 20)

    def test_another_word_is_refused(self) -> None:
        with pytest.raises(LookupError, match="icmp reply"):
            recorded_answer("smoke signals")


class TestMap:
    def test_each_row_is_one_that_was_tried(self) -> None:
        assert set(support(probe())) == set(ROWS)

    @pytest.mark.parametrize(
        ("finding", "where"),
        [
            (Finding("families", "x", True, None, "", ""), WORKS),
            (Finding("families", "x", False, errno.EPERM, "", ""), DENIED),
            (Finding("families", "x", False, errno.EACCES, "", ""), DENIED),
            (Finding("families", "x", False, errno.EAFNOSUPPORT, "", ""), LACKS),
            (Finding("families", "x", False, None, "", ""), NAMELESS),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_the_column(self, finding: Finding, where: str) -> None:
        assert column(finding) == where
        assert where in COLOURS

    def test_a_mark_in_each_row(self) -> None:
        passport = probe()
        picture = draw_support(passport)
        (ax,) = picture.axes
        assert len(ax.lines) == len(ROWS)
        works = sum(finding.works for finding in support(passport).values())
        assert sum(line.get_xdata()[0] == 0 for line in ax.lines) == works
        assert f"{works} of {len(ROWS)}" in ax.get_title(loc="left")

    def test_a_machine_with_nothing_has_a_picture_of_the_same_size(self) -> None:
        nothing = Passport(tuple(Finding(f.group, f.name, False, errno.EPERM, "", "") for f in probe()))
        assert repr(draw_support(nothing)) == repr(draw_support(probe()))


class TestCards:
    @pytest.mark.parametrize("name", CARDS)
    def test_the_cell_to_copy_runs(self, name: str) -> None:
        """Where the kernel refuses, it says so; nothing stays open."""
        said = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(said):
            warnings.simplefilter("error", ResourceWarning)
            exec(compile(CARDS[name].program, name, "exec"), {})
        assert said.getvalue().strip()

    @pytest.mark.parametrize("name", CARDS)
    def test_the_example_is_an_address(self, name: str) -> None:
        assert isinstance(eval(CARDS[name].example, {"socket": type("Any", (), {"HV_GUID_PARENT": ""})}), tuple)


class TestPanel:
    def test_asks_for_each(self) -> None:
        panel = FamilyCardPanel()
        for name, card in CARDS.items():
            panel.card.value = name
            assert panel.answer.family == card.family
            assert card.type in panel.shown.value
            assert words(panel.answer) in panel.shown.value.replace("&#x27;", "'")
        panel.close()

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (Answer("AF_CAN", "SOCK_RAW", 1, chosen=1), "It made a socket."),
            (
                Answer("AF_CAN", "SOCK_RAW", 1, errno=errno.EPERM),
                "EPERM: Operation not permitted. The kernel could",
            ),
            (
                Answer("AF_CAN", "SOCK_RAW", 1, errno=errno.EAFNOSUPPORT),
                NO_FAMILY,
            ),
            (Answer("AF_CAN", "SOCK_RAW", 1, errno=errno.EIO), f"EIO: {os.strerror(errno.EIO)}."),
            (Answer("AF_CAN", "SOCK_RAW", 1, missing="AF_CAN"), "This Python's socket module has no AF_CAN"),
        ],
        ids=["works", "denied", "lacks", "odd", "nameless"],
    )
    def test_says_what_came(self, answer: Answer, said: str) -> None:
        assert words(answer).startswith(said)
        assert CARDS["AF_CAN"].page in as_html(CARDS["AF_CAN"], answer)
