"""How many bytes a sender can be rid of while nobody reads: until both kernel buffers are full.

send() copies into the kernel's send buffer and returns; TCP moves the bytes on into the receiver's buffer as long as
that one offers a window. A peer that does not read therefore stops a sender late, and then for good. That is
backpressure: flow control reaches the program as a send() that blocks, or raises BlockingIOError.

The first refusal is not the end. The receiver acknowledges what does not fill its window only after 40 ms (the delayed
ACK, RFC 1122, 4.2.3.2), which frees room in the send buffer; and the last bytes, too few for a full segment, are sent
with the first window probe, after 200 ms (RFC 9293, 3.8.6.1). So the sender has stalled when send() is refused *and*
the kernel says that nothing can move any more: everything sent is acknowledged, and the window that the peer offered
is 0 (`unacked` and `snd_wnd` of TCP_INFO).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from ...measure.tcp_fields import tcp_info
from ...measure.timing import _want, bytes_text
from ..running import Steps, run
from .pairs import check_buffers, granted, stream_pair, waiting

if TYPE_CHECKING:
    import socket

    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = ["Stall", "bytes_until_stall", "bytes_until_stall_steps", "draw_bytes_until_stall"]

LARGEST = 16 * 1024 * 1024  # bytes of one send: more than any buffer takes at once
_KEPT = 4000  # sends in a result; of more, evenly chosen ones: a picture has fewer pixels
_LOOK = 0.002  # seconds between two questions to the kernel while it refuses
_YIELD = 0.04
_DEAF = 1.0  # seconds of refusals that must do for an answer on systems without TCP_INFO: several window probes


@dataclass(frozen=True, repr=False)
class Stall:
    """What a sender could be rid of. Sizes in bytes, times in seconds since the first send() was called.

    In a TCP connection the bytes wait in two buffers. A Unix socket has one queue: the bytes are in the receiver's
    at once, and count against the sender's SO_SNDBUF until they are read (unix(7)).
    """

    family: str  #: "tcp4", "tcp6" or "unix"
    chunk: int  #: bytes that each send() was given
    asked: tuple[int | None, int | None]  #: SO_SNDBUF of the sender and SO_RCVBUF of the receiver; None: not asked
    granted: tuple[int, int]  #: what the kernel allows for in the end, its own records included
    sends: tuple[tuple[float, int], ...]  #: after each send: the time, and what was accepted until then
    refusals: tuple[tuple[float, int], ...]  #: each time that send() was refused after it had accepted something
    total: int  #: accepted until the sender stalled, or until now
    in_sender: int | None  #: of these, how many the sender's kernel buffer holds; None: this system does not tell
    in_receiver: int | None  #: and how many are ready to be read; what is not acknowledged yet is counted at both
    stalled: bool  #: the kernel has said that nothing moves any more; otherwise there was not enough time

    def summary(self) -> str:
        """One sentence for people."""
        words = f"{self.name}: {self.total:,} bytes"
        if not self.stalled:
            return f"{words}, and not stalled yet"
        if self.in_sender is not None and self.in_receiver is not None:
            words += f" = {self.in_sender:,} at the sender + {self.in_receiver:,} at the receiver"
        return words

    @property
    def name(self) -> str:
        """Family and buffers, as asked for."""
        sizes = ["default" if size is None else bytes_text(size) for size in self.asked]
        both = sizes[0] if sizes[0] == sizes[1] else f"{sizes[0]} and {sizes[1]}"
        return f"{self.family}, {both} buffers"

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<Stall {self.name}, sends of {bytes_text(self.chunk)}>"


def bytes_until_stall(
    chunk: int = 65536,
    *,
    sndbuf: int | None = None,
    rcvbuf: int | None = None,
    family: str = "tcp4",
    timeout: float = 10.0,
) -> Stall:
    """Send `chunk` bytes at a time to a peer that does not read, until nothing moves any more.

    `sndbuf` and `rcvbuf` are asked for before the connection is made; None leaves the choice to the kernel. `family`
    is "tcp4", "tcp6" or "unix". It takes about 0.3 s, the time until a window probe; after `timeout` seconds the
    result says ``stalled=False``. Raises ValueError for values out of range, OSError where the family is lacking.
    """
    steps = bytes_until_stall_steps(chunk, sndbuf=sndbuf, rcvbuf=rcvbuf, family=family, timeout=timeout)
    return run(steps, "bytes until the sender stalls")


def bytes_until_stall_steps(
    chunk: int = 65536,
    *,
    sndbuf: int | None = None,
    rcvbuf: int | None = None,
    family: str = "tcp4",
    timeout: float = 10.0,
) -> Steps[Stall]:
    """The same step by step: see `running`. The share is that of the granted buffers which is full."""
    _want("chunk", chunk, 1 <= chunk <= LARGEST, f"1 to {LARGEST:,} bytes")
    _want("timeout", timeout, 0 < timeout <= 3600, "more than 0 and at most 3,600 seconds")
    check_buffers(family, sndbuf, rcvbuf)
    return _steps(chunk, sndbuf, rcvbuf, family, timeout)


def _steps(
    chunk: int, sndbuf: int | None, rcvbuf: int | None, family: str, timeout: float
) -> Generator[tuple[float | None, Stall], None, None]:
    with ExitStack() as stack:
        sender, receiver = map(stack.enter_context, stream_pair(family, sndbuf=sndbuf, rcvbuf=rcvbuf))
        sender.setblocking(False)
        data = bytes(chunk)
        sends: list[tuple[float, int]] = []
        refusals: list[tuple[float, int]] = []
        total, every, count = 0, 1, 0
        last_word = False  # the kernel's, and what send() says after it is final

        def result(stalled: bool) -> Stall:
            waits, here = waiting(receiver)[0], waiting(sender)[1]
            if family == "unix" and waits is not None:
                here = total - waits  # its send queue is the memory of what the receiver has not read
            return Stall(
                family, chunk, (sndbuf, rcvbuf), granted(sender, receiver), tuple(sends), tuple(refusals), total,
                here, waits, stalled,
            )  # fmt: skip

        began = yielded = perf_counter()
        while True:
            try:
                total += sender.send(data)
            except BlockingIOError:
                now = perf_counter() - began
                if not refusals or refusals[-1][1] != total:
                    refusals.append((now, total))
                if last_word:
                    break
                last_word = _nothing_moves(sender, family, now - refusals[-1][0])
                if not last_word:
                    time.sleep(_LOOK)
            else:
                now = perf_counter() - began
                last_word = False
                count += 1
                if count % every == 0:
                    sends.append((now, total))
                    if len(sends) > _KEPT:
                        del sends[::2]
                        every *= 2
            if now > timeout:
                break
            if perf_counter() - yielded > _YIELD:
                so_far = result(False)
                yield min(total / sum(so_far.granted), 0.99), so_far
                yielded = perf_counter()
        if sends and sends[-1][1] != total:
            sends.append((now, total))  # thinned out
        yield 1.0, result(last_word)


def _nothing_moves(sender: socket.socket, family: str, refused_for: float) -> bool:
    """Whether the kernel's answer to the next send() is final as long as the peer does not read."""
    if family == "unix":
        return True  # there is one queue, and only a reader makes room in it
    info = tcp_info(sender)
    if sys.platform != "linux" or info.snd_wnd is None:  # elsewhere, and before Linux 5.4
        return refused_for > _DEAF
    return info.unacked == 0 and info.snd_wnd == 0


