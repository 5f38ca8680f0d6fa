"""What this machine can do with sockets, found out by trying. The bottom floor: imports nothing else of socketlab.

    from socketlab.probe import probe
    passport = probe()
    passport.works("ipv6")          # True or False; KeyError, naming the nearest, where nothing so called was tried
    passport["AF_VSOCK"].verdict    # "works", or the errno: "EAFNOSUPPORT (97)"
    print(passport)                 # everything

Each thing is tried once, on sockets of its own, on loopback, under a deadline of a quarter of a second; no descriptor
stays open and nothing about the machine is changed. The whole takes some 35 ms, most of it, where packet sockets may
be had, to close three of them.

To see a lesser machine, name what it shall lack, by the names of the passport, or a whole group:

    probe(without=["ipv6", "proc_net"])
    SOCKETLAB_WITHOUT="ipv6,privileges" jupyter lab      # the same for every probe() of a process

What stands or falls with it goes too: without "ipv6" there are no IPv6 types, options, or multicast. The sockets
themselves are not touched: it is the passport that says no.
"""

import os
from collections.abc import Iterable, Iterator

from socketlab.probe.attempts import REFUSALS, Trial, attempt, withhold
from socketlab.probe.families import family_trials
from socketlab.probe.limits import limit_trials
from socketlab.probe.options import option_trials
from socketlab.probe.passport import GROUPS, Finding, Passport, resolve
from socketlab.probe.privileges import privilege_trials
from socketlab.probe.system import system_trials
from socketlab.probe.transport import transport_trials
from socketlab.probe.versions import software

__all__ = ["GROUPS", "WITHOUT", "Finding", "Passport", "probe", "software"]

WITHOUT = "SOCKETLAB_WITHOUT"
"""The environment variable that names, separated by commas, what every probe of this process shall not find."""


def probe(without: Iterable[str] = ()) -> Passport:
    """Try everything and return what came, in the order of `GROUPS`.

    `without` names findings or groups that shall be reported as lacking, in addition to those in the environment
    variable SOCKETLAB_WITHOUT. Raises KeyError, naming the nearest, where it names something that is never tried.
    """
    planned = list(_plan())
    lacking = _lacking([*without, *filter(None, map(str.strip, os.environ.get(WITHOUT, "").split(",")))], planned)
    return Passport(tuple(withhold(t, lacking[t.name]) if t.name in lacking else attempt(t) for t in planned))


def _plan() -> Iterator[Trial]:
    yield from family_trials()
    yield from option_trials()
    yield from privilege_trials()
    yield from transport_trials()
    yield from system_trials()
    yield from limit_trials()


def _lacking(words: Iterable[str], planned: list[Trial]) -> dict[str, int]:
    """The names of the trials that these words take away, with those that need them, and the errno of each."""
    by_key = {trial.name.lower(): trial for trial in planned}
    lacking: dict[str, int] = {}
    for word in words:
        taken = [trial for trial in planned if trial.group == word] or [by_key[resolve(word, by_key)]]
        lacking.update({trial.name: REFUSALS[trial.group] for trial in taken})
    growing = True
    while growing:  # until nothing more falls: a type needs its family, a raw type its privilege, an option its socket
        known = len(lacking)
        for trial in planned:
            refusals = [lacking[need] for need in trial.needs if need in lacking]
            if refusals:
                lacking[trial.name] = refusals[0]  # the kernel would refuse the first thing asked for
        growing = len(lacking) > known
    return lacking
