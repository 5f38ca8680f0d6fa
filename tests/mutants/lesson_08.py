"""Lesson 08: a sum after a half-close, the end told from a reset, a close that loses nothing."""

from __future__ import annotations

import asyncio
import functools
import selectors
import socket
import struct
from contextlib import closing, suppress
from typing import Any

from mutants import mutant, unusual

# -- answer_sum --------------------------------------------------------------------------------------------------------


@mutant("answer_sum", "answers-early")
def one_recv(conn: socket.socket) -> None:
    data = conn.recv(1024)
    conn.sendall(str(sum(map(int, data.split()))).encode())


@mutant("answer_sum", "answers-early")
def running_total(conn: socket.socket) -> None:
    total = 0
    while data := conn.recv(1024):
        total += sum(map(int, data.split()))
        conn.sendall(str(total).encode())


@mutant("answer_sum", "end-without-answer")
def gone_when_empty(conn: socket.socket) -> None:
    data = b""
    while True:
        piece = conn.recv(1024)
        if not piece:
            return  # "the client is gone"
        data += piece


@mutant("answer_sum", "shut-before-answer")
def ends_itself_first(conn: socket.socket) -> None:
    data = b""
    while piece := conn.recv(1024):
        data += piece
    conn.shutdown(socket.SHUT_RDWR)
    conn.sendall(str(sum(map(int, data.split()))).encode())


@mutant("answer_sum", "cut-number")
def adds_each_piece(conn: socket.socket) -> None:
    total = 0
    while data := conn.recv(1024):
        total += sum(map(int, data.split()))
    conn.sendall(str(total).encode())


@mutant("answer_sum", "nothing-to-add")
def lines_without_the_last(conn: socket.socket) -> None:
    data = b""
    while piece := conn.recv(1024):
        data += piece
    conn.sendall(str(sum(map(int, data.removesuffix(b"\n").split(b"\n")))).encode())


@mutant("answer_sum", "empty-piece")
def lines_with_the_last(conn: socket.socket) -> None:
    data = b""
    while piece := conn.recv(1024):
        data += piece
    conn.sendall(str(sum(map(int, data.split(b"\n")))).encode())


@mutant("answer_sum", "not-as-text")
def as_four_bytes(conn: socket.socket) -> None:
    data = b""
    while piece := conn.recv(1024):
        data += piece
    conn.sendall(struct.pack("!i", sum(map(int, data.split()))))


@mutant("answer_sum", "line-end")
def as_a_line(conn: socket.socket) -> None:
    data = b""
    while piece := conn.recv(1024):
        data += piece
    conn.sendall(b"%d\n" % sum(map(int, data.split())))


@mutant("answer_sum", "str-for-bytes")
def as_letters(conn: socket.socket) -> None:
    data = b""
    while piece := conn.recv(1024):
        data += piece
    conn.sendall(str(sum(map(int, data.split()))))  # type: ignore[arg-type]


@mutant("answer_sum", "end-ignored")
def waits_for_a_word(conn: socket.socket) -> None:
    data = b"".join(iter(lambda: conn.recv(1024), b"end"))
    conn.sendall(str(sum(map(int, data.split()))).encode())


@mutant("answer_sum", "uses-closed")
def answers_when_closed(conn: socket.socket) -> None:
    data = b""
    with conn:
        while piece := conn.recv(1024):
            data += piece
    conn.sendall(str(sum(map(int, data.split()))).encode())


@unusual("answer_sum")
def with_a_file(conn: socket.socket) -> None:
    """Lines of a file end where the stream ends."""
    with conn.makefile("rwb") as file:
        file.write(b"%d" % sum(int(line) for line in file))


