"""Who did what when: the record that `plots.lanes` draws.

A thread that waits in `accept()` or `recv()` does not run: the kernel has taken it off the CPU until something
arrives. So the time that a call was blocked can be measured from outside: the time that passed on the clock, less the
time for which the thread ran (its CPU time, CLOCK_THREAD_CPUTIME_ID in clock_gettime(2)). What is left also counts
waiting for a CPU or for Python's global lock, which on a busy machine is blocked time of another kind.
"""

import threading
from dataclasses import dataclass
from time import perf_counter_ns, thread_time_ns


@dataclass(frozen=True, repr=False)
class Span:
    """One call in one lane. `start`, `end` and `blocked` in seconds; `blocked` True means all of it, False none.

    Raises ValueError where the span ends before it starts or was blocked for longer than it lasted.
    """

    lane: str
    label: str
    start: float
    end: float
    blocked: float = 0.0

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"a Span wanted an end after its start, but {self.label!r} ends before")
        if isinstance(self.blocked, bool):
            object.__setattr__(self, "blocked", self.duration if self.blocked else 0.0)
        if not 0 <= self.blocked <= self.duration + 1e-9:  # start and end are floats, their difference is rounded
            raise ValueError(f"a Span wanted blocked from 0 to its duration in seconds, but got {self.blocked!r}")
        object.__setattr__(self, "blocked", min(self.blocked, self.duration))

    @property
    def duration(self) -> float:
        """Seconds from start to end."""
        return self.end - self.start

    def __repr__(self) -> str:
        return f"<Span {self.lane}: {self.label}>"


class Stopwatch:
    """Record calls as spans, from any number of threads; times count from the creation of the stopwatch.

    watch = Stopwatch()
    with watch("client", "connect()"):
        client.connect(server.address)
    lanes(watch.spans)

    A call that raises is recorded too, its label followed by the exception's name; a call that has not
    returned is not in `spans` yet.
    """

    def __init__(self) -> None:
        self._origin_ns = perf_counter_ns()
        self._spans: list[Span] = []
        self._lock = threading.Lock()

    def __call__(self, lane: str, label: str, *, blocked: bool | None = None) -> "_Running":
        """Record the `with` block as one span. `blocked` overrides what the thread's CPU time says."""
        return _Running(self, lane, label, blocked)

    @property
    def spans(self) -> tuple[Span, ...]:
        """What has been recorded, by start."""
        with self._lock:
            return tuple(sorted(self._spans, key=lambda span: span.start))

    def __len__(self) -> int:
        return len(self._spans)

    def __repr__(self) -> str:
        return f"<Stopwatch, {len(self)} span{'' if len(self) == 1 else 's'}>"

    def _add(self, span: Span) -> None:
        with self._lock:
            self._spans.append(span)


class _Running:
    """A span that has begun."""

    __slots__ = ("_blocked", "_label", "_lane", "_ran", "_start", "_watch")

    def __init__(self, watch: Stopwatch, lane: str, label: str, blocked: bool | None) -> None:
        self._watch, self._lane, self._label, self._blocked = watch, lane, label, blocked

    def __enter__(self) -> None:
        self._ran, self._start = thread_time_ns(), perf_counter_ns()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        end, ran = perf_counter_ns(), thread_time_ns()
        # The CPU clock is read outside the wall clock, and on Windows it moves in steps of 15 ms: keep within the span.
        blocked = min(max(end - self._start - (ran - self._ran), 0), end - self._start) / 1e9
        start, stop = ((t - self._watch._origin_ns) / 1e9 for t in (self._start, end))
        if self._blocked is not None:
            blocked = stop - start if self._blocked else 0.0
        label = self._label if kind is None else f"{self._label} {kind.__name__}"
        self._watch._add(Span(self._lane, label, start, stop, min(blocked, stop - start)))
