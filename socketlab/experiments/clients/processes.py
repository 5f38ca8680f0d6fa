"""Several processes at one listener: the model that computes on several CPUs at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress

from .serving import Model, Work, serve

_WORKER = "from socketlab.experiments.clients.processes import worker; worker()"


class Processes(Model):
    """Four processes, each serving one at a time at the same listener, which they inherit: four global locks."""

    name = "4 processes"
    processes = 4

    @classmethod
    def lacking(cls) -> str:
        return "" if os.name == "posix" else "a listener cannot be inherited by another process here"

    def _open(self) -> None:
        self._workers: list[subprocess.Popen[bytes]] = []
        self._coming: list[subprocess.Popen[bytes]] = []
        fd, work = self.listener.fileno(), self.work
        for n in range(1, self.processes + 1):
            command = [sys.executable, "-c", _WORKER, str(fd), repr(work.seconds), work.kind, f"process {n}"]
            # A session of its own: an interrupt of this one is none of its business.
            worker = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=[fd],
                start_new_session=True,
            )  # fmt: skip
            self._workers.append(worker)
            assert worker.stdout is not None
            os.set_blocking(worker.stdout.fileno(), False)
        self._coming = list(self._workers)

    def ready(self) -> bool:
        if any(worker.poll() is not None for worker in self._workers):
            raise RuntimeError("a process that was to serve has ended before it began")
        # Of an unbuffered or a buffered pipe, read() is None while nothing has come.
        self._coming = [worker for worker in self._coming if worker.stdout and not worker.stdout.read()]
        return not self._coming

    def _wake(self) -> None:
        for worker in self._workers:
            if worker.stdin is not None and not worker.stdin.closed:
                worker.stdin.close()  # which it takes as the end
        for worker in self._workers:
            try:
                worker.wait(5)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            if worker.stdout is not None:
                worker.stdout.close()


def worker() -> None:
    """One of `Processes`: serve one at a time at an inherited listener, until standard input ends."""
    fd, seconds, kind, who = sys.argv[1:]

    def leave() -> None:
        sys.stdin.buffer.read()
        os._exit(0)  # also when the parent has died; the kernel closes the sockets

    threading.Thread(target=leave, daemon=True).start()
    work = Work(float(seconds), kind)
    with socket.socket(fileno=int(fd)) as listener:
        print("ready", flush=True)
        while True:
            conn, _ = listener.accept()
            with conn, suppress(OSError):
                serve(conn, work, who)
