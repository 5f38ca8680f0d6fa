"""The exercises of lesson 24: a client that tells bad certificates apart, and TLS that somebody else carries.

Every scenario has its own server with TLS in a thread beside. Certificates are made on the spot, by two authorities
that live as long as the process: one that the answer is told to trust, and one that nobody has heard of.
"""

from __future__ import annotations

import datetime
import os
import socket
import ssl
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from ..attempt import Attempt
from ..definition import Exercise
from ..dribble import dribble
from ..seen import Seen
from ..words import shown

if TYPE_CHECKING:
    import trustme

LESSON = "24_tls"
NAME = "shop.example"
WORDS = ("good", "expired", "not yet valid", "wrong name", "unknown authority")
LATER = 1.5  # seconds: an answer's timeout that is never over
SOON = 0.1  # seconds: one that is over when nobody speaks
CLOSED = "it is closed"

examine = Exercise(
    "examine",
    lesson=LESSON,
    wants="examine(address, name, authority, timeout)",
    task="Connect, ask for `name`, trust `authority` alone; return good, expired, not yet valid, wrong name or unknown "
    "authority, and raise everything else; wait at most `timeout` seconds for each step.",
    hints=(
        "A context that trusts one authority and nobody else: `ssl.create_default_context(cadata=…)`.",
        "The name that is compared is `server_hostname`, and it need not be what you connect to.",
        "`SSLCertVerificationError` has `verify_code`: 9 not yet valid, 10 expired, 62 another name.",
        "An authority that is not known has several numbers: 18 and 19 signed by itself, 20 not found.",
        "The timeout of `create_connection` stays with the socket, and holds for the handshake, too.",
    ),
)

converse = Exercise(
    "converse",
    lesson=LESSON,
    wants="converse(sock, tls, incoming, outgoing, request)",
    task="Do the handshake of `tls` over `sock`, send `request`, return all that the server says until its goodbye, "
    "say goodbye; let the ssl.SSLError out by which TLS tells that the stream was cut.",
    hints=(
        "Every call of `tls` may raise SSLWantReadError. Then send what lies in `outgoing`, receive, call it again.",
        "A function that repeats one step until it returns serves all four: handshake, write, read, unwrap.",
        "What lies in `outgoing` has to go also when a step succeeds: the last message of a handshake, the goodbye.",
        "When recv returns `b''`, say so to TLS: `incoming.write_eof()`. It knows whether that is a cut.",
        "`tls.read` returns `b''` after the server's close_notify. Ask the socket only when TLS wants more.",
    ),
    deadline=1.0,
)


# -- certificates ------------------------------------------------------------------------------------------------------


@cache
def authority(which: int = 0) -> trustme.CA:
    """The authority that the answer trusts; 1 is another one, of the same kind."""
    import trustme

    return trustme.CA()


def server_context(name: str = NAME, *, of: int = 0, years: tuple[int, int] | None = None, chain: bool = False) -> Any:
    """A server's context, its certificate for `name` and valid between two years; `chain`: its authority's beside."""
    dates = {}
    if years is not None:
        dates = {key: datetime.datetime(year, 1, 1) for key, year in zip(("not_before", "not_after"), years)}  # noqa: B905
    certificate = authority(of).issue_cert(name, **dates)  # type: ignore[arg-type]
    pem = certificate.private_key_and_cert_chain_pem.bytes() + (authority(of).cert_pem.bytes() if chain else b"")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with as_file(pem) as file:
        context.load_cert_chain(file)
    return context


@contextmanager
def as_file(data: bytes) -> Iterator[str]:
    """A path at which `data` can be read: OpenSSL takes certificates from files alone.

    Where the system can, the file has no name, so that it goes with the process (memfd_create(2)): an interrupt ends a
    check, and the process that it runs in, at any moment.
    """
    if sys.platform != "linux":
        import trustme

        with trustme.Blob(data).tempfile() as file:
            yield file
        return
    fd = os.memfd_create("certificate")
    try:
        os.write(fd, data)
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def pem(of: int = 0) -> str:
    return authority(of).cert_pem.bytes().decode()


# -- examine -----------------------------------------------------------------------------------------------------------


