"""Which call got which call's bytes: in a stream by counting, among datagrams by sender, receiver and content."""

from __future__ import annotations

import socket
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any

from .calls import Call, ended, length, name_of
from .events import OUT
from .links import Links
from .operations import Extra
from .recorder import Cut
from .sight import End
from .under_way import UNKNOWN

MSG_PEEK, MSG_OOB = int(socket.MSG_PEEK), int(socket.MSG_OOB)
NOT_DATA = int(getattr(socket, "MSG_ERRQUEUE", 0))  # error reports, not bytes of the stream


def tie(calls: Iterable[Call], partner: dict[End, End], unread: dict[End, int], links: Links) -> None:
    """Tie each receive among `calls` to the sends whose bytes it got (`Call.got`).

    `unread` says how many bytes waited in the queue of an end, and in links on their way there, when the trace closed.
    """
    sent: dict[tuple[End, bool], list[Call]] = defaultdict(list)
    got: dict[tuple[End, bool], list[Call]] = defaultdict(list)
    posted: list[Call] = []
    delivered: list[Call] = []
    for call in calls:
        direction = call.operation.direction
        if not direction or call.who is None or call.flags & NOT_DATA:
            continue
        if call.inside is not None and call.inside.operation.direction:
            continue  # the call around it tells
        if not call.who.stream:
            (posted if direction == OUT else delivered).append(call)
        else:
            (sent if direction == OUT else got)[call.who, call.operation.tls].append(call)
    for (end, tls), sends in sent.items():
        other = partner.get(end)
        receives = got.pop((other, tls), []) if other is not None else []
        if other in links.joined:
            _find_unseen(links.sends_to(other), receives, 0)
        _stream(sends, receives, unread.get(other, 0) if other is not None else 0)
    for (end, _), receives in got.items():
        _stream([], receives, unread.get(end, 0))
    posted.sort(key=ended)
    delivered.sort(key=ended)
    _datagrams(posted, links.follow(posted, delivered), partner)


def _stream(sends: list[Call], receives: list[Call], unread: int) -> None:
    """One direction of a stream: the n-th byte out is the n-th byte in. `unread` bytes are still in the queue."""
    sends.sort(key=ended)
    receives.sort(key=ended)
    _find_unseen(sends, receives, unread)
    urgent: deque[Call] = deque()
    stream: list[tuple[Call, int, int]] = []  # a send, where its bytes begin in the stream, where they end
    position = 0
    unknown = _sent_before_it_failed(sends, receives, unread)
    for call in sends:
        call.offset = position
        size = call.size
        if size is None:
            size = min(unknown, length(call.asked) or 0) if call.name == "sendall" else 0
            unknown -= size
        if call.flags & MSG_OOB and size:
            urgent.append(call)
            size -= 1  # its last byte travels beside the stream
        if size:
            stream.append((call, position, position + size))
        position += size
    at, position = 0, -_sent_before(sends, receives, unread, position)
    for call in receives:
        size = call.size or 0
        if call.flags & MSG_OOB:
            if size and urgent:
                source = urgent.popleft()
                whole = source.size or 1
                call.got(source, whole - 1, whole, 0)
            continue
        call.offset = max(position, 0)
        upto = position + size
        while at < len(stream) and stream[at][2] <= position:
            at += 1
        look = at
        while size and look < len(stream) and stream[look][1] < upto:
            source, begin, finish = stream[look]
            low, high = max(position, begin), min(upto, finish)
            call.got(source, low - begin, high - begin, low - position)
            look += 1
        if not call.flags & MSG_PEEK:
            position = upto


def _sent_before_it_failed(sends: list[Call], receives: list[Call], unread: int) -> int:
    """How much `sendall` had sent when it failed, which it does not say: what arrived beyond all other sends."""
    read = sum(call.size or 0 for call in receives if not call.flags & (MSG_PEEK | MSG_OOB))
    return max(0, read + unread - sum(call.size or 0 for call in sends))


def _sent_before(sends: list[Call], receives: list[Call], unread: int, total: int) -> int:
    """How many of the bytes that were read had been sent before the trace: what is read, or waits, beyond `total`."""
    if not sends or not receives or (sends[0].who is not None and sends[0].who.origin):
        return 0  # the connection was made in this trace
    read = sum(call.size or 0 for call in receives if not call.flags & (MSG_PEEK | MSG_OOB))
    return max(0, read + unread - total)


