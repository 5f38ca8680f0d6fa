"""The state diagram of TCP (RFC 9293, figure 5) as SVG: where each end is now, and which way it came.

CLOSED stands at the top, where a connection begins, and once more at the bottom, where it has ended, as in the RFC.
Lines and letters have JupyterLab's colours, which follow its theme; the ends have a colour each (Okabe and Ito's), a
label with their name, and for the way that they took a line of their own, so that nothing depends on the colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from math import hypot
from typing import NamedTuple

from ...experiments.doors.following import End
from ...experiments.doors.transitions import CLOSED, JUMP, ONLY, WAYS, WORDS, Step, rfc
from ..drawing.look import BLUE, GREEN, ORANGE

_END = "END"  # CLOSED at the bottom
_WIDTH, _HEIGHT = 900, 500
_BOX = (132.0, 38.0)

_PLACES = {
    "CLOSE": (450.0, 30.0), "LISTEN": (200.0, 105.0), "SYN_SENT": (700.0, 105.0), "SYN_RECV": (200.0, 195.0),
    "ESTABLISHED": (450.0, 195.0), "FIN_WAIT1": (300.0, 290.0), "CLOSE_WAIT": (700.0, 290.0),
    "FIN_WAIT2": (120.0, 380.0), "CLOSING": (480.0, 380.0), "LAST_ACK": (700.0, 380.0), "TIME_WAIT": (300.0, 465.0),
    _END: (700.0, 465.0),
}  # fmt: skip

# Where the words of a way stand: the point, and which of their ends is there.
_LABELS = {
    ("CLOSE", "LISTEN"): (300, 55, "end"), ("CLOSE", "SYN_SENT"): (600, 55, "start"),
    ("LISTEN", "SYN_RECV"): (190, 155, "end"), ("SYN_SENT", "SYN_RECV"): (560, 118, "middle"),
    ("SYN_SENT", "ESTABLISHED"): (604, 172, "start"), ("SYN_RECV", "ESTABLISHED"): (325, 185, "middle"),
    ("ESTABLISHED", "FIN_WAIT1"): (394, 256, "start"), ("ESTABLISHED", "CLOSE_WAIT"): (604, 244, "start"),
    ("SYN_RECV", "FIN_WAIT1"): (236, 250, "end"), ("FIN_WAIT1", "FIN_WAIT2"): (194, 334, "end"),
    ("FIN_WAIT1", "CLOSING"): (402, 334, "start"), ("FIN_WAIT1", "TIME_WAIT"): (309, 386, "start"),
    ("FIN_WAIT2", "TIME_WAIT"): (190, 434, "end"), ("CLOSING", "TIME_WAIT"): (404, 434, "start"),
    ("CLOSE_WAIT", "LAST_ACK"): (711, 340, "start"), ("LAST_ACK", _END): (711, 428, "start"),
    ("TIME_WAIT", _END): (500, 456, "middle"),
}  # fmt: skip

#: Of each side: its colour, and that of letters on it.
COLOURS = {"listener": (GREEN, "#000"), "client": (BLUE, "#fff"), "server": (ORANGE, "#000")}
_OFFSETS = {"listener": 0.0, "client": 3.0, "server": -3.0}  # side by side where both went the same way
_LINE = "var(--jp-border-color0, #8c8c8c)"
_DASHES = {ONLY: ' stroke-dasharray="7 4"', JUMP: ' stroke-dasharray="2 4"'}


class _Line(NamedTuple):
    """From one box's edge to another's, straight, or drawn towards the point `over`."""

    x: float
    y: float
    to_x: float
    to_y: float
    over: tuple[float, float] | None = None


def diagram(ends: Mapping[str, End], paths: Mapping[str, Iterable[Step]]) -> str:
    """An ``<svg>`` as wide as its place. What it shows is said in words for those who do not see it."""
    where = {side: _place(end.state, list(paths[side])) for side, end in ends.items() if end.state}
    spoken = "; ".join(f"{side} in {rfc(ends[side].state or '')}" for side in where) or "no connection"
    parts = [_way(a, b) for a, b in map(_drawn, WAYS)]
    parts += [_step(side, step) for side in ends for step in paths[side]]
    parts += [_box(name, [side for side, place in where.items() if place == name]) for name in _PLACES]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="TCP state diagram: {escape(spoken)}" '
        'style="display:block;width:100%;min-width:560px;height:auto;color:var(--jp-ui-font-color1,inherit);'
        'font-family:var(--jp-ui-font-family,sans-serif)">' + "".join(parts) + "</svg>"
    )


def _place(state: str | None, path: list[Step]) -> str:
    """The box of a state: CLOSED is at the bottom for those who have had a connection."""
    ended = state == CLOSED and path and path[-1].before not in (CLOSED, "SYN_SENT", "LISTEN")
    return _END if ended else state or ""


def _drawn(way: tuple[str, str]) -> tuple[str, str]:
    a, b = way
    return (a, _END) if b == CLOSED and a not in ("SYN_SENT", "LISTEN") else (a, b)


def _box(name: str, sides: list[str]) -> str:
    x, y = _PLACES[name]
    width, height = _BOX
    state = CLOSED if name == _END else name
    left, top = x - width / 2, y - height / 2
    frame = f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="6" '
    ground = f'{frame}fill="var(--jp-layout-color0, #fff)" stroke="{_LINE}"/>'
    marks = ""
    for n, side in enumerate(sides):
        colour, ink = COLOURS[side]
        inset = 3.0 * n
        ground += (
            f'<rect x="{left + inset}" y="{top + inset}" width="{width - 2 * inset}" height="{height - 2 * inset}" '
            f'rx="6" fill="{colour}" fill-opacity="0.14" stroke="{colour}" stroke-width="3"/>'
        )
        at = left + width / 2 + (n - (len(sides) - 1) / 2) * 70
        marks += (
            f'<rect x="{at - 33}" y="{top - 12}" width="66" height="18" rx="9" fill="{colour}"/>'
            f'<text x="{at}" y="{top + 1}" text-anchor="middle" font-size="12" font-weight="600" fill="{ink}">'
            f"{side}</text>"
        )
    down = 9 if sides else 5
    words = f'<text x="{x}" y="{y + down}" text-anchor="middle" font-size="14" font-weight="600" fill="currentColor">'
    return (
        f"<g><title>{escape(rfc(state))}: {escape(WORDS[state])}</title>{ground}{words}{rfc(state)}</text>{marks}</g>"
    )


def _way(a: str, b: str) -> str:
    line = _between(a, b, 0.0)
    words = ""
    if (a, b) in _LABELS:
        x, y, anchor = _LABELS[a, b]
        text = WAYS.get((a, b)) or WAYS[a, CLOSED]
        words = (
            f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="12" fill="currentColor" '
            f'paint-order="stroke" stroke="var(--jp-layout-color0, #fff)" stroke-width="4">{escape(text)}</text>'
        )
    return _arrow(line, _LINE, 1.2, "") + words


def _step(side: str, step: Step) -> str:
    ended = step.after == CLOSED and step.before not in ("SYN_SENT", "LISTEN")
    place = _END if ended else step.after
    colour, dashes = COLOURS[side][0], _DASHES.get(step.known, "")
    if step.known == JUMP and (step.before, step.after) not in WAYS:
        return _arrow(_around(step.before, place), colour, 3.0, dashes)
    return _arrow(_between(step.before, place, _OFFSETS[side]), colour, 3.0, dashes)


def _around(a: str, b: str) -> _Line:
    """A bow that leaves the boxes between `a` and `b` aside: upwards, or to the right of a way straight down."""
    (x, y), (to_x, to_y) = _PLACES[a], _PLACES[b]
    length = hypot(to_x - x, to_y - y) or 1.0
    right, down = (to_x - x) / length, (to_y - y) / length
    bow = 170.0 if to_x == x else 0.2 * length
    sign = 1.0 if right >= 0 else -1.0
    over = (x + to_x) / 2 + sign * down * bow, (y + to_y) / 2 - sign * right * bow

    def edge(at_x: float, at_y: float) -> tuple[float, float]:
        """Where the bow leaves a box, or comes to it."""
        far = hypot(over[0] - at_x, over[1] - at_y) or 1.0
        towards = (over[0] - at_x) / far, (over[1] - at_y) / far
        reach = _reach(*towards)
        return at_x + towards[0] * reach, at_y + towards[1] * reach

    return _Line(*edge(x, y), *edge(to_x, to_y), over)


def _between(a: str, b: str, offset: float) -> _Line:
    """From the edge of box `a` to that of box `b`, moved to the side by `offset`.

    Ways there and back lie beside each other: between CLOSED and its two neighbours.
    """
    (x, y), (to_x, to_y) = _PLACES[a], _PLACES[b]
    length = hypot(to_x - x, to_y - y) or 1.0
    right, down = (to_x - x) / length, (to_y - y) / length
    if CLOSED in (a, b):
        offset += -7.0 if "SYN_SENT" in (a, b) else 7.0
    start, end = _reach(right, down), _reach(right, down)
    return _Line(
        x + right * start - down * offset, y + down * start + right * offset,
        to_x - right * end - down * offset, to_y - down * end + right * offset,
    )  # fmt: skip


def _reach(right: float, down: float) -> float:
    """How far the edge of a box is from its middle, in this direction."""
    width, height = _BOX
    return min(width / 2 / abs(right) if right else 1e9, height / 2 / abs(down) if down else 1e9) + 2


def _arrow(line: _Line, colour: str, width: float, dashes: str) -> str:
    from_x, from_y = line.over or line[:2]  # where it comes from in the end
    length = hypot(line.to_x - from_x, line.to_y - from_y) or 1.0
    right, down = (line.to_x - from_x) / length, (line.to_y - from_y) / length
    head = 5 + 2 * width
    x, y = line.to_x - right * head, line.to_y - down * head  # where the line ends and the head begins
    half = head / 2.2
    points = (
        f"{line.to_x:.1f},{line.to_y:.1f} {x - down * half:.1f},{y + right * half:.1f} "
        f"{x + down * half:.1f},{y - right * half:.1f}"
    )
    bend = f"Q{line.over[0]:.1f} {line.over[1]:.1f} " if line.over else "L"
    return (
        f'<path d="M{line.x:.1f} {line.y:.1f}{bend}{x:.1f} {y:.1f}" fill="none" stroke="{colour}" '
        f'stroke-width="{width}"{dashes}/><polygon points="{points}" fill="{colour}"/>'
    )
