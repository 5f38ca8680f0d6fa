"""What a test needs of the machine: skipped with a sentence where it is missing, failed where CI=true."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def missing(what: str, remedy: str) -> None:
    """Skip the test for want of `what`; fail instead where CI=true, so that nothing goes unrun there unnoticed."""
    message = f"{what} is missing: {remedy}"
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"{message} (CI is set, so this is a failure)", pytrace=False)
    pytest.skip(message)


def find_chromium() -> str | None:
    """The path of Chromium, or of a browser made from it; BROWSER_PATH overrides the search."""
    asked = os.environ.get("BROWSER_PATH")
    return next(filter(None, map(shutil.which, (asked,) if asked else BROWSERS)), None)


def server_of(kind: str, handler: Any) -> Any:
    """A loopback server of that kind, ipv4, ipv6 or unix; a skip where this machine has none."""
    from socketlab import tcp_server, unix_server

    if kind == "unix":
        if not hasattr(socket, "AF_UNIX"):
            pytest.skip("this platform has no AF_UNIX")
        return unix_server(handler)
    if kind == "ipv6":
        if not socket.has_ipv6:
            pytest.skip("this platform has no IPv6")
        return tcp_server(handler, family=socket.AF_INET6)
    return tcp_server(handler)


@cache
def pythons() -> dict[str, str]:
    """The interpreters of this machine, by version: `sys.executable`, and others that run when they are called."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    places = [str(path) for path in sorted(Path.home().glob(".pyenv/versions/*/bin"))]
    path = os.pathsep.join([*places, os.environ.get("PATH", "")])
    for version in ("3.10", "3.11", "3.12", "3.13", "3.14"):
        where = shutil.which(f"python{version}", path=path)
        if where and version not in found and _runs(where):
            found[version] = where
    return found


def _runs(python: str) -> bool:
    """Whether it does: some names only stand for a version that is not chosen."""
    return subprocess.run([python, "-c", ""], capture_output=True, timeout=60, check=False).returncode == 0
