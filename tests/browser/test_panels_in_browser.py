"""What a person sees: notebooks run in JupyterLab in Chromium, their panels' buttons pressed, on light and dark.

One laboratory and one browser for the file; under xdist the whole file is one group, so there is never a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from laboratory import NOTEBOOKS, Lab, Page
from share import share_of

import socketlab.panels

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# The notebooks of the course, each opened here for some six seconds.
COURSE = share_of(sorted(path.name for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")))

THEMES = ("JupyterLab Light", "JupyterLab Dark")
READABLE = 4.5  # contrast of text, WCAG 2.2, 1.4.3 (level AA)
AT_REST = "Run this cell to bring the panel to life."


def expect(what: Any) -> Any:
    """Playwright's expect: waits until it is so; a slow machine may take its time."""
    from playwright.sync_api import expect

    expect.set_options(timeout=30_000)
    return expect(what)


def button(panel: Any, label: str) -> Any:
    return panel.get_by_role("button", name=re.compile(rf"^\W*{label}$"))  # before the words may stand an icon's letter


def press(panel: Any, *labels: str) -> None:
    for label in labels:
        button(panel, label).click()


def check_readable(page: Page) -> None:
    """On both themes, every text of every panel stands out from its ground."""
    for theme in THEMES:
        page.set_theme(theme)
        contrasts = page.contrasts()
        assert contrasts
        assert contrasts[0][0] >= READABLE, f"{theme}: {contrasts[:3]}"


def check_narrow(page: Page) -> None:
    """On a narrow page no control and no word of a table sticks out, and what is pressed is tall enough."""
    page.page.set_viewport_size({"width": 600, "height": 1400})  # with the file browser beside it, 230 are left
    try:
        for panel in page.notebook.locator(".socketlab-panel").all():
            inside = panel.evaluate(
                """panel => {
                    const right = panel.getBoundingClientRect().right + 1;
                    return [...panel.querySelectorAll('button, input, select, textarea, td, code')]
                        .filter(part => part.getBoundingClientRect().right > right).map(part => part.outerHTML);
                }"""
            )
            assert inside == []
            assert all(box.bounding_box()["height"] >= 24 for box in panel.locator("select, button:visible").all())
    finally:
        page.page.set_viewport_size({"width": 1280, "height": 1400})


# -- how a person tries a panel out, by its title ------------------------------------------------------------------


def try_server(page: Page, panel: Any) -> None:
    press(panel, "Connect")
    expect(panel).to_contain_text("1 connected")
    expect(panel).to_contain_text("its handler is in recv()")
    panel.get_by_label("Text").fill(r"<b>hi</b>\r\n\xff")
    press(panel, "Send")
    expect(panel.get_by_role("row").filter(has_text="recv").last).to_contain_text(r"b'<b>hi</b>\r\n\xff'")
    press(panel, "Half-close")
    expect(panel).to_contain_text("connected, finished sending: sent 12 bytes")
    expect(panel).to_contain_text("handler returned")
    press(panel, "Connect", "Reset")
    expect(panel).to_contain_text("reset: sent 0 bytes")
    expect(panel).to_contain_text("ConnectionResetError: Connection reset by peer")
    press(panel, "Stop")
    expect(panel).to_contain_text("stopped; ")
    expect(button(panel, "Connect")).to_be_disabled()
    panel.get_by_label("Handler").select_option("chargen")
    press(panel, "Start", "Connect")
    expect(panel).to_contain_text("listening: chargen at")
    expect(panel).to_contain_text("it reads no more after 65,536 bytes")
    press(panel, "Close")
    expect(panel).to_contain_text("0 connected, 1 accepted")


def try_request(page: Page, panel: Any) -> None:
    expect(panel).to_contain_text("not sent yet")
    press(panel, "Send")
    expect(panel).to_contain_text("complete: the server closed after its last byte")
    for phase in ("connect", "first byte", "last byte"):
        expect(panel).to_contain_text(re.compile(rf"{phase} \d+(\.\d+)? (µs|ms|s)"))
    bar = panel.get_by_role("img", name=re.compile("timing: connect .*first byte .*last byte"))
    expect(bar).to_be_visible()
    assert bar.locator("span").count() == 3
    assert all(box.bounding_box()["width"] >= 1 for box in bar.locator("span").all())
    expect(panel).to_contain_text(r"b'Hello, socket.\n'")
    panel.get_by_label("Request").fill("GET /hello HTTP/1.1\nHost: localhost\n\n")
    expect(panel).to_contain_text(r"b'Host: localhost\r\n'")
    press(panel, "Send")
    expect(panel).to_contain_text("waiting for the last byte")
    press(panel, "Stop")
    expect(panel).to_contain_text("Stopped.")
    panel.get_by_label("Host").fill("www.codedamn.com")
    press(panel, "Send")
    expect(panel).to_contain_text("'www.codedamn.com' is not an address of this machine itself")


