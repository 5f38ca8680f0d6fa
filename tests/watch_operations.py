"""Runs inside a notebook's kernel: notes which operations of the network modules its cells execute.

An operation counts when a frame of a cell executes it. The profile function of the interpreter reports every call of a
function, in C or in Python, with the frame it comes from; a read or a setting of an attribute is no call, so the source
of each cell is compiled with a note beside it. What socketlab or the standard library call on their own does not count;
what a function defined in a cell calls does, in whichever thread it runs, and whether a trace is open or not. A method
that a cell defines for a class of the library to call (`handle`, `data_received`) counts when it is called.

Exceptions count when they arise in a cell or arrive there; a class when a cell makes an instance of it, or uses one.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import threading
from enum import Enum, EnumMeta
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

import watch_hosts

from socketlab.lookup.names import CLASSES, EXCEPTIONS, FUNCTIONS, MEMBERS

SEEN: set[str] = set()

BY_VALUE: dict[Any, list[str]] = {}
BY_CODE: dict[CodeType, str] = {}
for _name, _function in FUNCTIONS.items():
    BY_VALUE.setdefault(_function, []).append(_name)
    if hasattr(_function, "__code__"):
        BY_CODE[_function.__code__] = _name
ENUMS = {value: name for name, value in CLASSES.items() if issubclass(value, Enum)}
IO_METHODS = {value.__code__ for value in vars(CLASSES["socket.SocketIO"]).values() if hasattr(value, "__code__")}
NOTE, NOTE_CALLED, NOTE_CLASS = "__note_attribute__", "__note_called__", "__note_class__"
THREAD = threading.local()


@lru_cache(None)
def classes_of(kind: type) -> list[str]:
    return [name for name, value in CLASSES.items() if value in kind.__mro__]


@lru_cache(None)
def members_of(kind: type, short: str) -> list[str]:
    """The operations that `short` is on an object of this class: a mix-in may have it, and a base as well."""
    return [name for name, (owner, own) in MEMBERS.items() if own == short and owner in kind.__mro__]


def note_made(kind: type) -> None:
    SEEN.update(classes_of(kind))


def note_member(kind: type, short: str) -> None:
    if found := members_of(kind, short):
        SEEN.update(found, classes_of(kind))


def kind_of(thing: Any) -> type:
    return thing if isinstance(thing, type) else type(thing)


# -- calls -------------------------------------------------------------------------------------------------------------


def is_cell(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_code.co_filename.startswith(CELLS)


def watch_calls(frame: FrameType, event: str, argument: Any) -> None:
    """The profile function. For a call of C the frame is the caller's, for a call of Python it is the new one."""
    if event == "c_call":
        inside_c().append(frame)
        if is_cell(frame):
            SEEN.update(BY_VALUE.get(argument, ()) if argument.__hash__ else ())
            note_member(kind_of(argument.__self__), argument.__name__)
    elif event in ("c_return", "c_exception"):
        if inside_c():
            inside_c().pop()
    elif event == "call" and is_cell(frame):
        if (own := first_argument(frame)) is not None:
            note_call(own, frame.f_code.co_name)
    # Between the cell and this function there may be C, a buffered reader's for one: then that called it.
    elif event == "call" and is_cell(frame.f_back) and (not inside_c() or inside_c()[-1] is not frame.f_back):
        watch_function(frame)


def watch_function(frame: FrameType) -> None:
    """A call of Python from a cell."""
    code = frame.f_code
    original, own = replaced(frame), first_argument(frame)
    if original is not None:  # a trace is open
        SEEN.update(BY_VALUE.get(original, ()))
        arguments = frame.f_locals["args"]
        own, name = (arguments or [None])[0], getattr(original, "__name__", "")
    else:
        SEEN.update({BY_CODE[code]} if code in BY_CODE else ())
        name = code.co_name
    if code is EnumMeta.__call__.__code__:
        SEEN.update({ENUMS[own]} if own in ENUMS else ())
    elif code in IO_METHODS:
        SEEN.add("socket.SocketIO")
    elif own is not None:
        note_call(own, name)


def note_call(own: Any, name: str) -> None:
    if name in ("__init__", "__new__"):
        note_made(kind_of(own))
    else:
        note_member(kind_of(own), name)


def first_argument(frame: FrameType) -> Any:
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def replaced(frame: FrameType) -> Any:
    """What the method of an open trace, of which this is a frame, stands in for; None for any other frame."""
    methods = sys.modules.get("socketlab.trace.methods")
    return frame.f_locals.get("base") if methods is not None and frame.f_code in methods.CODES else None


def inside_c() -> list[FrameType]:
    """This thread's frames that wait for a function in C to return."""
    if not hasattr(THREAD, "inside_c"):
        THREAD.inside_c = []
    return THREAD.inside_c  # type: ignore[no-any-return]


