"""One card for each of the rarer families: what it is for, what its address looks like, and lines that try it.

A card holds words and a program as text; nothing here makes a socket. The programs say what a refusal was instead of
raising it, wait at most a second, and stay on this machine. Source: the man pages of section 7 that each card names.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CARDS", "Card"]


class Card(NamedTuple):
    """What there is to know of a family before asking for it. `protocol` is the number for socket(2)."""

    family: str
    type: str
    protocol: int
    what: str
    address: str
    example: str  #: an address as Python writes it
    page: str
    lines: str  #: what to do with an open socket `s`

    @property
    def call(self) -> str:
        """The call that makes such a socket."""
        arguments = [f"socket.{self.family}", f"socket.{self.type}", *([str(self.protocol)] if self.protocol else [])]
        return f"socket.socket({', '.join(arguments)})"

    @property
    def program(self) -> str:
        """A whole cell to copy: it prints the kernel's refusal where there is one."""
        body = "\n".join(f"        {line}" for line in self.lines.strip().splitlines())
        return (
            f"import socket\n\ntry:\n    with {self.call} as s:\n        s.settimeout(1)\n{body}\n"
            "except (OSError, AttributeError) as refusal:\n    print(refusal)"
        )


_ECHO = r'request = b"\x08\x00\xd1\xfe\x26\x00\x00\x01"  # an echo request, checksum included'

