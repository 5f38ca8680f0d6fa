"""What one readiness call costs: who names what, who refuses, what grows and what does not, and what is left behind."""

from __future__ import annotations

import os
import select
import socket
from contextlib import ExitStack

import pytest
from leftovers import nothing_left

from socketlab.experiments.waiting.mechanisms import (
    EDGE,
    EPOLL,
    KQUEUE,
    MECHANISMS,
    POLL,
    SELECT,
    handed_over,
    has,
    most_watched,
)
from socketlab.experiments.waiting.readiness import (
    Cost,
    ReadinessCost,
    Refusal,
    draw_readiness_cost,
    finding,
    readiness_cost,
    readiness_cost_steps,
)

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")

needs_many = pytest.mark.skipif(most_watched() < 2000, reason="this process may not open 2,000 descriptors")
needs_epoll = pytest.mark.skipif(not has(EPOLL), reason="epoll is Linux's")
LEVEL = [mechanism for mechanism in MECHANISMS if has(mechanism) and mechanism != EDGE]
KNOWN = ReadinessCost(
    1,
    (
        Cost(SELECT, 10, 2e-6, 9, 1, 1),
        Cost(POLL, 10, 1e-6, 9, 1, 1),
        Cost(EPOLL, 10, 1e-6, 9, 1, 1),
        Cost(POLL, 2000, 1.2e-4, 9, 1, 1),
        Cost(EPOLL, 2000, 1.5e-6, 9, 1, 1),
    ),
    (Refusal(SELECT, 2000, "filedescriptor out of range in select()"),),
)


class TestAnswers:
    """What each mechanism names as ready, of real sockets."""

    @pytest.mark.parametrize("mechanism", LEVEL)
    @pytest.mark.parametrize("ready", [0, 1, 7, 30])
    def test_those_that_have_something_to_read(self, mechanism, ready):
        result = readiness_cost((10, 30), [mechanism], ready, rounds=3)
        assert [(c.watched, c.named, c.named_again) for c in result.of(mechanism)] == [
            (n, min(ready, n), min(ready, n)) for n in (10, 30)
        ]

    @needs_epoll
    def test_edge_triggered_names_each_once(self):
        (cost,) = readiness_cost((10,), [EDGE], 4, rounds=3).costs
        assert (cost.named, cost.named_again) == (4, 0)

    @needs_many
    @needs_epoll
    def test_more_than_epoll_answers_unless_asked(self):
        (cost,) = readiness_cost((1500,), [EPOLL], 1500, rounds=1).costs
        assert cost.named == 1500  # Python's default for maxevents is 1,023

    def test_calls_are_counted(self):
        assert [cost.calls for cost in readiness_cost((1, 2), [SELECT], rounds=5).costs] == [5, 5]


class TestCost:
    @needs_many
    @needs_epoll
    def test_poll_grows_with_the_number_and_epoll_hardly(self):
        result = readiness_cost((10, 2000), (POLL, EPOLL))
        assert result.growth(POLL) > 4 * result.growth(EPOLL)
        assert result.of(POLL)[-1].seconds > 4 * result.of(EPOLL)[-1].seconds

    @needs_many
    def test_select_grows_until_it_refuses(self):
        result = readiness_cost((10, 500, 2000), [SELECT])
        assert [cost.watched for cost in result.of(SELECT)] == [10, 500]
        assert result.growth(SELECT) > 3
        (refusal,) = result.refusals
        assert refusal[:2] == (SELECT, 2000)
        assert "out of range" in refusal.words or "too many" in refusal.words

    @needs_many
    def test_select_refuses_by_the_number_of_a_descriptor_not_by_how_many(self):
        with ExitStack() as stack:
            held = stack.enter_context(socket.socket())
            while held.fileno() < 1023:
                held = stack.enter_context(socket.socket(fileno=os.dup(held.fileno())))
            result = readiness_cost((10,), [SELECT])
        assert result.costs == ()
        assert [refusal.watched for refusal in result.refusals] == [10]


