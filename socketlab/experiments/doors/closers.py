"""TIME_WAIT over time: who gets it when connections end, how many, and for how long.

Whoever closes first stays in TIME_WAIT (RFC 9293, 3.6): its last acknowledgement may have been lost, and late segments
must not end up in a new connection with the same addresses and ports. Linux waits 60 s (TCP_TIMEWAIT_LEN in
include/net/tcp.h), and a little more, for its long timers are coarse: 61.8 s were seen. No process holds such a socket
any more; the kernel's table still shows it. A reset skips it all, and takes the risk. A listener's port that is in
TIME_WAIT cannot be bound again without SO_REUSEADDR (tcp(7)).
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from ...measure.kernel_table import Entry, inet_table, want_linux
from ..running import Steps, run
from ..wanted import seconds as want_seconds
from ..wanted import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = [
    "CLOSERS",
    "TimeWait",
    "Waiting",
    "draw_time_wait",
    "recorded_time_wait",
    "time_wait",
    "time_wait_steps",
]

CLOSERS = ("client", "server", "reset")
MOST = 200  # connections: two descriptors each while they are open
LONGEST = 75.0  # seconds: all is over after 60, and a little
_EVERY = 0.1  # seconds between two looks at the kernel's table
_YIELD = 0.04
_PATIENCE = 5.0  # seconds for each call


class Waiting(NamedTuple):
    """One look: how many sockets of our connections are in TIME_WAIT, at either end."""

    t: float  #: seconds since the last connection was closed
    client: int
    server: int


@dataclass(frozen=True, repr=False)
class TimeWait:
    """What became of `connections` that `closer` ended: "client" or "server" closed first, or the client sent a reset.

    `over` is when the kernel's timers will have ended each TIME_WAIT that was there at the latest look, in seconds as
    `Waiting.t`. `rebind` is the errno of a bind() to the listener's port without SO_REUSEADDR, "" where it was granted.
    """

    closer: str
    connections: int
    looks: tuple[Waiting, ...]
    over: tuple[float, ...] = ()
    rebind: str = ""

    @property
    def most(self) -> Waiting:
        """The look that found the most. Raises ValueError before the first."""
        if not self.looks:
            raise ValueError("nobody has looked yet")
        return max(self.looks, key=lambda look: look.client + look.server)

    def __repr__(self) -> str:
        how = "ended by a reset" if self.closer == "reset" else f"closed by the {self.closer} first"
        return f"<TimeWait of {self.connections} connections {how}>"


def time_wait(
    closer: str = "client", connections: int = 20, *, seconds: float = 3.0, family: int = socket.AF_INET
) -> TimeWait:
    """Open `connections` on loopback, end them as `closer` says, and count TIME_WAIT for `seconds`, at most 75.

    `closer` is "client", "server" or "reset"; `family` AF_INET or AF_INET6. Ports of this machine stay in TIME_WAIT
    for a minute: mind the number. Raises ValueError for what is out of range, NotImplementedError on another system
    than Linux, OSError where the family does not work or the kernel shows no table.
    """
    steps = time_wait_steps(closer, connections, seconds=seconds, family=family)
    return run(steps, "TIME_WAIT")


def recorded_time_wait(closer: str = "client", connections: int = 20) -> TimeWait:
    """`connections` as Linux 6.18 had them, for systems that show no table of their sockets.

    Raises ValueError for what `time_wait` would not take.
    """
    _want(closer, connections)
    client, server = {"client": (connections, 0), "server": (0, connections), "reset": (0, 0)}[closer]
    looks = (Waiting(0.0, client, server), Waiting(0.2, client, server))
    return TimeWait(closer, connections, looks, (60.0,) * (client + server), "EADDRINUSE" if server else "")


def _want(closer: str, connections: int) -> None:
    if closer not in CLOSERS:
        raise ValueError(f"closer wanted one of {', '.join(CLOSERS)}, but got {closer!r}")
    whole("connections", connections, 1, MOST, "connections")


def time_wait_steps(
    closer: str = "client", connections: int = 20, *, seconds: float = 3.0, family: int = socket.AF_INET
) -> Steps[TimeWait]:
    """`time_wait`, step by step. Raises what it raises at once."""
    _want(closer, connections)
    want_seconds("seconds", seconds, LONGEST)
    if family not in (socket.AF_INET, socket.AF_INET6):
        raise ValueError(f"family wanted socket.AF_INET or socket.AF_INET6, but got {family!r}")
    want_linux()
    return _watch(closer, connections, seconds, family)


def _watch(
    closer: str, connections: int, seconds: float, family: int
) -> Generator[tuple[float | None, TimeWait], None, None]:
    yield 0.0, TimeWait(closer, connections, ())
    server, clients = _talk(closer, connections, family)
    rebind = _bind_again(server, family)
    began = perf_counter()
    looks: list[Waiting] = []
    while True:
        mine = _ours(inet_table(family, socket.IPPROTO_TCP), server, clients)
        now = perf_counter() - began
        at_client = sum(entry.local != server for entry in mine)
        looks.append(Waiting(now, at_client, len(mine) - at_client))
        over = tuple(sorted(now + entry.left for entry in mine))
        result = TimeWait(closer, connections, tuple(looks), over, rebind)
        if now >= seconds:
            yield 1.0, result
            return
        due = min(now + _EVERY, seconds)
        while (now := perf_counter() - began) < due:
            yield min(now / seconds, 0.999), result
            time.sleep(max(min(due - (perf_counter() - began), _YIELD), 0.0))


def _talk(closer: str, connections: int, family: int) -> tuple[Any, set[Any]]:
    """Open all connections and end them; the listener's address and the clients'."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        listener.settimeout(_PATIENCE)
        listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        listener.listen(1)
        address, pairs = listener.getsockname(), []
        for _ in range(connections):
            client = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            client.settimeout(_PATIENCE)
            client.connect(address)
            conn = stack.enter_context(listener.accept()[0])
            conn.settimeout(_PATIENCE)
            pairs.append((client, conn))
        clients = {client.getsockname()[:2] for client, _ in pairs}
        for client, conn in pairs:
            first, second = (conn, client) if closer == "server" else (client, conn)
            if closer == "reset":
                first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            first.close()
            try:
                second.recv(1)  # until the end has arrived: then this end is the second to close for certain
            except ConnectionResetError:
                pass
            second.close()
    return address[:2], clients


