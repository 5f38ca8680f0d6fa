"""`%load_ext socketlab` in real Jupyter kernels: `%%trace`, `%lab`, the note under a cell that hangs.

Two kernels: one as a person has it, one as notebooks are validated in (SOCKETLAB_QUIET=1). What a cell leaves is
reduced as JupyterLab does it: updates and `clear_output` are applied, the rest is what would be saved.
"""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel_driver import Kernel

from socketlab.ipython.cell import mark
from socketlab.ipython.options import wanted
from tools.notebooks import ANSI

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernel_driver looks into a kernel through /proc")

LIMIT = 20  # s, a bound for what takes milliseconds
SETUP = """
import socket, threading
from socketlab import tcp_server, udp_server
from socketlab.handlers import discard, echo
%load_ext socketlab
"""
TALK = """
with tcp_server(echo) as server, socket.create_connection(server.address) as client:
    client.sendall(b"hi")
    reply = client.recv(10)
reply
"""


class Notebook(Kernel):
    """A kernel that gives back what a cell has put out."""

    messages: list[tuple[str, Any]]  #: of the last cell, in the order in which they came

    def cell(
        self,
        source: str,
        *,
        interrupt_at: str = "",
        at_display: Callable[[], object] | None = None,
        history: bool = True,
        ok: bool = True,
    ) -> list[Any]:
        """The outputs that would be saved. `interrupt_at` is a kind of message at which ■ is pressed."""
        request = self.send(source.strip("\n"), store_history=history)
        outputs: list[Any] = []
        shown: dict[str, Any] = {}
        self.messages = []
        clear_at_next = False
        deadline = time.monotonic() + LIMIT
        while True:
            message = self._next(self.client.get_iopub_msg, deadline)
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != request or re.match("execute_input|comm_", kind):
                continue
            if kind == "status":
                if content["execution_state"] == "idle":
                    break
                continue
            self.messages.append((kind, content))
            if kind == interrupt_at:
                self.interrupt()
                interrupt_at = ""
            if kind == "display_data" and at_display is not None:
                at_display()
                at_display = None
            if kind == "clear_output":
                clear_at_next = bool(content["wait"])
                outputs = outputs if clear_at_next else []
                continue
            if kind == "update_display_data":
                shown[content["transient"]["display_id"]]["data"] = content["data"]
                continue
            outputs, clear_at_next = ([] if clear_at_next else outputs), False
            output = {"kind": kind, **content}
            if display_id := content.get("transient", {}).get("display_id"):
                shown[display_id] = output
            if kind == "stream" and outputs and outputs[-1].get("name") == content["name"]:
                outputs[-1]["text"] += content["text"]
            else:
                outputs.append(output)
        if ok:
            assert not [output for output in outputs if output["kind"] == "error"], plain(outputs)
        return outputs

    def texts(self, source: str, **settings: Any) -> list[str]:
        """The text of each output; of an error, its traceback."""
        return plain(self.cell(source, **settings))


def plain(outputs: list[Any]) -> list[str]:
    found = []
    for output in outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain") or "\n".join(output.get("traceback", ()))
        found.append(ANSI.sub("", text).strip("\n"))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ipython")


@pytest.fixture(scope="module")
def loud_kernel(folder: Path) -> Iterator[Notebook]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SOCKETLAB_QUIET", "CI"):
            patch.delenv(name, raising=False)
        notebook = Notebook(folder)
    yield notebook
    notebook.close()


@pytest.fixture(scope="module")
def quiet_kernel(folder: Path) -> Iterator[Notebook]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOCKETLAB_QUIET", "1")
        notebook = Notebook(folder)
    yield notebook
    notebook.close()


@pytest.fixture
def loud(loud_kernel: Notebook) -> Notebook:
    """As a person has it; loaded afresh."""
    loud_kernel.cell(SETUP.replace("%load_ext", "%reload_ext") + "%lab reset")
    return loud_kernel


@pytest.fixture
def quiet(quiet_kernel: Notebook) -> Notebook:
    """As notebooks are validated in."""
    quiet_kernel.cell(SETUP.replace("%load_ext", "%reload_ext") + "%lab reset")
    return quiet_kernel


HOOKS = """
shell = get_ipython()
print([[type(getattr(f, '__self__', f)).__name__ for f in shell.events.callbacks[e]
        if 'socketlab' in (getattr(f, '__module__', '') or '')] for e in ('pre_run_cell', 'post_run_cell')],
      sum('socketlab' in (getattr(f, '__module__', '') or '') for f in shell.input_transformers_cleanup),
      sum('socketlab' in type(f).__module__ for f in shell.ast_transformers),
      'trace' in shell.magics_manager.magics['cell'], 'lab' in shell.magics_manager.magics['line'])
"""
LOADED = "[['Watch', 'Register'], ['Watch', 'function']] 1 1 True True"
UNLOADED = "[[], []] 0 0 False False"


