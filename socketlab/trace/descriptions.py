"""How each call is described: which of its arguments and results matter, and in which words.

A description is called after the call, with its result (None where it raised), and returns the slots `asked` and
`moved` (see `operations`) and an `Extra` or None. The tables at the end say which call has which.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from .events import IN, OUT
from .operations import Extra, flag_names, marked, option_name, short
from .recorder import Cut, Recorder
from .sight import End

# What `describe` returns: asked, moved, where.
Described = tuple[Any, Any, Any]
# recorder, the end, args (the socket is the first), named, result (None where the call raised)
Describe = Callable[[Recorder, Any, tuple[Any, ...], dict[str, Any], Any], Described]


def argument(args: tuple[Any, ...], named: dict[str, Any], place: int, name: str, default: Any = None) -> Any:
    return args[place] if len(args) > place else named.get(name, default)


def flags_and_address(flags: Any, address: Any) -> Extra | None:
    flags = flags if isinstance(flags, int) else 0
    try:
        return marked(int(flags), address)
    except TypeError:  # an address that cannot be hashed, a list for instance
        return Extra(flags, address)


# -- sending ---------------------------------------------------------------------------------------------------------


def send(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    """send, sendall, write: (data, flags)."""
    return recorder.keep(argument(args, named, 1, "")), result, flags_and_address(argument(args, named, 2, ""), None)


def sendto(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    flags = args[2] if len(args) > 3 else 0
    return recorder.keep(argument(args, named, 1, "")), result, flags_and_address(flags, args[-1])


def sendmsg(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    buffers = argument(args, named, 1, "")
    try:  # an iterator has been used up by the call, and cannot be looked at before without disturbing it
        data = recorder.keep(b"".join(bytes(part) for part in buffers)) if hasattr(buffers, "__len__") else None
    except (TypeError, ValueError):
        data = None
    ancillary = argument(args, named, 2, "", ())
    extra = flags_and_address(argument(args, named, 3, "", 0), argument(args, named, 4, ""))
    if ancillary:
        extra = extra or Extra()
        extra = Extra(extra.flags, extra.address, words=_ancillary(ancillary))
    return data, result, extra


def sendfile(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    file, offset = argument(args, named, 1, "file"), argument(args, named, 2, "offset", 0)
    data: Any = None
    if isinstance(result, int):
        want = result if result <= max(64, recorder.payload_left) else 64
        try:
            piece = os.pread(file.fileno(), want, offset)
            data = recorder.keep(piece) if len(piece) == result else Cut(piece[:64], result)
        except (OSError, AttributeError, ValueError):  # not a file of the kernel; Windows has no pread
            data = Cut(b"", result)
    return data, result, None


# -- receiving -------------------------------------------------------------------------------------------------------


def recv(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    data = recorder.keep(result) if isinstance(result, (bytes, bytearray)) else None
    return argument(args, named, 1, ""), data, flags_and_address(argument(args, named, 2, "", 0), None)


def recv_into(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    buffer, room = argument(args, named, 1, "buffer"), argument(args, named, 2, "nbytes", 0)
    flags = argument(args, named, 3, "flags", 0)
    return room or _size(buffer), _beginning(recorder, buffer, result), flags_and_address(flags, None)


def read(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    """SSLSocket.read(len, buffer)."""
    buffer = argument(args, named, 2, "buffer")
    if buffer is not None:
        return _size(buffer), _beginning(recorder, buffer, result), None
    return argument(args, named, 1, "len", 1024), recorder.keep(result) if result is not None else None, None


def recvfrom(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    data, address = result or (None, None)
    extra = flags_and_address(argument(args, named, 2, "", 0), address)
    return argument(args, named, 1, ""), recorder.keep(data) if data is not None else None, extra


def recvfrom_into(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    size, address = result or (None, None)
    buffer, room = argument(args, named, 1, "buffer"), argument(args, named, 2, "nbytes", 0)
    extra = flags_and_address(argument(args, named, 3, "flags", 0), address)
    return room or _size(buffer), _beginning(recorder, buffer, size), extra


def recvmsg(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    data, ancillary, said, address = result or (None, (), 0, None)
    extra = flags_and_address(argument(args, named, 3, "", 0), address or None)
    if ancillary or said:
        extra = extra or Extra()
        words = ", ".join(filter(None, (_ancillary(ancillary), flag_names(said))))
        extra = Extra(extra.flags, extra.address, result=words)
    return argument(args, named, 1, ""), recorder.keep(data) if data is not None else None, extra


def recvmsg_into(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    size, ancillary, said, address = result or (None, (), 0, None)
    buffers = argument(args, named, 1, "")
    data: Any = None
    if size is not None and hasattr(buffers, "__len__"):
        whole, left = b"", size
        for buffer in buffers:
            with memoryview(buffer) as view:
                whole += bytes(view.cast("B")[:left])
            left = size - len(whole)
        data = recorder.keep(whole)
    flags = argument(args, named, 3, "", 0)
    _, _, extra = recvmsg(recorder, who, (None, 0, 0, flags), {}, (b"", ancillary, said, address) if result else None)
    return sum(_size(buffer) or 0 for buffer in buffers) if hasattr(buffers, "__len__") else None, data, extra


def _beginning(recorder: Recorder, buffer: Any, size: Any) -> Any:
    if not isinstance(size, int):
        return None
    try:
        with memoryview(buffer) as view, view.cast("B") as flat:
            if size > max(64, recorder.payload_left):
                return Cut(bytes(flat[:64]), size)
            return recorder.keep(bytes(flat[:size]))
    except (TypeError, ValueError):
        return Cut(b"", size)


def _size(buffer: Any) -> int | None:
    try:
        with memoryview(buffer) as view:
            return view.nbytes
    except TypeError:
        return None


def _ancillary(items: Any) -> str:
    """Ancillary data in words: ``SCM_RIGHTS with 2 descriptors``."""
    words = []
    try:
        for level, kind, data in items:
            if level == socket.SOL_SOCKET and kind == getattr(socket, "SCM_RIGHTS", None):
                count = len(bytes(data)) // 4
                words.append(f"SCM_RIGHTS with {count} descriptor{'s' * (count != 1)}")
            else:
                words.append(f"ancillary data {kind}")
    except (TypeError, ValueError):
        return "ancillary data"
    return ", ".join(words)


# -- the others ------------------------------------------------------------------------------------------------------


def nothing(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    return "", "", None


def values(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    """settimeout, setblocking, set_inheritable, makefile: the arguments as they stand; no result that matters."""
    texts = [short(value) for value in args[1:]] + [f"{name}={short(value)}" for name, value in named.items()]
    return ", ".join(texts), "", None


def timeout(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    """settimeout: seconds as somebody writes them. What is left until a deadline differs on each run: …"""
    value = args[1] if len(args) > 1 else next(iter(named.values()), None)
    if isinstance(value, float) and value != round(value, 3):
        return "…", "", None
    return values(recorder, who, args, named, result)


def answer(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    """gettimeout, getblocking and their kin."""
    return "", "" if result is None else short(result), None


def connect(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    if not who.origin or who.origin == "new":
        who.origin = "connect"
    who.look(args[0])
    address = argument(args, named, 1, "")
    if who.peer is None:
        who.peer = address
    outcome = ""
    if isinstance(result, int):  # connect_ex
        outcome = errno.errorcode.get(result, str(result)) if result else "0"
    return "", outcome, Extra(address=address)


def bind(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    who.look(args[0])
    return "", "", Extra(address=argument(args, named, 1, ""))


def listen(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    who.listening = True
    who.look(args[0])  # listen() on a socket without a name gives it one
    return ", ".join(short(value) for value in args[1:]), "", None


def accept(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    if result is None:
        return "", "", None
    end = recorder.ends.of(result[0])
    end.origin, end.helper = "accept", who.helper
    if end.peer is None:
        end.peer = result[1]
    return "", "", Extra(ends=(end,))


def shutdown(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    how = argument(args, named, 1, "")
    names = {socket.SHUT_RD: "SHUT_RD", socket.SHUT_WR: "SHUT_WR", socket.SHUT_RDWR: "SHUT_RDWR"}
    try:
        return names.get(how, short(how)), "", None
    except TypeError:
        return short(how), "", None


#: Options whose value is the address of a group: like all addresses, it is left out.
_OF_GROUPS = {"IP_ADD_MEMBERSHIP", "IP_DROP_MEMBERSHIP", "IPV6_JOIN_GROUP", "IPV6_LEAVE_GROUP", "IP_MULTICAST_IF"}


def setsockopt(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    name = option_name(*args[1:3])
    values = () if name in _OF_GROUPS else args[3:]
    return ", ".join((name, *(short(value) for value in values))), "", None


def getsockopt(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    asked = ", ".join((option_name(*args[1:3]), *(short(value) for value in args[3:])))
    return asked, short(result) if isinstance(result, int) else "", None


def made(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    """socket(...): its family and type; what it was made from, if it was."""
    if argument(args, named, 4, "fileno") is not None:
        return "fileno", "", None
    if who is not None:
        who.origin = who.origin or "new"
    return _family_and_type(who), "", None


def _family_and_type(end: End | None) -> str:
    if end is None:
        return ""
    names = []
    for kinds, number in ((socket.AddressFamily, end.family), (socket.SocketKind, end.type)):
        try:
            names.append(kinds(number).name)
        except ValueError:
            names.append(str(number))
    return ", ".join(names)


def returned(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    """A function that returns a socket: create_connection, create_server, dup, fromfd."""
    return "", "", Extra(ends=(recorder.ends.of(result),)) if result is not None else None


def wrap_socket(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    side = "server_side=True" if argument(args, named, 2, "server_side", False) else ""
    return side, "", Extra(ends=(recorder.ends.of(result),)) if result is not None else None


def socketpair(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    if result is None:
        return "", "", None
    left, right = (recorder.ends.of(sock) for sock in result)
    left.origin, right.origin = "left", "right"
    return "", "", Extra(ends=(left, right))


def select(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    """selectors: how many sockets were waited for, and how many were ready."""
    watched, timeout = len(args[0].get_map() or ()), argument(args, named, 1, "timeout")
    waits = "" if timeout is None else f", timeout={short(timeout)}"
    return f"{watched} watched{waits}", "" if result is None else f"{len(result)} ready", None


def select_select(recorder: Recorder, who: Any, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> Described:
    """select.select(readers, writers, exceptional, timeout)."""
    counts = [len(part) if hasattr(part, "__len__") else "?" for part in args[:3]]
    timeout = f", timeout={short(args[3])}" if len(args) > 3 and args[3] is not None else ""
    ready = "" if result is None else f"{sum(map(len, result))} ready"
    return f"{counts[0]} to read, {counts[1]} to write{timeout}" if len(counts) > 1 else "", ready, None


#: Every method of `socket.socket` that talks to the kernel, and how it is described. What a platform lacks is skipped.
METHODS: dict[str, tuple[str, Describe]] = {
    "__init__": ("", made),
    "accept": ("", accept),
    "bind": ("", bind),
    "close": ("", nothing),
    "connect": ("", connect),
    "connect_ex": ("", connect),
    "detach": ("", nothing),
    "dup": ("", returned),
    "get_inheritable": ("", answer),
    "getblocking": ("", answer),
    "getpeername": ("", nothing),
    "getsockname": ("", nothing),
    "getsockopt": ("", getsockopt),
    "gettimeout": ("", answer),
    "ioctl": ("", values),
    "listen": ("", listen),
    "makefile": ("", values),
    "recv": (IN, recv),
    "recv_into": (IN, recv_into),
    "recvfrom": (IN, recvfrom),
    "recvfrom_into": (IN, recvfrom_into),
    "recvmsg": (IN, recvmsg),
    "recvmsg_into": (IN, recvmsg_into),
    "send": (OUT, send),
    "sendall": (OUT, send),
    "sendfile": (OUT, sendfile),
    "sendmsg": (OUT, sendmsg),
    "sendmsg_afalg": (OUT, sendmsg),
    "sendto": (OUT, sendto),
    "set_inheritable": ("", values),
    "setblocking": ("", values),
    "setsockopt": ("", setsockopt),
    "settimeout": ("", timeout),
    "share": ("", nothing),
    "shutdown": ("", shutdown),
}

#: What SSLSocket does in its own way: plaintext on one side of the call, records on the wire.
TLS_METHODS: dict[str, tuple[str, Describe]] = {
    "do_handshake": ("", nothing),
    "read": (IN, read),
    "unwrap": ("", nothing),
    "write": (OUT, send),
}

#: Functions of the module `socket`.
FUNCTIONS: dict[str, Describe] = {
    "close": nothing,
    "create_connection": returned,
    "create_server": returned,
    "fromfd": returned,
    "recv_fds": nothing,
    "send_fds": nothing,
    "socketpair": socketpair,
}

SELECTORS = ("SelectSelector", "PollSelector", "EpollSelector", "DevpollSelector", "KqueueSelector")
