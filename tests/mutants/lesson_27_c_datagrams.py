"""Lesson 27, rungs 6 and 9: keys and values in datagrams, and files in numbered blocks."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

from mutants import mutant, unusual
from socketlab.experiments import ladder_servers

# -- serve_kv ----------------------------------------------------------------------------------------------------------


class Store:
    """Keys and values; what can be done wrong is in `serve`."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def answer(self, data: bytes) -> bytes:
        number, command, key, value = (*data.decode().split(" ", 3), "", "", "")[:4]
        try:
            return f"{number} {self.told(command, key, value)}".encode()
        except ValueError:
            return f"{number} ERROR".encode()

    def told(self, command: str, key: str, value: str) -> str:
        if command == "SET":
            self.values[key] = value
            return "OK"
        if command == "GET":
            return f"VALUE {self.values[key]}" if key in self.values else "NONE"
        if command == "ADD":
            self.values[key] = str(int(self.values.get(key, "0")) + int(value))
            return f"VALUE {self.values[key]}"
        return "ERROR"


def kv(
    sock: socket.socket, stop: socket.socket, key: Callable[[bytes, Any], Any], size: int = 65535, careful: bool = True
) -> None:
    store, last = Store(), dict[Any, bytes]()
    while stop not in select.select([sock, stop], [], [])[0]:
        data, sender = sock.recvfrom(size)
        if careful and (not data or not data.isascii()):
            continue
        mark = key(data, sender)
        if mark not in last:
            last[mark] = store.answer(data)
        sock.sendto(last[mark], sender)


@mutant("serve_kv", "counted-twice")
def kv_each_time(sock: socket.socket, stop: socket.socket) -> None:
    kv(sock, stop, lambda data, sender: time.monotonic_ns())


@mutant("serve_kv", "number-alone")
def kv_by_number(sock: socket.socket, stop: socket.socket) -> None:
    kv(sock, stop, lambda data, sender: data)


@mutant("serve_kv", "garbage-ends-it")
def kv_trusts(sock: socket.socket, stop: socket.socket) -> None:
    kv(sock, stop, lambda data, sender: (data, sender), careful=False)


@mutant("serve_kv", "garbage-ends-it")
def kv_end_at_nothing(sock: socket.socket, stop: socket.socket) -> None:
    store, last = Store(), dict[Any, bytes]()
    while stop not in select.select([sock, stop], [], [])[0]:
        data, sender = sock.recvfrom(65535)
        if not data:
            return
        if (data, sender) not in last:
            last[data, sender] = store.answer(data)
        sock.sendto(last[data, sender], sender)


@mutant("serve_kv", "datagram-cut")
def kv_small(sock: socket.socket, stop: socket.socket) -> None:
    kv(sock, stop, lambda data, sender: (data, sender), size=1024)


@unusual("serve_kv")
def kv_all_answers(sock: socket.socket, stop: socket.socket) -> None:
    kv(sock, stop, lambda data, sender: (data, sender))


# -- serve_blocks ------------------------------------------------------------------------------------------------------

unusual("serve_blocks")(ladder_servers()["serve_blocks"])


def block(data: bytes, number: int) -> bytes:
    return struct.pack("!cI", b"D", number) + data[number * 512 :][:512]


@mutant("serve_blocks", "never-again")
def blocks_once(sock: socket.socket, stop: socket.socket, files: Mapping[str, bytes]) -> None:
    names: dict[Any, str] = {}
    nexts: dict[Any, int] = {}
    while stop not in select.select([sock, stop], [], [])[0]:
        data, sender = sock.recvfrom(65535)
        if data[:1] == b"G":
            name = data[1:].decode()
            if name not in files:
                sock.sendto(b"E", sender)
                continue
            names[sender], nexts[sender] = name, 0
        elif int.from_bytes(data[1:], "big") == nexts.get(sender):
            nexts[sender] += 1
        else:
            continue
        if nexts[sender] <= len(files[names[sender]]) // 512:
            sock.sendto(block(files[names[sender]], nexts[sender]), sender)


@mutant("serve_blocks", "one-client-at-a-time")
def blocks_in_turn(sock: socket.socket, stop: socket.socket, files: Mapping[str, bytes]) -> None:
    while stop not in select.select([sock, stop], [], [])[0]:
        data, sender = sock.recvfrom(65535)
        if data[:1] != b"G":
            continue
        content = files.get(data[1:].decode())
        if content is None:
            sock.sendto(b"E", sender)
            continue
        for number in range(len(content) // 512 + 1):
            for _ in range(100):
                sock.sendto(block(content, number), sender)
                ready = select.select([sock, stop], [], [], 0.05)[0]
                if stop in ready:
                    return
                if ready and sock.recvfrom(65535) == (struct.pack("!cI", b"A", number), sender):
                    break


class Sender:
    """One loop for all clients; what can be done wrong is an argument."""

    def __init__(self, files: Mapping[str, bytes], *, old_too: bool = False, empty_last: bool = True) -> None:
        self.files, self.old_too, self.empty_last = files, old_too, empty_last
        self.under_way: dict[Any, list[Any]] = {}

    def serve(self, sock: socket.socket, stop: socket.socket) -> None:
        while True:
            ready = select.select([sock, stop], [], [], 0.02)[0]
            if stop in ready:
                return
            if sock in ready:
                self.hear(sock, *sock.recvfrom(65535))
            for client, (_, number, sent) in list(self.under_way.items()):
                if time.monotonic() > sent + 0.05:
                    self.send(sock, client, number)

    def send(self, sock: socket.socket, client: Any, number: int) -> None:
        self.under_way[client][1:] = number, time.monotonic()
        sock.sendto(block(self.under_way[client][0], number), client)

    def hear(self, sock: socket.socket, data: bytes, client: Any) -> None:
        if data[:1] == b"G":
            content = self.files.get(data[1:].decode())
            if content is None:
                sock.sendto(b"E", client)
            elif client not in self.under_way:
                self.under_way[client] = [content, 0, 0.0]
                self.send(sock, client, 0)
        elif client in self.under_way:
            content, now, _ = self.under_way[client]
            number = int.from_bytes(data[1:], "big")
            last = len(content) // 512 if self.empty_last else max(len(content) - 1, 0) // 512
            if number == last:
                del self.under_way[client]
            elif number == now or (self.old_too and number < now):
                self.send(sock, client, number + 1)


@mutant("serve_blocks", "each-copy-answered")
def blocks_apprentice(sock: socket.socket, stop: socket.socket, files: Mapping[str, bytes]) -> None:
    Sender(files, old_too=True).serve(sock, stop)


@mutant("serve_blocks", "no-last-block")
def blocks_without_last(sock: socket.socket, stop: socket.socket, files: Mapping[str, bytes]) -> None:
    Sender(files, empty_last=False).serve(sock, stop)


@unusual("serve_blocks")
def blocks_with_a_class(sock: socket.socket, stop: socket.socket, files: Mapping[str, bytes]) -> None:
    Sender(files).serve(sock, stop)
