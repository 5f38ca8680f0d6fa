"""Lesson 05: an error of the resolver told apart, a name dialled, a DNS question built."""

from __future__ import annotations

import asyncio
import errno
import functools
import socket
import struct
from contextlib import ExitStack
from typing import Any

from mutants import mutant, unusual

# -- lookup_advice -----------------------------------------------------------------------------------------------------

NUMBERS = {
    socket.EAI_AGAIN: "try again",
    socket.EAI_NONAME: "check the name",
    getattr(socket, "EAI_NODATA", socket.EAI_NONAME): "check the name",
    socket.EAI_SERVICE: "check the service",
}


@mutant("lookup_advice", "one-for-all")
def it_is_the_name(error: OSError) -> Any:
    return "check the name" if isinstance(error, socket.gaierror) else None


@mutant("lookup_advice", "one-for-all")
def the_name_otherwise(error: OSError) -> Any:
    if not isinstance(error, socket.gaierror):
        return None
    return {socket.EAI_AGAIN: "try again", socket.EAI_SERVICE: "check the service"}.get(
        error.errno or 0, "check the name"
    )


@mutant("lookup_advice", "no-way-out")
def table_alone(error: OSError) -> Any:
    return NUMBERS[error.errno or 0] if isinstance(error, socket.gaierror) else None


@mutant("lookup_advice", "by-words")
def in_english(error: OSError) -> Any:
    if not isinstance(error, socket.gaierror):
        return None
    for words, advice in (
        ("Temporary", "try again"),
        ("Name or service", "check the name"),
        ("No address", "check the name"),
        ("Servname", "check the service"),
    ):
        if words in str(error):
            return advice
    return "mend the program"


@mutant("lookup_advice", "class-not-asked")
def number_alone(error: OSError) -> Any:
    return NUMBERS.get(error.errno or 0, "mend the program")


@mutant("lookup_advice", "class-not-asked")
def number_and_a_default(error: OSError) -> Any:
    if isinstance(error, (ConnectionError, TimeoutError, BlockingIOError)):
        return None
    return NUMBERS.get(error.errno or 0, "mend the program")


@mutant("lookup_advice", "numbers-of-errno")
def the_other_list(error: OSError) -> Any:
    if not isinstance(error, socket.gaierror):
        return None
    if error.errno == errno.EAGAIN:
        return "try again"
    return NUMBERS.get(error.errno or 0, "mend the program") if error.errno != socket.EAI_AGAIN else "mend the program"


@mutant("lookup_advice", "no-data")
def forgets_no_data(error: OSError) -> Any:
    if not isinstance(error, socket.gaierror):
        return None
    if error.errno == getattr(socket, "EAI_NODATA", None):
        return "mend the program"
    return NUMBERS.get(error.errno or 0, "mend the program")


@mutant("lookup_advice", "other-words")
def in_words_of_its_own(error: OSError) -> Any:
    return error.strerror if isinstance(error, socket.gaierror) else None


@mutant("lookup_advice", "raises-again")
def hands_it_on(error: OSError) -> Any:
    if isinstance(error, socket.gaierror) and error.errno in NUMBERS:
        return NUMBERS[error.errno]
    raise error


@mutant("lookup_advice", "returns-nothing")
def says_it_aloud(error: OSError) -> Any:
    if isinstance(error, socket.gaierror):
        print(NUMBERS.get(error.errno or 0, "mend the program"))


@unusual("lookup_advice")
def by_matching(error: OSError) -> Any:
    match error:
        case socket.gaierror(errno=number):
            return NUMBERS.get(number, "mend the program")
    return None


@unusual("lookup_advice")
class Adviser:
    """Called as a function is."""

    def __new__(cls, error: OSError) -> Any:
        return cls.other(error) if type(error) is not socket.gaierror else cls.of_names(error)

    @staticmethod
    def other(error: OSError) -> None:
        return None

    @staticmethod
    def of_names(error: OSError) -> str:
        return next((advice for number, advice in NUMBERS.items() if error.args[0] == number), "mend the program")


