"""Every constant of `socket` that names a family or belongs to one, with a sentence of what it is for.

Which names a Python has depends on the headers that it was built with; so the table holds the names of Python 3.10 to
3.13 on all systems, and is the same on each. `undescribed` compares it with `dir(socket)`: what it returns has no line.
A line whose name ends in an asterisk stands for all names that begin so. Options have theirs in `socketlab.options`.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from ...measure.tables import as_html, as_text
from ...options.texts import TEXTS
from .words import WORDS

__all__ = ["GROUPS", "Constants", "constants", "undescribed"]

GROUPS = {
    "AF_": ("AF_",),
    "PF_": ("PF_",),
    "IPPROTO_": ("IPPROTO_", "UDPLITE_"),
    "PACKET_": ("PACKET_", "ETH_P_", "ETHERTYPE_"),
    "NETLINK_": ("NETLINK_",),
    "ALG_": ("ALG_", "SOL_ALG"),
    "VM": ("VMADDR_", "VM_SOCKETS_", "SO_VM_SOCKETS_", "IOCTL_VM_SOCKETS_"),
    "CAN_": ("CAN_", "SOL_CAN_"),
    "J1939_": ("J1939_", "SCM_J1939_", "SO_J1939_"),
    "TIPC_": ("TIPC_", "SOL_TIPC"),
    "RDS_": ("RDS_", "SOL_RDS"),
    "BT": ("BTPROTO_", "BDADDR_", "HCI_", "SOL_HCI", "BT_", "L2CAP_", "RFCOMM_", "SO_L2CAP_", "SO_HCI_", "SO_RFCOMM_",
           "SO_SCO_", "SO_BTH_", "SOL_L2CAP", "SOL_RFCOMM", "SOL_SCO", "SOL_BLUETOOTH"),
    "HV": ("HV_", "HVSOCKET_"),
    "SIO_": ("SIO_", "RCVALL_"),
    "SYSPROTO_": ("SYSPROTO_",),
}  # fmt: skip
"""What belongs together, by the word to ask for it: the beginnings of the names."""


class Constants(Sequence[tuple[str, str]]):
    """Names with a sentence each, as a table that is folded in a notebook."""

    def __init__(self, rows: Sequence[tuple[str, str]]) -> None:
        self.rows = tuple(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        """By position, by slice, or the sentence of a name. Raises IndexError or KeyError."""
        return dict(self.rows)[index] if isinstance(index, str) else self.rows[index]

    def __repr__(self) -> str:
        return as_text(("name", "what it is for"), self.rows)

    def _repr_html_(self) -> str:
        first, last = self.rows[0][0], self.rows[-1][0]
        names = f"{len(self)} names, from <code>{first}</code> to <code>{last}</code>"
        if len(self) == 1:
            names = f"one name, <code>{first}</code>"
        return f"<details><summary>{names}</summary>{as_html(('name', 'what it is for'), self.rows)}</details>"


def constants(group: str) -> Constants:
    """The table of one of `GROUPS`: the names in alphabetical order. Raises LookupError for another word."""
    if group not in GROUPS:
        raise LookupError(f"no group {group!r}; there are {', '.join(GROUPS)}")
    return Constants([(name, what) for name, what in sorted(_all().items()) if name.startswith(GROUPS[group])])


def undescribed() -> list[str]:
    """The names of this Python's `socket` that belong to a group and have no line; [] is what is wanted."""
    known, starts = _all(), tuple(start for group in GROUPS.values() for start in group)
    wild = tuple(name[:-1] for name in known if name.endswith("*"))
    ours = (name for name in dir(socket) if name.startswith(starts) and isinstance(getattr(socket, name), (int, str)))
    return [name for name in ours if name not in known and not name.startswith(wild)]


def _all() -> dict[str, str]:
    """Name → sentence; those of the option table where they belong to a group."""
    starts = tuple(start for group in GROUPS.values() for start in group)
    return {**{name: text.what for name, text in TEXTS.items() if name.startswith(starts)}, **WORDS}
