"""Who waits for whom when a request is written in two pieces: a drawing with measured times, and the cause in words.

The drawing is not to scale: between 20 µs and 40 ms nothing would be to be seen of the quick steps. The times in it
are those of the exchange with the median latency. When an acknowledgement left is not measured: the client cannot
tell, but the body that it released arrived with it.
"""

from __future__ import annotations

from html import escape

from ...experiments.streams.nagle import Way
from ...experiments.streams.two_writes import ONE_WRITE, Exchange
from ...measure.timing import seconds_text
from .look import BLUE, GREEN, ORANGE, RED, count

WIDTH, HEIGHT = 900, 176
_CLIENT, _SERVER = 52, 132  # heights of the two lanes
_TEXT = "var(--jp-ui-font-color1, #333)"
_EDGE = "var(--jp-border-color0, #8c8c8c)"


def conversation_picture(way: Way, header: int, body: int) -> str:
    """The typical exchange of `way` as an SVG; "" before the first."""
    if not way.exchanges:
        return ""
    one = way.typical
    if way.waits:
        parts = _held(one, header, body)
    elif way.segments == 1:
        parts = _together(one, header, body)
    else:
        parts = _apart(one, header, body, acknowledged="TCP_QUICKACK" in way.label and "TCP_NODELAY" not in way.label)
    for name, at in (("client", _CLIENT), ("server", _SERVER)):
        parts.insert(0, f'<path d="M74 {at}H{WIDTH - 14}" stroke="{_EDGE}"/>' + _words(66, at + 4, name, "end"))
    spoken = escape(cause(way, header, body), quote=True)
    size = f"display:block;width:100%;min-width:620px;max-width:{WIDTH}px"
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{spoken}" style="{size}">{"".join(parts)}</svg>'
    head = "The exchange in the middle, step by step (measured times, not to scale)"
    return f'<div class="sl-head">{head}</div><div style="overflow-x:auto">{svg}</div>'


def cause(way: Way, header: int, body: int) -> str:
    """Why the exchanges of `way` take as long as they do."""
    names = way.label.split(" + ")
    if way.waits:
        start = ""
        if way.warmup and not way.warmup[0].held and way.warmup[0].latency < way.timing.p50 / 10:
            first = seconds_text(way.warmup[0].latency, 2)
            start = f" The first exchange took only {first}: a new connection acknowledges at once."
        return (
            f"The body ({count(body, 'byte')}) may not leave while the header is unacknowledged: Nagle's algorithm. "
            f"The server delays its acknowledgement, hoping for an answer to send it with, and the answer needs the "
            f"body. After {seconds_text(way.typical.complete, 2)} its timer ends the wait.{start}"
        )
    if way.segments == 1:
        how = {ONE_WRITE: "one write", "MSG_MORE": "MSG_MORE held the header back", "TCP_CORK": "the cork held both"}
        why = next((words for name, words in how.items() if name in names), "the kernel had both before it sent")
        return f"Header and body left in one segment ({why}), so there was nothing to acknowledge in between."
    if "TCP_NODELAY" in names:
        return "TCP_NODELAY: the body left at once, behind the unacknowledged header, in a segment of its own."
    if "TCP_QUICKACK" in names:
        return "TCP_QUICKACK: the server acknowledged the header at once, and that let the body go."
    if way.mss is not None and max(header, body) >= way.mss:
        return f"A full segment ({way.mss:,} bytes here) is never held back, and two of them are acknowledged at once."
    return "The header was acknowledged before the body was written, so the body did not have to wait."


