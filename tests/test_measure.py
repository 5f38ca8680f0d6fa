"""Timings and what is measured over real sockets: percentiles, round trips, rates, one CPU, spans."""

from __future__ import annotations

import math
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import until

from socketlab.handlers import discard, echo
from socketlab.measure import (
    PeerError,
    Rate,
    Span,
    Stopwatch,
    Timing,
    bytes_text,
    connect_rate,
    measure,
    one_cpu,
    round_trips,
    seconds_text,
    throughput,
)
from socketlab.servers import tcp_server, tls_server, unix_server

LIMIT = 10  # s: every wait of these tests ends by then, with an error
needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no /proc here to count descriptors in")
durations = st.floats(min_value=0, max_value=1e4, allow_nan=False)


@pytest.fixture(params=["ipv4", "ipv6", "unix"])
def serve(request, has_ipv6):
    """A function that starts a server of one kind for a handler."""
    if request.param == "unix":
        if not hasattr(socket, "AF_UNIX"):
            pytest.skip("no Unix sockets here")
        return unix_server
    if request.param == "ipv6" and not has_ipv6:
        pytest.skip("::1 cannot be bound here")
    return lambda handler: tcp_server(handler, host="::1" if request.param == "ipv6" else "127.0.0.1")


def connect(server) -> socket.socket:
    sock = socket.socket(server.family)
    sock.settimeout(LIMIT)
    sock.connect(server.address)
    return sock


def secured(server):
    return server.client_context.wrap_socket(connect(server), server_hostname="localhost")


def silent(conn):
    """Read and never answer."""
    while conn.recv(65536):
        pass


def closer(conn):
    """Echo two bytes, close at the third."""
    for _ in range(2):
        conn.sendall(conn.recv(1))
    conn.recv(1)


def upper(conn):
    while data := conn.recv(65536):
        conn.sendall(data.upper())


