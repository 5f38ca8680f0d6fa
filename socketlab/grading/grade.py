"""Grade many notebooks, some at a time, each in a process of its own that ends when its time is up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..exercises import PASSED
from ..exercises.definition import all_exercises
from .cells import exercises_in, sources

SECONDS, MEMORY = 60.0, 1 << 30  # of one notebook, unless told otherwise


class Mark(NamedTuple):
    """One exercise of one notebook. `outcome` is that of a verdict, or "error" or "missing"."""

    exercise: str
    outcome: str
    words: str = ""  #: what was wrong, and what to do
    scenario: str = ""
    key: str = ""


@dataclass(frozen=True)
class Grade:
    """What one notebook earned. `remark` says why there is less than there could be: "no notebook", "took too long"."""

    path: Path
    marks: tuple[Mark, ...]
    remark: str = ""
    seconds: float = field(default=0.0, repr=False, compare=False)

    @property
    def points(self) -> int:
        return sum(mark.outcome == PASSED for mark in self.marks)


def notebooks_in(places: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The notebooks among `places` and in the folders among them, each once, in order of their names.

    Raises FileNotFoundError for a place that is not there.
    """
    found: dict[Path, Path] = {}
    for place in map(Path, places):
        if not place.exists():
            raise FileNotFoundError(f"there is no {place}: give notebooks, or folders with notebooks in them")
        inside = sorted(place.rglob("*.ipynb")) if place.is_dir() else [place]
        for path in inside:
            if ".ipynb_checkpoints" not in path.parts:
                found.setdefault(path.resolve(), path)
    return list(found.values())


def grade(
    paths: Sequence[Path],
    *,
    jobs: int = 0,
    seconds: float = SECONDS,
    memory: int = MEMORY,
    graded: Callable[[int], object] = lambda count: None,
) -> list[Grade]:
    """Grade the notebooks and return the grades in their order.

    `jobs` notebooks at a time (0: as many as there are CPUs), each for at most `seconds` seconds and `memory` bytes;
    `graded` is called with the number of those that are done. A notebook owes the exercises of every lesson of which it
    answers one; where it answers none, those of the lessons that the others answer. Raises ValueError for limits that
    make no sense.
    """
    if jobs < 0 or seconds <= 0 or memory < 1 << 28:
        raise ValueError(
            f"jobs wanted 0 or more, seconds more than 0, memory 256 MiB or more: {jobs}, {seconds}, {memory}"
        )
    results: dict[int, Grade] = {}
    workers = _Workers()
    with _adopting(workers):
        _grade_all(paths, results, jobs, seconds, memory, graded, workers)
    return _with_what_is_owed([results[n] for n in range(len(paths))])


def _grade_all(
    paths: Sequence[Path], results: dict[int, Grade], jobs: int, seconds: float, memory: int,
    graded: Callable[[int], object], workers: _Workers,
) -> None:  # fmt: skip
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        futures = {pool.submit(_grade_one, path, seconds, memory, workers): n for n, path in enumerate(paths)}
        try:
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                graded(len(results))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            workers.end_all()
            raise


def _with_what_is_owed(grades: list[Grade]) -> list[Grade]:
    exercises = all_exercises()
    everybodys = {exercises[mark.exercise].lesson for one in grades for mark in one.marks if mark.exercise in exercises}
    complete = []
    for one in grades:
        by_name = {mark.exercise: mark for mark in one.marks}
        lessons = {exercises[name].lesson for name in by_name if name in exercises} or everybodys
        owed = [name for name, exercise in exercises.items() if exercise.lesson in lessons]
        marks = [by_name.get(name, Mark(name, "missing", "The notebook has no answer to it.")) for name in owed]
        marks += [mark for name, mark in by_name.items() if name not in exercises]
        complete.append(Grade(one.path, tuple(marks), one.remark, one.seconds))
    return complete


