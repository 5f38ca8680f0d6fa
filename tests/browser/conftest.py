"""One laboratory and one browser for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from laboratory import CHROMIUM, Lab, Page, missing


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if find_spec("jupyterlab") is None:
        missing("JupyterLab", "python -m pip install -r requirements.txt")
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def open_notebook(lab: Lab, browser: Any) -> Iterator[Callable[[str], Page]]:
    """Open a notebook by its file name, in a window of its own."""
    pages = []

    def open_notebook(name: str) -> Page:
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        page.set_default_timeout(15_000)
        pages.append(page)
        return Page(page, lab.address(name))

    yield open_notebook
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    if find_spec("playwright") is None:
        missing("Playwright", "python -m pip install -r requirements-dev.txt")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
        yield browser
        browser.close()
