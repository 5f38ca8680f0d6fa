"""What a server gets done, and what its slowest clients see: throughput and p99 below one another, for each model.

Both come from the same answers (`by_clients`): answers per second from the first question to the last answer, and the
latency of the one client in a hundred. A model may do well in the one and badly in the other: who serves one after
another is idle while a handler sleeps, and yet the first client never waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...measure.timing import seconds_text
from .by_clients import LatencyByClients

if TYPE_CHECKING:
    from ...measure.plots import Picture

_ABREAST = 3  # models in a row of the legend


def draw_throughput_by_clients(result: LatencyByClients, *, title: str = "") -> Picture:
    """Answers per second, and the p99 (seconds), of each model against the number of clients; axes logarithmic.

    Raises ValueError where nothing was measured.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    from ...measure.plots import figure, series, style

    if not result.loads:
        raise ValueError("draw_throughput_by_clients wanted a measurement, but this result has none")
    picture = figure(2, 1, height=4.8, sharex=True)
    upper, lower = picture.axes
    with style():
        for n, (model, stroke) in enumerate(zip(result.models, series(), strict=False)):
            loads = sorted((load for load in result.loads if load.model == model), key=lambda load: load.clients)
            x = [load.clients for load in loads]
            upper.plot(x, [load.per_second for load in loads], marker="os^Dvp*"[n % 7], label=model, **stroke)
            lower.plot(x, [load.timing.p99 for load in loads], marker="os^Dvp*"[n % 7], **stroke)
        for axes in picture.axes:
            axes.set(xscale="log", yscale="log")
            axes.xaxis.set_major_locator(FixedLocator(sorted({load.clients for load in result.loads})))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        lower.set_xlabel("clients at once, logarithmic")
        upper.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
        lower.yaxis.set_major_formatter(FuncFormatter(lambda y, _: seconds_text(y)))
        upper.set_ylabel("answers per second")
        lower.set_ylabel("p99")
        rows = -(-len(result.models) // _ABREAST)
        legend = upper.legend(
            loc="lower left", ncols=_ABREAST, bbox_to_anchor=(0.0, 1.01), borderaxespad=0, frameon=False
        )
        legend.set_in_layout(False)
        upper.set_title(title or finding(result), pad=12 + 15 * rows)
    return picture


def finding(result: LatencyByClients) -> str:
    """Who gets most done, and who least, with the most clients that were measured."""
    if not result.loads:
        return "Nothing has been measured yet"
    most = max(load.clients for load in result.loads)
    last = sorted((load for load in result.loads if load.clients == most), key=lambda load: load.per_second)
    least, best = last[0], last[-1]
    clients = "1 client" if most == 1 else f"{most} clients"
    words = f"{clients}: {best.model} {best.per_second:,.0f}/s"  # a title has room for some 70 letters
    return words if least is best else f"{words}, {least.model} {least.per_second:,.0f}/s"
