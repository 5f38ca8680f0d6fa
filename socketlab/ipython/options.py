"""What stands behind `%%trace`: which views are wanted, and under which name the trace is to be kept."""

from __future__ import annotations

import difflib
import keyword
from typing import NamedTuple

VIEWS = ("ladder", "timeline", "table")
USAGE = "%%trace [--ladder] [--timeline] [--table] [name]"


class Wanted(NamedTuple):
    views: tuple[str, ...]  #: in the order in which they were asked for
    name: str  #: of the variable, "" for none


def wanted(line: str) -> Wanted:
    """Read the first line of a traced cell. Raises IPython's UsageError: what was wanted, what came, what to do."""
    views: list[str] = []
    names: list[str] = []
    for word in line.partition("#")[0].split()[1:]:
        if not word.startswith("-"):
            names.append(word)
        elif word[2:] in VIEWS and word.startswith("--"):
            views += [word[2:]] if word[2:] not in views else []
        else:
            near = difflib.get_close_matches(word.strip("-"), VIEWS, 1)
            advice = f"did you mean --{near[0]}?" if near else f"leave {word} out."
            raise usage_error(f"it knows --ladder, --timeline and --table, not {word}: {advice}")
    if len(names) > 1:
        raise usage_error(
            f"it takes one name, not {len(names)} ({' '.join(names)}): write the code in the lines below."
        )
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise usage_error(f"the name of a variable was wanted, such as t, not {name}: write the code below.")
    return Wanted(tuple(views) or ("ladder",), names[0] if names else "")


def usage_error(text: str) -> Exception:
    """IPython shows it as one line, without a traceback."""
    from IPython.core.error import UsageError

    error: Exception = UsageError(f"%%trace: {text} Usage: {USAGE}")
    return error
