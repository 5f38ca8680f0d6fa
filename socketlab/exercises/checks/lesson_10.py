"""The exercises of lesson 10: an error told with its cause, what may be repeated and when, delays by chance.

Failures are real ones: a port that nobody listens at, a server that resets after it has done the work, one that stays
silent. Nobody sleeps: the answer is given a `sleep` that notes how long, and a server that is there when it has been
called twice. Chance is a generator that draws what the scenario wants to see.
"""

from __future__ import annotations

import math
import random
import socket
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from ...experiments.doors.wire import abort
from ..attempt import Attempt, until
from ..definition import Exercise
from ..seen import Seen
from ..words import shown

LESSON = "10_when_it_fails"
DEADLINE = 1.0  # seconds for a scenario; most take a hundredth

ask_service = Exercise(
    "ask_service",
    lesson=LESSON,
    wants="ask_service(address, question, understand)",
    task="Connect, half a second for each call, send `question`, finish with `shutdown`, read to the end, return "
    "`understand(answer)`. Raise RuntimeError from the error where the network fails; let everything else through. "
    "Close the socket on every way out.",
    hints=(
        "`with socket.create_connection(address, 0.5) as s` closes it, whatever happens inside.",
        "Around what stands the `try`? Only calls on the network belong inside; `understand` stands behind it.",
        "`except OSError as error: raise RuntimeError(...) from error` keeps the cause, and lets a TypeError pass.",
    ),
    deadline=DEADLINE,
)

retry = Exercise(
    "retry",
    lesson=LESSON,
    wants="retry(operation, idempotent, delays, sleep)",
    task="Return what `operation()` returns. After a ConnectionError or TimeoutError call `sleep` with the next of "
    "`delays`, any iterable, and try again; if not `idempotent`, after a ConnectionRefusedError only. When the delays "
    "are used up, or after any other error, let it go to the caller.",
    hints=(
        "An iterator hands out one delay at a time: `next(delays, None)` is None when they are used up.",
        "Which errors may be repeated is known before the first call: a class, or a tuple of classes.",
        "A loop without end; in it a `try` that returns, and an `except` that takes the next delay or raises.",
    ),
    deadline=DEADLINE,
)

full_jitter = Exercise(
    "full_jitter",
    lesson=LESSON,
    wants="full_jitter(count, base, cap, draw)",
    task="Yield `count` delays: each drawn evenly, by `draw`, from 0 to a bound that begins with `base`, doubles each "
    "time, and never exceeds `cap`.",
    hints=(
        "`draw.uniform(0, bound)` draws evenly from 0 to `bound`.",
        "Keep the bound in a variable: yield a draw, then double the bound, `cap` at most.",
        "`min(cap, 2 * bound)` after each delay never becomes too large; the first bound has its cap as well.",
    ),
    deadline=DEADLINE,
    yields=True,
)


# -- ask_service -------------------------------------------------------------------------------------------------------

LONG = 200_000  # bytes: more than one recv brings, whatever people write in its brackets


def understood(answer: bytes) -> tuple[str, int, bytes]:
    return "understood", len(answer), bytes(answer[-4:])


def question_of(conn: socket.socket) -> bytes:
    data = b""
    while piece := conn.recv(1024):
        data += piece
    return data


def from_cause(attempt: Attempt, kind: type[BaseException], address: Any) -> None:
    """The answer has to raise RuntimeError, and that has to name its cause."""
    error = attempt.raises(RuntimeError, address, b"how much?", understood)
    attempt.seen.facts["cause"] = cause = error.__cause__
    came = "RuntimeError without a cause" if cause is None else f"RuntimeError from a {type(cause).__name__}"
    attempt.want(isinstance(cause, kind), f"RuntimeError from a {kind.__name__}", came)


@ask_service.scenario("a server that answers when the question has ended")
def answers(attempt: Attempt) -> None:
    def serve(conn: socket.socket) -> None:
        if question_of(conn) == b"how much?":
            conn.sendall(b"." * (LONG - 4) + b"done")

    result = attempt.call(attempt.server(serve).address, b"how much?", understood)
    whole = ("understood", LONG, b"done")
    part = isinstance(result, tuple) and result[:1] == whole[:1]  # how large a part is another matter on each run
    attempt.want(result == whole, "what understand() makes of the whole answer", "a part" if part else shown(result))


@ask_service.scenario("a port at which nobody listens")
def refuses(attempt: Attempt) -> None:
    from_cause(attempt, ConnectionRefusedError, attempt.closed_port())


