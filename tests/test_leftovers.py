"""What looks for leftovers finds them: a check that cannot fail would vouch for every other test."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest
from leftovers import descriptors, nothing_left
from patience import eventually, until

needs_list = pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="no /dev/fd here to see descriptors in")


class TestNothingLeft:
    def test_when_all_is_gone(self) -> None:
        with nothing_left():
            left, right = socket.socketpair()
            left.close()
            right.close()
            thread = threading.Thread(target=int)
            thread.start()
            thread.join()

    def test_a_thread(self) -> None:
        go = threading.Event()
        thread = threading.Thread(target=go.wait, args=(20,), name="lingers")
        try:
            with pytest.raises(AssertionError, match="lingers"), nothing_left():
                thread.start()
        finally:
            go.set()
            thread.join()

    @needs_list
    def test_a_descriptor(self) -> None:
        with socket.socket() as sock:
            with pytest.raises(AssertionError, match=r"left: .*descriptors \['\d+"), nothing_left():
                copy = sock.dup()
            copy.close()

    @needs_list
    def test_a_descriptor_in_the_place_of_another(self) -> None:
        """As many as before, and with the same number."""
        first = socket.socket()
        with pytest.raises(AssertionError, match="descriptors"), nothing_left():
            number, second = first.fileno(), socket.socket()
            first.close()
            os.dup2(second.fileno(), number)
            second.close()
        os.close(number)

    def test_a_widget(self) -> None:
        widgets = pytest.importorskip("ipywidgets")
        made = []
        with pytest.raises(AssertionError, match="widgets are left open"), nothing_left():
            made.append(widgets.Layout())
        made[0].close()

    def test_what_ends_in_time(self) -> None:
        go = threading.Event()
        thread = threading.Thread(target=go.wait, args=(20,))
        timer = threading.Timer(0.05, go.set)
        with nothing_left(seconds=10):
            thread.start()
            timer.start()

    def test_the_pictures_fonts_do_not_count(self) -> None:
        matplotlib = pytest.importorskip("matplotlib")
        before = descriptors()
        with open(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", "rb"):
            assert descriptors() == before


class TestPatience:
    def test_it_gives_what_was_found(self) -> None:
        found = iter([0, "", 7])
        assert until(lambda: next(found), "a seven") == 7

    def test_it_has_an_end_and_says_what_was_wanted(self) -> None:
        began = time.monotonic()
        with pytest.raises(AssertionError, match=r"waited 0\.02 s in vain: the moon"):
            until(lambda: None, "the moon", seconds=0.02)
        assert time.monotonic() - began >= 0.02
        assert not eventually(lambda: False, seconds=0)

    def test_it_looks_at_once(self) -> None:
        assert eventually(lambda: True, seconds=0)
