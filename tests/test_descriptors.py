"""Following descriptors: programs run in a real Python of their own, the numbers that they open and who holds them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from socketlab.measure.descriptors import Life, follow_descriptors
from socketlab.measure.lifelines import draw_life

LIFE = """
a = socket.socket()
number = a.detach()
b = socket.socket(fileno=number)
c = socket.socket()
b.close()
d = socket.socket()
"""
TWICE = """
number = socket.socket().detach()
socket.close(number)
theirs = socket.socket()
socket.close(number)
theirs.send(b"hello")
"""
SHARED = """
pair = socket.socketpair()
twin = pair[0].dup()
also = socket.socket(fileno=twin.fileno())
file = open(os.devnull)
for i in range(3):
    i += 1
many = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for the_number in range(9)]
socket.nothing()
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows keeps sockets in another list")


def last(code: str) -> dict[int, tuple[str, ...]]:
    return {held.number: held.holders for held in follow_descriptors(code).steps[-1].open}


class TestFollow:
    def test_the_life_of_a_number(self) -> None:
        life = follow_descriptors(LIFE)
        assert [[(held.number, held.words) for held in step.open] for step in life.steps] == [
            [(3, "a")],
            [(3, "nobody")],
            [(3, "b")],
            [(3, "b"), (4, "c")],
            [(4, "c")],
            [(3, "d"), (4, "c")],
        ]
        assert life.numbers == (3, 4)

    def test_a_socket_is_told_from_the_next_with_its_number(self) -> None:
        behind = [step.open[0].behind for step in follow_descriptors(LIFE).steps if step.open[0].number == 3]
        assert behind == [1, 1, 1, 1, 3]

    def test_two_numbers_of_one_socket(self) -> None:
        (step,) = follow_descriptors(SHARED).steps[1:2]
        assert [held.behind for held in step.open] == [1, 2, 1]

    def test_holders(self) -> None:
        assert last("pair = socket.socketpair()") == {3: ("pair[0]",), 4: ("pair[1]",)}
        assert last("a = socket.socket(); b = socket.socket(fileno=a.fileno())") == {3: ("a", "b")}
        assert last("file = open(os.devnull)") == {3: ("file",)}
        assert last("kind = socket.socket; a = socket.socket()") == {3: ("a",)}
        assert last("file = open(os.devnull); file.close()") == {}

    def test_nobody_needs_no_number(self) -> None:
        assert last("socket.socket()") == {}  # its last reference is gone
        assert last("import os as system") == {}

    def test_an_error_is_noted_and_the_next_line_runs(self) -> None:
        life = follow_descriptors(TWICE + "more = socket.socket()")
        assert [step.error for step in life.steps] == ["", "", "", "", "OSError: [Errno 9] Bad file descriptor", ""]
        assert life.steps[-1].open[0].holders == ("theirs", "more")

    def test_text(self) -> None:
        assert repr(follow_descriptors(TWICE)) == (
            "after                              3\n"
            "number = socket.socket().detach()  nobody\n"
            "socket.close(number)               -\n"
            "theirs = socket.socket()           theirs\n"
            "socket.close(number)               -\n"
            'theirs.send(b"hello")              -  OSError: [Errno 9] Bad file descriptor'
        )

    def test_a_statement_of_several_lines_is_one_row(self) -> None:
        assert repr(follow_descriptors("for s in range(2):\n    s += 1")) == "after\nfor s in range(2): …"

    def test_what_the_program_prints(self, capfd: pytest.CaptureFixture[str]) -> None:
        follow_descriptors("print('one')\nprint('two', end='')")
        assert capfd.readouterr().out == "one\ntwo\n"

    def test_other_threads_do_not_matter(self) -> None:
        """Threads of this process that open and close files take numbers here, not there."""
        stop = threading.Event()

        def open_and_close() -> None:
            while not stop.is_set():
                open(os.devnull).close()

        threads = [threading.Thread(target=open_and_close) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            assert {repr(follow_descriptors(LIFE)) for _ in range(3)} == {repr(follow_descriptors(LIFE))}
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def test_nothing_is_left_open_here(self) -> None:
        def open_here() -> set[tuple[int, int]]:
            found = set()
            for number in range(256):
                try:
                    found.add((number, os.fstat(number).st_ino))
                except OSError:
                    pass
            return found

        before = open_here()
        follow_descriptors(SHARED)
        with pytest.raises(TimeoutError):
            follow_descriptors("a, b = socket.socketpair(); a.recv(1)", timeout=0.5)
        assert open_here() == before


class TestRefusals:
    def test_no_lines(self) -> None:
        with pytest.raises(ValueError, match="wanted lines of Python, but got none"):
            follow_descriptors("  # nothing\n")

    def test_no_python(self) -> None:
        with pytest.raises(SyntaxError):
            follow_descriptors("a = = b")

    def test_a_line_that_waits(self) -> None:
        with pytest.raises(TimeoutError, match=r"still waited for something after 0.5 s"):
            follow_descriptors("a, b = socket.socketpair()\na.recv(1)", timeout=0.5)

    @pytest.mark.parametrize("code", ["os._exit(3)", "os.close(1)", "raise SystemExit", "os.kill(os.getpid(), 9)"])
    def test_a_program_that_ends_early(self, code: str) -> None:
        with pytest.raises(RuntimeError, match="ended before its last line"):
            follow_descriptors(code)

    def test_windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "name", "nt")
        with pytest.raises(NotImplementedError, match="Windows"):
            follow_descriptors("a = socket.socket()")


@pytest.fixture(scope="module", params=[LIFE, TWICE, SHARED, "pass"], ids=["life", "twice", "shared", "nothing"])
def life(request: pytest.FixtureRequest) -> Life:
    return follow_descriptors(request.param)


class TestPicture:
    def test_a_box_for_each_open_number(self, life: Life) -> None:
        (ax,) = draw_life(life).axes
        boxes = [(round(box.get_y() + 0.45), box.get_facecolor()) for box in ax.patches]
        assert [y for y, _ in boxes] == [y for y, step in enumerate(life.steps) for _ in step.open]
        behind = [held.behind for step in life.steps for held in step.open]
        by_socket = {b: {color for (_, color), other in zip(boxes, behind, strict=True) if other == b} for b in behind}
        assert all(len(colors) == 1 for colors in by_socket.values())
        assert len({color for _, color in boxes}) == min(len(by_socket), 6)

    def test_all_words_are_on_the_paper_and_apart(self, life: Life) -> None:
        picture = draw_life(life)
        picture.draw_without_rendering()
        (ax,) = picture.axes
        boxes = [t.get_window_extent() for t in picture.findobj(Text) if t.get_text().strip() and t.get_visible()]
        assert len(boxes) >= len(life.steps) + len(ax.patches) + 2
        paper = picture.bbox.padded(1)
        for box in boxes:
            assert paper.x0 <= box.x0 < box.x1 <= paper.x1
            assert paper.y0 <= box.y0 < box.y1 <= paper.y1
        for i, one in enumerate(boxes):
            assert not [two for two in boxes[i + 1 :] if Bbox.intersection(one.padded(-1.5), two.padded(-1.5))]

    def test_it_shows_itself_with_its_text(self, life: Life) -> None:
        data, metadata = life._repr_mimebundle_()
        assert data["text/plain"] == repr(life)
        assert set(data) == {"image/png", "text/plain"}
        assert metadata["image/png"]["width"] == 750

    def test_following_draws_nothing(self) -> None:
        """Measuring loads no matplotlib, in the child neither: it would cost each run a second."""
        code = "import sys, socketlab.measure.descriptors; print('matplotlib' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
