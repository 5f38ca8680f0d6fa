"""Measure conversations over sockets, and draw what was measured.

    from socketlab.measure import measure, round_trips, distribution

    timing = round_trips(server.address, payload=1024)
    distribution(timing, title="Half of the round trips take …")

Measuring never draws and drawing never measures: `timing` and `traffic` return plain frozen values, `plots` takes
them. Names are loaded on first use, so that `import socketlab.measure` costs next to nothing and matplotlib comes
with the first picture.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .affinity import one_cpu
    from .descriptors import Life, follow_descriptors
    from .octets import byte_grid
    from .outcomes import outcome, peak_memory
    from .plots import Picture, distribution, figure, lanes
    from .socket_rows import SocketRow
    from .socket_table import Sockets, netstat
    from .spans import Span, Stopwatch
    from .tcp_fields import TcpInfo, tcp_info
    from .timing import Timing, bytes_text, measure, seconds_text
    from .traffic import PeerError, Rate, connect_rate, round_trips, throughput

__all__ = [
    "Life",
    "PeerError",
    "Picture",
    "Rate",
    "SocketRow",
    "Sockets",
    "Span",
    "Stopwatch",
    "TcpInfo",
    "Timing",
    "byte_grid",
    "bytes_text",
    "connect_rate",
    "distribution",
    "figure",
    "follow_descriptors",
    "lanes",
    "measure",
    "netstat",
    "one_cpu",
    "outcome",
    "peak_memory",
    "round_trips",
    "seconds_text",
    "tcp_info",
    "throughput",
]

# No module has the name of a function: importing it would put itself in the function's place here.
_ROOMS = {
    "affinity": ("one_cpu",),
    "descriptors": ("Life", "follow_descriptors"),
    "octets": ("byte_grid",),
    "outcomes": ("outcome", "peak_memory"),
    "plots": ("Picture", "distribution", "figure", "lanes"),
    "socket_rows": ("SocketRow",),
    "socket_table": ("Sockets", "netstat"),
    "spans": ("Span", "Stopwatch"),
    "tcp_fields": ("TcpInfo", "tcp_info"),
    "timing": ("Timing", "bytes_text", "measure", "seconds_text"),
    "traffic": ("PeerError", "Rate", "connect_rate", "round_trips", "throughput"),
}


def __getattr__(name: str) -> object:
    for room, names in _ROOMS.items():
        if name in names:
            from importlib import import_module

            value: object = getattr(import_module(f"{__name__}.{room}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
