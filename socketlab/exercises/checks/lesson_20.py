"""The exercises of lesson 20: a chat in one thread, write interest only while there is something to write, and a
reader that is too slow.

How an answer waits is its own affair: selectors, select, poll and asyncio pass alike. Whether it holds up others is
seen from who hears what: a piece is sent only when those who have to hear the one before have heard it. Whether it
turns without having anything to do is seen from its calls, which are counted while nobody says a word.
"""

from __future__ import annotations

import random
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from ...experiments.doors.wire import abort
from ...trace.events import IN, OUT
from ...trace.waiting import waiting
from ..attempt import ANSWER, PEER, Attempt, Raised, is_waiting, until
from ..definition import Exercise
from ..dribble import taken, unread
from ..seen import Seen
from ..words import shown

LESSON = "20_selectors"
LATER = 20.0  # seconds: a timeout beyond every deadline, also where a busy machine stretches it
SOON = 0.3  # seconds for what the answer does next, unless it never does
NOTICED = 0.8  # seconds for it to find that somebody has left
QUIET = 0.5  # seconds in which nobody says anything, unless the answer is seen to wait before
BUSY = 100  # calls in that time, or ten times as many since the beginning: it waits for nothing

chat_loop = Exercise(
    "chat_loop",
    lesson=LESSON,
    wants="chat_loop(listener, n)",
    task="Accept `n` clients in one thread and pass each line of one of them on to all others, whole; return when the "
    "last has left, with every connection closed.",
    hints=(
        "A selector watches the listener and each connection; `data` may hold what is known of a client.",
        "Keep the half of a line that has come in an object of this client: `Lines` above does it.",
        "All others: every key of `get_map()` but the listener's and the one who has spoken.",
        "A client has left when `recv` returns `b''`, or raises `ConnectionError`: `unregister`, then `close`.",
        "When `n` have come and the map has only the listener left, return.",
    ),
    deadline=1.5,
)

flush = Exercise(
    "flush",
    lesson=LESSON,
    wants="flush(selector, sock, unsent)",
    task="Send what the kernel takes of `unsent` without waiting, take it off the front, and have `sock` registered "
    "for EVENT_WRITE only while something is left; keep its `data`.",
    hints=(
        "`sock.send(unsent)` returns how many bytes the kernel has taken: `del unsent[:sent]`.",
        "Where there is no room at all, `send` raises `BlockingIOError`: nothing was taken, and that is all.",
        "`selector.get_key(sock).data` is what it was registered with; `modify` without it forgets it.",
        "What you want depends on one question: is `unsent` empty?",
    ),
    deadline=1.0,
)

fan_out = Exercise(
    "fan_out",
    lesson=LESSON,
    wants="fan_out(source, readers, limit)",
    task="Pass on what comes from `source` to each of `readers` until it ends; keep `limit` bytes for a reader at "
    "most, and hang up on one that would need more; return how many that were, when all readers are closed.",
    hints=(
        "A buffer for each reader, as in `Outbox`; all of them non-blocking.",
        "After each piece: add it to the buffer, send what goes, look at what is left. More than `limit`? Hang up.",
        "Want EVENT_WRITE from those that have something left, EVENT_READ from all, to see who leaves.",
        "When `source` has ended take it off the list, and go on until no reader is left: close each that has it all.",
        "In one turn you may close a reader whose key comes later in the same list: look before you use it.",
    ),
    deadline=2.0,
)


# -- what the scenarios share ------------------------------------------------------------------------------------------


def of_answer(attempt: Attempt) -> list[Any]:
    """The calls until now, without those of the scenario's threads."""
    return [event for event in attempt.recorded() if event.inside is None and not event.thread.startswith(PEER)]


def is_quiet(attempt: Attempt) -> bool:
    """Whether the answer waits while nobody says anything, rather than turn and turn; `facts` remembers.

    Who waits is found in one and the same call twice; who turns has made many calls before long.
    """
    if until(lambda: stands_still(attempt), QUIET / 10):
        return True
    before, calls = len(of_answer(attempt)), [0]

    def busy() -> bool:
        calls.append(len(of_answer(attempt)))
        return calls[-1] - before > BUSY or calls[-1] > 10 * BUSY

    until(lambda: stands_still(attempt) or busy(), QUIET)
    spins = calls[-1] - before > BUSY or calls[-1] > 10 * BUSY
    attempt.seen.facts["spins"] = spins
    return not spins


