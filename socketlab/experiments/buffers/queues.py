"""Queue depth over time, for a while or without end, and its picture: who looks is `Depths`."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Generator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from ...measure.timing import _want
from ..running import Steps, run
from .depths import Depth, Depths, QueueDepth, sides, want_every, watching

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = ["Depth", "Depths", "QueueDepth", "draw_queue_depth", "queue_depth", "queue_depth_steps", "watching"]

_YIELD = 0.04


def queue_depth(
    *socks: socket.socket, seconds: float = 1.0, every: float = 0.01, names: Sequence[str] = ()
) -> QueueDepth:
    """Look at `socks`, which others use meanwhile, every `every` seconds for `seconds`.

    Raises ValueError as `watching`, and for `seconds` that are not more than 0 and at most an hour.
    """
    return run(queue_depth_steps(*socks, seconds=seconds, every=every, names=names), "queue depth")


def queue_depth_steps(
    *socks: socket.socket, seconds: float | None = 1.0, every: float = 0.01, names: Sequence[str] = ()
) -> Steps[QueueDepth]:
    """The same step by step, without end where `seconds` is None: see `running`."""
    want_every(every)
    _want("seconds", seconds, seconds is None or 0 < seconds <= 3600, "more than 0 and at most 3,600, or None")
    return _steps(Depths(*socks, names=names), seconds, every)


def _steps(
    depths: Depths, seconds: float | None, every: float
) -> Generator[tuple[float | None, QueueDepth], None, None]:
    began = yielded = perf_counter()
    due, end = began, math.inf if seconds is None else began + seconds
    while perf_counter() < end:
        depths.step()
        due = min(max(due + every, perf_counter()), end)
        while True:
            now = perf_counter()
            if now > yielded + _YIELD:
                yield None if seconds is None else min((now - began) / seconds, 0.99), depths.result()
                yielded = perf_counter()
            if now >= due:
                break
            time.sleep(min(due - now, _YIELD))
    depths.step()
    yield 1.0, depths.result()


def draw_queue_depth(result: QueueDepth, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """Each queue over time. Connections and bytes cannot share an axis: one picture is of listeners or of connections.

    Queues in which nothing was ever seen are left out, unless all are empty. The limit of a listener is a dashed line;
    those of a connection, which include the kernel's own records, stand in `QueueDepth`. Raises ValueError for a
    result of both kinds, or with more than six queues to draw.
    """
    from matplotlib.ticker import MaxNLocator

    from ...measure.plots import series, style, time_axis
    from ..paper import bytes_axis, legend_above, one_axes

    if len(set(result.listeners)) > 1:
        raise ValueError("draw_queue_depth wanted listeners or connections, but got both: watch them one by one")
    listeners = result.listeners[0]
    curves: list[tuple[str, list[float], list[float]]] = []
    for name, samples in zip(result.names, result.samples, strict=True):
        kinds = ("", "connections wait for accept()") if listeners else ("in its send queue", "in its receive queue")
        for kind, values in zip(kinds, sides(samples), strict=True):
            if kind:
                depths = [float("nan") if value is None else value for value in values]
                curves.append((f"{name}: {kind}", [depth.t for depth in samples], depths))
    used = [curve for curve in curves if any(value > 0 for value in curve[2])] or curves
    picture, ax = one_axes(used, "draw_queue_depth", ax)
    with style():
        for (label, times, depths), stroke in zip(used, series(), strict=False):
            ax.step(times, depths, where="post", label=label, **stroke)
        known = [value for _, _, depths in used for value in depths if value == value]
        most = max(known, default=0)
        if listeners:
            limits = {depth.receive_limit for samples in result.samples for depth in samples} - {None}
            for limit in sorted(filter(None, limits)):
                if limit <= max(most, 1) * 4:  # one far above would press the curve to the ground
                    ax.axhline(limit, color="#6b737c", linestyle=(0, (4, 2)), linewidth=1.2)
                    ax.annotate(
                        f"full: {limit}", (1, limit), (-2, 3), ("axes fraction", "data"), "offset points", ha="right"
                    )
                    most = max(most, limit)
            ax.set_ylim(0, max(most, 1) * 1.15)
            ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
            ax.set_ylabel("connections")
            default = f"At most {max(known, default=0):,.0f} connections waited for accept()"
        else:
            bytes_axis(ax, [most], "bytes that wait")
            default = f"At most {most:,.0f} bytes waited in one queue"
        time_axis(ax, 0.0, max((t for _, times, _ in used for t in times), default=0.0), False, "time", margins=False)
        ax.set_xlim(0, None)
        legend_above(ax, len(used), title or default)
    return ax if picture is None else picture
