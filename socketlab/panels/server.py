"""ServerPanel: a server to start and stop, a client to talk to it with, and what the server heard and said.

Below is `Conversation`, which knows nothing of widgets, and what it looks like (pictures.py); here are the controls
and the wires. Controls are read when a button is pressed; whatever changes by itself is written by the painter.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import ipywidgets as widgets

from ..handlers import StreamHandler, echo
from ..servers.stream import StreamServer
from .base import Panel, weakly
from .drawing.look import FITS, STYLE, static_picture
from .drawing.painter import Painter
from .talks.conversation import Conversation, families
from .talks.pictures import client_picture, record_picture, status_picture
from .talks.visitor import typed

ENTER = 0.1  # seconds between the Enter key and the sending, in which the text arrives
HTTP_REQUEST = r"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"


class ServerPanel(Panel):
    """A loopback server under your hands; it runs from the start, so that the cells below can use `server.address`.

    `handler` is what it serves at first: one of `socketlab.handlers` or a function of yours. `handlers` are offered
    beside those six. `family` is socket.AF_INET, AF_INET6 or AF_UNIX; ``start=False`` leaves the starting to the
    button. Raises TypeError for a handler that cannot be called, ValueError for a family that this machine lacks.
    """

    title = "Server"

    def __init__(
        self,
        handler: StreamHandler = echo,
        *,
        handlers: Iterable[StreamHandler] = (),
        family: int | None = None,
        start: bool = True,
    ) -> None:
        self._painter = Painter(self._draw)
        self._conversation = talk = Conversation((*handlers, handler), self._painter.touch)
        choices = families()
        if family is not None and family not in choices.values():
            raise ValueError(f"family {family!r} is not one of those that work here: {', '.join(choices)}")
        name = getattr(handler, "__name__", type(handler).__name__)
        self._first = name
        if start:
            talk.start(name, next(iter(choices.values())) if family is None else family)
            if talk.server is None:
                raise OSError(talk.problem)

        slim = widgets.Layout(width="210px", max_width=FITS)
        self.handler = widgets.Dropdown(description="Handler", options=list(talk.handlers), value=name, layout=slim)
        self.family = widgets.Dropdown(description="Family", options=choices, layout=slim)
        if family is not None:
            self.family.value = family
        self.text = widgets.Text(
            description="Text",
            value=self._suggestion(),
            continuous_update=False,  # what is sent by leaving the field comes before the click that follows
            layout=widgets.Layout(flex="1 1 260px", min_width="180px", width="auto"),
            tooltip=r"What the client sends; \r \n \t \0 \\ and \x00 to \xff mean what they mean in Python",
        )
        self.start_button = _button("Start", "Start the chosen handler on a port that the kernel chooses", "play")
        self.stop_button = _button("Stop", "Stop listening and end every connection", "stop")
        self.connect_button = _button("Connect", "Connect a client to this server", "plug")
        self.send_button = _button("Send", "The client sends the text", "paper-plane")
        self.half_close_button = _button("Half-close", "shutdown(SHUT_WR): the client has finished sending")
        self.reset_button = _button("Reset", "The client leaves with an RST")
        self.hang_up_button = _button("Close", "The client closes its socket")
        self._status, self._client, self._log = widgets.HTML(), widgets.HTML(), widgets.HTML()

        self.start_button.on_click(weakly(self.start))
        self.stop_button.on_click(weakly(self.stop))
        self.connect_button.on_click(weakly(self._connect))
        self.send_button.on_click(weakly(self._send))
        self.half_close_button.on_click(weakly(self._half_close))
        self.reset_button.on_click(weakly(self._reset))
        self.hang_up_button.on_click(weakly(self._hang_up))
        self.handler.observe(weakly(self._suggest), names="value")
        self.family.observe(weakly(self._painter.touch), names="value")
        self._press_send = weakly(self._send)
        self.text.on_msg(weakly(self._entered, with_event=True))

        row = widgets.Layout(flex_flow="row wrap", align_items="center", width="100%")
        box = widgets.VBox(
            [
                widgets.HTML(STYLE + '<span class="sl-title">Server</span>'),
                widgets.HBox([self.handler, self.family, self.start_button, self.stop_button], layout=row),
                self._status,
                widgets.HTML('<div class="sl-head">A client to talk to it with</div>'),
                widgets.HBox([self.text, self.send_button], layout=row),
                widgets.HBox(
                    [self.connect_button, self.half_close_button, self.reset_button, self.hang_up_button], layout=row
                ),
                self._client,
                self._log,
            ]
        )
        box.add_class("socketlab-panel")
        super().__init__(box)
        self._draw()
        self._painter.start()

    @property
    def server(self) -> StreamServer:
        """The server that was started last; after Stop it keeps its address, and refuses whoever connects there.

        Raises RuntimeError where none has been started yet.
        """
        if self._conversation.server is None:
            raise RuntimeError("this panel has not started a server yet: press Start, or call its start()")
        return self._conversation.server

    def start(self) -> None:
        """Start the chosen handler in the chosen family, as the button does; what ran before is stopped."""
        self._conversation.start(self.handler.value, self.family.value)

    def stop(self) -> None:
        """Stop the server and the client, as the button does."""
        self._conversation.stop()

    def close(self) -> None:
        """Stop server, client and painter, and take the controls away. Idempotent."""
        self._conversation.end()
        self._painter.close()
        super().close()

    def snapshot(self) -> str:
        return static_picture(
            "Server",
            f"a loopback server ({self._first}), the clients that are connected to it, and what it hears and says",
            ["Handler", "Family", "Start", "Stop", "Text", "Send", "Connect", "Half-close", "Reset", "Close"],
            ["its address, to copy", "who is connected", "each recv and sendall of the handler, with the bytes"],
        )

    # -- what the buttons do ---------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self._conversation.connect()

    def _send(self) -> None:
        if self._conversation.visitor is None or not self._conversation.visitor.present:
            self._conversation.connect()
        self._conversation.send(typed(self.text.value))

    def _entered(self, text: object, content: Any, buffers: object) -> None:
        """The browser says that Enter was pressed in the text field, and only afterwards what stands in it."""
        if content.get("event") == "submit":
            timer = threading.Timer(ENTER, self._press_send)
            timer.daemon = True
            timer.start()

    def _half_close(self) -> None:
        self._conversation.half_close()

    def _reset(self) -> None:
        self._conversation.reset()

    def _hang_up(self) -> None:
        self._conversation.hang_up()

    def _suggestion(self) -> str:
        return HTTP_REQUEST if self.handler.value == "http" else "hello"

    def _suggest(self) -> None:
        if self.text.value in ("hello", HTTP_REQUEST):  # not over what somebody typed
            self.text.value = self._suggestion()
        self._painter.touch()

    # -- what is to be seen ----------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Write what has changed into the page; called by the painter's thread alone, once the panel stands."""
        talk = self._conversation
        present = talk.visitor is not None and talk.visitor.present
        chosen = self.handler.value, self.family.value
        served = talk.server is None or chosen == (talk.serving, talk.server.family)
        other = "" if served else f"{self.handler.value} over {self.family.label}"
        for widget, picture in (
            (self._status, status_picture(talk, other)),
            (self._client, client_picture(talk)),
            (self._log, record_picture(talk)),
        ):
            if widget.value != picture:
                widget.value = picture
        self.stop_button.disabled = not talk.running
        self.connect_button.disabled = self.send_button.disabled = not talk.running
        self.half_close_button.disabled = self.reset_button.disabled = self.hang_up_button.disabled = not present


def _button(label: str, tooltip: str, icon: str = "") -> Any:
    return widgets.Button(description=label, tooltip=tooltip, icon=icon, layout=widgets.Layout(width="auto"))
