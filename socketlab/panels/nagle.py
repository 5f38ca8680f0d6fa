"""NaglePanel: a request in two small writes, and switches for all that can be done about the wait in it.

Below is `experiments.nagle`; what the exchange looks like, and why, is in nagle_picture.py.
"""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..experiments.running import Steps
from ..experiments.streams.nagle import SmallWrites, Way, small_writes_steps
from ..experiments.streams.two_writes import ONE_WRITE, REMEDIES, TWO_WRITES, missing
from ..measure.timing import bytes_text, seconds_text
from .drawing.chart import Series, chart
from .drawing.held_back import cause, conversation_picture
from .drawing.look import BLUE, FITS, GREY, ORANGE, count
from .drawing.scale import Axis
from .experiment import ExperimentPanel

EXCHANGES = 20  # of 44 ms each where they wait: a second
SIZES = (1, 4, 12, 40, 100, 400, 1000, 4000, 16_000, 40_000, 65_536, 200_000)  # bytes

_TIPS = {
    "TCP_NODELAY": "The client sends each write at once: no Nagle's algorithm",
    "TCP_QUICKACK": "The server acknowledges at once; set again before each recv",
    "TCP_CORK": "The client holds back what is not a full segment, until it takes the cork out after the second write",
    "MSG_MORE": "A flag of the first write: more is to come",
    ONE_WRITE: "Header and body joined before they are written",
}


class NaglePanel(ExperimentPanel):
    """Small writes under your hands: latency of each exchange, who waited for whom, and why."""

    title = "Small writes"
    about = "how long a request takes that is written in two pieces, with and without each remedy"
    hint = "See 44 ms with nothing ticked; then find the five ways to be rid of them. What if the body is 65,536 bytes?"
    regions = (
        "the time of each exchange, with the way measured before beside it",
        "who waited for whom: header, body, acknowledgement, reply",
    )

    def __init__(self) -> None:
        self.remedies = {name: _tick(name) for name in REMEDIES}
        self.header = _size("Header", 12, "Bytes of the first write")
        self.body = _size("Body", 100, "Bytes of the second write")
        self._before: Way | None = None
        super().__init__([*self.remedies.values(), self.header, self.body])

    @property
    def way(self) -> str:
        """The way that the switches say, as `small_writes` names it. MSG_MORE has no place beside one write."""
        ticked = [name for name, box in self.remedies.items() if box.value and not box.disabled]
        if ONE_WRITE in ticked and "MSG_MORE" in ticked:
            ticked.remove("MSG_MORE")
        return " + ".join(ticked) or TWO_WRITES

    def steps(self) -> Steps[SmallWrites]:
        if self.result is not None and self.result.ways and self.result.ways[0].exchanges:
            before: Way = self.result.ways[0]
            if before.label != self.way:
                self._before = before
        return small_writes_steps(self.way, header=self.header.value, body=self.body.value, exchanges=EXCHANGES)

    def picture(self, result: SmallWrites) -> str:
        if not result.ways:
            return ""
        (way,) = result.ways
        series = []
        warm = len(way.warmup)
        if self._before is not None:
            shown = enumerate(self._before.exchanges, 1 + warm)
            series.append(Series(f"before: {self._before.label}", _points(shown), "line", GREY))
        series.append(Series("warm-up", _points(enumerate(way.warmup, 1)), "dots", ORANGE))
        series.append(Series(way.label, _points(enumerate(way.exchanges, 1 + warm)), "dots", BLUE))
        picture = chart(
            series,
            x=Axis("exchange", low=0, high=warm + EXCHANGES + 1),
            y=Axis("latency", seconds_text, low=5e-6, high=0.2, log=True),
            height=210,
        )
        return picture + conversation_picture(way, result.header, result.body)

    def finding(self, result: SmallWrites) -> str:
        if result.lacking:
            return f"This system lacks what {result.lacking[0]} needs."
        if not result.ways or not result.ways[0].exchanges:
            return "Warming up: a new connection acknowledges quickly at first."
        (way,) = result.ways
        size = f"{bytes_text(result.header)} + {bytes_text(result.body)}"
        went = f" in {count(way.segments, 'segment')}" if way.segments is not None else ""
        return (
            f"{way.label}, {size}{went}: {seconds_text(way.timing.p50)} in the median. "
            f"{cause(way, result.header, result.body)}"
        )


def _points(exchanges: Any) -> list[tuple[float, float | None]]:
    return [(float(number), exchange.latency) for number, exchange in exchanges]


def _tick(name: str) -> Any:
    lacks = missing(frozenset({name}))
    tip = f"This system has no {name}" if lacks else _TIPS[name]
    layout = widgets.Layout(width="auto", max_width=FITS, margin="2px 16px 2px 2px")
    return widgets.Checkbox(False, description=name, tooltip=tip, disabled=bool(lacks), indent=False, layout=layout)


def _size(name: str, value: int, tip: str) -> Any:
    options = [(f"{size:,} B", size) for size in SIZES]
    layout = widgets.Layout(width="340px", max_width=FITS)
    return widgets.SelectionSlider(
        options=options, value=value, description=name, tooltip=tip, continuous_update=False, layout=layout
    )
