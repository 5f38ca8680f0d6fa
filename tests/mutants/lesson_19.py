"""Lesson 19: connections that begin together, a wait with any number of sockets, an edge to drain."""

from __future__ import annotations

import asyncio
import errno
import select
import selectors
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from mutants import mutant, unusual

Address = tuple[str, int]


# -- connect_each ------------------------------------------------------------------------------------------------------


def begun(address: Address) -> tuple[socket.socket, int]:
    sock = socket.socket()
    sock.setblocking(False)
    return sock, sock.connect_ex(address)


def so_error(sock: socket.socket) -> int:
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def ended(ringing: set[socket.socket], seconds: float) -> set[socket.socket]:
    """Those that have ended, of which some may have failed; waits until all have, or until the time is up."""
    found: set[socket.socket] = set()
    end = time.monotonic() + seconds
    while found != ringing and (left := end - time.monotonic()) > 0:
        found |= set(select.select([], list(ringing - found), [], left)[1])
    return found


def finished(socks: list[socket.socket], done: set[socket.socket], numbers: list[int]) -> list[Any]:
    """A list of the good ones and of the numbers of the others, which are closed."""
    results: list[Any] = []
    for sock, number in zip(socks, numbers, strict=True):
        if number == errno.EINPROGRESS:
            number = so_error(sock) if sock in done else errno.ETIMEDOUT
        results.append(number or sock)
        if number:
            sock.close()
    return results


@mutant("connect_each", "writable-is-connected")
def never_asks(addresses: list[Address], seconds: float) -> list[Any]:
    begins = [begun(address) for address in addresses]
    done = ended({sock for sock, number in begins if number == errno.EINPROGRESS}, seconds)
    for sock, _ in begins:
        if sock not in done:
            sock.close()
    return [sock if sock in done else errno.ETIMEDOUT for sock, _ in begins]


@mutant("connect_each", "writable-is-connected")
def poll_without_a_look_at_the_bits(addresses: list[Address], seconds: float) -> list[Any]:
    results: list[Any] = []
    for address in addresses:
        sock, _ = begun(address)
        poller = select.poll()
        poller.register(sock, select.POLLOUT)
        if poller.poll(seconds * 1000):
            results.append(sock)
        else:
            sock.close()
            results.append(errno.ETIMEDOUT)
    return results


@mutant("connect_each", "asked-too-soon")
def asks_at_once(addresses: list[Address], seconds: float) -> list[Any]:
    begins = [begun(address) for address in addresses]
    return [so_error(sock) or sock for sock, _ in begins]


@mutant("connect_each", "at-once-ignored")
def trusts_so_error_alone(addresses: list[Address], seconds: float) -> list[Any]:
    socks = [begun(address)[0] for address in addresses]
    return finished(socks, ended(set(socks), seconds), [errno.EINPROGRESS] * len(socks))


@mutant("connect_each", "in-progress-as-failure")
def takes_the_number(addresses: list[Address], seconds: float) -> list[Any]:
    results: list[Any] = []
    for address in addresses:
        sock, number = begun(address)
        results.append(number or sock)
        if number:
            sock.close()
    return results


@mutant("connect_each", "in-progress-as-failure")
def lets_it_out(addresses: list[Address], seconds: float) -> list[Any]:
    socks = [socket.socket() for _ in addresses]
    try:
        for sock, address in zip(socks, addresses, strict=True):
            sock.setblocking(False)
            sock.connect(address)
    except OSError:
        for sock in socks:
            sock.close()
        raise
    return socks


@mutant("connect_each", "error-escapes")
def whichever_fails(addresses: list[Address], seconds: float) -> list[Any]:
    return [socket.create_connection(address, seconds) for address in addresses]


@mutant("connect_each", "error-escapes")
def only_blocking_is_caught(addresses: list[Address], seconds: float) -> list[Any]:
    socks = [socket.socket() for _ in addresses]
    for sock, address in zip(socks, addresses, strict=True):
        sock.setblocking(False)
        with suppress(BlockingIOError):
            sock.connect(address)
    return finished(socks, ended(set(socks), seconds), [errno.EINPROGRESS] * len(socks))


@mutant("connect_each", "exception-for-number")
def gathers_exceptions(addresses: list[Address], seconds: float) -> list[Any]:
    results: list[Any] = []
    for address in addresses:
        try:
            results.append(socket.create_connection(address, seconds))
        except OSError as error:
            results.append(error)
    return results


