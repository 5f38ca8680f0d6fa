"""What a server says: handlers, plain blocking functions over one connected socket. This room knows only `socket`."""

from .classic import (
    DATAGRAM_FORM,
    DatagramHandler,
    Peer,
    StreamHandler,
    chargen,
    chargen_datagram,
    daytime,
    daytime_datagram,
    discard,
    discard_datagram,
    echo,
    echo_datagram,
    reverse,
    reverse_datagram,
)
from .dns import names
from .web import http

__all__ = [
    "DATAGRAM_FORM",
    "DatagramHandler",
    "Peer",
    "StreamHandler",
    "chargen",
    "chargen_datagram",
    "daytime",
    "daytime_datagram",
    "discard",
    "discard_datagram",
    "echo",
    "echo_datagram",
    "http",
    "names",
    "reverse",
    "reverse_datagram",
]
