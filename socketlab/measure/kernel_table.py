"""The kernel's own table of sockets: what `ss` and `netstat` print, as values, for whoever asks and without privileges.

Two ways lead to it on Linux. Netlink (sock_diag(7)) is asked first: it is exact, knows the other end of a Unix socket
and the queue of a listener, finds one connection in 10 µs, and tells the timers. Where a sandbox has no such netlink,
/proc/net (proc_pid_net(5)) is read instead: the same numbers for TCP and UDP, fewer for Unix sockets.

The table has every socket of this network namespace, not only this process's: also those that belong to no process
any more, because they outlive their descriptor: TIME_WAIT, the end of a closed connection that still has to send, and
connections that wait in a listener's queue. It is no snapshot: while it is read, sockets come and go.

Sockets are asked for through `_socket.socket`, the class below `socket.socket`, so that looking at the kernel never
shows up in a trace of the program.
"""

import errno
import os
import socket
import struct
import sys
from _socket import socket as _Socket  # see above
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

Address: TypeAlias = tuple[str, int]

#: Names of include/net/tcp_states.h, by number; 12 is a SYN_RECV that has no full socket yet, and is shown as one.
STATES = ("", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT",
          "LAST_ACK", "LISTEN", "CLOSING", "SYN_RECV")  # fmt: skip

#: What a socket waits for, by the number in idiag_timer and in /proc/net/tcp (get_tcp4_sock in net/ipv4/tcp_ipv4.c).
TIMERS = ("", "retransmit", "keepalive", "time wait", "probe")

_SOCK_DIAG, _BY_FAMILY = 4, 20  # linux/netlink.h, linux/sock_diag.h
_REQUEST, _DUMP, _ERROR, _DONE = 0x1, 0x300, 2, 3
_ANY_COOKIE = b"\xff" * 8
_SHOW_NAME, _SHOW_PEER, _SHOW_QUEUES = 0x1, 0x4, 0x10  # linux/unix_diag.h
_NAME, _PEER, _QUEUES = 0, 2, 4
_PATIENCE = 2.0  # seconds; the kernel answers before send() returns


class Entry(NamedTuple):
    """One TCP or UDP socket of the kernel. Queues in bytes; on a listener, waiting connections and their limit."""

    family: int
    protocol: int
    state: str
    local: Address
    peer: Address
    recv_q: int
    send_q: int | None  #: None: the limit of a listener's queue, which /proc/net does not tell
    inode: int  #: 0: it belongs to no descriptor
    timer: str  #: one of `TIMERS`; "" where none runs
    left: float  #: seconds until the timer fires
    retransmits: int  #: how often the same thing has been sent again


class UnixEntry(NamedTuple):
    """One Unix socket of the kernel. None is what /proc/net/unix does not tell."""

    type: int
    state: str  #: ESTABLISHED, LISTEN or CLOSE
    name: str  #: as getsockname() has it, abstract names with "\\0" first; "" without one
    inode: int
    peer: int | None  #: the inode of the other end, 0 without one
    recv_q: int | None
    send_q: int | None


def inet_table(family: int, protocol: int) -> list[Entry]:
    """All sockets of `family` (AF_INET, AF_INET6) and `protocol` (IPPROTO_TCP, IPPROTO_UDP).

    Raises OSError where this system shows neither table; NotImplementedError on another system than Linux.
    """
    want_linux()
    try:
        return [_entry(message, protocol) for message in _ask(_inet_request(family, protocol), _DUMP)]
    except OSError as exc:
        if exc.errno == errno.ENOENT and family == socket.AF_INET6:
            return []  # this kernel has no IPv6
        return list(_from_proc(family, protocol))


def find(family: int, local: Address, peer: Address) -> Entry | None:
    """The end of a TCP connection whose addresses are these, held by a process or by nobody; None where there is none.

    Raises as `inet_table`.
    """
    want_linux()
    try:
        messages = _ask(_inet_request(family, socket.IPPROTO_TCP, local, peer), 0)
    except OSError as exc:
        if exc.errno == errno.ENOENT:
            return None
        found = _from_proc(family, socket.IPPROTO_TCP)
    else:
        found = (_entry(message, socket.IPPROTO_TCP) for message in messages)
    # Where there is no such connection the kernel answers with the listener, if there is one.
    return next((entry for entry in found if (entry.local, entry.peer) == (local, peer)), None)


def unix_table() -> list[UnixEntry]:
    """All Unix sockets. Raises as `inet_table`."""
    want_linux()
    show = _SHOW_NAME | _SHOW_PEER | _SHOW_QUEUES
    request = struct.pack("=BBHIII", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, show) + _ANY_COOKIE
    try:
        return [_unix_entry(message) for message in _ask(request, _DUMP)]
    except OSError:
        return list(_unix_from_proc())


def unix_peer(inode: int) -> int | None:
    """The inode of the other end of the Unix socket with this one; None where it has none. Raises as `inet_table`."""
    want_linux()
    request = struct.pack("=BBHIII", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, inode, _SHOW_PEER) + _ANY_COOKIE
    try:
        return next((_unix_entry(message).peer for message in _ask(request, 0)), None) or None
    except FileNotFoundError:
        return None


def want_linux() -> None:
    if sys.platform != "linux":
        raise NotImplementedError(f"the table of all sockets is read in Linux's way, and this is {sys.platform}")


