"""The magics `%%trace` and `%lab`."""

from __future__ import annotations

import difflib
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from .hang import Watch
from .options import USAGE, wanted

HELP = """\
%lab status        every socket and server that this notebook has open: state, queues, where it was opened
%lab reset         close them all (not Jupyter's own, and not what a panel holds)
%lab note 3 | off  seconds after which a cell that waits says what it waits for"""

_LONGEST = 3600.0  # s; whoever wants no note says off


@magics_class
class Lab(Magics):
    """What `%load_ext socketlab` adds to a notebook."""

    def __init__(self, shell: Any, watch: Watch) -> None:
        super().__init__(shell)
        self._watch = watch

    @cell_magic
    def trace(self, line: str, cell: str | None = None) -> None:
        """Run the cell and show every socket call that was made meanwhile, at both ends.

        %%trace [--ladder] [--timeline] [--table] [name]

        --ladder    both ends side by side, what one sent and the other received (shown unless you ask otherwise)
        --timeline  a lane for each thread, a bar for each call, over time
        --table     one row for each call
        name        the variable that gets the trace: name.events, name.timeline(), name.to_pcapng(path)

        The last value is shown as without it. Where the cell raises, the trace up to there stands above the error.
        `_trace` is always the latest trace.
        """
        # Reached only by get_ipython().run_cell_magic: a cell that begins with %%trace is transformed (see `cell`).
        wanted(f"%%trace {line}")
        if not isinstance(cell, str):
            raise UsageError(f"%%trace wants the text of a cell, not {type(cell).__name__}. Usage: {USAGE}")
        shell: Any = self.shell
        shell.run_cell(f"%%trace {line}\n{cell}")

    @line_magic
    def lab(self, line: str) -> Any:
        """The sockets and servers of this notebook: %lab status, %lab reset, %lab note 3, %lab note off."""
        words = line.split()
        if not words:
            print(HELP)
            return None
        command, rest = words[0], words[1:]
        if command == "note" and len(rest) <= 1:
            return self._note(rest)
        if command in ("status", "reset") and not rest:
            if command == "status":
                from .status import Status

                return Status(self._names())
            from .reset import reset

            print(reset(self._names()))
            return None
        near = difflib.get_close_matches(command, ("status", "reset", "note"), 1)
        advice = f" (did you mean {near[0]}?)" if near and near[0] != command else ""
        raise UsageError(f"%lab knows status, reset and note, not {line.strip()!r}{advice}:\n{HELP}")

    def _names(self) -> dict[str, Any]:
        names: dict[str, Any] = getattr(self.shell, "user_ns", {})
        return names

    def _note(self, rest: list[str]) -> None:
        if rest == ["off"]:
            self._watch.patience = None
        elif rest:
            try:
                seconds = float(rest[0])
            except ValueError:
                seconds = -1.0
            if not 0 < seconds <= _LONGEST:
                raise UsageError(f"%lab note wants seconds, from above 0 to {_LONGEST:.0f}, or off, not {rest[0]!r}")
            self._watch.patience = seconds
        patience = self._watch.patience
        print("No note." if patience is None else f"A cell that waits in a socket call for {patience:g} s says so.")
