"""A server that starts again: what its predecessor has left at the port, and what bind() and listen() say to it.

Linux compares a socket that binds with each one that has the port (inet_csk_bind_conflict in
net/ipv4/inet_connection_sock.c): with the listener, and with the server's ends of connections, open or in TIME_WAIT,
which have their listener's options. It refuses, unless both have SO_REUSEADDR and neither listens, or both have
SO_REUSEPORT and belong to one user (socket(7)). A client's end has a port of its own, and is in nobody's way.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Generator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import NamedTuple

from ..running import Steps, run
from . import wire
from .transitions import CLOSED, rfc

__all__ = ["ENDINGS", "OPTIONS", "Holder", "Rebind", "rebind", "rebind_steps"]

#: What has become of the old server, and how a person says it.
ENDINGS = {
    "server": "has closed its connection first",
    "client": "was closed by its client first",
    "reset": "had a client that broke off with a reset",
    "talking": "has closed its listener, and talks on",
    "living": "still listens",
}
OPTIONS = ("SO_REUSEADDR", "SO_REUSEPORT")
_PATIENCE = 2.0  # seconds for each call


class Holder(NamedTuple):
    """A socket of the old server, or its client's."""

    who: str  #: "listener", "server" (the server's end of the connection) or "client"
    state: str  #: the kernel's word; "" where the system does not tell
    at_port: bool  #: it has the port that the new server asks for


@dataclass(frozen=True, repr=False)
class Rebind:
    """One try: how the old server `ending`-ed, the options of `old` and `new`, who is left, and what was said.

    `call` is the call that failed, "bind" or "listen", and `said` its errno; both are "" where the new server listens.
    """

    ending: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    holders: tuple[Holder, ...]
    call: str = ""
    said: str = ""

    def sentence(self) -> str:
        """What is at the port, what was said to the new server, and why."""
        return f"{self._at_the_port()} {self._verdict()}"

    def _at_the_port(self) -> str:
        state = {holder.who: holder.state for holder in self.holders}
        if self.ending == "living":
            return "The old server listens at the port."
        if not any(state.values()):
            return "This system does not tell who is at the port."
        if state["server"] == "TIME_WAIT":
            return "The server's end of the old connection is at the port, in TIME-WAIT."
        if state["server"] != CLOSED:
            return "The server's end of an open connection is at the port."
        if state["client"] == "TIME_WAIT":
            return "Nobody is at the port: TIME-WAIT is at the client's end, which has a port of its own."
        return "Nobody is at the port: a reset leaves no TIME-WAIT."

    def _verdict(self) -> str:
        both = [option for option in OPTIONS if option in self.old and option in self.new]
        either = [option for option in OPTIONS if option in self.old or option in self.new]
        taken = self.ending == "living" or any(one.at_port and one.state not in ("", CLOSED) for one in self.holders)
        if not self.said:
            if not taken:
                return "So the new server needs no option."
            if "SO_REUSEPORT" in both:
                return "Both have SO_REUSEPORT: the new server shares the port with it."
            return "Both have SO_REUSEADDR, and nobody listens: the new server gets the port."
        refused = f"{self.call}() says {self.said}:"
        if not taken and any(one.state for one in self.holders):
            return f"{refused} another program has taken the port meanwhile."
        if self.ending == "living" and both:
            return f"{refused} SO_REUSEADDR is about what is left of a server, and this one lives."
        if not either:
            return f"{refused} neither of the two has an option."
        if not both:
            return f"{refused} an option counts where both have it, the old server and the new one."
        return f"{refused} {' and '.join(both)} on both sides did not help."

    def __repr__(self) -> str:
        options = [f"{side} with {' and '.join(names) or 'neither'}" for side, names in self._sides()]
        return f"<Rebind: the old server {ENDINGS[self.ending]}; {', '.join(options)}: {self.said or 'granted'}>"

    def _sides(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return ("old", self.old), ("new", self.new)


def rebind(ending: str = "server", *, old: Sequence[str] = (), new: Sequence[str] = ()) -> Rebind:
    """Run an old server with the options `old` at a port of 127.0.0.1, end it, and start a new one there with `new`.

    `ending` is one of `ENDINGS`; options are the names in `OPTIONS`. Ends in TIME_WAIT stay for a minute. Raises
    ValueError for anything else, and NotImplementedError for an option that this system does not have.
    """
    return run(rebind_steps(ending, old=old, new=new), "bind again")


def rebind_steps(ending: str = "server", *, old: Sequence[str] = (), new: Sequence[str] = ()) -> Steps[Rebind]:
    """`rebind`, in one step. Raises what it raises at once."""
    if ending not in ENDINGS:
        raise ValueError(f"ending wanted one of {', '.join(ENDINGS)}, but got {ending!r}")
    for side, names in (("old", old), ("new", new)):
        for name in names:
            if name not in OPTIONS:
                raise ValueError(f"{side} wanted names among {', '.join(OPTIONS)}, but got {name!r}")
            if not hasattr(socket, name):
                raise NotImplementedError(f"this system has no {name}")
    return _try(ending, tuple(old), tuple(new))


def _try(ending: str, old: tuple[str, ...], new: tuple[str, ...]) -> Generator[tuple[float | None, Rebind], None, None]:
    with ExitStack() as stack:
        listener = _listener(old, stack)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = stack.enter_context(socket.socket())
        client.settimeout(_PATIENCE)
        client.connect(listener.getsockname())
        server = stack.enter_context(listener.accept()[0])
        server.settimeout(_PATIENCE)
        ends = {"server": (server.getsockname(), client.getsockname())}
        ends["client"] = ends["server"][::-1]
        told = wire.in_the_table(socket.AF_INET, ends["client"]) is not None
        _end(ending, listener, client, server)
        holders = [Holder("listener", "LISTEN" if ending == "living" else CLOSED, True)]
        for who, pair in ends.items():
            entry = wire.in_the_table(socket.AF_INET, pair)
            holders.append(Holder(who, entry.state if entry else CLOSED if told else "", who == "server"))
        if not told:
            holders[0] = holders[0]._replace(state="")
        call, said = _start(ends["server"][0], new)
    yield 1.0, Rebind(ending, old, new, tuple(holders), call, said)


def _listener(options: tuple[str, ...], stack: ExitStack) -> socket.socket:
    sock = stack.enter_context(socket.socket())
    sock.settimeout(_PATIENCE)
    for name in options:
        sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), 1)
    return sock


def _end(ending: str, listener: socket.socket, client: socket.socket, server: socket.socket) -> None:
    if ending in ("server", "client"):
        first, second = (server, client) if ending == "server" else (client, server)
        first.close()
        second.recv(1)  # until the end has arrived: then this end is the second to close for certain
        second.close()
    elif ending == "reset":
        wire.abort(client)
        with suppress(ConnectionResetError):
            server.recv(1)
        server.close()
    if ending != "living":
        listener.close()


def _start(address: tuple[str, int], options: tuple[str, ...]) -> tuple[str, str]:
    """The call that failed and its errno, or two empty words."""
    with ExitStack() as stack:
        sock = _listener(options, stack)
        for call in ("bind", "listen"):
            try:
                sock.bind(address) if call == "bind" else sock.listen()
            except OSError as exc:
                return call, errno.errorcode.get(exc.errno or 0, str(exc.errno))
    return "", ""


def state_in_words(holder: Holder) -> str:
    """The state as RFC 9293 writes it."""
    return rfc(holder.state) if holder.state else "not told"
