"""What the kernel's answers mean: why it refused, and why it granted something else than was asked for."""

import errno
import os
import socket
from pathlib import Path
from typing import Any

from .catalogue import Entry

__all__ = ["limit", "refusal", "remark"]

_LIMITS = {
    "SO_RCVBUF": ("net.core.rmem_max", "/proc/sys/net/core/rmem_max"),
    "SO_SNDBUF": ("net.core.wmem_max", "/proc/sys/net/core/wmem_max"),
    "TCP_FASTOPEN": ("net.core.somaxconn", "/proc/sys/net/core/somaxconn"),
}

_READING = {
    errno.ENOPROTOOPT: "this kernel has no such option on such a socket, or it can only be set",
    errno.EOPNOTSUPP: "a socket of this kind has no such option",
    errno.EINVAL: "the kernel has nothing to tell in this state of the socket",
    errno.ENOTCONN: "only a connected socket has it",
    errno.EPERM: "it takes a privilege that this process lacks",
    errno.EACCES: "it takes a privilege that this process lacks",
    errno.EBADF: "the socket is closed",
}
_SETTING = {
    errno.ENOPROTOOPT: "it cannot be set on such a socket",
    errno.EOPNOTSUPP: "a socket of this kind has no such option",
    errno.EINVAL: "the kernel takes no such value here",
    errno.EDOM: "the kernel takes no such time",
    errno.EPERM: "it takes a privilege that this process lacks, or the kernel's settings forbid it",
    errno.EACCES: "it takes a privilege that this process lacks",
    errno.ENOENT: "this kernel has nothing of that name",
    errno.ENODEV: "there is no such interface",
    errno.EADDRNOTAVAIL: "it has no such address, or is no member of such a group",
    errno.EADDRINUSE: "it has been asked for already",
    errno.ENOTCONN: "only a connected socket can have it",
    errno.EISCONN: "it has to be asked for before the socket is connected",
    errno.ENOBUFS: "the kernel allows no more of them",
    errno.ENOMEM: "the kernel has no memory for it",
    errno.EBADF: "the socket is closed",
    errno.EPROTO: "this protocol has no such thing",
}
_OPENING = {
    errno.EAFNOSUPPORT: "this kernel has no such family",
    errno.EPROTONOSUPPORT: "this kernel has no such protocol",
    errno.EPERM: "such a socket takes a privilege that this process lacks",
    errno.EACCES: "such a socket takes a privilege that this process lacks",
}


def refusal(number: int, doing: str, entry: Entry | None = None) -> str:
    """Why a call failed, in words. `doing` is "read", "set" or "open"."""
    if doing == "read" and entry is not None and entry.text.unread and number != errno.EBADF:
        return entry.text.unread
    words = {"read": _READING, "set": _SETTING, "open": _OPENING}[doing]
    return words.get(number) or os.strerror(number).lower()


def limit(name: str) -> tuple[str, int] | None:
    """The setting of this machine that caps an option, and what it says; None where there is none or it is hidden."""
    if name not in _LIMITS:
        return None
    setting, path = _LIMITS[name]
    try:
        return setting, int(Path(path).read_text("ascii"))
    except (OSError, ValueError):
        return None


def remark(entry: Entry, asked: Any, granted: Any) -> str:
    """Why the kernel granted this where somebody asked for that, with the page that says so; "" where it is unknown."""
    words = _reason(entry, asked, granted)
    return f"{words}, {entry.text.source}" if words and entry.text.source.endswith(")") else words


def _reason(entry: Entry, asked: Any, granted: Any) -> str:
    name = entry.name
    if name in ("SO_RCVBUF", "SO_SNDBUF", "SO_RCVBUFFORCE", "SO_SNDBUFFORCE"):
        return _buffer(name, asked, granted)
    if name == "TCP_QUICKACK" and granted == asked:
        return "until the kernel changes its mind"
    if asked == granted:
        return ""
    if entry.text.kind == "flag" and bool(asked) == bool(granted):
        return "whatever is not 0 is on"
    known = {
        "SO_RCVLOWAT": "1 is the least",
        "SO_RCVTIMEO": "rounded up to the kernel's clock tick",
        "SO_SNDTIMEO": "rounded up to the kernel's clock tick",
        "SO_BINDTODEVICE": "the interface's name",
        "TCP_DEFER_ACCEPT": "rounded up to a moment at which the handshake is repeated: 1, 3, 7, 15 … seconds",
        "TCP_LINGER2": "it has bounds",
        "TCP_MAXSEG": "until a connection exists the usual is told",
        "TCP_THIN_DUPACK": "this kernel takes it and does nothing",
        "TCP_WINDOW_CLAMP": "raised to half of the smallest receive buffer",
        "UDPLITE_SEND_CSCOV": "raised to the 8 bytes of the header",
        "UDPLITE_RECV_CSCOV": "raised to the 8 bytes of the header",
        "IP_TOS": "on TCP the lowest two bits belong to congestion notification",
        "IPV6_TCLASS": "on TCP the lowest two bits belong to congestion notification",
        "IP_TTL": "-1 stands for the usual",
        "IPV6_UNICAST_HOPS": "-1 stands for the usual",
        "IPV6_MULTICAST_HOPS": "-1 stands for the usual",
        "IP_MULTICAST_TTL": "-1 stands for the usual",
        "SO_INCOMING_CPU": "the processor that dealt with what came in",
        "IPV6_MTU": "what is told is the path's; what this socket sends is cut as asked",
        "IP_OPTIONS": "filled up to a multiple of 4 bytes",
    }
    if name in known:
        return known[name]
    capped = limit(name)
    if capped and granted == capped[1] < asked:
        return f"capped by {capped[0]}"
    if entry.text.kind == "string" and str(asked).startswith(str(granted)) and granted:
        return "the kernel keeps so many characters"
    return ""


def _buffer(name: str, asked: int, granted: int) -> str:
    capped = limit(name)
    if capped and granted == 2 * capped[1] and not 0 <= asked <= capped[1]:
        huge = "a number below 0 counts as a huge one; " if asked < 0 else ""
        return f"{huge}the kernel caps it at {capped[0]} = {capped[1]:,} and doubles that"
    if granted == 2 * asked:
        return "the kernel doubles it"
    if granted > 2 * asked:
        return "the kernel doubles it and has a least size"
    return "the kernel doubles it, up to a limit" if socket.SO_RCVBUF == 8 else ""
