"""The exercises of lesson 11: the right sender, round trips and what is lost, a sender that repeats.

What is lost, doubled, late or a stranger's is decided by the scenario's own sockets, and never by a clock. Where time
is part of the task, a right answer that is held up by a busy machine sends once more, or has far more time than it
takes. Ports are held by a socket as long as a scenario runs; what any other program may send to one is a stranger's.
"""

from __future__ import annotations

import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from numbers import Real
from typing import Any

from ..attempt import Attempt
from ..definition import Exercise
from ..dribble import unread
from ..seen import Seen
from ..words import shown

LESSON = "11_datagrams"
LARGEST = 65_535
PATIENCE = 10.0  # s after which a socket of a scenario gives up: later than any deadline
MOST = 2000  # datagrams after which a scenario's end has heard enough

answer_from = Exercise(
    "answer_from",
    lesson=LESSON,
    wants="answer_from(sock, address, seconds)",
    task="Return the next datagram that comes from `address`, all of its bytes, and drop what others send. Raise "
    "TimeoutError when `seconds` are over, however much others send.",
    hints=(
        "`recvfrom` tells who has sent it: compare that with `address`, host and port.",
        "In a loop: a stranger's datagram is no reason to give up.",
        "Work out once when it has to be over; before each `recvfrom`, set the timeout to what is left (notebook 09).",
        "A datagram has 65,535 bytes at most, and may have none.",
    ),
)

ping = Exercise(
    "ping",
    lesson=LESSON,
    wants="ping(address, count, seconds)",
    task="Send `count` datagrams to an echo server, each when the echo of the one before is there or `seconds` are "
    "over. Return a dict: sent, lost, and min, median, max of the round trips in seconds, None where there is none.",
    hints=(
        "One socket, `connect(address)`, a timeout; then `time.perf_counter()` before the send and after the recv.",
        "A `TimeoutError` is a datagram that is lost: count it, and go on.",
        "Put a number into each datagram: an echo with another one is old, and you go on waiting for what is left.",
        "Where nobody is, `recv` or `send` raises ConnectionRefusedError: that datagram is lost as well.",
        "`statistics.median` does the middle one. Of no times at all there is no min: that is the None.",
    ),
    deadline=1.8,
)

send_reliably = Exercise(
    "send_reliably",
    lesson=LESSON,
    wants="send_reliably(sock, address, chunks, seconds, tries)",
    task='Send each chunk with its number in front, `"!I"` from 0, until `address` sends these four bytes back; '
    "without them for `seconds`, once more. TimeoutError after `tries` datagrams with one chunk; return how many were "
    "sent in all.",
    hints=(
        "Two loops: over the chunks with `enumerate`, and inside it over the tries.",
        "`answer_from` of this notebook gets what one address sends, within a time; or connect `sock` first.",
        "An acknowledgement with another number is an old one: ignore it, and go on waiting.",
        "Python's `for … else` runs its `else` where no `break` was: there all tries are used up.",
    ),
)


# -- what the scenarios share ------------------------------------------------------------------------------------------


def mailbox(attempt: Attempt, host: str = "127.0.0.1") -> socket.socket:
    """A datagram socket that is bound, and has no timeout. Raises OSError where this machine has no such address."""
    box = attempt.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    box.bind((host, 0))
    return box


def deaf(attempt: Attempt) -> Any:
    """An address at which nobody is: its port is taken by a socket that hears none but itself."""
    box = mailbox(attempt)
    box.connect(box.getsockname())
    return box.getsockname()


class Station:
    """The other end: a socket, and a thread that gives each datagram to `react`, until `end`."""

    def __init__(self, attempt: Attempt, react: Callable[[Station, bytes, Any], object]) -> None:
        self.react = react
        self.came: list[bytes] = []
        self.senders: list[Any] = []
        self.sock = mailbox(attempt)
        self.sock.settimeout(PATIENCE)
        self.address = self.sock.getsockname()
        self.thread = attempt.beside(self._listen)

    def _listen(self) -> None:
        with suppress(OSError):  # the scenario is over
            for _ in range(MOST):
                data, sender = self.sock.recvfrom(LARGEST)
                if sender == self.address:
                    break
                self.came.append(data)
                self.senders.append(sender)
                self.react(self, data, sender)

    def end(self) -> None:
        """Hear out what has been sent by now."""
        self.sock.sendto(b"", self.address)
        self.thread.join(1.0)


