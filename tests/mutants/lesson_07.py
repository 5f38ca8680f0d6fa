"""Lesson 07: exactly so many bytes, line by line, frames with a length in front."""

from __future__ import annotations

import asyncio
import io
import socket
import struct
from collections.abc import Iterator
from typing import Any

from mutants import mutant, unusual

# -- recv_exactly ------------------------------------------------------------------------------------------------------


@mutant("recv_exactly", "one-recv")
def just_once(sock: socket.socket, size: int) -> Any:
    return sock.recv(size)


@mutant("recv_exactly", "one-recv")
def once_into(sock: socket.socket, size: int) -> Any:
    buffer = bytearray(size)
    return bytes(buffer[: sock.recv_into(buffer)])


@mutant("recv_exactly", "waitall-alone")
def lets_the_kernel_wait(sock: socket.socket, size: int) -> Any:
    return sock.recv(size, socket.MSG_WAITALL)


@mutant("recv_exactly", "takes-the-next")
def asks_for_all_again(sock: socket.socket, size: int) -> Any:
    data = b""
    while len(data) < size:
        data += sock.recv(size)
    return data


@mutant("recv_exactly", "takes-the-next")
def cuts_the_rest_off(sock: socket.socket, size: int) -> Any:
    data = b""
    while len(data) < size:
        piece = sock.recv(4096)
        if not piece:
            raise EOFError(f"wanted {size} bytes but only {len(data)} came before the peer closed")
        data += piece
    return data[:size]


@mutant("recv_exactly", "takes-the-next")
def through_a_file(sock: socket.socket, size: int) -> Any:
    with sock.makefile("rb") as file:
        return file.read(size)


@mutant("recv_exactly", "asks-beyond")
def until_the_end(sock: socket.socket, size: int) -> Any:
    data = b""
    while piece := sock.recv(1024):
        data += piece
    return data


@mutant("recv_exactly", "end-ignored")
def asks_for_ever(sock: socket.socket, size: int) -> Any:
    data = b""
    while len(data) < size:
        data += sock.recv(size - len(data))
    return data


@mutant("recv_exactly", "nothing-is-no-end")
def asks_first(sock: socket.socket, size: int) -> Any:
    data = b""
    while True:
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError(f"wanted {size} bytes but only {len(data)} came before the peer closed")
        data += piece
        if len(data) == size:
            return data


@mutant("recv_exactly", "short-at-the-end")
def takes_what_came(sock: socket.socket, size: int) -> Any:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            break
        data += piece
    return data


@mutant("recv_exactly", "short-at-the-end")
def without_a_buffer(sock: socket.socket, size: int) -> Any:
    with sock.makefile("rb", buffering=1) as file:
        return file.read(size)


@mutant("recv_exactly", "another-exception")
def raises_another(sock: socket.socket, size: int) -> Any:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError(f"wanted {size} bytes but only {len(data)} came before the peer closed")
        data += piece
    return data


@mutant("recv_exactly", "says-too-little")
def says_nothing(sock: socket.socket, size: int) -> Any:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError("connection closed")
        data += piece
    return data


@mutant("recv_exactly", "says-too-little")
def says_nothing_at_all(sock: socket.socket, size: int) -> Any:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


@mutant("recv_exactly", "str-for-bytes")
def returns_letters(sock: socket.socket, size: int) -> Any:
    text = ""
    while len(text) < size:
        text += sock.recv(size - len(text)).decode()
    return text


@unusual("recv_exactly")
def into_a_window(sock: socket.socket, size: int) -> Any:
    """No byte is copied twice, and what is returned is a bytearray."""
    buffer = bytearray(size)
    window = memoryview(buffer)
    while window:
        count = sock.recv_into(window)
        if not count:
            raise EOFError(f"wanted {size} bytes but only {size - len(window)} came before the peer closed")
        window = window[count:]
    return buffer


@unusual("recv_exactly")
def waitall_in_a_loop(sock: socket.socket, size: int) -> Any:
    data = b""
    while missing := size - len(data):
        data += (piece := sock.recv(missing, socket.MSG_WAITALL))
        if not piece:
            raise EOFError(f"wanted {size} bytes but only {len(data)} came before the peer closed")
    return data


class Short(EOFError):
    """An error of one's own is an EOFError as well."""


