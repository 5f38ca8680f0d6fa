"""Who is who: the kernel's sockets behind Python's socket objects.

Several Python objects can hold one socket of the kernel: `dup`, `fromfd`, a descriptor that was passed, TLS around a
plain socket. And one identity (`id`) or one descriptor number can belong to many sockets, one after the other. So an
end is known by its inode, which the kernel gives to one socket only (socket(7) is silent; see sockfs in fs/proc), and
an object is known for as long as it lives: a weak reference takes it off the list.

What a trace never shows are the sockets by which an event loop wakes itself, and those of Jupyter and of debuggers.
"""

from __future__ import annotations

import _socket
import os
import socket
import sys
import weakref
from types import FrameType
from typing import Any

from ..measure.kernel_table import unix_peer

Plain = _socket.socket  # its methods are the kernel's calls, and are never replaced

# Functions of asyncio that handle the pair of sockets by which a loop is woken (selector_events, proactor_events).
_SELF_PIPE = frozenset(
    ("_make_self_pipe", "_close_self_pipe", "_write_to_self", "_read_from_self", "_loop_self_reading", "_loop_reading")
)
# Packages whose sockets are not the program's own: the kernel of the notebook, and debuggers.
_NOT_THE_PROGRAM = ("zmq.", "tornado.", "ipykernel.", "jupyter_client.", "debugpy.", "_pydevd_bundle.", "pydevd")


class End:
    """One socket of the kernel, as far as it was seen."""

    __slots__ = (
        *("family", "helper", "hidden", "inode", "link", "listening", "local", "origin", "peer", "proto", "tls"),
        *("other", "type"),
    )

    def __init__(self) -> None:
        self.inode: int | None = None
        self.family = self.type = self.proto = -1
        self.local: Any = None
        self.peer: Any = None
        self.listening = False
        self.hidden = False
        self.helper = False  # made by socketlab.servers
        self.link = False  # made by socketlab.links: then it is hidden, see `links`
        self.tls = False
        self.other: int | None = None  # the inode of the other end of a Unix socket, where the kernel was asked
        #: How the program came by it: "" (it was there before), "new", "connect", "accept", "left", "right".
        self.origin = ""

    def look(self, sock: Any) -> None:
        """Ask the kernel for the names of both ends; what it cannot say stays as it was."""
        try:
            self.local = Plain.getsockname(sock)
            self.peer = Plain.getpeername(sock)
        except (OSError, ValueError, TypeError):  # not bound, not connected, closed meanwhile
            pass

    @property
    def stream(self) -> bool:
        return self.type in (socket.SOCK_STREAM, getattr(socket, "SOCK_SEQPACKET", -2))

    @property
    def kind(self) -> str:
        """What people call such a socket."""
        if self.tls:
            return "tls"
        unix = self.family == getattr(socket, "AF_UNIX", None)
        internet = self.family in (socket.AF_INET, socket.AF_INET6) and self.proto in (0, 6, 17)
        if (internet or unix) and self.type in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            if self.type == socket.SOCK_STREAM:
                return "unix stream" if unix else "tcp"
            return "unix datagram" if unix else "udp"
        names = []
        for number, kinds in ((self.family, socket.AddressFamily), (self.type, socket.SocketKind)):
            try:
                names.append(kinds(number).name)
            except ValueError:
                names.append(str(number))
        return " ".join(names)