# -- answer_from -------------------------------------------------------------------------------------------------------

ANSWER = b"it costs ten"
STRANGE = b"it is free"
LONG = bytes(range(250)) * 240  # 60,000 bytes
TALKS = 1.0  # s for which a stranger talks, far longer than an answer may wait


def asked(attempt: Attempt, *others: socket.socket, answer: bytes = ANSWER) -> tuple[socket.socket, Any]:
    """A socket to which first `others` have written, and then the right one."""
    sock, peer = mailbox(attempt), mailbox(attempt)
    for other in others:
        other.sendto(STRANGE, sock.getsockname())
    peer.sendto(answer, sock.getsockname())
    attempt.seen.facts["answer"], attempt.seen.facts["strangers"] = answer, len(others)
    return sock, peer.getsockname()


def returns(attempt: Attempt, answer: bytes, sock: socket.socket, address: Any, seconds: float = 1.0) -> None:
    """Call the answer: it has to return these bytes. (With a sender beside them, a port would be in the verdict.)"""
    result = attempt.call(sock, address, seconds)
    attempt.want(not isinstance(result, tuple), shown(answer), "a tuple")
    attempt.equal(result, answer)


@answer_from.scenario("two answers, one for each call")
def two_answers(attempt: Attempt) -> None:
    sock, peer = mailbox(attempt), mailbox(attempt)
    for words in (b"first", b"second"):
        peer.sendto(words, sock.getsockname())
    for words in (b"first", b"second"):
        attempt.seen.facts["answer"] = words
        returns(attempt, words, sock, peer.getsockname())


@answer_from.scenario("a stranger was first")
def a_stranger(attempt: Attempt) -> None:
    try:
        other = mailbox(attempt, "127.0.0.2")
        attempt.seen.facts["host"] = True
    except OSError:  # not Linux
        other = mailbox(attempt)
    sock, address = asked(attempt, other)
    returns(attempt, ANSWER, sock, address)


@answer_from.scenario("two strangers were first, on the right host")
def strangers_of_this_host(attempt: Attempt) -> None:
    sock, address = asked(attempt, mailbox(attempt), mailbox(attempt))
    returns(attempt, ANSWER, sock, address)


@answer_from.scenario("an answer of 60,000 bytes")
def long_answer(attempt: Attempt) -> None:
    sock, address = asked(attempt, mailbox(attempt), answer=LONG)
    returns(attempt, LONG, sock, address)


@answer_from.scenario("an empty answer")
def empty_answer(attempt: Attempt) -> None:
    sock, address = asked(attempt, mailbox(attempt), answer=b"")
    returns(attempt, b"", sock, address, 0.5)


@answer_from.scenario("silence")
def silence(attempt: Attempt) -> None:
    attempt.raises(TimeoutError, mailbox(attempt), mailbox(attempt).getsockname(), 0.1)


@answer_from.scenario("a stranger who writes all the time")
def chatter(attempt: Attempt) -> None:
    sock, peer, other = mailbox(attempt), mailbox(attempt), mailbox(attempt)
    facts, to = attempt.seen.facts, sock.getsockname()
    facts["strangers"] = 1

    def talk() -> None:
        end = time.monotonic() + TALKS
        with suppress(OSError):  # the scenario is over
            while not facts.get("done"):
                if time.monotonic() > end:
                    facts["over"] = True
                    break
                other.sendto(STRANGE, to)
                time.sleep(0.01)

    beside = attempt.beside(talk)
    attempt.raises(TimeoutError, sock, peer.getsockname(), 0.2)
    facts["done"] = True
    beside.join(1.0)
    attempt.want(not facts.get("over"), "TimeoutError while the stranger writes", "it came when he had ended")


