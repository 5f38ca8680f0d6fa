"""Lesson 13: SO_LINGER decoded, whatever its size; options borrowed and put back."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from mutants import mutant, unusual

Settings = list[tuple[int, int, int]]
BUFFERS = (socket.SO_RCVBUF, socket.SO_SNDBUF)


def halved(level: int, name: int, value: int) -> int:
    return value // 2 if level == socket.SOL_SOCKET and name in BUFFERS else value


# -- decode_linger -----------------------------------------------------------------------------------------------------


@mutant("decode_linger", "network-order")
def as_from_the_wire(data: bytes) -> tuple[bool, int]:
    if len(data) not in (4, 8):
        raise ValueError("no linger")
    on, seconds = struct.unpack("!ii" if len(data) == 8 else "!hh", data)
    return bool(on), seconds


@mutant("decode_linger", "swapped")
def seconds_first(data: bytes) -> tuple[Any, Any]:
    on, seconds = struct.unpack("ii", data)
    return seconds, bool(on)


@mutant("decode_linger", "one-byte")
def first_bytes(data: bytes) -> tuple[bool, int]:
    return bool(data[0]), data[len(data) // 2]


@mutant("decode_linger", "on-is-one")
def compares_with_one(data: bytes) -> tuple[bool, int]:
    on, seconds = struct.unpack("ii", data)
    return on == 1, seconds


@mutant("decode_linger", "number-for-bool")
def as_it_comes(data: bytes) -> tuple[int, ...]:
    return struct.unpack("ii", data)


@mutant("decode_linger", "off-is-nothing")
def nothing_when_off(data: bytes) -> tuple[bool, int] | None:
    on, seconds = struct.unpack("ii", data)
    return (True, seconds) if on else None


@mutant("decode_linger", "one-size")
def eight_alone(data: bytes) -> tuple[bool, int]:
    on, seconds = struct.unpack("ii", data)
    return bool(on), seconds


@mutant("decode_linger", "one-size")
def longs(data: bytes) -> tuple[bool, int]:
    on, seconds = struct.unpack("@ll", data)
    return bool(on), seconds


@mutant("decode_linger", "struct-error")
def no_look_at_the_size(data: bytes) -> tuple[bool, int]:
    on, seconds = struct.unpack("hh" if len(data) == 4 else "ii", data)
    return bool(on), seconds


@mutant("decode_linger", "cut-accepted")
def two_halves(data: bytes) -> tuple[bool, int]:
    half = len(data) // 2
    on = int.from_bytes(data[:half], sys.byteorder)
    return bool(on), int.from_bytes(data[half:], sys.byteorder)


@mutant("decode_linger", "cut-accepted")
def the_rest_ignored(data: bytes) -> tuple[bool, int]:
    if len(data) < 4 or len(data) == 6:
        raise ValueError("too short")
    on, seconds = struct.unpack_from("hh" if len(data) == 4 else "ii", data)
    return bool(on), seconds


@mutant("decode_linger", "index-error")
def by_index(data: bytes) -> tuple[bool, int]:
    if len(data) == 4:
        return bool(data[0]), data[2] + 256 * data[3]
    return bool(data[0]), data[4] + 256 * data[5] + 65536 * data[6]


@mutant("decode_linger", "returns-nothing")
def prints_it(data: bytes) -> None:
    print(struct.unpack("ii", data))


class Linger(NamedTuple):
    on: bool
    seconds: int


@unusual("decode_linger")
def as_a_named_tuple(data: bytes) -> Linger:
    form = {8: struct.Struct("ii"), 4: struct.Struct("hh")}.get(len(data))
    if form is None:
        raise ValueError(f"a linger has 8 bytes or 4, not {len(data)}")
    on, seconds = form.unpack(data)
    return Linger(on != 0, seconds)


@unusual("decode_linger")
def without_struct(data: bytes) -> tuple[bool, int]:
    """Two halves, as whole numbers."""
    if len(data) not in (4, 8):
        raise ValueError(data)
    half = len(data) // 2
    return any(data[:half]), int.from_bytes(data[half:], sys.byteorder, signed=True)


# -- borrowed_options --------------------------------------------------------------------------------------------------


@mutant("borrowed_options", "no-context-manager")
def sets_and_returns(sock: socket.socket, settings: Settings) -> Any:
    before = [(level, name, sock.getsockopt(level, name)) for level, name, _ in settings]
    for setting in settings:
        sock.setsockopt(*setting)
    return lambda: [sock.setsockopt(*setting) for setting in before]


@mutant("borrowed_options", "no-context-manager")
def without_the_decorator(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    for setting in settings:
        sock.setsockopt(*setting)
    yield sock


@mutant("borrowed_options", "closes-it")
@contextmanager
def with_its_own_with(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    with sock:
        for setting in settings:
            sock.setsockopt(*setting)
        yield sock


@mutant("borrowed_options", "not-set")
@contextmanager
def reads_and_puts_back(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    before = [(level, name, sock.getsockopt(level, name)) for level, name, _ in settings]
    try:
        yield sock
    finally:
        for setting in before:
            sock.setsockopt(*setting)


@mutant("borrowed_options", "set-again")
@contextmanager
def halves_what_it_sets(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    before = [(level, name, sock.getsockopt(level, name)) for level, name, _ in settings]
    for level, name, value in settings:
        sock.setsockopt(level, name, halved(level, name, value) // (2 if name in BUFFERS and value > 9 else 1))
    try:
        yield sock
    finally:
        for level, name, value in before:
            sock.setsockopt(level, name, halved(level, name, value))


@mutant("borrowed_options", "refusal-swallowed")
@contextmanager
def what_can_be_set(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    before = []
    for level, name, value in settings:
        with contextlib.suppress(OSError):
            before.append((level, name, sock.getsockopt(level, name)))
            sock.setsockopt(level, name, value)
    try:
        yield sock
    finally:
        for level, name, value in reversed(before):
            sock.setsockopt(level, name, halved(level, name, value))


@mutant("borrowed_options", "half-set")
@contextmanager
def tries_too_late(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    before = [(level, name, sock.getsockopt(level, name)) for level, name, _ in settings]
    for setting in settings:
        sock.setsockopt(*setting)
    try:
        yield sock
    finally:
        for level, name, value in before:
            sock.setsockopt(level, name, halved(level, name, value))


@mutant("borrowed_options", "swallowed")
@contextmanager
def catches_all(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    before = [(level, name, sock.getsockopt(level, name)) for level, name, _ in settings]
    for setting in settings:
        sock.setsockopt(*setting)
    with contextlib.suppress(Exception):
        yield sock
    for level, name, value in before:
        sock.setsockopt(level, name, halved(level, name, value))


@mutant("borrowed_options", "swallowed")
class TrueAtTheEnd:
    """__exit__ returns True, which means: it is dealt with."""

    def __init__(self, sock: socket.socket, settings: Settings) -> None:
        self.sock, self.settings = sock, settings

    def __enter__(self) -> None:
        self.before = [(level, name, self.sock.getsockopt(level, name)) for level, name, _ in self.settings]
        for setting in self.settings:
            self.sock.setsockopt(*setting)

    def __exit__(self, *exc: object) -> bool:
        for setting in self.before:
            self.sock.setsockopt(*setting)
        return True


@mutant("borrowed_options", "not-after-an-error")
@contextmanager
def without_finally(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    before = [(level, name, sock.getsockopt(level, name)) for level, name, _ in settings]
    for setting in settings:
        sock.setsockopt(*setting)
    yield sock
    for setting in before:
        sock.setsockopt(*setting)


@mutant("borrowed_options", "grows")
@contextmanager
def as_it_was_read(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    before = []
    try:
        for level, name, value in settings:
            before.append((level, name, sock.getsockopt(level, name)))
            sock.setsockopt(level, name, value)
        yield sock
    finally:
        for setting in reversed(before):
            sock.setsockopt(*setting)


@mutant("borrowed_options", "grows")
@contextmanager
def one_buffer_only(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    before = [(level, name, sock.getsockopt(level, name)) for level, name, _ in settings]
    for setting in settings:
        sock.setsockopt(*setting)
    try:
        yield sock
    finally:
        for level, name, value in before:
            sock.setsockopt(level, name, value // 2 if name == socket.SO_RCVBUF else value)


@mutant("borrowed_options", "halves-all")
@contextmanager
def half_of_everything(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    before = [(level, name, sock.getsockopt(level, name)) for level, name, _ in settings]
    for setting in settings:
        sock.setsockopt(*setting)
    try:
        yield sock
    finally:
        for level, name, value in before:
            sock.setsockopt(level, name, value // 2)


@mutant("borrowed_options", "back-to-off")
@contextmanager
def off_again(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    usual = {(level, name): s.getsockopt(level, name) for level, name, _ in settings for s in [sock]}
    for setting in settings:
        sock.setsockopt(*setting)
    try:
        yield sock
    finally:
        for (level, name), value in usual.items():
            sock.setsockopt(level, name, 0 if value in (0, 1) else value)


@mutant("borrowed_options", "restored-forwards")
@contextmanager
def first_in_first_out(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    before: Settings = []
    try:
        for level, name, value in settings:
            before.append((level, name, sock.getsockopt(level, name)))
            sock.setsockopt(level, name, value)
        yield sock
    finally:
        for level, name, value in before:
            sock.setsockopt(level, name, halved(level, name, value))


@mutant("borrowed_options", "not-put-back")
@contextmanager
def only_sets(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    for setting in settings:
        sock.setsockopt(*setting)
    yield sock


@mutant("borrowed_options", "not-put-back")
@contextmanager
def by_name(sock: socket.socket, settings: Settings) -> Iterator[socket.socket]:
    before = {name: sock.getsockopt(socket.SOL_SOCKET, name) for _, name, _ in settings}
    for level, name, value in settings:
        sock.setsockopt(level, name, value)
    try:
        yield sock
    finally:
        for name, value in before.items():
            sock.setsockopt(socket.SOL_SOCKET, name, value)


@unusual("borrowed_options")
class Borrowed:
    """A class with the two methods that `with` calls, and an ExitStack that remembers the order."""

    def __init__(self, sock: socket.socket, settings: Settings) -> None:
        self.sock, self.settings = sock, settings

    def __enter__(self) -> socket.socket:
        with ExitStack() as stack:
            for level, name, value in self.settings:
                before = halved(level, name, self.sock.getsockopt(level, name))
                self.sock.setsockopt(level, name, value)
                stack.callback(self.sock.setsockopt, level, name, before)
            self.stack = stack.pop_all()
        return self.sock

    def __exit__(self, *exc: object) -> None:
        self.stack.close()


@unusual("borrowed_options")
@contextmanager
def all_read_first(sock: socket.socket, settings: Settings) -> Iterator[None]:
    """A dict has each option once, with its first value."""
    before = {(level, name): sock.getsockopt(level, name) for level, name, _ in settings}
    try:
        for setting in settings:
            sock.setsockopt(*setting)
        yield
    finally:
        for (level, name), value in before.items():
            sock.setsockopt(level, name, halved(level, name, value))


@unusual("borrowed_options")
def one_by_one(sock: socket.socket, settings: Settings) -> Any:
    """A block in a block: each gives back its own, and the rest is borrowed inside."""

    @contextmanager
    def borrowed(rest: Settings) -> Iterator[None]:
        if not rest:
            yield
            return
        (level, name, value), *others = rest
        before = sock.getsockopt(level, name)
        sock.setsockopt(level, name, value)
        try:
            with borrowed(others):
                yield
        finally:
            sock.setsockopt(level, name, halved(level, name, before))

    return borrowed(settings)
