"""The table of a trace: one row for each call, who made it, what came of it, and from which call its bytes were.

As text and as HTML it holds only what is the same on each run, because both are stored in notebooks and nbval compares
both: of what a cell can show it leaves out ``image/png``, ``image/jpeg`` and the ids of widgets, and nothing else. A
picture of a table cannot be searched or read aloud, and a widget is gone when its kernel is. So times, durations and
threads stand in the HTML on request, ``table(events, times=True)``, for a cell that nobody compares; the ladder and the
timeline are pictures, and carry them in every cell.

Payloads and arguments come from a network. They are shown as Python literals, whose escapes leave no control
character, and then escaped for HTML.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from html import escape
from typing import Any

from ..events import IN, OUT, Event
from .folding import Fold, fold
from .text_words import clip, payload, printable, result

__all__ = ["ROWS", "Table", "table"]

#: A longer table is folded.
ROWS = 200
_CELL = 40  # characters of a cell in the text; the HTML has all of them, and scrolls
_HEADS = ("", "end", "call", "outcome", "bytes", "from or after")
_TIMES = ("start, ms", "took", "thread")
_RIGHT_ALIGNED = ("", "bytes", "start, ms", "took")

# Colours are JupyterLab's, which follow its theme; after the comma stands what holds elsewhere.
_STYLE = """<style>
.socketlab-table { max-height: 480px; overflow: auto; max-width: 100%; color: var(--jp-ui-font-color1, inherit); }
.socketlab-table table { border-collapse: collapse; margin: 0; font-size: var(--jp-ui-font-size1, 13px);
  color: inherit; background: transparent; }
