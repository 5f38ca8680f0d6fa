"""A conversation beside an answer: who says what, who has to hear it, and whether the answer waits meanwhile.

For answers that serve several ends in one thread. How such an answer waits is its own affair: selectors, select, poll
and asyncio pass alike. Whether it holds up others is seen from who hears what: a piece is sent only when those who have
to hear the one before have heard it. Whether it turns without having anything to do is seen from its calls, which are
counted while nobody says a word.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from ..trace.waiting import waiting
from .attempt import ANSWER, PEER, Attempt, Raised, until
from .seen import Seen
from .words import shown

LATER = 20.0  # seconds: a timeout beyond every deadline, also where a busy machine stretches it
SOON = 0.3  # seconds for what the answer does next, unless it never does
NOTICED = 0.8  # seconds for it to find that somebody has left
QUIET = 0.5  # seconds in which nobody says anything, unless the answer is seen to wait before
BUSY = 100  # calls in that time, or ten times as many since the beginning: it waits for nothing


def of_answer(attempt: Attempt) -> list[Any]:
    """The calls until now, without those of the scenario's threads."""
    return [event for event in attempt.recorded() if event.inside is None and not event.thread.startswith(PEER)]


def is_quiet(attempt: Attempt) -> bool:
    """Whether the answer waits while nobody says anything, rather than turn and turn; `facts` remembers.

    Who waits is found in one and the same call twice; who turns has made many calls before long.
    """
    if until(lambda: stands_still(attempt), QUIET / 10):
        return True
    before, calls = len(of_answer(attempt)), [0]

    def busy() -> bool:
        calls.append(len(of_answer(attempt)))
        return calls[-1] - before > BUSY or calls[-1] > 10 * BUSY

    until(lambda: stands_still(attempt) or busy(), QUIET)
    spins = calls[-1] - before > BUSY or calls[-1] > 10 * BUSY
    attempt.seen.facts["spins"] = spins
    return not spins


def stands_still(attempt: Attempt) -> bool:
    """Whether the answer is blocked in a call, and was in the same one a moment ago."""
    looks = []
    for _ in range(2):
        wait = waiting(next(one for one in threading.enumerate() if one.name == ANSWER), explain=False)
        if wait is None:
            return False
        looks.append(wait.same)
        time.sleep(0.002)
    return looks[0] == looks[1]


def spinning(seen: Seen) -> str | None:
    """It calls and calls while there is nothing to do."""
    if not seen.facts.get("spins"):
        return None
    select = [event for event in seen.calls if event.call in ("select", "poll", "epoll")]
    if len(select) > BUSY and any(" ready" in event.result and not event.result.startswith("0") for event in select):
        return "Nobody said anything, and select() returned again and again: something on its list is always ready."
    return "Nobody said anything, and it asked and asked without ever waiting: 100 % of a processor."


def hear(sock: socket.socket, size: int) -> bytes:
    """`size` bytes, or what came before the end."""
    data = b""
    while len(data) < size and (more := sock.recv(size - len(data))):
        data += more
    return data


class Told(Exception):
    """Somebody heard something else: the talk is over."""


class Talk:
    """What goes on beside the answer, step by step; each step says what is wanted next."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt, self.facts, self.seen = attempt, attempt.seen.facts, attempt.seen
        self.wrong: tuple[str, str] | None = None
        self.over = False
        self._before = set(threading.enumerate())
        self._lock = threading.Lock()

    def now(self, wanted: str) -> None:
        """From now on that is what has to come next."""
        with self._lock:
            if not self.over:
                self.seen.expected = wanted

    def hears(self, who: str, sock: socket.socket, words: bytes, what: str = "") -> None:
        """`who` has to hear exactly these bytes next, `what` in words. Raises Told otherwise."""
        wanted = f"{who} hears {what or shown(words)}"
        self.now(wanted)
        try:
            heard = hear(sock, len(words))
        except ConnectionError:
            heard = b""
        if heard != words:
            self.facts["heard"] = heard
            if len(heard) < len(words):  # somebody has closed: the answer, or what ended it?
                until(lambda: self.seen.error is not None or self.seen.returned, SOON)
            self.unlike(wanted, "other bytes, or fewer" if what else shown(heard))

    def unlike(self, wanted: str, came: str) -> None:
        """What came is something else. Raises Told.

        Where an exception has ended the answer, that is what there is to tell, and this is only what comes of it.
        """
        if self.seen.error is None:
            self.wrong = wanted, came
        raise Told

    def threads(self) -> None:
        """Raises Told where the answer has started a thread."""
        new = [one for one in threading.enumerate() if one not in self._before and not one.name.startswith(PEER)]
        if [one for one in new if one.name != ANSWER]:
            self.facts["threads"] = True
            self.unlike("one thread", "it has started another one")

    def quiet(self) -> None:
        """Nobody says anything now. Raises Told where the answer does not wait meanwhile."""
        if not is_quiet(self.attempt):
            self.unlike("it waits while nobody says anything", "it does not wait")

    def serve(
        self, talk: Callable[[], object], leave: Callable[[], object], *arguments: Any, until_all_left: bool = False
    ) -> Any:
        """Call the answer while `talk` goes on in a thread beside; then everybody leaves. What the answer returned."""

        def talk_and_leave() -> None:
            try:
                talk()
            except Told:
                pass
            except ConnectionError as exc:
                self.wrong = self.wrong or (self.seen.expected, type(exc).__name__)
            except TimeoutError:
                return  # its time has been up for long
            if self.wrong is None:
                self.now(f"{self.attempt.wants} returns")
            self.facts["left"] = True
            leave()

        beside = self.attempt.beside(talk_and_leave)
        try:
            result = self.attempt.call(*arguments)
        except Raised:
            with self._lock:
                self.over = True
            if self.wrong is not None:  # what came after that matters less
                self.attempt.want(False, *self.wrong)
            self.seen.expected = f"{self.attempt.wants} returns"
            raise
        if until_all_left and not self.facts.get("left"):
            self.over, self.facts["early"] = True, True
            self.attempt.want(False, "it goes on until the last one has left", "it returned before")
        beside.join(1.0)
        if self.wrong is not None:
            self.attempt.want(False, *self.wrong)
        return result
