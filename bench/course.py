"""What the course itself costs: importing socketlab, and validating its notebooks, each as whole processes."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from .pairing import Paired, paired

ROOT = Path(__file__).resolve().parent.parent
EMPTY = {
    "cells": [{"cell_type": "code", "execution_count": 1, "id": "empty", "metadata": {}, "outputs": [], "source": ""}],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def import_cost(rounds: int) -> float:
    """Seconds that ``import socketlab`` takes beyond ``import socket``; the median of fresh processes."""
    program = (
        "from time import perf_counter as now; import socket; a = now(); import socketlab; b = now(); "
        "import sys; assert 'matplotlib' not in sys.modules and 'ipywidgets' not in sys.modules; print(b - a)"
    )
    run = [sys.executable, "-c", program]
    return statistics.median(float(subprocess.check_output(run, cwd=ROOT, text=True)) for _ in range(rounds))


def validation(rounds: int) -> tuple[int, Paired]:
    """How many notebooks there are, and the seconds that nbval takes for them against as many empty ones."""
    books = sorted((ROOT / "notebooks").rglob("[!.]*.ipynb"))
    books = [book for book in books if ".ipynb_checkpoints" not in book.parts]
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("pyproject.toml", "conftest.py"):
            shutil.copy(ROOT / name, scratch)
        shutil.copytree(ROOT / "tools", Path(scratch, "tools"))
        for n in range(len(books)):
            Path(scratch, f"empty{n}.ipynb").write_text(json.dumps(EMPTY))

        def run(folder: str | Path, paths: list[str]) -> float:
            command = [sys.executable, "-m", "pytest", "-q", "--nbval", "-n", "2", "--dist", "loadscope", *paths]
            environment = {**os.environ, "SOCKETLAB_QUIET": "1"}
            begin = perf_counter()
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
            took = perf_counter() - begin
            if done.returncode:
                raise SystemExit(f"nbval failed in {folder}:\n{done.stdout[-3000:]}")
            return took

        empty = [f"empty{n}.ipynb" for n in range(len(books))]
        ours = [str(book.relative_to(ROOT)) for book in books]
        return len(books), paired(lambda: run(scratch, empty), lambda: run(ROOT, ours), rounds)
