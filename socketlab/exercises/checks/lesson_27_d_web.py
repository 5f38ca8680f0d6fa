"""Lesson 27, rungs 7 and 8: a proxy that rewrites, and files over HTTP."""

from __future__ import annotations

import http.client
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from ...handlers import reverse
from ..attempt import PATIENCE, Attempt, Unmet, until
from ..definition import Exercise
from ..seen import Seen
from ..service import GONE, Client, Service, unread_from
from ..words import shown

LESSON = "27_the_ladder"
MOMENT = 0.5

serve_proxy = Exercise(
    "serve_proxy",
    lesson=LESSON,
    wants="serve_proxy(listener, stop, upstream)",
    task="Connect to `upstream` for each client and pass on what comes, both ways and both ends; on its way to the "
    "client `colour` becomes `color`.",
    hints=(
        "Two directions, each a loop of its own: recv here, sendall there; a thread for each.",
        "When one side has finished, say so to the other: `shutdown(SHUT_WR)`, and go on with the other direction.",
        "The word may be cut: what came ends in `co`. Keep what may be the beginning of the word, and nothing else.",
        "Where upstream is not there, close this client's connection, and go on with the others.",
    ),
    deadline=1.0,
)

serve_files = Exercise(
    "serve_files",
    lesson=LESSON,
    wants="serve_files(listener, stop, folder)",
    task="Serve the files of `folder` over HTTP/1.1: GET and HEAD, 404 for what is not there, and nothing from outside "
    "of the folder, in whatever way it is asked for.",
    hints=(
        "Read until an empty line, `\\r\\n\\r\\n`; the path is the second word of the first line.",
        "`urllib.parse.unquote` first, and only then look where the path leads.",
        "`Path(folder, path).resolve()` follows each `..`; `is_relative_to` says whether that is still inside.",
        "Send Content-Length, and `Connection: close` if you close: a client must know where the body ends.",
    ),
    deadline=1.5,
)


# -- what both share ---------------------------------------------------------------------------------------------------


def fetched(service: Service, method: str, path: str) -> tuple[int, bytes, str]:
    """Status, body and announced length of what http.client gets."""
    service.now(f"http.client has an answer to {method} {path}")
    conn = http.client.HTTPConnection(service.address[0], service.address[1], timeout=PATIENCE)
    try:
        conn.request(method, path)
        response = conn.getresponse()
        return response.status, response.read(), response.headers.get("Content-Length", "none")
    except http.client.HTTPException as exc:
        raise Unmet(f"an answer to {method} {path}", type(exc).__name__) from None
    except ConnectionError:
        raise Unmet(f"an answer to {method} {path}", GONE) from None
    finally:
        conn.close()


def is_status(came: int, wanted: int, what: str) -> None:
    if came != wanted:
        raise Unmet(f"status {wanted} for {what}", f"status {came}")


# -- serve_proxy -------------------------------------------------------------------------------------------------------

PAGE = b"HTTP/1.0 200 OK\r\n\r\na page of one colour\n"  # of no announced length: the end of the connection ends it
SEEN = b"a page of one color\n"  # what a client of the proxy has to make of it


def through(attempt: Attempt, handler: Callable[[socket.socket], object]) -> tuple[Service, Client, object]:
    upstream = attempt.server(handler)
    service = Service(attempt)
    return service, service.client(), upstream.address


@serve_proxy.scenario("a question goes there, the answer comes back in other words; http.client gets a page so")
def answer_rewritten(attempt: Attempt) -> None:
    def upstream(conn: socket.socket) -> None:
        said = conn.recv(4096)
        if said.startswith(b"G"):
            while b"\r\n\r\n" not in said and (piece := conn.recv(4096)):
                said += piece
            conn.sendall(PAGE if said.startswith(b"GET /colour HTTP/1.1\r\n") else b"HTTP/1.0 404 Not Found\r\n\r\n")
            return
        conn.sendall(b"which colour? " if said == b"colour\n" else b"not what the client said")
        conn.recv(100)
        conn.sendall(b"colourful")

    service, client, address = through(attempt, upstream)

    def talk() -> None:
        client.says(b"colour\n")
        client.hears(b"which color? ")
        client.says(b"red\n")
        client.hears(b"colorful")
        client.hears_end()
        client.leaves()
        status, body, _ = fetched(service, "GET", "/colour")
        is_status(status, 200, "a page that is upstream")
        attempt.want(body == SEEN, f"http.client reads {shown(SEEN)}", shown(body))

    service.run(talk, address)


