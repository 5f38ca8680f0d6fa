"""What is granted where a size is asked for: SO_RCVBUF and SO_SNDBUF, from one byte to many.

setsockopt(2) answers with success, and the kernel writes down another number: on Linux twice what was asked, because
half of it is for its own records; at least some kilobytes, so that a packet fits; at most twice net.core.rmem_max or
net.core.wmem_max (socket(7)). Only getsockopt(2) tells. Each size is asked for on a socket of its own, which is thrown
away.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..wanted import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = ["AskedAndGranted", "asked_and_granted", "draw_asked_and_granted"]

_OPTIONS = ("SO_RCVBUF", "SO_SNDBUF")
_SIZES = tuple(2**n for n in range(4, 27))  # 16 bytes to 64 MiB: below every least size, above every usual cap
_MOST = 2**31 - 1  # bytes: the largest C int


@dataclass(frozen=True, repr=False)
class AskedAndGranted:
    """Sizes in bytes: what was asked for, and what the kernel said when asked back, in the same order."""

    option: str  #: "SO_RCVBUF" or "SO_SNDBUF"
    asked: tuple[int, ...]
    granted: tuple[int | None, ...]  #: None: refused, as some systems do instead of a cap
    fresh: int  #: what a socket has of which nothing was asked

    @property
    def least(self) -> int | None:
        """The smallest size that was granted."""
        return min((size for size in self.granted if size is not None), default=None)

    @property
    def most(self) -> int | None:
        """The largest size that was granted."""
        return max((size for size in self.granted if size is not None), default=None)

    @property
    def doubled(self) -> tuple[int, ...]:
        """The sizes of which twice as much was granted."""
        return tuple(asked for asked, granted in zip(self.asked, self.granted, strict=True) if granted == 2 * asked)

    def __repr__(self) -> str:
        return f"<AskedAndGranted {self.option}, {len(self.asked)} sizes>"


def asked_and_granted(option: str = "SO_RCVBUF", sizes: Iterable[int] = _SIZES) -> AskedAndGranted:
    """Ask a fresh TCP socket for each of `sizes` bytes, and look what it has then.

    `option` is "SO_RCVBUF" or "SO_SNDBUF". Raises ValueError for another one, without sizes, and for a size that is no
    whole number of bytes from 0 to 2,147,483,647.
    """
    if option not in _OPTIONS:
        raise ValueError(f"asked_and_granted wanted {' or '.join(map(repr, _OPTIONS))}, but got {option!r}")
    asked = tuple(sorted({whole("sizes", size, 0, _MOST, "bytes") for size in sizes}))
    if not asked:
        raise ValueError("asked_and_granted wanted one size or more, but got none")
    number = getattr(socket, option)
    with socket.socket() as sock:
        fresh = sock.getsockopt(socket.SOL_SOCKET, number)
    return AskedAndGranted(option, asked, tuple(_ask(number, size) for size in asked), fresh)


def _ask(number: int, size: int) -> int | None:
    with socket.socket() as sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, number, size)
        except OSError:  # ENOBUFS on macOS and the BSDs, above kern.ipc.maxsockbuf
            return None
        return sock.getsockopt(socket.SOL_SOCKET, number)


def draw_asked_and_granted(*results: AskedAndGranted, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """A line for each result, beside the grey one of a kernel that grants what it is asked for.

    Without a `title` the picture says between which sizes the first result was doubled. Raises ValueError without
    results, for more than five, or for one of which nothing was granted.
    """
    from ...measure.plots import series, style
    from ..paper import bytes_axis, legend_above, one_axes

    for found in results:
        if found.most is None:
            raise ValueError("draw_asked_and_granted wanted sizes that were granted, but got a result without any")
    picture, ax = one_axes((*results, None) if results else (), "draw_asked_and_granted", ax)
    with style():
        sizes: list[int] = []
        for found, stroke in zip(results, series(), strict=False):
            known = [(a, g) for a, g in zip(found.asked, found.granted, strict=True) if a and g is not None]
            sizes += [size for pair in known for size in pair]
            across, up = [a for a, _ in known], [g for _, g in known]
            ax.plot(across, up, marker="o", markersize=4, label=f"{found.option}: granted", **stroke)
        asked = [a for found in results for a in found.asked if a]
        ends = [min(asked), max(asked)]
        ax.plot(ends, ends, linestyle=":", color="0.5", label="as much as was asked for", zorder=1)
        bytes_axis(ax, asked, "asked for", across=True)
        bytes_axis(ax, [*sizes, *ends], "granted")
        legend_above(ax, len(results) + 1, title or _finding(results[0]))
    return ax if picture is None else picture


def _finding(found: AskedAndGranted) -> str:
    if len(found.doubled) < 2 or found.least is None or found.most is None:
        return "What is asked for, and what is granted"
    from ...measure.timing import bytes_text

    return f"{found.option}: twice what is asked for, from {bytes_text(found.least)} to {bytes_text(found.most)}"
