"""Sockets of this process that the notebook's author did not make: Jupyter's, and those by which event loops wake up.

Nothing marks them, so each kind is known by what it is, not by what it lacks: a socket that no Python object holds may
also be one that the author has detached or lost, and that is worth seeing.

* ZeroMQ opens Jupyter's sockets in C++. Their ports, or Unix paths, are those that the kernel announced in its
  connection file: five, and every connection that the Jupyter server, or the kernel itself, makes to them. A sixth
  is for the output of forked processes (``ipykernel.iostream.IOPubThread``).
* An asyncio event loop has a pair of connected sockets, its self-pipe: a byte in it wakes the loop. The loops are
  found among all objects. Jupyter runs several of them, in several threads.
"""

import gc
import sys
from contextlib import suppress
from typing import Any

_CHANNELS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


def jupyter_places() -> tuple[frozenset[int], frozenset[str]]:
    """TCP ports and Unix paths of the Jupyter kernel that this process is; empty outside of one."""
    module: Any = sys.modules.get("ipykernel.kernelapp")
    if module is None or not module.IPKernelApp.initialized():
        return frozenset(), frozenset()
    app = module.IPKernelApp.instance()
    ports = {getattr(app, channel, 0) for channel in _CHANNELS}
    pipe = getattr(getattr(app, "iopub_thread", None), "_pipe_port", 0)
    if getattr(app, "transport", "tcp") == "ipc":
        return frozenset({pipe} - {0}), frozenset(f"{app.ip}-{port}" for port in ports)
    return frozenset({*ports, pipe} - {0}), frozenset()


def self_pipes() -> frozenset[int]:
    """The descriptors of the self-pipes of all asyncio event loops of this process, in whatever thread they run."""
    module: Any = sys.modules.get("asyncio.selector_events")
    if module is None:
        return frozenset()
    kinds = set(_with_subclasses(module.BaseSelectorEventLoop))
    found = set()
    for thing in gc.get_objects():  # isinstance() would run code of proxies that pretend to be something else
        if type(thing) in kinds:
            for end in (getattr(thing, "_ssock", None), getattr(thing, "_csock", None)):
                with suppress(AttributeError, OSError):
                    found.add(end.fileno())  # type: ignore[union-attr]
    return frozenset(found - {-1})


def _with_subclasses(kind: type) -> list[type]:
    children: list[type] = kind.__subclasses__()
    return [kind, *(lower for child in children for lower in _with_subclasses(child))]
