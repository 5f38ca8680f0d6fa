"""Lesson 18: a decoder for records of any length, and a heartbeat."""

from __future__ import annotations

import asyncio
import ctypes
import select
import socket
import struct
import time
from typing import Any

from mutants import mutant, unusual

Sock = socket.socket
Fields = dict[str, Any]

TABLE = {
    "state": (0, "B"), "unacked": (24, "I"), "rtt": (68, "I"), "snd_cwnd": (80, "I"), "total_retrans": (100, "I"),
    "bytes_acked": (120, "Q"),
}  # fmt: skip

# -- decode_tcp_info ---------------------------------------------------------------------------------------------------


@mutant("decode_tcp_info", "raises-when-short")
def reads_them_all(data: bytes) -> Fields:
    return {name: struct.unpack_from("=" + code, data, at)[0] for name, (at, code) in TABLE.items()}


@mutant("decode_tcp_info", "raises-when-short")
def first_byte_first(data: bytes) -> Fields:
    found: Fields = {"state": data[0]}
    for name, (at, code) in list(TABLE.items())[1:]:
        there = at + struct.calcsize(code) <= len(data)
        found[name] = struct.unpack_from("=" + code, data, at)[0] if there else None
    return found


@mutant("decode_tcp_info", "exact-size")
def one_format(data: bytes) -> Fields:
    numbers = struct.unpack("=B23xI40xI8xI16xI16xQ", data)
    return dict(zip(TABLE, numbers, strict=True))


@mutant("decode_tcp_info", "zero-for-missing")
def padded(data: bytes) -> Fields:
    data = data.ljust(1024, b"\0")
    return {name: struct.unpack_from("=" + code, data, at)[0] for name, (at, code) in TABLE.items()}


@mutant("decode_tcp_info", "left-out")
def only_what_is_there(data: bytes) -> Fields:
    return {
        name: struct.unpack_from("=" + code, data, at)[0]
        for name, (at, code) in TABLE.items()
        if at + struct.calcsize(code) <= len(data)
    }


@mutant("decode_tcp_info", "all-or-nothing")
def tries_once(data: bytes) -> Fields:
    try:
        return {name: struct.unpack_from("=" + code, data, at)[0] for name, (at, code) in TABLE.items()}
    except struct.error:
        return dict.fromkeys(TABLE)


@mutant("decode_tcp_info", "cut-field")
def slices(data: bytes) -> Fields:
    found: Fields = {}
    for name, (at, code) in TABLE.items():
        piece = data[at : at + struct.calcsize(code)]
        found[name] = int.from_bytes(piece, "little") if piece else None
    return found


@mutant("decode_tcp_info", "network-order")
def as_on_the_wire(data: bytes) -> Fields:
    found: Fields = {}
    for name, (at, code) in TABLE.items():
        there = at + struct.calcsize("=" + code) <= len(data)
        found[name] = struct.unpack_from("!" + code, data, at)[0] if there else None
    return found


@mutant("decode_tcp_info", "half-of-eight")
def four_bytes_each(data: bytes) -> Fields:
    found: Fields = {"state": data[0] if data else None}
    for name, (at, _) in list(TABLE.items())[1:]:
        size = 8 if name == "bytes_acked" else 4
        found[name] = struct.unpack_from("=I", data, at)[0] if at + size <= len(data) else None
    return found


@mutant("decode_tcp_info", "word-for-number")
def names_the_state(data: bytes) -> Fields:
    found = right(data)
    found["state"] = "ESTABLISHED" if found["state"] == 1 else found["state"]
    return found


@mutant("decode_tcp_info", "wrong-place")
def counts_from_one(data: bytes) -> Fields:
    found: Fields = {"state": data[0] if data else None}
    for name, (at, code) in list(TABLE.items())[1:]:
        there = at + struct.calcsize(code) <= len(data)
        found[name] = struct.unpack_from("=" + code, data, at - 1)[0] if there else None
    return found


@mutant("decode_tcp_info", "returns-nothing")
def prints_it(data: bytes) -> None:
    print(right(data))


def right(data: bytes) -> Fields:
    return {
        name: struct.unpack_from("=" + code, data, at)[0] if at + struct.calcsize(code) <= len(data) else None
        for name, (at, code) in TABLE.items()
    }


