"""The exercises of lesson 14: a server that comes back on its port, four workers at one port.

Both are about what bind() says, and the kernel's rules depend on options that were set on sockets of earlier calls: so
old servers are listeners that the answer itself has made. Who is in a queue when workers stop is settled by events:
the functions that serve wait until the scenario lets them go on.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
from _socket import socket as _Socket  # looking at a socket does not show up in the trace
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from ...trace.waiting import waiting
from ..attempt import Attempt, Unmet, until
from ..definition import Exercise
from ..seen import Seen
from ..threads import died, errors_in_threads, waits_for_thread_in
from ..words import in_words, kind, shown

LESSON = "14_time_wait_and_reuse"
HOST = "127.0.0.1"
WORKERS = 4
SOON = 1.0  # seconds for what one thread of this process does for another
LINGERS = 0.2  # seconds that a thread may need beyond stop(): then it is late, and not stuck
SILENCE = 0.5  # seconds after which a client that nobody answers gives up
PATIENCE = 5.0  # seconds: later than any deadline

come_back = Exercise(
    "come_back",
    lesson=LESSON,
    wants="come_back(address)",
    task="Return a listener at `address`: at once, where its predecessor has been there a moment ago; beside one that "
    "lives, raise the OSError of the kernel and leave no socket open.",
    hints=(
        "`bind()` refuses the port of an old connection, unless the old listener and the new one have set an option.",
        "It must be the option for what is left of an old server, and not the one that lets two live side by side.",
        "Set it before `bind()`; where `bind()` or `listen()` raises, close the socket and let the error through.",
        "One function of the module does all of it, the closing included.",
    ),
    deadline=1.0,
)

start_workers = Exercise(
    "start_workers",
    lesson=LESSON,
    wants="start_workers(serve)",
    task="Open four listeners at one port of 127.0.0.1, each with a thread that accepts, calls `serve(conn)` and "
    "closes `conn`; return `(address, stop)` at once. `stop()` serves who waits in the queues, and leaves no thread "
    "and no socket.",
    hints=(
        "The first listener asks for port 0, the other three for the address that it got; all with `reuse_port=True`.",
        "A worker is a function of one listener: `accept()` in a loop, `with conn:`, `serve(conn)`.",
        "A listener with a timeout of 0.1 s comes back from `accept()` when nobody waits: look at a flag then.",
        "Look at the flag only when `accept()` has found nobody: then the queue is empty, and can be closed.",
        "`stop()` sets the flag, and joins the four threads.",
    ),
)


# -- come_back ---------------------------------------------------------------------------------------------------------


def came_back(attempt: Attempt, address: Any, what: str) -> socket.socket:
    """What the answer returns for `address`: a listener that lets a client in."""
    attempt.seen.facts["at"] = what
    result = attempt.call(address)
    attempt.want(isinstance(result, socket.socket), "it returns a listener", f"it returned {shown(result)}")
    sock: socket.socket = attempt.keep(result)
    attempt.want(_Socket.fileno(sock) >= 0, "it returns an open socket", "it returned a closed one")
    here = _Socket.getsockname(sock)
    attempt.seen.facts["elsewhere"] = here[0] != HOST or address[1] not in (0, here[1])
    where = "another host" if here[0] != HOST else "another port"
    attempt.want(not attempt.seen.facts["elsewhere"], "a listener at the address that it was given", where)
    listens = bool(_Socket.getsockopt(sock, socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    attempt.seen.facts["deaf"] = not listens
    attempt.want(listens, "a socket that listens", "one that has an address, and does not listen")
    return sock


def talk_with(attempt: Attempt, listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """A client of `listener`, and the server's end."""
    client = attempt.keep(socket.create_connection(listener.getsockname(), PATIENCE))
    listener.settimeout(PATIENCE)
    while True:
        conn, peer = listener.accept()
        if peer == client.getsockname():
            attempt.keep(conn).settimeout(PATIENCE)
            return client, conn
        conn.close()  # another program has come by


@come_back.scenario("port 0: the first time that it starts")
def first_start(attempt: Attempt) -> None:
    talk_with(attempt, came_back(attempt, (HOST, 0), "the first start"))


@come_back.scenario("the old server has closed its clients, and itself")
def after_time_wait(attempt: Attempt) -> None:
    old = came_back(attempt, (HOST, 0), "the first start")
    address = old.getsockname()
    for client, conn in [talk_with(attempt, old) for _ in range(3)]:
        conn.close()
        client.recv(1)  # the server's end was first for certain
        client.close()
    old.close()
    talk_with(attempt, came_back(attempt, address, "a port in TIME_WAIT"))


