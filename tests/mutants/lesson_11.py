"""Lesson 11: the answer of the right sender, a pinger, a sender that repeats until it is acknowledged."""

from __future__ import annotations

import asyncio
import itertools
import selectors
import socket
import statistics
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from mutants import mutant, unusual

# -- answer_from -------------------------------------------------------------------------------------------------------


@mutant("answer_from", "sender-trusted")
def first_of_all(sock: socket.socket, address: Any, seconds: float) -> bytes:
    sock.settimeout(seconds)
    data, _ = sock.recvfrom(65535)
    return data


@mutant("answer_from", "sender-trusted")
def plain_recv(sock: socket.socket, address: Any, seconds: float) -> bytes:
    sock.settimeout(seconds)
    return sock.recv(65535)


@mutant("answer_from", "host-only")
def right_host(sock: socket.socket, address: Any, seconds: float) -> bytes:
    end = time.monotonic() + seconds
    while True:
        sock.settimeout(max(end - time.monotonic(), 0.001))
        data, sender = sock.recvfrom(65535)
        if sender[0] == address[0]:
            return data


@mutant("answer_from", "connect-too-late")
def connects_now(sock: socket.socket, address: Any, seconds: float) -> bytes:
    sock.connect(address)
    sock.settimeout(seconds)
    return sock.recv(65535)


@mutant("answer_from", "pair-returned")
def both_of_them(sock: socket.socket, address: Any, seconds: float) -> Any:
    sock.settimeout(seconds)
    while True:
        pair = sock.recvfrom(65535)
        if pair[1] == address:
            return pair


@mutant("answer_from", "swallows-the-timeout")
def nothing_for_silence(sock: socket.socket, address: Any, seconds: float) -> bytes | None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        with suppress(TimeoutError):
            data, sender = sock.recvfrom(65535)
            if sender == address:
                return data
    return None


@mutant("answer_from", "empty-is-nothing")
def wants_some_bytes(sock: socket.socket, address: Any, seconds: float) -> bytes:
    end = time.monotonic() + seconds
    while True:
        if end <= time.monotonic():
            raise TimeoutError
        sock.settimeout(end - time.monotonic())
        data, sender = sock.recvfrom(65535)
        if data and sender == address:
            return data


@mutant("answer_from", "empty-is-nothing")
def end_of_file(sock: socket.socket, address: Any, seconds: float) -> bytes:
    sock.settimeout(seconds)
    sender = None
    while sender != address:
        data, sender = sock.recvfrom(65535)
        if not data:
            raise EOFError
    return data


@mutant("answer_from", "cut")
def usual_size(sock: socket.socket, address: Any, seconds: float) -> bytes:
    sock.settimeout(seconds)
    while True:
        data, sender = sock.recvfrom(4096)
        if sender == address:
            return data


@mutant("answer_from", "gives-up")
def no_second_look(sock: socket.socket, address: Any, seconds: float) -> bytes:
    sock.settimeout(seconds)
    data, sender = sock.recvfrom(65535)
    if sender != address:
        raise ValueError("a stranger")
    return data


@mutant("answer_from", "gives-up")
def none_for_strangers(sock: socket.socket, address: Any, seconds: float) -> bytes | None:
    sock.settimeout(seconds)
    data, sender = sock.recvfrom(65535)
    return data if sender == address else None


@mutant("answer_from", "waits-anew")
def one_timeout_each(sock: socket.socket, address: Any, seconds: float) -> bytes:
    sock.settimeout(seconds)
    while True:
        data, sender = sock.recvfrom(65535)
        if sender == address:
            return data


@mutant("answer_from", "no-timeout")
def for_as_long_as_it_takes(sock: socket.socket, address: Any, seconds: float) -> bytes:
    while True:
        data, sender = sock.recvfrom(65535)
        if sender == address:
            return data


@mutant("answer_from", "returns-nothing")
def keeps_it(sock: socket.socket, address: Any, seconds: float) -> None:
    sock.settimeout(seconds)
    sender = None
    while sender != address:
        _, sender = sock.recvfrom(65535)