class Decoder:
    """An answer may be an object that can be called."""

    __name__ = "Decoder"

    def __call__(self, data: bytes) -> Fields:
        found: Fields = dict.fromkeys(TABLE)
        for name, (at, code) in TABLE.items():
            try:
                (found[name],) = struct.unpack_from("=" + code, data, at)
            except struct.error:
                pass
        return found


unusual("decode_tcp_info")(Decoder())


@unusual("decode_tcp_info")
def with_ctypes(data: bytes) -> Fields:
    kinds: dict[str, Any] = {"B": ctypes.c_uint8, "I": ctypes.c_uint32, "Q": ctypes.c_uint64}
    found: Fields = {}
    for name, (at, code) in TABLE.items():
        kind = kinds[code]
        found[name] = kind.from_buffer_copy(data, at).value if at + ctypes.sizeof(kind) <= len(data) else None
    return found


# -- check_peer --------------------------------------------------------------------------------------------------------


def heartbeat(sock: Sock, soon: float, deadline: float) -> str:
    began, line = time.monotonic(), b""
    try:
        sock.settimeout(deadline)
        sock.sendall(b"ping\n")
        while not line.endswith(b"\n"):
            left = began + deadline - time.monotonic()
            if left <= 0:
                return "dead"
            sock.settimeout(left)
            piece = sock.recv(100)
            if not piece:
                return "closed"
            line += piece
    except TimeoutError:
        return "dead"
    except ConnectionError:
        return "closed"
    return "alive" if time.monotonic() - began <= soon else "slow"


@mutant("check_peer", "each-its-own-time")
def per_call(sock: Sock, soon: float, deadline: float) -> str:
    began, line = time.monotonic(), b""
    sock.settimeout(deadline)
    try:
        sock.sendall(b"ping\n")
        while not line.endswith(b"\n"):
            piece = sock.recv(100)
            if not piece:
                return "closed"
            line += piece
    except TimeoutError:
        return "dead"
    except ConnectionError:
        return "closed"
    return "alive" if time.monotonic() - began <= soon else "slow"


@mutant("check_peer", "one-recv")
def one_piece(sock: Sock, soon: float, deadline: float) -> str:
    began = time.monotonic()
    sock.settimeout(deadline)
    try:
        sock.sendall(b"ping\n")
        answer = sock.recv(100)
    except TimeoutError:
        return "dead"
    except ConnectionError:
        return "closed"
    if answer != b"pong\n":
        return "closed"
    return "alive" if time.monotonic() - began <= soon else "slow"


@mutant("check_peer", "early")
def soon_is_all(sock: Sock, soon: float, deadline: float) -> str:
    word = heartbeat(sock, soon, soon)
    return "dead" if word == "slow" else word


@mutant("check_peer", "early")
def half_of_it(sock: Sock, soon: float, deadline: float) -> str:
    return heartbeat(sock, soon, deadline if deadline > 0.5 else deadline / 2)


@mutant("check_peer", "late-is-alive")
def no_slow_ones(sock: Sock, soon: float, deadline: float) -> str:
    word = heartbeat(sock, soon, deadline)
    return "alive" if word == "slow" else word


@mutant("check_peer", "closed-is-dead")
def two_words(sock: Sock, soon: float, deadline: float) -> str:
    word = heartbeat(sock, soon, deadline)
    return "dead" if word == "closed" else word


@mutant("check_peer", "reset-raised")
def end_alone(sock: Sock, soon: float, deadline: float) -> str:
    began, line = time.monotonic(), b""
    try:
        sock.settimeout(deadline)
        sock.sendall(b"ping\n")
        while not line.endswith(b"\n"):
            left = began + deadline - time.monotonic()
            if left <= 0:
                return "dead"
            sock.settimeout(left)
            piece = sock.recv(100)
            if not piece:
                return "closed"
            line += piece
    except TimeoutError:
        return "dead"
    return "alive" if time.monotonic() - began <= soon else "slow"


@mutant("check_peer", "timeout-raised")
def lets_it_out(sock: Sock, soon: float, deadline: float) -> str:
    began, line = time.monotonic(), b""
    try:
        sock.settimeout(deadline)
        sock.sendall(b"ping\n")
        while not line.endswith(b"\n"):
            piece = sock.recv(100)
            if not piece:
                return "closed"
            line += piece
    except ConnectionError:
        return "closed"
    return "alive" if time.monotonic() - began <= soon else "slow"


