"""The exercises of lesson 12: join, read and leave; a message that stays on the machine; find the servers of a group.

Groups are drawn at random and all traffic is on the interface 127.0.0.1, so no other program takes part. Whether an
answer has left a group is asked of the kernel: leaving again fails where it has. Messages are sent when the answer has
joined, which the socket that it was given tells; nothing is left to time but what has a deadline of its own.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Any

from ..attempt import Attempt, until
from ..definition import Exercise
from ..seen import Seen
from ..words import shown

LESSON = "12_broadcast_and_multicast"
HERE = socket.inet_aton("127.0.0.1")
PATIENCE = 1.0  # s for what is on its way to a socket of this machine
UNREACHED = errno.ENETUNREACH, errno.EHOSTUNREACH  # no door leads there
IP_RECVTTL = getattr(socket, "IP_RECVTTL", 12)  # linux/in.h; Python has it since 3.14

read_and_leave = Exercise(
    "read_and_leave",
    lesson=LESSON,
    wants="read_and_leave(sock, group, count)",
    task="Join `group` on the interface 127.0.0.1, return a list of the next `count` messages, of 1,000 bytes at most, "
    "and leave the group, also where something is raised. `sock` stays open, and what is raised goes to the caller.",
    hints=(
        "Joining and leaving take the same eight bytes: the group's address, and that of the interface.",
        "What has to be done on every way out stands in a `finally`.",
        "Who could not join has nothing to leave: the join stands before the `try`.",
    ),
    deadline=1.5,
)

whisper = Exercise(
    "whisper",
    lesson=LESSON,
    wants="whisper(message, group, port)",
    task="Send `message` to the members of the group on this machine alone: on the interface 127.0.0.1, with a TTL of "
    "0. Close the socket, and return how many bytes the kernel took.",
    hints=(
        "Two options of the level `IPPROTO_IP`: one for the door, one for how far.",
        "An option holds for what is sent after it.",
        "`sendto` returns what is asked for.",
    ),
)

discover = Exercise(
    "discover",
    lesson=LESSON,
    wants="discover(group, port, seconds)",
    task='Send `b"who is there?"` to the group, on the interface 127.0.0.1 and with a TTL of 0. Return the set of the '
    'names that come as `b"I am "` and the name, within `seconds` from the start.',
    hints=(
        "Nobody knows how many will answer: only the time that is up ends it.",
        "It is a deadline, as in notebook 09: before each recv, what is left of it.",
        "`TimeoutError` is the usual end here, not an error. A set takes each name once.",
        "`data.startswith(b'I am ')`, and `data[5:]`, or `removeprefix`.",
    ),
)


# -- what the scenarios share ------------------------------------------------------------------------------------------


def a_group() -> str:
    """One of 239.255/16 that nobody else will have drawn."""
    first, second = os.urandom(2)
    return f"239.255.{first}.{1 + second % 254}"


class Watched(socket.socket):
    """A socket that notes which groups it is told to join, and through which door."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.requests: list[bytes] = []
        self.joined = threading.Event()

    def setsockopt(self, *args: Any) -> None:
        joins = len(args) == 3 and args[:2] == (socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP)
        if joins and isinstance(args[2], (bytes, bytearray)):
            self.requests.append(bytes(args[2]))
        super().setsockopt(*args)
        if joins:
            self.joined.set()


def request(group: str) -> bytes:
    """A struct ip_mreq: this group, on loopback."""
    return socket.inet_aton(group) + HERE


def listening(attempt: Attempt, group: str, port: int = 0) -> Watched:
    """A socket that is bound to the group, at a port that it shares."""
    sock = Watched(socket.AF_INET, socket.SOCK_DGRAM)
    attempt.keep(sock)
    if port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((group, port))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(PATIENCE)
    return sock


def member(attempt: Attempt, group: str, port: int = 0) -> socket.socket:
    """One that has joined, and is told the TTL of what it gets."""
    sock = listening(attempt, group, port)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request(group))
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
    return sock


def sender(attempt: Attempt) -> socket.socket:
    """One whose messages stay on loopback."""
    sock = attempt.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.bind(("127.0.0.1", 0))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, HERE)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
    return sock


