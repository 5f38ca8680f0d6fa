"""Words for a page of fixed columns: every character takes one of them, and no text is longer than it may be."""

from __future__ import annotations

import unicodedata


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