def stands_still(attempt: Attempt) -> bool:
    """Whether the answer is blocked in a call, and was in the same one a moment ago."""
    looks = []
    for _ in range(2):
        wait = waiting(next(one for one in threading.enumerate() if one.name == ANSWER), explain=False)
        if wait is None:
            return False
        looks.append(wait.same)
        time.sleep(0.002)
    return looks[0] == looks[1]


def spinning(seen: Seen) -> str | None:
    """It calls and calls while there is nothing to do."""
    if not seen.facts.get("spins"):
        return None
    select = [event for event in seen.calls if event.call in ("select", "poll", "epoll")]
    if len(select) > BUSY and any(" ready" in event.result and not event.result.startswith("0") for event in select):
        return "Nobody said anything, and select() returned again and again: something on its list is always ready."
    return "Nobody said anything, and it asked and asked without ever waiting: 100 % of a processor."


def hear(sock: socket.socket, size: int) -> bytes:
    """`size` bytes, or what came before the end."""
    data = b""
    while len(data) < size and (more := sock.recv(size - len(data))):
        data += more
    return data


class Told(Exception):
    """Somebody heard something else: the talk is over."""


class Talk:
    """What goes on beside the answer, step by step; each step says what is wanted next."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt, self.facts, self.seen = attempt, attempt.seen.facts, attempt.seen
        self.wrong: tuple[str, str] | None = None
        self.over = False
        self._before = set(threading.enumerate())
        self._lock = threading.Lock()

    def now(self, wanted: str) -> None:
        """From now on that is what has to come next."""
        with self._lock:
            if not self.over:
                self.seen.expected = wanted

    def hears(self, who: str, sock: socket.socket, words: bytes, what: str = "") -> None:
        """`who` has to hear exactly these bytes next, `what` in words. Raises Told otherwise."""
        wanted = f"{who} hears {what or shown(words)}"
        self.now(wanted)
        try:
            heard = hear(sock, len(words))
        except ConnectionError:
            heard = b""
        if heard != words:
            self.facts["heard"] = heard
            if len(heard) < len(words):  # somebody has closed: the answer, or what ended it?
                until(lambda: self.seen.error is not None or self.seen.returned, SOON)
            self.unlike(wanted, "other bytes, or fewer" if what else shown(heard))

    def unlike(self, wanted: str, came: str) -> None:
        """What came is something else. Raises Told.

        Where an exception has ended the answer, that is what there is to tell, and this is only what comes of it.
        """
        if self.seen.error is None:
            self.wrong = wanted, came
        raise Told

    def threads(self) -> None:
        """Raises Told where the answer has started a thread."""
        new = [one for one in threading.enumerate() if one not in self._before and not one.name.startswith(PEER)]
        if [one for one in new if one.name != ANSWER]:
            self.facts["threads"] = True
            self.unlike("one thread", "it has started another one")

    def quiet(self) -> None:
        """Nobody says anything now. Raises Told where the answer does not wait meanwhile."""
        if not is_quiet(self.attempt):
            self.unlike("it waits while nobody says anything", "it does not wait")

    def serve(
        self, talk: Callable[[], object], leave: Callable[[], object], *arguments: Any, until_all_left: bool = False
    ) -> Any:
        """Call the answer while `talk` goes on in a thread beside; then everybody leaves. What the answer returned."""

        def talk_and_leave() -> None:
            try:
                talk()
            except Told:
                pass
            except ConnectionError as exc:
                self.wrong = self.wrong or (self.seen.expected, type(exc).__name__)
            except TimeoutError:
                return  # its time has been up for long
            if self.wrong is None:
                self.now(f"{self.attempt.wants} returns")
            self.facts["left"] = True
            leave()

        beside = self.attempt.beside(talk_and_leave)
        try:
            result = self.attempt.call(*arguments)
        except Raised:
            with self._lock:
                self.over = True
            if self.wrong is not None:  # what came after that matters less
                self.attempt.want(False, *self.wrong)
            self.seen.expected = f"{self.attempt.wants} returns"
            raise
        if until_all_left and not self.facts.get("left"):
            self.over, self.facts["early"] = True, True
            self.attempt.want(False, "it goes on until the last one has left", "it returned before")
        beside.join(1.0)
        if self.wrong is not None:
            self.attempt.want(False, *self.wrong)
        return result


# -- chat_loop ---------------------------------------------------------------------------------------------------------


class Room(Talk):
    """A listener, those who have come to it, and how much the answer has heard of them."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt)
        self.listener = attempt.listener()
        self.clients: dict[str, socket.socket] = {}
        self._said = 0

    def comes(self, *names: str) -> None:
        """They connect, and the answer has accepted them."""
        for name in names:
            self.now(f"{name} is accepted")
            self.clients[name] = self.attempt.keep(socket.create_connection(self.listener.getsockname(), LATER))
            until(lambda: not is_waiting(self.listener, 0), LATER)

    def says(self, name: str, words: bytes, *others: str, line: bytes = b"") -> None:
        """`name` says something; `others` have to hear it, or the `line` that it ends. Without any it is only taken."""
        self.clients[name].sendall(words)
        self._said += len(words)
        for other in others:
            self.hears(other, self.clients[other], line or words)
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


