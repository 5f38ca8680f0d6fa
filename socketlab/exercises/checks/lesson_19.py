"""The exercises of lesson 19: connections that begin together, a wait with any number of sockets, an edge to drain.

Over loopback an attempt to connect has ended before `connect_ex` returns, except where the queue of the listener is
full; so time is only asked for where nobody answers. What is to be read has arrived before the answer is called.
"""

from __future__ import annotations

import errno
import select
import socket
import sys
import time
from _socket import socket as _Socket
from contextlib import suppress
from typing import Any

from ...experiments.doors.wire import abort
from ...handlers import echo
from ..attempt import Attempt
from ..definition import Exercise
from ..dribble import arrived, unread
from ..seen import Seen
from ..words import shown

LESSON = "19_readiness"

PATIENCE = 2.0  # seconds, for what the kernel brings about
RINGS = 0.1  # seconds that an attempt may take where nobody answers
ALONE = 0.05
MANY = 20  # attempts that nobody answers: one after the other they take MANY * RINGS, together RINGS
EARLY = 0.8  # of its time: who returns before that has not waited

HIGH = 1024  # the first number that select() refuses: FD_SETSIZE
CROWD = 1030  # more than the 1,023 that epoll's poll() names when it is not told how many

MOST = 1000
LARGE = 50_000  # bytes that fit into a receive buffer, and not into one recv of the usual size
CLOSED = "it is closed"

connect_each = Exercise(
    "connect_each",
    lesson=LESSON,
    wants="connect_each(addresses, seconds)",
    task="Begin a connection to each of `addresses` at once; return a list with a connected socket for each, or the "
    "number of the error, errno.ETIMEDOUT after `seconds` for all of them together.",
    hints=(
        "Begin all of them before you wait for any: setblocking(False), then connect_ex().",
        "connect_ex() returns EINPROGRESS where it goes on, and another number where it has failed already.",
        "An attempt has ended when its socket is writable. How it ended, getsockopt(SOL_SOCKET, SO_ERROR) says.",
        "Wait in a loop for those that ring still, with the time that is left; then close them.",
    ),
    deadline=1.0,
)

readable_among = Exercise(
    "readable_among",
    lesson=LESSON,
    wants="readable_among(socks, seconds)",
    task="Wait until one of `socks` can be read from, `seconds` at most; return all of those that can, in their order.",
    hints=(
        "select() refuses a descriptor above 1,023; poll() and epoll do not.",
        "A poll object counts in milliseconds, an epoll object in seconds.",
        "What comes back are descriptors and bits: a set of the descriptors helps to pick the sockets, in their order.",
        "epoll's poll() names 1,023 at most, unless its second argument says how many.",
    ),
    deadline=1.0,
)

drain_edge = Exercise(
    "drain_edge",
    lesson=LESSON,
    wants="drain_edge(sock, most)",
    task='Read from the non-blocking `sock` what is there, `most` bytes at most; return the bytes and "empty" (the '
    'kernel had no more), "more" (`most` are read), or "end" (the peer has said its last word).',
    hints=(
        "Only BlockingIOError says that there is nothing more, and only b'' that there never will be.",
        "Ask for no more than is missing: `most` less what you have.",
        "Keep the bytes when b'' comes behind them: both belong into the answer.",
        "Catch BlockingIOError, and no other OSError: a reset belongs to the caller.",
    ),
    deadline=0.8,
)


# -- connect_each ------------------------------------------------------------------------------------------------------


def peer_of(sock: socket.socket) -> Any:
    """The address that it is connected to, None without one; nobody's trace sees this look."""
    try:
        return _Socket.getpeername(sock)
    except OSError:
        return None


def outcome(value: object) -> str:
    """An entry of the list in words."""
    if isinstance(value, socket.socket):
        if _Socket.fileno(value) < 0:
            return "a closed socket"
        return "a connected socket" if peer_of(value) else "a socket that is not connected"
    if isinstance(value, int) and value in errno.errorcode:
        return errno.errorcode[value]
    return shown(value)


