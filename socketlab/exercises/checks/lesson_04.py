"""The exercises of lesson 04: a header into bytes and back, with any numbers; text whose letters arrive in pieces.

A codec is wrong in ways that a few friendly numbers do not show: 258 finds the order, 200 the sign, 70,000 the size.
So each scenario has numbers that were chosen for what they tell, and then some hundred that a seeded generator made:
the same ones on each run. Text is sent at the reader's pace (`dribble`), so that each recv finds the piece meant for
it.
"""

from __future__ import annotations

import random
import struct
from typing import Any

from ..attempt import Attempt, until
from ..definition import Exercise
from ..dribble import arrived, dribble, taken
from ..seen import Seen
from ..words import shown

LESSON = "04_bytes_on_the_wire"
FORMAT = "!BIH"  # kind, size, number: 1 + 4 + 2 bytes, in the order of the network
SIZE = struct.calcsize(FORMAT)
LIMITS = (0xFF, 0xFFFF_FFFF, 0xFFFF)
FUZZ = 150  # headers made up by the generator: a tenth of that has found each mutant

TOLD = [(7, 258, 9), (200, 3_000_000_000, 40_000), (0, 0, 0), LIMITS, (1, 70_000, 256)]

pack_header = Exercise(
    "pack_header",
    lesson=LESSON,
    wants="pack_header(kind, size, number)",
    task="Return the seven bytes of a header: `kind` in one byte, `size` in four, `number` in two, each in network "
    "order and without a sign; raise where a value does not fit.",
    hints=(
        "`struct.pack` takes a format with one letter for each value: the table above has the letters.",
        "The first character of the format says in which order, and whether there is padding: `!` is the network's.",
        "One byte, four bytes, two bytes, none of them with a sign: `B`, `I`, `H`.",
    ),
)

unpack_header = Exercise(
    "unpack_header",
    lesson=LESSON,
    wants="unpack_header(data)",
    task="Return `(kind, size, number)` of a header's seven bytes; raise ValueError where there are more or fewer.",
    hints=(
        "`struct.unpack` takes the same format as `struct.pack`, and returns a tuple.",
        "It raises `struct.error` for another number of bytes, and `struct.error` is no `ValueError`.",
        "Look at `len(data)` first, or catch `struct.error` and `raise ValueError(...) from error`.",
    ),
)

live_text = Exercise(
    "live_text",
    lesson=LESSON,
    wants="live_text(sock, show)",
    task="Receive UTF-8 until the end; call `show(text)` with what has become readable as soon as it has; raise "
    "UnicodeDecodeError where the bytes are not UTF-8, or end inside a letter.",
    hints=(
        "A piece may end in the middle of a letter: those bytes have to wait for the next piece.",
        "`codecs.getincrementaldecoder('utf-8')()` keeps them: `decode(piece)` returns what is complete.",
        "At the end ask `decode(b'', final=True)`: it raises where a letter is still incomplete.",
    ),
)


def random_headers(seed: int, count: int = FUZZ) -> list[tuple[int, int, int]]:
    """Headers of any size of number: uniform ones would nearly all be large."""
    draw = random.Random(seed)
    kinds, sizes, numbers = LIMITS
    return [
        (
            draw.randint(0, kinds),
            draw.randint(0, sizes) >> draw.randrange(32),
            draw.randint(0, numbers) >> draw.randrange(16),
        )
        for _ in range(count)
    ]


# -- pack_header -------------------------------------------------------------------------------------------------------


def packs(attempt: Attempt, header: tuple[int, int, int]) -> bytes:
    attempt.seen.facts["header"] = header
    result = attempt.call(*header)
    attempt.seen.facts["packed"] = result
    wanted = struct.pack(FORMAT, *header)
    attempt.want(isinstance(result, (bytes, bytearray)), f"{wanted!r} for {header}", f"{shown(result)}")
    attempt.want(bytes(result) == wanted, f"{wanted!r} for {header}", f"{bytes(result)!r}"[:120])
    return bytes(result)


