"""Measure a server from outside, with the plain blocking sockets that a learner would write.

Three questions, three servers' answers: how long is a round trip (echo, RFC 862), how many connections per second,
how many bytes per second (echo, or discard, RFC 863). Addresses are those of Python's socket module: ("127.0.0.1",
port), ("::1", port) or its four-tuple, or the path of a Unix socket (abstract names begin with a zero byte).

Nothing here waits for ever (`dialing` says how), every failure of the peer is a PeerError that says
what was wanted and what came, and an interrupt closes what was opened.
"""

import math
import socket
from dataclasses import dataclass
from time import perf_counter, perf_counter_ns

from .dialing import Address, borrowed, dial
from .progress import Progress
from .pump import PERIOD, PeerError, pattern, pump
from .timing import Timing, _plural, _want, bytes_text, measure

__all__ = ["Address", "PeerError", "Rate", "connect_rate", "round_trips", "throughput"]

# A blocking sendall of more than both ends can buffer would wait for ever for a peer that echoes while it reads:
# both would sit in send. Up to this size a loopback connection takes the whole message (measured: 4.25 MB by
# default); above it, sending and receiving take turns.
_TAKEN_WHOLE = 64 * 1024


@dataclass(frozen=True, repr=False)
class Rate:
    """So many connections or bytes in so many seconds; `timing` has each round. `repr` holds no time."""

    label: str
    unit: str
    count: int
    timing: Timing

    @property
    def seconds(self) -> float:
        """The time spent inside the rounds."""
        return self.timing.total

    @property
    def per_second(self) -> float:
        return self.count / self.seconds if self.seconds else math.inf

    def summary(self) -> str:
        """One line for people."""
        if self.unit == "bytes":
            return f"{self.label}: {bytes_text(self.per_second)}/s ({bytes_text(self.count)})"
        return f"{self.label}: {self.per_second:,.0f} {self.unit}/s ({self.count:,} {self.unit})"

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        amount = bytes_text(self.count) if self.unit == "bytes" else f"{self.count:,} {self.unit}"
        return f"<Rate {self.label}, {amount}>"


def round_trips(
    peer: Address | socket.socket,
    payload: int | bytes = 1,
    *,
    rounds: int = 200,
    warmup: int = 20,
    timeout: float = 5.0,
    at_most: float | None = None,
    label: str = "",
) -> Timing:
    """Send `payload` (bytes, or how many) to an echo server, read as many back, check them; time each exchange.

    `peer` is an address, or a connected socket of yours, which stays open with its timeout as it was. On a TCP
    connection of its own TCP_NODELAY is set, so that Nagle's algorithm holds no tail of a message back. Checking
    the bytes is not timed. `timeout` bounds each exchange, `at_most` the whole, in seconds.

    Raises PeerError when the peer does not echo, sends other bytes or closes; ValueError for an empty payload or a
    bad number; OSError as `connect` does.
    """
    data = _payload(payload)
    if not data:
        raise ValueError("round_trips wanted at least 1 byte to send: an empty send puts nothing on a stream")
    name = label or f"round trip {bytes_text(len(data))}"
    with borrowed(peer, timeout) if isinstance(peer, socket.socket) else dial(peer, timeout) as sock:
        exchange = _Exchange(sock, data, timeout, name)
        return measure(exchange, rounds=rounds, warmup=warmup, at_most=at_most, label=name, check=exchange.check)


def connect_rate(
    address: Address,
    *,
    payload: int | bytes = 1,
    rounds: int = 200,
    warmup: int = 5,
    timeout: float = 5.0,
    at_most: float | None = None,
    label: str = "",
) -> Rate:
    """Connections per second, one after the other: connect, echo `payload`, close. Each is timed whole.

    With `payload=0` only connect() is timed, and any listener will do: the kernel completes the handshake before
    anybody calls accept(), so this is the kernel's rate and not the server's. Every TCP connection leaves the port
    of this side in TIME_WAIT for a minute, out of about 28,000 (ip_local_port_range, ip(7)): mind the rounds.

    Raises as `round_trips` does.
    """
    data = _payload(payload)
    name = label or ("connect + echo + close" if data else "connect")
    opened: list[socket.socket] = []

    def connection() -> bytes:
        sock = dial(address, timeout)
        opened.append(sock)
        if not data:
            return b""
        reply = _Exchange(sock, data, timeout, name)()
        sock.close()
        return reply

    def check(reply: bytes) -> None:
        _compare(reply, data, name)
        opened.pop().close()

    try:
        timing = measure(connection, rounds=rounds, warmup=warmup, at_most=at_most, label=name, check=check)
    finally:
        for sock in opened:  # an interrupt came between connect and close
            sock.close()
    return Rate(name, "connections", len(timing), timing)


