"""`trace`: open it, let a program run, look at what both ends did."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from time import perf_counter, time_ns
from types import TracebackType
from typing import Any, overload

from ..measure.progress import Progress
from . import recorder
from .calls import Call
from .events import IN, OUT, Endpoint, Event, Failure, Piece
from .methods import without_our_frames
from .operations import flag_names
from .order import Told, causes_of
from .panels import look as look_at_panels
from .relays import Known, look
from .roles import name_ends, name_threads
from .settling import settle
from .sight import End
from .under_way import bytes_in_queues

#: How many calls a trace records unless told otherwise; a call takes about 110 bytes.
EVENTS = 1_000_000
#: How many bytes of payload it keeps unless told otherwise; of what comes later, size and first bytes.
PAYLOAD = 16 * 1024 * 1024

#: Of longer traces ladder and table show the beginning and the end.
VIEWED = 40_000

Taken = tuple[recorder.Lane, list[list[Any]]]


class Trace:
    """What `trace` returns: a context manager, then the recorded calls and their views.

    `events` are the calls in happens-before order, `ends` the sockets that made them. While the trace is open, both
    show what has come back so far.
    """

    def __init__(self, name: str, events: int, payload: int) -> None:
        self.name = name
        self._limits = events, payload
        self._recorder: recorder.Recorder | None = None
        self._lanes: list[Taken] = []
        self._opened = self._closed = 0.0
        self._opened_ns = 0  # since 1970
        self._opener: int | None = None
        self._told: Events | None = None
        self._leave: Any = None
        self._stopped = False
        self._unread: dict[End, int] = {}
        self._links = Known()

    # -- its life --------------------------------------------------------------------------------------------------

    def open(self) -> Trace:
        """Begin to record; from now on every socket call of the process is seen. Returns itself.

        Raises RuntimeError where it has been open before: a trace is used once.
        """
        if self._recorder is not None or self._closed:
            raise RuntimeError("this trace has been used already; each trace() records once: make another one")
        self._opener = threading.get_ident()
        self._leave = weakref.finalize(self, recorder.end, id(self))
        self._recorder = recorder.begin(self, *self._limits)
        look(self._recorder)
        look_at_panels(self._recorder)
        self._opened, self._opened_ns = perf_counter(), time_ns()
        return self

    def close(self) -> None:
        """End recording, when those who were about to note something have done so. May be repeated."""
        if self._recorder is None:
            return
        try:
            settle(self._recorder)
            self._closed = perf_counter()
            self._unread = bytes_in_queues(self._recorder)
            self._links = self._recorder.links
            self._lanes = self._taken(self._closed)
        finally:  # whatever goes wrong, the class gets its methods back
            self._closed = self._closed or perf_counter()
            self._told = None
            self._recorder = None
            self._leave()

    @property
    def is_open(self) -> bool:
        """True while it records."""
        return self._recorder is not None and not self._recorder.closed

    @property
    def stopped(self) -> bool:
        """True where the limit of events was reached: what happened later is missing."""
        return self._stopped

    @property
    def now_ns(self) -> int:
        """What its clock shows: nanoseconds since it was opened, as in `Event.start_ns`; 0 before."""
        return int((perf_counter() - self._opened) * 1e9) if self._opened else 0

    def __enter__(self) -> Trace:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        without_our_frames(traceback)
        self.close()

    def _taken(self, until: float) -> list[Taken]:
        assert self._recorder is not None
        stopped = self._recorder.stopped_at
        if stopped is not None and stopped < until:
            self._stopped, until = True, stopped
        lanes = [(lane, lane.between(self._opened, until)) for lane in tuple(self._recorder.lanes)]
        return [(lane, chunks) for lane, chunks in lanes if chunks]

    # -- what it saw -----------------------------------------------------------------------------------------------

    @property
    def events(self) -> Events:
        """The calls, in happens-before order: a sequence of `Event`."""
        if self.is_open:
            assert self._recorder is not None
            taken, unread = self._taken(perf_counter()), bytes_in_queues(self._recorder)
            return Events(taken, self._opener, self._opened, unread, self._recorder.links)
        if self._told is None:
            self._told = Events(self._lanes, self._opener, self._opened, self._unread, self._links)
        return self._told

    @property
    def ends(self) -> tuple[Endpoint, ...]:
        """The sockets that the calls mention, in the order in which they first appear."""
        return self.events.ends

    def __len__(self) -> int:
        """How many calls were recorded."""
        return len(self.events)

    def text(self) -> str:
        """The ladder as text, the same on each run of a deterministic program."""
        from .views.ladder_text import ladder_text

        left_out = len(self.events) - len(self._both_ends())
        note = (
            f"\n({left_out:,} calls between the first and the last {VIEWED // 2:,} were not looked at)"
            if left_out
            else ""
        )
        if self.stopped:
            note += f"\n(recording stopped after {len(self.events):,} calls; trace(events=...) sets the limit)"
        return ladder_text(self._both_ends()) + note

    def _both_ends(self) -> Sequence[Event]:
        """What is looked at to draw ladder and table: all calls, or of a very long trace the first and the last ones.

        Nobody reads a million calls; to fold them would take half a minute, in which the notebook does nothing else.
        """
        events = self.events
        return events if len(events) <= VIEWED else (*events[: VIEWED // 2], *events[-VIEWED // 2 :])

    def ladder(self, **settings: Any) -> Any:
        """The ladder as a picture: a column for each end, an arrow for what went from one to the other."""
        from .views.ladder_picture import ladder

        return ladder(self._both_ends(), **settings)

    def timeline(self, **settings: Any) -> Any:
        """A lane for each thread, a bar for each call, over time."""
        from .views.timeline import timeline

        return timeline(self.events, **settings)

    def table(self, **settings: Any) -> Any:
        """One row for each call."""
        from .views.table import table

        return table(self._both_ends(), **settings)

    def to_pcapng(self, path: str | os.PathLike[str]) -> Any:
        """Write the traffic as packets that Wireshark reads; they are made from the calls, and marked so."""
        from .packets.pcapng import to_pcapng

        return to_pcapng(self.events, path, opened_ns=self._opened_ns)

    def __repr__(self) -> str:
        return self.text() if not self.is_open else f"<trace, open, {len(self.events)} calls so far>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if self.is_open:
            return {"text/plain": repr(self)}
        data, metadata = self.ladder()._repr_mimebundle_()
        return {**data, "text/plain": self.text()}, metadata


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collections: among a million new objects that stay, each would find nothing, ever more slowly."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_MANY = 50_000  # events that take a second to look at, on a slow machine


class Events(Sequence[Event]):
    """The calls of a trace: an `Event` is made when somebody looks at it, for a million of them would fill a memory."""

    def __init__(
        self, lanes: list[Taken], opener: int | None, opened: float, unread: dict[End, int], links: Known
    ) -> None:
        self._opened = opened
        with _uncollected(), Progress("Putting the calls in order") as bar:
            self._told = Told(lanes, opener, unread, links, bar.show_if_due)
            self._ends = name_ends(self._told, opener)
            self._threads = name_threads(self._told, opener)

    @property
    def ends(self) -> tuple[Endpoint, ...]:
        """The sockets that these calls mention."""
        return tuple(self._ends.values())

    def __len__(self) -> int:
        return len(self._told.calls)

    @overload
    def __getitem__(self, at: int) -> Event: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Event, ...]: ...

    def __getitem__(self, at: int | slice) -> Event | tuple[Event, ...]:
        if isinstance(at, slice):
            return tuple(map(self._event, self._told.calls[at]))
        return self._event(self._told.calls[at])

    def __iter__(self) -> Iterator[Event]:
        return iter(self._few) if len(self) < _MANY else self._slowly()

    @cached_property
    def _few(self) -> list[Event]:
        return list(map(self._event, self._told.calls))

    def _slowly(self) -> Iterator[Event]:
        """All events, with a bar that shows how far it has come."""
        with Progress("Reading the calls") as bar:
            for at in range(0, len(self), _MANY // 10):
                bar.show_if_due(at / len(self))
                yield from map(self._event, self._told.calls[at : at + _MANY // 10])

    def __repr__(self) -> str:
        return f"<{len(self)} events>"

    def _event(self, call: Call) -> Event:
        operation, where = call.operation, call.where
        failure = call.moved if isinstance(call.moved, Failure) else None
        result = ""
        if where is not None and where.ends and failure is None:
            result = ", ".join(f"<{self._ends[end].name}>" for end in where.ends if end in self._ends)
        elif where is not None and where.result:
            result = where.result
        elif not operation.direction and failure is None:
            result = call.moved
        return Event(
            call.number,
            operation.name,
            self._ends.get(call.who) if call.who is not None else None,
            _asked(call),
            result,
            failure,
            call.size,
            call.data,
            operation.direction,
            call.offset,
            self._pieces(call),
            tuple(sorted({cause.number for cause in causes_of(call)})),
            bool(operation.direction == IN and call.flags & _PEEK),
            None if call.inside is None else call.inside.number,
            operation.housekeeping,
            "tls" if operation.tls else "socket",
            self._threads[call.lane],
            round((call.start - self._opened) * 1e9),
            round((call.end - self._opened) * 1e9),
            call.address,
            call in self._told.by_link,
        )

    def _pieces(self, call: Call) -> tuple[Piece, ...]:
        if call.operation.direction == OUT:
            return tuple(
                Piece(call.number, target.number, start, stop, at)
                for target in self._receivers.get(call, ())
                for source, start, stop, at in target.pieces or ()
                if source is call
            )
        return tuple(
            Piece(source.number, call.number, start, stop, at) for source, start, stop, at in call.pieces or ()
        )

    @cached_property
    def _receivers(self) -> dict[Call, list[Call]]:
        """For each send the calls that got its bytes."""
        found: dict[Call, list[Call]] = {}
        for call in self._told.calls:
            for source in {source: None for source, *_ in call.pieces or ()}:
                found.setdefault(source, []).append(call)
        return found


_PEEK = 2  # MSG_PEEK, on every system that Python runs on


def _asked(call: Call) -> str:
    """The arguments that matter: how many bytes for a recv, which flags; of a send, the payload is in `data`."""
    words = []
    if call.operation.direction == IN:
        words.append("" if call.asked is None else str(call.asked))
    elif call.operation.direction != OUT:
        words.append(str(call.asked))
    if call.flags:
        words.append(flag_names(call.flags))
    if call.where is not None and call.where.words:
        words.append(call.where.words)
    return ", ".join(filter(None, words))


def trace(name: str = "", *, events: int = EVENTS, payload: int = PAYLOAD) -> Trace:
    """Record every socket call of this process, at both ends, while a ``with`` block runs.

    ``with trace() as t: ...`` and then ``t``, ``t.timeline()``, ``t.table()``, ``t.events``, ``t.to_pcapng(path)``.
    `events` is the number of calls after which recording stops, `payload` the number of bytes of which contents are
    kept; both are for all traces that are open at the same time, which share what they record. Methods of the class
    `socket.socket` (and of `ssl.SSLSocket`, and functions of `socket`, `select`, `selectors`) are replaced while any
    trace is open, and put back when the last one closes. What goes through a `faulty_link` is told as one conversation
    of its two ends; for what is on its way in a link, a trace that closes waits, a second at most. What panels say by
    themselves is left out. Raises ValueError where a limit is negative.
    """
    for what, value in (("events", events), ("payload", payload)):
        if not isinstance(value, int) or value < 0:
            raise ValueError(f"{what} must be a number from 0 up, not {value!r}")
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__} {name!r}")
    return Trace(name, events, payload)
