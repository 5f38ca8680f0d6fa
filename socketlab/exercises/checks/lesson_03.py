"""The exercises of lesson 03: echo to many clients at once, a listener at any port, a server that can be stopped.

How an answer serves is its own affair: threads, selectors and asyncio pass alike. So the scenarios look from outside:
what clients hear, who has to leave before somebody else is heard, and what is left when it is over. Where an answer has
to wait for a client, that client does not act before the others have had what is theirs: order, not time, decides.
"""

from __future__ import annotations

import errno
import random
import socket
import threading
from collections.abc import Callable
from contextlib import closing

from ...experiments.doors.wire import abort
from ...trace.waiting import waiting
from ..attempt import PEER, Attempt, Raised, until
from ..definition import Exercise
from ..seen import Seen
from ..threads import died, errors_in_threads, waits_for_thread_in
from ..words import in_words, kind
from ..words import shown as shown_value

LESSON = "03_a_server"
SOON = 0.5  # seconds for what one thread of this process does for another
AT_ONCE = 0.06  # seconds in which an answer that waits for nobody has returned


serve_many = Exercise(
    "serve_many",
    lesson=LESSON,
    wants="serve_many(listener, n)",
    task="Accept `n` clients and send back to each what it says, all at once; return when the last of them has left, "
    "with every connection closed.",
    hints=(
        "`accept()` in a loop of `n`, and the talking elsewhere: `serve_one` above has both in one function.",
        "The talking with one client is a function of `conn`; a thread each calls it, as in `one_thread_each`.",
        "How many threads has a `ThreadPoolExecutor()`? As many as it likes, unless you say `max_workers=`.",
        "Leaving the `with` of a pool waits for its threads; threads of your own want a `join()` each, after the loop.",
    ),
    deadline=1.0,
)

any_port = Exercise(
    "any_port",
    lesson=LESSON,
    wants="any_port()",
    task="Return a listener at 127.0.0.1 that never meets EADDRINUSE; fifty clients may wait at its door.",
    hints=(
        "Who knows which ports are free? Not you.",
        "Port 0 asks the kernel for a free one, and the listener has it from then on: there is nothing to look for.",
        "`create_server()` binds and listens, and takes a backlog of its own if you name none.",
    ),
    deadline=1.0,
)

start_greeter = Exercise(
    "start_greeter",
    lesson=LESSON,
    wants="start_greeter()",
    task='Start a server that says `b"welcome"` to each client and hangs up. Return `(address, stop)` at once. '
    "`stop()` ends it, and leaves no thread and no socket; calling it again does no harm.",
    hints=(
        "A thread accepts, greets and closes in a loop; `start_greeter` starts it, and does not wait for it.",
        "`stop` can be a function inside `start_greeter`: it sees the listener and the thread of this one server.",
        "The thread waits in `accept()`. A flag alone does not wake it, nor does `close()`; a client does.",
        "Set the flag, ring, `join()` the thread, then close the listener. If the flag is set already, return.",
    ),
)


# -- what the scenarios share ------------------------------------------------------------------------------------------


def client_of(attempt: Attempt, listener: socket.socket) -> socket.socket:
    return attempt.keep(socket.create_connection(listener.getsockname(), 5.0))


def hear(sock: socket.socket, size: int) -> bytes:
    """`size` bytes, or what came before the end."""
    data = b""
    while len(data) < size and (more := sock.recv(size - len(data))):
        data += more
    return data


# -- serve_many --------------------------------------------------------------------------------------------------------