@come_back.scenario("a conversation of the old server still goes on")
def beside_a_conversation(attempt: Attempt) -> None:
    old = came_back(attempt, (HOST, 0), "the first start")
    address = old.getsockname()
    client, conn = talk_with(attempt, old)
    old.close()
    talk_with(attempt, came_back(attempt, address, "an open conversation"))
    client.sendall(b"on")
    attempt.equal(conn.recv(10), b"on", "the old conversation goes on:")


@come_back.scenario("the old server lives")
def beside_a_living_one(attempt: Attempt) -> None:
    old = came_back(attempt, (HOST, 0), "the first start")
    facts = attempt.seen.facts
    facts["living"] = True
    try:
        error = attempt.raises(OSError, old.getsockname())
    except Unmet:
        result = attempt.seen.result
        if isinstance(result, socket.socket):
            attempt.keep(result)
            with suppress(OSError):
                facts["beside"] = _Socket.getsockname(result) == _Socket.getsockname(old)
        raise
    code = getattr(error, "errno", None)
    name = errno.errorcode.get(code, "no errno") if isinstance(code, int) else "no errno"
    facts["another error"] = code != errno.EADDRINUSE
    attempt.want(code == errno.EADDRINUSE, "it raises EADDRINUSE", name)
    attempt.nothing_left_open()
    talk_with(attempt, old)


@come_back.misconception("stands-beside", advice="Set SO_REUSEADDR alone: that one never lets in beside a listener.")
def back_beside(seen: Seen) -> str | None:
    if not seen.facts.get("beside"):
        return None
    return "It listens beside the old server: with SO_REUSEPORT on both, each of them gets a part of the clients."


@come_back.misconception("takes-another-port", advice="Leave the other server alone, and let bind() raise.")
def back_elsewhere_living(seen: Seen) -> str | None:
    if not seen.facts.get("living") or not seen.returned or not isinstance(seen.result, socket.socket):
        return None
    return "The port belonged to a server that lives, and it returned a listener at another one: no client knows that."


@come_back.misconception("swallowed", advice="Do not catch it: whoever starts a server has to learn that it did not.")
def back_swallowed(seen: Seen) -> str | None:
    if not seen.facts.get("living") or not seen.returned:
        return None
    return f"bind() raised EADDRINUSE, and it returned {shown(seen.result)} instead of telling anybody."


@come_back.misconception("waits-for-the-port", advice="Do not wait: with the right option bind() is granted at once.")
def back_waits(seen: Seen) -> str | None:
    if not seen.timed_out or not seen.failed("OSError"):
        return None
    tries = len(seen.failed("OSError"))
    return (
        "It tries again and again while the port is in use: TIME_WAIT lasts a minute, and a living server for ever."
        if tries > 1
        else "bind() said EADDRINUSE, and it waits: TIME_WAIT lasts a minute, and a living server for ever."
    )


@come_back.misconception("set-too-late", advice="Set the option between socket() and bind().")
def back_late(seen: Seen) -> str | None:
    order = [event.call for event in seen.made("bind", "setsockopt") if event.call == "bind" or "REUSE" in event.asked]
    if not seen.raised_number(errno.EADDRINUSE) or order[:1] != ["bind"] or "setsockopt" not in order:
        return None
    return "It set the option after bind(), which had been refused or granted by then."


@come_back.misconception("no-reuse", advice="setsockopt(SOL_SOCKET, SO_REUSEADDR, 1) before bind(), always.")
def back_plain(seen: Seen) -> str | None:
    if not seen.raised_number(errno.EADDRINUSE) or seen.facts.get("living"):
        return None
    what = seen.facts["at"].replace("a port in ", "")
    return f"EADDRINUSE: {what} is at the port, and old and new listener lack the option for that."


@come_back.misconception("another-place", advice="Bind to the address that it was given, host and port.")
def back_elsewhere(seen: Seen) -> str | None:
    if not seen.facts.get("elsewhere"):
        return None
    return "It listens somewhere else than at the address that it was given: clients call that one."


@come_back.misconception("does-not-listen", advice="listen() after bind(); or create_server(), which does both.")
def back_deaf(seen: Seen) -> str | None:
    if not seen.facts.get("deaf"):
        return None
    return "The socket has the address, and nobody called listen(): clients are refused."


@come_back.misconception(
    "another-error", advice="Let the error of bind() through as it is: its errno says what is wrong."
)
def back_other_error(seen: Seen) -> str | None:
    if not seen.facts.get("another error"):
        return None
    return "It raised an error of its own, without the errno: nobody can tell EADDRINUSE from EACCES."


@come_back.misconception("left-after-failure", advice="try bind() and listen(), except OSError: close(), raise.")
def back_leaks(seen: Seen) -> str | None:
    if not seen.facts.get("living") or not seen.left_open:
        return None
    return "bind() was refused, and the socket that it was called on stays open."


# -- start_workers -----------------------------------------------------------------------------------------------------


