"""Who got what: datagrams to one address, to all, and to a group, against the sockets that could have received them.

A datagram to a unicast address goes to one socket, the one that fits it best. One to a broadcast address, or to a
group, goes to every socket of the machine that it fits, a copy each (ip(7), udp(7)). Which those are is asked of the
kernel here: `who_got_what` sends through sockets that somebody else made, and looks into those of the receivers.

That somebody got nothing can only be told after a while. A datagram on loopback lies in a queue of its processor until
the kernel hands it to the sockets, first come, first served; so one more datagram is sent behind the others, and when
that has arrived, all others have.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from ...interrupts import Uninterrupted
from ...servers.loopback import HOME as HOMES
from ..running import Steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...measure.plots import Picture

PATIENCE = 2.0  # s for the datagram behind the others: more than a stalled machine makes it wait
QUIET = 0.02  # s of silence after it: for a sender that changed processors between two datagrams
MOST = 8  # messages, and receivers, of which a picture can be read
MULTICAST_ALL = getattr(socket, "IP_MULTICAST_ALL", 49)  # Linux has it since 2.6.31; Python has no name for it
NAMES = ("A", "B", "C")  #: the receivers of `send_to_group`

HOME = HOMES[socket.AF_INET]
_HOME = socket.inet_aton(HOME)


class Message(NamedTuple):
    """One datagram: its name, how many copies each receiver got, and the errno's name where it could not be sent."""

    name: str
    copies: tuple[int, ...]
    error: str = ""


@dataclass(frozen=True, repr=False)
class WhoGotWhat:
    """What `who_got_what` found: a row for each message, a column for each receiver."""

    receivers: tuple[str, ...]
    messages: tuple[Message, ...]

    def reached(self, message: str) -> list[str]:
        """The receivers that got this message. Raises KeyError where none is called so."""
        for one in self.messages:
            if one.name == message:
                return [name for name, copies in zip(self.receivers, one.copies, strict=True) if copies]
        raise KeyError(f"no message is called {message!r}; there are: {', '.join(m.name for m in self.messages)}")

    def __repr__(self) -> str:
        return f"<WhoGotWhat: {len(self.messages)} messages, {len(self.receivers)} receivers>"


def who_got_what(
    receivers: Mapping[str, socket.socket], messages: Mapping[str, tuple[socket.socket, Any]]
) -> WhoGotWhat:
    """Send one datagram for each of `messages`, a pair of a socket and an address, and see which `receivers` get it.

    What lies in the receivers already is taken out of them, and what others send meanwhile is not counted. Their
    timeouts are left as they were. Raises ValueError without receivers or messages, or for more than eight of either,
    OSError where the machine lacks loopback. A message that cannot be sent is told by its errno in the result.
    """
    for what, given in (("receivers", receivers), ("messages", messages)):
        if not 1 <= len(given) <= MOST:
            raise ValueError(f"who_got_what wanted 1 to {MOST} {what}, but got {len(given)}")
    mark = os.urandom(8)  # no datagram of anybody else begins so
    errors = []
    for number, (sender, address) in enumerate(messages.values()):
        try:
            sender.sendto(mark + bytes([number]), address)
            errors.append("")
        except OSError as exc:
            errors.append(errno.errorcode.get(exc.errno or 0, type(exc).__name__))
    _all_delivered()
    copies = [_of_mine(sock, mark, len(messages)) for sock in receivers.values()]
    return WhoGotWhat(
        tuple(receivers),
        tuple(
            Message(name, tuple(counts[number] for counts in copies), error)
            for number, (name, error) in enumerate(zip(messages, errors, strict=True))
        ),
    )


