"""Lesson 25: writers that do not wait, servers that do not end, and questions that are asked once."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Any

from mutants import mutant, unusual

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# -- send_chunks -------------------------------------------------------------------------------------------------------


@mutant("send_chunks", "no-drain")
async def writes_and_writes(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> int:
    count = 0
    for chunk in chunks:
        writer.write(chunk)
        count += len(chunk)
    return count


@mutant("send_chunks", "no-drain")
async def drains_at_the_end(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> int:
    count = await writes_and_writes(writer, chunks)
    await writer.drain()
    return count


@mutant("send_chunks", "no-drain")
async def gives_its_turn_away(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> int:
    count = 0
    for chunk in chunks:
        writer.write(chunk)
        count += len(chunk)
        await asyncio.sleep(0)
    return count


@mutant("send_chunks", "keeps-all")
async def all_lines_at_once(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> int:
    everything = list(chunks)
    writer.writelines(everything)
    await writer.drain()
    return sum(map(len, everything))


@mutant("send_chunks", "keeps-all")
async def a_list_first(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> int:
    count = 0
    for chunk in list(chunks):
        writer.write(chunk)
        await writer.drain()
        count += len(chunk)
    return count


@mutant("send_chunks", "error-swallowed")
async def nothing_happened(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> int:
    count = 0
    with contextlib.suppress(ConnectionError):
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            count += len(chunk)
    return count


@mutant("send_chunks", "closed")
async def closes_as_well(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> int:
    with contextlib.closing(writer):
        return await drains(writer, chunks)


@mutant("send_chunks", "never-awaited")
async def forgets_await(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> int:
    count = 0
    for chunk in chunks:
        writer.write(chunk)
        writer.drain()
        count += len(chunk)
    return count


@mutant("send_chunks", "not-async")
def an_ordinary_function(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> int:
    count = 0
    for chunk in chunks:
        writer.write(chunk)
        count += len(chunk)
    return count


@mutant("send_chunks", "returns-nothing")
async def counts_nothing(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> None:
    await drains(writer, chunks)


@mutant("send_chunks", "raised")
async def as_text(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> int:
    for chunk in chunks:
        writer.write(chunk.decode())  # type: ignore[arg-type]
        await writer.drain()
    return 0


async def drains(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> int:
    """Right; what some of the answers here have in common."""
    count = 0
    for chunk in chunks:
        writer.write(chunk)
        await writer.drain()
        count += len(chunk)
    return count


@unusual("send_chunks")
def returns_a_task(writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> asyncio.Task[int]:
    """An ordinary function, whose result can be awaited."""
    return asyncio.ensure_future(drains(writer, chunks))


@unusual("send_chunks")
class Sending:
    """A class whose object can be awaited."""

    def __init__(self, writer: asyncio.StreamWriter, chunks: Iterable[bytes]) -> None:
        self.writer, self.chunks = writer, chunks

    def __await__(self) -> Any:
        return drains(self.writer, self.chunks).__await__()


# -- serve -------------------------------------------------------------------------------------------------------------


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


class Work:
    """The tasks and transports of handlers; what most answers have in common."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.tasks: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks[task] = writer
        try:
            with contextlib.suppress(Exception):
                await self.handle(reader, writer)
        finally:
            writer.close()
            del self.tasks[task]

    async def end(self, grace: float | None, *, aborts: bool = True) -> None:
        if self.tasks and grace != 0:
            await asyncio.wait(set(self.tasks), timeout=grace)
        left = dict(self.tasks)
        for task, writer in left.items():
            task.cancel()
            if aborts:
                writer.transport.abort()
        await asyncio.gather(*left, return_exceptions=True)


@mutant("serve", "leaves-early")
async def only_serve_forever(listener: socket.socket, handle: Handle, grace: float) -> None:
    server = await asyncio.start_server(Work(handle).one, sock=listener)
    try:
        await for_ever()
    finally:
        server.close()


@mutant("serve", "listens-on")
async def never_closes(listener: socket.socket, handle: Handle, grace: float) -> None:
    work = Work(handle)
    server = await asyncio.start_server(work.one, sock=listener)
    try:
        await for_ever()
    finally:
        await work.end(grace)
    server.close()


@mutant("serve", "listens-on")
async def closes_last(listener: socket.socket, handle: Handle, grace: float) -> None:
    work = Work(handle)
    server = await asyncio.start_server(work.one, sock=listener)
    try:
        await for_ever()
    finally:
        await work.end(grace)
        server.close()


