"""Values, errors and names in a sentence: the same words on every run, without descriptors, ports or addresses."""

from __future__ import annotations

import errno
import re
from typing import Any

from ..trace.events import is_of_tls

_CLOSED_SOCKET = re.compile(r"<[\w.]+ \[closed\] fd=-1, [^<>]*>")  # as socket.socket.__repr__ writes it
_WHERE = re.compile(r" \(while attempting to bind on address .*\)")
_OPEN_SOCKET = re.compile(r"<[\w.]+ fd=\d+, [^<>]*>")
_NUMBER = re.compile(r" \(FD \d+\)")  # as the module selectors writes of a socket


def with_article(name: str) -> str:
    """``an OSError``, ``a ValueError``."""
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def shown(value: object, most: int = 80) -> str:
    """A value in a sentence: its `repr`, cut, no descriptor or address in it; of long bytes the beginning and the size.

    A socket is ``<socket>`` or ``<closed socket>``.
    """
    if isinstance(value, (bytes, bytearray)) and len(value) > most // 2:
        return f"{bytes(value[: most // 4])!r}… {len(value):,} bytes"
    try:
        text = _in_order(value) if isinstance(value, (set, frozenset)) and value else repr(value)
    except Exception as exc:  # a learner's class may have any __repr__
        text = f"<{type(value).__name__} whose repr raised {type(exc).__name__}>"
    text = _without_descriptors(text)
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _without_descriptors(text: str) -> str:
    return _NUMBER.sub("", _OPEN_SOCKET.sub("<socket>", _CLOSED_SOCKET.sub("<closed socket>", text)))


def _in_order(values: set[object] | frozenset[object]) -> str:
    """A set, the same on every run: its own order depends on hashes, and those of bytes are another in each process."""
    text = f"{{{', '.join(sorted(map(repr, values)))}}}"
    return text if isinstance(values, set) else f"frozenset({text})"


def words_of(error: BaseException) -> str:
    """``ValueError: no such thing``: the type and the first line."""
    try:
        words = str(error).strip().splitlines()
    except Exception:  # a learner's class may have any __str__
        words = []
    if not words:
        return type(error).__name__
    # create_server() adds the address to what the kernel says, and that has another port on each run.
    return f"{type(error).__name__}: {_without_descriptors(_WHERE.sub('', words[0]))[:200]}"


def in_words(error: BaseException) -> str:
    """``OSError EADDRINUSE``: the type, and the name of the number, or what it says."""
    code = None if is_of_tls(error) else getattr(error, "errno", None)
    name = f" {errno.errorcode[code]}" if isinstance(code, int) and code in errno.errorcode else ""
    return f"{type(error).__name__}{name or (f': {error}' if str(error) else '')}"


def kind(value: Any) -> str:
    """What a value is, without anything that changes from run to run."""
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {', '.join(type(part).__name__ for part in value) or 'nothing'}"
    return shown(value) if value is None or isinstance(value, (bool, bytes)) else f"a {type(value).__name__}"
