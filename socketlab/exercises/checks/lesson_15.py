"""The exercises of lesson 15: a sender that holds little and gives up in time, and an exchange that cannot lock up.

How much a sender holds is what it has read from its source and the kernel has not taken. While it runs, nobody can
count that exactly; when it has returned, the reader takes what is there, up to the end, and what never arrived was
held. Most conversations are Unix ones: there a reader that takes a byte makes room at once, and no acknowledgement
is waited for (tcp(7) has 40 ms for that).
"""

from __future__ import annotations

import io
import select
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from ...experiments.doors.wire import abort
from ..attempt import Attempt, Raised, Unmet, until
from ..definition import Exercise
from ..dribble import taken, unread
from ..seen import Seen
from ..words import shown

LESSON = "15_buffers_and_backpressure"

MOST = 10_000  # bytes that an answer may hold
LATER, SOON = 1.5, 0.25  # seconds: one that is never reached, and one that is meant to be over
SMALL = 4096  # bytes asked for as a send buffer: the least that every kernel grants is about that
LARGE = 200_000  # room for the short file in any pieces
BUSY = 50  # times that an answer may be refused while nothing can be done: asking again and again makes thousands

feed = Exercise(
    "feed",
    lesson=LESSON,
    wants="feed(sock, source, most, seconds)",
    task="Send what is in the file `source`, never holding more than `most` bytes that `send` has not taken, and "
    "return how many bytes were sent: at the end of the file, or when `seconds` are over.",
    hints=(
        "Read the next piece when the one before has been taken, and not earlier: `source.read(most)`.",
        "`send` on a socket with a timeout returns how much it took: keep the rest, and add up what it says.",
        "The deadline is a moment, `time.monotonic() + seconds`: before each send, `settimeout` to what is left.",
        "`TimeoutError` means that the time is up: return the count. Where nothing is left, do not call send at all.",
    ),
)

exchange = Exercise(
    "exchange",
    lesson=LESSON,
    wants="exchange(sock, data)",
    task="Send `data` and then the end (SHUT_WR), and at the same time receive until the peer has finished; return "
    "what came. Leave `sock` open, and let an error on either way go to the caller.",
    hints=(
        "Neither `sendall` nor `recv` returns before the peer does its part: so they need a thread each.",
        "One thread sends, and calls `shutdown(SHUT_WR)` behind it; the function itself receives until b''.",
        "What a thread raises is lost, unless somebody asks: `pool.submit(...).result()` raises it again.",
        "`with ThreadPoolExecutor() as pool:` waits at its end for the thread; ask for its `result()` in that block.",
    ),
    deadline=1.5,
)


# -- feed --------------------------------------------------------------------------------------------------------------


class Source(io.RawIOBase):
    """A file of `size` bytes, of which no two neighbouring pieces are alike. It remembers what was taken from it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.data = b"".join(b"%07d " % n for n in range(-(-size // 8)))[:size]
        self.taken = self.largest = 0  #: bytes in all, and in one read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.data[self.taken : self.taken + len(buffer)]
        buffer[: len(piece)] = piece
        self.taken += len(piece)
        self.largest = max(self.largest, len(piece))
        return len(piece)

    def readall(self) -> bytes:
        piece = self.data[self.taken :]
        self.readinto(bytearray(len(piece)))
        return piece


class Reader:
    """The peer of a sender: what it has read until now."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.heard = sock, bytearray()

    def read(self, size: int, piece: int = 4096) -> None:
        """So many bytes, or up to the end."""
        left = size
        while left and (came := self.sock.recv(min(piece, left))):
            self.heard += came
            left -= len(came)

    def sip(self, size: int) -> None:
        """So many bytes at most, where some are there."""
        if unread(self.sock):
            self.heard += self.sock.recv(size)

    def rest(self) -> None:
        """All that the kernel has, up to the end."""
        self.read(2**40, 65536)