def was_member(sock: socket.socket, group: str) -> bool:
    """Whether it is in the group; it is not any more afterwards. setsockopt(2) tells: EADDRNOTAVAIL."""
    try:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, request(group))
    except OSError:
        return False
    return True


def with_ttl(sock: socket.socket) -> tuple[bytes, int | None, Any]:
    """A datagram, the TTL with which it came (None where the system does not tell), and its sender."""
    data, notes, _, who = sock.recvmsg(2000, 64)
    for level, kind, value in notes:
        if level == socket.IPPROTO_IP and kind in (socket.IP_TTL, IP_RECVTTL):
            return data, value[0] if len(value) == 1 else struct.unpack("@i", value[:4])[0], who
    return data, None, who


def chosen(seen: Seen, option: str) -> bool:
    """Whether the answer has set this option, with success."""
    return any(event.asked.startswith(option) and event.failure is None for event in seen.made("setsockopt"))


# -- read_and_leave ----------------------------------------------------------------------------------------------------


def reads(attempt: Attempt, messages: list[bytes], count: int) -> None:
    """`messages` come when the answer has joined; the first `count` have to be returned, and the group left."""
    group = a_group()
    sock, source = listening(attempt, group), sender(attempt)
    facts = attempt.seen.facts
    facts["count"], facts["requests"] = count, sock.requests
    address = sock.getsockname()

    def send() -> None:
        sock.joined.wait(PATIENCE)
        with suppress(OSError):
            for message in messages:
                source.sendto(message, address)

    attempt.beside(send)
    if len(messages) < count:
        sock.settimeout(0.15)
        attempt.raises(TimeoutError, sock, group, count)
    else:
        attempt.equal(attempt.call(sock, group, count), messages[:count])
    stays_open(attempt, sock)
    facts["member"] = was_member(sock, group)
    attempt.want(not facts["member"], "the socket has left the group", "it is a member still")


def stays_open(attempt: Attempt, sock: socket.socket) -> None:
    attempt.seen.facts["closed"] = sock.fileno() == -1
    attempt.want(not attempt.seen.facts["closed"], "the socket is open", "it was closed")


@read_and_leave.scenario("one message")
def reads_one(attempt: Attempt) -> None:
    reads(attempt, [b"hello, members"], 1)


@read_and_leave.scenario("five messages, one of them empty, one long")
def reads_five(attempt: Attempt) -> None:
    reads(attempt, [b"one", b"two", b"", b"four" * 250, b"five"], 5)


@read_and_leave.scenario("more messages than were asked for")
def reads_some(attempt: Attempt) -> None:
    reads(attempt, [b"one", b"two", b"three", b"four"], 2)


@read_and_leave.scenario("no message is asked for")
def reads_none(attempt: Attempt) -> None:
    reads(attempt, [], 0)


@read_and_leave.scenario("two messages of three, and then silence")
def reads_silence(attempt: Attempt) -> None:
    reads(attempt, [b"one", b"two"], 3)


@read_and_leave.scenario("a caller who is a member already")
def reads_as_a_member(attempt: Attempt) -> None:
    group = a_group()
    sock = listening(attempt, group)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request(group))
    sock.settimeout(0.15)
    attempt.seen.facts["requests"] = sock.requests
    error = attempt.raises(OSError, sock, group, 1)
    stays_open(attempt, sock)
    attempt.seen.facts["kept"] = was_member(sock, group)
    attempt.want(attempt.seen.facts["kept"], "the caller is a member still", "it has left the group")
    attempt.seen.facts["went on"] = isinstance(error, TimeoutError)
    came = "it went on, and raised TimeoutError"
    attempt.want(not attempt.seen.facts["went on"], "EADDRINUSE goes to the caller", came)


@read_and_leave.misconception("closes-it", advice="Leave with IP_DROP_MEMBERSHIP; who made the socket closes it.")
def read_closed(seen: Seen) -> str | None:
    return "It closed the socket, which its caller wants to use again." if seen.facts.get("closed") else None


@read_and_leave.misconception("never-joins", advice="Join with IP_ADD_MEMBERSHIP before you read.")
def read_unjoined(seen: Seen) -> str | None:
    if seen.facts.get("requests") or seen.facts.get("count") == 0:
        return None
    if not (seen.raised(TimeoutError) or seen.blocked_in("recv", "select")):
        return None
    return "It reads, and never joined: being bound to the group's address opens no door."


