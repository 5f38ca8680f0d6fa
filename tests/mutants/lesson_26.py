"""Lesson 26: an echo answered, an interface renamed, a question on a bus answered."""

from __future__ import annotations

import array
import ctypes
import functools
import struct
import sys
from itertools import accumulate, repeat
from typing import Any

from mutants import mutant, unusual

# -- answer_echo -------------------------------------------------------------------------------------------------------


def total_of(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def fold(total: int) -> int:
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def check(message: bytes) -> None:
    if len(message) < 8 or fold(total_of(message)) != 0xFFFF:
        raise ValueError("no whole message")


def replied(message: bytes, total: int) -> bytes:
    return b"\0" + message[1:2] + struct.pack("!H", 0xFFFF - total) + message[4:]


def bare(message: bytes) -> bytes:
    return b"\0" + message[1:2] + bytes(2) + message[4:]


@mutant("answer_echo", "asks-back")
def type_kept(message: bytes) -> Any:
    check(message)
    return message if message[0] == 8 else None


@mutant("answer_echo", "old-checksum")
def type_only(message: bytes) -> Any:
    check(message)
    return b"\0" + message[1:] if message[0] == 8 else None


@mutant("answer_echo", "sums-the-sum")
def old_sum_inside(message: bytes) -> Any:
    check(message)
    return replied(message, fold(total_of(b"\0" + message[1:]))) if message[0] == 8 else None


@mutant("answer_echo", "carry-lost")
def cut_off(message: bytes) -> Any:
    check(message)
    return replied(message, total_of(bare(message)) & 0xFFFF) if message[0] == 8 else None


@mutant("answer_echo", "carry-lost")
def folded_once(message: bytes) -> Any:
    check(message)
    total = total_of(bare(message))
    return replied(message, ((total & 0xFFFF) + (total >> 16)) & 0xFFFF) if message[0] == 8 else None


@mutant("answer_echo", "other-order")
def two_orders(message: bytes) -> Any:
    check(message)
    total = fold(total_of(bare(message)))
    return bare(message)[:2] + struct.pack("<H", 0xFFFF - total) + message[4:] if message[0] == 8 else None


@mutant("answer_echo", "last-byte-lost")
def pairs_only(message: bytes) -> Any:
    check(message)
    data = bare(message)
    return replied(message, fold(total_of(data[: len(data) // 2 * 2]))) if message[0] == 8 else None


@mutant("answer_echo", "last-byte-lost")
def zero_in_front(message: bytes) -> Any:
    check(message)
    data = bare(message)
    return replied(message, fold(total_of(b"\0" * (len(data) % 2) + data))) if message[0] == 8 else None


@mutant("answer_echo", "padding-sent")
def longer(message: bytes) -> Any:
    check(message)
    message += b"\0" * (len(message) % 2)
    return replied(message, fold(total_of(bare(message)))) if message[0] == 8 else None


@mutant("answer_echo", "odd-refused")
def even_only(message: bytes) -> Any:
    if len(message) < 8 or fold(sum(struct.unpack(f"!{len(message) // 2}H", message))) != 0xFFFF:
        raise ValueError("no whole message")
    return replied(message, fold(total_of(bare(message)))) if message[0] == 8 else None


@mutant("answer_echo", "answers-answers")
def every_message(message: bytes) -> Any:
    check(message)
    return replied(message, fold(total_of(bare(message))))


@mutant("answer_echo", "believes")
def unchecked(message: bytes) -> Any:
    if len(message) < 8:
        raise ValueError("too short")
    return replied(message, fold(total_of(bare(message)))) if message[0] == 8 else None


@mutant("answer_echo", "believes")
def damaged_is_nothing(message: bytes) -> Any:
    try:
        check(message)
    except ValueError:
        return None
    return replied(message, fold(total_of(bare(message)))) if message[0] == 8 else None


@mutant("answer_echo", "other-exception")
def unpacks_first(message: bytes) -> Any:
    struct.unpack("!BBHHH", message[:8])
    check(message)
    return replied(message, fold(total_of(bare(message)))) if message[0] == 8 else None


@mutant("answer_echo", "returns-nothing")
def for_itself(message: bytes) -> Any:
    check(message)
    replied(message, fold(total_of(bare(message))))


@unusual("answer_echo")
def in_machine_order(message: bytes) -> Any:
    """RFC 1071: the sum may be made in any order, as long as it is written in the same."""

    def summed(data: bytes | bytearray) -> int:
        words = array.array("H", data + b"\0" * (len(data) % 2))
        return functools.reduce(lambda a, b: (a + b) % 0xFFFF or (a + b > 0 and 0xFFFF) or 0, words, 0)

    if len(message) < 8 or summed(message) != 0xFFFF:
        raise ValueError("no whole message")
    if message[0] != 8:
        return None
    reply = bytearray(bare(message))
    reply[2:4] = (0xFFFF - summed(reply)).to_bytes(2, sys.byteorder)
    return bytes(reply)


@unusual("answer_echo")
def by_difference(message: bytes) -> Any:
    """RFC 1624: the type went from 8 to 0, so the checksum goes up by 0x0800."""
    check(message)
    if message[0] != 8:
        return None
    return b"\0" + message[1:2] + struct.pack("!H", fold(int.from_bytes(message[2:4], "big") + 0x0800)) + message[4:]


# -- rename_link -------------------------------------------------------------------------------------------------------


def parts_of(message: bytes, align: bool = True, believe: bool = False) -> list[tuple[int, bytes]]:
    found, rest = [], message[32:]
    while rest:
        if len(rest) < 4:
            raise ValueError("half an attribute")
        length, kind = struct.unpack_from("=HH", rest)
        if not believe and not 4 <= length <= len(rest):
            raise ValueError("the length of an attribute")
        found.append((kind, rest[4:length]))
        rest = rest[(length + 3) // 4 * 4 if align else length :]
    return found


def whole(message: bytes) -> None:
    if len(message) < 32 or struct.unpack_from("=I", message)[0] != len(message):
        raise ValueError("the length of the message")


def packed(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def built(message: bytes, attributes: list[bytes]) -> bytes:
    body = b"".join(attributes)
    return struct.pack("=I", 32 + len(body)) + message[4:32] + body


@mutant("rename_link", "header-kept")
def old_length(message: bytes, name: str) -> Any:
    whole(message)
    value = name.encode() + b"\0"
    body = b"".join(packed(kind, value if kind == 3 else old) for kind, old in parts_of(message))
    return message[:32] + body


@mutant("rename_link", "no-zero")
def no_end(message: bytes, name: str) -> Any:
    whole(message)
    return built(message, [packed(kind, name.encode() if kind == 3 else old) for kind, old in parts_of(message)])


@mutant("rename_link", "length-of-value")
def value_alone(message: bytes, name: str) -> Any:
    whole(message)
    value = name.encode() + b"\0"
    mine = struct.pack("=HH", len(value), 3) + value + bytes(-len(value) % 4)
    return built(message, [mine if kind == 3 else packed(kind, old) for kind, old in parts_of(message)])


@mutant("rename_link", "padding-counted")
def padded_first(message: bytes, name: str) -> Any:
    whole(message)
    value = name.encode() + b"\0"
    value += bytes(-len(value) % 4)
    return built(message, [packed(kind, value if kind == 3 else old) for kind, old in parts_of(message)])


@mutant("rename_link", "no-padding")
def unpadded(message: bytes, name: str) -> Any:
    whole(message)
    value = name.encode() + b"\0"
    mine = struct.pack("=HH", 4 + len(value), 3) + value
    return built(message, [mine if kind == 3 else packed(kind, old) for kind, old in parts_of(message)])


@mutant("rename_link", "lost-between")
def unaligned(message: bytes, name: str) -> Any:
    whole(message)
    value = name.encode() + b"\0"
    found = parts_of(message, align=False)
    return built(message, [packed(kind, value if kind == 3 else old) for kind, old in found])


@mutant("rename_link", "unchanged")
def first_only(message: bytes, name: str) -> Any:
    whole(message)
    value = name.encode() + b"\0"
    (kind, _), *others = parts_of(message)
    if kind != 3:
        return message
    return built(message, [packed(3, value), *(packed(*other) for other in others)])


@mutant("rename_link", "replaced-anywhere")
def with_replace(message: bytes, name: str) -> Any:
    whole(message)
    (old,) = (value.rstrip(b"\0") for kind, value in parts_of(message) if kind == 3)
    new = name.encode()
    changed = [packed(kind, value.replace(old, new)) for kind, value in parts_of(message)]
    return built(message, changed)


@mutant("rename_link", "endless")
def believes_lengths(message: bytes, name: str) -> Any:
    whole(message)
    # On one line, so that it always stands on the same one when its time is up.
    next(at for at in accumulate(repeat(32), lambda at, _: at + (message[at] + 3) // 4 * 4) if at >= len(message))
    value = name.encode() + b"\0"
    return built(message, [packed(kind, value if kind == 3 else old) for kind, old in parts_of(message)])


@mutant("rename_link", "believes")
def header_unseen(message: bytes, name: str) -> Any:
    if len(message) < 32:
        raise ValueError("too short")
    value = name.encode() + b"\0"
    return built(message, [packed(kind, value if kind == 3 else old) for kind, old in parts_of(message)])


@mutant("rename_link", "believes")
def end_unseen(message: bytes, name: str) -> Any:
    whole(message)
    value = name.encode() + b"\0"
    found = parts_of(message, believe=True)
    return built(message, [packed(kind, value if kind == 3 else old) for kind, old in found])


@mutant("rename_link", "other-exception")
def as_struct_says(message: bytes, name: str) -> Any:
    if struct.unpack_from("=I", message)[0] != len(message):
        raise ValueError("the length of the message")
    value = name.encode() + b"\0"
    return built(message, [packed(kind, value if kind == 3 else old) for kind, old in parts_of(message)])


@mutant("rename_link", "returns-nothing")
def in_vain(message: bytes, name: str) -> Any:
    whole(message)
    built(message, [packed(3, name.encode() + b"\0")])


@unusual("rename_link")
def spliced(message: bytes, name: str) -> Any:
    """Changes the bytes in the middle, and leaves the others where they are."""
    data = bytearray(message)
    if len(data) < 32 or int.from_bytes(data[:4], sys.byteorder) != len(data):
        raise ValueError("header")
    position, place = 32, None
    while position < len(data):
        length = int.from_bytes(data[position : position + 2], sys.byteorder)
        if length < 4 or position + length > len(data):
            raise ValueError("attribute")
        if int.from_bytes(data[position + 2 : position + 4], sys.byteorder) == 3:
            place = slice(position, position + (length + 3) // 4 * 4)
        position += (length + 3) // 4 * 4
    if place is not None:
        data[place] = packed(3, name.encode() + b"\0")
        data[:4] = len(data).to_bytes(4, sys.byteorder)
    return data


class Header(ctypes.Structure):
    """struct nlmsghdr, and as much of ifinfomsg."""

    _fields_ = [("length", ctypes.c_uint32), ("rest", ctypes.c_uint8 * 28)]


@unusual("rename_link")
def with_a_structure(message: bytes, name: str) -> Any:
    if len(message) < ctypes.sizeof(Header):
        raise ValueError("too short")
    header = Header.from_buffer_copy(message)
    if header.length != len(message):
        raise ValueError("the length of the message")
    body = b"".join(packed(k, name.encode() + b"\0" if k == 3 else v) for k, v in parts_of(message))
    header.length = 32 + len(body)
    return bytes(header) + body


# -- answer_can --------------------------------------------------------------------------------------------------------

EFF, RTR, ERR = 0x80000000, 0x40000000, 0x20000000
FORMAT = "=IB3x8s"


def read(frame: bytes) -> tuple[int, int, bool]:
    """The word, the identifier and whether it is extended; ValueError for what is no frame."""
    if len(frame) != 16 or frame[4] > 8:
        raise ValueError("no frame")
    (word,) = struct.unpack_from("=I", frame)
    if not word & (EFF | ERR) and word & 0x1FFFF800:
        raise ValueError("more than 11 bits")
    return word, word & (0x1FFFFFFF if word & EFF else 0x7FF), bool(word & EFF)


def asks(word: int) -> bool:
    return bool(word & RTR) and not word & ERR


@mutant("answer_can", "asks-back")
def still_asks(frame: bytes, values: Any) -> Any:
    word, identifier, extended = read(frame)
    if not asks(word) or (identifier, extended) not in values:
        return None
    data = values[identifier, extended]
    return struct.pack(FORMAT, word, len(data), data)


@mutant("answer_can", "format-lost")
def identifier_alone(frame: bytes, values: Any) -> Any:
    word, identifier, extended = read(frame)
    if not asks(word) or (identifier, extended) not in values:
        return None
    data = values[identifier, extended]
    return struct.pack(FORMAT, identifier, len(data), data)


@mutant("answer_can", "not-sixteen")
def as_long_as_needed(frame: bytes, values: Any) -> Any:
    word, identifier, extended = read(frame)
    if not asks(word) or (identifier, extended) not in values:
        return None
    data = values[identifier, extended]
    return struct.pack("=IB3x", word & ~RTR, len(data)) + data


@mutant("answer_can", "length-of-question")
def length_kept(frame: bytes, values: Any) -> Any:
    word, identifier, extended = read(frame)
    if not asks(word) or (identifier, extended) not in values:
        return None
    return struct.pack(FORMAT, word & ~RTR, frame[4], values[identifier, extended])


@mutant("answer_can", "length-of-question")
def always_eight(frame: bytes, values: Any) -> Any:
    word, identifier, extended = read(frame)
    if not asks(word) or (identifier, extended) not in values:
        return None
    return struct.pack(FORMAT, word & ~RTR, 8, values[identifier, extended])


@mutant("answer_can", "flags-looked-up")
def whole_word(frame: bytes, values: Any) -> Any:
    word, _, extended = read(frame)
    if not asks(word) or (word, extended) not in values:
        return None
    return struct.pack(FORMAT, word & ~RTR, 0, b"")


@mutant("answer_can", "eleven-always")
def short_mask(frame: bytes, values: Any) -> Any:
    word, _, extended = read(frame)
    data = values.get((word & 0x7FF, extended))
    if not asks(word) or data is None:
        return None
    return struct.pack(FORMAT, word & ~RTR, len(data), data)


@mutant("answer_can", "one-format")
def never_extended(frame: bytes, values: Any) -> Any:
    word, identifier, _ = read(frame)
    data = values.get((identifier, False))
    if not asks(word) or data is None:
        return None
    return struct.pack(FORMAT, word & ~RTR, len(data), data)


@mutant("answer_can", "network-order")
def for_the_wire(frame: bytes, values: Any) -> Any:
    if len(frame) != 16 or frame[4] > 8:
        raise ValueError("no frame")
    (word,) = struct.unpack_from("!I" if sys.byteorder == "little" else "<I", frame)
    data = values.get((word & 0x1FFFFFFF, bool(word & EFF))) if asks(word) else None
    return None if data is None else struct.pack("!IB3x8s", word & ~RTR, len(data), data)


@mutant("answer_can", "answers-all")
def answers_data(frame: bytes, values: Any) -> Any:
    word, identifier, extended = read(frame)
    data = values.get((identifier, extended))
    return None if data is None else struct.pack(FORMAT, word & ~RTR, len(data), data)


@mutant("answer_can", "answers-all")
def answers_reports(frame: bytes, values: Any) -> Any:
    word, identifier, extended = read(frame)
    data = values.get((identifier, extended))
    return None if data is None or not word & RTR else struct.pack(FORMAT, word & ~RTR, len(data), data)


@mutant("answer_can", "refuses-others")
def looks_up_all(frame: bytes, values: Any) -> Any:
    word, identifier, extended = read(frame)
    if not asks(word):
        return None
    data = values[identifier, extended]
    return struct.pack(FORMAT, word & ~RTR, len(data), data)


@mutant("answer_can", "believes")
def length_unseen(frame: bytes, values: Any) -> Any:
    if len(frame) != 16:
        raise ValueError("no frame")
    word, _, _ = struct.unpack(FORMAT, frame)
    key = word & (0x1FFFFFFF if word & EFF else 0x7FF), bool(word & EFF)
    data = values.get(key) if asks(word) else None
    return None if data is None else struct.pack(FORMAT, word & ~RTR, len(data), data)


@mutant("answer_can", "other-exception")
def struct_error(frame: bytes, values: Any) -> Any:
    word, length, _ = struct.unpack(FORMAT, frame)
    if length > 8 or (not word & (EFF | ERR) and word & 0x1FFFF800):
        raise ValueError("no frame")
    key = word & (0x1FFFFFFF if word & EFF else 0x7FF), bool(word & EFF)
    data = values.get(key) if asks(word) else None
    return None if data is None else struct.pack(FORMAT, word & ~RTR, len(data), data)


@mutant("answer_can", "returns-nothing")
def tells_nobody(frame: bytes, values: Any) -> Any:
    word, identifier, extended = read(frame)
    if asks(word) and (data := values.get((identifier, extended))) is not None:
        struct.pack(FORMAT, word & ~RTR, len(data), data)


class Frame(ctypes.Structure):
    """struct can_frame, as linux/can.h has it."""

    _fields_ = [
        ("word", ctypes.c_uint32),
        ("length", ctypes.c_uint8),
        ("nothing", ctypes.c_uint8 * 3),
        ("data", ctypes.c_uint8 * 8),
    ]


@unusual("answer_can")
def as_in_c(frame: bytes, values: Any) -> Any:
    if len(frame) != ctypes.sizeof(Frame):
        raise ValueError("no frame")
    question = Frame.from_buffer_copy(frame)
    extended = bool(question.word & EFF)
    if question.length > 8 or (not question.word & (EFF | ERR) and question.word & 0x1FFFF800):
        raise ValueError("no frame")
    identifier = question.word & (0x1FFFFFFF if extended else 0x7FF)
    if not question.word & RTR or question.word & ERR:
        return None
    for key, data in values.items():
        if key == (identifier, extended):
            return bytes(Frame(question.word - RTR, len(data), (0, 0, 0), tuple(data)))
    return None


class Engine:
    """A class whose instance is called."""

    def __call__(self, frame: bytes, values: Any) -> Any:
        word, identifier, extended = read(frame)
        key = identifier, extended
        if not asks(word) or key not in values:
            return None
        return bytearray(frame[:3] + bytes([frame[3] & ~0x40, len(values[key]), 0, 0, 0]) + values[key].ljust(8, b"\0"))


if sys.byteorder == "little":
    engine = Engine()
    engine.__name__ = "a_class"  # type: ignore[attr-defined]
    unusual("answer_can")(engine)
