"""A listener's door as a picture: who stands outside and when he knocks again, who sits in the queue, who is let in.

Clients are told apart by their numbers, their states by the place where they stand and by words; colours come third.
"""

from __future__ import annotations

from html import escape
from math import cos, pi, sin

from ...experiments.doors.door import ACCEPTED, FAILED, HALF_IN, OUTSIDE, QUEUED, Client, ListenQueue
from .look import BLUE, GREEN, GREY, ORANGE, RED, count

WIDTH = 900
_TOP, _CELL, _ROW = 62, 66, 62  # where the first row begins; the room of one client
_OUTSIDE, _SEATS, _INSIDE = (14, 5), (384, 4), (676, 5)  # where each place begins, and how many stand side by side
_TEXT = "var(--jp-ui-font-color1, #333)"
_EDGE = "var(--jp-border-color0, #8c8c8c)"
_PURPLE = "#cc79a7"


def door_picture(result: ListenQueue) -> str:
    """The clients of `result` where they are now, as an SVG. Its height depends on the numbers of clients and seats."""
    seats = result.backlog + 1 if result.seats is None else result.seats
    places: dict[str, list[Client]] = {state: [] for state in (OUTSIDE, QUEUED, ACCEPTED)}
    for client in result.clients:
        places[client.state if client.state in places else OUTSIDE].append(client)
    places[QUEUED].sort(key=lambda client: client.queued or 0.0)
    places[ACCEPTED].sort(key=lambda client: client.accepted or 0.0)
    rows = max(-(-len(result.clients) // 5), -(-seats // 4), 1)
    height = _TOP + rows * _ROW + 6
    outside, half, failed = (result.count(state) for state in (OUTSIDE, HALF_IN, FAILED))
    parts = [
        _heading(_OUTSIDE[0], "outside", _outside_words(result, outside, half, failed)),
        _heading(_SEATS[0], f"listen({result.backlog})", f"{len(places[QUEUED])} of {count(seats, 'seat')} taken"),
        _heading(_INSIDE[0], "accept()", f"{len(places[ACCEPTED])} accepted"),
    ]
    for wall in (_SEATS[0] - 24, _INSIDE[0] - 22):
        parts.append(f'<path d="M{wall} 8V{height - 6}" stroke="{_EDGE}" stroke-width="2" stroke-dasharray="10 6"/>')
    for n in range(seats):
        x, y = _spot(_SEATS, n)
        parts.append(
            f'<rect x="{x - 24}" y="{y - 22}" width="48" height="44" rx="5" fill="none" stroke="{BLUE}" '
            'stroke-width="1.6" stroke-dasharray="4 3"/>'
        )
    for place, state in ((_OUTSIDE, OUTSIDE), (_SEATS, QUEUED), (_INSIDE, ACCEPTED)):
        parts += [_person(client, *_spot(place, n), result.seconds) for n, client in enumerate(places[state])]
    spoken = escape(
        f"{outside} outside, {half} half in, {failed} failed, {len(places[QUEUED])} of {seats} seats taken, "
        f"{len(places[ACCEPTED])} accepted",
        quote=True,
    )
    size = f"display:block;width:100%;min-width:640px;max-width:{WIDTH}px"
    svg = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{spoken}" style="{size}">{"".join(parts)}</svg>'
    return f'<div style="overflow-x:auto;margin:6px 0">{svg}</div>'


def _outside_words(result: ListenQueue, outside: int, half: int, failed: int) -> str:
    words = [f"{outside} in connect()" if outside or not (half or failed) else ""]
    words += [f"{half} believe to be in" if half else "", f"{failed} failed" if failed else ""]
    return ", ".join(filter(None, words))


def _spot(place: tuple[int, int], n: int) -> tuple[float, float]:
    """The middle of the n-th spot of a place."""
    left, across = place
    room = _CELL if across < 5 or place is _OUTSIDE else 44
    return left + (n % across + 0.5) * room, _TOP + (n // across + 0.5) * _ROW - 6


def _heading(x: float, name: str, words: str) -> str:
    return _words(x, 22, name, "start", 14, 600) + _words(x, 42, words, "start", 13)


def _person(client: Client, x: float, y: float, now: float) -> str:
    """A disc with the client's number; outside a clock around it, and what it has done so far below."""
    colour = {OUTSIDE: ORANGE, HALF_IN: _PURPLE, QUEUED: BLUE, ACCEPTED: GREEN, FAILED: GREY}[client.state]
    ink = "#fff" if client.state == QUEUED else "#000"
    radius = 15 if client.state in (QUEUED, ACCEPTED) else 14
    parts = [
        f"<title>client {client.number}: {escape(_story(client))}</title>",
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>',
        _words(x, y + 5, str(client.number), "middle", 13, 600, ink),
    ]
    if client.state == FAILED:
        parts.append(_words(x, y + 33, client.error, "middle", 10.5))
    elif client.state in (OUTSIDE, HALF_IN) and client.next_try is not None:
        if client.state == OUTSIDE:
            parts.append(_clock(client, x, y, now))
        what = "SYN" if client.state == OUTSIDE else "data"
        parts.append(_words(x, y + 33, f"{what} {client.next_try:.1f} s", "middle", 11.5))
    return f"<g>{''.join(parts)}</g>"


def _clock(client: Client, x: float, y: float, now: float) -> str:
    """An arc that shrinks until the client's SYN is sent again."""
    left = client.next_try or 0.0
    whole = left + max(now - client.tries[-1], 0.0)
    share = min(left / whole, 0.999) if whole > 0 else 0.0
    angle = 2 * pi * share
    to_x, to_y, large = x + 19 * sin(angle), y - 19 * cos(angle), 1 if share > 0.5 else 0
    return (
        f'<path d="M{x:.1f} {y - 19:.1f}A19 19 0 {large} 1 {to_x:.1f} {to_y:.1f}" fill="none" stroke="{RED}" '
        'stroke-width="3.5"/>'
    )


def _story(client: Client) -> str:
    """What became of a client, in words."""
    tries = count(len(client.tries), "SYN")
    if client.state == OUTSIDE:
        return f"its connect() has not returned; {tries} sent"
    if client.state == HALF_IN:
        return f"its connect() returned after {client.connected:.2f} s, and it has no seat"
    if client.state == QUEUED:
        return f"in the queue since {client.queued:.2f} s; {tries} sent"
    if client.state == ACCEPTED:
        return f"accepted after {client.accepted:.2f} s; {tries} sent"
    return f"its connect() failed with {client.error}; {tries} sent"


def _words(x: float, y: float, text: str, anchor: str, size: float, weight: int = 400, ink: str = _TEXT) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{ink}" font-family="var(--jp-ui-font-family, sans-serif)">{escape(text)}</text>'
    )
