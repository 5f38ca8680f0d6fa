"""What clients that all ask at once live through, model under model on one time axis, as SVG.

A row for each client, in the order in which somebody began to work for it: thin and grey while it waits, a bar while
its handler is at work. The bars of one thread or process have one colour, and neighbours have different ones; the
shape tells the models apart without colour: stairs where one after the other is served, a wall where all at once are.
"""

from __future__ import annotations

from collections import defaultdict
from html import escape

from ...experiments.clients.by_clients import LatencyByClients, Load
from ...measure.timing import seconds_text
from .chart import STYLES
from .look import count
from .scale import Axis, Scale

WIDTH = 900
_LEFT, _RIGHT = 10, 14
_HEAD, _GAP, _FOOT = 20, 10, 40  # above a model's rows, below them, and the time axis
_TEXT = "var(--jp-ui-font-color1, #333)"
_EDGE = "var(--jp-border-color0, #8c8c8c)"
_GRID = "var(--jp-border-color2, #d0d0d0)"
_FONT = f'font-size="12.5" fill="{_TEXT}" font-family="var(--jp-ui-font-family, sans-serif)"'
_COLOURS = tuple(colour for colour, _ in STYLES)


def clients_picture(result: LatencyByClients) -> str:
    """The loads below one another, with the median and the p99 of each marked; "" where there are none yet."""
    if not result.loads:
        return ""
    most = max(64, min(128, 512 // len(result.loads)))  # pixels: 2 for each of 64 clients, where there is room
    blocks = [max(20, min(most, 10 * load.clients)) for load in result.loads]
    height = sum(blocks) + len(blocks) * (_HEAD + _GAP) + _FOOT
    end = max(load.seconds for load in result.loads)
    across = Scale(Axis("time"), [end], _LEFT, WIDTH - _RIGHT, 8)
    bottom = height - _FOOT
    parts = []
    for tick in across.ticks:
        at = across(tick)
        anchor = "start" if tick == 0 else "end" if at > WIDTH - 40 else "middle"
        parts.append(f'<path d="M{at} {_HEAD - 4}V{bottom}" stroke="{_GRID}"/>')
        time = seconds_text(tick, 2) if tick else "0"
        parts.append(f'<text x="{at}" y="{bottom + 16}" text-anchor="{anchor}" {_FONT}>{time}</text>')
    words = "time since the first client asked"
    parts.append(f'<text x="{WIDTH / 2}" y="{height - 5}" text-anchor="middle" {_FONT}>{words}</text>')
    top = 0
    for load, block in zip(result.loads, blocks, strict=True):
        parts.append(_block(load, top, block, across))
        top += _HEAD + block + _GAP
    about = escape("; ".join(_words(load) for load in result.loads), quote=True)
    size = f"display:block;width:100%;min-width:520px;max-width:{WIDTH}px"
    return (
        f'{_KEYS}<div style="overflow-x:auto;margin:4px 0"><svg viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{about}" style="{size}">'
        f"{''.join(parts)}</svg></div>"
    )


def _block(load: Load, top: int, block: int, across: Scale) -> str:
    rows = sorted(load.asks, key=lambda ask: (ask.began, ask.client))
    step = block / len(rows)
    waits, works = [], defaultdict(list)
    colours = {server: _COLOURS[n % len(_COLOURS)] for n, server in enumerate(load.servers)}
    for n, ask in enumerate(rows):
        y = round(top + _HEAD + (n + 0.5) * step, 2)
        waits.append(f"M{across(ask.asked)} {y}H{across(ask.answered)}")
        began, ended = across(ask.began), across(ask.ended)
        works[colours[ask.server]].append(f"M{began} {y}H{max(ended, began + 1)}")
    rest = escape(_words(load).removeprefix(load.model))
    parts = [
        f'<text x="{_LEFT}" y="{top + 14}" {_FONT}><tspan font-weight="600">{escape(load.model)}</tspan>{rest}</text>',
        f'<path d="{"".join(waits)}" stroke="{_EDGE}" stroke-width="{min(1.0, step * 0.5):.2f}" fill="none"/>',
    ]
    for colour, paths in works.items():
        thick = max(step * 0.8, 0.6)
        parts.append(f'<path d="{"".join(paths)}" stroke="{colour}" stroke-width="{thick:.2f}" fill="none"/>')
    for q, dashes in ((50, ' stroke-dasharray="3 3"'), (99, "")):
        at = across(load.timing.percentile(q))
        line = f"M{at} {top + _HEAD - 3}V{top + _HEAD + block + 3}"
        parts.append(f'<path d="{line}" stroke="{_TEXT}" stroke-width="1.6"{dashes}/>')
    return "".join(parts)


def _words(load: Load) -> str:
    """Latencies and who served, in words."""
    kinds: dict[str, int] = defaultdict(int)
    for server in load.servers:
        kinds[server.rstrip("0123456789 ")] += 1
    who = ", ".join("one loop" if kind == "the loop" else count(n, kind, _PLURALS[kind]) for kind, n in kinds.items())
    timing = load.timing
    return f"{load.model}: p50 {seconds_text(timing.p50, 2)}, p99 {seconds_text(timing.p99, 2)}, served by {who}"


_PLURALS = {"thread": "threads", "process": "processes", "the loop": "loops"}


def _key(sign: str, words: str) -> str:
    return (
        '<span style="display:inline-block;margin-right:18px;white-space:nowrap"><svg width="28" height="14" '
        f'style="vertical-align:-2px">{sign}</svg> {words}</span>'
    )


_KEYS = (
    '<div style="margin-top:4px">'
    + _key(f'<path d="M1 7H27" stroke="{_EDGE}"/>', "a client waits")
    + _key(f'<path d="M1 7H27" stroke="{_COLOURS[0]}" stroke-width="8"/>', "its handler works")
    + _key(f'<path d="M14 0V14" stroke="{_TEXT}" stroke-width="1.6" stroke-dasharray="3 3"/>', "p50")
    + _key(f'<path d="M14 0V14" stroke="{_TEXT}" stroke-width="1.6"/>', "p99")
    + "</div>"
)