@unusual("answer_from")
def into_a_buffer(sock: socket.socket, address: Any, seconds: float) -> bytes:
    buffer = memoryview(bytearray(65535))
    end = time.monotonic() + seconds
    for _ in itertools.count():
        sock.settimeout(max(end - time.monotonic(), 1e-6))
        size, sender = sock.recvfrom_into(buffer)
        if sender == address:
            return bytes(buffer[:size])
        if time.monotonic() > end:
            break
    raise TimeoutError("nobody but strangers")


@unusual("answer_from")
def with_a_selector(sock: socket.socket, address: Any, seconds: float) -> bytes:
    """Never waits in a receive."""
    end = time.monotonic() + seconds
    sock.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        while selector.select(max(end - time.monotonic(), 0)):
            data, sender = sock.recvfrom(1 << 16)
            if sender == address:
                return data
            if time.monotonic() > end:
                break
    raise TimeoutError


# -- ping --------------------------------------------------------------------------------------------------------------


def summary(count: int, times: list[float]) -> dict[str, Any]:
    """What each right answer returns, and most wrong ones."""
    found: dict[str, Any] = {"sent": count, "lost": count - len(times), "min": None, "median": None, "max": None}
    if times:
        found.update(min=min(times), median=statistics.median(times), max=max(times))
    return found


def echo_of(s: socket.socket, data: bytes, seconds: float) -> float | None:
    """How long the echo of just this takes, on a connected socket; None where it does not come."""
    start = time.perf_counter()
    try:
        s.send(data)
        while (left := start + seconds - time.perf_counter()) > 0:
            s.settimeout(left)
            if s.recv(100) == data:
                return time.perf_counter() - start
    except (TimeoutError, ConnectionRefusedError):
        pass
    return None


def udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@mutant("ping", "loss-escapes")
def all_come_back(address: Any, count: int, seconds: float) -> dict[str, Any]:
    times = []
    with udp() as s:
        s.settimeout(seconds)
        s.connect(address)
        for n in range(count):
            start = time.perf_counter()
            s.send(b"%d" % n)
            s.recv(100)
            times.append(time.perf_counter() - start)
    return summary(count, times)


@mutant("ping", "refused-escapes")
def only_timeouts(address: Any, count: int, seconds: float) -> dict[str, Any]:
    times = []
    with udp() as s:
        s.connect(address)
        for n in range(count):
            start = time.perf_counter()
            s.send(b"%d" % n)
            with suppress(TimeoutError):
                while (left := start + seconds - time.perf_counter()) > 0:
                    s.settimeout(left)
                    if s.recv(100) == b"%d" % n:
                        times.append(time.perf_counter() - start)
                        break
    return summary(count, times)


@mutant("ping", "no-timeout")
def patient(address: Any, count: int, seconds: float) -> dict[str, Any]:
    times = []
    with udp() as s:
        s.connect(address)
        for n in range(count):
            start = time.perf_counter()
            s.send(b"%d" % n)
            s.recv(100)
            times.append(time.perf_counter() - start)
    return summary(count, times)


@mutant("ping", "statistics-of-nothing")
def smallest_of_none(address: Any, count: int, seconds: float) -> dict[str, Any]:
    with udp() as s:
        s.connect(address)
        times = [t for n in range(count) if (t := echo_of(s, b"%d" % n, seconds)) is not None]
    lost = count - len(times)
    return {"sent": count, "lost": lost, "min": min(times), "median": statistics.median(times), "max": max(times)}


@mutant("ping", "all-at-once")
def sends_all_first(address: Any, count: int, seconds: float) -> dict[str, Any]:
    times = []
    with udp() as s:
        s.settimeout(seconds)
        s.connect(address)
        start = time.perf_counter()
        for n in range(count):
            s.send(b"%d" % n)
        with suppress(OSError):
            for _ in range(count):
                s.recv(100)
                times.append(time.perf_counter() - start)
    return summary(count, times)


@mutant("ping", "milliseconds")
def in_milliseconds(address: Any, count: int, seconds: float) -> dict[str, Any]:
    with udp() as s:
        s.connect(address)
        times = [1000 * t for n in range(count) if (t := echo_of(s, b"%d" % n, seconds)) is not None]
    return summary(count, times)


