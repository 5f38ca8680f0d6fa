"""The load rung: any server of lesson 27 under a number of clients, with a fault on the way if you like.

The server runs in a thread of this process, as its contract wants it; the clients are another process (`asking`). What
a client sees is the time from its question to its answer. In a hundred questions, one waits as long as the p99 or
longer: that one is what people remember of a server.
"""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from ...interrupts import Uninterrupted
from ...links import faulty_link
from ...measure.pump import PeerError
from ...measure.timing import Timing, seconds_text
from ..clients.load import Clients, Row
from ..running import Steps, run
from ..wanted import whole
from .asking import CHILD, CONTENT, FILE
from .servers import SERVERS, ladder_servers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = ["LadderLoad", "RungLoad", "draw_ladder", "ladder_load", "ladder_load_steps", "ladder_servers"]

CLIENTS = (1, 4, 16)
MOST_CLIENTS, MOST_ROUNDS = 64, 10_000
SAMPLES = 200  # of each rung and number of clients
PATIENCE = 5.0  # seconds until a client gives up
ENDS = 2.0  # seconds that a server has to end
_LOOK = 0.04  # seconds between two yields

NONE, SILENT, DELAY, PIECES, LOSS = "none", "a silent client", "10 ms each way", "pieces of 3 bytes", "5 % lost"
#: What may be wrong on the way: keywords of `faulty_link` for streams, and for datagrams; None where it has no meaning.
FAULTS: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {
    NONE: ({}, {}),
    SILENT: ({}, None),
    DELAY: ({"latency": 0.01}, {"latency": 0.01}),
    PIECES: ({"slice_size": 3}, None),
    LOSS: (None, {"loss": 0.05}),
}
DATAGRAMS = frozenset(("serve_kv", "serve_blocks"))


@dataclass(frozen=True, repr=False)
class RungLoad:
    """One rung under so many clients: what each question waited (seconds), or why there is nothing to tell."""

    rung: str
    clients: int
    waits: tuple[float, ...] = ()
    seconds: float = 0.0  #: from the first question to the last answer
    failure: str = ""

    @cached_property
    def timing(self) -> Timing:
        """The waits; without any, there is no such thing (ValueError)."""
        return Timing(self.waits, f"{self.rung}, {_clients(self.clients)}")

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self.waits) / self.seconds if self.seconds else 0.0

    def __repr__(self) -> str:
        return f"<RungLoad {self.rung}, {_clients(self.clients)}{', failed' if self.failure else ''}>"


@dataclass(frozen=True, repr=False)
class LadderLoad:
    """`loads` in the order in which they were measured, all with the same `fault`."""

    fault: str
    loads: tuple[RungLoad, ...] = ()

    @property
    def rungs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(load.rung for load in self.loads))

    def of(self, rung: str, clients: int | None = None) -> RungLoad:
        """One load; the one with the most clients unless told. Raises KeyError where it has not been measured."""
        found = [load for load in self.loads if load.rung == rung and clients in (None, load.clients)]
        if not found:
            raise KeyError(f"{rung!r} with {clients if clients is not None else 'any number of'} clients")
        return max(found, key=lambda load: load.clients)

    def __repr__(self) -> str:
        return f"<LadderLoad, {len(self.rungs)} rungs, {self.fault}>"


def ladder_load(
    servers: Mapping[str, Callable[..., Any]] | None = None,
    clients: Sequence[int] = CLIENTS,
    fault: str = NONE,
    *,
    rounds: int | None = None,
) -> LadderLoad:
    """Let so many clients at once ask each of `servers`, by the names of their exercises, and see how long they wait.

    Without `servers`, those of `ladder_servers`. `fault` is one of `FAULTS`; rungs for which it has no meaning are
    left out. Each client asks `rounds` times; without, so often that there are two hundred answers.

    A server that raises, hangs up or does not end is no error: its `failure` says so. Raises ValueError for an unknown
    rung or fault, or clients out of 1 to 64; OSError where the machine gives no more sockets, threads or processes.
    """
    return run(ladder_load_steps(servers, clients, fault, rounds=rounds), "the ladder under load")


