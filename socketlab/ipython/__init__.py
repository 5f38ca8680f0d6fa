"""``%load_ext socketlab``: `%%trace`, `%lab`, and notes under a cell that hangs or lacks a name. Knows all other rooms.

Loading registers magics, two transformations of cells (`cell`), hooks around each run (`hang`, `missing`) and one
audit hook (`sockets`); unloading takes all of them back. Both may be repeated. Nothing is drawn or measured before it
is used.
"""

from __future__ import annotations

from typing import Any

from .cell import TracedCells, mark
from .hang import Watch
from .magics import Lab
from .missing import note as note_on_a_missing_name
from .sockets import REGISTER

_loaded: dict[int, tuple[TracedCells, Watch]] = {}  # by id of the shell: one for a process, but in tests


def load(shell: Any) -> None:
    """What ``%load_ext socketlab`` does, for this `InteractiveShell`. Loading twice is loading once."""
    if id(shell) in _loaded:
        return
    cells, watch = TracedCells(shell), Watch(shell)
    shell.register_magics(Lab(shell, watch))
    shell.input_transformers_cleanup.append(mark)
    shell.ast_transformers.append(cells)
    watch.start()
    REGISTER.start(shell)
    shell.events.register("post_run_cell", note_on_a_missing_name)
    _loaded[id(shell)] = (cells, watch)


def take_note_away(shell: Any) -> None:
    """The running cell of `shell` is about to put something out: a note under it goes first."""
    if id(shell) in _loaded:
        _loaded[id(shell)][1].clear()


def unload(shell: Any) -> None:
    """What ``%unload_ext socketlab`` does. The audit hook stays, as Python wants it, and does nothing any more."""
    if id(shell) not in _loaded:
        return
    cells, watch = _loaded.pop(id(shell))
    REGISTER.stop()
    if note_on_a_missing_name in shell.events.callbacks["post_run_cell"]:
        shell.events.unregister("post_run_cell", note_on_a_missing_name)
    watch.stop()
    if cells in shell.ast_transformers:
        shell.ast_transformers.remove(cells)
    if mark in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(mark)
    magics = shell.magics_manager.magics
    for kind, name in (("cell", "trace"), ("line", "lab")):
        if isinstance(getattr(magics[kind].get(name), "__self__", None), Lab):
            del magics[kind][name]
