"""How soon a slider of the link panel acts: a real kernel, and the messages that JupyterLab sends to it.

The panel runs, as on a page. A byte is held by 2 s of latency; then the slider's message asks for a few milliseconds.
The wire has changed when that byte arrives at the server; the picture, when the message with the new value in it has
come out of the kernel. Between two moves an empty message goes to another widget, which answers at once: that is what
the way there and back costs on this machine. Kernel and bench read one clock, CLOCK_MONOTONIC.
"""

from __future__ import annotations

import ast
import subprocess
import time
from queue import Empty
from statistics import median
from typing import Any, NamedTuple

from socketlab.measure.timing import seconds_text

LIMIT = 30.0  # s that anything may take
STEP = 0.0005  # s of latency between one value and the next

SETUP = """
import json, socket, time
import ipywidgets
from socketlab import tcp_server
from socketlab.panels import LinkPanel

arrived = []

def note(conn):
    while data := conn.recv(65536):
        if data == b"!":
            arrived.append(time.monotonic())
        conn.sendall(data)

server = tcp_server(note)
panel = LinkPanel(server)
panel.run()
client = socket.create_connection(panel.address)
empty = ipywidgets.IntText()
ids = json.dumps([w.model_id for w in (empty, panel.faders["TCP"]["latency"].slider, panel._picture)])

def hold():
    arrived.clear()
    client.sendall(b"!")
    until = time.monotonic() + 0.03  # more than any latency that will be asked for
    while time.monotonic() < until:
        time.sleep(0.005)
    assert not arrived, "it was not held"

panel
"""


class Moves(NamedTuple):
    """Seconds from the sending of each message: to its echo, to the wire, to the picture."""

    echo: list[float]
    wire: list[float]
    picture: list[float]
    subshell: bool  #: whether events went to a subshell, as JupyterLab sends them where the kernel has those


class Page:
    """What JupyterLab is to a kernel: it runs cells and moves sliders."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(kernel_name="python3", stderr=subprocess.DEVNULL)
        self.subshell = self._subshell()

    def _subshell(self) -> str | None:
        """The id of a new subshell, None where the kernel knows none."""
        self.client.kernel_info()
        reply = self.client.get_shell_msg(timeout=LIMIT)
        while reply["msg_type"] != "kernel_info_reply":
            reply = self.client.get_shell_msg(timeout=LIMIT)
        if "kernel subshells" not in reply["content"].get("supported_features", ()):
            return None
        self.client.control_channel.send(self.client.session.msg("create_subshell_request", {}))
        found: str = self.client.get_control_msg(timeout=LIMIT)["content"]["subshell_id"]
        return found

    def run(self, source: str, expression: str = "None") -> Any:
        """Run a cell; the value of `expression` afterwards."""
        request = self.client.execute(source, user_expressions={"it": expression}, store_history=False)
        deadline = time.monotonic() + LIMIT
        while True:
            reply = self.client.get_shell_msg(timeout=max(0.0, deadline - time.monotonic()))
            if reply["parent_header"].get("msg_id") == request:
                break
        if reply["content"]["status"] != "ok":
            raise RuntimeError("\n".join(reply["content"]["traceback"]))
        return ast.literal_eval(reply["content"]["user_expressions"]["it"]["data"]["text/plain"])

    def move(self, model: str, value: Any) -> float:
        """Set a widget's value, as the browser does; when that was sent."""
        data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
        message = self.client.session.msg("comm_msg", {"comm_id": model, "data": data})
        if self.subshell is not None:
            message["header"]["subshell_id"] = self.subshell
        now = time.monotonic()
        self.client.shell_channel.send(message)
        return now

    def heard(self, model: str, words: str = "") -> float:
        """When a message about this widget came, with these words in its value."""
        deadline = time.monotonic() + LIMIT
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise TimeoutError(f"no message about this widget with {words!r} came within {LIMIT:g} s") from None
            now = time.monotonic()
            content = message["content"]
            about = message["msg_type"] == "comm_msg" and content["comm_id"] == model
            if about and words in str(content["data"].get("state", {}).get("value", "")):
                return now

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def slider(count: int = 30) -> Moves:
    """Move the latency's slider `count` times."""
    moves = Moves([], [], [], False)
    page = Page()
    try:
        empty, latency, picture = ast.literal_eval(page.run(SETUP, "ids"))
        for n in range(1, count + 1):
            page.move(latency, 2000)
            page.heard(picture, "<b>latency 2 s</b>")
            page.run("hold()")
            sent = page.move(empty, n)
            moves.echo.append(page.heard(empty) - sent)
            seconds = n * STEP
            sent = page.move(latency, seconds * 1000)
            moves.picture.append(page.heard(picture, f"<b>latency {seconds_text(seconds)}</b>") - sent)
            deadline = time.monotonic() + LIMIT
            while not (came := page.run("", "arrived")):
                assert time.monotonic() < deadline, "the byte that was held did not arrive"
            moves.wire.append(came[0] - sent)
        page.run("client.close(); panel.close(); server.close()")
    finally:
        page.close()
    return moves._replace(subshell=page.subshell is not None)


def of_panels() -> None:
    """The section of ``python -m bench --only panels``."""
    moves = slider()
    way = "to a subshell" if moves.subshell else "to the kernel's main thread"
    print(f"\n### A slider of the link panel, moved {len(moves.wire)} times, its messages sent {way}\n")
    print("| from the message to | median | slowest | bar (median) |\n|---|---|---|---|")
    for what, times, bar in (
        ("the answer to an empty one", moves.echo, ""),
        ("the wire", moves.wire, "20 ms"),
        ("the picture", moves.picture, "100 ms"),
    ):
        print(f"| {what} | {median(times) * 1e3:.1f} ms | {max(times) * 1e3:.1f} ms | {bar} |", flush=True)
