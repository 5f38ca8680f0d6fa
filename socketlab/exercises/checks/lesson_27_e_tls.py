"""Lesson 27, rung 10: a queue of jobs behind TLS."""

from __future__ import annotations

import ssl
import subprocess

import trustme

from ..attempt import Attempt, Unmet, until
from ..definition import Exercise
from ..seen import Seen
from ..service import GONE, Client, Service
from ..words import shown

LESSON = "27_the_ladder"
BACK = 0.8  # seconds in which a server has heard that a client has left

serve_jobs = Exercise(
    "serve_jobs",
    lesson=LESSON,
    wants="serve_jobs(listener, stop, context)",
    task="Lines over TLS: `PUT text` is answered with `OK number`, `TAKE` with `JOB number text` or `NONE`, "
    "`DONE number` with `OK`, all else with `ERROR`. A job whose worker leaves before `DONE` is the first again.",
    hints=(
        "The calculator's lines, a deque and a lock that all share; `context.wrap_socket(conn, server_side=True)`.",
        "The handshake waits for the client: do it in the client's own thread, not where you accept.",
        "`ssl.SSLError` is an OSError: who speaks no TLS ends its own conversation, and no other.",
        "Keep what this connection has taken; in a `finally` it goes back to the front of the deque.",
    ),
    deadline=1.5,
)


class Secure:
    """An authority, the server's context, and clients that trust it."""

    def __init__(self, attempt: Attempt) -> None:
        authority = trustme.CA()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self.context)
        self.trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(self.trusting)
        self.service = Service(attempt)

    def shakes_hands(self, client: Client) -> Client:
        """From now on, the client's lines are encrypted."""
        expected = f"the handshake of {client.name} succeeds"
        self.service.now(expected)
        try:
            secure = self.trusting.wrap_socket(client.sock, server_hostname="localhost")
        except (ssl.SSLError, ConnectionError):
            raise Unmet(expected, GONE) from None
        client.sock = self.service.attempt.keep(secure)
        return client

    def asks(self, client: Client, *pairs: tuple[bytes, bytes]) -> None:
        for line, wanted in pairs:
            client.says(line + b"\n")
            client.hears(wanted + b"\n")


@serve_jobs.scenario("the boss puts two jobs, a worker takes and does them")
def puts_and_takes(attempt: Attempt) -> None:
    secure = Secure(attempt)
    boss, worker = secure.service.client("the boss"), secure.service.client("the worker")

    def talk() -> None:
        secure.shakes_hands(boss)
        secure.asks(boss, (b"PUT dig a hole", b"OK 1"), (b"PUT fill it", b"OK 2"))
        secure.shakes_hands(worker)
        secure.asks(worker, (b"TAKE", b"JOB 1 dig a hole"), (b"DONE 1", b"OK"))
        secure.asks(worker, (b"TAKE", b"JOB 2 fill it"), (b"TAKE", b"NONE"), (b"DONE 2", b"OK"))

    secure.service.run(talk, secure.context)


@serve_jobs.scenario("a worker leaves before DONE, and its successor vanishes")
def leaves_with_it(attempt: Attempt) -> None:
    secure, facts = Secure(attempt), attempt.seen.facts
    boss, first, second, third = map(secure.service.client, ("the boss", "worker 1", "worker 2", "worker 3"))

    def talk() -> None:
        for one in (boss, first, second, third):
            secure.shakes_hands(one)
        secure.asks(boss, (b"PUT dig", b"OK 1"))
        secure.asks(first, (b"TAKE", b"JOB 1 dig"))
        facts["gone"] = True
        first.leaves()
        takes(second, b"JOB 1 dig")
        second.vanishes()
        takes(third, b"JOB 1 dig")
        secure.asks(third, (b"DONE 1", b"OK"), (b"TAKE", b"NONE"))

    secure.service.run(talk, secure.context)


def takes(worker: Client, wanted: bytes) -> None:
    """Ask until the job is there that somebody has left: when the server hears of that is its own affair."""
    heard = b"NONE"

    def is_there() -> bool:
        nonlocal heard
        worker.says(b"TAKE\n")
        heard = worker.hears_line(shown(wanted))
        return heard != b"NONE"

    until(is_there, BACK)
    if heard != wanted:
        raise Unmet(f"{worker.name} hears {shown(wanted)}", shown(heard))


@serve_jobs.scenario("beside a silent client and a stranger to TLS, a third is served")
def no_handshake(attempt: Attempt) -> None:
    secure = Secure(attempt)
    attempt.seen.facts["silent"] = attempt.seen.facts["strangers"] = True
    secure.service.client("the silent client")
    plain, good = secure.service.client("the stranger"), secure.service.client("the client")

    def talk() -> None:
        plain.says(b"TAKE\n" * 10)
        secure.shakes_hands(good)
        secure.asks(good, (b"TAKE", b"NONE"), (b"FLY", b"ERROR"))

    secure.service.run(talk, secure.context)


@serve_jobs.scenario("openssl s_client puts a job")
def with_openssl(attempt: Attempt) -> None:
    openssl = attempt.program("openssl")
    secure = Secure(attempt)
    host, port = secure.service.address[:2]

    def talk() -> None:
        secure.service.now("openssl s_client prints the answer")
        command = [openssl, "s_client", "-quiet", "-connect", f"{host}:{port}", "-servername", "localhost"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            try:
                client.stdin.write(b"PUT dig\n")
                client.stdin.flush()
                line = client.stdout.readline()
            finally:
                client.kill()
        attempt.want(line == b"OK 1\n", "openssl s_client prints b'OK 1\\n'", shown(line) if line else "nothing")

    secure.service.run(talk, secure.context)


@serve_jobs.misconception("handshake-at-the-door", advice="Let the client's own thread do the handshake.")
def jobs_door(seen: Seen) -> str | None:
    if not seen.facts.get("strangers") or not seen.blocked_in("handshake", "recv"):
        return None
    return "It does the handshake where it accepts: one client that says nothing keeps all others out."


@serve_jobs.misconception("stranger-ends-it", advice="Catch ssl.SSLError, or OSError, where one client is served.")
def jobs_stranger(seen: Seen) -> str | None:
    if not seen.facts.get("strangers") or not seen.raised(OSError):
        return None
    return "Somebody spoke no TLS, and the error of that handshake ended the service for everybody."


@serve_jobs.misconception("job-lost", advice="In a `finally`, put what this connection still holds back to the front.")
def jobs_lost(seen: Seen) -> str | None:
    if not seen.facts.get("gone") or "wrong" not in seen.facts:
        return None
    return "A worker left before DONE, and its job went with it: no other worker gets that."


@serve_jobs.misconception(
    "no-tls", advice="context.wrap_socket(conn, server_side=True), and talk through what it returns."
)
def jobs_plain(seen: Seen) -> str | None:
    if "handshake" not in seen.expected and "openssl" not in seen.expected:
        return None
    return "It talks through the plain connection: what it said to the client belongs to no handshake."
