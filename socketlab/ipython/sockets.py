"""Where each socket of a notebook was opened, without touching the class `socket.socket`.

Python raises the audit event ``socket.__new__`` with each socket object, before it is connected to anything (PEP 578).
Our hook then walks up the frames to the nearest line of a cell and remembers it, beside a weak reference. An audit hook
can never be taken back; after ``%unload_ext`` it returns at its first line. It is called for every other audit event
too (imports, files, frames asked for), and costs those some 0.1 µs each, also when idle; a socket, which takes 6 µs to
open and close, costs 2 to 4 µs more (measured, Python 3.11, two frames below the cell).

A socket is the notebook's if a line of a cell made it; if a thread made it in which neither a cell nor Jupyter is at
work, such as the one of a `socketserver`; or if a callback of an event loop did. It is Jupyter's if the nearest code
that says is a package of Jupyter's, and nobody's if an event loop made it to wake itself.
"""

from __future__ import annotations

import socket
import sys
import weakref
from types import FrameType
from typing import Any, NamedTuple

from ..trace.sight import is_not_the_program, module_of

_Socket = socket.socket  # the class itself: a learner may put something else in its place
_HELPERS = ("socketlab.servers.", "socketlab.links.", "socketlab.panels.")
_LOOPS = ("_run_once", "_run")  # asyncio.base_events and asyncio.events: what is above was called by a loop


class Origin(NamedTuple):
    """Where a socket object was made. `cell` is the number of the cell, None where no line of a cell was at work."""

    cell: int | None = None
    line: int = 0
    foreign: bool = False  #: it is Jupyter's, or an event loop's
    order: int = 0  #: counts the sockets as they are made
    helper: bool = False  #: a server, a link or a panel of socketlab made it for itself

    def __str__(self) -> str:
        return f"cell [{self.cell}], line {self.line}" if self.cell is not None else "not in a cell"


class Register:
    """The origins of the sockets that were made since `start`."""

    def __init__(self) -> None:
        self._shell: Any = None
        self._hooked = False
        self._origins: dict[int, tuple[weakref.ref[socket.socket], Origin]] = {}
        self._numbers: dict[str, int] = {}  # of code that runs without being counted
        self._made = 0
        self._last = 0  # the number of the cell that runs,
        self._request = ""  # and the request that asked for it, where there are requests
        self.counted = True  #: whether the code that runs has a number: nbval's has none

    def start(self, shell: Any) -> None:
        """From now on sockets are remembered."""
        # Its number is raised before a cell runs, and stays at 1 where runs are not counted.
        self._last = max(1, shell.execution_count - 1)
        self._shell = shell
        self._request = self._current_request()
        if not self._hooked:
            self._hooked = True
            sys.addaudithook(_hook)
        shell.events.register("pre_run_cell", self.count)

    def stop(self) -> None:
        """Forget everything; the hook is idle from now on."""
        shell, self._shell = self._shell, None
        if shell is not None and self.count in shell.events.callbacks["pre_run_cell"]:
            shell.events.unregister("pre_run_cell", self.count)
        self._origins.clear()
        self._numbers.clear()

    def count(self, info: Any) -> None:
        """Code is about to run. Where cells are not counted (nbval, store_history=False), they are counted here.

        Then a notebook that runs from top to bottom has the same numbers as where they are counted. What a cell runs
        in its turn (`%%capture`) has the number of that cell.
        """
        request, before = self._current_request(), self._request
        self._request = request
        self.counted = bool(info.store_history)
        if self.counted:
            self._last = self._shell.execution_count - 1
            return
        if not request or request != before:
            self._last += 1
        code = getattr(info, "transformed_cell", None) or info.raw_cell
        name = self._shell.compile.get_code_name(info.raw_cell, code, self._shell.execution_count)
        self._numbers[name] = self._last

    def _current_request(self) -> str:
        header = (getattr(self._shell, "parent_header", None) or {}).get("header") or {}
        return str(header.get("msg_id", ""))

    def number(self, file: str) -> int | None:
        """The number of the cell whose code has this file name; None for what is no cell."""
        if file in self._numbers:
            return self._numbers[file]
        found = getattr(getattr(self._shell, "compile", None), "_filename_map", {}).get(file)
        return found if isinstance(found, int) else None

    def place(self, frame: FrameType | None) -> Origin:
        """The nearest line of a cell from `frame` upwards, and whose code it is."""
        foreign = helper = False
        at = frame
        while at is not None:
            number = self.number(at.f_code.co_filename)
            if number is not None:
                return Origin(number, at.f_lineno or 0, foreign, helper=helper)
            name = module_of(at)
            if name.startswith("asyncio."):
                if at.f_code.co_name == "_make_self_pipe":
                    return Origin(foreign=True)
                if at.f_code.co_name in _LOOPS:
                    break
            helper = helper or name.startswith(_HELPERS)
            foreign = foreign or is_not_the_program(at)
            at = at.f_back
        return Origin(foreign=foreign, helper=helper)

    def remember(self, sock: socket.socket) -> None:
        """Note where `sock` is being made. Raises nothing."""
        key, origins = id(sock), self._origins
        self._made += 1
        origin = self.place(sys._getframe(2))._replace(order=self._made)

        def forget(_: object) -> None:
            origins.pop(key, None)

        origins[key] = weakref.ref(sock, forget), origin

    def origin(self, sock: socket.socket) -> Origin | None:
        """Where `sock` was made; None if that was before `start`."""
        found = self._origins.get(id(sock))
        return found[1] if found is not None and found[0]() is sock else None


REGISTER = Register()


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.__new__" or REGISTER._shell is None:
        return
    try:
        if issubclass(type(arguments[0]), _Socket):
            REGISTER.remember(arguments[0])
    except Exception:  # an exception of an audit hook would stop what the program does
        pass