def try_family(page: Page, panel: Any) -> None:
    panel.get_by_label("family").select_option("AF_UNIX")
    expect(panel).to_contain_text("socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)")
    expect(panel).to_contain_text("a socket")
    panel.get_by_label("family").select_option("AF_INET")
    panel.get_by_label("type").select_option("SOCK_DGRAM")
    expect(panel).to_contain_text("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)")
    panel.get_by_label("proto").select_option("IPPROTO_TCP")
    expect(panel).to_contain_text("EPROTONOSUPPORT")


def try_passport(page: Page, panel: Any) -> None:
    expect(panel).to_contain_text("Nothing has been probed again yet.")
    press(panel, "Probe again")
    expect(panel).to_contain_text("Nothing changed.")
    panel.get_by_label("Pretend that this machine lacks").select_option("Unix sockets")
    expect(panel).to_contain_text(re.compile(r"\d+ rows changed"))
    expect(panel.get_by_role("row").filter(has_text="AF_UNIX").first).to_contain_text("EAFNOSUPPORT")
    panel.get_by_label("Pretend that this machine lacks").select_option("nothing: as it is")
    expect(panel.get_by_role("row").filter(has_text="AF_UNIX").first).to_contain_text(re.compile("EAFNOSUPPORT.*works"))


def try_tcp_states(page: Page, panel: Any) -> None:
    def check(*states: str) -> None:
        words = "; ".join(f"{side} in {state}" for side, state in zip(SIDES, states, strict=False))
        expect(panel.get_by_role("img", name=re.compile(f"TCP state diagram: {words}$"))).to_be_visible()

    expect(panel).to_contain_text("none yet")
    expect(button(panel, r"server\.send\(\)")).to_be_disabled()
    press(panel, r"client\.connect\(\)")
    expect(panel).to_contain_text("ConnectionRefusedError: Connection refused")
    press(panel, r"client = socket\(\)", r"listener\.listen\(1\)", "Client hears nothing", r"client\.connect\(\)")
    check("LISTEN", "SYN-SENT", "SYN-RECEIVED")
    expect(panel).to_contain_text(re.compile(r"sends again in \d\.\d s"))
    press(panel, "Client hears again")
    check("LISTEN", "ESTABLISHED", "ESTABLISHED")
    expect(panel).to_contain_text("1 in its queue")
    press(panel, r"listener\.accept\(\)", r"client\.send\(\)")
    expect(panel).to_contain_text("5 bytes to be received")
    press(panel, r"server\.recv\(\)", r"client\.shutdown\(\)")
    check("LISTEN", "FIN-WAIT-2", "CLOSE-WAIT")
    press(panel, "Client hears nothing", r"server\.close\(\)")
    check("LISTEN", "FIN-WAIT-2", "LAST-ACK")
    expect(button(panel, r"server\.send\(\)")).to_be_disabled()
    press(panel, "Client hears again")
    check("LISTEN", "TIME-WAIT", "CLOSED")
    expect(panel).to_contain_text(re.compile(r"\d\d s left"))
    panel.get_by_text("How to see each state").click()
    expect(panel.get_by_text("both hear nothing; client.shutdown()")).to_be_visible()
    drawing = panel.locator("svg").bounding_box()
    assert 2 * drawing["height"] > drawing["width"] > 500


SIDES = ("listener", "client", "server")


def try_byte_order(page: Page, panel: Any) -> None:
    expect(panel).to_contain_text("258 arrives as 33,619,968")
    toggles = panel.get_by_role("button", name="big-endian")
    toggles.last.click()  # the reader's
    expect(panel).to_contain_text("258 arrives as 258")
    panel.get_by_label("size").select_option("2 bytes (H)")
    expect(panel).to_contain_text('struct.unpack("!H", data)')


