"""Before any test: the environment that notebooks are validated in, and nbval without its slow import."""

import re
import signal
from typing import Any

import pytest

from tools.kernels import settle_environment, skip_the_slow_parser

settle_environment()
skip_the_slow_parser()

# A job that a shell started in the background ignores SIGINT, and so would everything that the tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# pyproject.toml keeps pytest from loading nbval by itself (`-p no:nbval`): that would come before the lines above.
pytest_plugins = ["nbval.plugin"]

# What takes minutes begins first, so that no worker is left with it at the end.
LONGEST_FIRST = (
    "test_coverage_of_operations",
    "test_panels_in_browser",
    "test_kernels",
    "test_lesser",
    "test_exercises",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        return next((n for n, name in enumerate(LONGEST_FIRST) if name in item.nodeid), len(LONGEST_FIRST))

    items.sort(key=rank)


def scope_of(nodeid: str) -> str:
    """What stays on one worker: a notebook's cells, which share a kernel; the tests of one notebook or one exercise."""
    file, _, test = nodeid.partition("::")
    if "browser/" in file:  # one browser at a time
        return file
    about = re.search(r"\[(?:.*-)?((?:solutions/)?\d\d_\w+\.ipynb)", test)
    if "test_exercises" in file:
        about = re.search(r"\[(\w+)", test)
    return f"{file}::{about[1]}" if about else nodeid.rpartition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For `--dist loadscope`: smaller scopes than a module, so that the workers end together."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    if config.getvalue("dist") != "loadscope":
        return None
    config.option.loadscopereorder = False  # the order of the collection, above
    return Scheduling(config, log)
