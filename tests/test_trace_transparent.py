"""A traced program must not be able to tell: whatever it does, it gets what it would have got without the trace.

Each question here is asked twice, without a trace and with one open, and the two answers must be equal: results, types,
the words of an error, signatures, reference counts. Then CPython's own tests of its sockets are run under a trace
(stdlib_under_trace.py), which ask more than anybody would think of. What is known to differ, and why it must:

* `type(socket.socket.recv)`: a replacement is a function, the original a descriptor of the C class. Where `help()`
  says what kind of thing it describes, it says so; its text is the same. A function has no `__text_signature__`.
* `vars(socket.socket)` has the replacements while a trace is open. Afterwards it is as before, in the same order.
* `weakref.getweakrefcount(sock)` is one higher: that is how the trace learns that an object has died.
* The reference count of a `bytes` object that was sent or received: the trace keeps the payload.

SOCKETLAB_THOROUGH=1 runs all of the standard library's tests that have to do with sockets, in both ways.
"""

from __future__ import annotations

import _socket
import array
import asyncio
import copy
import gc
import inspect
import io
import operator
import os
import pickle
import pydoc
import re
import select
import selectors
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import stdlib_under_trace
from share import THOROUGH

import socketlab.trace
from socketlab.trace import trace
from socketlab.trace.recorder import current

OURS = str(Path(socketlab.trace.__file__).parent)
DEADLINE = 10.0  # s, for every blocking socket here; nothing takes a hundredth of it

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks for something that only Linux has")
posix = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signals that interrupt a call")


# -- asking twice ------------------------------------------------------------------------------------------------------


@contextmanager
def tracing() -> Iterator[socketlab.trace.Trace]:
    """A trace; it must have had no exception of its own that it hid from the program."""
    with trace() as t:
        recorder = current()
        assert recorder is not None
        yield t
    assert not recorder.faults, [traceback.format_exception(fault) for fault in recorder.faults]


def described(error: BaseException) -> dict[str, Any]:
    """All that a program can see of an exception, but for its traceback, which may have a frame of ours a call."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    ours = [file.startswith(OURS) for file in files]
    python = [file.endswith(("socket.py", "ssl.py", "selectors.py")) for file in files]  # recv in do_handshake in ...
    assert sum(ours) <= 1 + sum(python), f"more than one frame of ours for a call: {files}"
    if sys.version_info < (3, 11) and "takes no keyword arguments" in str(error):
        # 3.10 names the class where a method of C was not called through an object, as a replacement must call it.
        error = TypeError(str(error).removeprefix("socket."))
    return {
        "type": type(error),
        "args": error.args,
        "text": str(error),
        "errno": getattr(error, "errno", None),
        "strerror": getattr(error, "strerror", None),
        "filename": getattr(error, "filename", None),
        "cause": repr(error.__cause__),
        "context": repr(error.__context__),
        "suppressed": error.__suppress_context__,
        "notes": getattr(error, "__notes__", None),
    }


def answer(ask: Callable[[], Any]) -> Any:
    """What `ask` returns, or what it raises, together with the frames of ours that its traceback has."""
    try:
        return ask()
    except BaseException as error:
        return described(error)


def same(ask: Callable[[], Any]) -> Any:
    """Ask without a trace and with one; return the answer, which is the same."""
    before = answer(ask)
    with tracing() as t:
        during = answer(ask)
    assert during == before
    assert type(during) is type(before)
    after = answer(ask)
    assert after == before
    return t, before


@contextmanager
def pair(kind: type[socket.socket] | None = None) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets with a deadline, of the class `kind` if that is given."""
    left, right = socket.socketpair()
    if kind is not None:
        left, right = kind(fileno=left.detach()), kind(fileno=right.detach())
    with left, right:
        left.settimeout(DEADLINE)
        right.settimeout(DEADLINE)
        yield left, right


@contextmanager
def datagrams() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two UDP sockets on loopback that are not connected."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as b:
        for sock in (a, b):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(DEADLINE)
        yield a, b


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        yield listener


