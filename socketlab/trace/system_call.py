"""What a thread asks of the kernel at this moment, as Linux tells in /proc: the call, its descriptors, its limit.

``/proc/self/task/<thread>/syscall`` (proc(5)) holds the number of the system call in which a thread is blocked and its
six arguments, and "running" for one that is not. Where an argument is a pointer (the descriptors of `poll` and
`select`, the address of `connect`), the memory is read through ``/proc/self/mem``: that gives an error where a pointer
has gone stale, and not a crash. Afterwards the call is read once more; if it is another one, nothing is told.

Elsewhere, or where /proc is shut, `system_call` answers None and the caller has to make do with Python's frames.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from typing import NamedTuple

IN, OUT = "in", "out"  # what a descriptor is waited for: something to read, room to write


class SystemCall(NamedTuple):
    """A blocked call. `name` is accept, connect, recv, send, read, write, poll, select, epoll, futex, or other.

    `watched` are its descriptors, each with IN or OUT. `limit` is after how many seconds it gives up, None: never.
    `sleeps` changes whenever the thread runs: two looks with the same value saw the same wait. `address` is what
    `connect` was given, as bytes.
    """

    name: str
    watched: tuple[tuple[int, str], ...] = ()
    limit: float | None = None
    sleeps: str = ""
    address: bytes = b""


# Numbers from asm/unistd_64.h and asm-generic/unistd.h: the second table serves aarch64 and riscv64.
_X86 = {
    **{0: "read", 19: "read", 1: "write", 20: "write", 40: "sendfile", 7: "poll", 271: "poll"},
    **{23: "select", 270: "select", 232: "epoll", 281: "epoll", 441: "epoll", 43: "accept", 288: "accept"},
    **{42: "connect", 45: "recv", 47: "recv", 299: "recv", 44: "send", 46: "send", 307: "send"},
    **{202: "futex", 449: "futex"},
}
_GENERIC = {
    **{63: "read", 65: "read", 64: "write", 66: "write", 71: "sendfile", 73: "poll", 72: "select"},
    **{22: "epoll", 441: "epoll", 202: "accept", 242: "accept", 203: "connect", 207: "recv", 212: "recv"},
    **{243: "recv", 206: "send", 211: "send", 269: "send", 98: "futex", 449: "futex"},
}
_NUMBERS = {"x86_64": _X86, "aarch64": _GENERIC, "riscv64": _GENERIC}
_NAMES = _NUMBERS.get(os.uname().machine, {}) if sys.platform.startswith("linux") and struct.calcsize("P") == 8 else {}

RUNNING = SystemCall("running")  #: the thread is not blocked in the kernel

_DIRECTIONS = {"accept": IN, "recv": IN, "read": IN, "connect": OUT, "send": OUT, "write": OUT, "sendfile": OUT}
_POLLIN, _POLLOUT = 1, 4  # poll(2); POLLPRI is 2
_MOST_POLLED = 4096  # descriptors of one poll that are read; 32 KiB
_FOREVER = 2**31  # a timeout of -1 is printed as an unsigned number of 32 or 64 bits


def system_call(native_id: int | None) -> SystemCall | None:
    """What the thread with that `Thread.native_id` is blocked in; `RUNNING`; None where the machine does not tell."""
    if not _NAMES or native_id is None:
        return None
    if native_id == threading.get_native_id():
        return RUNNING  # it reads this very file
    task = f"/proc/self/task/{native_id}"
    try:
        sleeps = _read(f"{task}/schedstat")
        text = _read(f"{task}/syscall")
        fields = text.split()
        if not fields or fields[0] in ("running", "-1"):
            return RUNNING
        arguments = [int(value, 16) for value in fields[1:7]]
        name = _NAMES.get(int(fields[0]), "other")
        if name == "sendfile":
            name = "send"  # its first descriptor is the socket
        watched, limit, address = _details(name, int(fields[0]), arguments)
        if _read(f"{task}/syscall") != text or _read(f"{task}/schedstat") != sleeps:
            return RUNNING  # it was on its way while we looked
    except (OSError, ValueError, struct.error):  # the thread has ended; or this container does not let us look
        return None
    return SystemCall(name, watched, limit, sleeps, address)


def _details(name: str, number: int, arguments: list[int]) -> tuple[tuple[tuple[int, str], ...], float | None, bytes]:
    first, second, third = arguments[:3]
    if name in _DIRECTIONS:
        address = _memory(second, min(third, 128)) if name == "connect" else b""
        return ((first & 0xFFFFFFFF, _DIRECTIONS[name]),), None, address
    if name == "poll":
        # poll(2) is given milliseconds, ppoll(2) a struct timespec.
        limit = _timespec(third) if number in (271, 73) else _milliseconds(third)
        return _polled(first, second), limit, b""
    if name == "select":
        # select(2) of x86-64 is given a struct timeval, pselect6(2) a struct timespec.
        limit = _timespec(arguments[4], 1e6 if number == 23 else 1e9)
        return _selected(first, (second, IN), (third, OUT)), limit, b""
    if name == "epoll":
        limit = _timespec(arguments[3]) if number == 441 else _milliseconds(arguments[3])
        return _registered(first), limit, b""
    return (), None, b""


def _polled(address: int, count: int) -> tuple[tuple[int, str], ...]:
    """struct pollfd: int fd, short events, short revents."""
    table = _memory(address, 8 * min(count, _MOST_POLLED))
    return tuple(
        (fd, OUT if events & _POLLOUT and not events & _POLLIN else IN)
        for fd, events, _ in struct.iter_unpack("ihh", table)
        if fd >= 0
    )


def _selected(count: int, *sets: tuple[int, str]) -> tuple[tuple[int, str], ...]:
    """fd_set: one bit for each descriptor, in words of 64."""
    found = []
    for address, direction in sets:
        if address:
            bits = int.from_bytes(_memory(address, (min(count, 1024) + 63) // 64 * 8), sys.byteorder)
            found += [(fd, direction) for fd in range(min(count, 1024)) if bits >> fd & 1]
    return tuple(found)


def _registered(epoll: int) -> tuple[tuple[int, str], ...]:
    """``tfd: 5 events: 19 data: …`` in /proc/self/fdinfo (proc(5)); the events are hexadecimal, those of poll."""
    found = []
    for line in _read(f"/proc/self/fdinfo/{epoll}").splitlines():
        fields = line.split()
        if fields[:1] == ["tfd:"]:
            events = int(fields[3], 16)
            found.append((int(fields[1]), OUT if events & _POLLOUT and not events & _POLLIN else IN))
    return tuple(found)


def _milliseconds(value: int) -> float | None:
    value &= 0xFFFFFFFF
    return None if value >= _FOREVER else value / 1000


def _timespec(address: int, parts: float = 1e9) -> float | None:
    if not address:
        return None
    seconds, fraction = struct.unpack("qq", _memory(address, 16))
    return float(seconds + fraction / parts)


def _memory(address: int, size: int) -> bytes:
    with open("/proc/self/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        found = memory.read(size)
    if len(found) != size:
        raise ValueError("the pointer has gone stale")
    return found


def _read(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # open() would take ten times as long
    try:
        return os.read(fd, 65536).decode("ascii", "replace")
    finally:
        os.close(fd)
