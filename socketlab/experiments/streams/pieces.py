"""What was sent and what each recv returned, matched byte by byte, and the picture of it.

In a stream the bytes keep their order (RFC 9293, section 3.8), so what a recv returned can be told by its place
alone: the 6th byte that came is the 6th that was sent, whichever send that was in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from ...measure.timing import _plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

CLOSED, RESET = "closed", "reset"


class Piece(NamedTuple):
    """What one send sent, or one recv returned."""

    start: int  #: where in the stream its first byte is, from 0
    data: bytes
    at: float = 0.0  #: seconds since the first send began; 0.0 where nobody measured

    @property
    def stop(self) -> int:
        """Where in the stream the byte behind its last one is."""
        return self.start + len(self.data)


class Part(NamedTuple):
    """Bytes of a recv that come from one send."""

    send: int  #: its number, from 1
    start: int  #: place in the stream
    data: bytes


@dataclass(frozen=True, repr=False)
class RecvSizes:
    """Sends and recvs of one direction of a connection, in order.

    `size` is what each recv asked for, 0 where they were different. `end` says how the stream ended for the receiver:
    "closed" (recv returned b""), "reset", or "" where it was not seen to end. `repr` has no times.
    """

    sends: tuple[Piece, ...]
    recvs: tuple[Piece, ...]
    size: int = 0
    end: str = ""

    @classmethod
    def of(cls, sent: Iterable[bytes], received: Iterable[bytes]) -> RecvSizes:
        """Of code of your own: what each of your sends sent, and what each of your recvs returned.

        A final b"" is the end of the stream. Raises ValueError where the bytes are not those that were sent.
        """
        out, back = [bytes(data) for data in sent], [bytes(data) for data in received]
        end = CLOSED if back and not back[-1] else ""
        back = [data for data in back if data]
        wrote, came = b"".join(out), b"".join(back)
        if not wrote.startswith(came):
            common = next((n for n, (a, b) in enumerate(zip(wrote, came, strict=False)) if a != b), len(wrote))
            raise ValueError(
                f"the recvs wanted the bytes of the sends in their order, but differ from byte {common} on: "
                f"sent {wrote[common : common + 8]!r}, received {came[common : common + 8]!r}"
            )
        return cls(_pieces(out), _pieces(back), 0, end)

    def parts(self, recv: Piece) -> tuple[Part, ...]:
        """The bytes of `recv`, send by send."""
        found = []
        at = recv.start
        for number in range(bisect_right(self._starts, at), len(self.sends) + 1):
            if at >= recv.stop:
                break
            if at < self.sends[number - 1].stop:  # not one that sent nothing
                data = recv.data[at - recv.start : self.sends[number - 1].stop - recv.start]
                found.append(Part(number, at, data))
                at += len(data)
        return tuple(found)

    @cached_property
    def _starts(self) -> list[int]:
        return [send.start for send in self.sends]

    @property
    def sent(self) -> int:
        """Bytes."""
        return self.sends[-1].stop if self.sends else 0

    @property
    def received(self) -> int:
        """Bytes."""
        return self.recvs[-1].stop if self.recvs else 0

    @property
    def title(self) -> str:
        """``3 sends arrived in 5 recvs``; where they did not arrive whole, how many bytes did."""
        what = _plural(len(self.sends), "send")
        if self.received < self.sent:
            what = f"{self.received:,} of {_plural(self.sent, 'byte')}"
        return f"{what} arrived in {_plural(len(self.recvs), 'recv')}"

    def sentence(self) -> str:
        """What follows, in a sentence or two."""
        words: list[str] = []
        by = defaultdict[int, list[int]](list)  # send: the recvs that returned bytes of it
        for n, recv in enumerate(self.recvs, 1):
            parts = self.parts(recv)
            for part in parts:
                by[part.send].append(n)
            if len(parts) > 1 and not words:
                all_of_them = all(part.data == self.sends[part.send - 1].data for part in parts)
                what = "all" if all_of_them else "parts"
                words.append(f"recv {n} returned {what} of sends {_listed([part.send for part in parts])}")
        divided = next((number for number, recvs in by.items() if len(recvs) > 1), None)
        if divided is not None:
            words.append(f"send {divided} took recvs {_listed(by[divided])}")
        empty = next((n for n, send in enumerate(self.sends, 1) if not send.data), None)
        if empty is not None:
            words.append(f"send {empty} sent b'', and nothing of it arrived")
        if words:
            told = f": {', and '.join(words)}. A recv knows nothing of messages."
        elif self.recvs and self.received == self.sent:
            told = ": one each, this time. Nothing promises that."
        else:
            told = "."
        return f"{self.title}{told}{' Then the connection was reset.' if self.end == RESET else ''}"

    def __repr__(self) -> str:
        return f"<RecvSizes: {self.title}>"


def draw_recv_sizes(result: RecvSizes, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """Two strips over the places in the stream: what each send sent, and below it what each recv returned.

    Each byte has the colour of its send. A message that is long is drawn as a block; few enough bytes are drawn one
    by one, with their letters. After 100 recvs the picture ends, and says so.
    Raises ValueError where nothing was sent.
    """
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    from ...measure.plots import series, sheet, style

    if not result.sent:
        raise ValueError("draw_recv_sizes wanted at least one byte that was sent, but got none")
    picture, ax = sheet(ax, 2.1)
    shown = result.recvs[:_DRAWN]
    end = shown[-1].stop if len(result.recvs) > _DRAWN else result.sent
    with style():
        colours = [stroke["color"] for stroke, _ in zip(series(), range(6), strict=False)]
        ax.set_title(title or result.title)
        ax.set_xlim(0, end)
        ax.set_ylim(-0.45, 2.55)
        ax.set_yticks([1.5, 0.5], ["sends", "recvs"])
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.grid(False)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel("place in the stream (bytes)" + ("" if shown == result.recvs else f", the first {_DRAWN} recvs"))
        room = float(ax.get_window_extent().width) * 0.9 / end  # pixels of a byte
        for n, send in enumerate(result.sends, 1):
            if send.data and send.start < end:
                _block(ax, (Part(n, send.start, send.data),), 1.1, f"send {n}", 2.2, colours, room)
        for n, recv in enumerate(shown, 1):
            _block(ax, result.parts(recv), 0.1, f"recv {n}", -0.3, colours, room)
    return ax if picture is None else picture


_DRAWN = 100  # recvs: as many blocks as can be told apart on 7.5 inches
_INK = "#1c2127"


def _block(
    ax: Axes, parts: tuple[Part, ...], y: float, name: str, name_y: float, colours: list[str], room: float
) -> None:
    """One send or recv: its parts in the colours of their sends, a frame, and a name where there is room for one."""
    from matplotlib.colors import to_rgb

    start, stop = parts[0].start, parts[-1].start + len(parts[-1].data)
    text: dict[str, Any] = {"ha": "center", "va": "center", "color": _INK, "clip_on": True}
    for part in parts:
        colour = to_rgb(colours[(part.send - 1) % len(colours)])
        pale = tuple(1 - (1 - value) * 0.35 for value in colour)
        ax.broken_barh([(part.start, len(part.data))], (y, 0.8), facecolor=pale, edgecolor=colour, linewidth=0.8)
        if room >= 9:
            for place, byte in enumerate(part.data, part.start):
                letter = chr(byte) if 33 <= byte < 127 else "·"
                ax.text(place + 0.5, y + 0.4, letter, fontsize=8.5, family="DejaVu Sans Mono", **text)
        elif room * len(part.data) >= 14:  # which send it is, where its bytes are too narrow for their letters
            ax.text(part.start + len(part.data) / 2, y + 0.4, str(part.send), fontsize=8.5, **text)
    ax.broken_barh([(start, stop - start)], (y, 0.8), facecolor="none", edgecolor=_INK, linewidth=1.4)
    wide = room * (stop - start)
    label = next((words for words, least in ((name, 42), (name[5:], 8 * len(name[5:]))) if wide >= least), "")
    ax.text((start + stop) / 2, name_y + 0.05, label, fontsize=8.5, **{**text, "clip_on": False})


def _pieces(data: list[bytes]) -> tuple[Piece, ...]:
    starts: Iterator[int] = accumulate((len(piece) for piece in data), initial=0)
    return tuple(Piece(start, piece) for start, piece in zip(starts, data, strict=False))


def _listed(numbers: list[int]) -> str:
    """``1 and 2``; ``1, 2 and 3``; ``1, 2, 3 … 9``."""
    if len(numbers) > 4:
        return f"{', '.join(map(str, numbers[:3]))} … {numbers[-1]}"
    return " and ".join(filter(None, (", ".join(map(str, numbers[:-1])), str(numbers[-1]))))
