"""The listen queue: how many seats, what becomes of those outside, what accept() changes, what is left after a stop."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from leftovers import nothing_left

from socketlab.experiments.doors.door import ACCEPTED, FAILED, HALF_IN, OUTSIDE, QUEUED, Client, Door, ListenQueue
from socketlab.experiments.doors.listening import draw_listen_queue, listen_queue, listen_queue_steps, watch
from socketlab.measure import figure

linux = pytest.mark.skipif(sys.platform != "linux", reason="a full queue is told by Linux's TCP_INFO and dropped SYNs")


@pytest.fixture
def family(stream_kind: str) -> str:
    return stream_kind


def until(door: Door, condition: Callable[[ListenQueue], object], what: str, seconds: float = 20.0) -> ListenQueue:
    """Look until something is so."""
    end = time.monotonic() + seconds
    while not condition(result := door.look()):
        assert time.monotonic() < end, f"waited {seconds} s in vain: {what}; {result.clients}"
        time.sleep(0.005)
    return result


@linux
class TestSeats:
    @pytest.mark.parametrize("backlog", [0, 1, 4])
    def test_one_more_than_the_backlog(self, family, backlog):
        with Door(backlog, backlog + 4, 0, family) as door:
            result = until(door, lambda result: result.count(QUEUED) == backlog + 1, "the seats are taken")
            for _ in range(10):
                result = door.look()
        assert result.count(QUEUED) == result.depths[-1][1] == result.seats == backlog + 1
        assert result.count(ACCEPTED) == 0

    def test_enough_seats_for_all(self, family):
        with Door(8, 5, 0, family) as door:
            result = until(door, lambda result: result.count(QUEUED) == 5, "all have a seat")
        assert result.depths[-1][1] == 5
        assert not result.settled

    def test_accepted_in_the_order_of_the_queue(self, family):
        with Door(8, 5, 100, family) as door:
            result = until(door, lambda result: result.settled, "all are accepted")
        assert result.depths[-1][1] == 0
        by = {"accepted": [], "queued": []}
        for name, found in by.items():
            found += [client.number for client in sorted(result.clients, key=lambda client: getattr(client, name))]
        assert by["accepted"] == by["queued"]


@linux
class TestOutside:
    """Those who find the queue full."""

    @pytest.mark.parametrize("kind", ["ipv4", "ipv6"])
    def test_tcp_connects_hang_and_send_their_syn_again(self, kind, has_ipv6):
        if kind == "ipv6" and not has_ipv6:
            pytest.skip("this machine has no ::1")
        with Door(0, 3, 0, kind) as door:
            first = until(door, lambda result: result.count(OUTSIDE), "somebody stands outside")
            number = next(client.number for client in first.clients if client.state == OUTSIDE)
            assert first.clients[number - 1].next_try is not None
            result = until(door, lambda result: len(result.clients[number - 1].tries) == 2, "a second SYN")
            with pytest.raises(OSError, match="not connected"):
                door._socks[number - 1].getpeername()
        client = result.clients[number - 1]
        # RFC 6298, 2.1: the first retransmission comes after a second; not sooner, however busy the machine is.
        assert client.tries[1] - client.tries[0] > 0.7
        assert client.connected is None

    def test_unix_connects_fail_at_once(self):
        with Door(1, 4, 0, "unix") as door:
            result = door.look()
        assert [client.state for client in result.clients] == [QUEUED, QUEUED, FAILED, FAILED]
        assert result.clients[3].error == "EAGAIN"

    def test_accepting_lets_everybody_in_at_last(self):
        with Door(1, 5, 0) as door:
            until(door, lambda result: result.count(QUEUED) == 2, "the seats are taken")
            door.accept_rate = 100
            result = until(door, lambda result: result.settled, "all are accepted", seconds=60)
        assert result.count(ACCEPTED) == 5
        assert sum(len(client.tries) > 1 for client in result.clients) <= 3
        assert all(client.connected <= client.queued <= client.accepted for client in result.clients)

    def test_syns_that_come_together_for_one_seat(self):
        """The connect() of several may return although one has the seat. All of them are accepted in the end."""
        with Door(0, 5, 0) as door:
            until(door, lambda result: result.count(QUEUED) == 1, "the seat is taken")
            door.accept_rate = 100
            until(door, lambda result: result.count(ACCEPTED), "the seat is free")
            door.accept_rate = 0
            seen = until(door, lambda result: result.count(QUEUED) == 1, "somebody takes it")
            for client, sock in zip(seen.clients, door._socks, strict=True):
                if client.state == HALF_IN:
                    assert sock.getpeername() == door._address
            assert seen.depths[-1][1] <= 1
            door.accept_rate = 100
            result = until(door, lambda result: result.settled, "all are accepted", seconds=60)
        assert result.count(ACCEPTED) == 5

    def test_connect_gives_up_after_so_many_syns(self):
        with Door(0, 2, 0, syn_retries=1) as door:  # up to four more on new kernels: tcp_syn_linear_timeouts
            result = until(door, lambda result: result.count(FAILED), "the second client gives up", seconds=60)
        assert result.clients[1].error == "ETIMEDOUT"
        assert len(result.clients[1].tries) >= 2
        assert result.clients[1].ended > result.clients[1].tries[-1]


class TestSteps:
    def test_shares_ascend_and_the_end_is_one(self):
        steps = list(listen_queue_steps(2, 2, 0, seconds=0.3))
        shares = [share for share, _ in steps]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        assert steps[-1][1].seconds >= 0.3
        assert len(steps[-1][1].depths) == 2  # only changes are kept, and the last look

    def test_without_end_until_all_is_settled(self):
        steps = list(listen_queue_steps(4, 3, 50, seconds=None))
        assert {share for share, _ in steps} == {None}
        assert steps[-1][1].settled
        assert not any(result.settled for _, result in steps[:-1])

    @pytest.mark.parametrize("after", [0, 1, 3])
    def test_closed_at_any_step_nothing_is_left(self, family, after):
        with nothing_left():
            steps = listen_queue_steps(1, 6, 50, seconds=30, family=family)
            for _ in range(after):
                next(steps)
            steps.close()

    def test_the_rate_acts_on_a_door_that_is_watched(self):
        door = Door(3, 3, 0)
        with closing(watch(door, None)) as steps:
            assert next(steps)[1].count(ACCEPTED) == 0
            door.accept_rate = 100
            *_, (_, result) = steps
        assert result.count(ACCEPTED) == 3

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"backlog": -1}, "backlog wanted a whole number of connections from 0 to 64, but got -1"),
            ({"backlog": 1.5}, "backlog wanted"),
            ({"clients": 0}, "clients wanted a whole number of clients from 1 to 64, but got 0"),
            ({"clients": 100_000}, "clients wanted"),
            ({"accept_rate": -1}, "accept_rate wanted 0 to 200 accepts a second, but got -1"),
            ({"accept_rate": float("nan")}, "accept_rate wanted"),
            ({"accept_rate": 1e9}, "accept_rate wanted"),
            ({"accept_rate": "2"}, "accept_rate wanted"),
            ({"seconds": -1}, "seconds wanted"),
            ({"seconds": 1e6}, "seconds wanted"),
            ({"family": "ipx"}, "family wanted one of ipv4, ipv6"),
            ({"syn_retries": 0}, "syn_retries wanted a whole number of SYNs from 1 to 127, but got 0|lacks"),
        ],
    )
    def test_bad_arguments_are_refused_when_called(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            listen_queue_steps(**arguments)

    def test_a_bad_rate_is_refused_while_it_runs(self):
        with Door(1, 1, 0) as door:
            with pytest.raises(ValueError, match="accept_rate"):
                door.accept_rate = -2
            assert door.accept_rate == 0


@pytest.fixture
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without TCP_INFO in Linux's form and without a table of sockets."""
    monkeypatch.setattr(sys, "platform", "darwin")