class TestLoading:
    def test_loading_unloading_and_loading_again(self, quiet: Notebook) -> None:
        assert quiet.texts(HOOKS) == [LOADED]
        quiet.cell("%reload_ext socketlab\n%reload_ext socketlab")
        quiet.cell("import socketlab\nsocketlab.load_ipython_extension(get_ipython())")
        assert quiet.texts(HOOKS) == [LOADED]
        quiet.cell("%unload_ext socketlab")
        assert quiet.texts(HOOKS) == [UNLOADED]
        quiet.cell("import socketlab\nsocketlab.unload_ipython_extension(get_ipython())")
        assert quiet.texts(HOOKS) == [UNLOADED]
        quiet.cell("%load_ext socketlab")
        assert quiet.texts(HOOKS) == [LOADED]

    def test_loads_nothing_heavy(self, folder: Path) -> None:
        kernel = Notebook(folder)
        try:
            kernel.cell("import sys\nbefore = set(sys.modules)\n%load_ext socketlab")
            loaded = "{name.partition('.')[0] for name in set(sys.modules) - before}"
            heavy = "{'matplotlib', 'numpy', 'ipywidgets', 'psutil', 'trustme'}"
            assert kernel.texts(f"{loaded} & {heavy}") == ["set()"]
        finally:
            kernel.close()

    def test_the_class_is_the_original(self, quiet: Notebook) -> None:
        quiet.cell("%unload_ext socketlab\nbefore = dict(vars(socket.socket)), socket.socket, socket.socketpair")
        quiet.cell("%load_ext socketlab")
        same = "(dict(vars(socket.socket)), socket.socket, socket.socketpair) == before"
        assert quiet.texts(same) == ["True"]
        quiet.cell(f"%%trace\n{TALK}")
        assert quiet.texts(same) == ["True"]

    def test_unloaded_magics_are_unknown(self, quiet: Notebook) -> None:
        quiet.cell("%unload_ext socketlab")
        assert "not found" in quiet.texts("%lab")[0]
        assert "not found" in quiet.texts("%%trace\n1")[0]


class TestTheLineAboveACell:
    @pytest.mark.parametrize(
        ("line", "views", "name"),
        [
            ("%%trace", ("ladder",), ""),
            ("%%trace t", ("ladder",), "t"),
            ("%%trace --table t --ladder", ("table", "ladder"), "t"),
            ("%%trace --timeline --timeline  # both", ("timeline",), ""),
        ],
    )
    def test_understood(self, line: str, views: tuple[str, ...], name: str) -> None:
        assert wanted(line) == (views, name)

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("%%trace --tabel", "it knows --ladder, --timeline and --table, not --tabel: did you mean --table?"),
            ("%%trace -x", "not -x: leave -x out."),
            ("%%trace -table", "not -table: did you mean --table?"),
            ("%%trace a b", "it takes one name, not 2 (a b): write the code in the lines below."),
            ("%%trace s.send(b'')", "the name of a variable was wanted, such as t, not s.send(b'')"),
            ("%%trace class", "the name of a variable was wanted, such as t, not class"),
        ],
    )
    def test_not_understood(self, quiet: Notebook, line: str, words: str) -> None:
        (text,) = quiet.texts(f"{line}\nprint('it ran')")
        assert text.startswith("UsageError: %%trace: ")
        assert words in text
        assert text.endswith("Usage: %%trace [--ladder] [--timeline] [--table] [name]")

    @pytest.mark.parametrize("source", ["%%tracer\n1", " %%trace\n1", "# a comment\n%%trace\n1", "%%trace?", "x = 1\n"])
    def test_other_cells_stay_as_they_are(self, source: str) -> None:
        lines = source.splitlines(keepends=True)
        assert mark(lines) == lines

    def test_lines_keep_their_numbers(self) -> None:
        assert mark(["%%trace 'a'\n", "1\n", "2"]) == [f"{chr(34)}%%trace 'a'{chr(34)}\n", "1\n", "2"]


