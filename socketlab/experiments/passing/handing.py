"""Descriptors handed from this process to another: what each of them holds, before, on the way, and after.

A descriptor is a number of one process. What travels in SCM_RIGHTS is what stands behind the number, the kernel's open
file description: it has an owner more while the message is under way, and the receiver finds a number of its own for it
(unix(7), cmsg(3)). What finds no room in the receiver's control buffer is closed, and MSG_CTRUNC says that something
was; a plain recv() closes all of it and says nothing.

The other process is a real one: a Python that knows how to receive once, says what it has open, and ends.
"""

from __future__ import annotations

import ast
import os
import select
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, NamedTuple

from ..running import Steps, run
from ..wanted import whole

__all__ = ["CALLS", "STAGES", "Handing", "Held", "Stage", "hand_over", "hand_over_steps"]

STAGES = ("before", "sent", "received", "the other has ended")
CALLS = ("recvmsg", "recv")
MOST = 4  # descriptors, and room for them
_STEP = 0.04  # seconds between two yields while the other process is waited for
_PATIENCE = 10.0  # seconds for each of its answers: a Python that starts on a busy machine takes one

# Runs in the other process: receives when a byte comes on its input, answers on its output with a line of Python.
_OTHER = """
import os, socket, sys
control = socket.socket(fileno=int(sys.argv[1]))
call, room, flags = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.read(0, 1)
numbers, said = [], 0
if call == "recv":
    control.recv(100, flags)
else:
    _, ancillary, said, _ = control.recvmsg(100, room, flags)
    for _, _, data in ancillary:
        numbers += memoryview(data[:len(data) // 4 * 4]).cast("i").tolist()
behind = [(n, os.fstat(n).st_ino, os.get_inheritable(n)) for n in numbers]
os.write(1, repr((behind, bool(said & socket.MSG_CTRUNC))).encode() + b"\\n")
os.read(0, 1)
"""


class Held(NamedTuple):
    """Where one of the sockets is. `here` and `there` are its numbers in the two processes; None for none."""

    here: int | None
    under_way: bool
    there: int | None
    ended: bool  #: its peer has heard the end of the stream: the kernel has closed it

    @property
    def nobody(self) -> bool:
        return self.here is None and not self.under_way and self.there is None


class Stage(NamedTuple):
    """One of `STAGES`, and where each socket is by then."""

    name: str
    held: tuple[Held, ...]


@dataclass(frozen=True, repr=False)
class Handing:
    """`sent` descriptors, received by `call` with room for `room`, and the stages that are over.

    `closes`: this process closes its own numbers once they are sent. `cloexec`: the receiver asks for
    MSG_CMSG_CLOEXEC. `truncated`: MSG_CTRUNC was returned. `inheritable`: the received ones are; None for none.
    """

    sent: int
    room: int
    closes: bool
    call: str
    cloexec: bool
    stages: tuple[Stage, ...] = ()
    truncated: bool = False
    inheritable: bool | None = None

    @property
    def received(self) -> int:
        """How many have a number in the other process, after it has received."""
        return sum(one.there is not None for one in self.stages[2].held) if len(self.stages) > 2 else 0

    def sentence(self) -> str:
        """What has happened by now, and why."""
        if len(self.stages) < 2:
            return f"This process holds {_sockets(self.sent)}; the other one knows nothing of them."
        if len(self.stages) < 3:
            kept = "in the message alone" if self.closes else "here, and in the message"
            return f"Sent, and not received by now: {_they(self.sent)} {kept}."
        if self.call == "recv":
            return f"recv() returned the byte, and not a word of what came with it: {self._lost(self.sent)}"
        if not self.received:
            return f"recvmsg() had no room for a descriptor, and said MSG_CTRUNC: {self._lost(self.sent)}"
        lost = self.sent - self.received
        own = (
            "inherited by the programs that it starts" if self.inheritable else "kept from the programs that it starts"
        )
        words = f"recvmsg() returned {_numbers(self.received)}, {own}."
        if lost:
            return f"{words} There was room for {self.room}: MSG_CTRUNC, and {self._lost(lost)}"
        return f"{words} The numbers are its own, the sockets are the same."

    def _lost(self, lost: int) -> str:
        some = "all" if lost == self.sent else "one" if lost == 1 else str(lost)
        which = "the socket" if self.sent == 1 else f"{some} of the {self.sent} sockets"
        if self.closes:
            return f"the kernel has closed {which} for good, since nobody else has {'it' if lost == 1 else 'them'}."
        return f"{which} stay{'s' if lost == 1 else ''} here alone."

    def __repr__(self) -> str:
        how = f"{self.call}, room for {self.room}" if self.call == "recvmsg" else self.call
        return f"<Handing: {self.sent} sent, {how}: {self.received} received{', MSG_CTRUNC' * self.truncated}>"


