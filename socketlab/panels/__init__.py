"""Panels: controls around pure models. Each panel is one file, imported when its name is first used.

    from socketlab.panels import ServerPanel, RequestPanel

ipywidgets comes with the first panel, not with this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .address import AddressPanel
    from .backlog import BacklogPanel
    from .buffer import BufferPanel
    from .byte_order import ByteOrderPanel
    from .concurrency import ConcurrencyPanel
    from .drip import DripPanel
    from .family import FamilyPanel
    from .family_card import FamilyCardPanel
    from .framing import FramingPanel
    from .group import GroupPanel
    from .inside_tcp import InsideTcpPanel
    from .link import LinkPanel
    from .loss import LossPanel
    from .nagle import NaglePanel
    from .options import OptionsPanel
    from .passport import PassportPanel
    from .race import RacePanel
    from .readiness import ReadinessPanel
    from .rebind import RebindPanel
    from .request import RequestPanel
    from .server import ServerPanel
    from .tcp_states import TcpStatesPanel

__all__ = [
    "AddressPanel",
    "BacklogPanel",
    "BufferPanel",
    "ByteOrderPanel",
    "ConcurrencyPanel",
    "DripPanel",
    "FamilyCardPanel",
    "FamilyPanel",
    "FramingPanel",
    "GroupPanel",
    "InsideTcpPanel",
    "LinkPanel",
    "LossPanel",
    "NaglePanel",
    "OptionsPanel",
    "PassportPanel",
    "RacePanel",
    "ReadinessPanel",
    "RebindPanel",
    "RequestPanel",
    "ServerPanel",
    "TcpStatesPanel",
]

_HOME = {
    "AddressPanel": "address",
    "BacklogPanel": "backlog",
    "BufferPanel": "buffer",
    "ByteOrderPanel": "byte_order",
    "ConcurrencyPanel": "concurrency",
    "DripPanel": "drip",
    "FamilyCardPanel": "family_card",
    "FamilyPanel": "family",
    "FramingPanel": "framing",
    "GroupPanel": "group",
    "InsideTcpPanel": "inside_tcp",
    "LinkPanel": "link",
    "LossPanel": "loss",
    "NaglePanel": "nagle",
    "OptionsPanel": "options",
    "PassportPanel": "passport",
    "RacePanel": "race",
    "ReadinessPanel": "readiness",
    "RebindPanel": "rebind",
    "RequestPanel": "request",
    "ServerPanel": "server",
    "TcpStatesPanel": "tcp_states",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] not in ("ipywidgets", "traitlets", "comm"):
            raise
        raise ImportError(f"{name} needs ipywidgets: python -m pip install ipywidgets") from exc
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