class TestTrace:
    def test_value_then_ladder(self, quiet: Notebook) -> None:
        value, ladder = quiet.cell(f"%%trace\n{TALK}")
        assert (value["kind"], value["data"]["text/plain"]) == ("execute_result", "b'hi'")
        assert ladder["kind"] == "display_data"
        assert "sendall(b'hi')" in ladder["data"]["text/plain"]
        assert "image/png" in ladder["data"]

    def test_the_text_is_the_same_again(self, quiet: Notebook) -> None:
        first = quiet.texts(f"%%trace\n{TALK}")
        assert quiet.texts(f"%%trace\n{TALK}") == first
        assert quiet.texts(f"%%trace\n{TALK}", history=False) == first  # as nbval runs cells

    def test_names(self, quiet: Notebook) -> None:
        quiet.cell(f"%%trace t\n{TALK}")
        assert quiet.texts("t is _trace, len(t.events) > 4, reply, socket.socket is type(client)") == [
            "(True, True, b'hi', True)"
        ]

    def test_without_a_value(self, quiet: Notebook) -> None:
        (ladder,) = quiet.cell("%%trace\nx = socket.socketpair()")
        assert "socketpair()" in ladder["data"]["text/plain"]

    def test_several_views_in_the_order_asked_for(self, quiet: Notebook) -> None:
        table, ladder = quiet.cell("%%trace --table --ladder\na, b = socket.socketpair()\na.send(b'x')\nNone")
        assert "<table" in table["data"]["text/html"]
        assert "text/html" not in ladder["data"]

    @pytest.mark.parametrize(
        ("interactivity", "values"),
        [("last_expr", ["2"]), ("all", ["1", "2"]), ("none", []), ("last", ["2"]), ("last_expr_or_assign", ["2"])],
    )
    def test_values_are_shown_as_ipython_is_told(self, quiet: Notebook, interactivity: str, values: list[str]) -> None:
        quiet.cell(f"get_ipython().ast_node_interactivity = {interactivity!r}")
        try:
            outputs = quiet.cell("%%trace\n1\n2")
            assert plain([o for o in outputs if o["kind"] == "execute_result"]) == values
            outputs = quiet.cell("%%trace\n1\nx = 2")
            assigned = {"all": ["1"], "last_expr_or_assign": ["2"]}.get(interactivity, [])
            assert plain([o for o in outputs if o["kind"] == "execute_result"]) == assigned
        finally:
            quiet.cell("get_ipython().ast_node_interactivity = 'last_expr'")

    def test_the_value_is_remembered(self, quiet: Notebook) -> None:
        quiet.cell("%%trace\n6 * 7")
        assert quiet.texts("_") == ["42"]

    def test_await(self, quiet: Notebook) -> None:
        source = """
%%trace t
import asyncio
server = await asyncio.start_server(lambda r, w: w.close(), '127.0.0.1', 0)
reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
data = await reader.read()
writer.close()
server.close()
await asyncio.sleep(0, 'done')
"""
        assert quiet.texts(source)[0] == "'done'"
        assert quiet.texts("data, 'connect' in {event.call for event in t.events}") == ["(b'', True)"]

    def test_other_magics_and_imports_of_the_future(self, quiet: Notebook) -> None:
        source = "%%trace\nfrom __future__ import annotations\n%precision\nnames = !echo shell\nnames[0]"
        assert "'shell'" in quiet.texts(source)

    def test_within_another_magic(self, quiet: Notebook) -> None:
        quiet.cell(f"%%capture kept\n%%trace t\n{TALK}")
        assert quiet.texts("len(t.events) > 4, len(kept.outputs)") == ["(True, 2)"]

    def test_called_as_a_function(self, quiet: Notebook) -> None:
        """As in a script that nbconvert has made of a notebook."""
        value, ladder = quiet.texts("get_ipython().run_cell_magic('trace', 't', 'a, b = socket.socketpair()\\n1')")
        assert value == "1"
        assert "socketpair()" in ladder

    def test_nested(self, quiet: Notebook) -> None:
        quiet.cell("from socketlab.trace import trace")
        quiet.cell("%%trace t\nwith trace() as inner:\n    a, b = socket.socketpair()\n1")
        assert quiet.texts("len(t.events) == len(inner.events) > 0") == ["True"]

    def test_an_empty_cell(self, quiet: Notebook) -> None:
        assert "Nothing was recorded" in quiet.texts("%%trace")[0]

    def test_help(self, quiet: Notebook) -> None:
        request = quiet.client.execute("%%trace?")
        deadline = time.monotonic() + LIMIT
        while (message := quiet.client.get_shell_msg(timeout=LIMIT))["parent_header"].get("msg_id") != request:
            assert time.monotonic() < deadline
        assert "--timeline" in message["content"]["payload"][0]["data"]["text/plain"]


