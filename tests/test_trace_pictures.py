"""Ladder and timeline: what is drawn is what happened, no two texts meet, and what was sent is shown literally."""

from __future__ import annotations

import dataclasses
import errno
import functools
import itertools
import math
import random
import re
import socket
import subprocess
import sys
import threading

import matplotlib
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from socketlab import tcp_server
from socketlab.handlers import echo
from socketlab.measure import Picture
from socketlab.trace import trace
from socketlab.trace.events import IN, OUT, Endpoint, Event, Failure, Piece
from socketlab.trace.views.ladder_layout import Layout
from socketlab.trace.views.ladder_paper import Box, Path
from socketlab.trace.views.ladder_picture import ladder
from socketlab.trace.views.ladder_planning import plan
from socketlab.trace.views.ladder_words import MONO, SANS, width
from socketlab.trace.views.timeline import KINDS, timeline

CARD = "#fdfdfb"
LISTENER = Endpoint("listener", "tcp", helper=True, listening=True)
RESET = Failure("ConnectionResetError", 104, "Connection reset by peer")


class Story:
    """Calls, one after the other: each begins 15 µs after the last one's end and takes 10 µs, unless said otherwise."""

    def __init__(self) -> None:
        self.calls: list[dict] = []
        self.now = 0

    def call(self, name, end, *, since=None, takes=10_000, pause=15_000, **slots) -> int:
        """`since` is the number of a call: this one began when that one did, and waited until now."""
        start = self.now + pause
        finish = start + takes
        if since is not None:
            start = self.calls[since - 1]["start_ns"] + 100
        self.now = finish
        number = len(self.calls) + 1
        thread = "echo server" if end is not None and end.name.startswith(("server", "listener")) else "main"
        place = {"number": number, "call": name, "end": end, "start_ns": start, "end_ns": finish, "thread": thread}
        self.calls.append({**place, **slots})
        return number

    def send(self, end, data, call="sendall", **slots) -> int:
        return self.call(call, end, data=data, size=len(data), direction=OUT, **slots)

    def recv(self, end, room, shares, call="recv", **slots) -> int:
        """`shares` are (number of the send, start, stop)."""
        data = b"".join(self.calls[sent - 1]["data"][start:stop] for sent, start, stop in shares)
        after = tuple(sent for sent, _, _ in shares)
        number = self.call(call, end, asked=str(room), data=data, size=len(data), direction=IN, after=after, **slots)
        pieces, at = [], 0
        for sent, start, stop in shares:
            pieces.append(Piece(sent, number, start, stop, at))
            at += stop - start
            self.calls[sent - 1].setdefault("pieces", ())
            self.calls[sent - 1]["pieces"] += (pieces[-1],)
        self.calls[number - 1]["pieces"] = tuple(pieces)
        return number

    def whole(self, sender, receiver, data, **slots) -> int:
        """A send, and a recv of all of it."""
        return self.recv(receiver, 4096, [(self.send(sender, data), 0, len(data))], **slots)

    def eof(self, end, after, **slots) -> int:
        return self.call("recv", end, asked="100", data=b"", size=0, direction=IN, after=(after,), **slots)

    def connected(self, client, server, listener=LISTENER) -> int:
        number = self.call("connect", client)
        return self.call("accept", listener, result=f"<{server.name}>", after=(number,))

    @property
    def events(self) -> list[Event]:
        return [Event(**slots) for slots in self.calls]


def pair(number="", kind="tcp"):
    client, server = f"client {number}".strip(), f"server {number}".strip()
    return Endpoint(client, kind, other=server), Endpoint(server, kind, other=client)


def echoed(pause=15_000):
    story, (client, server) = Story(), pair()
    story.connected(client, server)
    sent = story.send(client, b"hello", pause=pause)
    story.recv(server, 100, [(sent, 0, 5)], since=2)
    back = story.send(server, b"HELLO")
    story.recv(client, 100, [(back, 0, 5)], since=sent)
    closed = story.call("close", client)
    story.eof(server, closed)
    story.call("close", server)
    return story.events


def split():
    story, (client, server) = Story(), pair()
    sent = story.send(client, b"GET / HTTP/1.1\r\n\r\n")
    for start, stop in ((0, 5), (5, 10), (10, 18)):
        story.recv(server, 100, [(sent, start, stop)])
    one, two = story.send(server, b"one "), story.send(server, b"two")
    story.recv(client, 100, [(one, 0, 4), (two, 0, 3)])
    return story.events


def reset():
    story, (client, server) = Story(), pair()
    story.connected(client, server)
    story.send(client, b"never read")
    closed = story.call("close", server)
    story.call("recv", client, asked="100", direction=IN, failure=RESET, after=(closed,), since=3)
    story.call("close", client)
    return story.events


def datagrams():
    story = Story()
    client, server = Endpoint("client", "udp"), Endpoint("server", "udp")
    for i in range(5):
        sent = story.send(client, b"datagram %d" % i, "sendto")
        if i not in (1, 3):
            story.recv(server, 2048, [(sent, 0, 10)], "recvfrom")
    return story.events


def listening():
    story, (client, server) = Story(), pair()
    listener = Endpoint("listener", "tcp", listening=True)
    story.call("socket", listener, asked="AF_INET, SOCK_STREAM")
    story.call("bind", listener)
    story.call("listen", listener, asked="5")
    story.call("socket", client, asked="AF_INET, SOCK_STREAM")
    story.connected(client, server, listener)
    sent = story.send(client, b"hello, world")
    story.recv(server, 5, [(sent, 0, 5)], peek=True)
    story.recv(server, 100, [(sent, 0, 12)])
    story.call("setsockopt", server, asked="SO_LINGER, (1, 0)")
    story.call("close", listener)
    return story.events


