"""Bytes until the sender stalls: every byte is somewhere, the kernel's word is final, and nothing is left."""

from __future__ import annotations

import select
import socket
import sys

import pytest

from socketlab.experiments.buffers import stall
from socketlab.experiments.buffers.pairs import FAMILIES, MOST, granted, stream_pair
from socketlab.experiments.buffers.stall import (
    Stall,
    bytes_until_stall,
    bytes_until_stall_steps,
    draw_bytes_until_stall,
)

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")

linux = pytest.mark.skipif(sys.platform != "linux", reason="SIOCOUTQ and TCP_INFO are Linux's")


@pytest.fixture
def family(stream_kind: str) -> str:
    return {"ipv4": "tcp4", "ipv6": "tcp6", "unix": "unix"}[stream_kind]


class TestPair:
    """The connection that experiments with buffers are made of."""

    def test_carries_bytes(self, family: str) -> None:
        sender, receiver = stream_pair(family)
        with sender, receiver:
            sender.sendall(b"hello")
            receiver.settimeout(10)
            assert receiver.recv(100) == b"hello"

    def test_blocks_whatever_the_default_timeout_is(self, family: str) -> None:
        socket.setdefaulttimeout(7)
        try:
            sender, receiver = stream_pair(family)
        finally:
            socket.setdefaulttimeout(None)
        with sender, receiver:
            if family != "unix":  # a socketpair has what the program set for all
                assert sender.gettimeout() is receiver.gettimeout() is None

    def test_larger_buffers_are_granted_more(self, family: str) -> None:
        sizes = []
        for asked in (8192, 65536):
            sender, receiver = stream_pair(family, sndbuf=asked, rcvbuf=asked)
            with sender, receiver:
                sizes.append(granted(sender, receiver))
        assert sizes[0][0] < sizes[1][0]
        assert sizes[0][1] < sizes[1][1]


