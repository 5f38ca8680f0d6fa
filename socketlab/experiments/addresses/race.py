"""Happy Eyeballs: a client has an IPv6 and an IPv4 address of the same server, and takes the one that answers first.

A name often has addresses of both families, and a machine that has IPv6 on paper may have none that works: packets get
lost, and a connect() that nobody answers takes minutes to fail. So a client does not wait for that (RFC 8305). It
tries IPv6 first, gives it a head start (section 5, "Connection Attempt Delay": 250 ms is recommended), and then tries
IPv4 beside it. Where the first attempt fails within the head start, the second begins at once. The first that succeeds
is kept, the other closed.

By the RFC an attempt has succeeded when its connection stands. Here it has when the first byte of the server's
greeting is there, because that is what can be delayed on loopback: see answers.py.
"""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, overload

from ...interrupts import Uninterrupted
from ...measure.timing import seconds_text
from ...servers.loopback import HOME
from ..running import Steps, run
from ..wanted import seconds as want_seconds
from .answers import REFUSED, SILENT, checked, listening

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

__all__ = [
    "REFUSED", "SILENT", "Attempt", "Race", "draw_eyeballs_race", "eyeballs_race", "eyeballs_race_steps",
    "recorded_race",
]  # fmt: skip

UNNEEDED, WAITING, WON, GIVEN_UP, FAILED = "not needed", "waiting", "won", "given up", "failed"

HEAD_START = 0.25  # seconds; RFC 8305, section 8
LONGEST_HEAD_START = 5.0  # seconds; the RFC asks for 2 at most
PATIENCE = 4.0  # seconds without any answer after the last attempt began: then nobody wins
LOOK = 0.02  # seconds between two yields
_UNDER_WAY = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN}
_MISSING = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}  # what a machine without ::1 says
_DISCARD = 9  # a port that is not asked: an address that is not there refuses earlier


@dataclass(frozen=True)
class Attempt:
    """One family's attempt. Times in seconds since the race began; None for what has not happened."""

    family: str  #: IPv6 or IPv4
    state: str = UNNEEDED
    began: float | None = None  #: connect() was called
    connected: float | None = None  #: connect() had succeeded
    ended: float | None = None  #: won: the first byte was there; given up or failed: closed
    error: str = ""  #: with which errno it failed


@dataclass(frozen=True, repr=False)
class Race:
    """A race, from its beginning to the latest look, `seconds` later. The first attempt is IPv6's."""

    v6: float | str  #: seconds until the IPv6 side answers, REFUSED or SILENT
    v4: float | str
    head_start: float  #: seconds
    attempts: tuple[Attempt, Attempt]
    seconds: float

    @property
    def winner(self) -> str:
        """IPv6 or IPv4; "" while nobody has answered, and where nobody did."""
        return next((one.family for one in self.attempts if one.state == WON), "")

    @property
    def over(self) -> bool:
        """Whether somebody has won, or nobody can."""
        return bool(self.winner) or all(one.state in (FAILED, GIVEN_UP) for one in self.attempts)

    def __repr__(self) -> str:
        came = f"{self.winner} won" if self.winner else "nobody answered" if self.over else "under way"
        return f"<Race: {came}>"


def eyeballs_race(v6: float | str = 0.0, v4: float | str = 0.0, *, head_start: float = HEAD_START) -> Race:
    """Race to two addresses of loopback, ::1 and 127.0.0.1, and return who did what when.

    `v6` and `v4` are the seconds until each side's greeting is there, "refused" where nobody listens, or "silent" where
    connect() has no answer (on Linux). `head_start` is what IPv6 has before IPv4 is tried as well, in seconds. On a
    machine without ::1 the IPv6 attempt fails, and the race shows that. It ends when one has answered, when both have
    failed, or 4 s after both have begun (where one was asked to take longer than that, then).

    Raises ValueError for what is out of range, NotImplementedError for "silent" outside Linux.
    """
    return run(eyeballs_race_steps(v6, v4, head_start=head_start), "race")


def eyeballs_race_steps(v6: float | str = 0.0, v4: float | str = 0.0, *, head_start: float = HEAD_START) -> Steps[Race]:
    """`eyeballs_race`, a step for each look. Raises ValueError at once."""
    answers = checked("v6", v6), checked("v4", v4)
    return _measure(answers, want_seconds("head_start", head_start, LONGEST_HEAD_START))