def drip(conn):
    """Echo byte by byte."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    while data := conn.recv(65536):
        for i in range(len(data)):
            conn.sendall(data[i : i + 1])


class TestTiming:
    @given(st.lists(durations, min_size=1), st.sampled_from([0, 1, 5, 25, 50, 75, 90, 95, 99, 99.9, 100]))
    def test_percentile_is_the_smallest_sample_that_q_percent_do_not_exceed(self, samples, q):
        share = Fraction(str(q)) / 100
        naive = min(x for x in samples if sum(y <= x for y in samples) >= share * len(samples))
        assert Timing(tuple(samples)).percentile(q) == naive

    @given(st.lists(durations, min_size=1))
    def test_percentiles_are_numpys_inverted_cdf(self, samples):
        timing = Timing(tuple(samples))
        for q, value in ((50, timing.p50), (90, timing.p90), (99, timing.p99)):
            assert value == numpy.percentile(samples, q, method="inverted_cdf")

    @pytest.mark.parametrize(("q", "n", "rank"), [(7, 100, 7), (99.9, 1000, 999), (55, 100, 55), (0, 3, 1), (34, 3, 2)])
    def test_rank_is_not_one_off_where_floating_point_would_round_up(self, q, n, rank):
        assert Timing(tuple(float(i) for i in range(1, n + 1))).percentile(q) == rank

    @given(st.lists(durations, min_size=1))
    def test_order(self, samples):
        timing = Timing(tuple(samples))
        assert timing.min <= timing.p50 <= timing.p90 <= timing.p99 <= timing.max
        assert timing.samples == tuple(samples)  # as measured, not sorted
        assert {timing.min, timing.p50, timing.p90, timing.p99, timing.max} <= set(samples)
        assert timing.mean == pytest.approx(sum(samples) / len(samples))
        assert len(timing) == len(samples)

    @given(st.lists(durations, min_size=1))
    def test_ecdf(self, samples):
        x, y = Timing(tuple(samples)).ecdf()
        assert list(x) == sorted(samples)
        assert y[-1] == 1
        assert all(share == pytest.approx((i + 1) / len(samples)) for i, share in enumerate(y))

    @pytest.mark.parametrize("n", [1, 10, 99])
    def test_p99_of_few_samples_is_their_maximum_and_the_summary_says_so(self, n):
        timing = Timing(tuple(float(i) for i in range(n)))
        assert timing.p99 == timing.max
        assert "p99 needs 100" in timing.summary()

    def test_p99_of_a_hundred_samples_is_not_their_maximum(self):
        timing = Timing(tuple(float(i) for i in range(1, 101)))
        assert (timing.p99, timing.max) == (99, 100)
        assert "needs" not in timing.summary()

    def test_frozen(self):
        timing = Timing((1.0,), "x")
        with pytest.raises(AttributeError):
            timing.label = "y"

    @pytest.mark.parametrize("bad", [(), (-1.0,), (math.nan,), (math.inf,)], ids=["none", "negative", "nan", "inf"])
    def test_what_is_no_duration_is_refused(self, bad):
        with pytest.raises(ValueError, match="a Timing wanted"):
            Timing(bad)

    @pytest.mark.parametrize("q", [-1, 101, math.nan])
    def test_percentile_out_of_range(self, q):
        with pytest.raises(ValueError, match="from 0 to 100"):
            Timing((1.0,)).percentile(q)

    def test_comparison(self):
        fast, slow = Timing((1.0, 2.0, 3.0)), Timing((10.0, 20.0, 30.0))
        assert slow.ratio(fast) == 10
        assert slow.ratio(fast, q=99) == 10
        assert fast.faster_than(slow)
        assert fast.faster_than(slow, times=9.9)
        assert not fast.faster_than(slow, times=10)
        assert not slow.faster_than(fast)

    @given(st.lists(durations, min_size=2, max_size=2))
    def test_repr_holds_no_time(self, samples):
        assert repr(Timing(tuple(samples), "round trip 1 B")) == "<Timing round trip 1 B, 2 samples>"

    def test_str_holds_the_times_with_units(self):
        timing = Timing((0.00002,) * 150 + (0.0031,) * 50, "round trip 1 B")
        assert str(timing) == "round trip 1 B: p50 20 µs, p90 3.1 ms, p99 3.1 ms, max 3.1 ms (200 samples)"
        assert str(Timing((2.0,))) == "p50 2 s, p90 2 s, max 2 s (1 sample; p99 needs 100)"


class TestUnits:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0 ns"), (3e-10, "0.3 ns"), (4.2e-8, "42 ns"), (2.134e-05, "21.3 µs"), (1e-4, "100 µs"),
            (9.9996e-4, "1 ms"), (0.5, "500 ms"), (0.99999, "1 s"), (1.25, "1.25 s"), (12345, "12,300 s"),
            (-0.002, "-2 ms"),
        ],
    )  # fmt: skip
    def test_seconds(self, seconds, text):
        assert seconds_text(seconds) == text

    @given(st.floats(min_value=1e-9, max_value=1e3))
    def test_seconds_read_back(self, seconds):
        number, unit = seconds_text(seconds).replace(",", "").split()
        back = float(number) * {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]
        assert back == pytest.approx(seconds, rel=0.0051)
        assert unit == "s" or float(number) < 1000

    @pytest.mark.parametrize(
        ("count", "text"),
        [(1, "1 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (65536, "64 KiB"), (2**30, "1 GiB")],
    )
    def test_bytes(self, count, text):
        assert bytes_text(count) == text


class TestMeasure:
    def test_calls_warmup_and_rounds(self):
        calls = []
        timing = measure(lambda: calls.append(None), rounds=7, warmup=3, label="append")
        assert (len(timing), len(calls), timing.label) == (7, 10, "append")

    def test_a_sample_lasts_as_long_as_the_call(self):
        assert measure(lambda: time.sleep(0.02), rounds=3, warmup=0).min >= 0.02

    def test_check_sees_every_result_and_is_not_timed(self):
        seen = []

        def check(result):
            seen.append(result)
            time.sleep(0.02)

        answers = iter(range(10))
        timing = measure(lambda: next(answers), rounds=8, warmup=2, check=check)
        assert seen == list(range(10))
        assert timing.min < 0.02

    def test_at_most_bounds_the_whole(self):
        timing = measure(lambda: time.sleep(0.01), rounds=10**9, warmup=2, at_most=0.1)
        assert 1 <= len(timing) <= 10  # each takes at least a tenth of what is allowed

    def test_at_most_bounds_the_warmup_too_but_takes_one_sample(self):
        calls = []

        def call():
            calls.append(None)
            time.sleep(0.02)

        assert len(measure(call, rounds=50, warmup=10**9, at_most=0.01)) == 1
        assert len(calls) == 2

    def test_exceptions_pass(self):
        with pytest.raises(ZeroDivisionError):
            measure(lambda: 1 / 0)

    def test_what_cannot_be_called(self):
        with pytest.raises(TypeError, match="pass the function, not its result"):
            measure(42)

    def test_async_functions_are_refused(self):
        async def nothing():
            pass

        with pytest.raises(TypeError, match="async"):
            measure(nothing)

    @pytest.mark.parametrize("bad", [{"rounds": 0}, {"warmup": -1}, {"at_most": 0}], ids=lambda bad: next(iter(bad)))
    def test_bad_numbers(self, bad):
        with pytest.raises(ValueError, match=f"{next(iter(bad))} wanted"):
            measure(int, **bad)

    def test_a_result_is_freed_outside_the_timed_call(self):
        class Result:
            def __del__(self):
                time.sleep(0.02)

        assert measure(Result, rounds=5, warmup=1).min < 0.02


class TestRoundTrips:
    @pytest.mark.parametrize("size", [1, 1024, 65536, 8 * 1024 * 1024], ids=bytes_text)
    def test_echo(self, serve, size):
        with serve(echo) as server:
            rounds = 20 if size < 1e6 else 2  # 8 MiB is more than both ends buffer: a plain sendall would deadlock
            timing = round_trips(server.address, size, rounds=rounds, warmup=1, timeout=LIMIT)
        assert len(timing) == rounds
        assert timing.label == f"round trip {bytes_text(size)}"

    def test_own_payload(self, serve):
        heard = []

        def listening_echo(conn):
            while data := conn.recv(100):
                heard.append(data)
                conn.sendall(data)

        with serve(listening_echo) as server:
            round_trips(server.address, b"hello", rounds=2, warmup=1, label="hello")
        assert b"".join(heard) == b"hello" * 3

    def test_dribbled_reply(self, serve):
        with serve(drip) as server:
            assert len(round_trips(server.address, 2000, rounds=3, warmup=0)) == 3

    def test_own_socket_stays_as_it_was(self, serve):
        with serve(echo) as server, connect(server) as sock:
            sock.settimeout(7.5)
            options = [sock.getsockopt(socket.SOL_SOCKET, o, 64) for o in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO)]
            round_trips(sock, 100, rounds=5, warmup=0)
            assert sock.gettimeout() == 7.5
            assert options == [
                sock.getsockopt(socket.SOL_SOCKET, o, 64) for o in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO)
            ]
            sock.sendall(b"still open")
            assert sock.recv(100)

    def test_silent_peer(self, serve):
        with serve(silent) as server:
            with pytest.raises(PeerError, match="wanted 1 byte back, but 0 came, after 0 good exchanges"):
                round_trips(server.address, timeout=0.1)
            with pytest.raises(PeerError, match="wanted 1 MiB back"):
                round_trips(server.address, 1024 * 1024, timeout=0.1)

    def test_peer_that_closes_early(self, serve):
        with serve(closer) as server, pytest.raises(PeerError, match=r"after 2 good exchanges: the (peer closed|conn)"):
            round_trips(server.address, rounds=10, warmup=0)

    def test_peer_that_resets(self, serve):
        def reset(conn):
            conn.recv(1)
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        with serve(reset) as server, pytest.raises(PeerError, match="wanted 100 bytes back, but 0 came"):
            round_trips(server.address, 100, rounds=10, warmup=0)

    def test_wrong_bytes(self, serve):
        differs = r"byte 1 of 3 differs: sent b'bc', got b'BC'"
        with serve(upper) as server, pytest.raises(PeerError, match=differs):
            round_trips(server.address, b"Abc")

    def test_empty_payload(self, serve):
        with serve(echo) as server, pytest.raises(ValueError, match="at least 1 byte"):
            round_trips(server.address, b"")

    @pytest.mark.parametrize("timeout", [0, -1, math.inf, math.nan])
    def test_timeout_that_would_never_end(self, timeout):
        with pytest.raises(ValueError, match="timeout wanted a finite number"):
            round_trips(("127.0.0.1", 9), timeout=timeout)

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            address = gone.getsockname()
        with pytest.raises(ConnectionRefusedError):
            round_trips(address)

    def test_tls(self):
        with tls_server(echo) as server, secured(server) as sock:
            assert len(round_trips(sock, 1000, rounds=5, warmup=0)) == 5

    def test_tls_silent_peer(self):
        with tls_server(silent) as server, secured(server) as sock:
            with pytest.raises(PeerError, match="no more came within"):
                round_trips(sock, timeout=0.1)
            assert sock.gettimeout() == LIMIT

    def test_interrupt_closes_the_socket(self, serve):
        closed = threading.Event()

        def interrupter(conn):
            conn.recv(1)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            if not conn.recv(1):
                closed.set()

        with serve(interrupter) as server:
            with pytest.raises(KeyboardInterrupt):
                round_trips(server.address, timeout=LIMIT)
            assert closed.wait(LIMIT)  # while the traceback, and with it the frame, is still alive


class TestConnectRate:
    def test_echo(self, serve):
        with serve(echo) as server:
            rate = connect_rate(server.address, rounds=20, warmup=2)
            assert server.accepted == 22
        assert (rate.count, rate.unit, len(rate.timing)) == (20, "connections", 20)
        assert rate.seconds == pytest.approx(sum(rate.timing.samples))
        assert rate.per_second == pytest.approx(20 / rate.seconds)

    def test_connect_only(self, serve):
        with serve(silent) as server:
            rate = connect_rate(server.address, payload=0, rounds=20, warmup=0)
        assert repr(rate) == "<Rate connect, 20 connections>"

    def test_silent_peer(self, serve):
        with serve(silent) as server, pytest.raises(PeerError, match="connect \\+ echo \\+ close wanted 1 byte back"):
            connect_rate(server.address, timeout=0.1)

    def test_nobody_accepts(self, serve, tmp_path):
        with serve(echo) as server:
            family = server.family
            place = os.fspath(tmp_path / "full") if isinstance(server.address, str) else (server.address[0], 0)
        with full_queue(family, place) as address, pytest.raises(PeerError, match=r"nobody calls accept\(\)"):
            connect_rate(address, payload=0, rounds=20, timeout=0.3)

    def test_interrupt_closes_the_socket(self, serve):
        closed = threading.Event()

        def interrupter(conn):
            conn.recv(1)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            if not conn.recv(1):
                closed.set()

        with serve(interrupter) as server:
            with pytest.raises(KeyboardInterrupt):
                connect_rate(server.address, timeout=LIMIT)
            assert closed.wait(LIMIT)

    @needs_proc
    def test_no_descriptor_is_left(self, serve):
        with serve(echo) as server:
            before = own_sockets()
            connect_rate(server.address, rounds=30)
            connect_rate(server.address, rounds=30, payload=0)
            until(lambda: own_sockets() <= before, "our sockets are closed")

    @needs_proc
    def test_no_descriptor_is_left_after_an_error(self, serve):
        with serve(silent) as server:
            before = own_sockets()
            with pytest.raises(PeerError) as caught:
                connect_rate(server.address, timeout=0.05)
            until(lambda: own_sockets() <= before, "our sockets are closed")
            assert caught.tb is not None  # the frames of the failed call are still alive: it closed, not the collector


def own_sockets() -> int:
    """How many sockets this process holds."""
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            count += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    return count


@contextmanager
def full_queue(family, place):
    """The address of a listener that never accepts and whose queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind(place)
        listener.listen(1)
        for _ in range(8):
            sock = stack.enter_context(socket.socket(family))
            sock.setblocking(False)
            try:
                sock.connect(listener.getsockname())
            except BlockingIOError:  # under way for ever (TCP), or no room (Unix)
                pass
        yield listener.getsockname()


