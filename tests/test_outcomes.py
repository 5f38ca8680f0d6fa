"""What became of a call, and how much memory it took."""

from __future__ import annotations

import socket
import tracemalloc

import pytest

from socketlab.measure import outcome, peak_memory


class TestOutcome:
    def test_a_result(self) -> None:
        assert outcome(int, "ff", base=16) == 255

    def test_a_number(self) -> None:
        left, right = socket.socketpair()
        with left, right:
            left.setblocking(False)
            assert outcome(left.recv, 1) == "EAGAIN"

    def test_words(self) -> None:
        left, right = socket.socketpair()
        with left, right:
            left.settimeout(0.01)
            assert outcome(left.recv, 1) == "timed out"
            assert outcome(left.recv_into, bytearray(1), 2) == "buffer too small for requested bytes"

    def test_others_are_raised(self) -> None:
        with pytest.raises(TypeError):
            outcome(len, 1)


class TestPeakMemory:
    def test_the_most_at_any_moment(self) -> None:
        assert 1_000_000 < peak_memory(lambda: bytes(1_000_000)) < 1_100_000
        assert peak_memory(lambda: None) < 100_000

    def test_ends_where_the_work_fails(self) -> None:
        with pytest.raises(ZeroDivisionError):
            peak_memory(lambda: 1 // 0)
        assert not tracemalloc.is_tracing()
