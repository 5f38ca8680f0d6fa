"""Misconceptions that any answer can have: tried after an exercise's own, from the most telling to the most general.

Each looks at what was seen (`Seen`), never at the source, and gives one sentence of cause. The last one always has
something to say: what the answer did last.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from ..trace.events import OUT
from .definition import Diagnosis, Misconception
from .seen import NO_THREAD, Seen
from .words import shown

KNOWN: list[Misconception] = []


def _known(key: str, advice: str) -> Callable[[Diagnosis], Diagnosis]:
    def add(diagnose: Diagnosis) -> Diagnosis:
        KNOWN.append(Misconception(key, advice, diagnose))
        return diagnose

    return add


@_known("exits", "Return a value or raise an exception; leave the ending of programs to whoever runs them.")
def exits(seen: Seen) -> str | None:
    if not seen.raised(SystemExit):
        return None
    return "It called sys.exit(), which ends not the function but the whole program."


@_known("out-of-memory", "Keep what you need and no more: read in pieces, and stop at a limit.")
def out_of_memory(seen: Seen) -> str | None:
    if not seen.raised(MemoryError) and not isinstance(seen.accident, MemoryError):
        return None
    return "It asked for more memory than an answer needs (the limit is 256 MiB)."


@_known("out-of-descriptors", "Close each socket when you are done with it: `with` does it, also after an error.")
def out_of_descriptors(seen: Seen) -> str | None:
    if not seen.lacked(errno.EMFILE, errno.ENFILE):
        return None
    return "It opened sockets or files until the process had no descriptor left (EMFILE)."


@_known("out-of-threads", "Start as many threads as there is work at the same time, and let them end.")
def out_of_threads(seen: Seen) -> str | None:
    if not any(str(one) == NO_THREAD for one in (seen.error, seen.accident) if isinstance(one, RuntimeError)):
        return None
    return "It started threads until the system gave no more."


@_known("replaces-socket", "Leave the module as it is: every other program in this process uses it too.")
def replaces_socket(seen: Seen) -> str | None:
    return f"It replaced {', '.join(seen.patched)}." if seen.patched else None


@_known("closes-others", "Close a socket with its own close(); its descriptor may belong to somebody else by then.")
def closes_others(seen: Seen) -> str | None:
    if not isinstance(seen.accident, OSError) or seen.accident.errno != errno.EBADF:
        return None
    return "It closed a descriptor behind the back of the socket object that it belongs to."


@_known("str-for-bytes", "Encode before you send, text.encode(); decode after you have received all of it.")
def str_for_bytes(seen: Seen) -> str | None:
    for event in seen.failed("TypeError"):
        if event.direction == OUT or event.call in ("send", "sendall", "sendto", "sendmsg"):
            return f"{event.call}() was given a str: a socket carries bytes, and knows no letters."
    if isinstance(seen.result, str) and seen.expected.startswith("b'"):
        return "It returned a str: what comes from a socket is bytes, and nobody asked for text."
    return None


@_known("end-ignored", "When recv returns b'' leave the loop: the peer has closed, and nothing more will ever come.")
def end_ignored(seen: Seen) -> str | None:
    ends = len(seen.ends_of_stream())
    if ends < 10:
        return None
    return f"recv() returned b'' {ends:,} times: that is the end of the stream, and asking again gives it again."


@_known("gone-before-stop", "Go on until `stop` can be read: the loop looks at it beside the listener.")
def gone_before_stop(seen: Seen) -> str | None:
    if not seen.facts.get("service") or not seen.facts.get("early") or seen.error:
        return None
    return "It returned while its clients were still there, and nobody had told it to end."


@_known("never-stops", "Wait for both, select([listener, stop], [], []), and return when `stop` is among the ready.")
def never_stops(seen: Seen) -> str | None:
    if not seen.facts.get("stopped") or not seen.timed_out:
        return None
    return "All clients have left and `stop` can be read, and it serves on."


@_known("one-thread-for-all", "Let a thread of its own talk with each client, or wait for all of them with a selector.")
def one_thread_for_all(seen: Seen) -> str | None:
    if not seen.facts.get("service") or not seen.facts.get("silent") or not seen.timed_out or seen.facts.get("stopped"):
        return None
    if not seen.blocked_in("recv"):
        return None
    return "It stands in recv() for a client that says nothing, and nobody else is served meanwhile."


@_known("listener-closed", "Leave the socket open: whoever has made it closes it.")
def listener_closed(seen: Seen) -> str | None:
    if not seen.facts.get("service") or seen.came != "it was closed":
        return None
    return "It closed the socket that it was given, and its owner wanted to go on with it."


@_known("threads-left", "Wait for each thread before you return: join(), or a pool's `with`.")
def threads_left(seen: Seen) -> str | None:
    if not seen.facts.get("threads left"):
        return None
    return "It has returned, and a thread that it started is still there."


@_known("no-answer", "Follow what the client has said: who reads it, and who answers?")
def no_answer(seen: Seen) -> str | None:
    if not seen.facts.get("service") or not seen.timed_out or not seen.blocked_in("select", "thread", "accept"):
        return None
    return "It waits for its clients, and one of them waits for an answer."


@_known("blocked", "Ask who has to act for this call to return, and whether anybody will.")
def blocked(seen: Seen) -> str | None:
    if not seen.timed_out or seen.waiting is None:
        return None
    return f"It is blocked in {seen.waiting.call}(): {seen.waiting.words.partition('. ')[0].rstrip('.')}."


@_known("asleep", "Wait for an event (a byte, a connection, the end of a thread), not for a time.")
def asleep(seen: Seen) -> str | None:
    if not seen.timed_out or not seen.asleep:
        return None
    return "It stands still, and not in a call on a socket: it sleeps, or waits for another thread."


@_known("runs-for-ever", "Look at what ends the loop, and whether that can still happen.")
def runs_for_ever(seen: Seen) -> str | None:
    if not seen.timed_out:
        return None
    last = seen.calls[-1] if seen.calls else None
    return f"It was still running when its time was up{f'; its last call was {last}' if last else ''}."


@_known("refused", "Look at the address: is somebody listening there, in that family, by the time you connect?")
def refused(seen: Seen) -> str | None:
    if not seen.raised(ConnectionRefusedError):
        return None
    return "Nobody listens at the address that it connected to: the kernel there answered with a reset."


@_known("uses-closed", "Close a socket after its last use; `with` does it at the right moment.")
def uses_closed(seen: Seen) -> str | None:
    if isinstance(seen.error, OSError) and seen.error.errno == 9:
        return "It used a socket after closing it: the descriptor is no longer its own (EBADF)."
    return None


@_known("raised", "Read the last line of the error first; it names the line that stands above.")
def raised(seen: Seen) -> str | None:
    if seen.error is None:
        return None
    return f"It raised {type(seen.error).__name__}, which nothing in this scenario calls for."


@_known("left-open", "Close what you open, also when something goes wrong: `with`, or try and finally.")
def left_open(seen: Seen) -> str | None:
    if not seen.left_open:
        return None
    n = seen.left_open
    left = "1 socket that it opened was" if n == 1 else f"{n} sockets that it opened were"
    return f"{left} still open when it returned."


@_known("closed-by-luck", "Close it yourself: other Pythons collect garbage later, and a cycle keeps it for long.")
def closed_by_luck(seen: Seen) -> str | None:
    if not seen.unclosed:
        return None
    return "It dropped a socket without closing it; that it is closed at all is the garbage collector's doing."


@_known("returns-nothing", "End with `return`: what a function computes and does not return is lost.")
def returns_nothing(seen: Seen) -> str | None:
    if seen.returned and seen.result is None and seen.expected not in ("", "None"):
        return "It returned None, which is what a function without a return returns."
    return None


@_known("bytes-lost", "send() may take a part; use sendall(), or send the rest again.")
def bytes_lost(seen: Seen) -> str | None:
    short = seen.short_sends()
    return f"The kernel took only a part: {short[0]}, and the rest was not sent." if short else None


@_known("other", "Compare what was expected with what came, and run the scenario in a %%trace cell.")
def other(seen: Seen) -> str | None:
    if not seen.calls:
        return "It made no call on a socket in this scenario."
    last = ", ".join(str(event) for event in seen.calls[-3:])
    return f"Its last calls were {shown(last, 200)[1:-1]}."
