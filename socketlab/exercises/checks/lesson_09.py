"""The exercises of lesson 09: give a timeout back, look without waiting, read within a deadline.

Time is part of what is asked here, so some scenarios take some: a tenth of a second for a silence, two for a drip. What
tells right from wrong is nevertheless an event: a byte that came although the answer should have been gone, a drip that
had ended before it gave up. The margins around that are larger than what a busy machine makes a thread wait.
"""

from __future__ import annotations

import socket
import time

from ...experiments.doors.wire import abort
from ..attempt import Attempt, Raised, Unmet, until
from ..definition import Exercise
from ..dribble import arrived, dribble
from ..seen import Seen
from ..words import shown

LESSON = "09_waiting"
CALLERS = 7.5  # s: a timeout that no answer sets by chance

ask_within = Exercise(
    "ask_within",
    lesson=LESSON,
    wants="ask_within(sock, question, seconds)",
    task="Send `question` and return what one recv returns; neither waits longer than `seconds`. Afterwards the "
    "socket's timeout is what it was, also where it was None or 0, and also where something was raised.",
    hints=(
        "`gettimeout()` tells what the caller has set; keep it before you set your own.",
        "What has to be done on every way out stands in a `finally`.",
        "`settimeout()` takes all that `gettimeout()` returns: no `if` is needed.",
    ),
)

try_recv = Exercise(
    "try_recv",
    lesson=LESSON,
    wants="try_recv(sock, size)",
    task="Never wait: return what is there, `size` bytes at most; `b''` where the peer has closed; None where nothing "
    "is there yet. Other errors go to the caller, and the socket is left as it was.",
    hints=(
        "A call that would have to wait raises `BlockingIOError`, if the socket is non-blocking.",
        "`MSG_DONTWAIT` is not enough: with a timeout, Python waits before the kernel hears of the flag.",
        "Keep `gettimeout()`, set 0, and put it back in a `finally`, as in `ask_within`.",
    ),
)

read_by_deadline = Exercise(
    "read_by_deadline",
    lesson=LESSON,
    wants="read_by_deadline(sock, size, seconds)",
    task="Return exactly `size` bytes, all of them within `seconds` from the start. Raise TimeoutError when the time "
    "is up, EOFError where the peer closes before. Bytes after the `size` stay in the socket.",
    hints=(
        "Work out once, before the first recv, at which moment of `time.monotonic()` it has to be over.",
        "In the loop: what is left until then? If nothing is left, `raise TimeoutError`; do not ask recv.",
        "Then `sock.settimeout(left)`, and a recv of the bytes that are still missing.",
        "recv returns b'' where the peer has closed: that is the EOFError.",
    ),
)


def given_back(attempt: Attempt, sock: socket.socket, before: float | None) -> None:
    """The socket is open still, and waits as before; so does whoever makes a socket next."""
    facts = attempt.seen.facts
    facts["closed"] = sock.fileno() == -1
    facts["before"], facts["after"], facts["default"] = before, sock.gettimeout(), socket.getdefaulttimeout()
    attempt.want(not facts["closed"], "the socket is open", "it was closed")
    attempt.want(facts["default"] is None, "the default timeout is None", f"it is {facts['default']}")
    attempt.want(facts["after"] == before, f"the timeout is {before} again", f"it is {facts['after']}")


def changed(seen: Seen) -> bool:
    """The answer came back, and the timeout is another one."""
    return "after" in seen.facts and seen.facts["after"] != seen.facts["before"]


# -- ask_within --------------------------------------------------------------------------------------------------------

QUESTION, ANSWER = b"how long will it take?", b"not long"
SECONDS = 1.0
PAUSE = 0.15  # s before the peer answers: a recv that does not wait finds nothing


def asks(attempt: Attempt, before: float | None) -> None:
    """A peer that reads the question, thinks, and answers."""
    sock, peer = attempt.connection()
    sock.settimeout(before)

    def reply() -> None:
        heard = b""
        while len(heard) < len(QUESTION):
            piece = peer.recv(100)
            if not piece:
                return
            heard += piece
        time.sleep(PAUSE if before == 0 else 0.0)
        peer.sendall(ANSWER)

    attempt.beside(reply)
    attempt.equal(attempt.call(sock, QUESTION, SECONDS), ANSWER)
    given_back(attempt, sock, before)


@ask_within.scenario("a caller with a timeout of 7.5")
def asks_with_a_timeout(attempt: Attempt) -> None:
    asks(attempt, CALLERS)


