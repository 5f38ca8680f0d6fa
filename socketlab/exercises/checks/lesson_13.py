"""The exercises of lesson 13: decode SO_LINGER, whatever its size; borrow options and put them back.

The bytes of the first come from this kernel where it can give them, and are written down where only another system
would. The second is tried on real sockets: what counts is what the kernel says in the block, and after it.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any

from ..attempt import Attempt
from ..definition import Exercise
from ..seen import Seen
from ..words import shown

LESSON = "13_the_option_atlas"

decode_linger = Exercise(
    "decode_linger",
    lesson=LESSON,
    wants="decode_linger(data)",
    task="Return the bytes of SO_LINGER as a tuple: on, True or False, and the seconds, an int. Eight bytes are two "
    "ints of C, four are two of Windows' shorts. Raise ValueError for any other size.",
    hints=(
        "`len(data)` tells which of the two forms it is, or that it is neither.",
        '`struct.unpack("ii", data)` and `struct.unpack("hh", data)`: without `!`, these bytes never left a machine.',
        "`bool(n)` is True for whatever is not 0.",
        "struct.error is no ValueError: look at the size before you unpack.",
    ),
)

borrowed_options = Exercise(
    "borrowed_options",
    lesson=LESSON,
    wants="borrowed_options(sock, settings)",
    yields=True,
    task="For `with`: in the block the options of the list (level, name, value) are set, and after it each has the "
    "value that it had before, whatever the block did. Where one is refused, raise that, and put back the others.",
    hints=(
        "`@contextlib.contextmanager` above a function with one `yield`; what is set stands before it.",
        "Before each `setsockopt` note `(level, name, getsockopt(level, name))` in a list.",
        "`try` has to begin before the first setting, so that its `finally` runs where one is refused.",
        "Put back in the reversed order; of SO_RCVBUF and SO_SNDBUF half of what you read, as the kernel doubles it.",
    ),
)


# -- decode_linger -----------------------------------------------------------------------------------------------------


def linger_of(value: tuple[int, int] | None = None, room: int = 8) -> bytes:
    """What this kernel has for SO_LINGER on a fresh socket, on which `value` has been set."""
    with socket.socket() as sock:
        if value is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", *value))
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, room)


def decodes(attempt: Attempt, data: bytes, on: bool, seconds: int) -> None:
    """Such bytes, and what they mean."""
    attempt.seen.facts["data"], attempt.seen.facts["wanted"] = data, (on, seconds)
    result = attempt.call(data)
    attempt.equal(result, (on, seconds))
    attempt.want(type(result[0]) is bool, f"{on}, a bool", shown(result[0]))


@decode_linger.scenario("on, 5 seconds")
def decodes_on(attempt: Attempt) -> None:
    decodes(attempt, linger_of((1, 5)), True, 5)


@decode_linger.scenario("a new socket")
def decodes_off(attempt: Attempt) -> None:
    decodes(attempt, linger_of(), False, 0)


@decode_linger.scenario("on, 300 seconds")
def decodes_two_bytes(attempt: Attempt) -> None:
    decodes(attempt, linger_of((1, 300)), True, 300)


@decode_linger.scenario("on as macOS says it, 128")
def decodes_from_macos(attempt: Attempt) -> None:
    decodes(attempt, struct.pack("ii", 128, 5), True, 5)


@decode_linger.scenario("four bytes, from Windows")
def decodes_from_windows(attempt: Attempt) -> None:
    decodes(attempt, struct.pack("hh", 1, 300), True, 300)


@decode_linger.scenario("six bytes: too little room")
def decodes_cut(attempt: Attempt) -> None:
    attempt.seen.facts["data"] = data = linger_of((1, 5), room=6)
    attempt.raises(ValueError, data)


@decode_linger.scenario("no bytes, and twelve")
def decodes_other_sizes(attempt: Attempt) -> None:
    for data in (b"", struct.pack("iii", 1, 5, 0)):
        attempt.seen.facts["data"] = data
        attempt.raises(ValueError, data)


def decoded(seen: Seen) -> tuple[Any, Any] | None:
    """The two values that were returned where others were wanted; None where it was no pair."""
    result = seen.result
    wrong = seen.returned and isinstance(result, (tuple, list)) and len(result) == 2 and "wanted" in seen.facts
    return (result[0], result[1]) if wrong else None


@decode_linger.misconception(
    "network-order", advice="Leave out the `!`: an option is kept in this machine's own byte order."
)
def linger_network_order(seen: Seen) -> str | None:
    pair, data = decoded(seen), seen.facts.get("data", b"")
    form = {8: "ii", 4: "hh"}.get(len(data))
    if pair is None or form is None or pair[1] == seen.facts["wanted"][1]:
        return None
    if pair[1] not in (struct.unpack(f"!{form}", data)[1], struct.unpack(f">{form}", data)[1]):
        return None
    return (
        f"It found {pair[1]:,} seconds where {seen.facts['wanted'][1]:,} were set: it read the bytes in the order of "
        "the network, and they come from a kernel, not from a wire."
    )


@decode_linger.misconception("swapped", advice="The first number is on or off, the second are the seconds.")
def linger_swapped(seen: Seen) -> str | None:
    pair = decoded(seen)
    if pair is None or isinstance(pair[0], bool) or pair[0] != seen.facts["wanted"][1] or pair[1] == pair[0]:
        return None
    return f"It returned {shown(seen.result)}: the seconds stand first, and on or off behind them."


@decode_linger.misconception("one-byte", advice="Let struct.unpack take all bytes of each number.")
def linger_one_byte(seen: Seen) -> str | None:
    pair = decoded(seen)
    if pair is None or pair[1] != seen.facts["wanted"][1] % 256 or pair[1] == seen.facts["wanted"][1]:
        return None
    wanted = seen.facts["wanted"][1]
    return f"It found {pair[1]} seconds instead of {wanted}: it looked at one byte of a number that has several."


@decode_linger.misconception("on-is-one", advice="Ask whether it is 0, or use bool().")
def linger_on_is_one(seen: Seen) -> str | None:
    pair = decoded(seen)
    if pair is None or pair[0] is not False or not seen.facts["wanted"][0] or "128" not in seen.scenario:
        return None
    return "It said that 128 is off: it compared with 1, and whatever is not 0 is on."


@decode_linger.misconception("number-for-bool", advice="Turn the first one into a bool: bool(n).")
def linger_number(seen: Seen) -> str | None:
    pair = decoded(seen)
    if pair is None or isinstance(pair[0], bool) or not isinstance(pair[0], int):
        return None
    if bool(pair[0]) != seen.facts["wanted"][0] or pair[1] != seen.facts["wanted"][1]:
        return None
    on = "on" if pair[0] else "off"
    return f"It returned the number {pair[0]} for {on}: what that number is differs between systems, True does not."


@decode_linger.misconception("off-is-nothing", advice="Return (False, seconds) where it is off.")
def linger_nothing(seen: Seen) -> str | None:
    if not (seen.returned and seen.result in (None, False, ()) and seen.facts.get("wanted", (True,))[0] is False):
        return None
    return f"Off, and it returned {shown(seen.result)}: the caller wants two values each time."


@decode_linger.misconception("struct-error", advice="Look at len(data) first, and raise ValueError yourself.")
def linger_struct_error(seen: Seen) -> str | None:
    if not seen.raised(struct.error) or not seen.expected.startswith("it raises"):
        return None
    size = len(seen.facts.get("data", b""))
    return f"{size} bytes are no linger, and it raised struct.error, which an `except ValueError` does not catch."


@decode_linger.misconception("one-size", advice="Choose the format by len(data): 8 or 4.")
def linger_one_size(seen: Seen) -> str | None:
    size = len(seen.facts.get("data", b""))
    if not seen.raised(struct.error, ValueError) or seen.expected.startswith("it raises"):
        return None
    kind = "struct.error" if seen.raised(struct.error) else "ValueError"
    return f"It raised {kind} for {size} bytes, which are a linger: it knows another size only."


@decode_linger.misconception("cut-accepted", advice="Raise ValueError unless there are exactly 8 bytes or 4.")
def linger_cut(seen: Seen) -> str | None:
    if not seen.returned or not seen.expected.startswith("it raises"):
        return None
    size = len(seen.facts.get("data", b""))
    return f"It returned {shown(seen.result)} for {size} bytes: numbers out of a size that no linger has."


@decode_linger.misconception("index-error", advice="Look at len(data) first, and raise ValueError yourself.")
def linger_index(seen: Seen) -> str | None:
    if not seen.raised(IndexError):
        return None
    return "It raised IndexError: it looked for a byte that is not there."


# -- borrowed_options --------------------------------------------------------------------------------------------------

Setting = tuple[int, int, int]

KEEPALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
NODELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY)
TTL = (socket.IPPROTO_IP, socket.IP_TTL)
BUFFERS = {"SO_RCVBUF": (socket.SOL_SOCKET, socket.SO_RCVBUF), "SO_SNDBUF": (socket.SOL_SOCKET, socket.SO_SNDBUF)}
NAMES = {KEEPALIVE: "SO_KEEPALIVE", NODELAY: "TCP_NODELAY", TTL: "IP_TTL", **{v: k for k, v in BUFFERS.items()}}
HOPS = 40  # what IP_TTL is before: a number that nothing else here has


class Trouble(Exception):
    """What the block raises."""


def borrower(attempt: Attempt, **before: int) -> socket.socket:
    """A socket of the scenario's, on which some options have been set."""
    sock = attempt.keep(socket.socket())
    sock.setsockopt(*TTL, HOPS)
    for name, value in before.items():
        option = next(key for key, known in NAMES.items() if known == name)
        sock.setsockopt(*option, value)
    return sock


