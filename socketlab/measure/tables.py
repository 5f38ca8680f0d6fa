"""Tables of words, as text and as HTML, for results that are read rather than computed with.

The HTML has no colours of its own: it takes JupyterLab's, light or dark, and reads without any style on GitHub.
"""

from collections.abc import Iterable, Sequence
from html import escape


def as_text(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Columns under their heads, two spaces apart; `caption` stands below."""
    table = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table] if len(table) > 1 else []
    return "\n".join([*map(_printable, lines), *([caption] if caption else [])])


def as_html(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """The same as an HTML table; whatever is in the cells is escaped."""
    left = ' style="text-align:left"'
    body = "".join("<tr>" + "".join(f"<td{left}>{_cell(word)}</td>" for word in row) + "</tr>" for row in rows)
    heads = "".join(f"<th{left}>{escape(word)}</th>" for word in head)
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>" if body else ""
    return table + (f"<p>{_cell(caption)}</p>" if caption else "")


def _cell(word: str) -> str:
    return escape(_printable(word))


def _printable(word: str) -> str:
    """Names of Unix sockets may hold any byte: what is not printable is shown as Python writes it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in word)
