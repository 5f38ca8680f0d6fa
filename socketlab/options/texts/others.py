"""The options of the rarer sockets: UDP, UDP-Lite, virtual machines, the CAN bus, TIPC, cryptography, other systems.

Source: udp(7), udplite(7), the kernel's Documentation/networking (can.rst, j1939.rst) and its headers.
"""

from . import Text

_CAN, _J1939, _TIPC, _VM, _ALG = "networking/can.rst", "networking/j1939.rst", "linux/tipc.h", "linux/vm_sockets.h", \
    "crypto/userspace-if.rst"  # fmt: skip
_KEYED = "it needs an algorithm, which bind() chooses and the kernel may have to load"
_UNKEYED = "it can only be set"
_WITH_MESSAGE = "it travels with a message of sendmsg() instead of belonging to the socket"

OTHERS = {
    "UDP_CORK": Text(
        "flag", "Gather what is sent into one datagram, which leaves when it is switched off.", 1, "Linux 2.5.44",
        "udp(7)",
    ),
    "UDP_GRO": Text(
        "flag", "Receive several datagrams of one sender in one recvmsg(), which tells the length of each.", 1,
        "Linux 5.0", "linux/udp.h",
    ),
    "UDP_SEGMENT": Text(
        "bytes", "Cut one long send() into datagrams of this size, in the kernel or the network card; 0 for not.",
        1_000, "Linux 4.18", "linux/udp.h",
    ),
    "UDPLITE_RECV_CSCOV": Text(
        "bytes",
        "Throw away what comes with a checksum over fewer bytes than this; 0 wants all of them covered.",
        8, "Linux 2.6.20", "udplite(7)",
    ),
    "UDPLITE_SEND_CSCOV": Text(
        "bytes",
        "How many bytes of each datagram the checksum covers, the header's 8 at least; 0 for all.",
        20, "Linux 2.6.20", "udplite(7)",
    ),
    "SO_VM_SOCKETS_BUFFER_SIZE": Text(
        "vsock", "How many bytes a connection to a virtual machine or its host may have under way.", 65_536,
        "Linux 3.9", _VM,
    ),
    "SO_VM_SOCKETS_BUFFER_MIN_SIZE": Text(
        "vsock", "The least that SO_VM_SOCKETS_BUFFER_SIZE may be set to.", 256, "Linux 3.9", _VM
    ),
    "SO_VM_SOCKETS_BUFFER_MAX_SIZE": Text(
        "vsock", "The most that SO_VM_SOCKETS_BUFFER_SIZE may be set to.", 524_288, "Linux 3.9", _VM
    ),
    "CAN_RAW_ERR_FILTER": Text(
        "unsigned", "Which kinds of trouble on the bus are received as frames of their own, one bit for each.", 0x1FF,
        "Linux 2.6.25", _CAN,
    ),
    "CAN_RAW_FD_FRAMES": Text(
        "flag", "Send and receive frames of up to 64 bytes (CAN FD) beside those of 8.", 1, "Linux 3.6", _CAN
    ),
    "CAN_RAW_FILTER": Text(
        "raw", "Which frames are received: pairs of an identifier and a mask, 8 bytes each.",
        bytes(8), "Linux 2.6.25", _CAN,
    ),
    "CAN_RAW_JOIN_FILTERS": Text(
        "flag", "Receive only frames that all filters let through, instead of any of them.", 1, "Linux 4.1", _CAN
    ),
    "CAN_RAW_LOOPBACK": Text(
        "flag", "Whether other programs of this machine hear the frames that this socket sends.", 0, "Linux 2.6.25",
        _CAN,
    ),
    "CAN_RAW_RECV_OWN_MSGS": Text(
        "flag", "Whether this socket hears the frames that it sends itself.", 1, "Linux 2.6.25", _CAN
    ),
    "SO_J1939_ERRQUEUE": Text(
        "flag", "Queue how long messages fared, for recvmsg() with MSG_ERRQUEUE.", 1, "Linux 5.4", _J1939
    ),
    "SO_J1939_FILTER": Text(
        "raw", "Which messages of the truck bus J1939 are received: names, addresses and groups, with masks.", None,
        "Linux 5.4", _J1939, "its value is a list of structures",
    ),
    "SO_J1939_PROMISC": Text(
        "flag", "Receive the messages for everybody, not only for this socket's address.", 1, "Linux 5.4", _J1939
    ),
    "SO_J1939_SEND_PRIO": Text(
        "count", "The priority of what is sent, 0 the highest, 7 the lowest; 0 and 1 take CAP_NET_ADMIN.", 6,
        "Linux 5.4", _J1939,
    ),
    "TIPC_CONN_TIMEOUT": Text(
        "milliseconds", "How long connect() waits.", 1_000, "Linux 2.6.16", _TIPC
    ),
    "TIPC_DEST_DROPPABLE": Text(
        "flag", "Throw a message away that cannot be delivered, instead of sending it back.", 1, "Linux 2.6.16", _TIPC
    ),
    "TIPC_IMPORTANCE": Text(
        "count", "Which messages are kept when there are too many: 0 the least important, 3 the most.", 2,
        "Linux 2.6.16", _TIPC,
    ),
    "TIPC_SRC_DROPPABLE": Text(
        "flag", "Throw a message away when the line is congested, instead of waiting.", 1, "Linux 2.6.16", _TIPC
    ),
    "TIPC_LOW_IMPORTANCE": Text("value", "A value for TIPC_IMPORTANCE: thrown away first.", source=_TIPC),
    "TIPC_MEDIUM_IMPORTANCE": Text("value", "A value for TIPC_IMPORTANCE: thrown away second.", source=_TIPC),
    "TIPC_HIGH_IMPORTANCE": Text("value", "A value for TIPC_IMPORTANCE: thrown away third.", source=_TIPC),
    "TIPC_CRITICAL_IMPORTANCE": Text("value", "A value for TIPC_IMPORTANCE: thrown away last.", source=_TIPC),
    "ALG_SET_AEAD_ASSOCLEN": Text(
        "value", f"How many bytes are authenticated without being encrypted: {_WITH_MESSAGE}.", source=_ALG
    ),
    "ALG_SET_AEAD_AUTHSIZE": Text(
        "raw", "The length of the tag that authenticates a message; it is the length of what is set.", None,
        "Linux 4.0", _ALG, _KEYED, _UNKEYED,
    ),
    "ALG_SET_IV": Text("value", f"The initialization vector: {_WITH_MESSAGE}.", source=_ALG),
    "ALG_SET_KEY": Text(
        "raw", "The key of an algorithm of the kernel's, as bytes; set only.", None, "Linux 2.6.38", _ALG, _KEYED,
        _UNKEYED,
    ),
    "ALG_SET_OP": Text("value", f"Encrypt or decrypt: {_WITH_MESSAGE}.", source=_ALG),
    "ALG_SET_PUBKEY": Text(
        "raw", "A public key; it was proposed for Linux and never taken in.", None, "", "Python's socket module",
        "no kernel has it", "no kernel has it",
    ),
    "LOCAL_PEERCRED": Text(
        "raw", "BSD and macOS: user and groups of the process at the other end; read only.", source="BSD unix(4)",
        unread="only a connected socket has a peer",
    ),
    "LOCAL_CREDS": Text(
        "flag", "BSD: let the first message carry the sender's user and groups.", 1, source="BSD unix(4)"
    ),
    "LOCAL_CREDS_PERSISTENT": Text(
        "flag", "FreeBSD: let each message carry the sender's user and groups.", 1, source="FreeBSD unix(4)"
    ),
    "HVSOCKET_CONNECT_TIMEOUT": Text(
        "milliseconds", "Windows: how long connect() to a virtual machine waits.", 1_000,
        source="Hyper-V documentation",
    ),
    "HVSOCKET_CONNECTED_SUSPEND": Text(
        "flag", "Windows: keep a connection while its virtual machine is paused.", 1, source="Hyper-V documentation"
    ),
}  # fmt: skip
