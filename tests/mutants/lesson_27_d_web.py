"""Lesson 27, rungs 7 and 8: a proxy that rewrites, and files over HTTP."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mutants import mutant, unusual
from socketlab.experiments import ladder_servers

from .lesson_27_a_lines import arrivals, served

# -- serve_proxy -------------------------------------------------------------------------------------------------------

unusual("serve_proxy")(ladder_servers()["serve_proxy"])


def forward(source: socket.socket, target: socket.socket, half: bool = True) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        if half:
            target.shutdown(socket.SHUT_WR)


def rewrite(source: socket.socket, target: socket.socket, hold: Any) -> None:
    rest = b""
    with suppress(OSError):
        while data := source.recv(65536):
            data = (rest + data).replace(b"colour", b"color")
            held = hold(data)
            data, rest = data[: len(data) - held], data[len(data) - held :]
            target.sendall(data)
        target.sendall(rest)
        target.shutdown(socket.SHUT_WR)


def beginning(data: bytes) -> int:
    return next((n for n in range(5, 0, -1) if data.endswith(b"colour"[:n])), 0)


def proxy(conn: socket.socket, upstream: Any, hold: Any = beginning, half: bool = True) -> None:
    with suppress(ConnectionRefusedError), socket.create_connection(upstream) as far:
        there = threading.Thread(target=forward, args=(conn, far, half))
        there.start()
        rewrite(far, conn, hold)
        there.join()


@mutant("serve_proxy", "word-cut")
def proxy_by_piece(listener: socket.socket, stop: socket.socket, upstream: Any) -> None:
    served(listener, stop, lambda conn: proxy(conn, upstream, lambda data: 0))


@mutant("serve_proxy", "held-back")
def proxy_holds(listener: socket.socket, stop: socket.socket, upstream: Any) -> None:
    def five(data: bytes) -> int:
        return 0 if data.endswith((b"? ", b"ful")) else 5

    served(listener, stop, lambda conn: proxy(conn, upstream, five))


@mutant("serve_proxy", "half-close-lost")
def proxy_keeps_the_end(listener: socket.socket, stop: socket.socket, upstream: Any) -> None:
    served(listener, stop, lambda conn: proxy(conn, upstream, half=False))


@mutant("serve_proxy", "refused-ends-it")
def proxy_at_the_door(listener: socket.socket, stop: socket.socket, upstream: Any) -> None:
    threads = []
    for conn in arrivals(listener, stop):
        with conn, socket.create_connection(upstream) as far:
            threads = [
                threading.Thread(target=forward, args=(conn, far)),
                threading.Thread(target=rewrite, args=(far, conn, beginning)),
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()


# -- serve_files -------------------------------------------------------------------------------------------------------

unusual("serve_files")(ladder_servers()["serve_files"])


def files(conn: socket.socket, folder: str, *, quoted: bool = False, once: bool = False, how: str = "inside") -> None:
    head = conn.recv(4096)
    while not once and b"\r\n\r\n" not in head:
        piece = conn.recv(4096)
        if not piece:
            return
        head += piece
    words = head.decode().split("\r\n")[0].split()
    if len(words) < 2:
        return
    path = words[1] if quoted else unquote(words[1])
    if how == "no dots" and ".." in words[1]:
        place = None
    elif how == "inside":
        place = (Path(folder) / path.lstrip("/")).resolve()
        place = place if place.is_relative_to(Path(folder).resolve()) else None
    elif how == "join":
        place = Path(os.path.join(folder, path[1:]))
    else:
        place = Path(folder + path)
    body = place.read_bytes() if place is not None and (how == "raises" or place.is_file()) else None
    status = b"404 Not Found" if body is None else b"200 OK"
    conn.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body or b"")))
    if words[0] == "GET":
        conn.sendall(body or b"")


@mutant("serve_files", "leads-outside")
def files_anywhere(listener: socket.socket, stop: socket.socket, folder: str) -> None:
    served(listener, stop, lambda conn: files(conn, folder, how="plus"))


@mutant("serve_files", "leads-outside")
def files_without_dots(listener: socket.socket, stop: socket.socket, folder: str) -> None:
    served(listener, stop, lambda conn: files(conn, folder, how="no dots"))


@mutant("serve_files", "leads-outside")
def files_joined(listener: socket.socket, stop: socket.socket, folder: str) -> None:
    served(listener, stop, lambda conn: files(conn, folder, how="join"))


@mutant("serve_files", "request-in-one-recv")
def files_recv(listener: socket.socket, stop: socket.socket, folder: str) -> None:
    served(listener, stop, lambda conn: files(conn, folder, once=True))


@mutant("serve_files", "name-not-unquoted")
def files_quoted(listener: socket.socket, stop: socket.socket, folder: str) -> None:
    served(listener, stop, lambda conn: files(conn, folder, quoted=True))


@mutant("serve_files", "missing-ends-it")
def files_raises(listener: socket.socket, stop: socket.socket, folder: str) -> None:
    served(listener, stop, lambda conn: files(conn, folder, how="raises"))
