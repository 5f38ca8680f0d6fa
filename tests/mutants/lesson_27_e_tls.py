"""Lesson 27, rung 10: a queue of jobs behind TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import deque
from contextlib import suppress

from mutants import mutant, unusual
from socketlab.experiments import ladder_servers

from .lesson_27_a_lines import arrivals, by_lines, served

unusual("serve_jobs")(ladder_servers()["serve_jobs"])


class Jobs:
    """The queue; whether it takes back what was not done is an argument."""

    def __init__(self, takes_back: bool = True) -> None:
        self.waiting: deque[tuple[int, bytes]] = deque()
        self.count, self.lock, self.takes_back = 0, threading.Lock(), takes_back

    def talk(self, conn: socket.socket) -> None:
        taken: dict[int, bytes] = {}
        try:
            with suppress(OSError):
                by_lines(conn, lambda line: self.answer(line, taken))
        finally:
            if self.takes_back:
                self.waiting.extendleft(taken.items())

    def answer(self, line: bytes, taken: dict[int, bytes]) -> bytes:
        command, _, rest = line.partition(b" ")
        with self.lock:
            if command == b"PUT":
                self.count += 1
                self.waiting.append((self.count, rest))
                return b"OK %d\n" % self.count
            if command == b"TAKE":
                if not self.waiting:
                    return b"NONE\n"
                number, text = self.waiting.popleft()
                taken[number] = text
                return b"JOB %d %s\n" % (number, text)
            if command == b"DONE" and taken.pop(int(rest), None) is not None:
                return b"OK\n"
        return b"ERROR\n"


@mutant("serve_jobs", "no-tls")
def jobs_plain(listener: socket.socket, stop: socket.socket, context: ssl.SSLContext) -> None:
    served(listener, stop, Jobs().talk)


@mutant("serve_jobs", "job-lost")
def jobs_lost(listener: socket.socket, stop: socket.socket, context: ssl.SSLContext) -> None:
    jobs = Jobs(takes_back=False)

    def talk(conn: socket.socket) -> None:
        with suppress(ssl.SSLError), context.wrap_socket(conn, server_side=True) as secure:
            jobs.talk(secure)

    served(listener, stop, talk)


@mutant("serve_jobs", "handshake-at-the-door")
def jobs_at_the_door(listener: socket.socket, stop: socket.socket, context: ssl.SSLContext) -> None:
    jobs, threads = Jobs(), []

    def talk(secure: socket.socket) -> None:
        with secure:
            jobs.talk(secure)

    for conn in arrivals(listener, stop):
        with suppress(OSError):
            threads.append(threading.Thread(target=talk, args=(context.wrap_socket(conn, server_side=True),)))
            threads[-1].start()
    for thread in threads:
        thread.join()


@mutant("serve_jobs", "stranger-ends-it")
def jobs_ended(listener: socket.socket, stop: socket.socket, context: ssl.SSLContext) -> None:
    jobs, threads = Jobs(), []
    errors: list[Exception] = []

    def talk(conn: socket.socket) -> None:
        with conn:
            try:
                with context.wrap_socket(conn, server_side=True) as secure:
                    jobs.talk(secure)
            except ssl.SSLError as error:
                errors.append(error)

    for conn in arrivals(listener, stop):
        threads.append(threading.Thread(target=talk, args=(conn,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
