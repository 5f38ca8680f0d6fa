"""Every notebook in real Jupyter kernels, treated as people treat it: rerun, shuffled, interrupted, restarted, doubled.

Whatever is done to a cell, the same must hold afterwards: the kernel answers, cells raise nothing that they do not
announce, and nothing is left of servers, sockets, threads, child processes and temporary files (kernel_driver.py
tells what is looked at, and how). Cells, orders and delays are chosen by seeds, so that a failure can be repeated;
the moment at which an interrupt arrives is nevertheless the scheduler's, to some tens of microseconds.

One run takes a sixth of the notebooks (share.py). SOCKETLAB_THOROUGH=1 leaves no cell out and takes many more rounds.
"""

from __future__ import annotations

import random
import re
import socket
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from kernel_driver import Cell, Kernel, KernelFailed, KernelLeft, Outcome, cells_of, copy_of_the_notebooks
from share import SEED, THOROUGH, share_of

from tools import notebooks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into a kernel's process through /proc")

TIMES = 20
ORDERS = 3 if THOROUGH else 1
ENDS_WITHIN = 4.0  # s of waiting between the interrupt and the end of the cell; the longest timeout in a cell is 2 s
MOST_TO_LOSE = re.compile(r"Panel\(|Thread|Popen|probe\(")  # sections whose interrupts are tried first

# Seconds after which no further cell of a notebook is tried; in thorough mode each one is.
FOR_TWENTY = float("inf") if THOROUGH else 4.0
FOR_INTERRUPTS = float("inf") if THOROUGH else 3.0
INTERRUPTS = 20 if THOROUGH else 2  # of each cell, at most

NUMBERED = [path.relative_to(notebooks.FOLDER) for path in notebooks.all_notebooks() if path.name[0].isdigit()]
NOTEBOOKS = share_of(NUMBERED)


