"""What happens at a listener whose queue is full: clients connect, somebody accepts or does not, and who waits where.

How the kernel decides stands in door.py. A client outside does not know that it is outside: its connect() takes long.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from ..running import Steps, run
from ..wanted import seconds as want_seconds
from .door import ACCEPTED, FAILED, HALF_IN, OUTSIDE, QUEUED, Client, Door, ListenQueue

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = ["Client", "Door", "ListenQueue", "draw_listen_queue", "listen_queue", "listen_queue_steps", "watch"]

LOOK = 0.02  # seconds between two looks, and how exact the times are
LONGEST = 600.0  # seconds; a connect() gives up after some two minutes (tcp_syn_retries, tcp(7))


def listen_queue(
    backlog: int = 2,
    clients: int = 6,
    accept_rate: float = 0.0,
    *,
    seconds: float = 4.0,
    family: str = "ipv4",
    syn_retries: int | None = None,
) -> ListenQueue:
    """Let `clients` connect at once to a listener with listen(`backlog`), and accept `accept_rate` of them a second.

    It is over after `seconds`, or when everybody has been accepted or has given up. `family` is "ipv4", "ipv6" or
    "unix"; `syn_retries` is TCP_SYNCNT of the clients: how often each sends its SYN again before connect() fails.
    Outside Linux only the times of connect() and accept() are known.

    Raises ValueError for what is out of range, OSError where the family does not work here.
    """
    steps = listen_queue_steps(
        backlog, clients, accept_rate, seconds=seconds, family=family, syn_retries=syn_retries
    )  # fmt: skip
    return run(steps, "listen queue")


def listen_queue_steps(
    backlog: int = 2,
    clients: int = 6,
    accept_rate: float = 0.0,
    *,
    seconds: float | None = 4.0,
    family: str = "ipv4",
    syn_retries: int | None = None,
) -> Steps[ListenQueue]:
    """`listen_queue`, a step for each look, until all is settled where `seconds` is None."""
    if seconds is not None:
        want_seconds("seconds", seconds, LONGEST)
    return watch(Door(backlog, clients, accept_rate, family, syn_retries), seconds)


def watch(door: Door, seconds: float | None) -> Generator[tuple[float | None, ListenQueue], None, None]:
    """Open `door`, look every 20 ms until it is settled or `seconds` are over, close it. For who changes its rate."""
    with door:
        while True:
            result = door.look()
            over = result.settled or (seconds is not None and result.seconds >= seconds)
            if seconds is None:
                yield None, result
            else:
                yield 1.0 if over else min(result.seconds / seconds, 0.999), result
            if over:
                return
            time.sleep(LOOK)


def draw_listen_queue(result: ListenQueue, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """A row for each client: outside with a mark for each SYN, half in, in the queue, let in.

    Below is the length of the queue; given `ax`, the rows only. Time in seconds since the first connect.
    """
    from ...measure.plots import figure

    picture = None
    if ax is None:
        tall = 0.22 * len(result.clients) + 0.5
        picture = figure(2, 1, height=round(tall + 2.0, 1), sharex=True, height_ratios=(tall, 1.0))
        ax, below = picture.axes
        _draw_queue(below, result)
    _draw_clients(ax, result, title or _finding(result), picture is None)
    return ax if picture is None else picture


#: Of each state: colour, hatch, and words for the legend.
_LOOKS: dict[str, tuple[str, str, str]] = {
    OUTSIDE: ("#f1c7a8", "////", "outside"),
    HALF_IN: ("#e3bcd2", "....", "connect() returned, no seat yet"),
    QUEUED: ("#0072B2", "", "in the queue"),
    ACCEPTED: ("#9fd4c3", "", "accepted"),
}


def _pieces(client: Client, end: float) -> list[tuple[str, float, float]]:
    """The states that a client went through, each with its beginning and end."""
    marks = [(OUTSIDE, client.tries[0]), (HALF_IN, client.connected), (QUEUED, client.queued)]
    marks += [(ACCEPTED, client.accepted), (FAILED, client.ended)]
    known = [(state, at) for state, at in marks if at is not None]
    ends = [at for _, at in known[1:]] + [end]
    return [(state, at, until) for (state, at), until in zip(known, ends, strict=True) if state != FAILED]


def _draw_clients(ax: Any, result: ListenQueue, title: str, alone: bool) -> None:
    from matplotlib.patches import Patch

    from ...measure.plots import style

    with style():
        end = max(result.seconds, 1e-3)
        shown = set()
        for client in result.clients:
            for state, start, until in _pieces(client, end):
                if until - start < end / 100:
                    continue  # too short to be seen
                shown.add(state)
                colour, hatch, _ = _LOOKS[state]
                ax.broken_barh(
                    [(start, until - start)], (client.number - 0.4, 0.8), facecolor=colour, hatch=hatch,
                    edgecolor="#6b737c", linewidth=0.6,
                )  # fmt: skip
            tries = [at for at in client.tries if at > 0.1]
            ax.plot(tries, [client.number] * len(tries), "D", color="#D55E00", markersize=5, linestyle="none")
            if client.error:
                ax.annotate(
                    client.error, (client.ended, client.number), (4, 0), textcoords="offset points", va="center"
                )
        handles: list[Any] = [
            Patch(facecolor=colour, hatch=hatch, edgecolor="#6b737c", label=words)
            for state, (colour, hatch, words) in _LOOKS.items()
            if state in shown
        ]
        if any(len(client.tries) > 1 for client in result.clients):
            (again,) = ax.plot([], [], "D", color="#D55E00", markersize=5, linestyle="none", label="SYN sent again")
            handles.append(again)
        ax.set_ylim(len(result.clients) + 0.6, 0.4)
        ax.set_yticks([client.number for client in result.clients])
        ax.set_ylabel("client")
        ax.grid(False, axis="y")
        ax.set_xlim(0, end)
        if alone:
            ax.set_xlabel("time (s)")
        legend = ax.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=5, borderaxespad=0.2, columnspacing=1.0,
            handlelength=1.4, handletextpad=0.4,
        )  # fmt: skip
        legend.set_in_layout(False)
        ax.set_title(title, pad=24)


def _draw_queue(ax: Any, result: ListenQueue) -> None:
    from matplotlib.ticker import MaxNLocator

    from ...measure.plots import style

    with style():
        ax.step([at for at, _ in result.depths], [depth for _, depth in result.depths], where="post", color="#0072B2")
        top = max([1, *(depth for _, depth in result.depths)])
        if result.seats is not None:
            ax.axhline(result.seats, color="#6b737c", linestyle=(0, (4, 2)), linewidth=1.2)
            words = f"full: {result.seats} seats"
            ax.annotate(words, (1, result.seats), (-2, 3), ("axes fraction", "data"), "offset points", ha="right")
            top = max(top, result.seats)
        ax.set_ylim(0, top * 1.5)
        ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.set_ylabel("in the queue")
        ax.set_xlabel("time (s)")


def _finding(result: ListenQueue) -> str:
    begin, clients = f"listen({result.backlog})", len(result.clients)
    outside, half, failed = (result.count(state) for state in (OUTSIDE, HALF_IN, FAILED))
    let_in = clients - outside - half - failed
    if failed:
        error = next(client.error for client in result.clients if client.error)
        return f"{begin} admits {let_in} of {clients}; {failed} got {error}"
    if outside:
        return f"{begin} admits {let_in} of {clients}; {outside + half} wait outside, and do not know it"
    if half:
        return f"{begin}: connect() returned for all {clients}, and {half} of them without a seat"
    longest = max(client.queued or 0.0 for client in result.clients)
    if longest > 0.5:
        return f"{begin}: all {clients} got in, the last after {longest:.1f} s"
    return f"{begin}: all {clients} found a seat at once"
