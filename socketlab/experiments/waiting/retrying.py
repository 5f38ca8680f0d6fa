"""Backoff: clients that call again and again at a port where nobody listens yet, and how long they wait in between.

All of them call for the first time at the same moment, as after a server's restart, which breaks every connection at
once. After the n-th refusal a client waits for `base` * 2**(n - 1) seconds, `most` at most (exponential backoff), or
for a time drawn evenly between 0 and that (full jitter; M. Brooker, Exponential Backoff And Jitter, AWS Architecture
Blog, 2015). Without a draw, clients that failed together come back together. The port is bound all the time, so that
nobody else can take it; the kernel refuses (ECONNREFUSED, connect(2)) until somebody listens there.
"""

from __future__ import annotations

import errno
import heapq
import random
import socket
import time
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from ..running import Steps, run
from ..wanted import seconds as want_seconds
from ..wanted import whole

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = ["Backoff", "Call", "backoff", "backoff_steps", "draw_backoff"]

MOST_CLIENTS = 12  # lanes of a picture that can be told apart
_PATIENCE = 2.0  # seconds for one connect, which on loopback is refused or accepted at once
_YIELD = 0.04


class Call(NamedTuple):
    """One call of a client: `waited` is what it had chosen to wait before, out of 0 to `bound`; both 0 for the first.

    `t` is when it called, in seconds since the start; `failure` the errno's name, "" where it was connected.
    """

    client: int
    t: float
    waited: float
    bound: float
    failure: str = ""


@dataclass(frozen=True, repr=False)
class Backoff:
    """The calls of `clients` clients, in the order in which they were made.

    `opened` is when the port began to listen, in seconds as `Call.t`; None while it has not.
    """

    clients: int
    jitter: bool
    calls: tuple[Call, ...] = ()
    opened: float | None = None

    def of(self, client: int) -> tuple[Call, ...]:
        """The calls of one client."""
        return tuple(call for call in self.calls if call.client == client)

    @property
    def waits(self) -> tuple[tuple[float, ...], ...]:
        """For each client the waits that it has chosen, in seconds, in order."""
        return tuple(tuple(call.waited for call in self.of(client)[1:]) for client in range(self.clients))

    @property
    def refused(self) -> int:
        """How many calls were refused."""
        return sum(bool(call.failure) for call in self.calls)

    @property
    def at_once(self) -> int:
        """How many clients had, after their first two calls, chosen the very same time for the third, at most.

        Counted in what they had chosen, not on the clock: on a slow machine calls meet that were meant apart.
        """
        due = [round(sum(waits[:2]), 9) for waits in self.waits if len(waits) >= 2]
        return max((due.count(t) for t in due), default=0)

    def __repr__(self) -> str:
        return f"<Backoff of {self.clients} clients, {'full' if self.jitter else 'no'} jitter>"


def backoff(
    clients: int = 5,
    *,
    jitter: bool = True,
    base: float = 0.05,
    most: float = 0.4,
    down: float = 0.3,
    seed: int = 0,
) -> Backoff:
    """Let `clients` clients call at a port that begins to listen after `down` seconds, until all are connected.

    `base` and `most` (seconds) bound the waits; each client draws from a generator of its own, seeded with `seed`.
    Takes `down` and about `most` more. Raises ValueError for what is out of range, OSError where a call fails otherwise
    than by a refusal.
    """
    steps = backoff_steps(clients, jitter=jitter, base=base, most=most, down=down, seed=seed)
    return run(steps, "backoff")


def backoff_steps(
    clients: int = 5,
    *,
    jitter: bool = True,
    base: float = 0.05,
    most: float = 0.4,
    down: float = 0.3,
    seed: int = 0,
) -> Steps[Backoff]:
    """`backoff`, step by step. Raises what it raises at once."""
    whole("clients", clients, 1, MOST_CLIENTS, "clients")
    want_seconds("base", base, 5.0, 0.001)
    want_seconds("most", most, 5.0, 0.001)
    want_seconds("down", down, 10.0)
    if most < base:
        raise ValueError(f"most wanted at least base, {base:g} seconds, but got {most:g}")
    return _calls(clients, bool(jitter), base, most, down, seed)


def _calls(
    clients: int, jitter: bool, base: float, most: float, down: float, seed: int
) -> Generator[tuple[float | None, Backoff], None, None]:
    """Everything happens in the order in which it was planned, however late: on a slow machine only `t` differs."""
    calls: list[Call] = []
    opened: float | None = None
    draws = [random.Random(f"{seed} {client}") for client in range(clients)]
    yield 0.0, Backoff(clients, jitter)
    with ExitStack() as stack:
        door = stack.enter_context(socket.socket())
        door.bind(("127.0.0.1", 0))
        began = perf_counter()
        # When, who, how many calls before, the wait that was chosen and the longest that it could have been.
        due = [(0.0, client, 0, 0.0, 0.0) for client in range(clients)]
        while due:
            opens = opened is None and down <= due[0][0]
            at = down if opens else due[0][0]
            while (left := at - (perf_counter() - began)) > 0:
                yield min(at / (down + most), 0.999), Backoff(clients, jitter, tuple(calls), opened)
                time.sleep(min(left, _YIELD))
            if opens:
                door.listen(clients)
                opened = perf_counter() - began
                continue
            _, client, before, waited, bound = heapq.heappop(due)
            t = perf_counter() - began
            failure = _call(stack, door.getsockname())
            calls.append(Call(client, t, waited, bound, failure))
            if failure:
                bound = min(most, base * 2.0 ** min(before, 60))  # no float has room for 2.0 ** 1024
                waited = draws[client].uniform(0, bound) if jitter else bound
                heapq.heappush(due, (at + waited, client, before + 1, waited, bound))
    yield 1.0, Backoff(clients, jitter, tuple(calls), opened)


