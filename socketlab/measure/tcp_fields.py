"""TCP_INFO, decoded: what Linux knows of one TCP connection, under the kernel's own names (linux/tcp.h; tcp(7)).

The struct has grown with the kernel, from 104 bytes (2.6) to 280 (6.18), and always at its end. A kernel copies as
many bytes as it has, so their number tells which fields exist: a field beyond the end is None, never 0. The order of
the fields below, with their C types, is the layout of the struct.

The kernel's numbers stay as they are. Where one of them is a way to say "no limit" or "not measured yet", `notes` and
the printed table put that into words.
"""

from __future__ import annotations

import errno
import platform
import socket
import struct
import sys
from _socket import socket as _Socket  # the class below socket.socket: looking does not show up in a trace
from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Any

from .kernel_table import STATES
from .tables import as_html, as_text

__all__ = ["TcpInfo", "tcp_info"]

_ASKED = 1024  # bytes; the kernel gives what it has, up to so many
_CA_STATES = ("Open", "Disorder", "CWR", "Recovery", "Loss")
_OPTIONS = ("TIMESTAMPS", "SACK", "WSCALE", "ECN", "ECN_SEEN", "SYN_DATA", "USEC_TS", "TFO_CHILD")
#: What tcp_get_info() in net/ipv4/tcp.c fills in for a listener before it returns; the rest is left at 0.
_OF_A_LISTENER = ("state", "reordering", "snd_cwnd", "pacing_rate", "max_pacing_rate", "unacked", "sacked", "size")
_NONE_YET, _ENDLESS = 2**32 - 1, 2**64 - 1


def _at(code: str, unit: str, meaning: str, **notes: Any) -> Any:
    """A field of the struct: its type as the struct module names it, unit, meaning, and words for special values."""
    return field(default=None, metadata={"code": code, "unit": unit, "meaning": meaning, **notes})


