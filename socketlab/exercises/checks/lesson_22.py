"""The exercises of lesson 22: connections that come as descriptors, too many of them, and who wrote a message.

Whether a descriptor is open somewhere is asked of its peer: the other end of a pair, or of a pipe, hears the end when
the last one is closed. All that is handed over is on its way before the answer is called, and closed here, so that the
answer's copies are the only ones. What the scenarios do in the answer's thread goes past the trace.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from _socket import socket as _Socket  # looks are nobody's business
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select
from typing import Any

from ..attempt import PATIENCE, Attempt, Unmet, until
from ..definition import Exercise
from ..seen import Seen
from ..words import kind, shown, with_article

LESSON = "22_unix_and_ancillary"
SOON = 0.3  # seconds within which what has happened shows
TWENTY = 20  # descriptors: few enough for a process that may have 64

work = Exercise(
    "work",
    lesson=LESSON,
    wants="work(control, handle)",
    task="For each connection that comes on `control`, as one byte and one descriptor, call `handle(conn)` and close "
    "it, also after an OSError; nobody inherits it. Return how many there were when `control` has ended.",
    hints=(
        "`socket.recv_fds(control, 1, 1)` returns the byte and a list of numbers. What does it return at the end?",
        "The number is yours: `socket.socket(fileno=number)` takes it over, and `with` closes it.",
        "`try`, then `except OSError`, inside the loop: one client that has gone is no reason to stop.",
        "`conn.set_inheritable(False)` before you call `handle`.",
    ),
    deadline=1.0,
)

take_fds = Exercise(
    "take_fds",
    lesson=LESSON,
    wants="take_fds(sock, most)",
    task="Receive a message of at most 100 bytes and return `(data, numbers)`; raise ValueError, with none of them "
    "open, where more than `most` descriptors came. They are not inheritable.",
    hints=(
        "`socket.recv_fds` returns the flags as well. Which of them says that something had no room?",
        "More than you wanted can arrive, too: `CMSG_SPACE` rounds up. Count them.",
        "What was delivered is yours, also when you raise: `os.close` for each number.",
        "`recvmsg` with MSG_CMSG_CLOEXEC, or `os.set_inheritable(number, False)`.",
    ),
)

messages_from = Exercise(
    "messages_from",
    lesson=LESSON,
    wants="messages_from(sock, process)",
    task="Return the messages that the process with this number sends to the datagram socket `sock`, up to its "
    '`b"quit"`, which is not among them; drop what others write, and what nobody can say the writer of.',
    hints=(
        "Set SO_PASSCRED first: from then on the kernel notes with each message who has sent it.",
        "`sock.recvmsg(100, socket.CMSG_SPACE(12))` has room for the note.",
        'Of SCM_CREDENTIALS, `struct.unpack("iII", content)` gives three numbers; the first one is the process.',
        "There may be no note, or another one beside it: go through the list, and close what was sent along.",
    ),
    deadline=1.5,
)


# -- what the scenarios share ------------------------------------------------------------------------------------------


def pair(attempt: Attempt) -> tuple[socket.socket, socket.socket]:
    """Both ends of a Unix stream; they close with the scenario."""
    left, right = socket.socketpair()
    return attempt.keep(left), attempt.keep(right)


def hand_over(control: socket.socket, data: bytes, numbers: list[int]) -> None:
    """Send descriptors through `control`, past the trace."""
    import array

    notes = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", numbers))] if numbers else []
    _Socket.sendmsg(control, [data], notes)


def has_ended(reader: int) -> bool:
    """Whether the end has come to the descriptor `reader`; what came before it is thrown away."""
    os.set_blocking(reader, False)
    with suppress(BlockingIOError):
        while os.read(reader, 1000):
            pass
        return True
    return False


# -- work --------------------------------------------------------------------------------------------------------------


class Clients:
    """Those who wait at the other ends, and the `handle` that serves them in the order in which they came."""

    def __init__(self, attempt: Attempt, gone: tuple[int, ...] = ()) -> None:
        self.facts = attempt.seen.facts
        self.facts.update(handled=0, waits=False, copied=False, inherits=False, other="", died=None, all=0)
        self.gone, self.clients, self.replies = gone, list[socket.socket](), list[bytes]()
        self.served: list[socket.socket] = []

    def handle(self, conn: Any) -> None:
        number = self.facts["handled"]
        self.facts["handled"] += 1
        if not isinstance(conn, socket.socket):
            self.facts["other"] = "a number" if isinstance(conn, int) else kind(conn)
            return
        if number:
            self._look_at(number - 1)
        self.served.append(conn)
        self.facts["inherits"] |= conn.get_inheritable()
        if number in self.gone:
            self.facts["died"] = ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
            raise self.facts["died"]
        _Socket.sendall(conn, _Socket.recv(conn, 100).upper())

    def _look_at(self, number: int) -> None:
        """Does this client wait still, and is it for somebody else than the socket that handle() had?"""
        if not self.facts["waits"] and not self._ended(number):
            self.facts.update(waits=True, copied=self.served[number].fileno() < 0)

    def _ended(self, number: int) -> bool:
        """Whether this client has heard the end; its reply, which came before, is kept."""
        client = self.clients[number]
        while len(self.replies) <= number:
            self.replies.append(b"")

        def hears() -> bool:
            try:  # not with recv, which on a socket with a timeout waits in spite of MSG_DONTWAIT
                while data := os.read(client.fileno(), 100):
                    self.replies[number] += data
            except BlockingIOError:
                return False
            except ConnectionResetError:  # closed, with something unread
                pass
            return True

        os.set_blocking(client.fileno(), False)
        return until(hears, SOON)

    def check(self, attempt: Attempt) -> None:
        """After the answer has returned."""
        facts = self.facts
        attempt.want(not facts["other"], "handle() gets a socket", f"it gets {facts['other']}")
        for number in range(len(self.served)):
            self._look_at(number)
        attempt.want(not facts["waits"], "each client hears the end when it was served", "one is still waiting")
        wanted = len(self.clients)
        attempt.want(facts["handled"] == wanted, f"handle() is called {times(wanted)}", times(facts["handled"]))
        replies = [b"" if n in self.gone else b"CLIENT %d" % n for n in range(wanted)]
        attempt.want(self.replies == replies, f"replies {shown(replies)}", shown(self.replies))
        attempt.want(not facts["inherits"], "what handle() gets is not inheritable", "it is")


def times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def serves(attempt: Attempt, count: int, gone: tuple[int, ...] = ()) -> None:
    """`count` connections are on their way, then comes the end; in the turn of those who are `gone`, handle raises."""
    clients = Clients(attempt, gone)
    clients.facts["all"] = count
    ours, control = pair(attempt)
    for number in range(count):
        conn, client = attempt.connection()
        _Socket.sendall(client, b"client %d" % number)
        hand_over(ours, b"!", [conn.fileno()])
        conn.close()
        clients.clients.append(client)
    ours.close()
    result = attempt.call(control, clients.handle)
    clients.check(attempt)
    attempt.equal(result, count)
    attempt.want(control.fileno() >= 0, "control is open when it is done", "it is closed")


@work.scenario("one connection")
def one_connection(attempt: Attempt) -> None:
    serves(attempt, 1)


@work.scenario("three, one after the other")
def three_connections(attempt: Attempt) -> None:
    serves(attempt, 3)


@work.scenario("none at all")
def no_connection(attempt: Attempt) -> None:
    serves(attempt, 0)


@work.scenario("three, and the second client has gone")
def one_has_gone(attempt: Attempt) -> None:
    serves(attempt, 3, gone=(1,))


@work.misconception("number-for-socket", advice="Make a socket of it: socket.socket(fileno=number).")
def work_number(seen: Seen) -> str | None:
    other = seen.facts.get("other")
    if not other:
        return None
    return f"It gave handle() {other}, where a socket is wanted: what arrives is a bare number."


@work.misconception("byte-without-descriptor", advice="Receive with recv_fds, or with recvmsg and room for a note.")
def work_recv(seen: Seen) -> str | None:
    if not seen.made("recv", "recv_into", "makefile") or seen.facts.get("handled") or not seen.facts.get("all"):
        return None
    return "It received the byte with no room for a descriptor, so the kernel closed the connection that came with it."


@work.misconception("stopped-by-one", advice="Catch OSError inside the loop, around handle().")
def work_stopped(seen: Seen) -> str | None:
    if seen.facts.get("died") is None or seen.error is not seen.facts["died"]:
        return None
    return "The OSError of one client went through the loop and ended the worker: those who came next are not served."


@work.misconception("end-not-seen", advice="At the end recv_fds returns b'' and no number: look before you take one.")
def work_end(seen: Seen) -> str | None:
    error = seen.error
    if seen.facts.get("handled") != seen.facts.get("all") or error is None or seen.raised(OSError):
        return None
    what = with_article(type(error).__name__)
    return f"After the last connection control ended, and it raised {what}: there was no number to take."


@work.misconception("waits-for-more", advice="Return when recv_fds returns b'': it does so again and again, at once.")
def work_endless(seen: Seen) -> str | None:
    if not seen.timed_out or seen.facts.get("handled") != seen.facts.get("all"):
        return None
    return "All connections were served and control had ended, and it went on asking for the next one."


@work.misconception("copy-kept", advice="The number is yours: socket.socket(fileno=number) takes it over.")
def work_copy(seen: Seen) -> str | None:
    if not seen.facts.get("waits") or not seen.facts.get("copied"):
        return None
    how = "fromfd() made a copy" if seen.made("fromfd") else "What handle() had was a copy"
    return f"{how}, and the number that arrived stayed open behind it: the client waits for the end."


@work.misconception("left-after-error", advice="Close it in a `with` or a `finally`, whatever handle() does.")
def work_after_error(seen: Seen) -> str | None:
    if not seen.facts.get("waits") or seen.facts.get("died") is None:
        return None
    return "handle() raised, and the connection stayed open: nobody will ever close it."


@work.misconception("client-still-waits", advice="Close each connection as soon as handle() has returned.")
def work_waits(seen: Seen) -> str | None:
    if not seen.facts.get("waits"):
        return None
    return "handle() was done with a client, and its connection stayed open: the client waits for the end."


@work.misconception("served-once", advice="Go on with the next one, until control has ended.")
def work_once(seen: Seen) -> str | None:
    handled, wanted = seen.facts.get("handled", 0), seen.facts.get("all", 0)
    if not seen.returned or not 0 < handled < wanted:
        return None
    return f"It served {handled} of {wanted} and returned: the others lie in control, and their clients wait."


@work.misconception("inherited", advice="Call conn.set_inheritable(False), or receive with MSG_CMSG_CLOEXEC.")
def work_inherited(seen: Seen) -> str | None:
    if not seen.facts.get("inherits"):
        return None
    return "The connection is inheritable, as the kernel makes them: each program that handle() starts would have it."


@work.misconception("control-closed", advice="Leave control open: it is its owner's.")
def work_control(seen: Seen) -> str | None:
    return "It closed control, which was lent to it." if seen.came == "it is closed" else None


@work.misconception("counts-successes", advice="Count a connection when it was taken, whatever became of its client.")
def work_counts(seen: Seen) -> str | None:
    if not seen.returned or seen.facts.get("died") is None or seen.facts.get("handled") != seen.facts.get("all"):
        return None
    return f"It returned {shown(seen.result)}: a client that has gone was served as well, as far as that was possible."


# -- take_fds ----------------------------------------------------------------------------------------------------------


@contextmanager
def gifts(what: str) -> Iterator[tuple[list[int], list[int], list[tuple[int, int]]]]:
    """Descriptors to hand over, one for each letter: s a socket, p a pipe; their peers, and what is behind each."""
    given: list[int] = []
    peers: list[int] = []
    try:
        for letter in what:
            if letter == "p":
                reader, writer = os.pipe()
            else:
                reader, writer = (end.detach() for end in socket.socketpair())
            peers.append(reader)
            given.append(writer)
        yield given, peers, [identity(number) for number in given]
    finally:
        for number in (*given, *peers):
            os.close(number)


def identity(number: int) -> tuple[int, int]:
    """Device and inode: the same for each number that leads to one socket or pipe."""
    status = os.fstat(number)
    return status.st_dev, status.st_ino


def send_message(attempt: Attempt, data: bytes, given: list[int], times: int = 1) -> socket.socket:
    """Put a message with these descriptors, each so many times, on its way, and close them; the end to receive at."""
    ours, sock = pair(attempt)
    hand_over(ours, data, given * times)
    for number in given:
        os.close(number)
    given.clear()
    return sock


def takes(attempt: Attempt, what: str, most: int) -> None:
    """All that is sent is allowed."""
    facts = attempt.seen.facts
    facts.update(sent=len(what), most=most, allowed=True)
    with gifts(what) as (given, peers, behind):
        sock = send_message(attempt, b"a message", given)
        result = attempt.call(sock, most)
        attempt.seen.left_open = 0  # bare numbers: their peers are asked below
        shape = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], list)
        attempt.want(shape, "(data, numbers), bytes and a list", kind(result))
        data, numbers = result
        facts["wrapped"] = any(not isinstance(number, int) for number in numbers)
        attempt.want(not facts["wrapped"], "a list of numbers", kind(numbers))
        facts["received"] = len(numbers)
        attempt.equal(data, b"a message", "data is")
        attempt.want(len(numbers) == len(what), f"{len(what)} numbers", str(len(numbers)))
        try:
            found = []
            for number in numbers:
                with suppress(OSError):
                    found.append(identity(number))
            attempt.want(found == behind, "each is open, in the order in which they were sent", "they are not")
            facts["inherits"] = any(os.get_inheritable(number) for number in numbers)
            attempt.want(not facts["inherits"], "they are not inheritable", "they are")
        finally:
            for number in numbers:
                with suppress(OSError):
                    os.close(number)
        facts["open"] = sum(not until(lambda peer=peer: has_ended(peer), SOON) for peer in peers)  # type: ignore[misc]
        attempt.want(not facts["open"], "no other number for them is open", f"{facts['open']} have one more")


def refuses(attempt: Attempt, what: str, most: int, times: int = 1) -> None:
    """More come than are allowed."""
    facts = attempt.seen.facts
    facts.update(sent=len(what) * times, most=most, allowed=False)
    with gifts(what) as (given, peers, _):
        sock = send_message(attempt, b"a message", given, times)
        try:
            attempt.raises(ValueError, sock, most)
        except Unmet as unmet:  # its words have the numbers in them, which are others each time
            count = numbers_in(attempt.seen.result)
            raise Unmet(unmet.expected, f"it returned {count} number{'s' * (count != 1)}") from None
        facts["open"] = sum(not until(lambda peer=peer: has_ended(peer), SOON) for peer in peers)  # type: ignore[misc]
        attempt.want(not facts["open"], "none of them is open", "some are open")


@take_fds.scenario("two, where two are allowed")
def two_of_two(attempt: Attempt) -> None:
    takes(attempt, "ss", 2)


@take_fds.scenario("a message without any")
def without_any(attempt: Attempt) -> None:
    takes(attempt, "", 2)


@take_fds.scenario("a pipe between two sockets")
def a_pipe_too(attempt: Attempt) -> None:
    takes(attempt, "sps", 4)


@take_fds.scenario("two, where one is allowed")
def one_too_many(attempt: Attempt) -> None:
    refuses(attempt, "ss", 1)


@take_fds.scenario("twenty, where two are allowed")
def twenty(attempt: Attempt) -> None:
    refuses(attempt, "p", 2, TWENTY)


@take_fds.misconception("received-without-room", advice="Receive with recv_fds, or with recvmsg and room for a note.")
def take_recv(seen: Seen) -> str | None:
    if not seen.returned or not seen.made("recv", "recv_into", "recvfrom") or not seen.facts.get("sent"):
        return None
    return "It received the bytes with no room for descriptors, so the kernel closed those that came along."


@take_fds.misconception("needs-one", advice="A message without descriptors has no note: begin with an empty list.")
def take_needs_one(seen: Seen) -> str | None:
    if not isinstance(seen.error, (ValueError, IndexError, TypeError)) or seen.facts.get("sent") != 0:
        return None
    return f"It raised {with_article(type(seen.error).__name__)} for a message without descriptors, which is all right."


@take_fds.misconception("wrapped", advice="Return the numbers: the caller knows what they are.")
def take_wrapped(seen: Seen) -> str | None:
    if seen.facts.get("wrapped") or (seen.raised_number(errno.ENOTSOCK) and seen.facts.get("allowed")):
        return "It made sockets of the numbers: what comes may be a file or a pipe as well."
    return None


@take_fds.misconception("inherited", advice="Receive with MSG_CMSG_CLOEXEC, or call os.set_inheritable(number, False).")
def take_inherited(seen: Seen) -> str | None:
    if not seen.facts.get("inherits"):
        return None
    return (
        "What it returned is inheritable, as the kernel makes it: recv_fds() leaves it so, whatever flags it is given."
    )


@take_fds.misconception("room-rounded-up", advice="Count what has come, or ask for CMSG_LEN, which is exact.")
def take_rounded(seen: Seen) -> str | None:
    most = seen.facts.get("most", 0)
    if seen.facts.get("allowed", True) or not seen.returned or numbers_in(seen.result) <= most:
        return None
    return f"It returned {numbers_in(seen.result)} numbers where {most} is allowed: CMSG_SPACE rounds the room up."


@take_fds.misconception("flags-unread", advice="Look for MSG_CTRUNC in the flags: flags & socket.MSG_CTRUNC.")
def take_flags(seen: Seen) -> str | None:
    if seen.facts.get("allowed", True) or not seen.returned:
        return None
    return "It returned as if nothing had been lost: MSG_CTRUNC, in the flags, said that some had no room."


def numbers_in(result: object) -> int:
    """How many numbers the answer returned."""
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], (list, tuple)):
        return len(result[1])
    return 0


@take_fds.misconception("kept-on-refusal", advice="Close each number that has arrived, then raise.")
def take_kept(seen: Seen) -> str | None:
    if seen.facts.get("allowed", True) or not seen.facts.get("open"):
        return None
    return "It raised ValueError and left what had found room open: nobody has the numbers, so nobody closes them."


@take_fds.misconception("other-error", advice="Raise ValueError for too many.")
def take_other(seen: Seen) -> str | None:
    if seen.facts.get("allowed", True) or seen.error is None or isinstance(seen.error, ValueError):
        return None
    return f"It raised {with_article(type(seen.error).__name__)} where too many came: the caller expects a ValueError."


# -- messages_from -----------------------------------------------------------------------------------------------------

# Runs in a process of its own. A line of input is an address and a message in hexadecimal, and a "+" where a descriptor
# shall go along; a line of output says that it is sent.
WRITER = """
import array, sys
from _socket import *
sock = socket(AF_UNIX, SOCK_DGRAM)
for line in iter(sys.stdin.readline, ""):
    address, message, *plus = line.split()
    notes = [(SOL_SOCKET, SCM_RIGHTS, array.array("i", [sock.fileno()]))] if plus else []
    sock.sendmsg([bytes.fromhex(message)], notes, 0, bytes.fromhex(address))
    print(flush=True)
