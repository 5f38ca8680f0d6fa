"""JupyterLab as a person has it: a server on a copy of the notebooks, and a page of it, driven by what one sees."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

# No GPU, no sandbox (it needs privileges that a container lacks), no calls home.
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run")  # fmt: skip

SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # every cell is on the page
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/apputils-extension/themes": {"theme": "JupyterLab Light", "adaptive-theme": False},
}

START = 60  # seconds that a laboratory may take to answer; 3 are usual

# A notebook for what the course's own do not show side by side: panels, and a cell that talks to one of them.
TALK = """
with socket.create_connection(panel.server.address) as client:
    client.sendall(b'<i>from a cell</i>')
    print(client.recv(100))
"""
CELLS = (
    "import socket\nfrom socketlab import RequestPanel, ServerPanel",
    "panel = ServerPanel()\npanel",
    "request = RequestPanel()\nrequest",
    TALK.strip(),
    "from socketlab.panels import FamilyPanel\nFamilyPanel()",
    "from socketlab.panels import PassportPanel\nPassportPanel()",
    "from socketlab.panels import TcpStatesPanel\nTcpStatesPanel()",
)


def write_notebook(path: Path, cells: tuple[str, ...]) -> None:
    """A notebook that has not been run yet."""
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [
            {"cell_type": "code", "id": f"cell-{n}", "metadata": {}, "source": source, "outputs": [],
             "execution_count": None}
            for n, source in enumerate(cells, 1)
        ],
    }  # fmt: skip
    path.write_text(json.dumps(document), encoding="utf-8")


class Lab:
    """A JupyterLab that answers: its folder and its URL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "notebooks"
        self.folder.mkdir()
        for notebook in NOTEBOOKS.glob("*.ipynb"):
            shutil.copy(notebook, self.folder)
        write_notebook(self.folder / "side_by_side.ipynb", CELLS)
        state = folder / "state"
        for plugin, value in SETTINGS.items():
            path = state / "settings" / f"{plugin}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value), encoding="utf-8")
        homes = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        self._runtime = state / "runtime"
        self._log = folder / "lab.log"
        self._token = secrets.token_hex(16)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
                    *("--ServerApp.port=0", f"--IdentityProvider.token={self._token}"),
                    f"--ServerApp.root_dir={self.folder}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **{name: str(state / place) for name, place in homes.items()}},
                start_new_session=True,
            )
        try:
            self.url = self._wait()
        except BaseException:
            self.close()
            raise

    def address(self, notebook: str) -> str:
        """The page of one notebook, in a workspace of its own."""
        return f"{self.url}lab/workspaces/auto-{Path(notebook).stem}/tree/{notebook}?reset&token={self._token}"

    def _wait(self) -> str:
        """Until the server has written down its port and answers there."""
        deadline = time.monotonic() + START
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                (found,) = self._runtime.glob("jpserver-*.json")
                url = json.loads(found.read_text(encoding="utf-8"))["url"].replace("localhost", "127.0.0.1")
                with urllib.request.urlopen(f"{url}api/status?token={self._token}", timeout=2):
                    return str(url)
            except (ValueError, OSError):
                time.sleep(0.05)
        pytest.fail(f"JupyterLab did not start within {START} s:\n{self._log.read_text(errors='replace')[-3000:]}")

    def close(self) -> None:
        """End the server, which ends its kernels; what does not go in ten seconds is killed."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        if hasattr(os, "killpg"):
            try:
                os.killpg(self._process.pid, signal.SIGKILL)  # a session of its own: nothing but the server's family
            except ProcessLookupError:
                pass
        else:
            self._process.kill()
        self._process.wait(10)


class Page:
    """One notebook in the browser, driven by what a person sees: menus, buttons, labels."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        page.goto(url, wait_until="domcontentloaded")
        self.notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        self.notebook.locator(".jp-Cell").first.wait_for(timeout=60_000)
        # Whoever runs a cell before there is a kernel is asked to choose one.
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=60_000)

    def menu(self, *path: str) -> None:
        """Choose an entry of the menus, by the words of each level."""
        bar, *rest = path
        self.page.locator(".lm-MenuBar-itemLabel", has_text=exactly(bar)).click()
        for level, words in enumerate(rest):
            entry = self.page.locator(".lm-Menu").nth(level).locator(".lm-Menu-itemLabel", has_text=exactly(words))
            if level == len(rest) - 1:
                entry.click()
            else:
                entry.hover()

    def run_all(self, seconds: float = 60) -> None:
        """Run → Run All Cells, and wait until every cell has its number."""
        self.menu("Run", "Run All Cells")
        self.wait_until_run(seconds)

    def restart(self, seconds: float = 60) -> None:
        """Kernel → Restart Kernel and Run All Cells, and wait until the new kernel has run them."""
        numbers = self.notebook.locator(".jp-CodeCell .jp-InputPrompt")
        self.menu("Kernel", "Restart Kernel and Run All Cells…")
        self.page.get_by_role("button", name="Confirm Kernel Restart").click()
        # While the kernel restarts the old numbers still stand there, and they may be the same as the new ones.
        numbers.filter(has_text="*").first.wait_for()
        self.wait_until_run(seconds)

    def wait_until_run(self, seconds: float) -> None:
        """Until every code cell has its number."""
        self.page.wait_for_function(
            """() => [...document.querySelectorAll(
                '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .jp-InputPrompt')]
                .every(prompt => /^\\[\\d+\\]:/.test(prompt.textContent))""",
            timeout=seconds * 1000,
        )

    def cell(self, number: int) -> Any:
        """The code cell with that number, from 1."""
        return self.notebook.locator(".jp-CodeCell").nth(number - 1)

    def panel(self, number: int = 1) -> Any:
        """The panel with that number, from 1."""
        return self.notebook.locator(".socketlab-panel").nth(number - 1)

    def run_cell(self, number: int) -> None:
        """Run the code cell with that number once more, and wait until it is done."""
        prompt = self.cell(number).locator(".jp-InputPrompt")
        before = prompt.inner_text()
        prompt.click()
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_function(
            "([prompt, before]) => /\\d/.test(prompt.textContent) && prompt.textContent != before",
            arg=[prompt.element_handle(), before],
        )

    def run_new_cell(self, source: str) -> Any:
        """Insert a cell at the end, run `source` in it, and return it; it may still be running."""
        cells = self.notebook.locator(".jp-CodeCell")
        before = cells.count()
        self.notebook.locator(".jp-Cell").last.locator(".jp-InputPrompt").click()
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("b")
        cells.nth(before).wait_for()
        self.page.keyboard.press("Enter")
        self.page.keyboard.insert_text(source)
        self.page.keyboard.press("Control+Enter")
        return cells.nth(before)

    def errors(self) -> list[tuple[int, str]]:
        """What a person would call broken, by cell number: errors, warnings, widgets that do not show."""
        return [(int(number), str(what)) for number, what in self.page.evaluate(_ERRORS)]

    def set_theme(self, name: str) -> None:
        """Settings → Theme → `name`, and wait until the change is over; at once if it is the theme already.

        JupyterLab puts up its splash, loads the stylesheet, writes the theme's name on the page and in the same breath
        hides the whole shell; the next frame shows the shell again and sends the splash away. So the name alone says
        that the colours are there, not that anything can be seen, and a busy machine lets that frame wait.
        """
        self.menu("Settings", "Theme", name)
        self.page.locator(f'body[data-jp-theme-name="{name}"]').wait_for(state="attached")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")
        self.page.locator(".jp-LabShell").wait_for(state="visible")

    def contrasts(self) -> list[tuple[float, str]]:
        """The contrast of each piece of text in the panels with its ground (WCAG 2.2, 1.4.3), lowest first.

        Controls that are switched off are left out, as there.
        """
        return sorted((ratio, text) for ratio, text in self.page.evaluate(_CONTRASTS))


