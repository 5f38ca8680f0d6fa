"""LinkPanel: every fault of a link as a slider, and a conversation through it that shows what the fault does.

The sliders set the link's attributes, and follow them where a cell sets them. Below is the conversation of
`experiments.through_link`; cells that use `panel.address` talk through the same link, and are counted with it.
"""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as widgets

from ..experiments.running import Steps
from ..experiments.through_link.probe import LinkProbe, link_probe_steps
from ..handlers import echo
from ..links import PRESETS, DatagramFaults, DatagramLink, StreamFaults, faulty_link
from ..servers import tcp_server, udp_server
from .base import weakly
from .drawing.look import FITS, static_picture
from .experiment import ExperimentPanel
from .links.faders import DATAGRAM, STREAM, STYLE, Fader
from .links.faults import faults_of, hear, is_preset
from .links.pictures import link_picture

_OWN = "of your own"
_REFRESH = 0.2  # s between two pictures while nothing else happens than that time passes: it costs a slow core


class LinkPanel(ExperimentPanel):
    """A link with faults under your hands.

    `target` is a server, or the address of one; without it, the panel has an echo server of its own. `datagrams`
    chooses UDP where the target does not say. `faults` are those that the link begins with, and its `seed`, as for
    `faulty_link`; raises what that one raises.
    """

    title = "Link"
    about = "a conversation through a link with faults: when the answers come, in which pieces, and what is lost"
    hint = "Run, then move a slider. What must the program at the end of this link be able to bear?"
    regions = (
        "round trips of the last 15 seconds, with what was lost and each reset, end and change",
        "how many bytes each recv brought",
        "where the bytes are: passed, pending, swallowed, discarded, in either direction",
    )

    link: Any  #: the `StreamLink` or `DatagramLink` that is in use

    def __init__(self, target: Any = None, *, datagrams: bool = False, **faults: Any) -> None:
        self._target: Any = target
        self._server: Any = None  # the panel's own
        self._setting = False  # a slider is being moved by us
        self._refused = False  # the link did not take what a slider said
        self._drawn: tuple[Any, str] = (None, "")
        kind = (datagrams or None) if target is not None else bool(datagrams)
        self._open(kind, dict(faults))
        self._first = over = self._over

        slim = {"width": "max-content", "max_width": FITS}
        toggles = {"button_width": "auto", "description_width": "initial"}
        self.protocol = widgets.ToggleButtons(
            description="Over", options=["TCP", "UDP"], value=over, style=toggles, layout=widgets.Layout(**slim),
            disabled=target is not None, tooltips=["connections", "datagrams"],
        )  # fmt: skip
        self.direction = widgets.ToggleButtons(
            description="Direction", options=["both", "up", "down"], style=toggles, layout=widgets.Layout(**slim),
            tooltips=["both directions alike", "what the client sends", "what the client receives"],
        )  # fmt: skip
        names = {_OWN: "", **{name.replace("_", " "): name for name in PRESETS}}
        self.preset = widgets.Dropdown(
            description="Preset", options=names, tooltip="A link with published numbers",
            layout=widgets.Layout(width="250px", max_width=FITS), style={"description_width": "70px"},
        )  # fmt: skip
        self.seed = widgets.BoundedIntText(
            description="Seed", value=faults.get("seed", 0), min=0, max=2**31 - 1, continuous_update=False,
            tooltip="The same seed and the same traffic give the same faults; another one makes a new link",
            layout=widgets.Layout(width="160px", max_width=FITS), style={"description_width": "50px"},
        )  # fmt: skip
        self.clear_button = widgets.Button(
            description="Nothing wrong", icon="undo", tooltip="Clear every fault", layout=widgets.Layout(**slim)
        )
        self.source = widgets.HTML(layout=widgets.Layout(width="100%"))
        self.faders = {"TCP": {r.name: Fader(r) for r in STREAM}, "UDP": {r.name: Fader(r) for r in DATAGRAM}}
        row = {"flex_flow": "row wrap", "align_items": "center", "width": "100%"}
        self._boxes = {
            over: widgets.HBox([fader.box for fader in faders.values()], layout=widgets.Layout(**row))
            for over, faders in self.faders.items()
        }

        for faders in self.faders.values():
            for fader in faders.values():
                for part in fader.inputs:
                    part.observe(weakly(self._slid, with_event=True), names="value")
        self.direction.observe(weakly(self._show), names="value")
        self.preset.observe(weakly(self._chose), names="value")
        self.protocol.observe(weakly(self._renew), names="value")
        self.seed.observe(weakly(self._renew), names="value")
        self.clear_button.on_click(weakly(self.clear))
        live = [self.direction, self.preset, *self._boxes.values()]
        super().__init__(
            [
                widgets.HBox(
                    [self.protocol, self.direction, self.seed],
                    layout=widgets.Layout(**{**row, "align_items": "flex-end"}),
                ),
                widgets.HBox([self.preset, self.clear_button], layout=widgets.Layout(**row)),
                *self._boxes.values(),
                self.source,
            ],
            live=[part for control in live for part in _parts(control)],
        )
        self._show()

    # -- the link ----------------------------------------------------------------------------------------------------

    @property
    def address(self) -> Any:
        """Where clients connect, or send to, to talk through the link."""
        return self.link.address

    @property
    def _over(self) -> str:
        """What the link that is in use carries."""
        return "UDP" if isinstance(self.link, DatagramLink) else "TCP"

    def _open(self, datagrams: bool | None, faults: dict[str, Any]) -> None:
        """Put a new link in front of the target, which is a new server where it is the panel's own."""
        target = self._target
        if target is None:
            target = self._server = udp_server(echo) if datagrams else tcp_server(echo)
        try:
            self.link = faulty_link(target, datagrams=datagrams if self._target is not None else None, **faults)
        except BaseException:
            self._shut()
            raise
        hear(self.link, self._changed)

    def _shut(self) -> None:
        if (link := getattr(self, "link", None)) is not None:
            link.close()
        if (server := getattr(self, "_server", None)) is not None:
            server.close()

    def _renew(self) -> None:
        """Another protocol, another seed, or the link was closed: a new link, with the faults that it shares."""
        over = self.protocol.value or self._over  # none chosen: no page sends that, but a message may
        shared = (DatagramFaults if over == "UDP" else StreamFaults).CHECKS
        up, down = (
            {name: value for name, value in way.as_dict().items() if name in shared}
            for way in (self.link.up, self.link.down)
        )
        self.stop()
        self._shut()
        self.result = None
        self._open(over == "UDP", {"up": up, "down": down, "seed": self.seed.value})
        self._show()

    # -- sliders and link --------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Nothing is wrong any more, as the button does."""
        self._words = ""
        self.link.clear()
        self._touch()

    def _slid(self, change: Any) -> None:
        """Somebody has moved a slider, or pressed its switch."""
        if self._setting:
            return
        faders = self.faders[self._over].values()
        fader = next((one for one in faders if change["owner"] in one.inputs), None)
        if fader is None:
            return
        direction = self.direction.value or "both"
        whose = self.link if direction == "both" else getattr(self.link, direction)
        now = getattr(self.link.down if direction == "down" else self.link.up, fader.range.name)
        if change["owner"] is fader.slider and now is not None and fader.range.is_at(fader.slider.value, now):
            return  # the browser, which was told a value between two steps
        self._setting = True
        try:
            if fader.switch is not None and change["owner"] is fader.slider:
                fader.switch.value = True  # whoever moves it wants to see what it does
            setattr(whose, fader.range.name, fader.value)
            self._words = ""
            self._show_preset()
        except ValueError as exc:  # no slider has such a value, but a message may
            self._words, self._refused = str(exc), True
        finally:
            self._setting = False
        if self._refused:
            self._show()

    def _chose(self) -> None:
        """A preset was chosen."""
        if self._setting or not self.preset.value:
            return
        self._setting = True
        try:
            for side, faults in zip(
                (self.link.up, self.link.down), faults_of(self.link, self.preset.value), strict=True
            ):
                side.set(**faults)  # in one go: what waits must not slip through in between
        finally:
            self._setting = False
        self._show()

    def _changed(self) -> None:
        """A fault of the link has another value, by whomever; called in that thread."""
        with self.__dict__["_turn"]:
            if not self._setting and hasattr(self, "widget"):
                self._show()
        if hasattr(self, "_painter"):
            self._painter.touch()

    def _show(self) -> None:
        """Let the controls stand where the link is."""
        before, self._setting = self._setting, True
        try:
            over = self._over
            way = self.link.down if self.direction.value == "down" else self.link.up
            for name, fader in self.faders[over].items():
                fader.show(getattr(way, name))
            for name, box in self._boxes.items():
                box.layout.display = None if name == over else "none"
            self._show_preset()
        finally:
            self._setting = before

    def _show_preset(self) -> None:
        found = self.preset.value
        if not found or not is_preset(self.link, found):
            found = next((name for name in PRESETS if is_preset(self.link, name)), "")
        self.preset.value = found
        self.source.value = STYLE + (html.escape(PRESETS[found].source) if found else "")

    def _touch(self) -> None:
        refused, self._refused = self._refused and not self._setting, self._refused and self._setting
        if refused:
            self._painter.touch()
        elif not self._setting:  # what a cell sets begins no run
            super()._touch()

    # -- the experiment ----------------------------------------------------------------------------------------------

    def steps(self) -> Steps[LinkProbe]:
        if self.link.closed or (self._server is not None and self._server.closed):
            self._renew()
        return link_probe_steps(self.link)

    def picture(self, result: LinkProbe) -> str:
        up, down = self.link.up.as_dict(), self.link.down.as_dict()
        news = up, down, result.events[-1:], result.closed
        seen, drawn = self._drawn
        if seen is not None and seen[0] == news and 0 <= result.seconds - seen[1] < _REFRESH and self.running:
            return drawn
        drawn = link_picture(result, up, down)
        self._drawn = (news, result.seconds), drawn
        return drawn

    def finding(self, result: LinkProbe) -> str:
        return result.finding()

    def close(self) -> None:
        """End the conversation, the link and the panel's own server, and take the controls away. Idempotent."""
        if hasattr(self, "_painter"):
            super().close()
        self._shut()

    def snapshot(self) -> str:
        ranges = STREAM if self._first == "TCP" else DATAGRAM
        names = ["Over TCP or UDP", "Direction", "Seed", "Preset", "Nothing wrong", *(r.label for r in ranges)]
        return static_picture(self.title, self.about, [*names, "Run", "Stop"], self.regions)


def _parts(control: Any) -> list[Any]:
    children = getattr(control, "children", None)
    return [control] if children is None else [part for child in children for part in _parts(child)]