def _call(stack: ExitStack, address: tuple[str, int]) -> str:
    """Connect once; the errno's name where it is refused. A connection is held until all have one."""
    sock = socket.socket()
    try:
        sock.settimeout(_PATIENCE)
        sock.connect(address)
    except ConnectionRefusedError as exc:
        sock.close()
        return errno.errorcode.get(exc.errno or 0, type(exc).__name__)
    except BaseException:
        sock.close()
        raise
    stack.enter_context(sock)
    return ""


# -- the picture -------------------------------------------------------------------------------------------------------


def draw_backoff(*results: Backoff, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """A lane for each client: a cross for each refusal, a dot where it was let in, a bar for each wait.

    The bar is as long as the wait could have been, the line beside it as long as it was, by the clock. Grey is the
    time in which nobody listened. Several results stand one below the other, on the same axis of time, in seconds.

    Raises ValueError without results, for more than six, or where nobody has called yet.
    """
    from ...measure.plots import series, sheet, style, time_axis

    if not 1 <= len(results) <= 6:
        raise ValueError(f"draw_backoff wanted 1 to 6 results, but got {len(results)}")
    if not all(result.calls for result in results):
        raise ValueError("draw_backoff wanted calls, but in one of these results nobody has called yet")
    rows = sum(result.clients for result in results) + len(results) - 1
    picture, axes = sheet(ax, 1.55 + 0.27 * rows)
    with style():
        top, end = 0.0, _end(results)
        ticks: list[tuple[float, str]] = []
        for result, stroke in zip(results, series(), strict=False):
            bottom = top + result.clients
            closed_until = result.opened if result.opened is not None else end
            axes.fill_between([0, closed_until], top - 0.5, bottom - 0.5, color="#6b737c", alpha=0.14, linewidth=0)
            axes.annotate(
                "nobody listens" if result.opened is None else "nobody listens until here", (closed_until, top - 0.5),
                (-2, 2), textcoords="offset points", ha="right", va="bottom", fontsize=9,
            )  # fmt: skip
            for client in range(result.clients):
                _lane(axes, result.of(client), top + client, stroke["color"])
            ticks += [(top + client, f"{_name(result)}, {client + 1}") for client in range(result.clients)]
            top = bottom + 1
        axes.set_yticks([y for y, _ in ticks], [label for _, label in ticks])
        axes.set_ylim(top - 1.4, -1.1)
        axes.grid(axis="y", visible=False)
        axes.set_xlim(-0.02 * end, end * 1.04)
        time_axis(axes, 0, end, False, "since the first call", margins=False)
        below = (-0.18, -0.55 / (0.27 * rows))
        axes.legend(handles=_key(), loc="upper left", bbox_to_anchor=below, ncols=4, columnspacing=1.4)
        axes.set_title(title or finding(results))
    return axes if picture is None else picture


def _lane(axes: Axes, calls: tuple[Call, ...], y: float, color: str) -> None:
    for number, (call, following) in enumerate(pairwise(calls)):
        above = y - 0.3 if number % 2 else y  # by turns below and above the line, for they overlap in time
        axes.broken_barh(
            [(call.t, following.bound)], (above, 0.3), facecolor=(color, 0.22), edgecolor=(color, 0.5), linewidth=0.6
        )
        axes.plot([call.t, following.t], [y, y], color=color, linestyle="-", linewidth=2.2)
    for call in calls:
        mark = "x" if call.failure else "o"
        axes.plot(call.t, y, mark, color=color, markersize=7, markeredgewidth=1.8, zorder=4)


def _key() -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    grey = "#6b737c"
    return [
        Line2D([], [], color=grey, marker="x", markersize=7, markeredgewidth=1.8, linestyle="none", label="refused"),
        Line2D([], [], color=grey, marker="o", markersize=7, linestyle="none", label="connected"),
        Line2D([], [], color=grey, linewidth=2.2, label="waited"),
        Patch(facecolor=(grey, 0.2), edgecolor=(grey, 0.55), label="longest possible wait"),
    ]


def _end(results: tuple[Backoff, ...]) -> float:
    times = [call.t for result in results for call in result.calls]
    return max(*times, *(result.opened or 0.0 for result in results), 0.01)


def _name(result: Backoff) -> str:
    return "full jitter" if result.jitter else "no jitter"


def finding(results: tuple[Backoff, ...]) -> str:
    """What the measurement shows, in a line: how many clients had chosen the same moment."""
    together = [result for result in results if result.clients > 1 and result.at_once == result.clients]
    apart = [result for result in results if result.at_once == 1 and result.clients > 1]
    if together and apart:
        return "Without jitter all come back together; with it they spread"
    if together:
        return f"All {together[0].clients} clients come back together, each time"
    if apart:
        return "Full jitter: no two clients come back together"
    return f"Calls that were refused: {sum(result.refused for result in results)}"
