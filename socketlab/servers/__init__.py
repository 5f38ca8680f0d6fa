"""The other side of the conversation: loopback servers in background threads. This room knows only `handlers`."""

from .background import serving
from .datagram import DatagramServer, udp_server
from .endings import ServerError
from .stream import StreamServer, TLSServer, tcp_server, tls_server, unix_server

__all__ = [
    "DatagramServer",
    "ServerError",
    "StreamServer",
    "TLSServer",
    "serving",
    "tcp_server",
    "tls_server",
    "udp_server",
    "unix_server",
]