def is_strange(seen: Seen) -> bool:
    return seen.returned and seen.result == STRANGE


@answer_from.misconception("pair-returned", advice="Return the bytes alone: data, sender = sock.recvfrom(65535).")
def answer_pair(seen: Seen) -> str | None:
    if not seen.returned or not isinstance(seen.result, tuple):
        return None
    return "It returned a tuple: recvfrom() gives the bytes and the sender, and the caller wants the bytes."


@answer_from.misconception("connect-too-late", advice="Compare the sender of each datagram.")
def answer_connect(seen: Seen) -> str | None:
    if not is_strange(seen) or not seen.made("connect"):
        return None
    return "It called connect(), and took what lay in the queue by then: connect keeps out only what comes after it."


@answer_from.misconception("host-only", advice="Compare all of the address: `sender == address`.")
def answer_host(seen: Seen) -> str | None:
    if not is_strange(seen) or not seen.scenario.endswith("on the right host"):
        return None
    return "It returned a stranger's words: he has the right host and another port, and both are the address."


@answer_from.misconception("sender-trusted", advice="Compare the sender with `address`, and drop what others send.")
def answer_trusting(seen: Seen) -> str | None:
    if not is_strange(seen):
        return None
    return "It returned the first datagram that came, and that was a stranger's: anybody may send to an open port."


@answer_from.misconception("swallows-the-timeout", advice="Let TimeoutError go to the caller, or raise it.")
def answer_none(seen: Seen) -> str | None:
    if not seen.returned or not seen.expected.startswith("it raises"):
        return None
    return f"No answer came, and it returned {shown(seen.result, 30)}: the caller takes that for the answer."


@answer_from.misconception("empty-is-nothing", advice="b'' is a datagram without bytes: return it like any other.")
def answer_empty(seen: Seen) -> str | None:
    if seen.facts.get("answer") != b"" or not (seen.raised() or seen.timed_out or seen.result is None):
        return None
    return "The answer was empty, and it took b'' for no answer."


@answer_from.misconception("cut", advice="Ask for 65,535 bytes: no datagram has more.")
def answer_cut(seen: Seen) -> str | None:
    wanted, result = seen.facts.get("answer", b""), seen.result
    if not seen.returned or not isinstance(result, (bytes, bytearray)) or not 0 < len(result) < len(wanted):
        return None
    if not wanted.startswith(result):
        return None
    return (
        f"It returned {len(result):,} bytes of {len(wanted):,}: recvfrom() was asked for no more, and the rest is gone."
    )


@answer_from.misconception("gives-up", advice="Go on in a loop, until the right one has sent something.")
def answer_gives_up(seen: Seen) -> str | None:
    if not seen.facts.get("strangers") or seen.facts.get("over") or seen.timed_out:
        return None
    if (seen.returned and seen.result) or len(seen.made("recvfrom", "recv", "recvfrom_into")) != 1:
        return None
    return "A stranger's datagram was the first, and it gave up: the answer lay behind it."


@answer_from.misconception(
    "waits-anew", advice="Before each recvfrom, set the timeout to what is left until one deadline."
)
def answer_anew(seen: Seen) -> str | None:
    blocked = seen.timed_out and seen.facts.get("strangers")
    if not seen.facts.get("over") and not blocked:
        return None
    return "Each datagram of the stranger began the wait anew: while he wrote, the time was never up."


@answer_from.misconception("no-timeout", advice="Call sock.settimeout() before recvfrom().")
def answer_blocked(seen: Seen) -> str | None:
    if not seen.blocked_in("recv"):
        return None
    return "It is blocked in recvfrom(): nobody sends, and the socket has no timeout."


# -- ping --------------------------------------------------------------------------------------------------------------