def _find_unseen(sends: list[Call], receives: list[Call], unread: int) -> None:
    """Fill in what a recv returned that began before the trace: all that was sent and that nobody else got."""
    for call in receives:
        if call.moved is UNKNOWN:
            others = sum(other.size or 0 for other in receives if other is not call and not other.flags & MSG_PEEK)
            size = max(0, sum(send.size or 0 for send in sends) - unread - others)
            data = b""
            for send in sends:
                data += send.data or b""
                if len(data) >= size:
                    break
            call.moved = data[:size] if len(data) >= size else Cut(data, size)


def find_unseen_datagrams(calls: Sequence[Call], of_links: Sequence[Call]) -> None:
    """Fill in what a recv returned that began before the trace: the first datagram that was sent there."""
    for call in calls:
        if call.moved is UNKNOWN and call.who is not None and not call.who.stream:
            sends = [sent for sent in (*calls, *of_links) if sent.operation.direction == OUT and not sent.failed]
            first = min((sent for sent in sends if _may_be(sent, call, None)), key=ended, default=None)
            if first is not None and first.who is not None:
                call.moved = Cut(first.data or b"", first.size or 0)
                call.where = Extra(address=first.who.local)


# -- datagrams -------------------------------------------------------------------------------------------------------


def _datagrams(posted: list[Call], delivered: list[Call], partner: dict[End, End]) -> None:
    """Datagrams have no numbers: the same sender, receiver and bytes are taken to be the same datagram, in turn."""
    under_way: dict[Any, deque[Call]] = defaultdict(deque)
    for call in posted:
        if not call.failed and call.who is not None:
            under_way[partner.get(call.who), _content(call)].append(call)
    for call in delivered:
        if call.failed or call.who is None or call.data is None:
            continue
        paired = call.who if partner.get(call.who) is not None else None
        queue = under_way.get((paired, _content(call)), ())
        sender = name_of(call.address) if call.address is not None else None
        found = next((sent for sent in queue if paired is not None or _may_be(sent, call, sender)), None)
        if found is None and not paired:
            found = next((s for s in _cut_short(under_way, call) if _may_be(s, call, sender)), None)
        if found is not None:
            if not call.flags & MSG_PEEK and not _is_for_many(found):
                under_way[paired, _content(found)].remove(found)
            call.got(found, 0, call.size or 0, 0)


def _content(call: Call) -> tuple[int | None, bytes | None]:
    return call.size, call.data[:64] if call.data is not None else None


def _cut_short(under_way: dict[Any, deque[Call]], call: Call) -> list[Call]:
    """Larger datagrams whose beginning is what `call` got: what did not fit into its buffer was thrown away."""
    data = call.data or b""
    if call.asked != call.size:
        return []
    found = [sent for (end, _), queue in under_way.items() if end is None for sent in queue]
    return sorted((sent for sent in found if (sent.data or b"").startswith(data)), key=ended)


def _may_be(sent: Call, got: Call, sender: Any) -> bool:
    """Whether what `got` received may be what `sent` sent: it was sent before, from there, to here."""
    if sent.start > got.end or sent.who is None or got.who is None or sent.who.stream:
        return False
    target = name_of(sent.address if sent.address is not None else sent.who.peer)
    mine, source = name_of(got.who.local), name_of(sent.who.local)
    if not isinstance(target, tuple) or not isinstance(mine, tuple):
        return bool(target == mine)
    if isinstance(sender, tuple) and isinstance(source, tuple) and sender[1] != source[1]:
        return False
    return bool(target[1] == mine[1])


def _is_for_many(sent: Call) -> bool:
    """Whether a datagram goes to a group, or to all: then several may get the same one."""
    address = sent.address if sent.address is not None else sent.who.peer if sent.who is not None else None
    if not isinstance(address, tuple) or not isinstance(address[0], str):
        return False
    host = address[0].lower()
    first = host.partition(".")[0]
    return host.startswith("ff") or (first.isdigit() and int(first) >= 224) or host == "<broadcast>"
