"""Five small internet services, one function each: what a server says once a client is there.

A *stream handler* is an ordinary blocking function over one connected socket. It returns when it has nothing more
to say, and whoever called it closes the socket. A *datagram handler* is a function of one datagram and its sender;
what it returns is sent back, and ``None`` sends nothing.

Four of the five are RFCs of May 1983 that every Unix once ran: echo (RFC 862), discard (RFC 863), character
generator (RFC 864), daytime (RFC 867). Each of these RFCs defines the service twice, over TCP and over UDP;
``DATAGRAM_FORM`` ties the two together, so that ``udp_server(echo)`` means what RFC 862 says it means.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from socket import socket
from typing import Any

Peer = Any  # a tuple for AF_INET and AF_INET6, a str or bytes for AF_UNIX
StreamHandler = Callable[[socket], object]
DatagramHandler = Callable[[bytes, Peer], "bytes | None"]

# One recv() takes at most this much. Above 128 KiB the C library maps and unmaps a fresh buffer for each call,
# which costs more than the copy; below 64 KiB a large message takes more calls than it needs.
CHUNK = 65536


def echo(conn: socket) -> None:
    """Send back whatever comes, until the client has finished sending (RFC 862)."""
    while data := conn.recv(CHUNK):
        conn.sendall(data)


def discard(conn: socket) -> None:
    """Read and throw away whatever comes, until the client has finished sending (RFC 863)."""
    while conn.recv(CHUNK):
        pass


def chargen(conn: socket) -> None:
    """Send lines of characters for as long as the client stays, ignoring what it says (RFC 864).

    Ends with ``BrokenPipeError`` or ``ConnectionResetError`` when the client goes: there is no other way to know.
    """
    for n in count():
        conn.sendall(chargen_line(n))


def daytime(conn: socket) -> None:
    """Send the date and time as one line of text, without waiting to be asked (RFC 867)."""
    conn.sendall(daytime_line())


def reverse(conn: socket) -> None:
    """Wait for the client to finish sending, then send everything back, last byte first.

    Not an RFC: the smallest service that cannot answer before it has heard the end.
    """
    heard = bytearray()
    while data := conn.recv(CHUNK):
        heard += data
    conn.sendall(heard[::-1])


def echo_datagram(data: bytes, peer: Peer) -> bytes:
    """Answer each datagram with its own bytes (RFC 862)."""
    return data


def discard_datagram(data: bytes, peer: Peer) -> None:
    """Answer nothing (RFC 863)."""


def chargen_datagram(data: bytes, peer: Peer) -> bytes:
    """Answer each datagram, whatever is in it, with 74 bytes of characters (RFC 864 allows 0 to 512)."""
    return chargen_line(0)


def daytime_datagram(data: bytes, peer: Peer) -> bytes:
    """Answer each datagram, whatever is in it, with the date and time as one line of text (RFC 867)."""
    return daytime_line()


def reverse_datagram(data: bytes, peer: Peer) -> bytes:
    """Answer each datagram with its bytes, last byte first: a datagram has an end, so there is nothing to wait for."""
    return data[::-1]


DATAGRAM_FORM: dict[StreamHandler, DatagramHandler] = {
    echo: echo_datagram,
    discard: discard_datagram,
    chargen: chargen_datagram,
    daytime: daytime_datagram,
    reverse: reverse_datagram,
}


def chargen_line(n: int) -> bytes:
    """Line `n` of the pattern that RFC 864 recommends: 72 of the 95 printing characters, turned by one each line."""
    printing = bytes(range(32, 127))
    start = n % len(printing)
    return (printing + printing)[start : start + 72] + b"\r\n"


def daytime_line() -> bytes:
    """Local date and time in the format that RFC 867 shows first, e.g. ``Tuesday, February 22, 1982 17:37:43-PST``.

    Names of days and months are spelled out here because `time.strftime` would follow the machine's locale.
    """
    now = time.localtime()
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    months = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
              "November", "December")  # fmt: skip
    day, month = days[now.tm_wday], months[now.tm_mon - 1]
    clock = time.strftime("%H:%M:%S", now)
    zone = time.tzname[max(now.tm_isdst, 0)]
    return f"{day}, {month} {now.tm_mday}, {now.tm_year} {clock}-{zone}\r\n".encode("ascii", "replace")
