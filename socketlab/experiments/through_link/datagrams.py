"""A conversation over UDP through a link: datagrams to an echo server, and those that come back.

A datagram says its number many times: then it is known even where a bit of it was flipped. It counts as lost when it
has not come back for longer than the link's faults explain.
"""

from __future__ import annotations

import socket
import struct
from collections import Counter
from collections.abc import Iterator
from selectors import EVENT_READ
from typing import Any

from .talk import CHANGED, KEPT, LOST, RECEIVE, WAITING, Message, Talk

ROOM = 0.3  # s that a datagram may take beyond what the faults explain, before it counts as lost: a busy machine's


class DatagramTalk(Talk):
    """Datagrams out, and those that come back."""

    def __init__(self, link: Any, size: int, every: float) -> None:
        super().__init__(link, size // 4 * 4, every)
        self.number = 0  # of the next datagram
        self.highest = -1  # that has come back
        self.sent: dict[int, Message] = {}
        self.refused = False
        self.errors = link.errors[-1:]
        self.sock = socket.socket(link.family, socket.SOCK_DGRAM)
        try:
            self.sock.setblocking(False)
            self.sock.connect(link.address)
            self.ready.register(self.sock, EVENT_READ, self.happened)
        except BaseException:
            self.close()
            raise

    def payload(self, number: int) -> bytes:
        return struct.pack("!I", number) * (self.size // 4)

    def do_what_is_due(self, now: float) -> float:
        self.give_up(now)
        if now < self.next:
            return self.next
        self.next = max(self.next + self.every, now)
        message = Message(now, self.size)
        try:
            self.sock.send(self.payload(self.number))
        except OSError as exc:
            self.failed(exc)
            return self.next
        self.sent[self.number] = message
        self.messages.append(message)
        self.number += 1
        return self.next

    def give_up(self, now: float) -> None:
        errors, self.errors = self.errors, self.link.errors[-1:]
        if errors != self.errors and "target refused" in str(self.errors[0]) and not self.refused:
            self.refused = True
            self.note("refused", str(self.errors[0]).partition("] ")[2])
        faults = self.link.up, self.link.down
        patience = ROOM + sum(way.latency + way.jitter + (0.05 if way.reordering else 0.0) for way in faults)
        for number in [n for n, message in self.sent.items() if now - message.sent > max(patience, KEPT)]:
            del self.sent[number]
        for message in self.sent.values():
            if message.end == WAITING and now - message.sent > patience:
                message.end = LOST

    def happened(self, events: int) -> None:
        for data in self.receive():
            now = self.now()
            self.recvs.append((now, len(data)))
            words = struct.unpack(f"!{len(data) // 4}I", data[: len(data) // 4 * 4])
            number = Counter(words).most_common(1)[0][0] if words else -1
            message = self.sent.get(number)
            if message is None:
                continue
            if self.refused:
                self.refused = False
                self.note("again", "datagrams come back")
            message.sizes.append(len(data))
            if message.first is None:
                message.first = message.last = now
                message.end = "" if data == self.payload(number) else CHANGED
                message.overtaken = number < self.highest
            self.highest = max(self.highest, number)

    def receive(self) -> Iterator[bytes]:
        for _ in range(64):  # then others have their turn
            try:
                yield self.sock.recv(RECEIVE)
            except BlockingIOError:
                return
            except OSError as exc:
                self.failed(exc)
                return

    def failed(self, error: OSError) -> None:
        if not self.refused:
            words = "the link is closed" if self.link.closed else f"{error.strerror or error}"
            self.note("refused", words)
        self.refused = True

    def close(self) -> None:
        self.sock.close()
        super().close()