def run(program: str, *, limit: float = 30.0) -> subprocess.CompletedProcess[str]:
    """Run a program of its own; it finds socketlab as this process does."""
    path = os.pathsep.join(filter(None, [str(Path(OURS).parent.parent), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )


# -- the class and the modules -----------------------------------------------------------------------------------------

PLACES = [
    *(socket.socket, ssl.SSLSocket, ssl.SSLContext, ssl.SSLObject, socket.SocketIO, _socket, socket, ssl, select),
    *(value for name, value in sorted(vars(selectors).items()) if name.endswith("Selector")),
    selectors,
    socketserver,
    asyncio.selector_events.BaseSelectorEventLoop,
]


def contents() -> list[tuple[str, list[tuple[str, int]]]]:
    """The names in each place, in their order, and the identity of what they stand for."""
    return [
        (repr(place), [(n, id(v)) for n, v in vars(place).items() if n != "__warningregistry__"]) for place in PLACES
    ]


class TestTheClass:
    def test_everything_is_put_back(self):
        before = contents()
        with trace():
            assert contents() != before  # else this test looks at the wrong places
        assert contents() == before

    def test_everything_is_put_back_after_an_error(self):
        before = contents()
        with pytest.raises(ZeroDivisionError), trace():
            raise ZeroDivisionError
        assert contents() == before

    def test_no_trace_no_cost(self):
        """Without an open trace the methods are those of the C class, and no name of ours is in the way."""
        with trace():
            assert socket.socket.recv is not _socket.socket.recv
        inherited = [name for name in vars(_socket.socket) if not name.startswith("_") and name not in MADE_IN_PYTHON]
        assert "recv" in inherited
        for name in inherited:
            assert name not in vars(socket.socket), name
            assert getattr(socket.socket, name) is getattr(_socket.socket, name), name
        assert select.select is sys.modules["select"].__dict__["select"]
        assert inspect.isbuiltin(select.select)

    def test_many_traces_leave_no_cost(self):
        """CPython 3.13 gives a class a thousand versions; when they are used up, lookups are not cached any more."""
        pytest.importorskip("_testcapi", reason="it is where CPython tells the version of a class")
        done = run(VERSIONS)
        if done.stdout.strip() == "untold":
            pytest.skip("this Python does not tell the version of a class")
        assert done.stdout.split() == ["True", "True"], done.stderr

    def test_the_class_is_the_same_object(self):
        cls, bases = socket.socket, socket.socket.__mro__
        with tracing():
            assert socket.socket is cls
            assert socket.socket.__mro__ == bases
            assert socket.SocketType is _socket.SocketType
            assert pickle.loads(pickle.dumps(socket.socket)) is cls
            with pair() as (left, right):
                assert type(left) is cls
                assert isinstance(right, _socket.socket)

    def test_names(self):
        same(lambda: dir(socket.socket))
        same(lambda: sorted(set(dir(socket)) - {"__warningregistry__"}))
        with pair() as (left, _):
            same(lambda: dir(left))
            same(lambda: vars(left) if hasattr(left, "__dict__") else None)

    def test_its_repr(self):
        with pair() as (left, _):
            same(lambda: repr(left))
        same(lambda: repr(left))  # closed
        same(lambda: repr(socket.socket))


VERSIONS = """
import socket, _testcapi
from socketlab.trace import trace
left, right = socket.socketpair()

def cached():
    for _ in range(10):
        left.send(b"x")
        right.recv(1)
    return _testcapi.type_get_version(socket.socket) != 0

if not hasattr(_testcapi, "type_get_version"):
    print("untold")
else:
    print(cached())
    for _ in range(100):
        with trace():
            left.send(b"x")
            right.recv(1)
    print(cached())
"""

MADE_IN_PYTHON = {
    *("accept", "close", "detach", "dup", "family", "get_inheritable", "makefile", "sendfile", "set_inheritable"),
    *("share", "timeout", "type"),
}


def methods_of(cls: type) -> list[str]:
    return sorted(n for n in dir(cls) if callable(getattr(cls, n)) and (not n.startswith("_") or n == "__init__"))


def functions_of(module: Any) -> list[str]:
    return sorted(name for name, value in vars(module).items() if inspect.isroutine(value) and not name.startswith("_"))


SURFACE: dict[Any, list[str]] = {
    **{cls: methods_of(cls) for cls in (socket.socket, ssl.SSLSocket, ssl.SSLContext, selectors.DefaultSelector)},
    **{module: functions_of(module) for module in (socket, select, ssl)},
}


@pytest.mark.parametrize("owner", SURFACE, ids=[owner.__name__ for owner in SURFACE])
class TestLooks:
    """What `inspect` and `help` say of each method and function."""

    def test_signature(self, owner):
        def ask() -> dict[str, Any]:
            return {name: answer(lambda n=name: str(inspect.signature(getattr(owner, n)))) for name in SURFACE[owner]}

        _, found = same(ask)
        assert any(isinstance(value, str) for value in found.values())

    def test_doc_and_names(self, owner):
        parts = ("__doc__", "__name__", "__qualname__")
        same(lambda: {n: [getattr(getattr(owner, n), part, "") for part in parts] for n in SURFACE[owner]})
        same(lambda: {name: inspect.getdoc(getattr(owner, name)) for name in SURFACE[owner]})

    def test_kind(self, owner):
        asked = callable, inspect.isroutine, inspect.isclass, inspect.iscoroutinefunction, inspect.isgeneratorfunction
        same(lambda: {name: [ask(getattr(owner, name)) for ask in asked] for name in SURFACE[owner]})

    def test_help(self, owner):
        """All but the heading, which says what kind of thing it is and where it belongs."""

        def text(name: str) -> list[str]:
            lines = pydoc.render_doc(getattr(owner, name), renderer=pydoc.plaintext).splitlines()[1:]
            return [
                re.sub(r" (method of|from|unbound) .*", "", line) if at == 1 else line for at, line in enumerate(lines)
            ]

        same(lambda: {name: text(name) for name in SURFACE[owner] if not inspect.isclass(getattr(owner, name))})


def test_help_of_the_class_says_all_that_it_said():
    """Methods move from "inherited" to "defined here", and nothing else changes."""

    def text() -> set[str]:
        lines = pydoc.render_doc(socket.socket, renderer=pydoc.plaintext).splitlines()
        return {line for line in lines if " defined here" not in line and " inherited from " not in line}

    before = {line.rstrip() for line in text()}
    with tracing():
        during = {line.rstrip() for line in text()}
    assert before - during == set()


# -- calls -------------------------------------------------------------------------------------------------------------


def ask_pair(program: Callable[[socket.socket, socket.socket], Any]) -> Callable[[], Any]:
    def ask() -> Any:
        with pair() as (left, right):
            return program(left, right)

    return ask


def ask_datagrams(program: Callable[[socket.socket, socket.socket], Any]) -> Callable[[], Any]:
    def ask() -> Any:
        with datagrams() as (left, right):
            return program(left, right)

    return ask


def into(sock: socket.socket, buffer: Any, *args: Any, **named: Any) -> tuple[int, bytes]:
    return sock.recv_into(buffer, *args, **named), bytes(buffer)


def both(*values: Any) -> tuple[Any, ...]:
    return values


RESULTS: dict[str, Callable[[socket.socket, socket.socket], Any]] = {
    "send": lambda a, b: both(a.send(b"hello"), b.recv(10)),
    "send flags": lambda a, b: both(a.send(b"hello", 0), b.recv(10, 0)),
    "sendall": lambda a, b: both(a.sendall(b"hello"), b.recv(10)),
    "send bytearray": lambda a, b: both(a.send(bytearray(b"hello")), b.recv(10)),
    "send memoryview": lambda a, b: both(a.send(memoryview(b"hello")[1:3]), b.recv(10)),
    "send array": lambda a, b: both(a.send(array.array("I", [1, 2])), len(b.recv(100))),
    "send nothing": lambda a, b: both(a.send(b""), a.sendall(b"")),
    "peek": lambda a, b: both(a.send(b"hello"), b.recv(2, socket.MSG_PEEK), b.recv(10)),
    "recv nothing": lambda a, b: both(a.send(b"x"), b.recv(0), b.recv(1)),
    "recv at the end": lambda a, b: both(a.close(), b.recv(10), b.recv(10)),
    "recv_into": lambda a, b: both(a.send(b"hello"), into(b, bytearray(8))),
    "recv_into part": lambda a, b: both(a.send(b"hello"), into(b, bytearray(8), 2)),
    "recv_into named": lambda a, b: both(a.send(b"hello"), into(b, bytearray(8), nbytes=3, flags=socket.MSG_PEEK)),
    "recv_into all named": lambda a, b: both(a.send(b"hello"), b.recv_into(buffer=bytearray(8), nbytes=3)),
    "recv_into slice": lambda a, b: both(a.send(b"hello"), into(b, memoryview(bytearray(8))[2:5])),
    "recv_into array": lambda a, b: both(a.send(b"12345678"), b.recv_into(array.array("I", [0, 0, 0]))),
    "recvfrom": lambda a, b: both(a.send(b"hello"), b.recvfrom(10)),
    "recvfrom_into": lambda a, b: both(a.send(b"hello"), b.recvfrom_into(bytearray(8), nbytes=2)),
    "timeout": lambda a, b: both(a.gettimeout(), a.settimeout(0.5), a.gettimeout(), a.getblocking(), a.timeout),
    "blocking": lambda a, b: both(a.setblocking(False), a.getblocking(), a.gettimeout()),
    "names": lambda a, b: both(a.getsockname(), a.getpeername()),
    "options": lambda a, b: both(
        a.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        a.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        a.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE, 4),
    ),
    "properties": lambda a, b: both(a.family, a.type, a.proto, repr(a.family), type(a.family)),
    "inheritable": lambda a, b: both(a.get_inheritable(), a.set_inheritable(True), a.get_inheritable()),
    "half-close": lambda a, b: both(a.shutdown(socket.SHUT_WR), b.recv(1), b.send(b"x"), a.recv(1)),
    "with": lambda a, b: both(a.__enter__() is a, a.__exit__(), a.fileno()),
    "close twice": lambda a, b: both(a.close(), a.close(), a.fileno(), a._closed),
    "detach": lambda a, b: both(type(fd := a.detach()), a.fileno(), os.close(fd)),
    "unbound": lambda a, b: both(socket.socket.send(a, b"hello"), socket.socket.recv(b, 3), _socket.socket.recv(b, 9)),
    "methodcaller": lambda a, b: both(operator.methodcaller("send", b"hello")(a), getattr(b, "recv")(9)),  # noqa: B009
    "bound before": lambda a, b: both((send := a.send), send(b"hello"), b.recv(9))[1:],
    "equality": lambda a, b: both(a == a, a == b, a.send == a.send, a.send == b.send, hash(a) == hash(a)),
    "makefile": lambda a, b: both(
        (file := a.makefile("rw", encoding="utf-8", newline="\n")), file.write("café\n"), file.flush(),
        b.recv(99), b.sendall(b"one\ntwo\n"), file.readline(), file.read(3), file.close(), type(file),
    )[1:],
    "raw makefile": lambda a, b: both(
        (file := a.makefile("rwb", 0)), file.write(b"hello"), b.recv(99), b.send(b"abc"), file.read(2), file.mode,
        file.name == a.fileno(), file.readinto(bytearray(4)), type(file), file.close(),
    )[1:],
    "select": lambda a, b: both(
        [len(x) for x in select.select([a], [a], [a], 0)], b.send(b"x"), select.select([a], [], [], 1)[0] == [a],
    ),
    "iterables": lambda a, b: both([list(map(len, select.select(iter([a]), (s for s in [a]), (), 0)))]),
}  # fmt: skip
if hasattr(socket.socket, "sendmsg"):
    RESULTS |= {
        "sendmsg": lambda a, b: both(a.sendmsg([b"he", bytearray(b"llo")]), b.recvmsg(10)),
        "sendmsg of an iterator": lambda a, b: both(a.sendmsg(part for part in (b"he", b"llo")), b.recvmsg(10, 99)),
        "sendmsg of nothing": lambda a, b: both(a.sendmsg([]), a.sendmsg([b""])),
        "recvmsg_into": lambda a, b: both(a.send(b"hello"), b.recvmsg_into([bytearray(2), bytearray(9)])),
        "recvmsg_into an iterator": lambda a, b: both(
            (parts := [bytearray(2), bytearray(2)]), a.send(b"hello"), b.recvmsg_into(iter(parts)), b.recv(9)
        ),
        "descriptors": lambda a, b: both(
            socket.send_fds(a, [b"x"], [0]), (got := socket.recv_fds(b, 9, 2))[0], len(got[1]), got[2:],
            [os.close(fd) for fd in got[1]],
        )[1:],
    }  # fmt: skip

DATAGRAMS: dict[str, Callable[[socket.socket, socket.socket], Any]] = {
    "sendto": lambda a, b: both(a.sendto(b"hello", b.getsockname()), b.recvfrom(10)[0]),
    "sendto flags": lambda a, b: both(a.sendto(b"hello", 0, b.getsockname()), b.recvfrom(10, 0)[0]),
    "address": lambda a, b: both(a.sendto(b"", b.getsockname()), b.recvfrom(10)[1] == a.getsockname()),
    "empty": lambda a, b: both(a.sendto(b"", b.getsockname()), b.recv(10)),
    "cut": lambda a, b: both(a.sendto(b"hello", b.getsockname()), b.recv(2), a.connect_ex(b.getsockname())),
    "connected": lambda a, b: both(a.connect(b.getsockname()), a.send(b"hello"), b.recv(9), a.close()),
    "into": lambda a, b: both(a.sendto(b"hello", b.getsockname()), b.recvfrom_into(bytearray(9))[0]),
}  # fmt: skip


class TestResults:
    @pytest.mark.parametrize("name", RESULTS)
    def test_of_a_stream(self, name):
        recorded, _ = same(ask_pair(RESULTS[name]))
        assert len(recorded) > 0

    @pytest.mark.parametrize("name", DATAGRAMS)
    def test_of_datagrams(self, name):
        recorded, _ = same(ask_datagrams(DATAGRAMS[name]))
        assert len(recorded) > 0

    def test_accept(self):
        def ask() -> Any:
            with listening() as listener:
                with socket.create_connection(listener.getsockname(), timeout=DEADLINE) as client:
                    conn, address = listener.accept()
                    with conn:
                        return (
                            *(type(conn), address == client.getsockname(), conn.gettimeout(), conn.get_inheritable()),
                            *(conn.family, conn.type, conn.proto, client.gettimeout()),
                        )

        same(ask)

    def test_accept_with_a_default_timeout(self):
        def ask() -> Any:
            socket.setdefaulttimeout(7.0)
            try:
                with socket.create_server(("127.0.0.1", 0)) as listener:
                    with socket.create_connection(listener.getsockname()) as client:
                        conn, _ = listener.accept()
                        with conn:
                            listener.setblocking(True)
                            return listener.gettimeout(), conn.gettimeout(), client.gettimeout(), conn.getblocking()
            finally:
                socket.setdefaulttimeout(None)

        same(ask)

    def test_connect(self):
        def ask() -> Any:
            with listening() as listener, socket.socket() as sock, socket.socket() as other:
                return sock.connect(listener.getsockname()), other.connect_ex(listener.getsockname())

        same(ask)

    def test_create_connection_named(self):
        def ask() -> Any:
            with listening() as listener:
                address = listener.getsockname()
                with socket.create_connection(address=address, timeout=3, source_address=("127.0.0.1", 0)) as sock:
                    return sock.gettimeout(), sock.getpeername() == address, type(sock)

        same(ask)

    def test_made_from_a_descriptor(self):
        def ask() -> Any:
            with pair() as (left, _), socket.socket(fileno=os.dup(left.fileno())) as again, left.dup() as dup:
                return again.family, again.type, type(dup), dup.gettimeout(), dup.get_inheritable()

        same(ask)

    @pytest.mark.skipif(not hasattr(os, "sendfile"), reason="os.sendfile is missing")
    @pytest.mark.parametrize("arguments", [{}, {"offset": 3}, {"offset": 1, "count": 4}], ids=str)
    def test_sendfile(self, arguments, tmp_path):
        path = tmp_path / "file"
        path.write_bytes(b"0123456789")

        def ask() -> Any:
            with pair() as (left, right), path.open("rb") as file:
                return left.sendfile(file, **arguments), file.tell(), right.recv(99)

        same(ask)
        same(ask_pair(lambda a, b: (a.sendfile(io.BytesIO(b"not a file")), b.recv(99))))

    def test_selectors(self):
        def ask() -> Any:
            found = []
            for kind in {selectors.DefaultSelector, selectors.SelectSelector, selectors.PollSelector}:
                with pair() as (left, right), kind() as selector:
                    key = selector.register(left, selectors.EVENT_READ, "data")
                    found.append(selector.select(timeout=0))
                    right.send(b"x")
                    found.append(selector.select(1) == [(key, selectors.EVENT_READ)])
                    found.append(selector.select(timeout=None) == [(key, selectors.EVENT_READ)])
                    found.append(selector.get_key(left) == key)
            return found

        same(ask)

    def test_a_socket_of_the_c_class(self):
        """_socket.socket is not traced, and may be given to the methods of the class that is."""

        def ask() -> Any:
            left, right = _socket.socketpair()
            try:
                return socket.socket.send(left, b"hello"), socket.socket.recv(right, 3), right.recv(9)
            finally:
                left.close()
                right.close()

        same(ask)

    def test_a_method_taken_before_the_trace(self):
        with pair() as (left, right):
            send, recv, plain = left.send, right.recv, socket.socket.recv
            with tracing():
                assert send(b"hello") == 5
                assert recv(3) + plain(right, 9) == b"hello"

    def test_a_method_taken_from_the_trace(self):
        with pair() as (left, right):
            with tracing() as t:
                send, recv, close = left.send, right.recv, socket.socket.close
                assert send(b"first") == 5
                assert recv(9) == b"first"
            count = len(t)
            assert send(b"hello") == 5
            assert recv(9) == b"hello"
            close(left)
            assert left.fileno() == -1
            assert recv(9) == b""
            assert len(t) == count

    def test_payload_is_let_go_of(self):
        """A buffer that was sent can be changed at once, and what was recorded is what it was."""
        with pair() as (left, right), tracing() as t:
            data, room = bytearray(b"hello" * 50), bytearray(300)
            left.send(data)
            data.extend(b"more")  # BufferError where somebody still looks at it
            data[:5] = b"HELLO"
            size = right.recv_into(room)
            room.clear()
            with memoryview(b"x" * 100) as view:
                left.sendall(view)
            got = right.recv(100)
        assert size == 250
        assert got == b"x" * 100
        moved = [(event.call, event.data) for event in t.events if event.direction]
        assert moved[:2] == [("send", b"hello" * 50), ("recv_into", b"hello" * 50)]


# -- errors ------------------------------------------------------------------------------------------------------------

WRONG: dict[str, Callable[[socket.socket, socket.socket], Any]] = {
    re.sub(r" at 0x[0-9a-f]+", "", f"{name}{args!r}"): (lambda a, b, name=name, args=args: getattr(a, name)(*args))
    for name, cases in {
        "accept": [(1,), (1, 2)],
        "bind": [(), ((1, 2, 3),), (("127.0.0.1", 99999999),), (("127.0.0.1", "80"),), (None,)],
        "close": [(1,)],
        "connect": [(), ("x", "y"), (5,), (("a", 1),), (("127.0.0.1",),), (("127.0.0.1", -1),)],
        "connect_ex": [(), (5,)],
        "detach": [(1,)],
        "dup": [(1,)],
        "fileno": [(1,)],
        "getpeername": [(1,)],
        "getsockname": [(1,)],
        "getsockopt": [(), (1,), (1, 2, 3, 4), ("a", "b"), (1, 2, -1), (1, 999999)],
        "gettimeout": [(1,)],
        "listen": [("x",), (1, 2), (None,), (10**20,)],
        "makefile": [("q",), ("r", 0), ("rb", 0, 1), (1,)],
        "recv": [(), ("x",), (-1,), (1, 2, 3), (1.5,), (None,), (10**20,), (1, "flags")],
        "recv_into": [(), (b"read only",), (bytearray(1), 5), (bytearray(1), -1), ("x",), (bytearray(1), "n")],
        "recvfrom": [(), (-1,), ("x",)],
        "recvfrom_into": [(), (b"x",), (bytearray(2), 5), (bytearray(2), -1)],
        "recvmsg": [(), (-1,), (1, -1), ("x",)],
        "recvmsg_into": [(), (1,), ([b"x"],), ([1],), (None,)],
        "send": [(), ("text",), (5,), (None,), (b"x", "flags"), (b"x", 0, 0), (memoryview(b"abcd")[::2],)],
        "sendall": [(), ("text",), (5,), (b"x", "flags"), (b"x", 0, 0), (memoryview(b"abcd")[::2],)],
        "sendfile": [(), ("x",), (5,), (io.StringIO("x"),), (io.BytesIO(b"x"), 0, -1), (io.BytesIO(b"x"), 0, "n")],
        "sendmsg": [(), (b"x",), ("x",), ([1],), ([b"x"], [1]), ([b"x"], [], "flags"), (None,)],
        "sendto": [(), (b"x",), (b"x", 1, 2, 3), ("x", ("127.0.0.1", 9)), (b"x", 5), (b"x", "f", ("127.0.0.1", 9))],
        "set_inheritable": [(), (1, 2)],
        "setblocking": [(), ("a", "b")],
        "setsockopt": [(), (1,), (1, 2), (1, 2, None), ("a", "b", "c"), (1, 2, 3, 4), (1, 2, None, "x")],
        "settimeout": [(), ("x",), (-1,), (float("nan"),), (1e300,), (1, 2)],
        "shutdown": [(), ("x",), (99,), (1, 2)],
        "__init__": [("x",), (1, 2, 3, 4, 5)],
    }.items()
    if hasattr(socket.socket, name)
    for args in cases
}
WRONG |= {
    "recv bufsize=1": lambda a, b: a.recv(bufsize=1),
    "recv flags=0": lambda a, b: a.recv(1, flags=0),
    "send data=b''": lambda a, b: a.send(data=b""),
    "accept x=1": lambda a, b: a.accept(x=1),
    "close x=1": lambda a, b: a.close(x=1),
    "recv_into bytes=1": lambda a, b: a.recv_into(bytearray(1), bytes=1),
    "no self": lambda a, b: socket.socket.recv(),
    "self is a number": lambda a, b: socket.socket.recv(1, 1),
    "self is a string": lambda a, b: socket.socket.send("x", b"x"),
    "self is a class": lambda a, b: socket.socket.fileno(socket.socket),
    "accept of None": lambda a, b: socket.socket.accept(None),
    "socket fileno": lambda a, b: socket.socket(fileno=-5),
    "socket fileno text": lambda a, b: socket.socket(fileno="x"),
    "socket family": lambda a, b: socket.socket(family=9999),
    "socket too many": lambda a, b: socket.socket(1, 2, 3, 4, 5),
    "socketpair": lambda a, b: socket.socketpair(1, 2, 3, 4),
    "socketpair family": lambda a, b: socket.socketpair(9999),
    "create_connection": lambda a, b: socket.create_connection(),
    "create_connection of text": lambda a, b: socket.create_connection("x"),
    "create_connection timeout": lambda a, b: socket.create_connection(("127.0.0.1", 9), timeout="x"),
    "create_server": lambda a, b: socket.create_server("x"),
    "create_server reuse": lambda a, b: socket.create_server(("127.0.0.1", 0), dualstack_ipv6=True),
    "close a descriptor": lambda a, b: socket.close(-1),
    "fromfd": lambda a, b: socket.fromfd(-1, 1, 1),
    "select": lambda a, b: select.select(),
    "select of numbers": lambda a, b: select.select(1, 2, 3),
    "select of -1": lambda a, b: select.select([-1], [], []),
    "select of text": lambda a, b: select.select(["x"], [], [], 0),
    "select timeout": lambda a, b: select.select([], [], [], "x"),
    "select negative": lambda a, b: select.select([], [], [], -1),
    "select named": lambda a, b: select.select([], [], [], timeout=1),
    "selector": lambda a, b: selectors.DefaultSelector().select("x"),
}

FAILURES: dict[str, Callable[[socket.socket, socket.socket], Any]] = {
    "would block": lambda a, b: (a.setblocking(False), a.recv(1)),
    "would block, recv_into": lambda a, b: (a.setblocking(False), a.recv_into(bytearray(1))),
    "would block, sendall": lambda a, b: (a.setblocking(False), a.sendall(bytes(1 << 22))),
    "timed out": lambda a, b: (a.settimeout(0.01), a.recv(1)),
    "timed out, sendall": lambda a, b: (a.settimeout(0.01), a.sendall(bytes(1 << 22))),
    "broken pipe": lambda a, b: (b.close(), a.send(b"x"), a.send(b"x")),
    "reset": lambda a, b: (a.send(b"unread"), b.close(), a.recv(1)),
    "closed": lambda a, b: (a.close(), a.recv(1)),
    "closed, send": lambda a, b: (a.close(), a.send(b"x")),
    "closed, accept": lambda a, b: (a.close(), a.accept()),
    "closed, getsockname": lambda a, b: (a.close(), a.getsockname()),
    "closed, setsockopt": lambda a, b: (a.close(), a.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)),
    "closed, makefile": lambda a, b: (a.close(), a.makefile("rb").read(1)),
    "detached": lambda a, b: (os.close(a.detach()), a.recv(1)),
    "closed behind": lambda a, b: (os.close(a.fileno()), a.detach(), a.recv(1)),
    "refused": lambda a, b: socket.create_connection(closed_port(), timeout=DEADLINE),
    "refused, connect_ex": lambda a, b: refused_ex(),
    "not listening": lambda a, b: unconnected(lambda s: s.accept()),
    "not connected": lambda a, b: unconnected(lambda s: s.getpeername()),
    "not connected, recv": lambda a, b: unconnected(lambda s: s.recv(1)),
    "not connected, shutdown": lambda a, b: unconnected(lambda s: s.shutdown(socket.SHUT_RDWR)),
    "address in use": lambda a, b: in_use(),
    "no such host": lambda a, b: unconnected(lambda s: s.connect(("no such host.invalid", 80))),
    "no such path": lambda a, b: unconnected(lambda s: s.connect("/no/such/path"), socket.AF_UNIX),
    "path too long": lambda a, b: unconnected(lambda s: s.bind("x" * 200), socket.AF_UNIX),
    "message too long": lambda a, b: too_long(),
    "option unknown": lambda a, b: a.getsockopt(socket.SOL_SOCKET, 9999),
    "unread datagram": lambda a, b: unconnected(lambda s: (s.setblocking(False), s.recv(1)), kind=socket.SOCK_DGRAM),
    "in an except block": lambda a, b: within_another(a),
    "from": lambda a, b: from_another(a),
}


