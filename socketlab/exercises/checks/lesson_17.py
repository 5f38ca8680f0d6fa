"""The exercises of lesson 17: how many a full queue turns away, and a server that lets a hundred in at once.

What a queue holds is asked of the kernel: a scenario plays the same arrivals at a real listener. And nothing is left to
time where a burst comes: a client connects when there is a seat for it, and an answer is held until everybody is in.
"""

from __future__ import annotations

import random
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from ...experiments.doors.wire import abort
from ...measure.tcp_fields import tcp_info
from ..attempt import Attempt, is_waiting, until
from ..definition import Exercise
from ..seen import Seen
from ..threads import errors_in_threads
from ..words import shown

LESSON = "17_the_listen_queue"
SOON = 0.4  # seconds for what one thread of this process does for another, or the kernel for both
A_FEW = 0.03  # seconds in which threads that have been started get to their first line
AT_ONCE = 0.06  # seconds in which an answer that waits for nobody has returned
DROPPED = 0.005  # seconds in which a SYN that has not been answered was dropped

CLIENTS = 100  # of the burst
CROWD = 8  # answers at a time, in the burst
SEATS = 5  # of the queue that they come to: listen(4)

predict_queue = Exercise(
    "predict_queue",
    lesson=LESSON,
    wants="predict_queue(backlog, arrivals, accepts)",
    task="At each step so many clients connect as `arrivals` says, one after another; then the server accepts "
    "`accepts` of those who wait, or all where there are fewer. Who finds the queue full goes away. Return "
    "`(most, turned_away)`: how many waited at most, and how many went away.",
    hints=(
        "One number is enough to remember: how many wait now.",
        "There is room for `backlog + 1`. How many of those who come still find a seat?",
        "`let_in = min(clients, seats - waiting)`; the others go away.",
        "The queue is longest when they have come, and before anybody is accepted: look at `most` there.",
        "Nobody can accept more than there are: `waiting -= min(waiting, accepts)`.",
    ),
    deadline=1.0,
)

serve_burst = Exercise(
    "serve_burst",
    lesson=LESSON,
    wants="serve_burst(listener, answer, n, workers)",
    task="Accept `n` clients as soon as they come, call `answer(conn)` for each of them, with `workers` of these calls "
    "at a time, and close each `conn` after its own. Return when all have been answered.",
    hints=(
        "Two things at different speeds: accepting, which takes no time, and answering, which does.",
        "A `ThreadPoolExecutor(workers)` has a queue of its own: `submit` returns at once, however many are at work.",
        "`pool.submit(serve, conn)`, with a function `serve(conn)` that answers and closes. Who closes too early?",
        "`answer` may raise where its client has gone. That concerns this client, and nobody else.",
        "Leaving the `with` of a pool waits until all has been done.",
    ),
    deadline=1.5,
)


# -- predict_queue -----------------------------------------------------------------------------------------------------


class Day(NamedTuple):
    """What a scenario asks for."""

    backlog: int
    arrivals: list[int]
    accepts: int


def played(attempt: Attempt, day: Day) -> tuple[int, int]:
    """What a real listener makes of it. Where the kernel does not tell its queue, what Linux would make of it."""
    listener = attempt.listener(day.backlog)
    if tcp_info(listener).queue is None:
        return counted(day)
    most = turned_away = 0
    for clients in day.arrivals:
        for _ in range(clients):
            turned_away += not _let_in(listener, day.backlog)
        most = max(most, _waiting(listener))
        for _ in range(min(day.accepts, _waiting(listener))):
            listener.accept()[0].close()
    return most, turned_away


def _waiting(listener: socket.socket) -> int:
    return tcp_info(listener).queue or 0


def _let_in(listener: socket.socket, backlog: int) -> bool:
    """One client connects and closes: it keeps its seat, for the kernel keeps the connection."""
    before = _waiting(listener)
    with socket.socket() as client:
        client.setblocking(before <= backlog)
        with suppress(BlockingIOError):
            client.connect(listener.getsockname())
        if before > backlog:  # full: its SYN has been dropped
            return bool(select.select([], [client], [], DROPPED)[1])
        return until(lambda: _waiting(listener) > before, SOON)