@read_and_leave.misconception("other-interface", advice="Give socket.inet_aton('127.0.0.1') as the interface.")
def read_elsewhere(seen: Seen) -> str | None:
    asked = seen.facts.get("requests") or []
    if not asked or asked[-1][4:8] == HERE or seen.scenario.startswith("a caller"):
        return None
    return "It joined on another interface: 0.0.0.0 leaves the choice to the kernel, which does not take loopback."


@read_and_leave.misconception(
    "leaves-for-another", advice="Put the join before the try: where it fails there is nothing to leave."
)
def read_leaves_for_another(seen: Seen) -> str | None:
    if seen.facts.get("kept") is not False:
        return None
    return "Joining failed, because the caller was a member already; and it left the group on the caller's behalf."


@read_and_leave.misconception("swallowed", advice="Let the exception go to the caller; a finally does not stop it.")
def read_swallowed(seen: Seen) -> str | None:
    if seen.facts.get("went on"):
        return "Joining failed, and it went on as if nothing had happened."
    if not (seen.returned and seen.expected.startswith("it raises")):
        return None
    return f"It returned {shown(seen.result, 30)} where an exception was due."


@read_and_leave.misconception("not-after-an-error", advice="Leave in a finally.")
def read_not_after_error(seen: Seen) -> str | None:
    if not (seen.facts.get("member") and "silence" in seen.scenario):
        return None
    return "TimeoutError was raised, and the line that leaves the group was never reached."


@read_and_leave.misconception("stays-member", advice="Give IP_DROP_MEMBERSHIP the same eight bytes, at the end.")
def read_stays(seen: Seen) -> str | None:
    if not seen.facts.get("member"):
        return None
    return "It returned, and the socket is a member still: all that is sent to the group goes on filling its buffer."


@read_and_leave.misconception("reads-first", advice="Ask whether there is more to read before you read, not after.")
def read_first(seen: Seen) -> str | None:
    if seen.scenario != "no message is asked for" or not (seen.raised(TimeoutError) or seen.blocked_in("recv")):
        return None
    return "No message was asked for, and it waited for one."


@read_and_leave.misconception("empty-is-the-end", advice="Count messages: an empty datagram is one.")
def read_empty(seen: Seen) -> str | None:
    if not (seen.returned and isinstance(seen.result, list) and "empty" in seen.scenario):
        return None
    if len(seen.result) == 2:
        return "It stopped at the empty message: with datagrams b'' is no end, UDP has none."
    if len(seen.result) > 2 and b"" not in seen.result:
        return "It passed over the empty message: with datagrams b'' is a message like any other."
    return None


@read_and_leave.misconception("empty-passed-over", advice="Count messages: an empty datagram is one.")
def read_over(seen: Seen) -> str | None:
    if "empty" not in seen.scenario or not seen.raised(TimeoutError):
        return None
    return "It waited for a sixth message: the empty one was not counted, and it is a message like any other."


@read_and_leave.misconception("cut-off", advice="Ask recv for as many bytes as a message may have: 1,000.")
def read_cut(seen: Seen) -> str | None:
    result = seen.result
    if not (seen.returned and isinstance(result, list) and "long" in seen.scenario and len(result) == 5):
        return None
    if not isinstance(result[3], bytes) or len(result[3]) >= 1000:
        return None
    return (
        f"Of a message of 1,000 bytes it kept {len(result[3])}: a recv that is too small loses the rest of a datagram."
    )


@read_and_leave.misconception("too-many", advice="Stop after count messages, whatever else is there.")
def read_too_many(seen: Seen) -> str | None:
    if not (seen.returned and isinstance(seen.result, list) and len(seen.result) > seen.facts.get("count", 99)):
        return None
    return f"It was asked for {seen.facts['count']} messages and returned {len(seen.result)}."


@read_and_leave.misconception("no-list", advice="Append each message to a list, and return that.")
def read_no_list(seen: Seen) -> str | None:
    if not (seen.returned and isinstance(seen.result, (bytes, bytearray))):
        return None
    return "It returned bytes, where a list of messages is wanted: nobody can tell where one ended."


# -- whisper -----------------------------------------------------------------------------------------------------------


