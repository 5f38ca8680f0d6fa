"""Lesson 27, rungs 6 and 9: keys and values in datagrams, and files in numbered blocks."""

from __future__ import annotations

import socket
import struct
from collections import Counter
from collections.abc import Callable

from ...links import faulty_link
from ..attempt import PATIENCE, Attempt, Unmet, until
from ..definition import Exercise
from ..seen import Seen
from ..service import Service
from ..words import shown

LESSON = "27_the_ladder"
BLOCK = 512
AGAIN = 0.1  # seconds after which a reader says again what it has said last
LONG = 8_000  # letters of a long value

serve_kv = Exercise(
    "serve_kv",
    lesson=LESSON,
    wants="serve_kv(sock, stop)",
    task="Answer datagrams `number SET key value`, `number GET key`, `number ADD key n` with `number OK`, "
    "`number VALUE v`, `number NONE` or `number ERROR`. The same datagram again has the same answer, and changes "
    "nothing.",
    hints=(
        "One loop: wait for `sock` and `stop`, `recvfrom(65535)`, answer whoever has sent it with `sendto`.",
        "`text.partition(' ')` parts the first word from the rest; a value may have blanks.",
        "Keep, for each sender, its last datagram and what you answered: if it comes again, send that again.",
        "What is no text, or empty, is nobody's request: go on. What has a number has an answer: `ERROR`.",
    ),
    deadline=1.0,
)


class Asker:
    """A client of a datagram server: it hears what the server sends, and nobody else."""

    def __init__(self, service: Service, name: str) -> None:
        self.service, self.name, self.facts = service, name, service.facts
        self.sock = service.attempt.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sock.connect(service.address)
        self.sock.settimeout(PATIENCE)
        service.clients.append(self)

    def says(self, data: bytes) -> None:
        self.sock.send(data)

    def hears(self, wanted: bytes) -> None:
        expected = f"{self.name} hears {shown(wanted)}"
        self.service.now(expected)
        heard = self.sock.recv(65535)
        if heard != wanted:
            self.facts["heard"] = heard
            raise Unmet(expected, shown(heard))

    def asks(self, *pairs: tuple[bytes, bytes]) -> None:
        for question, wanted in pairs:
            self.says(question)
            self.hears(wanted)


# -- serve_kv ----------------------------------------------------------------------------------------------------------


@serve_kv.scenario("a value is set, found, replaced; another key has none")
def set_and_get(attempt: Attempt) -> None:
    service = Service(attempt, datagrams=True)
    client = Asker(service, "the client")
    service.run(
        lambda: client.asks(
            (b"1 SET colour red", b"1 OK"),
            (b"2 GET colour", b"2 VALUE red"),
            (b"3 SET colour light blue", b"3 OK"),
            (b"4 GET colour", b"4 VALUE light blue"),
            (b"5 GET size", b"5 NONE"),
        )
    )


@serve_kv.scenario("a request comes twice")
def comes_twice(attempt: Attempt) -> None:
    service = Service(attempt, datagrams=True)
    client = Asker(service, "the client")
    attempt.seen.facts["twice"] = True
    service.run(
        lambda: client.asks(
            (b"1 ADD hits 5", b"1 VALUE 5"),
            (b"1 ADD hits 5", b"1 VALUE 5"),
            (b"2 ADD hits 5", b"2 VALUE 10"),
            (b"3 GET hits", b"3 VALUE 10"),
        )
    )


@serve_kv.scenario("two clients use the same number")
def same_number(attempt: Attempt) -> None:
    service = Service(attempt, datagrams=True)
    first, second = Asker(service, "client 1"), Asker(service, "client 2")
    attempt.seen.facts["two"] = True

    def talk() -> None:
        first.asks((b"1 ADD hits 1", b"1 VALUE 1"))
        second.asks((b"1 ADD hits 1", b"1 VALUE 2"))
        first.asks((b"2 GET hits", b"2 VALUE 2"))

    service.run(talk)


