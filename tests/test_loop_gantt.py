"""What an event loop did: read from traces of real loops, against what is known of them; and the slow handler."""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
import time
from itertools import pairwise

import pytest
from leftovers import nothing_left

from socketlab import trace
from socketlab.experiments.waiting.loop_turns import WAITING, LoopGantt, draw_loop_gantt, finding, loop_gantt
from socketlab.experiments.waiting.slow_loop import SlowLoop, slow_loop, slow_loop_steps
from socketlab.measure import Span

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")

LIMIT = 10


@pytest.fixture(scope="module", autouse=True)
def _fonts():
    """matplotlib keeps the files of its fonts open."""
    draw_loop_gantt(KNOWN).png()


def two_turns(seconds: float) -> LoopGantt:
    """A loop over two pairs: the left of the first is served at once, that of the second after `seconds`."""
    with trace() as seen:
        first, second = socket.socketpair(), socket.socketpair()
        with selectors.DefaultSelector() as selector:
            for left, _ in (first, second):
                selector.register(left, selectors.EVENT_READ)
            for _, right in (first, second):
                right.send(b"x")
                (key,) = [key for key, _ in selector.select(LIMIT)]
                assert key.fileobj.recv(1) == b"x"
                if right is second[1]:
                    time.sleep(seconds)
                key.fileobj.send(b"y")
        for sock in (*first, *second):
            sock.close()
    return loop_gantt(seen)


class TestTurns:
    """A loop whose every step is known."""

    def test_rows_in_the_order_of_their_first_turn(self):
        # The loop serves the peer of the socket that it uses; between two turns it plays the second client itself.
        assert two_turns(0).rows[:3] == ("right 1", "left 2", "right 2")

    def test_a_turn_for_each_select(self):
        assert two_turns(0).turns == 2

    def test_what_was_slow_is_the_longest_and_has_its_time(self):
        result = two_turns(0.2)
        assert result.longest is not None
        assert result.longest.lane == "right 2"  # whom it served: the peer of the socket that it used
        assert result.longest.duration >= 0.2
        assert result.busy("right 2") >= 0.2 > result.busy("right 1")

    def test_spans_follow_one_another(self):
        result = two_turns(0.01)
        spans = sorted(result.spans, key=lambda span: span.start)
        assert all(a.end <= b.start + 1e-9 for a, b in pairwise(spans))
        assert spans[0].lane == WAITING
        assert spans[0].start == 0
        assert result.waited + sum(map(result.busy, result.rows)) <= result.seconds + 1e-9

    def test_waiting_is_blocked_and_work_is_not(self):
        for span in two_turns(0).spans:
            assert span.blocked == (span.duration if span.lane == WAITING else 0)

    def test_the_repr_has_no_times(self):
        assert repr(two_turns(0)) == repr(two_turns(0.01))


class TestWhichLoop:
    def test_nobody_called_select(self):
        with trace() as seen:
            left, right = socket.socketpair()
            left.close()
            right.close()
        with pytest.raises(ValueError, match="nobody called select"):
            loop_gantt(seen)

    def test_the_thread_that_is_named_or_the_busiest(self):
        def wait(times: int) -> None:
            left, right = socket.socketpair()
            with left, right, selectors.DefaultSelector() as selector:
                selector.register(left, selectors.EVENT_READ)
                for _ in range(times):
                    selector.select(0)

        with trace() as seen:
            wait(2)
            thread = threading.Thread(target=wait, args=(5,), name="busy")
            thread.start()
            thread.join(LIMIT)
        assert loop_gantt(seen).turns == 5
        assert loop_gantt(seen, thread="main").turns == 2
        assert loop_gantt(seen.events, thread="busy").turns == 5
        with pytest.raises(ValueError, match="thread 'idle', but they are in"):
            loop_gantt(seen, thread="idle")

    def test_asyncio_waits_unseen_and_that_is_said(self):
        async def talk() -> None:
            left, right = socket.socketpair()
            with left, right:
                left.setblocking(False)
                right.send(b"x")
                assert await asyncio.get_running_loop().sock_recv(left, 1) == b"x"

        with trace() as seen:
            asyncio.run(talk())
        with pytest.raises(ValueError, match="asyncio's own loop is not"):
            loop_gantt(seen)


@pytest.fixture(scope="module")
def slow() -> SlowLoop:
    return slow_loop(3, 2, 0.1)