def _grade_one(path: Path, seconds: float, memory: int, workers: _Workers) -> Grade:
    start = time.monotonic()
    wanted: list[str] = []
    news: list[dict[str, object]] = []
    try:
        wanted = exercises_in(sources(path))
        if not wanted:
            return Grade(path, (), "there is no exercise in this notebook")
        news, remark = _run(path, seconds, memory, workers)
    except (ValueError, OSError) as exc:  # no notebook, not to be read, or no process to be had
        remark = str(exc)
    marks = {name: Mark(name, "error", remark or "The process ended before it came to this one.") for name in wanted}
    for one in news:
        name = one.get("exercise")
        if isinstance(name, str) and name in marks:
            fields = [str(one.get(key, "")) for key in ("outcome", "words", "scenario", "key")]
            marks[name] = Mark(name, *fields)
    return Grade(path, tuple(marks.values()), remark, time.monotonic() - start)


def _run(path: Path, seconds: float, memory: int, workers: _Workers) -> tuple[list[dict[str, object]], str]:
    """What the worker told, and a remark on how it ended."""
    read, write = os.pipe()
    lines: list[bytes] = []
    with tempfile.TemporaryDirectory(prefix="socketlab-", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "socketlab.grading.worker", str(path.resolve()), str(write), str(memory)]
        surroundings = {**os.environ, "HOME": folder, "SOCKETLAB_QUIET": "1", "MPLBACKEND": "agg"}
        surroundings |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")  # each takes of the memory
        try:
            process = workers.start(command, folder, surroundings, write)
        except BaseException:
            os.close(read)
            raise
        finally:
            os.close(write)
        reader = threading.Thread(target=_collect, args=(read, lines), daemon=True)
        reader.start()
        remark = ""
        try:
            status = process.wait(seconds)
            if status:
                ended = signal.Signals(-status).name if status < 0 else f"status {status}"
                remark = f"the process of this notebook ended with {ended}"
        except subprocess.TimeoutExpired:
            remark = f"took more than {seconds:g} s"
        finally:
            workers.end(process)
        reader.join(1.0)  # a process that escaped may still hold the pipe; it is not waited for
    news = []
    for line in b"".join(lines).splitlines():
        with suppress(ValueError, RecursionError):
            told = json.loads(line)
            if isinstance(told, dict):
                news.append(told)
    if not remark and not any(one.get("done") for one in news):
        remark = "the process of this notebook ended early"
    return news, remark


def _collect(read: int, lines: list[bytes]) -> None:
    size = 0
    while chunk := os.read(read, 65536):
        size += len(chunk)
        if size < 1 << 20:  # what an answer scribbles into it is nobody's memory
            lines.append(chunk)
    os.close(read)


class _Workers:
    """The processes that grade now. A child that was not there before them was left behind by one of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: dict[int, subprocess.Popen[bytes]] = {}
        self._others = set(_children(os.getpid(), deep=False))
        self._over = False

    def start(
        self, command: list[str], folder: str, surroundings: dict[str, str], write: int
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._over:
                raise OSError("grading was stopped")
            process = subprocess.Popen(
                command, cwd=folder, env=surroundings, pass_fds=(write,), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            self._live[process.pid] = process
            return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End a worker with all its family."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # its own session: it may be over, with others of it still there
        _kill(process.pid)
        process.wait()
        with self._lock:
            del self._live[process.pid]
            self._end_orphans()

    def _end_orphans(self) -> None:
        while orphans := set(_children(os.getpid(), deep=False)) - self._others - set(self._live):
            for pid in orphans:
                _kill(pid)
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)  # its own children are orphans from now on

    def end_all(self) -> None:
        with self._lock:
            self._over = True
            for pid in self._live:
                _kill(pid)

    def sweep(self) -> None:
        with self._lock:
            self._end_orphans()


def _children(pid: int, deep: bool = True) -> list[int]:
    import psutil  # type: ignore[import-untyped,unused-ignore]

    with suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children(recursive=deep)]
    return []


def _kill(pid: int) -> None:
    """End a process, its group, and its descendants, whatever groups they have gone to."""
    family = _children(pid)
    with suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
    for one in (pid, *family):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(one, signal.SIGKILL)


@contextmanager
def _adopting(workers: _Workers) -> Iterator[None]:
    """Processes whose parents have gone become children of this one meanwhile (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    if not sys.platform.startswith("linux"):
        yield
        return
    import ctypes

    libc = ctypes.CDLL(None)
    before = ctypes.c_int(0)
    libc.prctl(37, ctypes.byref(before), 0, 0, 0)
    libc.prctl(36, 1, 0, 0, 0)
    try:
        yield
    finally:
        workers.sweep()
        libc.prctl(36, before.value, 0, 0, 0)
