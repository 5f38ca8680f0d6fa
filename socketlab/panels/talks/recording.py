"""What a handler hears and says, noted while it runs: the accepted socket itself keeps the record.

A handler is a plain function over a plain socket and shall stay one. So its socket is neither wrapped nor replaced:
the object changes its class to a subclass of `socket.socket` with the same layout, whose methods call the kernel as
before and then note what moved. Descriptor, identity and the server's own list of connections stay as they were.
"""

from __future__ import annotations

import functools
import socket
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from ...handlers import StreamHandler
from ..drawing.look import SHOWN, brief

# Direction of the bytes of one call, as the server sees it.
CAME, WENT, EVENT = "came", "went", ""


class Row(NamedTuple):
    """One line of a record."""

    connection: int  #: number of the connection, from 1
    call: str  #: name of the method, or what happened
    direction: str  #: CAME, WENT or EVENT
    data: bytes  #: the first SHOWN bytes of what moved
    size: int  #: how many bytes moved
    error: str  #: the exception that the call raised, or ""


class Connection:
    """One accepted connection while its handler runs."""

    def __init__(self, number: int, peer: Any) -> None:
        self.number = number
        self.peer = peer  #: as getpeername() has it: (host, port, …), or '' for a client on an unnamed Unix socket
        self.waits_in = ""  #: the call in which the handler is now


class Record:
    """The last `kept` rows of a server's conversations and who is connected now; `changed` is called at each change.

    Written by the handlers' threads, read by any thread.
    """

    def __init__(self, changed: Callable[[], None], kept: int = 12) -> None:
        self.changed = changed
        self.dropped = 0  #: rows that are older than the last `kept`
        self.came = self.went = 0  #: bytes, in all
        self._lock = threading.Lock()
        self._rows: deque[Row] = deque(maxlen=kept)
        self._live: dict[int, Connection] = {}
        self._opened = 0

    def rows(self) -> tuple[Row, ...]:
        """Oldest first."""
        with self._lock:
            return tuple(self._rows)

    def live(self) -> tuple[Connection, ...]:
        """The connections whose handlers run now, in the order of acceptance."""
        with self._lock:
            return tuple(self._live.values())

    def note(self, connection: Connection, call: str, direction: str, data: bytes, size: int, error: str = "") -> None:
        row = Row(connection.number, call, direction, data, size, error)
        with self._lock:
            self.dropped += len(self._rows) == self._rows.maxlen
            self._rows.append(row)
            if direction == CAME:
                self.came += size
            elif direction == WENT:
                self.went += size
        self.changed()

    def watch(self, handler: StreamHandler) -> StreamHandler:
        """`handler`, with every connection that it serves noted here. What it does and raises is unchanged."""

        @functools.wraps(handler, updated=())
        def watched(conn: socket.socket) -> object:
            connection = self._open(conn)
            end, error = "handler ended", ""
            try:
                result = handler(conn)
                end = "handler returned"
                return result
            except ConnectionError:  # the peer has gone, as clients do: the row of the call says so already
                raise
            except (Exception, SystemExit) as exc:
                end, error = "handler raised", describe(exc)
                raise
            finally:
                self._close(connection, end, error)

        watched.__name__ = getattr(handler, "__name__", type(handler).__name__)
        return watched

    def _open(self, conn: socket.socket) -> Connection:
        try:
            peer = conn.getpeername()
        except OSError:  # reset before anyone looked
            peer = ""
        with self._lock:
            self._opened += 1
            connection = Connection(self._opened, peer)
            self._live[connection.number] = connection
        self.note(connection, "client connected", EVENT, b"", 0)
        _tap[conn] = self, connection
        conn.__class__ = RecordedSocket
        return connection

    def _close(self, connection: Connection, end: str, error: str) -> None:
        self.note(connection, end, EVENT, b"", 0, error)
        with self._lock:
            del self._live[connection.number]
        self.changed()


# Beside the sockets, because a subclass with a slot of its own has another layout and could not take over.
_tap: weakref.WeakKeyDictionary[socket.socket, tuple[Record, Connection]] = weakref.WeakKeyDictionary()


class RecordedSocket(socket.socket):
    """A connected socket whose sends and receives are noted in a `Record`."""

    __slots__ = ()

    def recv(self, *args: Any) -> Any:
        return _noted(self, "recv", CAME, super().recv, args, lambda data: data)

    def recv_into(self, buffer: Any, *args: Any) -> Any:
        return _noted(self, "recv_into", CAME, super().recv_into, (buffer, *args), lambda size: _bytes(buffer)[:size])

    def recvfrom(self, *args: Any) -> Any:
        return _noted(self, "recvfrom", CAME, super().recvfrom, args, lambda result: result[0])

    def recvmsg(self, *args: Any) -> Any:
        return _noted(self, "recvmsg", CAME, super().recvmsg, args, lambda result: result[0])

    def send(self, data: Any, *args: Any) -> Any:
        return _noted(self, "send", WENT, super().send, (data, *args), lambda size: _bytes(data)[:size])

    def sendall(self, data: Any, *args: Any) -> Any:
        return _noted(self, "sendall", WENT, super().sendall, (data, *args), lambda _: _bytes(data))

    def sendmsg(self, buffers: Any, *args: Any) -> Any:
        pieces = list(buffers)  # it may be an iterator, which can be read once
        return _noted(
            self, "sendmsg", WENT, super().sendmsg, (pieces, *args), lambda size: b"".join(map(_bytes, pieces))[:size]
        )

    def shutdown(self, how: int) -> None:
        _noted(self, f"shutdown({_HOW.get(how, how)})", EVENT, super().shutdown, (how,), lambda _: b"")


_HOW: dict[int, str] = {socket.SHUT_RD: "SHUT_RD", socket.SHUT_WR: "SHUT_WR", socket.SHUT_RDWR: "SHUT_RDWR"}


def _noted(sock: socket.socket, name: str, direction: str, call: Any, args: tuple[Any, ...], moved: Any) -> Any:
    """Do `call`, and note the bytes that ``moved(result)`` finds in it."""
    tap = _tap.get(sock)
    if tap is None:  # a dup() of a recorded socket has its class and no record
        return call(*args)
    record, connection = tap
    connection.waits_in = name
    record.changed()
    try:
        result = call(*args)
    except OSError as exc:
        record.note(connection, name, EVENT, b"", 0, describe(exc))
        raise
    finally:
        connection.waits_in = ""
    data = moved(result)
    record.note(connection, name, direction, bytes(data[:SHOWN]), len(data))
    return result


def _bytes(data: Any) -> memoryview:
    return memoryview(data).cast("B")


def describe(error: BaseException) -> str:
    """``ConnectionResetError: Connection reset by peer``: the class and the reason, cut, without the number."""
    reason = brief(getattr(error, "strerror", None) or str(error))
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__