def values(sock: socket.socket, settings: Sequence[Setting]) -> dict[str, int]:
    """What the kernel says of the options of the list, by name."""
    if sock.fileno() == -1:
        return {}
    return {NAMES[level, name]: sock.getsockopt(level, name) for level, name, _ in settings}


def manager_for(attempt: Attempt, sock: socket.socket, settings: list[Setting]) -> Any:
    """What the answer returns, which has to be something for `with`."""
    manager = attempt.call(sock, settings)
    fits = hasattr(type(manager), "__enter__") and hasattr(type(manager), "__exit__")
    attempt.seen.facts["fits"] = fits
    attempt.want(fits, "something that `with` can use", f"it returned {shown(manager)}")
    return manager


def run(manager: Any, body: Callable[[], object]) -> None:
    with manager:
        body()


def put_back(attempt: Attempt, sock: socket.socket, settings: Sequence[Setting], before: dict[str, int]) -> None:
    """After the block everything is as before."""
    facts = attempt.seen.facts
    facts["closed"] = sock.fileno() == -1
    attempt.want(not facts["closed"], "the socket is open", "it was closed")
    facts["before"], facts["after"] = before, values(sock, settings)
    attempt.equal(facts["after"], before, "after the block")


def in_a_block(attempt: Attempt, sock: socket.socket, settings: list[Setting]) -> None:
    """Borrow, look, give back."""
    facts, before = attempt.seen.facts, values(sock, settings)
    facts["before"] = before
    manager = manager_for(attempt, sock, settings)
    inside: dict[str, int] = {}
    attempt.then("the with block", run, manager, lambda: inside.update(values(sock, settings)))
    wanted = {NAMES[level, name]: value for level, name, value in settings}
    doubled = {name: 2 * wanted[name] if name in BUFFERS else wanted[name] for name in wanted}
    facts["inside"], facts["asked"] = inside, wanted
    fits = all(inside.get(name) in (wanted[name], doubled[name]) for name in wanted)
    attempt.want(fits, f"in the block {wanted}", f"in the block {inside}")
    put_back(attempt, sock, settings, before)


