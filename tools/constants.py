"""The lines of the index for constants: what each is for, its manual page, and the section that uses it.

What it is for stands in one of three places: options in `socketlab.options`, families and what belongs to them in
`socketlab.experiments.families`, all others in tools/constants.md. The section is the first whose cells use the
constant, one that names it in its heading before others; where none does, the one that is about its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from socketlab.experiments.families.words import WORDS
from socketlab.lookup.names import public_constants
from socketlab.options.texts import TEXTS

WRITTEN = Path(__file__).resolve().parent / "constants.md"

# Names, the manual page about them, the lesson about their kind and words of its heading. The first that fits decides.
_KINDS = (
    (r"socket\.(AF|PF)_.*", "address_families(7)", "26 TIPC, RDS, Bluetooth and the rest"),
    (r"socket\.SOCK_.*", "socket(2)", "01 Every family and every type"),
    (r"socket\.AI_.*", "getaddrinfo(3)", "05 AI_… — what may I ask for"),
    (r"socket\.EAI_.*", "getaddrinfo(3)", "05 gaierror"),
    (r"socket\.NI_.*", "getnameinfo(3)", "05 getnameinfo()"),
    (r"socket\.SHUT_.*", "shutdown(2)", "08 SHUT_RD and SHUT_RDWR"),
    (r"socket\.MSG_(CTRUNC|CMSG_\w+|ERRQUEUE|ETAG|NOTIFICATION)", "recvmsg(2)", "22 MSG_CTRUNC"),
    (r"socket\.MSG_.*", "send(2), recv(2)", "23 MSG_PEEK"),
    (r"socket\.SOMAXCONN", "listen(2)", "17 SOMAXCONN"),
    (r"socket\.SCM_J1939_.*|socket\.(SO_|SOL_)?(CAN|J1939)_.*", "Linux: networking/can.rst, j1939.rst", "26 AF_CAN"),
    (r"socket\.SCM_.*", "unix(7)", "22 sendmsg() and recvmsg()"),
    (r"socket\.(INADDR|IPPORT)_.*", "ip(7)", "04 inet_aton() and inet_ntoa()"),
    (r"socket\.has_ipv6", "nothing: how Python was built", "06 has_ipv6"),
    (r"socket\.(IPPROTO|UDPLITE)_.*", "protocols(5)", "26 IPPROTO_UDPLITE"),
    (r"socket\.(PACKET|ETH_P|ETHERTYPE)_.*", "packet(7)", "26 AF_PACKET"),
    (r"socket\.NETLINK_.*", "netlink(7)", "26 AF_NETLINK"),
    (r"socket\.(SOL_)?ALG.*", "Linux: crypto/userspace-if.rst", "26 AF_ALG"),
    (r"socket\.(IOCTL_VM|VM|SO_VM)\w+", "vsock(7)", "26 AF_VSOCK"),
    (r"socket\.(HV_|SIO_|RCVALL_|SYSPROTO_).*", "Windows, macOS: their own pages", "26 ioctl(), share(), fromshare()"),
    (r"socket\.(SOL_)?(TIPC|RDS|BT|BDADDR|HCI|L2CAP|RFCOMM|SCO|BLUETOOTH)\w*", "their own pages", "26 TIPC, RDS"),
    (r"socket\.(SO|SOL|IP|IPV6|TCP|UDP|LOCAL|HVSOCKET)_.*", "socket(7)", "13 options() — what do they mean"),
    (r"select\.EPOLL.*", "epoll_ctl(2)", "19 POLLIN and its kin"),
    (r"select\.POLL.*", "poll(2)", "19 POLLIN and its kin"),
    (r"select\.KQ_.*", "kqueue(2)", "19 Other systems"),
    (r"select\.PIPE_BUF", "pipe(7)", "19 PIPE_BUF"),
    (r"selectors\.EVENT_.*", "nothing: it is Python's own", "20 register()"),
    (r"ssl\.ALERT_.*", "RFC 8446, section 6", "24 And the rest"),
    (r"ssl\.OP_.*", "SSL_CTX_set_options(3)", "24 options — and all the switches"),
    (r"ssl\.VERIFY_.*", "X509_VERIFY_PARAM_set_flags(3)", "24 verify_flags"),
    (r"ssl\.CERT_.*", "SSL_CTX_set_verify(3)", "24 verify_mode"),
    (r"ssl\.SSL_ERROR_.*", "SSL_get_error(3)", "24 SSLWantReadError"),
    (r"ssl\.PROTOCOL_.*", "SSL_CTX_new(3)", "24 minimum_version"),
    (r"ssl\.OPENSSL_.*", "OpenSSL_version(3)", "24 And the rest"),
    (r"ssl\.(HAS_.*|PEM_.*|CHANNEL_BINDING_TYPES)", "nothing: it is Python's own", "24 And the rest"),
)  # fmt: skip


@cache
def all_constants() -> list[str]:
    """Those of this Python, and those of other Pythons and systems that the texts know."""
    ours = {*public_constants()}
    known = (f"socket.{name}" for name in (*TEXTS, *WORDS) if not name.endswith("*"))
    order = ("socket", "select", "selectors", "ssl")
    return sorted({*ours, *known, *_written()}, key=lambda name: (order.index(name.partition(".")[0]), name))


def what_of(constant: str) -> str:
    """What it is for, in Markdown, without a full stop. Raises LookupError for one that no text describes."""
    module, _, short = constant.partition(".")
    if constant in _written():
        return _written()[constant]
    if module == "socket" and short in TEXTS:
        return TEXTS[short].what.rstrip(".")
    if module == "socket":
        for name, what in WORDS.items():
            if name == short or (name.endswith("*") and short.startswith(name[:-1])):
                return what
    raise LookupError(f"tools/constants.md: wanted a line for {constant}, and has none")


def page_of(constant: str) -> str:
    """Its manual page. Raises LookupError for a constant of no known kind."""
    text = TEXTS.get(constant.partition(".")[2])
    return text.source if text and text.source else _kind(constant)[0]


def section_about(constant: str) -> str:
    """The lesson about its kind and words of the heading. Raises LookupError for a constant of no known kind."""
    return _kind(constant)[1]


def _kind(constant: str) -> tuple[str, str]:
    for pattern, page, section in _KINDS:
        if re.fullmatch(pattern, constant):
            return page, section
    raise LookupError(f"tools/constants.py: wanted a kind for {constant}, and has none")


def used_in(source: str, constants: Iterable[str]) -> set[str]:
    """Which of `constants` the text of a cell has by their short name, comments left out."""
    words = {*re.findall(r"\b\w+\b", re.sub(r"#.*", "", source))}
    return {constant for constant in constants if constant.rpartition(".")[2] in words}


@cache
def _written() -> dict[str, str]:
    lines = WRITTEN.read_text(encoding="utf-8").splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if line.strip()]
    return {name.strip("`"): what for name, what in rows}
