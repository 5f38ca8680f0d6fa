"""Who stands on which side of a ladder of text, and how a row says whose call it is.

Who called stands on the left; who listened, or was accepted, on the right. Where neither is known, as among datagrams,
who is heard first is left. A listener has no heading where what it let in has one: its rows say "listener: accept()".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..events import Endpoint, Event
from .ladder_plan import NOBODY, accepted, role
from .rows import Row, Traffic
from .text_words import printable

LEFT, RIGHT = 0, 1
_ANSWERING = ("server", "right", "listener")


class Sides:
    """On which side each end stands, and what its rows are called."""

    def __init__(self, calls: Sequence[Event], traffic: Traffic) -> None:
        self.side: dict[str, int] = {}
        self.kinds: dict[str, None] = {}
        doors: set[str] = set()  # listeners, which need no heading where what they let in has one
        partners = _partners(calls, traffic)
        roles = {role(event.end.name) for event in calls if event.end is not None}
        answering = _ANSWERING if roles - set(_ANSWERING) else ()  # among equals, who is heard first is left
        for event in calls:
            end = event.end
            if end is None or end.name in self.side:
                continue
            if end.listening:
                doors.add(end.name)
            self.side[end.name] = self._place(end, partners.get(end.name, ()), answering)
            self.kinds[end.kind] = None
        if len(set(self.side.values())) == 1:
            self.side = dict.fromkeys(self.side, LEFT)
        self.names: list[list[str]] = []
        for side in (LEFT, RIGHT):
            here = [name for name in self.side if self.side[name] == side]
            self.names.append([name for name in here if name not in doors] or here)
        #: What stands between them: words for the heading.
        ends = (event.end for event in calls if event.end is not None and not event.end.listening)
        streams = {end.name: end.link for end in ends}
        some = any(streams.values())
        self.link = "" if not some else " through a link" if all(streams.values()) else ", some through a link"
        self.of_threads = self._threads(calls)

    def _place(self, end: Endpoint, partners: Iterable[str], answering: Sequence[str]) -> int:
        if end.listening:
            return RIGHT
        for partner in partners:
            if partner in self.side:
                return 1 - self.side[partner]
        return RIGHT if role(end.name) in answering else LEFT

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
            return self.of_threads.get(event.number, LEFT)
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
        if side == LEFT and not any(self.names):
            return NOBODY
        names = [printable(name) for name in self.names[side]]
        if len(set(map(role, names))) == 1:
            names.sort(key=lambda name: (len(name), name))  # client 2 before client 10
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
