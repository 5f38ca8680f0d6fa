"""Look-ups in the background: each call of the resolver in a thread of its own, the latest counts.

getaddrinfo(3) cannot be interrupted and takes no timeout: with a name server that is silent it sits for 5 s times the
attempts times the servers (resolv.conf(5)). So nobody waits for it here. A look-up that is overtaken goes on in its
thread, which is a daemon, and its answer is dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

PATIENCE = 2.0  # seconds until a look-up is said to be slow: a name server close by answers in 0.1 s
MOST = 4  # look-ups that may wait for a resolver at once; what is asked after that waits for one of them


class Lookups(Generic[T]):
    """Runs what `ask` is given. `changed` is called, in any thread, when an answer came or is late."""

    def __init__(self, changed: Callable[[], None], patience: float = PATIENCE) -> None:
        self.answer: T | None = None  #: of the latest question; None while it is open
        self.late = False  #: the latest question has been open for `patience` seconds
        self._changed, self._patience = changed, patience
        self._lock = threading.Lock()
        self._turn = 0  # the number of the latest question
        self._slow: set[int] = set()  # the open questions that may be slow
        self._threads: list[threading.Thread] = []  # of the look-ups that are not slow
        self._next: Callable[[], T] | None = None
        self._timer: threading.Timer | None = None

    @property
    def open(self) -> int:
        """How many slow look-ups are under way, the overtaken ones included."""
        return len(self._slow)

    def ask(self, question: Callable[[], T], *, slow: bool) -> None:
        """Have `question` called in the background, at once unless it is `slow` and MOST of those are under way."""
        with self._lock:
            self._forget()
            if slow and len(self._slow) >= MOST:
                self._next = question
            else:
                self._start(question, slow)
            if slow:
                self._timer = threading.Timer(self._patience, self._is_late, (self._turn,))
                self._timer.daemon = True
                self._timer.start()

    def drop(self) -> None:
        """What is under way is not wanted any more; its answer will be dropped."""
        with self._lock:
            self._forget()

    def close(self) -> None:
        """As `drop`, and wait for the threads that are about to end; a slow look-up ends when its resolver answers."""
        with self._lock:
            self._forget()
            timer, threads = self._timer, self._threads
        if timer is not None:
            timer.join()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(1.0)  # it reads files; should it hang after all, it is a daemon

    def _forget(self) -> None:
        self._turn += 1
        self.answer, self.late, self._next = None, False, None
        if self._timer is not None:
            self._timer.cancel()

    def _start(self, question: Callable[[], T], slow: bool) -> None:
        turn = self._turn
        if slow:
            self._slow.add(turn)
        thread = threading.Thread(target=self._run, args=(question, turn), name="panel look-up", daemon=True)
        if not slow:
            self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        thread.start()

    def _run(self, question: Callable[[], T], turn: int) -> None:
        answer: Any = None
        try:
            answer = question()
        finally:
            with self._lock:
                self._slow.discard(turn)
                latest = turn == self._turn
                if latest:
                    self.answer = answer
                    if self._timer is not None:
                        self._timer.cancel()
                if self._next is not None and len(self._slow) < MOST:
                    following, self._next = self._next, None
                    self._start(following, True)
            if latest:
                self._changed()

    def _is_late(self, turn: int) -> None:
        with self._lock:
            self.late = turn == self._turn and self.answer is None
        if self.late:
            self._changed()
