"""SO_REUSEPORT: several listeners at one port, and which of them each connection comes to.

Linux takes a hash of the four values that make a connection, both hosts and both ports, and so picks the listener
(reuseport_select_sock in net/core/sock_reuseport.c). It looks neither at queues nor at who has time. On macOS and the
BSDs that Python runs on the option means something else: one listener gets them all (FreeBSD: SO_REUSEPORT_LB).
"""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..running import Steps, run
from ..wanted import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = ["ReuseportSplit", "draw_reuseport_split", "recorded_split", "reuseport_split", "reuseport_split_steps"]

MOST_WORKERS, MOST_CONNECTIONS = 16, 1000
_PATIENCE = 2.0  # seconds for each call
_SHOWN = 20  # connections between two results


@dataclass(frozen=True, repr=False)
class ReuseportSplit:
    """How many of the connections so far each listener got, in the order in which the listeners were opened."""

    connections: int  #: that were asked for
    counts: tuple[int, ...]
    recorded: bool = False  #: this system does not split: so it was on Linux

    @property
    def even(self) -> float:
        """What each would have had of an even split."""
        return sum(self.counts) / len(self.counts)

    def __repr__(self) -> str:
        return f"<ReuseportSplit of {self.connections} connections over {len(self.counts)} listeners>"


def reuseport_split(workers: int = 4, connections: int = 200) -> ReuseportSplit:
    """Open `workers` listeners at one port of 127.0.0.1, connect `connections` times, and count who gets them.

    Raises ValueError for what is out of range, NotImplementedError on another system than Linux.
    """
    return run(reuseport_split_steps(workers, connections), "SO_REUSEPORT")


def reuseport_split_steps(workers: int = 4, connections: int = 200) -> Steps[ReuseportSplit]:
    """`reuseport_split`, step by step. Raises what it raises at once."""
    whole("workers", workers, 1, MOST_WORKERS, "listeners")
    whole("connections", connections, 1, MOST_CONNECTIONS, "connections")
    if sys.platform != "linux":
        raise NotImplementedError(f"connections are split over listeners in Linux's way, and this is {sys.platform}")
    return _count(workers, connections)


def recorded_split() -> ReuseportSplit:
    """200 connections over four listeners as they were counted once on Linux, for systems that do not split."""
    return ReuseportSplit(200, (57, 54, 46, 43), recorded=True)


def _count(workers: int, connections: int) -> Generator[tuple[float | None, ReuseportSplit], None, None]:
    counts = [0] * workers
    with ExitStack() as stack:
        listeners: list[socket.socket] = []
        address = ("127.0.0.1", 0)
        for _ in range(workers):
            listener = stack.enter_context(socket.create_server(address, reuse_port=True))
            listener.settimeout(_PATIENCE)
            listeners.append(listener)
            address = listener.getsockname()
        for done in range(connections):
            if done % _SHOWN == 0:
                yield done / connections, ReuseportSplit(connections, tuple(counts))
            with socket.create_connection(address, _PATIENCE) as client:
                counts[_taken_by(listeners, client.getsockname())] += 1
    yield 1.0, ReuseportSplit(connections, tuple(counts))


def _taken_by(listeners: list[socket.socket], client: object) -> int:
    """The number of the listener that this client has come to; others that may come are turned away."""
    while True:
        ready, _, _ = select.select(listeners, [], [], _PATIENCE)
        if not ready:
            raise TimeoutError("a client had connected, and no listener got it")
        for listener in ready:
            conn, address = listener.accept()
            conn.close()
            if address == client:
                return listeners.index(listener)


def draw_reuseport_split(result: ReuseportSplit, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """A bar for each listener, and a line where an even split would be. Raises ValueError where there is none yet."""
    from ...measure.plots import sheet, style

    if not sum(result.counts):
        raise ValueError("draw_reuseport_split wanted connections that were counted, but there is none yet")
    picture, axes = sheet(ax, 2.6)
    with style():
        rows = range(len(result.counts))
        bars = axes.barh(rows, result.counts, height=0.62, color="#a9cfe8", edgecolor="#0072b2", linewidth=1)
        axes.bar_label(bars, padding=4, fontsize=9)
        axes.axvline(result.even, color="#1c2127", linestyle=(0, (4, 2)), linewidth=1.2)
        axes.annotate(
            f"even: {result.even:g}", (result.even, 1), (4, 3), ("data", "axes fraction"), "offset points",
            va="bottom", fontsize=8.5,
        )  # fmt: skip
        axes.set_yticks(rows, [f"worker {row + 1}" for row in rows])
        axes.set_ylim(len(result.counts) - 0.4, -0.6)
        axes.set_xlim(0, max(result.counts) * 1.12)
        axes.grid(False, axis="y")
        as_recorded = ", as recorded on Linux" if result.recorded else ""
        axes.set_xlabel(f"connections, of {sum(result.counts)}{as_recorded}")
        axes.set_title(title or _finding(result), pad=20)
    return axes if picture is None else picture


def _finding(result: ReuseportSplit) -> str:
    if min(result.counts) == 0:
        return f"{result.counts.count(0)} of {len(result.counts)} listeners got nothing"
    return "The kernel spreads connections over the listeners, as chance will have it"
