"""The options panel without a browser: what it finds, shows, asks, refuses, and leaves behind."""

from __future__ import annotations

import gc
import os
import re
import socket
import sys
import time
import weakref
from collections.abc import Iterator

import ipywidgets
import pytest
from leftovers import walk

from socketlab.options import Option, catalogue
from socketlab.panels.options import OptionsPanel, answer_picture, detail_picture, table_picture, table_row

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")

linux = pytest.mark.skipif(sys.platform != "linux", reason="each kernel's own")


@pytest.fixture
def panel() -> Iterator[OptionsPanel]:
    panel = OptionsPanel()
    yield panel
    panel.close()


def names(panel: OptionsPanel) -> list[str]:
    return [row.name for row in panel.found]


def shown(panel: OptionsPanel) -> list[str]:
    """The names that stand in the table, as somebody reads it."""
    return re.findall(r"<code>(\w+)</code>", panel.table.value.replace("<wbr>", ""))


class TestSearch:
    """What a key in the search field does."""

    def test_everything_is_there_at_first(self, panel: OptionsPanel) -> None:
        assert len(shown(panel)) == len(panel.rows) == len(catalogue())
        assert f"{len(panel.rows)} options found" in panel.count.value

    def test_by_name(self, panel: OptionsPanel) -> None:
        panel.search.value = "tcp_nodelay"
        assert shown(panel)[0] == "TCP_NODELAY"
        assert panel.option.value == "TCP_NODELAY"
        assert "Nagle" in panel.detail.value
        panel.level.value = "IPPROTO_TCP"
        assert shown(panel) == ["TCP_NODELAY"]
        assert "1 option found" in panel.count.value

    def test_by_number(self, panel: OptionsPanel) -> None:
        panel.search.value = str(int(socket.SO_RCVBUF))
        assert "SO_RCVBUF" in names(panel)
        assert {row.number for row in panel.found} == {socket.SO_RCVBUF}

    def test_by_words(self, panel: OptionsPanel) -> None:
        panel.search.value = "multicast"
        more = names(panel)
        panel.search.value = "multicast leave"
        assert set(names(panel)) < set(more)
        assert shown(panel) == names(panel)

    def test_each_key_narrows(self, panel: OptionsPanel) -> None:
        found = []
        for typed in ("r", "rc", "rcv", "rcvb", "rcvbu", "rcvbuf"):
            panel.search.value = typed
            found.append(len(panel.found))
        assert found == sorted(found, reverse=True)
        assert panel.option.value == "SO_RCVBUF"

    def test_by_level(self, panel: OptionsPanel) -> None:
        panel.level.value = "IPPROTO_TCP"
        assert {row.level for row in panel.found} == {"IPPROTO_TCP"}
        panel.level.value = "levels"
        assert all(name.startswith("SOL_") for name in names(panel))
        panel.level.value = ""
        assert len(panel.found) == len(panel.rows)

    def test_only_those_that_work(self, panel: OptionsPanel) -> None:
        panel.works.value = True
        assert panel.found
        assert all(row.works for row in panel.found)

    def test_nothing_found(self, panel: OptionsPanel) -> None:
        panel.search.value = "no such words at all"
        assert shown(panel) == []
        assert "No option has these words" in panel.table.value
        assert panel.chosen is None
        assert panel.button.disabled
        panel.ask()
        panel.search.value = ""
        assert panel.chosen is not None
        assert len(panel.found) == len(panel.rows)

    def test_what_was_chosen_stays_while_the_search_does(self, panel: OptionsPanel) -> None:
        panel.search.value = "keep"
        panel.option.value = "TCP_KEEPCNT"
        panel.works.value = True
        assert panel.option.value == "TCP_KEEPCNT"
        panel.search.value = "keepidle"
        assert panel.option.value == "TCP_KEEPIDLE"

    @pytest.mark.parametrize("typed", ["<script>alert(1)</script>", "((", "\\", "%s", "\0", "é" * 1000])
    def test_whatever_is_typed(self, panel: OptionsPanel, typed: str) -> None:
        panel.search.value = typed
        assert shown(panel) == []
        assert "<script" not in panel.table.value + panel.count.value + panel.detail.value

    def test_from_key_to_picture(self, panel: OptionsPanel) -> None:
        took = []
        for typed in ("s", "so", "so_", "") * 5:
            start = time.perf_counter()
            panel.search.value = typed
            took.append(time.perf_counter() - start)
        assert sorted(took)[len(took) // 2] < 0.1, "the promise of the panel, ten times what it takes"


class TestDetail:
    """What is shown of the option chosen."""

    def test_each_can_be_chosen(self, panel: OptionsPanel) -> None:
        for entry in catalogue():
            panel.option.value = entry.name
            assert f"<code>{entry.name}</code>" in panel.detail.value
            assert panel.value.disabled == panel.button.disabled == bool(entry.why_not)
            assert panel.answer.value == ""

    def test_has_the_lines_of_python(self, panel: OptionsPanel) -> None:
        panel.option.value = "SO_LINGER"
        text = panel.detail.value.replace("&quot;", '"')
        assert 'struct.unpack("ii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))' in text
        assert 'sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))' in text

    def test_a_cell_to_copy(self, panel: OptionsPanel) -> None:
        panel.option.value = "SO_RCVBUF"
        lines = "    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 5000)\n    print(sock.getsockopt("
        assert lines in panel.detail.value
        panel.search.value = "SO_RCVBUF"
        assert lines in panel.table.value
        panel.level.value = "levels"
        assert "<pre" not in panel.table.value + panel.detail.value

    def test_a_click_on_the_sentence_opens_the_rest(self, panel: OptionsPanel) -> None:
        panel.search.value = "TCP_USER_TIMEOUT"
        (opens,) = re.findall(r"<details><summary>(.*?)</summary>(.*?)</details>", panel.table.value, re.S)
        assert opens[0] == panel.found[0].what
        for words in ("value: milliseconds", "since: Linux 2.6.37, Python 3.6", "read on in: tcp(7)"):
            assert words in opens[1]

    def test_everything_is_escaped(self) -> None:
        panel = OptionsPanel()
        row = panel.rows[0]
        panel.close()
        bad = Option(**{**vars(row), "what": "<b>what</b>", "since": "<i>", "source": "<u>", "name": "<s>"})
        for picture in (table_row(bad), table_picture([table_row(bad)]), detail_picture(bad)):
            assert not re.search(r"<(b|i|u|s)>", picture)


class TestAsking:
    """The field and the button."""

    def ask(self, panel: OptionsPanel, name: str, typed: str) -> str:
        panel.search.value = name
        panel.option.value = name
        panel.value.value = typed
        panel.button.click()
        return re.sub(r"<[^>]+>", "", panel.answer.value)

    @linux
    def test_the_kernel_doubles(self, panel: OptionsPanel) -> None:
        said = self.ask(panel, "SO_RCVBUF", "5000")
        assert said == "SO_RCVBUF: asked 5,000 bytes, granted 10,000 bytes: the kernel doubles it, socket(7)"
        assert panel.granted is not None
        assert panel.granted.answer.value == 10_000

    @linux
    @pytest.mark.parametrize(
        ("name", "typed", "words"),
        [
            ("SO_ACCEPTCONN", "1", "refused with ENOPROTOOPT: it cannot be set"),
            ("IP_TTL", "300", "refused with EINVAL: the kernel takes no such value"),
            ("TCP_CONGESTION", "nonsense", "refused with ENOENT: this kernel has nothing of that name"),
            ("SO_RCVBUF", "many", "wanted a whole number of bytes"),
            ("SO_RCVBUF", "99999999999", "from -2,147,483,648 to 2,147,483,647"),
            ("SO_RCVBUF", "", "wanted a whole number of bytes"),
            ("SO_LINGER", "1, 2, 3", "wanted on or off and seconds"),
            ("SO_LINGER", "99999999999, 1", "SO_LINGER wanted struct linger"),
            ("SO_RCVTIMEO", "inf", "from 0 to a billion"),
            ("IP_MULTICAST_IF", "localhost", "wanted an IPv4 address"),
            ("IPV6_MULTICAST_IF", "no such interface", "but got"),
            ("IP_ADD_MEMBERSHIP", "127.0.0.1", "wanted a multicast group"),
            ("SO_REUSEADDR", "yes", "asked 1 (on), granted 1 (on)"),
            ("SO_REUSEADDR", "7", "granted 1 (on): whatever is not 0 is on"),
        ],
    )
    def test_in_plain_words(self, panel: OptionsPanel, name: str, typed: str, words: str) -> None:
        assert words in self.ask(panel, name, typed)

    def test_what_would_do_harm_cannot_be_asked(self, panel: OptionsPanel) -> None:
        for name in ("SO_BINDTODEVICE", "TCP_REPAIR", "TCP_ULP"):
            if name in {row.name for row in panel.rows}:
                said = self.ask(panel, name, "lo")
                assert "not asked here" in said
                assert panel.button.disabled
                assert panel.granted is None

    def test_what_was_answered_goes_with_the_option(self, panel: OptionsPanel) -> None:
        assert self.ask(panel, "SO_RCVBUF", "5000")
        panel.option.value = "SO_RCVBUF"
        assert panel.answer.value
        panel.search.value = "TCP_NODELAY"
        assert not panel.answer.value

    def test_what_was_typed_is_escaped(self, panel: OptionsPanel) -> None:
        self.ask(panel, "SO_RCVBUF", "<script>alert(1)</script>")
        assert "<script" not in panel.answer.value
        assert "&lt;script&gt;" in panel.answer.value

    @linux
    def test_a_name_may_hold_anything(self, panel: OptionsPanel) -> None:
        self.ask(panel, "TCP_CONGESTION", "<b>" * 400)
        assert "<b>" not in panel.answer.value
        assert len(panel.answer.value) < 4000

    @linux
    def test_every_example_can_be_asked_as_it_stands_in_the_field(self, panel: OptionsPanel) -> None:
        for row in panel.rows:
            if row.granted is not None and row.granted.works:
                panel.option.value = row.name
                panel.button.click()
                assert panel.granted is not None, row.name
                assert panel.granted.works, f"{row.name}: {panel.granted}"


class TestOnesOwnSocket:
    """A panel for a socket of the learner's."""

    def test_reads_and_sets_it(self) -> None:
        with socket.socket() as sock:
            panel = OptionsPanel(sock)
            try:
                panel.option.value = "SO_KEEPALIVE"
                panel.value.value = "1"
                panel.button.click()
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert panel.chosen is not None
                assert panel.chosen.now.value
                assert "your socket (AF_INET, SOCK_STREAM)" in str([w.value for w in panel.widget.children[:1]])
            finally:
                panel.close()
            assert sock.fileno() >= 0

    def test_reads_again(self) -> None:
        with socket.socket() as sock:
            panel = OptionsPanel(sock)
            try:
                panel.option.value = "SO_REUSEADDR"
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                panel.again.click()
                assert panel.chosen is not None
                assert panel.chosen.name == "SO_REUSEADDR"
                assert panel.chosen.now.value
                assert "1 (on)" in panel.detail.value
            finally:
                panel.close()

    def test_one_that_is_closed(self) -> None:
        sock = socket.socket()
        panel = OptionsPanel(sock)
        try:
            sock.close()
            panel.again.click()
            panel.button.click()
            assert "EBADF: the socket is closed" in panel.answer.value
            assert "EBADF" in panel.table.value
        finally:
            panel.close()

    def test_no_socket(self) -> None:
        with pytest.raises(ValueError, match="wanted a socket, but got str"):
            OptionsPanel("socket")  # type: ignore[arg-type]


class TestPanel:
    """What every panel promises."""

    def test_closing_leaves_nothing(self) -> None:
        before = len(os.listdir("/dev/fd")) if os.path.isdir("/dev/fd") else 0
        for _ in range(3):
            panel = OptionsPanel()
            panel.close()
            panel.close()
            assert panel.closed
        if before:
            assert len(os.listdir("/dev/fd")) == before

    def test_one_that_is_forgotten(self) -> None:
        panel = OptionsPanel()
        known = weakref.ref(panel)
        del panel
        gc.collect()
        assert known() is None

    def test_three_forms(self, panel: OptionsPanel) -> None:
        bundle = panel._repr_mimebundle_()
        assert set(bundle) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
        assert bundle["text/plain"] == "<Options panel>"
        assert "Run this cell to bring the panel to life." in bundle["text/html"]
        assert not re.search(r"\d{4,}", bundle["text/html"].replace("#8c8c8c", ""))

    def test_labels_and_tooltips(self, panel: OptionsPanel) -> None:
        controls = [panel.search, panel.level, panel.works, panel.option, panel.value, panel.button, panel.again]
        for control in controls:
            assert control.description
            assert control.tooltip

    def test_no_output_widget(self, panel: OptionsPanel) -> None:
        assert not [w for w in walk(panel.widget) if isinstance(w, ipywidgets.Output)]

    def test_a_picture_of_an_answer(self, panel: OptionsPanel) -> None:
        panel.option.value = "SO_RCVBUF"
        panel.button.click()
        assert panel.chosen is not None
        assert panel.granted is not None
        assert answer_picture(panel.chosen, panel.granted) == panel.answer.value
