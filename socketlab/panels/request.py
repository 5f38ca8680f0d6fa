"""RequestPanel: write a request byte for byte, send it, and see what comes back and how long each wait took.

Below is `Exchange`, which knows nothing of widgets, and what it looks like (pictures.py); here are the controls, the
wires, and one background thread per request.
"""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets as widgets

from ..handlers import StreamHandler
from ..handlers.web import http
from ..servers import ServerError, tcp_server
from ..servers.stream import StreamServer
from .base import Panel, weakly
from .drawing.look import FITS, STYLE, static_picture
from .drawing.painter import Painter
from .talks.exchange import Exchange, request_bytes, resolve
from .talks.pictures import preview_picture, reply_picture, timing_picture
from .talks.recording import describe

REQUEST = "GET /hello HTTP/1.1\nHost: www.codedamn.com\nConnection: close\n\n"


class RequestPanel(Panel):
    """A client under your hands. Without `address` it talks to a loopback server of its own, which runs `handler`.

    `address` is (host, port) of a server on this machine; `request` is the text to begin with, in lines. Raises
    ValueError for an address that is not loopback, TypeError for a handler that cannot be called.
    """

    title = "Request"

    def __init__(
        self, address: tuple[Any, ...] | None = None, request: str = REQUEST, *, handler: StreamHandler = http
    ) -> None:
        if address is not None:
            resolve(*address[:2])
        self.server: StreamServer | None = None if address is not None else tcp_server(handler)  #: its own server
        host, port = (address or self._own().address)[:2]
        self._painter = Painter(self._draw)
        self._exchange: Exchange | None = None
        self._thread: threading.Thread | None = None
        self._problem = ""
        self._errors: tuple[BaseException, ...] = ()  # of the server, before the request under way
        self._lock = threading.RLock()

        slim = widgets.Layout(width="210px", max_width=FITS)
        self.host = widgets.Text(description="Host", value=host, layout=slim, tooltip="127.0.0.1, ::1 or localhost")
        self.port = widgets.BoundedIntText(description="Port", value=port, min=1, max=65535, layout=slim)
        self.text = widgets.Textarea(
            description="Request",
            value=request,
            rows=max(5, request.count("\n") + 1),
            layout=widgets.Layout(width="auto", flex="1 1 320px", min_width=f"min(240px, {FITS})"),
            tooltip="What is sent, line by line; an HTTP request ends with an empty line",
        )
        self.crlf = widgets.Checkbox(
            description=r"end each line with \r\n", value=True, indent=False, layout=widgets.Layout(width="auto")
        )
        self.send_button = widgets.Button(
            description="Send", icon="paper-plane", tooltip="Connect, send the request, read until the end",
            layout=widgets.Layout(width="auto"),
        )  # fmt: skip
        self.stop_button = widgets.Button(
            description="Stop", icon="stop", tooltip="Stop waiting for more", layout=widgets.Layout(width="auto"),
            disabled=True,
        )  # fmt: skip
        self._preview = widgets.HTML(
            layout=widgets.Layout(flex="1 1 320px", min_width=f"min(240px, {FITS})", width="auto")
        )
        self._timing, self._reply = widgets.HTML(), widgets.HTML()

        self.send_button.on_click(weakly(self.send))
        self.stop_button.on_click(weakly(self.stop))
        self.text.observe(weakly(self._painter.touch), names="value")
        self.crlf.observe(weakly(self._painter.touch), names="value")

        row = widgets.Layout(flex_flow="row wrap", align_items="center", width="100%")
        box = widgets.VBox(
            [
                widgets.HTML(STYLE + '<span class="sl-title">Request</span>'),
                widgets.HBox([self.host, self.port, self.send_button, self.stop_button], layout=row),
                widgets.HBox([self.text, self._preview], layout=widgets.Layout(flex_flow="row wrap", width="100%")),
                self.crlf,
                self._timing,
                self._reply,
            ]
        )
        box.add_class("socketlab-panel")
        super().__init__(box)
        self._draw()
        self._painter.start()

    def _own(self) -> StreamServer:
        assert self.server is not None
        return self.server

    @property
    def response(self) -> bytes:
        """The bytes that came back last, at most 65,536 of them; b'' before the first request."""
        return self._exchange.response if self._exchange is not None else b""

    def send(self) -> None:
        """Send the request in the background, as the button does; nothing while another one is under way."""
        with self._lock:
            if self.closed or (self._thread is not None and self._thread.is_alive()):
                return
            try:
                self._exchange = Exchange(
                    (self.host.value, self.port.value),
                    request_bytes(self.text.value, self.crlf.value),
                    self._painter.touch,
                )
            except (ValueError, OSError) as exc:
                self._problem = str(exc)
            else:
                self._problem = ""
                self._errors = self.server.errors if self.server is not None else ()
                self._thread = threading.Thread(target=self._exchange.run, name="panel request", daemon=True)
                self._thread.start()
            self._painter.touch()

    def stop(self) -> None:
        """Stop waiting for more of the response, as the button does."""
        if self._exchange is not None:
            self._exchange.stop()

    def wait(self, seconds: float = 15.0) -> bytes:
        """Wait until the request under way is over, and return the response; for the cells below the panel."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self.response

    def close(self) -> None:
        """Stop the request under way and the panel's own server, and take the controls away. Idempotent."""
        with self._lock:
            self.stop()
            self.wait()
            if self.server is not None:
                try:
                    self.server.close()
                except ServerError:
                    pass  # of no use to somebody who closes the panel
            self._painter.close()
            super().close()

    def snapshot(self) -> str:
        return static_picture(
            "Request",
            "write a request, send it to a server on this machine, and see what comes back",
            ["Host", "Port", "Send", "Stop", "Request", r"end each line with \r\n"],
            ["the bytes that will be sent", "a timing bar: connect, first byte, last byte", "the bytes that came back"],
        )

    def _fault(self) -> str:
        """What the handler of the panel's own server raised at the request sent last; "" where it raised nothing."""
        errors = self.server.errors if self.server is not None else ()
        new = [error for error in errors if error not in self._errors and not isinstance(error, ConnectionError)]
        return describe(new[-1]) if new else ""

    def _draw(self) -> None:
        """Write what has changed into the page; called by the painter's thread alone, once the panel stands."""
        exchange = self._exchange
        for widget, picture in (
            (self._preview, preview_picture(request_bytes(self.text.value, self.crlf.value))),
            (self._timing, timing_picture(exchange, self._problem, self._fault())),
            (self._reply, reply_picture(exchange)),
        ):
            if widget.value != picture:
                widget.value = picture
        busy = exchange is not None and not exchange.over
        self.send_button.disabled = busy
        self.stop_button.disabled = not busy
