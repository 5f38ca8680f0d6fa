"""The exercises of lesson 26: an echo answered, an interface renamed, a question on a bus answered; all of it bytes.

A codec that is wrong shows it on chosen bytes: odd lengths find the padding, sums with many carries the folding, values
of odd length the alignment, lengths that lie the loops that believe them. What is chosen here has a mutant each.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Any

from ..attempt import Attempt
from ..definition import Exercise
from ..seen import Seen
from ..words import shown

LESSON = "26_other_families"

answer_echo = Exercise(
    "answer_echo",
    lesson=LESSON,
    wants="answer_echo(message)",
    task="Return the ICMP echo reply to an echo request, checksum included; None for any other whole message; raise "
    "ValueError for fewer than eight bytes and for a wrong checksum.",
    hints=(
        "First is it a message at all: eight bytes, and a sum that comes to 0xFFFF? Then is it a question?",
        "For the sum of an odd number of bytes, add a zero to a copy: what you return has no more bytes than came.",
        "Build the answer with 0 in the checksum's place, sum that up, and put `0xFFFF - sum` there.",
    ),
)

rename_link = Exercise(
    "rename_link",
    lesson=LESSON,
    wants="rename_link(message, name)",
    task="Return the RTM_NEWLINK message with attribute 3 replaced by `name` and a zero byte, all lengths and padding "
    "right; raise ValueError where the message is too short or a length is not so.",
    hints=(
        "Check the header first. Then walk from byte 32, attribute by attribute; look at each length first.",
        "The next attribute begins at the next multiple of four: `(length + 3) // 4 * 4` bytes further.",
        "Collect all in a new `bytes`, the name's attribute made anew and padded; write the message's length last.",
    ),
)

answer_can = Exercise(
    "answer_can",
    lesson=LESSON,
    wants="answer_can(frame, values)",
    task="Return the data frame that answers a question about an identifier in `values`; None for every other good "
    "frame; raise ValueError for what is no frame.",
    hints=(
        'The format is `"=IB3x8s"`: the identifier with its flags, a length, three bytes of nothing, eight of data.',
        "Take the flags off with the mask of the frame's format, and look up `(identifier, extended)`.",
        "The answer keeps the identifier and `EFF`, loses `RTR`, and its length is that of the data.",
    ),
)


# -- answer_echo -------------------------------------------------------------------------------------------------------


def total_of(message: bytes) -> int:
    """The sum of the numbers of two bytes, not folded yet."""
    data = message + b"\0" * (len(message) % 2)
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def folded(total: int) -> int:
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum(message: bytes) -> int:
    return 0xFFFF - folded(total_of(message))


def icmp(kind: int, rest: bytes, data: bytes, code: int = 0) -> bytes:
    """A whole message: `rest` are the four bytes behind the checksum."""
    bare = struct.pack("!BBH", kind, code, 0) + rest + data
    return bare[:2] + struct.pack("!H", checksum(bare)) + bare[4:]


def echoes(attempt: Attempt, rest: bytes, data: bytes) -> None:
    request, wanted = icmp(8, rest, data), icmp(0, rest, data)
    attempt.seen.facts.update(request=request, wanted=wanted, kind=8)
    result = attempt.call(request)
    attempt.seen.facts["reply"] = result
    attempt.want(isinstance(result, (bytes, bytearray)), f"the answer, {len(wanted)} bytes", shown(result))
    attempt.want(bytes(result) == wanted, in_hex(wanted), in_hex(bytes(result)))


def in_hex(data: bytes) -> str:
    return f"{data[:12].hex(' ')}{' …' if len(data) > 12 else ''}, {len(data):,} bytes"


@answer_echo.scenario("the question of a ping")
def plain_ping(attempt: Attempt) -> None:
    echoes(attempt, b"\x26\x00\x00\x01", b"ping")


@answer_echo.scenario("five letters, an odd number of bytes")
def odd_ping(attempt: Attempt) -> None:
    echoes(attempt, b"\x26\x00\x00\x02", b"hello")


@answer_echo.scenario("no data, and sums with many carries")
def large_ping(attempt: Attempt) -> None:
    draw = random.Random(26)
    echoes(attempt, bytes(4), b"\xff\xff\xff\xff\x00\x01")  # folded once it is 0x10000, and has to be folded again
    for data in (b"", b"\xff" * 1472, b"\xff" * 7, *(draw.randbytes(draw.randrange(200)) for _ in range(30))):
        echoes(attempt, draw.randbytes(4), data)


@answer_echo.scenario("messages that are no question")
def no_question(attempt: Attempt) -> None:
    for kind, code in ((0, 0), (3, 3), (11, 0), (13, 0)):
        attempt.seen.facts.update(kind=kind, reply=None)
        result = attempt.call(icmp(kind, bytes(4), b"whatever", code))
        attempt.want(result is None, f"None for a message of type {kind}", shown(result))


@answer_echo.scenario("a question that was damaged on the way")
def damaged_question(attempt: Attempt) -> None:
    good = icmp(8, b"\x26\x00\x00\x03", b"ping")
    for position in (11, 3, 0, 5):
        bad = bytearray(good)
        bad[position] ^= 0x20
        attempt.raises(ValueError, bytes(bad))


@answer_echo.scenario("fewer than eight bytes")
def cut_question(attempt: Attempt) -> None:
    good = icmp(8, b"\x26\x00\x00\x04", b"")
    for length in (7, 4, 2, 1, 0):
        attempt.seen.facts["length"] = length
        attempt.raises(ValueError, good[:length])


def reply_of(seen: Seen) -> bytes | None:
    """The wrong answer to a question, where it is bytes."""
    reply = seen.facts.get("reply")
    wrong = isinstance(reply, (bytes, bytearray)) and reply != seen.facts.get("wanted")
    return bytes(reply) if wrong and isinstance(reply, (bytes, bytearray)) else None


def sum_in(data: bytes) -> int:
    return int.from_bytes(data[2:4], "big")


@answer_echo.misconception("asks-back", advice="Put type 0 into the first byte.")
def asks_back(seen: Seen) -> str | None:
    reply = reply_of(seen)
    if reply is None or reply[:1] != b"\x08":
        return None
    return "What it returned has type 8, which is a question: nobody has asked for that."


@answer_echo.misconception("padding-sent", advice="Add the zero to a copy that you sum up, and return without it.")
def padding_sent(seen: Seen) -> str | None:
    reply = reply_of(seen)
    if reply is None or len(reply) != len(seen.facts["wanted"]) + 1 or reply[-1:] != b"\0":
        return None
    return "Its answer is a byte longer than the question: the zero is for the sum, and does not travel."


@answer_echo.misconception("old-checksum", advice="Compute it anew: the type has changed, so the sum has.")
def old_checksum(seen: Seen) -> str | None:
    reply = reply_of(seen)
    if reply is None or reply[2:4] != seen.facts["request"][2:4]:
        return None
    return "The answer has the question's checksum, and another type: whoever receives it takes it for damaged."


@answer_echo.misconception("sums-the-sum", advice="Put 0 in the checksum's place before you sum up.")
def sums_the_sum(seen: Seen) -> str | None:
    reply = reply_of(seen)
    if reply is None:
        return None
    old = b"\0" + seen.facts["request"][1:]
    if sum_in(reply) != checksum(old):
        return None
    return "It summed up the old checksum together with the message."


@answer_echo.misconception("last-byte-lost", advice="Count a zero more at the end of an odd number of bytes.")
def last_byte_lost(seen: Seen) -> str | None:
    reply = reply_of(seen)
    if reply is None or not len(reply) % 2:
        return None
    return "The number of bytes is odd, and the last one is not in its checksum as it should be."


@answer_echo.misconception("carry-lost", advice="Add what is above 16 bits below, until nothing is above.")
def carry_lost(seen: Seen) -> str | None:
    reply = reply_of(seen)
    if reply is None:
        return None
    total = total_of(reply[:2] + bytes(2) + reply[4:])
    once = (total & 0xFFFF) + (total >> 16)
    if sum_in(reply) not in (0xFFFF - (total & 0xFFFF), 0xFFFF - (once & 0xFFFF)):
        return None
    return "The sum did not fit into 16 bits, and what was above them got lost."


@answer_echo.misconception("other-order", advice="Sum up and write in the same order: `!H` for both.")
def other_order(seen: Seen) -> str | None:
    reply = reply_of(seen)
    if reply is None or reply[2:4][::-1] != seen.facts["wanted"][2:4]:
        return None
    return "The two bytes of its checksum stand in reverse: summed up in one order, written in the other."


@answer_echo.misconception("odd-refused", advice="Count a zero more at the end of an odd number of bytes.")
def odd_refused(seen: Seen) -> str | None:
    if seen.error is None or not len(seen.facts.get("request", b"")) % 2 or seen.expected.startswith("it raises"):
        return None
    return f"It raised {type(seen.error).__name__} for a good message with an odd number of bytes."


@answer_echo.misconception("answers-answers", advice="Answer type 8, and nothing else.")
def answers_answers(seen: Seen) -> str | None:
    if not isinstance(seen.result, (bytes, bytearray)) or seen.facts.get("kind", 8) == 8:
        return None
    return f"It answered a message of type {seen.facts['kind']}: two such machines answer each other for ever."


@answer_echo.misconception("believes", advice="Raise ValueError before you look at anything else.")
def echo_believes(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected == "it raises ValueError"):
        return None
    length = seen.facts.get("length")
    what = "a message whose checksum is wrong" if length is None else f"{length} bytes, which are no message"
    return f"It was given {what}, and returned {'None' if seen.result is None else 'an answer'}."


@answer_echo.misconception("other-exception", advice="Ask for len(message) first, and raise ValueError.")
def echo_other(seen: Seen) -> str | None:
    return raised_another(seen)


def raised_another(seen: Seen) -> str | None:
    """An exception where ValueError was wanted."""
    if seen.error is None or seen.expected != "it raises ValueError":
        return None
    name = "struct.error" if isinstance(seen.error, struct.error) else type(seen.error).__name__
    return f"It raised {name}, which is no ValueError: who calls it would have to know how it is made inside."


# -- rename_link -------------------------------------------------------------------------------------------------------

Attributes = list[tuple[int, bytes]]


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def link(attributes: Attributes, number: int = 2) -> bytes:
    """A message RTM_NEWLINK as the kernel sends it."""
    body = struct.pack("=BxHiII", 0, 1, number, 0x11043, 0) + b"".join(attribute(*each) for each in attributes)
    return struct.pack("=IHHII", 16 + len(body), 16, 2, 26, 1000) + body


def with_name(name: bytes, before: Attributes = [], behind: Attributes = []) -> bytes:  # noqa: B006
    return link([*before, (3, name + b"\0"), *behind])


def walk(message: bytes) -> Iterator[tuple[int, int, int]]:
    """Where an attribute begins, its length and its type, as far as lengths can be followed."""
    position = 32
    while position + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, position)
        yield position, length, kind
        if length < 4:
            return
        position += (length + 3) // 4 * 4


def renames(attempt: Attempt, old: bytes, new: str, before: Attributes, behind: Attributes) -> None:
    message, wanted = with_name(old, before, behind), with_name(new.encode(), before, behind)
    attempt.seen.facts.update(message=message, wanted=wanted, name=new.encode(), good=True)
    result = attempt.call(message, new)
    attempt.seen.facts["renamed"] = result
    attempt.want(isinstance(result, (bytes, bytearray)), f"the message, {len(wanted)} bytes", shown(result))
    attempt.want(bytes(result) == wanted, *different(wanted, bytes(result)))


def different(wanted: bytes, came: bytes) -> tuple[str, str]:
    """Both from where they differ on."""
    same = next((n for n, (a, b) in enumerate(zip(wanted, came, strict=False)) if a != b), min(len(wanted), len(came)))
    start = same // 4 * 4
    return tuple(  # type: ignore[return-value]
        f"from byte {start} {data[start : start + 12].hex(' ') or 'nothing'}, {len(data)} bytes in all"
        for data in (wanted, came)
    )


BEFORE: Attributes = [(13, struct.pack("=I", 1000)), (1, bytes.fromhex("02fc00000001"))]
BEHIND: Attributes = [(4, struct.pack("=I", 1500)), (6, b"noqueue\0"), (16, b"\x06")]


@rename_link.scenario("a name of the same length")
def same_length(attempt: Attempt) -> None:
    renames(attempt, b"eth0", "eth1", [], [])


@rename_link.scenario("a longer name, and a shorter one")
def other_lengths(attempt: Attempt) -> None:
    for name in ("wireless0", "lo", "abc", "abcd"):
        renames(attempt, b"eth0", name, [], [])


@rename_link.scenario("values of any length before and behind the name")
def others_around(attempt: Attempt) -> None:
    for name in ("wireless0", "x"):
        renames(attempt, b"eth0", name, BEFORE, BEHIND)


@rename_link.scenario("the old name stands in another value, too")
def name_elsewhere(attempt: Attempt) -> None:
    renames(attempt, b"eth0", "ring0", [(20, b"like eth0\0")], [(52, b"eth0\0")])


@rename_link.scenario("a name with letters beyond ASCII")
def letters(attempt: Attempt) -> None:
    renames(attempt, b"eth0", "größe", BEFORE, BEHIND)


@rename_link.scenario("a message that is too short, or whose header lies")
def header_lies(attempt: Attempt) -> None:
    good = with_name(b"eth0", BEFORE)
    attempt.seen.facts["good"] = False
    for what, message in (
        ("less than a header", good[:10]),
        ("no bytes", b""),
        ("a header alone", struct.pack("=I", 16) + good[4:16]),
        ("a length that is too small", struct.pack("=I", len(good) - 4) + good[4:]),
        ("a length that is too large", struct.pack("=I", len(good) + 4) + good[4:]),
    ):
        attempt.seen.facts["lie"] = what
        attempt.raises(ValueError, message, "eth1")


@rename_link.scenario("an attribute that reaches beyond the end, and one of length 0")
def attribute_lies(attempt: Attempt) -> None:
    attempt.seen.facts["good"] = False
    good = with_name(b"eth0", [], [(4, struct.pack("=I", 1500))])
    for what, length in (
        ("an attribute that reaches beyond the end", 200),
        ("an attribute of length 3", 3),
        ("an attribute of length 0", 0),
    ):
        attempt.seen.facts["lie"] = what
        attempt.raises(ValueError, good[:-8] + struct.pack("=H", length) + good[-6:], "eth1")


def renamed(seen: Seen) -> bytes | None:
    """The wrong message that came back, where it is bytes."""
    result = seen.facts.get("renamed")
    wrong = isinstance(result, (bytes, bytearray)) and result != seen.facts["wanted"]
    return bytes(result) if wrong and isinstance(result, (bytes, bytearray)) else None


def name_in(message: bytes) -> tuple[int, bytes] | None:
    """Length and value of the first attribute 3."""
    for position, length, kind in walk(message):
        if kind == 3:
            return length, message[position + 4 : position + length]
    return None


@rename_link.misconception("endless", advice="Raise ValueError for a length of less than four before you step on.")
def endless(seen: Seen) -> str | None:
    if not seen.timed_out or seen.facts.get("good", True):
        return None
    return "It came to an attribute of length 0, and never got past it."


@rename_link.misconception("unchanged", advice="Step to the next multiple of four behind each attribute.")
def unchanged(seen: Seen) -> str | None:
    result = renamed(seen)
    if result is None or result != seen.facts["message"]:
        return None
    return "It returned the message as it was: it did not find attribute 3 where it looked."


@rename_link.misconception("lost-between", advice="Step to the next multiple of four behind each attribute.")
def lost_between(seen: Seen) -> str | None:
    if seen.error is None or not seen.facts.get("good"):
        return None
    return f"It raised {type(seen.error).__name__} for a good message: between two attributes there may be padding."


@rename_link.misconception("header-kept", advice="Write the message's new length into its first four bytes.")
def header_kept(seen: Seen) -> str | None:
    result = renamed(seen)
    told = struct.unpack_from("=I", result)[0] if result is not None and len(result) >= 4 else None
    if result is None or told is None or told == len(result):
        return None
    return f"The header says {told:,} bytes, and the message has {len(result)}."


@rename_link.misconception("replaced-anywhere", advice="Find attribute 3 by its type, and leave the others alone.")
def replaced_anywhere(seen: Seen) -> str | None:
    result = renamed(seen)
    if result is None or b"like eth0" not in seen.facts["message"] or b"like eth0" in result:
        return None
    return "The old name is gone from another attribute's value, too."


@rename_link.misconception("no-zero", advice='Add b"\\0" to the name: programs in C look for it.')
def no_zero(seen: Seen) -> str | None:
    result = renamed(seen)
    found = name_in(result) if result is not None else None
    if found is None or found[1] != seen.facts["name"]:
        return None
    return "The name's value has no zero byte at its end."


@rename_link.misconception("length-of-value", advice="An attribute's length counts its own four bytes, too.")
def length_of_value(seen: Seen) -> str | None:
    result = renamed(seen)
    found = name_in(result) if result is not None else None
    if found is None or found[0] != len(seen.facts["name"]) + 1:
        return None
    return "The name's length counts the value alone: the reader stops four bytes early, in the middle of it."


@rename_link.misconception("padding-counted", advice="The length counts header and value; the padding comes behind.")
def padding_counted(seen: Seen) -> str | None:
    result = renamed(seen)
    found = name_in(result) if result is not None else None
    if found is None or found[0] % 4 or found[1].rstrip(b"\0") != seen.facts["name"]:
        return None
    return "The name's length counts the padding as well: the value has got zeros that do not belong to it."


@rename_link.misconception("no-padding", advice="Fill up with zeros to the next multiple of four.")
def no_padding(seen: Seen) -> str | None:
    result = renamed(seen)
    if result is None or not len(result) % 4:
        return None
    return "There is no padding behind the name: the next attribute does not begin at a multiple of four."


@rename_link.misconception("believes", advice="Compare each length with what is there before you use it.")
def link_believes(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected == "it raises ValueError"):
        return None
    return f"It was given {seen.facts['lie']}, and returned {'bytes' if seen.result else shown(seen.result)}."


@rename_link.misconception("other-exception", advice="Compare each length with what is there, and raise ValueError.")
def link_other(seen: Seen) -> str | None:
    return raised_another(seen)


# -- answer_can --------------------------------------------------------------------------------------------------------

EFF, RTR, ERR = 0x8000_0000, 0x4000_0000, 0x2000_0000  # as socket.CAN_EFF_FLAG and its kin
FORMAT = "=IB3x8s"
Key = tuple[int, bool]


def can(word: int, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack(FORMAT, word, len(data) if length is None else length, data)


class Values(dict[Any, bytes]):
    """The values of a controller, which notes what was looked up."""

    def __init__(self, values: dict[Key, bytes]) -> None:
        super().__init__(values)
        self.asked: list[Any] = []

    def __getitem__(self, key: Any) -> bytes:
        self.asked.append(key)
        return super().__getitem__(key)

    def __contains__(self, key: Any) -> bool:
        self.asked.append(key)
        return super().__contains__(key)

    def get(self, key: Any, default: Any = None) -> Any:
        self.asked.append(key)
        return super().get(key, default)


SPEED, ANGLE, TRUCK = (0x123, False), (0x123, True), (0x18DAF110, True)
CAR = {SPEED: b"\x27\x10", ANGLE: b"\x01\x02\x03", TRUCK: b"engine 1", (0x7FF, False): b"", (0x1FFFFFFF, True): b"\xff"}


def answers(attempt: Attempt, key: Key, length: int = 0) -> None:
    identifier, extended = key
    word = identifier | (EFF if extended else 0)
    values, wanted = Values(CAR), can(word, CAR[key])
    attempt.seen.facts.update(key=key, values=values, wanted=wanted, question=True)
    result = attempt.call(can(word | RTR, length=length), values)
    attempt.seen.facts["answer"] = result
    attempt.want(isinstance(result, (bytes, bytearray)), f"the frame {in_groups(wanted)}", shown(result))
    attempt.want(bytes(result) == wanted, in_groups(wanted), in_groups(bytes(result)))


def in_groups(frame: bytes) -> str:
    """Identifier, length, nothing, data."""
    groups = (frame[:4], frame[4:5], frame[5:8], frame[8:])
    return " ".join(part.hex() for part in groups if part) + (f" ({len(frame)} bytes)" if len(frame) != 16 else "")


@answer_can.scenario("a question with 11 bits")
def standard(attempt: Attempt) -> None:
    answers(attempt, SPEED)
    answers(attempt, SPEED, length=8)


@answer_can.scenario("a question with 29 bits")
def extended_question(attempt: Attempt) -> None:
    answers(attempt, TRUCK)


@answer_can.scenario("the same number with 11 bits and with 29")
def same_number(attempt: Attempt) -> None:
    answers(attempt, ANGLE)
    answers(attempt, SPEED)


@answer_can.scenario("the largest identifiers, and a value of no bytes")
def largest(attempt: Attempt) -> None:
    answers(attempt, (0x1FFFFFFF, True))
    answers(attempt, (0x7FF, False))


@answer_can.scenario("frames that ask nothing, or somebody else")
def nothing_asked(attempt: Attempt) -> None:
    facts = attempt.seen.facts
    for what, frame in (
        ("data", can(0x123, b"\x01")),
        ("data with 29 bits", can(TRUCK[0] | EFF, b"\x01")),
        ("a report of trouble", can(ERR | 0x4, bytes(8))),
        ("a report of trouble whose other bits look like a question", can(ERR | RTR | 0x123)),
        ("a question that somebody else answers", can(0x124 | RTR)),
        ("a question that somebody else answers", can(0x7FF | EFF | RTR)),
    ):
        facts.update(question=False, what=what, answer=None)
        result = attempt.call(frame, Values(CAR))
        attempt.want(result is None, f"None for {what}", shown(result))


@answer_can.scenario("what is no frame")
def no_frame(attempt: Attempt) -> None:
    good = can(0x123 | RTR)
    for what, frame in (
        ("15 bytes", good[:15]),
        ("17 bytes", good + b"\0"),
        ("no bytes", b""),
        ("4 bytes", good[:4]),
        ("a frame of length 9", can(0x123 | RTR, length=9)),
        ("a frame of length 255", can(0x123, length=255)),
        ("12 bits without the flag for 29", can(0x923 | RTR)),
        ("29 bits without their flag", can(TRUCK[0] | RTR)),
    ):
        attempt.seen.facts["what"] = what
        attempt.raises(ValueError, frame, Values(CAR))


def answered(seen: Seen) -> bytes | None:
    """The wrong answer to a question, where it is bytes."""
    answer = seen.facts.get("answer")
    wrong = isinstance(answer, (bytes, bytearray)) and answer != seen.facts.get("wanted")
    return bytes(answer) if wrong and isinstance(answer, (bytes, bytearray)) else None


def asked(seen: Seen) -> list[Any]:
    """What was looked up, and is not what the question was about."""
    if not seen.facts.get("question"):
        return []
    return [key for key in seen.facts["values"].asked if key != seen.facts["key"]]


@answer_can.misconception("not-sixteen", advice="Fill the data up with zeros to eight bytes: `8s` in the format does.")
def not_sixteen(seen: Seen) -> str | None:
    frame = answered(seen)
    if frame is None or len(frame) == 16:
        return None
    return f"Its answer has {len(frame)} bytes: a frame has 16, however few of its data count."


@answer_can.misconception("asks-back", advice="Take RTR out of the identifier of the answer.")
def can_asks_back(seen: Seen) -> str | None:
    frame = answered(seen)
    if frame is None or not struct.unpack_from("=I", frame)[0] & RTR:
        return None
    return "The answer still has RTR: it is a question, and the next controller will answer that."


@answer_can.misconception("format-lost", advice="Keep EFF in the answer where the question had it.")
def format_lost(seen: Seen) -> str | None:
    frame = answered(seen)
    if frame is None or not seen.facts["key"][1] or struct.unpack_from("=I", frame)[0] & EFF:
        return None
    return "The question had 29 bits, and the answer has no EFF: it is about another identifier."


@answer_can.misconception("length-of-question", advice="The length byte is len(data) of what you answer.")
def length_of_question(seen: Seen) -> str | None:
    frame = answered(seen)
    if frame is None or frame[4] == seen.facts["wanted"][4] or frame[8:] != seen.facts["wanted"][8:]:
        return None
    return f"The answer says that {frame[4]} of its bytes count, and it has {seen.facts['wanted'][4]} to tell."


@answer_can.misconception("flags-looked-up", advice="Take the flags off first: mask 0x7FF, or 0x1FFFFFFF with EFF.")
def flags_looked_up(seen: Seen) -> str | None:
    for key in asked(seen):
        number = key[0] if isinstance(key, tuple) and key else key
        if isinstance(number, int) and number >= RTR:
            return f"It looked for the identifier {number:#_x}: the flags are still in it."
    return None


@answer_can.misconception("eleven-always", advice="With EFF the identifier has 29 bits: mask 0x1FFFFFFF.")
def eleven_always(seen: Seen) -> str | None:
    for key in asked(seen):
        if isinstance(key, tuple) and seen.facts["key"][1] and key[0] == seen.facts["key"][0] & 0x7FF:
            return f"It looked for {key[0]:#x}, the lowest 11 bits of an identifier of 29."
    return None


@answer_can.misconception("one-format", advice="Look for (identifier, extended): EFF says which of the two it is.")
def one_format(seen: Seen) -> str | None:
    for key in asked(seen):
        if isinstance(key, tuple) and len(key) == 2 and key[0] == seen.facts["key"][0]:
            return "It looked for the right number in the wrong format: with 11 bits and with 29 it is not the same."
    return None


@answer_can.misconception("network-order", advice="These bytes do not travel: `=` in the format, this machine's order.")
def can_network_order(seen: Seen) -> str | None:
    if not seen.facts.get("question") or seen.facts["values"].asked:
        return None
    if not seen.returned and not seen.raised(ValueError):
        return None
    return "It looked nothing up: read in another order than this machine's, the flags stand elsewhere."


@answer_can.misconception(
    "answers-all", advice="Answer where RTR is set, ERR is not, and the identifier is yours; else return None."
)
def answers_all(seen: Seen) -> str | None:
    if seen.facts.get("question", True) or not isinstance(seen.result, (bytes, bytearray)) or "what" not in seen.facts:
        return None
    if seen.expected.startswith("it raises"):
        return None
    return f"It answered {seen.facts['what']}."


@answer_can.misconception("refuses-others", advice="A question that is not yours is a good frame: return None.")
def refuses_others(seen: Seen) -> str | None:
    if seen.error is None or seen.facts.get("question", True) or seen.expected.startswith("it raises"):
        return None
    return f"It raised {type(seen.error).__name__} for {seen.facts['what']}, which is a good frame."


@answer_can.misconception(
    "believes", advice="Look at the number of bytes, the length and the bits before anything else."
)
def can_believes(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected == "it raises ValueError"):
        return None
    return f"It was given {seen.facts['what']}, and returned {'a frame' if seen.result else shown(seen.result)}."


@answer_can.misconception("other-exception", advice="Ask for len(frame) == 16 first, and raise ValueError.")
def can_other(seen: Seen) -> str | None:
    return raised_another(seen)
