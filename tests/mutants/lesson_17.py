"""Answers to the exercises of lesson 17."""

from __future__ import annotations

import asyncio
import queue
import selectors
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import accumulate
from typing import Any

from . import mutant, unusual

Answer = Callable[[socket.socket], None]

# -- predict_queue -----------------------------------------------------------------------------------------------------


@mutant("predict_queue", "no-seat-more")
def takes_it_literally(backlog: int, arrivals: list[int], accepts: int) -> tuple[int, int]:
    waiting = most = turned_away = 0
    for clients in arrivals:
        let_in = min(clients, backlog - waiting)
        turned_away += clients - let_in
        waiting += let_in
        most = max(most, waiting)
        waiting -= min(waiting, accepts)
    return most, turned_away


@mutant("predict_queue", "looks-too-late")
def accepts_first(backlog: int, arrivals: list[int], accepts: int) -> tuple[int, int]:
    waiting = most = turned_away = 0
    for clients in arrivals:
        let_in = min(clients, backlog + 1 - waiting)
        turned_away += clients - let_in
        waiting += let_in
        waiting -= min(waiting, accepts)
        most = max(most, waiting)
    return most, turned_away


@mutant("predict_queue", "below-nobody")
def accepts_nobody(backlog: int, arrivals: list[int], accepts: int) -> tuple[int, int]:
    waiting = most = turned_away = 0
    for clients in arrivals:
        let_in = min(clients, backlog + 1 - waiting)
        turned_away += clients - let_in
        waiting += let_in
        most = max(most, waiting)
        waiting -= accepts
    return most, turned_away


@mutant("predict_queue", "nobody-leaves")
def forgets_to_accept(backlog: int, arrivals: list[int], accepts: int) -> tuple[int, int]:
    waiting = turned_away = 0
    for clients in arrivals:
        let_in = min(clients, backlog + 1 - waiting)
        turned_away += clients - let_in
        waiting += let_in
    return waiting, turned_away


@mutant("predict_queue", "room-for-all")
def without_a_wall(backlog: int, arrivals: list[int], accepts: int) -> tuple[int, int]:
    waiting = most = turned_away = 0
    for clients in arrivals:
        waiting += clients
        most = max(most, waiting)
        turned_away += max(0, waiting - backlog - 1)
        waiting -= min(waiting, accepts)
    return most, turned_away


@mutant("predict_queue", "come-again")
def patient_clients(backlog: int, arrivals: list[int], accepts: int) -> tuple[int, int]:
    waiting = most = turned_away = outside = 0
    for clients in arrivals:
        outside += clients
        let_in = min(outside, backlog + 1 - waiting)
        outside -= let_in
        turned_away += outside
        waiting += let_in
        most = max(most, waiting)
        waiting -= min(waiting, accepts)
    return most, turned_away


@mutant("predict_queue", "swapped")
def the_other_way_round(backlog: int, arrivals: list[int], accepts: int) -> tuple[int, int]:
    return by_accumulate(backlog, arrivals, accepts)[::-1]


@mutant("predict_queue", "not-a-pair")
def only_those_who_lose(backlog: int, arrivals: list[int], accepts: int) -> int:
    return by_accumulate(backlog, arrivals, accepts)[1]


@mutant("predict_queue", "other-numbers")
def all_at_once(backlog: int, arrivals: list[int], accepts: int) -> tuple[int, int]:
    return backlog + 1, max(0, sum(arrivals) - accepts * len(arrivals) - backlog - 1)


@mutant("predict_queue", "returns-nothing")
def prints_them(backlog: int, arrivals: list[int], accepts: int) -> None:
    print(by_accumulate(backlog, arrivals, accepts))


@unusual("predict_queue")
def by_accumulate(backlog: int, arrivals: list[int], accepts: int) -> tuple[int, int]:
    seats = backlog + 1
    before = list(accumulate(arrivals, lambda left, came: max(0, min(seats, left) - accepts) + came, initial=0))[1:]
    return min(seats, max(before)), sum(max(0, waiting - seats) for waiting in before)


@unusual("predict_queue")
def with_a_queue(backlog: int, arrivals: list[int], accepts: int) -> list[int]:
    """A queue that knows its own room."""
    door: queue.Queue[None] = queue.Queue(backlog + 1)
    most = turned_away = 0
    for clients in arrivals:
        for _ in range(clients):
            try:
                door.put_nowait(None)
            except queue.Full:
                turned_away += 1
        most = max(most, door.qsize())
        with suppress(queue.Empty):
            for _ in range(accepts):
                door.get_nowait()
    return [most, turned_away]


@unusual("predict_queue")
def asks_the_kernel(backlog: int, arrivals: list[int], accepts: int) -> tuple[int, int]:
    """Plays it with real sockets; a client that finds no seat has no answer within a moment."""
    waiting = most = turned_away = 0
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        for clients in arrivals:
            for _ in range(clients):
                with socket.socket() as client:
                    client.settimeout(0.01 if waiting > backlog else 1)
                    try:
                        client.connect(listener.getsockname())
                        waiting += 1
                    except TimeoutError:
                        turned_away += 1
            most = max(most, waiting)
            for _ in range(min(waiting, accepts)):
                listener.accept()[0].close()
                waiting -= 1
    return most, turned_away


