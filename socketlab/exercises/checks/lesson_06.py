"""The exercises of lesson 06: a listener for both families, and the plain address of a client.

Machines differ here. Where ::1 is missing there can be no IPv6 client: then the listener is asked for its family and
for IPV6_V6ONLY instead, which any kernel that knows IPv6 can tell. A kernel that knows none is played: for a moment, an
IPv6 socket cannot be made. An IPv4 client of an IPv6 socket needs no ::1, since the socket can be bound to the mapped
address of 127.0.0.1.
"""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..attempt import Attempt
from ..definition import Exercise
from ..seen import Seen
from ..words import shown

LESSON = "06_ipv6_and_interfaces"
V4, V6 = "127.0.0.1", "::1"
GONE = 4711  # the number of an interface that no machine has: they are counted from 1

listen_both = Exercise(
    "listen_both",
    lesson=LESSON,
    wants="listen_both(port)",
    task="Return one listener at `port` that IPv4 and IPv6 clients reach, for IPv4 alone where there is no IPv6; raise "
    "OSError where somebody else has the port.",
    hints=(
        "`socket.create_server` does it, with `family` and `dualstack_ipv6=True`; the host is `''`, all addresses.",
        "`socket.has_dualstack_ipv6()` has tried it; `socket.has_ipv6` has not.",
        "Ask before, and do not try and catch: an `except OSError` meets the port that is taken, too.",
    ),
)

plain_address = Exercise(
    "plain_address",
    lesson=LESSON,
    wants="plain_address(address)",
    task="Return `(host, port)` of a socket address of either family: a mapped host as IPv4, a host with a scope as "
    "host%interface, with the number of the interface where it has no name any more.",
    hints=(
        "IPv4's tuple has two parts and IPv6's four: `address[:2]` are the same in both, `address[2:]` may be empty.",
        "`ipaddress.IPv6Address(host).ipv4_mapped` is an address, or None where there is none inside.",
        "`socket.if_indextoname(scope_id)` raises OSError for an interface that is gone, and for 0, which is none.",
    ),
)


# -- listen_both -------------------------------------------------------------------------------------------------------


def has_v6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind((V6, 0))
    except OSError:
        return False
    return True


@contextmanager
def kernel_without_ipv6() -> Iterator[None]:
    """No IPv6 socket can be made meanwhile, as on Linux started with ipv6.disable=1. has_ipv6 stays as it is."""
    usual = socket.socket.__init__

    def init(self: socket.socket, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:
        if family == socket.AF_INET6 and fileno is None:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        usual(self, family, type, proto, fileno)

    socket.socket.__init__ = init  # type: ignore[method-assign]
    try:
        yield
    finally:
        socket.socket.__init__ = usual  # type: ignore[method-assign]


def listening(attempt: Attempt, port: int = 0) -> socket.socket:
    """What the answer returns, which has to be a listener."""
    result = attempt.call(port)
    attempt.seen.facts["result"] = result
    attempt.want(isinstance(result, socket.socket), "it returns a listening socket", f"it returned {shown(result)}")
    listener: socket.socket = attempt.keep(result)
    listens = listener.fileno() != -1 and listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    attempt.seen.facts["listens"] = bool(listens)
    attempt.want(listens, "the socket listens", "it does not")
    attempt.seen.facts["host"] = listener.getsockname()[0]
    listener.settimeout(1.0)
    return listener


def reached(attempt: Attempt, listener: socket.socket, family: socket.AddressFamily, host: str) -> None:
    """A client of this family gets in."""
    name = "IPv4" if family == socket.AF_INET else "IPv6"
    attempt.seen.facts["client"], attempt.seen.facts["family"] = name, listener.family
    client = attempt.keep(socket.socket(family, socket.SOCK_STREAM))
    client.settimeout(1.0)
    code = client.connect_ex((host, listener.getsockname()[1]))
    wanted = f"an {name} client is let in"
    attempt.want(code == 0, wanted, f"its connect() ended with {errno.errorcode.get(code, code)}")
    try:
        conn, _ = listener.accept()
    except TimeoutError:
        attempt.want(False, wanted, "it was let in by somebody else who listens at that port")
    attempt.keep(conn)
    attempt.seen.facts["client"] = ""


def reached_by_v6(attempt: Attempt, listener: socket.socket) -> None:
    if has_v6_loopback():
        reached(attempt, listener, socket.AF_INET6, V6)
    elif socket.has_dualstack_ipv6():
        attempt.seen.facts["client"], attempt.seen.facts["family"] = "IPv6", listener.family
        attempt.want(listener.family == socket.AF_INET6, "an IPv6 client is let in", "the listener is an IPv4 socket")
        attempt.want(listener.getsockname()[0] == "::", "an IPv6 client is let in", "it listens at another address")


@listen_both.scenario("an IPv4 client")
def four(attempt: Attempt) -> None:
    reached(attempt, listening(attempt), socket.AF_INET, V4)


@listen_both.scenario("an IPv6 client, where the machine has ::1")
def six(attempt: Attempt) -> None:
    reached_by_v6(attempt, listening(attempt))


def free_port() -> int:
    """A port that nobody has now, and that the kernel deals out to nobody: from 32768 on it does (ip(7))."""
    for _ in range(100):
        port = random.SystemRandom().randrange(16384, 32768)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("", port))
            return port
    raise OSError(errno.EADDRINUSE, "a hundred ports were tried, and all were taken")


