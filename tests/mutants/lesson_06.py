"""Lesson 06: one listener for both families, and the plain address of a client."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
from typing import Any

from mutants import mutant, unusual

# -- listen_both -------------------------------------------------------------------------------------------------------


@mutant("listen_both", "ipv4-alone")
def as_in_lesson_03(port: int) -> Any:
    return socket.create_server(("", port))


@mutant("listen_both", "ipv6-alone")
def the_default_of_create_server(port: int) -> Any:
    return socket.create_server(("", port), family=socket.AF_INET6)


@mutant("listen_both", "ipv6-alone")
def option_the_wrong_way_round(port: int) -> Any:
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(("::", port))
    sock.listen()
    return sock


@mutant("listen_both", "one-address")
def both_on_the_loopback_of_one(port: int) -> Any:
    return socket.create_server(("::ffff:127.0.0.1", port), family=socket.AF_INET6, dualstack_ipv6=True)


@mutant("listen_both", "two-listeners")
def one_for_each(port: int) -> Any:
    four = socket.create_server(("127.0.0.1", port))
    six = socket.create_server(("::", four.getsockname()[1]), family=socket.AF_INET6)
    return four, six


@mutant("listen_both", "does-not-listen")
def forgets_to_listen(port: int) -> Any:
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    sock = socket.socket(family)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("", port))
    return sock


@mutant("listen_both", "does-not-listen")
def returns_from_within(port: int) -> Any:
    with socket.create_server(("", port)) as listener:
        return listener


@mutant("listen_both", "accepts-itself")
def serves_at_once(port: int) -> Any:
    listener = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    conn, _ = listener.accept()
    return conn


@mutant("listen_both", "port-ignored")
def any_port(port: int) -> Any:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", 0))


@mutant("listen_both", "trusts-has-ipv6")
def asks_python(port: int) -> Any:
    if socket.has_ipv6:
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


@mutant("listen_both", "trusts-has-ipv6")
def has_no_fallback(port: int) -> Any:
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        sock.bind(("::", port))
        sock.listen()
    except OSError:
        sock.close()
        raise
    return sock


@mutant("listen_both", "taken-port-hidden")
def tries_and_catches(port: int) -> Any:
    try:
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    except (OSError, ValueError):
        return socket.create_server(("", port))


@mutant("listen_both", "returns-nothing")
def opens_and_keeps(port: int) -> Any:
    socket.create_server(("", port)).close()


@unusual("listen_both")
def by_hand(port: int) -> Any:
    """Without create_server, and by the errno of socket() alone."""
    try:
        sock = socket.socket(socket.AF_INET6)
    except OSError:
        sock = socket.socket()
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        sock.bind(("", port))
        sock.listen()
    except OSError:
        sock.close()
        raise
    return sock


class Door:
    """An object that can be called, and keeps how it was made."""

    __name__ = "Door"

    def __init__(self) -> None:
        self.make: Any = None

    def __call__(self, port: int) -> Any:
        dual = socket.has_dualstack_ipv6()
        self.make = functools.partial(
            socket.create_server, family=socket.AF_INET6 if dual else socket.AF_INET, dualstack_ipv6=dual
        )
        return self.make(("", port))


unusual("listen_both")(Door())


@unusual("listen_both")
def with_asyncio(port: int) -> Any:
    """asyncio makes the socket's family known, the rest is by hand."""

    async def families() -> set[int]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return {info[0] for info in found}

    six = socket.AF_INET6 in asyncio.run(families()) and socket.has_dualstack_ipv6()
    if six:
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("0.0.0.0", port))


# -- plain_address -----------------------------------------------------------------------------------------------------


def mapped(host: str) -> str:
    """A host made plain, rightly."""
    try:
        inside = ipaddress.IPv6Address(host).ipv4_mapped
    except ValueError:
        return host
    return str(inside) if inside else host


def with_scope(host: str, rest: tuple[int, ...]) -> str:
    """A host with its scope, rightly."""
    if not rest or not rest[1]:
        return host
    try:
        return f"{host}%{socket.if_indextoname(rest[1])}"
    except OSError:
        return f"{host}%{rest[1]}"


@mutant("plain_address", "one-length")
def four_always(address: tuple[Any, ...]) -> Any:
    host, port, _, scope = address
    return with_scope(mapped(host), (0, scope)), port


@mutant("plain_address", "one-length")
def two_always(address: tuple[Any, ...]) -> Any:
    host, port = address
    return mapped(host), port


