"""TCP's states and the ways between them, as in RFC 9293, 3.3.2 (figure 5 and the notes below it), and what a state
that was seen before and one that is seen now say about those in between.

The names are the kernel's (`socketlab.measure.kernel_table.STATES`); `rfc` has the RFC's. Linux's CLOSE is the RFC's
CLOSED, which stands for no state at all: there is no connection.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

CLOSED = "CLOSE"

WORDS = {
    "CLOSE": "no connection",
    "LISTEN": "waits for anybody's SYN",
    "SYN_SENT": "has sent a SYN and waits for the answer",
    "SYN_RECV": "has answered a SYN with its own and waits for the acknowledgement",
    "ESTABLISHED": "open: data may flow both ways",
    "FIN_WAIT1": "has sent its FIN, which is not acknowledged yet",
    "FIN_WAIT2": "its FIN is acknowledged; the other side may go on sending",
    "CLOSE_WAIT": "the other side's FIN has come; this side may go on sending, and has to close",
    "CLOSING": "both have sent a FIN; its own is not acknowledged yet",
    "LAST_ACK": "has sent its FIN last, and waits for the acknowledgement",
    "TIME_WAIT": "over; waits for stragglers, and to acknowledge the last FIN once more if need be",
}

#: Each way with what happens on it: the event / what is sent. "FIN_WAIT1 to TIME_WAIT" stands in a note of the RFC.
WAYS: dict[tuple[str, str], str] = {
    ("CLOSE", "LISTEN"): "listen()",
    ("CLOSE", "SYN_SENT"): "connect() / SYN",
    ("LISTEN", "SYN_RECV"): "SYN / SYN, ACK",
    ("SYN_SENT", "SYN_RECV"): "SYN / SYN, ACK",
    ("SYN_SENT", "ESTABLISHED"): "SYN, ACK / ACK",
    ("SYN_RECV", "ESTABLISHED"): "ACK",
    ("ESTABLISHED", "FIN_WAIT1"): "close() / FIN",
    ("ESTABLISHED", "CLOSE_WAIT"): "FIN / ACK",
    ("SYN_RECV", "FIN_WAIT1"): "close() / FIN",
    ("FIN_WAIT1", "FIN_WAIT2"): "ACK",
    ("FIN_WAIT1", "CLOSING"): "FIN / ACK",
    ("FIN_WAIT1", "TIME_WAIT"): "FIN, ACK / ACK",
    ("FIN_WAIT2", "TIME_WAIT"): "FIN / ACK",
    ("CLOSING", "TIME_WAIT"): "ACK",
    ("CLOSE_WAIT", "LAST_ACK"): "close() / FIN",
    ("LAST_ACK", "CLOSE"): "ACK",
    ("TIME_WAIT", "CLOSE"): "60 s",
    ("LISTEN", "CLOSE"): "close()",
    ("SYN_SENT", "CLOSE"): "close()",
}

# Ways that cannot be taken here: a listener does not connect, and two connects that meet take a bind() on both sides.
_NOT_HERE = {("SYN_SENT", "SYN_RECV"), ("CLOSE", "LISTEN"), ("SYN_RECV", "FIN_WAIT1")}

#: How a step is known: both states were seen; it lies on the only way; it is a reset, or nobody saw which way it went.
SEEN, ONLY, JUMP = "seen", "only", "jump"


class Step(NamedTuple):
    """From one state to another."""

    before: str
    after: str
    known: str  #: SEEN, ONLY or JUMP


def rfc(state: str) -> str:
    """``FIN-WAIT-1`` for the kernel's ``FIN_WAIT1``."""
    if state in ("CLOSE", "SYN_RECV"):
        return {"CLOSE": "CLOSED", "SYN_RECV": "SYN-RECEIVED"}[state]
    return state.replace("WAIT1", "WAIT_1").replace("WAIT2", "WAIT_2").replace("_", "-")


def steps(before: str, after: str, finished: bool = False) -> list[Step]:
    """The steps from one state to another, as far as they are certain.

    Where the diagram has one way only, that was the way. `finished` says that this side has sent its FIN, or taken
    back its SYN, by calling shutdown() or close(): only then a connection that is gone went in peace.
    """
    if before == after:
        return []
    if after == CLOSED:
        if before in ("LAST_ACK", "TIME_WAIT") or (finished and (before, after) in WAYS):
            return [Step(before, after, SEEN)]
        if before == "CLOSE_WAIT" and finished:
            return [Step(before, "LAST_ACK", ONLY), Step("LAST_ACK", after, ONLY)]
        return [Step(before, after, JUMP)]
    if (before, after) == ("CLOSE", "LISTEN"):
        return [Step(before, after, SEEN)]
    found = _ways(before, after)
    if len(found) != 1:
        return [Step(before, after, JUMP)]
    (path,) = found
    known = SEEN if len(path) == 2 else ONLY
    return [Step(a, b, known) for a, b in pairwise(path)]


def _ways(before: str, after: str) -> list[list[str]]:
    """All ways that lead there without a detour through CLOSED."""
    if before == after:
        return [[after]]
    nexts = [b for a, b in WAYS if a == before and b != CLOSED and (a, b) not in _NOT_HERE]
    return [[before, *path] for following in nexts for path in _ways(following, after)]