KEYS = ("sent", "lost", "min", "median", "max")
SECONDS = 0.25  # that a ping waits where something is lost: an echo takes a thousandth of it
DELAYS = (0.0, 0.02, 0.06)  # s before each of three echoes


def pings(attempt: Attempt, address: Any, count: int, lost: int, seconds: float = SECONDS) -> dict[str, Any]:
    """Call the answer, and see that it returns a dict with `sent` and `lost`, and times where there are some."""
    facts = attempt.seen.facts
    facts.update(wanted=lost, seconds=seconds)
    began = time.perf_counter()
    result = attempt.call(address, count, seconds)
    facts["took"] = time.perf_counter() - began
    keys = f"a dict with the keys {', '.join(KEYS)}"
    attempt.want(
        isinstance(result, dict), keys, "None" if result is None else f"a value of type {type(result).__name__}"
    )
    missing = [key for key in KEYS if key not in result]
    attempt.want(not missing, keys, f"one without {', '.join(missing)}")
    facts["lost"] = result["lost"]
    attempt.equal(result["lost"], lost, "lost:")
    attempt.equal(result["sent"], count, "sent:")
    times = [result[key] for key in KEYS[2:]]
    if lost == count:
        attempt.want(times == [None] * 3, "None for min, median and max", "something else, though no echo came")
        return dict(result)
    numbers = all(isinstance(one, Real) and not isinstance(one, bool) for one in times)
    attempt.want(numbers, "numbers for min, median and max", "something else")
    facts["times"] = times
    low, middle, high = times
    attempt.want(0 <= low <= middle <= high, "0 <= min <= median <= max", "another order")
    attempt.want(high <= facts["took"], "round trips in seconds", "more time than the call took")
    attempt.want(high < seconds or lost == 0, f"a max below the {seconds} s after which one is lost", "more")
    return dict(result)


@ping.scenario("three echoes, after a while")
def three_echoes(attempt: Attempt) -> None:
    facts = attempt.seen.facts

    def react(station: Station, data: bytes, sender: Any) -> None:
        time.sleep(DELAYS[min(len(station.came), 3) - 1])
        facts["early"] = facts.get("early") or (len(station.came) < 3 and unread(station.sock) > 0)
        station.sock.sendto(data, sender)

    station = Station(attempt, react)
    try:
        result = pings(attempt, station.address, 3, 0, seconds=1.0)
        attempt.want(not facts.get("early"), "the next one when the echo is there", "one that came before")
        facts["middle"] = sum(result[key] for key in KEYS[2:]) <= facts["took"]
        right = result["median"] >= DELAYS[1] and result["max"] >= DELAYS[2] and facts["middle"]
        attempt.want(right, "the shortest, the middle and the longest of three round trips", "other times")
    finally:
        station.end()


@ping.scenario("the second of three is lost")
def one_lost(attempt: Attempt) -> None:
    def react(station: Station, data: bytes, sender: Any) -> None:
        if len(station.came) != 2:
            station.sock.sendto(data, sender)

    station = Station(attempt, react)
    pings(attempt, station.address, 3, 1)
    station.end()


@ping.scenario("each echo comes twice, and that of the second never")
def twice(attempt: Attempt) -> None:
    def react(station: Station, data: bytes, sender: Any) -> None:
        if len(station.came) != 2:
            station.sock.sendto(data, sender)
            station.sock.sendto(data, sender)

    station = Station(attempt, react)
    attempt.seen.facts["came"] = station.came
    pings(attempt, station.address, 3, 1)
    station.end()


@ping.scenario("the first echo comes late, and the third never")
def late(attempt: Attempt) -> None:
    def react(station: Station, data: bytes, sender: Any) -> None:
        if len(station.came) == 2:
            station.sock.sendto(station.came[0], station.senders[0])
            station.sock.sendto(data, sender)

    station = Station(attempt, react)
    attempt.seen.facts["came"] = station.came
    pings(attempt, station.address, 3, 2)
    station.end()


