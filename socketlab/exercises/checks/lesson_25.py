"""Lesson 25: a writer that drains, a server that ends when it is told to, and a question over UDP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from ...experiments.doors.wire import abort
from ..attempt import Attempt, Unmet
from ..definition import Exercise
from ..in_loop import Awaited, common, in_loop
from ..seen import Seen
from ..words import shown

LESSON = "25_asyncio"

# -- send_chunks -------------------------------------------------------------------------------------------------------

PIECES, PIECE = 200, 10_000
HIGH = 65_536  # asyncio's high-water mark

send_chunks = Exercise(
    "send_chunks",
    lesson=LESSON,
    wants="send_chunks(writer, chunks)",
    task="Write each of `chunks` to a StreamWriter, never more than the high-water mark and a piece at a time.",
    hints=(
        "`write` never waits. Which call does?",
        "A loop over `chunks`: write one, then wait until there is room for the next.",
        "`await writer.drain()` after each `write`; it also raises where the peer has gone.",
    ),
    awaits=True,
)


@asynccontextmanager
async def stream(attempt: Attempt) -> AsyncIterator[tuple[asyncio.StreamWriter, socket.socket]]:
    """A writer for the answer, and the peer's end, which does not block."""
    ours, peer = attempt.connection()
    for sock, option in ((ours, socket.SO_SNDBUF), (peer, socket.SO_RCVBUF)):
        sock.setsockopt(socket.SOL_SOCKET, option, 16_384)
    peer.setblocking(False)
    _, writer = await asyncio.open_connection(sock=ours)
    try:
        yield writer, peer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def gather_bytes(peer: socket.socket, size: int) -> bytes:
    """What comes, up to `size` bytes."""
    loop, heard = asyncio.get_running_loop(), b""
    while len(heard) < size and (data := await loop.sock_recv(peer, 65_536)):
        heard += data
    return heard


@send_chunks.scenario("three pieces, and a reader")
def three_pieces(attempt: Attempt) -> None:
    async def talk(answer: Awaited) -> None:
        async with stream(attempt) as (writer, peer):
            reading = asyncio.ensure_future(gather_bytes(peer, 13))
            count = await answer.call(writer, iter([b"one ", b"two ", b"three"]))
            attempt.want(not writer.is_closing(), "the writer is open when it is done", "it is closed")
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(reading, 0.5)
            heard = reading.result() if reading.done() and not reading.cancelled() else b""
            attempt.equal(heard, b"one two three", "the reader gets")
            attempt.equal(count, 13, "it returns")

    in_loop(attempt, talk)


@send_chunks.scenario("no piece at all")
def no_piece(attempt: Attempt) -> None:
    async def talk(answer: Awaited) -> None:
        async with stream(attempt) as (writer, _):
            attempt.equal(await answer.call(writer, iter([])), 0, "it returns")

    in_loop(attempt, talk)


@send_chunks.scenario("two hundred pieces of 10,000 bytes, and a reader that begins late")
def late_reader(attempt: Attempt) -> None:
    facts = attempt.seen.facts
    facts.update(asked=0, most=0, kept=False)

    async def talk(answer: Awaited) -> None:
        async with stream(attempt) as (writer, peer):

            def pieces() -> Iterator[bytes]:
                for number in range(PIECES):
                    facts["most"] = max(facts["most"], writer.transport.get_write_buffer_size())
                    facts["asked"] = number + 1
                    yield bytes(PIECE)
                # Nothing lies there, nothing has come: all pieces were asked for before the first was written.
                facts["kept"] = not writer.transport.get_write_buffer_size() and not waits(peer)

            task = answer.begin(writer, pieces())
            before = -1
            while before != facts["asked"] and not task.done():  # until it waits, or has asked for all
                before = facts["asked"]
                await asyncio.sleep(0.005)
            reading = asyncio.ensure_future(gather_bytes(peer, PIECES * PIECE))
            facts["most"] = max(facts["most"], writer.transport.get_write_buffer_size())
            limit = HIGH + PIECE
            came = "more" if facts["most"] < PIECES * PIECE // 2 else "nearly all of it"
            attempt.want(facts["most"] <= limit, f"at most {limit:,} bytes in the buffer", f"{came} waits there")
            await answer.over(task)
            attempt.equal(answer.result(task), PIECES * PIECE, "it returns")
            attempt.want(not facts["kept"], "it writes each piece when it has it", "it asked for all of them first")
            heard = await asyncio.wait_for(reading, 1)
            attempt.want(len(heard) == PIECES * PIECE, f"the reader gets {PIECES * PIECE:,} bytes", f"{len(heard):,}")

    in_loop(attempt, talk)


