"""What a handshake costs, full and resumed, in TLS 1.2 and 1.3: who waits for whom, how often, and for how many bytes.

Both ends talk through a link with a latency, so a round trip takes a time that can be seen. Each end encrypts with an
`ssl.SSLObject` and does its own sending, and notes what goes out and what comes in: a *flight* is all that one end says
before it has to listen again. After its handshake the client asks a question of one byte, and the server answers.

A full handshake of TLS 1.2 has two round trips before the question, a resumed one has one (RFC 5246, 7.3); TLS 1.3 has
one in either case, and a resumed one leaves out the certificate and its signature (RFC 8446, 2.2).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from ...links import faulty_link
from ..running import Steps, run
from .ends import PATIENCE, tls_contexts

if TYPE_CHECKING:
    from ...measure.plots import Picture

__all__ = ["Flight", "Handshake", "Handshakes", "draw_handshakes", "handshakes", "handshakes_steps"]

VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}
LATENCY = 0.02  # seconds, one way: a neighbouring country, and far above what a loopback and Python take
_READ = 65536  # bytes


class Flight(NamedTuple):
    """What one end said before it listened again: bytes, and seconds since the client began."""

    who: str  #: "client" or "server"
    size: int
    sent: float
    arrived: float
    secure: bool  #: the sender's handshake was done: these bytes are its last word of it, or data


@dataclass(frozen=True, repr=False)
class Handshake:
    """One connection: its flights in the order of sending, when the client was done, and when it was answered."""

    version: str
    resumed: bool
    flights: tuple[Flight, ...]
    done: float  #: seconds until the client's handshake was done
    answered: float  #: seconds until the answer to its question was there

    @property
    def waits(self) -> int:
        """How often the client had to wait for the server before it could ask: round trips."""
        return sum(flight.who == "server" and flight.arrived <= self.done for flight in self.flights)

    @property
    def certificate_bytes(self) -> int:
        """Bytes of the server until the client was done: its certificate is among them, where it sends one."""
        return sum(flight.size for flight in self.flights if flight.who == "server" and flight.arrived <= self.done)

    @property
    def name(self) -> str:
        return f"{self.version}, {'resumed' if self.resumed else 'full'}"

    def __repr__(self) -> str:
        trips = f"{self.waits} round trip{'s' * (self.waits != 1)}"
        return f"<{self.name}: {trips} before the question>"


@dataclass(frozen=True, repr=False)
class Handshakes:
    """Up to four of them, in the order TLS 1.2 full, resumed, TLS 1.3 full, resumed; `latency` in seconds, one way."""

    latency: float
    each: tuple[Handshake, ...] = ()

    def __repr__(self) -> str:
        return f"<Handshakes: {'; '.join(f'{one.name} {one.waits}' for one in self.each) or 'none yet'}>"


def handshakes(latency: float = LATENCY) -> Handshakes:
    """Measure the four of them, through a link of `latency` seconds one way; takes about 20 latencies.

    Raises ValueError for a latency below 0 or above 0.2 s.
    """
    return run(handshakes_steps(latency), "handshakes")


def handshakes_steps(latency: float = LATENCY) -> Steps[Handshakes]:
    """`handshakes`, one handshake a step. Raises what it raises at once."""
    if not 0 <= latency <= 0.2:
        raise ValueError(f"latency wanted 0 to 0.2 seconds, but got {latency!r}")
    return _measure(latency)


def _measure(latency: float) -> Generator[tuple[float | None, Handshakes], None, None]:
    found: tuple[Handshake, ...] = ()
    for version in VERSIONS:
        client, server = tls_contexts()
        client.maximum_version = VERSIONS[version]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE)
            session = None
            with faulty_link(listener.getsockname(), latency=latency) as link:
                for _ in ("full", "resumed"):
                    handshake, session = _connect(version, client, server, session, listener, link.address)
                    found = (*found, handshake)
                    yield len(found) / 4, Handshakes(latency, found)


def _connect(
    version: str,
    client_context: ssl.SSLContext,
    server_context: ssl.SSLContext,
    session: ssl.SSLSession | None,
    listener: socket.socket,
    address: Any,
) -> tuple[Handshake, ssl.SSLSession | None]:
    with ExitStack() as stack:
        here = socket.create_connection(address, PATIENCE)
        stack.callback(here.close)
        there = stack.enter_context(listener.accept()[0])
        there.settimeout(PATIENCE)
        pool = stack.enter_context(ThreadPoolExecutor(1))
        stack.enter_context(here)  # closed before the thread is waited for
        began = perf_counter()
        server = _End(there, server_context, began)
        job = pool.submit(server.answer)
        client = _End(here, client_context, began, session)
        client.ask()
        job.result()
    flights = _in_order([*_flights("client", client, server), *_flights("server", server, client)])
    resumed = bool(client.tls.session_reused)
    return Handshake(version, resumed, flights, client.done, client.answered), client.tls.session


class _End:
    """One end: its TLS, and what it noted: (seconds, bytes, whether its handshake was done)."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        began: float,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self.sock, self.began = sock, began
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        is_server = context.protocol == ssl.PROTOCOL_TLS_SERVER
        name = None if is_server else "localhost"
        self.tls = context.wrap_bio(self.incoming, self.outgoing, is_server, name, session)
        self.sent: list[tuple[float, int, bool]] = []
        self.got: list[tuple[float, int]] = []
        self.done = self.answered = 0.0

    def ask(self) -> None:
        self._through(self.tls.do_handshake)
        self.done = self._now()
        self.tls.write(b"?")
        self._through(self.tls.read, 1)
        self.answered = self._now()

    def answer(self) -> None:
        self._through(self.tls.do_handshake)
        self.done = self._now()
        self._flush()
        self._through(self.tls.read, 1)
        self.tls.write(b"!")
        self._flush()

    def _through(self, step: Any, *arguments: Any) -> None:
        """`step`, as often as it takes: it says when it wants more from the other end."""
        while True:
            try:
                step(*arguments)
                return
            except ssl.SSLWantReadError:
                self._flush()
            piece = self.sock.recv(_READ)
            if not piece:
                raise ConnectionError("the other end has gone, in the middle of a handshake")
            self.got.append((self._now(), len(piece)))
            self.incoming.write(piece)

    def _flush(self) -> None:
        if piece := self.outgoing.read():
            self.sent.append((self._now(), len(piece), bool(self.done)))
            self.sock.sendall(piece)

    def _now(self) -> float:
        return perf_counter() - self.began


