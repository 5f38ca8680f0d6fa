"""Small writes: how long a request takes that is written in two pieces, and which ways there are around the wait.

A client sends a header, then a body, and waits for the reply of a server that answers when it has both. Two sensible
rules meet here. Nagle's algorithm (RFC 896; RFC 9293, 3.7.4): while something is unacknowledged, a segment that is
not full stays at home, to be sent together with what comes next. The delayed acknowledgement (RFC 1122, 4.2.3.2;
RFC 9293, 3.8.6.3): a receiver waits a moment, so that its answer can carry the acknowledgement. The client's body then
waits for the acknowledgement of the header, the server's acknowledgement for an answer, and the answer for the body:
nothing moves until the server's timer fires, after some 40 ms on Linux, up to 500 by the RFC.

A connection begins with acknowledgements at once, at most 16 of them (TCP_MAX_QUICKACKS in Linux's include/net/tcp.h),
and TCP_QUICKACK holds only until the kernel thinks better of it, so it is set again after each recv (tcp(7)).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from statistics import median_low
from typing import TYPE_CHECKING, Any, overload

from ...measure.dialing import dial
from ...measure.timing import Timing, bytes_text, seconds_text
from ...servers import tcp_server
from ..running import Steps, run
from ..wanted import whole
from .two_writes import ONE_WRITE, PATIENCE, REMEDIES, TWO_WRITES, Conversation, Exchange, missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

#: The ways that are measured unless told; remedies can be joined by " + ".
WAYS = (TWO_WRITES, *REMEDIES)

LONGEST = 1_000_000  # bytes of a header or a body: what one exchange can move in well under 50 ms
MOST = 1000  # exchanges of one way
_QUICK = 16  # exchanges after which the quick start of a connection is over for certain: see the head
_WAITED = 0.02  # seconds; half of the shortest delay of an acknowledgement (TCP_DELACK_MIN, 40 ms)


@dataclass(frozen=True, repr=False)
class Way:
    """The exchanges of one way to write, on one connection. `warmup`: those before its quick start was over."""

    label: str
    warmup: tuple[Exchange, ...]
    exchanges: tuple[Exchange, ...]
    mss: int | None = None  #: bytes in a full segment, at the end (TCP_INFO); None where the system does not tell

    @property
    def timing(self) -> Timing:
        """The latencies, without the warm-up. Raises ValueError before the first of them."""
        return Timing(tuple(exchange.latency for exchange in self.exchanges), self.label)

    @property
    def typical(self) -> Exchange:
        """The exchange whose latency is the median. Raises ValueError before the first."""
        if not self.exchanges:
            raise ValueError(f"{self.label} has not been measured yet")
        return sorted(self.exchanges)[(len(self.exchanges) - 1) // 2]

    @property
    def segments(self) -> int | None:
        """With data, of most exchanges."""
        told = Counter(exchange.segments for exchange in self.exchanges if exchange.segments is not None)
        return told.most_common(1)[0][0] if told else None

    @property
    def waits(self) -> bool:
        """Whether most exchanges waited for an acknowledgement: bytes held back, and the time of a delayed one."""
        waited = [e.latency >= _WAITED and e.held != 0 for e in self.exchanges]
        return 2 * sum(waited) > len(waited)

    def __repr__(self) -> str:
        return f"<{self.label}: {len(self.exchanges)} exchanges>"


@dataclass(frozen=True, repr=False)
class SmallWrites:
    """What `small_writes` measured. `lacking`: ways that were asked for and need an option this system has not."""

    header: int  #: bytes
    body: int  #: bytes
    ways: tuple[Way, ...]
    lacking: tuple[str, ...] = ()

    @property
    def timings(self) -> tuple[Timing, ...]:
        """One for each way that has been measured."""
        return tuple(way.timing for way in self.ways if way.exchanges)

    def __getitem__(self, label: str) -> Way:
        """The way of this name. Raises KeyError for one that was not measured."""
        for way in self.ways:
            if way.label == label:
                return way
        raise KeyError(f"{label!r} was not measured; these were: {', '.join(way.label for way in self.ways)}")

    def __repr__(self) -> str:
        names = ", ".join(way.label for way in self.ways) or "nothing yet"
        lacking = f"; not here: {', '.join(self.lacking)}" if self.lacking else ""
        return f"<SmallWrites of {bytes_text(self.header)} + {bytes_text(self.body)}: {names}{lacking}>"


def small_writes(*ways: str, header: int = 12, body: int = 100, exchanges: int = 20) -> SmallWrites:
    """Time `exchanges` of a header and a body of so many bytes in each of `ways`, all of `WAYS` unless told.

    A way is "two writes", or what is done about them: "TCP_NODELAY" at the client, "TCP_QUICKACK" at the server,
    "TCP_CORK" around the two, "MSG_MORE" with the first, "one write" of both together; or several, joined by " + ".
    Each has a connection of its own, warmed up until an exchange has waited for an acknowledgement, or 16 did not. On
    Linux the figures include a look at TCP_INFO after the last write, about 1 µs.

    Raises ValueError for an unknown way or a size that is out of range, PeerError for an exchange of over 5 s.
    """
    return run(small_writes_steps(*ways, header=header, body=body, exchanges=exchanges), "small writes")


def small_writes_steps(*ways: str, header: int = 12, body: int = 100, exchanges: int = 20) -> Steps[SmallWrites]:
    """`small_writes`, step by step: a step is one exchange. Raises ValueError at once."""
    whole("header", header, 1, LONGEST, "bytes")
    whole("body", body, 1, LONGEST, "bytes")
    whole("exchanges", exchanges, 1, MOST, "exchanges")
    chosen = [(label, _parse(label)) for label in dict.fromkeys(ways or WAYS)]
    return _measure(chosen, header, body, exchanges)


def _parse(label: str) -> frozenset[str]:
    """The remedies in a label."""
    words = [word.strip() for word in label.split("+")] if isinstance(label, str) else [label]
    for word in words:
        if word not in WAYS:
            raise ValueError(
                f"a way to write wanted {', '.join(map(repr, WAYS))}, or some joined by ' + ', not {word!r}"
            )
    if {"MSG_MORE", ONE_WRITE} <= {*words}:
        raise ValueError("MSG_MORE says that more will be written, and with one write nothing more comes")
    return frozenset(words) - {TWO_WRITES}


def _measure(
    chosen: list[tuple[str, frozenset[str]]], header: int, body: int, rounds: int
) -> Generator[tuple[float | None, SmallWrites], None, None]:
    lacking = tuple(label for label, remedies in chosen if missing(remedies))
    here = [(label, remedies) for label, remedies in chosen if not missing(remedies)]
    ways: list[Way] = []
    yield 0.0, SmallWrites(header, body, (), lacking)
    for label, remedies in here:
        talk, warmup, done = Conversation(remedies, header, body), list[Exchange](), list[Exchange]()
        with tcp_server(talk.answer) as server, dial(server.address, PATIENCE) as client:
            talk.use(client)
            while len(done) < rounds:
                exchange = talk.exchange()
                quick = not done and len(warmup) < _QUICK and not any(map(_has_waited, warmup))
                (warmup if quick else done).append(exchange)
                way = Way(label, tuple(warmup), tuple(done), talk.mss)
                share = (len(ways) + len(done) / rounds) / len(here)
                yield share, SmallWrites(header, body, (*ways, way), lacking)
        ways.append(way)
    if not here:
        yield 1.0, SmallWrites(header, body, (), lacking)


def _has_waited(exchange: Exchange) -> bool:
    """The quick start is over: bytes were held back, or, where that is not told, it took as long as if they were."""
    return exchange.latency >= _WAITED if exchange.held is None else exchange.held > 0


@overload
def draw_small_writes(result: SmallWrites, *, title: str = "", ax: None = None) -> Picture: ...
@overload
def draw_small_writes(result: SmallWrites, *, title: str = "", ax: Axes) -> Axes: ...
def draw_small_writes(result: SmallWrites, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """A row for each way, a dot for each exchange, a bar at the median; on the right what went over the wire.

    The axis is logarithmic, in seconds. Raises ValueError where nothing has been measured yet.
    """
    from ...measure.plots import sheet

    ways = [way for way in result.ways if way.exchanges]
    if not ways:
        raise ValueError("draw_small_writes wanted at least one exchange, but there is none yet")
    picture, ax = sheet(ax, round(1.2 + 0.3 * len(ways), 1))
    _draw(ax, ways, title or _finding(ways))
    return ax if picture is None else picture


def _draw(ax: Any, ways: list[Way], title: str) -> None:
    from ...measure.plots import style, time_axis

    with style():
        for row, way in enumerate(ways):
            samples = way.timing.samples
            colour = "#D55E00" if way.waits else "#0072B2"
            ax.plot(samples, [row] * len(samples), "D" if way.waits else "o", color=colour, alpha=0.35, markersize=5)
            ax.vlines(way.timing.p50, row - 0.36, row + 0.36, color="#1c2127", linewidth=1.6)
            words = f"{way.segments} segment{'s' if way.segments != 1 else ''}" if way.segments is not None else ""
            ax.text(
                1.01, row, f"{words}{', held back' if way.waits else ''}", transform=ax.get_yaxis_transform(),
                va="center", fontsize=9,
            )  # fmt: skip
        ax.set_yticks(range(len(ways)), [way.label for way in ways])
        ax.set_ylim(len(ways) - 0.4, -0.6)
        ax.grid(False, axis="y")
        every = [sample for way in ways for sample in way.timing.samples]
        time_axis(ax, min(every), max(max(every), 1.01 * min(every)), True, "from the first write to the reply")
        ax.set_title(title)


def _finding(ways: list[Way]) -> str:
    slow = [way for way in ways if way.waits]
    if not slow:
        longest = seconds_text(max(way.timing.p50 for way in ways), 2)
        return f"Nobody waits for an acknowledgement: {longest} at most"
    wait = seconds_text(median_low([way.timing.p50 for way in slow]), 2)
    who = "Two small writes wait" if [way.label for way in slow] == [TWO_WRITES] else f"{len(slow)} ways wait"
    if len(slow) == 1 and slow[0].label != TWO_WRITES:
        who = f"{slow[0].label} waits"
    return f"{who} {wait} for an acknowledgement"
