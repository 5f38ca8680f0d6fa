"""socketlab: the other side of the conversation, trouble on the wire, and eyes, for people who learn sockets.

You write Python's own `socket` calls; nothing here stands between them and the kernel. Names are imported when they
are first used, so that ``import socketlab`` costs little and loads neither matplotlib nor ipywidgets. `measure` and
`probe` are rooms with a function of the same name: ``from socketlab.measure import measure``. `trace` is one as well,
and can be called itself: ``with socketlab.trace() as t``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .servers import ServerError, tcp_server, tls_server, udp_server, unix_server

if TYPE_CHECKING:
    from . import trace
    from .links import faulty_link
    from .measure import Timing, connect_rate, netstat, one_cpu, round_trips, tcp_info, throughput
    from .panels import RequestPanel, ServerPanel, TcpStatesPanel

__version__ = "0.1.0"

__all__ = [
    "RequestPanel",
    "ServerError",
    "ServerPanel",
    "TcpStatesPanel",
    "Timing",
    "connect_rate",
    "faulty_link",
    "netstat",
    "one_cpu",
    "round_trips",
    "tcp_info",
    "tcp_server",
    "throughput",
    "tls_server",
    "trace",
    "udp_server",
    "unix_server",
]

_HOME = {
    "Timing": "measure",
    "connect_rate": "measure",
    "faulty_link": "links",
    "netstat": "measure",
    "one_cpu": "measure",
    "round_trips": "measure",
    "tcp_info": "measure",
    "throughput": "measure",
    "RequestPanel": "panels",
    "ServerPanel": "panels",
    "TcpStatesPanel": "panels",
}


def __getattr__(name: str) -> Any:
    if name == "trace":
        return import_module(f"{__name__}.trace")
    if name not in _HOME:
        raise AttributeError(f"module 'socketlab' has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """Called by ``%load_ext socketlab``."""
    from .ipython import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Called by ``%unload_ext socketlab``."""
    from .ipython import unload

    unload(shell)
