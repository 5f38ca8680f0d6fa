"""What a learner has passed, kept in a file that survives the kernel.

The file holds one line of JSON for each piece of news and is only ever appended to, with one write: two kernels that
write at once lose nothing (write(2): with O_APPEND the offset is set and the data written in one step), and a line
that is broken spoils no other. It lies where this system keeps the data of programs; SOCKETLAB_PROGRESS names another
place. Where it cannot be read or written the exercises go on without, and say so once.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from pathlib import Path

from .verdict import PASSED, Verdict

_said = False


def place() -> Path:
    """The file: SOCKETLAB_PROGRESS, or progress.jsonl in the folder for data of programs.

    Raises RuntimeError where the system knows of no home.
    """
    chosen = os.environ.get("SOCKETLAB_PROGRESS")
    if chosen:
        return Path(os.path.expanduser(chosen))
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "socketlab" / "progress.jsonl"


def passed() -> set[str]:
    """The names of the exercises that have been passed; what cannot be read counts for nothing."""
    found: set[str] = set()
    try:
        file = place()
        if not file.is_file():  # a pipe, say, or a device, which never come to an end
            return found
        lines = file.read_bytes().splitlines()
    except (OSError, RuntimeError, ValueError):  # a NUL in its name is a ValueError
        return found
    for line in lines:
        try:
            news = json.loads(line)
            if news["outcome"] == PASSED:
                found.add(str(news["exercise"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return found


def note(verdict: Verdict) -> str:
    """Keep what is news: an exercise passed for the first time. Returns a sentence, once, where it cannot be kept."""
    global _said
    if not verdict.passed or os.environ.get("SOCKETLAB_QUIET") or verdict.exercise in passed():
        return ""
    line = json.dumps({"exercise": verdict.exercise, "outcome": verdict.outcome, "time": int(time.time())}) + "\n"
    file: object = "its place"
    try:
        file = place()
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and not file.is_file():
            raise OSError(errno.EINVAL, "it is not a file")
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            # A line that somebody left without an end must not swallow this one.
            whole = os.stat(file).st_size == 0 or file.read_bytes().endswith(b"\n")
            os.write(descriptor, ("" if whole else "\n").encode() + line.encode())
        finally:
            os.close(descriptor)
    except (OSError, RuntimeError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        words = "" if _said else f"Your progress cannot be kept in {file}: {why}. The exercises work."
        _said = True
        return words
    return ""
