"""Both ends of a TLS connection in one hand, over TCP on loopback; or what each end says where there is none.

A handshake needs both ends at the same time, so the server's runs in a thread. Every wait has an end: both sockets have
a timeout, which `wrap_socket` keeps.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme

__all__ = ["Ends", "tls_contexts", "tls_ends", "try_handshake"]

PATIENCE = 2.0  # seconds of each wait


def tls_contexts(authority: trustme.CA | None = None) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client's context and a server's that fit together: the client trusts `authority`, which vouches for localhost.

    Without `authority` one is made. Both are as `ssl.create_default_context` makes them, but for whom they trust.
    """
    import trustme

    authority = authority or trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    return client, server


@contextmanager
def tls_ends(
    client_context: ssl.SSLContext,
    server_context: ssl.SSLContext,
    name: str | None = "localhost",
    *,
    session: ssl.SSLSession | None = None,
) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """The client's socket and the server's, connected, and their handshake done; both close at the end of the block.

    `name` is the client's `server_hostname`. Each call on them waits 2 s at most. Where the handshake fails, the
    client's exception is raised, or the server's where only that end failed.
    """
    with ExitStack() as stack:
        here, done = _serve(stack, server_context)
        client = _dress(stack, client_context, here, name, session)
        client.do_handshake()
        yield client, done.result()


class Ends:
    """What came of a handshake: the exception that each end met, None where it met none.

    In TLS 1.3 the client is done before the server has looked at the client's certificate. So the client reads as well:
    `client_reads` is what that raised; None where it got a byte.
    """

    def __init__(
        self, client: Exception | None, server: Exception | None, client_reads: Exception | None = None
    ) -> None:
        self.client, self.server, self.client_reads = client, server, client_reads

    def __repr__(self) -> str:
        words = [f"client: {in_words(self.client)}", f"server: {in_words(self.server)}"]
        if self.client_reads is not None:
            words.insert(1, f"client's first recv: {in_words(self.client_reads)}")
        return f"<{'; '.join(words)}>"


def in_words(error: BaseException | None) -> str:
    """``SSLError TLSV1_ALERT_UNKNOWN_CA``: the same on every machine; ``done`` where there was no error."""
    if error is None:
        return "done"
    more = getattr(error, "verify_message", None) or getattr(error, "reason", None)
    return f"{type(error).__name__} {more}" if more else type(error).__name__


def try_handshake(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, name: str | None = "localhost"
) -> Ends:
    """Try a handshake, and let the server send a byte; what each end says. No connection is left."""
    with ExitStack() as stack:
        here, done = _serve(stack, server_context)
        said: Exception | None = None
        reads: Exception | None = None
        client: socket.socket = here
        try:
            client = _dress(stack, client_context, here, name, None)
            client.do_handshake()
        except (OSError, ValueError) as exc:
            said = exc
            client.close()  # as a program does that goes on without it
        server_said = done.exception(2 * PATIENCE)
        if said is None:
            if server_said is None:
                done.result().sendall(b"!")
            try:
                client.recv(1)
            except (OSError, ValueError) as exc:
                reads = exc
    assert server_said is None or isinstance(server_said, Exception)
    return Ends(said, server_said, reads)


def _serve(stack: ExitStack, context: ssl.SSLContext) -> tuple[socket.socket, Future[ssl.SSLSocket]]:
    """The client's end of a connection, still plain, and the server's to come, whose handshake waits for it.

    Whatever `stack` gets hereafter is closed before the server's thread is waited for.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        here = socket.create_connection(listener.getsockname(), PATIENCE)
        with ExitStack() as accepting:
            accepting.enter_context(here)
            there, peer = listener.accept()
            while peer != here.getsockname():  # another program of this machine was here first
                there.close()
                there, peer = listener.accept()
            accepting.pop_all()
    try:
        there.settimeout(PATIENCE)
        server = stack.enter_context(context.wrap_socket(there, server_side=True, do_handshake_on_connect=False))
        pool = stack.enter_context(ThreadPoolExecutor(1))
    finally:
        stack.enter_context(here)

    def shake() -> ssl.SSLSocket:
        server.do_handshake()
        return server

    return here, pool.submit(shake)


def _dress(
    stack: ExitStack, context: ssl.SSLContext, here: socket.socket, name: str | None, session: ssl.SSLSession | None
) -> ssl.SSLSocket:
    """`here` with TLS, its handshake still to do; `stack` closes it."""
    return stack.enter_context(
        context.wrap_socket(here, server_hostname=name, session=session, do_handshake_on_connect=False)
    )
