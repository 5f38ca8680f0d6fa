"""Lesson 27, rungs 4 and 5: a store of bytes, and a chat."""

from __future__ import annotations

import queue
import select
import socket
import struct
import threading
from contextlib import suppress
from typing import Any

from mutants import mutant, unusual

from .lesson_27_a_lines import arrivals, served

# -- serve_values ------------------------------------------------------------------------------------------------------

MOST = 1 << 20


def exactly(conn: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = conn.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def store_talk(conn: socket.socket, store: dict[bytes, bytes], take: Any = exactly, header: str = "!cHI") -> None:
    with suppress(EOFError):
        while True:
            kind, key_size, size = struct.unpack(header, take(conn, 7))
            if size > MOST:
                conn.sendall(struct.pack("!cI", b"!", 0))
                return
            key = take(conn, key_size)
            if kind == b"P":
                store[key] = take(conn, size)
                conn.sendall(struct.pack("!cI", b"+", 0))
            elif key in store:
                conn.sendall(struct.pack("!cI", b"+", len(store[key])) + store[key])
            else:
                conn.sendall(struct.pack("!cI", b"-", 0))


@mutant("serve_values", "one-recv")
def store_recv(listener: socket.socket, stop: socket.socket) -> None:
    store: dict[bytes, bytes] = {}

    def talk(conn: socket.socket) -> None:
        store_talk(conn, store, lambda conn, size: conn.recv(size) if size else b"")

    served(listener, stop, talk)


@mutant("serve_values", "own-store")
def store_each(listener: socket.socket, stop: socket.socket) -> None:
    served(listener, stop, lambda conn: store_talk(conn, {}))


@mutant("serve_values", "byte-order")
def store_native(listener: socket.socket, stop: socket.socket) -> None:
    store: dict[bytes, bytes] = {}
    served(listener, stop, lambda conn: store_talk(conn, store, header="<cHI"))


@mutant("serve_values", "length-believed")
def store_believes(listener: socket.socket, stop: socket.socket) -> None:
    store: dict[bytes, bytes] = {}

    def talk(conn: socket.socket) -> None:
        with suppress(EOFError):
            while True:
                kind, key_size, size = struct.unpack("!cHI", exactly(conn, 7))
                key, value = exactly(conn, key_size), exactly(conn, size)
                if kind == b"P":
                    store[key] = value
                    conn.sendall(struct.pack("!cI", b"+", 0))
                elif key in store:
                    conn.sendall(struct.pack("!cI", b"+", len(store[key])) + store[key])
                else:
                    conn.sendall(struct.pack("!cI", b"-", 0))

    served(listener, stop, talk)


@mutant("serve_values", "half-stored")
def store_halves(listener: socket.socket, stop: socket.socket) -> None:
    store: dict[bytes, bytes] = {}

    def talk(conn: socket.socket) -> None:
        with conn.makefile("rb") as file:

            def take(conn: socket.socket, size: int) -> bytes:
                data = file.read(size)
                if not data and size:
                    raise EOFError
                return data

            with suppress(struct.error):
                store_talk(conn, store, take)

    served(listener, stop, talk)


@unusual("serve_values")
def store_with_a_file(listener: socket.socket, stop: socket.socket) -> None:
    store: dict[bytes, bytes] = {}

    def talk(conn: socket.socket) -> None:
        with conn.makefile("rb") as file:

            def take(conn: socket.socket, size: int) -> bytes:
                data = file.read(size)
                if len(data) < size:
                    raise EOFError
                return data

            store_talk(conn, store, take)

    served(listener, stop, talk)


# -- serve_chat --------------------------------------------------------------------------------------------------------


class Room:
    """A chat of threads; what can be done wrong is an argument."""

    def __init__(self, *, echoes: bool = False, farewell: bool = True, by_recv: bool = False) -> None:
        self.members: dict[str, socket.socket] = {}
        self.lock = threading.Lock()
        self.echoes, self.farewell, self.by_recv = echoes, farewell, by_recv

    def post(self, name: str, data: bytes) -> None:
        with self.lock:
            for other, conn in self.members.items():
                if other != name or self.echoes:
                    with suppress(OSError):
                        conn.sendall(data)

    def talk(self, conn: socket.socket) -> None:
        with conn.makefile("rb") as lines:
            name = lines.readline().decode().strip()
            if not name:
                return
            with self.lock:
                conn.sendall(b"welcome\n")
                self.members[name] = conn
            try:
                for line in iter(lambda: conn.recv(4096), b"") if self.by_recv else lines:
                    self.post(name, b"%s: %s" % (name.encode(), line))
            finally:
                with self.lock:
                    del self.members[name]
                if self.farewell:
                    self.post(name, b"* %s has left\n" % name.encode())


@mutant("serve_chat", "slow-one-stops-all")
def chat_sends(listener: socket.socket, stop: socket.socket) -> None:
    served(listener, stop, Room().talk)


@mutant("serve_chat", "hears-itself")
def chat_to_all(listener: socket.socket, stop: socket.socket) -> None:
    served(listener, stop, Room(echoes=True).talk)


@mutant("serve_chat", "no-farewell")
def chat_silent_end(listener: socket.socket, stop: socket.socket) -> None:
    served(listener, stop, Room(farewell=False).talk)


@mutant("serve_chat", "pieces-as-lines")
def chat_recv(listener: socket.socket, stop: socket.socket) -> None:
    served(listener, stop, Room(by_recv=True).talk)


@unusual("serve_chat")
def chat_of_one_thread(listener: socket.socket, stop: socket.socket) -> None:
    """select, a buffer for each member, and nobody waits for anybody."""
    rest: dict[Any, bytes] = {}
    unsent: dict[Any, bytes] = {}
    names: dict[Any, str] = {}

    def post(sender: Any, data: bytes) -> None:
        for conn in names:
            if conn is not sender:
                unsent[conn] += data

    def leave(conn: Any) -> None:
        name = names.pop(conn, "")
        del rest[conn], unsent[conn]
        conn.close()
        if name:
            post(None, f"* {name} has left\n".encode())

    try:
        while True:
            writers = [conn for conn, data in unsent.items() if data]
            readable, writable, _ = select.select([listener, stop, *rest], writers, [])
            if stop in readable:
                return
            for conn in readable:
                if conn is listener:
                    new = listener.accept()[0]
                    new.setblocking(False)
                    rest[new] = unsent[new] = b""
                    continue
                try:
                    data = conn.recv(65536)
                except ConnectionError:
                    data = b""
                if not data:
                    leave(conn)
                    continue
                *lines, rest[conn] = (rest[conn] + data).split(b"\n")
                for line in lines:
                    if conn in names:
                        post(conn, names[conn].encode() + b": " + line + b"\n")
                    else:
                        names[conn] = line.decode()
                        unsent[conn] += b"welcome\n"
            for conn in writable:
                if conn in unsent:
                    with suppress(ConnectionError):
                        unsent[conn] = unsent[conn][conn.send(unsent[conn]) :]
    finally:
        for conn in rest:
            conn.close()


@unusual("serve_chat")
def chat_with_queues(listener: socket.socket, stop: socket.socket) -> None:
    room: dict[str, queue.SimpleQueue[bytes]] = {}
    lock = threading.Lock()

    def post(name: str, line: bytes) -> None:
        with lock:
            for other, letters in room.items():
                if other != name:
                    letters.put(line)

    def send(conn: socket.socket, letters: queue.SimpleQueue[bytes]) -> None:
        with suppress(OSError):
            while line := letters.get():
                conn.sendall(line)

    def talk(conn: socket.socket) -> None:
        with conn, conn.makefile("rb") as lines:
            name = lines.readline().decode().strip()
            letters: queue.SimpleQueue[bytes] = queue.SimpleQueue()
            letters.put(b"welcome\n")
            with lock:
                room[name] = letters
            sender = threading.Thread(target=send, args=(conn, letters))
            sender.start()
            with suppress(ConnectionError):
                for line in lines:
                    post(name, name.encode() + b": " + line)
            with lock:
                del room[name]
            letters.put(b"")
            with suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
            sender.join()
            if name:
                post(name, f"* {name} has left\n".encode())

    threads = []
    for conn in arrivals(listener, stop):
        threads.append(threading.Thread(target=talk, args=(conn,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