class TestSlowLoop:
    def test_a_row_for_the_listener_and_each_client(self, slow):
        assert set(slow.gantt.rows) >= {"listener", "client 1", "client 2", "client 3"}
        assert repr(slow) == f"<SlowLoop, {len(slow.gantt.rows)} rows>"

    def test_the_first_client_holds_the_loop(self, slow):
        assert slow.gantt.longest.lane == "client 1"
        assert slow.gantt.busy("client 1") >= 2 * 0.1
        assert len([span for span in slow.gantt.spans if span.lane == "client 1" and span.duration >= 0.1]) == 2

    def test_what_the_others_feel(self, slow):
        assert len(slow.trips[0]) == 2
        assert [timing.label for timing in slow.trips] == ["client 1", "client 2", "client 3"]
        assert slow.trips[0].min >= 0.1

    def test_while_the_slow_one_is_served_nobody_else_is(self, slow):
        held = [span for span in slow.gantt.spans if span.lane == "client 1" and span.duration >= 0.1]
        for other in slow.gantt.spans:
            for span in held:
                assert other is span or other.end <= span.start + 1e-9 or other.start >= span.end - 1e-9

    def test_each_wait_is_a_round_trip(self, slow):
        """What the trace tells of the clients is what they have measured themselves, and a little less or more."""
        for timing in slow.trips:
            waits = [wait.duration for wait in slow.waits if wait.lane == timing.label]
            assert len(waits) == len(timing.samples)
        assert len(slow.others) == sum(len(timing.samples) for timing in slow.trips[1:])

    def test_a_wait_ends_after_the_loop_has_worked_for_it(self, slow):
        """One clock, one axis: in each wait of the slow client lies one of its long bars."""
        held = [span for span in slow.gantt.spans if span.lane == "client 1" and span.duration >= 0.1]
        waits = [wait for wait in slow.waits if wait.lane == "client 1"]
        assert len(waits) == len(held)
        for wait, bar in zip(waits, held, strict=True):
            assert wait.start <= bar.start + 0.1  # it may have been served before the clock was read
            assert bar.start <= wait.end

    def test_shares_rise_to_one(self):
        shares = [share for share, _ in slow_loop_steps(2, 2, 0.02)]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0

    def test_closed_at_any_step_leaves_nothing(self):
        for taken in range(1, 5):
            with nothing_left():
                steps = slow_loop_steps(3, 3, 0.05)
                for _ in range(taken):
                    next(steps)
                steps.close()

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"clients": 0}, "clients wanted .* from 1 to 20"),
            ({"messages": 101}, "messages wanted"),
            ({"slow": 2}, "slow wanted a number of seconds from 0 to 1"),
            ({"slow": float("nan")}, "slow wanted"),
            ({"slow": "long"}, "got 'long'"),
        ],
    )
    def test_bad_arguments_are_told_at_the_call(self, settings, words):
        with pytest.raises(ValueError, match=words):
            slow_loop_steps(**settings)


KNOWN = LoopGantt(
    (
        Span(WAITING, "", 0, 0.01, True), Span("listener", "", 0.01, 0.011), Span("client 1", "", 0.011, 0.061),
        Span("client 2", "", 0.061, 0.062), Span(WAITING, "", 0.062, 0.07, True),
    ),
    2,
)  # fmt: skip


class TestPicture:
    def test_a_row_each_and_a_bar_each_time(self):
        (ax,) = draw_loop_gantt(KNOWN).axes
        assert [label.get_text() for label in ax.get_yticklabels()] == [WAITING, "listener", "client 1", "client 2"]
        assert len(ax.collections) == len(KNOWN.spans)
        assert [text.get_text() for text in ax.texts] == ["50 ms"]
        assert ax.get_xlim() == (0, 0.07)

    def test_the_title_states_the_finding(self):
        (ax,) = draw_loop_gantt(KNOWN).axes
        assert ax.get_title(loc="left") == finding(KNOWN) == "client 1 holds the loop for 50 ms, and another one waits"

    def test_a_loop_that_waits(self):
        idle = LoopGantt((Span(WAITING, "", 0, 1, True), Span("client", "", 1, 1.001)), 1)
        assert finding(idle) == "The loop waits for 100 % of the time, and keeps nobody waiting"
        assert finding(LoopGantt()) == "The loop waits, and nobody wants anything"

    def test_its_height_depends_on_the_rows_alone(self):
        more = LoopGantt((*KNOWN.spans, Span("client 2", "", 0.1, 0.2)), 3)
        assert list(draw_loop_gantt(more).get_size_inches()) == list(draw_loop_gantt(KNOWN).get_size_inches())

    def test_more_rows_than_colours(self):
        spans = tuple(Span(f"client {n}", "", n, n + 0.5) for n in range(20))
        (ax,) = draw_loop_gantt(LoopGantt(spans, 20)).axes
        assert len(ax.collections) == 20

    def test_axes_of_ones_own(self):
        from socketlab.measure import figure

        (ax,) = figure().axes
        assert draw_loop_gantt(KNOWN, title="mine", ax=ax) is ax

    def test_nothing_to_draw(self):
        with pytest.raises(ValueError, match="at least one turn"):
            draw_loop_gantt(LoopGantt())
