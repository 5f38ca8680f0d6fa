"""The option table: every option with what it is, what this kernel says now, and what it grants when asked.

The stored forms of a table, text and HTML, are compared each time that a notebook is validated, on whatever machine. So
they hold what an option is; what this kernel says is in the rows, and in the table itself on request (``now=True``),
for a cell that nobody compares.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from ..measure.tables import as_html
from .ask import Answer, Grant, Kernel
from .catalogue import Entry, catalogue, section_of
from .texts import Text

__all__ = ["Option", "OptionTable", "matching", "options", "survey"]

WIDTH = 100  # characters of a line of text


@dataclass(frozen=True, repr=False)
class Option:
    """One row: a constant, what it is, what this kernel says now, and what it granted when it was asked.

    `type` is the form of the value in words, with its unit; `now` what a fresh socket has (or the socket that was
    given), `granted` what came of asking for an example, None where nothing was asked; `why_not` says why.
    """

    name: str
    number: int
    level: str
    type: str
    what: str
    now: Answer
    granted: Grant | None
    since: str
    source: str
    entry: Entry

    @property
    def asked(self) -> str:
        """What was asked for and what was granted, or why nothing was, in words."""
        if self.granted is None:
            readonly = self.entry.text.ask is None
            return self.entry.why_not or ("read only" if readonly else "not asked: the socket is yours")
        if self.granted.answer.errno is not None and self.granted.answer == self.now:
            return "nothing to ask"  # there is no such socket here, and that stands under `now` already
        return str(self.granted)

    @property
    def works(self) -> bool:
        """Whether it can be read or set here."""
        return self.now.works or (self.granted is not None and self.granted.works)

    def __repr__(self) -> str:  # without what differs between machines
        return f"<{self.name}, {self.level}, {self.type}>"


def survey(sock: socket.socket | None = None) -> list[Option]:
    """Ask the kernel about everything, some 10 ms. With `sock`, what that socket has, and nothing is set on it.

    Raises ValueError for what is no socket.
    """
    kernel = Kernel(sock)
    return [row(entry, kernel) for entry in catalogue()]


def row(entry: Entry, kernel: Kernel) -> Option:
    """Ask the kernel about one option. Nothing is set on a socket of somebody's own."""
    text: Text = entry.text
    granted = None
    if text.ask is not None and kernel.sock is None:
        try:
            granted = kernel.grant(entry, text.ask)
        except ValueError as exc:  # no loopback interface, say
            granted = Grant(str(text.ask), Answer(reason=str(exc)))
    section = {"levels": entry.name, "values": "no option"}.get(entry.section, entry.level)
    return Option(
        entry.name, entry.number, section, entry.kind.words, text.what, kernel.read(entry), granted,
        entry.since, text.source, entry,
    )  # fmt: skip


def matching(rows: Iterable[Option], search: str = "", level: str = "", works: bool = False) -> list[Option]:
    """The rows that have all words of `search` in name, number, level, type or text, at `level` (a key of SECTIONS).

    A number is compared with the option's number as a whole: "1" does not find 10. With `works` only what can be read
    or set on this machine. What has the search in its name comes first.
    """
    words = search.lower().split()
    found = [
        row
        for row in rows
        if (not level or row.entry.section == level) and (not works or row.works) and all(_has(row, w) for w in words)
    ]
    if words:
        found.sort(key=lambda row: _distance(row, words))
    return found


def _distance(row: Option, words: Sequence[str]) -> tuple[bool, ...]:
    """How far a row is from what was meant: the name itself, its end, a common level, at least in the name."""
    name = row.name.lower()
    rare = row.entry.level not in ("SOL_SOCKET", "IPPROTO_IP", "IPPROTO_IPV6", "IPPROTO_TCP")
    return (
        name != words[0],
        name.partition("_")[2] != words[-1],
        rare or row.entry.section in ("levels", "values"),
        not all(word in name for word in words),
    )


def _has(row: Option, word: str) -> bool:
    if word.isdigit():
        return word == str(row.number)
    return word in f"{row.name} {row.level} {row.entry.section} {row.type} {row.what} {row.source}".lower()


def options(
    search: str = "",
    *,
    level: str | int = "",
    works: bool = False,
    now: bool = False,
    sock: socket.socket | None = None,
) -> OptionTable:
    """The options of this Python's `socket` module, as a table that shows itself as text and, in a notebook, as HTML.

    `search` are words that must all occur in name, number, level, type or text; `level` is one of them ("SOL_SOCKET",
    "IPPROTO_TCP" or just "tcp", "levels", "values"); with `works` only those that this kernel has. `now` shows what
    the kernel says, too; such a table differs between machines. With `sock` the kernel is asked about that socket
    instead of fresh ones, and nothing is set.

    The rows are `Option` objects, with the kernel's answers in any case: ``options("SO_RCVBUF")[0].now.value``.

    Raises ValueError for a level that does not exist and for what is no socket.
    """
    section = section_of(level)
    return OptionTable(matching(survey(sock), search, section, works), now)


class OptionTable(Sequence[Option]):
    """What `options` returns: a sequence of `Option` that shows itself as a table."""

    def __init__(self, rows: Iterable[Option], now: bool = False) -> None:
        self.rows = tuple(rows)
        self.now = now

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Option]:
        return iter(self.rows)

    def __getitem__(self, index: Any) -> Any:
        """By position, by slice, or by name: ``table["SO_RCVBUF"]``. Raises IndexError or KeyError."""
        if not isinstance(index, str):
            return self.rows[index]
        for option in self.rows:
            if option.name == index:
                return option
        raise KeyError(f"no option {index!r} in this table of {len(self.rows)}")

    def __repr__(self) -> str:
        if not self.rows:
            return "no such option"
        lines = []
        for option in self.rows:
            since = option.since if option.since.startswith("no") or not option.since else f"since {option.since}"
            parts = (f"{option.name} = {option.number}", option.level, option.type, since, option.source)
            lines.append(", ".join(filter(None, parts)))
            lines += wrap(option.what, WIDTH, initial_indent="    ", subsequent_indent="    ")
            if self.now:
                said = f"now {option.now}; {option.asked}"
                lines += wrap(said, WIDTH, initial_indent="    ", subsequent_indent="    ")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        if not self.rows:
            return "<p>no such option</p>"
        if self.now:
            heads: tuple[str, ...] = ("option", "level", "what it is", "now", "asked → granted")
            cells = [(o.name, o.level, o.what, str(o.now), o.asked) for o in self.rows]
            return as_html(heads, cells)
        heads = ("option", "level, number", "value", "what it is", "since, source")  # more would squeeze the sentence
        cells = [
            (o.name, f"{o.level}, {o.number}", o.type, o.what, ", ".join(filter(None, (o.since, o.source))))
            for o in self.rows
        ]
        return as_html(heads, cells)