class TestThroughput:
    @pytest.mark.parametrize("peer", ["discard", "echo"])
    def test_bytes(self, serve, peer):
        with serve({"discard": discard, "echo": echo}[peer]) as server:
            rate = throughput(server.address, size=6_000_001, peer=peer, rounds=2)  # no multiple of anything
        assert (rate.count, rate.unit, len(rate.timing)) == (12_000_002, "bytes", 2)
        assert repr(rate) == f"<Rate {peer} in sends of 64 KiB, 11.4 MiB>"
        assert str(rate).startswith(f"{peer} in sends of 64 KiB: ")
        assert rate.per_second == pytest.approx(rate.count / rate.seconds)

    @pytest.mark.parametrize("chunk", [1, 100, 5000])
    def test_small_chunks(self, serve, chunk):
        with serve(echo) as server:
            assert throughput(server.address, size=20_000, chunk=chunk, peer="echo", rounds=1).count == 20_000

    def test_discard_counts_what_arrived(self, serve):
        heard = []

        def counting_discard(conn):
            while data := conn.recv(65536):
                heard.append(len(data))

        with serve(counting_discard) as server:
            throughput(server.address, size=3_000_000, rounds=1)
            assert sum(heard) == 3_000_000  # complete when throughput returns, not only sent

    def test_echo_where_discard_was_wanted(self, serve):
        with serve(echo) as server, pytest.raises(PeerError, match="back; does it echo"):
            throughput(server.address, size=1_000_000)

    def test_discard_where_echo_was_wanted(self, serve):
        with serve(silent) as server, pytest.raises(PeerError, match=r"wanted 1 KiB back, but 0 B came \(1 KiB sent\)"):
            throughput(server.address, size=1024, peer="echo", timeout=0.2)

    def test_peer_that_closes_early(self, serve):
        with serve(lambda conn: conn.recv(1)) as server, pytest.raises(PeerError, match=r"sent: the (peer|connection)"):
            throughput(server.address, size=50_000_000)

    def test_peer_that_never_reads(self, serve):
        release = threading.Event()
        with serve(lambda conn: release.wait(LIMIT)) as server:
            with pytest.raises(PeerError, match=r"no more within 0\.2 s"):
                throughput(server.address, size=50_000_000, timeout=0.2)
            release.set()

    def test_wrong_bytes(self, serve):
        def doubles(conn):
            data = conn.recv(1000)
            conn.sendall(data[:500] + data[:500])
            silent(conn)

        with serve(doubles) as server, pytest.raises(PeerError, match="other bytes came back after the first"):
            throughput(server.address, size=1000, peer="echo", timeout=LIMIT)

    def test_more_bytes_than_sent(self, serve):
        def generous(conn):
            conn.sendall(conn.recv(10, socket.MSG_WAITALL) + bytes(range(10, 20)))
            silent(conn)

        with serve(generous) as server, pytest.raises(PeerError, match="more than it got"):
            throughput(server.address, size=10, peer="echo", timeout=LIMIT)

    @pytest.mark.parametrize(
        "bad", [{"peer": "chargen"}, {"size": 0}, {"chunk": 0}, {"rounds": 0}], ids=lambda bad: next(iter(bad))
    )
    def test_bad_arguments(self, bad):
        with pytest.raises(ValueError, match=f"{next(iter(bad))} wanted"):
            throughput(("127.0.0.1", 9), **bad)

    def test_interrupt_closes_the_socket(self, serve):
        closed = threading.Event()

        def interrupter(conn):
            conn.recv(1)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            try:
                silent(conn)
            finally:
                closed.set()

        with serve(interrupter) as server:
            with pytest.raises(KeyboardInterrupt):
                throughput(server.address, size=10**12, timeout=LIMIT)
            assert closed.wait(LIMIT)


