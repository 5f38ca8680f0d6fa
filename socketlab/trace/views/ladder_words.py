"""Words on a picture: drawn literally, measured before they are placed; and the sentence that stands above a ladder."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from ..events import IN, OUT, Event, outcome, shown
from .ladder_plan import Arrow, Column, Plan, Row, role
from .ladder_waits import moment

SANS, MONO = "DejaVu Sans", "DejaVu Sans Mono"  # they come with matplotlib: the same picture on every machine
#: What is written where bytes arrive at an end that was closed here, and that another process holds as well.
ELSEWHERE = "read in another process"
#: No failure, but an answer: not now.
GOES_ON = ("BlockingIOError", "SSLWantReadError", "SSLWantWriteError", "InterruptedError")


@cache
def _font(family: str, weight: str) -> Any:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return get_font(findfont(FontProperties(family=[family], weight=weight)))


@cache
def _advances(family: str, weight: str) -> dict[str, float]:
    return {}


def width(words: str, family: str, size: float, weight: str = "normal") -> float:
    """How wide `words` are, in points, at a font size in points."""
    known, total = _advances(family, weight), 0.0
    for char in words:
        if char not in known:
            font = _font(family, weight)
            font.set_size(100, 72)
            known[char] = font.load_char(ord(char)).linearHoriAdvance / 65536 / 100
        total += known[char]
    return total * size


def literal(words: str) -> str:
    """`words` with what cannot be drawn written as an escape: line ends, control characters, glyphs no font has."""
    if words.isascii() and words.isprintable():
        return words
    font = _font(MONO, "normal")
    return "".join(c if c.isprintable() and font.get_char_index(ord(c)) else _escape(c) for c in words)


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def cut(words: str, room: float, family: str, size: float, weight: str = "normal") -> str:
    """`words`, or as many of their characters as fit into `room` points, and "…"."""
    if width(words, family, size, weight) <= room + 0.5:
        return words
    while words and width(words + "…", family, size, weight) > room:
        words = words[:-1]
    return words + "…"


def heading(column: Column) -> str:
    """What stands above a column: "client", "server 1–10"."""
    return literal(column.role) if column.members == 1 else literal(f"{column.role} 1–{column.members}")


def labels(event: Event) -> list[str]:
    """The call in words, the fullest first; what an arrow or a line of its own tells is left away."""
    name, asked = literal(event.call), literal(event.asked)
    if event.failure is not None:
        code = str(event.failure).split()[-1]
        head = f"{name}({asked}) ✗ {event.failure.kind}"
        full = [f"{name}({asked}) ✗ {event.failure}", head, f"{name} ✗ {event.failure.kind}", f"{name} ✗ {code}"]
        return [literal(words) for words in full]
    head = name if event.direction == OUT and not asked else f"{name}({asked})"
    came = outcome(event)
    if (event.direction == IN and event.size) or re.fullmatch(r"<[^<>]+>(, <[^<>]+>)*", event.result):
        came = ""
    came = literal(came)
    short = head if len(came) > 8 else head + came
    bare = short if len(asked) <= 6 else f"{name}(…){came if len(came) <= 8 else ''}"
    return list(dict.fromkeys((head + came, short, bare)))


def with_spare(event: Event) -> list[str]:
    """`labels`, and words for which room is taken only where nothing else wants it."""
    words = labels(event)
    if event.failure is None and event.call == "socket" and "," in event.asked and len(words) > 1:
        words.insert(-1, literal(f"socket({event.asked.split(',')[0]}, …)"))
    return words


def on_arrow(arrow: Arrow, what: Plan) -> Iterator[str]:
    """What stands on an arrow, the fullest words first."""
    if arrow.kind not in ("bytes", "datagram"):
        if not arrow.lost:
            yield arrow.kind
            if arrow.kind == "end of stream":
                yield "end"
        return
    if arrow.pieces > 1 and arrow.lost:
        yield f"{arrow.pieces:,} not received"
        yield f"{arrow.pieces:,} lost"
        return
    if arrow.pieces > 1 and not _repeats(arrow, what):
        yield f"{arrow.pieces:,} pieces, {arrow.size:,} bytes"
        yield f"{arrow.size:,} bytes"
        return
    size = arrow.size if arrow.pieces == 1 or arrow.data is None else len(arrow.data)
    more = f", {arrow.cut:,} cut off" if arrow.cut > 0 else ""
    if arrow.data is not None and arrow.came is not None:
        yield f"{shown(arrow.data, size, 12)} → {shown(arrow.came, most=12)}"
        yield shown(arrow.came, most=12)
    elif arrow.data is not None:
        for most in (24, 20, 16, 12, 10):
            yield shown(arrow.data, size, most) + more
    yield (f"{size:,} bytes" if size != 1 else "1 byte") + more
    yield f"{size:,} B"


def _repeats(arrow: Arrow, what: Plan) -> bool:
    """Whether an arrow of many pieces stands within calls that are drawn once for all times."""
    rows = [y for y in (arrow.start, arrow.stop) if y is not None]
    times = (math.prod(most for first, last, _, most in what.blocks if first <= y <= last) for y in rows)
    return arrow.pieces <= max(times)


def clock(rows: Sequence[Row]) -> list[str]:
    """The time since the first row beside each row; "" where it would repeat the one above.

    Rows stand in the order in which things had to happen. A thread that was woken late reads its clock late, and a
    reading that goes back would puzzle: as many are shown as can be without one.
    """
    read = [moment(row.event) if row.event is not None else None for row in rows]
    zero = next((t for t in read if t is not None), 0)
    times = [t - zero if t is not None and t >= zero else None for t in read]
    if not any(read):
        return [""] * len(rows)
    total = max(t for t in times if t is not None)
    unit, size = next(((u, s) for u, s in (("s", 10**9), ("ms", 10**6)) if total >= s), ("µs", 10**3))
    places = 0 if unit == "µs" else 1 if total >= 10 * size else 2
    rising = set(_rising(times))
    said: list[str] = []
    last = ""
    for y, t in enumerate(times):
        words = f"{t / size:,.{places if t else 0}f} {unit}" if t is not None and y in rising else ""
        said.append(words if words != last else "")
        last = words or last
    return said


def _rising(times: Sequence[int | None]) -> Iterable[int]:
    """Where the longest subsequence that never goes back has its members (patience sorting)."""
    from bisect import bisect_right

    ends: list[int] = []
    at: list[int] = []
    before: dict[int, int | None] = {}
    for y, t in enumerate(times):
        if t is None:
            continue
        pile = bisect_right(ends, t)
        before[y] = at[pile - 1] if pile else None
        ends[pile:], at[pile:] = [t, *ends[pile + 1 :]], [y, *at[pile + 1 :]]
    y_or_none = at[-1] if at else None
    while y_or_none is not None:
        yield y_or_none
        y_or_none = before[y_or_none]


def finding(what: Plan) -> str:
    """What is to be seen in a ladder, in one sentence."""
    calls, names = what.calls, {e.end.name for e in what.calls if e.end is not None}
    for event in calls:
        if event.failure is not None and event.failure.kind not in GOES_ON:
            whose = f"{event.end.name}: " if event.end is not None else ""
            return f"{whose}{event.call}() ends in {event.failure.kind}"
    datagrams = [a for a in what.arrows if a.kind == "datagram" and a.start is not None and not a.peek]
    lost = sum(a.pieces for a in datagrams if a.lost)
    if lost:
        sent = sum(a.pieces for a in datagrams)
        return f"{lost:,} of {sent:,} datagrams {'reaches' if lost == 1 else 'reach'} nobody"
    clients = sum(role(name) == "client" for name in names)
    if clients > 1:
        return f"{clients} clients, {clients} conversations"
    if what.cut:
        return f"{calls[-1].number:,} calls: how they begin and how they end"
    return _split(what) or _half_closed(calls) or _amounts(calls)


def _split(what: Plan) -> str:
    """One send in several receives, or several sends in one."""
    if what.blocks:
        return ""
    whole = [a for a in what.arrows if a.kind == "bytes" and not a.peek and a.start is not None and a.stop is not None]
    for y, row in enumerate(what.rows):
        pieces = sum(a.start == y for a in whole), sum(a.stop == y for a in whole)
        if row.event is not None and max(pieces) > 1:
            if pieces[0] > 1:
                return f"One {row.event.call}() arrives in {pieces[0]} pieces"
            return f"{pieces[1]} sends arrive in one {row.event.call}()"
    return ""


def _half_closed(calls: Sequence[Event]) -> str:
    for i, event in enumerate(calls):
        if event.call != "shutdown" or event.end is None or "RD" in event.asked:
            continue
        if any(e.end == event.end and e.direction == IN and e.size for e in calls[i:]):
            return f"The {event.end.name} has stopped sending, and still receives"
    return ""


def _amounts(calls: Sequence[Event]) -> str:
    """How much was sent and how much came back."""
    talker = next((e.end for e in calls if e.direction == OUT and e.size and e.end is not None), None)
    if talker is None:
        return f"{len(calls):,} {'call' if len(calls) == 1 else 'calls'}, and no bytes"
    out = sum(e.size or 0 for e in calls if e.end == talker and e.direction == OUT)
    back = sum(e.size or 0 for e in calls if e.end == talker and e.direction == IN and not e.peek)
    return f"{talker.name} sends {out:,} {'byte' if out == 1 else 'bytes'}" + (f", {back:,} come back" if back else "")
