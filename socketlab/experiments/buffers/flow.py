"""A conversation that goes on: a sender and a reader, each at a speed that can be changed meanwhile.

Both ends live in one loop that never blocks, so a stopped reader stops nobody but the sender, and in the way in which
the kernel does it. A hundred times a second each end does what its speed allows since it was its turn: the reader
receives, the sender sends until send() is refused or everything is sent. What was refused is not made up for later.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

from ...measure.tcp_fields import tcp_info
from ...measure.timing import _want
from ..running import Steps
from .depths import Depths
from .pairs import check_buffers, granted, stream_pair

__all__ = ["FASTEST", "KEPT", "Flow", "FlowState", "Look", "flow_steps"]

FASTEST = 2 * 1024 * 1024  # bytes per second: enough to see buffers fill, and next to nothing for a slow core
KEPT = 15.0  # seconds of the past in a state
_TURN, _LOOK = 0.01, 0.025  # seconds between two turns, and between two looks: a state for each
_ARREARS = 0.05  # seconds of speed that a late turn may make up for


class Flow:
    """What is asked of both ends: speeds in bytes per second, which may be changed at any time, from any thread.

    `sndbuf` and `rcvbuf` are asked for before the connection is made; None leaves the choice to the kernel. Raises
    ValueError for values out of range.
    """

    def __init__(
        self, send_rate: float, read_rate: float, *, sndbuf: int | None = None, rcvbuf: int | None = None
    ) -> None:
        check_buffers("tcp4", sndbuf, rcvbuf)
        self.sndbuf, self.rcvbuf = sndbuf, rcvbuf
        self.send_rate, self.read_rate = send_rate, read_rate
        self.sent = self.read = 0  #: bytes until now

    @property
    def send_rate(self) -> float:
        return self._send_rate

    @send_rate.setter
    def send_rate(self, rate: float) -> None:
        self._send_rate = _checked("send_rate", rate)

    @property
    def read_rate(self) -> float:
        return self._read_rate

    @read_rate.setter
    def read_rate(self, rate: float) -> None:
        self._read_rate = _checked("read_rate", rate)

    def __repr__(self) -> str:
        return f"<Flow {self.sndbuf}, {self.rcvbuf}>"


class Look(NamedTuple):
    """One moment of a flow: seconds since the beginning, bytes; None: this system does not tell."""

    t: float
    sender: int | None  #: in its send queue: not acknowledged yet, be it on the way or with the receiver already
    receiver: int | None  #: in its receive queue: not read yet
    refused: bool  #: send() has been refused since the look before


@dataclass(frozen=True, repr=False)
class FlowState:
    """How it stands. Times in seconds since the beginning, sizes in bytes; None: this system does not tell."""

    now: float
    looks: tuple[Look, ...]  #: of the last `KEPT` seconds
    granted: tuple[int, int]  #: SO_SNDBUF of the sender and SO_RCVBUF of the receiver, as the kernel grants them
    sent: int
    read: int
    send_rate: float  #: bytes per second of the last second, as it really went
    read_rate: float
    blocked: float  #: how long send() has been refused now, without a byte accepted
    window: int | None  #: what the receiver last offered to take (snd_wnd of TCP_INFO)
    unsent: int | None  #: of what waits at the sender: never sent yet, for want of a window (notsent_bytes)

    @property
    def waiting(self) -> int:
        """Bytes in the kernel now: sent and not read."""
        return self.sent - self.read

    @property
    def at_receiver(self) -> int | None:
        """Of these, those that the receiver could read at once."""
        return self.looks[-1].receiver if self.looks else None

    @property
    def refused(self) -> float:
        """The share of the looks of the last second at which send() had been refused."""
        some = [look.refused for look in self.looks if look.t > self.now - 1]
        return sum(some) / len(some) if some else 0.0

    def __repr__(self) -> str:
        return "<FlowState>"


def flow_steps(flow: Flow) -> Steps[FlowState]:
    """Let it flow until the generator is closed: a state some thirty times a second, without a share."""
    return _steps(flow)


def _steps(flow: Flow) -> Generator[tuple[float | None, FlowState], None, None]:
    with ExitStack() as stack:
        pair = stream_pair(sndbuf=flow.sndbuf, rcvbuf=flow.rcvbuf)
        sender, receiver = map(stack.enter_context, pair)
        sender.setblocking(False)
        receiver.setblocking(False)
        depths = Depths(sender, receiver, last=1.0)
        data, place = memoryview(bytes(FASTEST // 10)), bytearray(FASTEST // 10)
        looks: deque[Look] = deque()
        counts: deque[tuple[float, int, int]] = deque()  # of the last second
        flow.sent = flow.read = 0
        may_send = may_read = 0.0
        accepted = began = before = perf_counter()
        looked = 0.0
        refused = blocked = False
        while True:
            now = perf_counter()
            gone, before = min(now - before, _ARREARS), now
            may_read = min(may_read + flow.read_rate * gone, flow.read_rate * _ARREARS)
            may_send = min(may_send + flow.send_rate * gone, flow.send_rate * _ARREARS)
            with suppress(BlockingIOError):
                while may_read >= 1:
                    count = receiver.recv_into(place, int(may_read))
                    flow.read, may_read = flow.read + count, may_read - count
            try:
                while may_send >= 1:
                    count = sender.send(data[: int(may_send)])
                    flow.sent, may_send = flow.sent + count, may_send - count
                    accepted, blocked = now, False
            except BlockingIOError:
                refused = blocked = True
            if flow.send_rate < 1:
                accepted, blocked = now, False  # who does not send is not blocked
            if now > looked + _LOOK:
                looked = now
                ours, theirs = depths.step()
                looks.append(Look(now - began, ours.send, theirs.receive, refused))
                counts.append((now - began, flow.sent, flow.read))
                refused = blocked
                while looks[0].t < now - began - KEPT:
                    looks.popleft()
                while counts[0][0] < now - began - 1 and len(counts) > 2:
                    counts.popleft()
                first, last = counts[0], counts[-1]
                span = max(last[0] - first[0], _LOOK)
                info = tcp_info(sender)
                yield None, FlowState(
                    now - began, tuple(looks), granted(sender, receiver), flow.sent, flow.read,
                    (last[1] - first[1]) / span, (last[2] - first[2]) / span,
                    now - accepted if blocked else 0.0, info.snd_wnd, info.notsent_bytes,
                )  # fmt: skip
            time.sleep(_TURN)


def _checked(name: str, rate: float) -> float:
    number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
    _want(name, rate, number and 0 <= rate <= FASTEST, f"0 to {FASTEST:,} bytes per second")
    return float(rate)
