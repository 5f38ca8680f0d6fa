"""Draw which of the rarer families, types and protocols can be had: one mark each, by what the kernel said.

A passport in, a picture out; nothing here probes. Four columns: it works; you may not (EPERM, EACCES); the kernel lacks
it (the errno); this Python lacks the name. The size does not depend on the machine.
"""

import errno

from ..probe import Finding, Passport
from .plots import Picture, figure  # first of those with matplotlib in them: it keeps interrupts from the import

WORKS, DENIED, LACKS, NAMELESS = "it works", "you may not", "the kernel lacks it", "Python lacks the name"
COLOURS = {WORKS: "#0072B2", DENIED: "#B34700", LACKS: "#7a7f87", NAMELESS: "#7a7f87"}
MARKS = {WORKS: "o", DENIED: "X", LACKS: "x", NAMELESS: "_"}

ROWS = {
    "raw ICMP": "raw_ipv4",
    "raw ICMPv6": "raw_ipv6",
    "ping socket (ICMP, datagrams)": "icmp_ping",
    "AF_PACKET": "packet_sockets",
    "AF_NETLINK": "NETLINK_ROUTE",
    "UDP-Lite": "IPPROTO_UDPLITE",
    "SCTP": "IPPROTO_SCTP",
    "MPTCP": "IPPROTO_MPTCP",
    "AF_ALG": "AF_ALG",
    "AF_VSOCK": "AF_VSOCK",
    "AF_CAN, raw": "CAN_RAW",
    "AF_CAN, broadcast manager": "CAN_BCM",
    "AF_CAN, ISO-TP": "CAN_ISOTP",
    "AF_CAN, J1939": "CAN_J1939",
    "AF_TIPC": "AF_TIPC",
    "AF_RDS": "AF_RDS",
    "AF_QIPCRTR": "AF_QIPCRTR",
    "AF_BLUETOOTH": "AF_BLUETOOTH",
}
"""What the picture shows, and the row of the passport that answers for it; a row that was not tried is left out."""


def column(finding: Finding) -> str:
    """Which of the four columns a finding belongs to."""
    if finding.works:
        return WORKS
    if finding.errno is None:
        return NAMELESS
    return DENIED if finding.errno in (errno.EPERM, errno.EACCES) else LACKS


def support(passport: Passport) -> dict[str, Finding]:
    """The rows of the map with what was found; names that this Python does not even know are absent, or say so."""
    tried = {finding.name: finding for finding in passport}
    return {label: tried[name] for label, name in ROWS.items() if name in tried}


def draw_support(passport: Passport) -> Picture:
    """The support map: a row for each, a mark in the column that it belongs to, and the errno beside it."""
    found = support(passport)
    picture = figure(height=4.4)
    (ax,) = picture.axes
    columns = (WORKS, DENIED, LACKS, NAMELESS)
    for y, finding in enumerate(found.values()):
        where = column(finding)
        x = columns.index(where)
        ax.plot(x, y, MARKS[where], markersize=6.5, color=COLOURS[where], markeredgewidth=1.8)
        if finding.errno is not None:
            ax.text(x + 0.09, y, finding.verdict.partition(" ")[0], fontsize=7.5, va="center", color=COLOURS[where])
    ax.set_yticks(range(len(found)), list(found), fontsize=8.5)
    ax.set_xticks(range(4), [words.replace(" lacks", "\nlacks") for words in columns], fontsize=9)
    ax.set(xlim=(-0.4, 3.6), ylim=(len(ROWS) - 0.4, -0.6))
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(axis="x", visible=False)
    ax.spines[:].set_visible(False)
    works = sum(finding.works for finding in found.values())
    ax.set_title(f"{works} of {len(found)} can be had here", loc="left", fontsize=11, fontweight="bold")
    return picture
