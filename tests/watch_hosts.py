"""Runs inside a notebook's kernel: an audit hook that notes which other hosts the process contacts."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

CONTACTED: set[str] = set()  # hosts other than this machine, that the process asked for or sent to
INTERNET = (socket.AF_INET, socket.AF_INET6)


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: connections, datagrams and look-ups that leave this machine, whoever makes them."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[-1]
        host = address[0] if isinstance(address, tuple) and arguments[0].family in INTERNET else None
        if host and stays_on_loopback(arguments[0], host):
            return
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if isinstance(host, str) and not is_this_machine(host):
        CONTACTED.add(host)


def is_this_machine(host: str) -> bool:
    if host.lower() in ("", "localhost", "<broadcast>", socket.gethostname().lower()):
        return True
    host, _, interface = host.partition("%")
    try:
        address = ip_address(host)
    except ValueError:
        return False  # a name: looking it up asks a server elsewhere
    address = getattr(address, "ipv4_mapped", None) or address  # ::ffff:127.0.0.1 is loopback from Python 3.13 on
    return address.is_loopback or address.is_unspecified or (address.is_link_local and interface in ("lo", "lo0"))


def stays_on_loopback(sock: socket.socket, host: str) -> bool:
    """Whether `host` is a multicast group to which this socket sends through the loopback interface, or not at all far.

    A multicast address says nothing about where a datagram goes: the socket's interface and its hop limit do.
    """
    try:
        if not ip_address(host.partition("%")[0]).is_multicast:
            return False
        if sock.family == socket.AF_INET:
            through = sock.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4)
            return through[0] == 127 or sock.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 0
        interface = sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF)
        hops = sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS)
        return hops == 0 or (interface != 0 and socket.if_indextoname(interface).startswith("lo"))
    except (ValueError, OSError):
        return False
