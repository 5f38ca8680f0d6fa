"""Two attempts to reach one server, a lane for each, as an SVG to scale: what they wait for, who wins, and when."""

from __future__ import annotations

from html import escape

from ...experiments.addresses.race import FAILED, WON, Attempt, Race, finding, last_words, waits_for
from ...measure.timing import seconds_text
from .look import BLUE, GREEN, GREY, RED
from .scale import Axis, Scale

WIDTH, HEIGHT = 900, 170
_LEFT, _RIGHT, _TOP, _LANE = 62, 170, 34, 46  # a name on the left; on the right how the longest lane ended
_TEXT = "var(--jp-ui-font-color1, #333)"
_EDGE = "var(--jp-border-color0, #8c8c8c)"
_RIM = ' stroke="var(--jp-layout-color0, #fff)" stroke-width="4" stroke-linejoin="round" paint-order="stroke"'


def race_picture(race: Race) -> str:
    """`race`, also one that is under way, as HTML."""
    end = max(race.seconds, race.head_start, 0.02)
    scale = Scale(Axis("", low=0.0, high=end), [], _LEFT, WIDTH - _RIGHT, 7)
    bottom = _TOP + 2 * _LANE
    parts = [f'<path d="M{_LEFT} {bottom}H{WIDTH - _RIGHT}" stroke="{_EDGE}"/>']
    for tick in scale.ticks:
        parts.append(f'<path d="M{scale(tick)} {bottom}v5" stroke="{_EDGE}"/>')
        parts.append(_words(scale(tick), bottom + 20, f"{tick * 1e3:,.6g}", "middle"))
    parts.append(_words(scale(end) + 22, bottom + 20, "ms"))
    for row, one in enumerate(race.attempts):
        parts += _lane(one, race, scale, _TOP + row * _LANE + 8, end)
    at = scale(race.head_start)
    parts.append(f'<path d="M{at} {_TOP - 8}V{bottom}" stroke="{_TEXT}" stroke-width="1.5" stroke-dasharray="6 4"/>')
    late = at > WIDTH / 2
    words = f"head start: {seconds_text(race.head_start)}"
    parts.append(_words(at + (-6 if late else 6), _TOP - 14, words, "end" if late else "start"))
    spoken = escape(f"{finding(race)}. {'; '.join(f'{one.family}: {last_words(one)}' for one in race.attempts)}", True)
    size = f"display:block;width:100%;min-width:560px;max-width:{WIDTH}px"
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{spoken}" style="{size}">{"".join(parts)}</svg>'
    return f'<div style="overflow-x:auto">{svg}</div>'


def _lane(one: Attempt, race: Race, scale: Scale, top: float, end: float) -> list[str]:
    parts = [_words(_LEFT - 10, top + 20, one.family, "end")]
    if one.began is None:
        return [*parts, _words(_LEFT + 10, top + 20, last_words(one))]
    until = race.seconds if one.ended is None else one.ended
    left, right = scale(one.began), scale(until)
    colour = {WON: GREEN, FAILED: RED}.get(one.state, BLUE if one.ended is None else GREY)
    parts.append(
        f'<rect x="{left}" y="{top}" width="{max(right - left, 1.5):.1f}" height="30" rx="3" fill="{colour}" '
        f'fill-opacity="{0.55 if one.state == WON else 0.25}" stroke="{colour}"/>'
    )
    if inside := waits_for(one, until, end):
        parts.append(_words(left + 10, top + 20, inside, rim=True))
    if one.state == WON:
        parts.append(f'<circle cx="{right}" cy="{top + 15}" r="7" fill="{colour}"/>')
    elif one.state == FAILED:
        parts.append(f'<path d="M{right - 6} {top + 9}l12 12m0 -12l-12 12" stroke="{colour}" stroke-width="3.5"/>')
    return [*parts, _words(right + 14, top + 20, last_words(one), rim=True)]


def _words(x: float, y: float, text: str, anchor: str = "start", *, rim: bool = False) -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-size="13" fill="{_TEXT}"{_RIM if rim else ""} '
        f'font-family="var(--jp-ui-font-family, sans-serif)">{escape(text)}</text>'
    )
