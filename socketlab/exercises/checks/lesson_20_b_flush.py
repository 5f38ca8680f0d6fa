"""Lesson 20, the second exercise: write interest only while there is something to write."""

from __future__ import annotations

import selectors
import socket

from ..attempt import Attempt
from ..definition import Exercise
from ..dribble import unread
from ..seen import Seen
from ..words import shown

LESSON = "20_selectors"

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