class Workers:
    """What the answer has started: where it is, how to end it, what it consists of."""

    def __init__(self, attempt: Attempt, serve: Callable[[socket.socket], object]) -> None:
        self.attempt, facts = attempt, attempt.seen.facts
        before, threads = _listeners(), set(threading.enumerate())
        result = attempt.call(serve)
        pair = isinstance(result, (tuple, list)) and len(result) == 2 and callable(result[1])
        facts["pair"] = pair
        attempt.want(pair, "it returns (address, stop)", f"it returned {kind(result)}")
        self.address, self.stop = result
        self.threads = [one for one in threading.enumerate() if one not in threads]
        opened = {fd: name for fd, name in _listeners().items() if fd not in before}
        facts["listeners"], facts["ports"] = len(opened), len(set(opened.values()))
        if opened:  # where the system lists them
            here = sum(name == self.address for name in opened.values())
            came = f"{len(opened)} at {len(set(opened.values()))} of them" if facts["ports"] > 1 else f"{len(opened)}"
            attempt.want(here == len(opened) == WORKERS, "four listeners, at one port", came)

    def client(self) -> socket.socket:
        return self.attempt.keep(socket.create_connection(self.address, PATIENCE))

    def ended(self) -> None:
        """After `stop()` has returned: nothing is left of them."""
        attempt, facts = self.attempt, self.attempt.seen.facts
        facts["alive"] = any(one.is_alive() for one in self.threads)
        if facts["alive"] and not until(lambda: not any(one.is_alive() for one in self.threads), LINGERS):
            facts["reachable"] = self._reachable()  # by somebody in accept(), also where the listener was closed
        attempt.want(not facts["alive"], "every thread has ended when stop() returns", "some run on")
        errors = facts.get("errors")
        attempt.want(
            not errors, "its threads end like any function", f"one ended with {in_words((errors or [None])[0])}"
        )
        facts["open"] = sum(name == self.address for name in _listeners().values())
        attempt.want(not facts["open"], "every listener is closed when stop() returns", f"{facts['open']} still open")

    def _reachable(self) -> bool:
        with closing(_Socket(socket.AF_INET, socket.SOCK_STREAM)) as client:
            client.bind((HOST, 0))  # a port of its own: a client could be given the one that it calls
            client.settimeout(SILENCE)
            return client.connect_ex(self.address) == 0


def _listeners() -> dict[int, Any]:
    """The listeners of this process by descriptor; none where the system does not list them."""
    found: dict[int, Any] = {}
    with suppress(OSError):
        for fd in map(int, os.listdir("/proc/self/fd")):
            with suppress(OSError):
                if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                    continue
                sock = _Socket(fileno=fd)
                try:
                    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        found[fd] = sock.getsockname()
                finally:
                    sock.detach()
    return found


def heard(attempt: Attempt, client: socket.socket) -> bytes:
    """All that a client hears; `facts` has how it ended: "end", "reset" or "silence"."""
    data, ended = b"", "end"
    try:
        while piece := client.recv(100):
            data += piece
    except ConnectionError:
        ended = "reset"
    except TimeoutError:
        ended = "silence"
    attempt.seen.facts["heard"], attempt.seen.facts["ended"] = data, ended
    return data


@start_workers.scenario("nobody comes, and it is stopped; then the same again")
def nobody(attempt: Attempt) -> None:
    with errors_in_threads(attempt):
        for _ in range(2):
            workers = Workers(attempt, lambda conn: None)
            attempt.then("stop()", workers.stop)
            workers.ended()
        attempt.nothing_left_open()


@start_workers.scenario("sixty clients, one after another")
def one_after_another(attempt: Attempt) -> None:
    served: list[int] = []

    def serve(conn: socket.socket) -> None:
        served.append(1)
        conn.sendall(b"done")

    with errors_in_threads(attempt):
        workers = Workers(attempt, serve)
        for number in range(60):
            attempt.seen.facts["number"] = number
            with workers.client() as client:
                client.settimeout(SILENCE)
                words, ended = heard(attempt, client), attempt.seen.facts["ended"]
            came = shown(words) if words else "nothing"
            said = {"end": f"{came} and the end", "reset": "a reset", "silence": f"{came}, and no end"}[ended]
            attempt.want(words == b"done" and ended == "end", "each client hears b'done' and the end", said)
        attempt.equal(len(served), 60, "calls of serve:")
        attempt.then("stop()", workers.stop)
        workers.ended()


