"""What the address explorer shows: pure functions from questions and answers to HTML.

Names, errors and canonical names come from outside, so all of them go through `code` or `html.escape`.
"""

from __future__ import annotations

import os
from errno import errorcode
from html import escape

from ...measure.timing import seconds_text
from ..drawing.look import BLUE, GREEN, GREY, ORANGE, RED, code, count, dot
from .lookups import MOST, PATIENCE
from .model import Answer, Name, Row, Trial
from .remarks import fields, order, remarks, spoken

SHOWN = 12  # rows: a name with more addresses is a list for machines

_FAMILY_COLOURS = {"AF_INET": BLUE, "AF_INET6": ORANGE}
_FAMILY_WORDS = {"AF_INET": "IPv4", "AF_INET6": "IPv6"}
_RAIL = "flex:0 0 26px;display:flex;flex-direction:column;align-items:center"
_LINE = "background:var(--jp-border-color1,#8c8c8c);width:2px"


def call_picture(call: str) -> str:
    """The call, ready to be copied."""
    return f'<div><code class="sl-copy" tabindex="0" title="a click selects it">{escape(call)}</code></div>'


def waiting_picture(late: bool, waiting: int) -> str:
    """While no answer is there."""
    if not late:
        return f'<div role="status">{dot(ORANGE)}asking the resolver</div>'
    words = (
        f"still asking the resolver after {PATIENCE:g} s; a look-up cannot be interrupted. Ask something else meanwhile"
    )
    if waiting >= MOST:
        words += f": {waiting} look-ups are under way, so one that may leave has to wait for one of them"
    return f'<div role="status">{dot(ORANGE)}{words}.</div>'


def refusal_picture(why: str, flag: str, *, allowed: bool = False, note: str = "") -> str:
    """Why nobody was asked, and the `flag` that forbids a look-up; `note` is a sentence more.

    `allowed`: asking is permitted, and waits for Enter.
    """
    note = f"<div>{escape(note)}</div>" if note else ""
    if allowed:
        return f'<div role="status">{dot(GREY)}<b>Not asked yet</b>: press Enter or Ask. {escape(why)}.</div>{note}'
    return (
        f'<div role="status">{dot(GREY)}<b>Not asked</b>: {escape(why)}. Tick “may ask the resolver” to ask all the '
        f"same, or {code(flag)}, which forbids every look-up.</div>{note}"
    )


def answer_picture(answer: Answer) -> str:
    """The whole answer: the order in a sentence, the ladder, the rows field by field, and what is worth knowing."""
    notes = "".join(f"<li>{escape(text)}</li>" for text in remarks(answer))
    notes = f"<ul style='margin:4px 0;padding-left:20px'>{notes}</ul>" if notes else ""
    if answer.error[0]:
        return _error(answer.error) + notes
    took = seconds_text(answer.seconds)
    head = f"{count(len(answer.rows), 'row')} in {took}. {order(answer)}"
    return f'<div role="status">{dot(GREEN)}{escape(head)}</div>{ladder(answer)}{notes}{_table(answer)}'


def _error(error: tuple[str, str, str]) -> str:
    kind, words, meaning = error
    raised = f"socket.{kind}" if kind.startswith("EAI_") else kind
    return f'<div role="status">{dot(RED)}<b>{code(raised)}</b> {escape(words)}<br>{escape(meaning)}</div>'


def ladder(answer: Answer) -> str:
    """The rows as rungs in the order of the attempts; a rung that this machine cannot use has a dashed edge."""
    rows = answer.rows[:SHOWN]
    rungs = "".join(
        _rung(i, row, trial, i == len(rows)) for i, (row, trial) in enumerate(zip(rows, answer.trials, strict=False), 1)
    )
    more = len(answer.rows) - len(rows)
    rest = f"<div style='padding-left:36px'>and {count(more, 'more row')}</div>" if more else ""
    return f'<div role="list" style="margin:8px 0;max-width:560px">{rungs}</div>{rest}'


def _rung(place: int, row: Row, trial: Trial, last: bool) -> str:
    colour = _FAMILY_COLOURS.get(row.family, GREY)
    edge = f"1px {'solid' if trial.usable else 'dashed'} {colour}"
    badge = (
        f'<span style="border:2px solid {colour};border-radius:50%;width:20px;height:20px;line-height:20px;'
        f'text-align:center;font-weight:600;box-sizing:content-box">{place}</span>'
    )
    rail = f'<span style="{_LINE};flex:1 1 8px;visibility:{"hidden" if last else "visible"}"></span>'
    family = _FAMILY_WORDS.get(row.family, row.family)
    kind = " ".join(word for word in (family, row.type.removeprefix("SOCK_").lower()) if word)
    link = "and" if row.address.is_unspecified else "if that fails"
    otherwise = "" if last else f'<div style="font-size:0.92em">{link}</div>'
    left = f'<div style="{_RAIL}" aria-hidden="true">{badge}{rail}</div>'
    return (
        f'<div role="listitem" style="display:flex;gap:10px">{left}'
        f'<div style="flex:1 1 auto;min-width:0;padding-bottom:4px">'
        f'<div style="border:{edge};border-left-width:5px;border-radius:3px;padding:1px 8px">'
        f"<b>{code(spoken(row))}</b> · {escape(kind)}<br>{_verdict(row, trial)}</div>{otherwise}</div></div>"
    )


def _verdict(row: Row, trial: Trial) -> str:
    """Whether this machine could use the row, in words; none of the calls has sent anything."""
    if trial.socket:
        return f"{dot(RED)}{code('socket()')} says {_why(trial.socket)}"
    if trial.route:
        return f"{dot(RED)}no way there from here: {_why(trial.route)}"
    if row.address.is_unspecified:
        return f"{dot(GREY)}for {code('bind()')}, which was not tried: it would be open to other machines"
    words = f"{dot(GREEN)}there is a way, from {code(trial.source)}"
    if trial.bind is not None:
        bound = "could be bound here" if not trial.bind else f"bind() here says {_why(trial.bind)}"
        words += f"; {bound}"
    return words


def _why(name: str) -> str:
    """An errno by name, with the words of this system."""
    known = {found: number for number, found in errorcode.items()}
    return f"{code(name)} ({escape(os.strerror(known[name]))})" if name in known else escape(name)


def _table(answer: Answer) -> str:
    rows = "".join(
        f"<tr><td class='sl-tight'>{place}</td><td class='sl-tight'>{code(row.family)}</td>"
        f"<td class='sl-tight'>{code(row.type)}</td><td class='sl-tight'>{code(row.proto)}</td>"
        f"<td>{code(repr(row.canonname))}</td>"
        f"<td class='sl-wide'>{code(repr(row.sockaddr))}<br>{escape(fields(row))}; {escape(row.kind)}</td></tr>"
        for place, row in enumerate(answer.rows[:SHOWN], 1)
    )
    names = ("row", "family", "type", "proto", "canonname", "sockaddr")
    head = "".join(f"<th>{name}</th>" for name in names)
    return f"<table class='sl'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def name_picture(name: Name, row: int) -> str:
    """The way back: what getnameinfo says of one row."""
    if name.error[0]:
        return call_picture(name.call) + _error(name.error)
    answer = code(repr((name.host, name.service)))
    return f'{call_picture(name.call)}<div role="status">{dot(GREEN)}row {row} is {answer}</div>'