def connects(attempt: Attempt, wanted: list[tuple[Any, int]], seconds: float) -> None:
    """Connect to each address; `wanted` has the number of the error behind each, 0 for a connection."""
    facts = attempt.seen.facts
    facts["wanted"] = [number for _, number in wanted]
    began = time.monotonic()
    results = attempt.call([address for address, _ in wanted], seconds)
    took = time.monotonic() - began
    right = isinstance(results, list) and len(results) == len(wanted)
    attempt.want(right, f"a list of {len(wanted)}", f"it returned {shown(results)}")
    for result in results:
        if isinstance(result, socket.socket):
            attempt.keep(result)
    for result, (address, number) in zip(results, wanted, strict=True):
        facts["result"], facts["number"] = result, number
        expected = errno.errorcode[number] if number else "a connected socket"
        attempt.want(outcome(result) == expected, expected, outcome(result))
        if not number:
            attempt.want(peer_of(result) == address, "a connection to that address", "one to another address")
            result.settimeout(0.5)
            result.sendall(b"?")
            attempt.equal(result.recv(1), b"?", "through it comes")
    if errno.ETIMEDOUT in facts["wanted"]:
        facts["early"] = took < seconds * EARLY
        attempt.want(not facts["early"], "it waits as long as it may", "it returned before")


@connect_each.scenario("one that answers")
def one_answers(attempt: Attempt) -> None:
    connects(attempt, [(attempt.server(echo).address, 0)], 1.0)


@connect_each.scenario("one that stays silent")
def one_silent(attempt: Attempt) -> None:
    connects(attempt, [(attempt.silent_address(), errno.ETIMEDOUT)], ALONE)


@connect_each.scenario("one that refuses")
def one_refuses(attempt: Attempt) -> None:
    connects(attempt, [(attempt.closed_port(), errno.ECONNREFUSED)], 1.0)


@connect_each.scenario("one that fails at once, without EINPROGRESS")
def one_at_once(attempt: Attempt) -> None:
    everybody = ("127.255.255.255", 9)  # a broadcast address is nobody's, for TCP
    with socket.socket() as sock:
        number = _Socket.connect_ex(sock, everybody)
    connects(attempt, [(everybody, number or errno.ENETUNREACH)], 1.0)


@connect_each.scenario("a silent one, one that refuses, and one that answers")
def mixed(attempt: Attempt) -> None:
    silent, nobody, server = attempt.silent_address(), attempt.closed_port(), attempt.server(echo)
    connects(attempt, [(silent, errno.ETIMEDOUT), (nobody, errno.ECONNREFUSED), (server.address, 0)], 2 * RINGS)


@connect_each.scenario(f"{MANY} silent ones at the same time")
def many_silent(attempt: Attempt) -> None:
    attempt.seen.facts["together"] = True
    connects(attempt, [(attempt.silent_address(), errno.ETIMEDOUT)] * MANY, RINGS)


@connect_each.misconception("in-progress-as-failure", advice="Go on with EINPROGRESS: wait until it is writable.")
def connect_in_progress(seen: Seen) -> str | None:
    if not seen.raised(BlockingIOError) and seen.facts.get("result") != errno.EINPROGRESS:
        return None
    return "It took EINPROGRESS for a failure: it says that the attempt has begun, and that the kernel goes on with it."


@connect_each.misconception("exception-for-number", advice="Put the number there: error.errno, or what SO_ERROR says.")
def connect_exception(seen: Seen) -> str | None:
    result = seen.facts.get("result")
    if not isinstance(result, (OSError, str)):
        return None
    return f"For an attempt that failed it returned {with_kind(result)}, and not the number of the error."


def with_kind(value: object) -> str:
    return "an exception" if isinstance(value, OSError) else f"the text {shown(value)}"


@connect_each.misconception("number-for-socket", advice="Return the socket where SO_ERROR is 0.")
def connect_zero(seen: Seen) -> str | None:
    result = seen.facts.get("result")
    if not isinstance(result, int) or result != 0:
        return None
    return "It returned 0, which SO_ERROR gives for a good attempt: the caller cannot talk through a number."


@connect_each.misconception("asked-too-soon", advice="Wait until the socket is writable, then ask SO_ERROR.")
def connect_too_soon(seen: Seen) -> str | None:
    facts = seen.facts
    if facts.get("number") != errno.ETIMEDOUT or not isinstance(facts.get("result"), socket.socket):
        return None
    return "It returned a socket whose attempt goes on: before the end, SO_ERROR is 0 for every attempt."


@connect_each.misconception("at-once-ignored", advice="Look at what connect_ex returns: only EINPROGRESS goes on.")
def connect_at_once(seen: Seen) -> str | None:
    if seen.scenario != "one that fails at once, without EINPROGRESS" or seen.error is not None:
        return None
    if seen.facts.get("result") in (None, seen.facts.get("number")):
        return None
    return (
        "connect had failed already, and said so; it waited for the socket all the same, where SO_ERROR is 0: "
        "what has been told is not kept."
    )


