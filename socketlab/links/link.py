"""`faulty_link`: trouble on the wire between a client and a server, with an address of its own and a server's life."""

from __future__ import annotations

import os
import socket
import weakref
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TypeVar

from ..interrupts import Uninterrupted
from ..servers.datagram import DatagramServer
from ..servers.life import Server
from ..servers.loopback import HOME, internet_address, unix_path
from ..servers.stream import BACKLOG
from .datagram import DatagramRelay, DatagramStats
from .faults import BothWays, DatagramFaults, Faults, StreamFaults
from .pair import Connection
from .relay import Relay
from .stream import StreamRelay, StreamStats

AnyLink = TypeVar("AnyLink", bound="Link")

# What the kernel keeps for a link's datagram socket; net.core.rmem_max caps it (212,992 bytes by default, socket(7)).
_ROOM = 1 << 20


class Link(BothWays):
    """A link with faults, running in one background thread; made by `faulty_link`.

    `up` are the faults of what clients send, `down` of what they receive. Any of them can be set at any time, and
    counts at once, also for what is under way: ``link.down.latency = 0.2``. ``link.latency = 0.2`` sets both
    directions; reading it gives the value, or the pair (up, down) where the two differ.

    Use it in a ``with`` statement, or call `close` when done; a link that is forgotten closes itself, when the
    garbage collector finds it or when the interpreter exits.
    """

    def __init__(self, relay: Relay, up: Faults, down: Faults) -> None:
        self._relay = relay
        self._address: Any = relay.listener.getsockname()
        self._family = socket.AddressFamily(relay.listener.family)
        self.up, self.down = up, down
        # First the promise to clean up, then the thread: an interrupt in between finds everything in order.
        self._forgotten = weakref.finalize(self, relay.dismiss)
        relay.start()

    @property
    def address(self) -> Any:
        """Where clients connect, or send to, instead of the server's own address."""
        return self._address

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET, AF_INET6 or AF_UNIX."""
        return self._family

    @property
    def accepted(self) -> int:
        """How many connections, or different clients of datagrams, there have been so far."""
        return self._relay.accepted

    @property
    def errors(self) -> tuple[BaseException, ...]:
        """What went wrong that nobody asked for, oldest first: a target that is not there, peers that vanished."""
        return tuple(self._relay.errors)

    @property
    def closed(self) -> bool:
        """True once `close` has begun."""
        return self._relay.closing

    def close(self) -> None:
        """End every connection, wake the thread and join it; when it returns nothing is left. Idempotent.

        What still waits is counted as discarded in `stats`, and whoever would have received it is reset, because an
        ordinary end would say that nothing is missing.
        """
        self._relay.close()
        self._forgotten.detach()

    def __enter__(self: AnyLink) -> AnyLink:
        if self.closed:
            raise RuntimeError("this link is closed and cannot be opened again: make another faulty_link(...)")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        # Without port and address: they differ from run to run, and a notebook's outputs are compared.
        up, down = repr(self.up)[1:-1], repr(self.down)[1:-1]
        what = up if up == down else f"up {up}; down {down}"
        return f"<faulty_link: {what}; {'closed' if self.closed else 'listening'}>"


class StreamLink(Link):
    """A `Link` for connections."""

    up: StreamFaults
    down: StreamFaults
    _relay: StreamRelay

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections that are alive, in the order of acceptance, each with `up` and `down` of its own."""
        found: tuple[Connection, ...] = self._relay.look_inside(self._relay.connections)
        return found

    @property
    def stats(self) -> StreamStats:
        """How many connections and bytes so far, as of now."""
        found: StreamStats = self._relay.look_inside(self._relay.stats)
        return found


class DatagramLink(Link):
    """A `Link` for datagrams."""

    up: DatagramFaults
    down: DatagramFaults
    _relay: DatagramRelay

    @property
    def stats(self) -> DatagramStats:
        """How many clients and datagrams so far, as of now."""
        found: DatagramStats = self._relay.look_inside(self._relay.stats)
        return found


