"""What a conversation through a link looks like: its round trips, the sizes of its recvs, and where its bytes are.

The axis of time ends now; the link's faults are those of this moment, so that a slider's change is seen before the
first answer that it delays.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from ...experiments.through_link.probe import LinkProbe
from ...experiments.through_link.talk import CHANGED, KEPT
from ...experiments.through_link.words import changes_in_words, fault_text
from ...links import DatagramFaults, StreamFaults
from ...measure.timing import seconds_text
from ..drawing.chart import Mark, Series, chart
from ..drawing.look import BLUE, GREEN, GREY, ORANGE, RED
from ..drawing.scale import Axis

_COLOURS = {"fault": GREY, "again": GREEN, "reset": RED, "closed": RED, "refused": RED, "other": RED}
_WORDS = {"other": "other bytes"}
_LETTER = 0.13  # s of the axis that a letter of a mark takes
_AGO = Axis("seconds ago", lambda at: f"{abs(at):g}", -KEPT, 0.0)

Faults = Mapping[str, Any]


def link_picture(probe: LinkProbe, up: Faults, down: Faults) -> str:
    """The conversation so far, and what is wrong with the link at this moment."""
    marks = _marks(probe)
    if coming := changes_in_words((probe.up, probe.down), (up, down)):
        marks.append(Mark(0.0, _brief(", ".join(coming.values())), GREY))
    asked = asked_round_trip(up, down)
    height = max([asked, *(one.took for one in probe.answered)])
    both = seconds_text(asked) if asked else "none"
    level = Series(f"latency asked for, both ways: {both}", [(-KEPT, asked), (0.0, asked)], colour=GREY)
    time = Axis("until the last byte is back", lambda at: seconds_text(at) if at else "0", 0.0, 1.15 * height or 1e-3)
    trips = chart([*_trips(probe), level], x=_AGO, y=time, marks=marks, newest_first=True, height=250)
    return f"{wrong_now(up, down)}{trips}{_recvs(probe)}{_counts(probe)}"


def wrong_now(up: Faults, down: Faults) -> str:
    """What is wrong in either direction, as a line."""
    nothing = (StreamFaults if "bandwidth" in up else DatagramFaults).CHECKS
    texts = [
        ", ".join(fault_text(name, value) for name, value in way.items() if value != nothing[name][1]) or "nothing"
        for way in (up, down)
    ]
    if texts[0] == texts[1]:
        return f"<div>Wrong in both directions: <b>{html.escape(texts[0])}</b></div>"
    return f"<div>Wrong on the way up: <b>{html.escape(texts[0])}</b>; down: <b>{html.escape(texts[1])}</b></div>"


def asked_round_trip(up: Faults, down: Faults) -> float:
    """Seconds that the latencies of both directions add."""
    return float(up["latency"] + down["latency"])


def _trips(probe: LinkProbe) -> list[Series]:
    now = probe.seconds
    whole = [one for one in probe.answered if one.end != CHANGED]
    never = "lost" if probe.datagrams else "never answered"
    series = [
        Series("answered", [(one.sent - now, one.took) for one in whole], "dots", BLUE),
        Series(never, [(one.sent - now, 0.0) for one in probe.failed], "dots", RED),
    ]
    if probe.datagrams:
        changed = [(one.sent - now, one.took) for one in probe.answered if one.end == CHANGED]
        twice = [(one.sent - now, one.took) for one in whole if len(one.sizes) > 1]
        late = [(one.sent - now, one.took) for one in whole if one.overtaken]
        more = (("other bytes", changed, "#cc79a7"), ("came twice", twice, ORANGE), ("overtaken", late, GREEN))
        return series + [Series(label, points, "dots", colour) for label, points, colour in more]
    series.append(
        Series("end of stream after a half-close", [(at - now, took) for at, took in probe.ends], "dots", GREEN)
    )
    since = [(one.sent - now, now - one.sent) for one in probe.waiting]
    return [*series, Series("waiting", since, "line", ORANGE)]


def _marks(probe: LinkProbe) -> list[Mark]:
    """A line for each event; words where there is room, for what went wrong before the rest, and the newest first."""
    taken: list[tuple[float, float]] = []
    words: dict[int, str] = {}
    urgent = {"fault": 1, "again": 2}
    for n, event in sorted(enumerate(probe.events), key=lambda pair: (urgent.get(pair[1].what, 0), -pair[1].at)):
        text = _brief(event.words) if event.what == "fault" else _WORDS.get(event.what, event.what)
        at, long = event.at - probe.seconds, _LETTER * (len(text) + 2)
        place = (at - long, at) if at > -0.3 * KEPT else (at, at + long)  # as the chart will write them
        if all(place[1] < other[0] or place[0] > other[1] for other in taken):
            taken.append(place)
            words[n] = text
    return [
        Mark(event.at - probe.seconds, words.get(n, ""), _COLOURS[event.what]) for n, event in enumerate(probe.events)
    ]


def _brief(words: str) -> str:
    """The first of several changes."""
    first, _, more = words.partition(", ")
    return f"{first} …" if more else first


def _recvs(probe: LinkProbe) -> str:
    """One tick for each recv, as high as the bytes that it brought."""
    ticks = [(at - probe.seconds, float(size)) for at, size in probe.recvs]
    size = Axis("bytes a recv", low=0.0)
    recvs = Series("bytes that one recv brought", ticks, "bars", BLUE)
    return chart([recvs], x=_AGO, y=size, newest_first=True, height=130)


def _counts(probe: LinkProbe) -> str:
    """Where the bytes, or datagrams, are: a line for each direction."""
    unit = "datagrams" if probe.datagrams else "bytes"
    names = [name for name in probe.stats.up._fields if name != "taken"]
    place = "display:inline-block;min-width:96px;margin-right:10px"
    return "".join(
        f'<div><span style="{place};min-width:200px">{way}: <b>{count.taken:,}</b> {unit} taken</span>'
        + "".join(f'<span style="{place}"><b>{getattr(count, name):,}</b> {name}</span>' for name in names)
        + "</div>"
        for way, count in (("up", probe.stats.up), ("down", probe.stats.down))
    )