def counted(
    day: Day, *, seats: int | None = None, late: bool = False, below: bool = False, stay: bool = False,
    endless: bool = False, again: bool = False,
) -> tuple[int, int]:  # fmt: skip
    """The same in numbers, right or wrong in one of several ways."""
    room = day.backlog + 1 if seats is None else seats
    waiting = most = turned_away = outside = 0
    for arriving in day.arrivals:
        clients = arriving + (outside if again else 0)
        let_in = clients if endless else min(clients, room - waiting)
        outside = clients - let_in
        turned_away += max(0, waiting + clients - room) if endless else outside
        waiting += let_in
        most = most if late else max(most, waiting)
        waiting -= 0 if stay else day.accepts if below else min(waiting, day.accepts)
        most = max(most, waiting)
    return most, turned_away


def predicts(attempt: Attempt, day: Day) -> None:
    facts = attempt.seen.facts
    facts["day"] = day
    came = attempt.call(day.backlog, list(day.arrivals), day.accepts)
    facts["kernel"] = wanted = played(attempt, day)
    attempt.equal(tuple(came) if isinstance(came, list) else came, wanted)


@predict_queue.scenario("listen(3): five come, and nobody accepts")
def nobody_accepts(attempt: Attempt) -> None:
    predicts(attempt, Day(3, [5], 0))


@predict_queue.scenario("listen(2): five come, then two, and one is accepted each time")
def one_each_time(attempt: Attempt) -> None:
    predicts(attempt, Day(2, [5, 2], 1))


@predict_queue.scenario("listen(5): fewer come than could be accepted")
def fewer(attempt: Attempt) -> None:
    predicts(attempt, Day(5, [2, 1, 4], 3))


@predict_queue.scenario("listen(0): one, none, and three at once")
def no_backlog(attempt: Attempt) -> None:
    predicts(attempt, Day(0, [1, 0, 3], 1))


@predict_queue.scenario("listen(4): twelve steps of a busy day")
def busy_day(attempt: Attempt) -> None:
    draw = random.Random(17)
    predicts(attempt, Day(4, [draw.randint(0, 6) for _ in range(12)], 2))


def predicted(seen: Seen, **wrong: Any) -> bool:
    """Whether it returned what comes out with that mistake, and it is a mistake."""
    day, result = seen.facts.get("day"), seen.result
    if day is None or not seen.returned or not isinstance(result, (tuple, list)):
        return False
    return tuple(result) != counted(day) and tuple(result) == counted(day, **wrong)


@predict_queue.misconception("no-seat-more", advice="Count with backlog + 1 seats.")
def queue_seats(seen: Seen) -> str | None:
    day = seen.facts.get("day")
    if day is None or not predicted(seen, seats=day.backlog):
        return None
    return f"It gives listen({day.backlog}) room for {day.backlog}: Linux lets one more in."


@predict_queue.misconception("looks-too-late", advice="Compare with `most` before you accept.")
def queue_late(seen: Seen) -> str | None:
    if not predicted(seen, late=True):
        return None
    return "It looks at the queue after accepting: the queue is longest before."


@predict_queue.misconception("below-nobody", advice="Accept min(waiting, accepts).")
def queue_below(seen: Seen) -> str | None:
    if not predicted(seen, below=True):
        return None
    return "It accepts more clients than wait, and goes on with a queue of less than nobody."


@predict_queue.misconception("nobody-leaves", advice="After each step, take the accepted ones off.")
def queue_stays(seen: Seen) -> str | None:
    if not predicted(seen, stay=True):
        return None
    return "It leaves in the queue whom the server has accepted: accept() takes a client out."


@predict_queue.misconception("room-for-all", advice="Let in min(clients, seats - waiting), and no more.")
def queue_endless(seen: Seen) -> str | None:
    if not predicted(seen, endless=True):
        return None
    return "It puts everybody into the queue, also those who find it full."


@predict_queue.misconception("come-again", advice="Forget those who went away.")
def queue_again(seen: Seen) -> str | None:
    if not predicted(seen, again=True):
        return None
    return "It lets those who went away come again at the next step: here they have given up."


@predict_queue.misconception("swapped", advice="Return (most, turned_away), in this order.")
def queue_swapped(seen: Seen) -> str | None:
    kernel, result = seen.facts.get("kernel"), seen.result
    if kernel is None or not isinstance(result, (tuple, list)) or tuple(result) != kernel[::-1]:
        return None
    return "It returned the two numbers in the other order."


@predict_queue.misconception("not-a-pair", advice="Return two whole numbers: return most, turned_away.")
def queue_shape(seen: Seen) -> str | None:
    result = seen.result
    pair = isinstance(result, (tuple, list)) and len(result) == 2 and all(isinstance(part, int) for part in result)
    if not seen.returned or result is None or pair:
        return None
    return f"It returned {shown(result, 40)}, where two whole numbers were wanted."