def ladder_load_steps(
    servers: Mapping[str, Callable[..., Any]] | None = None,
    clients: Sequence[int] = CLIENTS,
    fault: str = NONE,
    *,
    rounds: int | None = None,
) -> Steps[LadderLoad]:
    """`ladder_load` step by step: the result so far after each rung at each number of clients."""
    chosen = dict(ladder_servers() if servers is None else servers)
    for rung in chosen:
        if rung not in SERVERS:
            raise ValueError(f"servers wanted names such as {next(iter(SERVERS))!r}, but got {rung!r}")
    if fault not in FAULTS:
        raise ValueError(f"fault wanted one of {', '.join(map(repr, FAULTS))}, but got {fault!r}")
    counts = sorted(set(clients))
    for count in counts:
        whole("clients", count, 1, MOST_CLIENTS, "clients")
    if rounds is not None:
        whole("rounds", rounds, 1, MOST_ROUNDS, "questions of each client")
    if not chosen or not counts:
        raise ValueError("ladder_load wanted at least one server and one number of clients")
    return _steps(chosen, counts, fault, rounds)


def _steps(
    servers: dict[str, Callable[..., Any]], counts: list[int], fault: str, rounds: int | None
) -> Steps[LadderLoad]:
    here = [rung for rung in servers if FAULTS[fault][rung in DATAGRAMS] is not None]
    loads: list[RungLoad] = []
    total = len(here) * len(counts) or 1

    def so_far() -> tuple[float, LadderLoad]:
        return len(loads) / total, LadderLoad(fault, tuple(loads))

    yield so_far()
    others = Clients(CHILD)
    try:
        for rung in here:
            for count in counts:
                times = rounds or math.ceil(SAMPLES / count)
                with _Served(rung, servers[rung], fault) as served:
                    rows, failure = None, ""
                    try:
                        others.say(rung, served.address, count, times, PATIENCE, served.given)
                        while rows is None and not failure:
                            yield so_far()
                            rows = others.answers(_LOOK)
                            failure = served.failure if served.over and rows is None else ""
                    except PeerError as exc:
                        failure = served.failure or str(exc)
                    finally:
                        if rows is None:  # a server waits for its clients: they leave before it is told to end
                            others.close()
                loads.append(_load(rung, count, rows or [], failure or served.deaf))
                if failure:
                    others = Clients(CHILD)
                yield so_far()
    finally:
        others.close()


def _load(rung: str, count: int, rows: Sequence[Row], failure: str) -> RungLoad:
    if not rows:
        return RungLoad(rung, count, failure=failure)
    waits = tuple((ended - began) / 1e9 for _, began, ended, _ in rows)
    return RungLoad(rung, count, waits, (max(row[2] for row in rows) - min(row[1] for row in rows)) / 1e9, failure)


class _Served:
    """A server at work in a thread, with what it needs, until the end of the `with` block."""

    def __init__(self, rung: str, serve: Callable[..., Any], fault: str) -> None:
        self.rung, self.serve, self.fault = rung, serve, fault
        self.failure, self.over = "", False
        self.deaf = ""  # what is to be said of it if it goes on when it is told to end
        self.given: dict[str, Any] = {}

    def __enter__(self) -> _Served:
        with ExitStack() as stack:
            datagrams = self.rung in DATAGRAMS
            if datagrams:
                sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sock.bind(("127.0.0.1", 0))
            else:
                sock = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
            stop, ring = socket.socketpair()
            stack.enter_context(stop)
            stack.callback(ring.close)
            more = stack.enter_context(_more(self.rung, self.given))
            thread = threading.Thread(target=self._run, args=(sock, stop, *more), name="load rung", daemon=True)
            with Uninterrupted():
                thread.start()
            stack.callback(self._end, thread, ring, sock)
            self.address = sock.getsockname()
            faults = FAULTS[self.fault][datagrams]
            if faults:
                link = stack.enter_context(faulty_link(self.address, datagrams=datagrams, **faults))
                self.address = link.address
            if self.fault == SILENT:
                stack.enter_context(socket.create_connection(self.address, PATIENCE))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _run(self, *arguments: Any) -> None:
        try:
            self.serve(*arguments)
            self.failure = "it returned before it was told to end"
        except NotImplementedError:
            self.failure = "not attempted"
        except Exception as exc:
            self.failure = f"it raised {type(exc).__name__}"
        self.over = True

    def _end(self, thread: threading.Thread, ring: socket.socket, sock: socket.socket) -> None:
        """Tell it to end. One that does not hear is woken, as far as it can be, and left behind."""
        ring.close()
        thread.join(ENDS)
        if thread.is_alive():
            self.deaf = "it did not end when it was told to"
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            thread.join(ENDS)


