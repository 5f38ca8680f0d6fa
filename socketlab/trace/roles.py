"""The names by which a trace calls ends and threads: their roles, which are the same on each run; never a port."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Any

from .calls import name_of
from .events import Endpoint
from .order import Told
from .recorder import Lane
from .sight import End

_GIVEN_BY_PYTHON = re.compile(r"Thread-\d+|ThreadPoolExecutor-|Dummy-\d+|asyncio_\d+")


def name_ends(told: Told, opener: int | None) -> dict[End, Endpoint]:
    """An `Endpoint` for each end that the calls mention, named by its role and numbered in the order of appearance."""
    bound, places, mine = set(), set(), set()
    for call in told.calls:
        if call.who is None:
            continue
        if call.name == "bind":
            bound.add(call.who)
        if call.who.listening:
            places.add(name_of(call.who.local))
        if call.name in ("connect", "connect_ex"):
            places.add(name_of(call.address))
        if told.lanes[call.lane].ident == opener:
            mine.add(call.who)

    def role(end: End) -> str:
        partner = told.partner.get(end)
        if end.origin in ("left", "right"):
            return end.origin
        if partner is not None and not end.local and not end.peer:  # a pair that was made before the trace
            return "left" if end is first_of[end] else "right"
        if end.listening:
            return "listener"
        if not end.stream:
            return "server" if end in bound or end.helper else "client"
        if end.origin == "accept":
            return "server"
        if end.origin == "connect":
            return "client"
        if end.peer is None:
            return "socket"
        if name_of(end.local) in places:
            return "server"
        if name_of(end.peer) in places or (partner is not None and partner.origin == "accept"):
            return "client"
        if end.helper:
            return "server"
        if partner is not None and partner is not end:
            return "client" if (end in mine) >= (partner in mine) and end is first_of[end] else "server"
        return "client"

    order: dict[End, None] = {}
    for call in told.calls:
        if call.who is not None:
            order.setdefault(call.who)
        for end in call.made:
            order.setdefault(end)
    first_of: dict[End, End] = {}
    for end in order:
        partner = told.partner.get(end)
        first_of[end] = first_of.get(partner, end) if partner is not None else end
    roles = {end: role(end) for end in order}

    # Both ends of a conversation have the same number; roles that occur once have none.
    count = Counter(roles.values())
    number: dict[End, int] = {}
    taken: dict[str, set[int]] = defaultdict(set)
    for end in order:
        partner = told.partner.get(end)
        wanted = number.get(partner) if partner is not None else None
        if wanted is None or wanted in taken[roles[end]]:
            both = taken[roles[end]] | (taken[roles[partner]] if partner in roles else set())
            wanted = next(n for n in range(1, len(order) + 2) if n not in both)
        number[end] = wanted
        taken[roles[end]].add(wanted)
    many = {name for name, times in count.items() if times > 1}
    names = {end: f"{roles[end]} {number[end]}" if roles[end] in many else roles[end] for end in order}
    found = {}
    joined = told.links.joined
    for end in order:
        partner = told.partner.get(end)
        other = names.get(partner, "") if partner is not None else ""
        facts = end.kind, end.local, end.peer, other, end.helper, end.listening, end in joined
        found[end] = Endpoint(names[end], *facts)
    return found


def name_threads(told: Told, opener: int | None) -> list[str]:
    """A label for each lane: "main", the name that the program or a server gave it, or "thread 2"."""
    labels: dict[int, str] = {}
    used: Counter[str] = Counter()

    def label(lane: Lane) -> str:
        if lane.main or (lane.ident == opener and _GIVEN_BY_PYTHON.match(lane.name)):
            return "main"
        name: Any = "thread" if _GIVEN_BY_PYTHON.match(lane.name) else lane.name
        used[name] += 1
        return f"{name} {used[name]}" if name == "thread" or used[name] > 1 else str(name)

    for call in told.calls:
        if call.lane not in labels:
            labels[call.lane] = label(told.lanes[call.lane])
    return [labels.get(index, "") for index in range(len(told.lanes))]
