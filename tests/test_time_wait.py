"""TIME_WAIT: at which end, after which way of closing, for how long, and what bind() says to it."""

from __future__ import annotations

import socket
import sys
from itertools import pairwise

import pytest
from leftovers import nothing_left

from socketlab.experiments.doors.closers import TimeWait, Waiting, draw_time_wait, time_wait, time_wait_steps
from socketlab.measure import figure

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's table is read in Linux's way")
CLIENT = TimeWait("client", 20, (Waiting(0.0, 20, 0), Waiting(1.0, 20, 0)), (60.0,) * 20)
SERVER = TimeWait("server", 5, (Waiting(0.0, 0, 5), Waiting(61.0, 0, 0)), (), "EADDRINUSE")
RESET = TimeWait("reset", 5, (Waiting(0.0, 0, 0), Waiting(1.0, 0, 0)))


@pytest.fixture(params=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest, has_ipv6: bool) -> int:
    if request.param == "ipv6" and not has_ipv6:
        pytest.skip("this machine has no ::1")
    return socket.AF_INET if request.param == "ipv4" else socket.AF_INET6


@linux
class TestWhoCloses:
    def test_the_client_first_leaves_it_at_the_client(self, family):
        result = time_wait("client", 7, seconds=0.1, family=family)
        assert result.most[1:] == (7, 0)
        assert result.rebind == ""

    def test_the_server_first_leaves_it_at_the_server_and_its_port_taken(self, family):
        result = time_wait("server", 7, seconds=0.1, family=family)
        assert result.most[1:] == (0, 7)
        assert result.rebind == "EADDRINUSE"

    def test_a_reset_leaves_none(self, family):
        result = time_wait("reset", 7, seconds=0.1, family=family)
        assert result.most[1:] == (0, 0)
        assert (result.over, result.rebind) == ((), "")

    def test_the_timers_say_sixty_seconds(self, family):
        result = time_wait("client", 3, seconds=0.1, family=family)
        assert len(result.over) == 3
        # Linux's constant, less what had passed before the first look, with room for coarse timers.
        assert all(50 < over <= 62 for over in result.over)

    def test_others_are_not_counted(self, family):
        time_wait("client", 9, seconds=0, family=family)
        assert time_wait("client", 2, seconds=0, family=family).most.client == 2


@linux
class TestSteps:
    def test_looks_follow_one_another_and_shares_ascend(self):
        steps = list(time_wait_steps("client", 3, seconds=0.4))
        shares = [share for share, _ in steps]
        assert shares == sorted(shares)
        assert (shares[0], shares[-1]) == (0.0, 1.0)
        result = steps[-1][1]
        assert all(a.t < b.t for a, b in pairwise(result.looks))
        assert result.looks[-1].t >= 0.4
        assert steps[0][1].looks == ()

    @pytest.mark.parametrize("after", [1, 2, 4])
    def test_closed_at_any_step_nothing_is_left(self, after):
        with nothing_left():
            steps = time_wait_steps("reset", 5, seconds=5)
            for _ in range(after):
                next(steps)
            steps.close()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"closer": "nobody"}, "closer wanted one of client, server, reset, but got 'nobody'"),
            ({"connections": 0}, "connections wanted a whole number of connections from 1 to 200, but got 0"),
            ({"connections": 10_000}, "connections wanted"),
            ({"connections": 2.5}, "connections wanted"),
            ({"seconds": -1}, "seconds wanted a number of seconds from 0 to 75, but got -1"),
            ({"seconds": float("nan")}, "seconds wanted"),
            ({"seconds": 3600}, "seconds wanted"),
            ({"seconds": "3"}, "seconds wanted"),
            ({"family": 1}, "family wanted"),
        ],
    )
    def test_bad_arguments_are_refused_when_called(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            time_wait_steps(**arguments)


class TestResult:
    def test_repr_tells_no_times(self):
        assert repr(CLIENT) == "<TimeWait of 20 connections closed by the client first>"
        assert repr(RESET) == "<TimeWait of 5 connections ended by a reset>"

    def test_nobody_has_looked(self):
        with pytest.raises(ValueError, match="nobody has looked"):
            _ = TimeWait("client", 5, ()).most

    def test_another_system_says_what_it_lacks(self, monkeypatch):
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(NotImplementedError, match="darwin"):
            time_wait_steps()


class TestPicture:
    def test_a_line_for_what_was_seen_and_one_for_what_the_timers_say(self):
        (ax,) = draw_time_wait(CLIENT).axes
        seen, announced = ax.lines
        assert list(seen.get_ydata()) == [20, 20]
        assert list(announced.get_xdata()) == [1.0, *[60.0] * 20]
        assert announced.get_ydata()[-1] == 0
        assert ax.get_title(loc="left") == "TIME_WAIT stays with the client, who closed first, for 60 s"
        assert "timers" in ax.get_xlabel()

    def test_compared(self):
        (ax,) = draw_time_wait(CLIENT, SERVER, RESET).axes
        assert ax.get_title(loc="left") == "TIME_WAIT stays with whoever closes first, for 61 s"
        assert [text.get_text() for text in ax.get_legend().get_texts()] == [
            "client closes first: 20 at the client",
            "server closes first: 5 at the server; bind() to the port: EADDRINUSE",
            "reset: none",
        ]

    @pytest.mark.parametrize(
        ("results", "title"),
        [
            ((RESET,), "A reset leaves no TIME_WAIT"),
            ((SERVER,), "TIME_WAIT stays with the server, who closed first, for 61 s"),
            ((RESET, CLIENT), "TIME_WAIT stays with the client, who closed first, for 60 s"),
        ],
    )
    def test_the_title_says_what_was_found(self, results, title):
        assert draw_time_wait(*results).axes[0].get_title(loc="left") == title

    def test_into_axes_of_yours_under_a_title_of_yours(self):
        (ax,) = figure().axes
        assert draw_time_wait(CLIENT, title="Mine", ax=ax) is ax
        assert ax.get_title(loc="left") == "Mine"

    @pytest.mark.parametrize("results", [(), (CLIENT,) * 7, (TimeWait("client", 5, ()),)])
    def test_nothing_to_draw_or_too_much(self, results):
        with pytest.raises(ValueError, match="wanted 1 to 6|nobody has looked"):
            draw_time_wait(*results)
