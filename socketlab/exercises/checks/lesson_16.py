"""The exercises of lesson 16: a request that leaves in one piece, and a page whose parts leave together.

What counts is how many segments with data came to the other end, and its kernel tells (TCP_INFO, data_segs_in). No
clock is asked: who writes twice sends two segments, whether the second one had to wait or not. Where a kernel does
not count them, only the bytes are looked at.
"""

from __future__ import annotations

import socket
from _socket import socket as _Socket  # looks at options are no calls of anybody
from collections.abc import Iterator, Sequence

from ...measure.tcp_fields import tcp_info
from ...trace.events import OUT
from ..attempt import Attempt, until
from ..definition import Exercise
from ..dribble import dribble
from ..seen import Seen
from ..words import shown

LESSON = "16_small_writes"
LATER = 5.0  # seconds: a timeout beyond every deadline

LONG = 1_000  # arguments of so many bytes each make a request that no send buffer takes while nobody reads:
STILL = 5  # looks, a millisecond apart
SMALL_BUFFER = 65_536  # bytes asked for; kernels grant twice that, and somewhat more
PART, PARTS = 100_000, 30  # bytes, and how many of them: a page of 3 MB
CLOSED = "it is closed"

call = Exercise(
    "call",
    lesson=LESSON,
    wants="call(sock, name, arguments)",
    task="Send a line with `name`, a line for each of `arguments`, and an empty line, in one segment where it fits, "
    "and without TCP_NODELAY; return the reply, a line, without its line end; raise EOFError where it does not come.",
    hints=(
        "Each write may become a segment. How many writes does the request need?",
        r'`b"\n".join([...])` puts line ends between the pieces of a list: make one `bytes` of them all.',
        "`sendall` sends what is long in as many steps as it takes, `send` and `sendmsg` may stop in the middle.",
        r"A reply may come in pieces: receive until it ends with `b'\n'`, or until recv returns `b''`.",
    ),
    deadline=1.0,
)

send_page = Exercise(
    "send_page",
    lesson=LESSON,
    wants="send_page(conn, head, parts)",
    task="Send `head`, and each part that the generator `parts` makes, in as few segments as can be and without "
    "keeping them all; hold nothing back in the kernel afterwards, also where `parts` raises.",
    hints=(
        "You cannot know which part is the last one, so you cannot say it with a flag. Who can wait for you?",
        "`TCP_CORK` holds back what is no full segment, until you set it to 0.",
        "A cork that stays in holds the last part back, and the next answer too: `try`, then `finally`.",
        "A file from `makefile('wb')` gathers as well, and `with` sends the rest on every way out.",
    ),
)


# -- what the scenarios share ------------------------------------------------------------------------------------------


def is_on(sock: socket.socket, option: str) -> bool:
    """Whether an option of TCP is on; no option that this system has not is on, and none of a closed socket."""
    if not hasattr(socket, option) or sock.fileno() < 0:
        return False
    return bool(_Socket.getsockopt(sock, socket.IPPROTO_TCP, getattr(socket, option)))


def segments_in(peer: socket.socket) -> int | None:
    """Segments with data that have come to `peer`; None where the kernel does not count them."""
    return tcp_info(peer).data_segs_in


def in_one_segment(attempt: Attempt, count: int, what: str) -> None:
    """`count` segments brought `what`; 0 where nobody has counted."""
    attempt.seen.facts["segments"] = count
    attempt.want(count <= 1, f"{what} in one segment", "it in more than one")


def writes(seen: Seen) -> int:
    return sum(event.direction == OUT and bool(event.size) for event in seen.calls)


def uncorked(attempt: Attempt, sock: socket.socket) -> None:
    attempt.seen.facts["corked"] = is_on(sock, "TCP_CORK")
    attempt.want(not is_on(sock, "TCP_CORK"), "TCP_CORK is off when it is done", "TCP_CORK is still on")


# -- call --------------------------------------------------------------------------------------------------------------


def serve(attempt: Attempt, peer: socket.socket, replies: Sequence[tuple[bytes, ...]]) -> None:
    """A reply, in pieces, to each request. `facts` has what came, and in how many segments."""
    facts = attempt.seen.facts
    for pieces in replies:
        before = segments_in(peer)
        request = b""
        while not request.endswith(b"\n\n"):
            piece = peer.recv(65536)
            if not piece:
                return
            request += piece
            facts["request"] = request
        after = segments_in(peer)
        facts["counts"].append(0 if before is None or after is None else after - before)
        for piece in pieces:
            dribble(peer, facts["sock"], piece, len(piece))


