"""Lesson 27, rungs 4 and 5: a store of bytes, and a chat. Here clients share something."""

from __future__ import annotations

import socket
import struct

from ..attempt import Attempt
from ..definition import Exercise
from ..seen import Seen
from ..service import Client, Service

LESSON = "27_the_ladder"
HEADER = "!cHI"
REPLY = "!cI"

serve_values = Exercise(
    "serve_values",
    lesson=LESSON,
    wants="serve_values(listener, stop)",
    task="Keep values under keys, for all clients together: `P` puts, `G` gets. A request is `!cHI`, key and value, an "
    "answer `!cI` and value. Answer `!` and hang up where more than 1 MiB is announced.",
    hints=(
        "`recv_exactly(sock, size)` of notebook 07 reads the header, then the key, then the value.",
        "One dict outside of the function that talks with a client belongs to all of them.",
        "Look at the announced size before you read, or make room for, a single byte of the value.",
        "Put the value into the dict when the last byte of it is there, and not before.",
    ),
    deadline=1.0,
)

serve_chat = Exercise(
    "serve_chat",
    lesson=LESSON,
    wants="serve_chat(listener, stop)",
    task="The first line of a client is its name, answered with `welcome`; each further line goes to all others as "
    "`name: line`. Tell them `* name has left`. A client that does not read holds up nobody.",
    hints=(
        "Keep a dict of name and queue; a lock around it, for several threads use it.",
        "Each client has two threads: one reads its lines, the other sends what is in its queue.",
        "`put_nowait` never waits; `queue.Full` says that somebody is too far behind: shut that connection down.",
        "Put the end of a client, however it came, into a `finally`: leave the dict, tell the others.",
    ),
    deadline=1.5,
)


# -- serve_values ------------------------------------------------------------------------------------------------------


def frame(kind: bytes, key: bytes, value: bytes = b"") -> bytes:
    return struct.pack(HEADER, kind, len(key), len(value)) + key + value


def answer(kind: bytes, value: bytes = b"") -> bytes:
    return struct.pack(REPLY, kind, len(value)) + value


def puts(client: Client, key: bytes, value: bytes) -> None:
    client.says(frame(b"P", key, value))
    client.hears(answer(b"+"))


def gets(client: Client, key: bytes, value: bytes | None) -> None:
    client.facts["gets"] = True
    client.says(frame(b"G", key))
    whole = answer(b"-") if value is None else answer(b"+", value)
    client.hears(whole[:1])
    client.hears(whole[1:])
    client.facts["gets"] = False


@serve_values.scenario("a value is put, found, replaced; another key has none")
def put_and_get(attempt: Attempt) -> None:
    service = Service(attempt)
    client = service.client()

    def talk() -> None:
        for value in (b"red", b"", bytes(range(256))):
            puts(client, b"colour", value)
            gets(client, b"colour", value)
        gets(client, b"size", None)

    service.run(talk)


@serve_values.scenario("a request byte by byte, then two at once, one of 100,000 bytes")
def in_pieces(attempt: Attempt) -> None:
    service = Service(attempt)
    client = service.client()
    large = bytes(n % 251 for n in range(100_000))

    def talk() -> None:
        attempt.seen.facts["in pieces"] = True
        client.slowly(frame(b"P", b"colour", b"red"))
        client.hears(answer(b"+"))
        client.says(frame(b"P", b"size", large) + frame(b"G", b"size"))
        client.hears(answer(b"+") + answer(b"+", large))

    service.run(talk)


@serve_values.scenario("two clients share what is kept, and a third is silent")
def shared(attempt: Attempt) -> None:
    service = Service(attempt)
    attempt.seen.facts["silent"] = True
    service.client("the silent client")
    first, second = service.client("client 1"), service.client("client 2")

    def talk() -> None:
        puts(first, b"colour", b"red")
        attempt.seen.facts["shared"] = True
        gets(second, b"colour", b"red")

    service.run(talk)


@serve_values.scenario("4 GiB are announced; and a client leaves in the middle of a value")
def bombs(attempt: Attempt) -> None:
    service = Service(attempt)
    first, bomber, half = (service.client(f"client {n}") for n in (1, 2, 3))

    def talk() -> None:
        puts(first, b"colour", b"red")
        attempt.seen.facts["bomb"] = True
        bomber.says(struct.pack(HEADER, b"P", 6, 0xFFFFFFFF))
        bomber.hears(answer(b"!"))
        bomber.hears_end()
        attempt.seen.facts.update(bomb=False, half=True)
        half.says(frame(b"P", b"colour", b"green")[:-2])
        half.finishes()
        half.hears_end()
        gets(first, b"colour", b"red")

    service.run(talk)


@serve_values.misconception("length-believed", advice="Compare the announced size with the limit before you read.")
def store_bomb(seen: Seen) -> str | None:
    if not seen.facts.get("bomb"):
        return None
    return "A header announced 4 GiB, and it believed that: it waits for them, or makes room."


@serve_values.misconception("half-stored", advice="A value that is cut off is none: raise EOFError, and store nothing.")
def store_half(seen: Seen) -> str | None:
    if not seen.facts.get("half") or "wrong" not in seen.facts:
        return None
    return "A client left in the middle of a value, and the piece that had come took the place of the old value."