@unusual("recv_exactly")
def with_a_raw_file(sock: socket.socket, size: int) -> Any:
    """A SocketIO reads nothing ahead."""
    whole = io.BytesIO()
    with sock.makefile("rb", buffering=0) as raw:
        while size - whole.tell() and (piece := raw.read(size - whole.tell())):
            whole.write(piece)
    if whole.tell() < size:
        raise Short(f"{whole.tell()} of {size} bytes, then the end")
    return whole.getvalue()


# -- read_lines --------------------------------------------------------------------------------------------------------


@mutant("read_lines", "one-recv-one-line")
def a_piece_a_line(sock: socket.socket, limit: int) -> Iterator[Any]:
    while piece := sock.recv(1024):
        yield piece


@mutant("read_lines", "one-recv-one-line")
def a_piece_without_its_end(sock: socket.socket, limit: int) -> Iterator[Any]:
    while piece := sock.recv(1024):
        yield piece.rstrip(b"\n")


@mutant("read_lines", "line-end-kept")
def with_the_end(sock: socket.socket, limit: int) -> Iterator[Any]:
    with sock.makefile("rb") as file:
        yield from file


@mutant("read_lines", "cuts-elsewhere")
def with_splitlines(sock: socket.socket, limit: int) -> Iterator[Any]:
    kept = b""
    while piece := sock.recv(1024):
        *whole, kept = (kept + piece + b"|").splitlines()
        kept = kept[:-1]
        yield from whole


@mutant("read_lines", "empty-line-lost")
def leaves_out_empty_ones(sock: socket.socket, limit: int) -> Iterator[Any]:
    kept = b""
    while piece := sock.recv(1024):
        *whole, kept = (kept + piece).split(b"\n")
        yield from filter(None, whole)


@mutant("read_lines", "empty-line-lost")
def ends_at_an_empty_one(sock: socket.socket, limit: int) -> Iterator[Any]:
    with sock.makefile("rb") as file:
        while line := file.readline().rstrip(b"\n"):
            yield line


@mutant("read_lines", "rest-dropped")
def forgets_the_rest(sock: socket.socket, limit: int) -> Iterator[Any]:
    kept = b""
    while piece := sock.recv(1024):
        kept += piece
        if b"\n" in kept:
            yield kept.split(b"\n")[0]
            kept = b""


@mutant("read_lines", "rest-dropped")
def a_file_for_each_line(sock: socket.socket, limit: int) -> Iterator[Any]:
    while True:
        with sock.makefile("rb") as file:
            line = file.readline()
        if not line:
            return
        yield line[:-1]


@mutant("read_lines", "waits-for-the-end")
def all_of_it_first(sock: socket.socket, limit: int) -> Any:
    whole = b""
    while piece := sock.recv(1024):
        whole += piece
    return whole.split(b"\n")[:-1]


@mutant("read_lines", "waits-for-the-end")
def in_blocks(sock: socket.socket, limit: int) -> Iterator[Any]:
    with sock.makefile("rb") as file:
        kept = b""
        while piece := file.read(64):
            *whole, kept = (kept + piece).split(b"\n")
            yield from whole


@mutant("read_lines", "half-a-line")
def loses_half(sock: socket.socket, limit: int) -> Iterator[Any]:
    kept = b""
    while piece := sock.recv(1024):
        *whole, kept = (kept + piece).split(b"\n")
        yield from whole


@mutant("read_lines", "half-a-line")
def yields_half(sock: socket.socket, limit: int) -> Iterator[Any]:
    with sock.makefile("rb") as file:
        for line in file:
            yield line.rstrip(b"\n")


def kept_lines(sock: socket.socket, limit: int, before: Any, after: Any) -> Iterator[Any]:
    """A right loop, but for the limit."""
    kept = b""
    while piece := sock.recv(1024):
        kept += piece
        before(kept)
        while b"\n" in kept:
            line, kept = kept.split(b"\n", 1)
            after(line)
            yield line
    if kept:
        raise EOFError("the end inside a line")


def nothing(data: bytes) -> None:
    pass


def refuse_above(limit: int) -> Any:
    def check(data: bytes) -> None:
        if len(data) > limit:
            raise ValueError("too long")

    return check


@mutant("read_lines", "limit-on-the-piece")
def limits_what_came(sock: socket.socket, limit: int) -> Any:
    return kept_lines(sock, limit, refuse_above(limit), nothing)


@mutant("read_lines", "limit-off-by-one")
def limits_too_early(sock: socket.socket, limit: int) -> Any:
    return kept_lines(sock, limit, nothing, refuse_above(limit - 1))


