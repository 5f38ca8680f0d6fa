"""The exercises of lesson 23: a sendfile that goes on, a reader that makes no copy, an answer from the right address.

Of a Unix socket the kernel says to the byte how much lies there for the reader, and nothing is under way; so how far a
send came is known, and not what a program says of it. Copies are known by what `update` is given: a window has an
`obj`, the buffer that it looks at. Who answers is known by a client that is not connected: it hears every answer.
"""

from __future__ import annotations

import os
import socket
import struct
import tempfile
from _socket import socket as _Socket  # what the scenario itself sends is no call of the answer
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..attempt import ANSWER, PATIENCE, Attempt
from ..definition import Exercise
from ..dribble import arrived, dribble, unread
from ..seen import Seen
from ..words import kind, shown

LESSON = "23_fast_paths"

SMALL_BUFFER = 65_536  # bytes asked for; kernels grant twice that
LONG, LONGER = 300_000, 1_000_000  # bytes: more than such a buffer takes while nobody reads
STEPS = 1000  # calls after which a file of that size has to be through
TEXT = b"It was a dark and stormy night; the rain fell in torrents."

SENDS = ("send", "sendall", "sendto", "sendmsg")
RECEIVES = ("recv", "recvfrom", "recvmsg")

IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)  # Linux's numbers: each Python has others of these names
IP_RECVTTL = getattr(socket, "IP_RECVTTL", 12)
SO_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)

send_some = Exercise(
    "send_some",
    lesson=LESSON,
    wants="send_some(sock, file, offset, end)",
    task="Send bytes of `file` from `offset` on, before `end`, as many as `sock`, which does not wait, takes now; "
    "return the offset where the next call begins. EOFError where the file ends before `end`.",
    hints=(
        "`os.sendfile(sock.fileno(), file.fileno(), offset, count)` leaves the file's position alone.",
        "It returns how many bytes it took: add them to `offset`.",
        "`BlockingIOError` means that there is no room now: return the offset as it stands.",
        "A 0 means that the file has no byte there. Let every other error out.",
    ),
    deadline=1.0,
)

pour = Exercise(
    "pour",
    lesson=LESSON,
    wants="pour(sock, size, buffer, update)",
    task="Read exactly `size` bytes of `sock` into `buffer`, piece by piece, and hand each piece to `update` as a "
    "window of it, never as a copy. EOFError where the stream ends before.",
    hints=(
        "`view = memoryview(buffer)`: a slice of it is a window, a slice of `buffer` a copy.",
        "`count = sock.recv_into(view)` says how much of the window is new: `update(view[:count])`.",
        "What follows belongs to somebody else: ask for `view[:left]`, where `left` is what is missing.",
        "`while left:` asks for nothing where nothing is missing; and 0 inside the loop is the end of the stream.",
    ),
    deadline=1.0,
)

answer_one = Exercise(
    "answer_one",
    lesson=LESSON,
    wants="answer_one(box, handler)",
    task="Receive one datagram, with its IP_PKTINFO; send `handler(data)` to its sender, from the address that the "
    "datagram was sent to, with the same socket.",
    hints=(
        "`box.recvmsg(65_535, 1024)` has room for the data, and for the ancillary data of several options.",
        "Go through the list, and take the message with the level IPPROTO_IP and the type IP_PKTINFO (8).",
        'Its twelve bytes are `struct.unpack("=i4s4s", value)`: interface, address to answer from, destination.',
        "`box.sendmsg([reply], [(level, type, value)], 0, sender)`: the structure says where it shall come from.",
    ),
    deadline=1.0,
)


# -- send_some ---------------------------------------------------------------------------------------------------------


def text_of(size: int) -> bytes:
    """So many bytes in which each place can be told from its neighbours."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@contextmanager
def a_file(data: bytes) -> Iterator[Any]:
    """An open file with these bytes; its position is somewhere in it."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        file.seek(min(3, len(data)))
        yield file


def ends(attempt: Attempt) -> tuple[socket.socket, socket.socket]:
    """Both ends of a Unix connection; the first, for the answer, does not wait."""
    left, right = map(attempt.keep, socket.socketpair())
    left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
    left.setblocking(False)
    right.settimeout(PATIENCE)
    return left, right


