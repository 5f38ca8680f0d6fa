"""The calls that ask "which of these descriptors is ready?", each ready to be asked again and again.

`watching(mechanism, fds, most)` registers the descriptors in the way of the mechanism and yields a function that asks
once, without waiting, and returns how many descriptors were named. What a platform lacks, `has` tells.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

SELECT, POLL, EPOLL, EDGE, KQUEUE = "select", "poll", "epoll", "edge-triggered epoll", "kqueue"
MECHANISMS = (SELECT, POLL, EPOLL, EDGE, KQUEUE)
MOST = 100_000  # descriptors: beyond, opening them is what one waits for
SPARE = 100  # descriptors left to everybody else in this process

Call = Callable[[], int]  #: asks once, and returns how many descriptors were named as ready


@contextmanager
def _select(fds: list[int], most: int) -> Iterator[Call]:
    yield lambda: len(select.select(fds, [], [], 0)[0])


@contextmanager
def _poll(fds: list[int], most: int) -> Iterator[Call]:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    yield lambda: len(poll.poll(0))


@contextmanager
def _epoll(fds: list[int], most: int, flags: int = 0) -> Iterator[Call]:
    with select.epoll() as epoll:
        for fd in fds:
            epoll.register(fd, select.EPOLLIN | flags)
        # Without maxevents Python asks for 1,023 answers at most.
        yield lambda: len(epoll.poll(0, max(most, 1)))


@contextmanager
def _edge(fds: list[int], most: int) -> Iterator[Call]:
    with _epoll(fds, most, select.EPOLLET) as call:
        yield call


@contextmanager
def _kqueue(fds: list[int], most: int) -> Iterator[Call]:
    module: Any = select  # BSD and macOS have it, and type checkers look at one platform
    with closing(module.kqueue()) as queue:
        for fd in fds:
            queue.control([module.kevent(fd, module.KQ_FILTER_READ, module.KQ_EV_ADD)], 0, 0)
        yield lambda: len(queue.control(None, max(most, 1), 0))


_WATCH: dict[str, Any] = {SELECT: _select, POLL: _poll, EPOLL: _epoll, EDGE: _edge, KQUEUE: _kqueue}


@contextmanager
def watching(mechanism: str, fds: list[int], most: int) -> Iterator[Call]:
    """Watch `fds` for something to read, of which at most `most` will be ready, until the block ends."""
    with _WATCH[mechanism](fds, most) as call:
        yield call


def has(mechanism: str) -> bool:
    """Whether this platform has the mechanism; Windows has select alone."""
    return hasattr(select, EPOLL if mechanism == EDGE else mechanism)


def most_watched() -> int:
    """How many descriptors may be opened to be watched: what RLIMIT_NOFILE leaves, less a hundred for the others."""
    try:
        import resource
    except ImportError:  # Windows: handles have no such limit
        return 5000
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return MOST
    try:
        used = len(os.listdir("/dev/fd"))
    except OSError:
        used = SPARE
    return max(0, min(MOST, limit - used - SPARE))


def handed_over(mechanism: str, watched: int) -> str:
    """What one call gives to the kernel, in words (`select(2)`, `poll(2)`, `epoll_wait(2)`, `kevent(2)`)."""
    if mechanism == SELECT:
        return f"all {watched:,}: Python turns a list into a set of bits, and the kernel asks every one of the sockets"
    if mechanism == POLL:
        return f"all {watched:,}: a list of 8 bytes for each, and the kernel asks every one of the sockets"
    words = f"none: the {watched:,} were registered once, and the kernel reads its list of those that are ready"
    return words + (", each of them once" if mechanism == EDGE else "")
