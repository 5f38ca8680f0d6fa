"""Lesson 22: connections that come as descriptors, too many of them, and who wrote a message."""

from __future__ import annotations

import array
import contextlib
import os
import selectors
import socket
import struct
from collections.abc import Callable, Iterator

from mutants import mutant, unusual

Handle = Callable[[socket.socket], object]
CREDENTIALS = struct.Struct("iII")


def next_number(control: socket.socket) -> int | None:
    """The descriptor of the next connection; None at the end."""
    _, numbers, _, _ = socket.recv_fds(control, 1, 1)
    return numbers[0] if numbers else None


# -- work --------------------------------------------------------------------------------------------------------------


@mutant("work", "copy-kept")
def copies(control: socket.socket, handle: Handle) -> int:
    count = 0
    while (number := next_number(control)) is not None:
        with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as conn:
            count += 1
            with contextlib.suppress(OSError):
                handle(conn)
    return count


@mutant("work", "copy-kept")
def doubles(control: socket.socket, handle: Handle) -> int:
    count = 0
    while (number := next_number(control)) is not None:
        with socket.socket(fileno=socket.dup(number)) as conn:
            count += 1
            with contextlib.suppress(OSError):
                handle(conn)
    return count


@mutant("work", "served-once")
def serves_one(control: socket.socket, handle: Handle) -> int:
    number = next_number(control)
    if number is None:
        return 0
    with socket.socket(fileno=number) as conn:
        conn.set_inheritable(False)
        handle(conn)
    return 1


@mutant("work", "client-still-waits")
def closes_at_the_end(control: socket.socket, handle: Handle) -> int:
    with contextlib.ExitStack() as stack:
        count = 0
        while (number := next_number(control)) is not None:
            conn = stack.enter_context(socket.socket(fileno=number))
            conn.set_inheritable(False)
            count += 1
            with contextlib.suppress(OSError):
                handle(conn)
        return count


@mutant("work", "client-still-waits")
def forgets_to_close(control: socket.socket, handle: Handle) -> int:
    kept = []
    while (number := next_number(control)) is not None:
        kept.append(socket.socket(fileno=number))
        kept[-1].set_inheritable(False)
        with contextlib.suppress(OSError):
            handle(kept[-1])
    forgets_to_close.kept = kept  # type: ignore[attr-defined]
    return len(kept)


@mutant("work", "left-after-error")
def closes_after_success(control: socket.socket, handle: Handle) -> int:
    count = 0
    kept = []
    while (number := next_number(control)) is not None:
        conn = socket.socket(fileno=number)
        conn.set_inheritable(False)
        count += 1
        try:
            handle(conn)
            conn.close()
        except OSError:
            kept.append(conn)
    closes_after_success.kept = kept  # type: ignore[attr-defined]
    return count


@mutant("work", "stopped-by-one")
def lets_it_through(control: socket.socket, handle: Handle) -> int:
    count = 0
    while (number := next_number(control)) is not None:
        with socket.socket(fileno=number) as conn:
            conn.set_inheritable(False)
            handle(conn)
        count += 1
    return count


@mutant("work", "counts-successes")
def counts_the_happy_ones(control: socket.socket, handle: Handle) -> int:
    count = 0
    while (number := next_number(control)) is not None:
        with socket.socket(fileno=number) as conn:
            conn.set_inheritable(False)
            with contextlib.suppress(OSError):
                handle(conn)
                count += 1
    return count


@mutant("work", "end-not-seen")
def takes_for_granted(control: socket.socket, handle: Handle) -> int:
    count = 0
    while True:
        _, (number,), _, _ = socket.recv_fds(control, 1, 1)
        with socket.socket(fileno=number) as conn:
            conn.set_inheritable(False)
            count += 1
            with contextlib.suppress(OSError):
                handle(conn)


@mutant("work", "waits-for-more")
def never_ends(control: socket.socket, handle: Handle) -> int:
    while True:
        _, numbers, _, _ = socket.recv_fds(control, 1, 1)
        for number in numbers:
            with socket.socket(fileno=number) as conn:
                conn.set_inheritable(False)
                with contextlib.suppress(OSError):
                    handle(conn)


@mutant("work", "inherited")
def as_it_came(control: socket.socket, handle: Handle) -> int:
    count = 0
    while (number := next_number(control)) is not None:
        with socket.socket(fileno=number) as conn:
            count += 1
            with contextlib.suppress(OSError):
                handle(conn)
    return count