@ask_within.scenario("a caller that waits for ever")
def asks_for_ever(attempt: Attempt) -> None:
    asks(attempt, None)


@ask_within.scenario("a caller that never waits")
def asks_non_blocking(attempt: Attempt) -> None:
    asks(attempt, 0)


@ask_within.scenario("a peer that stays silent")
def asks_the_silent(attempt: Attempt) -> None:
    sock, _ = attempt.connection()
    attempt.raises(TimeoutError, sock, QUESTION, 0.1)
    given_back(attempt, sock, None)


@ask_within.scenario("a peer that does not read")
def asks_the_deaf(attempt: Attempt) -> None:
    sock, _ = attempt.connection()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    attempt.raises(TimeoutError, sock, bytes(16_000_000), 0.1)  # more than both buffers hold
    given_back(attempt, sock, None)


@ask_within.scenario("a peer that breaks the connection")
def asks_the_broken(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    sock.settimeout(CALLERS)

    def breaks() -> None:
        peer.recv(1)
        abort(peer)

    attempt.beside(breaks)
    attempt.raises(ConnectionError, sock, QUESTION, SECONDS)
    given_back(attempt, sock, CALLERS)


@ask_within.misconception("default-changed", advice="Set the timeout of the socket that you were given, and no other.")
def ask_default(seen: Seen) -> str | None:
    if seen.facts.get("default") is None and socket.getdefaulttimeout() is None:
        return None
    return (
        "It called setdefaulttimeout(), which is for sockets to come, of the whole process; this one was made before."
    )


@ask_within.misconception("closes-it", advice="Leave the socket open; who made it closes it.")
def ask_closed(seen: Seen) -> str | None:
    return "It closed the socket, which its caller wants to use again." if seen.facts.get("closed") else None


@ask_within.misconception(
    "send-unbounded", advice="Set the timeout before the first call that may wait: sendall is one."
)
def ask_send(seen: Seen) -> str | None:
    if not seen.blocked_in("send"):
        return None
    return "It is blocked in sendall(): the peer reads nothing, both buffers are full, and no timeout was set by then."


@ask_within.misconception("unbounded", advice="Call settimeout(seconds) before you ask.")
def ask_unbounded(seen: Seen) -> str | None:
    if not seen.blocked_in("recv"):
        return None
    return "It is blocked in recv(): the peer stays silent, and the caller's timeout is None."


@ask_within.misconception("callers-zero", advice="Set your own timeout, whatever the caller's is.")
def ask_zero(seen: Seen) -> str | None:
    if not seen.raised(BlockingIOError):
        return None
    return "It raised BlockingIOError: the caller's timeout is 0, so nothing waited for the answer."


@ask_within.misconception("swallowed", advice="Let the exception go to the caller; a finally does not stop it.")
def ask_swallowed(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected.startswith("it raises")):
        return None
    return f"It returned {shown(seen.result, 30)} where an exception was due: the caller takes that for an answer."


@ask_within.misconception("for-ever-after", advice="Keep what gettimeout() returns, and set that again.")
def ask_for_ever(seen: Seen) -> str | None:
    if not changed(seen) or seen.facts["after"] is not None:
        return None
    return (
        f"The caller's timeout was {seen.facts['before']:g}, and now it is None: setblocking(True) and "
        "settimeout(None) forget the number."
    )


@ask_within.misconception("not-after-an-error", advice="Put the timeout back in a finally.")
def ask_not_after_error(seen: Seen) -> str | None:
    if not changed(seen) or not seen.scenario.startswith("a peer"):
        return None
    return "Something was raised, and the line that puts the timeout back was never reached."


@ask_within.misconception(
    "none-and-zero", advice="None and 0 are timeouts as well: settimeout() takes both, without if."
)
def ask_falsy(seen: Seen) -> str | None:
    if not changed(seen) or seen.facts["before"]:
        return None
    return (
        f"It gave 7.5 back, and not {seen.facts['before']}: an if took that for no timeout at all, and left its own, "
        f"{seen.facts['after']:g}."
    )


@ask_within.misconception(
    "not-given-back", advice="Keep gettimeout() before you set yours, and set it again at the end."
)
def ask_not_given(seen: Seen) -> str | None:
    if not changed(seen):
        return None
    return f"The caller's timeout was {shown(seen.facts['before'])}, and now it is {shown(seen.facts['after'])}."


# -- try_recv ----------------------------------------------------------------------------------------------------------

MUCH = 0.6  # s after which an answer has waited: nothing in a right one takes that long


def finds_nothing(attempt: Attempt, before: float | None) -> None:
    """Nothing is there. To an answer that waits, something comes in the end."""
    sock, peer = attempt.connection()
    sock.settimeout(before)
    attempt.seen.facts["before"] = before

    def late() -> None:
        if not until(lambda: attempt.seen.returned or attempt.seen.error is not None, MUCH):
            attempt.seen.facts["waited"] = True
            peer.sendall(b"late")

    beside = attempt.beside(late)
    result = attempt.call(sock, 100)
    beside.join(2.0)
    attempt.want(not attempt.seen.facts.get("waited"), "None, at once", "it waited until something came")
    attempt.want(result is None, "None: nothing is there", f"it returned {shown(result)}")
    given_back(attempt, sock, before)


@try_recv.scenario("five bytes are there")
def tries_bytes(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    peer.sendall(b"hello")
    arrived(sock, 5)
    for before, size, wanted in ((None, 3, b"hel"), (CALLERS, 1, b"l"), (0, 100, b"o")):
        sock.settimeout(before)
        attempt.seen.facts["size"] = size
        attempt.equal(attempt.call(sock, size), wanted)
        given_back(attempt, sock, before)


@try_recv.scenario("nothing is there, on a blocking socket")
def tries_blocking(attempt: Attempt) -> None:
    finds_nothing(attempt, None)


@try_recv.scenario("nothing is there, on a socket with a timeout")
def tries_with_a_timeout(attempt: Attempt) -> None:
    finds_nothing(attempt, CALLERS)


@try_recv.scenario("nothing is there, on a non-blocking socket")
def tries_non_blocking(attempt: Attempt) -> None:
    finds_nothing(attempt, 0)


@try_recv.scenario("the peer has closed")
def tries_the_end(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    sock.settimeout(CALLERS)
    peer.close()
    until(lambda: _peek(sock) == b"")
    attempt.equal(attempt.call(sock, 100), b"")
    given_back(attempt, sock, CALLERS)


@try_recv.scenario("the connection broke")
def tries_broken(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    sock.settimeout(CALLERS)
    abort(peer)
    attempt.raises(ConnectionError, sock, 100)
    given_back(attempt, sock, CALLERS)


def _peek(sock: socket.socket) -> bytes | None:
    """What lies there, left where it is; None where nothing does."""
    sock.settimeout(0)
    try:
        return sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return None
    finally:
        sock.settimeout(CALLERS)


@try_recv.misconception(
    "flag-after-the-wait", advice="Borrow the timeout: keep it, set 0, and give it back in a finally."
)
def try_flag(seen: Seen) -> str | None:
    if not (seen.facts.get("waited") and any("DONTWAIT" in str(event) for event in seen.made("recv", "recv_into"))):
        return None
    return "It gave MSG_DONTWAIT, and waited: on a socket with a timeout Python waits first, and then asks the kernel."


@try_recv.misconception("waits", advice="Set the timeout to 0 for this one call.")
def try_waits(seen: Seen) -> str | None:
    if not (seen.facts.get("waited") or seen.blocked_in("recv", "select") or seen.raised(TimeoutError)):
        return None
    return "Nothing was there, and it waited until something came."


@try_recv.misconception("raises-it", advice="Catch BlockingIOError, and return None.")
def try_raises(seen: Seen) -> str | None:
    if not seen.raised(BlockingIOError):
        return None
    return "It raised BlockingIOError where nothing was there yet; the caller wants None for that."


@try_recv.misconception(
    "nothing-is-the-end", advice="Return None where nothing is there; b'' is the end of the stream."
)
def try_empty(seen: Seen) -> str | None:
    if not (seen.returned and seen.result == b"" and seen.scenario.startswith("nothing")):
        return None
    return "It returned b'' where nothing was there yet: the caller takes that for the end, and hangs up."


@try_recv.misconception("end-is-nothing", advice="Return what recv returns, b'' too.")
def try_end(seen: Seen) -> str | None:
    if not (seen.returned and seen.result is None and seen.scenario == "the peer has closed"):
        return None
    return "The peer has closed, and it returned None: the caller asks again, and again, for ever."


@try_recv.misconception("error-swallowed", advice="Catch BlockingIOError alone: other errors are for the caller.")
def try_swallowed(seen: Seen) -> str | None:
    if not (seen.returned and seen.expected.startswith("it raises")):
        return None
    return f"The connection broke, and it returned {shown(seen.result, 30)}: an except was too wide."


@try_recv.misconception("size-ignored", advice="Hand size on to recv.")
def try_size(seen: Seen) -> str | None:
    size, result = seen.facts.get("size"), seen.result
    if size is None or not isinstance(result, bytes) or len(result) <= size:
        return None
    return f"It was asked for {size} bytes at most and returned {len(result)}."


@try_recv.misconception("for-ever-after", advice="Keep what gettimeout() returns, and set that again.")
def try_for_ever(seen: Seen) -> str | None:
    if not changed(seen) or seen.facts["after"] is not None:
        return None
    return (
        f"The caller's timeout was {seen.facts['before']:g}, and now it is None: setblocking(True) and "
        "settimeout(None) forget the number."
    )


@try_recv.misconception("not-after-an-error", advice="Put the timeout back in a finally.")
def try_not_after_error(seen: Seen) -> str | None:
    if not changed(seen) or not (seen.error is not None or seen.scenario == "the connection broke"):
        return None
    return "An error was raised, and the line that puts the timeout back was never reached."


@try_recv.misconception("left-non-blocking", advice="Give the caller's timeout back, on every way out.")
def try_left(seen: Seen) -> str | None:
    if not changed(seen) or seen.facts["after"] != 0:
        return None
    return "It left the socket non-blocking: the caller's next recv raises BlockingIOError, far from here."


# -- read_by_deadline --------------------------------------------------------------------------------------------------

EIGHT, MORE = b"12345678", b"and more"
DRIPS, GAP, BUDGET = 60, 0.01, 0.3  # bytes, s between two of them, s for all: half of what is needed


@read_by_deadline.scenario("eight bytes at once, and more behind them")
def reads_at_once(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    peer.sendall(EIGHT + MORE)
    arrived(sock, len(EIGHT + MORE))
    attempt.equal(attempt.call(sock, len(EIGHT), 1.0), EIGHT)
    sock.settimeout(0)
    try:
        left = sock.recv(100)
    except BlockingIOError:
        left = b""
    attempt.seen.facts["left"] = left
    attempt.want(left == MORE, f"{MORE!r} is still in the socket", f"there is {left!r}" if left else "there is nothing")


@read_by_deadline.scenario("a byte at a time, fast")
def reads_bytes(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    attempt.beside(dribble, peer, sock, EIGHT)
    attempt.equal(attempt.call(sock, len(EIGHT), 1.5), EIGHT)


@read_by_deadline.scenario("late, and then all at once")
def reads_late(attempt: Attempt) -> None:
    sock, peer = attempt.connection()

    def late() -> None:
        time.sleep(0.15)
        peer.sendall(EIGHT)

    attempt.beside(late)
    attempt.equal(attempt.call(sock, len(EIGHT), 0.8), EIGHT)


@read_by_deadline.scenario("silence")
def reads_silence(attempt: Attempt) -> None:
    sock, _ = attempt.connection()
    attempt.raises(TimeoutError, sock, len(EIGHT), 0.1)


@read_by_deadline.scenario("a drip that takes longer than the time")
def reads_drip(attempt: Attempt) -> None:
    sock, peer = attempt.connection()

    facts = attempt.seen.facts

    def drips() -> None:
        for n in range(DRIPS):
            if facts.get("over"):
                return
            facts["dripped"] = n == DRIPS - 1
            peer.sendall(b"%d" % (n % 10))
            time.sleep(GAP)

    beside = attempt.beside(drips)
    try:
        attempt.raises(TimeoutError, sock, DRIPS, BUDGET)
        facts["gave up"] = True
    except Unmet as unmet:
        result = attempt.seen.result
        if isinstance(result, (bytes, bytearray)) and len(result) < DRIPS:  # how many, the clock decides
            raise Unmet(unmet.expected, "it returned what had come by then") from None
        raise
    except Raised:
        # A timeout of 0 or less, where the last byte came in the last moment. Whether it did, the clock decides, so the
        # scenario without any time tells it.
        if not isinstance(attempt.seen.error, (BlockingIOError, ValueError)):
            raise
        attempt.seen.expected, attempt.seen.came, attempt.seen.error = "", "", None
    finally:
        facts["over"] = True
    beside.join(2.0)
    attempt.want(not facts["dripped"], "TimeoutError in time", "it raised it after the drip's end")


@read_by_deadline.scenario("no time at all")
def reads_no_time(attempt: Attempt) -> None:
    sock, _ = attempt.connection()
    attempt.raises(TimeoutError, sock, len(EIGHT), 0)


@read_by_deadline.scenario("the peer closes after three of eight")
def reads_to_the_end(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    peer.sendall(EIGHT[:3])
    peer.close()
    attempt.raises(EOFError, sock, len(EIGHT), 0.5)


@read_by_deadline.misconception(
    "less-than-nothing", advice="Where nothing is left, raise TimeoutError yourself, before settimeout()."
)
def read_negative(seen: Seen) -> str | None:
    if not (seen.raised(ValueError) and seen.failed("ValueError")):
        return None
    return "settimeout() was given less than 0: the deadline had passed, and the rest of the time was not looked at."


@read_by_deadline.misconception(
    "zero-is-non-blocking", advice="Where nothing is left, raise TimeoutError yourself, before settimeout()."
)
def read_zero(seen: Seen) -> str | None:
    if not seen.raised(BlockingIOError):
        return None
    return "It raised BlockingIOError: a timeout of 0 does not mean that no time is left, but never to wait."


@read_by_deadline.misconception("gives-what-came", advice="Let TimeoutError go to the caller.")
def read_part(seen: Seen) -> str | None:
    waited = seen.failed("TimeoutError") or seen.failed("BlockingIOError")
    if not (seen.returned and waited and seen.expected == "it raises TimeoutError"):
        return None
    return "The time was up, and it returned what had come by then, as if that were all."


@read_by_deadline.misconception(
    "each-its-own-time", advice="Before each recv set the timeout to what is left until the deadline."
)
def read_per_call(seen: Seen) -> str | None:
    if "drip" not in seen.scenario or not seen.facts.get("dripped") or seen.raised(TimeoutError):
        return None
    if not seen.returned:
        return None
    n = len(seen.result) if isinstance(seen.result, (bytes, bytearray)) else seen.received
    return (
        f"It had {BUDGET:g} seconds, and read {n} bytes of a drip until the last: each recv that brings one gives the "
        "next its full time again."
    )


@read_by_deadline.misconception("looks-too-late", advice="Look at the clock before each recv, not after all of them.")
def read_late(seen: Seen) -> str | None:
    if not (seen.facts.get("dripped") and seen.facts.get("gave up")):
        return None
    return "It raised TimeoutError when the drip had ended by itself: no recv was kept from beginning when time was up."


@read_by_deadline.misconception("divides-the-time", advice="Give each recv all that is left, not a share of it.")
def read_divides(seen: Seen) -> str | None:
    if not seen.raised(TimeoutError) or seen.expected.startswith("it raises"):
        return None
    return "All bytes came in time, and it had given up: it gave a recv less than what was left until the deadline."


@read_by_deadline.misconception("no-timeout", advice="Call settimeout() before each recv.")
def read_blocked(seen: Seen) -> str | None:
    if not seen.blocked_in("recv"):
        return None
    return "It is blocked in recv(): nobody sends, and no clock is looked at while a call waits."


@read_by_deadline.misconception("takes-too-much", advice="Ask recv for what is still missing, and no more.")
def read_too_much(seen: Seen) -> str | None:
    result = seen.result
    if not seen.returned or "behind" not in seen.scenario:
        return None
    if isinstance(result, (bytes, bytearray)) and len(result) > len(EIGHT):
        return f"It was asked for {len(EIGHT)} bytes and returned {len(result)}."
    if seen.facts.get("left") == MORE or "left" not in seen.facts:
        return None
    return "It took bytes out of the socket that come after the eight: whoever reads next will miss them."


@read_by_deadline.misconception("one-recv", advice="Go on until all of them are here.")
def read_once(seen: Seen) -> str | None:
    result = seen.result
    if not (seen.returned and isinstance(result, bytes) and len(result) < len(EIGHT) and len(seen.made("recv")) == 1):
        return None
    if seen.expected.startswith("it raises EOFError"):
        return None
    n = len(result)
    return f"It returned {n} byte{'s' * (n != 1)} of 8, after one recv: a recv returns what has arrived by then."


@read_by_deadline.misconception("end-unnoticed", advice="Raise EOFError where recv returns b''.")
def read_end(seen: Seen) -> str | None:
    if seen.expected != "it raises EOFError" or not (seen.returned or seen.raised(TimeoutError)):
        return None
    if seen.returned:
        return f"The peer closed after 3 bytes of 8, and it returned {shown(seen.result, 30)}."
    return "The peer closed, and it went on until its time was up: b'' is the end, and nothing more will come."