@connect_each.misconception("error-escapes", advice="Keep the number of the error, and go on with the other addresses.")
def connect_escapes(seen: Seen) -> str | None:
    if not seen.raised(OSError) or seen.lacked(errno.EMFILE):
        return None
    return "One attempt failed, and it raised: what became of the other addresses nobody learns."


@connect_each.misconception("writable-is-connected", advice="Once it is writable, ask getsockopt for SO_ERROR.")
def connect_writable(seen: Seen) -> str | None:
    facts = seen.facts
    if not isinstance(facts.get("result"), socket.socket) or not facts.get("number"):
        return None
    return (
        "It returned the socket of an attempt that was refused: writable says that the attempt has ended, and not how."
    )


@connect_each.misconception("eagain-for-timeout", advice="Put ETIMEDOUT there: EAGAIN is connect_ex's word for it.")
def connect_eagain(seen: Seen) -> str | None:
    if seen.facts.get("result") != errno.EAGAIN:
        return None
    return "It returned EAGAIN: that is what connect_ex gives on a socket whose own timeout is over."


@connect_each.misconception("one-after-another", advice="Begin all of them first, then wait for all of them together.")
def connect_in_a_row(seen: Seen) -> str | None:
    if not seen.timed_out or not seen.facts.get("together"):
        return None
    if len(seen.made("connect", "connect_ex", "create_connection")) >= MANY:
        return None
    return "It waited for one attempt before it began the next one: the times add up."


@connect_each.misconception("gave-up-early", advice="Wait in a loop for those that ring still, until the time is up.")
def connect_early(seen: Seen) -> str | None:
    if not seen.facts.get("early"):
        return None
    return "It returned when the first had ended, and gave up one that was ringing still, with time to spare."


# -- readable_among ----------------------------------------------------------------------------------------------------


def idle_and_peer(attempt: Attempt) -> tuple[socket.socket, socket.socket]:
    left, right = socket.socketpair()
    return attempt.keep(left), attempt.keep(right)


def finds(attempt: Attempt, socks: list[socket.socket], wanted: list[socket.socket], seconds: float) -> None:
    """`wanted` are those of `socks` that can be read from."""
    facts = attempt.seen.facts
    facts["wanted"] = len(wanted)
    result = attempt.call(list(socks), seconds)
    facts["found"] = result
    attempt.want(isinstance(result, list), f"a list of {len(wanted)}", f"it returned {shown(result)}")
    facts["numbers"] = any(not isinstance(one, socket.socket) for one in result)
    attempt.want(not facts["numbers"], "sockets in the list", f"{shown(type(result[0]).__name__) if result else ''}")
    facts["order"] = set(map(id, result)) == set(map(id, wanted))
    right = list(map(id, result)) == list(map(id, wanted))
    attempt.want(right, in_words(len(wanted)), "the same in another order" if facts["order"] else in_words(len(result)))
    attempt.want(all(_Socket.fileno(sock) >= 0 for sock in socks), "the sockets stay open", CLOSED)


def in_words(count: int) -> str:
    return f"a list of {count:,} socket{'' if count == 1 else 's'}"


@readable_among.scenario("three sockets, and one has data")
def one_of_three(attempt: Attempt) -> None:
    pairs = [idle_and_peer(attempt) for _ in range(3)]
    pairs[1][1].sendall(b"x")
    finds(attempt, [sock for sock, _ in pairs], [pairs[1][0]], 1.0)
    attempt.want(unread(pairs[1][0]) == 1, "the byte is still there", "it is gone")


@readable_among.scenario("three sockets, and the last and the first have data")
def last_and_first(attempt: Attempt) -> None:
    pairs = [idle_and_peer(attempt) for _ in range(3)]
    pairs.sort(key=lambda pair: -pair[0].fileno())  # not in the order of their numbers
    pairs[2][1].sendall(b"x")
    pairs[0][1].sendall(b"x")
    finds(attempt, [sock for sock, _ in pairs], [pairs[0][0], pairs[2][0]], 1.0)


@readable_among.scenario("nobody says anything")
def nobody_speaks(attempt: Attempt) -> None:
    finds(attempt, [idle_and_peer(attempt)[0] for _ in range(3)], [], ALONE)


