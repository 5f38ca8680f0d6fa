"""The environment in which notebooks are recorded and validated, the same for `make record` and for pytest.

A recorded output is compared with what another machine prints, so nothing that belongs to one person's
account may reach the kernel: no start-up files of theirs, no plotting backend of theirs.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile

CELL_TIMEOUT = 30  # seconds; the same figure stands in pyproject.toml as --nbval-cell-timeout


def skip_the_slow_parser() -> None:
    """Keep `import nbformat` at a fifth of a second.

    nbformat imports jsonschema, and jsonschema imports `rfc3987_syntax` where JupyterLab has installed it: that
    package builds a parser at import, 2 s in every process, only to check addresses (IRIs) that no notebook has.
    None in sys.modules makes that import fail, which jsonschema expects. A module that is already there stays.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def settle_environment() -> None:
    """Set in this process what the kernels started by it shall inherit; safe to call twice."""
    os.environ["SOCKETLAB_QUIET"] = "1"  # progress bars and live refresh off: they are not part of an output
    os.environ.pop("MPLBACKEND", None)  # ipykernel chooses the inline backend only where nothing else is set
    if "SOCKETLAB_IPYTHONDIR" not in os.environ:
        # An empty profile: ~/.ipython may hold start-up files that print, or settings that change a repr.
        folder = os.environ["SOCKETLAB_IPYTHONDIR"] = tempfile.mkdtemp(prefix="socketlab-ipython-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["IPYTHONDIR"] = os.environ["SOCKETLAB_IPYTHONDIR"]
