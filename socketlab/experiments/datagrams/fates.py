"""What became of numbered datagrams, and the pictures of it.

UDP promises nothing (RFC 768): a datagram may be lost, doubled, overtaken, and, behind a router whose memory fails,
changed. On one machine there is one way left to lose them: the receiver's buffer is full when they come, because the
program reads too slowly. The kernel then drops the new one, and tells nobody (udp(7), SO_RCVBUF in socket(7)).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from ...links.datagram import Datagrams
from ...measure.timing import _plural, bytes_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

ONCE, TWICE, LATE = "arrived once", "arrived twice", "arrived late"
CORRUPTED, LOST, OVERFLOWED = "arrived corrupted", "lost on the link", "lost in the receive buffer"
#: What can become of a datagram. One with several troubles has the one that stands last here.
FATES = (ONCE, LATE, TWICE, CORRUPTED, LOST, OVERFLOWED)


class Arrival(NamedTuple):
    """A datagram that recv returned."""

    number: int  #: in order of sending, from 1
    intact: bool  #: as it was sent, bit by bit
    at: float  #: seconds since the first was sent
    late: bool = False  #: one with a higher number was returned before


@dataclass(frozen=True, repr=False)
class DatagramLoss:
    """The fate of each datagram, in order of sending, and all that were received, in order of arrival.

    `receive_buffer` is the receiver's SO_RCVBUF as the kernel granted it, in bytes; `burst` how many were sent while
    nobody read; `took` the seconds from the first send to the last recv; `link` what the link counted on the way up,
    None where there was no link. `repr` has nothing that differs between two runs.
    """

    fates: tuple[str, ...]
    arrivals: tuple[Arrival, ...]
    receive_buffer: int
    burst: int
    took: float
    link: Datagrams | None = None

    @property
    def sent(self) -> int:
        return len(self.fates)

    @property
    def counts(self) -> dict[str, int]:
        """How many met each fate, in the order of `FATES`, zeros included."""
        counted = Counter(self.fates)
        return {fate: counted[fate] for fate in FATES}

    @property
    def lost(self) -> int:
        """How many were never received, wherever they were lost."""
        return self.counts[LOST] + self.counts[OVERFLOWED]

    @property
    def title(self) -> str:
        """``18 of 120 datagrams were lost, 8 came twice``."""
        counts = self.counts
        others = [
            f"{counts[fate]:,} came {fate.removeprefix('arrived ')}"
            for fate in (TWICE, LATE, CORRUPTED)
            if counts[fate]
        ]
        lost = f"{self.lost:,} of" if self.lost else "None of"
        return ", ".join(
            [f"{lost} {_plural(self.sent, 'datagram')} {'were' if self.lost > 1 else 'was'} lost", *others]
        )

    def sentence(self) -> str:
        """The counts in words."""
        if not self.sent:
            return "Nothing has been sent yet."
        counts = [f"{number:,} {_did(fate, number)}" for fate, number in self.counts.items() if number]
        return f"Of {_plural(self.sent, 'datagram')}, {', '.join(counts)}."

    def __repr__(self) -> str:
        return f"<DatagramLoss: {_plural(self.sent, 'datagram')}>"


def _did(fate: str, number: int) -> str:
    return fate if fate.startswith("arrived") else f"{'was' if number == 1 else 'were'} {fate}"


def fates_of(count: int, lost: Collection[int], arrivals: Sequence[Arrival]) -> tuple[str, ...]:
    """The fate of datagrams 1 to `count`, of which the link lost those numbered `lost`."""
    came = defaultdict[int, list[Arrival]](list)
    for arrival in arrivals:
        came[arrival.number].append(arrival)

    def fate(number: int) -> str:
        copies = came.get(number, [])
        if not copies:
            return LOST if number in lost else OVERFLOWED
        if not all(copy.intact for copy in copies):
            return CORRUPTED
        if len(copies) > 1:
            return TWICE
        return LATE if copies[0].late else ONCE

    return tuple(map(fate, range(1, count + 1)))


@dataclass(frozen=True, repr=False)
class BufferLoss:
    """How many datagrams of a burst were lost, for each size of the receive buffer.

    `asked` is what setsockopt was given for SO_RCVBUF, `granted` what getsockopt then said, both in bytes; `lost` has
    for each of them the number of each round, out of `sent` datagrams of `size` bytes.
    """

    asked: tuple[int, ...]
    granted: tuple[int, ...]
    lost: tuple[tuple[int, ...], ...]
    sent: int
    size: int

    @property
    def enough(self) -> int | None:
        """The smallest granted buffer with which none was lost in any round; None where each one lost some."""
        return min(
            (buffer for buffer, lost in zip(self.granted, self.lost, strict=True) if not any(lost)), default=None
        )

    @property
    def title(self) -> str:
        if not self.granted:
            return "No buffer has been tried yet"
        least = f"{bytes_text(self.granted[0])} of buffer lose {median(self.lost[0]):,.0f} of {self.sent:,} datagrams"
        if self.enough is None:
            return f"{least}, and {bytes_text(self.granted[-1])} still lose {median(self.lost[-1]):,.0f}"
        return f"{least}, {bytes_text(self.enough)} lose none" if any(self.lost[0]) else "No buffer was too small"

    def __repr__(self) -> str:
        return f"<BufferLoss: {_plural(len(self.asked), 'buffer size')}>"


# Colour of the style sheet's cycle, marker, and whether it is filled.
_LOOKS = {ONCE: (0, ".", 30), LATE: (4, "^", 34), TWICE: (3, "D", 26), CORRUPTED: (1, "s", 30)}
_LOST_LOOKS = {LOST: (1, "x", 26), OVERFLOWED: (5, "|", 60)}


def draw_datagram_loss(result: DatagramLoss, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """Each datagram by its place in the order of sending and in that of arrival; what was lost, in rows below.

    On a link with nothing wrong the dots form a diagonal. Raises ValueError where nothing was sent.
    """
    from ...measure.plots import series, sheet, style

    if not result.sent:
        raise ValueError("draw_datagram_loss wanted at least one datagram that was sent, but got none")
    picture, ax = sheet(ax, 3.4)
    with style():
        colours = [stroke["color"] for stroke, _ in zip(series(), range(6), strict=False)]
        counts = result.counts
        step = max(len(result.arrivals), 8) / 12  # between the rows of the lost, and from them to the others
        for fate, (colour, marker, size) in _LOOKS.items():
            places = [
                (arrival.number, place)
                for place, arrival in enumerate(result.arrivals, 1)
                if result.fates[arrival.number - 1] == fate
            ]
            if places:
                x, y = zip(*places, strict=True)
                ax.scatter(x, y, size, colours[colour], marker=marker, label=f"{fate}: {counts[fate]:,}", zorder=3)
        for row, (fate, (colour, marker, size)) in enumerate(_LOST_LOOKS.items(), 1):
            numbers = [number for number, found in enumerate(result.fates, 1) if found == fate]
            if numbers:
                look: dict[str, Any] = {"marker": marker, "linewidths": 1.4, "label": f"{fate}: {len(numbers):,}"}
                ax.scatter(numbers, [-row * step] * len(numbers), size, colours[colour], **look)
        ax.axhline(-step / 2, color="#6b737c", linewidth=0.8)
        ax.set_ylim(-2.6 * step, max(len(result.arrivals), 8) * 1.04)
        ax.set_xlim(1 - result.sent * 0.02, result.sent * 1.02 + 1)
        ticks = [tick for tick in ax.get_yticks() if 0 < tick <= max(len(result.arrivals), 8)]
        ax.set_yticks([-1.5 * step, *ticks], ["lost", *(f"{tick:,.0f}" for tick in ticks)])
        ax.set_xlabel("datagram, in order of sending (number)")
        ax.set_ylabel("place in order of arrival")
        ax.legend(loc="upper left", handletextpad=0.2)
        ax.set_title(title or result.title)
    return ax if picture is None else picture


def draw_loss_by_receive_buffer(*results: BufferLoss, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """The share of a burst that was lost against SO_RCVBUF, as granted: a dot for each round, a line through medians.

    Raises ValueError without results.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    from ...measure.plots import series, sheet, style

    if not any(result.granted for result in results):
        raise ValueError("draw_loss_by_receive_buffer wanted at least one result, but got none")
    picture, ax = sheet(ax)
    with style():
        for result, stroke in zip(results, series(), strict=False):
            dots = [
                (x, lost / result.sent)
                for x, all_of in zip(result.granted, result.lost, strict=True)
                for lost in all_of
            ]
            look: dict[str, Any] = {"color": stroke["color"], "zorder": 3}
            ax.plot(*zip(*dots, strict=True), "o", markersize=4.5, **look)
            label = f"{result.sent:,} datagrams of {_plural(result.size, 'byte')}"
            ax.plot(result.granted, [median(lost) / result.sent for lost in result.lost], label=label, **stroke)
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_locator(FixedLocator(sorted({x for result in results for x in result.granted})))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: bytes_text(x)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.0%}"))
        ax.set_ylim(-0.03, 1.03)
        ax.set_xlabel("SO_RCVBUF, as the kernel granted it")
        ax.set_ylabel("share that was lost")
        ax.legend(loc="lower left")
        ax.set_title(title or results[0].title)
    return ax if picture is None else picture