# -- exceptions --------------------------------------------------------------------------------------------------------


def watch_frames(frame: FrameType, event: str, argument: Any) -> Any:
    """The trace function: exceptions that arise in a cell or arrive there, caught or not."""
    if not is_cell(frame):
        return None
    frame.f_trace_lines = False
    return watch_exceptions


def watch_exceptions(frame: FrameType, event: str, argument: Any) -> Any:
    if event == "exception":
        kind = argument[0]
        for name, value in EXCEPTIONS.items():
            # The operating system's errors come as subclasses of OSError, which socket calls `error`.
            if kind is value or (value is OSError and issubclass(kind, value)):
                SEEN.add(name)
    return watch_exceptions


# -- attributes --------------------------------------------------------------------------------------------------------


class Noting(ast.NodeTransformer):
    """`x.name` becomes a call of `note_attribute`, or of `note_called` where it is called, which return it; a setting
    gets one behind it; a class is shown to `note_class`."""

    def __init__(self) -> None:
        self.shorts = {short for _, short in MEMBERS.values()}

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Attribute) and not node.func.attr.startswith("__"):
            node.func = ast.copy_location(noting(self.visit(node.func.value), node.func.attr, NOTE_CALLED), node)
        else:
            node.func = self.visit(node.func)
        node.args = [self.visit(argument) for argument in node.args]
        node.keywords = [self.visit(keyword) for keyword in node.keywords]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load) or node.attr.startswith("__"):
            return node
        return ast.copy_location(noting(node.value, node.attr), node)

    def visit_Assign(self, node: ast.Assign) -> Any:
        return self.with_note(node, node.targets)

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        return self.with_note(node, [node.target])

    def with_note(self, node: ast.stmt, targets: list[ast.expr]) -> Any:
        self.generic_visit(node)
        notes = []
        parts = [part for target in targets for part in getattr(target, "elts", [target])]  # a, b = …
        for target in parts:
            if isinstance(target, ast.Attribute) and target.attr in self.shorts and isinstance(target.value, ast.Name):
                again = ast.Name(target.value.id, ast.Load())
                notes.append(ast.copy_location(ast.Expr(noting(again, target.attr)), node))
        return [node, *notes]

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.decorator_list.append(ast.copy_location(ast.Name(NOTE_CLASS, ast.Load()), node))
        return node

    def visit(self, node: ast.AST) -> Any:
        done = super().visit(node)
        return ast.fix_missing_locations(done) if isinstance(node, ast.Module) else done


def noting(value: ast.expr, short: str, note: str = NOTE) -> ast.Call:
    return ast.Call(ast.Name(note, ast.Load()), [value, ast.Constant(short)], [])


def note_called(thing: Any, short: str) -> Any:
    """Of a coroutine function: what it returns may be run by a task, in whose frames no cell is."""
    method = getattr(thing, short)
    if inspect.iscoroutinefunction(method):
        note_member(kind_of(thing), short)
        SEEN.update(BY_VALUE.get(method, ()))
    return method


def note_attribute(thing: Any, short: str) -> Any:
    value = getattr(thing, short)
    if isinstance(thing, EnumMeta):
        SEEN.update({ENUMS[thing]} if thing in ENUMS and isinstance(value, thing) else ())
    elif isinstance(thing, type):
        note_setting(thing, short)
    else:
        if isinstance(thing, tuple):  # a field
            note_made(type(thing))
        note_setting(type(thing), short)
    return value


def note_setting(kind: type, short: str) -> None:
    """A member that is there to be read or set, which methods are not; a class may be."""
    value = getattr(kind, short, None)
    if not callable(value) or isinstance(value, type):
        note_member(kind, short)


def note_class(made: type) -> type:
    for short in vars(made):
        note_setting(made, short)
    return made


# -- from here to there ------------------------------------------------------------------------------------------------


def start() -> None:
    """Watch this thread from now on, and every thread that starts later."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    assert shell is not None, "cells are compiled by IPython"
    setattr(builtins, NOTE, note_attribute)
    setattr(builtins, NOTE_CALLED, note_called)
    setattr(builtins, NOTE_CLASS, note_class)
    shell.ast_transformers.append(Noting())
    sys.addaudithook(watch_hosts.watch)
    threading.setprofile(watch_calls)
    threading.settrace(watch_frames)
    sys.setprofile(watch_calls)
    sys.settrace(watch_frames)


def stop() -> dict[str, list[str]]:
    for undo in (sys.settrace, sys.setprofile, threading.settrace, threading.setprofile):
        undo(None)
    return {"operations": sorted(SEEN), "hosts": sorted(watch_hosts.CONTACTED)}


def _folder_of_cells() -> str:
    try:
        from ipykernel.compiler import get_tmp_directory
    except ImportError:
        return "<cell"
    return str(get_tmp_directory())


CELLS = _folder_of_cells()
