"""What several test files need: a browser, the kinds of sockets that work here, and that nothing is left behind."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator

import leftovers
import pytest
from hypothesis import settings
from needs import find_chromium, missing

settings.register_profile("any machine", deadline=None)  # a slow example is a machine that has others to serve
settings.load_profile("any machine")


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


@pytest.fixture(params=["ipv4", "ipv6", "unix"])
def stream_kind(request: pytest.FixtureRequest, has_ipv6: bool) -> str:
    """Each kind of stream that this machine has."""
    if request.param == "ipv6" and not has_ipv6:
        pytest.skip("::1 cannot be bound here")
    if request.param == "unix" and not hasattr(socket, "AF_UNIX"):
        pytest.skip("no Unix sockets here")
    return str(request.param)


@pytest.fixture(scope="module")
def quick_collections() -> Iterator[None]:
    """The imported modules hold a million objects, which two collections per test need not visit."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def nothing_left(quick_collections: None) -> Iterator[None]:
    """Threads and descriptors of the test are gone in a moment, widgets at once; garbage may be collected first."""
    with leftovers.nothing_left(5.0, collect=True):
        yield


@pytest.fixture
def nothing_left_at_once(quick_collections: None) -> Iterator[None]:
    """Whoever closes waits for its own threads: nothing is left when the test returns, collector or not."""
    with leftovers.nothing_left():
        yield


@pytest.fixture
def no_process_left() -> Iterator[None]:
    """Child processes of the test have ended and have been waited for."""
    before = leftovers.processes()
    yield
    assert leftovers.processes() <= before
