"""A drip: a peer that sends one byte now and then, a timeout for each recv, and a deadline for all of them.

A timeout set with settimeout() bounds one call: each recv that returns a byte gives the next one its full time again
(the timeout "is reset" with every call; socketmodule.c computes a deadline at the start of each). So a peer that sends
one byte just before each timeout keeps a loop of recvs alive for as long as it likes. It is how slow clients hold the
workers of a server ("slowloris"). A deadline is a moment: each recv gets what is left until then, and no byte moves it.

Two readers hear the same drip, each over a TCP connection of its own, with real calls of recv in real threads.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from ...interrupts import Uninterrupted
from ...measure.timing import seconds_text
from ..buffers.pairs import stream_pair
from ..running import Steps, run
from ..wanted import seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

LONGEST = 30.0  # s that a drip, a timeout or a deadline may last
SHORTEST = 0.01  # s between two bytes: below that a slow core drips by its own clock
_LOOK = 0.03  # s between two yields: Stop is to answer within 50 ms


class Wait(NamedTuple):
    """One recv: when it was called, when it came back (s since the drip began), its timeout, and whether it got a byte.

    One that is under way has `end` as of now.
    """

    start: float
    end: float
    timeout: float
    got: bool


@dataclass(frozen=True, repr=False)
class Reader:
    """The recvs of one reader. `gave_up`: the last one ended in TimeoutError."""

    waits: tuple[Wait, ...] = ()
    gave_up: bool = False

    @property
    def received(self) -> int:
        """Bytes."""
        return sum(wait.got for wait in self.waits)

    @property
    def took(self) -> float:
        """Seconds from its first recv to its end, or until now."""
        return self.waits[-1].end - self.waits[0].start if self.waits else 0.0

    @property
    def left(self) -> list[tuple[float, float]]:
        """(seconds since the drip began, seconds until it gives up): a corner at the start and end of each recv."""
        return [
            corner
            for wait in self.waits
            for corner in ((wait.start, wait.timeout), (wait.end, max(wait.timeout - (wait.end - wait.start), 0.0)))
        ]


@dataclass(frozen=True, repr=False)
class Drip:
    """What `drip` measured; all times in seconds. `per_call` has a timeout for each recv, `total` a deadline."""

    interval: float
    timeout: float
    deadline: float
    lasts: float
    drops: tuple[float, ...] = ()  #: when each byte was sent
    per_call: Reader = Reader()
    total: Reader = Reader()

    def sentence(self) -> str:
        """What is to be seen, in plain text."""
        first, second = self.per_call, self.total
        drip = f"A byte every {seconds_text(self.interval)} for {seconds_text(self.lasts)}."
        if not first.gave_up:
            one = f"settimeout({self.timeout:g}) has waited for {seconds_text(first.took, 2)}, and waits on."
        elif first.received == len(self.drops) and self.drops:
            one = f"settimeout({self.timeout:g}) waited until the drip ended, and then its own time: " + _end(first)
        else:
            one = f"settimeout({self.timeout:g}) gave up in a gap that was too long for one recv: " + _end(first)
        if not second.gave_up:
            return f"{drip} {one} The deadline of {seconds_text(self.deadline)} is yet to come."
        return f"{drip} {one} The deadline of {seconds_text(self.deadline)} was kept: {_end(second)}"

    def __repr__(self) -> str:
        return (
            f"<Drip of a byte every {self.interval:g} s: settimeout({self.timeout:g}) against a deadline of "
            f"{self.deadline:g} s>"
        )


def _end(reader: Reader) -> str:
    n = reader.received
    return f"{seconds_text(reader.took, 2)}, {n} byte{'s' * (n != 1)}."


def drip(interval: float = 0.15, timeout: float = 0.5, deadline: float = 0.7, lasts: float = 1.2) -> Drip:
    """Send a byte every `interval` seconds, for `lasts` seconds, to two readers, until both have given up.

    One has called settimeout(`timeout`); the other gives each recv what is left until `deadline` seconds after its
    start. Both end in TimeoutError: one `timeout` after a byte that was the last, or late; the other at its deadline.
    Raises ValueError for numbers out of range, OSError where the machine lacks sockets.
    """
    return run(drip_steps(interval, timeout, deadline, lasts), "a drip")


def drip_steps(interval: float = 0.15, timeout: float = 0.5, deadline: float = 0.7, lasts: float = 1.2) -> Steps[Drip]:
    """`drip`, step by step. Raises ValueError at once."""
    seconds("interval", interval, LONGEST, SHORTEST)
    seconds("timeout", timeout, LONGEST, 0.001)
    seconds("deadline", deadline, LONGEST, 0.001)
    seconds("lasts", lasts, LONGEST)
    return _steps(float(interval), float(timeout), float(deadline), float(lasts))


def _steps(interval: float, timeout: float, deadline: float, lasts: float) -> Steps[Drip]:
    drops: list[float] = []
    with ExitStack() as opened:
        ends = [_connected(opened) for _ in range(2)]
        clock = _Clock()
        readers = _Listener(clock, ends[0][1], lambda _: timeout), _Listener(clock, ends[1][1], lambda t: deadline - t)
        # Backwards: what they wait in is shut down, then they are waited for, and then the sockets close.
        opened.callback(_all_leave, readers)
        for reader in readers:
            reader.start()
        longest = max(lasts + timeout, deadline)

        def so_far() -> Drip:
            heard = [reader.heard() for reader in readers]
            return Drip(interval, timeout, deadline, lasts, tuple(drops), *heard)

        while any(reader.is_alive() for reader in readers):
            due = interval * (len(drops) + 1)
            more = due <= lasts + 1e-9
            if more and clock() >= due:
                for sender, _ in ends:
                    with suppress(OSError):  # this reader has given up and left
                        sender.send(b".")
                drops.append(clock())
                due += interval
            yield min(0.99, clock() / longest), so_far()
            rest = min(_LOOK, max(due - clock(), 0.0)) if more else _LOOK
            readers[0].join(rest) if readers[0].is_alive() else readers[1].join(rest)
        yield 1.0, so_far()


class _Clock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self) -> float:
        return time.monotonic() - self._began


class _Listener(threading.Thread):
    """A reader: recv after recv, each with the timeout that `allowed` gives for its beginning, until one runs out."""

    def __init__(self, clock: _Clock, sock: socket.socket, allowed: Callable[[float], float]) -> None:
        super().__init__(name="reader of a drip", daemon=True)
        self.sock = sock
        self._clock, self._allowed = clock, allowed
        self._began: float | None = None
        self._waits: list[Wait] = []
        self._under_way: tuple[float, float] | None = None
        self._gave_up = False

    def start(self) -> None:
        with Uninterrupted():
            super().start()

    def run(self) -> None:
        try:
            while self._again():
                pass
        except OSError:  # shut down, when the experiment is stopped
            pass
        finally:
            self._under_way = None

    def _again(self) -> bool:
        start = self._clock()
        if self._began is None:
            self._began = start
        timeout = max(self._allowed(start - self._began), 0.0)
        self._under_way = start, timeout
        data, gave_up = b"", True
        if timeout > 0:  # settimeout(0) would mean something else: not to wait at all
            with suppress(TimeoutError):
                self.sock.settimeout(timeout)
                data = self.sock.recv(1)
                gave_up = False
        self._waits.append(Wait(start, self._clock(), timeout, bool(data)))
        self._gave_up = gave_up
        return bool(data)

    def heard(self) -> Reader:
        """So far."""
        waits, under_way = list(self._waits), self._under_way
        if under_way is not None and (not waits or waits[-1].start < under_way[0]):
            waits.append(Wait(under_way[0], max(self._clock(), under_way[0]), under_way[1], False))
        return Reader(tuple(waits), self._gave_up)


def _all_leave(readers: tuple[_Listener, ...]) -> None:
    for reader in readers:
        with suppress(OSError):
            reader.sock.shutdown(socket.SHUT_RDWR)  # wakes who waits in recv
    for reader in readers:
        if reader.ident is not None:
            reader.join()


def _connected(opened: ExitStack) -> tuple[socket.socket, socket.socket]:
    """A sender and a receiver; both close with `opened`."""
    with Uninterrupted():  # an interrupt between a socket and the line that keeps it would leave it open
        sender, receiver = map(opened.enter_context, stream_pair())
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sender, receiver


@overload
def draw_drip(result: Drip, *, title: str = "", ax: None = None) -> Picture: ...
@overload
def draw_drip(result: Drip, *, title: str = "", ax: Axes) -> Axes: ...
def draw_drip(result: Drip, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """How long each reader would still wait, against time: one starts again with each byte, the other runs out.

    Below stand the bytes. Raises ValueError where nothing has been measured yet.
    """
    from ...measure.plots import series, sheet, style

    readers = [(f"settimeout({result.timeout:g})", result.per_call), (f"deadline {result.deadline:g} s", result.total)]
    if not all(reader.waits for _, reader in readers):
        raise ValueError("draw_drip wanted two readers that have called recv, but there is none yet")
    picture, axes = sheet(ax, 3.4)
    with style():
        high = max(result.timeout, result.deadline)
        for (label, reader), stroke in zip(readers, series(), strict=False):
            axes.plot(*zip(*reader.left, strict=True), label=label, **stroke)
            if reader.gave_up:
                _mark_end(axes, reader, stroke["color"])
        low = -0.16 * high
        drops = axes.plot(result.drops, [low * 0.55] * len(result.drops), "o", color="#1c2127", markersize=4)
        drops[0].set_label("a byte arrives")
        axes.axhline(0, color="#6b737c", linewidth=0.8)
        axes.set(xlabel="seconds since the first recv", ylabel="seconds until it gives up")
        last = max(reader.waits[-1].end for _, reader in readers)
        axes.set_xlim(0, last * 1.16)
        axes.set_ylim(low, high * 1.14)
        axes.legend(loc="lower left", ncols=3, bbox_to_anchor=(0.0, 1.01), borderaxespad=0, frameon=False)
        axes.set_title(title or _finding(result), pad=30)
    return axes if picture is None else picture


def _mark_end(axes: Any, reader: Reader, colour: str) -> None:
    axes.plot(reader.waits[-1].end, 0, "X", color=colour, markersize=9, zorder=4)
    above: Any = {"xytext": (5, 7), "textcoords": "offset points"}
    axes.annotate("TimeoutError", (reader.waits[-1].end, 0), fontsize=9, color="#1c2127", **above)


def _finding(result: Drip) -> str:
    if result.per_call.took > result.deadline and result.total.gave_up:
        return f"Each byte starts settimeout({result.timeout:g}) again; a deadline only runs out"
    return "A timeout for each recv, and a deadline for all of them"
