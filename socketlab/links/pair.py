"""A connection through a link at work: a socket to the client, one to the target, and a pipe in either direction.

While nothing is wrong, bytes are received into one buffer and sent on at once: two system calls, nothing is copied
twice and nothing waits. Otherwise they go through the pipes. Either way the kernel's own flow control does its work:
a socket is not read while its pipe is full, so its sender stops as it would for a slow reader.

A reset travels like an end: behind what came before it. It is passed on as a reset, by closing a socket that lingers
for zero seconds (SO_LINGER, socket(7)).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .chance import seed_of
from .faults import BothWays, StreamFaults
from .pipe import CLOSE, GO_ON, NEVER, Pipe
from .relay import BROKEN, IN, OUT

if TYPE_CHECKING:
    from .stream import StreamRelay

#: Bytes that one read takes at most. Larger buffers leave the processor's cache; the sender is not faster for them.
READ = 1 << 18
#: Pieces that one connection may send before the others have their turn.
TURN = 256
#: Reads by which a connection that is closed is emptied first: a close with unread bytes would be a reset (RFC 2525).
DRAIN = 64

_ABORT = struct.pack("ii", 1, 0)


class Connection(BothWays):
    """One connection through a link, with faults of its own: what is not set here is as it is set for the link."""

    def __init__(self, number: int, client: Any, up: StreamFaults, down: StreamFaults) -> None:
        self._number, self._client = number, client
        self.up, self.down = up, down

    @property
    def number(self) -> int:
        """The link's connections are counted from 1."""
        return self._number

    @property
    def client(self) -> Any:
        """The client's address, as its own ``getsockname()`` tells it."""
        return self._client

    def __repr__(self) -> str:
        return f"<connection {self._number}: up {self.up!r}, down {self.down!r}>"


