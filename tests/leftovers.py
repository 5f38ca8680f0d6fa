"""What a test left behind: threads, descriptors, widgets and processes that were not there before it."""

from __future__ import annotations

import functools
import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from patience import eventually


@functools.cache
def _fonts(folder: str) -> frozenset[tuple[int, int]]:
    return frozenset((status.st_dev, status.st_ino) for status in (path.stat() for path in Path(folder).rglob("*.ttf")))


def descriptors() -> set[tuple[int, int, int]]:
    """Each open descriptor with the device and inode that it stands for: a number may be given out a second time.

    The font files that matplotlib keeps open from its first picture on are left out. Empty where there is no /dev/fd.
    """
    found = set()
    for name in os.listdir("/dev/fd") if os.path.isdir("/dev/fd") else ():
        try:
            status = os.fstat(int(name))
        except OSError:  # the one that listdir itself had open
            continue
        found.add((int(name), status.st_dev, status.st_ino))
    if "matplotlib" in sys.modules:
        fonts = _fonts(sys.modules["matplotlib"].get_data_path())
        found = {one for one in found if one[1:] not in fonts}
    return found


def widgets() -> set[str]:
    """The identifiers of the widgets that are open; none while nobody has imported ipywidgets."""
    module = sys.modules.get("ipywidgets.widgets.widget")
    return set(module._instances) if module else set()


def processes() -> set[psutil.Process]:
    """The children of this process."""
    return set(psutil.Process().children())


def walk(widget: Any) -> Iterator[Any]:
    """A widget and all that are inside it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def _names(found: set[tuple[int, int, int]]) -> list[str]:
    """What the descriptors are, as far as the system says: `7 socket:[4711]`."""
    names = []
    for fd, *_ in sorted(found):
        try:
            names.append(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
        except OSError:
            names.append(str(fd))
    return names


@contextmanager
def nothing_left(seconds: float = 0.0, *, collect: bool = False) -> Iterator[None]:
    """What comes to be inside the block is gone at its end: threads and descriptors within `seconds`, widgets at once.

    With `collect`, what only the garbage collector can free counts as gone.
    """
    gc.collect()  # what is garbage by now must not go while something else stays in its place
    before = set(threading.enumerate()), descriptors(), widgets()
    yield
    if collect:
        gc.collect()
    gone = eventually(lambda: set(threading.enumerate()) <= before[0] and descriptors() <= before[1], seconds)
    assert gone, f"left: {set(threading.enumerate()) - before[0]}, descriptors {_names(descriptors() - before[1])}"
    assert widgets() <= before[2], f"{len(widgets() - before[2])} widgets are left open"