"""

RIGHT, STRANGER = 0, 1  # who writes
_started: list[subprocess.Popen[str]] = []


def writers(count: int) -> list[subprocess.Popen[str]]:
    """So many processes that write what they are told to.

    They are the same in all scenarios, and end with the process of the check: each has a Python to start, and on a busy
    machine eight of those take longer than an answer may.
    """
    while len(_started) < count:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        command = [sys.executable, "-S", "-E", "-c", WRITER]
        _started.append(subprocess.Popen(command, text=True, **pipes))  # type: ignore[call-overload]
    return _started[:count]


def write(writer: subprocess.Popen[str], address: bytes, message: bytes, along: bool = False) -> None:
    """Have it send the message, with a descriptor if that shall go along, and wait until it has.

    It looks again and again instead of blocking in readline(): on a busy machine the writer waits for its turn, and so
    does this thread then. Such time does not count (see `clock`); blocked, it would.
    """
    said = writer.stdout
    assert writer.stdin is not None
    assert said is not None
    with suppress(OSError, ValueError):  # the writer has gone, or somebody has closed its pipes
        writer.stdin.write(f"{address.hex()} {message.hex()} {'+' * along}\n")
        writer.stdin.flush()
        until(lambda: select([said], [], [], 0)[0], PATIENCE)
        said.readline()


def listens(
    attempt: Attempt, lines: list[tuple[int, bytes]], *, early: tuple[bytes, ...] = (), along: tuple[int, ...] = ()
) -> None:
    """The process writes `early` before the answer is called, and `lines` when it asks for credentials.

    `along` are the lines with which a descriptor goes.
    """
    facts = attempt.seen.facts
    sock = attempt.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    _Socket.bind(sock, "")
    address: Any = _Socket.getsockname(sock)
    facts.update(asks=False, early=early, along=bool(along), strange=[m for who, m in lines if who == STRANGER])

    def asks() -> bool:
        with suppress(OSError):
            facts["asks"] = bool(_Socket.getsockopt(sock, socket.SOL_SOCKET, socket.SO_PASSCRED))
        return bool(facts["asks"])

    made = writers(1 + any(who == STRANGER for who, _ in lines))
    for message in early:
        write(made[RIGHT], address, message)

    def talk() -> None:
        until(asks, SOON)  # one that does not ask gets its messages all the same
        for number, (who, message) in enumerate(lines):
            write(made[who], address, message, number in along)

    thread = attempt.beside(talk)
    result = attempt.call(sock, made[RIGHT].pid)
    thread.join(1.0)
    wanted = [message for who, message in lines if who == RIGHT and message != b"quit"]
    attempt.equal(result, wanted)
    attempt.want(sock.fileno() >= 0, "sock is open when it is done", "it is closed")


@messages_from.scenario("the process alone")
def process_alone(attempt: Attempt) -> None:
    listens(attempt, [(RIGHT, b"ready"), (RIGHT, b"half done"), (RIGHT, b"quit")])


@messages_from.scenario("a stranger writes as well")
def a_stranger(attempt: Attempt) -> None:
    listens(attempt, [(RIGHT, b"ready"), (STRANGER, b"me too"), (RIGHT, b"half done"), (RIGHT, b"quit")])


@messages_from.scenario("a stranger says quit")
def a_stranger_quits(attempt: Attempt) -> None:
    listens(attempt, [(RIGHT, b"ready"), (STRANGER, b"quit"), (RIGHT, b"half done"), (RIGHT, b"quit")])


@messages_from.scenario("a message from before the call")
def before_the_call(attempt: Attempt) -> None:
    listens(attempt, [(RIGHT, b"ready"), (RIGHT, b"quit")], early=(b"too early",))


@messages_from.scenario("a stranger sends a descriptor along")
def a_descriptor_along(attempt: Attempt) -> None:
    listens(attempt, [(STRANGER, b"a present"), (RIGHT, b"ready"), (RIGHT, b"quit")], along=(0,))


@messages_from.misconception("asks-the-socket", advice="Ask for SCM_CREDENTIALS with each message: SO_PASSCRED.")
def messages_peer(seen: Seen) -> str | None:
    asked = [event for event in seen.events if event.call == "getsockopt" and "SO_PEERCRED" in event.asked]
    if not asked:
        return None
    return "It asked for SO_PEERCRED: a socket that anybody can write to has no peer, and the answer is process 0."


@messages_from.misconception("not-asked", advice="Set SO_PASSCRED before the first message: setsockopt(SOL_SOCKET, …).")
def messages_not_asked(seen: Seen) -> str | None:
    if seen.facts.get("asks", True) or not seen.made("recvmsg", "recvmsg_into"):
        return None
    return "It never set SO_PASSCRED, so the kernel noted nobody, and no message says who wrote it."


@messages_from.misconception("no-room", advice="Give recvmsg room for the note: socket.CMSG_SPACE(12).")
def messages_no_room(seen: Seen) -> str | None:
    received = [event for event in seen.made("recvmsg", "recvmsg_into") if event.failure is None]
    if not received or not seen.facts.get("asks") or "MSG_CTRUNC" not in received[0].result:
        return None
    if "ancillary" in received[0].result:
        return None
    return "recvmsg() had no room for the note, and said so with MSG_CTRUNC: who wrote the message was thrown away."


@messages_from.misconception("nobody-trusted", advice="Only what the kernel has noted counts: process 0 is nobody.")
def messages_early(seen: Seen) -> str | None:
    early = seen.facts.get("early")
    if not early or not in_result(seen, early):
        return None
    return f"It took {shown(early[0])}, which was written before anybody asked who writes: its note says process 0."


@messages_from.misconception(
    "one-note-expected", advice="Go through the list of notes, and take the one that you want."
)
def messages_one_note(seen: Seen) -> str | None:
    if not seen.facts.get("along") or not isinstance(seen.error, (ValueError, IndexError, TypeError, KeyError)):
        return None
    error = with_article(type(seen.error).__name__)
    return f"It raised {error}: with a descriptor along there are two notes, and a stranger can end the service so."


@messages_from.misconception("present-kept", advice="Close what comes along, or leave no room for it: CMSG_SPACE(12).")
def messages_present(seen: Seen) -> str | None:
    if not seen.facts.get("along") or not seen.left_open:
        return None
    return "A stranger sent a descriptor along, and it is open still: after some hundred of them none is left."


@messages_from.misconception("user-for-process", advice="Compare the first of the three numbers: it is the process.")
def messages_user(seen: Seen) -> str | None:
    if not takes_strangers(seen) or not seen.facts.get("asks"):
        return None
    return f"It listened to a stranger, {shown(seen.facts['strange'][0])}: another process of the same user is another."


@messages_from.misconception("believes-anybody", advice="Ask the kernel who wrote each message: SO_PASSCRED, recvmsg.")
def messages_anybody(seen: Seen) -> str | None:
    if seen.facts.get("asks", True) or not seen.returned:
        return None
    if takes_strangers(seen):
        return f"It listened to a stranger, {shown(seen.facts['strange'][0])}: it never asked who wrote that."
    return None


@messages_from.misconception("quit-kept", advice='Stop before you append: b"quit" is no message for the caller.')
def messages_quit(seen: Seen) -> str | None:
    if not isinstance(seen.result, list) or b"quit" not in seen.result:
        return None
    return 'b"quit" is in the list: it says where the list ends, and is no part of it.'


@messages_from.misconception("closed", advice="Leave sock open: its owner goes on with it.")
def messages_closed(seen: Seen) -> str | None:
    return "It closed sock, which was lent to it." if seen.came == "it is closed" else None


def in_result(seen: Seen, messages: tuple[bytes, ...] | list[bytes]) -> bool:
    return isinstance(seen.result, list) and any(message in seen.result for message in messages)


def takes_strangers(seen: Seen) -> bool:
    """A stranger's message is in the list, or ended it."""
    strange = seen.facts.get("strange", ())
    if not strange or not isinstance(seen.result, list):
        return False
    return in_result(seen, [m for m in strange if m != b"quit"]) or (
        b"quit" in strange and b"half done" not in seen.result
    )
