"""Every public operation of Python's network modules is run by a cell of some notebook: seen by the interpreter."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from operations import Run, run_cells, run_notebook

from socketlab.lookup.names import public_names
from socketlab.probe import probe
from tools.notebooks import all_notebooks, is_solution
from tools.recap import TABLES, names, rows

# Operation → what the machine must have for it, by its name in the passport. Notebook 26 shows the probe.
NEEDS = {"socket.socket.sendmsg_afalg": "AF_ALG"}


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """Every lesson, run once, two at a time. Solutions do not count: the lesson has to show it."""
    lessons = [path for path in all_notebooks() if not is_solution(path)]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip((path.name for path in lessons), pool.map(run_notebook, lessons), strict=True))


@pytest.fixture(scope="module")
def where(runs: dict[str, Run]) -> dict[str, list[str]]:
    """Operation → the notebooks whose cells run it."""
    return {name: [title for title, run in runs.items() if name in run.operations] for name in public_names()}


class TestTheCourse:
    """The notebooks of this repository."""

    def test_every_operation_is_run(self, where: dict[str, list[str]]) -> None:
        passport = probe()
        lacking = {name for name, need in NEEDS.items() if not passport.works(need)}
        missing = sorted(name for name, found in where.items() if not found and name not in lacking)
        assert not missing, f"no cell runs these: {missing}"

    def test_a_recap_names_it(self, where: dict[str, list[str]]) -> None:
        """Of what lessons run, operations of `socket` stand in the recap of one of them; the index has all others."""
        named = {
            path.name: {name for row in rows(path)[1:] for name in names(row[0])}
            for path in all_notebooks()
            if (TABLES / f"{path.stem}.md").exists()
        }
        missing = {
            name: found
            for name, found in where.items()
            if found
            and name.startswith("socket.")
            and not any(name.rpartition(".")[2] in named.get(lesson, ()) for lesson in found)
        }
        assert not missing, f"no recap (tools/recaps) names these: {missing}"

    def test_nothing_leaves_this_machine(self, runs: dict[str, Run]) -> None:
        assert not {title: sorted(run.hosts) for title, run in runs.items() if run.hosts}


SOCKET = {"socket.socket", "socket.SocketType"}  # whoever uses an object uses its class
OSERROR = {"socket.error", "select.error", "ssl.socket_error"}  # three names of one class

# Case → a cell, and all that must be seen of it.
COUNTED: dict[str, tuple[str, set[str]]] = {
    "functions": ("socket.htons(1); socket.getfqdn('localhost')", {"socket.htons", "socket.getfqdn"}),
    "methods": (
        "a, b = socket.socketpair()\na.send(b'x'); b.recv(1); b.makefile().close()\na.close(); b.close()",
        {"socket.socketpair"} | SOCKET | {f"socket.socket.{name}" for name in ("send", "recv", "makefile", "close")},
    ),
    "attributes": (
        "a, b = pair\na.family, a.type, a.proto, a.timeout",
        SOCKET | {f"socket.socket.{name}" for name in ("family", "type", "proto", "timeout")},
    ),
    "classes": (
        "s = socket.socket()\nsocket.AddressFamily(2)",
        SOCKET | {"socket.AddressFamily"},
    ),
    "a member of an enumeration": ("socket.SocketKind.SOCK_STREAM", {"socket.SocketKind"}),
    "raw stream": (
        "pair[0].send(b'x'); raw = pair[1].makefile('rb', 0); raw.readinto(bytearray(1))",
        SOCKET | {"socket.socket.send", "socket.socket.makefile", "socket.SocketIO"},
    ),
    "buffered stream": (
        "pair[0].send(b'x\\n'); reader = pair[1].makefile('rb'); reader.readline()",
        SOCKET | {"socket.socket.send", "socket.socket.makefile"},
    ),
    "an exception caught": (
        "try:\n    socket.getaddrinfo('x', 'no such service')\nexcept socket.gaierror:\n    pass",
        OSERROR | {"socket.getaddrinfo", "socket.gaierror"},
    ),
    "an exception shown": ("raise socket.timeout('late')", OSERROR | {"socket.timeout"}),
    "a handler's thread": (
        """import threading