def encrypted():
    story, (client, server) = Story(), pair(kind="tls")
    story.connected(client, server)
    story.recv(server, 100, [(story.send(client, b"secret", layer="tls"), 0, 6)], layer="tls")
    return story.events


def crowd(clients, rounds=1):
    story, pairs = Story(), [pair(i + 1) for i in range(clients)]
    for client, server in pairs:
        story.connected(client, server)
    for _ in range(rounds):
        sent = [story.send(client, b"hi from %d" % i) for i, (client, _) in enumerate(pairs)]
        for number, (_, server) in zip(sent, pairs, strict=True):
            story.recv(server, 100, [(number, 0, len(story.calls[number - 1]["data"]))])
    return story.events


def exchanges(times):
    story, (client, server) = Story(), pair()
    story.connected(client, server)
    for i in range(times):
        story.whole(client, server, b"ping %d" % i)
        story.whole(server, client, b"pong %d" % i)
    return story.events


def babble(calls, seed):
    """Sends and receives at random, pieces of all sizes, some never received."""
    draw, story, (client, server) = random.Random(seed), Story(), pair()
    story.connected(client, server)
    queues: dict[str, list[list[int]]] = {client.name: [], server.name: []}
    while len(story.calls) < calls:
        one, other = draw.sample((client, server), 2)
        queue = queues[other.name]
        if not queue or draw.random() < 0.5:
            number = story.send(one, draw.randbytes(draw.choice((1, 5, 40, 400))), draw.choice(("send", "sendall")))
            queues[one.name].append([number, 0])
            continue
        room = left = draw.choice((1, 10, 100, 1000))
        shares = []
        while left and queue:
            number, at = queue[0]
            stop = min(at + left, story.calls[number - 1]["size"])
            shares.append((number, at, stop))
            left -= stop - at
            queue[0][1] = stop
            if stop == story.calls[number - 1]["size"]:
                queue.pop(0)
        since = draw.choice((None, draw.randrange(1, len(story.calls) + 1)))
        story.recv(one, room, shares, since=since)
    return story.events


def peers(count):
    """Ends of one role that talk to each other."""
    story = Story()
    for i in range(1, count, 2):
        one, two = (Endpoint(f"peer {i + k}", "tcp", other=f"peer {i + 1 - k}") for k in (0, 1))
        story.whole(one, two, b"hello")
        story.whole(two, one, b"hello yourself")
    return story.events


NASTY = (b"$x_1^2$", b"\\alpha \\frac", b"<b onclick='x'>&amp;", b"\r\n\0\x1b[31m", b"%s {} \xf0\x9f\x92\xa9", b"'\"")


def nasty():
    story, (client, server) = Story(), pair()
    for data in NASTY:
        story.whole(client, server, data)
    story.call("bind", client, asked="'\0$\\alpha$\n汉字\u202e\udc80'")
    story.call("setsockopt", server, asked="$" * 300)
    odd = Failure("$Odd_Error^$" * 9, None, "")
    story.call("connect", Endpoint("<b>$\n_name_with_a_very_long_name_that_goes_on_and_on", "tcp"), failure=odd)
    return story.events


def alone():
    story, client = Story(), Endpoint("client", "tcp")
    story.call("socket", client, asked="AF_INET, SOCK_STREAM")
    story.call("connect", client, failure=Failure("ConnectionRefusedError", 111, "Connection refused"))
    return story.events


def without_an_end():
    story = Story()
    story.call("select", None, asked="1 to read, 0 to write", result="0 ready")
    return story.events


def without_clock():
    return [dataclasses.replace(event, start_ns=0, end_ns=0) for event in echoed()]


TRACES = {
    "echo": echoed,
    "after a pause": lambda: echoed(30_000_000),
    "split": split,
    "reset": reset,
    "datagrams": datagrams,
    "own listener": listening,
    "tls": encrypted,
    "refused": alone,
    "no end": without_an_end,
    "no clock": without_clock,
    "nasty": nasty,
    "six peers": lambda: peers(6),
    "2 clients": lambda: crowd(2),
    "5 clients": lambda: crowd(5),
    "10 clients": lambda: crowd(10, 5),
    "50 clients": lambda: crowd(50),
    "5,000 calls": lambda: exchanges(1250),
    **{f"{calls} calls, {seed}": lambda c=calls, s=seed: babble(c, s) for calls in (5, 20, 60) for seed in range(2)},
    "5,000 at random": lambda: babble(5000, 0),
}
TRACES = {name: functools.cache(make) for name, make in TRACES.items()}
everything = pytest.mark.parametrize("name", TRACES)


def seen(picture) -> dict[str, Bbox]:
    """Every text that can be seen, and its box in pixels."""
    picture.draw_without_rendering()
    boxes = {}
    (ax,) = picture.axes
    low, high = ax.get_xlim()
    outside = {id(tick.label1) for tick in ax.xaxis.get_major_ticks() if not low <= tick.get_loc() <= high}
    for text in picture.findobj(Text):  # matplotlib keeps ticks outside of the view and does not draw them
        if text.get_visible() and text.get_text().strip() and id(text) not in outside:
            boxes[f"{text.get_text()} #{len(boxes)}"] = text.get_window_extent()
    return boxes


def no_text_meets_another(picture):
    boxes = seen(picture)
    assert len(boxes) >= 3
    for (a, box), (b, other) in itertools.combinations(boxes.items(), 2):
        shared = Bbox.intersection(box, other)
        assert shared is None or min(shared.width, shared.height) < 1, f"{a} and {b} overlap"
    for label, box in boxes.items():
        assert min(box.x0, box.y0, picture.bbox.x1 - box.x1, picture.bbox.y1 - box.y1) >= 0, label


