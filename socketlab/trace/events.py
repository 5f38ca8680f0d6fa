"""What a trace is made of: calls, the ends that made them, and which bytes went from which call to which.

Everything here is frozen, and its `repr` is the same on each run of a deterministic program: no port, no descriptor,
no address, no clock reading appears in it. Who wants those reads the fields `local`, `peer`, `start_ns`, `end_ns`.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import Any

#: Where a call stands to the wire. "" is a call that moves no bytes.
OUT, IN = "out", "in"


@dataclass(frozen=True)
class Endpoint:
    """One end: a socket of the kernel, whichever and however many Python objects held it.

    `name` is its role, numbered where there are several: "client", "server 2", "listener", "left". `local` and `peer`
    are the kernel's addresses (None where it has none, or was never asked in time); `other` is the name of the end at
    the other side of a stream, "" where it is not known or not in this process. `helper` is true for an end that
    socketlab made for itself. `link` is true where a `faulty_link` stands between this end and the other; its own
    calls are no events.
    """

    name: str
    kind: str  #: "tcp", "udp", "unix stream", "unix datagram", "tls", or family and type as Python names them
    local: Any = field(default=None, repr=False)
    peer: Any = field(default=None, repr=False)
    other: str = field(default="", repr=False)
    helper: bool = field(default=False, repr=False)
    listening: bool = field(default=False, repr=False)
    link: bool = field(default=False, repr=False)


@dataclass(frozen=True)
class Failure:
    """The exception a call ended with: name of its class, errno (None where it has none) and words."""

    kind: str
    code: int | None
    words: str = field(repr=False)

    def __str__(self) -> str:
        """The error as people search for it: ``ConnectionRefusedError [Errno 111] Connection refused``."""
        if self.code is not None and self.code in errno.errorcode and self.kind != "gaierror":
            return f"{self.kind} {errno.errorcode[self.code]}"
        return self.kind


@dataclass(frozen=True)
class Piece:
    """Some bytes on their way: ``data[start:stop]`` of what call number `sent` sent is what call `received` got.

    `at` is where these bytes begin in what the receiver got. `start`, `stop` and `at` count bytes from the beginning of
    that call's own data, not of the stream.
    """

    sent: int
    received: int
    start: int
    stop: int
    at: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Event:
    """One call that came back.

    `number` is its place among all calls of the trace, from 1, in happens-before order; how many of a server's own
    calls come before may differ between two runs. `asked` is the text of the arguments that matter ("100", "SHUT_WR",
    "SO_LINGER, (1, 0)"), without addresses. `result` is the text of what it returned where that is neither bytes nor
    a number of bytes ("<client>" for a socket), `failure` what it raised. `size` counts the bytes that it moved (None:
    it moves none, or nobody knows), `data` holds as many of them as were kept (of a send what was offered, which may
    be more than `size`), `direction` is "out", "in" or "". `offset` is where they begin in their direction of the
    stream. `pieces` ties them to the calls at the other end. `after` are the numbers of calls elsewhere that had to
    happen first (a recv after the send of its bytes, an accept after the connect, ``b""`` after the close). `peek` is
    true where the bytes stay in the queue.

    `inside` is the number of the call that made this one (`send` inside `sendfile`), None for what the program itself
    called. `housekeeping` is true for what socketlab's own servers and panels call for themselves, beside accept, send,
    recv and close. `layer` is "tls" for plaintext that travels encrypted, else "socket".
    `start_ns` and `end_ns` are nanoseconds of one clock, zero where the trace was opened.
    `address` is what the call was given as an address, or got with a datagram; None for most.
    `by_link` is true where the end of a stream, or a reset, that a call found was the doing of a `faulty_link`.
    `thread` is a label without numbers that change: "main", "echo server", "thread 2".
    """

    number: int = field(repr=False)
    call: str
    end: Endpoint | None
    asked: str = ""
    result: str = ""
    failure: Failure | None = None
    size: int | None = None
    data: bytes | None = None
    direction: str = ""
    offset: int | None = field(default=None, repr=False)
    pieces: tuple[Piece, ...] = field(default=(), repr=False)
    after: tuple[int, ...] = field(default=(), repr=False)
    peek: bool = field(default=False, repr=False)
    inside: int | None = field(default=None, repr=False)
    housekeeping: bool = field(default=False, repr=False)
    layer: str = field(default="socket", repr=False)
    thread: str = field(default="main", repr=False)
    start_ns: int = field(default=0, repr=False)
    end_ns: int = field(default=0, repr=False)
    address: Any = field(default=None, repr=False)
    by_link: bool = field(default=False, repr=False)

    @property
    def duration_ns(self) -> int:
        """How long the call took, waiting included."""
        return self.end_ns - self.start_ns

    @property
    def cut(self) -> bool:
        """True where `data` is only the beginning of what was moved, because the trace's limit was reached."""
        return self.size is not None and self.data is not None and len(self.data) < self.size

    def __str__(self) -> str:
        """The call as somebody would write it down: ``recv(100) → b'hello'``."""
        return f"{self.call}({self.asked}){outcome(self)}"


def outcome(event: Event) -> str:
    """What came of it: `` → b'hello'``, `` → 5 of 10 bytes``, `` → ConnectionResetError ECONNRESET``, or nothing."""
    if event.failure is not None:
        return f" → {event.failure}"
    if event.direction == IN and event.data is not None:
        return f" → {shown(event.data, event.size)}"
    if event.direction == OUT and event.size is not None and event.data is not None and len(event.data) > event.size:
        return f" → {event.size:,} of {len(event.data):,} bytes"
    if event.result:
        return f" → {event.result}"
    return ""


#: Bytes of a payload that a text shows before it says how many more there are.
SHOWN = 24


def shown(data: bytes, size: int | None = None, most: int = SHOWN) -> str:
    """Bytes for reading: ``b'hello'``, or their beginning and their number, ``b'xxxxxxxx'… 4096 bytes``."""
    size = len(data) if size is None else size
    if size <= most and len(data) == size:
        return repr(data)
    return f"{data[: most - 8]!r}… {size:,} bytes"


def is_of_tls(error: BaseException) -> bool:
    """Whether it is an `ssl.SSLError`; asked without importing `ssl`."""
    return any(kind.__module__ == "ssl" for kind in type(error).__mro__)


def words_of(error: BaseException) -> Failure:
    """An exception without what it holds on to: its traceback would keep every socket of its frames alive.

    The errno of an `ssl.SSLError` is a number of OpenSSL's (`ssl.SSLErrorNumber`), and no errno of the system's.
    """
    code = getattr(error, "errno", None)
    if isinstance(error, OSError) and isinstance(code, int) and not is_of_tls(error):
        text = error.strerror if isinstance(error.strerror, str) else os.strerror(code)
    else:
        text = str(error)
        code = None
    cut = getattr(error, "reason", None) == "UNEXPECTED_EOF_WHILE_READING"  # plain SSLError until Python 3.11.3
    return Failure("SSLEOFError" if cut else type(error).__name__, code, text)
