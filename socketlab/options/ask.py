"""Asking the kernel: what an option is now, on a fresh socket, and what is granted when a value is asked for.

Every question has a socket of its own that is thrown away afterwards, so nothing that is set outlives the question. No
socket is bound, and those that are connected are datagram sockets, which send nothing by that (udp(7)); groups are
joined on the loopback interface. Sockets are made and asked through `_socket.socket`, the class below `socket.socket`,
so that a trace of the program does not show these calls.
"""

import errno
import socket
import struct
import sys
from _socket import socket as _Socket  # see above
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from socketlab.probe.options import MEMBERSHIPS, SOCKETS

from .catalogue import Entry, catalogue
from .remarks import refusal, remark
from .types import KINDS, Kind

__all__ = ["CONNECTED", "SOCKETS_TO_ASK", "Answer", "Grant", "Kernel"]

_LONGEST = 512  # bytes; the longest that is read is TCP_INFO with 280 (Linux 6.18)

SOCKETS_TO_ASK = {
    **SOCKETS,
    "udp connected": ("AF_INET", "SOCK_DGRAM", 0),
    "unix pair": ("AF_UNIX", "SOCK_STREAM", 0),
    "alg": ("AF_ALG", "SOCK_SEQPACKET", 0),
    "hyperv": ("AF_HYPERV", "SOCK_STREAM", 1),
}
CONNECTED = {"udp connected": ("127.0.0.1", 9), "udp6 connected": ("::1", 9)}

# What is gone when it has been read: it belongs to the program whose socket it is.
_ONCE = ("SO_ERROR", "TCP_SAVED_SYN", "TCP_ZEROCOPY_RECEIVE")

# Of a level without an option that says it: the socket that shows whether the kernel has the level.
_OF_LEVELS = {"SOL_ALG": "alg", "SOL_CAN_BASE": "can", "SOL_CAN_RAW": "can", "SOL_TIPC": "tipc", "SOL_UDP": "udp",
              "SOL_SOCKET": "tcp", "SOL_IP": "udp", "SOL_TCP": "tcp"}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What the kernel said: a `value`, or an `errno` and its reason in words; neither where it was not asked."""

    value: Any = None
    shown: str = ""  #: the value for people: "131,072 bytes"
    errno: int | None = None
    reason: str = ""

    @property
    def works(self) -> bool:
        """Whether there is a value."""
        return self.errno is None and bool(self.shown)

    @property
    def error(self) -> str:
        """The errno's name, "" without one."""
        if self.errno == errno.EOPNOTSUPP:  # on Linux ENOTSUP has the same number, and comes first in errorcode
            return "EOPNOTSUPP"
        return "" if self.errno is None else errno.errorcode.get(self.errno, f"errno {self.errno}")

    def __str__(self) -> str:
        return self.shown if self.works else f"{self.error}: {self.reason}" if self.error else self.reason


@dataclass(frozen=True)
class Grant:
    """What was asked for, in words, and what a look at the socket then showed; `remark` says why it is not the same."""

    asked: str
    answer: Answer
    remark: str = ""

    @property
    def works(self) -> bool:
        return self.answer.works

    def __str__(self) -> str:
        if not self.answer.works:
            return f"asked {self.asked}, refused with {self.answer}"
        return f"asked {self.asked}, granted {self.answer}" + (f": {self.remark}" if self.remark else "")