@ask_service.scenario("a reset in the middle of the answer")
def resets(attempt: Attempt) -> None:
    def serve(conn: socket.socket) -> None:
        question_of(conn)
        conn.sendall(b"it is")
        abort(conn)

    from_cause(attempt, ConnectionResetError, attempt.server(serve).address)


@ask_service.scenario("a server that says nothing")
def says_nothing(attempt: Attempt) -> None:
    from_cause(attempt, TimeoutError, attempt.listener().getsockname())


def says_done(conn: socket.socket) -> None:
    question_of(conn)
    conn.sendall(b"done")


@ask_service.scenario("a str for a question")
def str_question(attempt: Attempt) -> None:
    attempt.raises(TypeError, attempt.server(says_done).address, "how much?", understood)


@ask_service.scenario("understand() fails with a ValueError")
def not_understood(attempt: Attempt) -> None:
    def fails(answer: bytes) -> int:
        return int(answer)

    attempt.raises(ValueError, attempt.server(says_done).address, b"how much?", fails)


@ask_service.scenario("understand() misses a file of its own")
def file_missing(attempt: Attempt) -> None:
    def fails(answer: bytes) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    attempt.raises(FileNotFoundError, attempt.server(says_done).address, b"how much?", fails)


@ask_service.misconception("swallowed", advice="Raise: an error that nobody hears of is found weeks later.")
def ask_swallowed(seen: Seen) -> str | None:
    if not seen.returned or not seen.expected.startswith("it raises"):
        return None
    return f"It returned {shown(seen.result, 40)} where something had failed: the caller cannot know."


@ask_service.misconception("bug-disguised", advice="Catch OSError alone: a TypeError or ValueError is a bug of yours.")
def ask_disguised(seen: Seen) -> str | None:
    if not seen.raised(RuntimeError) or seen.expected not in ("it raises TypeError", "it raises ValueError"):
        return None
    kind = seen.expected.split()[-1]
    return f"A {kind} became a RuntimeError, as if the network had failed: a bug is looked for in the wrong place."


@ask_service.misconception("try-too-wide", advice="Call understand() behind the try, not inside.")
def ask_wide(seen: Seen) -> str | None:
    if not seen.raised(RuntimeError) or seen.expected != "it raises FileNotFoundError":
        return None
    return "A missing file was taken for a failure of the network: FileNotFoundError is an OSError, too."


@ask_service.misconception("not-translated", advice="except OSError as error: raise RuntimeError(...) from error.")
def ask_raw(seen: Seen) -> str | None:
    if not seen.raised(OSError) or seen.expected != "it raises RuntimeError":
        return None
    name = type(seen.error).__name__
    return f"The {name} went to the caller as it was, who asked for a service and knows nothing of sockets."


@ask_service.misconception("cause-lost", advice="Write `from error` behind what you raise.")
def ask_cause(seen: Seen) -> str | None:
    if seen.facts.get("cause", "") is not None:
        return None
    return "The RuntimeError has no __cause__: whether nobody listened or nobody answered is not to be found in it."


@ask_service.misconception("never-finished", advice="Call shutdown(socket.SHUT_WR) when the question is sent.")
def ask_unfinished(seen: Seen) -> str | None:
    if seen.returned or seen.made("shutdown") or "question has ended" not in seen.scenario:
        return None
    return "The server waits for the end of the question, which nobody says, and the answer is waited for in vain."


@ask_service.misconception("one-recv", advice="Call recv until it returns b''.")
def ask_once(seen: Seen) -> str | None:
    if "question has ended" not in seen.scenario or not 0 < seen.received < LONG or not seen.returned:
        return None
    return "It stopped reading before the end: one recv brings what has arrived, not the whole answer."


@ask_service.misconception("without-timeout", advice="socket.create_connection(address, 0.5) sets it for every call.")
def ask_for_ever(seen: Seen) -> str | None:
    if not seen.blocked_in("recv", "connect") or "says nothing" not in seen.scenario:
        return None
    return "It is blocked in recv(): this server never answers, and no timeout was set."


@ask_service.misconception(
    "open-after-error", advice="`with` closes it on every way out; a close() at the end does not."
)
def ask_open(seen: Seen) -> str | None:
    if seen.returned or not seen.left_open:
        return None
    return "The socket was still open when the error left the function: its close() was never reached."


# -- retry -------------------------------------------------------------------------------------------------------------

DELAYS = (0.1, 0.2, 0.4)

