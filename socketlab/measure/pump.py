"""Send and receive on one connection at once, without a second thread and without a deadlock.

A program that first sends everything and then reads works until the message is larger than the buffers: then its
peer, who echoes, sits in send with nobody reading, stops reading, and both wait for ever. The way out is to do
whichever the socket is ready for: non-blocking sends and receives by turns, and a selector when neither moves.
"""

import socket
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from time import perf_counter

from .timing import bytes_text

PERIOD = 251  # a prime: a lost or doubled block of any power of two shows as wrong bytes
_RECEIVE = 64 * 1024


class PeerError(ConnectionError):
    """The peer did not do its part of the conversation: the message says what was wanted and what came."""


def pattern(size: int) -> memoryview:
    """`size` bytes that repeat with the period 251, so that every offset can be recognised."""
    return memoryview((bytes(range(PERIOD)) * (size // PERIOD + 1))[:size])


def pump(
    sock: socket.socket,
    data: bytes | memoryview,
    size: int,
    *,
    echo: bool,
    timeout: float,
    name: str,
    keep: bool = False,
    tick: Callable[[float], object] | None = None,
) -> bytes:
    """Send `size` bytes; with `echo` read them all back, else end our stream and wait for the peer's end.

    With `keep`, `data` is the message and what came back is returned for the caller to check. Otherwise `data` is
    a `pattern` at least PERIOD longer than one send, what comes back is checked here, and b"" is returned.
    The socket's timeout is put back. `timeout` in seconds bounds the whole; `tick` is told the share that is done.
    Raises PeerError.
    """
    view, kept, buffer = memoryview(data), bytearray(), memoryview(bytearray(_RECEIVE))
    known = pattern(_RECEIVE + PERIOD)
    longest = len(view) if keep else len(view) - PERIOD
    sent = got = 0
    ended = False
    before, end = sock.gettimeout(), perf_counter() + timeout

    def error(what: str) -> PeerError:
        if echo:
            return PeerError(
                f"{name} wanted {bytes_text(size)} back, but {bytes_text(got)} came ({bytes_text(sent)} sent): {what}"
            )
        return PeerError(f"{name} wanted a peer that takes {bytes_text(size)}, {bytes_text(sent)} sent: {what}")

    try:
        sock.setblocking(False)
        with DefaultSelector() as ready:
            interest = EVENT_READ | EVENT_WRITE
            ready.register(sock, interest)
            while got < size if echo else not ended:
                moved = 0
                if sent < size:
                    at = sent if keep else sent % PERIOD
                    try:
                        moved = sock.send(view[at : at + min(longest, size - sent)])
                    except BlockingIOError:
                        pass
                    sent += moved
                    if sent == size and not echo:
                        sock.shutdown(socket.SHUT_WR)
                try:
                    count = sock.recv_into(buffer)
                except BlockingIOError:
                    count = -1
                if count == 0:
                    if echo or sent < size:
                        raise error("the peer closed")
                    ended = True
                elif count > 0:
                    if not echo:
                        raise error(f"it sent {bytes_text(count)} back; does it echo?")
                    if keep:
                        kept += buffer[:count]
                    elif buffer[:count] != known[got % PERIOD : got % PERIOD + count]:
                        raise error(f"other bytes came back after the first {got:,}; does the peer echo?")
                    got += count
                left = end - perf_counter()
                wanted = EVENT_READ | EVENT_WRITE if sent < size else EVENT_READ
                if moved == 0 and count < 0:
                    if wanted != interest:  # waiting for writability with nothing to write would never wait
                        interest = wanted
                        ready.modify(sock, interest)
                    ready.select(max(left, 0))
                if tick is not None:
                    tick((got if echo else sent) / size)
                if left <= 0 and (got < size if echo else not ended):
                    raise error(f"no more within {timeout:g} s")
            if got > size:
                raise error("the peer sent more than it got")
    except ConnectionError as exc:
        if isinstance(exc, PeerError):
            raise
        raise error(f"the connection broke ({exc.strerror})") from exc
    finally:
        sock.settimeout(before)
    return bytes(kept)
