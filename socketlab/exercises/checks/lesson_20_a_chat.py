"""Lesson 20, the first exercise: a chat in one thread."""

from __future__ import annotations

import socket
from collections.abc import Callable

from ...experiments.doors.wire import abort
from ...trace.events import IN, OUT
from ..attempt import Attempt, is_waiting, until
from ..definition import Exercise
from ..seen import Seen
from ..talk import LATER, NOTICED, SOON, Talk, of_answer, spinning
from ..words import shown

LESSON = "20_selectors"
SMALL, LARGE = 4096, 1 << 18  # bytes asked for a buffer: one that is full after three lines, one that holds them all
LINE, LINES = b"." * 999 + b"\n", 60  # more than the smallest buffers hold, also where a kernel gives them more

chat_loop = Exercise(
    "chat_loop",
    lesson=LESSON,
    wants="chat_loop(listener, n)",
    task="Accept `n` clients in one thread and pass each line of one of them on to all others, whole; wait for nobody "
    "who does not read; return when the last has left, with every connection closed.",
    hints=(
        "A selector watches the listener and each connection; `data` may hold what is known of a client.",
        "Keep the half of a line that has come in an object of this client: `Lines` above does it.",
        "All others: every key of `get_map()` but the listener's and the one who has spoken.",
        "Each connection is non-blocking: where `send` finds no room (`BlockingIOError`), this client misses the line.",
        "A client has left when `recv` returns `b''`, or raises `ConnectionError`: `unregister`, then `close`.",
        "When `n` have come and the map has only the listener left, return.",
    ),
    deadline=1.5,
)


