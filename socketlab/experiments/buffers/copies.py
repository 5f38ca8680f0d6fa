"""What a copy costs: a file sent in three ways, a stream received in three, by the size of each call.

A call costs time for the trip into the kernel, whatever its size, and time for each byte that it copies. A file's bytes
are in the kernel's memory already; `read` copies them into the program's, `send` into the socket's buffer. A file that
is mapped (mmap(2)) needs no `read`, and sendfile(2) leaves a reference to the file's own memory in the buffer. On the
other side every `recv` copies once; a receive with MSG_TRUNC (tcp(7)) throws the bytes of a stream away.

One thread has both ends: it fills a buffer or empties it while the clock stands still, so what is timed is the calls of
one end and nothing else. The clock is the processor's time of this thread, where the system has a fine one: who else
is busy on the machine, and who reads how fast, does not count. Ways and sizes take turns, forwards and backwards.
"""

from __future__ import annotations

import mmap
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from ...measure.timing import _want, bytes_text
from ..running import Steps, run
from .pairs import stream_pair

if TYPE_CHECKING:
    from ...measure.plots import Picture

__all__ = ["RECEIVING", "SENDING", "FastPaths", "WayOfBytes", "draw_fast_paths", "fast_paths", "fast_paths_steps"]

#: How a file is sent, how a stream is received; and how often each byte is copied in these calls.
SENDING = {"read + send": 2, "mmap + send": 1, "sendfile": 0}
RECEIVING = {"recv": 1, "recv_into": 1, "MSG_TRUNC": 0}
COPIES = {**SENDING, **RECEIVING}

SIZES = tuple(4**n for n in range(3, 11))  # 64 bytes to 1 MiB
_FILE = 4 * 1024 * 1024  # bytes: more than most caches of one core, and a multiple of every size
_CALLS = 64  # of one stretch between two looks at the clock; small segments beyond that would fill the receive buffer
_STRETCHES = 2000  # of a sample at most: one that never has anything to do ends as well
_FILL = b"x" * 65536

# Windows counts a thread's time in ticks of 16 ms.
_clock = time.thread_time if time.get_clock_info("thread_time").resolution < 1e-6 else time.perf_counter


@dataclass(frozen=True, repr=False)
class WayOfBytes:
    """One way, measured with calls of several sizes."""

    name: str  #: a key of SENDING or RECEIVING
    copies: int  #: of each byte
    sizes: tuple[int, ...]  #: bytes of a call
    samples: tuple[tuple[float, ...], ...]  #: bytes per second, one sample a round, by size

    def rate(self, size: int) -> float | None:
        """Bytes per second with calls of that `size`, the median of its rounds; None: not measured."""
        if size not in self.sizes:
            return None
        some = self.samples[self.sizes.index(size)]
        return median(some) if some else None

    @property
    def points(self) -> list[tuple[int, float]]:
        """Size and rate, where there is one, the smallest size first."""
        return sorted((size, rate) for size in self.sizes if (rate := self.rate(size)) is not None)

    @property
    def label(self) -> str:
        return f"{self.name}: {'no copy' if not self.copies else '1 copy' if self.copies == 1 else '2 copies'}"

    def __repr__(self) -> str:
        return f"<WayOfBytes {self.label}>"


@dataclass(frozen=True, repr=False)
class FastPaths:
    """What `fast_paths` has measured."""

    sizes: tuple[int, ...]
    ways: tuple[WayOfBytes, ...]
    lacking: tuple[str, ...] = ()  #: ways that this system has not

    def __getitem__(self, name: str) -> WayOfBytes:
        for way in self.ways:
            if way.name == name:
                return way
        raise KeyError(name)

    def summary(self) -> str:
        """One line for people."""
        words = []
        for way in self.ways:
            if way.points:
                size, rate = max(way.points, key=lambda point: point[1])
                words.append(f"{way.name} {bytes_text(rate)}/s with {bytes_text(size)} a call")
        return f"at best: {', '.join(words) or 'nothing measured yet'}"

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<FastPaths {len(self.ways)} ways, {len(self.sizes)} sizes>"


