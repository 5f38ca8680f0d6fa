"""The exercises of lesson 18: TCP_INFO of any length, and a heartbeat.

Records are made by hand where their numbers are to be known; the last one is a real connection's. Of the heartbeat,
what tells right from wrong is an event: an answer that had been whole, or was not yet, when the function came back.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

from ...experiments.doors.wire import abort
from ..attempt import Attempt
from ..definition import Exercise
from ..dribble import dribble
from ..seen import Seen
from ..words import shown

LESSON = "18_inside_tcp"

decode_tcp_info = Exercise(
    "decode_tcp_info",
    lesson=LESSON,
    wants="decode_tcp_info(data)",
    task="Return a dict of state, unacked, rtt, snd_cwnd, total_retrans and bytes_acked, as numbers, from the bytes of "
    "a TCP_INFO of any length. A field that is not there, or not whole, is None.",
    hints=(
        "A field is there if the place where it ends is not beyond `len(data)`.",
        "`struct.calcsize(code)` says how many bytes a field has: 1, 4 or 8.",
        "Go through the table: for each name an offset and a code, then `unpack_from` or None.",
        "`=` in front of the code: this machine's byte order, and no padding.",
    ),
)

check_peer = Exercise(
    "check_peer",
    lesson=LESSON,
    wants="check_peer(sock, soon, deadline)",
    task='Send b"ping\\n" once and wait for the line b"pong\\n". Return "alive" where it is whole within `soon` '
    'seconds, "slow" where within `deadline`, "dead" where not, "closed" where the peer has closed or the connection '
    "is broken. The socket stays open.",
    hints=(
        "Work out once at which moment of `time.monotonic()` it has to be over.",
        "Before sendall and before each recv: what is left until then? If nothing is left, the peer is dead.",
        "A recv may bring a part of the line: go on until it ends with a line feed.",
        "`b''` and ConnectionError are both `closed`; TimeoutError is `dead`.",
        "The line is whole: how long did it take, more than `soon`?",
    ),
)

# -- decode_tcp_info ---------------------------------------------------------------------------------------------------

FIELDS = {  # linux/tcp.h
    "state": (0, "=B"), "unacked": (24, "=I"), "rtt": (68, "=I"), "snd_cwnd": (80, "=I"), "total_retrans": (100, "=I"),
    "bytes_acked": (120, "=Q"),
}  # fmt: skip
VALUES = {
    "state": 1, "unacked": 3, "rtt": 25_310, "snd_cwnd": 17, "total_retrans": 2, "bytes_acked": 5_000_000_123,
}  # fmt: skip
OLD, NEW = 104, 280  # bytes: Linux 2.6, Linux 6.18


def record(size: int) -> bytes:
    """A record with `VALUES`, and something else in all other places: a wrong offset is not 0 by chance."""
    data = bytearray(n % 251 + 1 for n in range(max(size, NEW)))
    for name, (offset, code) in FIELDS.items():
        struct.pack_into(code, data, offset, VALUES[name])
    return bytes(data[:size])


def decodes(attempt: Attempt, data: bytes, *, numbers: bool = True) -> None:
    """The answer has all six names, with the numbers of `data`; those are told unless they differ on each run."""
    facts = attempt.seen.facts
    facts["size"] = len(data)
    came = attempt.call(data)
    attempt.want(isinstance(came, dict), "it returns a dict", f"it returned {shown(came)}")
    for name, (offset, code) in FIELDS.items():
        whole = offset + struct.calcsize(code) <= len(data)
        wanted = struct.unpack_from(code, data, offset)[0] if whole else None
        facts["name"], facts["wanted"], facts["came"] = name, wanted, came.get(name, "nothing")
        attempt.want(name in came, f"{name!r} in the dict", "it is not there")
        same = came[name] == wanted and type(came[name]) is type(wanted)
        text = f"{name} {shown(came[name])}" if numbers else f"another {name}"
        attempt.want(same, f"{name} {wanted}" if numbers else f"{name} as in the record", text)


@decode_tcp_info.scenario("the record of a newer Linux, 280 bytes")
def decodes_new(attempt: Attempt) -> None:
    decodes(attempt, record(NEW))


@decode_tcp_info.scenario("the record of an old Linux, 104 bytes")
def decodes_old(attempt: Attempt) -> None:
    decodes(attempt, record(OLD))


@decode_tcp_info.scenario("a field that is cut in the middle")
def decodes_cut(attempt: Attempt) -> None:
    decodes(attempt, record(FIELDS["bytes_acked"][0] + 4))
    decodes(attempt, record(FIELDS["rtt"][0] + 2))


@decode_tcp_info.scenario("one byte, and none at all")
def decodes_nothing(attempt: Attempt) -> None:
    decodes(attempt, record(1))
    decodes(attempt, b"")


@decode_tcp_info.scenario("more than any kernel has")
def decodes_more(attempt: Attempt) -> None:
    decodes(attempt, record(400))


@decode_tcp_info.scenario("the record of a real connection")
def decodes_real(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    sock.sendall(b"hello")
    peer.recv(5)
    try:
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1024)
    except (AttributeError, OSError):  # another system than Linux
        data = record(NEW)
    decodes(attempt, data, numbers=False)


@decode_tcp_info.misconception(
    "exact-size", advice="`unpack_from` reads a field at its place, and minds no more bytes."
)
def decode_exact(seen: Seen) -> str | None:
    if not seen.raised(struct.error) or seen.facts["size"] < NEW:
        return None
    return f"It raised struct.error for {seen.facts['size']} bytes: `unpack` wants exactly as many as its format has."


@decode_tcp_info.misconception("raises-when-short", advice="Ask, field by field, whether it ends within `len(data)`.")
def decode_raises(seen: Seen) -> str | None:
    if not seen.raised(struct.error, IndexError):
        return None
    n, kind = seen.facts["size"], type(seen.error).__name__
    return f"It raised {kind} for {n} byte{'s' * (n != 1)}: an older kernel gives fewer than the newest."


@decode_tcp_info.misconception("zero-for-missing", advice="None for what is not told: 0 is a measurement.")
def decode_zero(seen: Seen) -> str | None:
    if seen.facts.get("wanted", 0) is not None or seen.facts.get("came") != 0:
        return None
    return f"It said that {seen.facts['name']} is 0, and the record ends before that field."


@decode_tcp_info.misconception("left-out", advice="All six names, always; None for what is not there.")
def decode_left_out(seen: Seen) -> str | None:
    if not (seen.returned and isinstance(seen.result, dict)) or seen.facts["name"] in seen.result:
        return None
    return f"There is no {seen.facts['name']!r} in its dict: who looks it up gets a KeyError instead of None."


@decode_tcp_info.misconception("all-or-nothing", advice="Decide for each field on its own.")
def decode_all_or_nothing(seen: Seen) -> str | None:
    if not seen.returned or seen.facts.get("wanted") is None or seen.facts.get("came") is not None:
        return None
    return f"It gave None for {seen.facts['name']}, which is there, whole, in a record of {seen.facts['size']} bytes."


@decode_tcp_info.misconception("cut-field", advice="A field is there if all of its bytes are.")
def decode_cut_field(seen: Seen) -> str | None:
    if "cut" not in seen.scenario or seen.facts.get("wanted", 0) is not None or not seen.returned:
        return None
    return f"Only a part of {seen.facts['name']} is there, and it made a number of that."


def other_order(name: str, value: int) -> int:
    size = struct.calcsize(FIELDS[name][1])
    return int.from_bytes(value.to_bytes(size, "little"), "big")


@decode_tcp_info.misconception("network-order", advice="`=`: the kernel writes numbers as this machine keeps them.")
def decode_order(seen: Seen) -> str | None:
    facts = seen.facts
    if not isinstance(facts.get("wanted"), int) or facts["came"] != other_order(facts["name"], facts["wanted"]):
        return None
    return f"It read {facts['name']} backwards: `!` and `>` are for what comes from the wire, and this came from here."


@decode_tcp_info.misconception("half-of-eight", advice="bytes_acked has eight bytes: `Q`.")
def decode_half(seen: Seen) -> str | None:
    facts = seen.facts
    if facts.get("name") != "bytes_acked" or facts["came"] != VALUES["bytes_acked"] & 0xFFFF_FFFF:
        return None
    return "It read four of the eight bytes of bytes_acked: beyond 4 GiB the number starts again."


@decode_tcp_info.misconception("word-for-number", advice="Return the number; words can be made of it later.")
def decode_word(seen: Seen) -> str | None:
    came = seen.facts.get("came")
    if not isinstance(came, (str, bytes)) or not isinstance(seen.result, dict):
        return None
    return f"It gave {shown(came, 30)} for {seen.facts['name']}, where a number was asked for."


@decode_tcp_info.misconception("wrong-place", advice="Look the offset up in the table: it counts bytes, from 0.")
def decode_place(seen: Seen) -> str | None:
    if not isinstance(seen.facts.get("wanted"), int) or not isinstance(seen.facts["came"], int):
        return None
    return f"It read {seen.facts['name']} at another place than the table says."


# -- check_peer --------------------------------------------------------------------------------------------------------

PING, PONG = b"ping\n", b"pong\n"
Reply = Callable[[socket.socket], object]


def beats(attempt: Attempt, soon: float, deadline: float, wanted: str, reply: Reply | None) -> None:
    """A peer that does `reply` once it has the question. What it hears goes into the facts."""
    sock, peer = attempt.connection()
    facts = attempt.seen.facts
    facts["heard"], facts["wanted"] = b"", wanted

    def answers() -> None:
        while PING not in facts["heard"]:
            piece = peer.recv(100)
            if not piece:
                return
            facts["heard"] += piece
        if reply is not None:
            reply(peer)

    attempt.beside(answers)
    began = time.monotonic()
    came = attempt.call(sock, soon, deadline)
    facts["took"] = time.monotonic() - began
    facts["early"] = wanted == "dead" and facts["took"] < deadline - 0.005
    facts["closed"] = sock.fileno() == -1
    facts["heard"] += heard_since(peer)
    attempt.want(not facts["closed"], "the socket is open", "it was closed")
    attempt.equal(came, wanted)
    attempt.want(not facts["early"], '"dead" when the deadline is over', "it came back before")
    again = facts["heard"].startswith(PING + PING)  # how often, the clock decides
    heard = "it heard that again and again" if again else f"it heard {shown(facts['heard'])}"
    attempt.want(facts["heard"] == PING, f"the peer hears {PING!r}", heard)


def heard_since(peer: socket.socket) -> bytes:
    """What has come by now, and was not read."""
    with suppress(OSError, ValueError):  # a peer that has closed hears nothing
        peer.setblocking(False)
        return peer.recv(1000)
    return b""


def at_once(peer: socket.socket) -> None:
    peer.sendall(PONG)


def late(peer: socket.socket) -> None:
    time.sleep(0.25)
    peer.sendall(PONG)


def hangs_up(peer: socket.socket) -> None:
    peer.close()


def drips(peer: socket.socket) -> None:
    with suppress(OSError):  # the scenario is over, and has closed it
        for letter in PONG:
            time.sleep(0.12)
            peer.sendall(bytes([letter]))


# In this order: an answer that hangs does so early, and has all of its time; what takes time in any case comes last.


@check_peer.scenario("a peer that answers at once")
def beats_at_once(attempt: Attempt) -> None:
    beats(attempt, 1.0, 1.5, "alive", at_once)


@check_peer.scenario("an answer in pieces")
def beats_in_pieces(attempt: Attempt) -> None:
    sock, peer = attempt.connection()
    attempt.seen.facts["wanted"] = "alive"
    attempt.beside(lambda: dribble(peer, sock, PONG, 2) if peer.recv(100) else None)
    attempt.equal(attempt.call(sock, 1.0, 1.5), "alive")


@check_peer.scenario("a peer that closes")
def beats_closed(attempt: Attempt) -> None:
    beats(attempt, 0.2, 0.5, "closed", hangs_up)


@check_peer.scenario("a peer that resets")
def beats_reset(attempt: Attempt) -> None:
    beats(attempt, 0.2, 0.5, "closed", abort)


@check_peer.scenario("a peer that never answers")
def beats_never(attempt: Attempt) -> None:
    beats(attempt, 0.05, 0.2, "dead", None)


def cram(sock: socket.socket) -> None:
    """Send until not a byte is taken for 0.3 s.

    Until then an acknowledgement, delayed by 40 ms, or the first probe of the window, after 200 ms, may make room.
    """
    sock.setblocking(False)
    full = 0
    while full < 15:
        try:
            sock.send(bytes(65536))
            full = 0
        except BlockingIOError:
            full += 1
            time.sleep(0.02)
    sock.setblocking(True)


@check_peer.scenario("a peer that reads nothing, and whose window is full")
def beats_full(attempt: Attempt) -> None:
    sock, _ = attempt.connection()
    cram(sock)
    attempt.seen.facts["wanted"] = "dead"
    attempt.equal(attempt.call(sock, 0.05, 0.2), "dead")


@check_peer.scenario("an answer that comes late")
def beats_late(attempt: Attempt) -> None:
    beats(attempt, 0.1, 1.6, "slow", late)


@check_peer.scenario("one letter at a time, for longer than the deadline")
def beats_drip(attempt: Attempt) -> None:
    beats(attempt, 0.05, 0.3, "dead", drips)


@check_peer.misconception("closes-it", advice="Leave the socket open; its owner decides what becomes of it.")
def check_closes(seen: Seen) -> str | None:
    return "It closed the socket, which its owner wants to use again." if seen.facts.get("closed") else None


@check_peer.misconception("no-question", advice='sendall(b"ping\\n") first: keepalive would ask the kernel.')
def check_no_question(seen: Seen) -> str | None:
    if seen.facts.get("heard", PING) or seen.sent or "full" in seen.scenario:
        return None
    return "It sent nothing: a peer that is not asked does not answer, however alive it is."


@check_peer.misconception("asks-again", advice="One question, then wait: a slow peer would answer each of them.")
def check_again(seen: Seen) -> str | None:
    if seen.facts.get("heard", b"").count(PING) < 2:
        return None
    return f"It asked {seen.facts['heard'].count(PING)} times: a peer that is busy gets more to do."


@check_peer.misconception("send-unbounded", advice="Set the timeout before sendall: it waits for room.")
def check_send(seen: Seen) -> str | None:
    if not seen.blocked_in("send"):
        return None
    return "It is blocked in sendall(): the peer's window is full, and no timeout was set by then."


@check_peer.misconception("no-limit", advice="Set a timeout before recv: what is left until the deadline.")
def check_no_limit(seen: Seen) -> str | None:
    if not seen.blocked_in("recv"):
        return None
    return "It is blocked in recv(): this peer never answers, and no timeout was set."


@check_peer.misconception("timeout-raised", advice='Catch TimeoutError: for this function it is an answer, "dead".')
def check_raised(seen: Seen) -> str | None:
    return "It raised TimeoutError; its caller wants a word." if seen.raised(TimeoutError) else None


@check_peer.misconception("reset-raised", advice='Catch ConnectionError: a broken connection is "closed".')
def check_reset(seen: Seen) -> str | None:
    if not seen.raised(ConnectionError) and not seen.lacked(errno.ECONNRESET):
        return None
    return f"It raised {type(seen.error).__name__}; its caller wants a word."


@check_peer.misconception("early", advice="`dead` is for when the deadline is over.")
def check_early(seen: Seen) -> str | None:
    if seen.returned and seen.result == "dead" and seen.facts.get("wanted") == "slow":
        return "It hung up on a peer that is slow: the answer came before the deadline."
    if seen.returned and seen.facts.get("early") and seen.result == "dead":
        return 'It said "dead" before the deadline was over.'
    return None


@check_peer.misconception("one-recv", advice="Receive until the line is whole.")
def check_one_recv(seen: Seen) -> str | None:
    if "pieces" not in seen.scenario or not seen.returned or len(seen.made("recv")) != 1:
        return None
    return f"It made {shown(seen.result)} of the first {seen.received} bytes: a recv returns what has arrived."


@check_peer.misconception("each-its-own-time", advice="Before each recv, set what is left until the deadline.")
def check_each(seen: Seen) -> str | None:
    if "letter" not in seen.scenario or not seen.returned or seen.result not in ("slow", "alive"):
        return None
    return "The last letter came after the deadline, and it waited for it: each recv had the whole time again."


@check_peer.misconception("a-part-is-enough", advice="Compare with the whole line.")
def check_part(seen: Seen) -> str | None:
    if "letter" not in seen.scenario or seen.result != "closed":
        return None
    return 'It said "closed" of a peer that was still sending.'


@check_peer.misconception("closed-is-dead", advice="recv returns b'' where the peer has closed: say so at once.")
def check_closed(seen: Seen) -> str | None:
    if seen.facts.get("wanted") != "closed" or not seen.returned or seen.result == "closed":
        return None
    return (
        f"It returned {shown(seen.result)} of a peer that has ended the connection: that one did answer, with its end."
    )


@check_peer.misconception("late-is-alive", advice="Compare what it took with `soon`.")
def check_late(seen: Seen) -> str | None:
    if seen.facts.get("wanted") != "slow" or seen.result != "alive":
        return None
    return 'It said "alive" of an answer that came later than `soon`.'
