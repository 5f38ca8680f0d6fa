"""Whatever an answer does: the check ends in time, says what it was, and the next one starts clean.

SOCKETLAB_THOROUGH=1 takes 300 checks in a row in one kernel, and not thirty.
"""

from __future__ import annotations

import builtins
import gc
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hostile
import psutil
import pytest
import taking
from hostile import FAMILY, HANG, PASS, SPOIL
from kernel_driver import Kernel
from share import THOROUGH

from socketlab import trace
from socketlab.exercises import FAILED, PASSED, Verdict, isolation
from socketlab.exercises.clock import SLOWEST
from socketlab.exercises.definition import TOTAL
from socketlab.exercises.isolation import GRACE

needs_fork = pytest.mark.skipif(not isolation._CAN_FORK, reason="without fork an answer runs in a thread")
DEADLINE = 0.4  # s of the answers that hang, so that they take no more of everybody's time
SLOW = 1.5  # s that a busy machine may add; how long it takes on an idle one is for bench/exercises.py

IN_A_THREAD = [hostile.base_exception, hostile.asks, hostile.recurses, hostile.sys_exit, hostile.leaks_sockets]
HANG_IN_A_THREAD = [hostile.recv, hostile.accept, hostile.sleeps_two_seconds, hostile.loops, hostile.keeps_asking]
IN_A_KERNEL = [
    hostile.base_exception, hostile.sys_exit, hostile.asks, hostile.allocates, hostile.leaks_sockets,
    hostile.starts_threads, hostile.patches_socket, hostile.replaces_len, hostile.closes_everything,
    hostile.kills_its_group, hostile.crashes, hostile.forks_on,
]  # fmt: skip
REPLACE = [hostile.patches_socket, hostile.adds_to_socket, hostile.replaces_len, hostile.stops_the_clock]

SHORT = taking.exercise(DEADLINE)
USUAL = taking.exercise()


def timed(answer: Callable[..., Any], exercise: Any = USUAL) -> tuple[Verdict, float]:
    begin = time.monotonic()
    verdict = isolation.check(exercise, answer)
    return verdict, time.monotonic() - begin


def ids(answer: Callable[..., Any]) -> str:
    return answer.__name__.strip("_")


def line(verdict: Verdict) -> int:
    found = re.match(r"line (\d+)", verdict.where)
    assert found, verdict.text()
    return int(found[1])


def is_in(verdict: Verdict, answer: Any) -> bool:
    numbers = [number for *_, number in answer.__code__.co_lines() if number is not None]
    return answer.__code__.co_firstlineno < line(verdict) <= max(numbers)


@pytest.fixture
def clean() -> Iterator[None]:
    """Afterwards this process has what it had, and a right answer passes."""

    def state() -> tuple[Any, ...]:
        me = psutil.Process()
        surface = {**vars(socket.socket), **{f"socket.{n}": v for n, v in vars(socket).items()}, **vars(builtins)}
        surface.pop("_", None)
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
        return me.num_fds(), [child.pid for child in me.children()], os.getcwd(), surface, handlers, sys.stdout

    gc.collect()
    before, threads = state(), threading.active_count()
    yield
    assert state() == before
    assert threading.active_count() <= threads
    assert "SOCKETLAB_TEST_LEFT" not in os.environ
    verdict = isolation.check(USUAL, taking.right)
    assert verdict.outcome == PASSED, verdict.text()


