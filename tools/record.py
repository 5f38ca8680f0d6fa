"""Execute notebooks and store them clean; refuse one whose second execution shows something else.

    python tools/record.py [--check] [--pictures] [notebook …]        (the whole course unless named)

The rules:
- First execution: by nbclient in a fresh kernel, as JupyterLab would do it. It gives the outputs to store.
- Second execution: by nbval itself, in another fresh kernel, as CI will do it. What nbval would reject is
  refused here, with a diff, and nothing is written.
- An error is refused unless its cell is tagged `raises-exception`; so is that tag on a cell that raises nothing.
- A cell that prints what it printed before keeps its stored outputs, pictures included, as long as neither it nor a
  cell above it was edited (notebooks.keep_unchanged says why). `--pictures` takes all pictures anew.
- The recap of each lesson is generated, the line of links at its end, and the table of contents in index.ipynb.
"""

from __future__ import annotations

import argparse
import copy
import difflib
import os
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `python tools/record.py` puts only tools/ there

from nbformat import NotebookNode

from tools import notebooks
from tools.generated import set_generated
from tools.kernels import CELL_TIMEOUT, settle_environment
from tools.notebooks import Refused, code_cells, describe, shown

MOST_SHOWN = 10  # cells in one refusal: after a cell that fails, those that build on it fail too


