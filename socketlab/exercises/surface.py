"""What belongs to everybody in a process, and what an answer may have replaced of it.

A snapshot is taken before an answer is called; afterwards it tells the names that are not what they were, and puts
them back, so that those who look at what was seen (and, where no process could be forked, the kernel) have what they
know. It does so without calling anything that could have been replaced.
"""

from __future__ import annotations

import builtins
import os
import socket
import threading
import time
from types import ModuleType
from typing import Any

_MISSING: Any = object()


class Snapshot:
    """The public functions and classes of some modules, and all methods of some classes."""

    def __init__(self, modules: tuple[ModuleType, ...], classes: tuple[type, ...] = ()) -> None:
        self._classes = [(of, f"{of.__module__}.{of.__name__}", dict(vars(of))) for of in classes]
        self._modules = [
            (vars(of), of.__name__, {name: value for name, value in vars(of).items() if _is_of_all(name, value)})
            for of in modules
        ]

    def put_back(self) -> tuple[str, ...]:
        """Undo what has been replaced, and tell its names: ``socket.socket.recv``."""
        changed = []
        for space, owner, names in self._modules:
            for name in names:
                if space.get(name, _MISSING) is not names[name]:
                    space[name] = names[name]
                    changed += [f"{owner}.{name}"]
        for of, owner, names in self._classes:
            now = dict(vars(of))
            for name in {**names, **now}:
                if now.get(name, _MISSING) is not names.get(name, _MISSING):
                    if name in names:
                        setattr(of, name, names[name])
                    else:
                        delattr(of, name)
                    changed += [f"{owner}.{name}"]
        changed.sort()
        return tuple(changed)


def _is_of_all(name: str, value: object) -> bool:
    return callable(value) and not name.startswith("_") and name != "excepthook"  # a hook is there to be replaced


def of_sockets() -> Snapshot:
    """The module socket and its class; a trace that opens or closes changes both as well."""
    return Snapshot((socket,), (socket.socket,))


def of_all_others() -> Snapshot:
    """What answers and those who check them use most."""
    return Snapshot((builtins, os, time, threading), (threading.Thread,))