def hand_over(
    sent: int = 2, *, room: int = 2, closes: bool = True, call: str = "recvmsg", cloexec: bool = False
) -> Handing:
    """Send `sent` sockets to another process, which receives by `call` with room for `room` of them; see `Handing`.

    Raises ValueError for numbers outside 1 to 4 (room: 0 to 4) and for a `call` not in `CALLS`, NotImplementedError
    where the system passes no descriptors, RuntimeError where the other process does not answer.
    """
    return run(hand_over_steps(sent, room=room, closes=closes, call=call, cloexec=cloexec), "hand over")


def hand_over_steps(
    sent: int = 2, *, room: int = 2, closes: bool = True, call: str = "recvmsg", cloexec: bool = False
) -> Steps[Handing]:
    """`hand_over`, stage by stage. Raises what it raises for its arguments at once."""
    whole("sent", sent, 1, MOST, "descriptors")
    whole("room", room, 0, MOST, "descriptors")
    if call not in CALLS:
        raise ValueError(f"call wanted one of {', '.join(CALLS)}, but got {call!r}")
    if not hasattr(socket, "SCM_RIGHTS") or not hasattr(socket, "CMSG_LEN"):
        raise NotImplementedError("this system passes no descriptors between processes")
    return _steps(Handing(sent, room, closes, call, cloexec))


def _steps(plan: Handing) -> Generator[tuple[float | None, Handing], None, None]:
    with ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(plan.sent)]
        for pair in pairs:
            for sock in pair:
                stack.callback(sock.close)
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        with theirs:
            other = _other(plan, theirs)
        stack.callback(_end, other)
        gifts, friends = zip(*pairs, strict=True)
        inodes = [os.fstat(gift.fileno()).st_ino for gift in gifts]
        stages = [Stage(STAGES[0], _held(gifts, friends))]
        yield 0.25, _with(plan, stages)

        socket.send_fds(ours, [b"!"], [gift.fileno() for gift in gifts])
        if plan.closes:
            for gift in gifts:
                gift.close()
        stages.append(Stage(STAGES[1], _held(gifts, friends, under_way=True)))
        yield 0.5, _with(plan, stages)

        _tell(other)
        answer = b""
        end = monotonic() + _PATIENCE
        while not answer.endswith(b"\n"):
            if monotonic() > end or not _more(other, _STEP):
                if other.poll() is not None or monotonic() > end:
                    raise RuntimeError("the other process ended without an answer")
                yield 0.5, _with(plan, stages)
                continue
            assert other.stdout is not None
            piece = os.read(other.stdout.fileno(), 4096)
            if not piece:
                raise RuntimeError("the other process ended without an answer")
            answer += piece
        behind, truncated = ast.literal_eval(answer.decode())
        there = [next((number for number, inode, _ in behind if inode == wanted), None) for wanted in inodes]
        flags = [inherits for _, _, inherits in behind]
        stages.append(Stage(STAGES[2], _held(gifts, friends, there=there)))
        told = {"truncated": truncated, "inheritable": any(flags) if flags else None}
        yield 0.75, _with(plan, stages, **told)

        _end(other)
        stages.append(Stage(STAGES[3], _held(gifts, friends)))
        yield 1.0, _with(plan, stages, **told)


def _other(plan: Handing, theirs: socket.socket) -> subprocess.Popen[bytes]:
    flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0) if plan.cloexec else 0
    room = socket.CMSG_LEN(4 * plan.room) if plan.room else 0
    words = map(str, (theirs.fileno(), plan.call, room, int(flags)))
    return subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", _OTHER, *words],
        pass_fds=[theirs.fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
    )  # fmt: skip


def _tell(other: subprocess.Popen[bytes]) -> None:
    with suppress(BrokenPipeError):
        other.stdin.write(b"!")  # type: ignore[union-attr]


def _more(other: subprocess.Popen[bytes], seconds: float) -> bool:
    assert other.stdout is not None
    return bool(select.select([other.stdout.fileno()], [], [], seconds)[0])


def _end(other: subprocess.Popen[bytes]) -> None:
    other.kill()
    other.wait()
    for pipe in (other.stdin, other.stdout):
        if pipe is not None:
            pipe.close()


def _held(
    gifts: Sequence[socket.socket],
    friends: Sequence[socket.socket],
    *,
    under_way: bool = False,
    there: Sequence[int | None] = (),
) -> tuple[Held, ...]:
    found = []
    for n, (gift, friend) in enumerate(zip(gifts, friends, strict=True)):
        number = gift.fileno()
        found.append(Held(number if number >= 0 else None, under_way, there[n] if there else None, _has_ended(friend)))
    return tuple(found)


def _has_ended(friend: socket.socket) -> bool:
    """Whether the other end is closed in the kernel: a Unix socket knows that as soon as it is so."""
    try:
        return friend.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False


def _with(plan: Handing, stages: Sequence[Stage], **told: Any) -> Handing:
    return Handing(plan.sent, plan.room, plan.closes, plan.call, plan.cloexec, tuple(stages), **told)


def _sockets(count: int) -> str:
    return "a socket" if count == 1 else f"{count} sockets"


def _numbers(count: int) -> str:
    return "a number" if count == 1 else f"{count} numbers"


def _they(count: int) -> str:
    return "the socket is" if count == 1 else "the sockets are"