@predict_queue.misconception("other-numbers", advice="Play the first two steps on paper: who comes, who is accepted?")
def queue_other(seen: Seen) -> str | None:
    kernel, day = seen.facts.get("kernel"), seen.facts.get("day")
    if kernel is None or day is None or not seen.returned or seen.result is None:
        return None
    return f"The kernel was asked with listen({day.backlog}): {kernel[0]} waited at most, and {kernel[1]} went away."


# -- serve_burst -------------------------------------------------------------------------------------------------------


class Burst:
    """Clients who come to a listener with a short queue, and the function that answers them."""

    def __init__(self, attempt: Attempt, clients: int, workers: int) -> None:
        self.attempt, self.facts, self.workers = attempt, attempt.seen.facts, workers
        self.listener = attempt.listener(backlog=SEATS - 1)
        self.clients = [attempt.keep(socket.socket()) for _ in range(clients)]
        self.begun = self.most = 0
        self._inside = 0
        self._lock = threading.Lock()
        self.go_on = threading.Event()  #: every answer waits for it, when its client has been heard

    def answer(self, conn: socket.socket) -> None:
        """What is given to `serve_burst`: says in capitals what it hears."""
        with self._lock:
            self.begun += 1
            self._inside += 1
            self.most = max(self.most, self._inside)
        try:
            if conn.fileno() < 0:
                self.facts["closed"] = True
                return
            words = conn.recv(100)
            self.go_on.wait(5.0)
            conn.sendall(words.upper())
        finally:
            with self._lock:
                self._inside -= 1

    def come(self, number: int, speak: bool = True) -> socket.socket:
        """One client connects, and says who it is."""
        client = self.clients[number]
        client.settimeout(5.0)
        client.connect(self.listener.getsockname())
        if speak:
            self.speak(number)
        return client

    def speak(self, number: int) -> None:
        self.clients[number].sendall(f"client {number + 1}".encode())

    def door_is_free(self) -> bool:
        """Whether nobody waits to be accepted, or will be within a moment."""
        return until(lambda: not is_waiting(self.listener, 0.0), SOON)

    def heard(self, number: int) -> bool:
        """Whether that client hears its answer, and then the end."""
        client, came = self.clients[number], b""
        with suppress(OSError):
            while piece := client.recv(100):
                came += piece
        if came != f"CLIENT {number + 1}".encode():
            self.facts.setdefault("unheard", []).append(number + 1)
            return False
        return True

    def serve(self, talk: Callable[[], object], among: list[int]) -> None:
        """Let the answer serve while `talk` goes on; then all `among` the clients have to have been heard."""
        attempt, facts = self.attempt, self.facts

        def talk_and_let_go() -> None:
            try:
                talk()
            finally:
                self.go_on.set()
            for number in among:
                self.heard(number)

        with errors_in_threads(attempt):
            beside = attempt.beside(talk_and_let_go)
            try:
                attempt.call(self.listener, self.answer, len(self.clients), self.workers)
            finally:
                self.go_on.set()
            beside.join(1.0)
        attempt.want(not facts.get("early"), "it returns when all have been answered", "it returned before")
        at_the_door = facts.get("shut", "")
        attempt.want(not at_the_door, "everybody is accepted, also while answers are under way", at_the_door)
        at_a_time = facts.get("at a time", self.workers)
        attempt.want(
            at_a_time == self.workers, f"{self.workers} answers at a time", shown_number(at_a_time, self.workers)
        )
        lost = facts.get("unheard", [])
        attempt.want(not lost, "every client hears its answer, and the end", f"client {lost and lost[0]} did not")


def shown_number(at_a_time: int, workers: int) -> str:
    """How many more there were differs from run to run."""
    return "more of them" if at_a_time > workers else f"{at_a_time} at a time"


@serve_burst.scenario("three clients, and one at a time")
def three_in_turn(attempt: Attempt) -> None:
    burst = Burst(attempt, 3, 1)
    burst.go_on.set()
    for number in range(3):
        burst.come(number, speak=False)

    def talk_in_turn() -> None:
        until(lambda: not is_waiting(burst.listener, 0.0), AT_ONCE)
        for number in range(2):
            burst.speak(number)
            burst.heard(number)
        until(lambda: attempt.seen.returned, AT_ONCE)
        attempt.seen.facts["early"] = attempt.seen.returned and not attempt.seen.facts.get("unheard")
        burst.speak(2)

    burst.serve(talk_in_turn, [2])


