"""Lesson 23: a sendfile that goes on, a reader that makes no copy, an answer from the address that was asked."""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from mutants import mutant, unusual

Handler = Callable[[bytes], bytes]
Update = Callable[[Any], object]
IP, IP_PKTINFO = socket.IPPROTO_IP, 8


# -- send_some ---------------------------------------------------------------------------------------------------------


@mutant("send_some", "sendfile-of-the-socket")
def the_sockets_own(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    return offset + sock.sendfile(file, offset, end - offset)


@mutant("send_some", "made-it-wait")
def waits(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    sock.setblocking(True)
    return offset + sock.sendfile(file, offset, end - offset)


@mutant("send_some", "made-it-wait")
def waits_a_little(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    sock.settimeout(0.1)
    try:
        return offset + sock.sendfile(file, offset, end - offset)
    except TimeoutError:
        return offset


@mutant("send_some", "by-hand")
def reads_and_sends(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    file.seek(offset)
    with suppress(BlockingIOError):
        offset += sock.send(file.read(end - offset))
    return offset


@mutant("send_some", "by-hand")
def reads_elsewhere(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    with suppress(BlockingIOError):
        offset += sock.send(os.pread(file.fileno(), end - offset, offset))
    return offset


@mutant("send_some", "eagain-out")
def until_it_raises(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    while offset < end:
        offset += os.sendfile(sock.fileno(), file.fileno(), offset, end - offset)
    return offset


@mutant("send_some", "eagain-out")
def one_step(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    return offset + os.sendfile(sock.fileno(), file.fileno(), offset, end - offset)


@mutant("send_some", "count-for-offset")
def how_many(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    try:
        return os.sendfile(sock.fileno(), file.fileno(), offset, end - offset)
    except BlockingIOError:
        return 0


@mutant("send_some", "beyond-the-end")
def to_the_files_end(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    with suppress(BlockingIOError):
        offset += os.sendfile(sock.fileno(), file.fileno(), offset, 2**30)
    return offset


@mutant("send_some", "beyond-the-end")
def end_as_a_count(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    with suppress(BlockingIOError):
        offset += os.sendfile(sock.fileno(), file.fileno(), offset, end)
    return offset


@mutant("send_some", "all-assumed")
def surely_all(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    try:
        os.sendfile(sock.fileno(), file.fileno(), offset, end - offset)
    except BlockingIOError:
        return offset
    return end


@mutant("send_some", "position-moved")
def from_where_it_stands(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    os.lseek(file.fileno(), offset, os.SEEK_SET)
    with suppress(BlockingIOError):
        offset += os.sendfile(sock.fileno(), file.fileno(), None, end - offset)  # type: ignore[arg-type]
    return offset


@mutant("send_some", "shorter-as-full")
def nothing_to_say(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    with suppress(BlockingIOError):
        offset += os.sendfile(sock.fileno(), file.fileno(), offset, end - offset)
    return offset


@mutant("send_some", "turns-for-ever")
def as_long_as_it_takes(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    with suppress(BlockingIOError):
        while offset < end:
            offset += os.sendfile(sock.fileno(), file.fileno(), offset, end - offset)
    return offset


@mutant("send_some", "error-swallowed")
def any_error(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    try:
        sent = os.sendfile(sock.fileno(), file.fileno(), offset, end - offset)
    except OSError:
        return offset
    if not sent:
        raise EOFError
    return offset + sent


@mutant("send_some", "returns-nothing")
def forgets_to_return(sock: socket.socket, file: Any, offset: int, end: int) -> None:
    with suppress(BlockingIOError):
        offset += os.sendfile(sock.fileno(), file.fileno(), offset, end - offset)


@unusual("send_some")
def asks_first(sock: socket.socket, file: Any, offset: int, end: int) -> int:
    """select says whether there is room; one step then."""
    if not select.select([], [sock], [], 0)[1]:
        return offset
    sent = os.sendfile(sock.fileno(), file.fileno(), offset, end - offset)
    if not sent:
        raise EOFError(f"the file ends at {offset}")
    return offset + sent


@unusual("send_some")
class InSteps:
    """A class with a call, in steps of 10,000 bytes, until there is no room."""

    STEP = 10_000

    def __new__(cls, *arguments: Any) -> Any:
        return cls.send(*arguments)

    @classmethod
    def send(cls, sock: socket.socket, file: Any, offset: int, end: int) -> int:
        step = partial(os.sendfile, sock.fileno(), file.fileno())
        while offset < end:
            try:
                sent = step(offset, min(cls.STEP, end - offset))
            except BlockingIOError:
                break
            if sent == 0:
                raise EOFError
            offset += sent
        return offset


# -- pour --------------------------------------------------------------------------------------------------------------


@mutant("pour", "new-object")
def by_recv(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    while size:
        piece = sock.recv(min(size, len(buffer)))
        if not piece:
            raise EOFError
        update(piece)
        size -= len(piece)


@mutant("pour", "new-object")
def by_recv_and_copied(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    while size:
        piece = sock.recv(min(size, len(buffer)))
        buffer[: len(piece)] = piece
        update(memoryview(buffer)[: len(piece)])
        size -= len(piece)


@mutant("pour", "slice-is-a-copy")
def slices(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    while size:
        count = sock.recv_into(buffer, min(size, len(buffer)))
        if not count:
            raise EOFError
        update(buffer[:count])
        size -= count


@mutant("pour", "slice-is-a-copy")
def bytes_of_it(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    view = memoryview(buffer)
    while size:
        count = sock.recv_into(view[:size])
        update(bytes(view[:count]))
        size -= count


@mutant("pour", "another-buffer")
def memory_of_its_own(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    view = memoryview(bytearray(65_536))
    while size:
        count = sock.recv_into(view[:size])
        if not count:
            raise EOFError
        update(view[:count])
        size -= count


@mutant("pour", "buffer-resized")
def shortened(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    while size:
        count = sock.recv_into(buffer, min(size, len(buffer)))
        if not count:
            raise EOFError
        del buffer[count:]
        update(buffer)
        size -= count


@mutant("pour", "too-far")
def as_much_as_fits(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    view = memoryview(buffer)
    while size > 0:
        count = sock.recv_into(view)
        if not count:
            raise EOFError
        update(view[: min(size, count)])
        size -= count


@mutant("pour", "too-far")
def through_a_file(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    view = memoryview(buffer)
    with sock.makefile("rb") as file:
        while size:
            count = file.readinto(view[:size])
            if not count:
                raise EOFError
            update(view[:count])
            size -= count


@mutant("pour", "stale-bytes")
def all_of_the_buffer(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    while size > 0:
        count = sock.recv_into(buffer, min(size, len(buffer)))
        if not count:
            raise EOFError
        update(buffer)
        size -= count


@mutant("pour", "one-read")
def once(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    view = memoryview(buffer)
    update(view[: sock.recv_into(view[:size])])


@mutant("pour", "waits-for-nothing")
def asks_before_it_looks(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    view = memoryview(buffer)
    while True:
        count = sock.recv_into(view, min(size, len(view)))
        if not count:
            raise EOFError
        update(view[:count])
        size -= count
        if size <= 0:
            return


@mutant("pour", "empty-window")
def a_window_of_nothing(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    view = memoryview(buffer)
    while True:
        count = sock.recv_into(view[:size])
        if not count:
            raise EOFError
        update(view[:count])
        size -= count
        if not size:
            return


@mutant("pour", "end-as-success")
def leaves_the_loop(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    view = memoryview(buffer)
    while size and (count := sock.recv_into(view[:size])):
        update(view[:count])
        size -= count


@mutant("pour", "end-ignored")
def until_it_is_full(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    view = memoryview(buffer)
    while size:
        count = sock.recv_into(view[:size])
        update(view[:count])
        size -= count


@unusual("pour")
def raw_file(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    """A file without a buffer reads into ours."""
    with sock.makefile("rb", buffering=0) as file, memoryview(buffer) as view:
        while size:
            count = file.readinto(view[: min(size, len(view))])
            if not count:
                raise EOFError(f"{size} bytes are missing")
            update(view[:count])
            size -= count


@unusual("pour")
def all_or_a_buffer_full(sock: socket.socket, size: int, buffer: bytearray, update: Update) -> None:
    """recvmsg_into with one buffer, MSG_WAITALL, and iter."""
    view = memoryview(buffer)
    for room in [len(buffer)] * (size // len(buffer)) + [size % len(buffer)] * bool(size % len(buffer)):
        count = sock.recvmsg_into([view[:room]], 0, socket.MSG_WAITALL)[0]
        if count < room:
            raise EOFError
        update(view[:room])


# -- answer_one --------------------------------------------------------------------------------------------------------


@mutant("answer_one", "kernels-choice")
def by_sendto(box: socket.socket, handler: Handler) -> None:
    data, sender = box.recvfrom(65_535)
    box.sendto(handler(data), sender)


@mutant("answer_one", "kernels-choice")
def looks_and_forgets(box: socket.socket, handler: Handler) -> None:
    data, _, _, sender = box.recvmsg(65_535, 1024)
    box.sendmsg([handler(data)], [], 0, sender)


@mutant("answer_one", "kernels-choice")
def wrong_place(box: socket.socket, handler: Handler) -> None:
    """The source is the second field; the third one is for the way in."""
    data, ancillary, _, sender = box.recvmsg(65_535, 1024)
    for level, kind, value in ancillary:
        if (level, kind) == (IP, IP_PKTINFO):
            source = struct.pack("=i4s4s", 0, bytes(4), value[4:8])
            box.sendmsg([handler(data)], [(level, kind, source)], 0, sender)


@mutant("answer_one", "another-socket")
def a_socket_of_its_own(box: socket.socket, handler: Handler) -> None:
    data, ancillary, _, sender = box.recvmsg(65_535, 1024)
    value = next(value for level, kind, value in ancillary if (level, kind) == (IP, IP_PKTINFO))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((socket.inet_ntoa(value[4:8]), box.getsockname()[1]))
        other.sendto(handler(data), sender)


@mutant("answer_one", "another-socket")
def another_port(box: socket.socket, handler: Handler) -> None:
    data, sender = box.recvfrom(65_535)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.sendto(handler(data), sender)


@mutant("answer_one", "question-cut")
def a_short_question(box: socket.socket, handler: Handler) -> None:
    data, ancillary, _, sender = box.recvmsg(1024, 1024)
    box.sendmsg([handler(data)], [one for one in ancillary if one[:2] == (IP, IP_PKTINFO)], 0, sender)


@mutant("answer_one", "no-room")
def without_room(box: socket.socket, handler: Handler) -> None:
    data, ancillary, _, sender = box.recvmsg(65_535)
    box.sendmsg([handler(data)], [ancillary[0]], 0, sender)


@mutant("answer_one", "no-room")
def unpacks_nothing(box: socket.socket, handler: Handler) -> None:
    data, ((level, kind, value),), _, sender = box.recvmsg(65_535)
    box.sendmsg([handler(data)], [(level, kind, value)], 0, sender)


@mutant("answer_one", "first-message")
def the_first_one(box: socket.socket, handler: Handler) -> None:
    data, ancillary, _, sender = box.recvmsg(65_535, 1024)
    box.sendmsg([handler(data)], [(IP, IP_PKTINFO, ancillary[0][2])], 0, sender)


@mutant("answer_one", "first-message")
def the_first_one_unpacked(box: socket.socket, handler: Handler) -> None:
    data, ancillary, _, sender = box.recvmsg(65_535, 1024)
    _, source, _ = struct.unpack("=i4s4s", ancillary[0][2])
    box.sendmsg([handler(data)], [(IP, IP_PKTINFO, struct.pack("=i4s4s", 0, source, bytes(4)))], 0, sender)


@mutant("answer_one", "first-message")
def the_only_one(box: socket.socket, handler: Handler) -> None:
    data, [message], _, sender = box.recvmsg(65_535, 1024)
    box.sendmsg([handler(data)], [message], 0, sender)


@mutant("answer_one", "little-room")
def room_for_one(box: socket.socket, handler: Handler) -> None:
    data, ancillary, _, sender = box.recvmsg(65_535, socket.CMSG_SPACE(12))
    for level, kind, value in ancillary:
        if (level, kind) == (IP, IP_PKTINFO):
            box.sendmsg([handler(data)], [(level, kind, value)], 0, sender)


@mutant("answer_one", "little-room")
def room_for_one_found(box: socket.socket, handler: Handler) -> None:
    data, ancillary, _, sender = box.recvmsg(65_535, socket.CMSG_SPACE(12))
    value = next(value for level, kind, value in ancillary if (level, kind) == (IP, IP_PKTINFO))
    box.sendmsg([handler(data)], [(IP, IP_PKTINFO, value)], 0, sender)


@mutant("answer_one", "no-reply")
def keeps_it(box: socket.socket, handler: Handler) -> None:
    data = box.recv(65_535)
    handler(data)


@unusual("answer_one")
def as_it_came(box: socket.socket, handler: Handler) -> None:
    """The message goes back as it is, interface and all."""
    data, ancillary, _, sender = box.recvmsg(65_535, 500)
    box.sendmsg([handler(data)], [one for one in ancillary if one[:2] == (IP, IP_PKTINFO)], 0, sender)


@unusual("answer_one")
def into_memory_that_is_there(box: socket.socket, handler: Handler) -> None:
    buffer = bytearray(65_535)
    count, ancillary, _, sender = box.recvmsg_into([buffer], 1024)
    told = {(level, kind): value for level, kind, value in ancillary}
    _, local, _ = struct.unpack("=i4s4s", told[IP, IP_PKTINFO])
    source = struct.pack("=i4s4s", 0, local, bytes(4))
    box.sendmsg([memoryview(handler(bytes(buffer[:count])))], [(IP, IP_PKTINFO, source)], 0, sender)
