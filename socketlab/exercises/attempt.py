"""What a scenario works with: the learner's function, real sockets, somebody to talk to, and what is wanted.

A scenario is an ordinary function of an `Attempt`. It makes a conversation ready, lets the answer take part with
`call`, and says with `equal` and `want` what has to be so. Threads and sockets that it takes from here end with it.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import sys
import threading
import time
from _socket import socket as _Socket
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from typing import Any

from ..handlers import StreamHandler
from ..servers import tcp_server
from ..servers.stream import StreamServer
from ..trace.events import Event
from .clock import Clock
from .seen import Seen
from .words import shown, words_of

PEER = "peer of the exercise"  #: name of the threads beside; a trace shows it
ANSWER = "answer"  #: name of the thread in which the answer runs
#: What came in place of a socket that is connected, in words that misconceptions look for.
CLOSED, NOT_CONNECTED = "it returned a closed one", "a socket that is not connected"

PATIENCE = 10.0  # seconds after which a socket of a scenario gives up: later than any deadline


class Unmet(Exception):
    """What was wanted did not come."""

    def __init__(self, expected: str, came: str) -> None:
        super().__init__(f"expected {expected}, came {came}")
        self.expected, self.came = expected, came


class Skipped(Exception):
    """This machine lacks what the scenario needs; the words say what."""


class Raised(Exception):
    """The answer raised what nobody wanted; it is the cause of this exception."""


class Attempt:
    """One scenario's try of an answer."""

    def __init__(self, function: Callable[..., Any], wants: str, seen: Seen) -> None:
        self.function, self.wants, self.seen = function, wants, seen
        self.spans: list[tuple[int, int | None]] = []  #: of each call of the answer: begin and end, ns of the trace
        self.clock: Callable[[], int] = lambda: 0  #: the trace's; set by whoever runs the scenario
        self.recorded: Callable[[], Iterable[Event]] = tuple  #: the calls of everybody until now; set by the same
        self._stack = ExitStack()
        self._kept: list[socket.socket] = []
        self._beside: list[tuple[threading.Thread, list[BaseException]]] = []
        self._before: set[int] = set()  # sockets that were open before the answer was called
        self._served: set[Any] = set()  # addresses of the servers beside

    # -- the answer ------------------------------------------------------------------------------------------------

    def call(self, *arguments: Any, **named: Any) -> Any:
        """Call the answer and return what it returns. What it raises ends the scenario."""
        self._before = open_sockets()
        return self._must_return(self.wants, self.function, arguments, named)

    def then(self, wants: str, part: Callable[..., Any], *arguments: Any) -> Any:
        """Call something that the answer has returned, a `stop` for example, and watch it as the answer is watched.

        `wants` is the call in words: "stop()". From now on `left_open` says what is open of all that has been opened
        since the answer was called: close the scenario's own sockets before.
        """
        return self._must_return(wants, part, arguments, {})

    def _must_return(
        self, wants: str, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        expected = self.seen.expected
        self.seen.expected = expected or f"{wants} returns"
        try:
            result = self._call(function, arguments, named)
        except BaseException as exc:
            self.seen.came = told(exc)
            raise Raised from exc
        self.seen.expected = expected
        return result

    def raises(self, kinds: type[BaseException] | tuple[type[BaseException], ...], *arguments: Any) -> BaseException:
        """Call the answer, which has to raise one of `kinds`, and return the exception."""
        self._before = open_sockets()
        return self._must_raise(kinds, self.function, arguments)

    def then_raises(
        self, kinds: type[BaseException] | tuple[type[BaseException], ...], part: Callable[..., Any], *arguments: Any
    ) -> BaseException:
        """Call something that the answer has returned, as `then` does; it has to raise one of `kinds`."""
        return self._must_raise(kinds, part, arguments)

    def _must_raise(
        self,
        kinds: type[BaseException] | tuple[type[BaseException], ...],
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
    ) -> BaseException:
        wanted = kinds if isinstance(kinds, tuple) else (kinds,)
        names = " or ".join(kind.__name__ for kind in wanted)
        self.seen.expected = f"it raises {names}"
        try:
            result = self._call(function, arguments, {})
        except wanted as exc:
            self.seen.expected, self.seen.error = "", None
            return exc
        except BaseException as exc:
            self.seen.came = told(exc)
            raise Raised from exc
        raise Unmet(f"it raises {names}", f"it returned {shown(result)}")

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        seen = self.seen
        seen.returned, seen.result, seen.error = False, None, None
        self.spans.append((self.clock(), None))
        try:
            result = function(*arguments, **named)
            seen.returned, seen.result = True, result
        except BaseException as exc:
            seen.error = exc
            raise
        finally:
            self.spans[-1] = (self.spans[-1][0], self.clock())
            kept = {sock.fileno() for sock in _sockets_in(seen.result)}
            # The other ends of its connections are open in this process too, where a server beside has them.
            seen.left_open = sum(_is_left(fd, self._served) for fd in open_sockets() - self._before - kept)
        return result

    # -- what has to be so -----------------------------------------------------------------------------------------

    def want(self, so: object, expected: str, came: str) -> None:
        """`so` has to be true; `expected` and `came` say what it is about."""
        if not so:
            raise Unmet(expected, came)

    def equal(self, came: object, expected: object, what: str = "") -> None:
        """`came` has to be of the same type as `expected`, or of a subtype, and equal to it."""
        same = came == expected and isinstance(came, type(expected))
        prefix = f"{what} " if what else ""
        self.want(same, f"{prefix}{shown(expected)}", f"{prefix}{shown(came)}")

    def reaches(self, result: object, wanted: Any, of: str) -> None:
        """`result` has to be an open stream socket connected to the echo server at `wanted`, the first `of` several."""
        self.want(isinstance(result, socket.socket), "it returns a socket", f"it returned {shown(result)}")
        assert isinstance(result, socket.socket)
        self.keep(result)
        self.want(result.fileno() >= 0, "it returns an open socket", CLOSED)
        self.want(result.type == socket.SOCK_STREAM, "a stream socket", "a datagram socket")
        try:
            reached = result.getpeername()
        except OSError:
            reached = None
        self.seen.facts["elsewhere"] = reached not in (None, wanted)
        came = NOT_CONNECTED if reached is None else "a connection to another one"
        self.want(reached == wanted, f"a connection to the first {of} that answers", came)
        result.settimeout(0.5)
        try:
            result.sendall(b"?")
            echoed = shown(result.recv(1))
        except OSError as exc:
            echoed = type(exc).__name__
        self.want(echoed == "b'?'", "the echo of what is sent through it", echoed)

    def program(self, name: str) -> str:
        """Where a program is; without it the scenario is skipped, and the verdict says so."""
        import shutil

        found = shutil.which(name)
        if found is None:
            raise Skipped(f"this machine has no {name}")
        return found

    def nothing_left_open(self) -> None:
        """The answer's last call must have closed or returned every socket that it opened."""
        n = self.seen.left_open
        self.want(n == 0, "every socket that it opened is closed", f"{n} still open when it returned")

    # -- the others ------------------------------------------------------------------------------------------------

    def connection(self) -> tuple[socket.socket, socket.socket]:
        """Both ends of a TCP connection over loopback: the first is for the answer, the second for the scenario.

        The first has no timeout, as a socket has unless somebody sets one; the second gives up after some seconds.
        """
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ours = self.keep(socket.create_connection(listener.getsockname(), PATIENCE))
            theirs, _ = listener.accept()
        self.keep(theirs)
        return theirs, ours

    def server(self, handler: StreamHandler) -> StreamServer:
        """A loopback server that runs `handler` for each connection, until the scenario is over."""
        server = self._stack.enter_context(tcp_server(handler))
        self._served.add(server.address)
        return server

    def listener(self, backlog: int = 16) -> socket.socket:
        """A listening socket that nobody serves."""
        return self.keep(socket.create_server(("127.0.0.1", 0), backlog=backlog))

    def closed_port(self) -> tuple[str, int]:
        """An address at which nobody listens, and nobody will for the time being: it is bound, and does not listen."""
        sock = self.keep(socket.socket())
        sock.bind(("127.0.0.1", 0))
        host, port = sock.getsockname()
        return host, port

    def silent_address(self) -> Any:
        """Where connect() neither succeeds nor fails: the queue of the listener has room for one, and is full."""
        listener = self.listener(backlog=0)
        self.keep(socket.create_connection(listener.getsockname(), 1.0))
        is_waiting(listener, 1.0)  # the handshake has three messages, and the caller has seen two of them
        return listener.getsockname()

    def fitting(self, most: int) -> int:
        """How many connections, up to `most`, can have both ends in this process: RLIMIT_NOFILE, getrlimit(2).

        Sixteen descriptors are left for the answer, and one connection is asked for in any case.
        """
        if sys.platform == "win32":
            return most
        import resource

        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if soft == resource.RLIM_INFINITY:
            return most
        return max(1, min(most, (soft - len(os.listdir("/dev/fd")) - 16) // 2))

    def keep(self, sock: socket.socket) -> socket.socket:
        """Close `sock` when the scenario is over."""
        self._kept.append(sock)
        self._stack.callback(sock.close)
        return sock

    def beside(self, function: Callable[..., object], *arguments: Any) -> threading.Thread:
        """Run `function` in a thread beside the answer. What it raises ends the scenario, unless its peer has gone."""
        errors: list[BaseException] = []

        def body() -> None:
            try:
                function(*arguments)
            except (ConnectionError, TimeoutError):
                pass  # the answer hung up, or never did its part: that is what the scenario will find
            except BaseException as exc:
                errors.append(exc)

        thread = threading.Thread(target=body, name=PEER, daemon=True)
        self._beside.append((thread, errors))
        thread.start()
        return thread

    def end(self) -> None:
        """Close what was kept, wait for the threads beside, and raise what went wrong in one of them."""
        self._stack.close()
        for thread, errors in self._beside:
            thread.join(1.0)
            if errors:
                raise errors[0]

    def abandon(self) -> None:
        """End what a scenario that failed has left, and wake who waits for it. May be repeated."""
        for sock in self._kept:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # a call that waits on it comes back; close alone wakes nobody
        with suppress(Exception):
            self._stack.close()


def until(condition: Callable[[], object], seconds: float = 1.0) -> bool:
    """Whether `condition` comes true within that time: for what another thread, or the kernel, brings about."""
    clock = Clock()
    while not condition():
        if clock.left(seconds) <= 0:
            return False
        time.sleep(0.001)
    return True


def is_waiting(listener: socket.socket, seconds: float) -> bool:
    """Whether a client waits in the queue of `listener`, or comes within that time."""
    return bool(select.select([listener], [], [], seconds)[0])


def told(error: BaseException) -> str:
    """What came, where an answer has raised."""
    return f"it raised {words_of(error)}"


def open_sockets() -> set[int]:
    """The descriptors of this process that are sockets; none where the system does not list them."""
    try:
        numbers: Iterable[int] = map(int, os.listdir("/proc/self/fd"))
    except OSError as exc:
        if exc.errno != errno.EMFILE:
            return set()
        numbers = range(os.sysconf("SC_OPEN_MAX"))  # the answer has taken all, and there is none to look with
    found: set[int] = set()
    for number in numbers:
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                found.add(number)
    return found


def _is_left(fd: int, served: set[Any]) -> bool:
    """Whether a socket is open still, and not the end that a server at one of the addresses `served` has accepted."""
    try:
        sock = _Socket(fileno=fd)
    except OSError:
        return False
    try:
        return sock.getsockname() not in served
    except OSError:
        return False
    finally:
        sock.detach()


def _sockets_in(value: object, depth: int = 2) -> Iterable[socket.socket]:
    """The sockets in what an answer returned: itself, or in a list, a tuple, a dict, or an object's attributes."""
    if isinstance(value, socket.socket):
        yield value
    elif depth and isinstance(value, dict):
        for part in value.values():
            yield from _sockets_in(part, depth - 1)
    elif depth and isinstance(value, (list, tuple, set, frozenset)):
        for part in value:
            yield from _sockets_in(part, depth - 1)
    elif depth and hasattr(value, "__dict__") and not isinstance(value, type):
        yield from _sockets_in(vars(value), depth - 1)