@ping.scenario("the echoes are a stranger's")
def from_a_stranger(attempt: Attempt) -> None:
    other = mailbox(attempt)
    station = Station(attempt, lambda station, data, sender: other.sendto(data, sender))
    pings(attempt, station.address, 2, 2, seconds=0.1)
    station.end()


@ping.scenario("nobody is there")
def nobody(attempt: Attempt) -> None:
    pings(attempt, deaf(attempt), 2, 2, seconds=0.1)


def too_few(seen: Seen) -> bool:
    """It has returned, and says that fewer are lost than are."""
    lost = seen.facts.get("lost")
    return seen.returned and isinstance(lost, int) and lost < seen.facts.get("wanted", 0)


@ping.misconception("loss-escapes", advice="Catch TimeoutError, count it, and send the next one.")
def ping_escapes(seen: Seen) -> str | None:
    if not seen.raised(TimeoutError):
        return None
    return "One echo did not come, and it raised TimeoutError: a loss is what a pinger is there to count."


@ping.misconception("refused-escapes", advice="Count ConnectionRefusedError as a loss: it is told late, and once.")
def ping_refused(seen: Seen) -> str | None:
    if not seen.raised(ConnectionRefusedError):
        return None
    return "Nobody is at the port, and it raised ConnectionRefusedError: the datagram is lost, like any other."


@ping.misconception("no-timeout", advice="Set the timeout of your socket before you wait for an echo.")
def ping_blocked(seen: Seen) -> str | None:
    if not seen.blocked_in("recv"):
        return None
    return "It is blocked in a receive: the echo was lost, and nothing ends the wait for it."


@ping.misconception("statistics-of-nothing", advice="Where there are no times, min, median and max are None.")
def ping_nothing(seen: Seen) -> str | None:
    if not seen.raised(ValueError, ZeroDivisionError, IndexError) or seen.facts.get("wanted") != 2:
        return None
    return f"No echo came, and it raised {type(seen.error).__name__}: there is no smallest of no times."


@ping.misconception(
    "all-at-once", advice="Send the next datagram when the echo of this one is there, or its time is up."
)
def ping_burst(seen: Seen) -> str | None:
    if not seen.facts.get("early"):
        return None
    return "It sent the next datagram while the echo of the one before was still to come."


@ping.misconception("milliseconds", advice="Leave the differences of time.perf_counter() as they are: seconds.")
def ping_unit(seen: Seen) -> str | None:
    times, took = seen.facts.get("times"), seen.facts.get("took", 0)
    if not times or not seen.came.startswith("more time") or times[2] <= took:
        return None
    return "Its longest round trip is longer than the whole call took: these are not seconds."


@ping.misconception("loss-as-time", advice="Note a time where an echo has come, and nothing where none has.")
def ping_counts_loss(seen: Seen) -> str | None:
    times = seen.facts.get("times")
    if not times or not seen.facts.get("wanted") or times[2] < seen.facts["seconds"]:
        return None
    return "Its max is as long as the wait for the datagram that was lost: that was no round trip."


@ping.misconception("stranger-trusted", advice="connect() the socket to the server, or compare the sender.")
def ping_stranger(seen: Seen) -> str | None:
    if not too_few(seen) or not seen.scenario.endswith("a stranger's"):
        return None
    return "The echoes came from another port than that of the server, and it took them for its own."


@ping.misconception("same-each-time", advice="Put a number into each datagram, and wait for the echo that has it.")
def ping_same(seen: Seen) -> str | None:
    came = seen.facts.get("came", ())
    if not too_few(seen) or len(set(came)) == len(came):
        return None
    return "All its datagrams say the same, so an old echo looks like the one that it waits for."


@ping.misconception("old-echo", advice="Compare what comes with what was sent; drop the echo of an earlier one.")
def ping_old(seen: Seen) -> str | None:
    if not too_few(seen) or "came" not in seen.facts:
        return None
    return "The echo of an earlier datagram came, and it took that for the echo of the later one."


