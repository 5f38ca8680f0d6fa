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
    from .certificate import CertificatePanel
    from .concurrency import ConcurrencyPanel
    from .drip import DripPanel
    from .family import FamilyPanel
    from .family_card import FamilyCardPanel
    from .fast_paths import FastPathsPanel
    from .framing import FramingPanel
    from .group import GroupPanel
    from .hand_over import HandOverPanel
    from .inside_tcp import InsideTcpPanel
    from .ladder import LadderPanel
    from .link import LinkPanel
    from .lookup import LookupPanel
    from .loss import LossPanel
    from .nagle import NaglePanel
    from .options import OptionsPanel
    from .passport import PassportPanel
    from .race import RacePanel
    from .readiness import ReadinessPanel
    from .rebind import RebindPanel
    from .request import RequestPanel
    from .server import ServerPanel
    from .slow_handler import SlowHandlerPanel
    from .tcp_states import TcpStatesPanel
    from .write_buffer import WriteBufferPanel

__all__ = [
    "AddressPanel",
    "BacklogPanel",
    "BufferPanel",
    "ByteOrderPanel",
    "CertificatePanel",
    "ConcurrencyPanel",
    "DripPanel",
    "FamilyCardPanel",
    "FamilyPanel",
    "FastPathsPanel",
    "FramingPanel",
    "GroupPanel",
    "HandOverPanel",
    "InsideTcpPanel",
    "LadderPanel",
    "LinkPanel",
    "LookupPanel",
    "LossPanel",
    "NaglePanel",
    "OptionsPanel",
    "PassportPanel",
    "RacePanel",
    "ReadinessPanel",
    "RebindPanel",
    "RequestPanel",
    "ServerPanel",
    "SlowHandlerPanel",
    "TcpStatesPanel",
    "WriteBufferPanel",
]

_HOME = {
    "AddressPanel": "address",
    "BacklogPanel": "backlog",
    "BufferPanel": "buffer",
    "ByteOrderPanel": "byte_order",
    "CertificatePanel": "certificate",
    "ConcurrencyPanel": "concurrency",
    "DripPanel": "drip",
    "FamilyCardPanel": "family_card",
    "FamilyPanel": "family",
    "FastPathsPanel": "fast_paths",
    "FramingPanel": "framing",
    "GroupPanel": "group",
    "HandOverPanel": "hand_over",
    "InsideTcpPanel": "inside_tcp",
    "LadderPanel": "ladder",
    "LinkPanel": "link",
    "LookupPanel": "lookup",
    "LossPanel": "loss",
    "NaglePanel": "nagle",
    "OptionsPanel": "options",
    "PassportPanel": "passport",
    "RacePanel": "race",
    "ReadinessPanel": "readiness",
    "RebindPanel": "rebind",
    "RequestPanel": "request",
    "ServerPanel": "server",
    "SlowHandlerPanel": "slow_handler",
    "TcpStatesPanel": "tcp_states",
    "WriteBufferPanel": "write_buffer",
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
