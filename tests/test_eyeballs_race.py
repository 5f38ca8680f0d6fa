"""Happy Eyeballs: who begins when, who wins, what a machine without ::1 shows, and what is left after a stop."""

from __future__ import annotations

import errno
import itertools
import socket
import sys

import pytest
from leftovers import nothing_left

from socketlab.experiments.addresses import race as module
from socketlab.experiments.addresses.answers import REFUSED, SILENT
from socketlab.experiments.addresses.race import (
    FAILED,
    GIVEN_UP,
    UNNEEDED,
    WAITING,
    WON,
    Attempt,
    Race,
    draw_eyeballs_race,
    eyeballs_race,
    eyeballs_race_steps,
    finding,
    recorded_race,
)

LATE = 8.0  # seconds: an answer that does not come before the test is over, however slow the machine


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux does a full queue leave connect() waiting")

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")


@ipv6
class TestRaces:
    """Real sockets; where one side has to be slower, it does not answer before the other has."""

    def test_a_quick_ipv6_wins_and_ipv4_is_not_tried(self):
        race = eyeballs_race(0.0, 0.0, head_start=5.0)
        v6, v4 = race.attempts
        assert race.winner == "IPv6"
        assert (v6.state, v4) == (WON, Attempt("IPv4"))
        assert 0 == v6.began <= v6.connected <= v6.ended <= race.seconds

    def test_a_slow_ipv6_loses_after_its_head_start(self):
        race = eyeballs_race(LATE, 0.0, head_start=0.1)
        v6, v4 = race.attempts
        assert race.winner == "IPv4"
        assert (v6.state, v4.state) == (GIVEN_UP, WON)
        assert 0.1 <= v4.began <= v4.ended <= v6.ended
        assert v6.connected < v4.began  # on loopback connect() does not wait

    def test_a_refusal_ends_the_head_start(self):
        race = eyeballs_race(REFUSED, 0.0, head_start=5.0)
        v6, v4 = race.attempts
        assert (v6.state, v6.error, v6.connected) == (FAILED, "ECONNREFUSED", None)
        assert race.winner == "IPv4"
        assert v4.began < 5.0

    @linux
    def test_silence_is_a_connect_that_does_not_return(self):
        v6, v4 = eyeballs_race(SILENT, 0.0, head_start=0.1).attempts
        assert (v6.state, v6.connected) == (GIVEN_UP, None)
        assert v4.state == WON

    def test_ipv6_may_win_after_its_head_start(self):
        race = eyeballs_race(0.3, LATE, head_start=0.0)
        assert race.winner == "IPv6"
        assert race.attempts[1].state == GIVEN_UP

    def test_the_delay_is_the_time_until_the_first_byte(self):
        v6, _ = eyeballs_race(0.2, REFUSED, head_start=5.0).attempts
        assert v6.connected < 0.2 <= v6.ended

    def test_nobody(self):
        race = eyeballs_race(REFUSED, REFUSED)
        assert race.over
        assert race.winner == ""
        assert repr(race) == "<Race: nobody answered>"

    @linux
    def test_two_who_are_silent_are_given_up(self, monkeypatch):
        monkeypatch.setattr(module, "PATIENCE", 0.2)
        race = eyeballs_race(SILENT, SILENT, head_start=0.1)
        assert [one.state for one in race.attempts] == [GIVEN_UP, GIVEN_UP]
        assert race.over