class TestRate:
    def test_text(self):
        rate = Rate("connect", "connections", 4, Timing((0.001,) * 4))
        assert str(rate) == "connect: 1,000 connections/s (4 connections)"
        assert rate.per_second == pytest.approx(1000)


class TestStopwatch:
    def test_spans_by_start_from_several_threads(self):
        watch = Stopwatch()

        def work(name):
            for i in range(20):
                with watch(name, f"call {i}"):
                    pass

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, "abcd"))
        assert len(watch) == 80
        assert [s.start for s in watch.spans] == sorted(s.start for s in watch.spans)
        for lane in "abcd":
            assert [s.label for s in watch.spans if s.lane == lane] == [f"call {i}" for i in range(20)]
        assert repr(watch) == "<Stopwatch, 80 spans>"

    def test_waiting_counts_as_blocked_and_working_does_not(self):
        watch = Stopwatch()
        left, right = socket.socketpair()
        with left, right:
            right.settimeout(LIMIT)
            timer = threading.Timer(0.1, left.sendall, [b"x"])
            timer.start()
            with watch("client", "recv()"):
                right.recv(1)
            timer.join()
        with watch("client", "compute"):
            end = time.thread_time() + 0.05
            while time.thread_time() < end:
                pass
        waited, worked = watch.spans
        assert waited.blocked > 0.9 * waited.duration
        assert worked.duration - worked.blocked > 0.049

    def test_blocked_by_hand(self):
        watch = Stopwatch()
        with watch("a", "x", blocked=True):
            pass
        with watch("a", "y", blocked=False):
            time.sleep(0.001)
        x, y = watch.spans
        assert (x.blocked, y.blocked) == (x.duration, 0)

    def test_an_exception_is_recorded_and_passes(self):
        watch = Stopwatch()
        with pytest.raises(KeyError), watch("client", "connect()"):
            raise KeyError
        assert repr(watch.spans) == "(<Span client: connect() KeyError>,)"

    def test_span_is_frozen_and_checked(self):
        span = Span("a", "b", 1.0, 3.0, True)
        assert (span.duration, span.blocked) == (2, 2)
        with pytest.raises(AttributeError):
            span.lane = "c"
        with pytest.raises(ValueError, match="end after its start"):
            Span("a", "b", 1.0, 0.5)
        with pytest.raises(ValueError, match="blocked from 0"):
            Span("a", "b", 1.0, 2.0, 1.5)


