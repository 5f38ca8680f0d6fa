"""Trouble on the wire: links that delay, slice, throttle, drop and reset. This room knows `servers` and what is below.

``from socketlab import faulty_link``; ready-made ones are in `socketlab.links.presets`.
"""

from .datagram import Datagrams, DatagramStats
from .faults import DatagramFaults, StreamFaults
from .link import DatagramLink, Link, StreamLink, faulty_link
from .pair import Connection
from .presets import PRESETS, another_continent, loopback, lte, office_wifi, satellite, train_ride
from .stream import Bytes, StreamStats

__all__ = [
    "PRESETS",
    "Bytes",
    "Connection",
    "DatagramFaults",
    "DatagramLink",
    "DatagramStats",
    "Datagrams",
    "Link",
    "StreamFaults",
    "StreamLink",
    "StreamStats",
    "another_continent",
    "faulty_link",
    "loopback",
    "lte",
    "office_wifi",
    "satellite",
    "train_ride",
]
