"""SYN retries: when the kernel knocks again at a door that is full, what is recorded, and the picture of it."""

from __future__ import annotations

import sys
from contextlib import closing
from itertools import pairwise

import pytest
from leftovers import nothing_left

from socketlab.experiments.doors.knocking import (
    SynRetries,
    draw_syn_retries,
    recorded_syn_retries,
    syn_retries,
    syn_retries_steps,
)
from socketlab.measure import figure

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="a full listener drops SYNs on Linux")

GAVE_UP = SynRetries(1, (0.0, 1.0), 3.0, "ETIMEDOUT", "Linux before 6.5")
WAITS = SynRetries(6, (0.0, 1.0), 1.5)


@on_linux
class TestKnocking:
    def test_the_syn_is_sent_again_and_connect_goes_on_waiting(self) -> None:
        with nothing_left():
            result = syn_retries(seconds=1.3)
        assert len(result.sent) >= 2
        assert result.sent[0] == 0.0
        assert result.sent[1] >= 0.99  # a second after the first, not sooner
        assert result.error == ""

    def test_connect_fails_after_the_last_one(self) -> None:
        with nothing_left():
            result = syn_retries(1, seconds=30)
        assert result.error == "ETIMEDOUT"
        assert result.retries == 1
        assert 2 <= len(result.sent) <= 6  # more than two where tcp_syn_linear_timeouts is not 0

    def test_whoever_stops_it_leaves_nothing(self) -> None:
        with nothing_left():
            with closing(syn_retries_steps(seconds=5)) as steps:
                share, result = next(steps)
            assert share < 1
            assert result.sent == (0.0,)

    def test_its_share_ends_at_one(self) -> None:
        shares = [share for share, _ in syn_retries_steps(seconds=0.2)]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"retries": 0}, "retries wanted a whole number of SYNs from 1 to 127, but got 0"),
            ({"seconds": 0}, "seconds wanted a number of seconds from 0.1 to 200, but got 0"),
            ({"seconds": float("nan")}, "but got nan"),
        ],
    )
    def test_out_of_range(self, arguments: dict[str, float], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            syn_retries_steps(**arguments)

    def test_elsewhere_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(NotImplementedError, match="drops SYNs on Linux, and this is darwin"):
            syn_retries()


class TestRecorded:
    @pytest.mark.parametrize("retries", [1, 2, 3, 6])
    def test_two_kernels_and_both_gave_up(self, retries: int) -> None:
        older, newer = recorded_syn_retries(retries)
        assert (older.where, newer.where) == ("Linux before 6.5", "Linux 6.18")
        assert older.error == newer.error == "ETIMEDOUT"
        assert len(older.sent) == retries + 1
        assert len(newer.sent) > len(older.sent)

    def test_the_older_one_doubles_its_waits(self) -> None:
        older, _ = recorded_syn_retries(6)
        waits = [b - a for a, b in zip(older.sent, (*older.sent[1:], older.seconds), strict=True)]
        assert [round(later / earlier) for earlier, later in pairwise(waits)] == [2] * 6

    def test_another_number(self) -> None:
        with pytest.raises(ValueError, match="retries wanted one of 1, 2, 3, 6, but got 4"):
            recorded_syn_retries(4)


class TestPicture:
    def test_words(self) -> None:
        assert repr(GAVE_UP) == "<SYNs with TCP_SYNCNT 1: sent at 0.0, 1.0 s, ETIMEDOUT after 3.0 s>"
        assert repr(WAITS) == "<SYNs with TCP_SYNCNT 6: sent at 0.0, 1.0 s, still waiting>"

    @pytest.mark.parametrize(
        ("results", "title"),
        [
            ((GAVE_UP,), "The kernel knocks again and again, then gives up"),
            ((WAITS,), "No answer, no error: the SYN was sent again once"),
            ((GAVE_UP, WAITS), "No answer, no error: the SYN was sent again once"),
        ],
    )
    def test_title(self, results: tuple[SynRetries, ...], title: str) -> None:
        assert draw_syn_retries(*results).axes[0].get_title(loc="left") == title

    def test_a_staircase_for_each(self) -> None:
        (axes,) = draw_syn_retries(GAVE_UP, WAITS).axes
        labels = [text.get_text() for text in axes.get_legend().get_texts()]
        assert labels == ["TCP_SYNCNT 1, Linux before 6.5", "TCP_SYNCNT 6"]
        staircases = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
        assert [list(line.get_ydata()) for line in staircases] == [[1, 2, 2], [1, 2, 2]]
        assert [text.get_text() for text in axes.texts] == ["ETIMEDOUT, 3 s"]

    def test_into_axes_that_are_given(self) -> None:
        (ax,) = figure().axes
        assert draw_syn_retries(WAITS, title="Mine", ax=ax) is ax
        assert ax.get_title(loc="left") == "Mine"

    def test_none_or_too_many(self) -> None:
        with pytest.raises(ValueError, match="wanted 1 to 6 results, but got 0"):
            draw_syn_retries()
        with pytest.raises(ValueError, match="but got 7"):
            draw_syn_retries(*[WAITS] * 7)