class TestAnotherSystem:
    def test_times_of_connect_and_accept_are_known_all_the_same(self, nothing_told):
        result = listen_queue(4, 3, 50, seconds=20)
        assert result.count(ACCEPTED) == 3
        assert all(client.tries[1:] == () for client in result.clients)

    def test_the_queue_is_who_has_connected_and_is_not_accepted(self, nothing_told):
        with Door(4, 3, 0) as door:
            result = until(door, lambda result: result.count(QUEUED) == 3, "three in the queue")
        assert result.depths[-1][1] == 3
        assert result.seats is None


CLIENTS = (
    Client(1, (0.0,), 0.0, 0.0, 2.0),
    Client(2, (0.0,), 0.0, 0.0),
    Client(3, (0.0, 1.0), 1.0, 2.5),
    Client(4, (0.0, 1.0), 1.0),
    Client(5, (0.0, 1.0, 2.0), next_try=0.5),
    Client(6, (0.0, 1.0), error="ETIMEDOUT", ended=3.0),
)
MIXED = ListenQueue(1, "ipv4", 4.0, CLIENTS, ((0.0, 2), (2.0, 1), (2.5, 2), (4.0, 2)), 2)


class TestResult:
    def test_states_follow_from_the_times(self):
        states = [client.state for client in CLIENTS]
        assert states == [ACCEPTED, QUEUED, QUEUED, HALF_IN, OUTSIDE, FAILED]
        assert not MIXED.settled

    def test_repr_tells_no_times(self):
        assert repr(MIXED) == "<ListenQueue listen(1), 6 ipv4 clients>"