def missing(name: str) -> bool:
    """Whether this system lacks a way: Windows has no sendfile, and Linux alone throws a stream's bytes away."""
    return (name == "sendfile" and not hasattr(os, "sendfile")) or (name == "MSG_TRUNC" and sys.platform != "linux")


def fast_paths(*ways: str, sizes: Sequence[int] | None = None, rounds: int = 3, seconds: float = 0.002) -> FastPaths:
    """Send a file and receive a stream in these `ways`, by default in all, with calls of each of the `sizes` in turn.

    A sample is `seconds` of work at the end that is measured; `rounds` times over. Raises ValueError for an unknown way
    and for values out of range.
    """
    return run(fast_paths_steps(*ways, sizes=sizes, rounds=rounds, seconds=seconds), "what a copy costs")


def fast_paths_steps(
    *ways: str, sizes: Sequence[int] | None = None, rounds: int = 3, seconds: float = 0.002
) -> Steps[FastPaths]:
    """The same step by step: see `running`. A step is one sample."""
    for name in ways:
        _want("way", name, name in COPIES, " or ".join(map(repr, COPIES)))
    chosen = tuple(SIZES if sizes is None else sizes)
    whole = all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= _FILE for n in chosen)
    _want("sizes", chosen, bool(chosen) and whole, f"one or more of 1 to {_FILE:,} bytes")
    _want("rounds", rounds, 1 <= rounds <= 1000, "1 to 1,000")
    _want("seconds", seconds, 0.0001 <= seconds <= 1, "0.0001 to 1 second")
    return _steps(tuple(dict.fromkeys(ways or COPIES)), tuple(dict.fromkeys(chosen)), rounds, seconds)


def _steps(
    names: tuple[str, ...], sizes: tuple[int, ...], rounds: int, seconds: float
) -> Generator[tuple[float | None, FastPaths], None, None]:
    lacking = tuple(filter(missing, names))
    measured = tuple(name for name in names if name not in lacking)
    samples: dict[tuple[str, int], list[float]] = {(name, size): [] for size in sizes for name in measured}

    def result() -> FastPaths:
        ways = [
            WayOfBytes(name, COPIES[name], sizes, tuple(tuple(samples[name, size]) for size in sizes))
            for name in measured
        ]
        return FastPaths(sizes, tuple(ways), lacking)

    with ExitStack() as stack:
        file: Any = stack.enter_context(tempfile.TemporaryFile(buffering=0))
        file.write(bytes(_FILE))
        mapped = stack.enter_context(mmap.mmap(file.fileno(), _FILE, access=mmap.ACCESS_READ))
        view = stack.enter_context(memoryview(mapped))
        yield 0.0, result()
        for round_ in range(rounds):
            order = list(samples) if round_ % 2 == 0 else list(reversed(samples))
            for n, (name, size) in enumerate(order):
                take = _sent if name in SENDING else _received
                samples[name, size].append(take(name, size, seconds, file, view))
                yield (round_ + (n + 1) / len(order)) / rounds, result()
        if not samples:
            yield 1.0, result()


def _sent(name: str, size: int, seconds: float, file: Any, view: memoryview) -> float:
    """Bytes per second that the calls of a sender moved into its socket."""
    sender, receiver = stream_pair()
    with sender, receiver:
        sender.setblocking(False)
        receiver.setblocking(False)
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a small call leaves at once, and can be drained
        call = _SENDERS[name](sender, file, view, size)
        rubbish = bytearray(1 << 20)
        moved, spent, at = 0, 0.0, 0
        for _ in range(_STRETCHES):
            if at + size * _CALLS > _FILE:
                at = 0
            file.seek(at)
            spent += _stretch(call, at, size, moves := [0])
            moved, at = moved + moves[0], at + moves[0] - moves[0] % size
            _drain(receiver, rubbish)
            if spent >= seconds:
                break
        return moved / max(spent, 1e-9)


