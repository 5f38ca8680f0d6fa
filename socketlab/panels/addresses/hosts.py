"""Which look-ups stay on this machine: read what the C library would read, and decide before it is asked.

`socket.getaddrinfo` of a name may ask a name server, and nothing in its arguments says whether it will. These stay:

* no host (None), an empty one, and any host under AI_NUMERICHOST: that flag forbids every look-up (RFC 3493, 6.1);
* what `getaddrinfo` itself takes under AI_NUMERICHOST: then it is an address, in whichever spelling this C library
  knows (127.1, 0x7f.1, fe80::1%lo);
* a name that Python's IDNA codec refuses: it never reaches the C library;
* a name that the hosts file answers **for the family that is asked for**, where the line ``hosts:`` of
  /etc/nsswitch.conf puts that file before everybody who could ask others. The family matters: where the file has
  ``127.0.0.1 localhost`` and no more, glibc asks the name server for localhost's IPv6 address (seen with strace).

RFC 6761 (6.3) wants localhost and all names below it kept on the machine; glibc leaves that to the modules myhostname
and resolve (nss-myhostname(8)), where they are installed. Whatever is not known to stay counts as leaving.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

HOSTS = (
    os.path.join(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "drivers", "etc", "hosts")
    if sys.platform == "win32"
    else "/etc/hosts"
)
SWITCH = "/etc/nsswitch.conf"

# Modules of nsswitch.conf that ask nobody, and know none of the names that matter here.
_LOCAL = {"db", "compat", "systemd", "mymachines", "myhostname"}
_KNOW_LOCALHOST = {"myhostname", "resolve"}


class Hosts(NamedTuple):
    """What a hosts file says: the families of each name (lower case), and all addresses."""

    families: dict[str, frozenset[int]]
    addresses: frozenset[ipaddress.IPv4Address | ipaddress.IPv6Address]


def hosts(path: str | None = None) -> Hosts:
    """The hosts file as it is now (hosts(5)); an empty one where it cannot be read."""
    path = HOSTS if path is None else path
    try:
        state = os.stat(path)
    except OSError:
        return Hosts({}, frozenset())
    return _read_hosts(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)  # block lists have 100,000 lines, and the panel looks at each key
def _read_hosts(path: str, changed: int, size: int) -> Hosts:
    families: dict[str, set[int]] = {}
    addresses = set()
    for line in _lines(path):
        number, *names = line.split()
        try:
            address = ipaddress.ip_address(number.partition("%")[0])
        except ValueError:
            continue
        addresses.add(address)
        for name in names:
            families.setdefault(name.lower(), set()).add(
                socket.AF_INET if address.version == 4 else socket.AF_INET6
            )  # fmt: skip
    return Hosts({name: frozenset(found) for name, found in families.items()}, frozenset(addresses))


def modules(database: str, path: str | None = None) -> tuple[str, ...]:
    """Whom the C library asks for "hosts" or "services", in order (nsswitch.conf(5)).

    Where a line says what to do after a success the order alone decides nothing, and the name is one of ours that no
    rule below trusts. Without the file: the hosts file first, except for glibc, which then begins with dns.
    """
    for line in _lines(SWITCH if path is None else path):
        name, colon, rest = line.partition(":")
        if colon and name.strip() == database:
            if "success" in rest.lower():
                return ("what nsswitch.conf says about success",)
            return tuple(word for word in rest.split() if word[0] not in "[!" and word[-1] != "]")
    if database == "services":
        return ("files",)
    return ("dns", "files") if _is_glibc() else ("files", "dns")


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [text for line in file if (text := line.partition("#")[0].strip())]
    except OSError:
        return []


def _is_glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, ValueError, OSError):
        return False


def is_numeric(host: str | bytes) -> bool:
    """Whether `host` is an address and not a name, by this C library's own rules; asks nobody (AI_NUMERICHOST)."""
    try:
        socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, ValueError):  # gaierror; UnicodeError of the IDNA codec
        return False
    return True