@serve_proxy.scenario("the word comes in two pieces; other words are not held back")
def word_cut(attempt: Attempt) -> None:
    facts = attempt.seen.facts

    def upstream(conn: socket.socket) -> None:
        conn.sendall(b"hello, ")
        conn.recv(100)
        conn.sendall(b"the col")
        until(lambda: unread_from(conn.getsockname()) == 0, PATIENCE)
        conn.sendall(b"our of it")

    service, client, address = through(attempt, upstream)

    def talk() -> None:
        facts["held"] = True
        client.hears(b"hello, ")
        facts.update(held=False, cut=True)
        client.says(b"?")
        client.hears(b"the color of it")
        facts["cut"] = False

    service.run(talk, address)


@serve_proxy.scenario("the client finishes, and only then upstream answers")
def finishes_first(attempt: Attempt) -> None:
    service, client, address = through(attempt, reverse)

    def talk() -> None:
        attempt.seen.facts["half"] = True
        client.says(b"stressed")
        client.finishes()
        client.hears(b"desserts")
        client.hears_end()

    service.run(talk, address)


@serve_proxy.scenario("nobody is upstream")
def nobody_upstream(attempt: Attempt) -> None:
    address, service = attempt.closed_port(), Service(attempt)
    attempt.seen.facts["nobody"] = True
    clients = [service.client(f"client {n}") for n in (1, 2)]

    def talk() -> None:
        for client in clients:
            client.hears_end()

    service.run(talk, address)


@serve_proxy.misconception(
    "word-cut", advice="Keep what may be the beginning of the word until the next piece is there."
)
def proxy_cut(seen: Seen) -> str | None:
    if not seen.facts.get("cut") or "wrong" not in seen.facts:
        return None
    return "The word came in two pieces, and neither of them had it: it passed unchanged."


@serve_proxy.misconception("held-back", advice="Keep only what is a beginning of the word: `hello, ` is none.")
def proxy_held(seen: Seen) -> str | None:
    if not seen.facts.get("held") or not seen.timed_out:
        return None
    return "It keeps back words that are complete, and upstream waits for the answer to them."


@serve_proxy.misconception("half-close-lost", advice="Where one direction ends, shutdown(SHUT_WR) the other side's.")
def proxy_half(seen: Seen) -> str | None:
    if not seen.facts.get("half") or not (seen.timed_out or "wrong" in seen.facts):
        return None
    return "The client has finished, and upstream was not told so, or the whole connection was closed."


@serve_proxy.misconception("refused-ends-it", advice="Catch the error where one client is served, and close that one.")
def proxy_refused(seen: Seen) -> str | None:
    if not seen.facts.get("nobody") or not (seen.error or seen.timed_out):
        return None
    return "Nobody was upstream, and that ended the service, or left its clients waiting."


# -- serve_files -------------------------------------------------------------------------------------------------------

FOLDER = Path(__file__).resolve().parents[2] / "options" / "texts"
NAME, OUTSIDE = "general.py", "ask.py"  #: a file in the folder, and one beside it
CURL = 3  # seconds after which curl gives up


def is_file(body: bytes, what: str) -> None:
    if body != (FOLDER / NAME).read_bytes():
        raise Unmet(f"{what} is the file, byte for byte", f"{len(body):,} bytes, and not those")