class TestOneCPU:
    @pytest.fixture(autouse=True)
    def _two_cpus(self):
        if not hasattr(os, "sched_setaffinity"):
            with one_cpu() as cpu:
                assert cpu is None
            pytest.skip("this platform cannot pin: one_cpu changes nothing")
        if len(os.sched_getaffinity(0)) < 2:
            pytest.skip("one CPU only: pinning cannot be seen")

    def test_pins_every_thread_and_puts_each_back(self):
        everything = os.sched_getaffinity(0)
        one_of_them = {max(everything)}
        with parked_thread() as plain, parked_thread() as special:
            os.sched_setaffinity(special, one_of_them)
            with one_cpu() as cpu:
                assert cpu in everything
                assert {frozenset(os.sched_getaffinity(t)) for t in (0, plain, special)} == {frozenset({cpu})}
                with parked_thread() as born:
                    assert os.sched_getaffinity(born) == {cpu}
            assert os.sched_getaffinity(0) == everything
            assert os.sched_getaffinity(plain) == everything
            assert os.sched_getaffinity(special) == one_of_them

    def test_a_thread_born_inside_is_released(self):
        everything = os.sched_getaffinity(0)
        born = parked_thread()
        with one_cpu():
            thread = born.__enter__()
        assert os.sched_getaffinity(thread) == everything
        born.__exit__(None, None, None)

    def test_restores_after_an_exception(self):
        before = os.sched_getaffinity(0)
        with pytest.raises(KeyboardInterrupt), one_cpu():
            raise KeyboardInterrupt
        assert os.sched_getaffinity(0) == before

    def test_restores_what_was_changed_inside(self):
        before = os.sched_getaffinity(0)
        with one_cpu() as cpu:
            os.sched_setaffinity(0, before - {cpu})
        assert os.sched_getaffinity(0) == before

    def test_nested(self):
        before = os.sched_getaffinity(0)
        with one_cpu() as outer:
            with one_cpu() as inner:
                assert inner == outer
            assert os.sched_getaffinity(0) == {outer}
        assert os.sched_getaffinity(0) == before

    def test_overlapping_in_two_threads(self):
        before = os.sched_getaffinity(0)
        entered, leave = threading.Event(), threading.Event()

        def other():
            with one_cpu():
                entered.set()
                leave.wait(LIMIT)
            return os.sched_getaffinity(0)

        with ThreadPoolExecutor(1) as pool:
            with one_cpu() as cpu:
                future = pool.submit(other)
                assert entered.wait(LIMIT)
            assert os.sched_getaffinity(0) == {cpu}  # the other is still open
            leave.set()
            assert future.result(LIMIT) == before
        assert os.sched_getaffinity(0) == before

    def test_client_and_server_meet(self):
        cpus = set()

        def watching_echo(conn):
            while data := conn.recv(10):
                cpus.add(frozenset(os.sched_getaffinity(0)))
                conn.sendall(data)

        with tcp_server(watching_echo) as server, one_cpu() as cpu:  # the server is older than the pin
            round_trips(server.address, rounds=3, warmup=0)
        assert cpus == {frozenset({cpu})}