class End:
    """One of the two sockets of a connection, without its waiting bytes: those are in the pipes."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.open = True
        self.events = -1  # what is listened for; -1: it is not watched
        self.blocked = False  # its kernel took no more
        self.heard_end = False
        self.outgoing: Pipe  # what comes from it
        self.incoming: Pipe  # what goes to it
        self.other: End


class Pair:
    """A connection at work."""

    def __init__(self, relay: StreamRelay, client: socket.socket, target: socket.socket, handle: Connection) -> None:
        now = perf_counter()
        self.relay, self.handle = relay, handle
        self.up = Pipe(handle.up, seed_of(relay.seed, handle.number, "up"), now)
        self.down = Pipe(handle.down, seed_of(relay.seed, handle.number, "down"), now)
        self.client, self.target = client_end, target_end = End(client), End(target)
        client_end.outgoing = target_end.incoming = self.up
        target_end.outgoing = client_end.incoming = self.down
        client_end.other, target_end.other = target_end, client_end
        self.connected = False
        self.due = NEVER

    # -- called by the relay -----------------------------------------------------------------------------------------

    def ears(self, end: End) -> Any:
        """What is called when something happens at `end`."""
        pipe, other, buffer, view = end.outgoing, end.other, self.relay.buffer, self.relay.view
        here, there = end.sock, end.other.sock

        def heard(events: int) -> None:
            if events != IN or not pipe.clear or pipe.pending or not other.open or not self.connected:
                self.heard(end, events)
                return
            try:
                size = here.recv_into(buffer)
            except BlockingIOError:
                return
            except OSError as exc:
                self.died(end, exc)
                return
            if not size:
                end.heard_end = True
                pipe.end(perf_counter())
                self.settle(perf_counter())
                return
            try:
                sent = there.send(view[:size])
            except BlockingIOError:
                sent = 0
            except OSError as exc:
                pipe.take(bytes(view[:size]), perf_counter())
                self.died(other, exc)
                return
            pipe.taken += sent  # past the pipe, which has nothing to do to them
            pipe.passed += sent
            if sent < size:
                now = perf_counter()
                pipe.take(bytes(view[sent:size]), now)
                other.blocked = True
                self.settle(now)

        return heard

    def heard(self, end: End, events: int) -> None:
        """Something happened at `end`."""
        now = perf_counter()
        if not self.connected:
            self.answered(end, now)
            return
        if events & OUT:
            end.blocked = False
        if events & (IN | BROKEN) and not end.heard_end and end.other.open:
            room = end.outgoing.room
            if room:
                self.read(end, room, now)
            elif events & BROKEN:  # it would tell us again and again; it is watched again when there is room
                self.relay.forget(end.sock)
                end.events = -1
        elif events & BROKEN:
            self.hung_up(end)
            return
        self.settle(now)

    def read(self, end: End, room: int, now: float) -> None:
        view = self.relay.view
        try:
            size = end.sock.recv_into(view[: min(room, READ)])
        except BlockingIOError:
            return
        except OSError as exc:
            self.died(end, exc)
            return
        if size:
            end.outgoing.take(bytes(view[:size]), now)
        else:
            end.heard_end = True
            end.outgoing.end(now)

    def answered(self, end: End, now: float) -> None:
        """The target has accepted or refused, or the client did not wait for it."""
        error = end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if end is self.target and not error:
            self.connected = True
            self.settle(now)
            return
        what = "the target refused" if end is self.target else "the client left before the target answered"
        self.relay.errors.append(OSError(error or errno.ECONNRESET, f"{what}: {os.strerror(error)}" if error else what))
        self.abort()

    # -- moving ------------------------------------------------------------------------------------------------------

    def settle(self, now: float) -> None:
        """Send what may leave now, end what has ended, and see to it that the rest is not forgotten."""
        if not self.judged(now):
            return
        for end in (self.target, self.client):
            if end.open:
                self.push(end, now)
        if not (self.client.open or self.target.open):
            self.over()
            return
        if not self.judged(now):
            return
        for end in (self.client, self.target):
            if end.open:
                self.listen(end)
        due = min(self.up.wake_at(self.target.blocked), self.down.wake_at(self.client.blocked))
        if due < self.due:
            self.due = due
            self.relay.at_time(due, self)

    def judged(self, now: float) -> bool:
        """False where a fault has ended the connection."""
        for pipe in (self.up, self.down):
            verdict = pipe.verdict(now)
            if verdict != GO_ON:
                if verdict == CLOSE:
                    self.close()
                else:
                    self.abort()
                return False
        return True

    def push(self, end: End, now: float) -> None:
        """Send to `end` what may go there now."""
        pipe = end.incoming
        for _ in range(TURN):
            if end.blocked or (data := pipe.leaving(now)) is None:
                break
            try:
                sent = end.sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as exc:
                self.died(end, exc, settle=False)
                return
            if sent:
                pipe.left(sent, now)
            end.blocked = sent < len(data)
        if pipe.finished(now):
            pipe.over = True
            if pipe.broken:
                self.drop(end, abort=True)
                return
            try:
                end.sock.shutdown(socket.SHUT_WR)
            except OSError as exc:
                self.died(end, exc, settle=False)
                return
        if pipe.over and end.heard_end:
            self.drop(end)

    def listen(self, end: End) -> None:
        """Be told what matters at `end`, and nothing else."""
        if not self.connected:
            events = OUT if end is self.target else 0
        else:
            events = OUT if end.blocked else 0
            if not end.heard_end and end.other.open and end.outgoing.room:
                events |= IN
        if events == end.events:
            return
        if end.events >= 0:
            self.relay.poll.modify(end.sock.fileno(), events)
        elif events or not end.heard_end:
            self.relay.watch(end.sock, events, self.ears(end))
        else:
            return
        end.events = events

    # -- ending ------------------------------------------------------------------------------------------------------

    def hung_up(self, end: End) -> None:
        """There is nobody at `end` any more, in either direction; a Unix socket tells so after an ordinary close."""
        error = end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self.died(end, OSError(error, os.strerror(error)) if error else None)

    def died(self, end: End, error: OSError | None, settle: bool = True) -> None:
        """The peer at `end` has reset the connection. What it sent before goes on its way, and behind it a reset."""
        if error is not None:
            self.relay.errors.append(error.with_traceback(None))
        now = perf_counter()
        end.outgoing.end(now, broken=True)
        end.incoming.discard()
        end.incoming.end(now)
        self.drop(end)
        if settle:
            self.settle(now)

    def drop(self, end: End, abort: bool = False) -> None:
        if end.open:
            end.open = False
            end.incoming.over = True
            self.relay.forget(end.sock)
            if abort:
                set_abort(end.sock)
            end.sock.close()

    def abort(self) -> None:
        """Reset both sides."""
        self.drop(self.client, abort=True)
        self.drop(self.target, abort=True)
        self.over()

    def close(self) -> None:
        """Close both sides: with an end, as for a program that closes, not with a reset."""
        for end in (self.client, self.target):
            if end.open:
                try:
                    for _ in range(DRAIN):
                        size = end.sock.recv_into(self.relay.buffer)
                        if not size:
                            break
                        end.outgoing.taken += size
                        end.outgoing.discarded += size
                except OSError:
                    pass
            self.drop(end)
        self.over()

    def cut(self, abroad: bool) -> None:
        """The link is closed. Whoever would miss bytes is reset, for an end would tell him that he has them all."""
        for end in (self.client, self.target):
            if end.open and not abroad and (end.incoming.pending or end.incoming.swallowed):
                set_abort(end.sock)
            end.open = False
            end.sock.close()

    def over(self) -> None:
        self.relay.gone(self)


def set_abort(sock: socket.socket) -> None:
    """Have the close of `sock` reset its connection."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    except OSError:  # EINVAL on macOS: the peer was faster
        pass