def filled(sock: socket.socket) -> None:
    """Wait until something lies unsent in `sock`, and no more comes to it; a moment at most."""
    looks: list[int | None] = [0]

    def stands() -> bool:
        looks.append(tcp_info(sock).notsent_bytes)
        return looks[-1] != 0 and len(set(looks[-STILL:])) == 1

    until(stands, 0.3)


def calls(
    attempt: Attempt, requests: Sequence[tuple[bytes, list[bytes]]], replies: Sequence[tuple[bytes, ...]]
) -> None:
    """Each of `requests` over one connection; what comes back, and how it left."""
    sock, peer = attempt.connection()
    facts = attempt.seen.facts
    facts.update(sock=sock, counts=[], request=b"")
    attempt.beside(serve, attempt, peer, replies)
    for (name, arguments), pieces in zip(requests, replies, strict=True):
        reply = attempt.call(sock, name, arguments)
        facts["nodelay"] = is_on(sock, "TCP_NODELAY")
        wanted = b"".join(line + b"\n" for line in (name, *arguments, b""))
        attempt.equal(facts["request"], wanted, "the server got")
        attempt.want(not facts["nodelay"], "TCP_NODELAY is off", "it is on")
        in_one_segment(attempt, facts["counts"].pop(), "the request")
        uncorked(attempt, sock)
        attempt.equal(reply, b"".join(pieces).removesuffix(b"\n"))


@call.scenario("a name and two arguments")
def two_arguments(attempt: Attempt) -> None:
    calls(attempt, [(b"add", [b"2", b"3"])], [(b"5\n",)])


@call.scenario("a name alone")
def name_alone(attempt: Attempt) -> None:
    calls(attempt, [(b"ping", [])], [(b"pong\n",)])


@call.scenario("ten calls on one connection")
def ten_calls(attempt: Attempt) -> None:
    numbers = [b"%d" % n for n in range(10)]
    calls(attempt, [(b"next", [number]) for number in numbers], [(number + b"\n",) for number in numbers])


@call.scenario("the reply comes in two pieces")
def in_two_pieces(attempt: Attempt) -> None:
    calls(attempt, [(b"greet", [b"you"])], [(b"good ", b"morning\n")])