@needs_fork
@pytest.mark.usefixtures("clean")
class TestInAProcess:
    @pytest.mark.parametrize("answer", HANG, ids=ids)
    def test_one_that_hangs_ends_at_its_deadline(self, answer: Callable[..., Any]) -> None:
        verdict, seconds = timed(answer, SHORT)
        keys = {HANG[answer]}
        if answer is hostile.waits_for_a_lock and sys.version_info < (3, 11):
            keys = {"asleep"}  # without positions in the code nobody can tell the call
        assert verdict.outcome == FAILED
        assert verdict.key in keys, verdict.text()
        assert is_in(verdict, answer), verdict.text()
        assert verdict.came == "nothing in time"
        assert DEADLINE <= seconds < SLOWEST * DEADLINE + SLOW

    @pytest.mark.parametrize("answer", [hostile.computes, hostile.long_intervals], ids=ids)
    def test_one_that_holds_the_interpreter_ends_with_the_last_deadline(self, answer: Callable[..., Any]) -> None:
        verdict, seconds = timed(answer)
        assert verdict.key == "holds-everything", verdict.text()
        assert is_in(verdict, answer), verdict.text()
        assert TOTAL <= seconds < SLOWEST * (TOTAL + GRACE) + SLOW

    @pytest.mark.parametrize("answer", SPOIL, ids=ids)
    def test_what_it_spoils_is_told(self, answer: Callable[..., Any]) -> None:
        verdict, seconds = timed(answer)
        assert (verdict.outcome, verdict.key) == (FAILED, SPOIL[answer]), verdict.text()
        assert verdict.expected
        assert verdict.came
        assert seconds < SLOWEST * (TOTAL + GRACE) + SLOW
        assert verdict.text().isascii() or verdict.text().encode()  # no half of a surrogate pair

    @pytest.mark.parametrize("answer", [*PASS, *FAMILY], ids=ids)
    def test_a_right_one_that_is_untidy_passes(self, answer: Callable[..., Any]) -> None:
        verdict, _ = timed(answer)
        assert verdict.outcome == PASSED, verdict.text()

    @pytest.mark.parametrize("answer", [*FAMILY, hostile.forks_on], ids=ids)
    def test_nothing_of_its_family_is_left(self, answer: Callable[..., Any]) -> None:
        mark = f"{os.getpid()}-{answer.__name__}"  # in their environment: what they are known by
        os.environ["SOCKETLAB_TEST_MARK"] = mark
        program = (
            "import hostile, taking; from socketlab.exercises import check; taking.register(); "
            f"check('take', hostile.{answer.__name__})"
        )
        kernel_like = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parent)
        del os.environ["SOCKETLAB_TEST_MARK"]
        assert kernel_like.wait(20) == 0
        assert not [pid for pid in psutil.pids() if mark in environment(pid)]

    def test_one_that_takes_all_memory_and_says_nothing(self) -> None:
        """Where there is none left for the next scenario it is told; where the system found some, it has passed."""
        verdict, _ = timed(hostile.allocates_silently)
        assert verdict.key in ("out-of-memory", ""), verdict.text()

    def test_addresses_are_no_memory(self) -> None:
        """malloc reserves 64 MiB of addresses for each of some threads, and does so again in a child."""
        program = """
import threading, hostile, taking
from socketlab.exercises import check
taking.register()
met = threading.Barrier(9)  # as many threads as a kernel has
threads = [threading.Thread(target=lambda: [bytes(600) for _ in range(9)] and met.wait()) for _ in range(9)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(check("take", hostile.sixty_threads).outcome)
"""
        run = subprocess.run(
            [sys.executable, "-c", program], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=30
        )
        assert (run.stdout, run.stderr) == ("passed\n", "")

    def test_what_it_printed_is_cut(self) -> None:
        def prints(sock: socket.socket, size: int) -> None:
            for _ in range(1000):
                print("a line\x00")

        verdict, _ = timed(prints)
        assert verdict.printed.endswith("… 8,000 characters"), verdict.printed
        assert "\x00" not in verdict.text()
        assert len(verdict.printed) < 500

    def test_a_check_within_a_trace(self) -> None:
        with trace() as traced:
            assert isolation.check(USUAL, taking.right).outcome == PASSED
        assert not traced.events

    def test_a_check_in_another_thread(self) -> None:
        found: list[Verdict] = []
        thread = threading.Thread(target=lambda: found.append(isolation.check(USUAL, taking.right)))
        thread.start()
        thread.join(10)
        assert found[0].outcome == PASSED

    def test_where_children_are_collected_by_the_system(self) -> None:
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            assert isolation.check(USUAL, taking.right).outcome == PASSED
            assert isolation.check(USUAL, hostile.os_exit).key == "ends-process"
        finally:
            signal.signal(signal.SIGCHLD, before)

    def test_sockets_that_were_lost_before_are_not_the_answers(self) -> None:
        lost: list[Any] = [socket.socket()]
        lost.append(lost)
        del lost
        verdict = isolation.check(USUAL, hostile.collects)
        with pytest.warns(ResourceWarning, match="unclosed <socket"):
            gc.collect()
        assert verdict.outcome == PASSED, verdict.text()

    def test_a_broken_scenario_is_nobodys_mistake(self) -> None:
        broken = taking.exercise()
        broken.scenario("broken")(lambda attempt: 1 / 0)  # type: ignore[arg-type,return-value]
        with pytest.raises(RuntimeError, match="(?s)check of take failed itself.*ZeroDivisionError"):
            isolation.check(broken, taking.right)