@borrowed_options.scenario("three options in a block")
def borrows_three(attempt: Attempt) -> None:
    in_a_block(attempt, borrower(attempt), [(*KEEPALIVE, 1), (*NODELAY, 1), (*TTL, 5)])


@borrowed_options.scenario("options that were on before")
def borrows_what_was_on(attempt: Attempt) -> None:
    in_a_block(attempt, borrower(attempt, SO_KEEPALIVE=1, TCP_NODELAY=1), [(*KEEPALIVE, 0), (*NODELAY, 1)])


@borrowed_options.scenario("a block that raises")
def borrows_in_trouble(attempt: Attempt) -> None:
    settings = [(*KEEPALIVE, 1), (*TTL, 5)]
    sock = borrower(attempt)
    before = values(sock, settings)
    attempt.seen.facts["before"] = before

    def body() -> None:
        raise Trouble("in the block")

    attempt.then_raises(Trouble, run, manager_for(attempt, sock, settings), body)
    put_back(attempt, sock, settings, before)


@borrowed_options.scenario("both buffers, three times in a row")
def borrows_buffers(attempt: Attempt) -> None:
    sock = borrower(attempt, SO_RCVBUF=20_000, SO_SNDBUF=20_000)
    for _ in range(3):
        in_a_block(attempt, sock, [(*BUFFERS["SO_RCVBUF"], 50_000), (*BUFFERS["SO_SNDBUF"], 50_000)])


