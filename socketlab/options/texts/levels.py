"""The levels: the second argument of every option call, which says whose option the third one is."""

from . import Text

_LEVEL = "level"

LEVELS = {
    "SOL_SOCKET": Text(
        _LEVEL,
        "The level of the options that a socket has whatever its protocol: buffers, timeouts, reuse of addresses.",
        source="socket(7)",
    ),
    "SOL_IP": Text(
        _LEVEL, "The level of IPv4's options, such as IP_TTL; the same number as IPPROTO_IP.", source="ip(7)"
    ),
    "SOL_TCP": Text(
        _LEVEL, "The level of TCP's options, such as TCP_NODELAY; the same number as IPPROTO_TCP.", source="tcp(7)"
    ),
    "SOL_UDP": Text(
        _LEVEL,
        "The level of UDP's options, such as UDP_CORK; the same number as IPPROTO_UDP.",
        source="udp(7)",
    ),
    "SOL_ALG": Text(
        _LEVEL,
        "The level of the kernel's cryptography: keys and the like of AF_ALG sockets.",
        since="Linux 2.6.38",
        source="linux/if_alg.h",
    ),
    "SOL_CAN_BASE": Text(
        _LEVEL,
        "The number below the levels of the CAN bus: add CAN_RAW, CAN_J1939 or another protocol to it.",
        since="Linux 2.6.25",
        source="linux/can.h",
    ),
    "SOL_CAN_RAW": Text(
        _LEVEL,
        "The level of raw sockets of the CAN bus, which connects the controllers of a car.",
        since="Linux 2.6.25",
        source="linux/can/raw.h",
    ),
    "SOL_RDS": Text(
        _LEVEL,
        "The level of RDS, whose datagrams arrive; Python names the level, but none of its options.",
        since="Linux 2.6.30",
        source="linux/rds.h",
    ),
    "SOL_TIPC": Text(
        _LEVEL,
        "The level of TIPC, with which the nodes of a cluster talk.",
        since="Linux 2.6.16",
        source="linux/tipc.h",
    ),
    "SOL_HCI": Text(_LEVEL, "The level of Bluetooth controllers.", source="bluetooth/hci.h"),
    "SOL_ATALK": Text(_LEVEL, "The level of AppleTalk.", source="bits/socket.h"),
    "SOL_AX25": Text(_LEVEL, "The level of AX.25, which radio amateurs use.", source="bits/socket.h"),
    "SOL_IPX": Text(_LEVEL, "The level of IPX, which Novell's networks used.", source="bits/socket.h"),
    "SOL_NETROM": Text(_LEVEL, "The level of NET/ROM, which radio amateurs use.", source="bits/socket.h"),
    "SOL_ROSE": Text(_LEVEL, "The level of ROSE, which radio amateurs use.", source="bits/socket.h"),
}