class Kernel:
    """Asks about options. With `sock` all questions are put to that socket, and what is set there stays set.

    Without it each question has a socket of its own. A family that the kernel lacks is asked for once: Linux looks for
    its module each time (socket(2)).
    """

    def __init__(self, sock: socket.socket | None = None) -> None:
        if sock is not None and not (hasattr(sock, "getsockopt") and hasattr(sock, "fileno")):
            raise ValueError(f"wanted a socket, but got {type(sock).__name__}: {sock!r}")
        self.sock = sock
        self._lacking: dict[str, Answer] = {}

    def read(self, entry: Entry) -> Answer:
        """What the option is now. Never raises OSError: a refusal is an answer."""
        if entry.text.kind == "value":
            return Answer(entry.number, str(entry.number))
        if entry.text.kind == "level":
            return self._level(entry)
        if self.sock is not None and entry.name in _ONCE:
            return Answer(reason="not read: reading would take it away from your program")
        return self._with_socket(entry, lambda sock: self._get(sock, entry))

    def grant(self, entry: Entry, value: Any) -> Grant:
        """Set `value` and look what came of it. Raises ValueError for a value of the wrong form; never OSError."""
        data = _encoded(entry, value)
        kind = entry.kind
        asked = str(value) if isinstance(value, str) else kind.text(value)

        numbers = {entry.name: entry.number for entry in catalogue()}

        def run(sock: Any) -> Answer:
            if self.sock is None:
                for before in MEMBERSHIPS.get(entry.name, ()):
                    if before in numbers:
                        self._set(sock, entry.level_number, numbers[before], _request(before, value))
            self._set(sock, entry.level_number, entry.number, data)
            if "group" in entry.text.kind:
                return Answer(value, "it")
            return self._after(sock, entry, value)

        answer = self._with_socket(entry, run, doing="set")
        same = answer.works and not answer.shown.startswith("it")
        return Grant(asked, answer, remark(entry, value, answer.value) if same else "")

    def _after(self, sock: Any, entry: Entry, value: Any) -> Answer:
        """A look at what was just set; where it cannot be read, that it was taken."""
        try:
            if entry.name.endswith("BUFFORCE"):  # the size is that of the option without FORCE
                size = int(sock.getsockopt(socket.SOL_SOCKET, getattr(socket, entry.name.removesuffix("FORCE"))))
                return Answer(size, entry.kind.text(size))
            return self._get(sock, entry)
        except OSError:
            return Answer(value, "it, as far as one can tell")

    # -- sockets ---------------------------------------------------------------------------------------------------

    def _with_socket(self, entry: Entry, run: Callable[[Any], Answer], doing: str = "read") -> Answer:
        other = None
        if self.sock is not None:
            sock: Any = self.sock
        else:
            if entry.socket in self._lacking:
                return self._lacking[entry.socket]
            try:
                sock, other = _open(entry.socket)
            except (OSError, AttributeError) as exc:
                return self._lacking.setdefault(entry.socket, _no_socket(entry.socket, exc))
        try:
            return run(sock)
        except OSError as exc:
            number = exc.errno or errno.EIO
            return Answer(errno=number, reason=refusal(number, doing, entry))
        except (OverflowError, TypeError, struct.error) as exc:
            raise ValueError(f"{entry.name} takes no such value: {exc}") from exc
        finally:
            if self.sock is None:
                sock.close()
                if other is not None:
                    other.close()

    def _get(self, sock: Any, entry: Entry) -> Answer:
        kind = entry.kind
        data = self._bytes(sock, entry.level_number, entry.number)
        try:
            value = kind.decode(data)
            return Answer(value, kind.text(value))
        except (ValueError, struct.error, IndexError):  # this kernel has another form
            return Answer(data, f"{len(data)} bytes")

    @staticmethod
    def _bytes(sock: Any, level: int, number: int) -> bytes:
        get = _Socket.getsockopt.__get__(sock) if isinstance(sock, _Socket) else sock.getsockopt
        if getattr(socket, "AF_VSOCK", None) == sock.family:  # Python moves its options as 64-bit numbers, and only so
            return int(get(level, number)).to_bytes(8, sys.byteorder)
        return bytes(get(level, number, _LONGEST))

    @staticmethod
    def _set(sock: Any, level: int, number: int, value: "int | bytes") -> None:
        if isinstance(sock, _Socket):
            _Socket.setsockopt(sock, level, number, value)
        else:
            sock.setsockopt(level, number, value)

    def _level(self, entry: Entry) -> Answer:
        """A level has no value; whether there are sockets that have it can be found out."""
        kind = _OF_LEVELS.get(entry.name)
        if kind is None:
            return Answer(reason="no option of this level has a name in Python")
        if kind not in self._lacking:
            try:
                for sock in _open(kind):
                    if sock is not None:
                        sock.close()
            except (OSError, AttributeError) as exc:
                self._lacking[kind] = _no_socket(kind, exc)
        return self._lacking.get(kind) or Answer(entry.number, "this kernel has such sockets")


def _open(kind: str) -> tuple[Any, Any]:
    """A fresh socket, and its other end where it is one of a pair. Raises OSError, and AttributeError for a name."""
    family, type_, protocol = SOCKETS_TO_ASK[kind]
    if kind == "unix pair":
        return socket.socketpair(getattr(socket, family))
    sock = _Socket(getattr(socket, family), getattr(socket, type_), protocol)
    if kind in CONNECTED:
        try:
            sock.connect(CONNECTED[kind])
        except OSError:
            sock.close()
            raise
    return sock, None


def _no_socket(kind: str, exc: Exception) -> Answer:
    family = SOCKETS_TO_ASK[kind][0]
    if isinstance(exc, OSError):
        number = exc.errno or errno.EIO
        return Answer(errno=number, reason=f"{refusal(number, 'open')} ({family})")
    return Answer(reason=f"this Python has no {family}")


def _encoded(entry: Entry, value: Any) -> "int | bytes":
    kind: Kind = entry.kind
    try:
        return kind.encode(value)
    except OSError as exc:  # an interface that is not there
        raise ValueError(f"{entry.name} wanted {kind.words}, but got {value!r}: {exc.strerror or exc}") from exc
    except (struct.error, TypeError, AttributeError, OverflowError, ValueError) as exc:
        raise ValueError(f"{entry.name} wanted {kind.words}, but got {value!r}") from exc


def _request(name: str, group: str) -> bytes:
    """The argument of the membership option that has to come first."""
    form = "group6" if name.startswith("IPV6_") else "source group" if "SOURCE" in name else "group"
    data = KINDS[form].encode(group)
    assert isinstance(data, bytes)
    return data