class Talk:
    """What some clients of one listener say, and what they hear, in one thread beside the answer."""

    def __init__(self, attempt: Attempt, count: int) -> None:
        self.attempt, self.facts, self.wanted, self.over = attempt, attempt.seen.facts, "", False
        self.listener = attempt.listener(backlog=64)
        self.clients = [client_of(attempt, self.listener) for _ in range(count)]

    def serve(self, talk: Callable[[], object]) -> None:
        """Let the answer serve while `talk` goes on; then everybody has to have heard what was said."""
        attempt, facts = self.attempt, self.facts

        def talk_and_leave() -> None:
            try:
                talk()
            except OSError as exc:
                facts.setdefault("heard", b"")
                facts.setdefault("wrong", (self.wanted, type(exc).__name__))
            finally:
                self.now(f"{attempt.wants} returns")
                for client in self.clients:
                    client.close()

        with errors_in_threads(attempt):
            beside = attempt.beside(talk_and_leave)
            try:
                attempt.call(self.listener, len(self.clients))
            except Raised:
                self.now(f"{attempt.wants} returns")
                self.over = True
                raise
            beside.join(1.0)
        attempt.want(not facts.get("early"), "it returns when the last client has left", "it returned before")
        attempt.want("wrong" not in facts, *facts.get("wrong", ("", "")))

    def now(self, wanted: str) -> None:
        """From now on that is what has to come next."""
        if not self.over:
            self.wanted = self.attempt.seen.expected = wanted

    def say(self, number: int, words: bytes, expected: str = "") -> None:
        """Client `number` says something; until it is answered, that is what is `expected`."""
        self.now(expected or f"client {number + 1} hears {shown_value(words)}")
        self.clients[number].sendall(words)

    def echoed(self, number: int, words: bytes) -> bool:
        """Whether client `number` hears `words` now."""
        try:
            heard = hear(self.clients[number], len(words))
        except ConnectionError:
            heard = b""
        if heard == words:
            self.facts["answered"] = self.facts.get("answered", 0) + 1
        else:
            self.facts["heard"], self.facts["wrong"] = heard, (self.wanted, shown_value(heard))
        return heard == words


@serve_many.scenario("one client says three things")
def three_things(attempt: Attempt) -> None:
    talk = Talk(attempt, 1)
    client, seen = talk.clients[0], attempt.seen

    def three() -> None:
        for words in (b"one", b"and two", b"three " * 500):
            talk.say(0, words)
            if not talk.echoed(0, words):
                return
        until(lambda: seen.returned, AT_ONCE)
        seen.facts["early"] = seen.returned
        talk.now("the client hears b'' when it has finished")
        client.shutdown(socket.SHUT_WR)
        client.settimeout(SOON)
        try:
            client.recv(1)
        except TimeoutError:
            seen.facts["heard"], seen.facts["wrong"] = None, (talk.wanted, "nothing")

    talk.serve(three)


@serve_many.scenario("the first client is silent while the second asks")
def silent_client(attempt: Attempt) -> None:
    attempt.seen.facts["silent"] = True
    talk = Talk(attempt, 2)

    def second_asks() -> None:
        talk.say(1, b"Hello?")
        talk.echoed(1, b"Hello?")

    talk.serve(second_asks)


@serve_many.scenario("one of three vanishes, the others talk on")
def vanishing_client(attempt: Attempt) -> None:
    attempt.seen.facts["reset"] = True
    talk = Talk(attempt, 3)

    def second_vanishes() -> None:
        for number in (0, 1, 2):
            talk.say(number, b"before")
            if not talk.echoed(number, b"before"):
                return
        abort(talk.clients[1])
        for number in (0, 2):
            talk.say(number, b"after", "clients 1 and 3 hear b'after'")
            if not talk.echoed(number, b"after"):
                return

    talk.serve(second_vanishes)


@serve_many.scenario("up to fifty at once, and nobody leaves before the last has its answer")
def fifty(attempt: Attempt) -> None:
    count = attempt.seen.facts["all"] = attempt.fitting(50)
    talk = Talk(attempt, count)

    def all_ask() -> None:
        words = [f"client {number + 1}".encode() for number in range(count)]
        for number in range(count):
            talk.say(number, words[number], f"each of the {count} hears what it has said")
        all(talk.echoed(number, words[number]) for number in range(count))

    talk.serve(all_ask)


@serve_many.misconception("joins-at-once", advice="Start them all first; join() them after the loop.")
def many_joins(seen: Seen) -> str | None:
    if not (seen.facts.get("silent") and waits_for_thread_in(seen, "recv")):
        return None
    return (
        "It waits for the first client's thread to end before it goes on: a thread each, and still one after another."
    )


@serve_many.misconception(
    "one-after-another", advice="Let a thread of its own talk with each client; only accept here."
)
def many_in_turn(seen: Seen) -> str | None:
    if not (seen.facts.get("silent") and seen.blocked_in("recv")):
        return None
    return "It stands in recv() for the client that says nothing, and nobody else is served meanwhile."