@dataclass(frozen=True, repr=False)
class TcpInfo:
    """What the kernel knows of one TCP socket. Fields as in struct tcp_info, without ``tcpi_``; None: not told."""

    state: str | None = _at("B", "", "state of the connection (RFC 9293, 3.3.2)")
    ca_state: str | None = _at("B", "", "congestion avoidance: Open, Disorder, CWR, Recovery or Loss")
    retransmits: int | None = _at("B", "", "retransmission timeouts in a row, of the segment that waits now")
    probes: int | None = _at("B", "", "window probes or keepalives without an answer, in a row")
    backoff: int | None = _at("B", "", "how often the timeout has been doubled")
    options: tuple[str, ...] | None = _at("B", "", "what both ends agreed on in the handshake")
    snd_wscale: int | None = _at("bits", "bits", "the peer's window is shifted left by so many")
    rcv_wscale: int | None = _at("bits", "bits", "this end's window is shifted left by so many")
    delivery_rate_app_limited: bool | None = _at("bits", "", "delivery_rate was limited by the program, not the path")
    fastopen_client_fail: int | None = _at("bits", "", "why TCP Fast Open failed: 1 cookie, 2 data not acked, 3 resent")
    rto: int | None = _at("I", "µs", "retransmission timeout")
    ato: int | None = _at("I", "µs", "time after which a delayed acknowledgement is sent")
    snd_mss: int | None = _at("I", "bytes", "largest payload of a segment that is sent")
    rcv_mss: int | None = _at("I", "bytes", "payload of the segments that come, as estimated")
    unacked: int | None = _at("I", "segments", "sent and not acknowledged yet; on a listener: connections in its queue")
    sacked: int | None = _at("I", "segments", "acknowledged out of order (SACK); on a listener: limit of its queue")
    lost: int | None = _at("I", "segments", "believed lost")
    retrans: int | None = _at("I", "segments", "sent again and not acknowledged yet")
    fackets: int | None = _at("I", "segments", "up to the highest SACK; always 0 since Linux 4.15")
    last_data_sent: int | None = _at("I", "ms", "since data was sent")
    last_ack_sent: int | None = _at("I", "ms", "not remembered by Linux: always 0")
    last_data_recv: int | None = _at("I", "ms", "since data came")
    last_ack_recv: int | None = _at("I", "ms", "since an acknowledgement came")
    pmtu: int | None = _at("I", "bytes", "largest packet on the path")
    rcv_ssthresh: int | None = _at("I", "bytes", "how far this end's window may grow now")
    rtt: int | None = _at("I", "µs", "round trip, smoothed", none=0)
    rttvar: int | None = _at("I", "µs", "mean deviation of the round trip")
    snd_ssthresh: int | None = _at("I", "segments", "slow start ends at this window", endless=2**31 - 1)
    snd_cwnd: int | None = _at("I", "segments", "congestion window: so many may be under way")
    advmss: int | None = _at("I", "bytes", "largest payload that this end told the peer to send")
    reordering: int | None = _at("I", "segments", "distance of reordering that is not taken for a loss")
    rcv_rtt: int | None = _at("I", "µs", "round trip as the receiver sees it", none=0)
    rcv_space: int | None = _at("I", "bytes", "what the program reads in one round trip; the buffer is sized by it")
    total_retrans: int | None = _at("I", "segments", "sent again since the start")
    pacing_rate: int | None = _at("Q", "bytes/s", "speed at which segments are released now", endless=_ENDLESS)
    max_pacing_rate: int | None = _at("Q", "bytes/s", "limit of that speed: SO_MAX_PACING_RATE", endless=_ENDLESS)
    bytes_acked: int | None = _at("Q", "bytes", "acknowledged by the peer; SYN and FIN count 1 each")
    bytes_received: int | None = _at("Q", "bytes", "received in order; the FIN counts 1")
    segs_out: int | None = _at("I", "segments", "sent, all kinds")
    segs_in: int | None = _at("I", "segments", "received, all kinds")
    notsent_bytes: int | None = _at("I", "bytes", "in the send queue and never sent yet")
    min_rtt: int | None = _at("I", "µs", "shortest round trip", none=_NONE_YET)
    data_segs_in: int | None = _at("I", "segments", "received with data")
    data_segs_out: int | None = _at("I", "segments", "sent with data")
    delivery_rate: int | None = _at("Q", "bytes/s", "speed at which data reached the peer, the latest sample")
    busy_time: int | None = _at("Q", "µs", "with something to send")
    rwnd_limited: int | None = _at("Q", "µs", "of busy_time, waiting for the peer to open its window")
    sndbuf_limited: int | None = _at("Q", "µs", "of busy_time, waiting for room in this end's send buffer")
    delivered: int | None = _at("I", "segments", "that reached the peer, SYN included")
    delivered_ce: int | None = _at("I", "segments", "of these, marked by a congested router (ECN)")
    bytes_sent: int | None = _at("Q", "bytes", "payload sent, what was sent again included")
    bytes_retrans: int | None = _at("Q", "bytes", "payload sent again")
    dsack_dups: int | None = _at("I", "segments", "that the peer says it got twice")
    reord_seen: int | None = _at("I", "", "times that reordering was seen")
    rcv_ooopack: int | None = _at("I", "segments", "received out of order")
    snd_wnd: int | None = _at("I", "bytes", "the peer's window: room that it offered last")
    rcv_wnd: int | None = _at("I", "bytes", "this end's window: room that it offers")
    rehash: int | None = _at("I", "", "times that another path was tried after a timeout")
    total_rto: int | None = _at("H", "", "retransmission timeouts since the start")
    total_rto_recoveries: int | None = _at("H", "", "recoveries from such timeouts")
    total_rto_time: int | None = _at("I", "ms", "spent in these recoveries")
    received_ce: int | None = _at("I", "segments", "received with the mark of a congested router (ECN)")
    delivered_e1_bytes: int | None = _at("I", "bytes", "delivered with mark ECT(1) (RFC 9768)")
    delivered_e0_bytes: int | None = _at("I", "bytes", "delivered with mark ECT(0)")
    delivered_ce_bytes: int | None = _at("I", "bytes", "delivered with mark CE")
    received_e1_bytes: int | None = _at("I", "bytes", "received with mark ECT(1)")
    received_e0_bytes: int | None = _at("I", "bytes", "received with mark ECT(0)")
    received_ce_bytes: int | None = _at("I", "bytes", "received with mark CE")
    ecn_mode: int | None = _at("last", "", "ECN: 0 off, 1 RFC 3168, 2 RFC 9768, 3 being agreed on (from Linux 7.0)")
    accecn_opt_seen: int | None = _at("last", "", "the peer's accurate ECN option: 0 not seen, 1 empty, 2 full, 3 bad")
    accecn_fail_mode: int | None = _at("last", "", "what of accurate ECN failed, as bits")
    size: int = 0  #: bytes that the kernel told; 0 where the system has no TCP_INFO in Linux's form

    @property
    def queue(self) -> int | None:
        """Of a listener: connections that wait for accept(). None for any other socket."""
        return self.unacked if self.state == "LISTEN" else None

    @property
    def backlog(self) -> int | None:
        """Of a listener: the limit of its queue, which admits one more than this. None for any other socket."""
        return self.sacked if self.state == "LISTEN" else None

    @property
    def notes(self) -> dict[str, str]:
        """Words for those values that are no measurement: {"min_rtt": "not measured yet", …}."""
        found = {}
        for kept in _kernel_fields():
            value = getattr(self, kept.name)
            if value is not None and value == kept.metadata.get("none"):
                found[kept.name] = "not measured yet"
            elif value is not None and value == kept.metadata.get("endless"):
                found[kept.name] = "no limit"
        return found

    @staticmethod
    def meaning(name: str) -> str:
        """What the field means, with its unit: ``round trip, smoothed, in µs``. Raises KeyError for no field."""
        data = {kept.name: kept.metadata for kept in _kernel_fields()}[name]
        return f"{data['meaning']}, in {data['unit']}" if data["unit"] else str(data["meaning"])

    def _rows(self) -> list[tuple[str, ...]]:
        notes = self.notes
        rows: list[tuple[str, ...]] = []
        for kept in _kernel_fields():
            value, unit = getattr(self, kept.name), kept.metadata["unit"]
            if value is None:
                continue
            if self.state == "LISTEN" and kept.name in ("unacked", "sacked"):
                unit = "connections"
            if isinstance(value, tuple):
                words = " ".join(value) or "none"
            elif isinstance(value, int) and not isinstance(value, bool):
                words = notes.get(kept.name) or f"{value:,} {unit}".rstrip()
            else:
                words = str(value)
            rows.append((kept.name, words, kept.metadata["meaning"]))
        return rows

    def _caption(self) -> str:
        if not self.size:
            return f"{platform.system()} has no TCP_INFO in Linux's form, so nothing is known"
        if self.state == "LISTEN":
            return "for a listener the kernel tells no more"
        untold = [kept.name for kept in _kernel_fields() if getattr(self, kept.name) is None]
        return f"this kernel does not tell: {', '.join(untold)}" if untold else ""

    def __repr__(self) -> str:
        return as_text(("field", "value", "meaning"), self._rows(), self._caption())

    def _repr_html_(self) -> str:
        return as_html(("field", "value", "meaning"), self._rows(), self._caption())