def host_leaves(host: str | bytes | None, family: int = 0, flags: int = 0) -> str:
    """Why a look-up of `host` might leave this machine, as a sentence; "" where it stays."""
    if not host or flags & socket.AI_NUMERICHOST or is_numeric(host):
        return ""
    try:
        name = (host.encode("idna") if isinstance(host, str) else host).decode("latin-1").lower()
    except UnicodeError:
        return ""
    if sys.platform == "linux" and "%" in name and is_numeric(name.partition("%")[0]):
        return ""  # an address with a scope that is not there: glibc and musl refuse it at once
    known = hosts().families.get(name, frozenset())
    wanted = _wanted(family, flags, name)
    for module in modules("hosts"):
        if module == "files":
            if known & wanted if sys.platform == "linux" else known >= wanted:
                return ""
        elif module in _KNOW_LOCALHOST and is_localhost(name):
            return ""
        elif module not in _LOCAL and not (module.endswith("_minimal") and not name.endswith((".local", ".local."))):
            if known:
                rule = ", though RFC 6761 wants this name kept on the machine" if is_localhost(name) else ""
                return (
                    f"{host!r} stands in {HOSTS}, but not with an address of the family asked for: "
                    f"the C library would go on to {module}, which may ask another machine{rule}"
                )
            return (
                f"{host!r} is neither a numeric address nor a name in {HOSTS}: "
                f"the C library would ask {module}, and so perhaps another machine"
            )
    return ""


def _wanted(family: int, flags: int, name: str) -> frozenset[int]:
    """The families that would satisfy the C library: on Linux one of them does, elsewhere all have to be there."""
    both = frozenset((int(socket.AF_INET), int(socket.AF_INET6)))
    if sys.platform != "linux":
        # macOS and Windows answer localhost themselves, whatever the file says.
        return frozenset() if is_localhost(name) else frozenset((family,)) if family else both
    mapped = getattr(socket, "AI_V4MAPPED", 0)
    if family:
        # With AI_V4MAPPED each module is asked for both families before the next one's turn comes.
        return both if family == socket.AF_INET6 and mapped and flags & mapped else frozenset((family,))
    if flags & socket.AI_ADDRCONFIG and len(seen := _configured()) == 1:
        return seen  # glibc then asks for this family alone
    return both


def _configured() -> frozenset[int]:
    """The families of which this machine has an address that is not loopback, as AI_ADDRCONFIG counts them."""
    psutil: Any = import_module("psutil")  # a tenth of a second, for this question alone

    return frozenset(
        int(address.family)
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
        and not ipaddress.ip_address(address.address.partition("%")[0]).is_loopback
    )


def is_localhost(name: str) -> bool:
    """localhost and the names below it (RFC 6761, 6.3)."""
    return f".{name.lower().rstrip('.')}".endswith(".localhost")


def service_leaves(service: str | bytes | int | None, numeric: bool) -> str:
    """Why a look-up of `service` might leave this machine; "" where it stays, which is nearly everywhere."""
    if service is None or isinstance(service, int) or numeric or not service or service.isdigit():
        return ""
    foreign = [module for module in modules("services") if module not in {"files", *_LOCAL}]
    return f"names of services are looked up in {foreign[0]} here (nsswitch.conf)" if foreign else ""


def name_leaves(sockaddr: tuple[Any, ...], flags: int) -> str:
    """Why getnameinfo of `sockaddr` might leave this machine; "" where it stays."""
    if why := service_leaves("a name", bool(flags & socket.NI_NUMERICSERV)):
        return why
    if flags & socket.NI_NUMERICHOST:
        return ""
    address = ipaddress.ip_address(str(sockaddr[0]).partition("%")[0])
    for module in modules("hosts"):
        if module == "files" and address in hosts().addresses:
            return ""
        if module in _KNOW_LOCALHOST and address.is_loopback:
            return ""
        if module != "files" and module not in _LOCAL and not module.endswith("_minimal"):
            return (
                f"{sockaddr[0]} does not stand in {HOSTS}: to find its name the C library would ask {module}, "
                "and so perhaps another machine"
            )
    return ""