def _received(name: str, size: int, seconds: float, file: Any, view: memoryview) -> float:
    """Bytes per second that the calls of a receiver took out of its socket."""
    sender, receiver = stream_pair()
    with sender, receiver:
        sender.setblocking(False)
        receiver.setblocking(False)
        call = _RECEIVERS[name](receiver, size)
        moved, spent = 0, 0.0
        for _ in range(_STRETCHES):
            try:
                while True:
                    sender.send(_FILL)
            except BlockingIOError:
                pass
            spent += _stretch(call, 0, 0, moves := [0])
            moved += moves[0]
            if spent >= seconds:
                break
        return moved / max(spent, 1e-9)


def _stretch(call: Callable[[int], int], at: int, step: int, moves: list[int]) -> float:
    """Some calls in a row, until the socket has no more room or no more bytes; the time that they took."""
    total, clock = 0, _clock
    most = _CALLS if not step else max(1, min(_CALLS, (_FILE - at) // step))
    began = clock()
    try:
        for _ in range(most):
            total += call(at)
            at += step
    except BlockingIOError:
        pass
    spent = clock() - began
    moves[0] = total
    return spent if total else 0.0  # a look at an empty socket is no sample


def _drain(receiver: socket.socket, rubbish: bytearray) -> None:
    try:
        while receiver.recv_into(rubbish):
            pass
    except BlockingIOError:
        pass


def _read_and_send(sock: socket.socket, file: Any, view: memoryview, size: int) -> Callable[[int], int]:
    read, send = file.read, sock.send
    return lambda at: send(read(size))


def _mapped_and_send(sock: socket.socket, file: Any, view: memoryview, size: int) -> Callable[[int], int]:
    send = sock.send
    return lambda at: send(view[at : at + size])


def _sendfile(sock: socket.socket, file: Any, view: memoryview, size: int) -> Callable[[int], int]:
    sendfile, to, source = os.sendfile, sock.fileno(), file.fileno()
    return lambda at: sendfile(to, source, at, size)


def _recv(sock: socket.socket, size: int) -> Callable[[int], int]:
    recv = sock.recv
    return lambda at: len(recv(size))


def _recv_into(sock: socket.socket, size: int) -> Callable[[int], int]:
    recv_into, buffer = sock.recv_into, bytearray(size)
    return lambda at: recv_into(buffer)


def _thrown_away(sock: socket.socket, size: int) -> Callable[[int], int]:
    recv_into, buffer, flag = sock.recv_into, bytearray(size), socket.MSG_TRUNC
    return lambda at: recv_into(buffer, size, flag)


_SENDERS = {"read + send": _read_and_send, "mmap + send": _mapped_and_send, "sendfile": _sendfile}
_RECEIVERS = {"recv": _recv, "recv_into": _recv_into, "MSG_TRUNC": _thrown_away}


def draw_fast_paths(result: FastPaths) -> Picture:
    """Sending on the left, receiving on the right: a line for each way, with its copies, and every sample as a dot.

    Raises ValueError for a result in which nothing was measured.
    """
    from matplotlib.ticker import FixedLocator

    from ...measure.plots import figure, series, style
    from ..paper import bytes_axis, legend_above

    sides = [("Sending a file", SENDING), ("Receiving", RECEIVING)]
    shown = [
        (title, ways) for title, names in sides if (ways := [w for w in result.ways if w.name in names and w.points])
    ]
    if not shown:
        raise ValueError("draw_fast_paths wanted measurements, but got a result without any")
    with style():
        picture = figure(1, len(shown), height=3.4, sharey=True)
        everything = [rate for way in result.ways for some in way.samples for rate in some]
        for ax, (title, ways) in zip(picture.axes, shown, strict=True):
            for way, stroke in zip(ways, series(), strict=False):
                across, along = zip(*way.points, strict=True)
                ax.plot(across, along, marker="o", label=way.label, **stroke)
                dots = [(size, rate) for size, some in zip(way.sizes, way.samples, strict=True) for rate in some]
                ax.plot(*zip(*dots, strict=True), "o", color=stroke["color"], alpha=0.45, markersize=3)
            bytes_axis(ax, result.sizes, "bytes of each call", across=True)
            ax.xaxis.set_major_locator(FixedLocator(sorted(result.sizes)[::2]))  # half the width: no room for each
            bytes_axis(ax, everything, "bytes per second of work" if ax is picture.axes[0] else "", per="/s")
            legend_above(ax, len(ways), title)
    return picture