def closed_port() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address: tuple[str, int] = listener.getsockname()
    return address


def refused_ex() -> int:
    with socket.socket() as sock:
        return sock.connect_ex(closed_port())


def unconnected(
    program: Callable[[socket.socket], Any], family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM
) -> Any:
    with socket.socket(family, kind) as sock:
        sock.settimeout(DEADLINE)
        return program(sock)


def in_use() -> None:
    with listening() as listener, socket.socket() as sock:
        sock.bind(listener.getsockname())


def too_long() -> None:
    with datagrams() as (a, b):
        a.sendto(bytes(70_000), b.getsockname())


def within_another(sock: socket.socket) -> None:
    sock.setblocking(False)
    try:
        raise KeyError("first")
    except KeyError:
        sock.recv(1)


def from_another(sock: socket.socket) -> None:
    sock.setblocking(False)
    try:
        sock.recv(1)
    except OSError as error:
        raise ValueError("second") from error


class TestErrors:
    @pytest.mark.parametrize("name", WRONG)
    def test_of_wrong_arguments(self, name):
        with forgiving():
            _, found = same(ask_pair(WRONG[name]))
        assert found is None or "type" in found or name.startswith(("set", "shutdown", "sendmsg", "listen", "recv"))

    @pytest.mark.parametrize("name", FAILURES)
    def test_of_the_kernel(self, name):
        if "AF_UNIX" in name and not hasattr(socket, "AF_UNIX"):
            pytest.skip("AF_UNIX is missing")
        with forgiving():
            same(ask_pair(FAILURES[name]))

    @pytest.mark.parametrize(
        "name", ["recv", "send", "sendall", "recv_into", "accept", "connect", "sendto", "getpeername"]
    )
    def test_one_frame_of_ours_and_hidden(self, name):
        arguments = {"recv": [1], "recv_into": [bytearray(1)], "connect": [closed_port()], "sendto": [b"x", ("x", 1)]}
        with socket.socket() as sock, tracing():
            sock.setblocking(name == "connect")
            with pytest.raises((OSError, ValueError)) as caught:
                getattr(sock, name)(*arguments.get(name, [b"x"] if name.startswith("send") else []))
        frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
        ours = [frame for frame in frames if frame.f_code.co_filename.startswith(OURS)]
        assert len(ours) == 1
        assert ours[0].f_locals.get("__tracebackhide__") is True
        theirs = [frame for frame in frames if not frame.f_code.co_filename.startswith(OURS)]
        assert len(theirs) == (2 if name == "accept" else 1)  # accept is written in Python

    def test_pickle_and_copy(self):
        with pair() as (left, _):
            for program in (pickle.dumps, copy.copy, copy.deepcopy):
                _, found = same(lambda program=program: program(left))
                assert found["type"] is TypeError
                assert "cannot pickle" in found["text"]

    def test_an_exception_is_not_kept(self):
        """What a frame holds is freed when the exception has been dealt with, without the garbage collector."""

        class Marker:
            pass

        def fails(sock: socket.socket) -> weakref.ref[Marker]:
            marker = Marker()
            try:
                sock.recv(1)
            except BlockingIOError:
                pass
            return weakref.ref(marker)

        with pair() as (left, _), tracing(), without_collector():
            left.setblocking(False)
            assert fails(left)() is None

    def test_subclass_of_int_and_bytes(self):
        """Arguments are handed on as they came, with what their own methods do."""
        calls = []

        class Size(int):
            def __index__(self) -> int:
                calls.append("index")
                return int(self)

        class Number:
            def __index__(self) -> int:
                calls.append("asked")
                return 3

        def ask() -> Any:
            calls.clear()
            with pair() as (left, right):
                left.send(b"hello")
                return right.recv(Size(1)), right.recv(Number()), list(calls)  # type: ignore[arg-type]

        same(ask)

    def test_recursion(self):
        """At the end of the stack a traced call raises RecursionError like any other; nothing is broken then."""
        done = run(RECURSION)
        assert done.stdout.split() == ["RecursionError", "b'after'", "b'after'", "True"], done.stderr