class Lesson:
    """One notebook, how long its cells take, and the kernels that have run it and are fit for the next test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells = cells_of(path)
        self.setup, self.others = self.cells[0], self.cells[1:]
        self.seconds: dict[int, float] = {}  # by cell number, the shortest run seen
        self.importing = 0.0  # how long the setup cell took in a new kernel
        self.idle: list[Kernel] = []

    def dice(self, *purpose: object) -> random.Random:
        """Random numbers that are the same as long as the seed and the text of the notebook are."""
        return random.Random(f"{SEED} {purpose} {[cell.source for cell in self.cells]}")

    def sections(self) -> list[list[Cell]]:
        """The code cells below the setup cell, by `##` section, in reading order."""
        found: dict[int, list[Cell]] = {}
        for cell in self.others:
            found.setdefault(cell.section, []).append(cell)
        return list(found.values())

    @contextmanager
    def kernel(self) -> Iterator[Kernel]:
        """A kernel that has run the notebook once. It is kept for the next test, unless this one fails."""
        kernel = self.idle.pop() if self.idle else self.fresh()
        try:
            yield kernel
        except BaseException:
            kernel.close()
            raise
        self.idle.append(kernel)

    def fresh(self) -> Kernel:
        """A kernel that has just run the notebook from top to bottom."""
        kernel = Kernel(self.path.parent)
        try:
            for cell in self.cells:
                self.expect(cell, kernel.run(cell), "top to bottom in a fresh kernel")
                self.importing = self.importing or self.seconds[self.setup.number]
        except BaseException:
            kernel.close()
            raise
        return kernel

    def expect(self, cell: Cell, outcome: Outcome, when: str, *, quiet: bool = True) -> None:
        """The cell has raised nothing that it does not announce; if `quiet`, no thread has printed a traceback."""
        self.seconds[cell.number] = min(outcome.seconds, self.seconds.get(cell.number, outcome.seconds))
        if outcome.status != "ok" and not (cell.may_raise and outcome.status == "error"):
            pytest.fail(f"{cell.where}{when}: {outcome.status} {outcome.error}", pytrace=False)
        if quiet and re.search("Traceback|Exception in|Exception ignored", outcome.stderr):
            pytest.fail(f"{cell.where}{when}: printed to stderr\n{outcome.stderr}", pytrace=False)

    def run(self, kernel: Kernel, cells: list[Cell], when: str) -> None:
        for cell in cells:
            self.expect(cell, kernel.run(cell), when)

    def in_turn(self, *purpose: object) -> list[list[Cell]]:
        """The sections in an order that the seed decides, those that have most to leave behind first."""
        sections = self.sections()
        self.dice(*purpose).shuffle(sections)
        return sorted(sections, key=lambda section: not any(MOST_TO_LOSE.search(cell.source) for cell in section))

    def start_over(self, kernel: Kernel, when: str) -> None:
        """Empty the namespace and run the setup cell: what a cell uses then, it has from its own section."""
        kernel.forget_names()
        self.run(kernel, [self.setup], when)


def no_growth(growth: str, where: str) -> None:
    if growth:
        pytest.fail(f"{where}: the kernel holds more than before {growth}", pytrace=False)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS, f"no numbered notebook in {notebooks.FOLDER}: the tests below would all be skipped"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_notebooks(tmp_path_factory.mktemp("kernels") / "notebooks")


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=str)
def lesson(request: pytest.FixtureRequest, folder: Path) -> Iterator[Lesson]:
    lesson = Lesson(folder / request.param)
    yield lesson
    for kernel in lesson.idle:
        kernel.close()


def test_two_kernels_at_once(lesson: Lesson) -> None:
    """Neither a port, nor a path, nor a file of one is in the way of the other."""
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(lesson.fresh) for _ in range(2)]
    lesson.idle += [future.result() for future in futures if future.exception() is None]
    for future in futures:
        future.result()


def test_top_to_bottom_twice(lesson: Lesson) -> None:
    """The second pass leaves nothing that the first did not, and the panels of the first are gone."""
    before = set(lesson.path.parent.rglob("*"))
    with lesson.kernel() as kernel:
        panels = kernel.panels()
        kernel.mark()  # with the panels open: what they hold must not grow either
        lesson.run(kernel, lesson.cells, "second time in the same kernel")
        assert kernel.panels() == panels, "a rerun cell replaces its panel"
        no_growth(kernel.growth(), f"{lesson.path.name}, run a second time")
    assert set(lesson.path.parent.rglob("*")) == before, "a cell wrote into the notebooks' folder"


def test_sections_in_any_order(lesson: Lesson) -> None:
    with lesson.kernel() as kernel:
        kernel.tidy()
        for order in range(ORDERS):
            sections = lesson.sections()
            lesson.dice("order", order).shuffle(sections)
            numbers = [cell.number for section in sections for cell in section]
            when = f"seed {SEED}, order {order}, after the setup cell: cells {numbers}"
            lesson.start_over(kernel, when)
            for section in sections:
                lesson.run(kernel, section, when)
            no_growth(kernel.growth(), f"{lesson.path.name}, {when}")


def test_twenty_times(lesson: Lesson) -> None:
    """Cells twenty times in a row, after the setup cell and the cells of the section that stand above."""
    with lesson.kernel() as kernel:
        kernel.tidy()
        deadline = time.monotonic() + FOR_TWENTY
        for section in lesson.in_turn("twenty"):
            if time.monotonic() > deadline:
                break
            lesson.start_over(kernel, "before twenty runs")
            for cell in section:
                if time.monotonic() > deadline or lesson.seconds[cell.number] * TIMES > FOR_TWENTY / 2:
                    lesson.run(kernel, [cell], "above a cell that is run twenty times")
                    continue
                for outcome in kernel.run_in_a_row(cell, TIMES):
                    lesson.expect(cell, outcome, f"one of {TIMES} runs in a row")
                panels = kernel.panels() if "Panel(" in cell.source else []
                assert len(panels) <= cell.source.count("Panel("), f"{cell.where}rerun, left {panels}"
                no_growth(kernel.growth(), f"{cell.where}after {TIMES} runs in a row")


def test_interrupted_anywhere(lesson: Lesson) -> None:
    """The cell ends, the kernel answers, the cell runs again, nothing is left; and some interrupts did arrive."""
    sections = [[lesson.setup], *lesson.in_turn("interrupts")]
    sent = arrived = 0
    with lesson.kernel() as kernel:
        # IPython takes seconds to write a coloured traceback of a picture that was interrupted; that is not the point.
        kernel.finish(kernel.send("%xmode Minimal"))
        kernel.tidy()
        deadline = time.monotonic() + FOR_INTERRUPTS
        for round_ in range(INTERRUPTS):
            for section in sections if not round_ else reversed(sections):
                for cell in section:
                    if time.monotonic() > deadline and sent and arrived >= sent / 10:
                        break
                    delay = lesson.dice("interrupt", cell.number, round_).uniform(0, lesson.seconds[cell.number])
                    arrived += survives(lesson, kernel, cell, delay)
                    sent += 1
        kernel.finish(kernel.send("%xmode Context"))
    assert arrived >= sent / 10, f"{arrived} of {sent} interrupts arrived while a cell ran: that tests nothing"


def survives(lesson: Lesson, kernel: Kernel, cell: Cell, delay: float) -> bool:
    """Interrupt the cell `delay` seconds after the kernel has taken it up, run it again; True if it was interrupted."""
    when = f"{cell.where}interrupted after {delay * 1000:.1f} ms"
    arrived = lost = False
    for attempt in range(4):
        try:
            outcome, waited = interrupted(kernel, cell, delay)
        except KernelLeft:
            if attempt == 3:
                raise
            warnings.warn(f"{when}: ipykernel left its loop; trying again in a new kernel", stacklevel=1)
            kernel.restart(now=True)
            lesson.run(kernel, lesson.cells, "in a new kernel")
            kernel.tidy()
            continue
        arrived = arrived or outcome.interrupted
        if not outcome.interrupted and outcome.status != "ok" and not cell.may_raise:
            pytest.fail(f"{when}: it raised {outcome.error} instead", pytrace=False)
        if waited > ENDS_WITHIN:
            pytest.fail(f"{when}: it then waited for {waited:.1f} s before it ended", pytrace=False)
        # Not quiet: ipykernel may deliver what a thread of the interrupted run has printed with this one's output.
        again = f"run again, after it was interrupted at {delay * 1000:.1f} ms"
        lesson.expect(cell, kernel.run(cell), again, quiet=False)
        growth = kernel.growth()
        if growth and (lost or not kernel.lost_by_python()):
            no_growth(growth, f"{when}, then run again")
        lost = lost or bool(growth)
        if not lost:
            break
        # What Python itself loses it loses once in hundreds of times; a cell that loses it does so again.
        kernel.tidy()
    return arrived


def interrupted(kernel: Kernel, cell: Cell, delay: float) -> tuple[Outcome, float]:
    """How the cell ended, and how long it went on waiting after the interrupt."""
    clock = 0.0

    def begun() -> None:
        nonlocal clock
        time.sleep(delay)  # not to wait for something: the moment is what is being tried
        kernel.interrupt()
        clock = kernel.idle_clock()

    try:
        outcome = kernel.finish(kernel.send(cell.source, cell.id), begun=begun)
    except KernelLeft:
        raise
    except KernelFailed as exc:
        pytest.fail(f"{cell.where}interrupted after {delay * 1000:.1f} ms: {exc}", pytrace=False)
    waited = kernel.idle_clock() - clock
    if outcome.status == "lost":
        kernel.flush()
    return outcome, waited


SERVERS = """
import socket
from socketlab import tcp_server, tls_server, udp_server, unix_server
from socketlab.handlers import echo, echo_datagram