@serve_many.misconception("pool-too-small", advice="ThreadPoolExecutor(max_workers=n): a thread for each client.")
def many_pool(seen: Seen) -> str | None:
    if not (seen.facts.get("all") and seen.timed_out and seen.facts.get("answered")):
        return None
    some = f"Some of the {seen.facts['all']} had their answers"
    return f"{some}, the others wait until one of those leaves: too few serve at a time."


@serve_many.misconception("answers-at-the-end", advice="Send each piece back as soon as recv() has returned it.")
def many_at_end(seen: Seen) -> str | None:
    if not (seen.timed_out and seen.received and not seen.sent) or seen.ends_of_stream() or seen.failed("TypeError"):
        return None
    return "It has heard a question and goes on listening for the end, while the client waits for the answer."


@serve_many.misconception("one-message", advice="Go on until recv() returns b'': while data := conn.recv(1024).")
def many_once(seen: Seen) -> str | None:
    if "wrong" not in seen.facts or seen.facts["heard"] != b"" or not seen.facts.get("answered") or seen.error:
        return None
    return "It answered one recv() and hung up: the client had more to say."


@serve_many.misconception("returns-early", advice="Wait for the threads before you return: join(), or a pool's with.")
def many_early(seen: Seen) -> str | None:
    if not seen.facts.get("early"):
        return None
    return "It returned while the client was still there: starting a thread is one thing, waiting for its end another."


@serve_many.misconception(
    "one-breaks-all", advice="Catch ConnectionError where one client is served, and end that one."
)
def many_break(seen: Seen) -> str | None:
    if not (seen.facts.get("reset") and seen.raised(ConnectionError)):
        return None
    return f"One client vanished, and its {type(seen.error).__name__} ended the service of all of them."


@serve_many.misconception(
    "dies-in-thread", advice="Call the function by itself first, without a thread: then you see it."
)
def many_dies(seen: Seen) -> str | None:
    return died(seen) if seen.facts.get("heard") is not None else None


@serve_many.misconception("not-the-echo", advice="Send back the bytes that recv() returned, as they are.")
def many_other(seen: Seen) -> str | None:
    if seen.facts.get("heard") is None or seen.error or seen.failed("TypeError"):
        return None
    if not seen.facts["heard"]:
        return "It accepted the client and hung up without a word."
    return "It answered, and not with what the client had said."


# -- any_port ----------------------------------------------------------------------------------------------------------


def listening(attempt: Attempt, other_than: socket.socket | None = None) -> socket.socket:
    """What the answer returns, which has to be a listener at 127.0.0.1."""
    result, facts = attempt.call(), attempt.seen.facts
    facts["same"] = other_than is not None and result is other_than
    attempt.want(not facts["same"], "another listener at the second call", "the first one")
    attempt.want(isinstance(result, socket.socket), "it returns a listener", f"it returned {kind(result)}")
    sock: socket.socket = attempt.keep(result)
    attempt.want(sock.fileno() >= 0, "it returns an open socket", "it returned a closed one")
    try:
        host = sock.getsockname()[0]
        listens = bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except (OSError, AttributeError):  # Windows has no answer for a socket without an address; macOS none at all
        host, listens = sock.getsockname()[0], True
    facts["host"], facts["listens"] = host, listens
    attempt.want(listens, "it returns a listener", "the socket does not listen")
    attempt.want(host == "127.0.0.1", "it listens at 127.0.0.1", f"it listens at {host}")
    return sock


def let_in(attempt: Attempt, listener: socket.socket) -> None:
    """A client of this listener has to be accepted by it, and by no other."""
    listener.settimeout(SOON)
    with socket.create_connection(listener.getsockname(), SOON) as client:
        try:
            conn, address = listener.accept()
        except TimeoutError:
            attempt.want(False, "it accepts its client", "nobody to accept")
        conn.close()
        attempt.want(address == client.getsockname(), "it accepts its client", "somebody else's")


def two_listeners(attempt: Attempt, before_each: Callable[[], object] = lambda: None) -> None:
    before_each()
    first, facts = listening(attempt), attempt.seen.facts
    before_each()
    second = listening(attempt, other_than=first)
    facts["shared"] = first.getsockname() == second.getsockname()
    attempt.want(not facts["shared"], "two listeners with an address each", "two with the same address")
    for listener in (first, second):
        let_in(attempt, listener)