@unusual("answer_sum")
def with_asyncio(conn: socket.socket) -> None:
    async def serve() -> None:
        reader, writer = await asyncio.open_connection(sock=conn)
        data = await reader.read()
        writer.write(str(sum(map(int, data.split()))).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    asyncio.run(serve())


@unusual("answer_sum")
def number_by_number(conn: socket.socket) -> None:
    """Keeps what is incomplete, and closes by itself."""
    total, rest = 0, b""
    with conn:
        for data in iter(functools.partial(conn.recv, 3), b""):
            *lines, rest = (rest + data).split(b"\n")
            total += sum(map(int, lines))
        conn.sendall(str(total + int(rest or 0)).encode())


# -- how_it_ended ------------------------------------------------------------------------------------------------------


@mutant("how_it_ended", "reset-told-once")
def tries_again(sock: socket.socket) -> str:
    while True:
        try:
            if not sock.recv(1024):
                return "end"
        except TimeoutError:
            return "timeout"
        except ConnectionResetError:
            continue


@mutant("how_it_ended", "reset-taken-for-end")
def both_are_an_end(sock: socket.socket) -> str:
    try:
        while sock.recv(1024):
            pass
    except TimeoutError:
        return "timeout"
    except ConnectionError:
        pass
    return "end"


@mutant("how_it_ended", "timeout-taken-for-end")
def silence_is_an_end(sock: socket.socket) -> str:
    try:
        while sock.recv(1024):
            pass
    except ConnectionResetError:
        return "reset"
    except OSError:
        pass
    return "end"


@mutant("how_it_ended", "timeout-taken-for-reset")
def any_error(sock: socket.socket) -> str:
    try:
        while sock.recv(1024):
            pass
    except OSError:
        return "reset"
    return "end"


@mutant("how_it_ended", "one-recv")
def looks_once(sock: socket.socket) -> str:
    try:
        sock.recv(1024)
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "timeout"
    return "end"


@mutant("how_it_ended", "error-escapes")
def knows_no_reset(sock: socket.socket) -> str:
    try:
        while sock.recv(1024):
            pass
    except TimeoutError:
        return "timeout"
    return "end"


@mutant("how_it_ended", "error-escapes")
def knows_no_silence(sock: socket.socket) -> str:
    try:
        while sock.recv(1024):
            pass
    except ConnectionResetError:
        return "reset"
    return "end"


@mutant("how_it_ended", "another-word")
def with_its_own_words(sock: socket.socket) -> str:
    try:
        while sock.recv(1024):
            pass
    except OSError as error:
        return type(error).__name__
    return "EOF"


@mutant("how_it_ended", "returns-nothing")
def prints_it(sock: socket.socket) -> None:
    try:
        while sock.recv(1024):
            pass
        print("end")
    except OSError:
        print("reset")


@mutant("how_it_ended", "end-ignored")
def never_looks(sock: socket.socket) -> str:
    try:
        list(iter(lambda: sock.recv(1024), None))
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "timeout"


@mutant("how_it_ended", "blocked")
def waits_for_ever(sock: socket.socket) -> str:
    sock.settimeout(None)
    try:
        while sock.recv(1024):
            pass
    except ConnectionResetError:
        return "reset"
    return "end"


@unusual("how_it_ended")
def with_a_selector(sock: socket.socket) -> str:
    """Waits by itself, for as long as the socket would."""
    seconds = sock.gettimeout()
    sock.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        while selector.select(seconds):
            try:
                if not sock.recv(1024):
                    return "end"
            except ConnectionResetError:
                return "reset"
    return "timeout"


WORDS = {ConnectionResetError: "reset", TimeoutError: "timeout", EOFError: "end"}


@unusual("how_it_ended")
def by_a_table(sock: socket.socket) -> str:
    try:
        while True:
            if not sock.recv_into(bytearray(16)):
                raise EOFError
    except tuple(WORDS) as error:
        return WORDS[type(error)]


# -- hang_up -----------------------------------------------------------------------------------------------------------


@mutant("hang_up", "closed-unread")
def sends_and_closes(conn: socket.socket, answer: bytes) -> None:
    with conn:
        conn.sendall(answer)


@mutant("hang_up", "closed-unread")
def shuts_and_closes(conn: socket.socket, answer: bytes) -> None:
    conn.sendall(answer)
    conn.shutdown(socket.SHUT_RDWR)
    conn.close()


@mutant("hang_up", "drained-in-part")
def drains_once(conn: socket.socket, answer: bytes) -> None:
    with conn:
        conn.sendall(answer)
        conn.shutdown(socket.SHUT_WR)
        conn.recv(65536)


@mutant("hang_up", "no-end-announced")
def drains_first(conn: socket.socket, answer: bytes) -> None:
    with conn:
        conn.sendall(answer)
        while conn.recv(65536):
            pass


@mutant("hang_up", "reads-before-it-answers")
def listens_first(conn: socket.socket, answer: bytes) -> None:
    with conn:
        while conn.recv(65536):
            pass
        conn.sendall(answer)


@mutant("hang_up", "silence-escapes")
def without_patience(conn: socket.socket, answer: bytes) -> None:
    with conn:
        conn.sendall(answer)
        conn.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while conn.recv(65536):
                pass


@mutant("hang_up", "reset-escapes")
def without_resets(conn: socket.socket, answer: bytes) -> None:
    with conn:
        conn.sendall(answer)
        conn.shutdown(socket.SHUT_WR)
        with suppress(TimeoutError):
            while conn.recv(65536):
                pass


@mutant("hang_up", "not-closed")
def only_shuts(conn: socket.socket, answer: bytes) -> None:
    conn.sendall(answer)
    conn.shutdown(socket.SHUT_WR)
    with suppress(OSError):
        while conn.recv(65536):
            pass


@mutant("hang_up", "blocked")
def waits_without_limit(conn: socket.socket, answer: bytes) -> None:
    with conn:
        conn.settimeout(None)
        conn.sendall(answer)
        conn.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while conn.recv(65536):
                pass


@unusual("hang_up")
def into_one_buffer(conn: socket.socket, answer: bytes) -> None:
    """Keeps nothing of what it drains."""
    bin_ = bytearray(4096)
    with closing(conn), suppress(OSError):
        conn.sendall(answer)
        conn.shutdown(socket.SHUT_WR)
        while conn.recv_into(bin_):
            pass


@unusual("hang_up")
class Goodbye:
    """A class with a call, and a file that sends."""

    def __init__(self, *arguments: Any) -> None:
        self(*arguments)

    def __call__(self, conn: socket.socket, answer: bytes) -> None:
        try:
            with conn.makefile("wb") as file:
                file.write(answer)
            conn.shutdown(socket.SHUT_WR)
            for _ in iter(functools.partial(conn.recv, 65536), b""):
                pass
        except OSError:
            pass
        finally:
            conn.close()