def _in_order(pieces: list[Flight]) -> tuple[Flight, ...]:
    """By when they were sent; what an end sent without having listened in between is one."""
    found: list[Flight] = []
    for piece in sorted(pieces, key=lambda piece: piece.sent):
        if found and found[-1].who == piece.who:
            first = found.pop()
            piece = Flight(
                piece.who, first.size + piece.size, first.sent, max(first.arrived, piece.arrived), first.secure
            )
        found.append(piece)
    return tuple(found)


def _flights(who: str, sender: _End, receiver: _End) -> list[Flight]:
    """What `sender` sent, and when the last byte of each piece was there."""
    found: list[Flight] = []
    taken, end, arrived = 0, 0, list(receiver.got)
    for sent, size, secure in sender.sent:
        end += size
        at = found[-1].arrived if found and taken >= end else sent
        while arrived and taken < end:
            at, count = arrived.pop(0)
            taken += count
        found.append(Flight(who, size, sent, max(at, sent), secure))
    return found


def draw_handshakes(result: Handshakes, *, title: str = "") -> Picture:
    """A ladder for each: the client's line on the left, the server's on the right, time from top to bottom.

    An arrow is a flight, with its bytes; the green line is where the client may ask, the dot where it has its answer.
    Raises ValueError where nothing has been measured.
    """
    from ...measure.plots import figure, style

    if not result.each:
        raise ValueError("draw_handshakes wanted a result with handshakes, but it has none")
    picture = figure(1, len(result.each), height=4.2, sharey=True)
    latest = max(one.answered for one in result.each) * 1e3
    with style():
        for ax, one in zip(picture.axes, result.each, strict=True):
            _ladder(ax, one, latest)
        picture.axes[0].set_ylabel("milliseconds since the client began")
        picture.axes[0].set_ylim(latest * 1.06, -latest * 0.04)
        picture.suptitle(title or _finding(result), x=0.01, ha="left", fontsize=11)
    return picture


def _ladder(ax: Any, one: Handshake, latest: float) -> None:
    colours = {"client": "#0072b2", "server": "#d55e00"}
    paper = {"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 1.0}
    for flight in one.flights:
        start, end = (0.0, 1.0) if flight.who == "client" else (1.0, 0.0)
        ax.annotate(
            "", (end, flight.arrived * 1e3), (start, flight.sent * 1e3),
            arrowprops={"arrowstyle": "-|>", "color": colours[flight.who], "shrinkA": 0, "shrinkB": 0, "lw": 1.3},
        )  # fmt: skip
        middle = (flight.sent + flight.arrived) / 2 * 1e3
        ax.text(0.5, middle, f"{flight.size:,} B", ha="center", va="center", fontsize=8, bbox=paper)
    ax.plot([0, 0], [one.done * 1e3, latest * 1.06], color="#009e73", linewidth=4, solid_capstyle="butt")
    ax.plot([0], [one.answered * 1e3], "o", color="#1c2127", markersize=6)
    for x in (0, 1):
        ax.axvline(x, color="#6b737c", linewidth=1, zorder=0)
    ax.set_xlim(-0.12, 1.12)
    ax.set_xticks([0, 1], ["client", "server"])
    ax.tick_params(axis="x", length=0)
    ax.grid(False, axis="x")
    ax.set_title(one.name, fontsize=10)


def _finding(result: Handshakes) -> str:
    full, resumed = result.each[0], result.each[-1]
    trips = f"{full.waits} round trip{'s' * (full.waits != 1)}"
    if full is resumed:
        return f"{full.name}: {trips} before the question"
    return f"{full.name}: {trips} before the question; {resumed.name}: {resumed.waits}, and no certificate"
