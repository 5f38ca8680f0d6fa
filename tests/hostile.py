"""Answers to `take(sock, size)` that do what no answer should, each with the key of what has to be said of it."""

from __future__ import annotations

import builtins
import gc
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

# -- answers that do not come back, by the misconception that is named -----------------------------------------------


def recv(sock: socket.socket, size: int) -> Any:
    return sock.recv(size) + sock.recv(1)


def recv_into(sock: socket.socket, size: int) -> Any:
    sock.recv(size)
    return sock.recv_into(bytearray(1))


def recvmsg(sock: socket.socket, size: int) -> Any:
    sock.recv(size)
    return sock.recvmsg(1)


def readline(sock: socket.socket, size: int) -> Any:
    with sock.makefile("rb") as file:
        return file.readline()


def accept(sock: socket.socket, size: int) -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.accept()


def recvfrom(sock: socket.socket, size: int) -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return udp.recvfrom(size)


def connect(sock: socket.socket, size: int) -> Any:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        clients = [socket.socket() for _ in range(4)]
        for client in clients:
            client.connect(listener.getsockname())


def sendall(sock: socket.socket, size: int) -> Any:
    while True:
        sock.sendall(bytes(1 << 20))


def select_(sock: socket.socket, size: int) -> Any:
    sock.recv(size)
    return select.select([sock], [], [])


def selector(sock: socket.socket, size: int) -> Any:
    sock.recv(size)
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return selector.select()


def sleeps(sock: socket.socket, size: int) -> Any:
    time.sleep(1000)


def waits_for_a_lock(sock: socket.socket, size: int) -> Any:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def waits_for_a_process(sock: socket.socket, size: int) -> Any:
    subprocess.run([sys.executable, "-c", "import time; time.sleep(1000)"])


def reads_the_keyboard(sock: socket.socket, size: int) -> Any:
    os.read(os.pipe()[0], 1)  # what a terminal would do; standard input itself is empty


def loops(sock: socket.socket, size: int) -> Any:
    while True:
        pass


def keeps_asking(sock: socket.socket, size: int) -> Any:
    sock.setblocking(False)
    while True:
        try:
            sock.recv(size)
        except BlockingIOError:
            continue


def will_not_end(sock: socket.socket, size: int) -> Any:
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue


def prints_for_ever(sock: socket.socket, size: int) -> Any:
    while True:
        print("and again")


HANG = {
    **dict.fromkeys((recv, recv_into, recvmsg, readline, accept, recvfrom, connect, sendall), "blocked"),
    **dict.fromkeys((select_, selector, waits_for_a_lock), "blocked"),
    **dict.fromkeys((sleeps, waits_for_a_process, reads_the_keyboard), "asleep"),
    **dict.fromkeys((loops, keeps_asking, will_not_end, prints_for_ever), "runs-for-ever"),
}

# -- answers that hold the interpreter, so that nobody in the process can say anything -------------------------------


def computes(sock: socket.socket, size: int) -> Any:
    return sum(range(10**12))


def long_intervals(sock: socket.socket, size: int) -> Any:
    sys.setswitchinterval(1e5)
    while True:
        pass


# -- answers that end, and spoil something ----------------------------------------------------------------------------


class Strange(BaseException):
    def __str__(self) -> str:
        raise KeyError("no words")


def base_exception(sock: socket.socket, size: int) -> Any:
    raise Strange


def interrupts(sock: socket.socket, size: int) -> Any:
    raise KeyboardInterrupt


def asks(sock: socket.socket, size: int) -> Any:
    return input("how many? ")


def recurses(sock: socket.socket, size: int) -> Any:
    return recurses(sock, size + 1)


def sys_exit(sock: socket.socket, size: int) -> Any:
    sys.exit("enough")


def allocates(sock: socket.socket, size: int) -> Any:
    kept = []
    while True:
        kept.append(bytes(1 << 22))


_kept: list[Any] = []


def allocates_silently(sock: socket.socket, size: int) -> Any:
    try:
        while True:
            _kept.append(bytes(1 << 22))
    except MemoryError:
        return sock.recv(size)


def sixty_threads(sock: socket.socket, size: int) -> Any:
    """Many, and each has allocated something; that is no fault."""
    met, leave = threading.Barrier(61), threading.Event()

    def stand() -> None:
        _kept.append(bytes(600))
        met.wait()
        leave.wait()

    threads = [threading.Thread(target=stand) for _ in range(60)]
    try:
        for thread in threads:
            thread.start()
        met.wait()
    finally:
        leave.set()
        met.abort()
    for thread in threads:
        thread.join()
    return sock.recv(size)


def leaks_sockets(sock: socket.socket, size: int) -> Any:
    _kept.extend(socket.socket() for _ in range(100))
    return sock.recv(size)


def takes_all_descriptors(sock: socket.socket, size: int) -> Any:
    while True:
        _kept.append(socket.socket())


def takes_all_files(sock: socket.socket, size: int) -> Any:
    try:
        while True:
            _kept.append(open(os.devnull))
    except OSError:
        return sock.recv(size)


