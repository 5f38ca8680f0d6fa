"""The write buffer of an asyncio transport: a producer, a slow reader, and what lies between them in Python's memory.

`StreamWriter.write` never waits. What the kernel does not take is kept by the transport, in the memory of the program.
Above its high-water mark the transport asks its protocol to pause, and at its low-water mark to go on; `drain` waits
in between. A producer without `drain` hears nothing of all this.

Both ends live in an event loop in a thread of its own, so that a cell, which runs in Jupyter's loop, can wait for it.
The kernel's own buffers are kept small: what is looked at is Python's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from ...interrupts import Uninterrupted
from ...measure.timing import bytes_text, seconds_text
from ..paper import bytes_axis, legend_above
from ..running import Steps, run
from ..wanted import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = [
    "Curve", "Pour", "PourState", "WriteBuffer", "draw_write_buffer", "pour_steps", "write_buffer", "write_buffer_steps"
]  # fmt: skip

PIECE = 8192  # bytes of each write
FASTEST = 2 * 1024 * 1024  # bytes per second: enough to see the buffer fill, and next to nothing for a slow core
KEPT = 15.0  # seconds of the past in a state
FULL = 32 * 1024 * 1024  # bytes in the buffer at which a producer without drain is stopped: it is your memory
HIGH = 65_536  # asyncio's own high-water mark
_KERNEL = 16_384  # SO_SNDBUF and SO_RCVBUF that are asked for
_TURN, _LOOK = 0.01, 0.025  # seconds between two turns of an end, and between two states
_ARREARS = 0.05  # seconds of speed that a late turn may make up for


class Look(NamedTuple):
    """One moment: seconds since the beginning, bytes in the write buffer, and whether writing was asked to pause."""

    t: float
    size: int
    paused: bool


class Pour:
    """What is asked of both ends; may be changed at any time, from any thread.

    Rates in bytes per second; None: as fast as it goes. `total` bytes are written; None: without end. `high` is the
    high-water mark in bytes. Raises ValueError for values out of range.
    """

    def __init__(
        self, write_rate: int | None, read_rate: int, *, drain: bool, high: int = HIGH, total: int | None = None
    ) -> None:
        self.write_rate = None if write_rate is None else whole("write_rate", write_rate, 0, FASTEST, "bytes")
        self.read_rate = whole("read_rate", read_rate, 0, 1 << 30, "bytes")
        self.high = whole("high", high, 0, FULL, "bytes")
        self.total = None if total is None else whole("total", total, 1, FULL, "bytes")
        self.drain = drain

    def __repr__(self) -> str:
        return f"<Pour drain={self.drain}>"


@dataclass(frozen=True, repr=False)
class PourState:
    """How it stands. Times in seconds since the beginning, sizes in bytes."""

    now: float
    looks: tuple[Look, ...]  #: of the last `KEPT` seconds, or all of them where the pour has an end
    marks: tuple[int, int]  #: low and high
    written: int
    read: int
    largest: int  #: the most that was in the buffer so far
    pauses: int  #: how often pause_writing was called
    paused_for: float  #: seconds since then, 0 where it was called to go on since
    draining: bool  #: the producer is in drain(), and waits
    full: bool  #: it was stopped at `FULL`

    @property
    def size(self) -> int:
        """Bytes in the write buffer now."""
        return self.looks[-1].size if self.looks else 0

    def __repr__(self) -> str:
        return "<PourState>"


def pour_steps(pour: Pour) -> Steps[PourState]:
    """Let it flow until the generator is closed, or `total` bytes have been read: a state some forty times a second."""
    return _pour_steps(pour)


def _pour_steps(pour: Pour) -> Generator[tuple[float | None, PourState], None, None]:
    flow = _Flow(pour)
    beside = _Beside(flow.main)
    try:
        beside.start()
        while True:
            ended = beside.wait(_LOOK)
            state = flow.state()
            yield (None if pour.total is None else min(1.0, state.read / pour.total)), state
            if ended:
                break
    finally:
        beside.close()


class _Counting(asyncio.StreamReaderProtocol):
    """The protocol of a stream, that notes when it is asked to pause."""

    pauses = 0
    since: float | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self.pauses, self.since = self.pauses + 1, perf_counter()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.since = None


class _Flow:
    """Both ends, in one event loop; `state` may be asked for in another thread."""

    def __init__(self, pour: Pour) -> None:
        self._pour = pour
        self._looks: deque[Look] = deque()
        self._lock = threading.Lock()
        self._began = perf_counter()
        self._marks = (0, 0)
        self._written = self._read = self._largest = self._pauses = 0
        self._since: float | None = None
        self._draining = self._full = False

    def state(self) -> PourState:
        with self._lock:
            looks = tuple(self._looks)
        now, since = perf_counter(), self._since
        return PourState(
            now - self._began, looks, self._marks, self._written, self._read, self._largest, self._pauses,
            0.0 if since is None else now - since, self._draining, self._full,
        )  # fmt: skip

    async def main(self) -> None:
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        with right:
            right.setblocking(False)
            for sock, option in ((left, socket.SO_SNDBUF), (right, socket.SO_RCVBUF)):
                sock.setsockopt(socket.SOL_SOCKET, option, _KERNEL)
            reader = asyncio.StreamReader()
            protocol = _Counting(reader)
            transport, _ = await loop.create_connection(lambda: protocol, sock=left)
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            self._began = perf_counter()
            try:
                await _until(self._consume(right), self._produce(writer, protocol), self._watch(transport, protocol))
            finally:
                transport.abort()
                await asyncio.sleep(0)  # the turn in which it closes its socket

    async def _produce(self, writer: asyncio.StreamWriter, protocol: _Counting) -> None:
        pour, piece = self._pour, bytes(PIECE)
        may, before = 0.0, perf_counter()
        while pour.total is None or self._written < pour.total:
            if pour.write_rate is not None:
                now = perf_counter()
                gone, before = min(now - before, _ARREARS), now
                may = min(may + pour.write_rate * gone, max(PIECE, pour.write_rate * _ARREARS))
                if may < PIECE:
                    await asyncio.sleep(_TURN)
                    continue
                may -= PIECE
            if writer.transport.get_write_buffer_limits()[1] != pour.high:
                writer.transport.set_write_buffer_limits(high=pour.high)
            self._full = writer.transport.get_write_buffer_size() >= FULL
            if self._full:
                await asyncio.sleep(_TURN)
                continue
            writer.write(piece)
            self._written += PIECE
            size = writer.transport.get_write_buffer_size()
            self._largest = max(self._largest, size)
            self._look(writer.transport, protocol)
            if pour.drain:
                await self._drained(writer, protocol)

    async def _drained(self, writer: asyncio.StreamWriter, protocol: _Counting) -> None:
        """`drain`, which goes on at once where somebody wants it no more."""
        if protocol.since is None:
            await writer.drain()
            return
        self._draining = True
        draining = asyncio.ensure_future(writer.drain())
        try:
            while self._pour.drain and not draining.done():
                await asyncio.wait({draining}, timeout=_TURN)
        finally:
            self._draining = False
            draining.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await draining

    async def _consume(self, sock: socket.socket) -> None:
        pour = self._pour
        may, before = 0.0, perf_counter()
        while pour.total is None or self._read < pour.total:
            now = perf_counter()
            gone, before = min(now - before, _ARREARS), now
            may = min(may + pour.read_rate * gone, pour.read_rate * _ARREARS)
            with contextlib.suppress(BlockingIOError):
                while may >= 1:
                    count = len(sock.recv(int(min(may, 65_536))))
                    self._read, may = self._read + count, may - count
                    await asyncio.sleep(0)  # the transport's turn: the kernel's buffers are small
            await asyncio.sleep(_TURN)

    async def _watch(self, transport: asyncio.WriteTransport, protocol: _Counting) -> None:
        while True:
            self._look(transport, protocol)
            await asyncio.sleep(_TURN)

    def _look(self, transport: asyncio.WriteTransport, protocol: _Counting) -> None:
        now = perf_counter() - self._began
        self._marks = transport.get_write_buffer_limits()
        self._pauses, self._since = protocol.pauses, protocol.since
        look = Look(now, transport.get_write_buffer_size(), protocol.since is not None)
        with self._lock:
            self._looks.append(look)
            while self._pour.total is None and self._looks[0].t < now - KEPT:
                self._looks.popleft()


async def _until(decides: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]) -> None:
    """Run all of them until `decides` is over, or one has failed; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in (decides, *others)]
    try:
        while not tasks[0].done():
            done, _ = await asyncio.wait([t for t in tasks if not t.done()], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Beside:
    """A coroutine in a loop and a thread of its own, until it is over or cancelled."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._make = make
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending = threading.Event()
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="write buffer", daemon=True)

    def start(self) -> None:
        with Uninterrupted():
            self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether it is over within that time. Raises what has ended it."""
        over = self._over.wait(seconds)
        if self._error is not None:
            raise self._error
        return over

    def close(self) -> None:
        """Cancel it, and wait until all is closed. Idempotent."""
        self._ending.set()
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(task.cancel)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except asyncio.CancelledError:
            pass
        except Exception as exc:
            self._error = exc
        finally:
            self._over.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.ensure_future(self._make())
        if self._ending.is_set():
            self._task.cancel()
        await self._task


# -- with drain and without --------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Curve:
    """The write buffer of one producer: seconds since the beginning, and bytes at these moments."""

    times: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()
    largest: int = 0  #: the most at any moment
    pauses: int = 0  #: how often pause_writing was called


@dataclass(frozen=True, repr=False)
class WriteBuffer:
    """The same bytes poured with `drain` and without; `marks` are the low and the high one, in bytes."""

    with_drain: Curve = field(default_factory=Curve)
    without: Curve = field(default_factory=Curve)
    marks: tuple[int, int] = (0, 0)
    piece: int = PIECE  #: bytes of each write

    def __repr__(self) -> str:
        return "<WriteBuffer: with drain, without>"


def write_buffer(total: int = 2_000_000, read_rate: int = 4_000_000) -> WriteBuffer:
    """Write `total` bytes as fast as it goes to a reader of `read_rate` bytes per second: with drain, then without.

    After a second a bar and a Stop button appear. Raises ValueError for sizes out of range.
    """
    return run(write_buffer_steps(total, read_rate), "write buffer")


def write_buffer_steps(total: int = 2_000_000, read_rate: int = 4_000_000) -> Steps[WriteBuffer]:
    """The same step by step: see `running`."""
    pours = [Pour(None, read_rate, drain=drain, total=total) for drain in (True, False)]
    whole("read_rate", read_rate, 100_000, 1 << 30, "bytes")
    return _both(pours)


def _both(pours: list[Pour]) -> Generator[tuple[float | None, WriteBuffer], None, None]:
    curves, marks = [Curve(), Curve()], (0, 0)
    for n, pour in enumerate(pours):
        with contextlib.closing(pour_steps(pour)) as steps:
            for share, state in steps:
                times, sizes = tuple(look.t for look in state.looks), tuple(look.size for look in state.looks)
                curves[n], marks = Curve(times, sizes, state.largest, state.pauses), state.marks
                yield (n + (share or 0.0)) / len(pours), WriteBuffer(curves[0], curves[1], marks)


@overload
def draw_write_buffer(result: WriteBuffer, *, title: str = "", ax: None = None) -> Picture: ...
@overload
def draw_write_buffer(result: WriteBuffer, *, title: str = "", ax: Axes) -> Axes: ...
def draw_write_buffer(result: WriteBuffer, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """Bytes in the write buffer over time, with drain and without, on a logarithmic axis; both marks as lines.

    The x values are seconds. Raises ValueError for a result without a moment.
    """
    from ...measure.plots import HEIGHT, series, sheet, style, time_axis

    curves = {"without drain()": result.without, "with drain()": result.with_drain}
    if not any(curve.sizes for curve in curves.values()):
        raise ValueError("draw_write_buffer wanted at least one moment, but this result has none")
    picture, ax = sheet(ax, HEIGHT + 0.19)
    with style():
        end = max((curve.times[-1] for curve in curves.values() if curve.times), default=1e-9)
        for (label, curve), stroke in zip(curves.items(), series(), strict=False):
            words = f"{label}: at most {bytes_text(curve.largest)}"
            ax.step(curve.times, [size or None for size in curve.sizes], where="post", label=words, **stroke)  # type: ignore[arg-type]
        for mark, words in zip(result.marks, ("low-water mark", "high-water mark"), strict=True):
            if mark:
                ax.axhline(mark, color="#6b737c", linewidth=0.9, linestyle=(0, (4, 3)))
                ax.annotate(
                    words, (end, mark), xytext=(-5, 0), textcoords="offset points", ha="right", va="center",
                    fontsize=8.5, bbox={"boxstyle": "square,pad=0.15", "fc": "#fdfdfb", "ec": "none"},
                )  # fmt: skip
        bytes_axis(ax, [*result.marks, *(size for curve in curves.values() for size in curve.sizes)], "in the buffer")
        time_axis(ax, 0, end, False, "time", margins=False)
        ax.set_xlim(0, end)
        legend_above(ax, 2, title or _finding(result))
    return ax if picture is None else picture


def _finding(result: WriteBuffer) -> str:
    if not result.without.times:
        return "The write buffer, with drain()"
    return f"The reader needs {seconds_text(result.without.times[-1], 2)} either way; the buffer tells them apart"