@borrowed_options.scenario("the third of three is refused")
def borrows_refused(attempt: Attempt) -> None:
    sock = borrower(attempt)
    settings = [(*KEEPALIVE, 1), (*NODELAY, 1), (*TTL, 256)]
    before = values(sock, settings)
    facts = attempt.seen.facts
    facts["before"], facts["entered"] = before, False
    run(manager_for(attempt, sock, []), lambda: None)  # nothing to borrow is fine as well

    def go() -> None:
        with attempt.function(sock, settings):
            facts["entered"] = True

    error = attempt.then_raises(OSError, go)
    assert isinstance(error, OSError)
    came = errno.errorcode.get(error.errno or 0, "no errno")
    attempt.want(error.errno == errno.EINVAL, "the kernel's EINVAL", came)
    attempt.want(not facts["entered"], "the block is not entered", "it was")
    put_back(attempt, sock, settings, before)


@borrowed_options.scenario("the same option twice in the list")
def borrows_twice(attempt: Attempt) -> None:
    in_a_block(attempt, borrower(attempt), [(*TTL, 5), (*KEEPALIVE, 1), (*TTL, 6)])


def changed(seen: Seen) -> str | None:
    """The first option that has another value after the block than before; None where all is well, or not known."""
    before, after = seen.facts.get("before"), seen.facts.get("after")
    if not before or after is None:
        return None
    return next((name for name in before if after.get(name) != before[name]), None)


@borrowed_options.misconception(
    "no-context-manager", advice="Put @contextlib.contextmanager above a function with a yield."
)
def borrowed_no_manager(seen: Seen) -> str | None:
    if seen.facts.get("fits", True):
        return None
    return f"It returned {shown(seen.result)}: `with` needs something that says what to do at the end of the block."


@borrowed_options.misconception("closes-it", advice="Leave the socket open; who made it closes it.")
def borrowed_closed(seen: Seen) -> str | None:
    return "It closed the socket, which its owner wants to use again." if seen.facts.get("closed") else None


@borrowed_options.misconception("not-set", advice="Set the options before the yield.")
def borrowed_not_set(seen: Seen) -> str | None:
    inside, asked = seen.facts.get("inside"), seen.facts.get("asked")
    if not inside or inside != seen.facts.get("before") or not asked:
        return None
    name = next(iter(asked))
    return f"In the block {name} was {inside[name]}, as before; {asked[name]} was asked for."