@readable_among.scenario("the data comes later")
def comes_later(attempt: Attempt) -> None:
    pairs = [idle_and_peer(attempt) for _ in range(3)]
    attempt.seen.facts["late"] = True

    def talk() -> None:
        end = time.monotonic() + PATIENCE
        while not attempt.spans and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(RINGS)  # who takes seconds for milliseconds has returned by then
        pairs[2][1].sendall(b"x")

    attempt.beside(talk)
    finds(attempt, [sock for sock, _ in pairs], [pairs[2][0]], 0.8)


@readable_among.scenario("one peer has hung up")
def hung_up(attempt: Attempt) -> None:
    pairs = [idle_and_peer(attempt) for _ in range(3)]
    pairs[0][1].close()
    attempt.seen.facts["hung"] = True
    finds(attempt, [sock for sock, _ in pairs], [pairs[0][0]], 0.3)


@readable_among.scenario("descriptors above 1,023")
def high_numbers(attempt: Attempt) -> None:
    pairs = [(numbered(attempt, sock), peer) for sock, peer in (idle_and_peer(attempt) for _ in range(3))]
    pairs[1][1].sendall(b"x")
    finds(attempt, [sock for sock, _ in pairs], [pairs[1][0]], 1.0)


@readable_among.scenario("more than 1,024 sockets, all of them ready")
def crowd(attempt: Attempt) -> None:
    sock, peer = idle_and_peer(attempt)
    peer.sendall(b"x")
    room()
    socks = []
    with suppress(OSError):  # RLIMIT_NOFILE: fewer, then
        for _ in range(CROWD + 10):
            socks.append(attempt.keep(sock.dup()))
    for spare in socks[-10:]:  # for the answer
        spare.close()
    attempt.seen.facts["crowd"] = True
    finds(attempt, socks[:-10], socks[:-10], 1.0)


def numbered(attempt: Attempt, sock: socket.socket) -> socket.socket:
    """The same with a number from 1,024 on, where this process may have that."""
    if sys.platform == "win32":
        return sock
    import fcntl

    room()
    try:
        fd = fcntl.fcntl(_Socket.fileno(sock), fcntl.F_DUPFD_CLOEXEC, HIGH)
    except OSError:
        return sock
    return attempt.keep(socket.socket(fileno=fd))


def room() -> None:
    """As many descriptors as there may be; on Linux an answer has a process of its own, and the limit ends with it."""
    if sys.platform.startswith("linux"):
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@readable_among.misconception("select-limit", advice="Ask a poll object, or an epoll: they know no such limit.")
def among_limit(seen: Seen) -> str | None:
    if not seen.raised(ValueError) or "out of range" not in str(seen.error):
        return None
    return "It asked select(), whose sets have a bit for the numbers 0 to 1023: a descriptor above that has none."


@readable_among.misconception("seconds-for-milliseconds", advice="Give a poll object milliseconds: seconds * 1000.")
def among_milliseconds(seen: Seen) -> str | None:
    if not seen.facts.get("late") or seen.facts.get("found") != []:
        return None
    return "It returned before anybody had spoken, with most of its time left: a poll object takes milliseconds."


@readable_among.misconception("milliseconds-for-seconds", advice="An epoll object, and select(), count in seconds.")
def among_seconds(seen: Seen) -> str | None:
    if not seen.blocked_in("select", "recv") or seen.facts.get("wanted") != 0:
        return None
    return "Its time was up, and it goes on waiting: what it waits in takes seconds."


@readable_among.misconception("bits-compared", advice="Take the bit out with &, or take whatever was found.")
def among_equal(seen: Seen) -> str | None:
    if not seen.facts.get("hung") or (seen.returned and seen.facts.get("found") != []):
        return None
    return "The peer has hung up, and that comes as several bits at once: a comparison with POLLIN alone fails."


@readable_among.misconception("numbers", advice="Keep a dict from the descriptor to its socket.")
def among_numbers(seen: Seen) -> str | None:
    if not seen.facts.get("numbers"):
        return None
    return "The list has what poll() returned, descriptors and bits: the caller wants the sockets."


@readable_among.misconception("writable-too", advice="Register for reading alone: POLLIN, or EPOLLIN.")
def among_writable(seen: Seen) -> str | None:
    found, wanted = seen.facts.get("found"), seen.facts.get("wanted")
    if not isinstance(found, list) or wanted is None or len(found) <= wanted or seen.facts.get("crowd"):
        return None
    return "It named sockets that have nothing to read: without events, register() looks for room to write, too."


