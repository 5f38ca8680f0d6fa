"""Traces written by hand: what two ends called, one call a line, tied together as a recorder would tie them.

story = Story()
client, server = story.connected()
story.send(client, b"hello")
story.recv(server, 100)
story.events
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from socketlab.trace.events import IN, OUT, Endpoint, Event, Failure, Piece

REFUSED = Failure("ConnectionRefusedError", 111, "Connection refused")
RESET = Failure("ConnectionResetError", 104, "Connection reset by peer")
PIPE = Failure("BrokenPipeError", 32, "Broken pipe")
AGAIN = Failure("BlockingIOError", 11, "Resource temporarily unavailable")
TIMEOUT = Failure("TimeoutError", None, "timed out")


class Story:
    """Calls in the order in which they are told. Streams are queues: a recv gets the oldest bytes of the other end."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.queues: dict[str, list[tuple[int, int, int, bytes]]] = {}  # by receiver: sent, start, stop, bytes
        self.closed: dict[str, int] = {}

    def call(self, end: Endpoint | None, call: str, asked: str = "", **fields: Any) -> int:
        number = len(self.events) + 1
        self.events.append(Event(number, call, end, asked, **fields))
        return number

    def connected(
        self, client: str = "client", server: str = "server", listener: str = "listener", kind: str = "tcp", **more: Any
    ) -> tuple[Endpoint, Endpoint]:
        ends = Endpoint(client, kind, other=server), Endpoint(server, kind, other=client, **more)
        door = Endpoint(listener, "tcp" if kind == "tls" else kind, listening=True, **more)
        connect = self.call(ends[0], "connect")
        self.call(door, "accept", result=f"<{server}>", after=(connect,))
        return ends

    def pair(self) -> tuple[Endpoint, Endpoint]:
        ends = Endpoint("left", "unix stream", other="right"), Endpoint("right", "unix stream", other="left")
        self.call(None, "socketpair", result="<left>, <right>")
        return ends

    def send(
        self, end: Endpoint, data: bytes, call: str = "sendall", asked: str = "", to: str = "", **more: Any
    ) -> int:
        number = self.call(end, call, asked, size=len(data), data=data, direction=OUT, **more)
        self.queues.setdefault(to or end.other, []).append((number, 0, len(data), data))
        return number

    def recv(self, end: Endpoint, size: int = 100, call: str = "recv", peek: bool = False, **more: Any) -> int:
        """A recv from a stream; ``b""`` where nothing is left (the other end has to be closed then)."""
        queue, number = self.queues.setdefault(end.name, []), len(self.events) + 1
        taken = list(queue)
        got, pieces = b"", []
        while queue and len(got) < size:
            sent, start, stop, data = queue.pop(0)
            part = data[start : min(stop, start + size - len(got))]
            pieces.append(Piece(sent, number, start, start + len(part), len(got)))
            got += part
            if start + len(part) < stop:
                queue.insert(0, (sent, start + len(part), stop, data))
        if peek:
            queue[:] = taken
        after = tuple(piece.sent for piece in pieces) or tuple(filter(None, [self.closed.get(end.other)]))
        asked = f"{size}, MSG_PEEK" if peek else str(size)
        self._tie(pieces)
        return self.call(
            end,
            call,
            asked,
            size=len(got),
            data=got,
            direction=IN,
            pieces=tuple(pieces),
            after=after,
            peek=peek,
            **more,
        )

    def recvfrom(self, end: Endpoint, size: int = 100, **more: Any) -> int:
        """One datagram."""
        number = len(self.events) + 1
        sent, _, _, data = self.queues[end.name].pop(0)
        data = data[:size]
        pieces = (Piece(sent, number, 0, len(data), 0),)
        self._tie(list(pieces))
        return self.call(
            end, "recvfrom", str(size), size=len(data), data=data, direction=IN, pieces=pieces, after=(sent,), **more
        )

    def lose(self, end: Endpoint) -> None:
        """The oldest datagram on its way to `end`."""
        self.queues[end.name].pop(0)

    def close(self, end: Endpoint, call: str = "close", asked: str = "") -> int:
        self.closed[end.name] = number = self.call(end, call, asked)
        return number

    def fail(self, end: Endpoint, call: str, failure: Failure, asked: str = "", **more: Any) -> int:
        after = tuple(filter(None, [self.closed.get(end.other)])) if failure in (RESET, PIPE) else ()
        return self.call(end, call, asked, failure=failure, after=after, **more)

    def _tie(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            event = self.events[piece.sent - 1]
            self.events[piece.sent - 1] = replace(event, pieces=(*event.pieces, piece))


def elsewhere(events: list[Event], seed: int) -> list[Event]:
    """The same program on another day: other times, ports and threads."""
    rng = random.Random(seed)
    return [
        replace(
            event,
            start_ns=rng.randrange(10**9),
            end_ns=rng.randrange(10**9),
            end=event.end and replace(event.end, local=("127.0.0.1", rng.randrange(65536)), peer=("::1", rng.random())),
        )
        for event in events
    ]


def echo(messages: list[bytes] | None = None) -> Story:
    story = Story()
    client, server = story.connected()
    for message in messages or [b"hello", b"and goodbye"]:
        story.send(client, message)
        story.recv(server)
        story.send(server, message.upper())
        story.recv(client)
    story.close(client)
    story.recv(server)
    story.close(server)
    return story
