"""One direction of a TCP connection through a link: bytes in; the same bytes out, later, slower, in pieces, or never.

No sockets and no clock in here: whoever drives a pipe says what has come and what time it is, and asks what may leave
now and when to ask again. So what a fault does can be tested byte by byte.

* **Whatever is wrong, what leaves is a prefix of what came.** A stream loses nothing in its middle.
* **Chance is tied to the position in the stream**, not to how many reads brought it: the jitter of byte 5,000 and the
  place of the tenth cut depend on the seed alone. So the same traffic meets the same faults on each run.
* **A change counts at once**, also for what waits already: when something may leave is computed when it is asked for.
"""

from __future__ import annotations

from collections import deque

from .chance import draw, seed_of
from .faults import StreamFaults

#: Bytes that wait in a pipe before it takes no more: then its sender is stopped by the kernel, as by a slow reader.
BUFFER = 1 << 20
#: Pieces that wait before it takes no more: a megabyte of single bytes would fill a hundred in memory.
PIECES = 1 << 14
#: Bytes that share one draw of jitter: what a segment carries on an Ethernet (RFC 879: 1500 less two headers of 20).
SEGMENT = 1460
#: Seconds of bandwidth that leave in one go: the shorter, the smoother, and the more often the link must wake.
BURST = 0.005
#: Seconds by which a link that woke late may exceed its bandwidth afterwards, so that on average it is what was asked.
CATCH_UP = 0.05

NEVER = float("inf")

# What a pipe wants done to the connection that it is part of.
GO_ON, CLOSE, RESET = "go on", "close", "reset"