@any_port.scenario("the cell is run again while the first server is there")
def run_again(attempt: Attempt) -> None:
    two_listeners(attempt)


@any_port.scenario("two programs whose dice fall alike")
def same_dice(attempt: Attempt) -> None:
    attempt.seen.facts["dice"] = True
    state = random.getstate()
    try:
        two_listeners(attempt, lambda: random.seed(862))  # as two children of one process have the same state
    finally:
        random.setstate(state)


@any_port.scenario("up to fifty clients wait at the door")
def at_the_door(attempt: Attempt) -> None:
    listener, facts = listening(attempt), attempt.seen.facts
    facts["admitted"], facts["all"] = 0, attempt.fitting(50)
    for _ in range(facts["all"]):
        client = attempt.keep(socket.socket())
        client.settimeout(SOON)
        try:
            client.connect(listener.getsockname())
        except OSError as exc:
            came = "no answer" if isinstance(exc, TimeoutError) else type(exc).__name__
            attempt.want(False, f"client {facts['admitted'] + 1} of {facts['all']} is connected", came)
        facts["admitted"] += 1


@any_port.misconception("returns-address", advice="Return the listener itself; who has it can ask for its address.")
def port_address(seen: Seen) -> str | None:
    if not seen.returned or seen.result is None or isinstance(seen.result, socket.socket):
        return None
    return "It returned something about a listener, and not the listener: nobody can accept() with that."


@any_port.misconception("closed-on-return", advice="Leave the closing to the caller, who gets the listener.")
def port_closed(seen: Seen) -> str | None:
    if "closed one" not in seen.came:
        return None
    return "The listener that it returned is closed: a `with` block closes at its end, also when a return leaves it."


@any_port.misconception("not-listening", advice="Call listen() as well, or let create_server() do all of it.")
def port_mute(seen: Seen) -> str | None:
    if seen.facts.get("listens", True) or not seen.returned:
        return None
    return "Nobody has called listen(): the socket may have an address, and clients are refused there."


@any_port.misconception("everybody", advice='Bind to "127.0.0.1": only programs on this machine get there.')
def port_everybody(seen: Seen) -> str | None:
    if seen.facts.get("host") != "0.0.0.0":
        return None
    if not seen.made("bind", "create_server"):
        return "It never called bind(): listen() then takes every interface of the machine, 0.0.0.0."
    return "It listens at 0.0.0.0, which means every interface of the machine: others on the network get in as well."


@any_port.misconception("same-listener", advice="Make a socket inside the function, each time.")
def port_same(seen: Seen) -> str | None:
    if not seen.facts.get("same"):
        return None
    return "Both calls returned the same listener: whoever closes the one has closed the other."


@any_port.misconception("port-shared", advice="Leave SO_REUSEPORT out, and ask for port 0: each listener has its own.")
def port_shared(seen: Seen) -> str | None:
    if not seen.facts.get("shared"):
        return None
    return "Two listeners have the same port (SO_REUSEPORT): the kernel deals clients out to them, to either of them."


@any_port.misconception("random-port", advice="Do not draw a number: ask the kernel, which knows, for port 0.")
def port_random(seen: Seen) -> str | None:
    if not (seen.raised_number(errno.EADDRINUSE) and seen.facts.get("dice")):
        return None
    return "It drew a port by chance, and somebody had drawn the same one: EADDRINUSE, only more seldom."


@any_port.misconception("fixed-port", advice="Ask for port 0: the kernel picks one that is free.")
def port_fixed(seen: Seen) -> str | None:
    if not seen.raised_number(errno.EADDRINUSE):
        return None
    return "bind() failed with EADDRINUSE: it asked for one particular port, and a listener has that already."


@any_port.misconception(
    "short-queue", advice="Leave the backlog out: Python then takes 128, or what the system allows."
)
def port_queue(seen: Seen) -> str | None:
    admitted = seen.facts.get("admitted")
    if admitted is None or admitted == seen.facts["all"]:
        return None
    return (
        f"{admitted} clients came in and the next one has no answer: the backlog is how many may wait, and it is full."
    )