RECURSION = """
import socket
from socketlab.trace import trace
left, right = socket.socketpair()
right.setblocking(False)

def deeper():
    left.send(b"x")
    right.recv(1)
    deeper()

with trace() as t:
    try:
        deeper()
    except RecursionError as error:
        print(type(error).__name__)
    try:
        while right.recv(100):
            pass
    except BlockingIOError:
        pass
    left.send(b"after")
    print(right.recv(99))
received = [event.data for event in t.events if event.call == "recv" and event.data]
print(received[-1], "recv" not in vars(socket.socket))
"""


@contextmanager
def forgiving() -> Iterator[None]:
    """Functions of `socket` that fail half way forget the socket that they have made, with a trace or without."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@contextmanager
def without_collector() -> Iterator[None]:
    """What is freed in here is freed by its reference count."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# -- lives -------------------------------------------------------------------------------------------------------------


class TestLives:
    """Objects live exactly as long as they would without a trace."""

    def test_freed_at_once(self):
        with tracing(), without_collector():
            left, right = socket.socketpair()
            left.send(b"x")
            right.recv(1)
            makes = left.makefile("rb")
            makes.close()
            reference = weakref.ref(left)
            left.close()
            right.close()
            del left, makes
            assert reference() is None

    def test_forgotten(self):
        """A socket that nobody closes is closed when it is forgotten, with the same ResourceWarning."""

        def ask() -> Any:
            left, right = socket.socketpair()
            left.send(b"x")
            fd = left.fileno()
            with warnings.catch_warnings(record=True) as caught, without_collector():
                warnings.simplefilter("always")
                del left
                assert not is_open(fd)
            right.recv(1)
            assert right.recv(1) == b""
            right.close()
            return [(w.category, str(w.message).partition("fd=")[0]) for w in caught]

        _, found = same(ask)
        assert found == [(ResourceWarning, "unclosed <socket.socket ")]

    def test_forgotten_unseen(self):
        """One that the trace has never seen in a call."""
        with tracing(), without_collector():
            left, right = socket.socketpair()
            descriptors = left.detach(), right.detach()
            raw = [socket.socket.__new__(socket.socket) for _ in range(3)]
            references = [weakref.ref(sock) for sock in raw]
            del raw
            assert [reference() for reference in references] == [None] * 3
            for fd in descriptors:
                os.close(fd)

    def test_references(self):
        def ask() -> Any:
            with pair() as (left, right):
                counts = [sys.getrefcount(left), sys.getrefcount(right)]
                left.send(b"x")
                right.recv(1)
                right.setblocking(False)
                try:
                    right.recv(1)
                except BlockingIOError:
                    pass
                left.getsockname()
                select.select([left], [], [], 0)
                with selectors.DefaultSelector() as selector:
                    selector.register(left, selectors.EVENT_READ)
                    selector.select(0)
                after = [sys.getrefcount(left), sys.getrefcount(right)]
                return [now - then for now, then in zip(after, counts, strict=True)]

        _, found = same(ask)
        assert found == [0, 0]

    def test_weak_references(self):
        def ask() -> Any:
            called = []
            left, right = socket.socketpair()
            reference = weakref.ref(left, lambda ref: called.append("dead"))
            by_socket = weakref.WeakKeyDictionary({left: "value"})
            left.send(b"x")
            right.recv(1)
            alive = reference() is left, len(by_socket)
            left.close()
            right.close()
            with without_collector():
                del left
            return alive, called, reference() is None, len(by_socket)

        same(ask)

    def test_of_arguments(self):
        """What a call was given is let go of when it returns; but for immutable payload, which is kept."""

        class Buffer(bytearray):
            pass

        with pair() as (left, right), tracing(), without_collector():
            buffer = Buffer(b"hello")
            reference = weakref.ref(buffer)
            left.send(buffer)
            right.recv_into(buffer)
            left.sendmsg([buffer]) if hasattr(left, "sendmsg") else left.send(buffer)
            right.recv(9)
            del buffer
            assert reference() is None

    def test_closed_in_a_cycle(self):
        """A socket in a reference cycle goes when the collector comes, and its end is not mistaken for another's."""
        with tracing() as t, warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            for _ in range(50):
                left, right = socket.socketpair()
                cycle: list[Any] = [left, right]
                cycle.append(cycle)
                left.send(b"ping")
                assert right.recv(9) == b"ping"
                del left, right, cycle
                gc.collect(0)
            gc.collect()
        assert len(t.ends) == 100
        for event in t.events:
            if event.call == "recv":
                assert sum(map(len, event.pieces)) == 4

    def test_descriptors(self):
        """The trace opens none, and keeps none open."""
        if not os.path.isdir("/proc/self/fd"):
            pytest.skip("no /proc/self/fd")
        before = len(os.listdir("/proc/self/fd"))
        with tracing():
            for _ in range(20):
                with pair() as (left, right), left.dup() as dup:
                    dup.send(b"x")
                    right.recv(1)
            with pair() as (left, right):
                left.send(b"x")
                assert len(os.listdir("/proc/self/fd")) == before + 2
            assert len(os.listdir("/proc/self/fd")) == before
        assert len(os.listdir("/proc/self/fd")) == before


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