def waits(sock: socket.socket) -> bool:
    """Whether something has come for `sock`."""
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


@send_chunks.scenario("the peer resets after the third piece")
def peer_resets(attempt: Attempt) -> None:
    facts = attempt.seen.facts
    facts["asked"] = 0

    async def talk(answer: Awaited) -> None:
        async with stream(attempt) as (writer, peer):

            def pieces() -> Iterator[bytes]:
                for number in range(PIECES):
                    facts["asked"] = number + 1
                    if number == 3:
                        abort(peer)
                    yield bytes(PIECE)

            attempt.seen.facts["resets"] = True
            await answer.raises(ConnectionError, writer, pieces())

    in_loop(attempt, talk)


common(send_chunks)


@send_chunks.misconception("keeps-all", advice="Write each piece when you have it: `for chunk in chunks`.")
def chunks_kept(seen: Seen) -> str | None:
    if not seen.facts.get("kept"):
        return None
    return "It asked for all pieces before it wrote the first: they lie in a list, where they need as much memory."


@send_chunks.misconception("no-drain", advice="`await writer.drain()` after each `write`.")
def chunks_without_drain(seen: Seen) -> str | None:
    if seen.facts.get("most", 0) <= HIGH + PIECE:
        return None
    return "It wrote piece after piece and waited for nobody: what the reader has not taken lies in your memory."


@send_chunks.misconception("error-swallowed", advice="Let the exception out: the caller has to know.")
def chunks_swallowed(seen: Seen) -> str | None:
    if not seen.facts.get("resets") or not seen.returned:
        return None
    return "The peer had reset the connection, and it returned as if all had gone well."


@send_chunks.misconception("closed", advice="Leave the writer open: its owner may write on.")
def chunks_closed(seen: Seen) -> str | None:
    if seen.came != "it is closed":
        return None
    return "It closed the writer, which belongs to somebody else."


# -- serve -------------------------------------------------------------------------------------------------------------

SOON = 0.7  # seconds within which something has to happen that happens at once

serve = Exercise(
    "serve",
    lesson=LESSON,
    wants="serve(listener, handle, grace)",
    task="Await `handle(reader, writer)` for each client, until cancelled; then finish, or abort after a while.",
    hints=(
        "`asyncio.start_server(function, sock=listener)` runs a task for each client. What does it know of them?",
        "Give it a function of your own around `handle`: it notes its task and its writer, and closes in a `finally`.",
        "Wait for ever, in a `try`. In its `finally`: close the server, give `asyncio.wait` the tasks and `grace`.",
        "Then cancel the tasks that are left, abort their transports, and wait for that, too.",
    ),
    awaits=True,
)


class Clients:
    """A listener for the answer, and clients that connect to it."""

    def __init__(self, answer: Awaited) -> None:
        self.answer = answer
        self.listener = answer.attempt.listener()
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()

    async def connect(self) -> socket.socket:
        sock = self.answer.attempt.keep(socket.socket())
        self.answer.ours.add(sock.fileno())
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self.address)
        return sock

    async def say(self, sock: socket.socket, line: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(sock, line)

    async def hear(self, sock: socket.socket) -> bytes | None:
        """All that comes up to the end; None where the end does not come, what was heard before a reset otherwise."""
        heard = b""
        try:
            while data := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 100), SOON):
                heard += data
        except ConnectionError:
            pass
        except asyncio.TimeoutError:
            return None
        return heard

    def closed(self) -> bool:
        """Whether nobody listens any more."""
        return self.listener.fileno() < 0