@serve_burst.scenario("a burst of up to 100, and no answer is ready before the last of them is in")
def hundred(attempt: Attempt) -> None:
    clients = attempt.fitting(CLIENTS)
    burst = Burst(attempt, clients, CROWD)
    facts = attempt.seen.facts

    def all_come() -> None:
        for number in range(clients + 1):
            if number % SEATS == 0 and not burst.door_is_free():
                if "shut" in facts:
                    return  # the answers have been let go, and still nobody is accepted
                facts["begun"], facts["shut"] = burst.begun, f"{number} have come, and some stay at the door"
                burst.go_on.set()
                burst.door_is_free()
            if number < clients:
                burst.come(number)
        if "shut" not in facts:
            until(lambda: burst.begun >= burst.workers, SOON)
            until(lambda: burst.begun > burst.workers, A_FEW)
            facts["at a time"] = burst.most

    burst.serve(all_come, list(range(clients)))


@serve_burst.scenario("one of four has broken off while it waited in the queue")
def one_breaks_off(attempt: Attempt) -> None:
    attempt.seen.facts["broken"] = True
    burst = Burst(attempt, 4, 2)
    burst.go_on.set()
    for number in range(4):
        client = burst.come(number, speak=number != 1)
        if number == 1:
            abort(client)
    burst.serve(lambda: None, [0, 2, 3])


def accepts_late(seen: Seen) -> bool:
    return bool(seen.facts.get("shut"))


@serve_burst.misconception("longer-queue", advice="Accept at once; the backlog is for moments, not for a service.")
def burst_longer(seen: Seen) -> str | None:
    if not accepts_late(seen) or not seen.made("listen"):
        return None
    return "It called listen() for a longer queue, and did not accept while answers were under way: they wait in there."


@serve_burst.misconception("answers-at-the-door", advice="Hand each conn to a pool, and go back to accept() at once.")
def burst_inline(seen: Seen) -> str | None:
    if not accepts_late(seen) or seen.facts.get("begun", 0) > 1:
        return None
    return "It accepts nobody while it answers one client: the queue fills, and the next ones stand outside."


@serve_burst.misconception("waits-for-a-worker", advice="Accept first; let the accepted ones wait, in a pool's queue.")
def burst_waits(seen: Seen) -> str | None:
    if not accepts_late(seen):
        return None
    return "With all workers busy it accepts nobody: whoever comes then waits at the door, and the door has few seats."


@serve_burst.misconception("thread-for-each", advice="ThreadPoolExecutor(workers): so many threads, and no more.")
def burst_crowd(seen: Seen) -> str | None:
    if seen.facts.get("at a time", 0) <= CROWD:
        return None
    return "It ran more answers at a time than it was allowed: a thread for each client has no limit."


@serve_burst.misconception("too-few-workers", advice="ThreadPoolExecutor(max_workers=workers).")
def burst_few(seen: Seen) -> str | None:
    if not 0 < seen.facts.get("at a time", CROWD) < CROWD:
        return None
    return f"All had been accepted, and {seen.facts['at a time']} answered at a time, where {CROWD} may be."


@serve_burst.misconception("closes-too-early", advice="Close conn in the function that the pool runs, after answer().")
def burst_closes(seen: Seen) -> str | None:
    if not seen.facts.get("closed"):
        return None
    return "answer() was given a closed socket: `with conn` around submit() ends before the worker has begun."


@serve_burst.misconception("one-breaks-all", advice="Catch OSError around answer(conn), in the worker.")
def burst_breaks(seen: Seen) -> str | None:
    if not (seen.facts.get("broken") and seen.raised(OSError)):
        return None
    return f"One client had gone, and its {type(seen.error).__name__} ended the service of all of them."


@serve_burst.misconception("never-closed", advice="Close conn also where answer() has raised: with conn.")
def burst_broken_left(seen: Seen) -> str | None:
    if not seen.facts.get("broken") or not (seen.left_open or seen.unclosed):
        return None
    return "answer() raised where its client had gone, and conn was not closed on that way out."


@serve_burst.misconception("returns-early", advice="Wait for the workers before you return: leave the pool's with.")
def burst_early(seen: Seen) -> str | None:
    if not seen.facts.get("early"):
        return None
    return "It returned while a client waited for its answer: handing a task to a thread is not doing it."


@serve_burst.misconception("sends-away", advice="Keep everybody that you have accepted until a worker is free.")
def burst_away(seen: Seen) -> str | None:
    lost = seen.facts.get("unheard", [])
    if not lost or not seen.returned or seen.error is not None:
        return None
    return f"Client {lost[0]} was let in, and heard nothing but the end."
