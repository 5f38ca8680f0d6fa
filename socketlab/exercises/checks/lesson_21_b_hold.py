"""Lesson 21, the third exercise: one thread that holds as many clients as come.

How much memory a client costs is seen from what Python allocates while many of them are there (tracemalloc), without
what this package allocates for watching.
"""

from __future__ import annotations

import threading
import tracemalloc

from ..attempt import ANSWER, PEER, Attempt, Unmet
from ..definition import Exercise
from ..seen import Seen
from ..service import Service
from ..talk import is_quiet, spinning

MANY = 60  # clients, where there are descriptors for them: both ends are in one process here
EACH = 10 * 1024  # bytes of memory for a client, at most

hold_many = Exercise(
    "hold_many",
    lesson="21_many_clients",
    wants="hold_many(listener, stop)",
    task="Echo what each client says, in one thread, for as many as come and as long as they stay, with at most 10 KiB "
    "of memory for each; return when `stop` can be read, with every connection closed.",
    hints=(
        "One selector for all: `listener`, `stop`, and each connection, made non-blocking when it is accepted.",
        "A client costs a socket and its entry in the selector. What else do you keep for each?",
        "A client has left when `recv` returns `b''` or raises `ConnectionError`: `unregister`, then `close`.",
        "When `stop` is among the ready, close every connection that `get_map()` still has, and return.",
    ),
    deadline=2.0,
)


def quiet(attempt: Attempt) -> None:
    """Nobody says anything now, and the answer has to wait."""
    if not is_quiet(attempt):
        raise Unmet("it waits while nobody says anything", "it does not wait")


@hold_many.scenario("one client says three things")
def three_things(attempt: Attempt) -> None:
    service = Service(attempt)

    def talk() -> None:
        client = service.client()
        for words in (b"hello", b"is anybody there?", b"goodbye"):
            client.says(words)
            client.hears(words)
        quiet(attempt)

    service.run(talk, watch=True)


@hold_many.scenario("ann is silent, and bob talks")
def one_is_silent(attempt: Attempt) -> None:
    service = Service(attempt)
    service.facts["silent"] = True

    def talk() -> None:
        service.client("ann")
        bob = service.client("bob")
        for words in (b"hello", b"goodbye"):
            bob.says(words)
            bob.hears(words)

    service.run(talk)


@hold_many.scenario("ann leaves, bob with a reset, eve stays")
def some_leave(attempt: Attempt) -> None:
    service = Service(attempt)

    def talk() -> None:
        ann, bob, eve = (service.client(name) for name in ("ann", "bob", "eve"))
        for client in (ann, bob, eve):
            client.says(b"hello")
            client.hears(b"hello")
        service.facts["leavers"] = True
        ann.leaves()
        quiet(attempt)
        bob.vanishes()
        eve.says(b"who is left?")
        eve.hears(b"who is left?")
        quiet(attempt)

    service.run(talk)


@hold_many.scenario("sixty stay, and all say something")
def all_stay(attempt: Attempt) -> None:
    service, count = Service(attempt), attempt.fitting(MANY)
    facts, before = service.facts, threading.enumerate()

    def talk() -> None:
        clients = []
        tracemalloc.start()
        try:
            for _ in range(count):
                clients.append(service.client("one of them"))
                clients[-1].says(b"?")
                clients[-1].hears(b"?")
                facts["threads"] = len(threads_since(before)) > 1
                if facts["threads"]:
                    raise Unmet("one thread", "it has started others")
            facts["each"] = allocated() / max(count, 16)
        finally:
            tracemalloc.stop()
        if facts["each"] > EACH:
            raise Unmet("at most 10 KiB of memory for each client", "more than that")
        for client in clients:
            client.says(b"!")
        for client in clients:
            client.hears(b"!")
        quiet(attempt)

    service.run(talk)


def threads_since(before: list[threading.Thread]) -> list[threading.Thread]:
    """The answer's, those of the scenario left out."""
    new = [one for one in threading.enumerate() if one not in before]
    return [one for one in new if one.name != ANSWER and not one.name.startswith(PEER)]


def allocated() -> int:
    """Bytes that are allocated, without those of this package, since tracemalloc was started."""
    watching = tracemalloc.Filter(False, "*/socketlab/*")
    found = tracemalloc.take_snapshot().filter_traces([watching])
    return sum(one.size for one in found.traces)


@hold_many.misconception("threads", advice="One selector that waits for all, and one small step for whoever is ready.")
def hold_threads(seen: Seen) -> str | None:
    if not seen.facts.get("threads"):
        return None
    return "It has a thread for each client: ten thousand of them are ten thousand stacks."


@hold_many.misconception("much-memory", advice="One buffer for all, or what recv() returns: it is sent at once.")
def hold_much(seen: Seen) -> str | None:
    if seen.facts.get("each", 0) <= EACH:
        return None
    return "It keeps more than 10 KiB for each client: ten thousand of them take more than 100 MB."


@hold_many.misconception("leaver-ends-it", advice="Catch ConnectionError around recv and send, and close this client.")
def hold_leaver(seen: Seen) -> str | None:
    if not seen.raised(ConnectionError):
        return None
    return f"One client had left, and {type(seen.error).__name__} ended the service for all others."


@hold_many.misconception(
    "leaver-stays", advice="b'' is the end: unregister this client, then close it. It is ready for ever otherwise."
)
def hold_leaver_stays(seen: Seen) -> str | None:
    if not seen.facts.get("spins") or len(seen.ends_of_stream()) < 10:
        return None
    return "A client has left and is still on the list: select() returns it again and again, and recv() returns b''."


@hold_many.misconception("spins", advice="Wait in select() without a timeout of 0, and want EVENT_READ only.")
def hold_spins(seen: Seen) -> str | None:
    return spinning(seen)
