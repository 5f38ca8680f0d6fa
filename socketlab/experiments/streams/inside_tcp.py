"""Inside TCP: round trip, congestion window and what is under way, while one end sends and the other reads.

Both ends live in one loop that never blocks: the sender sends until send() is refused, the reader receives what its
speed allows. A hundred times a second the sender's TCP_INFO is read. Segments are as large as on an Ethernet
(TCP_MAXSEG, 1,448 bytes of payload), for on loopback a window would be a handful of segments of 64 KiB.

Loopback loses nothing, and without a loss a window only grows. So for a while the reader's kernel throws away what
arrives: it asks for packets that have passed no router (IP_MINTTL), which these do not claim. What follows is the
sender's kernel's own doing: it waits for an acknowledgement, sends one segment again after its retransmission timeout,
waits twice as long (RFC 6298, 5.5), and after the first acknowledgement begins with a window of one segment (RFC 5681,
3.1).
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...interrupts import Uninterrupted
from ...measure.tcp_fields import tcp_info
from ...measure.timing import seconds_text
from ..buffers.pairs import stream_pair
from ..doors.wire import deafen
from ..running import Steps, run
from ..wanted import seconds, whole

if TYPE_CHECKING:
    from ...measure.plots import Picture

__all__ = ["Look", "TcpOverTime", "algorithms", "draw_tcp_over_time", "recorded_run", "tcp_over_time"]

#: linux/socket.h; Python has had the name since 3.14. Bytes per second; all ones: no limit.
SO_MAX_PACING_RATE = 47
SLOWEST, FASTEST = 10_000, 50_000_000  # bytes per second that may be asked for
OUTAGE_AT = 0.4  # seconds after the beginning
LONGEST = 10.0  # seconds
_MSS = 1460  # bytes: an Ethernet packet less its two headers; 12 of them go to TCP's timestamps
_TURN, _LOOK, _YIELD = 0.003, 0.01, 0.03  # seconds between two turns, two looks, two yields
_ENOUGH = 128 * 1024  # bytes that are sent in a turn: some 40 MB/s, next to nothing for a slow core
_ENDLESS = 2**31 - 1  # of a snd_ssthresh that is not set yet
_AVAILABLE = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")


class Look(NamedTuple):
    """One look at the sender's TCP_INFO."""

    t: float  #: seconds since the beginning
    rtt: float  #: seconds, smoothed
    cwnd: int  #: segments
    unacked: int  #: segments
    ssthresh: int | None  #: segments; None: no loss so far
    again: int  #: segments sent again since the start
    acked: int  #: bytes acknowledged since the start


@dataclass(frozen=True, repr=False)
class TcpOverTime:
    """What `tcp_over_time` measured. Speeds in bytes per second, None where nothing was asked for."""

    algorithm: str
    rate: int | None
    reader: int | None
    lasts: float
    looks: tuple[Look, ...] = ()
    outage: tuple[float, float] | None = None  #: when what arrived was thrown away: from, to (s)
    recorded: bool = False  #: this system does not tell: so it was on Linux

    @property
    def again(self) -> int:
        """Segments that were sent again."""
        return self.looks[-1].again if self.looks else 0

    @property
    def resent(self) -> tuple[float, ...]:
        """When a look found that something had been sent again (s)."""
        return tuple(b.t for a, b in pairwise(self.looks) if b.again > a.again)

    @property
    def speed(self) -> float:
        """Bytes per second that were acknowledged, since the beginning."""
        return self.looks[-1].acked / self.looks[-1].t if self.looks and self.looks[-1].t > 0 else 0.0

    def sentence(self) -> str:
        """What is to be seen, in plain text."""
        if not self.looks:
            return "Nothing measured yet."
        now = self.looks[-1]
        words = f"{self.algorithm}: {self.speed / 1e6:.2f} MB/s, round trip {seconds_text(now.rtt, 2)}"
        words += f", window {_segments(now.cwnd)}, {now.unacked} under way."
        if self.outage is None:
            return words
        least = min(look.cwnd for look in self.looks)
        return f"{words} The outage: {_segments(self.again)} sent again, the window at {least} at least."

    def __repr__(self) -> str:
        return f"<TcpOverTime: {self.algorithm}>"


def _segments(n: int) -> str:
    return f"{n} segment{'s' * (n != 1)}"


