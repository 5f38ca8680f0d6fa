"""The exercises of lesson 01: make a socket, make many or none, hand a conversation over, look at a lent number.

Each of them opens sockets or takes some over, so each is asked the same at its end: who has the numbers now? Where they
run out, they really do: the limit of the process is lowered (setrlimit(2)) for as long as the answer runs.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..attempt import Attempt
from ..definition import Exercise
from ..seen import Seen
from ..words import shown

LESSON = "01_what_a_socket_is"
SOON = 0.3  # seconds for what has happened already: both ends are in this process

udp_socket = Exercise(
    "udp_socket",
    lesson=LESSON,
    wants="udp_socket()",
    task="Return a new socket for datagrams over IPv4 that names its protocol: `proto` must not be 0.",
    hints=(
        "`socket.socket()` takes three arguments: family, type, protocol.",
        "The panel says which protocol is the usual one for `AF_INET` with `SOCK_DGRAM`.",
        "The module's names for protocols begin with `IPPROTO_`.",
    ),
)

pairs = Exercise(
    "pairs",
    lesson=LESSON,
    wants="pairs(n)",
    task="Return the sockets of `n` socketpairs in one list; where one cannot be made, close the others and let the "
    "error go to the caller.",
    hints=(
        "Begin with an empty list, and `extend` it by each pair: then you know at any moment what is open.",
        "The error comes in the middle of the loop, so the `try` stands around the loop.",
        "A bare `raise`, at the end of the `except` block, sends the error on that is being handled.",
    ),
)

renew = Exercise(
    "renew",
    lesson=LESSON,
    wants="renew(old)",
    task="Return a new socket object for the conversation of `old`, with the same timeout; `old` lets go of it.",
    hints=(
        "`detach()` takes the number away from `old`, and returns it.",
        "Let the kernel say what is behind the number: `fileno=` is all that the new object needs to be told.",
        "The object knows one thing that the kernel does not: `old.gettimeout()` reads it, `settimeout()` sets it.",
    ),
)

kind_of = Exercise(
    "kind_of",
    lesson=LESSON,
    wants="kind_of(number)",
    task="Return the names of family and type of the socket behind a number that is lent to you, or None where it is "
    "no socket.",
    hints=(
        "An object around the number can tell: `.family.name` and `.type.name`.",
        "When that object is closed, or destroyed, it closes the number. It has to forget it first: `detach()`.",
        "To make the object can fail for two reasons; `error.errno` is `errno.ENOTSOCK` where the number is a file's.",
    ),
)


# -- what the scenarios share ------------------------------------------------------------------------------------------


def opened(attempt: Attempt, value: Any) -> socket.socket:
    """`value`, which has to be an open socket; it is closed when the scenario is over."""
    attempt.want(isinstance(value, socket.socket), "it returns a socket", f"it returned {shown(value)}")
    attempt.keep(value)
    attempt.want(value.fileno() >= 0, "it returns an open socket", "it returned a closed one")
    return value  # type: ignore[no-any-return]


def hears(attempt: Attempt, speaker: socket.socket, listener: socket.socket, words: bytes, who: str) -> None:
    """What `speaker` says has to arrive at `listener`."""
    listener.settimeout(SOON)
    try:
        speaker.sendall(words)
        came = shown(listener.recv(100))
    except OSError as exc:
        came = "nothing" if isinstance(exc, TimeoutError) else type(exc).__name__
    attempt.want(came == shown(words), f"{who} {shown(words)}", came)


def unix_pair(attempt: Attempt, kind: int = socket.SOCK_STREAM) -> tuple[socket.socket, socket.socket]:
    left, right = socket.socketpair(type=kind)
    return attempt.keep(left), attempt.keep(right)


@contextmanager
def numbers_left(count: int) -> Iterator[None]:
    """Whoever opens something gets `count` more descriptors, and then EMFILE (getrlimit(2), RLIMIT_NOFILE)."""
    import resource

    # New descriptors get the lowest free numbers, so that the limit is the number after those that may be had.
    probes = [os.open(os.devnull, os.O_RDONLY) for _ in range(count + 1)]
    for probe in probes:
        os.close(probe)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(probes), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def not_a_socket(seen: Seen) -> bool:
    return seen.returned and not isinstance(seen.result, socket.socket)


# -- udp_socket --------------------------------------------------------------------------------------------------------


@udp_socket.scenario("what it says of itself")
def says(attempt: Attempt) -> None:
    made = opened(attempt, attempt.call())
    attempt.equal(made.family.name, "AF_INET", "family")
    attempt.equal(made.type.name, "SOCK_DGRAM", "type")
    attempt.equal(made.proto, int(socket.IPPROTO_UDP), "proto")


@udp_socket.scenario("two calls, two sockets")
def two(attempt: Attempt) -> None:
    first, second = attempt.call(), attempt.call()
    attempt.seen.facts["same"] = first is second
    attempt.want(first is not second, "another socket at the second call", "the same one")
    opened(attempt, first), opened(attempt, second)


@udp_socket.scenario("a datagram goes from one to the other")
def datagram(attempt: Attempt) -> None:
    first, second = opened(attempt, attempt.call()), opened(attempt, attempt.call())
    try:
        first.bind(("127.0.0.1", 0))
        second.connect(first.getsockname())
    except OSError as exc:
        attempt.want(False, "sockets that are as they were made", f"{type(exc).__name__} at their first use")
    hears(attempt, second, first, b"hello", "the other one hears")


@udp_socket.misconception("returns-number", advice="Call socket.socket() with the three, and return what it returns.")
def udp_number(seen: Seen) -> str | None:
    if not not_a_socket(seen) or seen.result is None:
        return None
    return f"It returned {shown(seen.result)}: a protocol's number only names a socket's rules, it is not a socket."


@udp_socket.misconception("closed-on-return", advice="Leave the closing to the caller, who gets the socket.")
def udp_closed(seen: Seen) -> str | None:
    if "closed one" not in seen.came:
        return None
    return "The socket that it returned is closed: a with block closes at its end, also when a return leaves it."


@udp_socket.misconception("stream", advice="Ask for the type SOCK_DGRAM.")
def udp_stream(seen: Seen) -> str | None:
    if not seen.came.startswith("type 'SOCK_STREAM'"):
        return None
    return "It made a stream, which remembers no single messages: that is what Python takes when you name no type."


@udp_socket.misconception("proto-left-out", advice="Name the protocol as the third argument.")
def udp_proto(seen: Seen) -> str | None:
    if seen.came != "proto 0":
        return None
    return "Its proto is 0: the kernel took UDP, but the object repeats what was asked for, and that was nothing."


@udp_socket.misconception("other-protocol", advice="Take the protocol that carries datagrams: the panel names it.")
def udp_other(seen: Seen) -> str | None:
    if not (isinstance(seen.error, OSError) and seen.error.errno == errno.EPROTONOSUPPORT):
        return None
    return "The kernel refused the three together (EPROTONOSUPPORT): this protocol carries no datagrams."


@udp_socket.misconception("same-socket", advice="Call socket.socket() inside the function, each time.")
def udp_same(seen: Seen) -> str | None:
    if not seen.facts.get("same"):
        return None
    return "Both calls returned the same socket: whoever closes the one has closed the other."


# -- pairs -------------------------------------------------------------------------------------------------------------


def sockets_in(attempt: Attempt, value: Any) -> list[socket.socket]:
    """The sockets in a list, or in the tuples of a list; they are closed when the scenario is over."""
    parts = [part for item in value for part in (item if isinstance(item, tuple) else (item,))]
    return [attempt.keep(part) for part in parts if isinstance(part, socket.socket)]


@pairs.scenario("three pairs")
def three(attempt: Attempt) -> None:
    result = attempt.call(3)
    attempt.want(isinstance(result, (list, tuple)), "a list of 6 sockets", shown(result))
    found, facts = sockets_in(attempt, result), attempt.seen.facts
    facts["nested"] = any(isinstance(part, (tuple, list)) for part in result)
    attempt.want(isinstance(result, list) and not facts["nested"], "a list of 6 sockets", shown(result))
    facts["closed"] = sum(sock.fileno() < 0 for sock in found)
    facts["repeated"] = len(found) - len(set(map(id, found)))
    attempt.want(len(found) == len(result) == 6, "a list of 6 sockets", f"a list of {len(result)}")
    attempt.want(not facts["repeated"], "6 sockets", f"{6 - facts['repeated']}, some of them more than once")
    attempt.want(not facts["closed"], "6 open sockets", f"{facts['closed']} of them are closed")
    facts["alone"] = alone(found)
    attempt.want(not facts["alone"], "each is joined with another", f"{facts['alone']} have no peer in the list")


def alone(sockets: list[socket.socket]) -> int:
    """How many of the sockets do not hear one other of them."""
    heard: list[int | None] = []
    for number, sock in enumerate(sockets):
        try:
            sock.sendall(bytes([number]))
        except OSError:
            return len(sockets)  # it has no peer at all
    for sock in sockets:
        sock.settimeout(SOON)
        try:
            data = sock.recv(100)
        except OSError:
            data = b""
        heard.append(data[0] if len(data) == 1 else None)
    return sum(n is None or heard[n] != number for number, n in enumerate(heard))


@pairs.scenario("no pair at all")
def none(attempt: Attempt) -> None:
    attempt.equal(attempt.call(0), [])


@pairs.scenario("no numbers are left for the first pair")
def out_at_once(attempt: Attempt) -> None:
    runs_out(attempt, 3, leaves=1)


@pairs.scenario("the numbers run out at the third pair")
def out_at_third(attempt: Attempt) -> None:
    runs_out(attempt, 5, leaves=5)


def runs_out(attempt: Attempt, n: int, *, leaves: int) -> None:
    """An odd number of descriptors is left: one is for those who count what is open."""
    if sys.platform == "win32":
        return  # it has no limit that could be lowered
    with numbers_left(leaves):
        error = attempt.raises(OSError, n)
    attempt.equal(errno.errorcode.get(getattr(error, "errno", None) or 0, ""), "EMFILE", "its errno")
    attempt.nothing_left_open()


@pairs.misconception("nested", advice="Extend the list by each pair (+= does it): append adds the pair as one thing.")
def pairs_nested(seen: Seen) -> str | None:
    return "The list has tuples in it, two sockets in each." if seen.facts.get("nested") else None


@pairs.misconception("repeated", advice="Call socketpair() once for each pair.")
def pairs_repeated(seen: Seen) -> str | None:
    if not seen.facts.get("repeated"):
        return None
    calls = len(seen.made("socketpair"))
    how_often = "once" if calls == 1 else f"{calls} times"
    return f"It called socketpair() {how_often}: repeating a list repeats its objects, and makes no new ones."


@pairs.misconception("closed-on-return", advice="Close on the way out only where an error is on its way.")
def pairs_closed(seen: Seen) -> str | None:
    if not seen.facts.get("closed"):
        return None
    return "It returned closed sockets: with and finally close at the end in any case, also after a success."


@pairs.misconception("alone", advice="Make them with socketpair(): it joins the two.")
def pairs_alone(seen: Seen) -> str | None:
    if not seen.facts.get("alone"):
        return None
    return "Its sockets have no peers: socket.socket() makes one end, and nobody has joined it to another."


@pairs.misconception("error-swallowed", advice="End the except block with a bare raise.")
def pairs_swallowed(seen: Seen) -> str | None:
    if not (seen.returned and seen.failed("OSError")):
        return None
    return "socketpair() raised EMFILE, and it returned all the same: its caller takes that for success."


@pairs.misconception("leaks-on-error", advice="Put a try around the loop; on an error close what is there, then raise.")
def pairs_leaks(seen: Seen) -> str | None:
    if not (seen.left_open and seen.failed("OSError")):
        return None
    n = seen.left_open
    return f"The error went to the caller, and {n} sockets stayed open behind it: nobody has them, nobody closes them."


# -- renew -------------------------------------------------------------------------------------------------------------


@renew.scenario("both ends go on talking")
def moved(attempt: Attempt) -> None:
    left, right = unix_pair(attempt)
    new = renewed(attempt, left)
    attempt.equal(new.family.name, "AF_UNIX", "family")
    hears(attempt, new, right, b"moved", "its peer hears")
    hears(attempt, right, new, b"heard", "it hears")


@renew.scenario("one close() ends the conversation")
def one_owner(attempt: Attempt) -> None:
    left, right = unix_pair(attempt)
    new = renewed(attempt, left)
    left.close()  # somebody tidies up: it must not hurt
    hears(attempt, new, right, b"still here", "its peer hears")
    new.close()
    attempt.seen.facts["lives on"] = True  # until its peer has heard the end
    right.settimeout(SOON)
    try:
        came = shown(right.recv(100))
    except OSError as exc:
        came = "nothing" if isinstance(exc, TimeoutError) else type(exc).__name__
    attempt.want(came == "b''", "its peer hears b''", came)
    attempt.seen.facts["lives on"] = False


@renew.scenario("a TCP connection, then datagrams")
def other_kinds(attempt: Attempt) -> None:
    client, server = attempt.connection()
    for old, peer in ((client, server), unix_pair(attempt, socket.SOCK_DGRAM)):
        wanted = (old.family.name, old.type.name)
        new = renewed(attempt, old)
        attempt.equal((new.family.name, new.type.name), wanted)
        hears(attempt, new, peer, b"moved", "its peer hears")


@renew.scenario("a socket with a timeout")
def with_timeout(attempt: Attempt) -> None:
    left, _ = unix_pair(attempt)
    left.settimeout(2.5)
    new = renewed(attempt, left)
    attempt.equal(new.gettimeout(), 2.5, "its timeout is")


def renewed(attempt: Attempt, old: socket.socket) -> socket.socket:
    result, facts = attempt.call(old), attempt.seen.facts
    facts["same"] = result is old
    attempt.want(not facts["same"], "a new object", "the old one")
    new = opened(attempt, result)
    facts["shared"], facts["kept"] = new.fileno() == old.fileno(), old.fileno() >= 0
    attempt.want(not facts["kept"], "old.fileno() is -1", "old still has its number")
    attempt.nothing_left_open()
    return new


@renew.misconception("returns-number", advice="Put a new object around the number: socket.socket(fileno=number).")
def renew_number(seen: Seen) -> str | None:
    if not (seen.returned and type(seen.result) is int):
        return None
    return "It returned what detach() returned: a bare number, which has no methods and is closed by nobody."


@renew.misconception("same-object", advice="Make a second object; the first one lets go with detach().")
def renew_same(seen: Seen) -> str | None:
    return "It returned the object that it was given." if seen.facts.get("same") else None


@renew.misconception("closed-on-return", advice="Return the new object open: its owner is the caller.")
def renew_closed(seen: Seen) -> str | None:
    if "closed one" not in seen.came:
        return None
    return "The object that it returned is closed: a with block closes at its end, also when a return leaves it."


@renew.misconception("closed-first", advice="detach() instead of close(): it gives the number to you, not back.")
def renew_closed_first(seen: Seen) -> str | None:
    if not (isinstance(seen.error, OSError) and seen.error.errno == errno.EBADF and seen.made("close")):
        return None
    return "close() gave the number back to the kernel, and the conversation ended with it: nothing is behind it now."


@renew.misconception("one-number-two-owners", advice="Take the number with detach(): then only the new object has it.")
def renew_shared(seen: Seen) -> str | None:
    if not seen.facts.get("shared"):
        return None
    return "Two objects hold the same number, and each will close it: the first to do so closes it for the other."


@renew.misconception("two-numbers", advice="Close the old object, or detach instead of duplicating.")
def renew_two(seen: Seen) -> str | None:
    if not (seen.facts.get("kept") or seen.facts.get("lives on")):
        return None
    return "A second number leads to the same conversation: the peer hears no end before both are closed."


@renew.misconception("told-not-asked", advice="Leave family and type out: with fileno= alone the kernel is asked.")
def renew_told(seen: Seen) -> str | None:
    if not ("AF_" in seen.came and "AF_" in seen.expected):
        return None
    return f"It says {seen.came.removeprefix('family ')}, and is not: that is what the new object was told it is."


@renew.misconception("timeout-lost", advice="Read it from the old object, gettimeout(), and set it on the new one.")
def renew_timeout(seen: Seen) -> str | None:
    if not seen.came.startswith("its timeout is"):
        return None
    return "The timeout stayed behind: it lives in the Python object, and detach() hands over the number alone."


# -- kind_of -----------------------------------------------------------------------------------------------------------


@kind_of.scenario("one of a pair")
def lent_pair(attempt: Attempt) -> None:
    lend(attempt, unix_pair(attempt), ("AF_UNIX", "SOCK_STREAM"))


@kind_of.scenario("datagrams over IPv4")
def lent_datagrams(attempt: Attempt) -> None:
    one, other = (attempt.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2))
    other.bind(("127.0.0.1", 0))
    one.connect(other.getsockname())
    lend(attempt, (one, other), ("AF_INET", "SOCK_DGRAM"))


def lend(attempt: Attempt, ends: tuple[socket.socket, socket.socket], wanted: tuple[str, str]) -> None:
    lender, peer = ends
    result = attempt.call(lender.fileno())
    try:
        os.fstat(lender.fileno())
    except OSError:
        attempt.seen.facts["gone"] = True
        attempt.want(False, "the number is still its owner's", "it is closed")
    attempt.equal(result, wanted)
    attempt.nothing_left_open()
    hears(attempt, lender, peer, b"mine again", "the peer of its owner hears")


@kind_of.scenario("the number of a file")
def lent_file(attempt: Attempt) -> None:
    with open(os.devnull, "rb") as file:
        attempt.equal(attempt.call(file.fileno()), None)
        try:
            os.fstat(file.fileno())
        except OSError:
            file.detach()  # or closing it would fail, too
            attempt.seen.facts["gone"] = True
            attempt.want(False, "the file is still its owner's", "it is closed")


@kind_of.scenario("a number that nobody has")
def lent_nothing(attempt: Attempt) -> None:
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    error = attempt.raises(OSError, free)
    attempt.equal(errno.errorcode.get(getattr(error, "errno", None) or 0, ""), "EBADF", "its errno")


@kind_of.misconception("closes-what-is-lent", advice="Let the object forget the number before it ends: detach().")
def kind_closes(seen: Seen) -> str | None:
    if not (seen.facts.get("gone") and seen.made("close")):
        return None
    return "It closed the number, which was only lent: with and close() close it for its owner as well."


@kind_of.misconception("destroyed-with-it", advice="Let the object forget the number before it ends: detach().")
def kind_destroyed(seen: Seen) -> str | None:
    if not seen.facts.get("gone"):
        return None
    return "Its object was destroyed when it returned, and closed the number that it held, which was only lent."


@kind_of.misconception("told-not-asked", advice="Use socket.socket(fileno=number), which asks the kernel.")
def kind_told(seen: Seen) -> str | None:
    if not (isinstance(seen.result, tuple) and "AF_" in seen.came and "AF_" in seen.expected):
        return None
    return "What it returned is what it had told the object: family and type that you pass along are believed."


@kind_of.misconception("file-unexpected", advice="Catch OSError, and return None where its errno is ENOTSOCK.")
def kind_file(seen: Seen) -> str | None:
    if not (isinstance(seen.error, OSError) and seen.error.errno == errno.ENOTSOCK):
        return None
    return "The number was a file's: the kernel was asked for the socket behind it, and said ENOTSOCK."


@kind_of.misconception("every-error-is-none", advice="Catch what you can answer, ENOTSOCK, and let the others through.")
def kind_every(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected == "it raises OSError"):
        return None
    return "The kernel said EBADF, no such number, and the caller was told that it is no socket: two different things."


@kind_of.misconception("duplicate-left", advice="Close the duplicate (os.dup, socket.fromfd): that one is yours.")
def kind_duplicate(seen: Seen) -> str | None:
    if not (seen.left_open or seen.unclosed):
        return None
    return "It made a second number for the socket, and left it to chance who closes that one."
