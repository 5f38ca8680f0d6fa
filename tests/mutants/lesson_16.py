"""Lesson 16: a request that leaves in one piece, and a page whose parts leave together."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from itertools import chain

from mutants import mutant, unusual

TCP = socket.IPPROTO_TCP


def line_from(sock: socket.socket) -> bytes:
    """The reply: what the answers below have in common."""
    reply = b""
    while not reply.endswith(b"\n"):
        piece = sock.recv(100)
        if not piece:
            raise EOFError
        reply += piece
    return reply[:-1]


# -- call --------------------------------------------------------------------------------------------------------------


@mutant("call", "writes-apart")
def line_by_line(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    sock.sendall(name + b"\n")
    for argument in arguments:
        sock.sendall(argument + b"\n")
    sock.sendall(b"\n")
    return line_from(sock)


@mutant("call", "writes-apart")
def head_and_body(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    sock.sendall(name + b"\n")
    sock.sendall(b"".join(argument + b"\n" for argument in arguments) + b"\n")
    return line_from(sock)


@mutant("call", "writes-apart")
def a_file_without_a_buffer(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    with sock.makefile("wb", buffering=0) as file:
        file.writelines(line + b"\n" for line in (name, *arguments, b""))
    return line_from(sock)


@mutant("call", "nodelay")
def nodelay(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    sock.setsockopt(TCP, socket.TCP_NODELAY, 1)
    return line_by_line(sock, name, arguments)


@mutant("call", "left-corked")
def corked(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    sock.setsockopt(TCP, socket.TCP_CORK, 1)
    return line_by_line(sock, name, arguments)


@mutant("call", "sent-in-part")
def one_send(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    sock.send(b"".join(line + b"\n" for line in (name, *arguments, b"")))
    return line_from(sock)


@mutant("call", "sent-in-part")
def one_sendmsg(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    sock.sendmsg([line + b"\n" for line in (name, *arguments, b"")])
    return line_from(sock)


@mutant("call", "no-empty-line")
def without_the_end(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    sock.sendall(b"\n".join([name, *arguments, b""]))
    return line_from(sock)


@mutant("call", "one-recv")
def reads_once(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    sock.sendall(b"\n".join([name, *arguments, b"", b""]))
    return sock.recv(100).removesuffix(b"\n")


@mutant("call", "with-line-end")
def as_it_came(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    sock.sendall(b"\n".join([name, *arguments, b"", b""]))
    return line_from(sock) + b"\n"


@mutant("call", "end-as-reply")
def whatever_there_is(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    sock.sendall(b"\n".join([name, *arguments, b"", b""]))
    with sock.makefile("rb") as file:
        return file.readline().removesuffix(b"\n")


@mutant("call", "end-ignored")
def until_the_line_ends(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    sock.sendall(b"\n".join([name, *arguments, b"", b""]))
    reply = b""
    while not reply.endswith(b"\n"):
        reply += sock.recv(100)
    return reply[:-1]


@mutant("call", "str-for-bytes")
def as_text(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    sock.sendall("\n".join(line.decode() for line in (name, *arguments)) + "\n\n")  # type: ignore[arg-type]
    return line_from(sock)


@unusual("call")
def through_a_buffer(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    """A file gathers, a file reads the line."""
    with sock.makefile("rwb") as file:
        file.writelines(line + b"\n" for line in (name, *arguments, b""))
        file.flush()
        reply = file.readline()
    if not reply.endswith(b"\n"):
        raise EOFError("the server has gone")
    return reply[:-1]


@unusual("call")
def with_more_to_come(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    for line in (name, *arguments):
        sock.sendall(line + b"\n", getattr(socket, "MSG_MORE", 0))
    sock.sendall(b"\n")
    return line_from(sock)


@unusual("call")
def gathered_by_the_kernel(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    """sendmsg, again and again until nothing is left."""
    left = b"".join([name, b"\n", *chain.from_iterable((argument, b"\n") for argument in arguments), b"\n"])
    while left:
        left = left[sock.sendmsg([left[:10], left[10:]]) :]
    return line_from(sock)


# -- send_page ---------------------------------------------------------------------------------------------------------


@mutant("send_page", "each-alone")
def part_by_part(conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
    conn.sendall(head)
    for part in parts:
        conn.sendall(part)


@mutant("send_page", "page-nodelay")
def at_once(conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
    conn.setsockopt(TCP, socket.TCP_NODELAY, 1)
    part_by_part(conn, head, parts)


@mutant("send_page", "cork-left")
def puts_the_cork_in(conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
    conn.setsockopt(TCP, socket.TCP_CORK, 1)
    part_by_part(conn, head, parts)


@mutant("send_page", "cork-after-error")
def without_finally(conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
    conn.setsockopt(TCP, socket.TCP_CORK, 1)
    part_by_part(conn, head, parts)
    conn.setsockopt(TCP, socket.TCP_CORK, 0)


@mutant("send_page", "more-for-ever")
def always_more(conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
    for part in chain([head], parts):
        conn.sendall(part, socket.MSG_MORE)


@mutant("send_page", "error-swallowed")
def tidies_too_much(conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
    conn.setsockopt(TCP, socket.TCP_CORK, 1)
    with contextlib.suppress(Exception):
        part_by_part(conn, head, parts)
    conn.setsockopt(TCP, socket.TCP_CORK, 0)


@mutant("send_page", "lost-with-error")
def joined(conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
    conn.sendall(head + b"".join(parts))


@mutant("send_page", "keeps-all")
def kept(conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
    page = [head]
    try:
        page.extend(parts)
    finally:
        conn.sendall(b"".join(page))


@mutant("send_page", "closed")
def ends_the_conversation(conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
    with conn:
        conn.setsockopt(TCP, socket.TCP_CORK, 1)
        part_by_part(conn, head, parts)


@mutant("send_page", "str-for-bytes")
def a_letter_too_many(conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
    conn.sendall(head + b"".join(parts))
    conn.sendall("")  # type: ignore[arg-type]


@unusual("send_page")
def through_a_file(conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
    with conn.makefile("wb") as file:
        file.write(head)
        file.writelines(parts)


@unusual("send_page")
def looks_ahead(conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
    """Keeps one part, to know which is the last."""
    last = head
    try:
        for part in parts:
            conn.sendall(last, getattr(socket, "MSG_MORE", 0))
            last = part
    finally:
        conn.sendall(last)


@unusual("send_page")
class Corked(contextlib.ContextDecorator):
    """A class with a call, whose `with` takes the cork out."""

    def __init__(self, conn: socket.socket, head: bytes, parts: Iterable[bytes]) -> None:
        self.conn = conn
        with self:
            part_by_part(conn, head, parts)

    def __enter__(self) -> None:
        self.conn.setsockopt(TCP, socket.TCP_CORK, 1)

    def __exit__(self, *_: object) -> None:
        self.conn.setsockopt(TCP, socket.TCP_CORK, 0)


@unusual("call")
def with_asyncio(sock: socket.socket, name: bytes, arguments: list[bytes]) -> bytes:
    """The loop's own calls; they leave the options alone."""

    async def talk() -> bytes:
        loop, reply = asyncio.get_running_loop(), b""
        await loop.sock_sendall(sock, b"\n".join([name, *arguments, b"", b""]))
        while not reply.endswith(b"\n"):
            piece = await loop.sock_recv(sock, 100)
            if not piece:
                raise EOFError
            reply += piece
        return reply[:-1]

    before = sock.gettimeout()
    sock.setblocking(False)
    try:
        return asyncio.run(talk())
    finally:
        sock.settimeout(before)
