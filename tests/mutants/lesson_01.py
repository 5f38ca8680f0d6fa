"""Lesson 01: make a socket, make many or none, hand a conversation over, look at a lent number."""

from __future__ import annotations

import errno
import functools
import os
import socket
from contextlib import ExitStack
from typing import Any

from mutants import mutant, unusual

# -- udp_socket --------------------------------------------------------------------------------------------------------


@mutant("udp_socket", "proto-left-out")
def two_arguments() -> Any:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@mutant("udp_socket", "stream")
def what_python_takes() -> Any:
    return socket.socket()


@mutant("udp_socket", "other-protocol")
def tcp_as_usual() -> Any:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_TCP)


@mutant("udp_socket", "closed-on-return")
def always_with() -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP) as s:
        return s


@mutant("udp_socket", "returns-number")
def only_the_protocol() -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP) as s:
        return s.proto


@mutant("udp_socket", "same-socket")
@functools.cache
def remembered() -> Any:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP)


@mutant("udp_socket", "returns-nothing")
def no_return() -> Any:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP).close()


class Datagrams(socket.socket):
    """A class is called as well."""

    def __init__(self) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM, socket.getprotobyname("udp"))


unusual("udp_socket")(Datagrams)


# -- pairs -------------------------------------------------------------------------------------------------------------


@mutant("pairs", "leaks-on-error")
def forgets_on_error(n: int) -> Any:
    made: list[Any] = []
    for _ in range(n):
        made += socket.socketpair()
    return made


@mutant("pairs", "leaks-on-error")
def closes_the_last_only(n: int) -> Any:
    made: list[Any] = []
    pair: Any = ()
    try:
        for _ in range(n):
            pair = socket.socketpair()
            made.extend(pair)
    except OSError:
        for s in pair:
            s.close()
        raise
    return made


@mutant("pairs", "error-swallowed")
def as_many_as_there_are(n: int) -> Any:
    made: list[Any] = []
    try:
        for _ in range(n):
            made += socket.socketpair()
    except OSError:
        for s in made:
            s.close()
    return made


@mutant("pairs", "closed-on-return")
def finally_closes(n: int) -> Any:
    made: list[Any] = []
    try:
        for _ in range(n):
            made += socket.socketpair()
        return made
    finally:
        for s in made:
            s.close()


@mutant("pairs", "closed-on-return")
def stack_closes(n: int) -> Any:
    with ExitStack() as stack:
        return [stack.enter_context(s) for _ in range(n) for s in socket.socketpair()]


@mutant("pairs", "nested")
def appends_pairs(n: int) -> Any:
    return [socket.socketpair() for _ in range(n)]


@mutant("pairs", "repeated")
def multiplied(n: int) -> Any:
    return [*socket.socketpair()] * n


@mutant("pairs", "alone")
def single_sockets(n: int) -> Any:
    return [socket.socket() for _ in range(2 * n)]


@mutant("pairs", "raised")
def left_before_it_is_there(n: int) -> Any:
    made: list[Any] = []
    try:
        for _ in range(n):
            left, right = socket.socketpair()
            made += [left, right]
    except OSError:
        left.close()
        right.close()
        raise
    return made


@unusual("pairs")
def with_a_stack(n: int) -> Any:
    with ExitStack() as stack:
        made = [stack.enter_context(s) for _ in range(n) for s in socket.socketpair()]
        stack.pop_all()
        return made


@unusual("pairs")
def one_calls_the_next(n: int) -> Any:
    if n == 0:
        return []
    pair = socket.socketpair()
    try:
        return [*pair, *one_calls_the_next(n - 1)]
    except BaseException:
        for s in pair:
            s.close()
        raise


# -- renew -------------------------------------------------------------------------------------------------------------


@mutant("renew", "timeout-lost")
def number_alone(old: socket.socket) -> Any:
    return socket.socket(fileno=old.detach())


@mutant("renew", "one-number-two-owners")
def shares_the_number(old: socket.socket) -> Any:
    return socket.socket(fileno=old.fileno())


@mutant("renew", "two-numbers")
def duplicates(old: socket.socket) -> Any:
    return old.dup()


@mutant("renew", "two-numbers")
def duplicates_and_forgets(old: socket.socket) -> Any:
    new = old.dup()
    old.detach()
    return new


@mutant("renew", "closed-first")
def closes_before(old: socket.socket) -> Any:
    number = old.fileno()
    old.close()
    return socket.socket(fileno=number)


@mutant("renew", "closed-on-return")
def with_the_new_one(old: socket.socket) -> Any:
    with socket.socket(fileno=old.detach()) as new:
        return new


@mutant("renew", "returns-number")
def the_bare_number(old: socket.socket) -> Any:
    return old.detach()


@mutant("renew", "same-object")
def nothing_new(old: socket.socket) -> Any:
    return old


@mutant("renew", "told-not-asked")
def says_internet(old: socket.socket) -> Any:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=old.detach())


@unusual("renew")
def duplicates_and_closes(old: socket.socket) -> Any:
    with old:
        return old.dup()


class Renewed(socket.socket):
    """A class of one's own for the new object."""

    def __init__(self, old: socket.socket) -> None:
        super().__init__(old.family, old.type, old.proto, fileno=old.detach())
        self.settimeout(old.gettimeout())


unusual("renew")(Renewed)


# -- kind_of -----------------------------------------------------------------------------------------------------------


@mutant("kind_of", "closes-what-is-lent")
def borrows_with(number: int) -> Any:
    with socket.socket(fileno=number) as s:
        return s.family.name, s.type.name


@mutant("kind_of", "destroyed-with-it")
def lets_go_of_the_object(number: int) -> Any:
    s = socket.socket(fileno=number)
    return s.family.name, s.type.name


@mutant("kind_of", "told-not-asked")
def from_fd_as_shown_everywhere(number: int) -> Any:
    with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as s:
        return s.family.name, s.type.name


@mutant("kind_of", "file-unexpected")
def sockets_only(number: int) -> Any:
    s = socket.socket(fileno=number)
    try:
        return s.family.name, s.type.name
    finally:
        s.detach()


@mutant("kind_of", "every-error-is-none")
def any_error_is_none(number: int) -> Any:
    try:
        s = socket.socket(fileno=number)
    except OSError:
        return None
    kind = s.family.name, s.type.name
    s.detach()
    return kind


@mutant("kind_of", "duplicate-left")
def forgets_the_duplicate(number: int) -> Any:
    s = socket.socket(fileno=os.dup(number))
    return s.family.name, s.type.name


@mutant("kind_of", "duplicate-left")
def detaches_the_duplicate(number: int) -> Any:
    s = socket.socket(fileno=os.dup(number))
    s.detach()
    return s.family.name, s.type.name


@unusual("kind_of")
def closes_its_duplicate(number: int) -> Any:
    try:
        with socket.socket(fileno=os.dup(number)) as s:
            return s.family.name, s.type.name
    except OSError as error:
        if error.errno == errno.ENOTSOCK:
            return None
        raise
