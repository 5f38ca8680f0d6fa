"""Internet packets as bytes: IPv4, IPv6, TCP and UDP headers with their checksums.

RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 (TCP), RFC 768 (UDP), RFC 1071 (the checksum). There is no Ethernet below:
a packet begins with its IP header, as in a capture of link type RAW, because no network card took part.

A packet may hold fewer bytes than it says it has (the trace did not keep them). Its checksum is then written as 0,
for it cannot be computed; Wireshark does not check it, because it sees that the packet was cut.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

#: An address on the wire: 4 or 16 bytes, and a port.
Address = tuple[bytes, int]

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
TCP, UDP = 6, 17

_MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:a.b.c.d, an IPv4 address in IPv6's clothes (RFC 4291, section 2.5.5.2)
_HOPS = 64  # what Linux sends (net.ipv4.ip_default_ttl); calls do not show it
_WINDOW = 65535  # calls do not show it either: the largest one, so that it never seems to be full
_SCALE = 14  # the largest shift (RFC 7323, section 2.3): a window of 1 GiB


def packed(address: Any) -> Address | None:
    """What `getsockname()` returned, as on the wire; None where it is no Internet address.

    An IPv6 socket that talks to an IPv4 peer sends IPv4 packets, so ``::ffff:127.0.0.1`` becomes ``127.0.0.1``.
    """
    if not isinstance(address, tuple) or len(address) < 2 or not isinstance(address[0], str):
        return None
    text, port = address[0].partition("%")[0], address[1]  # fe80::1%lo: the zone is not on the wire
    if not isinstance(port, int) or not 0 <= port <= 65535:
        return None
    try:
        host = socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):  # a name that was never looked up, ""
        return None
    return (host[12:] if host[:12] == _MAPPED else host), port


def largest_segment(host: bytes) -> int:
    """The most bytes of TCP payload in a packet: what the loopback interface announces, whose MTU is 65,536 bytes."""
    return 65495 if len(host) == 4 else 65476  # an IPv4 packet can be no longer than 65,535


def tcp(
    source: Address, target: Address, seq: int, ack: int, flags: int, payload: bytes = b"", size: int | None = None
) -> bytes:
    """A TCP segment in its IP packet. `size` is the length of the payload where `payload` is only its beginning."""
    size = len(payload) if size is None else size
    options = b""
    if flags & SYN:  # maximum segment size; no-operation; window scale
        options = struct.pack("!BBHBBBB", 2, 4, largest_segment(source[0]), 1, 3, 3, _SCALE)
    offset = 5 + len(options) // 4
    ports = (source[1], target[1])
    numbers = (seq % 2**32, ack % 2**32)
    urgent = size if flags & URG else 0  # where in the segment urgent data ends
    header = bytearray(struct.pack("!HHIIBBHHH", *ports, *numbers, offset << 4, flags, _WINDOW, 0, urgent) + options)
    if size == len(payload):
        header[16:18] = _over_pseudo_header(source, target, TCP, bytes(header) + payload).to_bytes(2, "big")
    return _ip(source[0], target[0], TCP, len(header) + size) + bytes(header) + payload


def udp(source: Address, target: Address, payload: bytes, size: int | None = None) -> bytes:
    """A UDP datagram in its IP packet. `size` is the length of the payload where `payload` is only its beginning."""
    size = len(payload) if size is None else size
    header = struct.pack("!HHHH", source[1], target[1], 8 + size, 0)
    if size == len(payload):
        # 0 stands for "no checksum", so a sum of 0 travels as 0xffff
        checksum = _over_pseudo_header(source, target, UDP, header + payload) or 0xFFFF
        header = header[:6] + checksum.to_bytes(2, "big")
    return _ip(source[0], target[0], UDP, len(header) + size) + header + payload


def internet_checksum(data: bytes) -> int:
    """The 16-bit ones' complement of the ones' complement sum of all 16-bit words (RFC 1071).

    2**16 is 1 modulo 65,535, so the number that the bytes spell has the same rest as the sum of its words.
    """
    rest = int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xFFFF
    return 0xFFFF - rest if rest else 0  # a header is never all zeros: a rest of 0 means a sum of 0xffff


def _over_pseudo_header(source: Address, target: Address, protocol: int, data: bytes) -> int:
    if len(source[0]) == 4:
        pseudo = source[0] + target[0] + struct.pack("!HH", protocol, len(data))
    else:
        pseudo = source[0] + target[0] + struct.pack("!II", len(data), protocol)
    return internet_checksum(pseudo + data)


def _ip(source: bytes, target: bytes, protocol: int, size: int) -> bytes:
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, size, protocol, _HOPS) + source + target
    # Not to be fragmented (0x4000), so its identification may be 0 (RFC 6864, section 4.1)
    start = struct.pack("!BBHHHBB", 0x45, 0, 20 + size, 0, 0x4000, _HOPS, protocol)
    return start + internet_checksum(start + b"\0\0" + source + target).to_bytes(2, "big") + source + target