class TestTraceThatEndsBadly:
    def test_trace_then_traceback(self, quiet: Notebook) -> None:
        source = "%%trace\na, b = socket.socketpair()\na.send(b'x')\n1 / 0\nb.recv(1)"
        ladder, error = quiet.cell(source, ok=False)
        assert "send(b'x')" in ladder["data"]["text/plain"]
        assert "recv" not in ladder["data"]["text/plain"]
        assert error["ename"] == "ZeroDivisionError"

    def test_line_numbers_and_frames(self, quiet: Notebook) -> None:
        quiet.cell("def divide(a):\n    return a / 0")
        traceback = quiet.texts("%%trace\nx = 1\n\n\ndivide(x)", ok=False)[-1]
        assert re.search(r"Cell In\[\d+\], line 5\b", traceback)
        assert re.search(r"-> 5 divide\(x\)", traceback)
        assert re.search(r"-> 2     return a / 0", traceback)
        assert len(re.findall(r"^(?:Cell|File) ", traceback, re.MULTILINE)) == 2
        assert "socketlab" not in traceback
        assert "interactiveshell" not in traceback

    def test_an_error_of_the_socket(self, quiet: Notebook) -> None:
        source = "%%trace\na, b = socket.socketpair()\na.settimeout(0.01)\na.recv(1)"
        ladder, error = quiet.cell(source, ok=False)
        assert "TimeoutError" in ladder["data"]["text/plain"]
        traceback = ANSI.sub("", "\n".join(error["traceback"]))
        assert "line 4" in traceback
        assert "socketlab" not in traceback

    def test_interrupted(self, quiet: Notebook) -> None:
        source = "%%trace\na, b = socket.socketpair()\na.send(b'x')\nprint('now', flush=True)\na.recv(1)"
        said, ladder, error = quiet.cell(source, interrupt_at="stream", ok=False)
        assert said["text"] == "now\n"
        assert "send(b'x')" in ladder["data"]["text/plain"]
        assert error["ename"] == "KeyboardInterrupt"

    def test_syntax(self, quiet: Notebook) -> None:
        (text,) = quiet.texts("%%trace\nx = 1\nif x\n    pass", ok=False)
        assert "line 3" in text
        assert "expected ':'" in text

    def test_the_class_is_restored(self, quiet: Notebook) -> None:
        quiet.cell("before = dict(vars(socket.socket))")
        quiet.cell("%%trace\n1 / 0", ok=False)
        assert quiet.texts("dict(vars(socket.socket)) == before") == ["True"]

    def test_a_view_that_fails_is_not_in_the_way(self, quiet: Notebook) -> None:
        quiet.cell("from socketlab.trace import Trace\nkept = Trace.table\nTrace.table = lambda self: 1 / 0")
        try:
            outputs = quiet.cell("%%trace --table\nx = socket.socketpair()\n1 + ''", ok=False)
        finally:
            quiet.cell("Trace.table = kept")
        assert outputs[-1]["ename"] == "TypeError"
        assert "The trace could not be shown; it is in `_trace`" in plain(outputs)[0]


OPEN = """
server = tcp_server(echo)
clients = [socket.create_connection(server.address) for _ in range(2)]
let_in = [c.sendall(b"?") or c.recv(1) for c in clients]

def listen():
    return socket.create_server(("127.0.0.1", 0))
"""
MORE = """
listener = listen()
datagrams = socket.socket(type=socket.SOCK_DGRAM)
"""


