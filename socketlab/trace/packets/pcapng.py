"""A trace as a capture file for Wireshark: `to_pcapng`.

No packet was captured. The packets are made up from the calls (`packets.segments` says by which rules), and the file
says so: in its section's comment, in the interface's name and description, and in the comment of every packet, which
names the call that it stands for. TLS is written as plaintext, because that is what the calls saw. Unix sockets have no
packets.

The file format is pcapng (draft-ietf-opsawg-pcapng), because it carries comments, nanoseconds, and packets of which
only the beginning was kept. It is written by the library `python-pcapng` (Apache 2.0, plain Python, no dependencies,
8 ms to import), the only one of four that can write all of these: `dpkt` always writes the length that it has as the
length that was, scapy's writer has neither a section comment nor nanoseconds (and its licence, GPL 2 only, would
become ours), PyPCAPKit writes pcap only. The IP, TCP and UDP headers are 60 lines in `packets.headers`.
"""

from __future__ import annotations

import errno
import heapq
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from ..events import OUT, Event
from .conversations import Conversations, Datagram
from .headers import udp
from .segments import Packet, called, packets

_RAW = 101  # LINKTYPE_RAW: a packet begins with its IP header
_NANOSECONDS = b"\x09"  # if_tsresol: 10**-9 seconds
_MARK = "synthesised from socket calls by socketlab"


@dataclass(frozen=True)
class Capture:
    """What `to_pcapng` wrote: how many `packets`, of how many TCP `connections` and UDP `datagrams`.

    `left_out` says how many calls were made on sockets that have no packets, by kind of socket.
    """

    path: str
    packets: int
    connections: int
    datagrams: int
    left_out: tuple[tuple[str, int], ...] = ()


def to_pcapng(events: Sequence[Event], path: str | os.PathLike[str], *, opened_ns: int = 0) -> Capture:
    """Write the TCP and UDP traffic of a trace to `path`, a capture file for Wireshark and tshark.

    `opened_ns` is when the trace was opened, in nanoseconds since 1970 (`time.time_ns()`); without it the packets'
    times count from 1970. A file that is there already is replaced, once the new one is complete.

    Raises ImportError where the package python-pcapng is missing, ValueError where the trace holds no TCP or UDP
    traffic, and OSError where the file cannot be written.
    """
    library = _library()
    talk = Conversations(events)
    streams = [_monotone(packets(connection, seed)) for seed, connection in enumerate(talk.connections, 1)]
    streams.append(iter(sorted(map(_datagram, talk.datagrams))))
    left_out = tuple(sorted(talk.left_out.items()))
    if not talk.connections and not talk.datagrams:
        raise ValueError(f"to_pcapng wanted TCP or UDP traffic, but this trace has {_what_else(talk.calls, left_out)}")
    encrypted = any(connection.encrypted for connection in talk.connections)
    target = _target(path)
    part = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            merged = heapq.merge(*streams, key=lambda packet: packet[:2])
            count = _write(library, file, merged, _comment(left_out, encrypted), opened_ns)
        os.replace(part, target)
    except OSError as error:
        _remove(part)
        what = f"to_pcapng could not write the capture: {error.strerror or error}"
        remedy = "name a file in a folder that exists, where you may write and where there is room"
        raise type(error)(error.errno, f"{what}; {remedy}", target) from error
    except BaseException:
        _remove(part)
        raise
    return Capture(os.fspath(path), count, len(talk.connections), len(talk.datagrams), left_out)


def _library() -> Any:
    try:
        import pcapng  # type: ignore[import-untyped]
        import pcapng.blocks  # type: ignore[import-untyped]
    except ImportError as error:
        raise ImportError(
            "to_pcapng needs the package python-pcapng, which writes the file format: pip install python-pcapng"
        ) from error
    return pcapng


def _datagram(datagram: Datagram) -> Packet:
    event = datagram.event
    data, size = (event.data or b"")[: event.size], event.size or 0
    raw = udp(datagram.source, datagram.target, data, size)
    words = f"; {len(data):,} of {size:,} bytes kept" if len(data) < size else ""
    words += "; an address is made up" if datagram.made_up else ""
    when = event.start_ns if event.direction == OUT else event.end_ns
    return Packet(when, event.number, raw, len(raw) - len(data) + size, called(event) + words)


def _monotone(stream: Iterator[Packet]) -> Iterator[Packet]:
    """The packets of a connection with times and numbers that never go back, as merging needs them."""
    last = 0, 0
    for packet in stream:
        last = max(last, packet[:2])
        yield packet._replace(when_ns=last[0], number=last[1])


def _write(library: Any, file: BinaryIO, stream: Iterator[Packet], comment: str, opened_ns: int) -> int:
    blocks = library.blocks
    header = blocks.SectionHeader(options={"opt_comment": comment, "shb_userappl": "socketlab"})
    interface = header.new_member(
        blocks.InterfaceDescription, link_type=_RAW, options={"if_name": "socketlab", "if_description": _MARK}
    )
    # The library knows this option's number and not its type, and warns of that; these are bytes.
    interface.options.schema[9] = interface.options.schema[9]._replace(ftype="bytes")
    interface.options["if_tsresol"] = _NANOSECONDS
    writer = library.FileWriter(file, header)
    block = header.new_member(blocks.EnhancedPacket, interface_id=0)  # one for all: making one is half of writing it
    count = 0
    for packet in stream:
        count += 1
        when = max(0, opened_ns + packet.when_ns)  # a call may have begun before the trace was opened
        block.timestamp_high, block.timestamp_low = divmod(when, 2**32)
        block.packet_data, block.packet_len = packet.data, packet.size
        block.options["opt_comment"] = packet.comment
        writer.write_block(block)
    return count


def _comment(left_out: tuple[tuple[str, int], ...], encrypted: bool) -> str:
    lines = [
        f"No packet was captured: this file was {_MARK}.",
        "What was sent and received, and how connections began and ended, is as the calls at both ends saw it.",
        "Sequence numbers, windows, acknowledgments and the division into segments are made up to fit.",
    ]
    if encrypted:
        lines.append("TLS is shown as plaintext, as the calls saw it; on the wire it was encrypted.")
    if left_out:
        calls = ", ".join(f"{count:,} on {kind}" for kind, count in left_out)
        lines.append(f"Left out are calls on sockets that have no packets: {calls}.")
    return "\n".join(lines)


def _what_else(calls: int, left_out: tuple[tuple[str, int], ...]) -> str:
    if left_out:
        kinds = " and ".join(f"{count:,} on {kind} sockets" for kind, count in left_out)
        return f"no more than calls that make no packets ({kinds}); look at its ladder() or its table() instead"
    if calls:
        return f"{calls:,} calls and none that connected or moved bytes; open it before the sockets talk"
    return "no calls at all; open it around the code that uses sockets"


def _target(path: str | os.PathLike[str]) -> str:
    """The file to be replaced, symbolic links followed; refused where it is something else than a file."""
    target = os.path.realpath(os.fspath(path))
    try:
        mode = os.stat(target).st_mode
    except OSError:  # it is to be made
        return target
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(
            errno.EISDIR,
            "to_pcapng wanted a file to write but this is a directory; add a name, such as trace.pcapng",
            target,
        )
    if not stat.S_ISREG(mode):
        raise OSError(
            errno.EINVAL, "to_pcapng wanted a file that it can replace, and this is a device or a pipe", target
        )
    return target


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
