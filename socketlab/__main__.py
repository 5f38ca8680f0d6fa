"""python -m socketlab doctor: what can this machine do?  serve HANDLER: somebody to talk to.  grade NOTEBOOK…: marks.

`doctor` ends with status 0 where the course can run here, with 1 and what to do where not. `serve` runs until Ctrl-C.
`grade` ends with status 0 where every notebook has been graded, whatever its marks.
"""

import argparse
import errno
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from socketlab.probe import GROUPS, Finding, Passport, probe, software

NOTEBOOKS_NEED = ("ipykernel", "ipywidgets", "matplotlib", "psutil", "trustme")
"""The packages without which a notebook of the course does not run; JupyterLab and nbval can be had another way."""

_LOOPBACK_ADVICE = {
    errno.ENETUNREACH: "the loopback interface is down: run `ip link set lo up` as root",
    errno.ENETDOWN: "the loopback interface is down: run `ip link set lo up` as root",
    errno.EADDRNOTAVAIL: "no interface has the address 127.0.0.1: run `ip link set lo up` as root",
    errno.EAFNOSUPPORT: "this kernel has no IPv4, or a sandbox forbids it: run outside the sandbox",
    errno.EPERM: "a sandbox or firewall forbids it: allow connections to 127.0.0.1",
    errno.EACCES: "a sandbox or firewall forbids it: allow connections to 127.0.0.1",
    errno.ETIMEDOUT: "a firewall swallows the packets: allow connections to 127.0.0.1",
    errno.EMFILE: "this process has no descriptor left: raise the limit with `ulimit -n`",
}


def obstacles(passport: Passport, packages: tuple[Finding, ...]) -> list[str]:
    """What keeps the course from running here, each with what to do about it; nothing where it can run."""
    found = []
    loopback = passport["tcp_loopback"]
    if not loopback.works:
        advice = _LOOPBACK_ADVICE.get(
            loopback.errno or 0, f"{loopback.detail}: see what forbids it (firewall, sandbox)"
        )
        found.append(f"No TCP connection over 127.0.0.1 could be made, {loopback.verdict}: {advice}.")
    missing = [package.name for package in packages if not package.works and package.name in NOTEBOOKS_NEED]
    if missing:
        found.append(f"Packages are missing that the notebooks import: pip install {' '.join(missing)}.")
    return found


def summary(passport: Passport, packages: tuple[Finding, ...]) -> str:
    """One sentence: can the course run here, and what will it show from a recording instead of running it."""
    against = obstacles(passport, packages)
    if against:
        return "The course cannot run here. " + " ".join(against)
    words = {
        "ipv6": "IPv6",
        "AF_UNIX": "Unix sockets",
        "raw_ipv4": "raw sockets",
        "low_ports": "ports below 1024",
        "proc_net": "/proc/net",
        "multicast": "multicast",
        "epoll": "epoll",
    }
    lacking = [word for name, word in words.items() if not passport.works(name)]
    said = f"; it does without {', '.join(lacking)}, which is said where it matters" if lacking else ""
    options, abilities = (
        f"{sum(finding.works for finding in found)} of {len(found)} {found[0].group}"
        for found in (passport.group("options"), passport.group("abilities"))
    )
    return f"The course can run here{said}: {options} and {abilities} work."


def doctor(as_json: bool) -> int:
    """Print the passport, the software and a summary. Returns the exit status: 0 where the course can run, else 1."""
    passport, packages = probe(), software()
    against = obstacles(passport, packages)
    if as_json:
        groups = {**{group: passport.group(group) for group in GROUPS}, "packages": packages}
        report = {
            "ok": not against,
            "summary": summary(passport, packages),
            "todo": against,
            "groups": {group: [_as_json(finding) for finding in found] for group, found in groups.items()},
        }
        print(json.dumps(report, indent=2))
    else:
        versions = "\n".join(f"  {package.name:12}{package.detail}" for package in packages)
        print(f"{passport}\n\npackages\n{versions}\n\n{summary(passport, packages)}")
    return 1 if against else 0


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        "works": finding.works,
        "verdict": finding.verdict,
        "errno": finding.errno,
        "detail": finding.detail,
        "tried": finding.tried,
    }


def find_handler(word: str) -> Callable[[socket.socket], object]:
    """`echo`, `http`, … of socketlab.handlers, or `module:function` of your own. Raises ValueError if there is none."""
    module_name, colon, name = word.rpartition(":")
    try:
        module = import_module(module_name) if colon else import_module("socketlab.handlers")
    except ImportError as exc:
        raise ValueError(f"cannot import {module_name!r}: {exc}") from exc
    handler = getattr(module, name, None)
    if colon and callable(handler):
        return handler  # type: ignore[no-any-return]
    if not colon and name in stream_handlers():
        return handler  # type: ignore[return-value]
    if colon:
        raise ValueError(f"{module_name} has no function {name!r}")
    raise ValueError(f"no handler {name!r}; there are {', '.join(stream_handlers())}, or your own as module:function")