# -- serve_burst -------------------------------------------------------------------------------------------------------


def quietly(answer: Answer, conn: socket.socket) -> None:
    with conn, suppress(OSError):
        answer(conn)


@mutant("serve_burst", "answers-at-the-door")
def one_after_another(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    for _ in range(n):
        conn, _ = listener.accept()
        quietly(answer, conn)


@mutant("serve_burst", "answers-at-the-door")
def waits_for_each(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        for _ in range(n):
            conn, _ = listener.accept()
            pool.submit(quietly, answer, conn).result()


@mutant("serve_burst", "waits-for-a-worker")
def with_a_semaphore(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    free = threading.Semaphore(workers)

    def serve(conn: socket.socket) -> None:
        with conn, suppress(OSError):
            answer(conn)
        free.release()

    threads = []
    for _ in range(n):
        free.acquire()
        conn, _ = listener.accept()
        threads.append(threading.Thread(target=serve, args=(conn,)))
        threads[-1].start()
    for thread in threads:
        thread.join()


@mutant("serve_burst", "waits-for-a-worker")
def workers_accept(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    """As pre-forking servers do it."""
    tickets = iter(range(n))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if next(tickets, None) is None:
                    return
            conn, _ = listener.accept()
            quietly(answer, conn)

    with ThreadPoolExecutor(workers) as pool:
        for _ in range(workers):
            pool.submit(work)


@mutant("serve_burst", "longer-queue")
def asks_for_a_longer_queue(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    listener.listen(n)
    one_after_another(listener, answer, n, workers)


@mutant("serve_burst", "thread-for-each")
def a_thread_for_each(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    threads = []
    for _ in range(n):
        conn, _ = listener.accept()
        threads.append(threading.Thread(target=quietly, args=(answer, conn)))
        threads[-1].start()
    for thread in threads:
        thread.join()


@mutant("serve_burst", "thread-for-each")
def a_pool_for_all(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    with ThreadPoolExecutor(n) as pool:
        for _ in range(n):
            pool.submit(quietly, answer, listener.accept()[0])


@mutant("serve_burst", "too-few-workers")
def one_worker(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    with ThreadPoolExecutor(1) as pool:
        for _ in range(n):
            pool.submit(quietly, answer, listener.accept()[0])


@mutant("serve_burst", "closes-too-early")
def with_around_submit(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    def serve(conn: socket.socket) -> None:
        with suppress(OSError):
            answer(conn)

    with ThreadPoolExecutor(workers) as pool:
        for _ in range(n):
            conn, _ = listener.accept()
            with conn:
                pool.submit(serve, conn)


@mutant("serve_burst", "one-breaks-all")
def asks_for_results(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    def serve(conn: socket.socket) -> None:
        with conn:
            answer(conn)

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(serve, listener.accept()[0]) for _ in range(n)]
    for future in futures:
        future.result()


@mutant("serve_burst", "never-closed")
def closes_where_it_went_well(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    def serve(conn: socket.socket) -> None:
        answer(conn)
        conn.close()

    with ThreadPoolExecutor(workers) as pool:
        for _ in range(n):
            pool.submit(serve, listener.accept()[0])


@mutant("serve_burst", "returns-early")
def does_not_wait(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    pool = ThreadPoolExecutor(workers)
    for _ in range(n):
        pool.submit(quietly, answer, listener.accept()[0])
    pool.shutdown(wait=False)


@mutant("serve_burst", "sends-away")
def sheds_load(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    free = threading.Semaphore(workers)

    def serve(conn: socket.socket) -> None:
        quietly(answer, conn)
        free.release()

    with ThreadPoolExecutor(workers) as pool:
        for _ in range(n):
            conn, _ = listener.accept()
            if free.acquire(blocking=False):
                pool.submit(serve, conn)
            else:
                conn.close()


@unusual("serve_burst")
def with_a_queue_of_its_own(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    accepted: queue.Queue[socket.socket | None] = queue.Queue()

    def work() -> None:
        while (conn := accepted.get()) is not None:
            quietly(answer, conn)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for _ in range(n):
        accepted.put(listener.accept()[0])
    for _ in threads:
        accepted.put(None)
    for thread in threads:
        thread.join()


@unusual("serve_burst")
def with_asyncio(listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
    """The loop accepts, a pool answers."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        with ThreadPoolExecutor(workers) as pool:
            tasks = []
            for _ in range(n):
                conn, _ = await loop.sock_accept(listener)
                conn.setblocking(True)
                tasks.append(loop.run_in_executor(pool, quietly, answer, conn))
            await asyncio.gather(*tasks)

    asyncio.run(main())


@unusual("serve_burst")
class Burst:
    """A selector that drains the queue each time, and a class with a call."""

    def __init__(self, *arguments: Any) -> None:
        self(*arguments)

    def __call__(self, listener: socket.socket, answer: Answer, n: int, workers: int) -> None:
        listener.setblocking(False)
        with closing(selectors.DefaultSelector()) as door, ThreadPoolExecutor(workers) as pool:
            door.register(listener, selectors.EVENT_READ)
            while n:
                door.select()
                with suppress(BlockingIOError):
                    while n:
                        conn, _ = listener.accept()
                        conn.setblocking(True)
                        pool.submit(quietly, answer, conn)
                        n -= 1
