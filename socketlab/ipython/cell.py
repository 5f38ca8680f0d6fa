"""`%%trace`: a cell that runs as always, inside of an open trace.

An ordinary cell magic gets the text of the cell and has to run it by itself: line numbers are off, `await` does not
work, and the traceback leads through IPython. So the cell stays a cell. Before it is parsed, its first line
``%%trace --table t`` becomes a string, ``"%%trace --table t"``; lines keep their numbers. After it is parsed, what
follows that string is put into a block:

    with traced("%%trace --table t"):
        ...                                 # the cell
        sys.displayhook(last expression)    # as IPython does with it

So the picture comes after the value, and before the traceback where there is one; what was called up to the error, or
up to the interrupt, is in it.
"""

from __future__ import annotations

import ast
import re
import sys
import traceback
from types import TracebackType
from typing import Any

from .options import Wanted, wanted

_FIRST_LINE = re.compile(r"%%trace(?=\s|$)")
_ENTER = "__import__('socketlab.ipython.cell', fromlist=['traced']).traced({!r})"  # needs no name of the learner's
_SHOW = "__import__('sys').displayhook"


def mark(lines: list[str]) -> list[str]:
    """An input transformation: the first line of a traced cell becomes a string that says the same."""
    if lines and _FIRST_LINE.match(lines[0]):
        return [f"{lines[0].rstrip()!r}\n", *lines[1:]]
    return lines


class TracedCells:
    """An AST transformation: the statements of a marked cell are put into a ``with`` block."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def visit(self, module: Any) -> Any:
        """Called by IPython with each cell's `ast.Module`."""
        line = _mark_of(module)
        if line is None:
            return module
        marker, body = module.body[0], module.body[1:]
        outside = []
        while body and isinstance(body[0], ast.ImportFrom) and body[0].module == "__future__":
            outside.append(body.pop(0))  # such an import may not stand in a block
        interactivity = self._shell.ast_node_interactivity
        _show_value(body, interactivity)
        enter = ast.parse(_ENTER.format(line), mode="eval").body
        block = ast.With(items=[ast.withitem(context_expr=enter)], body=body or [ast.Pass()])
        module.body = [*outside, _at(block, marker)]
        if interactivity == "last":  # IPython would show all expressions in the last statement, and that is the block
            module.body.append(ast.copy_location(ast.Pass(), marker))
        return module


def _mark_of(module: Any) -> str | None:
    """The first line of the cell as it was written, if it was `%%trace`."""
    first = module.body[0] if isinstance(module, ast.Module) and module.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first.value.value if _FIRST_LINE.match(first.value.value) and first.lineno == 1 else None
    return None


def _show_value(body: list[ast.stmt], interactivity: str) -> None:
    """Hand the last value to sys.displayhook, where IPython would do so: its `ast_node_interactivity` says where.

    With "all" it compiles each statement in a mode in which all expressions are shown, those in blocks too.
    """
    last = body[-1] if body else None
    if interactivity == "last_expr_or_assign" and isinstance(last, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        target = last.targets[-1] if isinstance(last, ast.Assign) else last.target
        if isinstance(target, ast.Name):
            last = ast.copy_location(ast.Expr(ast.copy_location(ast.Name(target.id, ast.Load()), target)), last)
            body.append(last)
    if isinstance(last, ast.Expr) and interactivity not in ("all", "none"):
        function = ast.parse(_SHOW, mode="eval").body
        call = ast.copy_location(ast.Call(func=function, args=[last.value], keywords=[]), last.value)
        last.value = _at(call, last.value)


def _at(new: Any, place: Any) -> Any:
    """`new` with the positions of `place` in all its nodes that come from our own text, not from the cell's."""
    for node in ast.walk(new.items[0] if isinstance(new, ast.With) else new.func):
        if "lineno" in getattr(node, "_attributes", ()):
            ast.copy_location(node, place)
    return ast.fix_missing_locations(ast.copy_location(new, place))


class traced:
    """The block around a traced cell: the trace is open inside, and shown at the end, however that comes.

    Raises UsageError for a first line that is not understood, before anything of the cell has run.
    """

    def __init__(self, line: str) -> None:
        self._wanted: Wanted = wanted(line)

    def __enter__(self) -> None:
        from IPython import get_ipython

        from ..trace import trace

        self._trace = trace(self._wanted.name)
        self._shell: Any = get_ipython()
        names = self._shell.user_ns
        names["_trace"] = self._trace  # as `_` is the last value
        if self._wanted.name:
            names[self._wanted.name] = self._trace
        self._trace.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback_: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self._trace.__exit__(kind, error, traceback_)
        try:
            self._show()
        except Exception:  # never in the way of what the cell raised
            print("The trace could not be shown; it is in `_trace`:", file=sys.stderr)
            traceback.print_exc()

    def _show(self) -> None:
        from IPython.display import display as show

        from . import take_note_away

        display: Any = show
        take_note_away(self._shell)
        for view in self._wanted.views:
            # The trace itself shows its ladder, with the text beside the picture.
            display(self._trace if view == "ladder" else getattr(self._trace, view)())
