"""IP_: the options of IPv4, at the level IPPROTO_IP. Source: ip(7)."""

from . import Text

_PAGE = "ip(7)"
_JOINED = "it can only be set: a membership is a request, not a value"
GROUP = "239.255.76.67"  # for private use (RFC 2365)
_ANCILLARY = "for recvmsg()"

IP = {
    "IP_ADD_MEMBERSHIP": Text(
        "group",
        "Join a multicast group on one interface: datagrams to the group are delivered to this machine; set only.",
        GROUP,
        "Linux 1.2",
        _PAGE,
        unread=_JOINED,
    ),
    "IP_ADD_SOURCE_MEMBERSHIP": Text(
        "source group",
        "Join a multicast group, but hear one sender only; set only.",
        GROUP,
        "Linux 2.4.22",
        _PAGE,
        unread=_JOINED,
    ),
    "IP_BIND_ADDRESS_NO_PORT": Text(
        "flag",
        "Let bind() with port 0 fix only the address; the port is chosen at connect(), so that more connections "
        "can share one port.",
        1,
        "Linux 4.2",
        _PAGE,
    ),
    "IP_BLOCK_SOURCE": Text(
        "source group",
        "No longer hear one sender of a multicast group that was joined; set only.",
        GROUP,
        "Linux 2.4.22",
        _PAGE,
        unread=_JOINED,
    ),
    "IP_DEFAULT_MULTICAST_LOOP": Text(
        "value", "What IP_MULTICAST_LOOP is unless somebody sets it: a value, not an option.", source="netinet/in.h"
    ),
    "IP_DEFAULT_MULTICAST_TTL": Text(
        "value", "What IP_MULTICAST_TTL is unless somebody sets it: a value, not an option.", source="netinet/in.h"
    ),
    "IP_DROP_MEMBERSHIP": Text(
        "group", "Leave a multicast group that was joined; set only.", GROUP, "Linux 1.2", _PAGE, unread=_JOINED
    ),
    "IP_DROP_SOURCE_MEMBERSHIP": Text(
        "source group",
        "Take back IP_ADD_SOURCE_MEMBERSHIP for one sender; set only.",
        GROUP,
        "Linux 2.4.22",
        _PAGE,
        unread=_JOINED,
    ),
    "IP_FREEBIND": Text(
        "flag",
        "Let bind() take an address that this machine does not have, or does not have yet.",
        1,
        "Linux 2.4",
        _PAGE,
    ),
    "IP_HDRINCL": Text(
        "flag",
        "Raw sockets: the program writes the IP header itself, in front of its data.",
        1,
        "Linux 2.0",
        _PAGE,
    ),
    "IP_MAX_MEMBERSHIPS": Text(
        "value",
        "How many multicast groups one socket could join in old kernels; today net.ipv4.igmp_max_memberships says "
        "it: a value, not an option.",
        source="netinet/in.h",
    ),
    "IP_MTU": Text(
        "bytes",
        "The largest packet that the path to the peer takes, as far as the kernel knows; read only.",
        since="Linux 2.2",
        source=_PAGE,
        unread="only a connected socket has a path",
    ),
    "IP_MTU_DISCOVER": Text(
        "count",
        "Whether packets may be cut on their way: 0 they may, 1 as the route says, 2 never, 3 never and without "
        "minding the known limit.",
        2,
        "Linux 2.2",
        _PAGE,
    ),
    "IP_MULTICAST_IF": Text(
        "address",
        "The address of the interface through which this socket sends multicast; 0.0.0.0 lets the routes choose.",
        "127.0.0.1",
        "Linux 1.2",
        _PAGE,
    ),
    "IP_MULTICAST_LOOP": Text(
        "flag",
        "Whether multicast that this socket sends is heard on this machine too; on unless somebody sets it.",
        0,
        "Linux 1.2",
        _PAGE,
    ),
    "IP_MULTICAST_TTL": Text(
        "hops",
        "How many routers a multicast datagram may pass plus one; 1 keeps it in the local network.",
        4,
        "Linux 1.2",
        _PAGE,
    ),
    "IP_OPTIONS": Text(
        "raw",
        "The optional part of the IPv4 header of each packet sent, at most 40 bytes (RFC 791); almost no router "
        "lets it pass.",
        b"\x01\x01\x01\x00",
        "Linux 2.0",
        _PAGE,
    ),
    "IP_PKTINFO": Text(
        "flag",
        f"Datagrams: tell for each to which of this machine's addresses and on which interface it came, {_ANCILLARY}.",
        1,
        "Linux 2.2",
        _PAGE,
    ),
    "IP_PORTRANGE": Text("count", "BSD: the range from which bind() takes a port for 0.", source="BSD ip(4)"),
    "IP_RECVDSTADDR": Text(
        "flag", f"BSD and macOS: tell for each datagram to which address it was sent, {_ANCILLARY}.", 1,
        source="BSD ip(4)",
    ),
    "IP_RECVERR": Text(
        "flag",
        "Queue what the network reports as errors, with the packet that caused them, for recvmsg() with MSG_ERRQUEUE.",
        1,
        "Linux 2.2",
        _PAGE,
    ),
    "IP_RECVOPTS": Text(
        "flag",
        f"Datagrams: pass the options of each packet's header on, with this host filled in, {_ANCILLARY}.",
        1,
        "Linux 2.2",
        _PAGE,
    ),
    "IP_RECVORIGDSTADDR": Text(
        "flag",
        f"Datagrams: tell for each where it was headed before a firewall redirected it, {_ANCILLARY}.",
        1,
        "Linux 2.6.29",
        _PAGE,
    ),
    "IP_RECVRETOPTS": Text(
        "flag", "Another name of IP_RETOPTS.", 1, "Linux 2.2", "ip(7), as IP_RETOPTS"
    ),
    "IP_RECVTOS": Text(
        "flag", f"Datagrams: pass on the type-of-service byte of each, {_ANCILLARY}.", 1, "Linux 2.2", _PAGE
    ),
    "IP_RECVTTL": Text(
        "flag", f"Datagrams: tell how many hops each had left, {_ANCILLARY}.", 1, "Linux 2.2", _PAGE
    ),
    "IP_RETOPTS": Text(
        "flag",
        f"Datagrams: pass the options of each packet's header on as they came, {_ANCILLARY}.",
        1,
        "Linux 2.2",
        _PAGE,
    ),
    "IP_TOS": Text(
        "count",
        "A byte in each packet that asks routers for haste or patience: 0x10 for low delay, 0x08 for throughput; "
        "today its upper six bits are the DSCP (RFC 2474).",
        0x10,
        "Linux 1.0",
        _PAGE,
    ),
    "IP_TRANSPARENT": Text(
        "flag",
        "Let a proxy bind addresses that belong to others; takes CAP_NET_ADMIN or CAP_NET_RAW.",
        1,
        "Linux 2.6.24",
        _PAGE,
    ),
    "IP_TTL": Text(
        "hops",
        "How many routers a packet may pass before it is thrown away, 1 to 255; what traceroute counts up.",
        5,
        "Linux 1.0",
        _PAGE,
    ),
    "IP_UNBLOCK_SOURCE": Text(
        "source group",
        "Hear again a sender that IP_BLOCK_SOURCE had silenced; set only.",
        GROUP,
        "Linux 2.4.22",
        _PAGE,
        unread=_JOINED,
    ),
}  # fmt: skip
