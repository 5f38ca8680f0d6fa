"""Sizes that recv returned: each byte is tied to the send that wrote it, whatever the sizes, the times and the link."""

from __future__ import annotations

import socket
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leftovers import nothing_left

from socketlab.experiments.streams.framing import MOST, recv_sizes, recv_sizes_steps
from socketlab.experiments.streams.pieces import CLOSED, RESET, RecvSizes, draw_recv_sizes

pytestmark = pytest.mark.usefixtures("nothing_left_at_once")

messages = st.lists(st.binary(max_size=12), min_size=1, max_size=8)


def returned(result: RecvSizes) -> list[bytes]:
    return [recv.data for recv in result.recvs]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:stop] for start, stop in pairwise(edges)]


class TestMatching:
    """Bytes of recvs and the sends that wrote them, without sockets."""

    @given(messages, st.lists(st.integers(0, 200)), st.integers(0, 100))
    def test_each_byte_is_tied_to_the_send_that_wrote_it(self, sent: list[bytes], cuts: list[int], kept: int) -> None:
        stream = b"".join(sent)
        writer = [number for number, data in enumerate(sent, 1) for _ in data]
        came = stream[:kept]
        result = RecvSizes.of(sent, cut(came, cuts))
        assert b"".join(returned(result)) == came
        found = [(part, result.parts(recv)) for recv in result.recvs for part in result.parts(recv)]
        assert [part.send for part, _ in found for _ in part.data] == writer[: len(came)]
        assert b"".join(part.data for part, _ in found) == came
        assert all(part.start == start for (part, _), start in zip(found, accumulate(
            (len(part.data) for part, _ in found), initial=0), strict=False))  # fmt: skip
        for recv in result.recvs:  # a part for each send, and no two of one
            numbers = [part.send for part in result.parts(recv)]
            assert numbers == sorted(set(numbers))
        assert result.sentence().startswith(result.title)

    def test_what_the_receiver_saw_of_the_end(self) -> None:
        assert RecvSizes.of([b"ab"], [b"a", b"b"]).end == ""
        assert RecvSizes.of([b"ab"], [b"a", b"b", b""]).end == CLOSED
        assert len(RecvSizes.of([b"ab"], [b"a", b"b", b""]).recvs) == 2

    @pytest.mark.parametrize(
        ("received", "place"), [([b"ab", b"X"], 2), ([b"abcd", b"e"], 4), ([b"X"], 0)], ids=["other", "more", "first"]
    )
    def test_bytes_that_were_not_sent(self, received: list[bytes], place: int) -> None:
        with pytest.raises(ValueError, match=f"differ from byte {place} on"):
            RecvSizes.of([b"ab", b"cd"], received)

    @pytest.mark.parametrize(
        ("sent", "received", "words"),
        [
            ([b"ab", b"c"], [b"ab", b"c"], "2 sends arrived in 2 recvs: one each, this time. Nothing promises that."),
            ([b"ab", b"c"], [b"abc"], "recv 1 returned all of sends 1 and 2. A recv knows nothing of messages."),
            ([b"abc"], [b"a", b"b", b"c"], "1 send arrived in 3 recvs: send 1 took recvs 1, 2 and 3."),
            ([b"ab", b"cd"], [b"abc", b"d"], "recv 1 returned parts of sends 1 and 2, and send 2 took recvs 1 and 2."),
            ([b"ab", b"", b"c"], [b"ab", b"c"], "send 2 sent b'', and nothing of it arrived"),
            ([b"abcdef"], [b"ab", b"c"], "3 of 6 bytes arrived in 2 recvs"),
            ([b"abcdef"], [], "0 of 6 bytes arrived in 0 recvs."),
            ([b"abcdef"], [b"%c" % c for c in b"abcdef"], "send 1 took recvs 1, 2, 3 … 6"),
        ],
        ids=["one each", "coalesced", "divided", "both", "empty", "part of it", "nothing", "many"],
    )
    def test_what_follows_in_words(self, sent: list[bytes], received: list[bytes], words: str) -> None:
        assert words in RecvSizes.of(sent, received).sentence()

    def test_repr_has_no_times(self) -> None:
        assert repr(recv_sizes([5, 3], size=2)) == "<RecvSizes: 2 sends arrived in 4 recvs>"

    def test_of_code_of_ones_own(self) -> None:
        left, right = socket.socketpair()
        with left, right:
            for sock in (left, right):
                sock.settimeout(10)
            sent, received = [b"hello", b"world"], []
            for data in sent:
                left.sendall(data)
            left.shutdown(socket.SHUT_WR)
            while data := right.recv(4):
                received.append(data)
        result = RecvSizes.of(sent, received)
        assert [[part.send for part in result.parts(recv)] for recv in result.recvs] == [[1], [1, 2], [2]]