@readable_among.misconception("in-another-order", advice="Go through `socks`, and pick those that were found.")
def among_order(seen: Seen) -> str | None:
    if not seen.facts.get("order") or seen.came != "the same in another order":
        return None
    return "They are the right ones, but not in the order of `socks`: a set has an order of its own."


@readable_among.misconception("a-part", advice="Say how many: poll(seconds, len(socks)).")
def among_part(seen: Seen) -> str | None:
    found = seen.facts.get("found")
    if not seen.facts.get("crowd") or not isinstance(found, list) or len(found) >= seen.facts["wanted"]:
        return None
    return f"It found {len(found):,} of {seen.facts['wanted']:,}: without a number, epoll's poll() stops at 1,023."


@readable_among.misconception("read-it", advice="Leave the bytes where they are: who gets the list will read them.")
def among_read(seen: Seen) -> str | None:
    if not seen.received:
        return None
    return "It called recv, and the bytes are gone: the caller will wait for them in vain."


# -- drain_edge --------------------------------------------------------------------------------------------------------


def ends(attempt: Attempt) -> tuple[socket.socket, socket.socket]:
    sock, peer = attempt.connection()
    sock.setblocking(False)
    return sock, peer


def told(sock: socket.socket, bits: int) -> None:
    """Wait until the kernel says one of `bits` of `sock`."""
    poller = select.poll()
    poller.register(_Socket.fileno(sock), bits)
    poller.poll(PATIENCE * 1000)


def drains(attempt: Attempt, sock: socket.socket, most: int, wanted: bytes, word: str) -> None:
    """One call: `wanted` comes, and the word."""
    facts = attempt.seen.facts
    facts.update(most=most, wanted=wanted, word=word)
    result = attempt.call(sock, most)
    attempt.want(_Socket.fileno(sock) >= 0, "sock stays open", CLOSED)
    right = isinstance(result, tuple) and len(result) == 2
    attempt.want(right, "a pair of bytes and a word", f"it returned {shown(result)}")
    data, said = result
    facts.update(data=data, said=said)
    same = isinstance(data, bytes) and data == wanted
    attempt.want(same, size(wanted), size(data))
    attempt.equal(said, word, "behind the bytes")


def size(data: object) -> str:
    return f"{len(data):,} bytes" if isinstance(data, (bytes, bytearray)) and len(data) > 20 else shown(data)


@drain_edge.scenario("three bytes")
def three_bytes(attempt: Attempt) -> None:
    sock, peer = ends(attempt)
    peer.sendall(b"abc")
    arrived(sock, 3)
    drains(attempt, sock, LARGE, b"abc", "empty")


@drain_edge.scenario("nothing at all")
def nothing_at_all(attempt: Attempt) -> None:
    drains(attempt, ends(attempt)[0], LARGE, b"", "empty")


@drain_edge.scenario(f"{LARGE:,} bytes")
def many_bytes(attempt: Attempt) -> None:
    sock, peer = ends(attempt)
    peer.sendall(bytes(LARGE))
    arrived(sock, LARGE)
    drains(attempt, sock, 10 * LARGE, bytes(LARGE), "empty")


@drain_edge.scenario("2,500 bytes, 1,000 at most: three calls")
def three_calls(attempt: Attempt) -> None:
    sock, peer = ends(attempt)
    peer.sendall(bytes(2500))
    arrived(sock, 2500)
    drains(attempt, sock, MOST, bytes(MOST), "more")
    drains(attempt, sock, MOST, bytes(MOST), "more")
    drains(attempt, sock, MOST, bytes(500), "empty")


@drain_edge.scenario("exactly as many as there may be")
def exactly(attempt: Attempt) -> None:
    sock, peer = ends(attempt)
    peer.sendall(bytes(MOST))
    arrived(sock, MOST)
    drains(attempt, sock, MOST, bytes(MOST), "more")
    drains(attempt, sock, MOST, b"", "empty")


@drain_edge.scenario("the end, and nothing before it")
def the_end(attempt: Attempt) -> None:
    sock, peer = ends(attempt)
    peer.shutdown(socket.SHUT_WR)
    told(sock, select.POLLIN)
    drains(attempt, sock, LARGE, b"", "end")


