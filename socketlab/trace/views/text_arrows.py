"""What the arrow on a row says: how many bytes, which of whose, and what became of them.

Bytes that are sent on one row and received on another get a letter, "A: 11 bytes", and where they arrive it says
"first 5 bytes of A", "A + B", "A to F". Letters are given only to what is shown: where sends are folded, or left out
with the middle of a long trace, what received them says how many bytes it got.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..events import IN, OUT, Event
from .folding import Fold
from .rows import CONNECTION, DATAGRAM, END, RESET, Row, Share, Traffic, datagram, ended, held_elsewhere
from .text_sides import Sides
from .text_words import count_bytes, letter, printable

SHAFT, DASHES, DOTS = "─", "- ", "· "
_LABEL = 34  # characters on an arrow, at most: what is longer is said in fewer words


class Arrow(NamedTuple):
    """An arrow to the side `way` (None: there is none), what is written on it, and a note where it ends."""

    label: str = ""
    way: int | None = None
    shaft: str = SHAFT
    lost: bool = False
    note: str = ""


class Arrows:
    """The arrows of a page. `blocks` are what is shown of `made`."""

    def __init__(self, made: Sequence[Row], blocks: Sequence[Fold], traffic: Traffic, sides: Sides) -> None:
        self.made, self.traffic, self.sides = made, traffic, sides
        calls = traffic.by_number.values()
        self.datagram_ends = {event.end.name for event in calls if event.end is not None and datagram(event)}
        # Where a datagram came from somewhere that nobody knows, none can be said to have been lost.
        self.all_known = all(e.failure or e.number in traffic.got for e in calls if e.direction == IN and datagram(e))
        self.elsewhere = held_elsewhere(calls, traffic)
        self.letters: dict[int, str] = {}
        self._give_letters(blocks)

    def _give_letters(self, blocks: Sequence[Fold]) -> None:
        """To what is sent on a row of its own, if some row says which of its bytes it got."""
        leaves = [leaf for block in blocks for leaf in block.leaves() if not self.made[leaf.rows[0]].tie]
        firsts = [self.made[leaf.rows[0]].first for leaf in leaves if len(leaf.rows) == 1]
        alone = [first.number for first in firsts if self._sends(first)]
        wanted: set[int] = set()
        for leaf in leaves:
            got = (self.traffic.got.get(self.made[i].first.number, ()) for i in leaf.rows)
            senders = {share.sent for shares in got for share in shares}
            if len(senders) == 1 or len(leaf.rows) == 1:  # of several from several, only the amount is said
                wanted |= senders
        self.letters = {number: letter(i) for i, number in enumerate(n for n in alone if n in wanted)}

    def of(self, every: Sequence[Row]) -> Arrow:
        """The arrow of rows that are shown as one."""
        row = every[0]
        event, there = row.first, 1 - self.sides.of(row.first)
        by_link = " by the link" if event.by_link else ""
        shaft = DASHES if datagram(event) else SHAFT
        if row.tie == CONNECTION:
            return Arrow(way=there)
        if row.tie in (END, RESET):
            return Arrow(row.tie, there)
        if row.tie:
            label = self._amount([one.first for one in every])
            assert row.second is not None
            if row.tie == DATAGRAM and (cut := (event.size or 0) - (row.second.size or 0)) > 0 and len(every) == 1:
                label += f", {cut:,} cut off"
            return Arrow(label, there, shaft)
        if self._sends(event):
            return self._outgoing(every, there, shaft)
        if event.direction == IN and event.failure is None and event.size is not None:
            here = 1 - there
            if ended(event):
                return Arrow(END + by_link, here)
            if event.size or datagram(event):
                label = self._origin(every)
                if event.peek:
                    return Arrow(f"looks at {label}, leaves it", here, DOTS)
                return Arrow(label, here, shaft)
        if event.direction == IN and ended(event) and (event.after or by_link):
            return Arrow(RESET + by_link, 1 - there)
        return self._connecting(event, there)

    def _sends(self, event: Event) -> bool:
        """Whether bytes left: nobody knows how many before a sendall failed, but some may have arrived."""
        left = event.size or event.number in self.traffic.took or (event.size == 0 and datagram(event))
        return event.direction == OUT and bool(left)

    def _connecting(self, event: Event, there: int) -> Arrow:
        """connect and accept that stand apart."""
        if event.failure is not None or event.end is None or (event.call == "connect_ex" and event.result != "0"):
            return Arrow()
        if event.call == "accept":
            for number in self.traffic.causes(event):
                caller = self.traffic.by_number.get(number)
                if caller is not None and caller.end is not None and caller.end.name != event.end.name:
                    label = f"from {printable(caller.end.name)}" if len(self.sides.names[there]) > 1 else ""
                    return Arrow(label, 1 - there)
        if event.call in ("connect", "connect_ex", "create_connection") and not datagram(event):
            return Arrow(way=there)
        return Arrow()

    def _amount(self, sent: Sequence[Event]) -> str:
        """How many bytes: of one, of each where all are the same, or in all."""
        sizes = [event.size or 0 for event in sent]
        if len(sent) == 1:
            return count_bytes(sizes[0])
        if all(event.data == sent[0].data and event.size == sent[0].size for event in sent):
            return f"{count_bytes(sizes[0])} each"
        return f"{count_bytes(sum(sizes))} in all"

    def _outgoing(self, every: Sequence[Row], there: int, shaft: str) -> Arrow:
        """A send whose bytes arrive further down, or not at all."""
        event = every[0].first
        number = event.number
        label = self._amount([one.first for one in every])
        if event.size is None:
            label = f"at least {count_bytes(self.traffic.read.get(number, 0))}"
        if number in self.letters:
            label = f"{self.letters[number]}: {label}"
        lost, note = False, ""
        here = event.end.name if event.end is not None else ""
        if datagram(event):
            missing = sum(one.first.number not in self.traffic.took for one in every)
            if missing and self.all_known and self.datagram_ends - {here}:
                lost = missing == len(every)
                note = f"({missing:,} of {len(every):,} not received)"
                if lost:
                    note = "(nobody received it)" if missing == 1 else "(nobody received them)"
        elif event.end is not None and event.end.other:
            unread = sum((one.first.size or 0) - self.traffic.read.get(one.first.number, 0) for one in every)
            if unread > 0 and not any(one.first.number in self.traffic.took for one in every):
                note = "(nobody read it)" if len(every) == 1 else "(nobody read them)"
                if event.end.other in self.elsewhere:
                    note = "(read in another process)"
            elif unread > 0:
                label += f", {unread:,} not read"
        return Arrow(label, there, shaft, lost, note)

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
                return f"{count_bytes(total)} of {self.letters[sent[0]]}"
            return self._amount(events)
        if not known or len(sent) > 3:
            if known and all(self._whole(share) for share in shares):
                return f"{self.letters[sent[0]]} to {self.letters[sent[-1]]}"
            return f"{count_bytes(total)} of {len(sent):,} sends" if len(sent) > 1 else count_bytes(total)
        early = total - sum(share.stop - share.start for share in shares)
        if early > 0 and not datagram(events[0]):
            return f"{early:,} earlier + {count_bytes(total - early)}"  # sent when no trace was open
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
