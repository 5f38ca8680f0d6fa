"""Asked for against granted: what the kernel makes of a size, and the picture of it."""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest

from socketlab.experiments import AskedAndGranted, asked_and_granted, draw_asked_and_granted

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")

linux = pytest.mark.skipif(sys.platform != "linux", reason="each kernel's own")

GIVEN = AskedAndGranted("SO_RCVBUF", (16, 4096, 8192, 65536), (2304, 8192, 16384, 32768), 131072)
REFUSED = AskedAndGranted("SO_SNDBUF", (4096, 2**30), (4096, None), 4096)


class TestAsking:
    """Of this kernel."""

    @pytest.mark.parametrize("option", ["SO_RCVBUF", "SO_SNDBUF"])
    def test_what_is_granted_is_what_python_reads(self, option: str) -> None:
        number = getattr(socket, option)
        found = asked_and_granted(option, [8192])
        with socket.socket() as sock:
            assert found.fresh == sock.getsockopt(socket.SOL_SOCKET, number)
            sock.setsockopt(socket.SOL_SOCKET, number, 8192)
            assert found.granted == (sock.getsockopt(socket.SOL_SOCKET, number),)

    @linux
    @pytest.mark.parametrize("option", ["SO_RCVBUF", "SO_SNDBUF"])
    def test_doubled_between_two_bounds(self, option: str) -> None:
        found = asked_and_granted(option)
        assert 8192 in found.doubled
        assert found.granted[0] == found.least != 2 * found.asked[0]
        assert list(found.granted) == sorted(found.granted)  # type: ignore[type-var]

    @linux
    def test_no_less_than_least_and_no_more_than_most(self) -> None:
        found = asked_and_granted(sizes=[0, 1, 2**31 - 1])
        assert found.granted[0] == found.granted[1] == found.least
        assert found.most == found.granted[2]

    def test_each_size_once_in_order(self) -> None:
        assert asked_and_granted(sizes=[8192, 4096, 8192]).asked == (4096, 8192)

    def test_refuses_what_nobody_can_ask(self) -> None:
        for wrong in ([-1], [2**31], ["1"], [1.5], [True]):
            with pytest.raises(ValueError, match="sizes wanted a whole number of bytes"):
                asked_and_granted(sizes=wrong)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="one size or more"):
            asked_and_granted(sizes=[])
        with pytest.raises(ValueError, match="'SO_RCVBUF' or 'SO_SNDBUF', but got 'SO_LINGER'"):
            asked_and_granted("SO_LINGER")

    def test_repr_has_nothing_of_this_kernel(self) -> None:
        assert repr(asked_and_granted(sizes=[4096])) == "<AskedAndGranted SO_RCVBUF, 1 sizes>"


def drawn(*results: AskedAndGranted, **named: Any) -> Any:
    picture: Any = draw_asked_and_granted(*results, **named)
    return picture.axes


class TestPicture:
    """Of given numbers."""

    def test_bounds(self) -> None:
        assert (GIVEN.least, GIVEN.most, GIVEN.doubled) == (2304, 32768, (4096, 8192))
        assert (REFUSED.least, REFUSED.most, REFUSED.doubled) == (4096, 4096, ())

    def test_drawn(self) -> None:
        (ax,) = drawn(GIVEN)
        granted, same = ax.lines
        assert list(granted.get_xdata()) == list(GIVEN.asked)
        assert list(granted.get_ydata()) == list(GIVEN.granted)
        assert list(same.get_xdata()) == list(same.get_ydata()) == [16, 65536]
        assert ax.get_title(loc="left") == "SO_RCVBUF: twice what is asked for, from 2.2 KiB to 32 KiB"

    def test_what_was_refused_is_left_out(self) -> None:
        (ax,) = drawn(REFUSED)
        assert list(ax.lines[0].get_xdata()) == [4096]
        assert ax.get_title(loc="left") == "What is asked for, and what is granted"

    def test_two_results(self) -> None:
        (ax,) = drawn(GIVEN, REFUSED, title="Two")
        assert [text.get_text() for text in ax.get_legend().get_texts()] == [
            "SO_RCVBUF: granted",
            "SO_SNDBUF: granted",
            "as much as was asked for",
        ]
        assert ax.get_title(loc="left") == "Two"

    def test_nothing_to_draw(self) -> None:
        with pytest.raises(ValueError, match="1 to 6 results"):
            draw_asked_and_granted()
        with pytest.raises(ValueError, match="without any"):
            draw_asked_and_granted(AskedAndGranted("SO_RCVBUF", (1,), (None,), 0))