# -- flush -------------------------------------------------------------------------------------------------------------

NOTES = "the notes of this connection"
BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE
NAMES = {0: "nothing", 1: "EVENT_READ", 2: "EVENT_WRITE", 3: "EVENT_READ and EVENT_WRITE"}
LONG = 1_000_000  # bytes: more than both buffers of a pair of sockets hold


class Sender:
    """A pair of sockets, a selector that knows the one that sends, and what is wanted after each call of the answer."""

    def __init__(self, attempt: Attempt, selector: selectors.BaseSelector, events: int = selectors.EVENT_READ) -> None:
        self.attempt, self.selector = attempt, selector
        sock, peer = socket.socketpair()
        self.sock, self.peer = attempt.keep(sock), attempt.keep(peer)
        sock.setblocking(False)
        peer.setblocking(False)
        selector.register(sock, events, NOTES)

    def flush(self, unsent: bytearray) -> None:
        """Have the answer send, and look at what it has left behind."""
        attempt, facts = self.attempt, self.attempt.seen.facts
        before, lay = bytes(unsent), unread(self.peer)
        attempt.call(self.selector, self.sock, unsent)
        key = self.selector.get_map().get(self.sock)
        went = unread(self.peer) - lay
        facts.update(
            went=went, before=len(before), unsent=len(unsent), gone=key is None, events=key.events if key else 0
        )
        left = bytes(unsent) == before[went:]
        attempt.want(left, "what has not been sent is left, and nothing else", "something else is left")
        attempt.want(key is not None, "sock is registered when it is done", "it is not")
        wanted = BOTH if unsent else selectors.EVENT_READ
        state = "something" if unsent else "nothing"
        assert key is not None
        expected = f"with {state} left, it is registered for {NAMES[wanted]}"
        attempt.want(key.events == wanted, expected, f"for {NAMES[key.events]}")
        facts["notes"] = key.data
        attempt.want(key.data is NOTES, "its data is what it was", shown(key.data))

    def came(self) -> bytes:
        """All that lies at the other end."""
        data = b""
        while unread(self.peer):
            data += self.peer.recv(65536)
        return data


@flush.scenario("five bytes, and room for them")
def five_bytes(attempt: Attempt) -> None:
    with selectors.DefaultSelector() as selector:
        sender = Sender(attempt, selector)
        unsent = bytearray(b"hello")
        sender.flush(unsent)
        attempt.equal(sender.came(), b"hello", "the other end gets")
        attempt.equal(bytes(unsent), b"", "what is left is")


@flush.scenario("nothing to send, and it was registered for both")
def nothing_to_send(attempt: Attempt) -> None:
    with selectors.DefaultSelector() as selector:
        sender = Sender(attempt, selector, BOTH)
        sender.flush(bytearray())
        attempt.equal(sender.came(), b"", "the other end gets")


