"""A conversation over TCP through a link: messages to an echo server, which do not wait for one another's answers.

So a second of latency is seen ten times a second; how many may be under way is bounded. After some messages the
connection is half-closed, which shows how long the end of a stream takes, while a new one takes over at once. One
that broke is made again after a moment.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from ...measure.pump import PERIOD, pattern
from .talk import CLOSED, RECEIVE, RESET, Message, Talk

MOST = 16  # messages that may be under way: at a few bytes a second they would be all that the link ever carries
TURNS = 30  # messages on one connection before it is ended and another takes over
ENDING = 4  # connections whose end is waited for
AGAIN, LONGEST_AGAIN = 0.5, 2.0  # s before connecting again after a connection broke; doubled up to the second
_BYTES = pattern(RECEIVE + PERIOD)


class Line:
    """One connection of the conversation."""

    def __init__(self, talk: StreamTalk, now: float) -> None:
        self.talk = talk
        self.connected, self.heard_something = False, False
        self.waiting: deque[Message] = deque()
        self.said = self.told = self.got = 0  # messages; bytes that the kernel took; bytes that came back
        self.half_closed: float | None = None
        self.errors = talk.link.errors[-1:]  # from before
        self.sock = socket.socket(talk.link.family, socket.SOCK_STREAM)
        try:
            self.sock.setblocking(False)
            if talk.link.family != getattr(socket, "AF_UNIX", None):
                # Else a message would wait for the acknowledgement of the one before, and that is Nagle's fault.
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            error = self.sock.connect_ex(talk.link.address)
            if error not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
                raise OSError(error, os.strerror(error))
            talk.ready.register(self.sock, EVENT_WRITE, self.happened)
        except BaseException:
            self.sock.close()
            raise

    def say(self, now: float) -> None:
        message = Message(now, self.talk.size)
        self.said += 1
        self.waiting.append(message)
        self.talk.messages.append(message)
        self.send()

    def send(self) -> None:
        """What is to be said and has not been taken by the kernel yet."""
        size = self.said * self.talk.size - self.told
        try:
            if size:
                self.told += self.sock.send(_BYTES[self.told % PERIOD :][:size])
        except BlockingIOError:
            pass
        except OSError:
            pass  # the next recv says what it was
        unsent = self.told < self.said * self.talk.size
        self.talk.ready.modify(self.sock, EVENT_READ | (EVENT_WRITE if unsent else 0), self.happened)

    def happened(self, events: int) -> None:
        if not self.connected:
            error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                self.talk.broke(self, "refused", f"connect: {os.strerror(error)}")
                return
            self.connected = True
            self.talk.ready.modify(self.sock, EVENT_READ, self.happened)
            return
        if events & EVENT_WRITE:
            self.send()
        if events & EVENT_READ:
            self.receive()

    def receive(self) -> None:
        try:
            data = self.sock.recv(RECEIVE)
        except BlockingIOError:
            return
        except OSError as exc:
            self.talk.broke(self, RESET, f"recv: {exc.strerror or exc}")
            return
        now = self.talk.now()
        if not data:
            if self.half_closed is None or self.waiting:
                self.talk.broke(self, CLOSED, "recv returned b'': the connection was closed")
            else:
                self.talk.ends.append((now, now - self.half_closed))
                self.talk.drop(self)
            return
        self.talk.recvs.append((now, len(data)))
        if data != _BYTES[self.got % PERIOD :][: len(data)] or self.got + len(data) > self.told:
            self.talk.broke(self, "other", "other bytes came back than were sent: the target does not echo")
            return
        if not self.heard_something:
            self.heard_something = True
            self.talk.goes_on()
        self.got += len(data)
        self.share_out(len(data), now)

    def share_out(self, size: int, now: float) -> None:
        """So many bytes came: of which messages they are."""
        while size:
            message = self.waiting[0]
            mine = min(size, message.missing)
            size -= mine
            message.missing -= mine
            message.sizes.append(mine)
            message.first = now if message.first is None else message.first
            if not message.missing:
                message.last, message.end = now, ""
                self.waiting.popleft()

    def finish(self, now: float) -> None:
        """Half-close: the answers still come, and after them the end."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the next recv says what it was
        self.half_closed = now


class StreamTalk(Talk):
    """A conversation over TCP, one connection after the other."""

    def __init__(self, link: Any, size: int, every: float) -> None:
        super().__init__(link, size, every)
        self.line: Line | None = None
        self.ending: deque[Line] = deque()
        self.again_at, self.again = 0.0, AGAIN
        self.broken = False

    def do_what_is_due(self, now: float) -> float:
        if self.line is None:
            if now < self.again_at:
                return self.again_at
            self.connect(now)
        if now < self.next:
            return self.next
        self.next = max(self.next + self.every, now)
        line = self.line
        if line is not None and line.connected and len(line.waiting) < MOST:
            line.say(now)
            if line.said >= TURNS and line.told == line.said * self.size:
                line.finish(now)
                self.ending.append(line)
                self.line = None
                self.connect(now)
                while len(self.ending) > ENDING:
                    self.broke(self.ending[0], CLOSED, "an end of stream did not come: the client closed")
        return self.next

    def connect(self, now: float) -> None:
        try:
            self.line = Line(self, now)
        except OSError as exc:
            self.broke(None, "refused", f"connect: {exc.strerror or exc}")

    def broke(self, line: Line | None, what: str, words: str) -> None:
        """This connection is over, and not because we ended it."""
        now = self.now()
        for message in line.waiting if line is not None else ():
            message.end = what if what in (RESET, CLOSED) else CLOSED
        errors = self.link.errors[-1:]
        if self.link.closed:
            what, words = "refused", "the link is closed"
        elif line is not None and errors != line.errors and "target refused" in str(errors[0]):
            what, words = "refused", str(errors[0]).partition("] ")[2]
        if line is self.line or (line is not None and line.waiting):
            self.note(what, words)
        if line is self.line:
            self.line, self.broken = None, True
            self.again_at, self.again = now + self.again, min(2 * self.again, LONGEST_AGAIN)
        self.drop(line)

    def goes_on(self) -> None:
        """A first answer has come."""
        if self.broken:
            self.note("again", "a new connection answers")
        self.broken, self.again = False, AGAIN

    def drop(self, line: Line | None) -> None:
        if line is None:
            return
        if line in self.ending:
            self.ending.remove(line)
        self.ready.unregister(line.sock)
        line.sock.close()

    def close(self) -> None:
        for line in (*self.ending, *([self.line] if self.line is not None else [])):
            line.sock.close()
        self.ending.clear()
        self.line = None
        super().close()