def try_addresses(page: Page, panel: Any) -> None:
    """A number in an old spelling, then a name that is none by a flag: the rows, and the error."""
    panel.get_by_label("family").first.select_option("AF_INET")
    panel.get_by_role("textbox", name="host").fill("127.1")
    expect(panel).to_contain_text("('127.0.0.1', 80)")
    panel.get_by_role("textbox", name="host").fill("localhost")
    panel.get_by_role("checkbox", name="AI_NUMERICHOST").check()
    expect(panel).to_contain_text("EAI_NONAME")


def try_race(page: Page, panel: Any) -> None:
    press(panel, "Run")
    expect(panel.locator(".sl-picture")).to_contain_text("head start: 250 ms")
    expect(panel).to_contain_text("The client has its first byte from IPv4")
    expect(button(panel, "Run")).to_be_enabled()


def try_drip(page: Page, panel: Any) -> None:
    press(panel, "Run")
    expect(panel).to_contain_text("A byte every 200 ms for 4 s.")
    expect(panel).to_contain_text("The deadline of 900 ms was kept")
    press(panel, "Stop")
    expect(button(panel, "Run")).to_be_enabled()


def try_options(page: Page, panel: Any) -> None:
    panel.get_by_label("Search").fill("SO_RCVBUF")
    expect(panel.get_by_role("row").filter(has_text="SO_RCVBUFFORCE").first).to_be_visible()
    expect(panel.get_by_role("row").filter(has_text="TCP_NODELAY")).to_have_count(0)


def try_lookup(page: Page, panel: Any) -> None:
    panel.get_by_label("Search").fill("getaddrinfo(3)")
    row = panel.get_by_role("row").filter(has_text=re.compile(r"^socket\.getaddrinfo"))
    expect(row).to_be_visible()
    expect(row.get_by_role("link")).to_have_attribute("href", re.compile(r"05_names\.ipynb#cell-id="))
    panel.get_by_label("Search").fill("no such elephant")
    expect(panel).to_contain_text("Nothing has all of these words.")


def try_rebind(page: Page, panel: Any) -> None:
    press(panel, "Run")
    expect(panel).to_contain_text("bind() says EADDRINUSE: neither of the two has an option.")
    for side in ("old", "new"):
        panel.get_by_label(f"{side}: SO_REUSEADDR").check()
    expect(panel).to_contain_text("Both have SO_REUSEADDR, and nobody listens")
    panel.get_by_label("Old server").select_option("still listens")
    expect(panel).to_contain_text("and this one lives")


def try_hand_over(page: Page, panel: Any) -> None:
    press(panel, "Run")
    expect(panel).to_contain_text("The numbers are its own, the sockets are the same.")
    panel.get_by_label("Received by").select_option("recv()")
    expect(panel).to_contain_text("the kernel has closed all of the 2 sockets for good")
    panel.get_by_label("this process closes its own").uncheck()
    expect(panel).to_contain_text("all of the 2 sockets stay here alone")


def try_certificates(page: Page, panel: Any) -> None:
    press(panel, "Run")
    expect(panel).to_contain_text("certificate has expired")
    panel.get_by_label("the client verifies").uncheck()
    expect(panel).to_contain_text("Nobody notices")
    panel.get_by_label("Fault").select_option("the server wants a certificate, and the client has none")
    expect(panel).to_contain_text("it learns of it in its first recv()")


def try_group(page: Page, panel: Any) -> None:
    press(panel, "Send")
    expect(panel).to_contain_text("Message 1 reached A and B.")
    panel.get_by_label("A is a member").uncheck()
    press(panel, "Send")
    expect(panel).to_contain_text("Message 2 reached B.")
    expect(panel.get_by_role("row")).to_have_count(3)


def try_family_card(page: Page, panel: Any) -> None:
    panel.get_by_label("family").select_option("AF_CAN")
    expect(panel).to_contain_text('("vcan0",)')
    expect(panel.locator("pre.sl-copy")).to_contain_text("socket.socket(socket.AF_CAN, socket.SOCK_RAW, 1)")


TRIES: dict[str, Callable[[Page, Any], None]] = {
    "Server": try_server,
    "Request": try_request,
    "Family and type": try_family,
    "Your machine's passport": try_passport,
    "TCP states": try_tcp_states,
}
TRIES_OF_THE_COURSE = {
    **TRIES,
    "Addresses": try_addresses,
    "Byte order": try_byte_order,
    "Certificates": try_certificates,
    "Drip": try_drip,
    "Family card": try_family_card,
    "Happy Eyeballs": try_race,
    "Options": try_options,
    "Look it up: operations": try_lookup,
    "Starting again": try_rebind,
    "Join and leave": try_group,
    "Handing over": try_hand_over,
}