@flush.scenario("a million bytes, to somebody who reads now and then")
def a_million(attempt: Attempt) -> None:
    data = bytes(range(250)) * (LONG // 250)
    with selectors.DefaultSelector() as selector:
        sender = Sender(attempt, selector)
        unsent, came = bytearray(data), b""
        sender.flush(unsent)
        while unsent:
            came += sender.came()
            woken = [events for _, events in selector.select(0)]
            attempt.want(woken == [selectors.EVENT_WRITE], "there is room now, and it is woken", "it is not")
            sender.flush(unsent)
        came += sender.came()
        attempt.want(came == data, "the same bytes in the same order", "others")


@flush.scenario("no room for a single byte")
def no_room(attempt: Attempt) -> None:
    with selectors.DefaultSelector() as selector:
        sender = Sender(attempt, selector)
        fill(sender.sock)
        unsent = bytearray(b"later")
        attempt.seen.facts["full"] = True
        sender.flush(unsent)
        attempt.equal(bytes(unsent), b"later", "what is left is")
        attempt.want(sender.came().count(b"l") == 0, "nothing of it has been sent", "some of it has")
        sender.flush(unsent)
        attempt.equal(sender.came(), b"later", "once there is room, the other end gets")


@flush.scenario("the other end has gone")
def has_gone(attempt: Attempt) -> None:
    with selectors.DefaultSelector() as selector:
        sender = Sender(attempt, selector)
        sender.peer.close()
        attempt.seen.facts["no peer"] = True
        attempt.raises(ConnectionError, selector, sender.sock, bytearray(b"hello"))


def fill(sock: socket.socket) -> None:
    """Send through a non-blocking `sock` until there is no room for one byte more."""
    for size in (4096, 1):
        try:
            while True:
                sock.send(b"." * size)
        except BlockingIOError:
            pass


@flush.misconception("waits-for-room", advice="Leave sock as it is: send() takes what fits and returns.")
def flush_waits(seen: Seen) -> str | None:
    if not seen.blocked_in("send"):
        return None
    return "It made the socket blocking, and waits in send for room, while the loop and all its clients wait for it."


@flush.misconception("spins-for-room", advice="No room: return. The selector will say when there is some.")
def flush_spins(seen: Seen) -> str | None:
    if not seen.timed_out or len(seen.failed("BlockingIOError")) < 10:
        return None
    return "There was no room, and it asked and asked again; the reader's turn never comes in a loop that spins."


@flush.misconception("waits-in-select", advice="The loop has a select; wait nowhere else.")
def flush_selects(seen: Seen) -> str | None:
    if not seen.blocked_in("select"):
        return None
    return "It waits for room itself, in select(): for this one client the whole loop stands still."


@flush.misconception("no-room-raised", advice="Catch BlockingIOError: nothing was taken, and the rest is for later.")
def flush_raised(seen: Seen) -> str | None:
    if not seen.raised(BlockingIOError):
        return None
    call = seen.failed("BlockingIOError")[-1].call if seen.failed("BlockingIOError") else "send"
    if call == "sendall":
        return "sendall() found no room for the rest and raised BlockingIOError; it does not say how much has gone."
    return "There was no room, and BlockingIOError went to the caller; in a loop that is no error: it means not yet."


@flush.misconception("registers-again", advice="It is on the list already: modify(sock, events, data).")
def flush_registers(seen: Seen) -> str | None:
    if not seen.raised(KeyError):
        return None
    return "It called register() for a socket that has its entry: KeyError."


@flush.misconception("off-the-list", advice="Leave it on the list, for EVENT_READ at least.")
def flush_off(seen: Seen) -> str | None:
    if not seen.facts.get("gone"):
        return None
    return "It took the socket off the list: what its client says will not be heard any more."


@flush.misconception(
    "sent-twice", advice="del unsent[:sent] changes the caller's buffer; unsent = unsent[sent:] does not."
)
def flush_twice(seen: Seen) -> str | None:
    facts = seen.facts
    if not facts.get("went") or facts["unsent"] + facts["went"] <= facts["before"]:
        return None
    return "It sent, and the caller's unsent is as long as before: the same bytes will be sent again."


@flush.misconception("rest-lost", advice="Take off as many bytes as send() has returned, and no more.")
def flush_lost(seen: Seen) -> str | None:
    facts = seen.facts
    if "went" not in facts or facts["unsent"] + facts["went"] >= facts["before"]:
        return None
    return "More was taken off unsent than send() had taken: the rest is lost."


@flush.misconception("never-write", advice="modify(sock, EVENT_READ | EVENT_WRITE, data) while something is left.")
def flush_never(seen: Seen) -> str | None:
    if not seen.facts.get("unsent") or seen.facts.get("events", 2) & selectors.EVENT_WRITE:
        return None
    return "Something is left, and it does not wait for room: nobody will call flush again, and the client waits."


@flush.misconception("always-write", advice="modify(sock, EVENT_READ, data) as soon as unsent is empty.")
def flush_always(seen: Seen) -> str | None:
    if seen.facts.get("unsent", 1) or not seen.facts.get("events", 0) & selectors.EVENT_WRITE:
        return None
    return "Nothing is left, and it waits for room, of which there is plenty: select() will return at once for ever."


@flush.misconception("read-forgotten", advice="Want both while something is left: EVENT_READ | EVENT_WRITE.")
def flush_read(seen: Seen) -> str | None:
    if seen.facts.get("events", 1) & selectors.EVENT_READ:
        return None
    return "It wants EVENT_WRITE alone: what the client says, or that it leaves, goes unheard until all is sent."


@flush.misconception("notes-lost", advice="Read key = selector.get_key(sock) first, and give modify its key.data.")
def flush_notes(seen: Seen) -> str | None:
    if "notes" not in seen.facts or seen.facts["notes"] is NOTES:
        return None
    return f"Its data was replaced by {shown(seen.facts['notes'])}: modify() replaces it, by None where none is given."


@flush.misconception("error-swallowed", advice="Catch BlockingIOError alone; other errors are the caller's business.")
def flush_swallowed(seen: Seen) -> str | None:
    if not (seen.facts.get("no peer") and seen.returned and seen.failed()):
        return None
    return f"{seen.failed()[-1].call}() said that the other end has gone, and the caller did not hear of it."


# -- fan_out -----------------------------------------------------------------------------------------------------------

PIECE = 16_384  # bytes that an answer takes from the source at a time, at most
DATA = random.Random(20).randbytes(750_000)  # a piece out of place is seen
LIMIT, WIDE = 65_536, 400_000
ROOM = 32_768  # bytes asked for; kernels grant twice that, for payload and records together


class Fan(Talk):
    """A source in the scenario's hands, and readers by name: each is told apart by who sits at its other end."""

    def __init__(self, attempt: Attempt, *names: str, tcp: bool = False) -> None:
        super().__init__(attempt)
        ours, theirs = socket.socketpair()
        self.source, self.writer = attempt.keep(ours), attempt.keep(theirs)
        self.ends: dict[str, socket.socket] = {}
        self.readers: dict[str, socket.socket] = {}
        for name in names:
            reader, end = attempt.connection() if tcp else socket.socketpair()
            self.readers[name], self.ends[name] = attempt.keep(reader), attempt.keep(end)
        if "bob" in names and not tcp:  # the one who is slow: his kernel's room is soon taken
            self.readers["bob"].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        for sock in (self.writer, *self.ends.values()):
            sock.settimeout(LATER)
        self.sent = 0

    def piece(self, *who: str) -> None:
        """The source says one piece more, and these have to hear it."""
        words = DATA[self.sent : self.sent + PIECE]
        self.now("what comes from source is received")
        self.writer.sendall(words)
        taken(self.source)
        self.sent += PIECE
        for name in who:
            self.hears(name, self.ends[name], words, "the next piece")

    def kept(self, name: str) -> int:
        """Bytes that the answer has kept for a reader that has read nothing; the last piece may be on its way."""
        return self.sent - unread(self.ends[name])

    def hung_up(self, name: str) -> bool:
        return self.readers[name].fileno() < 0

    def ends_for(self, *who: str) -> None:
        """These hear the end next."""
        for name in who:
            self.now(f"{name} hears the end")
            rest = hear(self.ends[name], 1)
            if rest:
                self.facts["heard"] = rest
                self.unlike(f"{name} hears the end", shown(rest))

    def end_of_source(self) -> None:
        self.facts["ended"] = True
        self.writer.close()

    def leave(self) -> None:
        for sock in (self.writer, *self.ends.values()):
            sock.close()

    def fan(self, talk: Callable[[], object], limit: int, wanted: int) -> None:
        result = self.serve(talk, self.leave, self.source, list(self.readers.values()), limit)
        attempt = self.attempt
        attempt.want(self.source.fileno() >= 0, "source is open when it is done", "it is closed")
        still = sum(reader.fileno() >= 0 for reader in self.readers.values())
        self.facts["still"] = still
        attempt.want(not still, "every reader is closed when it is done", f"{still} of them still open")
        self.facts["wanted"] = wanted
        attempt.equal(result, wanted)


@fan_out.scenario("three pieces for two who read")
def two_read(attempt: Attempt) -> None:
    fan = Fan(attempt, "ann", "bob")

    def talk() -> None:
        for _ in range(3):
            fan.piece("ann", "bob")
        fan.quiet()
        fan.end_of_source()
        fan.ends_for("ann", "bob")

    fan.fan(talk, LIMIT, 0)


@fan_out.scenario("bob never reads: ann does not wait, and bob is hung up on at the limit")
def never_reads(attempt: Attempt) -> None:
    fan = Fan(attempt, "ann", "bob")

    def talk() -> None:
        while not fan.hung_up("bob"):
            fan.piece("ann")
            if fan.kept("bob") > LIMIT + 2 * PIECE and not until(lambda: fan.hung_up("bob"), SOON):
                keeps = DATA.startswith(all_of(fan, "bob"))
                fan.facts["keeps"], fan.facts["behind"] = keeps, not keeps
                fan.unlike(f"it hangs up on bob when more than {LIMIT:,} bytes wait for him", "it does not")
        if fan.kept("bob") <= LIMIT:
            fan.facts["too early"] = True
            fan.unlike(f"up to {LIMIT:,} bytes are kept for bob", "it hung up on him before that")
        for _ in range(2):
            fan.piece("ann")
        fan.end_of_source()
        fan.ends_for("ann")

    fan.fan(talk, LIMIT, 1)


def fall_behind(fan: Fan, late: str, other: str) -> None:
    """The source goes on until `late`, who does not read, has something waiting for them; less than the limit."""
    while fan.kept(late) < 3 * PIECE:
        fan.piece(other)


def catches_up(fan: Fan, late: str) -> None:
    """`late` reads again, and has to hear everything, although the source says nothing meanwhile."""
    wanted = f"{late} hears all that was kept"
    fan.now(wanted)
    sent = fan.sent
    heard = all_of(fan, late)
    if fan.sent > sent or heard != DATA[:sent]:
        in_order = DATA.startswith(heard)
        fan.facts["with the next"], fan.facts["behind"] = in_order, not in_order
        fan.unlike(wanted, "some of it, and no more" if in_order else "other bytes, or fewer")


def all_of(fan: Fan, late: str) -> bytes:
    """What `late` hears; where something does not come, the source says one piece more: does it come then?"""
    heard = hear_some(fan.attempt, fan.ends[late], fan.sent)
    if len(heard) < fan.sent and DATA.startswith(heard):
        fan.piece()
        heard += hear_some(fan.attempt, fan.ends[late], fan.sent - len(heard))
    return heard


def hear_some(attempt: Attempt, sock: socket.socket, size: int) -> bytes:
    """`size` bytes, or what came before the answer stands still, with nothing under way."""
    data = b""
    sock.settimeout(0.02)
    while len(data) < size:
        try:
            more = sock.recv(size - len(data))
        except TimeoutError:
            if stands_still(attempt) and not unread(sock):
                break
            continue
        except ConnectionError:
            break
        if not more:
            break
        data += more
    sock.settimeout(LATER)
    return data


@fan_out.scenario("bob pauses, and comes back below the limit")
def comes_back(attempt: Attempt) -> None:
    fan = Fan(attempt, "ann", "bob")

    def talk() -> None:
        fall_behind(fan, "bob", "ann")
        catches_up(fan, "bob")
        fan.quiet()
        fan.piece("ann", "bob")
        fan.end_of_source()
        fan.ends_for("ann", "bob")

    fan.fan(talk, WIDE, 0)


@fan_out.scenario("the source ends while something waits for bob")
def late_at_the_end(attempt: Attempt) -> None:
    fan = Fan(attempt, "ann", "bob")

    def talk() -> None:
        fall_behind(fan, "bob", "ann")
        fan.end_of_source()
        fan.facts["at once"] = True
        fan.ends_for("ann")
        fan.facts["at once"], fan.facts["cut"] = False, True
        fan.hears("bob", fan.ends["bob"], DATA[: fan.sent], "all the rest")
        fan.ends_for("bob")
        fan.facts["cut"] = False

    fan.fan(talk, WIDE, 0)


@fan_out.scenario("one leaves, one with a reset, the third hears everything")
def some_leave(attempt: Attempt) -> None:
    fan = Fan(attempt, "ann", "bob", "eve", tcp=True)
    fan.facts["leavers"] = True

    def talk() -> None:
        fan.piece("ann", "bob", "eve")
        fan.ends["ann"].close()
        abort(fan.ends["bob"])
        # Who wants to read from them notices now; who does not, when it sends.
        until(lambda: fan.seen.error or (fan.hung_up("ann") and fan.hung_up("bob")), NOTICED)
        for _ in range(3):
            fan.piece("eve")
        fan.quiet()
        fan.end_of_source()
        fan.ends_for("eve")

    fan.fan(talk, LIMIT, 0)


@fan_out.misconception("waits-for-the-slow", advice="setblocking(False), send() what fits, keep the rest.")
def fan_waits(seen: Seen) -> str | None:
    if not seen.blocked_in("send"):
        return None
    return "It waits in send for room at a reader that does not read, and nobody else gets anything meanwhile."


@fan_out.misconception("no-room-raised", advice="Use send(), catch BlockingIOError, and keep what was not taken.")
def fan_raised(seen: Seen) -> str | None:
    if not seen.raised(BlockingIOError) or not seen.failed("BlockingIOError"):
        return None
    call = seen.failed("BlockingIOError")[-1].call
    return f"{call}() found no room at one reader, and its BlockingIOError ended the service for all."


@fan_out.misconception("keeps-without-limit", advice="After sending, compare len(unsent) with limit.")
def fan_keeps(seen: Seen) -> str | None:
    if not seen.facts.get("keeps"):
        return None
    return "It keeps and keeps for a reader that does not read: that one decides how much memory it takes."


@fan_out.misconception("hangs-up-early", advice="Send first, and look at what is left: up to limit bytes may wait.")
def fan_early(seen: Seen) -> str | None:
    if not seen.facts.get("too early"):
        return None
    return "It hung up on a reader although what waited was within the limit."


@fan_out.misconception("leaver-ends-it", advice="Catch ConnectionError around send and recv, and close this reader.")
def fan_leaver(seen: Seen) -> str | None:
    if not seen.raised(ConnectionError) or seen.facts.get("behind"):
        return None
    return f"One reader had left, and {type(seen.error).__name__} ended the service for all others."


@fan_out.misconception("counts-leavers", advice="Count only those that you hang up on because of the limit.")
def fan_counts(seen: Seen) -> str | None:
    if not (seen.facts.get("leavers") and seen.facts.get("wanted") == 0 and seen.returned and seen.result):
        return None
    return "It counted readers that left by themselves among those that were too slow."


@fan_out.misconception("cut-off-at-the-end", advice="When source ends, go on until each buffer is empty; then close.")
def fan_cut(seen: Seen) -> str | None:
    if not seen.facts.get("cut") or not isinstance(seen.facts.get("heard"), bytes):
        return None
    return "The source had ended, and it closed a reader for which something was still waiting."


@fan_out.misconception("all-at-the-end", advice="Close a reader as soon as source has ended and its buffer is empty.")
def fan_all_at_the_end(seen: Seen) -> str | None:
    if not (seen.facts.get("at once") and seen.timed_out):
        return None
    return "Ann has everything, and does not hear the end, because bob is slow."


@fan_out.misconception("never-write", advice="Want EVENT_WRITE of a reader as long as something waits for it.")
def fan_never(seen: Seen) -> str | None:
    if not seen.facts.get("with the next"):
        return None
    return "Bob reads again, there is room at last, and it does not wait for that: what it has kept stays where it is."


@fan_out.misconception("rest-lost", advice="send() returns how much was taken; the rest stays in the buffer.")
def fan_lost(seen: Seen) -> str | None:
    if not seen.facts.get("behind"):
        return None
    return "What the kernel did not take at once, bob never got, or not in its place."


@fan_out.misconception("spins", advice="Want EVENT_WRITE only while something waits; close who has left.")
def fan_spins(seen: Seen) -> str | None:
    return spinning(seen)


@fan_out.misconception("readers-open", advice="unregister, then close, each reader, on every way out.")
def fan_open(seen: Seen) -> str | None:
    if not seen.facts.get("still"):
        return None
    return "It returned, and a reader was still open: at its other end somebody waits for more."
