"""Lesson 04: a header packed, a header unpacked, text that arrives in pieces."""

from __future__ import annotations

import asyncio
import codecs
import ctypes
import functools
import socket
import struct
import sys
from typing import Any

from mutants import mutant, unusual

# -- pack_header -------------------------------------------------------------------------------------------------------


@mutant("pack_header", "padding")
def no_prefix(kind: int, size: int, number: int) -> Any:
    return struct.pack("BIH", kind, size, number)


@mutant("pack_header", "little-endian")
def smallest_first(kind: int, size: int, number: int) -> Any:
    return struct.pack("<BIH", kind, size, number)


@mutant("pack_header", "little-endian")
def one_by_one_little(kind: int, size: int, number: int) -> Any:
    return bytes([kind]) + size.to_bytes(4, "little") + number.to_bytes(2, "little")


@mutant("pack_header", "one-turned-around")
def turned_by_both(kind: int, size: int, number: int) -> Any:
    swapped = int.from_bytes(size.to_bytes(4, "little"), "big")  # htonl() of the usual machine
    return struct.pack("!BIH", kind, swapped, number)


@mutant("pack_header", "one-turned-around")
def one_order_forgotten(kind: int, size: int, number: int) -> Any:
    return struct.pack("!BI", kind, size) + struct.pack("<H", number)


@mutant("pack_header", "signed")
def small_letters(kind: int, size: int, number: int) -> Any:
    return struct.pack("!bih", kind, size, number)


@mutant("pack_header", "digits")
def as_digits(kind: int, size: int, number: int) -> Any:
    return f"{kind} {size} {number}".encode()


@mutant("pack_header", "returns-text")
def as_text(kind: int, size: int, number: int) -> Any:
    return f"{kind},{size},{number}"


@mutant("pack_header", "cut-silently")
def masked(kind: int, size: int, number: int) -> Any:
    return struct.pack("!BIH", kind & 0xFF, size & 0xFFFFFFFF, number & 0xFFFF)


@mutant("pack_header", "returns-nothing")
def packs_for_itself(kind: int, size: int, number: int) -> Any:
    struct.pack("!BIH", kind, size, number)


unusual("pack_header")(struct.Struct("!BIH").pack)


@unusual("pack_header")
def with_the_functions(kind: int, size: int, number: int) -> Any:
    """htonl() and htons() put the bytes right, then the machine's own order writes them down."""
    return struct.pack("=BIH", kind, socket.htonl(size), socket.htons(number))


class Header(ctypes.BigEndianStructure):
    """As one would write it in C."""

    _pack_ = 1
    _fields_ = [("kind", ctypes.c_uint8), ("size", ctypes.c_uint32), ("number", ctypes.c_uint16)]


@unusual("pack_header")
def with_a_structure(kind: int, size: int, number: int) -> Any:
    if (kind, size, number) != (kind & 0xFF, size & 0xFFFFFFFF, number & 0xFFFF):
        raise ValueError("a value does not fit")
    return bytes(Header(kind, size, number))


# -- unpack_header -----------------------------------------------------------------------------------------------------


@mutant("unpack_header", "native")
def expects_padding(data: bytes) -> Any:
    return struct.unpack("BIH", data)


@mutant("unpack_header", "little-endian")
def reads_smallest_first(data: bytes) -> Any:
    return struct.unpack("<BIH", data)


@mutant("unpack_header", "little-endian")
def forgets_the_last(data: bytes) -> Any:
    return data[0], int.from_bytes(data[1:5], "big"), int.from_bytes(data[5:], "little")


@mutant("unpack_header", "signed")
def reads_a_sign(data: bytes) -> Any:
    return struct.unpack("!bih", data)


@mutant("unpack_header", "believes-any-length")
def slices(data: bytes) -> Any:
    return data[0], int.from_bytes(data[1:5], "big"), int.from_bytes(data[5:7], "big")


@mutant("unpack_header", "believes-any-length")
def filled_up(data: bytes) -> Any:
    return struct.unpack("!BIH", data[:7].ljust(7, b"\0"))


@mutant("unpack_header", "other-exception")
def as_struct_has_it(data: bytes) -> Any:
    return struct.unpack("!BIH", data)