@start_workers.scenario("stop(), and clients wait in the queues")
def queues_at_the_end(attempt: Attempt) -> None:
    facts, answer = attempt.seen.facts, threading.current_thread()
    gate, busy, served = threading.Event(), threading.Semaphore(0), []

    def serve(conn: socket.socket) -> None:
        busy.release()
        gate.wait(PATIENCE)
        served.append(1)
        conn.sendall(b"done")

    def open_the_gate() -> None:
        calls = len(attempt.spans)
        ready.set()
        until(lambda: len(attempt.spans) > calls, SOON)
        until(lambda: attempt.seen.returned or waiting(answer, explain=False) is not None, SOON)
        gate.set()

    with errors_in_threads(attempt):
        workers = Workers(attempt, serve)
        clients = [workers.client() for _ in range(32)]
        attempt.want(busy.acquire(timeout=SOON), "serve is called for the first client", "it is not")
        ready = threading.Event()
        attempt.beside(open_the_gate)
        ready.wait(SOON)
        try:
            attempt.then("stop()", workers.stop)
        finally:
            gate.set()
        attempt.seen.left_open = 0  # those were the clients, which wait for what they will hear
        lost = 0
        for client in clients:
            client.settimeout(SILENCE)
            if heard(attempt, client) != b"done":
                facts["lost"] = lost = lost + 1
                break
        attempt.want(not lost, "each of the 32 clients is served", f"one met {facts['ended']}")
        attempt.equal(len(served), 32, "calls of serve:")
        workers.ended()


@start_workers.misconception(
    "not-all-share", advice="reuse_port=True for each of the four, the first as well, before bind()."
)
def workers_in_use(seen: Seen) -> str | None:
    if not seen.raised_number(errno.EADDRINUSE):
        return None
    return "EADDRINUSE: a listener was refused, since SO_REUSEPORT counts where all who have the port have set it."


@start_workers.misconception("four-ports", advice="Port 0 for the first one; its getsockname() for the other three.")
def workers_ports(seen: Seen) -> str | None:
    ports = seen.facts.get("ports", 1)
    if ports < 2:
        return None
    return f"Its listeners are at {ports} ports, and clients know one: the others wait in vain."


@start_workers.misconception("not-four-listeners", advice="A listener for each worker: four calls of create_server().")
def workers_listeners(seen: Seen) -> str | None:
    count = seen.facts.get("listeners", 0)
    if not count or count == WORKERS:
        return None
    return f"It opened {'one listener' if count == 1 else f'{count} listeners'} and not four: each worker has its own."


@start_workers.misconception("never-returns", advice="Let threads do the work: Thread(target=…).start(), and return.")
def workers_block(seen: Seen) -> str | None:
    if not (seen.timed_out and seen.expected.startswith("start_workers")):
        return None
    return "It serves, or waits for those who do, before it returns: nobody learns the address."


@start_workers.misconception("no-pair", advice="return address, stop: without brackets after stop.")
def workers_pair(seen: Seen) -> str | None:
    if seen.facts.get("pair", True) or seen.result is None:
        return None
    return "It returned something else than an address and a function."


@start_workers.misconception("still-in-accept", advice="Give each listener a timeout, and look at the flag after it.")
def workers_accept(seen: Seen) -> str | None:
    if seen.expected == "stop() returns" and waits_for_thread_in(seen, "accept"):
        return "stop() waits for a worker, and the worker waits in accept(): neither a flag nor close() wakes it."
    if seen.facts.get("reachable"):
        return "stop() has returned, and a worker still waits in accept(): neither a flag nor close() wakes it."
    return None


@start_workers.misconception("dies-in-thread", advice="Catch TimeoutError around accept(), and nothing else.")
def workers_die(seen: Seen) -> str | None:
    return died(seen)


@start_workers.misconception(
    "queue-thrown-away", advice="Leave the loop only where accept() has found nobody: then the queue is empty."
)
def workers_queue(seen: Seen) -> str | None:
    if not seen.facts.get("lost"):
        return None
    return "A client had connected, and waited in a queue: the listener was closed before it was accepted."


@start_workers.misconception("one-client-each", advice="accept() in a loop: while True.")
def workers_once(seen: Seen) -> str | None:
    if not seen.facts.get("number") or seen.facts.get("ended") == "end" or seen.facts.get("heard"):
        return None
    return "A later client was let in and never served: its worker had accepted one, and went home."


@start_workers.misconception("no-hang-up", advice="with conn: around serve(conn) closes it behind it.")
def workers_hang(seen: Seen) -> str | None:
    if seen.facts.get("ended") != "silence" or not seen.facts.get("heard"):
        return None
    return "serve(conn) returned, and nobody closed conn: the client waits for what else will come."


@start_workers.misconception("not-joined", advice="join() each thread in stop(), after the flag is set.")
def workers_left(seen: Seen) -> str | None:
    if not seen.facts.get("alive"):
        return None
    return "stop() returned, and workers were still running: setting a flag is one thing, waiting for them another."


@start_workers.misconception("still-open", advice="Each worker closes its listener when it ends: `with listener:`.")
def workers_open(seen: Seen) -> str | None:
    if not seen.facts.get("open"):
        return None
    return "The threads have ended, and listeners are still open: clients are let in there, and nobody answers them."
