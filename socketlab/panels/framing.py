"""FramingPanel: the sizes of the sends and of the recvs, what lies between them, and which byte came in which recv."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as widgets

from ..experiments.running import Steps
from ..experiments.streams.framing import recv_sizes_steps
from ..experiments.streams.pieces import CLOSED, RESET, Piece, RecvSizes
from .drawing.look import FITS, code, count, literal
from .drawing.strips import INKS, STYLE, Block, ground, two_rows
from .experiment import ExperimentPanel
from .talks.pictures import duration

MOST = 200  # bytes in all: a dozen lines of the picture on a narrow page
MESSAGES = 20
SLICE_DELAY = 0.01  # s between two slices: enough for a recv to come in between, and not long to wait
ROWS = 24  # recvs in the table
COLOURS = tuple(INKS)[:7]


class FramingPanel(ExperimentPanel):
    """Sends of these sizes over TCP on loopback, and what each recv returned, byte by byte."""

    title = "Framing"
    about = "what each recv of a TCP connection returns, and which send wrote each of its bytes"
    hint = "Make one send arrive as three recvs; then make two sends arrive as one."
    regions = (
        "the bytes of the stream: above, the sends that wrote them; below, the recvs that returned them",
        "each recv as a call, with the bytes that it returned",
    )

    def __init__(self) -> None:
        self.sizes = widgets.Text(
            description="Messages", value="5, 3, 8", continuous_update=False,
            tooltip="How many bytes each send sends, in order, separated by commas",
            layout=widgets.Layout(width="290px", max_width=FITS),
        )  # fmt: skip
        self.size = _slider("recv size", 32, 1, 64, "B", "What each recv asks for: recv(n) returns n bytes at most")
        self.delay = _slider("Delay", 30, 0, 200, "ms", "How long the sender waits between two sends")
        self.slices = widgets.SelectionSlider(
            description="Slices", value=0, options=[("off", 0), *((f"{n} B", n) for n in range(1, 17))],
            tooltip="A link between the two cuts the stream into slices of so many bytes, 10 ms apart",
            layout=widgets.Layout(width="290px", max_width=FITS), continuous_update=False,
        )  # fmt: skip
        self.pause = _slider("Pause", 0, 0, 100, "ms", "How long the receiver does something else before each recv")
        super().__init__([self.sizes, self.size, self.delay, self.slices, self.pause])

    def steps(self) -> Steps[RecvSizes]:
        sizes = parsed(self.sizes.value)
        slices = {"slice_size": self.slices.value, "slice_delay": SLICE_DELAY} if self.slices.value else {}
        return recv_sizes_steps(
            sizes, size=self.size.value, delay=self.delay.value / 1e3, pause=self.pause.value / 1e3, **slices
        )

    def picture(self, result: RecvSizes) -> str:
        return framing_picture(result)

    def finding(self, result: RecvSizes) -> str:
        return result.sentence()


def parsed(text: str) -> list[int]:
    """The sizes in ``"5, 3, 8"``. Raises ValueError that says what was wanted, and which word was not that."""
    words = text.replace(",", " ").replace(";", " ").split()
    wanted = "Messages: give their sizes in bytes, separated by commas, such as 5, 3, 8"
    if not words:
        raise ValueError(f"{wanted}; there are none.")
    for word in words:
        if not (word.isascii() and word.isdigit()) or len(word) > 9:
            raise ValueError(f"{wanted}; {word!r} is not a size.")
    sizes = [int(word) for word in words]
    if len(sizes) > MESSAGES:
        raise ValueError(f"Messages: at most {MESSAGES}, so that they can be told apart; there are {len(sizes)}.")
    if sum(sizes) > MOST:
        raise ValueError(f"Messages: at most {MOST} bytes in all, so that each can be seen; there are {sum(sizes):,}.")
    return sizes


def framing_picture(result: RecvSizes) -> str:
    """The two rows of bytes and the table of the recvs, as HTML."""
    sends = [Block(f"send {n}", str(n), [colour_of(n)] * len(send.data)) for n, send in enumerate(result.sends, 1)]
    recvs = [
        Block(f"recv {n}", str(n), [colour_of(part.send) for part in result.parts(recv) for _ in part.data])
        for n, recv in enumerate(result.recvs, 1)
    ]
    letters = [chr(byte) if 33 <= byte < 127 else "·" for send in result.sends for byte in send.data]
    rows = two_rows(letters, sends, recvs, f"{result.title}, byte by byte")
    shown = "".join(_row(result, recv) for recv in result.recvs[:ROWS])
    left = len(result.recvs) - ROWS
    if left > 0:
        shown += f"<tr><td></td><td>… and {count(left, 'more recv')}</td><td></td><td></td></tr>"
    if result.end:
        what = code("b''") if result.end == CLOSED else "ConnectionResetError" if result.end == RESET else ""
        why = "the end: the sender has closed" if result.end == CLOSED else "the connection was reset"
        shown += f"<tr><td class='sl-tight'>{_call(result)}</td><td>{what}</td><td>{why}</td><td></td></tr>"
    return (
        f"{STYLE}<div class='sl-head'>Sends above, recvs below: colour and letter tell the send, gaps part the calls"
        f"</div>{rows}"
        "<div class='sl-head'>What the receiver sees</div><table class='sl'><thead><tr><th>call</th><th>returned</th>"
        f"<th>from</th><th>after</th></tr></thead><tbody>{shown}</tbody></table>"
    )


def colour_of(send: int) -> str:
    """Of the send with that number, from 1."""
    return COLOURS[(send - 1) % len(COLOURS)]


def _row(result: RecvSizes, recv: Piece) -> str:
    parts = "".join(
        f'<span class="sl-key" style="{ground(colour_of(part.send))};display:inline-block;border-radius:3px;'
        f'padding:0 5px;margin:0 4px 1px 0">{html.escape(_of(result, part.send, len(part.data)))}</span>'
        for part in result.parts(recv)
    )
    returned = code(literal(recv.data))
    return (
        f"<tr><td class='sl-tight'>{_call(result)}</td><td style='overflow-wrap:anywhere'>{returned}</td>"
        f"<td>{parts}</td><td class='sl-tight'>{duration(recv.at)}</td></tr>"
    )


def _of(result: RecvSizes, send: int, size: int) -> str:
    whole = len(result.sends[send - 1].data)
    return f"send {send}" if size == whole else f"{size} of {whole} of send {send}"


def _call(result: RecvSizes) -> str:
    return code(f"recv({result.size or ''})")


def _slider(name: str, value: int, low: int, high: int, unit: str, tooltip: str) -> Any:
    """A slider that reports where it was left, in steps of 5 where there is much to choose from."""
    options = [(f"{n} {unit}", n) for n in range(low, high + 1, 5 if high >= 100 else 1)]
    return widgets.SelectionSlider(
        description=name, value=value, options=options, tooltip=tooltip,
        continuous_update=False, layout=widgets.Layout(width="290px", max_width=FITS),
    )  # fmt: skip