@mutant("plain_address", "one-length")
def fourth_part(address: tuple[Any, ...]) -> Any:
    scope = address[3]
    return with_scope(mapped(address[0]), (0, scope)), address[1]


@mutant("plain_address", "all-four-parts")
def only_the_host_changed(address: tuple[Any, ...]) -> Any:
    return (with_scope(mapped(address[0]), address[2:]), *address[1:])


@mutant("plain_address", "port-lost")
def the_host_alone(address: tuple[Any, ...]) -> Any:
    return with_scope(mapped(address[0]), address[2:])


@mutant("plain_address", "objects-for-text")
def no_text(address: tuple[Any, ...]) -> Any:
    return ipaddress.ip_address(address[0]), address[1]


@mutant("plain_address", "mapped-left")
def cut_down(address: tuple[Any, ...]) -> Any:
    return with_scope(address[0], address[2:]), address[1]


@mutant("plain_address", "one-spelling")
def prefix_off(address: tuple[Any, ...]) -> Any:
    return with_scope(address[0].lower().removeprefix("::ffff:"), address[2:]), address[1]


@mutant("plain_address", "mapped-left")
def small_letters_only(address: tuple[Any, ...]) -> Any:
    return with_scope(address[0].removeprefix("::ffff:"), address[2:]), address[1]


@mutant("plain_address", "cuts-text")
def last_four_bytes(address: tuple[Any, ...]) -> Any:
    """By bytes, and without a look at the first ten."""
    host, port, *rest = address
    if rest:
        packed = socket.inet_pton(socket.AF_INET6, host)
        if packed[10:12] == b"\xff\xff" or b"\xff\xff" in packed[8:]:
            return socket.inet_ntop(socket.AF_INET, packed[12:]), port
    return with_scope(host, tuple(rest)), port


@mutant("plain_address", "cuts-text")
def strips_letters(address: tuple[Any, ...]) -> Any:
    host, port, *rest = address
    return with_scope(mapped(host).lstrip(":f") if host != "::1" else host, tuple(rest)), port


@mutant("plain_address", "scope-zero")
def always_asks(address: tuple[Any, ...]) -> Any:
    host, port, *rest = address
    if not rest:
        return host, port
    plain = mapped(host)
    return (plain if plain != host else f"{host}%{socket.if_indextoname(rest[1])}"), port


@mutant("plain_address", "scope-zero")
def always_a_percent(address: tuple[Any, ...]) -> Any:
    host, port, *rest = address
    plain = mapped(host)
    return (f"{host}%{rest[1]}" if rest and plain == host else plain), port


@mutant("plain_address", "interface-gone")
def trusts_the_number(address: tuple[Any, ...]) -> Any:
    host, port, *rest = address
    name = f"%{socket.if_indextoname(rest[1])}" if rest and rest[1] else ""
    return mapped(host) + name, port


@mutant("plain_address", "interface-lost")
def no_scope(address: tuple[Any, ...]) -> Any:
    return mapped(address[0]), address[1]


@mutant("plain_address", "number-for-name")
def numbers(address: tuple[Any, ...]) -> Any:
    host, port, *rest = address
    return mapped(host) + (f"%{rest[1]}" if rest and rest[1] else ""), port


@mutant("plain_address", "returns-nothing")
def prints_it(address: tuple[Any, ...]) -> Any:
    with_scope(mapped(address[0]), address[2:])


@unusual("plain_address")
def by_the_bytes(address: tuple[Any, ...]) -> Any:
    host, port, *rest = address
    if rest:
        packed = socket.inet_pton(socket.AF_INET6, host)
        if packed.startswith(bytes(10) + b"\xff\xff"):
            return socket.inet_ntop(socket.AF_INET, packed[12:]), port
    return [with_scope(host, tuple(rest)), port]


@unusual("plain_address")
def through_getnameinfo(address: tuple[Any, ...]) -> Any:
    """The library's own way to write an address; a mapped one is given to it as IPv4."""
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    plain = mapped(address[0])
    host, port = socket.getnameinfo((plain, *address[1:]) if plain == address[0] else (plain, address[1]), numeric)
    return host, int(port)


class Plain:
    """An object that can be called."""

    __name__ = "Plain"

    def __call__(self, address: tuple[Any, ...]) -> Any:
        return with_scope(mapped(address[0]), address[2:]), address[1]


unusual("plain_address")(Plain())
