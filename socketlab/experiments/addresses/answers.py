"""Two listeners on loopback, one for IPv6 and one for IPv4, each of which answers in its own time, or not at all.

On loopback connect() is immediate, whatever stands behind the listener: the kernel answers for it (listen(2)). So what
a number of seconds delays is the first byte of a greeting, on a link between the client and a server. Two more things
can be had for connect() itself. It is refused where nobody listens, and it waits where a full queue drops its SYNs, as
it does for an address whose packets are lost on the way.
"""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, suppress
from typing import Any

from ...interrupts import Uninterrupted
from ...links import faulty_link
from ...servers import tcp_server
from ...servers.loopback import HOME
from ..wanted import seconds

REFUSED, SILENT = "refused", "silent"
SLOWEST = 10.0  # seconds until an answer
_MOMENT = 0.5  # seconds for a handshake on loopback, which takes a ten-thousandth of that


def checked(name: str, answer: Any) -> float | str:
    """`answer` as it is wanted. Raises ValueError for what is no number of seconds, nor one of the two words."""
    if isinstance(answer, str) and answer in (REFUSED, SILENT):
        return answer
    if isinstance(answer, str):
        raise ValueError(f"{name} wanted a number of seconds, {REFUSED!r} or {SILENT!r}, but got {answer!r}")
    return seconds(name, answer, SLOWEST)


def listening(stack: ExitStack, family: socket.AddressFamily, answer: float | str) -> Any:
    """An address on loopback that answers as told, until `stack` closes. Raises OSError where the family is missing,
    NotImplementedError for SILENT outside Linux."""
    host = HOME[family]
    if isinstance(answer, float):
        with Uninterrupted():
            server = stack.enter_context(tcp_server(_greet, host))
            return stack.enter_context(faulty_link(server, down={"latency": answer})).address
    if answer == SILENT and sys.platform != "linux":
        raise NotImplementedError("only on Linux does a full queue leave connect() without an answer")
    with Uninterrupted():
        sock = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        sock.bind((host, 0))
        if answer == SILENT:
            sock.listen(0)  # one seat; see experiments/doors/door.py
            filler = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            filler.settimeout(_MOMENT)
            filler.connect(sock.getsockname())
    return sock.getsockname()


def _greet(conn: socket.socket) -> None:
    with suppress(ConnectionError):  # the client may have left: it had a better offer
        conn.sendall(b"!")
        conn.recv(1)