def whispers(attempt: Attempt, message: bytes, members: int) -> None:
    """All members have to get `message`, and with a TTL of 0."""
    group = a_group()
    facts = attempt.seen.facts
    facts["arrived"], facts["ttl"] = None, None
    first = member(attempt, group) if members else listening(attempt, group)
    port = first.getsockname()[1]
    others = [member(attempt, group, port) for _ in range(members - 1)]
    sent = attempt.call(message, group, port)
    for number, sock in enumerate([first, *others][:members], 1):
        facts["arrived"] = bool(select.select([sock], [], [], 0.5)[0])
        what = f"{shown(message)} arrives" if members == 1 else f"{shown(message)} arrives at both members"
        attempt.want(facts["arrived"], what, "nothing came" if number == 1 else "one of them got nothing")
        data, ttl, _ = with_ttl(sock)
        facts["ttl"] = ttl
        attempt.equal(data, message, "the member gets")
        attempt.want(ttl in (0, None), "with a TTL of 0", f"with a TTL of {ttl}")
    attempt.equal(sent, len(message), "it returns")


@whisper.scenario("one member, which looks at the TTL")
def whispers_to_one(attempt: Attempt) -> None:
    whispers(attempt, b"between you and me", 1)


@whisper.scenario("two members")
def whispers_to_two(attempt: Attempt) -> None:
    whispers(attempt, b"the three of us", 2)


@whisper.scenario("an empty message")
def whispers_nothing(attempt: Attempt) -> None:
    whispers(attempt, b"", 1)


@whisper.scenario("a group that nobody has joined")
def whispers_to_nobody(attempt: Attempt) -> None:
    whispers(attempt, b"anybody?", 0)


def ttl_lines(seen: Seen) -> tuple[int, int]:
    """The numbers of the first sendto, and of the first IP_MULTICAST_TTL; 0 for none."""
    sends = [event.number for event in seen.made("sendto", "send", "sendmsg", "sendall")]
    sets = [event.number for event in seen.made("setsockopt") if event.asked.startswith("IP_MULTICAST_TTL")]
    return min(sends, default=0), min(sets, default=0)


@whisper.misconception("ttl-too-late", advice="Set all options first, and then send.")
def whisper_late(seen: Seen) -> str | None:
    sent, was_set = ttl_lines(seen)
    if not (seen.facts.get("ttl") and sent and was_set > sent):
        return None
    return (
        f"It set IP_MULTICAST_TTL after sendto(): the message had gone out with a TTL of {seen.facts['ttl']} by then."
    )


@whisper.misconception("ttl-of-unicast", advice="For groups the option is IP_MULTICAST_TTL.")
def whisper_unicast_ttl(seen: Seen) -> str | None:
    tried = [event for event in seen.made("setsockopt") if event.asked.startswith("IP_TTL")]
    if not tried or chosen(seen, "IP_MULTICAST_TTL"):
        return None
    return "It set IP_TTL, which is for unicast; it takes no 0, and does nothing to what goes to a group."


@whisper.misconception("one-network", advice="Set IP_MULTICAST_TTL to 0.")
def whisper_one(seen: Seen) -> str | None:
    if not seen.facts.get("ttl"):
        return None
    ttl = seen.facts["ttl"]
    how = "is what a socket has unless somebody sets it: " if ttl == 1 and not ttl_lines(seen)[1] else "is too much: "
    return f"It arrived with a TTL of {ttl}. That {how}on another interface, the whole network would have heard it."


@whisper.misconception("one-machine", advice="Send to (group, port); the interface is an option.")
def whisper_unicast(seen: Seen) -> str | None:
    to = [event.address for event in seen.made("sendto", "connect") if isinstance(event.address, tuple)]
    if not to or not str(to[-1][0]).startswith("127.") or seen.facts.get("arrived"):
        return None
    return "It sent to 127.0.0.1: that is unicast, and whoever is bound to the group does not get it."


@whisper.misconception("no-interface", advice="Set IP_MULTICAST_IF to socket.inet_aton('127.0.0.1'), before you send.")
def whisper_no_interface(seen: Seen) -> str | None:
    if seen.facts.get("arrived") is not False and not seen.lacked(*UNREACHED):
        return None
    if chosen(seen, "IP_MULTICAST_IF") or not seen.made("sendto", "connect", "sendmsg"):
        return None
    return "It chose no interface, so the kernel took another door, and the members on loopback heard nothing."