@mutant("connect_each", "number-for-socket")
def numbers_alone(addresses: list[Address], seconds: float) -> list[Any]:
    begins = [begun(address) for address in addresses]
    done = ended({sock for sock, number in begins if number == errno.EINPROGRESS}, seconds)
    results = [so_error(sock) if sock in done else errno.ETIMEDOUT for sock, _ in begins]
    for sock, _ in begins:
        sock.close()
    return results


@mutant("connect_each", "one-after-another")
def one_by_one(addresses: list[Address], seconds: float) -> list[Any]:
    results: list[Any] = []
    for address in addresses:
        try:
            results.append(socket.create_connection(address, seconds))
        except TimeoutError:
            results.append(errno.ETIMEDOUT)
        except OSError as error:
            results.append(error.errno)
    return results


@mutant("connect_each", "one-after-another")
def waits_for_each(addresses: list[Address], seconds: float) -> list[Any]:
    results: list[Any] = []
    for address in addresses:
        sock, number = begun(address)
        done = ended({sock}, seconds) if number == errno.EINPROGRESS else set()
        results += finished([sock], done, [number])
    return results


@mutant("connect_each", "eagain-for-timeout")
def with_a_timeout_of_its_own(addresses: list[Address], seconds: float) -> list[Any]:
    results: list[Any] = []
    for address in addresses:
        sock = socket.socket()
        sock.settimeout(seconds)
        number = sock.connect_ex(address)
        results.append(number or sock)
        if number:
            sock.close()
    return results


@mutant("connect_each", "gave-up-early")
def looks_once(addresses: list[Address], seconds: float) -> list[Any]:
    begins = [begun(address) for address in addresses]
    socks, numbers = [sock for sock, _ in begins], [number for _, number in begins]
    ringing = [sock for sock, number in begins if number == errno.EINPROGRESS]
    done = set(select.select([], ringing, [], seconds)[1]) if ringing else set()
    return finished(socks, done, numbers)


@mutant("connect_each", "left-open")
def leaves_them_ringing(addresses: list[Address], seconds: float) -> list[Any]:
    begins = [begun(address) for address in addresses]
    kept.extend(sock for sock, _ in begins)
    done = ended({sock for sock, number in begins if number == errno.EINPROGRESS}, seconds)
    results: list[Any] = []
    for sock, number in begins:
        if number == errno.EINPROGRESS:
            number = so_error(sock) if sock in done else errno.ETIMEDOUT
        results.append(number or sock)
    return results


kept: list[socket.socket] = []


@unusual("connect_each")
def with_threads(addresses: list[Address], seconds: float) -> list[Any]:
    """Somebody else waits."""

    def one(address: Address) -> Any:
        try:
            return socket.create_connection(address, seconds)
        except TimeoutError:
            return errno.ETIMEDOUT
        except OSError as error:
            return error.errno

    with ThreadPoolExecutor(len(addresses)) as pool:
        return list(pool.map(one, addresses))


@unusual("connect_each")
def with_asyncio(addresses: list[Address], seconds: float) -> list[Any]:
    async def one(address: Address) -> Any:
        sock = socket.socket()
        sock.setblocking(False)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, address), seconds)
        except (TimeoutError, asyncio.TimeoutError):
            sock.close()
            return errno.ETIMEDOUT
        except OSError as error:
            sock.close()
            return error.errno
        return sock

    async def each() -> list[Any]:
        return await asyncio.gather(*map(one, addresses))

    return asyncio.run(each())


# -- readable_among ----------------------------------------------------------------------------------------------------


@mutant("readable_among", "select-limit")
def with_select(socks: list[socket.socket], seconds: float) -> list[socket.socket]:
    return select.select(socks, [], [], seconds)[0]


def polled(socks: list[socket.socket]) -> select.poll:
    poller = select.poll()
    for sock in socks:
        poller.register(sock, select.POLLIN)
    return poller


@mutant("readable_among", "seconds-for-milliseconds")
def forgets_milliseconds(socks: list[socket.socket], seconds: float) -> list[socket.socket]:
    found = {fd for fd, _ in polled(socks).poll(seconds)}
    return [sock for sock in socks if sock.fileno() in found]