class Pipe:
    """Bytes on their way in one direction. Times are seconds of one clock."""

    def __init__(self, faults: StreamFaults, seed: int, now: float) -> None:
        self.faults = faults
        self._jitter_seed, self._slice_seed = seed_of(seed, "jitter"), seed_of(seed, "slices")
        self._waiting: deque[tuple[float, memoryview]] = deque()  # arrived at, bytes
        self.taken = self.passed = self.swallowed = self.discarded = 0  # bytes so far
        self.pending = 0  # bytes that wait
        self.ended = False  # the sender has finished
        self.broken = False  # by a reset
        self.over = False  # its end has been passed on, or there is nobody to pass it on to
        self._ended_at = 0.0
        self._free_at = 0.0  # when bandwidth and slices allow the next byte
        self._slices, self._cut = 0, 0  # how many slices have been cut, and where in the stream the last one ends
        self._stalled_at = NEVER  # since when `timeout` is set
        self._reset_at = NEVER
        self._reset_after: float | None = None
        self._pace: object = None
        self.look(now)

    def look(self, now: float) -> None:
        """Take notice of the faults as they are set now."""
        faults = self.faults
        #: Nothing is wrong: while nothing waits either, whoever drives it may pass bytes on, and count them itself.
        self.clear = faults.perfect
        self._latency: float = faults.latency
        self._jitter: float = faults.jitter
        self._bandwidth: float | None = faults.bandwidth
        self._slice: int | None = faults.slice_size
        self._variation: int = faults.slice_variation
        self._pause: float = faults.slice_delay
        self._limit: int | None = faults.limit_data
        self._slow_close: float = faults.slow_close
        self._timeout: float | None = faults.timeout
        pace = self._bandwidth, self._slice, self._pause
        if pace != self._pace:  # what the last piece cost at the old pace does not hold up the next one
            self._pace, self._free_at = pace, min(self._free_at, now)
        if self._timeout is None:
            self._stalled_at = NEVER
        elif self._stalled_at == NEVER:
            self._stalled_at = now
            self._swallow()
        after: float | None = faults.reset_peer
        if after != self._reset_after:
            self._reset_at, self._reset_after = NEVER if after is None else now + after, after

    # -- in ----------------------------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """How many bytes it takes now."""
        if self.ended or len(self._waiting) >= PIECES or (self.clear and self.pending):
            return 0  # with nothing wrong, a receiver that does not read should stop the sender as if nothing were here
        return max(0, BUFFER - self.pending)

    def take(self, data: bytes, now: float) -> None:
        """The sender has sent `data`."""
        self.taken += len(data)
        self.pending += len(data)
        self._waiting.append((now, memoryview(data)))
        if self._timeout is not None or self.swallowed:
            self._swallow()

    def end(self, now: float, broken: bool = False) -> None:
        """The sender has finished: behind what waits comes the end, or a reset where it is `broken`."""
        if not self.ended or (broken and not self.broken):  # a reset may follow an end that has been passed on
            self.ended, self._ended_at, self.over = True, now, False
        self.broken = self.broken or broken

    def discard(self) -> None:
        """Nobody is there any more to receive what waits."""
        self.discarded += self.pending
        self.pending = 0
        self._waiting.clear()

    def _swallow(self) -> None:
        self.swallowed += self.pending
        self.pending = 0
        self._waiting.clear()

    # -- out ---------------------------------------------------------------------------------------------------------

    def leaving(self, now: float) -> memoryview | None:
        """The bytes that may leave now; None where there are none. Tell `left` how many of them did."""
        if not self._waiting or now < self._when():
            return None
        view = self._waiting[0][1]
        size = len(view)
        if self._bandwidth is not None:
            size = min(size, max(1, int(self._bandwidth * BURST)))
        if self._jitter:
            size = min(size, SEGMENT - self.passed % SEGMENT)
        if self._slice is not None:
            size = min(size, self._slice_end() - self.passed)
        if self._limit is not None:
            size = min(size, self._limit - self.passed)
        return view[:size] if size > 0 else None

    def left(self, size: int, now: float) -> None:
        """So many of the bytes that `leaving` gave have been sent."""
        when = self._when()
        arrived, view = self._waiting.popleft()
        if size < len(view):
            self._waiting.appendleft((arrived, view[size:]))
        self.passed += size
        self.pending -= size
        if self._bandwidth is not None:  # counted from when it could have left, not from when the link woke up
            self._free_at = max(when, now - CATCH_UP) + size / self._bandwidth
        if self._slice is not None and self._pause and self.passed == self._cut:
            self._free_at = max(self._free_at, now + self._pause)

    def _when(self) -> float:
        """When the first byte that waits may leave."""
        delay = self._latency
        if self._jitter:
            delay += self._jitter * (2 * draw(self._jitter_seed, self.passed // SEGMENT) - 1)
        when = self._waiting[0][0] + max(0.0, delay)
        return max(when, self._free_at) if self._bandwidth is not None or self._slice is not None else when

    def _slice_end(self) -> int:
        assert self._slice is not None
        while self._cut <= self.passed:
            size = self._slice + round(self._variation * (2 * draw(self._slice_seed, self._slices) - 1))
            self._slices += 1
            self._cut = max(self._cut, self.passed) + max(1, size)
        return self._cut

    # -- the connection ----------------------------------------------------------------------------------------------

    def finished(self, now: float) -> bool:
        """Whether the end of the stream may be passed on now."""
        done = self.ended and not self.over and not self.pending and not self.swallowed
        return done and now >= self._end_at()

    def _end_at(self) -> float:
        return self._ended_at + self._latency + self._slow_close if self._timeout is None else NEVER

    def verdict(self, now: float) -> str:
        """What becomes of the whole connection: GO_ON, CLOSE or RESET."""
        if now >= self._reset_at or (self.swallowed and self._timeout is None):
            return RESET  # bytes are missing: nothing may follow them
        if self._timeout and now >= self._stalled_at + self._timeout:
            return CLOSE
        return CLOSE if self._limit is not None and self.passed >= self._limit and self.taken else GO_ON

    def wake_at(self, blocked: bool = False) -> float:
        """When to ask again, if nothing comes before; `blocked` while the receiver takes nothing."""
        when = self._reset_at
        if self._timeout:
            when = min(when, self._stalled_at + self._timeout)
        if self._waiting:
            return when if blocked else min(when, self._when())
        if self.ended and not self.over and not self.swallowed:
            return min(when, self._end_at())
        return when