class TestStatus:
    def test_table(self, quiet: Notebook) -> None:
        quiet.cell(OPEN)
        quiet.cell(MORE)
        lines = quiet.texts("%lab status")[0].splitlines()
        assert lines[0].split() == ["name", "what", "state", "recv-q", "send-q", "opened", "in"]
        rows = [re.split(r" {2,}", line) for line in lines[1:]]
        numbers = sorted({int(n) for line in lines for n in re.findall(r"cell \[(\d+)\]", line)})
        first, second = f"cell [{numbers[0]}]", f"cell [{numbers[-1]}]"
        assert numbers[1:] == [numbers[0] + 1]
        assert rows == [
            ["server", "tcp_server echo", "listening, 2 clients", f"{first}, line 1"],
            ["in clients", "TCP over IPv4 to tcp_server echo", "ESTABLISHED", "0", "0", f"{first}, line 2"],
            ["in clients", "TCP over IPv4 to tcp_server echo", "ESTABLISHED", "0", "0", f"{first}, line 2"],
            ["listener", "TCP over IPv4, listener", "LISTEN", "0 wait", "of 128", f"{first}, line 6"],
            ["datagrams", "UDP over IPv4", "UNCONNECTED", "0", "0", f"{second}, line 2"],
        ]

    def test_queues(self, quiet: Notebook) -> None:
        quiet.cell("listener = socket.create_server(('127.0.0.1', 0))")
        quiet.cell("a = socket.create_connection(listener.getsockname())")
        assert "1 wait" in quiet.texts("%lab status")[0]
        quiet.cell("b, _ = listener.accept()\na.sendall(b'abc')")
        row = next(line for line in quiet.texts("%lab status")[0].splitlines() if line.startswith("b "))
        assert re.search(r"ESTABLISHED +3 +0 ", row)

    def test_nothing(self, quiet: Notebook) -> None:
        assert quiet.texts("%lab status") == ["No socket is open in this notebook."]

    def test_the_kernels_own_never_appear(self, quiet: Notebook) -> None:
        source = """
import asyncio
loop = asyncio.get_running_loop() if asyncio._get_running_loop() else asyncio.get_event_loop()
other = asyncio.new_event_loop()
%lab status
"""
        assert quiet.texts(source) == ["No socket is open in this notebook."]
        quiet.cell("%lab reset")
        quiet.cell("other.close()")
        assert quiet.texts("await asyncio.sleep(0.01, 'the loop still runs')") == ["'the loop still runs'"]

    def test_text_without_ports_and_html_with_them(self, quiet: Notebook, loud: Notebook) -> None:
        source = "listener = socket.create_server(('127.0.0.1', 0))\nprint(listener.getsockname()[1])"
        for notebook, with_ports in ((quiet, False), (loud, True)):
            port = notebook.texts(source)[0]
            (status,) = notebook.cell("%lab status")
            assert port not in status["data"]["text/plain"]
            assert (port in status["data"]["text/html"]) == with_ports
            (status,) = notebook.cell("%lab status", history=False)
            assert port not in status["data"]["text/html"]

    def test_the_same_where_runs_are_not_counted(self, folder: Path) -> None:
        """What is recorded with store_history=True is compared with a run without (nbval)."""
        found = []
        for history in (True, False):
            kernel = Notebook(folder)
            try:
                for source in (SETUP, OPEN, "%%capture\nx = listen()", MORE, "1 + 1", "y = listen()"):
                    kernel.cell(source, history=history)
                found.append(kernel.texts("%lab status", history=history))
            finally:
                kernel.close()
        assert found[0] == found[1]
        assert "cell [4], line 2" in found[0][0]

    def test_what_was_open_before_loading(self, folder: Path) -> None:
        kernel = Notebook(folder)
        try:
            kernel.cell("import socket\nmine = socket.socketpair()\nkept = {'deep': [socket.socket()]}")
            kernel.cell("%load_ext socketlab")
            lines = kernel.texts("%lab status")[0].splitlines()[1:]
            assert len(lines) == 3
            assert all("before %load_ext socketlab" in line for line in lines)
            assert kernel.texts("%lab reset") == ["Closed 3 sockets."]
        finally:
            kernel.close()

    def test_servers_of_other_threads(self, quiet: Notebook) -> None:
        """A socketserver accepts in a thread that runs no line of a cell."""
        source = """
import socketserver
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(1)
theirs = socketserver.ThreadingTCPServer(('127.0.0.1', 0), Handler)
thread = threading.Thread(target=theirs.serve_forever, args=(0.01,), daemon=True)
thread.start()
client = socket.create_connection(theirs.server_address)
"""
        quiet.cell(source)
        deadline = time.monotonic() + LIMIT
        while "not in a cell" not in (text := quiet.texts("%lab status")[0]):
            assert time.monotonic() < deadline, text
        assert re.search(r"listener .* line 5$", text, re.MULTILINE)
        quiet.cell("client.close()\ntheirs.shutdown()\ntheirs.server_close()")

    def test_links(self, quiet: Notebook) -> None:
        quiet.cell("from socketlab import faulty_link\nserver = tcp_server(echo)\nlink = faulty_link(server.address)")
        quiet.cell("client = socket.create_connection(link.address)\nclient.sendall(b'hi')\nclient.recv(2)")
        rows = [re.split(r" {2,}", line) for line in quiet.texts("%lab status")[0].splitlines()[1:]]
        assert sorted(row[0] for row in rows) == ["client", "link", "server"]
        by_name = {row[0]: row for row in rows}
        assert by_name["client"][1].startswith("TCP over IPv4 to faulty_link")
        assert by_name["link"][1].startswith("faulty_link")
        assert by_name["link"][2] == "listening, 1 client"
        assert by_name["link"][3].endswith("line 3")
        assert quiet.texts("%lab reset") == ["Closed 1 server, 1 link and 1 socket."]
        assert quiet.texts("link.closed, server.closed, link.errors") == ["(True, True, ())"]

    def test_panels(self, quiet: Notebook) -> None:
        quiet.cell("from socketlab import ServerPanel\npanel = ServerPanel()")
        lines = quiet.texts("%lab status")[0].splitlines()[1:]
        assert len(lines) == 1
        assert re.match(r"panel +Server panel +holds \d+ sockets? +cell ", lines[0])
        assert quiet.texts("%lab reset") == [
            "Nothing was open. 1 panel left alone: run the panel's cell again, or call its close()."
        ]
        assert quiet.texts("panel.server.closed, panel.close()") == ["(False, None)"]

    def test_a_panel_without_sockets_is_not_open(self, quiet: Notebook) -> None:
        quiet.cell("from socketlab.panels import FamilyPanel\npanel = FamilyPanel()")
        assert quiet.texts("%lab status") == ["No socket is open in this notebook."]
        assert quiet.texts("%lab reset") == ["Nothing was open."]
        assert quiet.texts("panel.closed, panel.close()") == ["(False, None)"]