class TestConversation:
    """Over TCP on loopback."""

    def test_one_send_arrives_as_three_recvs(self) -> None:
        assert returned(recv_sizes([5], size=2)) == [b"aa", b"aa", b"a"]

    def test_two_sends_arrive_as_one(self) -> None:
        result = recv_sizes([b"hello", b"world"])
        assert returned(result) == [b"helloworld"]
        assert result.end == CLOSED

    def test_with_a_delay_each_send_arrives_by_itself(self) -> None:
        assert returned(recv_sizes([5, 3, 8], delay=0.01)) == [b"aaaaa", b"bbb", b"cccccccc"]

    def test_a_receiver_that_pauses_finds_sends_together(self) -> None:
        result = recv_sizes([5, 3, 8], delay=0.01, pause=0.015)
        assert returned(result) == [b"aaaaabbb", b"cccccccc"]
        assert result.recvs[0].at >= 0.015
        assert result.sends[1].at >= 0.01

    def test_the_same_numbers_give_the_same_recvs(self) -> None:
        runs = [returned(recv_sizes([5, 3, 8, 1, 0, 20], size=4, delay=0.003, pause=0.004)) for _ in range(3)]
        assert runs[0] == runs[1] == runs[2]

    @settings(max_examples=40, deadline=None)
    @given(messages, st.integers(1, 20))
    def test_without_times_the_stream_is_cut_by_the_size_of_the_recv(self, sent: list[bytes], size: int) -> None:
        stream = b"".join(sent)
        result = recv_sizes(sent, size=size)
        assert returned(result) == [stream[n : n + size] for n in range(0, len(stream), size)]
        assert [send.data for send in result.sends] == sent
        assert result.end == CLOSED

    @settings(max_examples=25, deadline=None)
    @given(
        messages,
        st.integers(1, 30),
        st.sampled_from([0.0, 0.001]),
        st.sampled_from([0.0, 0.001]),
        st.fixed_dictionaries(
            {},
            optional={
                "slice_size": st.integers(1, 9),
                "slice_variation": st.integers(0, 4),
                "slice_delay": st.sampled_from([0.0, 0.001]),
                "latency": st.sampled_from([0.0, 0.002]),
                "jitter": st.sampled_from([0.0, 0.002]),
                "bandwidth": st.sampled_from([None, 20_000]),
                "slow_close": st.sampled_from([0.0, 0.002]),
            },
        ),
    )
    def test_whatever_the_sizes_and_the_link_the_bytes_are_the_same(
        self, sent: list[bytes], size: int, delay: float, pause: float, faults: dict[str, Any]
    ) -> None:
        result = recv_sizes(sent, size=size, delay=delay, pause=pause, **faults)
        assert b"".join(returned(result)) == b"".join(sent)
        assert all(1 <= len(recv.data) <= size for recv in result.recvs)
        assert [recv.start for recv in result.recvs] == list(accumulate(map(len, returned(result)), initial=0))[:-1]
        assert result.end == CLOSED

    def test_a_link_that_slices(self) -> None:
        result = recv_sizes([5, 3, 8], slice_size=3, slice_delay=0.01)
        assert b"".join(returned(result)) == b"aaaaabbbcccccccc"
        # Slices may come together, and the link cuts where a send came to it by itself.
        assert {recv.stop for recv in result.recvs} <= {3, 5, 6, 8, 9, 12, 15, 16}

    def test_more_than_the_buffers_hold(self) -> None:
        result = recv_sizes([MOST - 5, 5], size=65536, pause=0.0005, latency=0.001)
        assert result.received == MOST
        assert result.end == CLOSED

    def test_a_connection_that_is_reset(self) -> None:
        result = recv_sizes([5, 5], delay=0.2, reset_peer=0.05)
        assert result.end == RESET
        assert returned(result) in ([b"aaaaa"], [])
        assert "the connection was reset" in result.sentence()

    def test_a_link_that_closes_in_the_middle(self) -> None:
        result = recv_sizes([5, 3, 8], limit_data=7)
        assert b"".join(returned(result)) == b"aaaaabb"
        assert result.title.startswith("7 of 16 bytes")

    def test_a_link_that_swallows_everything(self) -> None:
        result = recv_sizes([5, 3], timeout=0, at_most=0.1)
        assert (returned(result), result.end) == ([], "")

    def test_messages_of_nothing(self) -> None:
        result = recv_sizes([0, 0])
        assert (returned(result), result.end) == ([], CLOSED)