def _all_delivered() -> None:
    """Wait until a datagram that is sent now has arrived: those before it have been handed out by then."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as fence:
        fence.settimeout(PATIENCE)
        fence.bind((HOME, 0))
        fence.connect(fence.getsockname())  # and hears nobody else
        fence.send(b"|")
        fence.recv(1)


def _of_mine(sock: socket.socket, mark: bytes, messages: int) -> list[int]:
    """How many copies of each message lie in `sock`; it is empty afterwards."""
    counts = [0] * messages
    before = sock.gettimeout()
    sock.settimeout(0)
    try:
        while select.select([sock], [], [], QUIET)[0]:
            try:
                data = sock.recv(64)
            except BlockingIOError:  # a datagram with a wrong checksum: select(2), BUGS
                continue
            if data[:-1] == mark:
                counts[data[-1]] += 1
    finally:
        sock.settimeout(before)
    return counts


# -- members that come and go ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """One datagram to the group, and how it was when it was sent. All tuples in the order of `NAMES`."""

    members: tuple[bool, ...]
    ttl: int
    loop: bool
    all_groups: bool  #: IP_MULTICAST_ALL of the receivers
    got: tuple[bool, ...]

    @property
    def reached(self) -> list[str]:
        return [name for name, got in zip(NAMES, self.got, strict=True) if got]


@dataclass(frozen=True, repr=False)
class Group:
    """The last datagrams to a group, the latest at the end; `count` of them all."""

    sent: tuple[Sent, ...] = ()
    count: int = 0

    def sentence(self) -> str:
        """What came of the latest, in plain text."""
        if not self.sent:
            return "Nothing has been sent yet."
        last = self.sent[-1]
        words = f"Message {self.count} reached {_listed(last.reached)}."
        outside = [name for name, got, member in zip(NAMES, last.got, last.members, strict=True) if got and not member]
        if outside:
            words += (
                f" {_listed(outside)} {'is no member' if len(outside) == 1 else 'are no members'}: with "
                "IP_MULTICAST_ALL a socket hears each group that any program of this machine has joined."
            )
        elif not any(last.members):
            words += " The group has no member: the kernel dropped it, and sendto() succeeded all the same."
        elif last.all_groups and all(last.members):
            words += " All are members, so IP_MULTICAST_ALL makes no difference."
        if last.reached and not last.loop:
            words += (
                " IP_MULTICAST_LOOP is 0, and they hear it nevertheless: the interface is loopback, which hands back "
                "all that is sent. On any other, the receivers of this machine would get nothing."
            )
        if last.reached and last.ttl == 0:
            words += " A TTL of 0 keeps it inside of the machine, and that is where they are."
        return words

    def __repr__(self) -> str:
        return f"<Group after {self.count} message{'s' * (self.count != 1)}>"


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "nobody"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def send_to_group_steps(
    members: Sequence[bool], *, ttl: int = 1, loop: bool = True, all_groups: bool = False, after: Group | None = None
) -> Steps[Group]:
    """Three receivers at one port, of which `members` join a group; one datagram to it; who got it, behind `after`.

    The group is one of 239.255/16 (RFC 2365: of this site), another each time, and all is on loopback. Raises
    ValueError for other numbers of members and for a `ttl` but 0 and 1.
    """
    if len(members) != len(NAMES):
        raise ValueError(f"members wanted {len(NAMES)} truth values, but got {len(members)}")
    if ttl not in (0, 1):
        raise ValueError(f"ttl wanted 0 or 1, which stay in this machine or its network, but got {ttl!r}")
    return _steps(tuple(map(bool, members)), int(ttl), bool(loop), bool(all_groups), after or Group())


def _steps(members: tuple[bool, ...], ttl: int, loop: bool, all_groups: bool, after: Group) -> Steps[Group]:
    yield 0.0, after
    group = f"239.255.{'.'.join(str(1 + byte % 254) for byte in os.urandom(2))}"
    with ExitStack() as opened:
        receivers: dict[str, socket.socket] = {}
        port = 0
        for name, joins in zip(NAMES, members, strict=True):
            sock = receivers[name] = _new(opened)
            port = _bind_shared(sock, group, port)
            if sys.platform == "linux":
                sock.setsockopt(socket.IPPROTO_IP, MULTICAST_ALL, all_groups)
            if joins:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + _HOME)
        sender = _new(opened)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _HOME)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, loop)
        (row,) = who_got_what(receivers, {"": (sender, (group, port))}).messages
    sent = Sent(members, ttl, loop, all_groups, tuple(map(bool, row.copies)))
    yield 1.0, Group((*after.sent, sent)[-MOST:], after.count + 1)


def _bind_shared(sock: socket.socket, group: str, port: int) -> int:
    """Bind a UDP socket to `group` and `port`, to be shared with others that do the same; returns the port.

    Bound to the group, it hears nothing but the group; Windows wants an address of its own. With 0 it is a port that
    nobody has: one that shares its port may be dealt one that others share already, so the sharing is allowed only
    afterwards (Linux looks at the option of both sockets when the second one binds).
    """
    option = socket.SO_REUSEPORT if sys.platform == "darwin" else socket.SO_REUSEADDR
    if port:
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    sock.bind((group if os.name == "posix" else HOME, port))
    sock.setsockopt(socket.SOL_SOCKET, option, 1)
    return int(sock.getsockname()[1])


def _new(opened: ExitStack) -> socket.socket:
    with Uninterrupted():  # an interrupt between a socket and the line that keeps it would leave it open
        return opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


# -- the picture -------------------------------------------------------------------------------------------------------


@overload
def draw_who_got_what(result: WhoGotWhat, *, title: str = "", ax: None = None) -> Picture: ...
@overload
def draw_who_got_what(result: WhoGotWhat, *, title: str = "", ax: Axes) -> Axes: ...
def draw_who_got_what(result: WhoGotWhat, *, title: str = "", ax: Axes | None = None) -> Picture | Axes:
    """A row for each message, a column for each receiver, and a filled field where it arrived."""
    from ...measure.plots import sheet, style

    rows, columns = len(result.messages), len(result.receivers)
    picture, axes = sheet(ax, 1.3 + 0.42 * rows)
    with style():
        from matplotlib.patches import FancyBboxPatch

        for y, message in enumerate(result.messages):
            for x, copies in enumerate(message.copies):
                box: Any = {"facecolor": "#0072B2" if copies else "#eceeea", "linewidth": 0}
                corners = "round,pad=0,rounding_size=0.06"
                axes.add_patch(FancyBboxPatch((x - 0.47, y - 0.42), 0.94, 0.84, boxstyle=corners, **box))
                words = "got it" if copies == 1 else f"got {copies}" if copies else message.error or "–"
                look: Any = {"color": "white", "fontweight": "bold"} if copies else {"color": "#1c2127"}
                axes.text(x, y, words, ha="center", va="center", fontsize=9, **look)
        axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
        axes.set_xticks(range(columns), [name.replace(", ", ",\n") for name in result.receivers], fontsize=9)
        axes.set_yticks(range(rows), [message.name for message in result.messages], fontsize=9)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.grid(False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_title(title or "Who got what: messages, and the receivers at one port", pad=10)
    return axes if picture is None else picture
