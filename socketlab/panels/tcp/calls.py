"""The calls of the TCP panel: which there are, what they send, and how one is written down."""

from __future__ import annotations

from typing import NamedTuple

#: The calls of each side.
CALLS = {
    "listener": ("listen", "accept", "close"),
    "client": ("socket", "connect", "send", "recv", "shutdown", "close", "reset"),
    "server": ("send", "recv", "shutdown", "close", "reset"),
}

#: What is said of a call that had nothing to return in time.
WAITS = {
    "accept": "waits: nobody is in the queue",
    "connect": "waits: no answer yet",
    "recv": "waits: nothing has come",
    "send": "waits: the send buffer is full",
}

#: What is sent.
GREETING = {"client": b"hello", "server": b"welcome"}


class Call(NamedTuple):
    """One line of the record: which side called what, and what came of it."""

    number: int
    side: str
    text: str
    outcome: str
    kind: str  #: "done", "waits", "failed", or "wire" for what is done to the wire
