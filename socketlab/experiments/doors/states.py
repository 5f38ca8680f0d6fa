"""The states of both ends of a TCP connection after each line of a program, as the kernel has them.

The lines run in this process, on two real sockets of one loopback connection, `client` and `server`. After each line
the kernel is asked until nothing is under way any more: until all that was sent is acknowledged, and both ends are in
states that last. So the picture has no FIN-WAIT-1, LAST-ACK or CLOSING: on loopback they take microseconds, or 40 ms
where an acknowledgement is delayed. It says through which states the way led, where there is one way only (RFC 9293,
3.3.2), and from the states what must have been sent: a FIN, or an RST.

An end without a descriptor is found in the kernel's table. Where a system shows none, a program that was recorded on
Linux is shown as it was recorded, and says so.
"""

from __future__ import annotations

import ast
import errno
import socket
import struct
import textwrap
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ...interrupts import Uninterrupted
from ..buffers.pairs import stream_pair
from . import wire
from .following import End, end_of
from .transitions import CLOSED, Step, rfc, steps

if TYPE_CHECKING:
    from ...measure.plots import Picture

__all__ = ["Moment", "States", "draw_states", "follow_states"]

BEGINNING = "(connected)"
_LASTING = {
    ("ESTABLISHED", "ESTABLISHED"), ("FIN_WAIT2", "CLOSE_WAIT"), ("CLOSE_WAIT", "FIN_WAIT2"), ("TIME_WAIT", CLOSED),
    (CLOSED, "TIME_WAIT"), (CLOSED, CLOSED),
}  # fmt: skip
_PATIENCE = 1.0  # seconds for a call that waits; where nobody acts, it never returns
_SETTLING = 2.0  # seconds for the kernel; a delayed acknowledgement takes 0.04
_LOOK = 0.0005
_LONGEST = 44  # characters of a line; what is longer is cut


class Moment(NamedTuple):
    """After one line of the program: the error that it raised ("" if none), and the state of each end."""

    code: str  #: "" for the beginning
    error: str
    client: str
    server: str
    reset: str = ""  #: which end sent an RST: "client", "server", or "" for none

    @property
    def line(self) -> str:
        """The first line of the statement, ended with … where there are more, or it is long."""
        first, _, more = self.code.partition("\n")
        line = f"{first} …" if more else first or BEGINNING
        return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


@dataclass(frozen=True, repr=False)
class States:
    """The moments of a program. Shows itself as a picture; its text is a table, the same on each run."""

    moments: tuple[Moment, ...]
    recorded: bool = False  #: this system does not tell: so it was on Linux

    def way(self, side: str, number: int) -> list[Step]:
        """The steps of "client" or "server" in the moment of that number, in so far as they are certain."""
        if not number:
            return []
        before, after = (getattr(self.moments[at], side) for at in (number - 1, number))
        return steps(before, after, finished=not self.moments[number].reset)

    def sent(self, number: int) -> tuple[str, str]:
        """What an end sent in that moment besides data, and which: ("FIN", "client"), ("RST", "server"), ("", "")."""
        if self.moments[number].reset:
            return "RST", self.moments[number].reset
        for side in ("client", "server"):
            if any(step.after in ("FIN_WAIT1", "LAST_ACK") for step in self.way(side, number)):
                return "FIN", side
        return "", ""

    def __repr__(self) -> str:
        rows = [("after", "client", "", "server", "")]
        for number, moment in enumerate(self.moments):
            what, who = self.sent(number)
            arrow = {"client": f"─ {what} ─►", "server": f"◄─ {what} ─"}.get(who, "")
            rows.append((moment.line, rfc(moment.client), arrow, rfc(moment.server), moment.error))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[Any, Any]:
        data, metadata = draw_states(self)._repr_mimebundle_()
        return {**data, "text/plain": repr(self)}, metadata