with tcp_server(echo) as tcp, tls_server(echo) as tls, unix_server(echo) as unix, udp_server(echo_datagram) as udp:
    with socket.create_connection(tcp.address) as client:
        client.sendall(b"?")
        print(client.recv(1).decode(), flush=True)
        client.recv(1)  # for ever
"""


@pytest.mark.parametrize("now", [False, True], ids=["as JupyterLab does", "killed"])
def test_restart_with_every_kind_of_server(folder: Path, now: bool) -> None:
    kernel = Kernel(folder)
    try:
        own = kernel.listening()
        kernel.wait_for_print(kernel.send(SERVERS))
        ports = kernel.listening() - own
        assert len(ports) == 2  # the ones of tcp_server and tls_server
        restarted(kernel, ports, now=now)
        if not now:  # SIGKILL leaves nobody who could remove the directory of the Unix socket
            assert kernel.state().files == frozenset()
        assert kernel.finish(kernel.send("1 + 1")).status == "ok"
    finally:
        kernel.close()


def test_restart_in_the_middle(lesson: Lesson) -> None:
    """JupyterLab's restart while a cell runs, if possible while it listens: ports are free, and the course goes on."""
    serving = [cell for cell in lesson.cells if re.search(r"_server\(|listen\(", cell.source)]
    with lesson.kernel() as kernel:
        kernel.tidy()
        own, ports = kernel.listening(), set[tuple[str, int]]()
        longest = sorted(lesson.cells, key=lambda cell: -lesson.seconds[cell.number])
        for cell in [c for c in longest if c in serving][:3]:
            running = kernel.send(cell.source, cell.id)
            while not ports and not kernel.has_finished(running):
                ports = kernel.listening() - own
            if ports:
                break
        else:
            cell = longest[0]
            kernel.send(cell.source, cell.id)
        restarted(kernel, ports, now=False)
        section = [lesson.setup, *(other for other in lesson.others if other.section == cell.section)]
        when = f"after a restart in the middle of cell [{cell.number}]"
        lesson.run(kernel, lesson.cells if THOROUGH else section, when)