@whisper.misconception("empty-not-sent", advice="Send whatever message is: an empty datagram is one.")
def whisper_empty(seen: Seen) -> str | None:
    if seen.scenario != "an empty message" or seen.made("sendto", "send", "sendmsg", "sendall"):
        return None
    return "It sent nothing, because the message is empty: with datagrams that is a message like any other."


@whisper.misconception("waits-for-answer", advice="Return after sendto(): nobody was asked anything.")
def whisper_waits(seen: Seen) -> str | None:
    if not (seen.made("recv", "recvfrom") and seen.raised(TimeoutError)) and not seen.blocked_in("recv"):
        return None
    return "It waited for an answer, and nobody answers a whisper."


# -- discover ----------------------------------------------------------------------------------------------------------

QUESTION, GREETING = b"who is there?", b"I am "


def asks(attempt: Attempt, seconds: float, *answers: tuple[float, bytes]) -> Any:
    """Call the answer; each of `answers` comes so many seconds after its question. Returns what it returned."""
    group = a_group()
    door = member(attempt, group)
    facts = attempt.seen.facts
    facts["heard"], facts["ttl"] = None, None
    voices = [sender(attempt) for _ in answers]

    def hall() -> None:
        facts["heard"], facts["ttl"], asker = with_ttl(door)
        facts["from group"] = asker[0] == group
        began = time.monotonic()
        for voice, (after, words) in zip(voices, answers, strict=True):
            time.sleep(max(0.0, began + after - time.monotonic()))
            with suppress(OSError):  # it has closed
                voice.sendto(words, asker)

    beside = attempt.beside(hall)
    result = attempt.call(group, door.getsockname()[1], seconds)
    if facts["heard"] is None:
        until(lambda: facts["heard"] is not None, 0.1)
    if facts["heard"] is None:
        door.close()
        attempt.want(False, "the servers hear the question", "they heard nothing")
    beside.join(PATIENCE)
    attempt.equal(facts["heard"], QUESTION, "the servers hear")
    attempt.want(facts["ttl"] in (0, None), "a question with a TTL of 0", f"one with a TTL of {facts['ttl']}")
    return result


@discover.scenario("three servers")
def discovers_three(attempt: Attempt) -> None:
    found = asks(attempt, 0.3, (0, b"I am anna"), (0, b"I am ben"), (0, b"I am carl"))
    attempt.equal(found, {b"anna", b"ben", b"carl"})


@discover.scenario("one that answers twice")
def discovers_twice(attempt: Attempt) -> None:
    found = asks(attempt, 0.2, (0, b"I am anna"), (0, b"I am ben"), (0, b"I am anna"))
    attempt.equal(found, {b"anna", b"ben"})


@discover.scenario("nobody")
def discovers_nobody(attempt: Attempt) -> None:
    attempt.equal(asks(attempt, 0.05), set())


@discover.scenario("a stranger, which says something else")
def discovers_a_stranger(attempt: Attempt) -> None:
    found = asks(attempt, 0.2, (0, b"buy lamps"), (0, b"I am anna"))
    attempt.equal(found, {b"anna"})


@discover.scenario("one that answers late")
def discovers_late(attempt: Attempt) -> None:
    found = asks(attempt, 0.6, (0, b"I am anna"), (0.2, b"I am ben"))
    attempt.equal(found, {b"anna", b"ben"})


CHATTER, GAP = 25, 0.02  # datagrams, s between two of them: more than twice as long as the answer has


@discover.scenario("one that never stops talking")
def discovers_a_chatterbox(attempt: Attempt) -> None:
    group = a_group()
    door, voice = member(attempt, group), sender(attempt)
    facts = attempt.seen.facts
    over = threading.Event()

    def talk() -> None:
        _, _, asker = with_ttl(door)
        for number in range(CHATTER):
            if over.is_set():
                return
            facts["talked out"] = number == CHATTER - 1
            with suppress(OSError):
                voice.sendto(b"I am carl", asker)
            time.sleep(GAP)

    beside = attempt.beside(talk)
    try:
        found = attempt.call(group, door.getsockname()[1], 0.2)
    finally:
        over.set()
    beside.join(PATIENCE)
    attempt.want(not facts.get("talked out"), "it returns in time", "it returned when the talk was over")
    attempt.equal(found, {b"carl"})


