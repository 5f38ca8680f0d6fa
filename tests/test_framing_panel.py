"""The framing panel without a browser: its controls, its picture byte for byte, what it refuses, and its end."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import until

from socketlab.experiments.streams.pieces import RecvSizes
from socketlab.panels.drawing.strips import INKS, Block, cells, legend, two_rows
from socketlab.panels.framing import COLOURS, MESSAGES, MOST, ROWS, FramingPanel, colour_of, framing_picture, parsed

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")


@pytest.fixture
def panel() -> Iterator[FramingPanel]:
    panel = FramingPanel()
    yield panel
    panel.close()


def run(panel: FramingPanel) -> RecvSizes:
    panel.run()
    assert panel.wait(20), "the run goes on"
    result: RecvSizes = panel.result
    return result


def returned(result: RecvSizes) -> list[bytes]:
    return [recv.data for recv in result.recvs]


class Cells(HTMLParser):
    """The letters and colours of the bytes in a picture, above and below, and whether a call begins at each."""

    def __init__(self, picture: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, bool]] = []  # letter, style, begins; two for each byte
        self.names: list[str] = []
        self._at = ""
        self.feed(picture)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        kinds = (values.get("class") or "").split()
        self._at = "name" if "sl-name" in kinds else ""
        if "sl-cell" in kinds and "sl-gap" not in kinds:
            self._at = "cell"
            self.found.append(("", values.get("style") or "", "sl-first" in kinds))

    def handle_endtag(self, tag: str) -> None:
        self._at = ""

    def handle_data(self, data: str) -> None:
        if self._at == "cell":
            self.found[-1] = (data, *self.found[-1][1:])
        elif self._at == "name":
            self.names.append(data)

    def row(self, number: int) -> list[tuple[str, str, bool]]:
        return self.found[number::2]


class TestPanel:
    """From a control to a result."""

    def test_at_first_each_send_is_a_recv(self, panel: FramingPanel) -> None:
        result = run(panel)
        assert returned(result) == [b"aaaaa", b"bbb", b"cccccccc"]
        assert "3 sends arrived in 3 recvs: one each" in panel.finding(result)

    def test_what_the_hint_asks_for(self, panel: FramingPanel) -> None:
        panel.size.value = 2
        assert panel.wait(20)
        assert returned(panel.result)[:3] == [b"aa", b"aa", b"a"]
        assert "send 1 took recvs 1, 2 and 3" in panel.finding(panel.result)
        panel.delay.value, panel.size.value = 0, 8
        assert panel.wait(20)
        assert returned(panel.result) == [b"aaaaabbb", b"cccccccc"]
        assert "recv 1 returned all of sends 1 and 2" in panel.finding(panel.result)

    def test_a_pause_brings_sends_together(self, panel: FramingPanel) -> None:
        panel.pause.value = 50
        assert returned(run(panel)) == [b"aaaaabbb", b"cccccccc"]

    def test_slices(self, panel: FramingPanel) -> None:
        panel.sizes.value, panel.delay.value, panel.slices.value = "12", 0, 4
        result = run(panel)
        assert b"".join(returned(result)) == b"a" * 12
        assert {recv.stop for recv in result.recvs} <= {4, 8, 12}

    @settings(max_examples=15, deadline=None)
    @given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.integers(1, 20))
    def test_whatever_the_sizes_nothing_is_lost(self, sizes: list[int], size: int) -> None:
        panel = FramingPanel()
        try:
            panel.auto = False  # type: ignore[misc]
            panel.sizes.value, panel.size.value, panel.delay.value = ", ".join(map(str, sizes)), size, 0
            result = run(panel)
            assert b"".join(returned(result)) == b"".join(send.data for send in result.sends)
            assert [len(send.data) for send in result.sends] == sizes
            assert len(Cells(panel.picture(result)).found) == 2 * sum(sizes)
        finally:
            panel.close()

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("5, 3, x", "&#x27;x&#x27; is not a size"),
            ("5; -3", "&#x27;-3&#x27; is not a size"),
            ("2.5", "&#x27;2.5&#x27; is not a size"),
            ("", "there are none"),
            ("٣", "is not a size"),
            ("<b>", "&lt;b&gt;"),
            ("9" * 40, "is not a size"),
            (f"{MOST}, 1", f"at most {MOST} bytes in all"),
            ("1 " * (MESSAGES + 1), f"at most {MESSAGES}"),
        ],
    )
    def test_what_was_typed_makes_no_sense(self, panel: FramingPanel, text: str, words: str) -> None:
        panel.sizes.value = text
        if not text:
            panel.run()
        until(lambda: words in panel._finding.value, f"{words!r} stands in the panel")
        assert not panel.running
        assert panel.result is None
        panel.sizes.value = "4"
        until(lambda: "1 send arrived" in panel._finding.value, "it measures again")

    @pytest.mark.parametrize("text", ["5, 3, 8", "5 3 8", " 5,3,8 ", "5;3;8", "5,,3 8"])
    def test_ways_to_write_it(self, text: str) -> None:
        assert parsed(text) == [5, 3, 8]

    def test_a_run_that_is_stopped_keeps_what_came(self, panel: FramingPanel) -> None:
        panel.sizes.value, panel.delay.value = ", ".join(["5"] * 20), 200
        until(lambda: panel.result is not None and panel.result.recvs, "the first recv")
        panel.stop()
        assert 0 < len(panel.result.recvs) < 20
        assert not panel.running

    def test_two_at_once(self, panel: FramingPanel) -> None:
        other = FramingPanel()
        try:
            panel.run()
            other.run()
            assert panel.wait(20)
            assert other.wait(20)
            assert returned(panel.result) == returned(other.result)
        finally:
            other.close()


class TestPicture:
    """What is to be seen, byte for byte."""

    def test_each_byte_has_the_colour_of_its_send_in_both_rows(self) -> None:
        result = RecvSizes.of([b"aaa", b"bb"], [b"aa", b"ab", b"b"])
        seen = Cells(framing_picture(result))
        letters = [letter for letter, _, _ in seen.row(0)]
        assert letters == [letter for letter, _, _ in seen.row(1)] == list("aaabb")
        assert [begins for _, _, begins in seen.row(0)] == [True, False, False, True, False]
        assert [begins for _, _, begins in seen.row(1)] == [True, False, True, False, True]
        for (_, above, _), (_, below, _), send in zip(seen.row(0), seen.row(1), (1, 1, 1, 2, 2), strict=True):
            assert above == below
            assert colour_of(send) in above
        assert seen.names == ["send 1", "1", "2", "2", "3"]

    def test_what_has_not_come_is_empty(self) -> None:
        seen = Cells(framing_picture(RecvSizes.of([b"abcd"], [b"ab"])))
        assert [letter for letter, _, _ in seen.row(1)] == ["a", "b", "", ""]

    def test_the_calls_as_python_shows_them(self) -> None:
        result = RecvSizes.of([b"a\n", b"<b>"], [b"a\n<", b"b>", b""])
        table = framing_picture(result).partition("<table")[2]
        assert r"<code>b&#x27;a\n&lt;&#x27;</code>" in table
        assert "<b>" not in table
        assert "send 1" in table
        assert "1 of 3 of send 2" in table
        assert "the end: the sender has closed" in table

    def test_bytes_that_are_no_letters(self) -> None:
        letters = [letter for letter, _, _ in Cells(framing_picture(RecvSizes.of([b"<&\x00\xff "], []))).row(0)]
        assert letters == ["<", "&", "·", "·", "·"]

    def test_a_long_list_is_cut(self) -> None:
        picture = framing_picture(RecvSizes.of([b"x" * 50], [b"x"] * 50))
        assert picture.count("<tr>") == ROWS + 2  # the head, and how many more
        assert f"and {50 - ROWS} more recvs" in picture

    def test_it_is_said_to_who_does_not_see_it(self) -> None:
        assert 'aria-label="1 send arrived in 2 recvs, byte by byte"' in framing_picture(
            RecvSizes.of([b"ab"], [b"a", b"b"])
        )

    def test_as_large_as_can_be_asked_for_it_is_quick(self) -> None:
        result = RecvSizes.of([b"x" * 10] * MESSAGES, [b"x"] * MOST)
        times = []
        for _ in range(5):
            start = time.thread_time()
            picture = framing_picture(result)
            times.append(time.thread_time() - start)
        assert len(picture) < 100_000
        assert min(times) < 0.1  # 2 ms here; CPU time, so that other programs do not count


class TestStrips:
    """Cells that flow."""

    @staticmethod
    def light(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    @pytest.mark.parametrize("colour", INKS)
    def test_letters_can_be_read_on_every_ground(self, colour: str) -> None:
        high, low = sorted((self.light(colour), self.light(INKS[colour])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2.2, 1.4.3

    def test_neighbours_have_other_colours(self) -> None:
        assert len(set(COLOURS)) == len(COLOURS) >= 6
        assert colour_of(1) == colour_of(len(COLOURS) + 1) != colour_of(2)

    def test_whatever_is_in_it_is_made_safe(self) -> None:
        hostile = "<script>'\"&"
        colour = COLOURS[0]
        for made in (
            cells([(colour, hostile, hostile, hostile)], hostile),
            legend([(colour, hostile, hostile)]),
            two_rows([hostile], [Block(hostile, hostile, [colour])], [], hostile),
        ):
            assert "<script" not in made
            assert not re.search(r"='[^']*<script", made)
            assert made.count("&lt;script&gt;") >= 2
