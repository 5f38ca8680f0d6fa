"""Which operations of `socket` a notebook's cells execute, and which hosts, by running it under watch_operations.py."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.kernels import skip_the_slow_parser

skip_the_slow_parser()

import nbformat  # noqa: E402

HERE = Path(__file__).resolve().parent
START = f"""\
import sys
sys.path.insert(0, {str(HERE)!r})
import watch_operations
del sys.path[0]
watch_operations.start()"""
STOP = "import json, sys; print(json.dumps(sys.modules['watch_operations'].stop()))"
CELL_TIMEOUT = 120  # seconds: under the profile function a cell takes several times as long


@dataclass(frozen=True)
class Run:
    """What was seen of one notebook: names as public_names() of socketlab.lookup.names writes them, hosts as given."""

    operations: frozenset[str]
    hosts: frozenset[str]  # other than this machine


def run_notebook(path: Path) -> Run:
    """Run the cells of the notebook at `path`."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return run_cells(cells, folder=path.parent)


def run_cells(cells: Sequence[str], folder: Path) -> Run:
    """Run cells given as text, with a kernel of their own that works in `folder`.

    A cell that fails is no concern of this function (nbval validates the notebooks); what it ran before counts.
    """
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager

    code_cells = [nbformat.v4.new_code_cell(source) for source in (START, *cells, STOP)]
    notebook = nbformat.v4.new_notebook(cells=code_cells)
    with tempfile.TemporaryDirectory(prefix="kernel-") as place:
        # Not by TCP: its ports are chosen before the kernel binds them, and lessons open sockets by the thousand.
        manager = AsyncKernelManager(
            kernel_name=CURRENT_ENV_KERNEL_NAME,
            kernel_spec_manager=NbvalKernelspecManager(),
            transport="ipc" if hasattr(socket, "AF_UNIX") else "tcp",
            connection_file=f"{place}/k.json",
        )
        client = NotebookClient(
            notebook,
            km=manager,
            timeout=CELL_TIMEOUT,
            allow_errors=True,
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(cleanup_kc=True, stderr=subprocess.DEVNULL)
    (result,) = code_cells[-1].outputs
    seen = json.loads(result.text)
    return Run(frozenset(seen["operations"]), frozenset(seen["hosts"]))
