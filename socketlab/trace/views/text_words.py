"""Words for a page of fixed columns: every character takes one of them, and no text is longer than it may be."""

from __future__ import annotations

import unicodedata

from ..events import IN, OUT, Event, shown


def count_bytes(count: int) -> str:
    """``1 byte``, ``4,096 bytes``."""
    return "1 byte" if count == 1 else f"{count:,} bytes"


def printable(text: str) -> str:
    """One line of characters that take one column each: all others become escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _narrow(c) else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def _narrow(c: str) -> bool:
    return (
        c.isprintable()
        and not unicodedata.combining(c)
        and unicodedata.east_asian_width(c) not in "WF"
        and unicodedata.bidirectional(c) not in ("R", "AL")
    )


def clip(text: str, most: int) -> str:
    """`text`, with … for what is beyond `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def letter(i: int) -> str:
    """A to Z, then AA, AB and so on."""
    text = ""
    i += 1
    while i:
        i, rest = divmod(i - 1, 26)
        text = chr(65 + rest) + text
    return text


def payload(event: Event, most: int | None = None) -> str:
    """The bytes of a call, or their beginning: at most `most` of them. Of a send all that it was offered.

    "" where none were kept.
    """
    if not event.direction or event.data is None:
        return ""
    size = max(event.size or 0, len(event.data))
    if most is None:
        return shown(event.data, size)
    return repr(event.data) if size == len(event.data) <= most else f"{event.data[:most]!r}… {size:,} bytes"


def result(event: Event) -> str:
    """What a call returned, beside bytes: its result as text; how much a send took, where that was not all."""
    if event.direction == OUT and event.data is not None and event.size is not None and event.size < len(event.data):
        return printable(event.result) or f"{event.size:,} of {len(event.data):,}"
    if event.direction == IN and event.data is None and event.size is not None:
        return ", ".join(filter(None, (count_bytes(event.size), printable(event.result))))
    return printable(event.result)
