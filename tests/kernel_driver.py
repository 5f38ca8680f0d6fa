"""A real Jupyter kernel under test: run cells as JupyterLab does, interrupt and restart it, see what it holds.

What a kernel holds is read from outside, in /proc (proc(5)): reading it disturbs nothing and works while a cell
hangs. Only names are asked of the kernel itself. Two things keep sockets and threads alive that no cell has leaked,
and `Kernel.tidy` lets go of both, with means that a person has too: a live panel (`Panel.close`), and the frames of
the last exception, which IPython keeps for `%debug` until the next exception replaces them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any, NamedTuple

import psutil

from tools import notebooks
from tools.kernels import CELL_TIMEOUT

SETTLE = 5.0  # s for threads to end and connections to close after a cell; nothing of ours takes a tenth of it

# Descriptors that come and go by other laws: IPython's history, saved now and then, the fonts that matplotlib keeps
# open, and the eventfds with which ZeroMQ's threads wake one another (nothing in the course uses eventfd(2)).
NOT_OURS = re.compile(r"/profile_default\b|/mpl-data/fonts/|eventfd")

# What comes when ipykernel was interrupted between two parts of a message: its signature is wrong. JupyterLab throws
# such a message away as well.
GARBLED: dict[str, Any] = {"msg_type": "garbled", "parent_header": {}, "content": {}}

# Runs inside the kernel, in a module of its own, so that no cell can see or break it.
EYES = """
import faulthandler, gc, json, signal, socket, sys, threading

NEVER_BEGUN = " (never begun)"

def stacks_to(path):
    faulthandler.register(signal.SIGUSR1, file=open(path, "w"), all_threads=True)

def panels(close=False):
    base = sys.modules.get("socketlab.panels.base")
    live = [o for o in gc.get_objects() if base and issubclass(type(o), base.Panel) and not getattr(o, "closed", True)]
    names = sorted(map(repr, live))
    for panel in live if close else ():
        panel.close()
    return json.dumps(names)

def collect():
    return json.dumps(gc.collect())

def owned():
    sockets = [o for o in gc.get_objects() if isinstance(type(o), type) and issubclass(type(o), socket.socket)]
    return json.dumps([o.fileno() for o in sockets])

def threads():
    found = {}
    gc.disable()  # see socketlab.frames
    frames = sys._current_frames()
    gc.enable()
    for thread in threading.enumerate():
        frame, lines = frames.get(thread.ident), []
        while frame is not None and len(lines) < 4:
            lines.append(f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno} {frame.f_code.co_name}()")
            frame = frame.f_back
        begun = thread._started.is_set() if hasattr(thread, "_started") else True
        found[thread.native_id or 0] = f"{thread.name!r}{'' if begun else NEVER_BEGUN} in " + " < ".join(lines)
    return json.dumps(found)
"""


class KernelFailed(AssertionError):
    """The kernel died, hung, or did not answer; the message has the stacks of its threads where it still lives."""


class KernelLeft(KernelFailed):
    """The kernel ended or hangs outside of any cell: an interrupt has hit ipykernel between a cell's end and its own
    next step, and stopped its loop. Seen once in some thousand interrupts; nothing that a cell runs can prevent it."""


class Cell(NamedTuple):
    """One code cell: its number as a person counts, its id, the `##` section that it stands in (0: above the first)."""

    number: int
    id: str
    source: str
    section: int
    may_raise: bool
    where: str


class Outcome(NamedTuple):
    """How a run of a cell ended. `status` is ok, error, or lost: ipykernel was interrupted in its own code, which
    ends the run (the kernel is idle again) without an answer."""

    status: str
    error: str
    seconds: float
    stderr: str

    @property
    def interrupted(self) -> bool:
        # A cell with `await` at the top is a task, which ipykernel cancels (`_cancel_on_sigint` in its ipkernel.py).
        return self.status == "lost" or self.error.startswith(("KeyboardInterrupt", "CancelledError"))


class State(NamedTuple):
    """What a kernel's process holds: threads by number, descriptors by number and link, children, temporary files."""

    threads: frozenset[int]
    descriptors: dict[int, str]
    children: dict[int, str]
    files: frozenset[str]

    def exceeds(self, before: State) -> bool:
        return any(len(now) > len(then) for now, then in zip(self, before, strict=True))