def _held(one: Exchange, header: int, body: int) -> list[str]:
    wait = seconds_text(max(one.complete - one.heard, 0.0), 3)
    return [
        _arrow(90, _CLIENT, 150, _SERVER, BLUE),
        _words(90, _CLIENT - 28, f"header, {count(header, 'byte')}"), _time(90, _CLIENT - 12, 0.0),
        _time(154, _SERVER + 27, one.heard, "middle"),
        _bar(128, 612, _CLIENT, ORANGE, f"{count(body, 'byte')} of body held back: the header is unacknowledged"),
        _bar(166, 586, _SERVER, RED, f"acknowledgement held back for {wait}, for want of an answer"),
        _arrow(590, _SERVER, 640, _CLIENT, RED, dashed=True), _words(640, _CLIENT - 12, "ACK", "middle"),
        _arrow(650, _CLIENT, 716, _SERVER, ORANGE), _words(692, _CLIENT + 22, "body"),
        _time(716, _SERVER + 27, one.complete, "middle"),
        _arrow(740, _SERVER, 806, _CLIENT, GREEN), _words(786, _CLIENT + 46, "reply"),
        _time(806, _CLIENT - 12, one.latency, "middle"),
    ]  # fmt: skip


def _together(one: Exchange, header: int, body: int) -> list[str]:
    return [
        _arrow(170, _CLIENT, 330, _SERVER, BLUE), _arrow(178, _CLIENT, 338, _SERVER, ORANGE),
        _words(170, _CLIENT - 28, f"header and body, {count(header + body, 'byte')}, in one segment"),
        _time(170, _CLIENT - 12, 0.0), _time(334, _SERVER + 18, one.complete, "middle"),
        _arrow(520, _SERVER, 680, _CLIENT, GREEN), _words(650, _CLIENT + 40, "reply"),
        _time(680, _CLIENT - 12, one.latency, "middle"),
    ]  # fmt: skip


def _apart(one: Exchange, header: int, body: int, *, acknowledged: bool) -> list[str]:
    parts = [
        _arrow(110, _CLIENT, 230, _SERVER, BLUE), _words(110, _CLIENT - 28, f"header, {count(header, 'byte')}"),
        _time(110, _CLIENT - 12, 0.0), _time(230, _SERVER + 18, one.heard, "middle"),
    ]  # fmt: skip
    at = 250
    if acknowledged:
        parts += [
            _arrow(240, _SERVER, 340, _CLIENT, GREEN, dashed=True),
            _words(300, _CLIENT + 24, "ACK at once", "end"),
        ]
        at = 360
    parts += [
        _arrow(at, _CLIENT, at + 120, _SERVER, ORANGE), _words(at, _CLIENT - 28, f"body, {count(body, 'byte')}"),
        _time(at, _CLIENT - 12, one.first), _time(at + 120, _SERVER + 18, one.complete, "middle"),
        _arrow(580, _SERVER, 720, _CLIENT, GREEN), _words(690, _CLIENT + 44, "reply"),
        _time(720, _CLIENT - 12, one.latency, "middle"),
    ]  # fmt: skip
    return parts


def _words(x: float, y: float, text: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="13" fill="{_TEXT}" '
        f'font-family="var(--jp-ui-font-family, sans-serif)">{escape(text)}</text>'
    )


def _time(x: float, y: float, seconds: float, anchor: str = "start") -> str:
    return _words(x, y, seconds_text(seconds, 3) if seconds else "0", anchor)


def _bar(left: float, right: float, middle: float, colour: str, words: str) -> str:
    return (
        f'<rect x="{left}" y="{middle - 11}" width="{right - left}" height="22" rx="3" fill="{colour}" '
        f'fill-opacity="0.3" stroke="{colour}"/>' + _words((left + right) / 2, middle + 5, words, "middle")
    )


def _arrow(x: float, y: float, to_x: float, to_y: float, colour: str, *, dashed: bool = False) -> str:
    length = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5
    right, down = (to_x - x) / length, (to_y - y) / length
    base_x, base_y = to_x - 11 * right, to_y - 11 * down
    corners = ((to_x, to_y), (base_x - 5 * down, base_y + 5 * right), (base_x + 5 * down, base_y - 5 * right))
    points = " ".join(f"{corner_x:.1f},{corner_y:.1f}" for corner_x, corner_y in corners)
    dash = ' stroke-dasharray="6 4"' if dashed else ""
    return (
        f'<path d="M{x} {y}L{base_x:.1f} {base_y:.1f}" stroke="{colour}" stroke-width="2.6" fill="none"{dash}/>'
        f'<polygon points="{points}" fill="{colour}"/>'
    )
