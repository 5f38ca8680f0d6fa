"""Datagrams that do not arrive: the fate of each is known, and the same seed gives the same fates."""

from __future__ import annotations

import socket
import sys
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leftovers import nothing_left
from patience import until

from socketlab.experiments.datagrams.fates import (
    CORRUPTED,
    FATES,
    LATE,
    LOST,
    ONCE,
    OVERFLOWED,
    TWICE,
    Arrival,
    BufferLoss,
    DatagramLoss,
    draw_datagram_loss,
    draw_loss_by_receive_buffer,
    fates_of,
)
from socketlab.experiments.datagrams.loss import (
    LARGEST,
    SMALLEST,
    datagram_loss,
    datagram_loss_steps,
    loss_by_receive_buffer,
    loss_by_receive_buffer_steps,
    numbered,
)
from socketlab.experiments.datagrams.numbered import datagram, number_of

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")

ALL = {"loss": 0.1, "duplication": 0.1, "reordering": 0.1, "corruption": 0.1}


def numbers(result: DatagramLoss) -> list[int]:
    return [arrival.number for arrival in result.arrivals]


class TestDatagram:
    """One datagram tells its number even where a bit of it is wrong."""

    @given(st.integers(1, 10_000), st.integers(SMALLEST, LARGEST), st.data())
    def test_whichever_bit_is_flipped(self, number: int, size: int, data: Any) -> None:
        sent = datagram(number, size)
        assert len(sent) == size
        assert number_of(sent) == number
        bit = data.draw(st.integers(0, size * 8 - 1))
        came = bytearray(sent)
        came[bit // 8] ^= 1 << bit % 8
        assert number_of(bytes(came)) == number

    @given(st.binary(max_size=60))
    def test_a_strangers(self, data: bytes) -> None:
        assert number_of(data) >= 0


class TestFates:
    """From what was received to what became of each."""

    def test_each_fate(self) -> None:
        arrivals = [
            Arrival(1, True, 0.0),
            Arrival(3, True, 0.0),
            Arrival(2, True, 0.0, late=True),
            Arrival(4, True, 0.0),
            Arrival(4, True, 0.0),
            Arrival(5, False, 0.0),
        ]
        assert fates_of(7, {6}, arrivals) == (ONCE, LATE, ONCE, TWICE, CORRUPTED, LOST, OVERFLOWED)

    @given(
        st.lists(st.tuples(st.integers(1, 20), st.booleans(), st.booleans())), st.sets(st.integers(1, 20)),
        st.integers(20, 30),
    )  # fmt: skip
    def test_each_datagram_has_one(self, came: list[tuple[int, bool, bool]], lost: set[int], count: int) -> None:
        arrivals = tuple(Arrival(number, intact, 0.0, late) for number, intact, late in came)
        result = DatagramLoss(fates_of(count, lost, arrivals), arrivals, 4096, 10, 0.0)
        assert result.sent == count == sum(result.counts.values())
        assert result.lost == count - len({number for number, _, _ in came})
        assert tuple(result.counts) == FATES

    def test_in_words(self) -> None:
        result = DatagramLoss((ONCE, ONCE, LOST, OVERFLOWED, OVERFLOWED, TWICE), (), 4096, 6, 0.1)
        assert result.sentence() == (
            "Of 6 datagrams, 2 arrived once, 1 arrived twice, 1 was lost on the link, "
            "2 were lost in the receive buffer."
        )
        assert result.title == "3 of 6 datagrams were lost, 1 came twice"
        assert repr(result) == "<DatagramLoss: 6 datagrams>"
        assert DatagramLoss((ONCE,), (), 4096, 6, 0.1).title == "None of 1 datagram was lost"
        assert "Nothing has been sent" in DatagramLoss((), (), 4096, 6, 0.1).sentence()


class TestLink:
    """What a link does to them."""

    def test_nothing_wrong(self) -> None:
        result = datagram_loss(60)
        assert result.fates == (ONCE,) * 60
        assert numbers(result) == list(range(1, 61))
        assert result.link is None

    @pytest.mark.parametrize(
        ("fault", "fate"), [("loss", LOST), ("duplication", TWICE), ("corruption", CORRUPTED)], ids=lambda one: one
    )
    def test_a_fault_that_meets_every_datagram(self, fault: str, fate: str) -> None:
        assert datagram_loss(40, **{fault: 1.0}).fates == (fate,) * 40

    def test_reordering(self) -> None:
        result = datagram_loss(60, reordering=0.3)
        assert sorted(numbers(result)) == list(range(1, 61))
        assert result.counts[LATE] > 0
        assert all(
            arrival.late == any(other.number > arrival.number for other in result.arrivals[:place])
            for place, arrival in enumerate(result.arrivals)
        )

    def test_latency_and_jitter(self) -> None:
        result = datagram_loss(20, burst=10, latency=0.02, jitter=0.01)
        assert result.lost == 0
        assert result.took >= 0.02  # two bursts, of which nothing arrives before 10 ms
        assert sorted(numbers(result)) == list(range(1, 21))

    @pytest.mark.parametrize("seed", [0, 7])
    def test_its_own_counts_agree(self, seed: int) -> None:
        result = datagram_loss(100, seed=seed, **ALL)
        assert result.link is not None
        assert result.counts[LOST] == result.link.lost
        assert len(result.arrivals) == result.link.passed
        assert sum(not arrival.intact for arrival in result.arrivals) >= result.link.corrupted > 0
        assert result.counts[OVERFLOWED] == 0

    def test_the_same_seed_gives_the_same_fates_and_order(self) -> None:
        first, second, other = (datagram_loss(100, seed=seed, receive_buffer=8192, **ALL) for seed in (3, 3, 4))
        assert first.fates == second.fates
        assert numbers(first) == numbers(second)
        assert first.fates != other.fates

    def test_a_burst_as_large_as_the_link_bears(self) -> None:
        result = datagram_loss(500, burst=500, size=SMALLEST, duplication=1.0, receive_buffer=1 << 20)
        assert result.link is not None
        assert (result.link.taken, result.link.dropped, result.link.passed) == (500, 0, 1000)
        assert result.counts[LOST] == 0


class TestReceiveBuffer:
    """What the receiver's kernel does to them."""

    def test_a_burst_that_does_not_fit(self) -> None:
        result = datagram_loss(100, burst=100, receive_buffer=2048)
        assert result.counts[OVERFLOWED] > 50
        assert result.counts[ONCE] == result.sent - result.counts[OVERFLOWED] > 0
        assert numbers(result) == list(range(1, result.counts[ONCE] + 1))  # the first ones fit

    def test_one_at_a_time_fits(self) -> None:
        assert datagram_loss(100, burst=1, receive_buffer=4096).fates == (ONCE,) * 100

    def test_a_larger_buffer_loses_no_more(self) -> None:
        lost = [datagram_loss(100, burst=100, receive_buffer=1 << n).lost for n in range(11, 18)]
        assert lost == sorted(lost, reverse=True)
        assert lost[0] > lost[-1]

    def test_it_is_told_from_what_the_link_lost(self) -> None:
        alone = datagram_loss(100, burst=50, loss=0.2)
        both = datagram_loss(100, burst=50, loss=0.2, receive_buffer=2048)
        assert [fate == LOST for fate in alone.fates] == [fate == LOST for fate in both.fates]
        assert alone.counts[OVERFLOWED] == 0
        assert both.counts[OVERFLOWED] > 0

    def test_a_system_that_does_not_count_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        known = datagram_loss(50, burst=50, receive_buffer=2048)
        monkeypatch.setattr(numbered, "_dropped", lambda sock: None)
        assert datagram_loss(50, burst=50, receive_buffer=2048).fates == known.fates

    @pytest.mark.skipif(sys.platform != "linux", reason="SO_MEMINFO is Linux's")
    def test_the_kernels_own_count(self) -> None:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            receiver.bind(("127.0.0.1", 0))
            receiver.setblocking(False)
            sender.connect(receiver.getsockname())
            before = numbered._dropped(receiver)
            for _ in range(50):
                sender.send(bytes(100))
            came = 0

            def accounted() -> bool:
                nonlocal came
                try:
                    while receiver.recv(200):
                        came += 1
                except BlockingIOError:
                    pass
                return came + (numbered._dropped(receiver) or 0) == 50

            until(accounted, "the kernel counts what it dropped")
        assert before == 0
        assert 0 < came < 50


class TestSweep:
    """Loss against SO_RCVBUF."""

    def test_it_falls(self) -> None:
        result = loss_by_receive_buffer(datagrams=100)
        medians = [sorted(lost)[1] for lost in result.lost]
        assert medians == sorted(medians, reverse=True)
        assert medians[0] > 50
        assert list(result.granted) == sorted(result.granted)
        assert all(len(lost) == 3 for lost in result.lost)
        assert repr(result) == "<BufferLoss: 7 buffer sizes>"

    def test_in_words(self) -> None:
        result = BufferLoss((2048, 4096), (4096, 8192), ((90, 91, 90), (0, 0, 0)), 100, 100)
        assert (result.enough, result.title) == (8192, "4 KiB of buffer lose 90 of 100 datagrams, 8 KiB lose none")
        result = BufferLoss((2048, 4096), (4096, 8192), ((90, 91, 90), (80, 0, 80)), 100, 100)
        assert result.enough is None
        assert result.title == "4 KiB of buffer lose 90 of 100 datagrams, and 8 KiB still lose 80"
        assert BufferLoss((), (), (), 10, 100).title == "No buffer has been tried yet"
        assert BufferLoss((1 << 20,), (1 << 21,), ((0,),), 10, 100).title == "No buffer was too small"


class TestSteps:
    """What a panel relies on."""

    def test_shares_ascend_and_bursts_are_only_added(self) -> None:
        steps = list(datagram_loss_steps(60, burst=10, latency=0.05))
        shares = [share for share, _ in steps]
        assert shares == sorted(shares)  # type: ignore[type-var]
        assert (shares[0], shares[-1]) == (0.0, 1.0)
        assert len(steps) >= 4
        for (_, before), (_, after) in pairwise(steps):
            assert after.fates[: before.sent] == before.fates
        assert all(result.sent % 10 == 0 for _, result in steps)

    @pytest.mark.parametrize("faults", [{}, {"latency": 0.05}], ids=["direct", "link"])
    @pytest.mark.parametrize("after", [0, 1, 2, 3])
    def test_closed_at_any_step_it_leaves_nothing(self, faults: dict[str, float], after: int) -> None:
        with nothing_left():
            steps = datagram_loss_steps(60, burst=10, **faults)
            for _ in range(after):
                next(steps, None)
            steps.close()

    def test_closing_a_sweep_leaves_nothing(self) -> None:
        with nothing_left():
            steps = loss_by_receive_buffer_steps()
            for _ in range(5):
                next(steps)
            steps.close()

    @pytest.mark.parametrize(
        ("wrong", "error", "words"),
        [
            ({"datagrams": 0}, ValueError, "datagrams wanted a whole number of datagrams from 1 to 10,000"),
            ({"datagrams": 1.5}, ValueError, "but got 1.5"),
            ({"burst": 0}, ValueError, "burst wanted"),
            ({"burst": 501, "loss": 0.1}, ValueError, "from 1 to 500"),
            ({"size": 20}, ValueError, "size wanted a whole number of bytes from 21 to 1,400"),
            ({"receive_buffer": 0}, ValueError, "receive_buffer wanted"),
            ({"receive_buffer": "4096"}, ValueError, "but got '4096'"),
            ({"seed": -1}, ValueError, "seed wanted"),
            ({"slice_size": 1}, TypeError, "a link for datagrams has no fault 'slice_size'"),
            ({"loss": 1.1}, ValueError, "loss must be a number from 0 to 1"),
            ({"jitter": float("nan")}, ValueError, "jitter must be a number"),
        ],
    )
    def test_arguments_are_checked_when_it_is_called(self, wrong: dict[str, Any], error: Any, words: str) -> None:
        with pytest.raises(error, match=words):
            datagram_loss_steps(**wrong)

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [({"buffers": ()}, "1 to 100 sizes"), ({"buffers": (0,)}, "a buffer wanted"), ({"rounds": 0}, "rounds wanted")],
    )
    def test_arguments_of_the_sweep(self, wrong: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            loss_by_receive_buffer_steps(**wrong)

    @settings(max_examples=15, deadline=None)
    @given(
        st.integers(1, 40), st.integers(1, 40), st.integers(0, 50), st.sampled_from([None, 2048, 16384]),
        st.fixed_dictionaries({}, optional=dict.fromkeys(ALL, st.sampled_from([0.0, 0.3, 1.0]))),
    )  # fmt: skip
    def test_whatever_is_wrong_all_are_accounted_for(
        self, count: int, burst: int, seed: int, buffer: int | None, faults: dict[str, float]
    ) -> None:
        result = datagram_loss(count, burst=burst, seed=seed, receive_buffer=buffer, **faults)
        assert result.sent == count
        assert {arrival.number for arrival in result.arrivals} == {
            number for number, fate in enumerate(result.fates, 1) if fate not in (LOST, OVERFLOWED)
        }
        assert result.counts[LOST] == (result.link.lost if result.link is not None else 0)


class TestDrawing:
    """The pictures of the results."""

    def test_each_fate_has_its_marker_and_its_count(self) -> None:
        result = datagram_loss(100, burst=50, receive_buffer=4096, **ALL)
        picture: Any = draw_datagram_loss(result)
        (ax,) = picture.axes
        labels = [text.get_text() for text in ax.get_legend().get_texts()]
        assert labels == [f"{fate}: {number}" for fate, number in result.counts.items() if number]
        points = sum(len(dots.get_offsets()) for dots in ax.collections)
        assert points == len(result.arrivals) + result.lost
        assert ax.get_title(loc="left") == result.title

    def test_the_sweep(self) -> None:
        result = BufferLoss((2048, 4096), (4096, 8192), ((90, 91, 90), (0, 0, 0)), 100, 100)
        picture: Any = draw_loss_by_receive_buffer(result, title="Loss")
        (ax,) = picture.axes
        picture.draw_without_rendering()
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["4 KiB", "8 KiB"]
        dots, line = ax.lines
        assert (list(line.get_xdata()), list(line.get_ydata())) == ([4096, 8192], [0.9, 0.0])
        assert len(dots.get_xdata()) == 6
        assert ax.get_title(loc="left") == "Loss"

    def test_on_axes_of_ones_own(self) -> None:
        from socketlab.measure import figure

        picture = figure(columns=2)
        assert draw_datagram_loss(datagram_loss(5), ax=picture.axes[0]) is picture.axes[0]
        sweep = loss_by_receive_buffer((4096,), datagrams=5, rounds=1)
        assert draw_loss_by_receive_buffer(sweep, ax=picture.axes[1]) is picture.axes[1]

    def test_nothing_to_draw(self) -> None:
        with pytest.raises(ValueError, match="at least one datagram"):
            draw_datagram_loss(DatagramLoss((), (), 4096, 1, 0.0))
        with pytest.raises(ValueError, match="at least one result"):
            draw_loss_by_receive_buffer(BufferLoss((), (), (), 10, 100))