def follow_states(code: str, *, family: int = socket.AF_INET) -> States:
    """Connect `client` and `server`, run the statements of `code`, and ask after each where the two ends are.

    `socket` and `struct` are imported there already; nothing of the caller's is. A statement that raises is noted with
    its error, and the next one runs; a call on the two sockets waits for a second at most. Whatever the program leaves
    open is closed. `family` is AF_INET or AF_INET6.

    Raises SyntaxError for what is no Python; ValueError when there is no statement; OSError where the family does not
    work; NotImplementedError where this system does not tell the states, and the program was never recorded.
    """
    code = textwrap.dedent(code).strip()
    statements = ast.parse(code).body
    if not statements:
        raise ValueError("follow_states wanted lines of Python, but got none")
    with ExitStack() as stack:
        client, server = _connected(family, stack)
        pairs = {"client": (client.getsockname(), client.getpeername())}
        pairs["server"] = pairs["client"][::-1]
        if wire.in_the_table(family, pairs["client"]) is None:
            return _as_recorded(code)
        names: dict[str, Any] = {"socket": socket, "struct": struct, "client": client, "server": server}
        stack.callback(_close_all, names)
        both = {"client": client, "server": server}
        ends = _settled(family, both, pairs)
        moments = [Moment("", "", *_names(ends))]
        for statement in statements:
            error = ""
            try:
                exec(compile(ast.Module([statement], []), "<program>", "exec"), names)
            except Exception as exc:
                error = _in_words(exc)
            before, ends = ends, _settled(family, both, pairs)
            text = ast.get_source_segment(code, statement) or ""
            moments.append(Moment(text, error, *_names(ends), _who_reset(before, ends)))
    return States(tuple(moments))


