"""Which room of socketlab may know which: imports go down only, those within functions and for types as well."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

import socketlab

ROOT = Path(socketlab.__file__).parent

#: Rooms of one line do not know each other; each may know all those above it.
ORDER = (
    ("frames", "interrupts", "live_widgets", "lookup", "handlers"),
    ("probe", "servers"),
    ("links",),
    ("measure",),
    ("trace",),
    ("options",),
    ("experiments",),
    ("exercises",),
    ("grading",),
    ("panels", "ipython", "__main__"),
)
HEIGHT = {room: n for n, rooms in enumerate(ORDER) for room in rooms}
FILES = sorted(file for file in ROOT.rglob("*.py") if file != ROOT / "__init__.py")  # that one is the front door


def room_of(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line, and the full name of what is imported there, in a module of `package`; wherever in the module it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *(node.module or "").split("."))).rstrip(".")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("import_module", "__import__")
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            yield node.lineno, node.args[0].value


def parsed(source: str) -> ast.Module:
    """The syntax tree, made without a garbage collection in between.

    One of them may let another thread run, and if that parses, too, CPython 3.11 miscounts, and raises SystemError
    (https://github.com/python/cpython/issues/106905).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if was_on:
            gc.enable()


def rooms_known(file: Path, source: str | None = None) -> Iterator[tuple[int, str]]:
    """Line and room, for each room of socketlab that `file` imports; "" is the front door, where all rooms are."""
    tree = parsed(file.read_text(encoding="utf-8") if source is None else source)
    package = ("socketlab", *file.relative_to(ROOT).parts[:-1])
    for line, name in imported(tree, package):
        parts = name.split(".")
        if parts[0] == "socketlab":
            yield line, parts[1] if len(parts) > 1 and parts[1] in HEIGHT else ""


def wrong(file: Path, source: str | None = None) -> list[str]:
    """The imports of `file` that do not go down."""
    mine = room_of(file)
    return [
        f"{file.relative_to(ROOT)}:{line} imports {room or 'socketlab itself'}"
        for line, room in rooms_known(file, source)
        if room != mine and (not room or HEIGHT[room] >= HEIGHT[mine])
    ]


def test_each_room_has_its_place():
    assert {room_of(file) for file in FILES} == set(HEIGHT)


@pytest.mark.parametrize("room", HEIGHT)
def test_imports_go_down_only(room):
    files = [file for file in FILES if room_of(file) == room]
    assert files
    assert [line for file in files for line in wrong(file)] == []


@pytest.mark.parametrize(
    "source",
    [
        "from ..panels import LinkPanel",
        "from ..panels.base import Panel",
        "from .. import panels",
        "from socketlab.panels import LinkPanel",
        "from socketlab import LinkPanel",
        "import socketlab.panels.link",
        "if TYPE_CHECKING:\n    from ..panels import LinkPanel",
        "def late():\n    from ..panels import LinkPanel",
        "importlib.import_module('socketlab.panels')",
        "from ..measure import Timing",
    ],
)
def test_an_import_that_goes_up_is_found(source):
    assert len(wrong(ROOT / "links" / "link.py", source)) == 1


@pytest.mark.parametrize("source", ["from ..servers import tcp_server", "from .faults import Faults", "import socket"])
def test_one_that_goes_down_is_fine(source):
    assert wrong(ROOT / "links" / "link.py", source) == []