@drain_edge.scenario("the end, right behind some bytes")
def end_behind_bytes(attempt: Attempt) -> None:
    sock, peer = ends(attempt)
    peer.sendall(b"bye")
    arrived(sock, 3)
    peer.shutdown(socket.SHUT_WR)
    told(sock, getattr(select, "POLLRDHUP", 0))
    drains(attempt, sock, LARGE, b"bye", "end")


@drain_edge.scenario("a reset")
def reset(attempt: Attempt) -> None:
    sock, peer = ends(attempt)
    abort(peer)
    told(sock, select.POLLIN)
    attempt.seen.facts["reset"] = True
    attempt.raises(ConnectionResetError, sock, LARGE)


@drain_edge.misconception("eagain-escapes", advice="Catch BlockingIOError: it is the answer to your question.")
def drain_eagain(seen: Seen) -> str | None:
    if not seen.raised(BlockingIOError):
        return None
    return "It let BlockingIOError out: that is how the kernel says that there is nothing more."


@drain_edge.misconception("waits", advice="Leave the socket non-blocking: with nothing there, the turn is over.")
def drain_waits(seen: Seen) -> str | None:
    if not seen.blocked_in("recv", "select"):
        return None
    return f"It waits in {seen.waiting.call}() for bytes that may never come." if seen.waiting else None


@drain_edge.misconception("closed", advice="Leave sock open: its owner decides.")
def drain_closed(seen: Seen) -> str | None:
    if seen.came != CLOSED:
        return None
    return "It closed the socket: the caller wants to answer, or to take it off its list first."


@drain_edge.misconception("reset-swallowed", advice="Catch BlockingIOError, and no other OSError.")
def drain_reset(seen: Seen) -> str | None:
    if not seen.facts.get("reset") or not seen.returned:
        return None
    return f"The connection was reset, and it returned {shown(seen.result)}: the caller takes it for a quiet peer."


@drain_edge.misconception("no-limit", advice="Ask for `most` less what you have, and stop at 0.")
def drain_unlimited(seen: Seen) -> str | None:
    data = seen.facts.get("data")
    if not isinstance(data, (bytes, bytearray)) or len(data) <= seen.facts["most"]:
        return None
    return f"It read {len(data):,} bytes where {seen.facts['most']:,} are the limit: a fast peer keeps it for ever."


@drain_edge.misconception("lost-at-the-end", advice="Return what was read together with the word.")
def drain_lost(seen: Seen) -> str | None:
    if seen.facts.get("data") != b"" or not seen.facts.get("wanted"):
        return None
    return f"It read {size(seen.facts['wanted'])}, and returned nothing of it."


@drain_edge.misconception("one-recv", advice="Read until BlockingIOError, or until b'', or until the limit.")
def drain_once(seen: Seen) -> str | None:
    data, wanted = seen.facts.get("data"), seen.facts.get("wanted", b"")
    if not isinstance(data, bytes) or not data or len(data) >= len(wanted):
        return None
    return f"It left {len(wanted) - len(data):,} bytes in the kernel, which does not name the socket for them again."


@drain_edge.misconception("end-as-empty", advice="Tell b'' from BlockingIOError: one is the end, the other a pause.")
def drain_end(seen: Seen) -> str | None:
    if seen.facts.get("word") != "end" or seen.facts.get("said") == "end" or not seen.ends_of_stream():
        return None
    return "recv returned b'', which is the end, and it said something else: the caller waits for a peer that has gone."


@drain_edge.misconception("short-is-empty", advice="Ask once more: only BlockingIOError says that there is nothing.")
def drain_short(seen: Seen) -> str | None:
    if seen.facts.get("word") != "end" or seen.facts.get("said") == "end":
        return None
    return "A recv came back with less than it had asked for, and it stopped: the end lay right behind, unread."


@drain_edge.misconception("limit-as-empty", advice='Say "more" when `most` bytes are read.')
def drain_limit(seen: Seen) -> str | None:
    if seen.facts.get("word") != "more" or seen.facts.get("said") == "more":
        return None
    return "It stopped at the limit, and said that all is read: nobody comes back for what is left."


@drain_edge.misconception("empty-as-more", advice='Say "empty" when BlockingIOError has come.')
def drain_more(seen: Seen) -> str | None:
    if seen.facts.get("word") != "empty" or seen.facts.get("said") == "empty" or seen.facts.get("said") is None:
        return None
    return f"The kernel had nothing more, and it said {shown(seen.facts['said'])}: the caller comes back for nothing."