def handler(conn):
    conn.getpeername()
thread = threading.Thread(target=handler, args=pair[:1]); thread.start(); thread.join()""",
        SOCKET | {"socket.socket.getpeername"},
    ),
    "a function given to sorted": ("sorted([2, 1], key=lambda n: socket.htonl(n))", {"socket.htonl"}),
    "a subclass": ("class Mine(socket.socket): pass\nm = Mine(socket.AF_UNIX)", SOCKET),
    "a class in C": (
        "import select\ne = select.epoll(); e.register(0); e.closed; e.close()",
        {"select.epoll"} | {f"select.epoll.{name}" for name in ("register", "closed", "close")},
    ),
    "a class without a name": (
        "import select\np = select.poll(); p.register(0); p.poll(0)",
        {"select.poll", "select.poll.register", "select.poll.poll"},
    ),
    "a selector, its key, a field": (
        "import selectors\nwith selectors.PollSelector() as s: s.register(pair[0], 1).fileobj",
        {"selectors.BaseSelector.register"}
        | {f"selectors.{name}" for name in ("BaseSelector", "PollSelector", "SelectorKey")},
    ),
    "a method that the library calls, a setting in a class": (
        """import socketserver
class Handler(socketserver.BaseRequestHandler):
    def handle(self): pass
class Server(socketserver.TCPServer):
    allow_reuse_address = True
Handler(pair[0], None, None)""",
        {"socketserver.BaseRequestHandler.handle", "socketserver.TCPServer.allow_reuse_address"}
        | {f"socketserver.{name}" for name in ("BaseRequestHandler", "TCPServer", "BaseServer")},
    ),
    "a setting of an object": (
        "import ssl\nc = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\nc.check_hostname = False; c.minimum_version",
        {"ssl.SSLContext", "ssl.SSLContext.check_hostname", "ssl.SSLContext.minimum_version"},
    ),
    "a coroutine": (
        """import asyncio
pair[0].setblocking(False)
await asyncio.get_running_loop().sock_sendall(pair[0], b'x')""",
        SOCKET | {"socket.socket.setblocking", "asyncio.AbstractEventLoop", "asyncio.AbstractEventLoop.sock_sendall"},
    ),
    "top-level await": ("import asyncio\nawait asyncio.sleep(0)\nsocket.ntohs(1)", {"socket.ntohs"}),
    "a coroutine that a task runs": (
        "import asyncio\nasyncio.Task(asyncio.open_connection('127.0.0.1', 1)).cancel()",
        {"asyncio.open_connection"},
    ),
    "a setting of a class": (
        "import socketserver\nsocketserver.UDPServer.max_packet_size",
        {"socketserver.BaseServer", "socketserver.TCPServer", "socketserver.UDPServer"}
        | {"socketserver.UDPServer.max_packet_size"},
    ),
    "after an error": ("1 / 0", set()),
    "a comment": ("# socket.gethostname()", set()),
    "a string": ("'socket.gethostname()'", set()),
    "a name that is not called": ("f = socket.gethostname, socket.socket.recv, socket.error", set()),
    "a call that is not made": ("if False:\n    socket.gethostname()", set()),
    "the standard library's calls": (
        "import http.server\nhttp.server.HTTPServer(('127.0.0.1', 0), None).socket.close()",
        SOCKET | {"socket.socket.close", "socketserver.TCPServer", "socketserver.BaseServer"},
    ),
    "a traced cell": (
        """%%trace
