"""Lesson 02: say what to do about an error, try every address, read to the end, read chunks."""

from __future__ import annotations

import asyncio
import errno
import functools
import io
import re
import select
import selectors
import socket
from contextlib import ExitStack
from typing import Any

from mutants import mutant, unusual

# -- advice ------------------------------------------------------------------------------------------------------------

BY_NUMBER = {errno.ECONNREFUSED: "check the port", errno.ETIMEDOUT: "check the network"}


@mutant("advice", "timeout-without-errno")
def by_number(error: Any) -> Any:
    return BY_NUMBER.get(error.errno, error.strerror)


@mutant("advice", "timeout-without-errno")
def table_without_default(error: Any) -> Any:
    if isinstance(error, socket.gaierror):
        return "check the name"
    return BY_NUMBER[error.errno]


@mutant("advice", "number-of-a-name")
def names_by_number(error: Any) -> Any:
    if isinstance(error, TimeoutError):
        return "check the network"
    return BY_NUMBER.get(error.errno, error.strerror)


@mutant("advice", "number-of-a-name")
def names_in_a_table(error: Any) -> Any:
    if isinstance(error, TimeoutError):
        return "check the network"
    return BY_NUMBER[error.errno]


@mutant("advice", "too-wide")
def any_connection_error(error: Any) -> Any:
    if isinstance(error, socket.gaierror):
        return "check the name"
    if isinstance(error, TimeoutError):
        return "check the network"
    return "check the port" if isinstance(error, ConnectionError) else error.strerror


@mutant("advice", "too-wide")
def any_os_error(error: Any) -> Any:
    if isinstance(error, ConnectionRefusedError):
        return "check the port"
    return "check the network" if isinstance(error, OSError) else "check the name"


@mutant("advice", "no-way-out")
def the_rest_is_the_name(error: Any) -> Any:
    if isinstance(error, ConnectionRefusedError):
        return "check the port"
    return "check the network" if isinstance(error, TimeoutError) else "check the name"


@mutant("advice", "by-words")
def reads_the_message(error: Any) -> Any:
    if "refused" in str(error):
        return "check the port"
    if "timed out" in str(error):
        return "check the network"
    return "check the name" if isinstance(error, socket.gaierror) else error.strerror


@mutant("advice", "not-recognised")
def compares_with_the_class(error: Any) -> Any:
    if error == ConnectionRefusedError:  # noqa: E721
        return "check the port"
    if error == TimeoutError:  # noqa: E721
        return "check the network"
    return "check the name" if error == socket.gaierror else error.strerror


@mutant("advice", "other-words")
def says_it_nicely(error: Any) -> Any:
    return "Check the port, please." if isinstance(error, ConnectionRefusedError) else error.strerror


@mutant("advice", "other-words")
def with_its_number(error: Any) -> Any:
    if isinstance(error, ConnectionRefusedError):
        return "check the port"
    if isinstance(error, TimeoutError):
        return "check the network"
    return "check the name" if isinstance(error, socket.gaierror) else str(error)


@mutant("advice", "raises-it-again")
def catches_it(error: Any) -> Any:
    try:
        raise error
    except ConnectionRefusedError:
        return "check the port"


@mutant("advice", "returns-nothing")
def prints_it(error: Any) -> Any:
    print("check the port")


@unusual("advice")
def raised_and_caught(error: Any) -> Any:
    try:
        raise error
    except socket.gaierror:
        return "check the name"
    except TimeoutError:
        return "check the network"
    except ConnectionRefusedError:
        return "check the port"
    except OSError:
        return error.strerror


@functools.singledispatch
def by_class(error: Any) -> Any:
    return error.strerror


by_class.register(ConnectionRefusedError, lambda error: "check the port")
by_class.register(TimeoutError, lambda error: "check the network")
by_class.register(socket.gaierror, lambda error: "check the name")
unusual("advice")(by_class)


# -- connect_any -------------------------------------------------------------------------------------------------------