@serve_kv.scenario("bytes that are no text, no bytes at all, and a value of 8,000 letters")
def garbage(attempt: Attempt) -> None:
    service = Service(attempt, datagrams=True)
    client = Asker(service, "the client")
    facts, value = attempt.seen.facts, b"x" * LONG

    def talk() -> None:
        facts["garbage"] = "an empty datagram"
        client.says(b"")
        client.asks((b"1 GET colour", b"1 NONE"))
        facts["garbage"] = "bytes that are no text"
        client.says(b"\xff\xfe\xfd")
        client.asks((b"2 GET colour", b"2 NONE"))
        facts["garbage"] = "a command that does not exist"
        client.asks((b"3 FLY away", b"3 ERROR"))
        facts["garbage"] = ""
        facts["long"] = True
        client.asks((b"4 SET long " + value, b"4 OK"), (b"5 GET long", b"5 VALUE " + value))
        facts["garbage"] = "a sum with a text"
        client.asks((b"6 ADD long 1", b"6 ERROR"))

    service.run(talk)


@serve_kv.misconception("counted-twice", advice="Keep each sender's last datagram and its answer; send that again.")
def kv_twice(seen: Seen) -> str | None:
    if not seen.facts.get("twice") or "wrong" not in seen.facts:
        return None
    return "The same request came twice, as datagrams do, and was carried out twice."


@serve_kv.misconception("number-alone", advice="Numbers are each client's own: keep the answers by sender.")
def kv_number(seen: Seen) -> str | None:
    if not seen.facts.get("two") or "wrong" not in seen.facts:
        return None
    return "Another client used the same number, and had an answer that was not its own."


@serve_kv.misconception("garbage-ends-it", advice="Catch what a datagram can raise: anybody may send anything.")
def kv_garbage(seen: Seen) -> str | None:
    if not seen.facts.get("garbage") or not (seen.error or seen.facts.get("early") or "wrong" in seen.facts):
        return None
    return f"It had {seen.facts['garbage']}, and that ended the service, or was answered as if it were a request."


@serve_kv.misconception("datagram-cut", advice="Ask for 65,535 bytes, the most that a datagram can have.")
def kv_cut(seen: Seen) -> str | None:
    if not seen.facts.get("long") or "wrong" not in seen.facts:
        return None
    return "The datagram was longer than what recvfrom() asked for, and the rest of it was thrown away."


# -- serve_blocks ------------------------------------------------------------------------------------------------------

serve_blocks = Exercise(
    "serve_blocks",
    lesson=LESSON,
    wants="serve_blocks(sock, stop, files)",
    task="Send a file of the dict `files` to whoever asks with `G` and its name, in blocks of 512 bytes, each when the "
    "one before is acknowledged, and again after 50 ms without that.",
    hints=(
        "Keep for each client: which file, which block is under way, when it has to be sent again, how often it may.",
        "`select` with a timeout: what is left until the first of all clients is due, `None` where nobody is.",
        "An acknowledgement counts if it names the block that is under way; any other is an old one.",
        "A block of less than 512 bytes is the last; a file of 512 ends with a block of none.",
    ),
    deadline=1.8,
)

FILES = {
    "empty": b"",
    "exact": bytes(range(256)) * 2,
    "short": b"hello",
    "long": bytes(n % 251 for n in range(20 * BLOCK + 100)),
}


class Reader(Asker):
    """Somebody who fetches a file."""

    def gets(self, name: str) -> None:
        self.says(b"G" + name.encode())

    def block(self, number: int, name: str) -> None:
        """The next datagram has to be that block."""
        wanted = struct.pack("!cI", b"D", number) + FILES[name][number * BLOCK :][:BLOCK]
        expected = f"{self.name} hears block {number} of {name}"
        self.service.now(expected)
        heard = self.sock.recv(65535)
        while number and heard[1:5] == struct.pack("!I", number - 1):  # the one before once more: it was due by then
            heard = self.sock.recv(65535)
        if heard != wanted:
            self.facts["heard"] = heard
            raise Unmet(expected, in_words(heard))

    def acknowledges(self, number: int, times: int = 1) -> None:
        for _ in range(times):
            self.says(struct.pack("!cI", b"A", number))

    def fetches(self, name: str, *, copies: Callable[[int], int] = lambda number: 1) -> Counter[int]:
        """The whole file, with each block acknowledged; how often each block came."""
        came: Counter[int] = Counter()
        found, last = b"", b"G" + name.encode()
        self.service.now(f"{self.name} has the whole of {name}")
        self.says(last)
        self.sock.settimeout(AGAIN)
        while True:
            try:
                data = self.sock.recv(65535)
            except TimeoutError:
                self.says(last)
                continue
            number = int.from_bytes(data[1:5], "big")
            came[number] += 1
            if data[:1] != b"D" or number > len(found) // BLOCK or sum(came.values()) > 500:
                raise Unmet(f"{self.name} has the whole of {name}", in_words(data))
            fresh = number * BLOCK == len(found)
            if fresh:
                found += data[5:]
                last = struct.pack("!cI", b"A", number)
            self.acknowledges(number, copies(number) if fresh else 1)
            if fresh and len(data) < BLOCK + 5:
                break
        if found != FILES[name]:
            raise Unmet(f"{self.name} has the whole of {name}", "other bytes")
        return came