@pack_header.scenario("headers that tell the mistakes apart")
def packs_told(attempt: Attempt) -> None:
    for header in TOLD:
        packs(attempt, header)


@pack_header.scenario("a header and its body over a connection")
def packs_for_a_peer(attempt: Attempt) -> None:
    sender, peer = attempt.connection()
    body = "café".encode()
    sender.sendall(packs(attempt, (1, len(body), 4)) + body)
    arrived(peer, SIZE + len(body))
    kind, size, number = struct.unpack(FORMAT, peer.recv(SIZE))
    attempt.equal((kind, peer.recv(size), number), (1, body, 4), "the peer reads")


@pack_header.scenario("150 headers, made up")
def packs_any(attempt: Attempt) -> None:
    for header in random_headers(4):
        packs(attempt, header)


@pack_header.scenario("values that do not fit")
def packs_too_much(attempt: Attempt) -> None:
    for header in ((256, 0, 0), (0, 2**32, 0), (0, 0, 2**16), (0, -1, 0)):
        attempt.seen.facts["header"] = header
        attempt.raises((struct.error, OverflowError, ValueError), *header)


def bytes_of(seen: Seen) -> bytes | None:
    packed = seen.facts.get("packed")
    return bytes(packed) if seen.returned and isinstance(packed, (bytes, bytearray)) else None


@pack_header.misconception("returns-text", advice="Pack numbers with struct.pack, which returns bytes.")
def pack_text(seen: Seen) -> str | None:
    if not isinstance(seen.result, str):
        return None
    return f"It returned a str, {shown(seen.result, 40)}: a socket takes no letters, and the peer waits for 7 bytes."


@pack_header.misconception("digits", advice="Pack the number itself: four bytes hold it, whatever it is.")
def pack_digits(seen: Seen) -> str | None:
    packed, header = bytes_of(seen), seen.facts.get("header", ())
    if packed is None or not any(value > 9 and str(value).encode() in packed for value in header):
        return None
    return "The number is there as digits, one byte for each: its length changes with its value, so no reader knows it."


@pack_header.misconception(
    "padding", advice="Begin the format with an exclamation mark: network order, standard sizes, no padding."
)
def pack_padding(seen: Seen) -> str | None:
    packed = bytes_of(seen)
    if packed is None or len(packed) != struct.calcsize("BIH"):
        return None
    return (
        f"It returned {len(packed)} bytes: without a prefix, struct puts three between kind and size, "
        "as a C compiler does, to begin the four at a multiple of four."
    )


@pack_header.misconception(
    "little-endian", advice="Begin the format with an exclamation mark: the largest part of a number goes first."
)
def pack_little(seen: Seen) -> str | None:
    packed, header = bytes_of(seen), seen.facts.get("header", (0, 0, 0))
    if packed is None or packed == struct.pack(FORMAT, *header) or packed != struct.pack("<BIH", *header):
        return None
    return f"The smallest part of each number goes first: the peer reads {header[1]:,} as {read_as(packed)[1]:,}."


@pack_header.misconception(
    "one-turned-around", advice="Take either htonl() with the machine's order, or the exclamation mark; not both."
)
def pack_turned(seen: Seen) -> str | None:
    packed, header = bytes_of(seen), seen.facts.get("header", (0, 0, 0))
    if packed is None or len(packed) != SIZE or packed == struct.pack(FORMAT, *header):
        return None
    size, number = header[1].to_bytes(4, "little"), header[2].to_bytes(2, "little")
    which = "size" if packed[1:5] == size != size[::-1] else "number" if packed[5:] == number != number[::-1] else ""
    if not which:
        return None
    return f"The bytes of {which} stand in reverse, and others do not: it was turned around twice, or forgotten."