@borrowed_options.misconception("set-again", advice="Set the value that the list has: the kernel doubles it by itself.")
def borrowed_set_wrong(seen: Seen) -> str | None:
    inside, asked = seen.facts.get("inside") or {}, seen.facts.get("asked") or {}
    wrong = [n for n in BUFFERS if n in asked and inside.get(n) not in (asked[n], 2 * asked[n])]
    if not wrong or seen.facts.get("after") is not None:
        return None
    name = wrong[0]
    return f"In the block {name} was {inside.get(name):,} bytes where {asked[name]:,} were asked for and doubled."


@borrowed_options.misconception("refusal-swallowed", advice="Let the kernel's error go to the caller.")
def borrowed_refusal(seen: Seen) -> str | None:
    if "refused" not in seen.scenario or not seen.returned or not seen.expected.startswith("it raises"):
        return None
    entered = "the block ran" if seen.facts.get("entered") else "nothing happened"
    return f"The kernel refused an IP_TTL of 256 with EINVAL, and {entered} as if all were set."


@borrowed_options.misconception(
    "half-set", advice="Begin the try before the first setsockopt, so that finally puts back what was set."
)
def borrowed_half(seen: Seen) -> str | None:
    name = changed(seen)
    if name is None or "refused" not in seen.scenario:
        return None
    now = seen.facts["after"][name]
    return f"The third setting was refused, and the first stayed: {name} is {now}, without any block."


@borrowed_options.misconception("swallowed", advice="Let it go: a finally without except and without return does so.")
def borrowed_swallowed(seen: Seen) -> str | None:
    if "raises" not in seen.scenario or not seen.returned or "Trouble" not in seen.expected:
        return None
    return "The block raised, and nothing came out of the with statement: the caller goes on as if all were well."


@borrowed_options.misconception("not-after-an-error", advice="Put them back in a finally around the yield.")
def borrowed_not_after_error(seen: Seen) -> str | None:
    name = changed(seen)
    if name is None or "raises" not in seen.scenario:
        return None
    now = seen.facts["after"][name]
    return f"The block raised at the yield, and the lines behind it never ran: {name} is {now} still."


@borrowed_options.misconception("grows", advice="Of SO_RCVBUF and SO_SNDBUF set half of what you have read.")
def borrowed_grows(seen: Seen) -> str | None:
    name = changed(seen)
    if name not in BUFFERS or seen.facts["after"][name] != 2 * seen.facts["before"][name]:
        return None
    return (
        f"{name} was {seen.facts['before'][name]:,} bytes before the block and is {seen.facts['after'][name]:,} after "
        "it: the kernel doubled what was read, which was doubled already."
    )


@borrowed_options.misconception("halves-all", advice="Halve SO_RCVBUF and SO_SNDBUF only; nothing else is doubled.")
def borrowed_halved(seen: Seen) -> str | None:
    name = changed(seen)
    if name is None or name in BUFFERS or seen.facts["after"][name] != seen.facts["before"][name] // 2:
        return None
    if seen.facts["before"][name] != HOPS:
        return None
    return f"{name} was {HOPS} before the block and is {HOPS // 2} after it: it put back half, as if all were doubled."


@borrowed_options.misconception("back-to-off", advice="Read each option before you set it, and put back what you read.")
def borrowed_off(seen: Seen) -> str | None:
    name = changed(seen)
    if name is None or "on before" not in seen.scenario or seen.facts["after"][name] != 0:
        return None
    return f"{name} was 1 before the block and is 0 after it: somebody had switched it on, and that is lost."


@borrowed_options.misconception("restored-forwards", advice="Put back in the reversed order, the last one first.")
def borrowed_forwards(seen: Seen) -> str | None:
    name = changed(seen)
    if name is None or "twice" not in seen.scenario:
        return None
    return (
        f"{name} stood in the list twice, was {seen.facts['before'][name]} before, and is {seen.facts['after'][name]}: "
        "what the first setting had left was put back last."
    )


@borrowed_options.misconception(
    "not-put-back", advice="Note getsockopt() before you set, and set that after the yield."
)
def borrowed_not_back(seen: Seen) -> str | None:
    name = changed(seen)
    if name is None:
        return None
    return f"{name} was {seen.facts['before'][name]:,} before the block and is {seen.facts['after'][name]:,} after it."
