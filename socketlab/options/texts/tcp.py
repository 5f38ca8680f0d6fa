"""TCP_: the options of TCP, at the level IPPROTO_TCP. Source: tcp(7), and linux/tcp.h for what it leaves out."""

from . import Text

_PAGE, _HEADER = "tcp(7)", "linux/tcp.h"
_REPAIR = "it rebuilds a connection that was frozen on another machine; takes CAP_NET_ADMIN"
_MENDING = "only while TCP_REPAIR is on"

TCP = {
    "TCP_CC_INFO": Text(
        "raw",
        "What the congestion control of this connection measured, in a form of its own; empty for cubic; read only.",
        since="Linux 4.1",
        source=_HEADER,
    ),
    "TCP_CONGESTION": Text(
        "string",
        "The name of the rule by which this connection decides how fast to send, such as cubic, reno or bbr.",
        "reno",
        "Linux 2.6.13",
        _PAGE,
    ),
    "TCP_CONNECTION_INFO": Text(
        "raw", "macOS: state, round-trip time and counters of a connection; read only.", source="macOS netinet/tcp.h"
    ),
    "TCP_CORK": Text(
        "flag",
        "Hold back segments that are not full until it is switched off again, for 0.2 seconds at most.",
        1,
        "Linux 2.2",
        _PAGE,
    ),
    "TCP_DEFER_ACCEPT": Text(
        "seconds",
        "Listener: let accept() return a connection only when its first bytes are here, and wait this long for them.",
        5,
        "Linux 2.4",
        _PAGE,
    ),
    "TCP_FASTOPEN": Text(
        "count",
        "Listener: take data that comes with the very first segment, from so many half-open connections at most.",
        5,
        "Linux 3.6",
        _PAGE,
    ),
    "TCP_FASTOPEN_CONNECT": Text(
        "flag",
        "Client: connect() waits for the first send(), which then travels with the first segment if the server's "
        "cookie is known.",
        1,
        "Linux 4.11",
        _PAGE,
    ),
    "TCP_FASTOPEN_KEY": Text(
        "raw",
        "Listener: the secret from which the cookies of TCP_FASTOPEN are made, 16 or 32 bytes.",
        b"sixteen bytes ok",
        "Linux 4.15",
        _HEADER,
    ),
    "TCP_FASTOPEN_NO_COOKIE": Text(
        "flag", "Take and send data with the first segment without a cookie that proves who asks.", 1, "Linux 4.15",
        _HEADER,
    ),
    "TCP_INFO": Text(
        "tcp_info",
        "State, round-trip time, window and counters of the connection; read only; socketlab.tcp_info(sock) reads it "
        "in full.",
        since="Linux 2.4",
        source=_PAGE,
    ),
    "TCP_INQ": Text(
        "flag",
        "Let each recvmsg() tell how many bytes are still waiting.",
        1,
        "Linux 4.18",
        _HEADER,
    ),
    "TCP_KEEPALIVE": Text(
        "seconds",
        "macOS: for how long a connection is idle before SO_KEEPALIVE probes it; Linux says TCP_KEEPIDLE.",
        60,
        source="macOS tcp(4)",
    ),
    "TCP_KEEPCNT": Text(
        "count",
        "How many probes of SO_KEEPALIVE may stay unanswered before the connection is given up.",
        3,
        "Linux 2.4",
        _PAGE,
    ),
    "TCP_KEEPIDLE": Text(
        "seconds",
        "For how long a connection is idle before SO_KEEPALIVE probes it.",
        60,
        "Linux 2.4",
        _PAGE,
    ),
    "TCP_KEEPINTVL": Text(
        "seconds", "How long SO_KEEPALIVE waits between two probes.", 10, "Linux 2.4", _PAGE
    ),
    "TCP_LINGER2": Text(
        "seconds",
        "For how long the kernel waits in FIN_WAIT2 for the peer's end after close().",
        10,
        "Linux 2.4",
        _PAGE,
    ),
    "TCP_MAXSEG": Text(
        "bytes",
        "The most data in one segment; before the connection it is a wish, and 536 says that nobody wished.",
        1_000,
        source=_PAGE,
    ),
    "TCP_MD5SIG": Text(
        "raw",
        "A password for the segments of one peer (RFC 2385), as routers use between them; set only.",
        None,
        "Linux 2.6.20",
        _HEADER,
        "its value is an address and a key",
        unread="it can only be set",
    ),
    "TCP_MD5SIG_EXT": Text(
        "raw",
        "TCP_MD5SIG for a whole network of peers, or for one interface; set only.",
        None,
        "Linux 4.13",
        _HEADER,
        "its value is an address and a key",
        unread="it can only be set",
    ),
    "TCP_NODELAY": Text(
        "flag",
        "Send every write at once; off, Nagle's algorithm holds small ones back while others are unacknowledged.",
        1,
        source=_PAGE,
    ),
    "TCP_NOTSENT_LOWAT": Text(
        "bytes unsigned",
        "Writable, to select(), only while fewer bytes than this wait to be sent; 0 leaves it to the machine's "
        "net.ipv4.tcp_notsent_lowat.",
        16_384,
        "Linux 3.12",
        _HEADER,
    ),
    "TCP_QUEUE_SEQ": Text(
        "unsigned",
        "Repair: the sequence number of the queue that TCP_REPAIR_QUEUE chose.",
        None,
        "Linux 3.5",
        _HEADER,
        _REPAIR,
        unread=_MENDING,
    ),
    "TCP_QUICKACK": Text(
        "flag",
        "Acknowledge what comes at once instead of up to 0.04 seconds later; the kernel changes its mind again by "
        "itself.",
        0,
        "Linux 2.4.4",
        _PAGE,
    ),
    "TCP_REPAIR": Text(
        "flag",
        "Take a connection apart, or put it together, without a word to the peer, so that it can move to another "
        "machine.",
        None,
        "Linux 3.5",
        _HEADER,
        _REPAIR,
        unread=_MENDING,
    ),
    "TCP_REPAIR_OPTIONS": Text(
        "raw",
        "Repair: the TCP options that both sides had agreed on; set only.",
        None,
        "Linux 3.5",
        _HEADER,
        _REPAIR,
        unread="it can only be set, and only while TCP_REPAIR is on",
    ),
    "TCP_REPAIR_QUEUE": Text(
        "count",
        "Repair: which queue is meant, 1 for received bytes, 2 for those to send, 0 for none.",
        None,
        "Linux 3.5",
        _HEADER,
        _REPAIR,
        unread=_MENDING,
    ),
    "TCP_REPAIR_WINDOW": Text(
        "raw",
        "Repair: the windows of both sides, as five numbers.",
        None,
        "Linux 4.8",
        _HEADER,
        _REPAIR,
        unread=_MENDING,
    ),
    "TCP_SAVED_SYN": Text(
        "raw",
        "The headers of the segment that opened this accepted connection, once, where TCP_SAVE_SYN was on; read only.",
        since="Linux 4.2",
        source=_HEADER,
    ),
    "TCP_SAVE_SYN": Text(
        "count",
        "Listener: keep the headers of the segment that opens each connection, for TCP_SAVED_SYN; 2 keeps the link's "
        "header too.",
        1,
        "Linux 4.2",
        _HEADER,
    ),
    "TCP_SYNCNT": Text(
        "count",
        "How often connect() repeats its first segment before it gives up: 6 are some two minutes.",
        3,
        "Linux 2.4",
        _PAGE,
    ),
    "TCP_THIN_DUPACK": Text(
        "flag",
        "Once made TCP send lost data again after one duplicate acknowledgement; today's kernels take it and do "
        "nothing.",
        1,
        "Linux 2.6.34",
        _HEADER,
    ),
    "TCP_THIN_LINEAR_TIMEOUTS": Text(
        "flag",
        "Do not double the wait between repetitions for a connection that has few segments on their way.",
        1,
        "Linux 2.6.34",
        _HEADER,
    ),
    "TCP_TIMESTAMP": Text(
        "clock",
        "The clock that this connection writes into its segments, for those that repair connections.",
        None,
        "Linux 3.9",
        _HEADER,
        _REPAIR,
    ),
    "TCP_TX_DELAY": Text(
        "microseconds",
        "Hold everything back for this long before it is sent, to try out a slow line; needs the fq queue, which "
        "loopback has not.",
        None,
        "Linux 5.3",
        _HEADER,
        "it would switch something on for the whole machine that stays on",
    ),
    "TCP_ULP": Text(
        "string",
        "The name of a protocol that the kernel speaks on top of this connection, such as tls; empty for none.",
        None,
        "Linux 4.13",
        _HEADER,
        "it would load a module, and cannot be taken back",
    ),
    "TCP_USER_TIMEOUT": Text(
        "milliseconds",
        "For how long sent data may stay unacknowledged before the connection is given up with ETIMEDOUT; 0 leaves "
        "it to the system, some 15 minutes.",
        30_000,
        "Linux 2.6.37",
        _PAGE,
    ),
    "TCP_WINDOW_CLAMP": Text(
        "bytes",
        "The largest receive window that is offered to the peer; 0 for none.",
        100,
        "Linux 2.4",
        _PAGE,
    ),
    "TCP_ZEROCOPY_RECEIVE": Text(
        "raw",
        "Map received pages into the program's memory instead of copying them; reading it is the operation itself.",
        None,
        "Linux 4.18",
        _HEADER,
        "it works on memory that was mapped for it with mmap()",
        unread="it needs memory that was mapped for it with mmap()",
    ),
}  # fmt: skip