def step(attempt: Attempt, sock: socket.socket, peer: socket.socket, file: Any, offset: int, end: int) -> int:
    """Call the answer once, while nobody reads, and look at what it did; the offset that it returned."""
    facts = attempt.seen.facts
    before, place = unread(peer), os.lseek(file.fileno(), 0, os.SEEK_CUR)
    facts.update(offset=offset, end=end, taken=0, moved=False, waits=False)
    new = attempt.call(sock, file, offset, end)
    facts["taken"] = taken = unread(peer) - before
    facts["moved"] = os.lseek(file.fileno(), 0, os.SEEK_CUR) != place
    facts["waits"] = sock.fileno() < 0 or sock.gettimeout() != 0
    attempt.want(sock.fileno() >= 0, "sock is open afterwards", "it is closed")
    attempt.want(not facts["waits"], "sock does not wait afterwards", "it waits")
    attempt.want(isinstance(new, int) and not isinstance(new, bool), "it returns an offset", f"it returned {kind(new)}")
    attempt.want(taken <= end - offset, "nothing from `end` on is sent", "more came")
    attempt.want(new == offset + taken, "the offset behind what was sent", "another one")
    attempt.want(not facts["moved"], "the file's position stays where it is", "it has moved")
    return int(new)


def through(
    attempt: Attempt, talks: list[tuple[socket.socket, socket.socket]], file: Any, data: bytes, start: int, end: int
) -> None:
    """Call the answer for each of `talks` in turn, each time with an empty buffer, until all of it has come."""
    offsets = [start] * len(talks)
    for _ in range(STEPS):
        for n, (sock, peer) in enumerate(talks):
            if offsets[n] == end:
                continue
            new = step(attempt, sock, peer, file, offsets[n], end)
            attempt.want(new > offsets[n], "something is sent while there is room", "nothing was")
            came = b""
            while len(came) < new - offsets[n]:
                came += peer.recv(LONGER)
            attempt.want(came == data[offsets[n] : new], "the bytes from there on", "others")
            offsets[n] = new
        if set(offsets) == {end}:
            break
    attempt.want(set(offsets) == {end}, f"all of it within {STEPS:,} calls", "there is more to send")
    by_hand = [one.call for one in attempt.recorded() if one.thread == ANSWER and one.call in SENDS]
    attempt.want(not by_hand, "the bytes do not pass through Python", f"{''.join(by_hand[:1])}() was given them")


@send_some.scenario("a short file, all of it")
def short_file(attempt: Attempt) -> None:
    sock, peer = ends(attempt)
    with a_file(TEXT) as file:
        through(attempt, [(sock, peer)], file, TEXT, 0, len(TEXT))


@send_some.scenario("ten bytes from the middle")
def from_the_middle(attempt: Attempt) -> None:
    sock, peer = ends(attempt)
    with a_file(TEXT) as file:
        through(attempt, [(sock, peer)], file, TEXT, 20, 30)


@send_some.scenario("a million bytes, and a reader who is slow")
def long_file(attempt: Attempt) -> None:
    sock, peer = ends(attempt)
    data = text_of(LONGER)
    with a_file(data) as file:
        through(attempt, [(sock, peer)], file, data, 0, LONGER)


@send_some.scenario("two connections in turn, one file")
def two_in_turn(attempt: Attempt) -> None:
    data = text_of(LONG)
    with a_file(data) as file:
        through(attempt, [ends(attempt), ends(attempt)], file, data, 0, len(data))


@send_some.scenario("a connection that has no room")
def no_room(attempt: Attempt) -> None:
    sock, peer = ends(attempt)
    attempt.seen.facts["full"] = True
    with suppress(BlockingIOError):
        while True:
            _Socket.send(sock, bytes(4096))
    with suppress(BlockingIOError):
        while True:
            _Socket.send(sock, b"x")
    with a_file(TEXT) as file:
        step(attempt, sock, peer, file, 5, len(TEXT))


