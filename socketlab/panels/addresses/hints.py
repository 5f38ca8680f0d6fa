"""What the address explorer offers: menus, examples, and flags with what they do (RFC 3493, getaddrinfo(3))."""

from __future__ import annotations

import socket

FAMILIES = ("AF_UNSPEC", "AF_INET", "AF_INET6")
TYPES = ("any", "SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW")
PROTOCOLS = ("any", "IPPROTO_TCP", "IPPROTO_UDP", "IPPROTO_ICMP")

FLAGS = {
    "AI_PASSIVE": "For bind(): without a host the answer is the wildcard, every address of this machine, "
    "and not loopback. With a host it changes nothing.",
    "AI_NUMERICHOST": "The host must be an address, not a name: no look-up, so no waiting.",
    "AI_NUMERICSERV": "The service must be a number: no look-up in the table of services.",
    "AI_CANONNAME": "Tell the host's canonical name as well, in the first row.",
    "AI_ADDRCONFIG": "Only families of which this machine has an address of its own; loopback does not count.",
    "AI_V4MAPPED": "With AF_INET6: where there is no IPv6 address, give IPv4 addresses as ::ffff:a.b.c.d.",
    "AI_ALL": "With AI_V4MAPPED: IPv6 addresses and mapped IPv4 addresses, both.",
}
NAME_FLAGS = {
    "NI_NUMERICHOST": "The host as a number: no look-up, so no waiting.",
    "NI_NUMERICSERV": "The port as a number: no look-up in the table of services.",
    "NI_NAMEREQD": "An error where the address has no name; without it the number stands in for the name.",
    "NI_DGRAM": "The service's name for datagrams (UDP): port 514 is shell over TCP and syslog over UDP.",
}
FLAGS = {name: words for name, words in FLAGS.items() if hasattr(socket, name)}
NAME_FLAGS = {name: words for name, words in NAME_FLAGS.items() if hasattr(socket, name)}

#: The menus as an example leaves them, unless it says otherwise.
PLAIN = {"family": "AF_UNSPEC", "type": "SOCK_STREAM", "proto": "any"}


def _first_interface() -> str:
    """The name of interface 1, which is loopback's nearly everywhere."""
    try:
        return socket.if_indextoname(1)
    except (OSError, AttributeError):
        return "1"


#: By name: what stands in host and service, other menus than the plain ones, flags.
EXAMPLES: dict[str, tuple[str, str, dict[str, str], tuple[str, ...]]] = {
    "localhost": ("localhost", "80", {}, ()),
    "127.0.0.1": ("127.0.0.1", "80", {}, ()),
    "::1": ("::1", "80", {}, ()),
    "any type of socket": ("127.0.0.1", "80", {"type": "any"}, ()),
    "None, for a server": ("None", "8080", {}, ("AI_PASSIVE",)),
    "None, for a client": ("None", "8080", {}, ()),
    "'' is not None": ("''", "8080", {}, ("AI_PASSIVE",)),
    "a scope: fe80::1%…": (f"fe80::1%{_first_interface()}", "80", {}, ()),
    "127.1": ("127.1", "80", {}, ()),
    "0x7f.1": ("0x7f.1", "80", {}, ()),
    "2130706433": ("2130706433", "80", {}, ()),
    "bytes": ("b'127.0.0.1'", "b'http'", {}, ()),
    "http as the service": ("127.0.0.1", "http", {}, ()),
    "port 70000": ("127.0.0.1", "70000", {}, ()),
    "an IPv4 address as IPv6": ("127.0.0.1", "80", {"family": "AF_INET6"}, ()),
    "mapped into IPv6": ("127.0.0.1", "80", {"family": "AF_INET6"}, ("AI_V4MAPPED",)),
    "localhost over IPv6 alone": ("localhost", "80", {"family": "AF_INET6"}, ()),
    "TCP for datagrams": ("127.0.0.1", "80", {"type": "SOCK_DGRAM", "proto": "IPPROTO_TCP"}, ()),
    "a name where a number must stand": ("localhost", "80", {}, ("AI_NUMERICHOST",)),
    "a name that does not exist": ("no-such-host.invalid", "80", {}, ()),
    "a name with an umlaut": ("bücher.example", "80", {}, ()),
    "a name that IDNA refuses": ("a..b", "80", {}, ()),
}