def execute(path: Path, notebook: NotebookNode) -> None:
    """Run every code cell of `notebook` in a fresh kernel of this Python and fill in the outputs.

    Raises Refused for an error that its cell does not announce, for an announced error that did not come, for an
    empty cell, for one that takes longer than CELL_TIMEOUT, and for a kernel that dies.
    """
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager

    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
        if not cell.source.strip():
            above = notebooks.heading_above(notebook, cell)
            raise Refused(f"{shown(path)}: an empty code cell under “{above}”: remove it")
    started: list[NotebookNode] = []

    def stop_at_error(cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
        if not notebooks.is_announced_error(cell):
            traceback = notebooks.ANSI.sub("", "\n".join(execute_reply["content"].get("traceback", ())))
            raise Refused(
                f"{describe(path, notebook, cell)}raised an error that it does not announce:\n{traceback}\n"
                "Mend it, or tag the cell raises-exception where the error is the lesson."
            )

    client = NotebookClient(
        notebook,
        km=AsyncKernelManager(kernel_name=CURRENT_ENV_KERNEL_NAME, kernel_spec_manager=NbvalKernelspecManager()),
        timeout=CELL_TIMEOUT,
        allow_errors=True,  # stop_at_error decides
        coalesce_streams=True,
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=lambda cell, cell_index: started.append(cell),
        on_cell_error=stop_at_error,
    )
    try:
        client.execute(cleanup_kc=True, stderr=subprocess.DEVNULL)  # as nbval does: the kernel's own warnings
    except CellTimeoutError:
        late = describe(path, notebook, started[-1])
        raise Refused(f"{late}was still running after {CELL_TIMEOUT} s, all that nbval gives a cell.") from None
    except DeadKernelError:
        raise Refused(f"{describe(path, notebook, started[-1])}ended the kernel.") from None
    for cell in code_cells(notebook):
        if notebooks.is_announced_error(cell) and not any(o.output_type == "error" for o in cell.outputs):
            raise Refused(f"{describe(path, notebook, cell)}is tagged raises-exception and raised nothing.")


@dataclass(frozen=True)
class Difference:
    """One cell that nbval rejects: what it said, and the outputs that were stored and that came."""

    cell: NotebookNode
    message: str
    stored: list[NotebookNode]
    came: list[NotebookNode]


class Watcher:
    """A pytest plugin that keeps nbval's failures."""

    def __init__(self) -> None:
        self.differences: list[Difference] = []
        self.cells = 0

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        self.cells += call.when == "call"
        if call.excinfo is not None:
            message = str(call.excinfo.value) + (getattr(call.excinfo.value, "inner_traceback", None) or "")
            self.differences.append(
                Difference(item.cell, message, list(item.cell.outputs), list(item.test_outputs or []))
            )


def validate(path: Path, text: str) -> list[Difference]:
    """What nbval would say of `text` as the file at `path`; the kernel works in `path`'s folder.

    Raises Refused where nbval itself breaks down.
    """
    import pytest
    from nbval.kernel import RunningKernel

    class KernelInFolder(RunningKernel):  # type: ignore[misc]
        def __init__(self, kernel_name: str, cwd: str | None = None, **settings: Any) -> None:
            super().__init__(kernel_name, cwd=str(path.parent), **settings)

    watcher, console = Watcher(), StringIO()
    # The candidate lies in a folder of its own: beside the notebooks, a concurrent pytest would collect it.
    with tempfile.TemporaryDirectory(prefix="socketlab-record-") as folder:
        candidate = Path(folder) / path.name
        candidate.write_text(text, encoding="utf-8")
        options = f"-c {os.devnull} --rootdir {folder} --noconftest -p no:cacheprovider -p nbval.plugin --color=no"
        nbval = f"--nbval --nbval-current-env --nbval-cell-timeout={CELL_TIMEOUT}"
        with (
            mock.patch("nbval.plugin.RunningKernel", KernelInFolder),
            mock.patch.dict(os.environ, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", PYTEST_ADDOPTS=""),
            redirect_stdout(console),
            redirect_stderr(console),
        ):
            status = pytest.main([*options.split(), *nbval.split(), str(candidate)], plugins=[watcher])
    if status == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise Refused(f"{shown(path)}: nbval could not run it:\n{console.getvalue()}")
    return watcher.differences


def as_lines(outputs: list[NotebookNode]) -> list[str]:
    """What nbval compares of `outputs`, as the lines of a diff."""
    lines = []
    for key, values in sorted(notebooks.compared(outputs).items()):
        for value in values:
            text = value if isinstance(value, str) else repr(value)
            lines += [f"[{key}]", *notebooks.ANSI.sub("", text).splitlines()]
    return lines


def explain(path: Path, notebook: NotebookNode, differences: list[Difference], old: str, new: str) -> str:
    """The first few cells that differ, each with the diff of what nbval compares."""
    parts = []
    for difference in differences[:MOST_SHOWN]:
        before, after = as_lines(difference.stored), as_lines(difference.came)
        diff = "\n".join(difflib.unified_diff(before, after, old, new, lineterm="", n=2))
        where = describe(path, notebook, difference.cell)
        parts.append(f"{where}shows something else:\n{diff or notebooks.ANSI.sub('', difference.message)}\n")
    if len(differences) > MOST_SHOWN:
        parts.append(f"… and {len(differences) - MOST_SHOWN} cells more")
    return "\n".join(parts)


def record(path: Path, *, pictures: bool = False) -> bool:
    """Execute, clean, validate and store the notebook at `path`; True if the file changed. Raises Refused."""
    stored = notebooks.read(path)
    notebook = copy.deepcopy(stored)
    execute(path, notebook)
    set_generated(path, notebook)
    notebooks.clean(notebook)
    notebooks.clean(stored)
    if not pictures:
        notebooks.keep_unchanged(notebook, stored)
    text = notebooks.dump(notebook)
    if differences := validate(path, text):
        raise Refused(explain(path, notebook, differences, "first execution", "second execution"))
    return notebooks.replace_file(path, text)


def check(path: Path) -> None:
    """Raise Refused unless the stored notebook is clean, and executing it shows what is stored."""
    notebook = notebooks.read(path)
    if not_run := [cell for cell in code_cells(notebook) if cell.execution_count is None]:
        raise Refused(f"{describe(path, notebook, not_run[0])}is stored without having been executed: make record")
    text = path.read_text(encoding="utf-8")
    if text != stored_form(path, notebook):
        raise Refused(f"{shown(path)}: not stored clean (metadata, ids or the navigation line): make record")
    if differences := validate(path, text):
        raise Refused(explain(path, notebook, differences, "stored", "executed"))


def stored_form(path: Path, notebook: NotebookNode) -> str:
    """The text that the file should have, with the outputs that it has."""
    notebook = copy.deepcopy(notebook)
    set_generated(path, notebook)
    notebooks.clean(notebook)
    return notebooks.dump(notebook)


def refresh_generated(folder: Path) -> None:
    """Bring what is generated up to date in the notebooks that were not recorded: a neighbour may be new."""
    for path in sorted(folder.glob("*.ipynb")):
        try:
            notebook = notebooks.read(path)
        except Refused:
            continue
        before = notebooks.dump(notebook)
        set_generated(path, notebook)
        if notebooks.dump(notebook) != before and notebooks.replace_file(path, notebooks.dump(notebook)):
            print(f"{shown(path)}: brought up to date with its neighbours")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", type=Path, metavar="notebook", help="default: the whole course")
    parser.add_argument("--check", action="store_true", help="write nothing; say what recording would refuse or change")
    parser.add_argument("--pictures", action="store_true", help="store new pictures even where nothing else changed")
    options = parser.parse_args(arguments)
    paths = [path.resolve() for path in options.paths] or notebooks.all_notebooks()
    settle_environment()
    os.environ.pop("PYTEST_CURRENT_TEST", None)  # ipykernel shows less under pytest; the reader is not under pytest
    refused = 0
    for path in paths:
        try:
            if not path.is_file():
                raise Refused(f"{shown(path)}: no such notebook")
            if options.check:
                check(path)
                verdict = "as stored"
            else:
                verdict = "recorded" if record(path, pictures=options.pictures) else "unchanged"
            print(f"{shown(path)}: {verdict}", flush=True)
        except Refused as refusal:
            refused += 1
            print(f"\nrefused: {refusal}\n", file=sys.stderr, flush=True)
    if not options.check:
        folders = {path.parent for path in paths} | {p.parent.parent for p in paths if notebooks.is_solution(p)}
        for folder in sorted(folders):
            refresh_generated(folder)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