def algorithms() -> tuple[str, ...]:
    """The congestion controls that this process may choose (TCP_CONGESTION, tcp(7)); none on another system."""
    if not hasattr(socket, "TCP_CONGESTION"):
        return ()
    try:
        names = _AVAILABLE.read_text().split()
    except OSError:
        names = ["cubic", "reno"]
    found = []
    with socket.socket() as sock:
        for name in sorted(names):
            with suppress(OSError):  # EPERM: not for everybody
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
                found.append(name)
    return tuple(found)


def tcp_over_time(
    algorithm: str = "reno",
    rate: int | None = 2_000_000,
    *,
    reader: int | None = None,
    outage: float = 0.3,
    lasts: float = 1.5,
) -> TcpOverTime:
    """Send for `lasts` seconds with the congestion control `algorithm`, and look at TCP_INFO meanwhile.

    `rate` is the most that TCP may send, in bytes per second (SO_MAX_PACING_RATE), `reader` how fast the other end
    reads; None: no limit. For `outage` seconds, from 0.4 s on, nothing arrives. Where a system has no TCP_INFO in
    Linux's form, a recorded run is returned: that of the defaults.

    Raises ValueError for what is out of range, and for an algorithm that this machine does not have or allow.
    """
    steps = tcp_over_time_steps(algorithm, rate, reader=reader, outage=outage, lasts=lasts)
    return run(steps, "inside TCP")


def tcp_over_time_steps(
    algorithm: str = "reno",
    rate: int | None = 2_000_000,
    *,
    reader: int | None = None,
    outage: float = 0.3,
    lasts: float = 1.5,
) -> Steps[TcpOverTime]:
    """`tcp_over_time`, step by step. Raises ValueError at once."""
    for name, speed in (("rate", rate), ("reader", reader)):
        if speed is not None:
            whole(name, speed, SLOWEST, FASTEST, "bytes per second")
    seconds("outage", outage, LONGEST)
    seconds("lasts", lasts, LONGEST, 0.05)
    if sys.platform != "linux":
        return _as_recorded()
    if algorithm not in (known := algorithms()):
        raise ValueError(f"algorithm wanted one of {', '.join(known)}, but got {algorithm!r}")
    return _steps(TcpOverTime(algorithm, rate, reader, float(lasts)), float(outage))


def _as_recorded() -> Steps[TcpOverTime]:
    yield 1.0, recorded_run()


def recorded_run() -> TcpOverTime:
    """`tcp_over_time()` as it was on Linux 6.18."""
    from .inside_tcp_recorded import LOOKS, OUTAGE

    looks = tuple(Look(*look) for look in LOOKS)
    return TcpOverTime("reno", 2_000_000, None, 1.5, looks, OUTAGE, recorded=True)


def _steps(asked: TcpOverTime, outage: float) -> Steps[TcpOverTime]:
    looks: list[Look] = []
    silent: list[float] = []  # when the outage began, and when it ended
    with ExitStack() as opened:
        sender, receiver = _connected(opened, asked)
        data, place = bytes(_ENOUGH // 4), bytearray(_ENOUGH)
        began = time.perf_counter()
        read, yielded, now = 0, -1.0, 0.0

        def so_far() -> TcpOverTime:
            over = (silent[0], silent[1] if len(silent) > 1 else now) if silent else None
            return TcpOverTime(asked.algorithm, asked.rate, asked.reader, asked.lasts, tuple(looks), over)

        while now < asked.lasts:
            if not silent and outage and now >= OUTAGE_AT:
                try:
                    deafen(receiver, True)
                except OSError:
                    outage = 0.0  # a sandbox without IP_MINTTL: the run goes on without a loss
                else:
                    silent.append(now)
            elif len(silent) == 1 and now >= silent[0] + outage:
                deafen(receiver, False)
                silent.append(now)
            _send(sender, data)
            read += _read(receiver, place, None if asked.reader is None else int(asked.reader * now) - read)
            now = time.perf_counter() - began
            if not looks or now >= looks[-1].t + _LOOK:
                looks.append(_look(sender, now))
            if now >= yielded + _YIELD:
                yielded = now
                yield min(0.99, now / asked.lasts), so_far()
            time.sleep(_TURN)
            now = time.perf_counter() - began
        looks.append(_look(sender, now))
        yield 1.0, so_far()


def _connected(opened: ExitStack, asked: TcpOverTime) -> tuple[socket.socket, socket.socket]:
    with Uninterrupted():  # an interrupt between a socket and the line that keeps it would leave it open
        sender, receiver = map(opened.enter_context, stream_pair(mss=_MSS))
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, asked.algorithm.encode())
    if asked.rate is not None:
        sender.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, asked.rate)
    for sock in (sender, receiver):
        sock.setblocking(False)
    return sender, receiver