@asynccontextmanager
async def serving(answer: Awaited, clients: Clients, handle: Any, grace: float) -> AsyncIterator[asyncio.Task[Any]]:
    task = answer.begin(clients.listener, handle, grace)
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=0.1)


async def comes(event: asyncio.Event, task: asyncio.Task[Any]) -> bool:
    """Whether something happens in a handler, while the server serves."""
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait({waiting, task}, timeout=SOON, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return event.is_set()


async def ended_by_cancel(attempt: Attempt, answer: Awaited, task: asyncio.Task[Any], clients: Clients) -> None:
    """It is over soon, says CancelledError, and has closed what is its own."""
    facts = attempt.seen.facts
    attempt.seen.expected = "it ends when it is cancelled"
    await answer.over(task)
    attempt.seen.expected = ""
    facts["cancelled"] = True
    answer.raised(task, asyncio.CancelledError)
    attempt.want(clients.closed(), "listener is closed", "it listens still")
    attempt.want(not facts["tasks"], "no task is left", f"{facts['tasks']} still at work")


def server_is_up(answer: Awaited, task: asyncio.Task[Any], came: bool, what: str) -> None:
    if came:
        return
    if task.done():
        answer.result(task)
        raise Unmet("it serves until it is cancelled", "it returned")
    raise Unmet(what, f"nothing within {SOON:g} s")


@serve.scenario("two clients at the same time")
def two_clients(attempt: Attempt) -> None:
    attempt.seen.facts["together"] = True

    async def talk(answer: Awaited) -> None:
        inside, both = [0], asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inside[0] += 1
            if inside[0] == 2:
                both.set()
            await both.wait()
            writer.write(b"both are here")

        clients = Clients(answer)
        async with serving(answer, clients, handle, 0.1) as task:
            one, two = await clients.connect(), await clients.connect()
            server_is_up(answer, task, await comes(both, task), "both clients are served at the same time")
            for sock in (one, two):
                attempt.equal(await clients.hear(sock), b"both are here", "a client hears, and then the end:")

    in_loop(attempt, talk)


@serve.scenario("a handler raises, and the next client comes")
def handler_raises(attempt: Attempt) -> None:
    attempt.seen.facts["raises"] = True

    async def talk(answer: Awaited) -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"%d" % (1 // int(await reader.readline())))

        clients = Clients(answer)
        async with serving(answer, clients, handle, 0.1) as task:
            for line, reply in ((b"0\n", b""), (b"1\n", b"1")):
                sock = await clients.connect()
                await clients.say(sock, line)
                heard = await clients.hear(sock)
                if task.done():
                    answer.result(task)
                attempt.equal(heard, reply, "the client hears, and then the end:")

    in_loop(attempt, talk)


@serve.scenario("cancelled while nobody is connected")
def cancelled_idle(attempt: Attempt) -> None:
    async def talk(answer: Awaited) -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        clients = Clients(answer)
        async with serving(answer, clients, handle, 0.1) as task:
            await asyncio.sleep(0.01)
            task.cancel()
            await ended_by_cancel(attempt, answer, task, clients)

    in_loop(attempt, talk)


@serve.scenario("cancelled, and a handler that needs a moment to finish")
def cancelled_at_work(attempt: Attempt) -> None:
    facts = attempt.seen.facts

    async def talk(answer: Awaited) -> None:
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            asked.set()
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                facts["cut"] = True
                raise
            writer.write(b"finished")

        clients = Clients(answer)
        async with serving(answer, clients, handle, 5.0) as task:
            sock = await clients.connect()
            await clients.say(sock, b"?\n")
            server_is_up(answer, task, await comes(asked, task), "the handler is called")
            task.cancel()
            await asyncio.wait({task}, timeout=0.05)
            facts["cut off"] = facts.get("cut")
            attempt.want(not facts["cut off"], "the handler may finish", "it was cancelled")
            attempt.want(not task.done(), "it waits for the handler", "it was over before the handler")
            attempt.want(clients.closed(), "listener is closed meanwhile", "it listens still")
            go_on.set()
            attempt.equal(await clients.hear(sock), b"finished", "the client hears, and then the end:")
            await ended_by_cancel(attempt, answer, task, clients)

    in_loop(attempt, talk)


@serve.scenario("cancelled, and a handler that never finishes")
def cancelled_for_ever(attempt: Attempt) -> None:
    facts = attempt.seen.facts

    async def talk(answer: Awaited) -> None:
        asked = asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(bytes(5_000_000))  # more than the kernel takes: close() alone would wait for the reader
            asked.set()
            await asyncio.get_running_loop().create_future()

        clients = Clients(answer)
        async with serving(answer, clients, handle, 0.05) as task:
            await clients.connect()
            server_is_up(answer, task, await comes(asked, task), "the handler is called")
            facts["for ever"] = True
            task.cancel()
            await ended_by_cancel(attempt, answer, task, clients)
            facts["lingers"] = attempt.seen.left_open > 0
            attempt.want(not facts["lingers"], "its connection is closed", "it is open still, and waits for the reader")

    in_loop(attempt, talk)


common(serve)


@serve.misconception("one-at-a-time", advice="Give each client a task of its own; start_server does.")
def serve_in_turn(seen: Seen) -> str | None:
    waits = seen.error is None or seen.raised(asyncio.CancelledError)  # the scenario has cancelled it then
    if not seen.facts.get("together") or not waits or not seen.came.startswith("nothing within"):
        return None
    return "It waits for the end of one handler before it serves the next client."


@serve.misconception("dies-with-one", advice="Catch what a handler raises around that handler alone.")
def serve_dies(seen: Seen) -> str | None:
    if not seen.facts.get("raises") or not seen.raised(ZeroDivisionError):
        return None
    return "A handler raised, and the whole server ended with it."


@serve.misconception("conn-left-open", advice="Close the writer in a `finally` around `handle`.")
def serve_conn_open(seen: Seen) -> str | None:
    if seen.facts.get("cancelled") or "and then the end" not in seen.expected or "None" not in seen.came:
        return None
    return "A handler was over, and its connection stayed open: the client waits for an end that does not come."


@serve.misconception("cancel-swallowed", advice="Do what has to be done in a `finally`, and let CancelledError go on.")
def serve_swallows(seen: Seen) -> str | None:
    if not seen.facts.get("cancelled") or not seen.returned:
        return None
    return (
        "It was cancelled, and returned: whoever cancelled it takes that for success, and a timeout comes to nothing."
    )


@serve.misconception("listens-on", advice="Close the server first: nobody shall come while you are ending.")
def serve_listens(seen: Seen) -> str | None:
    if seen.came != "it listens still":
        return None
    return "It was cancelled, and the listener is open: clients connect still, and nobody serves them."


@serve.misconception("cuts-off", advice="Wait for the handlers, `grace` seconds at most, before you cancel them.")
def serve_cuts(seen: Seen) -> str | None:
    if not seen.facts.get("cut off"):
        return None
    return "It cancelled a handler at once: its client had asked, and gets no answer."


@serve.misconception("leaves-early", advice="Note each handler's task, and wait for them: `asyncio.wait(tasks, …)`.")
def serve_leaves(seen: Seen) -> str | None:
    left = seen.came == "it was over before the handler" or (seen.facts.get("for ever") and seen.facts.get("tasks"))
    if not left:
        return None
    return "It was over while a handler was still at work: closing a server does not end its connections."


@serve.misconception("waits-for-ever", advice="Wait `grace` seconds, then cancel the tasks and abort the transports.")
def serve_waits(seen: Seen) -> str | None:
    if not seen.facts.get("for ever") or not seen.facts.get("stuck"):
        return None
    return "It waits for a handler that never finishes, and does not look at the clock."


@serve.misconception("lingers", advice="`writer.transport.abort()` for those whose time is up.")
def serve_lingers(seen: Seen) -> str | None:
    if not seen.facts.get("lingers"):
        return None
    return (
        "It closed a connection and went: close() sends first what was written, and waits for a reader who may be slow."
    )


# -- ask ---------------------------------------------------------------------------------------------------------------

QUESTION, ANSWER = b"\x01\x02what time is it?", b"\x01\x02noon"

ask = Exercise(
    "ask",
    lesson=LESSON,
    wants="ask(address, question, timeout, tries)",
    task="Ask a UDP server, `tries` times, `timeout` seconds each; return the answer that has the question's number.",
    hints=(
        "A DatagramProtocol with a future: `datagram_received` sets it, `error_received` sets its exception.",
        "`remote_addr=address` keeps strangers out. Before you set the future, look at the number, and at `done()`.",
        "`wait_for` cancels the future when the time is up: make a new one for each try. Close in a `finally`.",
    ),
    awaits=True,
)


class Peer:
    """A UDP server in the same loop. `replies(n)` says what it sends for the nth question, and through which socket."""

    def __init__(self, attempt: Attempt, replies: Any) -> None:
        self.attempt, self.replies = attempt, replies
        self.asked: list[bytes] = []
        self.sock = attempt.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.address = self.sock.getsockname()
        self.heard = asyncio.Event()

    def begin(self) -> None:
        asyncio.get_running_loop().add_reader(self.sock, self._hear)

    def end(self) -> None:
        asyncio.get_running_loop().remove_reader(self.sock)

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            data, client = self.sock.recvfrom(1000)
            self.asked.append(data)
            for sock, reply in self.replies(len(self.asked)):
                (sock or self.sock).sendto(reply, client)
            self.heard.set()


@contextlib.contextmanager
def peer(attempt: Attempt, replies: Any) -> Iterator[Peer]:
    found = Peer(attempt, replies)
    found.begin()
    try:
        yield found
    finally:
        found.end()


def asks(attempt: Attempt, replies: Any, *, timeout: float = 0.5, tries: int = 3) -> None:
    """It gets the right answer, asks with the right bytes, and closes."""
    facts = attempt.seen.facts

    async def talk(answer: Awaited) -> None:
        with peer(attempt, replies) as server:
            facts["peer"] = server
            attempt.seen.expected = f"it returns {shown(ANSWER)}"
            result = await answer.call(server.address, QUESTION, timeout, tries)
            attempt.seen.expected = ""
            attempt.equal(result, ANSWER, "it returns")
            attempt.equal(server.asked[0], QUESTION, "the server is asked")
            closes(attempt)
            caught = facts["loop_errors"]
            attempt.want(not caught, "no exception in a callback", f"{type(caught[0]).__name__}" if caught else "")

    in_loop(attempt, talk)


def closes(attempt: Attempt) -> None:
    attempt.seen.facts["endpoint"] = attempt.seen.left_open
    attempt.want(not attempt.seen.left_open, "its endpoint is closed", "it is open still")


@ask.scenario("the server answers at once")
def at_once(attempt: Attempt) -> None:
    asks(attempt, lambda n: [(None, ANSWER)])


@ask.scenario("the server answers the third time")
def third_time(attempt: Attempt) -> None:
    attempt.seen.facts["lost"] = True
    asks(attempt, lambda n: [(None, ANSWER)] if n >= 3 else [], timeout=0.08, tries=8)


@ask.scenario("an answer with another number comes first")
def other_number(attempt: Attempt) -> None:
    attempt.seen.facts["number"] = True
    asks(attempt, lambda n: [(None, b"\x01\x01eleven"), (None, b"\x01"), (None, ANSWER)])


@ask.scenario("a stranger answers first")
def stranger(attempt: Attempt) -> None:
    attempt.seen.facts["stranger"] = True
    other = attempt.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    other.bind(("127.0.0.1", 0))
    asks(attempt, lambda n: [(other, b"\x01\x02midnight"), (None, ANSWER)])


@ask.scenario("the server answers twice")
def twice(attempt: Attempt) -> None:
    attempt.seen.facts["twice"] = True
    asks(attempt, lambda n: [(None, ANSWER), (None, ANSWER)])


@ask.scenario("the server never answers")
def never(attempt: Attempt) -> None:
    facts = attempt.seen.facts
    facts["never"] = True

    async def talk(answer: Awaited) -> None:
        with peer(attempt, lambda n: []) as server:
            facts["peer"] = server
            await answer.raises(asyncio.TimeoutError, server.address, QUESTION, 0.05, 3)
            closes(attempt)
            for _ in range(20):
                await asyncio.sleep(0)
            n = len(server.asked)
            attempt.want(n == 3, "the server is asked 3 times", f"{n} {'time' if n == 1 else 'times'}")

    in_loop(attempt, talk)


@ask.scenario("nobody listens")
def nobody(attempt: Attempt) -> None:
    facts = attempt.seen.facts
    facts["nobody"] = True

    async def talk(answer: Awaited) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.connect(("127.0.0.1", 9))  # held, and connected to somebody else: what we send is refused
            await answer.raises(ConnectionRefusedError, sock.getsockname(), QUESTION, 0.3, 3)
            closes(attempt)

    in_loop(attempt, talk)


@ask.scenario("cancelled while it waits")
def cancelled(attempt: Attempt) -> None:
    facts = attempt.seen.facts

    async def talk(answer: Awaited) -> None:
        with peer(attempt, lambda n: []) as server:
            task = answer.begin(server.address, QUESTION, 5.0, 3)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(server.heard.wait(), SOON)
            task.cancel()
            facts["cancelled"] = True
            attempt.seen.expected = "it ends when it is cancelled"
            await answer.over(task)
            attempt.seen.expected = ""
            answer.raised(task, asyncio.CancelledError)
            closes(attempt)

    in_loop(attempt, talk)


common(ask)


@ask.misconception("refusal-ignored", advice="`error_received` hands the exception to the future that you await.")
def ask_refused(seen: Seen) -> str | None:
    if not seen.facts.get("nobody") or not seen.raised(asyncio.TimeoutError):
        return None
    return "The kernel said that nobody listens, to error_received; nobody passed it on, and it waited its time out."


@ask.misconception("gives-up", advice="Catch the TimeoutError of a try, and send the question again.")
def ask_once(seen: Seen) -> str | None:
    server = seen.facts.get("peer")
    once = server is not None and len(server.asked) == 1
    if not once or not (seen.facts.get("lost") or seen.facts.get("never")):
        return None
    return "It asked once. A datagram may be lost, and nobody sends it again but you."


@ask.misconception("future-used-up", advice="`wait_for` cancels what it waits for: make a new future for each try.")
def ask_used_up(seen: Seen) -> str | None:
    if not seen.raised(asyncio.CancelledError, asyncio.InvalidStateError) or seen.facts.get("cancelled"):
        return None
    return "The first timeout cancelled the future, and each later try waits for the one that is cancelled."


@ask.misconception("asks-too-often", advice="`for _ in range(tries)`, and a TimeoutError after it.")
def ask_too_often(seen: Seen) -> str | None:
    server = seen.facts.get("peer")
    if not seen.facts.get("never") or server is None or len(server.asked) <= 3:
        return None
    return "It goes on asking a server that is gone: `tries` says when to give up."


@ask.misconception("any-answer", advice="Compare the first two bytes with the question's before you take an answer.")
def ask_any(seen: Seen) -> str | None:
    if not seen.facts.get("number") or seen.result not in (b"\x01\x01eleven", b"\x01"):
        return None
    return "It took an answer with another number: that belongs to a question from before."


@ask.misconception("trusts-strangers", advice="`remote_addr=address` connects the endpoint; or compare the address.")
def ask_stranger(seen: Seen) -> str | None:
    if not seen.facts.get("stranger") or seen.result != b"\x01\x02midnight":
        return None
    return "It took an answer from an address that it had not asked: anybody may send to an open port."


@ask.misconception("set-twice", advice="Ask `done()` before `set_result`.")
def ask_twice(seen: Seen) -> str | None:
    if not any(isinstance(one, asyncio.InvalidStateError) for one in seen.facts.get("loop_errors", ())):
        return None
    return (
        "A second answer came, and set_result() on a future that has its result raises InvalidStateError, in the loop."
    )


@ask.misconception("endpoint-left-open", advice="Close the transport in a `finally`.")
def ask_open(seen: Seen) -> str | None:
    if not seen.facts.get("endpoint"):
        return None
    how = "when it was cancelled" if seen.facts.get("cancelled") else "when it was done"
    return f"It left its endpoint open {how}: the loop keeps it, and nobody can close it any more."
