"""One request over one connection, timed: connect, first byte, last byte. The request panel without its face.

Three waits, each for something else: for the handshake (connect), for the server to think (first byte), and for the
rest to be sent (last byte). Where a message ends TCP does not say, so a plain client that wants everything reads
until the server closes. A server that does not close would hold it for ever: the exchange is bounded in silence, in
time and in bytes, and can be stopped from another thread; how it ended is part of the result.

Nothing here blocks in the kernel without a way out: the socket does not block, and whoever waits for it waits for a
second socket too, which `Exchange.stop` writes to.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import selectors
import socket
from collections.abc import Callable
from time import perf_counter
from typing import Any

SILENCE = 2.0  # seconds without a byte after which the exchange is given up: eight times the pause of the slowest page
LONGEST = 10.0  # seconds in all, for a server that keeps sending a little
MOST = 65536  # bytes of the response

PHASES = ("connect", "first byte", "last byte")


class Exchange:
    """Send `request` to `address`, loopback only, and keep what comes back. `run` does it, in any one thread.

    `changed` is called, by that thread, at each step. Raises ValueError for an address that is not loopback.
    """

    def __init__(
        self,
        address: tuple[Any, ...],
        request: bytes,
        changed: Callable[[], None] = lambda: None,
        *,
        silence: float = SILENCE,
        longest: float = LONGEST,
        most: int = MOST,
    ) -> None:
        self.family, self.address = resolve(*address[:2])
        self.request = request
        self.response = b""  #: what came so far, at most `most` bytes
        self.marks: list[float] = []  #: seconds from the start to: connected, the first byte, the last byte
        self.receives = 0  #: how many recv calls returned bytes
        self.outcome = ""  #: how it ended, as a sentence; "" before that
        self.complete = False  #: True when the server closed in the ordinary way
        self.over = False  #: True when nothing more will happen
        self._limits = silence, longest, most
        self._changed = changed
        self._stop_here, self._stop_there = socket.socketpair()
        self._stopped = False

    @property
    def phases(self) -> tuple[tuple[str, float], ...]:
        """The waits that are over, by name, in seconds."""
        starts = (0.0, *self.marks)
        return tuple((name, end - start) for name, start, end in zip(PHASES, starts, self.marks, strict=False))

    def stop(self) -> None:
        """Give up waiting, from any thread; what has come so far stays. Idempotent."""
        self._stopped = True
        try:
            self._stop_there.send(b"!")
        except OSError:
            pass  # it is over already

    def run(self) -> None:
        """Do it. Errors of the network end up in `outcome`; nothing is raised for them."""
        try:
            self.outcome = self._run()
        except OSError as exc:
            self.outcome = explain(exc, self.address, bool(self.marks))
        finally:
            if len(self.marks) == 2:
                self.marks = [*self.marks, self.marks[1]]  # the first recv brought the last byte too
            self.over = True
            self._stop_here.close()
            self._stop_there.close()
            self._changed()

    def _run(self) -> str:
        silence, longest, most = self._limits
        begin = perf_counter()

        def wait_for(events: int, seconds: float) -> bool:
            """Until the socket is ready; False when the time is over. Raises InterruptedError when stopped."""
            selector.modify(sock, events)
            ready = selector.select(max(0.0, min(seconds, begin + longest - perf_counter())))
            if self._stopped:
                raise InterruptedError(errno.EINTR, "stopped")
            return bool(ready)

        with socket.socket(self.family, socket.SOCK_STREAM) as sock, selectors.DefaultSelector() as selector:
            sock.setblocking(False)
            selector.register(self._stop_here, selectors.EVENT_READ)
            selector.register(sock, selectors.EVENT_WRITE)
            begin = perf_counter()
            problem = sock.connect_ex(self.address)
            if problem in (errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0)):
                if not wait_for(selectors.EVENT_WRITE, silence):
                    raise TimeoutError(errno.ETIMEDOUT, f"no answer to connect within {silence:g} s")
                problem = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if problem:
                raise OSError(problem, os.strerror(problem))
            self._mark(begin)

            unsent = memoryview(self.request)
            while unsent:
                if not wait_for(selectors.EVENT_WRITE, silence):
                    return f"The server stopped reading: {len(unsent):,} bytes of the request could not be sent."
                unsent = unsent[sock.send(unsent) :]

            received = bytearray()
            while len(received) < most:
                if not wait_for(selectors.EVENT_READ, silence):
                    return self._never_ended(perf_counter() - begin)
                data = sock.recv(min(65536, most - len(received)))
                if not data:
                    self.complete = True
                    return "" if received else "The server closed without sending a byte."
                received += data
                self.receives += 1
                self.response = bytes(received)
                self._mark(begin)
            return f"Stopped reading after {most:,} bytes; the server was still sending or had not closed."

    def _mark(self, begin: float) -> None:
        """The time that has passed: connected, then the first byte, then the last one so far."""
        self.marks = [*self.marks[:2], perf_counter() - begin]
        self._changed()

    def _never_ended(self, seconds: float) -> str:
        if not self.response:
            return (
                f"Connected, but no byte came within {seconds:.1f} s: the server may be waiting for the rest of the "
                "request. An HTTP request ends with an empty line."
            )
        if seconds >= self._limits[1]:
            return f"Gave up after {seconds:.0f} s: bytes were still coming."
        return (
            f"The server keeps the connection open: after the last byte nothing came for {self._limits[0]:g} s. "
            "TCP does not say where a message ends; Content-Length does. To have the server close, ask for it: "
            "Connection: close."
        )


def resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """The family and the address for a loopback `host`, as written; no name server is asked.

    Raises ValueError for any other host, and for a port outside 1..65535.
    """
    text = host.strip().strip("[]")
    try:
        found = ipaddress.ip_address("127.0.0.1" if text.lower() == "localhost" else text)
    except ValueError:
        found = None
    if found is None or not found.is_loopback or "%" in text:
        raise ValueError(
            f"{host!r} is not an address of this machine itself; this panel talks to 127.0.0.1, ::1 and localhost. "
            "A server here may answer for other names too: keep the host, and put the name into the Host line."
        )
    if not 1 <= port <= 65535:
        raise ValueError(f"a port is a number from 1 to 65535, not {port}")
    if found.version == 6:
        return socket.AF_INET6, (str(found), port, 0, 0)
    return socket.AF_INET, (str(found), port)


def explain(error: OSError, address: tuple[Any, ...], connected: bool) -> str:
    """What an OSError of the exchange means, as a sentence."""
    where = f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
    if isinstance(error, InterruptedError):
        return "Stopped."
    if isinstance(error, ConnectionRefusedError):
        return f"Refused: nobody listens at {where}. Start a server there, or correct the port."
    if isinstance(error, TimeoutError):
        return f"Timed out: {where} did not answer; a full listen queue looks like this, and so does a firewall."
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return "Reset: the server broke the connection off with an RST; what it had not sent yet is lost."
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"This machine has no address {address[0]}: IPv6 may be switched off. Use 127.0.0.1."
    when = "While it was connected" if connected else "While it was connecting"
    return f"{when}: {type(error).__name__}: {error.strerror or error}."


def request_bytes(text: str, crlf: bool = True) -> bytes:
    r"""The bytes of a request that was typed in lines: UTF-8, each line ending in \r\n, or in \n without `crlf`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return (text.replace("\n", "\r\n") if crlf else text).encode("utf-8", "surrogatepass")