# -- netlink: linux/inet_diag.h, linux/unix_diag.h -----------------------------------------------------------------


def _ask(request: bytes, flags: int) -> list[bytes]:
    """The payloads of the kernel's answer. Raises OSError with the errno of its refusal."""
    found: list[bytes] = []
    sock = _Socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG)
    try:
        sock.settimeout(_PATIENCE)
        sock.send(struct.pack("=IHHII", 16 + len(request), _BY_FAMILY, _REQUEST | flags, 1, 0) + request)
        while True:
            data = sock.recv(65536)
            while data:
                size, kind = struct.unpack_from("=IH", data)
                if kind == _ERROR:
                    code = -struct.unpack_from("=i", data, 16)[0]
                    raise OSError(code, os.strerror(code))
                if kind == _DONE:
                    return found
                found.append(data[16:size])
                data = data[size + 3 & ~3 :]
            if not flags & _DUMP:
                return found
    finally:
        sock.close()


def _inet_request(family: int, protocol: int, local: Address = ("", 0), peer: Address = ("", 0)) -> bytes:
    """struct inet_diag_req_v2: all states, and either all sockets or one."""
    ends = b"".join(socket.inet_pton(family, host).ljust(16, b"\0") if host else bytes(16) for host, _ in (local, peer))
    return (
        struct.pack("=BBBBI", family, protocol, 0, 0, 0xFFFFFFFF)
        + struct.pack("!HH", local[1], peer[1])
        + ends
        + bytes(4)  # any interface
        + _ANY_COOKIE
    )


def _entry(message: bytes, protocol: int) -> Entry:
    """struct inet_diag_msg."""
    family, state, timer, retransmits, port, peer_port = struct.unpack_from("!BBBBHH", message)
    left, recv_q, send_q, _, inode = struct.unpack_from("=IIIII", message, 52)
    size = 4 if family == socket.AF_INET else 16
    hosts = [socket.inet_ntop(family, message[start : start + size]) for start in (8, 24)]
    return Entry(
        family, protocol, _state(state), (hosts[0], port), (hosts[1], peer_port), recv_q, send_q, inode,
        TIMERS[timer] if timer < len(TIMERS) else "", left / 1000 if timer else 0.0, retransmits,
    )  # fmt: skip


def _unix_entry(message: bytes) -> UnixEntry:
    """struct unix_diag_msg and the attributes behind it."""
    _, kind, state, _, inode = struct.unpack_from("=BBBBI", message)
    name, peer = "", 0
    queues: tuple[int | None, int | None] = (None, None)
    at = 16
    while at + 4 <= len(message):
        size, attribute = struct.unpack_from("=HH", message, at)
        value = message[at + 4 : at + size]
        if attribute == _NAME:
            name = os.fsdecode(value if value[:1] == b"\0" else value.rstrip(b"\0"))
        elif attribute == _PEER:
            (peer,) = struct.unpack("=I", value)
        elif attribute == _QUEUES:
            queues = struct.unpack("=II", value)
        at += max(size, 4) + 3 & ~3
    return UnixEntry(kind, _state(state), name, inode, peer, *queues)


def _state(number: int) -> str:
    return STATES[number] if number < len(STATES) else f"state {number}"


# -- /proc/net -----------------------------------------------------------------------------------------------------


def _from_proc(family: int, protocol: int) -> Iterator[Entry]:
    name = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp"}[protocol] + "6" * (family == socket.AF_INET6)
    path = Path("/proc/net", name)
    if not path.exists() and family == socket.AF_INET6:
        return  # this kernel has no IPv6
    ticks = os.sysconf("SC_CLK_TCK")  # the unit of the timers in there
    for line in path.read_text("ascii").splitlines()[1:]:
        word = line.split()
        send_q, _, recv_q = word[4].partition(":")
        timer, _, left = word[5].partition(":")
        listening = word[3] == "0A"
        kind = int(timer, 16)
        yield Entry(
            family, protocol, _state(int(word[3], 16)), _hex(word[1]), _hex(word[2]),
            int(recv_q, 16), None if listening else int(send_q, 16), int(word[9]),
            TIMERS[kind] if kind < len(TIMERS) else "", int(left, 16) / ticks if kind else 0.0, int(word[6], 16),
        )  # fmt: skip


def _hex(address: str) -> Address:
    """``0100007F:1F90``: each group of 32 bits in the order of this machine, the port as people write it."""
    host, _, port = address.partition(":")
    raw = b"".join(struct.pack("=I", int(host[i : i + 8], 16)) for i in range(0, len(host), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw), int(port, 16)


def _unix_from_proc() -> Iterator[UnixEntry]:
    """Num RefCount Protocol Flags Type St Inode Path; St 1 is unconnected, 3 connected; flag 0x10000 a listener."""
    for line in Path("/proc/net/unix").read_text("utf-8", "surrogateescape").splitlines()[1:]:
        word = line.split(maxsplit=7)
        listening, connected = int(word[3], 16) & 0x10000, word[5] == "03"
        state = "LISTEN" if listening else "ESTABLISHED" if connected else "CLOSE"
        name = word[7] if len(word) > 7 else ""
        name = "\0" + name[1:] if name.startswith("@") else name
        yield UnixEntry(int(word[4], 16), state, name, int(word[6]), None, None, None)
