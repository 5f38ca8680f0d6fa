"""The exercises of lesson 02: say what to do about an error, try every address, read to the end, read chunks.

The errors are real wherever a loopback connection can have them; the end and the pieces of a stream are sent at the
pace of the reader (`dribble`), so that each recv finds what the scenario means it to find.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from ...experiments.doors.wire import abort
from ...handlers import echo
from ..attempt import CLOSED, NOT_CONNECTED, Attempt, is_waiting
from ..definition import Exercise
from ..dribble import arrived, dribble, taken
from ..seen import Seen
from ..words import shown, with_article

LESSON = "02_a_client"

DEADLINE = 1.0  # seconds for a scenario; most take a hundredth, and who hangs in the last one is told so in good time

PORT, NETWORK, NAME = "check the port", "check the network", "check the name"

advice = Exercise(
    "advice",
    lesson=LESSON,
    wants="advice(error)",
    task=f'Return "{PORT}" where nobody listens, "{NETWORK}" where nobody answers in time, "{NAME}" where the name has '
    "no address, and for any other OSError its own words, `error.strerror`.",
    hints=(
        "Every one of them is an `OSError`; `isinstance` tells them apart by their class.",
        "Two of the three have no errno to look up: Python's own `TimeoutError` has none, a `gaierror` another list.",
        "Three questions by class, the narrow ones and not `ConnectionError`; then the rest.",
    ),
    deadline=DEADLINE,
)

connect_any = Exercise(
    "connect_any",
    lesson=LESSON,
    wants="connect_any(candidates, timeout)",
    task="Try the candidates in order, each with a socket of its own and for `timeout` seconds at most. Return the "
    "first socket that is connected; raise the last error where none is. Leave no other socket open.",
    hints=(
        "A loop over the candidates, in it a `try`; a `return` in the middle of a loop ends the loop too.",
        "`socket.socket()` can fail as well as `connect()`: the `try` stands around both. All errors are `OSError`.",
        "After a failed `connect` the socket is still open. Close it before you go on.",
        "Python forgets `error` after an `except … as error` block: keep it under another name.",
    ),
    deadline=DEADLINE,
)

recv_until_eof = Exercise(
    "recv_until_eof",
    lesson=LESSON,
    wants="recv_until_eof(sock)",
    task="Return all bytes that come before the end of the stream; let an error go to the caller.",
    hints=(
        "A recv returns what has arrived. How many of them it takes, nobody knows beforehand.",
        "Only one thing means the end: `b''`. Fewer bytes than you asked for, or a silence, do not.",
        "A loop that keeps each piece, and looks at it before it asks for the next.",
    ),
    deadline=DEADLINE,
)

read_chunks = Exercise(
    "read_chunks",
    lesson=LESSON,
    wants="read_chunks(sock, data)",
    task="Return the body that comes in chunks: its beginning is in `data`, the rest comes from `sock`. Raise EOFError "
    "where the connection ends before the chunk of size 0.",
    hints=(
        "The line of a size ends at the first line end: `read_to` finds it. The size is hexadecimal.",
        "The size says how many bytes the chunk has, whatever bytes they are: that is for `read_exactly`.",
        "A line end follows each chunk. It belongs neither to the chunk nor to the next size.",
        "Both tools return what they have read beyond: hand it to the next one.",
    ),
    deadline=DEADLINE,
)


# -- advice ------------------------------------------------------------------------------------------------------------


def error_of(function: Callable[..., object], *arguments: Any, **named: Any) -> OSError:
    """The error that a call ends with."""
    try:
        function(*arguments, **named)
    except OSError as error:
        return error
    raise AssertionError(f"{function.__name__} did not fail")


def ask(attempt: Attempt, error: OSError, wanted: str | None) -> None:
    attempt.seen.facts["error"] = error
    attempt.equal(attempt.call(error), wanted, f"{type(error).__name__}:")


@advice.scenario("a port at which nobody listens")
def nobody_listens(attempt: Attempt) -> None:
    ask(attempt, error_of(socket.create_connection, attempt.closed_port(), 1.0), PORT)


@advice.scenario("nobody answers: Python's time is up, then the system's")
def nobody_answers(attempt: Attempt) -> None:
    ask(attempt, error_of(socket.create_connection, attempt.silent_address(), 0.02), NETWORK)
    ask(attempt, OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)), NETWORK)  # connect(2), after two minutes


@advice.scenario("a name without an address")
def no_such_name(attempt: Attempt) -> None:
    # With this flag only numbers have addresses, and nobody outside is asked.
    ask(attempt, error_of(socket.getaddrinfo, "www.codedamn.com", 80, flags=socket.AI_NUMERICHOST), NAME)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        ask(attempt, error_of(sock.connect, ("::1", 80)), NAME)


@advice.scenario("two errors of other kinds")
def other_errors(attempt: Attempt) -> None:
    with socket.socket() as sock:
        error = error_of(sock.bind, ("192.0.2.1", 0))  # RFC 5737: no machine has this address
    ask(attempt, error, error.strerror)
    sock, peer = attempt.connection()
    abort(peer)
    error = error_of(sock.recv, 1)
    ask(attempt, error, error.strerror)


@advice.scenario("a refusal on a machine that speaks German")
def german(attempt: Attempt) -> None:
    ask(attempt, OSError(errno.ECONNREFUSED, "Verbindungsaufbau abgelehnt"), PORT)


def about(seen: Seen) -> OSError:
    """The error that the answer was given."""
    error: OSError = seen.facts.get("error", OSError())
    return error


@advice.misconception(
    "raises-it-again", advice="Return a sentence; whoever caught the error decides whether it is raised again."
)
def raises_it_again(seen: Seen) -> str | None:
    if seen.error is None or seen.error is not about(seen):
        return None
    return f"It raised the {type(seen.error).__name__} again that it was asked about."


@advice.misconception(
    "timeout-without-errno", advice="Ask for the class before the number: isinstance(error, TimeoutError)."
)
def timeout_without_errno(seen: Seen) -> str | None:
    if not isinstance(about(seen), TimeoutError) or about(seen).errno is not None:
        return None
    if seen.raised(KeyError) or seen.result in (None, "None", str(about(seen))):
        return "The TimeoutError came from Python, not from the operating system: its errno is None, and strerror too."
    return None


@advice.misconception(
    "number-of-a-name", advice="Ask for the class before the number: isinstance(error, socket.gaierror)."
)
def number_of_a_name(seen: Seen) -> str | None:
    error = about(seen)
    if isinstance(error, socket.gaierror) and (seen.raised(KeyError) or seen.result == error.strerror):
        return "The number of a gaierror is no errno: it comes from a list of its own, socket.EAI_…"
    return None


@advice.misconception("too-wide", advice="Ask for the narrow class: the wide one catches its relatives as well.")
def too_wide(seen: Seen) -> str | None:
    if not seen.returned or seen.result not in (PORT, NETWORK, NAME):
        return None
    kind = type(about(seen))
    if kind is OSError:
        return None
    parent = "ConnectionError" if issubclass(kind, ConnectionError) else "OSError"
    both = f"a {kind.__name__}, which is {with_article(parent)} as well"
    return f"It returned {seen.result!r} for {both}, and another matter."


@advice.misconception(
    "no-way-out", advice="Ask for each of the three, and leave a way out for what you did not ask for."
)
def no_way_out(seen: Seen) -> str | None:
    error = about(seen)
    if type(error) is not OSError or not seen.returned or seen.result not in (PORT, NETWORK, NAME):
        return None
    return f"It returned {seen.result!r} for {errno.errorcode.get(error.errno or 0)}, which is none of the three."


@advice.misconception("by-words", advice="Look at the class, or at error.errno: they are the same on every machine.")
def by_words(seen: Seen) -> str | None:
    if seen.scenario != "a refusal on a machine that speaks German" or not seen.returned:
        return None
    return "It knows the error by its words, and those are the system's: another machine has them in another language."


@advice.misconception(
    "not-recognised", advice="Ask with isinstance(error, …): an exception is neither its class nor equal to it."
)
def not_recognised(seen: Seen) -> str | None:
    if not seen.returned or seen.result != about(seen).strerror or seen.result is None:
        return None
    return f"It returned the system's words: none of its questions recognised a {type(about(seen)).__name__}."


@advice.misconception("other-words", advice="Return the words of the task, to the letter: a program compares them.")
def other_words(seen: Seen) -> str | None:
    if not seen.returned or not isinstance(seen.result, str):
        return None
    if seen.result == str(about(seen)):
        return "It returned str(error), in which the number stands before the words."
    return f"It returned {shown(seen.result)}, a sentence of its own."


# -- connect_any -------------------------------------------------------------------------------------------------------

NO_FAMILY = 99  # of no protocol that a kernel has: socket(2) says EAFNOSUPPORT, as for IPv6 where there is none
TIMEOUT = 0.1  # seconds, for each candidate

Candidate = tuple[int, int, int, str, Any]


def candidate(address: Any, family: int = socket.AF_INET) -> Candidate:
    return (family, socket.SOCK_STREAM, 0, "", address)


def try_them(attempt: Attempt, candidates: Sequence[Candidate], wanted: Any) -> None:
    """The answer has to return a socket that is connected to `wanted`, and works."""
    attempt.seen.facts["answers"] = True
    result = attempt.call(list(candidates), TIMEOUT)
    attempt.reaches(result, wanted, "candidate")


@connect_any.scenario("the first refuses, the second answers")
def first_refuses(attempt: Attempt) -> None:
    server = attempt.server(echo)
    try_them(attempt, [candidate(attempt.closed_port()), candidate(server.address)], server.address)


@connect_any.scenario("the first answers, the second would too")
def first_answers(attempt: Attempt) -> None:
    server, second = attempt.server(echo), attempt.listener()
    attempt.seen.facts["one is enough"] = True
    try_them(attempt, [candidate(server.address), candidate(second.getsockname())], server.address)
    attempt.want(not is_waiting(second, 0.01), "the second is left in peace", "the second was called as well")


@connect_any.scenario("the first does not answer, the second does")
def first_is_silent(attempt: Attempt) -> None:
    server = attempt.server(echo)
    try_them(attempt, [candidate(attempt.silent_address()), candidate(server.address)], server.address)


@connect_any.scenario("the first is of a family that this machine lacks")
def first_is_of_no_family(attempt: Attempt) -> None:
    server, decoy = attempt.server(echo), attempt.server(echo)
    attempt.seen.facts["no family"] = True
    try_them(attempt, [candidate(decoy.address, NO_FAMILY), candidate(server.address)], server.address)


@connect_any.scenario("none of three answers, the last one refuses")
def none_answers(attempt: Attempt) -> None:
    refuses = candidate(attempt.closed_port())
    attempt.seen.facts["answers"] = False
    attempt.raises(ConnectionRefusedError, [candidate(attempt.silent_address()), refuses, refuses], TIMEOUT)
    attempt.seen.expected = ""


@connect_any.misconception(
    "no-timeout", advice="Before connect, say with settimeout how long each call of this socket may wait."
)
def no_timeout(seen: Seen) -> str | None:
    if not seen.blocked_in("connect"):
        return None
    return "It is blocked in connect(): at this address nobody accepts and nobody refuses, and no timeout was set."


@connect_any.misconception(
    "socket-unguarded", advice="Make the socket inside the try: that can fail as well as connecting it."
)
def socket_unguarded(seen: Seen) -> str | None:
    if not seen.facts.get("no family") or seen.error is None or seen.made("connect"):
        return None
    return "socket() raised EAFNOSUPPORT for the first candidate, and the second was not tried."


@connect_any.misconception(
    "one-kind-of-error", advice="Catch OSError: every way in which a connection can fail is a kind of it."
)
def one_kind_of_error(seen: Seen) -> str | None:
    if not isinstance(seen.error, TimeoutError) or not seen.facts.get("answers"):
        return None
    return "connect() raised TimeoutError, and it gave up; after a refusal it goes on."


@connect_any.misconception("gives-up", advice="Put the try inside the loop, and go on to the next candidate.")
def gives_up(seen: Seen) -> str | None:
    if not isinstance(seen.error, OSError) or not seen.facts.get("answers") or len(seen.made("connect")) != 1:
        return None
    return f"connect() raised {type(seen.error).__name__} for the first candidate, and the second was not tried."


@connect_any.misconception("family-ignored", advice="Hand family, type and proto of the candidate to socket.socket().")
def family_ignored(seen: Seen) -> str | None:
    if not seen.facts.get("no family") or not seen.facts.get("elsewhere"):
        return None
    return "It made an IPv4 socket for a candidate that says another family, and so reached who was not meant."


@connect_any.misconception("number-not-looked-at", advice="Look at what connect_ex returns: 0 is success.")
def number_not_looked_at(seen: Seen) -> str | None:
    if not seen.made("connect_ex") or seen.came != NOT_CONNECTED:
        return None
    return "connect_ex() does not raise, it returns the errno; nobody looked at it, so a failure passed for a success."


@connect_any.misconception("tries-all", advice="Return the socket at once: a return ends the loop as well.")
def tries_all(seen: Seen) -> str | None:
    if not seen.facts.get("one is enough") or len(seen.made("connect")) < 2:
        return None
    return "The first candidate had let it in, and it called the second as well."


@connect_any.misconception("closed-on-return", advice="Close it where connecting fails, and only there.")
def closed_on_return(seen: Seen) -> str | None:
    if not isinstance(seen.result, socket.socket) or seen.result.fileno() >= 0 or seen.came != CLOSED:
        return None
    return "It closed the socket that it returns: a `with`, or a finally, closes on every way out, the good one too."


@connect_any.misconception(
    "fails-silently", advice="Keep the last error, and raise it after the loop: it says why nobody could be reached."
)
def fails_silently(seen: Seen) -> str | None:
    if seen.facts.get("answers", True) or not seen.returned:
        return None
    return f"Nobody answered, and it returned {shown(seen.result)}: whoever called it learns nothing of why."


@connect_any.misconception("error-forgotten", advice="Give it another name inside the block: last = error.")
def error_forgotten(seen: Seen) -> str | None:
    if seen.facts.get("answers", True) or not seen.raised(NameError):
        return None
    return "Python forgets the name in `except … as` when the block ends; after the loop it is not there any more."


@connect_any.misconception("not-the-last-error", advice="Keep the error of each round; raise it after the loop.")
def not_the_last_error(seen: Seen) -> str | None:
    if seen.facts.get("answers", True) or seen.error is None:
        return None
    if isinstance(seen.error, TimeoutError):
        return "It raised TimeoutError, the error of the first candidate; the last one was refused."
    return f"It raised {with_article(type(seen.error).__name__)} of its own; what went wrong last is not in it."


@connect_any.misconception(
    "failed-left-open", advice="Close it in the except block; that nobody uses it any more closes nothing for certain."
)
def failed_left_open(seen: Seen) -> str | None:
    if not (seen.left_open or seen.unclosed) or seen.facts.get("one is enough"):
        return None
    return "A socket whose connect() had failed was not closed: it is not connected, and it is still open."


# -- recv_until_eof ----------------------------------------------------------------------------------------------------

TEXT = "Stück für Stück.".encode()
PAGE = b"".join(b"%015d\n" % number for number in range(0, 20_000, 16))
LAST = 10  # bytes of the page that come one at a time
PAUSE = 0.15  # seconds: more than the tenth of one that people take for an end


def read(attempt: Attempt, sock: socket.socket, all_of_it: bytes) -> None:
    attempt.seen.facts["size"] = len(all_of_it)
    attempt.equal(attempt.call(sock), all_of_it)


@recv_until_eof.scenario("a text in one piece, and the end")
def one_piece(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    peer.sendall(b"Hello, socket.")
    peer.close()
    read(attempt, sock, b"Hello, socket.")


@recv_until_eof.scenario("20,000 bytes, the last ten one at a time")
def page(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    peer.sendall(PAGE[:-LAST])
    arrived(sock, len(PAGE) - LAST)

    def the_rest() -> None:
        taken(sock)
        dribble(peer, sock, PAGE[-LAST:])
        peer.close()

    attempt.beside(the_rest)
    read(attempt, sock, PAGE)


@recv_until_eof.scenario("a byte at a time")
def byte_by_byte(attempt: Attempt) -> None:
    sock, peer = attempt.connection()

    def little() -> None:
        dribble(peer, sock, TEXT)
        peer.close()

    attempt.beside(little)
    read(attempt, sock, TEXT)


@recv_until_eof.scenario("a silence in the middle")
def silence(attempt: Attempt) -> None:
    sock, peer = attempt.connection()

    def with_a_pause() -> None:
        dribble(peer, sock, b"half, ", 6)
        time.sleep(PAUSE)
        peer.sendall(b"and half")
        peer.close()

    attempt.beside(with_a_pause)
    read(attempt, sock, b"half, and half")


@recv_until_eof.scenario("the connection breaks in the middle")
def breaks(attempt: Attempt) -> None:
    sock, peer = attempt.connection()

    def broken_off() -> None:
        dribble(peer, sock, b"half", 4)
        abort(peer)

    attempt.beside(broken_off)
    attempt.raises(ConnectionResetError, sock)


def cut_short(seen: Seen) -> bool:
    """It returned bytes, and not all: the end of the stream had not been seen."""
    return seen.returned and isinstance(seen.result, (bytes, bytearray)) and not seen.ends_of_stream()


@recv_until_eof.misconception(
    "error-is-the-end", advice="Let the error go to the caller: half a text must not look like a whole one."
)
def error_is_the_end(seen: Seen) -> str | None:
    if not seen.returned or not seen.failed("ConnectionResetError"):
        return None
    return f"recv() raised ConnectionResetError, and it returned {shown(seen.result)} as if that were all."


@recv_until_eof.misconception(
    "silence-is-the-end", advice="Wait for b'': the peer says when it has finished, the clock does not."
)
def silence_is_the_end(seen: Seen) -> str | None:
    if not cut_short(seen):
        return None
    gave_up = seen.failed("TimeoutError", "BlockingIOError")
    if gave_up and gave_up[-1].failure is not None:
        kind = gave_up[-1].failure.kind
        return f"For a moment nothing had arrived ({kind}), and it took the silence for the end."
    if seen.made("select", "poll") and seen.calls[-1].call in ("select", "poll"):
        return "For a moment nothing had arrived, and it took the silence for the end."
    return None


@recv_until_eof.misconception("one-recv", advice="Call recv in a loop, until it returns b''.")
def one_recv(seen: Seen) -> str | None:
    recvs = seen.made("recv", "recv_into")
    if not cut_short(seen) or len(recvs) != 1 or not recvs[0].size:
        return None
    first, size = recvs[0], seen.facts.get("size", 0)
    if (first.size or 0) >= size:
        return None
    came = "1 byte" if first.size == 1 else f"{first.size:,} bytes"
    if first.asked == str(first.size):
        return f"{first.call}({first.asked}) returned {came} of {size:,}: it returns no more than you ask for."
    return f"{first.call}({first.asked}) returned {came} of {size:,}: what has arrived, not what you asked for."


@recv_until_eof.misconception("short-is-the-end", advice="Only b'' is the end: go on until recv returns it.")
def short_is_the_end(seen: Seen) -> str | None:
    recvs = seen.made("recv", "recv_into")
    if not cut_short(seen) or len(recvs) < 2:
        return None
    last = recvs[-1]
    came = "1 byte" if last.size == 1 else f"{last.size:,} bytes"
    return f"It stopped when {last.call}({last.asked}) returned {came}: so many had arrived, and more were to come."


@recv_until_eof.misconception("pieces-lost", advice="Give each piece a name, look at it, and add it to those before.")
def pieces_lost(seen: Seen) -> str | None:
    if not seen.returned or not isinstance(seen.result, (bytes, bytearray)):
        return None
    size = seen.facts.get("size", 0)
    if seen.received != size or len(seen.result) >= size:
        return None
    return f"It received all {size:,} bytes and returned {len(seen.result):,}: what a recv returns, it returns once."


# -- read_chunks -------------------------------------------------------------------------------------------------------

THREE = (b"Hello", b", this chunk is longer,", b" and a last.")


def chunked(*chunks: bytes) -> bytes:
    """As RFC 9112 section 7.1 has it, the last chunk included."""
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def read_body(attempt: Attempt, sock: socket.socket, data: bytes, chunks: Sequence[bytes]) -> None:
    facts = attempt.seen.facts
    facts["chunks"], facts["coming"] = chunks, len(chunked(*chunks)) - len(data)
    attempt.equal(attempt.call(sock, data), b"".join(chunks))


@read_chunks.scenario("three chunks, the first came with the head")
def three_chunks(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    data = chunked(THREE[0])[: -len(b"0\r\n\r\n")]
    peer.sendall(chunked(*THREE).removeprefix(data))
    read_body(attempt, sock, data, THREE)


@read_chunks.scenario("a chunk that holds a line end")
def line_end_inside(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    chunks = (b"one line\r\nand another", b".")
    attempt.seen.facts["line end inside"] = True
    peer.sendall(chunked(*chunks))
    read_body(attempt, sock, b"", chunks)


@read_chunks.scenario("a chunk that holds what looks like the last one")
def last_one_inside(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    chunks = (b"a line\r\n0\r\n\r\nand more", b".")
    attempt.seen.facts["last one inside"] = True
    peer.sendall(chunked(*chunks))
    read_body(attempt, sock, b"", chunks)


@read_chunks.scenario("a byte at a time")
def chunks_byte_by_byte(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    attempt.seen.facts["dribble"] = True
    attempt.beside(dribble, peer, sock, chunked(*THREE))
    read_body(attempt, sock, b"", THREE)


@read_chunks.scenario("the connection ends inside a chunk")
def ends_inside(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    attempt.seen.facts["ends inside"] = True
    peer.sendall(b"5\r\nHello\r\n17\r\n, this")
    peer.close()
    attempt.raises(EOFError, sock, b"")


def words(seen: Seen) -> str:
    """Those of a ValueError; "" without one. int() says in them which base it was given, and what."""
    return str(seen.error) if isinstance(seen.error, ValueError) else ""


@read_chunks.misconception("decimal-size", advice="Read it with int(size, 16).")
def decimal_size(seen: Seen) -> str | None:
    if "base 10" not in words(seen):
        return None
    return "It read the sizes as decimal numbers, and after one of them it was out of step: `17` means 23 bytes."


@read_chunks.misconception("line-end-left", advice="Take two bytes more than the size says, and drop them.")
def line_end_left(seen: Seen) -> str | None:
    if not words(seen).endswith(("base 16: b''", "base 16: ''")) or seen.ends_of_stream():
        return None
    return "Where it looked for a size it found an empty line: the line end behind the chunk before was not taken."


@read_chunks.misconception("waits-for-the-end", advice="Stop at the chunk of size 0: that is what it is for.")
def waits_for_the_end(seen: Seen) -> str | None:
    if not seen.blocked_in("recv") or seen.received < seen.facts.get("coming", 0):
        return None
    return "It is blocked in recv(), and the chunk of size 0 is here: the connection stays open for the next request."


@read_chunks.misconception("data-only", advice="Where `data` does not hold what you look for, recv more and add it.")
def data_only(seen: Seen) -> str | None:
    if seen.timed_out or seen.made():
        return None
    return "It never called recv(): `data` is what happened to come together with the head, and not all."


@read_chunks.misconception("data-ignored", advice="Begin with `data`, and recv only what is missing.")
def data_ignored(seen: Seen) -> str | None:
    chunks = seen.facts.get("chunks", ())
    if not seen.returned or seen.result != b"".join(chunks[1:]):
        return None
    return "The first chunk is missing: it had come together with the head, and lies in `data`."


@read_chunks.misconception("framing-kept", advice="Add to the body only the bytes of the chunks.")
def framing_kept(seen: Seen) -> str | None:
    chunks = seen.facts.get("chunks", ())
    if not seen.returned or not isinstance(seen.result, (bytes, bytearray)) or not chunks:
        return None
    if len(seen.result) <= len(b"".join(chunks)) or not set(chunks[0]) <= set(seen.result):
        return None
    return "The body has more bytes than were in the chunks: sizes or line ends are still in it."


@read_chunks.misconception("lines-are-chunks", advice="Take as many bytes as the size says, without looking at them.")
def lines_are_chunks(seen: Seen) -> str | None:
    if not seen.facts.get("line end inside") or seen.timed_out:
        return None
    return "A chunk had a line end of its own, and it took that for the end of the chunk."


@read_chunks.misconception("mark-inside", advice="Go from size to size: what stands inside a chunk means nothing.")
def mark_inside(seen: Seen) -> str | None:
    if not seen.facts.get("last one inside") or seen.timed_out:
        return None
    return "It searched for the bytes of the last chunk, and found them in the middle of another one."


@read_chunks.misconception("recv-is-a-chunk", advice="Collect until it is there: read_to and read_exactly do.")
def recv_is_a_chunk(seen: Seen) -> str | None:
    recvs = seen.made("recv", "recv_into")
    if not seen.facts.get("dribble") or not recvs or seen.timed_out:
        return None
    last = recvs[-1]
    came = "1 byte" if last.size == 1 else f"{last.size} bytes"
    return f"{last.call}({last.asked}) returned {came}, and it went on as if a whole line or chunk were there."


@read_chunks.misconception("cut-off-is-whole", advice="Look for b'' at each recv; raise EOFError where it is early.")
def cut_off_is_whole(seen: Seen) -> str | None:
    if not seen.facts.get("ends inside") or not seen.returned:
        return None
    return f"It returned {shown(seen.result)} of a longer body: nobody can tell that the page was cut off."