@serve_values.misconception(
    "own-store", advice="Make the dict once, outside of the function that talks with one client."
)
def store_own(seen: Seen) -> str | None:
    if not seen.facts.get("shared") or seen.facts.get("heard") != b"-":
        return None
    return "The second client did not find what the first one had put: each connection has a store of its own."


@serve_values.misconception("one-recv", advice="Receive until the size is there: recv_exactly of notebook 07.")
def store_recv(seen: Seen) -> str | None:
    if not seen.facts.get("in pieces"):
        return None
    return "It took what one recv() returned for the whole request: a request comes in any number of pieces."


@serve_values.misconception("byte-order", advice="struct wants the `!` in front: network order, and no padding.")
def store_order(seen: Seen) -> str | None:
    if not seen.received or ("wrong" not in seen.facts and not seen.timed_out):
        return None
    if (seen.facts.get("stopped") and seen.timed_out) or seen.facts.get("silent") or seen.facts.get("half"):
        return None
    return (
        "It read other numbers from the header than were sent, or wrote others: the first request had no good answer."
    )


# -- serve_chat --------------------------------------------------------------------------------------------------------


class Member(Client):
    """A client of the chat, who has a name and is in."""

    def joins(self) -> Member:
        self.says(self.name.encode() + b"\n")
        self.hears(b"welcome\n")
        return self

    def sees(self, *lines: str) -> None:
        for line in lines:
            self.hears(line.encode() + b"\n")


def members(service: Service, *names: str) -> list[Member]:
    return [Member(service, name) for name in names]


@serve_chat.scenario("three talk, and hear each other")
def three_talk(attempt: Attempt) -> None:
    service = Service(attempt)
    ada, bob, eve = members(service, "ada", "bob", "eve")

    def talk() -> None:
        for one in (ada, bob, eve):
            one.joins()
        ada.says(b"hello\n")
        for one in (bob, eve):
            one.sees("ada: hello")
        bob.says(b"hi\n")
        for one in (ada, eve):
            one.sees("bob: hi")

    service.run(talk)


@serve_chat.scenario("a line in pieces, and two lines at once")
def chat_in_pieces(attempt: Attempt) -> None:
    service = Service(attempt)
    ada, bob = members(service, "ada", "bob")

    def talk() -> None:
        ada.joins()
        bob.joins()
        attempt.seen.facts["in pieces"] = True
        ada.slowly("good morning, 日\n".encode())
        bob.sees("ada: good morning, 日")
        ada.says(b"one\ntwo\n")
        bob.sees("ada: one", "ada: two")

    service.run(talk)


@serve_chat.scenario("one leaves, one vanishes, and the others are told")
def chat_leaves(attempt: Attempt) -> None:
    service = Service(attempt)
    ada, bob, eve, kim = members(service, "ada", "bob", "eve", "kim")

    def talk() -> None:
        for one in (ada, bob, eve, kim):
            one.joins()
        attempt.seen.facts["leaves"] = True
        bob.leaves()
        for one in (ada, eve, kim):
            one.sees("* bob has left")
        eve.vanishes()
        for one in (ada, kim):
            one.sees("* eve has left")
        ada.says(b"still here?\n")
        kim.sees("ada: still here?")

    service.run(talk)


@serve_chat.scenario("one reads nothing, while 200 long lines are said")
def chat_slow(attempt: Attempt) -> None:
    service = Service(attempt, small=True)
    ada, bob, slow = members(service, "ada", "bob", "slow")
    slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def talk() -> None:
        for one in (ada, bob, slow):
            one.joins()
        attempt.seen.facts["slow"] = True
        for number in range(200):
            line = f"{number} {'x' * 1000}"
            ada.says(line.encode() + b"\n")
            while (heard := bob.hears_line("each line that ada says")).startswith(b"* slow"):
                pass  # who is too far behind may be thrown out
            if heard != b"ada: " + line.encode():
                attempt.want(False, "bob hears each line that ada says", "another one")

    service.run(talk)


@serve_chat.misconception(
    "slow-one-stops-all", advice="Put lines into a queue for each client; a thread of its own sends."
)
def chat_blocked(seen: Seen) -> str | None:
    if not seen.facts.get("slow") or not seen.timed_out or seen.facts.get("stopped"):
        return None
    return "One client does not read, its buffers are full, and a sendall() to it holds up everybody else."


@serve_chat.misconception("hears-itself", advice="Send to all but the one who has said it.")
def chat_echo(seen: Seen) -> str | None:
    heard = seen.facts.get("heard") or b""
    expected = seen.facts.get("wrong", ("", ""))[0]
    if not heard.startswith(b"ada: ") or not expected.startswith("ada hears"):
        return None
    return "The line came back to the client that had said it."


@serve_chat.misconception("no-farewell", advice="Tell the others in a `finally`: whichever way a client goes.")
def chat_farewell(seen: Seen) -> str | None:
    if not seen.facts.get("leaves") or (seen.facts.get("stopped") and not seen.facts.get("wrong")):
        return None
    return "A client has gone, and the others were not told, or were hung up on."


@serve_chat.misconception("pieces-as-lines", advice="Read lines: keep what has come until its line end is there.")
def chat_pieces(seen: Seen) -> str | None:
    if not seen.facts.get("in pieces"):
        return None
    return "It passed on what one recv() returned, and took that for a line."
