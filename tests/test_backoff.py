"""Backoff: who calls when, out of how long a wait, what the door says, and the picture of it."""

from __future__ import annotations

import pytest
from leftovers import nothing_left

from socketlab.experiments.waiting.retrying import Backoff, Call, backoff, backoff_steps, draw_backoff
from socketlab.measure import figure

SHORT = {"base": 0.01, "most": 0.04, "down": 0.05}
ALIKE = Backoff(
    2,
    False,
    (
        Call(0, 0.0, 0.0, 0.0, "ECONNREFUSED"),
        Call(1, 0.001, 0.0, 0.0, "ECONNREFUSED"),
        Call(0, 0.05, 0.05, 0.05, "ECONNREFUSED"),
        Call(1, 0.051, 0.05, 0.05, "ECONNREFUSED"),
        Call(0, 0.15, 0.1, 0.1),
        Call(1, 0.151, 0.1, 0.1),
    ),
    0.1,
)
APART = Backoff(
    2,
    True,
    (
        Call(0, 0.0, 0.0, 0.0, "ECONNREFUSED"),
        Call(1, 0.001, 0.0, 0.0, "ECONNREFUSED"),
        Call(0, 0.02, 0.02, 0.05, "ECONNREFUSED"),
        Call(1, 0.03, 0.03, 0.05, "ECONNREFUSED"),
        Call(0, 0.11, 0.09, 0.1),
        Call(1, 0.12, 0.09, 0.1),
    ),
    0.1,
)
WAITING = Backoff(1, True, (Call(0, 0.0, 0.0, 0.0, "ECONNREFUSED"),))


class TestCalls:
    def test_without_jitter_all_wait_for_their_bound(self):
        result = backoff(3, jitter=False, base=0.01, most=0.04, down=0.05)
        # 0, 10, 30 ms are refused; the next one, planned for 70 ms, finds the door open.
        assert result.waits == ((0.01, 0.02, 0.04),) * 3
        assert [call.failure for call in result.of(0)] == ["ECONNREFUSED"] * 3 + [""]
        assert (result.refused, result.at_once) == (9, 3)

    def test_with_jitter_each_wait_is_within_its_bound(self):
        result = backoff(4, **SHORT)
        assert all(0 <= call.waited <= call.bound for call in result.calls)
        for client in range(4):
            bounds = [call.bound for call in result.of(client)[1:]]
            assert bounds == [min(0.04, 0.01 * 2**n) for n in range(len(bounds))]
        assert result.at_once == 1

    def test_everybody_is_let_in_once_and_only_after_the_door_has_opened(self):
        result = backoff(4, **SHORT)
        for client in range(4):
            *before, last = result.of(client)
            assert last.failure == ""
            assert {call.failure for call in before} <= {"ECONNREFUSED"}
            assert last.t >= result.opened
            assert all(call.t <= result.opened for call in before)

    def test_nobody_calls_before_the_wait_is_over(self):
        result = backoff(3, **SHORT)
        for client in range(3):
            calls, due = result.of(client), 0.0
            for call in calls:
                due += call.waited
                assert call.t >= due - 1e-6

    def test_the_same_seed_gives_the_same_waits_and_clients_differ(self):
        one, same, other = (backoff(3, seed=seed, **SHORT) for seed in (1, 1, 2))
        assert one.waits == same.waits != other.waits
        assert len(set(one.waits)) == 3

    def test_an_open_door_lets_everybody_in_at_once(self):
        result = backoff(2, down=0)
        assert [call.failure for call in result.calls] == ["", ""]
        assert result.at_once == 0


class TestSteps:
    def test_shares_ascend_and_results_grow(self):
        steps = list(backoff_steps(3, **SHORT))
        shares = [share for share, _ in steps]
        assert shares == sorted(shares)
        assert (shares[0], shares[-1]) == (0.0, 1.0)
        assert steps[0][1].calls == ()
        assert steps[-1][1].opened is not None

    @pytest.mark.parametrize("after", [1, 2, 4])
    def test_closed_at_any_step_nothing_is_left(self, after):
        with nothing_left():
            steps = backoff_steps(3, down=5)
            for _ in range(after):
                next(steps)
            steps.close()

    def test_nothing_is_left_afterwards(self):
        with nothing_left():
            backoff(3, **SHORT)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"clients": 0}, "clients wanted a whole number of clients from 1 to 12, but got 0"),
            ({"clients": 13}, "clients wanted"),
            ({"base": 0}, "base wanted a number of seconds from 0.001 to 5, but got 0"),
            ({"most": float("nan")}, "most wanted"),
            ({"down": -1}, "down wanted a number of seconds from 0 to 10, but got -1"),
            ({"base": 0.5, "most": 0.4}, "most wanted at least base, 0.5 seconds, but got 0.4"),
        ],
    )
    def test_bad_arguments_are_refused_when_called(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            backoff_steps(**arguments)


class TestResult:
    def test_repr_tells_no_times(self):
        assert repr(ALIKE) == "<Backoff of 2 clients, no jitter>"
        assert repr(APART) == "<Backoff of 2 clients, full jitter>"

    def test_who_comes_together(self):
        assert (ALIKE.at_once, APART.at_once, WAITING.at_once) == (2, 1, 0)
        assert ALIKE.refused == 4


class TestPicture:
    def test_a_lane_for_each_client_a_mark_for_each_call(self):
        (ax,) = draw_backoff(ALIKE).axes
        marks = [line for line in ax.lines if line.get_marker() in ("x", "o")]
        assert [(line.get_marker(), line.get_xdata()[0]) for line in marks if line.get_ydata()[0] == 0] == [
            ("x", 0.0),
            ("x", 0.05),
            ("o", 0.15),
        ]
        assert [label.get_text() for label in ax.get_yticklabels()] == ["no jitter, 1", "no jitter, 2"]

    @pytest.mark.parametrize(
        ("results", "title"),
        [
            ((ALIKE,), "All 2 clients come back together, each time"),
            ((APART,), "Full jitter: no two clients come back together"),
            ((ALIKE, APART), "Without jitter all come back together; with it they spread"),
            ((WAITING,), "Calls that were refused: 1"),
        ],
    )
    def test_the_title_says_what_was_found(self, results, title):
        assert draw_backoff(*results).axes[0].get_title(loc="left") == title

    def test_a_door_that_has_not_opened(self):
        words = [text.get_text() for text in draw_backoff(WAITING).axes[0].texts]
        assert words == ["nobody listens"]

    def test_into_axes_of_yours_under_a_title_of_yours(self):
        (ax,) = figure().axes
        assert draw_backoff(ALIKE, title="Mine", ax=ax) is ax
        assert ax.get_title(loc="left") == "Mine"

    @pytest.mark.parametrize("results", [(), (ALIKE,) * 7, (Backoff(1, True),)])
    def test_nothing_to_draw_or_too_much(self, results):
        with pytest.raises(ValueError, match="wanted 1 to 6|nobody has called"):
            draw_backoff(*results)