def _kernel_fields() -> Iterator[Field[Any]]:
    return (kept for kept in fields(TcpInfo) if kept.metadata)


if TcpInfo.__doc__:  # None under python -OO
    TcpInfo.__doc__ += "\n\n" + "\n".join(f"{kept.name}: {TcpInfo.meaning(kept.name)}" for kept in _kernel_fields())


def tcp_info(sock: socket.socket) -> TcpInfo:
    """Ask the kernel about one TCP socket, connected, listening or not yet anything.

    On another system than Linux all fields are None: macOS tells less, under another name (TCP_CONNECTION_INFO), and
    Windows through a call that Python does not make. Raises ValueError for what is no TCP socket, OSError (EBADF) for
    a closed one.
    """
    if not hasattr(sock, "getsockopt"):
        raise ValueError(f"tcp_info wanted a socket, but got {type(sock).__name__}: {sock!r}")
    if sock.fileno() < 0:
        message = "tcp_info wanted an open socket, but this one is closed: netstat() shows what is left of it"
        raise OSError(errno.EBADF, message)
    if sys.platform != "linux":
        _want_tcp(sock)
        return TcpInfo()
    try:
        if isinstance(sock, _Socket):
            data = _Socket.getsockopt(sock, socket.IPPROTO_TCP, socket.TCP_INFO, _ASKED)
        else:
            data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ASKED)
    except OSError:
        _want_tcp(sock)
        raise
    return decode(data)


