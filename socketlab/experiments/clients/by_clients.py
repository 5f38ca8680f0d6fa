"""Latency against the number of clients that ask at once, for each model of concurrency.

So many clients ask, each again as soon as it has its answer, each time on a new connection. What one of them sees is
the time from its `connect` to its answer: waiting for its turn, and the handler's work. The p99 tells the models
apart: a client in a hundred waits that long or longer.

The clients are another process (`load` says why); models take turns at each number of clients.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, overload

from ...measure.timing import Timing, seconds_text
from ..running import Steps, run
from ..wanted import seconds as wanted_seconds
from ..wanted import whole
from .load import Clients, Row
from .models import MODELS, OneAtATime, PoolOfThreads
from .processes import Processes
from .serving import COMPUTES, SLEEPS, Work

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

CLIENTS = (1, 4, 16, 64)
MOST_CLIENTS, MOST_ROUNDS = 500, 10_000
SAMPLES = 100  # of each model and number of clients, at least: fewer know nothing of a p99
_PATIENCE = 20.0  # seconds beyond what a server that does one thing at a time needs for all the work
_LOOK = 0.04  # seconds between two yields while the clients are at it


class Ask(NamedTuple):
    """One question: times in seconds since the first one was asked. `server` is who worked, from `began` to `ended`."""

    client: int
    server: str
    asked: float
    began: float
    ended: float
    answered: float

    @property
    def latency(self) -> float:
        return self.answered - self.asked


@dataclass(frozen=True, repr=False)
class Load:
    """One model under so many clients: all questions, in the order of the answers."""

    model: str
    clients: int
    asks: tuple[Ask, ...]

    @cached_property
    def timing(self) -> Timing:
        """The latencies, in seconds."""
        return Timing(tuple(ask.latency for ask in self.asks), f"{self.model}, {_clients(self.clients)}")

    @property
    def seconds(self) -> float:
        """From the first question to the last answer."""
        return max(ask.answered for ask in self.asks)

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self.asks) / self.seconds

    @property
    def servers(self) -> tuple[str, ...]:
        """Who worked, in the order in which they began."""
        return tuple(dict.fromkeys(ask.server for ask in sorted(self.asks, key=lambda ask: ask.began)))

    def __repr__(self) -> str:
        return f"<Load {self.model}, {_clients(self.clients)}>"


@dataclass(frozen=True, repr=False)
class LatencyByClients:
    """`loads` in the order in which they were measured. Each request costs `cost` seconds in which a handler `kind`.

    `lacking` are models that this platform does not have, each with the reason.
    """

    cost: float
    kind: str
    loads: tuple[Load, ...] = ()
    lacking: tuple[tuple[str, str], ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(load.model for load in self.loads))

    def of(self, model: str, clients: int | None = None) -> Load:
        """One load; the one with the most clients unless told. Raises KeyError where it has not been measured."""
        found = [load for load in self.loads if load.model == model and clients in (None, load.clients)]
        if not found:
            raise KeyError(f"{model!r} with {clients if clients is not None else 'any number of'} clients")
        return max(found, key=lambda load: load.clients)

    def __repr__(self) -> str:
        return f"<LatencyByClients, {', '.join(self.models) or 'nothing measured'}>"


def latency_by_clients(
    models: Sequence[str] = tuple(MODELS),
    clients: Sequence[int] = CLIENTS,
    cost: float = 0.001,
    kind: str = SLEEPS,
    *,
    rounds: int | None = None,
) -> LatencyByClients:
    """Let so many clients at once ask a server of each model, and return what each of them had to wait.

    `models` are names of `MODELS`. A handler `kind` "sleeps" (as if it waited for a database) or "computes" (in Python,
    with the global lock) for `cost` seconds, 0 to 1. Each client asks `rounds` times; without, so often that there are
    a hundred answers.

    Raises ValueError for another model or kind, clients out of 1 to 500, a cost out of range; PeerError where answers
    do not come; OSError where the machine gives no more sockets, threads or processes.
    """
    steps = latency_by_clients_steps(models, clients, cost, kind, rounds=rounds)
    return run(steps, "latency by clients")


def latency_by_clients_steps(
    models: Sequence[str] = tuple(MODELS),
    clients: Sequence[int] = CLIENTS,
    cost: float = 0.001,
    kind: str = SLEEPS,
    *,
    rounds: int | None = None,
) -> Steps[LatencyByClients]:
    """`latency_by_clients` step by step: the result so far after each model at each number of clients."""
    models, clients = tuple(dict.fromkeys(models)), sorted(set(clients))
    for model in models:
        if model not in MODELS:
            raise ValueError(f"models wanted some of {', '.join(map(repr, MODELS))}, but got {model!r}")
    for count in clients:
        whole("clients", count, 1, MOST_CLIENTS, "clients")
    if rounds is not None:
        whole("rounds", rounds, 1, MOST_ROUNDS, "questions of each client")
    cost = wanted_seconds("cost", cost, 1.0)
    if kind not in (SLEEPS, COMPUTES):
        raise ValueError(f"kind wanted {SLEEPS!r} or {COMPUTES!r}, but got {kind!r}")
    if not models or not clients:
        raise ValueError("latency_by_clients wanted at least one model and one number of clients")
    return _steps(models, clients, cost, kind, rounds)


def _steps(
    models: tuple[str, ...], clients: list[int], cost: float, kind: str, rounds: int | None
) -> Steps[LatencyByClients]:
    lacking = tuple((model, why) for model in models if (why := MODELS[model].lacking()))
    here = [model for model in models if not MODELS[model].lacking()]
    loads: list[Load] = []
    amounts = [(count, rounds or math.ceil(SAMPLES / count)) for count in clients]
    total = len(here) * sum(count * times for count, times in amounts) or 1
    done = 0

    def so_far() -> tuple[float, LatencyByClients]:
        return done / total, LatencyByClients(cost, kind, tuple(loads), lacking)

    yield so_far()
    with Clients() as others:
        for count, times in amounts:
            for model in here:
                with ExitStack() as stack:
                    server = stack.enter_context(MODELS[model](Work(cost, kind)))
                    deadline = time.monotonic() + _PATIENCE
                    while not server.ready():
                        if time.monotonic() > deadline:
                            raise TimeoutError(f"{model} wanted to be ready within {_PATIENCE:g} s, but is not")
                        time.sleep(0.005)
                        yield so_far()
                    others.ask(server.address, count, times, _PATIENCE + cost * count * times)
                    while (rows := others.answers(_LOOK)) is None:
                        yield so_far()
                loads.append(Load(model, count, _asks(rows)))
                done += count * times
                yield so_far()
    if not here:
        yield 1.0, so_far()[1]


def _asks(rows: list[Row]) -> tuple[Ask, ...]:
    origin = min(asked for _, asked, _, _ in rows)
    asks = []
    for client, asked, answered, line in rows:
        began, ended, who = line.split(" ", 2)
        asks.append(Ask(client, who, *((ns - origin) / 1e9 for ns in (asked, int(began), int(ended), answered))))
    return tuple(sorted(asks, key=lambda ask: ask.answered))


def in_a_row(model: str, clients: int, kind: str) -> int:
    """How often the work is done one after the other until the last of `clients` that ask at once has its answer.

    Arithmetic, not measured: what is left of it are the costs of threads, processes and loops themselves.
    """
    if model == PoolOfThreads.name:
        at_once = PoolOfThreads.threads
    elif model == Processes.name:
        at_once = Processes.processes
    else:
        at_once = 1 if model == OneAtATime.name else clients
    if kind == COMPUTES:  # one global lock for each process, and no more of them than CPUs
        at_once = min(at_once, cpus()) if model == Processes.name else 1
    return math.ceil(clients / at_once)


def cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# -- the picture -------------------------------------------------------------------------------------------------------


@overload
def draw_latency_by_clients(result: LatencyByClients, *, title: str = "", ax: None = None) -> Picture: ...
@overload
def draw_latency_by_clients(result: LatencyByClients, *, title: str = "", ax: Axes) -> Axes: ...
def draw_latency_by_clients(result: LatencyByClients, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """The p99 of each model against the number of clients, both axes logarithmic; the p50 as a thin line below it.

    The y values are seconds. Raises ValueError where nothing was measured.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    from ...measure.plots import series, sheet, style

    if not result.loads:
        raise ValueError("draw_latency_by_clients wanted a measurement, but this result has none")
    picture, ax = sheet(ax, 3.8)
    with style():
        for n, (model, stroke) in enumerate(zip(result.models, series(), strict=False)):
            loads = sorted((load for load in result.loads if load.model == model), key=lambda load: load.clients)
            x = [load.clients for load in loads]
            ax.plot(x, [load.timing.p99 for load in loads], marker="os^Dvp"[n % 6], label=model, **stroke)
            ax.plot(x, [load.timing.p50 for load in loads], linewidth=0.8, color=stroke["color"])
        ax.set(xscale="log", yscale="log", xlabel="clients at once, logarithmic")
        ax.set_ylabel("p99 (thin: p50), logarithmic")
        ax.xaxis.set_major_locator(FixedLocator(sorted({load.clients for load in result.loads})))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: seconds_text(y)))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.legend(loc="upper left")
        ax.set_title(title or finding(result))
    return ax if picture is None else picture


def finding(result: LatencyByClients) -> str:
    """What the measurement shows, in a line: who makes the last of the most clients wait longest, and who least."""
    if not result.loads:
        return "Nothing has been measured yet"
    most = max(load.clients for load in result.loads)
    last = sorted((load for load in result.loads if load.clients == most), key=lambda load: load.timing.p99)
    best, worst = last[0], last[-1]
    work = f"a handler {result.kind} {seconds_text(result.cost)}"
    words = f"{_clients(most)}, {work}: {worst.model} p99 {seconds_text(worst.timing.p99, 2)}"
    return words if best is worst else f"{words}, {best.model} {seconds_text(best.timing.p99, 2)}"


def _clients(number: int) -> str:
    return "1 client" if number == 1 else f"{number} clients"