class TestSteps:
    """What a panel relies on."""

    def test_shares_ascend_and_bytes_are_only_added(self) -> None:
        steps = list(recv_sizes_steps([5] * 20, delay=0.03))
        shares = [share for share, _ in steps]
        assert shares == sorted(shares)  # type: ignore[type-var]
        assert (shares[0], shares[-1]) == (0.0, 1.0)
        assert len(steps) >= 3  # 570 ms of delays, and a step every 40
        received = [result.received for _, result in steps]
        assert received == sorted(received)

    @pytest.mark.parametrize("faults", [{}, {"slice_size": 2, "slice_delay": 0.01}], ids=["direct", "link"])
    @pytest.mark.parametrize("after", [0, 1, 2])
    def test_closed_at_any_step_it_leaves_nothing(self, faults: dict[str, Any], after: int) -> None:
        with nothing_left():
            steps = recv_sizes_steps([5] * 10, delay=0.03, **faults)
            for _ in range(after):
                next(steps)
            steps.close()

    @pytest.mark.parametrize(
        ("wrong", "error", "words"),
        [
            ({"messages": []}, ValueError, "1 to 1,000 messages, but got 0"),
            ({"messages": [-1]}, ValueError, "message 1 wanted a whole number of bytes from 0"),
            ({"messages": [3, 2.5]}, ValueError, "message 2 wanted a whole number of bytes"),
            ({"messages": [MOST, 1]}, ValueError, "with message 2"),
            ({"messages": ["text"]}, TypeError, "encode it"),
            ({"messages": b"text"}, TypeError, "a list of sizes or of bytes"),
            ({"messages": 5}, TypeError, "a list of sizes or of bytes"),
            ({"size": 0}, ValueError, "size wanted a whole number of bytes from 1"),
            ({"size": "4"}, ValueError, "but got '4'"),
            ({"delay": -1}, ValueError, "delay wanted a number of seconds from 0 to 60"),
            ({"pause": float("nan")}, ValueError, "but got nan"),
            ({"pause": "soon"}, ValueError, "but got 'soon'"),
            ({"at_most": 0}, ValueError, "at_most wanted"),
            ({"loss": 0.1}, TypeError, "a link for connections has no fault 'loss'"),
            ({"latency": -1}, ValueError, "latency must be a number from 0 to 3600 seconds"),
        ],
    )
    def test_arguments_are_checked_when_it_is_called(self, wrong: dict[str, Any], error: Any, words: str) -> None:
        with pytest.raises(error, match=words):
            recv_sizes_steps(**wrong)


class TestDrawing:
    """The picture of a result."""

    def texts(self, ax: Any) -> list[str]:
        return [text.get_text() for text in ax.texts if text.get_text()]

    def test_blocks_are_named_and_bytes_have_their_letters(self) -> None:
        picture: Any = draw_recv_sizes(RecvSizes.of([b"hello", b"wor\n"], [b"hel", b"lowo", b"r\n"]))
        (ax,) = picture.axes
        texts = self.texts(ax)
        assert [text for text in texts if len(text) > 1] == ["send 1", "send 2", "recv 1", "recv 2", "recv 3"]
        assert "".join(text for text in texts if len(text) == 1) == "hellowor·" * 2
        assert ax.get_title(loc="left") == "2 sends arrived in 3 recvs"
        assert ax.get_xlabel() == "place in the stream (bytes)"

    def test_many_recvs_are_cut(self) -> None:
        picture: Any = draw_recv_sizes(RecvSizes.of([b"x" * 500], [b"x"] * 500), title="Many")
        (ax,) = picture.axes
        assert ax.get_xlim() == (0, 100)
        assert "the first 100 recvs" in ax.get_xlabel()
        assert ax.get_title(loc="left") == "Many"

    def test_on_axes_of_ones_own(self) -> None:
        from socketlab.measure import figure

        picture = figure(columns=2)
        result = RecvSizes.of([b"ab"], [b"a", b"b"])
        assert draw_recv_sizes(result, ax=picture.axes[1]) is picture.axes[1]

    def test_nothing_to_draw(self) -> None:
        with pytest.raises(ValueError, match="at least one byte"):
            draw_recv_sizes(RecvSizes.of([], []))