class Room(Talk):
    """A listener, those who have come to it, and how much the answer has heard of them."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt)
        self.listener = attempt.listener()
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # whoever is accepted has what it has
        self.clients: dict[str, socket.socket] = {}
        self.small = ""  # who has little room in the kernel, at both ends
        self._said = 0

    def comes(self, *names: str) -> None:
        """They connect, and the answer has accepted them."""
        for name in names:
            self.now(f"{name} is accepted")
            client = self.clients[name] = self.attempt.keep(socket.socket())
            client.settimeout(LATER)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if name == self.small:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
            if self.small:  # a connection has what its listener had when it was made
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL if name == self.small else LARGE)
            client.connect(self.listener.getsockname())
            until(lambda: not is_waiting(self.listener, 0), LATER)

    def says(self, name: str, words: bytes, *others: str, line: bytes = b"", what: str = "") -> None:
        """`name` says something; `others` have to hear it, or the `line` that it ends. Without any it is only taken."""
        self.clients[name].sendall(words)
        self._said += len(words)
        for other in others:
            self.hears(other, self.clients[other], line or words, what)
        if not others:
            self.now(f"the {len(words)} bytes that {name} has sent are received")
            until(lambda: sum(e.size or 0 for e in of_answer(self.attempt) if e.direction == IN) >= self._said, SOON)
        self.threads()

    def leaves(self, name: str, *, reset: bool = False) -> None:
        """`name` goes, and the answer has noticed, unless it never does."""

        def noticed() -> int:
            return sum(e.direction == IN and not e.size for e in of_answer(self.attempt))

        before = noticed()
        client = self.clients.pop(name)
        if reset:
            abort(client)
        else:
            client.close()
        until(lambda: noticed() > before, NOTICED)

    def all_leave(self) -> None:
        for client in self.clients.values():
            client.close()

    def chat(self, talk: Callable[[], object], n: int) -> None:
        self.serve(talk, self.all_leave, self.listener, n, until_all_left=True)


@chat_loop.scenario("ann and bob say a line each")
def two_talk(attempt: Attempt) -> None:
    room = Room(attempt)

    def talk() -> None:
        room.comes("ann", "bob")
        room.says("ann", b"hello\n", "bob")
        room.says("bob", b"good day\n", "ann")
        room.says("ann", b"goodbye\n", "bob")

    room.chat(talk, 2)


@chat_loop.scenario("eve comes later, and says nothing")
def comes_later(attempt: Attempt) -> None:
    room = Room(attempt)
    room.facts["later"] = True

    def talk() -> None:
        room.comes("ann", "bob")
        room.says("ann", b"hello\n", "bob")
        room.comes("eve")
        room.says("bob", b"who is that?\n", "ann", "eve")
        room.quiet()
        room.says("ann", b"nobody knows\n", "bob", "eve")

    room.chat(talk, 3)


@chat_loop.scenario("ann has left before the others come")
def left_before(attempt: Attempt) -> None:
    room = Room(attempt)

    def talk() -> None:
        room.comes("ann")
        room.says("ann", b"is anybody there?\n")
        room.leaves("ann")
        room.comes("bob", "eve")
        room.says("bob", b"hello\n", "eve")

    room.chat(talk, 3)


@chat_loop.scenario("ann's line comes in two pieces, and bob's between them")
def in_pieces(attempt: Attempt) -> None:
    room = Room(attempt)
    room.facts["half"] = b"good mor"

    def talk() -> None:
        room.comes("ann", "bob", "eve")
        room.says("ann", b"good mor")
        room.says("bob", b"hello\n", "ann", "eve")
        room.says("ann", b"ning\n", "bob", "eve", line=b"good morning\n")

    room.chat(talk, 3)


@chat_loop.scenario("two lines and a half come in one piece")
def two_and_a_half(attempt: Attempt) -> None:
    room = Room(attempt)
    room.facts["half"] = b"thr"

    def talk() -> None:
        room.comes("ann", "bob")
        room.facts["two"] = True
        room.says("ann", b"one\ntwo\nthr", "bob", line=b"one\ntwo\n")
        room.facts["two"] = False
        room.says("ann", b"ee\n", "bob", line=b"three\n")

    room.chat(talk, 2)


@chat_loop.scenario("one leaves in the middle of a line, one with a reset, two talk on")
def two_leave(attempt: Attempt) -> None:
    room = Room(attempt)
    room.facts["leaver"] = b"and another thi"

    def talk() -> None:
        room.comes("ann", "bob", "eve", "joe")
        room.says("ann", b"and another thi")
        room.leaves("ann")
        room.leaves("bob", reset=True)
        room.says("eve", b"are you there?\n", "joe")
        room.says("joe", b"I am\n", "eve")

    room.chat(talk, 4)


@chat_loop.scenario("eve never reads, and the others talk on")
def eve_never_reads(attempt: Attempt) -> None:
    room = Room(attempt)
    room.small = "eve"

    def talk() -> None:
        room.comes("eve", "ann", "bob")
        for _ in range(LINES):
            room.says("ann", LINE, "bob", what="the next line")
        room.quiet()
        room.says("bob", b"that was long\n", "ann")

    room.chat(talk, 3)


def sent_pieces(seen: Seen) -> list[bytes]:
    """What the answer has offered to send."""
    return [bytes(event.data) for event in seen.calls if event.direction == OUT and event.data]


@chat_loop.misconception("threads", advice="One selector, one loop: what a thread would wait for, it waits for.")
def chat_threads(seen: Seen) -> str | None:
    if not seen.facts.get("threads"):
        return None
    return "It has started a thread; this server is to be one thread that waits for all."


@chat_loop.misconception("waits-for-all", advice="Register the listener, and accept when it is ready to read.")
def chat_for_all(seen: Seen) -> str | None:
    if not seen.blocked_in("accept"):
        return None
    return "It stands in accept() and waits for one more client, while those who are there talk, and are not heard."


@chat_loop.misconception("one-after-another", advice="Call recv only on a socket that select has returned.")
def chat_in_turn(seen: Seen) -> str | None:
    if not seen.blocked_in("recv"):
        return None
    return "It stands in recv() for one client, and hears nobody else meanwhile."


@chat_loop.misconception(
    "waits-for-room", advice="setblocking(False) for each connection; who has no room misses the line."
)
def chat_waits(seen: Seen) -> str | None:
    if not seen.blocked_in("send"):
        return None
    return "It stands in send() and waits for room at one client that does not read; nobody hears anything meanwhile."


@chat_loop.misconception("no-room-raised", advice="Catch BlockingIOError around send, beside ConnectionError.")
def chat_raised(seen: Seen) -> str | None:
    if not seen.raised(BlockingIOError) or not seen.failed("BlockingIOError"):
        return None
    call = seen.failed("BlockingIOError")[-1].call
    return f"{call}() found no room at one client, and its BlockingIOError ended the conversation of all."


@chat_loop.misconception("stays", advice="Count who has come; return when n have, and none is left.")
def chat_stays(seen: Seen) -> str | None:
    if not seen.facts.get("left") or not seen.blocked_in("select"):
        return None
    return "All clients have left, and it waits in select() for somebody else."


@chat_loop.misconception("returns-early", advice="Nobody there is not the end: count who has come, and who has left.")
def chat_early(seen: Seen) -> str | None:
    return "It returned while clients were there, or were still to come." if seen.facts.get("early") else None


@chat_loop.misconception("to-oneself", advice="Leave out the one who has said it.")
def chat_to_oneself(seen: Seen) -> str | None:
    heard = seen.facts.get("heard")
    if not isinstance(heard, bytes) or not heard.startswith(b"hello") or not seen.expected.startswith("ann"):
        return None
    return "Ann heard her own line: a line goes to all others."


@chat_loop.misconception("mixed-lines", advice="Keep the half in an object of this connection, in the key's data.")
def chat_mixed(seen: Seen) -> str | None:
    half = seen.facts.get("half")
    if not half or not any(piece.startswith(half) and b"hello" in piece for piece in sent_pieces(seen)):
        return None
    return "The half of ann's line and bob's line became one: it keeps the halves of all in one place."


@chat_loop.misconception("leavers-half", advice="What has no line end when its client leaves is dropped.")
def chat_leaver(seen: Seen) -> str | None:
    half = seen.facts.get("leaver")
    if not half or not any(piece.startswith(half) and len(seen.ends_of_stream()) for piece in sent_pieces(seen)):
        return None
    return f"Ann left in the middle of a line, and the others got {shown(half)}, which nobody has finished."


@chat_loop.misconception("half-lines", advice="Keep what has come until its line end is there; send whole lines only.")
def chat_half(seen: Seen) -> str | None:
    half = seen.facts.get("half")
    if not half or not [piece for piece in sent_pieces(seen) if piece.endswith(half)]:
        return None
    return f"It passed on {shown(half)}, a piece of a line: a recv returns what has arrived, and no lines."


@chat_loop.misconception("one-line-each-time", advice="Look for line ends until there is none left: while, not if.")
def chat_one_line(seen: Seen) -> str | None:
    if not (seen.facts.get("two") and seen.blocked_in("select")):
        return None
    return "Two lines came in one piece. It passed on the first, and waits; the second one is here already."


@chat_loop.misconception("reset-ends-it", advice="Catch ConnectionError around recv and send: this one has left.")
def chat_reset(seen: Seen) -> str | None:
    if not seen.raised(ConnectionError):
        return None
    return f"One client was gone, and {type(seen.error).__name__} ended the conversation of all others."


@chat_loop.misconception("spins", advice="Wait in select() without a timeout of 0, for what you want to do now only.")
def chat_spins(seen: Seen) -> str | None:
    return spinning(seen)
