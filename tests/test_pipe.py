"""One direction of a link without sockets: what leaves is a prefix of what came, whatever is wrong and whenever."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socketlab.links.chance import draw, seed_of
from socketlab.links.faults import BothWays, DatagramFaults, StreamFaults
from socketlab.links.pipe import BUFFER, CLOSE, GO_ON, NEVER, PIECES, RESET, SEGMENT, Pipe
from socketlab.links.presets import PRESETS

QUIET = settings(deadline=None, max_examples=120)


def pipe_with(seed=0, now=0.0, **faults) -> Pipe:
    own = StreamFaults()
    own.set(**faults)
    return Pipe(own, seed, now)


def drain(pipe, now, most=10**6) -> list[bytes]:
    """Everything that may leave at `now`, piece by piece."""
    pieces = []
    while len(pieces) < most and (data := pipe.leaving(now)) is not None:
        pieces.append(bytes(data))
        pipe.left(len(data), now)
    return pieces


def run(pipe, now=0.0, until=1e6) -> list[tuple[float, bytes]]:
    """Wake whenever the pipe asks for it: when what left, until nothing is due or the connection is over."""
    left = []
    while pipe.verdict(now) == GO_ON:
        left += [(now, piece) for piece in drain(pipe, now)]
        if pipe.finished(now):
            pipe.over = True
        when = pipe.wake_at()
        if when > until:
            break
        assert when > now or pipe.verdict(now) != GO_ON, "it asks to be woken for nothing"
        now = when
    return left


def joined(left) -> bytes:
    return b"".join(piece for _, piece in left)


def numbered(size: int) -> bytes:
    """Bytes whose order shows."""
    return bytes((n * 7 + n // 251) % 256 for n in range(size))


class TestChance:
    def test_the_same_seed_and_number_give_the_same(self):
        assert [draw(5, n) for n in (3, 1, 2)] == [draw(5, 3), draw(5, 1), draw(5, 2)]

    def test_it_is_splitmix64(self):
        # The first outputs for seed 1234567, as published with the algorithm's reference implementation.
        assert [int(draw(1234567, n) * 2**53) for n in range(2)] == [
            6457827717110365317 >> 11,
            3203168211198807973 >> 11,
        ]

    def test_it_is_even(self):
        tenths = [0] * 10
        for n in range(10_000):
            tenths[int(draw(42, n) * 10)] += 1
        assert all(850 < count < 1150 for count in tenths)  # five standard deviations

    def test_seeds_differ(self):
        assert len({seed_of(0, n, way) for n in range(100) for way in ("up", "down")}) == 200


class TestFaults:
    KINDS = (StreamFaults, DatagramFaults)

    @pytest.mark.parametrize("kind", KINDS)
    def test_nothing_is_wrong_at_first(self, kind):
        faults = kind()
        assert faults.perfect
        assert repr(faults) == "<nothing wrong>"
        assert faults.as_dict() == {name: value for name, (_, value) in kind.CHECKS.items()}

    @pytest.mark.parametrize("bad", [-1, -0.001, math.nan, math.inf, -math.inf, 1e13, 10**400, "0.2", b"1", True, [1]])
    @pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in kind.CHECKS])
    def test_bad_values_are_refused_with_name_and_range(self, kind, name, bad):
        faults = kind()
        with pytest.raises(ValueError, match=f"^{name} must be a .*number.* from .* to .*, not ") as caught:
            setattr(faults, name, bad)
        if kind is StreamFaults and name not in ("bandwidth", "slice_size", "slice_variation", "limit_data"):
            assert "seconds" in str(caught.value)
        assert faults.perfect

    def test_none_is_refused_where_it_means_nothing(self):
        for name in ("latency", "jitter", "slice_variation", "slice_delay", "slow_close"):
            with pytest.raises(ValueError, match=name):
                StreamFaults().set(**{name: None})

    def test_a_name_that_does_not_exist(self):
        with pytest.raises(AttributeError, match="no fault 'latencey'; there are: latency, jitter"):
            StreamFaults().latencey = 1
        with pytest.raises(AttributeError, match="no fault 'loss'"):
            _ = StreamFaults().loss

    def test_all_or_none(self):
        faults = StreamFaults()
        with pytest.raises(ValueError, match="jitter"):
            faults.set(latency=0.1, jitter=-1)
        assert faults.perfect

    def test_a_change_is_heard(self):
        heard = []
        faults = StreamFaults(changed=lambda: heard.append(1))
        faults.latency = 0.1
        faults.clear()
        assert heard == [1, 1]

    def test_what_is_not_set_is_the_parents(self):
        link = StreamFaults()
        own = StreamFaults(link)
        link.latency, own.jitter = 0.2, 0.1
        assert own.as_dict() | {"latency": 0.2, "jitter": 0.1} == own.as_dict()
        own.latency = 0
        link.latency = 0.3
        assert own.latency == 0
        own.clear()
        assert own.latency == 0.3
        assert own.jitter == 0

    def test_both_ways(self):
        both = BothWays()
        both.up, both.down = StreamFaults(), StreamFaults()
        both.latency = 0.2
        assert (both.up.latency, both.down.latency, both.latency) == (0.2, 0.2, 0.2)
        both.up.latency = 0.1
        assert both.latency == (0.1, 0.2)
        with pytest.raises(AttributeError, match="no fault 'latencey'"):
            both.latencey = 1
        with pytest.raises(AttributeError, match="no fault 'latencey'"):
            _ = both.latencey
        both.clear()
        assert both.latency == 0

    @pytest.mark.parametrize("name", PRESETS)
    def test_ready_made_ones_can_be_set(self, name):
        preset = PRESETS[name]
        assert preset.source.endswith(".")
        for way in ("up", "down"):
            wanted = {key: value for key, value in preset.items() if key not in ("up", "down")}
            faults = StreamFaults()
            faults.set(**wanted, **preset.get(way, {}))
            assert faults.perfect == (name == "loopback")
        DatagramFaults().set(**preset.datagrams)


class TestPipe:
    def test_without_faults_all_of_it_at_once(self):
        pipe = pipe_with()
        pipe.take(b"hello ", 1.0)
        pipe.take(b"world", 1.5)
        assert drain(pipe, 1.5) == [b"hello ", b"world"]
        assert (pipe.taken, pipe.passed, pipe.pending) == (11, 11, 0)
        assert pipe.wake_at() == NEVER

    def test_latency(self):
        pipe = pipe_with(latency=0.2)
        pipe.take(b"a", 1.0)
        assert pipe.wake_at() == pytest.approx(1.2)
        assert pipe.leaving(1.19) is None
        assert drain(pipe, 1.2) == [b"a"]

    def test_a_change_counts_for_what_waits(self):
        pipe = pipe_with(latency=100)
        pipe.take(b"a", 0.0)
        pipe.faults.latency = 1
        pipe.look(0.5)
        assert pipe.leaving(0.9) is None
        assert drain(pipe, 1.0) == [b"a"]

    def test_jitter_stays_within_and_keeps_the_order(self):
        pipe = pipe_with(latency=0.1, jitter=0.05)
        data = numbered(50 * SEGMENT)
        pipe.take(data, 0.0)
        left = run(pipe)
        assert joined(left) == data
        times = [when for when, _ in left]
        assert times == sorted(times)
        assert 0.05 <= min(times) < 0.1 < max(times) <= 0.15

    def test_jitter_larger_than_latency_is_never_early(self):
        pipe = pipe_with(latency=0.01, jitter=1)
        pipe.take(numbered(20 * SEGMENT), 5.0)
        assert min(when for when, _ in run(pipe, 5.0)) >= 5.0

    @pytest.mark.parametrize("rate", [1, 100, 10_000, 1e6, 1e8])
    def test_bandwidth(self, rate):
        pipe = pipe_with(bandwidth=rate)
        size = max(2, int(rate)) if rate < 1e6 else BUFFER
        pipe.take(bytes(size), 10.0)
        last = run(pipe, 10.0)[-1]
        assert last[0] - 10.0 == pytest.approx((size - len(last[1])) / rate, rel=0.01, abs=0.001)

    def test_a_late_wake_up_is_made_up_for_and_a_pause_is_not(self):
        pipe = pipe_with(bandwidth=1000)
        pipe.take(bytes(2000), 0.0)
        assert len(b"".join(drain(pipe, 0.04))) == pytest.approx(40, abs=6)
        assert len(b"".join(drain(pipe, 1.5))) == pytest.approx(55, abs=6)  # 50 ms of the pause, not all of it

    def test_a_faster_link_counts_at_once(self):
        pipe = pipe_with(bandwidth=1)
        pipe.take(bytes(100), 0.0)
        drain(pipe, 0.0)
        pipe.faults.bandwidth = 1e6
        pipe.look(0.001)
        assert len(joined(run(pipe, 0.001, until=0.01))) == 99

    def test_slices(self):
        pipe = pipe_with(slice_size=10)
        pipe.take(numbered(35), 0.0)
        assert [len(piece) for piece in drain(pipe, 0.0)] == [10, 10, 10, 5]

    def test_slices_differ(self):
        pipe = pipe_with(slice_size=10, slice_variation=5)
        pipe.take(numbered(10_000), 0.0)
        sizes = {len(piece) for piece in drain(pipe, 0.0)[:-1]}
        assert sizes == set(range(5, 16))

    def test_slices_are_never_empty(self):
        pipe = pipe_with(slice_size=1, slice_variation=50)
        pipe.take(numbered(1000), 0.0)
        assert min(len(piece) for piece in drain(pipe, 0.0)) == 1

    def test_slice_delay(self):
        pipe = pipe_with(slice_size=10, slice_delay=0.5)
        pipe.take(numbered(30), 0.0)
        assert [when for when, _ in run(pipe)] == pytest.approx([0.0, 0.5, 1.0])

    def test_limit_data(self):
        pipe = pipe_with(limit_data=5)
        pipe.take(b"abc", 0.0)
        assert drain(pipe, 0.0) == [b"abc"]
        assert pipe.verdict(0.0) == GO_ON
        pipe.take(b"defgh", 0.0)
        assert drain(pipe, 0.0) == [b"de"]
        assert pipe.verdict(0.0) == CLOSE

    def test_limit_data_of_nothing(self):
        pipe = pipe_with(limit_data=0)
        assert pipe.verdict(0.0) == GO_ON
        pipe.take(b"a", 0.0)
        assert drain(pipe, 0.0) == []
        assert pipe.verdict(0.0) == CLOSE

    def test_the_end_comes_behind_what_waits(self):
        pipe = pipe_with(latency=1)
        pipe.take(b"a", 0.0)
        pipe.end(0.5)
        assert not pipe.finished(1.2)
        drain(pipe, 1.2)
        assert not pipe.finished(1.2)
        assert pipe.wake_at() == 1.5
        assert pipe.finished(1.5)

    def test_slow_close(self):
        pipe = pipe_with(slow_close=3)
        pipe.end(1.0)
        assert (pipe.finished(3.9), pipe.finished(4.0)) == (False, True)

    def test_the_end_is_passed_on_once(self):
        pipe = pipe_with()
        pipe.end(0.0)
        assert pipe.finished(0.0)
        pipe.over = True
        assert (pipe.finished(9.0), pipe.wake_at()) == (False, NEVER)

    def test_timeout_swallows_and_closes(self):
        pipe = pipe_with(timeout=2, now=1.0)
        pipe.take(b"abc", 1.5)
        assert (pipe.leaving(2.0), pipe.swallowed, pipe.pending, pipe.wake_at()) == (None, 3, 0, 3.0)
        assert (pipe.verdict(2.9), pipe.verdict(3.0)) == (GO_ON, CLOSE)

    def test_timeout_of_zero_never_closes(self):
        pipe = pipe_with(timeout=0)
        pipe.take(b"abc", 0.0)
        pipe.end(1.0)
        assert (pipe.wake_at(), pipe.verdict(1e9), pipe.finished(1e9)) == (NEVER, GO_ON, False)

    def test_timeout_taken_away_after_it_swallowed(self):
        pipe = pipe_with(timeout=0)
        pipe.take(b"abc", 0.0)
        pipe.faults.timeout = None
        pipe.look(1.0)
        pipe.take(b"def", 1.0)
        assert pipe.leaving(1.0) is None
        assert pipe.verdict(1.0) == RESET

    def test_timeout_taken_away_before_it_swallowed(self):
        pipe = pipe_with(timeout=0)
        pipe.faults.timeout = None
        pipe.look(1.0)
        pipe.take(b"def", 1.0)
        assert drain(pipe, 1.0) == [b"def"]
        assert pipe.verdict(1.0) == GO_ON

    def test_reset_peer(self):
        pipe = pipe_with(now=10.0)
        pipe.faults.reset_peer = 2
        pipe.look(11.0)
        pipe.look(12.0)  # another change does not start it anew
        assert pipe.wake_at() == 13.0
        assert (pipe.verdict(12.9), pipe.verdict(13.0)) == (GO_ON, RESET)

    def test_room_is_bounded(self):
        pipe = pipe_with(latency=10)
        assert pipe.room == BUFFER
        pipe.take(bytes(BUFFER - 1), 0.0)
        assert pipe.room == 1
        pipe.take(b"x", 0.0)
        assert pipe.room == 0
        drain(pipe, 10.0)
        assert pipe.room == BUFFER
        pipe.end(10.0)
        assert pipe.room == 0

    def test_pieces_are_bounded(self):
        pipe = pipe_with(latency=10)
        for _ in range(PIECES):
            pipe.take(b"x", 0.0)
        assert pipe.room == 0

    def test_with_nothing_wrong_a_slow_receiver_stops_the_sender_at_once(self):
        pipe = pipe_with()
        pipe.take(b"x", 0.0)
        assert pipe.room == 0

    def test_discarded_is_accounted_for(self):
        pipe = pipe_with(latency=10)
        pipe.take(b"abc", 0.0)
        pipe.discard()
        assert (pipe.taken, pipe.passed, pipe.pending, pipe.discarded) == (3, 0, 0, 3)

    def test_blocked(self):
        pipe = pipe_with()
        pipe.take(b"x", 0.0)
        assert (pipe.wake_at(), pipe.wake_at(blocked=True)) == (0.0, NEVER)


seconds = st.sampled_from([0, 0, 0.001, 0.05, 1, 30]) | st.floats(0, 2)
fault = (
    st.tuples(st.sampled_from(["latency", "jitter", "slice_delay", "slow_close"]), seconds)
    | st.tuples(st.just("bandwidth"), st.none() | st.floats(1, 1e7))
    | st.tuples(st.just("slice_size"), st.none() | st.integers(1, 5000))
    | st.tuples(st.just("slice_variation"), st.integers(0, 5000))
    | st.tuples(st.just("limit_data"), st.none() | st.integers(0, 20_000))
    | st.tuples(st.sampled_from(["timeout", "reset_peer"]), st.none() | seconds)
)
gentle = fault.filter(lambda one: one[0] not in ("timeout", "reset_peer", "limit_data", "bandwidth"))


def schedules(of):
    """What happens, one after the other: data of so many bytes, a change of a fault, time that passes."""
    return st.lists(
        st.tuples(st.just("data"), st.integers(1, 4000))
        | st.tuples(st.just("fault"), of)
        | st.tuples(st.just("time"), st.floats(0, 3)),
        max_size=30,
    )


class Driver:
    """Plays a schedule on a pipe as a relay would, its receiver taking `most` bytes at a time, or nothing."""

    def __init__(self, seed=0, most=10**9):
        self.pipe, self.now, self.most = Pipe(StreamFaults(), seed, 0.0), 0.0, most
        self.sent, self.came = b"", b""
        self.over = False

    def settle(self):
        for _ in range(100_000):
            pipe = self.pipe
            assert pipe.taken == pipe.passed + pipe.pending + pipe.swallowed + pipe.discarded
            if pipe.verdict(self.now) != GO_ON:
                self.over = True
                return
            data = pipe.leaving(self.now)
            if data is None:
                return
            part = bytes(data[: self.most])
            self.came += part
            pipe.left(len(part), self.now)
        raise AssertionError("it never comes to rest")

    def play(self, schedule):
        for what, value in schedule:
            if self.over:
                return
            if what == "data":
                data = numbered(len(self.sent) + value)[len(self.sent) :]
                self.sent += data
                self.pipe.take(data, self.now)
            elif what == "fault":
                self.pipe.faults.set(**dict([value]))
                self.pipe.look(self.now)
            else:
                self.now += value
            self.settle()

    def finish(self):
        """End the stream and wait, as long as it asks for."""
        self.pipe.end(self.now)
        for _ in range(200_000):
            self.settle()
            when = self.pipe.wake_at()
            if self.over or when == NEVER or self.pipe.finished(self.now):
                return
            assert when >= 0
            self.now = max(when, self.now)
        raise AssertionError("it never ends")


class TestAnyFaults:
    @QUIET
    @given(schedules(fault), st.integers(0, 3), st.sampled_from([1, 7, 10**9]))
    def test_what_leaves_is_a_prefix_of_what_came(self, schedule, seed, most):
        driver = Driver(seed, most)
        driver.play(schedule)
        assert driver.sent.startswith(driver.came)
        assert driver.pipe.passed == len(driver.came)

    @QUIET
    @given(schedules(gentle), st.integers(0, 3))
    def test_faults_that_lose_nothing_lose_nothing(self, schedule, seed):
        driver = Driver(seed)
        driver.play(schedule)
        driver.finish()
        assert driver.came == driver.sent
        assert driver.pipe.finished(driver.now)

    @QUIET
    @given(st.lists(st.integers(1, 5000), max_size=20))
    def test_without_faults_all_of_it(self, sizes):
        driver = Driver()
        driver.play([("data", size) for size in sizes])
        assert driver.came == driver.sent

    @QUIET
    @given(
        st.integers(1, 2000),
        st.integers(0, 2000),
        st.lists(st.integers(1, 8000), min_size=1, max_size=10),
        st.integers(0, 2**64),
    )
    def test_the_same_seed_gives_the_same_however_reads_are_coalesced(self, size, variation, reads, seed):
        data = numbered(sum(reads))
        faults = {"slice_size": size, "slice_variation": variation, "slice_delay": 0.01, "latency": 1, "jitter": 0.3}
        whole, parts = pipe_with(seed, **faults), pipe_with(seed, **faults)
        whole.take(data, 0.0)
        offset = 0
        for read in reads:
            parts.take(data[offset : offset + read], 0.0)
            offset += read

        def pieces(pipe) -> list[tuple[float, int]]:
            """When each byte left, as the times at which something left and how much had left by then."""
            passed, found = 0, {}
            for when, piece in run(pipe):
                passed += len(piece)
                found[round(when, 9)] = passed
            return sorted(found.items())

        assert pieces(whole) == pieces(parts)
