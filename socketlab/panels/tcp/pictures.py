"""What the TCP panel says in words: a row for each end, and the calls. Pure functions from the model to HTML."""

from __future__ import annotations

from html import escape
from math import ceil

from ...experiments.doors.following import SIDES, End
from ...experiments.doors.transitions import WORDS, rfc
from ..drawing.look import GREEN, GREY, ORANGE, RED, code, count, dot
from .calls import Call
from .diagram import COLOURS

SHOWN = 12  # calls
_MARKS = {"done": GREEN, "waits": ORANGE, "failed": RED, "wire": GREY}


def status_picture(ends: dict[str, End]) -> str:
    """A row for each side: its state, what that means, and what the kernel waits for."""
    rows = "".join(
        f"<tr><td class='sl-tight'>{dot(COLOURS[side][0])}{side}</td>"
        f"<td class='sl-tight'><b>{_word(ends[side])}</b></td>"
        f"<td class='sl-wide'>{escape(_meaning(side, ends[side]))}</td></tr>"
        for side in SIDES
    )
    return f"<div role='status'><table class='sl'><tbody>{rows}</tbody></table></div>"


def _word(end: End) -> str:
    if end.state is None:
        return "?"
    return rfc(end.state) if end.state else "–"


def _meaning(side: str, end: End) -> str:
    if end.state is None:
        return "this system does not tell what became of a closed socket"
    if not end.state:
        return "nobody has connected yet"
    parts = [WORDS[end.state]]
    if end.timer == "retransmit":
        again = f", has sent it again {count(end.retransmits, 'time')}" if end.retransmits else ""
        parts.append(f"sends again in {end.left:.1f} s{again}")
    elif end.timer == "time wait":
        parts.append(f"{ceil(end.left)} s left")
    elif end.timer:
        parts.append(f"{end.timer} in {end.left:.1f} s")
    if side == "listener":
        if end.waiting is not None:
            parts.append(f"{end.waiting} in its queue")
    elif end.waiting:
        parts.append(f"{count(end.waiting, 'byte')} to be received")
    if end.elsewhere:
        parts.append("a cell has its descriptor")
    elif not end.held and end.state != "CLOSE":
        queued = side == "server" and end.state in ("SYN_RECV", "ESTABLISHED")
        parts.append("not accepted yet" if queued else "it has no descriptor")
    return "; ".join(parts)


def calls_picture(calls: tuple[Call, ...]) -> str:
    """The last calls, the oldest first."""
    if not calls:
        return "<div class='sl-head'>Calls</div><div>none yet</div>"
    rows = "".join(
        f"<tr><td>{call.number}</td><td class='sl-tight'>{dot(COLOURS[call.side][0])}{call.side}</td>"
        f"<td class='sl-tight'>{escape(call.text) if call.kind == 'wire' else code(call.text)}</td>"
        f"<td class='sl-wide'>{dot(_MARKS[call.kind]) if call.outcome else ''}{escape(call.outcome)}</td></tr>"
        for call in calls[-SHOWN:]
    )
    earlier = f": {count(calls[-1].number - SHOWN, 'earlier one')} not shown" if calls[-1].number > SHOWN else ""
    return (
        f"<div class='sl-head'>Calls{earlier}</div><table class='sl'><thead><tr><th></th><th>side</th><th>call</th>"
        f"<th>what came of it</th></tr></thead><tbody>{rows}</tbody></table>"
    )