@ping.misconception("late-is-lost", advice="Go on waiting when an old echo comes: the time is not up yet.")
def ping_impatient(seen: Seen) -> str | None:
    lost, wanted = seen.facts.get("lost"), seen.facts.get("wanted", 0)
    if not seen.returned or not isinstance(lost, int) or lost <= wanted or "came" not in seen.facts:
        return None
    return "An old echo came, and it counted the datagram whose echo it waited for as lost, at once."


@ping.misconception("other-numbers", advice="Return min(times), statistics.median(times) and max(times).")
def ping_times(seen: Seen) -> str | None:
    if seen.came != "other times" and seen.came != "another order":
        return None
    return "Its min, median and max are not those of the three echoes, of which each took longer than the one before."


@ping.misconception("another-form", advice='Return {"sent": …, "lost": …, "min": …, "median": …, "max": …}.')
def ping_form(seen: Seen) -> str | None:
    if not seen.returned or seen.result is None or not seen.expected.startswith("a dict"):
        return None
    return f"It returned {seen.came}."


# -- send_reliably -----------------------------------------------------------------------------------------------------

CHUNKS = (b"all", b"", b"well")
QUICK = 0.05  # s without an acknowledgement, where one is missed
TRIES = 20  # a machine that is held up sends more often, and never so often
THREE = 3


class Receiver:
    """The other end: what came of each number, and what `acknowledge` makes of it."""

    def __init__(self, attempt: Attempt, acknowledge: Callable[[Receiver, int, bytes, Any], object]) -> None:
        self.acknowledge = acknowledge
        self.sock = mailbox(attempt)  # the sender's
        self.copies: Counter[int] = Counter()
        self.kept: dict[int, bytes] = {}  # by number, what was not missed
        self.facts = attempt.seen.facts
        self.facts.update(copies=self.copies, kept=self.kept, came=[])
        self.station = Station(attempt, self.react)

    def react(self, station: Station, data: bytes, sender: Any) -> None:
        if sender != self.sock.getsockname():  # a stranger's, or from a socket that nobody asked for
            self.facts["elsewhere"] = True
            return
        self.facts["came"].append(data)
        if len(data) < 4:
            return
        (number,) = struct.unpack("!I", data[:4])
        self.copies[number] += 1
        self.acknowledge(self, number, data[4:], sender)

    def keep(self, number: int, data: bytes) -> None:
        self.kept.setdefault(number, data)

    def say(self, number: int, sender: Any) -> None:
        self.station.sock.sendto(struct.pack("!I", number), sender)


def sends(attempt: Attempt, receiver: Receiver, seconds: float = QUICK) -> None:
    """All chunks have to arrive, and what is returned has to be how many datagrams it took."""
    result = attempt.call(receiver.sock, receiver.station.address, list(CHUNKS), seconds, TRIES)
    receiver.station.end()
    facts = attempt.seen.facts
    wanted = dict(enumerate(CHUNKS))
    attempt.want(not facts.get("early"), "the next chunk when this one is acknowledged", "one that came before")
    lacking = [number for number in wanted if number not in receiver.kept]
    facts["lacking"] = lacking
    attempt.want(not lacking, "the receiver has chunks 0, 1 and 2", f"it has not {', '.join(map(str, lacking))}")
    attempt.equal(dict(sorted(receiver.kept.items())), wanted, "the receiver has")
    facts["total"] = len(facts["came"])
    attempt.want(isinstance(result, int), "the number of datagrams that were sent", shown(result, 40))
    attempt.want(result == facts["total"], "the number of datagrams that were sent", "another number")


@send_reliably.scenario("everything is acknowledged")
def acknowledged(attempt: Attempt) -> None:
    facts = attempt.seen.facts

    def acknowledge(receiver: Receiver, number: int, data: bytes, sender: Any) -> None:
        time.sleep(0.02)  # who does not wait has sent more by now
        facts["early"] = facts.get("early") or unread(receiver.station.sock) > 0
        receiver.keep(number, data)
        receiver.say(number, sender)

    sends(attempt, Receiver(attempt, acknowledge), seconds=1.0)