def environment(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


class TestInAThread:
    """Where nothing can be forked: the same words, and what can be undone is undone."""

    @pytest.fixture(autouse=True)
    def without_fork(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(isolation, "_CAN_FORK", False)

    @pytest.mark.parametrize(
        "answer",
        [hostile.recv, hostile.accept, hostile.sleeps_two_seconds, hostile.loops, hostile.keeps_asking],
        ids=ids,
    )
    def test_one_that_hangs_ends_at_its_deadline(self, answer: Callable[..., Any]) -> None:
        verdict, seconds = timed(answer, SHORT)
        assert verdict.outcome == FAILED
        assert is_in(verdict, answer), verdict.text()
        assert DEADLINE <= seconds < SLOWEST * DEADLINE + SLOW
        assert isolation.check(USUAL, taking.right).outcome == PASSED

    @pytest.mark.parametrize("answer", [hostile.recv, hostile.loops, hostile.keeps_asking], ids=ids)
    def test_one_that_runs_or_waits_for_the_scenario_is_ended(self, answer: Callable[..., Any]) -> None:
        before = set(threading.enumerate())
        timed(answer, SHORT)
        end = time.monotonic() + 5
        while set(threading.enumerate()) - before and time.monotonic() < end:
            time.sleep(0.01)
        assert not set(threading.enumerate()) - before

    @pytest.mark.parametrize("answer", IN_A_THREAD, ids=ids)
    def test_what_it_spoils_is_told(self, answer: Callable[..., Any]) -> None:
        verdict, _ = timed(answer)
        assert (verdict.outcome, verdict.key) == (FAILED, SPOIL[answer]), verdict.text()
        for sock in hostile._kept:
            sock.close()
        hostile._kept.clear()

    @pytest.mark.parametrize("answer", REPLACE, ids=ids)
    @pytest.mark.usefixtures("clean")
    def test_what_it_replaced_is_put_back(self, answer: Callable[..., Any]) -> None:
        verdict, _ = timed(answer)
        assert verdict.key == "replaces-socket", verdict.text()


# -- a real kernel ----------------------------------------------------------------------------------------------------

SETUP = f"""
import os, sys, socket, threading, time, asyncio
sys.path.insert(0, {str(Path(__file__).parent)!r})
%matplotlib inline
import matplotlib.pyplot as plt, ipywidgets
import hostile, taking
from IPython.display import display
from socketlab import tcp_server
from socketlab.handlers import echo
from socketlab.exercises import check, exercise
taking.register()
server = tcp_server(echo)
beside = socket.create_connection(server.address)
slider = ipywidgets.IntSlider()
stop = threading.Event()
def knock():
    while not stop.wait(0.001):
        beside.sendall(b"x"); assert beside.recv(1) == b"x"
thread = threading.Thread(target=knock, daemon=True); thread.start()
plt.plot([1, 2]); plt.close()
slider
"""
USABLE = """
assert thread.is_alive() and input.__module__ != "socketlab.exercises.child"
slider.value += 1
plt.plot([1, 2]); plt.close()
print("still here")
assert check("take", taking.right).passed
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("kernel")
    before = os.environ.get("SOCKETLAB_PROGRESS")
    os.environ["SOCKETLAB_PROGRESS"] = str(folder / "progress.jsonl")
    kernel = Kernel(folder)
    try:
        run(kernel, SETUP)
        run(kernel, USABLE)
        kernel.mark()
        yield kernel
    finally:
        kernel.close()
        os.environ.pop("SOCKETLAB_PROGRESS")
        if before is not None:
            os.environ["SOCKETLAB_PROGRESS"] = before


def run(kernel: Kernel, source: str) -> None:
    outcome = kernel.finish(kernel.send(source))
    assert outcome.status == "ok", outcome


@needs_fork
class TestInAKernel:
    @pytest.mark.parametrize("answer", SPOIL if THOROUGH else IN_A_KERNEL, ids=ids)
    def test_what_spoils_a_process_leaves_the_kernel_alone(self, kernel: Kernel, answer: Any) -> None:
        name = answer.__name__
        run(kernel, f"found = check('take', hostile.{name})\nassert found.key == {SPOIL[answer]!r}, found.text()")

    def test_what_belongs_to_jupyter(self, kernel: Kernel) -> None:
        """In the child a display, a picture, a widget and a question go nowhere, and stop nothing."""
        run(
            kernel,
            """
def busy(sock, size):
    display("a string"); display(slider); slider.value = 5
    plt.plot([1, 2, 3]); plt.show()
    sys.stdout.flush(); sys.stderr.write("e"); os.system("echo from a shell")
    try:
        input("?")
    except EOFError:
        pass
    asyncio.run(asyncio.sleep(0))
    return taking.right(sock, size)
found = check("take", busy)
assert found.passed, found.text()
""",
        )

    def test_the_decorator_leaves_the_function_as_it_is(self, kernel: Kernel) -> None:
        run(
            kernel,
            "@exercise('take')\ndef take(sock, size):\n    return sock.recv(size)\nassert take.__name__ == 'take'",
        )

    def test_the_line_of_a_cell_is_told(self, kernel: Kernel) -> None:
        run(
            kernel,
            "def take(sock, size):\n    data = sock.recv(size)\n    return data + sock.recv(1)\n"
            "found = check('take', take)\n"
            "assert found.where == 'line 3: return data + sock.recv(1)', found.text()",
        )

    def test_an_interrupt_ends_the_check(self, kernel: Kernel) -> None:
        """At many moments, the fork and the kill among them; none leaves a child behind."""
        for n in range(40 if THOROUGH else 12):
            # Only from its first line on: before, ipykernel ignores interrupts although it says that it is busy.
            request = kernel.send("print('begun', flush=True)\ncheck('take', hostile.sleeps)")
            kernel.wait_for_print(request)
            time.sleep(n * 0.004)
            kernel.interrupt()
            outcome = kernel.finish(request)
            assert outcome.interrupted, outcome
            assert outcome.seconds < 1.9
        run(kernel, USABLE)
        assert not kernel.state().children

    def test_many_checks_leave_nothing(self, kernel: Kernel) -> None:
        count = 300 if THOROUGH else 30
        run(kernel, "for _ in range(20): check('take', taking.right)")
        kernel.tidy()
        memory = psutil.Process(kernel.pid).memory_info().rss
        run(kernel, f"for _ in range({count}): assert check('take', taking.right).passed")
        assert kernel.growth() == ""
        assert psutil.Process(kernel.pid).memory_info().rss - memory < 10e6

    def test_the_kernel_is_usable_after_all_that(self, kernel: Kernel) -> None:
        run(kernel, USABLE)
        kernel._let_go()
        kernel._ask("collect()")
        state = kernel.state()
        assert not state.children
        assert len(state.threads) <= len(kernel.before.threads)
        assert len(state.descriptors) <= len(kernel.before.descriptors)

    def test_a_restart_ends_the_check(self, kernel: Kernel) -> None:
        """Last: the kernel is killed while an answer computes, and its child goes with it."""
        kernel.send("check('take', hostile.computes)")
        end = time.monotonic() + 10
        while not (children := kernel.state().children) and time.monotonic() < end:
            time.sleep(0.01)
        (pid,) = children
        kernel.restart(now=True)
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