def in_words(data: bytes) -> str:
    if data[:1] == b"D" and len(data) >= 5:
        return f"block {int.from_bytes(data[1:5], 'big')}, {len(data) - 5} bytes"
    return shown(data)


@serve_blocks.scenario("files of 5 bytes, of 512, of none; and one that is not there")
def three_files(attempt: Attempt) -> None:
    service = Service(attempt, datagrams=True)
    client = Reader(service, "the client")

    def talk() -> None:
        for name in ("short", "exact", "empty"):
            attempt.seen.facts["exact"] = name == "exact"
            client.gets(name)
            client.block(0, name)
            client.acknowledges(0)
            if name == "exact":
                client.block(1, name)
                client.acknowledges(1)
        attempt.seen.facts["exact"] = False
        client.gets("other")
        client.hears(b"E")

    service.run(talk, FILES)


@serve_blocks.scenario("one client never acknowledges, and another fetches a file")
def silent_reader(attempt: Attempt) -> None:
    service = Service(attempt, datagrams=True)
    deaf, client = Reader(service, "client 1"), Reader(service, "client 2")
    attempt.seen.facts["two"] = True

    def talk() -> None:
        deaf.gets("long")
        deaf.block(0, "long")
        client.fetches("long")
        attempt.seen.facts.update(two=False, lost=True)
        deaf.block(0, "long")

    service.run(talk, FILES)


@serve_blocks.scenario("each acknowledgement comes twice")
def acknowledged_twice(attempt: Attempt) -> None:
    service = Service(attempt, datagrams=True)
    client = Reader(service, "the client")

    def talk() -> None:
        came = client.fetches("long", copies=lambda number: 2)
        twice = sum(times > 1 for times in came.values())
        attempt.seen.facts["twice"] = twice > len(came) // 2
        attempt.want(twice <= len(came) // 2, "each block is sent once", "most of them came twice")

    service.run(talk, FILES)


@serve_blocks.scenario("a link that loses, doubles and reorders one in ten")
def bad_link(attempt: Attempt) -> None:
    service = Service(attempt, datagrams=True)
    attempt.seen.facts["lost"] = True
    with faulty_link(service.address, datagrams=True, loss=0.1, duplication=0.1, reordering=0.1, seed=27) as link:
        service.address = link.address
        client = Reader(service, "the client")
        client.says(b"")  # the link opens a socket for each client that it hears of
        until(lambda: link.accepted)
        service.run(lambda: client.fetches("long"), FILES)


@serve_blocks.misconception("never-again", advice="Note when it has to be sent again, and wait no longer than that.")
def blocks_again(seen: Seen) -> str | None:
    if not seen.facts.get("lost") or not seen.timed_out or seen.facts.get("stopped"):
        return None
    return "A datagram was lost, and it waits for the answer to it: nobody sends anything any more."


@serve_blocks.misconception("one-client-at-a-time", advice="Keep what is under way for each client, in one loop.")
def blocks_one(seen: Seen) -> str | None:
    if not seen.facts.get("two") or not (seen.timed_out or "wrong" in seen.facts or seen.error):
        return None
    return "One client does not acknowledge, and until it does, or is given up, nobody else is served."


@serve_blocks.misconception("each-copy-answered", advice="Send the next block once: an older number is no news.")
def blocks_twice(seen: Seen) -> str | None:
    if not seen.facts.get("twice"):
        return None
    return "Each acknowledgement that came twice sent the next block twice, and so on to the end of the file."


@serve_blocks.misconception(
    "no-last-block", advice="Only a block of less than 512 bytes ends a file: send an empty one."
)
def blocks_last(seen: Seen) -> str | None:
    if not seen.facts.get("exact") or not (seen.timed_out or seen.error or "wrong" in seen.facts):
        return None
    return "The file had 512 bytes, and nothing told the client that this was the last of them."
