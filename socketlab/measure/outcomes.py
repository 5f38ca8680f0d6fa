"""What became of a call, and how much memory it took: small questions that cells ask again and again."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any


def outcome(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What ``call(*arguments, **named)`` returns; where it fails the name of its errno, ``"EAGAIN"``, or its words.

    OSError without a number (a timeout of Python's) and ValueError are told in words; everything else is raised.
    """
    try:
        return call(*arguments, **named)
    except ValueError as error:
        return str(error)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error)) if error.errno is not None else str(error)


def peak_memory(work: Callable[[], Any]) -> int:
    """The most memory, in bytes, that Python objects took at any moment while ``work()`` ran (tracemalloc).

    What other threads of the process made meanwhile is in it.
    """
    import tracemalloc

    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