# -- the course ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COURSE)
def test_a_notebook_of_the_course(lab: Lab, open_notebook: Callable[[str], Page], name: str) -> None:
    cells = [c for c in json.loads((lab.folder / name).read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
    announced = {n for n, cell in enumerate(cells, 1) if "raises-exception" in cell["metadata"].get("tags", [])}
    with_panel = [n for n, cell in enumerate(cells, 1) if AT_REST in json.dumps(cell["outputs"])]
    assert with_panel, "no cell of this notebook is stored with a panel"

    page = open_notebook(name)
    for number in with_panel:  # what somebody sees who has not run anything yet
        expect(page.cell(number).get_by_text(AT_REST)).to_be_visible()
    page.run_all()
    for number in with_panel:
        panel = page.cell(number).locator(".socketlab-panel")
        expect(panel).to_be_visible()
        TRIES_OF_THE_COURSE.get(panel.locator(".sl-title").first.inner_text(), try_experiment)(page, panel)
    assert [(number, what) for number, what in page.errors() if number not in announced] == []
    check_readable(page)


def test_a_recap_leads_to_the_sections(open_notebook: Callable[[str], Page]) -> None:
    """Whose heading has parentheses, a dash and a question mark."""
    page = open_notebook("08_closing.ipynb")
    heading = page.notebook.get_by_role("heading", name="SHUT_RD and SHUT_RDWR — can I stop listening?")
    link = page.notebook.get_by_role("link", name="s.shutdown(SHUT_RD)", exact=True)
    link.scroll_into_view_if_needed()
    expect(heading).not_to_be_in_viewport()
    link.click()
    expect(heading).to_be_in_viewport()


def test_the_index_leads_to_the_section(open_notebook: Callable[[str], Page]) -> None:
    """From the panel, and from the table: the first click opens the notebook, the second finds the place."""
    page = open_notebook("errors.ipynb")
    page.run_all()
    panel = page.notebook.locator(".socketlab-panel")
    panel.get_by_label("Search").fill("OSError: [Errno 98] Address already in use")
    tables = page.notebook.locator(".jp-RenderedMarkdown")
    ways = ((panel, "^03 Cause one", "^Cause one"), (tables, "^08 Drain before", "^Drain before"))
    for links, words, heading in ways:
        for _ in range(2):
            page.page.get_by_role("tab", name="errors.ipynb").click()
            links.get_by_role("link", name=re.compile(words)).first.click()
            found = page.page.get_by_role("heading", name=re.compile(heading))
            expect(found).to_be_visible()
        expect(found).to_be_in_viewport()
    page.page.get_by_role("tab", name="errors.ipynb").click()
    assert page.errors() == []
    check_readable(page)


# -- the gallery ---------------------------------------------------------------------------------------------------


def try_experiment(page: Page, panel: Any) -> None:
    """Run it: a picture comes, and a sentence; then stop it, if it has not ended."""
    expect(panel).to_contain_text("Press Run")
    picture = panel.locator(".sl-picture")
    expect(picture).to_have_text("")
    press(panel, "Run")
    expect(picture).to_have_text(re.compile(r"\w"))
    expect(panel).not_to_contain_text("Press Run, or")
    button(panel, "Stop").evaluate("button => button.click()")  # does nothing where it has ended, and is disabled
    expect(button(panel, "Stop")).to_be_disabled()
    expect(button(panel, "Run")).to_be_enabled()


def try_address(page: Page, panel: Any) -> None:
    host = panel.get_by_role("textbox", name="host", exact=True)
    host.fill("127.0.0.1")
    host.press("Enter")
    expect(panel).to_contain_text("AF_INET")
    host.fill("no such name")
    host.press("Enter")
    expect(panel).to_contain_text("Not asked: 'no such name' is neither a numeric address nor a name in /etc/hosts")


TRIES_OF_THE_GALLERY = {**TRIES_OF_THE_COURSE, "Addresses": try_address}


def test_the_gallery(open_notebook: Callable[[str], Page]) -> None:
    page = open_notebook("panels.ipynb")
    page.run_all()
    panels = page.notebook.locator(".socketlab-panel").all()
    titles = [panel.locator(".sl-title").first.inner_text() for panel in panels]
    assert len(set(titles)) == len(socketlab.panels.__all__)
    for title, panel in zip(titles, panels, strict=True):
        TRIES_OF_THE_GALLERY.get(title, try_experiment)(page, panel)
    assert page.errors() == []
    check_readable(page)
    check_narrow(page)


# -- panels side by side -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(open_notebook: Callable[[str], Page]) -> Page:
    page = open_notebook("side_by_side.ipynb")
    page.run_all()
    return page


@pytest.fixture
def server(page: Page) -> Iterator[Any]:
    """The server panel as it is at the start."""
    panel = page.panel(1)
    panel.get_by_label("Handler").select_option("echo")
    press(panel, "Start")
    expect(panel).to_contain_text("0 connected, 0 accepted")
    expect(button(panel, "Stop")).to_be_enabled()  # the words come first, and Tab passes over what is disabled
    yield panel
    assert page.errors() == []


def test_all_panels_are_alive(page: Page) -> None:
    expect(page.notebook.locator(".socketlab-panel")).to_have_count(len(TRIES))
    expect(page.panel(1)).to_contain_text("b'<i>from a cell</i>'")  # what the cell below it sent
    panels = page.notebook.locator(".socketlab-panel").all()
    assert {panel.locator(".sl-title").first.inner_text() for panel in panels} == set(TRIES)
    for panel in panels:
        TRIES[panel.locator(".sl-title").first.inner_text()](page, panel)
    assert page.errors() == []
    check_readable(page)


def test_shows_what_happens_while_a_cell_waits(page: Page, server: Any) -> None:
    server.get_by_label("Handler").select_option("discard")
    press(server, "Start")
    expect(server).to_contain_text("listening: discard")
    cell = page.run_new_cell(
        "with socket.create_connection(panel.server.address, 20) as client:\n"
        "    client.sendall(b'from a cell that waits')\n"
        "    print('then', client.recv(1))"
    )
    expect(server).to_contain_text("b'from a cell that waits'")
    expect(server).to_contain_text("1 connected")
    press(server, "Connect")  # is heard although the cell still runs
    expect(server).to_contain_text("2 connected")
    expect(cell.locator(".jp-InputPrompt")).to_have_text("[*]:")
    press(server, "Stop")
    expect(cell).to_contain_text("then b''")


def test_by_keyboard(page: Page, server: Any) -> None:
    server.get_by_label("Handler").focus()
    keyboard = page.page.keyboard
    reached = []
    for _ in range(4):
        keyboard.press("Tab")
        reached.append(page.page.evaluate("document.activeElement.textContent || document.activeElement.ariaLabel"))
    assert "Start" in reached[1]
    assert "Stop" in reached[2]
    assert "127.0.0.1" in reached[3]  # the address, to be copied
    keyboard.press("Tab")
    keyboard.press("Control+a")
    keyboard.type("typed")
    keyboard.press("Enter")
    expect(server).to_contain_text("b'typed'")


def test_a_server_that_a_cell_closes(page: Page, server: Any) -> None:
    expect(page.run_new_cell("panel.server.close()").locator(".jp-InputPrompt")).to_have_text(re.compile(r"\d"))
    expect(server).to_contain_text("stopped; echo was at")
    expect(button(server, "Stop")).to_be_disabled()


def test_on_a_narrow_screen(page: Page, server: Any) -> None:
    press(server, "Send")
    expect(server).to_contain_text("1 connected")
    check_narrow(page)


def test_running_the_cell_again(page: Page) -> None:
    expect(page.run_new_cell("before = panel\n'noted'")).to_contain_text("'noted'")
    page.run_cell(2)
    expect(page.panel(1)).to_contain_text("0 connected, 0 accepted")
    cell = page.run_new_cell("(before.closed, before.server.closed, panel.closed, request.closed)")
    expect(cell).to_contain_text("(True, True, False, False)")
    expect(page.notebook.locator(".socketlab-panel")).to_have_count(len(TRIES))
    press(page.panel(1), "Connect")
    expect(page.panel(1)).to_contain_text("1 connected")


def test_restarting_the_kernel(page: Page) -> None:
    page.restart()
    panel = page.panel(1)
    press(panel, "Start")
    expect(panel).to_contain_text("0 connected, 0 accepted")
    press(panel, "Connect")
    expect(panel).to_contain_text("1 connected, 1 accepted")
