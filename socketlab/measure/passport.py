"""Draw a passport: which family speaks which type, which options can be had, what this machine may and can do.

A passport in, a picture out; nothing here probes. The size of a picture does not depend on the machine, so that a
notebook shows the same text beside it everywhere. What works is a filled mark, what does not is named by its errno.
"""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from ..probe import Finding, Passport
from ..probe.tables import by_verdict, type_matrix
from .plots import Picture, figure  # first of those with matplotlib in them: it keeps interrupts from the import

# isort: split
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

WORKS, REFUSED, INK, PALE = "#0072B2", "#B34700", "#1c2127", "#eceeea"  # WORKS is the style sheet's blue


def draw_types(passport: Passport) -> Picture:
    """The matrix of families and types: works, or the errno of the refusal. Families that are missing stand below."""
    families, kinds, cells = type_matrix(passport)
    picture = figure(height=4.6)
    (ax,) = picture.axes
    rows = max(len(families), 6)  # fewer would make towers of the cells
    size = min(9.0, 170 / rows)
    corners = {"boxstyle": "round,pad=0,rounding_size=0.08", "mutation_aspect": rows / 8}
    for y, family in enumerate(families):
        for x, kind in enumerate(kinds):
            finding = cells[family, kind]
            box: Any = {"facecolor": WORKS if finding.works else PALE, "linewidth": 0, **corners}
            ax.add_patch(FancyBboxPatch((x - 0.47, y - 0.43), 0.94, 0.86, **box))
            look: Any = {"color": INK, "fontsize": size * 0.8}
            if finding.works:
                look = {"color": "white", "fontsize": size, "fontweight": "bold"}
            ax.text(x, y, finding.verdict.partition(" ")[0], ha="center", va="center", **look)
    ax.set(xlim=(-0.5, len(kinds) - 0.5), ylim=(rows - 0.5, -0.5))
    ax.set_xticks(range(len(kinds)), kinds)
    gap = "\n" if rows <= 12 else " "
    # A family may have types and yet no loopback address to bind, which makes it useless here.
    unusable = {f.name: gap + f.verdict.partition(" ")[0] for f in passport.group("families") if not f.works}
    ax.set_yticks(range(len(families)), [family + unusable.get(family, "") for family in families], fontsize=size)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    working = sum(finding.works for finding in passport.group("families"))
    missing = [f.name.removeprefix("AF_") for f in passport.group("families") if f.name not in families]
    _write(
        ax,
        f"{working} of {len(passport.group('families'))} address families can be used here",
        "\n".join(wrap("Not to be had here: " + ", ".join(missing), 92)) if missing else "",
    )
    return picture


def draw_options(passport: Passport) -> Picture:
    """Every option, in columns by what its name begins with: can be set, can only be read, or is refused."""
    options = passport.group("options")
    columns: dict[str, list[Line]] = {"SO_": [], "TCP_": [], "IP_": [], "IPV6_": []}
    others: list[Line] = []
    for finding in options:
        prefix = next((prefix for prefix in columns if finding.name.startswith(prefix)), None)
        if prefix is None or finding.name.startswith(("SO_J1939_", "SO_VM_SOCKETS_")):
            others.append((finding, finding.name))
        else:
            columns[prefix].append((finding, finding.name.removeprefix(prefix)))
    shortest = min(columns.values(), key=len)
    if others:
        shortest += [None, "others", *others]
    picture = figure(height=5.4)
    (ax,) = picture.axes
    _columns(ax, [[prefix + "…", *lines] for prefix, lines in columns.items()], 7.6)
    settable = sum(finding.works and "read only" not in finding.detail for finding in options)
    refused = [f"{len(found)} {verdict}" for verdict, found in by_verdict(options).items() if verdict != "works"]
    _write(
        ax,
        f"{settable} of {len(options)} options can be set here",
        "\n".join(wrap(f"●  can be set    ○  can only be read    ×  refused: {', '.join(refused) or 'none'}", 112)),
    )
    return picture


def draw_abilities(passport: Passport) -> Picture:
    """Privileges and abilities, one line each, with the errno where the machine cannot."""
    groups = {group: passport.group(group) for group in ("privileges", "abilities")}
    privileges, abilities = (
        [(f, f.name if f.works else f"{f.name}  {f.verdict.partition(' ')[0]}") for f in found]
        for found in groups.values()
    )
    half = (len(abilities) + 1) // 2
    picture = figure(height=3.6)
    (ax,) = picture.axes
    _columns(ax, [["privileges", *privileges], ["abilities", *abilities[:half]], ["", *abilities[half:]]], 9.2)
    held, had = (f"{sum(f.works for f in found)} of {len(found)} {group}" for group, found in groups.items())
    _write(
        ax,
        f"You hold {held}; this machine has {had}",
        "●  works    ×  refused, with the kernel's reason (absent: Python has no such call here)",
    )
    return picture


Line = tuple[Finding, str] | str | None  # a finding and its label, a heading, or an empty line


def _columns(ax: Axes, columns: Sequence[Sequence[Line]], size: float) -> None:
    """Lists side by side, each as wide as its longest label."""
    rows = max(map(len, columns))
    size = min(size, size * 36 / rows) if rows > 36 else size
    left = 0.0
    for lines in columns:
        labels = [line[1] if isinstance(line, tuple) else line or "" for line in lines]
        for y, (line, label) in enumerate(zip(lines, labels, strict=True)):
            if isinstance(line, tuple):
                _mark(ax, left + 0.5, y, line[0], size)
                ax.text(left + 2, y, label, fontsize=size, va="center", color=INK if line[0].works else REFUSED)
            elif label:
                ax.text(left, y, label, fontsize=size * 1.15, va="center", fontweight="bold", color=INK)
        left += max(map(len, labels)) + 4
    ax.set(xlim=(-1, left), ylim=(rows - 0.3, -0.9), xticks=[], yticks=[])


def _mark(ax: Axes, x: float, y: float, finding: Finding, size: float) -> None:
    if not finding.works:
        ax.plot(x, y, "x", markersize=size * 0.6, color=REFUSED, markeredgewidth=1.6)
    else:
        inside = "none" if "read only" in finding.detail else WORKS
        ax.plot(x, y, "o", markersize=size * 0.55, markerfacecolor=inside, markeredgecolor=WORKS, markeredgewidth=1.1)


def _write(ax: Axes, title: str, caption: str) -> None:
    """The title says what was found; the caption stands below. The sheet has neither grid nor frame."""
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold")
    ax.set_xlabel(caption, loc="left", fontsize=8.5)
