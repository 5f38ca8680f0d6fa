"""What a conversation and an exchange look like: pure functions from the models to HTML.

Whatever came from outside (bytes, names, errors) goes through `code`, `literal` or `html.escape`.
"""

from __future__ import annotations

import html

from ..drawing.look import BLUE, GREEN, GREY, ORANGE, RED, code, count, dot, literal
from .conversation import Conversation, place
from .exchange import PHASES, Exchange
from .recording import CAME, EVENT, Row

COLOURS = {"connect": BLUE, "first byte": ORANGE, "last byte": GREEN}
LINES = 24  # of a response that are shown
WIDTH = 200  # bytes of a line that are shown


# -- the server panel ------------------------------------------------------------------------------------------


def status_picture(talk: Conversation, other: str = "") -> str:
    """Whether it listens, where, and who is connected; `other` has been chosen and is not what is being served."""
    problem = f"<div>{dot(RED)}{html.escape(talk.problem)}</div>" if talk.problem else ""
    server = talk.server
    if server is None:
        return f'<div role="status">{dot(GREY)}not started yet: press Start</div>{problem}'
    shown = html.escape(repr(server.address))
    address = f'<code class="sl-copy" tabindex="0" title="a click selects it">{shown}</code>'
    if server.closed:
        state = f"{dot(GREY)}stopped; {html.escape(talk.serving)} was at {address}"
    else:
        state = f"{dot(GREEN)}listening: {html.escape(talk.serving)} at {address}"
        if other:
            state += f"; to serve {html.escape(other)} instead, press Start"
    live = talk.record.live()
    who = "".join(
        f"<tr><td class='sl-tight'>client {connection.number}</td>"
        f"<td class='sl-tight'>{code(place(connection.peer))}</td>"
        f"<td class='sl-wide'>{_doing(connection.waits_in)}</td></tr>"
        for connection in live[:8]
    )
    if len(live) > 8:
        who += f"<tr><td colspan='3'>and {len(live) - 8:,} more</td></tr>"
    table = f"<table class='sl'><tbody>{who}</tbody></table>" if who else ""
    return (
        f'<div role="status">{state}</div>{problem}'
        f'<div class="sl-head">{len(live):,} connected, {server.accepted:,} accepted since the start</div>{table}'
    )


def _doing(call: str) -> str:
    return f"its handler is in {code(call + '()')}" if call else "its handler runs"


def client_picture(talk: Conversation) -> str:
    """What the panel's own client did and what came back to it."""
    visitor = talk.visitor
    if visitor is None:
        return f"<div>no client yet{': Send connects one and sends the text' if talk.running else ''}</div>"
    mark = dot(BLUE if visitor.present else GREY)
    came = f", received {code(literal(visitor.beginning, visitor.received))}" if visitor.received else ""
    end = f"; {html.escape(visitor.end)}" if visitor.end else ""
    name = f" {code(place(visitor.name))}" if isinstance(visitor.name, tuple) else ""
    return f"<div>{mark}client{name} {visitor.state}: sent {count(visitor.sent, 'byte')}{came}{end}</div>"


def record_picture(talk: Conversation) -> str:
    """The last calls of the handlers, oldest first."""
    record = talk.record
    sums = f"{count(record.came, 'byte')} came, {count(record.went, 'byte')} went back"
    rows = "".join(map(_row, record.rows()))
    if not rows:
        return "<div class='sl-head'>What the server heard and said</div><div>nothing yet</div>"
    earlier = f"; {count(record.dropped, 'earlier line')} not shown" if record.dropped else ""
    return (
        f"<div class='sl-head'>What the server heard and said: {sums}{earlier}</div>"
        "<table class='sl'><thead><tr><th>client</th><th>the handler's call</th><th>bytes</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _row(row: Row) -> str:
    if row.error:
        mark, what = RED, html.escape(row.error)
    elif row.direction == EVENT:
        mark, what = GREY, ""
    else:
        mark = BLUE if row.direction == CAME else ORANGE
        what = code(literal(row.data, row.size))
    call = code(row.call) if row.call.isidentifier() or "(" in row.call else html.escape(row.call)
    return (
        f"<tr><td>{row.connection}</td><td class='sl-tight'>{dot(mark)}{call}</td><td class='sl-wide'>{what}</td></tr>"
    )


# -- the request panel -----------------------------------------------------------------------------------------


def preview_picture(request: bytes) -> str:
    """The bytes that will be sent, a literal per line."""
    return f"<div class='sl-head'>{count(len(request), 'byte')} to send</div>{_lines(request)}"


def timing_picture(exchange: Exchange | None, problem: str = "", fault: str = "") -> str:
    """The bar with its three phases, and how the exchange ended; `fault` is what the server's handler raised."""
    if problem:
        return f'<div role="alert">{dot(RED)}{html.escape(problem)}</div>'
    if exchange is None:
        return "<div>not sent yet</div>"
    done = dict(exchange.phases)
    total = sum(done.values())
    segments = "".join(
        # A phase too short to be seen still gets two pixels: it did take place.
        f'<span style="flex:{done[name] / total:.4f} 1 0;min-width:2px;background:{COLOURS[name]}"></span>'
        for name in PHASES
        if name in done
    )
    together = ", it came with the first" if exchange.over and exchange.receives == 1 else ""
    legend = "".join(
        f'<span style="white-space:nowrap;margin-right:18px">{dot(COLOURS[name])}{name} '
        f"{duration(done[name]) if name in done else '–'}{together if name == 'last byte' else ''}</span>"
        for name in PHASES
    )
    spoken = ", ".join(f"{name} {duration(seconds)}" for name, seconds in done.items()) or "nothing yet"
    bar = (
        f'<div role="img" aria-label="timing: {spoken}" style="display:flex;height:16px;gap:1px;margin:6px 0 2px;'
        f'border-radius:2px;overflow:hidden;background:var(--jp-layout-color2,#eee)">{segments}</div>'
    )
    if not exchange.over:
        state = f"{dot(ORANGE)}waiting for the {PHASES[min(len(exchange.marks), 2)]}"
    elif exchange.outcome:
        state = f"{dot(GREY if exchange.complete else RED)}{html.escape(exchange.outcome)}"
    else:
        state = f"{dot(GREEN)}complete: the server closed after its last byte"
    if fault:
        state += f"<br>{dot(RED)}The server's handler raised {html.escape(fault)}"
    sum_up = f" · {duration(total)} in all" if done else ""
    return f'<div class="sl-head">Timing{sum_up}</div>{bar}<div>{legend}</div><div role="status">{state}</div>'


def reply_picture(exchange: Exchange | None) -> str:
    """The bytes that came back, a literal per line."""
    if exchange is None or not exchange.marks:
        return ""
    sums = f"{count(len(exchange.response), 'byte')} came back, in {count(exchange.receives, 'recv')}"
    return f"<div class='sl-head'>{sums}</div>{_lines(exchange.response)}"


def duration(seconds: float) -> str:
    """Three digits and a unit: 85 µs, 1.24 ms, 2.00 s."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def _lines(data: bytes) -> str:
    """`data` as a bytes literal per line, in a list that is cut after LINES lines, each cut after WIDTH bytes."""
    lines = [line + b"\n" for line in data.split(b"\n", LINES)]
    last = lines.pop()[:-1]  # behind the last line feed that counts: a line without one, or all the rest
    if len(lines) < LINES and last:
        lines.append(last)
        last = b""
    shown = [code(literal(line[:WIDTH], len(line))) for line in lines]
    if last:
        shown.append(f"… and {count(len(last), 'more byte')}")
    return f"<div>{'<br>'.join(shown)}</div>"
