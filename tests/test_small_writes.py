"""Small writes: who waits, which remedies end it, what the kernel says went out, and what is left after a stop."""

from __future__ import annotations

import socket
import sys
from itertools import pairwise
from statistics import median

import pytest
from leftovers import nothing_left

from socketlab.experiments.streams import nagle as module
from socketlab.experiments.streams.nagle import (
    WAYS,
    SmallWrites,
    Way,
    draw_small_writes,
    small_writes,
    small_writes_steps,
)
from socketlab.experiments.streams.two_writes import ONE_WRITE, REMEDIES, TWO_WRITES, Exchange, missing

linux = pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO and the delay of 40 ms are Linux's")
SLOW = Exchange(0.044, 1e-5, 2e-5, 3e-5, 0.0439, 2, 100)
QUICK = Exchange(4e-5, 1e-5, 2e-5, 3e-5, 3.5e-5, 1, 0)


@pytest.fixture(scope="module")
def measured() -> SmallWrites:
    return small_writes(exchanges=5)


@linux
class TestWays:
    """Each way on real sockets. The wait is 40 ms by the kernel's own constant, everything else a thousandth of it."""

    def test_two_writes_wait_for_the_delayed_acknowledgement(self, measured):
        way = measured[TWO_WRITES]
        assert way.waits
        assert way.timing.min >= 0.02
        assert median(exchange.held for exchange in way.exchanges) == 100

    @pytest.mark.parametrize("remedy", REMEDIES)
    def test_each_remedy_ends_the_wait(self, measured, remedy):
        assert measured[remedy].timing.faster_than(measured[TWO_WRITES].timing, times=3)
        assert not measured[remedy].waits

    @pytest.mark.parametrize(
        ("way", "segments"),
        [(TWO_WRITES, 2), ("TCP_NODELAY", 2), ("TCP_QUICKACK", 2), ("TCP_CORK", 1), ("MSG_MORE", 1), (ONE_WRITE, 1)],
    )
    def test_segments_on_the_wire(self, measured, way, segments):
        assert measured[way].segments == segments

    def test_the_body_waits_at_the_client_and_not_on_the_way(self, measured):
        one = measured[TWO_WRITES].typical
        assert max(one.written, one.heard) < one.complete / 2 < one.complete < one.latency

    def test_warmed_up_until_something_waited(self, measured):
        way = measured[TWO_WRITES]
        assert way.warmup[-1].held
        assert not any(exchange.held for exchange in way.warmup[:-1])

    def test_a_machine_that_paused_did_not_wait_for_an_acknowledgement(self):
        paused = QUICK._replace(latency=0.026)
        assert not module._has_waited(paused)
        assert module._has_waited(paused._replace(held=None)), "the time is all that other systems tell"
        assert module._has_waited(SLOW)

    def test_a_body_that_fills_a_segment_need_not_wait(self):
        way = small_writes(TWO_WRITES, body=200_000, exchanges=5)[TWO_WRITES]
        assert not way.waits
        assert way.segments > 2

    def test_remedies_together(self):
        result = small_writes("TCP_NODELAY + TCP_QUICKACK", "TCP_CORK + one write", exchanges=3)
        assert [way.segments for way in result.ways] == [2, 1]
        assert not any(way.waits for way in result.ways)