def conversation(attempt: Attempt, size: int, room: int = SMALL) -> tuple[socket.socket, Reader, Source]:
    sock, peer = (attempt.keep(end) for end in socket.socketpair())
    peer.settimeout(5.0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
    source, reader = Source(size), Reader(peer)
    attempt.seen.facts.update(source=source, heard=reader.heard, size=size)
    return sock, reader, source


def is_stuck(sock: socket.socket) -> bool:
    """Whether there is no room in its send buffer, or will never be any: it is closed."""
    try:
        return not select.select([], [sock], [], 0)[1]
    except (OSError, ValueError):
        return True


def all_sent(attempt: Attempt, sock: socket.socket, reader: Reader, source: Source, result: object) -> None:
    """Everything has arrived, in order, and the count says so."""
    sock.close()
    reader.rest()
    in_order(attempt, reader, source)
    n, size = len(reader.heard), len(source.data)
    attempt.want(n == size, f"all {size:,} bytes arrive within the time", f"{part(n, size)}")
    attempt.equal(result, size)
    held(attempt, reader, source)


def part(n: int, size: int) -> str:
    """How much of it, in words: the number, and whether it is 0, differs from run to run."""
    return "all of them" if n == size else "not all of them"


def in_order(attempt: Attempt, reader: Reader, source: Source) -> None:
    heard = bytes(reader.heard)
    good = source.data.startswith(heard)
    if not good:
        at = next((n for n, pair in enumerate(zip(heard, source.data, strict=False)) if pair[0] != pair[1]), len(heard))
        attempt.seen.facts["wrong"] = "left out" if source.data.find(heard[at : at + 16], at) > at else "twice"
    attempt.want(good, "the bytes arrive in order, and none is left out", "some were left out, or came twice")


def held(attempt: Attempt, reader: Reader, source: Source) -> None:
    """What was read from the source and never sent."""
    most = max(source.largest, source.taken - len(reader.heard))
    attempt.seen.facts["held"] = most
    attempt.want(most <= MOST, f"it holds {MOST:,} bytes at most", "it held more")


def told(attempt: Attempt, sock: socket.socket, reader: Reader, source: Source, result: object) -> None:
    """The answer has given up: what it says must be what arrives, and it must not have held too much."""
    sock.close()
    reader.rest()
    in_order(attempt, reader, source)
    attempt.seen.facts["gave up"] = True
    right = isinstance(result, int) and result == len(reader.heard)
    came = "another number" if type(result) is int else f"it returned {shown(result)}"
    attempt.want(right, "it returns how many bytes were sent", came)
    held(attempt, reader, source)


@feed.scenario("a short file, and a reader that keeps up")
def keeps_up(attempt: Attempt) -> None:
    sock, reader, source = conversation(attempt, 3000, room=LARGE)
    beside = attempt.beside(reader.rest)
    result = attempt.call(sock, source, MOST, LATER)
    sock.close()
    beside.join(2.0)
    all_sent(attempt, sock, reader, source, result)


@feed.scenario("an empty file")
def empty(attempt: Attempt) -> None:
    sock, reader, source = conversation(attempt, 0)
    all_sent(attempt, sock, reader, source, attempt.call(sock, source, MOST, LATER))


@feed.scenario("a slow reader")
def slow(attempt: Attempt) -> None:
    sock, reader, source = conversation(attempt, 60_000)

    def sips() -> None:
        until(lambda: is_stuck(sock))  # so each answer meets a buffer that is full
        for _ in range(30):
            reader.read(2000)
            time.sleep(0.002)

    beside = attempt.beside(sips)
    result = attempt.call(sock, source, MOST, LATER)
    if len(reader.heard) < source.taken:
        attempt.seen.facts["returned early"] = source.taken < len(source.data)
    sock.close()
    beside.join(2.0)
    all_sent(attempt, sock, reader, source, result)


@feed.scenario("a reader that stops after 20,000 bytes")
def stops(attempt: Attempt) -> None:
    sock, reader, source = conversation(attempt, 500_000)
    attempt.beside(reader.read, 20_000)
    result = attempt.call(sock, source, MOST, SOON)
    refused = sum(bool(event.failure and event.failure.kind == "BlockingIOError") for event in attempt.recorded())
    told(attempt, sock, reader, source, result)
    attempt.seen.facts["busy"] = refused > BUSY
    attempt.want(refused <= BUSY, "it waits until there is room", "it asked again and again")


@feed.scenario("a reader that takes a little now and then")
def now_and_then(attempt: Attempt) -> None:
    sock, reader, source = conversation(attempt, 500_000)
    facts, over = attempt.seen.facts, threading.Event()

    def sips() -> None:
        for n in range(60):
            if over.wait(0.015):
                return
            facts["to the last"] = n == 59
            reader.sip(2000)

    beside = attempt.beside(sips)
    try:
        result = attempt.call(sock, source, MOST, SOON)
    finally:
        over.set()
    beside.join(2.0)
    attempt.want(not facts["to the last"], "it gives up when the time is over", "it went on while some was taken")
    told(attempt, sock, reader, source, result)


@feed.scenario("a reader that breaks off")
def breaks_off(attempt: Attempt) -> None:
    sock, reader, source = conversation(attempt, 500_000)

    def leave() -> None:
        reader.read(20_000)
        reader.sock.close()

    attempt.beside(leave)
    try:
        attempt.raises(ConnectionError, sock, source, MOST, LATER)
    except Unmet as unmet:
        if isinstance(attempt.seen.result, int):  # how many went out before it broke, the clock decides
            raise Unmet(unmet.expected, "it returned a number") from None
        raise


@feed.misconception("rest-dropped", advice="Keep what send did not take, data[n:], and send it next.")
def feed_dropped(seen: Seen) -> str | None:
    if seen.facts.get("wrong") != "left out":
        return None
    return "send() took a part of what it was given, and the rest was never sent: the reader gets a text with holes."


@feed.misconception("sent-twice", advice="Cut off what was taken, data[n:], before you send again.")
def feed_twice(seen: Seen) -> str | None:
    if seen.facts.get("wrong") != "twice":
        return None
    return "What arrives is not what is in the file: a part that send() had taken was sent once more."


@feed.misconception("reads-ahead", advice="Read the next piece from the source when the last one has been taken.")
def feed_ahead(seen: Seen) -> str | None:
    source = seen.facts.get("source")
    if source is None or seen.facts.get("held", 0) <= MOST:
        return None
    if source.largest > MOST:
        return f"It read {source.largest:,} bytes at once, and was allowed to hold {MOST:,}."
    return f"It read on while nothing was taken: the pieces are small, and together more than {MOST:,} bytes."


@feed.misconception("deadline-escapes", advice="Catch TimeoutError, and return the count.")
def feed_escapes(seen: Seen) -> str | None:
    if not seen.raised(TimeoutError):
        return None
    return "The time was up, and it raised TimeoutError: the caller wants to know how much was sent."


@feed.misconception("gives-up-at-once", advice="Wait for room: give the socket a timeout above 0.")
def feed_at_once(seen: Seen) -> str | None:
    gave_up = seen.failed("BlockingIOError") and "all" in seen.expected and seen.returned
    if not (seen.raised(BlockingIOError) or gave_up):
        return None
    return "send() was refused once, BlockingIOError, and it gave up: the reader was slow, and its time was not over."


@feed.misconception("busy-loop", advice="Let the kernel wait: settimeout() to what is left, and then send.")
def feed_busy(seen: Seen) -> str | None:
    if not seen.facts.get("busy"):
        return None
    return "send() was refused again and again: while nothing could be done, it kept a processor busy with asking."


@feed.misconception("each-its-own-time", advice="Before each send set the timeout to what is left until the deadline.")
def feed_per_call(seen: Seen) -> str | None:
    if not seen.facts.get("to the last"):
        return None
    return "Its time was over, and it went on: each call that got rid of a little gave the next its full time again."


@feed.misconception("sendall-counts-nothing", advice="Call send, and add up what it returns.")
def feed_sendall(seen: Seen) -> str | None:
    if not (seen.facts.get("gave up") and seen.made("sendall") and seen.expected.startswith("it returns how many")):
        return None
    return "sendall() was cut short by the deadline, and how much it had sent by then, it told nobody."


@feed.misconception("counts-what-it-read", advice="Add up what send returns, not what read returns.")
def feed_counts(seen: Seen) -> str | None:
    source, result = seen.facts.get("source"), seen.result
    if not (seen.facts.get("gave up") and isinstance(result, int) and seen.expected.startswith("it returns how many")):
        return None
    if source is None or result != source.taken:
        return None
    return "It returned how many bytes it had read from the source: what it still held was not sent."


@feed.misconception("no-deadline", advice="Look at the clock before each send, and give the socket a timeout.")
def feed_blocked(seen: Seen) -> str | None:
    if not seen.blocked_in("send"):
        return None
    return "It is blocked in a send: nobody reads, and no clock is looked at while a call waits."


@feed.misconception("error-swallowed", advice="Catch TimeoutError alone: other errors are for the caller.")
def feed_swallowed(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected.startswith("it raises ConnectionError")):
        return None
    return "The reader broke off, and it returned as if the time were up: an except was too wide."


# -- exchange ----------------------------------------------------------------------------------------------------------

MUCH = 600_000  # bytes: more than a Unix socket's buffer takes, in either direction
PATIENCE = 5.0  # seconds: beyond every deadline


def text_of(letter: bytes, size: int) -> bytes:
    """Bytes of which no two neighbouring pieces are alike."""
    return b"".join(letter + b"%07d" % n for n in range(-(-size // 8)))[:size]


def both_ends(attempt: Attempt) -> tuple[socket.socket, socket.socket]:
    sock, peer = (attempt.keep(end) for end in socket.socketpair())
    sock.settimeout(PATIENCE)
    peer.settimeout(PATIENCE)
    return sock, peer


def read_to_end(sock: socket.socket) -> bytes:
    heard = bytearray()
    while piece := sock.recv(65536):
        heard += piece
    return bytes(heard)


def exchanges(attempt: Attempt, data: bytes, wanted: bytes, talk: Any) -> None:
    """`talk(peer, sock)` is the peer: it returns what it has heard. Both have to get all of what the other says."""
    sock, peer = both_ends(attempt)
    facts = attempt.seen.facts
    facts.update(data=data, wanted=wanted, heard=None)

    def body() -> None:
        facts["heard"] = talk(peer, sock)

    beside = attempt.beside(body)
    result = attempt.call(sock, data)
    facts["closed"] = sock.fileno() < 0
    beside.join(1.0)
    got_all(attempt, "it returns", result, wanted)
    attempt.want(facts["heard"] is not None, "the peer hears the end", "it still waits for it")
    got_all(attempt, "the peer hears", facts["heard"], data)
    attempt.want(not facts["closed"], "sock is open", "it is closed")


def got_all(attempt: Attempt, who: str, came: object, wanted: bytes) -> None:
    """How much of it came before something went wrong differs from run to run."""
    expected = f"{who} all {len(wanted):,} bytes"
    if not isinstance(came, (bytes, bytearray)):
        attempt.want(False, expected, f"{who} {shown(came)}")
        return
    in_words = part(len(came), len(wanted)) if wanted.startswith(came) else "something else"
    attempt.want(came == wanted, expected, f"{who} {in_words}")


LAST = 3  # bytes that a peer says when all before them was taken: however quick it is, one recv never has it all


def say_all(peer: socket.socket, sock: socket.socket, data: bytes) -> None:
    """All of `data` and then the end, the last bytes apart. `sock` is the one who reads."""
    peer.sendall(data[:-LAST])
    taken(sock)
    peer.sendall(data[-LAST:])
    peer.shutdown(socket.SHUT_WR)


def answers(peer: socket.socket, sock: socket.socket) -> bytes:
    heard = read_to_end(peer)
    say_all(peer, sock, heard[::-1])
    return heard


@exchange.scenario("a peer that sends everything before it reads")
def talks_first(attempt: Attempt) -> None:
    wanted = text_of(b"p", MUCH)

    def talk(peer: socket.socket, sock: socket.socket) -> bytes:
        say_all(peer, sock, wanted)
        return read_to_end(peer)

    exchanges(attempt, text_of(b"a", MUCH), wanted, talk)


@exchange.scenario("a peer that reads everything before it sends")
def listens_first(attempt: Attempt) -> None:
    exchanges(attempt, b"stressed", b"desserts", answers)


@exchange.scenario("a peer that echoes piece by piece")
def echoes(attempt: Attempt) -> None:
    data = text_of(b"a", 2 * MUCH)

    def talk(peer: socket.socket, sock: socket.socket) -> bytes:
        heard, said = bytearray(), 0
        while piece := peer.recv(65536):
            heard += piece
            ready = max(said, len(heard) - LAST)
            peer.sendall(heard[said:ready])
            said = ready
        say_all(peer, sock, bytes(heard[said:]))
        return bytes(heard)

    exchanges(attempt, data, data, talk)


@exchange.scenario("nothing to send")
def nothing_to_send(attempt: Attempt) -> None:
    def talk(peer: socket.socket, sock: socket.socket) -> bytes:
        peer.sendall(b"are you there?")
        taken(sock)
        heard = read_to_end(peer)
        peer.sendall(b" good bye")
        peer.shutdown(socket.SHUT_WR)
        return heard

    exchanges(attempt, b"", b"are you there? good bye", talk)


@exchange.scenario("a peer that has finished, and breaks off while it is sent to")
def breaks(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    sock.settimeout(PATIENCE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    attempt.seen.facts["breaks"] = True
    peer.sendall(b"good bye")
    peer.shutdown(socket.SHUT_WR)

    def leave() -> None:
        peer.recv(1)  # it has begun to send
        with suppress(OSError):
            taken(sock)
        time.sleep(0.03)  # the end behind these bytes is heard as well: a reset alone would be heard by recv, too
        abort(peer)

    attempt.beside(leave)
    try:
        attempt.raises(ConnectionError, sock, bytes(2 * MUCH))
    except (Unmet, Raised):
        attempt.seen.facts["lost"] = attempt.seen.returned
        raise


@exchange.misconception("both-talk", advice="Let a thread send, and receive meanwhile.")
def exchange_talks(seen: Seen) -> str | None:
    if not seen.blocked_in("send") or seen.received:
        return None
    return "It is blocked in a send, and so is the peer: both talk, neither listens, and the kernel's buffers are full."


@exchange.misconception("both-listen", advice="Send and receive at the same time: let a thread send.")
def exchange_listens(seen: Seen) -> str | None:
    if not seen.blocked_in("recv") or seen.sent or not seen.facts.get("data"):
        return None
    return "It waits in recv(), and has sent nothing: the peer waits for it to speak."


@exchange.misconception("takes-turns", advice="Let neither way wait for the other: a thread sends, you receive.")
def exchange_turns(seen: Seen) -> str | None:
    data = seen.facts.get("data") or b""
    if not seen.timed_out or not seen.received + seen.sent or seen.sent >= len(data):
        return None
    return "It sends a piece and waits for one, in turn: the peer does not answer piece for piece, and now both wait."


@exchange.misconception("no-end", advice="Call shutdown(SHUT_WR) behind the last byte.")
def exchange_no_end(seen: Seen) -> str | None:
    if seen.made("shutdown") or seen.made("close"):
        return None
    if not (seen.blocked_in("recv") or seen.expected == "the peer hears the end" or seen.raised(TimeoutError)):
        return None
    return "Everything is sent, and nobody has said so: the peer waits for the end, and you for the peer's."


@exchange.misconception("ended-too-early", advice="Call shutdown(SHUT_WR) after sendall(), in the same thread.")
def exchange_early(seen: Seen) -> str | None:
    if not (seen.failed("BrokenPipeError") and seen.made("shutdown")) or seen.facts.get("breaks"):
        return None
    return "It called shutdown() while the other thread was sending: the rest was refused with EPIPE."


@exchange.misconception("ends-both-ways", advice="SHUT_WR ends your own direction, and leaves the other open.")
def exchange_both_ways(seen: Seen) -> str | None:
    if not any("RDWR" in str(event) for event in seen.made("shutdown")):
        return None
    return "SHUT_RDWR ends both directions: what the peer had still to say was thrown away."


@exchange.misconception("one-recv", advice="Call recv until it returns b''.")
def exchange_once(seen: Seen) -> str | None:
    wanted, result = seen.facts.get("wanted"), seen.result
    if not (seen.returned and isinstance(result, (bytes, bytearray)) and wanted and len(result) < len(wanted)):
        return None
    if seen.ends_of_stream():
        return None
    return "It returned before recv() had returned b'': the peer had not finished."


@exchange.misconception("error-lost", advice="Ask the thread for its result(), which raises again what it has raised.")
def exchange_lost(seen: Seen) -> str | None:
    if not seen.facts.get("lost"):
        return None
    return "The sending failed, and it returned as if all were sent: the exception ended a thread, and nobody asked it."


@exchange.misconception("closed-it", advice="Use shutdown(SHUT_WR) for the end, and leave close() to the owner.")
def exchange_closed(seen: Seen) -> str | None:
    if not seen.facts.get("closed") and not (seen.made("close") and isinstance(seen.error, OSError)):
        return None
    return "It closed sock, which belongs to the caller: a half-close says that you have finished, and closes nothing."