@contextmanager
def _more(rung: str, given: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The further arguments of a rung's server."""
    if rung == "serve_proxy":
        from ...handlers import echo
        from ...servers import tcp_server

        with tcp_server(echo) as upstream:
            yield (upstream.address,)
    elif rung == "serve_files":
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory(prefix="socketlab-") as folder:
            Path(folder, FILE).write_bytes(CONTENT)
            yield (folder,)
    elif rung == "serve_blocks":
        yield ({FILE: CONTENT},)
    elif rung == "serve_jobs":
        import ssl

        import trustme

        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        given["authority"] = authority.cert_pem.bytes().decode()
        yield (context,)
    else:
        yield ()


# -- the picture -------------------------------------------------------------------------------------------------------


@overload
def draw_ladder(
    result: LadderLoad, passed: Mapping[str, tuple[int, int]] | None = None, *, title: str = "", ax: None = None
) -> Picture: ...
@overload
def draw_ladder(
    result: LadderLoad, passed: Mapping[str, tuple[int, int]] | None = None, *, title: str = "", ax: Axes
) -> Axes: ...
def draw_ladder(
    result: LadderLoad,
    passed: Mapping[str, tuple[int, int]] | None = None,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Picture | Axes:
    """The rungs from below, each with its p99 at each number of clients; the x values are seconds, logarithmic.

    `passed` says of each rung how many of its scenarios were passed, and how many there are. Raises ValueError where
    nothing was measured.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    from ...measure.plots import series, sheet, style

    if not result.loads:
        raise ValueError("draw_ladder wanted a measurement, but this result has none")
    picture, ax = sheet(ax, 1.3 + 0.36 * len(result.rungs))
    counts = sorted({load.clients for load in result.loads})
    with style():
        for n, (count, stroke) in enumerate(zip(counts, series(), strict=False)):
            points = [
                (load.timing.p99, result.rungs.index(load.rung))
                for load in result.loads
                if load.clients == count and load.waits
            ]
            where = {"marker": "os^Dvp"[n % 6], "linestyle": "none", "color": stroke["color"], "markersize": 7}
            ax.plot([x for x, _ in points], [y for _, y in points], label=_clients(count), **where)
        for y, rung in enumerate(result.rungs):
            failed = next((load.failure for load in result.loads if load.rung == rung and load.failure), "")
            if failed:
                ax.text(0.02, y, failed, transform=ax.get_yaxis_transform(), va="center", style="italic")
        labels = []
        for rung in result.rungs:
            done, of = (passed or {}).get(rung, (0, 0))
            mark = f"  {'✓' if done == of else '✗'} {done}/{of}" if of else ""
            labels.append(f"{rung.removeprefix('serve_')}{mark}")
        ax.yaxis.set_major_locator(FixedLocator(range(len(labels))))
        ax.set_yticklabels(labels)
        ax.set_ylim(-0.6, len(labels) - 0.4)
        ax.set_xscale("log")
        ax.set_xlabel("p99: one question in a hundred waits that long or longer, logarithmic")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: seconds_text(x)))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.grid(axis="y", alpha=0.4)
        ax.legend(loc="best")
        ax.set_title(title or finding(result))
    return ax if picture is None else picture


def finding(result: LadderLoad) -> str:
    """What the measurement shows, in a line."""
    measured = [load for load in result.loads if load.waits]
    failed = [load for load in result.loads if load.failure]
    if not measured:
        return f"{failed[0].rung}: {failed[0].failure}" if failed else "Nothing has been measured yet"
    most = max(load.clients for load in measured)
    last = [load for load in measured if load.clients == most]
    worst = max(last, key=lambda load: load.timing.p99)
    words = f"{_clients(most)}, {'no fault' if result.fault == NONE else result.fault}: "
    return words + f"longest p99 {seconds_text(worst.timing.p99, 2)}, {worst.rung.removeprefix('serve_')}"


def _clients(number: int) -> str:
    return "1 client" if number == 1 else f"{number} clients"
