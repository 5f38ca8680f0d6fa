"""netstat(): the sockets of this process, as the kernel has them: state, queues, both addresses, descriptor.

Which sockets are this process's stand in /proc/self/fd, each with its inode; what they are, in the kernel's table,
found by that inode (kernel_table.py). That asks nothing of the sockets themselves, so it can be done while other
threads use them, and gives the numbers that `ss` gives. Two differences are meant: a waiting FIN counts as no byte of
recv_q (`ss` counts 1), and a socket that was neither bound nor connected is shown (it is not in the table).

A connection may outlive its descriptor: TIME_WAIT, FIN_WAIT2 and their like, and connections that wait for `accept`.
The kernel ties them to no process. They are shown when one of their two ports is one on which this process listens,
or when an earlier `netstat()` saw the same pair of addresses with a descriptor of this process.

Where there is no such table (macOS, Windows) psutil tells the sockets and their states; the queues are None then.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal, TypeAlias

from .foreign import jupyter_places, self_pipes
from .kernel_table import STATES
from .socket_rows import Address, SocketRow, from_linux, from_psutil, inet_row
from .tables import as_html, as_text

__all__ = ["SocketRow", "Sockets", "netstat"]

Pair: TypeAlias = tuple[Address | None, Address | None]

_HEAD = ("fd", "family", "type", "state", "recv-q", "send-q", "local", "peer")
_REMEMBERED = 4096  # pairs of addresses of this process's connections


class Sockets(tuple[SocketRow, ...]):
    """The rows, in order of descriptor; shows itself as a table. Ports and descriptors differ from run to run."""

    hidden: int = 0  #: rows of Jupyter and of event loops that were left out

    def counts(self) -> dict[str, int]:
        """How many sockets are in each state, in the order in which a connection passes them: the same on each run."""
        order = [*dict.fromkeys(STATES[1:]), "UNCONNECTED", None]
        found = {state: sum(row.state == state for row in self) for state in order}
        return {state or "unknown": number for state, number in found.items() if number}

    def _words(self) -> list[tuple[str, ...]]:
        return [
            (
                ", ".join(map(str, (row.fd, *row.twins))) if row.fd is not None else "-",
                row.family,
                row.type,
                row.state or "?",
                f"queue {_number(row.queue)}" if row.state == "LISTEN" else _number(row.recv_q),
                f"of {_number(row.backlog)}" if row.state == "LISTEN" else _number(row.send_q),
                place(row.local),
                place(row.peer) + (f" (fd {row.peer_fd})" if row.peer_fd is not None else ""),
            )
            for row in self
        ]

    def _caption(self) -> str:
        words = "" if self else "this process has no sockets"
        if self.hidden:
            words += f"{words and '; '}{self.hidden} of Jupyter and event loops not shown: netstat(all=True)"
        return words

    def __repr__(self) -> str:
        return as_text(_HEAD, self._words(), self._caption())

    def _repr_html_(self) -> str:
        return as_html(_HEAD, self._words(), self._caption())


def netstat(*, all: bool = False, time_wait: bool | Literal["all"] = True) -> Sockets:
    """The sockets of this process now. TCP, UDP and Unix, and whatever else has a descriptor.

    `all` shows Jupyter's own as well and those of event loops (foreign.py says how they are told apart).
    `time_wait` is about connections without a descriptor: those that are known as this process's, none, or with "all"
    those of the whole machine. Several threads may call it at once. Raises psutil.Error where another system refuses.
    """
    if time_wait not in (True, False, "all"):
        raise ValueError(f"time_wait must be True, False or 'all', not {time_wait!r}")
    if sys.platform == "linux" and os.path.isdir("/proc/self/fd"):
        mine, loose = from_linux()
    else:
        mine, loose = list(from_psutil()), []
    foreign = set() if all else _foreign(mine)
    shown = [row for row in mine if row not in foreign]
    ports, pairs = {_port(row.local) for row in shown if row.state == "LISTEN"}, _remember(shown)
    if time_wait != "all":
        loose = [
            entry
            for entry in loose
            if entry.local[1] in ports
            or entry.peer[1] in ports
            or (entry.local, entry.peer) in pairs
            or (entry.peer, entry.local) in pairs
        ]
    shown += [inet_row(entry, []) for entry in loose if time_wait]
    result = Sockets(sorted(_with_peers(shown), key=lambda row: (row.fd is None, row.fd or 0, str(row.local))))
    result.hidden = len(foreign)
    return result


def place(address: Address | None) -> str:
    """An address for reading: 127.0.0.1:8080, [::1]:8080, a path, @name for an abstract one, "" for none."""
    if isinstance(address, tuple) and isinstance(address[0], str):
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(address, bytes):
        return "@" + os.fsdecode(address[1:])
    return str(address or "")


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _port(address: Address | None) -> object:
    return address[1] if isinstance(address, tuple) and len(address) > 1 else None


# -- which of them ---------------------------------------------------------------------------------------------------


_pairs: dict[Pair, None] = {}
_lock = threading.Lock()


def _remember(rows: Iterable[SocketRow]) -> set[Pair]:
    """The pairs of addresses that connections of this process have now or had at an earlier call."""
    with _lock:
        for row in rows:
            if row.type == "TCP" and row.peer is not None:
                _pairs.pop((row.local, row.peer), None)  # to the end of the row
                _pairs[row.local, row.peer] = None
        while len(_pairs) > _REMEMBERED:
            del _pairs[next(iter(_pairs))]
        return set(_pairs)


def _foreign(rows: list[SocketRow]) -> set[SocketRow]:
    ports, paths = jupyter_places()
    found = {row for row in rows if {_port(row.local), _port(row.peer)} & ports or {row.local, row.peer} & paths}
    # Looking for event loops takes 10 ms and more, so only where something could be a self-pipe (on Windows a TCP one).
    maybe = [row for row in rows if row.fd is not None and (row.local == "" if sys.platform != "win32" else True)]
    if maybe:
        pipes = self_pipes()
        found |= {row for row in maybe if row.fd in pipes}
    return found


def _with_peers(rows: list[SocketRow]) -> Iterator[SocketRow]:
    """TCP's other ends are found here by their addresses; Unix sockets come with theirs."""
    ends = {(_plain(row.local), _plain(row.peer)): row.fd for row in rows if row.type == "TCP" and row.peer}
    for row in rows:
        other = ends.get((_plain(row.peer), _plain(row.local))) if row.type == "TCP" and row.peer else None
        yield row if other is None else replace(row, peer_fd=other)


def _plain(address: Address | None) -> object:
    """An IPv4 client of a dual-stack listener is ::ffff:127.0.0.1 there and 127.0.0.1 at its own end."""
    return (str(address[0]).removeprefix("::ffff:"), address[1]) if isinstance(address, tuple) else address
