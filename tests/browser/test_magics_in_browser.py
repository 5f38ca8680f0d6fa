"""What a person sees of `%%trace`, `%lab` and the note under a cell that hangs, and what is saved of it.

In the same xdist group as the other browser tests, so there is never a second laboratory at work.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import laboratory
import pytest
from laboratory import Lab, Page, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SETUP = """
import os, socket, threading
for name in ("SOCKETLAB_QUIET", "CI"):  # as a person has it
    os.environ.pop(name, None)
%load_ext socketlab
%lab note 0.6
from socketlab import tcp_server
from socketlab.handlers import echo
listener = socket.create_server(("127.0.0.1", 0))
"""
RETURNS = """
a, b = socket.socketpair()
threading.Timer(3.0, b.send, (b"x",)).start()
print("before")
a.recv(1)
"""
TALK = """
%%trace --ladder --table t
with tcp_server(echo) as server, socket.create_connection(server.address) as client:
    client.sendall(b"<b>hi</b>")
    reply = client.recv(100)
reply
"""
READABLE = 4.5  # contrast of text, WCAG 2.2, 1.4.3 (level AA)
SAVED_WITHIN = 15  # s


def expect(what: Any) -> Any:
    """Playwright's expect: waits until it is so."""
    from playwright.sync_api import expect

    return expect(what)


def saved(lab: Lab, page: Page, name: str, number: int) -> list[dict[str, Any]]:
    """The outputs of a code cell as they are in the file, once the page has been saved."""
    path = lab.folder / name
    before = path.stat().st_mtime_ns
    page.menu("File", "Save Notebook")
    deadline = time.monotonic() + SAVED_WITHIN
    while True:
        try:
            if path.stat().st_mtime_ns != before:
                cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
                break
        except ValueError:  # it is being written
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return [cell for cell in cells if cell["cell_type"] == "code"][number - 1]["outputs"]  # type: ignore[no-any-return]


def start(page: Page, number: int) -> Any:
    """Press Control-Enter in a cell that will not end by itself; return its note."""
    page.cell(number).locator(".jp-InputPrompt").click()
    page.page.keyboard.press("Control+Enter")
    return page.cell(number).locator(".socketlab-note")


def test_a_cell_that_hangs(lab: Lab, open_notebook: Callable[[str], Page]) -> None:
    write_notebook(lab.folder / "hangs.ipynb", (SETUP.strip(), "conn, peer = listener.accept()", "1 + 1"))
    page = open_notebook("hangs.ipynb")
    page.run_cell(1)
    note = start(page, 2)
    expect(note).to_contain_text("accept() at line 1: nobody has connected to 127.0.0.1:")
    expect(note).to_contain_text("interrupt with ■, or connect from another notebook")
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.set_theme(theme)
        ratios = page.page.evaluate(laboratory._CONTRASTS.replace(".socketlab-panel", ".socketlab-note"))
        assert ratios
        assert min(ratio for ratio, _ in ratios) >= READABLE, (theme, ratios)
    page.set_theme("JupyterLab Light")
    page.menu("Kernel", "Interrupt Kernel")
    expect(note).to_have_count(0)
    expect(page.cell(2)).to_contain_text("KeyboardInterrupt")
    page.page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()
    assert [output["output_type"] for output in saved(lab, page, "hangs.ipynb", 2)] == ["error"]


def test_run_all(lab: Lab, open_notebook: Callable[[str], Page]) -> None:
    """The note stands under the cell that waits, not under those that are asked for; it leaves nothing behind."""
    write_notebook(lab.folder / "returns.ipynb", (SETUP.strip(), RETURNS.strip(), "1 + 1"))
    page = open_notebook("returns.ipynb")
    page.menu("Run", "Run All Cells")
    note = page.notebook.locator(".socketlab-note")
    expect(note).to_contain_text("recv() at line 4: the peer sends nothing, and has not closed")
    assert page.cell(2).locator(".socketlab-note").count() == 1
    page.wait_until_run(60)
    expect(note).to_have_count(0)
    expect(page.cell(3)).to_contain_text("2")
    outputs = saved(lab, page, "returns.ipynb", 2)
    assert [output.get("text") or output["data"]["text/plain"] for output in outputs] == [["before\n"], ["b'x'"]]
    assert page.errors() == []


def test_trace_and_lab(lab: Lab, open_notebook: Callable[[str], Page]) -> None:
    write_notebook(lab.folder / "traced.ipynb", (SETUP.strip(), TALK.strip(), "%lab status", "%lab reset", "%lab"))
    page = open_notebook("traced.ipynb")
    page.run_all()
    outputs = page.cell(2).locator(".jp-OutputArea-output")
    expect(outputs.nth(0)).to_have_text("b'<b>hi</b>'")
    expect(outputs.nth(1).locator("img")).to_be_visible()
    expect(outputs.nth(2).get_by_role("row").filter(has_text="sendall").first).to_contain_text("<b>hi</b>")
    status = page.cell(3).get_by_role("row").filter(has_text="listener")
    expect(status).to_contain_text("cell [1], line 8")
    expect(status).to_contain_text("127.0.0.1:")
    expect(page.cell(4)).to_contain_text("Closed 1 socket.")
    expect(page.cell(5)).to_contain_text("%lab reset")
    assert page.errors() == []
