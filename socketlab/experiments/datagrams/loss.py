"""Datagrams that do not arrive: lost on the way, or in the receiver's own kernel because it read too late.

The sender sends bursts. While a burst travels the receiver does not read; then it reads all that the kernel has kept
for it. So what does not fit into SO_RCVBUF is lost, on a slow machine as on a fast one. What the link does to a
datagram hangs on its seed and the datagram's number alone, so that the same seed gives the same fates; only with
jitter, which is a matter of microseconds, the order of arrival may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from ...links.datagram import QUEUE
from ...links.faults import DatagramFaults
from ..running import Steps, run
from ..wanted import whole
from .fates import BufferLoss, DatagramLoss
from .numbered import Post

MOST = 10_000  # datagrams
SMALLEST, LARGEST = 21, 1400  # bytes of one: three times its number; what fits into a frame of Ethernet beside headers
BUFFERS = (1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16, 1 << 17)  # asked for in a sweep
_LARGEST_BUFFER = 1 << 30


def datagram_loss(
    datagrams: int = 100,
    *,
    burst: int = 20,
    size: int = 100,
    receive_buffer: int | None = None,
    seed: int = 0,
    **faults: Any,
) -> DatagramLoss:
    """Send numbered `datagrams` of `size` bytes over UDP on loopback, and find out what became of each.

    They are sent in bursts of `burst`, while nobody reads. `receive_buffer` is asked for as the receiver's SO_RCVBUF,
    in bytes; None leaves the system's (net.core.rmem_default). `faults` put a faulty link in between: loss,
    duplication, reordering, corruption (probabilities), latency, jitter (seconds), as in `socketlab.faulty_link`;
    `seed` is its. "Late" is what was returned behind a datagram that was sent after it.

    Raises ValueError for numbers out of range, TypeError for a fault that does not exist, OSError where the machine
    lacks sockets.
    """
    steps = datagram_loss_steps(datagrams, burst=burst, size=size, receive_buffer=receive_buffer, seed=seed, **faults)
    return run(steps, "what became of datagrams")


def datagram_loss_steps(
    datagrams: int = 100,
    *,
    burst: int = 20,
    size: int = 100,
    receive_buffer: int | None = None,
    seed: int = 0,
    **faults: Any,
) -> Steps[DatagramLoss]:
    """`datagram_loss`, step by step: a result after each burst."""
    whole("datagrams", datagrams, 1, MOST, "datagrams")
    whole("size", size, SMALLEST, LARGEST, "bytes")
    whole("seed", seed, 0, 2**63, "any kind")
    if receive_buffer is not None:
        whole("receive_buffer", receive_buffer, 1, _LARGEST_BUFFER, "bytes")
    for name in faults:
        if name not in DatagramFaults.CHECKS:
            known = ", ".join(DatagramFaults.CHECKS)
            raise TypeError(f"a link for datagrams has no fault {name!r}; there are: {known}")
    wrong = DatagramFaults()
    wrong.set(**faults)
    # A link keeps 1,000 datagrams at most, and may double each.
    whole("burst", burst, 1, MOST if wrong.perfect else QUEUE // 2, "datagrams")
    return _steps(datagrams, burst, size, receive_buffer, seed, None if wrong.perfect else wrong)


def loss_by_receive_buffer(
    buffers: Sequence[int] = BUFFERS, *, datagrams: int = 200, size: int = 100, rounds: int = 3
) -> BufferLoss:
    """How many of a burst of `datagrams` are lost while nobody reads, for each SO_RCVBUF that is asked for.

    `buffers` and `size` in bytes. Raises ValueError for numbers out of range, OSError where the machine lacks sockets.
    """
    return run(
        loss_by_receive_buffer_steps(buffers, datagrams=datagrams, size=size, rounds=rounds),
        "loss by receive buffer",
    )


def loss_by_receive_buffer_steps(
    buffers: Sequence[int] = BUFFERS, *, datagrams: int = 200, size: int = 100, rounds: int = 3
) -> Steps[BufferLoss]:
    """`loss_by_receive_buffer`, step by step: a result after each size of the buffer."""
    if not 1 <= len(buffers) <= 100:
        raise ValueError(f"buffers wanted 1 to 100 sizes, but got {len(buffers):,}")
    for buffer in buffers:
        whole("a buffer", buffer, 1, _LARGEST_BUFFER, "bytes")
    whole("datagrams", datagrams, 1, MOST, "datagrams")
    whole("size", size, SMALLEST, LARGEST, "bytes")
    whole("rounds", rounds, 1, 100, "rounds")
    return _sweep(tuple(buffers), datagrams, size, rounds)


def _sweep(buffers: tuple[int, ...], datagrams: int, size: int, rounds: int) -> Steps[BufferLoss]:
    granted: list[int] = []
    lost: list[tuple[int, ...]] = []
    for buffer in buffers:
        found: list[int] = []
        for _ in range(rounds):
            for _, one in _steps(datagrams, datagrams, size, buffer, 0, None):
                result = one
                share = (len(granted) + len(found) / rounds) / len(buffers)
                yield share, BufferLoss(buffers[: len(granted)], tuple(granted), tuple(lost), datagrams, size)
            found.append(result.lost)
        granted.append(result.receive_buffer)
        lost.append(tuple(found))
    yield 1.0, BufferLoss(buffers, tuple(granted), tuple(lost), datagrams, size)


def _steps(
    datagrams: int, burst: int, size: int, buffer: int | None, seed: int, faults: DatagramFaults | None
) -> Steps[DatagramLoss]:
    with ExitStack() as opened:
        post = Post(opened, burst, size, buffer, seed, faults)
        yield 0.0, post.result()
        while post.sent < datagrams:
            share = post.sent / datagrams
            for _ in post.send(min(burst, datagrams - post.sent)):
                yield share, post.result()
            for _ in post.read():
                yield share, post.result()
            if post.is_time():
                yield post.sent / datagrams, post.result()
        yield 1.0, post.result()
