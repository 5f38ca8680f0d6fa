"""Privileges: what the kernel keeps for root, or for those who hold a capability (capabilities(7)).

Each is tried in a way that changes nothing: the host name is set to what it is, no socket is bound to a network.
"""

import errno
import socket
import struct

from socketlab.probe.attempts import Trial, new_socket, trials


def low_ports() -> str:
    """bind to a port below 1024 of 127.0.0.1"""
    # From the top: the well-known services sit lower. Linux asks for the privilege first, so a port in use was allowed.
    for port in range(1023, 1013, -1):
        with new_socket(socket.AF_INET) as sock:
            try:
                sock.bind(("127.0.0.1", port))
                return ""
            except OSError as exc:
                if exc.errno != errno.EADDRINUSE:
                    raise
    return "allowed, the ten tried are in use"


def raw_ipv4() -> str:
    """socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)"""
    new_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    return ""


def raw_ipv6() -> str:
    """socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)"""
    new_socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6).close()
    return ""


def packet_sockets() -> str:
    """socket(AF_PACKET, SOCK_RAW), which sees nothing as protocol 0"""
    new_socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    return ""


def icmp_ping() -> str:
    """socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP); who may is in net.ipv4.ping_group_range"""
    new_socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).close()
    return ""


def sethostname() -> str:
    """sethostname(gethostname()): to what it already is"""
    socket.sethostname(socket.gethostname())
    return ""


def net_admin() -> str:
    """setsockopt(SO_MARK, 1) on a socket that is closed at once"""
    with new_socket(socket.AF_INET) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("@I", 1))
    return ""


def transparent_proxy() -> str:
    """setsockopt(IP_TRANSPARENT, 1) on a socket that is closed at once"""
    with new_socket(socket.AF_INET) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TRANSPARENT, 1)
    return ""


def privilege_trials() -> list[Trial]:
    """The trials of the group privileges."""
    return [
        *trials("privileges", low_ports, raw_ipv4, needs=["AF_INET"]),
        *trials("privileges", raw_ipv6, needs=["AF_INET6"]),
        *trials("privileges", packet_sockets, needs=["AF_PACKET"]),
        *trials("privileges", icmp_ping, needs=["AF_INET"]),
        *trials("privileges", sethostname),
        *trials("privileges", net_admin, transparent_proxy, needs=["AF_INET"]),
    ]