# -- subclasses --------------------------------------------------------------------------------------------------------


class Shouting(socket.socket):
    """Changes what it receives."""

    def recv(self, *args: Any) -> bytes:
        return super().recv(*args).upper()


class Canned(socket.socket):
    """Never asks the kernel."""

    def recv(self, *args: Any) -> bytes:
        return b"canned"


class Counting:
    """A mixin, before the class in the method resolution order."""

    count = 0

    def send(self, *args: Any) -> int:
        self.count += 1
        return super().send(*args)  # type: ignore[misc,no-any-return]


class Counted(Counting, socket.socket):
    pass


class Named(socket.socket):
    __slots__ = ("name",)


class OverAll(socket.socket):
    def __getattribute__(self, name: str) -> Any:
        return super().__getattribute__(name)


class TestSubclasses:
    @pytest.mark.parametrize("kind", [Shouting, Canned, Counted, Named, OverAll])
    def test_results(self, kind):
        def ask() -> Any:
            with pair(kind) as (left, right):
                found = left.send(b"hello"), right.recv(9), type(left), isinstance(left, socket.socket)
                with left.dup() as dup:
                    return (*found, type(dup), getattr(left, "count", None), len(repr(type(left))))

        recorded, _ = same(ask)
        calls = [event.call for event in recorded.events if event.call in ("send", "recv")]
        assert calls == (["send"] if kind is Canned else ["send", "recv"])

    def test_what_the_kernel_said_is_recorded(self):
        with pair(Shouting) as (left, right), tracing() as t:
            left.send(b"hello")
            assert right.recv(9) == b"HELLO"
        assert [event.data for event in t.events if event.call == "recv"] == [b"hello"]

    def test_made_while_a_trace_is_open(self):
        with tracing():

            class Late(socket.socket):
                def recv(self, *args: Any) -> bytes:
                    return super().recv(*args) + b"!"

        with pair(Late) as (left, right):
            left.send(b"hello")
            assert right.recv(9) == b"hello!"
        with tracing(), pair(Late) as (left, right):
            left.send(b"hello")
            assert right.recv(9) == b"hello!"

    def test_an_alias_taken_while_a_trace_is_open(self):
        """A class body that copies a method gets the replacement; later it works all the same, and records nothing."""
        with tracing() as t:

            class Alias(socket.socket):
                read = socket.socket.recv
                write = socket.socket.sendall

        count = len(t)
        with pair(Alias) as (left, right):
            left.write(b"hello")
            assert right.read(9) == b"hello"
        assert len(t) == count

    def test_issubclass(self):
        same(lambda: [issubclass(kind, socket.socket) for kind in (Shouting, ssl.SSLSocket, int, socket.socket)])