@send_some.scenario("the reader has gone")
def reader_has_gone(attempt: Attempt) -> None:
    sock, peer = ends(attempt)
    attempt.seen.facts["gone"] = True
    peer.close()
    with a_file(TEXT) as file:
        attempt.raises(ConnectionError, sock, file, 0, len(TEXT))


@send_some.scenario("the file has become shorter")
def shorter(attempt: Attempt) -> None:
    sock, _ = ends(attempt)
    attempt.seen.facts["shorter"] = True
    with a_file(TEXT) as file:
        file.truncate(20)
        attempt.raises(EOFError, sock, file, 20, len(TEXT))


@send_some.misconception("sendfile-of-the-socket", advice="Take os.sendfile, with two descriptors: it is one step.")
def some_of_the_socket(seen: Seen) -> str | None:
    if not any(event.call == "sendfile" for event in seen.failed("ValueError")):
        return None
    return "sock.sendfile() refuses a socket that does not wait: it would have to return in the middle."


@send_some.misconception("made-it-wait", advice="Leave the socket as it is, and send what fits now.")
def some_waits(seen: Seen) -> str | None:
    if not seen.made("setblocking", "settimeout"):
        return None
    return "It made the socket wait: then one slow reader holds up all the others of a loop."


@send_some.misconception(
    "by-hand", advice="os.sendfile(sock.fileno(), file.fileno(), offset, count) does it in the kernel."
)
def some_by_hand(seen: Seen) -> str | None:
    made = seen.made(*SENDS)
    if not made:
        return None
    return f"It read the bytes into Python and gave them to {made[0].call}(): each of them was copied twice."


@send_some.misconception("eagain-out", advice="Catch BlockingIOError, and return the offset as it stands.")
def some_eagain(seen: Seen) -> str | None:
    if not seen.raised(BlockingIOError):
        return None
    return "It raised BlockingIOError: no room is no failure here, it says *not now*."


@send_some.misconception("count-for-offset", advice="Add what os.sendfile returns to the offset.")
def some_count(seen: Seen) -> str | None:
    facts = seen.facts
    if not facts.get("offset") or seen.result != facts.get("taken") or not seen.returned:
        return None
    return f"It returned {seen.result}, how many bytes were sent, and not where the next call has to begin."


@send_some.misconception("beyond-the-end", advice="Ask for `end - offset` bytes at most.")
def some_beyond(seen: Seen) -> str | None:
    facts = seen.facts
    if "end" not in facts or facts["taken"] <= facts["end"] - facts["offset"]:
        return None
    return "It sent more than was asked for: what lies from `end` on belongs to somebody else."


@send_some.misconception("all-assumed", advice="Believe what os.sendfile returns: it may be a part.")
def some_all(seen: Seen) -> str | None:
    facts = seen.facts
    if not seen.returned or seen.result != facts.get("end") or facts.get("taken") == facts["end"] - facts["offset"]:
        return None
    return "It returned `end` as if all were sent; the socket took a part, and the rest will be missing."


@send_some.misconception("position-moved", advice="Give os.sendfile the offset, and leave seek, read and None alone.")
def some_moved(seen: Seen) -> str | None:
    if not seen.facts.get("moved"):
        return None
    return "It moved the file's position, which all who use this file share."


@send_some.misconception(
    "shorter-as-full", advice="os.sendfile raises where there is no room; its 0 is the file's end."
)
def some_shorter(seen: Seen) -> str | None:
    if not seen.facts.get("shorter") or not seen.returned:
        return None
    return "os.sendfile returned 0, the end of the file, and it returned: its caller waits for room, for ever."


@send_some.misconception("turns-for-ever", advice="Where os.sendfile returns 0 leave the loop: raise EOFError.")
def some_for_ever(seen: Seen) -> str | None:
    if not seen.facts.get("shorter") or not seen.timed_out:
        return None
    seen.line = ""  # a quick loop of two lines or more: in which of them it is found is chance
    return "os.sendfile returns 0 at the end of the file, again and again, and its loop waits for more."


@send_some.misconception(
    "error-swallowed", advice="Catch BlockingIOError alone; every other OSError goes to the caller."
)
def some_swallowed(seen: Seen) -> str | None:
    if not seen.facts.get("gone") or not seen.returned:
        return None
    return "The connection was broken, and it returned as if there were no room: its caller tries for ever."


