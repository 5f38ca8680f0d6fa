"""Open JupyterLab at the contents page: `python -m tools.lab [arguments of jupyter lab]`."""

from __future__ import annotations

import os
import sys

from tools.kernels import skip_the_slow_parser

# The default address and not a file to open: the address that JupyterLab prints, for a person whose browser is on
# another machine, then leads to the contents page as well.
CONTENTS = "--LabApp.default_url=/lab/tree/notebooks/index.ipynb"


def arguments(given: list[str]) -> list[str]:
    """The command line for JupyterLab; `given` comes last and so has the last word."""
    # JupyterLab refuses to run as root unless told to; in a container there is often nobody else.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [*root, CONTENTS, *given]


if __name__ == "__main__":
    skip_the_slow_parser()  # JupyterLab imports it too: a second of its start
    from jupyterlab.labapp import main

    sys.exit(main(arguments(sys.argv[1:])))
