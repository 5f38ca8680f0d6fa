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
from .cells import pieces, sources


def main(path: str, descriptor: int, memory: int) -> None:
    """Run the notebook's answers and tell the verdicts; `memory` is the limit in bytes."""
    _limit(memory)

    def tell(**news: Any) -> None:
        os.write(descriptor, json.dumps(news).encode() + b"\n")

    cells = sources(Path(path))
    names: dict[str, Any] = {"__name__": "__main__"}

    def exercise(name: str) -> Any:
        def answered(answer: Any) -> Any:
            verdict = check(name, answer)
            tell(exercise=name, outcome=verdict.outcome, scenario=verdict.failed_scenario, key=verdict.key,
                 words=" ".join(filter(None, (verdict.cause, verdict.advice))))  # fmt: skip
            return answer

        definition.find(name)
        return answered

    from .. import exercises

    exercises.exercise = exercise  # what the notebook imports
    for piece in pieces(cells):
        try:
            exec(compile(piece.source, f"<{piece.place}>", "exec"), names)
        except BaseException as exc:
            if piece.exercises:
                words = f"{piece.place} raised {type(exc).__name__}: {exc}"
                for name in piece.exercises:
                    tell(exercise=name, outcome="error", scenario="", key="cell-raises", words=words[:500])
    tell(done=True)


def _limit(memory: int) -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 26, 1 << 26))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
