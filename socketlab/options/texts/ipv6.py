"""IPV6_: the options of IPv6, at the level IPPROTO_IPV6. Source: ipv6(7), RFC 3493, RFC 3542, linux/in6.h."""

from . import Text

_PAGE, _ADVANCED = "ipv6(7)", "RFC 3542"
_JOINED = "it can only be set: a membership is a request, not a value"
GROUP6 = "ff11::4c43"  # reaches no further than the interface (RFC 4291, 2.7)
_EACH = "for recvmsg()"
_OPTIONS_BY_HAND = "its value is a header that one builds by hand; takes CAP_NET_RAW"

IPV6 = {
    "IPV6_CHECKSUM": Text(
        "count",
        "Raw sockets: at which byte of the data the kernel writes the checksum, -1 for not at all.",
        2,
        "Linux 2.2",
        _ADVANCED,
    ),
    "IPV6_DONTFRAG": Text(
        "flag",
        "Datagrams: never cut one that is too long for the path; sending it fails with EMSGSIZE instead.",
        1,
        "Linux 2.6.35",
        _ADVANCED,
    ),
    "IPV6_DSTOPTS": Text(
        "raw",
        "A header of options for the destination alone, put into each packet sent.",
        None,
        "Linux 2.2",
        _PAGE,
        _OPTIONS_BY_HAND,
    ),
    "IPV6_HOPLIMIT": Text(
        "hops",
        "The hop limit of one datagram: sent with sendmsg(), received with recvmsg() after IPV6_RECVHOPLIMIT.",
        None,
        "Linux 2.2",
        _PAGE,
        "it travels with a message instead of belonging to the socket",
        unread="it travels with a message: IPV6_RECVHOPLIMIT asks for it",
    ),
    "IPV6_HOPOPTS": Text(
        "raw",
        "A header of options for every router on the way, put into each packet sent.",
        None,
        "Linux 2.2",
        _PAGE,
        _OPTIONS_BY_HAND,
    ),
    "IPV6_JOIN_GROUP": Text(
        "group6",
        "Join a multicast group on one interface, given by its number; set only.",
        GROUP6,
        "Linux 2.2",
        "ipv6(7), as IPV6_ADD_MEMBERSHIP",
        unread=_JOINED,
    ),
    "IPV6_LEAVE_GROUP": Text(
        "group6",
        "Leave a multicast group that was joined; set only.",
        GROUP6,
        "Linux 2.2",
        "ipv6(7), as IPV6_DROP_MEMBERSHIP",
        unread=_JOINED,
    ),
    "IPV6_MTU": Text(
        "bytes",
        "The largest packet that the path to the peer takes; setting it caps what this socket sends.",
        1_280,
        "Linux 2.2",
        _PAGE,
        unread="only a connected socket has a path",
    ),
    "IPV6_MTU_DISCOVER": Text(
        "count",
        "Whether packets may be cut: 0 they may, 1 as the route says, 2 never, 3 never and without minding the limit.",
        2,
        "Linux 2.2",
        _PAGE,
    ),
    "IPV6_MULTICAST_HOPS": Text(
        "hops",
        "How many routers a multicast datagram may pass plus one, -1 for the usual; 1 keeps it in the local network.",
        4,
        source=_PAGE,
    ),
    "IPV6_MULTICAST_IF": Text(
        "interface",
        "The number of the interface through which this socket sends multicast; 0 lets the routes choose.",
        "lo",
        source=_PAGE,
    ),
    "IPV6_MULTICAST_LOOP": Text(
        "flag",
        "Whether multicast that this socket sends is heard on this machine too; on unless somebody sets it.",
        0,
        source=_PAGE,
    ),
    "IPV6_NEXTHOP": Text(
        "raw",
        "The address of the first router for what is sent (RFC 3542); Linux names the number and does no more.",
        None,
        "Linux 2.2",
        _ADVANCED,
        "Linux names the number and does no more",
        unread="Linux names the number and does no more",
    ),
    "IPV6_PATHMTU": Text(
        "path mtu",
        "The largest packet that the path to the peer takes, of a connected socket; read only.",
        since="Linux 2.6.35",
        source=_ADVANCED,
        unread="only a connected socket has a path",
    ),
    "IPV6_PKTINFO": Text(
        "raw",
        "The address and the interface that what is sent shall come from: 16 bytes and a number; set only.",
        None,
        "Linux 2.6.29",
        _PAGE,
        "its value is an address and an interface, and it would change where packets seem to come from",
        unread="it can only be set: IPV6_RECVPKTINFO asks for that of received datagrams",
    ),
    "IPV6_RECVDSTOPTS": Text(
        "flag",
        f"Datagrams: pass on the options for the destination, {_EACH}.",
        1,
        "Linux 2.6.14",
        _ADVANCED,
    ),
    "IPV6_RECVERR": Text(
        "flag",
        "Queue what the network reports as errors, with the packet that caused them, for recvmsg() with MSG_ERRQUEUE.",
        1,
        source=_PAGE,
    ),
    "IPV6_RECVHOPLIMIT": Text(
        "flag", f"Datagrams: tell how many hops each had left, {_EACH}.", 1, "Linux 2.6.14", _ADVANCED
    ),
    "IPV6_RECVHOPOPTS": Text(
        "flag",
        f"Datagrams: pass on the options for every router, {_EACH}.",
        1,
        "Linux 2.6.14",
        _ADVANCED,
    ),
    "IPV6_RECVPATHMTU": Text(
        "flag",
        f"Datagrams: tell when one was too long for the path, and what the path takes, {_EACH}.",
        1,
        "Linux 2.6.35",
        _ADVANCED,
    ),
    "IPV6_RECVPKTINFO": Text(
        "flag",
        f"Datagrams: tell for each to which of this machine's addresses and on which interface it came, {_EACH}.",
        1,
        "Linux 2.6.14",
        _PAGE,
    ),
    "IPV6_RECVRTHDR": Text(
        "flag", f"Datagrams: pass on the routing header, {_EACH}.", 1, "Linux 2.6.14", _ADVANCED
    ),
    "IPV6_RECVTCLASS": Text(
        "flag", f"Datagrams: pass on the traffic class of each, {_EACH}.", 1, "Linux 2.6.14", _ADVANCED
    ),
    "IPV6_RTHDR": Text(
        "raw",
        "A header that lists routers to pass through, put into each packet sent.",
        None,
        "Linux 2.2",
        _PAGE,
        "its value is a header that one builds by hand",
    ),
    "IPV6_RTHDRDSTOPTS": Text(
        "raw",
        "A header of options for each router that IPV6_RTHDR lists, put into each packet sent.",
        None,
        "Linux 2.6.14",
        _ADVANCED,
        _OPTIONS_BY_HAND,
    ),
    "IPV6_RTHDR_TYPE_0": Text(
        "value",
        "The kind of routing header that RFC 5095 forbade, for it let anybody send packets in circles: a value, not "
        "an option.",
        source=_ADVANCED,
    ),
    "IPV6_TCLASS": Text(
        "count",
        "A byte in each packet that asks routers for haste or patience, -1 for the usual; what IP_TOS is to IPv4.",
        0x10,
        "Linux 2.6.14",
        _ADVANCED,
    ),
    "IPV6_UNICAST_HOPS": Text(
        "hops", "How many routers a packet may pass before it is thrown away, -1 for the usual.", 5, source=_PAGE
    ),
    "IPV6_USE_MIN_MTU": Text(
        "count",
        "BSD and macOS: whether packets are cut to the 1,280 bytes that every path takes.",
        1,
        source=_ADVANCED,
    ),
    "IPV6_V6ONLY": Text(
        "flag",
        "Speak IPv6 only; 0 is dual-stack: a socket bound to :: speaks IPv4 as well, and takes the port there too.",
        1,
        "Linux 2.4.21",
        _PAGE,
    ),
}  # fmt: skip