def _measure(answers: tuple[float | str, float | str], head_start: float) -> Generator[tuple[float, Race], None, None]:
    v6, v4 = answers
    in_time = [answer for answer in (v6, v4) if isinstance(answer, float)]
    longest = head_start + max([PATIENCE, *(answer + 1.0 for answer in in_time)])
    expected = min([longest, *(head_start + answer for answer in in_time)])
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        first = _Runner("IPv6", socket.AF_INET6, v6, stack, selector)
        second = _Runner("IPv4", socket.AF_INET, v4, stack, selector)
        start = perf_counter()

        def look() -> Race:
            return Race(v6, v4, head_start, (first.attempt, second.attempt), perf_counter() - start)

        first.begin(0.0)
        while not look().over:
            now = perf_counter() - start
            yield min(now / expected, 0.99), look()
            waits = 0.0 if first.state == FAILED else head_start - now
            if second.state != UNNEEDED:
                waits = longest - now
            ready = selector.select(min(max(waits, 0.0), LOOK))
            now = perf_counter() - start
            for key, _ in ready:  # who has answered meanwhile comes before a clock that has run out
                if not look().winner:
                    key.data.step(now)
            if look().winner:
                break
            if second.state == UNNEEDED and (first.state == FAILED or now >= head_start):
                second.begin(now)
            elif now >= longest:
                break
        for one in (first, second):
            one.give_up(perf_counter() - start)
        yield 1.0, look()


class _Runner:
    """One attempt: a socket that must not block, in `selector` while it waits; closed by `stack` at the latest."""

    def __init__(
        self, name: str, family: socket.AddressFamily, answer: float | str, stack: ExitStack, selector: Any
    ) -> None:
        self.attempt = Attempt(name)
        self._family, self._stack, self._selector = family, stack, selector
        self._sock: socket.socket | None = None
        try:
            self._address: Any = listening(stack, family, answer)
        except OSError as exc:
            if exc.errno not in _MISSING:
                raise
            self._address = HOME[family], _DISCARD  # the attempt will fail as a client's does, with the same errno

    @property
    def state(self) -> str:
        return self.attempt.state

    def begin(self, now: float) -> None:
        self.attempt = replace(self.attempt, state=WAITING, began=now)
        try:
            with Uninterrupted():
                self._sock = self._stack.enter_context(socket.socket(self._family, socket.SOCK_STREAM))
            self._sock.setblocking(False)
            code = self._sock.connect_ex(self._address)
        except OSError as exc:
            code = exc.errno or errno.EIO
        if code not in (0, *_UNDER_WAY):
            self._fail(now, code)
        elif self._sock is not None:
            self._selector.register(self._sock, selectors.EVENT_WRITE, self)

    def step(self, now: float) -> None:
        """The socket has become writable: connect() is over. Or readable: the first byte, or the end, is there."""
        assert self._sock is not None
        if self.attempt.connected is None:
            if code := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._fail(now, code)
                return
            self.attempt = replace(self.attempt, connected=now)
            self._selector.modify(self._sock, selectors.EVENT_READ, self)
            return
        try:
            byte = self._sock.recv(1)
        except BlockingIOError:
            return
        except OSError as exc:
            self._fail(now, exc.errno or errno.EIO)
            return
        if byte:
            self._end(now, WON)
        else:
            self._fail(now, errno.ECONNRESET)

    def give_up(self, now: float) -> None:
        """The other one has won, or the time is up."""
        if self.state == WAITING:
            self._end(now, GIVEN_UP)

    def _fail(self, now: float, code: int) -> None:
        self._end(now, FAILED, errno.errorcode.get(code, str(code)))

    def _end(self, now: float, state: str, error: str = "") -> None:
        self.attempt = replace(self.attempt, state=state, ended=now, error=error)
        if self._sock is not None:
            if self._sock in self._selector.get_map():
                self._selector.unregister(self._sock)
            self._sock.close()


# -- the picture -------------------------------------------------------------------------------------------------------