@send_reliably.scenario("each acknowledgement comes twice, and nothing is lost")
def nothing_lost(attempt: Attempt) -> None:
    def acknowledge(receiver: Receiver, number: int, data: bytes, sender: Any) -> None:
        receiver.keep(number, data)
        receiver.say(number, sender)
        receiver.say(number, sender)

    receiver = Receiver(attempt, acknowledge)
    sends(attempt, receiver, seconds=1.0)
    most = max(receiver.copies.values())
    attempt.want(most == 1, "each chunk is sent once", "one was sent again")


@send_reliably.scenario("a datagram is lost")
def datagram_lost(attempt: Attempt) -> None:
    def acknowledge(receiver: Receiver, number: int, data: bytes, sender: Any) -> None:
        if number != 1 or receiver.copies[1] > 1:
            receiver.keep(number, data)
            receiver.say(number, sender)

    sends(attempt, Receiver(attempt, acknowledge))


@send_reliably.scenario("an acknowledgement is lost")
def acknowledgement_lost(attempt: Attempt) -> None:
    def acknowledge(receiver: Receiver, number: int, data: bytes, sender: Any) -> None:
        receiver.keep(number, data)
        if number != 1 or receiver.copies[1] > 1:
            receiver.say(number, sender)

    sends(attempt, Receiver(attempt, acknowledge))


@send_reliably.scenario("an acknowledgement comes twice, and the next datagram is lost")
def acknowledged_twice(attempt: Attempt) -> None:
    def acknowledge(receiver: Receiver, number: int, data: bytes, sender: Any) -> None:
        if number != 1 or receiver.copies[1] > 1:
            receiver.keep(number, data)
            receiver.say(number, sender)
            receiver.say(number, sender)

    sends(attempt, Receiver(attempt, acknowledge))


@send_reliably.scenario("a stranger acknowledges what is lost")
def strange_acknowledgement(attempt: Attempt) -> None:
    other = mailbox(attempt)

    def acknowledge(receiver: Receiver, number: int, data: bytes, sender: Any) -> None:
        if number == 1 and receiver.copies[1] == 1:
            other.sendto(struct.pack("!I", number), sender)
            return
        receiver.keep(number, data)
        receiver.say(number, sender)

    sends(attempt, Receiver(attempt, acknowledge))


@send_reliably.scenario("nobody acknowledges")
def never(attempt: Attempt) -> None:
    receiver = Receiver(attempt, lambda receiver, number, data, sender: None)
    attempt.raises(TimeoutError, receiver.sock, receiver.station.address, list(CHUNKS), QUICK, THREE)
    receiver.station.end()
    copies = attempt.seen.facts["came"]
    attempt.seen.facts["total"] = len(copies)
    first = struct.pack("!I", 0) + CHUNKS[0]
    wanted = f"{THREE} datagrams with the first chunk"
    attempt.want(all(copy == first for copy in copies), wanted, "others as well")
    attempt.want(len(copies) == THREE, wanted, str(len(copies)))


@send_reliably.misconception("another-number", advice='Put `struct.pack("!I", number)` in front, from 0.')
def arq_number(seen: Seen) -> str | None:
    came = seen.facts.get("came")
    if not came or came[0][:4] == bytes(4):
        return None
    return f"Its first datagram begins with {shown(came[0][:4])}, where four bytes of 0 were wanted."


@send_reliably.misconception(
    "does-not-wait", advice="Wait for the acknowledgement of one chunk before you send the next."
)
def arq_burst(seen: Seen) -> str | None:
    if not seen.facts.get("early"):
        return None
    return "It sent the next datagram before the one under way was acknowledged: this is not stop and wait."


@send_reliably.misconception(
    "empty-skipped", advice="An empty chunk is a datagram with a number and nothing behind it."
)
def arq_empty(seen: Seen) -> str | None:
    if seen.facts.get("lacking") != [1] or seen.facts["copies"].get(1) or seen.scenario != "everything is acknowledged":
        return None
    return "The second chunk is empty, and it never sent a datagram for it."


