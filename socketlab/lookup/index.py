"""What the course says of an operation, a constant or an error, as index.json has it, and how to search it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import NamedTuple

KINDS = ("operations", "constants", "errors")


class Place(NamedTuple):
    """A section of a notebook: the file's name, the id of the cell with its heading, and that heading."""

    notebook: str
    cell: str
    heading: str

    @property
    def link(self) -> str:
        """Where it is, as seen from another notebook of the folder. JupyterLab opens it at that cell."""
        return f"{self.notebook}#cell-id={self.cell}"

    @property
    def number(self) -> str:
        """``"08"`` for 08_closing.ipynb."""
        return self.notebook[:2]


class Entry(NamedTuple):
    """One line of the index."""

    #: ``socket.socket.recv``, ``socket.AF_INET``; for an error its number's name, ``EADDRINUSE``, or its class
    name: str
    what: str  #: in one line; Markdown
    beneath: str  #: the C call and its page; for an error the last line of its traceback
    places: tuple[Place, ...]  #: the section that teaches it, or uses it; for an error those that provoke it
    cures: tuple[Place, ...] = ()  #: for an error: the sections that tell what to do
    exercises: tuple[str, ...] = ()  #: for an operation: the exercises whose worked answers use it


@cache
def entries(kind: str) -> tuple[Entry, ...]:
    """The index of `kind`, in its order. Raises ValueError for a kind that is none of `KINDS`."""
    if kind not in KINDS:
        raise ValueError(f"kind wanted {' or '.join(map(repr, KINDS))}, but got {kind!r}")
    data = json.loads(resources.files(__package__).joinpath("index.json").read_text(encoding="utf-8"))
    return tuple(
        Entry(name, what, beneath, _places(places), _places(cures), tuple(exercises))
        for name, what, beneath, places, cures, exercises in data[kind]
    )


def _places(found: Iterable[Iterable[str]]) -> tuple[Place, ...]:
    return tuple(Place(*place) for place in found)


def matching(found: Iterable[Entry], words: str) -> list[Entry]:
    """Those that have all of `words` somewhere, in any order and case; those that have them in their name first."""
    wanted = words.lower().split()
    fitting = [entry for entry in found if all(word in _text(entry) for word in wanted)]
    return sorted(fitting, key=lambda entry: min((_rank(entry, word) for word in wanted), default=0))


def _text(entry: Entry) -> str:
    headings = (place.heading for place in (*entry.places, *entry.cures))
    parts = (entry.name, entry.what, entry.beneath, *headings, *entry.exercises)
    return " ".join(parts).lower()


def _rank(entry: Entry, word: str) -> int:
    """0 for a whole part of the name, 1 for a piece of it or all that is beneath, 2 where only other words have it."""
    name = entry.name.lower()
    if word in re.split(r"\W", name) or word == name:
        return 0
    return 1 if word in name or word == entry.beneath.lower() else 2