def meets(attempt: Attempt, word: str, context: ssl.SSLContext) -> None:
    """The answer is given a server with this context, and has to say `word`."""
    facts = attempt.seen.facts
    facts["word"] = word

    def heard(connection: Any, name: str | None, context: Any) -> None:
        facts["asked"] = name  # the client's server_hostname; None where that is an address

    context.sni_callback = heard

    def serve(conn: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(conn, server_side=True) as tls:
            tls.recv(1)

    server = attempt.server(serve)
    attempt.equal(attempt.call(server.address, NAME, pem(), LATER), word)
    attempt.nothing_left_open()


@examine.scenario("a certificate that is as it should be")
def is_good(attempt: Attempt) -> None:
    meets(attempt, "good", server_context())


@examine.scenario("one that was valid until 2021")
def was_valid(attempt: Attempt) -> None:
    meets(attempt, "expired", server_context(years=(2020, 2021)))


@examine.scenario("one that is valid from 2998 on")
def will_be_valid(attempt: Attempt) -> None:
    meets(attempt, "not yet valid", server_context(years=(2998, 2999)))


@examine.scenario("one for another name")
def for_another(attempt: Attempt) -> None:
    meets(attempt, "wrong name", server_context("thief.example"))


@examine.scenario("one of an authority that nobody knows")
def of_nobody(attempt: Attempt) -> None:
    meets(attempt, "unknown authority", server_context(of=1))


@examine.scenario("the same, and that authority's own certificate with it")
def with_its_authority(attempt: Attempt) -> None:
    meets(attempt, "unknown authority", server_context(of=1, chain=True))


@examine.scenario("a server that does not speak TLS")
def in_plain_words(attempt: Attempt) -> None:
    attempt.seen.facts["plain"] = True

    def serve(conn: socket.socket) -> None:
        conn.sendall(b"220 welcome\r\n")
        while conn.recv(4096):
            pass

    attempt.raises(ssl.SSLError, attempt.server(serve).address, NAME, pem(), LATER)
    attempt.nothing_left_open()


@examine.scenario("a server that says nothing")
def says_nothing(attempt: Attempt) -> None:
    attempt.seen.facts["silent"] = True
    attempt.raises(TimeoutError, attempt.listener().getsockname(), NAME, pem(), SOON)
    attempt.nothing_left_open()


@examine.misconception("nothing-verified", advice="Leave verify_mode as create_default_context has it: CERT_REQUIRED.")
def examine_none(seen: Seen) -> str | None:
    word = seen.facts.get("word", "good")
    if seen.result != "good" or word in ("good", "wrong name"):
        return None
    return f"It called a certificate good that is to be refused ({word}): its handshake verified nothing."


@examine.misconception("name-unchecked", advice="Give server_hostname, and leave check_hostname on.")
def examine_any_name(seen: Seen) -> str | None:
    if seen.result != "good" or seen.facts.get("word") != "wrong name":
        return None
    return f"It called a certificate for thief.example good, and wanted {NAME}: nobody compared the names."


@examine.misconception("no-hostname", advice="Pass server_hostname=name to wrap_socket.")
def examine_nameless(seen: Seen) -> str | None:
    if not seen.raised(ValueError) or "server_hostname" not in str(seen.error):
        return None
    return "It did not say whom it wants, and the context refused: without a name there is nothing to compare."


@examine.misconception("address-for-name", advice="Pass server_hostname=name: where it is reached is another matter.")
def examine_address(seen: Seen) -> str | None:
    if seen.facts.get("word") != "good" or "asked" not in seen.facts or seen.facts["asked"] == NAME:
        return None
    return "It asked the server for another name than it was given, its address perhaps, and refused what that has."


@examine.misconception("authority-unused", advice="Load it: create_default_context(cadata=authority).")
def examine_unloaded(seen: Seen) -> str | None:
    refused = seen.result == "unknown authority" or isinstance(seen.error, ssl.SSLCertVerificationError)
    if seen.facts.get("word") != "good" or not refused:
        return None
    return "It refused a certificate that `authority` has signed: its context did not know that authority."


@examine.misconception("refusal-escapes", advice="Catch ssl.SSLCertVerificationError, and look at its verify_code.")
def examine_escapes(seen: Seen) -> str | None:
    if not isinstance(seen.error, ssl.SSLCertVerificationError):
        return None
    return f"It let the exception out that says {shown(seen.error.verify_message)}; a word was asked for."


@examine.misconception("read-late", advice="Compare verify_code, one number for each reason.")
def examine_same_word(seen: Seen) -> str | None:
    word = seen.facts.get("word", "good")
    if word == "good" or seen.result not in WORDS or seen.result == word:
        return None
    return f"It said {shown(seen.result)} of a certificate that is refused for another reason: {word}."


@examine.misconception("other-words", advice="Return one of the five words, letter for letter.")
def examine_other_words(seen: Seen) -> str | None:
    if not isinstance(seen.result, str) or seen.result in WORDS or seen.facts.get("plain") or seen.facts.get("silent"):
        return None
    return f"It returned {shown(seen.result)}, which is none of the five words."


@examine.misconception("swallows", advice="Catch SSLCertVerificationError alone; the rest is for the caller.")
def examine_swallows(seen: Seen) -> str | None:
    if not seen.returned or not (seen.facts.get("plain") or seen.facts.get("silent")):
        return None
    who = "says nothing" if seen.facts.get("silent") else "does not speak TLS"
    return f"It returned {shown(seen.result)} of a server that {who}, and never saw a certificate."


@examine.misconception("no-timeout", advice="Give create_connection the timeout: the socket keeps it.")
def examine_patient(seen: Seen) -> str | None:
    if not seen.facts.get("silent") or not seen.blocked_in("handshake", "recv"):
        return None
    return "The server says nothing, and it waits for the handshake without an end."


# -- converse ----------------------------------------------------------------------------------------------------------


CUT = "UNEXPECTED_EOF_WHILE_READING"  # OpenSSL's word; the class is SSLEOFError in newer releases of Python


def tells_of_a_cut(error: BaseException | None) -> bool:
    return isinstance(error, ssl.SSLError) and error.reason == CUT


class Server:
    """The other end: TLS without a socket, so that what goes out can be cut into any pieces."""

    def __init__(self, attempt: Attempt, peer: socket.socket) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = server_context()
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # early releases of Python 3.10 and 3.11 have it on
        self.tls: ssl.SSLObject = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.peer, self.facts = peer, attempt.seen.facts

    def step(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function` when it has what it needs; what it has to say goes out at once."""
        while True:
            try:
                return function(*arguments)
            except ssl.SSLWantReadError:
                pass
            finally:
                self.flush()
            piece = self.peer.recv(65536)
            self.incoming.write(piece) if piece else self.incoming.write_eof()

    def flush(self) -> None:
        if piece := self.outgoing.read():
            self.peer.sendall(piece)

    def hear(self, size: int) -> None:
        """Take a request of `size` bytes."""
        heard = b""
        while len(heard) < size:
            piece = self.step(self.tls.read, 65536)
            if not piece:
                return
            heard += piece
        self.facts["heard"] = heard

    def goodbye(self) -> bytes:
        """Its close_notify, as bytes for the wire."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.outgoing.read()

    def wait_for_goodbye(self) -> None:
        with suppress(ssl.SSLError):
            self.step(self.tls.unwrap)
            self.facts["goodbye"] = True


def holds(
    attempt: Attempt,
    records: Iterable[bytes],
    *,
    request: bytes = b"what do you know?",
    pieces: int = 0,
    cut: bool = False,
) -> None:
    """A conversation: the request, and an answer of `records`, which arrives at once, or `pieces` bytes at a time."""
    sock, peer = attempt.connection()
    records = list(records)
    answer = b"".join(records)
    facts = attempt.seen.facts
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    facts.update(answer=answer, cut=cut, goodbye=False, heard=b"", all_out=False, outgoing=outgoing, sock=sock)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem())
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # as in Server
    tls = context.wrap_bio(incoming, outgoing, server_hostname=NAME)

    server = Server(attempt, peer)

    def serve() -> None:
        server.step(server.tls.do_handshake)
        server.hear(len(request))
        for record in records:
            server.tls.write(record)
        last = b"" if cut else server.goodbye()
        wire = server.outgoing.read() + last
        if pieces:
            dribble(peer, sock, wire, pieces)
        else:
            peer.sendall(wire)
        facts["all_out"] = True
        if cut:
            peer.shutdown(socket.SHUT_WR)
        else:
            server.wait_for_goodbye()

    beside = attempt.beside(serve)
    if cut:
        error = attempt.raises(ssl.SSLError, sock, tls, incoming, outgoing, request)
        attempt.want(tells_of_a_cut(error), f"it raises SSLError, {CUT}", f"it raised {type(error).__name__}")
    else:
        result = attempt.call(sock, tls, incoming, outgoing, request)
        attempt.equal(result, answer)
    attempt.want(sock.fileno() >= 0, "sock is open when it is done", CLOSED)
    attempt.equal(facts["heard"], request, "the server got")
    if not cut:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_WR)  # a goodbye that has not come by now will not come
        beside.join(1.0)
        facts["left"] = outgoing.pending
        attempt.want(facts["goodbye"], "the server gets a close_notify", "the connection ended without one")


@converse.scenario("an answer of one record")
def one_record(attempt: Attempt) -> None:
    holds(attempt, [b"nothing, and that well"])


@converse.scenario("an answer of five records, and the goodbye, in one piece")
def five_records(attempt: Attempt) -> None:
    holds(attempt, [b"one, ", b"two, ", b"three, ", b"four, ", b"five"])


@converse.scenario("an answer that arrives three bytes at a time")
def in_small_pieces(attempt: Attempt) -> None:
    holds(attempt, [b"slowly, ", b"and all of it"], pieces=3)


@converse.scenario("an answer of 200,000 bytes to a request of a megabyte")
def much_to_say(attempt: Attempt) -> None:
    holds(attempt, [b"x" * 10_000] * 20, request=b"?" * 1_000_000)


@converse.scenario("the line is cut before the goodbye")
def cut_off(attempt: Attempt) -> None:
    holds(attempt, [b"the sum is 100", b" and then"], cut=True)


@converse.misconception("want-read-escapes", advice="Catch it: carry what there is, either way, and call again.")
def converse_escapes(seen: Seen) -> str | None:
    if not seen.raised(ssl.SSLWantReadError):
        return None
    return "SSLWantReadError came out: TLS has asked for bytes of the other end, and nobody brought them."


@converse.misconception("nothing-carried", advice="Before you receive, send what outgoing.read() returns.")
def converse_unsent(seen: Seen) -> str | None:
    outgoing = seen.facts.get("outgoing")
    if not seen.blocked_in("recv") or outgoing is None or not outgoing.pending:
        return None
    return "It waits for the server, and the server for what lies in `outgoing`: TLS has no wire of its own."


@converse.misconception("asks-the-wire", advice="Call tls.read until it raises SSLWantReadError; only then recv.")
def converse_asks_first(seen: Seen) -> str | None:
    if not seen.blocked_in("recv") or not seen.facts.get("all_out"):
        return None
    return "It waits for the socket, and everything has come: one recv can bring many records, and the goodbye."


@converse.misconception("end-not-told", advice="When recv returns b'', call incoming.write_eof().")
def converse_end_not_told(seen: Seen) -> str | None:
    if not seen.facts.get("cut") or not seen.timed_out or not seen.ends_of_stream():
        return None
    return "The socket is at its end, and TLS was not told: so it asks for more, and recv returns b'' again and again."


@converse.misconception("cut-as-whole", advice="Let SSLError out, and tell TLS of the end: incoming.write_eof().")
def converse_cut(seen: Seen) -> str | None:
    if not seen.facts.get("cut") or not seen.returned:
        return None
    return f"The line was cut, and it returned {shown(seen.result)} as if that were the answer: no goodbye had come."


@converse.misconception(
    "another-error", advice="incoming.write_eof() lets the next call of TLS raise an SSLError that says so."
)
def converse_other_error(seen: Seen) -> str | None:
    if not seen.facts.get("cut") or seen.error is None or tells_of_a_cut(seen.error):
        return None
    return f"The line was cut, and it raised {type(seen.error).__name__}: what TLS itself says of that is {CUT}."


@converse.misconception("one-read", advice="Read until tls.read returns b''.")
def converse_one_read(seen: Seen) -> str | None:
    answer = seen.facts.get("answer", b"")
    if not isinstance(seen.result, bytes) or seen.result == answer or not answer.startswith(seen.result):
        return None
    return f"It returned {len(seen.result):,} bytes of {len(answer):,}: a read returns one record at most."


@converse.misconception("sock-closed", advice="Leave sock open: whoever made it closes it.")
def converse_closed(seen: Seen) -> str | None:
    if seen.came != CLOSED:
        return None
    return "It closed sock, which belongs to its caller."


@converse.misconception("goodbye-unsent", advice="After tls.unwrap(), send what lies in `outgoing` once more.")
def converse_goodbye_unsent(seen: Seen) -> str | None:
    if seen.facts.get("goodbye") or not seen.facts.get("left"):
        return None
    return "Its goodbye lies in `outgoing`: nobody has carried it to the server."


@converse.misconception("no-goodbye", advice="When tls.read returns b'', call tls.unwrap(), and carry what it makes.")
def converse_no_goodbye(seen: Seen) -> str | None:
    if seen.facts.get("goodbye") or "left" not in seen.facts:
        return None
    return "It went without a goodbye: for the server, the line may as well have been cut."
