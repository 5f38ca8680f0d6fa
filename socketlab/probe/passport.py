"""What was found out about a machine, as values: one `Finding` per thing tried, and the `Passport` that holds them.

Nothing in this file opens a socket. A finding either works, or names the errno with which the kernel refused, or says
which name this Python lacks. The order is that of `GROUPS`, and within a group that of the trials, so two passports of
the same machine are equal, and two passports of different machines can be compared row by row.
"""

import errno as _errno
from collections.abc import Collection, Iterator
from dataclasses import dataclass

GROUPS = ("families", "types", "protocols", "options", "privileges", "abilities", "limits")
"""What a passport is divided into, in reading order."""

ALIASES = {
    "ipv4": "AF_INET",
    "ipv6": "AF_INET6",
    "scm_rights": "pass_descriptor",
    "msg_errqueue": "error_queue",
    "msg_oob": "urgent_byte",
}
"""Words that people say, and the row that answers for them."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that was tried, and what came of it.

    `tried` is the experiment in words. `errno` is the number that the kernel refused with, None where it worked or
    where there was nothing to ask (this Python lacks the name; `detail` says which). `detail` is the value read where
    there is one ("131072, read and written back"), else the reason.
    """

    group: str
    name: str
    works: bool
    errno: int | None
    detail: str
    tried: str

    @property
    def verdict(self) -> str:
        """The word works; or the errno by name and number, "EPERM (1)"; or absent, where this Python lacks the name."""
        if self.works:
            return "works"
        if self.errno is None:
            return "absent"
        return f"{_errno.errorcode.get(self.errno, 'errno')} ({self.errno})"

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}" + (f", {self.detail}" if self.detail else "")


@dataclass(frozen=True)
class Passport:
    """Everything `probe()` found out, looked up by name: `passport.works("ipv6")`, `passport["SO_RCVBUF"].detail`.

    `print(passport)` gives a text table; a notebook shows the same as HTML. The `repr` says nothing about the machine,
    so that a cell which ends in a passport has the same text everywhere.
    """

    findings: tuple[Finding, ...]

    def __getitem__(self, name: str) -> Finding:
        """The finding called `name`, in any case, a family also without its AF_. KeyError names the nearest."""
        rows = {finding.name.lower(): finding for finding in self.findings}
        return rows[resolve(name, rows)]

    def works(self, name: str) -> bool:
        """Did it work? Raises KeyError, naming the nearest rows, where nothing of this name was tried."""
        return self[name].works

    def group(self, group: str) -> tuple[Finding, ...]:
        """The findings of one of `GROUPS`, in order. KeyError where there is no such group."""
        if group not in GROUPS:
            raise KeyError(f"no group {group!r}; a passport has {', '.join(GROUPS)}")
        return tuple(finding for finding in self.findings if finding.group == group)

    def changes(self, before: "Passport") -> tuple[tuple[Finding | None, Finding | None], ...]:
        """What differs from an earlier passport: pairs (then, now), None on the side that lacks the row."""
        then = {finding.name: finding for finding in before.findings}
        now = {finding.name: finding for finding in self.findings}
        names = [*then, *(name for name in now if name not in then)]
        return tuple((then.get(n), now.get(n)) for n in names if then.get(n) != now.get(n))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        return "<Passport of this machine>"

    def __str__(self) -> str:
        from socketlab.probe.tables import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from socketlab.probe.tables import as_html

        return as_html(self)


def resolve(name: str, known: Collection[str]) -> str:
    """The name among `known` (all lower case) that `name` means. Raises KeyError with the nearest names."""
    key = ALIASES.get(name.strip().lower(), name.strip()).lower()
    for candidate in (key, "af_" + key):
        if candidate in known:
            return candidate
    from difflib import get_close_matches

    near = get_close_matches(key, [*known, *ALIASES], n=4, cutoff=0.5)
    hint = f"nearest: {', '.join(near)}" if near else "iterate over the passport to see every name"
    raise KeyError(f"nothing called {name!r} was probed; {hint}")