class TestReset:
    def test_closes_and_counts(self, quiet: Notebook) -> None:
        quiet.cell(OPEN)
        quiet.cell(MORE)
        assert quiet.texts("%lab reset") == ["Closed 1 server and 4 sockets."]
        assert quiet.texts("%lab reset") == ["Nothing was open."]
        assert quiet.texts("server.closed, [c.fileno() for c in clients], listener.fileno(), datagrams.fileno()") == [
            "(True, [-1, -1], -1, -1)"
        ]
        assert quiet.texts("%lab status") == ["No socket is open in this notebook."]

    def test_descriptors_are_given_back(self, quiet: Notebook) -> None:
        quiet.tidy()
        quiet.cell(OPEN + MORE + "lines = clients[0].makefile()")
        quiet.cell("%lab reset")
        assert quiet.growth() == ""

    def test_wakes_who_is_blocked(self, quiet: Notebook) -> None:
        source = """
listener, (left, right) = socket.create_server(("127.0.0.1", 0)), socket.socketpair()
ended = []
def wait(call):
    try:
        ended.append(call())
    except OSError:
        ended.append("OSError")
threads = [threading.Thread(target=wait, args=(call,)) for call in (listener.accept, lambda: left.recv(1))]
for thread in threads:
    thread.start()
"""
        quiet.cell(source)
        quiet.cell("%lab reset")
        quiet.cell("for thread in threads:\n    thread.join(10)")
        assert quiet.texts("sorted(map(str, ended)), [t.is_alive() for t in threads]") == [
            '(["OSError", "b\'\'"], [False, False])'.replace('"OSError"', "'OSError'")
        ]

    def test_reports_a_handler_that_raised(self, quiet: Notebook) -> None:
        quiet.cell("def broken(conn):\n    1 / 0\nserver = tcp_server(broken)")
        quiet.cell("client = socket.create_connection(server.address)\nclient.recv(1)")
        first, second = quiet.texts("%lab reset")[0].splitlines()
        assert first == "Closed 1 server and 1 socket."
        assert second.startswith("tcp_server broken: handler 'broken' raised ZeroDivisionError")

    def test_asyncio(self, quiet: Notebook) -> None:
        """The notebook's own loop forgets what is closed: the next socket with that number works."""
        source = """
import asyncio
server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
await asyncio.sleep(0.05)
"""
        quiet.cell(source)
        assert len(quiet.texts("%lab status")[0].splitlines()) == 4
        assert quiet.texts("%lab reset") == ["Closed 3 sockets."]
        again = source + "writer.write(b'x')\nawait writer.drain()\nwriter.close()\nserver.close()\n'it works'"
        assert quiet.texts(again) == ["'it works'"]

    def test_the_notebook_goes_on(self, quiet: Notebook) -> None:
        quiet.cell(OPEN)
        quiet.cell("%lab reset")
        assert quiet.texts(TALK) == ["b'hi'"]


class TestLab:
    def test_help_in_three_lines(self, quiet: Notebook) -> None:
        lines = quiet.texts("%lab")[0].splitlines()
        assert [line.split()[:2] for line in lines] == [["%lab", "status"], ["%lab", "reset"], ["%lab", "note"]]

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("%lab stats", "not 'stats' (did you mean status?)"),
            ("%lab reset all", "not 'reset all'"),
            ("%lab note soon", "wants seconds, from above 0 to 3600, or off, not 'soon'"),
            ("%lab note -1", "not '-1'"),
            ("%lab note nan", "not 'nan'"),
        ],
    )
    def test_not_understood(self, quiet: Notebook, line: str, words: str) -> None:
        (text,) = quiet.texts(line)
        assert text.startswith("UsageError: %lab ")
        assert words in text


def note_in(notebook: Notebook) -> str:
    """The text of the note that was shown under the last cell, "" if there was none."""
    shown = [c["data"] for kind, c in notebook.messages if kind == "display_data"]
    found = [data["text/plain"] for data in shown if "socketlab-note" in data.get("text/html", "")]
    assert len(found) < 2
    return found[0] if found else ""


