"""The byte order panel: what it shows is what struct and the sockets do."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator

import pytest

from socketlab.panels.byte_order import BIG, LITTLE, ByteOrderPanel, Passage, as_html, host_words, through_sockets


@pytest.fixture
def panel() -> Iterator[ByteOrderPanel]:
    panel = ByteOrderPanel()
    yield panel
    panel.close()


def words(html: str) -> str:
    return re.sub(r"<[^>]*>", " ", html)


class TestPassage:
    @pytest.mark.parametrize("size", [2, 4, 8])
    @pytest.mark.parametrize("order", [BIG, LITTLE])
    def test_the_same_order_gives_the_same_number(self, size: int, order: str) -> None:
        for number in (0, 1, 258, 256**size - 1):
            assert Passage(number, size, order, order).arrived == number

    @pytest.mark.parametrize("size", [2, 4, 8])
    def test_another_order_turns_the_bytes_around(self, size: int) -> None:
        passage = Passage(258, size, BIG, LITTLE)
        assert passage.data == (258).to_bytes(size, "big")
        assert passage.arrived == int.from_bytes(passage.data[::-1], "big") != 258
        assert "no error" in passage.remark

    def test_a_number_that_reads_the_same(self) -> None:
        passage = Passage(0x0101, 2, BIG, LITTLE)
        assert passage.arrived == 0x0101
        assert "by luck" in passage.remark

    def test_sockets_change_nothing(self) -> None:
        assert through_sockets(b"\x00\xff\r\n\x80abc") == b"\x00\xff\r\n\x80abc"


class TestWords:
    def test_functions_turn_around_what_the_words_say(self) -> None:
        turned = socket.htons(258) != 258
        assert ("turn" in host_words(2)) == turned == (sys.byteorder == LITTLE)
        assert "change nothing" in host_words(4, BIG)
        assert "htonl" in host_words(4)
        assert "!Q" in host_words(8)

    def test_both_numbers_are_shown(self) -> None:
        shown = words(as_html(Passage(8080, 2, BIG, LITTLE)))
        assert "8,080 arrives as 36,895" in shown
        assert "1f" in shown
        assert "struct.unpack(&quot;&lt;H&quot;, data)" in shown


class TestPanel:
    def test_the_toggles(self, panel: ByteOrderPanel) -> None:
        assert "258 arrives as 33,619,968" in words(panel.shown.value)
        panel.reader.value = BIG
        assert "258 arrives as 258" in words(panel.shown.value)
        panel.size.value = 8
        panel.writer.value = LITTLE
        assert panel.passage == Passage(258, 8, LITTLE, BIG)

    def test_hexadecimal(self, panel: ByteOrderPanel) -> None:
        panel.number.value = "0x1f90"
        assert panel.passage.number == 8080

    @pytest.mark.parametrize("text", ["", "<b>", "1.5", "eighty"])
    def test_no_number(self, panel: ByteOrderPanel, text: str) -> None:
        panel.number.value = text
        panel.number.value = f"{text} "
        assert "wanted a whole number" in panel.shown.value

    @pytest.mark.parametrize("text", ["-1", "4294967296"])
    def test_one_that_does_not_fit(self, panel: ByteOrderPanel, text: str) -> None:
        panel.number.value = text
        assert "does not fit into 4 bytes" in panel.shown.value
        assert panel.passage.number == 258

    def test_begins_with_another(self) -> None:
        panel = ByteOrderPanel(8080)
        assert panel.passage.number == 8080
        panel.close()
        with pytest.raises(ValueError, match="from 0 to"):
            ByteOrderPanel(-1)

    def test_repr_and_picture_say_nothing_of_the_machine(self, panel: ByteOrderPanel) -> None:
        before = repr(panel), panel.snapshot()
        panel.number.value = "8080"
        assert (repr(panel), panel.snapshot()) == before
        assert "33,619,968" in panel.snapshot()
        assert Passage(258).arrived == 33_619_968