# -- dial --------------------------------------------------------------------------------------------------------------


def connected(row: Any, timeout: float) -> socket.socket:
    """A socket connected to the address of one row; closed where that fails."""
    family, kind, proto, _, address = row
    sock = socket.socket(family, kind, proto)
    try:
        sock.settimeout(timeout)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def first_of(rows: Any, timeout: float) -> Any:
    failure = OSError("no address")
    for row in rows:
        try:
            return connected(row, timeout)
        except OSError as error:
            failure = error
    raise failure


@mutant("dial", "resolver-not-asked")
def as_the_library(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    return socket.create_connection((host, port), timeout)


@mutant("dial", "resolver-not-asked")
def asks_the_real_one(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    return first_of(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), timeout)


@mutant("dial", "asked-wrongly")
def asks_for_a_pair(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    return first_of(resolve((host, port), None, type=socket.SOCK_STREAM), timeout)


@mutant("dial", "datagram-row")
def every_type(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    return first_of(resolve(host, port), timeout)


@mutant("dial", "one-family")
def ipv4_only(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    return first_of(resolve(host, port, socket.AF_INET, socket.SOCK_STREAM), timeout)


@mutant("dial", "no-timeout")
def waits_for_ever(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    failure = OSError("no address")
    for family, kind, proto, _, address in resolve(host, port, type=socket.SOCK_STREAM):
        try:
            s = socket.socket(family, kind, proto)
        except OSError as error:
            failure = error
            continue
        try:
            s.connect(address)
            return s
        except OSError as error:
            s.close()
            failure = error
    raise failure


@mutant("dial", "gives-up")
def the_first_row(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    return connected(resolve(host, port, type=socket.SOCK_STREAM)[0], timeout)


@mutant("dial", "gives-up")
def socket_outside(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    failure = OSError("no address")
    for family, kind, proto, _, address in resolve(host, port, type=socket.SOCK_STREAM):
        s = socket.socket(family, kind, proto)
        try:
            s.settimeout(timeout)
            s.connect(address)
            return s
        except OSError as error:
            s.close()
            failure = error
    raise failure


@mutant("dial", "gives-up")
def refusals_only(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    failure = OSError("no address")
    for row in resolve(host, port, type=socket.SOCK_STREAM):
        if row[0] not in (socket.AF_INET, socket.AF_INET6):
            continue
        try:
            return connected(row, timeout)
        except ConnectionRefusedError as error:
            failure = error
    raise failure


@mutant("dial", "address-rebuilt")
def its_own_port(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    for family, kind, proto, _, address in resolve(host, port, type=socket.SOCK_STREAM):
        try:
            return connected((family, kind, proto, "", (address[0], port)), timeout)
        except OSError:
            pass


@mutant("dial", "tries-all")
def the_last_that_connects(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    found: Any = None
    failure = OSError("no address")
    for row in resolve(host, port, type=socket.SOCK_STREAM):
        try:
            sock = connected(row, timeout)
        except OSError as error:
            failure = error
            continue
        if found is None:
            found = sock
        else:
            sock.close()
    if found is None:
        raise failure
    return found


@mutant("dial", "closed-on-return")
def with_as_always(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    failure = OSError("no address")
    for family, kind, proto, _, address in resolve(host, port, type=socket.SOCK_STREAM):
        try:
            with socket.socket(family, kind, proto) as s:
                s.settimeout(timeout)
                s.connect(address)
                return s
        except OSError as error:
            failure = error
    raise failure


@mutant("dial", "fails-silently")
def falls_off_the_end(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    for row in resolve(host, port, type=socket.SOCK_STREAM):
        try:
            return connected(row, timeout)
        except OSError:
            continue


@mutant("dial", "name-error-swallowed")
def one_error_for_all(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    try:
        rows = resolve(host, port, type=socket.SOCK_STREAM)
    except OSError:
        rows = []
    return first_of(rows, timeout)


@mutant("dial", "name-error-swallowed")
def none_for_no_name(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    try:
        rows = resolve(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return None
    return first_of(rows, timeout)


@mutant("dial", "not-the-last-error")
def the_first_error(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    errors = []
    for row in resolve(host, port, type=socket.SOCK_STREAM):
        try:
            return connected(row, timeout)
        except OSError as error:
            errors.append(error)
    raise errors[0]


@mutant("dial", "not-the-last-error")
def an_error_of_its_own(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    for row in resolve(host, port, type=socket.SOCK_STREAM):
        try:
            return connected(row, timeout)
        except OSError:
            pass
    raise RuntimeError(f"nobody answers for {host}")


@mutant("dial", "failed-left-open")
def closes_nothing(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    tried: list[socket.socket] = []
    failure = OSError("no address")
    for family, kind, proto, _, address in resolve(host, port, type=socket.SOCK_STREAM):
        try:
            tried.append(socket.socket(family, kind, proto))
            tried[-1].settimeout(timeout)
            tried[-1].connect(address)
            return tried[-1]
        except OSError as error:
            failure = error
    raise failure


@mutant("dial", "raised")
def forgets_to_define_it(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    return connect_to_all(resolve(host, port), timeout)  # type: ignore[name-defined]  # noqa: F821


@unusual("dial")
def with_a_stack(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    """The stack closes what is not taken out of it. All types are asked for, and the streams taken."""
    failure = OSError("no address")
    for family, kind, proto, _, address in resolve(host, port):
        if kind != socket.SOCK_STREAM:
            continue
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


@unusual("dial")
def one_after_the_other(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    def rest(rows: Any) -> Any:
        try:
            return connected(rows[0], timeout)
        except OSError:
            if len(rows) == 1:
                raise
            return rest(rows[1:])

    return rest(resolve(host, port, 0, socket.SOCK_STREAM))


@unusual("dial")
def with_asyncio(resolve: Any, host: Any, port: Any, timeout: Any) -> Any:
    async def try_all() -> socket.socket:
        loop, failure = asyncio.get_running_loop(), OSError("no address")
        for family, kind, proto, _, address in resolve(host, port, type=socket.SOCK_STREAM):
            try:
                s = socket.socket(family, kind, proto)
            except OSError as error:
                failure = error
                continue
            s.setblocking(False)
            try:
                await asyncio.wait_for(loop.sock_connect(s, address), timeout)
                s.settimeout(timeout)
                return s
            except asyncio.TimeoutError:
                failure = TimeoutError("timed out")
            except OSError as error:
                failure = error
            s.close()
        raise failure

    return asyncio.run(try_all())


# -- dns_question ------------------------------------------------------------------------------------------------------


def words(name: str) -> bytes:
    parts = name.removesuffix(".").encode().split(b".")
    if not all(0 < len(part) < 64 for part in parts):
        raise ValueError("a label has 1 to 63 bytes")
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def header(number: int) -> bytes:
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0)


@mutant("dns_question", "dots-kept")
def name_as_it_is(number: int, name: str, kind: int) -> Any:
    return header(number) + bytes([len(name)]) + name.encode() + b"\0" + struct.pack("!HH", kind, 1)


@mutant("dns_question", "no-end")
def without_the_zero(number: int, name: str, kind: int) -> Any:
    return header(number) + words(name)[:-1] + struct.pack("!HH", kind, 1)


@mutant("dns_question", "number-ignored")
def always_the_same(number: int, name: str, kind: int) -> Any:
    return header(1) + words(name) + struct.pack("!HH", kind, 1)


@mutant("dns_question", "kind-ignored")
def always_ipv4(number: int, name: str, kind: int) -> Any:
    return header(number) + words(name) + struct.pack("!HH", 1, 1)


@mutant("dns_question", "type-and-class")
def class_first(number: int, name: str, kind: int) -> Any:
    return header(number) + words(name) + struct.pack("!HH", 1, kind)


@mutant("dns_question", "little-endian")
def without_the_mark(number: int, name: str, kind: int) -> Any:
    return struct.pack("<6H", number, 0x0100, 1, 0, 0, 0) + words(name) + struct.pack("<HH", kind, 1)


@mutant("dns_question", "little-endian")
def half_without_the_mark(number: int, name: str, kind: int) -> Any:
    return header(number) + words(name) + struct.pack("<HH", kind, 1)


@mutant("dns_question", "empty-label")
def dot_at_the_end(number: int, name: str, kind: int) -> Any:
    body = b""
    for part in name.split("."):
        if not 0 < len(part) < 64:
            raise ValueError(part)
        body += bytes([len(part)]) + part.encode()
    return header(number) + body + b"\0" + struct.pack("!HH", kind, 1)


@mutant("dns_question", "empty-label")
def dot_makes_a_zero(number: int, name: str, kind: int) -> Any:
    body = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return header(number) + body + b"\0" + struct.pack("!HH", kind, 1)


@mutant("dns_question", "too-long")
def any_length(number: int, name: str, kind: int) -> Any:
    body = b"".join(bytes([len(part)]) + part.encode() for part in name.removesuffix(".").split("."))
    return header(number) + body + b"\0" + struct.pack("!HH", kind, 1)


@mutant("dns_question", "too-long")
def empty_ones_only(number: int, name: str, kind: int) -> Any:
    parts = name.removesuffix(".").split(".")
    if "" in parts:
        raise ValueError("an empty label")
    body = b"".join(struct.pack("!B", len(part)) + part.encode() for part in parts)
    return header(number) + body + b"\0" + struct.pack("!HH", kind, 1)


@mutant("dns_question", "other-error")
def asserts_it(number: int, name: str, kind: int) -> Any:
    parts = name.removesuffix(".").split(".")
    assert all(0 < len(part) < 64 for part in parts)
    return header(number) + words(name) + struct.pack("!HH", kind, 1)


@mutant("dns_question", "other-error")
def as_struct_has_it(number: int, name: str, kind: int) -> Any:
    body = b""
    for part in name.removesuffix(".").encode().split(b"."):
        body += struct.pack("!B", len(part) if 0 < len(part) < 64 else 256) + part
    return header(number) + body + b"\0" + struct.pack("!HH", kind, 1)


@mutant("dns_question", "returns-text")
def as_text(number: int, name: str, kind: int) -> Any:
    return f"{number} {name} {kind}"


@mutant("dns_question", "returns-text")
def letters_and_bytes(number: int, name: str, kind: int) -> Any:
    return header(number) + "".join(chr(len(part)) + part for part in name.split("."))  # type: ignore[operator]


@mutant("dns_question", "returns-nothing")
def builds_for_itself(number: int, name: str, kind: int) -> Any:
    header(number) + words(name) + struct.pack("!HH", kind, 1)


@unusual("dns_question")
def number_by_number(number: int, name: str, kind: int) -> Any:
    """With to_bytes; and it grows in place."""
    message = bytearray()
    for value in (number, 0x0100, 1, 0, 0, 0):
        message += value.to_bytes(2, "big")
    for label in name.rstrip(".").split("."):
        if len(label) not in range(1, 64):
            raise ValueError(f"a label of {len(label)} letters")
        message.append(len(label))
        message += label.encode()
    return message + b"\0" + kind.to_bytes(2, "big") + b"\0\1"


@unusual("dns_question")
def from_right_to_left(number: int, name: str, kind: int) -> Any:
    def before(rest: bytes, label: str) -> bytes:
        data = label.encode("idna")
        if not 1 <= len(data) <= 63:
            raise ValueError("no label")
        return bytes([len(data)]) + data + rest

    labels = name.removesuffix(".").split(".")
    return header(number) + functools.reduce(before, reversed(labels), b"\0" + struct.pack("!HH", kind, 1))
