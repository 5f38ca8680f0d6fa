"""Lesson 09: a timeout given back, a look without waiting, a deadline."""

from __future__ import annotations

import contextlib
import functools
import select
import selectors
import socket
import time
from collections.abc import Iterator
from typing import Any

from mutants import mutant, unusual

Sock = socket.socket

# -- ask_within --------------------------------------------------------------------------------------------------------


@mutant("ask_within", "not-given-back")
def keeps_its_own(sock: Sock, question: bytes, seconds: float) -> Any:
    sock.settimeout(seconds)
    sock.sendall(question)
    return sock.recv(1024)


@mutant("ask_within", "for-ever-after")
def forgets_the_number(sock: Sock, question: bytes, seconds: float) -> Any:
    sock.settimeout(seconds)
    try:
        sock.sendall(question)
        return sock.recv(1024)
    finally:
        sock.settimeout(None)


@mutant("ask_within", "for-ever-after")
def keeps_the_mode(sock: Sock, question: bytes, seconds: float) -> Any:
    blocking = sock.getblocking()
    sock.settimeout(seconds)
    try:
        sock.sendall(question)
        return sock.recv(1024)
    finally:
        sock.setblocking(blocking)


@mutant("ask_within", "none-and-zero")
def if_there_was_one(sock: Sock, question: bytes, seconds: float) -> Any:
    before = sock.gettimeout()
    sock.settimeout(seconds)
    try:
        sock.sendall(question)
        return sock.recv(1024)
    finally:
        if before:
            sock.settimeout(before)


@mutant("ask_within", "for-ever-after")
def zero_becomes_none(sock: Sock, question: bytes, seconds: float) -> Any:
    before = sock.gettimeout() or None
    sock.settimeout(seconds)
    try:
        sock.sendall(question)
        return sock.recv(1024)
    finally:
        sock.settimeout(before)


@mutant("ask_within", "not-after-an-error")
def without_finally(sock: Sock, question: bytes, seconds: float) -> Any:
    before = sock.gettimeout()
    sock.settimeout(seconds)
    sock.sendall(question)
    answer = sock.recv(1024)
    sock.settimeout(before)
    return answer


@mutant("ask_within", "not-after-an-error")
def after_a_timeout_alone(sock: Sock, question: bytes, seconds: float) -> Any:
    before = sock.gettimeout()
    sock.settimeout(seconds)
    try:
        sock.sendall(question)
        answer = sock.recv(1024)
    except TimeoutError:
        sock.settimeout(before)
        raise
    sock.settimeout(before)
    return answer


@mutant("ask_within", "send-unbounded")
def send_first(sock: Sock, question: bytes, seconds: float) -> Any:
    before = sock.gettimeout()
    try:
        sock.sendall(question)
        sock.settimeout(seconds)
        return sock.recv(1024)
    finally:
        sock.settimeout(before)


@mutant("ask_within", "callers-zero")
def leaves_it(sock: Sock, question: bytes, seconds: float) -> Any:
    sock.sendall(question)
    return sock.recv(1024)


@mutant("ask_within", "unbounded")
def bounds_the_non_blocking(sock: Sock, question: bytes, seconds: float) -> Any:
    before = sock.gettimeout()
    if before is not None:
        sock.settimeout(seconds)
    try:
        sock.sendall(question)
        return sock.recv(1024)
    finally:
        sock.settimeout(before)


@mutant("ask_within", "default-changed")
def for_everybody(sock: Sock, question: bytes, seconds: float) -> Any:
    socket.setdefaulttimeout(seconds)
    sock.sendall(question)
    return sock.recv(1024)


@mutant("ask_within", "swallowed")
def says_nothing(sock: Sock, question: bytes, seconds: float) -> Any:
    before = sock.gettimeout()
    sock.settimeout(seconds)
    try:
        sock.sendall(question)
        return sock.recv(1024)
    except OSError:
        return b""
    finally:
        sock.settimeout(before)


@mutant("ask_within", "closes-it")
def with_the_socket(sock: Sock, question: bytes, seconds: float) -> Any:
    with sock:
        sock.settimeout(seconds)
        sock.sendall(question)
        return sock.recv(1024)


