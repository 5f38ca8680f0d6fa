"""What several test files need: a browser where there is one, and IPv6 where it works."""

from __future__ import annotations

import socket

import pytest
from needs import find_chromium, missing


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser."""
    path = find_chromium()
    if path is None:
        missing("Chromium", "sudo apt install chromium (Debian), or name a browser in BROWSER_PATH")
    assert path is not None
    return path


@pytest.fixture(scope="session")
def has_ipv6() -> bool:
    """Whether ::1 can be bound; socket.has_ipv6 only tells what Python was compiled with."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
