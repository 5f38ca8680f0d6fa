"""What a test needs of the machine: skipped with a sentence where it is missing, failed where CI=true."""

from __future__ import annotations

import os
import shutil
import socket
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
