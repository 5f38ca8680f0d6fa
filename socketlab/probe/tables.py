"""A passport as text and as HTML: the same rows, put together by what they say.

Groups of many names (families, options) are listed by verdict; groups where each row has a story are listed row by row;
types are a matrix of families that exist. Whoever wants more asks the passport for one row.
"""

import errno
from html import escape
from textwrap import wrap

from socketlab.probe.passport import GROUPS, Finding, Passport

WIDTH = 100  # characters of a text line
_BY_VERDICT = ("families", "options")


def by_verdict(findings: tuple[Finding, ...]) -> dict[str, list[Finding]]:
    """The findings under their verdicts: what works first, then the refusals, the commonest first."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.verdict, []).append(finding)
    return dict(sorted(found.items(), key=lambda item: (item[0] != "works", -len(item[1]), item[0])))


def type_matrix(passport: Passport) -> tuple[list[str], list[str], dict[tuple[str, str], Finding]]:
    """(families that this kernel has, types, finding of each pair). A refusal other than EAFNOSUPPORT is having."""
    cells: dict[tuple[str, str], Finding] = {}
    for finding in passport.group("types"):
        family, _, kind = finding.name.partition(" ")
        cells[family, kind] = finding
    kinds = list(dict.fromkeys(kind for _, kind in cells))
    here = (family for (family, _), f in cells.items() if f.works or f.errno not in (None, errno.EAFNOSUPPORT))
    return list(dict.fromkeys(here)), kinds, cells


def as_text(passport: Passport) -> str:
    """The whole passport for a terminal, some `WIDTH` characters wide."""
    return "\n\n".join(f"{heading(passport, group)}\n{_body(passport, group)}" for group in GROUPS)


def heading(passport: Passport, group: str) -> str:
    """The group and how much of it works: "options (90 of 107 work)"."""
    findings = passport.group(group)
    return f"{group} ({sum(f.works for f in findings)} of {len(findings)} work)"


def as_rows(findings: tuple[Finding, ...]) -> str:
    """One line for each finding: name, verdict, and what was read, or else what was tried."""
    name = max(len(finding.name) for finding in findings)
    verdict = max(len(finding.verdict) for finding in findings)
    return "\n".join(f"  {f.name:{name}}  {f.verdict:{verdict}}  {f.detail or f.tried}" for f in findings)


def _body(passport: Passport, group: str) -> str:
    findings = passport.group(group)
    if group == "types":
        return _matrix(passport)
    if group not in _BY_VERDICT:
        return as_rows(findings)
    lines = []
    for verdict, found in by_verdict(findings).items():
        first = f"  {verdict:18} "
        names = " ".join(finding.name for finding in found)
        lines += wrap(names, WIDTH, initial_indent=first, subsequent_indent=" " * len(first))
    return "\n".join(lines)


def _matrix(passport: Passport) -> str:
    families, kinds, cells = type_matrix(passport)
    lines = ["  " + " " * 12 + "".join(f"{kind.removeprefix('SOCK_'):17}" for kind in kinds)]
    for family in families:
        verdicts = (cells[family, kind].verdict.partition(" ")[0] for kind in kinds)
        lines.append(f"  {family:12}" + "".join(f"{verdict:17}" for verdict in verdicts))
    others = len({family for family, _ in cells}) - len(families)
    lines.append(f"  {others} more families that this machine lacks, whatever the type")
    return "\n".join(line.rstrip() for line in lines)


def as_html(passport: Passport) -> str:
    """The whole passport for a notebook: a fold for each group, what was tried as a tooltip."""
    folds = []
    for group in GROUPS:
        findings = passport.group(group)
        if group in (*_BY_VERDICT, "types"):
            table = [
                [escape(verdict), ", ".join(_name(finding) for finding in found)]
                for verdict, found in by_verdict(findings).items()
            ]
        else:
            table = [[_name(f), escape(f.verdict), escape(f.detail or f.tried)] for f in findings]
        rows = "".join(f"<tr>{''.join(f'<td {_LEFT}>{cell}</td>' for cell in cells)}</tr>" for cells in table)
        title = escape(heading(passport, group))
        folds.append(f"<details><summary>{title}</summary><table>{rows}</table></details>")
    return "<div>" + "".join(folds) + "</div>"


_LEFT = 'style="text-align:left;vertical-align:top"'  # Jupyter sets tables flush right


def _name(finding: Finding) -> str:
    told = escape(f"{finding.tried}: {finding.detail or finding.verdict}")
    return f'<code title="{told}">{escape(finding.name)}</code>'