Behaviour = Callable[[socket.socket], object]


class Trying:
    """One call of the answer: what it was given, and what is counted meanwhile."""

    def __init__(self, attempt: Attempt, idempotent: bool) -> None:
        self.attempt, self.idempotent = attempt, idempotent
        self.facts: dict[str, Any] = attempt.seen.facts
        self.facts.update(calls=0, slept=[], idempotent=idempotent, served=0)

    def sleep(self, seconds: float) -> None:
        self.facts["slept"].append(seconds)

    def asks(self, address: Any, patience: float = 0.5) -> Callable[[], bytes]:
        """The operation: one question to `address`, over a connection of its own."""

        return self.counted(lambda: ask_at(address, patience))

    def counted(self, operation: Callable[[], Any]) -> Callable[[], Any]:
        def one() -> Any:
            self.facts["calls"] += 1
            return operation()

        return one

    def serves(self, *behaviours: Behaviour) -> Any:
        """The address of a server that counts the questions, and behaves at each as it is told; then it answers."""

        def serve(conn: socket.socket) -> None:
            if conn.recv(1):
                self.facts["served"] += 1
                number = self.facts["served"] - 1
                (behaviours[number] if number < len(behaviours) else says_it)(conn)

        return self.attempt.server(serve).address

    def returns(self, operation: Callable[[], Any], wanted: bytes = b"done") -> None:
        self.attempt.equal(self.attempt.call(operation, self.idempotent, iter(DELAYS), self.sleep), wanted)

    def raises(self, kind: type[BaseException], operation: Callable[[], Any]) -> None:
        self.attempt.raises(kind, operation, self.idempotent, iter(DELAYS), self.sleep)

    def counts(self, calls: int, served: int) -> None:
        """So often it had to call, and so often the server had to see it; the sleeps in between are the delays."""
        until(lambda: self.facts["served"] >= served, 0.3)  # a handler counts in its own thread
        came = self.facts["calls"]
        self.attempt.want(came == calls, f"{calls} call{'s' * (calls != 1)} of operation()", f"{came} of them")
        self.attempt.equal(self.facts["served"], served, "questions that the server saw:")
        self.attempt.equal(list(self.facts["slept"]), list(DELAYS[: calls - 1]), "sleep() was called with")


def ask_at(address: Any, patience: float = 0.5) -> bytes:
    with socket.create_connection(address, patience) as s:
        s.sendall(b"?")
        return s.recv(100)


def says_it(conn: socket.socket) -> None:
    conn.sendall(b"done")


def silent(conn: socket.socket) -> None:
    conn.recv(1)  # until the client has gone


@retry.scenario("a server that answers at once")
def at_once(attempt: Attempt) -> None:
    trying = Trying(attempt, True)
    trying.returns(trying.asks(trying.serves()))
    trying.counts(1, 1)


@retry.scenario("nobody listens at first; it may not be repeated")
def late_server(attempt: Attempt) -> None:
    trying = Trying(attempt, False)
    closed, there = attempt.closed_port(), trying.serves()

    def operation() -> bytes:
        return ask_at(there if len(trying.facts["slept"]) >= 2 else closed)

    trying.returns(trying.counted(operation))
    trying.counts(3, 1)


@retry.scenario("the work is done and the answer lost; it may be repeated")
def lost_answer(attempt: Attempt) -> None:
    trying = Trying(attempt, True)
    trying.returns(trying.asks(trying.serves(abort, abort)))
    trying.counts(3, 3)


@retry.scenario("the work is done and the answer lost; it may not be repeated")
def lost_answer_of_a_payment(attempt: Attempt) -> None:
    trying = Trying(attempt, False)
    trying.raises(ConnectionResetError, trying.asks(trying.serves(abort, abort)))
    trying.counts(1, 1)


@retry.scenario("the answer comes too late; it may be repeated")
def late_answer(attempt: Attempt) -> None:
    trying = Trying(attempt, True)
    address = trying.serves(silent)
    # Only the first call is impatient: the second has its answer on a busy machine as well.
    trying.returns(trying.counted(lambda: ask_at(address, 0.15 if trying.facts["calls"] == 1 else 0.5)))
    trying.counts(2, 2)


@retry.scenario("the answer comes too late; it may not be repeated")
def late_answer_of_a_payment(attempt: Attempt) -> None:
    trying = Trying(attempt, False)
    trying.raises(TimeoutError, trying.asks(trying.serves(silent), 0.15))
    trying.counts(1, 1)


