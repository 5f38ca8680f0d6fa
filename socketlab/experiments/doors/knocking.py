"""SYN retries: a client whose SYNs are dropped, how often its kernel sends another one, and when it gives up.

The listener has listen(0), and one client sits in its queue: it is full, so Linux drops every further SYN (door.py).
The client's kernel cannot know that from a lost packet. It sends the SYN again after 1 s (TCP_TIMEOUT_INIT; RFC 6298,
section 2), and waits twice as long after each. connect() ends with ETIMEDOUT where TCP_SYNCNT more have had no answer:
after 3 s for 1, 7 s for 2, 127 s for 6, which is usual (retransmits_timed_out() in Linux's net/ipv4/tcp_timer.c;
tcp(7)). Since Linux 6.5 the first waits, net.ipv4.tcp_syn_linear_timeouts of them (4), last a second each. The end
stays about where it was, so more SYNs are sent until then: 2 for 1, 5 for 2, 10 for 6.
"""

from __future__ import annotations

import errno
import socket
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ...interrupts import Uninterrupted
from ...measure.tcp_fields import tcp_info
from ..running import Steps, run
from ..wanted import seconds as want_seconds
from ..wanted import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = ["SynRetries", "draw_syn_retries", "recorded_syn_retries", "syn_retries", "syn_retries_steps"]

LOOK = 0.02  # seconds between two looks, and how exact the times are
LONGEST = 200.0  # seconds: more than TCP_SYNCNT of 6, the usual one, takes


@dataclass(frozen=True, repr=False)
class SynRetries:
    """One connect() to a full listener, from its SYN to the latest look, `seconds` later."""

    retries: int  #: TCP_SYNCNT of the client
    sent: tuple[float, ...]  #: when its SYN was sent, the first and again, in seconds since connect() was called
    seconds: float
    error: str = ""  #: the errno with which connect() ended; "" while it waits
    where: str = ""  #: for a recorded run: on which system

    def __repr__(self) -> str:
        came = f"{self.error} after {self.seconds:.1f} s" if self.error else "still waiting"
        return f"<SYNs with TCP_SYNCNT {self.retries}: sent at {', '.join(f'{t:.1f}' for t in self.sent)} s, {came}>"


def syn_retries(retries: int | None = None, *, seconds: float = 4.0) -> SynRetries:
    """Connect to a listener whose queue is full, and note when the kernel sends the SYN; for `seconds` at most.

    `retries` is the client's TCP_SYNCNT, 1 to 127, None for the system's own. It is over earlier where connect() fails.
    Raises ValueError for what is out of range, NotImplementedError on another system than Linux.
    """
    return run(syn_retries_steps(retries, seconds=seconds), "SYN retries")


def syn_retries_steps(retries: int | None = None, *, seconds: float = 4.0) -> Steps[SynRetries]:
    """`syn_retries`, a step for each look. Raises what it raises at once."""
    if retries is not None:
        whole("retries", retries, 1, 127, "SYNs")
    want_seconds("seconds", seconds, LONGEST, 0.1)
    if sys.platform != "linux":
        raise NotImplementedError(f"a full listener drops SYNs on Linux, and this is {sys.platform}")
    return _knock(retries, seconds)


def _knock(retries: int | None, seconds: float) -> Generator[tuple[float, SynRetries], None, None]:
    with ExitStack() as stack:

        def opened(make: Any, *arguments: Any, **named: Any) -> socket.socket:
            with Uninterrupted():  # an interrupt between a socket and the line that keeps it would leave it open
                sock: socket.socket = stack.enter_context(make(*arguments, **named))
            return sock

        listener = opened(socket.create_server, ("127.0.0.1", 0), backlog=0)
        address = listener.getsockname()
        opened(socket.create_connection, address, 2.0)
        sock = opened(socket.socket)
        sock.setblocking(False)
        if retries is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, retries)
        count = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT)
        began = perf_counter()
        code = sock.connect_ex(address)
        sent = [0.0]
        while True:
            code = code if code not in (errno.EINPROGRESS, errno.EALREADY) else 0
            code = code or sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            now = perf_counter() - began
            sent += [now] * ((tcp_info(sock).total_retrans or 0) + 1 - len(sent))
            over = bool(code) or now >= seconds
            error = errno.errorcode.get(code, str(code)) if code else ""
            yield 1.0 if over else min(now / seconds, 0.999), SynRetries(count, tuple(sent), now, error)
            if over:
                return
            time.sleep(LOOK)


