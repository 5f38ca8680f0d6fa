"""Abilities of the operating system: Unix sockets, what they carry besides bytes, waiting, and the kernel's own tables.

A function here is one ability, and short enough to read as an example of it; see `transport` for the rules.
"""

import os
import select
import socket
import struct

from socketlab.interrupts import Uninterrupted
from socketlab.probe.attempts import PATIENCE, Trial, expect, new_socket, trials
from socketlab.probe.transport import exchange


def unix_path() -> str:
    """bind an AF_UNIX stream to a path, connect, a byte each way"""
    from tempfile import TemporaryDirectory

    # A short name, because a path may have 107 bytes (unix(7)), 103 on macOS. An interrupt would leave it behind.
    with Uninterrupted(), TemporaryDirectory(prefix="lab") as folder:
        return _unix(os.path.join(folder, "s"))


def unix_abstract() -> str:
    """the same with a name that begins with a null byte and stands in no directory"""
    return _unix("\0socketlab-" + os.urandom(6).hex())


def _unix(address: str) -> str:
    with new_socket(socket.AF_UNIX) as listener, new_socket(socket.AF_UNIX) as client:
        listener.bind(address)
        listener.listen()
        client.connect(address)
        server, _ = listener.accept()
        with server:
            server.settimeout(PATIENCE)
            return exchange(client, server)


def unix_seqpacket() -> str:
    """socketpair(AF_UNIX, SOCK_SEQPACKET) keeps two messages apart"""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with left, right:
        right.settimeout(PATIENCE)
        left.send(b"one")
        left.send(b"two")
        expect(right.recv(9) == b"one", "the messages were joined")
    return ""


def pass_descriptor() -> str:
    """send_fds of a socket over a socketpair; the copy is the same socket"""
    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        right.settimeout(PATIENCE)
        socket.send_fds(left, [b"?"], [left.fileno()])
        _, descriptors, _, _ = socket.recv_fds(right, 1, 1)
        try:
            expect(len(descriptors) == 1, "no descriptor came")
            expect(os.path.sameopenfile(descriptors[0], left.fileno()), "another descriptor came")
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
    return ""


def peer_credentials() -> str:
    """getsockopt(SO_PEERCRED) of a socketpair names this process"""
    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        pid, uid, _ = struct.unpack("3i", left.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        expect((pid, uid) == (os.getpid(), os.getuid()), "the credentials are another's")
    return ""


def sock_cloexec() -> str:
    """socket(SOCK_STREAM | SOCK_CLOEXEC) is not inheritable"""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        expect(not sock.get_inheritable(), "it is inheritable")
    return ""


def sock_nonblock() -> str:
    """socket(SOCK_STREAM | SOCK_NONBLOCK) does not block"""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        expect(not os.get_blocking(sock.fileno()), "it blocks")
    return ""


def poll() -> str:
    """poll reports a readable socket"""
    left, right = socket.socketpair()
    with left, right:
        poller = select.poll()
        poller.register(right, select.POLLIN)
        left.send(b"?")
        expect(poller.poll(PATIENCE * 1000) == [(right.fileno(), select.POLLIN)], "it was not reported")
    return ""


def epoll() -> str:
    """epoll reports a readable socket"""
    left, right = socket.socketpair()
    with left, right, select.epoll() as poller:
        poller.register(right, select.EPOLLIN)
        left.send(b"?")
        expect(poller.poll(PATIENCE) == [(right.fileno(), select.EPOLLIN)], "it was not reported")
    return ""


def kqueue() -> str:
    """kqueue can be had (macOS, BSD)"""
    select.kqueue().close()  # type: ignore[attr-defined]
    return ""


def route_dump() -> str:
    """ask AF_NETLINK for the table of routes (RTM_GETROUTE)"""
    with new_socket(socket.AF_NETLINK, socket.SOCK_RAW) as sock:
        sock.bind((0, 0))
        # struct nlmsghdr: length, type 26, flags NLM_F_REQUEST | NLM_F_DUMP, sequence, pid; struct rtmsg: all zero
        sock.send(struct.pack("=IHHII12x", 28, 26, 0x301, 1, 0))
        _, kind = struct.unpack_from("=IH", sock.recv(65536))
        expect(kind != 2, "the kernel answered with NLMSG_ERROR")
    return ""


def proc_net() -> str:
    """read the connection table /proc/net/tcp"""
    with open("/proc/net/tcp") as table:
        expect("local_address" in table.readline(), "its first line is not the heading")
    return ""


def system_trials() -> list[Trial]:
    """The trials of the group abilities that need no internet family."""
    return [
        *trials("abilities", unix_path, unix_abstract, unix_seqpacket, pass_descriptor, needs=["AF_UNIX"]),
        *trials("abilities", peer_credentials, needs=["AF_UNIX", "SO_PEERCRED"]),
        *trials("abilities", sock_cloexec, sock_nonblock, needs=["AF_INET"]),
        *trials("abilities", poll, epoll, kqueue),
        *trials("abilities", route_dump, needs=["AF_NETLINK"]),
        *trials("abilities", proc_net),
    ]
