"""Servers for connections, over TCP, Unix sockets and TLS: listening when the call returns, gone after close()."""

from __future__ import annotations

import os
import socket
from functools import wraps
from typing import TYPE_CHECKING, Any

from ..handlers import DATAGRAM_FORM, StreamHandler
from ..interrupts import Uninterrupted
from .crew import Crew, PeerVanished
from .endings import check_plain, name_of
from .life import Server
from .loopback import explain_bind, internet_address, unix_path

if TYPE_CHECKING:
    import ssl

    import trustme

# Linux caps what listen() is asked for at net.core.somaxconn, 4096 since Linux 5.4 (listen(2)); asking for as much
# lets 2,000 clients knock in one burst without one of them waiting a second for its SYN to be sent again.
BACKLOG = 4096


class StreamServer(Server):
    """A `Server` for connections; made by `tcp_server`, `unix_server` and `tls_server`."""

    def __init__(self, kind: str, listener: socket.socket, crew: Crew) -> None:
        self._crew = crew
        super().__init__(kind, listener, crew)

    @property
    def connections(self) -> tuple[socket.socket, ...]:
        """The server's side of each connection that is being served now, in the order of acceptance."""
        return self._crew.live


class TLSServer(StreamServer):
    """A `StreamServer` whose connections are encrypted, with what a client needs to trust it."""

    client_context: ssl.SSLContext  #: trusts this server's throw-away authority, and nothing else
    authority: trustme.CA  #: issues further certificates, for clients or for other servers


def tcp_server(
    handler: StreamHandler,
    host: str | None = None,
    port: int = 0,
    *,
    family: int | None = None,
    backlog: int = BACKLOG,
) -> StreamServer:
    """Start a TCP server on loopback; it is listening when this returns.

    `handler` is called with each connected socket in a thread of its own and returns when it is done. `host` is
    127.0.0.1, ::1 or localhost; `port` 0 lets the kernel choose; `family` may be given instead of a host. `backlog`
    is what `listen` is asked for (connections that may wait to be accepted).

    Raises TypeError for a handler that cannot be called, ValueError for a host that is not loopback or a family that
    does not fit it, OSError with the kernel's errno for a port that is taken or an address this machine lacks.
    """
    _check(handler)
    settled, host, port = internet_address(host, port, family)
    listener = _listen(settled, (host, port), backlog)
    return StreamServer("tcp_server", listener, Crew(listener, handler))


def unix_server(
    handler: StreamHandler,
    path: str | bytes | os.PathLike[str] | None = None,
    *,
    type: int = socket.SOCK_STREAM,
    backlog: int = BACKLOG,
) -> StreamServer:
    """Start a server on a Unix socket; like `tcp_server`, but `address` is a path, unlinked by `close`.

    Without `path` it lies in a new temporary directory. `type` is SOCK_STREAM or SOCK_SEQPACKET. Raises ValueError
    for a path that is too long for the kernel, OSError (EADDRINUSE) for one that exists, NotImplementedError where
    the platform has no Unix sockets (Windows).
    """
    _check(handler)
    if not hasattr(socket, "AF_UNIX"):
        raise NotImplementedError("this platform has no Unix sockets; use tcp_server(handler)")
    if type not in (socket.SOCK_STREAM, getattr(socket, "SOCK_SEQPACKET", None)):
        raise ValueError(f"type must be SOCK_STREAM or SOCK_SEQPACKET, which have connections, not {type!r}")
    directory = listener = None

    def clean_up() -> None:
        if listener is not None and name[:1] not in ("\0", b"\0"):
            _ignoring(os.unlink, place)
        if directory is not None:
            _ignoring(os.rmdir, directory)

    try:
        # An interrupt in mkdtemp can leave tempfile's own lock taken, for ever; and whatever is made is known.
        with Uninterrupted():
            if path is None:
                import tempfile

                directory = tempfile.mkdtemp(prefix="socketlab-")
                path = os.path.join(directory, "socket")
            name = unix_path(path)
            place = os.path.abspath(name)  # the working directory may be another one when the server ends
            listener = _listen(socket.AF_UNIX, name, backlog, type)
        return StreamServer("unix_server", listener, Crew(listener, handler, clean_up=clean_up))
    except BaseException:
        clean_up()
        raise