def stream_handlers() -> list[str]:
    """The names of the handlers of connections that socketlab.handlers offers: functions of one argument."""
    from inspect import isfunction, signature

    handlers = import_module("socketlab.handlers")
    named = {name: getattr(handlers, name, None) for name in [*handlers.__all__, "http"]}
    return sorted(name for name, value in named.items() if isfunction(value) and len(signature(value).parameters) == 1)


def serve(word: str, host: str | None, port: int, family: str) -> int:
    """Serve until Ctrl-C or SIGTERM. Returns 0, or 1 where the handler raised, 2 where the server could not start."""
    from socketlab.servers import ServerError, tcp_server, unix_server

    try:
        handler = find_handler(word)
        if family == "unix":
            server = unix_server(handler, host)
        else:
            chosen = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6, None: None}[family]
            server = tcp_server(handler, host, port, family=chosen)
    except (OSError, ValueError, NotImplementedError) as exc:
        print(f"serve: {exc}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end on SIGTERM as on Ctrl-C
    try:
        with server:
            try:
                print(f"{word} is listening on {_place(server.address)}; Ctrl-C stops it", flush=True)
                # With a timeout, because on Windows a wait without one does not hear Ctrl-C.
                while not threading.Event().wait(3600):
                    pass
            except KeyboardInterrupt:
                pass
    except ServerError as exc:
        print(f"\nserve: {exc}: {exc.__cause__!r}", file=sys.stderr)
        return 1
    finally:
        print(f"\nstopped after {server.accepted} connection{'s' * (server.accepted != 1)}")
    return 0


def _place(address: Any) -> str:
    if not isinstance(address, tuple):
        return f"{address}    (try: nc -U {address})"
    return f"{address[0]} port {address[1]}    (try: nc {address[0]} {address[1]})"


def grade(places: list[str], jobs: int, seconds: float, mebibytes: int, csv: str | None, junit: str | None) -> int:
    """Grade notebooks, print the table and write the files.

    Returns 0; 1 where there is none to grade, 2 for bad arguments, 130 when interrupted, as a shell has it.
    """
    from socketlab.grading import grade as graded
    from socketlab.grading import notebooks_in, report

    try:
        paths = notebooks_in(places)
        if not paths:
            print("grade: there is no notebook in the places given", file=sys.stderr)
            return 1
        watched = sys.stderr.isatty()

        def progress(count: int) -> None:
            if watched:
                share = 30 * count // len(paths)
                end = "\n" if count == len(paths) else ""
                line = f"\r[{'#' * share}{'.' * (30 - share)}] {count} of {len(paths)} notebooks"
                print(line, end=end, file=sys.stderr, flush=True)

        grades = graded(paths, jobs=jobs, seconds=seconds, memory=mebibytes << 20, graded=progress)
        table = report.table(grades)
        print(table.encode(sys.stdout.encoding or "utf-8", "replace").decode(sys.stdout.encoding or "utf-8"))
        for file, write in ((csv, report.as_csv), (junit, report.as_junit)):
            if file is not None:
                with open(file, "w", encoding="utf-8") as out:
                    out.write(write(grades))
    except KeyboardInterrupt:
        print("\ngrade: stopped; nothing was written", file=sys.stderr)
        return 130
    except (OSError, ValueError) as exc:
        print(f"grade: {exc}", file=sys.stderr)
        return 2
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run a sub-command; returns its exit status (2 for a wrong command line, as argparse has it)."""
    parser = argparse.ArgumentParser(prog="python -m socketlab", description="Sockets, seen from both ends.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("doctor", help="what can this machine do, and can the course run here?")
    check.add_argument("--json", action="store_true", help="the same for a program")
    start = commands.add_parser("serve", help="start a loopback server until Ctrl-C")
    start.add_argument("handler", help="echo, discard, chargen, daytime, reverse, http, or module:function")
    start.add_argument("--host", help="127.0.0.1, ::1 or localhost; a path with --family unix")
    start.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    start.add_argument("--family", choices=["ipv4", "ipv6", "unix"], help="ipv4 unless --host says otherwise")
    marks = commands.add_parser("grade", help="check the exercises of submitted notebooks")
    marks.add_argument("notebook", nargs="+", help="a notebook, or a folder with notebooks in it")
    marks.add_argument("--jobs", type=int, default=0, help="how many at a time; 0, the default, is one per CPU")
    marks.add_argument("--seconds", type=float, default=60.0, help="that one notebook may take (60)")
    marks.add_argument("--memory", type=int, default=1024, help="MiB that one notebook may take (1024)")
    marks.add_argument("--csv", metavar="FILE", help="write a line for each notebook, for a spreadsheet")
    marks.add_argument("--junit", metavar="FILE", help="write JUnit XML, for a CI server")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "grade":
            return grade(chosen.notebook, chosen.jobs, chosen.seconds, chosen.memory, chosen.csv, chosen.junit)
        if chosen.command == "doctor":
            return doctor(chosen.json)
        return serve(chosen.handler, chosen.host, chosen.port, chosen.family)
    except KeyError as exc:  # SOCKETLAB_WITHOUT names what nobody probes
        print(f"{chosen.command}: {exc.args[0]}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `doctor | head`: the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
