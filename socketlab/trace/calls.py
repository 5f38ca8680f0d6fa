"""A recorded call on its way to its place among the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .events import OUT, Failure
from .operations import Extra, Operation, Special
from .recorder import SLOTS, Cut, Lane
from .sight import End


class Call:
    """One call as it was recorded.

    `pieces` are the bytes that it got, each as (the call that sent them, start, stop, at); None where there are none.
    `causes` are the calls elsewhere that came before it, beside those whose bytes it got. There may be a million of
    them, so what most calls have not got is None, and what one call needs is not stored in two.
    """

    __slots__ = (
        *("lane", "start", "end", "who", "operation", "asked", "moved", "where"),
        *("inside", "number", "offset", "pieces", "causes"),
    )

    def __init__(self, lane: int, slots: Sequence[Any]) -> None:
        self.lane = lane
        self.start: float
        self.end: float
        self.who: End | None
        self.asked: Any
        self.moved: Any
        operation: Any
        self.start, self.end, self.who, operation, self.asked, self.moved = slots
        self.operation: Operation = operation
        self.where: Extra | None = None
        if isinstance(operation, Special):
            self.operation, self.where = operation.operation, operation.extra
        self.inside: Call | None = None
        self.number = 0
        self.offset: int | None = None
        self.pieces: list[tuple[Call, int, int, int]] | None = None
        self.causes: list[Call] | None = None

    @property
    def name(self) -> str:
        return self.operation.name

    @property
    def failed(self) -> bool:
        return isinstance(self.moved, Failure)

    @property
    def flags(self) -> int:
        return 0 if self.where is None else self.where.flags

    @property
    def made(self) -> tuple[End, ...]:
        """The ends that came of it."""
        return () if self.where is None else self.where.ends

    @property
    def address(self) -> Any:
        """The address that it was given, or that it returned with a datagram."""
        return None if self.where is None else self.where.address

    @property
    def data(self) -> bytes | None:
        """The payload, as far as it was kept."""
        kept = self.asked if self.operation.direction == OUT else self.moved
        return kept.data if isinstance(kept, Cut) else kept if isinstance(kept, bytes) else None

    @property
    def size(self) -> int | None:
        """How many bytes were moved; None where nobody knows."""
        if isinstance(self.moved, Failure):
            return None
        if self.operation.direction == OUT and isinstance(self.moved, int):
            return self.moved
        return length(self.asked if self.operation.direction == OUT else self.moved)

    @property
    def outermost(self) -> Call:
        """The call that the program made itself, when this one was made inside it."""
        call = self
        while call.inside is not None:
            call = call.inside
        return call

    def comes_after(self, cause: Call) -> None:
        """Note that `cause`, a call elsewhere, happened before this one."""
        if cause is not self:
            if self.causes is None:
                self.causes = []
            if cause not in self.causes:
                self.causes.append(cause)

    def got(self, sent: Call, start: int, stop: int, at: int) -> None:
        """Note that ``data[start:stop]`` of `sent` is what this call got, from its byte `at` on."""
        if self.pieces is None:
            self.pieces = []
        self.pieces.append((sent, start, stop, at))


def length(kept: Any) -> int | None:
    """The size of a payload, kept or cut."""
    return kept.size if isinstance(kept, Cut) else len(kept) if isinstance(kept, bytes) else None


def ended(call: Call) -> float:
    return call.end


def name_of(address: Any) -> Any:
    """An address in the form in which both ends give it: host and port, IPv4 also where IPv6 wrote it."""
    if isinstance(address, tuple) and len(address) >= 2:
        host = address[0].removeprefix("::ffff:") if isinstance(address[0], str) else address[0]
        return host, address[1]
    return address


def calls_of(lane: int, chunks: Sequence[Sequence[Any]]) -> tuple[list[Call], list[Call], list[Call]]:
    """The calls of a lane: all of them, the outermost ones in their order, and those of links, which are not told.

    A call that began before others and ended after them has made them.
    """
    every: list[Call] = []
    top: list[Call] = []
    of_links: list[Call] = []
    for chunk in chunks:
        for at in range(0, len(chunk), SLOTS):
            who = chunk[at + 2]
            if who is not None and who.hidden:
                if who.link:
                    of_links.append(Call(lane, chunk[at : at + SLOTS]))
                continue
            call = Call(lane, chunk[at : at + SLOTS])
            while top and top[-1].start >= call.start:
                top.pop().inside = call
            top.append(call)
            every.append(call)
    return every, top, of_links


def chains_of(lane: Lane, top: Sequence[Call]) -> Iterator[list[Call]]:
    """The calls of a thread, one chain; of a server's worker, one for each connection that it serves.

    A server that closes lets in whoever still waits, in the thread that closes it: that accept is a chain of its own.
    """
    chain: list[Call] = []
    served: set[End] = set()
    for call in top:
        whom: End | None = None
        if call.name == "accept" and call.made and call.who is not None and call.who.helper:
            if not lane.helper:
                yield [call]
                continue
            whom = call.made[0]
        elif lane.helper and call.who is not None and call.who.helper and call.who.origin == "accept":
            whom = call.who
        if whom is not None and whom not in served:
            served.add(whom)
            if chain:
                yield chain
                chain = []
        chain.append(call)
    if chain:
        yield chain
