"""Which sockets, servers and panels a notebook has open.

Python's own objects are asked: the garbage collector knows them all. Left out is what is not the learner's:

* sockets of Jupyter and of event loops (`sockets` says how they are known). Those made before ``%load_ext socketlab``
  count as the learner's only if a variable holds them; whatever else is that old is Jupyter's;
* what a server of socketlab holds belongs to that server, and what a panel holds, servers included, to the panel.
"""

from __future__ import annotations

import gc
import socket
import sys
from _socket import socket as _Plain  # its methods are never replaced, whatever trace is open
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..servers.life import Server
from .sockets import REGISTER, Origin

SOCKET = socket.socket  # the class itself: a learner may put something else in its place
_MOST_HELD = 100_000  # objects looked through to find the sockets in one variable, server or panel


class Found(NamedTuple):
    """What is open: servers and panels with what they hold, and the sockets that nobody else holds."""

    servers: dict[int, tuple[Server, list[socket.socket]]]
    panels: dict[int, tuple[Any, list[socket.socket]]]
    sockets: list[socket.socket]


def find(namespace: dict[str, Any]) -> Found:
    """Look through all objects of the process."""
    gc.collect()  # what nobody can reach any more is not open in anybody's eyes
    base = sys.modules.get("socketlab.panels.base")
    panel_class = base.Panel if base is not None else ()
    sockets: list[socket.socket] = []
    servers: list[Server] = []
    panels: list[Any] = []
    for thing in gc.get_objects():
        kind = type(thing)  # not isinstance: a proxy may raise anything
        if issubclass(kind, SOCKET) and _Plain.fileno(thing) >= 0:
            sockets.append(thing)
        elif issubclass(kind, Server) and not thing.closed:
            servers.append(thing)
        elif panel_class and issubclass(kind, panel_class) and not getattr(thing, "closed", True):
            panels.append(thing)

    with_panels = {id(panel): (panel, list(held(panel, "socketlab.", SOCKET))) for panel in panels}
    theirs = {id(server) for panel in panels for server in held(panel, "socketlab.panels", Server)}
    with_servers = {
        id(server): (server, list(held(server, "socketlab.servers", SOCKET)))
        for server in servers
        if id(server) not in theirs
    }
    taken = {id(sock) for _, their in (*with_panels.values(), *with_servers.values()) for sock in their}
    reachable = {id(sock) for value in list(namespace.values()) for sock in held(value, "__main__", SOCKET)}
    own = [sock for sock in sockets if id(sock) not in taken and _is_the_learners(sock, reachable)]
    return Found(with_servers, with_panels, sorted(own, key=_order))


def _is_the_learners(sock: socket.socket, reachable: set[int]) -> bool:
    origin = REGISTER.origin(sock)
    return not origin.foreign if origin is not None else id(sock) in reachable


def _order(sock: socket.socket) -> tuple[Any, ...]:
    """By cell and line, then as they were made. (Descriptors are given to whichever thread asks first.)"""
    origin = REGISTER.origin(sock) or Origin()
    return origin.cell is None, origin.cell or 0, origin.line, origin.order, _Plain.fileno(sock)


def held(owner: Any, package: str, kind: type) -> Iterator[Any]:
    """The instances of `kind` that `owner` is or holds: in containers, and in objects whose class is of `package`.

    Not in other objects: an event loop held by a variable holds Jupyter's own sockets.
    """
    seen: set[int] = set()
    left = [owner]
    while left and len(seen) < _MOST_HELD:
        thing = left.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        mine = type(thing).__module__
        if issubclass(type(thing), kind):
            yield thing
        elif type(thing) is dict:
            left += [*thing.values(), *thing]
        elif type(thing) in (list, tuple, set, frozenset):
            left += thing
        elif isinstance(mine, str) and mine.startswith(package):
            left += getattr(thing, "__dict__", {}).values()


def title(thing: Any) -> str:
    """What a server or a panel is called: ``tcp_server echo``, ``Server panel``."""
    return repr(thing).strip("<>").partition(",")[0]


def counted(number: int, word: str) -> str:
    """``1 socket``, ``2 sockets``."""
    return f"{number} {word}{'' if number == 1 else 's'}"