def draw_bytes_until_stall(*results: Stall, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """What was accepted over time, a curve for each result, with a dot where send() was refused.

    Both axes are logarithmic where the values ask for it. Without a `title` the picture says what it found. Raises
    ValueError without results, or for more than six.
    """
    from ...measure.plots import LOG_FROM, series, style, time_axis
    from ..paper import bytes_axis, legend_above, one_axes

    picture, ax = one_axes(results, "draw_bytes_until_stall", ax)
    chunks = len({found.chunk for found in results}) > 1
    with style():
        for found, stroke in zip(results, series(), strict=False):
            times, totals = zip(*found.sends, strict=True)
            end = max(times[-1], found.refusals[-1][0]) if found.refusals else times[-1]
            label = f"{bytes_text(found.chunk)} sends, {_row(found)}" if chunks else _row(found)
            ax.step((*times, end), (*totals, totals[-1]), where="post", label=label, **stroke)
            dots = ([t for t, _ in found.refusals], [n for _, n in found.refusals])
            ax.plot(*dots, "o", color=stroke["color"], markeredgecolor="white", zorder=4, clip_on=False)
        moments = [t for found in results for t, _ in (*found.sends, *found.refusals) if t > 0]
        low, high = min(moments), max(moments)
        time_axis(ax, low, high, high / low >= LOG_FROM, "time since the first send()")
        bytes_axis(ax, [found.total for found in results], "accepted by send()")
        legend_above(ax, len(results), title or _finding(results))
    return ax if picture is None else picture


def _row(found: Stall) -> str:
    """One row of the legend: `summary` is too wide for it."""
    if not found.stalled or found.in_sender is None or found.in_receiver is None:
        return str(found)
    return f"{found.name}: {found.total:,} = {found.in_sender:,} sender + {found.in_receiver:,} receiver"


def _finding(results: tuple[Stall, ...]) -> str:
    least, most = min(found.total for found in results), max(found.total for found in results)
    if len(results) == 1 or least == most:
        return f"Nobody reads: {most:,} bytes later the sender stalls"
    return f"Nobody reads: the sender stalls after {least:,} to {most:,} bytes"