@retry.scenario("nobody ever listens")
def never(attempt: Attempt) -> None:
    trying = Trying(attempt, True)
    trying.raises(ConnectionRefusedError, trying.asks(attempt.closed_port()))
    trying.counts(4, 0)


@retry.scenario("an error that no time heals")
def incurable(attempt: Attempt) -> None:
    def operation() -> None:
        with socket.socket() as s:
            s.bind(("192.0.2.1", 0))  # RFC 5737: no machine has this address

    trying = Trying(attempt, True)
    trying.raises(OSError, trying.counted(operation))
    trying.counts(1, 0)


@retry.scenario("a bug in the operation")
def bug(attempt: Attempt) -> None:
    def operation() -> None:
        raise KeyError("account")

    trying = Trying(attempt, True)
    trying.raises(KeyError, trying.counted(operation))
    trying.counts(1, 0)


def _calls(seen: Seen) -> tuple[int, int]:
    return int(seen.facts.get("calls", 0)), len(seen.facts.get("slept", ()))


@retry.misconception("wants-a-list", advice="Take one delay after the other: next(iter(delays), None), or a for loop.")
def retry_list(seen: Seen) -> str | None:
    if not seen.raised(TypeError) or not any(word in str(seen.error) for word in ("len()", "subscriptable")):
        return None
    return "It wanted the delays as a list: they may come from a generator, which has neither a length nor an index."


@retry.misconception("done-twice", advice="Where it may not be repeated, try again after a refusal only.")
def retry_twice(seen: Seen) -> str | None:
    calls, _ = _calls(seen)
    if calls < 2 or seen.facts.get("idempotent") or seen.facts.get("served", 0) < 2:
        return None
    return "The server did it more than once: the answer was lost and not the question, and this may not be repeated."


@retry.misconception("hopeless", advice="Try again after ConnectionError and TimeoutError alone.")
def retry_hopeless(seen: Seen) -> str | None:
    calls, _ = _calls(seen)
    what = {"an error that no time heals": "an address that is not its own", "a bug in the operation": "a KeyError"}
    if calls < 2 or seen.scenario not in what:
        return None
    return (
        f"It tried again after {what[seen.scenario]}: that fails each time, and the one who could mend it has to wait."
    )


@retry.misconception("swallowed", advice="When there is no delay left, raise: the last error, as it is.")
def retry_swallowed(seen: Seen) -> str | None:
    if not seen.returned or not seen.expected.startswith("it raises"):
        return None
    return f"It returned {shown(seen.result, 40)} although no call had succeeded: the caller takes it for the answer."


@retry.misconception(
    "refusal-not-repeated", advice="After ConnectionRefusedError try again, whether it is idempotent or not."
)
def retry_refused(seen: Seen) -> str | None:
    calls, _ = _calls(seen)
    if not seen.raised(ConnectionRefusedError) or calls != 1:
        return None
    return "It gave up after a refusal: nobody listened, so nothing can have been done, and trying again is safe."


@retry.misconception("given-up", advice="ConnectionError and TimeoutError: catch both, each time.")
def retry_given_up(seen: Seen) -> str | None:
    calls, _ = _calls(seen)
    if not seen.raised(ConnectionError, TimeoutError) or not seen.facts.get("idempotent") or calls > len(DELAYS):
        return None
    if seen.expected.startswith("it raises"):
        return None
    name, times = type(seen.error).__name__, "once" if calls == 1 else f"{calls} times"
    return f"It gave up after a {name}, having called {times}: this may be repeated, and there were delays left."


@retry.misconception("never-sleeps", advice="Call sleep(delay), which you are given, between two calls.")
def retry_no_sleep(seen: Seen) -> str | None:
    calls, slept = _calls(seen)
    if calls < 2 or slept:
        return None
    return "It called again and never called sleep(): a server that is just starting has to bear that from everybody."


@retry.misconception("waits-for-nothing", advice="Sleep between two calls: n delays are for n + 1 calls.")
def retry_last(seen: Seen) -> str | None:
    calls, slept = _calls(seen)
    if not slept or slept < calls:
        return None
    return f"It slept {slept} times for {calls} calls: after the last one it waited, and did not try again."


@retry.misconception("other-delays", advice="Hand each delay to sleep as it is, one after the other.")
def retry_delays(seen: Seen) -> str | None:
    slept = seen.facts.get("slept", [])
    if not slept or list(slept) == list(DELAYS[: len(slept)]):
        return None
    return (
        f"It called sleep() with {shown(slept, 60)}: the delays were {shown(list(DELAYS))}, and are not to be changed."
    )


