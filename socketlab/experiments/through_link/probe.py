"""What a faulty link does to a conversation: messages every tenth of a second, and what came of each.

The messages and the sockets are in stream_talk.py and datagram_talk.py; here is what is told of them. The link is
somebody else's and may be changed at any time, by a slider or by a cell; a change is an event like a reset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...links import DatagramLink, DatagramStats, Link, StreamLink, StreamStats
from ...measure.timing import Timing
from ..running import Steps, run
from .datagrams import DatagramTalk
from .streams import StreamTalk
from .talk import CHANGED, LOST, WAITING, Event, Exchange, Talk
from .words import connections_in_words, datagrams_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = ["Event", "Exchange", "LinkProbe", "draw_link_probe", "link_probe", "link_probe_steps"]

STEP = 0.04  # s between two results


@dataclass(frozen=True, repr=False)
class LinkProbe:
    """The last 15 seconds of a conversation through a link. Times are seconds since it began; frozen."""

    datagrams: bool
    seconds: float  #: how long it has lasted
    exchanges: tuple[Exchange, ...]  #: in the order of sending
    events: tuple[Event, ...]  #: resets, ends, refusals, new connections, changes of faults, in order
    recvs: tuple[tuple[float, int], ...]  #: when a recv returned, and how many bytes
    ends: tuple[tuple[float, float], ...]  #: when recv returned b"", and how long that was after our half-close
    up: Mapping[str, Any]  #: the faults as they are now, client to server
    down: Mapping[str, Any]
    stats: StreamStats | DatagramStats  #: what the link has counted, others' traffic included
    closed: bool = False  #: the link is

    @property
    def answered(self) -> tuple[Exchange, ...]:
        """Those whose answer has come whole."""
        return tuple(one for one in self.exchanges if one.last is not None)

    @property
    def waiting(self) -> tuple[Exchange, ...]:
        return tuple(one for one in self.exchanges if one.end == WAITING)

    @property
    def failed(self) -> tuple[Exchange, ...]:
        """Those that nothing more will come of: lost, reset, or closed."""
        return tuple(one for one in self.exchanges if one.end not in ("", WAITING, CHANGED))

    @property
    def changed_at(self) -> float:
        """When a fault was changed last; 0.0 where none was."""
        return max((event.at for event in self.events if event.what == "fault"), default=0.0)

    @property
    def lately(self) -> tuple[Exchange, ...]:
        """Those sent since the last change, the last five seconds' at most."""
        since = max(self.changed_at, self.seconds - 5)
        return tuple(one for one in self.exchanges if one.sent >= since)

    @property
    def round_trips(self) -> Timing | None:
        """From the sending to the last byte of the answer; None while nothing has come back."""
        times = [one.last - one.sent for one in self.exchanges if one.last is not None]
        return Timing(tuple(times), "through the link") if times else None

    def finding(self) -> str:
        """What is to be seen, in a sentence or two."""
        return datagrams_in_words(self) if self.datagrams else connections_in_words(self)

    def __repr__(self) -> str:
        return f"<LinkProbe over {'UDP' if self.datagrams else 'TCP'}>"


def link_probe(link: StreamLink | DatagramLink, *, seconds: float = 5.0, size: int = 512) -> LinkProbe:
    """Talk through `link` for `seconds`, and return what came of it; in front of an echo server.

    Every 0.1 s (0.04 over UDP) a message of `size` bytes is sent, without waiting for the answers before; over TCP 16
    are under way at most, on a connection that is ended after 30 messages, while the next one takes over. One that
    broke is made again after half a second. After a second a bar and a Stop button appear.

    Raises TypeError where `link` is no link, ValueError where it is closed, for seconds outside 0.1 to 600, and for a
    size outside 4 to 16,384 bytes (1,400 over UDP).
    """
    if seconds is None:
        raise ValueError("link_probe wanted a number of seconds, but got None: that would never end")
    return run(link_probe_steps(link, seconds=seconds, size=size), "talking through the link")


