"""The standard library's own socket tests, with a trace open and without: whatever passes without must pass with it.

    python tests/stdlib_under_trace.py [test_socket test_ssl ...]     run all of both, print what differs

Each run is a child process, because a test that hangs or dies must not take the others along, and because the trace
must not see this process. The child writes one line of JSON when a test begins and one when it has ended, so that the
parent knows which one hung. Tests fail now and then for reasons of their own (a port is taken, a deadline is missed on
a busy machine), and no list can name those for every machine. So a test that fails only under the trace is repeated
alone, in turn with and without. It counts against the trace if it fails again with it and never without.

Nothing here needs more than the standard library, so any interpreter that has the `test` package can run it:
``PYTHONPATH=. python3.13 tests/stdlib_under_trace.py``.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ASYNCIO = "test.test_asyncio."
#: asyncio's tests that open sockets; the others (locks, queues, tasks, ...) never come near one.
OF_ASYNCIO = (
    "test_sock_lowlevel", "test_streams", "test_selector_events", "test_sslproto", "test_server", "test_events",
    "test_unix_events", "test_sendfile", "test_buffered_proto", "test_base_events", "test_ssl", "test_subprocess",
)  # fmt: skip
MODULES = ("test.test_socket", "test.test_selectors", "test.test_socketserver", "test.test_httplib", "test.test_ssl")
EVERYTHING = MODULES + tuple(ASYNCIO + name for name in OF_ASYNCIO)

#: Resources (`python -m test -u`) that a module needs to run at all. None leaves the loopback interface.
NEEDS = {"test.test_socketserver": ["network"]}

#: Tests that are not run, by a part of their id, and why.
LEFT_OUT = {
    "VSOCKSocketStreamTest": "waits for ever, with a trace or without, in a virtual machine whose host does not answer",
}

LIMIT = 60.0  # s for one test; the slowest of them takes 11 on two busy CPUs
PASSED = "ok"


class Outcomes(unittest.TestResult):
    """Writes what became of each test; a failed subtest is a failure of its test."""

    def __init__(self, out: Any) -> None:
        super().__init__()
        self.out = out

    def say(self, **what: str) -> None:
        self.out.write(json.dumps(what) + "\n")
        self.out.flush()

    def startTest(self, test: unittest.TestCase) -> None:
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        self.outcome, self.words = PASSED, ""
        self.say(begun=test.id())
        super().startTest(test)

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        faulthandler.cancel_dump_traceback_later()
        self.say(id=test.id(), outcome=self.outcome, words=self.words)

    def is_now(self, test: unittest.TestCase, outcome: str, words: str) -> None:
        if getattr(test, "_testMethodName", None) is None and "." in test.id():  # setUpClass, setUpModule
            self.say(id=test.id(), outcome=outcome, words=words)
        else:
            self.outcome, self.words = outcome, words

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self.is_now(test, "error", self.errors[-1][1])

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self.is_now(test, "failed", self.failures[-1][1])

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.outcome, self.words = "failed", (self.failures + self.errors)[-1][1]

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self.is_now(test, "skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.is_now(test, "expected failure", "")

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self.is_now(test, "unexpected success", "")


def each(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


def child(module: str, only: list[str] | None, but: list[str], traced: bool, out: Any) -> None:
    """Run a module's tests in this process: all, or those with the ids `only`; never those with the ids `but`."""
    from test import support

    support.use_resources = NEEDS.get(module, [])
    suite = unittest.defaultTestLoader.loadTestsFromName(module)
    wanted = [
        test
        for test in each(suite)
        if (only is None or test.id() in only)
        and test.id() not in but
        and not any(part in test.id() for part in LEFT_OUT)
    ]
    if not traced:
        unittest.TestSuite(wanted).run(Outcomes(out))
        Outcomes(out).say(done=module)
        return
    from socketlab.trace import trace
    from socketlab.trace.recorder import current

    count, longest, changed, faults = 0, (0.0, ""), set[str](), list[str]()
    for cls, tests in groupby(wanted, type):  # a trace each: what it has seen makes each of their gc.collect() longer
        before = looks()
        with trace() as t:
            recorder = current()
            unittest.TestSuite(tests).run(Outcomes(out))
        faults += [f"{cls.__name__}: {fault!r}" for fault in getattr(recorder, "faults", ())]
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        after = looks()
        changed |= {name for was, now in zip(before, after, strict=True) for name, _ in {*was} ^ {*now}}
        changed |= {"the order of names"} if not changed and before != after else set()
        begin = time.perf_counter()
        events, _ = list(t.events), t.text()
        count += len(events)
        longest = max(longest, (time.perf_counter() - begin, f"{cls.__name__} with {len(events):,} calls"))
        faulthandler.cancel_dump_traceback_later()
    took = f"{count:,} calls, longest to tell: {longest[1]}, {longest[0]:.2f} s"
    Outcomes(out).say(
        done=module, events=str(count), took=took, changed=", ".join(sorted(changed)), faults="; ".join(faults)
    )


def looks() -> list[list[tuple[str, int]]]:
    """The names in the classes and modules that a trace might touch, in their order, and which object each one is."""
    import select
    import selectors
    import socket
    import ssl

    places: list[Any] = [socket.socket, ssl.SSLSocket, socket.SocketIO, ssl, select, selectors]
    places += [vars(selectors)[name] for name in vars(selectors) if name.endswith("Selector")]
    volatile = {"__warningregistry__"}
    return [
        [(name, id(value)) for name, value in vars(place).items() if name not in volatile]
        for place in (*places, socket)
    ]


