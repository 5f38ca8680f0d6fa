"""One loop and its clients on one time axis, as SVG: for whom the loop works, and who waits for an answer meanwhile.

On top a row for the time that the loop waits in `select`. Below, a row for each client: thin and grey while it waits
for its echo, a bar while the loop works for it. There is one thread, so no two bars stand above one another; a long one
has long grey lines above and below it.
"""

from __future__ import annotations

from html import escape

from ...experiments.waiting.loop_turns import WAITING
from ...experiments.waiting.slow_loop import SLOW, SlowLoop
from ...measure.spans import Span
from ...measure.timing import seconds_text
from .look import BLUE, GREY, ORANGE
from .scale import Axis, Scale

WIDTH = 900
_LEFT, _RIGHT, _TOP, _FOOT = 134, 14, 8, 40  # names, the edge, and the time axis below
_ROW, _BAR = 26, 14
_LEAST = 1.5  # pixels: a bar that is shorter would not be seen
_TEXT = "var(--jp-ui-font-color1, #333)"
_GRID = "var(--jp-border-color2, #d0d0d0)"
_FONT = f'font-size="12.5" fill="{_TEXT}" font-family="var(--jp-ui-font-family, sans-serif)"'


def loop_picture(result: SlowLoop) -> str:
    """The rows, with the time axis below them; "" before the loop's first turn."""
    gantt = result.gantt
    if not gantt.spans:
        return ""
    rows = (WAITING, *sorted(row for row in gantt.rows if row != "listener"))
    end = max([gantt.seconds, *(wait.end for wait in result.waits)])
    across = Scale(Axis("time", low=0.0, high=end), [end], _LEFT, WIDTH - _RIGHT, 8)
    bottom = _TOP + _ROW * len(rows)
    height = bottom + _FOOT
    parts = [_tick(tick, across, bottom) for tick in across.ticks]
    words = "time since the loop began"
    parts.append(f'<text x="{(_LEFT + WIDTH) / 2}" y="{height - 5}" text-anchor="middle" {_FONT}>{words}</text>')
    for n, row in enumerate(rows):
        y = _TOP + (n + 0.5) * _ROW
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4.5}" text-anchor="end" {_FONT}>{escape(_name(row))}</text>')
        waits = [wait for wait in result.waits if wait.lane == row]
        parts.append(_strokes(waits, across, y, f'stroke="{_TEXT}" stroke-width="1.4"'))
        work = [span for span in gantt.spans if span.lane == row]
        colour = GREY if row == WAITING else ORANGE if row == SLOW else BLUE
        faint = ' opacity="0.55"' if row == WAITING else ""
        parts.append(_strokes(work, across, y, f'stroke="{colour}" stroke-width="{_BAR}"{faint}'))
    about = escape("; ".join(f"{_name(row)}: {len([w for w in gantt.spans if w.lane == row])} times" for row in rows))
    size = f"display:block;width:100%;min-width:520px;max-width:{WIDTH}px"
    return (
        f'{_KEYS}<div style="overflow-x:auto;margin:4px 0"><svg viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{about}" style="{size}">{"".join(parts)}</svg></div>'
    )


def _name(row: str) -> str:
    return f"{row}, the slow one" if row == SLOW else row


def _tick(tick: float, across: Scale, bottom: float) -> str:
    at = across(tick)
    anchor = "end" if at > WIDTH - 40 else "middle"
    words = seconds_text(tick, 2) if tick else "0"
    return (
        f'<path d="M{at} {_TOP}V{bottom}" stroke="{_GRID}"/>'
        f'<text x="{at}" y="{bottom + 16}" text-anchor="{anchor}" {_FONT}>{words}</text>'
    )


def _strokes(spans: list[Span], across: Scale, y: float, look: str) -> str:
    path = "".join(
        f"M{across(span.start)} {y}H{round(max(across(span.end), across(span.start) + _LEAST), 1)}" for span in spans
    )
    return f'<path d="{path}" {look} fill="none"/>' if path else ""


def _key(sign: str, words: str) -> str:
    return (
        '<span style="display:inline-block;margin-right:18px;white-space:nowrap"><svg width="28" height="14" '
        f'style="vertical-align:-2px">{sign}</svg> {words}</span>'
    )


_KEYS = (
    '<div style="margin-top:4px">'
    + _key(f'<path d="M1 7H27" stroke="{_TEXT}" stroke-width="1.4"/>', "a client waits for its answer")
    + _key(f'<path d="M1 7H27" stroke="{ORANGE}" stroke-width="12"/>', "the loop works for the slow one")
    + _key(f'<path d="M1 7H27" stroke="{BLUE}" stroke-width="12"/>', "for another one")
    + _key(f'<path d="M1 7H27" stroke="{GREY}" stroke-width="12" opacity="0.55"/>', "it waits in select")
    + "</div>"
)