def drawn(picture, gid):
    """The artists of one kind."""
    return [one for one in picture.axes[0].get_children() if one.get_gid() == gid]


def words(picture, gid):
    return [text.get_text() for text in drawn(picture, gid)]


def luminance(color) -> float:
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(color))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a, b=CARD) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@everything
class TestLayout:
    @pytest.mark.filterwarnings("error")
    def test_no_text_of_a_ladder_meets_another(self, name):
        no_text_meets_another(ladder(TRACES[name]()))

    @pytest.mark.filterwarnings("error")
    def test_no_text_of_a_timeline_meets_another(self, name):
        no_text_meets_another(timeline(TRACES[name]()))

    @pytest.mark.parametrize("draw", [ladder, timeline])
    def test_dark_text_on_opaque_paper(self, draw, name):
        picture = draw(TRACES[name]())
        picture.draw_without_rendering()
        assert picture.get_facecolor()[3] == picture.axes[0].get_facecolor()[3] == 1
        for text in picture.findobj(Text):
            if text.get_text().strip():
                assert contrast(text.get_color()) >= 7, text.get_text()
                assert contrast(text.get_color(), picture.get_facecolor()) >= 6.5, text.get_text()


@pytest.mark.parametrize("draw", [ladder, timeline])
@pytest.mark.parametrize("name", ["echo", "datagrams", "nasty", "5 clients", "5,000 calls", "60 calls, 0"])
class TestHouse:
    def test_a_picture_of_the_house(self, draw, name):
        settings = dict(matplotlib.rcParams)
        picture = draw(TRACES[name]())
        assert type(picture) is Picture
        assert re.fullmatch(r"<Picture size 750x\d+0 with 1 Axes>", repr(picture))
        assert picture.png(1).startswith(b"\x89PNG")
        assert dict(matplotlib.rcParams) == settings

    def test_size_does_not_depend_on_times(self, draw, name):
        events = TRACES[name]()
        slower = [dataclasses.replace(e, start_ns=e.start_ns * 977, end_ns=e.end_ns * 1009) for e in events]
        assert repr(draw(events)) == repr(draw(slower))


class TestArrows:
    @pytest.mark.parametrize("name", ["echo", "split", "own listener", "60 calls, 1", "20 calls, 1"])
    def test_an_arrow_for_each_piece(self, name):
        events = TRACES[name]()
        pieces = {piece for event in events for piece in event.pieces}
        unread = sum(
            event.size > sum(len(p) for p in event.pieces if not events[p.received - 1].peek)
            for event in events
            if event.direction == OUT
        )
        picture = ladder(events)
        assert len(pieces) > 1
        assert len(drawn(picture, "bytes")) == len(pieces) + unread
        assert len(drawn(picture, "lost")) == unread
        assert len(drawn(picture, "head")) == len(pieces) + sum(e.call == "accept" or e.size == 0 for e in events)

    def test_from_the_call_that_sent_to_the_one_that_got(self):
        events = split()
        picture = ladder(events)
        marks = [(mark.get_xdata()[0], mark.get_ydata()[0]) for mark in drawn(picture, "call")]
        assert len(marks) == len(events)
        ends = set()
        for line in drawn(picture, "bytes"):
            (x0, x1), (y0, y1) = line.get_data()
            ends.add(tuple(min(marks, key=lambda m: abs(m[0] - x) + abs(m[1] - y)) for x, y in ((x0, y0), (x1, y1))))
        pieces = {piece for event in events for piece in event.pieces}
        assert ends == {(marks[piece.sent - 1], marks[piece.received - 1]) for piece in pieces}

    def test_with_their_bytes(self):
        assert sorted(words(ladder(split()), "on arrow")) == sorted(
            ["b'GET /'", "b' HTTP'", r"b'/1.1\r\n\r\n'", "b'one '", "b'two'"]
        )

    def test_bytes_that_were_not_kept_are_counted(self):
        events = [dataclasses.replace(event, data=None) for event in split()]
        assert sorted(words(ladder(events), "on arrow")) == sorted(
            ["5 bytes", "5 bytes", "8 bytes", "4 bytes", "3 bytes"]
        )

    def test_time_runs_down(self):
        for line in drawn(ladder(babble(60, 3)), "bytes"):
            y0, y1 = line.get_ydata()
            assert y0 < y1

    def test_connection_and_end_of_stream(self):
        picture = ladder(echoed())
        assert len(drawn(picture, "connection")) == len(drawn(picture, "end of stream")) == 1
        assert {"connection", "end of stream"} < set(words(picture, "on arrow"))

    def test_datagrams_are_dashed_and_lost_ones_are_crossed_out(self):
        picture = ladder(datagrams())
        lines = drawn(picture, "datagram")
        assert len(lines) == 5
        assert all(line.is_dashed() for line in lines)
        crosses = drawn(picture, "lost")
        assert [cross.get_marker() for cross in crosses] == ["x", "x"]
        assert picture.axes[0].get_title(loc="left") == "2 of 5 datagrams reach nobody"

    def test_a_datagram_that_was_cut_off(self):
        story = Story()
        sent = story.send(Endpoint("client", "udp"), b"0123456789", "sendto")
        story.recv(Endpoint("server", "udp"), 4, [(sent, 0, 4)], "recvfrom")
        picture = ladder(story.events)
        assert words(picture, "on arrow") == ["b'0123', 6 cut off"]
        assert not drawn(picture, "lost")

    def test_a_peek_is_hollow(self):
        picture = ladder(listening())
        faces = {to_hex(head.get_facecolor()) for head in drawn(picture, "head") if head.get_gid() == "head"}
        assert CARD in faces
        assert len(faces) > 1
        hollow = [mark for mark in drawn(picture, "call") if to_hex(mark.get_markerfacecolor()) == CARD]
        assert len(hollow) == 1

    def test_errors_have_a_colour_and_a_sign(self):
        picture = ladder(reset())
        (text,) = [text for text in drawn(picture, "words") if "✗" in text.get_text()]
        assert "ConnectionResetError" in text.get_text()
        crosses = [mark for mark in drawn(picture, "call") if mark.get_marker() == "X"]
        assert len(crosses) == 1
        (line,) = drawn(picture, "reset")
        assert text.get_color() == crosses[0].get_markerfacecolor() == line.get_color()
        assert "reset" in words(picture, "on arrow")

    def test_not_now_is_no_error(self):
        story = Story()
        for failure in (Failure("BlockingIOError", 11, ""), RESET):
            story.call("recv", Endpoint("client", "tcp"), asked="1", direction=IN, failure=failure)
        picture = ladder(story.events)
        soft, hard = (text.get_color() for text in drawn(picture, "words"))
        assert soft != hard
        assert "ConnectionResetError" in picture.axes[0].get_title(loc="left")

    def test_encrypted_bytes_have_a_padlock(self):
        assert len(drawn(ladder(encrypted()), "tls")) == 1
        assert not drawn(ladder(echoed()), "tls")

    def test_lines_can_be_seen(self):
        for name in ("echo", "reset", "datagrams", "5 clients", "own listener"):
            picture = ladder(TRACES[name]())
            for gid in ("bytes", "datagram", "connection", "end of stream", "reset", "lost"):
                for line in drawn(picture, gid):
                    assert contrast(line.get_color()) >= 3, (name, gid)