# -- pour --------------------------------------------------------------------------------------------------------------


class Poured:
    """What `update` was given."""

    def __init__(self, attempt: Attempt, buffer: bytearray) -> None:
        self.data, self.pieces = bytearray(), 0
        self.facts, self.buffer = attempt.seen.facts, buffer
        self.facts.update(copies="", elsewhere=False, poured=0)

    def update(self, piece: Any) -> None:
        self.pieces += 1
        window = isinstance(piece, memoryview)
        if window and piece.obj is not self.buffer:
            self.facts["elsewhere"] = True
        elif not window and piece is not self.buffer:
            self.facts["copies"] = type(piece).__name__
        self.data += piece
        self.facts["poured"] = len(self.data)


def pours(
    attempt: Attempt,
    room: int,
    data: bytes,
    talk: Callable[[socket.socket, socket.socket], object],
    behind: bytes = b"",
) -> None:
    """`talk` sends `data`, with `behind` after it, to a reader whose buffer holds `room` bytes."""
    sock, peer = map(attempt.keep, socket.socketpair())
    facts, buffer = attempt.seen.facts, bytearray(b"\xee" * room)
    facts.update(size=len(data), room=room, resized=False, left=None)
    poured = Poured(attempt, buffer)
    attempt.beside(talk, peer, sock)
    if behind:
        arrived(sock, len(data + behind))
    attempt.call(sock, len(data), buffer, poured.update)
    facts["resized"] = len(buffer) != room
    news = [one.call for one in attempt.recorded() if one.thread == ANSWER and one.call in RECEIVES]
    if behind and sock.fileno() >= 0:
        facts["left"] = unread(sock)
        attempt.want(facts["left"] == len(behind), "what follows stays in the kernel", "it does not")
    attempt.want(not news, "no new object for what comes", f"{news[0] if news else ''}() made one")
    attempt.want(not facts["copies"], "update() gets windows of buffer", f"it got a {facts['copies']}")
    attempt.want(not facts["elsewhere"], "update() gets windows of buffer", "it got one of another buffer")
    if len(data) <= 100:
        attempt.equal(bytes(poured.data), data, "update() gets")
    same = bytes(poured.data) == data
    attempt.want(same, f"update() gets these {len(data):,} bytes", f"{len(poured.data):,} bytes, or others")
    attempt.want(not facts["resized"], f"a buffer of {room:,} bytes, as before", f"one of {len(buffer):,}")
    attempt.want(sock.fileno() >= 0, "sock is open afterwards", "it is closed")


@pour.scenario("eleven bytes, and a buffer of 64")
def fewer(attempt: Attempt) -> None:
    pours(attempt, 64, b"hello world", lambda peer, sock: peer.sendall(b"hello world"))


@pour.scenario("2,000 bytes in pieces of 37, and a buffer of 64")
def many_more(attempt: Attempt) -> None:
    data = text_of(2000)
    pours(attempt, 64, data, lambda peer, sock: dribble(peer, sock, data, 37))


@pour.scenario("a second message is right behind the first")
def right_behind(attempt: Attempt) -> None:
    pours(attempt, 64, TEXT[:50], lambda peer, sock: peer.sendall(TEXT), behind=TEXT[50:])


@pour.scenario("a million bytes, and a buffer of 65,536")
def large(attempt: Attempt) -> None:
    data = text_of(LONGER)
    pours(attempt, 65_536, data, lambda peer, sock: peer.sendall(data))


@pour.scenario("size is 0")
def nothing_at_all(attempt: Attempt) -> None:
    pours(attempt, 64, b"", lambda peer, sock: None)


@pour.scenario("the stream ends in the middle")
def ends_early(attempt: Attempt) -> None:
    sock, peer = map(attempt.keep, socket.socketpair())
    facts = attempt.seen.facts
    facts.update(early=True)
    peer.sendall(TEXT[:20])
    peer.close()
    buffer = bytearray(64)
    attempt.raises(EOFError, sock, len(TEXT), buffer, Poured(attempt, buffer).update)