.socketlab-table th, .socketlab-table td { text-align: left; white-space: pre; padding: 1px 14px 1px 0; border: none;
  border-top: 1px solid var(--jp-border-color3, #bdbdbd); background: transparent; vertical-align: top; }
.socketlab-table thead th { position: sticky; top: 0; border-top: none; font-weight: 600;
  background: var(--jp-layout-color0, Canvas); }
.socketlab-table td.sl-code { font-family: var(--jp-code-font-family, monospace); }
.socketlab-table .sl-figure { text-align: right; font-variant-numeric: tabular-nums; }
.socketlab-table tr.sl-quiet td { opacity: 0.65; }
.socketlab-table tr.sl-failed td.sl-code { font-weight: 600; }
</style>"""


def table(events: Sequence[Event], *, everything: bool = False, times: bool = False, rows: int = ROWS) -> Table:
    """The calls as a table that shows itself as text and, in a notebook, as HTML.

    Unless `everything` is true, what socketlab's servers called for themselves is left out, and the calls are numbered
    as they are shown: the threads of a server close their doors in no certain order, and `Event.number`, which the
    table has with `everything`, counts that too. Calls made inside other calls stand below them in either case.

    With `times`, the HTML has the start of each call in milliseconds since the trace was opened, its duration, and its
    thread; such a cell differs on each run, its text does not. More than `rows` rows are folded, and if that is not
    enough, the middle is left out.

    Raises ValueError for rows < 10.
    """
    if rows < 10:
        raise ValueError(f"table wanted rows >= 10, but got {rows!r}")
    return Table(events, everything, times, rows)


class Table:
    """What `table` returns. `rows` are its cells as text, each a tuple as wide as `heads`."""

    def __init__(self, events: Sequence[Event], everything: bool, times: bool, most: int) -> None:
        self.times = times
        events = list(events)  # those of a trace are made anew each time that they are asked for
        calls = [event for event in events if everything or not event.housekeeping]
        self.calls = len(calls)
        self.left_out = len(events) - self.calls
        self._places = None if everything else {event.number: i for i, event in enumerate(calls, 1)}
        blocks = fold(calls, _sameness) if len(calls) > most else [Fold((i,)) for i in range(len(calls))]
        lines = [(leaf, [calls[i] for i in leaf.rows]) for block in blocks for leaf in block.leaves()]
        self._skipped: tuple[int, int] | None = None  # before which row, and how many calls
        if len(lines) > most:
            head, tail = most * 2 // 3, most - most * 2 // 3
            self._skipped = head, sum(len(every) for _, every in lines[head:-tail])
            lines = lines[:head] + lines[-tail:]
        self._every = [every for _, every in lines]
        wanted = {piece.sent for every in self._every for piece in every[0].pieces}
        self._sizes = {event.number: event.size for event in events if event.number in wanted}

    @property
    def heads(self) -> tuple[str, ...]:
        """The headings of the columns."""
        return _HEADS

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The cells, as text that is the same on each run of a deterministic program."""
        return [self._cells(every) for every in self._every]

    def __len__(self) -> int:
        """How many calls it is about, folded ones included."""
        return self.calls

    def __repr__(self) -> str:
        if not self.calls:
            return f"no calls{self._rest()}"
        cells = [_HEADS, *self.rows]
        cells = [tuple(clip(cell, _CELL) for cell in row) for row in cells]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = []
        for row in cells:
            texts = [
                cell.rjust(wide) if head in _RIGHT_ALIGNED else cell.ljust(wide)
                for head, cell, wide in zip(_HEADS, row, widths, strict=True)
            ]
            lines.append("  ".join(texts).rstrip())
        if self._skipped is not None:
            lines.insert(self._skipped[0] + 1, f"… {self._skipped[1]:,} calls more …")
        rest = self._rest()
        return "\n".join(lines + [rest] * bool(rest))

    def _rest(self) -> str:
        """What is not in the table, in words."""
        if not self.left_out:
            return ""
        return "(socketlab's own calls are left out; everything=True shows them)"  # how many there are is not certain

    def _repr_html_(self) -> str:
        heads = (*_HEADS, *_TIMES) if self.times else _HEADS
        title = "".join(f"<th scope='col'{_figure(head)}>{escape(head)}</th>" for head in heads)
        body = [self._html_row(every, heads) for every in self._every]
        if self._skipped is not None:
            words = f"… {self._skipped[1]:,} calls more …"
            body.insert(self._skipped[0], f"<tr class='sl-quiet'><td colspan='{len(heads)}'>{words}</td></tr>")
        rest = f"<p>{escape(self._rest())}</p>" if self._rest() else ""
        # tabindex: who has no mouse scrolls the box with the arrow keys.
        return (
            f"{_STYLE}<div class='socketlab-table' tabindex='0' role='region' aria-label='Calls of the trace'>"
            f"<table><thead><tr>{title}</tr></thead><tbody>{''.join(body)}</tbody></table></div>{rest}"
        )

    def _html_row(self, every: Sequence[Event], heads: Sequence[str]) -> str:
        event = every[0]
        cells = (*self._cells(every), *_timed(every)) if self.times else self._cells(every)
        parts = []
        for head, cell in zip(heads, cells, strict=True):
            kind = " class='sl-code'" if head in ("call", "outcome") else _figure(head)
            parts.append(f"<td{kind}>{escape(cell)}</td>")
        kinds = []
        if event.housekeeping or event.inside is not None:
            kinds.append("sl-quiet")
        if event.failure is not None:
            kinds.append("sl-failed")
        row = f"<tr class='{' '.join(kinds)}'>" if kinds else "<tr>"
        return f"{row}{''.join(parts)}</tr>"

    def _cells(self, every: Sequence[Event]) -> tuple[str, ...]:
        """The text of a row: that of its first call, and what the others add to it."""
        event, many = every[0], len(every) > 1
        number = self._number(event.number) + (f" … × {len(every):,}" if many else "")
        asked, data = printable(event.asked), payload(event)
        if data and any(other.data != event.data for other in every):
            data += ", …"
        if event.direction == OUT:
            asked = ", ".join(filter(None, (data, asked)))
        inside = "  " if event.inside is not None else ""
        call = f"{inside}{printable(event.call)}({asked})"
        if event.failure is not None:
            outcome = f"✗ {printable(str(event.failure))}"
        else:
            returned = result(event)
            if any(other.result != event.result for other in every):
                returned += ", …"
            outcome = ", ".join(filter(None, (data if event.direction == IN else "", returned)))
        moved = [other.size for other in every if other.size is not None]
        size = f"{sum(moved):,}" if moved else ""
        end = printable(event.end.name) if event.end is not None else ""
        return number, end, call, outcome, size, "" if many else self._origin(event)

    def _origin(self, event: Event) -> str:
        """The calls whose bytes it got, with the part of each that it was not whole; else those it had to wait for."""
        got = [piece for piece in event.pieces if piece.received == event.number and self._number(piece.sent)]
        if got:
            words = [
                self._number(piece.sent)
                + ("" if len(piece) == self._sizes.get(piece.sent) else f"[{piece.start}:{piece.stop}]")
                for piece in got
            ]
            return ", ".join(words) if len(words) <= 4 else f"{words[0]} … {words[-1]} ({len(words):,} calls)"
        if event.direction != OUT and event.after:
            words = [word for word in map(self._number, event.after) if word]
            return ", ".join(words[:4]) + (", …" if len(words) > 4 else "")
        return ""

    def _number(self, number: int) -> str:
        """The number of a call in this table, "" where it is not in it."""
        if self._places is None:
            return f"{number:,}"
        place = self._places.get(number)
        return f"{place:,}" if place is not None else ""


def _figure(head: str) -> str:
    return " class='sl-figure'" if head in _RIGHT_ALIGNED else ""


def _sameness(event: Event) -> Hashable:
    """Calls with an equal key are folded: all but the payload and what depends on it."""
    end = event.end.name if event.end is not None else ""
    failure = str(event.failure) if event.failure is not None else ""
    quiet = event.housekeeping, event.inside is not None
    return event.call, end, event.asked, failure, quiet, event.size == 0, event.peek, event.direction


def _timed(every: Sequence[Event]) -> tuple[str, ...]:
    """Start, duration and thread; of several calls the first start, and the time spent in all of them."""
    from ...measure.timing import seconds_text

    spent: Any = sum(event.duration_ns for event in every) / 1e9
    threads = list(dict.fromkeys(printable(event.thread) for event in every))
    return (
        f"{every[0].start_ns / 1e6:,.3f}",
        seconds_text(spent) + (" in all" if len(every) > 1 else ""),
        ", ".join(threads[:2]) + (", …" if len(threads) > 2 else ""),
    )