# -- time, signals, threads --------------------------------------------------------------------------------------------


BLOCKED = [
    *("left.recv(1)", "left.recv_into(bytearray(9))", "left.sendall(bytes(1 << 24))", "listener.accept()"),
    *("left.makefile('rb').read()", "select.select([left], [], [])"),
]


class TestWaiting:
    def test_timeouts(self):
        with pair() as (left, _), tracing() as t:
            left.settimeout(0.05)
            begin = time.monotonic()
            with pytest.raises(TimeoutError, match="timed out"):
                left.recv(1)
            assert time.monotonic() - begin >= 0.05
        (event,) = [event for event in t.events if event.call == "recv"]
        assert event.failure is not None
        assert event.duration_ns >= 50_000_000

    @posix
    def test_a_signal_is_handled_and_the_call_goes_on(self):
        """PEP 475."""

        def ask() -> Any:
            caught: list[int] = []
            with pair() as (left, right):

                def handler(number: int, frame: Any) -> None:
                    caught.append(number)
                    right.send(b"from the handler")

                before = signal.signal(signal.SIGALRM, handler)
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                try:
                    return left.recv(99), caught
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    signal.signal(signal.SIGALRM, before)

        same(ask)

    @posix
    def test_a_handler_that_raises(self):
        class Stop(Exception):
            pass

        def ask() -> Any:
            def handler(number: int, frame: Any) -> None:
                raise Stop("now")

            with pair() as (left, _):
                before = signal.signal(signal.SIGALRM, handler)
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                try:
                    left.recv(99)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    signal.signal(signal.SIGALRM, before)

        recorded, found = same(ask)
        assert found["text"] == "now"
        (event,) = [event for event in recorded.events if event.call == "recv"]
        assert event.failure is not None
        assert event.failure.kind == "Stop"

    @posix
    @pytest.mark.parametrize("call", BLOCKED)
    def test_interrupted_while_it_waits(self, call):
        """Ctrl-C in a blocked call: KeyboardInterrupt at once, the class is restored, and the trace has the call."""
        done = run(INTERRUPTED.replace("CALL", call))
        assert done.stdout.split() == ["interrupted", "restored", "KeyboardInterrupt", "1"], done.stderr

    def test_woken_by_another_thread(self):
        def ask() -> Any:
            with pair() as (left, right):
                got: list[bytes] = []
                thread = threading.Thread(target=lambda: got.append(left.recv(9)))
                thread.start()
                right.sendall(b"hello")
                thread.join(DEADLINE)
                return got, thread.is_alive()

        same(ask)

    def test_no_lock_is_held_while_a_call_waits(self):
        """Two hundred blocked calls do not keep another from getting through, nor the trace from being looked at."""
        with pair() as (left, right), tracing() as t:
            threads = [threading.Thread(target=left.recv, args=(1,)) for _ in range(200)]
            for thread in threads:
                thread.start()
            assert isinstance(len(t.events), int)
            right.sendall(bytes(200))
            for thread in threads:
                thread.join(DEADLINE)
            assert not any(thread.is_alive() for thread in threads)
        assert sum(event.call == "recv" for event in t.events) == 200


