"""When a trace opens or closes, others may be on their way: it waits until they stand.

When it closes, somebody may be about to note what has happened already.

A client closes its connection, and the trace ends on the next line; the server's thread, on another CPU, has been told
of the end, but has not returned from `recv` yet. Whether its ``b""`` is part of the trace would depend on chance. So
the trace first waits until nothing is under way: until every thread that it has seen either has ended or stands in a
call that the kernel cannot complete now, because nobody has written, connected or closed. That takes microseconds; a
thread that is busy with something else is given `PATIENCE`, and no more.

When it opens, a worker of a server may be between two calls, or have come back from one that nobody saw. So it waits,
with the same patience, until those who serve stand in a call; then `under_way` can say in which.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Collection
from typing import Any

from ..frames import frames
from .methods import CODES, Socket
from .panels import at_the_other_end
from .recorder import Lane, Recorder, outermost_module
from .relays import PATIENCE as LINKS
from .relays import carry
from .system_call import system_call

PATIENCE = 0.1  # s; a thread that sleeps or computes for longer is not going to note anything soon


def settle(recorder: Recorder, patience: float = PATIENCE) -> bool:
    """Wait until nothing is under way in other threads; False where patience ran out."""
    began = time.perf_counter()
    deadline = began + patience
    panels = {lane.ident for lane in recorder.lanes if lane.panel}
    apart = {threading.get_ident(), *panels, *recorder.links.panels_threads}  # nobody waits for a panel
    others = at_the_other_end(recorder.links)
    calm = 0
    while True:
        stand = frames()
        busy = [lane for lane in recorder.lanes if lane.ident in stand and lane.ident not in apart and not lane.link]
        links_carry = carry(recorder, others)
        if links_carry:  # what arrives may be answered: whoever gets it is given the same patience once more
            deadline = max(deadline, min(time.perf_counter(), began + LINKS) + patience)
        if not links_carry and all(_stands_still(stand[lane.ident]) for lane in busy if lane.ident is not None):
            calm += 1
            if calm >= 2 and _sleep(busy) and _servers_wait(apart.union(lane.ident for lane in busy)):
                return True
        else:
            calm = 0
        if time.perf_counter() > deadline:
            return False
        time.sleep(0.0001 if busy else 0)


def _sleep(lanes: list[Lane]) -> bool:
    """Whether none of these threads has been woken: one that has may be waiting for its turn to run Python."""
    natives = {thread.ident: thread.native_id for thread in threading.enumerate()}
    return all(_is_still(natives[lane.ident]) for lane in lanes if lane.ident in natives)


def _is_still(native: int | None) -> bool:
    """Whether that thread waits in the kernel for something other than its turn to run Python; True where unknown."""
    call = system_call(native)
    return call is None or call.name not in ("running", "futex")


def wait_for_servers(patience: float = PATIENCE) -> None:
    """Wait until each thread of socketlab's servers stands in a call of the kernel, where the machine tells."""
    deadline = time.perf_counter() + patience
    while not _servers_wait():
        if time.perf_counter() > deadline:
            return
        time.sleep(0.0001)


def _servers_wait(apart: Collection[int | None] = ()) -> bool:
    """Whether each thread of a server stands in a call, except those `apart`; one that a client has woken does not."""
    natives = {thread.ident: thread.native_id for thread in threading.enumerate()}
    return all(
        _is_still(natives[ident])
        for ident, frame in frames().items()
        if ident in natives and ident not in apart and outermost_module(frame).startswith("socketlab.servers")
    )


def _stands_still(frame: Any) -> bool:
    """Whether this thread stands in a call of a socket with nothing to return yet."""
    looked = 0
    while frame is not None and looked < 6:
        if frame.f_code in CODES:
            sock = next(iter(frame.f_locals.get("args", ())), None)
            return isinstance(sock, Socket) and not _can_go_on(sock)
        frame, looked = frame.f_back, looked + 1
    return False


def _can_go_on(sock: Any) -> bool:
    fd = sock.fileno()
    if fd < 0:
        return False
    if not hasattr(select, "poll"):
        return bool(select.select([fd], [], [], 0)[0])
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(0))
