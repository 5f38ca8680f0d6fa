"""Lesson 20, the third exercise: a reader that is too slow."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable

from ...experiments.doors.wire import abort
from ..attempt import Attempt, until
from ..definition import Exercise
from ..dribble import taken, unread
from ..seen import Seen
from ..talk import LATER, NOTICED, SOON, Talk, hear, spinning, stands_still
from ..words import shown

LESSON = "20_selectors"

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
