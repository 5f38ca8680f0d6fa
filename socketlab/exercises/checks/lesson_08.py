"""The exercises of lesson 08: an answer after a half-close, an end told from a reset, a close that loses nothing.

Which end acts first decides what the other one sees, so nothing here is left to time. A client sends its next piece
when the one before has been read. One that must not read too early waits until the kernel has the answer's end in
another state than ESTABLISHED: from then on the answer has said that it has finished, or has closed.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from contextlib import suppress

from ...experiments.doors import wire
from ...trace.events import IN, OUT
from ..attempt import Attempt, until
from ..definition import Exercise
from ..dribble import arrived, dribble, taken, unread
from ..seen import Seen
from ..words import shown

LESSON = "08_closing"
LATER = 5.0  # seconds: a timeout beyond every deadline
SOON = 0.1  # seconds: a timeout that is meant to end

ASKED = 60_000  # bytes that lie unread when the answer is ready: they fit into any receive buffer
MORE = 200_000  # bytes that the client goes on sending: more than one recv can take
ANSWER = 300_000  # bytes: more than the client's kernel takes while nobody reads, less than the sender's takes

answer_sum = Exercise(
    "answer_sum",
    lesson=LESSON,
    wants="answer_sum(conn)",
    task="Receive whole numbers, one on each line, until the client has finished; then send their sum as text, without "
    "a line end. Leave `conn` to its owner.",
    hints=(
        "How many numbers there are is known when `recv` has returned `b''`, and not before.",
        "Collect the bytes in a loop: a number may arrive in two pieces. Take them apart after the loop.",
        "`data.split()` cuts at line ends and leaves no empty pieces; `int(b'12')` works on bytes as well.",
        "After `b''` you may still send: the client has finished talking, and listens. `str(total).encode()` is it.",
    ),
    deadline=1.0,
)

how_it_ended = Exercise(
    "how_it_ended",
    lesson=LESSON,
    wants="how_it_ended(sock)",
    task='Receive until it is over, and return `"end"` for a FIN, `"reset"` for an RST, `"timeout"` where nothing came '
    "for as long as `sock` waits.",
    hints=(
        "A loop of `recv` can be left in three ways: `b''`, and two exceptions.",
        "Both exceptions are OSErrors, so `except OSError` alone cannot tell them apart.",
        "`try` around the loop, then `except ConnectionResetError` and `except TimeoutError`, with a `return` in each.",
    ),
    deadline=1.0,
)

hang_up = Exercise(
    "hang_up",
    lesson=LESSON,
    wants="hang_up(conn, answer)",
    task="Send `answer`, then close `conn` so that the client gets all of it; where the client is silent for as long "
    "as `conn` waits, or breaks off, close without an error.",
    hints=(
        "Closing with bytes unread sends a reset, and throws away what the kernel has not sent yet.",
        "So read until `b''` before you close. Who has to speak first, so that the client ends?",
        "Send, `shutdown(SHUT_WR)`, read until `b''`, close: in that order.",
        "A client that never ends is a `TimeoutError` in the loop, one that breaks off a `ConnectionError`: OSErrors.",
        "`with conn:` around all of it closes on every way out.",
    ),
)


# -- what the scenarios share ------------------------------------------------------------------------------------------


def hear(attempt: Attempt, sock: socket.socket, ended: str = "end") -> bytes:
    """All that comes before the conversation is over; `facts` has how it ended.

    A reset is told once: `ended` is "reset" already where another call has raised it.
    """
    heard = b""
    try:
        while piece := sock.recv(65536):
            heard += piece
    except OSError:
        ended = "reset"
    attempt.seen.facts["ended"] = ended
    return heard


# -- answer_sum --------------------------------------------------------------------------------------------------------


def adds(attempt: Attempt, pieces: list[bytes], total: int) -> None:
    """`pieces` one at a time, each when the one before has been read, then the half-close; `total` has to be heard."""
    conn, peer = attempt.connection()
    facts = attempt.seen.facts
    facts["pieces"], facts["wanted"], facts["heard"] = pieces, str(total).encode(), b""

    def talk() -> None:
        with suppress(OSError):  # it has returned before
            for piece in pieces:
                dribble(peer, conn, piece, len(piece))
            peer.shutdown(socket.SHUT_WR)
        facts["heard"] = hear(attempt, peer)

    beside = attempt.beside(talk)
    attempt.call(conn)
    conn.close()  # as its owner does
    beside.join(1.0)
    attempt.equal(facts["heard"], facts["wanted"], "the client hears")


@answer_sum.scenario("three numbers, and the half-close")
def three_numbers(attempt: Attempt) -> None:
    adds(attempt, [b"10\n20\n30\n"], 60)


@answer_sum.scenario("the client thinks before its last number")
def thinks(attempt: Attempt) -> None:
    adds(attempt, [b"10\n", b"20\n"], 30)


@answer_sum.scenario("a number that arrives in two pieces")
def in_two_pieces(attempt: Attempt) -> None:
    adds(attempt, [b"10\n2", b"0\n30\n"], 60)


@answer_sum.scenario("no number at all")
def no_number(attempt: Attempt) -> None:
    adds(attempt, [], 0)


@answer_sum.scenario("2,000 numbers, the last without a line end")
def many(attempt: Attempt) -> None:
    draw = random.Random(8)
    numbers = [draw.randint(-9999, 9999) for _ in range(2000)]
    text = "\n".join(map(str, numbers)).encode()
    adds(attempt, [text[:5000], text[5000:]], sum(numbers))


def sent_before_the_end(seen: Seen) -> bool:
    """Whether the answer sent anything before a recv had returned b''."""
    for event in seen.calls:
        if event.direction == OUT and event.size:
            return True
        if event.direction == IN and event.size == 0 and event.failure is None:
            return False
    return False


@answer_sum.misconception("answers-early", advice="Answer after the loop that ends with b''.")
def sum_early(seen: Seen) -> str | None:
    if not sent_before_the_end(seen):
        return None
    return "It answered before recv() had returned b'': more numbers may come, as long as the client has not finished."


@answer_sum.misconception("end-without-answer", advice="After b'' send the answer: only one direction is shut.")
def sum_silent(seen: Seen) -> str | None:
    if not seen.returned or seen.sent or not seen.ends_of_stream():
        return None
    return (
        "recv() returned b'', and it returned without a word: the client has finished sending, and waits for the sum."
    )


@answer_sum.misconception("shut-before-answer", advice="Answer first; your own FIN says that nothing more will come.")
def sum_shut(seen: Seen) -> str | None:
    if not seen.failed("BrokenPipeError") or not seen.made("shutdown"):
        return None
    return "It shut its own sending before the answer: send() failed with EPIPE, not because the client was gone."


@answer_sum.misconception("cut-number", advice="Collect all bytes first, and take them apart after the end.")
def sum_cut(seen: Seen) -> str | None:
    pieces = seen.facts.get("pieces", ())
    heard = seen.facts.get("heard", b"")
    wrong = sum(int(number) for piece in pieces for number in piece.split() if number.strip(b"-"))
    if not pieces or not heard or heard.strip() == seen.facts["wanted"] or heard.strip() != str(wrong).encode():
        return None
    return (
        "A recv ended inside a number, and the two halves were added: a recv ends where the bytes ended that had come."
    )


@answer_sum.misconception("nothing-to-add", advice="Begin with 0 and add; with data.split() nothing is no number.")
def sum_of_nothing(seen: Seen) -> str | None:
    if not seen.raised(ValueError) or seen.facts.get("pieces"):
        return None
    return "The client sent no number at all, and it raised ValueError: b'' is no number, and the sum of nothing is 0."


@answer_sum.misconception("empty-piece", advice="Cut with data.split(), which leaves no empty pieces.")
def sum_empty_piece(seen: Seen) -> str | None:
    if not seen.raised(ValueError) or not seen.facts.get("pieces"):
        return None
    return "It raised ValueError: after the last line end, split(b'\\n') leaves an empty piece, which is no number."


@answer_sum.misconception("not-as-text", advice="Send digits: str(total).encode().")
def sum_packed(seen: Seen) -> str | None:
    heard, wanted = seen.facts.get("heard", b""), seen.facts.get("wanted", b"")
    if not heard or heard == wanted or all(chr(byte).isprintable() or byte in b"\r\n" for byte in heard):
        return None
    return f"The client hears {shown(heard, 40)}: the number's own bytes, where its digits were wanted."


@answer_sum.misconception("line-end", advice="Send the digits alone.")
def sum_line_end(seen: Seen) -> str | None:
    heard, wanted = seen.facts.get("heard", b""), seen.facts.get("wanted", b"")
    if heard == wanted or heard.strip() != wanted or not wanted:
        return None
    return f"The client hears {shown(heard, 40)}: the sum is right, and there is more around it than digits."


# -- how_it_ended ------------------------------------------------------------------------------------------------------


def ends_as(attempt: Attempt, wanted: str) -> None:
    attempt.equal(attempt.call(attempt.seen.facts["sock"]), wanted)


def conversation(attempt: Attempt, wanted: str, seconds: float = LATER) -> tuple[socket.socket, socket.socket]:
    sock, peer = attempt.connection()
    sock.settimeout(seconds)
    attempt.seen.facts.update(sock=sock, wanted=wanted)
    return sock, peer


@how_it_ended.scenario("some words, and the end")
def words_and_end(attempt: Attempt) -> None:
    sock, peer = conversation(attempt, "end")
    peer.sendall(b"good")
    arrived(sock, 4)

    def talk() -> None:
        with suppress(OSError):
            taken(sock)
            dribble(peer, sock, b"bye", 1)
        peer.close()

    attempt.beside(talk)
    ends_as(attempt, "end")


@how_it_ended.scenario("a reset, while it waits for more")
def reset_in_the_middle(attempt: Attempt) -> None:
    sock, peer = conversation(attempt, "reset")
    peer.sendall(b"good")
    arrived(sock, 4)

    def talk() -> None:
        with suppress(OSError):
            taken(sock)
        wire.abort(peer)

    attempt.beside(talk)
    ends_as(attempt, "reset")


@how_it_ended.scenario("words that arrive, and a reset behind them")
def reset_behind(attempt: Attempt) -> None:
    sock, peer = conversation(attempt, "reset")
    peer.sendall(b"good bye")
    arrived(sock, 8)
    wire.abort(peer)
    until(lambda: wire.state_of(sock) == "CLOSE", 0.5)
    ends_as(attempt, "reset")


@how_it_ended.scenario("some words, and then silence")
def words_and_silence(attempt: Attempt) -> None:
    _, peer = conversation(attempt, "timeout", SOON)
    peer.sendall(b"wait a moment")
    ends_as(attempt, "timeout")


def returned(seen: Seen, word: str) -> bool:
    return seen.returned and seen.result == word


@how_it_ended.misconception("reset-told-once", advice="Return at the first error: a reset is told once.")
def ended_told_once(seen: Seen) -> str | None:
    if not returned(seen, "end") or not seen.failed("ConnectionResetError") or not seen.ends_of_stream():
        return None
    return (
        "recv() raised ConnectionResetError, it called recv() again, and took the b'' that follows a reset for an end."
    )


@how_it_ended.misconception("reset-taken-for-end", advice='Return "reset" where recv raises ConnectionResetError.')
def ended_reset(seen: Seen) -> str | None:
    if not returned(seen, "end") or not seen.failed("ConnectionResetError"):
        return None
    return 'recv() raised ConnectionResetError, and it returned "end": whoever asks believes that nothing is missing.'


@how_it_ended.misconception("timeout-taken-for-end", advice='Return "timeout" where recv raises TimeoutError.')
def ended_silence(seen: Seen) -> str | None:
    if not returned(seen, "end") or not seen.failed("TimeoutError"):
        return None
    return 'recv() raised TimeoutError, and it returned "end": the peer is silent, and may go on at any time.'


@how_it_ended.misconception(
    "timeout-taken-for-reset", advice="Catch TimeoutError and ConnectionResetError, each alone."
)
def ended_os_error(seen: Seen) -> str | None:
    if not returned(seen, "reset") or not seen.failed("TimeoutError"):
        return None
    return (
        'recv() raised TimeoutError, and it returned "reset": TimeoutError is an OSError too, and stands for silence.'
    )


@how_it_ended.misconception("one-recv", advice="Call recv in a loop, until b'' or an exception.")
def ended_at_once(seen: Seen) -> str | None:
    over = seen.ends_of_stream() or seen.failed()
    if not seen.returned or over or not seen.received:
        return None
    return f"It returned {shown(seen.result, 30)} when bytes had come, and neither b'' nor an error: it was not over."


@how_it_ended.misconception("error-escapes", advice="Catch the error, and return the word for it.")
def ended_escapes(seen: Seen) -> str | None:
    if not seen.raised(ConnectionResetError, TimeoutError):
        return None
    return f"It raised {type(seen.error).__name__}, which is one of the three ends that it was asked for."


@how_it_ended.misconception("another-word", advice='Return one of the words "end", "reset" and "timeout".')
def ended_word(seen: Seen) -> str | None:
    if not seen.returned or seen.result is None or seen.result in ("end", "reset", "timeout"):
        return None
    return f"It returned {shown(seen.result, 40)}, which is none of the three words."


# -- hang_up -----------------------------------------------------------------------------------------------------------


def closed(attempt: Attempt, conn: socket.socket) -> None:
    attempt.seen.facts["open"] = wire.is_open(conn)
    attempt.want(not wire.is_open(conn), "conn is closed", "it is still open")


def got_all(attempt: Attempt, heard: bytes | None, answer: bytes) -> None:
    """The client has heard `answer` and its end. How much of it came before a reset differs from run to run."""
    ended = attempt.seen.facts.get("ended")
    part = "all of it" if heard == answer else "a part of it" if heard else "nothing of it"
    expected = f"the client hears all {len(answer):,} bytes of the answer, and the end"
    attempt.want(
        heard == answer and ended == "end", expected, f"{part}, and {'a reset' if ended == 'reset' else 'the end'}"
    )


def announced(conn: socket.socket) -> None:
    """Wait until this end has sent its FIN, or is closed; for a while, where it does neither."""
    until(lambda: wire.state_of(conn) != "ESTABLISHED", 0.5)


def drained(conn: socket.socket, peer: socket.socket) -> None:
    """Wait until this end has taken all that the client has sent, or is closed; for a while, where it does neither."""

    def done() -> bool:
        try:
            return not wire.queued(peer) and not unread(conn)
        except ConnectionError:
            return True

    until(done, 0.5)


def hangs_up(
    attempt: Attempt, conn: socket.socket, answer: bytes, talk: Callable[[], None], heard: list[bytes]
) -> None:
    """Call the answer while the client talks; the client has to hear all of `answer`, and conn has to be closed."""
    beside = attempt.beside(talk)
    attempt.call(conn, answer)
    closed(attempt, conn)
    beside.join(1.0)
    got_all(attempt, b"".join(heard), answer)


@hang_up.scenario("the client reads the answer, and closes")
def reads_and_closes(attempt: Attempt) -> None:
    conn, peer = attempt.connection()
    conn.settimeout(LATER)
    heard: list[bytes] = []

    def talk() -> None:
        heard.append(peer.recv(100))
        announced(conn)
        heard.append(hear(attempt, peer))
        peer.close()

    hangs_up(attempt, conn, b"no", talk, heard)


@hang_up.scenario("the client is still sending")
def still_sending(attempt: Attempt) -> None:
    conn, peer = attempt.connection()
    conn.settimeout(LATER)
    answer = bytes(ANSWER)
    heard: list[bytes] = []
    peer.sendall(bytes(ASKED))
    arrived(conn, ASKED)

    def talk() -> None:
        announced(conn)
        ended = "end"
        try:
            peer.sendall(bytes(MORE))
            drained(conn, peer)  # who hears the whole answer first misses the reset
        except OSError:
            ended = "reset"
        heard.append(hear(attempt, peer, ended))
        peer.close()

    hangs_up(attempt, conn, answer, talk, heard)


@hang_up.scenario("the client waits for the end before it closes")
def waits_for_end(attempt: Attempt) -> None:
    conn, peer = attempt.connection()
    conn.settimeout(LATER)
    heard: list[bytes] = []
    peer.sendall(b"a question")
    arrived(conn, 10)

    def talk() -> None:
        heard.append(hear(attempt, peer))
        peer.close()

    hangs_up(attempt, conn, b"no", talk, heard)


@hang_up.scenario("the client never closes")
def never_closes(attempt: Attempt) -> None:
    conn, peer = attempt.connection()
    conn.settimeout(SOON)
    attempt.call(conn, b"no")
    closed(attempt, conn)
    got_all(attempt, hear(attempt, peer), b"no")


@hang_up.scenario("the client breaks off")
def breaks_off(attempt: Attempt) -> None:
    conn, peer = attempt.connection()
    conn.settimeout(LATER)

    def talk() -> None:
        peer.recv(100)
        announced(conn)
        wire.abort(peer)

    attempt.beside(talk)
    attempt.call(conn, b"no")
    closed(attempt, conn)


def waits_unheard(seen: Seen) -> bool:
    return seen.blocked_in("recv") and not seen.made("shutdown")


@hang_up.misconception("reads-before-it-answers", advice="Send the answer first; drain when it is on its way.")
def hang_reads(seen: Seen) -> str | None:
    if not waits_unheard(seen) or seen.sent:
        return None
    return "It waits in recv() for the client's end, and has not answered: the client will not close before it has."


@hang_up.misconception("no-end-announced", advice="Call shutdown(SHUT_WR) between the answer and the loop.")
def hang_deadlock(seen: Seen) -> str | None:
    if not waits_unheard(seen):
        return None
    return (
        "It waits in recv() for the client's end, and the client waits for the end of the answer: nobody has said it."
    )


@hang_up.misconception("drained-in-part", advice="Read in a loop, until b''.")
def hang_once(seen: Seen) -> str | None:
    if seen.facts.get("ended") != "reset" or not seen.made("recv") or seen.ends_of_stream():
        return None
    return "It read what was there and closed, and the client was still sending: bytes for a closed socket are a reset."


@hang_up.misconception("closed-unread", advice="After shutdown(SHUT_WR), read until b'' before you close.")
def hang_unread(seen: Seen) -> str | None:
    if seen.facts.get("ended") != "reset":
        return None
    return "It closed while bytes of the client were unread: that is a reset, and the answer's rest was thrown away."


@hang_up.misconception("silence-escapes", advice="Catch TimeoutError around the loop, and close.")
def hang_silence(seen: Seen) -> str | None:
    if not seen.raised(TimeoutError):
        return None
    return "The client was silent, and it raised TimeoutError: the answer is sent, and the caller cannot do more."


@hang_up.misconception("reset-escapes", advice="Catch ConnectionError around the loop, and close.")
def hang_reset(seen: Seen) -> str | None:
    if not seen.raised(ConnectionError):
        return None
    return f"The client broke off, and it raised {type(seen.error).__name__}: who hangs up first is no error here."


@hang_up.misconception("not-closed", advice="Close on every way out: `with conn:`, or try and finally.")
def hang_open(seen: Seen) -> str | None:
    if not seen.facts.get("open"):
        return None
    return "It returned, and conn is still open: shutdown() ends the conversation, close() gives the descriptor back."
