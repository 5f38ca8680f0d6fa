"""SO_: the options of any socket, at the level SOL_SOCKET. Source: socket(7), unix(7)."""

from . import Text

_PAGE = "socket(7)"
_TRADE = "it would tie the socket to a network card"

GENERAL = {
    "SO_ACCEPTCONN": Text(
        "flag", "Whether listen() has been called on this socket; read only.", source=_PAGE
    ),
    "SO_BINDTODEVICE": Text(
        "interface name",
        "The name of the one network interface that this socket uses; empty means any.",
        since="Linux 2.0.30",
        source=_PAGE,
        mind=_TRADE,
    ),
    "SO_BINDTOIFINDEX": Text(
        "count",
        "The same as SO_BINDTODEVICE by the interface's number, as socket.if_nametoindex() gives it; 0 means any.",
        since="Linux 5.1",
        source="asm-generic/socket.h",
        mind=_TRADE,
    ),
    "SO_BROADCAST": Text(
        "flag",
        "Permission to send datagrams to a broadcast address; without it sendto() raises PermissionError.",
        1,
        source=_PAGE,
    ),
    "SO_BUSY_POLL": Text(
        "microseconds",
        "For how long a blocking recv() may keep asking the network card instead of sleeping.",
        0,
        "Linux 3.11",
        _PAGE,
        "raising it takes CAP_NET_ADMIN",
    ),
    "SO_COOKIE": Text(
        "large",
        "A number of 64 bits that no other socket of this machine has had since it was started; read only.",
        since="Linux 4.12",
        source="asm-generic/socket.h",
    ),
    "SO_DEBUG": Text(
        "flag",
        "Whether the kernel notes what happens on this socket, where it was built to; takes CAP_NET_ADMIN.",
        1,
        source=_PAGE,
    ),
    "SO_DOMAIN": Text(
        "family", "The address family that the socket was made with; read only.", since="Linux 2.6.32", source=_PAGE
    ),
    "SO_DONTROUTE": Text(
        "flag", "Send only to hosts on the same network, never through a router.", 1, source=_PAGE
    ),
    "SO_ERROR": Text(
        "error",
        "The error that waits to be told, 0 for none; reading clears it, which is how a connect() in the background "
        "is asked how it ended.",
        source=_PAGE,
    ),
    "SO_EXCLUSIVEADDRUSE": Text(
        "flag",
        "Windows: nobody else may bind this address, whatever reuse they ask for.",
        1,
        source="Winsock documentation",
    ),
    "SO_INCOMING_CPU": Text(
        "count",
        "The number of the processor that dealt with what came in last, -1 before anything came.",
        0,
        "Linux 3.19",
        _PAGE,
    ),
    "SO_KEEPALIVE": Text(
        "flag",
        "Send probes on a connection that is idle, so that a peer that vanished is noticed; TCP_KEEPIDLE, "
        "TCP_KEEPINTVL and TCP_KEEPCNT say when and how often.",
        1,
        source=_PAGE,
    ),
    "SO_LINGER": Text(
        "linger",
        "Whether close() waits until everything is sent, and for how many seconds at most; on with 0 seconds throws "
        "it away and resets the connection.",
        (1, 5),
        source=_PAGE,
    ),
    "SO_MARK": Text(
        "unsigned",
        "A number that the kernel attaches to each packet for firewall and routing rules; takes CAP_NET_ADMIN or, "
        "since Linux 5.17, CAP_NET_RAW.",
        7,
        "Linux 2.6.25",
        _PAGE,
    ),
    "SO_MAX_PACING_RATE": Text(
        "rate",
        "The most bytes a second that the kernel sends; all bits set means no limit.",
        1_000_000,
        "Linux 3.13",
        "asm-generic/socket.h",
    ),
    "SO_OOBINLINE": Text(
        "flag", "Deliver urgent data in the stream, instead of only to recv() with MSG_OOB.", 1, source=_PAGE
    ),
    "SO_ORIGINAL_DST": Text(
        "raw",
        "Where a connection was headed before the firewall redirected it here; read only.",
        source="linux/netfilter_ipv4.h",
        unread="only a connection that the firewall has redirected has one",
    ),
    "SO_PASSCRED": Text(
        "flag",
        "Unix sockets: let each received message carry the sender's process, user and group (SCM_CREDENTIALS).",
        1,
        "Linux 2.2",
        "unix(7)",
    ),
    "SO_PASSSEC": Text(
        "flag",
        "Unix sockets: let each received message carry the sender's SELinux label (SCM_SECURITY).",
        1,
        "Linux 2.6.18",
        "unix(7)",
    ),
    "SO_PEEK_OFF": Text(
        "count",
        "Unix sockets: at which byte recv() with MSG_PEEK begins to look, -1 for the front.",
        2,
        "Linux 3.4",
        _PAGE,
    ),
    "SO_PEERCRED": Text(
        "credentials",
        "Unix sockets: process, user and group that connected or made the pair; read only.",
        source="unix(7)",
    ),
    "SO_PEERSEC": Text(
        "string",
        "The security label of the process at the other end; read only.",
        since="Linux 2.6.2",
        source="unix(7)",
        unread="no security module of this kernel (SELinux, AppArmor) labels sockets",
    ),
    "SO_PRIORITY": Text(
        "count",
        "The order in which the kernel queues packets for sending, 0 to 6; more takes CAP_NET_ADMIN.",
        6,
        source=_PAGE,
    ),
    "SO_PROTOCOL": Text(
        "protocol",
        "The protocol that the socket was made with, or that the kernel chose for 0; read only.",
        since="Linux 2.6.32",
        source=_PAGE,
    ),
    "SO_RCVBUF": Text(
        "bytes",
        "The receive buffer: how many bytes may wait here unread; the kernel doubles what is asked, to have room for "
        "its own notes, and caps it at net.core.rmem_max.",
        5_000,
        source=_PAGE,
    ),
    "SO_RCVBUFFORCE": Text(
        "bytes",
        "SO_RCVBUF for the privileged: beyond net.core.rmem_max as well; takes CAP_NET_ADMIN, and is set only.",
        5_000,
        "Linux 2.6.14",
        _PAGE,
        unread="it can only be set: SO_RCVBUF reads the size",
    ),
    "SO_RCVLOWAT": Text(
        "bytes",
        "How many bytes must have come before recv() returns and select() says readable.",
        16,
        source=_PAGE,
    ),
    "SO_RCVTIMEO": Text(
        "time",
        "For how long a recv() or accept() may wait before it fails with EAGAIN, 0 for ever; in Python "
        "sock.settimeout() is what you want instead.",
        2.5,
        "Linux 2.3.41",
        _PAGE,
    ),
    "SO_REUSEADDR": Text(
        "flag",
        "Let bind() take an address whose old connections are still in TIME_WAIT; what a server sets before bind().",
        1,
        source=_PAGE,
    ),
    "SO_REUSEPORT": Text(
        "flag",
        "Let several sockets of one user bind the same address; the kernel spreads what comes in over them.",
        1,
        "Linux 3.9",
        _PAGE,
    ),
    "SO_REUSEPORT_LB": Text(
        "flag",
        "FreeBSD: several sockets bind the same address, and what comes in is spread over them.",
        1,
        source="FreeBSD setsockopt(2)",
    ),
    "SO_RTABLE": Text("count", "OpenBSD: the routing table of this socket.", source="OpenBSD getsockopt(2)"),
    "SO_SETFIB": Text(
        "count",
        "FreeBSD: the routing table of this socket; set only.",
        source="FreeBSD setfib(2)",
        mind="it would change the socket's routes",
        unread="it can only be set",
    ),
    "SO_SNDBUF": Text(
        "bytes",
        "The send buffer: how many bytes send() may leave here before it waits; the kernel doubles what is asked, to "
        "have room for its own notes, and caps it at net.core.wmem_max.",
        5_000,
        source=_PAGE,
    ),
    "SO_SNDBUFFORCE": Text(
        "bytes",
        "SO_SNDBUF for the privileged: beyond net.core.wmem_max as well; takes CAP_NET_ADMIN, and is set only.",
        5_000,
        "Linux 2.6.14",
        _PAGE,
        unread="it can only be set: SO_SNDBUF reads the size",
    ),
    "SO_SNDLOWAT": Text(
        "bytes", "How much room must be free before select() says writable; Linux has 1 and lets nobody set it.",
        source=_PAGE,
    ),
    "SO_SNDTIMEO": Text(
        "time",
        "For how long a send() or connect() may wait before it fails, 0 for ever; in Python sock.settimeout() is what "
        "you want instead.",
        2.5,
        "Linux 2.3.41",
        _PAGE,
    ),
    "SO_TIMESTAMP": Text(
        "flag",
        "Let each received message carry the time at which it came, in microseconds, for recvmsg().",
        1,
        source=_PAGE,
    ),
    "SO_TIMESTAMPNS": Text(
        "flag",
        "Let each received message carry the time at which it came, in nanoseconds, for recvmsg().",
        1,
        "Linux 2.6.22",
        _PAGE,
    ),
    "SO_TYPE": Text("type", "The type that the socket was made with; read only.", source=_PAGE),
    "SO_USELOOPBACK": Text(
        "flag", "BSD and macOS: a routing socket hears what it sent itself.", 1, source="BSD route(4)"
    ),
    "SO_USER_COOKIE": Text(
        "unsigned", "FreeBSD: a number that the firewall can match; set only.", 7, source="FreeBSD setsockopt(2)",
        unread="it can only be set",
    ),
}  # fmt: skip