@mutant("ping", "loss-as-time")
def times_a_loss(address: Any, count: int, seconds: float) -> dict[str, Any]:
    times, lost = [], 0
    with udp() as s:
        s.connect(address)
        for n in range(count):
            start = time.perf_counter()
            lost += echo_of(s, b"%d" % n, seconds) is None
            times.append(time.perf_counter() - start)
    return {**summary(count, times), "lost": lost}


@mutant("ping", "stranger-trusted")
def not_connected(address: Any, count: int, seconds: float) -> dict[str, Any]:
    times = []
    with udp() as s:
        for n in range(count):
            start = time.perf_counter()
            s.sendto(b"%d" % n, address)
            with suppress(TimeoutError):
                while (left := start + seconds - time.perf_counter()) > 0:
                    s.settimeout(left)
                    if s.recv(100) == b"%d" % n:
                        times.append(time.perf_counter() - start)
                        break
    return summary(count, times)


@mutant("ping", "same-each-time")
def always_ping(address: Any, count: int, seconds: float) -> dict[str, Any]:
    with udp() as s:
        s.connect(address)
        times = [t for _ in range(count) if (t := echo_of(s, b"ping", seconds)) is not None]
    return summary(count, times)


@mutant("ping", "old-echo")
def any_echo(address: Any, count: int, seconds: float) -> dict[str, Any]:
    times = []
    with udp() as s:
        s.settimeout(seconds)
        s.connect(address)
        for n in range(count):
            start = time.perf_counter()
            with suppress(OSError):
                s.send(b"%d" % n)
                s.recv(100)
                times.append(time.perf_counter() - start)
    return summary(count, times)


@mutant("ping", "late-is-lost")
def one_look(address: Any, count: int, seconds: float) -> dict[str, Any]:
    times = []
    with udp() as s:
        s.settimeout(seconds)
        s.connect(address)
        for n in range(count):
            start = time.perf_counter()
            with suppress(OSError):
                s.send(b"%d" % n)
                if s.recv(100) == b"%d" % n:
                    times.append(time.perf_counter() - start)
    return summary(count, times)


@mutant("ping", "other-numbers")
def shortest_for_all(address: Any, count: int, seconds: float) -> dict[str, Any]:
    with udp() as s:
        s.connect(address)
        times = [t for n in range(count) if (t := echo_of(s, b"%d" % n, seconds)) is not None]
    return summary(count, [min(times)] * len(times) if times else times)


@mutant("ping", "another-form")
def as_a_tuple(address: Any, count: int, seconds: float) -> Any:
    with udp() as s:
        s.connect(address)
        times = [t for n in range(count) if (t := echo_of(s, b"%d" % n, seconds)) is not None]
    return tuple(summary(count, times).values())


@mutant("ping", "another-form")
def average_instead(address: Any, count: int, seconds: float) -> dict[str, Any]:
    with udp() as s:
        s.connect(address)
        times = [t for n in range(count) if (t := echo_of(s, b"%d" % n, seconds)) is not None]
    found = summary(count, times)
    del found["median"]
    return {**found, "average": sum(times) / len(times)}


@mutant("ping", "left-open")
def never_closes(address: Any, count: int, seconds: float) -> dict[str, Any]:
    KEPT.append(udp())
    KEPT[-1].connect(address)
    times = [t for n in range(count) if (t := echo_of(KEPT[-1], b"%d" % n, seconds)) is not None]
    return summary(count, times)


KEPT: list[socket.socket] = []


@unusual("ping")
def one_socket_each(address: Any, count: int, seconds: float) -> dict[str, Any]:
    """An old echo goes to a port that is closed; so the datagrams may be alike."""
    times = []
    for _ in range(count):
        with udp() as s, suppress(OSError):
            s.settimeout(seconds)
            s.connect(address)
            start = time.perf_counter()
            s.send(b"")
            s.recv(1)
            times.append(time.perf_counter() - start)
    return summary(count, times)


