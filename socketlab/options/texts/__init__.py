"""What each option is, in words: one table for each level, by name. Knows nothing else of socketlab.

The kernel says what an option is worth; what it means stands in the manual pages of section 7, in RFC 3493 and RFC 3542
for IPv6, and, where those are silent, in the kernel's headers. `Text.source` names the page, so that it can be read on.
"""

from typing import Any, NamedTuple

__all__ = ["PYTHON", "TEXTS", "Text"]


class Text(NamedTuple):
    """What is known of an option without asking the kernel."""

    kind: str  #: one of `socketlab.options.types.KINDS`
    what: str  #: one sentence
    ask: Any = None  #: what is asked for as an example; None: nothing is
    since: str = ""  #: the first kernel that had it; "" where it is older than such notes
    source: str = ""  #: where to read on: "tcp(7)", "RFC 3542", "linux/tcp.h"
    mind: str = ""  #: why nothing is asked, or what to mind when asking
    unread: str = ""  #: why a fresh socket does not tell its value


from .general import GENERAL  # noqa: E402  # the tables need Text
from .ip import IP  # noqa: E402
from .ipv6 import IPV6  # noqa: E402
from .levels import LEVELS  # noqa: E402
from .others import OTHERS  # noqa: E402
from .tcp import TCP  # noqa: E402

TEXTS: dict[str, Text] = {**LEVELS, **GENERAL, **IP, **IPV6, **TCP, **OTHERS}

_SINCE = {
    "3.6": "SO_DOMAIN SO_PROTOCOL SO_PEERSEC SO_PASSSEC TCP_CONGESTION TCP_USER_TIMEOUT SOL_ALG ALG_SET_AEAD_ASSOCLEN "
    "ALG_SET_AEAD_AUTHSIZE ALG_SET_IV ALG_SET_KEY ALG_SET_OP ALG_SET_PUBKEY",
    "3.7": "TCP_NOTSENT_LOWAT SO_VM_SOCKETS_BUFFER_SIZE SO_VM_SOCKETS_BUFFER_MIN_SIZE SO_VM_SOCKETS_BUFFER_MAX_SIZE",
    "3.9": "CAN_RAW_JOIN_FILTERS SO_J1939_FILTER SO_J1939_PROMISC SO_J1939_SEND_PRIO SO_J1939_ERRQUEUE "
    "UDPLITE_SEND_CSCOV UDPLITE_RECV_CSCOV",
    "3.10": "IP_RECVTOS TCP_KEEPALIVE",
    "3.11": "SO_INCOMING_CPU IP_BIND_ADDRESS_NO_PORT TCP_CONNECTION_INFO",
    "3.12": "SO_RTABLE SO_USER_COOKIE IP_PKTINFO IP_ADD_SOURCE_MEMBERSHIP IP_DROP_SOURCE_MEMBERSHIP IP_BLOCK_SOURCE "
    "IP_UNBLOCK_SOURCE TCP_CC_INFO TCP_FASTOPEN_CONNECT TCP_FASTOPEN_KEY TCP_FASTOPEN_NO_COOKIE TCP_INQ TCP_MD5SIG "
    "TCP_MD5SIG_EXT TCP_QUEUE_SEQ TCP_REPAIR TCP_REPAIR_OPTIONS TCP_REPAIR_QUEUE TCP_REPAIR_WINDOW TCP_SAVED_SYN "
    "TCP_SAVE_SYN TCP_THIN_DUPACK TCP_THIN_LINEAR_TIMEOUTS TCP_TIMESTAMP TCP_TX_DELAY TCP_ULP TCP_ZEROCOPY_RECEIVE",
    "3.13": "SO_BINDTOIFINDEX",
    "3.14": "IP_RECVERR IP_RECVTTL IP_RECVORIGDSTADDR SO_REUSEPORT_LB",
}

PYTHON: dict[str, str] = {name: version for version, words in _SINCE.items() for name in words.split()}
"""The first Python that names it, from 3.6 on, by the documentation of `socket`. What is older is not in here."""
