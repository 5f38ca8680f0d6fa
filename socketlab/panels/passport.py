"""The passport panel: probe this machine again, pretend that it lacks something, and see what changed.

The model, `Probing` and the functions below it, knows no widgets: a passport before, a passport now, and words for the
difference. A probe takes some tens of milliseconds, so it runs where the button is pressed, without a thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import ClassVar

import ipywidgets as widgets

from socketlab.panels.base import Panel, weakly
from socketlab.panels.drawing.look import BLUE, FITS, ORANGE, STYLE, code, count, dot, static_picture
from socketlab.probe import Finding, Passport, probe

Change = tuple[Finding | None, Finding | None]

LESSER = {  # what the panel can pretend: the words of the menu, and the names that probe(without=…) takes
    "nothing: as it is": (),
    "IPv6": ("ipv6",),
    "Unix sockets": ("AF_UNIX",),
    "every privilege": ("privileges",),
    "/proc/net": ("proc_net",),
    "multicast": ("multicast", "multicast_ipv6", "IP_ADD_MEMBERSHIP", "IPV6_JOIN_GROUP"),
}


class Probing:
    """Two passports of this machine, the one before and the one now."""

    def __init__(self) -> None:
        self.before = self.now = probe()

    def again(self, without: Iterable[str] = ()) -> tuple[Change, ...]:
        """Probe once more. Returns what differs from the time before, as `Passport.changes` does."""
        self.before, self.now = self.now, probe(without)
        return self.now.changes(self.before)


def verdict(passport: Passport) -> str:
    """One sentence on a passport: what works, group by group."""
    shares = []
    for group in ("families", "options", "privileges", "abilities"):
        found = passport.group(group)
        shares.append(f"{sum(finding.works for finding in found)} of {len(found)} {group}")
    return f"{', '.join(shares[:-1])} and {shares[-1]} work."


def changes_table(changes: Iterable[Change]) -> str:
    """Then and now as rows of an HTML table; a sentence where nothing changed."""
    rows = "".join(
        f"<tr><td class='sl-tight'>{dot(BLUE if now and now.works else ORANGE)}{code((now or then).name)}</td>"  # type: ignore[union-attr]
        f"<td class='sl-tight'>{_said(then)}</td><td class='sl-wide'>{_said(now)}</td></tr>"
        for then, now in changes
    )
    if not rows:
        return "<p>Nothing changed.</p>"
    head = "<thead><tr><th>what</th><th>before</th><th>now</th></tr></thead>"
    return f"<table class='sl'>{head}<tbody>{rows}</tbody></table>"


def _said(finding: Finding | None) -> str:
    if finding is None:
        return "not tried"
    if finding.group == "limits" and finding.works:
        return escape(finding.detail)
    return escape(finding.verdict + (f" ({finding.detail})" if finding.works and finding.detail else ""))


class PassportPanel(Panel):
    """A button that probes again, a menu of what to pretend, and a table of what changed. Needs ipywidgets."""

    title: ClassVar[str] = "Passport"

    def __init__(self) -> None:
        self.model = Probing()
        self.lesser = widgets.Dropdown(
            options=list(LESSER),
            description="Pretend that this machine lacks",
            style={"description_width": "initial"},
            layout={"width": "26em", "max_width": FITS},
        )
        self.lesser.add_class("sl-long")
        self.button = widgets.Button(description="Probe again", button_style="primary", icon="refresh")
        self.verdict = widgets.HTML(self._verdict())
        self.changes = widgets.HTML("<p>Nothing has been probed again yet.</p>")
        self.whole = widgets.HTML(self.model.now._repr_html_())
        self.button.on_click(weakly(self.probe_again))
        self.lesser.observe(weakly(self.probe_again), "value")
        controls = widgets.HBox([self.lesser, self.button], layout={"flex_flow": "row wrap", "align_items": "center"})
        regions = [widgets.HTML(STYLE), self.verdict, controls, self.changes, self.whole]
        box = widgets.VBox(regions)
        box.add_class("socketlab-panel")
        super().__init__(box)

    def probe_again(self) -> None:
        """What the button does: probe, pretending what the menu says, and show what changed."""
        changes = self.model.again(LESSER[self.lesser.value])
        heading = f"{count(len(changes), 'row')} changed" if changes else ""
        self.verdict.value = self._verdict()
        self.changes.value = f"<p class='sl-head'>{heading}</p>{changes_table(changes)}"
        self.whole.value = self.model.now._repr_html_()

    def _verdict(self) -> str:
        return f"<p class='sl-title'>Your machine's passport</p><p>{escape(verdict(self.model.now))}</p>"

    def snapshot(self) -> str:
        return static_picture(
            "Your machine's passport",
            "probe this machine again, or pretend that it lacks something, and see which rows change.",
            ["Pretend that this machine lacks ▾", "Probe again"],
            ["how many families, options, privileges and abilities work", "what changed", "every row, group by group"],
        )