@listen_both.scenario("both, at a port that was asked for")
def at_that_port(attempt: Attempt) -> None:
    port = free_port()
    listener = listening(attempt, port)
    same = listener.getsockname()[1] == port
    attempt.seen.facts["same port"] = same
    attempt.want(same, "it listens at the port that was asked for", "it listens at another one")
    reached(attempt, listener, socket.AF_INET, V4)
    reached_by_v6(attempt, listener)


@listen_both.scenario("a kernel without IPv6, and has_ipv6 is True all the same")
def without_six(attempt: Attempt) -> None:
    with kernel_without_ipv6():
        listener = listening(attempt)
    reached(attempt, listener, socket.AF_INET, V4)


@listen_both.scenario("another program has the port, in IPv6 only")
def half_taken(attempt: Attempt) -> None:
    if not socket.has_dualstack_ipv6():
        return
    holder = attempt.keep(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
    holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    holder.bind((V6 if has_v6_loopback() else "::", 0))
    holder.listen()
    attempt.seen.facts["half taken"] = True
    attempt.raises(OSError, holder.getsockname()[1])


@listen_both.misconception("accepts-itself", advice="Return the listener; whoever calls you will accept.")
def both_accepts(seen: Seen) -> str | None:
    if not seen.blocked_in("accept"):
        return None
    return "It waits in accept(), and the first client comes after it has returned."


@listen_both.misconception("two-listeners", advice="Return one: an IPv6 socket that takes IPv4 clients as well.")
def both_two(seen: Seen) -> str | None:
    result = seen.facts.get("result")
    if not (isinstance(result, (tuple, list)) and any(isinstance(one, socket.socket) for one in result)):
        return None
    return "It returned several sockets: one accept() waits at one of them, and clients of the other family wait there."


@listen_both.misconception("does-not-listen", advice="Call listen(), or let create_server() do all three.")
def both_bound(seen: Seen) -> str | None:
    result = seen.facts.get("result")
    if not isinstance(result, socket.socket) or seen.facts.get("listens") is not False:
        return None
    if any(event.call == "close" for event in seen.made()):
        return "It returned a socket that it has closed: the `with` block ended before the function did."
    return "The socket has an address, and does not listen: clients are refused."


@listen_both.misconception("port-ignored", advice="Hand `port` to bind() or create_server().")
def both_port(seen: Seen) -> str | None:
    if seen.facts.get("same port") is not False:
        return None
    return "It was asked for a port and listens at another, where nobody will call."


@listen_both.misconception(
    "trusts-has-ipv6", advice="Ask socket.has_dualstack_ipv6(), which has tried it, and fall back to AF_INET."
)
def both_trusts(seen: Seen) -> str | None:
    if not seen.scenario.startswith("a kernel without") or not seen.raised(OSError, ValueError):
        return None
    if isinstance(seen.error, OSError) and seen.error.errno != errno.EAFNOSUPPORT:
        return None
    return "It gave up where the kernel has no IPv6: has_ipv6 says how Python was built, and IPv4 clients wait outside."


@listen_both.misconception("taken-port-hidden", advice="Ask has_dualstack_ipv6() first, and let OSError go through.")
def both_hides(seen: Seen) -> str | None:
    if not (seen.facts.get("half taken") and seen.returned):
        return None
    return (
        "The port was taken in IPv6, and it fell back to IPv4 in silence: half of the clients reach the other program."
    )


@listen_both.misconception("ipv4-alone", advice="Make an AF_INET6 socket with IPV6_V6ONLY set to 0.")
def both_four(seen: Seen) -> str | None:
    if seen.facts.get("client") != "IPv6" or seen.facts.get("family") != socket.AF_INET:
        return None
    return "It made an IPv4 socket on a machine with IPv6: clients that come to ::1 are refused."


@listen_both.misconception("one-address", advice="Listen at all addresses: the host is '' or '::'.")
def both_one(seen: Seen) -> str | None:
    host = seen.facts.get("host")
    if not seen.facts.get("client") or host in (None, "::", "0.0.0.0"):
        return None
    return f"It listens at {host}, which is one address: the {seen.facts['client']} client came to another one."


@listen_both.misconception("ipv6-alone", advice="Set IPV6_V6ONLY to 0 before bind(), or give dualstack_ipv6=True.")
def both_six(seen: Seen) -> str | None:
    if seen.facts.get("client") != "IPv4" or seen.facts.get("family") != socket.AF_INET6:
        return None
    return "Its socket takes IPv6 clients only: IPV6_V6ONLY is 1, and the IPv4 client was refused."


# -- plain_address -----------------------------------------------------------------------------------------------------


def plain(attempt: Attempt, address: tuple[Any, ...], host: str) -> None:
    """`address` has to become `host` and its port. Ports are written as a word: those of real clients differ."""
    port = address[1]
    facts = attempt.seen.facts
    facts["address"], facts["host"], facts["given"] = address, host, _words(address, port)
    result = attempt.call(address)
    facts["result"] = result
    wanted = f"{_words((host, port), port)} for {facts['given']}"
    attempt.want(isinstance(result, (tuple, list)), wanted, _words(result, port))
    attempt.want(tuple(result) == (host, port), wanted, _words(tuple(result), port))


def _words(value: object, port: int) -> str:
    return shown(value, 100).replace(str(port), "port")


@plain_address.scenario("an IPv4 client and an IPv6 client")
def both_families(attempt: Attempt) -> None:
    theirs, _ = attempt.connection()
    plain(attempt, theirs.getpeername(), V4)
    if has_v6_loopback():
        with socket.create_server((V6, 0), family=socket.AF_INET6) as listener:
            attempt.keep(socket.create_connection(listener.getsockname()[:2], 2.0))
            conn, address = listener.accept()
            attempt.keep(conn)
    else:
        address = (V6, 50_000, 0, 0)
    plain(attempt, address, V6)


@plain_address.scenario("an IPv4 client of a dual-stack listener")
def a_mapped_client(attempt: Attempt) -> None:
    address = (f"::ffff:{V4}", 50_000, 0, 0)
    if socket.has_dualstack_ipv6():
        listener = attempt.keep(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((f"::ffff:{V4}", 0))  # as with "::", and nobody from outside can come
        listener.listen()
        attempt.keep(socket.create_connection((V4, listener.getsockname()[1]), 2.0))
        conn, address = listener.accept()
        attempt.keep(conn)
    plain(attempt, address, V4)


@plain_address.scenario("mapped addresses, however they are written")
def mapped_spellings(attempt: Attempt) -> None:
    for host in ("::FFFF:192.0.2.7", "::ffff:c000:207", "0:0:0:0:0:ffff:192.0.2.7"):
        plain(attempt, (host, 443, 0, 0), "192.0.2.7")


@plain_address.scenario("addresses that are nearly mapped")
def nearly_mapped(attempt: Attempt) -> None:
    for host in ("2001:db8::ffff:c000:207", "::ffff:0:c000:207", "2001:db8::ffff", "64:ff9b::c000:207"):
        plain(attempt, (host, 443, 7, 0), host)


@plain_address.scenario("a link-local address, with its interface and without")
def link_local(attempt: Attempt) -> None:
    number, name = socket.if_nameindex()[0]
    plain(attempt, ("fe80::1", 443, 0, number), f"fe80::1%{name}")
    plain(attempt, ("fe80::ffff:1", 443, 0, 0), "fe80::ffff:1")


@plain_address.scenario("an interface that is gone")
def gone(attempt: Attempt) -> None:
    plain(attempt, ("fe80::1", 443, 0, GONE), f"fe80::1%{GONE}")


def host_of(seen: Seen) -> str | None:
    """The host that the answer returned, where it returned one."""
    result = seen.facts.get("result")
    if not seen.returned or not isinstance(result, (tuple, list)) or not result or not isinstance(result[0], str):
        return None
    return result[0]


@plain_address.misconception("one-length", advice="Take the first two parts, address[:2]; the others may be missing.")
def plain_length(seen: Seen) -> str | None:
    told = str(seen.error)
    if not (seen.raised(ValueError) and "to unpack" in told) and not seen.raised(IndexError):
        return None
    parts = len(seen.facts["address"])
    return (
        f"It was given {seen.facts['given']}, with {parts} parts, and raised: IPv4's addresses have two, IPv6's four."
    )


@plain_address.misconception("all-four-parts", advice="Return two values, host and port.")
def plain_four(seen: Seen) -> str | None:
    result = seen.facts.get("result")
    if not (isinstance(result, (tuple, list)) and len(result) == 4):
        return None
    return "It returned all four parts: who calls it will write `host, port =`, and that raises."


@plain_address.misconception("port-lost", advice="Return a tuple of both, (host, port).")
def plain_no_port(seen: Seen) -> str | None:
    if not (seen.returned and isinstance(seen.facts.get("result"), str)):
        return None
    return "It returned text: the port is lost, or has to be cut off again, at one of many colons."


@plain_address.misconception("objects-for-text", advice="Make text of it: str(...).")
def plain_object(seen: Seen) -> str | None:
    result = seen.facts.get("result")
    if not (isinstance(result, (tuple, list)) and len(result) == 2 and not isinstance(result[0], str)):
        return None
    return f"The host is a {type(result[0]).__name__}, which equals no text: no set of hosts will ever contain it."


@plain_address.misconception("mapped-left", advice="Ask ipaddress.IPv6Address(host).ipv4_mapped.")
def plain_mapped(seen: Seen) -> str | None:
    host = host_of(seen)
    if host is None or ":" in seen.facts["host"] or not host.lower().endswith(seen.facts["host"]):
        return None
    return f"It returned {host!r}: the IPv4 client is still dressed as IPv6, and no list of IPv4 hosts knows it."


@plain_address.misconception("one-spelling", advice="Compare sixteen bytes, or ask ipaddress; text has many spellings.")
def plain_spelling(seen: Seen) -> str | None:
    host = host_of(seen)
    if host is None or ":" in seen.facts["host"]:
        return None
    return f"It was given {seen.facts['address'][0]!r}, which is a mapped address as well, and returned {host!r}."


@plain_address.misconception("cuts-text", advice="Let ipaddress say whether it is mapped; leave any other host alone.")
def plain_cuts(seen: Seen) -> str | None:
    host, address = host_of(seen), seen.facts.get("address", ("",))
    if host is None or address[-1] != 0 or host == address[0] or "%" in host:
        return None
    return f"It made {host!r} of {address[0]!r}, which is not mapped: that is another address, or none at all."


@plain_address.misconception("scope-zero", advice="Leave the host alone where the scope_id is 0.")
def plain_zero(seen: Seen) -> str | None:
    if seen.facts.get("address", (None,))[-1] != 0 or len(seen.facts["address"]) != 4:
        return None
    if not (seen.raised(OSError) or "%" in (host_of(seen) or "")):
        return None
    return "The scope_id was 0, which is no interface, and it asked for its name all the same."


@plain_address.misconception("interface-gone", advice="Catch the OSError of if_indextoname, and write the number.")
def plain_gone(seen: Seen) -> str | None:
    if not (seen.raised(OSError) and seen.facts.get("address", (0,))[-1] == GONE):
        return None
    return "The interface is gone, and if_indextoname() raised: what was to be a line in a log ends the server."


@plain_address.misconception("interface-lost", advice="Put % and the interface's name behind the host.")
def plain_lost(seen: Seen) -> str | None:
    host = host_of(seen)
    if host is None or "%" in host or "%" not in seen.facts["host"]:
        return None
    return f"It returned {host!r} without the interface: that may be a machine on any of your networks."


@plain_address.misconception("number-for-name", advice="Ask socket.if_indextoname(scope_id) for the name.")
def plain_number(seen: Seen) -> str | None:
    host = host_of(seen)
    if host is None or not host.partition("%")[2].isdigit() or seen.facts["host"].partition("%")[2].isdigit():
        return None
    return f"It returned {host!r}: the interface has a name, and numbers change from one start to the next."