@mutant("connect_any", "gives-up")
def try_around_the_loop(candidates: Any, timeout: Any) -> Any:
    try:
        for family, kind, proto, _, address in candidates:
            s = socket.socket(family, kind, proto)
            s.settimeout(timeout)
            s.connect(address)
            return s
    except OSError as error:
        s.close()
        raise error


@mutant("connect_any", "no-timeout")
def waits_for_ever(candidates: Any, timeout: Any) -> Any:
    for family, kind, proto, _, address in candidates:
        s = socket.socket(family, kind, proto)
        try:
            s.connect(address)
            s.settimeout(timeout)
            return s
        except OSError:
            s.close()


@mutant("connect_any", "one-kind-of-error")
def refusals_only(candidates: Any, timeout: Any) -> Any:
    for family, kind, proto, _, address in candidates:
        s = socket.socket(family, kind, proto)
        s.settimeout(timeout)
        try:
            s.connect(address)
            return s
        except ConnectionError:
            s.close()


@mutant("connect_any", "socket-unguarded")
def socket_outside(candidates: Any, timeout: Any) -> Any:
    failure = OSError("no address to try")
    for family, kind, proto, _, address in candidates:
        s = socket.socket(family, kind, proto)
        try:
            s.settimeout(timeout)
            s.connect(address)
            return s
        except OSError as error:
            s.close()
            failure = error
    raise failure


@mutant("connect_any", "family-ignored")
def always_ipv4(candidates: Any, timeout: Any) -> Any:
    for *_, address in candidates:
        s = socket.socket()
        s.settimeout(timeout)
        try:
            s.connect(address)
            return s
        except OSError:
            s.close()


@mutant("connect_any", "family-ignored")
def create_connection_to_each(candidates: Any, timeout: Any) -> Any:
    for *_, address in candidates:
        try:
            return socket.create_connection(address, timeout)
        except OSError as error:
            failure = error
    raise failure


@mutant("connect_any", "tries-all")
def the_last_that_connects(candidates: Any, timeout: Any) -> Any:
    found: Any = None
    for family, kind, proto, _, address in candidates:
        try:
            s = socket.socket(family, kind, proto)
            s.settimeout(timeout)
            s.connect(address)
            if found is not None:
                found.close()
            found = s
        except OSError:
            s.close()
    return found


@mutant("connect_any", "number-not-looked-at")
def asks_for_the_number(candidates: Any, timeout: Any) -> Any:
    for family, kind, proto, _, address in candidates:
        s = socket.socket(family, kind, proto)
        s.settimeout(timeout)
        s.connect_ex(address)
        return s


@mutant("connect_any", "closed-on-return")
def with_as_always(candidates: Any, timeout: Any) -> Any:
    for family, kind, proto, _, address in candidates:
        try:
            with socket.socket(family, kind, proto) as s:
                s.settimeout(timeout)
                s.connect(address)
                return s
        except OSError as error:
            failure = error
    raise failure


@mutant("connect_any", "fails-silently")
def falls_off_the_end(candidates: Any, timeout: Any) -> Any:
    for candidate in candidates:
        try:
            return connect_one(candidate, timeout)
        except OSError:
            continue
    return None


def connect_one(candidate: Any, timeout: Any) -> Any:
    family, kind, proto, _, address = candidate
    s = socket.socket(family, kind, proto)
    try:
        s.settimeout(timeout)
        s.connect(address)
    except BaseException:
        s.close()
        raise
    return s


@mutant("connect_any", "error-forgotten")
def raises_a_forgotten_name(candidates: Any, timeout: Any) -> Any:
    for candidate in candidates:
        try:
            return connect_one(candidate, timeout)
        except OSError:
            pass
    raise error  # type: ignore[name-defined]  # noqa: F821


@mutant("connect_any", "not-the-last-error")
def the_first_error(candidates: Any, timeout: Any) -> Any:
    errors = []
    for candidate in candidates:
        try:
            return connect_one(candidate, timeout)
        except OSError as error:
            errors.append(error)
    raise errors[0]