class TestWithoutIPv6:
    """A machine that has no ::1, and one whose kernel knows no IPv6 at all."""

    @pytest.mark.parametrize("code", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
    def test_the_attempt_fails_with_what_the_kernel_says(self, code, monkeypatch):
        usual_init, usual_connect = socket.socket.__init__, socket.socket.connect_ex
        usual_bind = socket.socket.bind

        def init(self, family=-1, type=-1, proto=-1, fileno=None):
            if family == socket.AF_INET6 and code == errno.EAFNOSUPPORT:
                raise OSError(code, "no IPv6")
            usual_init(self, family, type, proto, fileno)

        def bind(self, address):
            if self.family == socket.AF_INET6:
                raise OSError(code, "no ::1")
            return usual_bind(self, address)

        def connect_ex(self, address):
            return code if self.family == socket.AF_INET6 else usual_connect(self, address)

        monkeypatch.setattr(socket.socket, "__init__", init)
        monkeypatch.setattr(socket.socket, "bind", bind)
        monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
        race = eyeballs_race(0.0, 0.0, head_start=5.0)
        assert race.winner == "IPv4"
        assert (race.attempts[0].state, race.attempts[0].error) == (FAILED, errno.errorcode[code])

    @pytest.mark.parametrize(
        ("what", "winner", "states"),
        [
            ("slow", "IPv4", (GIVEN_UP, WON)),
            ("quick", "IPv6", (WON, UNNEEDED)),
            ("refused", "IPv4", (FAILED, WON)),
            ("silent", "IPv4", (GIVEN_UP, WON)),
        ],
    )
    def test_recorded(self, what, winner, states):
        race = recorded_race(what)
        assert race.winner == winner
        assert tuple(one.state for one in race.attempts) == states


class TestArguments:
    @pytest.mark.parametrize("wrong", [{"v6": -1}, {"v4": 11}, {"v6": "never"}, {"head_start": 6}, {"v4": None}])
    def test_said_at_once(self, wrong):
        name = next(iter(wrong))
        with pytest.raises(ValueError, match=f"^{name} wanted a number of seconds"):
            eyeballs_race_steps(**wrong)


class TestStopping:
    @pytest.mark.parametrize("steps", [1, 3])
    def test_in_the_middle_leaves_nothing(self, steps):
        with nothing_left():
            running = eyeballs_race_steps(LATE, LATE, head_start=0.02)
            for share, race in itertools.islice(running, steps):
                assert 0 <= share < 1
                assert not race.over
            running.close()

    @ipv6
    def test_over_and_over_leaves_nothing(self):
        with nothing_left():
            for _ in range(5):
                eyeballs_race(0.0, 0.0)


def under_way() -> Race:
    return Race(1.0, 1.0, 0.25, (Attempt("IPv6", WAITING, 0.0, 0.001), Attempt("IPv4")), 0.1)


EVERY = {what: recorded_race(what) for what in ("slow", "quick", "refused", "silent")} | {
    "under way": under_way(),
    "ipv6 after all": Race(
        0.4, 1.0, 0.25, (Attempt("IPv6", WON, 0.0, 0.001, 0.4), Attempt("IPv4", GIVEN_UP, 0.25, 0.251, 0.4)), 0.4
    ),
    "nobody": Race(
        REFUSED,
        REFUSED,
        0.25,
        tuple(Attempt(name, FAILED, 0.0, None, 0.0, "ECONNREFUSED") for name in ("IPv6", "IPv4")),
        0.0,
    ),
}


@pytest.mark.parametrize("race", EVERY.values(), ids=EVERY)
class TestPicture:
    def test_a_lane_for_each_and_how_it_ended(self, race):
        picture = draw_eyeballs_race(race)
        (ax,) = picture.axes
        assert [label.get_text() for label in ax.get_yticklabels()] == ["IPv6", "IPv4"]
        words = " ".join(text.get_text() for text in ax.texts)
        for one in race.attempts:
            expected = {WON: "first byte", FAILED: one.error, WAITING: "waiting"}.get(one.state, one.state)
            assert expected in words
        assert len(ax.collections) == sum(one.began is not None for one in race.attempts)
        assert ax.get_title(loc="left") == finding(race) or ax.get_title() == finding(race)

    def test_on_axes_that_are_given(self, race):
        from socketlab.measure import figure

        ax = figure(2, 1).axes[1]
        assert draw_eyeballs_race(race, ax=ax, title="mine") is ax
        assert "mine" in (ax.get_title(), ax.get_title(loc="left"))


class TestFinding:
    @pytest.mark.parametrize(
        ("what", "words"),
        [
            ("quick", "within its head start"),
            ("refused", "failed (ECONNREFUSED)"),
            ("silent", "silent for 250 ms"),
            ("ipv6 after all", "IPv6 was quicker"),
            ("nobody", "Neither"),
            ("under way", "Nobody has answered yet"),
        ],
    )
    def test_in_a_line(self, what, words):
        assert words in finding(EVERY[what])