@pour.misconception("new-object", advice="recv_into(view) writes into the memory that is there.")
def pour_new(seen: Seen) -> str | None:
    made = seen.made(*RECEIVES)
    if not made:
        return None
    return f"{made[0].call}() makes a new bytes object each time: `buffer` was to be the only memory."


@pour.misconception("slice-is-a-copy", advice="Take `view = memoryview(buffer)` once, and slices of the view.")
def pour_copy(seen: Seen) -> str | None:
    copy = seen.facts.get("copies")
    if not copy:
        return None
    return f"update() was given a {copy}: a slice of a bytearray is a copy of it, and a slice of a memoryview is not."


@pour.misconception("another-buffer", advice="The view has to be one of `buffer`.")
def pour_elsewhere(seen: Seen) -> str | None:
    if not seen.facts.get("elsewhere"):
        return None
    return "It took memory of its own, and gave update() a window of that; `buffer` was there already."


@pour.misconception("buffer-resized", advice="Leave the buffer's length alone; a window can be shorter.")
def pour_resized(seen: Seen) -> str | None:
    if not seen.facts.get("resized") and not seen.raised(BufferError):
        return None
    return "It changed the length of `buffer`: that moves memory, and the next reader finds less room."


@pour.misconception("too-far", advice="Ask for no more than is missing: recv_into(view[:left]).")
def pour_too_far(seen: Seen) -> str | None:
    facts = seen.facts
    if facts.get("left") is None or seen.received <= facts["size"]:
        return None
    return (
        f"It took {seen.received} bytes where {facts['size']} were its own: the beginning of the next message is lost."
    )


@pour.misconception("stale-bytes", advice="Only the first `count` bytes are new: update(view[:count]).")
def pour_stale(seen: Seen) -> str | None:
    facts = seen.facts
    if facts.get("early") or facts.get("poured", 0) <= facts.get("size", 0):
        return None
    return "It gave update() all of the buffer; recv_into had written its beginning, and the rest was old."


@pour.misconception("one-read", advice="Go on until nothing is missing.")
def pour_once(seen: Seen) -> str | None:
    facts = seen.facts
    if facts.get("early") or not seen.returned or facts.get("poured", 0) >= facts.get("size", 0):
        return None
    return "It returned before all of them were there: recv_into returns what has come, and not what fits."


@pour.misconception("waits-for-nothing", advice="Look whether something is missing before you ask for it.")
def pour_waits(seen: Seen) -> str | None:
    if seen.facts.get("size") != 0 or seen.facts.get("early") or not seen.blocked_in("recv"):
        return None
    return "Nothing is missing where `size` is 0, and it waits for a byte."


@pour.misconception("empty-window", advice="Look whether something is missing before you ask for it.")
def pour_empty(seen: Seen) -> str | None:
    if seen.facts.get("size") != 0 or seen.facts.get("early") or not seen.raised(EOFError):
        return None
    return "It asked for 0 bytes, got 0, and took that for the end of the stream."


@pour.misconception("end-as-success", advice="Where recv_into returns 0 and something is missing, raise EOFError.")
def pour_end(seen: Seen) -> str | None:
    if not seen.facts.get("early") or not seen.returned:
        return None
    return "The stream ended in the middle, and it returned: half of a file passes for a whole one."


# -- answer_one --------------------------------------------------------------------------------------------------------

HERE, THERE, ELSEWHERE = "127.0.0.1", "127.0.0.2", "127.9.8.7"
REPLY = b"the answer"


def mailbox(attempt: Attempt, host: str) -> socket.socket:
    box = attempt.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    box.bind((host, 0))
    return box