class TestStall:
    def test_every_byte_is_somewhere(self, family: str) -> None:
        found = bytes_until_stall(sndbuf=8192, rcvbuf=8192, family=family)
        assert found.stalled
        assert found.total == found.sends[-1][1] == found.refusals[-1][1] > 0
        times = [t for t, _ in found.sends]
        totals = [n for _, n in found.sends]
        assert times == sorted(times)
        assert totals == sorted(set(totals)), "each send accepted something"
        if sys.platform == "linux":
            assert found.in_sender is not None
            assert found.in_receiver is not None
            assert found.in_sender + found.in_receiver == found.total
            assert found.in_receiver > 0
            assert (found.in_sender == 0) == (family == "unix"), "a Unix socket has one queue, the receiver's"

    def test_larger_buffers_take_more(self, family: str) -> None:
        small, large = (bytes_until_stall(sndbuf=size, rcvbuf=size, family=family) for size in (4096, 131072))
        assert small.total * 4 < large.total
        assert small.granted[0] < large.granted[0]

    @linux
    def test_the_kernels_word_is_final(self, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing more is accepted, not even after a window probe; and a reader wakes the sender up."""
        pairs = []

        def noted(*args: object, **settings: object) -> object:
            pairs.append(stream_pair(*args, **settings))  # type: ignore[arg-type]
            return pairs[-1]

        monkeypatch.setattr(stall, "stream_pair", noted)
        steps = bytes_until_stall_steps(sndbuf=16384, rcvbuf=16384, family=family)
        found = next(result for share, result in steps if share == 1.0)
        assert found.stalled
        ((sender, receiver),) = pairs
        _, writable, _ = select.select([], [sender], [], 0.7)  # probes come after 0.2 and 0.6 s
        assert not writable
        with pytest.raises(BlockingIOError):
            sender.send(b"x")
        receiver.settimeout(10)
        left = found.total
        while left:
            left -= len(receiver.recv(left))
        _, writable, _ = select.select([], [sender], [], 10)
        assert writable
        assert sender.send(b"x") == 1
        steps.close()
        assert sender.fileno() == receiver.fileno() == -1

    def test_a_byte_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stall, "_KEPT", 100)
        found = bytes_until_stall(1, sndbuf=4096, rcvbuf=4096)
        assert found.stalled
        assert found.total > 1000
        assert 25 < len(found.sends) <= 102, "of thousands of sends an even choice is kept"
        assert found.sends[-1][1] == found.total

    def test_the_kernels_choice(self, family: str) -> None:
        found = bytes_until_stall(family=family)
        assert found.stalled
        assert found.total > 65536
        assert found.asked == (None, None)

    def test_not_enough_time(self) -> None:
        found = bytes_until_stall(1000, timeout=1e-9)
        assert not found.stalled
        assert found.total == 1000
        assert str(found).endswith("and not stalled yet")

    def test_steps_can_be_left_at_any_yield(self, family: str) -> None:
        for n in range(3):
            steps = bytes_until_stall_steps(1, sndbuf=4096, rcvbuf=4096, family=family)
            for _ in range(n):
                share, found = next(steps, (1.0, None))
                assert share is not None
                assert 0 <= share <= 1
                assert found is None or isinstance(found, Stall)
            steps.close()

    def test_repr_is_the_same_each_time(self) -> None:
        first, second = (bytes_until_stall(sndbuf=4096, rcvbuf=8192) for _ in range(2))
        assert repr(first) == repr(second) == "<Stall tcp4, 4 KiB and 8 KiB buffers, sends of 64 KiB>"


class TestBadValues:
    """Refused when called, before anything is opened, with what was wanted."""

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"chunk": 0}, "chunk wanted 1 to"),
            ({"chunk": 2**30}, "chunk wanted 1 to"),
            ({"sndbuf": 0}, "sndbuf wanted 1 to"),
            ({"sndbuf": True}, "sndbuf wanted 1 to"),
            ({"rcvbuf": MOST + 1}, "rcvbuf wanted 1 to"),
            ({"rcvbuf": "4096"}, "rcvbuf wanted 1 to"),
            ({"family": "tcp"}, "family wanted 'tcp4'"),
            ({"timeout": 0}, "timeout wanted more than 0"),
            ({"timeout": float("nan")}, "timeout wanted more than 0"),
        ],
    )
    def test_are_told(self, settings: dict[str, object], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            bytes_until_stall_steps(**settings)  # type: ignore[arg-type]

    def test_every_family_has_a_test(self) -> None:
        assert FAMILIES == ("tcp4", "tcp6", "unix")


def made(total: int, family: str = "tcp4", chunk: int = 65536, **settings: object) -> Stall:
    values = {
        "asked": (None, None), "granted": (total, total), "sends": ((2e-5, total // 2), (0.044, total)),
        "refusals": ((3e-5, total // 2), (0.25, total)), "total": total, "in_sender": total // 4,
        "in_receiver": total - total // 4, "stalled": True, **settings,
    }  # fmt: skip
    return Stall(family, chunk, **values)  # type: ignore[arg-type]


class TestPicture:
    def test_has_what_was_measured(self) -> None:
        picture = draw_bytes_until_stall(made(12288))
        (ax,) = picture.axes
        curve, dots = ax.lines
        assert list(curve.get_xdata()) == [2e-5, 0.044, 0.25]
        assert list(curve.get_ydata()) == [6144, 12288, 12288]
        assert list(dots.get_xdata()) == [3e-5, 0.25]
        assert ax.get_title(loc="left") == "Nobody reads: 12,288 bytes later the sender stalls"

    def test_the_legend_fits(self) -> None:
        many = [made(4_291_584 // 4**n, "unix", 4**n, asked=(4**n, 4 * 4**n)) for n in range(6)]
        picture = draw_bytes_until_stall(*many)
        picture.draw_without_rendering()
        legend = picture.axes[0].get_legend().get_window_extent()
        assert legend.x1 <= picture.bbox.x1
        assert legend.y1 <= picture.bbox.y1

    def test_what_is_not_known(self) -> None:
        lacking = made(5000, in_sender=None, in_receiver=None, refusals=(), stalled=False)
        assert str(lacking) == "tcp4, default buffers: 5,000 bytes, and not stalled yet"
        assert draw_bytes_until_stall(lacking).png(1).startswith(b"\x89PNG")

    def test_too_few_and_too_many(self) -> None:
        for results in ((), [made(1000)] * 7):
            with pytest.raises(ValueError, match="wanted 1 to 6 results"):
                draw_bytes_until_stall(*results)

    def test_on_axes_of_yours(self) -> None:
        from socketlab.measure import figure

        picture = figure()
        assert draw_bytes_until_stall(made(1000), title="Mine", ax=picture.axes[0]) is picture.axes[0]
        assert picture.axes[0].get_title(loc="left") == "Mine"