@pack_header.misconception("signed", advice="Take the letters for numbers without a sign: the capital ones.")
def pack_signed(seen: Seen) -> str | None:
    header = seen.facts.get("header")
    if not seen.raised(struct.error, OverflowError) or header is None:
        return None
    if not any(limit // 2 < value <= limit for value, limit in zip(header, LIMITS, strict=True)):
        return None
    return (
        f"It refused {header}, which fits: half of the values are given to negative numbers, and no size is negative."
    )


@pack_header.misconception("cut-silently", advice="Let struct.pack raise: the peer cannot see that a value was cut.")
def pack_cut(seen: Seen) -> str | None:
    header = seen.facts.get("header", ())
    if not seen.returned or not seen.expected.startswith("it raises"):
        return None
    return f"It packed {header}, of which one value does not fit: the peer reads another number, and hears of no error."


def read_as(data: bytes) -> tuple[int, int, int]:
    kind, size, number = struct.unpack(FORMAT, data)
    return kind, size, number


# -- unpack_header -----------------------------------------------------------------------------------------------------


def unpacks(attempt: Attempt, header: tuple[int, int, int], data: bytes) -> None:
    attempt.seen.facts["header"], attempt.seen.facts["data"] = header, data
    result = attempt.call(data)
    attempt.seen.facts["unpacked"] = result
    as_tuple = tuple(result) if isinstance(result, (tuple, list)) else result
    attempt.want(as_tuple == header, f"{header} for {data!r}", shown(result))


@unpack_header.scenario("headers that tell the mistakes apart")
def unpacks_told(attempt: Attempt) -> None:
    for header in TOLD:
        unpacks(attempt, header, struct.pack(FORMAT, *header))


@unpack_header.scenario("a header that came over a connection")
def unpacks_from_a_peer(attempt: Attempt) -> None:
    receiver, peer = attempt.connection()
    peer.sendall(struct.pack(FORMAT, 2, 5, 300) + "café".encode())
    arrived(receiver, SIZE + 5)
    unpacks(attempt, (2, 5, 300), receiver.recv(SIZE))
    attempt.equal(receiver.recv(100), "café".encode(), "the body is")


@unpack_header.scenario("150 headers, made up")
def unpacks_any(attempt: Attempt) -> None:
    for header in random_headers(40):
        unpacks(attempt, header, struct.pack(FORMAT, *header))


@unpack_header.scenario("too few bytes, and too many")
def unpacks_no_header(attempt: Attempt) -> None:
    draw = random.Random(400)
    for length in (6, 8, 0, 1, 4, 10, 14, 100):
        attempt.seen.facts["length"] = length
        attempt.raises(ValueError, draw.randbytes(length))


@unpack_header.misconception("believes-any-length", advice="Ask for len(data) == 7 before you read anything.")
def unpack_believes(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected == "it raises ValueError"):
        return None
    length = seen.facts["length"]
    return (
        f"It was given {length} bytes and returned {shown(seen.result, 50)}: a slice of what is not there is no error."
    )


@unpack_header.misconception(
    "native", advice="Begin the format with an exclamation mark: without it the sizes are the C compiler's."
)
def unpack_native(seen: Seen) -> str | None:
    if not (seen.raised(struct.error) and "10 bytes" in str(seen.error)):
        return None
    return "struct wanted 10 bytes for a header of 7: without a prefix it expects padding between kind and size."


@unpack_header.misconception("other-exception", advice="Catch struct.error, and raise ValueError from it.")
def unpack_other(seen: Seen) -> str | None:
    if not (seen.error is not None and seen.expected == "it raises ValueError"):
        return None
    name = "struct.error" if isinstance(seen.error, struct.error) else type(seen.error).__name__
    return f"It raised {name}, which is no ValueError: who calls it would have to know how it is made inside."


@unpack_header.misconception("little-endian", advice='Read all of them in the order of the network, "big".')
def unpack_little(seen: Seen) -> str | None:
    data, came = seen.facts.get("data", b""), numbers(seen)
    if came is None or len(data) != SIZE or came == seen.facts.get("header"):
        return None
    little = struct.unpack("<BIH", data)
    if not any(a == b != c for a, b, c in zip(came, little, seen.facts["header"], strict=True)):
        return None
    meant = seen.facts["header"]
    return f"It read {came} where {meant} was meant: the smallest part first, which is not the network's order."


@unpack_header.misconception("signed", advice="Take the letters for numbers without a sign: the capital ones.")
def unpack_signed(seen: Seen) -> str | None:
    came = numbers(seen)
    if came is None or not any(value < 0 for value in came):
        return None
    return f"It read {came}: the first bit was taken for a sign, and no kind, size or number is negative."


@unpack_header.misconception("returns-bytes", advice="Return the numbers; struct.unpack makes them.")
def unpack_bytes(seen: Seen) -> str | None:
    if not (isinstance(seen.result, (tuple, list)) and any(isinstance(part, bytes) for part in seen.result)):
        return None
    return "It returned slices of the bytes: nobody has read them as numbers yet."


def numbers(seen: Seen) -> tuple[int, ...] | None:
    result = seen.facts.get("unpacked")
    if not (isinstance(result, (tuple, list)) and len(result) == 3 and all(isinstance(part, int) for part in result)):
        return None
    return tuple(result)


# -- live_text ---------------------------------------------------------------------------------------------------------


class Shown:
    """What the answer has shown so far; a scenario may wait for it."""

    def __init__(self, attempt: Attempt, sent: bytes) -> None:
        self.parts: list[Any] = []
        attempt.seen.facts["shown"], attempt.seen.facts["sent"] = self.parts, sent

    def __call__(self, text: Any) -> None:
        self.parts.append(text)

    @property
    def text(self) -> str:
        return "".join(part for part in self.parts if isinstance(part, str))


def hears(attempt: Attempt, pieces: list[bytes]) -> None:
    """`pieces` one at a time, then the end; all of it has to be shown."""
    whole = b"".join(pieces)
    sock, peer = attempt.connection()
    show = Shown(attempt, whole)

    def talk() -> None:
        try:
            for piece in pieces:
                dribble(peer, sock, piece, len(piece))
        except (OSError, TimeoutError):
            pass  # the answer has given up before; what it raised says more
        peer.close()

    attempt.beside(talk)
    attempt.call(sock, show)
    attempt.want(all(isinstance(part, str) for part in show.parts), f"it shows {whole.decode()!r}", came(show))
    attempt.want(show.text == whole.decode(), f"it shows {whole.decode()!r}", came(show))


def came(show: Shown) -> str:
    if not show.parts:
        return "it showed nothing"
    odd = [part for part in show.parts if not isinstance(part, str)]
    return f"it showed {shown(odd[0] if odd else show.text)}"


@live_text.scenario("one letter of two bytes, cut between them")
def cut_letter(attempt: Attempt) -> None:
    hears(attempt, [b"caf\xc3", b"\xa9"])


@live_text.scenario("letters of one to four bytes, a byte at a time")
def byte_by_byte(attempt: Attempt) -> None:
    text = "Zoë pays 5 € for café 😀."
    hears(attempt, [bytes([byte]) for byte in text.encode()])


@live_text.scenario("the peer waits until its first word is shown")
def at_once(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    show = Shown(attempt, "café?".encode())

    def talk() -> None:
        peer.sendall(b"caf\xc3")
        attempt.seen.facts["in time"] = until(lambda: show.text == "caf" or attempt.seen.error is not None, 1.0)
        peer.sendall(b"\xa9?")
        peer.close()

    attempt.beside(talk)
    attempt.call(sock, show)
    attempt.want(attempt.seen.facts.get("in time"), "it shows 'caf' before more is sent", "it waited for more")
    attempt.equal(show.text, "café?", "it shows")


@live_text.scenario("the peer closes inside a letter")
def ends_inside(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    show = Shown(attempt, b"caf\xc3")
    peer.sendall(b"caf\xc3")
    attempt.beside(ends, peer, sock)
    attempt.raises(UnicodeDecodeError, sock, show)


@live_text.scenario("bytes that are no UTF-8")
def no_utf_8(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    peer.sendall(b"caf\xe9 au lait")  # café in Latin-1
    attempt.beside(ends, peer, sock)
    attempt.raises(UnicodeDecodeError, sock, Shown(attempt, b"caf\xe9 au lait"))


def ends(peer: Any, sock: Any) -> None:
    try:
        taken(sock)
    except (OSError, TimeoutError):
        pass  # it did not read all of it
    peer.close()


@live_text.misconception("shows-bytes", advice="Decode first; show() wants a str.")
def text_bytes(seen: Seen) -> str | None:
    odd = [part for part in seen.facts.get("shown", ()) if not isinstance(part, str)]
    return f"It called show({shown(odd[0], 30)}): those are bytes, which nobody has decoded." if odd else None


@live_text.misconception(
    "decodes-chunks", advice="Keep what is incomplete for the next piece: an incremental decoder does."
)
def text_chunks(seen: Seen) -> str | None:
    if not seen.raised(UnicodeDecodeError) or seen.expected.startswith("it raises"):
        return None
    sizes = [event.size for event in seen.made("recv") if event.size]
    got = "recv() returned" if not sizes else f"recv() returned {sizes[-1]} byte{'s' * (sizes[-1] != 1)}"
    return f"{got}, and a letter was cut: a recv ends where the bytes ended that had arrived, and knows no letters."


@live_text.misconception("letters-lost", advice="Leave errors= alone, and keep incomplete bytes for the next piece.")
def text_lost(seen: Seen) -> str | None:
    parts, sent = seen.facts.get("shown", ()), seen.facts.get("sent", b"")
    text = "".join(part for part in parts if isinstance(part, str))
    letters = sent.decode(errors="ignore")
    if (
        not seen.returned
        or "Ã" in text
        or not ("\ufffd" in text or (text and is_part(text, letters) and text != letters))
    ):
        return None
    half = "half a letter was decoded by itself, and what could not be read was replaced or dropped"
    return f"It showed {shown(text, 40)}: {half}."


def is_part(text: str, whole: str) -> bool:
    """Whether `text` is `whole` with some letters left out."""
    letters = iter(whole)
    return all(letter in letters for letter in text)


@live_text.misconception("another-alphabet", advice="Decode with the encoding of the sender, UTF-8: name it.")
def text_latin(seen: Seen) -> str | None:
    parts, sent = seen.facts.get("shown", ()), seen.facts.get("sent", b"")
    text = "".join(part for part in parts if isinstance(part, str))
    if not text or text.isascii() or text != sent.decode("latin-1"):
        return None
    return (
        f"It showed {shown(text, 40)}: a letter for each byte, as in Latin-1, which accepts all bytes and raises never."
    )


@live_text.misconception("nothing-shown", advice="Call show(text) inside the loop, and let errors go to the caller.")
def text_nothing(seen: Seen) -> str | None:
    if seen.facts.get("shown") or not seen.returned or not seen.received or seen.expected.startswith("it raises"):
        return None
    if isinstance(seen.result, str):
        return "It returned the text and never called show(): who reads along has seen nothing."
    return f"It received {seen.received} bytes and never called show(): was an error caught on the way, and forgotten?"


@live_text.misconception(
    "waits-for-the-end", advice="Show what is complete after each recv; only the rest has to wait."
)
def text_waits(seen: Seen) -> str | None:
    if seen.facts.get("in time") is not False:
        return None
    return "Three letters had arrived, and nothing was shown before the end came: in a chat, it would never come."


@live_text.misconception("end-inside-ignored", advice="At the end, tell the decoder: decode(b'', final=True).")
def text_end(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected == "it raises UnicodeDecodeError"):
        return None
    if "inside" in seen.scenario:
        return (
            "The peer closed inside a letter, and it returned as if all was well: the last bytes are lost, unnoticed."
        )
    return "It was sent bytes that are no UTF-8, and returned as if all was well."
