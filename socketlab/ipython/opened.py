"""Which sockets, servers and panels a notebook has open.

Python's own objects are asked: the garbage collector knows them all. Left out is what is not the learner's:

* sockets of Jupyter and of event loops (`sockets` says how they are known). Those made before ``%load_ext socketlab``
  count as the learner's only if a variable holds them; whatever else is that old is Jupyter's;
* what a server, a link or a panel of socketlab made for itself is theirs, and a panel's servers are the panel's.
"""

from __future__ import annotations

import gc
import re
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
    """What is open: servers, panels that hold a socket, each with what it holds; the sockets that nobody else holds."""

    servers: dict[int, tuple[Any, list[socket.socket]]]  #: links as well
    panels: dict[int, tuple[Any, list[socket.socket]]]
    sockets: list[socket.socket]


def find(namespace: dict[str, Any]) -> Found:
    """Look through all objects of the process."""
    gc.collect()  # what nobody can reach any more is not open in anybody's eyes
    panel_class = _class("socketlab.panels.base", "Panel")
    server_classes = (Server, *_class("socketlab.links.link", "Link"))
    sockets: list[socket.socket] = []
    servers: list[Any] = []
    panels: list[Any] = []
    for thing in gc.get_objects():
        kind = type(thing)  # not isinstance: a proxy may raise anything
        if issubclass(kind, SOCKET) and _Plain.fileno(thing) >= 0:
            sockets.append(thing)
        elif issubclass(kind, server_classes) and not getattr(thing, "closed", True):
            servers.append(thing)
        elif panel_class and issubclass(kind, panel_class) and not getattr(thing, "closed", True):
            panels.append(thing)

    holding = ((panel, list(held(panel, "socketlab.", SOCKET))) for panel in panels)
    with_panels = {id(panel): (panel, theirs) for panel, theirs in holding if theirs}  # the others have nothing open
    theirs = {id(server) for panel in panels for server in held(panel, "socketlab.panels", server_classes)}
    with_servers = {
        id(server): (server, list(held(server, "socketlab.", SOCKET))) for server in servers if id(server) not in theirs
    }
    taken = {id(sock) for _, their in (*with_panels.values(), *with_servers.values()) for sock in their}
    reachable = {id(sock) for value in list(namespace.values()) for sock in held(value, "__main__", SOCKET)}
    own = [sock for sock in sockets if id(sock) not in taken and _is_the_learners(sock, reachable)]
    return Found(with_servers, with_panels, sorted(own, key=_order))


def _is_the_learners(sock: socket.socket, reachable: set[int]) -> bool:
    origin = REGISTER.origin(sock)
    return id(sock) in reachable if origin is None else not (origin.foreign or origin.helper)


def _class(module: str, name: str) -> tuple[type, ...]:
    """That class, if its module has been imported: otherwise there are no instances."""
    return (getattr(sys.modules[module], name),) if module in sys.modules else ()


def _order(sock: socket.socket) -> tuple[Any, ...]:
    """By cell and line, then as they were made. (Descriptors are given to whichever thread asks first.)"""
    origin = REGISTER.origin(sock) or Origin()
    return origin.cell is None, origin.cell or 0, origin.line, origin.order, _Plain.fileno(sock)


def held(owner: Any, package: str, kind: type | tuple[type, ...]) -> Iterator[Any]:
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
    """What it is called: ``tcp_server echo``, ``faulty_link: latency 0.2``, ``Server panel``."""
    return re.sub(r"[,;] (listening|closed)$", "", repr(thing).strip("<>")).rstrip(": ")


def counted(number: int, word: str) -> str:
    """``1 socket``, ``2 sockets``."""
    return f"{number} {word}{'' if number == 1 else 's'}"
