"""Words on a picture: drawn literally, measured before they are placed; and the sentence that stands above a ladder."""

from __future__ import annotations

from functools import cache
from typing import Any

from .events import IN, OUT
from .ladder_plan import Plan, role

SANS, MONO = "DejaVu Sans", "DejaVu Sans Mono"  # they come with matplotlib: the same picture on every machine


@cache
def _font(family: str) -> Any:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return get_font(findfont(FontProperties(family=[family])))


@cache
def _advances(family: str) -> dict[str, float]:
    return {}


def width(words: str, family: str, size: float) -> float:
    """How wide `words` are, in points."""
    known, font, total = _advances(family), _font(family), 0.0
    for char in words:
        if char not in known:
            font.set_size(100, 72)
            known[char] = font.load_char(ord(char)).linearHoriAdvance / 65536 / 100
        total += known[char]
    return total * size


def literal(words: str) -> str:
    """`words` with what cannot be drawn written as an escape: line ends, control characters, glyphs no font has."""
    if words.isascii() and words.isprintable():
        return words
    return "".join(c if c.isprintable() and _font(MONO).get_char_index(ord(c)) else _escape(c) for c in words)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def finding(what: Plan) -> str:
    """What is to be seen in a ladder, in one sentence."""
    calls, ends = what.calls, {e.end.name for e in what.calls if e.end is not None}
    for event in calls:
        quiet = ("BlockingIOError", "SSLWantReadError", "SSLWantWriteError", "InterruptedError")
        if event.failure is not None and event.failure.kind not in quiet:
            whose = f"{event.end.name}: " if event.end is not None else ""
            return f"{whose}{event.call}() ends in {event.failure.kind}"
    lost = sum(a.lost and a.kind == "datagram" for a in what.arrows)
    sent = sum(a.kind == "datagram" and a.start is not None for a in what.arrows)
    if lost:
        return f"{lost} of {sent} datagrams {'reaches' if lost == 1 else 'reach'} nobody"
    clients = {name for name in ends if role(name) == "client"}
    if len(clients) > 1:
        return f"{len(clients)} clients talk at once"
    if not what.blocks:
        for event in calls:
            pieces = [p for p in event.pieces if (p.sent if event.direction == OUT else p.received) == event.number]
            if event.direction == OUT and len({p.received for p in pieces}) > 1 and len(pieces) > 1:
                return f"One {event.call}() arrives in {len(pieces)} pieces"
            if event.direction == IN and len({p.sent for p in pieces}) > 1:
                return f"{len(pieces)} sends arrive in one {event.call}()"
    for i, event in enumerate(calls):
        if event.call == "shutdown" and event.end is not None and event.failure is None:
            if any(e.end == event.end and e.direction == IN and e.size for e in calls[i:]):
                return f"{event.end.name} has stopped sending, and still receives"
    talker = next((e.end for e in calls if e.direction == OUT and e.size and e.end is not None), None)
    if talker is None:
        return f"{len(calls)} {'call' if len(calls) == 1 else 'calls'}, and no bytes"
    out = sum(e.size or 0 for e in calls if e.end == talker and e.direction == OUT)
    back = sum(e.size or 0 for e in calls if e.end == talker and e.direction == IN and not e.peek)
    answer = f", {back:,} come back" if back else ""
    return f"{talker.name} sends {out:,} {'byte' if out == 1 else 'bytes'}{answer}"
