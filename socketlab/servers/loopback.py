"""Where a server may listen: loopback addresses and Unix paths, nothing that another machine could reach.

On a shared hub or in a class room, a server on 0.0.0.0 would open the learner's kernel to everybody, so any other
host is refused before a socket exists. Names are refused too, all but ``localhost``: what they resolve to is not
ours to know. Errors of `bind` are told again with what to do about them.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from ipaddress import AddressValueError, IPv4Address, IPv6Address

HOME = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}

# sun_path of struct sockaddr_un: 108 bytes with the final NUL on Linux, 104 on the BSDs and macOS (unix(7)).
LONGEST_PATH = 107 if sys.platform == "linux" else 103


def internet_address(host: str | None, port: int, family: int | None) -> tuple[socket.AddressFamily, str, int]:
    """Check a host, a port and a family against each other and against the loopback rule; return all three, settled.

    Any of `host` and `family` may be None: the other one decides, and 127.0.0.1 stands when neither is given.
    Raises ValueError for a host that is not loopback or does not belong to `family`, a port outside 0..65535, or
    a family other than AF_INET and AF_INET6; TypeError for a host that is not a str or a port that is not an int.
    """
    if host is not None and not isinstance(host, str):
        raise TypeError(f"host must be a str such as '127.0.0.1', not {type(host).__name__}")
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"port must be an int from 0 to 65535, not {type(port).__name__} {port!r}")
    if not 0 <= port <= 65535:
        raise ValueError(f"port must be from 0 to 65535 (0 lets the kernel choose a free one), not {port}")
    if family is not None and family not in HOME:
        raise ValueError(
            f"family must be AF_INET or AF_INET6, not {family!r}; for AF_UNIX there is unix_server(handler, path)"
        )
    if host is None or host == "localhost":
        settled = socket.AddressFamily(family or socket.AF_INET)
        return settled, HOME[settled], port
    found = _family_of(host)
    if family is not None and family != found:
        raise ValueError(
            f"{host!r} is an {found.name} address, but family says {socket.AddressFamily(family).name}: "
            "leave one of the two out, or make them agree"
        )
    return found, host, port


def _family_of(host: str) -> socket.AddressFamily:
    for family, parse in ((socket.AF_INET, IPv4Address), (socket.AF_INET6, IPv6Address)):
        try:
            address = parse(host)
        except AddressValueError:
            continue
        if address.is_loopback and "%" not in host:
            return family
        break
    raise ValueError(
        f"host {host!r} is not a loopback address, so other machines could reach this server: "
        "use '127.0.0.1', '::1' or 'localhost'"
    )


def unix_path(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str | bytes:
    """Check that `path` can name a Unix socket: it fits into sun_path and contains no NUL, but for a first one.

    A first NUL makes it a Linux abstract name (unix(7)). Raises ValueError with the limit and the length that came,
    TypeError for what is no path.
    """
    path = os.fspath(path)
    raw = os.fsencode(path)
    if not raw:
        raise ValueError("path is empty: give a file name that does not exist yet, or None for a temporary one")
    if len(raw) > LONGEST_PATH:
        raise ValueError(f"a Unix socket's path may have {LONGEST_PATH} bytes here, this one has {len(raw)}: {path!r}")
    if raw.startswith(b"\0") and sys.platform != "linux":
        raise ValueError(f"{path!r} is an abstract name, which only Linux has: give a file name")
    if b"\0" in raw[1:]:
        raise ValueError(f"a path cannot contain NUL after its first byte: {path!r}")
    return path


def explain_bind(error: OSError, address: object) -> OSError:
    """The same error, same class and errno, saying what to do."""
    if error.errno == errno.EADDRINUSE:
        if isinstance(address, tuple):
            advice = (
                f"port {address[1]} is taken, by a server of this notebook that was not closed or by another program: "
                "close it, or use port=0, which lets the kernel choose a free one"
            )
        else:
            advice = f"{address!r} exists already: unlink it when no server uses it any more, or choose another path"
    elif error.errno == errno.EADDRNOTAVAIL:
        advice = f"this machine has no address {_host(address)!r} (is IPv6 switched off?): use '127.0.0.1'"
    elif error.errno == errno.EAFNOSUPPORT:
        advice = f"this kernel has no such address family, so {_host(address)!r} cannot be used: use '127.0.0.1'"
    elif error.errno in (errno.EACCES, errno.EPERM) and isinstance(address, tuple):
        advice = f"port {address[1]} is reserved for privileged processes: use 0, or one from 1024 on"
    else:
        advice = f"{os.strerror(error.errno) if error.errno else error} (while binding {address!r})"
    return OSError(error.errno, advice)  # OSError chooses the subclass by errno, PermissionError for EACCES


def _host(address: object) -> object:
    return address[0] if isinstance(address, tuple) else address