@serve_files.scenario("http.client gets a file, its head, and 404 for another")
def with_http_client(attempt: Attempt) -> None:
    service = Service(attempt)
    facts, size = attempt.seen.facts, str((FOLDER / NAME).stat().st_size)

    def talk() -> None:
        status, body, length = fetched(service, "GET", f"/{NAME}")
        is_status(status, 200, "a file")
        is_file(body, "the body")
        attempt.want(length == size, f"Content-Length: {size}", length)
        facts["missing"] = True
        is_status(fetched(service, "GET", "/nothing.txt")[0], 404, "a file that is not there")
        facts["missing"] = False
        status, body, length = fetched(service, "HEAD", f"/{NAME}")
        is_status(status, 200, "HEAD")
        attempt.want((body, length) == (b"", size), f"HEAD: Content-Length: {size}, no body", length)

    service.run(talk, str(FOLDER))


@serve_files.scenario("a request byte by byte, beside a silent client; and one with %67 for g")
def files_in_pieces(attempt: Attempt) -> None:
    service = Service(attempt)
    facts = attempt.seen.facts
    facts["silent"] = True
    service.client("the silent client")
    client = service.client("the second client")

    def talk() -> None:
        facts["in pieces"] = True
        client.slowly(f"GET /{NAME} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        status = client.hears_line("a status line")
        if b" 200 " not in status + b" ":
            raise Unmet("status 200 for a file", shown(status))
        facts.update({"in pieces": False, "quoted": True})
        is_status(fetched(service, "GET", f"/%67{NAME[1:]}")[0], 200, "a file whose name is quoted")

    service.run(talk, str(FOLDER))


@serve_files.scenario("paths that lead out of the folder")
def leads_out(attempt: Attempt) -> None:
    service = Service(attempt)
    facts, secret = attempt.seen.facts, (FOLDER.parent / OUTSIDE).read_bytes()
    paths = (f"/../{OUTSIDE}", f"/%2e%2e/{OUTSIDE}", f"/{FOLDER.parent / OUTSIDE}", f"/..%2f{OUTSIDE}")

    def talk() -> None:
        for number, path in enumerate(paths):
            words = "an absolute path" if number == 2 else path
            client = service.client(f"who asks for {words}")
            client.says(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            status = client.hears_line("a status line")
            rest = status
            if status.split()[1:2] == [b"200"]:
                rest += client._take(len(secret) + 4096)
            facts["out"] = words if secret[:50] in rest or status.split()[1:2] == [b"200"] else ""
            if facts["out"]:
                raise Unmet(f"a refusal for {words}", "a file from outside of the folder")
            client.leaves()

    service.run(talk, str(FOLDER))


@serve_files.scenario("curl gets the file")
def with_curl(attempt: Attempt) -> None:
    curl = attempt.program("curl")
    service = Service(attempt)

    def talk() -> None:
        service.now("curl has the file")
        host, port = service.address[:2]
        command = [curl, "--silent", "--noproxy", "*", "--max-time", str(CURL), f"http://{host}:{port}/{NAME}"]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE)
        attempt.want(done.returncode == 0, "curl ends with status 0", f"status {done.returncode}")
        is_file(done.stdout, "what curl prints")

    service.run(talk, str(FOLDER))


@serve_files.misconception("leads-outside", advice="Unquote, resolve, and then see whether it is inside of the folder.")
def files_out(seen: Seen) -> str | None:
    if not seen.facts.get("out"):
        return None
    return f"It served a file from outside of its folder: {seen.facts['out']} led there."


@serve_files.misconception("request-in-one-recv", advice="Receive until the empty line is there, and parse then.")
def files_recv(seen: Seen) -> str | None:
    if not seen.facts.get("in pieces") or seen.blocked_in("recv"):
        return None
    return "It took what one recv() returned for the whole request."


@serve_files.misconception("name-not-unquoted", advice="urllib.parse.unquote(path): %67 is a g.")
def files_quoted(seen: Seen) -> str | None:
    if not seen.facts.get("quoted") or "wrong" not in seen.facts:
        return None
    return "It looked for a file whose name has %67 in it: clients may write any letter of a path so."


@serve_files.misconception("missing-ends-it", advice="Catch OSError when you open it, and answer 404.")
def files_missing(seen: Seen) -> str | None:
    if not seen.facts.get("missing") or "wrong" not in seen.facts:
        return None
    return "It was asked for a file that is not there, and hung up without a word, or said another one than 404."
