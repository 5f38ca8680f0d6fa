"""How a look-up fails: each way by name, and what it means in a sentence (RFC 3493, 6.1; gai_strerror(3))."""

from __future__ import annotations

import socket

MEANINGS = {
    "EAI_ADDRFAMILY": "The host exists, but has no address of the family asked for.",
    "EAI_AGAIN": "No name server answered: this may pass, so try again later.",
    "EAI_BADFLAGS": "The flags do not go together, or this C library does not know one of them.",
    "EAI_FAIL": "The name server answered that it cannot answer: trying again will not help.",
    "EAI_FAMILY": "This C library does not know the family.",
    "EAI_MEMORY": "There was no memory for the answer.",
    "EAI_NODATA": "The name exists, but no address is stored under it.",
    "EAI_NONAME": "Nobody knows this host or service by that name, or the flags forbid to look it up.",
    "EAI_OVERFLOW": "The answer is longer than the room for it.",
    "EAI_SERVICE": "No such service for this type of socket, or the port is no number that it can have.",
    "EAI_SOCKTYPE": "The type is unknown, or the protocol does not go with it.",
    "EAI_SYSTEM": "A system call failed on the way: errno tells which way.",
}
_CODES = {getattr(socket, name): name for name in dir(socket) if name.startswith("EAI_")}


def explain(error: BaseException) -> tuple[str, str, str]:
    """An exception of a look-up: its EAI_ name or its own, its words, and what it means in one sentence."""
    if isinstance(error, socket.gaierror):
        kind = _CODES.get(error.errno, f"error {error.errno}")
        return kind, str(error.strerror), MEANINGS.get(kind, "A code of this C library alone.")
    meaning = "Python refused the arguments, so the C library was not asked."
    if isinstance(error, UnicodeError):
        meaning = (
            "Python turns a name into ASCII (IDNA) before it asks, and this one cannot be: each part between two dots "
            "takes 1 to 63 bytes, and only certain characters."
        )
    return type(error).__name__, str(error), meaning
