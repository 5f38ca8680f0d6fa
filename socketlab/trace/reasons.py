"""Why a blocked call does not return: what the kernel knows about its socket, in the words of somebody who learns.

What cannot be found out is left out of the sentence. Nothing is changed by looking (`twins`).
"""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from .system_call import IN, system_call
from .twins import (
    FIONREAD,
    SIOCOUTQ,
    UNIX,
    all_sockets,
    backlog_of,
    bytes_received,
    name_of,
    peer_of,
    queued,
    twin,
    wanted_address,
)


def accepting(fd: int) -> str:
    """accept(): nobody has come."""
    with twin(fd) as sock:
        if sock is None:
            return "nobody has connected yet"
        own = sock.getsockname()
        before = any(name_of(other) == own and peer_of(other) is not None for _, other in all_sockets())
        return f"nobody{' else' if before else ''} has connected to {place(own)} yet"


def connecting(fd: int, address: bytes) -> str:
    """connect(): nobody lets it in. `address` is what it was given, as bytes, where that is known."""
    with twin(fd) as sock:
        where = wanted_address(sock, fd, address) if sock is not None else None
        if where is None:
            return "nobody answers there"
        if sock.family == UNIX:  # such a connect() waits for nothing else (unix(7))
            return f"the queue of the listener at {place(where)} is full, and nobody calls accept()"
        for _, listener in all_sockets():
            waiting, limit = backlog_of(listener)
            own = name_of(listener) if limit is not None else None
            if own and own[1] == where[1] and own[0] in (where[0], "0.0.0.0", "::") and waiting >= limit:
                wait = "1 connection waits" if waiting == 1 else f"{waiting} connections wait"
                return f"the queue of the listener at {place(where)} is full: {wait} there, and nobody calls accept()"
        return f"{place(where)} does not answer: its listener's queue is full, or what is sent there gets lost"


def receiving(fd: int) -> str:
    """recv() and its kin: nothing has come."""
    with twin(fd) as sock:
        if sock is None:
            return "nothing has come yet"
        if sock.type == socket.SOCK_DGRAM:
            return _no_datagram(sock)
        came = bytes_received(sock)
        if came:
            words = f"the peer has sent nothing more after {_bytes(came)}, and has not closed"
        elif came == 0:
            words = "the peer has sent nothing yet, and has not closed"
        else:
            words = "the peer sends nothing, and has not closed"
        return words + _other_side(sock)


def sending(fd: int) -> str:
    """send() and its kin: there is no room."""
    with twin(fd) as sock:
        if sock is None:
            return "the peer does not read"
        if sock.type == socket.SOCK_DGRAM:
            return "the receiver does not read: its queue is full"
        here = queued(fd, SIOCOUTQ) or 0
        if sock.family == UNIX:  # what was sent stands in the peer's queue, and is counted on this side until read
            return f"the peer does not read: {_bytes(here)} wait for it" + _other_side(sock)
        at_peer = 0
        for number, other in all_sockets():
            if name_of(other) == peer_of(sock) and peer_of(other) == name_of(sock):
                at_peer = queued(number, FIONREAD) or 0
        if at_peer:
            words = f"the peer does not read: {_bytes(at_peer)} wait in its receive buffer and {_bytes(here)} here"
        else:
            words = f"the peer does not read: its receive buffer is full, and {_bytes(here)} wait here"
        return words + _other_side(sock)


def shaking_hands(fd: int) -> str:
    """do_handshake(): the other side does not answer."""
    with twin(fd) as sock:
        came = None if sock is None else bytes_received(sock)
        if came == 0:
            return "the peer has not answered the TLS handshake; does it speak TLS?"
        return "the peer has begun the TLS handshake and does not go on"


def selecting(watched: tuple[tuple[int, str], ...]) -> str:
    """select(), poll() and their kin: nothing is ready. `watched` as in `SystemCall`."""
    found = []
    for fd, direction in watched:
        with twin(fd) as sock:
            if sock is not None:
                found.append(f"{place(name_of(sock))} {'to be readable' if direction == IN else 'to be writable'}")
    if not found:
        return "nothing that it watches is ready"
    count = "its one socket is not" if len(found) == 1 else f"none of its {len(found)} sockets is"
    listed = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
    return f"{count} ready (it waits for {listed})"


def place(address: Any) -> str:
    """An address as people write it: ``127.0.0.1:8080``, ``[::1]:8080``, a path, ``@name`` for an abstract one.

    A name of a Unix socket may hold any byte: what is not printable is written as Python writes it.
    """
    if isinstance(address, tuple) and len(address) > 1:
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    text = os.fsdecode(address) if isinstance(address, bytes) else str(address)
    text = f"@{text[1:]}" if text[:1] == "\0" else text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text) or "a socket without a name"


def _other_side(sock: Any) -> str:
    """Who has the other end, where that is this process: the deadlocks that everybody writes once."""
    own, peer = name_of(sock), peer_of(sock)
    if not own or not peer or sock.type == socket.SOCK_DGRAM:
        return ""
    for fd, other in all_sockets():
        if name_of(other) == peer and peer_of(other) == own:
            for thread in threading.enumerate():
                call = system_call(thread.native_id)
                if call is not None and call.watched and fd in [number for number, _ in call.watched]:
                    does = "reads from" if call.watched[0][1] == IN else "writes to"
                    return f". The other end is in this notebook: thread {thread.name!r} {does} it and waits as well"
            return ". The other end is in this notebook too, and no thread waits at it"
    return ""


def _no_datagram(sock: Any) -> str:
    own, peer = name_of(sock), peer_of(sock)
    if peer:
        return f"no datagram has come from {place(peer)}"
    if not own or (isinstance(own, tuple) and own[1] == 0):
        return "no datagram can come: this socket has no address yet, which bind() or a first sendto() gives it"
    return f"no datagram has come to {place(own)}"


def _bytes(count: int) -> str:
    for unit, size in (("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} byte{'' if count == 1 else 's'}"
