"""Lesson 27, rungs 1 to 3: echo, a calculator of lines, requests in JSON.

The contract and the clients are in `exercises.service`.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from typing import Any

from ..attempt import Attempt, Unmet, until
from ..definition import Exercise
from ..seen import Seen
from ..service import Client, Service
from ..words import shown

LESSON = "27_the_ladder"
WHOLE = 200_000  # bytes: more than the buffers on the way back take, and less than those on the way there
MOMENT = 0.1  # seconds in which a server that waits for nobody has read that

serve_echo = Exercise(
    "serve_echo",
    lesson=LESSON,
    wants="serve_echo(listener, stop)",
    task="Send each client's bytes back to it, until it has finished and all of them are sent; end when `stop` can "
    "be read.",
    hints=(
        "`arrivals(listener, stop)` of this notebook yields each connection, and ends when `stop` can be read.",
        "The talk with one client is a function of its own; a pool of threads calls it for each of them.",
        "A client that vanishes is no reason to end the service: catch ConnectionError where one client is served.",
    ),
    deadline=1.0,
)

serve_calculator = Exercise(
    "serve_calculator",
    lesson=LESSON,
    wants="serve_calculator(listener, stop)",
    task="Answer each line, such as `2 + 3`, with a line: the result, or `error: ` and a reason. Hang up after an "
    "error where a line is longer than 1,000 bytes.",
    hints=(
        "Keep what has come and is no whole line yet; take lines off its front while there are any.",
        "`readline(limit)` of a file from `makefile` does both, and returns at most `limit` bytes.",
        "`line.split()` must give three words; `int()` says with a ValueError what is no number.",
        "A dict of four functions, from `operator`, is all the arithmetic that you need.",
    ),
    deadline=1.0,
)

serve_json = Exercise(
    "serve_json",
    lesson=LESSON,
    wants="serve_json(listener, stop)",
    task='Answer each line of JSON with one: `{"id", "method", "value"}` with `{"id", "result"}`, or with '
    '`{"id", "error"}`. Methods: `upper` of a text, `sum` of a list.',
    hints=(
        "Lines as in the calculator: cut the bytes at line ends, and decode a line when it is whole.",
        "`json.loads` takes bytes, and raises ValueError for what is no JSON in UTF-8.",
        "A number is JSON as well, and so is a list: look whether it is a dict before you ask it for its `id`.",
        "`json.dumps` writes one line, unless you ask for an indent.",
    ),
    deadline=1.0,
)


# -- what the scenarios share ------------------------------------------------------------------------------------------


def asks(client: Client, pairs: Sequence[tuple[bytes, bytes]]) -> None:
    """Each line in turn, and the line that has to answer it."""
    for line, wanted in pairs:
        client.says(line + b"\n")
        client.hears(wanted + b"\n")
        client.facts["answered"] = client.facts.get("answered", 0) + 1


def is_error(client: Client, line: bytes, about: str) -> None:
    """A line has to be answered with an error, in whatever words."""
    client.facts["about"] = about
    client.says(line)
    heard = client.hears_line(f"an error line, for {about}")
    if not heard.startswith(b"error"):
        client.facts["heard"] = heard
        raise Unmet(f"{client.name} hears an error line, for {about}", shown(heard))


# -- serve_echo --------------------------------------------------------------------------------------------------------


@serve_echo.scenario("one client says three things, and finishes")
def three_things(attempt: Attempt) -> None:
    service = Service(attempt)
    client = service.client()

    def talk() -> None:
        for words in (b"one", b"and two", b"three " * 500):
            client.says(words)
            client.hears(words)
        client.finishes()
        client.hears_end()

    service.run(talk, watch=True)


@serve_echo.scenario("the client says all of it, finishes, and only then listens")
def finishes_first(attempt: Attempt) -> None:
    service = Service(attempt, small=True)
    client = service.client()
    data = bytes(n % 251 for n in range(WHOLE))
    attempt.seen.facts["half-close"] = len(data)

    def talk() -> None:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * WHOLE)
        client.says(data)
        client.finishes()
        until(lambda: service.attempt.seen.returned, MOMENT)
        client.hears(data)
        client.hears_end()

    service.run(talk)


@serve_echo.scenario("a client is silent while another one asks")
def silent(attempt: Attempt) -> None:
    service = Service(attempt)
    attempt.seen.facts["silent"] = True
    service.client("the silent client")
    second = service.client("the second client")

    def talk() -> None:
        second.says(b"Hello?")
        second.hears(b"Hello?")

    service.run(talk)


@serve_echo.scenario("one of three vanishes, and the others talk on")
def one_vanishes(attempt: Attempt) -> None:
    service = Service(attempt)
    clients = [service.client(f"client {n}") for n in (1, 2, 3)]

    def talk() -> None:
        for client in clients:
            client.says(b"before")
            client.hears(b"before")
        attempt.seen.facts["reset"] = True
        clients[1].vanishes()
        for client in (clients[0], clients[2]):
            client.says(b"after")
            client.hears(b"after")

    service.run(talk)


@serve_echo.misconception("rest-dropped", advice="After b'' send what is still waiting, and close then.")
def echo_rest(seen: Seen) -> str | None:
    heard = seen.facts.get("heard")
    if not seen.facts.get("half-close") or heard is None or len(heard) >= seen.facts["half-close"]:
        return None
    return "The client had finished, and it closed at once: what waited to be sent back was dropped."


@serve_echo.misconception("one-message", advice="Go on until recv() returns b''.")
def echo_once(seen: Seen) -> str | None:
    facts = seen.facts
    if facts.get("heard") != b"" or facts.get("half-close") or facts.get("early") or facts.get("reset"):
        return None
    return "It answered one recv() and hung up: the client had more to say."


@serve_echo.misconception("answers-at-the-end", advice="Send each piece back as soon as it is there.")
def echo_late(seen: Seen) -> str | None:
    if not seen.timed_out or seen.sent or not seen.received:
        return None
    return "It collects what the client says and waits for the end, while the client waits for its echo."


@serve_echo.misconception(
    "one-breaks-all", advice="Catch ConnectionError where one client is served, and end that one."
)
def echo_breaks(seen: Seen) -> str | None:
    if not seen.facts.get("reset") or not seen.raised(ConnectionError):
        return None
    return f"One client vanished, and its {type(seen.error).__name__} ended the service for all."


# -- serve_calculator --------------------------------------------------------------------------------------------------


@serve_calculator.scenario("five sums, one after the other")
def five_sums(attempt: Attempt) -> None:
    service = Service(attempt)
    client = service.client()
    sums = [(b"2 + 3", b"5"), (b"2 - 3", b"-1"), (b"-4 * 5", b"-20"), (b"7 / 2", b"3"), (b"10 + 0", b"10")]
    service.run(lambda: asks(client, sums))


@serve_calculator.scenario("a line byte by byte, then two lines at once")
def in_pieces(attempt: Attempt) -> None:
    service = Service(attempt)
    client = service.client()

    def talk() -> None:
        attempt.seen.facts["in pieces"] = True
        client.slowly(b"20 + 22\n")
        client.hears(b"42\n")
        attempt.seen.facts.update({"in pieces": False, "together": True})
        client.says(b"1 + 1\n2 + 2\n")
        client.hears(b"2\n")
        client.hears(b"4\n")

    service.run(talk)


@serve_calculator.scenario("lines that are no sums, each followed by a good one")
def no_sums(attempt: Attempt) -> None:
    service = Service(attempt)
    client = service.client()

    def talk() -> None:
        for line, about in (
            (b"two + 3", "a word"),
            (b"1 / 0", "a division by zero"),
            (b"", "an empty line"),
            (b"\xff + 1", "bytes that are no text"),
            (b'len("12")', "Python"),
        ):
            is_error(client, line + b"\n", about)
            asks(client, [(b"2 + 3", b"5")])

    service.run(talk)


@serve_calculator.scenario("1,001 bytes and no line end, beside a silent client")
def endless(attempt: Attempt) -> None:
    service = Service(attempt)
    attempt.seen.facts["silent"] = True
    service.client("the silent client")
    client = service.client("the second client")

    def talk() -> None:
        asks(client, [(b"2 + 3", b"5")])
        attempt.seen.facts["endless"] = True
        is_error(client, b"1" * 1001, "a line that is too long")
        client.hears_end()

    service.run(talk)


@serve_calculator.misconception("one-recv-one-line", advice="Keep the pieces until the line end has come.")
def calc_pieces(seen: Seen) -> str | None:
    if not seen.facts.get("in pieces") or not (seen.facts.get("wrong") or seen.timed_out):
        return None
    return "It took what one recv() returned for a line: a line may come in any number of pieces."


@serve_calculator.misconception(
    "rest-of-recv-lost", advice="What stands behind the line end is the next line: keep it."
)
def calc_together(seen: Seen) -> str | None:
    if not seen.facts.get("together") or not (seen.facts.get("wrong") or seen.timed_out):
        return None
    return "Two lines came in one recv(), and it answered one of them."


@serve_calculator.misconception("evaluates", advice="Take the line apart yourself: eval() runs any Python, of anybody.")
def calc_eval(seen: Seen) -> str | None:
    if seen.facts.get("about") != "Python" or seen.facts.get("heard") != b"2":
        return None
    return 'It answered `len("12")` with 2: it runs as Python whatever comes from the network.'


@serve_calculator.misconception("error-ends-it", advice="Catch what a line can raise, and answer with the reason.")
def calc_error(seen: Seen) -> str | None:
    if "about" not in seen.facts or seen.facts.get("endless") or seen.facts.get("heard") != b"":
        return None
    return f"The line with {seen.facts['about']} ended the conversation, where an error line was due."


@serve_calculator.misconception(
    "line-without-limit", advice="Count: when 1,000 bytes are there and no line end, say so."
)
def calc_endless(seen: Seen) -> str | None:
    if not seen.facts.get("endless") or not seen.timed_out or seen.facts.get("stopped"):
        return None
    return "It keeps a line without an end, and would keep it until no memory is left."


# -- serve_json --------------------------------------------------------------------------------------------------------


def request(number: Any, method: str, value: Any) -> bytes:
    return json.dumps({"id": number, "method": method, "value": value}, ensure_ascii=False).encode() + b"\n"


def replies(client: Client, number: Any, wanted: Any, about: str = "") -> None:
    """The next line has to be an answer to that request; `wanted` None stands for any error."""
    what = f"the {'error' if wanted is None else 'result'} with the id {json.dumps(number)}"
    what += f", for {about}" if about else ""
    line = client.hears_line(what)
    client.facts["line"] = line
    try:
        answer = json.loads(line)
        good = isinstance(answer, dict) and "id" in answer and answer["id"] == number
        good = good and ("error" in answer if wanted is None else answer.get("result") == wanted)
    except ValueError:
        good = False
    if not good:
        raise Unmet(f"{client.name} hears {what}", shown(line))


@serve_json.scenario("three requests, sent before the first answer is read")
def three_requests(attempt: Attempt) -> None:
    service = Service(attempt)
    client = service.client()

    def talk() -> None:
        client.says(request(1, "upper", "abc") + request("two", "sum", [1, 2, 3]) + request(3, "upper", "a\nb"))
        replies(client, 1, "ABC")
        replies(client, "two", 6)
        replies(client, 3, "A\nB")

    service.run(talk)


@serve_json.scenario("a text with ä and 日, byte by byte")
def beyond_ascii(attempt: Attempt) -> None:
    service = Service(attempt)
    client = service.client()

    def talk() -> None:
        attempt.seen.facts["letters"] = True
        client.slowly(request(1, "upper", "ä日"))
        replies(client, 1, "Ä日")

    service.run(talk)


@serve_json.scenario("lines that are no requests, each followed by a good one")
def no_requests(attempt: Attempt) -> None:
    service = Service(attempt)
    client = service.client()

    def talk() -> None:
        for line, number, about in (
            (b"hello\n", None, "what is no JSON"),
            (b"[1, 2]\n", None, "a list"),
            (b"\xff\n", None, "what is no UTF-8"),
            (b'{"id": 7}\n', 7, "a request without a method"),
            (request(8, "delete", ""), 8, "an unknown method"),
            (request(9, "sum", ["a"]), 9, "the sum of a text"),
        ):
            attempt.seen.facts["about"] = about
            client.says(line)
            replies(client, number, None, about)
            client.says(request(10, "sum", [1]))
            replies(client, 10, 1)

    service.run(talk)


@serve_json.scenario("two clients, one of them silent")
def two_clients(attempt: Attempt) -> None:
    service = Service(attempt)
    attempt.seen.facts["silent"] = True
    service.client("the silent client")
    second = service.client("the second client")

    def talk() -> None:
        second.says(request(1, "sum", []))
        replies(second, 1, 0)

    service.run(talk)


@serve_json.misconception("answer-of-several-lines", advice="json.dumps without an indent writes one line.")
def json_indent(seen: Seen) -> str | None:
    if seen.facts.get("line") not in (b"{", b"["):
        return None
    return "It wrote an answer over several lines, and a line is all that the client reads."


@serve_json.misconception(
    "decodes-pieces", advice="Decode a line when it is whole: a letter may be cut between two recvs."
)
def json_pieces(seen: Seen) -> str | None:
    if not seen.facts.get("letters") or not (seen.facts.get("wrong") or seen.timed_out):
        return None
    return "It decoded, or parsed, what one recv() returned: a line comes in pieces, and so does a letter of two bytes."


@serve_json.misconception("json-error-ends-it", advice="Catch what a request can raise, and answer with an error.")
def json_error(seen: Seen) -> str | None:
    if "about" not in seen.facts or seen.facts.get("heard") != b"":
        return None
    return f"The line with {seen.facts['about']} ended the conversation, where an error was due."


@serve_json.misconception("id-lost", advice="Put the request's own id into the answer, also into an error.")
def json_id(seen: Seen) -> str | None:
    line = seen.facts.get("line")
    if not line or "wrong" not in seen.facts:
        return None
    return f"It answered {shown(line)}: the client cannot tell which of its requests that belongs to."