def _connected(family: int, stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    with Uninterrupted():  # an interrupt between a socket and the line that keeps it would leave it open
        pair = stream_pair("tcp6" if family == socket.AF_INET6 else "tcp4")
        for sock in pair:
            stack.callback(wire.abort, sock)
            sock.settimeout(_PATIENCE)
    return pair


def _close_all(names: dict[str, Any]) -> None:
    for value in list(names.values()):
        if isinstance(value, socket.socket):
            wire.abort(value)


def _settled(family: int, both: dict[str, socket.socket], pairs: dict[str, Any]) -> dict[str, End]:
    """Where the two ends are, when nothing is under way any more."""
    until = time.monotonic() + _SETTLING
    while True:
        ends = {side: end_of(family, sock, pairs[side]) for side, sock in both.items()}
        under_way = any(end.unacked for end in ends.values() if end.state != CLOSED)
        if (_names(ends) in _LASTING and not under_way) or time.monotonic() > until:
            return ends
        time.sleep(_LOOK)


def _names(ends: dict[str, End]) -> tuple[str, str]:
    return ends["client"].state or "", ends["server"].state or ""


def _who_reset(before: dict[str, End], after: dict[str, End]) -> str:
    """Who sent an RST: both ends are gone at once, and TIME_WAIT is at neither. "" where there was none."""
    if _names(after) != (CLOSED, CLOSED) or _names(before) in ((CLOSED, CLOSED), (CLOSED, "TIME_WAIT")):
        return ""
    if _names(before) == ("TIME_WAIT", CLOSED):
        return ""
    closed = [side for side in after if before[side].held and not after[side].held]
    # One whose descriptor is gone: the line has closed it, or it answers data that nobody is there to read.
    return next(iter(closed or [side for side in after if not after[side].held]), "")


def _in_words(error: Exception) -> str:
    code = errno.errorcode.get(error.errno or 0, "") if isinstance(error, OSError) else str(error)
    return f"{type(error).__name__} {code}".rstrip()


# -- what was recorded -------------------------------------------------------------------------------------------------


def _as_recorded(code: str) -> States:
    from .recorded import RECORDED

    found = RECORDED.get(code)
    if found is None:
        raise NotImplementedError(
            "this system does not tell TCP's states without a descriptor, and this program was never recorded"
        )
    return States(tuple(Moment(*row) for row in found), recorded=True)


# -- the picture -------------------------------------------------------------------------------------------------------

_INK, _PALE, _ERROR, _LINE = "#1c2127", "#5c646d", "#9c3d00", "#dfe2de"
_TINTS = {
    "ESTABLISHED": "#a3d8c6", "FIN_WAIT2": "#a9cfe8", "CLOSE_WAIT": "#f6c3a0", "TIME_WAIT": "#e3bcd2",
    CLOSED: "#e3e6e8",
}  # fmt: skip
_BOX, _PAPER, _ROW = 1.45, 7.2, 0.52  # inches: a state's box, the paper between its margins, a row


def draw_states(states: States, title: str = "") -> Picture:
    """A ladder of states: the program's lines down the middle, a column for each end, boxes that last as states do.

    An arrow says what an end sent besides data. Its height depends on the number of lines alone. Raises ValueError
    where there is no moment.
    """
    from ...measure.plots import figure, style

    moments: Sequence[Moment] = states.moments
    if not moments:
        raise ValueError("draw_states wanted the moments of a program, but got none")
    picture = figure(height=round(0.75 + _ROW * len(moments), 2))
    (ax,) = picture.axes
    with style():
        for number, moment in enumerate(moments):
            _draw_line(ax, number, moment, *states.sent(number))
            for side, left in (("client", 0.0), ("server", _PAPER - _BOX)):
                _draw_state(ax, states, side, left, number)
        ax.set(xlim=(0, _PAPER), ylim=(len(moments) - 0.5, -0.5), yticks=[])
        ax.set_xticks([_BOX / 2, _PAPER - _BOX / 2], ["client", "server"], fontsize=10, color=_INK, fontweight="bold")
        ax.xaxis.tick_top()
        ax.tick_params(length=0)
        ax.grid(False)
        ax.set_facecolor("none")
        ax.spines[:].set_visible(False)
        ax.set_title(title or _finding(states), loc="left", fontsize=11, fontweight="bold", color=_INK)
        if states.recorded:
            ax.set_xlabel("as recorded on Linux: this system does not tell", loc="left", fontsize=9, color=_PALE)
    return picture


def _draw_line(ax: Any, number: int, moment: Moment, sent: str, who: str) -> None:
    middle = _PAPER / 2
    mono = {"family": "DejaVu Sans Mono"} if number else {"fontstyle": "italic"}
    raised = number - (0.14 if sent or moment.error else 0.0)
    text = moment.line if number else "connected"
    ax.text(middle, raised, text, ha="center", va="center", fontsize=8.5, color=_INK, **mono)
    if number:
        ax.hlines(number - 0.5, _BOX + 0.1, _PAPER - _BOX - 0.1, color=_LINE, linewidth=0.8, zorder=0)
    if sent:
        ends = (_BOX + 0.12, number + 0.24), (_PAPER - _BOX - 0.12, number + 0.24)
        begin, end = ends if who == "client" else ends[::-1]
        colour = _ERROR if sent == "RST" else _INK
        look = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", end, begin, arrowprops={**look, "linestyle": "--" if sent == "RST" else "-"})
        words = f"{sent}   {moment.error}" if moment.error else sent
        ground = {"fc": ax.figure.get_facecolor(), "ec": "none", "pad": 1.5}
        ax.text(middle, number + 0.24, words, ha="center", va="center", fontsize=8.5, color=colour, bbox=ground)
    elif moment.error:
        ax.text(middle, number + 0.22, f"✗ {moment.error}", ha="center", va="center", fontsize=8.5, color=_ERROR)


def _draw_state(ax: Any, states: States, side: str, left: float, number: int) -> None:
    state = getattr(states.moments[number], side)
    more = number + 1 < len(states.moments) and getattr(states.moments[number + 1], side) == state
    tall = 1.0 if more else 0.92
    ax.barh(number - 0.46, _BOX, tall, left=left, color=_TINTS.get(state, "#efe3c0"), align="edge")
    way = states.way(side, number)
    if number and not way:
        return  # as before: the box goes on, and is named where it begins
    through = [rfc(step.after) for step in way[:-1]]
    middle = left + _BOX / 2
    ax.text(middle, number - 0.1 * bool(through), rfc(state), ha="center", va="center", fontsize=9.5, color=_INK)
    if through:
        words = f"through {', '.join(through)}"
        ax.text(middle, number + 0.22, words, ha="center", va="center", fontsize=7.5, color=_PALE)


def _finding(states: States) -> str:
    last = states.moments[-1]
    for side in ("client", "server"):
        if getattr(last, side) == "TIME_WAIT":
            return f"TIME-WAIT is at the {side}'s end, which sent its FIN first"
    reset = next((moment.reset for moment in states.moments if moment.reset), "")
    if reset:
        return f"The {reset}'s end sent an RST: both are closed, and TIME-WAIT is at neither"
    return "Where the kernel has the two ends after each line"