def faulty_link(
    target: Any,
    *,
    up: Mapping[str, Any] | None = None,
    down: Mapping[str, Any] | None = None,
    seed: int = 0,
    datagrams: bool | None = None,
    **faults: Any,
) -> Any:
    """Put a link in front of a server; it is listening when this returns. A `StreamLink` or a `DatagramLink`.

    `target` is a server of this package, another link, or the address of a server on loopback: (host, port), or a
    path. A bare (host, port) is taken for a stream server's unless `datagrams` is True. Whoever connects, or sends, to
    ``link.address`` talks to the target, as well as the faults allow. They are given as keywords, for both directions
    or in `up` (client to server) or `down`, and may be changed later, as attributes:

    for connections   latency, jitter, slice_delay, slow_close, timeout, reset_peer (seconds), bandwidth (bytes per
                      second), slice_size, slice_variation, limit_data (bytes); see `StreamFaults`
    for datagrams     loss, duplication, reordering, corruption (probabilities), latency, jitter (seconds); see
                      `DatagramFaults`

    A latency is one direction's: ``latency=0.1`` makes a round trip 0.2 s longer. The same `seed` and the same traffic
    give the same faults. ``faulty_link(server, **satellite)`` uses a ready-made link of `socketlab.links.presets`.

    A client is let in before the target has been asked: where that one is not there, the client is reset, during
    connect() or soon afterwards, and the error stands in ``link.errors``. Between the two the link holds a megabyte at
    most in either direction; then senders have to wait, as for a slow reader.

    Raises ValueError for a fault out of range and for a target that is not on loopback, TypeError for a fault that
    does not exist or a target that is no address, OSError where the machine lacks sockets.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed must be an int, not {type(seed).__name__} {seed!r}")
    family, address, of_datagrams = _aim(target, datagrams)
    kind = DatagramFaults if of_datagrams else StreamFaults
    both: list[Faults] = []
    for name, own in (("up", up), ("down", down)):
        if own is not None and not isinstance(own, Mapping):
            raise TypeError(f"{name} must be a dict of faults, such as {name}={{'latency': 0.2}}, not {own!r}")
        both.append(_checked(kind, {**faults, **(own or {})}, of_datagrams))
    relay_of: Any = DatagramRelay if of_datagrams else StreamRelay
    with Uninterrupted():  # between a socket and whoever will close it
        listener, clean_up = _open(family, of_datagrams)
        try:
            relay = relay_of(listener, address, seed, *both)
        except BaseException:
            listener.close()
            clean_up()
            raise
        relay.clean_up = clean_up
        for one in both:
            one.heard_by(relay.call)
        return (DatagramLink if of_datagrams else StreamLink)(relay, *both)


def _aim(target: Any, datagrams: bool | None) -> tuple[socket.AddressFamily, Any, bool]:
    """Family and address of the target, and whether it takes datagrams."""
    known: bool | None = None
    if isinstance(target, (Server, Link)):
        known = isinstance(target, (DatagramServer, DatagramLink))
        target = target.address
    if known is not None and datagrams is not None and known != bool(datagrams):
        wants = "datagrams" if known else "connections"
        raise ValueError(f"this target takes {wants}, but datagrams={datagrams!r} was given: leave that out")
    chosen = bool(known if known is not None else datagrams)
    if isinstance(target, (str, bytes, os.PathLike)) and hasattr(socket, "AF_UNIX"):
        if chosen:
            raise ValueError("a link for datagrams needs a UDP server: an address (host, port)")
        return socket.AF_UNIX, unix_path(target), False
    if not isinstance(target, tuple) or not 2 <= len(target) <= 4:
        raise TypeError(
            "the target of a link is a server, or the address of one, such as server.address or ('127.0.0.1', 8000), "
            f"not {type(target).__name__} {target!r}"
        )
    family, host, port = internet_address(target[0], target[1], None)
    if port == 0:
        raise ValueError("port 0 is nobody's: give the port at which the target listens, as in server.address")
    return family, (host, port), chosen


def _checked(kind: type[Faults], wanted: dict[str, Any], datagrams: bool) -> Faults:
    faults = kind()
    for name in wanted:
        if name not in kind.CHECKS:
            what = "datagrams" if datagrams else "connections"
            raise TypeError(f"a link for {what} has no fault {name!r}; there are: {', '.join(kind.CHECKS)}")
    faults.set(**wanted)
    return faults


def _open(family: socket.AddressFamily, datagrams: bool) -> tuple[socket.socket, Any]:
    """A bound socket, listening where there are connections, and what is to be done when it has been closed."""
    if family not in HOME:
        return _open_path()
    sock = socket.socket(family, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
    try:
        if datagrams:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        sock.bind((HOME[family], 0))
        if not datagrams:
            sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock, _nothing


def _open_path() -> tuple[socket.socket, Any]:
    import shutil
    import tempfile

    directory = tempfile.mkdtemp(prefix="socketlab-")

    def clean_up() -> None:
        shutil.rmtree(directory, ignore_errors=True)

    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(os.path.join(directory, "link"))
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            raise
    except BaseException:
        clean_up()
        raise
    return sock, clean_up


def _nothing() -> None:
    pass
