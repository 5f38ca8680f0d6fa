"""Whether outputs are going to be compared, or nobody is looking: then nothing that differs between runs is shown."""

from __future__ import annotations

import os


def is_quiet() -> bool:
    """True where SOCKETLAB_QUIET or CI is set to something that means yes."""
    return any(os.environ.get(name, "").lower() not in ("", "0", "false", "no") for name in ("SOCKETLAB_QUIET", "CI"))