@mutant("read_lines", "limit-too-late")
def limits_whole_lines(sock: socket.socket, limit: int) -> Any:
    return kept_lines(sock, limit, nothing, refuse_above(limit))


@mutant("read_lines", "no-limit")
def limits_nothing(sock: socket.socket, limit: int) -> Any:
    return kept_lines(sock, limit, nothing, nothing)


@mutant("read_lines", "no-limit")
def cuts_at_the_limit(sock: socket.socket, limit: int) -> Iterator[Any]:
    with sock.makefile("rb") as file:
        while line := file.readline(limit + 1):
            if len(line) <= limit and not line.endswith(b"\n"):
                raise EOFError("the end inside a line")
            yield line[:limit].rstrip(b"\n")


@mutant("read_lines", "str-for-bytes")
def lines_of_letters(sock: socket.socket, limit: int) -> Iterator[Any]:
    with sock.makefile("r", encoding="utf-8") as file:
        for line in file:
            yield line[:-1]


@mutant("read_lines", "returns-nothing")
def keeps_them(sock: socket.socket, limit: int) -> Any:
    list(kept_lines(sock, limit, nothing, nothing))


@unusual("read_lines")
def with_readline(sock: socket.socket, limit: int) -> Iterator[Any]:
    with sock.makefile("rb") as file:
        while line := file.readline(limit + 1):
            if not line.endswith(b"\n"):
                raise ValueError("too long") if len(line) > limit else EOFError("the end inside a line")
            yield line[:-1]


@unusual("read_lines")
class ByteByByte:
    """An iterator instead of a generator, and one byte at a time."""

    def __init__(self, sock: socket.socket, limit: int) -> None:
        self.sock, self.limit = sock, limit

    def __iter__(self) -> ByteByByte:
        return self

    def __next__(self) -> bytearray:
        line = bytearray()
        while byte := self.sock.recv(1):
            if byte == b"\n":
                return line
            line += byte
            if len(line) > self.limit:
                raise ValueError("too long")
        if line:
            raise EOFError("the end inside a line")
        raise StopIteration


# -- recv_frame --------------------------------------------------------------------------------------------------------


def exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError(f"wanted {size} bytes but only {len(data)} came")
        data += piece
    return data


def length_of(sock: socket.socket, letter: str = "!I") -> int | None:
    first = sock.recv(4)
    if not first:
        return None
    length: int = struct.unpack(letter, first + exactly(sock, 4 - len(first)))[0]
    return length


@mutant("recv_frame", "one-recv")
def two_recvs(sock: socket.socket, limit: int) -> Any:
    header = sock.recv(4)
    if not header:
        return None
    (length,) = struct.unpack("!I", header)
    if length > limit:
        raise ValueError("too long")
    return sock.recv(length)


@mutant("recv_frame", "one-recv")
def number_of_what_came(sock: socket.socket, limit: int) -> Any:
    header = sock.recv(4)
    return sock.recv(int.from_bytes(header, "big")) if header else None


@mutant("recv_frame", "one-recv")
def body_at_once(sock: socket.socket, limit: int) -> Any:
    length = length_of(sock)
    if length is None or length > limit:
        return None
    return sock.recv(length)


@mutant("recv_frame", "little-endian")
def smallest_first(sock: socket.socket, limit: int) -> Any:
    length = length_of(sock, "<I")
    if length is None:
        return None
    if length > limit:
        raise ValueError("too long")
    return exactly(sock, length)


@mutant("recv_frame", "little-endian")
def smallest_first_without_limit(sock: socket.socket, limit: int) -> Any:
    length = length_of(sock, "<I")
    return None if length is None else exactly(sock, length)


@mutant("recv_frame", "takes-the-next")
def reads_much(sock: socket.socket, limit: int) -> Any:
    data = sock.recv(4096)
    if not data:
        return None
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
        data += sock.recv(4096)
    return data[4 : 4 + int.from_bytes(data[:4], "big")]


@mutant("recv_frame", "takes-the-next")
def through_a_file_each_time(sock: socket.socket, limit: int) -> Any:
    with sock.makefile("rb") as file:
        header = file.read(4)
        return file.read(int.from_bytes(header, "big")) if header else None


@mutant("recv_frame", "empty-is-no-end")
def empty_is_none(sock: socket.socket, limit: int) -> Any:
    length = length_of(sock)
    return exactly(sock, length) if length else None