@mutant("ask_within", "returns-nothing")
def forgets_the_answer(sock: Sock, question: bytes, seconds: float) -> Any:
    before = sock.gettimeout()
    sock.settimeout(seconds)
    sock.sendall(question)
    sock.recv(1024)
    sock.settimeout(before)


@contextlib.contextmanager
def borrowed(sock: Sock, seconds: float) -> Iterator[Sock]:
    before = sock.timeout
    sock.settimeout(seconds)
    try:
        yield sock
    finally:
        sock.settimeout(before)


@unusual("ask_within")
def with_a_context(sock: Sock, question: bytes, seconds: float) -> Any:
    with borrowed(sock, seconds) as own:
        own.sendall(question)
        return own.recv(1024)


@unusual("ask_within")
def with_a_stack(sock: Sock, question: bytes, seconds: float) -> Any:
    with contextlib.ExitStack() as stack:
        stack.callback(functools.partial(sock.settimeout, sock.gettimeout()))
        sock.settimeout(seconds)
        sock.sendall(question)
        return sock.recv(4096)


# -- try_recv ----------------------------------------------------------------------------------------------------------


@mutant("try_recv", "flag-after-the-wait")
def with_the_flag(sock: Sock, size: int) -> Any:
    try:
        return sock.recv(size, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None


@mutant("try_recv", "waits")
def waits(sock: Sock, size: int) -> Any:
    return sock.recv(size)


@mutant("try_recv", "raises-it")
def raises_it(sock: Sock, size: int) -> Any:
    before = sock.gettimeout()
    sock.settimeout(0)
    try:
        return sock.recv(size)
    finally:
        sock.settimeout(before)


@mutant("try_recv", "nothing-is-the-end")
def nothing_is_empty(sock: Sock, size: int) -> Any:
    before = sock.gettimeout()
    sock.settimeout(0)
    try:
        return sock.recv(size)
    except BlockingIOError:
        return b""
    finally:
        sock.settimeout(before)


@mutant("try_recv", "end-is-nothing")
def empty_is_none(sock: Sock, size: int) -> Any:
    before = sock.gettimeout()
    sock.settimeout(0)
    try:
        return sock.recv(size) or None
    except BlockingIOError:
        return None
    finally:
        sock.settimeout(before)


@mutant("try_recv", "error-swallowed")
def all_errors(sock: Sock, size: int) -> Any:
    before = sock.gettimeout()
    sock.settimeout(0)
    try:
        return sock.recv(size)
    except OSError:
        return None
    finally:
        sock.settimeout(before)


@mutant("try_recv", "size-ignored")
def any_size(sock: Sock, size: int) -> Any:
    before = sock.gettimeout()
    sock.settimeout(0)
    try:
        return sock.recv(1024)
    except BlockingIOError:
        return None
    finally:
        sock.settimeout(before)


@mutant("try_recv", "for-ever-after")
def blocking_again(sock: Sock, size: int) -> Any:
    sock.setblocking(False)
    try:
        return sock.recv(size)
    except BlockingIOError:
        return None
    finally:
        sock.setblocking(True)


@mutant("try_recv", "not-after-an-error")
def both_ways_by_hand(sock: Sock, size: int) -> Any:
    before = sock.gettimeout()
    sock.settimeout(0)
    try:
        data = sock.recv(size)
    except BlockingIOError:
        sock.settimeout(before)
        return None
    sock.settimeout(before)
    return data


@mutant("try_recv", "left-non-blocking")
def leaves_it_so(sock: Sock, size: int) -> Any:
    sock.setblocking(False)
    try:
        return sock.recv(size)
    except BlockingIOError:
        return None


@unusual("try_recv")
def with_select(sock: Sock, size: int) -> Any:
    readable, _, _ = select.select([sock], [], [], 0)
    return sock.recv(size) if readable else None


@unusual("try_recv")
def with_a_selector(sock: Sock, size: int) -> Any:
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return sock.recv(size) if selector.select(0) else None


@unusual("try_recv")
def with_a_borrowed_zero(sock: Sock, size: int) -> Any:
    with contextlib.suppress(BlockingIOError), borrowed(sock, 0):
        return sock.recv(size)
    return None


# -- read_by_deadline --------------------------------------------------------------------------------------------------


@mutant("read_by_deadline", "each-its-own-time")
def per_call(sock: Sock, size: int, seconds: float) -> Any:
    sock.settimeout(seconds)
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


@mutant("read_by_deadline", "looks-too-late")
def looks_afterwards(sock: Sock, size: int, seconds: float) -> Any:
    end = time.monotonic() + seconds
    sock.settimeout(seconds)
    data = b""
    while len(data) < size:
        data += sock.recv(size - len(data))
    if time.monotonic() > end:
        raise TimeoutError
    return data


@mutant("read_by_deadline", "divides-the-time")
def a_share_each(sock: Sock, size: int, seconds: float) -> Any:
    sock.settimeout(seconds / size)
    data = b""
    while len(data) < size:
        data += sock.recv(size - len(data))
    return data


@mutant("read_by_deadline", "less-than-nothing")
def below_zero(sock: Sock, size: int, seconds: float) -> Any:
    end = time.monotonic() + seconds
    data = b""
    while len(data) < size:
        sock.settimeout(end - time.monotonic())
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


@mutant("read_by_deadline", "zero-is-non-blocking")
def down_to_zero(sock: Sock, size: int, seconds: float) -> Any:
    end = time.monotonic() + seconds
    data = b""
    while len(data) < size:
        sock.settimeout(max(0, end - time.monotonic()))
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


@mutant("read_by_deadline", "no-timeout")
def clock_between(sock: Sock, size: int, seconds: float) -> Any:
    end = time.monotonic() + seconds
    data = b""
    while len(data) < size:
        if time.monotonic() > end:
            raise TimeoutError
        data += sock.recv(size - len(data))
    return data


@mutant("read_by_deadline", "gives-what-came")
def gives_what_came(sock: Sock, size: int, seconds: float) -> Any:
    end = time.monotonic() + seconds
    data = b""
    try:
        while len(data) < size:
            sock.settimeout(max(end - time.monotonic(), 0.001))
            data += sock.recv(size - len(data))
    except TimeoutError:
        pass
    return data


@mutant("read_by_deadline", "takes-too-much")
def takes_too_much(sock: Sock, size: int, seconds: float) -> Any:
    end = time.monotonic() + seconds
    data = b""
    while len(data) < size:
        sock.settimeout(max(end - time.monotonic(), 0.001))
        data += sock.recv(1024)
    return data[:size]


@mutant("read_by_deadline", "takes-too-much")
def returns_too_much(sock: Sock, size: int, seconds: float) -> Any:
    sock.settimeout(seconds)
    data = b""
    while len(data) < size:
        data += sock.recv(1024)
    return data


@mutant("read_by_deadline", "one-recv")
def one_recv(sock: Sock, size: int, seconds: float) -> Any:
    sock.settimeout(seconds)
    return sock.recv(size)


@mutant("read_by_deadline", "end-unnoticed")
def end_is_success(sock: Sock, size: int, seconds: float) -> Any:
    end = time.monotonic() + seconds
    data = b""
    while len(data) < size:
        if time.monotonic() >= end:
            raise TimeoutError
        sock.settimeout(end - time.monotonic())
        piece = sock.recv(size - len(data))
        if not piece:
            break
        data += piece
    return data


@mutant("read_by_deadline", "end-unnoticed")
def end_unseen(sock: Sock, size: int, seconds: float) -> Any:
    end = time.monotonic() + seconds
    data = b""
    while len(data) < size:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        data += sock.recv(size - len(data))
        time.sleep(0.001)
    return data


@unusual("read_by_deadline")
def with_select_alone(sock: Sock, size: int, seconds: float) -> Any:
    end = time.monotonic() + seconds
    data = bytearray()
    while len(data) < size:
        readable, _, _ = select.select([sock], [], [], max(0.0, end - time.monotonic()))
        if not readable or time.monotonic() > end:
            raise TimeoutError("the deadline has passed")
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


class Deadline:
    """An answer may be an object that can be called."""

    __name__ = "Deadline"

    def __call__(self, sock: Sock, size: int, seconds: float) -> bytes:
        end, data, got = time.monotonic() + seconds, bytearray(size), 0
        while got < size:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{got} of {size} bytes came in time")
            sock.settimeout(left)
            n = sock.recv_into(memoryview(data)[got:])
            if n == 0:
                raise EOFError(f"{got} of {size} bytes came before the end")
            got += n
        return bytes(data)


unusual("read_by_deadline")(Deadline())
