"""AddressPanel: getaddrinfo with its hints, its rows as a ladder of attempts, and the way back with getnameinfo.

Below are pure parts: the calls (address_model), which of them stay on this machine (address_hosts), the background
threads (address_lookups), sentences and pictures. Here are the controls. A question that cannot leave the machine is
asked at each key; one that may is asked when the box says so, and then only at Enter, Ask, or a chosen example: each
key of www.example.org would be a name of its own for somebody's name server.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import ipywidgets as widgets

from .addresses.hints import EXAMPLES, FAMILIES, FLAGS, NAME_FLAGS, PLAIN, PROTOCOLS, TYPES
from .addresses.hosts import host_leaves, name_leaves
from .addresses.lookups import Lookups
from .addresses.model import (
    Answer,
    Name,
    Question,
    ask,
    name_call,
    name_of,
    number,
    service,
    value,
)
from .addresses.pictures import answer_picture, call_picture, name_picture, refusal_picture, waiting_picture
from .addresses.remarks import in_ascii
from .base import Panel, weakly
from .drawing.look import FITS, STYLE, static_picture
from .drawing.painter import Painter

ENTER = 0.1  # seconds between the Enter key and the question, in which the text arrives
OWN = "your own"


class AddressPanel(Panel):
    """Ask getaddrinfo anything that can be answered on this machine, and see what its rows are good for.

    `host` and `service` are what stands in the fields at the start. `question` and `answer` are the latest; `answer`
    is None while it is open, or where nobody was asked. A name that might be looked up elsewhere is not, unless the
    box “may ask the resolver” is ticked.
    """

    title = "Addresses"
    about = "getaddrinfo with its hints: the rows in the order in which a program would try them, and the way back"
    hint = (
        "Try 127.1, then None with and without AI_PASSIVE, then localhost with each family. A field takes text, "
        "None, or a literal such as b'127.0.0.1'."
    )

    def __init__(self, host: str = "localhost", service: str | int = "80") -> None:
        self.question = Question()
        self._refusal = ""  # why the question has not been asked
        self._setting = False  # an example is being put into the controls
        self._back_key: tuple[Any, ...] = ()
        self._back_refusal = ""
        self._painter = Painter(self._draw)
        self._forward: Lookups[Answer] = Lookups(self._painter.touch)
        self._back: Lookups[Name] = Lookups(self._painter.touch)

        self.example = _menu("example", [OWN, *EXAMPLES], "Questions worth asking", "270px", "5em")
        self.host = _text("host", host, "A name or an address; None, '' and b'…' as in Python")
        self.service = _text("service", str(service), "A port, or the name of a service such as http; None for none")
        self.family = _menu("family", FAMILIES, "Which families of addresses; AF_UNSPEC: all", "210px")
        self.type = _menu("type", TYPES, "For which type of socket; any: one row for each", "210px")
        self.type.value = "SOCK_STREAM"
        self.proto = _menu("proto", PROTOCOLS, "For which protocol; any: the usual one of the type", "210px")
        self.flags = {name: _box(name, words) for name, words in FLAGS.items()}
        self.may_leave = _box(
            "may ask the resolver (leaves this machine)",
            "Ask for names that stand in no file here: the question goes to a name server",
        )
        self.ask_button = widgets.Button(
            description="Ask", icon="search", tooltip="Make the call", layout=widgets.Layout(width="auto")
        )
        self.row = widgets.BoundedIntText(
            description="row", value=1, min=1, max=99, tooltip="The row whose name is looked up",
            layout=widgets.Layout(width="130px"), style={"description_width": "3em"},
        )  # fmt: skip
        self.name_flags = {name: _box(name, words) for name, words in NAME_FLAGS.items()}
        self._call, self._answer, self._name = widgets.HTML(), widgets.HTML(), widgets.HTML()

        self.example.observe(weakly(self._exemplify), names="value")
        for field in (self.host, self.service):
            field.observe(weakly(self._typed), names="value")
            field.on_msg(weakly(self._entered, with_event=True))
        for control in (self.family, self.type, self.proto, self.may_leave, *self.flags.values()):
            control.observe(weakly(self._chosen), names="value")
        for control in (self.row, *self.name_flags.values()):
            control.observe(weakly(self._painter.touch), names="value")
        self.ask_button.on_click(weakly(self.ask))

        head = f"{STYLE}<div class='sl-title'>{self.title}</div><div>{self.hint}</div>"
        box = widgets.VBox(
            [
                widgets.HTML(head),
                _row(self.example, self.host, self.service, self.ask_button),
                _row(self.family, self.type, self.proto),
                _row(*self.flags.values()),
                _row(self.may_leave),
                self._call,
                self._answer,
                widgets.HTML("<div class='sl-head'>The way back: getnameinfo</div>"),
                _row(self.row, *self.name_flags.values()),
                self._name,
            ]
        )
        box.add_class("socketlab-panel")
        super().__init__(box)
        self._ask(at_once=False)
        self._draw()
        self._painter.start()

    @property
    def answer(self) -> Answer | None:
        """The answer to `question`; None while it is open, or where nobody was asked."""
        return self._forward.answer

    @property
    def name(self) -> Name | None:
        """What getnameinfo said of the chosen row; None while it is open, or where nobody was asked."""
        return self._back.answer

    def ask(self) -> None:
        """Ask what stands in the controls, as the button does."""
        self._ask(at_once=True)

    def close(self) -> None:
        """Drop what is under way and take the controls away. Idempotent. A look-up that hangs is left behind."""
        if hasattr(self, "_back"):
            self._forward.close()
            self._painter.close()  # before the way back, which it starts
            self._back.close()
        super().close()

    def snapshot(self) -> str:
        return static_picture(
            self.title,
            self.about,
            ["example", "host", "service", "Ask", "family", "type", "proto", *FLAGS, str(self.may_leave.description)],
            [
                "the call, to copy",
                "the rows as a ladder: what is tried first, what next, and whether this machine could use it",
                "each row field by field, or the error and what it means",
                "getnameinfo of a row, with its own flags",
            ],
        )

    # -- what the controls do --------------------------------------------------------------------------------------

    def _exemplify(self) -> None:
        chosen = EXAMPLES.get(self.example.value)
        if chosen is None:
            return
        host, service, menus, flags = chosen
        self._setting = True
        try:
            self.host.value, self.service.value = host, service
            for name, usual in PLAIN.items():
                getattr(self, name).value = menus.get(name, usual)
            for name, box in self.flags.items():
                box.value = name in flags
        finally:
            self._setting = False
        self._ask(at_once=True)

    def _typed(self) -> None:
        self._moved(at_once=False)

    def _chosen(self) -> None:
        self._moved(at_once=True)

    def _moved(self, at_once: bool) -> None:
        if not self._setting:
            self.example.value = OWN
            self._ask(at_once)

    def _entered(self, text: object, content: Any, buffers: object) -> None:
        """The browser says that Enter was pressed in a field, and only afterwards what stands in it."""
        if content.get("event") == "submit":
            timer = threading.Timer(ENTER, weakly(self.ask))
            timer.daemon = True
            timer.start()

    def _ask(self, at_once: bool) -> None:
        """Ask, unless the question may leave and nobody has allowed that; at each key, allowed is not enough."""
        if self.closed:
            return
        self.question = question = Question(
            value(self.host.value),
            service(self.service.value),
            self.family.value,
            self.type.value,
            self.proto.value,
            _ticked(self.flags),
        )
        why = question.leaves
        if why and not (at_once and self.may_leave.value):
            self._forward.drop()
            self._refusal = why
        else:
            self._refusal = ""
            self._forward.ask(partial(ask, question), slow=bool(why))
        self._painter.touch()

    # -- the picture -----------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Write what has changed into the page; called by the painter's thread alone, once the panel stands."""
        answer, refusal = self._forward.answer, self._refusal
        if refusal:
            shown = self._refused(refusal)
        elif answer is None:
            shown = waiting_picture(self._forward.late, self._forward.open)
        else:
            shown = answer_picture(answer)
        for widget, picture in (
            (self._call, call_picture(self.question.call)),
            (self._answer, shown),
            (self._name, self._draw_name(None if refusal else answer)),
        ):
            if widget.value != picture:
                widget.value = picture

    def _refused(self, why: str) -> str:
        asked = self.question
        of_host = host_leaves(asked.host, number(asked.family), number(*asked.flags))
        flag = "AI_NUMERICHOST" if of_host else "AI_NUMERICSERV"
        return refusal_picture(why, flag, allowed=self.may_leave.value, note=in_ascii(self.question.host))

    def _draw_name(self, answer: Answer | None) -> str:
        """The way back of the chosen row; it is asked here, by one thread, when row, flags or answer have changed."""
        if answer is None or not answer.rows:
            return "<div>no row to look back from</div>"
        place = min(self.row.value, len(answer.rows))
        flags, allowed = _ticked(self.name_flags), self.may_leave.value
        sockaddr = answer.rows[place - 1].sockaddr
        key = (answer, place, flags, allowed)
        if key != self._back_key:
            self._back_key = key
            why = name_leaves(sockaddr, number(*flags))
            self._back_refusal = "" if allowed else why
            if self._back_refusal:
                self._back.drop()
            else:
                self._back.ask(partial(name_of, sockaddr, flags), slow=bool(why))
        if self._back_refusal:
            return call_picture(name_call(sockaddr, flags)) + refusal_picture(self._back_refusal, "NI_NUMERICHOST")
        name = self._back.answer
        return name_picture(name, place) if name is not None else waiting_picture(self._back.late, self._back.open)


def _ticked(boxes: dict[str, Any]) -> tuple[str, ...]:
    return tuple(name for name, box in boxes.items() if box.value)


def _row(*controls: Any) -> Any:
    return widgets.HBox(list(controls), layout=widgets.Layout(flex_flow="row wrap", align_items="center", width="100%"))


def _menu(name: str, options: Any, tooltip: str, width: str, name_width: str = "4em") -> Any:
    return widgets.Dropdown(
        description=name, options=list(options), tooltip=tooltip, style={"description_width": name_width},
        layout=widgets.Layout(width=width, max_width=FITS),
    )  # fmt: skip


def _text(name: str, value: str, tooltip: str) -> Any:
    return widgets.Text(
        description=name, value=value, tooltip=tooltip, style={"description_width": "4em"},
        layout=widgets.Layout(width="230px", max_width=FITS),
    )  # fmt: skip


def _box(name: str, tooltip: str) -> Any:
    layout = widgets.Layout(width="auto", max_width=FITS, margin="2px 16px 2px 2px")
    return widgets.Checkbox(description=name, tooltip=tooltip, indent=False, layout=layout)