# -- full_jitter -------------------------------------------------------------------------------------------------------

ALMOST = 1 - 2**-53  # the largest number that random() returns


class Rigged(random.Random):
    """Chance that always draws the same share of what is possible."""

    def __init__(self, share: float) -> None:
        self.share, self.drawn = share, 0
        super().__init__(0)

    def random(self) -> float:
        self.drawn += 1
        return self.share


def draws(attempt: Attempt, count: int, base: float, cap: float, draw: random.Random) -> list[Any]:
    """The delays, of which there have to be `count`."""
    attempt.seen.facts.update(base=base, cap=cap, delays=[], share=getattr(draw, "share", None))
    result = attempt.call(count, base, cap, draw)
    attempt.want(hasattr(result, "__iter__"), f"{count} delays, one after the other", f"it returned {shown(result)}")
    some: list[Any] = []

    def take(delays: Any) -> list[Any]:
        some.extend(islice(iter(delays), count + 1))
        return some

    attempt.then("list() of the delays", take, result)
    attempt.seen.facts["delays"] = some
    attempt.seen.facts["more"] = len(some) - count
    attempt.want(len(some) == count, f"{count} delays", "more of them" if len(some) > count else f"{len(some)} delays")
    return some


def bounds(count: int, base: float, cap: float) -> Iterator[float]:
    for n in range(count):
        yield min(cap, base * 2.0 ** min(n, 60))


def compared(attempt: Attempt, share: float, count: int, base: float, cap: float) -> None:
    draw = Rigged(share)
    some = draws(attempt, count, base, cap, draw)
    attempt.seen.facts["drawn"] = draw.drawn
    wanted = [share * bound for bound in bounds(count, base, cap)]
    numbers = all(isinstance(delay, (int, float)) for delay in some)
    same = numbers and all(math.isclose(x, y, abs_tol=1e-9) for x, y in zip(some, wanted, strict=True))
    # What came of chance of its own is another list each time.
    attempt.want(same, rounded(wanted), rounded(some) if draw.drawn else "delays that `draw` has not drawn")


def rounded(values: list[Any]) -> str:
    return shown([round(value, 3) if isinstance(value, float) else value for value in values])


@full_jitter.scenario("chance draws the highest each time")
def highest(attempt: Attempt) -> None:
    compared(attempt, ALMOST, 5, 0.1, 60.0)


@full_jitter.scenario("chance draws the lowest each time")
def lowest(attempt: Attempt) -> None:
    compared(attempt, 0.0, 5, 0.1, 60.0)


@full_jitter.scenario("bounds that reach the cap")
def capped(attempt: Attempt) -> None:
    compared(attempt, ALMOST, 7, 0.1, 1.0)
    compared(attempt, 0.5, 7, 0.1, 1.0)
    compared(attempt, ALMOST, 2, 5.0, 1.0)


@full_jitter.scenario("the same seed twice, then another")
def seeds(attempt: Attempt) -> None:
    first = draws(attempt, 6, 0.1, 1.0, random.Random(4))
    second = draws(attempt, 6, 0.1, 1.0, random.Random(4))
    attempt.seen.facts["not the same"] = first != second
    attempt.want(first == second, "the same delays from the same seed", "others")
    third = draws(attempt, 6, 0.1, 1.0, random.Random(5))
    attempt.seen.facts["all the same"] = third == first
    attempt.want(third != first, "other delays from another seed", "the same")


@full_jitter.scenario("1,100 delays")
def many(attempt: Attempt) -> None:
    some = draws(attempt, 1100, 0.1, 1.0, random.Random(6))
    attempt.want(all(0 <= delay <= 1.0 for delay in some), "delays from 0 to the cap, 1.0", "one that is outside")


def _shares(seen: Seen) -> list[float]:
    """Each delay as a share of its bound, where delays and bounds are numbers."""
    delays = seen.facts.get("delays") or []
    if not all(isinstance(delay, (int, float)) for delay in delays):
        return []
    limits = bounds(len(delays), seen.facts["base"], seen.facts["cap"])
    return [delay / bound for delay, bound in zip(delays, limits, strict=True)]


def _all(shares: list[float], wanted: float) -> bool:
    return bool(shares) and all(math.isclose(share, wanted, abs_tol=1e-6) for share in shares)


