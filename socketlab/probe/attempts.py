"""How one thing is tried: a `Trial` is an experiment with a name, `attempt()` runs it and writes down what came.

The rule of the house is to ask the kernel and believe only its answer. A constant in `socket` says that the C library's
headers knew a name when Python was compiled; `socket.has_ipv6` says the same. Neither says that a socket can be had.

Every socket made here has a timeout, talks to this machine alone, and is closed before the trial returns.
"""

import errno
import socket
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import NamedTuple

from socketlab.probe.passport import Finding

PATIENCE = 0.25
"""Seconds that a loopback exchange may take before it counts as refused (ETIMEDOUT). It takes 50 µs where it works;
some networks of containers swallow packets instead of refusing them."""

REFUSALS = {
    "families": errno.EAFNOSUPPORT,
    "types": getattr(errno, "ESOCKTNOSUPPORT", errno.EPROTONOSUPPORT),
    "protocols": errno.EPROTONOSUPPORT,
    "options": errno.ENOPROTOOPT,
    "privileges": errno.EPERM,
    "abilities": errno.EOPNOTSUPP,
    "limits": errno.ENOENT,
}
"""The errno that Linux itself gives where a thing of this group is missing (socket(2), getsockopt(2))."""


class Trial(NamedTuple):
    """An experiment: `run` returns a detail in words where it works, raises OSError where it does not.

    `needs` names the trials without which this one makes no sense; a simulated lack of those is a lack of this.
    """

    group: str
    name: str
    tried: str
    run: Callable[[], str]
    needs: tuple[str, ...] = ()


def trials(group: str, *functions: Callable[[], str], needs: Iterable[str] = ()) -> list[Trial]:
    """Functions as trials: the function's name is the trial's, the first line of its docstring says what it tries."""
    return [
        Trial(group, function.__name__, (function.__doc__ or "").partition("\n")[0], function, tuple(needs))
        for function in functions
    ]


def attempt(trial: Trial) -> Finding:
    """Run one trial. OSError is an answer; so is a name that this Python or this platform lacks."""
    try:
        detail = trial.run()
    except OSError as exc:
        # socket.timeout carries no errno; what did not come within PATIENCE is ETIMEDOUT to a person.
        number = exc.errno or (errno.ETIMEDOUT if isinstance(exc, TimeoutError) else errno.EIO)
        reason = exc.strerror or str(exc)
        return Finding(trial.group, trial.name, False, number, reason, trial.tried)
    except AttributeError as exc:
        # Only a module's or a socket's missing name is an answer; any other AttributeError is a bug of ours.
        if not isinstance(exc.obj, ModuleType | socket.socket):
            raise
        owner = exc.obj.__name__ if isinstance(exc.obj, ModuleType) else "socket.socket"
        return Finding(trial.group, trial.name, False, None, f"this Python has no {owner}.{exc.name}", trial.tried)
    except ImportError as exc:
        return Finding(trial.group, trial.name, False, None, f"this Python has no {exc.name}", trial.tried)
    return Finding(trial.group, trial.name, True, None, detail, trial.tried)


def withhold(trial: Trial, number: int) -> Finding:
    """The finding of a machine that lacks this, without trying: for `probe(without=…)`."""
    return Finding(trial.group, trial.name, False, number, "simulated", trial.tried)


def new_socket(family: int, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> socket.socket:
    """A socket that cannot block for longer than PATIENCE."""
    sock = socket.socket(family, kind, protocol)
    sock.settimeout(PATIENCE)
    return sock


def expect(happened: bool, complaint: str) -> None:
    """Raise OSError(EIO) where the calls succeeded and yet did not do what they promise."""
    if not happened:
        raise OSError(errno.EIO, complaint)
