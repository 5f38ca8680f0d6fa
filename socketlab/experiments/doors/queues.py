"""The two queues of a listener: who waits for the end of its handshake, and who waits for accept().

The kernel answers a SYN and remembers who sent it: that is the SYN queue, entries in the state SYN_RECV at the
listener's address. With the client's ACK the entry becomes a connection, and moves to the accept queue, whose length
TCP_INFO tells (`unacked`, on a listener; tcp(7) does not say so, net/ipv4/tcp.c does).
"""

from __future__ import annotations

import socket
import time
from _socket import socket as _Socket  # looking does not show up in a trace
from typing import NamedTuple

from ...measure.kernel_table import inet_table
from ...measure.tcp_fields import tcp_info

__all__ = ["Waiting", "queues_are_told", "who_waits"]

MOMENT = 0.2  # seconds for the last ACK of a handshake, which on loopback takes microseconds
LOOK = 0.002


class Waiting(NamedTuple):
    """How many clients wait in each queue of a listener; None where the system does not tell."""

    syn: int | None  #: handshakes that have begun
    accept: int | None  #: connections that wait for accept()


def who_waits(listener: socket.socket) -> Waiting:
    """How many wait in the two queues of `listener`, now.

    connect() returns a moment before the server's kernel has the client's ACK, so handshakes that are under way get a
    fifth of a second to finish; what is in the SYN queue then stays there for a reason. Raises OSError (EBADF) for a
    closed listener, ValueError for what is no TCP socket.
    """
    until = time.monotonic() + MOMENT
    while (syn := _in_syn_queue(listener)) and time.monotonic() < until:
        time.sleep(LOOK)
    return Waiting(syn, tcp_info(listener).queue)


def queues_are_told() -> bool:
    """Whether this system has queues as Linux has them, and tells both: asked of a listener that is made for it."""
    try:
        with socket.create_server(("127.0.0.1", 0), backlog=3) as listener:
            # Not that both are empty: some other program may have dialled this number.
            return None not in who_waits(listener) and tcp_info(listener).backlog == 3
    except OSError:
        return False


def _in_syn_queue(listener: socket.socket) -> int | None:
    try:
        table = inet_table(listener.family, socket.IPPROTO_TCP)
    except (OSError, NotImplementedError):
        return None
    here = _Socket.getsockname(listener)[:2]
    return len([entry for entry in table if entry.state == "SYN_RECV" and entry.local == here])