@discover.misconception("each-its-own-time", advice="Before each recv set the timeout to what is left of the seconds.")
def discover_per_call(seen: Seen) -> str | None:
    if "never stops" not in seen.scenario or not (seen.facts.get("talked out") or seen.timed_out):
        return None
    return "One server went on talking, and it listened to the end: each recv that brings something starts again."


@discover.misconception("no-timeout", advice="Set a timeout before each recv: what is left of the seconds.")
def discover_blocked(seen: Seen) -> str | None:
    return "It is blocked in recv(): nobody says how many will answer." if seen.blocked_in("recv", "select") else None


@discover.misconception("connected", advice="Do not connect: the answers come from the servers, not from the group.")
def discover_connected(seen: Seen) -> str | None:
    if not seen.made("connect") or seen.result:
        return None
    return "It connected its socket to the group: that lets in what comes from the group's address, and nobody has it."


@discover.misconception("silence-raised", advice="Catch TimeoutError: it is how the listening ends.")
def discover_raised(seen: Seen) -> str | None:
    if not (seen.raised(TimeoutError) or seen.raised(BlockingIOError)):
        return None
    return "Nobody answered any more, and it raised that: for a discovery, silence is the usual end."


@discover.misconception("negative-time", advice="Where nothing is left of the time, stop, before settimeout().")
def discover_negative(seen: Seen) -> str | None:
    if not (seen.raised(ValueError) and seen.failed("ValueError")):
        return None
    return "settimeout() was given less than 0: the time was up, and nobody had looked."


@discover.misconception("no-interface", advice="Set IP_MULTICAST_IF to socket.inet_aton('127.0.0.1'), before you send.")
def discover_no_interface(seen: Seen) -> str | None:
    if chosen(seen, "IP_MULTICAST_IF") or not seen.made("sendto"):
        return None
    if "they heard nothing" not in seen.came and not seen.lacked(*UNREACHED):
        return None
    return "It chose no interface, so its question left by another door, and the servers on loopback did not hear it."


@discover.misconception("question-travels", advice="Set IP_MULTICAST_TTL to 0 before you ask.")
def discover_ttl(seen: Seen) -> str | None:
    if not seen.facts.get("ttl"):
        return None
    return (
        f"The question went out with a TTL of {seen.facts['ttl']}: on another interface it would have left the machine."
    )


@discover.misconception("with-the-greeting", advice="Return what stands behind b'I am '.")
def discover_greeting(seen: Seen) -> str | None:
    if not seen.returned or not _has(seen.result, b"I am anna"):
        return None
    return "It returned whole answers: the name is what stands behind b'I am '."


@discover.misconception("believes-anybody", advice="Take only what begins with b'I am '.")
def discover_believes(seen: Seen) -> str | None:
    if not seen.returned or "stranger" not in seen.scenario:
        return None
    if not isinstance(seen.result, (set, list, tuple)) or len(seen.result) < 2:
        return None
    return f"It took {shown(seen.result, 50)} for names: anybody can send to a port, also who was not asked."


@discover.misconception("no-set", advice="Collect in a set: it takes each name once.")
def discover_list(seen: Seen) -> str | None:
    if not (seen.returned and isinstance(seen.result, (list, tuple))):
        return None
    twice = len(seen.result) > len(set(seen.result))
    return "It returned a list, with one name twice." if twice else "It returned a list, where a set is wanted."


@discover.misconception("first-answer", advice="Go on until the time is up.")
def discover_first(seen: Seen) -> str | None:
    if not (seen.returned and len(seen.made("recv", "recvfrom")) == 1 and len(seen.result or ()) <= 1):
        return None
    return "It called recv once, and so found whoever was fastest."


@discover.misconception("gives-up-early", advice="Silence in between is no end: wait for all of the seconds.")
def discover_early(seen: Seen) -> str | None:
    if not seen.returned or "late" not in seen.scenario:
        return None
    return "One answer came late, though well within the time, and it had stopped listening."


def _has(result: object, wanted: bytes) -> bool:
    return isinstance(result, (set, list, tuple)) and wanted in result
