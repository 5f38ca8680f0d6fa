"""Which two ends belong together: by `socketpair`, by their addresses, or by their turn in a listener's queue."""

from __future__ import annotations

import socket
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any

from .calls import Call, ended, name_of
from .sight import End


def pair(calls: Iterable[Call], others: Iterable[End] = ()) -> dict[End, End]:
    """For each end of a stream the other one, where both are in this process, among those of `calls` and `others`."""
    partner: dict[End, End] = {}
    ends: dict[End, float] = {}  # when they came to their addresses: the kernel may give the same ones twice
    unix: list[Call] = []
    for call in calls:
        if call.who is not None:
            if call.name in ("connect", "connect_ex"):
                ends[call.who] = call.end
            ends.setdefault(call.who, call.start)
            if call.who.family == getattr(socket, "AF_UNIX", None) and call.name in ("connect", "connect_ex", "accept"):
                unix.append(call)
        for end in call.made:
            ends[end] = call.end
        if call.name == "socketpair" and len(call.made) == 2:
            left, right = call.made
            partner[left], partner[right] = right, left
    for end in others:
        ends.setdefault(end, 0.0)
    waiting: dict[Any, deque[End]] = defaultdict(deque)
    for end in sorted(ends, key=ends.__getitem__):
        if end.stream and end not in partner and end.peer and isinstance(end.local, tuple):
            mine, theirs = name_of(end.local), name_of(end.peer)
            if mine == theirs:
                partner[end] = end  # TCP can connect a socket to itself
            elif waiting[theirs, mine]:
                other = waiting[theirs, mine].popleft()
                partner[end], partner[other] = other, end
            else:
                waiting[mine, theirs].append(end)
    _pair_unix(unix, partner)
    by_inode = {end.inode: end for end in ends if end.inode}
    for end in ends:
        known = by_inode.get(end.other) if end.other else None
        if end not in partner and known is not None:
            partner[end], partner[known] = known, end
    return partner


def _pair_unix(calls: Iterable[Call], partner: dict[End, End]) -> None:
    """Clients of a Unix socket have no name, but its queue is first in, first out: connects and accepts in turn."""
    knocking: dict[Any, list[Call]] = defaultdict(list)
    let_in: dict[Any, list[Call]] = defaultdict(list)
    for call in calls:
        if call.who is None or call.failed or not call.who.stream or call.where is None:
            continue
        if call.name == "accept":
            let_in[call.who.local].append(call)
        elif call.moved in ("", "0"):
            knocking[call.address].append(call)
    for path, connects in knocking.items():
        accepts = sorted(let_in.get(path, ()), key=ended)
        for connect, accept in zip(sorted(connects, key=ended), accepts, strict=False):
            one, other = connect.who, accept.made[0] if accept.made else None
            if one is not None and other is not None and one not in partner:
                partner[one], partner[other] = other, one
