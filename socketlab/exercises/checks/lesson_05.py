"""The exercises of lesson 05: an error of the resolver told apart, a name dialled, a DNS question built.

No look-up leaves the machine, whatever an answer does. The resolver of `dial` has a table of its own, and the name in
it is localhost, at a port where nobody listens: who asks the real resolver finds that. Errors of names come from
flags that forbid looking them up, or are made.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

from ...handlers import echo, names
from ..attempt import CLOSED, Attempt, is_waiting
from ..definition import Exercise
from ..seen import Seen
from ..words import shown, with_article

LESSON = "05_names"

lookup_advice = Exercise(
    "lookup_advice",
    lesson=LESSON,
    wants="lookup_advice(error)",
    task='Return "try again", "check the name", "check the service" or "mend the program" for a gaierror, by its '
    "number; None for any other error.",
    hints=(
        "First the class: `isinstance(error, socket.gaierror)`. What is none has nothing to do with names.",
        "Then the number, `error.errno`, against `socket.EAI_AGAIN`, `socket.EAI_NONAME`, `socket.EAI_SERVICE`.",
        "A name without an address has a number of its own on Linux: EAI_NODATA.",
    ),
)

dial = Exercise(
    "dial",
    lesson=LESSON,
    wants="dial(resolve, host, port, timeout)",
    task="Ask `resolve` for the addresses of `host`, try them in order, each for `timeout` seconds at most, and return "
    "the first socket that connects; raise the last error where none does, and leave no other socket open.",
    hints=(
        "`resolve(host, port, type=socket.SOCK_STREAM)`: without `type=` there are rows for datagrams as well.",
        "A loop over the rows; in it a `try` around making the socket and connecting it.",
        "The row's first three values make the socket, the last one goes to `connect` as it is.",
        "Close a socket whose `connect` has failed, and keep the error under another name: it may be the last one.",
    ),
)

dns_question = Exercise(
    "dns_question",
    lesson=LESSON,
    wants="dns_question(number, name, kind)",
    task="Return the bytes of a DNS question with this number, for this name and type; raise ValueError for a label "
    "that is empty or longer than 63 bytes.",
    hints=(
        "The header is above: six numbers in network order, of which only the first one changes.",
        "`name.encode().split(b'.')` gives the labels; a byte with the length is `bytes([len(label)])`.",
        "A zero byte ends the name. Then two numbers of two bytes: the type, and 1 for the internet.",
        "A dot at the end of the name would give an empty label: `removesuffix('.')` first.",
    ),
)

# -- lookup_advice -----------------------------------------------------------------------------------------------------

AGAIN, NAME, SERVICE, PROGRAM = "try again", "check the name", "check the service", "mend the program"


def failure_of(function: Any, *arguments: Any, **named: Any) -> OSError:
    """The error that a call ends with."""
    try:
        function(*arguments, **named)
    except OSError as error:
        return error
    raise AssertionError(f"{function.__name__} did not fail")


def made(number: str, words: str) -> socket.gaierror:
    """A gaierror that cannot be provoked here, or not on each system."""
    return socket.gaierror(getattr(socket, number, socket.EAI_NONAME), words)


def advises(attempt: Attempt, error: OSError, wanted: str | None, about: str) -> None:
    attempt.seen.facts["error"], attempt.seen.facts["wanted"], attempt.seen.facts["about"] = error, wanted, about
    attempt.equal(attempt.call(error), wanted, f"{about}:")


@lookup_advice.scenario("a name that is none")
def no_such_name(attempt: Attempt) -> None:
    error = failure_of(socket.getaddrinfo, "localhost", 80, flags=socket.AI_NUMERICHOST)
    advises(attempt, error, NAME, "EAI_NONAME")


@lookup_advice.scenario("no name server answers")
def no_answer(attempt: Attempt) -> None:
    advises(attempt, made("EAI_AGAIN", "Temporary failure in name resolution"), AGAIN, "EAI_AGAIN")


@lookup_advice.scenario("a name without an address")
def no_address(attempt: Attempt) -> None:
    advises(attempt, made("EAI_NODATA", "No address associated with hostname"), NAME, "EAI_NODATA")


@lookup_advice.scenario("a service that is none")
def no_such_service(attempt: Attempt) -> None:
    error = made("EAI_SERVICE", "Servname not supported for ai_socktype")
    advises(attempt, error, SERVICE, "EAI_SERVICE")


@lookup_advice.scenario("mistakes of the program, and a server that fails")
def other_numbers(attempt: Attempt) -> None:
    error = failure_of(socket.getaddrinfo, "127.0.0.1", 80, family=socket.AF_UNIX)
    advises(attempt, error, PROGRAM, "EAI_FAMILY")
    advises(attempt, made("EAI_BADFLAGS", "Bad value for ai_flags"), PROGRAM, "EAI_BADFLAGS")
    advises(attempt, made("EAI_FAIL", "Non-recoverable failure in name resolution"), PROGRAM, "EAI_FAIL")


@lookup_advice.scenario("errors that are not about names")
def not_about_names(attempt: Attempt) -> None:
    with socket.socket() as sock:
        error = failure_of(sock.connect, attempt.closed_port())
    advises(attempt, error, None, "ConnectionRefusedError")
    advises(attempt, TimeoutError("timed out"), None, "TimeoutError")
    # An errno that has the number of a gaierror by accident; numbers below 0 are no errno.
    advises(attempt, OSError(socket.EAI_NONAME, "not about names"), None, "OSError")
    advises(attempt, OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)), None, "BlockingIOError")


@lookup_advice.scenario("the same on a machine that speaks German")
def german_names(attempt: Attempt) -> None:
    advises(attempt, made("EAI_AGAIN", "Temporärer Fehler bei der Namensauflösung"), AGAIN, "EAI_AGAIN")
    advises(attempt, made("EAI_NONAME", "Der Name oder der Dienst ist nicht bekannt"), NAME, "EAI_NONAME")


def about(seen: Seen) -> Any:
    return seen.facts.get("error")


@lookup_advice.misconception(
    "raises-again", advice="Return the words; whoever caught the error decides whether it is raised again."
)
def advice_raises(seen: Seen) -> str | None:
    if seen.error is None or seen.error is not about(seen):
        return None
    return f"It raised the {type(seen.error).__name__} again that it was asked about."


@lookup_advice.misconception("no-way-out", advice="Use dict.get(number, default), or an else at the end.")
def advice_no_way_out(seen: Seen) -> str | None:
    if not seen.raised(KeyError):
        return None
    return f"It raised KeyError for {seen.facts['about']}: its table has no such number, and nothing beside the table."


@lookup_advice.misconception(
    "by-words", advice="Compare error.errno with socket.EAI_…: numbers are the same in all languages."
)
def advice_by_words(seen: Seen) -> str | None:
    if not seen.scenario.endswith("German") or not seen.returned:
        return None
    return "It knows the error by its words, and those are the system's: another machine has them in another language."


@lookup_advice.misconception(
    "class-not-asked", advice="Ask for the class before the number: isinstance(error, socket.gaierror)."
)
def advice_no_class(seen: Seen) -> str | None:
    if seen.facts.get("wanted", "") is not None or not seen.returned or seen.result is None:
        return None
    return (
        f"It returned {shown(seen.result)} for {with_article(seen.facts['about'])}: "
        "an OSError that is no gaierror has another meaning, whatever its number is."
    )


@lookup_advice.misconception(
    "numbers-of-errno", advice="Compare with socket.EAI_AGAIN: it is another number than errno.EAGAIN."
)
def advice_errno(seen: Seen) -> str | None:
    if seen.facts.get("about") != "EAI_AGAIN" or seen.facts.get("wanted") == seen.result or not seen.returned:
        return None
    if seen.result not in (None, PROGRAM):
        return None
    return (
        f"It returned {seen.result!r} for EAI_AGAIN: the numbers of a gaierror are in socket, and errno has other ones."
    )


@lookup_advice.misconception("no-data", advice="Ask for both numbers: EAI_NONAME, and EAI_NODATA where it exists.")
def advice_no_data(seen: Seen) -> str | None:
    if seen.facts.get("about") != "EAI_NODATA" or not seen.returned or seen.result not in (None, PROGRAM, AGAIN):
        return None
    return "It knows EAI_NONAME only: a name that exists and has no address is another number, EAI_NODATA."


@lookup_advice.misconception(
    "one-for-all", advice="Look at error.errno: the class says only that a look-up failed, the number says why."
)
def advice_one_for_all(seen: Seen) -> str | None:
    error, wanted = about(seen), seen.facts.get("wanted")
    if not isinstance(error, socket.gaierror) or seen.result not in (AGAIN, NAME, SERVICE) or seen.result == wanted:
        return None
    return f"It returned {seen.result!r} for {seen.facts['about']} as well, which is another matter."


@lookup_advice.misconception("other-words", advice="Return the words of the task, to the letter: a program reads them.")
def advice_other_words(seen: Seen) -> str | None:
    if not isinstance(seen.result, str) or seen.result in (AGAIN, NAME, SERVICE, PROGRAM):
        return None
    return f"It returned {shown(seen.result)}, which is none of the four."


# -- dial --------------------------------------------------------------------------------------------------------------

NO_FAMILY = 99  # of no protocol that a kernel has: socket(2) says EAFNOSUPPORT, as for IPv6 where there is none
TIMEOUT = 0.1  # seconds, for each address
HOST = "localhost"  # whoever asks the real resolver stays on this machine
TYPES = ((socket.SOCK_STREAM, socket.IPPROTO_TCP), (socket.SOCK_DGRAM, socket.IPPROTO_UDP))


class Resolver:
    """What getaddrinfo would be with a table of its own: `host` has these addresses, and no other name is known."""

    def __init__(self, attempt: Attempt, *addresses: tuple[int, Any], error: OSError | None = None) -> None:
        self.addresses, self.error = addresses, error
        self.port = attempt.closed_port()[1]  # the port to ask for; the rows have ports of their own
        self.facts = attempt.seen.facts
        self.facts["asked"] = []

    def __call__(self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        self.facts["asked"].append((host, port, int(family), int(type)))
        if self.error is not None:
            raise self.error
        if host != HOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (its_family, kind, protocol, "", address)
            for its_family, address in self.addresses
            for kind, protocol in TYPES
            if family in (0, its_family) and type in (0, kind) and proto in (0, protocol)
        ]


def reaches(attempt: Attempt, addresses: Sequence[tuple[int, Any]], wanted: Any) -> None:
    """The answer has to return a socket that is connected to `wanted`, and works."""
    resolver = Resolver(attempt, *addresses)
    attempt.seen.facts["answers"] = True
    result = attempt.call(resolver, HOST, resolver.port, TIMEOUT)
    attempt.reaches(result, wanted, "address")
    attempt.nothing_left_open()


@dial.scenario("a name with one address")
def one_address(attempt: Attempt) -> None:
    server = attempt.server(echo)
    reaches(attempt, [(socket.AF_INET, server.address)], server.address)
    families = {family for _, _, family, _ in attempt.seen.facts["asked"]}
    attempt.want(families == {0}, "it asks for addresses of every family", "it asked for one family")


@dial.scenario("the first address refuses, the second answers")
def first_refuses(attempt: Attempt) -> None:
    server = attempt.server(echo)
    reaches(attempt, [(socket.AF_INET, attempt.closed_port()), (socket.AF_INET, server.address)], server.address)


@dial.scenario("the first two are of a family that this machine lacks, the third is silent, the fourth answers")
def first_of_no_family(attempt: Attempt) -> None:
    server = attempt.server(echo)
    strange = (NO_FAMILY, ("::1", 80, 0, 0))
    attempt.seen.facts["no family"] = True
    reaches(attempt, [strange, strange, (socket.AF_INET, attempt.silent_address()), (socket.AF_INET, server.address)],
            server.address)  # fmt: skip


@dial.scenario("both addresses answer")
def both_answer(attempt: Attempt) -> None:
    server, second = attempt.server(echo), attempt.listener()
    attempt.seen.facts["one is enough"] = True
    reaches(attempt, [(socket.AF_INET, server.address), (socket.AF_INET, second.getsockname())], server.address)
    called = is_waiting(second, 0.01)
    attempt.want(not called, "the second is left in peace", "the second was called as well")


@dial.scenario("nobody answers: the first is silent, the second refuses")
def nobody_answers(attempt: Attempt) -> None:
    resolver = Resolver(attempt, (socket.AF_INET, attempt.silent_address()), (socket.AF_INET, attempt.closed_port()))
    attempt.seen.facts["answers"] = False
    attempt.raises(ConnectionRefusedError, resolver, HOST, resolver.port, TIMEOUT)
    attempt.nothing_left_open()


@dial.scenario("no such name")
def dial_no_such_name(attempt: Attempt) -> None:
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    resolver = Resolver(attempt, error=error)
    attempt.seen.facts["no name"] = True
    came = attempt.raises(OSError, resolver, HOST, resolver.port, TIMEOUT)
    attempt.want(came is error, "the gaierror of the resolver", f"{with_article(type(came).__name__)} of its own")


@dial.misconception("resolver-not-asked", advice="Call resolve, and use the rows that it returns.")
def dial_not_asked(seen: Seen) -> str | None:
    if "asked" not in seen.facts or seen.facts["asked"] or seen.raised(NameError):
        return None
    return "It never called resolve(): it connected to what the machine's own resolver knows of the name."


@dial.misconception("asked-wrongly", advice="Hand on what you were given: resolve(host, port, …).")
def dial_asked_wrongly(seen: Seen) -> str | None:
    others = [host for host, *_ in seen.facts.get("asked", ()) if host != HOST]
    if not others:
        return None
    came = shown(others[0]) if isinstance(others[0], (str, bytes)) else with_article(type(others[0]).__name__)
    return f"It asked resolve() for {came}, and was called for {HOST!r}."


@dial.misconception("datagram-row", advice="Say type=socket.SOCK_STREAM to resolve.")
def dial_datagram(seen: Seen) -> str | None:
    if not isinstance(seen.result, socket.socket) or seen.came != "a datagram socket":
        return None
    return (
        "It returned a datagram socket: without type= there is a row for UDP beside each one for TCP, and connect() "
        "of a datagram socket sends nothing, so it succeeds where nobody is."
    )


@dial.misconception("one-family", advice="Leave the family out: the rows say which one it is.")
def dial_one_family(seen: Seen) -> str | None:
    if not any(family for _, _, family, _ in seen.facts.get("asked", ())):
        return None
    return "It asked for one family only: a server that has an address of the other one is not found."


@dial.misconception("no-timeout", advice="Before connect, say with settimeout how long it may wait.")
def dial_no_timeout(seen: Seen) -> str | None:
    if not seen.blocked_in("connect"):
        return None
    return "It is blocked in connect(): at this address nobody accepts and nobody refuses, and no timeout was set."


@dial.misconception("gives-up", advice="Put the try inside the loop, around socket() and connect().")
def dial_gives_up(seen: Seen) -> str | None:
    error = seen.error
    if not isinstance(error, OSError) or not seen.facts.get("answers") or isinstance(error, socket.gaierror):
        return None
    if seen.facts.get("no family") and not seen.made("connect", "connect_ex"):
        return "socket() raised EAFNOSUPPORT for the first address, and the others were not tried."
    kind = type(error).__name__
    return f"It raised {kind} for one address, and the next one was not tried."


@dial.misconception(
    "address-rebuilt", advice="Hand the last value of the row to connect as it is; an IPv6 address has four parts."
)
def dial_rebuilt(seen: Seen) -> str | None:
    if not seen.facts.get("answers") or not seen.facts.get("asked") or not (seen.returned and seen.result is None):
        return None
    if seen.made("connect") and all(event.failure for event in seen.made("connect")):
        return "All addresses failed, and one of them answers: it did not connect to the row's own address."
    return None


@dial.misconception("tries-all", advice="Return the socket at once: a return ends the loop as well.")
def dial_tries_all(seen: Seen) -> str | None:
    if not seen.facts.get("one is enough") or len(seen.made("connect", "connect_ex")) < 2:
        return None
    return "The first address had let it in, and it called the second as well."


@dial.misconception("closed-on-return", advice="Close it where connecting fails, and only there.")
def dial_closed(seen: Seen) -> str | None:
    if seen.came != CLOSED:
        return None
    return "It closed the socket that it returns: a `with`, or a finally, closes on every way out, the good one too."


@dial.misconception("fails-silently", advice="Keep the last error, and raise it after the loop.")
def dial_silent(seen: Seen) -> str | None:
    if seen.facts.get("answers", True) or not seen.returned:
        return None
    return f"Nobody answered, and it returned {shown(seen.result)}: who called it learns nothing of why."


@dial.misconception("name-error-swallowed", advice="Call resolve before the try: its error says that there is no name.")
def dial_swallowed(seen: Seen) -> str | None:
    if not seen.facts.get("no name"):
        return None
    if seen.returned:
        return f"The name is not known, and it returned {shown(seen.result)}."
    return "The resolver's gaierror did not reach the caller, who cannot tell a wrong name from a server that is down."


@dial.misconception("not-the-last-error", advice="Keep the error of each round, and raise the last one after the loop.")
def dial_other_error(seen: Seen) -> str | None:
    if seen.facts.get("answers", True) or seen.error is None or seen.raised(NameError):
        return None
    if isinstance(seen.error, TimeoutError):
        return "It raised TimeoutError, the error of the first address; the last one was refused."
    return f"It raised {with_article(type(seen.error).__name__)} of its own; what went wrong last is not in it."


@dial.misconception("failed-left-open", advice="Close it in the except block, before the next one is tried.")
def dial_left_open(seen: Seen) -> str | None:
    if not (seen.left_open or seen.unclosed) or seen.facts.get("one is enough"):
        return None
    return "A socket whose connect() had failed was not closed: it is not connected, and it is still open."


# -- dns_question ------------------------------------------------------------------------------------------------------

A, AAAA, TXT = 1, 28, 16
TABLE = {"www.codedamn.com": ["127.0.0.1", "::1"], "a.b.c.d.example": "127.0.0.2"}


def encoded(number: int, name: str, kind: int) -> bytes:
    parts = name.removesuffix(".").encode().split(b".")
    body = b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + body + struct.pack("!HH", kind, 1)


def builds(attempt: Attempt, number: int, name: str, kind: int) -> bytes:
    wanted = encoded(number, name, kind)
    attempt.seen.facts.update(number=number, name=name, kind=kind, wanted=wanted)
    result = attempt.call(number, name, kind)
    attempt.seen.facts["built"] = result
    attempt.want(isinstance(result, (bytes, bytearray)), "it returns bytes", f"it returned {shown(result)}")
    attempt.want(bytes(result) == wanted, repr(wanted), repr(bytes(result))[:160])
    return bytes(result)


@dns_question.scenario("three labels, as above")
def as_above(attempt: Attempt) -> None:
    builds(attempt, 4711, "www.codedamn.com", A)


@dns_question.scenario("asked over UDP, for an IPv6 address")
def over_udp(attempt: Attempt) -> None:
    query = builds(attempt, 513, "www.codedamn.com", AAAA)
    server, client = (attempt.keep(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2))
    server.bind(("127.0.0.1", 0))
    for sock in (server, client):
        sock.settimeout(1)
    client.connect(server.getsockname())
    client.send(query)
    data, peer = server.recvfrom(512)
    server.sendto(names(TABLE)(data, peer) or b"", peer)
    answer = client.recv(512)
    attempt.equal(answer[-16:], socket.inet_pton(socket.AF_INET6, "::1"), "the server answers with the address")


@dns_question.scenario("one label, five labels, one of 63 letters, and a dot at the end")
def other_names(attempt: Attempt) -> None:
    for name in ("localhost", "a.b.c.d.example", f"{'x' * 63}.example", "www.codedamn.com."):
        builds(attempt, 60_000, name, TXT)


@dns_question.scenario("labels that do not fit")
def no_labels(attempt: Attempt) -> None:
    for name in ("www..com", f"{'x' * 64}.example", f"www.{'x' * 200}.com", ".com"):
        attempt.seen.facts["refuse"] = "no letter" if len(name) < 20 else f"{max(map(len, name.split('.')))} letters"
        attempt.raises(ValueError, 1, name, A)


def built(seen: Seen) -> bytes | None:
    data = seen.facts.get("built")
    return bytes(data) if seen.returned and isinstance(data, (bytes, bytearray)) and "wanted" in seen.facts else None


@dns_question.misconception("returns-text", advice="Encode the name, and put bytes together: b'' + …, or b''.join(…).")
def question_text(seen: Seen) -> str | None:
    if not (isinstance(seen.result, str) or (seen.raised(TypeError) and "str" in str(seen.error))):
        return None
    if seen.error is not None:
        return "It put text and bytes together, which Python refuses: the name is a str, and the header is bytes."
    return "It returned a str: a socket takes no letters."


@dns_question.misconception("dots-kept", advice="Split the name at its dots; each label stands after its length.")
def question_dots(seen: Seen) -> str | None:
    data = built(seen)
    if data is None or "." not in seen.facts["name"] or b"." not in data[12:]:
        return None
    return "The dots are in the question: a server takes each byte before a label for its length, and knows no dots."


@dns_question.misconception("no-end", advice="End the name with a zero byte.")
def question_no_end(seen: Seen) -> str | None:
    data, wanted = built(seen), seen.facts.get("wanted", b"")
    if data is None or data == wanted or data != wanted[:-5] + wanted[-4:]:
        return None
    return "There is no zero after the last label: the server takes the first byte of the type for it."


@dns_question.misconception("number-ignored", advice="The header's first number is the one that you were given.")
def question_number(seen: Seen) -> str | None:
    data, wanted = built(seen), seen.facts.get("wanted", b"")
    if data is None or data == wanted or data[2:] != wanted[2:] or data[:2] == wanted[1::-1]:
        return None
    return "It sent another number than it was given: the answer would repeat it, and belong to no question."


@dns_question.misconception("kind-ignored", advice="The type is the third argument: 1, 28, or any other.")
def question_kind(seen: Seen) -> str | None:
    data, wanted = built(seen), seen.facts.get("wanted", b"")
    if data is None or data == wanted or data[:-4] != wanted[:-4] or data[-4:] != b"\0\1\0\1":
        return None
    return f"It asked for type 1, and should have asked for type {seen.facts['kind']}."


@dns_question.misconception("type-and-class", advice="The type goes first, then the class, which is 1.")
def question_swapped(seen: Seen) -> str | None:
    data, wanted = built(seen), seen.facts.get("wanted", b"")
    if data is None or data == wanted or data[:-4] != wanted[:-4] or data[-4:] != wanted[-2:] + wanted[-4:-2]:
        return None
    return "Type and class have changed places: the server is asked for the address of another network."


@dns_question.misconception("little-endian", advice="Begin each format with an exclamation mark: network order.")
def question_little(seen: Seen) -> str | None:
    data, wanted = built(seen), seen.facts.get("wanted", b"")
    if data is None or data == wanted or len(data) != len(wanted):
        return None
    if data[:2] != wanted[1::-1] and data[-4:] != wanted[-3:-5:-1] + wanted[-1:-3:-1]:
        return None
    return "The smallest byte of a number goes first: the server reads other numbers, 256 for 1."


@dns_question.misconception("empty-label", advice="Take the dot at the end off before you split.")
def question_empty(seen: Seen) -> str | None:
    name = seen.facts.get("name", "")
    if not name.endswith(".") or not (seen.raised(ValueError) or built(seen) not in (None, seen.facts["wanted"])):
        return None
    return "After a dot at the end split() finds one more label, an empty one, and that dot means nothing."


@dns_question.misconception("too-long", advice="Look at the length of each label before you write it: 1 to 63.")
def question_long(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected == "it raises ValueError"):
        return None
    if seen.facts["refuse"] == "no letter":
        return "It wrote a label without a letter: its length is zero, and a zero ends the name there."
    return (
        f"It wrote a label of {seen.facts['refuse']}: lengths end at 63, since a larger byte is the beginning of a "
        "pointer, or of nothing."
    )


@dns_question.misconception("other-error", advice="Raise ValueError yourself, with a sentence that names the label.")
def question_error(seen: Seen) -> str | None:
    if seen.error is None or seen.expected != "it raises ValueError":
        return None
    name = "struct.error" if isinstance(seen.error, struct.error) else type(seen.error).__name__
    return f"It raised {name} for a label that does not fit, and not ValueError."