def exactly(words: str) -> re.Pattern[str]:
    return re.compile(f"^{re.escape(words)}$")


_ERRORS = """() => {
  const cells = document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell');
  return [...cells].flatMap((cell, i) => {
    const found = [];
    if (cell.querySelector('.jp-RenderedText[data-mime-type*="stderr"]')) found.push('wrote to stderr');
    if (cell.querySelector('[data-mime-type="application/vnd.jupyter.error"]')) found.push('error');
    for (const words of ['Error displaying widget', 'Loading widget', 'Error creating widget'])
        if (cell.textContent.includes(words)) found.push(words);
    return found.map(what => [i + 1, `${what}: ${cell.innerText.slice(-500)}`]);
  });
}"""

_CONTRASTS = """() => {
    const parse = colour => {
        const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
        return colour.startsWith('color(srgb') ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
    };
    const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
    const ground = element => {
        const layers = [];
        for (let e = element; e; e = e.parentElement) {
            const colour = parse(getComputedStyle(e).backgroundColor);
            layers.unshift(colour);
            if (colour[3] === 1) break;
        }
        return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
    };
    const light = rgb => {
        const [r, g, b] = rgb.map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const result = [];
    const seen = (element, text) => {
        const box = element.getBoundingClientRect();
        if (!text.trim() || !box.width || element.closest(':disabled')) return;
        const below = ground(element);
        const lights = [light(over(parse(getComputedStyle(element).color), below)), light(below)];
        const [high, low] = lights.sort((a, b) => b - a);
        result.push([(high + 0.05) / (low + 0.05), text.trim().slice(0, 60)]);
    };
    for (const panel of document.querySelectorAll('.socketlab-panel')) {
        const walker = document.createTreeWalker(panel, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const parent = walker.currentNode.parentElement;
            if (!['STYLE', 'OPTION', 'SELECT'].includes(parent.tagName)) seen(parent, walker.currentNode.data);
        }
        for (const field of panel.querySelectorAll('input, textarea, select')) seen(field, field.value);
    }
    return result;
}"""


def missing(what: str, remedy: str) -> None:
    """As in the conftest above: a skip for a person, a failure in CI."""
    message = f"{what} is missing: {remedy}"
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"{message} (CI is set, so this is a failure)", pytrace=False)
    pytest.skip(message)