def starts_threads(sock: socket.socket, size: int) -> Any:
    try:
        while True:
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    except RuntimeError:
        return sock.recv(size)


def patches_socket(sock: socket.socket, size: int) -> Any:
    socket.socket.recv = lambda self, size: b"efgh"  # type: ignore[assignment,method-assign,misc]
    return b"abcd"


def adds_to_socket(sock: socket.socket, size: int) -> Any:
    socket.socket.take = lambda self: b""  # type: ignore[attr-defined]
    return sock.recv(size)


def replaces_len(sock: socket.socket, size: int) -> Any:
    builtins.len = None  # type: ignore[assignment]
    return sock.recv(size)


def replaces_start(sock: socket.socket, size: int) -> Any:
    threading.Thread.start = None  # type: ignore[assignment,method-assign]
    return sock.recv(size)


def stops_the_clock(sock: socket.socket, size: int) -> Any:
    time.monotonic = lambda: 0.0
    return sock.recv(size)


def closes_behind(sock: socket.socket, size: int) -> Any:
    data = sock.recv(size)
    os.close(sock.fileno())
    return data


def closes_everything(sock: socket.socket, size: int) -> Any:
    data = sock.recv(size)
    os.closerange(3, 5000)
    return data


def os_exit(sock: socket.socket, size: int) -> Any:
    os._exit(0)


def kills_itself(sock: socket.socket, size: int) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def kills_its_group(sock: socket.socket, size: int) -> Any:
    os.killpg(0, signal.SIGTERM)


def sets_an_alarm(sock: socket.socket, size: int) -> Any:
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(1000)


def crashes(sock: socket.socket, size: int) -> Any:
    import ctypes

    ctypes.string_at(0)


def forks_on(sock: socket.socket, size: int) -> Any:
    for _ in range(8):  # 256 processes, were they let
        os.fork()
    time.sleep(1000)


def sets_a_handler(sock: socket.socket, size: int) -> Any:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


SPOIL = {
    base_exception: "raised", interrupts: "raised", asks: "raised", recurses: "raised", sets_a_handler: "raised",
    sys_exit: "exits", allocates: "out-of-memory", leaks_sockets: "left-open",
    takes_all_descriptors: "out-of-descriptors", takes_all_files: "out-of-descriptors",
    starts_threads: "out-of-threads", patches_socket: "replaces-socket", adds_to_socket: "replaces-socket",
    replaces_len: "replaces-socket", replaces_start: "replaces-socket", stops_the_clock: "replaces-socket",
    closes_behind: "closes-others", closes_everything: "closes-others",
    os_exit: "ends-process", kills_itself: "ends-process", kills_its_group: "ends-process",
    sets_an_alarm: "ends-process", crashes: "ends-process", forks_on: "forks-on",
}  # fmt: skip

# -- answers that are right, and untidy -------------------------------------------------------------------------------


def prints_a_million(sock: socket.socket, size: int) -> Any:
    for n in range(100_000):
        print(n, "\x1b[2J\ud800")
    os.write(1, b"to the descriptor")
    return sock.recv(size)


def changes_the_place(sock: socket.socket, size: int) -> Any:
    os.chdir("/")
    os.umask(0)
    os.environ["SOCKETLAB_TEST_LEFT"] = "yes"
    sys.setrecursionlimit(5000)
    sys.modules.pop("socketlab.handlers", None)
    return sock.recv(size)


def leaves_a_thread(sock: socket.socket, size: int) -> Any:
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    return sock.recv(size)


def fifty_threads(sock: socket.socket, size: int) -> Any:
    threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sock.recv(size)


def scribbles_to_all(sock: socket.socket, size: int) -> Any:
    """Into every pipe, the one to the check as well: rubbish, JSON that is no message, and half a line."""
    for number in range(3, 200):
        try:
            if os.readlink(f"/proc/self/fd/{number}").startswith("pipe:"):
                os.write(number, b'\x80\n[1]\n{"outcome": 1}\n{"exercise": 1}\n' + b'{"' * 5000 + b'\n{"began"')
        except OSError:
            continue
    return sock.recv(size)


def forks_and_goes(sock: socket.socket, size: int) -> Any:
    if os.fork() == 0:
        os._exit(0)
    return sock.recv(size)


def leaves_a_process(sock: socket.socket, size: int) -> Any:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    return sock.recv(size)


def leaves_a_daemon(sock: socket.socket, size: int) -> Any:
    """As daemon(3) does it: in a session of its own, and an orphan."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
    os.wait()
    return sock.recv(size)


PASS = [prints_a_million, changes_the_place, leaves_a_thread, fifty_threads, scribbles_to_all, forks_and_goes]
FAMILY = [leaves_a_process, leaves_a_daemon]


def sleeps_two_seconds(sock: socket.socket, size: int) -> Any:
    time.sleep(2)


def collects(sock: socket.socket, size: int) -> Any:
    gc.collect()
    return sock.recv(size)