class TestSteps:
    def test_every_step_is_a_result_and_shares_ascend(self):
        steps = list(small_writes_steps("TCP_NODELAY", ONE_WRITE, exchanges=4))
        shares = [share for share, _ in steps]
        assert shares == sorted(shares)
        assert (shares[0], shares[-1]) == (0.0, 1.0)
        counts = [sum(len(way.exchanges) for way in result.ways) for _, result in steps]
        assert all(b - a in (0, 1) for a, b in pairwise(counts))
        assert counts[-1] == 8
        assert [len(timing) for timing in steps[-1][1].timings] == [4, 4]

    @pytest.mark.parametrize("after", [1, 2, 30])
    def test_closed_at_any_step_nothing_is_left(self, after):
        with nothing_left():
            steps = small_writes_steps("TCP_NODELAY", ONE_WRITE, exchanges=10)
            for _ in range(after):
                next(steps)
            steps.close()

    @pytest.mark.parametrize(
        ("ways", "sizes", "words"),
        [
            (("nodelay",), {}, "'nodelay'"),
            ((7,), {}, "not 7"),
            (("MSG_MORE + one write",), {}, "nothing more comes"),
            ((), {"header": 0}, "header wanted a whole number of bytes from 1 to 1,000,000, but got 0"),
            ((), {"body": -1}, "body wanted"),
            ((), {"body": 2_000_000}, "body wanted"),
            ((), {"header": 1.5}, "header wanted"),
            ((), {"body": float("nan")}, "body wanted"),
            ((), {"exchanges": 0}, "exchanges wanted a whole number of exchanges from 1 to 1,000, but got 0"),
        ],
    )
    def test_bad_arguments_are_refused_when_called(self, ways, sizes, words):
        with pytest.raises(ValueError, match=words):
            small_writes_steps(*ways, **sizes)

    def test_what_a_system_lacks_is_said_and_left_out(self, monkeypatch):
        for name in ("TCP_CORK", "MSG_MORE", "TCP_QUICKACK", "TCP_INFO"):
            monkeypatch.delattr(socket, name, raising=False)
        result = small_writes("TCP_CORK", "MSG_MORE + TCP_NODELAY", ONE_WRITE, exchanges=2)
        assert result.lacking == ("TCP_CORK", "MSG_MORE + TCP_NODELAY")
        assert [way.label for way in result.ways] == [ONE_WRITE]
        assert result[ONE_WRITE].segments is None
        assert result[ONE_WRITE].exchanges[0].held is None
        assert missing(frozenset({"TCP_CORK", ONE_WRITE})) == ["TCP_CORK"]
        assert small_writes("TCP_CORK", exchanges=2).ways == ()

    def test_repr_tells_no_times(self, measured):
        assert repr(measured) == f"<SmallWrites of 12 B + 100 B: {', '.join(WAYS)}>"
        assert repr(measured.ways[0]) == "<two writes: 5 exchanges>"

    def test_a_way_that_was_not_measured(self, measured):
        with pytest.raises(KeyError, match="TCP_NODELAY \\+ TCP_CORK"):
            measured["TCP_NODELAY + TCP_CORK"]

    def test_a_way_without_exchanges_has_no_middle(self):
        with pytest.raises(ValueError, match="not been measured"):
            _ = Way("one write", (), ()).typical


class TestPicture:
    def test_a_row_for_each_way_and_a_dot_for_each_exchange(self):
        result = SmallWrites(12, 100, (Way(TWO_WRITES, (), (SLOW,) * 3), Way(ONE_WRITE, (), (QUICK,) * 4)))
        picture = draw_small_writes(result)
        (ax,) = picture.axes
        assert [len(line.get_xdata()) for line in ax.lines] == [3, 4]
        assert [label.get_text() for label in ax.get_yticklabels()] == [TWO_WRITES, ONE_WRITE]
        assert [text.get_text() for text in ax.texts] == ["2 segments, held back", "1 segment"]
        assert ax.get_title(loc="left") == "Two small writes wait 44 ms for an acknowledgement"
        assert ax.get_xscale() == "log"

    @pytest.mark.parametrize(
        ("ways", "title"),
        [
            ([(TWO_WRITES, QUICK)], "Nobody waits for an acknowledgement: 40 µs at most"),
            ([("TCP_CORK", SLOW), (ONE_WRITE, QUICK)], "TCP_CORK waits 44 ms for an acknowledgement"),
            ([(TWO_WRITES, SLOW), ("MSG_MORE", SLOW)], "2 ways wait 44 ms for an acknowledgement"),
        ],
    )
    def test_the_title_says_what_was_found(self, ways, title):
        result = SmallWrites(12, 100, tuple(Way(label, (), (one,)) for label, one in ways))
        assert draw_small_writes(result).axes[0].get_title(loc="left") == title

    def test_into_axes_of_yours_under_a_title_of_yours(self):
        from socketlab.measure import figure

        (ax,) = figure().axes
        result = SmallWrites(12, 100, (Way(TWO_WRITES, (), (SLOW,)),))
        assert draw_small_writes(result, title="Mine", ax=ax) is ax
        assert ax.get_title(loc="left") == "Mine"

    def test_nothing_measured_nothing_drawn(self):
        with pytest.raises(ValueError, match="at least one exchange"):
            draw_small_writes(SmallWrites(12, 100, (Way(TWO_WRITES, (SLOW,), ()),)))


def test_measuring_imports_no_matplotlib():
    assert not any(name.startswith(("matplotlib", "ipywidgets")) for name in vars(module))