def served(attempt: Attempt, *hosts: str, question: bytes = b"a question", more: bool = False) -> None:
    """For each of `hosts`: a client asks there, the answer is called, and the reply has to come from there."""
    facts = attempt.seen.facts
    box = mailbox(attempt, "0.0.0.0")
    box.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    if more:
        box.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        box.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
    port = box.getsockname()[1]
    for host in hosts:
        client = mailbox(attempt, HERE)
        client.settimeout(0.3)
        facts.update(host=host, given=None, question=question, more=more, silent=False, host_is=host, port_is=True)

        def handler(data: bytes) -> bytes:
            facts["given"] = bytes(data)
            return REPLY

        client.sendto(question, (host, port))
        attempt.call(box, handler)
        attempt.want(box.fileno() >= 0, "box is open afterwards", "it is closed")
        given = facts["given"]
        attempt.want(given is not None, "handler() gets the question", "it was not called")
        attempt.want(given == question, f"handler() gets {shown(question)}", f"it got {shown(given)}")
        try:
            heard, (sender, source) = client.recvfrom(65_535)
        except TimeoutError:
            facts["silent"] = True
            attempt.want(False, "the client hears a reply", "nothing came")
        facts["host_is"], facts["port_is"] = sender, source == port
        attempt.want(source == port, "a reply from the port that was asked", "it came from another port")
        attempt.want(sender == host, f"a reply from {host}", f"it came from {sender}")
        attempt.equal(heard, REPLY, "the client hears")


@answer_one.scenario("asked at 127.0.0.1")
def at_home(attempt: Attempt) -> None:
    served(attempt, HERE)


@answer_one.scenario("asked at 127.0.0.2, and then at 127.9.8.7")
def at_others(attempt: Attempt) -> None:
    served(attempt, THERE, ELSEWHERE)


@answer_one.scenario("a question of 60,000 bytes")
def long_question(attempt: Attempt) -> None:
    served(attempt, THERE, question=text_of(60_000))


@answer_one.scenario("the box is told the time and the TTL as well")
def more_is_told(attempt: Attempt) -> None:
    served(attempt, THERE, more=True)


@answer_one.misconception("another-socket", advice="Answer with the same socket, and give sendmsg the address.")
def one_socket(seen: Seen) -> str | None:
    if not seen.made("bind") and seen.facts.get("port_is", True):
        return None
    return "It opened a socket of its own to answer with: the port is taken, and another port is another sender."


@answer_one.misconception("question-cut", advice="A datagram has up to 65,535 bytes: ask for as many.")
def one_cut(seen: Seen) -> str | None:
    given, question = seen.facts.get("given"), seen.facts.get("question", b"")
    if given is None or given == question or not question.startswith(given):
        return None
    return f"handler() got {len(given):,} bytes of {len(question):,}: what does not fit is cut off, and gone."


@answer_one.misconception("no-room", advice="Give recvmsg a second number: room for the ancillary data, say 1024.")
def one_room(seen: Seen) -> str | None:
    lost = seen.raised(IndexError, UnboundLocalError, StopIteration, KeyError, ValueError) and not seen.facts.get(
        "more"
    )
    if not lost or not seen.made("recvmsg"):
        return None
    return "The list of ancillary data was empty: recvmsg(size) has no room for any."


@answer_one.misconception("first-message", advice="Go through the list: level IPPROTO_IP, type IP_PKTINFO.")
def one_first(seen: Seen) -> str | None:
    if not seen.facts.get("more") or not seen.raised(struct.error, OSError, ValueError):
        return None
    if seen.raised(ValueError) and "unpack" not in str(seen.error):
        return None
    return "It took the first message of the list for the address; here the first one is the time."


@answer_one.misconception("little-room", advice="Make room for what other options bring as well, 1024 bytes say.")
def one_little(seen: Seen) -> str | None:
    if not seen.facts.get("more") or not (seen.error or seen.facts.get("silent") or seen.returned):
        return None
    return "There was room for one message of ancillary data, and the time had taken it: the address was cut off."


@answer_one.misconception("no-reply", advice="Send what handler() returns, to the sender of the question.")
def one_silent(seen: Seen) -> str | None:
    if not seen.facts.get("silent"):
        return None
    return "The client asked, and heard nothing."


@answer_one.misconception(
    "kernels-choice", advice="Give sendmsg the IP_PKTINFO of the question, and it leaves from there."
)
def one_choice(seen: Seen) -> str | None:
    facts = seen.facts
    if not seen.returned or facts.get("host_is") == facts.get("host"):
        return None
    return (
        f"{facts['host']} was asked, and {facts['host_is']} answered: without a word from you the kernel chooses the "
        "sender, and a client that knows whom it has asked does not listen."
    )