def tls_server(
    handler: StreamHandler,
    host: str | None = None,
    port: int = 0,
    *,
    names: tuple[str, ...] = ("localhost", "127.0.0.1", "::1", "www.codedamn.com"),
    family: int | None = None,
    backlog: int = BACKLOG,
) -> TLSServer:
    """Start a TLS server on loopback with a certificate for `names`, issued by an authority made for this one server.

    Clients use ``server.client_context.wrap_socket(sock, server_hostname="localhost")``. The handler gets a
    connected `ssl.SSLSocket` whose handshake is done. A handshake that fails is recorded in `errors`: the client
    knows why it refused. Raises what `tcp_server` raises, ValueError where `names` is empty.
    """
    import ssl

    import trustme

    _check(handler)
    if isinstance(names, str) or not names:
        raise ValueError(f"names must be a tuple of one or more host names, not {names!r}")
    settled, host, port = internet_address(host, port, family)

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    # The end of a connection without close_notify, which is how close() makes handlers hear b"", is an end and not
    # worth an alert to the client (OpenSSL 3 sends decode_error otherwise).
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client_context)

    @wraps(handler)
    def encrypted(conn: socket.socket) -> None:
        assert isinstance(conn, ssl.SSLSocket)
        try:
            conn.do_handshake()
        except OSError as exc:  # ssl.SSLError is one; so is ENOTCONN, for a client that left before it began
            raise PeerVanished from exc
        try:
            handler(conn)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as exc:
            raise PeerVanished from exc
        _say_goodbye(conn)

    encrypted.__name__ = name_of(handler)  # which an object that can be called does not bring along

    def dress(conn: socket.socket) -> socket.socket:
        return context.wrap_socket(conn, server_side=True, do_handshake_on_connect=False)

    listener = _listen(settled, (host, port), backlog)
    crew = Crew(listener, encrypted, dress=dress)
    server = TLSServer("tls_server", listener, crew)
    server.client_context = client_context
    server.authority = authority
    return server


def _say_goodbye(conn: ssl.SSLSocket) -> None:
    """Send close_notify, without which the client sees a truncation, and do not wait for its own (RFC 8446, 6.1)."""
    try:
        conn.settimeout(0)
        conn.unwrap()
    except (OSError, ValueError):  # it would have waited; or the client has gone; or the handler closed it
        pass


def _check(handler: object) -> None:
    """Refuse what is no stream handler."""
    if not callable(handler):
        raise TypeError(
            f"handler must be a function of one connected socket, such as socketlab.handlers.echo, "
            f"not {type(handler).__name__} {handler!r}"
        )
    check_plain(handler)
    if handler in DATAGRAM_FORM.values():
        raise TypeError(f"{name_of(handler)} answers single datagrams: it belongs to udp_server, not to a stream")


def _listen(family: int, address: Any, backlog: int, type: int = socket.SOCK_STREAM) -> socket.socket:
    listener = socket.socket(family, type)
    try:
        if family != getattr(socket, "AF_UNIX", None) and os.name == "posix":
            # Lets a server come back to its port while connections of the one before are in TIME_WAIT (tcp(7)); on
            # Windows the same option would let two servers share the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.settimeout(None)  # whatever socket.setdefaulttimeout() says
        try:
            listener.bind(address)
        except OSError as exc:
            raise explain_bind(exc, address) from None
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def _ignoring(remove: Any, path: Any) -> None:
    try:
        remove(path)
    except OSError:  # gone already; or the directory holds something that is not ours
        pass