# IPython 9.18: an interrupt while it imports one of its own magics, and it takes that for loaded ever after
# (`MagicsManager.load_lazy` undoes its note for an Exception, which KeyboardInterrupt is not).
LOST_BY_IPYTHON = re.compile(r"UsageError: Magic `\S+` is registered as lazy")


@pytest.mark.parametrize("round_", range(INTERRUPTS // 2))
def test_interrupted_while_it_imports(lesson: Lesson, round_: int) -> None:
    """The setup cell of a new kernel takes the longest, so it is the one that people stop; then they run it again."""
    for attempt in range(4):
        kernel = Kernel(lesson.path.parent)
        try:
            delay = lesson.dice("import", round_, attempt).uniform(0, lesson.importing or 1.0)
            when = f"in a new kernel, again after it was interrupted at {delay * 1000:.0f} ms"
            interrupted(kernel, lesson.setup, delay)
            again = kernel.run(lesson.setup)
            if LOST_BY_IPYTHON.match(again.error) and attempt < 3:
                warnings.warn(f"{when}: IPython lost a magic of its own; trying another moment", stacklevel=1)
                continue
            lesson.expect(lesson.setup, again, when)
            lesson.run(kernel, lesson.others if THOROUGH else [], when)
            return
        finally:
            kernel.close()


def restarted(kernel: Kernel, ports: set[tuple[str, int]], *, now: bool) -> None:
    """Restart `kernel`, which may listen on `ports`; the old process is gone then, and they can be bound."""
    old = psutil.Process(kernel.pid)
    kernel.restart(now=now)
    assert not old.is_running(), f"the old kernel, process {old.pid}, is still there"
    assert kernel.pid != old.pid
    for address in ports:
        with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # past TIME_WAIT, not past a listener
            again.bind(address)