class TestLimits:
    """What this process, or this platform, does not give."""

    def test_counts_beyond_the_limit_are_left_out_and_said(self):
        resource = pytest.importorskip("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 200, hard))
            result = readiness_cost((10, 1000), [SELECT], rounds=2)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert [cost.watched for cost in result.costs] == [10]
        assert result.left_out == (1000,)
        assert 10 <= result.most < 1000

    def test_a_limit_that_leaves_nothing(self):
        resource = pytest.importorskip("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 20, hard))
            result = readiness_cost((10,), [SELECT])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (result.costs, result.left_out, result.most) == ((), (10,), 0)

    def test_a_limit_that_leaves_no_curve_shows_a_recorded_one(self):
        resource = pytest.importorskip("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 20, hard))
            result = readiness_cost()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert result.recorded
        assert result.growth(EPOLL) < result.growth(POLL)
        assert finding(result).endswith("(recorded)")

    def test_a_platform_without_epoll_says_so(self, monkeypatch):
        monkeypatch.delattr(select, "epoll", raising=False)
        result = readiness_cost((10,), (SELECT, EPOLL), rounds=2)
        assert result.lacking == (EPOLL,)
        assert result.mechanisms == ((SELECT, KQUEUE) if has(KQUEUE) else (SELECT,))

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"counts": (0,)}, "counts wanted .* from 1 to 100,000"),
            ({"counts": (10, 2.5)}, "counts wanted"),
            ({"counts": (10**9,)}, "descriptors from 1 to"),
            ({"counts": (float("nan"),)}, "got nan"),
            ({"counts": ("10",)}, "got '10'"),
            ({"counts": ()}, "at least one count"),
            ({"mechanisms": ("iocp",)}, "'select', 'poll'.*got 'iocp'"),
            ({"mechanisms": ()}, "one mechanism"),
            ({"ready": -1}, "ready wanted"),
            ({"ready": True}, "ready wanted"),
            ({"rounds": 0}, "rounds wanted"),
        ],
    )
    def test_bad_arguments_are_told_at_the_call(self, settings, words):
        with pytest.raises(ValueError, match=words):
            readiness_cost_steps(**settings)


class TestSteps:
    def test_shares_rise_to_one_and_results_grow(self):
        shares, sizes = [], []
        for share, result in readiness_cost_steps((10, 100, 300), LEVEL[:2], rounds=5):
            shares.append(share)
            sizes.append(len(result.costs))
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        assert sizes == sorted(sizes)
        assert sizes[0] == 0 < sizes[-1]

    def test_closed_at_any_step_leaves_nothing(self):
        for taken in range(1, 12):
            with nothing_left():
                steps = readiness_cost_steps((10, 300), LEVEL, rounds=3)
                for _ in range(taken):
                    if next(steps, None) is None:
                        break
                steps.close()

    def test_the_repr_has_no_numbers_that_change(self):
        assert repr(readiness_cost((10,), [SELECT], rounds=2)) == "<ReadinessCost, 1 ready>"


class TestPicture:
    def test_a_line_for_each_mechanism_and_a_cross_where_it_refused(self):
        (ax,) = draw_readiness_cost(KNOWN).axes
        lines = {line.get_label(): line for line in ax.lines}
        assert list(lines[POLL].get_xdata()) == [10, 2000]
        assert list(lines[POLL].get_ydata()) == [1e-6, 1.2e-4]
        (cross,) = [line for line in ax.lines if line.get_marker() == "x"]
        assert list(cross.get_xdata()) == [2000]
        assert any("select refuses" in text.get_text() for text in ax.texts)
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")

    def test_the_title_states_the_finding(self):
        (ax,) = draw_readiness_cost(KNOWN).axes
        assert ax.get_title(loc="left") == finding(KNOWN)
        assert finding(KNOWN) == "200 × as many watched, and a call takes: poll 120 ×, epoll 1.5 ×"

    def test_a_title_and_axes_of_ones_own(self):
        from socketlab.measure import figure

        (ax,) = figure().axes
        assert draw_readiness_cost(KNOWN, title="mine", ax=ax) is ax
        assert ax.get_title(loc="left") == "mine"

    def test_nothing_measured(self):
        with pytest.raises(ValueError, match="has none"):
            draw_readiness_cost(ReadinessCost(1))
        with pytest.raises(ValueError, match="two counts or more, but there are 1"):
            KNOWN.growth(SELECT)

    @pytest.mark.parametrize(("mechanism", "words"), [(SELECT, "all 2,000"), (POLL, "all 2,000"), (EPOLL, "none: the")])
    def test_what_a_call_hands_over(self, mechanism, words):
        assert handed_over(mechanism, 2000).startswith(words)