@contextmanager
def parked_thread():
    """The id of a thread that waits until the block ends."""
    ready, end = threading.Event(), threading.Event()

    def park():
        ready.set()
        end.wait(LIMIT)

    thread = threading.Thread(target=park)
    thread.start()
    assert ready.wait(LIMIT)
    try:
        yield thread.native_id
    finally:
        end.set()
        thread.join(LIMIT)


def test_measuring_imports_neither_matplotlib_nor_numpy_nor_ipywidgets():
    program = """if True:
        import sys
        import socketlab.measure
        light = set(sys.modules)
        from socketlab.handlers import echo
        from socketlab.measure import Stopwatch, measure, one_cpu, round_trips
        from socketlab.servers import tcp_server
        with tcp_server(echo) as server, one_cpu():
            round_trips(server.address, rounds=2)
        print(sorted({"matplotlib", "numpy", "ipywidgets", "IPython", "dataclasses", "asyncio"} & light),
              sorted({"matplotlib", "numpy", "ipywidgets", "IPython"} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[] []\n", "")


def test_every_name_can_be_had():
    import socketlab.measure

    for name in socketlab.measure.__all__:
        assert getattr(socketlab.measure, name).__name__ == name
    assert set(socketlab.measure.__all__) <= set(dir(socketlab.measure))
    with pytest.raises(AttributeError, match="no attribute 'distribtion'"):
        _ = socketlab.measure.distribtion