class TestRows:
    def test_what_is_shown(self):
        events = echoed()
        looks = dataclasses.replace(events[0], number=90, call="getsockname")
        ours = dataclasses.replace(events[0], number=91, call="settimeout", housekeeping=True)
        inner = dataclasses.replace(events[2], number=92, call="send", inside=3, pieces=())
        assert words(ladder([*events, looks, ours, inner]), "words") == words(ladder(events), "words")

    def test_bytes_of_an_inner_call_belong_to_the_one_that_was_called(self):
        story, (client, server) = Story(), pair()
        story.call("sendfile", client, data=b"0123456789", size=10, direction=OUT)
        for at in (0, 5):
            story.send(client, b"01234", "send", inside=1)
            story.recv(server, 5, [(at // 5 * 2 + 2, 0, 5)])
        picture = ladder(story.events)
        assert words(picture, "words") == ["sendfile", "recv(5)", "recv(5)"]
        assert len(drawn(picture, "bytes")) == 2
        assert not drawn(picture, "lost")

    def test_a_listener_that_only_accepts_has_no_column(self):
        def headings(events):
            return [column.role for column in plan(events, 60).columns]

        assert headings(echoed()) == ["client", "server"]
        assert headings(listening()) == ["client", "server", "listener"]

    def test_an_end_begins_where_it_was_made(self):
        picture = ladder(listening())
        (birth,) = drawn(picture, "birth")
        accept = next(mark for mark in drawn(picture, "words") if mark.get_text().startswith("accept"))
        assert birth.get_ydata()[0] == accept.get_position()[1]

    def test_ends_of_one_role_share_a_column(self):
        picture = ladder(crowd(5))
        assert {"client 1–5", "server 1–5"} <= {text.get_text() for text in picture.axes[0].texts}
        numbers = [text.get_text() for text in picture.axes[0].texts if re.fullmatch(r"\d", text.get_text())]
        assert len(numbers) == len(crowd(5))

    def test_two_clients_that_talk_to_each_other_do_not(self):
        one, two = Endpoint("client 1", "tcp", other="client 2"), Endpoint("client 2", "tcp", other="client 1")
        story = Story()
        story.whole(one, two, b"hello")
        assert [column.role for column in plan(story.events, 60).columns] == ["client 1", "client 2"]

    def test_a_call_that_waited_has_a_bar(self):
        waits = plan(echoed(), 60).rows
        assert [row.event.call for row in waits if row.wait] == ["recv", "recv"]
        picture = ladder(echoed(30_000_000))
        assert len(drawn(picture, "wait")) == 2
        assert all(bar.get_hatch() for bar in drawn(picture, "wait"))
        assert any(re.fullmatch(r"waits 30 ms", text) for text in words(picture, "waits"))

    def test_a_send_waits_below_its_row(self):
        story, (client, server) = Story(), pair()
        sent = story.send(client, b"x" * 100, takes=5_000_000)
        story.now = 0
        for at in (0, 50):
            story.recv(server, 50, [(sent, at, at + 50)], pause=2_000_000)
        first, *_ = plan(story.events, 60).rows
        assert first.wait is not None
        assert first.wait[0] == 0
        assert first.wait[1] > 2

    def test_quick_calls_have_none(self):
        assert not any(row.wait for row in plan(split(), 60).rows)

    @pytest.mark.parametrize("seed", range(5))
    def test_the_clock_never_goes_back(self, seed):
        draw = random.Random(seed)
        events = [
            dataclasses.replace(e, start_ns=(t := e.start_ns + draw.randrange(90_000)), end_ns=t + 10_000)
            for e in babble(40, seed)
        ]
        shown = [float(text.split()[0]) for text in words(ladder(events), "clock")]
        assert len(shown) >= 10
        assert shown == sorted(shown)

    def test_own_title(self):
        assert ladder(echoed(), title="Cost: $5").axes[0].get_title(loc="left") == "Cost: $5"
        assert timeline(echoed(), title="Cost: $5").axes[0].get_title(loc="left") == "Cost: $5"

    @pytest.mark.parametrize(
        ("name", "title"),
        [
            ("split", "One sendall() arrives in 3 pieces"),
            ("echo", "client sends 5 bytes, 5 come back"),
            ("reset", "client: recv() ends in ConnectionResetError"),
            ("5 clients", "5 clients, 5 conversations"),
            ("no end", "1 call, and no bytes"),
        ],
    )
    def test_the_title_states_the_finding(self, name, title):
        assert ladder(TRACES[name]()).axes[0].get_title(loc="left") == title

    def test_nothing_to_draw(self):
        for draw in (ladder, timeline):
            assert "No socket call came back" in " ".join(seen(draw([])))

    def test_too_few_rows(self):
        with pytest.raises(ValueError, match="at least 3 rows, but got 2"):
            ladder(echoed(), rows=2)


def counted(made, calls) -> int:
    """How many of so many calls are left out, when those that have a row count as often as they repeat."""
    for y, row in enumerate(made.rows):
        calls -= math.prod(times for first, last, _, times in made.blocks if first <= y <= last) if row.event else 0
    assert calls == sum(row.left_out for row in made.rows)
    return calls


class TestLongTraces:
    def test_repeated_exchanges_are_drawn_once(self):
        picture = ladder(exchanges(1250))
        assert words(picture, "times") == ["× 1,250"]
        assert words(picture, "words") == ["connect()", "accept()", "sendall", "recv(4096)", "sendall", "recv(4096)"]
        assert words(picture, "on arrow")[:2] == ["b'ping 0'", "b'pong 0'"]

    def test_folds_within_folds(self):
        story = Story()
        for i in range(20):
            client, server = pair(i + 1)
            story.connected(client, server)
            for j in range(30):
                story.whole(client, server, b"%d" % j)
            story.call("close", client)
        picture = ladder(story.events)
        assert sorted(words(picture, "times")) == ["× 20", "× 30"]
        assert "b'0'" in words(picture, "on arrow")

    @pytest.mark.parametrize("rows", [3, 10, 60])
    def test_of_the_rest_beginning_and_end_are_drawn(self, rows):
        events = babble(5000, 1)
        picture = ladder(events, rows=rows)
        calls = words(picture, "words")
        assert len(calls) == rows - 1
        (more,) = [text.get_text() for text in picture.axes[0].texts if "more" in text.get_text()]
        assert more == f"… {counted(plan(events, rows), 5000):,} calls more …"

    def test_every_call_is_drawn_or_counted(self):
        for name in ("10 clients", "50 clients", "5,000 calls"):
            made = plan(TRACES[name](), 60)
            assert len(made.rows) <= 60
            assert counted(made, len(made.calls)) == 0

    def test_a_stretch_that_was_not_handed_over_is_counted(self):
        events = exchanges(1250)
        picture = ladder([*events[:500], *events[-500:]])
        (more,) = [text.get_text() for text in picture.axes[0].texts if "more" in text.get_text()]
        assert more == f"… {len(events) - 1000:,} calls more …"
        assert sorted(words(picture, "times")) == ["× 124", "× 125"]
        assert picture.axes[0].get_title(loc="left") == "5,002 calls: how they begin and how they end"
        picture = ladder([*events[:500], *events[-500:]], rows=4)
        (more,) = [text.get_text() for text in picture.axes[0].texts if "more" in text.get_text()]
        left_out = counted(plan([*events[:500], *events[-500:]], 4), len(events))
        assert len(words(picture, "words")) == 3
        assert more == f"… {left_out:,} calls more …"

    def test_lost_datagrams_are_counted(self):
        story = Story()
        client, server = Endpoint("client", "udp"), Endpoint("server", "udp")
        sent = [story.send(client, b"x", "sendto") for _ in range(200)]
        for number in sent[:6]:
            story.recv(server, 10, [(number, 0, 1)], "recvfrom")
        picture = ladder(story.events)
        assert picture.axes[0].get_title(loc="left") == "194 of 200 datagrams reach nobody"
        assert "194 not received" in words(picture, "on arrow")


def plan_x(events, column):
    """Where a column's line stands."""
    return Layout(plan(events, 60)).x[column][0]


class TestPlaces:
    def test_times_count_from_the_first_row(self):
        events = [dataclasses.replace(e, start_ns=e.start_ns + 10**9, end_ns=e.end_ns + 10**9) for e in echoed()]
        late, early = words(ladder(events), "clock"), words(ladder(echoed()), "clock")
        assert late[0] == "0 µs"
        assert late == early

    @pytest.mark.parametrize("unit", ["µs", "ms", "s"])
    def test_the_first_time_is_zero_in_the_unit_of_the_others(self, unit):
        pause = {"µs": 15_000, "ms": 30_000_000, "s": 3_000_000_000}[unit]
        times = words(ladder(echoed(pause)), "clock")
        assert times[0] == f"0 {unit}"
        assert all(text.endswith(f" {unit}") for text in times)

    def test_of_each_arrow_beginning_and_tip_can_be_seen(self):
        for name in ("echo", "split"):
            picture = ladder(TRACES[name]())
            boxes = [text.get_window_extent() for text in drawn(picture, "on arrow")]
            for line in drawn(picture, "bytes"):
                (x0, y0), *_, (x1, y1) = picture.axes[0].transData.transform(line.get_xydata())
                for share in (0.02, 0.95):
                    x, y = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
                    assert not any(box.contains(x, y) for box in boxes), name

    def test_bytes_that_are_not_read_leave_below_those_that_are(self):
        story, (client, server) = Story(), pair()
        sent = story.send(client, b"hello")
        story.recv(server, 1, [(sent, 0, 1)])
        story.call("close", server)
        picture = ladder(story.events)
        (cross,) = drawn(picture, "lost")
        read, unread = sorted(drawn(picture, "bytes"), key=lambda line: -abs(line.get_xdata()[1] - line.get_xdata()[0]))
        (x0, x1), (y0, y1) = read.get_data()
        x, y = cross.get_xdata()[0], cross.get_ydata()[0]
        assert y - (y0 + (y1 - y0) * (x - x0) / (x1 - x0)) > 10
        assert words(picture, "on arrow") in (["b'h'", "b'ello'"], ["b'ello'", "b'h'"])
        assert unread.get_ydata()[1] > read.get_ydata()[0]

    @pytest.mark.parametrize("whose", ["client", "server", "listener"])
    def test_a_bracket_stands_beside_the_calls_it_holds(self, whose):
        story, (client, server) = Story(), pair()
        listener = Endpoint("listener", "tcp", listening=True)
        story.call("listen", listener)
        story.connected(client, server, listener)
        end = {"client": client, "server": server, "listener": listener}[whose]
        for _ in range(100):
            story.call("setsockopt", end, asked="SO_LINGER")
        story.call("close", client)
        picture = ladder(story.events)
        (bracket,), (times,) = drawn(picture, "block"), drawn(picture, "times")
        (label,) = [text for text in drawn(picture, "words") if text.get_text().startswith("setsockopt")]
        picture.draw_without_rendering()
        box, figures = label.get_window_extent(), times.get_window_extent()
        tips = picture.axes[0].transData.transform(bracket.get_xydata())[:, 0]
        assert times.get_text() == ("100 ×" if whose == "client" else "× 100")
        if whose == "client":
            assert figures.x1 < min(tips) < max(tips) < box.x0
        else:
            assert box.x1 < min(tips) < max(tips) < figures.x0
        if whose != "listener":
            gap = box.x0 - max(tips) if whose == "client" else min(tips) - box.x1
            assert gap < 20

    def test_what_another_process_reads_is_not_lost(self):
        story = Story()
        left, right = (
            Endpoint(name, "unix stream", other=other) for name, other in (("left", "right"), ("right", "left"))
        )
        story.call("socketpair", left, result="<left>, <right>")
        story.call("close", right)
        story.send(left, b"anybody?")
        story.call("recv", left, asked="100", data=b"anybody?", size=8, direction=IN)
        picture = ladder(story.events)
        assert not drawn(picture, "lost")
        assert words(picture, "elsewhere") == ["read in another process"]
        there, back = drawn(picture, "bytes")
        assert to_hex(there.get_color()) == to_hex(back.get_color()) == "#6b737c"
        far = plan_x(story.events, 1)
        tip = max(head.get_xy()[:, 0].max() for head in drawn(picture, "head"))
        assert tip == pytest.approx(far)
        assert max(back.get_xdata()) == pytest.approx(far)

    def test_a_closed_end_that_never_answers_reads_nothing(self):
        story, (client, server) = Story(), pair()
        story.connected(client, server)
        story.call("close", server)
        story.send(client, b"anybody?")
        picture = ladder(story.events)
        assert len(drawn(picture, "lost")) == 1
        assert not drawn(picture, "elsewhere")

    def test_headings_are_whole_where_there_is_room(self):
        story, (client, server) = Story(), pair()
        listener, new = Endpoint("listener", "tcp", listening=True), Endpoint("socket", "tcp")
        story.call("create_server", listener)
        story.connected(client, server, listener)
        story.eof(client, story.call("close", server))
        story.call("bind", new, failure=Failure("OSError", errno.EADDRINUSE, ""))
        picture = ladder(story.events)
        assert {"client", "socket", "server", "listener"} <= {text.get_text() for text in picture.axes[0].texts}
        assert "bind() ✗ OSError EADDRINUSE" in words(picture, "words")
        no_text_meets_another(picture)

    def test_labels_of_several_ends_are_whole_and_the_longest_waits_written(self):
        story, pairs = Story(), [pair(1), pair(2)]
        listener = Endpoint("listener", "tcp", listening=True)
        story.call("create_server", listener)
        for client, server in pairs:
            number = story.call("create_connection", client)
            story.call("accept", listener, result=f"<{server.name}>", after=(number,))
        sent = story.send(pairs[1][0], b"Hello?")
        late = Failure("TimeoutError", None, "timed out")
        story.call("recv", pairs[1][0], asked="1024", direction=IN, failure=late, takes=100_000_000)
        closed = story.call("close", pairs[0][0])
        story.eof(pairs[0][1], closed, since=sent)
        picture = ladder(story.events)
        assert not [label for label in words(picture, "words") if "…" in label]
        assert {"create_connection()", "recv(100) → b''"} <= set(words(picture, "words"))
        assert len(words(picture, "waits")) == 2
        assert all("waits 100 ms" in text for text in words(picture, "waits"))
        no_text_meets_another(picture)


class TestLiteral:
    @pytest.mark.filterwarnings("error")
    def test_nothing_is_markup_and_nothing_moves_the_cursor(self):
        for picture in (ladder(nasty()), timeline(nasty())):
            picture.png(1)
            for text in picture.findobj(Text):
                if text.get_gid() or text.get_text() not in (*KINDS, "waiting"):
                    assert text.get_text().isprintable(), text
                if any(sign in text.get_text() for sign in "$\\^"):
                    assert not text.get_parse_math(), text

    def test_bytes_stand_as_they_are(self):
        labels = words(ladder(nasty()), "on arrow")
        for data in NASTY:
            assert repr(data) in labels

    @pytest.mark.parametrize("weight", ["normal", "bold"])
    @pytest.mark.parametrize("family", [MONO, SANS])
    def test_text_is_as_wide_as_it_was_measured(self, family, weight):
        picture = ladder(echoed())
        for words in ("recv(100) → b'hello'", "waits 30 ms", "client 1–10", "iiiWWW"):
            text = picture.axes[0].text(0, 0, words, family=family, fontsize=8.5, fontweight=weight)
            wide = text.get_window_extent().width * 72 / picture.dpi
            assert width(words, family, 8.5, weight) == pytest.approx(wide, rel=0.05, abs=2)


def bars(picture):
    """(lane, kind, start, end) of every bar."""
    (ax,) = picture.axes
    lanes = [label.get_text() for label in ax.get_yticklabels()]
    high = ax.get_ylim()[0] / len(lanes)
    found = []
    for several in ax.collections:
        if isinstance(several, PolyCollection) and several.get_gid():
            for path in several.get_paths():
                box = path.get_extents()
                found.append((lanes[int((box.y0 + box.y1) / 2 / high)], several.get_gid(), box.x0, box.x1))
    return sorted(found, key=lambda bar: bar[2])


class TestTimeline:
    def test_a_bar_for_each_call_in_seconds(self):
        events = echoed()
        found = bars(timeline(events))
        assert len(found) == len(events)
        for (lane, _, start, end), event in zip(found, sorted(events, key=lambda e: e.start_ns), strict=True):
            assert lane == event.thread
            assert (start, end) == pytest.approx((event.start_ns / 1e9, event.end_ns / 1e9))

    def test_kinds_of_calls(self):
        kinds = {
            event.call: kind for event, (_, kind, _, _) in zip(listening(), bars(timeline(listening())), strict=True)
        }
        assert kinds["connect"] == kinds["accept"] == "connect, accept"
        assert kinds["sendall"] == "send"
        assert kinds["recv"] == "receive"
        assert kinds["close"] == "close, shutdown"
        assert kinds["bind"] == "other"

    def test_waiting_is_pale_and_hatched(self):
        picture = timeline(echoed(30_000_000))
        waits = [bar for bar in bars(picture) if bar[1] == "receive, waits"]
        assert len(waits) == 1
        (poly,) = [p for p in picture.axes[0].collections if p.get_gid() == "receive, waits"]
        assert poly.get_hatch()
        assert luminance(poly.get_facecolor()[0]) > 0.5
        assert picture.axes[0].get_title(loc="left") == "echo server spends 99 % of 30 ms waiting"

    def test_lanes_in_the_order_of_the_trace(self):
        (ax,) = timeline(echoed()).axes
        assert [label.get_text() for label in ax.get_yticklabels()] == ["main", "echo server"]
        assert ax.yaxis_inverted()

    def test_every_call_is_named_or_counted(self):
        for name in ("echo", "split", "own listener", "60 calls, 1"):
            told = 0
            for text in words(timeline(TRACES[name]()), "words"):
                counted = re.search(r"\((\d+) calls\)$", text)
                told += int(counted[1]) if counted else 1 + text.count(", ")
            assert told == len(TRACES[name]())

    def test_unit_of_the_axis(self):
        for factor, unit in ((1, "µs"), (1000, "ms"), (1_000_000, "s")):
            events = [dataclasses.replace(e, start_ns=e.start_ns * factor, end_ns=e.end_ns * factor) for e in echoed()]
            (ax,) = timeline(events).axes
            assert ax.get_xlabel() == f"time ({unit})"

    def test_shares_of_long_traces_add_up(self):
        """The area of each colour is the time spent in those calls, for whatever number of calls."""
        events = babble(5000, 2)
        took: dict[str, float] = {}
        for event in events:
            if event.direction:
                kind = ("send" if event.direction == OUT else "receive") + ", waits" * (event.duration_ns >= 100_000)
                took[kind] = took.get(kind, 0) + event.duration_ns / 1e9
        events = [dataclasses.replace(e, thread=f"{e.thread} {e.number % 97}") for e in events]
        assert len({event.thread for event in events}) > 60  # more than fit: the first are drawn
        calm = [dataclasses.replace(e, start_ns=e.end_ns - 10_000, thread="main") for e in events]
        picture = timeline(calm)
        area: dict[str, float] = {}
        high = 31.0  # of a lane that is full
        for poly in picture.axes[0].collections:
            if isinstance(poly, PolyCollection) and poly.get_gid():
                x, y = poly.get_paths()[0].vertices.T
                shoelace = abs(sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
                area[poly.get_gid()] = area.get(poly.get_gid(), 0) + shoelace / high
        for kind, direction in (("send", OUT), ("receive", IN)):
            wanted = sum(e.duration_ns for e in calm if e.direction == direction) / 1e9
            assert area[kind] == pytest.approx(wanted, rel=0.01)

    def test_shares_are_piled_up_and_hide_nothing(self):
        picture = timeline([dataclasses.replace(event, thread="main") for event in exchanges(500)])
        (ax,) = picture.axes
        shapes = [poly.get_paths()[0] for poly in ax.collections if poly.get_gid()]
        end, bottom = ax.get_xlim()[1], ax.get_ylim()[0]
        free = 0
        for x, y in itertools.product(range(1, 40), range(1, 30)):
            count = sum(shape.contains_point((x * end / 40.3, y * bottom / 30)) for shape in shapes)
            assert count <= 1
            free += count == 0
        assert 100 < free < 1000

    def test_many_threads(self):
        events = [dataclasses.replace(e, thread=f"thread {e.number % 100}") for e in babble(400, 1)]
        picture = timeline(events)
        assert "40 threads more are not drawn" in picture.axes[0].get_xlabel()
        no_text_meets_another(picture)

    def test_colours_differ_from_the_paper(self):
        for kind, color in KINDS.items():
            if kind != "looks":
                assert contrast(color) >= 3, kind
            assert to_rgba(color)[3] == 1


class TestRealTraces:
    def test_echo(self):
        with tcp_server(echo) as server, trace() as t:
            with socket.create_connection(server.address, timeout=5) as client:
                client.sendall(b"hello")
                assert client.recv(100) == b"hello"
        picture = ladder(t.events)
        assert len(drawn(picture, "bytes")) == 2
        assert words(picture, "on arrow").count("b'hello'") == 2
        assert not drawn(picture, "lost")
        no_text_meets_another(picture)
        no_text_meets_another(timeline(t.events))

    def test_three_pieces(self):
        left, right = socket.socketpair()
        with left, right, trace() as t:
            left.sendall(b"onetwothree")
            assert [right.recv(n) for n in (3, 3, 5)] == [b"one", b"two", b"three"]
        picture = ladder(t.events)
        assert sorted(words(picture, "on arrow")) == ["b'one'", "b'three'", "b'two'"]
        assert picture.axes[0].get_title(loc="left") == "One sendall() arrives in 3 pieces"

    def test_five_thousand_calls(self):
        left, right = socket.socketpair()
        with left, right, trace() as t:
            for _ in range(2500):
                left.send(b"x")
                right.recv(1)
        assert words(ladder(t.events), "times") == ["× 2,500"]

    def test_ten_clients(self):
        def talk():
            with socket.create_connection(server.address, timeout=5) as client:
                for i in range(10):
                    client.sendall(b"%d" % i)
                    client.recv(100)

        with tcp_server(echo) as server, trace() as t:
            threads = [threading.Thread(target=talk) for _ in range(10)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=10)
        no_text_meets_another(ladder(t.events))
        no_text_meets_another(timeline(t.events))


def test_matplotlib_comes_with_the_first_picture():
    program = """if True:
        import sys
        import socketlab.trace.views.ladder_picture, socketlab.trace.views.timeline
        print("matplotlib" in sys.modules, "numpy" in sys.modules)
        socketlab.trace.views.ladder_picture.ladder([])
        print("matplotlib" in sys.modules, "matplotlib.pyplot" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("False False\nTrue False\n", "")


def dense_loss(seed):
    """Datagrams both ways, many of them lost."""
    rng = random.Random(seed)
    story, client, server = Story(), Endpoint("client", "udp"), Endpoint("server", "udp")
    under_way: list[int] = []
    for number in range(14):
        one, other = (client, server) if rng.random() < 0.6 else (server, client)
        sent = story.send(one, b"datagram %d" % number, call="sendto")
        if rng.random() < 0.5:
            under_way.append((sent, other))
        if under_way and rng.random() < 0.5:
            sent, other = under_way.pop(rng.randrange(len(under_way)))
            story.recv(other, 100, [(sent, 0, story.calls[sent - 1]["size"])], call="recvfrom", since=sent)
    return story.events


class TestCrossings:
    @pytest.mark.parametrize("seed", range(8))
    def test_no_words_on_a_cross(self, seed):
        picture = ladder(dense_loss(seed))
        boxes = seen(picture)
        ax = picture.axes[0]
        crosses = drawn(picture, "lost")
        assert crosses
        for cross in crosses:
            (x, y) = ax.transData.transform((cross.get_xdata()[0], cross.get_ydata()[0]))
            around = Bbox([[x - 2, y - 2], [x + 2, y + 2]])
            assert not [words for words, box in boxes.items() if Bbox.intersection(around, box) is not None]

    @pytest.mark.parametrize("seed", range(8))
    def test_waits_stand_on_no_arrow(self, seed):
        for events in (dense_loss(seed), babble(60, seed), TRACES["10 clients"]()):
            picture = ladder(events)
            picture.draw_without_rendering()
            ax = picture.axes[0]
            kinds = ("bytes", "datagram", "connection", "end of stream", "reset")
            lines = [ax.transData.transform(line.get_xydata()) for kind in kinds for line in drawn(picture, kind)]
            for text in drawn(picture, "waits"):
                box = text.get_window_extent()
                where = Box(box.x0 + 1, box.y0 + 1, box.x1 - 1, box.y1 - 1)
                assert not [line for line in lines if Path(tuple(line[0]), tuple(line[-1])).crosses(where)], text

    def test_a_lost_arrow_ends_before_one_that_arrives(self):
        story, client, server = Story(), Endpoint("client", "udp"), Endpoint("server", "udp")
        first = story.send(client, b"one", call="sendto")
        for data in (b"two", b"three"):
            story.send(client, data, call="sendto")
        story.recv(server, 100, [(first, 0, 3)], call="recvfrom")
        lines = [line.get_xydata() for line in drawn(ladder(story.events), "datagram")]
        paths = [Path(tuple(line[0]), tuple(line[-1])) for line in lines]
        arrives = max(paths, key=lambda path: path.b[0])
        others = [path for path in paths if path is not arrives]
        assert len(others) == 2
        for lost in others:
            assert not arrives.meets(lost)
            assert lost.b[0] - lost.a[0] > 60, "and is long enough to be seen"
