"""The ladder as text: both ends side by side, an arrow for what went from one to the other, one row after another.

    client                       tcp                         server
    ────────────────────────────────────────────────────────────────────────────────────
    connect() ─────────────────────────────────────────────► accept() → <server>
    sendall(b'hello') ───────── 5 bytes ───────────────────► recv(100) → b'hello'

It is what a notebook stores and what its validation compares, so it is made of what is the same on each run: order,
calls, names of ends, bytes; never of times, addresses or descriptors. It is meant to be read without a legend:

* A call and its consequence at the other end share a row where one directly follows the other. Where they do not, the
  bytes get a letter: "A: 11 bytes" on their way out, "first 5 bytes of A" where they arrive.
* Who called and was let in (listened, accepted) stands on the right. Where several ends share a side, each row says
  whose call it is.
* Up to `lines` rows are shown as they are, except that the very same row four times or more is shown once, with its
  number. A longer trace is folded, as little as is needed: first what repeats but for its payload, then what repeats
  but for how often, then what many ends do one like the other. What is still too long loses its middle, and says so.

Signs are those that every monospaced font has (Windows Glyph List 4), so that columns stay columns.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from textwrap import fill
from typing import NamedTuple

from .events import IN, OUT, SHOWN, Event, shown
from .folding import Fold, fold
from .ladder_plan import accepted, role, shown_calls
from .rows import CONNECTION, DATAGRAM, END, RESET, Row, Share, Traffic, datagram, ended, rows

WIDTH = 100
LINES = 40
_LEFT, _RIGHT = 0, 1
_ON_THE_RIGHT = ("server", "right", "listener")
_ON_THE_LEFT = ("client", "left")
_KINDS = {"tls": "tls: encrypted on the wire"}
_SHAFT, _DASHES, _DOTS = "─", "- ", "· "
_LABEL = 34  # characters on an arrow, at most

NOTHING = (
    "Nothing was recorded: no socket call came back while the trace was open. "
    "Put the calls between its opening and its closing."
)


def ladder_text(events: Sequence[Event], *, width: int = WIDTH, lines: int = LINES) -> str:
    """The ladder of `events` in lines of at most `width` characters; more than `lines` rows are folded (see above).

    Raises ValueError for width < 60 or lines < 10: no two columns fit, no beginning and end.
    """
    if width < 60 or lines < 10:
        raise ValueError(f"ladder_text wanted width >= 60 and lines >= 10, but got {width!r} and {lines!r}")
    calls = shown_calls(events)
    if not calls:
        return fill(_nothing(events), width)
    traffic = Traffic(events, calls)
    sides = _Sides(calls, traffic)
    made = rows(calls, traffic)
    made = [row for pair in made for row in sides.on_one_row(pair)]
    blocks = _folded(made, traffic, lines)
    return "\n".join(line.rstrip() for line in _Page(made, traffic, sides, width).lay_out(*_cut(blocks, lines)))


def _nothing(events: Sequence[Event]) -> str:
    if not events:
        return NOTHING
    count = f"{len(events):,} calls were" if len(events) > 1 else "1 call was"
    return f"{count} recorded, but none that changes anything at the other end: looks, or socketlab's own housekeeping."


# -- folding and shortening ------------------------------------------------------------------------------------------


def _folded(made: Sequence[Row], traffic: Traffic, lines: int) -> list[Fold]:
    """The least folding that gets the rows into `lines`; where none does, the one that goes furthest."""
    best = fold(made, lambda row: _sameness(row, traffic, 0), least=4)
    for level, loose in ((1, False), (1, True), (2, False), (2, True)):
        if sum(block.lines for block in best) <= lines:
            break
        keys = [_sameness(row, traffic, level) for row in made]
        blocks = fold(keys, loose=loose)
        if sum(block.lines for block in blocks) < sum(block.lines for block in best):
            best = blocks
    return best


def _sameness(row: Row, traffic: Traffic, level: int) -> Hashable:
    """What rows must share to be folded: 0 all that is shown of them, 1 not the payload, 2 not which of many ends."""
    key: list[Hashable] = [row.tie]
    for event in row.calls:
        name = event.end.name if event.end is not None else ""
        shares = traffic.got.get(event.number, ())
        key += (
            event.call,
            event.asked,
            event.failure and str(event.failure),
            event.size == 0,
            event.peek,
            bool(shares),
        )
        key += (event.direction == OUT and event.number in traffic.took, ended(event), event.layer)
        if level == 0:
            key += (event.data, event.size, event.result, tuple((s.start, s.stop) for s in shares))
        key.append(name if level < 2 else role(name))
    return tuple(key)


def _cut(blocks: list[Fold], lines: int) -> tuple[list[Fold], list[Fold], list[Fold]]:
    """The beginning, what is left out, and the end."""
    if sum(block.lines for block in blocks) <= lines:
        return blocks, [], []
    head = _fitting(blocks, lines * 2 // 3)
    tail = _fitting(blocks[: head - 1 if head else None : -1], lines - lines * 2 // 3 - 1)
    return blocks[:head], blocks[head : len(blocks) - tail], blocks[len(blocks) - tail :]


def _fitting(blocks: Iterable[Fold], lines: int) -> int:
    """How many of the blocks fit into so many lines, at least one."""
    count = 0
    for block in blocks:
        lines -= block.lines
        if lines < 0 and count:
            break
        count += 1
    return count


# -- who stands where ------------------------------------------------------------------------------------------------


class _Sides:
    """On which side each end stands, and what its rows are called."""

    def __init__(self, calls: Sequence[Event], traffic: Traffic) -> None:
        self.side: dict[str, int] = {}
        self.kinds: dict[str, None] = {}
        doors: set[str] = set()  # listeners, which need no heading where what they let in has one
        partners = _partners(calls, traffic)
        for event in calls:
            end = event.end
            if end is None or end.name in self.side:
                continue
            if end.listening:
                doors.add(end.name)
            self.side[end.name] = self._place(end.name, end.listening, partners.get(end.name, ()))
            self.kinds[end.kind] = None
        if len(set(self.side.values())) == 1:
            self.side = dict.fromkeys(self.side, _LEFT)
        self.names: list[list[str]] = []
        for side in (_LEFT, _RIGHT):
            here = [name for name in self.side if self.side[name] == side]
            self.names.append([name for name in here if name not in doors] or here)
        self.of_threads = self._threads(calls)

    def _place(self, name: str, listening: bool, partners: Iterable[str]) -> int:
        if listening:
            return _RIGHT
        for partner in partners:
            if partner in self.side:
                return 1 - self.side[partner]
        if role(name) in _ON_THE_RIGHT:
            return _RIGHT
        return _LEFT

    def _threads(self, calls: Sequence[Event]) -> dict[int, int]:
        """The side of calls over several sockets (select): that of what their thread does next, or did last."""
        homeless = [event for event in calls if event.end is None]
        found: dict[int, int] = {}
        if not homeless:
            return found
        for order in (calls, reversed(calls)):
            last: dict[str, int] = {}
            for event in order:
                if event.end is not None:
                    last[event.thread] = self.side[event.end.name]
                elif event.thread in last:
                    found[event.number] = last[event.thread]
        return found

    def of(self, event: Event) -> int:
        """The side of a call."""
        if event.end is None:
            return self.of_threads.get(event.number, _LEFT)
        return self.side[event.end.name]

    def on_one_row(self, row: Row) -> list[Row]:
        """The row, or its two calls apart where both stand on the same side."""
        if row.second is not None and self.of(row.first) == self.of(row.second):
            return [Row(row.first), Row(row.second)]
        return [row]

    def owner(self, event: Event) -> str:
        """The name of the end that a call is to be read as being of."""
        if event.end is None:
            return ""
        if event.end.helper and event.end.listening and accepted(event):
            return accepted(event)
        return event.end.name

    def prefix(self, events: Sequence[Event]) -> str:
        """Whose calls these are, where the heading of the column does not say it: ``client 2: ``."""
        owners = list(dict.fromkeys(map(self.owner, events)))
        if not owners[0] or sorted(owners) == sorted(self.names[self.of(events[0])]):
            return ""
        if len(owners) > 1:
            return f"{len(owners):,} {printable(role(owners[0]))}s: "
        return f"{printable(owners[0])}: "

    def heading(self, side: int) -> str:
        """What stands above a column."""
        names = [printable(name) for name in self.names[side]]
        if len(names) > 2:
            roles = dict.fromkeys(map(role, names))
            names = []
            for each in roles:
                those = [printable(name) for name in self.names[side] if role(name) == each]
                names.append(those[0] if len(those) == 1 else f"{len(those):,} {each}s")
        return ", ".join(names)


def _partners(calls: Sequence[Event], traffic: Traffic) -> dict[str, list[str]]:
    """For each end the names of those that it is connected to or exchanges datagrams with."""
    found: dict[str, dict[str, None]] = {}
    for event in calls:
        if event.end is None:
            continue
        if event.end.other:
            found.setdefault(event.end.name, {})[event.end.other] = None
        for share in traffic.got.get(event.number, ()):
            sender = traffic.by_number.get(share.sent)
            if sender is not None and sender.end is not None and sender.end.name != event.end.name:
                found.setdefault(event.end.name, {})[sender.end.name] = None
                found.setdefault(sender.end.name, {})[event.end.name] = None
    return {name: list(names) for name, names in found.items()}


# -- words -----------------------------------------------------------------------------------------------------------


def _bytes(count: int) -> str:
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


def _clip(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


class _Line(NamedTuple):
    """One row before it is laid out: what is written left and right, and the arrow between them."""

    gutter: str
    left: str
    right: str
    label: str = ""
    way: int | None = None  #: the side that the arrow points to; None for no arrow
    shaft: str = _SHAFT
    lost: bool = False


class _Page:
    """Rows become lines: who speaks, what the arrow says, how wide the columns are."""

    def __init__(self, made: Sequence[Row], traffic: Traffic, sides: _Sides, width: int) -> None:
        self.made, self.traffic, self.sides, self.width = made, traffic, sides, width
        self.letters: dict[int, str] = {}
        calls = traffic.by_number.values()
        self.datagram_ends = {event.end.name for event in calls if event.end is not None and datagram(event)}
        # Where a datagram came from somewhere that nobody knows, none can be said to have been lost.
        self.all_known = all(e.failure or e.number in traffic.got for e in calls if e.direction == IN and datagram(e))

    def lay_out(self, head: list[Fold], left_out: list[Fold], tail: list[Fold]) -> list[str]:
        """All lines, the heading included."""
        self._give_letters(head + tail)
        # What is long is shown shorter and shorter until everything fits.
        for most in (SHOWN, 18, 14, 12, 10, 10):
            lines = [line for block in head for line in self._lines(block, most)]
            gap = len(lines)
            lines += [line for block in tail for line in self._lines(block, most)]
            gutter = max(len(line.gutter) for line in lines)
            left = max([len(line.left) for line in lines if line.way is not None], default=0)
            right = max([len(line.right) for line in lines if line.way is not None], default=0)
            lane = max([len(line.label) for line in lines if line.way is not None], default=0) + 8
            heading = self._heading(any(line.way is not None for line in lines))
            if heading[2]:
                left, lane = max(left, len(heading[0])), max(lane, len(heading[1]) + 2, 16)
                right = max(right, len(heading[2]))
            if gutter + left + lane + right + 2 <= self.width:
                break
        else:
            lane = min(lane, self.width // 2)
            left = min(left, (self.width - gutter - lane - 2) // 2)
            right = self.width - gutter - left - lane - 2
        texts = [self._draw(line, gutter, left, lane) for line in lines]
        if left_out:
            count = sum(len(self.made[i].calls) for block in left_out for i in block.rows)
            texts.insert(gap, " " * gutter + f"… {count:,} calls more …")
        title = " " * gutter + heading[0].ljust(left + 1) + heading[1].center(lane) + " " + heading[2]
        title = _clip(title.rstrip(), self.width)
        rule = " " * gutter + "─" * (max(map(len, [title, *texts])) - gutter)
        return [title, rule, *texts]

    def _heading(self, arrows: bool) -> tuple[str, str, str]:
        """What stands above the left column, the arrows, and the right column."""
        left, right = self.sides.heading(_LEFT), self.sides.heading(_RIGHT)
        if right or arrows:
            return left, self._kinds(), right or "not in this trace"
        return f"{left} ({self._kinds()})" if left and self._kinds() else left, "", ""

    def _kinds(self) -> str:
        kinds = [_KINDS.get(kind, printable(kind)) for kind in self.sides.kinds if kind]
        if "tls" in self.sides.kinds and "tcp" in self.sides.kinds:
            kinds.remove("tcp")  # the listener of TLS ends, and what they were before
        return ", ".join(kinds)

    # -- letters for bytes that arrive on another row ----------------------------------------------------------------

    def _give_letters(self, blocks: Sequence[Fold]) -> None:
        """To what is sent on one row and received on another; where calls are folded, only within the fold."""
        home: dict[int, int] = {}  # of each visible call: its block, or -1 where it stands for itself
        for i, block in enumerate(blocks):
            for leaf in block.leaves():
                row = self.made[leaf.rows[0]]
                if not row.tie:
                    home[row.first.number] = i if len(leaf.rows) > 1 else -1
        wanted = {
            share.sent
            for number, block in home.items()
            for share in self.traffic.got.get(number, ())
            if share.sent in home and home[share.sent] in (-1, block)
        }
        self.letters = {number: _letter(i) for i, number in enumerate(n for n in home if n in wanted)}

    # -- rows --------------------------------------------------------------------------------------------------------

    def _lines(self, block: Fold, most: int) -> list[_Line]:
        """The lines of a block, with what stands before them: ``250 × ┌``."""
        if not block.parts:
            return [self._line(block, most, f"{block.times} × " if block.times else "")]
        inner = [line for part in block.parts for line in self._lines(part, most)]
        bars = ["┌ ", *["│ "] * (len(inner) - 2), "└ "] if len(inner) > 1 else ["─ "]
        times = f"{block.times} × " if block.times else ""
        wide = max(len(line.gutter) for line in inner)
        return [
            line._replace(gutter=(times if i == 0 else " " * len(times)) + bar + line.gutter.rjust(wide))
            for i, (line, bar) in enumerate(zip(inner, bars, strict=True))
        ]

    def _line(self, leaf: Fold, most: int, gutter: str) -> _Line:
        every = [self.made[i] for i in leaf.rows]
        row = every[0]
        firsts = [one.first for one in every]
        side = self.sides.of(row.first)
        words = ["", ""]
        label, way, shaft, lost, note = self._arrow(row, every)
        counted = way is not None
        words[side] = self._call(firsts, most, counted)
        if row.second is not None:
            seconds = [one.second for one in every if one.second is not None]
            words[1 - side] = self._call(seconds, most, counted)
        elif note:
            words[1 - side] = note
        return _Line(gutter, words[0], words[1], label, way, shaft, lost)

    def _call(self, events: Sequence[Event], most: int, counted: bool) -> str:
        """``client 2: recv(100) → b'hello'``; a comma and … where the next ones had something else."""
        event = events[0]
        varied = ", …" if any(other.data != event.data for other in events) else ""
        asked = _clip(printable(event.asked), 48)
        payload = ""
        if event.direction and event.data is not None:
            payload = shown(event.data, event.size, most)
            if counted and (event.size or 0) > most:
                payload = payload.rpartition("… ")[0] + "…"
            else:
                payload += varied
        if event.direction == OUT:
            asked = ", ".join(filter(None, (payload, asked)))
        text = f"{self.sides.prefix(events)}{printable(event.call)}({asked})"
        if event.failure is not None:
            return f"{text} ✗ {printable(str(event.failure))}"
        result = ""
        if event.result and event.result != f"<{event.end.name if event.end is not None else ''}>":  # else it is said
            more = ", …" if any(other.result != event.result for other in events) else ""
            result = _clip(printable(event.result), 48) + more
        got = payload if event.direction == IN else ""
        if event.direction == IN and event.data is None and event.size is not None:
            got = _bytes(event.size)
        answer = ", ".join(filter(None, (got, result)))
        return f"{text} → {answer}" if answer else text

    # -- arrows ------------------------------------------------------------------------------------------------------

    def _arrow(self, row: Row, every: Sequence[Row]) -> tuple[str, int | None, str, bool, str]:
        """Of a row's arrow: its label, the side it points to, its shaft, whether it got lost, a note at its end."""
        event, there = row.first, 1 - self.sides.of(row.first)
        shaft = _DASHES if datagram(event) else _SHAFT
        if row.tie == CONNECTION:
            return "", there, _SHAFT, False, ""
        if row.tie in (END, RESET):
            return row.tie, there, _SHAFT, False, ""
        if row.tie:
            label = self._amount([one.first for one in every])
            assert row.second is not None
            if row.tie == DATAGRAM and (cut := (event.size or 0) - (row.second.size or 0)) > 0 and len(every) == 1:
                label += f", {cut:,} cut off"
            return label, there, shaft, False, ""
        if event.direction == OUT and (event.size or (event.size == 0 and datagram(event))):
            return self._outgoing(every, there, shaft)
        if event.direction == IN and event.failure is None and event.size is not None:
            here = 1 - there
            if ended(event):
                return END, here, _SHAFT, False, ""
            if event.size or datagram(event):
                label = self._origin(every)
                if event.peek:
                    return f"looks at {label}, leaves it", here, _DOTS, False, ""
                return label, here, shaft, False, ""
        if event.direction == IN and ended(event) and event.after:
            return RESET, 1 - there, _SHAFT, False, ""
        return self._connecting(event, there)

    def _connecting(self, event: Event, there: int) -> tuple[str, int | None, str, bool, str]:
        """connect and accept that stand apart."""
        nothing = "", None, _SHAFT, False, ""
        if event.failure is not None or event.end is None or (event.call == "connect_ex" and event.result != "0"):
            return nothing
        if event.call == "accept":
            for number in self.traffic.causes(event):
                caller = self.traffic.by_number.get(number)
                if caller is not None and caller.end is not None and caller.end.name != event.end.name:
                    label = f"from {printable(caller.end.name)}" if len(self.sides.names[there]) > 1 else ""
                    return label, 1 - there, _SHAFT, False, ""
        if event.call in ("connect", "connect_ex", "create_connection") and not datagram(event):
            return "", there, _SHAFT, False, ""
        return nothing

    def _amount(self, sent: Sequence[Event]) -> str:
        """How many bytes: of one, of each where all are the same, or in all."""
        sizes = [event.size or 0 for event in sent]
        if len(sent) == 1:
            return _bytes(sizes[0])
        if all(event.data == sent[0].data and event.size == sent[0].size for event in sent):
            return f"{_bytes(sizes[0])} each"
        return f"{_bytes(sum(sizes))} in all"

    def _outgoing(self, every: Sequence[Row], there: int, shaft: str) -> tuple[str, int | None, str, bool, str]:
        """A send whose bytes arrive further down, or not at all."""
        event = every[0].first
        number, size = event.number, event.size or 0
        label = self._amount([one.first for one in every])
        if number in self.letters:
            label = f"{self.letters[number]}: {label}"
        here = event.end.name if event.end is not None else ""
        if datagram(event):
            lost = sum(one.first.number not in self.traffic.took for one in every)
            lost *= self.all_known and bool(self.datagram_ends - {here})
            if lost and len(every) == 1:
                return label, there, shaft, True, "nobody received it"
            if lost:
                return label, there, shaft, lost == len(every), f"{lost:,} of {len(every):,} not received"
            return label, there, shaft, False, ""
        unread = size - self.traffic.read.get(number, 0)
        if unread and len(every) == 1 and event.end is not None and event.end.other:
            if unread == size:
                return label, there, shaft, False, "" if number in self.traffic.took else "nobody read it"
            return f"{label}, {unread:,} not read", there, shaft, False, ""
        return label, there, shaft, False, ""

    def _origin(self, every: Sequence[Row]) -> str:
        """Where the bytes of a receiving call come from, in words: "first 5 bytes of A", "A + B"."""
        events = [one.first for one in every]
        total = sum(event.size or 0 for event in events)
        shares = [share for event in events for share in self.traffic.got.get(event.number, ())]
        sent = list(dict.fromkeys(share.sent for share in shares))
        known = all(number in self.letters for number in sent)
        if not shares:
            return self._amount(events)
        if len(every) > 1:
            if len(sent) == 1 and known:
                return f"{_bytes(total)} of {self.letters[sent[0]]}"
            return self._amount(events)
        if not known or len(sent) > 3:
            if known and all(self._whole(share) for share in shares):
                return f"{self.letters[sent[0]]} to {self.letters[sent[-1]]}"
            return f"{_bytes(total)} of {len(sent):,} sends" if len(sent) > 1 else _bytes(total)
        text = " + ".join(map(self._part, shares))
        return text if len(text) <= _LABEL else " + ".join(self._part(share, brief=True) for share in shares)

    def _whole(self, share: Share) -> bool:
        sender = self.traffic.by_number.get(share.sent)
        return sender is not None and share.start == 0 and share.stop == sender.size

    def _part(self, share: Share, brief: bool = False) -> str:
        letter = self.letters[share.sent]
        sender = self.traffic.by_number[share.sent]
        if self._whole(share):
            return letter
        if datagram(sender):
            return f"{letter}, {(sender.size or 0) - share.stop:,} cut off"
        place = "first" if share.start == 0 else "last" if share.stop == sender.size else "next"
        if brief:
            return f"{({'first': 'start', 'last': 'end'}).get(place, 'more')} of {letter}"
        count = share.stop - share.start
        return f"{place} {'byte' if count == 1 else f'{count:,} bytes'} of {letter}"

    # -- drawing -----------------------------------------------------------------------------------------------------

    def _draw(self, line: _Line, gutter: int, left: int, lane: int) -> str:
        text = line.gutter.rjust(gutter) if line.gutter.endswith("× ") else line.gutter.ljust(gutter)
        begin = gutter + left + lane + 2  # of the right column
        if line.way is None:
            if line.left:
                return _clip(text + line.left, self.width)
            begin = max(gutter, min(begin, self.width - len(line.right)))  # there is no arrow that it could hide
            return _clip(text.ljust(begin) + line.right, self.width)
        words = _clip(line.left, left)
        text += words
        start = len(text) + 1 if words else gutter + left + 1
        stop = begin - 1
        label = f" {_clip(line.label, lane - 6)} " if line.label else ""
        before = gutter + left + 1 + (lane - len(label)) // 2 - start
        after = stop - start - before - len(label)
        shaft = (line.shaft * before)[:before][::-1] + label + (line.shaft * after)[:after]
        if line.way == _RIGHT:
            shaft = shaft[:-1] + ("✗" if line.lost else "►")
        else:
            shaft = ("✗" if line.lost else "◄") + shaft[1:]
        return _clip(f"{text.ljust(start)}{shaft} {line.right}", self.width)


def _letter(i: int) -> str:
    """A to Z, then AA, AB and so on."""
    text = ""
    i += 1
    while i:
        i, rest = divmod(i - 1, 26)
        text = chr(65 + rest) + text
    return text
