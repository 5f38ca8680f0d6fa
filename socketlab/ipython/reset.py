"""`%lab reset`: an end to every socket and server of a notebook. Jupyter's own are never touched.

A panel's are left alone too: its buttons are on the page, and it ends its servers by itself. Variables stay as they
are, bound to sockets that are closed.
"""

from __future__ import annotations

import functools
import gc
import socket
import sys
from _socket import socket as _Plain
from contextlib import suppress
from typing import Any

from ..servers.door import close
from ..servers.life import Server
from .opened import counted, find, title


def reset(namespace: dict[str, Any]) -> str:
    """Close the notebook's sockets, stop its servers, and say how many they were. May be repeated.

    What a server has to report (its `ServerError`) is in the sentence, and not raised: the others go on being closed.
    """
    found = find(namespace)
    _take_from_event_loops(found.sockets)
    for sock in found.sockets:
        _end(sock)
    troubles = []
    # Links first: a server that ends while its link is up would be an error of the link's target.
    for server, _ in sorted(found.servers.values(), key=lambda pair: isinstance(pair[0], Server)):
        try:
            server.close()
        except Exception as error:  # ServerError; the next server has to be closed as well
            troubles.append(f"{title(server)}: {error}")
    links = sum(not isinstance(server, Server) for server, _ in found.servers.values())
    numbers = {"server": len(found.servers) - links, "link": links, "socket": len(found.sockets)}
    parts = [counted(number, word) for word, number in numbers.items() if number]
    listed = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)
    words = f"Closed {listed}." if parts else "Nothing was open."
    panels = len(found.panels)
    if panels:
        words += f" {counted(panels, 'panel')} left alone: run the panel's cell again, or call its close()."
    return "\n".join([words, *troubles])


def _end(sock: socket.socket) -> None:
    """Wake whoever is blocked in it, then close it for good, files made of it included."""
    try:
        _Plain.shutdown(sock, socket.SHUT_RDWR)  # as no trace would record it
    except OSError:  # not connected
        pass
    close(sock)


def _take_from_event_loops(sockets: list[socket.socket]) -> None:
    """Let asyncio forget what is going to be closed.

    A loop that still watches a closed descriptor would take the next socket of that number for this one; and the
    notebook's own loop is one of them.
    """
    events, loops = sys.modules.get("asyncio.base_events"), sys.modules.get("asyncio.selector_events")
    if events is None or loops is None:
        return
    import asyncio

    everything = gc.get_objects()
    numbers = {sock.fileno() for sock in sockets}
    running = asyncio._get_running_loop()
    for thing in everything:
        loop: Any
        if issubclass(type(thing), events.Server):
            loop = thing.get_loop()
            if numbers.isdisjoint(sock.fileno() for sock in thing.sockets):
                continue
            leave = thing.close
        elif issubclass(type(thing), loops.BaseSelectorEventLoop) and not thing.is_closed():
            loop = thing
            leave = functools.partial(_forget, loop, numbers)
        else:
            continue
        with suppress(Exception):  # a loop of another kind, or one that is ending
            if loop is running or not loop.is_running():
                leave()
            else:
                loop.call_soon_threadsafe(leave)


def _forget(loop: Any, numbers: set[int]) -> None:
    for number in numbers:
        transport = loop._transports.get(number)
        if transport is not None:
            transport.abort()
        loop._remove_reader(number)
        loop._remove_writer(number)