# -- start_greeter -----------------------------------------------------------------------------------------------------


class Greeter:
    """One server that the answer has started."""

    def __init__(self, attempt: Attempt, name: str = "") -> None:
        self.attempt, self.facts, self.name = attempt, attempt.seen.facts, name
        before = threading.enumerate()
        result = attempt.call()
        self.threads = [one for one in threading.enumerate() if one not in before and not one.name.startswith(PEER)]
        pair = isinstance(result, (tuple, list)) and len(result) == 2
        so = pair and isinstance(result[0], tuple) and callable(result[1])
        self.facts["pair"] = so
        attempt.want(so, "it returns (address, stop)", f"it returned {kind(result)}")
        self.address, self.stop = result

    def greets(self, who: str) -> None:
        """A client has to hear the greeting and then the end."""
        expected = f"{who} hears b'welcome' and then the end"
        heard, ended = b"", False
        try:
            with socket.create_connection(self.address[:2], SOON) as client:
                heard = hear(client, 7)
                heard += client.recv(100)
                ended = client.recv(1) == b""
        except TimeoutError:
            pass
        except OSError as exc:
            self.facts["wrong"] = heard
            self.attempt.want(False, expected, type(exc).__name__)
        if heard != b"welcome" or not ended:
            self.facts["wrong"] = heard
        self.attempt.want(heard == b"welcome", expected, shown_value(heard) if heard or ended else "nothing")
        self.attempt.want(ended, expected, "b'welcome', and no end")
        self.facts["greeted"] = self.facts.get("greeted", 0) + 1

    def stops(self) -> None:
        """stop() has to return, and to leave no thread and no socket."""
        attempt, facts = self.attempt, self.facts
        # Where close() is faster than accept(), or not, is a matter of luck: have the thread where it waits.
        until(lambda: all(waiting(one, explain=False) for one in self.threads if one.is_alive()), SOON)
        attempt.then("stop()", self.stop)
        facts["gone"] = until(lambda: not any(one.is_alive() for one in self.threads), SOON / 2)
        if not facts["gone"]:
            stand = [waiting(one, explain=False) for one in self.threads if one.is_alive()]
            facts["stands in"] = next((one.kind for one in stand if one is not None), "")
            facts["reachable"] = self._reachable()
        attempt.want(facts["gone"], "no thread is left after stop()", "one is")
        errors = facts.get("errors")
        attempt.want(
            not errors, "its thread ends like any function", f"it ended with {in_words((errors or [None])[0])}"
        )
        facts["still open"] = self._reachable()
        attempt.want(not facts["still open"], "nobody listens there after stop()", "a client can still connect")

    def _reachable(self) -> bool:
        with closing(socket.socket()) as client:
            client.bind(("127.0.0.1", 0))  # a port of its own: a client could be given the one that it calls
            client.settimeout(SOON)
            return client.connect_ex(self.address[:2]) == 0


# A server that looks at a flag twice a second, as socketserver's does, takes half a second to stop. It is slow, and not
# wrong: three servers have to be stopped within the time that a check has (definition.TOTAL).


@start_greeter.scenario("three clients, then stop, and stop once more")
def three_clients(attempt: Attempt) -> None:
    with errors_in_threads(attempt):
        greeter = Greeter(attempt)
        for who in ("the first client", "the second client", "the third client"):
            greeter.greets(who)
        greeter.stops()
        attempt.nothing_left_open()
        attempt.seen.facts["second"] = True
        greeter.stops()


@start_greeter.scenario("two servers, and one is stopped before anybody came")
def one_of_two(attempt: Attempt) -> None:
    attempt.seen.facts["two"] = True
    with errors_in_threads(attempt):
        first, second = Greeter(attempt), Greeter(attempt)
        first.stops()
        second.greets("a client of the other")
        second.stops()


@start_greeter.misconception(
    "never-returns", advice="Let a thread do it: threading.Thread(target=…, daemon=True).start()."
)
def greeter_blocks(seen: Seen) -> str | None:
    if not (seen.timed_out and seen.expected.startswith("start_greeter")):
        return None
    if not (seen.blocked_in("accept", "select") or waits_for_thread_in(seen, "accept", "select")):
        return None
    return "It waits for clients itself, so that it does not return, and nobody learns the address."


