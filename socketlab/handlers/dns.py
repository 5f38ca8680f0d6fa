"""`names`: a name server in one function; it answers questions about the names in a dict, and knows no others.

A question and its answer have the same form (RFC 1035, section 4): a header of twelve bytes, the question, and the
records of the answer. The header is six numbers of two bytes: an id, flags, and how many questions, answers and other
records follow. A name is written as *labels*, the words between the dots, each after a byte that says how long it is,
and a zero at the end (3.1). Two bytes that begin with the bits 11 are no length: they say at which byte of the message
the rest of the name stands already (4.1.4).

Answered are records A (an IPv4 address, type 1), CNAME (another name for it, 5) and AAAA (IPv6, 28; RFC 3596); a CNAME
is followed as far as the dict goes. The last four bits of the flags say how it went (RCODE): 0 also where the name is
known and has no record of this type; 3, NXDOMAIN, where there is no such name, and none below it (RFC 8020). An answer
that has no room in 512 bytes comes without its records, and says so with the bit TC (4.2.1).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Mapping

from .classic import DatagramHandler, Peer

A, CNAME, AAAA, ANY = 1, 5, 28, 255  # RFC 1035, 3.2.2 and 3.2.3; RFC 3596, 2.1
IN = 1  # the class "internet": the only one in use
FORMERR, NXDOMAIN, NOTIMP, REFUSED = 1, 3, 4, 5  # RFC 1035, 4.1.1
QR, OPCODE, AA, TC, RD = 0x8000, 0x7800, 0x0400, 0x0200, 0x0100
HEADER = struct.Struct("!6H")
LABEL, NAME, MESSAGE = 63, 255, 512  # bytes that fit at most (2.3.4)
QUESTION = struct.pack("!H", 0xC000 | HEADER.size)  # a pointer to the name in the question
ALIASES = 8  # CNAMEs that are followed: two of them may point at each other

Labels = tuple[bytes, ...]
Record = tuple[int, bytes]  # type and data; of a CNAME the name


def names(table: Mapping[str, str | Iterable[str]], *, ttl: int = 60) -> DatagramHandler:
    """A handler for `udp_server` that answers for the names in `table`, and for `ttl` seconds, it says.

    A value is an address, or several, or another name: ``{"www.lab": ["192.0.2.1", "2001:db8::1"], "web.lab":
    "www.lab"}``. Capital and small letters are the same. Raises ValueError for what is neither an address nor a name,
    and for a name that stands beside addresses (RFC 1034, 3.6.2).
    """
    if not 0 <= ttl < 2**31:  # RFC 2181, section 8
        raise ValueError(f"ttl wanted seconds from 0 to 2147483647, but got {ttl!r}")
    records: dict[Labels, list[Record]] = {}
    for name, values in table.items():
        found = [record(value) for value in ([values] if isinstance(values, str) else values)]
        if len(found) > 1 and any(kind == CNAME for kind, _ in found):
            raise ValueError(f"{name!r} wanted addresses, or one other name alone, but got {list(values)!r}")
        records[labels(name)] = found
    above = {name[i:] for name in records for i in range(len(name))}

    def answer(data: bytes, peer: Peer) -> bytes | None:
        if len(data) < HEADER.size:
            return None  # not even an id to answer to
        number, flags, questions, *_ = HEADER.unpack_from(data)
        if flags & QR:
            return None  # an answer; answering it might go on for ever
        kept = QR | flags & (OPCODE | RD)
        if flags & OPCODE:
            return HEADER.pack(number, kept | NOTIMP, 0, 0, 0, 0)
        try:
            if questions != 1:
                raise ValueError("there is one question in a query")
            name, end = read_labels(data, HEADER.size)
            kind, net = struct.unpack_from("!HH", data, end)
        except (ValueError, struct.error):
            return HEADER.pack(number, kept | FORMERR, 0, 0, 0, 0)
        asked = data[HEADER.size : end + 4]  # sent back as it came, to the letter
        if net not in (IN, ANY):
            return HEADER.pack(number, kept | REFUSED, 1, 0, 0, 0) + asked
        code = 0 if name in above or not name else NXDOMAIN
        count, body = written(records, name, kind, HEADER.size + len(asked), ttl)
        if HEADER.size + len(asked) + len(body) > MESSAGE:
            return HEADER.pack(number, kept | AA | TC, 1, 0, 0, 0) + asked
        return HEADER.pack(number, kept | AA | code, 1, count, 0, 0) + asked + body

    answer.__name__ = answer.__qualname__ = "names"
    return answer


def written(records: dict[Labels, list[Record]], name: Labels, kind: int, start: int, ttl: int) -> tuple[int, bytes]:
    """How many records answer the question, and their bytes, which begin at byte `start` of the message."""
    body, count, owner = b"", 0, QUESTION
    for _ in range(ALIASES):
        alias: tuple[bytes, Labels] | None = None
        for its_kind, data in records.get(name, ()):
            if its_kind not in (kind, CNAME) and kind != ANY:
                continue
            body += owner + struct.pack("!HHIH", its_kind, IN, ttl, len(data))
            if its_kind == CNAME and kind not in (CNAME, ANY):
                alias = struct.pack("!H", 0xC000 | start + len(body)), read_labels(data, 0)[0]
            body += data
            count += 1
        if alias is None:
            break
        owner, name = alias
    return count, body


def record(value: str) -> Record:
    """Type and data of a record for an address, or for another name."""
    for kind, family in ((A, socket.AF_INET), (AAAA, socket.AF_INET6)):
        try:
            return kind, socket.inet_pton(family, value)
        except (OSError, ValueError):
            pass  # not of this family; ValueError: a zero byte in the text
    parts = labels(value)
    if parts and parts[-1].isdigit():  # no top-level domain is a number, so this was meant to be an address
        raise ValueError(f"{value!r} is neither an address nor a name")
    return CNAME, b"".join(bytes([len(label)]) + label for label in parts) + b"\0"


def labels(name: str) -> Labels:
    """The words between the dots, in small letters. Raises ValueError where they do not fit into a message."""
    parts = tuple(name.lower().removesuffix(".").encode("ascii").split(b".")) if name != "." else ()
    if not all(0 < len(part) <= LABEL for part in parts):
        raise ValueError(f"a name wanted labels of 1 to {LABEL} bytes between its dots, but got {name!r}")
    if sum(1 + len(part) for part in parts) + 1 > NAME:
        raise ValueError(f"a name wanted at most {NAME} bytes, but got {name!r}")
    return parts


def read_labels(data: bytes, place: int) -> tuple[Labels, int]:
    """The name at byte `place` of a question, in small letters, and where it ends. Raises ValueError for no name."""
    found: list[bytes] = []
    start = place
    while place < len(data) and place - start < NAME:
        size = data[place]
        if size == 0:
            return tuple(found), place + 1
        if size > LABEL:
            raise ValueError("a question has nothing before it to point at")
        found.append(data[place + 1 : place + 1 + size].lower())
        place += 1 + size
    raise ValueError("a name without its end")