@full_jitter.misconception("wrong-count", advice="`for _ in range(count)`, and one yield in it.")
def jitter_count(seen: Seen) -> str | None:
    more = seen.facts.get("more")
    if not more:
        return None
    return "It yields more delays than it was asked for." if more > 0 else f"It yields {-more} too few."


@full_jitter.misconception("overflow", advice="Double the bound itself, min(cap, 2 * bound): it never grows too large.")
def jitter_overflow(seen: Seen) -> str | None:
    if not seen.raised(OverflowError):
        return None
    return "It computed a power of two that no float has room for, before the cap could hold it."


@full_jitter.misconception("no-jitter", advice="Yield draw.uniform(0, bound), not the bound.")
def jitter_none(seen: Seen) -> str | None:
    if seen.facts.get("drawn") != 0 or not _all(_shares(seen), 1.0):
        return None
    return "Chance has no say in it: each delay is its bound, so that all clients come back at the same moment."


@full_jitter.misconception("chance-of-its-own", advice="Draw with `draw`, which you are given: draw.uniform(0, bound).")
def jitter_own(seen: Seen) -> str | None:
    if seen.facts.get("not the same"):
        return "The same seed gave other delays: it draws from the module random, which all programs share."
    if seen.facts.get("all the same"):
        return "Another seed gave the same delays: it seeds a generator of its own, so that all clients are alike."
    if seen.facts.get("drawn") != 0:
        return None
    return "It never asked `draw`, which it was given: with a seed, that makes the same delays on each run."


@full_jitter.misconception("half-jitter", advice="Draw from 0, so that the whole time up to the bound is used.")
def jitter_half(seen: Seen) -> str | None:
    if seen.facts.get("share") != 0.0 or not _all(_shares(seen), 0.5):
        return None
    return "Chance drew its lowest, and each delay was half of its bound: the first half of the time stays unused."


@full_jitter.misconception("cap-forgotten", advice="min(cap, bound), before you draw.")
def jitter_cap(seen: Seen) -> str | None:
    delays = seen.facts.get("delays")
    if not delays or "cap" not in seen.scenario or not max(delays) > seen.facts["cap"] + 1e-9:
        return None
    return f"A delay of {round(max(delays), 3)} s, although none may be longer than {seen.facts['cap']:g} s."


@full_jitter.misconception("added", advice="The bound is the most: draw from 0 to it, and add nothing.")
def jitter_added(seen: Seen) -> str | None:
    shares, share = _shares(seen), seen.facts.get("share")
    if not shares or share is None:
        return None
    above = [one > 1.0 + 1e-6 for one in shares]
    if share == 0.0 and all(one > 0.6 for one in shares):
        return "Chance drew its lowest, and the delays were long: something was added to what was drawn."
    if share > 0.9 and above[0] and not _all(shares, 2.0):
        return "Its first delay is longer than base: something was added to what was drawn."
    return None


@full_jitter.misconception("one-step-ahead", advice="The first bound is base itself: base * 2**0.")
def jitter_ahead(seen: Seen) -> str | None:
    delays, share = seen.facts.get("delays"), seen.facts.get("share")
    if not delays or not share or share < 0.9 or not math.isclose(delays[0] / seen.facts["base"], 2.0, abs_tol=1e-6):
        return None
    return "Its first bound is twice base: the doubling begins with the second delay."


@full_jitter.misconception("not-doubled", advice="Each bound is twice the one before, until the cap.")
def jitter_flat(seen: Seen) -> str | None:
    shares, share = _shares(seen), seen.facts.get("share")
    if "highest" not in seen.scenario or not share or len(shares) < 3 or not _all(shares[:1], 1.0):
        return None
    if shares[2] > 0.99:
        return None
    return f"The bounds do not double: they are {rounded(seen.facts['delays'])} for a base of {seen.facts['base']}."


@full_jitter.misconception("capped-late", advice="Cap the bound, then draw: uniform(0, min(cap, bound)).")
def jitter_capped_late(seen: Seen) -> str | None:
    shares = _shares(seen)
    if seen.facts.get("share") != 0.5 or not shares or not max(shares) > 0.5 + 1e-6:
        return None
    return "The draw was capped, not the bound: more and more delays are the cap itself, and clients meet there."


@full_jitter.misconception("no-generator", advice="`yield` each delay: whoever asks for the next one gets it.")
def jitter_one(seen: Seen) -> str | None:
    if not isinstance(seen.result, (int, float)) or not seen.returned:
        return None
    return f"It returned one number, {round(seen.result, 3)}, and ended with that."