class TestNote:
    """`%lab note 0.3`: the note comes after a third of a second."""

    @pytest.fixture(autouse=True)
    def soon(self, loud: Notebook) -> None:
        loud.cell("%lab note 0.3")

    def test_accept_interrupted(self, loud: Notebook) -> None:
        port = loud.texts("l = socket.create_server(('127.0.0.1', 0))\nprint(l.getsockname()[1])")[0]
        (error,) = loud.cell("x = 1\n\nl.accept()", interrupt_at="display_data", ok=False)
        assert note_in(loud) == (
            f"accept() at line 3: nobody has connected to 127.0.0.1:{port} yet; "
            "interrupt with ■, or connect from another notebook"
        )
        assert error["ename"] == "KeyboardInterrupt"
        assert error["traceback"]

    @pytest.fixture
    def connect(self, loud: Notebook) -> Callable[[], object]:
        """Connects to `listener`, a variable of the notebook; then its accept() returns."""
        loud.cell("listener = socket.create_server(('127.0.0.1', 0))")
        port = int(loud.texts("listener.getsockname()[1]")[0])
        return lambda: socket.create_connection(("127.0.0.1", port), LIMIT).close()

    def test_gone_when_the_call_returns(self, loud: Notebook, connect: Callable[[], object]) -> None:
        assert loud.cell("x = 1\nlistener.accept()[0].close()\nNone", at_display=connect) == []
        assert note_in(loud).startswith("accept() at line 2: nobody has connected to 127.0.0.1:")

    def test_gone_while_the_cell_goes_on(self, loud: Notebook, connect: Callable[[], object]) -> None:
        """The watch sees that the call has returned."""
        source = "import time\nlistener.accept()[0].close()\nx = 0\nwhile not gone: time.sleep(0.01)"
        loud.cell("gone = []\nlistener.settimeout(None)")
        loud.cell("threading.Timer(1.5, gone.append, (1,)).start()\n" + source, at_display=connect)
        assert [kind for kind, _ in loud.messages][:2] == ["display_data", "update_display_data"]

    def test_between_other_output(self, loud: Notebook, connect: Callable[[], object]) -> None:
        """What the cell has put out itself is there afterwards, in its order, and nothing else."""
        source = """
from IPython.display import display
print("before", flush=True)
display(1)
listener.accept()[0].close()
print("after")
2
"""
        outputs = loud.cell(source, at_display=connect)
        assert not note_in(loud)  # not yet: the first display was the cell's own, and accept() has returned
        listed = [output.get("text") or output["data"]["text/plain"] for output in outputs]
        assert listed == ["before\n", "1", "after\n", "2"]
        source = source.replace("display(1)\n", "")
        outputs = loud.cell(source, at_display=connect)
        assert note_in(loud)
        listed = [output.get("text") or output["data"]["text/plain"] for output in outputs]
        assert listed == ["before\nafter\n", "2"]
        assert loud.texts("_") == ["2"]

    def test_output_that_cannot_be_sent_again(self, loud: Notebook, connect: Callable[[], object]) -> None:
        """Where there is too much of it, the note stays in its place, emptied."""
        source = "print('x' * 2_000_000, flush=True)\nlistener.accept()[0].close()"
        outputs = loud.cell(source, at_display=connect)
        assert note_in(loud)
        assert [output.get("data", output.get("name")) for output in outputs] == ["stdout", {}]

    def test_in_a_function_of_another_cell(self, loud: Notebook) -> None:
        loud.cell("def wait_for(sock):\n    return sock.recv(1)")
        loud.cell("a, b = socket.socketpair()\nwait_for(a)", interrupt_at="display_data", ok=False)
        assert re.match(r"recv\(\) at line 2, in wait_for\(\) of cell \[\d+\]: the peer sends nothing", note_in(loud))

    def test_join_tells_what_the_other_thread_waits_for(self, loud: Notebook) -> None:
        source = """
left, right = socket.socketpair()
def client():
    left.recv(1)
thread = threading.Thread(target=client, name="client", daemon=True)
thread.start()
thread.join()
"""
        loud.cell(source, interrupt_at="display_data", ok=False)
        assert re.match(
            r"join\(\) at line 6: thread 'client' has not ended; "
            r"it waits in recv\(\) at line 3, in client\(\) of cell \[\d+\]: the peer sends nothing",
            note_in(loud),
        )
        loud.cell("right.send(b'x')\nthread.join()")

    def test_await(self, loud: Notebook) -> None:
        """No thread is blocked then: the line of the coroutine is told."""
        loud.cell("import asyncio\nleft, right = socket.socketpair()")
        loud.cell("reader, _ = await asyncio.open_connection(sock=left)")
        (error,) = loud.cell("x = 1\nawait reader.readline()", interrupt_at="display_data", ok=False)
        assert note_in(loud).startswith("readline() at line 2: the peer sends nothing, and has not closed")
        assert error["ename"] == "CancelledError"

    def test_no_note_for_another_await(self, loud: Notebook) -> None:
        loud.cell("import asyncio\nawait asyncio.sleep(1.2)")
        assert loud.messages == []

    def test_in_a_traced_cell(self, loud: Notebook) -> None:
        loud.cell("l = socket.create_server(('127.0.0.1', 0))")
        ladder, error = loud.cell("%%trace\nl.accept()", interrupt_at="display_data", ok=False)
        assert note_in(loud).startswith("accept() at line 2: nobody has connected")
        assert "accept()" in ladder["data"]["text/plain"]
        assert error["ename"] == "KeyboardInterrupt"

    def test_under_the_cell_that_waits(self, loud: Notebook, connect: Callable[[], object]) -> None:
        """As with Run All: the next cells are asked for already."""
        waits = loud.send("listener.accept()[0].close()")
        then = loud.send("1 + 1")
        seen: list[tuple[str, str]] = []
        deadline = time.monotonic() + LIMIT
        while ("status idle", then) not in seen:
            message = loud._next(loud.client.get_iopub_msg, deadline)
            kind = message["msg_type"] + " " + message["content"].get("execution_state", "")
            seen.append((kind.strip(), message["parent_header"]["msg_id"]))
            if kind == "display_data ":
                connect()
        shown = [pair for pair in seen if pair[0] in ("display_data", "update_display_data", "clear_output")]
        assert shown == [(kind, waits) for kind in ("display_data", "update_display_data", "clear_output")]
        loud.cell("%unload_ext socketlab")
        assert loud.texts("'send' in vars(get_ipython().display_pub.session)") == ["False"]

    def test_no_note_for_what_is_no_socket_call(self, loud: Notebook) -> None:
        for source in ("import time; time.sleep(1.2)", "x = 0\nwhile x < 3 * 10**7: x += 1"):
            assert loud.cell(source) == []
            assert loud.messages == []

    def test_no_note_for_many_short_waits(self, loud: Notebook) -> None:
        """Each of them returns: the line is the same, the call is another one."""
        source = """
a, b = socket.socketpair()
a.settimeout(0.02)
for _ in range(60):
    try:
        a.recv(1)
    except TimeoutError:
        pass
"""
        loud.cell(source)
        assert loud.messages == []

    def test_no_note_where_runs_are_not_counted(self, loud: Notebook) -> None:
        source = "a, b = socket.socketpair()\na.settimeout(1.2)\ntry:\n    a.recv(1)\nexcept TimeoutError:\n    pass"
        loud.cell(source, history=False)
        assert loud.messages == []
        loud.cell(source)
        assert note_in(loud)

    def test_no_note_when_switched_off(self, loud: Notebook) -> None:
        source = "a, b = socket.socketpair()\na.settimeout(1.2)\ntry:\n    a.recv(1)\nexcept TimeoutError:\n    pass"
        assert loud.texts("%lab note off") == ["No note."]
        loud.cell(source)
        assert loud.messages == []

    def test_no_note_where_nobody_is_looking(self, quiet: Notebook) -> None:
        quiet.cell("%lab note 0.3")
        quiet.cell("a, b = socket.socketpair()\na.settimeout(1.2)\ntry:\n    a.recv(1)\nexcept TimeoutError:\n    pass")
        assert quiet.messages == []

    def test_the_watch_sleeps_between_cells(self, loud: Notebook) -> None:
        """Its thread does not run once while no cell does."""
        loud.cell("import time\ntime.sleep(0.5)")
        watch = "[t.native_id for t in threading.enumerate() if t.name == 'socketlab watch']"
        thread = int(loud.texts(watch)[0].strip("[]"))
        stat = Path(f"/proc/{loud.pid}/task/{thread}/schedstat")
        deadline = time.monotonic() + LIMIT
        before = stat.read_text()
        while time.monotonic() < deadline:  # until its last timed look is over
            time.sleep(1.0)
            before, last = stat.read_text(), before
            if before == last:
                break
        time.sleep(1.5)  # not to wait for something: for nothing
        assert stat.read_text() == before

    def test_unloading_ends_the_watch(self, loud: Notebook) -> None:
        loud.cell("%unload_ext socketlab")
        assert loud.texts("[t for t in threading.enumerate() if t.name == 'socketlab watch']") == ["[]"]
