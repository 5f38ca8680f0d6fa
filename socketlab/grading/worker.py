"""The process that grades one notebook: ``python -m socketlab.grading.worker NOTEBOOK DESCRIPTOR MEMORY``.

It tells what it finds on the descriptor, a line of JSON at a time, so that what has been earned stays when a later
cell hangs or ends the process.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..exercises import check, definition
from ..exercises.child import ADDRESSES
from ..exercises.words import words_of
from .cells import pieces, sources


def main(path: str, descriptor: int, memory: int) -> None:
    """Run the notebook's answers and tell the verdicts; `memory` is the limit in bytes."""
    _limit(memory)
    _end_with_the_parent()

    def tell(**news: Any) -> None:
        os.write(descriptor, b"\n" + json.dumps(news).encode() + b"\n")  # an answer may have written into it

    told: set[str] = set()
    cells = sources(Path(path))
    names: dict[str, Any] = {"__name__": "__main__"}

    def exercise(name: str) -> Any:
        def answered(answer: Any) -> Any:
            verdict = check(name, answer)
            told.add(name)
            tell(exercise=name, outcome=verdict.outcome, scenario=verdict.failed_scenario, key=verdict.key,
                 words=" ".join(filter(None, (verdict.cause, verdict.advice))))  # fmt: skip
            return answer

        definition.find(name)
        return answered

    from .. import exercises

    exercises.exercise = exercise  # what the notebook imports
    own = os.getpid()
    for piece in pieces(cells):
        try:
            exec(compile(piece.source, f"<{piece.place}>", "exec"), names)
        except BaseException as exc:
            # What a cell does after its answer has been checked costs nothing.
            for name in set(piece.exercises) - told if os.getpid() == own else ():
                words = f"{piece.place} raised {words_of(exc)}"
                tell(exercise=name, outcome="error", scenario="", key="cell-raises", words=words)
        if os.getpid() != own:  # a cell has forked: one goes on, and the others end with their cell
            os._exit(0)
    tell(done=True)


def _end_with_the_parent() -> None:
    """Where whoever grades is killed, nothing goes on (prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform.startswith("linux"):
        import ctypes
        import signal

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)


def _limit(memory: int) -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        resource.setrlimit(resource.RLIMIT_AS, (memory + ADDRESSES, memory + ADDRESSES))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 26, 1 << 26))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
