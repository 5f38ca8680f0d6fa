"""Follow file descriptors: which numbers are open after each line of a program, and which object holds each.

The program runs in a fresh Python of its own. There, 0, 1 and 2 are the only open numbers and no other thread opens
any, so its first socket gets 3: open(2) and socket(2) return the lowest free number (POSIX.1-2017, 2.14). In
Jupyter's process a thread that saves the history opens a file at any moment, and takes the number that was freed.
Whatever the program leaves open, the end of its process closes.

fstat(2) tells whether a number is open, and by its device and inode which socket or file is behind it.
"""

import ast
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

__all__ = ["Life", "Open", "Step", "follow_descriptors"]

_HIGHEST = 256  # numbers looked at; a program of a few lines opens a few
_CHILD = "from socketlab.measure.descriptors import _child; _child()"


class Open(NamedTuple):
    """One open descriptor: its number, what is behind it (1 for the first socket or file seen, and so on), its holders.

    `holders` are the names of the objects that have the number; none when only a bare number is left of it.
    """

    number: int
    behind: int
    holders: tuple[str, ...]

    @property
    def words(self) -> str:
        return ", ".join(self.holders) or "nobody"


class Step(NamedTuple):
    """One statement, the error that it raised ("" if none), and what was open after it, by number."""

    code: str
    error: str
    open: tuple[Open, ...]

    @property
    def line(self) -> str:
        """The first line of the statement, ended with … where there are more."""
        first, _, more = self.code.partition("\n")
        return f"{first} …" if more else first


@dataclass(frozen=True, repr=False)
class Life:
    """The steps of a program. Shows itself as a picture; its text is a table, the same on each run."""

    steps: tuple[Step, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """All descriptors that were open at some time, ascending."""
        return tuple(sorted({held.number for step in self.steps for held in step.open}))

    def __repr__(self) -> str:
        rows = [["after", *map(str, self.numbers)]]
        for step in self.steps:
            words = {held.number: held.words for held in step.open}
            rows.append([step.line, *(words.get(n, "-") for n in self.numbers)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        errors = ["", *(f"  {step.error}" if step.error else "" for step in self.steps)]
        return "\n".join(map("".join, zip(lines, errors, strict=True)))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[Any, Any]:
        from .lifelines import draw_life

        data, metadata = draw_life(self)._repr_mimebundle_()
        return {**data, "text/plain": repr(self)}, metadata


def follow_descriptors(code: str, *, timeout: float = 10.0) -> Life:
    """Run the statements of `code` in a fresh Python, and look after each which descriptors are open, and whose.

    `socket` and `os` are imported there already; nothing of the caller's is. Objects with a fileno() are holders
    when a name, or a list or tuple with a name, refers to them. A statement that raises is noted with its error, and
    the next one runs. What the program prints is printed.

    Raises SyntaxError for what is no Python; ValueError when there is no statement; TimeoutError after `timeout`
    seconds, when a line waits for something; RuntimeError when the program ended before its last line;
    NotImplementedError on Windows, whose sockets have handles that are not in the list of descriptors.
    """
    if not ast.parse(code).body:
        raise ValueError("follow_descriptors wanted lines of Python, but got none")
    if os.name == "nt":
        raise NotImplementedError("follow_descriptors wanted Linux or macOS: Windows keeps sockets in another list")
    try:
        command = [sys.executable, "-X", "utf8", "-c", _CHILD]
        child = subprocess.run(command, input=code, capture_output=True, encoding="utf-8", timeout=timeout)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"a line of the program still waited for something after {timeout:g} s") from None
    printed, _, answer = child.stdout.rpartition("\n")
    if child.returncode or not answer.startswith("[["):
        reason = child.stderr.strip().splitlines()[-1:] or [f"exit status {child.returncode}"]
        raise RuntimeError(f"the program ended before its last line: {reason[0]}")
    if printed.strip():
        print(printed.rstrip("\n"))
    steps = ((text, error, (Open(n, b, tuple(h)) for n, b, h in held)) for text, error, held in json.loads(answer))
    return Life(tuple(Step(text, error, tuple(held)) for text, error, held in steps))


def _child() -> None:
    """In the fresh Python: run the code that comes on standard input, write the steps as the last line of output."""
    code = sys.stdin.read()
    before = _open_now()  # input, output and error messages
    names: dict[str, Any] = {"socket": __import__("socket"), "os": os}
    seen = count(1)
    behind: dict[tuple[int, int], int] = {}
    steps = []
    for statement in ast.parse(code).body:
        error = ""
        try:
            exec(compile(ast.Module([statement], []), "<program>", "exec"), names)
        except Exception as exc:
            error = f"{type(exc).__name__}: {exc}"
        now = {number: key for number, key in _open_now().items() if before.get(number) != key}
        # What nobody has open is forgotten: the kernel may give its inode to another.
        behind = {key: behind.get(key) or next(seen) for key in dict.fromkeys(now.values())}
        held = [(number, behind[key], _holders(names, number)) for number, key in now.items()]
        steps.append((ast.get_source_segment(code, statement), error, held))
    sys.stdout.write(f"\n{json.dumps(steps)}")


def _open_now() -> dict[int, tuple[int, int]]:
    """The open descriptors, each with the device and inode behind it."""
    found = {}
    for number in range(_HIGHEST):
        with suppress(OSError):  # EBADF: not open
            status = os.fstat(number)
            found[number] = (status.st_dev, status.st_ino)
    return found


def _holders(names: dict[str, Any], number: int) -> list[str]:
    """The names of the objects whose fileno() is `number`."""
    found = []
    for name, value in names.items():
        several = isinstance(value, (list, tuple))
        for i, thing in enumerate(value if several else [value]):
            if not isinstance(thing, type) and _fileno(thing) == number:
                found.append(f"{name}[{i}]" if several else name)
    return found


def _fileno(thing: object) -> int:
    try:
        return int(thing.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError, TypeError, ValueError):  # no such method, or a closed file
        return -1