class TestPicture:
    def test_clients_above_and_the_queue_below(self):
        clients, queue = draw_listen_queue(MIXED).axes
        assert [tick.get_text() for tick in clients.get_yticklabels()] == ["1", "2", "3", "4", "5", "6"]
        marks = [list(line.get_xdata()) for line in clients.lines][: len(CLIENTS)]
        assert marks == [[], [], [1.0], [1.0], [1.0, 2.0], [1.0]]
        assert list(queue.lines[0].get_ydata()) == [2, 1, 2, 2]
        assert "full: 2 seats" in [text.get_text() for text in queue.texts]
        assert [text.get_text() for text in clients.texts] == ["ETIMEDOUT"]
        words = [text.get_text() for text in clients.get_legend().get_texts()]
        assert words == ["outside", "connect() returned, no seat yet", "in the queue", "accepted", "SYN sent again"]

    @pytest.mark.parametrize(
        ("clients", "title"),
        [
            (CLIENTS, "listen(1) admits 3 of 6; 1 got ETIMEDOUT"),
            (CLIENTS[:5], "listen(1) admits 3 of 5; 2 wait outside, and do not know it"),
            (CLIENTS[:4], "listen(1): connect() returned for all 4, and 1 of them without a seat"),
            (CLIENTS[:3], "listen(1): all 3 got in, the last after 2.5 s"),
            (CLIENTS[:2], "listen(1): all 2 found a seat at once"),
        ],
    )
    def test_the_title_says_what_was_found(self, clients, title):
        result = ListenQueue(1, "ipv4", 4.0, clients, ((0.0, 2), (4.0, 2)), 2)
        assert draw_listen_queue(result).axes[0].get_title(loc="left") == title

    def test_the_legend_does_not_touch_the_title_or_leave_the_paper(self):
        picture = draw_listen_queue(MIXED)
        picture.draw_without_rendering()
        ax = picture.axes[0]
        legend, title = ax.get_legend().get_window_extent(), ax._left_title.get_window_extent()
        assert legend.y1 <= title.y0
        assert legend.x1 <= picture.bbox.x1

    def test_into_axes_of_yours_under_a_title_of_yours(self):
        (ax,) = figure().axes
        assert draw_listen_queue(MIXED, title="Mine", ax=ax) is ax
        assert ax.get_title(loc="left") == "Mine"
