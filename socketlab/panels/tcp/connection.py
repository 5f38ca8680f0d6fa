"""Two sockets and a listener on loopback, one call at a time, and the state that the kernel has each of them in.

Every call is the real one, on a real socket, bounded by PATIENCE: a call that would wait longer is reported as
waiting, and what it has begun goes on in the kernel. States are read from the kernel after each call: by TCP_INFO
while there is a descriptor, else from the table of sockets (kernel_table.py), which also has TIME_WAIT. None is
computed; what lies between two states that were seen is worked out in transitions.py, and said to be.

On loopback a state that ends with the other side's answer lasts microseconds. `deafen` makes it last: what arrives at
a socket is thrown away, so the kernel at the other end sends again, waits, and stays in the state that it is in.
"""

from __future__ import annotations

import socket
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ...experiments.doors import wire
from ...experiments.doors.following import SIDES, End, Follower
from ...experiments.doors.transitions import Step
from ..drawing.look import literal
from ..talks.recording import describe
from .calls import CALLS, GREETING, WAITS, Call

PATIENCE = 0.03  # seconds for a call; on loopback an answer that comes at all comes in microseconds
KEPT = 200  # calls that are remembered


class ConnectionModel:
    """`changed` is called after each call. Methods may be called from any thread.

    Raises OSError where a loopback address of `family` (AF_INET or AF_INET6) cannot be bound.
    """

    def __init__(self, family: int = socket.AF_INET, changed: Callable[[], None] = lambda: None) -> None:
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise ValueError(f"family must be AF_INET or AF_INET6: only these have TCP, not {family!r}")
        self.family = family
        self.listener: socket.socket
        self.client: socket.socket
        self.server: socket.socket | None = None  #: what accept() returned last
        self.closed = False
        self._changed = changed
        self._lock = threading.RLock()
        self._held: list[socket.socket] = []
        self._open()
        weakref.finalize(self, _abort_all, self._held)  # for one that nobody knows any more

    def _open(self) -> None:
        self.calls: deque[Call] = deque(maxlen=KEPT)  #: the oldest first
        self.deaf: set[str] = set()  #: "client", "server", both or none
        self._follower = Follower(self.family)
        self._number = 0
        self.server = None
        try:
            self.listener = self._new()
            self.client = self._new()
            self.listener.bind(("::1" if self.family == socket.AF_INET6 else "127.0.0.1", 0))
        except BaseException:
            _abort_all(self._held)
            raise
        self.address = wire.name_of(self.listener)

    def _new(self) -> socket.socket:
        return self._hold(socket.socket(self.family))

    def _hold(self, sock: socket.socket) -> socket.socket:
        self._held.append(sock)
        wire.impatient(sock)
        return sock

    # -- what may be pressed -------------------------------------------------------------------------------------------

    def can(self, side: str, action: str) -> bool:
        """Whether there is a socket for that call; whether the call succeeds is the kernel's to say."""
        sock = self._sock(side)
        if action == "socket":
            return not self.closed
        if sock is None or not wire.is_open(sock):
            return False
        return action != "accept" or self.server is None or not wire.is_open(self.server)

    def press(self, side: str, action: str) -> Call:
        """Do one of `CALLS`, and return what was noted; no error of the call escapes. Raises ValueError for another."""
        if action not in CALLS.get(side, ()):
            raise ValueError(f"no such call of a panel: {side} {action}; there are {CALLS}")
        with self._lock:
            sock = self._sock(side)
            if self.closed or sock is None:
                return Call(0, side, f"{action}()", "there is no socket", "failed")
            self.look()
            text, call = self._plan(side, action, sock)
            try:
                with wire.bounded(sock, PATIENCE):  # a cell may have set another timeout, or none
                    outcome, kind = call(), "done"
            except OSError as exc:
                if isinstance(exc, TimeoutError) and exc.errno is None:  # ours; the kernel's own has an errno
                    outcome, kind = WAITS.get(action, "waits"), "waits"
                else:
                    outcome, kind = describe(exc), "failed"
                if action == "connect":
                    self._attempted(sock, exc)
            return self._note(side, text, outcome, kind)

    def _plan(self, side: str, action: str, sock: socket.socket) -> tuple[str, Callable[[], str]]:
        """The call as you would type it, and a function that makes it and words its result."""
        if action == "listen":
            return "listen(1)", lambda: sock.listen(1) or "done"  # type: ignore[func-returns-value]
        if action == "accept":
            return "accept()", self._accept
        if action == "socket":
            return "socket()", self._new_client
        if action == "connect":
            return "connect(address)", lambda: self._connect(sock)
        if action == "send":
            data = GREETING[side]
            return f"send({data!r})", lambda: f"{sock.send(data)}"
        if action == "recv":
            return "recv(1000)", lambda: literal(sock.recv(1000))
        if action == "shutdown":
            return "shutdown(SHUT_WR)", lambda: self._shutdown(side, sock)
        if action == "close":
            return "close()", lambda: self._close(side, sock)
        return "close()", lambda: self._reset(side, sock)

    def _new_client(self) -> str:
        client = self._new()
        self._close("client", self.client)  # as Python does when the last name for it is gone
        self._held.remove(self.client)
        self._follower.forget("client")
        self.client = client
        return "a new one, for another try"

    def _connect(self, sock: socket.socket) -> str:
        sock.connect(self.address)
        self._attempted(sock, None)
        return "connected"

    def _attempted(self, sock: socket.socket, failure: OSError | None) -> None:
        """After a connect, whatever came of it: whose states are to be followed from now on."""
        if isinstance(failure, ConnectionRefusedError):
            self._follower.refused("client")
        elif failure is None or isinstance(failure, TimeoutError):
            pair = wire.name_of(sock), self.address
            if pair != self._follower.pairs.get("client"):
                self._follower.follow("client", pair)
                if self.server is None:
                    self._follower.forget("server")

    def _accept(self) -> str:
        server, peer = self.listener.accept()
        if self.server is not None:
            wire.abort(self.server)
            self._held.remove(self.server)
        self.server = self._hold(server)
        if (self.address, peer) != self._follower.pairs.get("server"):  # a client that a cell made
            self._follower.forget("server")
            self._follower.follow("server", (self.address, peer))
        if "server" in self.deaf:
            wire.deafen(server, True)
        return "a socket: the server's"

    def _shutdown(self, side: str, sock: socket.socket) -> str:
        sock.shutdown(socket.SHUT_WR)
        self._follower.finished.add(side)
        return "done"

    def _close(self, side: str, sock: socket.socket) -> str:
        self._hear_again(side, sock)
        unread = 0 if side == "listener" else wire.readable(sock)
        wire.patient_once_closed(sock)
        sock.close()
        if unread:  # Linux aborts then (RFC 9293, 3.6.1, and RFC 1122, 4.2.2.13, want it so)
            return f"with an RST: {unread} bytes were never received"
        self._follower.finished.add(side)
        return "done"

    def _reset(self, side: str, sock: socket.socket) -> str:
        self._hear_again(side, sock)
        self._follower.finished.discard(side)
        wire.abort(sock)
        return "SO_LINGER is on with 0 seconds: an RST, if there was a connection"

    # -- the wire ------------------------------------------------------------------------------------------------------

    def deafen(self, side: str, deaf: bool = True) -> Call:
        """Throw away what arrives at `side` ("client", "server") from now on, or no longer.

        The server's is its listener as well: no SYN comes through. Raises ValueError for another side.
        """
        if side not in ("client", "server"):
            raise ValueError(f"side must be 'client' or 'server', not {side!r}")
        with self._lock:
            if self.closed:
                return Call(0, side, "", "there is no socket", "failed")
            self.look()
            socks = [self.listener, self.server] if side == "server" else [self.client]
            try:
                for sock in socks:
                    if sock is not None and wire.is_open(sock):
                        wire.deafen(sock, deaf)
            except (OSError, NotImplementedError) as exc:
                return self._note(side, "hears nothing", describe(exc), "failed")
            (self.deaf.add if deaf else self.deaf.discard)(side)
            if deaf:
                return self._note(side, "hears nothing", "what arrives is thrown away", "wire")
            return self._note(side, "hears again", "what is sent from now on arrives", "wire")

    def _hear_again(self, side: str, sock: socket.socket) -> None:
        """Nobody could make a closed socket hear again."""
        if side in self.deaf:
            with suppress(OSError):
                wire.deafen(sock, False)
            if side == "client":  # the server's listener stays deaf
                self.deaf.discard(side)

    # -- what the kernel says ------------------------------------------------------------------------------------------

    @property
    def paths(self) -> dict[str, deque[Step]]:
        """The steps that each side has taken since the beginning of its connection."""
        return self._follower.paths

    def look(self) -> dict[str, End]:
        """Ask the kernel about the listener, the client and the server, in that order, and note the steps taken."""
        with self._lock:
            return self._follower.look({side: self._sock(side) for side in SIDES})

    def _sock(self, side: str) -> socket.socket | None:
        return {"listener": self.listener, "client": self.client, "server": self.server}[side]

    def _note(self, side: str, text: str, outcome: str, kind: str) -> Call:
        self.look()
        self._number += 1
        call = Call(self._number, side, text, outcome, kind)
        self.calls.append(call)
        self._changed()
        return call

    # -- ends ----------------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Close everything and begin again, with new sockets and another port."""
        with self._lock:
            if not self.closed:
                _abort_all(self._held)
                self._open()
                self._changed()

    def close(self) -> None:
        """Close everything. Idempotent."""
        with self._lock:
            self.closed = True
            _abort_all(self._held)


def _abort_all(sockets: list[socket.socket]) -> None:
    """With RSTs, so that no TIME_WAIT of an abandoned experiment is left for a minute."""
    while sockets:
        wire.abort(sockets.pop())
