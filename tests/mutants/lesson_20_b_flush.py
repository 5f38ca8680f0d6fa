"""What people answer to `flush` of lesson 20."""

from __future__ import annotations

import contextlib
import select
import selectors
import socket

from . import mutant, unusual

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


def want(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    selector.modify(sock, READ | WRITE if unsent else READ, selector.get_key(sock).data)


@unusual("flush")
class Flush:
    """A class, whose making is the call; and sendmsg."""

    def __init__(self, selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
        try:
            del unsent[: sock.sendmsg([unsent])]
        except BlockingIOError:
            pass
        finally:
            want(selector, sock, unsent)


@unusual("flush")
def until_it_is_refused(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    """Small pieces, until there is no room."""
    while unsent:
        try:
            sent = sock.send(bytes(unsent[:4096]))
        except BlockingIOError:
            break
        unsent[:] = unsent[sent:]
    key = selector.unregister(sock)
    selector.register(sock, READ | (WRITE if unsent else 0), key.data)


@unusual("flush")
def asks_before(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    if unsent and select.select([], [sock], [], 0)[1]:
        del unsent[: sock.send(memoryview(bytes(unsent)))]
    want(selector, sock, unsent)


@mutant("flush", "always-write")
def always_both(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    selector.modify(sock, READ | WRITE, selector.get_key(sock).data)


@mutant("flush", "always-write")
def nothing_to_do(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    if not unsent:
        return
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    want(selector, sock, unsent)


@mutant("flush", "never-write")
def never(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    selector.modify(sock, READ, selector.get_key(sock).data)


@mutant("flush", "notes-lost")
def without_data(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    selector.modify(sock, READ | WRITE if unsent else READ)


@mutant("flush", "registers-again")
def registers(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    selector.register(sock, READ | WRITE if unsent else READ, selector.get_key(sock).data)


@mutant("flush", "sent-twice")
def a_name_of_its_own(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        unsent = unsent[sock.send(unsent) :]
    want(selector, sock, unsent)


@mutant("flush", "rest-lost")
def forgets_the_rest(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        sock.send(unsent)
    unsent.clear()
    want(selector, sock, unsent)


@mutant("flush", "no-room-raised")
def without_a_catch(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    if unsent:
        del unsent[: sock.send(unsent)]
    want(selector, sock, unsent)


@mutant("flush", "no-room-raised")
def all_of_it(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    sock.sendall(unsent)
    unsent.clear()
    want(selector, sock, unsent)


@mutant("flush", "waits-for-room")
def made_blocking(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    sock.setblocking(True)
    sock.sendall(unsent)
    unsent.clear()
    sock.setblocking(False)
    want(selector, sock, unsent)


@mutant("flush", "spins-for-room")
def again_and_again(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    while unsent:
        with contextlib.suppress(BlockingIOError):
            del unsent[: sock.send(unsent)]
    want(selector, sock, unsent)


@mutant("flush", "waits-in-select")
def waits_itself(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    while unsent:
        select.select([], [sock], [])
        del unsent[: sock.send(unsent)]
    want(selector, sock, unsent)


@mutant("flush", "off-the-list")
def takes_it_off(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    if unsent:
        want(selector, sock, unsent)
    else:
        selector.unregister(sock)


@mutant("flush", "read-forgotten")
def write_alone(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        del unsent[: sock.send(unsent)]
    selector.modify(sock, WRITE if unsent else READ, selector.get_key(sock).data)


@mutant("flush", "error-swallowed")
def catches_all(selector: selectors.BaseSelector, sock: socket.socket, unsent: bytearray) -> None:
    with contextlib.suppress(OSError):
        del unsent[: sock.send(unsent)]
    want(selector, sock, unsent)