@mutant("check_peer", "no-limit")
def waits_for_ever(sock: Sock, soon: float, deadline: float) -> str:
    began, line = time.monotonic(), b""
    try:
        sock.sendall(b"ping\n")
        while not line.endswith(b"\n"):
            piece = sock.recv(100)
            if not piece:
                return "closed"
            line += piece
    except ConnectionError:
        return "closed"
    took = time.monotonic() - began
    return "alive" if took <= soon else "slow" if took <= deadline else "dead"


@mutant("check_peer", "send-unbounded")
def sends_first(sock: Sock, soon: float, deadline: float) -> str:
    began, line = time.monotonic(), b""
    try:
        sock.sendall(b"ping\n")
        while not line.endswith(b"\n"):
            left = began + deadline - time.monotonic()
            if left <= 0:
                return "dead"
            sock.settimeout(left)
            piece = sock.recv(100)
            if not piece:
                return "closed"
            line += piece
    except TimeoutError:
        return "dead"
    except ConnectionError:
        return "closed"
    return "alive" if time.monotonic() - began <= soon else "slow"


@mutant("check_peer", "no-question")
def keepalive_will_do(sock: Sock, soon: float, deadline: float) -> str:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.settimeout(deadline)
    try:
        return "alive" if sock.recv(100) else "closed"
    except TimeoutError:
        return "dead"


@mutant("check_peer", "asks-again")
def asks_until_heard(sock: Sock, soon: float, deadline: float) -> str:
    began, line = time.monotonic(), b""
    sock.settimeout(0.06)
    while time.monotonic() < began + deadline:
        try:
            sock.sendall(b"ping\n")
            line += sock.recv(100)
        except TimeoutError:
            continue
        except ConnectionError:
            return "closed"
        if line.endswith(b"\n"):
            return "alive" if time.monotonic() - began <= soon else "slow"
    return "dead"


@mutant("check_peer", "closes-it")
def with_the_socket(sock: Sock, soon: float, deadline: float) -> str:
    with sock:
        return heartbeat(sock, soon, deadline)


@mutant("check_peer", "a-part-is-enough")
def broken_if_torn(sock: Sock, soon: float, deadline: float) -> str:
    began, line = time.monotonic(), b""
    try:
        sock.settimeout(deadline)
        sock.sendall(b"ping\n")
        while not line.endswith(b"\n"):
            left = began + deadline - time.monotonic()
            if left <= 0:
                break
            sock.settimeout(left)
            piece = sock.recv(100)
            if not piece:
                return "closed"
            line += piece
    except TimeoutError:
        pass
    except ConnectionError:
        return "closed"
    if not line.endswith(b"\n"):
        return "closed" if line else "dead"
    return "alive" if time.monotonic() - began <= soon else "slow"


@unusual("check_peer")
def with_select(sock: Sock, soon: float, deadline: float) -> str:
    began, line = time.monotonic(), b""
    sock.setblocking(False)
    try:
        if not select.select([], [sock], [], deadline)[1]:
            return "dead"
        sock.send(b"ping\n")
        while not line.endswith(b"\n"):
            left = began + deadline - time.monotonic()
            if left <= 0 or not select.select([sock], [], [], left)[0]:
                return "dead"
            piece = sock.recv(100)
            if not piece:
                return "closed"
            line += piece
    except ConnectionError:
        return "closed"
    return "alive" if time.monotonic() - began <= soon else "slow"


@unusual("check_peer")
def with_asyncio(sock: Sock, soon: float, deadline: float) -> str:
    async def ask() -> str:
        loop, line = asyncio.get_running_loop(), b""
        await loop.sock_sendall(sock, b"ping\n")
        while not line.endswith(b"\n"):
            piece = await loop.sock_recv(sock, 100)
            if not piece:
                return "closed"
            line += piece
        return "answered"

    async def bounded() -> str:
        return await asyncio.wait_for(ask(), deadline)

    began = time.monotonic()
    sock.setblocking(False)
    try:
        word = asyncio.run(bounded())
    except (asyncio.TimeoutError, TimeoutError):
        return "dead"
    except ConnectionError:
        return "closed"
    if word == "closed":
        return word
    return "alive" if time.monotonic() - began <= soon else "slow"


unusual("check_peer")(heartbeat)
