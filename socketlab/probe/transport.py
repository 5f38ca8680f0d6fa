"""Abilities of TCP and UDP: what the course does with sockets, done once on loopback with real bytes.

A function here is one ability, and short enough to read as an example of it. It returns "" or a remark, and raises
OSError where the machine cannot. Whether bytes travelled is looked at: a call that succeeds proves little.
"""

import contextlib
import os
import select
import socket
import struct
from collections.abc import Iterator

from socketlab.probe.attempts import PATIENCE, Trial, expect, new_socket, trials
from socketlab.probe.options import GROUP, GROUP6, loopback_index

IP_RECVERR = 11  # <linux/in.h>; Python names it from 3.14 on


@contextlib.contextmanager
def _pair(family: int, host: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connected pair (client, server's end) over TCP on loopback."""
    with new_socket(family) as listener, new_socket(family) as client:
        listener.bind((host, 0))
        listener.listen()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            server.settimeout(PATIENCE)
            yield client, server


def exchange(client: socket.socket, server: socket.socket, sent: bool = False) -> str:
    """A byte each way (`sent`: the first is on its way). Returns "", raises OSError where one does not come."""
    if not sent:
        client.sendall(b"?")
    expect(server.recv(1) == b"?", "the byte sent did not arrive")
    server.sendall(b"!")
    expect(client.recv(1) == b"!", "the byte answered did not arrive")
    return ""


def tcp_loopback() -> str:
    """listen on 127.0.0.1, connect, accept, a byte each way"""
    with _pair(socket.AF_INET, "127.0.0.1") as (client, server):
        return exchange(client, server)


def tcp_loopback_ipv6() -> str:
    """listen on ::1, connect, accept, a byte each way"""
    with _pair(socket.AF_INET6, "::1") as (client, server):
        return exchange(client, server)


def dual_stack() -> str:
    """an IPv6 listener without IPV6_V6ONLY accepts an IPv4 client"""
    # Bound to the mapped form of 127.0.0.1 and not to ::, which would open a port to the network for a moment.
    with new_socket(socket.AF_INET6) as listener, new_socket(socket.AF_INET) as client:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::ffff:127.0.0.1", 0))
        listener.listen()
        client.connect(("127.0.0.1", listener.getsockname()[1]))
        server, peer = listener.accept()
        with server:
            server.settimeout(PATIENCE)
            expect(peer[0] == "::ffff:127.0.0.1", f"the IPv4 client appeared as {peer[0]}")
            return exchange(client, server)


def udp_loopback() -> str:
    """a datagram from 127.0.0.1 to itself"""
    with new_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.sendto(b"?", sock.getsockname())
        expect(sock.recv(2) == b"?", "another datagram arrived")
    return ""


def _multicast(family: int, group: str, scope: tuple[int, ...], settings: list[tuple[int, bytes | int]]) -> str:
    level = socket.IPPROTO_IPV6 if family == socket.AF_INET6 else socket.IPPROTO_IP
    with new_socket(family, socket.SOCK_DGRAM) as sock:
        for option, value in settings:
            sock.setsockopt(level, option, value)
        # Bound to the group, the socket hears nothing but the group; Windows wants an address of its own.
        sock.bind((group if os.name == "posix" else "", 0, *scope))
        sock.sendto(b"?", (group, sock.getsockname()[1], *scope))
        expect(sock.recv(2) == b"?", "another datagram arrived")
    return ""


def multicast() -> str:
    """join 239.255.76.67 on the loopback interface, send to it, hear it"""
    here = socket.inet_aton("127.0.0.1")
    return _multicast(socket.AF_INET, GROUP, (), [
        (socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + here),
        (socket.IP_MULTICAST_IF, here),
        (socket.IP_MULTICAST_TTL, 0),  # ip(7): 0 does not leave the host
        (socket.IP_MULTICAST_LOOP, 1),
    ])  # fmt: skip


def multicast_ipv6() -> str:
    """join ff11::4c43 on the loopback interface, send to it, hear it"""
    index = struct.pack("@I", loopback_index())
    return _multicast(socket.AF_INET6, GROUP6, (0, loopback_index()), [
        (socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, GROUP6) + index),
        (socket.IPV6_MULTICAST_IF, index),
        (socket.IPV6_MULTICAST_HOPS, 0),
        (socket.IPV6_MULTICAST_LOOP, 1),
    ])  # fmt: skip


def shared_port() -> str:
    """two listeners on one port, both with SO_REUSEPORT"""
    with new_socket(socket.AF_INET) as first, new_socket(socket.AF_INET) as second:
        for sock in (first, second):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        first.bind(("127.0.0.1", 0))
        second.bind(first.getsockname())
        first.listen()
        second.listen()
    return ""


def inside_tcp() -> str:
    """getsockopt(TCP_INFO) of a connection"""
    with _pair(socket.AF_INET, "127.0.0.1") as (client, _):
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)
        expect(info[:1] == b"\x01", "the first byte is not TCP_ESTABLISHED")
        return f"{len(info)} bytes"


