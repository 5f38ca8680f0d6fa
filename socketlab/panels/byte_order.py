"""ByteOrderPanel: a number, and two ends that may disagree about which of its bytes comes first.

Below the controls lies `Passage`, which puts a number into bytes in the writer's order, sends them through a socket
pair, and reads what arrived in the reader's order. The socket changes no byte: whatever differs between the two numbers
is the readers' doing. Big-endian, the largest part first, is the order of the network (RFC 1700, Data Notation); which
one a machine has in its memory is `sys.byteorder`. htons() and htonl() go from the machine's to the network's.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

import ipywidgets as widgets

from .base import Panel, weakly
from .drawing.look import FITS, GREEN, ORANGE, STYLE, code, dot, static_picture

BIG, LITTLE = "big", "little"
ORDERS = {"big-endian  !": BIG, "little-endian  <": LITTLE}
SIZES = {"2 bytes (H)": 2, "4 bytes (I)": 4, "8 bytes (Q)": 8}

_CODES = {2: "H", 4: "I", 8: "Q"}
_PREFIX = {BIG: "!", LITTLE: "<"}
_FUNCTIONS = {2: ("htons", "ntohs"), 4: ("htonl", "ntohl")}  # s: short, 16 bits; l: long, 32 bits; none for 64


class Passage(NamedTuple):
    """A number on its way: put into `size` bytes in the order `written`, read in the order `read`.

    `number` has to fit: 0 to 256**size - 1.
    """

    number: int
    size: int = 4
    written: str = BIG
    read: str = LITTLE

    @property
    def data(self) -> bytes:
        """The bytes as they travel."""
        return struct.pack(self.format(self.written), self.number)

    @property
    def arrived(self) -> int:
        """The number that the reader gets."""
        value: int = struct.unpack(self.format(self.read), through_sockets(self.data))[0]
        return value

    def format(self, order: str) -> str:
        """`struct`'s format for this number in that order: ``!I``."""
        return _PREFIX[order] + _CODES[self.size]

    @property
    def remark(self) -> str:
        """One sentence: why both ends see the same number, or why not."""
        if self.written == self.read:
            ends = "both ends read the bytes in the same order"
            return f"The same number: {ends}{'' if self.read == BIG else ', though not in that of the network'}."
        if self.data == self.data[::-1]:
            return "The same number, by luck: these bytes read the same from both sides, so no test with it would fail."
        return "Another number, and no error: bytes do not say in which order they are meant."


def through_sockets(data: bytes) -> bytes:
    """What arrives of `data`, 8 bytes at most, at the other end of a socket pair."""
    left, right = socket.socketpair()
    with left, right:
        left.sendall(data)
        return right.recv(len(data))  # so few bytes sent at once lie there at once


def host_words(size: int, order: str = sys.byteorder) -> str:
    """What htons() or htonl() does on a machine of that order."""
    if size not in _FUNCTIONS:
        return "there is no function for 8 bytes: pack them with “!Q”"
    to_network, to_host = _FUNCTIONS[size]
    names = f"{to_network}() and {to_host}()"
    if order == BIG:
        return f"big-endian, as the network is: {names} change nothing"
    return f"little-endian: {names} turn the {size} bytes around"


def _cells(data: bytes) -> str:
    edge = "border:1px solid var(--jp-border-color1, #8c8c8c)"
    style = f"{edge};display:inline-block;padding:2px 7px;margin:2px 3px 2px 0"
    return "".join(f'<span style="{style}">{code(f"{byte:02x}")}</span>' for byte in data)


def _rows(passage: Passage) -> Iterator[tuple[str, str]]:
    written, read = passage.format(passage.written), passage.format(passage.read)
    arrived = passage.arrived
    yield "writer", code(f'struct.pack("{written}", {passage.number})')
    yield "on the wire", _cells(passage.data)
    unpack = f'struct.unpack("{read}", data)'
    yield "reader", f"{code(unpack)} gives {code(f'({arrived},)')}"
    yield "in hexadecimal", f"{code(hex(passage.number))} was meant, {code(hex(arrived))} was read"
    yield "this machine", escape(host_words(passage.size))


def as_html(passage: Passage) -> str:
    """Headline and table: the bytes, the two calls, and the two numbers."""
    arrived = passage.arrived
    mark = dot(GREEN if arrived == passage.number else ORANGE)
    head = f"{passage.number:,} arrives as {arrived:,}"
    rows = "".join(
        f"<tr><td class='sl-tight'>{name}</td><td class='sl-wide'>{words}</td></tr>" for name, words in _rows(passage)
    )
    return f"<div class='sl-head'>{mark}{head}</div><div>{escape(passage.remark)}</div><table class='sl'>{rows}</table>"


class ByteOrderPanel(Panel):
    """Choose a number, how many bytes it gets, and the order of each end; the bytes go through a real socket pair.

    `passage` is the latest. `number` is the one to begin with, and has to fit into four bytes.
    """

    title = "Byte order"

    def __init__(self, number: int = 258) -> None:
        if not 0 <= number < 256**4:
            raise ValueError(f"the panel wanted a number from 0 to {256**4 - 1:,}, but got {number:,}")
        style = {"description_width": "4em"}
        # A text field, not an IntText: JavaScript's numbers are exact to 2**53 only.
        self.number = widgets.Text(value=str(number), description="number", continuous_update=False, style=style)
        self.size = widgets.Dropdown(options=SIZES, value=4, description="size", style=style)
        self.writer = widgets.ToggleButtons(options=ORDERS, value=BIG, description="writer", style=style)
        self.reader = widgets.ToggleButtons(options=ORDERS, value=LITTLE, description="reader", style=style)
        for control in (self.number, self.size, self.writer, self.reader):
            control.observe(weakly(self._pass), names="value")
        for control in (self.number, self.size):
            control.layout.width, control.layout.max_width = "230px", FITS
        for toggle in (self.writer, self.reader):
            toggle.layout.margin = "2px 24px 2px 2px"  # or the two pairs look like four of one kind
        self.shown = widgets.HTML()
        self.passage = Passage(number)
        self._pass()
        heading = widgets.HTML(f"{STYLE}<div class='sl-title'>{self.title}</div>")
        first = widgets.HBox([self.number, self.size], layout={"flex_flow": "row wrap"})
        second = widgets.HBox([self.writer, self.reader], layout={"flex_flow": "row wrap"})
        box = widgets.VBox([heading, first, second, self.shown])
        box.add_class("socketlab-panel")
        super().__init__(box)

    def _pass(self) -> None:
        size = self.size.value
        try:
            number = int(self.number.value, 0)  # 0x1f90 is a number as well
        except ValueError:
            self.shown.value = f"{dot(ORANGE)}wanted a whole number, such as 8080 or 0x1f90"
            return
        if not 0 <= number < 256**size:
            self.shown.value = (
                f"{dot(ORANGE)}{number:,} does not fit into {size} bytes, which hold 0 to {256**size - 1:,}: "
                f"{code('struct.pack')} would raise {code('struct.error')}"
            )
            return
        self.passage = Passage(number, size, self.writer.value, self.reader.value)
        self.shown.value = as_html(self.passage)

    def snapshot(self) -> str:
        passage = Passage(258)
        return static_picture(
            self.title,
            "a number goes through a socket; each end has its own idea of which byte comes first",
            ["number: 258", "size: 4 bytes (I)", "writer: big-endian", "reader: little-endian"],
            [f"on the wire: {passage.data.hex(' ')}", "258 arrives as 33,619,968", passage.remark],
        )
