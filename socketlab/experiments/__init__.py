"""Experiments: one effect of the network per file, measured step by step, and drawn.

    from socketlab.experiments import bytes_until_stall, draw_bytes_until_stall

    draw_bytes_until_stall(bytes_until_stall())

A function measures and returns a frozen result; its ``draw_`` function turns results into a picture, and measures
nothing. What takes more than a second shows a bar and a Stop button, which gives the result so far. Names are loaded
on first use. This room knows `trace`, `links`, `measure` and what is below them; `panels` stand on it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .running import Steps, run

__all__ = ["Steps", "run"]

# No module has the name of a function: importing it would put itself in the function's place here.
_ROOMS: dict[str, tuple[str, ...]] = {
    "running": ("Steps", "run"),
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{room}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