INTERRUPTED = """
import _socket, os, select, selectors, signal, socket, sys, threading, time
from socketlab.frames import frames
from socketlab.trace import trace
signal.signal(signal.SIGINT, signal.default_int_handler)
left, right = socket.socketpair()
listener = socket.create_server(("127.0.0.1", 0))
before = list(vars(socket.socket).items())
main = threading.get_ident()

def interrupt():
    # Not before the main thread stands in the system call; where nobody can tell, a while is enough.
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            where = open(f"/proc/{os.getpid()}/wchan").read()
        except OSError:
            where = ""
        frame = frames()[main]
        inside = "socketlab" in frame.f_code.co_filename or frame.f_code.co_filename.endswith("socket.py")
        if inside and where not in ("0",):
            break
        time.sleep(0.01)
    time.sleep(0.1)
    signal.pthread_kill(main, signal.SIGINT)

try:
    with trace() as t:
        threading.Thread(target=interrupt).start()
        CALL
except KeyboardInterrupt:
    print("interrupted")
print("restored" if list(vars(socket.socket).items()) == before else "changed")
failed = [e for e in t.events if e.failure is not None and e.inside is None]
print(*{e.failure.kind for e in failed}, len(failed))
"""


# -- TLS and asyncio ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server and of a client that trusts it."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    return server, client


