"""Make the plan of a ladder from a trace: which calls get a row, in whose column, with which arrows between them."""

from __future__ import annotations

from collections.abc import Iterable

from ..events import Endpoint, Event
from .ladder_arrows import arrows
from .ladder_plan import NOBODY, Column, Plan, Row, accepted, number_of, role, shown_calls
from .ladder_rows import rows, without_collections
from .ladder_waits import find_waits

_RANKS = {"client": 0, "left": 0, "server": 2, "right": 2, "listener": 3}


def plan(events: Iterable[Event], most: int) -> Plan:
    """The plan of a ladder with at most `most` rows."""
    everything = list(events)
    calls = shown_calls(everything)
    made = Plan(calls=calls)
    if not calls:
        return made
    row_of = [-1] * (max(event.number for event in everything) + 1)
    with without_collections(len(everything)):
        kept = rows(calls, most, row_of, made)
        _columns(kept, made)
        find_waits(made.rows)
        made.arrows = arrows(everything, row_of, made)
    return made


def _columns(kept: list[Event | int], made: Plan) -> None:
    """Give every row its place, and make the columns."""
    calls = [event for event in kept if isinstance(event, Event)]
    busy = {event.end.name for event in made.calls if event.end is not None and event.call != "accept"}
    ends = {event.number: _whose(event, calls, busy) for event in calls}
    appear = {end.name: end for event in calls if (end := ends[event.number]) is not None}
    # Two clients that talk to each other should not share a column, as long as there are few.
    talking = {name for name, end in appear.items() if end.other in appear and role(end.other) == role(name)}
    talking = talking if len(talking) <= 4 else set()
    roles: dict[str, list[Endpoint]] = {}
    for name, end in appear.items():
        roles.setdefault(name if name in talking else role(name), []).append(end)
    everybody = {e.end.name for e in made.calls if e.end is not None} | set(appear)
    for heading in sorted(roles, key=lambda r: _RANKS.get(role(r), 1)):
        members = tuple(sorted(roles[heading], key=lambda end: number_of(end.name)))
        made.columns.append(Column(heading, members, sum(heading in (name, role(name)) for name in everybody)))
    if not made.columns:
        made.columns.append(Column(NOBODY, (Endpoint(NOBODY, ""),)))
    where = {end.name: (c, i) for c, column in enumerate(made.columns) for i, end in enumerate(column.ends)}
    for event in kept:
        if isinstance(event, int):
            made.rows.append(Row(None, left_out=event))
            continue
        end = ends[event.number]
        column, line = where[end.name] if end is not None else _of_thread(event, calls, ends, where)
        made.rows.append(Row(event, column, line))


def _whose(event: Event, calls: list[Event], busy: set[str]) -> Endpoint | None:
    """The end in whose column a call stands: its own; but a listener that only accepts needs no column."""
    end = event.end
    if end is not None and end.listening and end.name not in busy:
        name = accepted(event)
        return next((e.end for e in calls if e.end is not None and e.end.name == name), end)
    return end


def _of_thread(
    event: Event, calls: list[Event], ends: dict[int, Endpoint | None], where: dict[str, tuple[int, int]]
) -> tuple[int, int]:
    """A call over several sockets (select) stands with what its thread does next, else with what it did last."""
    mine = [e for e in calls if e.thread == event.thread and ends[e.number] is not None]
    near = next((e for e in mine if e.number > event.number), mine[-1] if mine else None)
    end = ends[near.number] if near is not None else None
    return where[end.name] if end is not None else (0, 0)