a, b = socket.socketpair()
with a, b:
    a.send(b'x'); b.recv_into(bytearray(1)); a.shutdown(socket.SHUT_WR); b.settimeout(1); socket.socket().close()""",
        {"socket.socketpair"}
        | SOCKET
        | {f"socket.socket.{name}" for name in ("send", "recv_into", "shutdown", "settimeout", "close")},
    ),
    "with closes, the cell does not": ("with pair[1]:\n    pass", set()),
    "others of the same name": ("import io, os\nio.BytesIO().close(); os.close(os.dup(1)); [].append(1)", set()),
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Case → what its cell ran. One kernel for all: what was seen is written down and emptied between the cases."""
    folder = tmp_path_factory.mktemp("cells")
    cells = ["import json, socket, sys; pair = socket.socketpair()", "%load_ext socketlab"]
    for number, (source, _) in enumerate(COUNTED.values()):
        cells.append("sys.modules['watch_operations'].SEEN.clear()")
        cells.append(source)
        cells.append(f"with open('{number}', 'w') as f: json.dump(list(sys.modules['watch_operations'].SEEN), f)")
    run_cells(cells, folder)
    return {case: set(json.loads((folder / str(number)).read_text())) for number, case in enumerate(COUNTED)}


class TestWhatCounts:
    """The mechanism, on cells of its own."""

    @pytest.mark.parametrize("case", COUNTED)
    def test_counts(self, seen: dict[str, set[str]], case: str) -> None:
        assert seen[case] == COUNTED[case][1]

    def test_socketlab_does_not_count(self, tmp_path: Path) -> None:
        cells = [
            "from socketlab import tcp_server\nfrom socketlab.handlers import echo",
            "with tcp_server(echo) as server:\n    pass",
        ]
        assert run_cells(cells, tmp_path).operations == set()

    def test_a_handler_of_the_cell_counts_in_socketlabs_thread(self, tmp_path: Path) -> None:
        cells = [
            "import socket\nfrom socketlab import tcp_server",
            "def handler(conn):\n    conn.sendall(b'x')",
            "with tcp_server(handler) as server, socket.create_connection(server.address) as s:\n    s.recv(1)",
        ]
        assert run_cells(cells, tmp_path).operations == SOCKET | {
            "socket.create_connection",
            "socket.socket.sendall",
            "socket.socket.recv",
        }

    def test_hosts(self, tmp_path: Path) -> None:
        cells = [
            "import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\ns.setblocking(False)",
            "s.sendto(b'', ('127.0.0.1', 9)); socket.getaddrinfo('localhost', 80); s.connect_ex(('127.0.0.2', 9))",
            "socket.socketpair()[0].sendmsg([b'x']); socket.getaddrinfo('fe80::1%lo', 80)",
            "m = socket.socket(type=socket.SOCK_DGRAM)",
            "m.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0); m.sendto(b'x', ('239.1.2.3', 9))",
        ]
        assert run_cells(cells, tmp_path).hosts == frozenset()
        # Closed sockets: the hook sees the address before the call fails, and nothing is sent.
        cells = [
            "import socket\ns = socket.socket(); s.close()\nd = socket.socket(type=socket.SOCK_DGRAM); d.close()",
            "s.connect(('192.0.2.1', 80))",
            "d.sendto(b'x', ('239.1.2.3', 9))",
        ]
        assert run_cells(cells, tmp_path).hosts == {"192.0.2.1", "239.1.2.3"}


def test_names_are_operations() -> None:
    names = set(public_names())
    assert {"socket.socket", "socket.create_server", "socket.socket.recv_into", "socket.socket.timeout"} <= names
    assert {"select.select", "selectors.BaseSelector.register", "socketserver.BaseServer.shutdown"} <= names
    assert {"ssl.SSLContext.wrap_socket", "asyncio.StreamWriter.drain", "asyncio.AbstractEventLoop.sock_recv"} <= names
    assert not {"socket.IntEnum", "socket.AF_INET", "socket.CAPI", "socket.os", "ssl.socket", "selectors.math"} & names
    assert not {"asyncio.run", "asyncio.AbstractEventLoop.call_later", "socketserver.TCPServer.__init__"} & names
    assert len(names) >= 380