def _send(sock: socket.socket, data: bytes) -> None:
    sent = 0
    with suppress(BlockingIOError):
        while sent < _ENOUGH:
            sent += sock.send(data)


def _read(sock: socket.socket, place: bytearray, most: int | None) -> int:
    """Bytes that were read, `most` at most; None: all that are there."""
    read = 0
    with suppress(BlockingIOError):
        while (room := len(place) if most is None else min(len(place), most - read)) > 0:
            count = sock.recv_into(place, room)
            read += count
            if count < room:
                break
    return read


def _look(sock: socket.socket, now: float) -> Look:
    info = tcp_info(sock)
    threshold = info.snd_ssthresh
    return Look(
        now, (info.rtt or 0) / 1e6, info.snd_cwnd or 0, info.unacked or 0,
        None if threshold is None or threshold >= _ENDLESS else threshold, info.total_retrans or 0,
        info.bytes_acked or 0,
    )  # fmt: skip


def draw_tcp_over_time(result: TcpOverTime, *, title: str = "") -> Picture:
    """The congestion window and what is under way, in segments, and below them the round trip; the outage is shaded.

    Raises ValueError where nothing has been measured yet.
    """
    from ...measure.plots import figure, series, style

    if not result.looks:
        raise ValueError("draw_tcp_over_time wanted a run with looks at TCP_INFO, but there is none yet")
    picture = figure(2, 1, height=4.6, sharex=True, height_ratios=(2.2, 1.0))
    upper, lower = picture.axes
    times = [look.t for look in result.looks]
    with style():
        strokes = [stroke for stroke, _ in zip(series(), range(3), strict=False)]
        under_way = [look.unacked for look in result.looks]
        upper.fill_between(times, under_way, step="post", color=strokes[1]["color"], alpha=0.25, linewidth=0)
        upper.step(times, under_way, where="post", label="unacked: under way", **{**strokes[1], "linewidth": 1.2})
        upper.step(times, [look.cwnd for look in result.looks], where="post", label="cwnd", **strokes[0])
        high = max(max(look.cwnd, look.unacked) for look in result.looks)
        if result.resent:
            upper.plot(
                result.resent,
                [-0.06 * high] * len(result.resent),
                "X",
                color="#1c2127",
                markersize=7,
                label="sent again",
            )
        upper.set_ylim(-0.13 * high, high * 1.2)
        upper.set_ylabel("segments")
        lower.plot(times, [look.rtt for look in result.looks], label="rtt", **strokes[2])
        _seconds_axis(lower, [look.rtt for look in result.looks if look.rtt > 0])
        for axes in picture.axes:
            if result.outage:
                axes.axvspan(*result.outage, color="#6b737c", alpha=0.16, linewidth=0)
        if result.outage:
            upper.annotate("nothing arrives", (result.outage[0], high * 1.18), (4, -3), textcoords="offset points",
                           fontsize=9, va="top")  # fmt: skip
        lower.set(xlabel="seconds since the start", ylabel="rtt")
        lower.set_xlim(0, max(times[-1], result.lasts))
        upper.legend(loc="lower left", ncols=3, bbox_to_anchor=(0.0, 1.01), borderaxespad=0, frameon=False)
        upper.set_title(title or _finding(result), pad=30)
    return picture


def _seconds_axis(axes: Any, values: list[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = min(values, default=1e-5), max(values, default=1e-4)
    axes.set_yscale("log")
    axes.set_ylim(low / 2, max(high, low * 10) * 2)
    axes.yaxis.set_major_locator(LogLocator(10))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds_text(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _finding(result: TcpOverTime) -> str:
    least = min(look.cwnd for look in result.looks)
    words = f"{result.algorithm}: "
    if result.again and least == 1:
        words += "silence closes the window to one segment, and answers open it"
    elif result.again:
        words += f"after the loss the window is {_segments(least)}"
    else:
        words += f"{result.speed / 1e6:.2f} MB/s, and nothing lost"
    return f"{words} (recorded on Linux)" if result.recorded else words
