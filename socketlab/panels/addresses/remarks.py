"""What is worth saying about a question and its answer: sentences, as plain text that is still to be escaped."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from ..drawing.look import count
from .hosts import is_numeric
from .model import Answer, Question, Row, interface


def spoken(row: Row) -> str:
    """A row as one would say it: 127.0.0.1 port 80."""
    return f"{row.host} port {row.port}"


def order(answer: Answer) -> str:
    """What a program that goes through the rows would do, in order."""
    first, *others = distinct(answer.rows)
    names = [spoken(row) for row in (first, *others[:3])]
    more = f", and {count(len(others) - 3, 'address', 'addresses')} more" if len(others) > 3 else ""
    then = "".join(f", then {name}" for name in names[1:]) + more
    if first.address.is_unspecified:
        words = f"A server would bind {names[0]}{then}, each with a socket of its own: wildcards, for whoever reaches "
        words += "this machine by any of its addresses."
        if len({row.family for row in answer.rows}) > 1:
            words += " The IPv6 one needs IPV6_V6ONLY, or it wants the IPv4 port as well (ipv6(7))."
        return words
    if not others:
        return f"A loop over the rows has one address to try: {names[0]}."
    return f"A loop such as create_connection's would try {names[0]} first{then}, and stop at the first that answers."


def distinct(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The rows without those whose address stood in an earlier one."""
    seen: dict[tuple[object, ...], Row] = {}
    for row in rows:
        seen.setdefault(row.sockaddr, row)
    return tuple(seen.values())


def fields(row: Row) -> str:
    """The sockaddr, field by field."""
    if len(row.sockaddr) != 4:
        return f"host {row.sockaddr[0]}, port {row.port}"
    host, port, flow, scope = row.sockaddr
    where = f"{scope}, the interface {interface(scope)}" if scope else "0, no interface named"
    return f"host {host}, port {port}, flowinfo {flow}, scope id {where}"


def remarks(answer: Answer) -> Iterator[str]:
    """What a reader may trip over in this question and this answer."""
    question, rows = answer.question, answer.rows
    yield from _about_the_host(question, rows)
    asked = question.service
    if isinstance(asked, (str, bytes)) and asked.strip().isdigit():
        asked = int(asked)
    if isinstance(asked, int) and asked > 65535 and rows:
        yield (
            f"You asked for port {asked} and got {rows[0].port}: a port has 16 bits, and this C library keeps the "
            "lowest 16 without a word. Others refuse; bind() and connect() of Python raise OverflowError."
        )
    elif isinstance(asked, int) and asked > 65535:
        yield "A port has 16 bits: 65535 is the last. This C library checks it; glibc keeps the lowest 16 bits instead."
    repeated = len(rows) - len(distinct(rows))
    if repeated:
        yield (
            f"{count(len(rows), 'row')}, but {count(len(rows) - repeated, 'address', 'addresses')}: each stands here "
            "once for every type of socket. Choose a type, as create_connection does."
        )
    yield from _about_the_flags(question)


def in_ascii(host: str | bytes | None) -> str:
    """What Python makes of a name that is not ASCII before it asks anybody; "" where it is, or where it cannot."""
    if not isinstance(host, str) or host.isascii():
        return ""
    try:
        return f"Python asks for {host.encode('idna')!r}: IDNA 2003 (RFC 3490). Bytes are passed on as they are."
    except UnicodeError:
        return ""


def _about_the_host(question: Question, rows: tuple[Row, ...]) -> Iterator[str]:
    host = question.host
    if host == "" and not rows:
        yield "'' is a host without a name, not None: bind(('', 80)) takes it as the wildcard, getaddrinfo does not."
    if host is None and question.service is None:
        yield "Host and service are both None: one of the two has to be given."
    if host is None and rows and "AI_PASSIVE" not in question.flags:
        yield "No host and no AI_PASSIVE: the answer is this machine itself, for connect()."
    if asked := in_ascii(host):
        yield asked
    text = host.decode("latin-1") if isinstance(host, bytes) else host or ""
    if text.isascii() and rows and ":" not in text and text and is_numeric(text):
        try:
            socket.inet_pton(socket.AF_INET, text)
        except (OSError, ValueError):
            yield (
                f"{text!r} is the address {rows[0].host} in a spelling of inet_aton(3): fewer parts, octal or "
                "hexadecimal. inet_pton refuses it; a filter that compares text does not know it again (RFC 6943)."
            )


def _about_the_flags(question: Question) -> Iterator[str]:
    flags = question.flags
    if "AI_PASSIVE" in flags and question.host is not None:
        yield "AI_PASSIVE changes nothing here: a host is given."
    if "AI_V4MAPPED" in flags and question.family != "AF_INET6":
        yield "AI_V4MAPPED changes nothing here: it counts with AF_INET6 alone."
    if "AI_ALL" in flags and not {"AI_V4MAPPED"} <= set(flags):
        yield "AI_ALL changes nothing here: it goes with AI_V4MAPPED."
    if {"AI_CANONNAME", "AI_NUMERICHOST"} <= set(flags):
        yield "Under AI_NUMERICHOST there is no name to be canonical: the address stands in its place."
