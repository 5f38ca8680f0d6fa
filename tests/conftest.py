"""What several test files need: a browser where there is one, and IPv6 where it works."""

from __future__ import annotations

import os
import shutil
import socket

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def missing(what: str, remedy: str) -> None:
    """Skip the test for want of `what`; fail instead where CI=true, so that nothing goes unrun there unnoticed."""
    message = f"{what} is missing: {remedy}"
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"{message} (CI is set, so this is a failure)", pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium, or of a browser made from it; BROWSER_PATH overrides the search."""
    asked = os.environ.get("BROWSER_PATH")
    for name in (asked,) if asked else BROWSERS:
        if path := shutil.which(name):
            return path
    missing("Chromium", "sudo apt install chromium (Debian), or name a browser in BROWSER_PATH")
    raise AssertionError("unreachable")


@pytest.fixture(scope="session")
def has_ipv6() -> bool:
    """Whether ::1 can be bound; socket.has_ipv6 only tells what Python was compiled with."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