@mutant("connect_any", "not-the-last-error")
def an_error_of_its_own(candidates: Any, timeout: Any) -> Any:
    for candidate in candidates:
        try:
            return connect_one(candidate, timeout)
        except OSError:
            pass
    raise RuntimeError("nobody answers")


@mutant("connect_any", "failed-left-open")
def closes_nothing(candidates: Any, timeout: Any) -> Any:
    for family, kind, proto, _, address in candidates:
        try:
            s = socket.socket(family, kind, proto)
            s.settimeout(timeout)
            s.connect(address)
            return s
        except OSError as error:
            failure = error
    raise failure


@mutant("connect_any", "failed-left-open")
def keeps_them_in_a_list(candidates: Any, timeout: Any) -> Any:
    tried = []
    for family, kind, proto, _, address in candidates:
        try:
            tried.append(socket.socket(family, kind, proto))
            tried[-1].settimeout(timeout)
            if tried[-1].connect_ex(address) == 0:
                return tried[-1]
        except OSError:
            pass
    raise OSError("nobody answers")


@mutant("connect_any", "raised")
def uses_a_name_that_is_not_there(candidates: Any, timeout: Any) -> Any:
    return connect_each(candidates, timeout)  # type: ignore[name-defined]  # noqa: F821


@unusual("connect_any")
class Dialer:
    """Called as a function is; the stack closes what has not been taken out of it."""

    def __new__(cls, candidates: Any, timeout: Any) -> Any:
        failure = OSError("no address to try")
        for family, kind, proto, _, address in candidates:
            try:
                with ExitStack() as stack:
                    s = stack.enter_context(socket.socket(family, kind, proto))
                    s.settimeout(timeout)
                    s.connect(address)
                    stack.pop_all()
                    return s
            except OSError as error:
                failure = error
        raise failure


@unusual("connect_any")
def one_after_the_other(candidates: Any, timeout: Any) -> Any:
    try:
        return connect_one(candidates[0], timeout)
    except OSError:
        if len(candidates) == 1:
            raise
        return one_after_the_other(candidates[1:], timeout)


@unusual("connect_any")
def without_blocking(candidates: Any, timeout: Any) -> Any:
    failure = OSError("no address to try")
    for family, kind, proto, _, address in candidates:
        try:
            s = socket.socket(family, kind, proto)
        except OSError as error:
            failure = error
            continue
        s.setblocking(False)
        number = s.connect_ex(address)
        if number == errno.EINPROGRESS:
            ready = select.select([], [s], [], timeout)[1]
            number = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if ready else errno.ETIMEDOUT
        if number == 0:
            s.setblocking(True)
            return s
        s.close()
        failure = OSError(number, "failed")
    raise failure


# Who spins stands in any line of the loop when the time is up. In those that spin below, the loop is one line, so that
# the verdict has the same words each time.

# -- recv_until_eof ----------------------------------------------------------------------------------------------------


@mutant("recv_until_eof", "one-recv")
def asks_once(sock: Any) -> Any:
    return sock.recv(1024)


@mutant("recv_until_eof", "one-recv")
def asks_once_for_much(sock: Any) -> Any:
    return sock.recv(10_000_000)


@mutant("recv_until_eof", "short-is-the-end")
def until_a_short_piece(sock: Any) -> Any:
    data = b""
    while True:
        piece = sock.recv(1024)
        data += piece
        if len(piece) < 1024:
            return data


@mutant("recv_until_eof", "silence-is-the-end")
def until_it_is_quiet(sock: Any) -> Any:
    sock.settimeout(0.1)
    data = b""
    try:
        while piece := sock.recv(1024):
            data += piece
    except TimeoutError:
        pass
    return data


@mutant("recv_until_eof", "silence-is-the-end")
def while_something_is_there(sock: Any) -> Any:
    data = b""
    while select.select([sock], [], [], 0.1)[0]:
        piece = sock.recv(1024)
        if not piece:
            break
        data += piece
    return data


@mutant("recv_until_eof", "error-is-the-end")
def swallows_errors(sock: Any) -> Any:
    data = b""
    try:
        while piece := sock.recv(1024):
            data += piece
    except OSError:
        pass
    return data