@mutant("readable_among", "milliseconds-for-seconds")
def milliseconds_for_epoll(socks: list[socket.socket], seconds: float) -> list[socket.socket]:
    with select.epoll() as ep:
        for sock in socks:
            ep.register(sock, select.EPOLLIN)
        found = {fd for fd, _ in ep.poll(seconds * 1000, len(socks))}
    return [sock for sock in socks if sock.fileno() in found]


@mutant("readable_among", "bits-compared")
def pollin_and_nothing_else(socks: list[socket.socket], seconds: float) -> list[socket.socket]:
    found = {fd for fd, bits in polled(socks).poll(seconds * 1000) if bits == select.POLLIN}
    return [sock for sock in socks if sock.fileno() in found]


@mutant("readable_among", "bits-compared")
def pollin_or_again(socks: list[socket.socket], seconds: float) -> list[socket.socket]:
    poller, end = polled(socks), time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        found = {fd for fd, bits in poller.poll(left * 1000) if bits == select.POLLIN}
        if found:
            return [sock for sock in socks if sock.fileno() in found]
    return []


@mutant("readable_among", "numbers")
def what_poll_returns(socks: list[socket.socket], seconds: float) -> list[Any]:
    return polled(socks).poll(seconds * 1000)


@mutant("readable_among", "numbers")
def descriptors(socks: list[socket.socket], seconds: float) -> list[Any]:
    return [fd for fd, _ in polled(socks).poll(seconds * 1000)]


@mutant("readable_among", "writable-too")
def without_events(socks: list[socket.socket], seconds: float) -> list[socket.socket]:
    poller = select.poll()
    for sock in socks:
        poller.register(sock)
    found = {fd for fd, _ in poller.poll(seconds * 1000)}
    return [sock for sock in socks if sock.fileno() in found]


@mutant("readable_among", "in-another-order")
def by_their_numbers(socks: list[socket.socket], seconds: float) -> list[socket.socket]:
    by_number = {sock.fileno(): sock for sock in socks}
    found = {fd for fd, _ in polled(socks).poll(seconds * 1000)}
    return [by_number[fd] for fd in sorted(found)]


@mutant("readable_among", "a-part")
def without_a_number(socks: list[socket.socket], seconds: float) -> list[socket.socket]:
    with select.epoll() as ep:
        for sock in socks:
            ep.register(sock, select.EPOLLIN)
        found = {fd for fd, _ in ep.poll(seconds)}
    return [sock for sock in socks if sock.fileno() in found]


@mutant("readable_among", "read-it")
def tries_each(socks: list[socket.socket], seconds: float) -> list[socket.socket]:
    found = []
    end = time.monotonic() + seconds
    while not found and time.monotonic() < end:
        for sock in socks:
            with suppress(BlockingIOError):
                sock.recv(1, socket.MSG_DONTWAIT)
                found.append(sock)
    return found


@mutant("readable_among", "asleep")
def sleeps(socks: list[socket.socket], seconds: float) -> list[socket.socket]:
    time.sleep(1000 * seconds)
    return with_select(socks, 0)


@unusual("readable_among")
def with_a_peek(socks: list[socket.socket], seconds: float) -> list[socket.socket]:
    """It looks a hundred times a second, which is not good, and right."""
    end = time.monotonic() + seconds
    while True:
        found = []
        for sock in socks:
            with suppress(BlockingIOError):
                sock.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK)
                found.append(sock)
        if found or time.monotonic() >= end:
            return found
        time.sleep(0.01)


@unusual("readable_among")
class WithASelector:
    """A class with a call, and the selector that fits this system."""

    def __new__(cls, socks: list[socket.socket], seconds: float) -> Any:
        with selectors.PollSelector() as selector:
            for sock in socks:
                selector.register(sock, selectors.EVENT_READ)
            found = {key.fileobj for key, _ in selector.select(seconds)}
        return [sock for sock in socks if sock in found]


# -- drain_edge --------------------------------------------------------------------------------------------------------


@mutant("drain_edge", "one-recv")
def once(sock: socket.socket, most: int) -> tuple[bytes, str]:
    try:
        data = sock.recv(min(most, 4096))
    except BlockingIOError:
        return b"", "empty"
    return data, "empty" if data else "end"