#: Of each system: (TCP_SYNCNT, when the SYNs were sent, when connect() ended with ETIMEDOUT), as measured.
_RECORDED: dict[str, list[tuple[int, tuple[float, ...], float]]] = {
    "Linux before 6.5": [
        (1, (0.0, 1.01), 3.03),
        (2, (0.0, 1.01, 3.03), 7.23),
        (3, (0.0, 1.01, 3.04, 7.23), 15.42),
        (6, (0.0, 1.01, 3.03, 7.23, 15.41, 31.56, 63.8), 129.34),
    ],
    "Linux 6.18": [
        (1, (0.0, 1.01, 2.05), 3.07),
        (2, (0.0, 1.01, 2.05, 3.07, 4.09, 5.11), 7.13),
        (3, (0.0, 1.01, 2.03, 3.07, 4.09, 5.11, 7.13, 11.21), 19.38),
        (6, (0.0, 1.01, 2.05, 3.07, 4.09, 5.11, 7.13, 11.2, 19.38, 35.51, 68.03), 133.57),
    ],
}


def recorded_syn_retries(retries: int) -> tuple[SynRetries, SynRetries]:
    """Two runs that lasted until ETIMEDOUT, with a TCP_SYNCNT of 1, 2, 3 or 6: on Linux before 6.5, and on Linux 6.18.

    For those who cannot wait for two minutes. (The first was recorded on 6.18 as well, with tcp_syn_linear_timeouts at
    0, which is what older kernels do.) Raises ValueError for another number.
    """
    counts = [count for count, _, _ in _RECORDED["Linux 6.18"]]
    if retries not in counts:
        raise ValueError(f"retries wanted one of {', '.join(map(str, counts))}, but got {retries!r}")
    older, newer = (
        SynRetries(count, sent, ended, "ETIMEDOUT", where)
        for where, runs in _RECORDED.items()
        for count, sent, ended in runs
        if count == retries
    )
    return older, newer


# -- the picture -------------------------------------------------------------------------------------------------------


def draw_syn_retries(*results: SynRetries, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """The SYNs that have been sent as a staircase for each result, a step for each; a cross where connect() gave up.

    Time in seconds since connect() was called. Raises ValueError without results, or for more than six.
    """
    from matplotlib.ticker import MaxNLocator

    from ...measure.plots import series, sheet, style

    if not 1 <= len(results) <= 6:
        raise ValueError(f"draw_syn_retries wanted 1 to 6 results, but got {len(results)}")
    picture, axes = sheet(ax, 3.4)
    with style():
        end = max(result.seconds for result in results)
        beside: Any = {"xytext": (8, -3), "textcoords": "offset points", "fontsize": 9}
        apart = len({result.where for result in results}) > 1
        for result, stroke in zip(results, series(), strict=False):
            counts = list(range(1, len(result.sent) + 1))
            label = f"TCP_SYNCNT {result.retries}{f', {result.where}' if apart and result.where else ''}"
            axes.step([*result.sent, result.seconds], [*counts, counts[-1]], where="post", label=label, **stroke)
            axes.plot(result.sent, counts, "D", color=stroke["color"], markersize=5)
            if result.error:
                axes.plot(result.seconds, counts[-1], "X", color=stroke["color"], markersize=9, zorder=4)
                words = f"{result.error}, {result.seconds:.0f} s"
                axes.annotate(words, (result.seconds, counts[-1]), **beside)
        axes.set(xlabel="seconds since connect() was called", ylabel="SYNs sent")
        axes.set_xlim(-0.02 * end, end * 1.24)
        axes.set_ylim(0, max(len(result.sent) for result in results) + 1)
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.legend(loc="lower left", ncols=3, bbox_to_anchor=(0.0, 1.01), borderaxespad=0, frameon=False)
        axes.set_title(title or finding(results), pad=30)
    return axes if picture is None else picture


def finding(results: tuple[SynRetries, ...]) -> str:
    """What the measurement shows, in a line."""
    if all(result.error for result in results):
        return "The kernel knocks again and again, then gives up"
    again = max(len(result.sent) for result in results) - 1
    return f"No answer, no error: the SYN was sent again {'once' if again == 1 else f'{again} times'}"
