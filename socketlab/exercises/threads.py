"""Threads that an answer has started: what ended them, and what they wait in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .attempt import Attempt
from .seen import Seen
from .words import in_words


@contextmanager
def errors_in_threads(attempt: Attempt) -> Iterator[None]:
    """Keep what ends a thread of the answer, where Python would print it.

    Where the scenario fails that goes on: threads that are left behind may end later.
    """
    found: list[BaseException] = attempt.seen.facts.setdefault("errors", [])
    others, usual = threading.enumerate(), threading.excepthook

    def keep(args: threading.ExceptHookArgs) -> None:
        if args.thread in others:
            usual(args)
        else:
            found.append(args.exc_value or args.exc_type())

    threading.excepthook = keep
    yield
    threading.excepthook = usual


def died(seen: Seen) -> str | None:
    """A thread of the answer was ended by an exception, other than by a client that went."""
    errors = [one for one in seen.facts.get("errors", ()) if not isinstance(one, ConnectionError)]
    if not errors or seen.failed("TypeError"):
        return None
    return f"A thread that it started ended with {in_words(errors[0])}, and its traceback lands in any cell."


def waits_for_thread_in(seen: Seen, *kinds: str) -> bool:
    """It stands in join(), or leaves a pool, and the thread that it waits for stands in such a call."""
    other = seen.waiting.other if seen.blocked_in("thread") and seen.waiting is not None else None
    return other is not None and other.kind in kinds
