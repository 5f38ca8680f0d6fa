"""Lesson 12: join, read and leave; a whisper; a discovery."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import selectors
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

from mutants import mutant, unusual

Sock = socket.socket
ADD, DROP = socket.IP_ADD_MEMBERSHIP, socket.IP_DROP_MEMBERSHIP
IP = socket.IPPROTO_IP


def asked(group: str, interface: str = "127.0.0.1") -> bytes:
    return socket.inet_aton(group) + socket.inet_aton(interface)


# -- read_and_leave ----------------------------------------------------------------------------------------------------


@mutant("read_and_leave", "stays-member")
def never_leaves(sock: Sock, group: str, count: int) -> Any:
    sock.setsockopt(IP, ADD, asked(group))
    return [sock.recv(1000) for _ in range(count)]


@mutant("read_and_leave", "not-after-an-error")
def without_finally(sock: Sock, group: str, count: int) -> Any:
    sock.setsockopt(IP, ADD, asked(group))
    messages = [sock.recv(1000) for _ in range(count)]
    sock.setsockopt(IP, DROP, asked(group))
    return messages


@mutant("read_and_leave", "closes-it")
def closes_to_leave(sock: Sock, group: str, count: int) -> Any:
    with sock:
        sock.setsockopt(IP, ADD, asked(group))
        return [sock.recv(1000) for _ in range(count)]


@mutant("read_and_leave", "never-joins")
def trusts_bind(sock: Sock, group: str, count: int) -> Any:
    return [sock.recv(1000) for _ in range(count)]


@mutant("read_and_leave", "other-interface")
def any_interface(sock: Sock, group: str, count: int) -> Any:
    request = asked(group, "0.0.0.0")
    sock.setsockopt(IP, ADD, request)
    try:
        return [sock.recv(1000) for _ in range(count)]
    finally:
        sock.setsockopt(IP, DROP, request)


@mutant("read_and_leave", "leaves-for-another")
def join_inside(sock: Sock, group: str, count: int) -> Any:
    try:
        sock.setsockopt(IP, ADD, asked(group))
        return [sock.recv(1000) for _ in range(count)]
    finally:
        sock.setsockopt(IP, DROP, asked(group))


@mutant("read_and_leave", "swallowed")
def what_came_by_then(sock: Sock, group: str, count: int) -> Any:
    sock.setsockopt(IP, ADD, asked(group))
    messages: list[bytes] = []
    try:
        while len(messages) < count:
            messages.append(sock.recv(1000))
    except TimeoutError:
        pass
    finally:
        sock.setsockopt(IP, DROP, asked(group))
    return messages


@mutant("read_and_leave", "swallowed")
def joined_or_not(sock: Sock, group: str, count: int) -> Any:
    joined = False
    with contextlib.suppress(OSError):
        sock.setsockopt(IP, ADD, asked(group))
        joined = True
    try:
        return [sock.recv(1000) for _ in range(count)]
    finally:
        if joined:
            sock.setsockopt(IP, DROP, asked(group))


@mutant("read_and_leave", "reads-first")
def at_least_one(sock: Sock, group: str, count: int) -> Any:
    sock.setsockopt(IP, ADD, asked(group))
    try:
        messages = [sock.recv(1000)]
        while len(messages) < count:
            messages.append(sock.recv(1000))
        return messages
    finally:
        sock.setsockopt(IP, DROP, asked(group))


@mutant("read_and_leave", "empty-is-the-end")
def as_a_stream(sock: Sock, group: str, count: int) -> Any:
    sock.setsockopt(IP, ADD, asked(group))
    try:
        messages: list[bytes] = []
        while len(messages) < count and (data := sock.recv(1000)):
            messages.append(data)
        return messages
    finally:
        sock.setsockopt(IP, DROP, asked(group))


@mutant("read_and_leave", "empty-is-the-end")
def those_with_bytes(sock: Sock, group: str, count: int) -> Any:
    sock.setsockopt(IP, ADD, asked(group))
    try:
        return [data for _ in range(count) if (data := sock.recv(1000))]
    finally:
        sock.setsockopt(IP, DROP, asked(group))


@mutant("read_and_leave", "empty-passed-over")
def until_there_are_enough(sock: Sock, group: str, count: int) -> Any:
    sock.setsockopt(IP, ADD, asked(group))
    try:
        messages: list[bytes] = []
        while len(messages) < count:
            if data := sock.recv(1000):
                messages.append(data)
        return messages
    finally:
        sock.setsockopt(IP, DROP, asked(group))


@mutant("read_and_leave", "cut-off")
def small_recv(sock: Sock, group: str, count: int) -> Any:
    sock.setsockopt(IP, ADD, asked(group))
    try:
        return [sock.recv(100) for _ in range(count)]
    finally:
        sock.setsockopt(IP, DROP, asked(group))


@mutant("read_and_leave", "too-many")
def one_more(sock: Sock, group: str, count: int) -> Any:
    sock.setsockopt(IP, ADD, asked(group))
    try:
        messages = [sock.recv(1000) for _ in range(count)]
        sock.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            while True:
                messages.append(sock.recv(1000))
        return messages
    finally:
        sock.setsockopt(IP, DROP, asked(group))


@mutant("read_and_leave", "no-list")
def joined_bytes(sock: Sock, group: str, count: int) -> Any:
    sock.setsockopt(IP, ADD, asked(group))
    try:
        return b"".join(sock.recv(1000) for _ in range(count))
    finally:
        sock.setsockopt(IP, DROP, asked(group))


@mutant("read_and_leave", "returns-nothing")
def forgets_them(sock: Sock, group: str, count: int) -> Any:
    sock.setsockopt(IP, ADD, asked(group))
    try:
        for _ in range(count):
            sock.recv(1000)
    finally:
        sock.setsockopt(IP, DROP, asked(group))


@contextlib.contextmanager
def membership(sock: Sock, group: str) -> Iterator[Sock]:
    by_number = struct.pack("=4s4si", socket.inet_aton(group), bytes(4), socket.if_nametoindex("lo"))
    sock.setsockopt(IP, ADD, by_number)
    try:
        yield sock
    finally:
        sock.setsockopt(IP, DROP, by_number)


@unusual("read_and_leave")
def by_the_interfaces_number(sock: Sock, group: str, count: int) -> Any:
    with membership(sock, group) as own:
        return [own.recvfrom(65536)[0] for _ in range(count)]


@unusual("read_and_leave")
def with_a_stack(sock: Sock, group: str, count: int) -> Any:
    with contextlib.ExitStack() as stack:
        sock.setsockopt(IP, ADD, asked(group))
        stack.callback(functools.partial(sock.setsockopt, IP, DROP, asked(group)))
        messages: list[bytes] = []
        room = bytearray(2000)
        while len(messages) < count:
            messages.append(bytes(room[: sock.recv_into(room)]))
        return messages


# -- whisper -----------------------------------------------------------------------------------------------------------


def prepared(ttl: int | None = 0) -> Sock:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.2)
    s.setsockopt(IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    if ttl is not None:
        s.setsockopt(IP, socket.IP_MULTICAST_TTL, ttl)
    return s


@mutant("whisper", "one-network")
def as_it_comes(message: bytes, group: str, port: int) -> Any:
    with prepared(None) as s:
        return s.sendto(message, (group, port))


@mutant("whisper", "one-network")
def a_ttl_of_one(message: bytes, group: str, port: int) -> Any:
    with prepared(1) as s:
        return s.sendto(message, (group, port))


@mutant("whisper", "ttl-too-late")
def afterwards(message: bytes, group: str, port: int) -> Any:
    with prepared(None) as s:
        sent = s.sendto(message, (group, port))
        s.setsockopt(IP, socket.IP_MULTICAST_TTL, 0)
        return sent


@mutant("whisper", "ttl-of-unicast")
def the_other_ttl(message: bytes, group: str, port: int) -> Any:
    with prepared(None) as s:
        s.setsockopt(IP, socket.IP_TTL, 1)
        return s.sendto(message, (group, port))


@mutant("whisper", "ttl-of-unicast")
def the_other_ttl_of_zero(message: bytes, group: str, port: int) -> Any:
    with prepared(None) as s:
        s.setsockopt(IP, socket.IP_TTL, 0)
        return s.sendto(message, (group, port))


@mutant("whisper", "no-interface")
def any_door(message: bytes, group: str, port: int) -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(IP, socket.IP_MULTICAST_TTL, 0)
        return s.sendto(message, (group, port))


@mutant("whisper", "one-machine")
def to_the_interface(message: bytes, group: str, port: int) -> Any:
    with prepared() as s:
        return s.sendto(message, ("127.0.0.1", port))


@mutant("whisper", "empty-not-sent")
def only_if_there_is_one(message: bytes, group: str, port: int) -> Any:
    with prepared() as s:
        return s.sendto(message, (group, port)) if message else 0


@mutant("whisper", "waits-for-answer")
def and_the_answer(message: bytes, group: str, port: int) -> Any:
    with prepared() as s:
        sent = s.sendto(message, (group, port))
        s.recv(100)
        return sent


@mutant("whisper", "left-open")
def leaves_it_open(message: bytes, group: str, port: int) -> Any:
    s = prepared()
    KEPT.append(s)
    return s.sendto(message, (group, port))


KEPT: list[Sock] = []


@mutant("whisper", "returns-nothing")
def says_nothing(message: bytes, group: str, port: int) -> Any:
    with prepared() as s:
        s.sendto(message, (group, port))


@unusual("whisper")
def connected_and_sent(message: bytes, group: str, port: int) -> Any:
    with prepared() as s:
        s.connect((group, port))
        return s.send(message)


@unusual("whisper")
def in_one_byte(message: bytes, group: str, port: int) -> Any:
    with contextlib.closing(prepared(None)) as s:
        s.setsockopt(IP, socket.IP_MULTICAST_TTL, b"\0")
        return s.sendmsg([message], [], 0, (group, port))


# -- discover ----------------------------------------------------------------------------------------------------------

QUESTION, GREETING = b"who is there?", b"I am "


def listens(s: Sock, seconds: float) -> set[bytes]:
    end = time.monotonic() + seconds
    names = set()
    while (left := end - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            answer = s.recv(1000)
        except TimeoutError:
            break
        if answer.startswith(GREETING):
            names.add(answer[len(GREETING) :])
    return names


@mutant("discover", "first-answer")
def takes_the_first(group: str, port: int, seconds: float) -> Any:
    with prepared() as s:
        s.settimeout(seconds)
        s.sendto(QUESTION, (group, port))
        return {s.recv(1000).removeprefix(GREETING)}


@mutant("discover", "no-timeout")
def for_ever(group: str, port: int, seconds: float) -> Any:
    with prepared() as s:
        s.settimeout(None)
        s.sendto(QUESTION, (group, port))
        names = set()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            names.add(s.recv(1000).removeprefix(GREETING))
        return names


@mutant("discover", "each-its-own-time")
def until_it_is_quiet(group: str, port: int, seconds: float) -> Any:
    with prepared() as s:
        s.settimeout(seconds)
        s.sendto(QUESTION, (group, port))
        names = set()
        with contextlib.suppress(TimeoutError):
            while True:
                answer = s.recv(1000)
                if answer.startswith(GREETING):
                    names.add(answer.removeprefix(GREETING))
        return names


@mutant("discover", "gives-up-early")
def a_short_silence(group: str, port: int, seconds: float) -> Any:
    with prepared() as s:
        s.settimeout(0.05)
        s.sendto(QUESTION, (group, port))
        names = set()
        with contextlib.suppress(TimeoutError):
            while True:
                answer = s.recv(1000)
                if answer.startswith(GREETING):
                    names.add(answer.removeprefix(GREETING))
        return names


@mutant("discover", "silence-raised")
def until_it_raises(group: str, port: int, seconds: float) -> Any:
    end = time.monotonic() + seconds
    with prepared() as s:
        s.sendto(QUESTION, (group, port))
        names = set()
        while (left := end - time.monotonic()) > 0:
            s.settimeout(left)
            names.add(s.recv(1000).removeprefix(GREETING))
        return names


@mutant("discover", "negative-time")
def below_zero(group: str, port: int, seconds: float) -> Any:
    end = time.monotonic() + seconds
    with prepared() as s:
        s.sendto(QUESTION, (group, port))
        names = set()
        while True:
            s.settimeout(end - time.monotonic())
            with contextlib.suppress(TimeoutError):
                names.add(s.recv(1000).removeprefix(GREETING))


@mutant("discover", "connected")
def to_the_group_alone(group: str, port: int, seconds: float) -> Any:
    with prepared() as s:
        s.connect((group, port))
        s.send(QUESTION)
        return listens(s, seconds)


@mutant("discover", "no-interface")
def by_any_door(group: str, port: int, seconds: float) -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(IP, socket.IP_MULTICAST_TTL, 0)
        s.sendto(QUESTION, (group, port))
        return listens(s, seconds)


@mutant("discover", "question-travels")
def with_the_usual_ttl(group: str, port: int, seconds: float) -> Any:
    with prepared(None) as s:
        s.sendto(QUESTION, (group, port))
        return listens(s, seconds)


@mutant("discover", "with-the-greeting")
def whole_answers(group: str, port: int, seconds: float) -> Any:
    with prepared() as s:
        s.sendto(QUESTION, (group, port))
        return {GREETING + name for name in listens(s, seconds)}


@mutant("discover", "believes-anybody")
def takes_all(group: str, port: int, seconds: float) -> Any:
    end = time.monotonic() + seconds
    with prepared() as s:
        s.sendto(QUESTION, (group, port))
        names = set()
        with contextlib.suppress(TimeoutError):
            while (left := end - time.monotonic()) > 0:
                s.settimeout(left)
                names.add(s.recv(1000).removeprefix(GREETING))
        return names


@mutant("discover", "no-set")
def in_a_list(group: str, port: int, seconds: float) -> Any:
    with prepared() as s:
        s.sendto(QUESTION, (group, port))
        return sorted(listens(s, seconds))


@mutant("discover", "str-for-bytes")
def asks_in_letters(group: str, port: int, seconds: float) -> Any:
    with prepared() as s:
        question: Any = "who is there?"
        s.sendto(question, (group, port))
        return listens(s, seconds)


@mutant("discover", "left-open")
def leaves_the_socket(group: str, port: int, seconds: float) -> Any:
    s = prepared()
    KEPT.append(s)
    s.sendto(QUESTION, (group, port))
    return listens(s, seconds)


@unusual("discover")
def with_a_selector(group: str, port: int, seconds: float) -> Any:
    end, names = time.monotonic() + seconds, set()
    with prepared() as s, selectors.DefaultSelector() as selector:
        s.setblocking(False)
        selector.register(s, selectors.EVENT_READ)
        s.sendto(QUESTION, (group, port))
        while (left := end - time.monotonic()) > 0 and selector.select(left):
            data, _ = s.recvfrom(2048)
            hello, found, name = data.partition(GREETING)
            if found and not hello:
                names.add(name)
    return names


class _Names(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.names: set[bytes] = set()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if data[:5] == GREETING:
            self.names.add(data[5:])


@unusual("discover")
def with_asyncio(group: str, port: int, seconds: float) -> Any:
    async def ask() -> set[bytes]:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(_Names, sock=prepared())
        try:
            transport.sendto(QUESTION, (group, port))
            await asyncio.sleep(seconds)
        finally:
            transport.close()
            await asyncio.sleep(0)
        return protocol.names

    return asyncio.run(ask())