@mutant("work", "inherited")
def asks_with_a_flag_that_is_forgotten(control: socket.socket, handle: Handle) -> int:
    """From some Python on, recv_fds() may pass its flags on; so this one takes back what that would do."""
    count = 0
    while True:
        _, numbers, _, _ = socket.recv_fds(control, 1, 1, socket.MSG_CMSG_CLOEXEC)
        if not numbers:
            return count
        os.set_inheritable(numbers[0], True)
        with socket.socket(fileno=numbers[0]) as conn:
            count += 1
            with contextlib.suppress(OSError):
                handle(conn)


@mutant("work", "number-for-socket")
def hands_on_the_number(control: socket.socket, handle: Handle) -> int:
    count = 0
    while (number := next_number(control)) is not None:
        handle(number)  # type: ignore[arg-type]
        os.close(number)
        count += 1
    return count


@mutant("work", "byte-without-descriptor")
def reads_the_bytes(control: socket.socket, handle: Handle) -> int:
    count = 0
    while control.recv(1):
        count += 1
    return count


@mutant("work", "control-closed")
def closes_control(control: socket.socket, handle: Handle) -> int:
    with control:
        return with_a_generator(control, handle)


@mutant("work", "returns-nothing")
def forgets_the_number(control: socket.socket, handle: Handle) -> None:
    with_a_generator(control, handle)


def connections(control: socket.socket) -> Iterator[socket.socket]:
    """Each connection that comes, without a moment in which it could be inherited."""
    while True:
        data, notes, _, _ = control.recvmsg(1, socket.CMSG_LEN(4), socket.MSG_CMSG_CLOEXEC)
        if not data:
            return
        yield socket.socket(fileno=array.array("i", notes[0][2])[0])


@unusual("work")
def with_a_generator(control: socket.socket, handle: Handle) -> int:
    count = 0
    for conn in connections(control):
        count += 1
        with conn, contextlib.suppress(OSError):
            handle(conn)
    return count


@unusual("work")
class Worker:
    """A class, which waits with a selector and borrows with fromfd, and closes what it borrowed from."""

    def __init__(self, control: socket.socket, handle: Handle) -> None:
        self.control, self.handle = control, handle

    def __new__(cls, control: socket.socket, handle: Handle) -> int:  # type: ignore[misc]
        self = super().__new__(cls)
        self.__init__(control, handle)  # type: ignore[misc]
        return self.run()

    def run(self) -> int:
        count = 0
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            while selector.select() and (number := next_number(self.control)) is not None:
                count += 1
                try:
                    with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as conn:
                        os.close(number)
                        self.handle(conn)
                except OSError:
                    pass
        return count


# -- take_fds ----------------------------------------------------------------------------------------------------------


def numbers_of(notes: list[tuple[int, int, bytes]]) -> list[int]:
    numbers = array.array("i")
    for level, kind, content in notes:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
    return list(numbers)


def not_inheritable(numbers: list[int]) -> list[int]:
    for number in numbers:
        os.set_inheritable(number, False)
    return numbers


@mutant("take_fds", "flags-unread")
def throws_the_flags_away(sock: socket.socket, most: int) -> tuple[bytes, list[int]]:
    data, numbers, _, _ = socket.recv_fds(sock, 100, most)
    return data, not_inheritable(numbers)


@mutant("take_fds", "inherited")
def as_they_come(sock: socket.socket, most: int) -> tuple[bytes, list[int]]:
    data, numbers, flags, _ = socket.recv_fds(sock, 100, most)
    if flags & socket.MSG_CTRUNC:
        raise ValueError
    return data, numbers


@mutant("take_fds", "kept-on-refusal")
def raises_at_once(sock: socket.socket, most: int) -> tuple[bytes, list[int]]:
    data, numbers, flags, _ = socket.recv_fds(sock, 100, most)
    if flags & socket.MSG_CTRUNC:
        raise ValueError("too many")
    return data, not_inheritable(numbers)


@mutant("take_fds", "kept-on-refusal")
def counts_and_raises(sock: socket.socket, most: int) -> tuple[bytes, list[int]]:
    data, numbers, _, _ = socket.recv_fds(sock, 100, most + 1)
    if len(numbers) > most:
        raise ValueError("too many")
    return data, not_inheritable(numbers)