@mutant("serve", "cuts-off")
async def cancels_at_once(listener: socket.socket, handle: Handle, grace: float) -> None:
    work = Work(handle)
    server = await asyncio.start_server(work.one, sock=listener)
    try:
        await for_ever()
    finally:
        server.close()
        await work.end(0)


@mutant("serve", "waits-for-ever")
async def waits_for_all(listener: socket.socket, handle: Handle, grace: float) -> None:
    work = Work(handle)
    server = await asyncio.start_server(work.one, sock=listener)
    try:
        await for_ever()
    finally:
        server.close()
        await work.end(None)


@mutant("serve", "cancel-swallowed")
async def takes_it_for_an_end(listener: socket.socket, handle: Handle, grace: float) -> None:
    work = Work(handle)
    server = await asyncio.start_server(work.one, sock=listener)
    try:
        await for_ever()
    except asyncio.CancelledError:
        server.close()
        await work.end(grace)


@mutant("serve", "lingers")
async def closes_politely(listener: socket.socket, handle: Handle, grace: float) -> None:
    work = Work(handle)
    server = await asyncio.start_server(work.one, sock=listener)
    try:
        await for_ever()
    finally:
        server.close()
        await work.end(grace, aborts=False)


@mutant("serve", "conn-left-open")
async def leaves_it_to_the_handler(listener: socket.socket, handle: Handle, grace: float) -> None:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.append(writer)
        with contextlib.suppress(Exception):
            await handle(reader, writer)

    kept: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(one, sock=listener):
        await for_ever()


@mutant("serve", "one-at-a-time")
async def one_after_the_other(listener: socket.socket, handle: Handle, grace: float) -> None:
    with listener:
        while True:
            conn, _ = await asyncio.get_running_loop().sock_accept(listener)
            reader, writer = await asyncio.open_connection(sock=conn)
            with contextlib.closing(writer):
                await handle(reader, writer)