@mutant("unpack_header", "returns-bytes")
def only_cut(data: bytes) -> Any:
    return data[:1], data[1:5], data[5:]


@mutant("unpack_header", "returns-nothing")
def reads_for_itself(data: bytes) -> Any:
    struct.unpack("!BIH", data)


@unusual("unpack_header")
def through_the_functions(data: bytes) -> Any:
    if len(data) != 7:
        raise ValueError("a header has 7 bytes")
    size, number = (int.from_bytes(part, sys.byteorder) for part in (data[1:5], data[5:]))
    return [data[0], socket.ntohl(size), socket.ntohs(number)]


class HeaderError(ValueError):
    """An error of one's own is a ValueError as well."""


@unusual("unpack_header")
def with_an_error_of_its_own(data: bytes) -> Any:
    try:
        return struct.Struct("!BIH").unpack(data)
    except struct.error as error:
        raise HeaderError("no header") from error


# -- live_text ---------------------------------------------------------------------------------------------------------


@mutant("live_text", "decodes-chunks")
def each_by_itself(sock: socket.socket, show: Any) -> None:
    while data := sock.recv(1024):
        show(data.decode())


@mutant("live_text", "letters-lost")
def drops_errors(sock: socket.socket, show: Any) -> None:
    while data := sock.recv(1024):
        show(data.decode(errors="ignore"))


@mutant("live_text", "letters-lost")
def replaces_errors(sock: socket.socket, show: Any) -> None:
    while data := sock.recv(1024):
        show(data.decode(errors="replace"))


@mutant("live_text", "nothing-shown")
def goes_on_after_errors(sock: socket.socket, show: Any) -> None:
    while data := sock.recv(1024):
        try:
            show(data.decode())
        except UnicodeDecodeError:
            continue


@mutant("live_text", "another-alphabet")
def a_letter_per_byte(sock: socket.socket, show: Any) -> None:
    while data := sock.recv(1024):
        show(data.decode("latin-1"))


@mutant("live_text", "shows-bytes")
def as_it_comes(sock: socket.socket, show: Any) -> None:
    while data := sock.recv(1024):
        show(data)


@mutant("live_text", "waits-for-the-end")
def all_at_once(sock: socket.socket, show: Any) -> None:
    whole = b""
    while data := sock.recv(1024):
        whole += data
    show(whole.decode())


@mutant("live_text", "nothing-shown")
def gives_it_back(sock: socket.socket, show: Any) -> Any:
    whole = b""
    while data := sock.recv(1024):
        whole += data
    return whole.decode()


@mutant("live_text", "end-inside-ignored")
def never_final(sock: socket.socket, show: Any) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    while data := sock.recv(1024):
        show(decoder.decode(data))


@mutant("live_text", "end-ignored")
def never_ends(sock: socket.socket, show: Any) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    while True:
        show(decoder.decode(sock.recv(1024)))


@mutant("live_text", "str-for-bytes")
def says_thanks_in_letters(sock: socket.socket, show: Any) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    while data := sock.recv(1024):
        show(decoder.decode(data))
    sock.sendall("thank you")  # type: ignore[arg-type]


@unusual("live_text")
def tries_the_longest(sock: socket.socket, show: Any) -> None:
    """By hand: an incomplete letter is at most three bytes at the end."""
    rest = b""
    for data in iter(functools.partial(sock.recv, 7), b""):
        rest += data
        try:
            text = rest.decode()
            rest = b""
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                raise
            text, rest = rest[: error.start].decode(), rest[error.start :]
        show(text)
    rest.decode()


@unusual("live_text")
def with_makefile(sock: socket.socket, show: Any) -> None:
    """A file of text decodes in pieces, too: a letter at a time."""
    with sock.makefile("r", encoding="utf-8", newline="") as file:
        while letter := file.read(1):
            show(letter)


@unusual("live_text")
def with_asyncio(sock: socket.socket, show: Any) -> None:
    async def listen() -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        reader, writer = await asyncio.open_connection(sock=sock)
        while data := await reader.read(1024):
            show(decoder.decode(data))
        show(decoder.decode(b"", final=True))
        writer.close()
        await writer.wait_closed()

    asyncio.run(listen())