def _bind_again(address: Any, family: int) -> str:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(address)
        except OSError as exc:
            return errno.errorcode.get(exc.errno or 0, str(exc.errno))
    return ""


def _ours(table: list[Entry], server: Any, clients: set[Any]) -> list[Entry]:
    return [
        entry
        for entry in table
        if entry.state == "TIME_WAIT"
        and ((entry.local == server and entry.peer in clients) or (entry.peer == server and entry.local in clients))
    ]


def draw_time_wait(*results: TimeWait, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """Sockets in TIME_WAIT over time, a line for each result; dotted is what the kernel's timers announce.

    Raises ValueError without results, for more than six, or where nobody has looked yet.
    """
    from ...measure.plots import series, style
    from ..paper import legend_above, one_axes

    picture, axes = one_axes(results, "draw_time_wait", ax)
    labels = [_label(result) for result in results]
    with style():
        end = max(look.t for result in results for look in result.looks)
        for result, label, stroke in zip(results, labels, series(), strict=False):
            counts = [(look.t, look.client + look.server) for look in result.looks]
            axes.step([t for t, _ in counts], [n for _, n in counts], where="post", label=label, **stroke)
            last, left = counts[-1]
            ends = [(last, left), *((over, left - n) for n, over in enumerate(result.over, 1))]
            axes.step(
                [t for t, _ in ends], [n for _, n in ends], where="post", color=stroke["color"], alpha=0.55,
                linestyle=(0, (2, 2)), linewidth=1.4,
            )  # fmt: skip
            end = max(end, *(t for t, _ in ends))
        most = max(look.client + look.server for result in results for look in result.looks)
        axes.set_ylim(-0.03 * max(most, 1), max(most, 1) * 1.1)
        axes.set_xlim(0, end * 1.03)
        announced = " (dotted: as the kernel's timers say)" if any(result.over for result in results) else ""
        axes.set_xlabel(f"seconds since the last close{announced}")
        axes.set_ylabel("in TIME_WAIT")
        legend_above(axes, len(results), title or _finding(results))
    return axes if picture is None else picture


def _label(result: TimeWait) -> str:
    most = result.most
    where = [f"{n} at the {end}" for end, n in (("client", most.client), ("server", most.server)) if n]
    how = "reset" if result.closer == "reset" else f"{result.closer} closes first"
    bind = f"; bind() to the port: {result.rebind}" if result.rebind else ""
    return f"{how}: {' and '.join(where) or 'none'}{bind}"


def _finding(results: tuple[TimeWait, ...]) -> str:
    stay = [over for result in results for over in (*result.over, *_seen_over(result))]
    if not any(look.client + look.server for result in results for look in result.looks):
        return "A reset leaves no TIME_WAIT" if {r.closer for r in results} == {"reset"} else "No TIME_WAIT was seen"
    closers = sorted({result.closer for result in results} - {"reset"})
    ends = f"the {closers[0]}, who closed first" if len(closers) == 1 else "whoever closes first"
    return f"TIME_WAIT stays with {ends}, for {max(stay):.0f} s"


def _seen_over(result: TimeWait) -> list[float]:
    """When the last of them was seen to be gone."""
    last = result.looks[-1]
    busy = [look.t for look in result.looks if look.client + look.server]
    return [min(look.t for look in result.looks if look.t > busy[-1])] if busy and busy[-1] < last.t else []