@mutant("recv_until_eof", "pieces-lost")
def looks_and_asks_again(sock: Any) -> Any:
    data = b""
    while sock.recv(1024):
        data += sock.recv(1024)
    return data


@mutant("recv_until_eof", "pieces-lost")
def keeps_the_last(sock: Any) -> Any:
    data = b""
    while piece := sock.recv(1024):
        data = piece
    return data


@mutant("recv_until_eof", "end-ignored")
def until_the_size(sock: Any) -> Any:
    data = b""
    while len(data) < 1024: data += sock.recv(1024)  # noqa: E701  # fmt: skip
    return data


@mutant("recv_until_eof", "end-ignored")
def compares_with_text(sock: Any) -> Any:
    pieces = []
    while (piece := sock.recv(1024)) != "": pieces.append(piece)  # noqa: E701  # fmt: skip
    return b"".join(pieces)


@mutant("recv_until_eof", "str-for-bytes")
def makes_text_of_it(sock: Any) -> Any:
    text = ""
    while piece := sock.recv(1024):
        text += piece.decode()
    return text


@mutant("recv_until_eof", "returns-nothing")
def forgets_to_return(sock: Any) -> Any:
    data = b""
    while piece := sock.recv(1024):
        data += piece


@unusual("recv_until_eof")
def two_argument_iter(sock: Any) -> Any:
    return b"".join(iter(functools.partial(sock.recv, 4096), b""))


@unusual("recv_until_eof")
def as_a_file(sock: Any) -> Any:
    with sock.makefile("rb") as file:
        return file.read()


@unusual("recv_until_eof")
def in_an_event_loop(sock: Any) -> Any:
    async def read() -> bytes:
        loop, data = asyncio.get_running_loop(), b""
        while piece := await loop.sock_recv(sock, 1024):
            data += piece
        return data

    sock.setblocking(False)
    return asyncio.run(read())


@unusual("recv_until_eof")
def with_a_selector(sock: Any) -> Any:
    sock.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        data = bytearray()
        while selector.select():
            piece = sock.recv(65536)
            if not piece:
                return bytes(data)
            data += piece


# -- read_chunks -------------------------------------------------------------------------------------------------------


def more(sock: Any) -> Any:
    piece = sock.recv(1024)
    if not piece:
        raise EOFError("the other side closed in the middle of a message")
    return piece


def read_to(sock: Any, mark: Any, data: Any = b"") -> Any:
    while mark not in data:
        data += more(sock)
    return data.split(mark, 1)


def read_exactly(sock: Any, size: Any, data: Any = b"") -> Any:
    while len(data) < size:
        data += more(sock)
    return data[:size], data[size:]


@mutant("read_chunks", "decimal-size")
def decimal(sock: Any, data: Any) -> Any:
    body = b""
    while True:
        size, data = read_to(sock, b"\r\n", data)
        chunk, data = read_exactly(sock, int(size) + 2, data)
        if int(size) == 0:
            return body
        body += chunk[:-2]


@mutant("read_chunks", "line-end-left")
def without_the_line_end(sock: Any, data: Any) -> Any:
    body = b""
    while True:
        size, data = read_to(sock, b"\r\n", data)
        if int(size, 16) == 0:
            return body
        chunk, data = read_exactly(sock, int(size, 16), data)
        body += chunk


@mutant("read_chunks", "data-ignored")
def forgets_data(sock: Any, data: Any) -> Any:
    body, rest = b"", b""
    while True:
        size, rest = read_to(sock, b"\r\n", rest)
        chunk, rest = read_exactly(sock, int(size, 16) + 2, rest)
        if int(size, 16) == 0:
            return body
        body += chunk[:-2]


@mutant("read_chunks", "waits-for-the-end")
def all_of_it_first(sock: Any, data: Any) -> Any:
    while piece := sock.recv(1024):
        data += piece
    return unchunked(data)


def unchunked(data: Any) -> Any:
    body = b""
    while data:
        size, data = data.split(b"\r\n", 1)
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return body