def throughput(
    address: Address,
    *,
    size: int = 16 * 1024 * 1024,
    chunk: int = 64 * 1024,
    peer: str = "discard",
    rounds: int = 3,
    timeout: float = 30.0,
    label: str = "",
) -> Rate:
    """Bytes per second to a server that discards, or through one that echoes (`peer="echo"`).

    Each round opens a connection (not timed), sends `size` bytes with sends of up to `chunk`, and is over when the
    peer has had them all: a discard server closes after our end of stream, an echo server has sent every byte back.
    So it is what arrived that counts, not what the kernel took into its buffers. The bytes echoed count once.
    Sending and receiving take turns as the socket allows, so two full buffers do not deadlock. `timeout` bounds each
    round in seconds.

    Raises PeerError when the peer closes early, sends what it should not, or does not finish in time.
    """
    _want("peer", peer, peer in ("discard", "echo"), "'discard' or 'echo'")
    _want("size", size, size >= 1, "1 byte or more")
    _want("chunk", chunk, chunk >= 1, "1 byte or more")
    _want("rounds", rounds, rounds >= 1, "1 or more")
    name = label or f"{peer} in sends of {bytes_text(chunk)}"
    data, samples = pattern(chunk + PERIOD), list[float]()
    with Progress(name, can_stop=True) as bar:

        def tick(share: float) -> None:
            if perf_counter_ns() >= bar.due_ns:
                bar.show((len(samples) + share) / rounds)

        for _ in range(rounds):
            with dial(address, timeout) as sock:
                began = perf_counter_ns()
                pump(sock, data, size, echo=peer == "echo", timeout=timeout, name=name, tick=tick)
                samples.append((perf_counter_ns() - began) / 1e9)
            if bar.stopped:
                break
    return Rate(name, "bytes", size * len(samples), Timing(tuple(samples), name))


class _Exchange:
    """One message out and as many bytes back; `check` compares them later, outside the timed part."""

    def __init__(self, sock: socket.socket, data: bytes, timeout: float, name: str) -> None:
        self.sock, self.data, self.timeout, self.name = sock, data, timeout, name
        self.done = 0

    def __call__(self) -> bytes:
        sock, data, size = self.sock, self.data, len(self.data)
        if size > _TAKEN_WHOLE and sock.type == socket.SOCK_STREAM and type(sock) is socket.socket:
            return pump(sock, data, size, echo=True, timeout=self.timeout, name=self.name, keep=True)
        reply = b""
        try:
            sock.sendall(data)
            reply = sock.recv(size)
            if len(reply) < size:
                reply = self._rest(reply)
        except (TimeoutError, BlockingIOError) as exc:  # SO_RCVTIMEO ends a recv with EAGAIN
            raise self._error(reply, f"no more came within {self.timeout:g} s; does the peer echo?") from exc
        except ConnectionError as exc:
            raise self._error(reply, f"the connection broke ({exc.strerror})") from exc
        return reply

    def _rest(self, reply: bytes) -> bytes:
        """Read on after a short recv, until all is here, the peer closes, or the time is up."""
        parts, missing = [reply], len(self.data) - len(reply)
        end = perf_counter() + self.timeout
        try:
            while missing:
                if not parts[-1]:
                    raise self._error(b"".join(parts), "the peer closed")
                if perf_counter() > end:
                    raise TimeoutError
                parts.append(self.sock.recv(missing))
                missing -= len(parts[-1])
        except (TimeoutError, BlockingIOError) as exc:
            raise self._error(b"".join(parts), f"no more came within {self.timeout:g} s") from exc
        return b"".join(parts)

    def check(self, reply: bytes) -> None:
        _compare(reply, self.data, self.name)
        self.done += 1

    def _error(self, reply: bytes, what: str) -> PeerError:
        return PeerError(
            f"{self.name} wanted {_plural(len(self.data), 'byte')} back, but {len(reply):,} came, "
            f"after {_plural(self.done, 'good exchange')}: {what}"
        )


def _compare(reply: bytes, data: bytes, name: str) -> None:
    if reply != data:
        at = next(
            (i for i, (got, sent) in enumerate(zip(reply, data, strict=False)) if got != sent),
            min(map(len, (reply, data))),
        )
        raise PeerError(
            f"{name} wanted its own bytes back, but byte {at:,} of {len(data):,} differs: "
            f"sent {data[at : at + 8]!r}, got {reply[at : at + 8]!r}; does the peer echo?"
        )


def _payload(payload: int | bytes) -> bytes:
    if isinstance(payload, int):
        _want("payload", payload, payload >= 0, "0 bytes or more")
        return bytes(pattern(payload))
    return bytes(payload)