def cells_of(path: Path) -> list[Cell]:
    """The code cells of the notebook at `path`, as it is on the disk now."""
    notebook = notebooks.read(path)
    found: list[Cell] = []
    section = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section += len(re.findall(r"^## ", cell.source, re.MULTILINE))
        elif cell.cell_type == "code":
            where = notebooks.describe(path, notebook, cell)
            may_raise = notebooks.is_announced_error(cell)
            found.append(Cell(len(found) + 1, cell.id, cell.source, section, may_raise, where))
    return found


class Kernel:
    """A kernel of this Python, in a process group, a folder and a temporary folder of its own. Close it."""

    def __init__(self, folder: Path) -> None:
        # Not pytest's tmp_path: a Unix socket in it would have a path of more than the 107 bytes that sun_path takes.
        self.temporary = tempfile.mkdtemp(prefix="socketlab-kernel-")
        self.folder = folder
        self.stderr = ""  # what cells and their threads have printed there since the last run began
        self._log = tempfile.TemporaryFile("w+")  # what the process prints beside the protocol
        self._stacks = tempfile.NamedTemporaryFile("r", prefix="socketlab-stacks-")
        try:
            self.manager, self.client = self._start()
        except BaseException:
            self._remove_files()
            raise
        self._open_eyes()
        self.mark()

    def _start(self) -> tuple[Any, Any]:
        from nbval.kernel import CURRENT_ENV_KERNEL_NAME, start_new_kernel

        for attempt in range(3):
            try:
                return start_new_kernel(  # type: ignore[no-any-return]
                    kernel_name=CURRENT_ENV_KERNEL_NAME,
                    cwd=str(self.folder),
                    env={**os.environ, "TMPDIR": self.temporary},
                    stdout=self._log,
                    stderr=self._log,
                )
            except RuntimeError:
                # Jupyter chooses the kernel's ports before the kernel binds them; on a busy machine somebody else
                # may be quicker, and the kernel dies. It is the next attempt's turn then.
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.process.pid)

    # -- running ---------------------------------------------------------------------------------------------------

    def send(self, source: str, cell_id: str = "", **content: Any) -> str:
        """Ask for one execution, with the cell's id where JupyterLab puts it; return the request's id."""
        defaults = {"silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        request = {"code": source, **defaults, "stop_on_error": False, **content}
        metadata = {"cellId": cell_id} if cell_id else {}
        message = self.client.session.msg("execute_request", request, metadata=metadata)
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def finish(
        self,
        request: str,
        limit: float = CELL_TIMEOUT,
        *,
        begun: Callable[[], object] | None = None,
    ) -> Outcome:
        """Follow a request to its end. `begun` is called when the kernel takes it up.

        Raises KernelFailed when it has not ended after `limit` seconds, counted from the return of `begun`.
        """
        started, deadline, error, after = time.monotonic(), time.monotonic() + limit, "", ""
        while True:
            message = self._next(self.client.get_iopub_msg, deadline)
            if message is GARBLED:  # it may have been the idle that we wait for; requests are served in turn
                after = after or self.send("", silent=True, store_history=False)
                continue
            kind, content = message["msg_type"], message["content"]
            if after and message["parent_header"].get("msg_id") == after:
                break
            if kind == "stream" and content["name"] == "stderr":
                self.stderr += content["text"]  # of whatever request: threads print under the one that started them
            if message["parent_header"].get("msg_id") != request:
                continue
            if kind == "status" and content["execution_state"] == "busy":
                started = time.monotonic()
                if begun is not None:
                    begun()
                    deadline = time.monotonic() + limit
            elif kind == "error":
                error = f"{content['ename']}: {content['evalue']}"
            elif kind == "status" and content["execution_state"] == "idle":
                break
        seconds, stderr, self.stderr = time.monotonic() - started, self.stderr, ""
        reply = self._reply(request)
        if reply is None:
            return Outcome("lost", error, seconds, stderr)
        content = reply["content"]
        if content["status"] != "ok":
            error = f"{content.get('ename')}: {content.get('evalue')}"
        return Outcome("ok" if content["status"] == "ok" else "error", error, seconds, stderr)

    def wait_for_print(self, request: str, limit: float = CELL_TIMEOUT) -> None:
        """Return when the cell has printed something; it goes on running."""
        deadline = time.monotonic() + limit
        while True:
            message = self._next(self.client.get_iopub_msg, deadline)
            if message["parent_header"].get("msg_id") == request and message["msg_type"] in ("stream", "error"):
                break
        if message["msg_type"] == "error":
            raise KernelFailed("\n".join(message["content"]["traceback"]))

    def has_finished(self, request: str) -> bool:
        """Whether the kernel has answered `request` by now."""
        with suppress(Empty):
            return bool(self.client.get_shell_msg(timeout=0)["parent_header"].get("msg_id") == request)
        return False

    def run(self, cell: Cell, limit: float = CELL_TIMEOUT) -> Outcome:
        return self.finish(self.send(cell.source, cell.id), limit)

    def run_in_a_row(self, cell: Cell, times: int) -> list[Outcome]:
        """All requests at once, as somebody does who keeps pressing Shift-Enter."""
        requests = [self.send(cell.source, cell.id) for _ in range(times)]
        return [self.finish(request) for request in requests]

    def flush(self) -> None:
        """Have the kernel answer something that nobody needs.

        Where an interrupt has cut an answer between two parts of its message, ZeroMQ takes the next answer for the
        rest of it, and that one is lost as well.
        """
        self.finish(self.send("", silent=True, store_history=False))

    def interrupt(self) -> None:
        """SIGINT to the kernel and its children, as JupyterLab's stop button sends it."""
        self.manager.interrupt_kernel()

    def restart(self, *, now: bool) -> None:
        """A new process in place of the old one: with `now` by SIGKILL, else as JupyterLab does."""
        self.manager.restart_kernel(now=now)
        self.client.wait_for_ready(timeout=60)
        self._open_eyes()
        self.mark()

    def forget_names(self) -> None:
        """An empty namespace in the same process: what `%reset -f` gives."""
        self.finish(self.send("get_ipython().run_line_magic('reset', '-f')", store_history=False))

    def _next(self, get: Callable[..., Any], deadline: float) -> Any:
        while True:
            try:
                return get(timeout=max(0.0, min(1.0, deadline - time.monotonic())))
            except ValueError:
                return GARBLED
            except Empty:
                if not self.manager.is_alive():
                    self._log.seek(0)
                    code = self.manager.provisioner.process.poll()
                    kind = KernelLeft if code == 0 else KernelFailed  # 0: it has left its loop, and ended in order
                    raise kind(f"the kernel died, exit code {code}:\n{self._log.read()[-2000:]}") from None
                if time.monotonic() >= deadline:
                    stacks = self.stacks()
                    main = stacks[stacks.find("Current thread") :] if "Current thread" in stacks else stacks
                    left = "in run_cell" not in main and "kernelapp.py" in main
                    raise (KernelLeft if left else KernelFailed)(f"the kernel hangs:\n{stacks}") from None

    def _reply(self, request: str) -> Any:
        deadline = time.monotonic() + 2  # it was sent before the idle that we have seen, through another socket
        while time.monotonic() < deadline:
            try:
                message = self.client.get_shell_msg(timeout=max(0.0, deadline - time.monotonic()))
            except (Empty, ValueError):
                continue
            if message["parent_header"].get("msg_id") == request:
                return message
        return None

    def stacks(self) -> str:
        """Where each thread stands, asked with a signal, which a kernel that hangs answers too."""
        if not self.manager.is_alive():
            return "(no process)"
        os.kill(self.pid, signal.SIGUSR1)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and os.fstat(self._stacks.fileno()).st_size == 0:
            time.sleep(0.01)
        self._stacks.seek(0)
        return self._stacks.read()

    # -- looking ---------------------------------------------------------------------------------------------------

    def state(self) -> State:
        base = f"/proc/{self.pid}"
        descriptors = {}
        for number in os.listdir(f"{base}/fd"):
            with suppress(OSError):  # closed meanwhile
                link = os.readlink(f"{base}/fd/{number}")
                if not NOT_OURS.search(link):
                    descriptors[int(number)] = link
        children = {}
        for child in psutil.Process(self.pid).children(recursive=True):
            with suppress(psutil.Error):
                children[child.pid] = f"{child.status()}: {' '.join(child.cmdline()) or child.name()}"[:200]
        files = {str(p.relative_to(self.temporary)) for p in Path(self.temporary).rglob("*")}
        return State(frozenset(map(int, os.listdir(f"{base}/task"))), descriptors, children, frozenset(files))

    def listening(self) -> set[tuple[str, int]]:
        """The addresses where the process listens with TCP, the kernel's own included."""
        with suppress(psutil.Error):
            found = psutil.Process(self.pid).net_connections(kind="tcp")
            return {tuple(c.laddr) for c in found if c.status == psutil.CONN_LISTEN}
        return set()

    def panels(self) -> list[str]:
        """The live panels, by their repr."""
        return list(self._ask("panels()"))

    def mark(self) -> None:
        """Remember what the kernel holds now; `growth` compares with it."""
        self.before = self.state()

    def tidy(self) -> None:
        """Close the panels, let go of the last exception, collect garbage; `mark` what is left, once it is steady."""
        self._let_go()
        self._ask("collect()")
        self.mark()
        deadline = time.monotonic() + SETTLE
        while time.monotonic() < deadline:
            time.sleep(0.02)
            then = self.before
            self.mark()
            if not then.exceeds(self.before) and not self.before.exceeds(then):
                break

    def growth(self) -> str:
        """What the kernel holds beyond the mark and does not let go within a bounded time; "" if nothing."""
        # In the order of their costs, each only if the ones before were not enough.
        remedies = iter([lambda: time.sleep(0.05), self._let_go, lambda: self._ask("collect()")])
        deadline = time.monotonic() + SETTLE
        while (now := self.state()).exceeds(self.before):
            if time.monotonic() > deadline:
                return "" if self._is_ipythons(now) else self._difference(self.before, now)
            next(remedies, lambda: None)()
            time.sleep(0.02)
        return ""

    def _is_ipythons(self, now: State) -> bool:
        """Whether all that has grown is the thread that saves IPython's history, which it ends and starts at a fork."""
        if now._replace(threads=self.before.threads).exceeds(self.before):
            return False
        names = self._ask("threads()")
        new = [names.get(str(number), "") for number in now.threads - self.before.threads]
        return all("'IPythonHistorySavingThread'" in name for name in new)

    def lost_by_python(self) -> bool:
        """Whether all that has grown was lost by CPython itself when it was interrupted.

        In `socketpair`, `accept` and `detach` there is a moment in which a descriptor is a number that no object
        owns; in `Thread.start` one in which an interrupt leaves a lock taken, and the thread never begins. Nobody
        can guard code that is not theirs against that. What is named here is what can be told from a real leak.
        """
        before, now = self.before, self.state()
        if len(now.children) > len(before.children) or len(now.files) > len(before.files):
            return False
        names = self._ask("threads()")
        new = [names.get(str(number), "") for number in now.threads - before.threads]
        new += [name for number, name in names.items() if number == "0"]
        if len(now.threads) > len(before.threads):  # such a thread keeps the sockets that it was to work with
            return all(" (never begun) " in name and not re.match(r"'(.* server|panel .*)'", name) for name in new)
        owned = set(self._ask("owned()"))
        lost = [n for n, link in now.descriptors.items() if before.descriptors.get(n) != link]
        return not owned.intersection(lost) and all(now.descriptors[n].startswith("socket:") for n in lost)

    def idle_clock(self) -> float:
        """Seconds that the main thread has spent waiting for something other than a processor, up to a constant.

        A difference of two readings tells a cell that waits from one that a busy machine does not let run.
        """
        ran, queued, _ = Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text().split()
        return time.monotonic() - (int(ran) + int(queued)) / 1e9

    def _let_go(self) -> None:
        self.finish(self.send("1 / 0", store_history=False))
        self._ask("panels(close=True)")

    def _difference(self, before: State, now: State) -> str:
        lines = []
        if len(now.threads) > len(before.threads):
            names = self._ask("threads()")
            for number in sorted(now.threads - before.threads):
                lines.append(f"thread {names.get(str(number), f'{number}, not one of Python or stuck at its start')}")
            lines += [f"thread {name}" for number, name in names.items() if number == "0"]
        if len(now.descriptors) > len(before.descriptors):
            known = {c.fd: c for c in psutil.Process(self.pid).net_connections(kind="all")}
            for number, link in sorted(now.descriptors.items()):
                if before.descriptors.get(number) != link:
                    c = known.get(number)
                    end = f" {c.type.name} {c.laddr} -> {c.raddr} {c.status}" if c is not None else ""
                    lines.append(f"descriptor {number}: {link}{end}")
        if len(now.children) > len(before.children):
            lines += [f"child {pid}: {what}" for pid, what in now.children.items() if pid not in before.children]
        if len(now.files) > len(before.files):
            lines += [f"file {name}" for name in sorted(now.files - before.files)]
        counts = ", ".join(f"{len(a)} → {len(b)} {name}" for a, b, name in zip(before, now, State._fields, strict=True))
        return "\n".join([f"({counts}) new are:", *lines])

    def _open_eyes(self) -> None:
        module = "sys.modules['kernel_eyes']"
        code = f"import sys, types\n{module} = types.ModuleType('kernel_eyes')\nexec({EYES!r}, vars({module}))"
        outcome = self.finish(self.send(f"{code}\n{module}.stacks_to({self._stacks.name!r})", store_history=False))
        assert outcome.status == "ok", outcome
        # With the first message of more than 64 KiB, pyzmq begins threads that stay; no cell is to be blamed for them.
        large = "from IPython.display import display; display({'text/plain': 'x' * 100_000}, raw=True)"
        self.finish(self.send(large, store_history=False))

    def _ask(self, call: str) -> Any:
        expression = {"answer": f"__import__('sys').modules['kernel_eyes'].{call}"}
        request = self.send("", silent=True, store_history=False, user_expressions=expression)
        deadline = time.monotonic() + 10
        while True:
            message = self._next(self.client.get_shell_msg, deadline)
            if message["parent_header"].get("msg_id") == request:
                break
        answer = message["content"]["user_expressions"]["answer"]
        if answer["status"] != "ok":
            raise KernelFailed(
                f"{call} raised {answer['ename']}: {answer['evalue']}\n" + "\n".join(answer["traceback"])
            )
        return json.loads(_literal(answer["data"]["text/plain"]))

    # -- ending ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self._remove_files()

    def _remove_files(self) -> None:
        self._log.close()
        self._stacks.close()
        shutil.rmtree(self.temporary, ignore_errors=True)


def _literal(text: str) -> str:
    import ast

    return str(ast.literal_eval(text))  # IPython breaks a long str into several literals within parentheses


def copy_of_the_notebooks(to: Path) -> Path:
    """A copy of notebooks/ at `to`, for kernels to work in."""
    shutil.copytree(notebooks.FOLDER, to, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    return to
