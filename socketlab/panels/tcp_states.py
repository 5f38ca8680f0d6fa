"""TcpStatesPanel: two sockets and a listener, a button for each call, and where the kernel has each of them.

Below is `ConnectionModel`, which makes the calls and asks the kernel, and tcp_diagram.py, which draws the answer; here
are the controls. States change by themselves as well, when an acknowledgement comes late, a timer fires, or a cell
uses the panel's sockets: so the painter looks a dozen times a second, and writes only what has changed.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from typing import Any

import ipywidgets as widgets

from .base import Panel, weakly
from .drawing.look import FITS, STYLE, static_picture
from .drawing.painter import Painter
from .tcp.calls import Call
from .tcp.connection import ConnectionModel
from .tcp.diagram import diagram
from .tcp.pictures import calls_picture, status_picture

QUIET, SELDOM = 30.0, 0.5  # after so many seconds without a change it looks twice a second, to spare a slow core
LOOK = 0.05  # seconds between two looks: with the painter's GATHER, what happens by itself shows within 0.1 s

#: The buttons: side, call, label, and what it does.
_BUTTONS = {
    "listener": (
        ("listen", "listener.listen(1)", "Wait for SYNs; the queue holds those who were not accepted yet"),
        ("accept", "listener.accept()", "Take the first connection out of the queue: the server's socket"),
        ("close", "listener.close()", "Listen no more; who waits in the queue is reset"),
    ),
    "client": (
        ("socket", "client = socket()", "A new socket for another try; the one before is closed"),
        ("connect", "client.connect()", "Send a SYN to the listener's address"),
        ("send", "client.send()", "Send b'hello'"),
        ("recv", "client.recv()", "Receive what has come"),
        ("shutdown", "client.shutdown()", "shutdown(SHUT_WR): send a FIN, and go on receiving"),
        ("close", "client.close()", "Send a FIN and give the descriptor back; an RST if something is unread"),
        ("reset", "client: RST", "SO_LINGER with 0 seconds, then close(): send an RST"),
    ),
    "server": (
        ("send", "server.send()", "Send b'welcome'"),
        ("recv", "server.recv()", "Receive what has come"),
        ("shutdown", "server.shutdown()", "shutdown(SHUT_WR): send a FIN, and go on receiving"),
        ("close", "server.close()", "Send a FIN and give the descriptor back; an RST if something is unread"),
        ("reset", "server: RST", "SO_LINGER with 0 seconds, then close(): send an RST"),
    ),
}

_RECIPES = (
    ("SYN-SENT", "listener.listen(1), “Server hears nothing”, client.connect()"),
    ("SYN-RECEIVED", "listener.listen(1), “Client hears nothing”, client.connect(): the SYN comes, its answer is lost"),
    ("FIN-WAIT-1", "connected; “Server hears nothing”, client.shutdown(). Without that 40 ms: a delayed ACK"),
    ("FIN-WAIT-2, CLOSE-WAIT", "connected; client.shutdown(), and the server does nothing"),
    ("CLOSING", "connected; both hear nothing; client.shutdown(), server.shutdown(), “Client hears again”"),
    ("LAST-ACK", "connected; client.shutdown(), “Client hears nothing”, server.close(). Without that: microseconds"),
    ("TIME-WAIT", "connected; client.close(), server.close(): it stays with the one who closed first, 60 s on Linux"),
    ("CLOSED at once", "connected; server.send(), client.close(): unread bytes make it an RST"),
)  # fmt: skip


class TcpStatesPanel(Panel):
    """Two sockets in your hands, and TCP's states. `family` is socket.AF_INET or AF_INET6.

    `listener`, `client` and `server` (None before the accept) are real sockets, which cells may use as well. Raises
    ValueError for another family, OSError where it has no loopback address.
    """

    title = "TCP states"

    def __init__(self, *, family: int = socket.AF_INET) -> None:
        self._painter = Painter(self._draw, LOOK)
        self.model = ConnectionModel(family, self._painter.touch)
        self._drawn: object = None  # what the diagram was drawn from
        self._number, self._changed = 0, time.monotonic()  # the latest call, and when something changed last
        self._timer: threading.Timer | None = None
        self.buttons: dict[tuple[str, str], Any] = {}
        row = widgets.Layout(flex_flow="row wrap", align_items="center", width="100%")
        rows = []
        for side, calls in _BUTTONS.items():
            for action, label, tooltip in calls:
                button = _button(label, tooltip)
                button.on_click(weakly(self._pressed, with_event=True))
                self.buttons[side, action] = button
            rows.append(widgets.HBox([self.buttons[side, action] for action, _, _ in calls], layout=row))
        self.deaf_buttons = {side: _button("", "What arrives there is thrown away") for side in ("client", "server")}
        for button in self.deaf_buttons.values():
            button.on_click(weakly(self._pressed, with_event=True))
        self.reset_button = _button("Reset", "Close everything and begin again", "refresh")
        self.reset_button.on_click(weakly(self.reset))
        self._status, self._diagram, self._calls = widgets.HTML(), widgets.HTML(), widgets.HTML()
        recipes = "".join(f"<tr><td class='sl-tight'>{a}</td><td class='sl-wide'>{b}</td></tr>" for a, b in _RECIPES)
        legend = (
            "<div>A solid line: both states were seen. Dashed: too short to be seen, and the only way there is. "
            "Dotted: a reset, or nobody saw which way it went.</div>"
        )
        help_ = (
            f"{legend}<details><summary>How to see each state</summary><table class='sl'>{recipes}</table></details>"
        )
        box = widgets.VBox(
            [
                widgets.HTML(f'{STYLE}<span class="sl-title">{self.title}</span>'),
                *rows,
                widgets.HBox([*self.deaf_buttons.values(), self.reset_button], layout=row),
                self._status,
                self._diagram,
                widgets.HTML(help_),
                self._calls,
            ]
        )
        box.add_class("socketlab-panel")
        super().__init__(box)
        self._draw()
        self._painter.start()

    @property
    def listener(self) -> socket.socket:
        return self.model.listener

    @property
    def client(self) -> socket.socket:
        return self.model.client

    @property
    def server(self) -> socket.socket | None:
        return self.model.server

    def press(self, side: str, action: str) -> Call:
        """What the button does: one call of "listener", "client" or "server"; see `ConnectionModel.press`."""
        return self.model.press(side, action)

    def deafen(self, side: str) -> Call:
        """What the two buttons do: let "client" or "server" hear nothing, or hear again."""
        return self.model.deafen(side, side not in self.model.deaf)

    def reset(self) -> None:
        """Close everything and begin again, as the button does."""
        self.model.reset()

    def close(self) -> None:
        """Close the sockets, end the painter, and take the controls away. Idempotent."""
        if hasattr(self, "model"):
            self.model.close()
        self._painter.close()
        if (timer := getattr(self, "_timer", None)) is not None:
            timer.cancel()
            timer.join()
        super().close()

    def snapshot(self) -> str:
        return static_picture(
            self.title,
            "two sockets and a listener: you make the calls, the kernel says which state each of them is in",
            [label for calls in _BUTTONS.values() for _, label, _ in calls]
            + ["Client hears nothing", "Server hears nothing", "Reset"],
            [
                "the state of listener, client and server, and the timer that runs",
                "the state diagram of TCP (RFC 9293, figure 5) with both ends, and the way that each took",
                "the calls, with what came of each",
            ],
        )

    def _pressed(self, pressed: object) -> None:
        for (side, action), button in self.buttons.items():
            if button is pressed:
                self.press(side, action)
        for side, button in self.deaf_buttons.items():
            if button is pressed:
                self.deafen(side)

    def _draw(self) -> None:
        """Ask the kernel, and write what has changed into the page; called by the painter's thread alone."""
        model = self.model
        calls = tuple(model.calls)
        number = calls[-1].number if calls else 0
        ends = model.look()
        paths = {side: tuple(path) for side, path in list(model.paths.items())}
        if number != self._number or any(end.timer for end in ends.values()):
            self._number, self._changed = number, time.monotonic()
        if (seen := ({side: end.state for side, end in ends.items()}, paths)) != self._drawn:
            self._drawn, self._changed = seen, time.monotonic()
            self._diagram.value = f'<div style="overflow-x:auto;margin:6px 0">{diagram(ends, paths)}</div>'
        for widget, picture in ((self._status, status_picture(ends)), (self._calls, calls_picture(calls))):
            if widget.value != picture:
                widget.value = picture
        for (side, action), button in self.buttons.items():
            button.disabled = not model.can(side, action)
        for side, button in self.deaf_buttons.items():
            button.description = f"{side.capitalize()} hears {'again' if side in model.deaf else 'nothing'}"
            button.disabled = sys.platform != "linux"
        if time.monotonic() < self._changed + QUIET:
            self._painter.touch()  # look again when the period is over
        elif self._timer is None or not self._timer.is_alive():
            self._timer = threading.Timer(SELDOM, self._painter.touch)
            self._timer.daemon = True
            self._timer.start()


def _button(label: str, tooltip: str, icon: str = "") -> Any:
    layout = widgets.Layout(width="auto", max_width=FITS)
    return widgets.Button(description=label, tooltip=tooltip, icon=icon, layout=layout)