@mutant("drain_edge", "eagain-escapes")
def until_it_raises(sock: socket.socket, most: int) -> tuple[bytes, str]:
    data = b""
    while len(data) < most:
        piece = sock.recv(most - len(data))
        if not piece:
            return data, "end"
        data += piece
    return data, "more"


@mutant("drain_edge", "no-limit")
def all_of_it(sock: socket.socket, most: int) -> tuple[bytes, str]:
    data = b""
    try:
        while piece := sock.recv(4096):
            data += piece
    except BlockingIOError:
        return data, "more" if len(data) > most else "empty"
    return data, "end"


@mutant("drain_edge", "no-limit")
def one_piece_too_many(sock: socket.socket, most: int) -> tuple[bytes, str]:
    data = b""
    try:
        while len(data) < most:
            piece = sock.recv(4096)
            if not piece:
                return data, "end"
            data += piece
    except BlockingIOError:
        return data, "empty"
    return data, "more"


@mutant("drain_edge", "lost-at-the-end")
def end_without_the_rest(sock: socket.socket, most: int) -> tuple[bytes, str]:
    data = b""
    with suppress(BlockingIOError):
        while len(data) < most:
            piece = sock.recv(most - len(data))
            if not piece:
                return b"", "end"
            data += piece
        return data, "more"
    return data, "empty"


@mutant("drain_edge", "end-as-empty")
def no_difference(sock: socket.socket, most: int) -> tuple[bytes, str]:
    data = b""
    with suppress(BlockingIOError):
        while len(data) < most and (piece := sock.recv(most - len(data))):
            data += piece
    return data, "more" if len(data) == most else "empty"


@mutant("drain_edge", "short-is-empty")
def stops_at_a_short_one(sock: socket.socket, most: int) -> tuple[bytes, str]:
    data = b""
    try:
        while len(data) < most:
            asked = min(4096, most - len(data))
            piece = sock.recv(asked)
            if not piece:
                return data, "end"
            data += piece
            if len(piece) < asked:
                return data, "empty"
    except BlockingIOError:
        return data, "empty"
    return data, "more"


@mutant("drain_edge", "limit-as-empty")
def no_word_for_the_limit(sock: socket.socket, most: int) -> tuple[bytes, str]:
    data, word = stops_at_a_short_one(sock, most)
    return data, "empty" if word == "more" else word


@mutant("drain_edge", "empty-as-more")
def always_more(sock: socket.socket, most: int) -> tuple[bytes, str]:
    data, word = stops_at_a_short_one(sock, most)
    return data, "more" if data else word


@mutant("drain_edge", "waits")
def blocking(sock: socket.socket, most: int) -> tuple[bytes, str]:
    sock.setblocking(True)
    return until_it_raises(sock, most)


@mutant("drain_edge", "closed")
def tidies(sock: socket.socket, most: int) -> tuple[bytes, str]:
    with sock:
        return with_epoll(sock, most)


@mutant("drain_edge", "reset-swallowed")
def every_error(sock: socket.socket, most: int) -> tuple[bytes, str]:
    data = b""
    try:
        while len(data) < most:
            piece = sock.recv(most - len(data))
            if not piece:
                return data, "end"
            data += piece
    except OSError:
        return data, "empty"
    return data, "more"


@mutant("drain_edge", "str-for-bytes")
def as_text(sock: socket.socket, most: int) -> Any:
    sock.send("")  # type: ignore[arg-type]


@unusual("drain_edge")
def with_epoll(sock: socket.socket, most: int) -> tuple[bytes, str]:
    """It asks a poll object instead of waiting for an exception, and takes bytes one by one."""
    poller, buffer = polled([sock]), bytearray()
    while len(buffer) < most:
        if not poller.poll(0):
            return bytes(buffer), "empty"
        piece = sock.recv(min(2000, most - len(buffer)))
        if not piece:
            return bytes(buffer), "end"
        buffer += piece
    return bytes(buffer), "more"


@unusual("drain_edge")
def into_one_buffer(sock: socket.socket, most: int) -> tuple[bytes, str]:
    """recv_into, and not a byte copied twice."""
    buffer, size, word = bytearray(most), 0, "more"
    while size < most:
        try:
            count = sock.recv_into(memoryview(buffer)[size:])
        except BlockingIOError:
            word = "empty"
            break
        if not count:
            word = "end"
            break
        size += count
    return bytes(buffer[:size]), word