@overload
def draw_eyeballs_race(race: Race, *, title: str = "", ax: None = None) -> Picture: ...
@overload
def draw_eyeballs_race(race: Race, *, title: str = "", ax: Axes) -> Axes: ...
def draw_eyeballs_race(race: Race, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """A lane for each attempt: hatched while it waits, a mark where it ends; the head start as a dashed line.

    Time in seconds since the race began; what was not needed has an empty lane.
    """
    from ...measure.plots import sheet

    picture, ax = sheet(ax, 2.2)
    _draw(ax, race, title or finding(race))
    return ax if picture is None else picture


def finding(race: Race) -> str:
    """What the race shows, in a line."""
    v6, v4 = race.attempts
    if not race.over:
        return "Nobody has answered yet"
    if not race.winner:
        return "Neither answered"
    if race.winner == "IPv6":
        return "IPv6 answered within its head start" if v4.began is None else "IPv4 had begun, and IPv6 was quicker"
    if v6.state == FAILED:
        return f"IPv6 failed ({v6.error}), so IPv4 began at once"
    return f"IPv6 kept silent for {seconds_text(race.head_start)}, and IPv4 answered first"


def last_words(attempt: Attempt) -> str:
    """How an attempt ended: stands beside its lane's end."""
    if attempt.state == WON:
        return f"first byte: {seconds_text(attempt.ended or 0.0, 2)}"
    return {FAILED: attempt.error, GIVEN_UP: "given up", UNNEEDED: "not needed"}.get(attempt.state, "waiting")


def waits_for(attempt: Attempt, until: float, end: float) -> str:
    """What an attempt waited for most of the time, until so many seconds; "" where that is a small part of `end`."""
    if attempt.began is None or until - attempt.began < 0.4 * end:
        return ""
    connected = until if attempt.connected is None else attempt.connected
    return "in connect()" if 2 * (connected - attempt.began) > until - attempt.began else "connected, waits for a byte"


def _draw(ax: Any, race: Race, title: str) -> None:
    from ...measure.plots import style, time_axis

    with style():
        end = max(race.seconds, race.head_start if race.attempts[1].began is not None else 0.0, 1e-3)
        for row, one in enumerate(race.attempts):
            words, at = last_words(one), 0.0
            if one.began is not None:
                at = race.seconds if one.ended is None else one.ended
                colour = {WON: "#9fd4c3", FAILED: "#f1c7a8"}.get(one.state, "#dfe3e8")
                hatch = "" if one.state == WON else "////"
                ax.broken_barh(
                    [(one.began, at - one.began)], (row - 0.3, 0.6), facecolor=colour, hatch=hatch,
                    edgecolor="#6b737c", linewidth=0.8,
                )  # fmt: skip
                mark, shade = {WON: ("o", "#009E73"), FAILED: ("X", "#D55E00")}.get(one.state, ("|", "#6b737c"))
                ax.plot([at], [row], mark, color=shade, markersize=9, clip_on=False, zorder=4)
                if inside := waits_for(one, at, end):
                    ax.text(
                        one.began + 0.012 * end, row, inside, va="center", fontsize=8.5,
                        bbox={"boxstyle": "square,pad=0.15", "fc": ax.get_facecolor(), "ec": "none"},
                    )  # fmt: skip
            ax.annotate(words, (at, row), (9, 0), textcoords="offset points", va="center", annotation_clip=False)
        if race.head_start <= end:
            ax.axvline(race.head_start, color="#1c2127", linestyle=(0, (4, 2)), linewidth=1.2)
            ax.annotate(
                "end of the head start", (race.head_start, 1), (4, -4), ("data", "axes fraction"), "offset points",
                va="top", fontsize=8.5,
            )  # fmt: skip
        ax.set_yticks(range(2), [one.family for one in race.attempts])
        ax.set_ylim(1.6, -0.9)
        ax.grid(False, axis="y")
        time_axis(ax, 0.0, end, False, "since the first connect()")
        ax.set_xlim(0, end * 1.3)
        ax.set_title(title)


#: Races as they were measured once, for machines without ::1. By what is the matter with IPv6.
_RECORDED = {
    "slow": Race(
        2.0,
        0.05,
        0.25,
        (Attempt("IPv6", GIVEN_UP, 0.0, 0.0007, 0.3030), Attempt("IPv4", WON, 0.2511, 0.2523, 0.3027)),
        0.3030,
    ),
    "quick": Race(0.05, 0.05, 0.25, (Attempt("IPv6", WON, 0.0, 0.0005, 0.0510), Attempt("IPv4")), 0.0510),
    "refused": Race(
        REFUSED,
        0.05,
        0.25,
        (Attempt("IPv6", FAILED, 0.0, None, 0.0002, "ECONNREFUSED"), Attempt("IPv4", WON, 0.0002, 0.0008, 0.0516)),
        0.0517,
    ),
    "silent": Race(
        SILENT,
        0.05,
        0.25,
        (Attempt("IPv6", GIVEN_UP, 0.0, None, 0.3106), Attempt("IPv4", WON, 0.2508, 0.2514, 0.3104)),
        0.3106,
    ),
}


def recorded_race(what: str) -> Race:
    """A race as it was measured once, to be shown on a machine without ::1. `what` was the matter with IPv6: "slow",
    "quick", "refused" or "silent"; IPv4 answers in 50 ms. Raises KeyError for anything else."""
    return _RECORDED[what]