def fast_open() -> str:
    """sendto(data, MSG_FASTOPEN, listener), which connects and sends in one call"""
    with new_socket(socket.AF_INET) as listener, new_socket(socket.AF_INET) as client:
        listener.bind(("127.0.0.1", 0))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 1)
        listener.listen()
        # A socket with a Python timeout does not block in the kernel, and so would only begin to connect (EINPROGRESS).
        client.settimeout(None)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 0, int(PATIENCE * 1_000_000)))
        client.sendto(b"?", socket.MSG_FASTOPEN, listener.getsockname())
        server, _ = listener.accept()
        with server:
            server.settimeout(PATIENCE)
            client.settimeout(PATIENCE)
            return exchange(client, server, sent=True)


def urgent_byte() -> str:
    """send(b"!", MSG_OOB) and recv(1, MSG_OOB) of a connection"""
    with _pair(socket.AF_INET, "127.0.0.1") as (client, server):
        client.send(b"!", socket.MSG_OOB)
        ready = select.select([], [], [server], PATIENCE)[2]
        expect(bool(ready), "no exceptional condition within the deadline")
        server.setblocking(False)  # with a timeout, recv() would first wait for ordinary bytes
        expect(server.recv(1, socket.MSG_OOB) == b"!", "another byte arrived")
    return ""


def error_queue() -> str:
    """recvmsg(MSG_ERRQUEUE) of the ICMP error that a closed UDP port sends"""
    with new_socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        address = closed.getsockname()
    with new_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        sock.connect(address)
        sock.send(b"?")
        poller = select.poll()
        poller.register(sock, 0)  # POLLERR is always reported
        expect(bool(poller.poll(PATIENCE * 1000)), "no error within the deadline")
        _, ancillary, _, _ = sock.recvmsg(64, 512, socket.MSG_ERRQUEUE)
        expect((socket.IPPROTO_IP, IP_RECVERR) in [a[:2] for a in ancillary], "no extended error came with it")
    return ""


def sendfile() -> str:
    """os.sendfile from a file to a connection"""
    from tempfile import TemporaryFile

    with _pair(socket.AF_INET, "127.0.0.1") as (client, server), TemporaryFile(buffering=0) as file:
        file.write(b"?")
        os.sendfile(client.fileno(), file.fileno(), 0, 1)
        expect(server.recv(1) == b"?", "another byte arrived")
    return ""


def transport_trials() -> list[Trial]:
    """The trials of the group abilities that need an internet family."""
    return [
        *trials("abilities", tcp_loopback, needs=["AF_INET"]),
        *trials("abilities", tcp_loopback_ipv6, needs=["AF_INET6"]),
        *trials("abilities", dual_stack, needs=["AF_INET", "AF_INET6"]),
        *trials("abilities", udp_loopback, needs=["AF_INET"]),
        *trials("abilities", multicast, needs=["AF_INET"]),
        *trials("abilities", multicast_ipv6, needs=["AF_INET6"]),
        *trials("abilities", shared_port, needs=["AF_INET", "SO_REUSEPORT"]),
        *trials("abilities", inside_tcp, needs=["AF_INET", "TCP_INFO"]),
        *trials("abilities", fast_open, needs=["AF_INET", "TCP_FASTOPEN"]),
        *trials("abilities", urgent_byte, error_queue, sendfile, needs=["AF_INET"]),
    ]
