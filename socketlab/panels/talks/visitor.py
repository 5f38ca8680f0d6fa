r"""One client that somebody drives by hand: connect, send, finish sending, reset, hang up.

It reads all the time, in a thread of its own, so that a server which sends is never held up, with one bound: after
READ_LIMIT bytes it reads no more, and a server that goes on for ever (chargen) learns what that means: its `sendall`
waits. Every way of leaving wakes the thread and joins it.
"""

from __future__ import annotations

import re
import selectors
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any

from ..drawing.look import SHOWN, count
from .recording import describe

READ_LIMIT = 65536  # bytes
PATIENCE = 1.0  # seconds for a connect or a send; on loopback each takes microseconds unless the peer has stopped


class Visitor:
    """A client connected to `address`; raises the OSError of `connect`. `changed` is called when something happened."""

    def __init__(self, family: int, address: Any, changed: Callable[[], None]) -> None:
        self.state = "connected"
        self.sent = 0  #: bytes
        self.received = 0  #: bytes
        self.beginning = b""  #: the first SHOWN bytes of what came
        self.end = ""  #: how the reading ended, as a sentence; "" while it goes on
        self._changed = changed
        self._leaving = False
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._sock.settimeout(PATIENCE)
            self._sock.connect(address)
            self.name: Any = self._sock.getsockname()
            self._reader = threading.Thread(target=self._read, name="panel client", daemon=True)
            self._reader.start()
        except BaseException:
            self._sock.close()
            raise

    @property
    def present(self) -> bool:
        """Whether the client still has its socket."""
        return not self._leaving

    def send(self, data: bytes) -> None:
        """Send all of `data`. Raises OSError when the server has gone, TimeoutError when it does not read."""
        self._sock.sendall(data)
        self.sent += len(data)
        self._changed()

    def half_close(self) -> None:
        """Send FIN: the server's recv returns b'' after what was sent, and may still answer."""
        self._sock.shutdown(socket.SHUT_WR)
        self.state = "connected, finished sending"
        self._changed()

    def reset(self) -> None:
        """Leave with an RST instead of a FIN: what is under way is thrown away (SO_LINGER with 0 seconds, tcp(7)).

        A Unix socket knows no RST; there the server hears the end as after `close`, or ECONNRESET if it left
        something of the server's unread (unix(7)).
        """
        try:
            form = "hh" if sys.platform == "win32" else "ii"  # two u_short there, two int here
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
        except OSError:
            pass
        self._leave("reset")

    def close(self) -> None:
        """Leave in the ordinary way, with a FIN. Idempotent."""
        self._leave("closed")

    def _leave(self, state: str) -> None:
        if self._leaving:
            return
        self._leaving = True
        try:
            # Wakes the reader and puts nothing on the wire, so that the close() below decides: FIN or RST. While
            # another thread stands in a call on the socket, close() would not even close it.
            self._sock.shutdown(socket.SHUT_RD)
        except OSError:
            pass  # ENOTCONN: the server reset it
        self._reader.join(PATIENCE)
        self._sock.close()
        self.state = state
        self._changed()

    def _read(self) -> None:
        try:
            # The socket has a timeout, for send; waiting here for readability has none, so nothing polls.
            with selectors.DefaultSelector() as selector:
                selector.register(self._sock, selectors.EVENT_READ)
                while self.received < READ_LIMIT:
                    selector.select()
                    data = b"" if self._leaving else self._sock.recv(min(4096, READ_LIMIT - self.received))
                    if not data:
                        self.end = "" if self._leaving else "then recv returned b'': the server has finished sending"
                        return
                    self.beginning = (self.beginning + data)[:SHOWN]
                    self.received += len(data)
                    self._changed()
            self.end = f"it reads no more after {count(READ_LIMIT, 'byte')}: the server's sendall waits from now on"
        except (OSError, ValueError) as exc:  # ValueError: closed while it was being registered
            self.end = "" if self._leaving else f"then recv raised {describe(exc)}"
        finally:
            self._changed()


_ESCAPE = re.compile(r"\\(?:([rnt0\\])|x([0-9A-Fa-f]{2}))")
_MEANS = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


def typed(text: str) -> bytes:
    r"""The bytes that somebody means who typed `text` into a field of one line: UTF-8, with \r \n \t \0 \\ and \xNN.

    Any other backslash stands for itself.
    """
    out = bytearray()
    position = 0
    for escape in _ESCAPE.finditer(text):
        out += text[position : escape.start()].encode("utf-8", "surrogatepass")
        out += _MEANS[escape[1]] if escape[1] else bytes.fromhex(escape[2])
        position = escape.end()
    return bytes(out + text[position:].encode("utf-8", "surrogatepass"))