class Ends:
    """The end behind each socket object: `known`, by the object's `id`."""

    def __init__(self) -> None:
        self.known: dict[int, End] = {}  # a plain dict, for which the interpreter has a faster look-up
        self._by_inode: dict[int, End] = {}
        self._watched: dict[int, weakref.ref[Any]] = {}

    def of(self, sock: Any, caller: FrameType | None = None) -> End:
        """The end behind `sock`; seen for the first time, it is asked for its names. Raises nothing."""
        end = self.known.get(id(sock))
        if end is None:
            end = self._first_sight(sock, caller)
        return end

    def at(self, fd: int) -> End | None:
        """The end behind a descriptor, where it has been seen through some object."""
        try:
            return self._by_inode.get(os.fstat(fd).st_ino)
        except (OSError, OverflowError, TypeError):
            return None

    def behind(self, fd: int) -> End | None:
        """The end behind a descriptor, whether an object of it has been seen or not; None where it is no socket."""
        end = self.at(fd)
        if end is None:
            try:
                sock = Plain(fileno=os.dup(fd))
            except OSError:
                return None
            try:
                end = self._first_sight(sock, None)
            finally:
                sock.close()
        return end

    def alive(self) -> list[tuple[Any, End]]:
        """The socket objects that have been seen and not been freed, with their ends."""
        watched = self._watched.copy()  # a collection in the middle of the loop may take objects off the list
        found = [(reference(), self.known.get(key)) for key, reference in watched.items()]
        return [(sock, end) for sock, end in found if sock is not None and end is not None]

    def _first_sight(self, sock: Any, caller: FrameType | None) -> End:
        try:
            fd = Plain.fileno(sock)
        except (TypeError, OSError):  # a learner called socket.socket.recv("text")
            return End()
        if fd < 0:
            return End()  # not made yet, or closed: nothing to remember
        try:
            inode = os.fstat(fd).st_ino or None
        except OSError:  # Windows: a socket is no file
            inode = None
        end = self._by_inode.get(inode) if inode else None
        if end is None:
            end = End()
            end.inode, end.family, end.type, end.proto = inode, int(sock.family), int(sock.type), sock.proto
            end.hidden = is_not_the_program(caller)
            end.look(sock)
            if end.stream and end.peer is None:
                try:
                    end.listening = bool(Plain.getsockopt(sock, socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
                except (OSError, AttributeError):
                    pass
            if inode:
                end = self._by_inode.setdefault(inode, end)  # another thread may have seen it at the same moment
                if end.stream and end.kind == "unix stream" and end.peer is not None:
                    end.other = inode_at_the_other_end(inode)
        self.know(sock, end)
        return end

    def know(self, sock: Any, end: End) -> None:
        """From now on `sock` stands for `end`, until the object dies or is given another socket."""
        key = id(sock)

        def forget(_: object, key: int = key, ends: Ends = self) -> None:
            ends.known.pop(key, None)
            ends._watched.pop(key, None)

        try:
            self._watched[key] = weakref.ref(sock, forget)
        except TypeError:
            return
        self.known[key] = end

    def forget(self, sock: Any) -> None:
        """`sock` begins another life: ``__init__`` has been called, and gave it a descriptor."""
        self.known.pop(id(sock), None)


def inode_at_the_other_end(inode: int) -> int | None:
    """The inode of the other end: a pair of Unix sockets has no names by which they could be known."""
    try:
        return unix_peer(inode)
    except (OSError, NotImplementedError):
        return None


def is_not_the_program(caller: FrameType | None) -> bool:
    """Whether the call comes from an event loop's wake-up, from the notebook's kernel, or from a debugger."""
    frame = on_whose_behalf(caller)
    if frame is None:
        return False
    name = module_of(frame)
    if name.startswith("asyncio."):
        return frame.f_code.co_name in _SELF_PIPE
    return f"{name}.".startswith(_NOT_THE_PROGRAM)


def on_whose_behalf(frame: FrameType | None) -> FrameType | None:
    """`frame`, or the nearest one above it that is not `socket`, `ssl` or the trace passing a call on."""
    while frame is not None:
        name = module_of(frame)
        if name not in ("socket", "ssl") and not name.startswith("socketlab.trace."):
            break
        frame = frame.f_back
    return frame


def module_of(frame: FrameType) -> str:
    """The module whose code `frame` runs; "" where it does not say."""
    name = frame.f_globals.get("__name__", "")
    return name if isinstance(name, str) else ""


def calling_frame(levels: int) -> FrameType | None:
    """The frame `levels` above the caller's, if there is one."""
    try:
        return sys._getframe(levels + 1)
    except ValueError:
        return None
