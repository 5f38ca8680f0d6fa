"""In which order the calls are told: what must have happened before what, and nothing else.

Two threads on two CPUs have no common order. Clocks suggest one, but it changes from run to run, and it can be wrong:
a thread that has returned from `send` may be stopped for a millisecond before it reads the clock, and meanwhile the
peer has received, answered and noted the time of both. Leslie Lamport's way out (Time, Clocks, and the Ordering of
Events in a Distributed System, Communications of the ACM 21(7), 1978) is to ask what can be *known* about order:

1. The calls of one thread happened one after the other.
2. Who received something received it after it was sent.

From these two rules follows a partial order, *happens-before*: a before b if a chain of such steps leads from a to b.
Where there is no chain, neither knows of the other, and to say that one was first would say nothing about the program.

Sockets give us the second rule byte by byte. A stream neither loses, repeats nor reorders, so the n-th byte that one
end sent is the n-th byte that the other end got: to count them at both ends ties each `recv` to the `send` calls whose
bytes it returned. Which two ends belong together follows from their addresses: each one's name is the other's peer. So:

* a `recv` comes after every `send` of which it got a byte; datagrams likewise, by sender, receiver and content;
* ``b""`` comes after the `shutdown` or `close` at the other end, and so does a reset;
* an `accept` comes after the `connect` that it let in, and a `connect` after the `listen` that made it possible;
* a call that fails because another thread has shut or closed its socket comes after that.

A partial order can be written down in many ways. For a text that is the same on every run we need one, chosen by
nothing but the program: start with the thread that opened the trace; whenever a call makes another one possible, tell
that next (a message is followed to where it arrives); go on in a thread until it has to wait. Among threads that
nothing else tells apart, the texts of their calls decide, and where these are equal it does not matter who is first.

One rule is loosened: a worker of socketlab's own servers begins anew with each connection that it accepts. Which of the
idle workers gets a connection is the scheduler's choice, and says nothing about the program.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .calls import Call, calls_of, chains_of, ended, name_of
from .events import IN, Failure
from .links import Links
from .pairing import pair
from .panels import left_out
from .recorder import Lane
from .relays import Known
from .sight import End
from .streams import find_unseen_datagrams, tie

_OF_THE_PEER = (
    "ConnectionResetError",
    "BrokenPipeError",
    "ConnectionAbortedError",
    "SSLEOFError",
    "SSLZeroReturnError",
)


class Told:
    """The calls of a trace in the order in which they are told, and which ends belong together."""

    def __init__(
        self,
        lanes: Sequence[tuple[Lane, Sequence[Sequence[Any]]]],
        opener: int | None,
        unread: dict[End, int],
        known: Known,
        step: Callable[[float], object] = lambda share: None,
    ) -> None:
        """`unread` bytes wait in the queues of the ends; `known` is what links and panels have told of themselves.

        `step` is told now and then which share is done, 0 to 1.
        """
        self.lanes = [lane for lane, _ in lanes]
        every: list[Call] = []
        chains: list[list[Call]] = []
        of_links: list[Call] = []
        tops: list[list[Call]] = []
        for index, (_, chunks) in enumerate(lanes):
            calls, top, theirs = calls_of(index, chunks)
            every += calls
            of_links += theirs
            tops.append(top)
            for call in calls:
                if call.inside is not None and call.inside.who is None and call.inside.name.startswith("create_"):
                    call.inside.who = call.who  # create_connection that failed: its last attempt
            step(0.4 * (index + 1) / len(lanes))
        self.links = Links(of_links, known)
        self.partner = pair(every + of_links, [*known.panels, *known.mate] if known.panels else ())
        unread = self.links.join(self.partner, unread)
        find_unseen_datagrams(every, of_links)
        if of_panels := left_out(every, self.lanes, known, self.links, self.partner):
            every = [call for call in every if call not in of_panels]
            tops = [[call for call in top if call not in of_panels] for top in tops]
        for lane, top in zip(self.lanes, tops, strict=True):
            chains += chains_of(lane, top)
        step(0.5)
        tie(every, self.partner, unread, self.links)
        step(0.7)
        _connections(every, self.partner)
        self.by_link = _endings(every, self.partner, self.links.cut)
        held = _closing_of_shared_ends(every)
        step(0.8)
        chains.sort(key=lambda chain: _rank(chain, self.lanes[chain[0].lane].ident == opener))
        self.calls = _with_children(_schedule(chains, every, held), every)
        for number, call in enumerate(self.calls, 1):
            call.number = number


def _with_children(units: Iterable[Call], every: Iterable[Call]) -> list[Call]:
    """The outermost calls as they come, each followed by those that it made."""
    children: dict[Call, list[Call]] = defaultdict(list)
    for call in every:
        if call.inside is not None:
            children[call.inside].append(call)
    told: list[Call] = []
    for unit in units:
        waiting = [unit]
        while waiting:
            call = waiting.pop()
            told.append(call)
            if call in children:
                waiting += sorted(children[call], key=lambda child: child.start, reverse=True)
    return told


# -- what came before what ---------------------------------------------------------------------------------------------


def _connections(calls: Iterable[Call], partner: dict[End, End]) -> None:
    """A connect comes after the listen at its address, an accept after the connect that it let in, and whoever is given
    the connection uses it after the accept."""
    listening: dict[Any, Call] = {}
    connecting: dict[End, Call] = {}
    accepting = []
    for call in calls:
        if call.name == "listen" and call.who is not None:
            listening.setdefault(name_of(call.who.local), call)
        elif call.name in ("connect", "connect_ex") and call.who is not None:
            connecting.setdefault(call.who, call)
        elif call.name == "accept" and call.made:
            accepting.append(call)
    for call in connecting.values():
        target = listening.get(name_of(call.address))
        if target is not None and target.start <= call.end and not call.failed:
            call.comes_after(target)
    let_in = {call.made[0]: call for call in accepting}
    handed: set[tuple[End, int]] = set()  # to which threads
    for call in calls:
        accept = let_in.get(call.who) if call.who is not None else None
        if accept is None or call.who is None or call.lane == accept.lane or (call.who, call.lane) in handed:
            continue
        handed.add((call.who, call.lane))
        call.comes_after(accept)
    for call in accepting:
        client = partner.get(call.made[0])
        if client in connecting:
            call.comes_after(connecting[client])


def _endings(calls: Sequence[Call], partner: dict[End, End], cut: set[End]) -> set[Call]:
    """``b""`` and resets come after what the other end did; a call on a shut socket after the shutting.

    Returns those that are the doing of a link, which `cut` what came to these ends.
    """
    by_link: set[Call] = set()
    closing: dict[End, list[Call]] = defaultdict(list)
    for call in calls:
        if call.name in ("shutdown", "close") and call.who is not None and not call.failed:
            closing[call.who].append(call)
    for some in closing.values():
        some.sort(key=ended)
    for call in calls:
        if call.who is None or not _is_an_ending(call):
            continue
        other = partner.get(call.who)
        theirs = closing.get(other, ()) if other is not None else ()
        causes = [cause for cause in theirs if cause.asked != "SHUT_RD" and cause.start <= call.end]
        if call.who in cut:
            causes = []
        if not causes:
            mine = closing.get(call.who, ())
            causes = [cause for cause in mine if cause.lane != call.lane and cause.start <= call.end]
        if causes:  # an error comes of the close, not of the half-close before it; of several, the last
            last = call.failed or all(cause.name == "close" for cause in causes)
            call.comes_after(causes[-1 if last else 0])
        elif call.who in cut:
            by_link.add(call)
    return by_link


def _closing_of_shared_ends(calls: Sequence[Call]) -> dict[Call, list[Call]]:
    """A close comes after what other threads had done with the socket before it began; for each close, that.

    That is the one place where clocks decide. A program that joins its threads, or waits for them in another way, makes
    this order certain, and we do not see how; one that does not has a race of its own.
    """
    calls = [call for call in calls if not call.operation.housekeeping]
    lanes: dict[End, set[int]] = defaultdict(set)
    for call in calls:
        if call.who is not None:
            lanes[call.who].add(call.lane)
    held: dict[Call, list[Call]] = {}
    last: dict[End, dict[int, list[Call]]] = defaultdict(dict)
    for call in calls:
        if call.who is not None and len(lanes[call.who]) > 1:
            last[call.who].setdefault(call.lane, []).append(call)
    for used in last.values():
        for lane, some in used.items():
            for close in (call for call in some if call.name == "close"):
                for other, theirs in used.items():
                    before = [call for call in theirs if call.end <= close.start] if other != lane else []
                    if before:
                        held.setdefault(close.outermost, []).append(max(before, key=ended).outermost)
    return held


def _is_an_ending(call: Call) -> bool:
    if isinstance(call.moved, Failure):
        return call.moved.kind == "OSError" or call.moved.kind in _OF_THE_PEER
    if call.operation.direction != IN or call.who is None or not call.who.stream:
        return False
    return call.size == 0 and call.asked != 0


# -- one order out of the partial order --------------------------------------------------------------------------------

_LOOKED_AT = 50  # calls of a chain that tell it from others


def _rank(chain: list[Call], is_the_openers: bool) -> tuple[Any, ...]:
    """The thread that opened the trace first, then the others in an order that does not depend on time."""
    return (
        not is_the_openers,
        [_signature(call) for call in chain[:_LOOKED_AT] if not call.operation.housekeeping],
        chain[0].start,
    )


def _signature(call: Call) -> tuple[str, ...]:
    if isinstance(call.moved, Failure):
        return call.name, call.moved.kind
    return (call.name, repr(call.data)) if call.operation.direction else (call.name, str(call.asked), str(call.moved))


def _schedule(chains: list[list[Call]], every: Iterable[Call], held: dict[Call, list[Call]]) -> Iterator[Call]:
    """The calls of all chains, each after its causes.

    What is `held` back by another call waits for it too, but does not follow it at once, as a message does.
    """
    chain_of = {call: index for index, chain in enumerate(chains) for call in chain}
    effects: dict[Call, list[Call]] = {}
    missing: dict[Call, int] = defaultdict(int)
    for call in every:
        if call.pieces is None and call.causes is None:
            continue
        effect = call.outermost
        for cause in {cause.outermost: None for cause in causes_of(call)}:
            if chain_of.get(cause) != chain_of.get(effect):
                effects.setdefault(cause, []).append(effect)
                missing[effect] += 1
    holds: dict[Call, list[Call]] = {}
    for call, others in held.items():
        for other in others:
            if chain_of.get(other) != chain_of.get(call):
                holds.setdefault(other, []).append(call)
                missing[call] += 1
    head = [0] * len(chains)
    left = len(chain_of)
    stack = list(range(len(chains) - 1, -1, -1))
    while left:
        if not stack:  # clocks and pairings contradict each other: take the earliest, whatever it waits for
            heads = [chain[head[index]] for index, chain in enumerate(chains) if head[index] < len(chain)]
            call = min(heads, key=ended)
            missing[call] = 0
            stack.append(chain_of[call])
        index = stack.pop()
        chain = chains[index]
        if head[index] == len(chain) or missing.get(chain[head[index]], 0) > 0:
            continue
        call = chain[head[index]]
        head[index] += 1
        left -= 1
        yield call

        def freed(calls: Iterable[Call]) -> list[int]:
            found = []
            for effect in calls:
                missing[effect] -= 1
                other = chain_of[effect]
                if not missing[effect] and head[other] < len(chains[other]) and chains[other][head[other]] is effect:
                    found.append(other)
            return sorted(found, reverse=True)

        stack += [*freed(holds.pop(call, ())), index, *freed(effects.pop(call, ()))]


def causes_of(call: Call) -> Iterator[Call]:
    """The calls elsewhere that happened before `call`."""
    for sent, *_ in call.pieces or ():
        yield sent
    yield from call.causes or ()