@dataclass
class Run:
    """What became of the tests of one module. `words` has the traceback or the reason of each that did not pass.

    `changed` names what was not put back when a trace closed, `faults` the exceptions that the recorder kept to itself.
    """

    outcomes: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    events: int = 0
    took: str = ""
    changed: str = ""
    faults: str = ""
    seconds: float = 0.0


def run(module: str, *, traced: bool, only: Iterable[str] | None = None) -> Run:
    """Run a module in child processes, a new one after each test that hangs or kills its process."""
    found, begin, but = Run(), time.monotonic(), list[str]()
    only = None if only is None else list(only)
    while True:
        with tempfile.TemporaryDirectory(prefix="socketlab-stdlib-") as folder:
            out, errors = Path(folder, "out"), Path(folder, "errors")
            plan = json.dumps({"module": module, "only": only, "but": but, "traced": traced})
            with errors.open("w") as stderr:
                done = subprocess.run(
                    [sys.executable, "-W", "ignore", __file__, "--child", plan, str(out)],
                    cwd=folder,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    check=False,
                )
            begun, last = "", {}
            for line in out.read_text().splitlines() if out.exists() else ():
                last = json.loads(line)
                if "begun" in last:
                    begun = last["begun"]
                elif "id" in last:
                    begun = ""
                    found.outcomes[last["id"]] = last["outcome"]
                    found.words[last["id"]] = last["words"]
            if "done" in last:
                found.events += int(last.get("events", 0))
                found.took = last.get("took", "")
                found.changed += last.get("changed", "")
                found.faults += last.get("faults", "")
                break
            complaint = errors.read_text()[-3000:]
            if not begun:
                raise RuntimeError(
                    f"{module}: the child ended with status {done.returncode} outside of any test:\n{complaint}"
                )
            found.outcomes[begun] = "hung or died"
            found.words[begun] = complaint
            but += found.outcomes
    found.seconds = time.monotonic() - begin
    return found


@dataclass
class Comparison:
    """`broken`: what the trace breaks, with the traceback. `restless`: what failed once under it and not again."""

    module: str
    passed: int
    skipped: int
    broken: dict[str, str]
    restless: dict[str, str]
    traced: Run

    def __str__(self) -> str:
        return (
            f"{self.module}: {self.passed} passed with a trace open, {self.skipped} skipped with and without, "
            f"{len(self.broken)} broken, {len(self.restless)} restless; {self.traced.took}; {self.traced.seconds:.0f} s"
        )


def compare(module: str, *, both: bool = False, again: int = 3) -> Comparison:
    """Run a module under a trace, and without one the tests that did not pass so (with `both` all of them)."""
    traced = run(module, traced=True)
    odd = [name for name, outcome in traced.outcomes.items() if outcome != PASSED]
    bare = run(module, traced=False, only=None if both else [name for name in odd if is_test(name)] or ["none"])
    if any(not is_test(name) for name in odd) and not both:  # a whole class or module did not start
        bare = run(module, traced=False)
    suspects = [
        name for name, outcome in bare.outcomes.items() if traced.outcomes.get(name, "not run") != outcome == PASSED
    ]
    suspects += [n for n in odd if traced.outcomes[n] not in ("skipped", "expected failure") and n not in bare.outcomes]
    broken, restless = {}, {}
    for name in suspects:
        words = f"{traced.outcomes.get(name, 'not run')}: {traced.words.get(name, '')}"
        failed_with = failed_without = 0
        for _ in range(again if is_test(name) else 0):
            failed_without += run(module, traced=False, only=[name]).outcomes.get(name) != PASSED
            failed_with += run(module, traced=True, only=[name]).outcomes.get(name) != PASSED
        if failed_without or (not failed_with and is_test(name)):
            restless[name] = f"again {again} times, failed {failed_with} with and {failed_without} without; {words}"
        else:
            broken[name] = f"again {again} times, failed {failed_with} with and {failed_without} without; {words}"
    passed = sum(outcome == PASSED for outcome in traced.outcomes.values())
    skipped = sum(outcome == "skipped" for outcome in traced.outcomes.values())
    return Comparison(module, passed, skipped, broken, restless, traced)


def is_test(name: str) -> bool:
    """Whether it is the id of a test, not of what is set up for a class or a module (``setUpClass (...)``)."""
    return "(" not in name


def has_tests(module: str) -> bool:
    """Whether this interpreter comes with them; Debian and some others leave them out."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--child", nargs=2, metavar=("PLAN", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        plan = json.loads(args.child[0])
        with open(args.child[1], "w") as out:
            child(plan["module"], plan["only"], plan["but"], plan["traced"], out)
        sys.stdout.flush()
        os._exit(0)  # threads that a failed test has left behind must not hold the end up
    status = 0
    for module in args.modules or EVERYTHING:
        name = module if module.startswith("test.") else f"test.{module}"
        if not has_tests(name):
            print(f"{name}: not in this Python")
            continue
        found = compare(name, both=True)
        status |= bool(found.broken or found.traced.changed or found.traced.faults)
        print(found, flush=True)
        for kind, words in (("NOT RESTORED", found.traced.changed), ("FAULTS", found.traced.faults)):
            if words:
                print(f"  {kind}: {words}")
        for kind, what in (("BROKEN", found.broken), ("restless", found.restless)):
            for test, words in what.items():
                print(f"  {kind} {test}\n    " + words.strip().replace("\n", "\n    "), flush=True)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