@start_greeter.misconception("fixed-port", advice="Ask for port 0, and return what getsockname() says.")
def greeter_fixed(seen: Seen) -> str | None:
    if not seen.raised_number(errno.EADDRINUSE):
        return None
    return "bind() failed with EADDRINUSE: it asked for one particular port, and a server has that already."


@start_greeter.misconception(
    "no-pair", advice="return address, stop: without brackets after stop, or it is called at once."
)
def greeter_pair(seen: Seen) -> str | None:
    if seen.facts.get("pair", True) or seen.result is None:
        return None
    if isinstance(seen.result, (tuple, list)) and len(seen.result) == 2 and isinstance(seen.result[0], tuple):
        return "The second thing that it returned cannot be called: it is what stop() returned, not stop."
    return "It returned something else than an address and a function."


@start_greeter.misconception(
    "close-wakes-nobody", advice="Wake the thread first, by a connection; close the listener last."
)
def greeter_close(seen: Seen) -> str | None:
    closed = any(one.end is not None and one.end.listening for one in seen.made("close"))
    stuck = seen.facts.get("gone") is False or (seen.expected == "stop() returns" and seen.blocked_in("thread"))
    if not (closed and stuck and seen.facts.get("reachable", True)):
        return None
    return "It closed the listener, and the thread in accept() knows nothing of that: it waits on, and keeps the port."


@start_greeter.misconception("nobody-rings", advice="Ring: connect to the listener once, so that accept() returns.")
def greeter_flag(seen: Seen) -> str | None:
    if seen.expected == "stop() returns" and waits_for_thread_in(seen, "accept"):
        return "stop() waits for the thread, and the thread waits in accept(): nothing that stop() did wakes it."
    if seen.facts.get("stands in") == "accept":
        return "The thread still waits in accept(): it looks at a flag only after the next client has come."
    return None


@start_greeter.misconception(
    "thread-left", advice="End the thread, and wait for its end: join(), or a pool's shutdown()."
)
def greeter_thread(seen: Seen) -> str | None:
    if seen.facts.get("gone") is not False:
        return None
    return "stop() has returned, and a thread that it was to end is still there."


@start_greeter.misconception("stops-once", advice="Look at the flag at the beginning of stop(): if it is set, return.")
def greeter_once(seen: Seen) -> str | None:
    if not (seen.facts.get("second") and seen.error):
        return None
    return f"The second stop() raised {type(seen.error).__name__}: what it wants to end has ended."


@start_greeter.misconception(
    "shared", advice="Make flag, listener and thread inside the function: each server has its own."
)
def greeter_shared(seen: Seen) -> str | None:
    if not (seen.facts.get("two") and "wrong" in seen.facts and seen.facts["wrong"] != b"welcome"):
        return None
    return "Stopping one server has stopped another: what stop() sets belongs to all of them."


@start_greeter.misconception(
    "dies-in-thread", advice="Let the loop end by itself: it looks at the flag after each accept()."
)
def greeter_dies(seen: Seen) -> str | None:
    return died(seen)


@start_greeter.misconception("one-client", advice="accept() in a loop: while True.")
def greeter_one(seen: Seen) -> str | None:
    if not ("wrong" in seen.facts and seen.facts.get("greeted") == 1):
        return None
    return "It greeted the first client, and nobody called accept() for the second."


@start_greeter.misconception("no-hang-up", advice="with conn: around the greeting closes the connection behind it.")
def greeter_stays(seen: Seen) -> str | None:
    if seen.facts.get("wrong") != b"welcome":
        return None
    return "It greeted and did not close the connection: the client waits for what else will come."


@start_greeter.misconception("no-greeting", advice='conn.sendall(b"welcome") for each client, then close.')
def greeter_mute(seen: Seen) -> str | None:
    if "wrong" not in seen.facts or seen.failed("TypeError"):
        return None
    return "The client did not hear the greeting."


@start_greeter.misconception("still-open", advice="Close the listener in stop(), when its thread has ended.")
def greeter_open(seen: Seen) -> str | None:
    if not seen.facts.get("still open"):
        return None
    return (
        "The thread has ended, and its listener is still open: clients are let in there, and nobody ever answers them."
    )