def tls(contexts: tuple[ssl.SSLContext, ssl.SSLContext], program: Callable[[ssl.SSLSocket], Any]) -> Any:
    """Run `program` with a client of a TLS server that echoes."""
    with listening() as listener:

        def serve() -> None:
            conn, _ = listener.accept()
            with conn:
                conn.settimeout(DEADLINE)
                try:
                    with contexts[0].wrap_socket(conn, server_side=True) as secure:
                        while data := secure.recv(100):
                            secure.sendall(data.upper())
                except OSError:
                    pass  # a client that goes without reading everything resets, or not: a matter of time

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with socket.create_connection(listener.getsockname(), timeout=DEADLINE) as plain:
                with contexts[1].wrap_socket(plain, server_hostname="localhost") as secure:
                    found = program(secure)
        finally:
            thread.join(DEADLINE)
    return found


SECURE: dict[str, Callable[[ssl.SSLSocket], Any]] = {
    "recv": lambda s: both(s.send(b"hello"), s.recv(9)),
    "sendall": lambda s: both(s.sendall(b"hello"), s.recv(2), s.pending(), s.recv(9)),
    "read and write": lambda s: both(s.write(b"hello"), s.read(9), s.write(b"x"), s.read(4, bytearray(4))),
    "recv_into": lambda s: both(s.send(b"hello"), into(s, bytearray(9)), s.send(b"hello"), into(s, bytearray(9), 2)),
    "names": lambda s: both(s.version(), s.server_hostname, s.server_side, type(s), s.getpeercert()["subjectAltName"]),
    "unwrap": lambda s: both(s.send(b"x"), s.recv(1), type(s.unwrap()), s.fileno()),
    "peek": lambda s: s.recv(1, socket.MSG_PEEK),
    "sendto": lambda s: s.sendto(b"x", ("127.0.0.1", 9)),
    "recvfrom": lambda s: s.recvfrom(9),
    "sendmsg": lambda s: s.sendmsg([b"x"]),
    "dup": lambda s: s.dup(),
    "wrong argument": lambda s: s.recv("x"),
    "text": lambda s: s.send("x"),
    "makefile": lambda s: both(s.send(b"hello\n"), s.makefile("rb").readline()),
    "blocking": lambda s: both(s.setblocking(False), s.recv(1)),
    "timeout": lambda s: both(s.settimeout(0.01), s.recv(1)),
}


class TestTLS:
    @pytest.mark.parametrize("name", SECURE)
    def test_results(self, name, contexts):
        same(lambda: tls(contexts, SECURE[name]))

    def test_a_certificate_that_nobody_trusts(self, contexts):
        def ask() -> Any:
            try:
                tls((contexts[0], ssl.create_default_context()), lambda s: None)
            except ssl.SSLCertVerificationError as error:
                return type(error), error.reason, error.library, error.verify_code, error.verify_message, error.errno

        same(ask)

    def test_ssl_is_put_back(self, contexts):
        before = contents()
        with tracing():
            tls(contexts, SECURE["recv"])
        assert contents() == before


class TestAsyncio:
    @pytest.mark.parametrize("running", [False, True], ids=["asyncio.run", "in a running loop"])
    def test_streams(self, running):
        async def talk(around: Any) -> Any:
            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write((await reader.readline()).upper())
                await writer.drain()
                writer.close()

            with around as t:
                server = await asyncio.start_server(serve, "127.0.0.1", 0)
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(b"hello\n")
                found = await reader.read(), reader.at_eof()
                writer.close()
                await writer.wait_closed()
                server.close()
                await server.wait_closed()
            return found, t

        if running:
            assert asyncio.run(talk(nullcontext()))[0] == (b"HELLO\n", True)
            found, t = asyncio.run(talk(tracing()))
        else:
            with tracing() as t:
                found, _ = asyncio.run(talk(nullcontext()))
        assert found == (b"HELLO\n", True)
        moved = [(e.call, e.data) for e in t.events if e.direction and e.size and e.inside is None]
        assert moved == [("send", b"hello\n"), ("recv", b"hello\n"), ("send", b"HELLO\n"), ("recv", b"HELLO\n")]
        assert {end.kind for end in t.ends} == {"tcp"}, "the loop's own pair of sockets is not the program's"

    def test_errors(self):
        def ask() -> Any:
            return asyncio.run(asyncio.wait_for(asyncio.open_connection(*closed_port()), DEADLINE))

        found = [answer(ask)]
        with tracing():
            found.append(answer(ask))
        assert found[0]["type"] is found[1]["type"] is ConnectionRefusedError
        assert found[0]["errno"] == found[1]["errno"]

    def test_sock_calls(self):
        async def talk() -> Any:
            loop = asyncio.get_running_loop()
            left, right = socket.socketpair()
            with left, right:
                left.setblocking(False)
                right.setblocking(False)
                room = bytearray(9)
                got = asyncio.ensure_future(loop.sock_recv(right, 9))
                await asyncio.sleep(0)
                await loop.sock_sendall(left, b"hello")
                first = await got
                await loop.sock_sendall(left, b"again")
                return first, await loop.sock_recv_into(right, room), bytes(room)

        same(lambda: asyncio.run(talk()))


# -- the standard library's own tests ----------------------------------------------------------------------------------

#: In every run of the tests; SOCKETLAB_THOROUGH=1 takes all of them. The longest come first.
QUICK = (
    *("test.test_socket", "test.test_ssl", "test.test_selectors", "test.test_socketserver", "test.test_httplib"),
    *(
        stdlib_under_trace.ASYNCIO + name
        for name in ("test_sslproto", "test_sock_lowlevel", "test_streams", "test_server")
    ),
)


@pytest.fixture(scope="class")
def comparisons() -> Iterator[dict[str, Future[stdlib_under_trace.Comparison]]]:
    """All of them under way, two at a time: they wait more than they compute."""
    modules = stdlib_under_trace.EVERYTHING if THOROUGH else QUICK
    with ThreadPoolExecutor(1 if THOROUGH else 2) as pool:
        yield {
            module: pool.submit(stdlib_under_trace.compare, module, both=THOROUGH)
            for module in modules
            if stdlib_under_trace.has_tests(module)
        }
        pool.shutdown(cancel_futures=True)


class TestTheStandardLibrary:
    """What passes without a trace passes with one (stdlib_under_trace.py)."""

    @linux
    @pytest.mark.slow
    @pytest.mark.parametrize("module", stdlib_under_trace.EVERYTHING if THOROUGH else QUICK)
    def test_passes_as_without(self, module, comparisons):
        if module not in comparisons:
            # Not a failure in CI either: many a Python comes without its tests, and a learner's may.
            pytest.skip(f"{module} is missing: sudo apt install libpython3-testsuite (Debian), or a Python from source")
        found = comparisons[module].result()
        print(found)
        for name, words in found.restless.items():
            warnings.warn(f"{name} failed once under a trace, and not because of it: {words[-500:]}", stacklevel=1)
        assert found.broken == {}
        assert found.traced.changed == "", "the trace has not put everything back"
        assert found.traced.faults == "", "the trace had exceptions of its own"
        assert found.passed > 0