@mutant("read_chunks", "data-only")
def nothing_but_data(sock: Any, data: Any) -> Any:
    return unchunked(data)


@mutant("read_chunks", "framing-kept")
def line_ends_in_the_body(sock: Any, data: Any) -> Any:
    body = b""
    while True:
        size, data = read_to(sock, b"\r\n", data)
        chunk, data = read_exactly(sock, int(size, 16) + 2, data)
        body += chunk
        if int(size, 16) == 0:
            return body


@mutant("read_chunks", "lines-are-chunks")
def every_second_line(sock: Any, data: Any) -> Any:
    chunks, _ = read_to(sock, b"\r\n0\r\n\r\n", data)
    return b"".join(chunks.split(b"\r\n")[1::2])


@mutant("read_chunks", "lines-are-chunks")
def line_by_line(sock: Any, data: Any) -> Any:
    body = b""
    while True:
        size, data = read_to(sock, b"\r\n", data)
        chunk, data = read_to(sock, b"\r\n", data)
        if int(size, 16) == 0:
            return body
        body += chunk


@mutant("read_chunks", "mark-inside")
def up_to_the_mark(sock: Any, data: Any) -> Any:
    chunks, _ = read_to(sock, b"\r\n0\r\n\r\n", data)
    return unchunked(chunks)


@mutant("read_chunks", "recv-is-a-chunk")
def a_recv_when_there_is_nothing(sock: Any, data: Any) -> Any:
    body = b""
    while True:
        data = data or sock.recv(65536)
        size, _, data = data.partition(b"\r\n")
        if int(size, 16) == 0:
            return body
        data = data or sock.recv(65536)
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]


@mutant("read_chunks", "recv-is-a-chunk")
def one_more_recv(sock: Any, data: Any) -> Any:
    data += sock.recv(65536)
    return unchunked(data)


@mutant("read_chunks", "cut-off-is-whole")
def ends_when_it_ends(sock: Any, data: Any) -> Any:
    try:
        body = b""
        while True:
            size, data = read_to(sock, b"\r\n", data)
            chunk, data = read_exactly(sock, int(size, 16) + 2, data)
            if int(size, 16) == 0:
                return body
            body += chunk[:-2]
    except EOFError:
        return body


@mutant("read_chunks", "end-ignored")
def waits_for_more_that_never_comes(sock: Any, data: Any) -> Any:
    body = b""
    while True:
        while b"\r\n" not in data:
            data += sock.recv(1024)
        size, data = data.split(b"\r\n", 1)
        while len(data) < int(size, 16) + 2: data += sock.recv(1024)  # noqa: E701  # fmt: skip
        if int(size, 16) == 0:
            return body
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]


class Joined(io.RawIOBase):
    """What came before, then what the socket brings, as one stream."""

    def __init__(self, data: bytes, sock: Any) -> None:
        self.data, self.sock = data, sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.data[: len(buffer)] or self.sock.recv(len(buffer))
        self.data = self.data[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)


@unusual("read_chunks")
def as_one_file(sock: Any, data: Any) -> Any:
    file, body = io.BufferedReader(Joined(data, sock)), b""
    while line := file.readline():
        chunk = file.read(int(line, 16))
        if len(file.read(2)) < 2:
            break
        body += chunk
        if not chunk:
            return body
    raise EOFError("cut off")


@unusual("read_chunks")
class Parser:
    """It knows nothing of sockets: it is fed, and says when it has had enough."""

    def __new__(cls, sock: Any, data: Any) -> Any:
        parser = cls.parse()
        next(parser)
        try:
            parser.send(data)
            while piece := sock.recv(7):
                parser.send(piece)
        except StopIteration as done:
            return done.value
        raise EOFError("cut off")

    @staticmethod
    def parse() -> Any:
        body, data = b"", b""
        while True:
            while not (found := re.match(rb"([0-9a-fA-F]+)\r\n", data)):
                data += yield
            start, size = found.end(), int(found[1], 16)
            while len(data) < start + size + 2:
                data += yield
            if size == 0:
                return body
            body, data = body + data[start : start + size], data[start + size + 2 :]