@unusual("ping")
def with_asyncio(address: Any, count: int, seconds: float) -> dict[str, Any]:
    class Echoes(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.waiting: dict[bytes, asyncio.Future[None]] = {}

        def datagram_received(self, data: bytes, addr: Any) -> None:
            if data in self.waiting and not self.waiting[data].done():
                self.waiting[data].set_result(None)

    async def run() -> list[float]:
        loop = asyncio.get_running_loop()
        transport, echoes = await loop.create_datagram_endpoint(Echoes, remote_addr=address)
        times = []
        try:
            for n in range(count):
                data = struct.pack("!I", n)
                echoes.waiting[data] = loop.create_future()
                start = time.perf_counter()
                transport.sendto(data)
                with suppress(asyncio.TimeoutError, TimeoutError):
                    await asyncio.wait_for(echoes.waiting[data], seconds)
                    times.append(time.perf_counter() - start)
                del echoes.waiting[data]
        finally:
            transport.close()
            await asyncio.sleep(0)
        return times

    return summary(count, asyncio.run(run()))


# -- send_reliably -----------------------------------------------------------------------------------------------------


def heard(sock: socket.socket, address: Any, wanted: bytes, seconds: float) -> bool:
    """Whether `address` sends just this within that time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            if sock.recvfrom(100) == (wanted, address):
                return True
        except TimeoutError:
            break
    return False


@mutant("send_reliably", "another-number")
def from_one(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    sent = 0
    for number, chunk in enumerate(chunks, 1):
        key = struct.pack("!I", number)
        for _ in range(tries):
            sent += sock.sendto(key + chunk, address) > 0
            if heard(sock, address, key, seconds):
                break
        else:
            raise TimeoutError
    return sent


@mutant("send_reliably", "another-number")
def without_numbers(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    sock.settimeout(seconds)
    for chunk in chunks:
        sock.sendto(chunk, address)
        sock.recvfrom(100)
    return len(chunks)


@mutant("send_reliably", "does-not-wait")
def all_then_listens(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    missing = dict(enumerate(chunks))
    sock.settimeout(seconds)
    sent = 0
    for _ in range(tries):
        for number, chunk in missing.items():
            sock.sendto(struct.pack("!I", number) + chunk, address)
            sent += 1
        with suppress(TimeoutError):
            while missing:
                data, sender = sock.recvfrom(100)
                if sender == address:
                    missing.pop(struct.unpack("!I", data)[0], None)
    if missing:
        raise TimeoutError
    return sent


@mutant("send_reliably", "empty-skipped")
def only_what_there_is(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    sent = 0
    for number, chunk in enumerate(chunks):
        key = struct.pack("!I", number)
        if not chunk:
            continue
        for _ in range(tries):
            sent += sock.sendto(key + chunk, address) > 0
            if heard(sock, address, key, seconds):
                break
        else:
            raise TimeoutError
    return sent


@mutant("send_reliably", "new-number")
def counts_datagrams(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    numbers = itertools.count()
    number = 0
    for chunk in chunks:
        for _ in range(tries):
            number = next(numbers)
            key = struct.pack("!I", number)
            sock.sendto(key + chunk, address)
            if heard(sock, address, key, seconds):
                break
        else:
            raise TimeoutError
    return number + 1


@mutant("send_reliably", "no-repetition")
def one_each(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    for number, chunk in enumerate(chunks):
        key = struct.pack("!I", number)
        sock.sendto(key + chunk, address)
        if not heard(sock, address, key, seconds):
            raise TimeoutError
    return len(chunks)


@mutant("send_reliably", "loss-ignored")
def hopes(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    for number, chunk in enumerate(chunks):
        key = struct.pack("!I", number)
        sock.sendto(key + chunk, address)
        heard(sock, address, key, seconds)
    return len(chunks)


@mutant("send_reliably", "any-acknowledgement")
def never_compares(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    sock.settimeout(seconds)
    sent = 0
    for number, chunk in enumerate(chunks):
        for _ in range(tries):
            sent += sock.sendto(struct.pack("!I", number) + chunk, address) > 0
            try:
                while sock.recvfrom(100)[1] != address:
                    pass
                break
            except TimeoutError:
                continue
        else:
            raise TimeoutError
    return sent


@mutant("send_reliably", "repeats-at-once")
def the_apprentice(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    sock.settimeout(seconds)
    sent = 0
    for number, chunk in enumerate(chunks):
        key, tried, acknowledged = struct.pack("!I", number), 0, False
        while not acknowledged:
            if tried == tries:
                raise TimeoutError
            sent += sock.sendto(key + chunk, address) > 0
            tried += 1
            try:
                acknowledged = sock.recvfrom(100) == (key, address)
            except TimeoutError:
                continue
    return sent


@mutant("send_reliably", "stranger-trusted")
def anybody(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    sock.settimeout(seconds)
    sent = 0
    for number, chunk in enumerate(chunks):
        key = struct.pack("!I", number)
        for _ in range(tries):
            sent += sock.sendto(key + chunk, address) > 0
            try:
                while sock.recv(100) != key:
                    pass
                break
            except TimeoutError:
                continue
        else:
            raise TimeoutError
    return sent


@mutant("send_reliably", "no-timeout")
def waits_for_ever(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    for number, chunk in enumerate(chunks):
        key = struct.pack("!I", number)
        sock.sendto(key + chunk, address)
        while sock.recvfrom(100) != (key, address):
            pass
    return len(chunks)


@mutant("send_reliably", "for-ever")
def never_gives_up(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    sent = 0
    for number, chunk in enumerate(chunks):
        key = struct.pack("!I", number)
        while True:
            sent += sock.sendto(key + chunk, address) > 0
            if heard(sock, address, key, seconds):
                break
    return sent


@mutant("send_reliably", "silent-failure")
def goes_on_after_tries(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    sent = 0
    for number, chunk in enumerate(chunks):
        key = struct.pack("!I", number)
        for _ in range(tries):
            sent += sock.sendto(key + chunk, address) > 0
            if heard(sock, address, key, seconds):
                break
    return sent


@mutant("send_reliably", "another-count")
def tries_after_the_first(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    sent = 0
    for number, chunk in enumerate(chunks):
        key = struct.pack("!I", number)
        for _ in range(tries + 1):
            sent += sock.sendto(key + chunk, address) > 0
            if heard(sock, address, key, seconds):
                break
        else:
            raise TimeoutError
    return sent


@mutant("send_reliably", "counts-chunks")
def counts_successes(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    sent = 0
    for number, chunk in enumerate(chunks):
        key = struct.pack("!I", number)
        for _ in range(tries):
            sock.sendto(key + chunk, address)
            if heard(sock, address, key, seconds):
                sent += 1
                break
        else:
            raise TimeoutError
    return sent


@mutant("send_reliably", "str-for-bytes")
def numbers_as_text(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    for number, chunk in enumerate(chunks):
        sock.sendto(f"{number}{chunk!r}", address)  # type: ignore[call-overload]
    return len(chunks)


@unusual("send_reliably")
def connected(sock: socket.socket, address: Any, chunks: list[bytes], seconds: float, tries: int) -> int:
    """Lets the kernel keep strangers out."""
    sock.connect(address)
    sent = 0
    for number, chunk in enumerate(chunks):
        key = number.to_bytes(4, "big")
        for _ in range(tries):
            sock.send(key + chunk)
            sent += 1
            end = time.monotonic() + seconds
            with suppress(TimeoutError):
                while True:
                    sock.settimeout(max(end - time.monotonic(), 0.001))
                    if sock.recv(4) == key:
                        break
                break
        else:
            raise TimeoutError(f"chunk {number} was sent {tries} times")
    return sent


@unusual("send_reliably")
class Sender:
    """A class, a selector, and no timeout at all."""

    def __new__(cls, sock: socket.socket, address: Any, chunks: Iterable[bytes], seconds: float, tries: int) -> int:  # type: ignore[misc]
        sock.setblocking(False)
        sent = 0
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            for number, chunk in enumerate(chunks):
                sent += cls.until_acknowledged(sock, address, selector, number, chunk, seconds, tries)
        return sent

    @staticmethod
    def until_acknowledged(
        sock: socket.socket, address: Any, selector: Any, number: int, chunk: bytes, seconds: float, tries: int
    ) -> int:
        key = struct.pack("!I", number)
        for n in range(1, tries + 1):
            sock.sendto(b"".join((key, chunk)), address)
            end = time.monotonic() + seconds
            while selector.select(max(0, end - time.monotonic())):
                if sock.recvfrom(4) == (key, address):
                    return n
        raise TimeoutError