CARDS = {
    "raw ICMP": Card(
        "AF_INET", "SOCK_RAW", 1, "Packets of ICMP, which you build yourself: what ping and traceroute do.",
        "a host; the port says nothing", '("127.0.0.1", 0)', "raw(7)",
        f'{_ECHO}\ns.sendto(request, ("127.0.0.1", 0))\nprint(s.recv(100))',
    ),
    "ping socket": Card(
        "AF_INET", "SOCK_DGRAM", 1, "Echo requests without root: the kernel puts in the identifier and the checksum.",
        "a host, and the identifier in the place of the port", '("127.0.0.1", 0)', "icmp(7)",
        f'{_ECHO}\ns.sendto(request, ("127.0.0.1", 0))\nprint(s.recv(100))',
    ),
    "AF_PACKET": Card(
        "AF_PACKET", "SOCK_RAW", 0, "Whole frames of a network card: what tcpdump and Wireshark see.",
        "interface, protocol, and on receipt: for whom, the card's kind, its address",
        '("lo", 0x0800, 0, 772, bytes(6))', "packet(7)",
        's.bind(("lo", 0x88B5))  # frames of this protocol only\n'
        's.send(bytes(12) + b"\\x88\\xb5" + b"a frame".ljust(46))\nprint(s.recvfrom(100))',
    ),
    "AF_NETLINK": Card(
        "AF_NETLINK", "SOCK_RAW", 0, "Questions to the kernel: its interfaces, addresses and routes.",
        "the number of a socket, 0 for the kernel, and groups to listen to", "(0, 0)", "netlink(7), rtnetlink(7)",
        "import struct\ns.sendto(struct.pack('=IHHII17x', 33, 18, 0x301, 1, 0), (0, 0))  # RTM_GETLINK, all\n"
        "print(len(s.recv(65536)), 'bytes')",
    ),
    "AF_ALG": Card(
        "AF_ALG", "SOCK_SEQPACKET", 0, "The kernel's hashes and ciphers, or those of a chip that it drives.",
        "a kind of algorithm and its name", '("hash", "sha256")', "crypto/userspace-if.rst of Linux",
        's.bind(("hash", "sha256"))\nwith s.accept()[0] as operation:\n    operation.sendall(b"abc")\n'
        "    print(operation.recv(32).hex())",
    ),
    "AF_VSOCK": Card(
        "AF_VSOCK", "SOCK_STREAM", 0, "A virtual machine and its host, without a network between them.",
        "the machine's number (2 is the host) and a port", "(2, 1234)", "vsock(7)",
        "s.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))\ns.listen()\nprint(s.getsockname())",
    ),
    "AF_CAN": Card(
        "AF_CAN", "SOCK_RAW", 1, "The bus that connects the controllers of a car: frames of 8 bytes, for everybody.",
        "the name of an interface", '("vcan0",)', "networking/can.rst of Linux",
        's.bind(("vcan0",))  # root makes one: ip link add vcan0 type vcan; ip link set vcan0 up\n'
        's.send(b"\\x23\\x01\\x00\\x00\\x02\\x00\\x00\\x00hi" + bytes(6))\nprint(s.getsockname())',
    ),
    "J1939": Card(
        "AF_CAN", "SOCK_DGRAM", 7, "The bus of trucks, ships and tractors: messages with addresses, of any length.",
        "interface, name, group of parameters, address", '("vcan0", 0, 0x40000, 0x20)', "networking/j1939.rst of Linux",
        's.bind(("vcan0", socket.J1939_NO_NAME, socket.J1939_NO_PGN, 0x20))\nprint(s.getsockname())',
    ),
    "AF_TIPC": Card(
        "AF_TIPC", "SOCK_RDM", 0, "A cluster in which you call a service by its number, wherever it runs.",
        "kind of address, service, first and last instance, scope", "(1, 1000, 0, 9, 2)", "tipc(7)",
        "s.bind((socket.TIPC_ADDR_NAMESEQ, 1000, 0, 9, socket.TIPC_NODE_SCOPE))\nprint(s.getsockname())",
    ),
    "AF_RDS": Card(
        "AF_RDS", "SOCK_SEQPACKET", 0, "Datagrams that arrive, each once and in order: for databases on many nodes.",
        "a host and a port", '("127.0.0.1", 4000)', "rds(7)",
        's.bind(("127.0.0.1", 4000))\nprint(s.getsockname())',
    ),
    "UDP-Lite": Card(
        "AF_INET", "SOCK_DGRAM", 136, "UDP for sound and pictures: damage in the part without a checksum may arrive.",
        "a host and a port", '("127.0.0.1", 4000)', "udplite(7)",
        's.bind(("127.0.0.1", 0))\ns.sendto(b"hello", s.getsockname())\nprint(s.recv(100))',
    ),
    "SCTP": Card(
        "AF_INET", "SOCK_STREAM", 132, "Connections with several streams and several addresses: telephone networks.",
        "a host and a port", '("127.0.0.1", 4000)', "sctp(7), RFC 9260",
        's.bind(("127.0.0.1", 0))\ns.listen()\nprint(s.getsockname()[0])',
    ),
    "MPTCP": Card(
        "AF_INET", "SOCK_STREAM", 262, "TCP over several paths at once, such as Wi-Fi and the telephone network.",
        "a host and a port", '("127.0.0.1", 4000)', "networking/mptcp.rst of Linux, RFC 8684",
        's.bind(("127.0.0.1", 0))\ns.listen()\nprint(s.getsockname()[0])',
    ),
    "AF_BLUETOOTH": Card(
        "AF_BLUETOOTH", "SOCK_STREAM", 3, "Devices nearby, by radio; RFCOMM is a stream, like a serial cable.",
        "a device and a channel", '("00:11:22:33:44:55", 1)', "Python's socket documentation",
        "s.bind((socket.BDADDR_ANY, 0))\ns.listen()\nprint(s.getsockname())",
    ),
    "AF_QIPCRTR": Card(
        "AF_QIPCRTR", "SOCK_DGRAM", 0, "The processors inside a telephone's chip: modem, sound, sensors.",
        "a node and a port", "(1, 4000)", "linux/qrtr.h",
        "print(s.getsockname())",
    ),
    "AF_HYPERV": Card(
        "AF_HYPERV", "SOCK_STREAM", 1, "A Hyper-V virtual machine and its Windows host, without a network.",
        "two GUIDs: the machine and the service", '(socket.HV_GUID_PARENT, "…")', "Hyper-V's page on its sockets",
        "s.bind((socket.HV_GUID_WILDCARD, socket.HV_GUID_ZERO))\nprint(s.getsockname())",
    ),
}  # fmt: skip
"""The cards by the word to choose them by, in the order of lesson 26."""
