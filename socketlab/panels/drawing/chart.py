"""Charts as SVG, drawn anew at every step of an experiment: numbers in, text out, well below a millisecond a curve.

Why not matplotlib, which draws the notebooks' pictures: its settings belong to the whole process, while a panel is
drawn by a thread beside the cells; a picture of it takes some 60 ms of a slow core; and its paper cannot follow
JupyterLab's theme. Lines, letters and ground here have the theme's colours. Series are told apart by Okabe and Ito's
colours, and by dashes or the shape of their dots as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from .look import BLUE, GREEN, ORANGE, RED
from .scale import Axis, Scale

WIDTH, HEIGHT = 900, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 14, 12, 42  # room around the axes, for numbers and units
_TEXT = "var(--jp-ui-font-color1, #333)"
_EDGE = "var(--jp-border-color0, #8c8c8c)"
_GRID = "var(--jp-border-color2, #d0d0d0)"
# Letters have a rim of the ground's colour, so that no line runs through them.
_RIM = ' stroke="var(--jp-layout-color0, #fff)" stroke-width="3" stroke-linejoin="round" paint-order="stroke"'
_FONT = 'font-size="12.5" fill="' + _TEXT + '" font-family="var(--jp-ui-font-family, sans-serif)"'
#: Of the series, in turn: colour and dashes. Purple is Okabe and Ito's, a little lighter to be seen on dark.
STYLES = ((BLUE, ""), (RED, "7 4"), (GREEN, "2 3"), ("#cc79a7", "9 3 2 3"), (ORANGE, "12 3"), ("#56b4e9", "4 2"))
_MOST = 400  # points of a curve: more are not to be told apart, and every one takes room in the message


class Series(NamedTuple):
    """Points that belong together. A y of None parts a line; `kind` is "line", "step", "area", "dots" or "bars"."""

    label: str
    points: Sequence[tuple[float, float | None]]
    kind: str = "line"
    colour: str = ""  #: "": the next of STYLES


class Mark(NamedTuple):
    """A moment, or a value of x, with its words: a vertical line."""

    x: float
    words: str
    colour: str = ""


class Level(NamedTuple):
    """A limit: a dashed horizontal line with its words."""

    y: float
    words: str


def chart(
    series: Sequence[Series],
    *,
    x: Axis,
    y: Axis,
    marks: Sequence[Mark] = (),
    levels: Sequence[Level] = (),
    newest_first: bool = False,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> str:
    """The series on common axes as HTML: an SVG of `width` x `height`, and a legend above it where there are several.

    On a narrow page it can be scrolled sideways; with `newest_first` that begins at its right end, the present. What
    lies beyond a given `low` or `high` is drawn at the edge.
    Raises ValueError for an unknown kind.
    """
    for one in series:
        if one.kind not in _DRAWN:
            raise ValueError(f"a series is drawn as {', '.join(_DRAWN)}, not {one.kind!r}")
    points = [(px, py) for one in series for px, py in one.points if py is not None]
    edges = [edge for one in series if one.kind == "bars" for edge in _edges(one.points)]
    across = Scale(x, [px for px, _ in points] + [mark.x for mark in marks] + edges, _LEFT, width - _RIGHT, width // 90)
    along = Scale(y, [py for _, py in points] + [level.y for level in levels], height - _BOTTOM, _TOP, height // 45)
    parts = [_frame(across, along, x, y, width, height)]
    for level in levels:
        parts.append(_level(level, along, width))
    for one, (colour, dashes) in zip(series, _styles(series), strict=True):
        parts.append(_DRAWN[one.kind](_visible(one.points, across, along), across, along, colour, dashes))
    parts += [_stroke(mark, across, height) for mark in marks]
    above = _TOP + 10.0
    for mark in sorted(marks):
        parts.append(_words(mark, across, above, width))
        above = _TOP + 10.0 if above > _TOP + 34 else above + 14  # words of neighbours stand below one another
    if not points and not marks:
        parts.append(f'<text x="{width / 2}" y="{height / 2}" text-anchor="middle" {_FONT}>nothing measured yet</text>')
    about = escape(f"{y.label} against {x.label}: {', '.join(one.label for one in series)}", quote=True)
    size = f"display:block;width:100%;min-width:{min(width, 520)}px;max-width:{width}px"
    head = f'direction="ltr" viewBox="0 0 {width} {height}" role="img" aria-label="{about}" style="{size}"'
    svg = f"<svg {head}>{''.join(parts)}</svg>"
    first = "direction:rtl;" if newest_first else ""  # where the scrolling begins; the SVG has a direction of its own
    return f'{_legend(series)}<div style="{first}overflow-x:auto;margin:4px 0">{svg}</div>'


_Visible = list[list[tuple[float, float]]]  # unbroken pieces


def _visible(points: Sequence[tuple[float, float | None]], across: Scale, along: Scale) -> _Visible:
    pieces: _Visible = [[]]
    for px, py in points:
        if py is None or not (across.sees(px) and along.sees(py)):
            pieces.append([])
        elif across.low <= px <= across.high:
            pieces[-1].append((px, py))
    return [_thinned(piece) for piece in pieces if piece]


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of each group of neighbours the lowest and the highest: no peak is lost."""
    if len(points) <= _MOST:
        return points
    size, kept = math.ceil(len(points) / (_MOST // 2)), []
    for n in range(0, len(points), size):
        group = range(n, min(n + size, len(points)))
        ends = {min(group, key=lambda i: points[i][1]), max(group, key=lambda i: points[i][1])}
        kept += [points[i] for i in sorted(ends)]
    return kept


def _line(pieces: _Visible, across: Scale, along: Scale, colour: str, dashes: str, *, step: bool = False) -> str:
    path = []
    for piece in pieces:
        before = None
        for n, (px, py) in enumerate(piece):
            here = across(px), along(py)
            if step and before is not None:
                path.append(f"H{here[0]}")
            path.append(f"{'L' if n else 'M'}{here[0]} {here[1]}")
            before = here
        if len(piece) == 1:
            path.append("h0.1")  # a lone point: the round cap shows it
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round" '
        f'stroke-linecap="{"butt" if dashes else "round"}"{dash}/>'
    )


def _steps(pieces: _Visible, across: Scale, along: Scale, colour: str, dashes: str) -> str:
    return _line(pieces, across, along, colour, dashes, step=True)


def _area(pieces: _Visible, across: Scale, along: Scale, colour: str, dashes: str) -> str:
    ground = along.start
    shapes = []
    for piece in pieces:
        edge = "".join(f"L{across(px)} {along(py)}" for px, py in piece)
        shapes.append(f"M{across(piece[0][0])} {ground}{edge}L{across(piece[-1][0])} {ground}Z")
    fill = f'<path d="{"".join(shapes)}" fill="{colour}" fill-opacity="0.28" stroke="none"/>'
    return fill + _line(pieces, across, along, colour, "")


def _dots(pieces: _Visible, across: Scale, along: Scale, colour: str, dashes: str) -> str:
    places = [(across(px), along(py)) for piece in pieces for px, py in piece]
    if dashes:  # the second kind of dot, and so on: hollow
        return "".join(
            f'<circle cx="{a}" cy="{b}" r="3.6" fill="none" stroke="{colour}" stroke-width="1.8"/>' for a, b in places
        )
    return "".join(f'<circle cx="{a}" cy="{b}" r="3.6" fill="{colour}"/>' for a, b in places)


def _edges(points: Sequence[tuple[float, float | None]]) -> list[float]:
    """Where the first bar begins and the last one ends."""
    values = sorted({px for px, _ in points})
    half = min((b - a for a, b in pairwise(values)), default=1.0) / 2
    return [values[0] - half, values[-1] + half] if values else []


def _bars(pieces: _Visible, across: Scale, along: Scale, colour: str, dashes: str) -> str:
    places = sorted((across(px), along(py)) for piece in pieces for px, py in piece)
    gaps = [b[0] - a[0] for a, b in pairwise(places) if b[0] > a[0]]
    wide = round(max(1.0, min([40.0, *(0.8 * gap for gap in gaps)])), 1)
    return "".join(
        f'<rect x="{round(a - wide / 2, 1)}" y="{b}" width="{wide}" height="{max(0.0, round(along.start - b, 1))}" '
        f'fill="{colour}"/>'
        for a, b in places
    )


_DRAWN: dict[str, Callable[[_Visible, Scale, Scale, str, str], str]] = {
    "line": _line, "step": _steps, "area": _area, "dots": _dots, "bars": _bars,
}  # fmt: skip


def _frame(across: Scale, along: Scale, x: Axis, y: Axis, width: int, height: int) -> str:
    parts = []
    for tick in along.ticks:
        at = along(tick)
        parts.append(f'<path d="M{_LEFT} {at}H{width - _RIGHT}" stroke="{_GRID}" stroke-width="1"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4}" text-anchor="end" {_FONT}>{escape(y.text(tick))}</text>')
    for tick in across.ticks:
        at = across(tick)
        parts.append(f'<path d="M{at} {along.start}v4" stroke="{_EDGE}" stroke-width="1"/>')
        anchor = "end" if at > width - _RIGHT - 12 else "middle"
        parts.append(
            f'<text x="{at}" y="{along.start + 17}" text-anchor="{anchor}" {_FONT}>{escape(x.text(tick))}</text>'
        )
    parts.append(f'<path d="M{_LEFT} {_TOP}V{along.start}H{width - _RIGHT}" fill="none" stroke="{_EDGE}"/>')
    middle = (_LEFT + width - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{height - 6}" text-anchor="middle" {_FONT}>{escape(x.label)}</text>')
    turned = f"rotate(-90 12 {(along.start + _TOP) / 2})"
    parts.append(
        f'<text x="12" y="{(along.start + _TOP) / 2}" text-anchor="middle" transform="{turned}" {_FONT}>'
        f"{escape(y.label)}</text>"
    )
    return "".join(parts)


def _level(level: Level, along: Scale, width: int) -> str:
    at = along(level.y)
    below = at < _TOP + 16
    return (
        f'<path d="M{_LEFT} {at}H{width - _RIGHT}" stroke="{_TEXT}" stroke-width="1.2" stroke-dasharray="5 4"/>'
        f'<text x="{width - _RIGHT - 4}" y="{at + 14 if below else at - 4}" text-anchor="end" {_FONT}{_RIM}>'
        f"{escape(level.words)}</text>"
    )


def _stroke(mark: Mark, across: Scale, height: int) -> str:
    line = f"M{across(mark.x)} {_TOP}V{height - _BOTTOM}"
    return f'<path d="{line}" stroke="{mark.colour or _TEXT}" stroke-width="1.6"/>'


def _words(mark: Mark, across: Scale, above: float, width: int) -> str:
    at = across(mark.x)
    left = at > width * 0.7  # the words stand where there is room
    return (
        f'<text x="{at - 5 if left else at + 5}" y="{above}" text-anchor="{"end" if left else "start"}" '
        f"{_FONT}{_RIM}>{escape(mark.words)}</text>"
    )


def _styles(series: Sequence[Series]) -> list[tuple[str, str]]:
    turn = [STYLES[n % len(STYLES)] for n in range(len(series))]
    return [(one.colour or colour, dashes) for one, (colour, dashes) in zip(series, turn, strict=True)]


def _legend(series: Sequence[Series]) -> str:
    named = [(one, style) for one, style in zip(series, _styles(series), strict=True) if one.label]
    if len(named) < 2:
        return ""
    keys = []
    for one, (colour, dashes) in named:
        piece = [[(0.0, 0.0), (1.0, 0.0)]]
        if one.kind in ("line", "step"):
            dash = f' stroke-dasharray="{dashes}"' if dashes else ""
            sign = f'<path d="M1 7H27" stroke="{colour}" stroke-width="2.5"{dash}/>'
        elif one.kind == "dots":
            sign = _dots([piece[0][:1]], lambda _: 14.0, lambda _: 7.0, colour, dashes)  # type: ignore[arg-type]
        else:
            sign = f'<rect x="4" y="1" width="20" height="12" fill="{colour}" fill-opacity="0.6" stroke="{colour}"/>'
        keys.append(
            f'<span style="display:inline-block;margin-right:18px;white-space:nowrap">'
            f'<svg width="28" height="14" style="vertical-align:-2px">{sign}</svg> {escape(one.label)}</span>'
        )
    return f'<div style="margin-top:4px">{"".join(keys)}</div>'