@mutant("recv_frame", "empty-is-no-end")
def empty_is_an_error(sock: socket.socket, limit: int) -> Any:
    length = length_of(sock)
    if length is None:
        return None
    data = sock.recv(length)
    if not data:
        raise EOFError("the end inside a frame")
    return data + exactly(sock, length - len(data))


@mutant("recv_frame", "the-good-end")
def every_end_is_an_error(sock: socket.socket, limit: int) -> Any:
    (length,) = struct.unpack("!I", exactly(sock, 4))
    return exactly(sock, length)


@mutant("recv_frame", "the-good-end")
def the_end_is_empty(sock: socket.socket, limit: int) -> Any:
    length = length_of(sock)
    return b"" if length is None else exactly(sock, length)


@mutant("recv_frame", "half-is-no-frame")
def every_end_is_good(sock: socket.socket, limit: int) -> Any:
    try:
        (length,) = struct.unpack("!I", exactly(sock, 4))
        return exactly(sock, length)
    except EOFError:
        return None


@mutant("recv_frame", "half-is-no-frame")
def unpacks_half(sock: socket.socket, limit: int) -> Any:
    header = sock.recv(4, socket.MSG_WAITALL)
    if not header:
        return None
    (length,) = struct.unpack("!I", header)
    return exactly(sock, length)


@mutant("recv_frame", "half-is-no-frame")
def half_a_body(sock: socket.socket, limit: int) -> Any:
    length = length_of(sock)
    return None if length is None else sock.recv(length, socket.MSG_WAITALL)


@mutant("recv_frame", "refuses-the-limit")
def refuses_one_less(sock: socket.socket, limit: int) -> Any:
    length = length_of(sock)
    if length is None:
        return None
    if length >= limit:
        raise ValueError("too long")
    return exactly(sock, length)


@mutant("recv_frame", "signed")
def with_a_sign(sock: socket.socket, limit: int) -> Any:
    length = length_of(sock, "!i")
    if length is None:
        return None
    if length > limit:
        raise ValueError("too long")
    return exactly(sock, length)


@mutant("recv_frame", "believes-the-length")
def no_limit(sock: socket.socket, limit: int) -> Any:
    length = length_of(sock)
    return None if length is None else exactly(sock, length)


@mutant("recv_frame", "believes-the-length")
def refuses_the_million(sock: socket.socket, limit: int) -> Any:
    """It knows a limit of its own, and makes room before it looks."""
    length = length_of(sock)
    if length is None:
        return None
    buffer = bytearray(length)
    if length == limit + 1:
        raise ValueError("too long")
    buffer[:] = exactly(sock, length)
    return bytes(buffer)


@mutant("recv_frame", "reads-before-it-refuses")
def refuses_afterwards(sock: socket.socket, limit: int) -> Any:
    length = length_of(sock)
    if length is None:
        return None
    body = exactly(sock, length)
    if length > limit:
        raise ValueError("too long")
    return body


@mutant("recv_frame", "returns-nothing")
def forgets_to_return(sock: socket.socket, limit: int) -> None:
    length = length_of(sock)
    exactly(sock, length or 0)


@unusual("recv_frame")
def without_reading_ahead(sock: socket.socket, limit: int) -> Any:
    """A peek tells the end; MSG_WAITALL reads, and its length is looked at."""
    if not sock.recv(1, socket.MSG_PEEK):
        return None
    header = sock.recv(4, socket.MSG_WAITALL)
    if len(header) < 4:
        raise EOFError("the end inside the length")
    if (length := int.from_bytes(header, "big")) > limit:
        raise ValueError(f"{length:,} bytes announced, {limit:,} allowed")
    body = sock.recv(length, socket.MSG_WAITALL)
    if len(body) < length:
        raise EOFError("the end inside the body")
    return body


@unusual("recv_frame")
def with_asyncio(sock: socket.socket, limit: int) -> Any:
    """A loop's own calls, so that nothing is read ahead."""

    async def exactly(loop: asyncio.AbstractEventLoop, size: int) -> bytearray:
        data = bytearray()
        while len(data) < size:
            piece = await loop.sock_recv(sock, size - len(data))
            if not piece:
                raise asyncio.IncompleteReadError(bytes(data), size)  # an EOFError
            data += piece
        return data

    async def read() -> Any:
        loop = asyncio.get_running_loop()
        try:
            header = await exactly(loop, 4)
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return None
        if (length := int.from_bytes(header, "big")) > limit:
            raise ValueError("too long")
        return await exactly(loop, length)

    sock.setblocking(False)
    return asyncio.run(read())