@mutant("serve", "dies-with-one")
async def gathers_with_its_clients(listener: socket.socket, handle: Handle, grace: float) -> None:
    async def one(conn: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=conn)
        with contextlib.closing(writer):
            await handle(reader, writer)

    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[Any]] = set()
    accepting = asyncio.ensure_future(loop.sock_accept(listener))
    with listener:
        while True:
            done, _ = await asyncio.wait({accepting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done & tasks:
                tasks.discard(task)
                task.result()
            if accepting in done:
                conn, _ = accepting.result()
                tasks.add(asyncio.ensure_future(one(conn)))
                accepting = asyncio.ensure_future(loop.sock_accept(listener))


@mutant("serve", "never-awaited")
async def does_not_await_the_handler(listener: socket.socket, handle: Handle, grace: float) -> None:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handle(reader, writer)
        writer.close()

    async with await asyncio.start_server(one, sock=listener):
        await for_ever()


@mutant("serve", "not-async")
def begins_and_returns(listener: socket.socket, handle: Handle, grace: float) -> None:
    asyncio.ensure_future(only_serve_forever(listener, handle, grace))  # noqa: RUF006


@unusual("serve")
async def with_accept(listener: socket.socket, handle: Handle, grace: float) -> None:
    """Without start_server: its own accept, its own tasks."""
    work, tasks = Work(handle), set()

    async def one(conn: socket.socket) -> None:
        await work.one(*await asyncio.open_connection(sock=conn))

    try:
        with listener:
            while True:
                conn, _ = await asyncio.get_running_loop().sock_accept(listener)
                tasks.add(asyncio.ensure_future(one(conn)))
    finally:
        await work.end(grace)


# -- ask ---------------------------------------------------------------------------------------------------------------


class Reply(asyncio.DatagramProtocol):
    """Right; what most answers have in common."""

    def __init__(self, number: bytes) -> None:
        self.number = number
        self.came: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, address: Any) -> None:
        if data[:2] == self.number and not self.came.done():
            self.came.set_result(data)

    def error_received(self, error: Exception) -> None:
        if not self.came.done():
            self.came.set_exception(error)


async def asked(
    address: Any, question: bytes, timeout: float, tries: int, *, kind: Any = Reply, connected: bool = True
) -> bytes:
    """Right, with the right protocol."""
    loop = asyncio.get_running_loop()
    settings = {"remote_addr": address} if connected else {"local_addr": ("127.0.0.1", 0)}
    transport, protocol = await loop.create_datagram_endpoint(lambda: kind(question[:2]), **settings)
    try:
        for _ in range(tries):
            transport.sendto(question, *([] if connected else [address]))
            with contextlib.suppress(asyncio.TimeoutError):
                return await asyncio.wait_for(asyncio.shield(protocol.came), timeout)
        raise asyncio.TimeoutError
    finally:
        transport.close()


@mutant("ask", "gives-up")
async def once(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    return await asked(address, question, timeout, 1)


@mutant("ask", "gives-up")
async def waits_longer(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    return await asked(address, question, timeout * tries, 1)


@mutant("ask", "future-used-up")
async def one_future(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Reply(question[:2]), remote_addr=address)
    try:
        for _ in range(tries):
            transport.sendto(question)
            with contextlib.suppress(asyncio.TimeoutError):
                return await asyncio.wait_for(protocol.came, timeout)
        raise asyncio.TimeoutError
    finally:
        transport.close()


@mutant("ask", "asks-too-often")
async def until_it_answers(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    return await asked(address, question, timeout, 10)


@mutant("ask", "any-answer")
async def the_first_that_comes(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    class Any_(Reply):
        def datagram_received(self, data: bytes, address: Any) -> None:
            super().datagram_received(data, address)
            if not self.came.done():
                self.came.set_result(data)

    return await asked(address, question, timeout, tries, kind=Any_)


@mutant("ask", "trusts-strangers")
async def from_anybody(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    return await asked(address, question, timeout, tries, connected=False)


@mutant("ask", "set-twice")
async def sets_it_again(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    class Again(Reply):
        def datagram_received(self, data: bytes, address: Any) -> None:
            if data[:2] == self.number:
                self.came.set_result(data)

        def error_received(self, error: Exception) -> None:
            self.came.set_exception(error)

    answer = await asked(address, question, timeout, tries, kind=Again)
    await asyncio.sleep(0)
    return answer


@mutant("ask", "refusal-ignored")
async def hears_no_error(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    class Deaf(Reply):
        def error_received(self, error: Exception) -> None:
            pass

    return await asked(address, question, timeout, tries, kind=Deaf)


@mutant("ask", "endpoint-left-open")
async def never_closes_it(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Reply(question[:2]), remote_addr=address)
    kept.append(transport)
    for _ in range(tries):
        transport.sendto(question)
        with contextlib.suppress(asyncio.TimeoutError):
            return await asyncio.wait_for(asyncio.shield(protocol.came), timeout)
    raise asyncio.TimeoutError


kept: list[asyncio.DatagramTransport] = []


@mutant("ask", "endpoint-left-open")
async def closes_unless_cancelled(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Reply(question[:2]), remote_addr=address)
    kept.append(transport)
    try:
        for _ in range(tries):
            transport.sendto(question)
            with contextlib.suppress(asyncio.TimeoutError):
                reply = await asyncio.wait_for(asyncio.shield(protocol.came), timeout)
                transport.close()
                return reply
        raise asyncio.TimeoutError
    except Exception:
        transport.close()
        raise


@mutant("ask", "never-awaited")
async def forgets_to_await(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = loop.create_datagram_endpoint(lambda: Reply(question[:2]), remote_addr=address)  # type: ignore[misc]
    transport.sendto(question)
    return await protocol.came  # type: ignore[no-any-return]


@mutant("ask", "not-async")
def an_ordinary_socket(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        sock.sendall(question)
        return b""


@unusual("ask")
async def with_the_loops_calls(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    """No protocol: a connected socket and add_reader."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(address)
        for _ in range(tries):
            sock.send(question)
            with contextlib.suppress(asyncio.TimeoutError):
                return await asyncio.wait_for(_the_right_one(loop, sock, question[:2]), timeout)
    raise asyncio.TimeoutError


async def _the_right_one(loop: asyncio.AbstractEventLoop, sock: socket.socket, number: bytes) -> bytes:
    while True:
        data = await loop.sock_recv(sock, 65_536)
        if data[:2] == number:
            return data


def decorated(function: Any) -> Any:
    @wraps(function)
    async def inner(*arguments: Any) -> Any:
        return await function(*arguments)

    return inner


@unusual("ask")
@decorated
async def behind_a_decorator(address: Any, question: bytes, timeout: float, tries: int) -> bytes:
    """A decorator around an `async def`."""
    return await asked(address, question, timeout, tries)