@mutant("take_fds", "room-rounded-up")
def trusts_the_flag(sock: socket.socket, most: int) -> tuple[bytes, list[int]]:
    data, notes, flags, _ = sock.recvmsg(100, socket.CMSG_SPACE(4 * most), socket.MSG_CMSG_CLOEXEC)
    numbers = numbers_of(notes)
    if flags & socket.MSG_CTRUNC:
        for number in numbers:
            os.close(number)
        raise ValueError("too many")
    return data, numbers


@mutant("take_fds", "received-without-room")
def reads_bytes(sock: socket.socket, most: int) -> tuple[bytes, list[int]]:
    return sock.recv(100), []


@mutant("take_fds", "needs-one")
def takes_the_first_note(sock: socket.socket, most: int) -> tuple[bytes, list[int]]:
    data, ((_, _, content),), flags, _ = sock.recvmsg(100, socket.CMSG_LEN(4 * most), socket.MSG_CMSG_CLOEXEC)
    numbers = list(array.array("i", content))
    if flags & socket.MSG_CTRUNC:
        for number in numbers:
            os.close(number)
        raise ValueError("too many")
    return data, numbers


@mutant("take_fds", "wrapped")
def makes_sockets(sock: socket.socket, most: int) -> tuple[bytes, list[socket.socket]]:
    data, numbers, _, _ = socket.recv_fds(sock, 100, most)
    return data, [socket.socket(fileno=number) for number in not_inheritable(numbers)]


@mutant("take_fds", "wrapped")
def marks_them_as_sockets(sock: socket.socket, most: int) -> tuple[bytes, list[int]]:
    data, numbers, _, _ = socket.recv_fds(sock, 100, most)
    for number in numbers:
        with socket.socket(fileno=number) as one:
            one.set_inheritable(False)
            one.detach()
    return data, numbers


@mutant("take_fds", "other-error")
def an_os_error(sock: socket.socket, most: int) -> tuple[bytes, list[int]]:
    try:
        return closes_what_came(sock, most)
    except ValueError:
        raise OSError("too many descriptors") from None


@mutant("take_fds", "returns-nothing")
def forgets_to_return(sock: socket.socket, most: int) -> None:
    closes_what_came(sock, most)


@unusual("take_fds")
def closes_what_came(sock: socket.socket, most: int) -> tuple[bytes, list[int]]:
    """Room for one more than is allowed: no need to look at a flag as well, but it does no harm."""
    data, notes, flags, _ = sock.recvmsg(100, socket.CMSG_SPACE(4 * (most + 1)), socket.MSG_CMSG_CLOEXEC)
    numbers = numbers_of(notes)
    if len(numbers) > most or flags & socket.MSG_CTRUNC:
        for number in numbers:
            os.close(number)
        raise ValueError(f"{most} descriptors are allowed")
    return data, numbers


@unusual("take_fds")
def into_a_buffer(sock: socket.socket, most: int) -> tuple[bytes, list[int]]:
    """recvmsg_into, and an ExitStack that closes unless all is well."""
    buffer = bytearray(100)
    with contextlib.ExitStack() as stack:
        size, notes, flags, _ = sock.recvmsg_into([buffer], socket.CMSG_LEN(4 * most), socket.MSG_CMSG_CLOEXEC)
        numbers = numbers_of(notes)
        for number in numbers:
            stack.callback(os.close, number)
        if flags & socket.MSG_CTRUNC:
            raise ValueError("too many")
        stack.pop_all()
    return bytes(buffer[:size]), numbers


# -- messages_from -----------------------------------------------------------------------------------------------------


def ask(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)


def next_message(sock: socket.socket, room: int = socket.CMSG_SPACE(12)) -> tuple[bytes, int, int]:
    """The message, and its writer's process and user; 0 and -1 where nobody knows."""
    data, notes, _, _ = sock.recvmsg(100, room)
    for level, kind, content in notes:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            process, user, _ = CREDENTIALS.unpack(content)
            return data, process, user
    return data, 0, -1


@mutant("messages_from", "believes-anybody")
def believes(sock: socket.socket, process: int) -> list[bytes]:
    return list(iter(lambda: sock.recv(100), b"quit"))


@mutant("messages_from", "believes-anybody")
def believes_addresses(sock: socket.socket, process: int) -> list[bytes]:
    found = []
    while True:
        data, _ = sock.recvfrom(100)
        if data == b"quit":
            return found
        found.append(data)


