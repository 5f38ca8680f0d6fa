"""The exercises of lesson 21: a store for many clients without a race, and a pool that never does more than n at once.

How an answer serves is its own affair: threads, a pool, selectors and asyncio pass alike. A race is rare by itself. So
the store that an answer is given holds whoever writes first until somebody else is about to write as well: where
nothing keeps two of them apart they meet there, each with the sum that it has made of the same old value. Where
something does, nobody comes, and after a moment the first one goes on.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ...experiments.doors.wire import abort
from ...trace.events import IN
from ...trace.waiting import waiting
from ..attempt import PEER, Attempt, Raised, until
from ..definition import Exercise
from ..seen import Seen
from ..threads import died, errors_in_threads, waits_for_thread_in
from ..words import in_words, kind, shown

LESSON = "21_many_clients"
SOON = 0.5  # seconds for what one thread of this process does for another
GRACE = 0.1  # seconds in which somebody comes whom nothing holds back

serve_store = Exercise(
    "serve_store",
    lesson=LESSON,
    wants="serve_store(listener, n, store)",
    task="Accept `n` clients and serve all of them at once, on one `store`: `ADD name number` adds and answers with "
    "the sum, `GET name` answers with the number, each a line; return when the last of them has left.",
    hints=(
        "`serve_many` of notebook 03, with lines instead of an echo: `conn.makefile('rb')` reads them one by one.",
        "Between reading the old number and writing the new one, another thread may do the same.",
        "One lock for all: made once, before the first thread begins. Read, add and write inside of it.",
        "Outside of the lock: everything that waits for a client. And a line without its end is none.",
    ),
    deadline=1.0,
)

start_pool = Exercise(
    "start_pool",
    lesson=LESSON,
    wants="start_pool(listener, handler, n)",
    task="Return a function `stop` at once; until it is called, serve each client with `handler(conn)` in a thread, "
    "never more than `n` of them at work, and close `conn` afterwards.",
    hints=(
        "`n` threads, each in a loop: accept, handle, close. More than `n` is then impossible.",
        "A handler that raises must not end its thread: catch it inside the loop, and close `conn` in any case.",
        "To stop, wake those who wait in `accept()`. `close()` does not; `shutdown()` of the listener does.",
        "Then `join()` all of them, and close the listener last. What may be done twice needs no flag.",
    ),
)


# -- what the scenarios share ------------------------------------------------------------------------------------------


def client_of(attempt: Attempt, listener: socket.socket) -> socket.socket:
    return attempt.keep(socket.create_connection(listener.getsockname(), 5.0))


def until_end(sock: socket.socket) -> tuple[bytes, bool]:
    """What comes to `sock`, and whether its stream ends, or breaks, within a moment after the last of it."""
    data = b""
    sock.settimeout(SOON)
    try:
        while more := sock.recv(100):
            data += more
    except TimeoutError:
        return data, False
    except ConnectionError:
        pass
    return data, True


# -- serve_store -------------------------------------------------------------------------------------------------------


class Store(dict[bytes, int]):
    """What the answer is given. Once `armed`, the first who writes waits for a second who is about to."""

    def __init__(self) -> None:
        super().__init__()
        self.armed = False
        self._writers, self._lock = 0, threading.Lock()

    def _meet(self) -> None:
        if not self.armed:
            return
        with self._lock:
            self._writers += 1
        until(lambda: self._writers > 1, GRACE)
        self.armed = False

    def __setitem__(self, key: bytes, value: int) -> None:
        self._meet()
        super().__setitem__(key, value)

    def update(self, *others: Any, **named: Any) -> None:
        self._meet()
        super().update(*others, **named)


class Guests:
    """Some clients of one store, and what they say and hear, in one thread beside the answer."""

    def __init__(self, attempt: Attempt, count: int) -> None:
        self.attempt, self.facts = attempt, attempt.seen.facts
        self.store, self.over = Store(), False
        self.listener = attempt.listener(backlog=16)
        self.clients = [client_of(attempt, self.listener) for _ in range(count)]

    def serve(self, talk: Callable[[], object]) -> None:
        """Let the answer serve while `talk` goes on; then everybody has to have heard what is right."""
        attempt, facts = self.attempt, self.facts

        def talk_and_leave() -> None:
            try:
                talk()
            except OSError as exc:
                facts.setdefault("wrong", (attempt.seen.expected, type(exc).__name__))
            finally:
                if facts.get("first") and "wrong" not in facts:
                    facts["early"] = until(lambda: attempt.seen.returned, GRACE / 2)
                self.now(f"{attempt.wants} returns")
                for client in self.clients:
                    client.close()

        with errors_in_threads(attempt):
            beside = attempt.beside(talk_and_leave)
            try:
                attempt.call(self.listener, len(self.clients), self.store)
            except Raised:
                self.now(f"{attempt.wants} returns")
                self.over = True
                raise
            beside.join(1.0)
        attempt.want("wrong" not in facts, *facts.get("wrong", ("", "")))
        attempt.want(not facts.get("early"), "it returns when the last client has left", "it returned before")

    def now(self, wanted: str) -> None:
        if not self.over:
            self.attempt.seen.expected = wanted

    def says(self, number: int, data: bytes) -> None:
        self.clients[number].sendall(data)

    def hears(self, number: int, *lines: bytes) -> bool:
        """Client `number` has to hear these lines; until it does, that is what is expected."""
        wanted = b"".join(line + b"\n" for line in lines)
        self.now(f"client {number + 1} hears {shown(wanted)}")
        heard = b""
        try:
            while heard.count(b"\n") < len(lines) and (more := self.clients[number].recv(100)):
                heard += more
                self.facts["heard"] = heard
        except ConnectionError:
            pass
        if heard != wanted:
            self.facts.setdefault("wrong", (f"client {number + 1} hears {shown(wanted)}", shown(heard)))
        return heard == wanted

    def asks(self, number: int, line: bytes, answer: bytes) -> bool:
        self.says(number, line + b"\n")
        return self.hears(number, answer)

    def taken(self, size: int) -> None:
        """Wait until the answer has received so many bytes, of whomever."""
        until(lambda: self._received() >= size, SOON)

    def _received(self) -> int:
        events = [one for one in tuple(self.attempt.recorded()) if one.direction == IN and not one.peek]
        return sum(one.size or 0 for one in events if one.inside is None and not one.thread.startswith(PEER))


@serve_store.scenario("one client adds and asks, and somebody else writes into the store")
def one_client(attempt: Attempt) -> None:
    guests = Guests(attempt, 1)
    store, facts = guests.store, attempt.seen.facts
    facts["first"] = True

    def talk() -> None:
        for line, answer in ((b"ADD apples 2", b"2"), (b"ADD apples 3", b"5"), (b"GET pears", b"0")):
            if not guests.asks(0, line, answer):
                return
        facts["theirs"] = True
        store[b"apples"] = 40
        if guests.asks(0, b"GET apples", b"40"):
            guests.asks(0, b"ADD apples 2", b"42")

    guests.serve(talk)
    attempt.equal(store.get(b"apples"), 42, "the store has, under apples,")


@serve_store.scenario("a line in two pieces, then two lines in one")
def in_pieces(attempt: Attempt) -> None:
    guests = Guests(attempt, 1)
    facts = attempt.seen.facts

    def talk() -> None:
        facts["phase"] = "pieces"
        guests.now("client 1 hears nothing before its line is whole")
        guests.says(0, b"ADD app")
        guests.taken(7)
        guests.says(0, b"les 1\n")
        if guests.hears(0, b"1"):
            facts["phase"] = "two"
            guests.says(0, b"ADD apples 1\nGET apples\n")
            guests.hears(0, b"2", b"2")

    guests.serve(talk)


@serve_store.scenario("one has sent half a line while another asks")
def half_a_line(attempt: Attempt) -> None:
    guests = Guests(attempt, 2)
    attempt.seen.facts["half"] = True

    def talk() -> None:
        guests.says(0, b"ADD app")
        guests.taken(7)
        if guests.asks(1, b"ADD apples 1", b"1"):
            guests.says(0, b"les 1\n")
            guests.hears(0, b"2")

    guests.serve(talk)


@serve_store.scenario("one leaves in the middle of a line, one vanishes, the third goes on")
def some_leave(attempt: Attempt) -> None:
    guests = Guests(attempt, 3)
    facts = attempt.seen.facts

    def talk() -> None:
        for number in range(3):
            if not guests.asks(number, b"GET apples", b"0"):
                return
        guests.says(0, b"ADD apples 1")  # of 12, say
        guests.clients[0].shutdown(socket.SHUT_WR)
        guests.now("client 1 hears the end, and no answer")
        _, ended = until_end(guests.clients[0])
        facts["torn"] = guests.store.get(b"apples", 0)
        if facts["torn"] or not ended:
            facts["wrong"] = ("half a line changes nothing, and its client hears the end",
                              f"{facts['torn']} in the store" if facts["torn"] else "no end")  # fmt: skip
            return
        facts["reset"] = True
        abort(guests.clients[1])
        guests.asks(2, b"ADD apples 5", b"5")

    guests.serve(talk)


@serve_store.scenario("two add to the same name at the same moment")
def at_the_same_moment(attempt: Attempt) -> None:
    guests = Guests(attempt, 2)
    facts = attempt.seen.facts

    def talk() -> None:
        for number in range(2):
            if not guests.asks(number, b"GET apples", b"0"):
                return
        guests.store.armed = True
        guests.now("one client hears b'1', the other b'2'")
        for number in range(2):
            guests.says(number, b"ADD apples 1\n")
        answers = sorted(client.recv(2) for client in guests.clients)
        facts["lost"] = guests.store.get(b"apples") == 1
        if answers != [b"1\n", b"2\n"]:
            facts["wrong"] = ("one client hears b'1\\n', the other b'2\\n'", f"{answers[0]!r} and {answers[1]!r}")

    guests.serve(talk)
    attempt.equal(guests.store.get(b"apples"), 2, "the store has, under apples,")


@serve_store.misconception(
    "race", advice="One lock for all clients, and all of it inside: read the old number, add, write the new one."
)
def store_race(seen: Seen) -> str | None:
    if not seen.facts.get("lost"):
        return None
    return "Two threads had read 0 before either of them wrote 1: one addition is lost. That is a race."


@serve_store.misconception(
    "own-copy", advice="Read the store that you were given, each time that you are asked, and write into it."
)
def store_copy(seen: Seen) -> str | None:
    facts = seen.facts
    if not facts.get("first") or seen.timed_out or seen.error:
        return None
    if facts.get("theirs") and ("wrong" in facts or seen.expected.startswith("the store has")):
        return "It keeps the numbers in a dict of its own, and knows nothing of what others write into the store."
    return None


@serve_store.misconception("one-recv", advice="Receive until the line is whole; a file from makefile('rb') does that.")
def store_one_recv(seen: Seen) -> str | None:
    if seen.facts.get("phase") != "pieces" or not seen.made("recv"):
        return None
    return "recv() returned b'ADD app', and it took that for the whole line: a recv returns what has arrived."


@serve_store.misconception("lost-line", advice="Answer every line that has come, before you call recv() again.")
def store_lost_line(seen: Seen) -> str | None:
    if seen.facts.get("phase") != "two" or seen.error:
        return None
    return "Two lines came in one recv(), and it answered only one: the other is lost."


@serve_store.misconception(
    "lock-while-waiting", advice="Wait for the line first; take the lock when it is here, and give it back at once."
)
def store_lock_waits(seen: Seen) -> str | None:
    accepted = [one for one in seen.events if one.call == "accept" and not one.failure]
    if not (seen.facts.get("half") and seen.timed_out and len(accepted) > 1 and not seen.facts.get("heard")):
        return None
    return "One client has sent half a line, and its thread waits for the rest with the lock in its hands."


@serve_store.misconception(
    "one-after-another", advice="Let a thread of its own talk with each client, and start() it; only accept here."
)
def store_in_turn(seen: Seen) -> str | None:
    if not (seen.facts.get("half") and seen.timed_out):
        return None
    return "It talks with the first client until that one has left, and nobody else is served meanwhile."


@serve_store.misconception("torn-line", advice=r"Answer a line that ends with b'\n', and no other.")
def store_torn(seen: Seen) -> str | None:
    if not seen.facts.get("torn"):
        return None
    return "A client left in the middle of a line, and it counted what had come of it: 1, and it may have been 12."


@serve_store.misconception(
    "one-breaks-all", advice="Catch ConnectionError where one client is served, and end that one."
)
def store_breaks(seen: Seen) -> str | None:
    if not (seen.facts.get("reset") and seen.raised(ConnectionError)):
        return None
    return f"One client vanished, and its {type(seen.error).__name__} ended the service of all of them."


@serve_store.misconception("returns-early", advice="Wait for the threads before you return: join(), or a pool's with.")
def store_early(seen: Seen) -> str | None:
    if not seen.facts.get("early"):
        return None
    return "It returned while a client was still there: starting a thread is one thing, waiting for its end another."


@serve_store.misconception(
    "dies-in-thread", advice="Call the function by itself first, without a thread: then you see it."
)
def store_dies(seen: Seen) -> str | None:
    return died(seen)


# -- start_pool --------------------------------------------------------------------------------------------------------


class Work:
    """The handler that the answer is given: it counts who is at work, and holds everybody until `go`."""

    def __init__(self, breaks: int = 0) -> None:
        self.begun = self.inside = self.most = 0
        self.breaks = breaks  # so many calls raise
        self.go = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, conn: socket.socket) -> None:
        with self._lock:
            self.begun += 1
            number = self.begun
            self.inside += 1
            self.most = max(self.most, self.inside)
        try:
            if number <= self.breaks:
                raise ValueError("a bad question")
            self.go.wait(5.0)
            conn.sendall(b"served")
        finally:
            with self._lock:
                self.inside -= 1


class Pool:
    """What the answer has started, and its clients."""

    def __init__(self, attempt: Attempt, work: Work, n: int) -> None:
        self.attempt, self.facts, self.work = attempt, attempt.seen.facts, work
        self.listener = attempt.listener(backlog=16)
        self.address = self.listener.getsockname()
        self._before = threading.enumerate()
        self.clients: list[socket.socket] = []
        result = attempt.call(self.listener, work, n)
        self.facts["callable"] = callable(result)
        attempt.want(callable(result), "it returns a function", f"it returned {kind(result)}")
        self.stop: Callable[[], object] = result

    @property
    def threads(self) -> list[threading.Thread]:
        """Those of the answer that are alive."""
        new = [one for one in threading.enumerate() if one not in self._before]
        return [one for one in new if not one.name.startswith(PEER)]

    def come(self, count: int) -> Sequence[socket.socket]:
        self.clients += [client_of(self.attempt, self.listener) for _ in range(count)]
        return self.clients[-count:]

    def served(self, sock: socket.socket, who: str) -> None:
        expected = f"{who} hears b'served' and then the end"
        data, ended = until_end(sock)
        self.facts["unserved"], self.facts["no end"] = data != b"served", not ended
        came = shown(data) if data or ended else "nothing"
        self.attempt.want(data == b"served", expected, came)
        self.attempt.want(ended, expected, "b'served', and no end")

    def ends(self) -> None:
        """stop() has to return, and to leave nothing; and once more."""
        attempt, facts = self.attempt, self.facts
        attempt.then("stop()", self.stop)
        for client in self.clients:
            client.close()
        gone = facts["gone"] = until(lambda: not self.threads, SOON / 2)
        attempt.want(gone, "no thread is left after stop()", "one is")
        errors = facts.get("errors")
        came = f"one ended with {in_words(errors[0])}" if errors else ""
        attempt.want(not errors, "its threads end like any function", came)
        facts["listens"] = self.listener.fileno() >= 0
        attempt.want(not facts["listens"], "the listener is closed after stop()", "it is open")
        facts["second"] = True
        attempt.then("stop()", self.stop)

    def at_the_door(self) -> None:
        """Where close() is faster than accept(), or not, is a matter of luck: have the threads where they wait."""
        until(lambda: all(waiting(one, explain=False) for one in self.threads), SOON)


@start_pool.scenario("five clients, two at a time")
def two_at_a_time(attempt: Attempt) -> None:
    work = Work()
    with errors_in_threads(attempt):
        pool = Pool(attempt, work, 2)
        clients = pool.come(5)
        attempt.seen.facts["few"] = not until(lambda: work.begun >= 2, SOON)
        attempt.want(not attempt.seen.facts["few"], "two handlers are at work", f"{work.begun or 'none'}")
        many = attempt.seen.facts["many"] = until(lambda: work.begun > 2, GRACE)
        attempt.want(not many, "two handlers are at work, three clients wait", "a third handler began")
        work.go.set()
        for number, client in enumerate(clients, 1):
            pool.served(client, f"client {number}")
        attempt.want(work.most == 2, "two handlers at once, at most", f"{work.most}")
        pool.at_the_door()
        pool.ends()


@start_pool.scenario("two handlers raise, and a third client comes")
def two_raise(attempt: Attempt) -> None:
    work = Work(breaks=2)
    work.go.set()
    facts = attempt.seen.facts
    with errors_in_threads(attempt):
        pool = Pool(attempt, work, 2)
        for number in (1, 2):
            (client,) = pool.come(1)
            data, ended = until_end(client)
            facts["raised, no end"] = not ended
            came = shown(data) if data else "nothing"
            attempt.want(ended and not data, f"client {number}, whose handler raises, hears the end", came)
        (client,) = pool.come(1)
        facts["after"] = True
        pool.served(client, "client 3")
        pool.at_the_door()
        pool.ends()


@start_pool.scenario("stop() while one is at work and another one waits")
def stop_at_work(attempt: Attempt) -> None:
    work, facts = Work(), attempt.seen.facts
    with errors_in_threads(attempt):
        pool = Pool(attempt, work, 1)
        first, second = pool.come(2)
        attempt.want(until(lambda: work.begun == 1, SOON), "one handler is at work", "none")
        stopping, stopped = threading.Event(), threading.Event()

        def let_go() -> None:
            stopping.wait(5.0)
            facts["abandoned"] = stopped.wait(GRACE)
            work.go.set()

        beside = attempt.beside(let_go)
        stopping.set()
        attempt.then("stop()", pool.stop)
        stopped.set()
        beside.join(1.0)
        attempt.want(not facts["abandoned"], "stop() waits for the handler at work", "it returned before")
        pool.served(first, "client 1")
        _, ended = until_end(second)
        facts["forgotten"] = not ended
        attempt.want(ended, "who still waits hears the end", "nothing")
        pool.ends()


@start_pool.scenario("stop() finds nobody")
def stop_finds_nobody(attempt: Attempt) -> None:
    with errors_in_threads(attempt):
        pool = Pool(attempt, Work(), 2)
        pool.at_the_door()
        pool.ends()


@start_pool.misconception("never-returns", advice="Start the threads, and return: they do the accepting.")
def pool_blocks(seen: Seen) -> str | None:
    if not (seen.timed_out and seen.expected.startswith("start_pool")):
        return None
    return "It serves the clients itself, so that it does not return, and nobody gets stop()."


@start_pool.misconception("no-stop", advice="return stop: without brackets, or it is called at once.")
def pool_no_stop(seen: Seen) -> str | None:
    if seen.facts.get("callable", True) or seen.result is None:
        return None
    return "It returned something that cannot be called."


@start_pool.misconception("more-than-n", advice="n threads that accept, or a ThreadPoolExecutor(n): not one for each.")
def pool_many(seen: Seen) -> str | None:
    if not seen.facts.get("many"):
        return None
    return "Two handlers were at work, and a third one began: nothing bounds how many there are."


@start_pool.misconception("fewer-than-n", advice="Let another thread accept while a handler is at work.")
def pool_few(seen: Seen) -> str | None:
    if not seen.facts.get("few"):
        return None
    return "One handler is at work, and nobody serves the next client, although n is 2."


@start_pool.misconception(
    "slot-lost", advice="Catch what the handler raises inside the loop, and give back what you took in a finally."
)
def pool_slot(seen: Seen) -> str | None:
    if not (seen.facts.get("after") and seen.facts.get("unserved")):
        return None
    return "Each handler that raised took its thread, or its place, along: after two of them nobody is served any more."


@start_pool.misconception("conn-left-open", advice="with conn: around the handler, so that an exception closes it too.")
def pool_conn(seen: Seen) -> str | None:
    if not (seen.facts.get("no end") or seen.facts.get("raised, no end")) or seen.facts.get("unserved"):
        return None
    return "The handler has ended and its connection is open: the client waits for what else will come."


@start_pool.misconception(
    "close-wakes-nobody", advice="Wake who waits in accept() first, by shutdown() of the listener; close it last."
)
def pool_close(seen: Seen) -> str | None:
    closed = any(one.end is not None and one.end.listening for one in seen.made("close"))
    stuck = seen.facts.get("gone") is False or (seen.expected == "stop() returns" and seen.blocked_in("thread"))
    if not (closed and stuck) or seen.made("shutdown"):
        return None
    return "It closed the listener, and who waits in accept() knows nothing of that: the thread waits on."


@start_pool.misconception("nobody-wakes", advice="Wake them: shutdown() of the listener, or a connection for each.")
def pool_flag(seen: Seen) -> str | None:
    if seen.expected == "stop() returns" and waits_for_thread_in(seen, "accept"):
        return "stop() waits for the threads, and they wait in accept(): nothing that stop() did wakes them."
    return None


@start_pool.misconception("abandons", advice="Wait for the handlers: join() each thread, or shutdown() of the pool.")
def pool_abandons(seen: Seen) -> str | None:
    if not seen.facts.get("abandoned"):
        return None
    return "stop() returned while a handler was at work."


@start_pool.misconception("forgets-who-waits", advice="Close what was accepted and not served, and the listener.")
def pool_forgets(seen: Seen) -> str | None:
    if not seen.facts.get("forgotten"):
        return None
    return "A client that was waiting when stop() was called hears neither an answer nor the end."


@start_pool.misconception("thread-left", advice="End the thread, and wait for its end: join(), or a pool's shutdown().")
def pool_thread(seen: Seen) -> str | None:
    if seen.facts.get("gone") is not False:
        return None
    return "stop() has returned, and a thread that it was to end is still there."


@start_pool.misconception("still-listens", advice="Close the listener in stop(), when the threads have ended.")
def pool_listens(seen: Seen) -> str | None:
    if not seen.facts.get("listens"):
        return None
    return "The threads have ended and the listener is open: clients are let in there, and nobody ever answers them."


@start_pool.misconception(
    "stops-once", advice="Let each step of stop() be one that may be done twice, or return at its beginning."
)
def pool_once(seen: Seen) -> str | None:
    if not (seen.facts.get("second") and seen.error):
        return None
    return f"The second stop() raised {type(seen.error).__name__}: what it wants to end has ended."


@start_pool.misconception(
    "dies-in-thread", advice="Leave the loop when accept() fails, and catch what a handler raises."
)
def pool_dies(seen: Seen) -> str | None:
    return died(seen)
