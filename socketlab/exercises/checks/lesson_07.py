"""The exercises of lesson 07: exactly so many bytes, line by line, frames with a length in front.

Each is a way to cut messages out of a stream, so each is tried with the same four misfortunes: the bytes come one at a
time, several messages come at once, the stream ends in the middle of one, and somebody sends what never ends. Pieces
are sent at the reader's pace (`dribble`), so that each recv finds what the scenario means it to find.
"""

from __future__ import annotations

import functools
import re
import socket
import struct
from collections.abc import Iterator
from typing import Any

from ...trace.events import IN, Event
from ..attempt import Attempt, until
from ..definition import Exercise
from ..dribble import arrived, dribble
from ..seen import Seen
from ..words import shown

LESSON = "07_streams_and_framing"
DEADLINE = 1.0  # seconds for a scenario; most take a hundredth, and who hangs in the last one is told so in good time

recv_exactly = Exercise(
    "recv_exactly",
    lesson=LESSON,
    wants="recv_exactly(sock, size)",
    task="Return exactly `size` bytes and leave what follows in the kernel; raise EOFError where the peer closes "
    "before, and say in it how many bytes were wanted and how many came.",
    hints=(
        "A recv returns what has arrived. How many of them it takes, nobody knows beforehand.",
        "Ask for what is still missing: `size` minus what you have. Then nothing of the next message can come along.",
        "`b''` is the end, unless you asked for nothing: let the loop's condition be that something is missing.",
    ),
    deadline=DEADLINE,
)

read_lines = Exercise(
    "read_lines",
    lesson=LESSON,
    wants="read_lines(sock, limit)",
    task="Yield each line as bytes, without its `\\n`, as soon as it is whole; raise ValueError for a line of more "
    "than `limit` bytes, and EOFError where the stream ends inside a line.",
    hints=(
        "Keep what has come and is no line yet; a recv may add half a line to it, or five.",
        "Two loops: the outer one receives, the inner one yields as long as there is a line end in what is kept.",
        "The limit holds for each line, and for what is kept after the inner loop: that is the line to come.",
        "Or let a file do it: `readline(limit + 1)`. Its result has a line end, or too many bytes, or none: the end.",
    ),
    deadline=DEADLINE,
    yields=True,
)

recv_frame = Exercise(
    "recv_frame",
    lesson=LESSON,
    wants="recv_frame(sock, limit)",
    task="Return the body of the next frame, `None` where the peer has closed before it began; raise EOFError for an "
    "end inside a frame, ValueError for a length above `limit`, before anything of the body is read.",
    hints=(
        "Twice exactly so many bytes: four for the length, then as many as it says. Your `recv_exactly` reads both.",
        "`struct.unpack('!I', data)` returns a tuple of one number. Compare it with `limit` before you read on.",
        "The good end is before the first byte: receive a part, return None where it is `b''`, then get its rest.",
    ),
    deadline=DEADLINE,
)


def receives(seen: Seen) -> list[Event]:
    """The answer's calls that receive, looks at the queue left out."""
    return [event for event in seen.calls if event.direction == IN and not event.peek]


def as_bytes(result: Any) -> Any:
    """A bytearray, or a window on one, is as good as bytes."""
    return bytes(result) if isinstance(result, (bytearray, memoryview)) else result


def in_bytes(size: int | None) -> str:
    return f"{size or 0:,} byte{'s' * (size != 1)}"


def wants_return(seen: Seen) -> bool:
    """What failed is a call that should have returned, not one that should have raised."""
    return not seen.expected.startswith("it raises")


# -- recv_exactly ------------------------------------------------------------------------------------------------------

MESSAGE, NEXT = b"0123456789abcdef", b"the next"
LARGE = bytes(range(256)) * 400  # 102,400 bytes, of every value