@mutant("messages_from", "not-asked")
def never_asks(sock: socket.socket, process: int) -> list[bytes]:
    found = []
    while True:
        data, writer, _ = next_message(sock)
        if writer == process:
            if data == b"quit":
                return found
            found.append(data)


@mutant("messages_from", "not-asked")
def never_asks_and_unpacks(sock: socket.socket, process: int) -> list[bytes]:
    found = []
    while True:
        data, ((_, _, content),), _, _ = sock.recvmsg(100, socket.CMSG_SPACE(12))
        if CREDENTIALS.unpack(content)[0] == process:
            if data == b"quit":
                return found
            found.append(data)


@mutant("messages_from", "asks-the-socket")
def asks_the_socket(sock: socket.socket, process: int) -> list[bytes]:
    found = []
    while True:
        data = sock.recv(100)
        writer, _, _ = CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if writer == process:
            if data == b"quit":
                return found
            found.append(data)


@mutant("messages_from", "no-room")
def without_room(sock: socket.socket, process: int) -> list[bytes]:
    ask(sock)
    found = []
    while True:
        data, writer, _ = next_message(sock, 0)
        if writer == process:
            if data == b"quit":
                return found
            found.append(data)


@mutant("messages_from", "user-for-process")
def compares_users(sock: socket.socket, process: int) -> list[bytes]:
    ask(sock)
    found = []
    while True:
        data, _, user = next_message(sock)
        if user in (os.getuid(), 65534):
            if data == b"quit":
                return found
            found.append(data)


@mutant("messages_from", "nobody-trusted")
def trusts_nobody_known(sock: socket.socket, process: int) -> list[bytes]:
    ask(sock)
    found = []
    while True:
        data, writer, _ = next_message(sock)
        if writer in (process, 0):
            if data == b"quit":
                return found
            found.append(data)


@mutant("messages_from", "one-note-expected")
def expects_one_note(sock: socket.socket, process: int) -> list[bytes]:
    ask(sock)
    found = []
    while True:
        data, notes, _, _ = sock.recvmsg(100, 1000)
        try:
            ((_, _, content),) = notes
        finally:
            for _, kind, present in notes:
                for number in array.array("i", present) if kind == socket.SCM_RIGHTS else ():
                    os.close(number)
        if CREDENTIALS.unpack(content)[0] == process:
            if data == b"quit":
                return found
            found.append(data)


@mutant("messages_from", "present-kept")
def keeps_the_present(sock: socket.socket, process: int) -> list[bytes]:
    ask(sock)
    found = []
    while True:
        data, writer, _ = next_message(sock, 1000)
        if writer == process:
            if data == b"quit":
                return found
            found.append(data)


@mutant("messages_from", "quit-kept")
def keeps_the_end(sock: socket.socket, process: int) -> list[bytes]:
    ask(sock)
    found: list[bytes] = []
    while found[-1:] != [b"quit"]:
        data, writer, _ = next_message(sock)
        if writer == process:
            found.append(data)
    return found


@mutant("messages_from", "closed")
def closes_it(sock: socket.socket, process: int) -> list[bytes]:
    with sock:
        return into_buffers(sock, process)


@mutant("messages_from", "returns-nothing")
def keeps_it_to_itself(sock: socket.socket, process: int) -> None:
    into_buffers(sock, process)


@unusual("messages_from")
def into_buffers(sock: socket.socket, process: int) -> list[bytes]:
    ask(sock)
    found, buffer = [], bytearray(100)
    while True:
        size, notes, _, _ = sock.recvmsg_into([buffer], socket.CMSG_SPACE(12))
        writers = [CREDENTIALS.unpack(content)[0] for _, kind, content in notes if kind == socket.SCM_CREDENTIALS]
        if writers == [process]:
            if buffer[:size] == b"quit":
                return found
            found.append(bytes(buffer[:size]))


@unusual("messages_from")
def closes_presents(sock: socket.socket, process: int) -> list[bytes]:
    """A generator, with room for presents, which it closes."""

    def written() -> Iterator[bytes]:
        while True:
            data, notes, _, _ = sock.recvmsg(100, 1000, socket.MSG_CMSG_CLOEXEC)
            for number in numbers_of(notes):
                os.close(number)
            notes = [note for note in notes if note[:2] == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)]
            if notes and CREDENTIALS.unpack(notes[0][2])[0] == process:
                yield data

    ask(sock)
    return list(iter(written().__next__, b"quit"))
