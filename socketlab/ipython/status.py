"""`%lab status`: a table of what a notebook has open, with the state and the queues that the kernel tells (`netstat`).

What it shows is the same on each run of a deterministic notebook: no port, no descriptor. Where nothing is compared
(neither `quiet` nor a run without a number, as nbval's are), the HTML form has the addresses as well.
"""

from __future__ import annotations

import socket
from _socket import socket as _Plain
from typing import Any

from ..measure.socket_table import SocketRow, netstat, place
from ..measure.tables import as_html, as_text
from .opened import SOCKET, counted, find, held, title
from .quiet import is_quiet
from .sockets import REGISTER, Origin

_HEAD = ("name", "what", "state", "recv-q", "send-q", "opened in")


class Status:
    """The table of `%lab status`."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        found = find(namespace)
        self._rows: list[tuple[str, ...]] = []
        self._places: list[tuple[str, str]] = []
        self._plain = is_quiet() or not REGISTER.counted
        table = {fd: row for row in netstat(all=True, time_wait=False) for fd in (row.fd, *row.twins) if fd is not None}
        names = _Names(namespace)
        listening = {}
        for server, theirs in found.servers.values():
            what, address = title(server), server.address
            listening[address[:2] if isinstance(address, tuple) else address] = what  # as netstat has addresses
            # Who waits at the door is a client too; how soon a thread lets them in should not show.
            rows = [table[fd] for sock in theirs if (fd := _Plain.fileno(sock)) in table]
            clients = len(getattr(server, "connections", ())) + sum(row.queue or 0 for row in rows)
            state = "listening" if not clients else f"listening, {counted(clients, 'client')}"
            self._add(names.of(server), what, state, None, _first_cell(theirs))
            self._places[-1] = (place(address), "")
        for panel, theirs in found.panels.values():
            state = f"holds {counted(len(theirs), 'socket')}"
            self._add(names.of(panel), title(panel), state, None, _first_cell(theirs))
        for sock in found.sockets:
            row = table.get(_Plain.fileno(sock))
            if row is None:  # closed meanwhile
                continue
            what = _kind(sock, row)
            if row.peer is not None and row.peer in listening:
                what += f" to {listening[row.peer]}"
            self._add(names.of(sock), what, row.state or "?", row, REGISTER.origin(sock))
            self._places[-1] = (place(row.local), place(row.peer))

    def _add(self, name: str, what: str, state: str, row: SocketRow | None, origin: Origin | None) -> None:
        where = str(origin) if origin is not None else "before %load_ext socketlab"
        self._rows.append((name, what, state, *_queues(row), where))
        self._places.append(("", ""))

    def __repr__(self) -> str:
        return as_text(_HEAD, self._rows, self._caption())

    def _repr_html_(self) -> str:
        if self._plain:
            return as_html(_HEAD, self._rows, self._caption())
        rows = [(*row[:3], *places, *row[3:]) for row, places in zip(self._rows, self._places, strict=True)]
        return as_html((*_HEAD[:3], "local", "peer", *_HEAD[3:]), rows, self._caption())

    def _caption(self) -> str:
        return "" if self._rows else "No socket is open in this notebook."


class _Names:
    """Variables of the notebook by what they hold, directly: ``client``, ``clients[0]`` is ``in clients``."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._names: dict[int, str] = {}
        for name, value in list(namespace.items()):
            if not name.startswith("_") and name not in ("In", "Out"):
                self._names.setdefault(id(value), name)
                for inner in held(value, "__main__", SOCKET):
                    self._names.setdefault(id(inner), f"in {name}")

    def of(self, thing: Any) -> str:
        return self._names.get(id(thing), "")


def _first_cell(sockets: list[socket.socket]) -> Origin | None:
    """Where the first of these was opened, which is where their server was started."""
    return next((o for sock in sockets if (o := REGISTER.origin(sock)) and o.cell is not None), None)


def _kind(sock: socket.socket, row: SocketRow) -> str:
    words = f"{row.family} {row.type}" if row.family == "Unix" else f"{row.type} over {row.family}"
    if type(sock).__module__ == "ssl":
        words = f"TLS, {words}"
    if row.state == "LISTEN":
        return f"{words}, listener"
    return words


def _queues(row: SocketRow | None) -> tuple[str, str]:
    if row is None:
        return "", ""
    if row.state == "LISTEN":
        return f"{_number(row.queue)} wait", f"of {_number(row.backlog)}"
    # Of these the kernel tells the memory that they take, which is another number on another machine.
    memory = {"UDP": (True, True), "stream": (False, True)}.get(row.type, (row.family == "Unix",) * 2)
    return _number(row.recv_q, memory[0]), _number(row.send_q, memory[1])


def _number(value: int | None, memory: bool = False) -> str:
    if memory and value:
        return "some"
    return "?" if value is None else f"{value:,}"