@recv_exactly.scenario("16 bytes, one at a time")
def one_at_a_time(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    attempt.beside(dribble, peer, sock, MESSAGE)
    exactly(attempt, sock, MESSAGE)


@recv_exactly.scenario("10 bytes, then 6 with the next message close behind")
def close_behind(attempt: Attempt) -> None:
    sock, peer = attempt.connection()

    def talk() -> None:
        dribble(peer, sock, MESSAGE[:10], 10)
        peer.sendall(MESSAGE[10:] + NEXT)

    talking = attempt.beside(talk)
    attempt.seen.facts["behind"] = len(NEXT)
    exactly(attempt, sock, MESSAGE)
    talking.join(DEADLINE)
    peer.close()
    left = sock.recv(100)
    attempt.want(left == NEXT, f"{NEXT!r} is still there for the next call", f"{left!r} is still there")


@recv_exactly.scenario("a socket with a timeout, in two pieces")
def with_a_timeout(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    sock.settimeout(5)
    attempt.beside(dribble, peer, sock, MESSAGE, 9)
    exactly(attempt, sock, MESSAGE)


@recv_exactly.scenario("102,400 bytes")
def many(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    attempt.beside(peer.sendall, LARGE)
    exactly(attempt, sock, LARGE)


@recv_exactly.scenario("no byte, of a peer who says nothing")
def none_at_all(attempt: Attempt) -> None:
    sock, _ = attempt.connection()
    exactly(attempt, sock, b"")


@recv_exactly.scenario("the peer closes after 7 of 16")
def cut_off(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    peer.sendall(MESSAGE[:7])
    peer.close()
    words = str(attempt.raises(EOFError, sock, 16))
    attempt.seen.facts["words"] = words
    numbers = re.findall(r"\d+", words)
    attempt.want(
        "16" in numbers and "7" in numbers, "an EOFError that says 16 and 7", f"EOFError: {shown(words)[1:-1]}"
    )


def exactly(attempt: Attempt, sock: socket.socket, wanted: bytes) -> None:
    attempt.seen.facts["size"] = len(wanted)
    result = as_bytes(attempt.call(sock, len(wanted)))
    attempt.seen.facts["result"] = result
    attempt.equal(result, wanted)


def too_few(seen: Seen) -> bool:
    result = seen.facts.get("result")
    return seen.returned and isinstance(result, bytes) and 0 < len(result) < seen.facts.get("size", 0)


@recv_exactly.misconception(
    "waitall-alone", advice="Keep the loop around it: MSG_WAITALL may return less, and only the length tells."
)
def waitall_alone(seen: Seen) -> str | None:
    asked = [event for event in receives(seen) if "MSG_WAITALL" in event.asked]
    if not asked or not (too_few(seen) or (seen.returned and seen.expected == "it raises EOFError")):
        return None
    why = "the peer had closed" if not wants_return(seen) else "a socket with a timeout does not wait for all of them"
    return f"{asked[-1].call}({asked[-1].asked}) returned {in_bytes(asked[-1].size)}: {why}."


@recv_exactly.misconception("one-recv", advice="Call recv again for what is missing, until nothing is.")
def one_recv(seen: Seen) -> str | None:
    made = receives(seen)
    if not too_few(seen) or len(made) != 1:
        return None
    (only,) = made
    returned = f"{only.call}({only.asked}) returned {in_bytes(only.size)}"
    return f"{returned}: a recv returns what has arrived, not what you asked for."


@recv_exactly.misconception(
    "takes-the-next", advice="Ask for what is missing and no more: size minus the bytes that you have."
)
def takes_the_next(seen: Seen) -> str | None:
    if not seen.returned or not seen.facts.get("behind") or seen.received <= seen.facts["size"]:
        return None
    last = receives(seen)[-1]
    return (
        f"{last.call}({last.asked}) returned {in_bytes(last.size)} where 6 were missing: the rest is the beginning of "
        "the next message, and whoever reads that will miss it."
    )


@recv_exactly.misconception("asks-beyond", advice="Stop when nothing is missing; look at that before you ask.")
def asks_beyond(seen: Seen) -> str | None:
    if not seen.blocked_in("recv") or seen.received < seen.facts.get("size", 1):
        return None
    if not seen.facts["size"]:
        return "No byte was wanted, and it waits for one: the peer owes it nothing."
    return (
        f"All {in_bytes(seen.received)} had come, and it waits for more: the peer does not close, so there is no end."
    )


@recv_exactly.misconception(
    "nothing-is-no-end", advice="Ask only while something is missing; then b'' has one meaning, the end."
)
def nothing_is_no_end(seen: Seen) -> str | None:
    if seen.facts.get("size") != 0 or not isinstance(seen.error, (EOFError, OSError, ValueError)):
        return None
    return f"It raised {type(seen.error).__name__} for no bytes: recv(0) returns b'' as well, and nobody has closed."


@recv_exactly.misconception("short-at-the-end", advice="Raise EOFError when recv returns b'' and something is missing.")
def short_at_the_end(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected == "it raises EOFError"):
        return None
    return f"The peer closed after 7 of 16 bytes, and it returned {shown(seen.result)} as if all was well."


@recv_exactly.misconception("another-exception", advice="Raise EOFError: that is what its callers look for.")
def another_exception(seen: Seen) -> str | None:
    if seen.error is None or seen.expected != "it raises EOFError":
        return None
    return f"It raised {type(seen.error).__name__} at the end of the stream, and not EOFError."


@recv_exactly.misconception(
    "says-too-little", advice="Put both numbers into the message: what was wanted, and what came."
)
def says_too_little(seen: Seen) -> str | None:
    words = seen.facts.get("words")
    if words is None:
        return None
    said = f"only {shown(words)}" if words else "nothing"
    return f"The EOFError says {said}: in a log, nobody could tell an early end from a late one."


# -- read_lines --------------------------------------------------------------------------------------------------------

LINES = [b"one", b"two", b"three"]


def begin(attempt: Attempt, sock: socket.socket, limit: int, wanted: list[bytes]) -> Iterator[Any]:
    """The answer's lines; `wanted` are those that it has to yield first."""
    facts = attempt.seen.facts
    facts["wanted"], facts["read"], facts["limit"] = wanted, [], limit
    result = attempt.call(sock, limit)
    some = hasattr(result, "__iter__") and not isinstance(result, (str, bytes, bytearray))
    attempt.want(some, "it yields lines", f"it returned {shown(result)}")
    return iter(result)


def yields(attempt: Attempt, found: Iterator[Any]) -> None:
    """All that is wanted is yielded, one by one."""
    facts = attempt.seen.facts
    for line in facts["wanted"]:
        came = as_bytes(attempt.then("the next line", next, found, None))
        facts["read"].append(came)
        attempt.equal(came, line)


def ends(attempt: Attempt, found: Iterator[Any]) -> None:
    came = attempt.then("the end", next, found, None)
    attempt.want(came is None, "no line after the last one", f"it yielded {shown(came)}")


def at_once(attempt: Attempt, data: bytes, limit: int, wanted: list[bytes]) -> None:
    sock, peer = attempt.connection()
    peer.sendall(data)
    arrived(sock, len(data))
    peer.close()
    attempt.seen.facts["all"] = len(data)
    found = begin(attempt, sock, limit, wanted)
    yields(attempt, found)
    ends(attempt, found)


@read_lines.scenario("three lines in one piece")
def three_lines(attempt: Attempt) -> None:
    at_once(attempt, b"one\ntwo\nthree\n", 10, LINES)


@read_lines.scenario("an empty line, and one with a carriage return in it")
def odd_lines(attempt: Attempt) -> None:
    at_once(attempt, b"one\n\nhalf\rline\n", 10, [b"one", b"", b"half\rline"])


@read_lines.scenario("two lines, a byte at a time")
def slow_lines(attempt: Attempt) -> None:
    sock, peer = attempt.connection()

    def talk() -> None:
        dribble(peer, sock, b"hello\nworld\n")
        peer.close()

    attempt.beside(talk)
    found = begin(attempt, sock, 10, [b"hello", b"world"])
    yields(attempt, found)
    ends(attempt, found)


@read_lines.scenario("a peer who waits until each line is read")
def in_turns(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    facts = attempt.seen.facts
    facts["in turns"] = True

    def read(number: int) -> bool:
        return len(facts.get("read", ())) == number or attempt.seen.error is not None

    def talk() -> None:
        for number, line in enumerate(LINES):
            if not until(functools.partial(read, number), 2 * DEADLINE):
                break  # it waits for ever, and its time is up: a line now would look as if it had not
            peer.sendall(line + b"\n")

    attempt.beside(talk)
    yields(attempt, begin(attempt, sock, 10, LINES))


@read_lines.scenario("the end inside a line")
def half_a_line(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    peer.sendall(b"pay 1000\npay 10")
    peer.close()
    found = begin(attempt, sock, 10, [b"pay 1000"])
    yields(attempt, found)
    attempt.then_raises(EOFError, next, found, None)


@read_lines.scenario("a line as long as the limit, then a longer one")
def at_the_limit(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    peer.sendall(b"0123456789\n0123456789a\n")
    arrived(sock, 23)
    found = begin(attempt, sock, 10, [b"0123456789"])
    yields(attempt, found)
    attempt.then_raises(ValueError, next, found, None)


@read_lines.scenario("a line that never ends")
def never_ends(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    attempt.beside(peer.sendall, b"x" * 50_000)
    found = begin(attempt, sock, 10, [])
    attempt.then_raises(ValueError, next, found, None)


def last_read(seen: Seen) -> Any:
    """The line that was not the one wanted; None where there is none."""
    read, wanted = seen.facts.get("read", []), seen.facts.get("wanted", [])
    return read[-1] if read and read != wanted[: len(read)] else None


@read_lines.misconception(
    "line-end-kept", advice="Cut the line end off: it stands between lines and belongs to none of them."
)
def line_end_kept(seen: Seen) -> str | None:
    line, read = last_read(seen), seen.facts.get("read", [])
    if not isinstance(line, bytes) or line != seen.facts["wanted"][len(read) - 1] + b"\n":
        return None
    return f"It yielded {shown(line)}, line end included."


@read_lines.misconception(
    "one-recv-one-line", advice="Keep what has come; yield a line where a line end is, and only there."
)
def one_recv_one_line(seen: Seen) -> str | None:
    line = last_read(seen)
    if not isinstance(line, bytes) or not line or len(receives(seen)) != len(seen.facts["read"]):
        return None
    asked = receives(seen)[-1]
    if line.rstrip() != (asked.data or b"").rstrip():
        return None
    return (
        f"It yielded {shown(line)}, which is what one {asked.call} returned: that may be three lines, or half of one."
    )


@read_lines.misconception("cuts-elsewhere", advice="Cut at b'\\n' alone; split(b'\\n') and partition(b'\\n') do that.")
def cuts_elsewhere(seen: Seen) -> str | None:
    if last_read(seen) != b"half":
        return None
    return "It cut a line at its carriage return: splitlines() knows more line ends than the one that was agreed upon."


@read_lines.misconception("empty-line-lost", advice="An empty line is a line: ask whether there is a line end instead.")
def empty_line_lost(seen: Seen) -> str | None:
    read, wanted = seen.facts.get("read", []), seen.facts.get("wanted", [])
    if b"" not in wanted or read[:1] != wanted[:1] or len(read) != 2 or read[1] not in (None, wanted[2]):
        return None
    what = "ended" if read[1] is None else "went on without it"
    return f"An empty line came, and it {what}: b'' between two line ends is not the b'' of recv."


@read_lines.misconception(
    "rest-dropped", advice="Keep what stands behind the line end: it is the beginning of the next line."
)
def rest_dropped(seen: Seen) -> str | None:
    facts = seen.facts
    if seen.received < facts.get("all", 1 << 30) or not 0 < len(facts["read"]) < len(facts["wanted"]) + 1:
        return None
    ended = seen.came in ("None",) or isinstance(seen.error, EOFError) or seen.blocked_in("recv")
    if not ended:
        return None
    return f"All {in_bytes(facts['all'])} were received, and behind the first line end they were thrown away."


@read_lines.misconception(
    "waits-for-the-end", advice="Yield a line as soon as its line end is there; the peer may wait for you."
)
def waits_for_the_end(seen: Seen) -> str | None:
    if not seen.facts.get("in turns") or not seen.blocked_in():
        return None
    return "A whole line had come, and it waited for more before yielding it, while the peer waits for it to be read."


@read_lines.misconception("half-a-line", advice="Where bytes without a line end are left at the end, raise EOFError.")
def half_a_line_is_none(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected == "it raises EOFError"):
        return None
    if seen.result is None:
        return "The stream ended inside a line, and it ended as if all was well: half a line is lost, unnoticed."
    return f"The stream ended inside a line, and it yielded {shown(seen.result)}: half of b'pay 1000' looks the same."


@read_lines.misconception(
    "limit-on-the-piece", advice="Compare the length of a line with the limit, not the length of what has come."
)
def limit_on_the_piece(seen: Seen) -> str | None:
    if not seen.raised(ValueError) or not wants_return(seen) or "limit" in seen.scenario:
        return None
    return "It raised ValueError, and no line was longer than 10 bytes: several short ones had come together."


@read_lines.misconception(
    "limit-off-by-one", advice="As many bytes as the limit are allowed, and the line end does not count."
)
def limit_off_by_one(seen: Seen) -> str | None:
    if not seen.raised(ValueError) or not wants_return(seen):
        return None
    return "It refused a line of 10 bytes, and the limit is 10: was the line end counted, or >= written for > ?"


@read_lines.misconception("no-limit", advice="Raise ValueError as soon as a line is longer than the limit.")
def no_limit(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected == "it raises ValueError"):
        return None
    if isinstance(seen.result, bytes) and len(seen.result) <= seen.facts["limit"]:
        return f"It yielded {shown(seen.result)}, the beginning of a longer line, as if it were one."
    return f"It yielded {shown(seen.result)}, longer than the limit of 10 bytes."


@read_lines.misconception(
    "limit-too-late", advice="Look at the length of what is kept after each recv, line end or not."
)
def limit_too_late(seen: Seen) -> str | None:
    if not (seen.blocked_in() and seen.expected == "it raises ValueError"):
        return None
    kept = in_bytes(seen.received)
    return f"It has kept {kept} of one line, and waits for more: a line end never comes, and so no limit."


# -- recv_frame --------------------------------------------------------------------------------------------------------

LIMIT = 1_000


def frame(body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + body


def frames(attempt: Attempt, sock: socket.socket, *wanted: bytes | None) -> None:
    for body in wanted:
        attempt.seen.facts["body"] = body
        result = as_bytes(attempt.call(sock, LIMIT))
        attempt.seen.facts["result"] = result
        attempt.want(result == body and type(result) is type(body), shown(body), shown(result))


@recv_frame.scenario("a frame, one byte at a time")
def slow_frame(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    attempt.seen.facts["slow"] = True
    attempt.beside(dribble, peer, sock, frame(b"hello, world"))
    frames(attempt, sock, b"hello, world")


@recv_frame.scenario("three frames in one piece, one of them empty, and the end")
def three_frames(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    data = frame(b"one") + frame(b"") + frame(b"three")
    peer.sendall(data)
    arrived(sock, len(data))
    peer.close()
    frames(attempt, sock, b"one", b"", b"three", None)


@recv_frame.scenario("the end inside the length, and inside the body")
def torn_frames(attempt: Attempt) -> None:
    for came in (2, 4, 9):
        sock, peer = attempt.connection()
        attempt.seen.facts["torn"] = came
        peer.sendall(frame(b"delete photos/old")[:came])
        peer.close()
        attempt.raises(EOFError, sock, LIMIT)
    attempt.seen.facts["torn"] = 0


@recv_frame.scenario("a body as long as the limit, and one beyond it")
def one_beyond(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    data = frame(b"a" * LIMIT) + frame(b"b" * (LIMIT + 1))
    peer.sendall(data)
    arrived(sock, len(data))
    frames(attempt, sock, b"a" * LIMIT)
    attempt.raises(ValueError, sock, LIMIT)
    peer.close()
    left = sum(map(len, iter(lambda: sock.recv(4096), b"")))
    attempt.seen.facts["left"] = left
    attempt.want(left == LIMIT + 1, "nothing behind the length is read", f"it read {in_bytes(LIMIT + 1 - left)} of it")


@recv_frame.scenario("a length of four billion, and nothing behind it")
def bomb(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    attempt.seen.facts["bomb"] = True
    peer.sendall(b"\xff\xff\xff\xff")
    attempt.raises(ValueError, sock, LIMIT)


@recv_frame.misconception(
    "little-endian", advice="Read the length in network order: `!I`, or `int.from_bytes(…, 'big')`."
)
def frame_little(seen: Seen) -> str | None:
    if not seen.facts.get("slow") or seen.received < 4:
        return None
    if not (seen.raised(ValueError) or seen.raised(MemoryError) or seen.timed_out):
        return None
    return "A length of 12 was read as 201,326,592: the smallest part first, which is not the network's order."


@recv_frame.misconception("one-recv", advice="Read exactly four bytes, then exactly as many as they say.")
def frame_one_recv(seen: Seen) -> str | None:
    made = [event for event in receives(seen) if event.size]
    if not seen.facts.get("slow") or seen.timed_out or not made or seen.received >= 16:
        return None
    return (
        f"{made[-1].call}({made[-1].asked}) returned {in_bytes(made[-1].size)}, and it went on as if that was all: "
        "a length can arrive in pieces, and a body as well."
    )


@recv_frame.misconception(
    "takes-the-next", advice="Ask for what belongs to this frame and no more; the rest stays in the kernel."
)
def frame_takes_next(seen: Seen) -> str | None:
    made = receives(seen)
    if not made or seen.facts.get("slow") or seen.facts.get("torn") or not wants_return(seen):
        return None
    first = made[0]
    if (first.size or 0) <= 7:
        return None
    return (
        f"{first.call}({first.asked}) took {in_bytes(first.size)}, more than one frame: who calls the function again "
        "finds them gone."
    )


@recv_frame.misconception(
    "empty-is-no-end", advice="Look at the bytes of the length: none of them is the end, four zeros are an empty body."
)
def empty_is_no_end(seen: Seen) -> str | None:
    if seen.facts.get("body") != b"" or not wants_return(seen):
        return None
    came = f"it raised {type(seen.error).__name__}" if seen.error else f"it returned {shown(seen.result)}"
    return f"A frame with an empty body came, and {came}: a body of no bytes is not the end of the stream."


@recv_frame.misconception("the-good-end", advice="Return None where recv returns b'' before the first byte of a frame.")
def the_good_end(seen: Seen) -> str | None:
    if "body" not in seen.facts or seen.facts["body"] is not None or seen.facts.get("torn"):
        return None
    if not wants_return(seen):
        return None
    came = f"raised {_name(seen.error)}" if seen.error else f"returned {shown(seen.result)}"
    return f"The peer closed between two frames, which is the good end, and it {came}."


@recv_frame.misconception(
    "half-is-no-frame", advice="Raise EOFError where the end comes after the first byte of a frame and before the last."
)
def half_is_no_frame(seen: Seen) -> str | None:
    torn = seen.facts.get("torn")
    if not torn or seen.timed_out:
        return None
    came = f"raised {_name(seen.error)}" if seen.error else f"returned {shown(seen.result)}"
    where = "inside the length" if torn < 4 else "behind the length" if torn == 4 else "inside the body"
    return f"The stream ended {where}, and it {came}."


@recv_frame.misconception("refuses-the-limit", advice="Refuse what is above the limit; the limit itself is allowed.")
def refuses_the_limit(seen: Seen) -> str | None:
    if not seen.raised(ValueError) or not wants_return(seen) or len(seen.facts.get("body") or b"") != LIMIT:
        return None
    return "It refused a body of 1,000 bytes, and the limit is 1,000."


@recv_frame.misconception("signed", advice="A length has no sign: `!I`, with the capital letter.")
def frame_signed(seen: Seen) -> str | None:
    if not seen.facts.get("bomb") or not seen.returned or seen.received > 4:
        return None
    return f"It returned {shown(seen.result)}: four bytes of 255 were read as -1, which is below every limit."


@recv_frame.misconception(
    "believes-the-length", advice="Compare the length with the limit first, before you read or make room for anything."
)
def believes_the_length(seen: Seen) -> str | None:
    if seen.expected != "it raises ValueError" or "left" in seen.facts:
        return None
    if seen.facts.get("bomb"):
        what = "made room for" if seen.raised(MemoryError) else "waits for"
        return f"Four bytes announced 4,294,967,295 more, and it {what} them: anybody can send four bytes."
    return "It was sent a body of 1,001 bytes, and took it: the limit is 1,000."


@recv_frame.misconception(
    "reads-before-it-refuses", advice="Raise before the first recv of the body: what is too much shall not be read."
)
def reads_before_it_refuses(seen: Seen) -> str | None:
    left = seen.facts.get("left", LIMIT + 1)
    if left > LIMIT:
        return None
    return f"It read {in_bytes(LIMIT + 1 - left)} behind the length and then refused them: they had taken room already."


def _name(error: BaseException | None) -> str:
    return "struct.error" if isinstance(error, struct.error) else type(error).__name__