@call.scenario("the connection ends in the middle of the reply")
def ends_in_the_middle(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    attempt.seen.facts.update(sock=sock, counts=[], request=b"", ends=True)

    def talk() -> None:
        serve(attempt, peer, [(b"good ",)])
        peer.shutdown(socket.SHUT_WR)

    attempt.beside(talk)
    attempt.raises(EOFError, sock, b"greet", [b"you"])


@call.scenario("a request of a megabyte, and a socket with a timeout")
def long_request(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    sock.settimeout(LATER)
    for one, option in ((sock, socket.SO_SNDBUF), (peer, socket.SO_RCVBUF)):
        one.setsockopt(socket.SOL_SOCKET, option, SMALL_BUFFER)
    arguments = [b"x" * LONG] * LONG
    facts = attempt.seen.facts
    facts.update(sock=sock, counts=[], request=b"")

    def talk() -> None:
        filled(sock)  # a send that may stop in the middle has stopped
        serve(attempt, peer, [(b"ok\n",)])

    attempt.beside(talk)
    reply = attempt.call(sock, b"store", arguments)
    came, wanted = len(facts["request"]), len(b"store\n") + LONG * (LONG + 1) + 1
    attempt.want(came == wanted, f"the server got {wanted:,} bytes", f"{came:,}")
    attempt.equal(reply, b"ok")


@call.misconception("nodelay", advice="Leave the option alone, and write once.")
def call_nodelay(seen: Seen) -> str | None:
    if not seen.facts.get("nodelay"):
        return None
    return (
        "It switched TCP_NODELAY on: nothing waits any more, and each write is a segment of its own, with its headers."
    )


@call.misconception("writes-apart", advice="Put the lines together first, then write once.")
def call_apart(seen: Seen) -> str | None:
    if seen.facts.get("segments", 0) < 2:
        return None
    return (
        f"It handed the request over in {writes(seen):,} writes: the first one left alone, and the second one waits "
        "until the first is acknowledged."
    )


@call.misconception("left-corked", advice="Take the cork out before you wait: TCP_CORK to 0, in a finally.")
def call_corked(seen: Seen) -> str | None:
    if not seen.facts.get("corked"):
        return None
    return "It left TCP_CORK on: the kernel waits for more, up to 200 ms, while the server waits for the request."


@call.misconception("sent-in-part", advice="Use sendall, which goes on until all is sent.")
def call_in_part(seen: Seen) -> str | None:
    short = seen.short_sends()
    if not short or not seen.blocked_in("recv"):
        return None
    return f"{short[0].call}() took a part of the request and said so; the rest was not sent, and the server waits."


@call.misconception("no-empty-line", advice="End the request with an empty line, also where there is no argument.")
def call_endless(seen: Seen) -> str | None:
    request = seen.facts.get("request", b"")
    if not seen.blocked_in("recv") or not request or request.endswith(b"\n\n"):
        return None
    return f"It waits for the reply, and the server for the end of the request: {shown(request[-20:])} came last."


@call.misconception("one-recv", advice="Receive until the line is whole.")
def call_one_recv(seen: Seen) -> str | None:
    if seen.facts.get("ends") or not isinstance(seen.result, bytes) or seen.result.strip() != b"good":
        return None
    return f"It returned {shown(seen.result)}, the first piece of the reply: a recv returns what has arrived."


@call.misconception("with-line-end", advice=r"Take the line end off: reply.removesuffix(b'\n').")
def call_line_end(seen: Seen) -> str | None:
    if not isinstance(seen.result, bytes) or not seen.result.endswith(b"\n"):
        return None
    return f"It returned {shown(seen.result)}: the line end says where the reply ends, and is no part of it."


@call.misconception("end-as-reply", advice="Raise EOFError where recv returns b'' before the line end.")
def call_eof(seen: Seen) -> str | None:
    if not seen.returned or not seen.facts.get("ends"):
        return None
    return f"The connection ended before the line did, and it returned {shown(seen.result)} as if that were the reply."


# -- send_page ---------------------------------------------------------------------------------------------------------


def gather(attempt: Attempt, peer: socket.socket) -> None:
    """Everything that comes to `peer`, into `facts`, until the end."""
    facts = attempt.seen.facts
    while piece := peer.recv(65536):
        facts["came"] += len(piece)
        facts["page"] += piece if len(facts["page"]) < 1000 else b""


def held_back(conn: socket.socket) -> bool:
    """Whether bytes lie unsent although nothing is on its way: Nagle's algorithm would have let them go."""
    if conn.fileno() < 0:
        return False
    info = tcp_info(conn)
    return bool(info.notsent_bytes) and not info.unacked


def sends(attempt: Attempt, head: bytes, parts: Iterator[bytes], *, fails: type[Exception] | None = None) -> None:
    """`head` and `parts`, which are short, go out in one segment, and nothing stays behind."""
    conn, peer = attempt.connection()
    facts = attempt.seen.facts
    facts.update(came=0, page=b"", fails=fails is not None)
    before = segments_in(peer)
    if fails is None:
        attempt.call(conn, head, parts)
    else:
        attempt.raises(fails, conn, head, parts)
    facts["nodelay"] = is_on(conn, "TCP_NODELAY")
    facts["held"] = held_back(conn)
    attempt.want(conn.fileno() >= 0, "conn is open when it is done", CLOSED)
    uncorked(attempt, conn)
    attempt.want(not facts["held"], "nothing lies in the kernel when it is done", "some bytes do")
    beside = attempt.beside(gather, attempt, peer)
    conn.shutdown(socket.SHUT_WR)
    beside.join(1.0)
    attempt.equal(facts["page"], facts["wanted"], "the client gets")
    after = segments_in(peer)
    # The FIN has no data; what came with it came before the shutdown, as nothing was left.
    in_one_segment(attempt, 0 if before is None or after is None else after - before, "the page")


@send_page.scenario("a head and three short parts")
def three_parts(attempt: Attempt) -> None:
    attempt.seen.facts["wanted"] = b"HEAD one two three."
    sends(attempt, b"HEAD ", iter([b"one ", b"two ", b"three."]))


@send_page.scenario("a head, and no part at all")
def no_part(attempt: Attempt) -> None:
    attempt.seen.facts["wanted"] = b"HEAD "
    sends(attempt, b"HEAD ", iter([]))


@send_page.scenario("the generator raises after two parts")
def raises_in_the_middle(attempt: Attempt) -> None:
    def parts() -> Iterator[bytes]:
        yield b"one "
        yield b"two "
        raise LookupError("the third part is not to be found")

    attempt.seen.facts["wanted"] = b"HEAD one two "
    sends(attempt, b"HEAD ", parts(), fails=LookupError)


@send_page.scenario("thirty parts of 100,000 bytes, each made when the ones before are under way")
def long_page(attempt: Attempt) -> None:
    conn, peer = attempt.connection()
    facts = attempt.seen.facts
    facts.update(came=0, page=b"", kept=False)

    def parts() -> Iterator[bytes]:
        for number in range(PARTS):
            # One part may be under way, and what fills no segment may wait behind it.
            due = (number - 2) * PART
            if due > 0 and not facts["kept"] and not until(lambda due=due: facts["came"] >= due, 0.5):  # type: ignore[misc]
                facts["kept"] = True
            yield bytes(PART)

    beside = attempt.beside(gather, attempt, peer)
    attempt.call(conn, b"HEAD ", parts())
    uncorked(attempt, conn)
    conn.shutdown(socket.SHUT_WR)
    beside.join(1.0)
    attempt.want(not facts["kept"], "it sends while the parts are made", "it asked for all of them first")
    wanted = 5 + PARTS * PART
    attempt.want(facts["came"] == wanted, f"the client gets {wanted:,} bytes", f"{facts['came']:,}")


@send_page.misconception("page-nodelay", advice="Let the kernel gather the parts: a cork, or a buffer.")
def page_nodelay(seen: Seen) -> str | None:
    if not seen.facts.get("nodelay") or seen.facts.get("segments", 0) < 2:
        return None
    return "With TCP_NODELAY each part left at once, in a segment of its own: no wait, and more headers than words."


@send_page.misconception("cork-after-error", advice="Take the cork out in a `finally`.")
def page_cork_error(seen: Seen) -> str | None:
    if not seen.facts.get("corked") or not seen.facts.get("fails"):
        return None
    return "The generator raised, and TCP_CORK stayed on: whoever uses the connection next is held back."


@send_page.misconception("cork-left", advice="Set TCP_CORK to 0 after the last part: that sends it.")
def page_cork(seen: Seen) -> str | None:
    if not seen.facts.get("corked"):
        return None
    return "It left TCP_CORK on: the last part lies in the kernel, which waits up to 200 ms for a full segment."


@send_page.misconception("more-for-ever", advice="The last write has to go without the flag, or take a cork instead.")
def page_more(seen: Seen) -> str | None:
    if not seen.facts.get("held"):
        return None
    return "Its last write said that more is coming, and nothing came: the bytes lie in the kernel for up to 200 ms."


@send_page.misconception("error-swallowed", advice="Let the exception out: `finally` does its work and passes it on.")
def page_swallowed(seen: Seen) -> str | None:
    if not seen.facts.get("fails") or not seen.returned:
        return None
    return "The generator raised LookupError, and it returned: its caller takes half a page for a whole one."


@send_page.misconception("lost-with-error", advice="Send each part when it is made.")
def page_lost(seen: Seen) -> str | None:
    if not seen.facts.get("fails") or seen.facts.get("page") != b"":
        return None
    return "The generator raised, and nothing was sent: the parts that it had made were still in a list."


@send_page.misconception("keeps-all", advice="Write each part before you ask for the next one.")
def page_kept(seen: Seen) -> str | None:
    if not seen.facts.get("kept"):
        return None
    return "It asked for part after part and sent none: a page larger than the memory would never leave."


@send_page.misconception("each-alone", advice="Let the kernel gather the parts: a cork, or a buffer.")
def page_apart(seen: Seen) -> str | None:
    if seen.facts.get("segments", 0) < 2:
        return None
    return f"It made {writes(seen)} writes: the first one left alone, and the others wait until it is acknowledged."


@send_page.misconception("closed", advice="Leave conn open: its owner may answer again.")
def page_closed(seen: Seen) -> str | None:
    if seen.came != CLOSED:
        return None
    return "It closed conn: a page has an end, and the connection may have another page."
