"""Sizes that recv returned: which send wrote which byte of each recv.

TCP carries a stream of bytes and no messages (RFC 9293, section 3.8). How many bytes a recv returns depends on what
has arrived by then and on how many it asks for, and not on the sizes of the sends.

Sender and receiver take turns in one thread, by a timetable: the n-th send is due `delay` seconds after the one
before, a recv `pause` seconds after the one before, and as with a blocking recv, not before there is something to
return. What is due first is done first, the send where both are due at once. So on a link with nothing wrong, the
same numbers give the same recvs on each run, however slow the machine.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from string import ascii_lowercase
from time import perf_counter_ns, sleep
from typing import Any

from ...links import faulty_link
from ...links.faults import StreamFaults
from ..running import Steps, run
from ..wanted import seconds, whole
from .pieces import CLOSED, RESET, Piece, RecvSizes

MOST = 1 << 20  # bytes of all messages together: more blocks than any picture holds
MESSAGES = 1000
_LONGEST = 60.0  # s
_LIMIT = 10.0  # s that connect and accept may take on loopback
_STEP_NS = 40_000_000  # between two yields: Stop is to answer within 50 ms


def recv_sizes(
    messages: Sequence[int | bytes] = (5, 3, 8),
    *,
    size: int = 1024,
    delay: float = 0.0,
    pause: float = 0.0,
    seed: int = 0,
    at_most: float = 30.0,
    **faults: Any,
) -> RecvSizes:
    """Send `messages` over a TCP connection on loopback, and look at what each recv(`size`) returns.

    `messages` are bytes, or their sizes: then the first consists of a, the second of b, and so on. The sender waits
    `delay` seconds between two sends, the receiver `pause` seconds before each recv. `faults` put a faulty link in
    between: slice_size, slice_delay, latency and all others of `socketlab.faulty_link` for connections; `seed` is
    its. `at_most` seconds bound the whole: what has come by then is the result.

    The sender has TCP_NODELAY, because Nagle's algorithm (RFC 896) would delay sends that nobody delayed here.
    Raises ValueError for numbers out of range, TypeError for a fault that does not exist or a message of another
    type, OSError where the machine lacks sockets. For sockets of your own there is `RecvSizes.of`.
    """
    steps = recv_sizes_steps(messages, size=size, delay=delay, pause=pause, seed=seed, at_most=at_most, **faults)
    return run(steps, "sizes that recv returned")


def recv_sizes_steps(
    messages: Sequence[int | bytes] = (5, 3, 8),
    *,
    size: int = 1024,
    delay: float = 0.0,
    pause: float = 0.0,
    seed: int = 0,
    at_most: float = 30.0,
    **faults: Any,
) -> Steps[RecvSizes]:
    """`recv_sizes`, step by step."""
    data = _messages(messages)
    whole("size", size, 1, MOST, "bytes")
    times = [seconds("delay", delay, _LONGEST), seconds("pause", pause, _LONGEST)]
    seconds("at_most", at_most, 3600.0, 0.01)
    whole("seed", seed, 0, 2**63, "any kind")
    wrong = StreamFaults()
    for name in faults:
        if name not in StreamFaults.CHECKS:
            known = ", ".join(StreamFaults.CHECKS)
            raise TypeError(f"a link for connections has no fault {name!r}; there are: {known}")
    wrong.set(**faults)
    delay_ns, pause_ns = (round(time * 1e9) for time in times)
    return _steps(data, size, delay_ns, pause_ns, round(at_most * 1e9), None if wrong.perfect else faults, seed)


def _steps(
    messages: list[bytes], size: int, delay: int, pause: int, at_most: int, faults: dict[str, Any] | None, seed: int
) -> Steps[RecvSizes]:
    total = sum(map(len, messages))
    with ExitStack() as opened:
        talk = _Talk(*_connected(opened, faults, seed), messages, size)
        yield 0.0, talk.result()
        send_due, recv_due = 0, pause  # ns since the first send began; of a timetable, so that ties are ties
        shown = 0
        while not talk.end and (now := talk.now()) < at_most:
            sending = send_due <= now and talk.more
            if sending and (send_due <= recv_due or talk.held) and talk.send():
                recv_due, send_due = max(recv_due, send_due), send_due + delay
            elif recv_due <= now and talk.receive():
                # Without a link what was sent is there at once, and the timetable counts; with one, the clock.
                recv_due = (recv_due if faults is None else now) + pause
            elif sending and send_due > recv_due and talk.send():
                recv_due, send_due = send_due, send_due + delay
            else:
                dues = [due for due, wanted in ((send_due, talk.more), (recv_due, True)) if wanted and due > now]
                talk.wait(min([shown + _STEP_NS, at_most, *dues]) - now, recv_due <= now)
            if now >= shown + _STEP_NS:
                shown = now
                yield (talk.got / total if total else 0.0), talk.result()
        yield 1.0, talk.result()


class _Talk:
    """The two sockets, what is still to be sent, and what has been noted."""

    def __init__(self, sender: socket.socket, receiver: socket.socket, messages: list[bytes], size: int) -> None:
        self.sender, self.receiver, self.size = sender, receiver, size
        self.messages = messages
        self.sends: list[Piece] = []
        self.recvs: list[Piece] = []
        self.held: memoryview | None = None  # the rest of a message for which the kernel had no room
        self.more = True  # there is something to send, be it the end
        self.wrote = self.got = 0
        self.end = ""
        self.began = perf_counter_ns()

    def now(self) -> int:
        return perf_counter_ns() - self.began

    def send(self) -> bool:
        """Send the next message, or what is left of it; whether all of it has been taken."""
        if self.held is None:
            if len(self.sends) == len(self.messages):
                self._finish()
                return True
            data = self.messages[len(self.sends)]
            self.sends.append(Piece(self.wrote, data, self.now() / 1e9))
            self.held = memoryview(data)
        try:
            while self.held:
                taken = self.sender.send(self.held)
                self.wrote += taken
                self.held = self.held[taken:]
        except BlockingIOError:
            return False
        except ConnectionError:  # a fault of the link: there is nobody to send to any more
            self.more, self.held = False, None
            return True
        self.held = None
        if len(self.sends) == len(self.messages):
            self._finish()
        return True

    def _finish(self) -> None:
        self.more = False
        try:
            self.sender.shutdown(socket.SHUT_WR)
        except OSError:  # reset meanwhile
            pass

    def receive(self) -> bool:
        """Call recv; whether there was something to return."""
        try:
            data = self.receiver.recv(self.size)
        except BlockingIOError:
            return False
        except ConnectionError:
            self.end = RESET
            return True
        if data:
            self.recvs.append(Piece(self.got, data, self.now() / 1e9))
            self.got += len(data)
        else:
            self.end = CLOSED
        return True

    def wait(self, ns: int, receiving: bool) -> None:
        """Until one of the sockets is ready for what is wanted of it, so many ns at most."""
        if not receiving and self.held is None:
            sleep(max(ns, 0) / 1e9)
            return
        with DefaultSelector() as both:
            if receiving:
                both.register(self.receiver, EVENT_READ)
            if self.held is not None:
                both.register(self.sender, EVENT_WRITE)
            both.select(max(ns, 0) / 1e9)

    def result(self) -> RecvSizes:
        return RecvSizes(tuple(self.sends), tuple(self.recvs), self.size, self.end)


def _connected(opened: ExitStack, faults: dict[str, Any] | None, seed: int) -> tuple[socket.socket, socket.socket]:
    """A sender and a receiver, connected, over a link where there are faults; all of it closed with `opened`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_LIMIT)
        address = listener.getsockname()
        if faults is not None:
            address = opened.enter_context(faulty_link(address, up=faults, seed=seed)).address
        sender = opened.enter_context(socket.create_connection(address, _LIMIT))
        receiver = opened.enter_context(listener.accept()[0])
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sender.setblocking(False)
    receiver.setblocking(False)
    return sender, receiver


def _messages(wanted: Sequence[int | bytes]) -> list[bytes]:
    if isinstance(wanted, (str, bytes, bytearray)) or not isinstance(wanted, Sequence):
        raise TypeError(f"messages wanted a list of sizes or of bytes, such as [5, 3, 8], but got {wanted!r}")
    if not 1 <= len(wanted) <= MESSAGES:
        raise ValueError(f"messages wanted 1 to {MESSAGES:,} messages, but got {len(wanted):,}")
    found, total = [], 0
    for n, one in enumerate(wanted):
        if isinstance(one, str):
            raise TypeError(f"a socket sends bytes, but message {n + 1} is the str {one!r}: encode it, or say its size")
        if not isinstance(one, (bytes, bytearray, memoryview)):
            letter = ascii_lowercase[n % 26].encode()
            one = letter * whole(f"message {n + 1}", one, 0, MOST, "bytes")
        found.append(bytes(one))
        total += len(found[-1])
        if total > MOST:
            raise ValueError(f"messages wanted {MOST:,} bytes in all at most, but got {total:,} with message {n + 1}")
    return found
