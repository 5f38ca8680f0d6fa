"""Every notebook on a lesser machine: no ::1, no /proc/net, 64 descriptors, one core. It shows what is stored.

What a machine lacks, a cell says in one sentence, and shows a recorded run instead, so that the text is the same on
each: `tools/record.py --check` compares it as nbval does. All that can be taken away is taken away at once; with
SOCKETLAB_THOROUGH=1 each thing is also taken away alone, to tell which one a failure is about.

::1 is missing for real where this process may make a network namespace (user_namespaces(7), network_namespaces(7)); and
everywhere the probe is told so, and that there is no /proc/net. The limit of descriptors counts from what the kernel
of Jupyter needs for itself.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import nbformat
import pytest
from share import THOROUGH, share_of

from tools import notebooks

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="namespaces, affinity and limits are set in Linux's way"
)

ALONE = ("no ::1", "no /proc/net", "64 descriptors", "one core")
ALL = "all at once"
MACHINES = (ALL, *ALONE) if THOROUGH else (ALL,)
PROBES = {"no ::1": "ipv6", "no /proc/net": "proc_net"}

# Runs in the kernel before its first cell, when all of Jupyter's own descriptors are open.
FEW_DESCRIPTORS = """
def _few_descriptors(info):
    import os, resource
    get_ipython().events.unregister("pre_run_cell", _few_descriptors)
    most = max(map(int, os.listdir("/proc/self/fd"))) + 1 + 64
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

get_ipython().events.register("pre_run_cell", _few_descriptors)
"""

# Runs as the first program in a new network namespace, where even 127.0.0.1 does not answer before lo is up:
# struct ifreq with IFF_UP, SIOCGIFFLAGS and SIOCSIFFLAGS (netdevice(7)).
IN_A_NAMESPACE = """
import fcntl, os, socket, struct, sys
open("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w").write("1")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    name, flags = struct.unpack("16sh", fcntl.ioctl(any_socket, 0x8913, struct.pack("16sh", b"lo", 0)))
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", flags | 1))
os.execv(sys.argv[1], sys.argv[1:])
"""

NAMESPACE = ["unshare", "--map-root-user", "--net", sys.executable, "-c", IN_A_NAMESPACE]


@functools.cache
def may_make_a_namespace() -> bool:
    try:
        run = subprocess.run([*NAMESPACE, sys.executable, "-c", ""], capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0


def checked(path: Path, lacks: Collection[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """`tools/record.py --check` of the notebook at `path`, on a machine that lacks these; `folder` is IPython's."""
    environment = {**os.environ, "SOCKETLAB_WITHOUT": ",".join(PROBES[lack] for lack in lacks if lack in PROBES)}
    environment |= {"SOCKETLAB_IPYTHONDIR": str(folder), "IPYTHONDIR": str(folder)}
    if "64 descriptors" in lacks:
        startup = folder / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "few_descriptors.py").write_text(FEW_DESCRIPTORS)
    command = [sys.executable, str(notebooks.FOLDER.parent / "tools" / "record.py"), "--check", str(path)]
    if "one core" in lacks:
        core = min(os.sched_getaffinity(0))
        one = f"import os, sys; os.sched_setaffinity(0, {{{core}}}); os.execv(sys.argv[1], sys.argv[1:])"
        command = [sys.executable, "-c", one, *command]
    if "no ::1" in lacks and may_make_a_namespace():
        command = [*NAMESPACE, *command]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "path", share_of(notebooks.all_notebooks()), ids=lambda path: str(path.relative_to(notebooks.FOLDER))
)
def test_shows_what_is_stored(path: Path, machine: str, tmp_path: Path) -> None:
    lacks = ALONE if machine == ALL else (machine,)
    run = checked(path, lacks, tmp_path)
    if run.returncode:
        pytest.fail(f"on a machine with {', '.join(lacks)}:\n{run.stdout}{run.stderr}", pytrace=False)


LOOK = """
import contextlib, errno, os
from socketlab.probe import probe

passport, failure = probe(), ""
with contextlib.ExitStack() as stack:
    try:
        for _ in range(80):
            stack.enter_context(open(os.devnull))
    except OSError as error:
        failure = errno.errorcode[error.errno]
passport.works("ipv6"), passport.works("proc_net"), failure, len(os.sched_getaffinity(0))
"""


@pytest.mark.parametrize("lacks", [(), ALONE], ids=["nothing lacks", ALL])
def test_the_machine_is_lesser(lacks: tuple[str, ...], tmp_path: Path) -> None:
    """A cell that looks finds what the names say, and that a machine that lacks nothing is refused."""
    cell = {"cell_type": "code", "id": "look", "metadata": {}, "source": LOOK.strip(), "execution_count": 1}
    shown = {"output_type": "execute_result", "execution_count": 1, "metadata": {}}
    cell["outputs"] = [{**shown, "data": {"text/plain": "(False, False, 'EMFILE', 1)"}}]
    path = tmp_path / "lesser.ipynb"
    notebook = nbformat.from_dict({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    notebooks.clean(notebook)
    path.write_text(notebooks.dump(notebook))
    run = checked(path, lacks, tmp_path / "ipython")
    assert bool(lacks) == (run.returncode == 0), run.stdout + run.stderr
