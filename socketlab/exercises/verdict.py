"""What came of a check: frozen, sent from one process to another as JSON, shown as text and as a card."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields

NOT_ATTEMPTED, PASSED, FAILED = "not attempted", "passed", "failed"

# What no page and no terminal shows as it is: control characters, halves of surrogate pairs, changes of direction.
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check of one exercise.

    `outcome` is "not attempted", "passed" or "failed". `scenarios` are the names of all, in order; the first `done` of
    them passed, and where the outcome is "failed" the next one did not: `expected` and `came` say what was wanted and
    what happened, `where` is the learner's line, `key` names the misconception behind it, `cause` and `advice` are a
    sentence each. `skipped` are scenarios for which this machine lacks something, each with what it is. `printed` is
    the beginning of what the learner's code printed. `seconds` is how long it took.
    """

    exercise: str
    outcome: str
    scenarios: tuple[str, ...] = ()
    done: int = 0
    expected: str = ""
    came: str = ""
    where: str = ""
    key: str = ""
    cause: str = ""
    advice: str = ""
    printed: str = ""
    seconds: float = field(default=0.0, repr=False, compare=False)
    skipped: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, str):
                object.__setattr__(self, one.name, _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", value))

    @property
    def passed(self) -> bool:
        return self.outcome == PASSED

    @property
    def failed_scenario(self) -> str:
        """The name of the scenario that failed; "" where none did, or where it did not come to scenarios."""
        failed = self.outcome == FAILED and self.done < len(self.scenarios)
        return self.scenarios[self.done] if failed else ""

    @property
    def headline(self) -> str:
        """``recv_exactly: passed 4 of 4``."""
        if self.outcome == NOT_ATTEMPTED:
            return f"{self.exercise}: not attempted"
        if self.outcome == PASSED:
            passed = f"{self.exercise}: passed {self.done - len(self.skipped)} of {len(self.scenarios)}"
            return f"{passed}, {len(self.skipped)} skipped" if self.skipped else passed
        return f"{self.exercise}: not yet, {self.done} of {len(self.scenarios)} passed"

    def text(self) -> str:
        """Everything as plain text, the same on each run of the same answer."""
        lines = [self.headline]
        if self.outcome != NOT_ATTEMPTED:
            lines += [f"  {sign} {words}" for sign, words in self.marks()]
        if self.outcome == FAILED:
            if self.failed_scenario:
                lines.append(f"  ✗ {self.failed_scenario}")
            for label, words in self.details():
                first, *rest = words.splitlines() or [""]
                lines += [f"    {label + ':':<10}{first}", *(" " * 14 + line for line in rest)]
            lines += [self.cause, self.advice]
        return "\n".join(filter(None, lines))

    def marks(self) -> list[tuple[str, str]]:
        """Of each scenario that has been gone through: a sign, and its name."""
        why = dict(self.skipped)
        return [
            ("–", f"{name}: skipped, {why[name]}") if name in why else ("✓", name)
            for name in self.scenarios[: self.done]
        ]

    def details(self) -> list[tuple[str, str]]:
        """What was wanted, what came, and where: label and words."""
        pairs = [("expected", self.expected), ("came", self.came), ("at", self.where), ("printed", self.printed)]
        return [(label, words) for label, words in pairs if words]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Verdict:
        """Raises ValueError for what is no verdict."""
        try:
            told = json.loads(text)
            return cls(
                **{**told, "scenarios": tuple(told["scenarios"]), "skipped": tuple(map(tuple, told.get("skipped", ())))}
            )
        except (TypeError, KeyError) as exc:
            raise ValueError(f"this is no verdict: {text[:80]!r}") from exc

    def __str__(self) -> str:
        return self.text()