@send_reliably.misconception("new-number", advice="Send the same datagram again: the number belongs to the chunk.")
def arq_new_number(seen: Seen) -> str | None:
    if max(seen.facts.get("copies", {}), default=0) < len(CHUNKS):
        return None
    return "A repetition had a number of its own: the receiver cannot know that it has had this chunk before."


@send_reliably.misconception("no-repetition", advice="Catch TimeoutError, and send the same again.")
def arq_no_repetition(seen: Seen) -> str | None:
    copies = seen.facts.get("copies", {})
    if not seen.raised(TimeoutError) or seen.expected.startswith("it raises") or max(copies.values(), default=0) > 1:
        return None
    return "No acknowledgement came, and it raised TimeoutError after one datagram: that one may just be lost."


@send_reliably.misconception("loss-ignored", advice="After a timeout, send the same chunk again.")
def arq_goes_on(seen: Seen) -> str | None:
    copies = seen.facts.get("copies", {})
    if not seen.returned or seen.scenario != "a datagram is lost" or copies.get(1) != 1:
        return None
    return "No acknowledgement came for a chunk, and it went on with the next one: the receiver lacks it for ever."


@send_reliably.misconception(
    "any-acknowledgement", advice="Compare the four bytes with those that were sent; drop others."
)
def arq_any(seen: Seen) -> str | None:
    if 1 not in seen.facts.get("lacking", ()) or "twice" not in seen.scenario:
        return None
    return "An acknowledgement of chunk 0 came once more, and it took that for the one of chunk 1, which was lost."


@send_reliably.misconception("repeats-at-once", advice="Drop it and wait on: only silence is a reason to send again.")
def arq_apprentice(seen: Seen) -> str | None:
    if seen.came != "one was sent again":
        return None
    return (
        "An old acknowledgement came, and it sent the chunk again: that brings one more acknowledgement, "
        "and so on, twice as many of each."
    )


@send_reliably.misconception("stranger-trusted", advice="Take acknowledgements from `address` alone.")
def arq_stranger(seen: Seen) -> str | None:
    if 1 not in seen.facts.get("lacking", ()) or "stranger" not in seen.scenario:
        return None
    return "A stranger acknowledged a datagram that was lost, and it believed him."


@send_reliably.misconception(
    "for-ever", advice="Count how often this chunk was sent; after `tries` raise TimeoutError."
)
def arq_for_ever(seen: Seen) -> str | None:
    if not seen.timed_out or seen.scenario != "nobody acknowledges":
        return None
    return "Nobody acknowledges, and it sends without end: after `tries` datagrams it should raise TimeoutError."


@send_reliably.misconception("no-timeout", advice="Set the socket's timeout to `seconds` before you wait.")
def arq_blocked(seen: Seen) -> str | None:
    if not seen.blocked_in("recv"):
        return None
    return "It is blocked in a receive: the acknowledgement is lost, and nothing tells it to send again."


@send_reliably.misconception("silent-failure", advice="Raise TimeoutError when `tries` datagrams were in vain.")
def arq_silent(seen: Seen) -> str | None:
    if not seen.returned or not seen.expected.startswith("it raises"):
        return None
    return (
        f"Nobody acknowledged anything, and it returned {shown(seen.result, 30)}: its caller believes that all is well."
    )


@send_reliably.misconception("another-count", advice="`tries` is how often one chunk is sent, the first time included.")
def arq_tries(seen: Seen) -> str | None:
    total = seen.facts.get("total")
    if total is None or seen.scenario != "nobody acknowledges" or total == THREE:
        return None
    return f"It sent the chunk {total} times, and `tries` was {THREE}."


@send_reliably.misconception("counts-chunks", advice="Count each sendto, the repetitions as well.")
def arq_count(seen: Seen) -> str | None:
    if seen.came != "another number":
        return None
    return "What it returned is not how many datagrams the receiver got, repetitions included."