def _want_tcp(sock: socket.socket) -> None:
    internet = sock.family in (socket.AF_INET, socket.AF_INET6)
    if not internet or sock.type != socket.SOCK_STREAM:
        kind = f"{getattr(sock.family, 'name', sock.family)}, {getattr(sock.type, 'name', sock.type)}"
        raise ValueError(f"tcp_info wanted a TCP socket, but this one is {kind}: only TCP has such states and counters")


def decode(data: bytes, release: str | None = None, byteorder: str = sys.byteorder) -> TcpInfo:
    """A struct tcp_info as getsockopt(2) gives it, of any length. `release` is the kernel's, this one's by default.

    It is needed for the last four bytes alone: Linux 6.18 and 6.19 have two numbers there, 7.0 has bit fields.
    """
    order = {"little": "<", "big": ">"}[byteorder]
    found: dict[str, Any] = {"size": len(data)}
    at = 0
    for kept in _kernel_fields():
        code = kept.metadata["code"]
        if code in ("bits", "last"):
            continue
        size = struct.calcsize(code)
        at = 8 if kept.name == "rto" else at + -at % size  # two bytes of bit fields come before it
        if at + size <= len(data):
            (found[kept.name],) = struct.unpack_from(order + code, data, at)
        at += size
    for name, names in (("state", STATES), ("ca_state", _CA_STATES)):
        if (number := found.get(name)) is not None:
            found[name] = names[number] if 0 <= number < len(names) and names[number] else f"unknown ({number})"
    if "options" in found:
        found["options"] = tuple(name for bit, name in enumerate(_OPTIONS) if found["options"] & 1 << bit)
    if len(data) >= 8:
        # C compilers give the first bit field the lowest bits on little-endian machines, the highest on others.
        scales, flags = data[6], data[7]
        low, high = scales & 15, scales >> 4
        found["snd_wscale"], found["rcv_wscale"] = (low, high) if order == "<" else (high, low)
        # This byte was padding before: its first field came with delivery_rate, the second one release after snd_wnd.
        if "delivery_rate" in found:
            found["delivery_rate_app_limited"] = bool(flags & 1 if order == "<" else flags >> 7)
        if "snd_wnd" in found:
            found["fastopen_client_fail"] = flags >> 1 & 3 if order == "<" else flags >> 5 & 3
    if len(data) >= at + 4:
        found |= _last_word(data[at : at + 4], _version(release or platform.release()), order)
    if found.get("state") == "LISTEN":
        found = {name: found.get(name) for name in _OF_A_LISTENER}
    return TcpInfo(**found)


def _last_word(word: bytes, version: tuple[int, int], order: str) -> dict[str, int]:
    if version >= (7, 0) and order == "<":
        bits = word[0]
        return {"ecn_mode": bits & 3, "accecn_opt_seen": bits >> 2 & 3, "accecn_fail_mode": bits >> 4}
    if version >= (7, 0):
        bits = word[0]
        return {"ecn_mode": bits >> 6, "accecn_opt_seen": bits >> 4 & 3, "accecn_fail_mode": bits & 15}
    if version >= (6, 18):
        fail, seen = struct.unpack(order + "HH", word)
        return {"accecn_fail_mode": fail, "accecn_opt_seen": seen}
    return {}  # a distributor's kernel with newer parts: which layout, nobody can tell


def _version(release: str) -> tuple[int, int]:
    major, _, rest = release.partition(".")
    digits = "".join(c if c.isdigit() else " " for c in rest).split()
    return (int(major), int(digits[0])) if major.isdigit() and digits else (0, 0)
