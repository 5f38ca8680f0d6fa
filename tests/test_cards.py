"""A verdict as card and as text: whatever stands in it, it stays a card; and it is the same each time."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
import taking

from socketlab.exercises import FAILED, NOT_ATTEMPTED, PASSED, Verdict, isolation
from socketlab.exercises.card import _COLOURS, card
from socketlab.exercises.showing import Progress, show

TAKE = taking.exercise()
NASTY = "<script>alert(\"x\")</script> & 'q' </div></details> `code`"
VERDICTS = {
    "not attempted": Verdict("take", NOT_ATTEMPTED, ("one", "two")),
    "passed": Verdict("take", PASSED, ("one", "two"), 2),
    "failed": Verdict("take", FAILED, ("one", "two", "three"), 1, "e", "c", "line 1: x", "k", "Why.", "Do.", "p\nq"),
    "wrong": Verdict("take", FAILED, ("one",), 0, "take(sock, size)", "int 5", "", "no-function", "Why.", "Do."),
}


class Page(HTMLParser):
    """Reads HTML strictly: what is opened is closed, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


class TestCard:
    @pytest.mark.parametrize("name", VERDICTS)
    def test_is_well_formed(self, name: str) -> None:
        page = Page(card(VERDICTS[name], TAKE, "A remark."))
        assert VERDICTS[name].headline in page.text
        assert "A remark." in page.text
        assert (VERDICTS[name].outcome == PASSED) == ("Hint 1" not in page.text)

    def test_whatever_stands_in_it_is_text(self) -> None:
        texts = [NASTY] * 7
        verdict = Verdict(NASTY, FAILED, (NASTY, NASTY), 1, *texts)
        page = Page(card(verdict, TAKE, NASTY))
        assert not {tag for tag, _ in page.tags} & {"script", "img"}
        assert page.text.count('<script>alert("x")</script>') >= 10

    def test_of_hints_each_opens_the_next(self) -> None:
        page = card(VERDICTS["failed"], TAKE)
        assert page.index("Hint 1") < page.index("Ask &lt;again&gt;.") < page.index("Hint 2")
        assert page.count("<details>") == 2
        assert "<code>size</code>" in page
        assert "<details><summary>Hint 2" in re.sub(r"<div>.*?</div>", "", page)  # inside of the first one

    def test_the_solution_is_one_click_away(self) -> None:
        links = [of["href"] for tag, of in Page(card(VERDICTS["failed"], TAKE)).tags if tag == "a"]
        assert links == ["solutions/00_tests.ipynb#take"]

    @pytest.mark.parametrize("name", VERDICTS)
    def test_is_readable_on_light_and_on_dark(self, name: str) -> None:
        """The page's own ink and ground, and a border in which WCAG's 3 to 1 is kept on white and on JupyterLab's
        dark ground; sign and word tell outcomes apart, not the colour."""
        page = card(VERDICTS[name], TAKE)
        styles = " ".join(str(of.get("style")) for _, of in Page(page).tags)
        assert not re.search(r"(^|[;\s])(color|background)", styles)
        for ground in ("#ffffff", "#111111"):
            assert contrast(_COLOURS[VERDICTS[name].outcome], ground) >= 3

    def test_signs_of_the_scenarios(self) -> None:
        text = Page(card(VERDICTS["failed"], TAKE)).text
        assert [sign for sign in ("✓ one", "✗ two", "– three") if sign in text] == ["✓ one", "✗ two", "– three"]


def contrast(one: str, other: str) -> float:
    """WCAG 2.1's contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


class TestText:
    @pytest.mark.parametrize("name", VERDICTS)
    def test_is_what_json_carries(self, name: str) -> None:
        verdict = VERDICTS[name]
        assert Verdict.from_json(verdict.to_json()) == verdict
        assert Verdict.from_json(verdict.to_json()).text() == verdict.text() == str(verdict)

    @pytest.mark.parametrize("text", ["", "5", "[]", "{}", '{"scenarios": 5}', '{"scenarios": [], "x": 1}', "{"])
    def test_what_is_no_verdict(self, text: str) -> None:
        with pytest.raises(ValueError, match="."):
            Verdict.from_json(text)

    def test_a_failed_one(self) -> None:
        assert VERDICTS["failed"].text().splitlines() == [
            "take: not yet, 1 of 3 passed", "  ✓ one", "  ✗ two",
            "    expected: e", "    came:     c", "    at:       line 1: x", "    printed:  p", " " * 14 + "q",
            "Why.", "Do.",
        ]  # fmt: skip

    def test_nothing_that_no_page_can_show(self) -> None:
        rubbish = "a\x00\x1b[2J\ud800\u202e\ufffe\x85b\tc\nd é 你 🙂"
        verdict = Verdict("take", FAILED, ("one",), 0, rubbish, rubbish, rubbish, "k", rubbish, rubbish, rubbish)
        assert verdict.came == "a��[2J����b\tc\nd é 你 🙂"
        for text in (verdict.text(), card(verdict, TAKE)):
            assert text.encode()
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)

    def test_seconds_do_not_count(self) -> None:
        one, other = (Verdict("take", PASSED, ("one",), 1, seconds=seconds) for seconds in (0.1, 0.2))
        assert one == other
        assert repr(one) == repr(other)
        assert one.text() == other.text()

    @pytest.mark.parametrize(
        "answer",
        [lambda sock, size: sock, lambda sock, size: sock.recv(1), lambda sock, size: object(), taking.right],
        ids=["socket", "short", "object", "right"],
    )
    def test_is_the_same_on_each_run(self, answer: Any) -> None:
        first, second = (isolation.check(TAKE, answer) for _ in range(2))
        assert first.text() == second.text()
        assert card(first, TAKE) == card(second, TAKE)
        assert not re.search(r"fd=\d|0x[0-9a-f]{4}|127\.0\.0\.1", first.text())


class TestShowing:
    def test_without_a_notebook_it_is_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        show(VERDICTS["passed"], TAKE, "A remark.")
        assert capsys.readouterr().out == f"{VERDICTS['passed'].text()}\nA remark.\n"

    def test_in_a_notebook_it_is_text_and_card(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import IPython
        from IPython import display

        shown: list[Any] = []
        monkeypatch.setattr(IPython, "get_ipython", lambda: object())
        monkeypatch.setattr(display, "display", lambda data, raw: shown.append((data, raw)))
        show(VERDICTS["failed"], TAKE)
        ((data, raw),) = shown
        assert raw
        assert data["text/plain"] == VERDICTS["failed"].text()
        assert data["text/html"] == card(VERDICTS["failed"], TAKE)
        assert json.dumps(data).isascii()

    def test_progress(self) -> None:
        some = Progress((TAKE,), frozenset())
        assert repr(some) == "0 of 1 exercises passed\n00_tests\n  – take"
        assert "✓ take" in Page(Progress((TAKE,), frozenset({"take", "gone"}))._repr_html_()).text
        assert some._repr_mimebundle_()["text/plain"] == repr(some)