def link_probe_steps(
    link: StreamLink | DatagramLink, *, seconds: float | None = None, size: int = 512, every: float | None = None
) -> Steps[LinkProbe]:
    """The steps of `link_probe`, 25 a second; without `seconds` there is no end, and the share is None.

    A message is sent `every` so many seconds: 0.1, and 0.04 over UDP, where one that is late by the 0.05 s of
    ``reordering`` is then overtaken.
    """
    if not isinstance(link, Link):
        raise TypeError(f"link_probe wanted a link, as faulty_link(server) makes it, but got {link!r}")
    if link.closed:
        raise ValueError("this link is closed: make another faulty_link(...)")
    datagrams = isinstance(link, DatagramLink)
    most = 1400 if datagrams else 16384
    for name, value, low, high, unit in (
        ("seconds", seconds, 0.1, 600, "seconds"),
        ("size", size, 4, most, "bytes"),
        ("every", every, 0.01, 10, "seconds"),
    ):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (number and low <= value <= high):
            raise ValueError(f"{name} wanted a number from {low} to {high:,} {unit}, but got {value!r}")
    return _steps(link, seconds, int(size), every or (0.04 if datagrams else 0.1))


def _steps(link: Any, seconds: float | None, size: int, every: float) -> Steps[LinkProbe]:
    talk: Talk = (DatagramTalk if isinstance(link, DatagramLink) else StreamTalk)(link, size, every)
    try:
        while True:
            talk.go_on(STEP)
            now = talk.now()
            result = _result(talk, now)
            yield (None if seconds is None else min(1.0, now / seconds)), result
            if result.closed or (seconds is not None and now >= seconds):
                return
    finally:
        talk.close()


def _result(talk: Talk, now: float) -> LinkProbe:
    link = talk.link
    exchanges = tuple(message.frozen() for message in talk.messages)
    things = tuple(talk.events), tuple(talk.recvs), tuple(talk.ends)
    return LinkProbe(isinstance(link, DatagramLink), now, exchanges, *things, *talk.faults, link.stats, link.closed)


def draw_link_probe(probe: LinkProbe, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """Round trips over time, what was lost, and each reset, end and change as a line with its words; pictured once.

    Raises ValueError where nothing was sent yet.
    """
    from textwrap import wrap

    from ...measure.plots import sheet

    if not probe.exchanges:
        raise ValueError("draw_link_probe wanted a conversation, but nothing has been sent yet")
    picture, ax = sheet(ax, 3.4)
    highest = max((one.took for one in probe.answered), default=1e-3)
    unit, size = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3)) if highest >= s), ("µs", 1e-6))
    never = LOST if probe.datagrams else "never answered"
    for what, marker, these in (
        ("answered", "o", [one for one in probe.answered if not one.end]),
        ("other bytes", "D", [one for one in probe.answered if one.end == CHANGED]),
        (never, "x", probe.failed),
        (WAITING, "^", probe.waiting),
    ):
        if these:  # what never came stands below the axis
            heights = [one.took if one.last is not None else -0.06 * highest for one in these]
            ax.plot([one.sent for one in these], heights, marker, label=what)
    if probe.ends:
        ax.plot([at for at, _ in probe.ends], [took for _, took in probe.ends], "s", mfc="none", label="end of stream")
    for n, event in enumerate(probe.events):
        ax.axvline(event.at, color="#6b737c", linewidth=1, zorder=0)
        ax.annotate(
            event.words if event.what == "fault" else event.what, (event.at, 1), (3, -3 - 11 * (n % 3)),
            xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=8.5, va="top",
        )  # fmt: skip
    ax.set_ylim(-0.12 * highest, highest * 1.4)
    ax.yaxis.set_major_formatter(lambda y, _: f"{y / size:,.10g}" if y >= 0 else "")
    ax.set(xlabel="time of sending (s)", ylabel=f"until the last byte came back ({unit})")
    ax.set_title("\n".join(wrap(title or probe.finding(), 90)), fontsize=11)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=5)
    return ax if picture is None else picture
