"""A link's faults as a panel needs them: all those of a preset, and a word when somebody changes one."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from ...links import PRESETS, DatagramLink


def faults_of(link: Any, preset: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Every fault of `preset`, up and down, as this kind of link has them; what it does not name is not wrong."""
    faults = dict(PRESETS[preset].datagrams if isinstance(link, DatagramLink) else PRESETS[preset])
    up, down = faults.pop("up", {}), faults.pop("down", {})
    nothing = {name: value for name, (_, value) in link.up.CHECKS.items()}
    return {**nothing, **faults, **up}, {**nothing, **faults, **down}


def is_preset(link: Any, preset: str) -> bool:
    """Whether what is wrong with `link` is that preset."""
    return (link.up.as_dict(), link.down.as_dict()) == faults_of(link, preset)


def hear(link: Any, changed: Callable[[], object]) -> None:
    """Have the method `changed` called when a fault is set, by whomever and in that thread; its object may go."""
    method = weakref.WeakMethod(changed)

    def tell() -> None:
        if (bound := method()) is not None:
            bound()

    link.up.heard_by(tell)  # after the link itself: the wire has to know before the picture
    link.down.heard_by(tell)
